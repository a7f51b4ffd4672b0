#![allow(clippy::unwrap_used)]
use super::*;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

const GOOD: &str = "{\"input\":{},\"output\":{\"usersList\":[\"a\",\"b\"]},\"error\":null}\n";
const BAD: &str = "{\"input\":{},\"output\":null,\"error\":\"Item 7 is not known.\"}\n";

fn event() -> Value {
    json!({
        "outputLocation": "s3://b/out/", "createTime": "1970-01-01T00:16:40Z", "skipped": ["input"],
        "execution": {"id": "arn:run", "name": "run", "startTime": "1970-01-01T00:16:30Z"},
    })
}

/// The objects under the output's place, each with the second in which it was written.
fn listing(objects: &'static [(&'static str, i64)]) -> Rule {
    mock!(Client::list_objects_v2)
        .match_requests(|list| list.bucket() == Some("b") && list.prefix() == Some("out/"))
        .then_output(move || {
            let object = |(key, written): &(&str, i64)| {
                Object::builder().key(*key).last_modified(DateTime::from_secs(*written)).build()
            };
            ListObjectsV2Output::builder().set_contents(Some(objects.iter().map(object).collect())).build()
        })
}

fn holding(key: &'static str, body: String) -> Rule {
    mock!(Client::get_object)
        .match_requests(move |get| get.key() == Some(key))
        .then_output(move || GetObjectOutput::builder().body(ByteStream::from(body.clone().into_bytes())).build())
}

async fn run(rules: &[&Rule]) -> Result<Value, Error> {
    let s3 = mock_client!(aws_sdk_s3, RuleMode::MatchAny, rules);
    Ok(serde_json::to_value(count(event(), &s3).await?).unwrap())
}

#[tokio::test]
async fn what_the_job_has_written_is_counted_and_nothing_else() {
    let list = listing(&[("out/old.out", 900), ("out/1.out", 1000), ("out/2.out", 1500), ("out/_CHECK", 1500)]);
    let (first, second) = (holding("out/1.out", GOOD.repeat(2) + BAD), holding("out/2.out", GOOD.into()));
    let answer = run(&[&list, &first, &second]).await.unwrap();
    let output = json!({"lines": 4, "users": 6, "errorLines": 1, "firstError": "Item 7 is not known."});
    assert_eq!(answer, json!({"output": output, "skipped": ["input"], "error": null, "cause": null}));
}

#[tokio::test]
async fn an_output_path_without_a_slash_counts_no_neighbour() {
    let (list, object) = (listing(&[("out/1.out", 1000)]), holding("out/1.out", GOOD.into()));
    let mut event = event();
    event["outputLocation"] = json!("s3://b/out");
    let s3 = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&list, &object]);
    let answer = count(event, &s3).await.unwrap();
    assert_eq!(answer.output.unwrap().users, 2);
}

#[tokio::test]
async fn an_output_of_errors_alone_ends_the_run() {
    let (list, object) = (listing(&[("out/1.out", 1000)]), holding("out/1.out", BAD.repeat(3)));
    let answer = run(&[&list, &object]).await.unwrap();
    assert_eq!(answer["error"], "SegmentFailed");
    assert!(
        answer["cause"].as_str().unwrap().contains("each of its 3 lines is an error, the first: Item 7"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_output_that_may_not_be_read_is_left_out() {
    let denied = mock!(Client::list_objects_v2).then_http_response(|| {
        let body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        HttpResponse::new(403.try_into().unwrap(), SdkBody::from(body))
    });
    let answer = run(&[&denied]).await.unwrap();
    assert_eq!(answer, json!({"output": null, "skipped": ["input", "output"], "error": null, "cause": null}));
}

#[tokio::test]
async fn an_output_that_is_cut_short_is_read_again() {
    let (list, object) = (listing(&[("out/1.out", 1000)]), holding("out/1.out", GOOD[..30].into()));
    let error = run(&[&list, &object]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ServiceUnavailable);
    assert!(error.message.contains("s3://b/out/1.out: it is cut short"), "{error}");
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/count-segment-output.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
