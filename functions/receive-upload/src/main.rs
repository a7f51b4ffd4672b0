//! The Lambda function `receive-upload`.

use lambda_runtime::{LambdaEvent, service_fn};
use lookalike::environment::Environment;
use lookalike::{client, log};
use receive_upload::ReceiveUpload;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let function = ReceiveUpload::new(&client::config().await, &Environment(|name: &str| std::env::var(name).ok()))?;
    function.warm_up().await;
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| function.handle(event));
    lambda_runtime::run(service_fn(handle)).await
}
