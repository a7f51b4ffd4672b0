//! What comes from others: the crates that `deny.toml` allows, and those of them that are deployed.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use local_aws::{Tool, root};
use serde_json::Value;

#[tokio::test]
async fn the_crates_are_those_that_deny_toml_allows() {
    let output = Command::new(Tool::CargoDeny.install().await.unwrap().program("cargo-deny"))
        // Not offline: of crates for other platforms, a new machine has fetched none.
        .args(["--locked", "check", "--deny", "warnings", "bans", "licenses", "sources"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_bill_of_materials_lists_what_is_deployed() {
    let path = sbom::write().unwrap();
    let sbom: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let component = |name: &str| sbom["components"].as_array().unwrap().iter().find(|c| c["name"] == name);

    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["aws-sdk-cleanroomsml", "lambda_runtime", "rustls"] {
        let (_, locked) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).unwrap();
        let component = component(name).unwrap();
        let version = component["version"].as_str().unwrap();
        assert!(locked.starts_with(&format!("{version}\"")), "{name} {version}");
        assert_eq!(component["purl"], format!("pkg:cargo/{name}@{version}"));
        assert!(
            locked.split("[[package]]").next().unwrap().contains(component["hashes"][0]["content"].as_str().unwrap())
        );
    }
    for function in fs::read_dir(root().join("functions")).unwrap() {
        let name = function.unwrap().file_name().into_string().unwrap();
        assert_eq!(component(&name).unwrap()["type"], "application");
    }
    // Of tests, of builds, and what only the SDK's test-util asks for.
    for name in ["arbtest", "criterion", "proptest", "syn", "aws-smithy-protocol-test", "emulator"] {
        assert!(component(name).is_none(), "{name}");
    }

    let validate = "import sys; from cyclonedx.schema import SchemaVersion; \
                    from cyclonedx.validation.json import JsonStrictValidator; \
                    sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()))";
    let output = Command::new(Tool::CycloneDx.install().await.unwrap().program("python"))
        .args(["-c", validate])
        .arg(&path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
