//! When a function gets a new version.
//!
//! SAM names `AWS::Lambda::Version` by a hash of the function's properties before parameters are resolved
//! (serverless-application-model, *safe lambda deployments*, `AutoPublishAliasAllProperties`; issue 3820). A new name
//! for an unchanged function fails: "A version for this Lambda function exists".

use std::collections::BTreeMap;

use crate::expansion::{EDITS, EXPANSION};
use crate::parameters::{Parameter, Reader, TABLE};
use crate::resolve::{Place, Stack, differences};

/// SAM itself reads this parameter, so its values change the function's properties. The function differs, and gets a
/// version.
const READ_BY_SAM: &str = "Tracing";

fn versions_by_function(stack: &Stack) -> BTreeMap<String, String> {
    stack.versions().into_iter().map(|(function, version)| (function.to_owned(), version.to_owned())).collect()
}

#[test]
fn no_parameter_value_renames_a_version() {
    let unchanged = versions_by_function(&Stack::with_defaults());
    assert!(!unchanged.is_empty());
    for parameter in TABLE.iter().filter(|parameter| parameter.name != READ_BY_SAM) {
        for values in parameter.both() {
            assert_eq!(versions_by_function(&Stack::new(&values)), unchanged, "{values:?}");
        }
    }
}

#[test]
fn a_change_of_code_or_settings_makes_a_new_version() {
    let before = versions_by_function(&Stack::with_defaults());
    let defaults: BTreeMap<_, _> =
        Parameter::defaults().into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    for (edit, template) in EDITS.iter().zip(&EXPANSION.edits) {
        let after = Stack::resolve(template, &defaults, Place::default());
        for (function, version) in versions_by_function(&after) {
            assert_ne!(before[&function], version, "{function}: {edit:?} makes no new version");
        }
    }
}

/// A replaced version must not delete the one that runs still call.
#[test]
fn a_version_is_replaced_only_for_an_endpoint_or_a_key_and_retained() {
    let changes = TABLE.iter().flat_map(|parameter| parameter.changes().map(|values| (parameter, values)));
    for (parameter, values) in changes.filter(|(parameter, _)| parameter.name != READ_BY_SAM) {
        let stacks = values.map(|values| Stack::new(&values));
        for version in stacks[0].versions().into_values() {
            let [first, second] = [&stacks[0], &stacks[1]].map(|stack| &stack.resources[version]);
            let replaced = differences(&first["Properties"], &second["Properties"]);
            let is_in_description = parameter.reader == Reader::Version || parameter.name == "KmsKeyArn";
            let allowed = is_in_description && replaced.iter().all(|property| property == "Description");
            assert!(replaced.is_empty() || allowed, "{} changes {replaced:?} of {version}", parameter.name);
            if !replaced.is_empty() {
                assert_eq!(first["UpdateReplacePolicy"], "Retain", "UpdateReplacePolicy of {version}");
            }
        }
    }
}

/// A version's variables stay under the key that it was published with: after another key the next run needs another
/// version.
#[test]
fn another_key_publishes_each_version_again() {
    let key = TABLE.iter().find(|parameter| parameter.name == "KmsKeyArn").unwrap();
    for values in key.changes() {
        let stacks = values.map(|values| Stack::new(&values));
        for version in stacks[0].versions().into_values() {
            let [first, second] = [&stacks[0], &stacks[1]].map(|stack| &stack.resources[version]["Properties"]);
            assert_ne!(first["Description"], second["Description"], "{version}");
        }
    }
}

#[test]
fn a_version_stays_when_a_newer_one_takes_its_place() {
    let stack = Stack::with_defaults();
    for version in stack.versions().into_values() {
        assert_eq!(stack.resources[version]["DeletionPolicy"], "Retain", "DeletionPolicy of {version}");
    }
}

/// Lambda API reference, *`PublishVersion`*: a description has at most 256 characters.
#[test]
fn a_versions_description_has_at_most_256_characters() {
    let stack = crate::limits::longest();
    for (id, version) in stack.of_type("AWS::Lambda::Version") {
        let length = version["Description"].as_str().unwrap_or_default().chars().count();
        assert!(length <= 256, "{id}: {length} characters at the longest endpoints");
    }
}
