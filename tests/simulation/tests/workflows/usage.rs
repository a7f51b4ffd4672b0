//! What runs use: transitions, events and calls, which Step Functions and Lambda charge.

use serde_json::{Value, json};
use simulation::asl::Usage;

use crate::scripted::{Answer, Script, drive};

const HOUR: u64 = 3_600;
const TEN_MINUTES: u64 = 600;

/// Returns what an audience run with the stack's defaults uses. Each start is accepted after `full_for`, the generation takes
/// `generation` seconds, and each export `export` seconds.
fn usage(sizes: u64, full_for: u64, generation: u64, export: u64) -> Usage {
    let sizes: Vec<Value> = (1..=sizes).map(|value| json!({"type": "PERCENTAGE", "value": value})).collect();
    let checked = json!({
        "name": "spring", "checkedRequest": "s3://b/checked/run.json", "audienceGenerationJobArn": null,
        "deadline": "2026-01-03T00:00:00Z", "export": "all", "modelSizes": null, "seed": null, "skipped": [],
        "poll": {"minSeconds": 13, "maxSeconds": 900},
    });
    let script = Script::new(checked)
        .sizes(json!(sizes))
        .always("StartExports", Answer::FullFor(full_for))
        .always("CheckGeneration", Answer::ReadyAfter(generation))
        .always("CheckExports", Answer::ReadyAfter(export));
    let run = drive("audience.asl.json", json!({"seedAudience": {}}), script);
    assert_eq!(run.output()["exports"].as_array().unwrap().len(), sizes.len());
    run.usage
}

#[test]
fn an_hour_and_three_sizes_take_the_transitions_of_the_readme() {
    let usage = usage(3, 0, HOUR, TEN_MINUTES);
    assert_eq!((usage.transitions(), usage.events, usage.calls), (232, 703, 79));
}

/// Prints the table: `cargo test -p simulation --test workflows usage -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures for a person"]
fn the_usage_of_three_runs_is_printed() {
    println!("| run | transitions | events | calls | bytes |\n|---|---|---|---|---|");
    for (run, usage) in [
        ("3 sizes, job 1 h", usage(3, 0, HOUR, TEN_MINUTES)),
        ("25 sizes, job 24 h", usage(25, 0, 24 * HOUR, HOUR)),
        ("3 sizes that wait 24 h for a quota", usage(3, 24 * HOUR, HOUR, TEN_MINUTES)),
    ] {
        let (transitions, bytes) = (usage.transitions(), usage.max_data_bytes);
        println!("| {run} | {transitions} | {} | {} | {bytes} |", usage.events, usage.calls);
    }
}
