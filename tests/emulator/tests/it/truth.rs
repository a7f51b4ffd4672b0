//! The truth of the sample data: who has which interest.

use std::collections::HashMap;
use std::path::Path;

/// The text of a file of `tests/data`.
pub(crate) fn data(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name)).unwrap()
}

/// The interests of each user who has any.
pub(crate) fn interests() -> HashMap<String, String> {
    let csv = data("groups.csv");
    csv.lines().skip(1).map(|line| line.split_once(',').unwrap()).map(|(user, of)| (user.into(), of.into())).collect()
}

/// The share of these users that have one of the interests.
pub(crate) fn share<'u>(
    users: impl Iterator<Item = &'u str>,
    interests: &HashMap<String, String>,
    groups: &[&str],
) -> f64 {
    let (mut with, mut all) = (0.0, 0.0);
    for user in users {
        all += 1.0;
        with += f64::from(interests.get(user).is_some_and(|of| groups.iter().any(|group| of.contains(group))));
    }
    with / all
}
