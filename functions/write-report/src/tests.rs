#![allow(clippy::unwrap_used)]
//! The function against a mocked S3; its pages as they are parsed; and, where a browser is installed, as it shows them.

mod browser;
mod pages;
mod segment_pages;

use super::*;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

/// A run that ended well.
fn event() -> Value {
    serde_json::from_str(include_str!("../../../tests/events/write-report.json")).unwrap()
}

/// What it was asked for.
fn request() -> Value {
    json!({
        "name": "spring-runners-00f1e2d3c4b5a697", "deadlineSeconds": 172_800, "export": "relevance>=0.7",
        "configuredAudienceModelArn":
            "arn:aws:cleanrooms-ml:us-east-1:000000000000:configured-audience-model/6ab1a2f4-5d51-4a42-9d35-1a40ac8ca0c3",
        "seedAudience": {
            "roleArn": "arn:aws:iam::000000000000:role/lookalike-seed",
            "dataSource": {"s3Uri": "s3://my-seeds/checked/spring-runners-00f1e2d3c4b5a697.jsonl"}
        },
        "description": "People who ran with us this spring", "tags": {"team": "growth", "cost-centre": "4711"},
    })
}

fn sql_request() -> Value {
    let mut request = request();
    request["seedAudience"] = json!({
        "roleArn": "arn:aws:iam::000000000000:role/lookalike-seed",
        "sqlParameters": {"queryString": "SELECT marked_column", "parameters": {"markedname": "marked-value"}},
    });
    request
}

/// A segment run that ended well.
fn segment_event() -> Value {
    serde_json::from_str(include_str!("../../../tests/events/write-segment-report.json")).unwrap()
}

/// What it was asked for.
fn segment_request() -> Value {
    json!({
        "jobName": "spring-items-00f1e2d3c4b5a697", "numResults": 1000, "deadlineSeconds": 172_800,
        "solutionVersionArn": "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-affinity/1a2b3c4d",
        "filterArn": "arn:aws:personalize:us-east-1:000000000000:filter/adults",
        "jobInput": {"s3DataSource": {"path": "s3://my-seeds/segments/input/items.jsonl"}},
        "jobOutput": {"s3DataDestination": {"path": "s3://my-seeds/segment-output/spring/",
            "kmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/5b0c2f1e-3d52-4c7b-9a35-8e0d1f6a7b42"}},
        "roleArn": "arn:aws:iam::000000000000:role/lookalike-segment",
        "tags": [{"tagKey": "team", "tagValue": "growth"}],
    })
}

fn reading(request: Value) -> Rule {
    reading_of("spring-runners-00f1e2d3c4b5a697", request)
}

fn reading_of(run: &str, request: Value) -> Rule {
    let key = format!("checked/{run}.json");
    mock!(Client::get_object)
        .match_requests(move |get| get.bucket() == Some("my-seeds") && get.key() == Some(key.as_str()))
        .then_output(move || {
            GetObjectOutput::builder().body(ByteStream::from(request.to_string().into_bytes())).build()
        })
}

fn refusing(status: u16) -> Rule {
    mock!(Client::get_object)
        .then_http_response(move || HttpResponse::new(status.try_into().unwrap(), SdkBody::empty()))
}

/// Takes the file of that ending and type, and holds it to a rule.
fn taking(ending: &'static str, content_type: &'static str, holds: fn(&str) -> bool) -> Rule {
    taking_of("spring-runners-00f1e2d3c4b5a697", ending, content_type, holds)
}

fn workflow_of(run: &str) -> &'static str {
    if run.contains("items") { "segment" } else { "audience" }
}

fn taking_of(run: &'static str, ending: &'static str, content_type: &'static str, holds: fn(&str) -> bool) -> Rule {
    mock!(Client::put_object)
        .match_requests(move |put| {
            put.bucket() == Some("reports-bucket")
                && put.key() == Some(&format!("reports/{}/2026-11-22/{run}/{ending}", workflow_of(run)))
                && put.content_type() == Some(content_type)
                && put.checksum_algorithm() == Some(&ChecksumAlgorithm::Crc32)
                && put.body().bytes().is_some_and(|body| holds(std::str::from_utf8(body).unwrap()))
        })
        .then_output(|| PutObjectOutput::builder().build())
}

async fn run(event: Value, rules: &[&Rule]) -> Result<Answer, Error> {
    write(
        event,
        &mock_client!(aws_sdk_s3, RuleMode::MatchAny, rules),
        "reports-bucket",
        "2026-11-22T20:00:00Z".parse().unwrap(),
    )
    .await
}

#[tokio::test]
async fn a_run_gets_its_page_and_the_pages_twin() {
    let twin = taking("report.json", "application/json", |twin| {
        let twin: Value = serde_json::from_str(twin).unwrap();
        twin["run"]["outcome"] == "READY" && twin["request"]["tags"]["team"] == "growth"
    });
    let page = taking("index.html", "text/html; charset=utf-8", |page| page.starts_with("<!DOCTYPE html>"));
    let answer = run(event(), &[&reading(request()), &twin, &page]).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    assert_eq!(
        answer,
        json!({"report": "s3://reports-bucket/reports/audience/2026-11-22/spring-runners-00f1e2d3c4b5a697/index.html"})
    );
    assert_eq!((twin.num_calls(), page.num_calls()), (1, 1));
}

#[tokio::test]
async fn a_segment_run_gets_its_page_and_the_pages_twin() {
    const RUN: &str = "spring-items-00f1e2d3c4b5a697";
    let twin = taking_of(RUN, "report.json", "application/json", |twin| {
        let twin: Value = serde_json::from_str(twin).unwrap();
        twin["segment"]["output"]["users"] == 4000 && twin["request"]["numResults"] == 1000
    });
    let page = taking_of(RUN, "index.html", "text/html; charset=utf-8", |page| page.contains("User segment"));
    let answer = run(segment_event(), &[&reading_of(RUN, segment_request()), &twin, &page]).await.unwrap();
    assert_eq!(answer.report.as_str(), format!("s3://reports-bucket/reports/segment/2026-11-22/{RUN}/index.html"));
    assert_eq!((twin.num_calls(), page.num_calls()), (1, 1));
}

#[tokio::test]
async fn a_segments_request_that_is_gone_does_not_cost_the_report() {
    const RUN: &str = "spring-items-00f1e2d3c4b5a697";
    // An audience's request is none of a segment's.
    for request in [refusing(404), reading_of(RUN, request())] {
        let twin = taking_of(RUN, "report.json", "application/json", |twin| twin.contains("\"request\": null"));
        let page =
            taking_of(RUN, "index.html", "text/html; charset=utf-8", |page| page.contains("can no longer be read"));
        run(segment_event(), &[&request, &twin, &page]).await.unwrap();
    }
}

#[tokio::test]
async fn a_query_and_its_parameters_stay_out_of_both_files() {
    let clean = |text: &str| !text.contains("marked") && text.contains("[withheld]");
    let twin = taking("report.json", "application/json", clean);
    let page = taking("index.html", "text/html; charset=utf-8", clean);
    let mut event = event();
    event["exports"][0]["error"] = json!("ExportFailed");
    event["exports"][0]["cause"] = json!("no such column in SELECT marked_column");
    event["error"] = json!("ExportFailed");
    event["cause"] = json!("'marked-value' is no value");
    run(event, &[&reading(sql_request()), &twin, &page]).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_gone_or_unreadable_does_not_cost_the_report() {
    for request in [refusing(404), refusing(403), reading(json!("no request")), reading(json!({"name": 3}))] {
        let twin = taking("report.json", "application/json", |twin| twin.contains("\"request\": null"));
        let page = taking("index.html", "text/html; charset=utf-8", |page| page.contains("can no longer be read"));
        run(event(), &[&request, &twin, &page]).await.unwrap();
    }
}

#[tokio::test]
async fn a_run_without_a_request_reads_none() {
    let read = reading(request());
    let put = mock!(Client::put_object).then_output(|| PutObjectOutput::builder().build());
    let mut event = event();
    event["checkedRequest"] = Value::Null;
    run(event, &[&read, &put]).await.unwrap();
    assert_eq!((read.num_calls(), put.num_calls()), (0, 2));
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_is_told_with_its_place() {
    let busy = mock!(Client::get_object).sequence().http_status(503, None).times(9).build();
    assert!(run(event(), &[&busy]).await.unwrap_err().name.is_transient());
    let denied =
        mock!(Client::put_object).then_http_response(|| HttpResponse::new(403.try_into().unwrap(), SdkBody::empty()));
    let error = run(event(), &[&reading(request()), &denied]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::AccessDenied);
    assert!(error.message.starts_with("writing s3://reports-bucket/reports/"), "{}", error.message);
}

#[tokio::test]
async fn an_event_of_another_form_is_refused() {
    let execution = event()["execution"].clone();
    for (event, field) in [
        (json!({}), "execution"),
        (json!({"engine": "segment", "execution": execution}), "name"),
        (json!({"engine": "SECRET"}), "engine"),
    ] {
        let error = run(event, &[]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains(field) && !error.message.contains("SECRET"), "{error}");
    }
}
