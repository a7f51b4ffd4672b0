//! The event of an outcome, for other systems.

use serde::Serialize;

use super::{Outcome, UploadedObject};
use crate::audience_report::Size;
use crate::audience_size::AudienceSize;
use crate::execution::Moment;
use crate::job::Metrics;
use crate::seed::SeedCount;
use crate::segment_report::SegmentCount;
use crate::values::{AudienceGenerationJobArn, BatchSegmentJobArn, S3Uri};

/// The detail of an outcome's event. A field that is not known is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail<'a> {
    version: &'static str,
    name: &'a str,
    execution_arn: &'a str,
    start_time: Moment,
    time: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience_generation_job_arn: Option<&'a AudienceGenerationJobArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_segment_job_arn: Option<&'a BatchSegmentJobArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exports: Option<Vec<FinishedExport<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'a Metrics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<SeedCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<SegmentCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a S3Uri>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<&'a UploadedObject>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FinishedExport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    audience_size: AudienceSize,
    #[serde(skip_serializing_if = "Option::is_none")]
    relevance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_location: Option<&'a str>,
}

impl<'a> FinishedExport<'a> {
    fn new(size: &'a Size) -> Option<Self> {
        let export = size.export.as_ref()?;
        Some(Self {
            name: export.name.as_deref(),
            audience_size: size.audience_size,
            relevance: size.relevance,
            output_location: export.output_location.as_deref(),
        })
    }
}

impl Outcome {
    /// Returns the detail of the outcome's event, in the form of `statemachine/events.schema.json`.
    #[must_use]
    pub fn detail(&self) -> Detail<'_> {
        let (product, failure) = (self.product(), self.failure());
        let segment = product.and_then(|product| product.segment.as_ref());
        let exports = product
            .and_then(|product| product.audience.as_ref())
            .map(|audience| audience.exported().filter_map(FinishedExport::new).collect());
        Detail {
            version: "1",
            name: &self.name,
            execution_arn: &self.execution_arn,
            start_time: self.start_time,
            time: self.time,
            audience_generation_job_arn: self.audience_generation_job_arn(),
            batch_segment_job_arn: segment.and_then(|segment| segment.batch_segment_job_arn.as_ref()),
            exports,
            output_location: segment.and_then(|segment| segment.output_location.as_deref()),
            metrics: product.and_then(|product| product.metrics.as_ref()),
            seed: product.and_then(|product| product.seed),
            segment: segment.and_then(|segment| segment.output),
            report: self.report(),
            error: failure.map(|failure| failure.error.as_str()),
            cause: failure.and_then(|failure| failure.cause.as_deref()),
            upload: self.upload.as_ref(),
        }
    }
}
