//! The two wires, rest-json and json 1.1: errors, timestamps, percent-encoding.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::operation::Api;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// An error as its service model names it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceError {
    /// Which one.
    pub kind: ErrorKind,
    /// For a person; never holds a user id, SQL text or a parameter.
    pub message: String,
}

/// The errors of the two service models, and some that stand before every service. By its name in JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorKind {
    /// A request that breaks a limit of Clean Rooms ML.
    Validation,
    /// A quota of Clean Rooms ML, with its name and value.
    ServiceQuotaExceeded {
        /// Which quota.
        name: &'static str,
        /// How many are allowed.
        value: u32,
    },
    /// What exists, or goes on, in Clean Rooms ML.
    Conflict,
    /// A request that breaks a limit of Personalize.
    InvalidInput,
    /// A token that is of no list of Personalize.
    InvalidNextToken,
    /// A name that is taken in Personalize.
    ResourceAlreadyExists,
    /// What Personalize is busy with.
    ResourceInUse,
    /// A quota of Personalize.
    LimitExceeded,
    /// More tags than Personalize gives a resource.
    TooManyTags,
    /// What may not be done.
    AccessDenied,
    /// What is not there.
    ResourceNotFound,
    /// A path or a target that is no operation's.
    UnknownOperation,
    /// Too many calls.
    Throttling,
    /// A fault of the service.
    InternalServer,
    /// What a load balancer answers for a service that it cannot reach.
    ServiceUnavailable,
}

impl ErrorKind {
    /// Every error that a fault can answer.
    fn all() -> [Self; 14] {
        [
            Self::Validation,
            Self::ServiceQuotaExceeded { name: "Pending/in-progress jobs", value: 10 },
            Self::Conflict,
            Self::InvalidInput,
            Self::InvalidNextToken,
            Self::ResourceAlreadyExists,
            Self::ResourceInUse,
            Self::LimitExceeded,
            Self::TooManyTags,
            Self::AccessDenied,
            Self::ResourceNotFound,
            Self::Throttling,
            Self::InternalServer,
            Self::ServiceUnavailable,
        ]
    }

    /// The name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Validation => "ValidationException",
            Self::ServiceQuotaExceeded { .. } => "ServiceQuotaExceededException",
            Self::Conflict => "ConflictException",
            Self::InvalidInput => "InvalidInputException",
            Self::InvalidNextToken => "InvalidNextTokenException",
            Self::ResourceAlreadyExists => "ResourceAlreadyExistsException",
            Self::ResourceInUse => "ResourceInUseException",
            Self::LimitExceeded => "LimitExceededException",
            Self::TooManyTags => "TooManyTagsException",
            Self::AccessDenied => "AccessDeniedException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::UnknownOperation => "UnknownOperationException",
            Self::Throttling => "ThrottlingException",
            Self::InternalServer => "InternalServerException",
            Self::ServiceUnavailable => "ServiceUnavailableException",
        }
    }

    /// A request that breaks a limit of the API.
    pub(crate) fn of_limit(api: Api) -> Self {
        match api {
            Api::CleanRoomsMl => Self::Validation,
            Api::Personalize => Self::InvalidInput,
        }
    }

    /// The API whose error it is; nothing where every API has it.
    #[must_use]
    pub fn api(&self) -> Option<Api> {
        match self {
            Self::Validation | Self::ServiceQuotaExceeded { .. } | Self::Conflict => Some(Api::CleanRoomsMl),
            Self::InvalidInput
            | Self::InvalidNextToken
            | Self::ResourceAlreadyExists
            | Self::ResourceInUse
            | Self::LimitExceeded
            | Self::TooManyTags => Some(Api::Personalize),
            Self::AccessDenied
            | Self::ResourceNotFound
            | Self::UnknownOperation
            | Self::Throttling
            | Self::InternalServer
            | Self::ServiceUnavailable => None,
        }
    }

    /// The HTTP status code. On the json wire whatever is the caller's fault is a 400.
    fn status(&self, api: Api) -> StatusCode {
        let of_rest = match self {
            Self::ServiceQuotaExceeded { .. } => StatusCode::PAYMENT_REQUIRED,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::ResourceNotFound | Self::UnknownOperation => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Throttling => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalServer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Validation
            | Self::InvalidInput
            | Self::InvalidNextToken
            | Self::ResourceAlreadyExists
            | Self::ResourceInUse
            | Self::LimitExceeded
            | Self::TooManyTags => StatusCode::BAD_REQUEST,
        };
        match api {
            Api::Personalize if of_rest.is_client_error() => StatusCode::BAD_REQUEST,
            Api::CleanRoomsMl | Api::Personalize => of_rest,
        }
    }
}

impl<'de> Deserialize<'de> for ErrorKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let kinds = Self::all();
        let known = kinds.each_ref().map(Self::name).join(", ");
        let kind = kinds.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| D::Error::custom(format!("{name} is none of the errors {known}")))
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl ServiceError {
    /// An error of that kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The answer to a request: a JSON document, nothing at all (200 with an empty body), or an error.
pub(crate) fn response(api: Api, outcome: Result<Option<Value>, ServiceError>, request_id: &str) -> Response<Body> {
    document(api, outcome, request_id).map(Body::from)
}

/// The same with a body of bytes.
pub(crate) fn document(api: Api, outcome: Result<Option<Value>, ServiceError>, request_id: &str) -> Response<Vec<u8>> {
    let (status, error, body) = match outcome {
        Ok(document) => (StatusCode::OK, None, document),
        Err(error) => {
            let name = error.kind.name();
            let mut body = json!({ "message": error.message });
            if api == Api::Personalize {
                body["__type"] = name.into();
            }
            if let ErrorKind::ServiceQuotaExceeded { name, value } = error.kind {
                body["quotaName"] = name.into();
                body["quotaValue"] = f64::from(value).into();
            }
            (error.kind.status(api), Some(name), Some(body))
        }
    };
    let mut response = Response::new(body.map_or_else(Vec::new, |body| body.to_string().into_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = match api {
        Api::CleanRoomsMl => "application/json",
        Api::Personalize => "application/x-amz-json-1.1",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(name) = error.filter(|_| api == Api::CleanRoomsMl) {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(name));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// A time as rest-json writes it: `2026-11-22T16:03:37.123Z`.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = DateTime::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let seconds = seconds.fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), since.subsec_millis())
}

/// A time as json 1.1 writes it: seconds since 1970, with three decimals.
pub(crate) fn epoch_seconds(time: SystemTime) -> Value {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).as_secs_f64().into()
}

/// Undoes percent-encoding. Nothing where the text is not well formed.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|c| c.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_the_code_of_the_service_model() {
        let quota = ErrorKind::ServiceQuotaExceeded { name: "", value: 1 };
        let codes = [
            (ErrorKind::Validation, 400),
            (quota, 402),
            (ErrorKind::AccessDenied, 403),
            (ErrorKind::ResourceNotFound, 404),
            (ErrorKind::UnknownOperation, 404),
            (ErrorKind::Conflict, 409),
            (ErrorKind::Throttling, 429),
            (ErrorKind::InternalServer, 500),
            (ErrorKind::ServiceUnavailable, 503),
        ];
        for (kind, code) in codes {
            let error = Err(ServiceError::new(kind.clone(), "no"));
            let response = response(Api::CleanRoomsMl, error, "id-1");
            assert_eq!(response.status().as_u16(), code);
            assert_eq!(response.headers()["x-amzn-ErrorType"], kind.name());
            assert_eq!(response.headers()["x-amzn-RequestId"], "id-1");
            assert_eq!(response.headers()["content-type"], "application/json");
        }
    }

    #[test]
    fn on_the_json_wire_only_a_fault_of_the_service_is_no_400() {
        for kind in ErrorKind::all().into_iter().filter(|kind| kind.api() != Some(Api::CleanRoomsMl)) {
            let code = match kind {
                ErrorKind::InternalServer => 500,
                ErrorKind::ServiceUnavailable => 503,
                _ => 400,
            };
            let response = response(Api::Personalize, Err(ServiceError::new(kind.clone(), "no")), "id-1");
            assert_eq!(response.status().as_u16(), code, "{}", kind.name());
            assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
            assert!(response.headers().get("x-amzn-ErrorType").is_none(), "{}", kind.name());
        }
    }

    #[test]
    fn a_time_of_the_json_wire_is_a_number_of_seconds() {
        let time = UNIX_EPOCH + Duration::from_micros(1_795_363_417_120_999);
        assert_eq!(epoch_seconds(time), json!(1_795_363_417.12));
    }

    #[test]
    fn a_time_always_has_milliseconds() {
        let time = |millis| timestamp(UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(1_795_363_417_120), "2026-11-22T16:03:37.120Z");
    }

    #[test]
    fn percent_encoding_is_undone_and_broken_encoding_refused() {
        assert_eq!(percent_decoded("a%3Ab%2Fc%20d+%C3%A9").as_deref(), Some("a:b/c d+é"));
        for broken in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(percent_decoded(broken), None, "{broken}");
        }
    }
}
