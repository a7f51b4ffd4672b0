//! Executions: finding the one that an upload started, following it, and waiting for its end.

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_sfn::{
    Client,
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionStatus, HistoryEvent},
};
use lookalike::execution::Engine;
use lookalike::files::RunFiles;
use serde_json::Value;

use crate::{Error, Result};

/// How often an execution is looked at.
const POLL: Duration = Duration::from_millis(200);

/// An execution as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Whether it runs, or how it ended.
    pub status: ExecutionStatus,
    /// What it was started with.
    pub input: Value,
    /// What it answered, where it succeeded.
    pub output: Option<Value>,
    /// The error's name, where it failed.
    pub error: Option<String>,
    /// What is wrong, where it failed.
    pub cause: Option<String>,
    /// When it started.
    pub started: SystemTime,
    /// When it ended.
    pub stopped: Option<SystemTime>,
}

impl Execution {
    /// Returns how the keys of its checked files begin: each call of `check-request` has its own.
    #[must_use]
    pub fn checked_prefix(&self) -> String {
        format!("{}-", self.report_folder().replacen("reports/", "checked/", 1).trim_end_matches('/'))
    }

    /// Returns the folder of its report in the stack's bucket, as the key of a prefix that ends with `/`.
    #[must_use]
    pub fn report_folder(&self) -> String {
        let workflow = if self.arn.contains("Segment") { Engine::Segment } else { Engine::Audience };
        let page = RunFiles::new(workflow, self.started.into(), &self.name).report_page();
        page.trim_end_matches("index.html").to_owned()
    }

    fn new(described: &DescribeExecutionOutput) -> Self {
        let json = |text: Option<&str>| text.and_then(|text| serde_json::from_str(text).ok());
        Self {
            arn: described.execution_arn.clone(),
            name: described.name.clone().unwrap_or_default(),
            status: described.status.clone(),
            input: json(described.input()).unwrap_or(Value::Null),
            // MiniStack gives a failed one the failure as its output, where AWS gives none.
            output: json(described.output()).filter(|_| described.status == ExecutionStatus::Succeeded),
            error: described.error.clone(),
            cause: described.cause.clone(),
            started: time(&described.start_date),
            stopped: described.stop_date.as_ref().map(time),
        }
    }

    /// The key of the upload that it was started by, where one did.
    #[must_use]
    pub fn uploaded_key(&self) -> Option<&str> {
        self.input["upload"]["key"].as_str()
    }
}

/// A state that an execution entered. `MiniStack` does not tell those inside a Map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The state's name.
    pub state: String,
    /// When it was entered.
    pub at: SystemTime,
}

/// Describes an execution.
pub(crate) async fn describe(sfn: &Client, arn: &str) -> Result<Execution> {
    let described =
        sfn.describe_execution().execution_arn(arn).send().await.map_err(|e| Error::call("DescribeExecution", e))?;
    Ok(Execution::new(&described))
}

/// A state machine's executions, the newest first, and whether each has ended.
pub(crate) async fn list_ended(sfn: &Client, state_machine: &str) -> Result<Vec<(String, bool)>> {
    let mut pages = sfn.list_executions().state_machine_arn(state_machine).into_paginator().items().send();
    let mut executions = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item.map_err(|e| Error::call("ListExecutions", e))?;
        executions.push((item.execution_arn, item.status != ExecutionStatus::Running));
    }
    Ok(executions)
}

/// A state machine's executions, the newest first.
pub(crate) async fn list(sfn: &Client, state_machine: &str) -> Result<Vec<String>> {
    Ok(list_ended(sfn, state_machine).await?.into_iter().map(|(arn, _)| arn).collect())
}

/// The executions that uploads of this key started, the newest first.
pub(crate) async fn of_upload(sfn: &Client, state_machine: &str, key: &str) -> Result<Vec<Execution>> {
    let mut executions = Vec::new();
    for arn in list(sfn, state_machine).await? {
        let execution = describe(sfn, &arn).await?;
        if execution.uploaded_key() == Some(key) {
            executions.push(execution);
        }
    }
    Ok(executions)
}

/// Waits until an upload of this key has started an execution.
pub(crate) async fn wait_for_upload(
    sfn: &Client,
    state_machine: &str,
    key: &str,
    bound: Duration,
) -> Result<Execution> {
    let started = Instant::now();
    loop {
        if let Some(execution) = of_upload(sfn, state_machine, key).await?.into_iter().next() {
            return Ok(execution);
        }
        if started.elapsed() > bound {
            let seconds = bound.as_secs();
            return Err(Error::new(format!("no execution was started by the upload of {key} within {seconds} s")));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until an execution has ended, well or not.
pub(crate) async fn wait(sfn: &Client, arn: &str, bound: Duration) -> Result<Execution> {
    let started = Instant::now();
    loop {
        let execution = describe(sfn, arn).await?;
        if execution.status != ExecutionStatus::Running {
            return Ok(execution);
        }
        if started.elapsed() > bound {
            let last = history(sfn, arn).await?.pop().map_or_else(String::new, |entered| entered.state);
            return Err(Error::new(format!(
                "{arn} has not ended within {} s; it is in the state {last:?}",
                bound.as_secs()
            )));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The states that an execution has entered, in order.
pub(crate) async fn history(sfn: &Client, arn: &str) -> Result<Vec<Entered>> {
    let mut pages = sfn.get_execution_history().execution_arn(arn).max_results(1000).into_paginator().items().send();
    let mut entered = Vec::new();
    while let Some(event) = pages.next().await {
        entered.extend(state(&event.map_err(|e| Error::call("GetExecutionHistory", e))?));
    }
    Ok(entered)
}

fn state(event: &HistoryEvent) -> Option<Entered> {
    let details = event.state_entered_event_details()?;
    Some(Entered { state: details.name.clone(), at: time(&event.timestamp) })
}

fn time(date: &aws_sdk_sfn::primitives::DateTime) -> SystemTime {
    SystemTime::try_from(*date).unwrap_or(SystemTime::UNIX_EPOCH)
}
