//! The quotas of Clean Rooms ML, and what they count.

use aws_sdk_cleanroomsml::operation::start_audience_generation_job::StartAudienceGenerationJobError;
use aws_sdk_cleanroomsml::types::AudienceExportJobStatus;
use serde_json::{Value, json};

use crate::running::{Running, refusal};

const EXPORTS_OF_AN_AUDIENCE: &str = "Active audience export jobs per audience generation job";
const EXPORTS_IN_FLIGHT: &str = "Pending/in-progress audience export jobs per customer";
const GENERATIONS_IN_FLIGHT: &str = "Pending/in-progress audience generation jobs per customer";

/// One hour: no job ends while a test runs.
const ENDLESS: u32 = 3600;

/// Starts an export by hand and returns the body of the quota error that answers it.
async fn quota_error(running: &Running, job: &str, name: &str) -> Value {
    let size = json!({"type": "PERCENTAGE", "value": 5});
    let body = json!({"name": name, "audienceGenerationJobArn": job, "audienceSize": size});
    let answer = running.by_hand("POST", "/audience-export-job", &body.to_string()).await;
    assert_eq!(answer.status, 402, "{answer:?}");
    assert!(answer.headers.contains("x-amzn-errortype: servicequotaexceededexception"), "{answer:?}");
    answer.json()
}

/// Starts exports `0` to `count - 1`, one after another, and waits until each has ended.
async fn export(running: &Running, job: &str, count: usize) {
    for number in 0..count {
        running.export(job, &format!("export {number}"), 5).await.unwrap();
        running.ended_exports(job).await;
    }
}

#[tokio::test]
async fn the_26th_export_of_an_audience_exceeds_a_quota() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    export(&running, &job, 25).await;
    let error = quota_error(&running, &job, "one more").await;
    assert_eq!((&error["quotaName"], &error["quotaValue"]), (&json!(EXPORTS_OF_AN_AUDIENCE), &json!(25.0)));
}

#[tokio::test]
async fn a_used_up_quota_of_an_audience_does_not_free_itself() {
    let running = Running::start_with(|config| config["maxExportsPerGenerationJob"] = 1.into()).await;
    let job = running.active("runners").await;
    export(&running, &job, 1).await;
    let ages = r#"{"namePrefix": "", "seconds": 8640000}"#;
    assert_eq!(running.by_hand("POST", "/_emulator/age", ages).await.status, 200);
    let error = quota_error(&running, &job, "later").await;
    assert_eq!((&error["quotaName"], &error["quotaValue"]), (&json!(EXPORTS_OF_AN_AUDIENCE), &json!(1.0)));
}

#[tokio::test]
async fn an_export_in_flight_counts_against_the_quota_of_its_audience() {
    let running = Running::start_with(|config| {
        config["exportSeconds"] = ENDLESS.into();
        config["maxExportsPerGenerationJob"] = 1.into();
    })
    .await;
    let job = running.active("runners").await;
    running.export(&job, "first", 5).await.unwrap();
    assert_eq!(quota_error(&running, &job, "second").await["quotaName"], EXPORTS_OF_AN_AUDIENCE);
}

#[tokio::test]
async fn a_failed_export_does_not_count_against_the_quota_of_its_audience() {
    let running = Running::start_with(|config| config["maxExportsPerGenerationJob"] = 1.into()).await;
    let job = running.active("runners").await;
    running.arm(json!([{"name": "fails", "fault": {"kind": "fails"}}])).await;
    running.export(&job, "fails", 5).await.unwrap();
    assert_eq!(running.ended_exports(&job).await[0].status, AudienceExportJobStatus::CreateFailed);
    running.export(&job, "succeeds", 5).await.unwrap();
}

#[tokio::test]
async fn each_audience_has_a_quota_of_its_own() {
    let running = Running::start_with(|config| config["maxExportsPerGenerationJob"] = 1.into()).await;
    let (one, other) = (running.active("one").await, running.active("other").await);
    export(&running, &one, 1).await;
    running.export(&other, "first of the other", 5).await.unwrap();
}

#[tokio::test]
async fn the_21st_export_in_flight_exceeds_a_quota_by_default() {
    let running = Running::start_with(|config| config["exportSeconds"] = ENDLESS.into()).await;
    let job = running.active("runners").await;
    for number in 0..20 {
        running.export(&job, &format!("export {number}"), 5).await.unwrap();
    }
    let error = quota_error(&running, &job, "one more").await;
    assert_eq!((&error["quotaName"], &error["quotaValue"]), (&json!(EXPORTS_IN_FLIGHT), &json!(20.0)));
}

#[tokio::test]
async fn too_many_exports_in_flight_exceed_the_configured_quota() {
    let running = Running::start_with(|config| {
        config["exportSeconds"] = ENDLESS.into();
        config["maxExportJobsInFlight"] = 2.into();
    })
    .await;
    let job = running.active("runners").await;
    running.export(&job, "one", 5).await.unwrap();
    running.export(&job, "two", 5).await.unwrap();
    running.export(&job, "three", 5).await.unwrap_err().assert("ServiceQuotaExceededException", 402, "quota of 2");
    assert_eq!(running.exports(&job).await.len(), 2);
}

#[tokio::test]
async fn the_11th_generation_in_flight_exceeds_a_quota_by_default() {
    let running = Running::start_with(|config| config["generationSeconds"] = ENDLESS.into()).await;
    for number in 0..10 {
        running.start_runners(&format!("job {number}")).await;
    }
    let error = running.generation("one more", "s3://seeds/runners.jsonl").send().await.unwrap_err();
    refusal(error).assert("ServiceQuotaExceededException", 402, "quota of 10");
}

#[tokio::test]
async fn a_generation_in_flight_exceeds_the_quota_until_one_ends() {
    let running = Running::start_with(|config| {
        config["generationSeconds"] = 1.into();
        config["maxGenerationJobsInFlight"] = 1.into();
    })
    .await;
    let first = running.start_runners("first").await;
    let second = running.generation("second", "s3://seeds/runners.jsonl").send().await.unwrap_err();
    let error = second.into_service_error();
    let StartAudienceGenerationJobError::ServiceQuotaExceededException(quota) = error else { panic!("{error:?}") };
    assert_eq!(quota.quota_name.as_deref(), Some(GENERATIONS_IN_FLIGHT));
    assert_eq!(quota.quota_value, Some(1.0));
    running.ended(&first).await;
    assert!(running.generation("second", "s3://seeds/runners.jsonl").send().await.is_ok());
}
