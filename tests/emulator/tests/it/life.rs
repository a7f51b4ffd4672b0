//! The life of jobs: what they are asked, how they go on, how they end.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Instant;

use aws_sdk_cleanroomsml::types::{
    AudienceExportJobStatus, AudienceGenerationJobDataSource, AudienceGenerationJobStatus as Status,
    ProtectedQuerySqlParameters,
};
use serde_json::json;

use crate::fake_s3::CLOSED_BUCKET;
use crate::running::{COLLABORATION, MODEL, ROLE, Running, pause, percentage, refusal, seed};

#[tokio::test]
async fn a_generation_is_pending_then_in_progress_then_active() {
    let running = Running::start_with(|config| config["generationSeconds"] = 2.into()).await;
    let start = Instant::now();
    let arn = running.start_runners("runners").await;
    let mut seen = Vec::new();
    while seen.last() != Some(&Status::Active) {
        let job = running.job(&arn).await;
        assert_eq!(job.metrics.is_some(), job.status == Status::Active);
        if seen.last() != Some(&job.status) {
            seen.push(job.status);
        }
        pause(start).await;
    }
    assert_eq!(seen, [Status::CreatePending, Status::CreateInProgress, Status::Active]);
    assert!(start.elapsed().as_secs_f64() >= 2.0, "it took {:?}", start.elapsed());
    let job = running.job(&arn).await;
    assert!(job.update_time.as_secs_f64() - job.create_time.as_secs_f64() >= 1.9);
}

#[tokio::test]
async fn a_job_shows_its_request() {
    let running = Running::start().await;
    let place = running.s3.put("seeds", "runners.jsonl", seed(0..40));
    let start = running
        .generation("Runners of the spring, ä", &place)
        .include_seed_in_output(true)
        .collaboration_id(COLLABORATION)
        .description("line one\nline two")
        .tags("team", "growth");
    let arn = start.send().await.unwrap().audience_generation_job_arn;
    assert!(arn.starts_with("arn:aws:cleanrooms-ml:eu-west-1:123456789012:audience-generation-job/"), "{arn}");
    let job = running.ended(&arn).await;
    assert_eq!(job.audience_generation_job_arn, arn);
    assert_eq!(job.name, "Runners of the spring, ä");
    assert_eq!(job.configured_audience_model_arn, MODEL);
    assert_eq!(job.include_seed_in_output, Some(true));
    assert_eq!(job.collaboration_id.as_deref(), Some(COLLABORATION));
    assert_eq!(job.description.as_deref(), Some("line one\nline two"));
    assert_eq!(job.tags.unwrap()["team"], "growth");
    assert_eq!(job.started_by.as_deref(), Some("123456789012"));
    let metrics = job.metrics.unwrap();
    let sizes: Vec<_> = metrics.relevance_metrics.iter().map(|metric| metric.audience_size.clone().unwrap()).collect();
    assert_eq!(sizes, [5, 20, 50].map(percentage));
    assert!(metrics.recall_metric.is_some());
}

#[tokio::test]
async fn the_account_that_started_a_job_does_not_see_its_seed() {
    let running = Running::start().await;
    let arn = running.active("runners").await;
    assert_eq!(running.job(&arn).await.seed_audience, None);
}

#[tokio::test]
async fn metrics_stay_with_a_model_that_does_not_share_them() {
    let not_shared = |config: &mut serde_json::Value| config["models"][0]["sharedAudienceMetrics"] = json!(["NONE"]);
    let running = Running::start_with(not_shared).await;
    let arn = running.active("runners").await;
    assert_eq!(running.job(&arn).await.metrics, None);
}

#[tokio::test]
async fn a_seed_that_is_none_fails_its_job_and_says_why_without_a_user_id() {
    let running = Running::start().await;
    let put = |key: &str, text: String| running.s3.put("seeds", key, text);
    let cases = [
        ("s3://seeds/not-there.jsonl".to_owned(), "SEED_NOT_READABLE", "NoSuchKey"),
        (format!("s3://{CLOSED_BUCKET}/seed.jsonl"), "SEED_NOT_READABLE", "AccessDenied"),
        (put("broken", seed(0..40) + "u041,1\n" + &seed(42..60)), "SEED_INVALID", "Line 41"),
        (put("small", seed(0..24)), "SEED_INVALID", "24 unique"),
        (put("strangers", seed((0..29).chain(900..999))), "MATCHING_SEED_TOO_SMALL", "29 of the seed's users"),
    ];
    for (place, code, message) in cases {
        let arn = running.generation(message, &place).send().await.unwrap().audience_generation_job_arn;
        let job = running.ended(&arn).await;
        assert_eq!(job.status, Status::CreateFailed, "{place}");
        let details = job.status_details.unwrap();
        assert_eq!(details.status_code.as_deref(), Some(code));
        let told = details.message.unwrap();
        assert!(told.contains(message), "{told}");
        assert!(!told.contains("u04"), "{told}");
    }
    let enough = put("enough", seed((0..30).chain(900..999)));
    let arn = running.generation("enough", &enough).send().await.unwrap().audience_generation_job_arn;
    assert_eq!(running.ended(&arn).await.status, Status::Active);
}

#[tokio::test]
async fn a_query_takes_the_seed_that_stands_in_for_its_result() {
    let running =
        Running::start_with(|config| config["models"][0]["sqlSeedS3Uri"] = "s3://seeds/of-query.jsonl".into()).await;
    running.s3.put("seeds", "of-query.jsonl", seed(100..140));
    let arn = start_query(&running).await;
    let job = running.ended(&arn).await;
    assert_eq!(job.status, Status::Active, "{:?}", job.status_details);
    assert!(job.protected_query_identifier.is_some());
    let audience = running.exported(&arn, "cooks", 20).await;
    assert!(audience.iter().all(|user| user.as_str() >= "u140"), "{audience:?}");
}

#[tokio::test]
async fn a_query_without_a_stand_in_fails_and_says_what_to_do() {
    let running = Running::start().await;
    let job = running.ended(&start_query(&running).await).await;
    assert_eq!(job.status, Status::CreateFailed);
    let details = job.status_details.unwrap();
    assert_eq!(details.status_code.as_deref(), Some("SQL_NOT_SUPPORTED"));
    assert!(details.message.unwrap().contains("sqlSeedS3Uri"));
}

async fn start_query(running: &Running) -> String {
    let query = ProtectedQuerySqlParameters::builder()
        .query_string("SELECT user_id FROM members")
        .parameters("country", "FI")
        .build();
    let source = AudienceGenerationJobDataSource::builder().sql_parameters(query).role_arn(ROLE).build().unwrap();
    let start = running.client.start_audience_generation_job().name("query").configured_audience_model_arn(MODEL);
    start.seed_audience(source).send().await.unwrap().audience_generation_job_arn
}

#[tokio::test]
async fn an_export_is_json_lines_under_the_models_output() {
    let running = Running::start_with(|config| config["exportSeconds"] = 2.into()).await;
    let start = Instant::now();
    let job = running.active("runners").await;
    running.export(&job, "runners-5pct", 5).await.unwrap();
    let mut seen = Vec::new();
    let export = loop {
        let export = running.exports(&job).await.pop().unwrap();
        assert_eq!(export.output_location.is_some(), export.status == AudienceExportJobStatus::Active);
        if seen.last() != Some(&export.status) {
            seen.push(export.status.clone());
        }
        if export.status == AudienceExportJobStatus::Active {
            break export;
        }
        pause(start).await;
    };
    let [pending, busy] = [AudienceExportJobStatus::CreatePending, AudienceExportJobStatus::CreateInProgress];
    assert_eq!(seen, [pending, busy, AudienceExportJobStatus::Active]);
    assert_eq!(export.audience_generation_job_arn, job);
    assert_eq!(export.audience_size, Some(percentage(5)));
    let place = export.output_location.unwrap();
    assert!(place.starts_with("s3://audiences/exports/runners-5pct/"), "{place}");
    assert_eq!(Path::new(&place).extension(), Some(OsStr::new("jsonl")), "{place}");
    let text = running.s3.text(&place);
    assert_eq!(text.lines().count(), 10);
    // The first forty runners are the seed: the best of the others run too.
    assert!(text.lines().all(|line| line.starts_with(r#"{"user_id":"u0"#) && line.len() == 18), "{text}");
    assert!(text.ends_with("\"}\n"));
}

#[tokio::test]
async fn two_exports_of_one_name_are_two_exports() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    running.export(&job, "twice", 5).await.unwrap();
    running.export(&job, "twice", 5).await.unwrap();
    let exports = running.ended_exports(&job).await;
    let places: Vec<_> = exports.iter().map(|export| export.output_location.clone().unwrap()).collect();
    assert_eq!(places.len(), 2);
    assert_ne!(places[0], places[1]);
}

#[tokio::test]
async fn an_export_that_cannot_be_written_fails_and_says_why() {
    let output = format!("s3://{CLOSED_BUCKET}/exports/");
    let running = Running::start_with(|config| config["models"][0]["outputS3Uri"] = output.into()).await;
    let job = running.active("runners").await;
    running.export(&job, "five", 5).await.unwrap();
    let export = running.ended_exports(&job).await.pop().unwrap();
    assert_eq!(export.status, AudienceExportJobStatus::CreateFailed);
    assert_eq!(export.output_location, None);
    let details = export.status_details.unwrap();
    assert_eq!(details.status_code.as_deref(), Some("OUTPUT_NOT_WRITABLE"));
    assert!(details.message.unwrap().contains("AccessDenied"));
}

#[tokio::test]
async fn a_deleted_job_is_gone_after_a_while_and_its_name_is_free() {
    let running = Running::start_with(|config| config["deletionSeconds"] = 2.into()).await;
    let arn = running.active("runners").await;
    delete(&running, &arn).await;
    let start = Instant::now();
    let mut seen = Vec::new();
    let gone = loop {
        match running.client.get_audience_generation_job().audience_generation_job_arn(&arn).send().await {
            Ok(job) if seen.last() == Some(&job.status) => {}
            Ok(job) => {
                assert_eq!(job.metrics, None, "metrics of a job that is not active");
                seen.push(job.status);
            }
            Err(error) => break refusal(error),
        }
        pause(start).await;
    };
    assert_eq!(seen, [Status::DeletePending, Status::DeleteInProgress]);
    gone.assert("ResourceNotFoundException", 404, &arn);
    assert_ne!(running.active("runners").await, arn);
}

#[tokio::test]
async fn jobs_and_exports_are_dated_back_by_their_names() {
    let running = Running::start().await;
    let (old, young) = (running.active("old").await, running.active("young").await);
    running.exported(&old, "old-5pct", 5).await;
    let answer = running.by_hand("POST", "/_emulator/age", r#"{"namePrefix": "old", "seconds": 864000}"#).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"aged":2}"#));
    let (old, export) = (running.job(&old).await, running.exports(&old).await.remove(0));
    let young = running.job(&young).await;
    for time in [old.create_time, old.update_time, export.create_time, export.update_time] {
        let seconds = young.create_time.secs() - time.secs();
        assert!((863_900..=864_000).contains(&seconds), "{seconds}");
    }
    let wrong = running.by_hand("POST", "/_emulator/age", r#"{"prefix": "old", "seconds": 1}"#).await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);
}

async fn delete(running: &Running, arn: &str) {
    running.client.delete_audience_generation_job().audience_generation_job_arn(arn).send().await.unwrap();
}
