"""What a subscriber receives about the outcomes of runs. Run with a virtual environment that has boto3:

python outcomes.py subscribe TOPIC_ARN BUS_NAME    makes a queue that receives both, and prints its URL
python outcomes.py hear QUEUE_URL COUNT            prints so many messages as JSON lines, within a minute
"""

import json
import sys
import time
import uuid

import boto3


def subscribe(topic, bus):
    sqs, sns, events = boto3.client("sqs"), boto3.client("sns"), boto3.client("events")
    name = f"outcomes-{uuid.uuid4()}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
               "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["lookalike"]}))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    print(url)


def hear(url, count):
    sqs = boto3.client("sqs")
    end, heard = time.monotonic() + 60, 0
    while heard < int(count) and time.monotonic() < end:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            print(json.dumps(json.loads(message["Body"])), flush=True)
            heard += 1


if __name__ == "__main__":
    {"subscribe": subscribe, "hear": hear}[sys.argv[1]](*sys.argv[2:])
