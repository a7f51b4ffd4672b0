//! A changed parameter reaches its readers.
//!
//! A published version keeps the variables that it was published with (Lambda developer guide,
//! *configuration-versions*), and SAM makes no new version for a changed parameter value (serverless-application-model,
//! issue 3820). So a run gets its configuration from its definition.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::expansion::EXPANSION;
use crate::parameters::{DECLARED, Parameter, Reader, TABLE, Values};
use crate::resolve::{Stack, differences};

/// A property of functions that may change without a new version: `sam build` makes other code for another processor, and
/// other code is a new version.
const CHANGES_WITH_THE_CODE: (&str, &str) = ("Architecture", "Architectures");

/// The workflows of runs. Both pass the same settings to `check-request`.
const WORKFLOWS: [&str; 2] = ["AudienceStateMachine", "SegmentStateMachine"];

#[test]
fn a_changed_parameter_reaches_the_next_run() {
    let mut unheard = BTreeSet::new();
    // The key is a resource's property, and the check of a segment's output reads it.
    for parameter in TABLE.iter().filter(|parameter| parameter.reader == Reader::Run || parameter.name == "KmsKeyArn") {
        let stacks = parameter.both().map(|values| Stack::new(&values));
        let [first, second] = [&stacks[0], &stacks[1]].map(Stack::definition_texts);
        for workflow in WORKFLOWS {
            if first[workflow] == second[workflow] {
                unheard.insert(format!("{workflow}: {}", parameter.name));
            }
        }
    }
    assert!(unheard.is_empty(), "pass these as DefinitionSubstitutions: {unheard:?}");
}

#[test]
fn a_membership_tells_the_next_run_that_sql_seeds_are_possible() {
    let Some(membership) = TABLE.iter().find(|parameter| parameter.name == "MembershipId") else {
        panic!("the template has no parameter MembershipId");
    };
    let set = Stack::new(&membership.set_to(membership.values[0]));
    assert_ne!(set.definitions(), Stack::with_defaults().definitions());
}

#[test]
fn each_parameter_changes_a_resource() {
    for parameter in &TABLE {
        let [first, second] = parameter.both().map(|values| Stack::new(&values));
        // Versions are renamed rather than changed.
        let properties = |stack: &Stack| {
            let resources = stack.resources.iter().filter(|(_, resource)| resource["Type"] != "AWS::Lambda::Version");
            resources.map(|(id, resource)| (id.clone(), resource["Properties"].clone())).collect::<Value>()
        };
        let changed = differences(&properties(&first), &properties(&second));
        assert!(!changed.is_empty(), "{} changes nothing", parameter.name);
    }
}

/// Returns each change of each parameter.
fn changes() -> impl Iterator<Item = (&'static Parameter, [Values; 2])> {
    TABLE.iter().flat_map(|parameter| parameter.changes().map(|values| (parameter, values)))
}

#[test]
fn a_published_function_has_no_parameter_in_its_variables() {
    let mut stale = BTreeSet::new();
    for (parameter, values) in changes().filter(|(parameter, _)| parameter.reader != Reader::Version) {
        let [first, second] = values.map(|values| Stack::new(&values));
        for function in first.versions().into_keys() {
            let variables = |stack: &Stack| stack.resources[function]["Properties"]["Environment"].clone();
            for variable in differences(&variables(&first), &variables(&second)) {
                stale.insert(format!("{function}: {variable} ({})", parameter.name));
            }
        }
    }
    assert!(stale.is_empty(), "published versions keep the old values of these: {stale:#?}");
}

#[test]
fn a_published_functions_settings_change_only_with_a_version() {
    for (parameter, values) in changes().filter(|(parameter, _)| parameter.reader != Reader::Version) {
        let [first, second] = values.map(|values| Stack::new(&values));
        for (function, version) in first.versions() {
            let settings = |stack: &Stack| {
                let mut settings = stack.resources[function]["Properties"].clone();
                settings["Environment"].take();
                settings
            };
            let changed = differences(&settings(&first), &settings(&second));
            let unexplained: Vec<_> =
                changed.iter().filter(|path| (parameter.name, path.as_str()) != CHANGES_WITH_THE_CODE).collect();
            let is_renamed = !second.resources.contains_key(version);
            let description = |stack: &Stack| stack.resources[version]["Properties"]["Description"].clone();
            let is_replaced = !is_renamed && description(&first) != description(&second);
            assert!(
                unexplained.is_empty() || is_renamed || is_replaced,
                "{}: {unexplained:?} of {function} do not reach its version",
                parameter.name
            );
        }
    }
}

#[test]
fn an_endpoint_is_in_the_description_of_each_version_that_uses_it() {
    for parameter in TABLE.iter().filter(|parameter| parameter.reader == Reader::Version) {
        let [first, second] = parameter.both().map(|values| Stack::new(&values));
        let mut readers = 0;
        for (function, version) in first.versions() {
            let variables = |stack: &Stack| stack.resources[function]["Properties"]["Environment"].clone();
            if variables(&first) != variables(&second) {
                readers += 1;
                let description = |stack: &Stack| stack.resources[version]["Properties"]["Description"].clone();
                assert_ne!(description(&first), description(&second), "{function}: {}", parameter.name);
            }
        }
        assert!(readers > 0, "no published function uses {}", parameter.name);
    }
}

#[test]
fn each_substitution_is_used_in_the_definition() {
    let stack = Stack::with_defaults();
    for (id, machine) in stack.of_type("AWS::StepFunctions::StateMachine") {
        let path = machine["DefinitionS3Location"]["Key"].as_str().unwrap();
        let definition = std::fs::read_to_string(local_aws::root().join(path)).unwrap();
        for name in machine["DefinitionSubstitutions"].as_object().unwrap().keys() {
            assert!(definition.contains(&format!("${{{name}}}")), "{id}: {name} is not used in {path}");
        }
    }
}

#[test]
fn no_substitution_is_left_in_a_definition() {
    for (id, text) in Stack::with_all_set().definition_texts() {
        assert!(!text.contains("${"), "{id}: a name in ${{…}} has no substitution");
    }
}

/// CloudFormation inserts the text of a substitution without escaping it, and repeatedly (resource handler of
/// `AWS::StepFunctions::StateMachine`). A line break, a quote or a `${` would change the definition's meaning.
#[test]
fn values_in_a_definition_cannot_change_its_meaning() {
    let mut broken = BTreeSet::new();
    for parameter in inserted() {
        let declared = &DECLARED[parameter.name];
        if declared["Type"] == "Number" || declared["AllowedValues"].is_array() {
            continue;
        }
        for value in parameter.values {
            for forbidden in ['"', '\\', '$', '{', '}', '\n', '\r', '\t', '\0', '\u{7f}'] {
                for place in 0..=value.len() {
                    let wrong = format!("{}{forbidden}{}", &value[..place], &value[place..]);
                    if crate::parameters::is_valid(parameter.name, &wrong) {
                        broken.insert(format!("{} accepts {forbidden:?}", parameter.name));
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Returns the parameters whose values are inserted in a definition.
fn inserted() -> Vec<&'static Parameter> {
    let changes = |parameter: &&Parameter| {
        let [first, second] = parameter.both().map(|values| Stack::new(&values));
        first.definition_texts() != second.definition_texts()
    };
    TABLE.iter().filter(changes).collect()
}

/// An optional parameter whose value is inserted in a definition is unset if it is empty.
#[test]
fn an_unset_value_in_a_definition_is_empty() {
    for parameter in inserted() {
        let declared = &EXPANSION.template(&Parameter::defaults())["Parameters"][parameter.name];
        let default = &declared["Default"];
        let is_optional = declared["Type"] == "String" && default != "all" && !default.is_null();
        assert!(!is_optional || default == "", "{}: its default is {default}", parameter.name);
    }
}
