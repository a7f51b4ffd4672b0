"""What start-generation does, as a Python function would: read the checked request, start the job."""

import http.client
import json
import os

import boto3

s3 = boto3.client("s3")
ml = boto3.client("cleanroomsml")


def handle(event):
    bucket, key = event["checkedRequest"].removeprefix("s3://").split("/", 1)
    request = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    started = ml.start_audience_generation_job(
        name=request["name"],
        configuredAudienceModelArn=request["configuredAudienceModelArn"],
        seedAudience=request["seedAudience"],
        tags={"lookalike:stack": os.environ["STACK_NAME"], "lookalike:run": event["execution"]["id"]},
    )
    return {"audienceGenerationJobArn": started["audienceGenerationJobArn"], "name": request["name"]}


# Lambda's own runtime client does more than this loop, so the loop is the faster peer.
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    next_event = runtime.getresponse()
    invocation = next_event.headers["lambda-runtime-aws-request-id"]
    answer = handle(json.loads(next_event.read()))
    runtime.request("POST", f"/2018-06-01/runtime/invocation/{invocation}/response", json.dumps(answer))
    runtime.getresponse().read()
