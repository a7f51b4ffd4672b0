"""Stacks beside the deployed one. Run with a virtual environment that has boto3:

python stacks.py copy STACK NAME          makes the same stack again under a name, and prints its outputs as JSON
python stacks.py break NAME VARIABLE      updates a stack so that this variable of its functions is not to be read
python stacks.py unchanged NAME           updates a stack with what it is made of, and prints what CloudFormation says
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


def break_variable(name, variable):
    template = template_of(name)
    changed = re.sub(rf"({variable}\"?:)[^\n]*(\n[^\n]*Ref:?[^\n]*)?", rf"\1 broken", template, count=1)
    assert changed != template, template[:2000]
    CLOUDFORMATION.update_stack(**of(changed, name), Parameters=same_parameters(name))
    wait(name)


def unchanged(name):
    try:
        CLOUDFORMATION.update_stack(**of(template_of(name), name), Parameters=same_parameters(name))
    except ClientError as error:
        print(error.response["Error"]["Message"])
    else:
        print("an update was made")


if __name__ == "__main__":
    {"copy": copy, "break": break_variable, "unchanged": unchanged}[sys.argv[1]](*sys.argv[2:])
