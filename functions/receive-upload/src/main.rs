//! Reads S3's `Object Created` event, calls `states:StartExecution`, answers the execution's ARN.
//!
//! It only names and starts: what is wrong with an upload is found by the run itself, where a person looks for it.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use aws_sdk_sfn::Client;
use lambda_runtime::{LambdaEvent, service_fn, tracing};
use lookalike::client::Knock;
use lookalike::environment::Environment;
use lookalike::execution::{Workflows, execution_arn, read_event};
use lookalike::upload::{Kind, ObjectCreated, Upload};
use lookalike::{Error, client, log};
use serde::Serialize;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    log::init();
    let environment = Environment(|name: &str| std::env::var(name).ok());
    let workflows = Workflows::of(&environment)?;
    let sfn = client!(aws_sdk_sfn, &client::config().await);
    let _ = sfn.start_execution().state_machine_arn("-").customize().interceptor(Knock).send().await;
    let handle = |event: LambdaEvent<Value>| log::call(event, |event| receive(event, &sfn, &workflows));
    lambda_runtime::run(service_fn(handle)).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// The upload's execution; none where the upload asks for nothing.
    execution_arn: Option<String>,
}

async fn receive(event: Value, sfn: &Client, workflows: &Workflows) -> Result<Answer, Error> {
    let event: EventBridgeEvent<ObjectCreated> = read_event(event)?;
    let upload = Upload::from(event.detail);
    let state_machine_arn = match upload.kind() {
        Some(Kind::Seed | Kind::Request) => &workflows.audience,
        Some(Kind::Segment) => &workflows.segment,
        None => {
            tracing::info!("passed over an object that asks for nothing");
            return Ok(Answer { execution_arn: None });
        }
    };
    let name = upload.execution_name();
    log::about_run(&name);
    let started = sfn
        .start_execution()
        .state_machine_arn(state_machine_arn)
        .name(&name)
        .input(json!({"upload": upload}).to_string())
        .send()
        .await;
    let execution_arn = match started {
        Ok(started) => started.execution_arn,
        // A repeated delivery: the run is there.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_already_exists()) => {
            execution_arn(state_machine_arn, &name)
        }
        Err(error) => return Err(Error::from(error).doing(format_args!("starting execution {name}"))),
    };
    tracing::info!("received an upload");
    Ok(Answer { execution_arn: Some(execution_arn) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use aws_sdk_sfn::operation::start_execution::{StartExecutionError, StartExecutionOutput};
    use aws_sdk_sfn::types::error::{ExecutionAlreadyExists, ExecutionLimitExceeded};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use lookalike::ErrorName;

    const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:audience";

    fn workflows() -> Workflows {
        Workflows { audience: MACHINE.into(), segment: MACHINE.replace("audience", "segment") }
    }

    fn event(key: &str) -> Value {
        json!({
            "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3",
            "account": "123456789012", "time": "2026-11-22T16:00:00Z", "region": "us-east-1", "resources": [],
            "detail": {"version": "0", "bucket": {"name": "b"}, "object": {
                "key": key, "size": 7, "etag": "e", "version-id": "v", "sequencer": "s"}},
        })
    }

    #[tokio::test]
    async fn an_upload_starts_an_execution_that_bears_its_name_and_tells_where_it_lies() {
        let rule = mock!(Client::start_execution)
            .match_requests(|request| {
                let input: Value = serde_json::from_str(request.input().unwrap()).unwrap();
                request.state_machine_arn() == Some(MACHINE)
                    && request.name().unwrap().starts_with("a-b-c-")
                    && input
                        == json!({"upload": {"bucket": "b", "key": "seeds/a b+c.jsonl", "versionId": "v",
                        "etag": "e", "sequencer": "s", "size": 7}})
            })
            .then_output(|| {
                let now = aws_sdk_sfn::primitives::DateTime::from_secs(0);
                StartExecutionOutput::builder().execution_arn("arn").start_date(now).build().unwrap()
            });
        let sfn = mock_client!(aws_sdk_sfn, [&rule]);
        let answer = receive(event("seeds/a b+c.jsonl"), &sfn, &workflows()).await.unwrap();
        assert_eq!(answer.execution_arn.unwrap(), "arn");
    }

    #[tokio::test]
    async fn a_repeated_delivery_starts_nothing_and_answers_the_same_execution() {
        let rule = mock!(Client::start_execution).then_error(|| {
            StartExecutionError::ExecutionAlreadyExists(ExecutionAlreadyExists::builder().message("there").build())
        });
        let sfn = mock_client!(aws_sdk_sfn, [&rule]);
        let arn = receive(event("seeds/a.jsonl"), &sfn, &workflows()).await.unwrap().execution_arn.unwrap();
        assert!(arn.starts_with("arn:aws:states:us-east-1:123456789012:execution:audience:a-"), "{arn}");
    }

    #[tokio::test]
    async fn an_object_that_asks_for_nothing_is_passed_over() {
        let sfn = mock_client!(aws_sdk_sfn, RuleMode::Sequential, []);
        for key in ["seeds/folder/", "seeds/_SUCCESS", "checked/a.jsonl"] {
            assert!(receive(event(key), &sfn, &workflows()).await.unwrap().execution_arn.is_none(), "{key}");
        }
    }

    #[tokio::test]
    async fn a_refused_start_is_an_error_that_names_the_execution() {
        let rule = mock!(Client::start_execution).then_error(|| {
            let refused = ExecutionLimitExceeded::builder().message("too many");
            StartExecutionError::ExecutionLimitExceeded(refused.build())
        });
        let sfn = mock_client!(aws_sdk_sfn, [&rule]);
        let error = receive(event("seeds/a.jsonl"), &sfn, &workflows()).await.err().unwrap();
        assert!(error.message.starts_with("starting execution a-"), "{error}");
    }

    #[tokio::test]
    async fn an_event_of_another_form_is_an_invalid_request() {
        let sfn = mock_client!(aws_sdk_sfn, RuleMode::Sequential, []);
        let error = receive(json!({"detail": {}}), &sfn, &workflows()).await.err().unwrap();
        assert_eq!(error.name, ErrorName::InvalidRequest);
    }

    #[tokio::test]
    async fn a_segment_request_starts_the_other_workflow() {
        let rule = mock!(Client::start_execution)
            .match_requests(|request| request.state_machine_arn().is_some_and(|arn| arn.ends_with(":segment")))
            .then_output(|| {
                let now = aws_sdk_sfn::primitives::DateTime::from_secs(0);
                StartExecutionOutput::builder().execution_arn("arn").start_date(now).build().unwrap()
            });
        let sfn = mock_client!(aws_sdk_sfn, [&rule]);
        let answer = receive(event("segments/spring.json"), &sfn, &workflows()).await.unwrap();
        assert_eq!(answer.execution_arn.unwrap(), "arn");
        let input = receive(event("segments/items.jsonl"), &sfn, &workflows()).await.unwrap();
        assert_eq!((input.execution_arn, rule.num_calls()), (None, 1));
    }

    #[tokio::test]
    async fn the_sample_event_starts_an_execution() {
        let rule = mock!(Client::start_execution).then_output(|| {
            let now = aws_sdk_sfn::primitives::DateTime::from_secs(0);
            StartExecutionOutput::builder().execution_arn("arn").start_date(now).build().unwrap()
        });
        let sample = serde_json::from_str(include_str!("../../../tests/events/receive-upload.json")).unwrap();
        let answer = receive(sample, &mock_client!(aws_sdk_sfn, [&rule]), &workflows()).await.unwrap();
        assert_eq!(answer.execution_arn.unwrap(), "arn");
    }
}
