//! What stands on the page of a segment run.

use lookalike::segment_report::SegmentReport;
use lookalike::segment_request::{SegmentDefaults, SegmentRequest};
use serde_json::{Value, json};

use super::pages::{all, parse, text};
use super::{segment_event, segment_request};
use crate::segment::segment_page;

fn page_of(event: Value, request: Option<Value>) -> String {
    let request = request.map(|request| SegmentRequest::read(&request, &SegmentDefaults::default()).ok().unwrap());
    let now = "2026-11-22T16:45:00Z".parse().unwrap();
    segment_page(&SegmentReport::of(serde_json::from_value(event).unwrap(), request, now))
}

fn partial_event() -> Value {
    let mut event = segment_event();
    event["output"] = json!({"lines": 4, "users": 3000, "errorLines": 1, "firstError": "MARKED is not known."});
    event["warnings"] = json!([
        "The path s3://my-seeds/segments/input/items is the start of keys, so the job takes 1 more, the first of them \
         s3://my-seeds/segments/input/items_test.jsonl. End a folder with /, or name a file that no other name begins with."
    ]);
    event
}

fn failed_event(phase: &str, error: &str, cause: &str) -> Value {
    let mut event = segment_event();
    event["segment"]["phase"] = json!(phase);
    event["segment"]["status"] = json!("CREATE FAILED");
    (event["output"], event["error"], event["cause"]) = (Value::Null, json!(error), json!(cause));
    event
}

/// A job that is active with an error in each line.
fn empty_event() -> Value {
    let mut event = segment_event();
    event["output"] = json!({"lines": 4, "users": 0, "errorLines": 4, "firstError": "MARKED is not known."});
    event["error"] = json!("SegmentFailed");
    event["cause"] = json!(
        "The batch segment job ended, but there is no segment under s3://my-seeds/segment-output/spring/: each of its 4 \
         lines is an error. Check that the solution version fits the input (itemId or itemAttributes)."
    );
    event
}

fn unread_event() -> Value {
    let mut event = segment_event();
    event["skipped"] = json!(["input", "output"]);
    (event["input"], event["output"]) = (Value::Null, Value::Null);
    event["segment"]["updateTime"] = Value::Null;
    event
}

fn hostile_event() -> Value {
    let hostile = r#""><script>alert('1')</script><img src=x onerror=alert(1)>"#;
    let mut event = partial_event();
    event["name"] = json!("<script>alert(1)</script>&\"'<b onload=x>");
    event["execution"]["id"] = json!(format!("arn:aws:states:us-east-1:000000000000:execution:segment:{hostile}"));
    event["segment"]["outputLocation"] = json!(format!("s3://b{hostile}/k"));
    event["segment"]["status"] = json!(hostile);
    event["warnings"] = json!([hostile, "x".repeat(300)]);
    event
}

fn short_request() -> Value {
    let mut request = segment_request();
    for field in ["filterArn", "numResults", "tags"] {
        request.as_object_mut().unwrap().remove(field);
    }
    request
}

/// Pages of every kind of segment run, by name.
pub(super) fn segment_pages() -> Vec<(&'static str, String)> {
    let mut attributes = segment_event();
    attributes["input"] = json!({"lines": 1, "kind": "itemAttributes"});
    attributes["output"] = json!({"lines": 1, "users": 25, "errorLines": 0});
    let failed = failed_event(
        "FAILED",
        "SegmentFailed",
        "The batch segment job spring failed: The role may not read the input. (no status code). Mend what it names, \
         then upload the request again.",
    );
    vec![
        ("segment", page_of(segment_event(), Some(segment_request()))),
        ("segment-attributes", page_of(attributes, Some(short_request()))),
        ("segment-partial", page_of(partial_event(), Some(segment_request()))),
        ("segment-empty", page_of(empty_event(), Some(segment_request()))),
        ("segment-failed", page_of(failed, Some(segment_request()))),
        ("segment-expired", page_of(failed_event("EXPIRED", "DeadlineExceeded", "still CREATE_PENDING"), None)),
        ("segment-unread", page_of(unread_event(), None)),
        ("segment-hostile", page_of(hostile_event(), Some(short_request()))),
    ]
}

#[test]
fn a_ready_segment_tells_how_many_users_there_are_and_where() {
    let page = parse(&page_of(segment_event(), Some(segment_request())));
    assert_eq!(text(&page, "head > title"), "spring-items-00f1e2d3c4b5a697: Ready");
    assert_eq!(text(&page, ".kind"), "User segment");
    assert_eq!(text(&page, ".summary"), "Your segment is ready: 4,000 users for 4 lines of input.");
    assert_eq!(all(&page, ".trouble, .warning").len(), 0);
    let figures = text(&page, ".figures");
    for figure in
        ["Users4,000", "Lines with users4none is an error", "Asked for1,000users for each line", "Input4 items"]
    {
        assert!(figures.contains(figure), "{figure} in {figures}");
    }
    assert_eq!(text(&page, ".where .place"), "s3://my-seeds/segment-output/spring/");
    let link = all(&page, ".where a")[0].attr("href").unwrap();
    assert!(link.ends_with("/s3/buckets/my-seeds?region=us-east-1&prefix=segment-output/spring/"), "{link}");
    assert!(text(&page, "#time ~ p").contains("waited its turn (1 try was refused)"));
    let stages = text(&page, ".stages tbody");
    for stage in ["Check and queue", "4 min 11 s", "Segment job", "37 min 18 s"] {
        assert!(stages.contains(stage), "{stage} in {stages}");
    }
    assert!(text(&page, "#input ~ p").starts_with("4 items, one a line, each for a segment of its own."));
    let facts = text(&page, ".facts");
    for fact in [
        "Inputs3://my-seeds/segments/input/items.jsonl",
        "Outputs3://my-seeds/segment-output/spring/encrypted with arn:aws:kms:",
        "Users for each line1,000Solution version",
        "Solution versionarn:aws:personalize:us-east-1:000000000000:solution/sample-item-affinity/1a2b3c4d",
        "Filterarn:aws:personalize:us-east-1:000000000000:filter/adults",
        "Tagsteam = growth",
        "Role that reads and writesarn:aws:iam::000000000000:role/lookalike-segment",
        "Time limit2 d",
        "Batch segment jobarn:aws:personalize:us-east-1:000000000000:batch-segment-job/spring-items-00f1e2d3c4b5a697",
        "Checked requests3://my-seeds/checked/spring-items-00f1e2d3c4b5a697.json",
        "Deadline24 Nov 2026, 16:00 UTC",
    ] {
        assert!(facts.contains(fact), "{fact} in {facts}");
    }
}

#[test]
fn what_a_segments_request_does_not_say_is_told_as_the_service_takes_it() {
    let facts = text(&parse(&page_of(segment_event(), Some(short_request()))), ".facts");
    assert!(facts.contains("Users for each line25what the service takes unless said"), "{facts}");
    assert!(facts.contains("Filternone") && !facts.contains("Tags"), "{facts}");
}

#[test]
fn lines_that_are_errors_are_counted_with_what_to_do_and_never_quoted() {
    let shown = page_of(partial_event(), Some(segment_request()));
    let page = parse(&shown);
    assert_eq!(text(&page, ".outcome"), "Ready in part");
    assert!(
        text(&page, ".trouble p").starts_with("1 line has an error instead of users. What to do: look at the lines")
    );
    assert!(text(&page, ".figures").contains("Lines with users3 of 4the others are errors"));
    assert!(text(&page, ".counts").contains("Lines with an error1"));
    assert!(
        text(&page, ".warning").starts_with("Mind: The path s3://my-seeds/segments/input/items is the start of keys")
    );
    assert!(!shown.contains("MARKED"));
}

#[test]
fn a_failed_segment_tells_what_happened_before_anything_else_and_shows_no_output() {
    let failed = failed_event("FAILED", "SegmentFailed", "The role may not read the input.");
    let shown = page_of(failed, Some(segment_request()));
    let at = |words: &str| shown.find(words).unwrap();
    assert!(at("What happened") < at("The role may not read") && at("The role may not read") < at("Your input"));
    let page = parse(&shown);
    assert_eq!((text(&page, ".outcome").as_str(), all(&page, ".figures, #output").len()), ("Failed", 0));
    assert_eq!(text(&page, ".summary"), "The segment could not be made.");
}

#[test]
fn an_output_of_errors_alone_failed_and_can_still_be_looked_at() {
    let page = parse(&page_of(empty_event(), Some(segment_request())));
    assert_eq!((text(&page, ".outcome").as_str(), all(&page, ".figures").len()), ("Failed", 0));
    assert!(text(&page, ".cause").contains("each of its 4 lines is an error"));
    assert!(text(&page, ".counts").contains("Lines with an error4"));
    assert_eq!((text(&page, "#output").as_str(), all(&page, ".where a").len()), ("What the job wrote", 1));
}

#[test]
fn what_could_not_be_read_of_a_segment_is_said_in_words() {
    let page = parse(&page_of(unread_event(), None));
    assert_eq!(text(&page, ".summary"), "Your segment is ready. Its output was not counted.");
    assert!(text(&page, "#output ~ p").contains("The output could not be read by this stack"));
    assert!(text(&page, "#input ~ p").starts_with("The input could not be read by this stack"));
    assert!(text(&page, "#request ~ p").starts_with("The checked request can no longer be read."));
}
