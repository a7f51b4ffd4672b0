#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::json;

const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:audience:spring-00ff";
const JOB: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
const SEGMENT_JOB: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring";
/// The run's report.
const PAGE: &str = "s3://seeds/reports/audience/2026-11-22/spring-00ff/index.html";
/// Where the console shows that page.
const PAGE_LINK: &str = "Report: s3://seeds/reports/audience/2026-11-22/spring-00ff/index.html\n  \
    https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=reports/audience/2026-11-22/spring-00ff/index.html\n";

fn machine(workflow: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:stateMachine:{workflow}")
}

fn workflows() -> Workflows {
    Workflows { audience: machine("audience"), segment: machine("segment") }
}

fn time(text: &str) -> Moment {
    text.parse().unwrap()
}

/// An execution with other fields.
fn execution(workflow: &str, status: &str, other: &Value) -> DescribedExecution {
    let text = |name: &str| other[name].as_str().map(str::to_owned);
    DescribedExecution {
        execution_arn: text("executionArn").unwrap_or(EXECUTION.replace(":audience:", &format!(":{workflow}:"))),
        state_machine_arn: machine(workflow),
        status: status.to_owned(),
        start_time: time("2026-11-22T16:00:00Z"),
        stop_time: Some(time("2026-11-22T19:25:03Z")),
        input: text("input").or(Some("{}".to_owned())),
        output: text("output"),
        error: text("error"),
        cause: text("cause"),
        redrive_count: 0,
    }
}

fn read(execution: DescribedExecution) -> Result<Option<Outcome>, Error> {
    Outcome::read(execution, &workflows(), time("2026-11-22T20:00:00Z"))
}

fn outcome(workflow: &str, status: &str, other: &Value) -> Outcome {
    read(execution(workflow, status, other)).unwrap().unwrap()
}

fn failed(error: &str, cause: &str) -> Outcome {
    outcome("audience", "FAILED", &json!({"error": error, "cause": cause}))
}

/// A run whose `CheckRequest` failed: the cause is the JSON of Lambda.
fn failed_task(error: &str) -> Outcome {
    failed(error, &json!({"errorType": error, "errorMessage": "why"}).to_string())
}

fn named(name: &str) -> Outcome {
    outcome("audience", "SUCCEEDED", &json!({"output": json!({ "name": name }).to_string()}))
}

fn audience() -> Value {
    let export = |percent: u32| {
        json!({"name": format!("spring-{percent}pct"), "audienceSize": {"type": "PERCENTAGE", "value": percent},
            "status": "ACTIVE", "outputLocation": format!("s3://out/spring-{percent}pct/")})
    };
    let score = |percent, score| json!({"audienceSize": {"type": "PERCENTAGE", "value": percent}, "score": score});
    json!({
        "name": "spring", "audienceGenerationJobArn": JOB, "skipped": [],
        "seed": {"users": 1200, "uniqueUsers": 1180, "blankLines": 1, "badLines": 0},
        "metrics": {"relevanceMetrics": [score(1, 0.86), score(5, 0.71), score(20, 0.3)], "recallMetric": 0.62},
        "exports": [export(5), export(1)], "report": PAGE, "deadline": "2026-11-24T16:00:00Z",
        "quotaWaits": 2, "statusChecks": 31,
    })
}

fn ready_audience() -> Outcome {
    let input = json!({"upload": {"bucket": "seeds", "key": "seeds/a b.jsonl", "etag": "e"}});
    outcome("audience", "SUCCEEDED", &json!({"output": audience().to_string(), "input": input.to_string()}))
}

fn ready_segment(error_lines: u64) -> Outcome {
    let output = json!({
        "name": "spring", "batchSegmentJobArn": SEGMENT_JOB, "status": "ACTIVE",
        "input": {"lines": 3, "kind": "itemId"}, "warnings": [], "skipped": [],
        "output": {"lines": 3, "users": 1500, "errorLines": error_lines, "firstError": "user-77 is unknown"},
        "outputLocation": "s3://out/segments/", "report": PAGE, "quotaWaits": 1, "statusChecks": 12,
    });
    outcome("segment", "SUCCEEDED", &json!({"output": output.to_string()}))
}

fn detail(outcome: &Outcome) -> Value {
    serde_json::to_value(outcome.detail()).unwrap()
}

fn record(outcome: &Outcome) -> Value {
    serde_json::to_value(outcome.record()).unwrap()
}

#[test]
fn a_ready_audience_is_notified_with_its_sizes_seed_and_links() {
    let outcome = ready_audience();
    assert_eq!((outcome.subject().as_str(), outcome.detail_type()), ("Audience ready: spring", "Audience Ready"));
    assert_eq!(
        outcome.body(),
        "Your audience is ready in 2 sizes, from 1% (relevance 0.86) to 5% (relevance 0.71).\n\
         \n\
         Exported:\n\
         \x20 1%, relevance 0.86: s3://out/spring-1pct/\n\
         \x20   https://us-east-1.console.aws.amazon.com/s3/buckets/out?region=us-east-1&prefix=spring-1pct/\n\
         \x20 5%, relevance 0.71: s3://out/spring-5pct/\n\
         \x20   https://us-east-1.console.aws.amazon.com/s3/buckets/out?region=us-east-1&prefix=spring-5pct/\n\
         \n\
         Recall: 0.62, the share of the users most like the seed that was found.\n\
         Seed: 1,180 users in 1,200 lines, each counted once.\n\
         It waited 2 times for a quota.\n\
         \n\
         It ended on 22 Nov 2026, 19:25 UTC, after 3 h 25 min.\n\
         \n\
         Report: s3://seeds/reports/audience/2026-11-22/spring-00ff/index.html\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=reports/audience/2026-11-22/spring-00ff/index.html\n\
         Run: arn:aws:states:us-east-1:123456789012:execution:audience:spring-00ff\n\
         \x20 https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:audience:spring-00ff\n\
         Started by: s3://seeds/seeds/a b.jsonl\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=seeds/a%20b.jsonl\n"
    );
}

#[test]
fn a_ready_segment_is_notified_with_its_users() {
    let outcome = ready_segment(0);
    assert_eq!((outcome.subject().as_str(), outcome.detail_type()), ("Segment ready: spring", "Segment Ready"));
    assert_eq!(
        outcome.body(),
        "Your segment is ready: 1,500 users for 3 lines of input.\n\
         \n\
         Output: s3://out/segments/\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/buckets/out?region=us-east-1&prefix=segments/\n\
         \n\
         It waited 1 time for a quota.\n\
         \n\
         It ended on 22 Nov 2026, 19:25 UTC, after 3 h 25 min.\n\
         \n\
         Report: s3://seeds/reports/audience/2026-11-22/spring-00ff/index.html\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=reports/audience/2026-11-22/spring-00ff/index.html\n\
         Run: arn:aws:states:us-east-1:123456789012:execution:segment:spring-00ff\n\
         \x20 https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:segment:spring-00ff\n"
    );
}

#[test]
fn a_segment_with_lines_in_error_is_ready_in_part() {
    let body = ready_segment(1).body();
    assert!(body.starts_with("Your segment is ready in part: 1,500 users for 2 of 3 lines of input.\n\n"), "{body}");
    assert!(body.contains("1 line has an error instead of users. What to do:"), "{body}");
    assert!(!body.contains("user-77"), "{body}");
}

#[test]
fn a_failure_after_its_report_was_written_shows_the_report_once() {
    for (workflow, error, job) in
        [("audience", "GenerationFailed", "audience generation job"), ("segment", "SegmentFailed", "batch segment job")]
    {
        let (page, link) =
            (PAGE.replace("audience", workflow), PAGE_LINK.replace("reports/audience", &format!("reports/{workflow}")));
        let cause = format!("The {job} spring failed: no reason. Report: {page}.");
        let outcome = outcome(workflow, "FAILED", &json!({"error": error, "cause": cause}));
        let body = outcome.body();
        assert!(body.contains(&format!("What happened: The {job} spring failed: no reason.\n\n")), "{body}");
        assert!(body.contains(&link) && body.matches(&page).count() == 1, "{body}");
        let detail = detail(&outcome);
        assert_eq!(
            (&detail["report"], &detail["cause"]),
            (&json!(page), &json!(format!("The {job} spring failed: no reason.")))
        );
        follows_the_schemas(&outcome);
    }
}

#[test]
fn a_report_is_shown_complete_after_a_long_cause() {
    let request = json!({"seedAudience": {"sqlParameters": {"queryString": "reports", "parameters": {"p": "spring"}}}});
    let cause = format!("{} of reports in spring. Report: {PAGE}.", "é".repeat(32_000));
    let outcome = outcome("audience", "FAILED", &json!({"error": "E", "cause": cause, "input": request.to_string()}));
    assert!(outcome.body().contains(PAGE_LINK), "{}", outcome.body());
    let cause = detail(&outcome)["cause"].as_str().unwrap().to_owned();
    assert!(cause.ends_with("(cut; the run has the whole)"), "{cause}");
}

#[test]
fn text_that_only_resembles_a_report_stays_in_the_cause() {
    let other = PAGE.replace("spring-00ff", "another");
    let inside = json!({"errorMessage": format!("no. Report: {PAGE}. Fix it.")}).to_string();
    for cause in [format!("no. Report: {other}."), format!("no. Report: {PAGE}"), inside] {
        let outcome = failed("GenerationFailed", &cause);
        let body = outcome.body();
        assert!(body.contains("What happened: no. Report: s3://") && !body.contains("\nReport:"), "{body}");
        assert_eq!(detail(&outcome)["report"], Value::Null);
    }
}

#[test]
fn a_failure_is_notified_with_its_error_cause_and_advice() {
    let outcome = failed("GenerationFailed", "The service gave up: too few users. Upload a larger seed.");
    assert_eq!(outcome.subject(), "Audience failed: spring-00ff (GenerationFailed)");
    let body = outcome.body();
    assert!(
        body.starts_with(
            "The audience run spring-00ff failed: GenerationFailed.\n\nWhat happened: The service gave up: too few users. \
             Upload a larger seed.\n\nWhat to do: follow the message, then start a new run."
        ),
        "{body}"
    );
}

fn command() -> String {
    format!("redrive-execution --execution-arn {EXECUTION}")
}

#[test]
fn a_redrive_is_advised_after_a_task_that_can_succeed_later() {
    use ErrorName as E;
    for name in ErrorName::ALL {
        let can_succeed = matches!(name, E::AccessDenied | E::NotFound | E::Throttled | E::ServiceUnavailable);
        let body = failed_task(name.as_str()).body();
        assert_eq!(body.contains(&command()), can_succeed, "{name}: {body}");
    }
}

#[test]
fn a_redrive_is_advised_after_an_error_of_lambda() {
    for (error, cause) in [
        ("Lambda.TooManyRequestsException", "Rate Exceeded. (Service: Lambda, Status Code: 429)"),
        ("Sandbox.Timedout", r#"{"errorType":"Sandbox.Timedout","errorMessage":"Task timed out"}"#),
        ("States.Timeout", ""),
    ] {
        let body = failed(error, cause).body();
        assert!(body.contains(&command()) && body.contains("check the state that failed"), "{error}: {body}");
    }
}

#[test]
fn a_redrive_is_not_advised_after_an_error_of_the_definition() {
    for error in ["States.Runtime", "States.QueryEvaluationError", "States.DataLimitExceeded"] {
        let body = failed(error, "The JSONata expression threw an error").body();
        assert!(!body.contains("redrive-execution") && body.contains("A redrive would fail again"), "{error}: {body}");
    }
}

#[test]
fn a_redrive_is_never_advised_after_the_fail_state() {
    let errors = ErrorName::ALL.iter().map(|name| name.as_str()).chain(["Lambda.Unknown", "States.Timeout"]);
    for error in errors {
        let cause = "no cause given Deadline: 2026-11-24T16:00:00Z.";
        for workflow in ["audience", "segment"] {
            let body = outcome(workflow, "FAILED", &json!({"error": error, "cause": cause})).body();
            assert!(!body.contains("redrive-execution"), "{error}: {body}");
            assert!(body.contains("A redrive would fail again, because the run ended in its Fail state."), "{error}");
        }
    }
}

#[test]
fn the_fail_state_is_known_by_the_deadline_in_its_cause() {
    let outcome = failed("GenerationFailed", &format!("Why. Deadline: 2026-11-24T16:00:00Z. Report: {PAGE}."));
    assert_eq!(record(&outcome)["deadline"], "2026-11-24T16:00:00Z");
    assert_eq!((&detail(&outcome)["cause"], &detail(&outcome)["report"]), (&json!("Why."), &json!(PAGE)));
}

#[test]
fn a_deadline_with_fractions_of_a_second_is_read() {
    let outcome = failed("GenerationFailed", "Why. Deadline: 2026-11-24T16:00:00.25Z.");
    assert_eq!(record(&outcome)["deadline"], "2026-11-24T16:00:00.25Z");
}

#[test]
fn text_that_only_resembles_a_deadline_stays_in_the_cause() {
    for cause in ["Why. Deadline: soon.", "Why. Deadline: 2026-11-24T16:00:00Z. Or not.", "Why. Deadline: "] {
        let outcome = failed("GenerationFailed", cause);
        assert_eq!(detail(&outcome)["cause"], cause.trim());
        assert_eq!(record(&outcome)["deadline"], Value::Null);
    }
}

#[test]
fn an_advice_without_a_known_deadline_says_how_to_find_it() {
    let body = failed_task("ServiceUnavailable").body();
    assert!(body.contains("redrive it before the run's deadline (DeadlineSeconds after its start)"), "{body}");
}

#[test]
fn an_export_input_is_advised_if_the_audience_is_known() {
    let cause = format!(
        "1 of 2 exports failed: 5pct. To export them, start an execution with audienceGenerationJobArn {JOB} and these \
         sizes. Deadline: 2026-11-24T16:00:00Z."
    );
    for error in ["ExportFailed", "DeadlineExceeded", "ServiceUnavailable"] {
        let outcome = failed(error, &cause);
        let body = outcome.body();
        let input = format!("{{\"audienceGenerationJobArn\": \"{JOB}\", \"export\": \"SIZES\"}}");
        assert!(body.contains(&input), "{error}: {body}");
        assert!(body.contains("is not known: check before you export it again"), "{error}: {body}");
        assert_eq!(detail(&outcome)["audienceGenerationJobArn"], JOB);
    }
}

#[test]
fn the_advised_export_input_starts_nothing_before_it_is_completed() {
    assert!("SIZES".parse::<crate::ExportPolicy>().is_err());
    assert!("5pct,10pct".parse::<crate::ExportPolicy>().is_ok());
}

#[test]
fn an_audience_in_a_cause_counts_only_if_it_is_the_runs_own() {
    let other_account = JOB.replace("123456789012", "999999999999");
    let other_region = JOB.replace("us-east-1", "eu-west-1");
    let two = format!("{JOB} and {JOB}2");
    for cause in [other_account.as_str(), &other_region, &two, "arn:aws:cleanrooms-ml:", "no audience"] {
        let outcome = failed("ExportFailed", cause);
        assert_eq!(detail(&outcome)["audienceGenerationJobArn"], Value::Null, "{cause}");
        follows_the_schemas(&outcome);
    }
    assert_eq!(detail(&failed("ExportFailed", &format!("({JOB}). {JOB}.")))["audienceGenerationJobArn"], JOB);
}

#[test]
fn a_new_run_is_advised_with_a_check_if_a_job_may_exist() {
    let check = "a new run starts and pays for another job";
    for error in ["DeadlineExceeded", "AccessDenied", "NotFound", "QuotaExceeded", "Throttled", "Lambda.Unknown"] {
        let cause = "Why. Deadline: 2026-11-24T16:00:00Z.";
        for (workflow, service) in [("audience", "Clean Rooms ML"), ("segment", "Personalize")] {
            let body = outcome(workflow, "FAILED", &json!({"error": error, "cause": cause})).body();
            assert!(body.contains(check) && body.contains(service), "{error}: {body}");
        }
    }
}

#[test]
fn a_stopped_run_is_notified_as_stopped() {
    let stopped = outcome("audience", "ABORTED", &json!({"error": "Wrong seed", "cause": "Stopped by Kim"}));
    assert_eq!(stopped.subject(), "Audience stopped: spring-00ff");
    let body = stopped.body();
    assert!(body.starts_with("The audience run spring-00ff was stopped before it ended."), "{body}");
    assert!(body.contains("What happened: Stopped by Kim") && body.contains("continues in the service"), "{body}");
    assert!(body.contains(&command()), "{body}");
    assert_eq!((stopped.detail_type(), &detail(&stopped)["error"]), ("Audience Failed", &json!("Aborted")));
}

#[test]
fn a_stopped_run_is_stopped_whatever_its_cause_says() {
    let cause = "why Deadline: 2026-11-24T16:00:00Z.";
    let body = outcome("audience", "ABORTED", &json!({ "cause": cause })).body();
    assert!(body.contains(&command()), "{body}");
}

#[test]
fn a_run_that_timed_out_is_a_failure_that_a_redrive_can_continue() {
    let timed_out = outcome("segment", "TIMED_OUT", &json!({}));
    assert_eq!(timed_out.subject(), "Segment failed: spring-00ff (States.Timeout)");
    let body = timed_out.body();
    assert!(body.contains("took longer than Step Functions allows") && body.contains("redrive-execution"), "{body}");
    assert_eq!((timed_out.detail_type(), &detail(&timed_out)["error"]), ("Segment Failed", &json!("States.Timeout")));
}

#[test]
fn the_message_of_a_function_is_taken_out_of_its_json() {
    let cause =
        json!({"errorType": "InvalidSeed", "errorMessage": "line 3: \"x\"\nFix it.", "trace": ["at secret.rs"]});
    assert_eq!(detail(&failed("InvalidSeed", &cause.to_string()))["cause"], "line 3: \"x\"\nFix it.");
    for other in ["{\"errorMessage\": 3}", "{broken", "[]", "null"] {
        assert_eq!(detail(&failed("InvalidSeed", other))["cause"], other);
    }
}

#[test]
fn an_execution_that_has_not_ended_has_no_outcome() {
    for status in ["RUNNING", "PENDING_REDRIVE", "SOMETHING_NEW"] {
        assert!(read(execution("audience", status, &json!({}))).unwrap().is_none(), "{status}");
    }
}

#[test]
fn an_execution_of_another_state_machine_is_rejected() {
    let error = read(execution("another", "FAILED", &json!({}))).err().unwrap();
    assert_eq!(error.name, ErrorName::InvalidRequest);
}

#[test]
fn any_name_makes_a_subject_that_sns_accepts() {
    for (name, subject) in [
        ("a\r\nBcc: x\u{7}\tb", "Audience ready: a Bcc: x b".to_owned()),
        ("say \"hi\" <b>'", "Audience ready: say \"hi\" <b>'".to_owned()),
        ("Frühling \u{202e}x", "Audience ready: Fr?hling x".to_owned()),
        (&"é".repeat(63), format!("Audience ready: {}", "?".repeat(63))),
        (&"x".repeat(300), format!("Audience ready: {}...", "x".repeat(77))),
    ] {
        assert_eq!(named(name).subject(), subject);
    }
    let arn = EXECUTION.replace("spring-00ff", &"n".repeat(80));
    let subject = outcome("audience", "FAILED", &json!({"executionArn": arn, "error": "E".repeat(200)})).subject();
    assert!(subject.len() < 100 && subject.starts_with("Audience failed: nnn"), "{subject}");
    assert!(subject.ends_with(&format!("n... ({}...)", "E".repeat(45))), "{subject}");
}

#[test]
fn a_blank_name_is_replaced_by_the_executions() {
    assert_eq!(named(" \n ").subject(), "Audience ready: spring-00ff");
    let nameless = outcome("audience", "FAILED", &json!({"error": ""}));
    assert_eq!(nameless.subject(), "Audience failed: spring-00ff (Unknown)");
}

#[test]
fn a_cause_is_plain_text_of_limited_length() {
    let body = failed("Odd", "<b>&amp;</b>\r\nnext\u{0}\u{1b}[31m\u{85}last\u{202e}\u{feff}").body();
    assert!(body.contains("What happened: <b>&amp;</b>\nnext[31m\nlast\n"), "{body}");
    let outcome = failed("Odd", &"é".repeat(32 * 1024));
    let cause = detail(&outcome)["cause"].as_str().unwrap().to_owned();
    assert_eq!(cause.chars().count(), MAX_CAUSE);
    assert!(cause.ends_with("é [...] (cut; the run has the whole)") && outcome.body().len() < 10_000);
}

#[test]
fn an_outcome_is_read_though_its_output_is_odd() {
    let odd = json!({"name": 3, "seed": {"users": -1}, "metrics": [], "exports": [1, {"audienceSize": 2}], "report": "x",
        "quotaWaits": "2", "audienceGenerationJobArn": "x", "deadline": "soon"});
    for output in [odd.to_string(), "[]".into(), "{broken".into(), "null".into()] {
        let outcome = outcome("audience", "SUCCEEDED", &json!({"output": output, "input": "{broken"}));
        assert_eq!((outcome.subject().as_str(), outcome.metrics().count()), ("Audience ready: spring-00ff", 1));
        assert!(outcome.body().contains("Run: arn:aws"));
        follows_the_schemas(&outcome);
    }
    assert!(outcome("audience", "SUCCEEDED", &json!({})).body().contains("The run's page shows its exports."));
}

#[test]
fn an_arn_of_no_known_partition_has_no_links() {
    let elsewhere = outcome("segment", "SUCCEEDED", &json!({"executionArn": "no arn"}));
    assert!(!elsewhere.body().contains("https://"), "{}", elsewhere.body());
}

#[test]
fn no_secret_of_a_request_leaves() {
    let request = json!({
        "name": "SECRET-name", "description": "SECRET", "tags": {"SECRET": "SECRET"},
        "seedAudience": {"sqlParameters": {"queryString": "select SECRET from t", "parameters": {"p": "SECRET-p"}}},
        "upload": {"bucket": "b", "key": "k", "versionId": "SECRET", "etag": "SECRET"},
    });
    let mut query = request.clone();
    query.as_object_mut().unwrap().remove("upload");
    let segment = json!({"jobName": "SECRET", "jobInput": {"s3DataSource": {"path": "s3://in/a"}},
        "filterValues": {"SECRET": "SECRET"}, "solutionVersionArn": "SECRET", "numResults": "SECRET"});
    for (status, cause) in [
        ("SUCCEEDED", Value::Null),
        ("FAILED", json!("Query 'select SECRET from t' with SECRET-p is wrong.")),
        ("FAILED", json!({"errorMessage": "'select SECRET from t' is wrong", "trace": ["SECRET"]}).to_string().into()),
        ("ABORTED", json!("SECRET-p")),
        ("TIMED_OUT", Value::Null),
    ] {
        for (workflow, request) in [("audience", &request), ("audience", &query), ("segment", &segment)] {
            let cause = if workflow == "segment" { Value::Null } else { cause.clone() };
            let other =
                json!({"input": request.to_string(), "output": audience().to_string(), "cause": cause, "error": "E"});
            let outcome = outcome(workflow, status, &other);
            let digest = Digest::new([&outcome; 6]).map_or_else(String::new, |digest| digest.subject + &digest.body);
            let texts = (outcome.subject(), outcome.body(), detail(&outcome), record(&outcome));
            assert!(!format!("{texts:?}{digest}").contains("SECRET"), "{texts:?}");
        }
    }
}

#[test]
fn the_metrics_are_those_of_the_run_and_its_largest_export() {
    let metrics: Vec<_> = ready_audience().metrics().map(|(metric, value)| (metric.as_str(), value)).collect();
    assert_eq!(
        metrics,
        [
            ("RunSeconds", 12_303.0),
            ("SeedUsers", 1_200.0),
            ("UniqueSeedUsers", 1_180.0),
            ("Recall", 0.62),
            ("Relevance", 0.71),
            ("QuotaWaits", 2.0),
            ("StatusChecks", 31.0)
        ]
    );
    assert_eq!(ready_audience().error(), None);
    let metrics: Vec<_> = ready_segment(0).metrics().map(|(metric, value)| (metric.as_str(), value)).collect();
    assert_eq!(metrics, [("RunSeconds", 12_303.0), ("QuotaWaits", 1.0), ("StatusChecks", 12.0)]);
}

#[test]
fn status_checks_of_an_earlier_definition_are_counted() {
    let old = outcome("audience", "SUCCEEDED", &json!({"output": json!({"looks": 7}).to_string()}));
    assert!(old.metrics().any(|metric| metric == (Metric::StatusChecks, 7.0)));
}

#[test]
fn unknown_errors_are_one_value_of_a_dimension() {
    for (error, value) in [
        ("InvalidSeed", "InvalidSeed"),
        ("States.Runtime", "States.Runtime"),
        ("Sandbox.Timedout", "Sandbox.Timedout"),
        ("my own", "Other"),
    ] {
        let outcome = failed(error, "why");
        assert_eq!((outcome.workflow(), outcome.status(), outcome.error()), ("Audience", "Failed", Some(value)));
    }
    let stopped = outcome("segment", "ABORTED", &json!({}));
    assert_eq!((stopped.workflow(), stopped.status(), stopped.error()), ("Segment", "Stopped", Some("Aborted")));
}

fn failures(count: usize) -> Vec<Outcome> {
    let arn = |number| EXECUTION.replace("spring-00ff", &format!("run-{number}"));
    let failed = |number| {
        let other = json!({"executionArn": arn(number), "error": "InvalidSeed", "cause": "why"});
        outcome("audience", "FAILED", &other)
    };
    (0..count).map(failed).collect()
}

#[test]
fn five_failures_have_no_digest() {
    let mut outcomes = failures(5);
    outcomes.push(ready_audience());
    assert!(Digest::new(&outcomes).is_none());
}

#[test]
fn a_digest_names_each_of_six_failures() {
    let mut outcomes = failures(6);
    outcomes.push(ready_audience());
    let digest = Digest::new(&outcomes).unwrap();
    assert_eq!(digest.subject, "6 runs failed");
    for number in 0..6 {
        assert!(digest.body.contains(&format!("run-{number} (audience, InvalidSeed)\n  https://")), "{}", digest.body);
    }
    assert!(!digest.body.contains("more\n") && !digest.body.contains("spring"), "{}", digest.body);
}

#[test]
fn a_digest_names_ten_failures_and_counts_the_others() {
    let digest = Digest::new(&failures(100)).unwrap();
    assert_eq!(digest.subject, "100 runs failed");
    assert_eq!(digest.body.matches("(audience, InvalidSeed)").count(), 10);
    assert!(digest.body.contains("\nand 90 more\n"), "{}", digest.body);
}

#[test]
fn a_record_is_stored_by_workflow_day_and_execution() {
    assert_eq!(ready_audience().record_key(), "outcomes/audience/2026-11-22/spring-00ff-0.json");
    assert_eq!(ready_segment(0).record_key(), "outcomes/segment/2026-11-22/spring-00ff-0.json");
}

#[test]
fn the_day_of_a_record_is_that_of_the_start_in_utc() {
    let start = time("2026-11-23T00:30:00+01:00");
    assert_eq!(records_prefix(Engine::Audience, start), "outcomes/audience/2026-11-22/");
}

#[test]
fn each_end_of_a_redriven_execution_has_a_record() {
    let redriven = DescribedExecution { redrive_count: 2, ..execution("audience", "FAILED", &json!({})) };
    let redriven = read(redriven).unwrap().unwrap();
    assert_eq!(redriven.record_key(), "outcomes/audience/2026-11-22/spring-00ff-2.json");
    assert_eq!(record(&redriven)["redriveCount"], 2);
}

#[test]
fn a_record_has_the_fields_of_the_event_and_more() {
    let ready = ready_audience();
    let (record, detail) = (record(&ready), detail(&ready));
    for (name, value) in detail.as_object().unwrap() {
        assert_eq!(record[name], *value, "{name}");
    }
    assert_eq!((&record["workflow"], &record["status"]), (&json!("audience"), &json!("SUCCEEDED")));
    assert_eq!((&record["quotaWaits"], &record["statusChecks"]), (&json!(2), &json!(31)));
    assert_eq!((&record["executionName"], &record["request"]), (&json!("spring-00ff"), &Value::Null));
}

#[test]
fn a_record_summarizes_the_request() {
    let request = json!({
        "configuredAudienceModelArn": "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/1",
        "seedAudience": {"dataSource": {"s3Uri": "s3://seeds/a.jsonl"}}, "export": "5pct", "deadlineSeconds": 60,
    });
    let outcome = outcome("audience", "FAILED", &json!({"input": request.to_string(), "error": "E", "cause": "why"}));
    let record = record(&outcome);
    assert_eq!(record["configuredAudienceModelArn"], request["configuredAudienceModelArn"]);
    assert_eq!(record["request"]["seedSource"], json!({"type": "FILE", "s3Uri": "s3://seeds/a.jsonl"}));
    assert_eq!(record["request"]["export"], json!({"sizes": [{"type": "PERCENTAGE", "value": 5}]}));
    assert_eq!(record["request"]["deadlineSeconds"], 60);
    follows_the_schemas(&outcome);
}

#[test]
fn a_record_of_a_query_counts_its_parameters() {
    let request = json!({"seedAudience": {"sqlParameters": {"queryString": "select", "parameters": {"p": "q"}}}});
    let outcome = outcome("audience", "ABORTED", &json!({"input": request.to_string()}));
    assert_eq!(record(&outcome)["request"]["seedSource"], json!({"type": "QUERY", "parameters": 1}));
    follows_the_schemas(&outcome);
}

#[test]
fn a_record_of_a_segment_names_the_solution_and_its_paths() {
    let request = json!({
        "solutionVersionArn": "arn:aws:personalize:us-east-1:123456789012:solution/runners/1", "numResults": 100,
        "jobInput": {"s3DataSource": {"path": "s3://in/items"}},
        "jobOutput": {"s3DataDestination": {"path": "s3://out/items/"}},
    });
    let outcome = outcome("segment", "TIMED_OUT", &json!({"input": request.to_string()}));
    let record = record(&outcome);
    assert_eq!(record["solutionVersionArn"], request["solutionVersionArn"]);
    assert_eq!(
        (&record["request"]["inputPath"], &record["request"]["outputPath"]),
        (&json!("s3://in/items"), &json!("s3://out/items/"))
    );
    follows_the_schemas(&outcome);
}

#[test]
fn each_outcome_follows_the_schemas_of_events_and_records() {
    let ready = ready_audience();
    follows_the_schemas(&ready);
    assert_eq!(detail(&ready)["exports"].as_array().unwrap().len(), 2);
    assert_eq!(detail(&ready)["upload"], json!({"bucket": "seeds", "key": "seeds/a b.jsonl"}));
    let segment = ready_segment(1);
    follows_the_schemas(&segment);
    assert_eq!(detail(&segment)["report"], PAGE);
    assert_eq!(detail(&segment)["segment"], json!({"lines": 3, "users": 1500, "errorLines": 1}));
    for status in ["FAILED", "TIMED_OUT", "ABORTED"] {
        for workflow in ["audience", "segment"] {
            follows_the_schemas(&outcome(workflow, status, &json!({"error": "E", "cause": "why"})));
        }
    }
}

fn event_schema() -> Value {
    serde_json::from_str(include_str!("../../../statemachine/events.schema.json")).unwrap()
}

fn record_schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/outcome.schema.json")).unwrap()
}

fn follows_the_schemas(outcome: &Outcome) {
    let schema = event_schema();
    let problems_of_event = problems(&schema["$defs"][outcome.detail_type()], &detail(outcome), &schema);
    assert!(problems_of_event.is_empty(), "{problems_of_event:?}");
    let schema = record_schema();
    let problems_of_record = problems(&schema, &record(outcome), &schema);
    assert!(problems_of_record.is_empty(), "{problems_of_record:?}");
}

/// Returns the rules of a schema that a value breaks: the keywords that our schemas use, and no field without
/// documentation.
fn problems(rule: &Value, value: &Value, schema: &Value) -> Vec<String> {
    if let Some(reference) = rule["$ref"].as_str() {
        return problems(schema.pointer(&reference[1..]).unwrap(), value, schema);
    }
    if let Some(rules) = rule["anyOf"].as_array() {
        let found: Vec<_> = rules.iter().map(|rule| problems(rule, value, schema)).collect();
        return found.into_iter().min_by_key(Vec::len).unwrap();
    }
    let is_of_type = match rule["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some(other) => panic!("{other}"),
        None => rule["const"] == *value || rule["enum"].as_array().is_some_and(|values| values.contains(value)),
    };
    let mut found = if is_of_type { Vec::new() } else { vec![format!("{value} is not {rule}")] };
    for name in rule["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            found.push(format!("{name} is missing"));
        }
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        match rule["properties"].get(name) {
            Some(rule) => found.extend(problems(rule, value, schema)),
            None => found.push(format!("{name} is not documented")),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        found.extend(problems(&rule["items"], item, schema));
    }
    found
}

#[test]
fn the_documented_event_follows_the_schema_and_a_wrong_one_does_not() {
    let page = include_str!("../../../statemachine/EVENTS.md");
    let start = page.find("{\n  \"version\"").unwrap();
    let example = &page[start..start + page[start..].find("\n}\n").unwrap() + 2];
    let mut example: Value = serde_json::from_str(example).unwrap();
    let schema = event_schema();
    let rule = &schema["$defs"]["Audience Ready"];
    assert_eq!(problems(rule, &example, &schema), [""; 0]);
    example["exports"][0]["audienceSize"]["type"] = "PERCENT".into();
    example["surprise"] = 1.into();
    example["name"].take();
    assert_eq!(problems(rule, &example, &schema).len(), 3);
}

#[test]
fn a_wrong_record_does_not_follow_the_schema() {
    let schema = record_schema();
    let mut wrong = record(&ready_audience());
    wrong["surprise"] = 1.into();
    wrong["status"] = "RUNNING".into();
    wrong.as_object_mut().unwrap().remove("redriveCount");
    assert_eq!(problems(&schema, &wrong, &schema).len(), 3);
}

fn listed(start: &str, stop: Option<&str>) -> ListedExecution {
    ListedExecution {
        execution_arn: EXECUTION.to_owned(),
        name: "spring-00ff".to_owned(),
        start_time: time(start),
        stop_time: stop.map(time),
        redrive_count: 0,
    }
}

fn sweep() -> Sweep {
    Sweep::new(time("2026-12-23T12:00:00Z"))
}

#[test]
fn an_execution_is_due_15_minutes_after_its_end() {
    let ended = |stop| sweep().is_due(&listed("2026-12-23T10:00:00Z", Some(stop)));
    assert!(ended("2026-12-23T11:45:00Z"));
    assert!(!ended("2026-12-23T11:45:01Z"));
}

#[test]
fn a_running_execution_is_not_due() {
    assert!(!sweep().is_due(&listed("2026-12-01T00:00:00Z", None)));
}

#[test]
fn an_execution_is_too_old_31_days_after_its_start() {
    let started = |start| sweep().is_too_old(&listed(start, Some("2026-12-22T12:00:00Z")));
    assert!(!started("2026-11-22T12:00:00Z"));
    assert!(started("2026-11-22T11:59:59Z"));
    assert!(!sweep().is_due(&listed("2026-11-22T11:59:59Z", Some("2026-12-22T12:00:00Z"))));
}

#[test]
fn no_outcome_is_begun_with_less_than_30_seconds_left() {
    let end = time("2026-12-23T12:01:30Z");
    assert!(has_time_left(end, time("2026-12-23T12:01:00Z")));
    assert!(!has_time_left(end, time("2026-12-23T12:01:01Z")));
}
