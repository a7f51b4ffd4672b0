//! Checks a request before money is spent.
//!
//! Reads an execution's input (an upload or a request) and the stack's settings. Calls `s3:GetObject` on what the request
//! names, `GetConfiguredAudienceModel`, and `s3:PutObject` under `checked/`. Answers where the checked request is, what
//! later states need of it, and what was found in the seed or in a segment's input.

mod objects;
mod segment;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use lambda_runtime::tracing;
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{
    CheckedRun, CheckedSegment, Deadline, Engine, Execution, Input, Skipped, check_input_size, read_event,
};
use lookalike::files::RunFiles;
use lookalike::model::{DEFAULT_MIN_MATCHING_SEED_SIZE, Model};
use lookalike::request::{AudienceRequest, Defaults, ExportRequest, SeedSource, check_no_sql, request_of_metadata};
use lookalike::seed::SeedCount;
use lookalike::stack::{RawStackSettings, StackSettings};
use lookalike::upload::{Kind, Upload};
use lookalike::values::{ConfiguredAudienceModelArn, S3Uri};
use lookalike::{AudienceSize, Error, ErrorName, client, job, log};
use objects::{Objects, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct CheckRequest {
    aws: Aws,
    seed_bucket: String,
}

impl CheckRequest {
    /// Returns the function with clients of this configuration.
    ///
    /// # Errors
    /// If a variable is missing.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        environment: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        let aws = Aws { objects: Objects(client!(aws_sdk_s3, config)), ml: client!(aws_sdk_cleanroomsml, config) };
        Ok(Self { aws, seed_bucket: environment.required("SEED_BUCKET")? })
    }

    /// Opens the connections before the first event.
    pub async fn warm_up(&self) {
        let model = self.aws.ml.get_configured_audience_model().configured_audience_model_arn("-").customize();
        let object = self.aws.objects.0.get_object().bucket(&self.seed_bucket).key("-").customize();
        let _ = tokio::join!(model.interceptor(Knock).send(), object.interceptor(Knock).send());
    }

    /// Checks a request. `request_id` identifies this call of Lambda: a call that is late and its repetition write different
    /// files.
    ///
    /// # Errors
    /// If the request breaks a rule, or a service does not answer.
    pub async fn handle(&self, event: Value, request_id: &str) -> Result<Answer, Error> {
        // The future is large and deeply nested.
        Box::pin(check(event, &self.aws, &self.seed_bucket, request_id)).await
    }
}

struct Aws {
    objects: Objects,
    ml: aws_sdk_cleanroomsml::Client,
}

/// The stack that the run belongs to.
struct Stack<'s> {
    seed_bucket: &'s str,
    settings: StackSettings,
    files: RunFiles,
    request_id: &'s str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    /// `null` if it has too many characters.
    input: Value,
    input_characters: u64,
    execution: Execution,
    stack: RawStackSettings,
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
/// What it answers.
pub enum Answer {
    /// Of an audience run.
    Audience(CheckedRun),
    /// Of a segment run.
    Segment(CheckedSegment),
}

async fn check(event: Value, aws: &Aws, seed_bucket: &str, request_id: &str) -> Result<Answer, Error> {
    let Event { input, input_characters, execution, stack, engine } = read_event(event)?;
    log::about(&execution);
    check_input_size(input_characters)?;
    let files = RunFiles::new(engine, execution.start_time, &execution.name);
    let stack = Stack { seed_bucket, settings: stack.parse()?, files, request_id };
    match engine {
        Engine::Audience => run(input, &execution, aws, &stack).await.map(Answer::Audience),
        Engine::Segment => segment::check(input, &execution, &aws.objects, &stack).await.map(Answer::Segment),
    }
}

async fn run(input: Value, execution: &Execution, aws: &Aws, stack: &Stack<'_>) -> Result<CheckedRun, Error> {
    let defaults = Defaults { name: Some(job::name_of_execution(&execution.name)), ..stack.settings.defaults.clone() };
    let (input, version) = match Input::read(input)? {
        Input::Upload(upload) => request_of_upload(&upload, &aws.objects).await?,
        Input::Audience(request) => {
            check_no_sql(&request)?;
            (Input::Audience(request), Version::Latest)
        }
        input @ Input::Export(_) => (input, Version::Latest),
    };
    let run = match input {
        Input::Audience(request) => {
            let request = AudienceRequest::read(&request, &defaults)?;
            check_audience(request, &version, execution, aws, stack).await?
        }
        Input::Export(request) => checked_export(ExportRequest::read(&request, &defaults)?, execution, stack)?,
        Input::Upload(_) => return Err(Error::new(ErrorName::InvalidRequest, "A request file cannot be an upload.")),
    };
    tracing::info!(skipped = run.skipped.len(), "checked a request");
    Ok(run)
}

/// The request of an upload, and the version of its seed.
async fn request_of_upload(upload: &Upload, objects: &Objects) -> Result<(Input, Version), Error> {
    let place = S3Uri::new(&upload.bucket, &upload.key)
        .map_err(|problem| Error::new(ErrorName::InvalidRequest, format!("{}: {problem}.", upload.location())))?;
    let version = Version::of(upload);
    match upload.kind() {
        Some(Kind::Seed) => {
            let metadata = objects.metadata(&place, &version).await?;
            let metadata: BTreeMap<_, _> = metadata.into_iter().collect();
            Ok((Input::Audience(request_of_metadata(&place, &metadata)?), version))
        }
        Some(Kind::Request) => Ok((Input::of_request(objects.read_request(&place, &version).await?), Version::Latest)),
        Some(Kind::Segment) | None => {
            let message = format!("{place} asks for no audience: upload seeds under seeds/, requests under requests/.");
            Err(Error::new(ErrorName::InvalidRequest, message))
        }
    }
}

/// Checks everything that can be known before money is spent, and writes the checked request for the next state.
async fn check_audience(
    mut request: AudienceRequest,
    version: &Version,
    execution: &Execution,
    aws: &Aws,
    stack: &Stack<'_>,
) -> Result<CheckedRun, Error> {
    let objects = &aws.objects;
    request.check_sql_seed(stack.settings.allows_sql_seeds)?;
    let mut skipped = Vec::new();
    let arn = &request.configured_audience_model_arn;
    let is_own = execution.owns("configuredAudienceModelArn", arn.as_str())?;
    let model = if is_own { read_model(arn, &aws.ml).await? } else { None };
    match &model {
        Some(model) => model.check_sizes(&request.export)?,
        None => skipped.push(Skipped::Model),
    }
    let mut seed = None;
    if let SeedSource::DataSource(file) = &mut request.seed_audience.source {
        let place = file.s3_uri.clone();
        if place.bucket() == stack.seed_bucket {
            let copy = own_place(stack, &stack.files.checked_seed(stack.request_id))?;
            seed = Some(objects.copy_clean(&place, version, &copy, &acceptable(model.as_ref(), &place)).await?);
            file.s3_uri = copy;
        } else {
            seed = objects.check_seed(&place).await?;
            match &seed {
                Some(seed) => acceptable(model.as_ref(), &place)(seed)?,
                None => skipped.push(Skipped::Seed),
            }
        }
    }
    let place = own_place(stack, &stack.files.checked_request(stack.request_id))?;
    objects.write_request(&place, &request).await?;
    Ok(CheckedRun {
        name: request.name,
        checked_request: Some(place),
        audience_generation_job_arn: None,
        deadline: Deadline::new(execution.start_time, request.deadline_seconds),
        export: request.export,
        poll: stack.settings.poll,
        model_sizes: model.map(|model| model.sizes).filter(|sizes| !sizes.is_empty()),
        seed,
        skipped,
    })
}

/// Whether the model takes a seed of that many users.
fn acceptable(model: Option<&Model>, place: &S3Uri) -> impl Fn(&SeedCount) -> Result<(), Error> {
    move |seed| model.map_or(Ok(()), |model| model.check_seed(seed, place.as_str()))
}

/// A run that exports more sizes of an existing audience: the service alone checks the sizes.
fn checked_export(request: ExportRequest, execution: &Execution, stack: &Stack<'_>) -> Result<CheckedRun, Error> {
    execution.must_own("audienceGenerationJobArn", request.audience_generation_job_arn.as_str())?;
    Ok(CheckedRun {
        name: request.name,
        checked_request: None,
        audience_generation_job_arn: Some(request.audience_generation_job_arn),
        deadline: Deadline::new(execution.start_time, request.deadline_seconds),
        export: request.export,
        poll: stack.settings.poll,
        model_sizes: None,
        seed: None,
        skipped: vec![Skipped::Model],
    })
}

/// Reads a model of this account; `None` if the function may not.
async fn read_model(
    arn: &ConfiguredAudienceModelArn,
    ml: &aws_sdk_cleanroomsml::Client,
) -> Result<Option<Model>, Error> {
    let model = ml.get_configured_audience_model().configured_audience_model_arn(arn.as_str()).send().await;
    let model = match model.map_err(Error::from) {
        Ok(model) => model,
        Err(error) if error.name == ErrorName::AccessDenied => return Ok(None),
        Err(error) => {
            let error = error.doing(format_args!("reading the configured audience model {arn}"));
            let is_wrong = matches!(error.name, ErrorName::NotFound | ErrorName::InvalidRequest);
            return Err(if is_wrong { error.advising("Check configuredAudienceModelArn.") } else { error });
        }
    };
    let sizes = model.audience_size_config().map_or_else(Vec::new, |config| {
        let kind = (&config.audience_size_type).try_into();
        let size = |bin: &i32| AudienceSize::new(kind.clone().ok()?, i64::from(*bin)).ok();
        config.audience_size_bins.iter().filter_map(size).collect()
    });
    let least = model.min_matching_seed_size.and_then(|least| u64::try_from(least).ok());
    Ok(Some(Model { min_matching_seed_size: least.unwrap_or(DEFAULT_MIN_MATCHING_SEED_SIZE), sizes }))
}

fn own_place(stack: &Stack<'_>, key: &str) -> Result<S3Uri, Error> {
    S3Uri::new(stack.seed_bucket, key).map_err(|problem| Error::new(ErrorName::InvalidRequest, problem))
}

#[cfg(test)]
mod tests;
