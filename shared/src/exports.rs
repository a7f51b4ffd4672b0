//! The exports of a run: each is started once, and one status check reads all of them, because the service lists them
//! together.

use aws_sdk_cleanroomsml::types::AudienceExportJobSummary;
use serde::{Deserialize, Serialize};

use crate::audience_size::AudienceSize;
use crate::cause::{MAX_CAUSE_BYTES, cut};
use crate::error::{Error, ErrorName};
use crate::execution::{Deadline, Execution, Moment};
use crate::job::{name_of_export, run_tag};
use crate::once::{Attempt, JobStart, StartState};
use crate::schedule::PollBounds;
use crate::status::{JobKind, Phase, Seen, StatusCheck};
use crate::values::JobName;

/// The most ACTIVE exports of one audience generation job. The quota counts exports that are done, and no call deletes one, so
/// waiting does not help. Source: quotas of AWS Clean Rooms ML.
pub const MAX_ACTIVE_EXPORTS: usize = 25;

/// An export of a run, as the workflow keeps it from the choice of its size to the run's output.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunExport {
    /// Its name: the run's and the size.
    pub name: JobName,
    /// Its size.
    pub audience_size: AudienceSize,
    /// How far its start is.
    #[serde(default)]
    pub start: JobStart,
    /// The status that the service shows. `None` before the first status check that finds it.
    #[serde(default)]
    pub status: Option<String>,
    /// When it was created.
    #[serde(default)]
    pub create_time: Option<Moment>,
    /// When it last changed.
    #[serde(default)]
    pub update_time: Option<Moment>,
    /// Where its files are, if the service shows it.
    #[serde(default)]
    pub output_location: Option<String>,
    /// Why it does not exist, or is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What happened and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// The exports of a run before the first attempt.
#[must_use]
pub fn planned(run: &JobName, sizes: Vec<AudienceSize>) -> Vec<RunExport> {
    let plan = |audience_size| RunExport {
        name: name_of_export(run, audience_size),
        audience_size,
        start: JobStart::default(),
        status: None,
        create_time: None,
        update_time: None,
        output_location: None,
        error: None,
        cause: None,
    };
    sizes.into_iter().map(plan).collect()
}

impl RunExport {
    /// Returns whether an attempt to start it is due.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.start.is_due()
    }

    /// Moves its start on. A rejected export has the error of its start.
    pub fn set_start(&mut self, start: JobStart) {
        if start.state == StartState::Rejected {
            self.status = Some("NOT_STARTED".into());
            (self.error, self.cause) = (start.error, start.cause);
            self.start = JobStart { error: None, cause: None, ..start };
        } else {
            self.start = start;
        }
    }

    /// Returns the export that a list shows under its name, if this run has started it.
    ///
    /// An export has no tags, so the run is written in its description. An export of another run may have the same name.
    /// If this run has two, the successful one counts.
    #[must_use]
    pub fn find<'l>(&self, execution: &Execution, list: &'l [ListedExport]) -> Option<&'l ListedExport> {
        let run = run_tag(execution);
        let ours = list.iter().filter(|listed| {
            listed.name == self.name.as_str()
                && listed.audience_size == Some(self.audience_size)
                && listed.description.as_deref().is_none_or(|description| description == run)
                && listed.seen.create_time.is_none_or(|time| execution.may_have_created(time))
        });
        ours.min_by_key(|listed| match listed.seen.status.as_str() {
            "ACTIVE" => 0,
            "CREATE_FAILED" => 2,
            _ => 1,
        })
    }
}

/// An export in a list of the service.
#[derive(Clone, Debug)]
pub struct ListedExport {
    /// Its name.
    pub name: String,
    /// Its size. `None` if its kind is not known.
    pub audience_size: Option<AudienceSize>,
    /// Its description: the run that started it.
    pub description: Option<String>,
    /// Its status and times.
    pub seen: Seen,
}

impl From<AudienceExportJobSummary> for ListedExport {
    fn from(export: AudienceExportJobSummary) -> Self {
        let (status_code, message) =
            export.status_details.map_or((None, None), |details| (details.status_code, details.message));
        Self {
            audience_size: export.audience_size.as_ref().and_then(|size| AudienceSize::try_from(size).ok()),
            name: export.name,
            description: export.description,
            seen: Seen {
                status: export.status.as_str().to_owned(),
                status_code,
                message,
                create_time: Some(export.create_time.into()),
                update_time: Some(export.update_time.into()),
                metrics: None,
                output_location: export.output_location,
            },
        }
    }
}

/// Returns the error of a size that a quota rejected, if waiting does not help: the audience has as many exports as it can
/// have. `answer` is the service's.
#[must_use]
pub fn permanent_quota(answer: &Error, list: &[ListedExport]) -> Option<Error> {
    let active = list.iter().filter(|listed| listed.seen.status == "ACTIVE").count();
    (active >= MAX_ACTIVE_EXPORTS).then(|| {
        let advice = format!(
            "The audience has {active} active exports; {MAX_ACTIVE_EXPORTS} are allowed, and no call deletes one. Waiting does not \
             help: generate a new audience for this size."
        );
        answer.clone().advising(&advice)
    })
}

/// A service that starts the exports of one audience.
#[allow(async_fn_in_trait, reason = "a function has one thread")]
pub trait ExportService {
    /// Starts an export, with one call that is never repeated.
    async fn start(&self, export: &RunExport) -> Result<(), Error>;

    /// Returns all exports of the audience, from one complete list.
    async fn list(&self) -> Result<Vec<ListedExport>, Error>;
}

/// The time that must be left before a call is begun, in seconds: a call takes up to 25.
const MIN_SECONDS_LEFT: i64 = 30;

/// The time that one attempt has, in seconds: the timeout of `start-export`. The template has the same number, and a test
/// holds it to this one.
pub const ATTEMPT_SECONDS: i64 = 300;

/// Makes one attempt for every export that is due, one after another. Stops at the first answer after which the next
/// call would be rejected too, and when no time is left. `clock` returns the time.
pub async fn attempt_all(
    exports: &mut [RunExport],
    attempt: Attempt,
    execution: &Execution,
    deadline: Deadline,
    service: &impl ExportService,
    clock: impl Fn() -> Moment,
) {
    let begun = clock();
    let is_time_left = |now: Moment| now.seconds_since(begun) <= ATTEMPT_SECONDS - MIN_SECONDS_LEFT;
    for export in exports.iter_mut() {
        export.start = export.start.clone().before(attempt);
    }
    if exports.iter().any(|export| export.start.is_unknown()) {
        let read_time = clock();
        match service.list().await {
            Ok(list) => exports.iter_mut().filter(|export| export.start.is_unknown()).for_each(|export| {
                if export.find(execution, &list).is_some() {
                    export.start = export.start.started(attempt.entered_time);
                } else if export.start.is_surely_absent(read_time) {
                    export.start = JobStart { state: StartState::NotStarted, ..export.start.clone() };
                }
            }),
            Err(error) => {
                for export in exports.iter_mut().filter(|export| export.start.is_unknown()) {
                    export.set_start(export.start.not_attempted(error.clone(), clock()));
                }
            }
        }
    }
    for place in 0..exports.len() {
        let export = &mut exports[place];
        if !matches!(export.start.state, StartState::NotStarted | StartState::Waiting) {
            continue;
        }
        if !is_time_left(clock()) || deadline.seconds_left(clock()) <= 0 {
            return;
        }
        let Err(error) = service.start(export).await else {
            export.set_start(export.start.started(attempt.entered_time));
            continue;
        };
        match error.name {
            // The next attempt looks the export up.
            ErrorName::Conflict if !is_time_left(clock()) => export.set_start(export.start.unknown(&error, attempt)),
            ErrorName::Conflict => {
                let start = match service.list().await {
                    Ok(list) if export.find(execution, &list).is_some() => export.start.started(attempt.entered_time),
                    Ok(list) if list.iter().any(|listed| listed.name == export.name.as_str()) => {
                        export.start.rejected(&of_another_run(export))
                    }
                    Ok(_) => {
                        let start = export.start.in_conflict(&error, attempt, clock());
                        start.unwrap_or_else(|| export.start.rejected(&error))
                    }
                    Err(error) => export.start.unknown(&error, attempt),
                };
                export.set_start(start);
            }
            ErrorName::QuotaExceeded => {
                let list = if is_time_left(clock()) { service.list().await.unwrap_or_default() } else { Vec::new() };
                if let Some(error) = permanent_quota(&error, &list) {
                    for export in exports.iter_mut().filter(|export| !export.start.is_unknown() && export.is_due()) {
                        export.set_start(export.start.rejected(&error));
                    }
                } else {
                    export.set_start(export.start.answered(error, attempt, clock()));
                }
                return;
            }
            _ => {
                let is_rejected = !(error.name.is_transient() || error.name == ErrorName::AccessDenied);
                export.set_start(export.start.answered(error, attempt, clock()));
                if !is_rejected {
                    return;
                }
            }
        }
    }
}

fn of_another_run(export: &RunExport) -> Error {
    let message = format!(
        "An export named {} exists already, and this run has not started it. Start a new run with another name.",
        export.name
    );
    Error::new(ErrorName::Conflict, message)
}

/// What `check-status` answers about the exports of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportsStatus {
    /// `RUNNING` while any is not finished; else `READY`, or `FAILED` if any has an error.
    pub phase: Phase,
    /// Whether an attempt to start one is due.
    pub is_start_due: bool,
    /// If `RUNNING` and no start is due: seconds until the next status check, which the youngest decides.
    pub check_after_seconds: Option<u32>,
    /// Each of them, in the order of the request.
    pub exports: Vec<RunExport>,
    /// If `FAILED`: the run's error.
    pub error: Option<ErrorName>,
    /// If `FAILED`: what happened and what to do.
    pub cause: Option<String>,
}

/// One status check of all exports of an audience.
#[derive(Clone, Copy)]
pub struct ExportsCheck<'a> {
    /// The ARN of the audience.
    pub audience: &'a str,
    /// The run.
    pub execution: &'a Execution,
    /// When the run ends.
    pub deadline: Deadline,
    /// The bounds of the wait.
    pub poll: PollBounds,
    /// When the list was read.
    pub now: Moment,
}

impl ExportsCheck<'_> {
    /// Returns what the workflow does about its exports, of which the service shows this list. An end that was seen remains.
    #[must_use]
    pub fn judge(&self, exports: Vec<RunExport>, list: &[ListedExport]) -> ExportsStatus {
        let mut check_after_seconds: Option<u32> = None;
        let exports: Vec<_> = exports
            .into_iter()
            .map(|export| {
                let (export, wait) = self.judge_one(export, list);
                check_after_seconds = [check_after_seconds, wait].into_iter().flatten().min();
                export
            })
            .collect();
        let is_start_due = exports.iter().any(RunExport::is_due);
        let is_running = is_start_due || check_after_seconds.is_some();
        let failure = if is_running { None } else { failure(&exports, self.audience) };
        let phase = match (&failure, is_running) {
            (_, true) => Phase::Running,
            (None, false) => Phase::Ready,
            (Some(_), false) => Phase::Failed,
        };
        let (error, cause) = failure.map(|failure| (failure.name, failure.message)).unzip();
        let check_after_seconds = check_after_seconds.filter(|_| !is_start_due);
        ExportsStatus { phase, is_start_due, check_after_seconds, exports, error, cause }
    }

    /// Returns one export after the check, and the seconds until the next one if it is running.
    fn judge_one(&self, mut export: RunExport, list: &[ListedExport]) -> (RunExport, Option<u32>) {
        let found = if matches!(export.start.state, StartState::Started | StartState::Unknown) {
            export.find(self.execution, list)
        } else {
            None
        };
        let is_expired = self.deadline.seconds_left(self.now) <= 0;
        let check = StatusCheck {
            kind: JobKind::Export,
            job: export.name.as_str(),
            start_time: export.start.since,
            missing_since: None,
            deadline: self.deadline,
            poll: self.poll,
            now: self.now,
        };
        let status = match (found, export.start.state) {
            (Some(found), _) => check.judge(found.seen.clone()),
            (None, StartState::Started) => check.judge_missing(),
            (None, _) if export.is_due() && is_expired => {
                let job = format!("export {}", export.name);
                export.set_start(export.start.too_late(self.deadline, &job));
                return (export, None);
            }
            (None, _) => return (export, None),
        };
        let state = if status.phase == Phase::Running { StartState::Started } else { StartState::Finished };
        let start = JobStart { state, error: None, cause: None, ..export.start };
        let export = RunExport {
            start,
            status: Some(status.status),
            create_time: status.create_time,
            update_time: status.update_time,
            output_location: status.output_location,
            error: status.error.map(|error| error.to_string()),
            cause: status.cause,
            ..export
        };
        (export, status.check_after_seconds)
    }
}

/// Returns the error of a run that has exports with an error, and `None` if it has none. The cause says of every size whether it
/// exists, and never leads to an export that is paid twice.
#[must_use]
pub fn failure(exports: &[RunExport], audience: &str) -> Option<Error> {
    let (bad, good): (Vec<&RunExport>, Vec<&RunExport>) = exports.iter().partition(|export| export.error.is_some());
    let error = |name: ErrorName| bad.iter().any(|export| export.error.as_deref() == Some(name.as_str()));
    let name = match bad.len() {
        0 => return None,
        _ if error(ErrorName::DeadlineExceeded) => ErrorName::DeadlineExceeded,
        _ if error(ErrorName::QuotaExceeded) => ErrorName::QuotaExceeded,
        _ => ErrorName::ExportFailed,
    };
    let reasons = bad.iter().map(|export| {
        let cause = export.cause.as_deref().unwrap_or("no cause given");
        format!(
            "{} ({}): {}",
            export.audience_size,
            export.error.as_deref().unwrap_or_default(),
            cause.trim_end_matches('.')
        )
    });
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    let ready = good.iter().map(|export| export.audience_size.to_string()).collect::<Vec<_>>().join(", ");
    let ready = if ready.is_empty() { "none".to_owned() } else { ready };
    let again = if error(ErrorName::DeadlineExceeded) {
        "First check each export of which the end is not known, because a second export is paid again. Then"
    } else {
        "To export the sizes that failed,"
    };
    let end = format!(
        ". Exported: {ready}. {again} start an execution with audienceGenerationJobArn {audience} and export naming these \
         sizes."
    );
    let start = format!("{} of {} exports have an error. ", bad.len(), exports.len());
    let reasons = cut(&reasons, MAX_CAUSE_BYTES.saturating_sub(start.len() + end.len()));
    Some(Error::new(name, format!("{start}{reasons}{end}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::{Cell, RefCell};
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use serde_json::json;

    fn moment(text: &str) -> Moment {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    fn execution() -> Execution {
        serde_json::from_value(json!({"id": "arn:run", "name": "run", "startTime": "2026-11-22T16:00:00Z"})).unwrap()
    }

    fn deadline() -> Deadline {
        Deadline::new(moment("16:00:00"), 7200)
    }

    fn exports(percents: &[i64]) -> Vec<RunExport> {
        let size = |percent: &i64| format!("{percent}pct").parse().unwrap();
        planned(&"run".parse().unwrap(), percents.iter().map(size).collect())
    }

    fn started(percents: &[i64]) -> Vec<RunExport> {
        let mut exports = exports(percents);
        for export in &mut exports {
            export.start = export.start.started(moment("16:00:00"));
        }
        exports
    }

    fn listed(percent: i64, status: &str, create_time: &str) -> ListedExport {
        ListedExport {
            name: format!("run-{percent}pct"),
            audience_size: format!("{percent}pct").parse().ok(),
            description: Some("arn:run".into()),
            seen: Seen { status: status.into(), create_time: Some(moment(create_time)), ..Seen::default() },
        }
    }

    fn judge(now: &str, exports: Vec<RunExport>, list: &[ListedExport]) -> ExportsStatus {
        let check = ExportsCheck {
            audience: "arn:audience",
            execution: &execution(),
            deadline: deadline(),
            poll: PollBounds::new(13, 900).unwrap(),
            now: moment(now),
        };
        check.judge(exports, list)
    }

    fn states(exports: &[RunExport]) -> Vec<StartState> {
        exports.iter().map(|export| export.start.state).collect()
    }

    #[test]
    fn the_youngest_running_export_decides_when_the_next_check_is() {
        let list = [
            listed(1, "ACTIVE", "16:49:00"),
            listed(5, "CREATE_IN_PROGRESS", "16:40:00"),
            listed(10, "CREATE_PENDING", "16:20:00"),
        ];
        let status = judge("16:50:00", started(&[1, 5, 10]), &list);
        assert_eq!((status.phase, status.check_after_seconds), (Phase::Running, Some(60)));
        assert_eq!(states(&status.exports), [StartState::Finished, StartState::Started, StartState::Started]);
        // One that is not listed yet is late, and as old as its start.
        assert_eq!(judge("16:50:00", started(&[10]), &[]).check_after_seconds, Some(300));
    }

    #[test]
    fn every_export_is_followed_to_its_end() {
        let mut all = started(&[1, 5]);
        let mut rejected = exports(&[10]);
        for export in &mut rejected {
            export.set_start(export.start.rejected(&Error::new(ErrorName::Conflict, "taken")));
        }
        all.append(&mut rejected);
        let mut ready = listed(1, "ACTIVE", "16:10:00");
        ready.seen.output_location = Some("s3://out/1".into());
        let mut failed = listed(5, "CREATE_FAILED", "16:10:00");
        failed.seen.message = Some("disk full".into());
        let status = judge("16:50:00", all, &[ready, failed]);
        assert_eq!((status.phase, status.check_after_seconds, status.is_start_due), (Phase::Failed, None, false));
        assert_eq!(status.exports[0].output_location.as_deref(), Some("s3://out/1"));
        assert_eq!(status.exports[1].error.as_deref(), Some("ExportFailed"));
        assert!(status.exports[1].cause.as_deref().unwrap().contains("job run-5pct failed: disk full"));
        assert_eq!(status.exports[2].cause.as_deref(), Some("taken"));
        assert_eq!(status.error, Some(ErrorName::ExportFailed));
        let cause = status.cause.unwrap();
        assert!(cause.starts_with("2 of 3 exports have an error. 5pct (ExportFailed): "), "{cause}");
        assert!(cause.contains("Exported: 1pct.") && cause.contains("arn:audience"), "{cause}");
    }

    #[test]
    fn an_end_that_was_seen_remains() {
        let first = judge("16:50:00", started(&[1, 5]), &[listed(1, "ACTIVE", "16:10:00")]);
        let then = judge("16:51:00", first.exports, &[listed(1, "CREATE_IN_PROGRESS", "16:10:00")]);
        assert_eq!(then.exports[0].status.as_deref(), Some("ACTIVE"));
        assert_eq!(then.phase, Phase::Running);
    }

    #[test]
    fn an_export_whose_start_is_unknown_is_found_by_a_check() {
        let mut all = exports(&[1, 5]);
        for export in &mut all {
            export.start =
                JobStart { state: StartState::Unknown, since: Some(moment("16:10:00")), ..JobStart::default() };
        }
        let status = judge("16:11:00", all, &[listed(1, "CREATE_PENDING", "16:10:30")]);
        assert_eq!(states(&status.exports), [StartState::Started, StartState::Unknown]);
        assert!(status.is_start_due && status.check_after_seconds.is_none());
    }

    #[test]
    fn an_export_of_another_run_with_the_same_name_is_not_ours() {
        for other in [
            ListedExport { description: Some("arn:another".into()), ..listed(1, "ACTIVE", "16:10:00") },
            ListedExport { audience_size: "5pct".parse().ok(), ..listed(1, "ACTIVE", "16:10:00") },
            listed(1, "ACTIVE", "15:58:59"),
        ] {
            assert_eq!(states(&judge("16:50:00", started(&[1]), &[other]).exports), [StartState::Started]);
        }
        let undescribed = ListedExport { description: None, ..listed(1, "ACTIVE", "15:59:30") };
        assert_eq!(states(&judge("16:50:00", started(&[1]), &[undescribed]).exports), [StartState::Finished]);
    }

    #[test]
    fn of_two_exports_of_one_name_the_successful_one_counts() {
        let list = [listed(1, "CREATE_FAILED", "16:10:00"), listed(1, "ACTIVE", "16:20:00")];
        let status = judge("16:50:00", started(&[1]), &list);
        assert_eq!((status.phase, status.error), (Phase::Ready, None));
    }

    #[test]
    fn at_the_deadline_each_export_says_whether_it_was_started() {
        let mut all = started(&[1, 5]);
        all.append(&mut exports(&[10, 20]));
        all[3].start = JobStart { state: StartState::Unknown, since: Some(moment("17:59:00")), ..JobStart::default() };
        let status =
            judge("18:00:00", all, &[listed(1, "ACTIVE", "16:10:00"), listed(5, "CREATE_PENDING", "16:10:00")]);
        assert_eq!((status.phase, status.error), (Phase::Failed, Some(ErrorName::DeadlineExceeded)));
        let cause = |place: usize| status.exports[place].cause.clone().unwrap_or_default();
        assert_eq!(status.exports[0].error, None);
        assert!(cause(1).contains("was still CREATE_PENDING"), "{}", cause(1));
        assert!(cause(2).starts_with("export run-10pct was not started"), "{}", cause(2));
        assert!(cause(3).starts_with("It is not known whether export run-20pct was started"), "{}", cause(3));
    }

    #[test]
    fn the_cause_of_25_exports_fits_into_the_cause_of_a_run() {
        let mut all = exports(&(1..=25).collect::<Vec<_>>());
        for export in &mut all {
            export.set_start(export.start.rejected(&Error::new(ErrorName::InvalidRequest, "x".repeat(3_000))));
        }
        let failure = failure(&all, &"a".repeat(200)).unwrap();
        assert!(failure.message.len() <= MAX_CAUSE_BYTES, "{}", failure.message.len());
        assert!(failure.message.ends_with("naming these sizes."), "{}", failure.message);
    }

    /// A service with an answer for each size, and the calls that it received.
    #[derive(Default)]
    struct Service {
        errors: RefCell<Vec<(i64, Error)>>,
        list: RefCell<Option<Vec<ListedExport>>>,
        calls: RefCell<Vec<String>>,
        now: Cell<i64>,
        seconds_of_call: i64,
    }

    impl ExportService for Service {
        async fn start(&self, export: &RunExport) -> Result<(), Error> {
            self.calls.borrow_mut().push(export.name.to_string());
            self.now.set(self.now.get() + self.seconds_of_call);
            let size = i64::from(export.audience_size.value());
            let error =
                self.errors.borrow().iter().find(|(percent, _)| *percent == size).map(|(_, error)| error.clone());
            error.map_or(Ok(()), Err)
        }

        async fn list(&self) -> Result<Vec<ListedExport>, Error> {
            self.calls.borrow_mut().push("list".into());
            self.list.borrow().clone().ok_or_else(|| Error::new(ErrorName::ServiceUnavailable, "down"))
        }
    }

    fn unavailable(name: ErrorName) -> Error {
        Error::new(name, "because")
    }

    impl Service {
        fn with(errors: &[(i64, ErrorName)], list: Option<Vec<ListedExport>>) -> Self {
            let errors = errors.iter().map(|(percent, name)| (*percent, unavailable(*name))).collect();
            Self { errors: RefCell::new(errors), list: RefCell::new(list), ..Self::default() }
        }

        /// Makes an attempt that begins so many seconds after 16:00, and returns the calls.
        fn attempt(&self, exports: &mut [RunExport], seconds: u64, redrive_count: u32) -> Vec<String> {
            let entered_time = moment("16:00:00").plus_seconds(seconds);
            let clock = || entered_time.plus_seconds(self.now.get().unsigned_abs());
            let attempt = Attempt { entered_time, redrive_count };
            let run = execution();
            let mut future = pin!(attempt_all(exports, attempt, &run, deadline(), self, clock));
            let Poll::Ready(()) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
                panic!("it waits")
            };
            self.calls.take()
        }
    }

    #[test]
    fn a_first_attempt_starts_all_without_a_list() {
        let (service, mut all) = (Service::default(), exports(&[1, 5]));
        assert_eq!(service.attempt(&mut all, 60, 0), ["run-1pct", "run-5pct"]);
        assert_eq!(states(&all), [StartState::Started, StartState::Started]);
        assert_eq!(service.attempt(&mut all, 120, 0), Vec::<String>::new());
    }

    #[test]
    fn a_quota_or_throttling_stops_the_attempt() {
        for name in [ErrorName::QuotaExceeded, ErrorName::Throttled] {
            let (service, mut all) = (Service::with(&[(5, name)], Some(Vec::new())), exports(&[1, 5, 10]));
            service.attempt(&mut all, 60, 0);
            assert_eq!(states(&all), [StartState::Started, StartState::Waiting, StartState::NotStarted], "{name}");
            assert_eq!(all[1].start.error.as_deref(), Some(name.as_str()));
        }
    }

    #[test]
    fn a_quota_that_does_not_free_itself_rejects_all_that_are_due() {
        let full = (1..=25).map(|percent| ListedExport { name: "old".into(), ..listed(percent, "ACTIVE", "10:00:00") });
        let full: Vec<_> = full.collect();
        let mut all = exports(&[1, 5]);
        let service = Service::with(&[(1, ErrorName::QuotaExceeded)], Some(full.clone()));
        assert_eq!(service.attempt(&mut all, 60, 0), ["run-1pct", "list"]);
        assert_eq!(states(&all), [StartState::Rejected, StartState::Rejected]);
        assert!(all[1].cause.as_deref().unwrap().contains("25 active exports"), "{:?}", all[1].cause);
        let mut waits = exports(&[1, 5]);
        Service::with(&[(1, ErrorName::QuotaExceeded)], Some(full[1..].to_vec())).attempt(&mut waits, 60, 0);
        assert_eq!(states(&waits), [StartState::Waiting, StartState::NotStarted]);
    }

    #[test]
    fn an_unknown_export_is_started_again_only_if_a_late_list_lacks_it() {
        let mut all = exports(&[1]);
        let lost = Service::with(&[(1, ErrorName::ServiceUnavailable)], None);
        assert_eq!(lost.attempt(&mut all, 60, 0), ["run-1pct"]);
        let unreadable = Service::with(&[], None);
        assert_eq!(unreadable.attempt(&mut all, 3_600, 0), ["list"]);
        let empty = Service::with(&[], Some(Vec::new()));
        assert_eq!(empty.attempt(&mut all, 60 + 909, 0), ["list"]);
        assert_eq!(states(&all), [StartState::Unknown]);
        assert_eq!(empty.attempt(&mut all, 60 + 910, 0), ["list", "run-1pct"]);
        assert_eq!(states(&all), [StartState::Started]);
    }

    #[test]
    fn an_unknown_export_that_is_listed_is_not_started_again() {
        let mut all = exports(&[1]);
        Service::with(&[(1, ErrorName::ServiceUnavailable)], None).attempt(&mut all, 60, 0);
        let listing = Service::with(&[], Some(vec![listed(1, "CREATE_PENDING", "16:05:00")]));
        assert_eq!(listing.attempt(&mut all, 360, 0), ["list"]);
        assert_eq!(states(&all), [StartState::Started]);
    }

    #[test]
    fn a_redrive_looks_for_what_was_possibly_under_way() {
        let (service, mut all) = (Service::with(&[], Some(Vec::new())), exports(&[1]));
        assert_eq!(service.attempt(&mut all, 60, 1), ["list"]);
        assert_eq!(states(&all), [StartState::Unknown]);
    }

    #[test]
    fn a_conflict_is_ours_or_another_runs_or_not_listed_yet() {
        let conflict = |list| {
            let (service, mut all) = (Service::with(&[(1, ErrorName::Conflict)], list), exports(&[1]));
            service.attempt(&mut all, 60, 0);
            all.remove(0)
        };
        let ours = listed(1, "CREATE_PENDING", "16:00:30");
        let other = ListedExport { description: Some("arn:another".into()), ..ours.clone() };
        assert_eq!(conflict(Some(vec![ours])).start.state, StartState::Started);
        let rejected = conflict(Some(vec![other]));
        assert_eq!((rejected.start.state, rejected.error.as_deref()), (StartState::Rejected, Some("Conflict")));
        assert_eq!(conflict(Some(Vec::new())).start.state, StartState::Unknown);
        assert_eq!(conflict(None).start.state, StartState::Unknown);
    }

    #[test]
    fn no_call_is_begun_with_little_time_left_or_after_the_deadline() {
        let slow = Service { seconds_of_call: 100, ..Service::default() };
        let mut all = exports(&[1, 5, 10, 20]);
        assert_eq!(slow.attempt(&mut all, 60, 0), ["run-1pct", "run-5pct", "run-10pct"]);
        assert_eq!(states(&all)[3], StartState::NotStarted);
        assert_eq!(Service::default().attempt(&mut all, 7_200, 0), Vec::<String>::new());
    }

    #[test]
    fn a_size_that_is_rejected_does_not_stop_the_others() {
        let (service, mut all) = (Service::with(&[(1, ErrorName::InvalidRequest)], None), exports(&[1, 5]));
        service.attempt(&mut all, 60, 0);
        assert_eq!(states(&all), [StartState::Rejected, StartState::Started]);
        assert_eq!(all[0].error.as_deref(), Some("InvalidRequest"));
    }
}
