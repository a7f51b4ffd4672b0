//! Counts the lines, users and errors of a segment job's output: a job is ACTIVE even if each of its lines is an error.
//!
//! Calls `s3:ListBucket` and `s3:GetObject` on the output's folder.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::Object;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::execution::{Execution, Moment, Skipped, read_event};
use lookalike::segment_output::{OutputCount, OutputReader};
use lookalike::values::S3Prefix;
use lookalike::{Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let s3 = client!(aws_sdk_s3, &client::config().await);
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| count(event, &s3));
    lambda_runtime::run(service_fn(handle)).await
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
struct Answer {
    /// The counts; `None` if the output may not be read.
    output: Option<OutputCount>,
    skipped: Vec<Skipped>,
    /// The run's error, if there is no segment at all.
    error: Option<ErrorName>,
    /// What happened and what to do.
    cause: Option<String>,
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

/// The key of a file that the job has written. S3 shows whole seconds, so whole ones count.
fn written_key(object: &Object, create_time: Moment) -> Option<&str> {
    let written = Moment::from(*object.last_modified()?);
    let key = object.key().filter(|key| key.rsplit('.').next() == Some("out"))?;
    (written.seconds_since(create_time) >= -1).then_some(key)
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
