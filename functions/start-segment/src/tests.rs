#![allow(clippy::unwrap_used)]
use std::time::SystemTime;

use aws_config::retry::RetryConfig;
use aws_sdk_personalize::Client;
use aws_sdk_personalize::operation::create_batch_segment_job::CreateBatchSegmentJobOutput;
use aws_sdk_personalize::operation::describe_solution_version::DescribeSolutionVersionOutput;
use aws_sdk_personalize::operation::list_batch_segment_jobs::ListBatchSegmentJobsOutput;
use aws_sdk_personalize::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_personalize::primitives::{DateTime, DateTimeFormat};
use aws_sdk_personalize::types::{BatchSegmentJobSummary, SolutionVersion, Tag};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use lookalike::once::StartState;
use serde_json::json;

use super::*;

const VERSION: &str = "arn:aws:personalize:us-east-1:123456789012:solution/runners/1b2c3d4e";
const RUN: &str = "arn:aws:states:us-east-1:123456789012:execution:segment:run";
const JOB: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/run";
const SECOND_JOB: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/run-again";

fn at(time: &str) -> String {
    format!("2026-11-22T{time}Z")
}

fn time(time: &str) -> DateTime {
    DateTime::from_str(&at(time), DateTimeFormat::DateTime).unwrap()
}

fn moment(text: &str) -> Moment {
    time(text).into()
}

/// The run started at 16:00 and its deadline is at 18:00.
fn event(now: &str, start: Value) -> Value {
    let mut event = json!({
        "checkedRequest": "s3://seeds/checked/run.json", "deadline": at("18:00:00"),
        "attempt": {"enteredTime": at(now), "redriveCount": 0},
        "inputKind": "itemId", "skipped": [],
        "execution": {"id": RUN, "name": "run", "startTime": at("16:00:00")},
    });
    event["start"] = start;
    event
}

fn not_started() -> Value {
    json!({"state": "NOT_STARTED", "redriveCount": 0, "quotaWaits": 0})
}

fn unknown_since(time: &str) -> Value {
    json!({"state": "UNKNOWN", "since": at(time), "redriveCount": 0, "quotaWaits": 0})
}

/// A request with a name that is derived from the execution's, or with another one.
fn request(name: &str) -> Value {
    json!({
        "jobName": name, "solutionVersionArn": VERSION, "numResults": 1000, "deadlineSeconds": 60,
        "filterArn": "arn:aws:personalize:us-east-1:123456789012:filter/adults",
        "jobInput": {"s3DataSource": {"path": "s3://b/in", "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"}},
        "jobOutput": {"s3DataDestination": {"path": "s3://b/out/"}},
        "roleArn": "arn:aws:iam::123456789012:role/segments",
        "tags": [{"tagKey": "team", "tagValue": "growth"}],
    })
}

/// The name that is tried if another run's job has the first one.
fn second_name() -> String {
    let execution: Execution = serde_json::from_value(event("16:00:00", not_started())["execution"].clone()).unwrap();
    job::names_to_try(&"run".parse().unwrap(), &execution)[1].to_string()
}

fn starting() -> Rule {
    mock!(Client::create_batch_segment_job)
        .then_output(|| CreateBatchSegmentJobOutput::builder().batch_segment_job_arn(JOB).build())
}

/// An error as the service sends it.
fn failure(code: &str) -> HttpResponse {
    let body = json!({"__type": code, "message": "no"}).to_string();
    HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body))
}

fn rejecting(code: &'static str) -> Rule {
    mock!(Client::create_batch_segment_job).then_http_response(move || failure(code))
}

fn conflicting() -> Rule {
    rejecting("ResourceAlreadyExistsException")
}

fn listed(name: &str, created: &str) -> BatchSegmentJobSummary {
    let job = BatchSegmentJobSummary::builder().job_name(name).batch_segment_job_arn(JOB);
    job.solution_version_arn(VERSION).creation_date_time(time(created)).build()
}

fn listing(jobs: Vec<BatchSegmentJobSummary>) -> Rule {
    mock!(Client::list_batch_segment_jobs)
        .match_requests(|list| list.solution_version_arn() == Some(VERSION) && list.max_results() == Some(100))
        .then_output(move || ListBatchSegmentJobsOutput::builder().set_batch_segment_jobs(Some(jobs.clone())).build())
}

fn list_failing() -> Rule {
    mock!(Client::list_batch_segment_jobs).then_http_response(|| failure("ThrottlingException"))
}

/// The tags of a job: those of the run that started it.
fn tagged(arn: &'static str, run: &'static str) -> Rule {
    mock!(Client::list_tags_for_resource).match_requests(move |list| list.resource_arn() == Some(arn)).then_output(
        move || {
            let tags = [("team", "growth"), ("lookalike:run", run)];
            let tags = tags.map(|(key, value)| Tag::builder().tag_key(key).tag_value(value).build().unwrap());
            ListTagsForResourceOutput::builder().set_tags(Some(tags.to_vec())).build()
        },
    )
}

fn tags_failing() -> Rule {
    mock!(Client::list_tags_for_resource).then_http_response(|| failure("ResourceNotFoundException"))
}

fn solution_version(recipe: &'static str) -> Rule {
    mock!(Client::describe_solution_version)
        .match_requests(|describe| describe.solution_version_arn() == Some(VERSION))
        .then_output(move || {
            let arn = format!("arn:aws:personalize:::recipe/{recipe}");
            let version = SolutionVersion::builder().recipe_arn(arn).build();
            DescribeSolutionVersionOutput::builder().solution_version(version).build()
        })
}

fn no_solution_version(code: &'static str) -> Rule {
    mock!(Client::describe_solution_version).then_http_response(move || failure(code))
}

fn reading(request: &Value) -> Rule {
    let body = request.to_string();
    mock!(aws_sdk_s3::Client::get_object)
        .match_requests(|get| get.bucket() == Some("seeds") && get.key() == Some("checked/run.json"))
        .then_output(move || GetObjectOutput::builder().body(ByteStream::from(body.clone().into_bytes())).build())
}

/// Makes an attempt. A call without a rule fails the test.
async fn handle(event: Value, get: &Rule, rules: &[&Rule]) -> Result<Answer, Error> {
    let s3 =
        mock_client!(aws_sdk_s3, RuleMode::MatchAny, [get], |config| { config.retry_config(RetryConfig::disabled()) });
    let personalize = mock_client!(aws_sdk_personalize, RuleMode::MatchAny, rules, |config| {
        config.retry_config(RetryConfig::disabled())
    });
    let now = DateTime::from_str(event["attempt"]["enteredTime"].as_str().unwrap(), DateTimeFormat::DateTime).unwrap();
    let clock = StaticTimeSource::new(SystemTime::try_from(now).unwrap()).into();
    StartSegment { s3, personalize, clock, stack: "stack".into() }.handle(event).await
}

/// Makes an attempt for a solution whose recipe matches the input.
async fn attempt_of(name: &str, now: &str, start: Value, rules: &[&Rule]) -> Answer {
    let version = solution_version("aws-item-affinity");
    let rules: Vec<&Rule> = rules.iter().copied().chain([&version]).collect();
    handle(event(now, start), &reading(&request(name)), &rules).await.unwrap()
}

async fn attempt(now: &str, start: Value, rules: &[&Rule]) -> Answer {
    attempt_of("run", now, start, rules).await
}

async fn first_attempt(rules: &[&Rule]) -> Answer {
    attempt("16:10:00", not_started(), rules).await
}

/// The start as the next event has it.
fn next(answer: &Answer) -> Value {
    serde_json::to_value(&answer.start).unwrap()
}

fn error(answer: &Answer) -> &str {
    answer.start.error.as_deref().unwrap()
}

fn cause(answer: &Answer) -> &str {
    answer.start.cause.as_deref().unwrap()
}

#[tokio::test]
async fn a_first_attempt_starts_at_once_with_every_field_and_our_tags() {
    let start = mock!(Client::create_batch_segment_job)
        .match_requests(|request| {
            let input = request.job_input().unwrap().s3_data_source().unwrap();
            let output = request.job_output().unwrap().s3_data_destination().unwrap();
            let tags: Vec<_> = request.tags().iter().map(|tag| (tag.tag_key(), tag.tag_value())).collect();
            request.job_name() == Some("run")
                && request.solution_version_arn() == Some(VERSION)
                && request.filter_arn() == Some("arn:aws:personalize:us-east-1:123456789012:filter/adults")
                && request.num_results() == Some(1000)
                && (input.path(), input.kms_key_arn())
                    == ("s3://b/in", Some("arn:aws:kms:us-east-1:123456789012:key/1"))
                && (output.path(), output.kms_key_arn()) == ("s3://b/out/", None)
                && request.role_arn() == Some("arn:aws:iam::123456789012:role/segments")
                && tags == [("team", "growth"), ("lookalike:stack", "stack"), ("lookalike:run", RUN)]
        })
        .then_output(|| CreateBatchSegmentJobOutput::builder().batch_segment_job_arn(JOB).build());
    let answer = first_attempt(&[&start, &tagged(JOB, RUN)]).await;
    assert_eq!((answer.start.state, start.num_calls()), (StartState::Started, 1));
}

#[tokio::test]
async fn a_started_job_is_proven_with_one_list_of_its_tags() {
    let (start, tags, list) = (starting(), tagged(JOB, RUN), listing(Vec::new()));
    let answer = first_attempt(&[&start, &tags, &list]).await;
    assert_eq!((start.num_calls(), tags.num_calls(), list.num_calls()), (1, 1, 0));
    let expected = json!({
        "start": {"state": "STARTED", "since": at("16:10:00"), "redriveCount": 0, "quotaWaits": 0},
        "batchSegmentJobArn": JOB, "name": "run", "skipped": [],
    });
    assert_eq!(serde_json::to_value(answer).unwrap(), expected);
}

#[tokio::test]
async fn an_attempt_whose_proof_fails_is_unknown_since_it_was_entered() {
    let answer = first_attempt(&[&starting(), &tags_failing()]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:10:00"))));
    assert_eq!(answer.batch_segment_job_arn, None);
}

#[tokio::test]
async fn an_answer_without_an_arn_is_unknown() {
    let start = mock!(Client::create_batch_segment_job).then_output(|| CreateBatchSegmentJobOutput::builder().build());
    assert_eq!(first_attempt(&[&start]).await.start.state, StartState::Unknown);
}

#[tokio::test]
async fn a_start_that_fails_is_not_sent_again_by_the_sdk() {
    let lost = mock!(Client::create_batch_segment_job).sequence().http_status(500, None).times(5).build();
    let rules = [&lost, &solution_version("aws-item-affinity")];
    let s3 = mock_client!(aws_sdk_s3, [&reading(&request("run"))]);
    let personalize = mock_client!(aws_sdk_personalize, RuleMode::MatchAny, rules);
    let clock = StaticTimeSource::new(SystemTime::try_from(time("16:10:00")).unwrap()).into();
    let function = StartSegment { s3, personalize, clock, stack: "stack".into() };
    let answer = function.handle(event("16:10:00", not_started())).await.unwrap();
    assert_eq!((answer.start.state, lost.num_calls()), (StartState::Unknown, 1));
}

#[tokio::test]
async fn an_unknown_attempt_takes_the_job_on_the_second_page_of_one_list() {
    let first = mock!(Client::list_batch_segment_jobs)
        .match_requests(|list| list.solution_version_arn() == Some(VERSION) && list.next_token().is_none())
        .then_output(|| ListBatchSegmentJobsOutput::builder().next_token("2").build());
    let second = mock!(Client::list_batch_segment_jobs)
        .match_requests(|list| list.solution_version_arn() == Some(VERSION) && list.next_token() == Some("2"))
        .then_output(|| ListBatchSegmentJobsOutput::builder().batch_segment_jobs(listed("run", "16:10:01")).build());
    let (tags, start) = (tagged(JOB, RUN), starting());
    let answer = attempt("16:12:00", unknown_since("16:10:00"), &[&first, &second, &tags, &start]).await;
    assert_eq!((answer.start.state, answer.batch_segment_job_arn.as_deref()), (StartState::Started, Some(JOB)));
    assert_eq!([&first, &second, &tags, &start].map(Rule::num_calls), [1, 1, 1, 0]);
}

#[tokio::test]
async fn one_list_of_100_a_page_is_read_for_both_candidate_names() {
    let list = listing(vec![listed(&second_name(), "16:10:01")]);
    let answer = attempt("16:12:00", unknown_since("16:10:00"), &[&list, &tagged(JOB, RUN)]).await;
    assert_eq!((answer.name.unwrap().as_str(), list.num_calls()), (second_name().as_str(), 1));
}

/// Returns how far a start is that was unknown, after a look-up that shows a job of this time and run.
async fn looked_up(created: &str, run: &'static str) -> StartState {
    let rules = [&listing(vec![listed("run", created)]), &tagged(JOB, run)];
    let answer = attempt("16:12:00", unknown_since("16:10:00"), &rules).await;
    assert_eq!(answer.batch_segment_job_arn.is_some(), answer.start.state == StartState::Started);
    answer.start.state
}

#[tokio::test]
async fn a_listed_job_with_another_runs_tag_is_not_accepted() {
    assert_eq!(looked_up("16:10:01", "arn:another").await, StartState::Unknown);
}

#[tokio::test]
async fn a_listed_job_created_over_60_s_before_the_run_is_not_accepted() {
    assert_eq!(looked_up("15:58:59", RUN).await, StartState::Unknown);
}

#[tokio::test]
async fn a_listed_job_created_by_a_clock_60_s_behind_is_accepted() {
    assert_eq!(looked_up("15:59:00", RUN).await, StartState::Started);
}

#[tokio::test]
async fn a_job_that_no_list_shows_is_not_started_again_within_910_s() {
    let (list, start) = (listing(Vec::new()), starting());
    let answer = attempt("16:25:09", unknown_since("16:10:00"), &[&list, &start]).await;
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:10:00"))));
    assert_eq!((list.num_calls(), start.num_calls()), (1, 0));
}

#[tokio::test]
async fn a_job_that_no_list_shows_is_started_again_after_910_s() {
    let (list, start) = (listing(Vec::new()), starting());
    let answer = attempt("16:25:10", unknown_since("16:10:00"), &[&list, &start, &tagged(JOB, RUN)]).await;
    assert_eq!((answer.start.state, list.num_calls(), start.num_calls()), (StartState::Started, 1, 1));
}

#[tokio::test]
async fn a_list_that_cannot_be_read_proves_nothing() {
    let (list, start) = (list_failing(), starting());
    let answer = attempt("17:30:00", unknown_since("16:10:00"), &[&list, &start]).await;
    assert_eq!((answer.start.state, start.num_calls()), (StartState::Unknown, 0));
}

#[tokio::test]
async fn a_full_quota_and_throttling_wait_without_a_list() {
    for (code, name, quota_waits) in [
        ("LimitExceededException", "QuotaExceeded", 2),
        ("ThrottlingException", "Throttled", 0),
        ("ResourceInUseException", "Throttled", 0),
    ] {
        let (rejected, list) = (rejecting(code), listing(Vec::new()));
        let answer = first_attempt(&[&rejected, &list]).await;
        let answer = attempt("16:12:00", next(&answer), &[&rejected, &list]).await;
        assert_eq!((answer.start.state, error(&answer)), (StartState::Waiting, name));
        assert_eq!((answer.start.quota_waits, list.num_calls()), (quota_waits, 0));
    }
}

#[tokio::test]
async fn a_start_that_is_denied_for_30_minutes_is_rejected_with_the_reason() {
    let denied = rejecting("AccessDeniedException");
    let answer = first_attempt(&[&denied]).await;
    let answer = attempt("16:39:59", next(&answer), &[&denied]).await;
    assert_eq!(answer.start.state, StartState::Waiting);
    let answer = attempt("16:40:00", next(&answer), &[&denied]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "AccessDenied"));
    assert!(cause(&answer).contains("new permissions need time"), "{}", cause(&answer));
}

#[tokio::test]
async fn a_request_that_the_service_does_not_accept_is_rejected_at_once() {
    for (code, name) in [
        ("InvalidInputException", "InvalidRequest"),
        ("TooManyTagsException", "InvalidRequest"),
        ("ResourceNotFoundException", "NotFound"),
    ] {
        let answer = first_attempt(&[&rejecting(code)]).await;
        assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, name));
        assert!(cause(&answer).starts_with("starting batch segment job run: no"), "{}", cause(&answer));
    }
}

#[tokio::test]
async fn a_conflict_with_the_runs_own_job_takes_it() {
    let rules = [&conflicting(), &listing(vec![listed("run", "16:10:00")]), &tagged(JOB, RUN)];
    assert_eq!(first_attempt(&rules).await.batch_segment_job_arn.as_deref(), Some(JOB));
}

#[tokio::test]
async fn a_given_name_that_another_runs_job_has_is_a_conflict() {
    let rules = [&conflicting(), &listing(vec![listed("given", "16:10:00")]), &tagged(JOB, "arn:another")];
    let answer = attempt_of("given", "16:10:00", not_started(), &rules).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "Conflict"));
    assert!(cause(&answer).starts_with("A job named given exists already"), "{}", cause(&answer));
}

#[tokio::test]
async fn a_derived_name_that_another_runs_job_has_gives_way_to_the_next() {
    let second = mock!(Client::create_batch_segment_job)
        .match_requests(|start| start.job_name() == Some(second_name().as_str()))
        .then_output(|| CreateBatchSegmentJobOutput::builder().batch_segment_job_arn(SECOND_JOB).build());
    let list = listing(vec![listed("run", "16:10:00")]);
    let rules = [&second, &conflicting(), &list, &tagged(JOB, "arn:another"), &tagged(SECOND_JOB, RUN)];
    let answer = first_attempt(&rules).await;
    assert_eq!(answer.batch_segment_job_arn.as_deref(), Some(SECOND_JOB));
    assert_eq!(answer.name.unwrap().as_str(), second_name());
}

#[tokio::test]
async fn a_conflict_whose_job_no_list_shows_is_final_after_910_s() {
    let rules = [&conflicting(), &listing(Vec::new())];
    let answer = attempt_of("given", "16:10:00", not_started(), &rules).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Unknown, "Conflict"));
    let answer = attempt_of("given", "16:25:10", next(&answer), &rules).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "Conflict"));
}

#[tokio::test]
async fn a_start_that_answers_another_runs_job_is_not_accepted() {
    let answer = attempt_of("given", "16:10:00", not_started(), &[&starting(), &tagged(JOB, "arn:another")]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "Conflict"));
}

#[tokio::test]
async fn a_redrive_makes_a_start_that_was_under_way_unknown() {
    let mut event = event("16:30:00", not_started());
    event["attempt"]["redriveCount"] = json!(1);
    let (list, start) = (listing(Vec::new()), starting());
    let answer = handle(event, &reading(&request("run")), &[&list, &start]).await.unwrap();
    assert_eq!((answer.start.state, answer.start.since), (StartState::Unknown, Some(moment("16:30:00"))));
    assert_eq!((list.num_calls(), start.num_calls()), (1, 0));
}

#[tokio::test]
async fn after_the_deadline_nothing_is_started_and_nothing_else_is_read() {
    let answer = handle(event("18:00:00", not_started()), &reading(&request("run")), &[]).await.unwrap();
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "DeadlineExceeded"));
}

#[tokio::test]
async fn after_the_deadline_an_unknown_job_is_looked_up_once() {
    let list = listing(Vec::new());
    let answer = attempt_of("given", "18:00:00", unknown_since("17:59:00"), &[&list]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "DeadlineExceeded"));
    assert!(cause(&answer).starts_with("It is not known whether the job given was started"), "{}", cause(&answer));
    assert_eq!(list.num_calls(), 1);
}

fn unreadable() -> Rule {
    mock!(aws_sdk_s3::Client::get_object).then_http_response(|| {
        let body = "<Error><Code>SlowDown</Code><Message>no</Message></Error>";
        HttpResponse::new(503.try_into().unwrap(), SdkBody::from(body))
    })
}

#[tokio::test]
async fn a_checked_request_that_cannot_be_read_leaves_the_state_as_it_was() {
    for (before, state) in [(not_started(), StartState::NotStarted), (unknown_since("16:10:00"), StartState::Unknown)] {
        let answer = handle(event("16:40:00", before.clone()), &unreadable(), &[]).await.unwrap();
        assert_eq!((answer.start.state, error(&answer)), (state, "Throttled"));
        assert_eq!(next(&answer)["since"], before["since"]);
        assert_eq!((answer.batch_segment_job_arn, answer.name), (None, None));
    }
}

#[tokio::test]
async fn a_checked_request_that_cannot_be_read_ends_at_the_deadline() {
    for before in [not_started(), unknown_since("17:50:00")] {
        let answer = handle(event("18:00:00", before), &unreadable(), &[]).await.unwrap();
        assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "DeadlineExceeded"));
    }
}

/// Makes an attempt for a solution version with this answer.
async fn attempt_with(version: &Rule, start: Value, rules: &[&Rule]) -> Answer {
    let rules: Vec<&Rule> = rules.iter().copied().chain([version]).collect();
    handle(event("16:12:00", start), &reading(&request("run")), &rules).await.unwrap()
}

#[tokio::test]
async fn a_recipe_of_the_other_kind_of_input_is_rejected() {
    let other = solution_version("aws-item-attribute-affinity");
    let answer = attempt_with(&other, not_started(), &[]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "InvalidRequest"));
    assert!(cause(&answer).contains("its recipe reads lines of itemAttributes"), "{}", cause(&answer));
}

#[tokio::test]
async fn a_solution_version_that_is_not_found_is_rejected() {
    let answer = attempt_with(&no_solution_version("ResourceNotFoundException"), not_started(), &[]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::Rejected, "NotFound"));
    assert!(cause(&answer).ends_with("Check solutionVersionArn."), "{}", cause(&answer));
}

#[tokio::test]
async fn a_solution_version_that_cannot_be_read_now_starts_nothing() {
    let answer = attempt_with(&no_solution_version("ThrottlingException"), not_started(), &[]).await;
    assert_eq!((answer.start.state, error(&answer)), (StartState::NotStarted, "Throttled"));
}

#[tokio::test]
async fn a_recipe_that_may_not_be_read_is_skipped() {
    let denied = no_solution_version("AccessDeniedException");
    let answer = attempt_with(&denied, not_started(), &[&starting(), &tagged(JOB, RUN)]).await;
    assert_eq!((answer.start.state, answer.skipped), (StartState::Started, vec![Skipped::Recipe]));
}

#[tokio::test]
async fn an_input_that_was_not_read_is_not_compared_with_the_recipe() {
    let mut event = event("16:10:00", not_started());
    event["inputKind"] = Value::Null;
    event["skipped"] = json!(["input"]);
    let rules = [&solution_version("aws-item-attribute-affinity"), &starting(), &tagged(JOB, RUN)];
    let answer = handle(event, &reading(&request("run")), &rules).await.unwrap();
    assert_eq!((answer.start.state, answer.skipped), (StartState::Started, vec![Skipped::Input, Skipped::Recipe]));
}

#[tokio::test]
async fn a_job_that_exists_is_found_though_its_solution_is_gone() {
    let (missing, start) = (no_solution_version("ResourceNotFoundException"), starting());
    let rules = [&listing(vec![listed("run", "16:10:01")]), &tagged(JOB, RUN), &start];
    let answer = attempt_with(&missing, unknown_since("16:10:00"), &rules).await;
    assert_eq!((answer.start.state, answer.batch_segment_job_arn.as_deref()), (StartState::Started, Some(JOB)));
    assert_eq!((start.num_calls(), missing.num_calls()), (0, 0));
}

#[tokio::test]
async fn the_recipe_is_not_read_while_an_attempt_is_unknown() {
    let version = solution_version("aws-item-affinity");
    attempt_with(&version, unknown_since("16:10:00"), &[&listing(Vec::new())]).await;
    assert_eq!(version.num_calls(), 0);
}

#[tokio::test]
async fn an_event_of_another_form_is_an_error() {
    let mut event = event("16:10:00", not_started());
    event["start"] = Value::Null;
    let error = handle(event, &reading(&request("run")), &[]).await.unwrap_err();
    assert_eq!(error.name, ErrorName::InvalidRequest);
}

#[test]
fn the_sample_event_is_of_the_functions_form() {
    let sample = include_str!("../../../tests/events/start-segment.json");
    read_event::<Event>(serde_json::from_str(sample).unwrap()).map(|_| ()).unwrap();
}
