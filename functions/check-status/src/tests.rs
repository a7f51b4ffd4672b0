#![allow(clippy::unwrap_used)]
use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::builders::GetAudienceGenerationJobOutputBuilder;
use aws_sdk_cleanroomsml::operation::list_audience_export_jobs::ListAudienceExportJobsOutput;
use aws_sdk_cleanroomsml::primitives::{DateTime, DateTimeFormat};
use aws_sdk_cleanroomsml::types::{
    AudienceExportJobStatus, AudienceExportJobSummary, AudienceGenerationJobStatus, AudienceQualityMetrics,
    AudienceSize as SdkSize, AudienceSizeType, RelevanceMetric as SdkMetric, StatusDetails,
};
use aws_sdk_personalize::operation::describe_batch_segment_job::DescribeBatchSegmentJobOutput;
use aws_sdk_personalize::types::{BatchSegmentJob, BatchSegmentJobOutput, S3DataConfig};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use super::*;

const AUDIENCE: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
const SEGMENT: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/run";
const RUN: &str = "arn:aws:states:us-east-1:123456789012:execution:audience:run";

fn at(time: &str) -> String {
    format!("2026-11-22T{time}Z")
}

fn time(time: &str) -> DateTime {
    DateTime::from_str(&at(time), DateTimeFormat::DateTime).unwrap()
}

/// The event of a run that started at 16:00 and has its deadline at 18:00, with these fields besides.
fn event(more: &Value) -> Value {
    let mut event = json!({
        "deadline": at("18:00:00"), "poll": {"minSeconds": 15, "maxSeconds": 900},
        "execution": {"id": RUN, "name": "run", "startTime": at("16:00:00")},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// The check of an audience that the run started at 16:10, with these fields besides.
fn of_audience(more: &Value) -> Value {
    let mut event = event(&json!({
        "audienceGenerationJobArn": AUDIENCE, "startTime": at("16:10:00"), "missingSince": null,
        "export": "all", "name": "run", "modelSizes": null,
    }));
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// Makes a status check at this time, and returns the answer as the workflow gets it. A call without a rule
/// fails the test.
async fn check(now: &str, event: Value, rules: &[&Rule]) -> Result<Value, Error> {
    let function = CheckStatus {
        ml: mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, rules, |config| {
            config.retry_config(RetryConfig::disabled())
        }),
        personalize: mock_client!(aws_sdk_personalize, RuleMode::MatchAny, rules, |config| {
            config.retry_config(RetryConfig::disabled())
        }),
        clock: StaticTimeSource::new(SystemTime::try_from(time(now)).unwrap()).into(),
    };
    function.handle(event).await.map(|answer| serde_json::to_value(answer).unwrap())
}

/// An error as Clean Rooms ML sends it.
fn failure(status: u16, code: &'static str) -> HttpResponse {
    let mut response =
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(json!({"message": "no"}).to_string()));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn get_failing(status: u16, code: &'static str) -> Rule {
    mock!(Client::get_audience_generation_job).then_http_response(move || failure(status, code))
}

fn not_finding() -> Rule {
    get_failing(404, "ResourceNotFoundException")
}

/// A job that was created at 16:10.
fn job(status: &str) -> GetAudienceGenerationJobOutputBuilder {
    GetAudienceGenerationJobOutputBuilder::default()
        .create_time(time("16:10:00"))
        .update_time(time("16:29:00"))
        .audience_generation_job_arn(AUDIENCE)
        .name("run")
        .status(AudienceGenerationJobStatus::from(status))
        .configured_audience_model_arn("model")
}

fn showing(job: GetAudienceGenerationJobOutputBuilder) -> Rule {
    mock!(Client::get_audience_generation_job)
        .match_requests(|get| get.audience_generation_job_arn() == Some(AUDIENCE))
        .then_output(move || job.clone().build().unwrap())
}

fn size(value: i32) -> SdkSize {
    SdkSize::builder().r#type(AudienceSizeType::Percentage).value(value).build().unwrap()
}

/// An audience with metrics of two sizes, and of one whose kind is not known.
fn ready() -> Rule {
    let metric = |value, score| SdkMetric::builder().audience_size(size(value)).score(score).build();
    let strange = SdkSize::builder().r#type("HALVES".into()).value(1).build().unwrap();
    let metrics = AudienceQualityMetrics::builder()
        .relevance_metrics(metric(5, 0.9))
        .relevance_metrics(metric(10, 0.5))
        .relevance_metrics(SdkMetric::builder().audience_size(strange).build())
        .recall_metric(0.6)
        .build()
        .unwrap();
    showing(job("ACTIVE").metrics(metrics))
}

/// Checks the audience at 16:30.
async fn check_audience(rule: &Rule, more: &Value) -> Value {
    check("16:30:00", of_audience(more), &[rule]).await.unwrap()
}

#[tokio::test]
async fn a_running_audience_is_checked_again_after_a_tenth_of_its_age() {
    let expected = json!({
        "phase": "RUNNING", "status": "CREATE_IN_PROGRESS", "statusCode": null, "message": null,
        "createTime": at("16:10:00"), "updateTime": at("16:29:00"), "checkAfterSeconds": 120, "metrics": null,
        "missingSince": null, "outputLocation": null, "error": null, "cause": null, "exports": [],
    });
    assert_eq!(check_audience(&showing(job("CREATE_IN_PROGRESS")), &json!({})).await, expected);
}

#[tokio::test]
async fn the_metrics_of_an_audience_leave_out_kinds_that_are_not_known() {
    let expected = json!({"recallMetric": 0.6, "relevanceMetrics": [
        {"audienceSize": {"type": "PERCENTAGE", "value": 5}, "score": 0.9},
        {"audienceSize": {"type": "PERCENTAGE", "value": 10}, "score": 0.5}]});
    assert_eq!(check_audience(&ready(), &json!({})).await["metrics"], expected);
}

#[tokio::test]
async fn an_audience_that_is_ready_plans_the_exports_of_its_policy() {
    let status = check_audience(&ready(), &json!({"export": {"minRelevance": 0.6}})).await;
    assert_eq!(status["phase"], "READY");
    let expected = json!([{
        "name": "run-5pct", "audienceSize": {"type": "PERCENTAGE", "value": 5},
        "start": {"state": "NOT_STARTED", "redriveCount": 0, "quotaWaits": 0},
        "status": null, "createTime": null, "updateTime": null, "outputLocation": null,
    }]);
    assert_eq!(status["exports"], expected);
}

#[tokio::test]
async fn the_models_sizes_count_before_those_of_the_metrics() {
    let more = json!({"modelSizes": [{"type": "PERCENTAGE", "value": 20}]});
    let status = check_audience(&ready(), &more).await;
    assert_eq!(status["exports"].as_array().unwrap().len(), 1);
    assert_eq!(status["exports"][0]["name"], "run-20pct");
}

#[tokio::test]
async fn an_audience_that_is_running_plans_no_export() {
    assert_eq!(check_audience(&showing(job("CREATE_PENDING")), &json!({})).await["exports"], json!([]));
}

#[tokio::test]
async fn an_audience_of_which_no_size_qualifies_ends_the_run_with_its_metrics() {
    let status = check_audience(&ready(), &json!({"export": {"minRelevance": 0.95}})).await;
    assert_eq!((&status["phase"], &status["status"]), (&json!("FAILED"), &json!("ACTIVE")));
    assert_eq!((&status["error"], &status["exports"]), (&json!("NoSizeQualifies"), &json!([])));
    assert!(status["cause"].as_str().unwrap().contains("the best has 0.9"), "{status}");
    assert!(status["metrics"]["relevanceMetrics"].is_array(), "{status}");
}

#[tokio::test]
async fn a_failed_audience_has_the_services_code_and_message() {
    let details = StatusDetails::builder().status_code("CODE").message("the reason").build();
    let status = check_audience(&showing(job("CREATE_FAILED").status_details(details)), &json!({})).await;
    assert_eq!((&status["phase"], &status["error"]), (&json!("FAILED"), &json!("GenerationFailed")));
    assert_eq!((&status["statusCode"], &status["message"]), (&json!("CODE"), &json!("the reason")));
    assert!(status["cause"].as_str().unwrap().contains("the reason (CODE)"), "{status}");
}

#[tokio::test]
async fn an_audience_that_is_running_at_the_deadline_is_expired() {
    let rule = showing(job("CREATE_IN_PROGRESS"));
    let status = check("18:00:00", of_audience(&json!({})), &[&rule]).await.unwrap();
    assert_eq!((&status["phase"], &status["error"]), (&json!("EXPIRED"), &json!("DeadlineExceeded")));
}

#[tokio::test]
async fn a_first_check_that_does_not_find_the_audience_is_running() {
    let expected = json!({
        "phase": "RUNNING", "status": "NOT_FOUND", "statusCode": null, "message": null,
        "createTime": at("16:10:00"), "updateTime": null, "checkAfterSeconds": 120, "metrics": null,
        "missingSince": at("16:30:00"), "outputLocation": null, "error": null, "cause": null, "exports": [],
    });
    assert_eq!(check_audience(&not_finding(), &json!({})).await, expected);
}

#[tokio::test]
async fn a_missing_audience_is_checked_again_after_at_least_a_minute() {
    let status = check("16:20:00", of_audience(&json!({"startTime": null})), &[&not_finding()]).await.unwrap();
    assert_eq!((&status["phase"], &status["checkAfterSeconds"]), (&json!("RUNNING"), &json!(60)));
}

#[tokio::test]
async fn an_audience_that_is_missing_for_less_than_a_minute_is_running() {
    let status = check_audience(&not_finding(), &json!({"missingSince": at("16:29:01")})).await;
    assert_eq!((&status["phase"], &status["missingSince"]), (&json!("RUNNING"), &json!(at("16:29:01"))));
}

#[tokio::test]
async fn an_audience_that_is_missing_for_a_minute_was_deleted() {
    let status = check_audience(&not_finding(), &json!({"missingSince": at("16:29:00")})).await;
    assert_eq!((&status["phase"], &status["error"]), (&json!("FAILED"), &json!("JobDeleted")));
    assert!(status["cause"].as_str().unwrap().contains(AUDIENCE), "{status}");
}

#[tokio::test]
async fn a_missing_audience_of_a_run_that_only_exports_is_not_found() {
    let more = json!({"startTime": null, "missingSince": at("16:29:00")});
    let status = check_audience(&not_finding(), &more).await;
    assert_eq!((&status["phase"], &status["error"]), (&json!("FAILED"), &json!("NotFound")));
}

#[tokio::test]
async fn an_audience_that_is_found_again_is_not_missing() {
    let status = check_audience(&showing(job("CREATE_PENDING")), &json!({"missingSince": at("16:20:00")})).await;
    assert_eq!((&status["phase"], &status["missingSince"]), (&json!("RUNNING"), &Value::Null));
}

#[tokio::test]
async fn an_audience_that_is_missing_within_10_minutes_of_its_start_is_late() {
    let more = json!({"missingSince": at("16:11:00")});
    let status = check("16:19:59", of_audience(&more), &[&not_finding()]).await.unwrap();
    assert_eq!((&status["phase"], &status["missingSince"]), (&json!("RUNNING"), &Value::Null));
}

#[tokio::test]
async fn a_check_that_the_service_does_not_answer_is_an_error_with_the_job() {
    for (status, code, name) in [
        (429, "ThrottlingException", ErrorName::Throttled),
        (500, "InternalServerException", ErrorName::ServiceUnavailable),
        (403, "AccessDeniedException", ErrorName::AccessDenied),
        (400, "ValidationException", ErrorName::InvalidRequest),
    ] {
        let error = check("16:30:00", of_audience(&json!({})), &[&get_failing(status, code)]).await.unwrap_err();
        assert_eq!(error.name, name);
        assert!(error.message.starts_with(&format!("checking audience generation job {AUDIENCE}")), "{error}");
    }
}

/// An export in a list, created by this run at 16:20.
fn listed(percent: i32, status: &str) -> AudienceExportJobSummary {
    AudienceExportJobSummary::builder()
        .create_time(time("16:20:00"))
        .update_time(time("16:29:00"))
        .name(format!("run-{percent}pct"))
        .audience_generation_job_arn(AUDIENCE)
        .audience_size(size(percent))
        .description(RUN)
        .status(AudienceExportJobStatus::from(status))
        .output_location(format!("s3://out/{percent}"))
        .build()
        .unwrap()
}

fn page(exports: Vec<AudienceExportJobSummary>, next: Option<&str>) -> ListAudienceExportJobsOutput {
    let page = ListAudienceExportJobsOutput::builder().set_audience_export_jobs(Some(exports));
    page.set_next_token(next.map(str::to_owned)).build().unwrap()
}

fn listing(exports: Vec<AudienceExportJobSummary>) -> Rule {
    mock!(Client::list_audience_export_jobs)
        .match_requests(|list| list.audience_generation_job_arn() == Some(AUDIENCE) && list.max_results() == Some(100))
        .then_output(move || page(exports.clone(), None))
}

/// An export of the run, whose start is in this state since 16:20.
fn export(percent: i32, state: &str) -> Value {
    json!({
        "name": format!("run-{percent}pct"), "audienceSize": {"type": "PERCENTAGE", "value": percent},
        "start": {"state": state, "since": at("16:20:00"), "redriveCount": 0, "quotaWaits": 0},
    })
}

async fn check_exports(now: &str, exports: &[Value], rules: &[&Rule]) -> Value {
    let event = event(&json!({"audienceGenerationJobArn": AUDIENCE, "exports": exports}));
    check(now, event, rules).await.unwrap()
}

fn start_states(status: &Value) -> Vec<&str> {
    let exports = status["exports"].as_array().unwrap();
    exports.iter().map(|export| export["start"]["state"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn exports_that_are_ready_are_answered_with_their_locations() {
    let status = check_exports("16:30:00", &[export(5, "STARTED")], &[&listing(vec![listed(5, "ACTIVE")])]).await;
    let expected = json!({
        "phase": "READY", "isStartDue": false, "checkAfterSeconds": null, "error": null, "cause": null,
        "exports": [{
            "name": "run-5pct", "audienceSize": {"type": "PERCENTAGE", "value": 5},
            "start": {"state": "FINISHED", "since": at("16:20:00"), "redriveCount": 0, "quotaWaits": 0},
            "status": "ACTIVE", "createTime": at("16:20:00"), "updateTime": at("16:29:00"),
            "outputLocation": "s3://out/5",
        }],
    });
    assert_eq!(status, expected);
}

#[tokio::test]
async fn running_exports_are_checked_again_after_a_tenth_of_their_age() {
    let list = listing(vec![listed(5, "CREATE_IN_PROGRESS")]);
    let status = check_exports("16:30:00", &[export(5, "STARTED")], &[&list]).await;
    assert_eq!((&status["phase"], &status["checkAfterSeconds"]), (&json!("RUNNING"), &json!(60)));
    assert_eq!(status["isStartDue"], false);
}

#[tokio::test]
async fn an_export_that_waits_for_its_start_makes_a_start_due() {
    let exports = [export(5, "STARTED"), export(10, "WAITING")];
    let status = check_exports("16:30:00", &exports, &[&listing(vec![listed(5, "CREATE_PENDING")])]).await;
    assert_eq!((&status["phase"], &status["isStartDue"]), (&json!("RUNNING"), &json!(true)));
    assert_eq!((&status["checkAfterSeconds"], start_states(&status)), (&Value::Null, vec!["STARTED", "WAITING"]));
}

#[tokio::test]
async fn an_unknown_export_that_is_listed_becomes_started() {
    let exports = [export(5, "UNKNOWN"), export(10, "UNKNOWN")];
    let status = check_exports("16:30:00", &exports, &[&listing(vec![listed(5, "CREATE_PENDING")])]).await;
    assert_eq!(start_states(&status), ["STARTED", "UNKNOWN"]);
}

#[tokio::test]
async fn exports_are_found_through_all_pages_of_one_list() {
    let first = mock!(Client::list_audience_export_jobs)
        .match_requests(|list| list.next_token().is_none())
        .then_output(|| page(vec![listed(5, "ACTIVE")], Some("2")));
    let second = mock!(Client::list_audience_export_jobs)
        .match_requests(|list| list.next_token() == Some("2"))
        .then_output(|| page(vec![listed(10, "ACTIVE")], None));
    let exports = [export(5, "STARTED"), export(10, "STARTED")];
    let status = check_exports("16:30:00", &exports, &[&first, &second]).await;
    assert_eq!((&status["phase"], first.num_calls(), second.num_calls()), (&json!("READY"), 1, 1));
}

#[tokio::test]
async fn an_export_of_another_run_is_not_this_runs() {
    let [mut other_run, mut older] = [5, 10].map(|percent| listed(percent, "ACTIVE"));
    other_run.description = Some("arn:another".into());
    older.create_time = time("15:58:59");
    let exports = [export(5, "STARTED"), export(10, "STARTED")];
    let status = check_exports("16:30:00", &exports, &[&listing(vec![other_run, older])]).await;
    assert_eq!(status["phase"], "RUNNING");
    assert_eq!([&status["exports"][0]["status"], &status["exports"][1]["status"]], ["NOT_FOUND", "NOT_FOUND"]);
}

#[tokio::test]
async fn of_two_exports_of_one_name_the_successful_one_counts() {
    let mut failed = listed(5, "CREATE_FAILED");
    failed.output_location = None;
    for list in [vec![failed.clone(), listed(5, "ACTIVE")], vec![listed(5, "ACTIVE"), failed]] {
        let status = check_exports("16:30:00", &[export(5, "STARTED")], &[&listing(list)]).await;
        assert_eq!((&status["phase"], &status["exports"][0]["status"]), (&json!("READY"), &json!("ACTIVE")));
        assert_eq!(status["exports"][0]["outputLocation"], "s3://out/5");
    }
}

#[tokio::test]
async fn exports_with_an_error_end_the_run_with_the_cause_of_each() {
    let mut failed = listed(5, "CREATE_FAILED");
    failed.status_details = Some(StatusDetails::builder().status_code("CODE").message("the reason").build());
    let mut rejected = export(10, "REJECTED");
    rejected["status"] = json!("NOT_STARTED");
    rejected["error"] = json!("Conflict");
    rejected["cause"] = json!("taken.");
    let status = check_exports("16:30:00", &[export(5, "STARTED"), rejected], &[&listing(vec![failed])]).await;
    assert_eq!((&status["phase"], &status["error"]), (&json!("FAILED"), &json!("ExportFailed")));
    let cause = status["cause"].as_str().unwrap();
    assert!(cause.starts_with("2 of 2 exports have an error."), "{cause}");
    assert!(cause.contains("the reason (CODE)") && cause.contains("10pct (Conflict): taken"), "{cause}");
}

#[tokio::test]
async fn at_the_deadline_an_unknown_export_is_not_known_and_never_missing() {
    let status = check_exports("18:00:00", &[export(5, "UNKNOWN")], &[&listing(Vec::new())]).await;
    assert_eq!((&status["phase"], &status["error"]), (&json!("FAILED"), &json!("DeadlineExceeded")));
    let cause = status["exports"][0]["cause"].as_str().unwrap();
    assert!(cause.starts_with("It is not known whether export run-5pct was started"), "{cause}");
}

#[tokio::test]
async fn exports_that_cannot_be_listed_are_an_error_of_the_check() {
    let failing = mock!(Client::list_audience_export_jobs).then_http_response(|| failure(429, "ThrottlingException"));
    let event = event(&json!({"audienceGenerationJobArn": AUDIENCE, "exports": [export(5, "STARTED")]}));
    let error = check("16:30:00", event, &[&failing]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::Throttled);
    assert!(error.message.starts_with(&format!("checking the exports of {AUDIENCE}")), "{error}");
}

/// The check of a segment job that the run started at 16:10, with these fields besides.
fn of_segment(more: &Value) -> Value {
    let mut event = event(&json!({"batchSegmentJobArn": SEGMENT, "startTime": at("16:10:00"), "missingSince": null}));
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

async fn check_segment(rule: &Rule) -> Value {
    check("16:30:00", of_segment(&json!({})), &[rule]).await.unwrap()
}

fn describing(status: &'static str) -> Rule {
    mock!(aws_sdk_personalize::Client::describe_batch_segment_job)
        .match_requests(|describe| describe.batch_segment_job_arn() == Some(SEGMENT))
        .then_output(move || {
            let place = S3DataConfig::builder().path("s3://b/out/").build().unwrap();
            let job = BatchSegmentJob::builder()
                .status(status)
                .failure_reason("the reason")
                .job_output(BatchSegmentJobOutput::builder().s3_data_destination(place).build())
                .creation_date_time(time("16:10:00"));
            DescribeBatchSegmentJobOutput::builder().batch_segment_job(job.build()).build()
        })
}

fn describe_failing(code: &'static str) -> Rule {
    mock!(aws_sdk_personalize::Client::describe_batch_segment_job).then_http_response(move || {
        let body = json!({"__type": code, "message": "no"}).to_string();
        HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body))
    })
}

#[tokio::test]
async fn the_words_of_a_segment_job_have_spaces_or_underscores() {
    for (word, phase) in [
        ("CREATE PENDING", "RUNNING"),
        ("CREATE_IN_PROGRESS", "RUNNING"),
        ("CREATE IN_PROGRESS", "RUNNING"),
        ("ACTIVE", "READY"),
        ("CREATE FAILED", "FAILED"),
        ("CREATE_FAILED", "FAILED"),
    ] {
        let status = check_segment(&describing(word)).await;
        assert_eq!((&status["phase"], &status["status"]), (&json!(phase), &json!(word)));
    }
}

#[tokio::test]
async fn a_segment_job_that_is_ready_has_its_output_location_and_no_exports() {
    let status = check_segment(&describing("ACTIVE")).await;
    assert_eq!((&status["outputLocation"], &status["createTime"]), (&json!("s3://b/out/"), &json!(at("16:10:00"))));
    assert_eq!(status["exports"], json!([]));
}

#[tokio::test]
async fn a_segment_job_that_failed_has_the_services_reason() {
    let status = check_segment(&describing("CREATE FAILED")).await;
    assert_eq!(status["error"], "SegmentFailed");
    assert!(status["cause"].as_str().unwrap().contains("the reason"), "{status}");
}

#[tokio::test]
async fn one_check_that_does_not_find_a_segment_job_does_not_end_the_run() {
    let missing = describe_failing("ResourceNotFoundException");
    let status = check_segment(&missing).await;
    assert_eq!((&status["phase"], &status["missingSince"]), (&json!("RUNNING"), &json!(at("16:30:00"))));
    let again = of_segment(&json!({"missingSince": status["missingSince"]}));
    let status = check("16:31:00", again, &[&missing]).await.unwrap();
    assert_eq!((&status["phase"], &status["error"]), (&json!("FAILED"), &json!("JobDeleted")));
}

#[tokio::test]
async fn a_check_of_a_segment_job_that_is_not_answered_is_an_error() {
    let rule = describe_failing("ThrottlingException");
    let error = check("16:30:00", of_segment(&json!({})), &[&rule]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::Throttled);
    assert!(error.message.starts_with(&format!("checking batch segment job {SEGMENT}")), "{error}");
}

#[tokio::test]
async fn an_event_that_names_no_job_or_two_is_rejected() {
    for more in [json!({"audienceGenerationJobArn": null}), json!({"batchSegmentJobArn": SEGMENT})] {
        let error = check("16:30:00", of_audience(&more), &[]).await.unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
    }
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/check-status.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
