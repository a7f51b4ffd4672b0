//! `sam build` gets every parameter that it reads.
//!
//! It resolves the properties of functions with the defaults of the parameters unless it gets `--parameter-overrides`
//! too (AWS SAM developer guide, *sam-cli-command-reference-sam-build*).

use std::collections::BTreeSet;
use std::fs;

use local_aws::root;
use regex_lite::Regex;

use crate::parameters::DECLARED;

/// Files with commands that a reader or a workflow runs.
const FILES: [&str; 3] = ["README.md", ".github/workflows/deploy.yml", "docs/OPERATIONS.md"];

/// The properties that `sam build` reads.
const PROPERTIES: [&str; 5] = ["Architectures", "CodeUri", "Runtime", "Handler", "Layers"];

/// Returns the parameters that those properties refer to.
fn parameters_of_the_build() -> BTreeSet<String> {
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let reference = Regex::new(r"!Ref (\w+)").unwrap();
    let mut parameters = BTreeSet::new();
    for line in template.lines() {
        let property = line.trim().split(':').next().unwrap_or_default();
        if PROPERTIES.contains(&property) {
            parameters.extend(reference.captures_iter(line).map(|found| found[1].to_owned()));
        }
    }
    parameters.retain(|name| DECLARED.contains_key(name));
    parameters
}

/// A command line of a document.
#[derive(Clone, Debug)]
struct Command {
    name: &'static str,
    overrides: Option<String>,
}

/// Returns the `sam build` and `sam deploy` commands of a text, in order.
fn commands(text: &str) -> Vec<Command> {
    let overrides = Regex::new(r"--parameter-overrides[ =](.+)").unwrap();
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines() {
        for part in line.split("&&") {
            let name = ["sam build", "sam deploy"].into_iter().find(|name| part.contains(name));
            let values = overrides.captures(part).map(|found| found[1].to_owned());
            found.extend(name.map(|name| Command { name, overrides: values }));
        }
    }
    found
}

#[test]
fn the_build_reads_the_architecture() {
    assert!(parameters_of_the_build().contains("Architecture"));
}

#[test]
fn a_build_gets_the_build_parameters_of_its_deployment() {
    let parameters = parameters_of_the_build();
    for file in FILES {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let commands = commands(&text);
        for (index, deploy) in commands.iter().enumerate().filter(|(_, command)| command.name == "sam deploy") {
            let Some(given) = &deploy.overrides else { continue };
            let build = commands[..index].iter().rev().find(|command| command.name == "sam build");
            let build = build.unwrap_or_else(|| panic!("{file}: `sam deploy` without a `sam build` before it"));
            let passed = build.overrides.as_deref().unwrap_or_default();
            for name in &parameters {
                let is_set = given.contains(&format!("{name}="));
                assert!(!is_set || passed.contains(&format!("{name}=")), "{file}: `sam build` does not get {name}");
            }
            // A variable may hold any parameter, so the build gets the same.
            let variable = Regex::new(r"\$\{?(\w+)").unwrap();
            for found in variable.captures_iter(given) {
                assert!(passed.contains(&found[1]), "{file}: `sam build` does not get ${}", &found[1]);
            }
        }
    }
}

#[test]
fn the_readme_says_how_the_build_gets_each_parameter() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    for name in parameters_of_the_build() {
        let is_said = commands(&text).iter().any(|command| {
            command.name == "sam build" && command.overrides.as_deref().is_some_and(|given| given.contains(&name))
        });
        assert!(is_said, "README.md: no `sam build --parameter-overrides {name}=…`");
    }
}

/// `sam deploy --guided` stores parameters for `sam deploy` alone (aws-sam-cli, `guided_config.py`).
#[test]
fn samconfig_says_where_the_build_parameters_go() {
    let text = fs::read_to_string(root().join("samconfig.toml")).unwrap();
    let (_, build) = text.split_once("[default.build.parameters]").unwrap();
    for name in parameters_of_the_build() {
        assert!(build.contains(&format!("parameter_overrides = \"{name}=")), "samconfig.toml: {name}");
    }
}

/// `>` outside of quotes is a redirection of the shell.
#[test]
fn a_value_that_a_shell_would_redirect_is_quoted() {
    let value = Regex::new(r"(.)ExportPolicy=[^\s`]*>").unwrap();
    let mut checked = 0;
    for file in FILES {
        let text = fs::read_to_string(root().join(file)).unwrap();
        for found in value.captures_iter(&text) {
            let quote = &found[1];
            // In a GitHub variable there is no shell, and quotes would stay.
            let is_in_variable = quote == "`" && text[..found.get(0).unwrap().start()].ends_with("without quotes: ");
            assert!(quote == "'" || is_in_variable, "{file}: quote the value: {}", &found[0]);
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn an_export_policy_that_a_shell_has_cut_is_rejected() {
    assert!(!crate::parameters::is_valid("ExportPolicy", "relevance"));
}
