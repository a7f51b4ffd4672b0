//! What comes from others: the crates that `deny.toml` allows.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use local_aws::{Tool, root};

#[tokio::test]
async fn the_crates_are_those_that_deny_toml_allows() {
    let output = Command::new(Tool::CargoDeny.install().await.unwrap().program("cargo-deny"))
        .args(["--locked", "--offline", "check", "--deny", "warnings", "bans", "licenses", "sources"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
