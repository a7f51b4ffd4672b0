//! Reads how a run ended and, where there is one, its checked request; writes the run's page and the page's twin for
//! machines under `reports/`; answers where the page lies.

mod audience;
mod curve;
mod page;
mod palette;
mod segment;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_async::time::SharedTimeSource;
use lambda_runtime::tracing;
use lookalike::audience_report::{AudienceReport, FinishedAudience};
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Engine, Moment, read_event};
use lookalike::files::RunFiles;
use lookalike::report::Run;
use lookalike::request::{AudienceRequest, Defaults};
use lookalike::segment_report::{FinishedSegment, SegmentReport};
use lookalike::segment_request::{SegmentDefaults, SegmentRequest};
use lookalike::values::S3Uri;
use lookalike::{Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct WriteReport {
    s3: Client,
    bucket: String,
    clock: SharedTimeSource,
}

impl WriteReport {
    /// Returns the function with a client of this configuration.
    ///
    /// # Errors
    /// If a variable is missing.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        environment: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self {
            s3: client!(aws_sdk_s3, config),
            bucket: environment.required("SEED_BUCKET")?,
            clock: config.time_source().unwrap_or_default(),
        })
    }

    /// Writes the report of a run.
    ///
    /// # Errors
    /// If S3 does not accept it. The run goes on without a report.
    pub async fn handle(&self, event: Value) -> Result<Answer, Error> {
        write(event, &self.s3, &self.bucket, self.clock.now().into()).await
    }
}

/// What it answers.
#[derive(Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Where the page is.
    pub report: S3Uri,
}

/// All that tells the kinds of runs apart.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    engine: Engine,
}

async fn write(event: Value, s3: &Client, bucket: &str, now: Moment) -> Result<Answer, Error> {
    let Kind { engine } = read_event(event.clone())?;
    match engine {
        Engine::Audience => {
            let finished: FinishedAudience = read_event(event)?;
            log::about(&finished.run.execution);
            let request = fetch(finished.run.checked_request.as_ref(), s3).await?;
            let request = request.and_then(|request| AudienceRequest::read(&request, &Defaults::default()).ok());
            let report = AudienceReport::of(finished, request.as_ref(), now);
            put_both(engine, &report.run, &report, audience::audience_page(&report), s3, bucket).await
        }
        Engine::Segment => {
            let finished: FinishedSegment = read_event(event)?;
            log::about(&finished.run.execution);
            let request = fetch(finished.run.checked_request.as_ref(), s3).await?;
            let request = request.and_then(|request| SegmentRequest::read(&request, &SegmentDefaults::default()).ok());
            let report = SegmentReport::of(finished, request, now);
            put_both(engine, &report.run, &report, segment::segment_page(&report), s3, bucket).await
        }
    }
}

/// Writes a run's page and the report as JSON, and returns where the page is.
async fn put_both(
    workflow: Engine,
    run: &Run,
    twin: &impl Serialize,
    page: String,
    s3: &Client,
    bucket: &str,
) -> Result<Answer, Error> {
    let files = RunFiles::new(workflow, run.start_time, &run.execution_name);
    let twin = serde_json::to_vec_pretty(twin)
        .map_err(|_| Error::new(ErrorName::InvalidRequest, "The report cannot be written as JSON."))?;
    // The page last: where it is, the JSON is.
    put(&own_place(bucket, &files.report_json())?, "application/json", twin, s3).await?;
    let place = own_place(bucket, &files.report_page())?;
    put(&place, "text/html; charset=utf-8", page.into_bytes(), s3).await?;
    tracing::info!("wrote a report");
    Ok(Answer { report: place })
}

/// Reads the request that `check-request` wrote. One that expired, or may not be read, does not cost the report.
async fn fetch(place: Option<&S3Uri>, s3: &Client) -> Result<Option<Value>, Error> {
    let Some(place) = place else { return Ok(None) };
    let object = s3.get_object().bucket(place.bucket()).key(place.key()).send().await;
    let object = match object.map_err(Error::from) {
        Err(error) if error.name.is_transient() => return Err(error.doing(format_args!("reading {place}"))),
        Err(error) => {
            tracing::warn!(error = error.name.as_str(), "the checked request cannot be read");
            return Ok(None);
        }
        Ok(object) => object,
    };
    let bytes =
        object.body.collect().await.map_err(|_| {
            Error::new(ErrorName::ServiceUnavailable, format!("reading {place}: the transfer broke off."))
        })?;
    Ok(serde_json::from_slice(&bytes.into_bytes()).ok())
}

async fn put(place: &S3Uri, content_type: &str, body: Vec<u8>, s3: &Client) -> Result<(), Error> {
    let put = s3.put_object().bucket(place.bucket()).key(place.key()).content_type(content_type);
    let put = put.checksum_algorithm(ChecksumAlgorithm::Crc32).body(body.into()).send().await;
    put.map(|_| ()).map_err(|error| Error::from(error).doing(format_args!("writing {place}")))
}

fn own_place(bucket: &str, key: &str) -> Result<S3Uri, Error> {
    S3Uri::new(bucket, key).map_err(|problem| Error::new(ErrorName::InvalidRequest, problem))
}

#[cfg(test)]
mod tests;
