//! Reads which job, or which exports, calls `GetAudienceGenerationJob`, `ListAudienceExportJobs` or
//! `DescribeBatchSegmentJob`, answers how far each is and, of an audience that is ready, which sizes to export.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::GetAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::types::{AudienceExportJobSummary, AudienceQualityMetrics};
use aws_sdk_personalize::types::BatchSegmentJob;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::client::Knock;
use lookalike::execution::{Deadline, Execution, Moment, read_event};
use lookalike::exports::{self, ExportsStatus, RunExport};
use lookalike::job::{Metrics, RelevanceMetric};
use lookalike::schedule::PollBounds;
use lookalike::status::{JobKind, JobStatus, Look, Phase, Seen};
use lookalike::values::{AudienceGenerationJobArn, BatchSegmentJobArn};
use lookalike::{AudienceSize, Error, ErrorName, ExportPolicy, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let config = client::config().await;
    let aws = Aws { ml: client!(aws_sdk_cleanroomsml, &config), personalize: client!(aws_sdk_personalize, &config) };
    let audience = aws.ml.get_audience_generation_job().audience_generation_job_arn("-").customize();
    let segment = aws.personalize.describe_batch_segment_job().batch_segment_job_arn("-").customize();
    let _ = tokio::join!(audience.interceptor(Knock).send(), segment.interceptor(Knock).send());
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| check(event, &aws));
    lambda_runtime::run(service_fn(handle)).await
}

struct Aws {
    ml: Client,
    personalize: aws_sdk_personalize::Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    /// The exports of this audience to look at; none for the audience itself.
    exports: Option<Vec<RunExport>>,
    batch_segment_job_arn: Option<BatchSegmentJobArn>,
    /// When this run started the job; none where it was there before.
    start_time: Option<Moment>,
    /// Of an audience or a segment: whether an earlier look has seen it.
    #[serde(default)]
    was_there: bool,
    deadline: Deadline,
    /// The stack's bounds of the wait between two checks, as the run began with them.
    poll: PollBounds,
    execution: Execution,
    /// Of an audience: which sizes to export when it is ready.
    export: Option<ExportPolicy>,
    /// Of an audience: the model's sizes, where they could be read.
    model_sizes: Option<Vec<AudienceSize>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Job(Box<JobStatus>),
    Exports(ExportsStatus),
}

async fn check(event: Value, aws: &Aws) -> Result<Answer, Error> {
    let event: Event = read_event(event)?;
    log::about(&event.execution);
    let look = |kind, job| Look {
        kind,
        job,
        start_time: event.start_time,
        was_there: event.was_there,
        deadline: event.deadline,
        poll: event.poll,
        now: SystemTime::now().into(),
    };
    let job = (&event.audience_generation_job_arn, event.exports, &event.batch_segment_job_arn);
    let (look, seen) = match job {
        (Some(arn), None, None) => (look(JobKind::Generation, arn.as_str()), generation(arn, &aws.ml).await?),
        (Some(arn), Some(exports), None) => {
            let seen = seen_of(&exports, arn, &event.execution, &aws.ml).await?;
            let status = exports::judge(exports, seen, look(JobKind::Export, arn.as_str()))?;
            let under_way = status.exports.iter().filter(|export| export.under_way().is_some()).count();
            tracing::info!(under_way, "looked at exports");
            return Ok(Answer::Exports(status));
        }
        (None, None, Some(arn)) => (look(JobKind::Segment, arn.as_str()), segment(arn, &aws.personalize).await?),
        _ => {
            let message = "The event must name one job: audienceGenerationJobArn, with exports for the exports of it, or \
                           batchSegmentJobArn.";
            return Err(Error::new(ErrorName::InvalidRequest, message));
        }
    };
    let mut status = match seen {
        Some(seen) => look.judge(seen),
        None => look.judge_missing()?,
    };
    if let (Phase::Ready, JobKind::Generation, Some(policy)) = (status.phase, look.kind, &event.export) {
        match policy.choose(status.metrics.as_ref(), event.model_sizes.as_deref()) {
            Ok(sizes) => status.export_sizes = Some(sizes),
            // The audience is there, and its report is what a person chooses by: so this is an end, and no error of ours.
            Err(error) => status = status.ended(error),
        }
    }
    tracing::info!(job = status.status, "looked at a job");
    Ok(Answer::Job(Box::new(status)))
}

async fn generation(arn: &AudienceGenerationJobArn, ml: &Client) -> Result<Option<Seen>, Error> {
    match ml.get_audience_generation_job().audience_generation_job_arn(arn.as_str()).send().await {
        Ok(job) => Ok(Some(seen_generation(&job))),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => Ok(None),
        Err(error) => Err(Error::from(error).doing(format_args!("looking at audience generation job {arn}"))),
    }
}

/// Finds this run's exports, through all pages: there is no Get for exports, and an older run may have used a name.
async fn seen_of(
    exports: &[RunExport],
    arn: &AudienceGenerationJobArn,
    execution: &Execution,
    ml: &Client,
) -> Result<BTreeMap<String, Seen>, Error> {
    let under_way = exports.iter().filter_map(RunExport::under_way);
    let mut awaited: BTreeSet<&str> = under_way.map(|(name, _)| name.as_str()).collect();
    let mut seen = BTreeMap::new();
    let mut pages = ml.list_audience_export_jobs().audience_generation_job_arn(arn.as_str()).into_paginator().send();
    while !awaited.is_empty()
        && let Some(page) = pages.next().await
    {
        let page = page.map_err(|error| Error::from(error).doing(format_args!("looking at the exports of {arn}")))?;
        for export in page.audience_export_jobs {
            let is_ours = execution.may_have_created(Moment::from(export.create_time));
            if is_ours && awaited.remove(export.name.as_str()) {
                seen.insert(export.name.clone(), seen_export(export));
            }
        }
    }
    Ok(seen)
}

async fn segment(arn: &BatchSegmentJobArn, personalize: &aws_sdk_personalize::Client) -> Result<Option<Seen>, Error> {
    match personalize.describe_batch_segment_job().batch_segment_job_arn(arn.as_str()).send().await {
        Ok(job) => Ok(job.batch_segment_job().map(seen_segment)),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => Ok(None),
        Err(error) => Err(Error::from(error).doing(format_args!("looking at batch segment job {arn}"))),
    }
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

fn seen_export(export: AudienceExportJobSummary) -> Seen {
    let (status_code, message) =
        export.status_details.map_or((None, None), |details| (details.status_code, details.message));
    Seen {
        status: export.status.as_str().to_owned(),
        status_code,
        message,
        create_time: Some(export.create_time.into()),
        update_time: Some(export.update_time.into()),
        metrics: None,
        output_location: export.output_location,
    }
}

fn seen_segment(job: &BatchSegmentJob) -> Seen {
    let output = job.job_output().and_then(|output| output.s3_data_destination());
    Seen {
        status: job.status().unwrap_or_default().to_owned(),
        status_code: None,
        message: job.failure_reason().map(str::to_owned),
        create_time: job.creation_date_time().copied().map(Moment::from),
        update_time: job.last_updated_date_time().copied().map(Moment::from),
        metrics: None,
        output_location: output.map(|output| output.path.clone()),
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
