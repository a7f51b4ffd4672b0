//! The emulator of the two ML services: built from this checkout and started on a free port of this machine.

use std::{
    fmt::Display,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use aws_sdk_sfn::primitives::{DateTime, DateTimeFormat as Format};
use emulator::{Config, config::ModelConfig};
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Error, Result, http,
    ministack::clean,
    process::{Process, guarded},
    progress::{Progress, Step},
    run::Run,
    sam::{cargo_teller, tell_cargo},
    workspace::{root, shield, target},
};

const BUILD_BOUND: Duration = Duration::from_mins(20);
const READY_BOUND: Duration = Duration::from_secs(30);

/// A call that the emulator received.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReceivedCall {
    /// The API's operation: `StartAudienceGenerationJob`.
    pub operation: String,
    /// When it came, as ISO 8601 has it.
    pub time: String,
    /// The name of the job or export it was about, where it has one.
    #[serde(default)]
    pub name: Option<String>,
    /// The HTTP status that it was answered with.
    pub status: u16,
}

impl ReceivedCall {
    /// When it came, as a clock has it.
    #[must_use]
    pub fn at(&self) -> Option<SystemTime> {
        DateTime::from_str(&self.time, Format::DateTime).ok()?.try_into().ok()
    }
}

/// A running emulator.
#[derive(Debug)]
pub(crate) struct Emulator {
    endpoint: String,
    _process: Process,
}

impl Emulator {
    /// Builds the binary.
    pub(crate) async fn build(log: &Path, progress: &dyn Progress) -> Result<()> {
        let mut cargo = guarded("cargo");
        // Named together, the two packages share what their dependencies are compiled with: for `cargo demo`, which has
        // compiled them already, little is left but linking.
        cargo
            .args(["build", "--package", "emulator", "--package", "local-aws", "--bin", "emulator"])
            .current_dir(root());
        shield(&mut cargo);
        tell_cargo(&mut cargo);
        Process::spawn("cargo build --bin emulator", cargo, log)?
            .finish(BUILD_BOUND, cargo_teller(Step::Emulator, progress))
            .await
    }

    /// Starts it with this configuration; what it exports, it writes to the S3 at `aws`.
    pub(crate) async fn start(run: &Run, configuration: &Configuration, aws: &str) -> Result<Self> {
        let file = run.folder().join("emulator.json");
        fs::write(&file, configuration.json.to_string()).map_err(|e| Error::file("write", &file, &e))?;
        let mut command = guarded(target().join("debug/emulator"));
        clean(&mut command, &run.scratch(), aws)?;
        command.args(["--listen", "127.0.0.1:0", "--config"]).arg(&file).current_dir(root());
        let mut process = Process::spawn("the emulator", command, &run.log("emulator"))?;
        let endpoint = process
            .until(READY_BOUND, async |log| {
                // Its first line is its address.
                let text = fs::read_to_string(log).ok()?;
                let (first, _) = text.split_once('\n')?;
                http::get(&format!("{first}/healthz")).await.map(|_| first.to_owned())
            })
            .await?;
        Ok(Self { endpoint, _process: process })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The calls that it has received, in order.
    pub(crate) async fn calls(&self) -> Result<Vec<ReceivedCall>> {
        self.get("_emulator/calls").await
    }

    /// Asks it something by hand, in JSON: what an AWS client could ask, or what none can.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let url = format!("{}/{path}", self.endpoint);
        let answer = http::send(Method::POST, &url, &[], body.to_string().into_bytes(), READY_BOUND).await?;
        if answer.body.is_empty() {
            return Ok((answer.status, Value::Null));
        }
        let json = serde_json::from_slice(&answer.body).map_err(|e| Error::new(format!("POST {url}: {e}")))?;
        Ok((answer.status, json))
    }

    /// What it answers at a path.
    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        let url = format!("{}/{path}", self.endpoint);
        let body = http::get(&url).await.ok_or_else(|| Error::new(format!("GET {url}: no answer")))?;
        serde_json::from_slice(&body).map_err(|e| Error::new(format!("GET {url}: {e}")))
    }
}

/// The emulator's configuration: `tests/data/emulator.json` with a JSON merge patch applied.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) json: Value,
    pub(crate) parsed: Config,
}

impl Configuration {
    pub(crate) fn patched(patch: &Value) -> Result<Self> {
        let file = Config::sample_path();
        let wrong = |e: &dyn Display| Error::new(format!("{} (with the options' patch): {e}", file.display()));
        let text = fs::read_to_string(&file).map_err(|e| wrong(&e))?;
        let mut json: Value = serde_json::from_str(&text).map_err(|e| wrong(&e))?;
        merge(&mut json, patch);
        // Paths in it start from its folder, and the patched one lies in another.
        let folder = file.parent().unwrap_or(Path::new("."));
        for list in ["models", "solutionVersions"] {
            for entry in json.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                for member in ["trainingData", "items"] {
                    if let Some(data) = entry[member].as_str().filter(|data| !data.starts_with("s3://")) {
                        entry[member] = folder.join(data).display().to_string().into();
                    }
                }
            }
        }
        let parsed: Config = serde_json::from_value(json.clone()).map_err(|e| wrong(&e))?;
        parsed.check().map_err(|e| wrong(&e))?;
        Ok(Self { json, parsed })
    }

    /// The model that the stack is deployed for.
    pub(crate) fn model(&self) -> Result<&ModelConfig> {
        self.parsed.models.first().ok_or_else(|| Error::new("the emulator's configuration has no model"))
    }
}

/// Applies a [merge patch](https://www.rfc-editor.org/rfc/rfc7396).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.as_str()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_sets_adds_and_removes_fields_and_leaves_the_others() {
        let mut value = json!({"kept": 1, "changed": {"a": 1, "b": 2}, "removed": 3});
        merge(&mut value, &json!({"changed": {"b": 4}, "added": {"c": 5}, "removed": null}));
        assert_eq!(value, json!({"kept": 1, "changed": {"a": 1, "b": 4}, "added": {"c": 5}}));
    }
}
