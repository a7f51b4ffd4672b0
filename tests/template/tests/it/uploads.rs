//! The queue between an upload and its run, so that a burst of uploads waits and none is lost.

use std::collections::BTreeSet;
use std::fs;

use local_aws::root;
use serde_json::Value;

use crate::policies::{resource_statements, statements_of_role, strings};
use crate::resolve::Stack;

/// What Lambda does with a queue in the role of the function (Lambda developer guide, *services-sqs-configure*).
const READ_A_QUEUE: [&str; 3] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

fn stacks() -> [Stack; 2] {
    [Stack::with_defaults(), Stack::with_all_set()]
}

fn upload_queue(stack: &Stack) -> &Value {
    stack.of_type("AWS::SQS::Queue")["UploadQueue"]
}

fn mapping(stack: &Stack) -> &Value {
    stack.of_type("AWS::Lambda::EventSourceMapping")["UploadQueueMapping"]
}

#[test]
fn ten_uploads_are_a_batch_and_five_batches_are_handled_at_once() {
    for stack in stacks() {
        let mapping = mapping(&stack);
        assert_eq!(mapping["BatchSize"], 10);
        assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], 5);
        assert_eq!(strings(&mapping["FunctionResponseTypes"]), ["ReportBatchItemFailures"]);
        assert_eq!(mapping["EventSourceArn"], stack.arn_of("UploadQueue").as_str());
    }
}

#[test]
fn an_upload_is_received_a_hundred_times_before_it_is_a_dead_letter() {
    for stack in stacks() {
        let redrive = &upload_queue(&stack)["RedrivePolicy"];
        assert_eq!(redrive["maxReceiveCount"], 100);
        assert_eq!(redrive["deadLetterTargetArn"], stack.arn_of("DeadLetterQueue").as_str());
    }
}

/// SQS developer guide, *setting-up-dead-letter-queue-retention*: the age of a message in the dead-letter queue counts from
/// its first queue.
#[test]
fn a_message_is_kept_for_days_after_its_last_receive() {
    let stack = Stack::with_defaults();
    let queue = upload_queue(&stack);
    let receives = queue["RedrivePolicy"]["maxReceiveCount"].as_u64().unwrap();
    let tried = receives * queue["VisibilityTimeout"].as_u64().unwrap();
    for id in ["UploadQueue", "DeadLetterQueue"] {
        let kept = stack.of_type("AWS::SQS::Queue")[id]["MessageRetentionPeriod"].as_u64().unwrap();
        assert!(kept >= tried + 7 * 86_400, "{id} keeps a message for {kept} s, and {tried} s of these it is tried");
    }
}

/// `receive-upload` starts no run with less than five seconds left of this time.
#[test]
fn receive_upload_has_the_timeout_that_it_counts_with() {
    let source = fs::read_to_string(root().join("functions/receive-upload/src/lib.rs")).unwrap();
    for stack in stacks() {
        let seconds = stack.of_type("AWS::Lambda::Function")["ReceiveUploadFunction"]["Timeout"].as_u64().unwrap();
        let constant = format!("pub const TIMEOUT: Duration = Duration::from_secs({seconds});");
        assert!(source.contains(&constant), "{constant}");
    }
}

/// `EventBridge` user guide, *eb-use-resource-based*: the policy of the queue names the rule.
#[test]
fn a_queue_accepts_what_a_rule_sends_to_it() {
    for stack in stacks() {
        let statements = resource_statements(&stack);
        for (id, rule) in stack.of_type("AWS::Events::Rule") {
            let arn = stack.arn_of(id);
            for target in rule["Targets"].as_array().unwrap() {
                let queue = target["Arn"].as_str().unwrap();
                let is_accepted = statements.iter().any(|statement| {
                    statement.allows("sqs:SendMessage")
                        && statement.resources() == [queue]
                        && statement.value["Condition"].to_string().contains(&arn)
                });
                assert!(!queue.contains(":sqs:") || is_accepted, "{id} may not send to {queue}");
            }
        }
    }
}

#[test]
fn receive_upload_may_read_the_upload_queue_and_no_other() {
    for stack in stacks() {
        let statements = statements_of_role(&stack, "ReceiveUploadFunctionRole");
        for action in READ_A_QUEUE {
            let allowing = statements.iter().filter(|statement| statement.allows(action));
            let queues: BTreeSet<_> = allowing.flat_map(|statement| statement.resources()).collect();
            assert_eq!(queues, BTreeSet::from([stack.arn_of("UploadQueue").as_str()]), "{action}");
        }
    }
}

#[test]
fn nothing_invokes_receive_upload_but_its_queue() {
    for stack in stacks() {
        let function = stack.arn_of("ReceiveUploadFunction");
        let name = function.rsplit(':').next().unwrap();
        for kind in ["AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"] {
            for (id, properties) in stack.of_type(kind) {
                assert!(!properties["FunctionName"].as_str().unwrap().contains(name), "{id}");
            }
        }
    }
}

/// SQS developer guide, *sqs-available-cloudwatch-metrics*: a message that was received three times does not count as the
/// oldest any more. A start that fails once is no reason for an alarm.
#[test]
fn the_alarm_on_late_uploads_fires_after_the_second_failure() {
    let stack = Stack::with_defaults();
    let alarm = stack.of_type("AWS::CloudWatch::Alarm")["UploadsLateAlarm"];
    assert_eq!(alarm["MetricName"], "ApproximateAgeOfOldestMessage");
    let queue = stack.arn_of("UploadQueue");
    assert_eq!(alarm["Dimensions"][0]["Value"], queue.rsplit(':').next().unwrap());
    let (threshold, hidden) =
        (alarm["Threshold"].as_u64().unwrap(), upload_queue(&stack)["VisibilityTimeout"].as_u64().unwrap());
    // The metric has a value each minute.
    assert!(hidden < threshold && threshold + 60 < 2 * hidden, "{threshold} s");
}
