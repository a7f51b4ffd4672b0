//! A world that answers each task as a case says.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use simulation::asl::{
    Call, Definition, ExecutionId, ExecutionStatus, Failure, Reply, StateMachine, StepFunctions, Timestamp, Usage,
    World,
};

pub(crate) const REPORT: &str = "s3://b/reports/run/index.html";

/// The end of a cause if a report was written.
pub(crate) fn report_text() -> String {
    format!(" Report: {REPORT}.")
}

/// One answer of a function.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Payload(Value),
    Failure(Failure),
}

impl From<Value> for Answer {
    fn from(payload: Value) -> Self {
        Self::Payload(payload)
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Returns the error of a function whose message is `because`.
pub(crate) fn failing(error: &str) -> Answer {
    Answer::Failure(Failure::of_function(error, "because"))
}

/// The answers of a case, by state. A state without an entry has its usual answer.
#[derive(Default)]
pub(crate) struct Script {
    answers: HashMap<&'static str, VecDeque<Answer>>,
    /// The answers of `StartExport` by the value of its size.
    exports: HashMap<u64, VecDeque<Answer>>,
    calls: Vec<(String, Value)>,
}

impl Script {
    pub(crate) fn answers<T: Into<Answer>>(
        mut self,
        state: &'static str,
        answers: impl IntoIterator<Item = T>,
    ) -> Self {
        self.answers.entry(state).or_default().extend(answers.into_iter().map(Into::into));
        self
    }

    pub(crate) fn export<T: Into<Answer>>(mut self, size: u64, answers: impl IntoIterator<Item = T>) -> Self {
        self.exports.entry(size).or_default().extend(answers.into_iter().map(Into::into));
        self
    }

    fn next(&mut self, state: &str, payload: &Value) -> Answer {
        if state == "StartExport" && !self.exports.is_empty() {
            let answers = self.exports.get_mut(&payload["audienceSize"]["value"].as_u64().unwrap()).unwrap();
            return answers.pop_front().unwrap();
        }
        match (self.answers.get_mut(state), state) {
            (Some(answers), "CheckExports") => match answers.pop_front() {
                Some(Answer::Payload(seen)) => Answer::Payload(status_check(&payload["exports"], &seen)),
                Some(failure) => failure,
                None => panic!("CheckExports was called once more than the case says"),
            },
            (Some(answers), _) => {
                answers.pop_front().unwrap_or_else(|| panic!("{state} was called once more than the case says"))
            }
            (None, "WriteReport") => json!({ "report": REPORT }).into(),
            (None, "StartExport") => json!({ "name": export_name(&payload["audienceSize"]) }).into(),
            (None, _) => panic!("the case has no answer for {state}"),
        }
    }
}

fn export_name(size: &Value) -> String {
    let unit = if size["type"] == "PERCENTAGE" { "pct" } else { "" };
    format!("spring-{}{unit}", size["value"])
}

/// Returns what the status check of all exports answers. `seen` has, by the value of a size, how its export ended, or
/// the seconds until the next check.
fn status_check(exports: &Value, seen: &Value) -> Value {
    let mut waits = Vec::new();
    let exports: Vec<Value> = exports
        .as_array()
        .unwrap()
        .iter()
        .map(|export| {
            let found = &seen[export["audienceSize"]["value"].to_string()];
            let mut export: Map<String, Value> = export.as_object().unwrap().clone();
            if !export.contains_key("startTime") {
                return Value::from(export);
            }
            if let Some(seconds) = found.as_u64() {
                waits.push(seconds);
                let running = json!({
                    "status": "CREATE_PENDING", "outputLocation": null, "createTime": null, "updateTime": null,
                });
                export.extend(running.as_object().unwrap().clone());
            } else {
                export.remove("startTime");
                export.extend(found.as_object().unwrap().clone());
            }
            Value::from(export)
        })
        .collect();
    let phase = if waits.is_empty() { "READY" } else { "RUNNING" };
    json!({ "phase": phase, "checkAfterSeconds": waits.iter().min(), "exports": exports })
}

impl World for Script {
    type Event = ();

    fn invoke(&mut self, call: Call, _: &mut StepFunctions<()>) -> Reply {
        let payload = call.arguments["Payload"].clone();
        self.calls.push((call.state.to_string(), payload.clone()));
        match self.next(&call.state, &payload) {
            Answer::Payload(payload) => Reply::payload_after(Duration::ZERO, payload),
            Answer::Failure(failure) => Reply::FailureAfter(Duration::ZERO, failure),
        }
    }

    fn handle(&mut self, (): (), _: &mut StepFunctions<()>) {}

    fn execution_ended(&mut self, _: ExecutionId, _: &mut StepFunctions<()>) {}
}

/// Reads a definition of this repository.
pub(crate) fn definition(file: &str) -> Definition {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../statemachine").join(file);
    Definition::parse(&std::fs::read_to_string(path).unwrap(), &[("Partition", "aws")]).unwrap()
}

/// How a run of a case went.
pub(crate) struct Run {
    pub(crate) status: ExecutionStatus,
    pub(crate) usage: Usage,
    calls: Vec<(String, Value)>,
    /// The wait states and their seconds.
    pub(crate) waits: Vec<(String, u64)>,
}

/// Runs a workflow with a script.
pub(crate) fn drive(file: &str, input: Value, mut script: Script) -> Run {
    let mut steps = StepFunctions::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap(), 7);
    let machine = Rc::new(StateMachine::new("workflow", definition(file)));
    let id = steps.start_execution(&machine, "run", input).unwrap();
    steps.run(&mut script);
    let execution = steps.execution(id);
    let waits = execution
        .entries()
        .windows(2)
        .filter(|pair| pair[0].state.starts_with("WaitFor"))
        .map(|pair| (pair[0].state.to_string(), pair[1].time.since(pair[0].time).as_secs()))
        .collect();
    Run { status: execution.status().clone(), usage: execution.usage().clone(), calls: script.calls, waits }
}

impl Run {
    /// Returns the output of a run that succeeded.
    pub(crate) fn output(&self) -> &Value {
        match &self.status {
            ExecutionStatus::Succeeded(output) => output,
            other => panic!("the run has not succeeded: {other:?}"),
        }
    }

    /// Returns the cause of a run that failed with this error.
    pub(crate) fn cause(&self, error: &str) -> &str {
        match &self.status {
            ExecutionStatus::Failed(failure) if failure.error == error => failure.cause.as_deref().unwrap(),
            other => panic!("the run has not failed with {error}: {other:?}"),
        }
    }

    /// Asserts that the run failed with this error and that its cause contains these texts.
    pub(crate) fn fails(&self, error: &str, parts: &[&str]) {
        let cause = self.cause(error);
        for part in parts {
            assert!(cause.contains(part), "{part:?} is not in {cause:?}");
        }
    }

    /// Returns the payloads that a state's function was called with.
    pub(crate) fn payloads(&self, state: &str) -> Vec<&Value> {
        self.calls.iter().filter(|(name, _)| name == state).map(|(_, payload)| payload).collect()
    }

    /// Returns one field of each payload that a state's function was called with.
    pub(crate) fn payload_fields(&self, state: &str, pointer: &str) -> Vec<&Value> {
        self.payloads(state).into_iter().map(|payload| payload.pointer(pointer).unwrap()).collect()
    }

    /// Returns the seconds of all waits.
    pub(crate) fn wait_seconds(&self) -> Vec<u64> {
        self.waits.iter().map(|(_, seconds)| *seconds).collect()
    }

    pub(crate) fn called_states(&self) -> Vec<&str> {
        self.calls.iter().map(|(state, _)| state.as_str()).collect()
    }
}

/// Returns the object with some fields replaced.
pub(crate) fn with(base: &Value, changes: Value) -> Value {
    let mut object = base.as_object().unwrap().clone();
    if let Value::Object(changes) = changes {
        object.extend(changes);
    }
    Value::from(object)
}

fn empty_status() -> Value {
    json!({
        "statusCode": null, "message": null, "createTime": null, "updateTime": null, "checkAfterSeconds": null,
        "metrics": null, "exportSizes": null, "outputLocation": null, "error": null, "cause": null,
    })
}

/// Returns the answer of a status check: the job runs, and the next check is due in these seconds.
pub(crate) fn running(seconds: u64) -> Value {
    with(&empty_status(), json!({"phase": "RUNNING", "status": "CREATE_IN_PROGRESS", "checkAfterSeconds": seconds}))
}

/// Returns the answer of a status check: the job is ready.
pub(crate) fn ready(more: Value) -> Value {
    with(&with(&empty_status(), json!({"phase": "READY", "status": "ACTIVE"})), more)
}

/// Returns the answer of a status check: the job ended without a result.
pub(crate) fn ended(phase: &str, error: &str, cause: &str) -> Value {
    with(&empty_status(), json!({"phase": phase, "status": "CREATE_FAILED", "error": error, "cause": cause}))
}
