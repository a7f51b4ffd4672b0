//! The workflows as Step Functions reads them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::expansion::python;
use crate::resolve::Stack;

/// Returns the workflows after CloudFormation's substitutions, by logical id.
pub(crate) fn workflows() -> Vec<(String, Value)> {
    let stack = Stack::with_all_set();
    let definitions = stack.definitions().into_iter();
    definitions.map(|(id, definition)| (id.to_owned(), definition)).collect()
}

/// Returns every state, also those of a Map or a Parallel.
pub(crate) fn states(definition: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (name, state) in definition["States"].as_object().into_iter().flatten() {
        found.push((name.clone(), state));
        for inner in [&state["ItemProcessor"], &state["Iterator"]] {
            found.extend(states(inner));
        }
        for branch in state["Branches"].as_array().into_iter().flatten() {
            found.extend(states(branch));
        }
    }
    found
}

/// Returns every state of type Task.
pub(crate) fn tasks(definition: &Value) -> Vec<(String, &Value)> {
    states(definition).into_iter().filter(|(_, state)| state["Type"] == "Task").collect()
}

/// The built-in functions of JSONata (docs.jsonata.org, "Functions"), those that Step Functions adds, and its reserved
/// variable (developer guide, *transforming-data* and *workflow-variables*).
const BUILT_IN: [&str; 71] = [
    "abs",
    "append",
    "assert",
    "average",
    "base64decode",
    "base64encode",
    "boolean",
    "ceil",
    "clone",
    "contains",
    "count",
    "decodeUrl",
    "decodeUrlComponent",
    "distinct",
    "each",
    "encodeUrl",
    "encodeUrlComponent",
    "error",
    "eval",
    "exists",
    "filter",
    "floor",
    "formatBase",
    "formatInteger",
    "formatNumber",
    "fromMillis",
    "hash",
    "join",
    "keys",
    "length",
    "lookup",
    "lowercase",
    "map",
    "match",
    "max",
    "merge",
    "millis",
    "min",
    "not",
    "now",
    "number",
    "pad",
    "parse",
    "parseInteger",
    "partition",
    "power",
    "random",
    "range",
    "reduce",
    "replace",
    "reverse",
    "round",
    "shuffle",
    "sift",
    "single",
    "sort",
    "split",
    "spread",
    "sqrt",
    "states",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "sum",
    "toMillis",
    "trim",
    "type",
    "uppercase",
    "uuid",
    "zip",
];

/// Returns the objects under a name anywhere in a value.
fn objects_named<'v>(value: &'v Value, name: &str) -> Vec<&'v Map<String, Value>> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            found.extend(members.get(name).and_then(Value::as_object));
            found.extend(members.values().flat_map(|member| objects_named(member, name)));
        }
        Value::Array(items) => found.extend(items.iter().flat_map(|item| objects_named(item, name))),
        _ => {}
    }
    found
}

/// Returns the names that JSONata expressions bind: `$name := …` and `function($name)`.
fn bound_names(value: &Value) -> BTreeSet<String> {
    let text = value.to_string();
    let name =
        |after: &str| -> String { after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect() };
    let mut names = BTreeSet::new();
    for (index, _) in text.match_indices('$') {
        let found = name(&text[index + 1..]);
        if text[index + 1 + found.len()..].trim_start().starts_with(":=") {
            names.insert(found);
        }
    }
    for (index, start) in text.match_indices("function(") {
        let parameters = text[index + start.len()..].split(')').next().unwrap_or_default();
        names.extend(parameters.split(',').map(|parameter| name(parameter.trim().trim_start_matches('$'))));
    }
    names
}

/// A variable hides the function of its name: JSONata calls `$error` as a function, and Step Functions answers
/// `States.QueryEvaluationError`.
#[test]
fn no_variable_has_the_name_of_a_built_in_function() {
    let mut hidden = BTreeSet::new();
    for (workflow, definition) in workflows() {
        let assigned = objects_named(&definition, "Assign").into_iter().flat_map(Map::keys).cloned();
        let names = assigned.chain(bound_names(&definition));
        hidden.extend(names.filter(|name| BUILT_IN.contains(&name.as_str())).map(|name| format!("{workflow}: {name}")));
    }
    assert!(hidden.is_empty(), "rename these variables: {hidden:?}");
}

/// Amazon States Language, as AWS publishes its schema in the npm package `amazon-states-language-service`.
#[test]
fn each_definition_matches_the_schema_of_the_language() {
    let definitions: Map<String, Value> = workflows().into_iter().collect();
    let problems = python("validate_definitions.py", &Value::Object(definitions));
    assert_eq!(problems, Value::Array(Vec::new()));
}

/// Proves that the schema is in force.
#[test]
fn the_schema_rejects_a_state_without_a_type() {
    let wrong = serde_json::json!({"Wrong": {"StartAt": "A", "States": {"A": {"End": true}}}});
    let problems = python("validate_definitions.py", &wrong);
    assert!(!problems.as_array().unwrap().is_empty());
}

#[test]
fn each_task_has_a_time_limit() {
    for (workflow, definition) in workflows() {
        for (name, state) in tasks(&definition) {
            // Without it, a lost answer holds the execution for years (Step Functions, sfn-stuck-execution).
            let calls_lambda = state["Resource"].as_str().unwrap_or_default().ends_with("lambda:invoke");
            assert!(!calls_lambda || !state["TimeoutSeconds"].is_null(), "{workflow}: {name}");
        }
    }
}
