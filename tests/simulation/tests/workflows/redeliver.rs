//! The workflow that delivers the messages of the dead-letter queue again.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use simulation::asl::{
    Call, ExecutionId, ExecutionStatus, Failure, Reply, StateMachine, StepFunctions, Timestamp, World,
};

use crate::scripted::definition;

fn upload() -> Value {
    json!({"detail-type": "Object Created", "detail": {"object": {"key": "seeds/a.jsonl"}}})
}

fn end() -> Value {
    json!({"detail-type": "Step Functions Execution Status Change", "detail": {"name": "run"}})
}

fn daily() -> Value {
    json!({"detail-type": "Scheduled Event", "detail": {}})
}

fn other() -> Value {
    json!({"detail-type": "Something Else", "detail": {}})
}

/// The record of an invocation that Lambda gave up.
fn record(event: &Value) -> Value {
    json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event, "responsePayload": {}})
}

fn audience_ready() -> Value {
    json!({
        "source": "lookalike", "detail-type": "Audience Ready", "resources": ["arn:run"], "detail": {"version": "1"},
    })
}

/// The dead-letter queue. Deliveries are answered in turn: with a success, or with an error.
struct Queue {
    messages: VecDeque<Value>,
    answers: VecDeque<Option<&'static str>>,
    /// How often each task fails before it succeeds.
    failures_before_success: u32,
    failures: u32,
    invoked: Vec<(String, Value)>,
    sent: Vec<Value>,
    published: Vec<Value>,
    deleted: Vec<String>,
}

impl Queue {
    fn new(bodies: &[Value], answers: &[Option<&'static str>]) -> Self {
        Self {
            messages: bodies.iter().enumerate().map(|(index, body)| message(index, body)).collect(),
            answers: answers.iter().copied().collect(),
            failures_before_success: 0,
            failures: 0,
            invoked: Vec::new(),
            sent: Vec::new(),
            published: Vec::new(),
            deleted: Vec::new(),
        }
    }

    /// Answers a delivery.
    fn answer(&mut self, result: Value) -> Reply {
        match self.answers.pop_front().unwrap() {
            None => Reply::After(Duration::ZERO, result),
            Some(error) => Reply::FailureAfter(Duration::ZERO, Failure::of_function(error, "because")),
        }
    }
}

impl World for Queue {
    type Event = ();

    fn invoke(&mut self, call: Call, _: &mut StepFunctions<()>) -> Reply {
        if self.failures < self.failures_before_success {
            self.failures += 1;
            return Reply::FailureAfter(Duration::ZERO, Failure::of_function("Throttled", "because"));
        }
        self.failures = 0;
        let resource = call.resource.strip_prefix("arn:aws:states:::").unwrap();
        match (&*call.state, resource) {
            ("ReceiveMessage", "aws-sdk:sqs:receiveMessage") => {
                assert_eq!(call.arguments["QueueUrl"], "${DeadLetterQueueUrl}");
                assert!(call.arguments["VisibilityTimeout"].as_u64().unwrap() > 900);
                let result = self.messages.pop_front().map_or(json!({}), |message| json!({ "Messages": [message] }));
                Reply::After(Duration::ZERO, result)
            }
            ("DeleteMessage", "aws-sdk:sqs:deleteMessage") => {
                self.deleted.push(call.arguments["ReceiptHandle"].as_str().unwrap().to_owned());
                Reply::After(Duration::ZERO, json!({}))
            }
            ("PublishEvent", "events:putEvents") => {
                self.published.push(call.arguments["Entries"][0].clone());
                self.answer(json!({"Entries": [{"EventId": "e"}], "FailedEntryCount": 0}))
            }
            ("SendUpload", "sqs:sendMessage") => {
                assert_eq!(call.arguments["QueueUrl"], "${UploadQueueUrl}");
                self.sent.push(serde_json::from_str(call.arguments["MessageBody"].as_str().unwrap()).unwrap());
                self.answer(json!({"MessageId": "m"}))
            }
            ("InvokeFunction", "lambda:invoke") => {
                let function = call.arguments["FunctionName"].as_str().unwrap().to_owned();
                self.invoked.push((function, call.arguments["Payload"].clone()));
                self.answer(json!({"Payload": {}}))
            }
            (state, resource) => panic!("{state} calls {resource}"),
        }
    }

    fn handle(&mut self, (): (), _: &mut StepFunctions<()>) {}

    fn execution_ended(&mut self, _: ExecutionId, _: &mut StepFunctions<()>) {}
}

/// No run of a workflow has so many events; a history has room for 25,000.
const MAX_EVENTS: u32 = 18_400;

/// How the execution ended.
struct Ended {
    status: ExecutionStatus,
    events: u32,
}

fn message(index: usize, body: &Value) -> Value {
    json!({"MessageId": format!("m{index}"), "ReceiptHandle": format!("r{index}"), "Body": body.to_string()})
}

/// Runs the workflow over a queue of these bodies. Each delivery has one answer: an error, or none.
fn drive(bodies: &[Value], answers: &[Option<&'static str>]) -> (Ended, Queue) {
    drive_queue(Queue::new(bodies, answers))
}

fn drive_queue(mut queue: Queue) -> (Ended, Queue) {
    let mut steps = StepFunctions::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 7);
    let machine = Rc::new(StateMachine::new("redeliver", definition("redeliver.asl.json")));
    let id = steps.start_execution(&machine, "run", json!({})).unwrap();
    steps.run(&mut queue);
    let execution = steps.execution(id);
    (Ended { status: execution.status().clone(), events: execution.usage().events }, queue)
}

fn fails(execution: &Ended, parts: &[&str]) {
    let ExecutionStatus::Failed(failure) = &execution.status else {
        panic!("the run has not failed: {:?}", execution.status)
    };
    assert_eq!(failure.error, "MessagesLeft");
    let cause = failure.cause.as_deref().unwrap();
    for part in parts {
        assert!(cause.contains(part), "{part:?} is not in {cause:?}");
    }
}

#[test]
fn an_empty_queue_is_a_success() {
    let (execution, queue) = drive(&[], &[]);
    assert_eq!(execution.status, ExecutionStatus::Succeeded(json!({"delivered": 0})));
    assert!(queue.invoked.is_empty() && queue.sent.is_empty());
}

#[test]
fn an_upload_is_sent_to_the_upload_queue_and_deleted() {
    let (execution, queue) = drive(&[upload(), upload()], &[None; 2]);
    assert_eq!(execution.status, ExecutionStatus::Succeeded(json!({"delivered": 2})));
    assert_eq!(queue.sent, [upload(), upload()]);
    assert!(queue.invoked.is_empty());
    assert_eq!(queue.deleted, ["r0", "r1"]);
}

#[test]
fn the_upload_in_a_record_of_lambda_is_sent_to_the_upload_queue() {
    let (execution, queue) = drive(&[record(&upload())], &[None]);
    assert_eq!(execution.status, ExecutionStatus::Succeeded(json!({"delivered": 1})));
    assert_eq!(queue.sent, [upload()]);
}

#[test]
fn another_message_invokes_its_function_and_is_deleted() {
    let (execution, queue) = drive(&[end(), record(&daily()), daily()], &[None; 3]);
    assert_eq!(execution.status, ExecutionStatus::Succeeded(json!({"delivered": 3})));
    let (functions, events): (Vec<String>, Vec<Value>) = queue.invoked.into_iter().unzip();
    for (function, name) in functions.iter().zip(["PublishOutcome", "DeleteAudiences", "DeleteAudiences"]) {
        assert!(function.contains(name), "{function}");
    }
    assert_eq!(events, [end(), daily(), daily()]);
    assert!(queue.sent.is_empty());
    assert_eq!(queue.deleted, ["r0", "r1", "r2"]);
}

/// An input or a key can hold any text, which JSON escapes.
#[test]
fn a_text_that_looks_like_an_upload_is_not_taken_for_one() {
    let mut event = end();
    event["detail"]["input"] = json!(upload().to_string());
    let (_, queue) = drive(&[event.clone()], &[None]);
    assert!(queue.sent.is_empty());
    assert_eq!(queue.invoked[0].1, event);
}

#[test]
fn an_upload_that_cannot_be_sent_stays_in_the_queue() {
    let (execution, queue) = drive(&[upload()], &[Some("Sqs.AccessDenied"); 4]);
    fails(&execution, &["0 messages were delivered, 1 were not", "m0 (Sqs.AccessDenied)"]);
    assert!(queue.deleted.is_empty());
}

#[test]
fn a_message_that_fails_again_stays_in_the_queue() {
    let (execution, queue) = drive(&[upload(), end(), upload()], &[None, Some("AccessDenied"), None]);
    fails(&execution, &["2 messages were delivered, 1 were not", "m1 (AccessDenied)"]);
    assert_eq!(queue.deleted, ["r0", "r2"]);
}

#[test]
fn a_message_for_no_function_stays_in_the_queue() {
    let (execution, queue) = drive(&[other(), upload()], &[None]);
    fails(&execution, &["1 messages were delivered, 1 were not", "m0 ("]);
    assert_eq!(queue.deleted, ["r1"]);
}

#[test]
fn messages_that_all_fail_are_each_tried_once() {
    let (execution, queue) = drive(&vec![end(); 12], &[Some("NotFound"); 12]);
    fails(&execution, &["0 messages were delivered, 12 were not", "and more"]);
    assert_eq!(queue.invoked.len(), 12);
    assert!(queue.deleted.is_empty());
}

#[test]
fn an_event_of_the_bus_is_published_again() {
    let (execution, queue) = drive(&[audience_ready()], &[None]);
    assert_eq!(execution.status, ExecutionStatus::Succeeded(json!({"delivered": 1})));
    let entry = json!({
        "EventBusName": "${EventBusName}", "Source": "lookalike", "DetailType": "Audience Ready",
        "Resources": ["arn:run"], "Detail": {"version": "1"},
    });
    assert_eq!(queue.published, [entry]);
    assert!(queue.invoked.is_empty() && queue.sent.is_empty());
    assert_eq!(queue.deleted, ["r0"]);
}

#[test]
fn a_full_history_ends_the_run_before_another_message_is_taken() {
    let (execution, queue) = drive(&vec![upload(); 901], &vec![None; 901]);
    fails(&execution, &["900 messages were delivered", "can have more messages"]);
    assert_eq!((queue.sent.len(), queue.messages.len()), (900, 1));
}

#[test]
fn a_full_run_stays_below_the_limit_of_events() {
    let (execution, queue) = drive(&vec![upload(); 901], &vec![None; 901]);
    assert_eq!(queue.deleted.len(), 900);
    assert!(execution.events < MAX_EVENTS, "{} events", execution.events);
}

/// Each task succeeds with its last retry, so each message has as many events as it can have.
#[test]
fn retries_count_so_that_a_run_stays_below_the_limit_of_events() {
    for body in [upload(), end()] {
        let mut queue = Queue::new(&vec![body; 901], &vec![None; 901]);
        queue.failures_before_success = 3;
        let (execution, queue) = drive_queue(queue);
        fails(&execution, &["can have more messages"]);
        assert!(queue.deleted.len() > 300, "{} messages", queue.deleted.len());
        assert!(execution.events < MAX_EVENTS, "{} events", execution.events);
    }
}

#[test]
fn messages_that_fail_after_retries_stay_below_the_limit_of_events() {
    let (execution, queue) = drive(&vec![end(); 901], &vec![Some("Throttled"); 4 * 901]);
    fails(&execution, &["0 messages were delivered", "(Throttled)", "can have more messages"]);
    assert!(queue.invoked.len() > 1200, "{} attempts", queue.invoked.len());
    assert!(execution.events < MAX_EVENTS, "{} events", execution.events);
}
