"""Cases of the audience workflow for a second interpreter, sfnx. The complete table is in tests/simulation/tests/workflows: these
cases show that both interpreters agree on each kind of state. Time does not pass in sfnx, so a case about the deadline has
one that has passed. Run with the checks' virtual environment: python audience_cases.py audience.asl.json"""

import json
import pathlib
import sys

from sfnx.testing import Failure, run

ARN = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1"
SIZES = [{"type": "ABSOLUTE", "value": value} for value in (1, 2, 3, 4)]
METRICS = {"relevanceMetrics": [{"audienceSize": SIZES[0], "score": 0.9}], "recallMetric": 0.6}
START = "2026-01-01T00:00:00.000Z"
DEADLINE = "2026-01-01T01:00:00Z"
PASSED = "2025-12-31T00:00:00Z"
NOT_CALLED = {"Lambda.TooManyRequestsException", "Lambda.ResourceNotReadyException", "Lambda.ResourceConflictException"}
# Causes as AWS writes them: the error, the cause (None: no cause), and the text that a report shows.
CAUSES = json.loads((pathlib.Path(__file__).parents[2] / "data/causes.json").read_text(encoding="utf-8"))

CHECKED = {
    "name": "spring", "checkedRequest": "s3://b/checked/run.json", "audienceGenerationJobArn": None,
    "deadline": DEADLINE, "export": "all", "modelSizes": SIZES, "skipped": [],
    "seed": {"users": 1200, "uniqueUsers": 1180, "blankLines": 0, "badLines": 0},
    "poll": {"minSeconds": 13, "maxSeconds": 900},
}
REPORT = "s3://b/reports/run/index.html"
REPORT_TEXT = f" Report: {REPORT}."
NOT_STARTED = {"state": "NOT_STARTED", "redriveCount": 0, "quotaWaits": 0}
STARTED = {"start": {**NOT_STARTED, "state": "STARTED", "since": START}, "audienceGenerationJobArn": ARN, "name": "spring"}


def status(phase, exports=(), **more):
    return {
        "phase": phase, "status": "CREATE_IN_PROGRESS", "statusCode": None, "message": None, "createTime": None,
        "updateTime": None, "checkAfterSeconds": None, "metrics": None, "missingSince": None, "outputLocation": None,
        "error": None, "cause": None, "exports": list(exports), **more,
    }


def planned(sizes=SIZES):
    return [{"name": f"spring-{size['value']}", "audienceSize": size, "start": NOT_STARTED, "status": None} for size in sizes]


def ready(sizes=SIZES):
    return status("READY", planned(sizes), status="ACTIVE", metrics=METRICS)


def starts(*states):
    """What start-export answers: how far the start of each export is then."""
    def answer(payload):
        exports = zip(payload["exports"], states, strict=True)
        return {"exports": [{**export, "start": {**export["start"], "state": state, "since": START}}
                            for export, state in exports]}
    return answer


def checks(phase, *states, error=None, wait=None):
    """What check-status answers about exports."""
    def answer(payload):
        exports = starts(*states)(payload)["exports"]
        return {"phase": phase, "isStartDue": wait is None, "checkAfterSeconds": wait, "exports": exports, "error": error,
                "cause": error and "because."}
    return answer


def failing(error, message="because."):
    return Failure(error, json.dumps({"errorType": error, "errorMessage": message}))


def drive(definition, answers, execution_input=None):
    """Runs the workflow. `answers` has a list of answers by state: a payload, an error, or a function of the call's payload."""
    left = {"WriteReport": [{"report": REPORT}], **{state: list(script) for state, script in answers.items()}}
    payloads, waits = [], []

    def task(call):
        payload = call.arguments["Payload"]
        payloads.append((call.state, payload))
        assert left.get(call.state), f"{call.state} was called once more than the case says"
        answer = left[call.state].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": answer(payload) if callable(answer) else answer}

    execution = run(definition, execution_input or {"seedAudience": {}}, task, on_wait=waits.append, start_time=START)
    return execution, payloads, waits


def called(payloads, state):
    return [payload for name, payload in payloads if name == state]


def states_of(payload):
    return [export["start"]["state"] for export in payload["exports"]]


def fails(execution, error, *parts):
    assert execution.error == error, execution
    for part in parts:
        assert part in execution.cause, execution.cause


def a_seed_becomes_an_exported_audience(definition):
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED],
        "StartGeneration": [STARTED],
        "CheckGeneration": [status("RUNNING", checkAfterSeconds=15), ready()],
        "StartExports": [starts(*["STARTED"] * 4)],
        "CheckExports": [checks("RUNNING", *["STARTED"] * 4, wait=7), checks("READY", *["FINISHED"] * 4, wait=0)],
    })
    assert execution.error is None, execution
    assert {key: value for key, value in execution.output.items() if key != "exports"} == {
        "name": "spring", "audienceGenerationJobArn": ARN, "seed": CHECKED["seed"], "skipped": [], "metrics": METRICS,
        "report": REPORT, "deadline": DEADLINE, "quotaWaits": 0, "statusChecks": 4,
    }, execution.output
    assert states_of(execution.output) == ["FINISHED"] * 4
    assert [(wait.state, wait.seconds) for wait in waits] == [("WaitForGeneration", 15), ("WaitForExports", 7)], waits
    start = called(payloads, "StartGeneration")[0]
    assert start["attempt"] == {"enteredTime": START, "redriveCount": 0} and start["start"] == NOT_STARTED, start


def a_start_is_kept_for_each_real_cause(definition):
    for example in CAUSES:
        failure = Failure(example["error"], example["cause"])
        execution, payloads, waits = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [failure, STARTED], "CheckGeneration": [ready([])],
        })
        assert execution.error is None and 60 <= waits[0].seconds <= 180, (execution, waits)
        start = called(payloads, "StartGeneration")[1]["start"]
        unknown = {**NOT_STARTED, "state": "UNKNOWN", "since": START, "error": example["error"], "cause": example["text"]}
        assert start == (NOT_STARTED if example["error"] in NOT_CALLED else unknown), start


def exports_that_start_wait_and_are_rejected_are_followed_together(definition):
    mixed = ["STARTED", "UNKNOWN", "REJECTED", "WAITING"]
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
        "StartExports": [starts(*mixed), failing("Lambda.Unknown"), failing("Lambda.TooManyRequestsException"),
                         starts("FINISHED", "STARTED", "REJECTED", "STARTED")],
        "CheckExports": [checks("RUNNING", *mixed), failing("ServiceUnavailable"),
                         checks("RUNNING", "FINISHED", "UNKNOWN", "REJECTED", "UNKNOWN"),
                         checks("FAILED", "FINISHED", "FINISHED", "REJECTED", "FINISHED", error="ExportFailed")],
    })
    fails(execution, "ExportFailed", "because.", REPORT_TEXT)
    assert [states_of(call) for call in called(payloads, "CheckExports")][1] == ["STARTED", "UNKNOWN", "REJECTED", "UNKNOWN"]
    assert [wait.state for wait in waits] == ["WaitToStartExports"] * 3, waits


def exports_that_cannot_be_checked_at_the_deadline_are_not_known(definition):
    for example in CAUSES:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [{**CHECKED, "deadline": PASSED}], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
            "StartExports": [starts("STARTED", "FINISHED", "REJECTED", "WAITING")],
            "CheckExports": [Failure(example["error"], example["cause"])],
        })
        fails(execution, "DeadlineExceeded", "2 of 4 is not known: spring-1, spring-4.", "paid again", example["text"])
        exports = called(payloads, "WriteReport")[0]["exports"]
        assert [export["status"] for export in exports] == ["UNKNOWN", None, None, "UNKNOWN"], exports


def a_generation_that_cannot_be_checked_at_the_deadline_is_not_known(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [{**CHECKED, "deadline": PASSED}], "StartGeneration": [STARTED],
        "CheckGeneration": [failing("States.Timeout")],
    })
    fails(execution, "DeadlineExceeded", ARN, "is not known", "do not generate it again", "because.", REPORT_TEXT)


def a_request_that_is_not_checked_at_the_deadline_starts_nothing(definition):
    no_time = json.loads(json.dumps(definition).replace("172800", "0"))
    execution, payloads, _ = drive(no_time, {"CheckRequest": [failing("ServiceUnavailable")]})
    fails(execution, "DeadlineExceeded", "nothing was started", "ServiceUnavailable: because.")
    assert len(payloads) == 1, payloads


def a_request_is_checked_again(definition):
    checks = [failing("Lambda.Unknown"), failing("Throttled"), failing("Lambda.KMSDisabledException"), CHECKED]
    execution, _, waits = drive(definition, {
        "CheckRequest": checks, "StartGeneration": [STARTED], "CheckGeneration": [ready([])],
    })
    assert execution.error is None and [wait.seconds for wait in waits] == [60, 60], (execution, waits)


def a_run_succeeds_without_a_report(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready([])],
        "WriteReport": [failing("AccessDenied")],
    })
    assert execution.error is None and execution.output["report"] is None, execution
    assert execution.output["exports"] == [] and execution.output["statusChecks"] == 1, execution


def main(names):
    """Runs every case of a module over the definition that the command line names."""
    with open(sys.argv[1], encoding="utf-8") as file:
        definition = json.loads(file.read().replace("${Partition}", "aws").replace("${DeadlineSeconds}", "172800"))
    cases = [case for case in names.values() if getattr(case, "__code__", None)
             and case.__code__.co_varnames[:case.__code__.co_argcount] == ("definition",)]
    failed = 0
    for case in cases:
        try:
            case(definition)
        except Exception as error:  # every case is reported, not only the first
            failed += 1
            print(f"{case.__name__}: {type(error).__name__}: {error}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not cases else 0)


if __name__ == "__main__":
    main(globals())
