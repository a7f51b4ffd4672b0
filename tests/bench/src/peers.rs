//! What is measured and what it is measured beside, built and installed where it is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::function::Function;

/// The bootstraps, as `cargo build` makes them of each alone: the features of one are not those of another.
pub(crate) fn build(packages: &[&str]) -> Result<(), Failure> {
    for package in packages {
        let mut cargo = Command::new("cargo");
        // What cargo tells this program would have build scripts run again.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_TARGET_DIR") {
            if name != "CARGO_HOME" {
                cargo.env_remove(name);
            }
        }
        cargo.current_dir(root()).args(["build", "--release", "--locked", "--quiet", "--package", package]);
        run(cargo)?;
    }
    Ok(())
}

/// A Python with boto3, in an environment of its own.
pub(crate) fn python(folder: &Path) -> Result<PathBuf, Failure> {
    let environment = folder.join("python");
    let (python, complete) = (environment.join("bin/python"), environment.join("complete"));
    if !complete.exists() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&environment);
        run(venv)?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]);
        pip.args(["--no-deps", "--requirement"]).arg(peers().join("requirements.txt"));
        run(pip)?;
        // Written last: an environment without it is an installation that did not come to its end.
        std::fs::write(complete, "")?;
    }
    Ok(python)
}

fn run(mut command: Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// The folder of the programs to compare with.
pub(crate) fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// A bootstrap of ours, asked what its sample event asks.
pub(crate) fn function(bootstraps: &Path, name: &'static str, expected: &'static str) -> Result<Function, Failure> {
    Ok(Function {
        name,
        program: bootstraps.join(name),
        arguments: Vec::new(),
        environment: vec![("STACK_NAME", "lookalike".to_owned()), ("SEED_BUCKET", "my-seeds".to_owned())],
        event: std::fs::read_to_string(root().join("tests/events").join(name).with_extension("json"))?,
        expected,
    })
}

/// The least that a function can do.
pub(crate) fn echo(bootstraps: &Path, start_generation: &Function) -> Function {
    Function {
        name: "echo",
        program: bootstraps.join("echo"),
        arguments: Vec::new(),
        environment: Vec::new(),
        event: start_generation.event.clone(),
        expected: "checkedRequest",
    }
}

/// `start-generation` in Python.
pub(crate) fn boto3(python: PathBuf, start_generation: &Function) -> Function {
    Function {
        name: "boto3",
        program: python,
        arguments: vec![peers().join("start_generation.py")],
        environment: start_generation.environment.clone(),
        event: start_generation.event.clone(),
        expected: start_generation.expected,
    }
}
