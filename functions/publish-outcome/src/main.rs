//! Publishes the outcomes of runs.

use lambda_runtime::{LambdaEvent, service_fn};
use lookalike::environment::Environment;
use lookalike::{client, log};
use publish_outcome::PublishOutcome;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let function = PublishOutcome::new(&client::config().await, &environment)?;
    function.warm_up().await;
    let function = &function;
    let handle = |event: LambdaEvent<Value>| {
        let end = event.context.deadline().into();
        // Boxed: the compiler limits how deep the types of futures are nested.
        log::call(event, move |event| Box::pin(function.handle(event, end, std::io::stdout())))
    };
    lambda_runtime::run(service_fn(handle)).await
}
