//! The clocks of a world. Step Functions has the true time; every other service has its own, which differs.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use tokio::time::Instant;

use crate::asl::Timestamp;

/// When every world begins.
pub(crate) const BEGIN: Timestamp = Timestamp::from_epoch_ms(1_767_225_600_000);

thread_local! {
    /// When the world of this thread began, and by how many seconds the clock of the functions differs.
    static WORLD: Cell<Option<(Instant, i64)>> = const { Cell::new(None) };
}

/// Begins a world on this thread, with the skews of the functions and of the services, in seconds.
pub(crate) fn begin(functions: i64, services: i64) {
    WORLD.set(Some((Instant::now(), functions)));
    emulator::clock::set(skewed(system_time(BEGIN), services));
}

/// Returns the true time.
pub(crate) fn now() -> Timestamp {
    BEGIN + WORLD.get().map_or(Duration::ZERO, |(begin, _)| begin.elapsed())
}

/// Waits until a time. Tokio's time is paused, so it jumps there, and does before what is due earlier.
pub(crate) async fn sleep_until(time: Timestamp) {
    if let Some((begin, _)) = WORLD.get() {
        tokio::time::sleep_until(begin + time.since(BEGIN)).await;
    }
}

/// The clock of the functions.
#[derive(Debug)]
pub(crate) struct FunctionClock;

impl TimeSource for FunctionClock {
    fn now(&self) -> SystemTime {
        skewed(system_time(now()), WORLD.get().map_or(0, |(_, skew)| skew))
    }
}

fn system_time(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(time.epoch_ms().unsigned_abs())
}

fn skewed(time: SystemTime, seconds: i64) -> SystemTime {
    let skew = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time - skew } else { time + skew }
}
