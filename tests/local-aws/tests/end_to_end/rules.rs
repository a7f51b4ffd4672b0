//! Which events the deployed rules take, asked of the local AWS by the documented shape of each.

use local_aws::STACK;
use serde_json::{Value, json};

use super::{aws, object_created, script};

#[tokio::test]
async fn the_rules_take_uploads_and_ends_of_this_stack_and_nothing_else() {
    let aws = aws().await;
    let change = |machine: &str, status: &str| {
        let mut event: Value = serde_json::from_str(include_str!("../../../events/publish-outcome.json")).unwrap();
        event["detail"]["stateMachineArn"] = json!(machine);
        event["detail"]["status"] = json!(status);
        event
    };
    let created = |bucket: &str, key: &str, kind: &str| {
        let mut event = object_created(bucket, key);
        event["detail-type"] = json!(kind);
        event
    };
    let mut cases = Vec::new();
    for workflow in ["AudienceStateMachineArn", "SegmentStateMachineArn"] {
        let machine = aws.output(workflow).unwrap();
        for status in ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"] {
            cases.push((change(machine, status), json!(["RunEndedRule"])));
        }
        for status in ["RUNNING", "PENDING_REDRIVE"] {
            cases.push((change(machine, status), json!([])));
        }
    }
    for machine in [aws.output("RedeliverStateMachineArn").unwrap(), "arn:aws:states:us-east-1:1:stateMachine:other"] {
        cases.push((change(machine, "FAILED"), json!([])));
    }
    let bucket = aws.output("SeedBucketName").unwrap();
    for key in ["seeds/a.jsonl", "requests/a.json", "segments/a.json", "seeds/folder/a b+é.jsonl"] {
        cases.push((created(bucket, key, "Object Created"), json!(["UploadRule"])));
        cases.push((created("another", key, "Object Created"), json!([])));
        cases.push((created(bucket, key, "Object Deleted"), json!([])));
    }
    for key in ["checked/a.jsonl", "reports/a/index.html", "segment-output/a.out", "seeds", "x/seeds/a.jsonl"] {
        cases.push((created(bucket, key, "Object Created"), json!([])));
    }
    let (events, expected): (Vec<Value>, Vec<Value>) = cases.into_iter().unzip();
    let taken = script(aws, &["rules.py", STACK, &json!(events).to_string()]).await;
    let taken: Vec<Value> = serde_json::from_str(&taken).unwrap();
    assert_eq!(taken.len(), expected.len());
    for ((event, taken), expected) in events.iter().zip(taken).zip(expected) {
        assert_eq!(taken, expected, "{event}");
    }
}
