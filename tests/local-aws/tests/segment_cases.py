"""Cases of the segment workflow for a second interpreter, as audience_cases.py has the audience's. Run with the checks' virtual
environment: python segment_cases.py segment.asl.json"""

from audience_cases import (
    CAUSES, DEADLINE, NOT_CALLED, NOT_STARTED, PASSED, REPORT, REPORT_TEXT, START, called, drive, failing, fails, main, status,
)
from sfnx.testing import Failure

ARN = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring"
CHECKED = {
    "name": "spring", "checkedRequest": "s3://b/checked/run.json", "deadline": DEADLINE,
    "input": {"lines": 3, "kind": "itemId"}, "warnings": ["careful"], "skipped": [],
    "poll": {"minSeconds": 13, "maxSeconds": 900},
}
STARTED = {
    "start": {**NOT_STARTED, "state": "STARTED", "since": START}, "batchSegmentJobArn": ARN, "name": "spring", "skipped": [],
}
READY = status("READY", status="ACTIVE", outputLocation="s3://b/out/", createTime="2026-01-01T00:00:05Z")
OUTPUT = {"lines": 3, "users": 75, "errorLines": 0, "firstError": None}
COUNTED = {"output": OUTPUT, "skipped": [], "error": None, "cause": None}


def a_request_becomes_segments(definition):
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [STARTED],
        "CheckSegment": [status("RUNNING", checkAfterSeconds=15), READY], "CountSegmentOutput": [COUNTED],
    }, {"solutionVersionArn": "x"})
    assert execution.error is None, execution
    assert execution.output == {
        "name": "spring", "batchSegmentJobArn": ARN, "status": "ACTIVE", "input": CHECKED["input"],
        "warnings": ["careful"], "skipped": [], "output": OUTPUT, "outputLocation": "s3://b/out/", "report": REPORT,
        "deadline": DEADLINE, "quotaWaits": 0, "statusChecks": 2,
    }, execution.output
    assert [wait.seconds for wait in waits] == [15], waits
    count = called(payloads, "CountSegmentOutput")[0]
    assert (count["outputLocation"], count["createTime"]) == ("s3://b/out/", READY["createTime"]), count


def a_start_is_kept_for_each_real_cause(definition):
    for example in CAUSES:
        execution, payloads, waits = drive(definition, {
            "CheckRequest": [CHECKED], "StartSegment": [Failure(example["error"], example["cause"]), STARTED],
            "CheckSegment": [READY], "CountSegmentOutput": [COUNTED],
        })
        assert execution.error is None and 60 <= waits[0].seconds <= 180, (execution, waits)
        start = called(payloads, "StartSegment")[1]["start"]
        unknown = {**NOT_STARTED, "state": "UNKNOWN", "since": START, "error": example["error"], "cause": example["text"]}
        assert start == (NOT_STARTED if example["error"] in NOT_CALLED else unknown), start


def a_segment_that_cannot_be_checked_at_the_deadline_is_not_known(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [{**CHECKED, "deadline": PASSED}], "StartSegment": [STARTED], "CheckSegment": [failing("Throttled")],
    })
    fails(execution, "DeadlineExceeded", ARN, "is not known", "because.", REPORT_TEXT)
    assert called(payloads, "CountSegmentOutput") == []


def an_output_that_cannot_be_counted_does_not_fail_the_run(definition):
    for before in [[], ["input", "recipe"]]:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartSegment": [{**STARTED, "skipped": before}], "CheckSegment": [READY],
            "CountSegmentOutput": [failing("AccessDenied")],
        })
        assert execution.error is None and execution.output["output"] is None, execution
        assert execution.output["skipped"] == called(payloads, "WriteReport")[0]["skipped"] == [*before, "output"]


def an_output_with_only_errors_fails_the_run(definition):
    none = {**COUNTED, "error": "SegmentFailed", "cause": "Each of its 3 lines is an error."}
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartSegment": [STARTED], "CheckSegment": [READY], "CountSegmentOutput": [none],
    })
    fails(execution, "SegmentFailed", none["cause"], REPORT_TEXT)


if __name__ == "__main__":
    main(globals())
