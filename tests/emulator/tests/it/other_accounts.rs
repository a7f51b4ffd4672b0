//! Resources of other accounts: only the start of a generation job accepts them.

use serde_json::{Value, json};

use crate::personalize::segment_job;
use crate::running::{Answer, COLLABORATION, ITEM_AFFINITY, ROLE, Running, refusal};

const OTHER_MODEL: &str = "arn:aws:cleanrooms-ml:eu-west-1:444455556666:configured-audience-model/9999-8888";
const OTHER_JOB: &str = "arn:aws:cleanrooms-ml:eu-west-1:444455556666:audience-generation-job/7777-6666";
const OTHER_ROLE: &str = "arn:aws:iam::444455556666:role/seed";

/// Adds a model of another account behind the own one.
fn with_other_model(config: &mut Value) {
    let mut model = config["models"][0].clone();
    model["configuredAudienceModelArn"] = OTHER_MODEL.into();
    model["name"] = "large town".into();
    config["models"].as_array_mut().unwrap().push(model);
}

fn encoded(arn: &str) -> String {
    arn.replace(':', "%3A").replace('/', "%2F")
}

/// The calls that name a resource, by operation, with the ARN of another account.
async fn foreign_calls(running: &Running) -> Vec<(&'static str, Answer)> {
    let (job, model) = (encoded(OTHER_JOB), encoded(OTHER_MODEL));
    let size = json!({"type": "PERCENTAGE", "value": 5});
    let export = json!({"name": "export", "audienceGenerationJobArn": OTHER_JOB, "audienceSize": size}).to_string();
    let calls = [
        ("GetConfiguredAudienceModel", "GET", format!("/configured-audience-model/{model}"), ""),
        ("GetAudienceGenerationJob", "GET", format!("/audience-generation-job/{job}"), ""),
        ("DeleteAudienceGenerationJob", "DELETE", format!("/audience-generation-job/{job}"), ""),
        ("StartAudienceExportJob", "POST", "/audience-export-job".to_owned(), &export),
        (
            "ListAudienceGenerationJobs",
            "GET",
            format!("/audience-generation-job?configuredAudienceModelArn={model}"),
            "",
        ),
        ("ListAudienceExportJobs", "GET", format!("/audience-export-job?audienceGenerationJobArn={job}"), ""),
    ];
    let mut answers = Vec::new();
    for (operation, method, path, body) in calls {
        answers.push((operation, running.by_hand(method, &path, body).await));
    }
    answers
}

#[track_caller]
fn assert_error(operation: &str, answer: &Answer, code: &str, status: u16) {
    assert_eq!(answer.status, status, "{operation}: {answer:?}");
    let header = format!("x-amzn-errortype: {}", code.to_lowercase());
    assert!(answer.headers.contains(&header), "{operation}: {answer:?}");
}

/// Starts a job of the other account's model with a tag and returns its ARN.
async fn start(running: &Running, name: &str) -> String {
    let seed = running.s3.put("seeds", "runners.jsonl", crate::running::seed(0..40));
    let start = running.generation(name, &seed).configured_audience_model_arn(OTHER_MODEL).tags("team", "growth");
    start.collaboration_id(COLLABORATION).send().await.unwrap().audience_generation_job_arn
}

#[tokio::test]
async fn no_call_but_the_start_accepts_an_arn_of_another_account() {
    let running = Running::start_with(with_other_model).await;
    for (operation, answer) in foreign_calls(&running).await {
        assert_error(operation, &answer, "AccessDeniedException", 403);
    }
}

#[tokio::test]
async fn the_error_for_an_arn_of_another_account_can_be_configured() {
    for (code, status) in
        [("AccessDeniedException", 403), ("ResourceNotFoundException", 404), ("ValidationException", 400)]
    {
        let running = Running::start_with(|config| {
            with_other_model(config);
            config["otherAccountError"] = code.into();
        })
        .await;
        for (operation, answer) in foreign_calls(&running).await {
            // The service model of the lists has no ResourceNotFoundException.
            if operation.starts_with("List") && status == 404 {
                assert_error(operation, &answer, "AccessDeniedException", 403);
            } else {
                assert_error(operation, &answer, code, status);
            }
        }
    }
}

#[tokio::test]
async fn the_start_accepts_a_model_of_another_account() {
    let running = Running::start_with(with_other_model).await;
    let arn = start(&running, "together").await;
    assert!(arn.contains(":123456789012:audience-generation-job/"), "{arn}");
}

#[tokio::test]
async fn a_model_of_another_account_needs_a_collaboration() {
    let running = Running::start_with(with_other_model).await;
    let alone = running.generation("alone", "s3://seeds/s").configured_audience_model_arn(OTHER_MODEL).send().await;
    refusal(alone.unwrap_err()).assert("AccessDeniedException", 403, "collaborationId");
}

#[tokio::test]
async fn models_of_another_account_are_not_listed() {
    let running = Running::start_with(with_other_model).await;
    let models = running.client.list_configured_audience_models().send().await.unwrap().configured_audience_models;
    assert_eq!(models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), ["small town"]);
}

#[tokio::test]
async fn jobs_of_another_accounts_model_are_listed_by_collaboration() {
    let running = Running::start_with(with_other_model).await;
    let arn = start(&running, "together").await;
    let list = running.client.list_audience_generation_jobs().collaboration_id(COLLABORATION).send().await.unwrap();
    assert_eq!(list.audience_generation_jobs[0].audience_generation_job_arn, arn);
}

#[tokio::test]
async fn a_seed_role_of_another_account_is_rejected() {
    let running = Running::start().await;
    let source = json!({"roleArn": OTHER_ROLE, "dataSource": {"s3Uri": "s3://seeds/s"}});
    let model = crate::running::MODEL;
    let body = json!({"name": "job", "configuredAudienceModelArn": model, "seedAudience": source}).to_string();
    let answer = running.by_hand("POST", "/audience-generation-job", &body).await;
    assert_error("StartAudienceGenerationJob", &answer, "AccessDeniedException", 403);
}

#[tokio::test]
async fn tags_of_a_job_of_another_accounts_model_are_shown_by_default() {
    let running = Running::start_with(with_other_model).await;
    let job = running.job(&start(&running, "tagged").await).await;
    assert_eq!(job.tags.unwrap()["team"], "growth");
}

#[tokio::test]
async fn tags_of_a_job_of_another_accounts_model_can_be_dropped() {
    let running = Running::start_with(|config| {
        with_other_model(config);
        config["dropTagsForOtherAccountsModels"] = true.into();
    })
    .await;
    let job = running.job(&start(&running, "tagged").await).await;
    assert_eq!(job.tags, None);
}

#[tokio::test]
async fn tags_of_a_job_of_an_own_model_are_never_dropped() {
    let running = Running::start_with(|config| config["dropTagsForOtherAccountsModels"] = true.into()).await;
    let start = running.generation("own", "s3://seeds/s").tags("team", "growth").send().await.unwrap();
    assert_eq!(running.job(&start.audience_generation_job_arn).await.tags.unwrap()["team"], "growth");
}

#[tokio::test]
async fn personalize_accepts_no_arn_of_another_account() {
    let running = Running::start().await;
    let version = ITEM_AFFINITY.replace("123456789012", "444455556666");
    let job = "arn:aws:personalize:eu-west-1:444455556666:batch-segment-job/run";
    let create = |member: &str, arn: &str| {
        let mut body = segment_job("run", "s3://segments/in.jsonl");
        body[member] = arn.into();
        body
    };
    let filter = "arn:aws:personalize:eu-west-1:444455556666:filter/adults";
    for (operation, body) in [
        ("CreateBatchSegmentJob", create("solutionVersionArn", &version)),
        ("CreateBatchSegmentJob", create("filterArn", filter)),
        ("CreateBatchSegmentJob", create("roleArn", &ROLE.replace("123456789012", "444455556666"))),
        ("DescribeBatchSegmentJob", json!({ "batchSegmentJobArn": job })),
        ("ListBatchSegmentJobs", json!({ "solutionVersionArn": version })),
        ("DescribeSolutionVersion", json!({ "solutionVersionArn": version })),
        ("ListTagsForResource", json!({ "resourceArn": job })),
    ] {
        running.personalize(operation, &body).await.assert_error("AccessDeniedException", 400, "another account");
    }
}
