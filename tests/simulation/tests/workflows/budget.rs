//! No run fills its history or its state: the bound of each wait, the events of each turn, and the worst runs.

use std::collections::BTreeSet;

use lookalike::cause::MAX_CAUSE_BYTES;
use lookalike::schedule::{MAX_LONG_TURNS, MAX_SHORT_TURNS};
use serde_json::{Map, Value, json};
use simulation::asl::{Failure, Timestamp};

use crate::scripted::{AUDIENCE, Answer, Run, Script, definition_text, drive_with_deadline};

/// The most events of one turn: a Wait, and what follows it up to the next Wait.
const MAX_TURN_EVENTS: u64 = 16;

/// The most events of a run. A history holds 25,000.
const MAX_EVENTS: u32 = 18_400;

/// The most bytes of an input, a payload, a result or an output of a state. Step Functions allows 256 KiB.
const MAX_STATE_BYTES: usize = 200 * 1_024;

const WORKFLOWS: [&str; 2] = ["audience.asl.json", "segment.asl.json"];

// From the definitions.

fn states(file: &str) -> Map<String, Value> {
    let definition: Value = serde_json::from_str(&definition_text(file)).unwrap();
    definition["States"].as_object().unwrap().clone()
}

/// Returns the events of a state with all its retries.
fn events(state: &Value) -> u64 {
    match state["Type"].as_str().unwrap() {
        "Task" => {
            let retriers = state["Retry"].as_array().into_iter().flatten();
            5 + 3 * retriers.map(|retrier| retrier["MaxAttempts"].as_u64().unwrap()).sum::<u64>()
        }
        "Wait" | "Choice" | "Pass" => 2,
        other => panic!("{other} is not a state of a turn"),
    }
}

fn successors(state: &Value) -> BTreeSet<&str> {
    let lists = ["Choices", "Catch"].iter().flat_map(|list| state[list].as_array().into_iter().flatten());
    let next = lists.map(|entry| &entry["Next"]).chain([&state["Next"], &state["Default"]]);
    next.filter_map(Value::as_str).collect()
}

/// Returns the states that can be entered after a state.
fn reachable<'s>(states: &'s Map<String, Value>, name: &str) -> BTreeSet<&'s str> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<&str> = successors(&states[name]).into_iter().collect();
    while let Some(next) = left.pop() {
        if found.insert(next) {
            left.extend(successors(&states[next]));
        }
    }
    found
}

/// Returns the loop that a state is in: the states that lead to it and that it leads to.
fn loop_of<'s>(states: &'s Map<String, Value>, name: &str) -> BTreeSet<&'s str> {
    reachable(states, name).into_iter().filter(|other| reachable(states, other).contains(name)).collect()
}

/// Returns the most events from a state to the next Wait of a loop, without those of that Wait.
fn events_to_next_wait(
    states: &Map<String, Value>,
    name: &str,
    within: &BTreeSet<&str>,
    path: &mut Vec<String>,
) -> Option<u64> {
    assert!(!path.iter().any(|entered| entered == name), "a loop without a Wait: {path:?} and {name} again");
    path.push(name.to_owned());
    let next = successors(&states[name]).into_iter().filter(|next| within.contains(next));
    let rest = next.filter_map(|next| {
        let is_wait = states[next]["Type"] == "Wait";
        if is_wait { Some(0) } else { events_to_next_wait(states, next, within, path) }
    });
    let rest = rest.max();
    path.pop();
    rest.map(|rest| events(&states[name]) + rest)
}

#[test]
fn no_turn_of_a_loop_has_more_than_16_events() {
    let mut turns = Vec::new();
    for file in WORKFLOWS {
        let states = states(file);
        for (name, _) in states.iter().filter(|(_, state)| state["Type"] == "Wait") {
            let turn = events_to_next_wait(&states, name, &loop_of(&states, name), &mut Vec::new()).unwrap();
            assert!(turn <= MAX_TURN_EVENTS, "{file}: {name}: {turn}");
            turns.push(turn);
        }
    }
    assert_eq!(turns.len(), 8);
    assert_eq!(turns.into_iter().max(), Some(MAX_TURN_EVENTS));
}

#[test]
fn each_loop_has_a_wait() {
    for file in WORKFLOWS {
        let states = states(file);
        for name in states.keys() {
            let states_of_loop = loop_of(&states, name);
            let has_wait = states_of_loop.iter().any(|other| states[*other]["Type"] == "Wait");
            assert!(states_of_loop.is_empty() || has_wait, "{file}: {name}");
        }
    }
}

/// What is in no loop happens once.
#[test]
fn all_turns_and_what_happens_once_fit_into_a_history() {
    let turns = MAX_TURN_EVENTS * u64::from(MAX_SHORT_TURNS + MAX_LONG_TURNS);
    assert!(turns <= u64::from(MAX_EVENTS));
    for file in WORKFLOWS {
        let states = states(file);
        let is_end = |state: &&Value| ["Succeed", "Fail"].contains(&state["Type"].as_str().unwrap());
        let once: u64 = states.values().filter(|state| !is_end(state)).map(events).sum();
        assert!(turns + once < 25_000, "{file}: {once}");
    }
}

// Worst runs.

/// How long the last check of a request waits between its attempts.
const RETRY_SECONDS: u64 = 15;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
const DEADLINES: [u64; 3] = [HOUR, 2 * DAY, 30 * DAY];

/// Returns the answer of `check-request` for a run with the shortest waits.
fn checked(deadline_seconds: u64) -> Value {
    let start = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
    let deadline = start + std::time::Duration::from_secs(deadline_seconds);
    json!({
        "name": "spring", "checkedRequest": "s3://b/checked/run.json", "audienceGenerationJobArn": null,
        "deadline": deadline.to_string(), "export": "all", "modelSizes": null, "seed": null, "skipped": [],
        "poll": {"minSeconds": 1, "maxSeconds": 1}, "input": null, "warnings": [],
    })
}

/// Returns a script with 25 sizes, and the longest messages.
fn script(deadline_seconds: u64) -> Script {
    let sizes: Vec<Value> = (1..26).map(|value| json!({"type": "ABSOLUTE", "value": value})).collect();
    Script::new(checked(deadline_seconds)).sizes(json!(sizes)).message(message())
}

fn message() -> String {
    "x".repeat(MAX_CAUSE_BYTES)
}

/// Returns an error of a function with the longest message.
fn failing(error: &str) -> Answer {
    Failure::of_function(error, &message()).into()
}

fn stays_within_its_budget(file: &str, world: &str, deadline_seconds: u64, script: Script) -> Run {
    let run = drive_with_deadline(file, script, deadline_seconds);
    let usage = &run.usage;
    println!(
        "{world}, {} h: {} events, {} waits, {} bytes in {}, {} bytes of variables",
        deadline_seconds / HOUR,
        usage.events,
        run.waits.len(),
        usage.max_data_bytes,
        usage.max_data_state,
        usage.max_variables_bytes
    );
    assert!(usage.events < MAX_EVENTS, "{world}: {usage:?}");
    assert!(usage.max_data_bytes < MAX_STATE_BYTES, "{world}: {usage:?}");
    assert!(usage.max_variables_bytes < MAX_STATE_BYTES, "{world}: {usage:?}");
    assert!(run.seconds <= deadline_seconds + RETRY_SECONDS, "{world}: {}", run.seconds);
    run
}

#[test]
fn exports_that_wait_for_a_quota_for_ever_stay_within_the_budget() {
    for deadline in DEADLINES {
        let script = script(deadline).always("StartExports", "QuotaExceeded").always("CheckExports", json!({}));
        stays_within_its_budget("audience.asl.json", "quota of exports", deadline, script).cause("DeadlineExceeded");
    }
}

#[test]
fn exports_that_run_beside_one_that_waits_stay_within_the_budget() {
    for deadline in DEADLINES {
        let script = script(deadline)
            .always("StartExports", json!({"1": "accepted", "2": "QuotaExceeded", "3": "Conflict"}))
            .always("CheckExports", json!({"1": "CREATE_PENDING"}));
        stays_within_its_budget("audience.asl.json", "mixed exports", deadline, script).cause("DeadlineExceeded");
    }
}

#[test]
fn exports_whose_functions_always_die_stay_within_the_budget() {
    for deadline in DEADLINES {
        let script = script(deadline)
            .always("StartExports", failing("Lambda.Unknown"))
            .always("CheckExports", failing("ServiceUnavailable"));
        stays_within_its_budget("audience.asl.json", "deaths of exports", deadline, script).cause("DeadlineExceeded");
    }
}

#[test]
fn exports_that_run_until_the_deadline_stay_within_the_budget() {
    for deadline in DEADLINES {
        let script = script(deadline).always("CheckExports", "CREATE_PENDING");
        stays_within_its_budget("audience.asl.json", "running exports", deadline, script).cause("DeadlineExceeded");
    }
}

#[test]
fn a_generation_whose_checks_always_fail_stays_within_the_budget() {
    for deadline in DEADLINES {
        let script = script(deadline).always("CheckGeneration", failing("ServiceUnavailable"));
        stays_within_its_budget("audience.asl.json", "failed checks", deadline, script).cause("DeadlineExceeded");
    }
}

#[test]
fn a_generation_that_runs_until_the_deadline_stays_within_the_budget() {
    for deadline in DEADLINES {
        let script = script(deadline).always("CheckGeneration", "CREATE_IN_PROGRESS");
        stays_within_its_budget("audience.asl.json", "running generation", deadline, script).cause("DeadlineExceeded");
    }
}

#[test]
fn a_start_that_is_always_unknown_stays_within_the_budget() {
    for deadline in DEADLINES {
        for answer in [Answer::from("ServiceUnavailable"), failing("Lambda.Unknown")] {
            for (file, state) in [("audience.asl.json", "StartGeneration"), ("segment.asl.json", "StartSegment")] {
                let script = script(deadline).always(state, answer.clone());
                stays_within_its_budget(file, state, deadline, script).cause("DeadlineExceeded");
            }
        }
    }
}

#[test]
fn a_segment_that_is_never_ready_stays_within_the_budget() {
    for deadline in DEADLINES {
        for answer in [Answer::from("CREATE IN_PROGRESS"), failing("ServiceUnavailable")] {
            let script = script(deadline).always("CheckSegment", answer);
            stays_within_its_budget("segment.asl.json", "segment", deadline, script).cause("DeadlineExceeded");
        }
    }
}

#[test]
fn a_request_that_is_never_checked_stays_within_the_budget() {
    let turn = [failing("Lambda.Unknown"), failing("Lambda.Unknown"), failing("ServiceUnavailable")];
    for file in WORKFLOWS {
        for deadline in DEADLINES {
            let script = script(deadline).answers("CheckRequest", turn.clone().into_iter().cycle().take(3 * 1_200));
            stays_within_its_budget(file, "request", deadline, script).cause("DeadlineExceeded");
        }
    }
}

/// Returns a script in which each part of a run takes a third of its time, with as many events as it can have.
fn thirds(deadline: u64) -> Script {
    let turn = [failing("Lambda.Unknown"), failing("Lambda.Unknown"), failing("ServiceUnavailable")];
    let longest_wait = (deadline / 900).max(60);
    let third = usize::try_from(deadline / 3 / longest_wait).unwrap().min(400);
    script(deadline)
        .answers("CheckRequest", turn.into_iter().cycle().take(3 * third))
        .answers("CheckRequest", [checked(deadline)])
        .answers("StartGeneration", vec!["QuotaExceeded"; third / 2])
        .answers("StartGeneration", ["accepted"])
        .always("StartExports", failing("Lambda.Unknown"))
        .always("CheckExports", failing("ServiceUnavailable"))
}

#[test]
fn a_run_that_is_slow_everywhere_stays_within_the_budget() {
    for deadline in DEADLINES {
        let run = stays_within_its_budget("audience.asl.json", "thirds", deadline, thirds(deadline));
        run.fails("DeadlineExceeded", &[AUDIENCE]);
    }
}
