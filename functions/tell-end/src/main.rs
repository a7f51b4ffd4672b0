//! Reads Step Functions' `Execution Status Change`, calls `sns:Publish` and `events:PutEvents`, and writes figures to
//! its log: so each end of a run is told to people, to other systems and to whoever watches.
//!
//! An event may come twice, and its end is then told twice; what could not be told fails and comes again.

mod measure;

use std::io::Write;
use std::time::SystemTime;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::end::{End, StatusChange};
use lookalike::environment::Environment;
use lookalike::execution::{Workflows, read_event};
use lookalike::{Error, ErrorName, client, log};
use measure::Measures;
use serde::Serialize;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let workflows = Workflows::of(&environment)?;
    let topic_arn = environment.required("NOTIFICATION_TOPIC_ARN")?;
    let bus_name = environment.required("EVENT_BUS_NAME")?;
    let measures = Measures::of_stack(environment.required("STACK_NAME")?)?;
    let config = client::config().await;
    let told = Told {
        topic: (client!(aws_sdk_sns, &config), topic_arn),
        bus: (client!(aws_sdk_eventbridge, &config), bus_name),
        measures,
    };
    let handle =
        |event: LambdaEvent<Value>| log::call(event, |event| tell(event, &workflows, &told, std::io::stdout()));
    lambda_runtime::run(service_fn(handle)).await
}

/// Who is told.
struct Told {
    topic: (aws_sdk_sns::Client, String),
    bus: (aws_sdk_eventbridge::Client, String),
    measures: Measures,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// The kind of end that was told; none where the run has not ended.
    told: Option<&'static str>,
}

async fn tell(event: Value, workflows: &Workflows, told: &Told, log: impl Write) -> Result<Answer, Error> {
    let event: EventBridgeEvent<StatusChange> = read_event(event)?;
    let Some(end) = End::read(event.detail, workflows, SystemTime::now().into())? else {
        tracing::info!("passed over a run that has not ended");
        return Ok(Answer { told: None });
    };
    log::about_run(end.execution_name());
    // Both are tried: nobody goes untold because the other cannot be reached.
    let (notified, put) = tokio::join!(notify(&end, &told.topic), put_event(&end, &told.bus));
    notified.and(put)?;
    // Last, so that what is tried again is not counted twice. A figure that is lost is not worth telling all twice.
    if told.measures.write(&end, log).is_err() {
        tracing::warn!("the figures could not be written");
    }
    tracing::info!(outcome = end.outcome(), error = end.error(), "told an end");
    Ok(Answer { told: Some(end.detail_type()) })
}

async fn notify(end: &End, (sns, topic_arn): &(aws_sdk_sns::Client, String)) -> Result<(), Error> {
    let published = sns.publish().topic_arn(topic_arn).subject(end.subject()).message(end.body()).send().await;
    published.map(|_| ()).map_err(|error| Error::from(error).doing("publishing the notification"))
}

async fn put_event(end: &End, (bus, name): &(aws_sdk_eventbridge::Client, String)) -> Result<(), Error> {
    let detail = serde_json::to_string(&end.detail())
        .map_err(|_| Error::new(ErrorName::InvalidRequest, "The event cannot be written as JSON."))?;
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(name)
        .source("lookalike")
        .detail_type(end.detail_type())
        .detail(detail)
        .resources(end.execution_arn())
        .build();
    let put = bus.put_events().entries(entry).send().await;
    let put = put.map_err(|error| Error::from(error).doing("putting the event"))?;
    if put.failed_entry_count == 0 {
        return Ok(());
    }
    let code = put.entries().iter().find_map(|entry| entry.error_code()).unwrap_or("no code");
    Err(Error::new(ErrorName::ServiceUnavailable, format!("putting the event: the bus did not take it ({code}).")))
}

#[cfg(test)]
mod tests;
