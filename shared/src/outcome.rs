//! The outcome of a run: how the run finished, with its result.
//!
//! An outcome is read from the execution as Step Functions describes it, whether the execution succeeded, failed, timed
//! out or was aborted. It is sent as a notification, published as an event for other systems, measured, and kept as a
//! record. The input of an execution may be a request with SQL: only its [`RequestSummary`] and the uploaded object leave.

mod advice;
mod event;
mod notification;
mod record;
mod sweep;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use event::Detail;
pub use notification::{Digest, MAX_SEPARATE_FAILURES};
pub use record::{Record, record_key, records_prefix};
pub use sweep::{ListedExecution, Sweep, has_time_left};

use crate::audience_report::{Audience, sizes};
use crate::cause::text_of_cause;
use crate::console::Console;
use crate::error::{Error, ErrorName, withhold};
use crate::execution::{Engine, Moment, Workflows};
use crate::files::RunFiles;
use crate::job::Metrics;
use crate::report::take_report;
use crate::seed::SeedCount;
use crate::segment_report::{Segment, SegmentCount};
use crate::values::{
    ArnOwner, AudienceGenerationJobArn, BatchSegmentJobArn, ConfiguredAudienceModelArn, S3Uri, SolutionVersionArn,
};
use record::RequestSummary;

/// The text before the deadline in the cause of the state `RunFailed`. The deadline is RFC 3339 and a full stop ends it.
/// The report's location, if there is one, comes after it.
pub const DEADLINE_IS: &str = " Deadline: ";

/// The error of a run that was stopped.
const ABORTED: &str = "Aborted";
/// The error of a run that Step Functions timed out.
const TIMED_OUT: &str = "States.Timeout";
/// The greatest length of a name: Step Functions' own limit.
const MAX_NAME: usize = 80;
/// The greatest length of a cause. Step Functions allows 32,768 characters, which nobody reads in a mail.
const MAX_CAUSE: usize = 4_000;

/// An execution, as `DescribeExecution` answers it.
pub struct DescribedExecution {
    /// Its ARN.
    pub execution_arn: String,
    /// The ARN of its state machine.
    pub state_machine_arn: String,
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED`, or a status that is not an end.
    pub status: String,
    /// When it started. A redrive does not change it.
    pub start_time: Moment,
    /// When it ended.
    pub stop_time: Option<Moment>,
    /// JSON.
    pub input: Option<String>,
    /// JSON; `None` if it did not succeed.
    pub output: Option<String>,
    /// The error with which it failed.
    pub error: Option<String>,
    /// The cause of that error.
    pub cause: Option<String>,
    /// How often it was redriven.
    pub redrive_count: u32,
}

/// The outcome of a run.
pub struct Outcome {
    workflow: Engine,
    /// One line, as users and services gave it.
    name: String,
    execution_arn: String,
    redrive_count: u32,
    start_time: Moment,
    time: Moment,
    result: RunResult,
    /// `None` if the run started with an upload.
    request: Option<RequestSummary>,
    upload: Option<UploadedObject>,
    console: Option<Console>,
}

/// How a run finished, with what is known about it.
enum RunResult {
    Ready(Box<Product>),
    Failed(Failure),
    TimedOut(Failure),
    Stopped(Failure),
}

/// Why a run did not succeed.
struct Failure {
    /// One line.
    error: String,
    cause: Option<String>,
    /// The report, if the workflow wrote one before it failed.
    report: Option<S3Uri>,
    deadline: Option<Moment>,
    /// The audience that the cause names, in the account and Region of the run.
    audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    origin: Origin,
}

/// Where a run failed, which decides whether a redrive helps.
///
/// Step Functions runs a failed Task again on a redrive; it enters a Fail state again and fails again (Step Functions
/// developer guide, *redrive-executions*, "Redrive behavior of individual states").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// In a task whose error no Catch handled: in the present workflows, `CheckRequest`.
    Task,
    /// In the state `RunFailed`, after the workflow handled the error.
    FailState,
}

/// The result of a run that succeeded. A field that cannot be read is left out: it does not keep back the outcome.
struct Product {
    audience: Option<Audience>,
    segment: Option<Segment>,
    audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    model: Option<ConfiguredAudienceModelArn>,
    solution_version: Option<SolutionVersionArn>,
    metrics: Option<Metrics>,
    seed: Option<SeedCount>,
    report: Option<S3Uri>,
    deadline: Option<Moment>,
    quota_waits: Option<u32>,
    status_checks: Option<u32>,
}

/// The input of an execution that an upload started.
#[derive(Deserialize)]
struct UploadInput {
    upload: UploadedObject,
}

/// The object that started a run.
#[derive(Clone, Serialize, Deserialize)]
struct UploadedObject {
    bucket: String,
    key: String,
}

impl Outcome {
    /// Returns the outcome of an execution; `None` if the execution has not ended, or was redriven and runs again.
    ///
    /// # Errors
    /// `InvalidRequest` if the execution belongs to neither workflow of the stack.
    pub fn read(execution: DescribedExecution, workflows: &Workflows, now: Moment) -> Result<Option<Self>, Error> {
        let Some(workflow) = workflows.engine(&execution.state_machine_arn) else {
            let message =
                "The execution belongs to neither workflow of this stack: let the rule match their ARNs only.";
            return Err(Error::new(ErrorName::InvalidRequest, message));
        };
        let arn = execution.execution_arn;
        let console = Console::of_arn(&arn);
        let input: Option<Value> = execution.input.as_deref().and_then(|input| serde_json::from_str(input).ok());
        let output: Value =
            execution.output.as_deref().and_then(|output| serde_json::from_str(output).ok()).unwrap_or_default();
        let (error, cause) = (given(execution.error.as_deref()), given(execution.cause.as_deref()));
        let page_key = RunFiles::new(workflow, execution.start_time, execution_name(&arn)).report_page();
        let failure = |error: &str, cause| Failure::read(error, cause, &arn, &page_key, input.as_ref());
        let result = match execution.status.as_str() {
            "SUCCEEDED" => RunResult::Ready(Box::new(Product::read(&output, workflow, console.as_ref()))),
            "FAILED" => RunResult::Failed(failure(error.unwrap_or("Unknown"), cause)),
            "TIMED_OUT" => RunResult::TimedOut(Failure { origin: Origin::Task, ..failure(TIMED_OUT, cause) }),
            // The person who stops a run may give both.
            "ABORTED" => {
                let failure = failure(ABORTED, cause.or(error));
                RunResult::Stopped(Failure { origin: Origin::Task, ..failure })
            }
            // RUNNING, PENDING_REDRIVE, and statuses that are not known yet.
            _ => return Ok(None),
        };
        let name: Option<String> = field(&output, "name");
        let name = one_line(given(name.as_deref()).unwrap_or_else(|| execution_name(&arn)), MAX_NAME);
        let upload = input.as_ref().and_then(|input| UploadInput::deserialize(input).ok()).map(|input| input.upload);
        let request = input.as_ref().filter(|_| upload.is_none()).map(RequestSummary::read);
        Ok(Some(Self {
            workflow,
            name,
            redrive_count: execution.redrive_count,
            start_time: execution.start_time,
            time: execution.stop_time.unwrap_or(now),
            result,
            request: request.filter(|request| *request != RequestSummary::default()),
            upload,
            console,
            execution_arn: arn,
        }))
    }

    /// Returns the execution's ARN.
    #[must_use]
    pub fn execution_arn(&self) -> &str {
        &self.execution_arn
    }

    /// Returns the execution's name, by which an operator finds the run in a log.
    #[must_use]
    pub fn execution_name(&self) -> &str {
        execution_name(&self.execution_arn)
    }

    /// Returns whether the run did not succeed.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.failure().is_some()
    }

    /// Returns the key of the outcome's record.
    #[must_use]
    pub fn record_key(&self) -> String {
        record_key(self.workflow, self.start_time, self.execution_name(), self.redrive_count)
    }

    /// Returns the `detail-type` of the outcome's event.
    #[must_use]
    pub fn detail_type(&self) -> &'static str {
        match (self.workflow, &self.result) {
            (Engine::Audience, RunResult::Ready(_)) => "Audience Ready",
            (Engine::Audience, _) => "Audience Failed",
            (Engine::Segment, RunResult::Ready(_)) => "Segment Ready",
            (Engine::Segment, _) => "Segment Failed",
        }
    }

    fn failure(&self) -> Option<&Failure> {
        match &self.result {
            RunResult::Ready(_) => None,
            RunResult::Failed(failure) | RunResult::TimedOut(failure) | RunResult::Stopped(failure) => Some(failure),
        }
    }

    fn product(&self) -> Option<&Product> {
        match &self.result {
            RunResult::Ready(product) => Some(product),
            _ => None,
        }
    }

    fn report(&self) -> Option<&S3Uri> {
        self.product().map_or_else(|| self.failure()?.report.as_ref(), |product| product.report.as_ref())
    }

    fn audience_generation_job_arn(&self) -> Option<&AudienceGenerationJobArn> {
        let of_failure = || self.failure()?.audience_generation_job_arn.as_ref();
        self.product().map_or_else(of_failure, |product| product.audience_generation_job_arn.as_ref())
    }

    fn seconds(&self) -> i64 {
        self.time.seconds_since(self.start_time).max(0)
    }

    /// Returns the workflow as a dimension of metrics: `Audience` or `Segment`.
    #[must_use]
    pub fn workflow(&self) -> &'static str {
        match self.workflow {
            Engine::Audience => "Audience",
            Engine::Segment => "Segment",
        }
    }

    /// Returns how the run finished as a dimension of metrics: `Ready`, `Failed` or `Stopped`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match &self.result {
            RunResult::Ready(_) => "Ready",
            RunResult::Failed(_) | RunResult::TimedOut(_) => "Failed",
            RunResult::Stopped(_) => "Stopped",
        }
    }

    /// Returns the error as a dimension of metrics. Each value of a dimension is charged, so unknown errors are one value.
    #[must_use]
    pub fn error(&self) -> Option<&'static str> {
        const OTHERS: [&str; 9] = [
            ABORTED,
            TIMED_OUT,
            "States.TaskFailed",
            "States.Runtime",
            "States.QueryEvaluationError",
            "States.DataLimitExceeded",
            "Lambda.Unknown",
            "Runtime.ExitError",
            "Sandbox.Timedout",
        ];
        let error = &self.failure()?.error;
        let other = || OTHERS.into_iter().find(|other| other == error).unwrap_or("Other");
        Some(known(error).map_or_else(other, ErrorName::as_str))
    }

    /// Returns the run's metrics that are known.
    pub fn metrics(&self) -> impl Iterator<Item = (Metric, f64)> {
        #[allow(clippy::cast_precision_loss)]
        let exact = |number: u64| number as f64;
        let product = self.product();
        let seed = product.and_then(|product| product.seed);
        [
            (Metric::RunSeconds, Some(exact(self.seconds().unsigned_abs()))),
            (Metric::SeedUsers, seed.map(|seed| exact(seed.users))),
            (Metric::UniqueSeedUsers, seed.map(|seed| exact(seed.unique_users))),
            (Metric::Recall, product.and_then(|product| product.metrics.as_ref()?.recall_metric)),
            (Metric::Relevance, product.and_then(Product::relevance_of_largest)),
            (Metric::QuotaWaits, product.and_then(|product| product.quota_waits).map(f64::from)),
            (Metric::StatusChecks, product.and_then(|product| product.status_checks).map(f64::from)),
        ]
        .into_iter()
        .filter_map(|(metric, value)| Some((metric, value.filter(|value| value.is_finite())?)))
    }
}

/// A metric of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// From its start to its end.
    RunSeconds,
    /// Lines of its seed that are a user.
    SeedUsers,
    /// Users of its seed, each counted once.
    UniqueSeedUsers,
    /// The audience's recall.
    Recall,
    /// The relevance of the largest size that was exported.
    Relevance,
    /// How often it waited for a quota.
    QuotaWaits,
    /// How often it checked the status of its jobs.
    StatusChecks,
}

impl Metric {
    /// Returns the metric's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunSeconds => "RunSeconds",
            Self::SeedUsers => "SeedUsers",
            Self::UniqueSeedUsers => "UniqueSeedUsers",
            Self::Recall => "Recall",
            Self::Relevance => "Relevance",
            Self::QuotaWaits => "QuotaWaits",
            Self::StatusChecks => "StatusChecks",
        }
    }
}

impl Product {
    fn read(output: &Value, workflow: Engine, console: Option<&Console>) -> Self {
        let metrics: Option<Metrics> = field(output, "metrics");
        let audience_generation_job_arn: Option<AudienceGenerationJobArn> = field(output, "audienceGenerationJobArn");
        let exports = output.get("exports").and_then(Value::as_array).filter(|_| workflow == Engine::Audience);
        let audience = exports.map(|exports| {
            let exports = exports.iter().filter_map(|export| Deserialize::deserialize(export).ok());
            Audience {
                audience_generation_job_arn: audience_generation_job_arn.clone(),
                // Not part of an output, and not needed here.
                generated_by_this_run: false,
                is_ready: true,
                recall: metrics.as_ref().and_then(|metrics| metrics.recall_metric),
                sizes: sizes(metrics.as_ref().map_or(&[], |metrics| &metrics.relevance_metrics), exports, console),
            }
        });
        let segment = || Segment {
            batch_segment_job_arn: field::<BatchSegmentJobArn>(output, "batchSegmentJobArn"),
            status: field(output, "status"),
            is_ready: true,
            input: field(output, "input"),
            output: field::<SegmentCount>(output, "output"),
            output_location: field(output, "outputLocation"),
            output_url: None,
        };
        Self {
            audience,
            segment: (workflow == Engine::Segment).then(|| segment().shown_in(console)),
            audience_generation_job_arn,
            model: field(output, "configuredAudienceModelArn"),
            solution_version: field(output, "solutionVersionArn"),
            metrics,
            seed: field(output, "seed"),
            report: field(output, "report"),
            deadline: field(output, "deadline"),
            quota_waits: field(output, "quotaWaits"),
            // Runs that began with an earlier definition have the old name.
            status_checks: field(output, "statusChecks").or_else(|| field(output, "looks")),
        }
    }

    fn relevance_of_largest(&self) -> Option<f64> {
        let largest = self.audience.as_ref()?.exported().max_by_key(|size| size.audience_size.value());
        largest.and_then(|size| size.relevance)
    }
}

impl Failure {
    fn read(error: &str, cause: Option<&str>, execution_arn: &str, page_key: &str, input: Option<&Value>) -> Self {
        // Both are taken out before the cause is redacted and cut.
        let (cause, report) = cause.map(|cause| take_report(cause, page_key)).unzip();
        let (cause, deadline) = cause.map(take_deadline).unzip();
        let (report, deadline) = (report.flatten(), deadline.flatten());
        let is_of_function = cause.is_some_and(|cause| text_of_cause(cause) != cause);
        let is_handled = deadline.is_some() || report.is_some() || (known(error).is_some() && !is_of_function);
        let cause = cause.map(|cause| redacted(cause, input));
        Self {
            error: one_line(error, MAX_NAME),
            audience_generation_job_arn: cause.as_deref().and_then(|cause| audience_in(cause, execution_arn)),
            cause: cause.map(|cause| cut(cause.trim(), MAX_CAUSE, " [...] (cut; the run has the whole)")),
            report,
            deadline,
            origin: if is_handled { Origin::FailState } else { Origin::Task },
        }
    }
}

/// Returns a cause without its deadline, and the deadline if the state `RunFailed` wrote one.
fn take_deadline(cause: &str) -> (&str, Option<Moment>) {
    let taken = cause.rsplit_once(DEADLINE_IS).and_then(|(rest, deadline)| {
        let deadline: Moment = deadline.trim_end().strip_suffix('.')?.parse().ok()?;
        Some((rest, deadline))
    });
    taken.map_or((cause, None), |(rest, deadline)| (rest, Some(deadline)))
}

/// Returns the audience that a cause names; `None` if it names none, several, or one of another account or Region. A
/// cause may contain the text of a service.
fn audience_in(cause: &str, execution_arn: &str) -> Option<AudienceGenerationJobArn> {
    let run = ArnOwner::parse(execution_arn)?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":/-_.".contains(c);
    let arns = cause.match_indices("arn:").filter_map(|(start, _)| {
        let rest = &cause[start..];
        let arn = rest.split(|c| !is_part(c)).next()?.trim_end_matches(['.', ':']);
        let is_own = |owner: ArnOwner<'_>| owner.is_same_region(run) && owner.account == run.account;
        arn.parse::<AudienceGenerationJobArn>().ok().filter(|_| ArnOwner::parse(arn).is_some_and(is_own))
    });
    let mut arns: Vec<_> = arns.collect();
    arns.sort();
    arns.dedup();
    <[_; 1]>::try_from(arns).ok().map(|[arn]| arn)
}

/// Returns one field of JSON; `None` if it is absent or of another form.
fn field<T: DeserializeOwned>(json: &Value, name: &str) -> Option<T> {
    T::deserialize(json.get(name)?).ok()
}

fn execution_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn known(error: &str) -> Option<ErrorName> {
    ErrorName::ALL.into_iter().find(|name| name.as_str() == error)
}

/// Returns the text of a cause without the SQL that a service may quote in it.
fn redacted(cause: &str, input: Option<&Value>) -> String {
    let message = text_of_cause(cause);
    let sql = input.and_then(|input| input.pointer("/seedAudience/sqlParameters"));
    let query = sql.and_then(|sql| sql.get("queryString")?.as_str());
    let parameters = sql.and_then(|sql| sql.get("parameters")?.as_object());
    let parameters = parameters.into_iter().flat_map(|all| all.values().filter_map(Value::as_str));
    clean(&withhold(message, query.into_iter().chain(parameters)))
}

/// Returns a text without control characters except line ends, and without characters that change the order of letters.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n").replace('\t', " ");
    let is_plain = |c: &char| {
        *c == '\n'
            || !(c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
    };
    text.chars().filter(is_plain).collect()
}

/// Returns the same on one line, with at most `max` characters.
fn one_line(text: &str, max: usize) -> String {
    cut(&clean(text).split_whitespace().collect::<Vec<_>>().join(" "), max, "...")
}

fn cut(text: &str, max: usize, mark: &str) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let start: String = text.chars().take(max.saturating_sub(mark.chars().count())).collect();
    format!("{}{mark}", start.trim_end())
}

#[cfg(test)]
mod tests;
