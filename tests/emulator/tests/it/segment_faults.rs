//! Faults apply to Personalize as they do to Clean Rooms ML.

use std::time::Instant;

use serde_json::{Value, json};

use crate::personalize::segment_job;
use crate::running::{Running, pause, refusal};

const NOTHING: &str = "s3://segments/nothing";
const CREATE: &str = "CreateBatchSegmentJob";

/// The last call: whether it was performed, its status and its fault.
async fn last_call(running: &Running) -> Value {
    let call = running.calls().await.pop().unwrap();
    json!([call["performed"], call["status"], call["fault"]])
}

#[tokio::test]
async fn an_error_is_answered_as_the_json_wire_has_it_and_nothing_is_performed() {
    let running = Running::start().await;
    let errors = [
        ("InvalidInputException", 400),
        ("ResourceAlreadyExistsException", 400),
        ("LimitExceededException", 400),
        ("ResourceNotFoundException", 400),
        ("ResourceInUseException", 400),
        ("TooManyTagsException", 400),
        ("AccessDeniedException", 400),
        ("ThrottlingException", 400),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
    ];
    for (error, status) in errors {
        let fault = json!({"kind": "error", "error": error, "message": "not now"});
        running.arm(json!([{"operation": CREATE, "times": 1, "fault": fault}])).await;
        running.create(&segment_job("run", NOTHING)).await.assert_error(error, status, "not now");
        assert_eq!(last_call(&running).await, json!([false, status, "error"]));
    }
    assert!(running.started_segments("name").await.is_empty());
    running.created(&segment_job("run", NOTHING)).await;
}

#[tokio::test]
async fn an_error_that_only_one_api_has_spares_the_other() {
    let running = Running::start().await;
    let fault = |error: &str| json!([{ "fault": {"kind": "error", "error": error} }]);
    running.arm(fault("LimitExceededException")).await;
    running.start_runners("runners").await;
    running.create(&segment_job("run", NOTHING)).await.assert_error("LimitExceededException", 400, "error");
    running.arm(fault("ConflictException")).await;
    running.created(&segment_job("run", NOTHING)).await;
    let refused = running.generation("other", NOTHING).send().await.unwrap_err();
    refusal(refused).assert("ConflictException", 409, "error");
}

#[tokio::test]
async fn a_dropped_connection_hides_whether_the_job_was_created() {
    let running = Running::start().await;
    running.arm(json!([{"times": 1, "fault": {"kind": "dropBefore"}}])).await;
    let create = async |name: &str| running.personalize_if_any(CREATE, &segment_job(name, NOTHING)).await;
    assert!(create("before").await.is_none());
    assert_eq!(last_call(&running).await, json!([false, 0, "dropBefore"]));
    assert!(running.started_segments("name").await.is_empty());
    running.arm(json!([{"name": "after", "times": 1, "fault": {"kind": "acceptThenDrop"}}])).await;
    assert_eq!(create("before").await.unwrap().status, 200);
    assert!(create("after").await.is_none());
    assert_eq!(last_call(&running).await, json!([true, 0, "acceptThenDrop"]));
    assert_eq!(running.started_segments("name").await, ["before", "after"]);
    running.create(&segment_job("after", NOTHING)).await.assert_error("ResourceAlreadyExistsException", 400, "after");
}

#[tokio::test]
async fn an_error_or_a_slow_answer_may_hide_that_the_job_was_created() {
    let running = Running::start().await;
    running.arm(json!([{"operation": CREATE, "fault": {"kind": "acceptThenError"}}])).await;
    let answer = running.create(&segment_job("error", NOTHING)).await;
    answer.assert_error("InternalServerException", 500, "acceptThenError");
    running.arm(json!([{"operation": CREATE, "fault": {"kind": "slow", "seconds": 0.3}}])).await;
    let since = Instant::now();
    running.created(&segment_job("slow", NOTHING)).await;
    assert!(since.elapsed().as_secs_f64() >= 0.3, "it took {:?}", since.elapsed());
    assert_eq!(running.started_segments("name").await, ["error", "slow"]);
}

#[tokio::test]
async fn a_segment_job_may_be_stuck_fail_or_have_a_status_that_nobody_knows() {
    let running = Running::start().await;
    running
        .arm(json!([
            {"operation": CREATE, "name": "stuck", "fault": {"kind": "stuck"}},
            {"operation": CREATE, "name": "fails", "fault": {"kind": "fails", "message": "No capacity."}},
            {"operation": CREATE, "name": "silent", "fault": {"kind": "fails"}},
            {"operation": CREATE, "name": "unknown", "fault": {"kind": "unknownStatus", "status": "CREATE QUEUED"}},
        ]))
        .await;
    let stuck = running.created(&segment_job("stuck", NOTHING)).await;
    let unknown = running.created(&segment_job("unknown", NOTHING)).await;
    assert_eq!(running.failure_reason(&segment_job("fails", NOTHING)).await, "No capacity.");
    let silent = running.ended_segments(&running.created(&segment_job("silent", NOTHING)).await).await;
    assert_eq!((&silent["status"], silent.get("failureReason")), (&json!("CREATE FAILED"), None));
    let since = Instant::now();
    while running.describe(&stuck).await["status"] != "CREATE IN_PROGRESS" {
        pause(since).await;
    }
    assert_eq!(running.describe(&unknown).await["status"], "CREATE QUEUED");
    assert_eq!(running.started_segments("fault").await, ["stuck", "unknownStatus", "fails", "fails"]);
    assert_eq!(running.struck().await, [1, 1, 1, 1]);
}

#[tokio::test]
async fn short_pages_and_late_lists_come_to_segment_jobs_too() {
    let running = Running::start().await;
    for name in ["one", "two", "late"] {
        running.created(&segment_job(name, NOTHING)).await;
    }
    running
        .arm(json!([
            {"operation": "ListBatchSegmentJobs", "fault": {"kind": "pageSize", "entries": 1}},
            {"name": "late", "fault": {"kind": "listDelay", "seconds": 3600}},
        ]))
        .await;
    let first = running.list_segments(json!({"maxResults": 100})).await;
    assert_eq!(first["batchSegmentJobs"].as_array().unwrap().len(), 1);
    let second = json!({ "nextToken": first["nextToken"] });
    assert_eq!(running.segment_names(second.clone()).await, ["two"]);
    assert_eq!(running.list_segments(second).await.get("nextToken"), None);
    let late = "arn:aws:personalize:eu-west-1:123456789012:batch-segment-job/late";
    assert_eq!(running.describe(late).await["jobName"], "late");
}

#[tokio::test]
async fn a_fault_for_a_name_hits_the_call_that_describes_its_job() {
    let running = Running::start().await;
    let arn = running.created(&segment_job("run", NOTHING)).await;
    running.created(&segment_job("other", NOTHING)).await;
    let fault = json!({"kind": "error", "error": "ThrottlingException"});
    running.arm(json!([{"operation": "DescribeBatchSegmentJob", "namePrefix": "r", "fault": fault}])).await;
    let describe = |arn: String| json!({ "batchSegmentJobArn": arn });
    let answer = running.personalize("DescribeBatchSegmentJob", &describe(arn.clone())).await;
    answer.assert_error("ThrottlingException", 400, "error");
    let other = describe(arn.replace("/run", "/other"));
    assert_eq!(running.personalize("DescribeBatchSegmentJob", &other).await.status, 200);
}
