//! One command delivers the messages of the dead-letter queue again.

use serde_json::json;

use super::{aws, object_created, run_of_input, run_of_upload};

#[tokio::test]
async fn uploads_in_the_dead_letter_queue_start_their_runs_and_leave_the_queue() {
    let aws = aws().await;
    let bucket = aws.output("SeedBucketName").unwrap();
    // EventBridge leaves the event, Lambda a record of it.
    let record = json!({
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": object_created(bucket, "seeds/redelivered-2.jsonl"),
    });
    for message in [object_created(bucket, "seeds/redelivered-1.jsonl"), record] {
        aws.send_message("DeadLetterQueue", &message).await.unwrap();
    }
    let run = run_of_input(aws, "RedeliverStateMachineArn", "redeliver", &json!({})).await;
    assert_eq!(run.output, Some(json!({"delivered": 2})), "{run:?}");
    assert_eq!(aws.messages("DeadLetterQueue").await.unwrap(), 0);
    for key in ["seeds/redelivered-1.jsonl", "seeds/redelivered-2.jsonl"] {
        // The run exists; the object never did.
        assert_eq!(run_of_upload(aws, key).await.error.as_deref(), Some("NotFound"), "{key}");
    }
}
