//! The audience workflow.

use std::path::Path;

use serde_json::{Value, json};
use simulation::asl::{ExecutionStatus, Failure};

use crate::scripted::{Answer, REPORT, Run, Script, drive, ended, failing, ready, report_text, running, with};

const ARN: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";

fn sizes() -> Value {
    json!([{"type": "PERCENTAGE", "value": 5}, {"type": "ABSOLUTE", "value": 10000}])
}

fn one_size() -> Value {
    json!([{"type": "PERCENTAGE", "value": 5}])
}

fn metrics() -> Value {
    let relevance = json!([{"audienceSize": {"type": "PERCENTAGE", "value": 5}, "score": 0.9}]);
    json!({"relevanceMetrics": relevance, "recallMetric": 0.6})
}

fn checked() -> Value {
    json!({
        "name": "spring",
        "checkedRequest": "s3://b/checked/run.json",
        "audienceGenerationJobArn": null,
        "deadline": "2026-01-01T01:00:00Z",
        "export": "all",
        "modelSizes": sizes(),
        "seed": {"users": 1200, "uniqueUsers": 1180, "blankLines": 0, "badLines": 0},
        "skipped": [],
        "poll": {"minSeconds": 13, "maxSeconds": 900},
    })
}

fn started() -> Value {
    json!({"audienceGenerationJobArn": ARN, "name": "spring"})
}

fn ready_with(sizes: &Value) -> Value {
    ready(json!({"metrics": metrics(), "exportSizes": sizes}))
}

fn exported(location: &str) -> Value {
    json!({"status": "ACTIVE", "outputLocation": location, "createTime": null, "updateTime": null})
}

fn missing(error: &str, cause: &str) -> Value {
    json!({
        "status": "CREATE_FAILED", "outputLocation": null, "error": error, "cause": cause,
        "createTime": null, "updateTime": null,
    })
}

/// Returns a script whose request is accepted.
fn accepted() -> Script {
    Script::default().answers("CheckRequest", [checked()])
}

/// Returns a script whose generation job is ready at the first status check.
fn generated(sizes: &Value) -> Script {
    accepted().answers("StartGeneration", [started()]).answers("CheckGeneration", [ready_with(sizes)])
}

fn run(script: Script) -> Run {
    run_with(json!({"seedAudience": {}}), script)
}

fn run_with(input: Value, script: Script) -> Run {
    drive("audience.asl.json", input, script)
}

/// Causes as AWS writes them: the failure, and the text that a report shows.
fn real_causes() -> Vec<(Failure, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/causes.json");
    let examples: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let failure = |example: &Value| Failure { error: text(&example["error"]).unwrap(), cause: text(&example["cause"]) };
    examples.iter().map(|example| (failure(example), text(&example["text"]).unwrap())).collect()
}

#[test]
fn a_seed_becomes_an_exported_audience() {
    let run = run(accepted()
        .answers("StartGeneration", [started()])
        .answers("CheckGeneration", [running(15), running(20), ready_with(&sizes())])
        .answers(
            "CheckExports",
            [json!({"5": 7, "10000": exported("s3://out/1")}), json!({"5": exported("s3://out/5")})],
        ));
    let exports = json!([
        with(&exported("s3://out/5"), json!({"name": "spring-5pct", "audienceSize": sizes()[0]})),
        with(&exported("s3://out/1"), json!({"name": "spring-10000", "audienceSize": sizes()[1]})),
    ]);
    let output = json!({
        "name": "spring", "audienceGenerationJobArn": ARN, "seed": checked()["seed"], "skipped": [],
        "metrics": metrics(), "exports": exports, "report": REPORT, "quotaWaits": 0, "looks": 5,
    });
    assert_eq!(*run.output(), output);
    assert_eq!(run.wait_seconds(), [15, 20, 7]);
    let report = run.payloads("WriteReport")[0];
    assert_eq!((&report["exports"], &report["error"], &report["quotaWaits"]), (&exports, &Value::Null, &json!(0)));
    assert_eq!(
        (&report["generation"]["metrics"], &report["checkedRequest"]),
        (&metrics(), &checked()["checkedRequest"])
    );
}

#[test]
fn each_function_is_called_with_what_it_needs() {
    let run = run(accepted()
        .answers("StartGeneration", [started()])
        .answers("CheckGeneration", [running(15), running(20), ready_with(&sizes())])
        .answers("CheckExports", [json!({"5": exported("s3://out/5"), "10000": exported("s3://out/1")})]));
    let check = run.payloads("CheckRequest")[0];
    assert_eq!(check["input"], json!({"seedAudience": {}}));
    assert_eq!(check["execution"]["startTime"], "2026-01-01T00:00:00.000Z");
    let start = run.payloads("StartGeneration")[0];
    assert_eq!((&start["checkedRequest"], &start["deadline"]), (&checked()["checkedRequest"], &checked()["deadline"]));
    assert_eq!(start["attempt"], json!({"retryCount": 0, "redriveCount": 0, "quotaWaits": 0}));
    let status_check = run.payloads("CheckGeneration")[0];
    assert_eq!((&status_check["audienceGenerationJobArn"], &status_check["export"]), (&json!(ARN), &json!("all")));
    assert_eq!(status_check["modelSizes"], sizes());
    assert_eq!(status_check["startTime"], "2026-01-01T00:00:00.000Z");
    assert_eq!(run.payload_fields("CheckGeneration", "/wasThere"), [false, true, true]);
    let export = run.payloads("StartExport")[0];
    assert_eq!((&export["audienceSize"], &export["name"]), (&sizes()[0], &json!("spring")));
}

#[test]
fn generate_only_exports_nothing() {
    let run = run(generated(&json!([])));
    assert_eq!(run.output()["exports"], json!([]));
    assert!(run.payloads("StartExport").is_empty());
}

#[test]
fn one_export_is_still_a_list() {
    let run = run(generated(&one_size()).answers("CheckExports", [json!({"5": exported("s3://out/a")})]));
    assert_eq!(run.output()["exports"].as_array().unwrap().len(), 1);
    assert_eq!(run.output()["exports"][0]["name"], "spring-5pct");
}

#[test]
fn hidden_metrics_and_locations_are_null() {
    let hidden = json!({"seed": null, "modelSizes": null, "skipped": ["model", "seed"]});
    let location = with(&exported(""), json!({"outputLocation": null}));
    let run = run(Script::default()
        .answers("CheckRequest", [with(&checked(), hidden)])
        .answers("StartGeneration", [started()])
        .answers("CheckGeneration", [ready(json!({"exportSizes": one_size()}))])
        .answers("CheckExports", [json!({"5": location})]));
    assert_eq!((&run.output()["metrics"], &run.output()["seed"]), (&Value::Null, &Value::Null));
    assert_eq!(run.output()["exports"][0]["outputLocation"], Value::Null);
}

#[test]
fn an_export_only_run_generates_nothing() {
    let existing = json!({"checkedRequest": null, "audienceGenerationJobArn": ARN, "seed": null});
    let script = Script::default()
        .answers("CheckRequest", [with(&checked(), existing)])
        .answers("CheckGeneration", [ready_with(&one_size())])
        .answers("CheckExports", [json!({"5": exported("s3://out/a")})]);
    let run = run_with(json!({"audienceGenerationJobArn": ARN, "export": "5pct"}), script);
    run.output();
    assert!(run.payloads("StartGeneration").is_empty());
    assert_eq!(run.payload_fields("CheckGeneration", "/startTime"), [&Value::Null]);
}

#[test]
fn a_rejected_request_fails_in_the_first_state() {
    for error in ["InvalidRequest", "InvalidSeed", "AccessDenied", "NotFound"] {
        let run = run(Script::default().answers("CheckRequest", [failing(error)]));
        run.fails(error, &["because"]);
        assert_eq!(run.called_states(), ["CheckRequest"]);
    }
}

#[test]
fn a_start_that_is_rejected_fails_uncaught() {
    for error in ["InvalidRequest", "AccessDenied", "NotFound", "Conflict", "DeadlineExceeded"] {
        let run = run(accepted().answers("StartGeneration", [failing(error)]));
        run.fails(error, &["because"]);
        assert_eq!(run.payloads("StartGeneration").len(), 1);
    }
}

#[test]
fn a_lost_answer_is_retried_with_the_retry_count() {
    for error in [
        "Throttled",
        "ServiceUnavailable",
        "Lambda.Unknown",
        "Sandbox.Timedout",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "States.Timeout",
        "Lambda.ServiceException",
        "Lambda.KMSAccessDeniedException",
    ] {
        let run = run(accepted()
            .answers("StartGeneration", [failing(error), started().into()])
            .answers("CheckGeneration", [failing(error), ready_with(&one_size()).into()])
            .answers("StartExport", [failing(error), json!({"name": "spring-5pct"}).into()])
            .answers("CheckExports", [failing(error), json!({"5": exported("s3://out/a")}).into()]));
        run.output();
        for state in ["StartGeneration", "StartExport"] {
            assert_eq!(run.payload_fields(state, "/attempt/retryCount"), [0, 1], "{error}");
        }
    }
}

#[test]
fn a_service_that_stays_away_fails_the_run_with_its_error() {
    let run = run(accepted().answers("StartGeneration", vec![failing("ServiceUnavailable"); 7]));
    run.fails("ServiceUnavailable", &[]);
    assert_eq!(run.payloads("StartGeneration").len(), 7);
}

#[test]
fn a_run_succeeds_without_a_report() {
    let run = run(generated(&json!([])).answers("WriteReport", [failing("AccessDenied")]));
    assert_eq!(run.output()["report"], Value::Null);
}

#[test]
fn a_failed_run_without_a_report_has_only_its_cause() {
    let run = run(accepted()
        .answers("StartGeneration", [started()])
        .answers("CheckGeneration", [ended("FAILED", "GenerationFailed", "because")])
        .answers("WriteReport", [failing("AccessDenied")]));
    assert_eq!(run.cause("GenerationFailed"), "because");
    assert_eq!(run.payloads("WriteReport").len(), 1);
}

#[test]
fn a_failed_audience_is_reported_with_what_is_known() {
    for error in ["NoSizeQualifies", "GenerationFailed"] {
        let failed = with(&ended("FAILED", error, "because"), json!({"metrics": metrics()}));
        let run = run(accepted().answers("StartGeneration", [started()]).answers("CheckGeneration", [failed]));
        assert_eq!(run.cause(error), format!("because{}", report_text()));
        let report = run.payloads("WriteReport")[0];
        assert_eq!((&report["error"], &report["cause"]), (&json!(error), &json!("because")));
        assert_eq!((&report["exports"], &report["generation"]["metrics"]), (&json!([]), &metrics()));
    }
}

#[test]
fn a_seed_that_breaks_the_function_is_tried_once_more() {
    let run = run(Script::default().answers("CheckRequest", vec![failing("Lambda.Unknown"); 2]));
    run.fails("Lambda.Unknown", &[]);
    assert_eq!(run.payloads("CheckRequest").len(), 2);
}

#[test]
fn a_job_with_another_name_gives_it_to_the_run() {
    let run = run(accepted()
        .answers("StartGeneration", [with(&started(), json!({"name": "spring-00ff"}))])
        .answers("CheckGeneration", [ready_with(&one_size())])
        .answers("CheckExports", [json!({"5": exported("s3://out/a")})]));
    assert_eq!(run.output()["name"], "spring-00ff");
    assert_eq!(run.payload_fields("StartExport", "/name"), ["spring-00ff"]);
}

#[test]
fn a_run_waits_for_a_quota_in_a_state_for_it() {
    let full = failing("QuotaExceeded");
    let run = run(accepted()
        .answers("StartGeneration", [full.clone(), full.clone(), started().into()])
        .answers("CheckGeneration", [ready_with(&one_size())])
        .answers("StartExport", [full, json!({"name": "spring-5pct"}).into()])
        .answers("CheckExports", [json!({"5": exported("s3://out/a")})]));
    run.output();
    let states: Vec<&str> = run.waits.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, ["WaitForGenerationQuota", "WaitForGenerationQuota", "WaitForExportQuota"]);
    assert!(run.wait_seconds().iter().all(|seconds| (60..180).contains(seconds)), "{:?}", run.waits);
    assert_eq!(run.payload_fields("StartGeneration", "/attempt/quotaWaits"), [0, 1, 2]);
    assert_eq!(run.payload_fields("StartExport", "/attempt/quotaWaits"), [0, 1]);
}

#[test]
fn a_wait_for_a_quota_ends_at_the_deadline() {
    for (deadline, seconds) in [("2026-01-01T00:00:30Z", 30), ("2025-12-31T00:00:00Z", 1)] {
        let run = run(Script::default()
            .answers("CheckRequest", [with(&checked(), json!({"deadline": deadline}))])
            .answers("StartGeneration", [failing("QuotaExceeded"), failing("DeadlineExceeded")]));
        run.fails("DeadlineExceeded", &[]);
        assert_eq!(run.wait_seconds(), [seconds]);
    }
}

#[test]
fn a_failed_generation_fails_the_run_with_its_error() {
    for (phase, error) in [("FAILED", "GenerationFailed"), ("FAILED", "JobDeleted"), ("EXPIRED", "DeadlineExceeded")] {
        let run = run(accepted()
            .answers("StartGeneration", [started()])
            .answers("CheckGeneration", [running(15), ended(phase, error, "the reason (CODE)")]));
        assert_eq!(run.cause(error), format!("the reason (CODE){}", report_text()));
        assert!(run.payloads("StartExport").is_empty());
    }
}

#[test]
fn no_size_that_qualifies_fails_uncaught() {
    let run = run(accepted()
        .answers("StartGeneration", [started()])
        .answers("CheckGeneration", [failing("NoSizeQualifies")]));
    run.fails("NoSizeQualifies", &[]);
}

#[test]
fn an_export_that_fails_does_not_stop_the_others() {
    let failed = missing("ExportFailed", "disk full");
    let run = run(generated(&sizes())
        .answers("CheckExports", [json!({"5": failed, "10000": 5}), json!({"10000": exported("s3://out/a")})]));
    run.fails("ExportFailed", &["1 of 2 exports are not there: 5pct (ExportFailed: disk full). There: 10000.", ARN]);
    assert!(run.cause("ExportFailed").ends_with(&format!(" and these sizes.{}", report_text())));
    assert_eq!(run.payloads("CheckExports").len(), 2);
}

#[test]
fn an_export_that_is_rejected_does_not_stop_the_others() {
    let run = run(generated(&sizes())
        .export(5, [Failure::of_function("Conflict", "taken")])
        .export(10_000, [json!({"name": "spring-10000"})])
        .answers("CheckExports", [json!({"10000": exported("s3://out/a")})]));
    run.fails("ExportFailed", &["5pct (Conflict: taken). There: 10000."]);
}

#[test]
fn the_text_of_a_cause_is_kept_if_an_export_does_not_start() {
    for (failure, text) in real_causes() {
        let run = run(generated(&sizes())
            .export(5, vec![failure.clone(); 7])
            .export(10_000, [json!({"name": "spring-10000"})])
            .answers("CheckExports", [json!({"10000": exported("s3://out/a")})]));
        run.fails("ExportFailed", &[&format!("5pct ({}: {text}). There: 10000.", failure.error)]);
        assert_eq!(run.payload_fields("WriteReport", "/exports/0/cause"), [&json!(text)]);
    }
}

#[test]
fn the_text_of_a_cause_is_kept_if_exports_cannot_be_checked() {
    for (failure, text) in real_causes() {
        let first: Answer = json!({"5": exported("s3://out/a"), "10000": 7}).into();
        let run =
            run(generated(&sizes()).answers("CheckExports", [first]).answers("CheckExports", vec![failure.clone(); 7]));
        run.fails("ExportFailed", &[&format!("10000 ({}: {text}). There: 5pct.", failure.error)]);
        assert_eq!(run.payloads("WriteReport").len(), 1);
    }
}

#[test]
fn a_run_succeeds_without_a_report_for_each_real_cause() {
    for (failure, _) in real_causes() {
        let run = run(generated(&json!([])).answers("WriteReport", vec![failure; 7]));
        assert_eq!(run.output()["report"], Value::Null);
    }
}

#[test]
fn the_causes_of_25_exports_fit_into_the_cause_of_a_run() {
    let sizes: Vec<Value> = (1..26).map(|value| json!({"type": "ABSOLUTE", "value": value})).collect();
    let taken = Failure::of_function("Conflict", &"taken ".repeat(2_000));
    let script = generated(&json!(sizes)).answers("CheckExports", [json!({})]);
    let run = run((1..26).fold(script, |script, size| script.export(size, [taken.clone()])));
    run.fails("ExportFailed", &["25 of 25 exports", "the report has all", ARN]);
    assert!(run.cause("ExportFailed").chars().count() < 2_000);
}

#[test]
fn an_input_that_is_possibly_too_large_is_not_passed_on() {
    for (note, is_passed) in [("x".repeat(50_000), true), ("x".repeat(261_900), false), ("語".repeat(80_000), false)] {
        let request = json!({"note": note});
        let run = run_with(request.clone(), Script::default().answers("CheckRequest", [failing("InvalidRequest")]));
        let check = run.payloads("CheckRequest")[0];
        assert_eq!(check["input"], if is_passed { request } else { Value::Null });
        assert!(usize::try_from(check["inputCharacters"].as_u64().unwrap()).unwrap() >= note.chars().count());
        assert!(check.to_string().len() < 262_144);
    }
}

#[test]
fn the_configuration_comes_from_the_definition() {
    let run = run(generated(&one_size()).answers("CheckExports", [json!({"5": exported("s3://out/a")})]));
    let stack = &run.payloads("CheckRequest")[0]["stack"];
    assert_eq!(stack["export"], "${ExportPolicy}");
    assert!(stack.as_object().unwrap().values().all(Value::is_string), "{stack}");
    assert_eq!(run.payload_fields("CheckGeneration", "/poll"), [&checked()["poll"]]);
    assert_eq!(run.payload_fields("CheckExports", "/poll"), [&checked()["poll"]]);
}

#[test]
fn exports_that_can_no_longer_be_checked_end_the_run() {
    for failure in [Failure::of_function("AccessDenied", "because"), Failure::new("AccessDenied", "because")] {
        let first: Answer = json!({"5": exported("s3://out/a"), "10000": 7}).into();
        let run = run(generated(&sizes()).answers("CheckExports", [first, failure.into()]));
        run.fails("ExportFailed", &["1 of 2 exports are not there: 10000 (AccessDenied: because). There: 5pct."]);
        let exports = run.payloads("WriteReport")[0]["exports"].clone();
        assert_eq!((&exports[0]["status"], &exports[1]["status"]), (&json!("ACTIVE"), &json!("UNKNOWN")));
    }
}

#[test]
fn an_export_past_the_deadline_fails_the_run_so() {
    let expired = missing("DeadlineExceeded", "still CREATE_PENDING");
    let run =
        run(generated(&sizes()).answers("CheckExports", [json!({"5": exported("s3://out/a"), "10000": expired})]));
    run.fails("DeadlineExceeded", &["10000 (DeadlineExceeded: still CREATE_PENDING). There: 5pct."]);
}

/// An hour of generation, and three exports of ten minutes.
fn an_hour_and_three_sizes() -> Run {
    let sizes = json!([1, 5, 10].map(|value| json!({"type": "PERCENTAGE", "value": value})));
    let running_exports = vec![json!({"1": 13, "5": 13, "10": 13}); 27];
    let location = exported("s3://out/a");
    run(accepted()
        .answers("StartGeneration", [started()])
        .answers("CheckGeneration", vec![running(13); 46])
        .answers("CheckGeneration", [ready_with(&sizes)])
        .answers("CheckExports", running_exports)
        .answers("CheckExports", [json!({"1": location, "5": location, "10": location})]))
}

#[test]
fn an_hour_and_three_sizes_take_the_transitions_of_the_readme() {
    let run = an_hour_and_three_sizes();
    assert!(matches!(run.status, ExecutionStatus::Succeeded(_)), "{:?}", run.status);
    assert_eq!((run.usage.transitions(), run.usage.calls), (236, 81));
}

#[test]
fn an_hour_and_three_sizes_take_as_many_events_as_their_states() {
    let run = an_hour_and_three_sizes();
    let (tasks, waits, choices, passes) = (81, 46 + 27, 1 + 47 + 28 + 1, 3);
    let map = 4 + 3 * 2;
    let (execution, succeed) = (2, 2);
    assert_eq!(run.usage.events, tasks * 5 + (waits + choices + passes) * 2 + map + execution + succeed);
}
