//! Starts the audience generation job of a run, once.
//!
//! Reads the checked request. Calls `StartAudienceGenerationJob`, and `GetAudienceGenerationJob` to prove that the job is the
//! run's; `ListAudienceGenerationJobs` if a job was possibly started. Answers how far the start is, the job's ARN and its name.

mod api;

use aws_config::SdkConfig;
use aws_smithy_async::time::SharedTimeSource;
use lambda_runtime::tracing;
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Deadline, Execution, Moment, read_event};
use lookalike::once::{self, Attempt, JobStart};
use lookalike::request::{AudienceRequest, Defaults};
use lookalike::values::{JobName, S3Uri};
use lookalike::{Error, ErrorName, client, job, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct StartGeneration {
    s3: aws_sdk_s3::Client,
    ml: aws_sdk_cleanroomsml::Client,
    clock: SharedTimeSource,
    stack: String,
    seed_bucket: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    checked_request: S3Uri,
    deadline: Deadline,
    execution: Execution,
    attempt: Attempt,
    /// How far the start was before this attempt.
    start: JobStart,
}

/// What it answers. An absent value is `null`: JSONata fails on a missing field.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// How far the start is.
    pub start: JobStart,
    /// The job, if it is started.
    pub audience_generation_job_arn: Option<String>,
    /// The job's name; the run's if it is not started.
    pub name: Option<JobName>,
}

impl StartGeneration {
    /// Returns the function with clients of this configuration.
    ///
    /// # Errors
    /// If a variable is missing.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        environment: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self {
            s3: client!(aws_sdk_s3, config),
            ml: client!(aws_sdk_cleanroomsml, config),
            clock: config.time_source().unwrap_or_default(),
            stack: environment.required("STACK_NAME")?,
            seed_bucket: environment.optional("SEED_BUCKET")?,
        })
    }

    /// Opens the connections before the first event.
    pub async fn warm_up(&self) {
        let list = self.ml.list_audience_generation_jobs().customize();
        // Each bucket has a host name.
        let object = self.s3.get_object().set_bucket(self.seed_bucket.clone()).key("-").customize();
        let _ = tokio::join!(list.interceptor(Knock).send(), object.interceptor(Knock).send());
    }

    /// Makes one attempt to start the job.
    ///
    /// # Errors
    /// `InvalidRequest` if the event is not the workflow's. What the services answer is part of the answer.
    pub async fn handle(&self, event: Value) -> Result<Answer, Error> {
        let event: Event = read_event(event)?;
        log::about(&event.execution);
        let now = || Moment::from(self.clock.now());
        let request = match self.read_request(&event.checked_request).await {
            Ok(request) => request,
            Err(error) => {
                let job = format!("the job of the run {}", event.execution.name);
                let start = event.start.not_read(error, event.attempt, event.deadline, &job, now());
                return Ok(Answer { start, audience_generation_job_arn: None, name: None });
            }
        };
        let model = request.configured_audience_model_arn.as_str();
        let service = api::Jobs {
            ml: &self.ml,
            is_own_model: event.execution.owns("configuredAudienceModelArn", model)?,
            request: &request,
            execution: &event.execution,
            stack: &self.stack,
        };
        let names = job::names_to_try(&request.name, &event.execution);
        let (start, job) = once::attempt(event.start, event.attempt, &names, event.deadline, &service, now).await;
        tracing::info!(state = ?start.state, error = start.error, "attempted to start the generation");
        let (name, job) = job.unzip();
        Ok(Answer { start, audience_generation_job_arn: job, name: Some(name.unwrap_or(request.name)) })
    }

    /// Reads the request that `check-request` wrote.
    async fn read_request(&self, place: &S3Uri) -> Result<AudienceRequest, Error> {
        let reading = format!("reading {place}");
        let object = self.s3.get_object().bucket(place.bucket()).key(place.key()).send().await;
        let object = object.map_err(|error| Error::from(error).doing(&reading))?;
        let broken = |what: &str| Error::new(ErrorName::ServiceUnavailable, format!("{what}.")).doing(&reading);
        let bytes = object.body.collect().await.map_err(|_| broken("the transfer broke off"))?.into_bytes();
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|_| broken("the checked request is not valid JSON"))?;
        Ok(AudienceRequest::read(&value, &Defaults::default())?)
    }
}

#[cfg(test)]
mod tests;
