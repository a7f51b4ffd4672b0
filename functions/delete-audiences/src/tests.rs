#![allow(clippy::unwrap_used)]
use std::sync::{Arc, Mutex};

use super::*;
use aws_sdk_cleanroomsml::operation::delete_audience_generation_job::DeleteAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::GetAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::operation::list_audience_export_jobs::ListAudienceExportJobsOutput;
use aws_sdk_cleanroomsml::operation::list_audience_generation_jobs::ListAudienceGenerationJobsOutput;
use aws_sdk_cleanroomsml::primitives::DateTime;
use aws_sdk_cleanroomsml::types::{
    AudienceExportJobStatus, AudienceExportJobSummary, AudienceGenerationJobStatus as Status,
    AudienceGenerationJobSummary, AudienceSize, AudienceSizeType,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

fn days_ago(days: u64) -> DateTime {
    DateTime::from(SystemTime::now() - Duration::from_secs(days * 86_400))
}

fn listed(arn: &str, status: &str, days: u64) -> AudienceGenerationJobSummary {
    AudienceGenerationJobSummary::builder()
        .audience_generation_job_arn(arn)
        .name(arn)
        .status(Status::from(status))
        .create_time(days_ago(days))
        .update_time(days_ago(days))
        .configured_audience_model_arn("model")
        .started_by("1")
        .build()
        .unwrap()
}

/// The pages of the list of jobs, each of which leads to the next.
fn pages(pages: Vec<Vec<AudienceGenerationJobSummary>>) -> Vec<Rule> {
    let last = pages.len() - 1;
    let pages = pages.into_iter().enumerate().map(|(place, jobs)| {
        let token = (place > 0).then(|| place.to_string());
        let next = (place < last).then(|| (place + 1).to_string());
        mock!(Client::list_audience_generation_jobs)
            .match_requests(move |request| request.next_token() == token.as_deref())
            .then_output(move || {
                let page = ListAudienceGenerationJobsOutput::builder().set_next_token(next.clone());
                page.set_audience_generation_jobs(Some(jobs.clone())).build().unwrap()
            })
    });
    pages.collect()
}

/// A job with the tag of that stack.
fn tagged(arn: &'static str, stack: &'static str) -> Rule {
    mock!(Client::get_audience_generation_job)
        .match_requests(move |request| request.audience_generation_job_arn() == Some(arn))
        .then_output(move || {
            GetAudienceGenerationJobOutput::builder()
                .audience_generation_job_arn(arn)
                .name(arn)
                .status(Status::Active)
                .create_time(days_ago(40))
                .update_time(days_ago(40))
                .configured_audience_model_arn("model")
                .tags("lookalike:stack", stack)
                .build()
                .unwrap()
        })
}

/// The exports of a job: two pages where there are any.
fn exports(arn: &'static str, exports: &[(&'static str, u64)]) -> Vec<Rule> {
    let page = |place: usize, found: &[(&'static str, u64)], has_more: bool| {
        let token = (place > 0).then(|| "more".to_owned());
        let found: Vec<_> = found
            .iter()
            .map(|(status, days)| {
                let size = AudienceSize::builder().r#type(AudienceSizeType::Percentage).value(5).build().unwrap();
                AudienceExportJobSummary::builder()
                    .name("export")
                    .audience_generation_job_arn(arn)
                    .audience_size(size)
                    .status(AudienceExportJobStatus::from(*status))
                    .create_time(days_ago(40))
                    .update_time(days_ago(*days))
                    .build()
                    .unwrap()
            })
            .collect();
        mock!(Client::list_audience_export_jobs)
            .match_requests(move |request| {
                request.audience_generation_job_arn() == Some(arn) && request.next_token() == token.as_deref()
            })
            .then_output(move || {
                let page = ListAudienceExportJobsOutput::builder().set_next_token(has_more.then(|| "more".to_owned()));
                page.set_audience_export_jobs(Some(found.clone())).build().unwrap()
            })
    };
    let (first, rest) = exports.split_at(exports.len().min(1));
    vec![page(0, first, !rest.is_empty()), page(1, rest, false)]
}

/// Which jobs were deleted, in that order.
type Deleted = Arc<Mutex<Vec<String>>>;

fn deletions(deleted: &Deleted) -> Rule {
    let deleted = Arc::clone(deleted);
    mock!(Client::delete_audience_generation_job)
        .match_requests(move |request| {
            deleted.lock().unwrap().push(request.audience_generation_job_arn().unwrap().to_owned());
            true
        })
        .then_output(|| DeleteAudienceGenerationJobOutput::builder().build())
}

/// An error as the service puts it on the wire.
fn refusal(status: u16, code: &'static str) -> HttpResponse {
    let mut response =
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(json!({"message": "no"}).to_string()));
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn refused_deletion(arn: &'static str, status: u16, code: &'static str) -> Rule {
    mock!(Client::delete_audience_generation_job)
        .match_requests(move |request| request.audience_generation_job_arn() == Some(arn))
        .then_http_response(move || refusal(status, code))
}

fn retention() -> Retention {
    Retention::new("1".into(), "stack".into(), 30, 172_800).unwrap()
}

async fn delete(rules: &[Rule], seconds: u64) -> Result<Answer, Error> {
    let rules: Vec<&Rule> = rules.iter().collect();
    let ml = mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, &rules);
    delete_old(Some(&retention()), SystemTime::now() + Duration::from_secs(seconds), &ml).await
}

#[tokio::test]
async fn of_all_pages_only_this_stacks_old_audiences_are_deleted_the_oldest_first() {
    let deleted = Deleted::default();
    let mut shared = listed("shared", "ACTIVE", 90);
    shared.started_by = Some("2".into());
    let mut rules = pages(vec![
        vec![listed("old", "ACTIVE", 31), listed("young", "ACTIVE", 29), listed("running", "CREATE_IN_PROGRESS", 40)],
        vec![],
        vec![
            listed("oldest", "CREATE_FAILED", 90),
            listed("other", "ACTIVE", 90),
            listed("going", "DELETE_PENDING", 90),
        ],
    ]);
    rules.extend([tagged("old", "stack"), tagged("oldest", "stack")]);
    rules.extend([tagged("other", "stack-2"), deletions(&deleted)]);
    rules.extend([exports("old", &[("ACTIVE", 31), ("CREATE_FAILED", 40)]), exports("oldest", &[])].concat());
    assert_eq!(delete(&rules, 900).await.unwrap(), Answer { deleted: 2, postponed: 0 });
    assert_eq!(*deleted.lock().unwrap(), ["oldest", "old"]);
}

#[tokio::test]
async fn an_audience_stays_while_an_export_on_any_page_is_pending_or_young() {
    for export in [("CREATE_IN_PROGRESS", 40), ("ACTIVE", 29)] {
        let mut rules = pages(vec![vec![listed("old", "ACTIVE", 31)]]);
        rules.push(tagged("old", "stack"));
        rules.extend(exports("old", &[("ACTIVE", 40), export]));
        assert_eq!(delete(&rules, 900).await.unwrap(), Answer::default(), "{export:?}");
    }
}

#[tokio::test]
async fn one_that_somebody_else_deletes_is_no_error() {
    let gone = mock!(Client::get_audience_generation_job)
        .match_requests(|request| request.audience_generation_job_arn() == Some("gone"))
        .then_http_response(|| refusal(404, "ResourceNotFoundException"));
    let names = ["gone", "going", "lost", "busy"];
    let mut rules = pages(vec![names.map(|name| listed(name, "ACTIVE", 31)).to_vec()]);
    rules.extend([gone, tagged("going", "stack")]);
    rules.extend([tagged("lost", "stack"), tagged("busy", "stack")]);
    rules.extend([exports("going", &[]), exports("lost", &[]), exports("busy", &[])].concat());
    rules.push(refused_deletion("going", 409, "ConflictException"));
    rules.push(refused_deletion("lost", 404, "ResourceNotFoundException"));
    rules.push(refused_deletion("busy", 409, "ConflictException"));
    assert_eq!(delete(&rules, 900).await.unwrap(), Answer::default());
}

#[tokio::test]
async fn what_cannot_be_deleted_is_named_at_the_end_and_does_not_stop_the_others() {
    let deleted = Deleted::default();
    let mut rules = pages(vec![vec![listed("denied", "ACTIVE", 50), listed("old", "ACTIVE", 31)]]);
    rules.extend([tagged("denied", "stack"), tagged("old", "stack")]);
    rules.extend([exports("denied", &[]), exports("old", &[])].concat());
    rules.extend([refused_deletion("denied", 403, "AccessDeniedException"), deletions(&deleted)]);
    let error = delete(&rules, 900).await.unwrap_err();
    assert_eq!(error.name, ErrorName::AccessDenied);
    assert!(error.message.starts_with("1 audiences could not be deleted: deleting denied: no (Acc"), "{error}");
    assert_eq!(*deleted.lock().unwrap(), ["old"]);
}

#[tokio::test]
async fn without_enough_time_nothing_is_begun_and_the_rest_is_counted() {
    let rules = pages(vec![vec![listed("old", "ACTIVE", 31), listed("older", "ACTIVE", 32)]]);
    for seconds in [0, 299] {
        assert_eq!(delete(&rules, seconds).await.unwrap(), Answer { deleted: 0, postponed: 2 });
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_deletes_nothing_and_says_so() {
    let rule =
        mock!(Client::list_audience_generation_jobs).then_http_response(|| refusal(403, "AccessDeniedException"));
    let error = delete(&[rule], 900).await.unwrap_err();
    assert_eq!(error.name, ErrorName::AccessDenied);
    assert!(error.message.starts_with("listing audience generation jobs: "), "{error}");
}

#[tokio::test]
async fn a_stack_that_keeps_its_audiences_asks_for_nothing() {
    let ml = mock_client!(aws_sdk_cleanroomsml, RuleMode::MatchAny, &[]);
    let retention = Retention::new("1".into(), "stack".into(), 0, 172_800);
    let answer = delete_old(retention.as_ref(), SystemTime::now() + ENOUGH * 2, &ml).await;
    assert_eq!(answer.unwrap(), Answer::default());
}
