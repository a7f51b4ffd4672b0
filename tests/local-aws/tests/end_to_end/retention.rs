//! Which audiences are deleted once they are old, and which never.

use std::time::Duration;

use local_aws::LocalAws;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{BOUND, accepted, answered, aws, data, run_of_upload};

/// Held by a test from when it makes audiences old until it has looked what was deleted.
pub(super) static OLD: Mutex<()> = Mutex::const_new(());

/// An audience of this stack, and its ARN.
async fn run(aws: &LocalAws, name: &str) -> Value {
    let key = format!("seeds/{name}.jsonl");
    aws.upload(&key, data("seed-cooks.jsonl"), &[("name", name), ("export", "1pct")]).await.unwrap();
    answered(&run_of_upload(aws, &key).await)["audienceGenerationJobArn"].clone()
}

/// A job that somebody starts past the stack, as soon as the quota has room.
async fn start_by_hand(aws: &LocalAws, name: &str, tags: &Value) {
    let mut request = json!({
        "name": name, "configuredAudienceModelArn": aws.emulator_configuration().models[0].configured_audience_model_arn,
        "seedAudience": {"roleArn": "arn:aws:iam::000000000000:role/seed",
            "dataSource": {"s3Uri": format!("s3://{}/seeds/{name}.jsonl", aws.output("SeedBucketName").unwrap())}},
    });
    if tags.is_object() {
        request["tags"] = tags.clone();
    }
    until(|| async { aws.ask_emulator("audience-generation-job", &request).await.unwrap().0 == 200 }).await;
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(BOUND, waiting).await.unwrap();
}

/// The status of the job of that name, as the emulator truly has it.
async fn status(aws: &LocalAws, name: &str) -> String {
    let jobs = aws.emulator("_emulator/jobs").await.unwrap();
    let job = jobs["generationJobs"].as_array().unwrap().iter().find(|job| job["name"] == name).unwrap();
    job["status"].as_str().unwrap().to_owned()
}

pub(super) async fn delete_old(aws: &LocalAws) {
    let event: Value = serde_json::from_str(include_str!("../../../events/delete-audiences.json")).unwrap();
    let answer = aws.invoke("DeleteAudiencesFunction", &event).await.unwrap();
    assert!(!answer.failed, "{}", answer.payload);
}

#[tokio::test]
async fn only_this_stacks_audiences_are_deleted_and_only_when_they_and_their_exports_are_old() {
    let aws = aws().await;
    let (old, young, exported) = ("kept-long", "keep-young", "kept-exported");
    let (_, _, arn) = tokio::join!(run(aws, old), run(aws, young), run(aws, exported));
    let others = [("kept-untagged", Value::Null), ("kept-other", json!({"lookalike:stack": "another"}))];
    for (name, tags) in &others {
        start_by_hand(aws, name, tags).await;
        until(|| async { ["ACTIVE", "CREATE_FAILED"].contains(&status(aws, name).await.as_str()) }).await;
    }
    delete_old(aws).await;
    assert_eq!(accepted(aws, "DeleteAudienceGenerationJob", old).await, 0, "it is not old yet");

    let _alone = OLD.lock().await;
    let days = |days: u64| json!({"namePrefix": "kept-", "seconds": days * 86_400});
    aws.ask_emulator("_emulator/age", &days(31)).await.unwrap();
    let export = json!({
        "name": "late", "audienceGenerationJobArn": arn, "audienceSize": {"type": "PERCENTAGE", "value": 2}});
    until(|| async { aws.ask_emulator("audience-export-job", &export).await.unwrap().0 == 200 }).await;
    delete_old(aws).await;
    delete_old(aws).await;

    assert_eq!(accepted(aws, "DeleteAudienceGenerationJob", old).await, 1);
    until(|| async { status(aws, old).await == "DELETED" }).await;
    for name in [young, exported, others[0].0, others[1].0] {
        assert_eq!(accepted(aws, "DeleteAudienceGenerationJob", name).await, 0, "{name}");
    }
    let log = aws.log("DeleteAudiencesFunction").await.unwrap();
    let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told: Vec<_> = lines.filter(|line| line["message"] == "deleted an audience" && line["name"] == old).collect();
    assert_eq!(told.len(), 1, "{told:?}");
}
