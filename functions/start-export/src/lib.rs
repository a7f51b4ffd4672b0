//! Starts the exports of a run, each once.
//!
//! Calls `StartAudienceExportJob` for one size after another, and `ListAudienceExportJobs` if an export was possibly started
//! or a quota is full. Answers how far the start of each export is.

mod api;

use aws_config::SdkConfig;
use aws_sdk_cleanroomsml::Client;
use aws_smithy_async::time::SharedTimeSource;
use lambda_runtime::tracing;
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Deadline, Execution, Moment, read_event};
use lookalike::exports::{RunExport, attempt_all};
use lookalike::once::Attempt;
use lookalike::values::AudienceGenerationJobArn;
use lookalike::{Error, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct StartExport {
    ml: Client,
    clock: SharedTimeSource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    audience_generation_job_arn: AudienceGenerationJobArn,
    exports: Vec<RunExport>,
    deadline: Deadline,
    execution: Execution,
    attempt: Attempt,
}

/// What it answers.
#[derive(Serialize)]
pub struct Answer {
    /// All exports of the run, in the order of the request.
    pub exports: Vec<RunExport>,
}

impl StartExport {
    /// Returns the function with clients of this configuration.
    ///
    /// # Errors
    /// Never: it reads no variable.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        _: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self { ml: client!(aws_sdk_cleanroomsml, config), clock: config.time_source().unwrap_or_default() })
    }

    /// Opens the connections before the first event.
    pub async fn warm_up(&self) {
        let _ = self.ml.list_audience_export_jobs().customize().interceptor(Knock).send().await;
    }

    /// Makes one attempt for every export that is due.
    ///
    /// # Errors
    /// `InvalidRequest` if the event is not the workflow's. What the service answers is part of the answer.
    pub async fn handle(&self, event: Value) -> Result<Answer, Error> {
        let Event { audience_generation_job_arn, mut exports, deadline, execution, attempt } = read_event(event)?;
        log::about(&execution);
        let service = api::Exports { ml: &self.ml, audience: &audience_generation_job_arn, execution: &execution };
        let now = || Moment::from(self.clock.now());
        attempt_all(&mut exports, attempt, &execution, deadline, &service, now).await;
        let due = exports.iter().filter(|export| export.is_due()).count();
        tracing::info!(exports = exports.len(), due, "attempted to start exports");
        Ok(Answer { exports })
    }
}

#[cfg(test)]
mod tests;
