//! The Lambda function `check-request`.

use check_request::CheckRequest;
use lambda_runtime::{LambdaEvent, service_fn};
use lookalike::environment::Environment;
use lookalike::{client, log};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let function = CheckRequest::new(&client::config().await, &Environment(|name: &str| std::env::var(name).ok()))?;
    function.warm_up().await;
    let handle = |event: LambdaEvent<Value>| {
        let request_id = event.context.request_id.clone();
        let function = &function;
        log::call(event, async move |event| function.handle(event, &request_id).await)
    };
    lambda_runtime::run(service_fn(handle)).await
}
