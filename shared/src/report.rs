//! What the report of any run has: where it lies, how the run ended, and how its time was spent.
//!
//! A report is made once, in this crate; the page draws it and its JSON twin is it. It never bears a user id, SQL text
//! or a query parameter. What is not known is `null` in the twin and said in words on the page.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::console::Console;
use crate::execution::{Deadline, Execution, Moment, Skipped};
use crate::timeline::Timeline;
use crate::values::{JobName, S3Uri};

/// What stands in the cause of a bad end between what happened and where the report lies; a full stop ends it.
pub const REPORT_LIES_AT: &str = " Report: ";

/// Takes a cause apart into what happened and where the run's report lies, if a workflow wrote this at its end.
#[must_use]
pub fn take_report<'c>(cause: &'c str, page_key: &str) -> (&'c str, Option<S3Uri>) {
    let place = |said: &str| -> Option<S3Uri> {
        let place: S3Uri = said.strip_suffix('.')?.parse().ok()?;
        // What comes before is a service's text: only this run's own page counts, in a bucket that could be one.
        let is_bucket = place.bucket().bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
        (is_bucket && place.key() == page_key).then_some(place)
    };
    let told = cause.rsplit_once(REPORT_LIES_AT).and_then(|(happened, said)| Some((happened, place(said)?)));
    told.map_or((cause, None), |(happened, place)| (happened, Some(place)))
}

/// What any workflow hands over at the end of a run. Whatever is not there is `null`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedRun {
    /// The execution.
    pub execution: Execution,
    /// The run's name.
    pub name: JobName,
    /// Where the checked request lies; none where nothing was checked.
    pub checked_request: Option<S3Uri>,
    /// When the run gave up, or would have.
    pub deadline: Option<Deadline>,
    /// What could not be checked.
    #[serde(default, deserialize_with = "null_is_none")]
    pub skipped: Vec<Skipped>,
    /// How often it waited for the quota of its first job.
    #[serde(default, deserialize_with = "null_is_none")]
    pub quota_waits: u32,
    /// The error with which the run ends.
    pub error: Option<String>,
    /// What happened, and what to do.
    pub cause: Option<String>,
}

pub(crate) fn null_is_none<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReportStatus {
    /// All that was asked for is there.
    Ready,
    /// Some of it is there.
    Partial,
    /// Nothing new is there.
    Failed,
}

/// What every report tells, whatever kind of run it is of.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// The run's name.
    pub name: JobName,
    /// How it ended.
    pub outcome: ReportStatus,
    /// The same in one or two sentences.
    pub summary: String,
    /// The error with which it ended.
    pub error: Option<String>,
    /// What happened, and what to do.
    pub cause: Option<String>,
    /// The input of an execution that makes up for what is missing, where there is one.
    pub remedy: Option<Value>,
    /// The execution's ARN.
    pub execution_arn: String,
    /// The execution's name.
    pub execution_name: String,
    /// When the execution started.
    #[serde(skip)]
    pub start_time: Moment,
    /// The execution in the AWS console.
    pub execution_url: Option<String>,
    /// When the run gave up, or would have.
    pub deadline: Option<Deadline>,
    /// How often it waited for the quota of its first job.
    pub quota_waits: u32,
    /// How its time was spent.
    pub timeline: Timeline,
    /// When the report was written.
    pub written_at: Moment,
}

/// What a kind of run says of its end.
pub(crate) struct Verdict {
    pub(crate) outcome: ReportStatus,
    pub(crate) summary: String,
    pub(crate) remedy: Option<Value>,
}

impl Run {
    pub(crate) fn of(ended: EndedRun, verdict: Verdict, timeline: Timeline, now: Moment) -> Self {
        Self {
            name: ended.name,
            outcome: verdict.outcome,
            summary: verdict.summary,
            error: ended.error,
            cause: ended.cause,
            remedy: verdict.remedy,
            execution_url: Console::of_arn(&ended.execution.id).map(|console| console.execution(&ended.execution.id)),
            execution_arn: ended.execution.id,
            execution_name: ended.execution.name,
            start_time: ended.execution.start_time,
            deadline: ended.deadline,
            quota_waits: ended.quota_waits,
            timeline,
            written_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cause_is_taken_apart_only_where_it_ends_with_this_runs_own_page() {
        let page = "s3://my-seeds/reports/run/index.html";
        let cause = format!("The job failed. Report: {page}.");
        assert_eq!(take_report(&cause, "reports/run/index.html"), ("The job failed.", page.parse().ok()));
        let twice = format!("Said. Report: s3://x/y. Report: {page}.");
        assert_eq!(take_report(&twice, "reports/run/index.html").0, "Said. Report: s3://x/y.");
        for other in [
            String::new(),
            "The job failed.".into(),
            format!("The job failed. Report: {page}"),
            format!("The job failed. Report: {page}. And more."),
            format!("The job failed. Report:\n{page}."),
            "The job failed. Report: s3://my-seeds/reports/another/index.html.".into(),
            "The job failed. Report: https://my-seeds/reports/run/index.html.".into(),
            "The job failed. Report: s3://my seeds\n/reports/run/index.html.".into(),
            "The job failed. Report: s3://my-seeds/reports/run/report.json.".into(),
        ] {
            assert_eq!(take_report(&other, "reports/run/index.html"), (other.as_str(), None));
        }
    }
}
