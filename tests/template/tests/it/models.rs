//! The pinned facts of AWS, in `data/`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

/// Resource types and condition keys by action, from the Service Authorization Reference.
pub(crate) static AUTHORIZATION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../data/authorization.json")).unwrap());

/// Limits of members, and the errors of Lambda's `Invoke`, from the service models.
pub(crate) static SERVICE_MODELS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../data/service-models.json")).unwrap());

/// Returns the limits of a member, such as `max`.
pub(crate) fn limits(member: &str) -> BTreeMap<String, Value> {
    let limits = SERVICE_MODELS["members"][member].clone();
    assert!(limits.is_object(), "add {member} to MEMBERS in pin.py and run it");
    serde_json::from_value(limits).unwrap()
}

#[test]
fn the_readme_of_the_data_names_its_versions_and_dates() {
    let readme = include_str!("../../data/README.md").replace('`', "");
    for data in [&*AUTHORIZATION, &*SERVICE_MODELS] {
        for name in ["source", "date"] {
            let text = data[name].as_str().unwrap();
            assert!(readme.contains(text), "data/README.md does not have {text}");
        }
    }
}
