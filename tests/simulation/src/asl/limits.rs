//! The quotas of Step Functions for a standard workflow.

use std::time::Duration;

/// The most events that the history of an execution holds, over all its redrives.
pub const MAX_EVENTS: u32 = 25_000;

/// The most bytes of one input, result, output or variable, and of all variables that one state assigns, as UTF-8 JSON.
pub const MAX_DATA_BYTES: usize = 262_144;

/// The most bytes of all variables of an execution.
pub const MAX_VARIABLES_BYTES: usize = 10 * 1024 * 1024;

/// The most iterations of an inline Map that run at once.
pub(crate) const MAX_CONCURRENT_ITERATIONS: usize = 40;

/// The largest `Seconds`, `TimeoutSeconds` and `MaxConcurrency`.
pub(crate) const MAX_NUMBER: u64 = 99_999_999;

/// How long after its end an execution can be redriven.
pub(crate) const REDRIVABLE_TIME: Duration = Duration::from_hours(14 * 24);

/// How long after the end of its execution a name cannot be used again.
pub(crate) const NAME_TIME: Duration = Duration::from_hours(90 * 24);
