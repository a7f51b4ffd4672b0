//! Counts the lines, users and errors of a segment job's output: a job is ACTIVE even if each of its lines has an error.
//!
//! Calls `s3:ListBucket` and `s3:GetObject` on the output's folder.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::Object;
use lambda_runtime::tracing;
use lookalike::environment::{Environment, EnvironmentError};
use lookalike::execution::{Execution, MAX_CLOCK_SKEW_SECONDS, Moment, Skipped, read_event};
use lookalike::segment_output::{OutputCount, OutputReader};
use lookalike::values::S3Prefix;
use lookalike::{Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The function.
pub struct CountSegmentOutput {
    s3: Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    output_location: S3Prefix,
    /// When the job began: older objects in the folder are not its output.
    create_time: Moment,
    execution: Execution,
    #[serde(default)]
    skipped: Vec<Skipped>,
}

/// An absent value is `null`: JSONata fails on a missing field.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// The counts. `None` if the output may not be read.
    pub output: Option<OutputCount>,
    /// Which checks were skipped.
    pub skipped: Vec<Skipped>,
    /// The run's error, if there is no segment at all.
    pub error: Option<ErrorName>,
    /// What happened and what to do.
    pub cause: Option<String>,
}

impl CountSegmentOutput {
    /// Returns the function with a client of this configuration.
    ///
    /// # Errors
    /// Never: it reads no variable.
    pub fn new<L: Fn(&str) -> Option<String>>(
        config: &SdkConfig,
        _: &Environment<L>,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self { s3: client!(aws_sdk_s3, config) })
    }

    /// Counts the output of a job.
    ///
    /// # Errors
    /// If the output cannot be read. The run goes on without the counts: its segments exist.
    pub async fn handle(&self, event: Value) -> Result<Answer, Error> {
        count(event, &self.s3).await
    }
}

async fn count(event: Value, s3: &Client) -> Result<Answer, Error> {
    let Event { output_location, create_time, execution, mut skipped } = read_event(event)?;
    log::about(&execution);
    let output = match read(&output_location, create_time, s3).await {
        Err(error) if error.name == ErrorName::AccessDenied => {
            skipped.push(Skipped::Output);
            None
        }
        output => Some(output?),
    };
    let verdict = output.as_ref().map_or(Ok(()), |output| output.verdict(&output_location.to_string()));
    let (error, cause) = verdict.err().map(|error| (error.name, error.message)).unzip();
    let error_lines = output.as_ref().map(|output| output.error_lines);
    tracing::info!(error_lines, "counted a segment's output");
    Ok(Answer { output, skipped, error, cause })
}

/// Counts every file that the job has written.
async fn read(place: &S3Prefix, create_time: Moment, s3: &Client) -> Result<OutputCount, Error> {
    let mut count = OutputCount::default();
    // Without the closing / the list has the files of a neighbour, too (spring-men/).
    let mut pages = s3.list_objects_v2().bucket(place.bucket()).prefix(place.folder()).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| failed("listing", place.as_str(), error))?;
        for key in page.contents().iter().filter_map(|object| written_key(object, create_time)) {
            count.add(read_object(place.bucket(), key, s3).await?);
        }
    }
    Ok(count)
}

/// The key of a file that the job has written, by two clocks that may differ.
fn written_key(object: &Object, create_time: Moment) -> Option<&str> {
    let written = Moment::from(*object.last_modified()?);
    let key = object.key().filter(|key| key.rsplit('.').next() == Some("out"))?;
    (written.seconds_since(create_time) >= -MAX_CLOCK_SKEW_SECONDS).then_some(key)
}

async fn read_object(bucket: &str, key: &str, s3: &Client) -> Result<OutputCount, Error> {
    let place = format!("s3://{bucket}/{key}");
    let object = s3.get_object().bucket(bucket).key(key).send().await;
    let mut body = object.map_err(|error| failed("reading", &place, error))?.body;
    let broken = |why: String| Error::new(ErrorName::ServiceUnavailable, format!("reading {place}: it {why}."));
    let mut reader = OutputReader::default();
    while let Some(chunk) = body.next().await {
        reader.push(&chunk.map_err(|_| broken("broke off".into()))?).map_err(broken)?;
    }
    reader.finish().map_err(broken)
}

fn failed<E: ProvideErrorMetadata>(doing: &str, place: &str, error: SdkError<E>) -> Error {
    Error::from(error).doing(format_args!("{doing} {place}"))
}

#[cfg(test)]
mod tests;
