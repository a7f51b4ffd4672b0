//! From an HTTP request to the operation that it calls, and back.
//!
//! Both APIs are served on one address: a call of Personalize has its operation in the header `X-Amz-Target`, where a
//! call of Clean Rooms ML has it in its method and path.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, Request, Response, StatusCode};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::calls::Call;
use crate::clock::now;
use crate::fault_injection::Standing;
use crate::faults::{FaultPlan, Kind};
use crate::jobs::unique_id;
use crate::operation::{Api, Operation};
use crate::service::{Outcome, Query, Service};
use crate::wire::{ErrorKind, ServiceError, document, percent_decoded, response, timestamp};

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The longest query has 500,000 characters, of which each may be written in six bytes or twelve.
const LARGEST_BODY: usize = 8 << 20;

/// A call of an operation: what its path, its query string and its body say. A target has a body only.
struct Invocation {
    operation: Operation,
    arn: String,
    query: Query,
    body: Bytes,
}

impl Invocation {
    /// The name of the job that it is about.
    fn job_name(&self, service: &Service) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let member = |name| body.get(name).and_then(Value::as_str);
        match self.operation {
            Operation::CreateBatchSegmentJob => member("jobName").map(str::to_owned),
            Operation::DescribeBatchSegmentJob => service.segment_job_name(member("batchSegmentJobArn")?),
            Operation::ListTagsForResource => service.segment_job_name(member("resourceArn")?),
            _ if self.arn.is_empty() => member("name").map(str::to_owned),
            _ => service.job_name(&self.arn),
        }
    }
}

/// The routes: the service's own, and some that no AWS client uses.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/_emulator/calls", get(calls))
        .route("/_emulator/jobs", get(jobs))
        .route("/_emulator/age", post(age))
        .route("/_emulator/faults", get(faults).put(replace_faults).delete(clear_faults))
        .fallback(answer)
        .with_state(service)
}

async fn calls(State(service): State<Arc<Service>>) -> Json<Vec<Call>> {
    Json(service.calls.list())
}

async fn jobs(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(service.started_jobs())
}

/// Makes generation jobs and exports older: `{"namePrefix": "spring-", "seconds": 86400}`. What is done with old jobs can
/// so be seen today.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Age {
    name_prefix: String,
    seconds: u64,
}

async fn age(State(service): State<Arc<Service>>, body: Bytes) -> Result<Json<Value>, (StatusCode, String)> {
    let age: Age = serde_json::from_slice(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(Json(json!({ "aged": service.age(&age.name_prefix, Duration::from_secs(age.seconds)) })))
}

async fn faults(State(service): State<Arc<Service>>) -> Json<Standing> {
    Json(service.fault_injection.standing())
}

async fn replace_faults(
    State(service): State<Arc<Service>>,
    body: Bytes,
) -> Result<Json<Standing>, (StatusCode, String)> {
    let plan: Result<FaultPlan, String> = serde_json::from_slice(&body).map_err(|error| error.to_string());
    let plan = plan.and_then(|plan| plan.check().map(|()| plan));
    service.fault_injection.replace(plan.map_err(|error| (StatusCode::BAD_REQUEST, error))?);
    Ok(faults(State(service)).await)
}

async fn clear_faults(State(service): State<Arc<Service>>) -> StatusCode {
    service.fault_injection.replace(FaultPlan::default());
    StatusCode::NO_CONTENT
}

async fn answer(State(service): State<Arc<Service>>, request: Request<Body>) -> Response<Body> {
    let time = timestamp(now());
    let (head, body) = request.into_parts();
    let api = if head.headers.contains_key(TARGET) { Api::Personalize } else { Api::CleanRoomsMl };
    let read = match whole(body, api).await {
        Ok(body) => read(api, &head, body),
        Err(error) => Err(error),
    };
    match read {
        Ok(invocation) => {
            // A task of its own: a client that hangs up does not undo what it has asked for.
            let task = tokio::spawn(carry_out(service, invocation, time));
            task.await.ok().flatten().unwrap_or_else(|| hang_up())
        }
        Err(error) => {
            let response = response(api, Err(error), &unique_id());
            let status = response.status().as_u16();
            let operation = "UnknownOperation";
            service.calls.record(Call { operation, time, name: None, status, performed: false, fault: None });
            response
        }
    }
}

/// Performs a call and answers it, as far as a fault lets that happen. No answer is a connection that ends.
async fn carry_out(service: Arc<Service>, invocation: Invocation, time: String) -> Option<Response<Body>> {
    let operation = invocation.operation;
    // Looked up before the call: a name is gone with its job.
    let name = invocation.job_name(&service);
    let fault = service.fault_injection.of_call(operation, name.as_deref());
    if let Some(Kind::Slow { seconds, before_performing: true }) = fault {
        service.delay(seconds).await;
    }
    let outcome = fault.as_ref().is_none_or(Kind::performs).then(|| perform(&service, &invocation));
    let place = service.calls.record(Call {
        operation: operation.name(),
        time,
        name,
        status: 0,
        performed: matches!(outcome, Some(Ok(_))),
        fault: fault.as_ref().map(Kind::name),
    });
    if let Some(Kind::Slow { seconds, before_performing: false }) = fault {
        service.delay(seconds).await;
    }
    if fault.as_ref().is_some_and(Kind::hangs_up) {
        return None;
    }
    let answer = fault.and_then(|fault| fault.answer()).map(Err).or(outcome)?;
    let response = response(operation.api(), answer, &unique_id());
    service.calls.answered(place, response.status().as_u16());
    Some(response)
}

/// Ends the connection: its task unwinds, without the message of a panic, and the socket closes with it. To axum a
/// service cannot fail, so there is no other way to answer nothing at all.
fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("the connection ends without an answer"))
}

/// Answers one request at once, without the faults of calls.
pub(crate) fn answer_now(service: &Arc<Service>, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    let (head, body) = request.into_parts();
    let api = if head.headers.contains_key(TARGET) { Api::Personalize } else { Api::CleanRoomsMl };
    let outcome = read(api, &head, body.into()).and_then(|invocation| perform(service, &invocation));
    document(api, outcome, &unique_id())
}

fn read(api: Api, head: &Parts, body: Bytes) -> Result<Invocation, ServiceError> {
    match api {
        Api::CleanRoomsMl => read_path(head, body),
        Api::Personalize => read_target(head, body),
    }
}

fn read_target(head: &Parts, body: Bytes) -> Result<Invocation, ServiceError> {
    let target = head.headers.get(TARGET).and_then(|target| target.to_str().ok()).unwrap_or_default();
    let is_called_rightly = head.method == Method::POST && head.uri.path() == "/";
    let operation = Operation::of_target(target).filter(|_| is_called_rightly);
    let operation = operation.ok_or_else(|| unknown(head, target))?;
    Ok(Invocation { operation, arn: String::new(), query: Query::new(), body })
}

fn read_path(head: &Parts, body: Bytes) -> Result<Invocation, ServiceError> {
    let unknown = || unknown(head, "");
    let path = head.uri.path().trim_start_matches('/');
    let (resource, arn) = path.split_once('/').unwrap_or((path, ""));
    let operation = Operation::of(&head.method, resource, !arn.is_empty()).ok_or_else(unknown)?;
    // An ARN is one part of the path: a slash in it that is not percent-encoded leads elsewhere, as in the service.
    let arn = Some(arn).filter(|arn| !arn.contains('/')).and_then(percent_decoded).ok_or_else(unknown)?;
    let query = query(head.uri.query().unwrap_or_default()).ok_or_else(unknown)?;
    Ok(Invocation { operation, arn, query, body })
}

fn unknown(head: &Parts, target: &str) -> ServiceError {
    let called = format!("{} {} {target}", head.method, head.uri.path());
    ServiceError::new(ErrorKind::UnknownOperation, format!("{} is no operation of this service.", called.trim_end()))
}

async fn whole(body: Body, api: Api) -> Result<Bytes, ServiceError> {
    let too_long = |_| ServiceError::new(ErrorKind::of_limit(api), "The request's body is too long.");
    to_bytes(body, LARGEST_BODY).await.map_err(too_long)
}

fn query(text: &str) -> Option<Query> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((percent_decoded(name)?, percent_decoded(value)?))
        })
        .collect()
}

/// The one place where a call reaches its operation.
fn perform(service: &Arc<Service>, Invocation { operation, arn, query, body }: &Invocation) -> Outcome {
    match operation {
        Operation::StartAudienceGenerationJob => service.start_generation(body),
        Operation::GetAudienceGenerationJob => service.get_generation(arn),
        Operation::ListAudienceGenerationJobs => service.list_generations(query),
        Operation::DeleteAudienceGenerationJob => service.delete_generation(arn),
        Operation::StartAudienceExportJob => service.start_export(body),
        Operation::ListAudienceExportJobs => service.list_exports(query),
        Operation::GetConfiguredAudienceModel => service.get_model(arn),
        Operation::ListConfiguredAudienceModels => service.list_models(query),
        Operation::CreateBatchSegmentJob => service.create_segment_job(body),
        Operation::DescribeBatchSegmentJob => service.describe_segment_job(body),
        Operation::ListBatchSegmentJobs => service.list_segment_jobs(body),
        Operation::DescribeSolutionVersion => service.describe_solution_version(body),
        Operation::ListTagsForResource => service.list_tags(body),
    }
}
