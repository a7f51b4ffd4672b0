//! Whoever builds a commit gets the bootstrap that was deployed of it.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use local_aws::{Environment, Tool, root};

/// The smallest function.
const FUNCTION: &str = "receive-upload";

fn runs(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// Builds what is committed as `sam build` does, below a folder that had nothing: sources, crates and target.
fn bootstrap(cargo_lambda: &Environment, folder: &Path) -> Vec<u8> {
    let (sources, crates, target) = (folder.join("sources"), folder.join("crates"), folder.join("target"));
    fs::create_dir_all(&sources).unwrap();
    let archive = folder.join("sources.tar");
    runs(Command::new("git").current_dir(root()).args(["archive", "--output"]).arg(&archive).arg("HEAD"));
    runs(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&sources));

    let mut path = vec![cargo_lambda.programs(), cargo_lambda.zig().unwrap()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    runs(
        Command::new("cargo")
            .args(["lambda", "build", "--release", "--locked", "--bin", FUNCTION])
            .current_dir(sources.join("functions").join(FUNCTION))
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("RUSTFLAGS", format!("--remap-path-prefix={}=/cargo", crates.display()))
            .env("CARGO_HOME", &crates)
            .env("CARGO_TARGET_DIR", &target),
    );
    fs::read(target.join("lambda").join(FUNCTION).join("bootstrap")).unwrap()
}

/// With the README's `RUSTFLAGS`, for panic messages name the files of crates below cargo's home.
#[tokio::test]
#[ignore = "two release builds, which take minutes: cargo reproduce"]
async fn two_builds_of_one_commit_are_the_same() {
    let cargo_lambda = Tool::CargoLambda.install().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let one = bootstrap(&cargo_lambda, &folder.path().join("one"));
    let other = bootstrap(&cargo_lambda, &folder.path().join("another/and/deeper"));
    assert!(one == other, "{} and {} bytes, and not the same", one.len(), other.len());
}
