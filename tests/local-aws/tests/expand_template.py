"""Prints template.yaml as plain CloudFormation, with the workflows' definitions in it. Run in the project's root."""

import json

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
    if resource.pop("Metadata", None):
        resource["Properties"]["CodeUri"] = "s3://bucket/code.zip"

session = boto3.Session(region_name="us-east-1")
translator = Translator(managed_policy_map={
    "AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
}, sam_parser=Parser(), boto_session=session)
expanded = translator.translate(template, {})
# SAM joins a definition of its lines, which cfn-lint does not read.
for name, definition in definitions.items():
    machine = expanded["Resources"][name]["Properties"]
    del machine["DefinitionString"]
    machine["Definition"] = definition
print(json.dumps(expanded, indent=2))
