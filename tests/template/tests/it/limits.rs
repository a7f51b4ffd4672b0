//! Sizes that AWS limits, at the longest names and parameter values.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use local_aws::root;
use lookalike::exports::ATTEMPT_SECONDS;
use lookalike::once::MAX_ATTEMPT_SECONDS;
use serde_json::Value;

use crate::expansion::EXPANSION;
use crate::parameters::{DECLARED, Parameter, TABLE};
use crate::resolve::{Place, Stack};

/// CloudFormation user guide, *cloudformation-limits*: a parameter value has at most 4,096 bytes.
const MAX_PARAMETER: usize = 4096;

/// Returns the greatest length of a parameter's value.
fn max_length(name: &str) -> usize {
    let declared = &DECLARED[name];
    let row = TABLE.iter().find(|parameter| parameter.name == name);
    let sample = row.map_or(0, |parameter| parameter.values.iter().map(|value| value.len()).max().unwrap_or_default());
    if declared["Type"] == "Number" || declared["AllowedValues"].is_array() {
        return sample.max(12);
    }
    if let Some(max) = declared["MaxLength"].as_u64() {
        return usize::try_from(max).unwrap();
    }
    // A pattern without repetition has a fixed length.
    let pattern = declared["AllowedPattern"].as_str().unwrap_or("+");
    if pattern.contains(['+', '*']) || pattern.contains(",}") { MAX_PARAMETER } else { sample }
}

/// Returns the stack with the longest name, the longest generated names and the longest parameter values.
pub(crate) fn longest() -> Stack {
    let longest = |parameter: &Parameter| {
        let max = max_length(parameter.name);
        let value = parameter.values[0];
        let has_length = DECLARED[parameter.name]["Type"] == "String" && max > value.len();
        let is_chosen = DECLARED[parameter.name]["AllowedValues"].is_array();
        if has_length && !is_chosen { format!("{value:a<max$}") } else { value.to_owned() }
    };
    let values: BTreeMap<_, _> = TABLE.iter().map(|parameter| (parameter.name, longest(parameter))).collect();
    let place = Place { partition: "aws-us-gov", stack: "s".repeat(128), long_names: true, ..Place::default() };
    Stack::resolve(EXPANSION.template(&Parameter::all_set()), &values, place)
}

/// A length that nobody limits makes every other limit unknown.
#[test]
fn each_text_parameter_has_a_greatest_length() {
    let unlimited: Vec<_> =
        TABLE.iter().map(|parameter| parameter.name).filter(|name| max_length(name) == MAX_PARAMETER).collect();
    assert!(unlimited.is_empty(), "give these a MaxLength: {unlimited:?}");
}

/// Lambda developer guide, *gettingstarted-limits*: 4 KB for all variables of a function.
#[test]
fn a_functions_variables_have_at_most_4_kb() {
    let mut too_long = BTreeSet::new();
    for (id, function) in longest().of_type("AWS::Lambda::Function") {
        let variables = function["Environment"]["Variables"].as_object().into_iter().flatten();
        let bytes: usize = variables.map(|(name, value)| name.len() + value.as_str().unwrap_or_default().len()).sum();
        if bytes > 4096 {
            too_long.insert(format!("{id}: {bytes} bytes"));
        }
    }
    assert!(too_long.is_empty(), "at the longest values: {too_long:?}");
}

/// Step Functions developer guide, *service-quotas*: 1 MB.
#[test]
fn a_definition_has_at_most_1_mb() {
    for (id, text) in longest().definition_texts() {
        assert!(text.len() <= 1_048_576, "{id}: {} bytes", text.len());
    }
}

/// The code of `start-export` stops in time, and the workflow judges an attempt by the time that it has.
#[test]
fn a_start_has_the_time_that_the_rules_of_an_attempt_say() {
    let stack = Stack::with_defaults();
    let functions = stack.of_type("AWS::Lambda::Function");
    for name in ["StartGenerationFunction", "StartExportFunction", "StartSegmentFunction"] {
        assert_eq!(functions[name]["Timeout"], ATTEMPT_SECONDS, "{name}");
    }
}

// The task waits longer than the function works.
const _: () = assert!(ATTEMPT_SECONDS < MAX_ATTEMPT_SECONDS);

/// CloudFormation user guide, *cloudformation-limits*.
#[test]
fn the_template_is_within_the_limits_of_cloudformation() {
    let template = EXPANSION.template(&Parameter::all_set());
    let count = |section: &str| template[section].as_object().map_or(0, serde_json::Map::len);
    assert!(template.to_string().len() <= 1_000_000, "template body");
    for (section, max) in [("Resources", 500), ("Parameters", 200), ("Outputs", 200), ("Mappings", 200)] {
        assert!(count(section) <= max, "{section}: {} of at most {max}", count(section));
    }
    let description = template["Description"].as_str().unwrap();
    assert!(description.len() <= 1024, "Description: {} bytes", description.len());
    for (name, declared) in DECLARED.iter() {
        let text = declared["Description"].as_str().unwrap_or_default();
        assert!(text.chars().count() <= 4000, "{name}: Description");
    }
}

/// The template that `sam deploy` uploads is the source with its comments removed; S3 allows 1 MB.
#[test]
fn the_source_of_the_template_has_at_most_1_mb() {
    assert!(fs::metadata(root().join("template.yaml")).unwrap().len() <= 1_000_000);
}

/// IAM user guide, *reference_iam-quotas*: the inline policies of a role have at most 10,240 characters, a managed
/// policy 6,144, a trust policy 2,048; white space does not count. A role has at most 10 managed policies.
#[test]
fn policies_are_within_the_limits_of_iam() {
    let stack = longest();
    let length = |document: &Value| document.to_string().chars().filter(|c| !c.is_whitespace()).count();
    for (id, role) in stack.of_type("AWS::IAM::Role") {
        let inline = role["Policies"].as_array().into_iter().flatten();
        let total: usize = inline.map(|policy| length(&policy["PolicyDocument"])).sum();
        assert!(total <= 10_240, "{id}: inline policies have {total} characters at the longest names");
        let trust = length(&role["AssumeRolePolicyDocument"]);
        assert!(trust <= 2048, "{id}: its trust policy has {trust} characters");
        let managed = role["ManagedPolicyArns"].as_array().map_or(0, Vec::len);
        assert!(managed <= 10, "{id}: {managed} managed policies");
    }
    for (id, policy) in stack.of_type("AWS::IAM::ManagedPolicy") {
        let characters = length(&policy["PolicyDocument"]);
        assert!(characters <= 6144, "{id}: {characters} characters");
    }
}

/// S3 user guide, *bucket-policies*: 20 KB.
#[test]
fn a_bucket_policy_has_at_most_20_kb() {
    for (id, policy) in longest().of_type("AWS::S3::BucketPolicy") {
        assert!(policy["PolicyDocument"].to_string().len() <= 20_480, "{id}");
    }
}

/// `CloudWatch` user guide, *search-expression-syntax*: a SEARCH expression has at most 1,024 characters.
#[test]
fn a_search_expression_has_at_most_1024_characters() {
    for (id, dashboard) in longest().of_type("AWS::CloudWatch::Dashboard") {
        let body: Value = serde_json::from_str(dashboard["DashboardBody"].as_str().unwrap()).unwrap();
        let mut expressions = Vec::new();
        collect_expressions(&body, &mut expressions);
        assert!(!expressions.is_empty());
        for expression in expressions {
            let length = expression.chars().count();
            assert!(length <= 1024, "{id}: {length} characters at the longest names: {}…", &expression[..60]);
        }
    }
}

fn collect_expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("expression").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_expressions(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_expressions(item, found)),
        _ => {}
    }
}

/// The API references have the limits: `PutDashboard` 255 characters, `CreateEventBus` 256, `CreateLogGroup` 512,
/// `PutQueryDefinition` 255, and 255 for a metric's name in `PutMetricData`.
#[test]
fn composed_names_are_within_their_limits() {
    let stack = longest();
    for (kind, property, max) in [
        ("AWS::CloudWatch::Dashboard", "DashboardName", 255),
        ("AWS::Events::EventBus", "Name", 256),
        ("AWS::Logs::LogGroup", "LogGroupName", 512),
        ("AWS::Logs::QueryDefinition", "Name", 255),
        ("AWS::CloudWatch::Alarm", "MetricName", 255),
    ] {
        for (id, properties) in stack.of_type(kind) {
            let length = properties[property].as_str().unwrap_or_default().chars().count();
            assert!(length <= max, "{id}: {property} has {length} characters");
        }
    }
}

/// `CloudWatch` API reference, *`PutMetricAlarm`*: a description has at most 1,024 characters.
#[test]
fn an_alarms_description_has_at_most_1024_characters() {
    for (id, alarm) in longest().of_type("AWS::CloudWatch::Alarm") {
        let length = alarm["AlarmDescription"].as_str().unwrap_or_default().chars().count();
        assert!(length <= 1024, "{id}: {length} characters");
    }
}
