//! The JSONata library answers as the reference implementation does, for every expression of the workflows.
//!
//! `record.mjs` records the answers.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use simulation::asl::{evaluate, is_valid_expression};

/// Expressions that the library answers differently from the reference. None of them is in a workflow.
///
/// The reference encodes characters beyond U+00FF as one wrong byte; the library encodes them as UTF-8.
const DIFFERENT: &[&str] = &["$base64encode('a語')"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// Returns an expression as `record.mjs` records it.
fn fixed(expression: &str) -> String {
    expression.trim().replace("$random()", "0.5").replace("${DeadlineSeconds}", "172800")
}

fn expressions(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let source = text.strip_prefix("{%").and_then(|text| text.strip_suffix("%}"));
            found.extend(source.map(fixed));
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        Value::Object(members) => members.values().for_each(|member| expressions(member, found)),
        _ => {}
    }
}

fn is_same(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Number(answer), Value::Number(expected)) => answer.as_f64() == expected.as_f64(),
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len()
                && answer.iter().zip(expected).all(|(answer, expected)| is_same(answer, expected))
        }
        (Value::Object(answer), Value::Object(expected)) => {
            answer.len() == expected.len()
                && expected.iter().all(|(name, value)| answer.get(name).is_some_and(|answer| is_same(answer, value)))
        }
        (answer, expected) => answer == expected,
    }
}

#[test]
fn the_library_answers_as_the_reference_does() {
    let variables = json("variables.json");
    let mut differences = Vec::new();
    for case in json("recorded.json").as_array().unwrap() {
        let expression = case["expression"].as_str().unwrap();
        let set = match (case["file"].as_str(), case["set"].as_str()) {
            (Some(file), Some(set)) => &variables["sets"][file][set],
            _ => &variables["more"]["variables"],
        };
        let answer = evaluate(expression, set.as_object().unwrap());
        let is_expected = match (&answer, case.get("answer")) {
            (Ok(answer), Some(expected)) => is_same(answer, expected),
            (Err(_), None) => true,
            _ => false,
        };
        if is_expected == DIFFERENT.contains(&expression) {
            differences.push(format!("{expression} ({}): {answer:?} instead of {:?}", case["set"], case.get("answer")));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn every_expression_of_the_workflows_is_recorded() {
    let recorded = json("recorded.json");
    let recorded: BTreeSet<&str> =
        recorded.as_array().unwrap().iter().map(|case| case["expression"].as_str().unwrap()).collect();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(file("../../statemachine")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".asl.json") {
            expressions(&serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(), &mut found);
        }
    }
    let missing: Vec<&String> = found.iter().filter(|expression| !recorded.contains(expression.as_str())).collect();
    assert!(missing.is_empty(), "record these with record.mjs: {missing:#?}");
}

#[test]
fn every_recorded_expression_is_answered_at_least_once() {
    let recorded = json("recorded.json");
    let of_workflows = || recorded.as_array().unwrap().iter().filter(|case| case["file"].is_string());
    let answered: BTreeSet<&str> = of_workflows()
        .filter(|case| case.get("answer").is_some())
        .map(|case| case["expression"].as_str().unwrap())
        .collect();
    for case in of_workflows() {
        let expression = case["expression"].as_str().unwrap();
        assert!(answered.contains(expression), "no set of variables gives an answer: {expression}");
        assert!(is_valid_expression(expression));
    }
}
