//! A short round of chaos. CI sets `CHAOS_RUNS` to a longer one; `cargo chaos -- --runs 500` is the long one.

#![allow(clippy::unwrap_used)]

use local_aws::chaos::{self, Plan};
use local_aws::{Lines, LocalAws};

#[tokio::test]
async fn whatever_fails_nothing_is_lost_and_nothing_is_doubled() {
    let runs = std::env::var("CHAOS_RUNS").map_or(12, |runs| runs.parse().unwrap());
    let plan = Plan { runs, seed: 20_261_122 };
    let aws = LocalAws::start(&plan.options(), &Lines).await.unwrap();
    let outcome = chaos::run(&aws, plan, |_| {}).await.unwrap();
    println!("{outcome}");
    assert!(outcome.broken.is_empty(), "{outcome}");
}
