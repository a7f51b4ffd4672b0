//! The segment workflow.

use serde_json::{Value, json};

use crate::scripted::{Answer, REPORT, Run, SEGMENT, Script, counted, drive, failing, real_causes, report_text, with};

/// An error of a call that cannot be made until something is changed.
const PERMANENT_ERROR: &str = "Lambda.KMSDisabledException";

const HALF_AN_HOUR: u64 = 1_800;
const DEADLINE_SECONDS: u64 = 7_200;

fn checked() -> Value {
    json!({
        "name": "spring",
        "checkedRequest": "s3://b/checked/run.json",
        "deadline": "2026-01-01T02:00:00Z",
        "input": {"lines": 3, "kind": "itemId"},
        "warnings": ["careful"],
        "skipped": [],
        "poll": {"minSeconds": 13, "maxSeconds": 900},
    })
}

/// Returns a script in which everything succeeds at once.
fn script() -> Script {
    Script::new(checked())
}

fn run(script: Script) -> Run {
    drive("segment.asl.json", json!({"solutionVersionArn": "x"}), script)
}

#[test]
fn a_request_becomes_segments() {
    let run = run(script().answers("CheckSegment", ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]));
    let result = json!({
        "name": "spring", "batchSegmentJobArn": SEGMENT, "status": "ACTIVE", "input": checked()["input"],
        "warnings": ["careful"], "skipped": [], "output": counted()["output"], "outputLocation": "s3://b/out/",
        "report": REPORT, "deadline": checked()["deadline"], "quotaWaits": 0, "statusChecks": 3,
    });
    assert_eq!(*run.output(), result);
    assert_eq!(run.wait_seconds(), [13, 13]);
}

#[test]
fn each_function_is_called_with_what_it_needs() {
    let run = run(script());
    let attempt = json!({"enteredTime": "2026-01-01T00:00:00.000Z", "redriveCount": 0});
    for (state, fields) in [
        ("CheckRequest", json!({"engine": "segment", "input": {"solutionVersionArn": "x"}})),
        (
            "StartSegment",
            json!({
                "checkedRequest": checked()["checkedRequest"], "deadline": checked()["deadline"], "attempt": attempt,
                "start": {"state": "NOT_STARTED", "redriveCount": 0, "quotaWaits": 0}, "inputKind": "itemId",
                "skipped": [],
            }),
        ),
        (
            "CheckSegment",
            json!({
                "batchSegmentJobArn": SEGMENT, "startTime": "2026-01-01T00:00:00Z", "missingSince": null,
                "deadline": checked()["deadline"], "poll": checked()["poll"],
            }),
        ),
        (
            "CountSegmentOutput",
            json!({"outputLocation": "s3://b/out/", "createTime": "2026-01-01T00:00:00Z", "skipped": []}),
        ),
        (
            "WriteReport",
            json!({
                "engine": "segment", "batchSegmentJobArn": SEGMENT, "input": checked()["input"],
                "output": counted()["output"], "warnings": ["careful"], "error": null, "cause": null,
                "quotaWaits": 0, "skipped": [], "checkedRequest": checked()["checkedRequest"],
                "deadline": checked()["deadline"], "segmentStartTime": "2026-01-01T00:00:00Z",
            }),
        ),
    ] {
        for (field, value) in fields.as_object().unwrap() {
            assert_eq!(run.payloads(state)[0][field], *value, "{state}: {field}");
        }
    }
    assert_eq!(run.payloads("CheckRequest")[0]["stack"]["segmentRoleArn"], "${SegmentRoleArn}");
}

// The check of the request.

#[test]
fn a_rejected_request_fails_in_the_first_task() {
    for error in ["InvalidRequest", "InvalidSeed", "AccessDenied", "NotFound", "Conflict"] {
        let run = run(script().answers("CheckRequest", [failing(error)]));
        run.fails(error, &["because."]);
        assert_eq!(run.called_states(), ["CheckRequest"]);
    }
}

#[test]
fn a_request_is_checked_again_for_hours_until_a_service_answers() {
    let checks = vec![failing("ServiceUnavailable"); 300];
    let checked = with(&checked(), json!({"deadline": "2026-01-03T00:00:00Z"}));
    let run = run(script().answers("CheckRequest", checks).answers("CheckRequest", [checked]));
    assert_eq!(run.output()["report"], REPORT);
    assert!(run.seconds > 5 * 3_600, "{}", run.seconds);
}

#[test]
fn a_request_that_is_never_checked_fails_at_the_stacks_deadline() {
    let run = run(script().always("CheckRequest", failing("Throttled")));
    run.fails("DeadlineExceeded", &["nothing was started", "Upload it again", "Throttled: because."]);
    assert_eq!(run.seconds, 172_800);
}

#[test]
fn a_request_is_checked_for_30_minutes_if_a_key_cannot_be_used() {
    let run = run(script().always("CheckRequest", failing(PERMANENT_ERROR)));
    run.fails(PERMANENT_ERROR, &["nothing was started", "because."]);
    assert_eq!(run.seconds, HALF_AN_HOUR);
}

// The start of the job.

#[test]
fn a_run_waits_for_a_quota_and_counts_its_waits() {
    let run = run(script().answers("StartSegment", ["QuotaExceeded", "Throttled", "QuotaExceeded", "accepted"]));
    assert_eq!(run.output()["quotaWaits"], 2);
    assert_eq!(run.payload_fields("WriteReport", "/quotaWaits"), [2]);
    assert!(run.waits.iter().all(|(state, seconds)| state == "WaitToStartSegment" && (60..=180).contains(seconds)));
    assert_eq!(run.payload_fields("StartSegment", "/start/quotaWaits"), [0, 1, 1, 2]);
}

#[test]
fn an_unknown_attempt_is_looked_up_by_the_next_one() {
    for lost in [Answer::from("ServiceUnavailable"), failing("Lambda.Unknown"), failing("States.Timeout")] {
        let run = run(script().answers("StartSegment", [lost, "accepted".into()]));
        assert_eq!(run.output()["report"], REPORT);
        let start = &run.payloads("StartSegment")[1]["start"];
        assert_eq!(start["state"], "UNKNOWN");
        assert!(start["since"].as_str().unwrap().starts_with("2026-01-01T00:00:00"));
    }
}

#[test]
fn a_call_that_was_throttled_leaves_the_start_as_it_is() {
    let run = run(script().answers("StartSegment", [failing("Lambda.TooManyRequestsException"), "accepted".into()]));
    let starts = run.payload_fields("StartSegment", "/start");
    assert_eq!(starts[1], starts[0]);
}

#[test]
fn a_start_that_is_rejected_fails_the_run_with_its_error() {
    for error in ["InvalidRequest", "NotFound", "Conflict"] {
        let run = run(script().answers("StartSegment", [error]));
        assert_eq!(run.what_happened(error), "because.");
        assert_eq!(run.called_states(), ["CheckRequest", "StartSegment"]);
    }
}

#[test]
fn a_start_that_cannot_be_called_for_30_minutes_ends_as_not_known() {
    let run = run(script().always("StartSegment", failing(PERMANENT_ERROR)));
    run.fails(PERMANENT_ERROR, &["not known whether an attempt has started it", "because."]);
    assert!((HALF_AN_HOUR..HALF_AN_HOUR + 180).contains(&run.seconds), "{}", run.seconds);
}

#[test]
fn a_start_that_was_never_called_is_not_started_at_the_deadline() {
    let run = run(script().always("StartSegment", failing("Lambda.TooManyRequestsException")));
    run.fails("DeadlineExceeded", &["No attempt has started it."]);
    assert_eq!(run.seconds, DEADLINE_SECONDS);
}

// Status checks.

#[test]
fn sixty_failed_status_checks_in_a_row_do_not_end_a_run() {
    let errors =
        ["Throttled", "ServiceUnavailable", "Lambda.Unknown", "States.Timeout", "Lambda.TooManyRequestsException"];
    let checks = errors.into_iter().cycle().take(60).map(failing);
    let run = run(Script::new(with(&checked(), json!({"deadline": "2026-01-01T12:00:00Z"})))
        .answers("CheckSegment", checks)
        .answers("CheckSegment", ["ACTIVE"]));
    assert_eq!(run.output()["report"], REPORT);
}

#[test]
fn a_segment_that_cannot_be_checked_until_the_deadline_is_not_known() {
    for (failure, text) in real_causes() {
        let is_transient = !["AccessDenied", PERMANENT_ERROR].contains(&failure.error.as_str());
        let error = if is_transient { "DeadlineExceeded" } else { failure.error.as_str() };
        let run = run(script().always("CheckSegment", failure.clone()));
        run.fails(error, &[SEGMENT, "is not known", "Do not start it again before you have checked it.", &text]);
        assert!(!is_transient || run.seconds == DEADLINE_SECONDS, "{}", run.seconds);
        assert!(run.entered("SegmentNotChecked") && run.payloads("CountSegmentOutput").is_empty());
    }
}

#[test]
fn a_failed_job_is_reported_and_the_cause_names_the_report() {
    for (status, error) in [("CREATE FAILED", "SegmentFailed"), ("DELETE PENDING", "JobDeleted")] {
        let run = run(script().answers("CheckSegment", [status]));
        run.fails(error, &[SEGMENT, &report_text()]);
        let report = run.payloads("WriteReport")[0];
        assert_eq!((&report["error"], &report["output"]), (&json!(error), &Value::Null));
        assert!(run.payloads("CountSegmentOutput").is_empty());
    }
}

#[test]
fn a_job_that_runs_at_the_deadline_fails_the_run_so() {
    let run = run(script().always("CheckSegment", "CREATE IN_PROGRESS"));
    run.fails("DeadlineExceeded", &["was still CREATE IN_PROGRESS", &report_text()]);
    assert_eq!(run.seconds, DEADLINE_SECONDS);
}

// The output and the report.

#[test]
fn an_output_with_only_errors_fails_the_run() {
    let cause = "Each of its 3 lines is an error.";
    let count = with(&counted(), json!({"error": "SegmentFailed", "cause": cause}));
    let run = run(script().answers("CountSegmentOutput", [count]));
    assert_eq!(run.what_happened("SegmentFailed"), cause);
    assert!(run.cause("SegmentFailed").ends_with(&report_text()));
    let report = run.payloads("WriteReport")[0];
    assert_eq!((&report["error"], &report["cause"]), (&json!("SegmentFailed"), &json!(cause)));
    assert_eq!((&report["output"], &report["segment"]["phase"]), (&counted()["output"], &json!("READY")));
}

#[test]
fn an_output_that_cannot_be_counted_does_not_fail_the_run() {
    for (failure, _) in real_causes() {
        for before in [json!([]), json!(["input", "recipe"])] {
            let checked = with(&checked(), json!({ "skipped": before }));
            let run = run(Script::new(checked).always("CountSegmentOutput", failure.clone()));
            let mut skipped = before.as_array().unwrap().clone();
            skipped.push("output".into());
            assert_eq!((&run.output()["output"], &run.output()["skipped"]), (&Value::Null, &json!(skipped)));
            assert_eq!(run.payload_fields("WriteReport", "/skipped"), [&json!(skipped)]);
            assert_eq!(run.output()["outputLocation"], "s3://b/out/");
        }
    }
}

#[test]
fn an_output_that_may_not_be_read_is_reported_as_not_counted() {
    let skipped = json!(["input", "output"]);
    let run = run(Script::new(with(&checked(), json!({"input": null, "skipped": ["input"]})))
        .answers("CountSegmentOutput", [with(&counted(), json!({"output": null, "skipped": skipped}))]));
    assert_eq!((&run.output()["output"], &run.output()["skipped"]), (&Value::Null, &skipped));
    assert_eq!(run.payload_fields("StartSegment", "/inputKind"), [&Value::Null]);
    assert_eq!(run.payload_fields("CountSegmentOutput", "/skipped"), [&json!(["input"])]);
}

#[test]
fn a_run_succeeds_without_a_report_for_each_real_cause() {
    for (failure, _) in real_causes() {
        let run = run(script().always("WriteReport", failure));
        assert_eq!((&run.output()["report"], &run.output()["output"]), (&Value::Null, &counted()["output"]));
    }
}

#[test]
fn a_failed_run_without_a_report_names_none() {
    let run = run(script().answers("CheckSegment", ["DELETE PENDING"]).always("WriteReport", failing("AccessDenied")));
    assert!(run.what_happened("JobDeleted").ends_with("Start a new run."));
    assert!(!run.cause("JobDeleted").contains("Report"));
}
