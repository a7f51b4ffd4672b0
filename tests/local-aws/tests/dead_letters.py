"""The dead-letter queue. Run with a virtual environment that has boto3:

python dead_letters.py send QUEUE_URL BODY    puts a letter there
python dead_letters.py count QUEUE_URL        prints how many letters are there, taken or not
"""

import sys

import boto3


def send(url, body):
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def count(url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    print(sum(int(attributes[name]) for name in names))


if __name__ == "__main__":
    {"send": send, "count": count}[sys.argv[1]](*sys.argv[2:])
