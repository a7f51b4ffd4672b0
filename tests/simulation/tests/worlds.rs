//! Worlds in which the guarantees must hold: one for each fault that was seen, and some that chance draws.
//!
//! `SIMULATION_RUNS` is the number of executions in drawn worlds; `cargo simulate -- --runs N` runs more of them.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

use simulation::plan::{Outage, Plan, PlannedRun, Rates, RunKind};
use simulation::world::{self, Outcome};

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;

/// Runs a world and asserts that it violates no invariant.
fn run(plan: &Plan) -> Outcome {
    let outcome = world::run(plan).unwrap();
    let texts: Vec<_> = outcome.violations.iter().map(|violation| &violation.text).collect();
    assert!(texts.is_empty(), "random seed {}: {texts:#?}\n{:#?}", plan.random_seed, outcome.history);
    outcome
}

fn drawn_runs() -> Option<usize> {
    std::env::var("SIMULATION_RUNS").ok().map(|runs| runs.parse().unwrap())
}

fn segment(at: u64) -> PlannedRun {
    PlannedRun { kind: RunKind::Segment, ..PlannedRun::seed(at, "none") }
}

#[test]
fn a_world_without_faults_ends_in_audiences_and_segments() {
    let outcome = run(&Plan::calm(vec![PlannedRun::seed(0, "1pct,5pct,10pct"), segment(60)]));
    assert_eq!((outcome.executions, outcome.succeeded), (2, 2));
}

#[test]
fn two_runs_of_one_name_never_share_a_job() {
    let named = |at| PlannedRun { name: Some("spring".into()), ..PlannedRun::seed(at, "1pct") };
    let plan = Plan::calm(vec![PlannedRun::seed(0, "none"), named(60), named(120)]);
    let outcome = run(&Plan { generation_quota: 1, ..plan });
    assert_eq!((outcome.succeeded, outcome.failed.get("Conflict")), (2, Some(&1)));
}

#[test]
fn two_segment_runs_of_one_name_never_share_a_job() {
    let named = |at| PlannedRun { name: Some("spring".into()), ..segment(at) };
    let outcome = run(&Plan::calm(vec![named(60), named(120)]));
    assert_eq!((outcome.succeeded, outcome.failed.get("Conflict")), (1, Some(&1)));
}

#[test]
fn hours_of_failed_status_checks_do_not_end_a_run() {
    for operation in ["GetAudienceGenerationJob", "ListAudienceExportJobs"] {
        for status in [0, 429, 503] {
            let outage = Outage { from: 10 * MINUTE, to: 10 * HOUR, operation: Some(operation), status };
            let plan = Plan { outages: vec![outage], ..Plan::calm(vec![PlannedRun::seed(0, "1pct,5pct")]) };
            assert_eq!(run(&plan).succeeded, 1, "{operation} {status}");
        }
    }
}

#[test]
fn an_outage_of_everything_for_hours_does_not_end_a_run() {
    let outage = Outage { from: 0, to: 6 * HOUR, operation: None, status: 503 };
    let plan = Plan { outages: vec![outage], ..Plan::calm(vec![PlannedRun::seed(60, "1pct"), segment(60)]) };
    assert_eq!(run(&plan).succeeded, 2);
}

#[test]
fn lost_answers_and_lists_five_minutes_late_start_no_job_twice() {
    for random_seed in 0..4 {
        let rates = Rates { lost: 0.5, ..Rates::default() };
        let runs = vec![PlannedRun::seed(0, "1pct,5pct,10pct"), segment(0)];
        assert_eq!(run(&Plan { random_seed, rates, list_lag: 300, ..Plan::calm(runs) }).succeeded, 2);
    }
}

#[test]
fn a_call_that_is_accepted_two_minutes_late_starts_no_job_twice() {
    for random_seed in 0..4 {
        let rates = Rates { late: 0.7, ..Rates::default() };
        let plan = Plan::calm(vec![PlannedRun::seed(0, "1pct,5pct,10pct"), segment(0)]);
        let plan = Plan { random_seed, rates, max_late: 120, list_lag: 300, ..plan };
        assert_eq!(run(&Plan { function_skew: 60, service_skew: -60, ..plan }).succeeded, 2);
    }
}

#[test]
fn a_function_that_dies_after_the_paid_call_starts_no_job_twice() {
    for random_seed in 0..4 {
        let rates = Rates { died_after: 0.4, silent: 0.1, ..Rates::default() };
        let runs = vec![PlannedRun::seed(0, "1pct,5pct"), segment(0)];
        run(&Plan { random_seed, rates, list_lag: 120, ..Plan::calm(runs) });
    }
}

#[test]
fn clocks_that_differ_by_a_minute_end_in_audiences() {
    for (function_skew, service_skew) in [(60, -60), (-60, 60), (0, -60), (60, 0)] {
        let plan = Plan::calm(vec![PlannedRun::seed(0, "1pct"), segment(0)]);
        assert_eq!(run(&Plan { function_skew, service_skew, ..plan }).succeeded, 2);
    }
}

#[test]
fn runs_that_wait_together_for_a_quota_of_three_all_start() {
    let count = if drawn_runs().is_some() { 200 } else { 12 };
    let runs = (0..count).map(|_| PlannedRun::seed(0, "none")).collect();
    let plan = Plan { generation_quota: 3, generation_seconds: 10 * MINUTE, ..Plan::calm(runs) };
    assert_eq!(run(&plan).succeeded, count);
}

#[test]
fn a_run_that_is_stopped_and_redriven_starts_no_job_twice() {
    // Its jobs take about a minute, so the moments are within each of its calls and waits.
    for stopped in (0..300).step_by(6) {
        let planned = PlannedRun { stopped: Some((stopped, HOUR)), ..PlannedRun::seed(0, "1pct,5pct") };
        let plan = Plan { generation_seconds: MINUTE, export_seconds: MINUTE, ..Plan::calm(vec![planned]) };
        assert_eq!(run(&plan).succeeded, 1, "stopped after {stopped} s");
    }
}

#[test]
fn an_outage_over_the_deadline_leaves_no_export_unnamed() {
    // Some exports are ready and some wait for the quota. Every service is away, S3 too, so no report is written.
    let outage = Outage { from: 3 * HOUR, to: 6 * HOUR, operation: None, status: 0 };
    let sizes = (1..=10).map(|size| format!("{size}pct")).collect::<Vec<_>>().join(",");
    let plan = Plan {
        outages: vec![outage],
        export_quota: 1,
        generation_seconds: 10 * MINUTE,
        export_seconds: 30 * MINUTE,
        deadline_seconds: 4 * HOUR,
        ..Plan::calm(vec![PlannedRun::seed(0, &sizes)])
    };
    assert_eq!(run(&plan).failed.get("DeadlineExceeded"), Some(&1));
}

#[test]
fn drawn_worlds_violate_no_invariant() {
    let runs = drawn_runs().unwrap_or(15);
    let (mut executions, mut random_seed) = (0, 1);
    while executions < runs {
        executions += run(&Plan::draw(random_seed)).executions;
        random_seed += 1;
    }
}
