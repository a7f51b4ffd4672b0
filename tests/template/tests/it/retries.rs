//! Every error of Lambda has a handler in every task that calls a function.

use std::collections::BTreeSet;

use lookalike::ErrorName;
use serde_json::Value;

use crate::definitions::{tasks, workflows};
use crate::models::SERVICE_MODELS;
use crate::policies::strings;

/// Whether a later call can succeed without a change by somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A later call can succeed: a task retries it, or catches it and goes on.
    Transient,
    /// The same call fails again.
    Permanent,
    /// It belongs to a feature that no function here uses.
    Unused,
}
use Kind::{Permanent, Transient, Unused};

/// The errors of Lambda's `Invoke`; Step Functions puts `Lambda.` before each (service model of Lambda; Step Functions
/// developer guide, *concepts-error-handling* and *bp-lambda-serviceexception*).
const INVOKE_ERRORS: [(&str, Kind, &str); 43] = [
    ("CodeArtifactUserDeletedException", Unused, "no function has code from CodeArtifact"),
    ("CodeArtifactUserFailedException", Unused, "no function has code from CodeArtifact"),
    ("CodeArtifactUserPendingException", Unused, "no function has code from CodeArtifact"),
    ("DurableExecutionAlreadyStartedException", Unused, "no durable function"),
    ("EC2AccessDeniedException", Unused, "no function is in a VPC"),
    ("EC2ThrottledException", Unused, "no function is in a VPC"),
    ("EC2UnexpectedException", Unused, "no function is in a VPC"),
    ("EFSIOException", Unused, "no function has a file system"),
    ("EFSMountConnectivityException", Unused, "no function has a file system"),
    ("EFSMountFailureException", Unused, "no function has a file system"),
    ("EFSMountTimeoutException", Unused, "no function has a file system"),
    ("ENILimitReachedException", Unused, "no function is in a VPC"),
    ("ENINotReadyException", Unused, "no function is in a VPC"),
    ("InvalidParameterValueException", Permanent, "the call is wrong"),
    ("InvalidRequestContentException", Permanent, "the payload is not JSON"),
    ("InvalidRuntimeException", Permanent, "the runtime is not supported"),
    ("InvalidSecurityGroupIDException", Unused, "no function is in a VPC"),
    ("InvalidSubnetIDException", Unused, "no function is in a VPC"),
    ("InvalidZipFileException", Permanent, "the code cannot be unpacked"),
    ("KMSAccessDeniedException", Transient, "a new role or key policy needs time"),
    ("KMSDisabledException", Transient, "the key can be enabled again"),
    ("KMSInvalidStateException", Transient, "a key changes its state for a short time"),
    ("KMSNotFoundException", Transient, "a new key or grant needs time"),
    ("ModeNotSupportedException", Permanent, "the call is wrong"),
    ("NoPublishedVersionException", Permanent, "a version is missing"),
    ("RecursiveInvocationException", Permanent, "Lambda stopped a loop"),
    ("RequestTooLargeException", Permanent, "the payload is too large"),
    ("ResourceConflictException", Transient, "another operation on the function is in progress"),
    ("ResourceNotFoundException", Permanent, "the version is missing"),
    ("ResourceNotReadyException", Transient, "the function was idle and becomes active"),
    ("S3FilesMountConnectivityException", Unused, "no function has a file system"),
    ("S3FilesMountFailureException", Unused, "no function has a file system"),
    ("S3FilesMountTimeoutException", Unused, "no function has a file system"),
    ("SerializedRequestEntityTooLargeException", Permanent, "the payload is too large"),
    ("ServiceException", Transient, "Lambda had an internal error"),
    ("ServiceQuotaExceededException", Permanent, "a quota of the account is reached"),
    ("SnapStartException", Unused, "no function has snapshots"),
    ("SnapStartNotReadyException", Unused, "no function has snapshots"),
    ("SnapStartRegenerationFailureException", Unused, "no function has snapshots"),
    ("SnapStartTimeoutException", Unused, "no function has snapshots"),
    ("SubnetIPAddressLimitReachedException", Unused, "no function is in a VPC"),
    ("TooManyRequestsException", Transient, "the concurrency of the account is used up"),
    ("UnsupportedMediaTypeException", Permanent, "the call is wrong"),
];

/// Errors of the call itself, of the sandbox and of the task (Step Functions developer guide, *connect-lambda* and
/// *concepts-error-handling*; Lambda developer guide, *troubleshooting-invocation*). All are transient.
const OTHER_ERRORS: [(&str, &str); 8] = [
    ("Lambda.AWSLambdaException", "an answer of Lambda with another status"),
    ("Lambda.ClientExecutionTimeoutException", "no answer in time"),
    ("Lambda.SdkClientException", "no connection"),
    ("Lambda.Unknown", "Lambda returned no error type: time out, out of memory"),
    ("Runtime.ExitError", "the process ended"),
    ("Runtime.OutOfMemory", "the process needed more memory"),
    ("Sandbox.Timedout", "the function needed more time"),
    ("States.Timeout", "the task needed more time"),
];

/// The errors of Step Functions itself (Amazon States Language specification, appendix A, and the developer guide).
const STATES_ERRORS: [&str; 17] = [
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

fn transient_errors() -> Vec<String> {
    let invoke = INVOKE_ERRORS.iter().filter(|(_, kind, _)| *kind == Transient);
    let invoke = invoke.map(|(name, _, _)| format!("Lambda.{name}"));
    invoke.chain(OTHER_ERRORS.iter().map(|(name, _)| (*name).to_owned())).collect()
}

/// Returns the errors that a list of retriers or catchers names.
fn named(handlers: &Value) -> BTreeSet<&str> {
    handlers.as_array().into_iter().flatten().flat_map(|handler| strings(&handler["ErrorEquals"])).collect()
}

/// Returns whether names of a list match an error (Amazon States Language specification, "Errors").
fn matches(names: &BTreeSet<&str>, error: &str) -> bool {
    names.contains(error)
        || names.contains("States.ALL")
        || (names.contains("States.TaskFailed") && error != "States.Timeout")
}

fn calls_lambda(state: &Value) -> bool {
    state["Resource"].as_str().unwrap_or_default().ends_with(":states:::lambda:invoke")
}

#[test]
fn the_table_has_each_invoke_error_of_the_service_model() {
    let known: BTreeSet<_> = INVOKE_ERRORS.iter().map(|(name, _, _)| *name).collect();
    let model: BTreeSet<_> = strings(&SERVICE_MODELS["lambdaInvokeErrors"]).into_iter().collect();
    assert_eq!(known, model);
}

/// A task with retries names each transient error in its retriers or its catchers, because a catch of `States.ALL` gives
/// up. A task that starts a paid job or checks a status has no retries: it must catch everything.
#[test]
fn each_task_handles_each_transient_error_of_lambda() {
    let mut unhandled = BTreeSet::new();
    let mut count = 0;
    for (workflow, definition) in workflows() {
        for (name, state) in tasks(&definition).into_iter().filter(|(_, state)| calls_lambda(state)) {
            count += 1;
            let (retried, caught) = (named(&state["Retry"]), named(&state["Catch"]));
            let has_retry = !state["Retry"].is_null();
            for error in transient_errors() {
                let is_named = retried.contains(error.as_str()) || caught.contains(error.as_str());
                let is_handled = if has_retry { is_named } else { matches(&caught, &error) };
                if !is_handled {
                    unhandled.insert(format!("{workflow}: {name}: {error}"));
                }
            }
        }
    }
    assert!(count > 0);
    assert!(unhandled.is_empty(), "{unhandled:#?}");
}

#[test]
fn no_task_retries_an_error_that_cannot_pass() {
    for (workflow, definition) in workflows() {
        for (name, state) in tasks(&definition) {
            for (error, kind, why) in &INVOKE_ERRORS {
                let is_retried = named(&state["Retry"]).contains(format!("Lambda.{error}").as_str());
                assert!(*kind == Transient || !is_retried, "{workflow}: {name} retries {error}: {why}");
            }
        }
    }
}

#[test]
fn each_handled_error_exists() {
    let ours: Vec<_> = ErrorName::ALL.iter().map(|name| format!("{name:?}")).collect();
    let mut unknown = BTreeSet::new();
    for (workflow, definition) in workflows() {
        for (name, state) in tasks(&definition) {
            for error in named(&state["Retry"]).into_iter().chain(named(&state["Catch"])) {
                let of_lambda = error.strip_prefix("Lambda.").unwrap_or_default();
                let is_known = STATES_ERRORS.contains(&error)
                    || OTHER_ERRORS.iter().any(|(known, _)| *known == error)
                    || INVOKE_ERRORS.iter().any(|(known, _, _)| *known == of_lambda)
                    || ours.iter().any(|known| known == error);
                if !is_known {
                    unknown.insert(format!("{workflow}: {name}: {error}"));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// Amazon States Language specification, "Errors": `States.ALL` stands alone and last; `States.DataLimitExceeded` and
/// `States.Runtime` are not part of it, and the second is never caught.
#[test]
fn states_all_stands_alone_and_last() {
    for (workflow, definition) in workflows() {
        for (name, state) in tasks(&definition) {
            for handlers in [&state["Retry"], &state["Catch"]] {
                let lists: Vec<_> =
                    handlers.as_array().into_iter().flatten().map(|handler| strings(&handler["ErrorEquals"])).collect();
                for (index, list) in lists.iter().enumerate().filter(|(_, list)| list.contains(&"States.ALL")) {
                    assert_eq!((list.len(), index), (1, lists.len() - 1), "{workflow}: {name}");
                }
                assert!(!named(handlers).contains("States.Runtime"), "{workflow}: {name}");
            }
        }
    }
}
