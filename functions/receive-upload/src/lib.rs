//! Starts one execution for each upload.
//!
//! Reads batches of the upload queue. The body of each message is the `Object Created` event of S3 as EventBridge
//! delivers it. Calls `states:StartExecution` for each upload, and answers which messages the queue has to deliver
//! again. The run itself checks the upload, so that its errors are notified.

#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::Config;
use aws_sdk_sfn::config::timeout::TimeoutConfig;
use aws_smithy_async::time::SharedTimeSource;
use lambda_runtime::tracing::{error, info, warn};
use lookalike::client::Knock;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Workflows, read_event};
use lookalike::upload::{Kind, ObjectCreated, Upload};
use lookalike::{Error, ErrorName, client, log};
use serde_json::{Value, json};

/// The timeout of the function. `template.yaml` has the same.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// No start begins with less time left. The message returns to the queue instead.
const MIN_TIME_LEFT: Duration = Duration::from_secs(5);

/// The longest time of one start with its repetitions. A start that began with [`MIN_TIME_LEFT`] ends before the function
/// does.
const MAX_START_TIME: Duration = Duration::from_secs(4);

/// The function.
pub struct ReceiveUpload {
    sfn: Client,
    workflows: Workflows,
    clock: SharedTimeSource,
}

impl ReceiveUpload {
    /// Returns the function with clients of this configuration.
    ///
    /// # Errors
    /// If a variable is missing.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        environment: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self {
            sfn: client!(aws_sdk_sfn, config),
            workflows: Workflows::of(environment)?,
            clock: config.time_source().unwrap_or_default(),
        })
    }

    /// Opens the connection before the first event.
    pub async fn warm_up(&self) {
        let _ = self.sfn.start_execution().state_machine_arn("-").customize().interceptor(Knock).send().await;
    }

    /// Starts the runs of a batch, one after another, and returns the ids of the messages that failed. The queue
    /// delivers these again. A message without an id has an empty one in the answer: Lambda then repeats the batch.
    ///
    /// # Errors
    /// `InvalidRequest` if the event is not a batch of a queue.
    pub async fn handle(&self, event: Value) -> Result<SqsBatchResponse, Error> {
        let begun = self.clock.now();
        let batch: SqsEvent = read_event(event)?;
        let (mut uploads, mut answer) = (Vec::new(), SqsBatchResponse::default());
        // All messages are read before the first start: from then on each line of the log names a run.
        for message in batch.records {
            let id = message.message_id.unwrap_or_default();
            match read_message(message.body.as_deref()).map(|upload| (upload.kind(), upload)) {
                Ok((Some(kind), upload)) => uploads.push((id, kind, upload)),
                Ok((None, _)) => info!(message_id = id, "the object starts nothing"),
                Err(error) => {
                    // The queue moves it to the dead-letter queue after its last receive.
                    let (name, cause) = (error.name.as_str(), error.message);
                    error!(message_id = id, error = name, cause, "the message is not an upload");
                    answer.add_failure(id);
                }
            }
        }
        for (id, kind, upload) in uploads {
            if !self.receive(kind, &upload, begun).await {
                answer.add_failure(id);
            }
        }
        Ok(answer)
    }

    /// Starts the run of an upload. Returns whether its message is done.
    async fn receive(&self, kind: Kind, upload: &Upload, begun: SystemTime) -> bool {
        let name = upload.execution_name();
        log::about_run(&name);
        // A clock that went back proves nothing.
        let elapsed = self.clock.now().duration_since(begun).unwrap_or_default();
        if elapsed + MIN_TIME_LEFT > TIMEOUT {
            warn!("no time is left to start the run; the queue delivers its upload again");
            return false;
        }
        let state_machine_arn = match kind {
            Kind::Seed | Kind::Request => &self.workflows.audience,
            Kind::Segment => &self.workflows.segment,
        };
        let Err(error) = self.start(state_machine_arn, &name, upload).await else { return true };
        let (is_transient, name, cause) = (error.name.is_transient(), error.name.as_str(), error.message);
        if is_transient {
            warn!(error = name, cause, "the run was not started");
        } else {
            error!(error = name, cause, "the run was not started");
        }
        false
    }

    async fn start(&self, state_machine_arn: &str, name: &str, upload: &Upload) -> Result<(), Error> {
        let timeouts = TimeoutConfig::builder().operation_timeout(MAX_START_TIME).build();
        let start = self.sfn.start_execution().state_machine_arn(state_machine_arn).name(name);
        let start = start.input(json!({"upload": upload}).to_string()).customize();
        match start.config_override(Config::builder().timeout_config(timeouts)).send().await {
            Ok(_) => info!("started the run of this upload"),
            // The message was delivered before.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_already_exists()) => {
                info!("the run of this upload exists already");
            }
            Err(error) => return Err(Error::from(error).doing(format_args!("starting execution {name}"))),
        }
        Ok(())
    }
}

/// Returns the upload that a message reports.
///
/// # Errors
/// `InvalidRequest` if the body is not an `Object Created` event of S3. The error quotes nothing of the body.
fn read_message(body: Option<&str>) -> Result<Upload, Error> {
    let event = serde_json::from_str::<EventBridgeEvent<ObjectCreated>>(body.unwrap_or_default()).ok();
    let event = event.filter(|event| event.source == "aws.s3" && event.detail_type == "Object Created");
    event.map(|event| Upload::from(event.detail)).ok_or_else(|| {
        let message = "The body of the message is not an Object Created event of S3. Delete the message.";
        Error::new(ErrorName::InvalidRequest, message)
    })
}
