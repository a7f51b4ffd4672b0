//! Faults: every kind as a client meets it, the calls and jobs that it applies to, and how often it happens.

use std::time::Instant;

use aws_sdk_cleanroomsml::types::{AudienceExportJobStatus, AudienceGenerationJobStatus as Status};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use serde_json::{Value, json};

use crate::running::{ROLE, Running, pause, refusal, seed};

const SEED: &str = "s3://seeds/runners.jsonl";
const START: &str = "StartAudienceGenerationJob";

/// The answer to the start of a generation job of that name.
async fn start(running: &Running, name: &str) -> Result<String, SdkError<impl std::fmt::Debug, HttpResponse>> {
    let started = running.generation(name, SEED).send().await;
    started.map(|job| job.audience_generation_job_arn)
}

/// The members of that name of every generation job that was truly started.
async fn generations(running: &Running, member: &str) -> Vec<String> {
    let started = running.started().await;
    let jobs = started["generationJobs"].as_array().unwrap().clone();
    jobs.iter().map(|job| job[member].as_str().unwrap_or_default().to_owned()).collect()
}

async fn until_started(running: &Running, name: &str) {
    let since = Instant::now();
    while generations(running, "name").await != [name] {
        pause(since).await;
    }
}

async fn until_struck(running: &Running) {
    let since = Instant::now();
    while running.struck().await != [1] {
        pause(since).await;
    }
}

/// The first generation job was deleted after it was created and in a form that sorts; the second was not deleted.
async fn assert_deleted_in_order(running: &Running) {
    let created = generations(running, "createTime").await;
    let deleted = generations(running, "deletedTime").await;
    assert!(deleted[0].ends_with('Z') && created[0] < deleted[0], "{created:?} {deleted:?}");
    assert_eq!(deleted[1], "");
}

/// Of each call: whether it was performed, its status and its fault.
async fn told(running: &Running) -> Vec<(bool, u64, String)> {
    let calls = running.calls().await;
    let told = |call: &Value| {
        let fault = call["fault"].as_str().unwrap_or_default().to_owned();
        (call["performed"].as_bool().unwrap(), call["status"].as_u64().unwrap(), fault)
    };
    calls.iter().map(told).collect()
}

fn entry(performed: bool, status: u64, fault: &str) -> (bool, u64, String) {
    (performed, status, fault.to_owned())
}

#[tokio::test]
async fn an_error_is_answered_and_nothing_is_performed() {
    let running = Running::start().await;
    let errors = [
        ("ValidationException", 400),
        ("ServiceQuotaExceededException", 402),
        ("AccessDeniedException", 403),
        ("ResourceNotFoundException", 404),
        ("ConflictException", 409),
        ("ThrottlingException", 429),
        ("InternalServerException", 500),
        ("ServiceUnavailableException", 503),
    ];
    for (error, status) in errors {
        running.arm(json!([{"times": 1, "fault": {"kind": "error", "error": error, "message": "not now"}}])).await;
        refusal(running.generation("run", SEED).send().await.unwrap_err()).assert(error, status, "not now");
        let last = told(&running).await.pop().unwrap();
        assert_eq!(last, entry(false, status.into(), "error"));
    }
    assert!(generations(&running, "name").await.is_empty());
    start(&running, "run").await.unwrap();
    assert_eq!(told(&running).await.pop().unwrap(), entry(true, 200, ""));
}

#[tokio::test]
async fn a_connection_that_drops_before_is_no_answer_and_nothing_is_performed() {
    let running = Running::start().await;
    running.arm(json!([{"operation": START, "times": 1, "fault": {"kind": "dropBefore"}}])).await;
    let lost = start(&running, "run").await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert!(generations(&running, "name").await.is_empty());
    start(&running, "run").await.unwrap();
    assert_eq!(told(&running).await, [entry(false, 0, "dropBefore"), entry(true, 200, "")]);
}

#[tokio::test]
async fn a_connection_that_drops_after_is_no_answer_and_the_job_is_there() {
    let running = Running::start().await;
    running.arm(json!([{"operation": START, "times": 1, "fault": {"kind": "acceptThenDrop"}}])).await;
    let lost = start(&running, "run").await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(generations(&running, "name").await, ["run"]);
    let again = running.generation("run", SEED).send().await.unwrap_err();
    refusal(again).assert("ConflictException", 409, "'run'");
    assert_eq!(told(&running).await, [entry(true, 0, "acceptThenDrop"), entry(false, 409, "")]);
}

#[tokio::test]
async fn a_connection_that_drops_says_not_even_a_status() {
    let running = Running::start().await;
    for kind in ["dropBefore", "acceptThenDrop"] {
        running.arm(json!([{"fault": {"kind": kind}}])).await;
        let answer = running.answer_if_any("GET", "/audience-generation-job", "", "").await;
        assert!(answer.is_none(), "{kind}: {answer:?}");
    }
}

#[tokio::test]
async fn an_error_may_hide_that_the_job_was_started() {
    let running = Running::start().await;
    running.arm(json!([{"name": "one", "fault": {"kind": "acceptThenError"}}])).await;
    let one = running.generation("one", SEED).send().await.unwrap_err();
    refusal(one).assert("InternalServerException", 500, "acceptThenError");
    let fault = json!({"kind": "acceptThenError", "error": "ThrottlingException", "message": "too late"});
    running.arm(json!([{ "fault": fault }])).await;
    let two = running.generation("two", SEED).send().await.unwrap_err();
    refusal(two).assert("ThrottlingException", 429, "too late");
    assert_eq!(generations(&running, "name").await, ["one", "two"]);
    assert_eq!(told(&running).await, [entry(true, 500, "acceptThenError"), entry(true, 429, "acceptThenError")]);
}

#[tokio::test]
async fn a_slow_answer_takes_its_time() {
    let running = Running::start().await;
    for before in [false, true] {
        running.arm(json!([{"fault": {"kind": "slow", "seconds": 0.3, "beforePerforming": before}}])).await;
        let since = Instant::now();
        start(&running, &format!("before: {before}")).await.unwrap();
        assert!(since.elapsed().as_secs_f64() >= 0.3, "it took {:?}", since.elapsed());
    }
    assert_eq!(told(&running).await, [entry(true, 200, "slow"), entry(true, 200, "slow")]);
}

#[tokio::test]
async fn a_slow_answers_job_is_there_long_before_it() {
    let running = Running::start().await;
    running.arm(json!([{"fault": {"kind": "slow", "seconds": 3600}}])).await;
    let waiting = tokio::spawn(running.generation("run", SEED).send());
    until_started(&running, "run").await;
    assert_eq!(told(&running).await, [entry(true, 0, "slow")]);
    assert!(!waiting.is_finished());
}

#[tokio::test]
async fn a_call_that_is_slow_before_it_is_performed_starts_nothing_for_long() {
    let running = Running::start().await;
    running.arm(json!([{"fault": {"kind": "slow", "seconds": 3600, "beforePerforming": true}}])).await;
    let waiting = tokio::spawn(running.generation("run", SEED).send());
    until_struck(&running).await;
    // A job that is not so slow comes and is there: this one had all the time.
    running.arm(json!([])).await;
    start(&running, "other").await.unwrap();
    assert_eq!(generations(&running, "name").await, ["other"]);
    assert!(!waiting.is_finished());
}

#[tokio::test]
async fn a_slow_call_is_performed_though_the_client_has_gone() {
    let running = Running::start().await;
    running.arm(json!([{"fault": {"kind": "slow", "seconds": 0.5, "beforePerforming": true}}])).await;
    let waiting = tokio::spawn(running.generation("run", SEED).send());
    until_struck(&running).await;
    waiting.abort();
    until_started(&running, "run").await;
}

#[tokio::test]
async fn a_status_that_nobody_knows_passes_or_stays() {
    let running = Running::start().await;
    let for_ever = json!({"name": "for ever", "fault": {"kind": "unknownStatus"}});
    let fault = json!({"kind": "unknownStatus", "status": "CREATE_QUEUED", "seconds": 1});
    running.arm(json!([for_ever, { "fault": fault }])).await;
    let waiting = running.start_runners("for ever").await;
    let queued = running.start_runners("a while").await;
    let since = Instant::now();
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("ACTIVE") {
        let job = running.job(&queued).await;
        assert_eq!(job.metrics.is_some(), job.status == Status::Active);
        if seen.last().map(String::as_str) != Some(job.status.as_str()) {
            seen.push(job.status.as_str().to_owned());
        }
        pause(since).await;
    }
    // Not every one of the others need have been looked at in its time.
    assert_eq!(seen[0], "CREATE_QUEUED");
    assert!(since.elapsed().as_secs_f64() >= 0.9, "it took {:?}", since.elapsed());
    assert_eq!(running.job(&waiting).await.status.as_str(), "CREATE_WAITING");
    assert_eq!(generations(&running, "status").await, ["CREATE_WAITING", "ACTIVE"]);
    assert_eq!(generations(&running, "fault").await, ["unknownStatus", "unknownStatus"]);

    running.export(&queued, "for ever", 5).await.unwrap();
    assert_eq!(running.exports(&queued).await[0].status.as_str(), "CREATE_WAITING");
}

#[tokio::test]
async fn a_stuck_job_stays_in_progress_while_others_end() {
    let running = Running::start().await;
    running.arm(json!([{"name": "stuck", "fault": {"kind": "stuck"}}])).await;
    let stuck = running.start_runners("stuck").await;
    let job = running.active("other").await;
    assert_eq!(running.job(&stuck).await.status, Status::CreateInProgress);
    running.export(&job, "stuck", 5).await.unwrap();
    running.export(&job, "other", 5).await.unwrap();
    let since = Instant::now();
    let exports = loop {
        let exports = running.exports(&job).await;
        if exports[1].status == AudienceExportJobStatus::Active {
            break exports;
        }
        pause(since).await;
    };
    assert_eq!(exports[0].status, AudienceExportJobStatus::CreateInProgress);
    assert_eq!(running.struck().await, [2]);
}

#[tokio::test]
async fn a_job_deleted_midway_is_gone_from_progress_and_still_counts_as_started() {
    let running = Running::start_with(|config| config["generationSeconds"] = 2.into()).await;
    running.arm(json!([{"times": 1, "fault": {"kind": "deletedMidway"}}])).await;
    let since = Instant::now();
    let arn = running.start_runners("run").await;
    let mut last = None;
    let gone = loop {
        match running.client.get_audience_generation_job().audience_generation_job_arn(&arn).send().await {
            Ok(job) => last = Some(job.status),
            Err(error) => break refusal(error),
        }
        pause(since).await;
    };
    gone.assert("ResourceNotFoundException", 404, &arn);
    assert_eq!(last, Some(Status::CreateInProgress));
    assert!(running.client.list_audience_generation_jobs().send().await.unwrap().audience_generation_jobs.is_empty());
    start(&running, "run").await.unwrap();
    assert_eq!(generations(&running, "status").await, ["DELETED", "CREATE_PENDING"]);
    assert_deleted_in_order(&running).await;
}

#[tokio::test]
async fn a_job_that_is_deleted_says_when_from_the_moment_it_is_asked() {
    let running = Running::start_with(|config| config["deletionSeconds"] = 3600.into()).await;
    let arn = running.active("one").await;
    running.active("two").await;
    let before = generations(&running, "deletedTime").await;
    assert_eq!(before, ["", ""]);
    running.client.delete_audience_generation_job().audience_generation_job_arn(&arn).send().await.unwrap();
    assert_eq!(generations(&running, "status").await, ["DELETE_PENDING", "ACTIVE"]);
    assert_deleted_in_order(&running).await;
}

#[tokio::test]
async fn a_job_fails_as_it_is_told_to() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    let fails = json!({"kind": "fails", "statusCode": "QUERY_TIMEOUT", "message": "The query took too long."});
    running.arm(json!([{ "name": "said", "fault": fails }, {"name": "unsaid", "fault": {"kind": "fails"}}])).await;

    let said = running.ended(&running.start_runners("said").await).await;
    assert_eq!(said.status, Status::CreateFailed);
    let details = said.status_details.unwrap();
    assert_eq!(details.status_code.as_deref(), Some("QUERY_TIMEOUT"));
    assert_eq!(details.message.as_deref(), Some("The query took too long."));
    let unsaid = running.ended(&running.start_runners("unsaid").await).await;
    assert_eq!((unsaid.status, unsaid.status_details), (Status::CreateFailed, None));

    running.export(&job, "said", 5).await.unwrap();
    let export = running.ended_exports(&job).await.pop().unwrap();
    assert_eq!(export.status, AudienceExportJobStatus::CreateFailed);
    assert_eq!(export.status_details.unwrap().status_code.as_deref(), Some("QUERY_TIMEOUT"));
    assert_eq!(export.output_location, None);
}

#[tokio::test]
async fn hidden_members_are_shown_again_after_the_fault() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    for name in ["hidden", "plain"] {
        running.export(&job, name, 5).await.unwrap();
    }
    running.ended_exports(&job).await;
    let places = async || {
        let exports = running.exports(&job).await;
        exports.iter().map(|export| export.output_location.is_some()).collect::<Vec<_>>()
    };
    let place = json!({"name": "hidden", "times": 1, "fault": {"kind": "hiddenOutputLocation"}});
    let metrics = json!({"times": 1, "fault": {"kind": "hiddenMetrics"}});
    running.arm(json!([place, metrics])).await;
    // A job without metrics has none to hide: it does not count.
    let other = running.generation("other", "s3://seeds/none").send().await.unwrap().audience_generation_job_arn;
    assert_eq!(running.ended(&other).await.metrics, None);
    assert_eq!(running.struck().await, [0, 0]);
    assert_eq!(places().await, [false, true]);
    assert_eq!(running.job(&job).await.metrics, None);
    assert_eq!(running.struck().await, [1, 1]);
    assert_eq!(places().await, [true, true]);
    assert!(running.job(&job).await.metrics.is_some());
}

#[tokio::test]
async fn short_pages_come_whatever_is_asked_and_still_lead_to_everything() {
    let running = Running::start().await;
    for number in 0..5 {
        running.start_runners(&format!("job {number}")).await;
    }
    running.arm(json!([{"fault": {"kind": "pageSize", "entries": 2}}])).await;
    let mut pages = running.client.list_audience_generation_jobs().max_results(100).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().audience_generation_jobs.len());
    }
    assert_eq!(sizes, [2, 2, 1]);
    let one = running.client.list_audience_generation_jobs().max_results(1).send().await.unwrap();
    assert_eq!(one.audience_generation_jobs.len(), 1);
    let models = running.client.list_configured_audience_models().send().await.unwrap();
    assert_eq!(models.configured_audience_models.len(), 1);
}

#[tokio::test]
async fn a_list_learns_of_a_job_late_while_get_knows_it() {
    let running = Running::start().await;
    let job = running.active("runners").await;
    let never = json!({"name": "late", "fault": {"kind": "listDelay", "seconds": 3600}});
    running.arm(json!([never])).await;
    let late = running.start_runners("late").await;
    running.export(&job, "late", 5).await.unwrap();
    running.export(&job, "soon", 5).await.unwrap();
    let names = async || {
        let jobs = running.client.list_audience_generation_jobs().send().await.unwrap().audience_generation_jobs;
        let exports = running.exports(&job).await;
        let jobs = jobs.into_iter().map(|job| job.name);
        jobs.chain(exports.into_iter().map(|export| export.name)).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["runners", "soon"]);
    assert_eq!(running.job(&late).await.name, "late");

    // As old as it is when the delay has passed.
    let since = Instant::now();
    running.arm(json!([{"name": "late", "fault": {"kind": "listDelay", "seconds": 0.3}}])).await;
    while names().await != ["runners", "late", "late", "soon"] {
        pause(since).await;
    }
}

#[tokio::test]
async fn a_fault_hits_only_its_calls_and_no_more_often_than_it_says() {
    let running = Running::start().await;
    let error = json!({"kind": "error", "error": "ThrottlingException"});
    let twice = json!({"operation": START, "namePrefix": "spring-", "times": 2, "fault": error});
    running.arm(json!([twice])).await;
    start(&running, "autumn").await.unwrap();
    start(&running, "spring-1").await.unwrap_err();
    running.client.list_audience_generation_jobs().send().await.unwrap();
    start(&running, "spring-2").await.unwrap_err();
    assert_eq!(running.struck().await, [2]);
    let job = start(&running, "spring-1").await.unwrap();
    assert_eq!(running.struck().await, [2]);

    // A call that has an ARN is about the job of that ARN.
    let get = json!({"operation": "GetAudienceGenerationJob", "name": "spring-1", "fault": error});
    running.arm(json!([get])).await;
    let refused = running.client.get_audience_generation_job().audience_generation_job_arn(job).send().await;
    refusal(refused.unwrap_err()).assert("ThrottlingException", 429, "error");
}

#[tokio::test]
async fn the_first_fault_that_hits_a_call_is_the_only_one() {
    let running = Running::start().await;
    let quota = json!({"times": 1, "fault": {"kind": "error", "error": "ServiceQuotaExceededException"}});
    let throttled = json!({"fault": {"kind": "error", "error": "ThrottlingException"}});
    running.arm(json!([quota, throttled])).await;
    let first = running.generation("run", SEED).send().await.unwrap_err();
    refusal(first).assert("ServiceQuotaExceededException", 402, "");
    let second = running.generation("run", SEED).send().await.unwrap_err();
    refusal(second).assert("ThrottlingException", 429, "");
    assert_eq!(running.struck().await, [1, 1]);
}

#[tokio::test]
async fn a_run_of_chance_is_replayed_by_its_seed() {
    let running = Running::start().await;
    let run = async |seed: u64| {
        let fault = json!({"probability": 0.5, "fault": {"kind": "error", "error": "ThrottlingException"}});
        let plan = json!({"faultSeed": seed, "faults": [fault]});
        running.by_hand("PUT", "/_emulator/faults", &plan.to_string()).await;
        let mut struck = Vec::new();
        for _ in 0..40 {
            struck.push(running.client.list_audience_generation_jobs().send().await.is_err());
        }
        struck
    };
    let first = run(1).await;
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
    assert_ne!(run(2).await, first);
    assert_eq!(run(1).await, first);
}

#[tokio::test]
async fn faults_of_the_configuration_happen_until_they_are_cleared() {
    let running = Running::start_with(|config| {
        config["faults"] = json!([{"fault": {"kind": "error", "error": "ServiceUnavailableException"}}]);
        config["faultSeed"] = 7.into();
    })
    .await;
    let refused = running.generation("run", SEED).send().await.unwrap_err();
    refusal(refused).assert("ServiceUnavailableException", 503, "");
    let shown: Value = serde_json::from_str(&running.by_hand("GET", "/_emulator/faults", "").await.body).unwrap();
    let fault = json!({"fault": {"kind": "error", "error": "ServiceUnavailableException"}, "struck": 1});
    assert_eq!(shown, json!({"faultSeed": 7, "faults": [fault]}));
    assert_eq!(running.by_hand("DELETE", "/_emulator/faults", "").await.status, 204);
    assert!(running.struck().await.is_empty());
    start(&running, "run").await.unwrap();
}

#[tokio::test]
async fn faults_that_are_wrong_are_refused_and_the_old_ones_stay() {
    let running = Running::start().await;
    running.arm(json!([{"fault": {"kind": "stuck"}}])).await;
    for (wrong, told) in [
        (r#"{"faults": [{"fault": {"kind": "gremlin"}}]}"#, "gremlin"),
        (r#"{"faults": [{"probability": 2, "fault": {"kind": "stuck"}}]}"#, "faults[0].probability"),
        ("[]", "invalid"),
    ] {
        let answer = running.by_hand("PUT", "/_emulator/faults", wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.body.contains(told), "{}", answer.body);
    }
    assert_eq!(running.struck().await, [0]);
}

#[tokio::test]
async fn what_was_started_is_listed_without_its_content() {
    let running = Running::start().await;
    let place = running.s3.put("seeds", "runners.jsonl", seed(0..40));
    let job = running.generation("runners", &place).tags("lookalike:run", "spring").send().await.unwrap();
    let job = job.audience_generation_job_arn;
    running.ended(&job).await;
    running.export(&job, "five", 5).await.unwrap();
    running.ended_exports(&job).await;
    running.export(&job, "six", 6).await.unwrap_err();
    running.generation("runners", &place).send().await.unwrap_err();

    let mut started = running.started().await;
    for list in ["generationJobs", "exportJobs"] {
        let time = started[list][0].as_object_mut().unwrap().remove("createTime").unwrap();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    }
    let generation = json!({"name": "runners", "arn": job, "status": "ACTIVE", "tags": {"lookalike:run": "spring"}});
    let size = json!({"type": "PERCENTAGE", "value": 5});
    let export = json!({"name": "five", "audienceGenerationJobArn": job, "audienceSize": size, "status": "ACTIVE"});
    assert_eq!(started, json!({"generationJobs": [generation], "exportJobs": [export], "segmentJobs": []}));
    for secret in ["s3://", ROLE, "u000"] {
        assert!(!started.to_string().contains(secret), "{started}");
    }
}
