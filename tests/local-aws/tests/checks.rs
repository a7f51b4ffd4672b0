//! The template, the workflows and the emulator under other people's tools.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use local_aws::{Environment, Tool, root};

/// Runs a program from the project's root. Fails with what it printed.
fn passes(program: &Path, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .current_dir(root())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {args:?}:\n{said}", program.display());
    said
}

async fn tool(tool: Tool) -> Environment {
    tool.install().await.unwrap()
}

#[tokio::test]
async fn each_case_of_each_workflow_goes_where_it_should() {
    let checks = tool(Tool::Checks).await;
    for (cases, workflow) in [
        ("audience_cases.py", "audience.asl.json"),
        ("segment_cases.py", "segment.asl.json"),
        ("redeliver_cases.py", "redeliver.asl.json"),
    ] {
        let (cases, workflow) = (format!("tests/local-aws/tests/{cases}"), format!("statemachine/{workflow}"));
        println!("{}", passes(&checks.program("python"), &[&cases, &workflow]));
    }
}

#[tokio::test]
async fn sam_finds_nothing_wrong_with_the_template() {
    passes(&tool(Tool::Sam).await.program("sam"), &["validate", "--lint"]);
}

/// cfn-lint reads a workflow's definition only in a template without SAM's own types.
#[tokio::test]
async fn cfn_lint_finds_nothing_wrong_with_the_expanded_template_and_its_workflow() {
    let sam = tool(Tool::Sam).await;
    let folder = tempfile::tempdir().unwrap();
    let expanded = folder.path().join("template.json");
    let script = "tests/local-aws/tests/expand_template.py";
    let text = passes(&sam.program("python"), &[script]);
    assert!(
        text.contains("AWS::StepFunctions::StateMachine")
            && text.contains("StartGeneration")
            && text.contains("StartSegment")
    );
    fs::write(&expanded, text).unwrap();
    passes(&sam.program("cfn-lint"), &["--template", expanded.to_str().unwrap()]);
}
