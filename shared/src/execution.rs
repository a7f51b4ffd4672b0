//! A run of the workflow: what it was given, who it is, which attempt this is, and how long it has left.

use std::fmt;
use std::str::FromStr;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::audience_size::AudienceSize;
use crate::environment::{Environment, EnvironmentError};
use crate::error::{Error, ErrorName};
use crate::export_policy::ExportPolicy;
use crate::schedule::PollBounds;
use crate::seed::SeedCount;
use crate::segment_input::InputCount;
use crate::upload::Upload;
use crate::values::{ArnOwner, AudienceGenerationJobArn, JobName, S3Uri, SegmentJobName};

/// Reads what a workflow hands to a function. Errors name the field and never quote it, as `InvalidRequest`.
pub fn read_event<T: DeserializeOwned>(event: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(event).map_err(|error| {
        let problem = error.inner().to_string();
        // Before this serde quotes what it found; after it and elsewhere stand only our own words.
        let problem = match problem.rsplit_once(", expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => problem,
        };
        let field = Some(error.path().to_string()).filter(|path| path != ".");
        let problem = field.map_or_else(|| problem.clone(), |field| format!("{field}: {problem}"));
        let message = format!("The function's event is not of its form: {problem}. Call it as the workflow does.");
        Error::new(ErrorName::InvalidRequest, message)
    })
}

/// A moment, as the services write it: RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(DateTime);

impl Moment {
    /// Whole seconds from `earlier` to this moment, rounded down.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> i64 {
        let nanos = self.0.as_nanos() - earlier.0.as_nanos();
        i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(i64::MAX)
    }

    /// Returns the milliseconds since 1970.
    #[must_use]
    pub fn to_millis(self) -> i64 {
        self.0.to_millis().unwrap_or_default()
    }

    /// Returns the moment so many seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self(DateTime::from_secs_and_nanos(self.0.secs().saturating_add(seconds), self.0.subsec_nanos()))
    }
}

impl From<DateTime> for Moment {
    fn from(time: DateTime) -> Self {
        Self(time)
    }
}

impl From<std::time::SystemTime> for Moment {
    fn from(time: std::time::SystemTime) -> Self {
        Self(time.into())
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        DateTime::from_str(text, Format::DateTimeWithOffset)
            .ok()
            // The year 0 can be read, but not written.
            .filter(|time| time.fmt(Format::DateTime).is_ok())
            .map(Self)
            .ok_or_else(|| "is no time (2026-01-31T12:00:00Z)".to_owned())
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Fails only for years that no clock shows.
        f.write_str(&self.0.fmt(Format::DateTime).unwrap_or_default())
    }
}

/// By how much the clocks of two services may differ, in seconds.
pub const MAX_CLOCK_SKEW_SECONDS: i64 = 60;

/// When a run gives up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deadline(Moment);

impl Deadline {
    /// A deadline counted from the execution's start.
    #[must_use]
    pub fn new(start: Moment, seconds: u64) -> Self {
        Self(start.plus_seconds(seconds))
    }

    /// Returns the whole seconds that are left: 0 or less after the deadline.
    #[must_use]
    pub fn seconds_left(self, now: Moment) -> i64 {
        self.0.seconds_since(now)
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The execution that a function works for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it began; a redrive does not change it.
    pub start_time: Moment,
}

impl Execution {
    /// The partition, Region and account that the run is in. Errors as `InvalidRequest` if its ARN does not say.
    pub fn owner(&self) -> Result<ArnOwner<'_>, Error> {
        ArnOwner::parse(&self.id).ok_or_else(|| {
            let message = "execution.id: is not the ARN of an execution. Call the function as the workflow does.";
            Error::new(ErrorName::InvalidRequest, message)
        })
    }

    /// Whether what `field` of a request names is of the run's own account: no call but the start of a generation job works
    /// across accounts. Errors as `InvalidRequest` if it is in another Region or partition.
    pub fn owns(&self, field: &str, arn: &str) -> Result<bool, Error> {
        let run = self.owner()?;
        match ArnOwner::parse(arn) {
            Some(owner) if owner.is_same_region(run) => Ok(owner.account == run.account),
            _ => {
                let message = format!(
                    "{field}: {arn} is not in {} ({}), where the stack is. Name one of this Region.",
                    run.region, run.partition
                );
                Err(Error::new(ErrorName::InvalidRequest, message))
            }
        }
    }

    /// Errors as `InvalidRequest` if what `field` of a request names is not of the run's own account and Region.
    pub fn must_own(&self, field: &str, arn: &str) -> Result<(), Error> {
        if self.owns(field, arn)? {
            return Ok(());
        }
        let message = format!(
            "{field}: {arn} is of another account. Name one of this account; a job of another account's model has an ARN in \
             each of the two."
        );
        Err(Error::new(ErrorName::InvalidRequest, message))
    }

    /// Returns whether a job that was created at this time can be this run's. The clocks of two services may differ by
    /// [`MAX_CLOCK_SKEW_SECONDS`].
    #[must_use]
    pub fn may_have_created(&self, create_time: Moment) -> bool {
        create_time.seconds_since(self.start_time) >= -MAX_CLOCK_SKEW_SECONDS
    }
}

/// The ARNs of the state machines.
pub struct Workflows {
    /// Of audience runs.
    pub audience: String,
    /// Of segment runs.
    pub segment: String,
}

impl Workflows {
    /// The stack's own, as its functions are told of them.
    pub fn of<L: Fn(&str) -> Option<String>>(environment: &Environment<L>) -> Result<Self, EnvironmentError> {
        Ok(Self {
            audience: environment.required("AUDIENCE_STATE_MACHINE_ARN")?,
            segment: environment.required("SEGMENT_STATE_MACHINE_ARN")?,
        })
    }

    pub(crate) fn engine(&self, state_machine_arn: &str) -> Option<Engine> {
        if state_machine_arn == self.audience {
            Some(Engine::Audience)
        } else if state_machine_arn == self.segment {
            Some(Engine::Segment)
        } else {
            None
        }
    }
}

/// The ARN of an execution, made of its state machine's.
#[must_use]
pub fn execution_arn(state_machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", state_machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

/// The longest input of an execution that is passed on, in characters of JSON.
///
/// Step Functions fails a state whose data exceeds 262,144 bytes, and no Catch sees it. A character has at most four bytes.
pub const MAX_INPUT_CHARACTERS: u64 = 60_000;

/// Errors as `InvalidRequest` if the input of an execution was not passed on.
pub fn check_input_size(characters: u64) -> Result<(), Error> {
    if characters <= MAX_INPUT_CHARACTERS {
        return Ok(());
    }
    let message = format!(
        "The execution's input has {characters} characters; {MAX_INPUT_CHARACTERS} are allowed, because Step Functions \
         limits the data of a state to 262,144 bytes. Upload the request as requests/<name>.json (a segment request as \
         segments/<name>.json) instead."
    );
    Err(Error::new(ErrorName::InvalidRequest, message))
}

/// What an execution was started with.
pub enum Input {
    /// An object that somebody put into the stack's bucket.
    Upload(Upload),
    /// A request for a new audience.
    Audience(Value),
    /// A request for more exports of an audience that exists.
    Export(Value),
}

impl Input {
    /// Tells the kinds of input apart; what they say is checked later. Errors as `InvalidRequest`.
    pub fn read(input: Value) -> Result<Self, Error> {
        if !input.is_object() {
            let message = "The execution's input must be a JSON object: a request, or an upload.";
            return Err(Error::new(ErrorName::InvalidRequest, message));
        }
        match input.get("upload") {
            Some(upload) => read_event(upload.clone()).map(Self::Upload).map_err(|error| error.doing("upload")),
            None => Ok(Self::of_request(input)),
        }
    }

    /// A request is for exports alone where it names an audience.
    #[must_use]
    pub fn of_request(request: Value) -> Self {
        if request.get("audienceGenerationJobArn").is_some() { Self::Export(request) } else { Self::Audience(request) }
    }
}

/// Which service a run is for: each has a workflow of its own, which says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Lookalike audiences of AWS Clean Rooms ML.
    #[default]
    Audience,
    /// User segments of Amazon Personalize.
    Segment,
}

/// A check that could not be made, so that the answer says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Skipped {
    /// The configured audience model may not be read.
    Model,
    /// The seed's object may not be read.
    Seed,
    /// A segment's input may not be read.
    Input,
    /// A segment's output may not be read, so nobody counted it.
    Output,
    /// The solution version may not be read, so its recipe is not compared with the input.
    Recipe,
}

/// What `check-request` answers: where the checked request lies, and what the later states need of it.
///
/// Whatever is not there is `null`: JSONata fails on a field that is absent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedRun {
    /// The run's name, which its jobs bear.
    pub name: JobName,
    /// Where the checked request lies; none where nothing is generated.
    pub checked_request: Option<S3Uri>,
    /// The audience, where it exists already.
    pub audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    /// When the run gives up.
    pub deadline: Deadline,
    /// Which sizes to export.
    pub export: ExportPolicy,
    /// The bounds of the wait between two status checks.
    pub poll: PollBounds,
    /// The model's sizes, where they could be read.
    pub model_sizes: Option<Vec<AudienceSize>>,
    /// What was found in the seed, where it has a file that could be read.
    pub seed: Option<SeedCount>,
    /// What could not be checked.
    pub skipped: Vec<Skipped>,
}

/// What `check-request` answers of a segment request. Whatever is not there is `null`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckedSegment {
    /// The run's name, which its job bears.
    pub name: SegmentJobName,
    /// Where the checked request lies.
    pub checked_request: S3Uri,
    /// When the run gives up.
    pub deadline: Deadline,
    /// The bounds of the wait between two status checks.
    pub poll: PollBounds,
    /// What was found in the input, where it may be read.
    pub input: Option<InputCount>,
    /// What may go otherwise than meant.
    pub warnings: Vec<String>,
    /// What could not be checked.
    pub skipped: Vec<Skipped>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn moment(text: &str) -> Moment {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_read_with_any_offset_and_written_in_utc() {
        assert_eq!(moment("2026-11-22T17:00:00.250+01:00").to_string(), "2026-11-22T16:00:00.25Z");
        assert!("yesterday".parse::<Moment>().is_err());
        assert_eq!(json!(moment("2026-11-22T16:00:00Z")), "2026-11-22T16:00:00Z");
        assert!("0000-12-31T23:59:59Z".parse::<Moment>().is_err());
    }

    #[test]
    fn a_deadline_counts_whole_seconds_from_the_start() {
        let deadline = Deadline::new(moment("2026-11-22T16:00:00Z"), 60);
        assert_eq!(deadline.seconds_left(moment("2026-11-22T16:00:00Z")), 60);
        assert_eq!(deadline.seconds_left(moment("2026-11-22T16:00:59.500Z")), 0);
        assert_eq!(deadline.seconds_left(moment("2026-11-22T16:01:01Z")), -1);
    }

    #[test]
    fn a_run_owns_what_its_account_has_in_its_region() {
        let id = "arn:aws:states:eu-west-1:123456789012:execution:audience:run".to_owned();
        let run = Execution { id, name: "run".into(), start_time: moment("2026-11-22T16:00:00Z") };
        let owns = |partition: &str, region: &str, account: &str| {
            let arn = format!("arn:{partition}:cleanrooms-ml:{region}:{account}:configured-audience-model/1");
            run.owns("configuredAudienceModelArn", &arn)
        };
        assert_eq!(owns("aws", "eu-west-1", "123456789012"), Ok(true));
        assert_eq!(owns("aws", "eu-west-1", "444455556666"), Ok(false));
        for (partition, region) in [("aws", "us-east-1"), ("aws-cn", "eu-west-1")] {
            let error = owns(partition, region, "123456789012").unwrap_err();
            assert_eq!(error.name, ErrorName::InvalidRequest);
            assert!(error.message.starts_with("configuredAudienceModelArn: arn:"), "{error}");
            assert!(error.message.contains("is not in eu-west-1 (aws)"), "{error}");
        }
    }

    #[test]
    fn an_input_that_is_too_large_says_to_upload_it() {
        assert_eq!(check_input_size(MAX_INPUT_CHARACTERS), Ok(()));
        let error = check_input_size(262_000).unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains("262,144 bytes. Upload the request as requests/<name>.json"), "{error}");
    }

    #[test]
    fn the_kinds_of_input_are_told_apart() {
        let upload = json!({"upload": {"bucket": "b", "key": "seeds/a", "sequencer": "1"}});
        assert!(matches!(Input::read(upload).unwrap(), Input::Upload(upload) if upload.key == "seeds/a"));
        assert!(matches!(Input::read(json!({"seedAudience": {}})).unwrap(), Input::Audience(_)));
        assert!(matches!(Input::read(json!({"audienceGenerationJobArn": "x"})).unwrap(), Input::Export(_)));
        for wrong in [json!([]), json!({"upload": {"bucket": "b"}}), json!({"upload": 3})] {
            assert_eq!(Input::read(wrong).err().unwrap().name, ErrorName::InvalidRequest);
        }
    }

    #[test]
    fn an_event_of_another_form_is_told_by_its_field_and_never_quoted() {
        let message = |upload: Value| Input::read(json!({ "upload": upload })).err().unwrap().message;
        let secret = "SECRET, expected SECRET";
        for (upload, told) in [
            (json!({"bucket": "b", "key": "k", "size": secret}), "form: size: expected u64."),
            (json!({"bucket": "b"}), "missing field `key`"),
            (json!(secret), "expected struct Upload"),
        ] {
            let message = message(upload);
            assert!(message.contains(told) && !message.contains("SECRET"), "{message}");
        }
    }

    #[test]
    fn an_executions_arn_is_that_of_its_state_machine_with_the_name() {
        let machine = "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:audience";
        assert_eq!(execution_arn(machine, "run"), "arn:aws-cn:states:cn-north-1:123456789012:execution:audience:run");
    }
}
