//! How long audiences are kept, and whether one may be deleted.
//!
//! What is deleted cannot be had back, so whatever is not known for certain is a reason to keep.

use std::collections::HashMap;

use crate::execution::Moment;
use crate::job::STACK_TAG;

/// The statuses in which nothing more comes of a job. `DELETE_PENDING` and `DELETE_IN_PROGRESS` are not among them: such
/// a job goes without us.
const ENDED: [&str; 3] = ["ACTIVE", "CREATE_FAILED", "DELETE_FAILED"];

const SECONDS_OF_A_DAY: i64 = 86_400;

/// A generation job or an export of it, by what a list tells.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The service's own word.
    pub status: String,
    /// When it last changed; where it ended, that is when it ended.
    pub update_time: Moment,
}

/// A generation job, by what a list tells of it: not its tags.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its ARN.
    pub arn: String,
    /// The account that started it, where the service says so.
    pub started_by: Option<String>,
    /// How far it is.
    pub kept: Kept,
}

/// For how long a stack keeps its audiences.
#[derive(Clone, Debug)]
pub struct Retention {
    account: String,
    stack: String,
    seconds: i64,
}

impl Retention {
    /// The stack of that account and name keeps its audiences for so many days; none where it keeps them for ever, which is 0 days.
    ///
    /// Never shorter than the stack's deadline: until then a run may wait for a quota to export what it generated.
    #[must_use]
    pub fn new(account: String, stack: String, days: u32, deadline_seconds: u32) -> Option<Self> {
        let seconds = (i64::from(days) * SECONDS_OF_A_DAY).max(deadline_seconds.into());
        (days > 0).then_some(Self { account, stack, seconds })
    }

    /// Whether a job's tags are worth a look: it is over, and no other account's. A model's owner may be listed the jobs
    /// that others start with it, and their stacks may have the same name.
    #[must_use]
    pub fn may_be_due(&self, job: &Job, now: Moment) -> bool {
        self.is_over(&job.kept, now) && job.started_by.as_ref().is_none_or(|account| *account == self.account)
    }

    /// Whether a job or an export ended, and has been kept for its time since.
    fn is_over(&self, kept: &Kept, now: Moment) -> bool {
        ENDED.contains(&kept.status.as_str()) && now.seconds_since(kept.update_time) >= self.seconds
    }

    /// Whether a job is this stack's, by the tag that `start-generation` gave it.
    #[must_use]
    pub fn is_ours(&self, tags: Option<&HashMap<String, String>>) -> bool {
        tags.and_then(|tags| tags.get(STACK_TAG)).is_some_and(|stack| *stack == self.stack)
    }

    /// Whether an audience may be deleted: it is this stack's, and it and all of its exports are over.
    #[must_use]
    pub fn may_delete(&self, job: &Job, tags: Option<&HashMap<String, String>>, exports: &[Kept], now: Moment) -> bool {
        self.may_be_due(job, now) && self.is_ours(tags) && exports.iter().all(|export| self.is_over(export, now))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: &str = "2026-11-22T16:00:00.500Z";
    /// Thirty days before.
    const OVER: &str = "2026-10-23T16:00:00.500Z";
    const NOT_OVER: &str = "2026-10-23T16:00:00.501Z";

    fn kept(status: &str, update_time: &str) -> Kept {
        Kept { status: status.into(), update_time: update_time.parse().unwrap() }
    }

    fn tags(tags: &[(&str, &str)]) -> HashMap<String, String> {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn job(status: &str, update_time: &str) -> Job {
        Job { arn: "arn".into(), started_by: Some("1".into()), kept: kept(status, update_time) }
    }

    fn may_delete(job: &Job, exports: &[Kept]) -> bool {
        let ours = tags(&[("lookalike:stack", "stack")]);
        retention().may_delete(job, Some(&ours), exports, NOW.parse().unwrap())
    }

    fn retention() -> Retention {
        Retention::new("1".into(), "stack".into(), 30, 172_800).unwrap()
    }

    #[test]
    fn an_audience_is_kept_for_its_days_and_not_a_moment_longer() {
        assert!(may_delete(&job("ACTIVE", OVER), &[]));
        assert!(!may_delete(&job("ACTIVE", NOT_OVER), &[]));
        assert!(!may_delete(&job("ACTIVE", "2026-11-22T17:00:00Z"), &[]), "a clock may be wrong");
    }

    #[test]
    fn only_a_job_that_is_known_to_have_ended_is_deleted() {
        for (status, deleted) in [
            ("ACTIVE", true),
            ("CREATE_FAILED", true),
            ("DELETE_FAILED", true),
            ("CREATE_PENDING", false),
            ("CREATE_IN_PROGRESS", false),
            ("DELETE_PENDING", false),
            ("DELETE_IN_PROGRESS", false),
            ("SOMETHING_NEW", false),
            ("active", false),
            ("", false),
        ] {
            assert_eq!(may_delete(&job(status, OVER), &[]), deleted, "{status}");
        }
    }

    #[test]
    fn an_audience_is_kept_while_one_of_its_exports_is_pending_or_young() {
        let job = job("ACTIVE", OVER);
        assert!(may_delete(&job, &[kept("ACTIVE", OVER), kept("CREATE_FAILED", OVER)]));
        for export in [
            kept("CREATE_PENDING", OVER),
            kept("CREATE_IN_PROGRESS", OVER),
            kept("SOMETHING_NEW", OVER),
            kept("ACTIVE", NOT_OVER),
            kept("CREATE_FAILED", NOT_OVER),
        ] {
            assert!(!may_delete(&job, &[kept("ACTIVE", OVER), export.clone()]), "{export:?}");
        }
    }

    #[test]
    fn only_what_bears_the_tag_of_this_very_stack_is_deleted() {
        let job = job("ACTIVE", OVER);
        let may_delete = |tags: Option<&HashMap<_, _>>| retention().may_delete(&job, tags, &[], NOW.parse().unwrap());
        assert!(may_delete(Some(&tags(&[("lookalike:stack", "stack"), ("lookalike:run", "r"), ("team", "t")]))));
        assert!(!may_delete(None));
        for other in [&[][..], &[("lookalike:stack", "stack-2")], &[("lookalike:stack", "")], &[("team", "stack")]] {
            assert!(!may_delete(Some(&tags(other))), "{other:?}");
        }
    }

    #[test]
    fn a_job_that_another_account_started_is_kept_whatever_its_tags() {
        let started_by = |account: Option<&str>| Job { started_by: account.map(Into::into), ..job("ACTIVE", OVER) };
        assert!(may_delete(&started_by(Some("1")), &[]) && may_delete(&started_by(None), &[]));
        assert!(!may_delete(&started_by(Some("2")), &[]));
    }

    #[test]
    fn no_days_keep_for_ever_and_few_keep_until_the_deadline_of_a_run() {
        assert!(Retention::new("1".into(), "stack".into(), 0, 172_800).is_none());
        let retention = Retention::new("1".into(), "stack".into(), 1, 172_800).unwrap();
        let is_over = |since| retention.is_over(&kept("ACTIVE", since), NOW.parse().unwrap());
        assert!(is_over("2026-11-20T16:00:00.500Z"));
        assert!(!is_over("2026-11-20T16:00:00.501Z"));
    }
}
