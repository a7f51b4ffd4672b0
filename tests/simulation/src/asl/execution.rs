//! One execution: its status, where each of its frames is, and its redrive.

mod step;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use jsonata_core::value::JValue;
use serde_json::Value;

use super::definition::{Branch, StateMachine};
use super::expression::Lookup;
use super::failure::Failure;
use super::limits::{MAX_EVENTS, REDRIVABLE_TIME};
use super::time::Timestamp;
use super::value::{object, to_json};

pub(crate) use step::{Effect, Signal};

/// How far an execution is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutionStatus {
    /// It runs, or waits for a time or an answer.
    Running,
    /// It has succeeded with this output.
    Succeeded(Value),
    /// It has failed with this error.
    Failed(Failure),
    /// It was stopped.
    Aborted,
}

/// A state that an execution entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the state was entered.
    pub time: Timestamp,
    /// The name of the state.
    pub state: Rc<str>,
}

/// What an execution has used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The events in its history. They are counted on over redrives.
    pub events: u32,
    /// The states that it entered, those of iterations included.
    pub states_entered: u32,
    /// The retries of its states.
    pub retries: u32,
    /// The redrives.
    pub redrives: u32,
    /// The tasks that were called, each retry included.
    pub calls: u32,
    /// The bytes of the largest input, arguments, result or output of a state.
    pub max_data_bytes: usize,
    /// The state that `max_data_bytes` belongs to.
    pub max_data_state: String,
    /// The most bytes that all variables had together, in the execution or in one of its iterations.
    pub max_variables_bytes: usize,
}

impl Usage {
    /// Returns the state transitions that AWS charges: each state that was entered, each retry and each redrive.
    #[must_use]
    pub fn transitions(&self) -> u32 {
        self.states_entered + self.retries + self.redrives
    }
}

/// An execution of a state machine.
#[derive(Debug)]
pub struct Execution {
    machine: Rc<StateMachine>,
    arn: String,
    name: String,
    input: JValue,
    start_time: Timestamp,
    end_time: Option<Timestamp>,
    status: ExecutionStatus,
    usage: Usage,
    entries: Vec<Entry>,
    /// The execution and the state machine in the context object.
    context: [JValue; 2],
    /// The first frame is that of the execution; the others are those of iterations.
    frames: Vec<Frame>,
}

/// Where the execution, or one iteration of a Map, is.
#[derive(Debug)]
struct Frame {
    branch: Rc<Branch>,
    state: usize,
    input: JValue,
    entered: Timestamp,
    variables: Variables,
    retries: Vec<u32>,
    phase: Phase,
    /// Grows with each signal, so that a signal that is late is recognized.
    token: u64,
    /// The frame of the Map and the index of the iteration.
    iteration: Option<(usize, usize)>,
    /// The iterations of the Map that this frame is in.
    iterations: Option<Iterations>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Waiting,
    Retrying,
    Calling,
    Iterating,
    Succeeded,
    Failed,
    Aborted,
    Discarded,
}

#[derive(Debug)]
struct Iterations {
    inputs: Vec<JValue>,
    results: Vec<Option<JValue>>,
    /// The frames of the iterations that have started.
    frames: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
struct Variables {
    values: HashMap<Rc<str>, (JValue, usize)>,
    bytes: usize,
}

impl Variables {
    fn assign(&mut self, name: &Rc<str>, value: JValue, bytes: usize) {
        let replaced = self.values.insert(Rc::clone(name), (value, bytes));
        self.bytes = self.bytes + bytes - replaced.map_or(0, |(_, bytes)| bytes);
    }
}

/// The variables of a frame and `$states`.
struct Scope<'a> {
    variables: &'a Variables,
    states: JValue,
}

impl Lookup for Scope<'_> {
    fn variable(&self, name: &str) -> Option<JValue> {
        match name {
            "states" => Some(self.states.clone()),
            name => self.variables.values.get(name).map(|(value, _)| value.clone()),
        }
    }
}

impl Execution {
    pub(crate) fn new(machine: Rc<StateMachine>, name: &str, input: Value, now: Timestamp) -> Self {
        let arn = format!("{}:{name}", machine.arn.replacen(":stateMachine:", ":execution:", 1));
        let root = Frame::new(&machine.definition.root, JValue::from(input.clone()), Variables::default(), None);
        let about_machine =
            object([("Id", JValue::from(machine.arn.clone())), ("Name", JValue::from(machine.name.clone()))]);
        let mut execution = Self {
            machine,
            arn,
            name: name.to_owned(),
            input: JValue::from(input),
            start_time: now,
            end_time: None,
            status: ExecutionStatus::Running,
            usage: Usage { events: 1, ..Usage::default() },
            entries: Vec::new(),
            context: [JValue::Null, about_machine],
            frames: vec![root],
        };
        execution.context[0] = execution.about_itself(None);
        execution
    }

    /// Returns the ARN of the execution.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Returns the name of the execution.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the state machine whose definition the execution has kept.
    #[must_use]
    pub fn machine(&self) -> &StateMachine {
        &self.machine
    }

    /// Returns the input of the execution.
    #[must_use]
    pub fn input(&self) -> Value {
        to_json(&self.input)
    }

    /// Returns when the execution started.
    #[must_use]
    pub fn start_time(&self) -> Timestamp {
        self.start_time
    }

    /// Returns when the execution ended, or `None` if it runs.
    #[must_use]
    pub fn end_time(&self) -> Option<Timestamp> {
        self.end_time
    }

    /// Returns how far the execution is.
    #[must_use]
    pub fn status(&self) -> &ExecutionStatus {
        &self.status
    }

    /// Returns what the execution has used.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Returns the states that the execution entered, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns how many times the execution was redriven.
    #[must_use]
    pub fn redrive_count(&self) -> u32 {
        self.usage.redrives
    }

    /// Returns the token of a frame, which the next signal must carry.
    pub(crate) fn token(&self, frame: usize) -> u64 {
        self.frames.get(frame).map_or(0, |frame| frame.token)
    }

    /// Stops the execution. What is under way is ignored when it is answered.
    pub(crate) fn stop(&mut self, now: Timestamp) {
        for frame in &mut self.frames {
            frame.token += 1;
            if frame.phase != Phase::Succeeded {
                frame.phase = Phase::Aborted;
            }
        }
        self.usage.events += 1;
        self.end_time = Some(now);
        self.status = ExecutionStatus::Aborted;
    }

    /// Makes a failed execution run again, and returns the frames that enter their state again.
    ///
    /// # Errors
    ///
    /// Says why the execution cannot be redriven.
    pub(crate) fn redrive(&mut self, now: Timestamp) -> Result<Vec<usize>, &'static str> {
        match &self.status {
            ExecutionStatus::Running => return Err("it runs"),
            ExecutionStatus::Succeeded(_) => return Err("it has succeeded"),
            _ if self.usage.events >= MAX_EVENTS => return Err("its history is full"),
            ExecutionStatus::Failed(_) | ExecutionStatus::Aborted => {}
        }
        let age = self.end_time.map_or(Duration::ZERO, |end| now.since(end));
        if age > REDRIVABLE_TIME {
            return Err("it ended more than 14 days ago");
        }
        self.status = ExecutionStatus::Running;
        self.end_time = None;
        self.usage.redrives += 1;
        self.usage.events += 1;
        self.context[0] = self.about_itself(Some(now));
        let mut resumed = Vec::new();
        self.resume(0, &mut resumed);
        Ok(resumed)
    }

    /// Adds the frames that enter their state again: the failed one, or the iterations that did not succeed.
    fn resume(&mut self, frame: usize, resumed: &mut Vec<usize>) {
        let has_succeeded = |child: &usize| self.frames[*child].phase == Phase::Succeeded;
        let unsuccessful: Vec<usize> = match &self.frames[frame].iterations {
            Some(iterations) => iterations.frames.iter().copied().filter(|child| !has_succeeded(child)).collect(),
            None => Vec::new(),
        };
        self.frames[frame].token += 1;
        if unsuccessful.is_empty() {
            self.frames[frame].phase = Phase::Ready;
            resumed.push(frame);
            return;
        }
        self.frames[frame].phase = Phase::Iterating;
        self.frames[frame].retries.fill(0);
        for child in unsuccessful {
            self.usage.events += 1;
            self.resume(child, resumed);
        }
    }

    fn about_itself(&self, redrive_time: Option<Timestamp>) -> JValue {
        let about = [
            ("Id", JValue::from(self.arn.clone())),
            ("Input", self.input.clone()),
            ("Name", JValue::from(self.name.clone())),
            ("RoleArn", JValue::from("arn:aws:iam::123456789012:role/workflow")),
            ("StartTime", JValue::from(self.start_time.to_string())),
            ("RedriveCount", JValue::from(i64::from(self.usage.redrives))),
        ];
        object(about.into_iter().chain(redrive_time.map(|time| ("RedriveTime", JValue::from(time.to_string())))))
    }

    /// Returns `$states` of the state that a frame is in.
    fn states(&self, frame: usize, more: Option<(&str, JValue)>, item: Option<JValue>) -> JValue {
        let frame = &self.frames[frame];
        let state = &frame.branch.states[frame.state];
        let retry_count = || JValue::from(i64::from(frame.retries.iter().sum::<u32>()));
        let about_state =
            [("EnteredTime", JValue::from(frame.entered.to_string())), ("Name", JValue::from(Rc::clone(&state.name)))];
        let about_state =
            object(about_state.into_iter().chain(state.counts_retries().then(|| ("RetryCount", retry_count()))));
        let [execution, machine] = self.context.clone();
        let context = [("Execution", execution), ("StateMachine", machine), ("State", about_state)];
        let context = object(context.into_iter().chain(item.map(|item| ("Map", object([("Item", item)])))));
        object([("input", frame.input.clone()), ("context", context)].into_iter().chain(more))
    }
}

impl Frame {
    fn new(branch: &Rc<Branch>, input: JValue, variables: Variables, iteration: Option<(usize, usize)>) -> Self {
        Self {
            branch: Rc::clone(branch),
            state: branch.start,
            input,
            entered: Timestamp::from_epoch_ms(0),
            variables,
            retries: Vec::new(),
            phase: Phase::Ready,
            token: 0,
            iteration,
            iterations: None,
        }
    }
}
