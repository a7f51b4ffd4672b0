//! Reads how a run ended and, where there is one, its checked request; writes the run's page and the page's twin for
//! machines under `reports/`; answers where the page lies.

mod audience;
mod curve;
mod page;
mod palette;
mod segment;

use std::time::SystemTime;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::ChecksumAlgorithm;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::audience_report::{AudienceReport, FinishedAudience};
use lookalike::environment::Environment;
use lookalike::execution::{Engine, read_event};
use lookalike::report::{Run, page_key, twin_key};
use lookalike::request::{AudienceRequest, Defaults};
use lookalike::segment_report::{FinishedSegment, SegmentReport};
use lookalike::segment_request::{SegmentDefaults, SegmentRequest};
use lookalike::values::S3Uri;
use lookalike::{Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let bucket: String = environment.required("SEED_BUCKET")?;
    let s3 = client!(aws_sdk_s3, &client::config().await);
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| write(event, &s3, &bucket));
    lambda_runtime::run(service_fn(handle)).await
}

#[derive(Debug, PartialEq, Serialize)]
struct Answer {
    /// Where the page lies.
    report: S3Uri,
}

/// All that tells the kinds of runs apart.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    engine: Engine,
}

async fn write(event: Value, s3: &Client, bucket: &str) -> Result<Answer, Error> {
    let Kind { engine } = read_event(event.clone())?;
    let now = SystemTime::now().into();
    match engine {
        Engine::Audience => {
            let finished: FinishedAudience = read_event(event)?;
            log::about(&finished.run.execution);
            let request = fetch(finished.run.checked_request.as_ref(), s3).await?;
            let request = request.and_then(|request| AudienceRequest::read(&request, &Defaults::default()).ok());
            let report = AudienceReport::of(finished, request.as_ref(), now);
            put_both(&report.run, &report, audience::audience_page(&report), s3, bucket).await
        }
        Engine::Segment => {
            let finished: FinishedSegment = read_event(event)?;
            log::about(&finished.run.execution);
            let request = fetch(finished.run.checked_request.as_ref(), s3).await?;
            let request = request.and_then(|request| SegmentRequest::read(&request, &SegmentDefaults::default()).ok());
            let report = SegmentReport::of(finished, request, now);
            put_both(&report.run, &report, segment::segment_page(&report), s3, bucket).await
        }
    }
}

/// Writes a run's page and its twin, and answers where the page lies.
async fn put_both(run: &Run, twin: &impl Serialize, page: String, s3: &Client, bucket: &str) -> Result<Answer, Error> {
    let name = &run.execution_name;
    let twin = serde_json::to_vec_pretty(twin)
        .map_err(|_| Error::new(ErrorName::InvalidRequest, "The report cannot be written as JSON."))?;
    // The page last: where it is, its twin is.
    put(&own_place(bucket, &twin_key(name))?, "application/json", twin, s3).await?;
    let place = own_place(bucket, &page_key(name))?;
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
