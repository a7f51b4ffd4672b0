//! From a seed to exported audiences, and everything that may go wrong on the way.

use std::collections::{BTreeSet, HashSet};
use std::io::Write as _;
use std::time::Duration;

use aws_sdk_sfn::types::ExecutionStatus;
use flate2::Compression;
use flate2::write::GzEncoder;
use local_aws::LocalAws;
use serde_json::{Value, json};

use super::{
    BOUND, accepted, answered, aws, data, members, object_created, precision, precision_of, received, run_of_input,
    run_of_upload,
};

const WORKFLOW: &str = "AudienceStateMachineArn";

/// The users in the training data (`tests/data/README.md`).
const TRAINING_USERS: usize = 20_000;

/// The user ids of a JSON Lines file.
fn users(lines: &str) -> Vec<String> {
    let user = |line| serde_json::from_str::<Value>(line).unwrap()["user_id"].as_str().unwrap().to_owned();
    lines.lines().map(user).collect()
}

/// What lies where an export says that it lies.
async fn audience(aws: &LocalAws, export: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for object in aws.list(export["outputLocation"].as_str().unwrap()).await.unwrap() {
        found.extend(users(&String::from_utf8(aws.read(&object).await.unwrap()).unwrap()));
    }
    found
}

#[tokio::test]
async fn an_upload_of_a_planted_groups_seed_ends_in_an_audience_that_is_mostly_that_group() {
    let aws = aws().await;
    let seed = data("seed-runners.jsonl");
    let key = "seeds/spring runners+é.jsonl";
    let odd = format!("\u{feff}{}\r\n{}", seed.lines().next().unwrap(), seed);
    aws.upload(key, odd, &[("export", "1pct,5pct"), ("tag-team", "growth")]).await.unwrap();
    let run = run_of_upload(aws, key).await;
    let answer = answered(&run);

    let name = answer["name"].as_str().unwrap();
    assert_eq!(name, run.name);
    assert!(name.starts_with("spring-runners-"), "{name}");
    assert_eq!(accepted(aws, "StartAudienceGenerationJob", name).await, 1);
    let unique = users(&seed).iter().collect::<BTreeSet<_>>().len();
    assert_eq!(answer["seed"], json!({"users": unique + 1, "uniqueUsers": unique, "blankLines": 0, "badLines": 0}));
    assert_eq!(answer["skipped"], json!([]));

    let bucket = aws.output("SeedBucketName").unwrap();
    let checked = aws.list(&format!("s3://{bucket}/{}", run.checked_prefix())).await.unwrap();
    let copy = checked.iter().find(|place| place.contains(".jsonl")).unwrap();
    let copy = aws.read(copy).await.unwrap();
    assert_eq!(users(&String::from_utf8(copy).unwrap()), users(&seed));

    let scores: Vec<f64> = answer["metrics"]["relevanceMetrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|metric| metric["score"].as_f64().unwrap())
        .collect();
    assert!(scores.len() == 5 && scores.is_sorted_by(|larger, smaller| larger >= smaller), "{scores:?}");
    assert!(answer["metrics"]["recallMetric"].as_f64().unwrap() > 0.5, "{}", answer["metrics"]);

    let report = answer["report"].as_str().unwrap();
    assert_eq!(report, format!("s3://{bucket}/{}index.html", run.report_folder()));
    let page = String::from_utf8(aws.read(report).await.unwrap()).unwrap();
    assert!(page.contains("<svg") && page.contains(name), "{page}");
    let twin = aws.read(&report.replace("index.html", "report.json")).await.unwrap();
    let twin: Value = serde_json::from_slice(&twin).unwrap();
    assert_eq!((&twin["run"]["outcome"], &twin["audience"]["isReady"]), (&json!("READY"), &json!(true)));

    let exports = answer["exports"].as_array().unwrap();
    assert_eq!(exports.len(), 2);
    let runners = members("runners");
    let seed: HashSet<String> = users(&seed).into_iter().collect();
    let base_rate = precision_of(runners.len(), TRAINING_USERS);
    for (export, (percent, least)) in exports.iter().zip([(1, 0.95), (5, 0.7)]) {
        assert_eq!(export["name"], format!("{name}-{percent}pct"));
        assert_eq!(export["status"], "ACTIVE");
        assert_eq!(accepted(aws, "StartAudienceExportJob", &format!("{name}-{percent}pct")).await, 1);
        let audience = audience(aws, export).await;
        assert_eq!(audience.len(), TRAINING_USERS * percent / 100);
        assert!(audience.iter().all(|user| !seed.contains(user)), "a seed user is in the audience");
        let precision = precision(&audience, &runners);
        println!("{percent} %: {} users, precision {precision:.3}, base rate {base_rate:.3}", audience.len());
        assert!(precision > least, "{percent} %: precision {precision}");
    }
}

#[tokio::test]
async fn a_broken_seed_ends_as_invalid_seed_with_nothing_started() {
    let aws = aws().await;
    for (file, what) in [("seed-broken.jsonl", "bad of"), ("seed-too-small.jsonl", "unique users")] {
        let key = format!("seeds/broken/{file}");
        aws.upload(&key, data(file), &[]).await.unwrap();
        let run = run_of_upload(aws, &key).await;
        assert_eq!((&run.status, run.error.as_deref()), (&ExecutionStatus::Failed, Some("InvalidSeed")));
        let cause = run.cause.as_deref().unwrap();
        assert!(cause.contains(what) && cause.contains(&key), "{cause}");
        assert_eq!(accepted(aws, "StartAudienceGenerationJob", &run.name).await, 0);
        let bucket = aws.output("SeedBucketName").unwrap();
        assert_eq!(aws.list(&format!("s3://{bucket}/{}", run.checked_prefix())).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_repeated_event_starts_nothing_and_a_new_upload_to_the_key_is_a_new_run() {
    let aws = aws().await;
    let key = "seeds/repeated.jsonl";
    let upload = || aws.upload(key, data("seed-cooks.jsonl"), &[("export", "none")]);
    upload().await.unwrap();
    let run = run_of_upload(aws, key).await;
    let upload_detail = &run.input["upload"];
    let event = json!({
        "version": "0", "id": "again", "detail-type": "Object Created", "source": "aws.s3", "account": "000000000000",
        "time": "2026-11-22T16:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {"bucket": {"name": upload_detail["bucket"]}, "object": {
            "key": key, "etag": upload_detail["etag"], "sequencer": upload_detail["sequencer"],
            "version-id": upload_detail.get("versionId"), "size": upload_detail["size"]}},
    });
    for _ in 0..3 {
        aws.send_message("UploadQueue", &event).await.unwrap();
    }
    received(aws, &run.name, 4).await;
    assert_eq!(aws.executions_of_upload(key).await.unwrap().len(), 1);
    assert_eq!(accepted(aws, "StartAudienceGenerationJob", &run.name).await, 1);

    upload().await.unwrap();
    let newer = || async { aws.executions_of_upload(key).await.unwrap() };
    let begun = tokio::time::timeout(BOUND, async {
        while newer().await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    begun.await.unwrap();
    for run in newer().await {
        assert!(answered(&aws.wait_for_execution(&run.arn, BOUND).await.unwrap())["exports"] == json!([]));
    }
}

#[tokio::test]
async fn deliveries_at_the_same_time_and_out_of_order_start_one_execution_for_each_upload() {
    let aws = aws().await;
    let bucket = aws.output("SeedBucketName").unwrap();
    let key = "seeds/never-uploaded/concurrent.jsonl";
    let events: Vec<Value> = ["002", "001", "003"]
        .map(|sequencer| {
            let mut event = object_created(bucket, key);
            event["detail"]["object"]["sequencer"] = json!(sequencer);
            event
        })
        .into();
    let deliveries = events.iter().cycle().take(15).map(|event| aws.send_message("UploadQueue", event));
    futures_util::future::try_join_all(deliveries).await.unwrap();
    let runs = tokio::time::timeout(BOUND, async {
        loop {
            let runs = aws.executions_of_upload(key).await.unwrap();
            if runs.len() >= 3 {
                break runs;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    for run in runs.await.unwrap() {
        received(aws, &run.name, 5).await;
        let run = aws.wait_for_execution(&run.arn, BOUND).await.unwrap();
        assert_eq!(run.error.as_deref(), Some("NotFound"), "{:?}", run.cause);
    }
    assert_eq!(aws.executions_of_upload(key).await.unwrap().len(), 3);
}

#[tokio::test]
async fn any_key_that_s3_takes_is_a_run() {
    let aws = aws().await;
    let long = format!("seeds/{}", "é".repeat(509));
    assert_eq!(long.len(), 1024);
    for key in ["seeds/a b/50% +1&=?#.jsonl", "seeds/日本語 🏃.jsonl", "seeds/%2e%2e/x", &long] {
        aws.upload(key, data("seed-too-small.jsonl"), &[]).await.unwrap();
        let run = run_of_upload(aws, key).await;
        assert_eq!(run.error.as_deref(), Some("InvalidSeed"), "{key}: {:?}", run.cause);
        let cause: Value = serde_json::from_str(&run.cause.unwrap()).unwrap();
        assert!(cause["errorMessage"].as_str().unwrap().contains(key), "{cause}");
    }
}

#[tokio::test]
async fn a_request_file_is_followed_to_the_letter_and_its_audience_can_be_exported_again() {
    let aws = aws().await;
    let bucket = aws.output("SeedBucketName").unwrap();
    aws.upload("seeds/_for-requests/cooks.jsonl", data("seed-cooks.jsonl"), &[]).await.unwrap();
    let request = json!({
        "name": "cooks by request",
        "seedAudience": {"dataSource": {"s3Uri": format!("s3://{bucket}/seeds/_for-requests/cooks.jsonl")}},
        "includeSeedInOutput": true,
        "description": "the first words\nand the second",
        "export": {"minRelevance": 0.0},
        "tags": {"team": "growth"},
        "deadlineSeconds": 600,
    });
    aws.upload("requests/spring/cooks.json", request.to_string(), &[]).await.unwrap();
    let run = run_of_upload(aws, "requests/spring/cooks.json").await;
    let answer = answered(&run);
    assert_eq!(answer["name"], "cooks by request");
    assert_eq!(answer["exports"][0]["audienceSize"], json!({"type": "PERCENTAGE", "value": 20}));
    let seed = users(&data("seed-cooks.jsonl"));
    let with_seed = audience(aws, &answer["exports"][0]).await;
    let is_seed: Vec<bool> = with_seed.iter().map(|user| seed.contains(user)).collect();
    assert!(is_seed[0] && is_seed.is_sorted_by(|first, second| first >= second), "seed users come first");

    let again = json!({"audienceGenerationJobArn": answer["audienceGenerationJobArn"], "export": "1pct"});
    let more = run_of_input(aws, WORKFLOW, "more-cooks", &again).await;
    let more = answered(&more);
    assert_eq!(more["exports"][0]["name"], "more-cooks-1pct");
    assert_eq!(accepted(aws, "StartAudienceGenerationJob", "cooks by request").await, 1);
    assert_eq!(accepted(aws, "StartAudienceGenerationJob", "more-cooks").await, 0);
}

#[tokio::test]
async fn a_request_that_breaks_rules_tells_all_of_them() {
    let aws = aws().await;
    let run = run_of_input(aws, WORKFLOW, "broken-request", &json!({"nam": "x", "includeSeedInOutput": 1})).await;
    assert_eq!(run.error.as_deref(), Some("InvalidRequest"));
    let cause = run.cause.unwrap();
    for part in ["did you mean name?", "includeSeedInOutput: must be true or false", "seedAudience: is required"] {
        assert!(cause.contains(part), "{cause}");
    }
}

#[tokio::test]
async fn a_name_that_is_taken_by_an_older_job_is_a_conflict_and_no_second_job() {
    let aws = aws().await;
    for (key, error) in [("seeds/named-1.jsonl", None), ("seeds/named-2.jsonl", Some("Conflict"))] {
        aws.upload(key, data("seed-cooks.jsonl"), &[("name", "taken"), ("export", "none")]).await.unwrap();
        let run = run_of_upload(aws, key).await;
        assert_eq!(run.error.as_deref(), error, "{:?}", run.cause);
    }
    assert_eq!(accepted(aws, "StartAudienceGenerationJob", "taken").await, 1);
}

#[tokio::test]
async fn many_seeds_at_once_drain_through_a_small_quota_and_none_fails() {
    let aws = aws().await;
    let keys: Vec<String> = (0..12).map(|number| format!("seeds/many/{number}.jsonl")).collect();
    for key in &keys {
        aws.upload(key, data("seed-cooks.jsonl"), &[("export", "none")]).await.unwrap();
    }
    for key in &keys {
        let run = run_of_upload(aws, key).await;
        answered(&run);
        assert_eq!(accepted(aws, "StartAudienceGenerationJob", &run.name).await, 1);
    }
    let calls = aws.calls().await.unwrap();
    assert!(calls.iter().any(|call| call.status == 402), "the quota was never reached");
}

#[tokio::test]
async fn a_job_whose_answer_is_lost_is_found_again_and_not_started_twice() {
    let aws = aws().await;
    let metadata = [("name", "lost-answer"), ("export", "none")];
    aws.upload("seeds/lost.jsonl", data("seed-cooks.jsonl"), &metadata).await.unwrap();
    let run = run_of_upload(aws, "seeds/lost.jsonl").await;
    assert_eq!(answered(&run)["name"], "lost-answer");
    let jobs = aws.emulator("_emulator/jobs").await.unwrap();
    let named = jobs["generationJobs"].as_array().unwrap().iter().filter(|job| job["name"] == "lost-answer");
    assert_eq!(named.count(), 1);
}

#[tokio::test]
async fn a_look_that_takes_too_long_is_given_up_and_taken_again() {
    let aws = aws().await;
    aws.upload("seeds/slow.jsonl", data("seed-cooks.jsonl"), &[("name", "slow-look"), ("export", "none")])
        .await
        .unwrap();
    answered(&run_of_upload(aws, "seeds/slow.jsonl").await);
    let faults = aws.emulator("_emulator/faults").await.unwrap();
    let slow = faults["faults"].as_array().unwrap().iter().find(|fault| fault["name"] == "slow-look").unwrap();
    assert_eq!(slow["struck"], 3);
}

#[tokio::test]
async fn exports_that_fail_do_not_stop_the_others_and_the_end_says_which_are_there() {
    let aws = aws().await;
    let metadata = [("name", "partly"), ("export", "1pct,2pct,5pct,10pct")];
    aws.upload("seeds/partly.jsonl", data("seed-runners.jsonl"), &metadata).await.unwrap();
    let run = run_of_upload(aws, "seeds/partly.jsonl").await;
    assert_eq!(run.error.as_deref(), Some("ExportFailed"));
    let cause = run.cause.clone().unwrap();
    let bucket = aws.output("SeedBucketName").unwrap();
    assert!(cause.ends_with(&format!(" Report: s3://{bucket}/{}index.html.", run.report_folder())), "{cause}");
    for part in
        ["2 of 4 exports", "2pct (ExportFailed", "An internal error", "5pct (InvalidRequest", "Exported: 1pct, 10pct."]
    {
        assert!(cause.contains(part), "{cause}");
    }
    let jobs = aws.emulator("_emulator/jobs").await.unwrap();
    let exports = jobs["exportJobs"].as_array().unwrap().iter();
    let ready: BTreeSet<_> = exports
        .filter(|export| export["status"] == "ACTIVE")
        .filter_map(|export| export["name"].as_str())
        .filter(|name| name.starts_with("partly-"))
        .collect();
    assert_eq!(ready, BTreeSet::from(["partly-1pct", "partly-10pct"]));
}

#[tokio::test]
async fn what_another_account_hides_is_left_out_and_a_choice_by_it_is_told() {
    let aws = aws().await;
    let upload = |name: &'static str, export: &'static str| async move {
        let key = format!("seeds/{name}.jsonl");
        aws.upload(&key, data("seed-runners.jsonl"), &[("name", name), ("export", export)]).await.unwrap();
        run_of_upload(aws, &key).await
    };
    let run = upload("hidden-1", "1pct").await;
    let answer = answered(&run);
    assert_eq!(answer["exports"][0]["status"], "ACTIVE");
    assert!(answer["exports"][0]["outputLocation"].is_null() && answer["metrics"].is_null(), "{answer}");

    let run = upload("hidden-2", "relevance>=0.1").await;
    assert_eq!(run.error.as_deref(), Some("NoSizeQualifies"), "{:?}", run.cause);
    let bucket = aws.output("SeedBucketName").unwrap();
    let twin = aws.read(&format!("s3://{bucket}/{}report.json", run.report_folder())).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&twin).unwrap()["run"]["error"], "NoSizeQualifies");
}

#[tokio::test]
async fn a_seed_that_was_replaced_before_it_was_read_says_so_and_starts_nothing() {
    let aws = aws().await;
    let key = "seeds/replaced.jsonl";
    let bucket = aws.output("SeedBucketName").unwrap();
    aws.upload(key, data("seed-runners.jsonl"), &[]).await.unwrap();
    let head = aws.s3().head_object().bucket(bucket).key(key).send().await.unwrap();
    aws.upload(key, data("seed-cooks.jsonl"), &[]).await.unwrap();
    let etag = head.e_tag.unwrap();
    let input = json!({"upload": {"bucket": bucket, "key": key, "etag": etag.trim_matches('"'), "sequencer": "1"}});
    let run = run_of_input(aws, WORKFLOW, "replaced", &input).await;
    assert_eq!(run.error.as_deref(), Some("NotFound"));
    assert!(run.cause.unwrap().contains("was replaced before it could be read"));
    assert_eq!(accepted(aws, "StartAudienceGenerationJob", "replaced").await, 0);
}

#[tokio::test]
async fn a_seed_of_any_size_is_read_within_the_functions_memory_and_a_refused_one_leaves_nothing() {
    let aws = aws().await;
    let bucket = aws.output("SeedBucketName").unwrap();
    let seed = |users: u32| (0..users).map(|user| format!("{{\"user_id\":\"user-{user:08}\"}}\n")).collect::<String>();
    let largest = data("seed-runners.jsonl") + &seed(499_300);
    let pack = |text: &str| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let long_line = format!("{{\"user_id\":\"{}\"}}\n", "x".repeat(100_000_000));
    for (name, body, end) in [
        ("largest", largest.clone().into_bytes(), Ok(())),
        ("too-many", seed(600_000).into_bytes(), Err("more than 500000 unique users")),
        ("too-many-packed", pack(&seed(600_000)), Err("more than 500000 unique users")),
        ("long-line", pack(&(long_line + &seed(100))), Err("line 1 is longer than 65536 bytes")),
        ("one-user", pack(&seed(1).repeat(3_000_000)), Err("1 unique user")),
    ] {
        let key = format!("seeds/large/{name}");
        aws.upload(&key, body, &[("export", "none")]).await.unwrap();
        let run = run_of_upload(aws, &key).await;
        let copy = aws.list(&format!("s3://{bucket}/{}", run.checked_prefix())).await.unwrap();
        match end {
            Ok(()) => {
                assert_eq!(answered(&run)["seed"]["uniqueUsers"], 500_000);
                let copied = aws.read(copy.iter().find(|place| place.contains(".jsonl")).unwrap()).await.unwrap();
                assert!(copied == largest.as_bytes());
            }
            Err(why) => {
                assert_eq!(run.error.as_deref(), Some("InvalidSeed"), "{name}: {:?}", run.cause);
                assert!(run.cause.as_deref().unwrap().contains(why), "{:?}", run.cause);
                assert_eq!(copy, Vec::<String>::new());
            }
        }
    }
    let unfinished = aws.s3().list_multipart_uploads().bucket(bucket).send().await.unwrap();
    assert_eq!(unfinished.uploads().len(), 0);
}
