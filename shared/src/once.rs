//! Once per job: how a paid job is started so that no repetition and no lost answer starts it again.
//!
//! Neither service takes a client token, so the name of a job is the token. In four sentences:
//!
//! - An **attempt** is one call of a start function; its result is accepted, rejected or *unknown*.
//! - The run keeps a [`JobStart`] for each job, and every call of a start function moves it on.
//! - Only after an unknown attempt, or a conflict, are the jobs looked up; every job is proven before it is accepted.
//! - A job that is possibly started is started again only if a complete list, read at least ten minutes after the
//!   attempt ended, does not contain it.

use serde::{Deserialize, Serialize};

use crate::cause::{MAX_CAUSE_BYTES, cut};
use crate::error::{Error, ErrorName};
use crate::execution::{Deadline, Moment};
use crate::values::JobName;

/// The timeout of a task that starts jobs, in seconds. The workflows have the same number, and a test holds them to it.
pub const MAX_ATTEMPT_SECONDS: i64 = 310;

/// How long after an attempt ended its job may be missing from a list, in seconds. It covers a service that accepts the
/// call after the caller gave up, a list that lags, and clocks that differ.
pub const MAX_UNLISTED_SECONDS: i64 = 600;

/// How long a run repeats a call that is answered only by errors that are not transient, in seconds: new permissions need
/// time to take effect. The workflows have the same number for calls that cannot be made, and a test holds them to it.
pub const MAX_FAILING_SECONDS: i64 = 1_800;

/// One attempt to start jobs, as the workflow counts it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When the task was entered: the attempt ends at most [`MAX_ATTEMPT_SECONDS`] later.
    pub entered_time: Moment,
    /// How often the execution was redriven.
    pub redrive_count: u32,
}

/// How far the start of a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartState {
    /// No attempt was made.
    #[default]
    NotStarted,
    /// The last attempt was rejected for now: by a quota, by throttling, or by permissions that may be new.
    Waiting,
    /// The last attempt possibly started the job.
    Unknown,
    /// The job exists and was proven to be this run's.
    Started,
    /// The job ended.
    Finished,
    /// The job was not started, and will not be.
    Rejected,
}

/// The start of one job, as the workflow keeps it from attempt to attempt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStart {
    /// How far it is.
    pub state: StartState,
    /// When the attempt that led to this state was made. `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Since when every answer is an error that is not transient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Moment>,
    /// Since when the name is in use by a job that no list shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_since: Option<Moment>,
    /// The redrives that the last attempt knew of.
    #[serde(default)]
    pub redrive_count: u32,
    /// How often a quota rejected an attempt.
    #[serde(default)]
    pub quota_waits: u32,
    /// Why it is waiting, unknown or rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What happened and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl JobStart {
    /// Returns whether an attempt is due.
    #[must_use]
    pub fn is_due(&self) -> bool {
        matches!(self.state, StartState::NotStarted | StartState::Waiting | StartState::Unknown)
    }

    /// Returns whether the last attempt possibly started the job.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.state == StartState::Unknown
    }

    /// Returns the start as an attempt finds it. A run that was stopped during an attempt does not know its result, so a
    /// redrive makes it unknown.
    #[must_use]
    pub fn before(self, attempt: Attempt) -> Self {
        let is_redriven = attempt.redrive_count > self.redrive_count && self.is_due();
        let start = Self { redrive_count: attempt.redrive_count, ..self };
        if is_redriven {
            Self { state: StartState::Unknown, since: Some(attempt.entered_time), ..start }
        } else {
            start
        }
    }

    /// Returns whether a job that a complete list, read at `now`, does not contain was not started.
    #[must_use]
    pub fn is_surely_absent(&self, now: Moment) -> bool {
        self.since.is_none_or(|since| now.seconds_since(since) >= MAX_ATTEMPT_SECONDS + MAX_UNLISTED_SECONDS)
    }

    /// The job exists and is this run's.
    #[must_use]
    pub fn started(&self, since: Moment) -> Self {
        Self { state: StartState::Started, ..self.with(Some(since), None) }
    }

    /// The job is not started.
    #[must_use]
    pub fn rejected(&self, error: &Error) -> Self {
        Self { state: StartState::Rejected, ..self.with(self.since, Some(error)) }
    }

    /// The deadline passed before the job was started, as far as the run knows. `job` names it.
    #[must_use]
    pub fn too_late(&self, deadline: Deadline, job: &str) -> Self {
        let message = if self.is_unknown() {
            format!(
                "It is not known whether {job} was started when the run's deadline passed at {deadline}. Look for it in the \
                 console before you start it again."
            )
        } else {
            let why = self.cause.as_ref().map_or_else(String::new, |cause| format!(" The last attempt: {cause}"));
            format!(
                "{job} was not started before the run's deadline passed at {deadline}. Start a new run with a longer \
                 deadlineSeconds.{why}"
            )
        };
        self.rejected(&Error::new(ErrorName::DeadlineExceeded, message))
    }

    /// The service answered an attempt with an error.
    #[must_use]
    pub fn answered(&self, error: Error, attempt: Attempt, now: Moment) -> Self {
        match error.name {
            ErrorName::QuotaExceeded => {
                let waits = self.quota_waits.saturating_add(1);
                Self { quota_waits: waits, ..self.waiting(&error, attempt) }
            }
            ErrorName::Throttled => self.waiting(&error, attempt),
            ErrorName::ServiceUnavailable => self.unknown(&error, attempt),
            ErrorName::AccessDenied => self.waiting(&error, attempt).failing(self.failing_since, error, now),
            _ => self.rejected(&error),
        }
    }

    /// The result of an attempt is not known.
    #[must_use]
    pub fn unknown(&self, error: &Error, attempt: Attempt) -> Self {
        Self { state: StartState::Unknown, ..self.with(Some(attempt.entered_time), Some(error)) }
    }

    /// The name is in use by a job that no list shows. `None` if that has lasted too long to be a list that lags.
    #[must_use]
    pub fn in_conflict(&self, error: &Error, attempt: Attempt, now: Moment) -> Option<Self> {
        let since = self.conflict_since.unwrap_or(attempt.entered_time);
        let is_transient = now.seconds_since(since) < MAX_ATTEMPT_SECONDS + MAX_UNLISTED_SECONDS;
        is_transient.then(|| Self { conflict_since: Some(since), ..self.unknown(error, attempt) })
    }

    /// A call that prepares or looks up failed, so nothing was attempted and the state remains.
    #[must_use]
    pub fn not_attempted(&self, error: Error, now: Moment) -> Self {
        let start = Self { state: self.state, ..self.with(self.since, Some(&error)) };
        if error.name.is_transient() { start } else { start.failing(self.failing_since, error, now) }
    }

    /// The same if the request for the job could not be read: nothing was attempted. After the deadline the start is rejected, so
    /// that the run ends. `job` names the job.
    #[must_use]
    pub fn not_read(self, error: Error, attempt: Attempt, deadline: Deadline, job: &str, now: Moment) -> Self {
        self.before(attempt).not_attempted(error, now).at(now, deadline, job)
    }

    /// Returns the start at this time: rejected if it is due and the deadline has passed.
    fn at(self, now: Moment, deadline: Deadline, job: &str) -> Self {
        if self.is_due() && deadline.seconds_left(now) <= 0 { self.too_late(deadline, job) } else { self }
    }

    fn waiting(&self, error: &Error, attempt: Attempt) -> Self {
        Self { state: StartState::Waiting, ..self.with(Some(attempt.entered_time), Some(error)) }
    }

    /// Rejects the job if the answers have not been transient for too long.
    fn failing(self, failing_since: Option<Moment>, error: Error, now: Moment) -> Self {
        let since = failing_since.unwrap_or(now);
        if now.seconds_since(since) < MAX_FAILING_SECONDS {
            return Self { failing_since: Some(since), ..self };
        }
        let doubt = if self.is_unknown() {
            " It is not known whether an earlier attempt has started the job: look for it in the console before you start it again."
        } else {
            ""
        };
        let minutes = MAX_FAILING_SECONDS / 60;
        self.rejected(&error.advising(&format!(
            "The call was repeated for {minutes} minutes, because new permissions need time.{doubt}"
        )))
    }

    fn with(&self, since: Option<Moment>, error: Option<&Error>) -> Self {
        Self {
            since,
            failing_since: None,
            error: error.map(|error| error.name.to_string()),
            cause: error.map(|error| cut(&error.message, MAX_CAUSE_BYTES)),
            ..self.clone()
        }
    }
}

/// A service that starts one kind of paid job.
#[allow(async_fn_in_trait, reason = "a function has one thread")]
pub trait JobService {
    /// What identifies a job.
    type Job: Clone;

    /// Prepares an attempt. Nothing is started if it fails.
    async fn prepare(&self) -> Result<(), Error>;

    /// Starts a job of this name, with one call that is never repeated.
    async fn start(&self, name: &JobName) -> Result<Self::Job, Error>;

    /// Returns the jobs of these names, from one complete list.
    async fn list(&self, names: &[JobName]) -> Result<Vec<(JobName, Self::Job)>, Error>;

    /// Returns whether the run started this job.
    async fn is_ours(&self, job: &Self::Job) -> Result<bool, Error>;
}

/// A job of the run and its name.
pub type Named<J> = (JobName, J);

/// Makes one attempt to start the job under the first of the `names` that is free. Returns how far the start is then, and the
/// job if it is started. `clock` returns the time.
pub async fn attempt<S: JobService>(
    start: JobStart,
    attempt: Attempt,
    names: &[JobName],
    deadline: Deadline,
    service: &S,
    clock: impl Fn() -> Moment,
) -> (JobStart, Option<Named<S::Job>>) {
    let mut start = start.before(attempt);
    if start.is_unknown() {
        let read_time = clock();
        match look_up(names, service).await {
            Ok(LookUp::Ours(job)) => return (start.started(attempt.entered_time), Some(job)),
            Ok(_) if start.is_surely_absent(read_time) => {}
            Ok(_) => return (expired(start, deadline, names, clock()), None),
            Err(error) => {
                let start = start.not_attempted(error, clock());
                return (expired(start, deadline, names, clock()), None);
            }
        }
    }
    if deadline.seconds_left(clock()) <= 0 {
        // A list has proven that nothing was started.
        start.state = StartState::NotStarted;
        return (expired(start, deadline, names, clock()), None);
    }
    if let Err(error) = service.prepare().await {
        let is_wrong = matches!(error.name, ErrorName::InvalidRequest | ErrorName::NotFound);
        let start = if is_wrong { start.rejected(&error) } else { start.not_attempted(error, clock()) };
        return (start, None);
    }
    let mut taken = None;
    for name in names {
        match service.start(name).await {
            Ok(job) => match service.is_ours(&job).await {
                Ok(true) => return (start.started(attempt.entered_time), Some((name.clone(), job))),
                Ok(false) => taken = Some(of_another_run(name)),
                Err(error) => return (start.unknown(&error, attempt), None),
            },
            Err(error) if error.name == ErrorName::Conflict => {
                match look_up(std::slice::from_ref(name), service).await {
                    Ok(LookUp::Ours(job)) => return (start.started(attempt.entered_time), Some(job)),
                    Ok(LookUp::Others) => taken = Some(of_another_run(name)),
                    Ok(LookUp::Nothing) => match start.in_conflict(&error, attempt, clock()) {
                        Some(start) => return (start, None),
                        None => taken = Some(error),
                    },
                    Err(error) => return (start.unknown(&error, attempt), None),
                }
            }
            Err(error) => return (start.answered(error, attempt, clock()), None),
        }
    }
    let error = taken.unwrap_or_else(|| Error::new(ErrorName::Conflict, "The run has no name for its job."));
    (start.rejected(&error), None)
}

/// The start after the deadline, else the start itself.
fn expired(start: JobStart, deadline: Deadline, names: &[JobName], now: Moment) -> JobStart {
    start.at(now, deadline, &named(names))
}

fn of_another_run(name: &JobName) -> Error {
    let message = format!(
        "A job named {name} exists already, and this run has not started it. Choose another name, or leave the name out: \
         then each run has its own."
    );
    Error::new(ErrorName::Conflict, message)
}

/// What a complete list shows under the names of a run.
enum LookUp<J> {
    Ours(Named<J>),
    Others,
    Nothing,
}

async fn look_up<S: JobService>(names: &[JobName], service: &S) -> Result<LookUp<S::Job>, Error> {
    // The run may give up with this error, so it names the job.
    let looking = |error: Error| error.doing(format_args!("looking for {}", named(names)));
    let mut found = LookUp::Nothing;
    for (name, job) in service.list(names).await.map_err(looking)? {
        if service.is_ours(&job).await.map_err(looking)? {
            return Ok(LookUp::Ours((name, job)));
        }
        found = LookUp::Others;
    }
    Ok(found)
}

/// The job, by all names that it can have.
fn named(names: &[JobName]) -> String {
    let names: Vec<&str> = names.iter().map(JobName::as_str).collect();
    format!("the job {}", names.join(" or "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn moment(seconds: u64) -> Moment {
        "2026-11-22T16:00:00Z".parse::<Moment>().unwrap().plus_seconds(seconds)
    }

    fn name(text: &str) -> JobName {
        text.parse().unwrap()
    }

    /// A service by the names of jobs, and the calls that it received. A job that begins with `ours` is this run's.
    #[derive(Default)]
    struct Service {
        prepare: Option<ErrorName>,
        starts: Vec<(&'static str, Result<&'static str, ErrorName>)>,
        list: Option<Vec<(&'static str, &'static str)>>,
        proof: Option<ErrorName>,
        calls: RefCell<Vec<String>>,
    }

    impl JobService for Service {
        type Job = String;

        async fn prepare(&self) -> Result<(), Error> {
            self.prepare.map_or(Ok(()), |name| Err(Error::new(name, "because")))
        }

        async fn start(&self, name: &JobName) -> Result<String, Error> {
            self.calls.borrow_mut().push(format!("start {name}"));
            let answer = self.starts.iter().find(|(start, _)| *start == name.as_str()).map(|(_, answer)| *answer);
            answer.unwrap_or(Ok("ours new")).map(str::to_owned).map_err(|name| Error::new(name, "because"))
        }

        async fn list(&self, names: &[JobName]) -> Result<Vec<(JobName, String)>, Error> {
            let names: Vec<&str> = names.iter().map(JobName::as_str).collect();
            self.calls.borrow_mut().push(format!("list {}", names.join(" ")));
            let list = self.list.clone().ok_or_else(|| Error::new(ErrorName::ServiceUnavailable, "because"))?;
            Ok(list.iter().filter(|(job, _)| names.contains(job)).map(|(job, id)| (name(job), (*id).into())).collect())
        }

        async fn is_ours(&self, job: &String) -> Result<bool, Error> {
            self.proof.map_or(Ok(job.starts_with("ours")), |name| Err(Error::new(name, "because")))
        }
    }

    const DEADLINE_SECONDS: u64 = 7_200;

    /// Makes an attempt so many seconds after the start of the run. Returns the start, the job and the calls.
    fn attempt_at(
        service: &Service,
        start: JobStart,
        seconds: u64,
        redrive_count: u32,
    ) -> (JobStart, Option<String>, Vec<String>) {
        let this = Attempt { entered_time: moment(seconds), redrive_count };
        let deadline = Deadline::new(moment(0), DEADLINE_SECONDS);
        let names = [name("first"), name("second")];
        let mut future = pin!(attempt(start, this, &names, deadline, service, || moment(seconds)));
        let Poll::Ready((start, job)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it waits")
        };
        (start, job.map(|(name, job)| format!("{name}: {job}")), service.calls.take())
    }

    fn first(service: &Service) -> (JobStart, Option<String>, Vec<String>) {
        attempt_at(service, JobStart::default(), 60, 0)
    }

    fn unknown_since(seconds: u64) -> JobStart {
        JobStart { state: StartState::Unknown, since: Some(moment(seconds)), ..JobStart::default() }
    }

    fn starting(answer: ErrorName) -> Service {
        Service { starts: vec![("first", Err(answer))], ..Service::default() }
    }

    #[test]
    fn a_first_attempt_starts_at_once_without_a_list() {
        let (start, job, calls) = first(&Service::default());
        assert_eq!((start.state, start.since), (StartState::Started, Some(moment(60))));
        assert_eq!(job.unwrap(), "first: ours new");
        assert_eq!(calls, ["start first"]);
    }

    #[test]
    fn a_job_that_cannot_be_proven_is_unknown() {
        let (start, job, _) = first(&Service { proof: Some(ErrorName::ServiceUnavailable), ..Service::default() });
        assert_eq!((start.state, start.since, job), (StartState::Unknown, Some(moment(60)), None));
    }

    #[test]
    fn only_an_unknown_attempt_is_followed_by_a_look_up() {
        let service = Service { list: Some(vec![("second", "ours")]), ..Service::default() };
        let waiting = JobStart { state: StartState::Waiting, ..JobStart::default() };
        assert_eq!(attempt_at(&service, waiting, 120, 0).2, ["start first"]);
        let (start, job, calls) = attempt_at(&service, unknown_since(60), 120, 0);
        assert_eq!((start.state, job.unwrap().as_str()), (StartState::Started, "second: ours"));
        assert_eq!(calls, ["list first second"]);
    }

    #[test]
    fn a_job_that_is_possibly_started_is_started_again_after_ten_minutes() {
        let empty = Service { list: Some(Vec::new()), ..Service::default() };
        let (start, _, calls) = attempt_at(&empty, unknown_since(60), 60 + 909, 0);
        assert_eq!((start, calls), (unknown_since(60), vec!["list first second".to_owned()]));
        let (start, _, calls) = attempt_at(&empty, unknown_since(60), 60 + 910, 0);
        assert_eq!(start.state, StartState::Started);
        assert_eq!(calls, ["list first second", "start first"]);
    }

    #[test]
    fn a_list_that_cannot_be_read_proves_nothing() {
        let (start, job, calls) = attempt_at(&Service::default(), unknown_since(60), 5_000, 0);
        assert_eq!((start.state, start.since, job), (StartState::Unknown, Some(moment(60)), None));
        assert_eq!(calls, ["list first second"]);
    }

    #[test]
    fn a_run_that_gives_up_its_look_up_names_the_job() {
        let service =
            Service { list: Some(vec![("first", "ours")]), proof: Some(ErrorName::AccessDenied), ..Service::default() };
        let (start, ..) = attempt_at(&service, unknown_since(60), 100, 0);
        assert_eq!(start.failing_since, Some(moment(100)));
        let (start, ..) = attempt_at(&service, start, 100 + 1_800, 0);
        assert_eq!((start.state, start.error.as_deref()), (StartState::Rejected, Some("AccessDenied")));
        let cause = start.cause.unwrap();
        assert!(cause.starts_with("looking for the job first or second: "), "{cause}");
        assert!(cause.contains("It is not known whether an earlier attempt has started the job"), "{cause}");
    }

    #[test]
    fn a_list_that_shows_a_job_of_another_run_does_not_end_the_search() {
        let service = Service { list: Some(vec![("first", "theirs"), ("second", "ours")]), ..Service::default() };
        assert_eq!(attempt_at(&service, unknown_since(60), 120, 0).1.unwrap(), "second: ours");
    }

    #[test]
    fn a_quota_and_throttling_wait() {
        let (start, _, calls) = first(&starting(ErrorName::QuotaExceeded));
        assert_eq!((start.state, start.quota_waits), (StartState::Waiting, 1));
        assert_eq!(calls, ["start first"]);
        let (start, ..) = attempt_at(&starting(ErrorName::Throttled), start, 120, 0);
        assert_eq!(
            (start.state, start.quota_waits, start.error.as_deref()),
            (StartState::Waiting, 1, Some("Throttled"))
        );
    }

    #[test]
    fn an_answer_that_is_lost_is_unknown() {
        let (start, ..) = first(&starting(ErrorName::ServiceUnavailable));
        assert_eq!((start.state, start.since), (StartState::Unknown, Some(moment(60))));
    }

    #[test]
    fn a_denied_start_is_repeated_for_thirty_minutes() {
        let denied = starting(ErrorName::AccessDenied);
        let (start, ..) = first(&denied);
        assert_eq!((start.state, start.failing_since), (StartState::Waiting, Some(moment(60))));
        let (start, ..) = attempt_at(&denied, start, 60 + 1_799, 0);
        assert_eq!(start.state, StartState::Waiting);
        let (rejected, ..) = attempt_at(&denied, start.clone(), 60 + 1_800, 0);
        assert_eq!((rejected.state, rejected.error.as_deref()), (StartState::Rejected, Some("AccessDenied")));
        assert!(rejected.cause.unwrap().contains("repeated for 30 minutes, because new permissions need time"));
        // Another answer in between counts anew.
        let (throttled, ..) = attempt_at(&starting(ErrorName::Throttled), start, 60 + 1_800, 0);
        assert_eq!(throttled.failing_since, None);
    }

    #[test]
    fn a_request_that_the_service_rejects_is_rejected_at_once() {
        let (start, ..) = first(&starting(ErrorName::InvalidRequest));
        assert_eq!((start.state, start.cause.as_deref()), (StartState::Rejected, Some("because")));
    }

    #[test]
    fn a_conflict_with_our_own_job_accepts_it() {
        let service = Service { list: Some(vec![("first", "ours")]), ..starting(ErrorName::Conflict) };
        let (start, job, calls) = first(&service);
        assert_eq!((start.state, job.unwrap().as_str()), (StartState::Started, "first: ours"));
        assert_eq!(calls, ["start first", "list first"]);
    }

    #[test]
    fn a_name_that_another_run_uses_gives_way_to_the_next_one() {
        let theirs = Some(vec![("first", "theirs"), ("second", "theirs")]);
        let service = Service { list: theirs.clone(), ..starting(ErrorName::Conflict) };
        assert_eq!(first(&service).1.unwrap(), "second: ours new");
        let starts = vec![("first", Err(ErrorName::Conflict)), ("second", Err(ErrorName::Conflict))];
        let (start, job, _) = first(&Service { starts, list: theirs, ..Service::default() });
        assert_eq!((start.state, start.error.as_deref(), job), (StartState::Rejected, Some("Conflict"), None));
        assert!(start.cause.unwrap().starts_with("A job named second exists already"));
    }

    #[test]
    fn a_start_that_answers_the_job_of_another_run_is_a_conflict() {
        let service = Service { starts: vec![("first", Ok("theirs"))], ..Service::default() };
        assert_eq!(first(&service).1.unwrap(), "second: ours new");
    }

    #[test]
    fn a_conflict_that_no_list_shows_is_transient_for_ten_minutes() {
        let service = Service { list: Some(Vec::new()), ..starting(ErrorName::Conflict) };
        let (start, ..) = first(&service);
        assert_eq!((start.state, start.conflict_since), (StartState::Unknown, Some(moment(60))));
        let (start, _, calls) = attempt_at(&service, start, 500, 0);
        assert_eq!((start.state, calls.len()), (StartState::Unknown, 1));
        let (start, job, _) = attempt_at(&service, start, 60 + 910, 0);
        assert_eq!((start.state, job.unwrap().as_str()), (StartState::Started, "second: ours new"));
    }

    #[test]
    fn a_conflict_whose_list_cannot_be_read_is_unknown() {
        assert_eq!(first(&starting(ErrorName::Conflict)).0.state, StartState::Unknown);
    }

    #[test]
    fn a_redrive_makes_a_start_unknown_that_was_possibly_under_way() {
        let empty = Service { list: Some(Vec::new()), ..Service::default() };
        let (start, _, calls) = attempt_at(&empty, JobStart::default(), 60, 1);
        assert_eq!((start.state, start.since, start.redrive_count), (StartState::Unknown, Some(moment(60)), 1));
        assert_eq!(calls, ["list first second"]);
        let (start, ..) = attempt_at(&empty, start, 60 + 910, 1);
        assert_eq!(start.state, StartState::Started);
    }

    #[test]
    fn what_cannot_be_prepared_is_not_attempted() {
        let (start, _, calls) = first(&Service { prepare: Some(ErrorName::ServiceUnavailable), ..Service::default() });
        assert_eq!(
            (start.state, start.error.as_deref(), calls.len()),
            (StartState::NotStarted, Some("ServiceUnavailable"), 0)
        );
        let (start, ..) = first(&Service { prepare: Some(ErrorName::InvalidRequest), ..Service::default() });
        assert_eq!(start.state, StartState::Rejected);
    }

    #[test]
    fn a_request_that_cannot_be_read_ends_the_run_at_the_deadline() {
        let not_read = |start: JobStart, seconds| {
            let error = Error::new(ErrorName::ServiceUnavailable, "because");
            let attempt = Attempt { entered_time: moment(seconds), redrive_count: 0 };
            start.not_read(error, attempt, Deadline::new(moment(0), DEADLINE_SECONDS), "the job", moment(seconds))
        };
        assert_eq!(not_read(unknown_since(60), DEADLINE_SECONDS - 1).state, StartState::Unknown);
        let (absent, unknown) = (JobStart::default(), unknown_since(60));
        for (start, cause) in [(absent, "the job was not started"), (unknown, "It is not known whether the job was")] {
            let start = not_read(start, DEADLINE_SECONDS);
            assert_eq!((start.state, start.error.as_deref()), (StartState::Rejected, Some("DeadlineExceeded")));
            assert!(start.cause.as_deref().unwrap().starts_with(cause), "{start:?}");
        }
    }

    #[test]
    fn after_the_deadline_nothing_is_started() {
        let (start, _, calls) = attempt_at(&Service::default(), JobStart::default(), DEADLINE_SECONDS, 0);
        assert_eq!((start.state, start.error.as_deref()), (StartState::Rejected, Some("DeadlineExceeded")));
        assert!(start.cause.unwrap().starts_with("the job first or second was not started"));
        assert_eq!(calls, Vec::<String>::new());
    }

    #[test]
    fn after_the_deadline_an_unknown_start_is_looked_up_and_named() {
        let found = Service { list: Some(vec![("first", "ours")]), ..Service::default() };
        assert!(attempt_at(&found, unknown_since(60), DEADLINE_SECONDS, 0).1.is_some());
        let (start, ..) = attempt_at(&Service::default(), unknown_since(7_000), DEADLINE_SECONDS, 0);
        assert_eq!((start.state, start.error.as_deref()), (StartState::Rejected, Some("DeadlineExceeded")));
        let cause = start.cause.unwrap();
        assert!(cause.starts_with("It is not known whether the job first or second was started"), "{cause}");
    }
}
