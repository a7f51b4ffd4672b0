//! Reads an execution's input, an upload or a request; calls `s3:GetObject` on what it names,
//! `GetConfiguredAudienceModel` and `s3:PutObject` under `checked/`; answers where the checked request lies, what later
//! states need of it, and what was found in the seed or in a segment's input.

mod objects;
mod segment;

use std::collections::BTreeMap;

use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{
    CheckedRun, CheckedSegment, Deadline, Engine, Execution, Input, Skipped, checked_request_key, checked_seed_key,
    read_event,
};
use lookalike::model::{DEFAULT_MIN_MATCHING_SEED_SIZE, Model};
use lookalike::request::{AudienceRequest, Defaults, ExportRequest, SeedSource, request_of_metadata};
use lookalike::seed::SeedCount;
use lookalike::segment_request::SegmentDefaults;
use lookalike::upload::{Kind, Upload};
use lookalike::values::{ConfiguredAudienceModelArn, S3Uri};
use lookalike::{AudienceSize, Error, ErrorName, client, job, log};
use objects::{Objects, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let stack = Stack::of(&environment)?;
    let config = client::config().await;
    let objects = Objects(client!(aws_sdk_s3, &config));
    let ml = client!(aws_sdk_cleanroomsml, &config);
    let model = ml.get_configured_audience_model().configured_audience_model_arn("-").customize();
    let object = objects.0.get_object().bucket(&stack.seed_bucket).key("-").customize();
    let _ = tokio::join!(model.interceptor(Knock).send(), object.interceptor(Knock).send());
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| check(event, &objects, &ml, &stack));
    lambda_runtime::run(service_fn(handle)).await
}

/// What the stack says where a request does not.
struct Stack {
    seed_bucket: String,
    defaults: Defaults,
    segment_defaults: SegmentDefaults,
}

impl Stack {
    fn of<L: Fn(&str) -> Option<String>>(environment: &Environment<L>) -> Result<Self, EnvironmentError> {
        let defaults = Defaults {
            name: None,
            configured_audience_model_arn: Some(environment.required("CONFIGURED_AUDIENCE_MODEL_ARN")?),
            role_arn: Some(environment.required("SEED_ROLE_ARN")?),
            collaboration_id: environment.optional("COLLABORATION_ID")?,
            export: Some(environment.required("EXPORT_POLICY")?),
            deadline_seconds: Some(environment.required("DEADLINE_SECONDS")?),
        };
        let segment_defaults = SegmentDefaults {
            job_name: None,
            role_arn: environment.optional("SEGMENT_ROLE_ARN")?,
            deadline_seconds: defaults.deadline_seconds,
        };
        Ok(Self { seed_bucket: environment.required("SEED_BUCKET")?, defaults, segment_defaults })
    }
}

#[derive(Deserialize)]
struct Event {
    input: Value,
    execution: Execution,
    #[serde(default)]
    engine: Engine,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Audience(CheckedRun),
    Segment(CheckedSegment),
}

async fn check(
    event: Value,
    objects: &Objects,
    ml: &aws_sdk_cleanroomsml::Client,
    stack: &Stack,
) -> Result<Answer, Error> {
    let Event { input, execution, engine } = read_event(event)?;
    log::about(&execution);
    match engine {
        Engine::Audience => run(input, &execution, objects, ml, stack).await.map(Answer::Audience),
        Engine::Segment => segment::check(input, &execution, objects, stack).await.map(Answer::Segment),
    }
}

async fn run(
    input: Value,
    execution: &Execution,
    objects: &Objects,
    ml: &aws_sdk_cleanroomsml::Client,
    stack: &Stack,
) -> Result<CheckedRun, Error> {
    let defaults = Defaults { name: Some(job::name_of_execution(&execution.name)), ..stack.defaults.clone() };
    let (input, version) = match Input::read(input)? {
        Input::Upload(upload) => request_of_upload(&upload, objects).await?,
        input => (input, Version::Latest),
    };
    let run = match input {
        Input::Audience(request) => {
            let request = AudienceRequest::read(&request, &defaults)?;
            check_audience(request, &version, execution, objects, ml, stack).await?
        }
        Input::Export(request) => checked_export(ExportRequest::read(&request, &defaults)?, execution),
        Input::Upload(_) => return Err(Error::new(ErrorName::InvalidRequest, "A request file cannot be an upload.")),
    };
    tracing::info!(skipped = run.skipped.len(), "checked a request");
    Ok(run)
}

/// What an upload asks for, and the version of the seed that it means.
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

/// Checks what can be known before money is spent, and writes the checked request where the next state finds it.
async fn check_audience(
    mut request: AudienceRequest,
    version: &Version,
    execution: &Execution,
    objects: &Objects,
    ml: &aws_sdk_cleanroomsml::Client,
    stack: &Stack,
) -> Result<CheckedRun, Error> {
    let mut skipped = Vec::new();
    let model = read_model(&request.configured_audience_model_arn, ml).await?;
    match &model {
        Some(model) => model.check_sizes(&request.export)?,
        None => skipped.push(Skipped::Model),
    }
    let mut seed = None;
    if let SeedSource::DataSource(file) = &mut request.seed_audience.source {
        let place = file.s3_uri.clone();
        if place.bucket() == stack.seed_bucket {
            let copy = own_place(stack, &checked_seed_key(&execution.name))?;
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
    let place = own_place(stack, &checked_request_key(&execution.name))?;
    objects.write_request(&place, &request).await?;
    Ok(CheckedRun {
        name: request.name,
        checked_request: Some(place),
        audience_generation_job_arn: None,
        deadline: Deadline::new(execution.start_time, request.deadline_seconds),
        export: request.export,
        model_sizes: model.map(|model| model.sizes).filter(|sizes| !sizes.is_empty()),
        seed,
        skipped,
    })
}

/// Whether the model takes a seed of that many users.
fn acceptable(model: Option<&Model>, place: &S3Uri) -> impl Fn(&SeedCount) -> Result<(), Error> {
    move |seed| model.map_or(Ok(()), |model| model.check_seed(seed, place.as_str()))
}

/// A run that exports more of an audience that exists: its sizes are checked by the service alone.
fn checked_export(request: ExportRequest, execution: &Execution) -> CheckedRun {
    CheckedRun {
        name: request.name,
        checked_request: None,
        audience_generation_job_arn: Some(request.audience_generation_job_arn),
        deadline: Deadline::new(execution.start_time, request.deadline_seconds),
        export: request.export,
        model_sizes: None,
        seed: None,
        skipped: vec![Skipped::Model],
    }
}

/// Reads the model, where this account may: it often belongs to another.
async fn read_model(
    arn: &ConfiguredAudienceModelArn,
    ml: &aws_sdk_cleanroomsml::Client,
) -> Result<Option<Model>, Error> {
    let model = ml.get_configured_audience_model().configured_audience_model_arn(arn.as_str()).send().await;
    let model = match model.map_err(Error::from) {
        Ok(model) => model,
        Err(error) if error.name == ErrorName::AccessDenied => return Ok(None),
        Err(error) => return Err(error.doing(format_args!("reading the configured audience model {arn}"))),
    };
    let sizes = model.audience_size_config().map_or_else(Vec::new, |config| {
        let kind = (&config.audience_size_type).try_into();
        let size = |bin: &i32| AudienceSize::new(kind.clone().ok()?, i64::from(*bin)).ok();
        config.audience_size_bins.iter().filter_map(size).collect()
    });
    let least = model.min_matching_seed_size.and_then(|least| u64::try_from(least).ok());
    Ok(Some(Model { min_matching_seed_size: least.unwrap_or(DEFAULT_MIN_MATCHING_SEED_SIZE), sizes }))
}

fn own_place(stack: &Stack, key: &str) -> Result<S3Uri, Error> {
    S3Uri::new(&stack.seed_bucket, key).map_err(|problem| Error::new(ErrorName::InvalidRequest, problem))
}

#[cfg(test)]
mod tests;
