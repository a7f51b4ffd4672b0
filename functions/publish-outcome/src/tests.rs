#![allow(clippy::unwrap_used)]
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::types::Object;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::operation::list_executions::ListExecutionsOutput;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
use aws_sdk_sns::types::error::InternalErrorException;
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_mocks::{MockResponse, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use super::*;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:notifications";
const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:audience";
/// 2026-11-22T20:00:00Z.
const NOW: i64 = 1_795_377_600;
/// The sample's start, 2026-11-22T16:00:00Z, and its end.
const START: i64 = 1_795_363_200;
const STOP: i64 = 1_795_375_503;

/// The services as the function sees them: executions, and everything that was sent and stored.
#[derive(Default)]
struct Services {
    executions: BTreeMap<String, DescribeExecutionOutput>,
    records: BTreeMap<String, Value>,
    notifications: Vec<(String, String)>,
    events: Vec<PutEventsRequestEntry>,
    /// The statuses of the next writes of records that fail.
    failed_writes: VecDeque<u16>,
    writes: usize,
    lists_of_records: Vec<String>,
    lists_of_executions: usize,
    is_topic_down: bool,
    does_bus_reject: bool,
}

type Shared = Arc<Mutex<Services>>;

fn services() -> Shared {
    Shared::default()
}

fn arn(name: &str) -> String {
    format!("{}:{name}", MACHINE.replace(":stateMachine:", ":execution:"))
}

/// An execution that began and ended so many seconds before the sample did.
fn execution(name: &str, status: &str, earlier: i64) -> DescribeExecutionOutput {
    let sample: Value = serde_json::from_str(include_str!("../../../tests/events/publish-outcome.json")).unwrap();
    let detail = &sample["detail"];
    let is_ready = status == "SUCCEEDED";
    let execution = DescribeExecutionOutput::builder()
        .execution_arn(arn(name))
        .state_machine_arn(MACHINE)
        .name(name)
        .status(ExecutionStatus::from(status))
        .start_date(DateTime::from_secs(START - earlier))
        .input(detail["input"].as_str().unwrap());
    let execution =
        if status == "RUNNING" { execution } else { execution.stop_date(DateTime::from_secs(STOP - earlier)) };
    let execution = if is_ready {
        execution.output(detail["output"].as_str().unwrap())
    } else {
        execution.error("InvalidSeed").cause(json!({"errorMessage": "Line 3 is not a valid user."}).to_string())
    };
    execution.build().unwrap()
}

fn add(services: &Shared, execution: DescribeExecutionOutput) {
    services.lock().unwrap().executions.insert(execution.execution_arn.clone(), execution);
}

/// A function whose clients are these services.
fn function(services: &Shared) -> PublishOutcome {
    let state = services.clone();
    let describe = mock!(aws_sdk_sfn::Client::describe_execution)
        .then_compute_output(move |input| state.lock().unwrap().executions[input.execution_arn().unwrap()].clone());
    let state = services.clone();
    let list = mock!(aws_sdk_sfn::Client::list_executions).then_compute_output(move |input| {
        let mut state = state.lock().unwrap();
        state.lists_of_executions += 1;
        list_executions(&state, input.state_machine_arn().unwrap(), input.next_token())
    });
    let state = services.clone();
    let publish = mock!(aws_sdk_sns::Client::publish).then_compute_response(move |input| {
        let mut state = state.lock().unwrap();
        assert_eq!(input.topic_arn(), Some(TOPIC));
        if state.is_topic_down {
            let down = InternalErrorException::builder().message("down").build();
            return MockResponse::Error(PublishError::InternalErrorException(down));
        }
        state.notifications.push((input.subject().unwrap().to_owned(), input.message().unwrap().to_owned()));
        MockResponse::Output(PublishOutput::builder().build())
    });
    let state = services.clone();
    let put_events = mock!(aws_sdk_eventbridge::Client::put_events).then_compute_output(move |input| {
        let mut state = state.lock().unwrap();
        if state.does_bus_reject {
            let entry = PutEventsResultEntry::builder().error_code("InternalException").build();
            return PutEventsOutput::builder().failed_entry_count(1).entries(entry).build();
        }
        state.events.extend_from_slice(input.entries());
        PutEventsOutput::builder().build()
    });
    let state = services.clone();
    let list_records = mock!(aws_sdk_s3::Client::list_objects_v2).then_compute_output(move |input| {
        let mut state = state.lock().unwrap();
        let prefix = input.prefix().unwrap();
        state.lists_of_records.push(prefix.to_owned());
        let keys = state.records.keys().filter(|key| key.starts_with(prefix));
        let objects = keys.map(|key| Object::builder().key(key).build()).collect();
        ListObjectsV2Output::builder().set_contents(Some(objects)).build()
    });
    let state = services.clone();
    let put_record = mock!(aws_sdk_s3::Client::put_object).then_compute_response(move |input| {
        let mut state = state.lock().unwrap();
        assert_eq!((input.bucket(), input.if_none_match()), (Some("my-seeds"), Some("*")));
        state.writes += 1;
        let key = input.key().unwrap().to_owned();
        let status = if state.records.contains_key(&key) { Some(412) } else { state.failed_writes.pop_front() };
        if let Some(status) = status {
            return MockResponse::Http(Response::new(status.try_into().unwrap(), SdkBody::empty()));
        }
        state.records.insert(key, serde_json::from_slice(input.body().bytes().unwrap()).unwrap());
        MockResponse::Output(PutObjectOutput::builder().build())
    });
    PublishOutcome {
        sns: mock_client!(aws_sdk_sns, RuleMode::MatchAny, [&publish]),
        bus: mock_client!(aws_sdk_eventbridge, RuleMode::MatchAny, [&put_events]),
        sfn: mock_client!(aws_sdk_sfn, RuleMode::MatchAny, [&describe, &list]),
        s3: mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&list_records, &put_record]),
        topic_arn: TOPIC.into(),
        bus_name: "my-bus".into(),
        bucket: "my-seeds".into(),
        stack: "my-stack".into(),
        workflows: Workflows { audience: MACHINE.into(), segment: MACHINE.replace("audience", "segment") },
        clock: StaticTimeSource::from_secs(NOW.unsigned_abs()).into(),
    }
}

/// A page of two executions, newest start first.
fn list_executions(services: &Services, machine: &str, token: Option<&str>) -> ListExecutionsOutput {
    let mut of_machine: Vec<_> =
        services.executions.values().filter(|execution| execution.state_machine_arn == machine).collect();
    of_machine.sort_by_key(|execution| -execution.start_date.secs());
    let first: usize = token.map_or(0, |token| token.parse().unwrap());
    let page = of_machine.iter().skip(first).take(2).map(|execution| {
        ExecutionListItem::builder()
            .execution_arn(&execution.execution_arn)
            .state_machine_arn(machine)
            .name(execution.name.as_ref().unwrap())
            .status(execution.status.clone())
            .start_date(execution.start_date)
            .set_stop_date(execution.stop_date)
            .set_redrive_count(execution.redrive_count)
            .build()
            .unwrap()
    });
    let next = (of_machine.len() > first + 2).then(|| (first + 2).to_string());
    ListExecutionsOutput::builder().set_executions(Some(page.collect())).set_next_token(next).build().unwrap()
}

/// The status event of an execution.
fn event(name: &str) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../../tests/events/publish-outcome.json")).unwrap();
    event["detail"]["executionArn"] = arn(name).into();
    event
}

/// A batch of the queue with a message for each body. The id of a message is its place.
fn batch(bodies: &[String]) -> Value {
    let message = |(id, body): (usize, &String)| json!({"messageId": id.to_string(), "body": body, "attributes": {}});
    json!({"Records": bodies.iter().enumerate().map(message).collect::<Vec<_>>()})
}

fn batch_of(names: &[&str]) -> Value {
    batch(&names.iter().map(|name| event(name).to_string()).collect::<Vec<_>>())
}

fn hourly() -> Value {
    json!({"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "000000000000", "time": "2026-11-22T20:00:00Z", "region": "us-east-1", "resources": [], "detail": {}})
}

/// The answer to an event that comes with so many seconds left, and the lines of metrics.
async fn answer_in(services: &Shared, event: Value, seconds: i64) -> (Result<Answer, Error>, Vec<Value>) {
    let mut metrics = Vec::new();
    let end = DateTime::from_secs(NOW + seconds).into();
    let answer = function(services).handle(event, end, &mut metrics).await;
    let lines = String::from_utf8(metrics).unwrap();
    (answer, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

async fn answer(services: &Shared, event: Value) -> Value {
    serde_json::to_value(answer_in(services, event, 120).await.0.unwrap()).unwrap()
}

fn failures(ids: &[&str]) -> Value {
    let failures: Vec<_> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

fn published(published: usize) -> Value {
    json!({ "published": published })
}

fn keys(services: &Shared) -> Vec<String> {
    services.lock().unwrap().records.keys().cloned().collect()
}

fn counts(services: &Shared) -> (usize, usize, usize) {
    let services = services.lock().unwrap();
    (services.notifications.len(), services.events.len(), services.records.len())
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_notified_published_and_recorded() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&[]));
    let services = services.lock().unwrap();
    let (subject, body) = &services.notifications[0];
    assert_eq!(subject, "Audience ready: spring-runners");
    assert!(body.starts_with("Your audience is ready in 2 sizes, from 1%"), "{body}");
    let [event] = services.events.as_slice() else { panic!() };
    let detail: Value = serde_json::from_str(event.detail().unwrap()).unwrap();
    assert_eq!((event.event_bus_name(), event.source()), (Some("my-bus"), Some("lookalike")));
    assert_eq!((event.detail_type(), event.resources()), (Some("Audience Ready"), &[arn("spring")][..]));
    assert_eq!(detail["exports"][1]["outputLocation"], "s3://lookalike-audiences/exports/spring-runners-5pct/");
    let record = &services.records["outcomes/audience/2026-11-22/spring-0.json"];
    assert_eq!((&record["executionArn"], &record["status"]), (&json!(arn("spring")), &json!("SUCCEEDED")));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_event_is_neither_notified_nor_recorded_again() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    for _ in 0..2 {
        assert_eq!(answer(&services, batch_of(&["spring", "spring"])).await, failures(&[]));
    }
    assert_eq!(counts(&services), (1, 1, 1));
    assert_eq!(services.lock().unwrap().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_delivered_again_by_hand_is_published() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    assert_eq!(answer(&services, event("spring")).await, published(1));
    assert_eq!(answer(&services, event("spring")).await, published(0));
    assert_eq!(counts(&services), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_without_a_record_is_notified_again() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    // As if the function had died after the notification. (The mocked SDK cannot repeat a call, so not with 500.)
    services.lock().unwrap().failed_writes.push_back(403);
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&["0"]));
    assert_eq!(counts(&services), (1, 1, 0));
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&[]));
    assert_eq!(counts(&services), (2, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_another_invocation_wrote_is_a_success() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    services.lock().unwrap().failed_writes.push_back(412);
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&[]));
    assert_eq!(services.lock().unwrap().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_during_another_write_is_repeated() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    services.lock().unwrap().failed_writes.extend([409, 409]);
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&[]));
    assert_eq!(counts(&services), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_always_conflicts_fails_its_message() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    services.lock().unwrap().failed_writes.extend([409; 9]);
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&["0"]));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_bus_rejects_fails_its_message() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    services.lock().unwrap().does_bus_reject = true;
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&["0"]));
    assert_eq!(counts(&services), (1, 0, 0));
    let error = answer_in(&services, event("spring"), 120).await.0.unwrap_err();
    assert_eq!(error.name, ErrorName::ServiceUnavailable);
    assert!(error.message.contains("InternalException"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_put_on_the_bus_though_the_topic_fails() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    services.lock().unwrap().is_topic_down = true;
    let (answer, metrics) = answer_in(&services, batch_of(&["spring"]), 120).await;
    assert_eq!(serde_json::to_value(answer.unwrap()).unwrap(), failures(&["0"]));
    assert_eq!((counts(&services), metrics.len()), ((0, 1, 0), 0));
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_batch_fails_for_itself() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    let mut foreign = execution("foreign", "FAILED", 0);
    foreign.state_machine_arn = MACHINE.replace("audience", "another");
    add(&services, foreign);
    let bodies = [
        "SECRET".to_owned(),
        json!({"detail": "SECRET"}).to_string(),
        event("foreign").to_string(),
        event("spring").to_string(),
    ];
    assert_eq!(answer(&services, batch(&bodies)).await, failures(&["0", "1", "2"]));
    assert_eq!(keys(&services), ["outcomes/audience/2026-11-22/spring-0.json"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_is_not_quoted() {
    for body in [Some("SECRET"), Some("{\"detail\": \"SECRET\"}"), None] {
        let error = read_message(body).unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(!error.message.contains("SECRET"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn six_failures_of_a_batch_are_one_notification() {
    let services = services();
    let failed = ["a", "b", "c", "d", "e", "f"];
    for name in failed {
        add(&services, execution(name, "FAILED", 0));
    }
    add(&services, execution("spring", "SUCCEEDED", 0));
    assert_eq!(answer(&services, batch_of(&["a", "b", "c", "spring", "d", "e", "f"])).await, failures(&[]));
    assert_eq!(counts(&services), (2, 7, 7));
    let subjects: Vec<_> = services.lock().unwrap().notifications.iter().map(|(subject, _)| subject.clone()).collect();
    assert_eq!(subjects, ["6 runs failed", "Audience ready: spring-runners"]);
    let body = services.lock().unwrap().notifications[0].1.clone();
    assert!(failed.iter().all(|name| body.contains(&format!("{name} (audience, InvalidSeed)"))), "{body}");
}

#[tokio::test(start_paused = true)]
async fn five_failures_of_a_batch_are_notified_separately() {
    let services = services();
    let failed = ["a", "b", "c", "d", "e"];
    for name in failed {
        add(&services, execution(name, "FAILED", 0));
    }
    assert_eq!(answer(&services, batch_of(&failed)).await, failures(&[]));
    assert_eq!(counts(&services), (5, 5, 5));
}

#[tokio::test(start_paused = true)]
async fn a_failed_digest_fails_the_messages_of_its_runs() {
    let services = services();
    let failed = ["a", "b", "c", "d", "e", "f"];
    for name in failed {
        add(&services, execution(name, "FAILED", 0));
    }
    services.lock().unwrap().is_topic_down = true;
    assert_eq!(answer(&services, batch_of(&failed)).await, failures(&["0", "1", "2", "3", "4", "5"]));
    assert_eq!(counts(&services), (0, 6, 0));
    services.lock().unwrap().is_topic_down = false;
    assert_eq!(answer(&services, batch_of(&failed)).await, failures(&[]));
    assert_eq!(counts(&services), (1, 12, 6));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_runs_again_is_skipped() {
    let services = services();
    add(&services, execution("spring", "RUNNING", 0));
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&[]));
    assert_eq!(counts(&services), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_redriven_run_has_a_second_record() {
    let services = services();
    add(&services, execution("spring", "FAILED", 0));
    answer(&services, batch_of(&["spring"])).await;
    let mut redriven = execution("spring", "SUCCEEDED", 0);
    redriven.redrive_count = Some(1);
    add(&services, redriven);
    assert_eq!(answer(&services, batch_of(&["spring"])).await, failures(&[]));
    let [first, second] = [0, 1].map(|count| format!("outcomes/audience/2026-11-22/spring-{count}.json"));
    assert_eq!(keys(&services), [first, second]);
    assert_eq!(counts(&services), (2, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn no_outcome_is_begun_when_the_time_is_short() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    let (answer, _) = answer_in(&services, batch_of(&["spring"]), 29).await;
    assert_eq!(serde_json::to_value(answer.unwrap()).unwrap(), failures(&["0"]));
    assert_eq!(counts(&services), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_publishes_the_outcomes_that_were_missed() {
    let services = services();
    add(&services, execution("missed", "SUCCEEDED", 0));
    add(&services, execution("older", "FAILED", 30 * 86_400));
    assert_eq!(answer(&services, hourly()).await, published(2));
    let recorded = ["outcomes/audience/2026-10-23/older-0.json", "outcomes/audience/2026-11-22/missed-0.json"];
    assert_eq!(keys(&services), recorded);
    assert_eq!(answer(&services, hourly()).await, published(0));
    assert_eq!(counts(&services), (2, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_leaves_recorded_recent_running_and_old_runs_alone() {
    let services = services();
    add(&services, execution("recorded", "FAILED", 60));
    answer(&services, batch_of(&["recorded"])).await;
    // It ended 14 minutes ago.
    add(&services, execution("recent", "FAILED", STOP - NOW + 14 * 60));
    add(&services, execution("running", "RUNNING", 0));
    add(&services, execution("old", "FAILED", 31 * 86_400));
    assert_eq!(answer(&services, hourly()).await, published(0));
    assert_eq!(counts(&services), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_lists_the_records_of_a_day_once() {
    let services = services();
    for (name, earlier) in [("a", 0), ("b", 60), ("c", 120), ("d", 86_400)] {
        add(&services, execution(name, "FAILED", earlier));
    }
    for name in ["a", "b", "c", "d"] {
        answer(&services, batch_of(&[name])).await;
    }
    services.lock().unwrap().lists_of_records.clear();
    assert_eq!(answer(&services, hourly()).await, published(0));
    let days = ["outcomes/audience/2026-11-22/", "outcomes/audience/2026-11-21/"];
    assert_eq!(services.lock().unwrap().lists_of_records, days);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_reads_no_page_after_the_first_old_run() {
    let services = services();
    for (name, days) in [("a", 0), ("b", 32), ("c", 33), ("d", 34)] {
        add(&services, execution(name, "FAILED", days * 86_400));
    }
    assert_eq!(answer(&services, hourly()).await, published(1));
    // One page of each workflow.
    assert_eq!(services.lock().unwrap().lists_of_executions, 2);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_without_time_stops_and_the_next_one_continues() {
    let services = services();
    add(&services, execution("missed", "FAILED", 0));
    let (answer_without_time, _) = answer_in(&services, hourly(), 29).await;
    assert_eq!(serde_json::to_value(answer_without_time.unwrap()).unwrap(), published(0));
    assert_eq!(services.lock().unwrap().lists_of_executions, 0);
    assert_eq!(answer(&services, hourly()).await, published(1));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_tries_every_outcome_and_then_fails() {
    let services = services();
    for (name, earlier) in [("a", 0), ("b", 60), ("c", 120)] {
        add(&services, execution(name, "FAILED", earlier));
    }
    services.lock().unwrap().failed_writes.push_back(403);
    assert!(answer_in(&services, hourly(), 120).await.0.is_err());
    assert_eq!(counts(&services), (3, 3, 2));
    assert_eq!(answer(&services, hourly()).await, published(1));
}

#[tokio::test(start_paused = true)]
async fn a_redriven_run_that_was_missed_is_swept() {
    let services = services();
    add(&services, execution("spring", "FAILED", 0));
    answer(&services, batch_of(&["spring"])).await;
    let mut redriven = execution("spring", "SUCCEEDED", 0);
    redriven.redrive_count = Some(1);
    add(&services, redriven);
    assert_eq!(answer(&services, hourly()).await, published(1));
}

/// The line whose dimensions are these.
fn line<'l>(lines: &'l [Value], dimensions: &Value) -> &'l Value {
    let is = |line: &&Value| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == json!([dimensions]);
    lines.iter().find(is).unwrap()
}

#[tokio::test(start_paused = true)]
async fn metrics_are_lines_of_the_embedded_metric_format() {
    let services = services();
    add(&services, execution("spring", "SUCCEEDED", 0));
    let (_, lines) = answer_in(&services, batch_of(&["spring"]), 120).await;
    let run = line(&lines, &json!(["Stack", "Workflow", "Outcome"]));
    assert_eq!(run["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Lookalike");
    assert_eq!(run["_aws"]["Timestamp"], NOW * 1000);
    assert_eq!(
        (&run["Stack"], &run["Workflow"], &run["Outcome"]),
        (&json!("my-stack"), &json!("Audience"), &json!("Ready"))
    );
    assert_eq!((&run["Runs"], &run["RunSeconds"]), (&json!(1.0), &json!(12_303.0)));
    let metrics = run["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    assert!(metrics.contains(&json!({"Name": "Runs", "Unit": "Count"})), "{metrics:?}");
    assert!(metrics.contains(&json!({"Name": "RunSeconds", "Unit": "Seconds"})), "{metrics:?}");
    let audience = line(&lines, &json!(["Stack", "Workflow"]));
    for (name, value) in [
        ("SeedUsers", 724.0),
        ("UniqueSeedUsers", 700.0),
        ("Recall", 0.62),
        ("Relevance", 0.71),
        ("QuotaWaits", 2.0),
        ("StatusChecks", 31.0),
    ] {
        assert_eq!(audience[name], json!(value), "{name}");
    }
    assert_eq!(lines.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_counted_by_its_error() {
    let services = services();
    add(&services, execution("spring", "FAILED", 0));
    let (_, lines) = answer_in(&services, batch_of(&["spring"]), 120).await;
    assert_eq!(line(&lines, &json!(["Stack", "Workflow", "Outcome"]))["Outcome"], "Failed");
    let by_error = line(&lines, &json!(["Stack", "Workflow", "Error"]));
    assert_eq!((&by_error["Error"], &by_error["Runs"]), (&json!("InvalidSeed"), &json!(1.0)));
    assert_eq!(lines.len(), 2);
}
