//! The audience of a seed: everyone else, in the order of how alike they are to it, and how good that order is.

use std::cmp::Ordering;

use lookalike::audience_size::{AudienceSize, AudienceSizeType};
use serde::Serialize;

use crate::training::{Training, count};

/// Every how many-th seed user is held out to measure recall.
const HELD_OUT: usize = 5;

/// Recall looks at the most similar fifth of all users.
const RECALL_SHARE: usize = 5;

/// How many users an audience of that size has, where there are so many in all.
#[must_use]
pub fn users_of(size: AudienceSize, user_count: usize) -> usize {
    let value = size.value() as usize;
    match size.kind() {
        AudienceSizeType::Absolute => value.min(user_count),
        AudienceSizeType::Percentage => (user_count * value).div_ceil(100),
    }
}

/// How good an audience is, as the API has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// By size, in the order of the model's bins.
    pub relevance_metrics: Vec<RelevanceMetric>,
    /// The share of held-out seed users among the most similar fifth of all users.
    pub recall_metric: f64,
}

/// How alike an audience of a size is to its seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelevanceMetric {
    /// The size.
    pub audience_size: AudienceSize,
    /// The mean similarity of its users.
    pub score: f64,
}

/// A ranked audience. No `Debug`: it is about users.
pub struct Audience {
    seed: Vec<u32>,
    lookalikes: Vec<u32>,
    /// How good it is.
    pub metrics: Metrics,
}

impl Audience {
    /// Ranks everyone by how alike they are to the seed's users, which are numbers of the training data.
    pub(crate) fn of(training: &Training, mut seed: Vec<u32>, sizes: &[AudienceSize]) -> Self {
        seed.sort_unstable();
        seed.dedup();
        let similarity = training.similarity_to(&seed);
        let lookalikes = ranking(&similarity, &seed);
        let relevance_metrics = sizes
            .iter()
            .map(|&audience_size| {
                let top = &lookalikes[..users_of(audience_size, training.user_count()).min(lookalikes.len())];
                let sum: f64 = top.iter().map(|&user| similarity[user as usize]).sum();
                RelevanceMetric { audience_size, score: rounded(sum / count(top.len().max(1))) }
            })
            .collect();
        let metrics = Metrics { relevance_metrics, recall_metric: recall(training, &seed) };
        Self { seed, lookalikes, metrics }
    }

    /// Returns an audience for a simulation, which has no data.
    pub(crate) fn without_users(sizes: &[AudienceSize]) -> Self {
        let metric = |&audience_size| RelevanceMetric { audience_size, score: 1.0 };
        let metrics = Metrics { relevance_metrics: sizes.iter().map(metric).collect(), recall_metric: 0.5 };
        Self { seed: Vec::new(), lookalikes: Vec::new(), metrics }
    }

    /// The users of the audience of that many, best first; with the seed's own before all others, if asked for.
    pub(crate) fn members(&self, size: usize, include_seed: bool) -> impl Iterator<Item = u32> {
        let seed: &[u32] = if include_seed { &self.seed } else { &[] };
        seed.iter().chain(&self.lookalikes).copied().take(size)
    }
}

/// Everyone but `left_out` (in ascending order), the most similar first, and by id where they are equal.
pub(crate) fn ranking(similarity: &[f64], left_out: &[u32]) -> Vec<u32> {
    let mut left_out = left_out.iter().peekable();
    let mut ranked: Vec<(f64, u32)> =
        similarity.iter().copied().zip(0..).filter(|(_, user)| left_out.next_if_eq(&user).is_none()).collect();
    ranked.sort_unstable_by(|one, other| {
        other.0.partial_cmp(&one.0).unwrap_or(Ordering::Equal).then(one.1.cmp(&other.1))
    });
    ranked.into_iter().map(|(_, user)| user).collect()
}

fn recall(training: &Training, seed: &[u32]) -> f64 {
    let (held_out, kept): (Vec<_>, Vec<_>) =
        seed.iter().zip(0..).partition(|(_, place)| place % HELD_OUT == HELD_OUT - 1);
    let [held_out, kept] = [held_out, kept].map(|users| users.into_iter().map(|(user, _)| *user).collect::<Vec<u32>>());
    let mut ranked = ranking(&training.similarity_to(&kept), &kept);
    ranked.truncate(training.user_count() / RECALL_SHARE);
    ranked.sort_unstable();
    let found = held_out.iter().filter(|user| ranked.binary_search(user).is_ok()).count();
    rounded(count(found) / count(held_out.len().max(1)))
}

/// Four digits are enough for a person, and the same everywhere.
fn rounded(score: f64) -> f64 {
    (score * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    fn size(text: &str) -> AudienceSize {
        text.parse().unwrap()
    }

    fn training() -> Training {
        let csv =
            "user_id,item_id,timestamp\na,run,1\nb,run,1\nc,run,1\nc,cook,1\nd,run,1\ne,cook,1\nf,cook,1\ng,run,1\n";
        Training::read(csv.as_bytes()).unwrap()
    }

    fn ids(training: &Training, audience: &Audience, size: usize, include_seed: bool) -> String {
        audience.members(size, include_seed).map(|user| training.user_id(user)).collect()
    }

    #[test]
    fn the_most_similar_come_first_and_equals_in_the_order_of_their_ids() {
        let training = training();
        let audience = Audience::of(&training, vec![0], &[]);
        assert_eq!(ids(&training, &audience, 100, false), "bdgcef");
        assert_eq!(ids(&training, &audience, 3, false), "bdg");
    }

    #[test]
    fn the_seed_is_left_out_unless_asked_for_and_then_comes_first() {
        let training = training();
        let audience = Audience::of(&training, vec![3, 0, 3], &[]);
        assert_eq!(ids(&training, &audience, 4, false), "bgce");
        assert_eq!(ids(&training, &audience, 4, true), "adbg");
    }

    #[test]
    fn relevance_falls_with_the_size_and_recall_is_a_share() {
        let training = training();
        let sizes = ["1", "3", "4", "100pct"].map(size);
        let metrics = Audience::of(&training, vec![0], &sizes).metrics;
        let scores: Vec<f64> = metrics.relevance_metrics.iter().map(|metric| metric.score).collect();
        assert!(scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
        assert!(scores[0] > scores[3], "{scores:?}");
        assert_eq!(metrics.relevance_metrics[1].audience_size, size("3"));
        assert!((0.0..=1.0).contains(&metrics.recall_metric));
    }

    #[test]
    fn recall_finds_the_held_out_where_the_seed_has_something_in_common() {
        use std::fmt::Write as _;
        let mut csv = String::from("user_id,item_id,timestamp\n");
        for user in 0..100 {
            let item = if user % 10 == 0 { "rare".to_owned() } else { format!("item{}", user % 7) };
            let _ = writeln!(csv, "u{user:02},{item},1");
        }
        let training = Training::read(csv.as_bytes()).unwrap();
        let alike = (0..10).map(|user| user * 10).collect();
        assert!((Audience::of(&training, alike, &[]).metrics.recall_metric - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_percentage_is_of_the_users_in_the_training_data() {
        assert_eq!(users_of(size("5pct"), 1000), 50);
        assert_eq!(users_of(size("1pct"), 7), 1);
        assert_eq!(users_of(size("100pct"), 7), 7);
        assert_eq!(users_of(size("3"), 7), 3);
        assert_eq!(users_of(size("30"), 7), 7);
    }
}
