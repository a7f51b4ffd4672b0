//! When a failed state is attempted again.

use std::time::Duration;

use fastrand::Rng;
use serde::Deserialize;

use super::failure::Failure;

const DEFAULT_BACKOFF_RATE: f64 = 2.0;
const DEFAULT_INTERVAL_SECONDS: u32 = 1;
const DEFAULT_MAX_ATTEMPTS: u32 = 3;
const DEFAULT_MAX_DELAY_SECONDS: u32 = 31_622_400;

/// One entry of `Retry`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(crate) struct Retrier {
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    error_equals: Vec<String>,
    max_attempts: Option<u32>,
    interval_seconds: Option<u32>,
    backoff_rate: Option<f64>,
    max_delay_seconds: Option<u32>,
    jitter_strategy: Option<JitterStrategy>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
enum JitterStrategy {
    Full,
    None,
}

impl Retrier {
    /// Returns the delay before the attempt that follows `retries` earlier retries.
    fn delay(&self, retries: u32, rng: &mut Rng) -> Duration {
        let interval = f64::from(self.interval_seconds.unwrap_or(DEFAULT_INTERVAL_SECONDS));
        let rate = self.backoff_rate.unwrap_or(DEFAULT_BACKOFF_RATE);
        let max = f64::from(self.max_delay_seconds.unwrap_or(DEFAULT_MAX_DELAY_SECONDS));
        let seconds = (interval * rate.powi(i32::try_from(retries).unwrap_or(i32::MAX))).min(max);
        match self.jitter_strategy {
            Some(JitterStrategy::Full) => Duration::from_secs_f64(seconds * rng.f64()),
            Some(JitterStrategy::None) | None => Duration::from_secs_f64(seconds),
        }
    }
}

/// Returns the delay before the next attempt and counts it, or `None` if the state is not attempted again.
///
/// `counts` has one counter for each retrier. Only the first retrier that names the error decides.
pub(crate) fn next_delay(
    retriers: &[Retrier],
    counts: &mut [u32],
    failure: &Failure,
    rng: &mut Rng,
) -> Option<Duration> {
    let (retrier, count) = retriers.iter().zip(counts).find(|(retrier, _)| failure.is_one_of(&retrier.error_equals))?;
    if *count >= retrier.max_attempts.unwrap_or(DEFAULT_MAX_ATTEMPTS) {
        return None;
    }
    let delay = retrier.delay(*count, rng);
    *count += 1;
    Some(delay)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn delays(retrier: Value) -> Vec<f64> {
        let retriers = [serde_json::from_value(retrier).unwrap()];
        let (mut counts, mut rng) = ([0], Rng::with_seed(1));
        let failure = Failure::without_cause("Throttled");
        std::iter::from_fn(|| next_delay(&retriers, &mut counts, &failure, &mut rng))
            .map(|delay| delay.as_secs_f64())
            .collect()
    }

    #[test]
    fn without_fields_a_state_is_attempted_three_times_again() {
        assert_eq!(delays(json!({"ErrorEquals": ["States.ALL"]})), [1.0, 2.0, 4.0]);
    }

    #[test]
    fn the_delay_grows_up_to_its_maximum() {
        let retrier = json!({
            "ErrorEquals": ["Throttled"], "IntervalSeconds": 5, "BackoffRate": 3, "MaxAttempts": 4,
            "MaxDelaySeconds": 60,
        });
        assert_eq!(delays(retrier), [5.0, 15.0, 45.0, 60.0]);
    }

    #[test]
    fn full_jitter_draws_up_to_the_delay() {
        let retrier = json!({
            "ErrorEquals": ["Throttled"], "IntervalSeconds": 8, "BackoffRate": 1, "MaxAttempts": 100,
            "JitterStrategy": "FULL",
        });
        let drawn = delays(retrier);
        assert!(drawn.iter().all(|delay| (0.0..8.0).contains(delay)), "{drawn:?}");
        assert!(drawn.iter().any(|delay| *delay < 2.0) && drawn.iter().any(|delay| *delay > 6.0), "{drawn:?}");
    }

    #[test]
    fn no_attempts_means_no_retry() {
        assert!(delays(json!({"ErrorEquals": ["Throttled"], "MaxAttempts": 0})).is_empty());
    }

    #[test]
    fn each_retrier_counts_its_own_retries() {
        let retriers: Vec<Retrier> = serde_json::from_value(json!([
            {"ErrorEquals": ["Throttled"], "MaxAttempts": 1},
            {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1},
        ]))
        .unwrap();
        let (mut counts, mut rng) = ([0, 0], Rng::with_seed(1));
        let mut is_retried =
            |error: &str| next_delay(&retriers, &mut counts, &Failure::without_cause(error), &mut rng).is_some();
        assert!(is_retried("Throttled"));
        assert!(is_retried("Other"));
        assert!(!is_retried("Throttled"), "the second retrier names it too, but the first decides");
        assert!(!is_retried("Other"));
    }
}
