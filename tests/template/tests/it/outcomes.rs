//! Outcomes reach `publish-outcome`, are kept, and no delivery fails without an alarm.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::policies::{statements_of_role, strings};
use crate::resolve::Stack;

/// Returns the mappings of queues to functions: the mapping, its queue and its function.
fn mappings(stack: &Stack) -> Vec<(&Value, &Value, &Value)> {
    let queues = stack.of_type("AWS::SQS::Queue");
    let functions = stack.of_type("AWS::Lambda::Function");
    let mappings = stack.of_type("AWS::Lambda::EventSourceMapping").into_values().map(|mapping| {
        let named = |text: &Value, id: &str| text.as_str().unwrap().contains(&format!("-{id}-"));
        let queue = queues.iter().find(|(id, _)| named(&mapping["EventSourceArn"], id)).unwrap();
        let function = functions.iter().find(|(id, _)| named(&mapping["FunctionName"], id)).unwrap();
        (mapping, *queue.1, *function.1)
    });
    mappings.collect()
}

/// Lambda developer guide, *services-sqs-configure*: six times the function's timeout and the batching window.
#[test]
fn a_message_stays_hidden_until_its_batch_is_finished() {
    let stack = Stack::with_defaults();
    for (mapping, queue, function) in mappings(&stack) {
        let window = mapping["MaximumBatchingWindowInSeconds"].as_u64().unwrap_or_default();
        let needed = 6 * function["Timeout"].as_u64().unwrap() + window;
        assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= needed, "{mapping}: at least {needed} s");
    }
    assert!(!mappings(&stack).is_empty());
}

/// Lambda developer guide, *services-sqs-errorhandling*: otherwise one failed message repeats its complete batch.
#[test]
fn a_batch_answers_which_messages_failed() {
    for (mapping, ..) in mappings(&Stack::with_defaults()) {
        assert_eq!(strings(&mapping["FunctionResponseTypes"]), ["ReportBatchItemFailures"], "{mapping}");
    }
}

/// Lambda developer guide, *services-sqs-parameters*: more than ten messages need a batching window.
#[test]
fn a_large_batch_has_a_window() {
    for (mapping, ..) in mappings(&Stack::with_defaults()) {
        let is_large = mapping["BatchSize"].as_u64().unwrap() > 10;
        assert!(!is_large || mapping["MaximumBatchingWindowInSeconds"].as_u64().unwrap() >= 1, "{mapping}");
    }
}

/// Lambda developer guide, *services-sqs-configure*: a message needs at least five receives, because Lambda may throttle
/// the function.
#[test]
fn a_message_that_always_fails_reaches_the_dead_letter_queue() {
    for (mapping, queue, _) in mappings(&Stack::with_defaults()) {
        let redrive = &queue["RedrivePolicy"];
        assert!(redrive["deadLetterTargetArn"].as_str().unwrap().contains("DeadLetterQueue"), "{mapping}");
        assert!(redrive["maxReceiveCount"].as_u64().unwrap() >= 5, "{mapping}");
    }
}

/// A sweep would publish an outcome again whose record is gone.
#[test]
fn no_rule_of_the_bucket_deletes_a_record() {
    for (id, bucket) in Stack::with_all_set().of_type("AWS::S3::Bucket") {
        for rule in bucket["LifecycleConfiguration"]["Rules"].as_array().unwrap() {
            let deletes = !rule["ExpirationInDays"].is_null() || !rule["NoncurrentVersionExpiration"].is_null();
            let prefix = rule["Prefix"].as_str().unwrap_or_default();
            assert!(!deletes || !"outcomes/".starts_with(prefix), "{id}: {rule}");
        }
    }
}

#[test]
fn publish_outcome_may_list_records_only() {
    for stack in [Stack::with_defaults(), Stack::with_all_set()] {
        for statement in statements_of_role(&stack, "PublishOutcomeFunctionRole") {
            let prefix = &statement.value["Condition"]["StringLike"]["s3:prefix"];
            assert!(!statement.allows("s3:ListBucket") || prefix == "outcomes/*", "{}", statement.value);
            assert!(!statement.allows("s3:GetObject"), "{}", statement.value);
        }
    }
}

/// SAM adds a managed policy for every queue of the account to a function with an event of type SQS.
#[test]
fn no_role_may_read_every_queue() {
    for (id, role) in Stack::with_defaults().of_type("AWS::IAM::Role") {
        assert!(!role["ManagedPolicyArns"].to_string().contains("AWSLambdaSQSQueueExecutionRole"), "{id}");
    }
}

/// Returns the values of a dimension of the alarms on a metric.
fn alarmed(stack: &Stack, metric: &str) -> BTreeSet<String> {
    let alarms = stack.of_type("AWS::CloudWatch::Alarm").into_values();
    let of_metric = alarms.filter(|alarm| alarm["MetricName"] == metric);
    of_metric.map(|alarm| alarm["Dimensions"][0]["Value"].as_str().unwrap().to_owned()).collect()
}

/// `EventBridge` user guide, *eb-monitoring*: `InvocationsFailedToBeSentToDlq`, by the name of the rule.
#[test]
fn a_rule_that_cannot_reach_its_dead_letter_queue_has_an_alarm() {
    let stack = Stack::with_defaults();
    let alarmed = alarmed(&stack, "InvocationsFailedToBeSentToDlq");
    for (id, rule) in stack.of_type("AWS::Events::Rule") {
        let has_queue = rule["Targets"].as_array().unwrap().iter().any(|target| !target["DeadLetterConfig"].is_null());
        let has_alarm = alarmed.iter().any(|name| name.contains(&format!("-{id}-")));
        assert_eq!(has_alarm, has_queue, "{id}: {alarmed:?}");
    }
}

/// Lambda developer guide, *monitoring-metrics-types*: `DestinationDeliveryFailures`, by the name of the function.
#[test]
fn a_function_that_cannot_reach_its_destination_has_an_alarm() {
    let stack = Stack::with_defaults();
    let alarmed = alarmed(&stack, "DestinationDeliveryFailures");
    let configs = stack.of_type("AWS::Lambda::EventInvokeConfig");
    for id in stack.of_type("AWS::Lambda::Function").into_keys() {
        let named = |text: &str| text.contains(&format!("-{id}-"));
        let has_destination = configs.values().any(|config| {
            named(config["FunctionName"].as_str().unwrap()) && !config["DestinationConfig"]["OnFailure"].is_null()
        });
        assert_eq!(alarmed.iter().any(|name| named(name)), has_destination, "{id}: {alarmed:?}");
    }
}
