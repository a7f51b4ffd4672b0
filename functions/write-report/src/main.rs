//! The Lambda function `write-report`.

use lambda_runtime::{LambdaEvent, service_fn};
use lookalike::environment::Environment;
use lookalike::{client, log};
use serde_json::Value;
use write_report::WriteReport;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let function = WriteReport::new(&client::config().await, &Environment(|name: &str| std::env::var(name).ok()))?;
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| function.handle(event));
    lambda_runtime::run(service_fn(handle)).await
}
