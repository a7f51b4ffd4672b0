//! The template as CloudFormation gets it, for many parameter values. One Python process expands them all.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, OnceLock};

use local_aws::{Environment, Tool, root};
use serde_json::{Value, json};

use crate::parameters::{Parameter, TABLE, Values};

/// Changes of a function that publishes versions. The first is a change of its code.
pub(crate) const EDITS: [(&str, &str); 6] = [
    ("CodeUri", "s3://artifacts/other-code.zip"),
    ("Description", "another description"),
    ("MemorySize", "3008"),
    ("Timeout", "17"),
    ("Handler", "another-handler"),
    ("Environment.Variables.ANOTHER_VARIABLE", "value"),
];

/// What `expand.py` returns.
pub(crate) struct Expansion {
    sets: BTreeMap<Values, Value>,
    /// The template after each of [`EDITS`].
    pub(crate) edits: Vec<Value>,
    /// The create-only properties of each resource type.
    pub(crate) create_only: BTreeMap<String, Vec<String>>,
}

impl Expansion {
    /// Returns the template for parameter values of the table.
    pub(crate) fn template(&self, values: &Values) -> &Value {
        self.sets.get(values).unwrap_or_else(|| panic!("add {values:?} to `sets` in expansion.rs"))
    }
}

/// Returns the virtual environment of the SAM CLI, which has its translator, cfn-lint, botocore and jsonschema.
pub(crate) fn sam() -> &'static Environment {
    static SAM: OnceLock<Environment> = OnceLock::new();
    SAM.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Tool::Sam.install()).unwrap()
    })
}

/// Runs a script of this crate with its standard input, and returns its standard output.
pub(crate) fn python(script: &str, input: &Value) -> Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), script].iter().collect();
    let mut child = Command::new(sam().program("python"))
        .arg(path)
        .current_dir(root())
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sets of values that tests may ask for: the defaults, each value of each parameter alone, and all together.
fn sets() -> Vec<Values> {
    let mut sets = vec![Parameter::defaults(), Parameter::all_set()];
    for parameter in &TABLE {
        sets.extend(parameter.values.iter().map(|value| parameter.set_to(value)));
    }
    sets
}

/// The expansions of the template.
pub(crate) static EXPANSION: LazyLock<Expansion> = LazyLock::new(|| {
    let sets = sets();
    let mut answer = python("expand.py", &json!({"sets": sets, "edits": EDITS}));
    let mut list = |name: &str| answer[name].as_array_mut().map(std::mem::take).unwrap();
    let (expanded, edits) = (list("sets"), list("edits"));
    let create_only = serde_json::from_value(answer["createOnly"].take()).unwrap();
    Expansion { sets: sets.into_iter().zip(expanded).collect(), edits, create_only }
});
