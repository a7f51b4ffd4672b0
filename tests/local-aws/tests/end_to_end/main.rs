//! The whole of Lookalike on the local AWS: the real template, deployed by the real `sam deploy`, with IAM enforced.
//! What counts is what the service received and what lies in S3.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::process::Output;
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::{ACCESS_KEY, Execution, Lines, LocalAws, Options, REGION, Tool, root};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

mod audiences;
mod hostile;
mod outcomes;
mod privileges;
mod redeliver;
mod retention;
mod rules;
mod secrets;
mod segments;
mod updates;

/// No run of these tests comes near it.
const BOUND: Duration = Duration::from_mins(2);

/// A second model of the same account.
const OTHER_MODEL: &str =
    "arn:aws:cleanrooms-ml:us-east-1:000000000000:configured-audience-model/22222222-2222-4333-8444-555555555555";

/// One stack for all tests: each has an upload of its own, and what fails on purpose has a name of its own.
async fn aws() -> &'static LocalAws {
    static AWS: OnceCell<LocalAws> = OnceCell::const_new();
    let start = || async {
        let fails = json!({"kind": "fails", "statusCode": "INTERNAL", "message": "An internal error."});
        let sample: Value = serde_json::from_str(&data("emulator.json")).unwrap();
        let mut other = sample["models"][0].clone();
        other["configuredAudienceModelArn"] = json!(OTHER_MODEL);
        other["name"] = json!("other");
        let emulator = json!({
            "models": [sample["models"][0], other],
            "generationSeconds": 2, "exportSeconds": 1, "segmentSeconds": 2, "maxGenerationJobsInFlight": 3,
            "faults": [
                {"operation": "StartAudienceExportJob", "name": "partly-2pct", "fault": fails},
                {"operation": "StartAudienceExportJob", "name": "partly-5pct",
                    "fault": {"kind": "error", "error": "ValidationException", "message": "Not this one."}},
                {"namePrefix": "hidden", "fault": {"kind": "hiddenMetrics"}},
                {"namePrefix": "hidden", "fault": {"kind": "hiddenOutputLocation"}},
                {"operation": "GetAudienceGenerationJob", "name": "slow-look", "times": 3,
                    "fault": {"kind": "slow", "seconds": 11}},
                {"operation": "CreateBatchSegmentJob", "name": "failing-segment",
                    "fault": {"kind": "fails", "message": "The role may not read the input."}},
                {"operation": "StartAudienceGenerationJob", "namePrefix": "hostile",
                    "fault": {"kind": "fails", "statusCode": "INTERNAL", "message": hostile::MESSAGE}},
                // Long enough for an update of a stack.
                {"name": "updated", "fault": {"kind": "unknownStatus", "seconds": 45}},
                {"name": "before-update", "fault": {"kind": "unknownStatus", "seconds": 30}},
                {"name": "after-update", "fault": {"kind": "unknownStatus", "seconds": 12}},
                {"name": "lost-segment", "times": 2, "fault": {"kind": "acceptThenDrop"}},
                {"name": "lost-answer", "times": 2, "fault": {"kind": "acceptThenDrop"}},
                {"operation": "StartAudienceGenerationJob", "namePrefix": "privileges-", "times": 1,
                    "fault": {"kind": "acceptThenDrop"}},
                // A full quota makes start-export list the exports.
                {"operation": "StartAudienceExportJob", "namePrefix": "privileges-", "times": 1,
                    "fault": {"kind": "error", "error": "ServiceQuotaExceededException"}},
                {"operation": "CreateBatchSegmentJob", "namePrefix": "privileges-", "times": 1,
                    "fault": {"kind": "acceptThenDrop"}},
            ],
        });
        let options = Options { emulator, wait_scale: 0.05, ..Options::default() };
        let options = options.parameter("PollMinSeconds", "20").parameter("PollMaxSeconds", "40");
        let options = options.parameter("RetainAudienceDays", "30");
        LocalAws::start(&options, &Lines).await.unwrap()
    };
    AWS.get_or_init(start).await
}

fn data(name: &str) -> String {
    fs::read_to_string(root().join("tests/data").join(name)).unwrap()
}

/// The users that belong to a planted group, alone or with another.
fn members(group: &str) -> HashSet<String> {
    let groups = data("groups.csv");
    let lines = groups.lines().map(|line| line.split(',').collect::<Vec<_>>());
    lines.filter(|line| line[1..].contains(&group)).map(|line| line[0].to_owned()).collect()
}

fn precision(audience: &[String], group: &HashSet<String>) -> f64 {
    precision_of(audience.iter().filter(|user| group.contains(*user)).count(), audience.len())
}

#[allow(clippy::cast_precision_loss)]
fn precision_of(members: usize, all: usize) -> f64 {
    members as f64 / all as f64
}

async fn run_of_upload(aws: &LocalAws, key: &str) -> Execution {
    let started = aws.wait_for_upload(key, BOUND).await.unwrap();
    aws.wait_for_execution(&started.arn, BOUND).await.unwrap()
}

/// Starts an execution of the workflow whose ARN is that output of the stack.
async fn run_of_input(aws: &LocalAws, workflow: &str, name: &str, input: &Value) -> Execution {
    let machine = aws.output(workflow).unwrap();
    let started = aws.sfn().start_execution().state_machine_arn(machine).name(name).input(input.to_string());
    let arn = started.send().await.unwrap().execution_arn;
    aws.wait_for_execution(&arn, BOUND).await.unwrap()
}

/// How often the service answered an operation well for a name.
async fn accepted(aws: &LocalAws, operation: &str, name: &str) -> usize {
    let calls = aws.calls().await.unwrap();
    let of_name = calls.iter().filter(|call| call.operation == operation && call.name.as_deref() == Some(name));
    of_name.filter(|call| call.status == 200).count()
}

fn answered(run: &Execution) -> &Value {
    assert_eq!(run.status, ExecutionStatus::Succeeded, "{:?}: {:?}", run.error, run.cause);
    run.output.as_ref().unwrap()
}

/// Returns the event of the sample message of the upload queue, for an object of this bucket with this key.
fn object_created(bucket: &str, key: &str) -> Value {
    let batch: Value = serde_json::from_str(include_str!("../../../events/receive-upload.json")).unwrap();
    let mut event: Value = serde_json::from_str(batch["Records"][0]["body"].as_str().unwrap()).unwrap();
    event["detail"]["bucket"]["name"] = json!(bucket);
    event["detail"]["object"]["key"] = json!(key);
    event
}

/// Waits until `receive-upload` has received so many messages of a run.
async fn received(aws: &LocalAws, run: &str, messages: usize) {
    let lines = async || {
        let log = aws.log("ReceiveUploadFunction").await.unwrap();
        let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["span"]["run"] == run && line["message"].to_string().contains("this upload")).count()
    };
    let all = async {
        while lines().await < messages {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(BOUND, all).await.unwrap();
}

/// Runs one of the Python scripts beside this folder, with boto3 and the local AWS.
async fn script(aws: &LocalAws, arguments: &[&str]) -> String {
    let python = Tool::MiniStack.install().await.unwrap().program("python");
    let mut script = tokio::process::Command::new(python);
    script.current_dir(root().join("tests/local-aws/tests")).args(arguments).kill_on_drop(true);
    script.env("AWS_ENDPOINT_URL", aws.endpoint()).env("AWS_DEFAULT_REGION", REGION);
    script.env("AWS_ACCESS_KEY_ID", ACCESS_KEY.0).env("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1);
    let Output { status, stdout, stderr } = tokio::time::timeout(BOUND, script.output()).await.unwrap().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[tokio::test]
async fn boto3_finds_in_the_emulator_the_service_it_knows() {
    let aws = aws().await;
    let bucket = aws.output("SeedBucketName").unwrap();
    aws.upload("seeds/_boto3.jsonl", data("seed-runners.jsonl"), &[]).await.unwrap();
    let python = Tool::MiniStack.install().await.unwrap().program("python");
    let mut script = tokio::process::Command::new(python);
    script.arg(root().join("tests/emulator/tests/boto3_client.py")).arg(aws.emulator_endpoint());
    aws.upload("seeds/_boto3-items.jsonl", data("segment-items.jsonl"), &[]).await.unwrap();
    script.env("S3_SEGMENT_INPUT_URI", format!("s3://{bucket}/seeds/_boto3-items.jsonl"));
    script.env("S3_SEED_URI", format!("s3://{bucket}/seeds/_boto3.jsonl")).kill_on_drop(true);
    let output = tokio::time::timeout(BOUND, script.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
