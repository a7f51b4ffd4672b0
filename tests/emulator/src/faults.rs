//! Faults: errors, lost answers and odd jobs on purpose, so that a client can prove that it copes with them.
//!
//! The configuration file holds `"faults": [...]` and, for faults with a probability, `"faultSeed": 7`.
//! `PUT /_emulator/faults` with `{"faults": [...], "faultSeed": 7}` replaces all faults while the emulator runs. `GET`
//! shows each fault and how often it happened (`struck`). `DELETE` removes them. A job keeps its fault after that.
//!
//! Faults apply to the operations of both APIs. An `error` that only one API has applies only to its operations.
//!
//! A fault says which calls and jobs it applies to, and what it does:
//!
//! ```json
//! {"operation": "StartAudienceGenerationJob", "namePrefix": "spring-", "times": 2, "probability": 0.5,
//!  "fault": {"kind": "acceptThenDrop"}}
//! ```
//!
//! | member | meaning | default |
//! |---|---|---|
//! | `operation` | one operation | every operation that the fault can apply to |
//! | `name`, `namePrefix` | the name of jobs, exports and segments, or its beginning. Calls without a name are spared | any name |
//! | `times` | how often it happens at most | always |
//! | `probability` | how likely it happens, 0 to 1. The nth call of an operation for a name draws the same number in every run with the same `faultSeed` | 1 |
//!
//! **A call** gets the first fault of the list that applies to it.
//!
//! | `fault` | effect |
//! |---|---|
//! | `{"kind": "error", "error": "ThrottlingException", "message": "…"}` | an error, and nothing is performed; the message is optional |
//! | `{"kind": "dropBefore"}` | the connection ends, and nothing is performed |
//! | `{"kind": "acceptThenDrop"}` | the call is performed, then the connection ends without an answer |
//! | `{"kind": "acceptThenError", "error": "InternalServerException", "message": "…"}` | the call is performed and answered by an error, by default this one |
//! | `{"kind": "slow", "seconds": 3, "beforePerforming": true}` | the answer is delayed; by default the call is performed first |
//!
//! **A job** gets the first fault that applies to it when it starts. `times` counts jobs, and `operation` is the one that
//! starts the job.
//!
//! | `fault` | effect |
//! |---|---|
//! | `{"kind": "unknownStatus", "status": "CREATE_WAITING", "seconds": 3}` | its status is an unknown one for this time before it is pending; by default forever |
//! | `{"kind": "stuck"}` | it never leaves `CREATE_IN_PROGRESS` |
//! | `{"kind": "deletedMidway"}` | a generation job is gone after half of its time |
//! | `{"kind": "fails", "statusCode": "INTERNAL", "message": "…"}` | it ends as `CREATE_FAILED` at its time; both members are optional. A segment job has no code, and its message is its `failureReason` |
//!
//! **An answer that shows jobs** gets every fault that applies to it. It counts if there was something to hide. Names are
//! those of the jobs and exports in the answer.
//!
//! | `fault` | effect |
//! |---|---|
//! | `{"kind": "hiddenOutputLocation"}` | exports do not show their location |
//! | `{"kind": "hiddenMetrics"}` | a generation job does not show its metrics |
//! | `{"kind": "pageSize", "entries": 1}` | a page of a list has at most so many entries |
//! | `{"kind": "listDelay", "seconds": 5}` | a job appears in lists only after this time |

use serde::{Deserialize, Serialize};

use crate::operation::Operation;
use crate::wire::{ErrorKind, ServiceError};

/// The faults and the start of their chances: a part of the configuration file, and the body of a `PUT`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultPlan {
    /// In the order in which they are tried.
    pub faults: Vec<Fault>,
    /// Another number is another run.
    #[serde(default)]
    pub fault_seed: u64,
}

/// A fault, and the calls and jobs that it applies to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    /// Only this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Only jobs and exports of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only jobs and exports of names that begin so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_prefix: Option<String>,
    /// How often it happens at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How likely it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// What it does.
    pub fault: Kind,
}

/// What a fault does. The module's page has an example of each.
// The kinds without members have braces because serde takes any member of a kind without.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Kind {
    /// Answers an error without performing.
    Error {
        /// Which one.
        error: ErrorKind,
        /// Its message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Ends the connection without performing.
    DropBefore {},
    /// Performs, then ends the connection.
    AcceptThenDrop {},
    /// Performs, then answers an error.
    AcceptThenError {
        /// Which one.
        #[serde(default = "internal_server_error")]
        error: ErrorKind,
        /// Its message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Takes its time to answer.
    Slow {
        /// How long.
        seconds: f64,
        /// Whether that time passes before the call is performed.
        #[serde(default)]
        before_performing: bool,
    },
    /// A job has a status that nobody knows.
    UnknownStatus {
        /// The status.
        #[serde(default = "create_waiting")]
        status: String,
        /// How long; for ever unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
    /// A job never leaves `CREATE_IN_PROGRESS`.
    Stuck {},
    /// A generation job is gone while it is in progress.
    DeletedMidway {},
    /// A job fails.
    Fails {
        /// The code of its status details.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status_code: Option<String>,
        /// The message of its status details.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Exports do not tell where they lie.
    HiddenOutputLocation {},
    /// A generation job does not tell its metrics.
    HiddenMetrics {},
    /// Lists have short pages.
    PageSize {
        /// The most entries of a page.
        entries: usize,
    },
    /// Lists learn of a job late.
    ListDelay {
        /// How late.
        seconds: f64,
    },
}

/// What a fault changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Call,
    Job,
    View,
}

impl FaultPlan {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// Names the fault's place in the list, the member and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let mut faults = self.faults.iter().enumerate();
        faults.try_for_each(|(place, fault)| fault.check().map_err(|error| format!("faults[{place}].{error}")))
    }
}

impl Fault {
    fn check(&self) -> Result<(), String> {
        let kind = self.fault.name();
        if let Some(operation) = self.operation.filter(|operation| !self.fault.affects(*operation)) {
            return Err(format!("operation: {kind} has no effect on {}", operation.name()));
        }
        if self.name.is_some() && self.name_prefix.is_some() {
            return Err("name, namePrefix: must not both be there".to_owned());
        }
        if (self.name.is_some() || self.name_prefix.is_some()) && matches!(self.fault, Kind::PageSize { .. }) {
            return Err("name, namePrefix: a page has no name".to_owned());
        }
        if self.times == Some(0) {
            return Err("times: must be at least 1".to_owned());
        }
        if self.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return Err("probability: must be 0 to 1".to_owned());
        }
        match &self.fault {
            Kind::Slow { seconds, .. }
            | Kind::ListDelay { seconds }
            | Kind::UnknownStatus { seconds: Some(seconds), .. }
                if !(0.0..=1e6).contains(seconds) =>
            {
                Err("fault.seconds: must be 0 to 1000000".to_owned())
            }
            Kind::PageSize { entries } if !(1..=100).contains(entries) => {
                Err("fault.entries: must be 1 to 100".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether it is meant for a job of that name, or for what has no name.
    pub(crate) fn names(&self, name: Option<&str>) -> bool {
        match (&self.name, &self.name_prefix, name) {
            (None, None, _) => true,
            (_, _, None) => false,
            (exact, prefix, Some(name)) => {
                exact.as_ref().is_none_or(|exact| exact == name)
                    && prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix))
            }
        }
    }

    /// Whether it is meant for that operation.
    pub(crate) fn affects(&self, operation: Operation) -> bool {
        self.operation.is_none_or(|only| only == operation) && self.fault.affects(operation)
    }
}

impl Kind {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error",
            Self::DropBefore {} => "dropBefore",
            Self::AcceptThenDrop {} => "acceptThenDrop",
            Self::AcceptThenError { .. } => "acceptThenError",
            Self::Slow { .. } => "slow",
            Self::UnknownStatus { .. } => "unknownStatus",
            Self::Stuck {} => "stuck",
            Self::DeletedMidway {} => "deletedMidway",
            Self::Fails { .. } => "fails",
            Self::HiddenOutputLocation {} => "hiddenOutputLocation",
            Self::HiddenMetrics {} => "hiddenMetrics",
            Self::PageSize { .. } => "pageSize",
            Self::ListDelay { .. } => "listDelay",
        }
    }

    pub(crate) fn target(&self) -> Target {
        match self {
            Self::Error { .. }
            | Self::DropBefore {}
            | Self::AcceptThenDrop {}
            | Self::AcceptThenError { .. }
            | Self::Slow { .. } => Target::Call,
            Self::UnknownStatus { .. } | Self::Stuck {} | Self::DeletedMidway {} | Self::Fails { .. } => Target::Job,
            Self::HiddenOutputLocation {} | Self::HiddenMetrics {} | Self::PageSize { .. } | Self::ListDelay { .. } => {
                Target::View
            }
        }
    }

    /// Whether it has an effect on that operation.
    fn affects(&self, operation: Operation) -> bool {
        use Operation::{
            CreateBatchSegmentJob, GetAudienceGenerationJob, ListAudienceExportJobs, ListAudienceGenerationJobs,
            ListBatchSegmentJobs, ListConfiguredAudienceModels, StartAudienceExportJob, StartAudienceGenerationJob,
        };
        match self {
            Self::Error { error, .. } | Self::AcceptThenError { error, .. } => {
                error.api().is_none_or(|api| api == operation.api())
            }
            Self::DropBefore {} | Self::AcceptThenDrop {} | Self::Slow { .. } => true,
            Self::UnknownStatus { .. } | Self::Stuck {} | Self::Fails { .. } => {
                matches!(operation, StartAudienceGenerationJob | StartAudienceExportJob | CreateBatchSegmentJob)
            }
            Self::DeletedMidway {} => operation == StartAudienceGenerationJob,
            Self::HiddenOutputLocation {} => operation == ListAudienceExportJobs,
            Self::HiddenMetrics {} => operation == GetAudienceGenerationJob,
            Self::PageSize { .. } => {
                matches!(
                    operation,
                    ListAudienceGenerationJobs
                        | ListAudienceExportJobs
                        | ListConfiguredAudienceModels
                        | ListBatchSegmentJobs
                )
            }
            Self::ListDelay { .. } => {
                matches!(operation, ListAudienceGenerationJobs | ListAudienceExportJobs | ListBatchSegmentJobs)
            }
        }
    }

    /// The error that it answers.
    pub(crate) fn answer(&self) -> Option<ServiceError> {
        let (Self::Error { error, message } | Self::AcceptThenError { error, message }) = self else { return None };
        let message = message.clone().unwrap_or_else(|| format!("The fault '{}' struck.", self.name()));
        Some(ServiceError::new(error.clone(), message))
    }

    /// Whether a call with this fault is performed.
    pub(crate) fn performs(&self) -> bool {
        !matches!(self, Self::Error { .. } | Self::DropBefore {})
    }

    /// Whether a call with this fault gets no answer at all.
    pub(crate) fn hangs_up(&self) -> bool {
        matches!(self, Self::DropBefore {} | Self::AcceptThenDrop {})
    }
}

fn internal_server_error() -> ErrorKind {
    ErrorKind::InternalServer
}

fn create_waiting() -> String {
    "CREATE_WAITING".to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use serde_json::{Value, json};

    use super::*;

    fn plan(fault: &Value) -> Result<FaultPlan, String> {
        let plan: FaultPlan =
            serde_json::from_value(json!({ "faults": [fault] })).map_err(|error| error.to_string())?;
        plan.check().map(|()| plan)
    }

    /// The examples of the module's page: what stands in backquotes, begins as a fault does, and is whole.
    fn examples() -> Vec<Value> {
        let page = include_str!("faults.rs").lines().map_while(|line| line.strip_prefix("//!"));
        let rows = page.filter_map(|line| line.trim().strip_prefix("| `{")?.split_once("}`"));
        rows.map(|(members, _)| serde_json::from_str(&format!("{{{members}}}")).unwrap()).collect()
    }

    #[test]
    fn the_page_has_a_valid_example_of_each_kind() {
        let examples = examples();
        assert_eq!(examples.len(), 13);
        for example in examples {
            let plan = plan(&json!({ "fault": example })).unwrap_or_else(|error| panic!("{example}: {error}"));
            assert_eq!(example["kind"], plan.faults[0].fault.name());
            let written = serde_json::to_value(&plan.faults[0].fault).unwrap();
            assert_eq!(serde_json::from_value::<Kind>(written).unwrap(), plan.faults[0].fault);
        }
    }

    #[test]
    fn a_wrong_fault_names_what_is_wrong() {
        let cases = [
            (json!({}), "fault"),
            (json!({"fault": {"kind": "gremlin"}}), "gremlin"),
            (json!({"fault": {"kind": "stuck", "seconds": 1}}), "seconds"),
            (json!({"fault": {"kind": "error", "error": "TeapotException"}}), "TeapotException"),
            (json!({"colour": 1, "fault": {"kind": "stuck"}}), "colour"),
            (json!({"operation": "StopAudience", "fault": {"kind": "dropBefore"}}), "StopAudience"),
            (json!({"operation": "GetAudienceGenerationJob", "fault": {"kind": "stuck"}}), "faults[0].operation"),
            (json!({"operation": "StartAudienceExportJob", "fault": {"kind": "deletedMidway"}}), "faults[0].operation"),
            (json!({"operation": "CreateBatchSegmentJob", "fault": {"kind": "deletedMidway"}}), "faults[0].operation"),
            (
                json!({"operation": "CreateBatchSegmentJob", "fault": {"kind": "error", "error": "ConflictException"}}),
                "faults[0].operation",
            ),
            (json!({"operation": "GetConfiguredAudienceModel", "fault": {"kind": "hiddenMetrics"}}), "hiddenMetrics"),
            (json!({"name": "a", "namePrefix": "a", "fault": {"kind": "stuck"}}), "namePrefix"),
            (json!({"name": "a", "fault": {"kind": "pageSize", "entries": 1}}), "a page has no name"),
            (json!({"times": 0, "fault": {"kind": "stuck"}}), "faults[0].times"),
            (json!({"probability": 1.1, "fault": {"kind": "stuck"}}), "faults[0].probability"),
            (json!({"fault": {"kind": "slow", "seconds": -1}}), "faults[0].fault.seconds"),
            (json!({"fault": {"kind": "unknownStatus", "seconds": -1}}), "faults[0].fault.seconds"),
            (json!({"fault": {"kind": "pageSize", "entries": 0}}), "faults[0].fault.entries"),
        ];
        for (fault, told) in cases {
            let error = plan(&fault).unwrap_err();
            assert!(error.contains(told), "{fault}: {error}");
        }
    }

    #[test]
    fn a_name_is_exact_a_prefix_begins_and_without_either_everything_is_meant() {
        let fault = |members: &Value| {
            let mut fault = members.clone();
            fault["fault"] = json!({"kind": "dropBefore"});
            plan(&fault).unwrap().faults.remove(0)
        };
        let (exact, prefix, any) =
            (fault(&json!({"name": "run"})), fault(&json!({"namePrefix": "run"})), fault(&json!({})));
        let meant = |name| [exact.names(name), prefix.names(name), any.names(name)];
        assert_eq!(meant(Some("run")), [true, true, true]);
        assert_eq!(meant(Some("run-5pct")), [false, true, true]);
        assert_eq!(meant(Some("a run")), [false, false, true]);
        assert_eq!(meant(None), [false, false, true]);
    }
}
