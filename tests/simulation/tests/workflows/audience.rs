//! The audience workflow.

use serde_json::{Value, json};
use simulation::asl::{ExecutionStatus, Failure};

use crate::scripted::{
    AUDIENCE, Answer, REPORT, Run, Script, definition, drive, drive_and_redrive, failing, real_causes, report_text,
    with,
};

/// Errors after which nobody knows whether the function has done its work.
const UNCERTAIN_ERRORS: [&str; 8] = [
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "States.Timeout",
    "Lambda.ServiceException",
    "Lambda.SdkClientException",
    "ServiceUnavailable",
];

/// Errors that come before the function is called.
const NOT_CALLED_ERRORS: [&str; 3] =
    ["Lambda.TooManyRequestsException", "Lambda.ResourceNotReadyException", "Lambda.ResourceConflictException"];

/// An error of a call that cannot be made until something is changed.
const PERMANENT_ERROR: &str = "Lambda.KMSDisabledException";

const HALF_AN_HOUR: u64 = 1_800;
const DEADLINE_SECONDS: u64 = 7_200;

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
        "deadline": "2026-01-01T02:00:00Z",
        "export": "all",
        "modelSizes": sizes(),
        "seed": {"users": 1200, "uniqueUsers": 1180, "blankLines": 0, "badLines": 0},
        "skipped": [],
        "poll": {"minSeconds": 13, "maxSeconds": 900},
    })
}

/// Returns a script in which everything succeeds at once.
fn script() -> Script {
    Script::new(checked()).sizes(sizes())
}

fn run(script: Script) -> Run {
    drive("audience.asl.json", json!({"seedAudience": {}}), script)
}

/// Returns how far the start of each export is.
fn states_of(exports: &Value) -> Vec<&str> {
    exports.as_array().unwrap().iter().map(|export| export["start"]["state"].as_str().unwrap()).collect()
}

#[test]
fn a_seed_becomes_an_exported_audience() {
    let run = run(script()
        .metrics(metrics())
        .answers("CheckGeneration", ["CREATE_PENDING", "CREATE_IN_PROGRESS", "ACTIVE"])
        .answers(
            "CheckExports",
            [json!("CREATE_PENDING"), json!({"5": "CREATE_PENDING", "10000": "ACTIVE"}), json!("ACTIVE")],
        ));
    let output = run.output();
    assert_eq!(run.wait_seconds(), [13, 13, 13, 13]);
    assert_eq!((&output["name"], &output["audienceGenerationJobArn"]), (&json!("spring"), &json!(AUDIENCE)));
    assert_eq!((&output["seed"], &output["skipped"]), (&checked()["seed"], &json!([])));
    assert_eq!((&output["metrics"], &output["report"]), (&metrics(), &json!(REPORT)));
    assert_eq!((&output["quotaWaits"], &output["statusChecks"]), (&json!(0), &json!(6)));
    assert_eq!(output["deadline"], checked()["deadline"]);
    let exports = output["exports"].as_array().unwrap();
    let part = |field: &str| exports.iter().map(|export| export[field].clone()).collect::<Vec<_>>();
    assert_eq!(part("name"), ["spring-5pct", "spring-10000"]);
    assert_eq!(json!(part("audienceSize")), sizes());
    assert_eq!(part("status"), ["ACTIVE", "ACTIVE"]);
    assert_eq!(part("outputLocation"), ["s3://out/5pct", "s3://out/10000"]);
}

#[test]
fn the_report_has_what_the_output_has() {
    let run = run(script().metrics(metrics()));
    let report = run.payloads("WriteReport")[0];
    for field in ["name", "audienceGenerationJobArn", "seed", "skipped", "exports", "deadline", "quotaWaits"] {
        assert_eq!(report[field], run.output()[field], "{field}");
    }
    assert_eq!((&report["error"], &report["cause"]), (&Value::Null, &Value::Null));
    assert_eq!(report["generation"]["metrics"], metrics());
    assert_eq!(report["checkedRequest"], checked()["checkedRequest"]);
    assert_eq!(report["generationStartTime"], "2026-01-01T00:00:00Z");
}

#[test]
fn each_function_is_called_with_what_it_needs() {
    let run = run(script());
    let execution = json!({
        "id": "arn:aws:states:us-east-1:123456789012:execution:workflow:run", "name": "run",
        "startTime": "2026-01-01T00:00:00.000Z",
    });
    let attempt = json!({"enteredTime": "2026-01-01T00:00:00.000Z", "redriveCount": 0});
    for (state, fields) in [
        ("CheckRequest", json!({"input": {"seedAudience": {}}, "execution": execution})),
        (
            "StartGeneration",
            json!({
                "checkedRequest": checked()["checkedRequest"], "deadline": checked()["deadline"], "execution": execution,
                "attempt": attempt, "start": {"state": "NOT_STARTED", "redriveCount": 0, "quotaWaits": 0},
            }),
        ),
        (
            "CheckGeneration",
            json!({
                "audienceGenerationJobArn": AUDIENCE, "startTime": "2026-01-01T00:00:00Z", "missingSince": null,
                "deadline": checked()["deadline"], "poll": checked()["poll"], "execution": execution, "export": "all",
                "name": "spring", "modelSizes": sizes(),
            }),
        ),
        (
            "StartExports",
            json!({
                "audienceGenerationJobArn": AUDIENCE, "deadline": checked()["deadline"], "execution": execution,
                "attempt": attempt,
            }),
        ),
        (
            "CheckExports",
            json!({
                "audienceGenerationJobArn": AUDIENCE, "deadline": checked()["deadline"], "poll": checked()["poll"],
                "execution": execution,
            }),
        ),
    ] {
        for (field, value) in fields.as_object().unwrap() {
            assert_eq!(run.payloads(state)[0][field], *value, "{state}: {field}");
        }
    }
}

#[test]
fn generate_only_exports_nothing() {
    let run = run(script().sizes(json!([])));
    assert_eq!(run.output()["exports"], json!([]));
    assert!(run.payloads("StartExports").is_empty());
}

#[test]
fn one_export_is_still_a_list() {
    let run = run(script().sizes(one_size()));
    assert_eq!(run.output()["exports"].as_array().unwrap().len(), 1);
    assert_eq!(run.output()["exports"][0]["name"], "spring-5pct");
}

#[test]
fn hidden_metrics_and_locations_are_null() {
    let hidden = json!({"seed": null, "modelSizes": null, "skipped": ["model", "seed"]});
    let run = run(Script::new(with(&checked(), hidden)).sizes(one_size()));
    assert_eq!((&run.output()["metrics"], &run.output()["seed"]), (&Value::Null, &Value::Null));
    assert_eq!(run.output()["skipped"], json!(["model", "seed"]));
}

#[test]
fn an_export_only_run_generates_nothing() {
    let existing = json!({"checkedRequest": null, "audienceGenerationJobArn": AUDIENCE, "seed": null});
    let run = run(Script::new(with(&checked(), existing)).sizes(one_size()));
    assert_eq!(run.output()["exports"][0]["status"], "ACTIVE");
    assert!(run.payloads("StartGeneration").is_empty());
    assert_eq!(run.payload_fields("CheckGeneration", "/startTime"), [&Value::Null]);
    assert_eq!(run.payload_fields("WriteReport", "/generationStartTime"), [&Value::Null]);
}

#[test]
fn an_export_only_run_without_its_audience_fails_as_not_found() {
    let existing = json!({"checkedRequest": null, "audienceGenerationJobArn": AUDIENCE, "seed": null});
    let run = run(Script::new(with(&checked(), existing)).answers("CheckGeneration", vec!["NOT_FOUND"; 2]));
    run.fails("NotFound", &[AUDIENCE]);
    assert_eq!(run.wait_seconds(), [60]);
    assert_eq!(run.payload_fields("CheckGeneration", "/missingSince"), [&Value::Null, &json!("2026-01-01T00:00:00Z")]);
}

#[test]
fn the_configuration_comes_from_the_definition() {
    let run = run(script());
    let stack = &run.payloads("CheckRequest")[0]["stack"];
    assert_eq!(stack["export"], "${ExportPolicy}");
    assert!(stack.as_object().unwrap().values().all(Value::is_string), "{stack}");
}

#[test]
fn an_input_that_is_possibly_too_large_is_not_passed_on() {
    for (note, is_passed) in [("x".repeat(50_000), true), ("x".repeat(261_900), false), ("語".repeat(80_000), false)] {
        let request = json!({"note": note});
        let script = script().answers("CheckRequest", [failing("InvalidRequest")]);
        let run = drive("audience.asl.json", request.clone(), script);
        let check = run.payloads("CheckRequest")[0];
        assert_eq!(check["input"], if is_passed { request } else { Value::Null });
        assert!(usize::try_from(check["inputCharacters"].as_u64().unwrap()).unwrap() >= note.chars().count());
        assert!(check.to_string().len() < 262_144);
    }
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
fn a_seed_that_breaks_the_function_is_checked_twice_more() {
    let run = run(script().answers("CheckRequest", vec![failing("Lambda.Unknown"); 3]));
    run.fails("Lambda.Unknown", &[]);
    assert_eq!(run.called_states(), ["CheckRequest"; 3]);
}

#[test]
fn a_request_is_checked_again_for_hours_until_a_service_answers() {
    let errors = ["ServiceUnavailable", "Throttled", "Lambda.TooManyRequestsException", "Lambda.ServiceException"];
    let checked = with(&checked(), json!({"deadline": "2026-01-03T00:00:00Z"}));
    let run = run(Script::new(checked.clone())
        .answers("CheckRequest", errors.into_iter().cycle().take(300).map(failing))
        .answers("CheckRequest", [checked]));
    assert_eq!(run.output()["report"], REPORT);
    assert!(run.seconds > 5 * 3_600, "{}", run.seconds);
    assert!(run.waits.iter().all(|(state, seconds)| state == "WaitToCheckRequest" && *seconds >= 60));
}

#[test]
fn a_request_that_is_never_checked_fails_at_the_stacks_deadline() {
    let run = run(script().always("CheckRequest", failing("ServiceUnavailable")));
    run.fails("DeadlineExceeded", &["nothing was started", "Upload it again", "ServiceUnavailable: because."]);
    assert_eq!(run.seconds, 172_800);
    assert!(run.entered("RequestNotChecked"));
    assert!(run.payloads("WriteReport").is_empty());
}

#[test]
fn a_request_is_checked_for_30_minutes_if_a_key_cannot_be_used() {
    let run = run(script().always("CheckRequest", failing(PERMANENT_ERROR)));
    run.fails(PERMANENT_ERROR, &["nothing was started", "because."]);
    assert_eq!(run.seconds, HALF_AN_HOUR);
}

#[test]
fn a_key_that_can_be_used_after_29_minutes_does_not_end_the_run() {
    let run =
        run(script().answers("CheckRequest", vec![failing(PERMANENT_ERROR); 29]).answers("CheckRequest", [checked()]));
    assert_eq!(run.output()["report"], REPORT);
}

// The start of the generation job.

#[test]
fn a_run_waits_for_a_quota_and_counts_its_waits() {
    let run = run(script()
        .sizes(one_size())
        .answers("StartGeneration", ["QuotaExceeded", "Throttled", "QuotaExceeded", "accepted"])
        .answers("StartExports", ["QuotaExceeded", "accepted"]));
    assert_eq!(run.output()["quotaWaits"], 2);
    assert_eq!(run.output()["exports"][0]["start"]["quotaWaits"], 1);
    let states: Vec<&str> = run.waits.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(states, [&["WaitToStartGeneration"; 3][..], &["WaitToStartExports"]].concat());
    assert!(run.wait_seconds().iter().all(|seconds| (60..=180).contains(seconds)), "{:?}", run.waits);
    assert_eq!(run.payload_fields("StartGeneration", "/start/quotaWaits"), [0, 1, 1, 2]);
}

#[test]
fn a_wait_to_start_never_passes_the_deadline() {
    for (deadline, waits) in [("2026-01-01T00:00:30Z", &[30][..]), ("2025-12-31T00:00:00Z", &[])] {
        for answer in [Answer::from("QuotaExceeded"), failing("Lambda.Unknown")] {
            let checked = with(&checked(), json!({ "deadline": deadline }));
            let run = run(Script::new(checked).always("StartGeneration", answer));
            run.fails("DeadlineExceeded", &[]);
            assert_eq!(run.wait_seconds(), waits);
        }
    }
}

#[test]
fn an_unknown_attempt_is_looked_up_by_the_next_one() {
    let run = run(script().answers("StartGeneration", ["ServiceUnavailable", "accepted"]));
    assert_eq!(run.output()["report"], REPORT);
    assert_eq!(run.payload_fields("StartGeneration", "/start/state"), ["NOT_STARTED", "UNKNOWN"]);
    assert_eq!(run.payloads("StartGeneration")[1]["start"]["since"], "2026-01-01T00:00:00Z");
}

#[test]
fn a_function_that_died_leaves_the_start_unknown_since_its_call() {
    for error in UNCERTAIN_ERRORS {
        let run = run(script().answers("StartGeneration", [Answer::FullFor(1), failing(error), "accepted".into()]));
        assert_eq!(run.output()["report"], REPORT);
        let starts = run.payloads("StartGeneration");
        let (died, next) = (starts[1], starts[2]);
        assert_eq!(next["start"]["state"], "UNKNOWN", "{error}");
        assert_eq!(next["start"]["since"], died["attempt"]["enteredTime"], "{error}");
        assert_eq!((&next["start"]["error"], &next["start"]["cause"]), (&json!(error), &json!("because.")));
    }
}

#[test]
fn a_start_keeps_the_text_of_each_real_cause() {
    for (failure, text) in
        real_causes().into_iter().filter(|(failure, _)| !NOT_CALLED_ERRORS.contains(&failure.error.as_str()))
    {
        let run = run(script().answers("StartGeneration", [Answer::from(failure), "accepted".into()]));
        assert_eq!(run.payload_fields("StartGeneration", "/start")[1]["cause"], text);
    }
}

#[test]
fn a_call_that_was_throttled_leaves_the_start_as_it_is() {
    for error in NOT_CALLED_ERRORS {
        for before in ["QuotaExceeded", "ServiceUnavailable"] {
            let answers = [before.into(), failing(error), "accepted".into()];
            let run = run(script().answers("StartGeneration", answers));
            let starts = run.payload_fields("StartGeneration", "/start");
            assert_eq!(starts[2], starts[1], "{error}");
            assert_ne!(starts[1], starts[0], "{error}");
        }
    }
}

#[test]
fn a_start_that_is_rejected_fails_the_run_with_its_error() {
    for error in ["InvalidRequest", "NotFound", "Conflict"] {
        let run = run(script().answers("StartGeneration", [error]));
        assert_eq!(run.what_happened(error), "because.");
        assert_eq!(run.called_states(), ["CheckRequest", "StartGeneration"]);
    }
}

#[test]
fn a_start_that_is_denied_is_repeated_for_30_minutes() {
    let run = run(script().always("StartGeneration", "AccessDenied"));
    run.fails("AccessDenied", &["because.", "30 minutes"]);
    assert!((HALF_AN_HOUR..HALF_AN_HOUR + 180).contains(&run.seconds), "{}", run.seconds);
}

#[test]
fn a_start_that_cannot_be_called_for_30_minutes_ends_as_not_known() {
    let run = run(script().always("StartGeneration", failing(PERMANENT_ERROR)));
    run.fails(PERMANENT_ERROR, &["not known whether an attempt has started it", "because."]);
    assert!((HALF_AN_HOUR..HALF_AN_HOUR + 180).contains(&run.seconds), "{}", run.seconds);
}

#[test]
fn a_start_that_cannot_be_called_for_less_than_30_minutes_goes_on() {
    let run = run(script()
        .answers("StartGeneration", vec![failing(PERMANENT_ERROR); 10])
        .answers("StartGeneration", ["accepted"]));
    assert_eq!(run.output()["report"], REPORT);
}

#[test]
fn half_an_hour_of_errors_begins_anew_after_another_answer() {
    let broken = || vec![failing(PERMANENT_ERROR); 9];
    let run = run(script()
        .answers("StartGeneration", broken())
        .answers("StartGeneration", [failing("Lambda.Unknown")])
        .answers("StartGeneration", broken())
        .answers("StartGeneration", ["ServiceUnavailable"])
        .answers("StartGeneration", broken())
        .answers("StartGeneration", ["accepted"]));
    assert_eq!(run.output()["report"], REPORT);
    assert!(run.seconds > HALF_AN_HOUR, "{}", run.seconds);
}

#[test]
fn a_start_that_died_until_the_deadline_is_not_known() {
    let run = run(script().always("StartGeneration", failing("Lambda.Unknown")));
    run.fails("DeadlineExceeded", &["not known whether an attempt has started it", "Lambda.Unknown: because."]);
    assert_eq!(run.seconds, DEADLINE_SECONDS);
}

#[test]
fn a_start_that_was_never_called_is_not_started_at_the_deadline() {
    let run = run(script().always("StartGeneration", failing(NOT_CALLED_ERRORS[0])));
    run.fails("DeadlineExceeded", &["No attempt has started it.", NOT_CALLED_ERRORS[0]]);
    assert_eq!(run.seconds, DEADLINE_SECONDS);
}

#[test]
fn a_redrive_does_not_claim_that_nothing_was_started() {
    let script = script()
        .answers("CheckRequest", [failing("InvalidRequest"), Answer::Says(checked())])
        .always("StartGeneration", failing(NOT_CALLED_ERRORS[0]));
    let run = drive_and_redrive(definition("audience.asl.json"), json!({"seedAudience": {}}), script, 1);
    run.fails("DeadlineExceeded", &["not known whether an attempt has started it"]);
    assert_eq!(run.payload_fields("StartGeneration", "/attempt/redriveCount")[0], 1);
}

#[test]
fn a_job_with_another_name_gives_it_to_the_run() {
    let run = run(script().sizes(one_size()).answers("StartGeneration", [json!({"accepted": "spring-00ff"})]));
    assert_eq!(run.output()["name"], "spring-00ff");
    assert_eq!(run.payload_fields("StartExports", "/exports/0/name"), ["spring-00ff-5pct"]);
}

// Status checks of the generation job.

#[test]
fn sixty_failed_status_checks_in_a_row_do_not_end_a_run() {
    let errors = UNCERTAIN_ERRORS.into_iter().chain(NOT_CALLED_ERRORS).chain(["Throttled"]);
    let failures: Vec<Answer> = errors.cycle().take(60).map(failing).collect();
    let run = run(Script::new(with(&checked(), json!({"deadline": "2026-01-01T12:00:00Z"})))
        .sizes(sizes())
        .answers("CheckGeneration", failures.clone())
        .answers("CheckGeneration", ["ACTIVE"])
        .answers("CheckExports", failures)
        .answers("CheckExports", ["ACTIVE"]));
    assert_eq!(run.output()["report"], REPORT);
    assert!(run.wait_seconds().iter().all(|seconds| *seconds >= 60), "{:?}", run.waits);
}

#[test]
fn a_failed_check_waits_as_long_as_the_last_wait() {
    let run = run(script()
        .sizes(json!([]))
        .answers("CheckGeneration", vec!["CREATE_PENDING"; 40])
        .answers("CheckGeneration", vec![failing("ServiceUnavailable"); 2])
        .answers("CheckGeneration", ["ACTIVE"]));
    let waits = run.wait_seconds();
    let [.., last, first_failed, second_failed] = waits[..] else { panic!("{waits:?}") };
    assert!(last > 60, "{last}");
    assert_eq!((first_failed, second_failed), (last, last));
}

#[test]
fn a_generation_that_cannot_be_checked_until_the_deadline_is_not_known() {
    let run = run(script()
        .answers("CheckGeneration", ["CREATE_IN_PROGRESS"])
        .always("CheckGeneration", failing("States.Timeout")));
    run.fails("DeadlineExceeded", &[AUDIENCE, "is not known", "do not generate it again", "States.Timeout: because."]);
    assert!(run.what_happened("DeadlineExceeded").ends_with("because."));
    assert!(run.cause("DeadlineExceeded").ends_with(&report_text()));
    assert_eq!(run.seconds, DEADLINE_SECONDS);
    assert!(run.entered("GenerationNotChecked"));
}

#[test]
fn the_cause_of_a_check_that_failed_ends_its_sentence() {
    for (failure, text) in real_causes() {
        let run = run(script().always("CheckGeneration", failure.clone()));
        let end = if text.ends_with('.') { text.clone() } else { format!("{text}.") };
        let is_transient = !["AccessDenied", PERMANENT_ERROR].contains(&failure.error.as_str());
        let error = if is_transient { "DeadlineExceeded" } else { failure.error.as_str() };
        let happened = run.what_happened(error);
        assert!(happened.ends_with(&format!("The last error: {}: {end}", failure.error)), "{happened}");
    }
}

#[test]
fn a_generation_that_cannot_be_called_for_30_minutes_is_not_known() {
    let run = run(script().always("CheckGeneration", failing(PERMANENT_ERROR)));
    run.fails(PERMANENT_ERROR, &[AUDIENCE, "is not known", "do not generate it again"]);
    assert!((HALF_AN_HOUR..HALF_AN_HOUR + 240).contains(&run.seconds), "{}", run.seconds);
}

#[test]
fn half_an_hour_of_failed_checks_begins_anew_after_an_answer() {
    let broken = || vec![failing("AccessDenied"); 10];
    let run = run(script()
        .answers("CheckGeneration", broken())
        .answers("CheckGeneration", ["CREATE_IN_PROGRESS"])
        .answers("CheckGeneration", broken())
        .answers("CheckGeneration", [failing("Throttled")])
        .answers("CheckGeneration", broken())
        .answers("CheckGeneration", ["ACTIVE"]));
    assert_eq!(run.output()["report"], REPORT);
    assert!(run.seconds > HALF_AN_HOUR, "{}", run.seconds);
}

#[test]
fn a_failed_generation_fails_the_run_with_its_error() {
    for (status, error) in [("CREATE_FAILED", "GenerationFailed"), ("DELETE_PENDING", "JobDeleted")] {
        let run = run(script().metrics(metrics()).answers("CheckGeneration", ["CREATE_PENDING", status]));
        run.fails(error, &[AUDIENCE, &report_text()]);
        let report = run.payloads("WriteReport")[0];
        assert_eq!((&report["error"], &report["exports"]), (&json!(error), &json!([])));
        assert_eq!(report["cause"], run.what_happened(error));
        assert!(run.payloads("StartExports").is_empty());
    }
}

#[test]
fn a_generation_that_runs_at_the_deadline_fails_the_run_so() {
    let run = run(script().always("CheckGeneration", "CREATE_IN_PROGRESS"));
    run.fails("DeadlineExceeded", &["was still CREATE_IN_PROGRESS", &report_text()]);
    assert_eq!(run.seconds, DEADLINE_SECONDS);
    assert!(run.entered("GenerationFailed"));
}

#[test]
fn an_audience_of_which_no_size_qualifies_is_reported() {
    let run = run(script().metrics(metrics()).answers("CheckGeneration", ["NoSizeQualifies"]));
    assert_eq!(run.what_happened("NoSizeQualifies"), "because.");
    assert!(run.cause("NoSizeQualifies").ends_with(&report_text()));
    let report = run.payloads("WriteReport")[0];
    assert_eq!((&report["error"], &report["cause"]), (&json!("NoSizeQualifies"), &json!("because.")));
    assert_eq!((&report["exports"], &report["generation"]["metrics"]), (&json!([]), &metrics()));
}

// Exports.

/// Four sizes, by their values.
fn four_sizes() -> Value {
    json!([1, 2, 3, 4].map(|value| json!({"type": "ABSOLUTE", "value": value})))
}

#[test]
fn exports_that_start_wait_and_are_rejected_are_followed_together() {
    let run = run(script()
        .sizes(four_sizes())
        .answers(
            "StartExports",
            [
                json!({"1": "accepted", "2": "ServiceUnavailable", "3": "Conflict", "4": "QuotaExceeded"}),
                json!({"2": "accepted", "4": "QuotaExceeded"}),
                json!({"4": "accepted"}),
            ],
        )
        .answers(
            "CheckExports",
            [
                json!({"1": "CREATE_PENDING"}),
                json!({"1": "ACTIVE", "2": "CREATE_PENDING"}),
                json!({"2": "ACTIVE", "4": "ACTIVE"}),
            ],
        ));
    let starts = run.payload_fields("StartExports", "/exports");
    assert_eq!(states_of(starts[0]), ["NOT_STARTED"; 4]);
    assert_eq!(states_of(starts[1]), ["STARTED", "UNKNOWN", "REJECTED", "WAITING"]);
    assert_eq!(states_of(starts[2]), ["FINISHED", "STARTED", "REJECTED", "WAITING"]);
    let report = &run.payloads("WriteReport")[0]["exports"];
    assert_eq!(states_of(report), ["FINISHED", "FINISHED", "REJECTED", "FINISHED"]);
    run.fails("ExportFailed", &["1 of 4 exports have an error. 3 (Conflict): because. Exported: 1, 2, 4.", AUDIENCE]);
}

#[test]
fn an_unknown_export_that_a_list_shows_is_not_started_again() {
    let run = run(script()
        .answers("StartExports", [json!({"5": "ServiceUnavailable", "10000": "accepted"})])
        .answers("CheckExports", ["CREATE_PENDING", "ACTIVE"]));
    assert_eq!(states_of(&run.output()["exports"]), ["FINISHED"; 2]);
    assert_eq!(run.waits.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(), ["WaitForExports"]);
}

#[test]
fn a_function_that_died_leaves_each_export_that_was_due_unknown() {
    for error in UNCERTAIN_ERRORS {
        let run = run(script()
            .sizes(four_sizes())
            .answers("StartExports", [json!({"1": "accepted", "2": "Conflict", "3": "QuotaExceeded"})])
            .answers("StartExports", [failing(error), "accepted".into()])
            .answers("CheckExports", vec![json!({"1": "CREATE_PENDING"}); 2])
            .answers("CheckExports", ["ACTIVE"]));
        let starts = run.payloads("StartExports");
        assert_eq!(states_of(&starts[1]["exports"]), ["STARTED", "REJECTED", "WAITING", "NOT_STARTED"], "{error}");
        assert_eq!(states_of(&starts[2]["exports"]), ["STARTED", "REJECTED", "UNKNOWN", "UNKNOWN"], "{error}");
        let unknown = &starts[2]["exports"][3]["start"];
        let since = starts[1]["attempt"]["enteredTime"].as_str().unwrap().replace(".000Z", "Z");
        assert_eq!((&unknown["since"], &unknown["error"]), (&json!(since), &json!(error)));
        assert_eq!(starts[2]["exports"][2]["start"]["quotaWaits"], 1, "{error}");
    }
}

#[test]
fn a_call_that_was_throttled_leaves_the_exports_as_they_are() {
    for error in NOT_CALLED_ERRORS {
        let run = run(script()
            .answers("StartExports", [json!({"5": "QuotaExceeded"}).into(), failing(error), "accepted".into()])
            .answers("CheckExports", [json!({}), json!({}), json!("ACTIVE")]));
        assert_eq!(run.output()["report"], REPORT);
        let starts = run.payload_fields("StartExports", "/exports");
        assert_eq!(states_of(starts[1]), ["WAITING", "NOT_STARTED"]);
        assert_eq!(starts[2], starts[1], "{error}");
    }
}

#[test]
fn exports_that_cannot_be_started_for_30_minutes_do_not_stop_the_others() {
    let run = run(script()
        .answers("StartExports", [json!({"5": "accepted", "10000": "QuotaExceeded"})])
        .always("StartExports", failing(PERMANENT_ERROR))
        .always("CheckExports", json!({"5": {"readyAfter": 7_200}})));
    let cause = run.cause("ExportFailed");
    assert!(
        cause.contains(&format!("1 of 2 exports have an error. 10000 ({PERMANENT_ERROR}): It is not known whether")),
        "{cause}"
    );
    assert!(cause.contains("Exported: 5pct."), "{cause}");
    let exports = &run.payloads("WriteReport")[0]["exports"];
    assert_eq!((states_of(exports), &exports[1]["status"]), (vec!["FINISHED", "REJECTED"], &json!("UNKNOWN")));
    assert!(run.entered("ExportsNotStarted"));
}

#[test]
fn exports_that_cannot_be_started_for_less_than_30_minutes_go_on() {
    let run = run(script()
        .answers("StartExports", vec![failing(PERMANENT_ERROR); 10])
        .answers("StartExports", ["accepted"])
        .answers("CheckExports", vec![json!({}); 10])
        .answers("CheckExports", ["ACTIVE"]));
    assert_eq!(states_of(&run.output()["exports"]), ["FINISHED"; 2]);
}

#[test]
fn exports_that_cannot_be_checked_until_the_deadline_are_not_known() {
    for first in [vec![], vec![Answer::from(json!({"5": "ACTIVE", "10000": "CREATE_PENDING"}))]] {
        let is_one_ready = !first.is_empty();
        let run = run(script().answers("CheckExports", first).always("CheckExports", failing("ServiceUnavailable")));
        let unknown = if is_one_ready {
            "1 of 2 is not known: spring-10000."
        } else {
            "2 of 2 is not known: spring-5pct, spring-10000."
        };
        run.fails("DeadlineExceeded", &[AUDIENCE, unknown, "paid again", "ServiceUnavailable: because."]);
        assert_eq!(run.seconds, DEADLINE_SECONDS);
        let exports = &run.payloads("WriteReport")[0]["exports"];
        assert_eq!((&exports[1]["status"], &exports[1]["error"]), (&json!("UNKNOWN"), &json!("DeadlineExceeded")));
        assert!(exports[1]["cause"].as_str().unwrap().contains("before you export this size again"));
        assert_eq!(exports[0]["status"], if is_one_ready { "ACTIVE" } else { "UNKNOWN" });
    }
}

#[test]
fn exports_that_cannot_be_called_for_30_minutes_are_not_known() {
    let run = run(script().always("CheckExports", failing("AccessDenied")));
    run.fails("AccessDenied", &["2 of 2 is not known", "paid again"]);
    assert!((HALF_AN_HOUR..HALF_AN_HOUR + 240).contains(&run.seconds), "{}", run.seconds);
    assert_eq!(run.payload_fields("WriteReport", "/exports/0/error"), ["AccessDenied"]);
}

#[test]
fn exports_that_were_all_rejected_are_not_called_unknown() {
    let run = run(script().answers("StartExports", ["Conflict"]).always("CheckExports", failing("ServiceUnavailable")));
    run.fails("DeadlineExceeded", &["Each has its final status in the report."]);
    assert_eq!(run.payload_fields("WriteReport", "/exports/0/error"), ["Conflict"]);
}

#[test]
fn exports_that_could_not_be_started_stay_unknown_if_no_check_succeeds() {
    let run = run(script()
        .always("StartExports", failing(PERMANENT_ERROR))
        .answers("CheckExports", vec![json!({}); 3])
        .always("CheckExports", failing("ServiceUnavailable")));
    run.fails("DeadlineExceeded", &["2 of 2 is not known: spring-5pct, spring-10000."]);
    assert_eq!(run.payload_fields("WriteReport", "/exports/0/error"), [PERMANENT_ERROR]);
}

#[test]
fn the_text_of_each_real_cause_is_kept_if_exports_cannot_be_checked() {
    for (failure, text) in real_causes() {
        let run = run(script().always("CheckExports", failure.clone()));
        let ExecutionStatus::Failed(Failure { cause: Some(cause), .. }) = &run.status else {
            panic!("{:?}", run.status)
        };
        assert!(cause.contains(&format!("{}: {text}", failure.error)), "{cause}");
    }
}

#[test]
fn an_export_that_fails_does_not_stop_the_others() {
    let run = run(script().answers(
        "CheckExports",
        [json!({"5": "CREATE_FAILED", "10000": "CREATE_PENDING"}), json!({"10000": "ACTIVE"})],
    ));
    run.fails("ExportFailed", &["1 of 2 exports have an error. 5pct (ExportFailed): ", "Exported: 10000.", AUDIENCE]);
    assert!(run.cause("ExportFailed").ends_with(&report_text()));
    assert_eq!(run.payloads("CheckExports").len(), 2);
}

#[test]
fn an_export_past_the_deadline_fails_the_run_so() {
    let run = run(script().always("CheckExports", json!({"5": "ACTIVE", "10000": "CREATE_PENDING"})));
    run.fails("DeadlineExceeded", &["10000 (DeadlineExceeded): ", "was still CREATE_PENDING", "Exported: 5pct."]);
    assert_eq!(run.seconds, DEADLINE_SECONDS);
}

#[test]
fn an_export_that_waits_until_the_deadline_was_not_started() {
    let run = run(script()
        .always("StartExports", json!({"5": "accepted", "10000": "QuotaExceeded"}))
        .always("CheckExports", json!({"5": "ACTIVE"})));
    run.fails("DeadlineExceeded", &["10000 (DeadlineExceeded): ", "was not started before", "Exported: 5pct."]);
    assert_eq!(run.seconds, DEADLINE_SECONDS);
}

#[test]
fn the_causes_of_25_exports_fit_into_the_cause_of_a_run() {
    let sizes: Vec<Value> = (1..26).map(|value| json!({"type": "ABSOLUTE", "value": value})).collect();
    let run = run(script().sizes(json!(sizes)).message("taken ".repeat(2_000)).answers("StartExports", ["Conflict"]));
    run.fails("ExportFailed", &["25 of 25 exports", AUDIENCE, &report_text()]);
    assert!(run.cause("ExportFailed").len() < 2_100);
    assert!(run.usage.max_data_bytes < 200 * 1_024, "{:?}", run.usage);
}

// The end.

#[test]
fn a_run_succeeds_without_a_report_for_each_real_cause() {
    for (failure, _) in real_causes() {
        let run = run(script().always("WriteReport", failure));
        assert_eq!(run.output()["report"], Value::Null);
        assert_eq!(run.output()["statusChecks"], 2);
        assert_eq!(run.output()["deadline"], checked()["deadline"]);
    }
}

#[test]
fn a_failed_run_without_a_report_names_none() {
    let run =
        run(script().answers("CheckGeneration", ["NoSizeQualifies"]).answers("WriteReport", [failing("AccessDenied")]));
    assert_eq!(run.what_happened("NoSizeQualifies"), "because.");
    assert!(!run.cause("NoSizeQualifies").contains("Report"));
    assert_eq!(run.payloads("WriteReport").len(), 1);
}
