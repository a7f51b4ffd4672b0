#![allow(clippy::unwrap_used)]
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::GetAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::operation::list_audience_generation_jobs::{
    ListAudienceGenerationJobsInput, ListAudienceGenerationJobsOutput,
};
use aws_sdk_cleanroomsml::operation::start_audience_generation_job::StartAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cleanroomsml::types::{AudienceGenerationJobStatus, AudienceGenerationJobSummary, WorkerComputeType};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use lookalike::once::StartState;
use serde_json::json;

use super::*;

const MODEL: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/3f2a";
const FOREIGN_MODEL: &str = "arn:aws:cleanrooms-ml:us-east-1:444455556666:configured-audience-model/3f2a";
const COLLABORATION: &str = "01234567-89ab-cdef-0123-456789abcdef";
const RUN: &str = "arn:aws:states:us-east-1:123456789012:execution:audience:run";
const JOB: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
const RUN_TAG: &str = "lookalike:run";

/// The run started at 16:00 and its deadline is at 18:00.
fn event(now: &str, start: Value) -> Value {
    let mut event = json!({
        "checkedRequest": "s3://seeds/checked/run.json", "deadline": "2026-11-22T18:00:00Z",
        "attempt": {"enteredTime": format!("2026-11-22T{now}Z"), "redriveCount": 0},
        "execution": {"id": RUN, "name": "run", "startTime": "2026-11-22T16:00:00Z"},
    });
    event["start"] = start;
    event
}

fn not_started() -> Value {
    json!({"state": "NOT_STARTED", "redriveCount": 0, "quotaWaits": 0})
}

fn unknown_since(time: &str) -> Value {
    json!({"state": "UNKNOWN", "since": format!("2026-11-22T{time}Z"), "redriveCount": 0, "quotaWaits": 0})
}

/// A request whose name is derived from the execution's.
fn request() -> Value {
    json!({
        "name": "run", "configuredAudienceModelArn": MODEL, "deadlineSeconds": 60, "export": "all",
        "seedAudience": {"roleArn": "arn:aws:iam::123456789012:role/seed", "dataSource": {"s3Uri": "s3://b/k"}},
        "tags": {"team": "growth"},
    })
}

fn named_request() -> Value {
    let mut request = request();
    request["name"] = json!("given");
    request
}

fn foreign_request() -> Value {
    let mut request = request();
    request["configuredAudienceModelArn"] = json!(FOREIGN_MODEL);
    request["collaborationId"] = json!(COLLABORATION);
    request["description"] = json!("spring");
    request
}

fn sql_request() -> Value {
    let mut request = request();
    request["seedAudience"] = json!({
        "roleArn": "arn:aws:iam::123456789012:role/seed",
        "sqlParameters": {"queryString": "SELECT secret", "parameters": {"p": "marked"}},
        "sqlComputeConfiguration": {"worker": {"type": "CR.4X", "number": 16, "properties": {"spark": {"k": "v"}}}},
    });
    request["collaborationId"] = json!(COLLABORATION);
    request["includeSeedInOutput"] = json!(true);
    request["description"] = json!("d");
    request
}

fn execution() -> Execution {
    serde_json::from_value(event("16:00:00", not_started())["execution"].clone()).unwrap()
}

/// The name that is tried if another run's job has the first one.
fn second_name() -> String {
    job::names_to_try(&"run".parse().unwrap(), &execution())[1].to_string()
}

fn marked_description() -> String {
    job::marked_description(Some("spring"), &execution())
}

fn time(time: &str) -> DateTime {
    DateTime::from_str(&format!("2026-11-22T{time}Z"), DateTimeFormat::DateTime).unwrap()
}

fn moment(text: &str) -> Moment {
    time(text).into()
}

fn starting() -> Rule {
    mock!(Client::start_audience_generation_job)
        .then_output(|| StartAudienceGenerationJobOutput::builder().audience_generation_job_arn(JOB).build().unwrap())
}

/// An error as the service sends it.
fn failure(status: u16, code: &'static str, body: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn rejecting(status: u16, code: &'static str) -> Rule {
    rejecting_with(status, code, json!({"message": "no"}))
}

fn rejecting_with(status: u16, code: &'static str, body: Value) -> Rule {
    mock!(Client::start_audience_generation_job).then_http_response(move || failure(status, code, &body))
}

fn conflicting() -> Rule {
    rejecting(409, "ConflictException")
}

/// What the service shows of a job.
struct Shown<'a> {
    create_time: &'a str,
    run_tag: Option<&'a str>,
    description: Option<String>,
}

impl Default for Shown<'_> {
    fn default() -> Self {
        Self { create_time: "16:10:01", run_tag: Some(RUN), description: None }
    }
}

fn showing(arn: &'static str, shown: Shown<'_>) -> Rule {
    let output = GetAudienceGenerationJobOutput::builder()
        .audience_generation_job_arn(arn)
        .name("run")
        .configured_audience_model_arn(MODEL)
        .status(AudienceGenerationJobStatus::CreatePending)
        .create_time(time(shown.create_time))
        .update_time(time(shown.create_time))
        .set_description(shown.description)
        .set_tags(shown.run_tag.map(|run| [(RUN_TAG.to_owned(), run.to_owned())].into()));
    mock!(Client::get_audience_generation_job)
        .match_requests(move |get| get.audience_generation_job_arn() == Some(arn))
        .then_output(move || output.clone().build().unwrap())
}

fn not_showing() -> Rule {
    mock!(Client::get_audience_generation_job)
        .then_http_response(|| failure(404, "ResourceNotFoundException", &json!({"message": "no"})))
}

fn page(jobs: &[(&str, &str)], next: Option<&str>) -> ListAudienceGenerationJobsOutput {
    let job = |(name, arn): &(&str, &str)| {
        AudienceGenerationJobSummary::builder()
            .name(*name)
            .audience_generation_job_arn(*arn)
            .configured_audience_model_arn(MODEL)
            .status(AudienceGenerationJobStatus::CreatePending)
            .create_time(time("16:10:01"))
            .update_time(time("16:10:01"))
            .build()
            .unwrap()
    };
    let page = ListAudienceGenerationJobsOutput::builder();
    page.set_audience_generation_jobs(Some(jobs.iter().map(job).collect()))
        .set_next_token(next.map(str::to_owned))
        .build()
        .unwrap()
}

/// A list with one job of this name, or none.
fn listing(name: Option<&str>) -> Rule {
    let page = page(&name.map(|name| (name, JOB)).into_iter().collect::<Vec<_>>(), None);
    mock!(Client::list_audience_generation_jobs).then_output(move || page.clone())
}

fn list_failing(status: u16, code: &'static str) -> Rule {
    mock!(Client::list_audience_generation_jobs)
        .then_http_response(move || failure(status, code, &json!({"message": "no"})))
}

/// Makes an attempt at this time. A call without a rule fails the test.
async fn handle(event: Value, request: Value, rules: &[&Rule]) -> Result<Answer, Error> {
    let now = event["attempt"]["enteredTime"].as_str().unwrap();
    let now = DateTime::from_str(now, DateTimeFormat::DateTime).unwrap();
    let get = mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|get| get.bucket() == Some("seeds") && get.key() == Some("checked/run.json"))
        .then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from(request.to_string().into_bytes())).build()
        });
    function(now, mock_client!(aws_sdk_s3, [&get]), rules).handle(event).await
}

fn function(now: DateTime, s3: aws_sdk_s3::Client, rules: &[&Rule]) -> StartGeneration {
    let ml = mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, rules, |config| {
        config.retry_config(RetryConfig::disabled())
    });
    let clock = StaticTimeSource::new(SystemTime::try_from(now).unwrap()).into();
    StartGeneration { s3, ml, clock, stack: "stack".into(), seed_bucket: None }
}

async fn attempt_of(request: Value, now: &str, start: Value, rules: &[&Rule]) -> Answer {
    handle(event(now, start), request, rules).await.unwrap()
}

async fn attempt(now: &str, start: Value, rules: &[&Rule]) -> Answer {
    attempt_of(request(), now, start, rules).await
}

async fn first_attempt(rules: &[&Rule]) -> Answer {
    attempt("16:10:00", not_started(), rules).await
}

/// The start as the next event has it.
fn next(answer: &Answer) -> Value {
    serde_json::to_value(&answer.start).unwrap()
}

fn error(answer: &Answer) -> &str {
    answer.start.error.as_deref().unwrap()
}

fn cause(answer: &Answer) -> &str {
    answer.start.cause.as_deref().unwrap()
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
                && request.collaboration_id() == Some(COLLABORATION)
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
                && tags[RUN_TAG] == RUN
        })
        .then_output(|| StartAudienceGenerationJobOutput::builder().audience_generation_job_arn(JOB).build().unwrap());
    let answer = attempt_of(sql_request(), "16:10:00", not_started(), &[&start, &showing(JOB, Shown::default())]).await;
    assert_eq!((answer.start.state, start.num_calls()), (StartState::Started, 1));
}

#[tokio::test]
async fn a_file_is_sent_as_its_location() {
    let start = mock!(Client::start_audience_generation_job)
        .match_requests(|request| {
            let seed = request.seed_audience().unwrap();
            seed.data_source().unwrap().s3_uri() == "s3://b/k" && seed.sql_parameters().is_none()
        })
        .then_output(|| StartAudienceGenerationJobOutput::builder().audience_generation_job_arn(JOB).build().unwrap());
    let answer = first_attempt(&[&start, &showing(JOB, Shown::default())]).await;
    assert_eq!(answer.start.state, StartState::Started);
}

#[tokio::test]
async fn a_started_job_is_proven_with_one_get_and_no_list() {
    let (start, get, list) = (starting(), showing(JOB, Shown::default()), listing(None));
    let answer = first_attempt(&[&start, &get, &list]).await;
    assert_eq!((start.num_calls(), get.num_calls(), list.num_calls()), (1, 1, 0));
    let expected = json!({
        "start": {"state": "STARTED", "since": "2026-11-22T16:10:00Z", "redriveCount": 0, "quotaWaits": 0},
        "audienceGenerationJobArn": JOB, "name": "run",
    });
    assert_eq!(serde_json::to_value(answer).unwrap(), expected);
}

#[tokio::test]
async fn an_attempt_whose_proof_fails_is_unknown_since_it_was_entered() {
    let answer = first_attempt(&[&starting(), &not_showing()]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:10:00"))));
    assert_eq!(answer.audience_generation_job_arn, None);
}

#[tokio::test]
async fn an_unknown_attempt_takes_the_job_on_the_second_page_of_one_list() {
    let is_filtered = |list: &ListAudienceGenerationJobsInput| {
        list.configured_audience_model_arn() == Some(MODEL)
            && list.collaboration_id().is_none()
            && list.max_results() == Some(100)
    };
    let first = mock!(Client::list_audience_generation_jobs)
        .match_requests(move |list| is_filtered(list) && list.next_token().is_none())
        .then_output(|| page(&[("other", "arn:other")], Some("2")));
    let second = mock!(Client::list_audience_generation_jobs)
        .match_requests(move |list| is_filtered(list) && list.next_token() == Some("2"))
        .then_output(|| page(&[("run", JOB)], None));
    let (get, start) = (showing(JOB, Shown::default()), starting());
    let answer = attempt("16:12:00", unknown_since("16:10:00"), &[&first, &second, &get, &start]).await;
    assert_eq!((answer.start.state, answer.audience_generation_job_arn.as_deref()), (StartState::Started, Some(JOB)));
    let calls = [&first, &second, &get, &start].map(Rule::num_calls);
    assert_eq!(calls, [1, 1, 1, 0]);
}

#[tokio::test]
async fn one_list_is_read_for_both_candidate_names() {
    let list = listing(Some(&second_name()));
    let answer = attempt("16:12:00", unknown_since("16:10:00"), &[&list, &showing(JOB, Shown::default())]).await;
    assert_eq!(answer.name.unwrap().as_str(), second_name());
    assert_eq!(list.num_calls(), 1);
}

#[tokio::test]
async fn the_list_for_another_accounts_model_is_filtered_by_collaboration() {
    let list = mock!(Client::list_audience_generation_jobs)
        .match_requests(|list| {
            list.collaboration_id() == Some(COLLABORATION)
                && list.configured_audience_model_arn().is_none()
                && list.max_results() == Some(100)
        })
        .then_output(|| page(&[], None));
    attempt_of(foreign_request(), "16:12:00", unknown_since("16:10:00"), &[&list]).await;
    assert_eq!(list.num_calls(), 1);
}

/// Returns how far a start is that was unknown, after a look-up that shows this job.
async fn looked_up(request: Value, shown: Shown<'_>) -> StartState {
    let (list, get) = (listing(Some(request["name"].as_str().unwrap())), showing(JOB, shown));
    let answer = attempt_of(request, "16:12:00", unknown_since("16:10:00"), &[&list, &get]).await;
    assert_eq!(answer.audience_generation_job_arn.is_some(), answer.start.state == StartState::Started);
    answer.start.state
}

#[tokio::test]
async fn a_listed_job_with_another_runs_tag_is_not_accepted() {
    let shown = Shown { run_tag: Some("arn:another"), ..Shown::default() };
    assert_eq!(looked_up(request(), shown).await, StartState::Unknown);
}

#[tokio::test]
async fn a_listed_job_of_our_own_model_without_tags_is_not_accepted() {
    let shown = Shown { run_tag: None, ..Shown::default() };
    assert_eq!(looked_up(request(), shown).await, StartState::Unknown);
}

#[tokio::test]
async fn a_listed_job_created_over_60_s_before_the_run_is_not_accepted() {
    let shown = Shown { create_time: "15:58:59", ..Shown::default() };
    assert_eq!(looked_up(request(), shown).await, StartState::Unknown);
}

#[tokio::test]
async fn a_listed_job_created_by_a_clock_60_s_behind_is_accepted() {
    let shown = Shown { create_time: "15:59:00", ..Shown::default() };
    assert_eq!(looked_up(request(), shown).await, StartState::Started);
}

#[tokio::test]
async fn a_job_that_no_list_shows_is_not_started_again_within_910_s() {
    let (list, start) = (listing(None), starting());
    let answer = attempt("16:25:09", unknown_since("16:10:00"), &[&list, &start]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:10:00"))));
    assert_eq!((list.num_calls(), start.num_calls()), (1, 0));
}

#[tokio::test]
async fn a_job_that_no_list_shows_is_started_again_after_910_s() {
    let (list, start) = (listing(None), starting());
    let get = showing(JOB, Shown { create_time: "16:25:10", ..Shown::default() });
    let answer = attempt("16:25:10", unknown_since("16:10:00"), &[&list, &start, &get]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Started, Some(moment("16:25:10"))));
    assert_eq!((list.num_calls(), start.num_calls()), (1, 1));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_proves_nothing() {
    let (list, start) = (list_failing(500, "InternalServerException"), starting());
    let answer = attempt("17:30:00", unknown_since("16:10:00"), &[&list, &start]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:10:00"))));
    assert_eq!((list.num_calls(), start.num_calls()), (1, 0));
}

#[tokio::test]
async fn a_list_whose_second_page_cannot_be_read_proves_nothing() {
    let first = mock!(Client::list_audience_generation_jobs)
        .match_requests(|list| list.next_token().is_none())
        .then_output(|| page(&[], Some("2")));
    let (second, start) = (list_failing(500, "InternalServerException"), starting());
    let answer = attempt("17:30:00", unknown_since("16:10:00"), &[&first, &second, &start]).await;
    assert_eq!((answer.start.state, second.num_calls(), start.num_calls()), (StartState::Unknown, 1, 0));
}

/// How a call that starts a job breaks.
#[derive(Clone, Copy, Debug)]
enum Break {
    Timeout,
    Status(u16),
    Dropped,
}

/// Answers S3 with the checked request. Breaks all other calls, and counts them.
#[derive(Clone, Debug)]
struct Breaking(Break, Arc<AtomicU32>);

impl HttpConnector for Breaking {
    fn call(&self, call: HttpRequest) -> HttpConnectorFuture {
        let answer = |status: u16, body: String| Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)));
        if call.method() == "GET" {
            return HttpConnectorFuture::ready(answer(200, request().to_string()));
        }
        self.1.fetch_add(1, Ordering::Relaxed);
        HttpConnectorFuture::ready(match self.0 {
            Break::Timeout => Err(ConnectorError::timeout("no answer".into())),
            Break::Status(status) => answer(status, "{}".into()),
            Break::Dropped => Err(ConnectorError::io("connection reset".into())),
        })
    }
}

/// Returns how far a start is whose call breaks, and how often the SDK sent it. The SDK repeats other calls.
async fn broken(how: Break) -> (StartState, u32) {
    let breaking = Breaking(how, Arc::default());
    let connector = SharedHttpConnector::new(breaking.clone());
    let now = StaticTimeSource::new(SystemTime::try_from(time("16:10:00")).unwrap());
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .retry_config(RetryConfig::standard())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(now)
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let environment = Environment(|name: &str| (name == "STACK_NAME").then(|| "stack".to_owned()));
    let function = StartGeneration::new(&config, &environment).unwrap();
    let answer = function.handle(event("16:10:00", not_started())).await.unwrap();
    assert_eq!(answer.start.since, Some(moment("16:10:00")));
    (answer.start.state, breaking.1.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_start_without_an_answer_in_time_is_unknown_and_sent_once() {
    assert_eq!(broken(Break::Timeout).await, (StartState::Unknown, 1));
}

#[tokio::test]
async fn a_start_whose_connection_is_dropped_is_unknown_and_sent_once() {
    assert_eq!(broken(Break::Dropped).await, (StartState::Unknown, 1));
}

#[tokio::test]
async fn a_start_that_is_answered_with_5xx_is_unknown_and_sent_once() {
    for status in [500, 502, 503, 504] {
        assert_eq!(broken(Break::Status(status)).await, (StartState::Unknown, 1), "{status}");
    }
}

#[tokio::test]
async fn a_start_that_is_throttled_is_sent_once() {
    assert_eq!(broken(Break::Status(429)).await, (StartState::Waiting, 1));
}

fn full() -> Rule {
    let body = json!({"message": "no", "quotaName": "Pending jobs", "quotaValue": 10.0});
    rejecting_with(402, "ServiceQuotaExceededException", body)
}

#[tokio::test]
async fn a_full_quota_waits_without_a_list() {
    let (full, list) = (full(), listing(None));
    let answer = first_attempt(&[&full, &list]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Waiting, "QuotaExceeded"));
    let answer = attempt("16:12:00", next(&answer), &[&full, &list]).await;
    assert_eq!((answer.start.state, full.num_calls(), list.num_calls()), (StartState::Waiting, 2, 0));
}

#[tokio::test]
async fn the_cause_of_a_full_quota_has_its_name_and_value() {
    let answer = first_attempt(&[&full()]).await;
    assert!(cause(&answer).contains("\"Pending jobs\" of 10"), "{}", cause(&answer));
}

#[tokio::test]
async fn attempts_that_a_quota_rejected_are_counted() {
    let answer = first_attempt(&[&full()]).await;
    let answer = attempt("16:12:00", next(&answer), &[&full()]).await;
    assert_eq!(answer.start.quota_waits, 2);
}

#[tokio::test]
async fn throttling_waits_without_a_list() {
    let (throttled, list) = (rejecting(429, "ThrottlingException"), listing(None));
    let answer = first_attempt(&[&throttled, &list]).await;
    let answer = attempt("16:12:00", next(&answer), &[&throttled, &list]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Waiting, "Throttled"));
    assert_eq!((answer.start.quota_waits, list.num_calls()), (0, 0));
}

fn denied() -> Rule {
    rejecting(403, "AccessDeniedException")
}

#[tokio::test]
async fn a_start_that_is_denied_waits_for_30_minutes() {
    let answer = first_attempt(&[&denied()]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Waiting, "AccessDenied"));
    let answer = attempt("16:39:59", next(&answer), &[&denied()]).await;
    assert_eq!(answer.start.state, StartState::Waiting);
}

#[tokio::test]
async fn a_start_that_is_denied_for_30_minutes_is_rejected_with_the_reason() {
    let answer = first_attempt(&[&denied()]).await;
    let answer = attempt("16:40:00", next(&answer), &[&denied()]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "AccessDenied"));
    assert!(cause(&answer).contains("new permissions need time"), "{}", cause(&answer));
}

#[tokio::test]
async fn a_request_that_the_service_does_not_accept_is_rejected_at_once() {
    let answer = first_attempt(&[&rejecting(400, "ValidationException")]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "InvalidRequest"));
    assert!(cause(&answer).starts_with("starting audience generation job run: no"), "{}", cause(&answer));
}

#[tokio::test]
async fn a_conflict_with_the_runs_own_job_takes_it() {
    let rules = [&conflicting(), &listing(Some("run")), &showing(JOB, Shown::default())];
    let answer = first_attempt(&rules).await;
    assert_eq!((answer.start.state, answer.audience_generation_job_arn.as_deref()), (StartState::Started, Some(JOB)));
}

fn showing_another_runs() -> Rule {
    showing(JOB, Shown { run_tag: Some("arn:another"), ..Shown::default() })
}

#[tokio::test]
async fn a_given_name_that_another_runs_job_has_is_a_conflict() {
    let (conflict, list) = (conflicting(), listing(Some("given")));
    let rules = [&conflict, &list, &showing_another_runs()];
    let answer = attempt_of(named_request(), "16:10:00", not_started(), &rules).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "Conflict"));
    assert!(cause(&answer).starts_with("A job named given exists already"), "{}", cause(&answer));
    assert_eq!(conflict.num_calls(), 1);
}

const SECOND_JOB: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/2";

/// The service accepts only the second name.
fn starting_the_second_name() -> Rule {
    mock!(Client::start_audience_generation_job)
        .match_requests(|start| start.name() == Some(second_name().as_str()))
        .then_output(|| {
            StartAudienceGenerationJobOutput::builder().audience_generation_job_arn(SECOND_JOB).build().unwrap()
        })
}

#[tokio::test]
async fn a_derived_name_that_another_runs_job_has_gives_way_to_the_next() {
    let second = showing(SECOND_JOB, Shown::default());
    let rules = [&starting_the_second_name(), &conflicting(), &listing(Some("run")), &showing_another_runs(), &second];
    let answer = first_attempt(&rules).await;
    assert_eq!(answer.audience_generation_job_arn.as_deref(), Some(SECOND_JOB));
    assert_eq!(answer.name.unwrap().as_str(), second_name());
}

#[tokio::test]
async fn a_conflict_whose_job_no_list_shows_stays_unknown() {
    let answer = attempt_of(named_request(), "16:10:00", not_started(), &[&conflicting(), &listing(None)]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Unknown, "Conflict"));
    let answer = attempt_of(named_request(), "16:25:09", next(&answer), &[&listing(None)]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:10:00"))));
}

#[tokio::test]
async fn a_conflict_whose_job_no_list_shows_is_final_after_910_s() {
    let rules = [&conflicting(), &listing(None)];
    let answer = attempt_of(named_request(), "16:10:00", not_started(), &rules).await;
    let answer = attempt_of(named_request(), "16:25:10", next(&answer), &rules).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "Conflict"));
}

#[tokio::test]
async fn a_conflict_whose_list_cannot_be_read_is_unknown() {
    let answer = first_attempt(&[&conflicting(), &list_failing(429, "ThrottlingException")]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:10:00"))));
}

/// A redriven attempt.
fn redriven(now: &str, start: Value) -> Value {
    let mut event = event(now, start);
    event["attempt"]["redriveCount"] = json!(1);
    event
}

#[tokio::test]
async fn a_redrive_makes_a_start_that_was_under_way_unknown() {
    let (list, start) = (listing(None), starting());
    let waiting = json!({"state": "WAITING", "since": "2026-11-22T16:05:00Z"});
    for before in [not_started(), waiting] {
        let answer = handle(redriven("16:30:00", before), request(), &[&list, &start]).await.unwrap();
        assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:30:00"))));
        assert_eq!(answer.start.redrive_count, 1);
    }
    assert_eq!((list.num_calls(), start.num_calls()), (2, 0));
}

#[tokio::test]
async fn an_attempt_that_knows_of_the_redrive_starts_without_a_list() {
    let mut waiting = json!({"state": "WAITING", "since": "2026-11-22T16:05:00Z"});
    waiting["redriveCount"] = json!(1);
    let rules = [&starting(), &showing(JOB, Shown::default())];
    let answer = handle(redriven("16:10:00", waiting), request(), &rules).await.unwrap();
    assert_eq!(answer.start.state, StartState::Started);
}

/// A job of another account's model, which shows no tags.
fn without_tags(create_time: &str) -> Rule {
    showing(JOB, Shown { create_time, run_tag: None, description: Some(marked_description()) })
}

#[tokio::test]
async fn a_redrive_takes_the_job_without_tags_that_was_started_before_it() {
    let rules = [&listing(Some("run")), &without_tags("16:10:01"), &starting()];
    let answer = handle(redriven("16:30:00", not_started()), foreign_request(), &rules).await.unwrap();
    assert_eq!((answer.start.state, rules[2].num_calls()), (StartState::Started, 0));
}

#[tokio::test]
async fn a_job_without_tags_of_the_first_of_two_unknown_attempts_is_taken() {
    let rules = [&listing(Some("run")), &without_tags("16:10:01"), &starting()];
    let answer = attempt_of(foreign_request(), "16:16:00", unknown_since("16:14:00"), &rules).await;
    assert_eq!((answer.start.state, rules[2].num_calls()), (StartState::Started, 0));
}

#[tokio::test]
async fn after_the_deadline_nothing_is_started() {
    let start = starting();
    let answer = attempt("18:00:00", not_started(), &[&start]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "DeadlineExceeded"));
    assert_eq!(start.num_calls(), 0);
}

#[tokio::test]
async fn after_the_deadline_an_unknown_start_is_looked_up_once() {
    let rules = [&listing(Some("run")), &showing(JOB, Shown::default())];
    let answer = attempt("18:00:00", unknown_since("16:10:00"), &rules).await;
    assert_eq!((answer.start.state, rules[0].num_calls()), (StartState::Started, 1));
}

#[tokio::test]
async fn after_the_deadline_an_unknown_job_is_rejected_by_its_name() {
    for list in [listing(None), list_failing(500, "InternalServerException")] {
        let answer = attempt_of(named_request(), "18:00:00", unknown_since("17:59:00"), &[&list]).await;
        assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "DeadlineExceeded"));
        let expected = "It is not known whether the job given was started";
        assert!(cause(&answer).starts_with(expected), "{}", cause(&answer));
        assert_eq!(list.num_calls(), 1);
    }
}

#[tokio::test]
async fn the_cause_of_a_passed_deadline_has_the_last_answer() {
    let answer = first_attempt(&[&full()]).await;
    let answer = attempt("18:00:00", next(&answer), &[]).await;
    assert!(cause(&answer).contains("The last attempt: starting audience generation job run"), "{}", cause(&answer));
}

#[tokio::test]
async fn the_description_for_another_accounts_model_has_the_runs_mark() {
    let start = mock!(Client::start_audience_generation_job)
        .match_requests(|start| start.description() == Some(marked_description().as_str()))
        .then_output(|| StartAudienceGenerationJobOutput::builder().audience_generation_job_arn(JOB).build().unwrap());
    let answer = attempt_of(foreign_request(), "16:10:00", not_started(), &[&start, &without_tags("16:10:01")]).await;
    assert_eq!(answer.start.state, StartState::Started);
}

#[tokio::test]
async fn a_listed_job_without_tags_is_proven_by_the_runs_mark() {
    let shown = Shown { run_tag: None, description: Some(marked_description()), ..Shown::default() };
    assert_eq!(looked_up(foreign_request(), shown).await, StartState::Started);
}

#[tokio::test]
async fn a_listed_job_without_tags_and_mark_is_not_accepted() {
    for description in [None, Some("spring".to_owned())] {
        let shown = Shown { run_tag: None, description, ..Shown::default() };
        assert_eq!(looked_up(foreign_request(), shown).await, StartState::Unknown);
    }
}

#[tokio::test]
async fn a_listed_job_without_tags_created_before_the_run_is_not_accepted() {
    let shown = Shown { create_time: "15:58:59", run_tag: None, description: Some(marked_description()) };
    assert_eq!(looked_up(foreign_request(), shown).await, StartState::Unknown);
}

#[tokio::test]
async fn the_tags_of_a_job_of_another_accounts_model_count_if_shown() {
    let shown = Shown { run_tag: Some("arn:another"), description: Some(marked_description()), ..Shown::default() };
    assert_eq!(looked_up(foreign_request(), shown).await, StartState::Unknown);
}

#[tokio::test]
async fn a_start_that_answers_another_runs_job_is_not_accepted() {
    let answer = attempt_of(named_request(), "16:10:00", not_started(), &[&starting(), &showing_another_runs()]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "Conflict"));
    assert_eq!(answer.audience_generation_job_arn, None);
}

/// Makes an attempt whose checked request cannot be read.
async fn unreadable(event: Value, status: u16, code: &str, rules: &[&Rule]) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    let get = mock!(aws_sdk_s3::Client::get_object)
        .then_http_response(move || HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.as_str())));
    let s3 =
        mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&get], |config| { config.retry_config(RetryConfig::disabled()) });
    let now = event["attempt"]["enteredTime"].as_str().unwrap();
    let now = DateTime::from_str(now, DateTimeFormat::DateTime).unwrap();
    function(now, s3, rules).handle(event).await.unwrap()
}

#[tokio::test]
async fn a_checked_request_that_cannot_be_read_leaves_the_state_as_it_was() {
    let (list, start) = (listing(None), starting());
    for before in [not_started(), unknown_since("16:10:00")] {
        let answer = unreadable(event("16:40:00", before.clone()), 503, "SlowDown", &[&list, &start]).await;
        let mut after = next(&answer);
        assert_eq!(after["error"], "Throttled");
        for added in ["error", "cause"] {
            after.as_object_mut().unwrap().remove(added);
        }
        assert_eq!(after, before);
        assert_eq!((answer.audience_generation_job_arn, answer.name), (None, None));
    }
    assert_eq!((list.num_calls(), start.num_calls()), (0, 0));
}

#[tokio::test]
async fn a_checked_request_that_is_missing_for_30_minutes_is_rejected() {
    let answer = unreadable(event("16:10:00", not_started()), 404, "NoSuchKey", &[]).await;
    assert_eq!(answer.start.state, StartState::NotStarted);
    let answer = unreadable(event("16:40:00", next(&answer)), 404, "NoSuchKey", &[]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "NotFound"));
}

#[tokio::test]
async fn a_checked_request_that_cannot_be_read_ends_at_the_deadline() {
    for before in [not_started(), unknown_since("17:50:00")] {
        let answer = unreadable(event("18:00:00", before), 503, "SlowDown", &[]).await;
        assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "DeadlineExceeded"));
    }
}

#[tokio::test]
async fn a_checked_request_that_is_cut_short_leaves_the_state_as_it_was() {
    let answer = handle(event("16:10:00", not_started()), json!("no request"), &[]).await.unwrap();
    assert_eq!(answer.start.state, StartState::NotStarted);
}

/// Returns the cause of an attempt for an SQL seed that the service answers with this message.
async fn cause_of_sql(message: &str) -> String {
    let rejected = rejecting_with(400, "ValidationException", json!({"message": message}));
    let answer = attempt_of(sql_request(), "16:10:00", not_started(), &[&rejected]).await;
    assert_eq!(error(&answer), "InvalidRequest");
    cause(&answer).to_owned()
}

#[tokio::test]
async fn the_cause_has_neither_sql_text_nor_parameters() {
    let cause = cause_of_sql("Value 'SELECT secret' with marked is wrong").await;
    assert!(!cause.contains("secret") && !cause.contains("marked"), "{cause}");
}

#[tokio::test]
async fn an_event_of_another_form_is_an_error() {
    let mut event = event("16:10:00", not_started());
    event["start"] = Value::Null;
    let error = handle(event, request(), &[]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/start-generation.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
