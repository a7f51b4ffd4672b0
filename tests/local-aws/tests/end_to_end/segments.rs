//! From a segment request to segments, by upload and by hand, and what may go wrong on the way.

use aws_sdk_sfn::types::ExecutionStatus;
use local_aws::{Execution, LocalAws};
use serde_json::{Value, json};

use super::{accepted, answered, aws, data, members, precision, run_of_input, run_of_upload};

const WORKFLOW: &str = "SegmentStateMachineArn";
pub(super) const ITEMS: &str = "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-affinity/1a2b3c4d";
const ATTRIBUTES: &str = "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-attribute-affinity/5e6f7a8b";

/// Uploads an input, and makes a request for its segments, whose output lies in a folder of its own.
pub(super) async fn request(aws: &LocalAws, name: &str, version: &str, input: &str) -> Value {
    let bucket = aws.output("SeedBucketName").unwrap();
    let key = format!("segments/input/{name}.jsonl");
    aws.upload(&key, input, &[]).await.unwrap();
    json!({
        "jobName": name, "solutionVersionArn": version, "numResults": 50,
        "jobInput": {"s3DataSource": {"path": format!("s3://{bucket}/{key}")}},
        "jobOutput": {"s3DataDestination": {"path": format!("s3://{bucket}/segment-output/{name}/")}},
    })
}

/// The lines of a segment job's output.
async fn output(aws: &LocalAws, answer: &Value) -> Vec<Value> {
    let objects = aws.list(answer["outputLocation"].as_str().unwrap()).await.unwrap();
    assert_eq!(objects.len(), 1, "{objects:?}");
    let text = String::from_utf8(aws.read(&objects[0]).await.unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The page of a run's report, and the report as JSON.
async fn report(aws: &LocalAws, run: &Execution) -> (String, String, Value) {
    let bucket = aws.output("SeedBucketName").unwrap();
    let place = format!("s3://{bucket}/{}index.html", run.report_folder());
    let page = String::from_utf8(aws.read(&place).await.unwrap()).unwrap();
    let twin = aws.read(&place.replace("index.html", "report.json")).await.unwrap();
    (place, page, serde_json::from_slice(&twin).unwrap())
}

fn users(line: &Value) -> Vec<String> {
    line["output"]["usersList"].as_array().unwrap().iter().map(|user| user.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_uploaded_request_ends_in_segments_of_users_who_like_the_items() {
    let aws = aws().await;
    let mut request = request(aws, "items", ITEMS, &data("segment-items.jsonl")).await;
    request.as_object_mut().unwrap().remove("jobName");
    let key = "segments/spring items+é.json";
    aws.upload(key, request.to_string(), &[]).await.unwrap();
    let run = run_of_upload(aws, key).await;
    let answer = answered(&run);
    assert!(run.name.starts_with("spring-items-"), "{}", run.name);
    assert_eq!((&answer["name"], &answer["status"]), (&json!(run.name), &json!("ACTIVE")));
    assert_eq!(answer["input"], json!({"lines": 4, "kind": "itemId"}));
    assert_eq!((&answer["warnings"], &answer["skipped"]), (&json!([]), &json!([])));
    assert_eq!(accepted(aws, "CreateBatchSegmentJob", &run.name).await, 1);

    let lines = output(aws, answer).await;
    let counted = &answer["output"];
    assert_eq!((&counted["lines"], &counted["users"], &counted["errorLines"]), (&json!(4), &json!(150), &json!(1)));
    let precision = precision(&users(&lines[0]), &members("runners"));
    assert!(precision > 0.9, "{precision}");
    assert!(lines[3]["error"].is_string(), "{}", lines[3]);

    assert!(answer["statusChecks"].as_u64().unwrap() > 0 && answer["quotaWaits"].is_u64(), "{answer}");
    let (place, page, twin) = report(aws, &run).await;
    assert_eq!(answer["report"], place);
    let words = "Your segment is ready in part: 150 users for 3 of 4 lines of input.";
    assert!(page.contains(words) && page.contains(answer["batchSegmentJobArn"].as_str().unwrap()), "{page}");
    assert_eq!((&twin["run"]["outcome"], &twin["run"]["summary"]), (&json!("PARTIAL"), &json!(words)));
    assert_eq!(twin["segment"]["output"], json!({"lines": 4, "users": 150, "errorLines": 1}));
    for field in ["batchSegmentJobArn", "outputLocation", "input"] {
        assert_eq!(twin["segment"][field], answer[field], "{field}");
    }
    assert_eq!(twin["request"]["solutionVersionArn"], ITEMS);
    let left = format!("{page}{twin}");
    assert!(lines.iter().take(3).flat_map(users).all(|user| !left.contains(&format!("\"{user}\""))), "a user id left");
}

#[tokio::test]
async fn attributes_started_by_hand_end_in_a_segment_for_each_line() {
    let aws = aws().await;
    let request = request(aws, "attributes", ATTRIBUTES, &data("segment-attributes.jsonl")).await;
    let run = run_of_input(aws, WORKFLOW, "attributes-by-hand", &request).await;
    let answer = answered(&run);
    assert_eq!(answer["name"], "attributes");
    assert_eq!(answer["input"], json!({"lines": 4, "kind": "itemAttributes"}));
    let counted = json!({"lines": 4, "users": 200, "errorLines": 0, "firstError": null});
    assert_eq!(answer["output"], counted);
    let (place, page, twin) = report(aws, &run).await;
    assert_eq!((&answer["report"], &twin["run"]["outcome"]), (&json!(place), &json!("READY")));
    assert!(page.contains("Your segment is ready: 200 users for 4 lines of input."), "{page}");
    let precision = precision(&users(&output(aws, answer).await[0]), &members("runners"));
    assert!(precision > 0.9, "{precision}");
}

#[tokio::test]
async fn a_job_that_is_active_with_an_error_in_each_line_is_no_success() {
    let aws = aws().await;
    let unknown: String = (0..4).map(|item| format!("{{\"itemId\":\"unknown-{item}\"}}\n")).collect();
    let request = request(aws, "unknown-items", ITEMS, &unknown).await;
    let run = run_of_input(aws, WORKFLOW, "unknown-items", &request).await;
    assert_eq!(run.error.as_deref(), Some("SegmentFailed"));
    let cause = run.cause.clone().unwrap();
    assert!(cause.contains("each of its 4 lines is an error"), "{cause}");
    let (place, page, twin) = report(aws, &run).await;
    assert!(cause.ends_with(&format!(" Report: {place}.")), "{cause}");
    assert!(page.contains("each of its 4 lines is an error") && page.contains("What the job wrote"), "{page}");
    assert_eq!((&twin["run"]["outcome"], &twin["segment"]["output"]["errorLines"]), (&json!("FAILED"), &json!(4)));
}

#[tokio::test]
async fn a_solution_version_for_the_other_kind_of_input_is_rejected_before_the_job() {
    let aws = aws().await;
    let request = request(aws, "wrong-kind", ATTRIBUTES, &data("segment-items.jsonl")).await;
    let run = run_of_input(aws, WORKFLOW, "wrong-kind", &request).await;
    assert_eq!(run.error.as_deref(), Some("InvalidRequest"));
    assert!(run.cause.unwrap().contains("solutionVersionArn: its recipe reads lines of itemAttributes"));
    assert_eq!(accepted(aws, "CreateBatchSegmentJob", "wrong-kind").await, 0);
}

#[tokio::test]
async fn a_segment_request_or_an_input_that_is_wrong_starts_nothing() {
    let aws = aws().await;
    let good = request(aws, "bad-input", ITEMS, "{\"itemId\":\"r03\"}\n{\"itemAttributes\":\"x\"}\n").await;
    let mixed = run_of_input(aws, WORKFLOW, "mixed-input", &good).await;
    let mixed_folder = mixed.report_folder();
    assert_eq!(mixed.error.as_deref(), Some("InvalidSeed"));
    assert!(mixed.cause.unwrap().contains("line 2 is of another kind"));
    let mut typo = good;
    typo["numResult"] = json!(5);
    let typo = run_of_input(aws, WORKFLOW, "typo", &typo).await;
    let typo_folder = typo.report_folder();
    assert_eq!(typo.error.as_deref(), Some("InvalidRequest"));
    assert!(typo.cause.unwrap().contains("did you mean numResults?"));
    assert_eq!(accepted(aws, "CreateBatchSegmentJob", "bad-input").await, 0);
    let bucket = aws.output("SeedBucketName").unwrap();
    for run in [mixed_folder, typo_folder] {
        assert_eq!(aws.list(&format!("s3://{bucket}/{run}")).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_segment_job_that_fails_tells_the_services_reason() {
    let aws = aws().await;
    let request = request(aws, "failing-segment", ITEMS, &data("segment-items.jsonl")).await;
    let run = run_of_input(aws, WORKFLOW, "failing-segment", &request).await;
    assert_eq!((&run.status, run.error.as_deref()), (&ExecutionStatus::Failed, Some("SegmentFailed")));
    let cause = run.cause.clone().unwrap();
    assert!(cause.contains("The role may not read the input."), "{cause}");
    let (place, page, twin) = report(aws, &run).await;
    assert!(cause.ends_with(&format!(" Report: {place}.")), "{cause}");
    assert!(page.contains("The role may not read the input.") && !page.contains("What the job wrote"), "{page}");
    assert_eq!((&twin["run"]["error"], &twin["segment"]["outputLocation"]), (&json!("SegmentFailed"), &Value::Null));
    let said = twin["run"]["cause"].as_str().unwrap();
    assert!(cause.starts_with(said) && !said.contains("Report:"), "{said}");
}

#[tokio::test]
async fn a_segment_job_whose_answer_is_lost_is_found_again_and_a_name_that_is_taken_is_a_conflict() {
    let aws = aws().await;
    let request = request(aws, "lost-segment", ITEMS, &data("segment-items.jsonl")).await;
    let first = run_of_input(aws, WORKFLOW, "lost-segment-1", &request).await;
    assert_eq!(answered(&first)["name"], "lost-segment");
    let second = run_of_input(aws, WORKFLOW, "lost-segment-2", &request).await;
    assert_eq!(second.error.as_deref(), Some("Conflict"), "{:?}", second.cause);
    let jobs = aws.emulator("_emulator/jobs").await.unwrap();
    let named = jobs["segmentJobs"].as_array().unwrap().iter().filter(|job| job["name"] == "lost-segment");
    assert_eq!(named.count(), 1);
}

#[tokio::test]
async fn a_path_that_takes_more_than_meant_is_a_warning() {
    let aws = aws().await;
    let request = request(aws, "begins", ITEMS, &data("segment-items.jsonl")).await;
    aws.upload("segments/input/begins.jsonl.bak", data("segment-items.jsonl"), &[]).await.unwrap();
    let run = run_of_input(aws, WORKFLOW, "begins", &request).await;
    let warning = answered(&run)["warnings"][0].as_str().unwrap();
    assert!(warning.contains("takes 1 more") && warning.contains("begins.jsonl.bak"), "{warning}");
}
