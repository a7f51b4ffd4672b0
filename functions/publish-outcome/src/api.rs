//! The calls of the function to AWS.

use std::collections::HashSet;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_sfn::types::ExecutionListItem;
use lambda_runtime::tracing;
use lookalike::outcome::{DescribedExecution, ListedExecution, Outcome};
use lookalike::{Error, ErrorName};

use crate::PublishOutcome;

/// How often a record is written at most if S3 answers 409: another write of the key is in progress.
const MAX_WRITES: usize = 3;
/// The most executions that a page of `ListExecutions` has.
const PAGE: i32 = 1000;

/// A page of executions, newest start first.
pub(crate) struct Page {
    pub(crate) executions: Vec<ListedExecution>,
    pub(crate) next_token: Option<String>,
}

impl PublishOutcome {
    pub(crate) async fn describe(&self, execution_arn: &str) -> Result<DescribedExecution, Error> {
        let execution = self.sfn.describe_execution().execution_arn(execution_arn).send().await;
        let execution = execution.map_err(|error| Error::from(error).doing("describing the execution"))?;
        Ok(DescribedExecution {
            execution_arn: execution.execution_arn,
            state_machine_arn: execution.state_machine_arn,
            status: execution.status.as_str().to_owned(),
            start_time: execution.start_date.into(),
            stop_time: execution.stop_date.map(Into::into),
            input: execution.input,
            output: execution.output,
            error: execution.error,
            cause: execution.cause,
            redrive_count: redrive_count(execution.redrive_count),
        })
    }

    pub(crate) async fn list_executions(&self, machine: &str, token: Option<String>) -> Result<Page, Error> {
        let page = self.sfn.list_executions().state_machine_arn(machine).max_results(PAGE).set_next_token(token);
        let page = page.send().await.map_err(|error| Error::from(error).doing("listing the executions"))?;
        let listed = |execution: ExecutionListItem| ListedExecution {
            execution_arn: execution.execution_arn,
            name: execution.name,
            start_time: execution.start_date.into(),
            stop_time: execution.stop_date.map(Into::into),
            redrive_count: redrive_count(execution.redrive_count),
        };
        Ok(Page { executions: page.executions.into_iter().map(listed).collect(), next_token: page.next_token })
    }

    /// Returns whether a record exists. A list instead of `HeadObject`: S3 answers 403 to the latter if the object is not
    /// there and the caller may not list the complete bucket.
    pub(crate) async fn is_recorded(&self, key: &str) -> Result<bool, Error> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket).prefix(key).max_keys(1).send().await;
        let list = list.map_err(|error| Error::from(error).doing("looking for the record"))?;
        Ok(list.contents().iter().any(|object| object.key() == Some(key)))
    }

    /// Returns the keys of all records under a prefix.
    pub(crate) async fn list_records(&self, prefix: &str) -> Result<HashSet<String>, Error> {
        let mut pages = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        let mut keys = HashSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::from(error).doing("listing the records"))?;
            keys.extend(page.contents.into_iter().flatten().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// Writes the record, once. A record that exists already is a success.
    pub(crate) async fn write_record(&self, outcome: &Outcome) -> Result<(), Error> {
        let record = serde_json::to_vec_pretty(&outcome.record())
            .map_err(|_| Error::new(ErrorName::InvalidRequest, "The record cannot be written as JSON."))?;
        let mut writes = 1;
        loop {
            let put = self
                .s3
                .put_object()
                .bucket(&self.bucket)
                .key(outcome.record_key())
                .if_none_match("*")
                .content_type("application/json")
                .body(record.clone().into())
                .send()
                .await;
            let Err(error) = put else { return Ok(()) };
            match error.raw_response().map(|response| response.status().as_u16()) {
                Some(412) => {
                    tracing::info!("another invocation has recorded the outcome");
                    return Ok(());
                }
                Some(409) if writes < MAX_WRITES => writes += 1,
                _ => return Err(Error::from(error).doing("writing the record")),
            }
        }
    }

    pub(crate) async fn notify(&self, subject: String, body: String) -> Result<(), Error> {
        let published = self.sns.publish().topic_arn(&self.topic_arn).subject(subject).message(body).send().await;
        published.map(|_| ()).map_err(|error| Error::from(error).doing("publishing the notification"))
    }

    pub(crate) async fn put_event(&self, outcome: &Outcome) -> Result<(), Error> {
        let detail = serde_json::to_string(&outcome.detail())
            .map_err(|_| Error::new(ErrorName::InvalidRequest, "The event cannot be written as JSON."))?;
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus_name)
            .source("lookalike")
            .detail_type(outcome.detail_type())
            .detail(detail)
            .resources(outcome.execution_arn())
            .build();
        let put = self.bus.put_events().entries(entry).send().await;
        let put = put.map_err(|error| Error::from(error).doing("putting the event"))?;
        if put.failed_entry_count == 0 {
            return Ok(());
        }
        let code = put.entries().iter().find_map(|entry| entry.error_code()).unwrap_or("no code");
        let message = format!("putting the event: the bus did not accept it ({code}).");
        Err(Error::new(ErrorName::ServiceUnavailable, message))
    }
}

/// Step Functions leaves the count out of an execution that was never redriven.
fn redrive_count(count: Option<i32>) -> u32 {
    count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default()
}
