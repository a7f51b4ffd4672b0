//! Which outcomes the hourly sweep handles.
//!
//! Step Functions sends its status events on a best-effort basis. The sweep finds the executions that ended without a
//! record. `ListExecutions` cannot filter by the time of the end, so the sweep reads every execution that started in the
//! last 31 days: a run lasts at most 30 days.

use crate::execution::Moment;

/// How far back the sweep looks, counted from the start of an execution.
const MAX_AGE_SECONDS: i64 = 31 * 24 * 3600;
/// How long after its end an execution is left to its status event, which is delivered in batches and repeated.
const GRACE_SECONDS: i64 = 15 * 60;
/// Outcomes are not begun with less time left: one takes a few seconds at most.
const MIN_SECONDS_LEFT: i64 = 30;

/// An execution, as `ListExecutions` answers it.
#[derive(Clone, Debug)]
pub struct ListedExecution {
    /// Its ARN.
    pub execution_arn: String,
    /// Its name.
    pub name: String,
    /// When it started.
    pub start_time: Moment,
    /// When it ended; `None` if it is running.
    pub stop_time: Option<Moment>,
    /// How often it was redriven.
    pub redrive_count: u32,
}

/// One sweep.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    now: Moment,
}

impl Sweep {
    /// Returns the sweep that begins now.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { now }
    }

    /// Returns whether an execution needs a record by now.
    #[must_use]
    pub fn is_due(self, execution: &ListedExecution) -> bool {
        let has_settled = |stop_time| self.now.seconds_since(stop_time) >= GRACE_SECONDS;
        execution.stop_time.is_some_and(has_settled) && !self.is_too_old(execution)
    }

    /// Returns whether an execution started too long ago. The list is sorted by the start, newest first, so the sweep
    /// reads no further page.
    #[must_use]
    pub fn is_too_old(self, execution: &ListedExecution) -> bool {
        self.now.seconds_since(execution.start_time) > MAX_AGE_SECONDS
    }
}

/// Returns whether an invocation that ends at `end` has the time for one more outcome, or one more page of a list.
#[must_use]
pub fn has_time_left(end: Moment, now: Moment) -> bool {
    end.seconds_since(now) >= MIN_SECONDS_LEFT
}
