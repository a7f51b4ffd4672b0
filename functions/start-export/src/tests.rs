#![allow(clippy::unwrap_used)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_sdk_cleanroomsml::operation::list_audience_export_jobs::ListAudienceExportJobsOutput;
use aws_sdk_cleanroomsml::operation::start_audience_export_job::{
    StartAudienceExportJobInput, StartAudienceExportJobOutput,
};
use aws_sdk_cleanroomsml::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cleanroomsml::types::{
    AudienceExportJobStatus, AudienceExportJobSummary, AudienceSize as SdkSize, AudienceSizeType,
};
use aws_smithy_async::time::TimeSource;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use lookalike::ErrorName;
use lookalike::exports::planned;
use lookalike::once::{JobStart, StartState};
use serde_json::json;

use super::*;

const AUDIENCE: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
const RUN: &str = "arn:aws:states:us-east-1:123456789012:execution:audience:run";

/// Exports of these sizes before the first attempt.
fn exports(percents: &[i32]) -> Vec<RunExport> {
    let sizes = percents.iter().map(|percent| format!("{percent}pct").parse().unwrap());
    planned(&"run".parse().unwrap(), sizes.collect())
}

/// The same after an attempt at this time whose result is not known.
fn unknown_since(time: &str, percents: &[i32]) -> Vec<RunExport> {
    let start: JobStart = serde_json::from_value(json!({"state": "UNKNOWN", "since": at(time)})).unwrap();
    exports(percents).into_iter().map(|export| RunExport { start: start.clone(), ..export }).collect()
}

fn at(time: &str) -> String {
    format!("2026-11-22T{time}Z")
}

fn time(time: &str) -> DateTime {
    DateTime::from_str(&at(time), DateTimeFormat::DateTime).unwrap()
}

fn moment(text: &str) -> Moment {
    time(text).into()
}

/// The run started at 16:00 and its deadline is at 18:00.
fn event(now: &str, exports: &[RunExport]) -> Value {
    json!({
        "audienceGenerationJobArn": AUDIENCE, "exports": exports, "deadline": at("18:00:00"),
        "attempt": {"enteredTime": at(now), "redriveCount": 0},
        "execution": {"id": RUN, "name": "run", "startTime": at("16:00:00")},
    })
}

/// The seconds that calls took.
#[derive(Clone, Debug, Default)]
struct Elapsed(Arc<AtomicU64>);

impl Elapsed {
    fn add(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// A clock that began at a time.
#[derive(Debug)]
struct Clock(SystemTime, Elapsed);

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        self.0 + Duration::from_secs(self.1.0.load(Ordering::Relaxed))
    }
}

/// A service that accepts every export. It keeps the names, and each call takes some seconds.
#[derive(Clone, Default)]
struct Service {
    started: Arc<Mutex<Vec<String>>>,
    seconds_of_call: u64,
    elapsed: Elapsed,
}

impl Service {
    fn accepting(&self) -> Rule {
        let service = self.clone();
        mock!(Client::start_audience_export_job).match_requests(is_complete).then_compute_output(move |start| {
            service.started.lock().unwrap().push(start.name().unwrap_or_default().to_owned());
            service.elapsed.add(service.seconds_of_call);
            StartAudienceExportJobOutput::builder().build()
        })
    }

    fn started(&self) -> Vec<String> {
        std::mem::take(&mut self.started.lock().unwrap())
    }
}

/// Whether a call has each field, the run in its description, and the size that its name says.
fn is_complete(start: &StartAudienceExportJobInput) -> bool {
    start.audience_generation_job_arn() == Some(AUDIENCE)
        && start.description() == Some(RUN)
        && start.audience_size().is_some_and(|size| {
            size.r#type() == &AudienceSizeType::Percentage
                && start.name() == Some(format!("run-{}pct", size.value()).as_str())
        })
}

/// An error as the service sends it.
fn failure(status: u16, code: &'static str, body: &Value) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn rejecting(name: &'static str, status: u16, code: &'static str) -> Rule {
    let body = json!({"message": "no", "quotaName": "Exports", "quotaValue": 25.0});
    mock!(Client::start_audience_export_job)
        .match_requests(move |start| start.name() == Some(name))
        .then_http_response(move || failure(status, code, &body))
}

fn full(name: &'static str) -> Rule {
    rejecting(name, 402, "ServiceQuotaExceededException")
}

fn conflicting(name: &'static str) -> Rule {
    rejecting(name, 409, "ConflictException")
}

fn listed(percent: i32, status: &str) -> AudienceExportJobSummary {
    let created = time("16:10:01");
    AudienceExportJobSummary::builder()
        .name(format!("run-{percent}pct"))
        .audience_generation_job_arn(AUDIENCE)
        .audience_size(SdkSize::builder().r#type(AudienceSizeType::Percentage).value(percent).build().unwrap())
        .description(RUN)
        .status(AudienceExportJobStatus::from(status))
        .create_time(created)
        .update_time(created)
        .build()
        .unwrap()
}

fn page(exports: Vec<AudienceExportJobSummary>, next: Option<&str>) -> ListAudienceExportJobsOutput {
    let page = ListAudienceExportJobsOutput::builder().set_audience_export_jobs(Some(exports));
    page.set_next_token(next.map(str::to_owned)).build().unwrap()
}

fn listing(exports: Vec<AudienceExportJobSummary>) -> Rule {
    mock!(Client::list_audience_export_jobs)
        .match_requests(|list| list.audience_generation_job_arn() == Some(AUDIENCE) && list.max_results() == Some(100))
        .then_output(move || page(exports.clone(), None))
}

fn list_failing() -> Rule {
    mock!(Client::list_audience_export_jobs)
        .then_http_response(|| failure(500, "InternalServerException", &json!({"message": "no"})))
}

/// Makes an attempt. A call without a rule fails the test.
async fn handle(event: Value, elapsed: Elapsed, rules: &[&Rule]) -> Result<Answer, Error> {
    let ml = mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, rules, |config| {
        config.retry_config(RetryConfig::disabled())
    });
    let begun = DateTime::from_str(event["attempt"]["enteredTime"].as_str().unwrap(), DateTimeFormat::DateTime);
    let clock = SharedTimeSource::new(Clock(SystemTime::try_from(begun.unwrap()).unwrap(), elapsed));
    StartExport { ml, clock }.handle(event).await
}

async fn attempt(now: &str, exports: &[RunExport], rules: &[&Rule]) -> Vec<RunExport> {
    handle(event(now, exports), Elapsed::default(), rules).await.unwrap().exports
}

fn states(exports: &[RunExport]) -> Vec<StartState> {
    exports.iter().map(|export| export.start.state).collect()
}

#[tokio::test]
async fn every_size_is_started_in_order_with_the_run_in_its_description() {
    let service = Service::default();
    let answer = attempt("16:10:00", &exports(&[10, 1, 5]), &[&service.accepting()]).await;
    assert_eq!(service.started(), ["run-10pct", "run-1pct", "run-5pct"]);
    assert_eq!(states(&answer), [StartState::Started; 3]);
    assert!(answer.iter().all(|export| export.start.since == Some(moment("16:10:00"))));
}

#[tokio::test]
async fn a_size_that_is_started_is_not_started_again() {
    let service = Service::default();
    let answer = attempt("16:10:00", &exports(&[1]), &[&service.accepting()]).await;
    service.started();
    attempt("16:12:00", &answer, &[&service.accepting()]).await;
    assert_eq!(service.started(), Vec::<String>::new());
}

/// Makes a first attempt for three sizes, of which the second has this answer. Returns the states, and what was started.
async fn attempt_with(second: &Rule, more: &[&Rule]) -> (Vec<RunExport>, Vec<String>) {
    let service = Service::default();
    let accepting = service.accepting();
    let rules: Vec<&Rule> = [second, &accepting].into_iter().chain(more.iter().copied()).collect();
    let answer = attempt("16:10:00", &exports(&[1, 5, 10]), &rules).await;
    (answer, service.started())
}

#[tokio::test]
async fn a_full_quota_stops_the_attempt_and_the_size_waits() {
    let (answer, started) = attempt_with(&full("run-5pct"), &[&listing(Vec::new())]).await;
    assert_eq!(states(&answer), [StartState::Started, StartState::Waiting, StartState::NotStarted]);
    assert_eq!(started, ["run-1pct"]);
}

#[tokio::test]
async fn throttling_stops_the_attempt_without_a_list() {
    let (answer, started) = attempt_with(&rejecting("run-5pct", 429, "ThrottlingException"), &[]).await;
    assert_eq!(states(&answer), [StartState::Started, StartState::Waiting, StartState::NotStarted]);
    assert_eq!(started, ["run-1pct"]);
}

#[tokio::test]
async fn an_unknown_answer_stops_the_attempt() {
    let (answer, started) = attempt_with(&rejecting("run-5pct", 500, "InternalServerException"), &[]).await;
    assert_eq!(states(&answer), [StartState::Started, StartState::Unknown, StartState::NotStarted]);
    assert_eq!((started, answer[1].start.since), (vec!["run-1pct".to_owned()], Some(moment("16:10:00"))));
}

#[tokio::test]
async fn a_size_that_the_service_does_not_accept_stops_no_other() {
    let (answer, started) = attempt_with(&rejecting("run-5pct", 400, "ValidationException"), &[]).await;
    assert_eq!(states(&answer), [StartState::Started, StartState::Rejected, StartState::Started]);
    assert_eq!(started, ["run-1pct", "run-10pct"]);
    assert_eq!(answer[1].error.as_deref(), Some("InvalidRequest"));
}

#[tokio::test]
async fn a_start_that_fails_is_not_sent_again_by_the_sdk() {
    let lost = mock!(Client::start_audience_export_job).sequence().http_status(500, None).times(5).build();
    let ml = mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, [&lost]);
    let clock = SharedTimeSource::new(Clock(SystemTime::try_from(time("16:10:00")).unwrap(), Elapsed::default()));
    let answer = StartExport { ml, clock }.handle(event("16:10:00", &exports(&[1]))).await.unwrap();
    assert_eq!((states(&answer.exports), lost.num_calls()), (vec![StartState::Unknown], 1));
}

/// Exports of another run of the same audience.
fn of_another_run(count: i32, status: &str) -> Vec<AudienceExportJobSummary> {
    let other = |percent| {
        let mut export = listed(percent, status);
        export.name = format!("other-{percent}pct");
        export
    };
    (1..=count).map(other).collect()
}

#[tokio::test]
async fn an_audience_with_25_active_exports_rejects_all_that_are_due() {
    let (answer, started) = attempt_with(&full("run-5pct"), &[&listing(of_another_run(25, "ACTIVE"))]).await;
    assert_eq!(states(&answer), [StartState::Started, StartState::Rejected, StartState::Rejected]);
    assert_eq!(started, ["run-1pct"]);
}

#[tokio::test]
async fn a_quota_that_does_not_free_itself_is_named_with_its_value() {
    let (answer, _) = attempt_with(&full("run-5pct"), &[&listing(of_another_run(25, "ACTIVE"))]).await;
    for export in &answer[1..] {
        let cause = export.cause.as_deref().unwrap();
        assert_eq!(export.error.as_deref(), Some("QuotaExceeded"));
        assert!(cause.contains("\"Exports\" of 25") && cause.contains("25 active exports"), "{cause}");
    }
}

#[tokio::test]
async fn an_audience_with_24_active_exports_waits() {
    let list = of_another_run(24, "ACTIVE").into_iter().chain(of_another_run(20, "CREATE_PENDING")).collect();
    let (answer, _) = attempt_with(&full("run-5pct"), &[&listing(list)]).await;
    assert_eq!(states(&answer)[1..], [StartState::Waiting, StartState::NotStarted]);
    assert_eq!(answer[1].start.quota_waits, 1);
}

#[tokio::test]
async fn a_quota_whose_exports_cannot_be_listed_waits() {
    let (answer, _) = attempt_with(&full("run-5pct"), &[&list_failing()]).await;
    assert_eq!(states(&answer)[1..], [StartState::Waiting, StartState::NotStarted]);
}

#[tokio::test]
async fn a_permanent_quota_leaves_an_unknown_size_unknown() {
    let mut both = unknown_since("16:10:00", &[1]);
    both.append(&mut exports(&[5]));
    let answer = attempt("16:12:00", &both, &[&full("run-5pct"), &listing(of_another_run(25, "ACTIVE"))]).await;
    assert_eq!(states(&answer), [StartState::Unknown, StartState::Rejected]);
}

#[tokio::test]
async fn unknown_sizes_are_looked_up_with_one_list_through_its_pages() {
    let first = mock!(Client::list_audience_export_jobs)
        .match_requests(|list| list.next_token().is_none())
        .then_output(|| page(vec![listed(1, "CREATE_PENDING")], Some("2")));
    let second = mock!(Client::list_audience_export_jobs)
        .match_requests(|list| list.next_token() == Some("2"))
        .then_output(|| page(vec![listed(5, "CREATE_FAILED"), listed(5, "CREATE_PENDING")], None));
    let service = Service::default();
    let rules = [&first, &second, &service.accepting()];
    let answer = attempt("16:12:00", &unknown_since("16:10:00", &[1, 5, 10]), &rules).await;
    assert_eq!(states(&answer), [StartState::Started, StartState::Started, StartState::Unknown]);
    assert_eq!((first.num_calls(), second.num_calls(), service.started().len()), (1, 1, 0));
}

#[tokio::test]
async fn a_size_is_started_again_910_s_after_its_own_unknown_attempt() {
    let mut both = unknown_since("16:10:00", &[1]);
    both.append(&mut unknown_since("16:10:01", &[5]));
    let (service, list) = (Service::default(), listing(Vec::new()));
    let answer = attempt("16:25:10", &both, &[&list, &service.accepting()]).await;
    assert_eq!(states(&answer), [StartState::Started, StartState::Unknown]);
    assert_eq!((service.started(), answer[1].start.since), (vec!["run-1pct".to_owned()], Some(moment("16:10:01"))));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_proves_nothing() {
    let service = Service::default();
    let unknown = unknown_since("16:10:00", &[1]);
    let answer = attempt("17:30:00", &unknown, &[&list_failing(), &service.accepting()]).await;
    assert_eq!((states(&answer), service.started().len()), (vec![StartState::Unknown], 0));
}

#[tokio::test]
async fn a_redrive_makes_every_size_that_is_due_unknown() {
    let mut event = event("16:30:00", &exports(&[1, 5]));
    event["attempt"]["redriveCount"] = json!(1);
    let (service, list) = (Service::default(), listing(vec![listed(1, "ACTIVE")]));
    let rules = [&list, &service.accepting()];
    let answer = handle(event, Elapsed::default(), &rules).await.unwrap().exports;
    assert_eq!(states(&answer), [StartState::Started, StartState::Unknown]);
    assert_eq!((service.started().len(), answer[1].start.redrive_count), (0, 1));
}

#[tokio::test]
async fn a_conflict_with_the_runs_own_export_takes_it() {
    let rules = [&conflicting("run-1pct"), &listing(vec![listed(1, "CREATE_PENDING")])];
    assert_eq!(states(&attempt("16:10:00", &exports(&[1]), &rules).await), [StartState::Started]);
}

#[tokio::test]
async fn an_export_of_another_run_with_the_same_name_is_a_conflict() {
    let [mut other_run, mut other_size, mut older] = [1, 5, 1].map(|percent| listed(percent, "ACTIVE"));
    other_run.description = Some("arn:another".into());
    other_size.name = "run-1pct".into();
    older.create_time = time("15:58:59");
    for other in [other_run, other_size, older] {
        let rules = [&conflicting("run-1pct"), &listing(vec![other])];
        let answer = attempt("16:10:00", &exports(&[1]), &rules).await;
        assert_eq!((states(&answer), answer[0].error.as_deref()), (vec![StartState::Rejected], Some("Conflict")));
        let cause = answer[0].cause.as_deref().unwrap();
        assert!(cause.starts_with("An export named run-1pct exists already"), "{cause}");
    }
}

#[tokio::test]
async fn a_conflict_whose_export_no_list_shows_is_final_after_910_s() {
    let rules = [&conflicting("run-1pct"), &listing(Vec::new())];
    let answer = attempt("16:10:00", &exports(&[1]), &rules).await;
    assert_eq!(states(&answer), [StartState::Unknown]);
    let answer = attempt("16:25:10", &answer, &rules).await;
    assert_eq!((states(&answer), answer[0].error.as_deref()), (vec![StartState::Rejected], Some("Conflict")));
}

#[tokio::test]
async fn no_call_is_begun_with_less_than_30_s_left() {
    let service = Service { seconds_of_call: 25, ..Service::default() };
    let all = exports(&(1..=25).collect::<Vec<_>>());
    let rules = [&service.accepting()];
    let answer = handle(event("16:10:00", &all), service.elapsed.clone(), &rules).await.unwrap().exports;
    // The last call is begun after 250 s of 300.
    assert_eq!(service.started().len(), 11);
    assert_eq!(states(&answer)[10..12], [StartState::Started, StartState::NotStarted]);
}

#[tokio::test]
async fn a_call_is_begun_with_30_s_left() {
    let service = Service { seconds_of_call: 270, ..Service::default() };
    let rules = [&service.accepting()];
    handle(event("16:10:00", &exports(&[1, 5])), service.elapsed.clone(), &rules).await.unwrap();
    assert_eq!(service.started(), ["run-1pct", "run-5pct"]);
}

/// Makes an attempt whose first call takes 271 seconds, and whose answer is this error. Returns what is known of the export.
async fn late(code: &'static str, status: u16) -> RunExport {
    let elapsed = Elapsed::default();
    let seen = elapsed.clone();
    let slow = mock!(Client::start_audience_export_job).then_http_response(move || {
        seen.add(271);
        failure(status, code, &json!({"message": "no"}))
    });
    let list = listing(of_another_run(25, "ACTIVE"));
    let rules = [&slow, &list];
    let mut answer = handle(event("16:10:00", &exports(&[1])), elapsed, &rules).await.unwrap().exports;
    assert_eq!(list.num_calls(), 0);
    answer.remove(0)
}

#[tokio::test]
async fn a_quota_with_little_time_left_waits_without_a_list() {
    assert_eq!(late("ServiceQuotaExceededException", 402).await.start.state, StartState::Waiting);
}

#[tokio::test]
async fn a_conflict_with_little_time_left_is_unknown_without_a_list() {
    assert_eq!(late("ConflictException", 409).await.start.state, StartState::Unknown);
}

#[tokio::test]
async fn nothing_is_started_after_the_deadline() {
    let service = Service::default();
    let all = exports(&[1]);
    attempt("17:59:59", &all, &[&service.accepting()]).await;
    assert_eq!(service.started(), ["run-1pct"]);
    let answer = attempt("18:00:00", &all, &[&service.accepting()]).await;
    assert_eq!((states(&answer), service.started().len()), (vec![StartState::NotStarted], 0));
}

#[tokio::test]
async fn nothing_is_started_when_the_deadline_passes_during_the_attempt() {
    let service = Service { seconds_of_call: 25, ..Service::default() };
    let rules = [&service.accepting()];
    let event = event("17:59:30", &exports(&[1, 5, 10]));
    handle(event, service.elapsed.clone(), &rules).await.unwrap();
    assert_eq!(service.started(), ["run-1pct", "run-5pct"]);
}

#[tokio::test]
async fn the_state_of_an_export_is_answered_as_the_workflow_keeps_it() {
    let answer = attempt("16:10:00", &exports(&[1]), &[&Service::default().accepting()]).await;
    let expected = json!([{
        "name": "run-1pct", "audienceSize": {"type": "PERCENTAGE", "value": 1},
        "start": {"state": "STARTED", "since": at("16:10:00"), "redriveCount": 0, "quotaWaits": 0},
        "status": null, "createTime": null, "updateTime": null, "outputLocation": null,
    }]);
    assert_eq!(serde_json::to_value(answer).unwrap(), expected);
}

#[tokio::test]
async fn an_event_of_another_form_is_an_error() {
    let mut event = event("16:10:00", &[]);
    event["exports"] = Value::Null;
    let answer = handle(event, Elapsed::default(), &[]).await;
    assert_eq!(answer.err().unwrap().name, ErrorName::InvalidRequest);
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/start-export.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
