"""The segment workflow as a table of cases, as audience_cases.py has the audience's. Run with the checks' virtual
environment: python segment_cases.py segment.asl.json"""

from audience_cases import NOTHING, called, drive, ended, failing, fails, main, running

ARN = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring"
CHECKED = {
    "name": "spring",
    "checkedRequest": "s3://b/checked/run.json",
    "deadline": "2026-01-01T01:00:00Z",
    "input": {"lines": 3, "kind": "itemId"},
    "warnings": ["careful"],
    "skipped": [],
}
STARTED = {"batchSegmentJobArn": ARN, "name": "spring"}
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
    }, execution.output
    assert [wait.seconds for wait in waits] == [15, 20], waits
    check = called(payloads, "CheckRequest")[0]
    assert check["engine"] == "segment" and check["input"] == {"solutionVersionArn": "x"}
    start = called(payloads, "StartSegment")[0]
    assert start["checkedRequest"] == CHECKED["checkedRequest"] and start["deadline"] == CHECKED["deadline"]
    assert start["attempt"] == {"retryCount": 0, "redriveCount": 0, "quotaWaits": 0}
    looks = called(payloads, "CheckSegment")
    assert [look["wasThere"] for look in looks] == [False, True, True]
    assert looks[0]["batchSegmentJobArn"] == ARN and looks[0]["startTime"]
    count = called(payloads, "CountSegment")[0]
    assert count["outputLocation"] == "s3://b/out/" and count["createTime"] == READY["createTime"]


def an_output_of_errors_alone_is_no_success(definition):
    nothing = {"output": OUTPUT, "skipped": [], "error": "SegmentFailed", "cause": "each of its 3 lines is an error"}
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [READY], "CountSegment": [nothing],
    })
    fails(execution, "SegmentFailed", "each of its 3 lines is an error")


def a_job_that_ends_badly_fails_with_the_message_alone(definition):
    for phase, error in [("FAILED", "SegmentFailed"), ("FAILED", "JobDeleted"), ("EXPIRED", "DeadlineExceeded")]:
        execution, _, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [ended(phase, error, "because")],
        })
        fails(execution, error)
        assert execution.cause == "because", execution.cause


def an_error_that_does_not_pass_ends_the_run_at_once(definition):
    for error in ["InvalidRequest", "InvalidSeed", "AccessDenied", "NotFound", "Conflict", "DeadlineExceeded"]:
        execution, payloads, _ = drive(definition, {"CheckRequest": [CHECKED], "StartSegment": [failing(error)]})
        fails(execution, error, "because")
        assert len(called(payloads, "StartSegment")) == 1


def a_quota_is_waited_for_and_the_next_attempt_looks_first(definition):
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [failing("QuotaExceeded")] * 2 + [STARTED], "CheckSegment": [READY],
        "CountSegment": [COUNTED],
    })
    assert execution.error is None, execution
    assert len(waits) == 2 and all(1 <= wait.seconds <= 180 for wait in waits), waits
    assert [start["attempt"]["quotaWaits"] for start in called(payloads, "StartSegment")] == [0, 1, 2]


def a_lost_answer_is_retried_and_says_so(definition):
    for error in ["Throttled", "ServiceUnavailable", "Lambda.Unknown", "Sandbox.Timedout", "States.Timeout"]:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [failing(error), CHECKED], "StartSegment": [failing(error), STARTED],
            "CheckSegment": [failing(error), READY], "CountSegment": [failing(error), COUNTED],
        })
        assert execution.error is None, (error, execution)
        assert [start["attempt"]["retryCount"] for start in called(payloads, "StartSegment")] == [0, 1]


if __name__ == "__main__":
    main(globals())
