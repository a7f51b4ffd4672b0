//! All executions, and the queue that orders what happens to them.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use jsonata_core::value::JValue;
use serde_json::Value;

use super::definition::StateMachine;
use super::execution::{Effect, Execution, ExecutionStatus, Signal};
use super::failure::Failure;
use super::functions::Sources;
use super::limits::{MAX_DATA_BYTES, NAME_TIME};
use super::time::Timestamp;
use super::value::{json_bytes, to_json};

/// Everything around the workflows: the functions and services that tasks call, and events of its own.
pub trait World {
    /// An event that the world schedules for itself with [`StepFunctions::schedule`].
    type Event;

    /// Answers a task.
    fn invoke(&mut self, call: Call, steps: &mut StepFunctions<Self::Event>) -> Reply;

    /// Handles an event that the world has scheduled.
    fn handle(&mut self, event: Self::Event, steps: &mut StepFunctions<Self::Event>);

    /// Is called when an execution has succeeded or failed.
    fn execution_ended(&mut self, execution: ExecutionId, steps: &mut StepFunctions<Self::Event>);
}

/// A task that is called.
#[derive(Clone, Debug)]
pub struct Call {
    /// Names this attempt for a later [`StepFunctions::answer`].
    pub token: TaskToken,
    /// The name of the state.
    pub state: Rc<str>,
    /// The `Resource` of the state.
    pub resource: Rc<str>,
    /// The evaluated `Arguments` of the state.
    pub arguments: Value,
}

/// How a task is answered. An answer later than the state's `TimeoutSeconds` is ignored.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The result arrives after this duration.
    After(Duration, Value),
    /// The error arrives after this duration.
    FailureAfter(Duration, Failure),
    /// The answer comes through [`StepFunctions::answer`], or never.
    Later,
}

impl Reply {
    /// Returns the result of `states:::lambda:invoke` for the answer of a function.
    #[must_use]
    pub fn payload_after(duration: Duration, payload: Value) -> Self {
        let result = [("ExecutedVersion", Value::from("1")), ("Payload", payload), ("StatusCode", Value::from(200))];
        Self::After(duration, result.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// Names an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionId(usize);

/// Names one attempt of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskToken {
    execution: ExecutionId,
    frame: usize,
    token: u64,
}

impl TaskToken {
    /// Returns the execution that the task belongs to.
    #[must_use]
    pub const fn execution(self) -> ExecutionId {
        self.execution
    }
}

/// Why an execution was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// An execution has this name: it runs with another input, or it ended less than 90 days ago.
    ExecutionAlreadyExists,
    /// The input has more than [`MAX_DATA_BYTES`].
    InputTooLarge,
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExecutionAlreadyExists => formatter.write_str("ExecutionAlreadyExists"),
            Self::InputTooLarge => write!(formatter, "the input has more than {MAX_DATA_BYTES} bytes"),
        }
    }
}

impl std::error::Error for StartError {}

/// Why an execution was not redriven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRedrivable(&'static str);

impl fmt::Display for NotRedrivable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the execution cannot be redriven: {}", self.0)
    }
}

impl std::error::Error for NotRedrivable {}

/// Step Functions in virtual time. `E` is the event of the [`World`].
///
/// What is due at the same time happens in the order in which it was scheduled. So one random seed and one world give
/// one history.
pub struct StepFunctions<E> {
    now: Timestamp,
    rng: Rc<RefCell<Rng>>,
    executions: Vec<Execution>,
    /// The last execution with each ARN.
    by_arn: HashMap<String, ExecutionId>,
    queue: BinaryHeap<Scheduled<E>>,
    scheduled: u64,
}

enum Due<E> {
    Signal(TaskToken, Signal),
    Event(E),
}

struct Scheduled<E> {
    time: Timestamp,
    sequence: u64,
    due: Due<E>,
}

/// The earliest is the greatest, because a heap returns its greatest item first.
impl<E> Ord for Scheduled<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.sequence).cmp(&(self.time, self.sequence))
    }
}

impl<E> PartialOrd for Scheduled<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Scheduled<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Scheduled<E> {}

impl<E> StepFunctions<E> {
    /// Returns Step Functions without executions at this time.
    #[must_use]
    pub fn new(now: Timestamp, random_seed: u64) -> Self {
        Self {
            now,
            rng: Rc::new(RefCell::new(Rng::with_seed(random_seed))),
            executions: Vec::new(),
            by_arn: HashMap::new(),
            queue: BinaryHeap::new(),
            scheduled: 0,
        }
    }

    /// Returns the virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns an execution.
    #[must_use]
    pub fn execution(&self, id: ExecutionId) -> &Execution {
        &self.executions[id.0]
    }

    /// Returns the last execution with this ARN.
    #[must_use]
    pub fn find(&self, arn: &str) -> Option<ExecutionId> {
        self.by_arn.get(arn).copied()
    }

    /// Returns all executions, in the order of their start.
    #[must_use]
    pub fn executions(&self) -> impl DoubleEndedIterator<Item = (ExecutionId, &Execution)> {
        self.executions.iter().enumerate().map(|(index, execution)| (ExecutionId(index), execution))
    }

    /// Starts an execution. The same name and input while it runs return the execution that runs.
    ///
    /// # Errors
    ///
    /// If the name is taken or the input is too large.
    pub fn start_execution(
        &mut self,
        machine: &Rc<StateMachine>,
        name: &str,
        input: Value,
    ) -> Result<ExecutionId, StartError> {
        if json_bytes(&JValue::from(input.clone())) > MAX_DATA_BYTES {
            return Err(StartError::InputTooLarge);
        }
        let execution = Execution::new(Rc::clone(machine), name, input, self.now);
        if let Some(id) = self.find(execution.arn()) {
            let earlier = self.execution(id);
            let is_free = earlier.end_time().is_some_and(|end| self.now.since(end) > NAME_TIME);
            if *earlier.status() == ExecutionStatus::Running && earlier.input() == execution.input() {
                return Ok(id);
            }
            if !is_free {
                return Err(StartError::ExecutionAlreadyExists);
            }
        }
        let id = ExecutionId(self.executions.len());
        self.by_arn.insert(execution.arn().to_owned(), id);
        self.executions.push(execution);
        self.enter(id, 0);
        Ok(id)
    }

    /// Continues a failed execution at the state that failed, with the definition that it has.
    ///
    /// # Errors
    ///
    /// If the execution runs, has succeeded, ended more than 14 days ago, or has a full history.
    pub fn redrive(&mut self, id: ExecutionId) -> Result<(), NotRedrivable> {
        let frames = self.executions[id.0].redrive(self.now).map_err(NotRedrivable)?;
        for frame in frames {
            self.enter(id, frame);
        }
        Ok(())
    }

    /// Stops an execution that runs, and returns whether it ran.
    pub fn stop_execution(&mut self, id: ExecutionId) -> bool {
        let runs = *self.execution(id).status() == ExecutionStatus::Running;
        if runs {
            self.executions[id.0].stop(self.now);
        }
        runs
    }

    /// Returns when something is due next, or `None` if nothing is.
    #[must_use]
    pub fn next_time(&self) -> Option<Timestamp> {
        self.queue.peek().map(|next| next.time)
    }

    fn enter(&mut self, execution: ExecutionId, frame: usize) {
        let token = self.execution(execution).token(frame);
        self.push(self.now, Due::Signal(TaskToken { execution, frame, token }, Signal::Enter));
    }

    /// Answers a task now. An answer to a task that has ended is ignored.
    pub fn answer(&mut self, token: TaskToken, answer: Result<Value, Failure>) {
        self.push(self.now, Due::Signal(token, Signal::Answered(answer.map(JValue::from))));
    }

    /// Schedules an event of the world.
    pub fn schedule(&mut self, after: Duration, event: E) {
        self.push(self.now + after, Due::Event(event));
    }

    fn push(&mut self, time: Timestamp, due: Due<E>) {
        self.scheduled += 1;
        self.queue.push(Scheduled { time, sequence: self.scheduled, due });
    }

    /// Runs until nothing is due.
    pub fn run(&mut self, world: &mut impl World<Event = E>) {
        while let Some(next) = self.queue.pop() {
            self.take(next, world);
        }
    }

    /// Runs what is due up to this time, and moves the time there.
    pub fn run_until(&mut self, time: Timestamp, world: &mut impl World<Event = E>) {
        while self.queue.peek().is_some_and(|next| next.time <= time) {
            if let Some(next) = self.queue.pop() {
                self.take(next, world);
            }
        }
        self.now = self.now.max(time);
    }

    fn take(&mut self, next: Scheduled<E>, world: &mut impl World<Event = E>) {
        self.now = next.time;
        let (token, signal) = match next.due {
            Due::Event(event) => return world.handle(event, self),
            Due::Signal(token, signal) => (token, signal),
        };
        let sources = Sources { now: self.now, rng: Rc::clone(&self.rng) };
        let execution = token.execution;
        let effects = self.executions[execution.0].signal(token.frame, token.token, signal, &sources);
        for effect in effects {
            match effect {
                Effect::Timer { frame, token, after } => {
                    self.push(self.now + after, Due::Signal(TaskToken { execution, frame, token }, Signal::TimerEnded));
                }
                Effect::Call { frame, token, state, resource, arguments, timeout } => {
                    let token = TaskToken { execution, frame, token };
                    let call = Call { token, state, resource, arguments: to_json(&arguments) };
                    match world.invoke(call, self) {
                        Reply::After(after, result) => {
                            let signal = Signal::Answered(Ok(JValue::from(result)));
                            self.push(self.now + after, Due::Signal(token, signal));
                        }
                        Reply::FailureAfter(after, failure) => {
                            self.push(self.now + after, Due::Signal(token, Signal::Answered(Err(failure))));
                        }
                        Reply::Later => {}
                    }
                    if let Some(timeout) = timeout {
                        self.push(self.now + timeout, Due::Signal(token, Signal::TimedOut));
                    }
                }
                Effect::Ended => world.execution_ended(execution, self),
            }
        }
    }
}
