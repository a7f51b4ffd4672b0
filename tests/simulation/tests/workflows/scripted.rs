//! A world that answers each task as a case says. A case says what the services answer; the functions' answers are made of
//! the rules in `lookalike`, so they have the shape that the real functions give them.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use lookalike::error::{Error, ErrorName};
use lookalike::execution::{Deadline, Moment};
use lookalike::exports::{ExportsCheck, ListedExport, RunExport, planned};
use lookalike::once::{Attempt, JobStart};
use lookalike::status::{JobKind, JobStatus, Phase, Seen, StatusCheck};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulation::asl::{
    Call, Definition, ExecutionId, ExecutionStatus, Failure, Reply, StateMachine, StepFunctions, Timestamp, Usage,
    World,
};

pub(crate) const REPORT: &str = "s3://b/reports/run/index.html";
pub(crate) const AUDIENCE: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
pub(crate) const SEGMENT: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring";

/// When each run starts.
const START_TIME: &str = "2026-01-01T00:00:00Z";

/// The stack's deadline: 48 hours.
const STACK_DEADLINE_SECONDS: u64 = 172_800;

/// The end of a cause if a report was written.
pub(crate) fn report_text() -> String {
    format!(" Report: {REPORT}.")
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The function cannot be called, or fails.
    Fails(Failure),
    /// What the services answer to the function: for a start `accepted` or the name of an error, for a status check the
    /// status of the job. For exports possibly an object with an answer for each size. For every other function its
    /// payload.
    Says(Value),
    /// To a start: a quota is full until so many seconds after the start of the run.
    FullFor(u64),
    /// To a status check: the job is ready so many seconds after it was started.
    ReadyAfter(u64),
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Says(value)
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Says(text.into())
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self::Fails(failure)
    }
}

/// Returns the error of a function whose message is `because.`.
pub(crate) fn failing(error: &str) -> Answer {
    Answer::Fails(Failure::of_function(error, "because."))
}

/// Returns causes as AWS writes them: the failure, and the text that a report shows.
pub(crate) fn real_causes() -> Vec<(Failure, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/causes.json");
    let examples: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let failure = |example: &Value| Failure { error: text(&example["error"]).unwrap(), cause: text(&example["cause"]) };
    examples.iter().map(|example| (failure(example), text(&example["text"]).unwrap())).collect()
}

/// The answers of a case, by state. A state without an entry has its usual answer.
pub(crate) struct Script {
    answers: HashMap<&'static str, VecDeque<Answer>>,
    /// The answers after those above.
    always: HashMap<&'static str, Answer>,
    /// What `check-request` answers.
    checked: Value,
    /// The sizes to export.
    sizes: Value,
    /// Relevance and recall of the audience.
    metrics: Value,
    /// The message of each error and each failed job.
    message: String,
    calls: Vec<(String, Value)>,
    start_time: Timestamp,
}

impl Script {
    /// Returns a script whose `check-request` answers this.
    pub(crate) fn new(checked: Value) -> Self {
        Self {
            answers: HashMap::new(),
            always: HashMap::new(),
            checked,
            sizes: json!([]),
            metrics: Value::Null,
            message: "because.".to_owned(),
            calls: Vec::new(),
            start_time: Timestamp::parse(START_TIME).unwrap(),
        }
    }

    pub(crate) fn answers<T: Into<Answer>>(
        mut self,
        state: &'static str,
        answers: impl IntoIterator<Item = T>,
    ) -> Self {
        self.answers.entry(state).or_default().extend(answers.into_iter().map(Into::into));
        self
    }

    /// Gives the answer to every further call.
    pub(crate) fn always(mut self, state: &'static str, answer: impl Into<Answer>) -> Self {
        self.always.insert(state, answer.into());
        self
    }

    pub(crate) fn sizes(self, sizes: Value) -> Self {
        Self { sizes, ..self }
    }

    pub(crate) fn metrics(self, metrics: Value) -> Self {
        Self { metrics, ..self }
    }

    pub(crate) fn message(self, message: String) -> Self {
        Self { message, ..self }
    }

    fn next(&mut self, state: &str) -> Answer {
        let next = self.answers.get_mut(state).and_then(VecDeque::pop_front);
        let next = next.or_else(|| self.always.get(state).cloned());
        match (next, state) {
            (Some(answer), _) => answer,
            (None, _) if self.answers.contains_key(state) => {
                panic!("{state} was called once more than the case says")
            }
            (None, "CheckRequest") => self.checked.clone().into(),
            (None, "WriteReport") => json!({ "report": REPORT }).into(),
            (None, "CountSegmentOutput") => counted().into(),
            (None, "StartGeneration" | "StartSegment" | "StartExports") => "accepted".into(),
            (None, "CheckGeneration" | "CheckSegment" | "CheckExports") => "ACTIVE".into(),
            (None, _) => panic!("the case has no answer for {state}"),
        }
    }

    /// Returns what the function of a state answers.
    fn function(&self, state: &str, payload: &Value, answer: Answer, now: Timestamp) -> Value {
        let seconds = now.since(self.start_time).as_secs();
        let said = match answer {
            Answer::Says(value) => value,
            Answer::FullFor(full) if seconds < full => "QuotaExceeded".into(),
            Answer::FullFor(_) => "accepted".into(),
            Answer::ReadyAfter(ready) => json!({ "readyAfter": ready }),
            Answer::Fails(_) => unreachable!("a failure is not an answer"),
        };
        let now = moment(now);
        match state {
            "StartGeneration" => self.start_job(payload, &said, now, "audienceGenerationJobArn", AUDIENCE),
            "StartSegment" => self.start_job(payload, &said, now, "batchSegmentJobArn", SEGMENT),
            "CheckGeneration" => self.check_generation(payload, &said, now),
            "CheckSegment" => self.check_job(payload, &said, now, JobKind::Segment, SEGMENT).json(),
            "StartExports" => json!({ "exports": self.start_exports(payload, &said, now) }),
            "CheckExports" => self.check_exports(payload, &said, now),
            _ => said,
        }
    }

    fn start_job(&self, payload: &Value, said: &Value, now: Moment, field: &str, arn: &str) -> Value {
        let start = self.start(read(&payload["start"]), payload, said, now);
        let is_started = json!(start)["state"] == "STARTED";
        let name = said["accepted"].as_str().unwrap_or("spring");
        json!({
            "start": start, field: is_started.then_some(arn), "name": name, "skipped": payload["skipped"],
        })
    }

    /// Returns the start after an attempt.
    fn start(&self, start: JobStart, payload: &Value, said: &Value, now: Moment) -> JobStart {
        let attempt: Attempt = read(&payload["attempt"]);
        let deadline: Deadline = read(&payload["deadline"]);
        let start = start.before(attempt);
        if said == "accepted" || said["accepted"].is_string() {
            return start.started(attempt.entered_time);
        }
        let error = self.error(said.as_str().unwrap());
        let start = start.answered(error, attempt, now);
        if start.is_due() && deadline.seconds_left(now) <= 0 { start.too_late(deadline, "the job") } else { start }
    }

    fn error(&self, name: &str) -> Error {
        let name = ErrorName::ALL.into_iter().find(|known| known.as_str() == name).unwrap();
        Error::new(name, self.message.clone())
    }

    fn start_exports(&self, payload: &Value, said: &Value, now: Moment) -> Vec<RunExport> {
        let mut exports: Vec<RunExport> = read(&payload["exports"]);
        for export in exports.iter_mut().filter(|export| export.is_due()) {
            let said = by_size(said, export);
            if !said.is_null() {
                export.set_start(self.start(export.start.clone(), payload, said, now));
            }
        }
        exports
    }

    fn check_job(&self, payload: &Value, said: &Value, now: Moment, kind: JobKind, arn: &str) -> JobStatus {
        let start_time: Option<Moment> = read(&payload["startTime"]);
        let check = StatusCheck {
            kind,
            job: arn,
            start_time,
            missing_since: read(&payload["missingSince"]),
            deadline: read(&payload["deadline"]),
            poll: read(&payload["poll"]),
            now,
        };
        let create_time = start_time.unwrap_or_else(|| moment(self.start_time));
        if said == "NOT_FOUND" {
            return check.judge_missing();
        }
        let seen = self.seen(said, create_time, now);
        let metrics = read(&self.metrics);
        check.judge(Seen { metrics, output_location: Some("s3://b/out/".into()), ..seen })
    }

    fn seen(&self, said: &Value, create_time: Moment, now: Moment) -> Seen {
        let is_ready = said["readyAfter"].as_i64().map(|ready| now.seconds_since(create_time) >= ready);
        let status = match is_ready {
            Some(true) => "ACTIVE",
            Some(false) => "CREATE_IN_PROGRESS",
            None => said.as_str().unwrap(),
        };
        let is_failed = status == "CREATE_FAILED";
        Seen {
            status: status.to_owned(),
            status_code: is_failed.then(|| "CODE".to_owned()),
            message: is_failed.then(|| self.message.clone()),
            create_time: Some(create_time),
            update_time: Some(now),
            ..Seen::default()
        }
    }

    fn check_generation(&self, payload: &Value, said: &Value, now: Moment) -> Value {
        if said == "NoSizeQualifies" {
            let status = self.check_job(payload, &"ACTIVE".into(), now, JobKind::Generation, AUDIENCE);
            return with(&status.ended(self.error("NoSizeQualifies")).json(), json!({ "exports": [] }));
        }
        let status = self.check_job(payload, said, now, JobKind::Generation, AUDIENCE);
        let sizes = if status.phase == Phase::Ready { read(&self.sizes) } else { Vec::new() };
        with(&status.json(), json!({ "exports": planned(&read(&payload["name"]), sizes) }))
    }

    fn check_exports(&self, payload: &Value, said: &Value, now: Moment) -> Value {
        let exports: Vec<RunExport> = read(&payload["exports"]);
        let listed = exports.iter().filter_map(|export| {
            let status = by_size(said, export);
            let create_time = export.start.since.unwrap_or_else(|| moment(self.start_time));
            (!status.is_null()).then(|| ListedExport {
                name: export.name.to_string(),
                audience_size: Some(export.audience_size),
                description: None,
                seen: Seen {
                    output_location: Some(format!("s3://out/{}", export.audience_size)),
                    ..self.seen(status, create_time, now)
                },
            })
        });
        let listed: Vec<ListedExport> = listed.collect();
        let check = ExportsCheck {
            audience: AUDIENCE,
            execution: &read(&payload["execution"]),
            deadline: read(&payload["deadline"]),
            poll: read(&payload["poll"]),
            now,
        };
        serde_json::to_value(check.judge(exports, &listed)).unwrap()
    }
}

/// Returns the answer for a size: the one answer for all, or that of its value.
fn by_size<'s>(said: &'s Value, export: &RunExport) -> &'s Value {
    if said.is_string() || !said["readyAfter"].is_null() {
        return said;
    }
    &said[json!(export.audience_size)["value"].to_string()]
}

trait Json {
    fn json(&self) -> Value;
}

impl Json for JobStatus {
    fn json(&self) -> Value {
        serde_json::to_value(self).unwrap()
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|error| panic!("{error}: {value}"))
}

fn moment(time: Timestamp) -> Moment {
    time.to_string().parse().unwrap()
}

impl World for Script {
    type Event = ();

    fn invoke(&mut self, call: Call, steps: &mut StepFunctions<()>) -> Reply {
        let payload = call.arguments["Payload"].clone();
        let answer = self.next(&call.state);
        let reply = match answer {
            Answer::Fails(failure) => Reply::FailureAfter(Duration::ZERO, failure),
            answer => {
                let payload = self.function(&call.state, &payload, answer, steps.now());
                Reply::payload_after(Duration::ZERO, payload)
            }
        };
        self.calls.push((call.state.to_string(), payload));
        reply
    }

    fn handle(&mut self, (): (), _: &mut StepFunctions<()>) {}

    fn execution_ended(&mut self, _: ExecutionId, _: &mut StepFunctions<()>) {}
}

/// Returns the text of a definition of this repository.
pub(crate) fn definition_text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../statemachine").join(file)).unwrap()
}

/// Reads a definition of this repository.
pub(crate) fn definition(file: &str) -> Definition {
    definition_with(file, STACK_DEADLINE_SECONDS)
}

/// Reads a definition of this repository, for a stack with this deadline.
fn definition_with(file: &str, deadline_seconds: u64) -> Definition {
    let deadline = deadline_seconds.to_string();
    let substitutions = [("Partition", "aws"), ("DeadlineSeconds", deadline.as_str())];
    Definition::parse(&definition_text(file), &substitutions).unwrap()
}

/// How a run of a case went.
pub(crate) struct Run {
    pub(crate) status: ExecutionStatus,
    pub(crate) usage: Usage,
    pub(crate) seconds: u64,
    calls: Vec<(String, Value)>,
    states: Vec<String>,
    /// The wait states and their seconds.
    pub(crate) waits: Vec<(String, u64)>,
}

/// Runs a workflow with a script.
pub(crate) fn drive(file: &str, input: Value, script: Script) -> Run {
    drive_and_redrive(definition(file), input, script, 0)
}

/// Runs a workflow of a stack with this deadline.
pub(crate) fn drive_with_deadline(file: &str, script: Script, deadline_seconds: u64) -> Run {
    drive_and_redrive(definition_with(file, deadline_seconds), json!({}), script, 0)
}

/// Runs a workflow with a script, and redrives it so many times.
pub(crate) fn drive_and_redrive(definition: Definition, input: Value, mut script: Script, redrives: u32) -> Run {
    let mut steps = StepFunctions::new(Timestamp::parse(START_TIME).unwrap(), 7);
    let machine = Rc::new(StateMachine::new("workflow", definition));
    let id = steps.start_execution(&machine, "run", input).unwrap();
    steps.run(&mut script);
    for _ in 0..redrives {
        steps.redrive(id).unwrap();
        steps.run(&mut script);
    }
    let execution = steps.execution(id);
    let waits = execution
        .entries()
        .windows(2)
        .filter(|pair| pair[0].state.starts_with("WaitFor") || pair[0].state.starts_with("WaitTo"))
        .map(|pair| (pair[0].state.to_string(), pair[1].time.since(pair[0].time).as_secs()))
        .collect();
    Run {
        status: execution.status().clone(),
        usage: execution.usage().clone(),
        seconds: execution.end_time().unwrap().since(execution.start_time()).as_secs(),
        calls: script.calls,
        states: execution.entries().iter().map(|entry| entry.state.to_string()).collect(),
        waits,
    }
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

    /// Returns the cause without the sentences that `RunFailed` adds.
    pub(crate) fn what_happened(&self, error: &str) -> &str {
        let cause = self.cause(error);
        let ends = [" Deadline: ", " Report: "].into_iter().filter_map(|sentence| cause.find(sentence));
        ends.min().map_or(cause, |end| &cause[..end])
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

    /// Returns whether the run entered this state.
    pub(crate) fn entered(&self, state: &str) -> bool {
        self.states.iter().any(|entered| entered == state)
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

/// Returns what `count-segment-output` usually answers.
pub(crate) fn counted() -> Value {
    let output = json!({"lines": 3, "users": 75, "errorLines": 0, "firstError": null});
    json!({"output": output, "skipped": [], "error": null, "cause": null})
}
