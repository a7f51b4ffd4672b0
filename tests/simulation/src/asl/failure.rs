//! The errors of states.

use std::fmt;

pub(crate) const ALL: &str = "States.ALL";
pub(crate) const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
pub(crate) const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
pub(crate) const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
pub(crate) const RUNTIME: &str = "States.Runtime";
pub(crate) const TASK_FAILED: &str = "States.TaskFailed";
pub(crate) const TIMEOUT: &str = "States.Timeout";

/// An error of a task, a state or an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name that `ErrorEquals` is compared with.
    pub error: String,
    /// The text of the error. `States.Timeout` has none.
    pub cause: Option<String>,
}

impl Failure {
    /// Returns an error with a cause.
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: Some(cause.into()) }
    }

    /// Returns an error without a cause.
    pub fn without_cause(error: impl Into<String>) -> Self {
        Self { error: error.into(), cause: None }
    }

    /// Returns the error of a Lambda function, with the cause that the Lambda runtime writes.
    #[must_use]
    pub fn of_function(error: &str, message: &str) -> Self {
        Self::new(error, serde_json::json!({ "errorType": error, "errorMessage": message }).to_string())
    }

    pub(crate) fn query(cause: impl Into<String>) -> Self {
        Self::new(QUERY_EVALUATION_ERROR, cause)
    }

    /// Returns whether the `ErrorEquals` of a retrier or a catcher names this error.
    ///
    /// `States.ALL` does not include `States.DataLimitExceeded`, and nothing includes `States.Runtime`.
    pub(crate) fn is_one_of(&self, error_equals: &[String]) -> bool {
        error_equals.iter().any(|name| match (name.as_str(), self.error.as_str()) {
            (_, RUNTIME) => false,
            (name, error) if name == error => true,
            (_, DATA_LIMIT_EXCEEDED) => false,
            (ALL, _) => true,
            (TASK_FAILED, error) => error != TIMEOUT,
            _ => false,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(formatter, "{}: {cause}", self.error),
            None => formatter.write_str(&self.error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_caught(error: &str, error_equals: &str) -> bool {
        Failure::without_cause(error).is_one_of(&[error_equals.to_owned()])
    }

    #[test]
    fn states_all_leaves_out_the_data_limit_and_runtime_errors() {
        assert!(is_caught("AccessDenied", ALL));
        assert!(is_caught(TIMEOUT, ALL));
        assert!(is_caught(QUERY_EVALUATION_ERROR, ALL));
        assert!(!is_caught(DATA_LIMIT_EXCEEDED, ALL));
        assert!(!is_caught(RUNTIME, ALL));
    }

    #[test]
    fn the_data_limit_is_caught_by_its_name_and_runtime_is_not() {
        assert!(is_caught(DATA_LIMIT_EXCEEDED, DATA_LIMIT_EXCEEDED));
        assert!(!is_caught(RUNTIME, RUNTIME));
    }

    #[test]
    fn states_task_failed_matches_all_but_a_timeout() {
        assert!(is_caught("Lambda.Unknown", TASK_FAILED));
        assert!(!is_caught(TIMEOUT, TASK_FAILED));
    }

    #[test]
    fn other_names_match_exactly() {
        assert!(is_caught("Conflict", "Conflict"));
        assert!(!is_caught("Conflict", "conflict"));
    }
}
