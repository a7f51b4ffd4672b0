"""What the deployed rules take. Run with a virtual environment that has boto3:

python rules.py STACK EVENTS    prints, for each event of a JSON list, which rules take it, as JSON
"""

import json
import sys

import boto3

EVENTS = boto3.client("events")


def rules(stack):
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for resource in resources:
        if resource["ResourceType"] == "AWS::Events::Rule":
            pattern = EVENTS.describe_rule(Name=resource["PhysicalResourceId"].split("/")[-1]).get("EventPattern")
            if pattern:
                yield resource["LogicalResourceId"], pattern


patterns = dict(rules(sys.argv[1]))
print(json.dumps([
    sorted(id for id, pattern in patterns.items()
           if EVENTS.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"])
    for event in json.loads(sys.argv[2])
]))
