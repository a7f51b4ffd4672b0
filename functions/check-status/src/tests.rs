#![allow(clippy::unwrap_used)]
use super::*;
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::builders::GetAudienceGenerationJobOutputBuilder;
use aws_sdk_cleanroomsml::operation::list_audience_export_jobs::ListAudienceExportJobsOutput;
use aws_sdk_cleanroomsml::primitives::DateTime;
use aws_sdk_cleanroomsml::types::{
    AudienceExportJobStatus, AudienceGenerationJobStatus, AudienceSize as SdkSize, AudienceSizeType,
    RelevanceMetric as SdkMetric, StatusDetails,
};
use aws_sdk_personalize::operation::describe_batch_segment_job::DescribeBatchSegmentJobOutput;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

const ARN: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";

fn event(more: &Value) -> Value {
    let start = Moment::from(SystemTime::now()).to_string();
    let mut event = json!({
        "audienceGenerationJobArn": ARN, "startTime": start, "deadline": "2999-01-01T00:00:00Z",
        "poll": {"minSeconds": 15, "maxSeconds": 900},
        "execution": {"id": "arn", "name": "run", "startTime": start},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn aws(rules: &[&Rule]) -> Aws {
    Aws {
        ml: mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, rules),
        personalize: mock_client!(aws_sdk_personalize, RuleMode::MatchAny, rules),
    }
}

fn job(status: &str) -> GetAudienceGenerationJobOutputBuilder {
    let now = DateTime::from(SystemTime::now());
    GetAudienceGenerationJobOutputBuilder::default()
        .create_time(now)
        .update_time(now)
        .audience_generation_job_arn(ARN)
        .name("run")
        .status(AudienceGenerationJobStatus::from(status))
        .configured_audience_model_arn("model")
}

/// An error as the service puts it on the wire.
fn refusal(status: u16, code: &'static str, message: &str) -> HttpResponse {
    let body = json!({"message": message}).to_string();
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

/// The answer as the workflow gets it.
async fn answer(event: Value, rules: &[&Rule]) -> Result<Value, Error> {
    check(event, &aws(rules)).await.map(|answer| serde_json::to_value(answer).unwrap())
}

async fn of_refusal(status: u16, code: &'static str, more: &Value) -> Result<Value, Error> {
    let rule = mock!(Client::get_audience_generation_job).then_http_response(move || refusal(status, code, "no"));
    answer(event(more), &[&rule]).await
}

fn size(value: i32) -> SdkSize {
    SdkSize::builder().r#type(AudienceSizeType::Percentage).value(value).build().unwrap()
}

fn ready() -> GetAudienceGenerationJobOutputBuilder {
    let metric = |value, score| SdkMetric::builder().audience_size(size(value)).score(score).build();
    let strange = SdkSize::builder().r#type("HALVES".into()).value(1).build().unwrap();
    let metrics = AudienceQualityMetrics::builder()
        .relevance_metrics(metric(5, 0.9))
        .relevance_metrics(metric(10, 0.5))
        .relevance_metrics(SdkMetric::builder().audience_size(strange).build())
        .recall_metric(0.6)
        .build()
        .unwrap();
    job("ACTIVE").metrics(metrics)
}

async fn of_generation(job: GetAudienceGenerationJobOutputBuilder, more: &Value) -> Result<Value, Error> {
    let rule = mock!(Client::get_audience_generation_job)
        .match_requests(|request| request.audience_generation_job_arn() == Some(ARN))
        .then_output(move || job.clone().build().unwrap());
    answer(event(more), &[&rule]).await
}

#[tokio::test]
async fn a_running_audience_is_looked_at_again() {
    let status = of_generation(job("CREATE_IN_PROGRESS"), &json!({"export": "all"})).await.unwrap();
    assert_eq!(status["phase"], "RUNNING");
    assert_eq!(status["status"], "CREATE_IN_PROGRESS");
    assert_eq!(status["checkAfterSeconds"], 15);
    assert_eq!(status["exportSizes"], Value::Null);
}

#[tokio::test]
async fn an_audience_that_is_ready_brings_its_metrics_and_the_sizes_to_export() {
    let status = of_generation(ready(), &json!({"export": {"minRelevance": 0.6}})).await.unwrap();
    assert_eq!(status["phase"], "READY");
    assert_eq!(status["exportSizes"], json!([{"type": "PERCENTAGE", "value": 5}]));
    assert_eq!(
        status["metrics"],
        json!({"recallMetric": 0.6, "relevanceMetrics": [
        {"audienceSize": {"type": "PERCENTAGE", "value": 5}, "score": 0.9},
        {"audienceSize": {"type": "PERCENTAGE", "value": 10}, "score": 0.5}]})
    );
    let bins = json!({"export": "all", "modelSizes": [{"type": "PERCENTAGE", "value": 20}]});
    let status = of_generation(ready(), &bins).await.unwrap();
    assert_eq!(status["exportSizes"], bins["modelSizes"]);
}

#[tokio::test]
async fn an_audience_of_which_no_size_qualifies_ends_the_run_and_is_still_told() {
    let status = of_generation(ready(), &json!({"export": {"minRelevance": 0.95}})).await.unwrap();
    assert_eq!((&status["phase"], &status["status"]), (&json!("FAILED"), &json!("ACTIVE")));
    assert_eq!(status["error"], "NoSizeQualifies");
    assert!(status["cause"].as_str().unwrap().contains("the best has 0.9"), "{status}");
    assert!(status["metrics"]["relevanceMetrics"].is_array() && status["exportSizes"].is_null());
}

#[tokio::test]
async fn a_failed_audience_tells_the_services_code_and_message() {
    let details = StatusDetails::builder().status_code("CODE").message("the reason").build();
    let status = of_generation(job("CREATE_FAILED").status_details(details), &json!({})).await.unwrap();
    assert_eq!((&status["phase"], &status["error"]), (&json!("FAILED"), &json!("GenerationFailed")));
    assert_eq!((&status["statusCode"], &status["message"]), (&json!("CODE"), &json!("the reason")));
    assert!(status["cause"].as_str().unwrap().contains("the reason (CODE)"));
}

#[tokio::test]
async fn an_audience_that_is_gone_is_told_as_deleted_but_not_at_once() {
    let gone = |more| async move { of_refusal(404, "ResourceNotFoundException", &more).await };
    assert_eq!(gone(json!({})).await.unwrap()["phase"], "RUNNING");
    let deleted = gone(json!({"startTime": "2026-01-01T00:00:00Z"})).await.unwrap();
    assert_eq!((&deleted["phase"], &deleted["error"]), (&json!("FAILED"), &json!("JobDeleted")));
    let seen_before = gone(json!({"wasThere": true})).await.unwrap();
    assert_eq!(seen_before["error"], "JobDeleted");
    let foreign = gone(json!({"startTime": null})).await.unwrap_err();
    assert_eq!(foreign.name, ErrorName::NotFound);
}

#[tokio::test]
async fn a_throttled_look_is_an_error_worth_a_retry_that_names_the_job() {
    let error = of_refusal(429, "ThrottlingException", &json!({})).await.unwrap_err();
    assert_eq!(error.name, ErrorName::Throttled);
    assert!(error.message.contains(ARN));
}

fn listed(name: &str, created: SystemTime) -> AudienceExportJobSummary {
    AudienceExportJobSummary::builder()
        .create_time(created.into())
        .update_time(created.into())
        .name(name)
        .audience_generation_job_arn(ARN)
        .audience_size(size(5))
        .status(AudienceExportJobStatus::Active)
        .output_location(format!("s3://out/{name}"))
        .build()
        .unwrap()
}

fn export(name: &str) -> Value {
    let start = Moment::from(SystemTime::now()).to_string();
    json!({"name": name, "audienceSize": {"type": "PERCENTAGE", "value": 5}, "startTime": start})
}

async fn of_exports(exports: &[Value], rules: &[&Rule]) -> Value {
    answer(event(&json!({"exports": exports})), rules).await.unwrap()
}

#[tokio::test]
async fn an_export_is_found_by_name_through_all_pages_and_not_one_of_an_older_run() {
    let old = SystemTime::UNIX_EPOCH;
    let first = mock!(Client::list_audience_export_jobs)
        .match_requests(|request| request.audience_generation_job_arn() == Some(ARN) && request.next_token().is_none())
        .then_output(move || {
            ListAudienceExportJobsOutput::builder()
                .next_token("2")
                .audience_export_jobs(listed("other", SystemTime::now()))
                .audience_export_jobs(listed("run-5pct", old))
                .build()
                .unwrap()
        });
    let second = mock!(Client::list_audience_export_jobs)
        .match_requests(|request| request.next_token() == Some("2"))
        .then_output(|| {
            let ours = listed("run-5pct", SystemTime::now());
            ListAudienceExportJobsOutput::builder().audience_export_jobs(ours).build().unwrap()
        });
    let status = of_exports(&[export("run-5pct"), export("run-10pct")], &[&first, &second]).await;
    assert_eq!((&status["phase"], &status["checkAfterSeconds"]), (&json!("RUNNING"), &json!(15)));
    let [ready, late] = [&status["exports"][0], &status["exports"][1]];
    assert_eq!(ready["outputLocation"], "s3://out/run-5pct");
    assert_eq!(late["status"], "NOT_FOUND");
    // Nobody asks for the second page when the first has shown all.
    let status = of_exports(&[export("other")], &[&first, &second]).await;
    assert_eq!((&status["phase"], &status["exports"][0]["status"]), (&json!("READY"), &json!("ACTIVE")));
    assert_eq!((first.num_calls(), second.num_calls()), (2, 1));
}

#[tokio::test]
async fn exports_of_which_none_is_under_way_are_not_looked_at() {
    let refused = json!({"name": null, "audienceSize": {"type": "PERCENTAGE", "value": 5}, "status": "UNKNOWN",
        "error": "Conflict", "cause": "taken"});
    let status = of_exports(&[refused], &[]).await;
    assert_eq!((&status["phase"], &status["exports"][0]["error"]), (&json!("READY"), &json!("Conflict")));
}

const SEGMENT: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/run";

async fn of_segment(rule: Rule) -> Result<Value, Error> {
    let start = Moment::from(SystemTime::now()).to_string();
    let event = json!({
        "batchSegmentJobArn": SEGMENT, "startTime": start, "deadline": "2999-01-01T00:00:00Z",
        "poll": {"minSeconds": 15, "maxSeconds": 900},
        "execution": {"id": "arn", "name": "run", "startTime": start},
    });
    answer(event, &[&rule]).await
}

fn describing(status: &'static str) -> Rule {
    mock!(aws_sdk_personalize::Client::describe_batch_segment_job)
        .match_requests(|request| request.batch_segment_job_arn() == Some(SEGMENT))
        .then_output(move || {
            let place = aws_sdk_personalize::types::S3DataConfig::builder().path("s3://b/out/").build().unwrap();
            let output = aws_sdk_personalize::types::BatchSegmentJobOutput::builder().s3_data_destination(place);
            let job = BatchSegmentJob::builder()
                .status(status)
                .failure_reason("the reason")
                .job_output(output.build())
                .creation_date_time(DateTime::from(SystemTime::now()));
            DescribeBatchSegmentJobOutput::builder().batch_segment_job(job.build()).build()
        })
}

#[tokio::test]
async fn a_segment_job_is_told_by_its_words_with_spaces_or_underscores() {
    for (word, phase) in [
        ("CREATE PENDING", "RUNNING"),
        ("CREATE_IN_PROGRESS", "RUNNING"),
        ("CREATE IN_PROGRESS", "RUNNING"),
        ("ACTIVE", "READY"),
        ("CREATE FAILED", "FAILED"),
        ("CREATE_FAILED", "FAILED"),
    ] {
        let status = of_segment(describing(word)).await.unwrap();
        assert_eq!((&status["phase"], &status["status"]), (&json!(phase), &json!(word)));
        assert_eq!(status["outputLocation"], "s3://b/out/");
        assert!(status["exportSizes"].is_null());
    }
    let failed = of_segment(describing("CREATE FAILED")).await.unwrap();
    assert_eq!(failed["error"], "SegmentFailed");
    assert!(failed["cause"].as_str().unwrap().contains("the reason"), "{failed}");
}

#[tokio::test]
async fn a_segment_job_that_is_not_there_is_late_and_one_that_cannot_be_looked_at_is_an_error() {
    let refusing = |code: &'static str| {
        mock!(aws_sdk_personalize::Client::describe_batch_segment_job).then_http_response(move || {
            let body = json!({"__type": code, "message": "no"}).to_string();
            HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body))
        })
    };
    assert_eq!(of_segment(refusing("ResourceNotFoundException")).await.unwrap()["status"], "NOT_FOUND");
    assert_eq!(of_segment(refusing("ThrottlingException")).await.unwrap_err().name, ErrorName::Throttled);
}

#[tokio::test]
async fn an_event_that_names_no_job_or_two_is_refused() {
    for more in [json!({"audienceGenerationJobArn": null}), json!({"batchSegmentJobArn": SEGMENT})] {
        let error = answer(event(&more), &[]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
    }
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/check-status.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
