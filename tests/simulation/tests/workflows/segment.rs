//! The segment workflow.

use serde_json::{Value, json};

use crate::scripted::{REPORT, Run, Script, drive, ended, failing, ready, report_text, running, with};

const ARN: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring";

fn checked() -> Value {
    json!({
        "name": "spring",
        "checkedRequest": "s3://b/checked/run.json",
        "deadline": "2026-01-01T01:00:00Z",
        "input": {"lines": 3, "kind": "itemId"},
        "warnings": ["careful"],
        "skipped": [],
        "poll": {"minSeconds": 13, "maxSeconds": 900},
    })
}

fn started() -> Value {
    json!({"batchSegmentJobArn": ARN, "name": "spring", "skipped": []})
}

fn finished() -> Value {
    ready(json!({"outputLocation": "s3://b/out/", "createTime": "2026-01-01T00:00:05Z"}))
}

fn output() -> Value {
    json!({"lines": 3, "users": 75, "errorLines": 0, "firstError": null})
}

fn counted() -> Value {
    json!({"output": output(), "skipped": [], "error": null, "cause": null})
}

fn accepted() -> Script {
    Script::default().answers("CheckRequest", [checked()])
}

/// Returns a script whose job is ready at the first status check.
fn ran() -> Script {
    accepted().answers("StartSegment", [started()]).answers("CheckSegment", [finished()])
}

fn run(script: Script) -> Run {
    drive("segment.asl.json", json!({"solutionVersionArn": "x"}), script)
}

#[test]
fn a_request_becomes_segments() {
    let run = run(accepted()
        .answers("StartSegment", [started()])
        .answers("CheckSegment", [running(15), running(20), finished()])
        .answers("CountSegment", [counted()]));
    let result = json!({
        "name": "spring", "batchSegmentJobArn": ARN, "status": "ACTIVE", "input": checked()["input"],
        "warnings": ["careful"], "skipped": [], "output": output(), "outputLocation": "s3://b/out/",
        "report": REPORT, "quotaWaits": 0, "looks": 3,
    });
    assert_eq!(*run.output(), result);
    assert_eq!(run.wait_seconds(), [15, 20]);
    let report = run.payloads("WriteReport")[0];
    for (field, value) in [
        ("engine", json!("segment")),
        ("batchSegmentJobArn", json!(ARN)),
        ("segment", finished()),
        ("input", checked()["input"].clone()),
        ("output", output()),
        ("warnings", json!(["careful"])),
        ("error", Value::Null),
        ("cause", Value::Null),
        ("quotaWaits", json!(0)),
        ("skipped", json!([])),
        ("checkedRequest", checked()["checkedRequest"].clone()),
        ("deadline", checked()["deadline"].clone()),
        ("segmentStartTime", json!("2026-01-01T00:00:00.000Z")),
    ] {
        assert_eq!(report[field], value, "{field}");
    }
}

#[test]
fn each_function_is_called_with_what_it_needs() {
    let run = run(accepted()
        .answers("StartSegment", [started()])
        .answers("CheckSegment", [running(15), running(20), finished()])
        .answers("CountSegment", [counted()]));
    let check = run.payloads("CheckRequest")[0];
    assert_eq!((&check["engine"], &check["input"]), (&json!("segment"), &json!({"solutionVersionArn": "x"})));
    assert_eq!(check["stack"]["segmentRoleArn"], "${SegmentRoleArn}");
    let start = run.payloads("StartSegment")[0];
    assert_eq!((&start["checkedRequest"], &start["deadline"]), (&checked()["checkedRequest"], &checked()["deadline"]));
    assert_eq!(start["attempt"], json!({"retryCount": 0, "redriveCount": 0, "quotaWaits": 0}));
    assert_eq!((&start["inputKind"], &start["skipped"]), (&json!("itemId"), &json!([])));
    assert_eq!(run.payload_fields("CheckSegment", "/wasThere"), [false, true, true]);
    assert_eq!(run.payload_fields("CheckSegment", "/batchSegmentJobArn"), [ARN; 3]);
    assert_eq!(run.payload_fields("CheckSegment", "/startTime"), ["2026-01-01T00:00:00.000Z"; 3]);
    assert_eq!(run.payload_fields("CheckSegment", "/poll"), [&checked()["poll"]; 3]);
    let count = run.payloads("CountSegment")[0];
    assert_eq!((&count["outputLocation"], &count["createTime"]), (&json!("s3://b/out/"), &finished()["createTime"]));
}

#[test]
fn an_output_with_only_errors_fails_the_run() {
    let cause = "each of its 3 lines is an error";
    let run = run(ran().answers("CountSegment", [with(&counted(), json!({"error": "SegmentFailed", "cause": cause}))]));
    assert_eq!(run.cause("SegmentFailed"), format!("{cause}{}", report_text()));
    let report = run.payloads("WriteReport")[0];
    assert_eq!((&report["error"], &report["cause"]), (&json!("SegmentFailed"), &json!(cause)));
    assert_eq!((&report["output"], &report["segment"]["phase"]), (&output(), &json!("READY")));
}

#[test]
fn a_failed_job_is_reported_and_the_cause_names_the_report() {
    for (phase, error) in [("FAILED", "SegmentFailed"), ("FAILED", "JobDeleted"), ("EXPIRED", "DeadlineExceeded")] {
        let run = run(accepted()
            .answers("StartSegment", [started()])
            .answers("CheckSegment", [ended(phase, error, "because")]));
        assert_eq!(run.cause(error), format!("because{}", report_text()));
        let report = run.payloads("WriteReport")[0];
        assert_eq!((&report["error"], &report["cause"]), (&json!(error), &json!("because")));
        assert_eq!(report["output"], Value::Null);
        assert!(run.payloads("CountSegment").is_empty());
    }
}

#[test]
fn a_run_succeeds_without_a_report() {
    let run = run(ran().answers("CountSegment", [counted()]).answers("WriteReport", [failing("AccessDenied")]));
    assert_eq!((&run.output()["report"], &run.output()["output"]), (&Value::Null, &output()));
    assert_eq!(run.output()["looks"], 1);
}

#[test]
fn a_failed_run_without_a_report_has_only_its_cause() {
    let run = run(accepted()
        .answers("StartSegment", [started()])
        .answers("CheckSegment", [ended("FAILED", "SegmentFailed", "because")])
        .answers("WriteReport", [failing("AccessDenied")]));
    assert_eq!(run.cause("SegmentFailed"), "because");
    assert_eq!(run.payloads("WriteReport").len(), 1);
}

#[test]
fn an_output_that_cannot_be_read_is_reported_as_not_counted() {
    let skipped = json!(["input", "recipe", "output"]);
    let run = run(Script::default()
        .answers("CheckRequest", [with(&checked(), json!({"input": null, "skipped": ["input"]}))])
        .answers("StartSegment", [with(&started(), json!({"skipped": ["input", "recipe"]}))])
        .answers("CheckSegment", [finished()])
        .answers("CountSegment", [json!({"output": null, "skipped": skipped, "error": null, "cause": null})]));
    assert_eq!((&run.output()["output"], &run.output()["skipped"]), (&Value::Null, &skipped));
    assert_eq!(run.payload_fields("WriteReport", "/skipped"), [&skipped]);
    assert_eq!(run.payload_fields("StartSegment", "/inputKind"), [&Value::Null]);
    assert_eq!(run.payload_fields("CountSegment", "/skipped"), [&json!(["input", "recipe"])]);
}

#[test]
fn an_error_that_does_not_pass_ends_the_run_at_once() {
    for error in ["InvalidRequest", "InvalidSeed", "AccessDenied", "NotFound", "Conflict", "DeadlineExceeded"] {
        let run = run(accepted().answers("StartSegment", [failing(error)]));
        run.fails(error, &["because"]);
        assert_eq!(run.payloads("StartSegment").len(), 1);
        assert!(run.payloads("WriteReport").is_empty());
    }
}

#[test]
fn a_run_waits_for_a_quota_and_counts_its_waits() {
    let full = failing("QuotaExceeded");
    let run = run(accepted()
        .answers("StartSegment", [full.clone(), full, started().into()])
        .answers("CheckSegment", [finished()])
        .answers("CountSegment", [counted()]));
    assert_eq!(run.output()["quotaWaits"], 2);
    assert_eq!(run.payload_fields("WriteReport", "/quotaWaits"), [2]);
    assert!(run.wait_seconds().iter().all(|seconds| (1..181).contains(seconds)), "{:?}", run.waits);
    assert_eq!(run.payload_fields("StartSegment", "/attempt/quotaWaits"), [0, 1, 2]);
}

#[test]
fn a_lost_answer_is_retried_with_the_retry_count() {
    for error in [
        "Throttled",
        "ServiceUnavailable",
        "Lambda.Unknown",
        "Sandbox.Timedout",
        "Runtime.OutOfMemory",
        "States.Timeout",
        "Lambda.KMSDisabledException",
    ] {
        let run = run(Script::default()
            .answers("CheckRequest", [failing(error), checked().into()])
            .answers("StartSegment", [failing(error), started().into()])
            .answers("CheckSegment", [failing(error), finished().into()])
            .answers("CountSegment", [failing(error), counted().into()])
            .answers("WriteReport", [failing(error), json!({"report": REPORT}).into()]));
        assert_eq!(run.output()["report"], REPORT, "{error}");
        assert_eq!(run.payload_fields("StartSegment", "/attempt/retryCount"), [0, 1], "{error}");
    }
}
