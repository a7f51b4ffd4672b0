//! What to do about a run that did not succeed.
//!
//! A message of our own already says how to correct its reason. The advice adds whether a redrive helps, until when, and
//! what helps later. It never leads to paying for a job twice: where a job may exist, it says to check first.

use super::{Failure, Origin, Outcome, RunResult, known};
use crate::error::ErrorName;
use crate::execution::Engine;
use crate::words;

/// Errors of Step Functions that come again on a redrive, because the definition and the data are the same.
const PERMANENT: [&str; 5] = [
    "States.Runtime",
    "States.QueryEvaluationError",
    "States.DataLimitExceeded",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
];

impl Outcome {
    /// Returns what to do about a failure, in one or more paragraphs.
    pub(super) fn advice(&self, failure: &Failure) -> String {
        let paragraphs = match (&self.result, failure.origin) {
            (RunResult::Stopped(_), _) => vec![
                format!(
                    "What to do: nothing, if this was intended. A job that the run had started continues in the service \
                     and is charged. To continue the run, {}",
                    self.redrive(failure)
                ),
                self.later(failure),
            ],
            (RunResult::TimedOut(_), _) => vec![
                format!(
                    "What to do: open the run and check the state that took too long. Then {}",
                    self.redrive(failure)
                ),
                self.later(failure),
            ],
            (_, Origin::Task) => self.after_a_failed_task(failure),
            (_, Origin::FailState) => self.after_the_fail_state(failure),
        };
        paragraphs.into_iter().filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
    }

    fn after_a_failed_task(&self, failure: &Failure) -> Vec<String> {
        use ErrorName as E;
        let step = match known(&failure.error) {
            Some(E::AccessDenied | E::NotFound) => {
                format!("correct what the message says. Then {}", self.redrive(failure))
            }
            Some(E::Throttled | E::ServiceUnavailable) => {
                format!("wait until the service works again. Then {}", self.redrive(failure))
            }
            Some(_) => {
                "correct what the message says. Then upload again, or start a new run. A redrive would fail again."
                    .to_owned()
            }
            None if PERMANENT.contains(&failure.error.as_str()) => {
                return vec![
                    "What to do: open the run and check the state that failed. A redrive would fail again.".to_owned(),
                    self.before_a_new_run(),
                    self.later(failure),
                ];
            }
            None => {
                format!(
                    "open the run and check the state that failed. When the reason is gone, {}",
                    self.redrive(failure)
                )
            }
        };
        vec![format!("What to do: {step}")]
    }

    fn after_the_fail_state(&self, failure: &Failure) -> Vec<String> {
        use ErrorName as E;
        const NO_REDRIVE: &str = "A redrive would fail again, because the run ended in its Fail state.";
        match known(&failure.error) {
            // No job of the run exists that could still succeed.
            Some(
                E::InvalidRequest
                | E::InvalidSeed
                | E::Conflict
                | E::GenerationFailed
                | E::SegmentFailed
                | E::JobDeleted,
            ) => vec![format!("What to do: follow the message, then start a new run. {NO_REDRIVE}")],
            // The audience exists.
            Some(E::ExportFailed | E::NoSizeQualifies) => {
                vec![format!("What to do: follow the message. {NO_REDRIVE}"), export_input(failure)]
            }
            _ => vec![
                format!("What to do: follow the message. {NO_REDRIVE}"),
                self.before_a_new_run(),
                export_input(failure),
            ],
        }
    }

    /// The deadline is that of the run: a redrive does not move it.
    fn redrive(&self, failure: &Failure) -> String {
        let deadline = failure.deadline.map_or_else(
            || "the run's deadline (DeadlineSeconds after its start)".to_owned(),
            |deadline| format!("the run's deadline, {}", words::time(deadline)),
        );
        format!(
            "redrive it before {deadline}, and within 14 days: it continues where it ended and starts no job twice. Choose \
             Redrive on its page, or run\n  aws stepfunctions redrive-execution --execution-arn {}",
            self.execution_arn
        )
    }

    fn before_a_new_run(&self) -> String {
        let service = match self.workflow {
            Engine::Audience => "Clean Rooms ML",
            Engine::Segment => "Personalize",
        };
        format!(
            "Check in {service} whether a job of this run exists before you start a new run: a new run starts and pays \
             for another job."
        )
    }

    /// After the deadline a redrive only ends as `DeadlineExceeded`.
    fn later(&self, failure: &Failure) -> String {
        match (self.workflow, &failure.audience_generation_job_arn) {
            (Engine::Audience, Some(_)) => format!("After the deadline: {}", export_input(failure)),
            (Engine::Audience, None) => {
                "After the deadline: if the audience of this run exists, export it with an execution whose input names \
                 its audienceGenerationJobArn and the sizes to export. Check first which exports exist."
                    .to_owned()
            }
            (Engine::Segment, _) => String::new(),
        }
    }
}

/// The input of an execution that only exports. `SIZES` is not a valid choice of sizes, so it starts nothing until
/// it is replaced.
fn export_input(failure: &Failure) -> String {
    let Some(arn) = &failure.audience_generation_job_arn else { return String::new() };
    format!(
        "To export sizes of the audience, start an execution of the same workflow with this input. Replace SIZES, for \
         example by 5pct,10pct. A size whose export could not be checked is not known: check before you export it \
         again.\n  {{\"audienceGenerationJobArn\": \"{arn}\", \"export\": \"SIZES\"}}"
    )
}
