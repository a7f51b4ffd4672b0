//! Reads where the checked request lies, calls `StartAudienceGenerationJob` (and `ListAudienceGenerationJobs` where a
//! job may be there already), answers `audienceGenerationJobArn` and the name that the job bears.

use std::time::SystemTime;

use aws_sdk_cleanroomsml::types::{
    AudienceGenerationJobDataSource, ComputeConfiguration, ProtectedQuerySqlParameters, S3ConfigMap,
    WorkerComputeConfiguration, WorkerComputeConfigurationProperties, WorkerComputeType,
};
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::client::Knock;
use lookalike::environment::Environment;
use lookalike::execution::{Attempt, Deadline, Execution, Moment, read_event};
use lookalike::job::{self, Listed};
use lookalike::once::{Found, Started, start_once};
use lookalike::request::{AudienceRequest, Defaults, SeedAudience, SeedSource, SqlComputeConfiguration, SqlText};
use lookalike::values::{JobName, S3Uri};
use lookalike::{Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let stack: String = environment.required("STACK_NAME")?;
    let seed_bucket: Option<String> = environment.optional("SEED_BUCKET")?;
    let config = client::config().await;
    let aws = Aws { s3: client!(aws_sdk_s3, &config), ml: client!(aws_sdk_cleanroomsml, &config) };
    let list = aws.ml.list_audience_generation_jobs().customize();
    // Each bucket is a host of its own.
    let object = aws.s3.get_object().set_bucket(seed_bucket).key("-").customize();
    let _ = tokio::join!(list.interceptor(Knock).send(), object.interceptor(Knock).send());
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| start(event, &aws, &stack));
    lambda_runtime::run(service_fn(handle)).await
}

struct Aws {
    s3: aws_sdk_s3::Client,
    ml: aws_sdk_cleanroomsml::Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    checked_request: S3Uri,
    deadline: Deadline,
    execution: Execution,
    attempt: Attempt,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    audience_generation_job_arn: String,
    name: JobName,
}

async fn start(event: Value, aws: &Aws, stack: &str) -> Result<Answer, Error> {
    let event: Event = read_event(event)?;
    log::about(&event.execution);
    let request = fetch(&event.checked_request, &aws.s3).await?;
    event.deadline.allow(SystemTime::now().into(), format_args!("Audience generation job {}", request.name))?;
    let Started { job, name, was_there } = start_once(
        &job::names_to_try(&request.name, &event.execution),
        event.attempt,
        async |name| find(name, &request, &event.execution, &aws.ml).await,
        async |name| begin(name, &request, &event.execution, &aws.ml, stack).await,
    )
    .await?;
    tracing::info!(was_there, "started the generation");
    Ok(Answer { audience_generation_job_arn: job, name })
}

/// Reads the request that `check-request` wrote.
async fn fetch(place: &S3Uri, s3: &aws_sdk_s3::Client) -> Result<AudienceRequest, Error> {
    let reading = format!("reading {place}");
    let object = s3.get_object().bucket(place.bucket()).key(place.key()).send().await;
    let object = object.map_err(|error| Error::from(error).doing(&reading))?;
    let broken = |what: &str| Error::new(ErrorName::ServiceUnavailable, format!("{what}.")).doing(&reading);
    let bytes = object.body.collect().await.map_err(|_| broken("the transfer broke off"))?.into_bytes();
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| broken("the checked request is no JSON"))?;
    Ok(AudienceRequest::read(&value, &Defaults::default())?)
}

/// Starts the job, once: the SDK must not repeat a call whose outcome it does not know.
async fn begin(
    name: &JobName,
    request: &AudienceRequest,
    execution: &Execution,
    ml: &aws_sdk_cleanroomsml::Client,
    stack: &str,
) -> Result<String, Error> {
    let never_repeat = aws_sdk_cleanroomsml::config::Config::builder().retry_config(client::never_repeat());
    let started = ml
        .start_audience_generation_job()
        .name(name.as_str())
        .configured_audience_model_arn(request.configured_audience_model_arn.as_str())
        .seed_audience(seed_audience(&request.seed_audience)?)
        .set_include_seed_in_output(request.include_seed_in_output)
        .set_collaboration_id(request.collaboration_id.clone().map(String::from))
        .set_description(request.description.clone().map(String::from))
        .set_tags(Some(request.tags.clone().into_iter().chain(job::own_tags(stack, execution)).collect()))
        .customize()
        .config_override(never_repeat)
        .send()
        .await;
    let secrets = match &request.seed_audience.source {
        SeedSource::SqlParameters(sql) => sql.secrets().collect(),
        SeedSource::DataSource(_) => Vec::new(),
    };
    let started = started.map_err(|error| {
        Error::from(error).without(secrets).doing(format_args!("starting audience generation job {name}"))
    })?;
    Ok(started.audience_generation_job_arn)
}

/// Looks through all pages for the job that bears a name.
async fn find(
    name: &JobName,
    request: &AudienceRequest,
    execution: &Execution,
    ml: &aws_sdk_cleanroomsml::Client,
) -> Result<Found<String>, Error> {
    let mut pages = ml.list_audience_generation_jobs().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| Error::from(error).doing(format_args!("looking for audience generation job {name}")))?;
        if let Some(found) = page.audience_generation_jobs.iter().find(|job| job.name == name.as_str()) {
            let listed = Listed {
                create_time: Moment::from(found.create_time),
                asked: vec![
                    ("configuredAudienceModelArn", Some(&found.configured_audience_model_arn)),
                    ("collaborationId", found.collaboration_id()),
                    ("description", found.description().filter(|text| !text.is_empty())),
                ],
            };
            let arn = found.audience_generation_job_arn.clone();
            return listed.found(arn, name, execution, &job::wanted_generation(request));
        }
    }
    Ok(Found::Nothing)
}

fn seed_audience(seed: &SeedAudience) -> Result<AudienceGenerationJobDataSource, Error> {
    let builder = AudienceGenerationJobDataSource::builder().role_arn(seed.role_arn.as_str());
    let incomplete = |error| Error::new(ErrorName::InvalidRequest, format!("seedAudience: {error}"));
    let builder = match &seed.source {
        SeedSource::DataSource(file) => {
            let file = S3ConfigMap::builder().s3_uri(file.s3_uri.as_str()).build().map_err(incomplete)?;
            builder.data_source(file)
        }
        SeedSource::SqlParameters(sql) => {
            let text = ProtectedQuerySqlParameters::builder();
            let text = match &sql.text {
                SqlText::QueryString(query) => text.query_string(query),
                SqlText::AnalysisTemplateArn(arn) => text.analysis_template_arn(arn.as_str()),
            };
            let parameters = (!sql.parameters.is_empty()).then(|| sql.parameters.clone().into_iter().collect());
            builder.sql_parameters(text.set_parameters(parameters).build())
        }
    };
    let compute = seed.sql_compute_configuration.as_ref().map(compute);
    builder.set_sql_compute_configuration(compute).build().map_err(incomplete)
}

fn compute(SqlComputeConfiguration { worker }: &SqlComputeConfiguration) -> ComputeConfiguration {
    let properties = worker
        .properties
        .as_ref()
        .map(|properties| WorkerComputeConfigurationProperties::Spark(properties.spark.clone().into_iter().collect()));
    ComputeConfiguration::Worker(
        WorkerComputeConfiguration::builder()
            .set_type(worker.kind.map(|kind| WorkerComputeType::from(kind.as_str())))
            .set_number(worker.number.and_then(|number| i32::try_from(number).ok()))
            .set_properties(properties)
            .build(),
    )
}

#[cfg(test)]
mod tests;
