//! Lists, their pages, and the list of calls.

use std::collections::BTreeSet;

use aws_smithy_types::date_time::Format;
use serde_json::Value;

use crate::running::{COLLABORATION, MODEL, ROLE, Running, refusal};

#[tokio::test]
async fn every_job_is_on_one_page_and_the_sdks_paginator_finds_them_all() {
    let running = Running::start().await;
    for number in 0..7 {
        running.start_runners(&format!("job {number}")).await;
    }
    let mut pages = running.client.list_audience_generation_jobs().max_results(3).into_paginator().send();
    let mut names = Vec::new();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        let jobs = page.unwrap().audience_generation_jobs;
        sizes.push(jobs.len());
        names.extend(jobs.into_iter().map(|job| job.name));
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 7, "{names:?}");
}

#[tokio::test]
async fn a_page_has_at_most_a_hundred_entries_unless_asked_for_fewer() {
    let running = Running::start_with(|config| {
        config["maxExportsPerGenerationJob"] = 101.into();
        config["maxExportJobsInFlight"] = 101.into();
    })
    .await;
    let job = running.active("runners").await;
    for number in 0..101 {
        running.export(&job, &format!("export {number}"), 5).await.unwrap();
    }
    let list = running.client.list_audience_export_jobs();
    let first = list.clone().send().await.unwrap();
    assert_eq!(first.audience_export_jobs.len(), 100);
    let second = list.next_token(first.next_token.unwrap()).send().await.unwrap();
    assert_eq!(second.audience_export_jobs.len(), 1);
    assert_eq!(second.next_token, None);
}

#[tokio::test]
async fn lists_are_filtered() {
    let running = Running::start().await;
    let one = running.active("one").await;
    let place = "s3://seeds/runners.jsonl";
    let two = running.generation("two", place).collaboration_id(COLLABORATION).send().await.unwrap();
    running.export(&one, "five", 5).await.unwrap();
    let list = running.client.list_audience_generation_jobs();
    let count = async |list: aws_sdk_cleanroomsml::operation::list_audience_generation_jobs::builders::ListAudienceGenerationJobsFluentBuilder| {
        list.send().await.unwrap().audience_generation_jobs.len()
    };
    assert_eq!(count(list.clone().configured_audience_model_arn(MODEL)).await, 2);
    assert_eq!(count(list.clone().configured_audience_model_arn(format!("{MODEL}0"))).await, 0);
    assert_eq!(count(list.clone().collaboration_id(COLLABORATION)).await, 1);
    assert_eq!(running.exports(&one).await.len(), 1);
    assert_eq!(running.exports(&two.audience_generation_job_arn).await.len(), 0);
}

#[tokio::test]
async fn a_bad_token_a_bad_page_size_and_a_bad_filter_are_validation_errors() {
    let running = Running::start().await;
    for number in 0..2 {
        running.start_runners(&format!("job {number}")).await;
    }
    let list = running.client.list_audience_generation_jobs();
    let token = list.clone().max_results(1).send().await.unwrap().next_token.unwrap();
    let made_up = list.clone().next_token("made up").send().await;
    refusal(made_up.unwrap_err()).assert("ValidationException", 400, "'nextToken'");
    let of_another_list = running.client.list_audience_export_jobs().next_token(token).send().await;
    refusal(of_another_list.unwrap_err()).assert("ValidationException", 400, "'nextToken'");
    for size in [0, 101, -1] {
        let page = list.clone().max_results(size).send().await;
        refusal(page.unwrap_err()).assert("ValidationException", 400, "'maxResults'");
    }
    let filter = list.configured_audience_model_arn("no-arn-at-all-of-anything").send().await;
    refusal(filter.unwrap_err()).assert("ValidationException", 400, "'configuredAudienceModelArn'");
}

#[tokio::test]
async fn a_page_size_is_written_in_digits() {
    let running = Running::start().await;
    for size in ["+5", "5.0", "", "five"] {
        let answer = running.by_hand("GET", &format!("/audience-generation-job?maxResults={size}"), "").await;
        assert_eq!(answer.status, 400, "{size}: {answer:?}");
    }
}

#[tokio::test]
async fn a_model_tells_its_sizes_its_least_seed_and_where_exports_go() {
    let running = Running::start().await;
    let model =
        running.client.get_configured_audience_model().configured_audience_model_arn(MODEL).send().await.unwrap();
    assert_eq!(model.configured_audience_model_arn, MODEL);
    assert_eq!(model.name, "small town");
    assert_eq!(model.min_matching_seed_size, Some(30));
    let sizes = model.audience_size_config.unwrap();
    assert_eq!(sizes.audience_size_type.as_str(), "PERCENTAGE");
    assert_eq!(sizes.audience_size_bins, [5, 20, 50]);
    let output = model.output_config.unwrap();
    assert_eq!(output.destination.unwrap().s3_destination.unwrap().s3_uri, "s3://audiences/exports/");
    assert_eq!(model.shared_audience_metrics[0].as_str(), "ALL");
    assert!(model.audience_model_arn.contains(":audience-model/"));
    assert!(model.create_time.fmt(Format::DateTime).is_ok());
    let models = running.client.list_configured_audience_models().send().await.unwrap();
    assert_eq!(models.configured_audience_models[0].configured_audience_model_arn, MODEL);
}

#[tokio::test]
async fn times_are_iso_8601_with_milliseconds() {
    let running = Running::start().await;
    running.start_runners("runners").await;
    let list = running.by_hand("GET", "/audience-generation-job", "").await;
    let list: Value = serde_json::from_str(&list.body).unwrap();
    let time = list["audienceGenerationJobs"][0]["createTime"].as_str().unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
}

#[tokio::test]
async fn every_call_is_listed_with_its_name_and_status_and_without_its_content() {
    let running = Running::start().await;
    let job = running.start_runners("runners").await;
    running.ended(&job).await;
    running.export(&job, "six", 6).await.unwrap_err();
    running.by_hand("PUT", "/nowhere", "secret").await;
    let calls = running.calls().await;
    let told = |call: &Value| {
        let name = call["name"].as_str().unwrap_or_default().to_owned();
        (call["operation"].as_str().unwrap().to_owned(), name, call["status"].as_u64().unwrap())
    };
    let entry = |operation: &str, name: &str, status| (operation.to_owned(), name.to_owned(), status);
    assert_eq!(told(&calls[0]), entry("StartAudienceGenerationJob", "runners", 200));
    assert_eq!(told(&calls[1]), entry("GetAudienceGenerationJob", "runners", 200));
    assert_eq!(told(&calls[calls.len() - 2]), entry("StartAudienceExportJob", "six", 400));
    assert_eq!(told(&calls[calls.len() - 1]), entry("UnknownOperation", "", 404));
    let all = serde_json::to_string(&calls).unwrap();
    for secret in ["s3://", ROLE, "secret", "u000"] {
        assert!(!all.contains(secret), "{all}");
    }
}
