//! What Personalize refuses, and how.

use serde_json::{Value, json};

use crate::personalize::segment_job;
use crate::running::{ITEM_AFFINITY, Running};

const NOTHING: &str = "s3://segments/nothing";

#[tokio::test]
async fn a_broken_limit_is_an_invalid_input_that_names_the_member() {
    let running = Running::start().await;
    let mut job = segment_job("-run", NOTHING);
    job["jobInput"]["s3DataSource"]["path"] = "https://bucket/key".into();
    let answer = running.create(&job).await;
    answer.assert_error("InvalidInputException", 400, "2 validation errors detected");
    answer.assert_error("InvalidInputException", 400, "'jobName'");
    answer.assert_error("InvalidInputException", 400, "'jobInput.s3DataSource.path'");
    for (operation, body, member) in [
        ("CreateBatchSegmentJob", json!([]), "'body'"),
        ("DescribeBatchSegmentJob", json!({}), "'batchSegmentJobArn'"),
        ("DescribeBatchSegmentJob", json!({"batchSegmentJobArn": "run"}), "'batchSegmentJobArn'"),
        ("ListBatchSegmentJobs", json!({"maxResults": 101}), "'maxResults'"),
        ("ListBatchSegmentJobs", json!({"maxResults": 0}), "'maxResults'"),
        ("ListBatchSegmentJobs", json!({"solutionVersionArn": "s"}), "'solutionVersionArn'"),
    ] {
        running.personalize(operation, &body).await.assert_error("InvalidInputException", 400, member);
    }
    assert!(running.started_segments("name").await.is_empty());
}

#[tokio::test]
async fn a_name_is_taken_once_by_a_job_that_failed_too() {
    let running = Running::start().await;
    running.failure_reason(&segment_job("run", NOTHING)).await;
    let arn = "arn:aws:personalize:eu-west-1:123456789012:batch-segment-job/run";
    running.create(&segment_job("run", NOTHING)).await.assert_error("ResourceAlreadyExistsException", 400, arn);
    running.created(&segment_job("Run", NOTHING)).await;
    assert_eq!(running.started_segments("name").await, ["run", "Run"]);
}

#[tokio::test]
async fn a_quota_counts_the_jobs_in_flight_only() {
    let running = Running::start_with(|config| config["maxSegmentJobsInFlight"] = 1.into()).await;
    running.failure_reason(&segment_job("over", NOTHING)).await;
    running.arm(json!([{"fault": {"kind": "stuck"}}])).await;
    running.created(&segment_job("stuck", NOTHING)).await;
    running.create(&segment_job("more", NOTHING)).await.assert_error("LimitExceededException", 400, "quota of 1");
    assert_eq!(running.started_segments("name").await, ["over", "stuck"]);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let running = Running::start().await;
    let missing = "arn:aws:personalize:eu-west-1:123456789012:batch-segment-job/none";
    let describe = running.personalize("DescribeBatchSegmentJob", &json!({ "batchSegmentJobArn": missing })).await;
    describe.assert_error("ResourceNotFoundException", 400, missing);
    let version = ITEM_AFFINITY.replace("1a2b3c4d", "00000000");
    let filter = "arn:aws:personalize:eu-west-1:123456789012:filter/adults";
    for (member, arn) in [("solutionVersionArn", version.as_str()), ("filterArn", filter)] {
        let mut job = segment_job("run", NOTHING);
        job[member] = arn.into();
        running.create(&job).await.assert_error("ResourceNotFoundException", 400, arn);
    }
}

#[tokio::test]
async fn more_than_fifty_tags_are_too_many() {
    let running = Running::start().await;
    let mut job = segment_job("run", NOTHING);
    job["tags"] = (0..51).map(|number| json!({"tagKey": format!("k{number}"), "tagValue": ""})).collect();
    running.create(&job).await.assert_error("TooManyTagsException", 400, "50");
    job["tags"].as_array_mut().unwrap().pop();
    running.created(&job).await;
}

#[tokio::test]
async fn a_token_of_another_list_is_no_token() {
    let running = Running::start().await;
    for number in 0..2 {
        running.start_runners(&format!("job {number}")).await;
    }
    let page = running.by_hand("GET", "/audience-generation-job?maxResults=1", "").await.json();
    for token in [page["nextToken"].clone(), "made up".into(), "".into()] {
        let answer = running.personalize("ListBatchSegmentJobs", &json!({ "nextToken": token })).await;
        answer.assert_error("InvalidNextTokenException", 400, "token");
    }
}

#[tokio::test]
async fn a_target_that_is_no_operation_is_answered_on_the_json_wire() {
    let running = Running::start().await;
    running.personalize("DeleteBatchSegmentJob", &json!({})).await.assert_error(
        "UnknownOperationException",
        400,
        "AmazonPersonalize.DeleteBatchSegmentJob",
    );
    let target = "X-Amz-Target: AmazonPersonalize.ListBatchSegmentJobs\r\n";
    for (method, path) in [("GET", "/"), ("POST", "/audience-generation-job")] {
        let answer = running.with_headers(method, path, target, "{}").await;
        answer.assert_error("UnknownOperationException", 400, method);
    }
    // Without a target it is a call of Clean Rooms ML.
    let answer = running.by_hand("POST", "/", "{}").await;
    assert_eq!(answer.status, 404);
    assert!(answer.headers.contains("x-amzn-errortype: unknownoperationexception"), "{answer:?}");
    let calls = running.calls().await;
    assert!(calls.iter().all(|call| call["operation"] == "UnknownOperation"), "{calls:?}");
    assert_eq!(calls[0]["status"], Value::from(400));
}
