//! The metrics of an outcome, as lines of `CloudWatch`'s embedded metric format.
//!
//! Written here instead of by a crate: the one that we used records into one recorder of the process and reads the
//! system's clock, so two functions of a process could not have metrics of their own.

use std::io::{self, Write};

use lookalike::execution::Moment;
use lookalike::outcome::{Metric, Outcome};
use serde_json::{Map, Value, json};

/// Writes one line for each set of dimensions. Each set is charged: the number of runs has one by error and one by
/// status, the duration of a run has the latter, and the other metrics only have the workflow.
pub(crate) fn write(outcome: &Outcome, stack: &str, now: Moment, mut output: impl Write) -> io::Result<()> {
    let workflow = ("Workflow", outcome.workflow());
    let (of_run, others): (Vec<_>, Vec<_>) = outcome.metrics().partition(|(metric, _)| *metric == Metric::RunSeconds);
    let runs = ("Runs", "Count", 1.0);
    let seconds = of_run.iter().map(|(metric, seconds)| (metric.as_str(), "Seconds", *seconds));
    let mut lines = vec![line(stack, now, &[workflow, ("Outcome", outcome.status())], seconds.chain([runs]))];
    lines.extend(outcome.error().map(|error| line(stack, now, &[workflow, ("Error", error)], [runs])));
    if !others.is_empty() {
        let others = others.iter().map(|(metric, value)| (metric.as_str(), "None", *value));
        lines.push(line(stack, now, &[workflow], others));
    }
    lines.iter().try_for_each(|line| writeln!(output, "{line}"))
}

fn line<'m>(
    stack: &str,
    now: Moment,
    dimensions: &[(&'static str, &str)],
    metrics: impl IntoIterator<Item = (&'m str, &'static str, f64)>,
) -> Value {
    let mut line = Map::new();
    let names: Vec<_> = ["Stack"].into_iter().chain(dimensions.iter().map(|(name, _)| *name)).collect();
    line.insert("Stack".to_owned(), stack.into());
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    let mut definitions = Vec::new();
    for (name, unit, value) in metrics {
        definitions.push(json!({"Name": name, "Unit": unit}));
        line.insert(name.to_owned(), value.into());
    }
    let directive = json!({"Namespace": "Lookalike", "Dimensions": [names], "Metrics": definitions});
    line.insert("_aws".to_owned(), json!({"Timestamp": now.to_millis(), "CloudWatchMetrics": [directive]}));
    line.into()
}
