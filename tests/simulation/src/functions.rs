//! The functions of a world: the real handlers, with clients whose calls stay in process.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cleanroomsml::config::retry::RetryConfig;
use aws_sdk_cleanroomsml::config::timeout::TimeoutConfig;
use aws_sdk_cleanroomsml::config::{SharedHttpClient, StalledStreamProtectionConfig};
use aws_smithy_async::time::SharedTimeSource;
use check_request::CheckRequest;
use check_status::CheckStatus;
use count_segment_output::CountSegmentOutput;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::{Error, ErrorName};
use serde::Serialize;
use serde_json::Value;
use start_export::StartExport;
use start_generation::StartGeneration;
use start_segment::StartSegment;
use write_report::WriteReport;

use crate::clock::FunctionClock;
use crate::services::InProcess;

/// The stack's bucket.
pub(crate) const BUCKET: &str = "stack-bucket";

/// Every function that a workflow calls.
pub(crate) struct Functions {
    check_request: CheckRequest,
    start_generation: StartGeneration,
    start_export: StartExport,
    start_segment: StartSegment,
    check_status: CheckStatus,
    count_segment_output: CountSegmentOutput,
    write_report: WriteReport,
}

impl Functions {
    pub(crate) fn new() -> Result<Self, EnvironmentError> {
        let credentials = Credentials::new("simulation", "simulation", None, None, "simulation");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(SharedHttpClient::new(InProcess))
            .time_source(SharedTimeSource::new(FunctionClock))
            // A repetition by the SDK would only hide faults, and its waits take no virtual time.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let environment = Environment(|name: &str| match name {
            "SEED_BUCKET" => Some(BUCKET.to_owned()),
            "STACK_NAME" => Some("simulation".to_owned()),
            _ => None,
        });
        Ok(Self {
            check_request: CheckRequest::new(&config, &environment)?,
            start_generation: StartGeneration::new(&config, &environment)?,
            start_export: StartExport::new(&config, &environment)?,
            start_segment: StartSegment::new(&config, &environment)?,
            check_status: CheckStatus::new(&config, &environment)?,
            count_segment_output: CountSegmentOutput::new(&config, &environment)?,
            write_report: WriteReport::new(&config, &environment)?,
        })
    }

    /// Calls the function of this name.
    pub(crate) async fn call(&self, function: &str, event: Value, request_id: &str) -> Result<Value, Error> {
        match function {
            "check-request" => json(self.check_request.handle(event, request_id).await),
            "start-generation" => json(self.start_generation.handle(event).await),
            "start-export" => json(self.start_export.handle(event).await),
            "start-segment" => json(self.start_segment.handle(event).await),
            "check-status" => json(self.check_status.handle(event).await),
            "count-segment-output" => json(self.count_segment_output.handle(event).await),
            "write-report" => json(self.write_report.handle(event).await),
            _ => Err(Error::new(ErrorName::InvalidRequest, format!("there is no function {function}"))),
        }
    }
}

fn json<A: Serialize>(answer: Result<A, Error>) -> Result<Value, Error> {
    let answer = serde_json::to_value(answer?);
    answer.map_err(|error| Error::new(ErrorName::InvalidRequest, error.to_string()))
}
