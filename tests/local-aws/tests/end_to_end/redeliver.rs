//! That what could not be delivered is delivered again by one command.

use serde_json::{Value, json};

use super::{aws, run_of_input, run_of_upload, script};

#[tokio::test]
async fn dead_letters_are_delivered_again_and_leave_the_queue() {
    let aws = aws().await;
    let queue = aws.output("DeadLetterQueueUrl").unwrap();
    let bucket = aws.output("SeedBucketName").unwrap();
    let event = |key: &str| {
        let mut event: Value = serde_json::from_str(include_str!("../../../events/receive-upload.json")).unwrap();
        event["detail"]["bucket"]["name"] = json!(bucket);
        event["detail"]["object"]["key"] = json!(key);
        event
    };
    // EventBridge leaves the event, Lambda a record of it.
    let record =
        json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": event("seeds/dead-2.jsonl")});
    for letter in [event("seeds/dead-1.jsonl"), record] {
        script(aws, &["dead_letters.py", "send", queue, &letter.to_string()]).await;
    }
    let delivery = run_of_input(aws, "DeadLettersStateMachineArn", "deliver-again", &json!({})).await;
    assert_eq!(delivery.output, Some(json!({"delivered": 2})), "{delivery:?}");
    assert_eq!(script(aws, &["dead_letters.py", "count", queue]).await.trim(), "0");
    for key in ["seeds/dead-1.jsonl", "seeds/dead-2.jsonl"] {
        // The run is there; the object never was.
        assert_eq!(run_of_upload(aws, key).await.error.as_deref(), Some("NotFound"), "{key}");
    }
}
