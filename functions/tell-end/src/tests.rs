#![allow(clippy::unwrap_used)]
use std::sync::{LazyLock, Mutex};

use super::*;
use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::types::PutEventsResultEntry;
use aws_sdk_sns::operation::publish::{PublishError, PublishInput, PublishOutput};
use aws_sdk_sns::types::error::InternalErrorException;
use aws_smithy_mocks::{Rule, mock, mock_client};
use serde_json::json;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:notifications";

/// One for the process, so that tests which tell take turns: one test must not write another's figures.
static MEASURES: LazyLock<Mutex<Measures>> =
    LazyLock::new(|| Mutex::new(Measures::of_stack("my-stack".into()).unwrap()));

fn sample() -> Value {
    serde_json::from_str(include_str!("../../../tests/events/tell-end.json")).unwrap()
}

fn failed(error: &str) -> Value {
    let mut event = sample();
    let detail = &mut event["detail"];
    (detail["status"], detail["error"], detail["output"]) = ("FAILED".into(), error.into(), Value::Null);
    detail["cause"] = json!({"errorType": error, "errorMessage": "Line 3 is no user. Mend it."}).to_string().into();
    event
}

fn published() -> Rule {
    published_if(|_| true)
}

fn published_if(is_right: impl Fn(&PublishInput) -> bool + Send + Sync + 'static) -> Rule {
    mock!(aws_sdk_sns::Client::publish).match_requests(is_right).then_output(|| PublishOutput::builder().build())
}

fn put(refused: i32) -> Rule {
    mock!(aws_sdk_eventbridge::Client::put_events).then_output(move || {
        let entry = PutEventsResultEntry::builder();
        let entry = if refused > 0 { entry.error_code("InternalException") } else { entry.event_id("1") };
        PutEventsOutput::builder().failed_entry_count(refused).entries(entry.build()).build()
    })
}

/// What came of an event, and the lines that were written of it.
fn told(event: Value, publish: &Rule, put: &Rule) -> (Result<Answer, Error>, Vec<Value>) {
    let workflows = Workflows {
        audience: "arn:aws:states:us-east-1:000000000000:stateMachine:audience".into(),
        segment: "arn:aws:states:us-east-1:000000000000:stateMachine:segment".into(),
    };
    let mut log = Vec::new();
    let measures = MEASURES.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let told = Told {
        topic: (mock_client!(aws_sdk_sns, [publish]), TOPIC.into()),
        bus: (mock_client!(aws_sdk_eventbridge, [put]), "my-bus".into()),
        measures: *measures,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(tell(event, &workflows, &told, &mut log));
    let lines = String::from_utf8(log).unwrap();
    (answer, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn kind(answer: Result<Answer, Error>) -> Option<&'static str> {
    answer.unwrap().told
}

#[test]
fn an_end_is_published_to_the_topic_and_put_on_the_bus() {
    let publish = published_if(|input| {
        input.topic_arn() == Some(TOPIC)
            && input.subject() == Some("Audience ready: spring-runners")
            && input.message().is_some_and(|body| body.starts_with("Your audience is ready in 2 sizes, from 1%"))
    });
    let put = mock!(aws_sdk_eventbridge::Client::put_events)
        .match_requests(|input| {
            let [entry] = input.entries() else { return false };
            let detail: Value = serde_json::from_str(entry.detail().unwrap()).unwrap();
            entry.event_bus_name() == Some("my-bus")
                && entry.source() == Some("lookalike")
                && entry.detail_type() == Some("Audience Ready")
                && entry.resources().len() == 1
                && detail["executionArn"] == entry.resources()[0]
                && detail["exports"][1]["outputLocation"] == "s3://lookalike-audiences/exports/spring-runners-5pct/"
        })
        .then_output(|| PutEventsOutput::builder().build());
    let (answer, _) = told(sample(), &publish, &put);
    assert_eq!(kind(answer), Some("Audience Ready"));
    assert_eq!((publish.num_calls(), put.num_calls()), (1, 1));
}

#[test]
fn the_figures_of_a_good_end_are_lines_of_the_embedded_metric_format() {
    let (_, lines) = told(sample(), &published(), &put(0));
    let of = |dimensions: Value| {
        let is = |line: &&Value| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == json!([dimensions]);
        lines.iter().find(is).unwrap()
    };
    let run = of(json!(["Stack", "Engine", "Outcome"]));
    assert_eq!(run["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Lookalike");
    assert!(run["_aws"]["Timestamp"].as_u64().unwrap() > 1_700_000_000_000);
    assert_eq!(
        (&run["Stack"], &run["Engine"], &run["Outcome"]),
        (&json!("my-stack"), &json!("Audience"), &json!("Ready"))
    );
    assert_eq!((&run["Runs"], &run["RunSeconds"]), (&json!(1), &json!([12_303.0])));
    let metrics = run["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    assert!(metrics.contains(&json!({"Name": "Runs", "Unit": "Count"})), "{metrics:?}");
    assert!(metrics.contains(&json!({"Name": "RunSeconds", "Unit": "Seconds"})), "{metrics:?}");
    let audience = of(json!(["Stack", "Engine"]));
    for (name, value) in [
        ("SeedUsers", 724.0),
        ("UniqueSeedUsers", 700.0),
        ("Recall", 0.62),
        ("Relevance", 0.71),
        ("QuotaWaits", 2.0),
        ("Looks", 31.0),
    ] {
        assert_eq!(audience[name], json!([value]), "{name}");
    }
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_segments_waits_and_looks_are_counted_as_an_audiences_are() {
    let mut event = sample();
    let detail = &mut event["detail"];
    detail["stateMachineArn"] = "arn:aws:states:us-east-1:000000000000:stateMachine:segment".into();
    let output = json!({"name": "spring-items", "output": {"lines": 4, "users": 4000, "errorLines": 0},
        "report": "s3://my-seeds/reports/spring/index.html", "quotaWaits": 3, "looks": 17});
    detail["output"] = output.to_string().into();
    let publish = published_if(|input| {
        let body = input.message().unwrap();
        input.subject() == Some("Segment ready: spring-items")
            && body.contains("\nReport: s3://my-seeds/reports/spring/")
    });
    let (answer, lines) = told(event, &publish, &put(0));
    assert_eq!(kind(answer), Some("Segment Ready"));
    let figures = lines.iter().find(|line| line["Looks"].is_array()).unwrap();
    assert_eq!(figures["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stack", "Engine"]]));
    assert_eq!(
        (&figures["Engine"], &figures["QuotaWaits"], &figures["Looks"]),
        (&json!("Segment"), &json!([3.0]), &json!([17.0]))
    );
}

#[test]
fn a_failure_is_counted_by_its_error_and_bears_no_figures_of_a_run_before() {
    told(sample(), &published(), &put(0)).0.unwrap();
    let publish = published_if(|input| {
        input.subject() == Some("Audience failed: spring-runners-00f1e2d3c4b5a697 (InvalidSeed)")
            && input.message().is_some_and(|body| body.contains("What happened: Line 3 is no user. Mend it.\n"))
    });
    let (answer, lines) = told(failed("InvalidSeed"), &publish, &put(0));
    assert_eq!(kind(answer), Some("Audience Failed"));
    let counted: Vec<_> = lines.iter().map(|line| (&line["Outcome"], &line["Error"], &line["Runs"])).collect();
    let (nothing, one) = (Value::Null, json!(1));
    assert_eq!(counted.len(), 2);
    assert!(counted.contains(&(&json!("Failed"), &nothing, &one)), "{counted:?}");
    assert!(counted.contains(&(&nothing, &json!("InvalidSeed"), &one)), "{counted:?}");
}

#[test]
fn what_one_does_not_take_is_told_the_other_and_fails_uncounted() {
    let down = mock!(aws_sdk_sns::Client::publish)
        .then_error(|| PublishError::InternalErrorException(InternalErrorException::builder().message("down").build()));
    let bus = put(0);
    let (answer, lines) = told(sample(), &down, &bus);
    assert!(answer.unwrap_err().message.starts_with("publishing the notification"));
    assert_eq!((bus.num_calls(), lines.len()), (1, 0));

    let topic = published();
    let (answer, lines) = told(sample(), &topic, &put(1));
    let error = answer.unwrap_err();
    assert_eq!((error.name, topic.num_calls(), lines.len()), (ErrorName::ServiceUnavailable, 1, 0));
    assert!(error.message.contains("InternalException"), "{error}");
}

#[test]
fn a_run_that_goes_on_is_passed_over() {
    let (topic, bus) = (published(), put(0));
    for status in ["RUNNING", "PENDING_REDRIVE"] {
        let mut event = sample();
        event["detail"]["status"] = status.into();
        let (answer, lines) = told(event, &topic, &bus);
        assert_eq!((kind(answer), lines.len()), (None, 0));
    }
    assert_eq!((topic.num_calls(), bus.num_calls()), (0, 0));
}

#[test]
fn an_event_of_another_form_or_workflow_is_an_error_that_does_not_quote_it() {
    let mut other = sample();
    other["detail"]["stateMachineArn"] = "arn:aws:states:us-east-1:000000000000:stateMachine:SECRET".into();
    for event in [json!({"detail": "SECRET"}), json!({}), other] {
        let error = told(event, &published(), &put(0)).0.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(!error.message.contains("SECRET"), "{error}");
    }
}

#[test]
fn nothing_of_a_request_leaves_but_its_upload() {
    let mut event = failed("Odd");
    let request = json!({"seedAudience": {"sqlParameters": {"queryString": "SECRET", "parameters": {"p": "SECRET"}}}});
    event["detail"]["input"] = request.to_string().into();
    event["detail"]["cause"] = "near SECRET".into();
    let publish = published_if(|input| !format!("{input:?}").contains("SECRET"));
    let put = mock!(aws_sdk_eventbridge::Client::put_events)
        .match_requests(|input| !format!("{input:?}").contains("SECRET"))
        .then_output(|| PutEventsOutput::builder().build());
    let (answer, lines) = told(event, &publish, &put);
    assert_eq!(kind(answer), Some("Audience Failed"));
    assert!(!format!("{lines:?}").contains("SECRET"));
}
