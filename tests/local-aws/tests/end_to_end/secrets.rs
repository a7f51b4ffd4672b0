//! That user ids, SQL text and query parameters do not leave: not in logs (which the figures are in, too), reports,
//! notifications, events, records of outcomes and histories of runs that began with an upload.

use std::fmt::Write as _;

use serde_json::json;

use super::outcomes::heard;
use super::{aws, data, run_of_upload, script};

const FUNCTIONS: [&str; 10] = [
    "ReceiveUpload",
    "CheckRequest",
    "StartGeneration",
    "CheckStatus",
    "StartExport",
    "WriteReport",
    "PublishOutcome",
    "StartSegment",
    "CountSegmentOutput",
    "DeleteAudiences",
];

#[tokio::test]
async fn what_is_marked_as_secret_is_in_no_log_report_notification_or_history() {
    let aws = aws().await;
    let bucket = aws.output("SeedBucketName").unwrap();
    let seed = data("seed-cooks.jsonl") + "{\"user_id\":\"MARKED-user\",\"mail\":\"MARKED-mail\"}\n";
    let sql = json!({
        "collaborationId": "01234567-89ab-cdef-0123-456789abcdef", "export": "none",
        "seedAudience": {"sqlParameters": {
            "queryString": "SELECT 'MARKED-text' WHERE x = :p", "parameters": {"p": "MARKED-parameter"}}},
    });
    let typo =
        json!({"seedAudience": {"sqlParameters": {"queryString": "MARKED-text", "paramters": {"p": "MARKED-p"}}}});
    let uploads = [
        ("seeds/marked-good.jsonl", seed.clone()),
        ("seeds/marked-bad.jsonl", seed + "MARKED-line\n{\"user_id\":\"MARKED-cut\n"),
        ("requests/marked.json", sql.to_string()),
        ("requests/marked-typo.json", typo.to_string()),
    ];
    let outputs = ["NotificationTopicArn", "EventBusName"].map(|output| aws.output(output).unwrap());
    let queue = script(aws, &["outcomes.py", "subscribe", outputs[0], outputs[1]]).await;
    let mut left = String::new();
    for (key, body) in uploads {
        aws.upload(key, body, &[]).await.unwrap();
        let run = run_of_upload(aws, key).await;
        let history = script(aws, &["history.py", &run.arn]).await;
        assert!(history.contains(key), "the history has its data: {history}");
        let (subject, words, event) = heard(aws, queue.trim(), &run.arn).await;
        writeln!(left, "{run:?}\n{history}\n{subject}\n{words}\n{event}").unwrap();
        for report in aws.list(&format!("s3://{bucket}/{}", run.report_folder())).await.unwrap() {
            left += &String::from_utf8(aws.read(&report).await.unwrap()).unwrap();
        }
    }
    for record in aws.list(&format!("s3://{bucket}/outcomes/")).await.unwrap() {
        left += &String::from_utf8(aws.read(&record).await.unwrap()).unwrap();
    }
    for function in FUNCTIONS {
        for line in aws.log(&format!("{function}Function")).await.unwrap() {
            writeln!(left, "{line}").unwrap();
        }
    }
    assert!(
        left.contains("marked-good") && left.contains("<svg") && left.contains("redriveCount"),
        "nothing was looked at"
    );
    if let Some(line) = left.lines().find(|line| line.contains("MARKED")) {
        panic!("a secret left: {line}");
    }
}
