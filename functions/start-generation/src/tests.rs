#![allow(clippy::unwrap_used)]
use super::*;
use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::operation::list_audience_generation_jobs::ListAudienceGenerationJobsOutput;
use aws_sdk_cleanroomsml::operation::start_audience_generation_job::StartAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::types::{AudienceGenerationJobStatus, AudienceGenerationJobSummary};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

const MODEL: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/3f2a";

fn event(retries: u32) -> Value {
    json!({
        "checkedRequest": "s3://seeds/checked/run.json", "deadline": "2999-01-01T00:00:00Z",
        "attempt": {"retryCount": retries},
        "execution": {"id": "arn:run", "name": "run", "startTime": "2026-11-22T16:00:00Z"},
    })
}

fn request() -> Value {
    json!({
        "name": "run", "configuredAudienceModelArn": MODEL, "deadlineSeconds": 60, "export": "all",
        "seedAudience": {"roleArn": "arn:aws:iam::123456789012:role/seed", "dataSource": {"s3Uri": "s3://b/k"}},
        "tags": {"team": "growth"},
    })
}

fn sql_request() -> Value {
    let mut request = request();
    request["seedAudience"] = json!({
        "roleArn": "arn:aws:iam::123456789012:role/seed",
        "sqlParameters": {"queryString": "SELECT secret", "parameters": {"p": "marked"}},
        "sqlComputeConfiguration": {"worker": {"type": "CR.4X", "number": 16, "properties": {"spark": {"k": "v"}}}},
    });
    request["collaborationId"] = json!("01234567-89ab-cdef-0123-456789abcdef");
    request["includeSeedInOutput"] = json!(true);
    request["description"] = json!("d");
    request
}

/// A request whose name is not the execution's.
fn named_request() -> Value {
    let mut request = request();
    request["name"] = json!("given");
    request
}

fn listed(name: &str, model: &str, created: &str) -> AudienceGenerationJobSummary {
    let created: Moment = created.parse().unwrap();
    let epoch = created.seconds_since("1970-01-01T00:00:00Z".parse().unwrap());
    let created = aws_sdk_cleanroomsml::primitives::DateTime::from_secs(epoch);
    AudienceGenerationJobSummary::builder()
        .name(name)
        .audience_generation_job_arn(format!("arn:{name}"))
        .configured_audience_model_arn(model)
        .status(AudienceGenerationJobStatus::CreatePending)
        .create_time(created)
        .update_time(created)
        .build()
        .unwrap()
}

/// A list of two pages, with the job on the second.
fn listing(job: AudienceGenerationJobSummary) -> [Rule; 2] {
    let first = mock!(Client::list_audience_generation_jobs)
        .match_requests(|request| request.next_token().is_none())
        .then_output(|| {
            let other = listed("other", MODEL, "2026-11-22T16:00:01Z");
            let page = ListAudienceGenerationJobsOutput::builder().audience_generation_jobs(other).next_token("2");
            page.build().unwrap()
        });
    let second = mock!(Client::list_audience_generation_jobs)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(move || {
            ListAudienceGenerationJobsOutput::builder().audience_generation_jobs(job.clone()).build().unwrap()
        });
    [first, second]
}

fn starting() -> Rule {
    mock!(Client::start_audience_generation_job).then_output(|| {
        StartAudienceGenerationJobOutput::builder().audience_generation_job_arn("arn:new").build().unwrap()
    })
}

/// An error as the service puts it on the wire.
fn refusal(status: u16, code: &'static str, message: &str) -> HttpResponse {
    let body = json!({"message": message}).to_string();
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn refusing(status: u16, code: &'static str, message: &'static str) -> Rule {
    mock!(Client::start_audience_generation_job).then_http_response(move || refusal(status, code, message))
}

async fn run_with(event: Value, request: Value, rules: &[&Rule]) -> Result<String, Error> {
    let get = mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|get| get.bucket() == Some("seeds") && get.key() == Some("checked/run.json"))
        .then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from(request.to_string().into_bytes())).build()
        });
    let s3 = mock_client!(aws_sdk_s3, [&get]);
    let ml = mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, rules);
    Ok(start(event, &Aws { s3, ml }, "stack").await?.audience_generation_job_arn)
}

async fn run(retries: u32, rules: &[&Rule]) -> Result<String, Error> {
    run_with(event(retries), request(), rules).await
}

#[tokio::test]
async fn a_first_attempt_starts_at_once_with_every_field_and_our_tags() {
    let start = mock!(Client::start_audience_generation_job)
        .match_requests(|request| {
            let seed = request.seed_audience().unwrap();
            let sql = seed.sql_parameters().unwrap();
            let worker = seed.sql_compute_configuration().unwrap().as_worker().unwrap();
            let tags = request.tags().unwrap();
            request.name() == Some("run")
                && request.configured_audience_model_arn() == Some(MODEL)
                && request.collaboration_id() == Some("01234567-89ab-cdef-0123-456789abcdef")
                && request.include_seed_in_output() == Some(true)
                && request.description() == Some("d")
                && seed.role_arn() == "arn:aws:iam::123456789012:role/seed"
                && seed.data_source().is_none()
                && sql.query_string() == Some("SELECT secret")
                && sql.parameters().unwrap()["p"] == "marked"
                && worker.r#type() == &WorkerComputeType::Cr4X
                && worker.number() == 16
                && worker.properties().unwrap().as_spark().unwrap()["k"] == "v"
                && tags.len() == 3
                && tags["team"] == "growth"
                && tags["lookalike:stack"] == "stack"
                && tags["lookalike:run"] == "arn:run"
        })
        .then_output(|| {
            StartAudienceGenerationJobOutput::builder().audience_generation_job_arn("arn:new").build().unwrap()
        });
    assert_eq!(run_with(event(0), sql_request(), &[&start]).await.unwrap(), "arn:new");
    assert_eq!(start.num_calls(), 1);
}

#[tokio::test]
async fn a_file_goes_through_as_its_location() {
    let start = mock!(Client::start_audience_generation_job)
        .match_requests(|request| {
            let seed = request.seed_audience().unwrap();
            seed.data_source().unwrap().s3_uri() == "s3://b/k" && seed.sql_parameters().is_none()
        })
        .then_output(|| {
            StartAudienceGenerationJobOutput::builder().audience_generation_job_arn("arn:new").build().unwrap()
        });
    assert_eq!(run(0, &[&start]).await.unwrap(), "arn:new");
}

#[tokio::test]
async fn a_later_attempt_takes_the_job_that_is_there_through_all_pages() {
    let [first, second] = listing(listed("run", MODEL, "2026-11-22T16:00:01Z"));
    let start = starting();
    for event in [event(1), {
        let mut redriven = event(0);
        redriven["attempt"] = json!({"redriveCount": 1});
        redriven
    }] {
        assert_eq!(run_with(event, request(), &[&start, &first, &second]).await.unwrap(), "arn:run");
    }
    assert_eq!(start.num_calls(), 0);
}

#[tokio::test]
async fn a_later_attempt_starts_where_nothing_is_there() {
    let [first, second] = listing(listed("another", MODEL, "2026-11-22T16:00:01Z"));
    let start = starting();
    assert_eq!(run(1, &[&start, &first, &second]).await.unwrap(), "arn:new");
    assert_eq!(start.num_calls(), 1);
}

#[tokio::test]
async fn a_conflict_is_our_own_job_or_else_an_error() {
    let refused = refusing(409, "ConflictException", "taken");
    let [first, second] = listing(listed("run", MODEL, "2026-11-22T16:00:00Z"));
    assert_eq!(run(0, &[&refused, &first, &second]).await.unwrap(), "arn:run");
    for foreign in [
        listed("given", MODEL, "2026-11-22T15:59:59Z"),
        listed("given", "another model", "2026-11-22T16:00:01Z"),
        listed("another", MODEL, "2026-11-22T16:00:01Z"),
    ] {
        let [first, second] = listing(foreign);
        let error = run_with(event(0), named_request(), &[&refused, &first, &second]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::Conflict);
    }
    assert_eq!(refused.num_calls(), 4);
}

#[tokio::test]
async fn an_executions_name_that_an_older_job_bears_is_not_in_the_way_of_a_new_run() {
    let taken = mock!(Client::start_audience_generation_job)
        .match_requests(|request| request.name() == Some("run"))
        .then_http_response(|| refusal(409, "ConflictException", "taken"));
    let free = mock!(Client::start_audience_generation_job)
        .match_requests(|request| request.name().is_some_and(|name| name.starts_with("run-")))
        .then_output(|| {
            StartAudienceGenerationJobOutput::builder().audience_generation_job_arn("arn:new").build().unwrap()
        });
    let [first, second] = listing(listed("run", MODEL, "2026-01-01T00:00:00Z"));
    assert_eq!(run(0, &[&taken, &free, &first, &second]).await.unwrap(), "arn:new");
    assert_eq!((taken.num_calls(), free.num_calls()), (1, 1));
}

#[tokio::test]
async fn a_later_attempt_finds_the_job_under_the_second_name_too() {
    let execution: Execution = serde_json::from_value(event(1)["execution"].clone()).unwrap();
    let second_name = job::names_to_try(&"run".parse().unwrap(), &execution)[1].to_string();
    let [first, second] = listing(listed(&second_name, MODEL, "2026-11-22T16:00:01Z"));
    let start = starting();
    assert_eq!(run(1, &[&start, &first, &second]).await.unwrap(), format!("arn:{second_name}"));
    assert_eq!(start.num_calls(), 0);
}

#[tokio::test]
async fn a_quota_is_told_by_its_name() {
    let full = refusing(402, "ServiceQuotaExceededException", "full");
    assert_eq!(run(0, &[&full]).await.unwrap_err().name, ErrorName::QuotaExceeded);
}

#[tokio::test]
async fn what_the_service_quotes_of_the_query_is_withheld() {
    let refused = refusing(400, "ValidationException", "Value 'SELECT secret' with marked is wrong");
    let error = run_with(event(0), sql_request(), &[&refused]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
    assert!(!error.message.contains("secret") && !error.message.contains("marked"), "{}", error.message);
}

#[tokio::test]
async fn nothing_is_started_past_the_deadline() {
    let start = starting();
    let mut late = event(0);
    late["deadline"] = json!("2026-11-22T16:00:01Z");
    assert_eq!(run_with(late, request(), &[&start]).await.unwrap_err().name, ErrorName::DeadlineExceeded);
    assert_eq!(start.num_calls(), 0);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_not_sent_for_again_by_the_sdk() {
    let lost = mock!(Client::start_audience_generation_job).sequence().http_status(500, None).times(5).build();
    assert_eq!(run(0, &[&lost]).await.unwrap_err().name, ErrorName::ServiceUnavailable);
    assert_eq!(lost.num_calls(), 1);
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/start-generation.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
