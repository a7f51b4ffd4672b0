#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::json;

const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:audience:spring-00ff";
const JOB: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
const SEGMENT_JOB: &str = "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/spring";
const PAGE: &str = "s3://seeds/reports/spring-00ff/index.html";
/// Where the console shows that page.
const PAGE_LINK: &str = "Report: s3://seeds/reports/spring-00ff/index.html\n  \
    https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=reports/spring-00ff/index.html\n";

fn machine(engine: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:stateMachine:{engine}")
}

fn read(change: Value) -> Result<Option<End>, Error> {
    let workflows = Workflows { audience: machine("audience"), segment: machine("segment") };
    End::read(serde_json::from_value(change).unwrap(), &workflows, "2026-11-22T20:00:00Z".parse().unwrap())
}

/// An event with other fields.
fn change(engine: &str, status: &str, other: Value) -> Value {
    let mut change = json!({
        "executionArn": EXECUTION.replace(":audience:", &format!(":{engine}:")), "stateMachineArn": machine(engine),
        "name": "spring-00ff", "status": status, "startDate": 1_795_363_200_000_i64,
        "stopDate": 1_795_375_503_000_i64, "input": "{}", "output": null, "error": null, "cause": null,
        "inputDetails": {"included": true}, "outputDetails": null, "redriveCount": 0,
    });
    let Value::Object(mut other) = other else { panic!("{other}") };
    change.as_object_mut().unwrap().append(&mut other);
    change
}

fn end(engine: &str, status: &str, other: Value) -> End {
    read(change(engine, status, other)).unwrap().unwrap()
}

fn failed(error: &str, cause: &str) -> End {
    end("audience", "FAILED", json!({"error": error, "cause": cause}))
}

fn named(name: &str) -> End {
    end("audience", "SUCCEEDED", json!({"output": json!({ "name": name }).to_string()}))
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
        "exports": [export(5), export(1)], "report": PAGE,
        "quotaWaits": 2, "looks": 31,
    })
}

fn ready_audience() -> End {
    let input = json!({"upload": {"bucket": "seeds", "key": "seeds/a b.jsonl", "etag": "e"}});
    end("audience", "SUCCEEDED", json!({"output": audience().to_string(), "input": input.to_string()}))
}

fn ready_segment(error_lines: u64) -> End {
    let output = json!({
        "name": "spring", "batchSegmentJobArn": SEGMENT_JOB, "status": "ACTIVE",
        "input": {"lines": 3, "kind": "itemId"}, "warnings": [], "skipped": [],
        "output": {"lines": 3, "users": 1500, "errorLines": error_lines, "firstError": "user-77 is unknown"},
        "outputLocation": "s3://out/segments/", "report": PAGE, "quotaWaits": 1, "looks": 12,
    });
    end("segment", "SUCCEEDED", json!({"output": output.to_string()}))
}

fn detail(end: &End) -> Value {
    serde_json::to_value(end.detail()).unwrap()
}

#[test]
fn a_ready_audience_is_told_with_its_sizes_seed_and_links() {
    let end = ready_audience();
    assert_eq!((end.subject().as_str(), end.detail_type()), ("Audience ready: spring", "Audience Ready"));
    assert_eq!(
        end.body(),
        "Your audience is ready in 2 sizes, from 1% (relevance 0.86) to 5% (relevance 0.71).\n\
         \n\
         Exported:\n\
         \x20 1%, relevance 0.86: s3://out/spring-1pct/\n\
         \x20   https://us-east-1.console.aws.amazon.com/s3/buckets/out?region=us-east-1&prefix=spring-1pct/\n\
         \x20 5%, relevance 0.71: s3://out/spring-5pct/\n\
         \x20   https://us-east-1.console.aws.amazon.com/s3/buckets/out?region=us-east-1&prefix=spring-5pct/\n\
         \n\
         Recall: 0.62, the share of the people most like the seed that was found.\n\
         Seed: 1,180 users in 1,200 lines, each counted once.\n\
         It waited 2 times for a quota.\n\
         \n\
         It ended on 22 Nov 2026, 19:25 UTC, after 3 h 25 min.\n\
         \n\
         Report: s3://seeds/reports/spring-00ff/index.html\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=reports/spring-00ff/index.html\n\
         Run: arn:aws:states:us-east-1:123456789012:execution:audience:spring-00ff\n\
         \x20 https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:audience:spring-00ff\n\
         Began with: s3://seeds/seeds/a b.jsonl\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=seeds/a%20b.jsonl\n"
    );
}

#[test]
fn a_ready_segment_is_told_with_its_users_and_what_to_do_about_lines_in_error() {
    let end = ready_segment(0);
    assert_eq!((end.subject().as_str(), end.detail_type()), ("Segment ready: spring", "Segment Ready"));
    assert_eq!(
        end.body(),
        "Your segment is ready: 1,500 users for 3 lines of input.\n\
         \n\
         Output: s3://out/segments/\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/buckets/out?region=us-east-1&prefix=segments/\n\
         \n\
         It waited 1 time for a quota.\n\
         \n\
         It ended on 22 Nov 2026, 19:25 UTC, after 3 h 25 min.\n\
         \n\
         Report: s3://seeds/reports/spring-00ff/index.html\n\
         \x20 https://us-east-1.console.aws.amazon.com/s3/object/seeds?region=us-east-1&prefix=reports/spring-00ff/index.html\n\
         Run: arn:aws:states:us-east-1:123456789012:execution:segment:spring-00ff\n\
         \x20 https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:us-east-1:123456789012:execution:segment:spring-00ff\n"
    );
    let body = ready_segment(1).body();
    assert!(body.starts_with("Your segment is ready in part: 1,500 users for 2 of 3 lines of input.\n\n"), "{body}");
    assert!(body.contains("1 line has an error instead of users. What to do: look at the lines"), "{body}");
    assert!(!body.contains("user-77"), "{body}");
}

#[test]
fn a_failure_after_its_report_was_written_shows_the_report_once() {
    for (engine, error, job) in
        [("audience", "GenerationFailed", "audience generation job"), ("segment", "SegmentFailed", "batch segment job")]
    {
        let cause = format!("The {job} spring failed: no reason. Report: {PAGE}.");
        let end = end(engine, "FAILED", json!({"error": error, "cause": cause}));
        let body = end.body();
        assert!(body.contains(&format!("What happened: The {job} spring failed: no reason.\n\n")), "{body}");
        assert!(body.contains(PAGE_LINK) && body.matches(PAGE).count() == 1, "{body}");
        let detail = detail(&end);
        assert_eq!(
            (&detail["report"], &detail["cause"]),
            (&json!(PAGE), &json!(format!("The {job} spring failed: no reason.")))
        );
        holds_to_schema(&end);
    }
}

#[test]
fn a_report_is_shown_whole_however_long_the_cause_and_whatever_is_withheld_of_it() {
    let request = json!({"seedAudience": {"sqlParameters": {"queryString": "reports", "parameters": {"p": "spring"}}}});
    let cause = format!("{} of reports in spring. Report: {PAGE}.", "é".repeat(32_000));
    let end = end("audience", "FAILED", json!({"error": "E", "cause": cause, "input": request.to_string()}));
    assert!(end.body().contains(PAGE_LINK), "{}", end.body());
    let cause = detail(&end)["cause"].as_str().unwrap().to_owned();
    assert!(cause.ends_with("(cut; the run has the whole)"), "{cause}");
}

#[test]
fn what_only_looks_like_a_report_stays_in_the_cause() {
    let other = PAGE.replace("spring-00ff", "another");
    let inside = json!({"errorMessage": format!("no. Report: {PAGE}. Mend it.")}).to_string();
    for cause in [format!("no. Report: {other}."), format!("no. Report: {PAGE}"), inside] {
        let end = failed("GenerationFailed", &cause);
        assert!(end.body().contains("What happened: no. Report: s3://") && !end.body().contains("\nReport:"));
        assert_eq!(detail(&end)["report"], Value::Null);
    }
    let stopped = end("audience", "ABORTED", json!({"cause": format!("no. Report: {PAGE}.")}));
    assert_eq!(detail(&stopped)["report"], Value::Null);
}

#[test]
fn a_failure_is_told_with_its_error_what_happened_and_what_to_do() {
    let end = failed("GenerationFailed", "The service gave up: too few users. Upload a larger seed.");
    assert_eq!(end.subject(), "Audience failed: spring-00ff (GenerationFailed)");
    let body = end.body();
    assert!(
        body.starts_with(
            "The audience run spring-00ff failed: GenerationFailed.\n\nWhat happened: The service gave up: too few users. \
             Upload a larger seed.\n\nWhat to do: follow the message with a new run."
        ),
        "{body}"
    );
}

#[test]
fn a_redrive_is_advised_exactly_where_it_can_help() {
    for name in ErrorName::ALL {
        use ErrorName as E;
        let helps =
            matches!(name, E::AccessDenied | E::NotFound | E::QuotaExceeded | E::Throttled | E::ServiceUnavailable);
        let body = failed(name.as_str(), "why").body();
        assert_eq!(body.contains(&format!("redrive-execution --execution-arn {EXECUTION}")), helps, "{name}");
    }
    let body = failed("States.DataLimitExceeded", "why").body();
    assert!(body.contains("redrive-execution") && body.contains("the state that failed"), "{body}");
}

#[test]
fn a_run_that_was_stopped_or_timed_out_failed_for_other_systems() {
    let stopped = end("audience", "ABORTED", json!({"error": "Wrong seed", "cause": "Stopped by Kim"}));
    assert_eq!(stopped.subject(), "Audience stopped: spring-00ff");
    let body = stopped.body();
    assert!(body.starts_with("The audience run spring-00ff was stopped by somebody"), "{body}");
    assert!(body.contains("What happened: Stopped by Kim") && body.contains("goes on in the service"), "{body}");
    assert_eq!((stopped.detail_type(), &detail(&stopped)["error"]), ("Audience Failed", &json!("Aborted")));

    let timed_out = end("segment", "TIMED_OUT", json!({}));
    assert_eq!(timed_out.subject(), "Segment failed: spring-00ff (States.Timeout)");
    assert!(timed_out.body().contains("took longer than Step Functions gives it"));
    assert_eq!((timed_out.detail_type(), &detail(&timed_out)["error"]), ("Segment Failed", &json!("States.Timeout")));
}

#[test]
fn the_message_of_a_function_is_taken_out_of_its_json() {
    let cause =
        json!({"errorType": "InvalidSeed", "errorMessage": "line 3: \"x\"\nMend it.", "trace": ["at secret.rs"]});
    let told = detail(&failed("InvalidSeed", &cause.to_string()))["cause"].clone();
    assert_eq!(told, "line 3: \"x\"\nMend it.");
    for other in ["{\"errorMessage\": 3}", "{broken", "[]", "null"] {
        assert_eq!(detail(&failed("InvalidSeed", other))["cause"], other);
    }
}

#[test]
fn a_status_that_is_no_end_is_not_told_and_another_workflows_event_is_an_error() {
    for status in ["RUNNING", "PENDING_REDRIVE", "SOMETHING_NEW"] {
        assert!(read(change("audience", status, json!({}))).unwrap().is_none(), "{status}");
    }
    let error = read(change("another", "FAILED", json!({}))).err().unwrap();
    assert_eq!(error.name, ErrorName::InvalidRequest);
}

#[test]
fn any_name_makes_a_subject_that_sns_takes() {
    for (name, subject) in [
        ("a\r\nBcc: x\u{7}\tb", "Audience ready: a Bcc: x b".to_owned()),
        ("say \"hi\" <b>'", "Audience ready: say \"hi\" <b>'".to_owned()),
        ("Frühling \u{202e}x", "Audience ready: Fr?hling x".to_owned()),
        (&"é".repeat(63), format!("Audience ready: {}", "?".repeat(63))),
        (&"x".repeat(300), format!("Audience ready: {}...", "x".repeat(77))),
    ] {
        assert_eq!(named(name).subject(), subject);
    }
    let long = "n".repeat(80);
    let end = end("audience", "FAILED", json!({"name": long, "error": "E".repeat(200)}));
    let subject = end.subject();
    assert!(subject.len() < 100 && subject.starts_with("Audience failed: nnn"), "{subject}");
    assert!(subject.ends_with(&format!("n... ({}...)", "E".repeat(45))), "{subject}");
}

#[test]
fn a_name_that_is_blank_gives_way_to_the_executions() {
    assert_eq!(named(" \n ").subject(), "Audience ready: spring-00ff");
    let nameless = end("audience", "FAILED", json!({"name": null, "error": ""}));
    assert_eq!(nameless.subject(), "Audience failed: spring-00ff (Unknown)");
}

#[test]
fn a_cause_is_plain_text_of_bounded_length() {
    let body = failed("Odd", "<b>&amp;</b>\r\nnext\u{0}\u{1b}[31m\u{85}last\u{202e}\u{feff}").body();
    assert!(body.contains("What happened: <b>&amp;</b>\nnext[31m\nlast\n"), "{body}");
    let end = failed("Odd", &"é".repeat(32 * 1024));
    let cause = detail(&end)["cause"].as_str().unwrap().to_owned();
    assert_eq!(cause.chars().count(), MOST_OF_CAUSE);
    assert!(cause.ends_with("é [...] (cut; the run has the whole)") && end.body().len() < 10_000);
}

#[test]
fn an_end_is_told_whatever_is_missing_or_odd() {
    let bare = |status: &str| {
        let arn = "arn:aws:states:us-east-1:123456789012:execution:audience:bare";
        read(json!({"executionArn": arn, "stateMachineArn": machine("audience"), "status": status})).unwrap().unwrap()
    };
    assert_eq!(bare("SUCCEEDED").subject(), "Audience ready: bare");
    assert!(bare("SUCCEEDED").body().starts_with("Your audience is ready. The run's page shows its exports."));
    assert_eq!(bare("FAILED").subject(), "Audience failed: bare (Unknown)");
    assert!(bare("FAILED").body().contains("It ended on 22 Nov 2026, 20:00 UTC.\n"));

    let odd = json!({"name": 3, "seed": {"users": -1}, "metrics": [], "exports": [1, {"audienceSize": 2}], "report": "x",
        "quotaWaits": "2", "audienceGenerationJobArn": "x"});
    for output in [odd.to_string(), "[]".into(), "{broken".into(), "null".into()] {
        let times = json!({"output": output, "input": "{broken", "startDate": i64::MIN, "stopDate": i64::MAX});
        let end = end("audience", "SUCCEEDED", times);
        assert_eq!((end.subject().as_str(), end.figures().count()), ("Audience ready: spring-00ff", 0));
        assert!(end.body().contains("Run: arn:aws"));
        holds_to_schema(&end);
    }
    let elsewhere = end("segment", "SUCCEEDED", json!({"executionArn": "no arn"}));
    assert!(!elsewhere.body().contains("https://"), "{}", elsewhere.body());
}

#[test]
fn nothing_of_a_request_comes_out() {
    let request = json!({
        "name": "SECRET-name", "description": "SECRET",
        "seedAudience": {"sqlParameters": {"queryString": "select SECRET from t", "parameters": {"p": "SECRET-p"}}},
        "upload": {"bucket": "b", "key": "k", "versionId": "SECRET", "etag": "SECRET"},
    });
    for (status, cause) in [
        ("SUCCEEDED", Value::Null),
        ("FAILED", json!("Query 'select SECRET from t' with SECRET-p is wrong.")),
        ("FAILED", json!({"errorMessage": "'select SECRET from t' is wrong", "trace": ["SECRET"]}).to_string().into()),
        ("ABORTED", json!("SECRET-p")),
        ("TIMED_OUT", Value::Null),
    ] {
        let other =
            json!({"input": request.to_string(), "output": audience().to_string(), "cause": cause, "error": "E"});
        let end = end("audience", status, other);
        let all = format!("{} {} {}", end.subject(), end.body(), detail(&end));
        assert!(!all.contains("SECRET") && all.contains("s3://b/k"), "{all}");
    }
}

#[test]
fn the_figures_are_those_of_the_run_and_its_largest_export() {
    let figures: Vec<_> = ready_audience().figures().map(|(figure, value)| (figure.as_str(), value)).collect();
    assert_eq!(
        figures,
        [
            ("RunSeconds", 12_303.0),
            ("SeedUsers", 1_200.0),
            ("UniqueSeedUsers", 1_180.0),
            ("Recall", 0.62),
            ("Relevance", 0.71),
            ("QuotaWaits", 2.0),
            ("Looks", 31.0)
        ]
    );
    assert_eq!(ready_audience().error(), None);
    let figures: Vec<_> = ready_segment(0).figures().map(|(figure, value)| (figure.as_str(), value)).collect();
    assert_eq!(figures, [("RunSeconds", 12_303.0), ("QuotaWaits", 1.0), ("Looks", 12.0)]);
}

#[test]
fn errors_that_nobody_knows_are_one_dimension() {
    for (told, error) in [
        ("InvalidSeed", "InvalidSeed"),
        ("States.Runtime", "States.Runtime"),
        ("Sandbox.Timedout", "Sandbox.Timedout"),
        ("my own", "Other"),
    ] {
        let end = failed(told, "why");
        assert_eq!((end.engine(), end.outcome(), end.error()), ("Audience", "Failed", Some(error)));
    }
    let stopped = end("segment", "ABORTED", json!({}));
    assert_eq!((stopped.engine(), stopped.outcome(), stopped.error()), ("Segment", "Stopped", Some("Aborted")));
}

#[test]
fn each_event_is_as_the_schema_has_it() {
    let ready = ready_audience();
    holds_to_schema(&ready);
    assert_eq!(detail(&ready)["exports"].as_array().unwrap().len(), 2);
    assert_eq!(detail(&ready)["upload"], json!({"bucket": "seeds", "key": "seeds/a b.jsonl"}));
    let segment = ready_segment(1);
    holds_to_schema(&segment);
    assert_eq!(detail(&segment)["report"], PAGE);
    assert_eq!(detail(&segment)["segment"], json!({"lines": 3, "users": 1500, "errorLines": 1}));
    for status in ["FAILED", "TIMED_OUT", "ABORTED"] {
        for engine in ["audience", "segment"] {
            holds_to_schema(&end(engine, status, json!({"error": "E", "cause": "why"})));
        }
    }
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../statemachine/events.schema.json")).unwrap()
}

fn holds_to_schema(end: &End) {
    let schema = schema();
    let problems = problems(&schema["$defs"][end.detail_type()], &detail(end), &schema);
    assert!(problems.is_empty(), "{problems:?}");
}

/// What of a value the schema does not have: its few keywords, and no field that is not documented.
fn problems(rule: &Value, value: &Value, schema: &Value) -> Vec<String> {
    if let Some(reference) = rule["$ref"].as_str() {
        return problems(schema.pointer(&reference[1..]).unwrap(), value, schema);
    }
    let is_of_type = match rule["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_u64(),
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
fn the_documented_example_is_as_the_schema_has_it_and_a_wrong_one_is_not() {
    let page = include_str!("../../../statemachine/EVENTS.md");
    let start = page.find("{\n  \"version\"").unwrap();
    let example = &page[start..start + page[start..].find("\n}\n").unwrap() + 2];
    let mut example: Value = serde_json::from_str(example).unwrap();
    let schema = schema();
    let rule = &schema["$defs"]["Audience Ready"];
    assert_eq!(problems(rule, &example, &schema), [""; 0]);
    example["exports"][0]["audienceSize"]["type"] = "PERCENT".into();
    example["surprise"] = 1.into();
    example["name"].take();
    assert_eq!(problems(rule, &example, &schema).len(), 3);
}
