//! How far a job is: the service's word, and the phase that the workflow branches on.
//!
//! Only words that are known end a wait: a word that is not known is `RUNNING`, under the deadline.

use serde::{Deserialize, Serialize};

use crate::cause::{MAX_CAUSE_BYTES, cut};
use crate::error::{Error, ErrorName};
use crate::execution::{Deadline, Moment};
use crate::job::Metrics;
use crate::schedule::PollBounds;

/// What the workflow branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Phase {
    /// Wait, and check again.
    Running,
    /// The job succeeded.
    Ready,
    /// The job failed, or was deleted.
    Failed,
    /// The run's deadline passed while the job was running.
    Expired,
}

/// The kind of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// An audience generation job.
    Generation,
    /// An audience export job.
    Export,
    /// A batch segment job.
    Segment,
}

impl JobKind {
    fn noun(self) -> &'static str {
        match self {
            Self::Generation => "audience generation job",
            Self::Export => "audience export job",
            Self::Segment => "batch segment job",
        }
    }

    fn failure(self) -> ErrorName {
        match self {
            Self::Generation => ErrorName::GenerationFailed,
            Self::Export => ErrorName::ExportFailed,
            Self::Segment => ErrorName::SegmentFailed,
        }
    }

    /// What to do when the job failed.
    fn after_failure(self) -> &'static str {
        match self {
            Self::Generation => "Fix what it names, then upload the seed again.",
            Self::Export => "Export this size again with audienceGenerationJobArn and export.",
            Self::Segment => "Fix what it names, then upload the request again.",
        }
    }

    /// What to do when the run gave up while the job went on.
    fn after_deadline(self) -> &'static str {
        match self {
            Self::Generation | Self::Export => {
                "check it in the console, then start an execution with its audienceGenerationJobArn to export it"
            }
            Self::Segment => "check it in the console; its output is written where the request says",
        }
    }
}

/// For how long after its start a job that is not found is late and not deleted, in seconds.
const MAX_LATE_SECONDS: i64 = 600;

/// How far apart two status checks that do not find a job are at least, in seconds, before it counts as deleted.
const MIN_MISSING_SECONDS: i64 = 60;

/// What a service says of a job.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its status.
    pub status: String,
    /// The code of its status details.
    pub status_code: Option<String>,
    /// The message of its status details.
    pub message: Option<String>,
    /// When it was created.
    pub create_time: Option<Moment>,
    /// When it last changed.
    pub update_time: Option<Moment>,
    /// Relevance and recall of an audience.
    pub metrics: Option<Metrics>,
    /// Where an export or a segment lies.
    pub output_location: Option<String>,
}

/// The longest text of a service that a run keeps, in bytes: the service does not limit it, and a run of 25 exports keeps
/// 25 of them. A cause has room for the job's ARN and the advice besides.
const MAX_SERVICE_TEXT_BYTES: usize = 1_000;

impl Seen {
    /// The same with the service's texts cut.
    fn cut(self) -> Self {
        Self {
            status: cut(&self.status, 100),
            status_code: self.status_code.map(|code| cut(&code, 200)),
            message: self.message.map(|message| cut(&message, MAX_SERVICE_TEXT_BYTES)),
            ..self
        }
    }
}

/// What `check-status` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// What to do next.
    pub phase: Phase,
    /// The service's own word.
    pub status: String,
    /// The code of the service's status details.
    pub status_code: Option<String>,
    /// The message of the service's status details.
    pub message: Option<String>,
    /// When the job was created.
    pub create_time: Option<Moment>,
    /// When the job last changed.
    pub update_time: Option<Moment>,
    /// If `RUNNING`: seconds until the next status check.
    pub check_after_seconds: Option<u32>,
    /// Relevance and recall, where the model's owner shares them.
    pub metrics: Option<Metrics>,
    /// When the first of the status checks was that do not find the job. `None` if the last one found it.
    pub missing_since: Option<Moment>,
    /// Where an export or a segment lies, where visible.
    pub output_location: Option<String>,
    /// Where `FAILED` or `EXPIRED`: the run's error.
    pub error: Option<ErrorName>,
    /// Where `FAILED` or `EXPIRED`: what happened and what to do.
    pub cause: Option<String>,
}

impl JobStatus {
    /// The job is there, but the run ends with it.
    #[must_use]
    pub fn ended(self, error: Error) -> Self {
        Self { phase: Phase::Failed, error: Some(error.name), cause: Some(error.message), ..self }
    }
}

/// One status check of a job by a run: how long the run may wait, and until when.
#[derive(Clone, Copy, Debug)]
pub struct StatusCheck<'a> {
    /// The kind of job.
    pub kind: JobKind,
    /// Its name or ARN, for messages.
    pub job: &'a str,
    /// When this run started it. `None` if the job existed before.
    pub start_time: Option<Moment>,
    /// When the first of the previous status checks was that did not find it.
    pub missing_since: Option<Moment>,
    /// When the run ends.
    pub deadline: Deadline,
    /// The bounds of the wait.
    pub poll: PollBounds,
    /// The time of the check.
    pub now: Moment,
}

impl StatusCheck<'_> {
    /// Returns what the workflow does about a job that exists.
    #[must_use]
    pub fn judge(&self, seen: Seen) -> JobStatus {
        let seen = seen.cut();
        let word = seen.status.replace(' ', "_");
        match word.as_str() {
            "ACTIVE" => status(Phase::Ready, seen),
            "CREATE_FAILED" => {
                let cause = self.cause_of_failure(&seen);
                ended(self.kind.failure(), &cause, seen)
            }
            "DELETE_PENDING" | "DELETE_IN_PROGRESS" | "DELETE_FAILED" => {
                let cause = format!(
                    "The {} {} was deleted while the run waited for it ({}). Start a new run.",
                    self.kind.noun(),
                    self.job,
                    seen.status
                );
                ended(ErrorName::JobDeleted, &cause, seen)
            }
            _ => self.wait(seen),
        }
    }

    /// Returns what the workflow does about a job that the service does not find. One such answer proves nothing.
    #[must_use]
    pub fn judge_missing(&self) -> JobStatus {
        let seen = Seen { status: "NOT_FOUND".into(), create_time: self.start_time, ..Seen::default() };
        let is_late = self.start_time.is_some_and(|start| self.now.seconds_since(start) < MAX_LATE_SECONDS);
        // An export cannot be deleted, so one that is not listed is late.
        if is_late || self.kind == JobKind::Export {
            return self.wait(seen);
        }
        let missing_since = self.missing_since.unwrap_or(self.now);
        if self.now.seconds_since(missing_since) < MIN_MISSING_SECONDS {
            let status = self.wait(seen);
            let left = u32::try_from(self.deadline.seconds_left(self.now)).unwrap_or(1);
            let wait = status.check_after_seconds.map(|seconds| seconds.max(60).min(left));
            return JobStatus { missing_since: Some(missing_since), check_after_seconds: wait, ..status };
        }
        let (noun, job) = (self.kind.noun(), self.job);
        if self.start_time.is_some() {
            let cause = format!("The {noun} {job} does not exist any more: it was deleted. Start a new run.");
            return ended(ErrorName::JobDeleted, &cause, seen);
        }
        let cause = format!("There is no {noun} {job}. Check the ARN and its Region.");
        ended(ErrorName::NotFound, &cause, seen)
    }

    fn wait(&self, seen: Seen) -> JobStatus {
        let left = self.deadline.seconds_left(self.now);
        if left <= 0 {
            let cause = format!(
                "The {} {} was still {} when the run's deadline passed at {}. It possibly ends later: {}.",
                self.kind.noun(),
                self.job,
                seen.status,
                self.deadline,
                self.kind.after_deadline()
            );
            return JobStatus { phase: Phase::Expired, ..ended(ErrorName::DeadlineExceeded, &cause, seen) };
        }
        let age = seen.create_time.or(self.start_time).map_or(0, |created| self.now.seconds_since(created));
        let check_after_seconds = Some(self.poll.check_after(age, left));
        JobStatus { check_after_seconds, ..status(Phase::Running, seen) }
    }

    fn cause_of_failure(&self, seen: &Seen) -> String {
        let code = seen.status_code.as_deref().unwrap_or("no status code");
        let message = seen.message.as_deref().unwrap_or("the service gives no reason");
        let advice = self.kind.after_failure();
        format!("The {} {} failed: {message} ({code}). {advice}", self.kind.noun(), self.job)
    }
}

fn status(phase: Phase, seen: Seen) -> JobStatus {
    JobStatus {
        phase,
        status: seen.status,
        status_code: seen.status_code,
        message: seen.message,
        create_time: seen.create_time,
        update_time: seen.update_time,
        check_after_seconds: None,
        metrics: seen.metrics,
        missing_since: None,
        output_location: seen.output_location,
        error: None,
        cause: None,
    }
}

fn ended(error: ErrorName, cause: &str, seen: Seen) -> JobStatus {
    JobStatus { error: Some(error), cause: Some(cut(cause, MAX_CAUSE_BYTES)), ..status(Phase::Failed, seen) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn moment(text: &str) -> Moment {
        format!("2026-11-22T{text}Z").parse().unwrap()
    }

    #[test]
    fn a_services_text_is_cut_and_the_advice_is_kept() {
        let long = "stack trace ".repeat(1_000);
        let seen = Seen {
            status: "CREATE_FAILED".into(),
            message: Some(long.clone()),
            status_code: Some(long),
            ..Seen::default()
        };
        let status = check(JobKind::Export).judge(seen);
        assert!(status.message.unwrap().len() <= MAX_SERVICE_TEXT_BYTES);
        let cause = status.cause.unwrap();
        assert!(cause.len() <= MAX_CAUSE_BYTES && cause.ends_with(JobKind::Export.after_failure()), "{cause}");
    }

    fn check(kind: JobKind) -> StatusCheck<'static> {
        StatusCheck {
            kind,
            job: "run",
            start_time: Some(moment("16:00:00")),
            missing_since: None,
            deadline: Deadline::new(moment("16:00:00"), 7200),
            poll: PollBounds::new(15, 900).unwrap(),
            now: moment("16:30:00"),
        }
    }

    fn seen(status: &str) -> Seen {
        Seen { status: status.into(), create_time: Some(moment("16:10:00")), ..Seen::default() }
    }

    #[test]
    fn only_words_that_are_known_end_a_wait() {
        for (word, phase, error) in [
            ("CREATE_PENDING", Phase::Running, None),
            ("CREATE_IN_PROGRESS", Phase::Running, None),
            ("SOMETHING_NEW", Phase::Running, None),
            ("", Phase::Running, None),
            ("active", Phase::Running, None),
            ("ACTIVE", Phase::Ready, None),
            ("CREATE_FAILED", Phase::Failed, Some(ErrorName::GenerationFailed)),
            ("CREATE FAILED", Phase::Failed, Some(ErrorName::GenerationFailed)),
            ("DELETE_PENDING", Phase::Failed, Some(ErrorName::JobDeleted)),
            ("DELETE_IN_PROGRESS", Phase::Failed, Some(ErrorName::JobDeleted)),
            ("DELETE_FAILED", Phase::Failed, Some(ErrorName::JobDeleted)),
        ] {
            let status = check(JobKind::Generation).judge(seen(word));
            assert_eq!((status.phase, status.error), (phase, error), "{word}");
            assert_eq!(status.status, word);
            assert_eq!(status.check_after_seconds.is_some(), phase == Phase::Running);
            assert_eq!(status.cause.is_some(), error.is_some());
        }
        let export = check(JobKind::Export).judge(seen("CREATE_FAILED"));
        assert_eq!(export.error, Some(ErrorName::ExportFailed));
    }

    #[test]
    fn the_next_check_is_after_a_tenth_of_the_jobs_age() {
        assert_eq!(check(JobKind::Generation).judge(seen("CREATE_PENDING")).check_after_seconds, Some(120));
        let unknown_age = Seen { create_time: None, ..seen("CREATE_PENDING") };
        assert_eq!(check(JobKind::Generation).judge(unknown_age).check_after_seconds, Some(180));
    }

    #[test]
    fn at_the_deadline_a_running_job_is_expired_and_a_ready_one_is_ready() {
        let late = StatusCheck { now: moment("18:00:00"), ..check(JobKind::Generation) };
        let status = late.judge(seen("CREATE_IN_PROGRESS"));
        assert_eq!((status.phase, status.error), (Phase::Expired, Some(ErrorName::DeadlineExceeded)));
        assert!(status.cause.unwrap().contains("still CREATE_IN_PROGRESS"));
        assert_eq!(late.judge(seen("ACTIVE")).phase, Phase::Ready);
        let just = StatusCheck { now: moment("17:59:59"), ..check(JobKind::Generation) };
        assert_eq!(just.judge(seen("CREATE_IN_PROGRESS")).check_after_seconds, Some(1));
    }

    #[test]
    fn a_job_that_exists_can_still_end_the_run() {
        let ready = check(JobKind::Generation).judge(seen("ACTIVE"));
        let ended = ready.clone().ended(Error::new(ErrorName::NoSizeQualifies, "because"));
        let cause = Some("because".to_owned());
        assert_eq!(ended, JobStatus { phase: Phase::Failed, error: Some(ErrorName::NoSizeQualifies), cause, ..ready });
    }

    #[test]
    fn a_failure_tells_the_services_reason_and_what_to_do() {
        let failed =
            Seen { status_code: Some("SEED".into()), message: Some("too few matched".into()), ..seen("CREATE_FAILED") };
        assert_eq!(
            check(JobKind::Generation).judge(failed).cause.unwrap(),
            "The audience generation job run failed: too few matched (SEED). Fix what it names, then upload the seed \
             again."
        );
        let silent = check(JobKind::Export).judge(seen("CREATE_FAILED")).cause.unwrap();
        assert!(silent.contains("gives no reason (no status code)"), "{silent}");
    }

    /// A check of a job that was started at 16:00.
    fn missing_at(kind: JobKind, now: &str, since: Option<&str>) -> JobStatus {
        StatusCheck { now: moment(now), missing_since: since.map(moment), ..check(kind) }.judge_missing()
    }

    #[test]
    fn a_new_job_that_is_not_found_is_late() {
        let late = missing_at(JobKind::Generation, "16:09:59", Some("16:01:00"));
        assert_eq!((late.phase, late.status.as_str()), (Phase::Running, "NOT_FOUND"));
        assert_eq!((late.create_time, late.missing_since), (Some(moment("16:00:00")), None));
    }

    #[test]
    fn one_check_that_does_not_find_a_job_does_not_end_the_run() {
        let once = missing_at(JobKind::Generation, "16:30:00", None);
        assert_eq!((once.phase, once.missing_since), (Phase::Running, Some(moment("16:30:00"))));
        assert!(once.check_after_seconds >= Some(60));
        let soon = missing_at(JobKind::Generation, "16:30:59", Some("16:30:00"));
        assert_eq!((soon.phase, soon.missing_since), (Phase::Running, Some(moment("16:30:00"))));
        assert_eq!(check(JobKind::Generation).judge(seen("CREATE_PENDING")).missing_since, None);
    }

    #[test]
    fn two_checks_a_minute_apart_that_do_not_find_a_job_end_the_run() {
        let gone = missing_at(JobKind::Segment, "16:31:00", Some("16:30:00"));
        assert_eq!((gone.phase, gone.error), (Phase::Failed, Some(ErrorName::JobDeleted)));
        let foreign =
            StatusCheck { start_time: None, missing_since: Some(moment("16:29:00")), ..check(JobKind::Generation) };
        assert_eq!(foreign.judge_missing().error, Some(ErrorName::NotFound));
    }

    #[test]
    fn a_missing_job_is_expired_at_the_deadline() {
        assert_eq!(missing_at(JobKind::Generation, "18:00:00", None).phase, Phase::Expired);
        assert_eq!(missing_at(JobKind::Export, "17:59:00", None).phase, Phase::Running);
        assert_eq!(missing_at(JobKind::Export, "18:00:00", None).phase, Phase::Expired);
    }
}
