//! The API calls that read the status of a job.

use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::GetAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::types::AudienceQualityMetrics;
use aws_sdk_personalize::types::BatchSegmentJob;
use lookalike::execution::Moment;
use lookalike::exports::ListedExport;
use lookalike::job::{Metrics, RelevanceMetric};
use lookalike::status::Seen;
use lookalike::values::{AudienceGenerationJobArn, BatchSegmentJobArn};
use lookalike::{AudienceSize, Error};

/// The most entries of a page.
const MAX_RESULTS: i32 = 100;

/// Returns what the service shows of a generation job. `None` if it does not find the job.
pub(crate) async fn generation(arn: &AudienceGenerationJobArn, ml: &Client) -> Result<Option<Seen>, Error> {
    match ml.get_audience_generation_job().audience_generation_job_arn(arn.as_str()).send().await {
        Ok(job) => Ok(Some(seen_generation(&job))),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => Ok(None),
        Err(error) => Err(Error::from(error).doing(format_args!("checking audience generation job {arn}"))),
    }
}

/// Returns all exports of an audience: there is no Get for exports.
pub(crate) async fn exports(arn: &AudienceGenerationJobArn, ml: &Client) -> Result<Vec<ListedExport>, Error> {
    let list = ml.list_audience_export_jobs().audience_generation_job_arn(arn.as_str()).max_results(MAX_RESULTS);
    let mut pages = list.into_paginator().send();
    let mut exports = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::from(error).doing(format_args!("checking the exports of {arn}")))?;
        exports.extend(page.audience_export_jobs.into_iter().map(ListedExport::from));
    }
    Ok(exports)
}

/// Returns what the service shows of a segment job. `None` if it does not find the job.
pub(crate) async fn segment(
    arn: &BatchSegmentJobArn,
    personalize: &aws_sdk_personalize::Client,
) -> Result<Option<Seen>, Error> {
    match personalize.describe_batch_segment_job().batch_segment_job_arn(arn.as_str()).send().await {
        Ok(job) => Ok(job.batch_segment_job().map(seen_segment)),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => Ok(None),
        Err(error) => Err(Error::from(error).doing(format_args!("checking batch segment job {arn}"))),
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
