"""What the roles of a deployed stack may do. Run with a virtual environment that has boto3, here or on AWS:

python privileges.py allowed STACK     prints, for each function, the actions that its role allows, as JSON
python privileges.py simulate STACK    decides each request below for each role; fails with the decisions that are wrong
"""

import json
import sys

import boto3

TO_CLEAN_ROOMS = {"iam:PassedToService": "cleanrooms-ml.amazonaws.com"}
TO_PERSONALIZE = {"iam:PassedToService": "personalize.amazonaws.com"}


class Stack:
    def __init__(self, name):
        self.name = name
        pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        self.ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
        self.functions = sorted(id for id in self.ids if id.endswith("Function"))
        self.roles = sorted(id for id in self.ids if id.endswith("Role"))
        self.account = boto3.client("sts").get_caller_identity()["Account"]
        self.region = boto3.session.Session().region_name
        self.bucket = f"arn:aws:s3:::{self.ids['SeedBucket']}"

    def arn(self, service, resource, account=None, region=None):
        return f"arn:aws:{service}:{region or self.region}:{account or self.account}:{resource}"

    def function(self, id):
        return self.arn("lambda", f"function:{self.ids[id]}")

    def role(self, id):
        return boto3.client("iam").get_role(RoleName=self.ids[id])["Role"]["Arn"]

    def name_of(self, id):
        """A name that CloudFormation gives as a name, an ARN or a URL."""
        return self.ids[id].replace("/", ":").split(":")[-1]


def statements(role):
    """What a role's own policies and those attached to it say."""
    iam = boto3.client("iam")
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield from iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = policy["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        yield from document["Statement"]


def allowed(stack):
    def actions(role):
        for statement in statements(role):
            assert statement["Effect"] == "Allow" and "NotAction" not in statement, statement
            action = statement["Action"]
            yield from [action] if isinstance(action, str) else action

    return {id: sorted(set(actions(stack.ids[f"{id}Role"]))) for id in stack.functions}


def needed(stack):
    """What each role needs: an action, on what, and what is known of the request besides."""
    ours = {"s3:ResourceAccount": stack.account}

    def s3(action, key=None):
        return f"s3:{action}", f"{stack.bucket}/{key}" if key else stack.bucket, ours

    def invoke(*names, version=""):
        return [("lambda:InvokeFunction", stack.function(f"{name}Function") + version, {}) for name in names]

    # Across accounts a job has an ARN in each of the two.
    model = stack.arn("cleanrooms-ml", "configured-audience-model/one")
    their_model = stack.arn("cleanrooms-ml", "configured-audience-model/one", account="999999999999")
    generation = stack.arn("cleanrooms-ml", "audience-generation-job/one")
    their_generation = stack.arn("cleanrooms-ml", "audience-generation-job/one", account="999999999999")
    # What an earlier key encrypts.
    key = stack.arn("kms", "key/earlier")
    decrypt = ("kms:Decrypt", key, {"kms:EncryptionContext:aws:s3:arn": f"{stack.bucket}/checked/a"})
    segment = stack.arn("personalize", "batch-segment-job/one")
    queue = stack.arn("sqs", stack.name_of("DeadLetterQueue"))
    outcomes = stack.arn("sqs", stack.name_of("OutcomeQueue"))
    uploads = stack.arn("sqs", stack.name_of("UploadQueue"))
    bus = stack.arn("events", f"event-bus/{stack.name_of('EventBus').split('/')[-1]}")
    logs = [(f"logs:{action}", "*", {}) for action in (
        "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
        "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups")]
    list_records = ("s3:ListBucket", stack.bucket, {"s3:prefix": "outcomes/audience/2026-11-22/"})
    # A role that may list the complete bucket may list each prefix.
    list_all = [s3("ListBucket"), list_records]
    needs = {
        "ReceiveUploadFunctionRole": [
            ("states:StartExecution", stack.ids["AudienceStateMachine"], {}),
            ("states:StartExecution", stack.ids["SegmentStateMachine"], {}),
            ("sqs:ReceiveMessage", uploads, {}), ("sqs:DeleteMessage", uploads, {}),
            ("sqs:GetQueueAttributes", uploads, {}),
            ("kms:Decrypt", key, {"kms:EncryptionContext:aws:sqs:arn": uploads}),
        ],
        "CheckRequestFunctionRole": [
            *list_all,
            *[s3(action, key) for action in ("GetObject", "GetObjectVersion")
              for key in ("seeds/a", "requests/a", "segments/a")],
            s3("PutObject", "checked/a"), s3("AbortMultipartUpload", "checked/a"), decrypt,
            ("cleanrooms-ml:GetConfiguredAudienceModel", model, {}),
        ],
        "StartGenerationFunctionRole": [
            s3("GetObject", "checked/a"), decrypt,
            *[("cleanrooms-ml:StartAudienceGenerationJob", resource, {})
              for resource in (model, their_model, generation, their_generation)],
            ("cleanrooms-ml:TagResource", generation, {}),
            ("cleanrooms-ml:TagResource", their_generation, {}),
            ("cleanrooms-ml:GetAudienceGenerationJob", generation, {}),
            ("cleanrooms-ml:ListAudienceGenerationJobs", "*", {}),
            ("iam:PassRole", stack.role("SeedRole"), TO_CLEAN_ROOMS),
        ],
        "CheckStatusFunctionRole": [
            ("cleanrooms-ml:GetAudienceGenerationJob", generation, {}),
            ("cleanrooms-ml:ListAudienceExportJobs", generation, {}),
            ("personalize:DescribeBatchSegmentJob", segment, {}),
        ],
        "StartExportFunctionRole": [
            ("cleanrooms-ml:StartAudienceExportJob", generation, {}),
            ("cleanrooms-ml:ListAudienceExportJobs", generation, {}),
        ],
        "WriteReportFunctionRole": [s3("GetObject", "checked/a"), s3("PutObject", "reports/a"), decrypt],
        "StartSegmentFunctionRole": [
            s3("GetObject", "checked/a"), decrypt,
            ("personalize:DescribeSolutionVersion", stack.arn("personalize", "solution/one/two"), {}),
            ("personalize:CreateBatchSegmentJob", segment, {}),
            ("personalize:TagResource", "*", {}),
            ("personalize:ListBatchSegmentJobs", "*", {}),
            ("personalize:ListTagsForResource", "*", {}),
            ("iam:PassRole", stack.role("SegmentRole"), TO_PERSONALIZE),
        ],
        "CountSegmentOutputFunctionRole": [*list_all, s3("GetObject", "segment-output/a"), decrypt],
        "PublishOutcomeFunctionRole": [
            ("sqs:ReceiveMessage", outcomes, {}), ("sqs:DeleteMessage", outcomes, {}),
            ("sqs:GetQueueAttributes", outcomes, {}),
            ("kms:Decrypt", key, {"kms:EncryptionContext:aws:sqs:arn": outcomes}),
            *[("states:DescribeExecution", f"{stack.ids[machine].replace(':stateMachine:', ':execution:')}:one", {})
              for machine in ("AudienceStateMachine", "SegmentStateMachine")],
            ("states:ListExecutions", stack.ids["AudienceStateMachine"], {}),
            ("states:ListExecutions", stack.ids["SegmentStateMachine"], {}),
            list_records, s3("PutObject", "outcomes/a"),
            ("sns:Publish", stack.ids["NotificationTopic"], {}),
            ("events:PutEvents", bus, {}),
        ],
        "AudienceStateMachineRole": logs + invoke(
            "CheckRequest", "StartGeneration", "CheckStatus", "StartExport", "WriteReport", version=":1"),
        "SegmentStateMachineRole": logs + invoke(
            "CheckRequest", "StartSegment", "CheckStatus", "CountSegmentOutput", "WriteReport", version=":1"),
        "RedeliverStateMachineRole": logs + invoke("PublishOutcome", "DeleteAudiences") + [
            ("sqs:ReceiveMessage", queue, {}), ("sqs:DeleteMessage", queue, {}), ("sqs:SendMessage", uploads, {}),
            ("events:PutEvents", bus, {}),
            ("kms:Decrypt", key, {"kms:EncryptionContext:aws:sqs:arn": queue})],
        "DeleteAudiencesFunctionRole": [
            ("cleanrooms-ml:ListAudienceGenerationJobs", "*", {}),
            ("cleanrooms-ml:GetAudienceGenerationJob", generation, {}),
            ("cleanrooms-ml:ListAudienceExportJobs", generation, {}),
            ("cleanrooms-ml:DeleteAudienceGenerationJob", generation, {"aws:ResourceTag/lookalike:stack": stack.name}),
            ("sqs:SendMessage", queue, {}),
        ],
        "SeedRole": [*list_all, s3("GetObject", "checked/a"), decrypt],
        "SegmentRole": [*list_all, s3("GetObject", "segments/a"), s3("PutObject", "segment-output/a"), decrypt],
    }
    # AWS's own policy for functions, which names no log group.
    stream = stack.arn("logs", "log-group:one:log-stream:one")
    for role in needs:
        if role.endswith("FunctionRole"):
            needs[role] += [("logs:CreateLogStream", stream, {}), ("logs:PutLogEvents", stream, {})]
            variables = {"kms:EncryptionContext:aws:lambda:FunctionArn": stack.function("CheckRequestFunction")}
            needs[role].append(("kms:Decrypt", key, variables))
    return needs


def refused(stack):
    """What no role may do, beside what another role needs."""
    ours, theirs = {"s3:ResourceAccount": stack.account}, {"s3:ResourceAccount": "999999999999"}
    prefixes = ["seeds", "requests", "segments", "checked", "segment-output", "reports", "outcomes", "elsewhere"]
    # Other buckets, and ours should it one day be another account's.
    for action in ("GetObject", "GetObjectVersion", "PutObject"):
        yield f"s3:{action}", "arn:aws:s3:::another-bucket/checked/a", ours
    yield "s3:ListBucket", "arn:aws:s3:::another-bucket", ours
    # What people upload is never written, what is written is never removed, and the bucket stays as it is.
    for prefix in ("seeds", "requests", "segments", "elsewhere"):
        yield "s3:PutObject", f"{stack.bucket}/{prefix}/a", ours
    for prefix in ("reports", "outcomes", "elsewhere"):
        yield "s3:GetObject", f"{stack.bucket}/{prefix}/a", ours
    for prefix in prefixes:
        for action in ("DeleteObject", "DeleteObjectVersion", "PutObjectAcl"):
            yield f"s3:{action}", f"{stack.bucket}/{prefix}/a", ours
    for action in ("DeleteBucket", "PutBucketPolicy", "PutLifecycleConfiguration", "PutEncryptionConfiguration",
                   "PutBucketPublicAccessBlock"):
        yield f"s3:{action}", stack.bucket, ours

    # Keys decrypt what is the stack's, and nothing else.
    for key in (stack.arn("kms", "key/one"), stack.arn("kms", "key/one", account="999999999999")):
        yield "kms:Decrypt", key, {}
        yield "kms:Decrypt", key, {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::another-bucket/checked/a"}
        yield "kms:CreateGrant", key, {}

    # Models are used and never made, changed or shared; and only those of this Region.
    model = stack.arn("cleanrooms-ml", "configured-audience-model/one")
    for action in ("CreateConfiguredAudienceModel", "UpdateConfiguredAudienceModel", "DeleteConfiguredAudienceModel",
                   "PutConfiguredAudienceModelPolicy", "GetConfiguredAudienceModelPolicy"):
        yield f"cleanrooms-ml:{action}", model, {}
    elsewhere = stack.arn("cleanrooms-ml", "configured-audience-model/one", region="eu-west-3")
    yield "cleanrooms-ml:StartAudienceGenerationJob", elsewhere, {}
    yield "cleanrooms-ml:GetConfiguredAudienceModel", elsewhere, {}
    yield "cleanrooms-ml:GetConfiguredAudienceModel", model.replace(stack.account, "999999999999"), {}
    for action in ("GetTrainingDataset", "CreateAudienceModel", "DeleteAudienceModel"):
        yield f"cleanrooms-ml:{action}", "*", {}
    # Jobs are started and looked at, in this account alone, and deleted where they are this stack's.
    generation = stack.arn("cleanrooms-ml", "audience-generation-job/one", account="999999999999")
    for action in ("GetAudienceGenerationJob", "StartAudienceExportJob"):
        yield f"cleanrooms-ml:{action}", generation, {}
    generation = stack.arn("cleanrooms-ml", "audience-generation-job/one")
    for tags in ({}, {"aws:ResourceTag/lookalike:stack": "another"}):
        yield "cleanrooms-ml:DeleteAudienceGenerationJob", generation, tags
    segment = stack.arn("personalize", "batch-segment-job/one", account="999999999999")
    for action in ("CreateBatchSegmentJob", "DescribeBatchSegmentJob"):
        yield f"personalize:{action}", segment, {}
    for action in ("CreateBatchInferenceJob", "DeleteSolution", "GetRecommendations"):
        yield f"personalize:{action}", "*", {}

    # A role is passed to its own service, and no other role to any.
    seed, segment_role = stack.role("SeedRole"), stack.role("SegmentRole")
    to_lambda = {"iam:PassedToService": "lambda.amazonaws.com"}
    for role in (seed, segment_role):
        yield "iam:PassRole", role, {}
        yield "iam:PassRole", role, to_lambda
    yield "iam:PassRole", seed, TO_PERSONALIZE
    yield "iam:PassRole", segment_role, TO_CLEAN_ROOMS
    for other in (f"arn:aws:iam::{stack.account}:role/Admin", stack.role("CheckRequestFunctionRole")):
        for service in (TO_CLEAN_ROOMS, TO_PERSONALIZE, to_lambda):
            yield "iam:PassRole", other, service
    for action in ("CreateRole", "PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy", "CreateAccessKey"):
        yield f"iam:{action}", seed, {}
    yield "sts:AssumeRole", seed, {}

    # Other workflows, functions, topics, buses and queues; and what is deployed stays as it is.
    machine = stack.ids["AudienceStateMachine"]
    yield "states:StartExecution", stack.arn("states", "stateMachine:another"), {}
    yield "states:StopExecution", machine.replace(":stateMachine:", ":execution:") + ":one", {}
    yield "states:UpdateStateMachine", machine, {}
    yield "lambda:InvokeFunction", stack.arn("lambda", "function:another"), {}
    # Only Lambda invokes it, with messages of the upload queue.
    yield "lambda:InvokeFunction", stack.function("ReceiveUploadFunction"), {}
    # Workflows call published versions.
    yield "lambda:InvokeFunction", stack.function("CheckRequestFunction"), {}
    for action in ("UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission"):
        yield f"lambda:{action}", stack.function("CheckRequestFunction"), {}
    yield "sns:Publish", stack.arn("sns", "another"), {}
    yield "sns:Subscribe", stack.ids["NotificationTopic"], {}
    yield "events:PutEvents", stack.arn("events", "event-bus/default"), {}
    yield "sqs:SendMessage", stack.arn("sqs", "another"), {}
    for queue in ("DeadLetterQueue", "OutcomeQueue", "UploadQueue"):
        yield "sqs:PurgeQueue", stack.arn("sqs", stack.name_of(queue)), {}
    yield "sqs:SendMessage", stack.arn("sqs", stack.name_of("OutcomeQueue")), {}
    yield "states:DescribeExecution", stack.arn("states", "execution:another:one"), {}
    yield "states:ListExecutions", stack.arn("states", "stateMachine:another"), {}
    yield "states:RedriveExecution", machine.replace(":stateMachine:", ":execution:") + ":one", {}
    yield "logs:GetLogEvents", "*", {}
    yield "secretsmanager:GetSecretValue", "*", {}

    # Only the services' own roles look at whose the bucket is.
    for id, action, key in (("SeedRole", "GetObject", "checked/a"), ("SegmentRole", "GetObject", "segments/a"),
                            ("SegmentRole", "PutObject", "segment-output/a")):
        yield f"s3:{action}", f"{stack.bucket}/{key}", theirs, id


def simulate(stack):
    """Each role is allowed what it needs, and refused what others need and what nobody does."""
    iam = boto3.client("iam")
    needs = {role: [(action, on, tuple(context.items())) for action, on, context in requests]
             for role, requests in needed(stack).items()}
    assert sorted(needs) == stack.roles, f"say above what each role needs: {sorted(set(needs) ^ set(stack.roles))}"
    asked = dict.fromkeys(request for requests in needs.values() for request in requests)
    only = {}
    for action, on, context, *role in refused(stack):
        request = (action, on, tuple(context.items()))
        assert request not in asked, f"{request} is needed"
        if role:
            only.setdefault(request, []).extend(role)
        else:
            asked[request] = None
    count, wrong = 0, []
    for role, requests in needs.items():
        arn = stack.role(role)
        actions = {}
        for action, on, context in [*asked, *(request for request, roles in only.items() if role in roles)]:
            actions.setdefault((on, context), []).append(action)
        for (on, context), names in actions.items():
            entries = [{"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                       for key, value in context]
            answer = iam.simulate_principal_policy(
                PolicySourceArn=arn, ActionNames=names, ResourceArns=[on], ContextEntries=entries)
            for result in answer["EvaluationResults"]:
                action, is_allowed = result["EvalActionName"], result["EvalDecision"] == "allowed"
                count += 1
                if is_allowed != ((action, on, context) in requests):
                    is_said = "allowed" if is_allowed else "refused"
                    wrong.append(f"{role} is {is_said} {action} on {on} {dict(context)}")
    assert not wrong, "\n".join(["these decisions are wrong:", *wrong])
    return {"decided": count, "allowed": sum(len(requests) for requests in needs.values())}


command, name = sys.argv[1:]
print(json.dumps({"allowed": allowed, "simulate": simulate}[command](Stack(name))))
