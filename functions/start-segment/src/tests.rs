#![allow(clippy::unwrap_used)]
use super::*;
use aws_sdk_personalize::Client;
use aws_sdk_personalize::operation::create_batch_segment_job::CreateBatchSegmentJobOutput;
use aws_sdk_personalize::operation::describe_solution_version::DescribeSolutionVersionOutput;
use aws_sdk_personalize::operation::list_batch_segment_jobs::ListBatchSegmentJobsOutput;
use aws_sdk_personalize::types::{BatchSegmentJobSummary, SolutionVersion};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

const VERSION: &str = "arn:aws:personalize:us-east-1:123456789012:solution/runners/1b2c3d4e";

const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:segment:run";

fn event(retries: u32) -> Value {
    json!({
        "checkedRequest": "s3://seeds/checked/run.json", "deadline": "2999-01-01T00:00:00Z",
        "attempt": {"retryCount": retries},
        "inputKind": "itemId", "skipped": [],
        "execution": {"id": EXECUTION, "name": "run", "startTime": "2026-11-22T16:00:00Z"},
    })
}

fn request() -> Value {
    json!({
        "jobName": "run", "solutionVersionArn": VERSION, "numResults": 1000, "deadlineSeconds": 60,
        "filterArn": "arn:aws:personalize:us-east-1:123456789012:filter/adults",
        "jobInput": {"s3DataSource": {"path": "s3://b/in", "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"}},
        "jobOutput": {"s3DataDestination": {"path": "s3://b/out/"}},
        "roleArn": "arn:aws:iam::123456789012:role/segments",
        "tags": [{"tagKey": "team", "tagValue": "growth"}],
    })
}

/// A list of two pages, with the job on the second.
fn listing(name: &'static str, version: &'static str, created: &str) -> [Rule; 2] {
    let created: Moment = created.parse().unwrap();
    let epoch = created.seconds_since("1970-01-01T00:00:00Z".parse().unwrap());
    let first = mock!(Client::list_batch_segment_jobs)
        .match_requests(|request| request.next_token().is_none())
        .then_output(|| ListBatchSegmentJobsOutput::builder().next_token("2").build());
    let second = mock!(Client::list_batch_segment_jobs)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(move || {
            let job = BatchSegmentJobSummary::builder()
                .job_name(name)
                .batch_segment_job_arn(format!("arn:{name}"))
                .solution_version_arn(version)
                .creation_date_time(aws_sdk_personalize::primitives::DateTime::from_secs(epoch))
                .build();
            ListBatchSegmentJobsOutput::builder().batch_segment_jobs(job).build()
        });
    [first, second]
}

fn starting() -> Rule {
    mock!(Client::create_batch_segment_job)
        .then_output(|| CreateBatchSegmentJobOutput::builder().batch_segment_job_arn("arn:new").build())
}

/// An error as the service puts it on the wire.
fn refusing(code: &'static str) -> Rule {
    mock!(Client::create_batch_segment_job).then_http_response(move || {
        let body = json!({"__type": code, "message": "no"}).to_string();
        HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body))
    })
}

/// A solution version with that recipe.
fn solution_version(recipe: &'static str) -> Rule {
    mock!(Client::describe_solution_version)
        .match_requests(|describe| describe.solution_version_arn() == Some(VERSION))
        .then_output(move || {
            let arn = format!("arn:aws:personalize:::recipe/{recipe}");
            let version = SolutionVersion::builder().recipe_arn(arn).build();
            DescribeSolutionVersionOutput::builder().solution_version(version).build()
        })
}

fn no_solution_version(status: u16, code: &'static str) -> Rule {
    mock!(Client::describe_solution_version).then_http_response(move || {
        let body = json!({"__type": code, "message": "no"}).to_string();
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
    })
}

async fn run(event: Value, rules: &[&Rule]) -> Result<String, Error> {
    let version = solution_version("aws-item-affinity");
    let rules: Vec<&Rule> = rules.iter().copied().chain([&version]).collect();
    Ok(answer(event, &rules).await?.batch_segment_job_arn)
}

async fn answer(event: Value, rules: &[&Rule]) -> Result<Answer, Error> {
    let get = mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|get| get.bucket() == Some("seeds") && get.key() == Some("checked/run.json"))
        .then_output(|| GetObjectOutput::builder().body(ByteStream::from(request().to_string().into_bytes())).build());
    let s3 = mock_client!(aws_sdk_s3, [&get]);
    let personalize = mock_client!(aws_sdk_personalize, RuleMode::MatchAny, rules);
    start(event, &Aws { s3, personalize }, "stack").await
}

#[tokio::test]
async fn a_first_attempt_starts_at_once_with_every_field_and_our_tags() {
    let start = mock!(Client::create_batch_segment_job)
        .match_requests(|request| {
            let input = request.job_input().unwrap().s3_data_source().unwrap();
            let output = request.job_output().unwrap().s3_data_destination().unwrap();
            let tags: Vec<_> = request.tags().iter().map(|tag| (tag.tag_key(), tag.tag_value())).collect();
            request.job_name() == Some("run")
                && request.solution_version_arn() == Some(VERSION)
                && request.filter_arn() == Some("arn:aws:personalize:us-east-1:123456789012:filter/adults")
                && request.num_results() == Some(1000)
                && (input.path(), input.kms_key_arn())
                    == ("s3://b/in", Some("arn:aws:kms:us-east-1:123456789012:key/1"))
                && (output.path(), output.kms_key_arn()) == ("s3://b/out/", None)
                && request.role_arn() == Some("arn:aws:iam::123456789012:role/segments")
                && tags == [("team", "growth"), ("lookalike:stack", "stack"), ("lookalike:run", EXECUTION)]
        })
        .then_output(|| CreateBatchSegmentJobOutput::builder().batch_segment_job_arn("arn:new").build());
    assert_eq!(run(event(0), &[&start]).await.unwrap(), "arn:new");
    assert_eq!(start.num_calls(), 1);
}

#[tokio::test]
async fn a_later_attempt_takes_the_job_that_is_there_through_all_pages() {
    let [first, second] = listing("run", VERSION, "2026-11-22T16:00:01Z");
    let start = starting();
    assert_eq!(run(event(1), &[&start, &first, &second]).await.unwrap(), "arn:run");
    assert_eq!(start.num_calls(), 0);
}

#[tokio::test]
async fn a_conflict_is_our_own_job_or_else_an_error() {
    let [first, second] = listing("run", VERSION, "2026-11-22T16:00:00Z");
    assert_eq!(
        run(event(0), &[&refusing("ResourceAlreadyExistsException"), &first, &second]).await.unwrap(),
        "arn:run"
    );
    let [first, second] = listing("run", "arn:other", "2026-11-22T16:00:01Z");
    let taken = refusing("ResourceAlreadyExistsException");
    let error = run(event(0), &[&taken, &first, &second]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::Conflict);
    assert!(error.message.contains("its solutionVersionArn is another"), "{error}");
}

#[tokio::test]
async fn the_services_errors_have_the_same_names_as_those_of_audiences() {
    let [first, second] = listing("other", VERSION, "2026-11-22T16:00:00Z");
    for (code, name) in [
        ("InvalidInputException", ErrorName::InvalidRequest),
        ("TooManyTagsException", ErrorName::InvalidRequest),
        ("LimitExceededException", ErrorName::QuotaExceeded),
        ("ResourceInUseException", ErrorName::Throttled),
        ("ResourceNotFoundException", ErrorName::NotFound),
        ("ThrottlingException", ErrorName::Throttled),
    ] {
        let error = run(event(0), &[&refusing(code), &first, &second]).await.unwrap_err();
        assert_eq!(error.name, name, "{code}");
        assert!(error.message.starts_with("starting batch segment job run: no"), "{error}");
    }
}

#[tokio::test]
async fn nothing_is_started_past_the_deadline() {
    let start = starting();
    let mut late = event(0);
    late["deadline"] = json!("2026-11-22T16:00:01Z");
    assert_eq!(run(late, &[&start]).await.unwrap_err().name, ErrorName::DeadlineExceeded);
    assert_eq!(start.num_calls(), 0);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_not_sent_for_again_by_the_sdk() {
    let lost = mock!(Client::create_batch_segment_job).sequence().http_status(500, None).times(5).build();
    assert_eq!(run(event(0), &[&lost]).await.unwrap_err().name, ErrorName::ServiceUnavailable);
    assert_eq!(lost.num_calls(), 1);
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/start-segment.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}

#[tokio::test]
async fn a_recipe_of_the_other_kind_of_input_is_rejected() {
    let (other, start) = (solution_version("aws-item-attribute-affinity"), starting());
    let error = answer(event(0), &[&other, &start]).await.unwrap_err();
    assert_eq!((error.name, start.num_calls()), (ErrorName::InvalidRequest, 0));
    assert!(error.message.contains("its recipe reads lines of itemAttributes"), "{error}");
}

#[tokio::test]
async fn a_recipe_that_may_not_be_read_is_skipped() {
    let denied = no_solution_version(403, "AccessDeniedException");
    let answer = answer(event(0), &[&denied, &starting()]).await.unwrap();
    assert_eq!(answer.skipped, [Skipped::Recipe]);
}

#[tokio::test]
async fn an_input_that_was_not_read_is_not_compared() {
    let mut event = event(0);
    event["inputKind"] = Value::Null;
    event["skipped"] = json!(["input"]);
    let answer = answer(event, &[&solution_version("aws-item-attribute-affinity"), &starting()]).await.unwrap();
    assert_eq!(answer.skipped, [Skipped::Input, Skipped::Recipe]);
}

#[tokio::test]
async fn a_job_that_exists_is_found_though_its_solution_is_gone() {
    let [first, second] = listing("run", VERSION, "2026-11-22T16:00:01Z");
    let (missing, start) = (no_solution_version(400, "ResourceNotFoundException"), starting());
    let answer = answer(event(1), &[&missing, &start, &first, &second]).await.unwrap();
    assert_eq!((answer.batch_segment_job_arn.as_str(), start.num_calls()), ("arn:run", 0));
}

#[tokio::test]
async fn a_solution_version_that_is_not_found_is_an_error() {
    let (missing, start) = (no_solution_version(400, "ResourceNotFoundException"), starting());
    let error = answer(event(0), &[&missing, &start]).await.unwrap_err();
    assert_eq!((error.name, start.num_calls()), (ErrorName::NotFound, 0));
    assert!(error.message.ends_with("Check solutionVersionArn."), "{error}");
}
