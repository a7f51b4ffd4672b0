//! Starts the batch segment job of a run, once.
//!
//! Reads the checked request. Calls `DescribeSolutionVersion`, whose recipe must match the input's kind of lines,
//! `CreateBatchSegmentJob`, and `ListTagsForResource` to prove that the job is the run's; `ListBatchSegmentJobs` if a job was
//! possibly started. Answers how far the start is, the job's ARN and name, and which checks were skipped.

mod api;

use std::cell::Cell;

use aws_config::SdkConfig;
use aws_smithy_async::time::SharedTimeSource;
use lambda_runtime::tracing;
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Deadline, Execution, Moment, Skipped, read_event};
use lookalike::once::{self, Attempt, JobStart};
use lookalike::segment_input::InputKind;
use lookalike::segment_request::{SegmentDefaults, SegmentRequest};
use lookalike::values::{JobName, S3Uri};
use lookalike::{Error, ErrorName, client, job, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct StartSegment {
    s3: aws_sdk_s3::Client,
    personalize: aws_sdk_personalize::Client,
    clock: SharedTimeSource,
    stack: String,
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
    /// The kind of lines in the input. `None` if it was not read.
    input_kind: Option<InputKind>,
    /// Which checks were skipped.
    #[serde(default)]
    skipped: Vec<Skipped>,
}

/// What it answers. An absent value is `null`: JSONata fails on a missing field.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// How far the start is.
    pub start: JobStart,
    /// The job, if it is started.
    pub batch_segment_job_arn: Option<String>,
    /// The job's name; the run's if it is not started.
    pub name: Option<JobName>,
    /// Which checks were skipped.
    pub skipped: Vec<Skipped>,
}

impl StartSegment {
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
            personalize: client!(aws_sdk_personalize, config),
            clock: config.time_source().unwrap_or_default(),
            stack: environment.required("STACK_NAME")?,
        })
    }

    /// Opens the connections before the first event.
    pub async fn warm_up(&self) {
        let _ = self.personalize.list_batch_segment_jobs().customize().interceptor(Knock).send().await;
    }

    /// Makes one attempt to start the job.
    ///
    /// # Errors
    /// `InvalidRequest` if the event is not the workflow's. What the services answer is part of the answer.
    pub async fn handle(&self, event: Value) -> Result<Answer, Error> {
        let Event { checked_request, deadline, execution, attempt, start, input_kind, mut skipped } =
            read_event(event)?;
        log::about(&execution);
        let now = || Moment::from(self.clock.now());
        let request = match self.read_request(&checked_request).await {
            Ok(request) => request,
            Err(error) => {
                let job = format!("the job of the run {}", execution.name);
                let start = start.not_read(error, attempt, deadline, &job, now());
                return Ok(Answer { start, batch_segment_job_arn: None, name: None, skipped });
            }
        };
        let service = api::Jobs {
            personalize: &self.personalize,
            request: &request,
            execution: &execution,
            stack: &self.stack,
            input_kind,
            is_recipe_skipped: Cell::new(false),
        };
        let name = request.job_name.to_job_name();
        let names = job::names_to_try(&name, &execution);
        let (start, job) = once::attempt(start, attempt, &names, deadline, &service, now).await;
        if service.is_recipe_skipped.get() && !skipped.contains(&Skipped::Recipe) {
            skipped.push(Skipped::Recipe);
        }
        tracing::info!(state = ?start.state, error = start.error, "attempted to start the segment job");
        let (job_name, job) = job.unzip();
        Ok(Answer {
            start,
            batch_segment_job_arn: job.map(|job| job.arn),
            name: Some(job_name.unwrap_or(name)),
            skipped,
        })
    }

    /// Reads the request that `check-request` wrote.
    async fn read_request(&self, place: &S3Uri) -> Result<SegmentRequest, Error> {
        let reading = format!("reading {place}");
        let object = self.s3.get_object().bucket(place.bucket()).key(place.key()).send().await;
        let object = object.map_err(|error| Error::from(error).doing(&reading))?;
        let broken = |what: &str| Error::new(ErrorName::ServiceUnavailable, format!("{what}.")).doing(&reading);
        let bytes = object.body.collect().await.map_err(|_| broken("the transfer broke off"))?.into_bytes();
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|_| broken("the checked request is not valid JSON"))?;
        Ok(SegmentRequest::read(&value, &SegmentDefaults::default())?)
    }
}

#[cfg(test)]
mod tests;
