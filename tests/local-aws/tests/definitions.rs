//! What the checkers of definitions do not find: errors that do not exist, a Choice without Default, loops that never
//! wait, functions that the template forgot.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lookalike::ErrorName;
use lookalike::cause::TEXT_OF_CAUSE;
use lookalike::execution::MAX_INPUT_CHARACTERS;
use lookalike::report::REPORT_LIES_AT;
use lookalike::schedule::QUOTA_WAIT_SECONDS;
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

/// `tests/template` holds the lists to the errors of Lambda and Step Functions.
#[test]
fn every_task_retries_our_transient_errors_and_no_other_of_ours() {
    each_state(|name, state| {
        if state["Type"] != "Task" || state["Resource"] != "arn:${Partition}:states:::lambda:invoke" {
            return;
        }
        let retried = matched(state, "Retry");
        for error in ErrorName::ALL {
            assert_eq!(retried.contains(&error.as_str()), error.is_transient(), "{name} and {error}");
        }
    });
}

#[test]
fn a_quota_is_waited_for_wherever_a_job_is_started() {
    each_state(|name, state| {
        let starts = state["Arguments"]["FunctionName"].as_str().is_some_and(|function| function.contains("{Start"));
        assert_eq!(matched(state, "Catch").contains(&"QuotaExceeded"), starts, "{name}");
    });
}

#[test]
fn a_wait_for_a_quota_is_drawn_from_the_rule_and_never_goes_beyond_the_deadline() {
    let (least, most) = (QUOTA_WAIT_SECONDS.start(), QUOTA_WAIT_SECONDS.end());
    let rule = format!(
        "{{% $max([1, $min([{least} + $floor($random() * {}), \
        $ceil(($toMillis($run.deadline) - $toMillis($states.context.State.EnteredTime)) / 1000)])]) %}}",
        most - least
    );
    let mut waits = 0;
    for (machine, states) in machines() {
        for (name, state) in states.iter().filter(|(name, _)| name.starts_with("WaitFor") && name.ends_with("Quota")) {
            assert_eq!(state["Seconds"], rule, "{machine}/{name}");
            waits += 1;
        }
    }
    assert!(waits >= 2);
}

#[test]
fn a_bad_end_after_its_report_says_where_it_lies_as_tell_end_reads_it() {
    let rule = format!("{{% $runCause & ($report = null ? '' : '{REPORT_LIES_AT}' & $report & '.') %}}");
    let machines = machines();
    let ends: Vec<_> =
        machines.iter().filter_map(|(name, states)| Some((name, states.get("RunEndedBadly")?))).collect();
    assert_eq!(ends.len(), 2);
    for (name, end) in ends {
        assert_eq!(end["Cause"], rule, "{name}");
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
        reached.extend(["CheckRequest", "TakeSize", "Begin"]);
        for name in states.keys() {
            assert!(reached.contains(name.as_str()), "{machine}/{name} is never reached");
        }
    }
}

#[test]
fn no_loop_goes_round_without_a_wait_and_a_function_that_knows_the_deadline() {
    let knows_deadline = |state: &Value| state["Arguments"]["Payload"]["deadline"] == "{% $run.deadline %}";
    for (machine, states) in machines() {
        // Its loop ends with the queue, which shows a message again only after an hour, or after 900 messages.
        if machine.starts_with("redeliver") {
            continue;
        }
        let waits = |state: &Value| state["Type"] == "Wait";
        assert_acyclic(&machine, &states, &waits, "waiting");
        assert_acyclic(&machine, &states, &knows_deadline, "a function that knows the deadline");
    }
}

/// Fails where a loop is left once the states that `breaks` names are taken out.
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
