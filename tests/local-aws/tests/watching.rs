//! That what watches the stack watches all of it: each function, each run, each metric; and that an alarm says what to do.

#![allow(clippy::unwrap_used)]

mod expanded;

use std::collections::{BTreeMap, BTreeSet};

use local_aws::root;
use serde_json::Value;

use expanded::{of_type, template};

/// The metrics of Lookalike's own that are emitted when a run ends.
const METRICS: [&str; 8] =
    ["Runs", "RunSeconds", "SeedUsers", "UniqueSeedUsers", "Recall", "Relevance", "QuotaWaits", "StatusChecks"];

/// The logical ids that a list refers to.
fn referred(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|item| item["Ref"].as_str().unwrap_or_else(|| attribute_of(item))).collect()
}

/// The logical id of a `GetAtt`.
fn attribute_of(value: &Value) -> &str {
    value["Fn::GetAtt"][0].as_str().unwrap()
}

/// The log group of each function.
fn function_logs(template: &Value) -> BTreeMap<&str, &str> {
    let functions = of_type(template, "AWS::Lambda::Function").into_iter();
    functions.map(|(id, function)| (id, function["LoggingConfig"]["LogGroup"]["Ref"].as_str().unwrap())).collect()
}

/// The dashboard's text, and the logical ids of each list that is put into it.
fn dashboard(template: &Value) -> (String, BTreeMap<&str, BTreeSet<&str>>) {
    let dashboards = of_type(template, "AWS::CloudWatch::Dashboard");
    let body = &dashboards["Dashboard"]["DashboardBody"]["Fn::Sub"];
    let lists = body[1].as_object().unwrap().iter();
    let lists = lists.map(|(name, list)| (name.as_str(), referred(&list["Fn::Join"][1]))).collect();
    (body[0].as_str().unwrap().to_owned(), lists)
}

#[tokio::test]
async fn every_alarm_says_what_to_do_and_tells_the_topic() {
    let template = template(&[]).await;
    for (name, alarm) in of_type(&template, "AWS::CloudWatch::Alarm") {
        let description = alarm["AlarmDescription"].as_str().unwrap();
        let does = ["look at", "run the saved query", "redrive", "raise", "upload", "ask AWS"];
        let lower = description.to_lowercase();
        assert!(does.iter().any(|what| lower.contains(&what.to_lowercase())), "{name}: {description}");
        assert!(description.len() <= 1024, "{name}: CloudWatch takes no longer description");
        assert_eq!(referred(&alarm["AlarmActions"]), BTreeSet::from(["NotificationTopic"]), "{name}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{name}: a stack that rests is well");
        // The local AWS has no metric math, and CloudWatch charges for each metric of it.
        assert!(alarm["MetricName"].is_string() || alarm["MetricName"]["Fn::Sub"].is_string(), "{name}");
    }
}

#[tokio::test]
async fn the_dashboard_shows_every_alarm_and_every_function() {
    let template = template(&[]).await;
    let (_, lists) = dashboard(&template);
    let logs = function_logs(&template);
    assert_eq!(lists["Functions"], logs.keys().copied().collect::<BTreeSet<_>>());
    assert_eq!(lists["Logs"], logs.values().copied().collect::<BTreeSet<_>>());
    assert_eq!(lists["Alarms"], of_type(&template, "AWS::CloudWatch::Alarm").into_keys().collect::<BTreeSet<_>>());
}

#[tokio::test]
async fn the_dashboard_is_json_and_shows_each_metric_that_is_emitted_and_no_other() {
    let template = template(&[]).await;
    let (text, _) = dashboard(&template);
    let body: Value = serde_json::from_str(&text).unwrap();
    let mut shown = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().map_or(&[][..], Vec::as_slice) {
            let Some(search) = metric[0]["expression"].as_str() else { continue };
            // CloudWatch takes no longer query: ten functions of the longest names must fit.
            assert!(search.len() < 300, "{search}");
            if let Some((_, rest)) = search.split_once("Namespace=\"Lookalike\" MetricName=\"") {
                assert!(search.contains("Stack=\"${AWS::StackName}\""), "{search}");
                shown.insert(rest.split('"').next().unwrap().to_owned());
            }
        }
    }
    assert_eq!(shown, BTreeSet::from(METRICS.map(str::to_owned)));
}

#[tokio::test]
async fn every_saved_query_reads_the_logs_of_every_function() {
    let template = template(&[]).await;
    let logs = function_logs(&template);
    for (name, query) in of_type(&template, "AWS::Logs::QueryDefinition") {
        let read = referred(&query["LogGroupNames"]);
        for log in logs.values() {
            assert!(read.contains(log), "{name} does not read {log}");
        }
    }
}

#[tokio::test]
async fn a_call_is_near_its_limit_at_four_fifths_of_its_functions_time_and_memory() {
    let template = template(&[]).await;
    let mut filters = of_type(&template, "AWS::Logs::MetricFilter");
    filters.retain(|name, _| name.ends_with("NearLimit"));
    let functions = of_type(&template, "AWS::Lambda::Function");
    assert_eq!(filters.len(), functions.len());
    for (id, function) in functions {
        let name = id.strip_suffix("Function").unwrap();
        let filter = filters[format!("{name}NearLimit").as_str()];
        assert_eq!(filter["LogGroupName"], function["LoggingConfig"]["LogGroup"], "{id}");
        let milliseconds = function["Timeout"].as_u64().unwrap() * 800;
        let megabytes = (function["MemorySize"].as_u64().unwrap() * 4).div_ceil(5);
        let pattern = format!(
            "{{ $.type = \"platform.report\" && ($.record.metrics.durationMs >= {milliseconds} || \
             $.record.metrics.maxMemoryUsedMB >= {megabytes}) }}"
        );
        assert_eq!(filter["FilterPattern"], pattern, "{id}");
        assert_eq!(function["LoggingConfig"]["SystemLogLevel"], "INFO", "{id}: else it reports no call that went well");
        // The alarm of throttles watches one function for all.
        assert!(function["ReservedConcurrentExecutions"].is_null(), "{id}");
    }
}

#[tokio::test]
async fn each_workflow_is_watched_and_logs_no_data() {
    let template = template(&[]).await;
    let alarms = of_type(&template, "AWS::CloudWatch::Alarm");
    for (id, machine) in of_type(&template, "AWS::StepFunctions::StateMachine") {
        let logging = &machine["LoggingConfiguration"];
        assert_eq!(logging["Level"], "ERROR", "{id}");
        assert_eq!(logging["IncludeExecutionData"], false, "{id}");
        // An operator starts it and sees how it ends.
        let is_by_hand = id == "RedeliverStateMachine";
        let watches =
            |alarm: &&&Value| alarm["MetricName"] == "ExecutionsFailed" && alarm["Dimensions"][0]["Value"]["Ref"] == id;
        assert_eq!(alarms.values().filter(watches).count(), usize::from(!is_by_hand), "{id}");
    }
}

#[tokio::test]
async fn the_age_of_a_run_is_watched_wherever_it_waits() {
    let template = template(&[]).await;
    // The functions that a workflow comes back to after a wait.
    let mut waits = BTreeSet::new();
    for workflow in ["audience", "segment"] {
        let text = std::fs::read_to_string(root().join(format!("statemachine/{workflow}.asl.json"))).unwrap();
        collect_waits(&serde_json::from_str(&text).unwrap(), &mut waits);
    }
    assert!(waits.len() >= 4, "{waits:?}");
    let filters = of_type(&template, "AWS::Logs::MetricFilter");
    let metric = &of_type(&template, "AWS::CloudWatch::Alarm")["RunOldAlarm"]["MetricName"];
    let watched: BTreeSet<String> = filters
        .values()
        .filter(|filter| filter["MetricTransformations"][0]["MetricName"] == *metric)
        .map(|filter| {
            assert_eq!(filter["FilterPattern"], "{ $.span.ageSeconds = * }");
            assert_eq!(filter["MetricTransformations"][0]["MetricValue"], "$.span.ageSeconds");
            filter["LogGroupName"]["Ref"].as_str().unwrap().replace("Logs", "")
        })
        .collect();
    assert_eq!(watched, waits);
}

/// The functions of the states that come after waits, in a workflow and the workflows within.
fn collect_waits(workflow: &Value, found: &mut BTreeSet<String>) {
    let states = workflow["States"].as_object().unwrap();
    for state in states.values() {
        if state["Type"] == "Wait" {
            let function = states[state["Next"].as_str().unwrap()]["Arguments"]["FunctionName"].as_str().unwrap();
            found.insert(function.trim_start_matches("${").replace("FunctionArn}", ""));
        }
        if state["ItemProcessor"].is_object() {
            collect_waits(&state["ItemProcessor"], found);
        }
    }
}

#[tokio::test]
async fn without_tracing_nothing_is_added_for_it() {
    let template = template(&[]).await;
    for (id, function) in of_type(&template, "AWS::Lambda::Function") {
        assert!(function["TracingConfig"].is_null(), "{id}");
    }
    for (id, role) in of_type(&template, "AWS::IAM::Role") {
        assert!(!role.to_string().to_lowercase().contains("xray"), "{id}");
    }
}
