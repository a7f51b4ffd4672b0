//! Calls `ListAudienceGenerationJobs`, `GetAudienceGenerationJob`, `ListAudienceExportJobs` and
//! `DeleteAudienceGenerationJob` once a day: deletes this stack's audiences that have been kept for long enough.

use std::time::{Duration, SystemTime};

use aws_sdk_cleanroomsml::Client;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::client::Knock;
use lookalike::environment::Environment;
use lookalike::execution::Moment;
use lookalike::retention::{Job, Kept, Retention};
use lookalike::{Error, ErrorName, client, log};
use serde::Serialize;
use serde_json::Value;

/// How much time must be left to begin with another job, of the function's 900 seconds: its calls take 25 at most each,
/// and a call of the function that comes near its limit raises an alarm at 720.
const ENOUGH: Duration = Duration::from_mins(5);

/// How many of the audiences that could not be deleted the error names; the log has all.
const MOST_NAMED: usize = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let (days, deadline) = (environment.required("RETAIN_AUDIENCE_DAYS")?, environment.required("DEADLINE_SECONDS")?);
    let (account, stack) = (environment.required("ACCOUNT_ID")?, environment.required("STACK_NAME")?);
    let retention = Retention::new(account, stack, days, deadline);
    let ml = client!(aws_sdk_cleanroomsml, &client::config().await);
    let _ = ml.list_audience_generation_jobs().customize().interceptor(Knock).send().await;
    let (retention, ml) = (retention.as_ref(), &ml);
    let handle = |event: LambdaEvent<Value>| {
        let end = event.context.deadline();
        log::call(event, move |_| delete_old(retention, end, ml))
    };
    lambda_runtime::run(service_fn(handle)).await
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Answer {
    /// How many audiences were deleted.
    deleted: usize,
    /// How many old jobs, of whatever stack, were not looked at for want of time.
    postponed: usize,
}

/// One after another, the oldest first, until little time is left. What fails does not stop the others.
async fn delete_old(retention: Option<&Retention>, end: SystemTime, ml: &Client) -> Result<Answer, Error> {
    let mut answer = Answer::default();
    let Some(retention) = retention else {
        tracing::info!("audiences are kept for ever: RetainAudienceDays is 0");
        return Ok(answer);
    };
    let now = SystemTime::now().into();
    let old = list_old(retention, now, ml).await?;
    let mut failures = Vec::new();
    for (place, job) in old.iter().enumerate() {
        if end.duration_since(SystemTime::now()).is_ok_and(|left| left >= ENOUGH) {
            match delete_if_due(job, retention, now, ml).await {
                Ok(is_deleted) => answer.deleted += usize::from(is_deleted),
                // Somebody else deletes it, or an export of it has just begun.
                Err(error) if matches!(error.name, ErrorName::NotFound | ErrorName::Conflict) => {
                    tracing::info!(job = job.arn, reason = error.message, "left an audience alone");
                }
                Err(error) => {
                    let (name, cause) = (error.name.as_str(), &error.message);
                    tracing::error!(job = job.arn, error = name, cause, "could not delete an audience");
                    failures.push(error);
                }
            }
        } else {
            answer.postponed = old.len() - place;
            tracing::warn!(postponed = answer.postponed, "no time is left: the next call takes up the rest");
            break;
        }
    }
    failed(&failures).map_or(Ok(answer), Err)
}

/// The jobs, of whatever stack, that ended long enough ago, the oldest first.
async fn list_old(retention: &Retention, now: Moment, ml: &Client) -> Result<Vec<Job>, Error> {
    let mut old = Vec::new();
    let mut pages = ml.list_audience_generation_jobs().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::from(error).doing("listing audience generation jobs"))?;
        let jobs = page.audience_generation_jobs.into_iter().map(|job| {
            let kept = Kept { status: job.status.as_str().to_owned(), update_time: job.update_time.into() };
            (job.update_time, Job { arn: job.audience_generation_job_arn, started_by: job.started_by, kept })
        });
        old.extend(jobs.filter(|(_, job)| retention.may_be_due(job, now)));
    }
    old.sort_by_key(|(update_time, _)| *update_time);
    Ok(old.into_iter().map(|(_, job)| job).collect())
}

/// Deletes an audience if it is this stack's and no export of it is young or pending. Whether it did.
async fn delete_if_due(job: &Job, retention: &Retention, now: Moment, ml: &Client) -> Result<bool, Error> {
    let arn = job.arn.as_str();
    let told = ml.get_audience_generation_job().audience_generation_job_arn(arn).send().await;
    let told = told.map_err(|error| Error::from(error).doing(format_args!("looking at {arn}")))?;
    // Most jobs of an account may be others': their exports are not asked for.
    if !retention.is_ours(told.tags()) {
        return Ok(false);
    }
    let exports = exports(arn, ml).await?;
    if !retention.may_delete(job, told.tags(), &exports, now) {
        return Ok(false);
    }
    let deleted = ml.delete_audience_generation_job().audience_generation_job_arn(arn).send().await;
    deleted.map_err(|error| Error::from(error).doing(format_args!("deleting {arn}")))?;
    let (name, status) = (told.name.as_str(), job.kept.status.as_str());
    tracing::info!(job = arn, name, status, since = %job.kept.update_time, "deleted an audience");
    Ok(true)
}

async fn exports(arn: &str, ml: &Client) -> Result<Vec<Kept>, Error> {
    let mut exports = Vec::new();
    let mut pages = ml.list_audience_export_jobs().audience_generation_job_arn(arn).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Error::from(error).doing(format_args!("listing the exports of {arn}")))?;
        let kept = page
            .audience_export_jobs
            .iter()
            .map(|export| Kept { status: export.status.as_str().to_owned(), update_time: export.update_time.into() });
        exports.extend(kept);
    }
    Ok(exports)
}

/// One error for all, by the name of the first.
fn failed(failures: &[Error]) -> Option<Error> {
    let first = failures.first()?;
    let named: Vec<_> = failures.iter().take(MOST_NAMED).map(|error| error.message.as_str()).collect();
    let message = format!(
        "{} audiences could not be deleted: {} Mend what is named; the next call tries them again.",
        failures.len(),
        named.join(" ")
    );
    Some(Error::new(first.name, message))
}

#[cfg(test)]
mod tests;
