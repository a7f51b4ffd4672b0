//! What each state and each field does.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use simulation::asl::{
    Call, Definition, Execution, ExecutionId, ExecutionStatus, Failure, MAX_DATA_BYTES, MAX_EVENTS, Reply, StartError,
    StateMachine, StepFunctions, TaskToken, Timestamp, World,
};

const START: &str = "2026-01-01T00:00:00.000Z";

/// A world that answers the calls in order. Without an answer a task never answers.
#[derive(Default)]
struct Answers {
    replies: VecDeque<Reply>,
    calls: Vec<(Timestamp, String, Value)>,
    tokens: Vec<TaskToken>,
    ended: Vec<ExecutionId>,
    events: Vec<(Timestamp, u32)>,
}

impl World for Answers {
    type Event = u32;

    fn invoke(&mut self, call: Call, steps: &mut StepFunctions<u32>) -> Reply {
        self.calls.push((steps.now(), call.state.to_string(), call.arguments));
        self.tokens.push(call.token);
        self.replies.pop_front().unwrap_or(Reply::Later)
    }

    fn handle(&mut self, event: u32, steps: &mut StepFunctions<u32>) {
        self.events.push((steps.now(), event));
    }

    fn execution_ended(&mut self, execution: ExecutionId, _: &mut StepFunctions<u32>) {
        self.ended.push(execution);
    }
}

/// One execution of a definition, with its world.
struct Run {
    steps: StepFunctions<u32>,
    world: Answers,
    id: ExecutionId,
}

impl Run {
    fn new(start_at: &str, states: &Value, input: Value, replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut run = Self::prepared(start_at, states, input, replies);
        run.steps.run(&mut run.world);
        run
    }

    /// Returns a run in which nothing has happened.
    fn prepared(start_at: &str, states: &Value, input: Value, replies: impl IntoIterator<Item = Reply>) -> Self {
        let definition = definition(start_at, states).unwrap();
        let mut steps = StepFunctions::new(Timestamp::parse(START).unwrap(), 1);
        let id = steps.start_execution(&Rc::new(StateMachine::new("machine", definition)), "run", input).unwrap();
        Self { steps, world: Answers { replies: replies.into_iter().collect(), ..Answers::default() }, id }
    }

    fn execution(&self) -> &Execution {
        self.steps.execution(self.id)
    }

    fn output(&self) -> &Value {
        match self.execution().status() {
            ExecutionStatus::Succeeded(output) => output,
            other => panic!("the execution has not succeeded: {other:?}"),
        }
    }

    fn failure(&self) -> &Failure {
        match self.execution().status() {
            ExecutionStatus::Failed(failure) => failure,
            other => panic!("the execution has not failed: {other:?}"),
        }
    }

    fn states(&self) -> Vec<&str> {
        self.execution().entries().iter().map(|entry| &*entry.state).collect()
    }

    fn elapsed(&self) -> Duration {
        self.steps.now().since(Timestamp::parse(START).unwrap())
    }

    fn redrive(&mut self, replies: impl IntoIterator<Item = Reply>) {
        self.world.replies = replies.into_iter().collect();
        self.steps.redrive(self.id).unwrap();
        self.steps.run(&mut self.world);
    }
}

fn definition(start_at: &str, states: &Value) -> Result<Definition, String> {
    let text = json!({"QueryLanguage": "JSONata", "StartAt": start_at, "States": states}).to_string();
    Definition::parse(&text, &[]).map_err(|error| error.to_string())
}

/// Returns the output of one Pass state.
fn pass(output: &str) -> Result<Value, String> {
    let states = json!({"A": {"Type": "Pass", "Output": format!("{{% {output} %}}"), "End": true}});
    let run = Run::new("A", &states, json!({"a": 1}), []);
    match run.execution().status() {
        ExecutionStatus::Succeeded(output) => Ok(output.clone()),
        ExecutionStatus::Failed(failure) => Err(failure.error.clone()),
        ExecutionStatus::Running | ExecutionStatus::Aborted => panic!("a Pass state waits"),
    }
}

/// Returns a state with these fields added.
fn extended(mut state: Value, more: Value) -> Value {
    if let (Value::Object(state), Value::Object(more)) = (&mut state, more) {
        state.extend(more);
    }
    state
}

/// Returns a Task with these fields added. It is the last state if they have no `Next`.
fn task(more: Value) -> Value {
    let end = if more.get("Next").is_some() { json!({}) } else { json!({"End": true}) };
    let task = extended(json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}), end);
    extended(task, more)
}

fn answer(payload: Value) -> Reply {
    Reply::payload_after(Duration::from_secs(1), payload)
}

fn failing(error: &str) -> Reply {
    Reply::FailureAfter(Duration::ZERO, Failure::new(error, "because"))
}

#[test]
fn assign_and_output_read_the_variables_from_before_the_state() {
    let states = json!({
        "Set": {"Type": "Pass", "Assign": {"left": 1, "right": 2}, "Next": "Swap"},
        "Swap": {
            "Type": "Pass",
            "Assign": {"left": "{% $right %}", "right": "{% $left %}"},
            "Output": "{% $left %}",
            "Next": "Read",
        },
        "Read": {"Type": "Pass", "Output": ["{% $left %}", "{% $right %}", "{% $states.input %}"], "End": true},
    });
    assert_eq!(*Run::new("Set", &states, json!({}), []).output(), json!([2, 1, 1]));
}

#[test]
fn without_an_output_a_pass_state_returns_its_input() {
    let run = Run::new("A", &json!({"A": {"Type": "Pass", "End": true}}), json!({"a": [1]}), []);
    assert_eq!(*run.output(), json!({"a": [1]}));
}

#[test]
fn an_expression_without_a_value_is_a_query_evaluation_error() {
    for expression in ["$states.input.missing", "$missing", "$number('x')", "function($x) { $x }", "[1][5]", "1/0"] {
        assert_eq!(pass(expression), Err("States.QueryEvaluationError".to_owned()), "{expression}");
    }
}

#[test]
fn the_input_document_is_not_the_context_of_an_expression() {
    assert_eq!(pass("a"), Err("States.QueryEvaluationError".to_owned()));
    assert_eq!(pass("$states.input.a"), Ok(json!(1)));
}

#[test]
fn step_functions_adds_functions() {
    for (expression, value) in [
        ("$parse('{\"a\": [1]}').a[0]", json!(1)),
        ("$range(0, 10, 5)", json!([0, 5, 10])),
        ("$range(1, 1, 1)", json!(1)),
        ("$partition([1, 2, 3], 2)", json!([[1, 2], [3]])),
        ("$hash('a', 'MD5')", json!("0cc175b9c0f1b6a831c399e269772661")),
        ("$hash('a', 'SHA-1')", json!("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8")),
        ("$hash('a', 'SHA-256')", json!("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")),
        ("$random(7) = $random(7)", json!(true)),
        ("$random() != $random()", json!(true)),
        ("$length($uuid())", json!(36)),
        ("$now()", json!(START)),
        ("$millis()", json!(1_767_225_600_000_i64)),
    ] {
        assert_eq!(pass(expression), Ok(value), "{expression}");
    }
}

#[test]
fn eval_and_text_that_is_not_json_fail() {
    for expression in ["$eval('1')", "$parse('{')", "$partition([1], -1)", "$hash('a', 'CRC')"] {
        assert_eq!(pass(expression), Err("States.QueryEvaluationError".to_owned()), "{expression}");
    }
}

#[test]
fn the_context_object_names_the_execution_and_the_state() {
    let context = pass("$states.context").unwrap();
    assert_eq!(
        context,
        json!({
            "Execution": {
                "Id": "arn:aws:states:us-east-1:123456789012:execution:machine:run",
                "Input": {"a": 1},
                "Name": "run",
                "RoleArn": "arn:aws:iam::123456789012:role/workflow",
                "StartTime": START,
                "RedriveCount": 0,
            },
            "StateMachine": {"Id": "arn:aws:states:us-east-1:123456789012:stateMachine:machine", "Name": "machine"},
            "State": {"EnteredTime": START, "Name": "A"},
        })
    );
}

#[test]
fn a_choice_takes_the_first_rule_that_is_true() {
    let states = json!({
        "A": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $states.input.n > 5 %}", "Next": "Large"},
                {"Condition": "{% $states.input.n > 3 %}", "Assign": {"by": "rule"}, "Output": "new", "Next": "Middle"},
            ],
            "Assign": {"by": "default"},
            "Default": "Small",
        },
        "Large": {"Type": "Succeed", "Output": {}},
        "Middle": {"Type": "Succeed", "Output": {"by": "{% $by %}", "input": "{% $states.input %}"}},
        "Small": {"Type": "Succeed", "Output": {"by": "{% $by %}", "input": "{% $states.input %}"}},
    });
    assert_eq!(*Run::new("A", &states, json!({"n": 6}), []).output(), json!({}));
    assert_eq!(*Run::new("A", &states, json!({"n": 4}), []).output(), json!({"by": "rule", "input": "new"}));
    assert_eq!(*Run::new("A", &states, json!({"n": 1}), []).output(), json!({"by": "default", "input": {"n": 1}}));
}

#[test]
fn a_condition_that_is_not_a_boolean_fails() {
    let states = json!({
        "A": {"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "B"}], "Default": "B"},
        "B": {"Type": "Succeed"},
    });
    assert_eq!(Run::new("A", &states, json!({}), []).failure().error, "States.QueryEvaluationError");
}

#[test]
fn a_choice_without_a_default_fails_if_no_rule_is_true() {
    let states = json!({
        "A": {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "B"}]},
        "B": {"Type": "Succeed"},
    });
    assert_eq!(Run::new("A", &states, json!({}), []).failure().error, "States.NoChoiceMatched");
}

#[test]
fn a_wait_takes_its_seconds_of_virtual_time() {
    let states = json!({"A": {"Type": "Wait", "Seconds": "{% 60 * 60 * 24 * 2 %}", "End": true}});
    let run = Run::new("A", &states, json!({"a": 1}), []);
    assert_eq!(*run.output(), json!({"a": 1}));
    assert_eq!(run.elapsed(), Duration::from_hours(48));
}

#[test]
fn a_wait_for_a_timestamp_ends_at_it() {
    for (timestamp, seconds) in [("2026-01-01T01:00:30+01:00", 30), ("2025-12-31T00:00:00Z", 0)] {
        let states = json!({"A": {"Type": "Wait", "Timestamp": timestamp, "End": true}});
        assert_eq!(Run::new("A", &states, json!({}), []).elapsed(), Duration::from_secs(seconds));
    }
}

#[test]
fn a_wait_needs_a_whole_number_of_seconds() {
    for seconds in ["1.5", "-1", "'1'", "1e9"] {
        let states = json!({"A": {"Type": "Wait", "Seconds": format!("{{% {seconds} %}}"), "End": true}});
        assert_eq!(Run::new("A", &states, json!({}), []).failure().error, "States.QueryEvaluationError", "{seconds}");
    }
}

#[test]
fn a_task_is_called_with_its_arguments() {
    let states = json!({"A": task(json!({
        "Arguments": {"FunctionName": "f", "Payload": {"a": "{% $states.input.a %}", "list": [1, "{% 'x' & 'y' %}"]}},
        "Output": "{% $states.result.Payload %}",
    }))});
    let run = Run::new("A", &states, json!({"a": 1}), [answer(json!({"b": 2}))]);
    assert_eq!(*run.output(), json!({"b": 2}));
    assert_eq!(run.world.calls[0].2, json!({"FunctionName": "f", "Payload": {"a": 1, "list": [1, "xy"]}}));
    assert_eq!(run.world.ended, [run.id]);
}

#[test]
fn an_error_is_retried_and_then_caught() {
    let states = json!({
        "A": task(json!({
            "Arguments": "{% $states.context.State.RetryCount %}",
            "Retry": [{"ErrorEquals": ["Throttled"], "IntervalSeconds": 10, "BackoffRate": 2, "MaxAttempts": 2}],
            "Catch": [{
                "ErrorEquals": ["States.ALL"],
                "Assign": {"retries": "{% $states.context.State.RetryCount %}"},
                "Output": {"error": "{% $states.errorOutput %}", "input": "{% $states.input %}"},
                "Next": "B"
            }],
        })),
        "B": {"Type": "Pass", "Output": {"caught": "{% $states.input %}", "retries": "{% $retries %}"}, "End": true},
    });
    let run =
        Run::new("A", &states, json!({"a": 1}), [failing("Throttled"), failing("Throttled"), failing("Throttled")]);
    let error = json!({"Error": "Throttled", "Cause": "because"});
    assert_eq!(*run.output(), json!({"caught": {"error": error, "input": {"a": 1}}, "retries": 2}));
    assert_eq!(run.world.calls.iter().map(|(_, _, arguments)| arguments.clone()).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(run.elapsed(), Duration::from_secs(30));
    assert_eq!((run.execution().usage().retries, run.execution().usage().transitions()), (2, 4));
}

#[test]
fn without_an_output_a_catcher_passes_the_error_on() {
    let states = json!({
        "A": task(json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}]})),
        "B": {"Type": "Succeed"},
    });
    let run = Run::new("A", &states, json!({}), [failing("AccessDenied")]);
    assert_eq!(*run.output(), json!({"Error": "AccessDenied", "Cause": "because"}));
}

#[test]
fn an_error_in_a_field_of_a_task_is_caught() {
    for field in ["Arguments", "Output", "Assign"] {
        let template = if field == "Assign" { json!({"x": "{% $missing %}"}) } else { json!("{% $missing %}") };
        let states = json!({
            "A": task(json!({
                field: template,
                "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Output": "caught", "Next": "B"}],
            })),
            "B": {"Type": "Succeed"},
        });
        let run = Run::new("A", &states, json!({}), [answer(json!({}))]);
        assert_eq!(*run.output(), "caught", "{field}");
    }
}

#[test]
fn an_error_in_a_catcher_is_not_caught() {
    let states = json!({
        "A": task(json!({"Catch": [
            {"ErrorEquals": ["AccessDenied"], "Assign": {"x": "{% $missing %}"}, "Next": "B"},
            {"ErrorEquals": ["States.ALL"], "Next": "B"},
        ]})),
        "B": {"Type": "Succeed"},
    });
    let run = Run::new("A", &states, json!({}), [failing("AccessDenied")]);
    assert_eq!(run.failure().error, "States.QueryEvaluationError");
}

#[test]
fn a_task_that_does_not_answer_in_time_is_a_timeout_without_a_cause() {
    let states = json!({
        "A": task(json!({
            "TimeoutSeconds": "{% 6 * 10 %}",
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "B"}],
        })),
        "B": {"Type": "Succeed"},
    });
    for reply in [Reply::Later, Reply::payload_after(Duration::from_secs(61), json!({}))] {
        let run = Run::new("A", &states, json!({}), [reply]);
        assert_eq!(*run.output(), json!({"Error": "States.Timeout"}));
        assert_eq!(run.execution().end_time().unwrap().to_string(), "2026-01-01T00:01:00.000Z");
    }
}

#[test]
fn an_answer_to_an_earlier_attempt_is_ignored() {
    let states = json!({"A": task(json!({
        "TimeoutSeconds": 60,
        "Retry": [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1}],
        "Output": "{% $states.result.Payload %}",
    }))});
    let answers = [(100, "first"), (50, "second")];
    let replies = answers.map(|(seconds, payload)| Reply::payload_after(Duration::from_secs(seconds), json!(payload)));
    assert_eq!(*Run::new("A", &states, json!({}), replies).output(), "second");
}

#[test]
fn an_answer_at_the_last_moment_is_in_time() {
    let states = json!({"A": task(json!({"TimeoutSeconds": 60}))});
    let run = Run::new("A", &states, json!({}), [Reply::payload_after(Duration::from_mins(1), json!(1))]);
    assert_eq!(run.output()["Payload"], 1);
}

#[test]
fn a_world_answers_a_task_later() {
    let states = json!({"A": task(json!({"TimeoutSeconds": 60}))});
    let mut run = Run::prepared("A", &states, json!({}), []);
    run.steps.run_until(Timestamp::parse("2026-01-01T00:00:30Z").unwrap(), &mut run.world);
    run.steps.answer(run.world.tokens[0], Ok(json!("done")));
    run.steps.answer(run.world.tokens[0], Ok(json!("done twice")));
    run.steps.run(&mut run.world);
    assert_eq!(*run.output(), "done");
    assert_eq!(run.execution().end_time().unwrap().to_string(), "2026-01-01T00:00:30.000Z");
}

#[test]
fn a_fail_state_evaluates_its_error_and_cause() {
    let states = json!({"A": {"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% 'a' & 'b' %}"}});
    assert_eq!(*Run::new("A", &states, json!({"e": "X"}), []).failure(), Failure::new("X", "ab"));
    assert_eq!(Run::new("A", &states, json!({"e": 1}), []).failure().error, "States.QueryEvaluationError");
}

/// Returns a Map over the input whose iterations call a task.
fn map(more: Value, task_fields: Value) -> Value {
    let map = json!({
        "Type": "Map",
        "Items": "{% $states.input.items %}",
        "ItemSelector": {
            "value": "{% $states.context.Map.Item.Value %}",
            "index": "{% $states.context.Map.Item.Index %}",
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Keep",
            "States": {
                "Keep": {"Type": "Pass", "Assign": {"value": "{% $states.input.value %}"}, "Next": "Work"},
                "Work": task(task_fields),
            },
        },
        "End": true,
    });
    extended(map, more)
}

#[test]
fn a_map_returns_the_outputs_in_the_order_of_its_items() {
    let states = json!({"M": map(json!({}), json!({"Output": "{% $value & $states.result.Payload %}"}))});
    let replies = [3, 1, 2].map(|seconds| Reply::payload_after(Duration::from_secs(seconds), json!(seconds)));
    let run = Run::new("M", &states, json!({"items": ["a", "b", "c"]}), replies);
    assert_eq!(*run.output(), json!(["a3", "b1", "c2"]));
    assert_eq!(run.elapsed(), Duration::from_secs(3), "the iterations run at once");
    let usage = run.execution().usage();
    assert_eq!((usage.states_entered, usage.calls), (7, 3));
    assert_eq!(usage.events, 2 + 4 + 3 * (2 + 2 + 5));
}

#[test]
fn a_map_over_nothing_returns_nothing() {
    let states = json!({"M": map(json!({}), json!({}))});
    let run = Run::new("M", &states, json!({"items": []}), []);
    assert_eq!(*run.output(), json!([]));
    assert_eq!(run.execution().usage().events, 2 + 4);
}

#[test]
fn a_map_runs_as_many_iterations_at_once_as_it_may() {
    for (max_concurrency, items, seconds) in [(1, 5, 5), (2, 5, 3), (0, 41, 2), (100, 41, 2)] {
        let states = json!({"M": map(json!({"MaxConcurrency": max_concurrency}), json!({}))});
        let replies = (0..items).map(|_| answer(json!({})));
        let run = Run::new("M", &states, json!({"items": vec![1; items]}), replies);
        assert_eq!(run.output().as_array().unwrap().len(), items);
        assert_eq!(run.elapsed(), Duration::from_secs(seconds), "{max_concurrency}");
    }
}

#[test]
fn an_iteration_reads_outer_variables_and_keeps_its_own() {
    let states = json!({
        "A": {"Type": "Pass", "Assign": {"outer": "o"}, "Next": "M"},
        "M": {
            "Type": "Map",
            "Items": [1, 2],
            "ItemProcessor": {"StartAt": "I", "States": {
                "I": {"Type": "Pass", "Assign": {"inner": "{% $states.input * 10 %}"}, "Next": "J"},
                "J": {"Type": "Pass", "Output": "{% $outer & $inner %}", "End": true},
            }},
            "Assign": {"result": "{% $states.result %}", "hasInner": "{% $exists($inner) %}"},
            "Next": "Z",
        },
        "Z": {"Type": "Pass", "Output": ["{% $result %}", "{% $hasInner %}"], "End": true},
    });
    assert_eq!(*Run::new("A", &states, json!({}), []).output(), json!([["o10", "o20"], false]));
}

#[test]
fn a_map_cannot_assign_an_outer_variable() {
    let states = json!({
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "M"},
        "M": {"Type": "Map", "Items": [1], "End": true, "ItemProcessor": {"StartAt": "I", "States": {
            "I": {"Type": "Pass", "Assign": {"x": 2}, "End": true},
        }}},
    });
    assert!(definition("A", &states).unwrap_err().contains("x is a variable of the states around"));
}

#[test]
fn a_failed_iteration_ends_the_others_and_the_map_catches_it() {
    let more = json!({"Catch": [{"ErrorEquals": ["Broken"], "Next": "Caught"}]});
    let states = json!({"M": map(more, json!({})), "Caught": {"Type": "Succeed"}});
    let slow = Reply::payload_after(Duration::from_secs(100), json!({}));
    let run = Run::new("M", &states, json!({"items": [1, 2]}), [slow, failing("Broken")]);
    assert_eq!(*run.output(), json!({"Error": "Broken", "Cause": "because"}));
    assert_eq!(run.execution().end_time().unwrap().to_string(), START);
    let (started, failed, aborted) = (1 + 2 + 1 + 2, 1 + 1, 1);
    assert_eq!(run.execution().usage().events, 1 + 2 + 2 * started + failed + aborted + 2 + 2 + 1);
}

#[test]
fn a_map_that_is_retried_runs_every_iteration_again() {
    let states = json!({"M": map(json!({"Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 5}]}), json!({}))});
    let replies = [answer(json!(1)), failing("Broken"), answer(json!(1)), answer(json!(2))];
    let run = Run::new("M", &states, json!({"items": [1, 2]}), replies);
    assert_eq!(run.output().as_array().unwrap().len(), 2);
    assert_eq!(run.world.calls.len(), 4);
}

#[test]
fn items_must_be_an_array() {
    let states = json!({"M": map(json!({}), json!({}))});
    assert_eq!(Run::new("M", &states, json!({"items": {}}), []).failure().error, "States.QueryEvaluationError");
}

#[test]
fn each_kind_of_state_adds_its_events() {
    let states = json!({
        "T": task(json!({"Next": "W"})),
        "W": {"Type": "Wait", "Seconds": 1, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "P"}]},
        "P": {"Type": "Pass", "Next": "S"},
        "S": {"Type": "Succeed"},
    });
    let run = Run::new("T", &states, json!({}), [answer(json!({}))]);
    assert_eq!(run.states(), ["T", "W", "C", "P", "S"]);
    assert_eq!(run.execution().usage().events, 1 + 5 + 2 + 2 + 2 + 2 + 1);
}

#[test]
fn a_caught_error_takes_five_events_and_a_retry_three() {
    let states = json!({
        "T": task(json!({
            "Retry": [{"ErrorEquals": ["X"], "MaxAttempts": 2}],
            "Catch": [{"ErrorEquals": ["X"], "Next": "F"}],
        })),
        "F": {"Type": "Fail", "Error": "E", "Cause": "c"},
    });
    let run = Run::new("T", &states, json!({}), [failing("X"), failing("X"), failing("X")]);
    assert_eq!(run.failure().error, "E");
    assert_eq!(run.execution().usage().events, 1 + 5 + 2 * 3 + 1 + 1);
}

#[test]
fn a_full_history_is_a_runtime_error_that_nothing_catches() {
    let states = json!({
        "T": task(json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "W"}]})),
        "W": {"Type": "Wait", "Seconds": 1, "Next": "T"},
    });
    let mut run = Run::new("T", &states, json!({}), (0..5_000).map(|_| failing("X")));
    assert_eq!(run.failure().error, "States.Runtime");
    assert_eq!(run.execution().usage().events, MAX_EVENTS);
    assert_eq!(run.world.calls.len(), 3_571, "a caught error and a wait are 7 events");
    assert!(run.steps.redrive(run.id).unwrap_err().to_string().contains("history is full"));
}

#[test]
fn data_of_256_kib_passes_and_one_byte_more_does_not() {
    let states = json!({"A": {"Type": "Pass", "Output": "{% $states.input & 'x' %}", "End": true}});
    let largest = "x".repeat(MAX_DATA_BYTES - 2);
    assert_eq!(Run::new("A", &states, json!(largest[1..]), []).output().as_str().unwrap().len(), largest.len());
    let failed = Run::new("A", &states, json!(largest), []);
    assert_eq!(failed.failure().error, "States.DataLimitExceeded");
    assert_eq!(failed.execution().usage().max_data_bytes, MAX_DATA_BYTES + 1);
    assert_eq!(failed.execution().usage().max_data_state, "A");
}

#[test]
fn states_all_does_not_catch_the_data_limit_and_its_name_does() {
    let states = |error: &str| {
        json!({
            "T": task(json!({"Catch": [{"ErrorEquals": [error], "Output": "caught", "Next": "S"}]})),
            "S": {"Type": "Succeed"},
        })
    };
    let large = || [answer(json!("x".repeat(MAX_DATA_BYTES)))];
    let uncaught = Run::new("T", &states("States.ALL"), json!({}), large());
    assert_eq!(uncaught.failure().error, "States.DataLimitExceeded");
    assert_eq!(*Run::new("T", &states("States.DataLimitExceeded"), json!({}), large()).output(), "caught");
}

#[test]
fn the_variables_of_one_state_share_256_kib() {
    let states = json!({"A": {
        "Type": "Pass",
        "Assign": {"a": "{% $states.input %}", "b": "{% $states.input %}"},
        "End": true
    }});
    assert!(matches!(
        Run::new("A", &states, json!("x".repeat(131_070)), []).execution().status(),
        ExecutionStatus::Succeeded(_)
    ));
    assert_eq!(Run::new("A", &states, json!("x".repeat(131_071)), []).failure().error, "States.DataLimitExceeded");
}

#[test]
fn all_variables_share_10_mib() {
    let states: serde_json::Map<String, Value> = (0..45)
        .map(|index| {
            let next = if index == 44 { json!({"End": true}) } else { json!({"Next": format!("S{}", index + 1)}) };
            let state = json!({"Type": "Pass", "Assign": {format!("v{index}"): "{% $states.input %}"}});
            (format!("S{index}"), extended(state, next))
        })
        .collect();
    let run = Run::new("S0", &json!(states), json!("x".repeat(MAX_DATA_BYTES - 2)), []);
    assert_eq!(run.failure().error, "States.DataLimitExceeded");
    assert_eq!(run.execution().usage().max_variables_bytes, 40 * MAX_DATA_BYTES);
}

#[test]
fn a_redrive_continues_at_the_failed_state() {
    let states = json!({
        "P": {"Type": "Pass", "Assign": {"kept": 7}, "Output": "input of T", "Next": "T"},
        "T": task(json!({
            "Arguments": {"redrives": "{% $states.context.Execution.RedriveCount %}", "input": "{% $states.input %}"},
            "Output": "{% $kept %}",
        })),
    });
    let mut run = Run::new("P", &states, json!({}), [failing("X")]);
    assert_eq!(run.failure().error, "X");
    assert_eq!(run.execution().usage().events, 1 + 2 + 4 + 1);
    run.redrive([answer(json!({}))]);
    assert_eq!(*run.output(), 7);
    assert_eq!(run.world.calls[1].2, json!({"redrives": 1, "input": "input of T"}));
    assert_eq!(run.execution().redrive_count(), 1);
    assert_eq!(run.execution().usage().events, 8 + 1 + 5 + 1);
    assert_eq!(run.states(), ["P", "T", "T"]);
}

#[test]
fn a_redrive_starts_with_all_retries() {
    let states = json!({"T": task(json!({"Retry": [{"ErrorEquals": ["X"], "MaxAttempts": 1}]}))});
    let mut run = Run::new("T", &states, json!({}), [failing("X"), failing("X")]);
    run.redrive([failing("X"), answer(json!({}))]);
    assert_eq!(run.world.calls.len(), 4);
    run.output();
}

#[test]
fn a_redrive_of_a_map_runs_only_the_iterations_that_did_not_succeed() {
    let states = json!({"M": map(json!({"MaxConcurrency": 2}), json!({"Output": "{% $value %}"}))});
    let slow = || Reply::payload_after(Duration::from_secs(100), json!({}));
    let late_failure = Reply::FailureAfter(Duration::from_secs(5), Failure::new("X", "because"));
    let mut run =
        Run::new("M", &states, json!({"items": ["a", "b", "c", "d"]}), [answer(json!({})), late_failure, slow()]);
    assert_eq!(run.failure().error, "X");
    run.redrive((0..3).map(|_| answer(json!({}))));
    assert_eq!(*run.output(), json!(["a", "b", "c", "d"]));
    assert_eq!(run.world.calls.len(), 6, "a once, b and c twice, d once");
    assert_eq!(run.states().iter().filter(|state| **state == "Keep").count(), 4);
}

#[test]
fn only_a_failed_execution_of_the_last_14_days_is_redriven() {
    let states = json!({"T": task(json!({}))});
    let mut run = Run::prepared("T", &states, json!({}), [answer(json!({}))]);
    assert!(run.steps.redrive(run.id).unwrap_err().to_string().contains("it runs"));
    run.steps.run(&mut run.world);
    assert!(run.steps.redrive(run.id).unwrap_err().to_string().contains("succeeded"));
    let mut run = Run::new("T", &states, json!({}), [failing("X")]);
    run.steps.run_until(Timestamp::parse("2026-01-15T00:00:01Z").unwrap(), &mut run.world);
    assert!(run.steps.redrive(run.id).unwrap_err().to_string().contains("14 days"));
}

#[test]
fn a_name_is_free_again_90_days_after_its_execution() {
    let states = json!({"T": task(json!({}))});
    let mut run = Run::prepared("T", &states, json!({"a": 1}), [answer(json!({}))]);
    let machine = Rc::new(StateMachine::new("machine", definition("T", &states).unwrap()));
    let start = |run: &mut Run, input: Value| run.steps.start_execution(&machine, "run", input);
    assert_eq!(start(&mut run, json!({"a": 1})), Ok(run.id), "the same input while it runs");
    assert_eq!(start(&mut run, json!({"a": 2})), Err(StartError::ExecutionAlreadyExists));
    run.steps.run(&mut run.world);
    assert_eq!(start(&mut run, json!({"a": 1})), Err(StartError::ExecutionAlreadyExists));
    run.steps.run_until(Timestamp::parse("2026-04-01T00:00:02Z").unwrap(), &mut run.world);
    assert!(start(&mut run, json!({"a": 1})).unwrap() != run.id);
}

#[test]
fn an_input_over_256_kib_starts_nothing() {
    let mut run = Run::prepared("T", &json!({"T": task(json!({}))}), json!({}), []);
    let machine = Rc::new(StateMachine::new("machine", definition("T", &json!({"T": task(json!({}))})).unwrap()));
    let started = run.steps.start_execution(&machine, "large", json!("x".repeat(MAX_DATA_BYTES)));
    assert_eq!(started, Err(StartError::InputTooLarge));
}

#[test]
fn events_of_the_world_happen_in_the_order_of_their_times() {
    let mut run = Run::prepared("W", &json!({"W": {"Type": "Wait", "Seconds": 5, "End": true}}), json!({}), []);
    for (seconds, event) in [(9, 1), (1, 2), (5, 3), (5, 4)] {
        run.steps.schedule(Duration::from_secs(seconds), event);
    }
    run.steps.run(&mut run.world);
    assert_eq!(run.world.events.iter().map(|(_, event)| *event).collect::<Vec<_>>(), [2, 3, 4, 1]);
}

#[test]
fn one_random_seed_gives_one_history() {
    let states = json!({
        "T": task(json!({
            "Arguments": "{% $random() %}",
            "Retry": [{"ErrorEquals": ["X"], "IntervalSeconds": 100, "MaxAttempts": 9, "JitterStrategy": "FULL"}],
        })),
    });
    let history = |random_seed: u64| {
        let machine = Rc::new(StateMachine::new("machine", definition("T", &states).unwrap()));
        let mut steps = StepFunctions::new(Timestamp::parse(START).unwrap(), random_seed);
        let mut world = Answers { replies: (0..50).map(|_| failing("X")).collect(), ..Answers::default() };
        for name in ["a", "b", "c", "d", "e"] {
            steps.start_execution(&machine, name, json!({})).unwrap();
        }
        steps.run(&mut world);
        assert_eq!(steps.executions().count(), 5);
        world.calls
    };
    assert_eq!(history(1), history(1));
    assert_ne!(history(1), history(2));
}

#[test]
fn a_running_execution_keeps_its_definition() {
    let states = |output: u32| json!({"T": task(json!({"Output": output}))});
    let machine = |output: u32| Rc::new(StateMachine::new("machine", definition("T", &states(output)).unwrap()));
    let mut run = Run::prepared("T", &states(1), json!({}), [answer(json!({})), answer(json!({}))]);
    let updated = run.steps.start_execution(&machine(2), "updated", json!({})).unwrap();
    run.steps.run(&mut run.world);
    assert_eq!(*run.output(), 1);
    assert_eq!(*run.steps.execution(updated).status(), ExecutionStatus::Succeeded(json!(2)));
}

#[test]
fn a_definition_that_is_not_interpreted_is_rejected() {
    for (state, problem) in [
        (json!({"Type": "Parallel", "End": true}), "A: Type: Parallel is not interpreted"),
        (json!({"Type": "Pass", "InputPath": "$", "End": true}), "A: InputPath is not interpreted in a Pass"),
        (json!({"Type": "Pass", "Retry": [], "End": true}), "A: Retry is not interpreted in a Pass"),
        (json!({"Type": "Pass", "Next": "B"}), "A: Next: there is no state B"),
        (json!({"Type": "Pass"}), "A: a state has either Next or End"),
        (json!({"Type": "Pass", "Output": {"x": "{% ( %}"}, "End": true}), "A: Output/x: `(` is not valid JSONata"),
        (json!({"Type": "Wait", "End": true}), "A: a Wait has either Seconds or Timestamp"),
        (json!({"Type": "Pass", "Output": 1, "QueryLanguage": "JSONPath", "End": true}), "A: QueryLanguage"),
    ] {
        let error = definition("A", &json!({ "A": state })).unwrap_err();
        assert!(error.starts_with(problem), "{error}");
    }
}
