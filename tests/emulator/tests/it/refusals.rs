//! What the service refuses, with which code, and in which words.

use aws_sdk_cleanroomsml::types::{AudienceGenerationJobStatus, AudienceSize, AudienceSizeType};
use serde_json::{Value, json};

use crate::running::{MODEL, Running, refusal, seed};

const UNKNOWN_JOB: &str = "arn:aws:cleanrooms-ml:eu-west-1:123456789012:audience-generation-job/no/such_job";

/// Jobs that stay in progress for as long as a test takes.
fn endless(config: &mut Value) {
    config["generationSeconds"] = 3600.into();
    config["exportSeconds"] = 3600.into();
}

#[tokio::test]
async fn a_second_job_of_one_name_is_a_conflict_whatever_became_of_the_first() {
    let running = Running::start().await;
    let failed = running.generation("name", "s3://seeds/none").send().await.unwrap().audience_generation_job_arn;
    let second = refusal(running.generation("name", "s3://seeds/none").send().await.unwrap_err());
    second.assert("ConflictException", 409, "'name'");
    assert_eq!(running.ended(&failed).await.status, AudienceGenerationJobStatus::CreateFailed);
    let third = refusal(running.generation("name", "s3://seeds/none").send().await.unwrap_err());
    third.assert("ConflictException", 409, "'name'");
    assert!(running.generation("Name", "s3://seeds/none").send().await.is_ok());
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let running = Running::start().await;
    let client = &running.client;
    let job = client.get_audience_generation_job().audience_generation_job_arn(UNKNOWN_JOB).send().await;
    refusal(job.unwrap_err()).assert("ResourceNotFoundException", 404, UNKNOWN_JOB);
    let deleted = client.delete_audience_generation_job().audience_generation_job_arn(UNKNOWN_JOB).send().await;
    refusal(deleted.unwrap_err()).assert("ResourceNotFoundException", 404, UNKNOWN_JOB);
    running.export(UNKNOWN_JOB, "five", 5).await.unwrap_err().assert("ResourceNotFoundException", 404, UNKNOWN_JOB);
    let model = format!("{MODEL}0");
    let got = client.get_configured_audience_model().configured_audience_model_arn(&model).send().await;
    refusal(got.unwrap_err()).assert("ResourceNotFoundException", 404, &model);
    let started = running.generation("name", "s3://seeds/s").configured_audience_model_arn(&model).send().await;
    refusal(started.unwrap_err()).assert("ResourceNotFoundException", 404, &model);
}

#[tokio::test]
async fn a_job_in_progress_is_neither_exported_nor_deleted() {
    let running = Running::start_with(endless).await;
    let job = running.start_runners("runners").await;
    running.export(&job, "five", 5).await.unwrap_err().assert("ConflictException", 409, "not ACTIVE");
    let deleted = running.client.delete_audience_generation_job().audience_generation_job_arn(&job).send().await;
    refusal(deleted.unwrap_err()).assert("ConflictException", 409, "in progress");
}

#[tokio::test]
async fn a_job_is_not_deleted_under_an_export_of_it() {
    let running = Running::start_with(|config| config["exportSeconds"] = 3600.into()).await;
    let job = running.active("runners").await;
    running.export(&job, "five", 5).await.unwrap();
    let deleted = running.client.delete_audience_generation_job().audience_generation_job_arn(&job).send().await;
    refusal(deleted.unwrap_err()).assert("ConflictException", 409, "export");
}

#[tokio::test]
async fn a_failed_generation_has_nothing_to_export() {
    let running = Running::start().await;
    let seed = running.s3.put("seeds", "small", seed(0..3));
    let job = running.generation("small", &seed).send().await.unwrap().audience_generation_job_arn;
    running.ended(&job).await;
    running.export(&job, "five", 5).await.unwrap_err().assert("ConflictException", 409, "not ACTIVE");
}

#[tokio::test]
async fn a_size_must_be_one_of_the_models_by_type_and_value() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    running.export(&job, "six", 6).await.unwrap_err().assert("ValidationException", 400, "'audienceSize'");
    let five_users = AudienceSize::builder().r#type(AudienceSizeType::Absolute).value(5).build().unwrap();
    let export = running.client.start_audience_export_job().audience_generation_job_arn(&job).name("five");
    let refused = refusal(export.audience_size(five_users).send().await.unwrap_err());
    refused.assert("ValidationException", 400, "'audienceSize'");
    assert!(running.exports(&job).await.is_empty());
}

#[tokio::test]
async fn a_broken_limit_is_a_validation_error_that_names_the_member() {
    let running = Running::start().await;
    let name = running.generation(&"n".repeat(64), "s3://seeds/s").send().await;
    refusal(name.unwrap_err()).assert("ValidationException", 400, "'name'");
    let both = running.generation("", "s3://seeds/s").collaboration_id("x").send().await;
    let both = refusal(both.unwrap_err());
    both.assert("ValidationException", 400, "'name'");
    both.assert("ValidationException", 400, "'collaborationId'");
    let arn = running.client.get_audience_generation_job().audience_generation_job_arn(MODEL).send().await;
    refusal(arn.unwrap_err()).assert("ValidationException", 400, "'audienceGenerationJobArn'");
}

#[tokio::test]
async fn an_error_has_the_headers_and_the_body_of_the_service() {
    let running = Running::start().await;
    for body in ["{\"name\":", "[]", "{\"name\": 7}", "\u{1}", ""] {
        let answer = running.by_hand("POST", "/audience-export-job", body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.headers.contains("x-amzn-errortype: validationexception"), "{answer:?}");
        assert!(answer.headers.contains("x-amzn-requestid: "), "{answer:?}");
        assert!(answer.headers.contains("content-type: application/json"), "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(body["message"].is_string(), "{answer:?}");
    }
}

#[tokio::test]
async fn an_arn_in_the_path_is_percent_encoded_or_leads_nowhere() {
    let running = Running::start().await;
    let encoded = MODEL.replace(':', "%3A").replace('/', "%2F");
    let model = running.by_hand("GET", &format!("/configured-audience-model/{encoded}"), "").await;
    assert_eq!(model.status, 200, "{model:?}");
    let half = MODEL.replace('/', "%2f");
    assert_eq!(running.by_hand("GET", &format!("/configured-audience-model/{half}"), "").await.status, 200);
    for path in [format!("/configured-audience-model/{MODEL}"), "/configured-audience-model/%zz".to_owned()] {
        let answer = running.by_hand("GET", &path, "").await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert!(answer.headers.contains("x-amzn-errortype: unknownoperationexception"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_start_of_an_export_is_answered_with_an_empty_body() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    let body = json!({
        "name": "five",
        "audienceGenerationJobArn": job,
        "audienceSize": {"type": "PERCENTAGE", "value": 5},
        "colour": "unknown members are passed over",
    });
    let answer = running.by_hand("POST", "/audience-export-job", &body.to_string()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}
