"""Prints template.yaml as plain CloudFormation, with the workflows' definitions in it. Run in the project's root.

With parameters (Name=value) its conditions are decided, too: a checker passes over what stands in an If.
"""

import json
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

with open("template.yaml", encoding="utf-8") as file:
    template = yaml_parse(file)
definitions = {}
for name, resource in template["Resources"].items():
    if resource["Type"] == "AWS::Serverless::StateMachine":
        machine = resource["Properties"]
        with open(machine.pop("DefinitionUri"), encoding="utf-8") as file:
            # cfn-lint knows the ARNs of one partition.
            text = file.read().replace("${Partition}", "aws")
        definitions[name] = machine["Definition"] = json.loads(text)
for resource in template["Resources"].values():
    # The SAM CLI's own, no business of CloudFormation's; and a deployed function's code lies in S3.
    if resource.get("Metadata", {}).pop("BuildMethod", None):
        resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"

session = boto3.Session(region_name="us-east-1")
translator = Translator(managed_policy_map={
    "AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
}, sam_parser=Parser(), boto_session=session)
given = dict(parameter.split("=", 1) for parameter in sys.argv[1:])
expanded = translator.translate(template, given)
# SAM joins a definition of its lines, which cfn-lint does not read.
for name, definition in definitions.items():
    machine = expanded["Resources"][name]["Properties"]
    del machine["DefinitionString"]
    machine["Definition"] = definition


# Where the expanded template is read as deployed.
PSEUDO_PARAMETERS = {"AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::Region": "us-east-1"}


def holds(condition):
    (function, operands), = condition.items()
    if function == "Condition":
        return holds(all_conditions[operands])
    if function == "Fn::Not":
        return not holds(*operands)
    if function == "Fn::Or":
        return any(map(holds, operands))
    if function == "Fn::Equals":
        return len({str(values.get(o["Ref"])) if isinstance(o, dict) else str(o) for o in operands}) == 1
    raise NotImplementedError(function)


def decided(value):
    if isinstance(value, list):
        return [item for item in map(decided, value) if item != {"Ref": "AWS::NoValue"}]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        condition, then, otherwise = value["Fn::If"]
        return decided(then if conditions[condition] else otherwise)
    items = ((name, decided(item)) for name, item in value.items())
    return {name: item for name, item in items if item != {"Ref": "AWS::NoValue"}}


if given:
    for name, value in given.items():
        expanded["Parameters"][name]["Default"] = value
    values = {name: parameter.get("Default") for name, parameter in expanded["Parameters"].items()} | PSEUDO_PARAMETERS
    all_conditions = expanded.pop("Conditions")
    conditions = {name: holds(condition) for name, condition in all_conditions.items()}
    resources = expanded["Resources"].items()
    expanded["Resources"] = {name: r for name, r in resources if conditions.get(r.pop("Condition", None), True)}
    expanded = decided(expanded)
print(json.dumps(expanded, indent=2))
