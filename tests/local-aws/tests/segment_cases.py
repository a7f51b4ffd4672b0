"""The segment workflow as a table of cases, as audience_cases.py has the audience's. Run with the checks' virtual
environment: python segment_cases.py segment.asl.json"""

from audience_cases import NOTHING, REPORT, SAID, called, drive, ended, failing, fails, main, running

ARN = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring"
CHECKED = {
    "name": "spring",
    "checkedRequest": "s3://b/checked/run.json",
    "deadline": "2026-01-01T01:00:00Z",
    "input": {"lines": 3, "kind": "itemId"},
    "warnings": ["careful"],
    "skipped": [],
    "poll": {"minSeconds": 13, "maxSeconds": 900},
}
STARTED = {"batchSegmentJobArn": ARN, "name": "spring", "skipped": []}
READY = {
    **NOTHING, "phase": "READY", "status": "ACTIVE", "outputLocation": "s3://b/out/", "createTime": "2026-01-01T00:00:05Z",
}
OUTPUT = {"lines": 3, "users": 75, "errorLines": 0, "firstError": None}
COUNTED = {"output": OUTPUT, "skipped": [], "error": None, "cause": None}


def a_request_becomes_segments(definition):
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [running(15), running(20), READY],
        "CountSegment": [COUNTED],
    }, {"solutionVersionArn": "x"})
    assert execution.error is None, execution
    assert execution.output == {
        "name": "spring", "batchSegmentJobArn": ARN, "status": "ACTIVE", "input": CHECKED["input"],
        "warnings": ["careful"], "skipped": [], "output": OUTPUT, "outputLocation": "s3://b/out/",
        "report": REPORT, "quotaWaits": 0, "looks": 3,
    }, execution.output
    report = called(payloads, "WriteReport")[0]
    assert report["engine"] == "segment" and report["batchSegmentJobArn"] == ARN and report["segment"] == READY, report
    assert (report["input"], report["output"]) == (CHECKED["input"], OUTPUT) and report["warnings"] == ["careful"]
    assert (report["error"], report["cause"], report["quotaWaits"], report["skipped"]) == (None, None, 0, []), report
    assert report["checkedRequest"] == CHECKED["checkedRequest"] and report["deadline"] == CHECKED["deadline"]
    assert report["segmentStartTime"] and set(report["execution"]) == {"id", "name", "startTime"}
    assert [wait.seconds for wait in waits] == [15, 20], waits
    check = called(payloads, "CheckRequest")[0]
    assert check["engine"] == "segment" and check["input"] == {"solutionVersionArn": "x"}
    start = called(payloads, "StartSegment")[0]
    assert start["checkedRequest"] == CHECKED["checkedRequest"] and start["deadline"] == CHECKED["deadline"]
    assert start["attempt"] == {"retryCount": 0, "redriveCount": 0, "quotaWaits": 0}
    assert (start["inputKind"], start["skipped"]) == ("itemId", []), start
    looks = called(payloads, "CheckSegment")
    assert [look["wasThere"] for look in looks] == [False, True, True]
    assert looks[0]["batchSegmentJobArn"] == ARN and looks[0]["startTime"]
    assert [look["poll"] for look in looks] == [CHECKED["poll"]] * 3
    assert check["stack"]["segmentRoleArn"] == "${SegmentRoleArn}", check["stack"]
    count = called(payloads, "CountSegment")[0]
    assert count["outputLocation"] == "s3://b/out/" and count["createTime"] == READY["createTime"]


def an_output_of_errors_alone_is_no_success(definition):
    nothing = {"output": OUTPUT, "skipped": [], "error": "SegmentFailed", "cause": "each of its 3 lines is an error"}
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [READY], "CountSegment": [nothing],
    })
    fails(execution, "SegmentFailed")
    assert execution.cause == "each of its 3 lines is an error" + SAID, execution.cause
    report = called(payloads, "WriteReport")[0]
    assert (report["error"], report["cause"]) == ("SegmentFailed", nothing["cause"]), report
    assert report["output"] == OUTPUT and report["segment"]["phase"] == "READY", report


def a_job_that_ends_badly_is_reported_and_the_cause_says_where(definition):
    for phase, error in [("FAILED", "SegmentFailed"), ("FAILED", "JobDeleted"), ("EXPIRED", "DeadlineExceeded")]:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [ended(phase, error, "because")],
        })
        fails(execution, error)
        assert execution.cause == "because" + SAID, execution.cause
        report = called(payloads, "WriteReport")[0]
        assert (report["error"], report["cause"], report["output"]) == (error, "because", None), report
        assert called(payloads, "CountSegment") == []


def a_run_does_not_fail_for_want_of_a_report(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [READY], "CountSegment": [COUNTED],
        "WriteReport": [failing("AccessDenied")],
    })
    assert execution.error is None, execution
    assert (execution.output["report"], execution.output["output"], execution.output["looks"]) == (None, OUTPUT, 1)


def a_bad_end_without_a_report_has_its_cause_alone(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [ended("FAILED", "SegmentFailed", "because")],
        "WriteReport": [failing("AccessDenied")],
    })
    fails(execution, "SegmentFailed")
    assert execution.cause == "because" and len(called(payloads, "WriteReport")) == 1, execution


def an_output_that_may_not_be_read_is_told_as_not_counted(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [{**CHECKED, "input": None, "skipped": ["input"]}],
        "StartSegment": [{**STARTED, "skipped": ["input", "recipe"]}], "CheckSegment": [READY],
        "CountSegment": [{"output": None, "skipped": ["input", "recipe", "output"], "error": None, "cause": None}],
    })
    assert execution.error is None and execution.output["output"] is None, execution
    assert called(payloads, "StartSegment")[0]["inputKind"] is None
    assert called(payloads, "CountSegment")[0]["skipped"] == ["input", "recipe"]
    assert execution.output["skipped"] == called(payloads, "WriteReport")[0]["skipped"] == ["input", "recipe", "output"]


def an_error_that_does_not_pass_ends_the_run_at_once(definition):
    for error in ["InvalidRequest", "InvalidSeed", "AccessDenied", "NotFound", "Conflict", "DeadlineExceeded"]:
        execution, payloads, _ = drive(definition, {"CheckRequest": [CHECKED], "StartSegment": [failing(error)]})
        fails(execution, error, "because")
        assert len(called(payloads, "StartSegment")) == 1 and called(payloads, "WriteReport") == []


def a_quota_is_waited_for_and_the_next_attempt_looks_first(definition):
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [failing("QuotaExceeded")] * 2 + [STARTED], "CheckSegment": [READY],
        "CountSegment": [COUNTED],
    })
    assert execution.error is None, execution
    assert execution.output["quotaWaits"] == called(payloads, "WriteReport")[0]["quotaWaits"] == 2
    assert len(waits) == 2 and all(1 <= wait.seconds <= 180 for wait in waits), waits
    assert [start["attempt"]["quotaWaits"] for start in called(payloads, "StartSegment")] == [0, 1, 2]


def a_lost_answer_is_retried_and_says_so(definition):
    for error in ["Throttled", "ServiceUnavailable", "Lambda.Unknown", "Sandbox.Timedout", "Runtime.OutOfMemory", "States.Timeout",
                  "Lambda.KMSDisabledException"]:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [failing(error), CHECKED], "StartSegment": [failing(error), STARTED],
            "CheckSegment": [failing(error), READY], "CountSegment": [failing(error), COUNTED],
            "WriteReport": [failing(error), {"report": REPORT}],
        })
        assert execution.error is None and execution.output["report"] == REPORT, (error, execution)
        assert [start["attempt"]["retryCount"] for start in called(payloads, "StartSegment")] == [0, 1]


if __name__ == "__main__":
    main(globals())
