//! A burst of uploads while Step Functions throttles starts. It has a stack of its own: its uploads would delay those of
//! other tests, which use the same queue.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use futures_util::future;
use local_aws::{Lines, LocalAws, Options, Throttle, root};
use serde_json::Value;

const UPLOADS: usize = 300;

/// A throttled start is repeated by the SDK, and then by the queue.
const THROTTLE: Throttle = Throttle { burst: 20, per_second: 10 };

const BOUND: Duration = Duration::from_mins(3);

#[tokio::test]
async fn a_burst_of_uploads_starts_each_run_once_while_starts_are_throttled() {
    let options = Options { wait_scale: 0.05, throttle: Some(THROTTLE), ..Options::default() };
    let aws = LocalAws::start(&options, &Lines).await.unwrap();
    // Such a run ends in its first state.
    let seed = fs::read_to_string(root().join("tests/data/seed-too-small.jsonl")).unwrap();
    let keys: BTreeSet<String> = (0..UPLOADS).map(|number| format!("seeds/burst-{number}.jsonl")).collect();
    let began = Instant::now();
    future::try_join_all(keys.iter().map(|key| aws.upload(key, seed.as_str(), &[]))).await.unwrap();
    let started = async {
        while aws.executions().await.unwrap().len() < UPLOADS {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(BOUND, started).await.unwrap();
    // A message that is still in the queue could start one more.
    aws.wait_for_empty_queue("UploadQueue", BOUND).await.unwrap();
    let seconds = began.elapsed().as_secs();

    let executions = aws.executions().await.unwrap();
    let mut uploaded = BTreeSet::new();
    for (arn, _) in &executions {
        uploaded.insert(aws.execution(arn).await.unwrap().uploaded_key().unwrap().to_owned());
    }
    assert_eq!((executions.len(), &uploaded), (UPLOADS, &keys));
    assert_eq!(aws.messages("DeadLetterQueue").await.unwrap(), 0);

    let log = aws.log("ReceiveUploadFunction").await.unwrap();
    let lines: Vec<Value> = log.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let throttled = lines.iter().filter(|line| line["operation"] == "StartExecution" && line["status"] == 400).count();
    let returned = lines.iter().filter(|line| line["error"] == "Throttled").count();
    println!("{UPLOADS} runs in {seconds} s; {throttled} starts throttled, {returned} messages returned to the queue");
    assert!(throttled > 0 && returned > 0, "{throttled} starts throttled, {returned} messages returned");
}
