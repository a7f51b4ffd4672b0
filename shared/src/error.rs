//! The errors of Lookalike, by the names that Step Functions matches.
//!
//! A message says which field, file or job, what is wrong, and what to do. It never bears a user id, SQL text or a
//! query parameter.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use lambda_runtime::Diagnostic;
use serde::{Deserialize, Serialize};

use crate::cause::{CUT, MAX_CAUSE_BYTES, cut};

/// The name of an error: what a workflow's Retry and Catch match, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorName {
    /// The request breaks a rule.
    InvalidRequest,
    /// The seed file is no seed, or has too few or too many users.
    InvalidSeed,
    /// A service refuses the caller.
    AccessDenied,
    /// What a request names is not there.
    NotFound,
    /// A job of that name exists and is not this run's.
    Conflict,
    /// Too many jobs are in flight: the run waits its turn.
    QuotaExceeded,
    /// The service rejected the call for now, so it started nothing: repeat the call after a short wait.
    Throttled,
    /// The service failed, or could not be reached: worth a short wait.
    ServiceUnavailable,
    /// The audience generation job ended badly.
    GenerationFailed,
    /// At least one export ended badly.
    ExportFailed,
    /// The batch segment job ended badly.
    SegmentFailed,
    /// The job was deleted while the run waited for it.
    JobDeleted,
    /// No size of the audience qualifies for export.
    NoSizeQualifies,
    /// The run took longer than it was given.
    DeadlineExceeded,
}

impl ErrorName {
    /// Every name there is.
    pub const ALL: [Self; 14] = [
        Self::InvalidRequest,
        Self::InvalidSeed,
        Self::AccessDenied,
        Self::NotFound,
        Self::Conflict,
        Self::QuotaExceeded,
        Self::Throttled,
        Self::ServiceUnavailable,
        Self::GenerationFailed,
        Self::ExportFailed,
        Self::SegmentFailed,
        Self::JobDeleted,
        Self::NoSizeQualifies,
        Self::DeadlineExceeded,
    ];

    /// The name, to the letter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "InvalidRequest",
            Self::InvalidSeed => "InvalidSeed",
            Self::AccessDenied => "AccessDenied",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::Throttled => "Throttled",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::GenerationFailed => "GenerationFailed",
            Self::ExportFailed => "ExportFailed",
            Self::SegmentFailed => "SegmentFailed",
            Self::JobDeleted => "JobDeleted",
            Self::NoSizeQualifies => "NoSizeQualifies",
            Self::DeadlineExceeded => "DeadlineExceeded",
        }
    }

    /// Returns whether the same call may succeed later without a change.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::ServiceUnavailable)
    }

    /// The name for a service's own error code (Clean Rooms ML, S3, Step Functions, Personalize).
    fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "ValidationException"
            | "InvalidInputException"
            | "TooManyTagsException"
            | "InvalidRequest"
            | "InvalidArgument"
            // S3 answers it with 403, but no permission helps: the object is in an archive.
            | "InvalidObjectState" => Self::InvalidRequest,
            "AccessDeniedException" | "AccessDenied" => Self::AccessDenied,
            "ResourceNotFoundException"
            | "NoSuchKey"
            | "NoSuchBucket"
            | "NoSuchVersion"
            | "NotFound"
            | "StateMachineDoesNotExist" => Self::NotFound,
            "ConflictException" | "ResourceAlreadyExistsException" => Self::Conflict,
            "ServiceQuotaExceededException" | "LimitExceededException" => Self::QuotaExceeded,
            "ThrottlingException"
            | "Throttling"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "SlowDown"
            | "ExecutionLimitExceeded"
            // Personalize is changing what the call names, and nothing was started: a repeated call succeeds later.
            | "ResourceInUseException" => Self::Throttled,
            "InternalServerException" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" => {
                Self::ServiceUnavailable
            }
            _ => return None,
        })
    }

    /// The name for an HTTP status, where the code says nothing.
    fn of_http_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::AccessDenied,
            402 => Self::QuotaExceeded,
            404 => Self::NotFound,
            409 => Self::Conflict,
            429 => Self::Throttled,
            500.. => Self::ServiceUnavailable,
            _ => Self::InvalidRequest,
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a function answers when it cannot do its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What the workflow matches.
    pub name: ErrorName,
    /// What a person reads.
    pub message: String,
}

impl Error {
    /// An error with its message: which field, file or job; what is wrong; what to do.
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }

    /// Says what was being done when the error came.
    #[must_use]
    pub fn doing(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn advising(self, advice: &str) -> Self {
        Self { message: format!("{} {advice}", self.message), ..self }
    }

    /// Names the quota that a service reports.
    #[must_use]
    pub fn of_quota(self, name: Option<&str>, value: Option<f64>) -> Self {
        let value = value.map_or_else(String::new, |value| format!(" of {value}"));
        name.map_or(self.clone(), |name| self.advising(&format!("The full quota is \"{name}\"{value}.")))
    }

    /// Takes secrets out of the message: a service may quote what it was sent.
    #[must_use]
    pub fn without<'s>(self, secrets: impl IntoIterator<Item = &'s str>) -> Self {
        Self { message: withhold(self.message, secrets), ..self }
    }
}

/// Takes secrets out of a text that a service wrote, also one of which only the beginning is left before a cut.
#[must_use]
pub fn withhold<'s>(text: String, secrets: impl IntoIterator<Item = &'s str>) -> String {
    let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
    secrets.fold(text, |text, secret| without_beginning(&text.replace(secret, "[withheld]"), secret))
}

/// Takes out the beginning of a secret where a text was cut.
fn without_beginning(text: &str, secret: &str) -> String {
    let parts = text.split(CUT).collect::<Vec<_>>();
    let last = parts.len() - 1;
    let clean = parts.iter().enumerate().map(|(index, part)| {
        let mut starts = part.char_indices().map(|(start, _)| start).filter(|_| index < last);
        let beginning = starts.find(|start| part.len() - start >= MIN_BEGINNING && secret.starts_with(&part[*start..]));
        beginning.map_or_else(|| (*part).to_owned(), |start| format!("{}[withheld]", &part[..start]))
    });
    clean.collect::<Vec<_>>().join(CUT)
}

/// The shortest beginning of a secret that is taken out, in bytes: a shorter one may be a part of any word.
const MIN_BEGINNING: usize = 4;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for Error {}

/// Step Functions sees the name as the error and the message, cut to [`MAX_CAUSE_BYTES`], in its cause.
impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.name.as_str().to_owned(), error_message: cut(&error.message, MAX_CAUSE_BYTES) }
    }
}

/// Names a failed call to AWS by the service's code, else by the HTTP status, else by how the call broke.
impl<E: ProvideErrorMetadata> From<SdkError<E, HttpResponse>> for Error {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::ServiceError(context) => {
                let status = context.raw().status().as_u16();
                let code = context.err().code();
                let name = code.and_then(ErrorName::of_code).unwrap_or_else(|| ErrorName::of_http_status(status));
                let message = context.err().message().unwrap_or("the service gave no reason");
                Error::new(name, format!("{message} ({}, HTTP {status}).", code.unwrap_or("no code")))
            }
            SdkError::ResponseError(context) => {
                let status = context.raw().status().as_u16();
                let message = format!("the service's answer could not be read (HTTP {status}).");
                Error::new(ErrorName::ServiceUnavailable, message)
            }
            SdkError::TimeoutError(_) => {
                Error::new(ErrorName::ServiceUnavailable, "the service did not answer in time.")
            }
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                // Waiting does not mend it.
                let message = "the call could not be sent: check the function's role, Region and endpoint.";
                Error::new(ErrorName::AccessDenied, message)
            }
            SdkError::DispatchFailure(_) => {
                Error::new(ErrorName::ServiceUnavailable, "the service could not be reached.")
            }
            _ => Error::new(ErrorName::InvalidRequest, "the call could not be made of this request."),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::metadata::ErrorMetadata;

    #[derive(Debug)]
    struct ServiceError(ErrorMetadata);

    impl ProvideErrorMetadata for ServiceError {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn answered(status: u16, code: Option<&str>) -> Error {
        let mut meta = ErrorMetadata::builder().message("because");
        if let Some(code) = code {
            meta = meta.code(code);
        }
        let raw = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        Error::from(SdkError::service_error(ServiceError(meta.build()), raw))
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_is_withheld() {
        let query = "SELECT user_id FROM customers ".repeat(60);
        let cut = cut(&format!("Cannot run {query}."), 1_000);
        let text = withhold(format!("The job failed: {cut} (CODE). Fix it."), [query.as_str()]);
        assert_eq!(text, format!("The job failed: Cannot run [withheld]{CUT} (CODE). Fix it."));
        assert_eq!(withhold(format!("all is well{CUT}"), ["well-being"]), format!("all is [withheld]{CUT}"));
        assert_eq!(withhold(format!("a we{CUT}"), ["well-being"]), format!("a we{CUT}"));
    }

    #[test]
    fn every_name_is_listed_once_and_written_as_it_is_called() {
        for name in ErrorName::ALL {
            assert_eq!(name.as_str(), format!("{name:?}"));
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
        assert_eq!(std::collections::HashSet::from(ErrorName::ALL).len(), 14);
    }

    #[test]
    fn an_answer_of_a_service_is_named_by_its_code_before_its_status() {
        for (status, code, name) in [
            (400, "ValidationException", ErrorName::InvalidRequest),
            (400, "InvalidInputException", ErrorName::InvalidRequest),
            (402, "ServiceQuotaExceededException", ErrorName::QuotaExceeded),
            (400, "LimitExceededException", ErrorName::QuotaExceeded),
            (403, "AccessDeniedException", ErrorName::AccessDenied),
            (404, "ResourceNotFoundException", ErrorName::NotFound),
            (400, "NoSuchVersion", ErrorName::NotFound),
            (409, "ConflictException", ErrorName::Conflict),
            (400, "ResourceAlreadyExistsException", ErrorName::Conflict),
            (429, "ThrottlingException", ErrorName::Throttled),
            (503, "SlowDown", ErrorName::Throttled),
            (500, "InternalServerException", ErrorName::ServiceUnavailable),
        ] {
            let error = answered(status, Some(code));
            assert_eq!(error.name, name, "{code}");
            assert_eq!(error.message, format!("because ({code}, HTTP {status})."));
        }
    }

    #[test]
    fn a_code_counts_whatever_the_status_is() {
        for (code, name) in [
            ("ValidationException", ErrorName::InvalidRequest),
            ("TooManyTagsException", ErrorName::InvalidRequest),
            ("AccessDenied", ErrorName::AccessDenied),
            ("AccessDeniedException", ErrorName::AccessDenied),
            ("InternalError", ErrorName::ServiceUnavailable),
            ("RequestTimeout", ErrorName::ServiceUnavailable),
            ("ResourceInUseException", ErrorName::Throttled),
            ("InvalidObjectState", ErrorName::InvalidRequest),
            ("ExecutionLimitExceeded", ErrorName::Throttled),
        ] {
            assert_eq!(answered(402, Some(code)).name, name, "{code}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_read_may_hide_that_the_call_went_through() {
        let raw = HttpResponse::new(200.try_into().unwrap(), SdkBody::empty());
        let error: Error = SdkError::<ServiceError, _>::response_error("no JSON", raw).into();
        assert_eq!(error.name, ErrorName::ServiceUnavailable);
        assert!(error.message.contains("could not be read (HTTP 200)"), "{error}");
    }

    #[test]
    fn an_answer_without_a_known_code_is_named_by_its_status() {
        for (status, name) in [
            (400, ErrorName::InvalidRequest),
            (401, ErrorName::AccessDenied),
            (402, ErrorName::QuotaExceeded),
            (403, ErrorName::AccessDenied),
            (404, ErrorName::NotFound),
            (409, ErrorName::Conflict),
            (429, ErrorName::Throttled),
            (502, ErrorName::ServiceUnavailable),
        ] {
            assert_eq!(answered(status, Some("SomethingNew")).name, name, "{status}");
            assert_eq!(answered(status, None).name, name, "{status}");
        }
    }

    #[test]
    fn a_lost_connection_and_a_timeout_are_passing() {
        type Sdk = SdkError<ServiceError, HttpResponse>;
        let io: Error = Sdk::dispatch_failure(ConnectorError::io("reset".into())).into();
        let timeout: Error = Sdk::timeout_error("slow").into();
        let user: Error = Sdk::dispatch_failure(ConnectorError::user("bad".into())).into();
        assert!(io.name.is_transient() && timeout.name.is_transient());
        assert_eq!(user.name, ErrorName::AccessDenied);
        assert!(!user.name.is_transient());
    }

    #[test]
    fn step_functions_sees_the_name_and_the_message() {
        let error = Error::new(ErrorName::Conflict, "taken.").doing("starting job x").advising("Choose another name.");
        assert_eq!(error.to_string(), "Conflict: starting job x: taken. Choose another name.");
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, "Conflict");
        assert_eq!(diagnostic.error_message, "starting job x: taken. Choose another name.");
    }

    #[test]
    fn what_a_service_quotes_of_a_secret_is_withheld() {
        let error = Error::new(ErrorName::InvalidRequest, "Value 'select 1' at 'q' is bad");
        assert_eq!(error.without(["", "select 1"]).message, "Value '[withheld]' at 'q' is bad");
    }
}
