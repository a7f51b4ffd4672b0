//! Actions, resources, trust and keys.
//!
//! The action data is that of AWS's Service Authorization Reference (`data/authorization.json`). Extras that AWS
//! documents elsewhere are in [`DOCUMENTED_EXTRAS`].

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::models::AUTHORIZATION;
use crate::parameters::{Parameter, TABLE, Values};
use crate::policies::{
    Statement, identity_statements, overlap, resource_statements, statements_of_role, strings, trust,
};
use crate::resolve::{ACCOUNT, REGION, Stack};

/// Resources that an action needs besides those of the Service Authorization Reference.
const DOCUMENTED_EXTRAS: [(&str, &str); 2] = [
    // Clean Rooms user guide, ml-behaviors: the call is authorized on the model and on the new job.
    (
        "cleanrooms-ml:StartAudienceGenerationJob",
        "arn:${Partition}:cleanrooms-ml:${Region}:${Account}:audience-generation-job/${ResourceId}",
    ),
    // Lambda developer guide, lambda-api-permissions-ref: versions and aliases, too.
    ("lambda:InvokeFunction", "arn:${Partition}:lambda:${Region}:${Account}:function:${FunctionName}:${Qualifier}"),
];

/// Condition keys that services document elsewhere than in the Service Authorization Reference.
const DOCUMENTED_KEYS: [(&str, &str); 2] = [
    // IAM user guide, reference_policies_iam-condition-keys: iam:PassedToService.
    ("iam:PassRole", "iam:PassedToService"),
    // Clean Rooms user guide, ml-roles, has this statement, although DescribeKey has no encryption context.
    ("kms:DescribeKey", "kms:EncryptionContext:aws:s3:arn"),
];

fn stacks() -> [Stack; 2] {
    [Stack::with_defaults(), Stack::with_all_set()]
}

fn data_of(action: &str) -> &'static Value {
    &AUTHORIZATION["actions"][action]
}

/// Returns the resources that an action takes.
fn resources_of(action: &str) -> Vec<&'static str> {
    let extras = DOCUMENTED_EXTRAS.iter().filter(|(name, _)| *name == action).map(|(_, arn)| *arn);
    strings(&data_of(action)["resources"]).into_iter().chain(extras).collect()
}

fn is_taken(action: &str, resource: &str) -> bool {
    resource == "*" || resources_of(action).iter().any(|known| overlap(resource, known))
}

#[test]
fn every_action_in_a_policy_exists() {
    let mut unknown = BTreeSet::new();
    for stack in stacks() {
        for statement in identity_statements(&stack).into_iter().chain(resource_statements(&stack)) {
            let actions = statement.actions().into_iter().filter(|action| !action.ends_with(":*"));
            unknown.extend(actions.filter(|action| data_of(action).is_null()).map(str::to_owned));
        }
    }
    assert!(unknown.is_empty(), "not in data/authorization.json (add real ones to ACTIONS in pin.py): {unknown:?}");
}

/// An action that takes no resource type of its statement is never allowed by it.
#[test]
fn every_action_takes_a_resource_of_its_statement() {
    let mut useless = BTreeSet::new();
    for stack in stacks() {
        for statement in identity_statements(&stack) {
            for action in statement.actions() {
                if !statement.resources().into_iter().any(|resource| is_taken(action, resource)) {
                    useless.insert(format!("{}: {action} on {:?}", statement.owner, statement.resources()));
                }
            }
        }
    }
    assert!(useless.is_empty(), "these allow nothing; an action without resource types needs \"*\": {useless:#?}");
}

#[test]
fn every_resource_is_taken_by_an_action_of_its_statement() {
    let mut useless = BTreeSet::new();
    for stack in stacks() {
        for statement in identity_statements(&stack) {
            for resource in statement.resources() {
                if !statement.actions().into_iter().any(|action| is_taken(action, resource)) {
                    useless.insert(format!("{}: {:?} on {resource}", statement.owner, statement.actions()));
                }
            }
        }
    }
    assert!(useless.is_empty(), "{useless:#?}");
}

/// A condition on a key that the request does not have is false, so the statement allows nothing.
#[test]
fn every_condition_key_is_one_of_its_actions() {
    let mut unknown = BTreeSet::new();
    for stack in stacks() {
        for statement in identity_statements(&stack) {
            for (action, key) in statement.actions().into_iter().flat_map(|action| {
                statement.condition_keys().into_iter().map(move |key| (action, key)).collect::<Vec<_>>()
            }) {
                let is_global = ["aws:SourceAccount", "aws:SourceArn", "aws:ResourceAccount"].contains(&key);
                let known = strings(&data_of(action)["conditions"]);
                let is_known = known.into_iter().any(|known| is_key(known, key));
                if !is_global && !is_known && !DOCUMENTED_KEYS.contains(&(action, key)) {
                    unknown.insert(format!("{}: {action} with {key}", statement.owner));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// Returns whether a key of the reference, such as `aws:ResourceTag/${TagKey}`, is this key.
fn is_key(known: &str, key: &str) -> bool {
    known.split_once("${").map_or(known == key, |(prefix, _)| key.starts_with(prefix))
}

fn documented_job_statement(own: &str, owner: &str) -> [String; 3] {
    let arn = |account: &str, kind: &str| format!("arn:aws:cleanrooms-ml:{REGION}:{account}:{kind}/a1");
    [
        arn(owner, "configured-audience-model"),
        arn(own, "audience-generation-job"),
        arn(owner, "audience-generation-job"),
    ]
}

/// Clean Rooms user guide, *ml-behaviors*, "Cross-account jobs": the model, the job in the own account, and the job in
/// the account of the model's owner.
#[test]
fn start_generation_may_start_a_job_of_any_owners_model() {
    for owner in [ACCOUNT, "444455556666"] {
        for needed in documented_job_statement(ACCOUNT, owner) {
            let statements = statements_of_role(&Stack::with_defaults(), "StartGenerationFunctionRole");
            let is_allowed = statements.iter().any(|statement| {
                statement.allows("cleanrooms-ml:StartAudienceGenerationJob")
                    && statement.value["Condition"].is_null()
                    && statement.resources().into_iter().any(|resource| overlap(resource, &needed))
            });
            assert!(is_allowed, "StartAudienceGenerationJob is not allowed on {needed}");
        }
    }
}

/// Clean Rooms user guide, *ml-behaviors*: no other call works across accounts.
#[test]
fn only_the_start_of_a_job_names_another_account() {
    let mut foreign = BTreeSet::new();
    for stack in stacks() {
        for statement in identity_statements(&stack) {
            for resource in statement.resources().into_iter().filter(|resource| *resource != "*") {
                let account = resource.split(':').nth(4).unwrap_or_default();
                // No page says on which of the job's two ARNs the tags of a start are authorized.
                let is_start = [["cleanrooms-ml:StartAudienceGenerationJob"], ["cleanrooms-ml:TagResource"]]
                    .iter()
                    .any(|actions| statement.actions() == actions);
                if ![ACCOUNT, ""].contains(&account) && !is_start {
                    foreign.insert(format!("{}: {:?} on {resource}", statement.owner, statement.actions()));
                }
            }
        }
    }
    assert!(foreign.is_empty(), "{foreign:#?}");
}

/// Clean Rooms user guide, *ml-roles*, "Create a service role to read seed data": the trust policy.
#[test]
fn the_seed_role_has_the_documented_trust_policy() {
    let statements = trust(&Stack::with_defaults(), "SeedRole");
    let [statement] = statements.as_slice() else { panic!("one statement is documented: {statements:?}") };
    let jobs = format!("arn:aws:cleanrooms-ml:{REGION}:{ACCOUNT}:audience-generation-job/*");
    let documented = json!({
        "Effect": "Allow",
        "Principal": {"Service": "cleanrooms-ml.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEqualsIfExists": {"aws:SourceAccount": [ACCOUNT]},
            "ArnLikeIfExists": {"aws:SourceArn": jobs},
        },
    });
    assert_eq!(listed(&statement.value), listed(&documented));
}

/// Returns a policy's JSON with each single string as a list, which means the same.
fn listed(value: &Value) -> Value {
    match value {
        Value::String(_) => json!([value]),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), listed(member))).collect(),
        other => other.clone(),
    }
}

fn seed_statements(values: &Values) -> Vec<Statement> {
    statements_of_role(&Stack::new(values), "SeedRole")
}

fn parameter(name: &str) -> &'static Parameter {
    TABLE
        .iter()
        .find(|parameter| parameter.name == name)
        .unwrap_or_else(|| panic!("the template has no parameter {name}"))
}

/// Clean Rooms user guide, *ml-roles*: `kms:Decrypt` and `kms:DescribeKey` on the key, under the encryption context of
/// the bucket.
#[test]
fn the_seed_role_may_use_the_key_as_documented() {
    let key = parameter("KmsKeyArn");
    let statements = seed_statements(&key.set_to(key.values[0]));
    let bucket = "arn:aws:s3:::lookalike-SeedBucket-ABCDEFGHIJKL";
    for action in ["kms:Decrypt", "kms:DescribeKey"] {
        let allowing = statements.iter().find(|statement| statement.allows(action));
        let statement = allowing.unwrap_or_else(|| panic!("{action} is not allowed"));
        assert!(statement.resources().into_iter().any(|resource| overlap(resource, key.values[0])), "{action}");
        let condition = &statement.value["Condition"];
        let contexts = strings(&condition["ArnLike"]["kms:EncryptionContext:aws:s3:arn"]);
        assert!(contexts.iter().any(|context| context.starts_with(bucket)), "{action}: {condition}");
        assert_eq!(condition.as_object().unwrap().len(), 1, "{action} has other conditions: {condition}");
    }
}

/// Returns the stacks after a key was replaced by another one or by none, with the key of before.
fn after_another_key() -> ([Stack; 2], &'static str) {
    let key = parameter("KmsKeyArn");
    ([Stack::new(&key.set_to(key.values[1])), Stack::with_defaults()], key.values[0])
}

/// Returns whether a role may decrypt with a key under an encryption context, or through a service without one.
fn may_decrypt(stack: &Stack, role: &str, key: &str, context: &str, value: &str) -> bool {
    statements_of_role(stack, role).iter().any(|statement| {
        let patterns = &statement.value["Condition"]["ArnLike"][context];
        let mut patterns = patterns.as_array().map_or(std::slice::from_ref(patterns), Vec::as_slice).iter();
        statement.allows("kms:Decrypt")
            && statement.resources().into_iter().any(|resource| overlap(resource, key))
            && statement.condition_keys() == [context]
            && patterns.any(|pattern| pattern.as_str().is_some_and(|pattern| overlap(pattern, value)))
    })
}

/// S3 encrypts an object with the key of the bucket at that time. A run reads its checked seed for up to 30 days.
#[test]
fn objects_under_an_earlier_key_stay_readable() {
    let (stacks, earlier) = after_another_key();
    let mut unreadable = BTreeSet::new();
    for stack in &stacks {
        for role in stack.of_type("AWS::IAM::Role").into_keys() {
            let reads = statements_of_role(stack, role).iter().any(|statement| statement.allows("s3:GetObject"));
            let bucket = stack.arn_of("SeedBucket");
            // With a bucket key the context is the bucket, else the object.
            for value in [bucket.clone(), format!("{bucket}/checked/run.jsonl")] {
                if reads && !may_decrypt(stack, role, earlier, "kms:EncryptionContext:aws:s3:arn", &value) {
                    unreadable.insert(format!("{role}: {value}"));
                }
            }
        }
    }
    assert!(unreadable.is_empty(), "these roles cannot decrypt objects under an earlier key: {unreadable:?}");
}

/// A published version's variables stay encrypted with the key of its publication (Lambda developer guide,
/// *configuration-envvars-encryption*).
#[test]
fn variables_of_a_version_under_an_earlier_key_stay_readable() {
    let (stacks, earlier) = after_another_key();
    for stack in &stacks {
        for function in stack.versions().into_keys() {
            let role = format!("{function}Role");
            let context = "kms:EncryptionContext:aws:lambda:FunctionArn";
            let value = stack.arn_of(function);
            assert!(may_decrypt(stack, &role, earlier, context, &value), "{role} with an earlier key");
        }
    }
}

/// SQS encrypts a message with the key of the queue at that time.
#[test]
fn messages_under_an_earlier_key_stay_readable() {
    let (stacks, earlier) = after_another_key();
    let mut unreadable = BTreeSet::new();
    for stack in &stacks {
        for role in stack.of_type("AWS::IAM::Role").into_keys() {
            let statements = statements_of_role(stack, role);
            let reading = statements.iter().filter(|statement| statement.allows("sqs:ReceiveMessage"));
            for queue in reading.flat_map(Statement::resources) {
                if !may_decrypt(stack, role, earlier, "kms:EncryptionContext:aws:sqs:arn", queue) {
                    unreadable.insert(format!("{role}: {queue}"));
                }
            }
        }
    }
    assert!(unreadable.is_empty(), "these roles cannot decrypt messages under an earlier key: {unreadable:?}");
}

/// SQS developer guide, *sqs-key-management*: who sends to an encrypted queue needs both on its key.
#[test]
fn a_role_that_sends_to_a_queue_may_use_its_key() {
    let key = parameter("KmsKeyArn");
    let stack = Stack::new(&key.set_to(key.values[0]));
    for role in stack.of_type("AWS::IAM::Role").into_keys() {
        let statements = statements_of_role(&stack, role);
        let sends = statements.iter().any(|statement| statement.allows("sqs:SendMessage"));
        for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
            let may_use = statements.iter().any(|statement| {
                let services = strings(&statement.value["Condition"]["StringEquals"]["kms:ViaService"]);
                statement.allows(action)
                    && statement.resources().contains(&key.values[0])
                    && services.iter().any(|service| service.starts_with("sqs."))
            });
            assert!(!sends || may_use, "{role}: {action}");
        }
    }
}

/// What a role that reads seeds by SQL needs (Clean Rooms user guide, *ml-roles*).
const SQL_ON_ANY: [&str; 3] =
    ["cleanrooms:GetCollaborationAnalysisTemplate", "cleanrooms:GetSchema", "cleanrooms:StartProtectedQuery"];
const SQL_ON_MEMBERSHIP: [&str; 2] = ["cleanrooms:GetProtectedQuery", "cleanrooms:UpdateProtectedQuery"];

#[test]
fn with_a_membership_the_seed_role_may_query_as_documented() {
    let membership = parameter("MembershipId");
    let id = membership.values[0];
    let statements = seed_statements(&membership.set_to(id));
    let has = |action: &str, resource: &str| {
        statements.iter().any(|statement| statement.allows(action) && statement.resources().contains(&resource))
    };
    for action in SQL_ON_ANY {
        assert!(has(action, "*"), "{action} on *");
    }
    for action in SQL_ON_MEMBERSHIP {
        let arn = format!("arn:aws:cleanrooms:{REGION}:{ACCOUNT}:membership/{id}");
        assert!(has(action, &arn), "{action} on {arn}");
    }
}

#[test]
fn without_a_membership_the_seed_role_may_not_query() {
    for action in SQL_ON_ANY.into_iter().chain(SQL_ON_MEMBERSHIP) {
        assert!(!seed_statements(&Parameter::defaults()).iter().any(|statement| statement.allows(action)), "{action}");
    }
}

/// The service assumes the role with the bucket of the stack alone: Clean Rooms user guide, *ml-roles*.
#[test]
fn the_seed_role_may_list_and_read_the_checked_seeds() {
    let statements = seed_statements(&Parameter::defaults());
    let bucket = "arn:aws:s3:::lookalike-SeedBucket-ABCDEFGHIJKL";
    for (action, resource) in [("s3:ListBucket", bucket.to_owned()), ("s3:GetObject", format!("{bucket}/checked/a"))] {
        let is_allowed = statements.iter().any(|statement| {
            statement.allows(action) && statement.resources().into_iter().any(|known| overlap(known, &resource))
        });
        assert!(is_allowed, "{action} on {resource}");
    }
}
