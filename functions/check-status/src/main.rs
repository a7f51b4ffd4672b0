//! Reads which job, calls `GetAudienceGenerationJob` or `ListAudienceExportJobs`, answers how far the job is and, of an
//! audience that is ready, which sizes to export.

use std::time::SystemTime;

use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::GetAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::types::{AudienceExportJobSummary, AudienceQualityMetrics};
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::environment::Environment;
use lookalike::execution::{Deadline, Execution, Moment, read_event};
use lookalike::job::{Metrics, RelevanceMetric};
use lookalike::schedule::PollBounds;
use lookalike::status::{JobKind, JobStatus, Look, Phase, Seen};
use lookalike::values::{AudienceGenerationJobArn, JobName};
use lookalike::{AudienceSize, Error, ExportPolicy};
use serde::Deserialize;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lookalike::log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let (least, most) = (environment.required("POLL_MIN_SECONDS")?, environment.required("POLL_MAX_SECONDS")?);
    let poll = PollBounds::new(least, most)?;
    let ml = Client::new(&lookalike::client::config().load().await);
    let handle = |event: LambdaEvent<Value>| check(event.payload, &ml, poll);
    lambda_runtime::run(service_fn(handle)).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    audience_generation_job_arn: AudienceGenerationJobArn,
    /// The export to look at; none for the audience itself.
    export_name: Option<JobName>,
    /// When this run started the job; none where it was there before.
    start_time: Option<Moment>,
    /// Of an audience: whether an earlier look has seen it.
    #[serde(default)]
    was_there: bool,
    deadline: Deadline,
    execution: Execution,
    /// Of an audience: which sizes to export when it is ready.
    export: Option<ExportPolicy>,
    /// Of an audience: the model's sizes, where they could be read.
    model_sizes: Option<Vec<AudienceSize>>,
}

async fn check(event: Value, ml: &Client, poll: PollBounds) -> Result<JobStatus, Error> {
    let event: Event = read_event(event)?;
    let arn = event.audience_generation_job_arn.as_str();
    let look = |kind, job| Look {
        kind,
        job,
        start_time: event.start_time,
        was_there: event.was_there,
        deadline: event.deadline,
        poll,
        now: SystemTime::now().into(),
    };
    let (look, seen) = match &event.export_name {
        None => (look(JobKind::Generation, arn), generation(arn, ml).await?),
        Some(name) => (look(JobKind::Export, name.as_str()), export(name, arn, &event.execution, ml).await?),
    };
    let mut status = match seen {
        Some(seen) => look.judge(seen),
        None => look.judge_missing()?,
    };
    if let (Phase::Ready, Some(policy), None) = (status.phase, &event.export, &event.export_name) {
        status.export_sizes = Some(policy.choose(status.metrics.as_ref(), event.model_sizes.as_deref())?);
    }
    tracing::info!(run = event.execution.name, status = status.status, "checked a job");
    Ok(status)
}

async fn generation(arn: &str, ml: &Client) -> Result<Option<Seen>, Error> {
    match ml.get_audience_generation_job().audience_generation_job_arn(arn).send().await {
        Ok(job) => Ok(Some(seen_generation(&job))),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => Ok(None),
        Err(error) => Err(Error::from(error).doing(format_args!("looking at audience generation job {arn}"))),
    }
}

/// Finds this run's export, through all pages: there is no Get for exports, and an older run may have used the name.
async fn export(name: &JobName, arn: &str, execution: &Execution, ml: &Client) -> Result<Option<Seen>, Error> {
    let mut pages = ml.list_audience_export_jobs().audience_generation_job_arn(arn).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::from(error).doing(format_args!("looking at export {name}")))?;
        let ours = page.audience_export_jobs.iter().find(|export| {
            export.name == name.as_str() && execution.may_have_created(Moment::from(export.create_time))
        });
        if let Some(export) = ours {
            return Ok(Some(seen_export(export)));
        }
    }
    Ok(None)
}

fn seen_generation(job: &GetAudienceGenerationJobOutput) -> Seen {
    Seen {
        status: job.status.as_str().to_owned(),
        status_code: job.status_details().and_then(|details| details.status_code.clone()),
        message: job.status_details().and_then(|details| details.message.clone()),
        create_time: Some(job.create_time.into()),
        update_time: Some(job.update_time.into()),
        metrics: job.metrics().map(metrics),
        output_location: None,
    }
}

fn seen_export(export: &AudienceExportJobSummary) -> Seen {
    Seen {
        status: export.status.as_str().to_owned(),
        status_code: export.status_details().and_then(|details| details.status_code.clone()),
        message: export.status_details().and_then(|details| details.message.clone()),
        create_time: Some(export.create_time.into()),
        update_time: Some(export.update_time.into()),
        metrics: None,
        output_location: export.output_location.clone(),
    }
}

/// Sizes of a kind that is not known yet are left out: they could not be exported.
fn metrics(metrics: &AudienceQualityMetrics) -> Metrics {
    let relevance = metrics.relevance_metrics.iter().filter_map(|metric| {
        let audience_size = AudienceSize::try_from(metric.audience_size()?).ok()?;
        Some(RelevanceMetric { audience_size, score: metric.score })
    });
    Metrics { relevance_metrics: relevance.collect(), recall_metric: metrics.recall_metric }
}

#[cfg(test)]
mod tests;
