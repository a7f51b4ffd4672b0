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

fn audience_ready() -> Value {
    json!({
        "source": "lookalike", "detail-type": "Audience Ready", "resources": ["arn:run"], "detail": {"version": "1"},
    })
}

/// A queue of messages, and functions and an event bus that answer in turn: with a success, or with an error.
struct Queue {
    messages: VecDeque<Value>,
    answers: VecDeque<Option<&'static str>>,
    delivered: Vec<(String, Value)>,
    published: Vec<Value>,
    deleted: Vec<String>,
}

impl World for Queue {
    type Event = ();

    fn invoke(&mut self, call: Call, _: &mut StepFunctions<()>) -> Reply {
        match &*call.state {
            "TakeLetter" => {
                assert_eq!(&*call.resource, "arn:aws:states:::aws-sdk:sqs:receiveMessage");
                assert!(call.arguments["VisibilityTimeout"].as_u64().unwrap() > 900);
                let result = self.messages.pop_front().map_or(json!({}), |message| json!({ "Messages": [message] }));
                Reply::After(Duration::ZERO, result)
            }
            "DeleteLetter" => {
                self.deleted.push(call.arguments["ReceiptHandle"].as_str().unwrap().to_owned());
                Reply::After(Duration::ZERO, json!({}))
            }
            "PublishEvent" => {
                assert_eq!(&*call.resource, "arn:aws:states:::events:putEvents");
                self.published.push(call.arguments["Entries"][0].clone());
                match self.answers.pop_front().unwrap() {
                    None => Reply::After(Duration::ZERO, json!({"Entries": [{"EventId": "e"}], "FailedEntryCount": 0})),
                    Some(error) => Reply::FailureAfter(Duration::ZERO, Failure::new(error, "because")),
                }
            }
            _ => {
                let function = call.arguments["FunctionName"].as_str().unwrap().to_owned();
                self.delivered.push((function, call.arguments["Payload"].clone()));
                match self.answers.pop_front().unwrap() {
                    None => Reply::payload_after(Duration::ZERO, json!({})),
                    Some(error) => Reply::FailureAfter(Duration::ZERO, Failure::of_function(error, "because")),
                }
            }
        }
    }

    fn handle(&mut self, (): (), _: &mut StepFunctions<()>) {}

    fn execution_ended(&mut self, _: ExecutionId, _: &mut StepFunctions<()>) {}
}

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
    let mut queue = Queue {
        messages: bodies.iter().enumerate().map(|(index, body)| message(index, body)).collect(),
        answers: answers.iter().copied().collect(),
        delivered: Vec::new(),
        published: Vec::new(),
        deleted: Vec::new(),
    };
    let mut steps = StepFunctions::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 7);
    let machine = Rc::new(StateMachine::new("dead-letters", definition("dead-letters.asl.json")));
    let id = steps.start_execution(&machine, "run", json!({})).unwrap();
    steps.run(&mut queue);
    let execution = steps.execution(id);
    (Ended { status: execution.status().clone(), events: execution.usage().events }, queue)
}

fn fails(execution: &Ended, parts: &[&str]) {
    let ExecutionStatus::Failed(failure) = &execution.status else {
        panic!("the run has not failed: {:?}", execution.status)
    };
    assert_eq!(failure.error, "LettersLeft");
    let cause = failure.cause.as_deref().unwrap();
    for part in parts {
        assert!(cause.contains(part), "{part:?} is not in {cause:?}");
    }
}

#[test]
fn an_empty_queue_is_a_success() {
    let (execution, queue) = drive(&[], &[]);
    assert_eq!(execution.status, ExecutionStatus::Succeeded(json!({"delivered": 0})));
    assert!(queue.delivered.is_empty());
}

#[test]
fn each_message_is_delivered_to_its_function_and_deleted() {
    let record = json!({
        "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": upload(), "responsePayload": {},
    });
    let (execution, queue) = drive(&[upload(), end(), record, daily()], &[None; 4]);
    assert_eq!(execution.status, ExecutionStatus::Succeeded(json!({"delivered": 4})));
    let (functions, events): (Vec<String>, Vec<Value>) = queue.delivered.into_iter().unzip();
    for (function, name) in functions.iter().zip(["ReceiveUpload", "PublishOutcome", "ReceiveUpload", "DeleteAudiences"]) {
        assert!(function.contains(name), "{function}");
    }
    assert_eq!(events, [upload(), end(), upload(), daily()]);
    assert_eq!(queue.deleted, ["r0", "r1", "r2", "r3"]);
}

#[test]
fn a_message_that_fails_again_stays_in_the_queue() {
    let (execution, queue) = drive(&[upload(), end(), upload()], &[None, Some("AccessDenied"), None]);
    fails(&execution, &["2 delivered, 1 not", "m1 (AccessDenied)"]);
    assert_eq!(queue.deleted, ["r0", "r2"]);
}

#[test]
fn a_message_for_no_function_stays_in_the_queue() {
    let (execution, queue) = drive(&[other(), upload()], &[None]);
    fails(&execution, &["1 delivered, 1 not", "m0 ("]);
    assert_eq!(queue.deleted, ["r1"]);
}

#[test]
fn messages_that_all_fail_are_each_tried_once() {
    let (execution, queue) = drive(&vec![upload(); 12], &[Some("NotFound"); 12]);
    fails(&execution, &["0 delivered, 12 not", "and more"]);
    assert_eq!(queue.delivered.len(), 12);
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
    assert!(queue.delivered.is_empty());
    assert_eq!(queue.deleted, ["r0"]);
}

#[test]
fn a_full_history_ends_the_run_before_another_message_is_taken() {
    let (execution, queue) = drive(&vec![upload(); 901], &vec![None; 901]);
    fails(&execution, &["900 delivered", "may have more messages"]);
    assert_eq!((queue.delivered.len(), queue.messages.len()), (900, 1));
}

#[test]
fn as_many_messages_as_a_run_takes_fit_into_one_history() {
    let (execution, queue) = drive(&vec![upload(); 901], &vec![None; 901]);
    assert_eq!(queue.deleted.len(), 900);
    assert!(execution.events < 18_400, "{} events", execution.events);
}
