//! Honest audiences: the sample's planted groups are found.

use std::collections::HashSet;

use emulator::sample::USERS;
use serde_json::Value;

use crate::running::Running;
use crate::truth::{data, interests, share};

/// The model of the sample configuration.
const MODEL: &str =
    "arn:aws:cleanrooms-ml:us-east-1:000000000000:configured-audience-model/6ab1a2f4-5d51-4a42-9d35-1a40ac8ca0c3";

fn seed_users(file: &str) -> HashSet<String> {
    let lines = data(file);
    lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["user_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn start(running: &Running, group: &str, include_seed: bool) -> String {
    let file = format!("seed-{group}.jsonl");
    let place = running.s3.put("seeds", &file, data(&file));
    let start = running.generation(&format!("{group} {include_seed}"), &place).configured_audience_model_arn(MODEL);
    let arn = start.include_seed_in_output(include_seed).send().await.unwrap().audience_generation_job_arn;
    let job = running.ended(&arn).await;
    assert_eq!(job.status.as_str(), "ACTIVE", "{:?}", job.status_details);
    arn
}

#[tokio::test]
async fn the_lookalikes_of_a_group_are_of_that_group_far_more_often_than_chance() {
    let running = Running::start_sample().await;
    let interests = interests();
    for group in ["runners", "cooks"] {
        let arn = start(&running, group, false).await;
        let audience = running.exported(&arn, &format!("{group}-5pct"), 5).await;
        let seed = seed_users(&format!("seed-{group}.jsonl"));
        assert_eq!(audience.len(), 1000);
        assert!(audience.iter().all(|user| !seed.contains(user)), "a user of the seed is in its audience");

        let everyone: Vec<String> = (0..USERS).map(|user| format!("u{user:07}")).collect();
        let others = everyone.iter().filter(|user| !seed.contains(*user)).map(String::as_str);
        let chance = share(others, &interests, &[group]);
        let precision = share(audience.iter().map(String::as_str), &interests, &[group]);
        println!("{group}: {precision:.3} of the first 5 % have the interest, {chance:.3} of all");
        assert!(precision > 5.0 * chance, "{precision} against {chance} by chance");

        let metrics = running.job(&arn).await.metrics.unwrap();
        let scores: Vec<f64> = metrics.relevance_metrics.iter().map(|metric| metric.score.unwrap()).collect();
        println!("{group}: relevance {scores:?}, recall {:?}", metrics.recall_metric);
        assert!(scores.is_sorted_by(|one, other| one > other), "{scores:?}");
        let recall = metrics.recall_metric.unwrap();
        assert!(recall > 0.6 && recall < 1.0, "{recall}");
    }
}

#[tokio::test]
async fn a_larger_audience_begins_with_a_smaller_one() {
    let running = Running::start_sample().await;
    let arn = start(&running, "cooks", false).await;
    let small = running.exported(&arn, "small", 1).await;
    let large = running.exported(&arn, "large", 10).await;
    assert_eq!((small.len(), large.len()), (200, 2000));
    assert_eq!(small, large[..200]);
    let again = running.exported(&start(&running, "cooks", true).await, "again", 10).await;
    let seed = seed_users("seed-cooks.jsonl");
    let without_seed: Vec<_> = again.into_iter().filter(|user| !seed.contains(user)).collect();
    assert_eq!(without_seed, large[..without_seed.len()]);
}

#[tokio::test]
async fn the_seed_comes_first_where_it_is_to_be_included() {
    let running = Running::start_sample().await;
    let arn = start(&running, "runners", true).await;
    let audience = running.exported(&arn, "with seed", 5).await;
    let seed = seed_users("seed-runners.jsonl");
    assert_eq!(audience.len(), 1000);
    let matched = audience.iter().filter(|user| seed.contains(*user)).count();
    assert_eq!(matched, 680);
    assert!(audience[..matched].iter().all(|user| seed.contains(user)));
}
