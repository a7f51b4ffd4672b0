//! The emulator's clock. It is the system's, unless a simulation sets it: then it runs with tokio's time, which can be paused,
//! so that hours pass in no time.

use std::cell::Cell;
use std::time::SystemTime;

use tokio::time::Instant;

thread_local! {
    /// The time that was set, and when.
    static SET: Cell<Option<(SystemTime, Instant)>> = const { Cell::new(None) };
}

/// Returns the time.
pub(crate) fn now() -> SystemTime {
    SET.get().map_or_else(SystemTime::now, |(time, then)| time + then.elapsed())
}

/// Sets the clock of every emulator on this thread. From now on it runs with tokio's time.
pub fn set(time: SystemTime) {
    SET.set(Some((time, Instant::now())));
}
