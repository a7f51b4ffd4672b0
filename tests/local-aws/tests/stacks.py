"""Stacks beside the deployed one. Run with a virtual environment that has boto3:

python stacks.py copy STACK NAME          makes the same stack again under a name, and prints its outputs as JSON
python stacks.py break NAME FUNCTION VARIABLE      updates a stack so that this variable of a function has a useless value
python stacks.py update NAME PARAMETER=VALUE...    updates a stack with other values of its parameters alone
python stacks.py unchanged NAME           updates a stack with what it is made of, and prints what CloudFormation says
python stacks.py restore NAME STACK       updates a stack with what another is made of: rolls it back
python stacks.py delete NAME              deletes a stack, and prints as JSON which of its resources are still there
"""

import json
import re
import sys
import time

import boto3
from botocore.exceptions import ClientError

CLOUDFORMATION = boto3.client("cloudformation")
# The bucket that the stack was deployed from.
ARTIFACTS = "lookalike-artifacts"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


def template_of(stack):
    template = CLOUDFORMATION.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    return template if isinstance(template, str) else json.dumps(template)


def described(stack):
    return CLOUDFORMATION.describe_stacks(StackName=stack)["Stacks"][0]


def wait(stack):
    end = time.monotonic() + 110
    while time.monotonic() < end:
        status = described(stack)["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), status
            return
        time.sleep(0.3)
    raise TimeoutError(f"{stack} is {status}")


def of(template, name):
    """What a stack is made of. A request takes no template of this size, S3 does."""
    boto3.client("s3").put_object(Bucket=ARTIFACTS, Key=f"{name}.template", Body=template.encode())
    url = f"https://s3.us-east-1.amazonaws.com/{ARTIFACTS}/{name}.template"
    return {"StackName": name, "TemplateURL": url, "Capabilities": CAPABILITIES}


def copy(stack, name):
    CLOUDFORMATION.create_stack(**of(template_of(stack), name), Parameters=described(stack)["Parameters"])
    wait(name)
    print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in described(name)["Outputs"]}))


def same_parameters(stack):
    return [{"ParameterKey": p["ParameterKey"], "UsePreviousValue": True} for p in described(stack)["Parameters"]]


def break_variable(name, function, variable):
    template = template_of(name)
    before, after = re.split(rf"(?=\b{function}\"?:)", template, maxsplit=1)
    pattern = rf"({variable}\"?:)[^\n]*(\n +- [^\n]*|\n +Fn::If:[^\n]*|\n[^\n]*Ref:?[^\n]*)*"
    changed = before + re.sub(pattern, r"\1 http://127.0.0.1:9", after, count=1)
    assert changed != template, template[:2000]
    CLOUDFORMATION.update_stack(**of(changed, name), Parameters=same_parameters(name))
    wait(name)


def update(name, *parameters):
    given = dict(parameter.split("=", 1) for parameter in parameters)
    values = [
        {"ParameterKey": p["ParameterKey"], "ParameterValue": given[p["ParameterKey"]]} if p["ParameterKey"] in given else p
        for p in same_parameters(name)
    ]
    CLOUDFORMATION.update_stack(StackName=name, UsePreviousTemplate=True, Capabilities=CAPABILITIES, Parameters=values)
    wait(name)


def unchanged(name):
    try:
        CLOUDFORMATION.update_stack(**of(template_of(name), name), Parameters=same_parameters(name))
    except ClientError as error:
        print(error.response["Error"]["Message"])
    else:
        print("an update was made")


def restore(name, stack):
    CLOUDFORMATION.update_stack(**of(template_of(stack), name), Parameters=same_parameters(name))
    wait(name)


def delete(name):
    stack = described(name)["StackId"]
    CLOUDFORMATION.delete_stack(StackName=name)
    end = time.monotonic() + 110
    while described(stack)["StackStatus"] != "DELETE_COMPLETE":
        assert time.monotonic() < end, described(stack)["StackStatus"]
        time.sleep(0.3)
    there = {
        "buckets": [b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]],
        "functions": [f["FunctionName"] for f in boto3.client("lambda").list_functions()["Functions"]],
        "workflows": [m["name"] for m in boto3.client("stepfunctions").list_state_machines()["stateMachines"]],
        "topics": [t["TopicArn"].split(":")[-1] for t in boto3.client("sns").list_topics()["Topics"]],
        "queues": [q.split("/")[-1] for q in boto3.client("sqs").list_queues().get("QueueUrls", [])],
        "buses": [b["Name"] for b in boto3.client("events").list_event_buses()["EventBuses"]],
        "rules": [r["Name"] for r in boto3.client("events").list_rules()["Rules"]],
        "roles": [r["RoleName"] for r in boto3.client("iam").list_roles()["Roles"]],
        "logs": [g["logGroupName"] for g in boto3.client("logs").describe_log_groups()["logGroups"]],
    }
    print(json.dumps({kind: left for kind, all in there.items() if (left := [
        one for one in all if one.split("/")[-1].startswith(f"{name}-") or one.endswith(f"/{name}")])}))


COMMANDS = {
    "copy": copy, "break": break_variable, "update": update, "unchanged": unchanged, "restore": restore, "delete": delete,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
