"""The emulator as boto3 sees it: `python boto3_client.py http://127.0.0.1:<port>`; prints ok.

Wants the sample of tests/data, with any S3 or none. Where a seed lies somewhere, S3_SEED_URI names it (an object with
the lines of seed-runners.jsonl), and where a segment job's input does, S3_SEGMENT_INPUT_URI (the lines of
segment-items.jsonl; the output goes beside it): then the whole life of a job is looked at.
"""

import datetime
import os
import sys
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

MODEL = "arn:aws:cleanrooms-ml:us-east-1:000000000000:configured-audience-model/6ab1a2f4-5d51-4a42-9d35-1a40ac8ca0c3"
UNKNOWN = "arn:aws:cleanrooms-ml:us-east-1:000000000000:audience-generation-job/no/such_job"
ROLE = "arn:aws:iam::000000000000:role/seed"
SOLUTION_VERSION = "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-affinity/1a2b3c4d"


def client_of(service):
    """boto3's own client of a service, pointed at the emulator."""
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}, parameter_validation=False),
    )


client = client_of("cleanroomsml")
personalize = client_of("personalize")


def refused(code, status, call, **parameters):
    """The message of the error that a call must end in."""
    try:
        call(**parameters)
    except ClientError as error:
        answer = error.response
        assert answer["Error"]["Code"] == code, answer
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == status, answer
        assert answer["ResponseMetadata"]["RequestId"], answer
        return answer["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


def ended(look):
    """The job once it is no longer in progress."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        job = look()
        if not job["status"].endswith(("PENDING", "IN_PROGRESS")):
            return job
        time.sleep(0.1)
    raise AssertionError("the job does not end")


model = client.get_configured_audience_model(configuredAudienceModelArn=MODEL)
assert model["configuredAudienceModelArn"] == MODEL, model
assert model["minMatchingSeedSize"] == 500, model
assert model["audienceSizeConfig"] == {"audienceSizeType": "PERCENTAGE", "audienceSizeBins": [1, 2, 5, 10, 20]}, model
assert model["outputConfig"]["destination"]["s3Destination"]["s3Uri"].startswith("s3://"), model
assert isinstance(model["createTime"], datetime.datetime), model
assert MODEL in [entry["configuredAudienceModelArn"] for entry in client.list_configured_audience_models()["configuredAudienceModels"]]

get, start, export = client.get_audience_generation_job, client.start_audience_generation_job, client.start_audience_export_job
assert "no/such_job" in refused("ResourceNotFoundException", 404, get, audienceGenerationJobArn=UNKNOWN)
assert "'name'" in refused("ValidationException", 400, start, name="", configuredAudienceModelArn=MODEL, seedAudience={"roleArn": ROLE})
other_model = MODEL.replace(":000000000000:", ":444455556666:")
refused("AccessDeniedException", 403, client.get_configured_audience_model, configuredAudienceModelArn=other_model)
refused("AccessDeniedException", 403, client.list_audience_generation_jobs, configuredAudienceModelArn=other_model)
assert "'maxResults'" in refused("ValidationException", 400, client.list_audience_generation_jobs, maxResults=101)
assert "'nextToken'" in refused("ValidationException", 400, client.list_audience_export_jobs, nextToken="made up")

name = f"boto3 {uuid.uuid4()}"
seed_uri = os.environ.get("S3_SEED_URI")
request = {
    "name": name,
    "configuredAudienceModelArn": MODEL,
    "seedAudience": {"roleArn": ROLE, "dataSource": {"s3Uri": seed_uri or "s3://no-such-bucket/seed.jsonl"}},
    "includeSeedInOutput": True,
    "collaborationId": "01234567-89ab-cdef-0123-456789abcdef",
    "description": "from boto3, with an é",
    "tags": {"team": "growth"},
}
for _ in range(120):
    try:
        arn = start(**request)["audienceGenerationJobArn"]
        break
    except client.exceptions.ServiceQuotaExceededException:  # other jobs are under way on a small quota
        time.sleep(0.5)
assert name in refused("ConflictException", 409, start, **request)
job = get(audienceGenerationJobArn=arn)
assert job["status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"), job
for member in ("name", "configuredAudienceModelArn", "includeSeedInOutput", "collaborationId", "description", "tags"):
    assert job[member] == request[member], (member, job)
assert "metrics" not in job, job
assert "seedAudience" not in job, job  # the account that started the job does not see it
assert job["createTime"].tzinfo is not None, job
size = {"type": "PERCENTAGE", "value": 5}
refused("ConflictException", 409, export, name=name, audienceGenerationJobArn=arn, audienceSize=size)
refused("ConflictException", 409, client.delete_audience_generation_job, audienceGenerationJobArn=arn)
pages = client.get_paginator("list_audience_generation_jobs").paginate(
    collaborationId=request["collaborationId"], PaginationConfig={"PageSize": 1}
)
assert arn in [entry["audienceGenerationJobArn"] for page in pages for entry in page["audienceGenerationJobs"]]

job = ended(lambda: get(audienceGenerationJobArn=arn))
if seed_uri:
    assert job["status"] == "ACTIVE", job
    assert [metric["audienceSize"]["value"] for metric in job["metrics"]["relevanceMetrics"]] == [1, 2, 5, 10, 20], job
    assert 0 < job["metrics"]["recallMetric"] <= 1, job
    refused("ValidationException", 400, export, name=name, audienceGenerationJobArn=arn, audienceSize={"type": "PERCENTAGE", "value": 3})
    answer = export(name=name, audienceGenerationJobArn=arn, audienceSize=size)
    assert set(answer) == {"ResponseMetadata"}, answer
    deadline = time.monotonic() + 60
    while True:
        (entry,) = client.list_audience_export_jobs(audienceGenerationJobArn=arn)["audienceExportJobs"]
        if entry["status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            break
        assert time.monotonic() < deadline, entry
        time.sleep(0.1)
    assert (entry["status"], entry["audienceSize"]) == ("ACTIVE", size), entry
    assert entry["outputLocation"].endswith(".jsonl"), entry
else:
    assert job["status"] == "CREATE_FAILED", job
    assert "s3://no-such-bucket/seed.jsonl" in job["statusDetails"]["message"], job
    assert job["statusDetails"]["statusCode"], job

client.delete_audience_generation_job(audienceGenerationJobArn=arn)
assert get(audienceGenerationJobArn=arn)["status"] in ("DELETE_PENDING", "DELETE_IN_PROGRESS")
deadline = time.monotonic() + 60
while arn in [entry["audienceGenerationJobArn"] for entry in client.list_audience_generation_jobs()["audienceGenerationJobs"]]:
    assert time.monotonic() < deadline
    time.sleep(0.1)
refused("ResourceNotFoundException", 404, get, audienceGenerationJobArn=arn)

create, describe = personalize.create_batch_segment_job, personalize.describe_batch_segment_job
given_input = os.environ.get("S3_SEGMENT_INPUT_URI")
input_uri = given_input or "s3://no-such-bucket/items.jsonl"
name = f"boto3-{uuid.uuid4()}"
request = {
    "jobName": name,
    "solutionVersionArn": SOLUTION_VERSION,
    "numResults": 100,
    "jobInput": {"s3DataSource": {"path": input_uri}},
    "jobOutput": {"s3DataDestination": {"path": input_uri.rpartition("/")[0] + "/out/"}},
    "roleArn": ROLE,
}
assert "'jobName'" in refused("InvalidInputException", 400, create, **{**request, "jobName": "a b"})
assert "5 validation errors" in refused("InvalidInputException", 400, create)
many = [{"tagKey": f"k{number}", "tagValue": "v"} for number in range(51)]
refused("TooManyTagsException", 400, create, **request, tags=many)
filter_arn = "arn:aws:personalize:us-east-1:000000000000:filter/none"
assert filter_arn in refused("ResourceNotFoundException", 400, create, **request, filterArn=filter_arn)
assert "/other/1" in refused(
    "ResourceNotFoundException", 400, create, **{**request, "solutionVersionArn": SOLUTION_VERSION.replace("sample-item-affinity/1a2b3c4d", "other/1")}
)
reserved = [{"tagKey": "AWS:team", "tagValue": "v"}]
assert "'tags'" in refused("InvalidInputException", 400, create, **request, tags=reserved)
version = personalize.describe_solution_version(solutionVersionArn=SOLUTION_VERSION)["solutionVersion"]
assert version["recipeArn"] == "arn:aws:personalize:::recipe/aws-item-affinity", version
assert isinstance(version["creationDateTime"], datetime.datetime), version
arn = create(**request, tags=many[:50])["batchSegmentJobArn"]
assert arn == f"arn:aws:personalize:us-east-1:000000000000:batch-segment-job/{name}", arn
assert arn in refused("ResourceAlreadyExistsException", 400, create, **request)
job = describe(batchSegmentJobArn=arn)["batchSegmentJob"]
assert job["status"] in ("CREATE PENDING", "CREATE IN_PROGRESS"), job
for member in request:
    assert job[member] == request[member], (member, job)
for member in ("creationDateTime", "lastUpdatedDateTime"):
    assert isinstance(job[member], datetime.datetime) and abs(job[member].timestamp() - time.time()) < 60, job
tags = personalize.list_tags_for_resource(resourceArn=arn)["tags"]
assert sorted(tag["tagKey"] for tag in tags) == sorted(tag["tagKey"] for tag in many[:50]), tags
refused("ResourceNotFoundException", 400, describe, batchSegmentJobArn=arn + "-not")
refused("InvalidInputException", 400, personalize.list_batch_segment_jobs, maxResults=101)
refused("InvalidNextTokenException", 400, personalize.list_batch_segment_jobs, nextToken="made up")
pages = personalize.get_paginator("list_batch_segment_jobs").paginate(
    solutionVersionArn=SOLUTION_VERSION, PaginationConfig={"PageSize": 1}
)
assert arn in [entry["batchSegmentJobArn"] for page in pages for entry in page["batchSegmentJobs"]]
job = ended(lambda: describe(batchSegmentJobArn=arn)["batchSegmentJob"])
if given_input:
    assert job["status"] == "ACTIVE" and "failureReason" not in job, job
else:
    assert job["status"] == "CREATE FAILED", job
    assert input_uri in job["failureReason"], job
print("ok")
