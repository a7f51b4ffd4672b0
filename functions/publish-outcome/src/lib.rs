//! Publishes the outcome of each run: a notification, an event for other systems, metrics, and a record.
//!
//! It reads batches of Step Functions' status events from a queue, one such event that is delivered again, and an hourly
//! `Scheduled Event`. An event is only a hint: the outcome is read from the execution. The record is written last, so an
//! outcome is notified at least once and recorded once, also if the function dies between the two.

mod api;
mod metrics;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;

use aws_config::SdkConfig;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_smithy_async::time::SharedTimeSource;
use lambda_runtime::tracing;
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Engine, Moment, Workflows, read_event};
use lookalike::outcome::{Digest, Outcome, Sweep, has_time_left, record_key, records_prefix};
use lookalike::{Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct PublishOutcome {
    sns: aws_sdk_sns::Client,
    bus: aws_sdk_eventbridge::Client,
    sfn: aws_sdk_sfn::Client,
    s3: aws_sdk_s3::Client,
    topic_arn: String,
    bus_name: String,
    bucket: String,
    stack: String,
    workflows: Workflows,
    clock: SharedTimeSource,
}

/// The answer of an invocation.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The messages of a batch that failed, so that the queue delivers them again.
    Batch(SqsBatchResponse),
    /// How many outcomes were published.
    Published {
        /// Their number.
        published: usize,
    },
}

/// The detail of a `Step Functions Execution Status Change`: which execution to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusChange {
    execution_arn: String,
}

impl PublishOutcome {
    /// Makes the function of a configuration and its environment.
    ///
    /// # Errors
    /// An environment variable is missing or not valid.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        environment: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self {
            sns: client!(aws_sdk_sns, config),
            bus: client!(aws_sdk_eventbridge, config),
            sfn: client!(aws_sdk_sfn, config),
            s3: client!(aws_sdk_s3, config),
            topic_arn: environment.required("NOTIFICATION_TOPIC_ARN")?,
            bus_name: environment.required("EVENT_BUS_NAME")?,
            bucket: environment.required("SEED_BUCKET")?,
            stack: environment.required("STACK_NAME")?,
            workflows: Workflows::of(environment)?,
            clock: config.time_source().unwrap_or_default(),
        })
    }

    /// Opens the connections to the services.
    pub async fn warm_up(&self) {
        let _ = tokio::join!(
            self.sns.publish().customize().interceptor(Knock).send(),
            self.bus.list_event_buses().customize().interceptor(Knock).send(),
            self.sfn.list_state_machines().customize().interceptor(Knock).send(),
            self.s3.list_buckets().customize().interceptor(Knock).send(),
        );
    }

    /// Handles an event in an invocation that ends at `end`. Metrics are written to `metrics`.
    ///
    /// # Errors
    /// The event is not valid, or one of its outcomes could not be published; a message of a batch that failed is part of
    /// the answer instead.
    pub async fn handle(&self, event: Value, end: Moment, metrics: impl Write) -> Result<Answer, Error> {
        let mut metrics = metrics;
        if event.get("Records").is_some() {
            return self.publish_batch(read_event(event)?, end, &mut metrics).await.map(Answer::Batch);
        }
        if event.get("detail-type").and_then(Value::as_str) == Some("Scheduled Event") {
            return self.sweep(end, &mut metrics).await.map(|published| Answer::Published { published });
        }
        let event: EventBridgeEvent<StatusChange> = read_event(event)?;
        let published = self.publish([event.detail.execution_arn], end, &mut metrics).await;
        let published = published.into_values().collect::<Result<Vec<bool>, Error>>()?;
        Ok(Answer::Published { published: published.into_iter().filter(|is_new| *is_new).count() })
    }

    /// Publishes the outcomes of a batch. Each message fails or succeeds for itself.
    async fn publish_batch(
        &self,
        batch: SqsEvent,
        end: Moment,
        metrics: &mut impl Write,
    ) -> Result<SqsBatchResponse, Error> {
        let mut answer = SqsBatchResponse::default();
        let mut messages = Vec::new();
        for message in batch.records {
            let Some(id) = message.message_id else {
                return Err(Error::new(ErrorName::InvalidRequest, "A message of the batch has no messageId."));
            };
            match read_message(message.body.as_deref()) {
                Ok(arn) => messages.push((id, arn)),
                Err(error) => {
                    log_failure(&error);
                    answer.add_failure(id);
                }
            }
        }
        let published = self.publish(messages.iter().map(|(_, arn)| arn.clone()), end, metrics).await;
        for (id, arn) in messages {
            if published.get(&arn).is_none_or(Result::is_err) {
                answer.add_failure(id);
            }
        }
        Ok(answer)
    }

    /// Publishes the outcomes of executions that ended and have no record. Returns for each execution whether its outcome
    /// was published now.
    async fn publish(
        &self,
        executions: impl IntoIterator<Item = String>,
        end: Moment,
        metrics: &mut impl Write,
    ) -> BTreeMap<String, Result<bool, Error>> {
        let mut results = BTreeMap::new();
        let mut outcomes = Vec::new();
        for arn in executions {
            if results.contains_key(&arn) {
                continue;
            }
            log::about_run(arn.rsplit(':').next().unwrap_or_default());
            let read = match self.check_time(end) {
                Ok(()) => self.read_unrecorded(&arn).await,
                Err(error) => Err(error),
            };
            let result = read.map(|outcome| {
                outcomes.extend(outcome);
                false
            });
            results.insert(arn, result.inspect_err(log_failure));
        }
        let digest = match Digest::new(&outcomes) {
            Some(digest) => Some(self.notify(digest.subject, digest.body).await.inspect_err(log_failure)),
            None => None,
        };
        for outcome in outcomes {
            log::about_run(outcome.execution_name());
            let digest = digest.as_ref().filter(|_| outcome.is_failure());
            let published = match self.check_time(end) {
                Ok(()) => self.publish_outcome(&outcome, digest, metrics).await,
                Err(error) => Err(error),
            };
            let published = published.map(|()| true).inspect_err(log_failure);
            results.insert(outcome.execution_arn().to_owned(), published);
        }
        results
    }

    /// Reads the outcome of an execution; `None` if the execution runs, or if its record exists.
    async fn read_unrecorded(&self, execution_arn: &str) -> Result<Option<Outcome>, Error> {
        let execution = self.describe(execution_arn).await?;
        let Some(outcome) = Outcome::read(execution, &self.workflows, self.now())? else {
            tracing::info!("skipped a run that has not ended");
            return Ok(None);
        };
        if self.is_recorded(&outcome.record_key()).await? {
            tracing::info!("skipped an outcome that is recorded");
            return Ok(None);
        }
        Ok(Some(outcome))
    }

    /// Notifies, publishes and records one outcome. `digest` is the result of a notification for several outcomes.
    async fn publish_outcome(
        &self,
        outcome: &Outcome,
        digest: Option<&Result<(), Error>>,
        metrics: &mut impl Write,
    ) -> Result<(), Error> {
        let notify = async {
            match digest {
                Some(digest) => digest.clone(),
                None => self.notify(outcome.subject(), outcome.body()).await,
            }
        };
        // Both are tried: one that fails does not keep back the other.
        let (notified, put) = tokio::join!(notify, self.put_event(outcome));
        notified.and(put)?;
        // A lost metric is no reason to notify again.
        if metrics::write(outcome, &self.stack, self.now(), metrics).is_err() {
            tracing::warn!("the metrics could not be written");
        }
        // Last: an outcome with a record is never published again.
        self.write_record(outcome).await?;
        tracing::info!(outcome = outcome.status(), error = outcome.error(), "published an outcome");
        Ok(())
    }

    /// Publishes the outcomes that were missed. Stops when the time is short; the next sweep continues.
    async fn sweep(&self, end: Moment, metrics: &mut impl Write) -> Result<usize, Error> {
        let sweep = Sweep::new(self.now());
        let machines = [(Engine::Audience, &self.workflows.audience), (Engine::Segment, &self.workflows.segment)];
        let (mut published, mut failed) = (0, None);
        for (workflow, machine) in machines {
            let mut records: HashMap<String, HashSet<String>> = HashMap::new();
            let mut token = None;
            loop {
                if !has_time_left(end, self.now()) {
                    tracing::warn!("the sweep stopped because its time was short; the next one continues");
                    return failed.map_or(Ok(published), Err);
                }
                let page = self.list_executions(machine, token).await?;
                let mut missed = Vec::new();
                for execution in page.executions.iter().filter(|execution| sweep.is_due(execution)) {
                    let day = records_prefix(workflow, execution.start_time);
                    let records = match records.get(&day) {
                        Some(records) => records,
                        // After the executions, so that a record that is written meanwhile is seen.
                        None => records.entry(day.clone()).or_insert(self.list_records(&day).await?),
                    };
                    let key = record_key(workflow, execution.start_time, &execution.name, execution.redrive_count);
                    if !records.contains(&key) {
                        missed.push(execution.execution_arn.clone());
                    }
                }
                for result in self.publish(missed, end, metrics).await.into_values() {
                    match result {
                        Ok(is_new) => published += usize::from(is_new),
                        // The others are tried; the error makes the failure visible.
                        Err(error) => failed = Some(error),
                    }
                }
                token = page.next_token;
                if token.is_none() || page.executions.last().is_some_and(|oldest| sweep.is_too_old(oldest)) {
                    break;
                }
            }
        }
        tracing::info!(published, "swept the outcomes");
        failed.map_or(Ok(published), Err)
    }

    fn check_time(&self, end: Moment) -> Result<(), Error> {
        if has_time_left(end, self.now()) {
            return Ok(());
        }
        Err(Error::new(ErrorName::ServiceUnavailable, "The function's time is short. The outcome is published later."))
    }

    fn now(&self) -> Moment {
        self.clock.now().into()
    }
}

/// Returns the execution that a message of the queue is about.
fn read_message(body: Option<&str>) -> Result<String, Error> {
    let event = serde_json::from_str(body.unwrap_or_default());
    // The parser's own message may quote the text.
    let event =
        event.map_err(|_| Error::new(ErrorName::InvalidRequest, "A message of the queue is not valid JSON."))?;
    let event: EventBridgeEvent<StatusChange> = read_event(event)?;
    Ok(event.detail.execution_arn)
}

fn log_failure(error: &Error) {
    tracing::error!(error = error.name.as_str(), cause = error.message, "an outcome could not be published");
}

#[cfg(test)]
mod tests;
