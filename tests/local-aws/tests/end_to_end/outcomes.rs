//! The outcomes of runs: the notification, the event for other systems, the record, and the sweep for missed outcomes.

use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};
use local_aws::{ACCESS_KEY, LocalAws, REGION, STACK};
use lookalike::environment::Environment;
use publish_outcome::{Answer, PublishOutcome};
use serde_json::{Value, json};

use super::{BOUND, aws, data, run_of_input, run_of_upload, script};

/// The event of the hourly sweep.
pub(super) fn hourly() -> Value {
    json!({"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "account": "000000000000",
        "time": "2026-11-28T00:00:00Z", "region": REGION, "resources": [], "detail": {}})
}

/// Returns the subject, the body and the event that a queue received about a run.
pub(super) async fn heard(aws: &LocalAws, queue: &str, execution: &str) -> (String, String, Value) {
    let (mut told, mut event) = (None, None);
    while told.is_none() || event.is_none() {
        let lines = script(aws, &["outcomes.py", "hear", queue, "1"]).await;
        assert!(!lines.is_empty(), "nothing more was heard");
        let message: Value = serde_json::from_str(&lines).unwrap();
        if message["detail"]["executionArn"] == execution {
            event = Some(message);
        } else if message["Message"].as_str().is_some_and(|words| words.contains(execution)) {
            let text = |field: &str| message[field].as_str().unwrap().to_owned();
            told = Some((text("Subject"), text("Message")));
        }
    }
    let (subject, words) = told.unwrap();
    (subject, words, event.unwrap())
}

#[tokio::test]
async fn each_outcome_is_notified_and_published_as_an_event() {
    let aws = aws().await;
    let outputs = ["NotificationTopicArn", "EventBusName"].map(|output| aws.output(output).unwrap());
    let queue = script(aws, &["outcomes.py", "subscribe", outputs[0], outputs[1]]).await;
    let queue = queue.trim();

    aws.upload("seeds/told.jsonl", data("seed-cooks.jsonl"), &[("name", "told"), ("export", "1pct")]).await.unwrap();
    let run = run_of_upload(aws, "seeds/told.jsonl").await;
    let (subject, words, event) = heard(aws, queue, &run.arn).await;
    assert_eq!(subject, "Audience ready: told");
    println!("{subject}\n\n{words}\n");
    assert!(words.contains("index.html") && words.contains("seeds/told.jsonl"), "{words}");
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("lookalike"), &json!("Audience Ready")));
    assert_eq!((&event["detail"]["name"], &event["detail"]["version"]), (&json!("told"), &json!("1")));
    let place = event["detail"]["exports"][0]["outputLocation"].as_str().unwrap();
    assert!(place.contains("/told-1pct/"), "{place}");
    let good_run = run.name;

    aws.upload("seeds/told-bad.jsonl", data("seed-broken.jsonl"), &[]).await.unwrap();
    let run = run_of_upload(aws, "seeds/told-bad.jsonl").await;
    let (subject, words, event) = heard(aws, queue, &run.arn).await;
    assert!(subject.starts_with("Audience failed: told-bad-") && subject.ends_with("(InvalidSeed)"), "{subject}");
    println!("{subject}\n\n{words}\n");
    assert!(words.contains("bad of 40 lines") && !words.contains("errorMessage"), "{words}");
    assert_eq!((&event["detail-type"], &event["detail"]["error"]), (&json!("Audience Failed"), &json!("InvalidSeed")));

    let bad = run_of_input(aws, "SegmentStateMachineArn", "told-segment", &json!({"jobName": "SECRET"})).await;
    let (subject, words, event) = heard(aws, queue, &bad.arn).await;
    assert_eq!(subject, "Segment failed: told-segment (InvalidRequest)");
    assert!(!words.contains("SECRET") && !event.to_string().contains("SECRET"), "{words}");

    let bucket = aws.output("SeedBucketName").unwrap();
    let metadata = [("name", "told-failed"), ("export", "relevance>=1000")];
    aws.upload("seeds/told-failed.jsonl", data("seed-cooks.jsonl"), &metadata).await.unwrap();
    let run = run_of_upload(aws, "seeds/told-failed.jsonl").await;
    let (subject, words, event) = heard(aws, queue, &run.arn).await;
    println!("{subject}\n\n{words}\n");
    let page = format!("s3://{bucket}/{}index.html", run.report_folder());
    assert!(subject.ends_with("(NoSizeQualifies)") && words.matches(&page).count() == 1, "{words}");
    assert!(words.contains(&format!("\nReport: {page}\n")), "{words}");
    assert_eq!(event["detail"]["report"], page);

    let machine = aws.output("AudienceStateMachineArn").unwrap();
    let input = json!({"seedAudience": {"dataSource": {"s3Uri": "s3://nowhere/else"}}}).to_string();
    let started = aws.sfn().start_execution().state_machine_arn(machine).name("told-stopped").input(input);
    let arn = started.send().await.unwrap().execution_arn;
    aws.sfn().stop_execution().execution_arn(&arn).send().await.unwrap();
    let (subject, words, event) = heard(aws, queue, &arn).await;
    println!("{subject}\n\n{words}\n");
    assert_eq!(subject, "Audience stopped: told-stopped");
    assert_eq!((&event["detail-type"], &event["detail"]["error"]), (&json!("Audience Failed"), &json!("Aborted")));

    each_call_of_a_run_is_in_the_log(aws, &good_run).await;
}

/// Each function's log says, of a run, what it called, how it went and how long it took.
async fn each_call_of_a_run_is_in_the_log(aws: &LocalAws, run: &str) {
    let calls = [
        ("ReceiveUpload", "StartExecution"),
        ("CheckRequest", "GetObject"),
        ("StartGeneration", "StartAudienceGenerationJob"),
        ("CheckStatus", "GetAudienceGenerationJob"),
        ("StartExport", "StartAudienceExportJob"),
        ("CheckStatus", "ListAudienceExportJobs"),
        ("WriteReport", "PutObject"),
        ("PublishOutcome", "DescribeExecution"),
        ("PublishOutcome", "ListObjectsV2"),
        ("PublishOutcome", "Publish"),
        ("PublishOutcome", "PutEvents"),
        ("PublishOutcome", "PutObject"),
    ];
    for (function, operation) in calls {
        let log = aws.log(&format!("{function}Function")).await.unwrap();
        let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let call = lines.into_iter().find(|line| line["operation"] == operation && line["span"]["run"] == run);
        let call = call.unwrap_or_else(|| panic!("{function} has no line on {operation} of {run}: {log:#?}"));
        assert_eq!((&call["message"], &call["status"]), (&json!("called AWS"), &json!(200)), "{call}");
        assert!(call["milliseconds"].as_f64().unwrap() > 0.0, "{call}");
        // The functions outside the workflow do not know when it began.
        let knows_age = !["ReceiveUpload", "PublishOutcome"].contains(&function);
        assert_eq!(call["span"]["ageSeconds"].is_u64(), knows_age, "{call}");
    }
}

/// Waits for the record of a run.
async fn record(aws: &LocalAws, run: &str) -> (String, Value) {
    let bucket = aws.output("SeedBucketName").unwrap();
    let name = format!("/{run}-0.json");
    let found = async {
        loop {
            let records = aws.list(&format!("s3://{bucket}/outcomes/audience/")).await.unwrap();
            if let Some(record) = records.into_iter().find(|record| record.ends_with(&name)) {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let uri = tokio::time::timeout(BOUND, found).await.unwrap();
    let record = serde_json::from_slice(&aws.read(&uri).await.unwrap()).unwrap();
    (uri, record)
}

/// Makes the function in this process, with the local AWS and a clock that is ahead: an execution must have ended a quarter
/// of an hour ago.
fn function_ahead(aws: &LocalAws, ahead: Duration) -> PublishOutcome {
    let clock = StaticTimeSource::new(SystemTime::now() + ahead);
    let credentials = aws_sdk_s3::config::Credentials::new(ACCESS_KEY.0, ACCESS_KEY.1, None, None, "local AWS");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(aws.endpoint())
        .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .time_source(SharedTimeSource::new(clock))
        .build();
    let output = |name: &str| aws.output(name).unwrap().to_owned();
    let environment = Environment(|name: &str| {
        Some(match name {
            "STACK_NAME" => STACK.to_owned(),
            "SEED_BUCKET" => output("SeedBucketName"),
            "AUDIENCE_STATE_MACHINE_ARN" => output("AudienceStateMachineArn"),
            "SEGMENT_STATE_MACHINE_ARN" => output("SegmentStateMachineArn"),
            "NOTIFICATION_TOPIC_ARN" => output("NotificationTopicArn"),
            "EVENT_BUS_NAME" => output("EventBusName"),
            _ => return None,
        })
    });
    PublishOutcome::new(&config, &environment).unwrap()
}

#[tokio::test]
async fn an_outcome_whose_event_was_lost_is_found_by_the_sweep() {
    let aws = aws().await;
    let outputs = ["NotificationTopicArn", "EventBusName"].map(|output| aws.output(output).unwrap());
    aws.upload("seeds/swept.jsonl", data("seed-broken.jsonl"), &[]).await.unwrap();
    let run = run_of_upload(aws, "seeds/swept.jsonl").await;
    let (uri, first) = record(aws, &run.name).await;
    assert_eq!((&first["executionArn"], &first["error"]), (&json!(run.arn), &json!("InvalidSeed")));
    assert_eq!(first["upload"]["key"], "seeds/swept.jsonl");

    // As if its event had never come: without the record, and with a subscriber who has heard nothing.
    let (bucket, key) = uri.strip_prefix("s3://").unwrap().split_once('/').unwrap();
    aws.s3().delete_object().bucket(bucket).key(key).send().await.unwrap();
    let queue = script(aws, &["outcomes.py", "subscribe", outputs[0], outputs[1]]).await;
    let ahead = Duration::from_mins(20);
    let end = (SystemTime::now() + ahead + Duration::from_mins(2)).into();
    let swept = Box::pin(async { function_ahead(aws, ahead).handle(hourly(), end, Vec::new()).await });
    let Answer::Published { published } = swept.await.unwrap() else { panic!() };
    assert!(published >= 1);
    let (subject, _, event) = heard(aws, queue.trim(), &run.arn).await;
    assert!(subject.ends_with("(InvalidSeed)"), "{subject}");
    assert_eq!(event["detail"]["executionArn"], json!(run.arn));
    assert_eq!(record(aws, &run.name).await.1, first);
}
