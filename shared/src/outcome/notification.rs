//! The notification of an outcome: a mail's subject and body, in plain text.

use std::fmt::Write as _;

use super::{Failure, Outcome, Product, RunResult, UploadedObject, clean, cut, one_line};
use crate::audience_report::Audience;
use crate::console::Console;
use crate::report::ReportStatus;
use crate::segment_report::Segment;
use crate::values::S3Uri;
use crate::words;

/// An SNS subject has fewer than 100 characters.
const MAX_SUBJECT: usize = 99;
/// An error in a subject. A longer one would leave no room for the name.
const MAX_ERROR_IN_SUBJECT: usize = 48;
/// The greatest number of failed runs of one batch that have a notification each.
pub const MAX_SEPARATE_FAILURES: usize = 5;
/// The greatest number of failed runs that a digest names.
const MAX_NAMED_FAILURES: usize = 10;

/// One notification for many failed runs.
pub struct Digest {
    /// The subject, as SNS accepts it.
    pub subject: String,
    /// The body.
    pub body: String,
}

impl Digest {
    /// Returns the digest of the failed runs among outcomes; `None` if they are few enough for a notification each.
    pub fn new<'o>(outcomes: impl IntoIterator<Item = &'o Outcome>) -> Option<Self> {
        let failed: Vec<_> = outcomes.into_iter().filter_map(|outcome| Some((outcome, outcome.failure()?))).collect();
        if failed.len() <= MAX_SEPARATE_FAILURES {
            return None;
        }
        let mut body = format!("{} runs did not succeed.\n\n", failed.len());
        for (outcome, failure) in failed.iter().take(MAX_NAMED_FAILURES) {
            let workflow = outcome.workflow().to_lowercase();
            let console = outcome.console.as_ref().map(|console| console.execution(&outcome.execution_arn));
            let place = console.as_ref().unwrap_or(&outcome.execution_arn);
            let _ = writeln!(body, "{} ({workflow}, {})\n  {place}", outcome.name, failure.error);
        }
        if failed.len() > MAX_NAMED_FAILURES {
            let _ = writeln!(body, "and {} more", failed.len() - MAX_NAMED_FAILURES);
        }
        body += "\nWhat to do: find the reason that these runs share. The record of each run, under outcomes/ in the stack's \
                 bucket, has its cause. Before you start a run again, check whether a job of it exists: a new run starts \
                 and pays for another job.\n";
        Some(Self { subject: format!("{} runs failed", failed.len()), body })
    }
}

impl Outcome {
    /// Returns the subject of the notification: ASCII on one line, as SNS accepts it. The name is cut before the error.
    #[must_use]
    pub fn subject(&self) -> String {
        let (verb, error) = match &self.result {
            RunResult::Ready(_) => ("ready", None),
            RunResult::Stopped(_) => ("stopped", None),
            RunResult::Failed(failure) | RunResult::TimedOut(failure) => ("failed", Some(&failure.error)),
        };
        let start = format!("{} {verb}: ", self.workflow());
        let end = error.map_or_else(String::new, |error| format!(" ({})", ascii(error, MAX_ERROR_IN_SUBJECT)));
        let name = ascii(&self.name, MAX_SUBJECT - start.len() - end.len());
        format!("{start}{name}{end}")
    }

    /// Returns the body of the notification: what happened, what to do next, and links. Plain text.
    #[must_use]
    pub fn body(&self) -> String {
        let mut parts = match &self.result {
            RunResult::Ready(product) => product.text(),
            RunResult::Failed(failure) => {
                let what = format!("{} failed: {}.", self.run_name(), failure.error);
                vec![what, failure.text(), self.advice(failure)]
            }
            RunResult::TimedOut(failure) => {
                let what = format!("{} took longer than Step Functions allows, and was ended.", self.run_name());
                vec![what, failure.text(), self.advice(failure)]
            }
            RunResult::Stopped(failure) => {
                let what = format!("{} was stopped before it ended.", self.run_name());
                vec![what, failure.text(), self.advice(failure)]
            }
        };
        let duration = words::duration(self.seconds());
        parts.push(format!("It ended on {}, after {duration}.", words::time(self.time)));
        parts.push(self.links());
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n") + "\n"
    }

    fn run_name(&self) -> String {
        format!("The {} run {}", self.workflow().to_lowercase(), self.name)
    }

    fn links(&self) -> String {
        let mut links = String::new();
        let mut link = |what: &str, place: &str, url: Option<String>| {
            let url = url.map_or_else(String::new, |url| format!("\n  {url}"));
            let _ = writeln!(links, "{what}: {place}{url}");
        };
        let object = |place: &S3Uri| self.console.as_ref().map(|console| console.object(place));
        if let Some(report) = self.report() {
            link("Report", &clean(report.as_str()), object(report));
        }
        let execution = self.console.as_ref().map(|console: &Console| console.execution(&self.execution_arn));
        link("Run", &self.execution_arn, execution);
        if let Some(UploadedObject { bucket, key }) = &self.upload {
            let place = S3Uri::new(bucket, key).ok();
            link("Started by", &one_line(&format!("s3://{bucket}/{key}"), usize::MAX), place.as_ref().and_then(object));
        }
        links.trim_end().to_owned()
    }
}

impl Product {
    fn text(&self) -> Vec<String> {
        match (&self.audience, &self.segment) {
            (Some(audience), _) => self.audience_text(audience),
            (None, Some(segment)) => self.segment_text(segment),
            (None, None) => vec!["Your audience is ready. The run's page shows its exports.".into()],
        }
    }

    fn audience_text(&self, audience: &Audience) -> Vec<String> {
        let mut parts = vec![audience.summary(ReportStatus::Ready, None)];
        let scores = audience.scores();
        let mut exported = String::new();
        for size in audience.exported() {
            let relevance = size.relevance.map(|score| format!(", relevance {}", scores.write(score)));
            let export = size.export.as_ref();
            let place = export.and_then(|export| export.output_location.as_deref()).unwrap_or("location not visible");
            let url = export.and_then(|export| export.output_url.as_deref());
            let url = url.map_or_else(String::new, |url| format!("\n    {url}"));
            let (size, relevance) = (words::size(size.audience_size), relevance.unwrap_or_default());
            let _ = write!(exported, "\n  {size}{relevance}: {}{url}", one_line(place, usize::MAX));
        }
        if !exported.is_empty() {
            parts.push(format!("Exported:{exported}"));
        }
        let mut facts = String::new();
        if let Some(recall) = audience.recall {
            let recall = words::Scores::of(&[recall]).write(recall);
            let _ = writeln!(facts, "Recall: {recall}, the share of the users most like the seed that was found.");
        }
        if let Some(seed) = self.seed {
            let users = words::counted(seed.unique_users, "user", "users");
            let lines = words::counted(seed.users, "line", "lines");
            let _ = writeln!(facts, "Seed: {users} in {lines}, each counted once.");
        }
        facts += &self.waits_text();
        parts.push(facts.trim_end().to_owned());
        parts
    }

    fn segment_text(&self, segment: &Segment) -> Vec<String> {
        let mut parts = vec![segment.summary(None)];
        parts.extend(segment.mishap());
        if let Some(location) = &segment.output_location {
            let url = segment.output_url.as_ref().map_or_else(String::new, |url| format!("\n  {url}"));
            parts.push(format!("Output: {}{url}", one_line(location, usize::MAX)));
        }
        parts.push(self.waits_text());
        parts
    }

    fn waits_text(&self) -> String {
        let waits = self.quota_waits.filter(|waits| *waits > 0);
        let text = |waits: u32| format!("It waited {} for a quota.", words::counted(waits.into(), "time", "times"));
        waits.map_or_else(String::new, text)
    }
}

impl Failure {
    fn text(&self) -> String {
        self.cause.as_ref().map_or_else(String::new, |cause| format!("What happened: {cause}"))
    }
}

/// Returns one line of ASCII, with at most `max` characters.
fn ascii(text: &str, max: usize) -> String {
    let line: String = one_line(text, usize::MAX).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    cut(&line, max, "...")
}
