//! How the end of a run is told: to people in words, to other systems as an event, and in figures.
//!
//! All is made of Step Functions' own `Step Functions Execution Status Change`, which comes for every end, aborted and
//! timed out too. Its `input` may be a request with SQL: of it nothing is told but the upload that the run began with.

use std::fmt::Write as _;

use aws_smithy_types::DateTime;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audience_report::{Audience, Size, sizes};
use crate::audience_size::AudienceSize;
use crate::cause::text_of_cause;
use crate::console::Console;
use crate::error::{Error, ErrorName, withhold};
use crate::execution::{Engine, Moment, Workflows};
use crate::job::Metrics;
use crate::report::{Outcome, take_report};
use crate::seed::SeedCount;
use crate::segment_report::{Segment, SegmentCount};
use crate::values::{AudienceGenerationJobArn, BatchSegmentJobArn, S3Uri};
use crate::words;

/// The error of a run that was stopped.
const ABORTED: &str = "Aborted";
/// The error of a run that Step Functions gave up.
const TIMED_OUT: &str = "States.Timeout";
/// An SNS subject has fewer than 100 characters.
const MOST_OF_SUBJECT: usize = 99;
/// An error in a subject: more would leave no room for the name.
const MOST_OF_ERROR: usize = 48;
/// A name: Step Functions' own limit.
const MOST_OF_NAME: usize = 80;
/// A cause: Step Functions allows 32,768 characters, which nobody reads in a mail.
const MOST_OF_CAUSE: usize = 4_000;

/// The detail of Step Functions' `Step Functions Execution Status Change`. Fields that are not named here are ignored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusChange {
    execution_arn: String,
    state_machine_arn: String,
    name: Option<String>,
    status: Status,
    /// Milliseconds since 1970.
    start_date: Option<i64>,
    /// Milliseconds since 1970.
    stop_date: Option<i64>,
    /// JSON; none where it is too large for an event.
    input: Option<String>,
    /// JSON; none where it is too large for an event, or where the run did not succeed.
    output: Option<String>,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    /// `RUNNING`, `PENDING_REDRIVE`, and what is yet to come.
    #[serde(other)]
    NoEnd,
}

/// The end of a run.
pub struct End {
    engine: Engine,
    /// One line, as people and services gave it.
    name: String,
    execution_arn: String,
    started: Option<Moment>,
    time: Moment,
    ending: Ending,
    /// The object that the run began with.
    upload: Option<BeganWith>,
    console: Option<Console>,
}

/// How a run ended, with what there is to tell of it.
enum Ending {
    Ready(Box<Made>),
    Failed(Failure),
    TimedOut(Failure),
    Stopped(Failure),
}

struct Failure {
    /// One line.
    error: String,
    cause: Option<String>,
    /// Where the workflow wrote a report before it failed.
    report: Option<S3Uri>,
}

/// What a run that ended well answers. Whatever cannot be read is left out: no end goes untold for it.
struct Made {
    audience: Option<Audience>,
    segment: Option<Segment>,
    audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    metrics: Option<Metrics>,
    seed: Option<SeedCount>,
    report: Option<S3Uri>,
    quota_waits: Option<u32>,
    looks: Option<u32>,
}

/// All that is read of an execution's input to be told.
#[derive(Deserialize)]
struct StartedBy {
    upload: BeganWith,
}

/// An object that a run began with.
#[derive(Clone, Serialize, Deserialize)]
struct BeganWith {
    bucket: String,
    key: String,
}

impl End {
    /// Reads an event that came at `now`. None where the run has not ended. Errors as `InvalidRequest` where it belongs
    /// to neither workflow.
    pub fn read(change: StatusChange, workflows: &Workflows, now: Moment) -> Result<Option<Self>, Error> {
        let Some(engine) = workflows.engine(&change.state_machine_arn) else {
            let message = "The event is of neither workflow of this stack: let the rule match their ARNs alone.";
            return Err(Error::new(ErrorName::InvalidRequest, message));
        };
        let console = Console::of_arn(&change.execution_arn);
        let input: Option<Value> = change.input.as_deref().and_then(|input| serde_json::from_str(input).ok());
        let output: Value = change.output.as_deref().and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
        let told = |cause: Option<&str>| cause.map(|cause| told_cause(cause, input.as_ref()));
        let (error, cause) = (given(change.error.as_deref()), given(change.cause.as_deref()));
        let ending = match change.status {
            Status::NoEnd => return Ok(None),
            Status::Succeeded => Ending::Ready(Box::new(Made::read(&output, engine, console.as_ref()))),
            Status::Failed => {
                let error = one_line(error.unwrap_or("Unknown"), MOST_OF_NAME);
                // Taken out before the cause is cut; a link says it better.
                let (cause, report) =
                    cause.map(|cause| take_report(cause, execution_name(&change.execution_arn))).unzip();
                Ending::Failed(Failure { error, cause: told(cause), report: report.flatten() })
            }
            Status::TimedOut => Ending::TimedOut(Failure { error: TIMED_OUT.into(), cause: told(cause), report: None }),
            // Who stops a run may give both.
            Status::Aborted => {
                Ending::Stopped(Failure { error: ABORTED.into(), cause: told(cause.or(error)), report: None })
            }
        };
        let of_execution = || given(change.name.as_deref()).unwrap_or(execution_name(&change.execution_arn));
        let name: Option<String> = field(&output, "name");
        let name = given(name.as_deref()).unwrap_or_else(of_execution);
        Ok(Some(Self {
            engine,
            name: one_line(name, MOST_OF_NAME),
            started: change.start_date.and_then(moment),
            time: change.stop_date.and_then(moment).unwrap_or(now),
            ending,
            upload: input.and_then(|input| StartedBy::deserialize(input).ok()).map(|by| by.upload),
            console,
            execution_arn: change.execution_arn,
        }))
    }

    /// The execution's ARN.
    #[must_use]
    pub fn execution_arn(&self) -> &str {
        &self.execution_arn
    }

    /// What an operator finds the run by in a log.
    #[must_use]
    pub fn execution_name(&self) -> &str {
        execution_name(&self.execution_arn)
    }

    /// When it ended.
    #[must_use]
    pub fn time(&self) -> Moment {
        self.time
    }

    fn failure(&self) -> Option<&Failure> {
        match &self.ending {
            Ending::Ready(_) => None,
            Ending::Failed(failure) | Ending::TimedOut(failure) | Ending::Stopped(failure) => Some(failure),
        }
    }

    fn made(&self) -> Option<&Made> {
        match &self.ending {
            Ending::Ready(made) => Some(made),
            _ => None,
        }
    }

    fn report(&self) -> Option<&S3Uri> {
        match &self.ending {
            Ending::Ready(made) => made.report.as_ref(),
            Ending::Failed(failure) | Ending::TimedOut(failure) | Ending::Stopped(failure) => failure.report.as_ref(),
        }
    }

    /// The subject of its notification: what SNS takes, ASCII on one line, and the name cut before the error is.
    #[must_use]
    pub fn subject(&self) -> String {
        let what = self.engine_name();
        let (verb, error) = match &self.ending {
            Ending::Ready(_) => ("ready", None),
            Ending::Stopped(_) => ("stopped", None),
            Ending::Failed(failure) | Ending::TimedOut(failure) => ("failed", Some(&failure.error)),
        };
        let start = format!("{what} {verb}: ");
        let end = error.map_or_else(String::new, |error| format!(" ({})", ascii(error, MOST_OF_ERROR)));
        let name = ascii(&self.name, MOST_OF_SUBJECT - start.len() - end.len());
        format!("{start}{name}{end}")
    }

    /// The notification: what happened, what to do next, and where to look. Plain text.
    #[must_use]
    pub fn body(&self) -> String {
        let mut parts = match &self.ending {
            Ending::Ready(made) => made.told(),
            Ending::Failed(failure) => {
                vec![format!("{} failed: {}.", self.run_name(), failure.error), failure.told(), self.next_step(failure)]
            }
            Ending::TimedOut(failure) => {
                let what = format!("{} took longer than Step Functions gives it, and was ended.", self.run_name());
                vec![what, failure.told(), self.next_step(failure)]
            }
            Ending::Stopped(failure) => vec![
                format!("{} was stopped by somebody before it ended.", self.run_name()),
                failure.told(),
                format!(
                    "What to do: nothing, if that was meant. A job that the run had started goes on in the service, and \
                     costs what it costs. To go on with the run: {}",
                    self.redrive()
                ),
            ],
        };
        parts.push(self.took());
        parts.push(self.links());
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n") + "\n"
    }

    fn engine_name(&self) -> &'static str {
        match self.engine {
            Engine::Audience => "Audience",
            Engine::Segment => "Segment",
        }
    }

    fn run_name(&self) -> String {
        format!("The {} run {}", self.engine_name().to_lowercase(), self.name)
    }

    /// What to do about a failure. Our own errors say it in their cause; what is left is whether a redrive helps.
    fn next_step(&self, failure: &Failure) -> String {
        let rest = match known(&failure.error) {
            Some(ErrorName::InvalidRequest | ErrorName::InvalidSeed | ErrorName::Conflict) => {
                "mend what the message says, then upload again, or start a new run. A redrive would fail again.".into()
            }
            Some(ErrorName::AccessDenied | ErrorName::NotFound) => {
                format!("mend what the message says. Then go on with this run: {}", self.redrive())
            }
            Some(
                ErrorName::GenerationFailed
                | ErrorName::ExportFailed
                | ErrorName::SegmentFailed
                | ErrorName::JobDeleted
                | ErrorName::NoSizeQualifies
                | ErrorName::DeadlineExceeded,
            ) => "follow the message with a new run. A redrive would end as this one did.".into(),
            Some(ErrorName::QuotaExceeded | ErrorName::Throttled | ErrorName::ServiceUnavailable) => {
                format!("wait until the service is well, then {}", self.redrive())
            }
            None => {
                format!("open the run and look at the state that failed. If the fault has passed, {}", self.redrive())
            }
        };
        format!("What to do: {rest}")
    }

    fn redrive(&self) -> String {
        format!(
            "redrive it within 14 days, which goes on where it ended and starts no job twice: choose Redrive on its \
             page, or run\n  aws stepfunctions redrive-execution --execution-arn {}",
            self.execution_arn
        )
    }

    fn seconds(&self) -> Option<i64> {
        self.started.map(|started| self.time.seconds_since(started).max(0))
    }

    fn took(&self) -> String {
        let ended = words::time(self.time);
        match self.seconds() {
            Some(seconds) => format!("It ended on {ended}, after {}.", words::duration(seconds)),
            None => format!("It ended on {ended}."),
        }
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
        let execution = self.console.as_ref().map(|console| console.execution(&self.execution_arn));
        link("Run", &self.execution_arn, execution);
        if let Some(BeganWith { bucket, key }) = &self.upload {
            let place = S3Uri::new(bucket, key).ok();
            link("Began with", &one_line(&format!("s3://{bucket}/{key}"), usize::MAX), place.as_ref().and_then(object));
        }
        links.trim_end().to_owned()
    }

    /// The `detail-type` of its event.
    #[must_use]
    pub fn detail_type(&self) -> &'static str {
        match (self.engine, &self.ending) {
            (Engine::Audience, Ending::Ready(_)) => "Audience Ready",
            (Engine::Audience, _) => "Audience Failed",
            (Engine::Segment, Ending::Ready(_)) => "Segment Ready",
            (Engine::Segment, _) => "Segment Failed",
        }
    }

    /// The detail of its event, as `statemachine/events.schema.json` has it.
    #[must_use]
    pub fn detail(&self) -> Detail<'_> {
        let (made, failure) = (self.made(), self.failure());
        let segment = made.and_then(|made| made.segment.as_ref());
        let exports = made
            .and_then(|made| made.audience.as_ref())
            .map(|audience| audience.exported().filter_map(ToldExport::of).collect());
        Detail {
            version: "1",
            name: &self.name,
            execution_arn: &self.execution_arn,
            start_time: self.started,
            time: self.time,
            audience_generation_job_arn: made.and_then(|made| made.audience_generation_job_arn.as_ref()),
            batch_segment_job_arn: segment.and_then(|segment| segment.batch_segment_job_arn.as_ref()),
            exports,
            output_location: segment.and_then(|segment| segment.output_location.as_deref()),
            metrics: made.and_then(|made| made.metrics.as_ref()),
            seed: made.and_then(|made| made.seed),
            segment: segment.and_then(|segment| segment.output),
            report: self.report(),
            error: failure.map(|failure| failure.error.as_str()),
            cause: failure.and_then(|failure| failure.cause.as_deref()),
            upload: self.upload.as_ref(),
        }
    }

    /// `Audience` or `Segment`: a dimension of its figures.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        self.engine_name()
    }

    /// `Ready`, `Failed` or `Stopped`: a dimension of its figures.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match &self.ending {
            Ending::Ready(_) => "Ready",
            Ending::Failed(_) | Ending::TimedOut(_) => "Failed",
            Ending::Stopped(_) => "Stopped",
        }
    }

    /// Its error as a dimension: each value costs, so those that nobody knows are one.
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

    /// Its figures, where known.
    pub fn figures(&self) -> impl Iterator<Item = (Figure, f64)> {
        #[allow(clippy::cast_precision_loss)]
        let exact = |number: u64| number as f64;
        let made = self.made();
        let seed = made.and_then(|made| made.seed);
        [
            (Figure::RunSeconds, self.seconds().map(|seconds| exact(seconds.unsigned_abs()))),
            (Figure::SeedUsers, seed.map(|seed| exact(seed.users))),
            (Figure::UniqueSeedUsers, seed.map(|seed| exact(seed.unique_users))),
            (Figure::Recall, made.and_then(|made| made.metrics.as_ref()?.recall_metric)),
            (Figure::Relevance, made.and_then(Made::relevance_of_largest)),
            (Figure::QuotaWaits, made.and_then(|made| made.quota_waits).map(f64::from)),
            (Figure::Looks, made.and_then(|made| made.looks).map(f64::from)),
        ]
        .into_iter()
        .filter_map(|(figure, value)| Some((figure, value.filter(|value| value.is_finite())?)))
    }
}

/// What is counted and measured of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
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
    /// How often it looked at its jobs.
    Looks,
}

impl Figure {
    /// The metric's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunSeconds => "RunSeconds",
            Self::SeedUsers => "SeedUsers",
            Self::UniqueSeedUsers => "UniqueSeedUsers",
            Self::Recall => "Recall",
            Self::Relevance => "Relevance",
            Self::QuotaWaits => "QuotaWaits",
            Self::Looks => "Looks",
        }
    }
}

impl Made {
    fn read(output: &Value, engine: Engine, console: Option<&Console>) -> Self {
        let metrics: Option<Metrics> = field(output, "metrics");
        let audience_generation_job_arn: Option<AudienceGenerationJobArn> = field(output, "audienceGenerationJobArn");
        let exports = output.get("exports").and_then(Value::as_array).filter(|_| engine == Engine::Audience);
        let audience = exports.map(|exports| {
            let exports = exports.iter().filter_map(|export| Deserialize::deserialize(export).ok());
            Audience {
                audience_generation_job_arn: audience_generation_job_arn.clone(),
                // Not part of an answer, and not told here.
                generated_by_this_run: false,
                is_ready: true,
                recall: metrics.as_ref().and_then(|metrics| metrics.recall_metric),
                sizes: sizes(metrics.as_ref().map_or(&[], |metrics| &metrics.relevance_metrics), exports, console),
            }
        });
        let segment = || Segment {
            batch_segment_job_arn: field(output, "batchSegmentJobArn"),
            status: field(output, "status"),
            is_ready: true,
            input: field(output, "input"),
            output: field(output, "output"),
            output_location: field(output, "outputLocation"),
            output_url: None,
        };
        Self {
            audience,
            segment: (engine == Engine::Segment).then(|| segment().shown_in(console)),
            audience_generation_job_arn,
            metrics,
            seed: field(output, "seed"),
            report: field(output, "report"),
            quota_waits: field(output, "quotaWaits"),
            looks: field(output, "looks"),
        }
    }

    fn relevance_of_largest(&self) -> Option<f64> {
        let largest = self.audience.as_ref()?.exported().max_by_key(|size| size.audience_size.value());
        largest.and_then(|size| size.relevance)
    }

    fn told(&self) -> Vec<String> {
        match (&self.audience, &self.segment) {
            (Some(audience), _) => self.audience_told(audience),
            (None, Some(segment)) => self.segment_told(segment),
            (None, None) => vec!["Your audience is ready. The run's page shows its exports.".into()],
        }
    }

    fn audience_told(&self, audience: &Audience) -> Vec<String> {
        let mut parts = vec![audience.summary(Outcome::Ready, None)];
        let scores = audience.scores();
        let mut exported = String::new();
        for size in audience.exported() {
            let relevance = size.relevance.map(|score| format!(", relevance {}", scores.write(score)));
            let export = size.export.as_ref();
            let place = export.and_then(|export| export.output_location.as_deref()).unwrap_or("place not visible");
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
            let _ = writeln!(facts, "Recall: {recall}, the share of the people most like the seed that was found.");
        }
        if let Some(seed) = self.seed {
            let users = words::counted(seed.unique_users, "user", "users");
            let lines = words::counted(seed.users, "line", "lines");
            let _ = writeln!(facts, "Seed: {users} in {lines}, each counted once.");
        }
        facts += &self.waits_told();
        parts.push(facts.trim_end().to_owned());
        parts
    }

    fn segment_told(&self, segment: &Segment) -> Vec<String> {
        let mut parts = vec![segment.summary(None)];
        parts.extend(segment.mishap());
        if let Some(location) = &segment.output_location {
            let url = segment.output_url.as_ref().map_or_else(String::new, |url| format!("\n  {url}"));
            parts.push(format!("Output: {}{url}", one_line(location, usize::MAX)));
        }
        parts.push(self.waits_told());
        parts
    }

    fn waits_told(&self) -> String {
        let waits = self.quota_waits.filter(|waits| *waits > 0);
        let told = |waits: u32| format!("It waited {} for a quota.", words::counted(waits.into(), "time", "times"));
        waits.map_or_else(String::new, told)
    }
}

impl Failure {
    fn told(&self) -> String {
        self.cause.as_ref().map_or_else(String::new, |cause| format!("What happened: {cause}"))
    }
}

/// The detail of a run's event. Whatever is not there is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail<'a> {
    version: &'static str,
    name: &'a str,
    execution_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<Moment>,
    time: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience_generation_job_arn: Option<&'a AudienceGenerationJobArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_segment_job_arn: Option<&'a BatchSegmentJobArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exports: Option<Vec<ToldExport<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'a Metrics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<SeedCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<SegmentCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a S3Uri>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<&'a BeganWith>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldExport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    audience_size: AudienceSize,
    #[serde(skip_serializing_if = "Option::is_none")]
    relevance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_location: Option<&'a str>,
}

impl<'a> ToldExport<'a> {
    fn of(size: &'a Size) -> Option<Self> {
        let export = size.export.as_ref()?;
        Some(Self {
            name: export.name.as_deref(),
            audience_size: size.audience_size,
            relevance: size.relevance,
            output_location: export.output_location.as_deref(),
        })
    }
}

/// One field of a run's answer, where it is there and of its form.
fn field<T: DeserializeOwned>(output: &Value, name: &str) -> Option<T> {
    T::deserialize(output.get(name)?).ok()
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

/// A time that can be written: what no clock shows is none.
fn moment(millis: i64) -> Option<Moment> {
    (0..=253_402_300_799_999).contains(&millis).then(|| DateTime::from_millis(millis).into())
}

/// The text of a cause without the SQL that a service may quote in it.
fn told_cause(cause: &str, input: Option<&Value>) -> String {
    let message = text_of_cause(cause);
    let sql = input.and_then(|input| input.pointer("/seedAudience/sqlParameters"));
    let query = sql.and_then(|sql| sql.get("queryString")?.as_str());
    let parameters = sql.and_then(|sql| sql.get("parameters")?.as_object());
    let parameters = parameters.into_iter().flat_map(|all| all.values().filter_map(Value::as_str));
    let message = clean(&withhold(message, query.into_iter().chain(parameters)));
    cut(message.trim(), MOST_OF_CAUSE, " [...] (cut; the run has the whole)")
}

/// Takes out control characters but line ends, and those that turn the order of letters round.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n").replace('\t', " ");
    let is_plain = |c: &char| {
        *c == '\n'
            || !(c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
    };
    text.chars().filter(is_plain).collect()
}

/// The same on one line, with at most so many characters.
fn one_line(text: &str, most: usize) -> String {
    cut(&clean(text).split_whitespace().collect::<Vec<_>>().join(" "), most, "...")
}

/// One line of ASCII, with at most so many characters.
fn ascii(text: &str, most: usize) -> String {
    let mended: String = one_line(text, usize::MAX).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    cut(&mended, most, "...")
}

fn cut(text: &str, most: usize, mark: &str) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most.saturating_sub(mark.chars().count())).collect();
    format!("{}{mark}", start.trim_end())
}

#[cfg(test)]
mod tests;
