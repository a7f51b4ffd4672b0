//! What one run costs: the states that it enters and the functions that it calls, counted in the workflow's definition.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Failure;

/// Dollars for a state that is entered, in a Standard workflow.
const TRANSITION: f64 = 0.025 / 1_000.0;
/// Dollars for a call of a function, and for a second of a function of 128 MB on arm64.
const CALL: f64 = 0.20 / 1_000_000.0;
const SECOND: f64 = 0.000_013_333_4 * 128.0 / 1024.0;

/// What a run did.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) transitions: u32,
    pub(crate) function_calls: u32,
}

impl Run {
    /// What it costs in dollars, where each call of a function takes that many seconds.
    pub(crate) fn dollars(&self, seconds_a_call: f64) -> f64 {
        f64::from(self.transitions) * TRANSITION + f64::from(self.function_calls) * (CALL + SECOND * seconds_a_call)
    }
}

/// How a Choice state decides: so many times the first way, then the second.
pub(crate) type Ways<'w> = BTreeMap<&'w str, (usize, &'w str, &'w str)>;

/// Follows a definition from its start to its end. Every Map is over so many items.
pub(crate) fn follow(definition: &Value, ways: &Ways<'_>, items: u32) -> Result<Run, Failure> {
    let mut run = Run::default();
    let mut visits = BTreeMap::new();
    let mut name = text(definition, "StartAt")?;
    loop {
        let state = &definition["States"][name];
        run.transitions += 1;
        match text(state, "Type")? {
            "Succeed" => return Ok(run),
            "Fail" => return Err(format!("the run ends in {name}").into()),
            "Choice" => {
                let (times, first, second) =
                    ways.get(name).ok_or_else(|| format!("which way at {name} is not said"))?;
                let visited = visits.entry(name).or_insert(0);
                *visited += 1;
                name = if *visited <= *times { first } else { second };
                continue;
            }
            "Map" => {
                let each = follow(&state["ItemProcessor"], ways, items)?;
                run.transitions += items * each.transitions;
                run.function_calls += items * each.function_calls;
            }
            "Task" => run.function_calls += u32::from(text(state, "Resource")?.contains(":lambda:")),
            _ => {}
        }
        if state["End"] == true {
            return Ok(run);
        }
        name = text(state, "Next")?;
    }
}

fn text<'v>(value: &'v Value, field: &str) -> Result<&'v str, Failure> {
    value[field].as_str().ok_or_else(|| format!("a state without {field}").into())
}
