#![allow(clippy::unwrap_used)]
use super::*;
use aws_sdk_cleanroomsml::operation::list_audience_export_jobs::ListAudienceExportJobsOutput;
use aws_sdk_cleanroomsml::operation::start_audience_export_job::StartAudienceExportJobOutput;
use aws_sdk_cleanroomsml::types::{AudienceExportJobStatus, AudienceExportJobSummary, AudienceSizeType};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

const ARN: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";

fn event(retries: u32) -> Value {
    json!({
        "audienceGenerationJobArn": ARN, "audienceSize": {"type": "PERCENTAGE", "value": 5}, "name": "run",
        "deadline": "2999-01-01T00:00:00Z", "attempt": {"retryCount": retries},
        "execution": {"id": "arn", "name": "run", "startTime": "2026-11-22T16:00:00Z"},
    })
}

fn listing(name: &'static str, percent: i32, created: &'static str) -> Rule {
    mock!(Client::list_audience_export_jobs).then_output(move || {
        let time: Moment = created.parse().unwrap();
        let created = aws_sdk_cleanroomsml::primitives::DateTime::from_secs(
            time.seconds_since("1970-01-01T00:00:00Z".parse().unwrap()),
        );
        let size = SdkSize::builder().r#type(AudienceSizeType::Percentage).value(percent).build().unwrap();
        let export = AudienceExportJobSummary::builder()
            .name(name)
            .audience_generation_job_arn(ARN)
            .audience_size(size)
            .status(AudienceExportJobStatus::CreatePending)
            .create_time(created)
            .update_time(created)
            .build()
            .unwrap();
        ListAudienceExportJobsOutput::builder().audience_export_jobs(export).build().unwrap()
    })
}

fn starting() -> Rule {
    mock!(Client::start_audience_export_job)
        .match_requests(|request| {
            request.name() == Some("run-5pct")
                && request.audience_generation_job_arn() == Some(ARN)
                && request
                    .audience_size()
                    .is_some_and(|size| size.r#type() == &AudienceSizeType::Percentage && size.value() == 5)
        })
        .then_output(|| StartAudienceExportJobOutput::builder().build())
}

/// An error as the service puts it on the wire.
fn refusal(status: u16, code: &'static str, message: &str) -> HttpResponse {
    let body = json!({"message": message}).to_string();
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn conflicting() -> Rule {
    mock!(Client::start_audience_export_job).then_http_response(|| refusal(409, "ConflictException", "taken"))
}

async fn run(retries: u32, rules: &[&Rule]) -> Result<String, Error> {
    let ml = mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, rules);
    Ok(start(event(retries), &ml).await?.name.to_string())
}

#[tokio::test]
async fn a_first_attempt_starts_at_once() {
    let (start, list) = (starting(), listing("run-5pct", 5, "2026-11-22T16:00:01Z"));
    assert_eq!(run(0, &[&start, &list]).await.unwrap(), "run-5pct");
    assert_eq!((start.num_calls(), list.num_calls()), (1, 0));
}

#[tokio::test]
async fn a_later_attempt_takes_the_export_that_is_there() {
    let (start, list) = (starting(), listing("run-5pct", 5, "2026-11-22T16:00:01Z"));
    assert_eq!(run(1, &[&start, &list]).await.unwrap(), "run-5pct");
    assert_eq!(start.num_calls(), 0);
}

#[tokio::test]
async fn a_later_attempt_starts_where_nothing_is_there() {
    let (start, list) = (starting(), listing("other", 5, "2026-11-22T16:00:01Z"));
    assert_eq!(run(1, &[&start, &list]).await.unwrap(), "run-5pct");
    assert_eq!(start.num_calls(), 1);
}

#[tokio::test]
async fn a_conflict_is_our_own_export_or_else_an_error() {
    let ours = listing("run-5pct", 5, "2026-11-22T16:00:01Z");
    assert_eq!(run(0, &[&conflicting(), &ours]).await.unwrap(), "run-5pct");
    for foreign in [
        listing("run-5pct", 5, "2026-11-22T15:00:00Z"),
        listing("run-5pct", 10, "2026-11-22T16:00:01Z"),
        listing("other", 5, "2026-11-22T16:00:01Z"),
    ] {
        let error = run(0, &[&conflicting(), &foreign]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::Conflict);
    }
}

#[tokio::test]
async fn a_quota_is_told_by_its_name() {
    let full = mock!(Client::start_audience_export_job)
        .then_http_response(|| refusal(402, "ServiceQuotaExceededException", "full"));
    assert_eq!(run(0, &[&full]).await.unwrap_err().name, ErrorName::QuotaExceeded);
}

#[tokio::test]
async fn nothing_is_started_past_the_deadline() {
    let start_rule = starting();
    let ml = mock_client!(aws_sdk_cleanroomsml, [&start_rule]);
    let mut late = event(0);
    late["deadline"] = json!("2026-11-22T16:00:01Z");
    assert_eq!(start(late, &ml).await.unwrap_err().name, ErrorName::DeadlineExceeded);
    assert_eq!(start_rule.num_calls(), 0);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_not_sent_for_again_by_the_sdk() {
    let lost = mock!(Client::start_audience_export_job).sequence().http_status(500, None).times(5).build();
    let error = run(0, &[&lost]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::ServiceUnavailable);
    assert_eq!(lost.num_calls(), 1);
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/start-export.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
