//! The template as plain CloudFormation.

use std::collections::BTreeMap;
use std::process::Command;

use local_aws::{Tool, root};
use serde_json::Value;

/// With these parameters (`Name=value`); without any, its conditions stay open.
pub(crate) async fn template(parameters: &[&str]) -> Value {
    let output = Command::new(Tool::Sam.install().await.unwrap().program("python"))
        .arg("tests/local-aws/tests/expand_template.py")
        .args(parameters)
        .current_dir(root())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The properties of each resource of a type, by logical id.
pub(crate) fn of_type<'t>(template: &'t Value, kind: &str) -> BTreeMap<&'t str, &'t Value> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let found: BTreeMap<_, _> = resources
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str(), &resource["Properties"]))
        .collect();
    assert!(!found.is_empty(), "the template has no {kind}");
    found
}
