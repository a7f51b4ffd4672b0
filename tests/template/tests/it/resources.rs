//! Conditions, mutually exclusive properties, replacement, retention and partitions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::expansion::EXPANSION;
use crate::parameters::{Parameter, Reader, TABLE, Values};
use crate::resolve::{Place, Stack, differences, text_of};

/// The partitions of AWS (IAM user guide, *reference-arns*; botocore, `partitions.json`).
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"];

/// Returns the defaults, each parameter set alone, and all set.
fn combinations() -> Vec<Values> {
    let alone = TABLE.iter().flat_map(Parameter::both);
    [Parameter::defaults(), Parameter::all_set()].into_iter().chain(alone).collect()
}

/// CloudFormation rejects a reference to a resource whose condition does not hold (user guide, *conditions*).
#[test]
fn every_reference_resolves_with_each_parameter_set_or_unset() {
    for values in combinations() {
        let problems = Stack::new(&values).problems;
        assert!(problems.is_empty(), "{values:?}: {problems:#?}");
    }
}

#[test]
fn every_dependency_exists_with_each_parameter_set_or_unset() {
    for values in combinations() {
        let stack = Stack::new(&values);
        for (id, resource) in &stack.resources {
            for needed in crate::policies::strings(&resource["DependsOn"]) {
                assert!(stack.resources.contains_key(needed), "{values:?}: {id} depends on {needed}");
            }
        }
    }
}

#[test]
fn every_reference_resolves_in_each_partition() {
    let defaults: BTreeMap<_, _> =
        Parameter::defaults().into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    for partition in PARTITIONS {
        let place = Place { partition, ..Place::default() };
        let template = EXPANSION.template(&Parameter::defaults());
        let problems = Stack::resolve(template, &defaults, place).problems;
        assert!(problems.is_empty(), "{partition}: {problems:#?}");
    }
}

/// The local AWS has the account 000000000000 and lacks some resource types.
#[test]
fn every_reference_resolves_on_the_local_aws() {
    let all_set = Parameter::all_set();
    let values = all_set.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let place = Place { account: "000000000000", ..Place::default() };
    let problems = Stack::resolve(EXPANSION.template(&all_set), &values, place).problems;
    assert!(problems.is_empty(), "{problems:#?}");
}

/// An endpoint is also that of a proxy or of a VPC, so it does not mean the local AWS.
#[test]
fn an_endpoint_takes_no_resource_away() {
    for parameter in TABLE.iter().filter(|parameter| parameter.reader == Reader::Version) {
        let [unset, set] = [Parameter::defaults(), parameter.set_to(parameter.values[0])].map(|values| {
            let ids: BTreeSet<_> = Stack::new(&values).resources.into_keys().collect();
            ids
        });
        let lost: Vec<_> = unset.difference(&set).collect();
        assert!(lost.is_empty(), "{} takes these away: {lost:?}", parameter.name);
    }
}

/// SQS API reference, *`SetQueueAttributes`*: only one kind of encryption is allowed. An update to the other kind must
/// switch the first off, so the property is there in both cases.
#[test]
fn a_queue_has_exactly_one_kind_of_encryption() {
    for values in combinations() {
        for (id, queue) in Stack::new(&values).of_type("AWS::SQS::Queue") {
            let has_key = !queue["KmsMasterKeyId"].is_null();
            let by_sqs = &queue["SqsManagedSseEnabled"];
            assert_eq!(*by_sqs, Value::Bool(!has_key), "{id} with {values:?}: SqsManagedSseEnabled");
        }
    }
}

/// `EventBridge` user guide, *eb-encryption-event-bus-cmkey*: without a dead-letter queue, events that an encrypted bus
/// cannot decrypt are lost.
#[test]
fn an_encrypted_bus_has_a_dead_letter_queue() {
    for values in combinations() {
        for (id, bus) in Stack::new(&values).of_type("AWS::Events::EventBus") {
            let is_encrypted = !bus["KmsKeyIdentifier"].is_null();
            assert!(!is_encrypted || !bus["DeadLetterConfig"]["Arn"].is_null(), "{id} with {values:?}");
        }
    }
}

/// The bus sends to its queue as `events.amazonaws.com` with its own ARN (`EventBridge` user guide, *eb-rule-dlq*).
#[test]
fn the_queue_accepts_what_the_bus_sends() {
    let stack = Stack::with_all_set();
    for (id, bus) in stack.of_type("AWS::Events::EventBus") {
        let queue = bus["DeadLetterConfig"]["Arn"].as_str().unwrap_or_else(|| panic!("{id} has no dead-letter queue"));
        let name = bus["Name"].as_str().unwrap();
        let statements = crate::policies::resource_statements(&stack);
        let is_accepted = statements.iter().any(|statement| {
            let sources = statement.value["Condition"].to_string();
            statement.allows("sqs:SendMessage")
                && statement.resources().contains(&queue)
                && (sources.contains(&format!("event-bus/{name}")) || sources.contains("event-bus/*"))
        });
        assert!(is_accepted, "no policy of {queue} lets {name} send to it");
    }
}

/// Types that hold data which a new resource would not have.
const STATEFUL: [&str; 1] = ["AWS::S3::Bucket"];

#[test]
fn stateful_resources_outlive_the_stack_and_a_replacement() {
    let stack = Stack::with_defaults();
    for (id, resource) in &stack.resources {
        let kind = resource["Type"].as_str().unwrap();
        if STATEFUL.contains(&kind) {
            let deletion = text_of(&resource["DeletionPolicy"]);
            assert!(deletion.starts_with("Retain"), "{id}: DeletionPolicy {deletion}");
            assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{id}: UpdateReplacePolicy");
        }
    }
}

/// Returns the create-only properties of a resource that differ (CloudFormation resource provider schemas,
/// `createOnlyProperties`).
fn replaced(one: &Value, other: &Value) -> BTreeSet<String> {
    let kind = one["Type"].as_str().unwrap();
    let create_only = &EXPANSION.create_only[kind];
    let changed = differences(&one["Properties"], &other["Properties"]).into_iter();
    let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    changed.map(|path| first(&path)).filter(|property| create_only.contains(property)).collect()
}

/// CloudFormation cannot replace a resource with a custom name: the new one would have the same name (user guide,
/// *aws-properties-name*). Data in a replaced stateful resource is left behind.
#[test]
fn no_parameter_replaces_a_named_or_stateful_resource() {
    let names = ["Name", "BucketName", "QueueName", "TopicName", "RoleName", "FunctionName", "LogGroupName"];
    for parameter in &TABLE {
        let [first, second] = parameter.both().map(|values| Stack::new(&values));
        let unset = Stack::with_defaults();
        for (before, after) in [(&first, &second), (&unset, &first)] {
            for (id, resource) in &before.resources {
                let Some(other) = after.resources.get(id) else { continue };
                let kind = resource["Type"].as_str().unwrap();
                let is_named = names.iter().any(|name| {
                    let is_key = EXPANSION.create_only[kind].iter().any(|property| property == name);
                    is_key && !resource["Properties"][name].is_null()
                });
                // A version, an alias and a permission are named by the function that they belong to.
                let is_own_name = is_named && !kind.starts_with("AWS::Lambda::");
                if STATEFUL.contains(&kind) || is_own_name {
                    let changed = replaced(resource, other);
                    assert!(changed.is_empty(), "{}: {changed:?} of {id} is create-only", parameter.name);
                }
            }
        }
    }
}

/// Uploaders know the name of the bucket, and its data has no copy.
#[test]
fn each_stateful_resource_exists_with_each_parameter() {
    let unset = Stack::with_defaults();
    for values in combinations() {
        let stack = Stack::new(&values);
        for kind in STATEFUL {
            let ids = |stack: &Stack| stack.of_type(kind).into_keys().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(ids(&stack), ids(&unset), "{values:?}");
        }
    }
}

/// A new account may run ten functions at once in all (Lambda developer guide, *gettingstarted-limits*). A reservation
/// from so few makes the deployment fail.
#[test]
fn no_function_reserves_concurrency() {
    for (id, function) in Stack::with_all_set().of_type("AWS::Lambda::Function") {
        assert!(function["ReservedConcurrentExecutions"].is_null(), "{id}");
    }
}
