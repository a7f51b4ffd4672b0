//! The API calls about exports.

use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::operation::start_audience_export_job::StartAudienceExportJobError::ServiceQuotaExceededException;
use aws_sdk_cleanroomsml::types::AudienceSize as SdkSize;
use lookalike::execution::Execution;
use lookalike::exports::{ExportService, ListedExport, RunExport};
use lookalike::values::AudienceGenerationJobArn;
use lookalike::{Error, ErrorName, client, job};

/// The most entries of a page.
const MAX_RESULTS: i32 = 100;

/// The exports of one audience.
pub(crate) struct Exports<'a> {
    pub(crate) ml: &'a Client,
    pub(crate) audience: &'a AudienceGenerationJobArn,
    pub(crate) execution: &'a Execution,
}

impl ExportService for Exports<'_> {
    async fn start(&self, export: &RunExport) -> Result<(), Error> {
        let never_repeat = aws_sdk_cleanroomsml::config::Config::builder().retry_config(client::never_repeat());
        let value = i32::try_from(export.audience_size.value()).unwrap_or(i32::MAX);
        let size = SdkSize::builder().r#type(export.audience_size.kind().into()).value(value).build();
        let size = size.map_err(|error| Error::new(ErrorName::InvalidRequest, format!("audienceSize: {error}")))?;
        let started = self
            .ml
            .start_audience_export_job()
            .name(export.name.as_str())
            .audience_generation_job_arn(self.audience.as_str())
            .audience_size(size)
            .description(job::run_tag(self.execution))
            .customize()
            .config_override(never_repeat)
            .send()
            .await;
        started.map(|_| ()).map_err(|error| {
            let (quota, value) = match error.as_service_error() {
                Some(ServiceQuotaExceededException(quota)) => (quota.quota_name.clone(), quota.quota_value),
                _ => (None, None),
            };
            let error = Error::from(error).doing(format_args!("starting export {}", export.name));
            error.of_quota(quota.as_deref(), value)
        })
    }

    async fn list(&self) -> Result<Vec<ListedExport>, Error> {
        let list = self.ml.list_audience_export_jobs().audience_generation_job_arn(self.audience.as_str());
        let mut pages = list.max_results(MAX_RESULTS).into_paginator().send();
        let mut exports = Vec::new();
        while let Some(page) = pages.next().await {
            let listing = format!("listing the exports of {}", self.audience);
            let page = page.map_err(|error| Error::from(error).doing(listing))?;
            exports.extend(page.audience_export_jobs.into_iter().map(ListedExport::from));
        }
        Ok(exports)
    }
}
