//! Starts the batch segment job, once.
//!
//! Reads the checked request. Calls `DescribeSolutionVersion`, whose recipe must read the input's kind of lines, and
//! `CreateBatchSegmentJob`; `ListBatchSegmentJobs` if the job may exist already. Answers `batchSegmentJobArn`, the job's
//! name, and which checks were skipped.

use std::cell::Cell;
use std::time::SystemTime;

use aws_sdk_personalize::types::{BatchSegmentJobInput, BatchSegmentJobOutput, S3DataConfig, Tag};
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::client::Knock;
use lookalike::environment::Environment;
use lookalike::execution::{Attempt, Deadline, Execution, Moment, Skipped, read_event};
use lookalike::job::{self, Listed};
use lookalike::once::{Found, Started, start_once};
use lookalike::segment_input::InputKind;
use lookalike::segment_request::{S3Data, SegmentDefaults, SegmentRequest};
use lookalike::values::{JobName, S3Uri, SolutionVersionArn};
use lookalike::{Error, ErrorName, client, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let stack: String = environment.required("STACK_NAME")?;
    let config = client::config().await;
    let aws = Aws { s3: client!(aws_sdk_s3, &config), personalize: client!(aws_sdk_personalize, &config) };
    let _ = aws.personalize.list_batch_segment_jobs().customize().interceptor(Knock).send().await;
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| start(event, &aws, &stack));
    lambda_runtime::run(service_fn(handle)).await
}

struct Aws {
    s3: aws_sdk_s3::Client,
    personalize: aws_sdk_personalize::Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    checked_request: S3Uri,
    deadline: Deadline,
    execution: Execution,
    attempt: Attempt,
    /// The kind of lines in the input; `None` if it was not read.
    input_kind: Option<InputKind>,
    /// Which checks `check-request` skipped.
    #[serde(default)]
    skipped: Vec<Skipped>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    batch_segment_job_arn: String,
    name: JobName,
    skipped: Vec<Skipped>,
}

async fn start(event: Value, aws: &Aws, stack: &str) -> Result<Answer, Error> {
    let mut event: Event = read_event(event)?;
    log::about(&event.execution);
    let request = fetch(&event.checked_request, &aws.s3).await?;
    event.deadline.allow(SystemTime::now().into(), format_args!("Batch segment job {}", request.job_name))?;
    let is_recipe_skipped = Cell::new(false);
    let Started { job, name, was_there } = start_once(
        &job::names_to_try(&request.job_name.to_job_name(), &event.execution),
        event.attempt,
        async |name| find(name, &request, &event.execution, &aws.personalize).await,
        async |name| {
            // Only before a start: a job that exists is followed even if its solution was deleted.
            let recipe = read_recipe(&request.solution_version_arn, &aws.personalize).await?;
            match (recipe, event.input_kind) {
                (Some(recipe), Some(kind)) => kind.check_recipe(&recipe)?,
                _ => is_recipe_skipped.set(true),
            }
            begin(name, &request, &event.execution, &aws.personalize, stack).await
        },
    )
    .await?;
    if is_recipe_skipped.get() {
        event.skipped.push(Skipped::Recipe);
    }
    tracing::info!(was_there, "started the segment job");
    Ok(Answer { batch_segment_job_arn: job, name, skipped: event.skipped })
}

/// Reads the request that `check-request` wrote.
async fn fetch(place: &S3Uri, s3: &aws_sdk_s3::Client) -> Result<SegmentRequest, Error> {
    let reading = format!("reading {place}");
    let object = s3.get_object().bucket(place.bucket()).key(place.key()).send().await;
    let object = object.map_err(|error| Error::from(error).doing(&reading))?;
    let broken = |what: &str| Error::new(ErrorName::ServiceUnavailable, format!("{what}.")).doing(&reading);
    let bytes = object.body.collect().await.map_err(|_| broken("the transfer broke off"))?.into_bytes();
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| broken("the checked request is no JSON"))?;
    Ok(SegmentRequest::read(&value, &SegmentDefaults::default())?)
}

/// Reads the recipe of a solution version of this account; `None` if the function may not.
async fn read_recipe(
    arn: &SolutionVersionArn,
    personalize: &aws_sdk_personalize::Client,
) -> Result<Option<String>, Error> {
    let version = personalize.describe_solution_version().solution_version_arn(arn.as_str()).send().await;
    match version.map_err(Error::from) {
        Ok(version) => Ok(version.solution_version.and_then(|version| version.recipe_arn)),
        Err(error) if error.name == ErrorName::AccessDenied => Ok(None),
        Err(error) => {
            let error = error.doing(format_args!("reading the solution version {arn}"));
            let is_wrong = matches!(error.name, ErrorName::NotFound | ErrorName::InvalidRequest);
            Err(if is_wrong { error.advising("Check solutionVersionArn.") } else { error })
        }
    }
}

/// Starts the job, once: the SDK must not repeat a call whose outcome it does not know.
async fn begin(
    name: &JobName,
    request: &SegmentRequest,
    execution: &Execution,
    personalize: &aws_sdk_personalize::Client,
    stack: &str,
) -> Result<String, Error> {
    let never_repeat = aws_sdk_personalize::config::Config::builder().retry_config(client::never_repeat());
    let theirs = request.tags.iter().map(|tag| (tag.tag_key.clone(), tag.tag_value.clone()));
    let tags = theirs.chain(job::own_tags(stack, execution)).map(|(key, value)| tag(key, value));
    let input = BatchSegmentJobInput::builder().s3_data_source(data(&request.job_input.s3_data_source)?).build();
    let output =
        BatchSegmentJobOutput::builder().s3_data_destination(data(&request.job_output.s3_data_destination)?).build();
    let started = personalize
        .create_batch_segment_job()
        .job_name(name.as_str())
        .solution_version_arn(request.solution_version_arn.as_str())
        .set_filter_arn(request.filter_arn.clone().map(String::from))
        .set_num_results(request.num_results.and_then(|number| i32::try_from(number).ok()))
        .job_input(input)
        .job_output(output)
        .role_arn(request.role_arn.as_str())
        .set_tags(Some(tags.collect::<Result<_, Error>>()?))
        .customize()
        .config_override(never_repeat)
        .send()
        .await;
    let doing = format!("starting batch segment job {name}");
    let started = started.map_err(|error| Error::from(error).doing(&doing))?;
    started.batch_segment_job_arn.ok_or_else(|| {
        // Whether it was started is not known: a retry looks for it.
        Error::new(ErrorName::ServiceUnavailable, "the service answered no batchSegmentJobArn.").doing(&doing)
    })
}

fn data(place: &S3Data) -> Result<S3DataConfig, Error> {
    let data = S3DataConfig::builder().path(place.path.as_str());
    let data = data.set_kms_key_arn(place.kms_key_arn.clone().map(String::from)).build();
    data.map_err(|error| Error::new(ErrorName::InvalidRequest, error.to_string()))
}

fn tag(key: String, value: String) -> Result<Tag, Error> {
    let tag = Tag::builder().tag_key(key).tag_value(value).build();
    tag.map_err(|error| Error::new(ErrorName::InvalidRequest, error.to_string()))
}

/// Looks through all pages for the job that bears a name.
async fn find(
    name: &JobName,
    request: &SegmentRequest,
    execution: &Execution,
    personalize: &aws_sdk_personalize::Client,
) -> Result<Found<String>, Error> {
    let mut pages = personalize.list_batch_segment_jobs().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| Error::from(error).doing(format_args!("looking for batch segment job {name}")))?;
        let found = page.batch_segment_jobs().iter().find(|job| job.job_name() == Some(name.as_str()));
        if let Some((found, arn, create_time)) =
            found.and_then(|found| Some((found, found.batch_segment_job_arn()?, found.creation_date_time()?)))
        {
            let listed = Listed {
                create_time: Moment::from(*create_time),
                asked: vec![("solutionVersionArn", found.solution_version_arn())],
            };
            return listed.found(arn.to_owned(), name, execution, &job::wanted_segment(request));
        }
    }
    Ok(Found::Nothing)
}

#[cfg(test)]
mod tests;
