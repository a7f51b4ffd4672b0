//! From an HTTP request to the operation that it calls, and back.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use axum::routing::get;
use serde_json::Value;

use crate::calls::Call;
use crate::jobs::unique_id;
use crate::operation::Operation;
use crate::service::{Outcome, Query, Service};
use crate::wire::{ErrorKind, ServiceError, percent_decoded, response};

/// The longest query has 500,000 characters, of which each may be written in six bytes or twelve.
const LARGEST_BODY: usize = 8 << 20;

/// A call of an operation: what its path, its query string and its body say.
struct Invocation {
    operation: Operation,
    arn: String,
    query: Query,
    body: Bytes,
}

impl Invocation {
    /// The name of the job that it is about.
    fn job_name(&self, service: &Service) -> Option<String> {
        if !self.arn.is_empty() {
            return service.job_name(&self.arn);
        }
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.get("name")?.as_str().map(str::to_owned)
    }
}

/// The routes: the service's own, and two that no AWS client uses.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/_emulator/calls", get(calls))
        .fallback(answer)
        .with_state(service)
}

async fn calls(State(service): State<Arc<Service>>) -> Json<Vec<Call>> {
    Json(service.calls.list())
}

async fn answer(State(service): State<Arc<Service>>, request: Request<Body>) -> Response<Body> {
    let arrival = SystemTime::now();
    let (operation, name, outcome) = match read(request).await {
        Ok(invocation) => {
            // Looked up before the call: a name is gone with its job.
            let name = invocation.job_name(&service);
            (invocation.operation.name(), name, perform(&service, &invocation))
        }
        Err(error) => ("UnknownOperation", None, Err(error)),
    };
    let response = response(outcome, &unique_id());
    service.calls.record(operation, arrival, name, response.status().as_u16());
    response
}

async fn read(request: Request<Body>) -> Result<Invocation, ServiceError> {
    let (head, body) = request.into_parts();
    let unknown = || {
        let message = format!("{} {} is no operation of this service.", head.method, head.uri.path());
        ServiceError::new(ErrorKind::UnknownOperation, message)
    };
    let path = head.uri.path().trim_start_matches('/');
    let (resource, arn) = path.split_once('/').unwrap_or((path, ""));
    let operation = Operation::of(&head.method, resource, !arn.is_empty()).ok_or_else(unknown)?;
    // An ARN is one part of the path: a slash in it that is not percent-encoded leads elsewhere, as in the service.
    let arn = Some(arn).filter(|arn| !arn.contains('/')).and_then(percent_decoded).ok_or_else(unknown)?;
    let query = query(head.uri.query().unwrap_or_default()).ok_or_else(unknown)?;
    let body = to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| ServiceError::new(ErrorKind::Validation, "The request's body is too long."))?;
    Ok(Invocation { operation, arn, query, body })
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
    }
}
