//! How long a run waits before its next call.
//!
//! A status check waits a tenth of the job's age. So the end of a job is noticed within a tenth of the time that it took,
//! and the number of checks grows with the logarithm of that time. [`WAIT_SECONDS`] bounds every wait.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How many seconds a run waits before its next attempt to start a job: drawn anew each time, so that runs that wait
/// together do not try together. The workflows hold this rule, and a test holds them to it.
pub const START_WAIT_SECONDS: RangeInclusive<u32> = 60..=180;

/// The shortest wait after a status check that failed, in seconds.
pub const MIN_FAILED_CHECK_SECONDS: u32 = 60;

/// The turns of a run whose waits may be short. A turn is a wait and what follows it.
pub const MAX_SHORT_TURNS: u32 = 250;

/// The most turns of a run with long waits: no wait of them is shorter than this part of the time from the start to the
/// deadline.
pub const MAX_LONG_TURNS: u32 = 900;

/// The rule that bounds every wait, in JSONata, for `Seconds` of every Wait state. A test holds every definition to it.
///
/// It keeps every run below the 25,000 events of a history: a turn has at most 16 events, and a run has at most
/// [`MAX_SHORT_TURNS`] and [`MAX_LONG_TURNS`]. No wait passes the deadline.
pub const WAIT_SECONDS: &str = "{% ($left := $ceil(($toMillis($deadline) - $toMillis($states.context.State.EnteredTime)) / 1000); $shortest := $turns < 250 ? 1 : $ceil(($toMillis($deadline) - $toMillis($states.context.Execution.StartTime)) / 900000); $max([1, $min([$max([$waitSeconds, $shortest]), $left])])) %}";

/// The bounds of the wait between two status checks, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "UncheckedPollBounds")]
pub struct PollBounds {
    min_seconds: u32,
    max_seconds: u32,
}

/// Bounds as an event has them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UncheckedPollBounds {
    min_seconds: u32,
    max_seconds: u32,
}

impl TryFrom<UncheckedPollBounds> for PollBounds {
    type Error = String;

    fn try_from(bounds: UncheckedPollBounds) -> Result<Self, String> {
        Self::new(bounds.min_seconds, bounds.max_seconds)
    }
}

impl PollBounds {
    /// Bounds of at least a second, `min` not above `max`.
    pub fn new(min: u32, max: u32) -> Result<Self, String> {
        if min == 0 || min > max {
            return Err(format!("{min} to {max} seconds are no bounds (1 or more, the least not above the most)"));
        }
        Ok(Self { min_seconds: min, max_seconds: max })
    }

    /// Seconds until the next look at a job that is `age` seconds old, by a run that has `left` seconds left.
    ///
    /// At least 1; never beyond the deadline, so `left` must be positive.
    #[must_use]
    pub fn check_after(self, age: i64, left: i64) -> u32 {
        let tenth = u32::try_from(age.max(0) / 10).unwrap_or(u32::MAX);
        let left = u32::try_from(left.max(1)).unwrap_or(u32::MAX);
        tenth.clamp(self.min_seconds, self.max_seconds).min(left)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wait_is_a_tenth_of_the_age_within_the_bounds() {
        let bounds = PollBounds::new(15, 900).unwrap();
        for (age, wait) in [(-5, 15), (0, 15), (150, 15), (160, 16), (3600, 360), (86_400, 900)] {
            assert_eq!(bounds.check_after(age, i64::MAX), wait, "{age}");
        }
        assert_eq!(bounds.check_after(3600, 20), 20);
        assert_eq!(bounds.check_after(3600, 1), 1);
        assert_eq!(bounds.check_after(3600, -3), 1);
    }

    #[test]
    fn bounds_that_are_none_are_refused() {
        assert!(PollBounds::new(0, 10).is_err());
        assert!(PollBounds::new(11, 10).is_err());
        assert!(PollBounds::new(10, 10).is_ok());
    }

    #[test]
    fn bounds_are_read_as_they_are_written_and_checked() {
        let written = serde_json::to_value(PollBounds::new(13, 900).unwrap()).unwrap();
        assert_eq!(written, serde_json::json!({"minSeconds": 13, "maxSeconds": 900}));
        assert_eq!(serde_json::from_value::<PollBounds>(written).unwrap(), PollBounds::new(13, 900).unwrap());
        assert!(serde_json::from_value::<PollBounds>(serde_json::json!({"minSeconds": 9, "maxSeconds": 1})).is_err());
    }

    /// How often a job of that many seconds is looked at, from its start to its end.
    fn looks(bounds: PollBounds, seconds: i64) -> u32 {
        let (mut age, mut looks) = (0, 1);
        while age < seconds {
            age += i64::from(bounds.check_after(age, i64::MAX));
            looks += 1;
        }
        looks
    }

    #[test]
    fn jobs_are_looked_at_as_often_as_the_readme_says() {
        let defaults = PollBounds::new(13, 900).unwrap();
        assert_eq!((looks(defaults, 600), looks(defaults, 3600), looks(defaults, 86_400)), (28, 47, 142));
    }

    proptest! {
        #[test]
        fn an_end_is_noticed_within_a_tenth_of_the_time_it_took(end in 150_i64..86_400) {
            let bounds = PollBounds::new(15, 8_640).unwrap();
            let (mut now, mut looks) = (0, 0);
            while now < end {
                now += i64::from(bounds.check_after(now, i64::MAX));
                looks += 1;
            }
            prop_assert!(now - end <= end / 10 , "noticed {} late", now - end);
            prop_assert!(looks < 90, "{looks} looks");
        }

        #[test]
        fn no_wait_is_shorter_than_a_second_or_reaches_beyond_the_deadline(age: i64, left in 1_i64..i64::MAX) {
            let wait = PollBounds::new(1, u32::MAX).unwrap().check_after(age, left);
            prop_assert!(wait >= 1 && i64::from(wait) <= left);
        }
    }
}
