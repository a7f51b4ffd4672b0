#![allow(clippy::unwrap_used)]
use std::sync::Mutex;

use aws_sdk_sfn::operation::start_execution::{StartExecutionError, StartExecutionOutput};
use aws_sdk_sfn::types::error::{ExecutionAlreadyExists, StateMachineDoesNotExist};
use aws_smithy_async::time::TimeSource;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_types::error::ErrorMetadata;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:audience";

/// Each time that it is read, a step later.
#[derive(Debug)]
struct Steps(Mutex<SystemTime>, Duration);

impl TimeSource for Steps {
    fn now(&self) -> SystemTime {
        let mut now = self.0.lock().unwrap();
        *now += self.1;
        *now
    }
}

fn function(rules: &[&Rule], step: Duration) -> ReceiveUpload {
    let workflows = Workflows { audience: MACHINE.into(), segment: MACHINE.replace("audience", "segment") };
    let clock = SharedTimeSource::new(Steps(Mutex::new(SystemTime::UNIX_EPOCH), step));
    ReceiveUpload { sfn: mock_client!(aws_sdk_sfn, RuleMode::MatchAny, rules), workflows, clock }
}

fn event(key: &str) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3",
        "account": "123456789012", "time": "2026-11-22T16:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"version": "0", "bucket": {"name": "b"}, "object": {
            "key": key, "size": 7, "etag": "e", "version-id": "v", "sequencer": "s"}},
    })
}

/// A batch of messages with these bodies, whose ids are `m0`, `m1` and so on.
fn batch<B: ToString>(bodies: impl IntoIterator<Item = B>) -> Value {
    let message = |(index, body): (usize, B)| json!({"messageId": format!("m{index}"), "body": body.to_string()});
    json!({"Records": bodies.into_iter().enumerate().map(message).collect::<Vec<_>>()})
}

fn started() -> StartExecutionOutput {
    let now = aws_sdk_sfn::primitives::DateTime::from_secs(0);
    StartExecutionOutput::builder().execution_arn("arn").start_date(now).build().unwrap()
}

/// Accepts the starts of executions whose names begin so.
fn accepts(prefix: &'static str) -> Rule {
    mock!(Client::start_execution)
        .match_requests(move |request| request.name().is_some_and(|name| name.starts_with(prefix)))
        .then_output(started)
}

/// Rejects the starts of executions whose names begin so with this error, as often as they are tried.
fn rejects(prefix: &'static str, error: impl Fn() -> StartExecutionError + Send + Sync + 'static) -> Rule {
    mock!(Client::start_execution)
        .match_requests(move |request| request.name().is_some_and(|name| name.starts_with(prefix)))
        .then_error(error)
}

fn code(code: &str) -> StartExecutionError {
    StartExecutionError::generic(ErrorMetadata::builder().code(code).message("Rate exceeded").build())
}

async fn failed(function: &ReceiveUpload, event: Value) -> Vec<String> {
    let answer = function.handle(event).await.unwrap();
    answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

#[tokio::test]
async fn an_upload_starts_an_execution_with_its_name_and_place() {
    let rule = mock!(Client::start_execution)
        .match_requests(|request| {
            let input: Value = serde_json::from_str(request.input().unwrap()).unwrap();
            request.state_machine_arn() == Some(MACHINE)
                && request.name().unwrap().starts_with("a-b-c-")
                && input
                    == json!({"upload": {"bucket": "b", "key": "seeds/a b+c.jsonl", "versionId": "v",
                        "etag": "e", "sequencer": "s", "size": 7}})
        })
        .then_output(started);
    let function = function(&[&rule], Duration::ZERO);
    assert!(failed(&function, batch([event("seeds/a b+c.jsonl")])).await.is_empty());
    assert_eq!(rule.num_calls(), 1);
}

#[tokio::test]
async fn a_segment_request_starts_the_segment_workflow() {
    let rule = mock!(Client::start_execution)
        .match_requests(|request| request.state_machine_arn().is_some_and(|arn| arn.ends_with(":segment")))
        .then_output(started);
    let function = function(&[&rule], Duration::ZERO);
    assert!(failed(&function, batch([event("segments/spring.json")])).await.is_empty());
    assert_eq!(rule.num_calls(), 1);
}

#[tokio::test]
async fn an_upload_that_has_a_run_already_is_not_a_failure() {
    let exists =
        || StartExecutionError::ExecutionAlreadyExists(ExecutionAlreadyExists::builder().message("it exists").build());
    let rule = rejects("a-", exists);
    let function = function(&[&rule], Duration::ZERO);
    assert!(failed(&function, batch([event("seeds/a.jsonl"), event("seeds/a.jsonl")])).await.is_empty());
    assert_eq!(rule.num_calls(), 2);
}

#[tokio::test]
async fn an_object_that_starts_nothing_is_not_a_failure() {
    let function = function(&[], Duration::ZERO);
    let keys = ["seeds/folder/", "seeds/_SUCCESS", "segments/items.jsonl", "checked/a.jsonl"];
    assert!(failed(&function, batch(keys.map(event))).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_of_ten_only_the_failed_starts_are_delivered_again() {
    let (accepts, throttles) = (accepts("good-"), rejects("throttled-", || code("ThrottlingException")));
    let missing = rejects("missing-", || {
        let missing = StateMachineDoesNotExist::builder().message("not there");
        StartExecutionError::StateMachineDoesNotExist(missing.build())
    });
    let function = function(&[&accepts, &throttles, &missing], Duration::ZERO);
    let keys = (0..10).map(|number| match number {
        3 => event("seeds/throttled.jsonl"),
        7 => event("requests/missing.json"),
        number => event(&format!("seeds/good-{number}.jsonl")),
    });
    assert_eq!(failed(&function, batch(keys)).await, ["m3", "m7"]);
    assert_eq!(accepts.num_calls(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_available_fails_the_message() {
    let rule = rejects("a-", || code("ServiceUnavailable"));
    let function = function(&[&rule], Duration::ZERO);
    assert_eq!(failed(&function, batch([event("seeds/a.jsonl")])).await, ["m0"]);
}

#[tokio::test]
async fn a_message_that_is_not_an_upload_fails_and_the_others_start() {
    let rule = accepts("a-");
    let function = function(&[&rule], Duration::ZERO);
    let mut deleted = event("seeds/a.jsonl");
    deleted["detail-type"] = json!("Object Deleted");
    let mut other = event("seeds/a.jsonl");
    other["source"] = json!("lookalike");
    let bodies = [json!("no event"), deleted, event("seeds/a.jsonl"), other, json!({"detail": {}})];
    assert_eq!(failed(&function, batch(bodies)).await, ["m0", "m1", "m3", "m4"]);
    assert_eq!(rule.num_calls(), 1);
}

#[tokio::test]
async fn a_message_without_a_body_fails() {
    let function = function(&[], Duration::ZERO);
    assert_eq!(failed(&function, json!({"Records": [{"messageId": "m0"}]})).await, ["m0"]);
}

#[tokio::test]
async fn no_start_begins_with_less_than_five_seconds_left() {
    let rule = accepts("a-");
    // The clock is read once for the batch and once for each upload: at 10, 20 and 30 s of the function's 30.
    let function = function(&[&rule], Duration::from_secs(10));
    assert_eq!(
        failed(&function, batch(["a", "a", "a"].map(|name| event(&format!("seeds/{name}.jsonl"))))).await,
        ["m2"]
    );
    assert_eq!(rule.num_calls(), 2);
}

#[tokio::test]
async fn an_event_that_is_not_a_batch_is_an_error() {
    let function = function(&[], Duration::ZERO);
    let error = function.handle(event("seeds/a.jsonl")).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
}

#[tokio::test]
async fn the_answer_is_what_lambda_reads() {
    let function = function(&[], Duration::ZERO);
    let answer = function.handle(batch(["no event"])).await.unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"batchItemFailures": [{"itemIdentifier": "m0"}]}));
}

#[tokio::test]
async fn the_sample_event_starts_an_execution() {
    let rule = accepts("spring-runners-");
    let sample = serde_json::from_str(include_str!("../../../tests/events/receive-upload.json")).unwrap();
    assert!(failed(&function(&[&rule], Duration::ZERO), sample).await.is_empty());
    assert_eq!(rule.num_calls(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A message is `true` if its start is accepted, and `None` if it is not an upload.
    #[test]
    fn exactly_the_messages_that_failed_are_delivered_again(messages in prop::collection::vec(any::<Option<bool>>(), 0..=10)) {
        let bodies = messages.iter().map(|message| match message {
            Some(true) => event("seeds/good.jsonl"),
            Some(false) => event("seeds/bad.jsonl"),
            None => json!({"detail-type": "Object Created"}),
        });
        let (accepts, rejects) = (accepts("good-"), rejects("bad-", || code("AccessDeniedException")));
        let function = function(&[&accepts, &rejects], Duration::ZERO);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut again = runtime.block_on(failed(&function, batch(bodies)));
        again.sort_by_key(|id| id[1..].parse::<usize>().unwrap());
        let expected = messages.iter().enumerate().filter(|(_, message)| **message != Some(true));
        prop_assert_eq!(again, expected.map(|(index, _)| format!("m{index}")).collect::<Vec<_>>());
        prop_assert_eq!(accepts.num_calls(), messages.iter().filter(|message| **message == Some(true)).count());
    }
}
