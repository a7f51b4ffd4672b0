//! Least privilege: each function is allowed what it calls and nothing else, and no role may do what is none of its
//! business. Functions say in their logs what they call; what they may is read from the deployed roles.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::{LocalAws, STACK};
use serde_json::{Value, json};

use super::retention::{OLD, delete_old};
use super::{BOUND, answered, aws, data, outcomes, run_of_input, run_of_upload, script, segments};

/// The runs of these tests bear names that begin so; the emulator loses the answer of each kind of start once for them.
const OURS: &str = "privileges-";

/// Reads each object in the version that was uploaded, as on AWS: the local events have no version.
const VERSIONED: &str = "privileges-versioned";

/// The functions that Lambda invokes with messages of a queue.
const READ_A_QUEUE: &[&str] = &["ReceiveUploadFunction", "PublishOutcomeFunction"];

/// What roles allow though their functions never call it, and why.
const NOT_CALLED: [(&str, &[&str], &str); 8] = [
    ("kms:Decrypt", &[], "Lambda and S3 decrypt as the function"),
    ("logs:CreateLogGroup", &[], "AWS's policy for functions has it; the stack makes the groups itself"),
    ("logs:CreateLogStream", &[], "Lambda writes the log"),
    ("logs:PutLogEvents", &[], "Lambda writes the log"),
    ("sqs:ReceiveMessage", READ_A_QUEUE, "Lambda reads the queue as the function"),
    ("sqs:DeleteMessage", READ_A_QUEUE, "Lambda removes the messages as the function"),
    ("sqs:GetQueueAttributes", READ_A_QUEUE, "Lambda reads the queue as the function"),
    ("sqs:SendMessage", &["DeleteAudiencesFunction"], "Lambda sends an event whose function failed three times"),
];

/// The actions that a call needs.
fn actions(service: &str, operation: &str, is_versioned: bool) -> Vec<String> {
    let (prefix, names): (_, &[&str]) = match (service, operation) {
        ("S3", "GetObject" | "HeadObject") if is_versioned => ("s3", &["GetObjectVersion"]),
        ("S3", "HeadObject") => ("s3", &["GetObject"]),
        ("S3", "ListObjectsV2") => ("s3", &["ListBucket"]),
        ("S3", "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload") => ("s3", &["PutObject"]),
        // Both bear tags and a role always: two tags are ours.
        ("CleanRoomsML", "StartAudienceGenerationJob") | ("Personalize", "CreateBatchSegmentJob") => {
            let service = if service == "Personalize" { "personalize" } else { "cleanrooms-ml" };
            let own = [operation, "TagResource"].map(|name| format!("{service}:{name}"));
            return own.into_iter().chain(["iam:PassRole".to_owned()]).collect();
        }
        ("S3", _) => ("s3", &[operation]),
        ("CleanRoomsML", _) => ("cleanrooms-ml", &[operation]),
        ("Personalize", _) => ("personalize", &[operation]),
        ("SFN", _) => ("states", &[operation]),
        ("SNS", _) => ("sns", &[operation]),
        ("EventBridge", _) => ("events", &[operation]),
        _ => panic!("say which action {service} {operation} needs"),
    };
    names.iter().map(|name| format!("{prefix}:{name}")).collect()
}

/// What a function's calls have needed: in our own runs, and in any.
async fn called(aws: &LocalAws, function: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut ours, mut all) = (BTreeSet::new(), BTreeSet::new());
    for line in aws.log(function).await.unwrap() {
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        if line["message"] == "called AWS" {
            let run = line["span"]["run"].as_str().unwrap_or_default();
            let is_versioned = run == VERSIONED && function == "CheckRequestFunction";
            let needed = actions(line["service"].as_str().unwrap(), line["operation"].as_str().unwrap(), is_versioned);
            // Deletions and sweeps are about all runs.
            let is_about_all = ["DeleteAudiencesFunction", "PublishOutcomeFunction"].contains(&function);
            if run.starts_with(OURS) || is_about_all {
                ours.extend(needed.iter().cloned());
            }
            all.extend(needed);
        }
    }
    (ours, all)
}

/// Makes runs that reach every call of every function.
async fn reach_every_call(aws: &LocalAws) {
    let bucket = aws.output("SeedBucketName").unwrap();
    let key = "seeds/privileges-audience.jsonl";
    let metadata = [("name", "privileges-audience"), ("export", "1pct")];
    let audience = async {
        aws.upload(key, data("seed-cooks.jsonl"), &metadata).await.unwrap();
        let run = run_of_upload(aws, key).await;
        answered(&run);

        let head = aws.s3().head_object().bucket(bucket).key(key).send().await.unwrap();
        let upload = json!({"bucket": bucket, "key": key, "versionId": head.version_id, "sequencer": "1"});
        let again = run_of_input(aws, "AudienceStateMachineArn", VERSIONED, &json!({"upload": upload})).await;
        // The name is taken: what counts is that the version was read.
        assert_eq!(again.error.as_deref(), Some("Conflict"), "{:?}", again.cause);
        run.name
    };
    let refused = async {
        // Long enough for a part to be written before the last line is read.
        let key = "seeds/privileges-refused.jsonl";
        let seed: String = (0..320_000).map(|user| format!("{{\"user_id\":\"user-{user:08}\"}}\n")).collect();
        aws.upload(key, seed + "none\n", &[]).await.unwrap();
        assert_eq!(run_of_upload(aws, key).await.error.as_deref(), Some("InvalidSeed"));
    };
    let segment = async {
        let request = segments::request(aws, "privileges-segment", segments::ITEMS, &data("segment-items.jsonl")).await;
        let run = run_of_input(aws, "SegmentStateMachineArn", "privileges-segment", &request).await;
        assert_eq!(run.status, ExecutionStatus::Succeeded, "{:?}: {:?}", run.error, run.cause);
    };
    let (run, (), ()) = tokio::join!(audience, refused, segment);

    let _alone = OLD.lock().await;
    aws.ask_emulator("_emulator/age", &json!({"namePrefix": OURS, "seconds": 31 * 86_400})).await.unwrap();
    delete_old(aws).await;

    let swept = aws.invoke("PublishOutcomeFunction", &outcomes::hourly()).await.unwrap();
    assert!(!swept.failed, "{swept:?}");
    // Outcomes are published after the runs have ended.
    let published = async {
        while !aws.log("PublishOutcomeFunction").await.unwrap().iter().any(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["message"] == "published an outcome" && line["span"]["run"] == run.as_str()
        }) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(BOUND, published).await.unwrap();
}

#[tokio::test]
async fn each_function_is_allowed_what_it_calls_and_nothing_else() {
    let aws = aws().await;
    Box::pin(reach_every_call(aws)).await;
    let allowed = script(aws, &["privileges.py", "allowed", STACK]).await;
    let allowed: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&allowed).unwrap();
    assert!(allowed.len() >= 9, "{allowed:?}");
    let mut wrong = Vec::new();
    for (function, allowed) in &allowed {
        let (ours, all) = called(aws, function).await;
        let mut unused: BTreeSet<_> = allowed.difference(&ours).map(String::as_str).collect();
        for (action, functions, why) in NOT_CALLED {
            let is_due = functions.is_empty() || functions.contains(&function.as_str());
            if is_due && !unused.remove(action) {
                wrong.push(format!("{function}: {action} is called or not allowed: no exception ({why}) any more"));
            }
        }
        wrong.extend(unused.iter().map(|action| format!("{function} is allowed {action} and never calls it")));
        wrong.extend(all.difference(allowed).map(|action| format!("{function} calls {action} and is not allowed it")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn each_role_is_allowed_what_it_needs_and_refused_what_is_none_of_its_business() {
    let decided = script(aws().await, &["privileges.py", "simulate", STACK]).await;
    println!("{decided}");
    let decided: Value = serde_json::from_str(&decided).unwrap();
    assert!(decided["decided"].as_u64().unwrap() > 1000, "{decided}");
}
