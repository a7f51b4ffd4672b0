//! The local AWS: the whole stack on one machine, with Rust and Python 3 and nothing else.
//!
//! [`LocalAws::start`] installs pinned tools into the target folder, builds the functions with the real `sam build`,
//! starts `MiniStack` (S3, `EventBridge`, Step Functions, Lambda, IAM …) and the emulator of the two ML services, and
//! deploys the real `template.yaml` with the real `sam deploy`. Dropping it takes everything down; so does any other end
//! of the process. Nothing listens on more than this machine's loopback.
//!
//! | file | holds |
//! |---|---|
//! | `tools.rs` | the Python tools and their installation |
//! | `sam.rs` | `sam build` and `sam deploy` |
//! | `ministack.rs`, `emulator.rs` | the two servers |
//! | `history.rs` | executions and the states they enter |
//! | `process.rs` | child processes that cannot outlive us |
//! | `run.rs`, `workspace.rs` | the folders |
//! | `http.rs`, `error.rs`, `progress.rs` | requests, failures, and telling how far things are |
//! | `chaos.rs` | many uploads under random faults, and what must be true after them |
//! | `bin/demo/`, `bin/chaos.rs` | `cargo demo`, `cargo chaos` |

pub mod chaos;
mod emulator;
mod error;
mod history;
mod http;
mod ministack;
mod process;
mod progress;
mod run;
mod sam;
mod tools;
mod workspace;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use aws_sdk_s3::{
    config::{BehaviorVersion, Credentials, Region, timeout::TimeoutConfig},
    presigning::PresigningConfig,
};
use serde_json::{Value, json};

pub use crate::{
    emulator::ReceivedCall,
    error::{Error, Result},
    history::{Entered, Execution},
    ministack::{ACCESS_KEY, Invocation, REGION, Throttle},
    progress::{Lines, Progress, State, Step},
    sam::{Build, BuildOptions, STACK},
    tools::{Environment, Tool},
    workspace::{root, target},
};
use crate::{
    emulator::{Configuration, Emulator},
    ministack::{Function, MiniStack},
    run::Run,
};

/// The bucket that `sam deploy` uploads to.
const ARTIFACTS: &str = "lookalike-artifacts";

/// How the local AWS is brought up.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the functions are built. Those of another architecture than this machine's cannot run here.
    pub build: BuildOptions,
    /// What Step Functions' waits and retry intervals take of their time: 0.1 is a tenth.
    pub wait_scale: f64,
    /// A JSON merge patch for the emulator's configuration, which is `tests/data/emulator.json`.
    pub emulator: Value,
    /// Template parameters besides those that point at the emulator and its sample model.
    pub parameters: BTreeMap<String, String>,
    /// How Step Functions throttles starts, if it does.
    pub throttle: Option<Throttle>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            build: BuildOptions::default(),
            wait_scale: 1.0,
            emulator: json!({}),
            parameters: BTreeMap::new(),
            throttle: None,
        }
    }
}

impl Options {
    /// Sets a template parameter.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.insert(name.to_owned(), value.into());
        self
    }
}

/// The running stack. It may be shared by all tests of a binary, in a static too: its processes end with ours.
#[derive(Debug)]
pub struct LocalAws {
    // Dropped in this order: the servers before the folder that they write to.
    ministack: MiniStack,
    emulator: Emulator,
    configuration: Configuration,
    outputs: BTreeMap<String, String>,
    functions: Vec<Function>,
    run: Run,
}

impl LocalAws {
    /// Brings everything up.
    pub async fn start(options: &Options, progress: &dyn Progress) -> Result<Self> {
        if !cfg!(target_os = "linux") {
            return Err(Error::new(
                "the local AWS runs the functions natively, so it needs Linux: use a container or a virtual machine",
            ));
        }
        let run = Run::begin()?;
        let configuration = Configuration::patched(&options.emulator)?;

        let (emulator_log, build_log) = (run.log("emulator-build"), run.log("sam-build"));
        let (tools, ()) = tokio::try_join!(
            timed(Step::Tools, progress, install(progress)),
            timed(Step::Emulator, progress, Emulator::build(&emulator_log, progress)),
        )?;
        let [ministack, sam, cargo_lambda] = &tools;
        let (build, (ministack, emulator)) = tokio::try_join!(
            timed(Step::Functions, progress, sam::build(sam, cargo_lambda, &options.build, &build_log, progress)),
            timed(Step::Boot, progress, boot(ministack, &run, options, &configuration)),
        )?;
        let outputs = timed(Step::Deploy, progress, async {
            prepare(ministack.endpoint(), &configuration).await?;
            let parameters = parameters(options, &configuration, &emulator)?;
            sam::deploy(sam, &build, ministack.endpoint(), ARTIFACTS, &parameters, &run.log("sam-deploy"), progress)
                .await
        })
        .await?;
        let functions = ministack.functions().await?;
        Ok(Self { ministack, emulator, configuration, outputs, functions, run })
    }

    /// Where the local AWS listens: `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.ministack.endpoint()
    }

    /// Where the emulator of the ML services listens.
    #[must_use]
    pub fn emulator_endpoint(&self) -> &str {
        self.emulator.endpoint()
    }

    /// The folder of this run's logs.
    #[must_use]
    pub fn logs(&self) -> &Path {
        self.run.folder()
    }

    /// The configuration that the emulator runs with.
    #[must_use]
    pub fn emulator_configuration(&self) -> &::emulator::Config {
        &self.configuration.parsed
    }

    /// An output of the stack.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            let known: Vec<_> = self.outputs.keys().map(String::as_str).collect();
            Error::new(format!("the stack has no output {name}, only {}", known.join(", ")))
        })
    }

    /// A new client of S3. (One a test: a client's connections end with the runtime that opened them.)
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        s3(self.endpoint())
    }

    /// A new client of Step Functions.
    #[must_use]
    pub fn sfn(&self) -> aws_sdk_sfn::Client {
        let config = aws_sdk_sfn::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials())
            .endpoint_url(self.endpoint())
            .timeout_config(patient())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        aws_sdk_sfn::Client::from_conf(config)
    }

    /// Uploads an object to the seed bucket.
    pub async fn upload(&self, key: &str, body: impl Into<Vec<u8>>, metadata: &[(&str, &str)]) -> Result<()> {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.s3()
            .put_object()
            .bucket(self.output("SeedBucketName")?)
            .key(key)
            .set_metadata(Some(metadata))
            .body(body.into().into())
            .send()
            .await
            .map_err(|e| Error::call(&format!("PutObject {key}"), e))?;
        Ok(())
    }

    /// Reads an object by its `s3://` address.
    pub async fn read(&self, uri: &str) -> Result<Vec<u8>> {
        let (bucket, key) = split(uri)?;
        let failed = |e: String| Error::new(format!("cannot read {uri}: {e}"));
        let object = self.s3().get_object().bucket(bucket).key(key).send().await;
        let object = object.map_err(|e| Error::call(&format!("cannot read {uri}"), e))?;
        let body = object.body.collect().await.map_err(|e| failed(e.to_string()))?;
        Ok(body.to_vec())
    }

    /// A web address of an object, good for a day.
    pub async fn web_address(&self, uri: &str) -> Result<String> {
        let (bucket, key) = split(uri)?;
        let failed = |e: String| Error::new(format!("cannot make a web address of {uri}: {e}"));
        let day = PresigningConfig::expires_in(Duration::from_hours(24)).map_err(|e| failed(e.to_string()))?;
        let signed = self.s3().get_object().bucket(bucket).key(key).presigned(day).await;
        Ok(signed.map_err(|e| failed(e.to_string()))?.uri().to_owned())
    }

    /// The `s3://` addresses of all objects that begin with one.
    pub async fn list(&self, uri: &str) -> Result<Vec<String>> {
        let (bucket, prefix) = split(uri)?;
        let mut pages = self.s3().list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| Error::call(&format!("cannot list {uri}"), e))?;
            found.extend(
                page.contents().iter().filter_map(|object| object.key()).map(|key| format!("s3://{bucket}/{key}")),
            );
        }
        Ok(found)
    }

    /// Sends a message to a queue, by the logical id of the queue (`UploadQueue`).
    pub async fn send_message(&self, logical_id: &str, body: &Value) -> Result<()> {
        self.ministack.send_message(&self.queue(logical_id).await?, &body.to_string()).await
    }

    /// Returns how many messages a queue has, visible or not, by its logical id (`DeadLetterQueue`).
    pub async fn messages(&self, logical_id: &str) -> Result<usize> {
        self.ministack.messages(&self.queue(logical_id).await?).await
    }

    /// Waits until a queue has no messages, by its logical id.
    pub async fn wait_for_empty_queue(&self, logical_id: &str, bound: Duration) -> Result<()> {
        let started = Instant::now();
        loop {
            let messages = self.messages(logical_id).await?;
            if messages == 0 {
                return Ok(());
            }
            if started.elapsed() > bound {
                let seconds = bound.as_secs();
                return Err(Error::new(format!("{logical_id} has {messages} messages after {seconds} s")));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The URL of a queue: the template leaves its name to `CloudFormation`.
    async fn queue(&self, logical_id: &str) -> Result<String> {
        self.ministack.queue(&format!("{STACK}-{logical_id}-")).await
    }

    /// Invokes a function by its logical id (`PublishOutcomeFunction`).
    pub async fn invoke(&self, logical_id: &str, payload: &Value) -> Result<Invocation> {
        self.ministack.invoke(&self.function(logical_id)?.name, payload).await
    }

    /// What a function has written to its log, in order, by its logical id.
    pub async fn log(&self, logical_id: &str) -> Result<Vec<String>> {
        self.ministack.log(&self.function(logical_id)?.log_group).await
    }

    /// The calls that the ML services received, in order.
    pub async fn calls(&self) -> Result<Vec<ReceivedCall>> {
        self.emulator.calls().await
    }

    /// What the emulator answers at a path: `_emulator/jobs` (all that was started), `audience-generation-job` (the list).
    pub async fn emulator(&self, path: &str) -> Result<Value> {
        self.emulator.get(path).await
    }

    /// Asks the emulator something past the stack (`audience-generation-job`, `_emulator/age`): the status and the answer.
    pub async fn ask_emulator(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        self.emulator.post(path, body).await
    }

    /// The executions of the audience workflow, the newest first, and whether each has ended.
    pub async fn executions(&self) -> Result<Vec<(String, bool)>> {
        history::list_ended(&self.sfn(), self.output("AudienceStateMachineArn")?).await
    }

    /// The executions that uploads of this key started, the newest first.
    pub async fn executions_of_upload(&self, key: &str) -> Result<Vec<Execution>> {
        history::of_upload(&self.sfn(), self.workflow_of(key)?, key).await
    }

    /// Waits until an upload of this key has started an execution.
    pub async fn wait_for_upload(&self, key: &str, bound: Duration) -> Result<Execution> {
        history::wait_for_upload(&self.sfn(), self.workflow_of(key)?, key, bound).await
    }

    /// The state machine that uploads of this key start.
    fn workflow_of(&self, key: &str) -> Result<&str> {
        let is_segment = key.starts_with("segments/");
        self.output(if is_segment { "SegmentStateMachineArn" } else { "AudienceStateMachineArn" })
    }

    /// An execution as it is now.
    pub async fn execution(&self, arn: &str) -> Result<Execution> {
        history::describe(&self.sfn(), arn).await
    }

    /// Waits until an execution has ended, well or not.
    pub async fn wait_for_execution(&self, arn: &str, bound: Duration) -> Result<Execution> {
        history::wait(&self.sfn(), arn, bound).await
    }

    /// The states that an execution has entered, in order.
    pub async fn history(&self, arn: &str) -> Result<Vec<Entered>> {
        history::history(&self.sfn(), arn).await
    }

    /// A function: the template leaves its name to `CloudFormation`, which takes the logical id into it.
    fn function(&self, logical_id: &str) -> Result<&Function> {
        let part = format!("{STACK}-{logical_id}-");
        self.functions.iter().find(|function| function.name.starts_with(&part)).ok_or_else(|| {
            let known: Vec<_> = self.functions.iter().map(|function| function.name.as_str()).collect();
            Error::new(format!("the stack has no function {logical_id}, only {}", known.join(", ")))
        })
    }
}

/// Runs a step, and tells its beginning and its end.
async fn timed<T>(step: Step, progress: &dyn Progress, work: impl Future<Output = Result<T>>) -> Result<T> {
    let started = Instant::now();
    progress.tell(step, &State::Begun);
    let done = work.await?;
    progress.tell(step, &State::Done(started.elapsed()));
    Ok(done)
}

async fn install(progress: &dyn Progress) -> Result<[Environment; 3]> {
    let tell = |line: &str| {
        // `Collecting boto3==1.43.106 (from …)`
        if let Some(package) = line.trim_start().strip_prefix("Collecting ") {
            progress.tell(Step::Tools, &State::At(package.split([' ', '=']).next().unwrap_or(package)));
        }
    };
    let [ministack, sam, cargo_lambda] = Tool::LOCAL_AWS.map(|tool| tool.install_telling(tell));
    let (ministack, sam, cargo_lambda) = tokio::try_join!(ministack, sam, cargo_lambda)?;
    Ok([ministack, sam, cargo_lambda])
}

async fn boot(
    tools: &Environment,
    run: &Run,
    options: &Options,
    configuration: &Configuration,
) -> Result<(MiniStack, Emulator)> {
    let ministack = MiniStack::start(tools, run, options.wait_scale, options.throttle).await?;
    let emulator = Emulator::start(run, configuration, ministack.endpoint()).await?;
    Ok((ministack, emulator))
}

/// Makes the buckets that are not the stack's: for `sam deploy`, and the one that the sample model exports to.
async fn prepare(endpoint: &str, configuration: &Configuration) -> Result<()> {
    let s3 = s3(endpoint);
    for bucket in [ARTIFACTS, configuration.model()?.output_s3_uri.bucket()] {
        s3.create_bucket()
            .bucket(bucket)
            .send()
            .await
            .map_err(|e| Error::call(&format!("CreateBucket {bucket}"), e))?;
    }
    Ok(())
}

fn parameters(
    options: &Options,
    configuration: &Configuration,
    emulator: &Emulator,
) -> Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::from([
        ("CleanRoomsMlEndpoint".to_owned(), emulator.endpoint().to_owned()),
        ("PersonalizeEndpoint".to_owned(), emulator.endpoint().to_owned()),
        ("ConfiguredAudienceModelArn".to_owned(), configuration.model()?.configured_audience_model_arn.to_string()),
    ]);
    parameters.extend(options.parameters.clone());
    Ok(parameters)
}

/// The bucket and the key of an `s3://` address.
fn split(uri: &str) -> Result<(&str, &str)> {
    let rest = uri.strip_prefix("s3://").ok_or_else(|| Error::new(format!("{uri:?} does not begin with s3://")))?;
    Ok(rest.split_once('/').unwrap_or((rest, "")))
}

fn credentials() -> Credentials {
    Credentials::new(ACCESS_KEY.0, ACCESS_KEY.1, None, None, "local AWS")
}

/// With hundreds of runs in its one process, the local AWS takes no new connection for seconds.
fn patient() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(Duration::from_mins(1)).build()
}

fn s3(endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .timeout_config(patient())
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
