"""Prints the whole history of an execution, with what each state was given and answered, which the AWS SDK for Rust
does not print: python history.py EXECUTION_ARN"""

import sys

import boto3

pages = boto3.client("stepfunctions").get_paginator("get_execution_history")
for page in pages.paginate(executionArn=sys.argv[1], includeExecutionData=True):
    for event in page["events"]:
        print(event)
