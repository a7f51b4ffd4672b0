//! What a signal changes in an execution. This module knows no queue and no world: it returns what is to be done.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use jsonata_core::value::JValue;

use super::{Entry, Execution, ExecutionStatus, Frame, Iterations, Phase, Scope, Variables};
use crate::asl::definition::{Branch, Exit, Kind, MapState, WaitUntil};
use crate::asl::failure::{DATA_LIMIT_EXCEEDED, Failure, NO_CHOICE_MATCHED, RUNTIME, TIMEOUT};
use crate::asl::functions::Sources;
use crate::asl::limits::{MAX_CONCURRENT_ITERATIONS, MAX_DATA_BYTES, MAX_EVENTS, MAX_NUMBER, MAX_VARIABLES_BYTES};
use crate::asl::retry::next_delay;
use crate::asl::template::Template;
use crate::asl::time::Timestamp;
use crate::asl::value::{json_bytes, object, to_json};

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
                    Err(failure) => self.fail_evaluation(frame, &failure),
                }
            }
            Kind::Wait { until, .. } => match self.wait_duration(frame, until) {
                Ok(after) => {
                    self.frame(frame).phase = Phase::Waiting;
                    self.set_timer(frame, after);
                }
                Err(failure) => self.fail_evaluation(frame, &failure),
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
                    Err(failure) => self.fail_evaluation(frame, &failure),
                }
            }
            Kind::Fail { error, cause } => {
                let error = self.text(frame, "Error", error.as_ref());
                let cause = self.text(frame, "Cause", cause.as_ref());
                match (error, cause) {
                    (Ok(error), Ok(cause)) => self.fail(frame, &Failure { error: error.unwrap_or_default(), cause }),
                    (Err(failure), _) | (_, Err(failure)) => self.fail_evaluation(frame, &failure),
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
            Some(concurrency) => whole_number("MaxConcurrency", &self.evaluate(frame, concurrency, None)?)?,
            None => 0,
        };
        let concurrency = usize::try_from(concurrency).unwrap_or(0);
        let is_limited = (1..MAX_CONCURRENT_ITERATIONS).contains(&concurrency);
        let concurrency = if is_limited { concurrency } else { MAX_CONCURRENT_ITERATIONS };
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
    fn fail_evaluation(&mut self, frame: usize, failure: &Failure) {
        self.count_events(1);
        self.fail(frame, failure);
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
    whole_number(field, value).map(Duration::from_secs)
}

fn whole_number(field: &str, value: &JValue) -> Result<u64, Failure> {
    let number = value.as_i64().and_then(|number| u64::try_from(number).ok()).filter(|number| *number <= MAX_NUMBER);
    number.ok_or_else(|| Failure::query(format!("{field} is not a whole number from 0 to {MAX_NUMBER}")))
}

fn check_size(bytes: usize, max: usize, what: &dyn std::fmt::Display) -> Result<(), Failure> {
    if bytes <= max {
        return Ok(());
    }
    Err(Failure::new(DATA_LIMIT_EXCEEDED, format!("{what} has {bytes} bytes, which is more than {max}")))
}
