//! Reads how a run ended and, where there is one, its checked request; writes the run's page and the page's twin for
//! machines under `reports/`; answers where the page lies.

mod audience;
mod curve;
mod page;
mod palette;

use std::time::SystemTime;

use aws_sdk_s3::Client;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::environment::Environment;
use lookalike::execution::read_event;
use lookalike::report::{AudienceReport, FinishedRun, page_key, twin_key};
use lookalike::request::{AudienceRequest, Defaults};
use lookalike::values::S3Uri;
use lookalike::{Error, ErrorName, client, log};
use serde::Serialize;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let bucket: String = environment.required("SEED_BUCKET")?;
    let s3 = client!(aws_sdk_s3, &client::config(&environment)?);
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| write(event, &s3, &bucket));
    lambda_runtime::run(service_fn(handle)).await
}

#[derive(Debug, PartialEq, Serialize)]
struct Answer {
    /// Where the page lies.
    report: S3Uri,
}

async fn write(event: Value, s3: &Client, bucket: &str) -> Result<Answer, Error> {
    let run: FinishedRun = read_event(event)?;
    log::about(&run.execution);
    let request = match &run.checked_request {
        Some(place) => fetch(place, s3).await?,
        None => None,
    };
    let report = AudienceReport::of(run, request.as_ref(), SystemTime::now().into());
    let name = &report.run.execution_name;
    let twin = serde_json::to_vec_pretty(&report)
        .map_err(|_| Error::new(ErrorName::InvalidRequest, "The report cannot be written as JSON."))?;
    // The page last: where it is, its twin is.
    put(&own_place(bucket, &twin_key(name))?, "application/json", twin, s3).await?;
    let page = own_place(bucket, &page_key(name))?;
    put(&page, "text/html; charset=utf-8", audience::audience_page(&report).into_bytes(), s3).await?;
    tracing::info!("wrote a report");
    Ok(Answer { report: page })
}

/// Reads the request that `check-request` wrote. One that expired, or may not be read, does not cost the report.
async fn fetch(place: &S3Uri, s3: &Client) -> Result<Option<AudienceRequest>, Error> {
    let object = s3.get_object().bucket(place.bucket()).key(place.key()).send().await;
    let object = match object.map_err(Error::from) {
        Err(error) if error.name.is_passing() => return Err(error.doing(format_args!("reading {place}"))),
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
    let value: Option<Value> = serde_json::from_slice(&bytes.into_bytes()).ok();
    Ok(value.and_then(|value| AudienceRequest::read(&value, &Defaults::default()).ok()))
}

async fn put(place: &S3Uri, content_type: &str, body: Vec<u8>, s3: &Client) -> Result<(), Error> {
    let put = s3.put_object().bucket(place.bucket()).key(place.key()).content_type(content_type);
    let put = put.body(body.into()).send().await;
    put.map(|_| ()).map_err(|error| Error::from(error).doing(format_args!("writing {place}")))
}

fn own_place(bucket: &str, key: &str) -> Result<S3Uri, Error> {
    S3Uri::new(bucket, key).map_err(|problem| Error::new(ErrorName::InvalidRequest, problem))
}

#[cfg(test)]
mod tests;
