//! Makes one status check: of the generation job, of all exports together, or of the segment job.
//!
//! Calls `GetAudienceGenerationJob`, `ListAudienceExportJobs` or `DescribeBatchSegmentJob`. Answers how far each job is
//! and, of an audience that is ready, which sizes to export.

mod api;

use aws_config::SdkConfig;
use aws_sdk_cleanroomsml::Client;
use aws_smithy_async::time::SharedTimeSource;
use lambda_runtime::tracing;
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Deadline, Execution, Moment, read_event};
use lookalike::exports::{ExportsCheck, ExportsStatus, RunExport, planned};
use lookalike::schedule::PollBounds;
use lookalike::status::{JobKind, JobStatus, Phase, StatusCheck};
use lookalike::values::{AudienceGenerationJobArn, BatchSegmentJobArn, JobName};
use lookalike::{AudienceSize, Error, ErrorName, ExportPolicy, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct CheckStatus {
    ml: Client,
    personalize: aws_sdk_personalize::Client,
    clock: SharedTimeSource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    /// The exports of the audience to check. `None` for the audience itself.
    exports: Option<Vec<RunExport>>,
    batch_segment_job_arn: Option<BatchSegmentJobArn>,
    /// When this run started the job. `None` if the job existed before.
    start_time: Option<Moment>,
    /// When the first of the previous status checks was that did not find it.
    missing_since: Option<Moment>,
    deadline: Deadline,
    /// The bounds of the wait between two status checks, as the run began with them.
    poll: PollBounds,
    execution: Execution,
    /// Of an audience: which sizes to export when it is ready.
    export: Option<ExportPolicy>,
    /// Of an audience: the run's name, which its exports get.
    name: Option<JobName>,
    /// Of an audience: the model's sizes, if they could be read.
    model_sizes: Option<Vec<AudienceSize>>,
}

/// What it answers.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Of a generation or segment job.
    Job {
        /// How far the job is.
        #[serde(flatten)]
        status: Box<JobStatus>,
        /// Of an audience that is ready: the exports to start.
        exports: Vec<RunExport>,
    },
    /// Of the exports of an audience.
    Exports(ExportsStatus),
}

impl CheckStatus {
    /// Returns the function with clients of this configuration.
    ///
    /// # Errors
    /// Never: it reads no variable.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        _: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self {
            ml: client!(aws_sdk_cleanroomsml, config),
            personalize: client!(aws_sdk_personalize, config),
            clock: config.time_source().unwrap_or_default(),
        })
    }

    /// Opens the connections before the first event.
    pub async fn warm_up(&self) {
        let audience = self.ml.get_audience_generation_job().audience_generation_job_arn("-").customize();
        let segment = self.personalize.describe_batch_segment_job().batch_segment_job_arn("-").customize();
        let _ = tokio::join!(audience.interceptor(Knock).send(), segment.interceptor(Knock).send());
    }

    /// Makes one status check.
    ///
    /// # Errors
    /// If the service does not answer the check. The workflow repeats it: it says nothing about the job.
    pub async fn handle(&self, event: Value) -> Result<Answer, Error> {
        let event: Event = read_event(event)?;
        log::about(&event.execution);
        // The time before the answer: a list shows at least what existed then.
        let now = Moment::from(self.clock.now());
        let check = |kind, job| StatusCheck {
            kind,
            job,
            start_time: event.start_time,
            missing_since: event.missing_since,
            deadline: event.deadline,
            poll: event.poll,
            now,
        };
        let (check, seen) = match (&event.audience_generation_job_arn, event.exports, &event.batch_segment_job_arn) {
            (Some(arn), None, None) => {
                (check(JobKind::Generation, arn.as_str()), api::generation(arn, &self.ml).await?)
            }
            (Some(arn), Some(exports), None) => {
                let list = api::exports(arn, &self.ml).await?;
                let check = ExportsCheck {
                    audience: arn.as_str(),
                    execution: &event.execution,
                    deadline: event.deadline,
                    poll: event.poll,
                    now,
                };
                let status = check.judge(exports, &list);
                tracing::info!(phase = ?status.phase, "checked the exports");
                return Ok(Answer::Exports(status));
            }
            (None, None, Some(arn)) => {
                (check(JobKind::Segment, arn.as_str()), api::segment(arn, &self.personalize).await?)
            }
            _ => {
                let message = "The event must name one job: audienceGenerationJobArn, with exports for its exports, or \
                               batchSegmentJobArn.";
                return Err(Error::new(ErrorName::InvalidRequest, message));
            }
        };
        let mut status = match seen {
            Some(seen) => check.judge(seen),
            None => check.judge_missing(),
        };
        let mut exports = Vec::new();
        if let (Phase::Ready, Some(policy), Some(name)) = (status.phase, &event.export, &event.name) {
            match policy.choose(status.metrics.as_ref(), event.model_sizes.as_deref()) {
                Ok(sizes) => exports = planned(name, sizes),
                // The audience exists, and its report helps to choose a size: the run fails, but not this check.
                Err(error) => status = status.ended(error),
            }
        }
        tracing::info!(status = status.status, "checked a job");
        Ok(Answer::Job { status: Box::new(status), exports })
    }
}

#[cfg(test)]
mod tests;
