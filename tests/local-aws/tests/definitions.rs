//! Rules that the checkers of definitions do not have: which errors a task handles, how long a run waits, a Choice without
//! Default, loops without a wait, functions that the template lacks.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lookalike::ErrorName;
use lookalike::cause::TEXT_OF_CAUSE;
use lookalike::execution::MAX_INPUT_CHARACTERS;
use lookalike::once::{MAX_ATTEMPT_SECONDS, MAX_FAILING_SECONDS};
use lookalike::report::REPORT_LIES_AT;
use lookalike::schedule::{
    MAX_LONG_TURNS, MAX_SHORT_TURNS, MIN_FAILED_CHECK_SECONDS, START_WAIT_SECONDS, WAIT_SECONDS,
};
use serde_json::{Map, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every state machine of the project: the top ones, and those inside a Map.
fn machines() -> Vec<(String, Map<String, Value>)> {
    let mut machines = Vec::new();
    for file in fs::read_dir(root().join("statemachine")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".asl.json") {
            continue;
        }
        let definition: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        collect(name, &definition, &mut machines);
    }
    assert!(machines.len() >= 2, "a workflow and the states inside its Map");
    machines
}

fn collect(name: String, machine: &Value, machines: &mut Vec<(String, Map<String, Value>)>) {
    let states = machine["States"].as_object().unwrap();
    for (state, body) in states {
        if let Some(inner) = body.get("ItemProcessor") {
            collect(format!("{name}/{state}"), inner, machines);
        }
    }
    machines.push((name, states.clone()));
}

/// Runs a check over every state of every machine.
fn each_state(check: impl Fn(&str, &Value)) {
    for (machine, states) in machines() {
        for (name, state) in &states {
            check(&format!("{machine}/{name}"), state);
        }
    }
}

fn matched<'s>(state: &'s Value, list: &str) -> Vec<&'s str> {
    let entries = state[list].as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().flat_map(|entry| entry["ErrorEquals"].as_array().unwrap()).map(|e| e.as_str().unwrap()).collect()
}

fn successors(state: &Value) -> Vec<&str> {
    let next = |value: &'static str| move |entry: &Value| entry[value].as_str().map(str::to_owned);
    let mut all: Vec<&str> = ["Next", "Default"].iter().filter_map(|key| state[key].as_str()).collect();
    for list in ["Choices", "Catch"] {
        for entry in state[list].as_array().map_or(&[][..], Vec::as_slice) {
            assert!(next("Next")(entry).is_some());
            all.extend(entry["Next"].as_str());
        }
    }
    all
}

/// The functions' own errors after which a later call possibly succeeds.
const TRANSIENT: [&str; 2] = ["Throttled", "ServiceUnavailable"];

/// Calls that failed, possibly after the function was called.
const LOST: [&str; 4] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
];

/// Calls that were rejected before the function was called.
const NOT_CALLED: [&str; 3] =
    ["Lambda.TooManyRequestsException", "Lambda.ResourceNotReadyException", "Lambda.ResourceConflictException"];

/// Functions that ended without an answer.
const DIED: [&str; 5] =
    ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "States.Timeout"];

/// Calls that a key of the function's variables stopped.
const KEY: [&str; 4] = [
    "Lambda.KMSAccessDeniedException",
    "Lambda.KMSDisabledException",
    "Lambda.KMSInvalidStateException",
    "Lambda.KMSNotFoundException",
];

const ALL: [&str; 1] = ["States.ALL"];

/// Returns the lists of errors of each entry of `Retry` or `Catch`.
fn error_lists(state: &Value, list: &str) -> Vec<Vec<String>> {
    let entries = state[list].as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().map(|entry| serde_json::from_value(entry["ErrorEquals"].clone()).unwrap()).collect()
}

/// Returns each task of the two workflows whose function has such a name.
fn tasks_of(function: &str) -> Vec<(String, Value)> {
    let workflows = machines().into_iter().filter(|(machine, _)| !machine.starts_with("redeliver"));
    let states = workflows.flat_map(|(machine, states)| {
        states.into_iter().map(move |(name, state)| (format!("{machine}/{name}"), state))
    });
    let calls = |state: &Value| {
        let name = state["Arguments"]["FunctionName"].as_str();
        name.is_some_and(|name| name.starts_with(&format!("${{{function}")))
    };
    states.filter(|(_, state)| calls(state)).collect()
}

#[test]
fn the_transient_errors_of_the_lists_are_those_of_the_functions() {
    let transient: Vec<&str> =
        ErrorName::ALL.iter().filter(|name| name.is_transient()).map(|name| name.as_str()).collect();
    assert_eq!(transient, TRANSIENT);
}

/// `tests/template` holds the lists to the errors of Lambda and Step Functions.
#[test]
fn every_task_handles_our_transient_errors_and_no_other_of_ours() {
    each_state(|name, state| {
        if state["Type"] != "Task" || state["Resource"] != "arn:${Partition}:states:::lambda:invoke" {
            return;
        }
        let handled = [matched(state, "Retry"), matched(state, "Catch")].concat();
        for error in ErrorName::ALL {
            assert_eq!(handled.contains(&error.as_str()), error.is_transient(), "{name} and {error}");
        }
    });
}

#[test]
fn a_start_has_no_retry_and_catches_each_error_as_what_it_may_have_done() {
    let starts = tasks_of("Start");
    assert_eq!(starts.len(), 3);
    for (name, state) in starts {
        assert!(state["Retry"].is_null(), "{name}");
        let uncertain = [&TRANSIENT[..], &LOST, &DIED].concat();
        assert_eq!(error_lists(&state, "Catch"), [&NOT_CALLED[..], &uncertain, &ALL], "{name}");
        assert_eq!(state["TimeoutSeconds"], MAX_ATTEMPT_SECONDS, "{name}");
    }
}

#[test]
fn a_status_check_catches_every_error_and_retries_none() {
    let checks = tasks_of("CheckStatus");
    assert_eq!(checks.len(), 3);
    for (name, state) in checks {
        assert!(state["Retry"].is_null(), "{name}");
        let transient = [&TRANSIENT[..], &LOST, &NOT_CALLED, &DIED].concat();
        assert_eq!(error_lists(&state, "Catch"), [&transient[..], &ALL], "{name}");
    }
}

#[test]
fn the_check_of_a_request_catches_only_errors_that_say_nothing_about_it() {
    for (name, state) in tasks_of("CheckRequest") {
        assert_eq!(error_lists(&state, "Retry"), [DIED], "{name}");
        let transient = [&TRANSIENT[..], &LOST, &NOT_CALLED].concat();
        assert_eq!(error_lists(&state, "Catch"), [&transient[..], &KEY], "{name}");
    }
}

#[test]
fn a_count_and_a_report_are_retried_and_never_fail_a_run() {
    let transient = [&TRANSIENT[..], &LOST, &NOT_CALLED, &KEY].concat();
    for (name, state) in tasks_of("CountSegmentOutput") {
        assert_eq!(error_lists(&state, "Retry"), [&transient[..], &DIED], "{name}");
        assert_eq!(error_lists(&state, "Catch"), [ALL], "{name}");
    }
    for (name, state) in tasks_of("WriteReport") {
        assert_eq!(error_lists(&state, "Retry"), [[&transient[..], &DIED].concat()], "{name}");
        assert_eq!(error_lists(&state, "Catch"), [ALL], "{name}");
    }
}

#[test]
fn every_wait_has_the_rule_that_bounds_it() {
    let mut waits = 0;
    each_state(|name, state| assert!(state["Type"] != "Wait" || state["Seconds"] == WAIT_SECONDS, "{name}"));
    for (_, states) in machines() {
        waits += states.values().filter(|state| state["Type"] == "Wait").count();
    }
    assert!(waits >= 8, "{waits}");
    assert!(WAIT_SECONDS.contains(&format!("$turns < {MAX_SHORT_TURNS} ?")));
    assert!(WAIT_SECONDS.contains(&format!(" / {})", MAX_LONG_TURNS * 1_000)));
}

#[test]
fn a_wait_to_start_is_drawn_from_the_rule() {
    let (min, max) = (START_WAIT_SECONDS.start(), START_WAIT_SECONDS.end());
    let rule = format!("{min} + $floor($random() * {})", max - min + 1);
    each_state(|name, state| {
        for text in texts_of(state).into_iter().filter(|text| text.contains("$random")) {
            assert_eq!(text.matches(&rule).count(), text.matches("$random").count(), "{name}: {text}");
        }
    });
    for (name, state) in tasks_of("Start").into_iter().chain(tasks_of("CheckStatus")) {
        let is_drawn = texts_of(&state).iter().any(|text| text.contains(&rule));
        let is_single_job = name.ends_with("CheckGeneration") || name.ends_with("CheckSegment");
        let is_start_of_exports = name.ends_with("StartExports");
        assert_eq!(is_drawn, !is_single_job && !is_start_of_exports, "{name}");
    }
}

#[test]
fn a_wait_after_a_failed_check_has_its_minimum() {
    let rule = format!("{{% $max([{MIN_FAILED_CHECK_SECONDS}, $waitSeconds]) %}}");
    for (name, state) in tasks_of("Check") {
        for entry in state["Catch"].as_array().unwrap() {
            assert_eq!(entry["Assign"]["waitSeconds"], rule, "{name}");
        }
    }
}

#[test]
fn calls_that_only_fail_are_repeated_for_as_long_as_the_rule_says() {
    let mut choices = 0;
    for (machine, states) in machines() {
        for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Choice") {
            for text in texts_of(state).into_iter().filter(|text| text.contains("ailingSince)")) {
                let rule = format!("ailingSince) >= {}", MAX_FAILING_SECONDS * 1_000);
                assert!(text.contains(&rule), "{machine}/{name}: {text}");
                choices += 1;
            }
        }
    }
    assert_eq!(choices, 8);
}

#[test]
fn a_failed_run_names_its_report_as_the_outcome_reads_it() {
    let rule = format!(" & ($report = null ? '' : '{REPORT_LIES_AT}' & $report & '.') %}}");
    let machines = machines();
    let ends: Vec<_> = machines.iter().filter_map(|(name, states)| Some((name, states.get("RunFailed")?))).collect();
    assert_eq!(ends.len(), 2);
    for (name, end) in ends {
        assert!(end["Cause"].as_str().unwrap().ends_with(&rule), "{name}");
    }
}

/// Every text below a value.
fn texts_of(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_of).collect(),
        Value::Object(fields) => fields.values().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_catch_reads_a_cause_by_the_one_rule_for_it() {
    let mut read = 0;
    each_state(|name, state| {
        for entry in state["Catch"].as_array().map_or(&[][..], Vec::as_slice) {
            let causes: Vec<&str> = texts_of(entry).into_iter().filter(|text| text.contains(".Cause")).collect();
            for text in causes {
                assert!(text.contains(TEXT_OF_CAUSE), "{name}: {text}");
                assert!(!text.replace(TEXT_OF_CAUSE, "").contains(".Cause"), "{name}: {text}");
            }
        }
    });
    for (_, states) in machines() {
        read += states.values().flat_map(texts_of).filter(|text| text.contains(TEXT_OF_CAUSE)).count();
    }
    assert!(read >= 2);
}

// A character has at most four bytes in JSON text, and the rest of the payload some thousands.
const _: () = assert!(MAX_INPUT_CHARACTERS * 4 + 16_384 < 262_144);

#[test]
fn an_input_that_could_exceed_a_states_data_is_not_passed_on() {
    let input = "$states.context.Execution.Input";
    let rule = format!(
        "{{% $type({input}) = 'object' and $length($string({input})) <= {MAX_INPUT_CHARACTERS} ? {input} : null %}}"
    );
    for workflow in ["audience", "segment"] {
        let file = root().join(format!("statemachine/{workflow}.asl.json"));
        let definition: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        let payload = &definition["States"]["CheckRequest"]["Arguments"]["Payload"];
        assert_eq!(payload["input"], rule, "{workflow}");
        assert_eq!(payload["inputCharacters"], format!("{{% $length($string({input})) %}}"), "{workflow}");
    }
}

#[test]
fn every_choice_has_a_default() {
    each_state(|name, state| {
        assert!(state["Type"] != "Choice" || state["Default"].is_string(), "{name}");
    });
}

#[test]
fn every_state_is_reached_and_leads_to_one_that_is_there() {
    for (machine, states) in machines() {
        let mut reached: BTreeSet<&str> = states.values().flat_map(successors).collect();
        for name in &reached {
            assert!(states.contains_key(*name), "{machine} leads to {name}");
        }
        reached.insert("Begin");
        for name in states.keys() {
            assert!(reached.contains(name.as_str()), "{machine}/{name} is never reached");
        }
    }
}

#[test]
fn no_loop_goes_round_without_a_wait_and_a_check_of_the_deadline() {
    let is_choice_of_deadline = |state: &Value| {
        state["Type"] == "Choice" && texts_of(state).iter().any(|text| text.contains("$toMillis($deadline)"))
    };
    let knows_deadline =
        |state: &Value| state["Arguments"]["Payload"]["deadline"] == "{% $deadline %}" || is_choice_of_deadline(state);
    for (machine, states) in machines() {
        // Its loop ends with the queue, which shows a message again only after an hour, or after 900 messages.
        if machine.starts_with("redeliver") {
            continue;
        }
        let waits = |state: &Value| state["Type"] == "Wait";
        assert_acyclic(&machine, &states, &waits, "waiting");
        assert_acyclic(&machine, &states, &knows_deadline, "a state that knows the deadline");
    }
}

/// Fails if a loop is left after the states that `breaks` names are taken out.
fn assert_acyclic(machine: &str, states: &Map<String, Value>, breaks: &dyn Fn(&Value) -> bool, what: &str) {
    let mut left: BTreeMap<&str, Vec<&str>> = states
        .iter()
        .filter(|(_, state)| !breaks(state))
        .map(|(name, state)| (name.as_str(), successors(state)))
        .collect();
    loop {
        let ends: Vec<&str> =
            left.iter().filter(|(_, next)| next.iter().all(|n| !left.contains_key(n))).map(|(name, _)| *name).collect();
        if ends.is_empty() {
            break;
        }
        left.retain(|name, _| !ends.contains(name));
    }
    assert!(left.is_empty(), "{machine} can loop without {what}: {:?}", left.keys());
}

/// `start-generation` is `StartGenerationFunction` in the template.
fn logical_id(folder: &str) -> String {
    let camel: String = folder.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    format!("{camel}Function")
}

#[test]
fn every_function_is_deployed_under_its_name_with_logs_of_its_own() {
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let mut functions = 0;
    for folder in fs::read_dir(root().join("functions")).unwrap() {
        let folder = folder.unwrap().file_name().into_string().unwrap();
        let id = logical_id(&folder);
        let logs = id.replace("Function", "Logs");
        for part in
            [format!("\n  {id}:\n"), format!("CodeUri: functions/{folder}\n"), format!("LogGroup: !Ref {logs} ")]
        {
            assert!(template.contains(&part), "template.yaml has no {part:?}");
        }
        functions += 1;
    }
    assert_eq!(template.matches("AWS::Serverless::Function\n").count(), functions);
}

/// `GovCloud` and China have partitions of their own.
#[test]
fn no_arn_is_of_one_partition_or_region() {
    let mut files = vec![root().join("template.yaml")];
    files.extend(fs::read_dir(root().join("statemachine")).unwrap().map(|file| file.unwrap().path()));
    for file in files.iter().filter(|file| file.extension().is_none_or(|extension| extension != "md")) {
        for line in fs::read_to_string(file).unwrap().lines() {
            let is_hint = line.contains("ConstraintDescription: ");
            assert!(is_hint || !line.contains("arn:aws:"), "{}: {line}", file.display());
            assert!(!line.contains("us-east-1") && !line.contains("eu-west-1"), "{}: {line}", file.display());
        }
    }
}

#[test]
fn the_template_fills_in_every_place_of_a_definition() {
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    for workflow in ["audience", "segment"] {
        let file = format!("statemachine/{workflow}.asl.json");
        let definition = fs::read_to_string(root().join(&file)).unwrap();
        let places: BTreeSet<&str> =
            definition.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
        assert!(!places.is_empty());
        let (_, machine) = template.split_once(&format!("DefinitionUri: {file}\n")).unwrap();
        let machine = machine.split("      Role:").next().unwrap();
        for place in places {
            let Some(function) = place.strip_suffix("FunctionArn") else {
                assert!(machine.contains(&format!("        {place}: ")), "{file}: {place} is not filled in");
                continue;
            };
            // A published version: a run that is under way when the functions are updated goes on with those it began with.
            assert!(
                machine.contains(&format!("        {place}: !Ref {function}Function.Version\n")),
                "{file}: {place} is not filled in"
            );
            assert!(
                template.contains(&format!("                - !Sub ${{{function}Function.Arn}}:*\n")),
                "{function} may not be invoked"
            );
        }
    }
}
