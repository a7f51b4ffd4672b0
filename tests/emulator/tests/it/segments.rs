//! Segment jobs: how they go on, what they read and write, and how they are listed.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::fake_s3::CLOSED_BUCKET;
use crate::personalize::{output_lines, segment_job};
use crate::running::{ATTRIBUTE_AFFINITY, ITEM_AFFINITY, ROLE, Running, pause};
use crate::truth::{data, interests, share};

/// The solution versions of the sample configuration.
const SAMPLE_ITEMS: &str = "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-affinity/1a2b3c4d";
const SAMPLE_ATTRIBUTES: &str =
    "arn:aws:personalize:us-east-1:000000000000:solution/sample-item-attribute-affinity/5e6f7a8b";

const SHOES: &str = "{\"itemId\":\"shoes\"}\n";

fn users(line: &Value) -> Vec<&str> {
    let users = line["output"]["usersList"].as_array().unwrap_or_else(|| panic!("{line}"));
    users.iter().map(|user| user.as_str().unwrap()).collect()
}

/// The output of the sample input for so many users a line.
async fn sample_output(solution_version: &str, input: &str, num_results: u32) -> Vec<Value> {
    let running = Running::start_sample().await;
    let place = running.s3.put("segments", &format!("in/{input}"), data(input));
    let mut job = segment_job("sample", &place);
    job["solutionVersionArn"] = solution_version.into();
    job["roleArn"] = running.role.clone().into();
    job["numResults"] = num_results.into();
    running.active_segments(&job).await;
    output_lines(&running.s3.text(&format!("s3://segments/out/{input}.out")))
}

/// The share of the segment's users who have one of these interests.
fn precision(line: &Value, groups: &[&str]) -> f64 {
    let precision = share(users(line).into_iter(), &interests(), groups);
    println!("{}: {precision:.3} of {} users have the interest", line["input"], users(line).len());
    precision
}

#[tokio::test]
async fn a_segment_job_is_pending_then_in_progress_then_active() {
    let running = Running::start_with(|config| config["segmentSeconds"] = 2.into()).await;
    let input = running.s3.put("segments", "in.jsonl", SHOES);
    let start = Instant::now();
    let arn = running.created(&segment_job("run", &input)).await;
    let mut seen: Vec<Value> = Vec::new();
    while seen.last().is_none_or(|status| status != "ACTIVE") {
        let job = running.describe(&arn).await;
        if seen.last() != Some(&job["status"]) {
            seen.push(job["status"].clone());
        }
        pause(start).await;
    }
    assert_eq!(seen, ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]);
    assert!(start.elapsed().as_secs_f64() >= 2.0, "it took {:?}", start.elapsed());
    let job = running.describe(&arn).await;
    let time = |member: &str| job[member].as_f64().unwrap();
    assert!(time("lastUpdatedDateTime") - time("creationDateTime") >= 1.9, "{job}");
}

#[tokio::test]
async fn a_segment_job_tells_what_it_was_asked_for() {
    let running = Running::start().await;
    let input = running.s3.put("segments", "in.jsonl", SHOES);
    let key = "arn:aws:kms:eu-west-1:123456789012:key/k";
    let mut request = segment_job("Spring_runners-1", &input);
    request["numResults"] = 3.into();
    request["jobInput"]["s3DataSource"]["kmsKeyArn"] = key.into();
    request["tags"] = json!([{"tagKey": "team", "tagValue": "growth"}]);
    let mut job = running.active_segments(&request).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    for member in ["creationDateTime", "lastUpdatedDateTime"] {
        let time = job.as_object_mut().unwrap().remove(member).unwrap().as_f64().unwrap();
        assert!(now - time < 60.0 && time <= now, "{member}: {time} at {now}");
    }
    let told = json!({
        "batchSegmentJobArn": "arn:aws:personalize:eu-west-1:123456789012:batch-segment-job/Spring_runners-1",
        "jobName": "Spring_runners-1",
        "solutionVersionArn": ITEM_AFFINITY,
        "numResults": 3,
        "jobInput": {"s3DataSource": {"path": input, "kmsKeyArn": key}},
        "jobOutput": {"s3DataDestination": {"path": "s3://segments/out/"}},
        "roleArn": ROLE,
        "status": "ACTIVE",
    });
    assert_eq!(job, told);
}

#[tokio::test]
async fn the_users_of_a_segment_for_an_item_are_of_its_group() {
    let output = sample_output(SAMPLE_ITEMS, "segment-items.jsonl", 100).await;
    assert_eq!(output.len(), 4);
    for (line, group) in output.iter().zip(["runners", "cooks", "readers"]) {
        assert_eq!(users(line).len(), 100);
        let precision = precision(line, &[group]);
        assert!(precision > 0.9, "{precision} of the {group}");
    }
    let unknown = json!({"itemId": "r99"});
    assert_eq!(output[3], json!({"input": unknown, "output": null, "error": "The item is not in the training data."}));
}

#[tokio::test]
async fn the_users_of_a_segment_for_attributes_are_of_the_groups_that_have_them() {
    let output = sample_output(SAMPLE_ATTRIBUTES, "segment-attributes.jsonl", 100).await;
    let groups: [&[&str]; 4] = [&["runners"], &["gardeners"], &["cooks", "readers"], &["gamers", "travellers"]];
    assert_eq!(output.len(), groups.len());
    for (line, groups) in output.iter().zip(groups) {
        let precision = precision(line, groups);
        assert!(precision > 0.9, "{precision} of the {groups:?}");
    }
}

#[tokio::test]
async fn a_line_has_25_users_unless_said_and_never_more_than_there_are() {
    let running = Running::start().await;
    let input = running.s3.put("segments", "in.jsonl", SHOES);
    for (name, num_results, count) in [("unsaid", Value::Null, 25), ("few", 3.into(), 3), ("many", 5000.into(), 200)] {
        let mut job = segment_job(name, &input);
        job["numResults"] = num_results;
        assert_eq!(running.active_segments(&job).await["numResults"], job["numResults"].as_u64().unwrap_or(25));
        let output = output_lines(&running.s3.text("s3://segments/out/in.jsonl.out"));
        let users = users(&output[0]);
        assert_eq!(users.len(), count);
        assert!(users.iter().take(100).all(|user| *user < "u100"), "who runs comes first: {users:?}");
    }
}

#[tokio::test]
async fn lines_in_error_are_told_in_their_place_and_the_job_is_active() {
    let running = Running::start().await;
    let lines = "{\"itemId\": \"sofa\"}\nu007,1\n{\"itemAttributes\":\"ITEMS.CATEGORY = \\\"Running\\\"\"}\n";
    let input = running.s3.put("segments", "wrong.jsonl", format!("{lines}{SHOES}"));
    running.active_segments(&segment_job("items", &input)).await;
    let mut job = segment_job("attributes", &input);
    job["solutionVersionArn"] = ATTRIBUTE_AFFINITY.into();
    job["jobOutput"]["s3DataDestination"]["path"] = "s3://segments/attributes".into();
    running.active_segments(&job).await;
    let answered = |place: &str| {
        let output = output_lines(&running.s3.text(place));
        assert!(output.iter().all(|line| line["output"].is_null() == line["error"].is_string()), "{output:?}");
        output.iter().map(|line| line["error"].is_null()).collect::<Vec<_>>()
    };
    assert_eq!(answered("s3://segments/out/wrong.jsonl.out"), [false, false, false, true]);
    assert_eq!(answered("s3://segments/attributes/wrong.jsonl.out"), [false, false, true, false]);
    let first = running.s3.text("s3://segments/out/wrong.jsonl.out");
    assert!(first.starts_with(r#"{"input":{"itemId":"sofa"},"output":null,"error":""#), "{first}");
}

#[tokio::test]
async fn a_path_without_a_slash_matches_neighbours_of_its_folder() {
    let running = Running::start().await;
    for key in
        ["in/folder/", "in/folder/a.jsonl", "in/folder/b.jsonl", "in/folder/deep/a.jsonl", "in/folder_test/c.jsonl"]
    {
        let text = if key.ends_with('/') { "" } else { SHOES };
        running.s3.put("segments", key, text);
    }
    let written = async |name: &str, path: &str| {
        let mut job = segment_job(name, path);
        job["jobOutput"]["s3DataDestination"]["path"] = format!("s3://segments/{name}/").into();
        running.active_segments(&job).await;
        running.s3.list(&format!("s3://segments/{name}/"))
    };
    let folder = written("folder", "s3://segments/in/folder/").await;
    assert_eq!(folder, ["a.jsonl", "b.jsonl", "deep/a.jsonl"].map(|name| format!("s3://segments/folder/{name}.out")));
    let prefix = written("prefix", "s3://segments/in/folder").await;
    let names = ["folder/a.jsonl", "folder/b.jsonl", "folder/deep/a.jsonl", "folder_test/c.jsonl"];
    assert_eq!(prefix, names.map(|name| format!("s3://segments/prefix/{name}.out")));
    assert_eq!(written("object", "s3://segments/in/folder/b.jsonl").await, ["s3://segments/object/b.jsonl.out"]);
}

#[tokio::test]
async fn a_job_without_input_or_without_its_buckets_fails_and_says_why() {
    let running = Running::start().await;
    let input = running.s3.put("segments", "in.jsonl", SHOES);
    let empty = running.s3.put("segments", "empty.jsonl", "");
    running.s3.put("segments", "marker/", "");
    let closed = format!("s3://{CLOSED_BUCKET}/in.jsonl");
    for (name, path, told) in [
        ("nothing", "s3://segments/nothing", "There is no object under the input path s3://segments/nothing."),
        ("marker", "s3://segments/marker/", "There is no object under"),
        ("empty", &empty, "The input s3://segments/empty.jsonl has no line."),
        ("closed", &closed, "The input s3://closed/in.jsonl can't be read: AccessDenied."),
    ] {
        let reason = running.failure_reason(&segment_job(name, path)).await;
        assert!(reason.contains(told), "{reason}");
    }
    let mut job = segment_job("closed-output", &input);
    job["jobOutput"]["s3DataDestination"]["path"] = format!("s3://{CLOSED_BUCKET}/out").into();
    let reason = running.failure_reason(&job).await;
    assert_eq!(reason, "The output s3://closed/out/in.jsonl.out can't be written: AccessDenied.");
}

#[tokio::test]
async fn a_list_has_every_job_once_on_pages_and_may_be_of_one_solution_version() {
    let running = Running::start().await;
    for number in 0..5 {
        let mut job = segment_job(&format!("job-{number}"), "s3://segments/nothing");
        if number % 2 == 1 {
            job["solutionVersionArn"] = ATTRIBUTE_AFFINITY.into();
        }
        running.failure_reason(&job).await;
    }
    let of_items = json!({ "solutionVersionArn": ITEM_AFFINITY });
    assert_eq!(running.segment_names(of_items).await, ["job-0", "job-2", "job-4"]);
    let other = json!({ "solutionVersionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/other/1" });
    assert!(running.segment_names(other).await.is_empty());

    let (mut query, mut pages) = (json!({ "maxResults": 2 }), Vec::new());
    loop {
        let page = running.list_segments(query.clone()).await;
        pages.push(page["batchSegmentJobs"].as_array().unwrap().clone());
        assert!(pages.len() < 10, "the list does not end");
        match page.get("nextToken") {
            Some(token) => query["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    let mut last = pages[2][0].clone();
    for member in ["creationDateTime", "lastUpdatedDateTime"] {
        assert!(last.as_object_mut().unwrap().remove(member).unwrap().is_number());
    }
    let summary = json!({
        "batchSegmentJobArn": "arn:aws:personalize:eu-west-1:123456789012:batch-segment-job/job-4",
        "jobName": "job-4",
        "status": "CREATE FAILED",
        "failureReason": "There is no object under the input path s3://segments/nothing.",
        "solutionVersionArn": ITEM_AFFINITY,
    });
    assert_eq!(last, summary);
}

#[tokio::test]
async fn what_was_started_and_asked_is_listed_beside_the_audiences() {
    let running = Running::start().await;
    let mut request = segment_job("run", "s3://segments/nothing");
    request["tags"] = json!([{"tagKey": "lookalike:run", "tagValue": "spring"}]);
    let arn = running.created(&request).await;
    running.ended_segments(&arn).await;
    running.create(&request).await.assert_error("ResourceAlreadyExistsException", 400, &arn);
    let mut started = running.started().await;
    let time = started["segmentJobs"][0].as_object_mut().unwrap().remove("createTime").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let segment = json!({
        "name": "run",
        "arn": arn,
        "solutionVersionArn": ITEM_AFFINITY,
        "status": "CREATE FAILED",
        "tags": {"lookalike:run": "spring"},
    });
    assert_eq!(started, json!({"generationJobs": [], "exportJobs": [], "segmentJobs": [segment]}));

    running.list_segments(json!({})).await;
    let calls = running.calls().await;
    let told = |call: &Value| (call["operation"].clone(), call["name"].clone(), call["performed"].clone());
    let of = |operation: &str, name: Value, performed: bool| (json!(operation), name, json!(performed));
    assert_eq!(told(&calls[0]), of("CreateBatchSegmentJob", "run".into(), true));
    assert_eq!(told(&calls[1]), of("DescribeBatchSegmentJob", "run".into(), true));
    assert_eq!(told(&calls[calls.len() - 2]), of("CreateBatchSegmentJob", "run".into(), false));
    assert_eq!(told(&calls[calls.len() - 1]), of("ListBatchSegmentJobs", Value::Null, true));
}
