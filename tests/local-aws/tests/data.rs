//! That what the stack holds is encrypted, kept, and open to nobody else.

#![allow(clippy::unwrap_used)]

mod expanded;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use expanded::{of_type, template};
use local_aws::Tool;
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef";

async fn plain() -> Value {
    template(&["KmsKeyArn="]).await
}

/// With everything about data that can be had.
async fn full() -> Value {
    let key = format!("KmsKeyArn={KEY}");
    let parameters = [&key, "AccessLogBucket=logs", "SeedRetentionDays=90", "ObjectLockDays=30", "Tracing=Active"];
    template(&parameters).await
}

/// Each statement of each policy, with the logical id of what it is in.
fn statements(template: &Value) -> Vec<(&str, &Value)> {
    fn collect<'t>(id: &'t str, value: &'t Value, found: &mut Vec<(&'t str, &'t Value)>) {
        if let Some(statements) = value["Statement"].as_array() {
            found.extend(statements.iter().map(|statement| (id, statement)));
        } else if let Some(object) = value.as_object() {
            object.values().for_each(|value| collect(id, value, found));
        } else if let Some(list) = value.as_array() {
            for value in list {
                collect(id, value, found);
            }
        }
    }
    let mut found = Vec::new();
    for (id, resource) in template["Resources"].as_object().unwrap() {
        collect(id, &resource["Properties"], &mut found);
    }
    found
}

#[tokio::test]
async fn checkov_finds_nothing() {
    let checkov = Tool::Checkov.install().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Without parameters there are no key and no access logs of the user's own: that is offered, and asked of nobody.
    let offered = ["--skip-check", "CKV_AWS_18,CKV_AWS_26,CKV_AWS_27,CKV_AWS_158,CKV_AWS_173"];
    for (name, template, options) in [("full", full().await, &[][..]), ("plain", plain().await, &offered[..])] {
        let file = folder.path().join(format!("{name}.json"));
        fs::write(&file, template.to_string()).unwrap();
        let output = Command::new(checkov.program("checkov"))
            .args(["--framework", "cloudformation", "--skip-download", "--output", "json", "--file"])
            .arg(&file)
            .args(options)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let report: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{name}: {e} in {said}"));
        let failed = report["results"]["failed_checks"].as_array().unwrap();
        let failed: Vec<_> =
            failed.iter().map(|check| format!("{}: {}", check["resource"], check["check_name"])).collect();
        assert!(failed.is_empty(), "{name}: {failed:#?}");
        assert!(output.status.success(), "{name}: {said}");
        // What it cannot read, it passes over.
        assert_eq!(report["summary"]["parsing_errors"], 0, "{name}");
        for (id, _) in of_type(&template, "AWS::IAM::Role") {
            let read =
                report["results"]["passed_checks"].as_array().unwrap().iter().any(|check| {
                    check["resource"] == format!("AWS::IAM::Role.{id}") && check["check_id"] == "CKV_AWS_111"
                });
            assert!(read, "{name}: {id}");
        }
    }
}

#[tokio::test]
async fn a_service_acts_for_this_account_alone() {
    for template in [plain().await, full().await] {
        for (id, statement) in statements(&template) {
            let Some(service) =
                statement["Principal"]["Service"].as_str().or(statement["Principal"]["Service"][0].as_str())
            else {
                assert!(statement["Principal"].is_null() || statement["Effect"] == "Deny", "{id}: {statement}");
                continue;
            };
            // Documents no condition; the template says more.
            if service == "lambda.amazonaws.com" {
                continue;
            }
            let condition = statement["Condition"].to_string();
            assert!(condition.contains("aws:SourceArn"), "{id}: {service}");
            let one = condition.contains("aws:SourceAccount") || statement["Condition"]["ArnEquals"].is_object();
            assert!(one, "{id}: {service}");
        }
        for (id, permission) in of_type(&template, "AWS::Lambda::Permission") {
            assert!(permission["SourceArn"].is_object(), "{id}");
        }
    }
}

#[tokio::test]
async fn one_key_encrypts_all_that_is_kept_and_each_function_may_read_its_variables() {
    let key = json!({ "Ref": "KmsKeyArn" });
    let (full, plain) = (full().await, plain().await);
    for (kind, property) in [
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::Events::EventBus", "KmsKeyIdentifier"),
        ("AWS::Lambda::Function", "KmsKeyArn"),
    ] {
        for (id, resource) in of_type(&full, kind) {
            assert_eq!(resource[property], key, "{id}");
        }
        for (id, resource) in of_type(&plain, kind) {
            assert!(resource[property].is_null(), "{id}");
        }
    }
    let bucket = of_type(&full, "AWS::S3::Bucket")["SeedBucket"];
    let rule = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"];
    assert_eq!(*rule, json!({ "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key }));
    let roles = of_type(&full, "AWS::IAM::Role");
    for (id, function) in of_type(&full, "AWS::Lambda::Function") {
        let role_id = function["Role"]["Fn::GetAtt"][0].as_str().unwrap();
        let policies = roles[role_id]["ManagedPolicyArns"].as_array().unwrap();
        assert!(policies.contains(&json!({ "Ref": "EnvironmentKeyPolicy" })), "{id}");
    }
    // Without a key, what an earlier one encrypted stays readable, and nothing else.
    for (id, statement) in statements(&plain) {
        let actions = statement["Action"].to_string();
        if actions.contains("kms:") {
            assert!(actions.contains("kms:Decrypt") && !actions.contains("GenerateDataKey"), "{id}: {actions}");
            assert!(statement["Condition"].to_string().contains("kms:EncryptionContext:aws:"), "{id}: {statement}");
        }
    }
}

/// Whoever reads objects decrypts them; whoever writes or sends needs a data key, too.
#[tokio::test]
async fn whoever_may_use_an_encrypted_thing_may_use_its_key() {
    let full = full().await;
    let mut rights = BTreeMap::<&str, String>::new();
    for (id, statement) in statements(&full).into_iter().filter(|(_, statement)| statement["Principal"].is_null()) {
        *rights.entry(id).or_default() += &statement.to_string();
    }
    for (action, service, uses) in [
        ("s3:GetObject\"", "s3.", "kms:Decrypt"),
        ("s3:PutObject\"", "s3.", "kms:GenerateDataKey"),
        ("sns:Publish", "sns.", "kms:GenerateDataKey"),
        ("sqs:SendMessage", "sqs.", "kms:GenerateDataKey"),
        ("sqs:ReceiveMessage", "sqs.", "kms:Decrypt"),
    ] {
        let users: Vec<_> = rights.iter().filter(|(_, rights)| rights.contains(action)).collect();
        assert!(!users.is_empty(), "{action}");
        for (id, rights) in users {
            assert!(rights.contains(uses), "{id} has {action} without {uses}");
            let via = format!("{service}${{AWS::Region}}.amazonaws.com");
            let context = format!("kms:EncryptionContext:aws:{service}").replace('.', ":arn");
            let is_limited = rights.contains(&via) || (uses == "kms:Decrypt" && rights.contains(&context));
            assert!(is_limited || *id == "SegmentRole", "{id} uses the key not only for {action}");
        }
    }
}
