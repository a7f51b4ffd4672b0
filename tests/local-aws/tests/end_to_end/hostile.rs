//! That text from outside stays text: object names, metadata and a service's messages are no JSONata, no HTML, no lines of
//! a log, no subject of a mail, no path.

use serde_json::{Value, json};

use super::outcomes::heard;
use super::{answered, aws, data, run_of_upload, script};

/// What the emulator answers for jobs whose names begin with `hostile`.
pub(super) const MESSAGE: &str = "</style><script>alert(1)</script>{% $states.context %}\r\n\
     {\"level\":\"ERROR\",\"message\":\"forged\"}\n\nReport: s3://elsewhere/reports/x/index.html.";

#[tokio::test]
async fn an_object_named_after_an_attack_is_a_run_with_a_plain_name() {
    let aws = aws().await;
    let keys = [
        "seeds/{% $states.context %}.jsonl",
        "seeds/../../checked/<script>alert(1)<%2Fscript>.jsonl",
        "seeds/${jndi:ldap}';--&\"%0d%0aX-Header: 1.jsonl",
    ];
    for key in keys {
        aws.upload(key, data("seed-cooks.jsonl"), &[("export", "none")]).await.unwrap();
        let run = run_of_upload(aws, key).await;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(run.name.chars().all(plain), "{}", run.name);
        assert_eq!(run.uploaded_key(), Some(key));
        let report = answered(&run)["report"].as_str().unwrap();
        assert!(report.ends_with(&format!("/{}index.html", run.report_folder())), "{report}");
        let page = String::from_utf8(aws.read(report).await.unwrap()).unwrap();
        assert!(!page.contains("<script"), "{page}");
    }
}

#[tokio::test]
async fn metadata_and_a_services_message_are_told_as_they_are_and_do_nothing() {
    let aws = aws().await;
    let outputs = ["NotificationTopicArn", "EventBusName"].map(|output| aws.output(output).unwrap());
    let queue = script(aws, &["outcomes.py", "subscribe", outputs[0], outputs[1]]).await;
    let name = "hostile {% 1+1 %}<b>";
    let metadata = [("name", name), ("description", "{% $states.input %}</title><script>"), ("export", "none")];
    aws.upload("seeds/hostile.jsonl", data("seed-cooks.jsonl"), &metadata).await.unwrap();
    let run = run_of_upload(aws, "seeds/hostile.jsonl").await;
    assert_eq!(run.error.as_deref(), Some("GenerationFailed"), "{run:?}");
    assert!(run.cause.as_ref().unwrap().contains("<script>alert(1)</script>{% $states.context %}"), "{run:?}");

    let bucket = aws.output("SeedBucketName").unwrap();
    let page = aws.read(&format!("s3://{bucket}/{}index.html", run.report_folder())).await.unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(!page.contains("<script") && page.contains("hostile {% 1+1 %}&lt;b&gt;"), "{page}");

    let (subject, words, event) = heard(aws, queue.trim(), &run.arn).await;
    assert!(subject.is_ascii() && !subject.contains(['\r', '\n']) && subject.len() < 100, "{subject}");
    // The report is this run's own, whatever the message says of one.
    assert_eq!(event["detail"]["report"], json!(format!("s3://{bucket}/{}index.html", run.report_folder())));
    println!("{subject}\n\n{words}");

    for function in ["CheckRequest", "StartGeneration", "CheckStatus", "WriteReport", "PublishOutcome"] {
        for line in aws.log(&format!("{function}Function")).await.unwrap() {
            let forged = serde_json::from_str::<Value>(&line).is_ok_and(|line| line["message"] == "forged");
            assert!(!forged, "{function}: {line}");
        }
    }
}
