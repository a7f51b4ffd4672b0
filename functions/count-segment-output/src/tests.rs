#![allow(clippy::unwrap_used)]
use aws_config::retry::RetryConfig;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use super::*;

const GOOD: &str = "{\"input\":{},\"output\":{\"usersList\":[\"a\",\"b\"]},\"error\":null}\n";
const BAD: &str = "{\"input\":{},\"output\":null,\"error\":\"Item 7 is not known.\"}\n";

/// When the job was created, in seconds since 1970.
const CREATED: i64 = 1_000;

fn event(output_location: &str) -> Value {
    json!({
        "outputLocation": output_location, "createTime": "1970-01-01T00:16:40Z", "skipped": ["input"],
        "execution": {"id": "arn:run", "name": "run", "startTime": "1970-01-01T00:16:30Z"},
    })
}

fn page(objects: &[(&str, i64)], next: Option<&str>) -> ListObjectsV2Output {
    let object =
        |(key, written): &(&str, i64)| Object::builder().key(*key).last_modified(DateTime::from_secs(*written)).build();
    let page = ListObjectsV2Output::builder().set_contents(Some(objects.iter().map(object).collect()));
    page.is_truncated(next.is_some()).set_next_continuation_token(next.map(str::to_owned)).build()
}

/// The objects in the output's folder, each with the second in which it was written.
fn listing(objects: &'static [(&'static str, i64)]) -> Rule {
    mock!(Client::list_objects_v2)
        .match_requests(|list| list.bucket() == Some("b") && list.prefix() == Some("out/"))
        .then_output(move || page(objects, None))
}

fn holding(key: &'static str, body: impl Into<String>) -> Rule {
    let body = body.into();
    mock!(Client::get_object)
        .match_requests(move |get| get.bucket() == Some("b") && get.key() == Some(key))
        .then_output(move || GetObjectOutput::builder().body(ByteStream::from(body.clone().into_bytes())).build())
}

/// An error as S3 sends it.
fn failure(status: u16, code: &str) -> HttpResponse {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
}

/// Counts the output at this place. A call without a rule fails the test.
async fn count_at(output_location: &str, rules: &[&Rule]) -> Result<Value, Error> {
    let s3 =
        mock_client!(aws_sdk_s3, RuleMode::MatchAny, rules, |config| { config.retry_config(RetryConfig::disabled()) });
    let answer = CountSegmentOutput { s3 }.handle(event(output_location)).await?;
    Ok(serde_json::to_value(answer).unwrap())
}

async fn count(rules: &[&Rule]) -> Result<Value, Error> {
    count_at("s3://b/out/", rules).await
}

#[tokio::test]
async fn the_lines_users_and_errors_of_all_files_are_counted() {
    let list = listing(&[("out/1.out", CREATED), ("out/2.out", 1_500)]);
    let (first, second) = (holding("out/1.out", GOOD.repeat(2) + BAD), holding("out/2.out", GOOD));
    let answer = count(&[&list, &first, &second]).await.unwrap();
    let output = json!({"lines": 4, "users": 6, "errorLines": 1, "firstError": "Item 7 is not known."});
    assert_eq!(answer, json!({"output": output, "skipped": ["input"], "error": null, "cause": null}));
}

#[tokio::test]
async fn a_file_that_is_not_output_is_not_counted() {
    let list = listing(&[("out/1.out", CREATED), ("out/_CHECK", CREATED)]);
    let answer = count(&[&list, &holding("out/1.out", GOOD)]).await.unwrap();
    assert_eq!(answer["output"]["lines"], 1);
}

#[tokio::test]
async fn a_file_written_over_60_s_before_the_job_is_not_counted() {
    let list = listing(&[("out/old.out", CREATED - 61), ("out/1.out", CREATED)]);
    let answer = count(&[&list, &holding("out/1.out", GOOD)]).await.unwrap();
    assert_eq!(answer["output"]["lines"], 1);
}

#[tokio::test]
async fn a_file_written_by_a_clock_60_s_behind_is_counted() {
    let list = listing(&[("out/1.out", CREATED - 60)]);
    let answer = count(&[&list, &holding("out/1.out", GOOD)]).await.unwrap();
    assert_eq!(answer["output"]["lines"], 1);
}

#[tokio::test]
async fn every_page_of_the_list_is_counted() {
    let first = mock!(Client::list_objects_v2)
        .match_requests(|list| list.continuation_token().is_none())
        .then_output(|| page(&[("out/1.out", CREATED)], Some("2")));
    let second = mock!(Client::list_objects_v2)
        .match_requests(|list| list.continuation_token() == Some("2"))
        .then_output(|| page(&[("out/2.out", CREATED)], None));
    let rules = [&first, &second, &holding("out/1.out", GOOD), &holding("out/2.out", GOOD)];
    assert_eq!(count(&rules).await.unwrap()["output"]["lines"], 2);
}

#[tokio::test]
async fn an_output_path_without_a_slash_counts_only_its_own_folder() {
    let rules = [&listing(&[("out/1.out", CREATED)]), &holding("out/1.out", GOOD)];
    assert_eq!(count_at("s3://b/out", &rules).await.unwrap()["output"]["users"], 2);
}

#[tokio::test]
async fn an_output_of_errors_alone_ends_the_run() {
    let answer = count(&[&listing(&[("out/1.out", CREATED)]), &holding("out/1.out", BAD.repeat(3))]).await.unwrap();
    assert_eq!(answer["error"], "SegmentFailed");
    let cause = answer["cause"].as_str().unwrap();
    assert!(cause.contains("each of its 3 lines is an error, the first: Item 7"), "{cause}");
}

#[tokio::test]
async fn an_output_that_may_not_be_read_is_skipped() {
    let denied = mock!(Client::list_objects_v2).then_http_response(|| failure(403, "AccessDenied"));
    let expected = json!({"output": null, "skipped": ["input", "output"], "error": null, "cause": null});
    assert_eq!(count(&[&denied]).await.unwrap(), expected);
}

#[tokio::test]
async fn a_file_that_may_not_be_read_skips_the_output() {
    let denied = mock!(Client::get_object).then_http_response(|| failure(403, "AccessDenied"));
    let answer = count(&[&listing(&[("out/1.out", CREATED)]), &denied]).await.unwrap();
    assert_eq!((&answer["output"], &answer["skipped"]), (&Value::Null, &json!(["input", "output"])));
}

#[tokio::test]
async fn a_list_that_is_not_answered_is_an_error_with_the_place() {
    let failing = mock!(Client::list_objects_v2).then_http_response(|| failure(503, "SlowDown"));
    let error = count(&[&failing]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::Throttled);
    assert!(error.message.starts_with("listing s3://b/out/"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_cut_short_is_an_error_that_is_repeated() {
    let rules = [&listing(&[("out/1.out", CREATED)]), &holding("out/1.out", &GOOD[..30])];
    let error = count(&rules).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ServiceUnavailable);
    assert!(error.message.contains("s3://b/out/1.out: it is cut short"), "{error}");
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/count-segment-output.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
