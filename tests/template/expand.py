"""Expands template.yaml with the translator of SAM, once for each set of parameter values and each edit.

Run it in the project's root. It reads {"sets": [{name: value}], "edits": [[property path, value]]} from standard input
and prints {"sets": [template], "edits": [template], "createOnly": {type: [property]}}. Intrinsic functions and
conditions stay as they are, as CloudFormation gets them. An edit changes one property of each function that publishes
versions. The create-only properties are those of CloudFormation's resource schemas, which cfn-lint contains.
"""

import copy
import json
import sys
from pathlib import Path

import boto3
import cfnlint
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

MANAGED_POLICIES = {
    "AWSLambdaBasicExecutionRole": "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
}
SCHEMAS = Path(cfnlint.__file__).parent / "data/schemas"


def uploaded_template():
    """Returns the template as `sam deploy` sends it: code and definitions are objects in a bucket."""
    template = yaml_parse(Path("template.yaml").read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties["DefinitionUri"] = {"Bucket": "artifacts", "Key": properties["DefinitionUri"]}
        if resource["Type"] == "AWS::Serverless::Function":
            resource.get("Metadata", {}).pop("BuildMethod", None)
            properties["CodeUri"] = "s3://artifacts/code.zip"
    return template


def expand(template, parameters):
    session = boto3.Session(region_name="us-east-1")
    translator = Translator(MANAGED_POLICIES, Parser(), boto_session=session)
    return translator.translate(copy.deepcopy(template), parameters)


def edit(template, path, value):
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if "AutoPublishAlias" in resource.get("Properties", {}):
            place = resource["Properties"]
            *parents, last = path.split(".")
            for parent in parents:
                place = place.setdefault(parent, {})
            place[last] = value
    return template


def create_only(kind):
    files = json.loads((SCHEMAS / "providers/us-east-1.json").read_text(encoding="utf-8"))
    name = files[kind].removesuffix(".json") + ".json"
    schema = json.loads((SCHEMAS / "resources" / name).read_text(encoding="utf-8"))
    return [pointer.removeprefix("/properties/") for pointer in schema.get("createOnlyProperties", [])]


wanted = json.load(sys.stdin)
source = uploaded_template()
sets = [expand(source, parameters) for parameters in wanted["sets"]]
edits = [expand(edit(source, path, value), wanted["sets"][0]) for path, value in wanted["edits"]]
kinds = {resource["Type"] for template in sets for resource in template["Resources"].values()}
json.dump({"sets": sets, "edits": edits, "createOnly": {kind: create_only(kind) for kind in sorted(kinds)}}, sys.stdout)
