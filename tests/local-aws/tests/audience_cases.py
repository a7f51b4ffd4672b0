"""The audience workflow as a table of cases, run in memory by sfnx: what each function answers, where the run goes, how
it ends. Run with the checks' virtual environment: python audience_cases.py audience.asl.json"""

import json
import pathlib
import sys

from sfnx.testing import Failure, run

ARN = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1"
SIZES = [{"type": "PERCENTAGE", "value": 5}, {"type": "ABSOLUTE", "value": 10000}]
METRICS = {"relevanceMetrics": [{"audienceSize": SIZES[0], "score": 0.9}], "recallMetric": 0.6}

CHECKED = {
    "name": "spring",
    "checkedRequest": "s3://b/checked/run.json",
    "audienceGenerationJobArn": None,
    "deadline": "2026-01-01T01:00:00Z",
    "export": "all",
    "modelSizes": SIZES,
    "seed": {"users": 1200, "uniqueUsers": 1180, "blankLines": 0, "badLines": 0},
    "skipped": [],
    "poll": {"minSeconds": 13, "maxSeconds": 900},
}
REPORT = "s3://b/reports/run/index.html"
SAID = f" Report: {REPORT}."  # the end of a cause where a report was written
STARTED = {"audienceGenerationJobArn": ARN, "name": "spring"}
NOTHING = {
    "statusCode": None, "message": None, "createTime": None, "updateTime": None, "checkAfterSeconds": None,
    "metrics": None, "exportSizes": None, "outputLocation": None, "error": None, "cause": None,
}


def running(seconds):
    return {**NOTHING, "phase": "RUNNING", "status": "CREATE_IN_PROGRESS", "checkAfterSeconds": seconds}


def ready(sizes=SIZES, metrics=METRICS):
    return {**NOTHING, "phase": "READY", "status": "ACTIVE", "metrics": metrics, "exportSizes": sizes}


def ended(phase, error, cause):
    return {**NOTHING, "phase": phase, "status": "CREATE_FAILED", "error": error, "cause": cause}


# Causes as AWS writes them: the error, the cause (none: no cause), and the text that a person should read.
CAUSES = json.loads((pathlib.Path(__file__).parents[2] / "data/causes.json").read_text(encoding="utf-8"))


def failures_as_aws_writes_them():
    for example in CAUSES:
        failure = Failure(example["error"], example["cause"])
        yield example, failure


TIMES = {"createTime": None, "updateTime": None}


def exported(place="s3://out/a"):
    return {"status": "ACTIVE", "outputLocation": place, **TIMES}


def missing(error, cause):
    return {"status": "CREATE_FAILED", "outputLocation": None, "error": error, "cause": cause, **TIMES}


def look(exports, seen):
    """What check-status answers: `seen` has, by the value of a size, its end or the seconds until the next look."""
    answer, waits = [], []
    for export in exports:
        found = seen.get(export["audienceSize"]["value"])
        if "startTime" not in export:
            answer.append(export)
        elif isinstance(found, int):
            waits.append(found)
            answer.append({**export, "status": "CREATE_PENDING", "outputLocation": None, **TIMES})
        else:
            answer.append({**{key: value for key, value in export.items() if key != "startTime"}, **found})
    return {"phase": "RUNNING" if waits else "READY", "checkAfterSeconds": min(waits, default=None), "exports": answer}


def failing(error, message="because"):
    return Failure(error, json.dumps({"errorType": error, "errorMessage": message}))


def name_of(size):
    return f"spring-{size['value']}" + ("pct" if size["type"] == "PERCENTAGE" else "")


def drive(definition, answers, execution_input=None):
    """Runs the workflow. `answers` has a list of answers by state; StartExport may have one list by value of its size, and
    CheckExports has what each look sees."""
    left = {state: ({k: list(v) for k, v in a.items()} if isinstance(a, dict) else list(a)) for state, a in answers.items()}
    payloads, waits = [], []

    def task(call):
        payload = call.arguments["Payload"]
        payloads.append((call.state, payload))
        script = left.get(call.state)
        if isinstance(script, dict):
            script = script[payload["audienceSize"]["value"]]
        if script is None and call.state == "WriteReport":
            return {"Payload": {"report": REPORT}}
        if script is None and call.state == "StartExport":
            return {"Payload": {"name": name_of(payload["audienceSize"])}}
        assert script, f"{call.state} was called once more than the case says"
        answer = script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Payload": look(payload["exports"], answer) if call.state == "CheckExports" else answer}

    execution = run(definition, execution_input or {"seedAudience": {}}, task, on_wait=waits.append)
    return execution, payloads, waits


def called(payloads, state):
    return [payload for name, payload in payloads if name == state]


def fails(execution, error, *parts):
    assert execution.error == error, execution
    for part in parts:
        assert part in execution.cause, execution.cause


def a_seed_becomes_an_exported_audience(definition):
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED],
        "StartGeneration": [STARTED],
        "CheckGeneration": [running(15), running(20), ready()],
        "CheckExports": [{5: 7, 10000: exported("s3://out/1")}, {5: exported("s3://out/5")}],
    })
    assert execution.error is None, execution
    exports = [
        {"name": "spring-5pct", "audienceSize": SIZES[0], "status": "ACTIVE", "outputLocation": "s3://out/5", **TIMES},
        {"name": "spring-10000", "audienceSize": SIZES[1], "status": "ACTIVE", "outputLocation": "s3://out/1", **TIMES},
    ]
    assert execution.output == {
        "name": "spring", "audienceGenerationJobArn": ARN, "seed": CHECKED["seed"], "skipped": [], "metrics": METRICS,
        "exports": exports, "report": REPORT, "quotaWaits": 0, "looks": 5,
    }, execution.output
    report = called(payloads, "WriteReport")[0]
    assert report["exports"] == exports and report["error"] is None and report["quotaWaits"] == 0, report
    assert report["generation"]["metrics"] == METRICS and report["checkedRequest"] == CHECKED["checkedRequest"]
    assert [wait.seconds for wait in waits] == [15, 20, 7], waits
    check = called(payloads, "CheckRequest")[0]
    assert check["input"] == {"seedAudience": {}} and set(check["execution"]) == {"id", "name", "startTime"}
    start = called(payloads, "StartGeneration")[0]
    assert start["checkedRequest"] == CHECKED["checkedRequest"] and start["deadline"] == CHECKED["deadline"]
    assert start["attempt"] == {"retryCount": 0, "redriveCount": 0, "quotaWaits": 0}
    look = called(payloads, "CheckGeneration")[0]
    assert look["audienceGenerationJobArn"] == ARN and look["export"] == "all" and look["modelSizes"] == SIZES
    assert look["startTime"] is not None
    assert [look["wasThere"] for look in called(payloads, "CheckGeneration")] == [False, True, True]
    export = called(payloads, "StartExport")[0]
    assert export["audienceSize"] == SIZES[0] and export["name"] == "spring"


def generate_only_exports_nothing(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready([])],
    })
    assert execution.error is None and execution.output["exports"] == [], execution
    assert called(payloads, "StartExport") == []


def one_export_is_still_a_list(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready(SIZES[:1])],
        "CheckExports": [{5: exported()}],
    })
    assert [export["name"] for export in execution.output["exports"]] == ["spring-5pct"], execution


def hidden_metrics_and_places_are_null(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [{**CHECKED, "seed": None, "modelSizes": None, "skipped": ["model", "seed"]}],
        "StartGeneration": [STARTED], "CheckGeneration": [ready(SIZES[:1], None)], "CheckExports": [{5: exported(None)}],
    })
    assert execution.error is None, execution
    assert execution.output["metrics"] is None and execution.output["seed"] is None
    assert execution.output["exports"][0]["outputLocation"] is None


def an_export_only_run_generates_nothing(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [{**CHECKED, "checkedRequest": None, "audienceGenerationJobArn": ARN, "seed": None}],
        "CheckGeneration": [ready(SIZES[:1])], "CheckExports": [{5: exported()}],
    }, {"audienceGenerationJobArn": ARN, "export": "5pct"})
    assert execution.error is None, execution
    assert called(payloads, "StartGeneration") == []
    assert called(payloads, "CheckGeneration")[0]["startTime"] is None


def a_refused_request_fails_in_the_first_state(definition):
    for error in ["InvalidRequest", "InvalidSeed", "AccessDenied", "NotFound"]:
        execution, payloads, _ = drive(definition, {"CheckRequest": [failing(error)]})
        fails(execution, error, "because")
        assert [state for state, _ in payloads] == ["CheckRequest"]


def a_start_that_is_refused_fails_uncaught(definition):
    for error in ["InvalidRequest", "AccessDenied", "NotFound", "Conflict", "DeadlineExceeded"]:
        execution, payloads, _ = drive(definition, {"CheckRequest": [CHECKED], "StartGeneration": [failing(error)]})
        fails(execution, error, "because")
        assert len(called(payloads, "StartGeneration")) == 1


def a_lost_answer_is_retried_and_says_so(definition):
    for error in ["Throttled", "ServiceUnavailable", "Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError",
                  "Runtime.OutOfMemory", "States.Timeout", "Lambda.ServiceException", "Lambda.KMSAccessDeniedException"]:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [failing(error), STARTED],
            "CheckGeneration": [failing(error), ready(SIZES[:1])],
            "StartExport": [failing(error), {"name": "spring-5pct"}], "CheckExports": [failing(error), {5: exported()}],
        })
        assert execution.error is None, (error, execution)
        for state in ["StartGeneration", "StartExport"]:
            assert [start["attempt"]["retryCount"] for start in called(payloads, state)] == [0, 1], error


def a_service_that_stays_away_ends_the_run_by_its_name(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [failing("ServiceUnavailable")] * 7,
    })
    fails(execution, "ServiceUnavailable")
    assert len(called(payloads, "StartGeneration")) == 7


def a_run_does_not_fail_for_want_of_a_report(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready([])],
        "WriteReport": [failing("AccessDenied")],
    })
    assert execution.error is None and execution.output["report"] is None, execution


def a_bad_end_without_a_report_has_its_cause_alone(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED],
        "CheckGeneration": [ended("FAILED", "GenerationFailed", "because")], "WriteReport": [failing("AccessDenied")],
    })
    fails(execution, "GenerationFailed")
    assert execution.cause == "because" and len(called(payloads, "WriteReport")) == 1, execution


def an_audience_that_ends_badly_is_reported_with_what_is_known(definition):
    for error in ["NoSizeQualifies", "GenerationFailed"]:
        bad = {**ended("FAILED", error, "because"), "metrics": METRICS}
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [bad],
        })
        fails(execution, error)
        assert execution.cause == "because" + SAID, execution.cause
        report = called(payloads, "WriteReport")[0]
        assert (report["error"], report["cause"], report["exports"]) == (error, "because", [])
        assert report["generation"]["metrics"] == METRICS


def a_seed_that_breaks_the_function_is_tried_once_more(definition):
    execution, payloads, _ = drive(definition, {"CheckRequest": [failing("Lambda.Unknown")] * 2})
    fails(execution, "Lambda.Unknown")
    assert len(called(payloads, "CheckRequest")) == 2


def a_job_that_had_to_take_another_name_gives_it_to_the_run(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [{**STARTED, "name": "spring-00ff"}],
        "CheckGeneration": [ready(SIZES[:1])], "CheckExports": [{5: exported()}],
    })
    assert execution.output["name"] == "spring-00ff"
    assert called(payloads, "StartExport")[0]["name"] == "spring-00ff"


def a_quota_is_waited_for_in_a_state_of_its_own(definition):
    full = failing("QuotaExceeded")
    execution, payloads, waits = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [full, full, STARTED], "CheckGeneration": [ready(SIZES[:1])],
        "StartExport": [full, {"name": "spring-5pct"}], "CheckExports": [{5: exported()}],
    })
    assert execution.error is None, execution
    assert [wait.state for wait in waits] == ["WaitForGenerationQuota"] * 2 + ["WaitForExportQuota"]
    assert all(60 <= wait.seconds < 180 for wait in waits), waits
    assert [start["attempt"]["quotaWaits"] for start in called(payloads, "StartGeneration")] == [0, 1, 2]
    assert [start["attempt"]["quotaWaits"] for start in called(payloads, "StartExport")] == [0, 1]


def a_wait_for_a_quota_ends_at_the_deadline(definition):
    for deadline, most in [("2026-01-01T00:00:30Z", 30), ("2025-12-31T00:00:00Z", 1)]:
        execution, _, waits = drive(definition, {
            "CheckRequest": [{**CHECKED, "deadline": deadline}],
            "StartGeneration": [failing("QuotaExceeded"), failing("DeadlineExceeded")],
        })
        fails(execution, "DeadlineExceeded")
        assert [wait.seconds for wait in waits] == [most], waits


def a_generation_that_ended_badly_ends_the_run_so(definition):
    for phase, error in [("FAILED", "GenerationFailed"), ("FAILED", "JobDeleted"), ("EXPIRED", "DeadlineExceeded")]:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [STARTED],
            "CheckGeneration": [running(15), ended(phase, error, "the reason (CODE)")],
        })
        fails(execution, error)
        assert execution.cause == "the reason (CODE)" + SAID, execution.cause
        assert called(payloads, "StartExport") == []


def no_size_that_qualifies_fails_uncaught(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [failing("NoSizeQualifies")],
    })
    fails(execution, "NoSizeQualifies")


def an_export_that_fails_does_not_stop_the_others(definition):
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
        "CheckExports": [{5: missing("ExportFailed", "disk full"), 10000: 5}, {10000: exported()}],
    })
    fails(execution, "ExportFailed", "1 of 2 exports are not there: 5pct (ExportFailed: disk full). There: 10000.", ARN)
    assert execution.cause.endswith(" and these sizes." + SAID), execution.cause
    assert len(called(payloads, "CheckExports")) == 2


def an_export_that_is_refused_does_not_stop_the_others(definition):
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
        "StartExport": {5: [failing("Conflict", "taken")], 10000: [{"name": "spring-10000"}]},
        "CheckExports": [{10000: exported()}],
    })
    fails(execution, "ExportFailed", "5pct (Conflict: taken). There: 10000.")


def the_text_of_each_real_cause_is_kept_when_an_export_does_not_start(definition):
    for example, failure in failures_as_aws_writes_them():
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
            "StartExport": {5: [failure] * 7, 10000: [{"name": "spring-10000"}]}, "CheckExports": [{10000: exported()}],
        })
        fails(execution, "ExportFailed", f"5pct ({example['error']}: {example['text']}). There: 10000.")
        assert called(payloads, "WriteReport")[0]["exports"][0]["cause"] == example["text"], example


def the_text_of_each_real_cause_is_kept_when_exports_cannot_be_checked(definition):
    for example, failure in failures_as_aws_writes_them():
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
            "CheckExports": [{5: exported(), 10000: 7}, *[failure] * 7],
        })
        fails(execution, "ExportFailed", f"10000 ({example['error']}: {example['text']}). There: 5pct.")
        assert len(called(payloads, "WriteReport")) == 1, example


def a_report_is_missing_and_the_run_goes_on_for_each_real_cause(definition):
    for _, failure in failures_as_aws_writes_them():
        execution, _, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready([])],
            "WriteReport": [failure] * 7,
        })
        assert execution.error is None and execution.output["report"] is None, execution


def the_causes_of_25_exports_fit_into_the_cause_of_a_run(definition):
    sizes = [{"type": "ABSOLUTE", "value": value} for value in range(1, 26)]
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready(sizes)],
        "StartExport": {size["value"]: [failing("Conflict", "taken " * 2000)] for size in sizes}, "CheckExports": [{}],
    })
    fails(execution, "ExportFailed", "25 of 25 exports", "the report has all", ARN)
    assert len(execution.cause) < 2000, len(execution.cause)


def an_input_that_may_be_too_large_is_not_passed_on(definition):
    for request, is_passed in [({"note": "x" * 50_000}, True), ({"note": "x" * 261_900}, False), ({"note": "語" * 80_000}, False)]:
        execution, payloads, _ = drive(definition, {"CheckRequest": [failing("InvalidRequest")]}, request)
        check = called(payloads, "CheckRequest")[0]
        assert check["input"] == (request if is_passed else None)
        assert check["inputCharacters"] >= len(request["note"])
        assert len(json.dumps(check).encode()) < 262_144


def the_configuration_comes_from_the_definition(definition):
    _, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready(SIZES[:1])],
        "CheckExports": [{5: exported()}],
    })
    stack = called(payloads, "CheckRequest")[0]["stack"]
    assert stack["export"] == "${ExportPolicy}" and all(isinstance(value, str) for value in stack.values()), stack
    assert called(payloads, "CheckGeneration")[0]["poll"] == CHECKED["poll"]
    assert called(payloads, "CheckExports")[0]["poll"] == CHECKED["poll"]


def exports_that_can_no_longer_be_looked_at_end_the_run_and_those_that_were_seen_are_there(definition):
    for failure in [failing("AccessDenied"), Failure("AccessDenied", "because")]:
        execution, payloads, _ = drive(definition, {
            "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
            "CheckExports": [{5: exported(), 10000: 7}, failure],
        })
        fails(execution, "ExportFailed", "1 of 2 exports are not there: 10000 (AccessDenied: because). There: 5pct.")
        told = called(payloads, "WriteReport")[0]["exports"]
        assert [export["status"] for export in told] == ["ACTIVE", "UNKNOWN"], told


def an_export_past_the_deadline_ends_the_run_so(definition):
    expired = missing("DeadlineExceeded", "still CREATE_PENDING")
    execution, _, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED], "CheckGeneration": [ready()],
        "CheckExports": [{5: exported(), 10000: expired}],
    })
    fails(execution, "DeadlineExceeded", "10000 (DeadlineExceeded: still CREATE_PENDING). There: 5pct.")


def an_hour_and_three_sizes_of_ten_minutes_take_as_many_transitions_as_the_readme_says(definition):
    sizes = [{"type": "PERCENTAGE", "value": value} for value in (1, 5, 10)]
    looks = [{1: 13, 5: 13, 10: 13}] * 27 + [{1: exported(), 5: exported(), 10: exported()}]
    execution, payloads, _ = drive(definition, {
        "CheckRequest": [CHECKED], "StartGeneration": [STARTED],
        "CheckGeneration": [running(13)] * 46 + [ready(sizes)], "CheckExports": looks,
    })
    assert (len(execution.states), len(payloads)) == (236, 81), (len(execution.states), len(payloads))


def main(names):
    """Runs every case of a module over the definition that the command line names."""
    with open(sys.argv[1], encoding="utf-8") as file:
        definition = json.loads(file.read().replace("${Partition}", "aws"))
    cases = [case for case in names.values() if getattr(case, "__code__", None)
             and case.__code__.co_varnames[:case.__code__.co_argcount] == ("definition",)]
    failed = 0
    for case in cases:
        try:
            case(definition)
        except Exception as error:  # each case is told, not only the first
            failed += 1
            print(f"{case.__name__}: {type(error).__name__}: {error}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not cases else 0)


if __name__ == "__main__":
    main(globals())
