//! Reads job, size and the run's name, calls `StartAudienceExportJob` (and `ListAudienceExportJobs` where an export may
//! be there already), answers the export's name: the service answers nothing, so the name stands for the export.

use std::time::SystemTime;

use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::types::AudienceSize as SdkSize;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::client::Knock;
use lookalike::execution::{Attempt, Deadline, Execution, Moment, read_event};
use lookalike::job::{self, Listed};
use lookalike::once::{Found, Started, start_once};
use lookalike::values::{AudienceGenerationJobArn, JobName};
use lookalike::{AudienceSize, Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let ml = client!(aws_sdk_cleanroomsml, &client::config().await);
    let _ = ml.list_audience_export_jobs().customize().interceptor(Knock).send().await;
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| start(event, &ml));
    lambda_runtime::run(service_fn(handle)).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    audience_generation_job_arn: AudienceGenerationJobArn,
    audience_size: AudienceSize,
    /// The run's name.
    name: JobName,
    deadline: Deadline,
    execution: Execution,
    attempt: Attempt,
}

#[derive(Debug, PartialEq, Serialize)]
struct Answer {
    /// The export's name.
    name: JobName,
}

async fn start(event: Value, ml: &Client) -> Result<Answer, Error> {
    let event: Event = read_event(event)?;
    log::about(&event.execution);
    let name = job::name_of_export(&event.name, event.audience_size);
    event.deadline.allow(SystemTime::now().into(), format_args!("Export {name}"))?;
    let Started { name, was_there, .. } = start_once(
        &[name],
        event.attempt,
        async |name| find(name, &event, ml).await,
        async |name| begin(name, &event, ml).await,
    )
    .await?;
    tracing::info!(size = %event.audience_size, was_there, "started an export");
    Ok(Answer { name })
}

/// Starts the export, once: the SDK must not repeat a call whose outcome it does not know.
async fn begin(name: &JobName, event: &Event, ml: &Client) -> Result<(), Error> {
    let never_repeat = aws_sdk_cleanroomsml::config::Config::builder().retry_config(client::never_repeat());
    let value = i32::try_from(event.audience_size.value()).unwrap_or(i32::MAX);
    let size = SdkSize::builder().r#type(event.audience_size.kind().into()).value(value).build();
    let size = size.map_err(|error| Error::new(ErrorName::InvalidRequest, format!("audienceSize: {error}")))?;
    let started = ml
        .start_audience_export_job()
        .name(name.as_str())
        .audience_generation_job_arn(event.audience_generation_job_arn.as_str())
        .audience_size(size)
        .customize()
        .config_override(never_repeat)
        .send()
        .await;
    started.map(|_| ()).map_err(|error| Error::from(error).doing(format_args!("starting export {name}")))
}

/// Looks through all pages for this run's export: the service is not said to refuse a name twice.
async fn find(name: &JobName, event: &Event, ml: &Client) -> Result<Found<()>, Error> {
    let arn = event.audience_generation_job_arn.as_str();
    let mut pages = ml.list_audience_export_jobs().audience_generation_job_arn(arn).into_paginator().send();
    let size = event.audience_size.to_string();
    let mut older = Found::Nothing;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::from(error).doing(format_args!("looking for export {name}")))?;
        for found in page.audience_export_jobs.iter().filter(|export| export.name == name.as_str()) {
            let theirs = found.audience_size().and_then(|size| AudienceSize::try_from(size).ok());
            let theirs = theirs.map(|size| size.to_string());
            let asked = vec![("audienceSize", theirs.as_deref())];
            let listed = Listed { create_time: Moment::from(found.create_time), asked };
            match listed.found((), name, &event.execution, &[("audienceSize", Some(&size))])? {
                Found::Ours(()) => return Ok(Found::Ours(())),
                found => older = found,
            }
        }
    }
    Ok(older)
}

#[cfg(test)]
mod tests;
