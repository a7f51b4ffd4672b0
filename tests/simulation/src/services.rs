//! The services of a world, in process: Clean Rooms ML and Personalize by the emulator's core, S3 by [`Storage`]. Every call
//! of a function arrives here, and here its faults happen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::http::{Method, Request, Response, Uri};
use emulator::Emulator;
use fastrand::Rng;

use crate::clock::{self, BEGIN, FunctionClock};
use crate::plan::{Outage, Rates};
use crate::storage::{self, Storage};

thread_local! {
    static SERVICES: RefCell<Option<Services>> = const { RefCell::new(None) };
}

/// The services of the world of this thread.
pub(crate) struct Services {
    pub(crate) emulator: Emulator,
    pub(crate) storage: Storage,
    pub(crate) rng: Rng,
    pub(crate) rates: Rates,
    pub(crate) outages: Vec<Outage>,
    pub(crate) max_late: u64,
    /// How often each fault happened.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// What each operation was called for, and how it was answered.
    pub(crate) calls: Vec<ServiceCall>,
}

/// A call of a function to a service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceCall {
    pub(crate) operation: &'static str,
    /// The HTTP status; 0 if there was no answer.
    pub(crate) status: u16,
    pub(crate) fault: Option<&'static str>,
}

/// Begins the services of a world on this thread.
pub(crate) fn begin(services: Services) {
    SERVICES.set(Some(services));
}

/// Ends them.
pub(crate) fn end() -> Option<Services> {
    SERVICES.take()
}

/// Does something with the services of this thread's world.
///
/// # Panics
/// If no world has begun.
pub(crate) fn with<T>(task: impl FnOnce(&mut Services) -> T) -> T {
    SERVICES.with_borrow_mut(|services| {
        #[allow(clippy::expect_used, reason = "a world begins with its services")]
        task(services.as_mut().expect("a world has begun"))
    })
}

/// The SDK's way to the services.
#[derive(Clone, Debug)]
pub(crate) struct InProcess;

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(with(|services| services.call(&request)))
    }
}

fn broken() -> ConnectorError {
    ConnectorError::io("the simulated connection broke".into())
}

impl Services {
    fn call(&mut self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let Some(request) = in_process(request) else { return Err(broken()) };
        let operation = operation(&request);
        let fault = self.fault(operation);
        let answer = match fault {
            None => Ok(self.perform(operation, request)),
            Some(Fault::Refused(status)) => Ok(refusal(operation, status)),
            Some(Fault::Broken) => Err(broken()),
            Some(Fault::Lost) => {
                self.perform(operation, request);
                Err(broken())
            }
            Some(Fault::LostWith500) => {
                self.perform(operation, request);
                Ok(refusal(operation, 500))
            }
            Some(Fault::Late(seconds)) => {
                let emulator = self.emulator.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    let _ = emulator.answer(request);
                });
                Err(broken())
            }
        };
        let fault = fault.map(|fault| fault.name());
        if let Some(fault) = fault {
            *self.faults.entry(fault).or_default() += 1;
        }
        let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        self.calls.push(ServiceCall { operation, status, fault });
        answer.and_then(|answer| {
            let (head, body) = answer.into_parts();
            let response = Response::from_parts(head, SdkBody::from(body));
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }

    fn fault(&mut self, operation: &'static str) -> Option<Fault> {
        let now = clock::now().since(BEGIN).as_secs();
        let outage = self.outages.iter().find(|outage| {
            (outage.from..outage.to).contains(&now) && outage.operation.is_none_or(|only| only == operation)
        });
        if let Some(outage) = outage {
            return Some(if outage.status == 0 { Fault::Broken } else { Fault::Refused(outage.status) });
        }
        let starts =
            matches!(operation, "StartAudienceGenerationJob" | "StartAudienceExportJob" | "CreateBatchSegmentJob");
        let Rates { throttled, failed, lost, late, .. } = self.rates;
        let mut happens = |rate: f64| rate > 0.0 && self.rng.f64() < rate;
        if happens(throttled) {
            return Some(Fault::Refused(429));
        }
        if happens(failed) {
            return Some(if self.rng.bool() { Fault::Refused(500) } else { Fault::Broken });
        }
        if starts && happens(late) {
            return Some(Fault::Late(self.rng.u64(..=self.max_late)));
        }
        if happens(lost) {
            return Some(if self.rng.bool() { Fault::Lost } else { Fault::LostWith500 });
        }
        None
    }

    fn perform(&mut self, operation: &'static str, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        if operation != "S3" {
            return self.emulator.answer(request);
        }
        let is_new = request.headers().contains_key("if-none-match");
        let (head, body) = request.into_parts();
        let request = storage::Request { method: &head.method, uri: &head.uri, body: &body, is_new };
        self.storage.answer(&request, FunctionClock.now().into())
    }
}

enum Fault {
    /// The service answers this status and does nothing.
    Refused(u16),
    /// The connection breaks before the service does anything.
    Broken,
    /// The service does it, and its answer is lost.
    Lost,
    /// The service does it, and answers 500.
    LostWith500,
    /// The call is not answered, and accepted after so many seconds.
    Late(u64),
}

impl Fault {
    fn name(&self) -> &'static str {
        match self {
            Self::Refused(429) => "throttled call",
            Self::Refused(_) | Self::Broken => "failed call",
            Self::Lost | Self::LostWith500 => "lost answer",
            Self::Late(_) => "late acceptance",
        }
    }
}

/// Returns the SDK's request as the emulator reads it. `None` if its body is a stream.
fn in_process(request: &HttpRequest) -> Option<Request<Vec<u8>>> {
    let mut builder = Request::builder().method(request.method()).uri(request.uri());
    for (name, value) in request.headers() {
        builder = builder.header(name, value);
    }
    builder.body(request.body().bytes()?.to_vec()).ok()
}

/// Returns the operation that a request calls.
fn operation(request: &Request<Vec<u8>>) -> &'static str {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match target {
        "AmazonPersonalize.CreateBatchSegmentJob" => return "CreateBatchSegmentJob",
        "AmazonPersonalize.DescribeBatchSegmentJob" => return "DescribeBatchSegmentJob",
        "AmazonPersonalize.ListBatchSegmentJobs" => return "ListBatchSegmentJobs",
        "AmazonPersonalize.DescribeSolutionVersion" => return "DescribeSolutionVersion",
        "AmazonPersonalize.ListTagsForResource" => return "ListTagsForResource",
        _ => {}
    }
    if is_s3(request.uri()) {
        return "S3";
    }
    let path = request.uri().path().trim_start_matches('/');
    let (resource, has_arn) = path.split_once('/').map_or((path, false), |(resource, _)| (resource, true));
    match (request.method(), resource, has_arn) {
        (&Method::POST, "audience-generation-job", _) => "StartAudienceGenerationJob",
        (&Method::GET, "audience-generation-job", true) => "GetAudienceGenerationJob",
        (&Method::GET, "audience-generation-job", false) => "ListAudienceGenerationJobs",
        (&Method::POST, "audience-export-job", _) => "StartAudienceExportJob",
        (&Method::GET, "audience-export-job", _) => "ListAudienceExportJobs",
        (&Method::GET, "configured-audience-model", _) => "GetConfiguredAudienceModel",
        _ => "unknown",
    }
}

fn is_s3(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| host.contains(".s3."))
}

/// Returns an error as the service of the operation writes it.
fn refusal(operation: &'static str, status: u16) -> Response<Vec<u8>> {
    let (ml, code) = match status {
        429 => ("ThrottlingException", "SlowDown"),
        _ => ("InternalServerException", "InternalError"),
    };
    if operation == "S3" {
        let body = format!("<Error><Code>{code}</Code><Message>simulated</Message></Error>");
        return storage::response(if status == 429 { 503 } else { status }, &[], body.into_bytes());
    }
    let body = format!("{{\"message\":\"simulated\",\"__type\":\"{ml}\"}}");
    storage::response(status, &[("x-amzn-errortype", ml)], body.into_bytes())
}
