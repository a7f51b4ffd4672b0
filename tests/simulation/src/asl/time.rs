//! The virtual time.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};

/// A point in virtual time, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    epoch_ms: i64,
}

impl Timestamp {
    /// Returns the time that is this many milliseconds after 1970.
    #[must_use]
    pub const fn from_epoch_ms(epoch_ms: i64) -> Self {
        Self { epoch_ms }
    }

    /// Returns the time that an RFC 3339 text names, or `None` if the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self::from_epoch_ms(time.timestamp_millis()))
    }

    /// Returns the milliseconds since 1970.
    #[must_use]
    pub const fn epoch_ms(self) -> i64 {
        self.epoch_ms
    }

    /// Returns the time from `earlier` to this time, or zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.epoch_ms.saturating_sub(earlier.epoch_ms)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_epoch_ms(self.epoch_ms.saturating_add(ms))
    }
}

/// Writes the time in UTC with milliseconds, as the context object of an execution has it.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_millis(self.epoch_ms) {
            Some(time) => formatter.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(formatter, "{} ms", self.epoch_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds() {
        let time = Timestamp::parse("2026-01-01T02:00:00+01:00").unwrap();
        assert_eq!(time.to_string(), "2026-01-01T01:00:00.000Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
    }

    #[test]
    fn a_duration_moves_a_time() {
        let time = Timestamp::from_epoch_ms(1_000);
        assert_eq!(time + Duration::from_millis(250), Timestamp::from_epoch_ms(1_250));
        assert_eq!(time.since(Timestamp::from_epoch_ms(400)), Duration::from_millis(600));
        assert_eq!(time.since(Timestamp::from_epoch_ms(4_000)), Duration::ZERO);
    }
}
