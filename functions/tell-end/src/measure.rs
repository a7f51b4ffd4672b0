//! The figures of a run as metrics, in `CloudWatch`'s embedded metric format.

use std::io::{self, Write};

use lookalike::end::{End, Figure};
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};

/// What writes the metrics of one stack.
#[derive(Clone, Copy)]
pub(crate) struct Measures(&'static Collector);

impl Measures {
    /// Sets it up, once in a process.
    pub(crate) fn of_stack(name: String) -> Result<Self, lambda_runtime::Error> {
        let collector = Builder::new().cloudwatch_namespace("Lookalike").with_dimension("Stack", name).init()?;
        describe_counter!("Runs", Unit::Count, "");
        describe_histogram!(Figure::RunSeconds.as_str(), Unit::Seconds, "");
        Ok(Self(collector))
    }

    /// Writes a run's metrics, one line of JSON for each set of dimensions. Each set costs: by error only the runs are
    /// counted, by outcome they are timed too, and what is known of a good end alone needs neither.
    pub(crate) fn write(self, end: &End, log: impl Write) -> io::Result<()> {
        let (engine, outcome) = (end.engine(), end.outcome());
        counter!("Runs", "Engine" => engine, "Outcome" => outcome).increment(1);
        if let Some(error) = end.error() {
            counter!("Runs", "Engine" => engine, "Error" => error).increment(1);
        }
        for (figure, value) in end.figures() {
            // Not a gauge: it would be written again with the next run.
            let histogram = if figure == Figure::RunSeconds {
                histogram!(figure.as_str(), "Engine" => engine, "Outcome" => outcome)
            } else {
                histogram!(figure.as_str(), "Engine" => engine)
            };
            histogram.record(value);
        }
        self.0.flush(log)
    }
}
