//! Makes a world that violates an invariant smaller, as long as it still does.

use crate::plan::{Plan, Rates};
use crate::world::{self, Outcome};

/// Returns a smaller world that violates an invariant, and what happens in it.
#[must_use]
pub fn shrink(plan: &Plan, outcome: Outcome) -> (Plan, Outcome) {
    let (mut plan, mut outcome) = (plan.clone(), outcome);
    loop {
        let smaller = candidates(&plan).into_iter().find_map(|candidate| {
            let outcome = world::run(&candidate).ok()?;
            (!outcome.violations.is_empty()).then_some((candidate, outcome))
        });
        match smaller {
            Some(smaller) => (plan, outcome) = smaller,
            None => return (plan, outcome),
        }
    }
}

/// Worlds with one thing less.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut push = |change: &dyn Fn(&mut Plan)| {
        let mut smaller = plan.clone();
        change(&mut smaller);
        plans.push(smaller);
    };
    if plan.runs.len() > 1 {
        for place in 0..plan.runs.len() {
            push(&|plan| {
                plan.runs.remove(place);
            });
        }
    }
    for place in 0..plan.outages.len() {
        push(&|plan| {
            plan.outages.remove(place);
        });
    }
    for rate in RATES {
        if *rate(&mut plan.clone().rates) > 0.0 {
            push(&|plan| *rate(&mut plan.rates) = 0.0);
        }
    }
    for (place, run) in plan.runs.iter().enumerate() {
        if !run.repeated.is_empty() {
            push(&|plan| plan.runs[place].repeated.clear());
        }
        if run.stopped.is_some() {
            push(&|plan| plan.runs[place].stopped = None);
        }
        if run.deleted.is_some() {
            push(&|plan| plan.runs[place].deleted = None);
        }
    }
    if plan.list_lag > 0 {
        push(&|plan| plan.list_lag = 0);
    }
    if (plan.function_skew, plan.service_skew) != (0, 0) {
        push(&|plan| (plan.function_skew, plan.service_skew) = (0, 0));
    }
    plans
}

const RATES: [fn(&mut Rates) -> &mut f64; 8] = [
    |rates| &mut rates.throttled,
    |rates| &mut rates.failed,
    |rates| &mut rates.lost,
    |rates| &mut rates.late,
    |rates| &mut rates.not_invoked,
    |rates| &mut rates.died_before,
    |rates| &mut rates.died_after,
    |rates| &mut rates.silent,
];
