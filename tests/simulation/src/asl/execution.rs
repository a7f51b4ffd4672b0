//! One execution: where it is, and what each signal makes of it. It knows no queue and no world.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use jsonata_core::value::JValue;
use serde_json::Value;

use super::definition::{Branch, Exit, Kind, MapState, StateMachine, WaitUntil};
use super::expression::Lookup;
use super::failure::{DATA_LIMIT_EXCEEDED, Failure, NO_CHOICE_MATCHED, RUNTIME, TIMEOUT};
use super::functions::Sources;
use super::limits::{
    MAX_CONCURRENT_ITERATIONS, MAX_DATA_BYTES, MAX_EVENTS, MAX_VARIABLES_BYTES, MAX_WAIT_SECONDS, REDRIVABLE_DAYS,
};
use super::retry::next_delay;
use super::template::Template;
use super::time::Timestamp;
use super::value::{json_bytes, object, to_json};

/// How far an execution is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutionStatus {
    /// It runs, or waits for a time or an answer.
    Running,
    /// It has succeeded with this output.
    Succeeded(Value),
    /// It has failed with this error.
    Failed(Failure),
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
    /// The first is that of the execution; the others are those of iterations.
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

/// What happens to a frame.
#[derive(Debug)]
pub(crate) enum Signal {
    /// The frame enters its state.
    Enter,
    /// A wait or the delay before a retry is over.
    TimerEnded,
    /// The task has answered.
    Answered(Result<JValue, Failure>),
    /// The task has not answered within its `TimeoutSeconds`.
    TimedOut,
}

/// What an execution asks for.
#[derive(Debug)]
pub(crate) enum Effect {
    Timer { frame: usize, token: u64, after: Duration },
    Call { frame: usize, token: u64, state: Rc<str>, resource: Rc<str>, arguments: JValue, timeout: Option<Duration> },
    Ended,
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

    /// Continues after a signal until every frame waits. A late signal changes nothing.
    pub(crate) fn signal(&mut self, frame: usize, token: u64, signal: Signal, sources: &Sources) -> Vec<Effect> {
        let is_expected =
            self.status == ExecutionStatus::Running && self.frames.get(frame).is_some_and(|frame| frame.token == token);
        if !is_expected {
            return Vec::new();
        }
        self.frames[frame].token += 1;
        let mut step = Step { execution: self, sources, effects: Vec::new(), ready: VecDeque::new() };
        step.handle(frame, signal);
        while step.execution.status == ExecutionStatus::Running {
            if step.execution.usage.events >= MAX_EVENTS {
                step.end(ExecutionStatus::Failed(history_is_full()));
                break;
            }
            let Some(frame) = step.ready.pop_front() else { break };
            step.enter(frame);
        }
        step.effects
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
            ExecutionStatus::Failed(failure) if failure.error == RUNTIME || self.usage.events >= MAX_EVENTS => {
                return Err("its history is full");
            }
            ExecutionStatus::Failed(_) => {}
        }
        let age = self.end_time.map_or(Duration::ZERO, |end| now.since(end));
        if age > Duration::from_secs(REDRIVABLE_DAYS * 24 * 3_600) {
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

/// One step of an execution at one moment: a signal and everything that follows from it without waiting.
struct Step<'a> {
    execution: &'a mut Execution,
    sources: &'a Sources,
    effects: Vec<Effect>,
    /// The frames that enter their state next.
    ready: VecDeque<usize>,
}

impl Step<'_> {
    fn frame(&mut self, frame: usize) -> &mut Frame {
        &mut self.execution.frames[frame]
    }

    /// Returns the branch and the index of the state that a frame is in.
    fn position(&self, frame: usize) -> (Rc<Branch>, usize) {
        let frame = &self.execution.frames[frame];
        (Rc::clone(&frame.branch), frame.state)
    }

    fn count_events(&mut self, events: u32) {
        self.execution.usage.events += events;
    }

    fn handle(&mut self, frame: usize, signal: Signal) {
        let (branch, state) = self.position(frame);
        let state = &branch.states[state];
        let phase = self.frame(frame).phase;
        match (signal, phase, &state.kind) {
            (Signal::Enter, ..) => self.enter(frame),
            (Signal::TimerEnded, Phase::Waiting, Kind::Wait { exit, .. }) => {
                let input = self.frame(frame).input.clone();
                self.leave_or_fail(frame, exit, input);
            }
            (Signal::TimerEnded, Phase::Retrying, _) => self.attempt(frame),
            (Signal::Answered(answer), Phase::Calling, Kind::Task { exit, .. }) => {
                self.count_events(1);
                let left = answer.and_then(|result| {
                    self.measure(frame, "result", &result)?;
                    self.leave(frame, exit, result.clone(), Some(("result", result)))
                });
                if let Err(failure) = left {
                    self.retry_or_catch(frame, failure);
                }
            }
            (Signal::TimedOut, Phase::Calling, _) => {
                self.count_events(1);
                self.retry_or_catch(frame, Failure::without_cause(TIMEOUT));
            }
            _ => {}
        }
    }

    fn enter(&mut self, frame: usize) {
        let (branch, index) = self.position(frame);
        let state = &branch.states[index];
        let now = self.sources.now;
        let entered = self.frame(frame);
        entered.entered = now;
        entered.retries = vec![0; state.retriers.len()];
        let input = entered.input.clone();
        self.execution.entries.push(Entry { time: now, state: Rc::clone(&state.name) });
        self.execution.usage.states_entered += 1;
        self.count_events(1);
        match &state.kind {
            Kind::Task { .. } | Kind::Map(_) => self.attempt(frame),
            Kind::Pass { exit } => self.leave_or_fail(frame, exit, input),
            Kind::Choice { rules, default } => {
                let scope = self.scope(frame, None);
                let mut taken = default.as_ref().ok_or_else(|| Failure::without_cause(NO_CHOICE_MATCHED));
                for rule in rules {
                    match rule.condition.evaluate(&scope, self.sources) {
                        Ok(JValue::Bool(false)) => continue,
                        Ok(JValue::Bool(true)) => taken = Ok(&rule.exit),
                        Ok(_) => taken = Err(Failure::query("Condition is neither true nor false")),
                        Err(failure) => taken = Err(failure),
                    }
                    break;
                }
                match taken {
                    Ok(exit) => self.leave_or_fail(frame, exit, input),
                    Err(failure) => self.fail_evaluation(frame, failure),
                }
            }
            Kind::Wait { until, .. } => match self.wait_duration(frame, until) {
                Ok(after) => {
                    self.frame(frame).phase = Phase::Waiting;
                    self.set_timer(frame, after);
                }
                Err(failure) => self.fail_evaluation(frame, failure),
            },
            Kind::Succeed { output } => {
                let output = match output {
                    Some(output) => self.evaluate(frame, output, None),
                    None => Ok(input),
                };
                match output.and_then(|output| self.measure(frame, "output", &output).map(|()| output)) {
                    Ok(output) => {
                        self.count_events(1);
                        self.succeed(frame, output);
                    }
                    Err(failure) => self.fail_evaluation(frame, failure),
                }
            }
            Kind::Fail { error, cause } => {
                let error = self.text(frame, "Error", error.as_ref());
                let cause = self.text(frame, "Cause", cause.as_ref());
                match (error, cause) {
                    (Ok(error), Ok(cause)) => self.fail(frame, &Failure { error: error.unwrap_or_default(), cause }),
                    (Err(failure), _) | (_, Err(failure)) => self.fail_evaluation(frame, failure),
                }
            }
        }
    }

    /// Calls the task, or starts the iterations of the Map.
    fn attempt(&mut self, frame: usize) {
        let (branch, index) = self.position(frame);
        let state = &branch.states[index];
        let attempted = match &state.kind {
            Kind::Task { resource, arguments, timeout_seconds, .. } => {
                let evaluated = self.task_fields(frame, arguments.as_ref(), timeout_seconds.as_ref());
                evaluated.map(|(arguments, timeout)| {
                    self.count_events(2);
                    if self.execution.usage.events >= MAX_EVENTS {
                        return;
                    }
                    self.execution.usage.calls += 1;
                    self.frame(frame).phase = Phase::Calling;
                    self.effects.push(Effect::Call {
                        frame,
                        token: self.execution.frames[frame].token,
                        state: Rc::clone(&state.name),
                        resource: Rc::clone(resource),
                        arguments,
                        timeout,
                    });
                })
            }
            Kind::Map(map) => self.start_iterations(frame, map),
            _ => Ok(()),
        };
        if let Err(failure) = attempted {
            self.count_events(1);
            self.retry_or_catch(frame, failure);
        }
    }

    fn task_fields(
        &mut self,
        frame: usize,
        arguments: Option<&Template>,
        timeout_seconds: Option<&Template>,
    ) -> Result<(JValue, Option<Duration>), Failure> {
        let arguments = match arguments {
            Some(arguments) => self.evaluate(frame, arguments, None)?,
            None => JValue::Null,
        };
        self.measure(frame, "arguments", &arguments)?;
        let timeout = match timeout_seconds {
            Some(seconds) => Some(whole_seconds("TimeoutSeconds", &self.evaluate(frame, seconds, None)?)?),
            None => None,
        };
        Ok((arguments, timeout))
    }

    fn start_iterations(&mut self, frame: usize, map: &MapState) -> Result<(), Failure> {
        let items = match &map.items {
            Some(items) => self.evaluate(frame, items, None)?,
            None => self.frame(frame).input.clone(),
        };
        let Some(items) = items.as_array() else {
            return Err(Failure::query("Items is not an array"));
        };
        let concurrency = match &map.max_concurrency {
            Some(concurrency) => self.evaluate(frame, concurrency, None)?.as_i64().unwrap_or(0),
            None => 0,
        };
        let concurrency = match usize::try_from(concurrency) {
            Ok(1..=MAX_CONCURRENT_ITERATIONS) => usize::try_from(concurrency).unwrap_or(1),
            _ => MAX_CONCURRENT_ITERATIONS,
        };
        let mut inputs = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let input = match &map.item_selector {
                Some(selector) => {
                    let about_item = object([("Index", JValue::from(index)), ("Value", item.clone())]);
                    let states = self.execution.states(frame, None, Some(about_item));
                    let scope = Scope { variables: &self.execution.frames[frame].variables, states };
                    selector.evaluate(&scope, self.sources)?
                }
                None => item.clone(),
            };
            self.measure(frame, "item", &input)?;
            inputs.push(input);
        }
        self.count_events(1);
        let results = vec![None; inputs.len()];
        let count = inputs.len();
        self.frame(frame).phase = Phase::Iterating;
        self.frame(frame).iterations = Some(Iterations { inputs, results, frames: Vec::new() });
        for _ in 0..count.min(concurrency) {
            self.start_next_iteration(frame);
        }
        if count == 0 {
            self.finish_map(frame);
        }
        Ok(())
    }

    /// Starts the next iteration of a Map, if one has not started.
    fn start_next_iteration(&mut self, map_frame: usize) {
        let (branch, index) = self.position(map_frame);
        let Kind::Map(map) = &branch.states[index].kind else { return };
        let child = self.execution.frames.len();
        let parent = &mut self.execution.frames[map_frame];
        let variables = parent.variables.clone();
        let Some(iterations) = &mut parent.iterations else { return };
        let index = iterations.frames.len();
        let Some(input) = iterations.inputs.get(index).cloned() else { return };
        iterations.frames.push(child);
        self.execution.frames.push(Frame::new(&map.processor, input, variables, Some((map_frame, index))));
        self.count_events(1);
        self.ready.push_back(child);
    }

    /// Leaves a Map if all its iterations have succeeded.
    fn finish_map(&mut self, frame: usize) {
        let (branch, index) = self.position(frame);
        let Kind::Map(map) = &branch.states[index].kind else { return };
        let Some(iterations) = &self.execution.frames[frame].iterations else { return };
        let Some(results) = iterations.results.iter().cloned().collect::<Option<Vec<_>>>() else { return };
        self.count_events(1);
        let result = JValue::array(results);
        let left = self
            .measure(frame, "result", &result)
            .and_then(|()| self.leave(frame, &map.exit, result.clone(), Some(("result", result))));
        if let Err(failure) = left {
            self.retry_or_catch(frame, failure);
        }
    }

    fn wait_duration(&mut self, frame: usize, until: &WaitUntil) -> Result<Duration, Failure> {
        match until {
            WaitUntil::Seconds(seconds) => whole_seconds("Seconds", &self.evaluate(frame, seconds, None)?),
            WaitUntil::Timestamp(timestamp) => {
                let value = self.evaluate(frame, timestamp, None)?;
                let time = value.as_str().and_then(Timestamp::parse);
                let time = time.ok_or_else(|| Failure::query("Timestamp is not a date and time with an offset"))?;
                Ok(time.since(self.sources.now))
            }
        }
    }

    fn text(&mut self, frame: usize, field: &str, template: Option<&Template>) -> Result<Option<String>, Failure> {
        let Some(template) = template else { return Ok(None) };
        match self.evaluate(frame, template, None)? {
            JValue::String(text) => Ok(Some(text.to_string())),
            _ => Err(Failure::query(format!("{field} is not a string"))),
        }
    }

    fn scope(&self, frame: usize, more: Option<(&str, JValue)>) -> Scope<'_> {
        let states = self.execution.states(frame, more, None);
        Scope { variables: &self.execution.frames[frame].variables, states }
    }

    fn evaluate(&self, frame: usize, template: &Template, more: Option<(&str, JValue)>) -> Result<JValue, Failure> {
        match template {
            Template::Literal(value) => Ok(value.clone()),
            template => template.evaluate(&self.scope(frame, more), self.sources),
        }
    }

    /// Records the size of data of a state.
    fn measure(&mut self, frame: usize, what: &str, value: &JValue) -> Result<(), Failure> {
        let bytes = json_bytes(value);
        let (branch, index) = self.position(frame);
        let state = &branch.states[index].name;
        let usage = &mut self.execution.usage;
        if bytes > usage.max_data_bytes {
            usage.max_data_bytes = bytes;
            usage.max_data_state = state.to_string();
        }
        check_size(bytes, MAX_DATA_BYTES, &format_args!("the {what} of the state {state}"))
    }

    /// Evaluates `Assign` and `Output` with the old variables, and goes on to the next state.
    fn leave(
        &mut self,
        frame: usize,
        exit: &Exit,
        default_output: JValue,
        more: Option<(&str, JValue)>,
    ) -> Result<(), Failure> {
        let left = self.evaluate_exit(frame, exit, default_output, more);
        if left.is_err() {
            self.count_events(1);
        }
        let (variables, output) = left?;
        self.discard_iterations(frame);
        self.count_events(1);
        let usage = &mut self.execution.usage;
        usage.max_variables_bytes = usage.max_variables_bytes.max(variables.bytes);
        let leaving = self.frame(frame);
        leaving.variables = variables;
        match exit.next {
            Some(next) => {
                leaving.state = next;
                leaving.input = output;
                leaving.phase = Phase::Ready;
                self.ready.push_back(frame);
            }
            None => self.succeed(frame, output),
        }
        Ok(())
    }

    fn evaluate_exit(
        &mut self,
        frame: usize,
        exit: &Exit,
        default_output: JValue,
        more: Option<(&str, JValue)>,
    ) -> Result<(Variables, JValue), Failure> {
        let needs_scope = !exit.assign.is_empty() || exit.output.is_some();
        if !needs_scope {
            self.measure(frame, "output", &default_output)?;
            return Ok((std::mem::take(&mut self.frame(frame).variables), default_output));
        }
        let scope = self.scope(frame, more);
        let mut variables = scope.variables.clone();
        let mut assigned_bytes = 0;
        for (name, template) in &exit.assign {
            let value = template.evaluate(&scope, self.sources)?;
            let bytes = json_bytes(&value);
            assigned_bytes += bytes;
            check_size(assigned_bytes, MAX_DATA_BYTES, &format_args!("what Assign has up to the variable {name}"))?;
            variables.assign(name, value, bytes);
            check_size(variables.bytes, MAX_VARIABLES_BYTES, &format_args!("all variables with {name}"))?;
        }
        let output = match &exit.output {
            Some(output) => output.evaluate(&scope, self.sources)?,
            None => default_output,
        };
        self.measure(frame, "output", &output)?;
        Ok((variables, output))
    }

    /// Leaves a state that has neither `Retry` nor `Catch`.
    fn leave_or_fail(&mut self, frame: usize, exit: &Exit, default_output: JValue) {
        if let Err(failure) = self.leave(frame, exit, default_output, None) {
            self.fail(frame, &failure);
        }
    }

    /// Fails a state that has neither `Retry` nor `Catch` because of one of its fields.
    fn fail_evaluation(&mut self, frame: usize, failure: Failure) {
        self.count_events(1);
        self.fail(frame, &failure);
    }

    fn retry_or_catch(&mut self, frame: usize, failure: Failure) {
        let (branch, index) = self.position(frame);
        let state = &branch.states[index];
        let retries = &mut self.execution.frames[frame].retries;
        let delay = next_delay(&state.retriers, retries, &failure, &mut self.sources.rng.borrow_mut());
        if let Some(delay) = delay {
            self.execution.usage.retries += 1;
            self.discard_iterations(frame);
            self.frame(frame).phase = Phase::Retrying;
            self.set_timer(frame, delay);
            return;
        }
        let Some(catcher) = state.catchers.iter().find(|catcher| failure.is_one_of(&catcher.error_equals)) else {
            self.fail(frame, &failure);
            return;
        };
        let error = [("Error", JValue::from(failure.error))].into_iter();
        let error_output = object(error.chain(failure.cause.map(|cause| ("Cause", JValue::from(cause)))));
        let left = self.leave(frame, &catcher.exit, error_output.clone(), Some(("errorOutput", error_output)));
        if let Err(failure) = left {
            self.fail(frame, &failure);
        }
    }

    fn set_timer(&mut self, frame: usize, after: Duration) {
        let token = self.frame(frame).token;
        self.effects.push(Effect::Timer { frame, token, after });
    }

    /// Ends a frame with an output.
    fn succeed(&mut self, frame: usize, output: JValue) {
        let finished = self.frame(frame);
        finished.phase = Phase::Succeeded;
        let Some((map_frame, index)) = finished.iteration else {
            self.end(ExecutionStatus::Succeeded(to_json(&output)));
            return;
        };
        finished.variables = Variables::default();
        self.count_events(1);
        if let Some(iterations) = &mut self.frame(map_frame).iterations {
            iterations.results[index] = Some(output);
        }
        self.start_next_iteration(map_frame);
        self.finish_map(map_frame);
    }

    /// Ends a frame with an error that its state does not catch. The frame keeps its state for a redrive.
    fn fail(&mut self, frame: usize, failure: &Failure) {
        let failed = self.frame(frame);
        failed.phase = Phase::Failed;
        let Some((map_frame, _)) = failed.iteration else {
            self.end(ExecutionStatus::Failed(failure.clone()));
            return;
        };
        self.count_events(1);
        self.abort_iterations(map_frame);
        self.count_events(1);
        self.retry_or_catch(map_frame, failure.clone());
    }

    /// Stops the iterations of a Map that have not ended.
    fn abort_iterations(&mut self, map_frame: usize) {
        let Some(iterations) = &self.execution.frames[map_frame].iterations else { return };
        for child in iterations.frames.clone() {
            if !matches!(self.frame(child).phase, Phase::Succeeded | Phase::Failed | Phase::Aborted) {
                self.abort_iterations(child);
                self.count_events(1);
                self.stop(child, Phase::Aborted);
            }
        }
    }

    /// Forgets the iterations of a Map that is left or tried again.
    fn discard_iterations(&mut self, map_frame: usize) {
        let Some(iterations) = self.frame(map_frame).iterations.take() else { return };
        for child in iterations.frames {
            self.discard_iterations(child);
            self.stop(child, Phase::Discarded);
            self.frame(child).input = JValue::Null;
        }
    }

    fn stop(&mut self, frame: usize, phase: Phase) {
        let stopped = self.frame(frame);
        stopped.phase = phase;
        stopped.token += 1;
        self.ready.retain(|ready| *ready != frame);
    }

    /// Ends the execution. The last event of a full history is that of the failure.
    fn end(&mut self, status: ExecutionStatus) {
        let is_full = self.execution.usage.events >= MAX_EVENTS;
        let status = if is_full { ExecutionStatus::Failed(history_is_full()) } else { status };
        self.execution.usage.events = (self.execution.usage.events + 1).min(MAX_EVENTS);
        self.execution.end_time = Some(self.sources.now);
        if matches!(status, ExecutionStatus::Succeeded(_)) {
            self.execution.frames = Vec::new();
        }
        self.execution.status = status;
        self.effects.push(Effect::Ended);
    }
}

fn history_is_full() -> Failure {
    Failure::new(RUNTIME, format!("The execution reached the maximum number of history events ({MAX_EVENTS})."))
}

fn whole_seconds(field: &str, value: &JValue) -> Result<Duration, Failure> {
    let seconds = value.as_i64().filter(|seconds| (0..=MAX_WAIT_SECONDS).contains(seconds));
    match seconds.map(u64::try_from) {
        Some(Ok(seconds)) => Ok(Duration::from_secs(seconds)),
        _ => Err(Failure::query(format!("{field} is not a whole number from 0 to {MAX_WAIT_SECONDS}"))),
    }
}

fn check_size(bytes: usize, max: usize, what: &dyn std::fmt::Display) -> Result<(), Failure> {
    if bytes <= max {
        return Ok(());
    }
    Err(Failure::new(DATA_LIMIT_EXCEEDED, format!("{what} has {bytes} bytes, which is more than {max}")))
}
