//! What a subscriber hears of the ends of runs: the notification in words, and the event for other systems.

use local_aws::LocalAws;
use serde_json::{Value, json};

use super::{aws, data, run_of_input, run_of_upload, script};

/// What was heard of a run: subject and words, and the event.
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
async fn each_end_is_told_in_words_and_as_an_event() {
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
    let page = format!("s3://{bucket}/reports/{}/index.html", run.name);
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
        ("PublishOutcome", "Publish"),
        ("PublishOutcome", "PutEvents"),
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
