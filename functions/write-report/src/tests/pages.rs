//! What stands on a page.

use std::path::Path;

use lookalike::audience_report::AudienceReport;
use lookalike::request::{AudienceRequest, Defaults};
use scraper::{Html, Selector};
use serde_json::{Value, json};

use super::segment_pages::segment_pages;
use super::{event, request, sql_request};
use crate::audience::audience_page;

/// A page of a run that ended so, written the next morning.
pub(super) fn page_of(event: Value, request: Option<Value>) -> String {
    let request = request.map(|request| AudienceRequest::read(&request, &Defaults::default()).ok().unwrap());
    let now = "2026-11-22T19:30:00Z".parse().unwrap();
    audience_page(&AudienceReport::of(serde_json::from_value(event).unwrap(), request.as_ref(), now))
}

fn percent(value: u32) -> Value {
    json!({"type": "PERCENTAGE", "value": value})
}

fn measured(scores: impl IntoIterator<Item = (Value, f64)>) -> Vec<Value> {
    scores.into_iter().map(|(size, score)| json!({"audienceSize": size, "score": score})).collect()
}

fn with_scores(scores: impl IntoIterator<Item = (Value, f64)>) -> Value {
    let mut event = event();
    event["generation"]["metrics"]["relevanceMetrics"] = measured(scores).into();
    event["exports"] = json!([]);
    event
}

fn exported(size: &Value, location: &str) -> Value {
    json!({"name": "job", "audienceSize": size, "status": "ACTIVE", "outputLocation": location})
}

fn failed_event() -> Value {
    let mut event = event();
    event["generation"] = json!({
        "phase": "FAILED", "status": "CREATE_FAILED", "error": "GenerationFailed",
        "createTime": "2026-11-22T16:07:41Z", "updateTime": "2026-11-22T16:31:02Z",
    });
    event["exports"] = json!([]);
    event["error"] = json!("GenerationFailed");
    event["cause"] = json!(
        "The audience generation job spring-runners-00f1e2d3c4b5a697 failed: Fewer than 500 users of the seed are in \
         the training data (SEED_TOO_SMALL). Mend what it names, then upload the seed again."
    );
    event
}

fn partial_event() -> Value {
    let mut event = event();
    for (index, cause) in [(1, "The service refused the export job: too many requests."), (2, "The job ended badly.")] {
        let export = &mut event["exports"][index];
        export["status"] = json!("CREATE_FAILED");
        export["outputLocation"] = Value::Null;
        export["error"] = json!("ExportFailed");
        export["cause"] = json!(cause);
    }
    event["error"] = json!("ExportFailed");
    event["cause"] =
        json!("2 of 3 exports are not there: 2pct (ExportFailed: …); 5pct (ExportFailed: …). There: 1pct.");
    event
}

fn hidden_event() -> Value {
    let mut event = event();
    event["generation"]["metrics"] = Value::Null;
    event["generation"]["updateTime"] = Value::Null;
    for export in event["exports"].as_array_mut().unwrap() {
        export["outputLocation"] = Value::Null;
        export["updateTime"] = Value::Null;
    }
    event["skipped"] = json!(["model", "seed"]);
    event["seed"] = Value::Null;
    event
}

fn many_event() -> Value {
    let size = |step: u32| json!({"type": "ABSOLUTE", "value": 800_000 * step});
    let mut event = with_scores((1..=25).map(|step| (size(step), 1.1 - f64::from(step).sqrt() / 4.3)));
    event["exports"] = (1..=25)
        .map(|step| exported(&size(step), &format!("s3://lookalike-audiences/exports/summer-{}/", 800_000 * step)))
        .collect();
    event
}

fn hostile_event() -> Value {
    let hostile = r#""><script>alert('1')</script><img src=x onerror=alert(1)>"#;
    let mut event = partial_event();
    event["name"] = json!("<script>alert(1)</script>&\"'<b onload=x>");
    event["execution"]["id"] = json!(format!("arn:aws:states:us-east-1:000000000000:execution:audience:{hostile}"));
    event["exports"][0]["outputLocation"] = json!(format!("s3://b{hostile}/k"));
    event["exports"][0]["name"] = json!(hostile);
    event["exports"][1]["outputLocation"] = json!("javascript:alert(1)");
    event["exports"][1]["cause"] = json!(hostile);
    event["exports"][2]["status"] = json!(hostile);
    event["error"] = json!(hostile);
    event["cause"] = json!(hostile);
    event
}

fn hostile_request() -> Value {
    let hostile = "</style></title><script>alert(1)</script>";
    let mut request = request();
    request["description"] = json!(hostile);
    request["tags"] = json!({ hostile: "javascript:alert(1)" });
    request["seedAudience"]["roleArn"] = json!(format!("arn:aws:iam::000000000000:role/{hostile}"));
    request["seedAudience"]["dataSource"]["s3Uri"] = json!(format!("s3://b/{hostile}"));
    request
}

/// Pages of every kind of run, by name.
pub(super) fn all_pages() -> Vec<(&'static str, String)> {
    let mut private = request();
    private["includeSeedInOutput"] = json!(true);
    let mut existed = event();
    existed["checkedRequest"] = Value::Null;
    existed["generationStartTime"] = Value::Null;
    existed["seed"] = Value::Null;
    existed["skipped"] = json!(["model"]);
    existed["quotaWaits"] = json!(0);
    let mut one = with_scores([(percent(5), 0.713)]);
    one["exports"] = json!([exported(&percent(5), "s3://audiences/one/")]);
    let mut pages = segment_pages();
    pages.extend([
        ("ready", page_of(event(), Some(request()))),
        ("private", page_of(event(), Some(private))),
        ("failed", page_of(failed_event(), Some(request()))),
        ("partial", page_of(partial_event(), Some(request()))),
        ("hidden", page_of(hidden_event(), Some(sql_request()))),
        ("many", page_of(many_event(), Some(request()))),
        ("existed", page_of(existed, None)),
        ("one", page_of(one, Some(request()))),
        ("two", page_of(with_scores([(percent(5), -0.2), (percent(50), 0.3)]), Some(request()))),
        ("equal", page_of(with_scores((1..=5).map(|size| (percent(size), 0.5))), Some(request()))),
        ("huge", page_of(with_scores([(percent(1), 1e9), (percent(2), -4e8)]), None)),
        ("hostile", page_of(hostile_event(), Some(hostile_request()))),
    ]);
    pages
}

pub(super) fn parse(page: &str) -> Html {
    let page = Html::parse_document(page);
    assert_eq!(page.errors, Vec::<std::borrow::Cow<'static, str>>::new());
    page
}

pub(super) fn all<'p>(page: &'p Html, selector: &str) -> Vec<scraper::ElementRef<'p>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

/// The text of all that a selector finds, its blanks made single.
pub(super) fn text(page: &Html, selector: &str) -> String {
    let text: Vec<_> = all(page, selector).into_iter().flat_map(|element| element.text()).collect();
    text.concat().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// For those who want to see them: `PAGES=folder cargo test -p write-report the_pages_can_be_looked_at`.
#[test]
fn the_pages_can_be_looked_at() {
    let Ok(folder) = std::env::var("PAGES") else { return };
    for (name, page) in all_pages() {
        std::fs::write(Path::new(&folder).join(format!("{name}.html")), page).unwrap();
    }
}

#[test]
fn no_page_holds_a_script_an_image_a_foreign_link_or_a_handler() {
    for (name, page) in all_pages() {
        let page = parse(&page);
        for element in all(&page, "*") {
            let tag = element.value().name();
            assert!(!["script", "img", "iframe", "object", "link", "form", "base"].contains(&tag), "{name}: {tag}");
            for (attribute, value) in element.value().attrs() {
                assert!(!attribute.starts_with("on") && attribute != "src", "{name}: {attribute}");
                if attribute.ends_with("href") {
                    assert!(value.starts_with("https://us-east-1.console.aws.amazon.com/"), "{name}: {value}");
                }
                assert!(tag == "meta" || !value.contains("url("), "{name}: {value}");
            }
        }
        assert!(!text(&page, "style").contains("url(") && !text(&page, "style").contains("@import"));
        assert_eq!(all(&page, "meta[http-equiv='Content-Security-Policy'][content^=\"default-src 'none'\"]").len(), 1);
        assert_eq!(all(&page, "meta[name=robots][content=noindex]").len(), 1);
    }
}

#[test]
fn hostile_text_is_shown_as_the_text_that_it_is() {
    let page = parse(&page_of(hostile_event(), Some(hostile_request())));
    assert_eq!(text(&page, "h1"), "<script>alert(1)</script>&\"'<b onload=x>");
    assert!(text(&page, ".cause").contains("<img src=x onerror=alert(1)>"));
    assert!(text(&page, ".tags").contains("</title><script>alert(1)</script> = javascript:alert(1)"));
    assert!(text(&page, ".sizes").contains("javascript:alert(1)"));
    assert_eq!(all(&page, "h1 *, .cause *, .tags li *").len(), 0);
}

#[test]
fn every_page_is_sound_for_those_who_cannot_see_it() {
    for (name, page) in all_pages() {
        let page = parse(&page);
        assert_eq!(all(&page, "html[lang=en]").len(), 1);
        assert_eq!((all(&page, "h1").len(), all(&page, "main").len()), (1, 1), "{name}");
        assert!(all(&page, "th").iter().all(|th| th.attr("scope").is_some()), "{name}");
        let ids: Vec<_> = all(&page, "[id]").iter().filter_map(|element| element.attr("id")).collect();
        let unique: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        for element in all(&page, "[aria-labelledby]") {
            assert!(ids.contains(&element.attr("aria-labelledby").unwrap()), "{name}");
        }
        for svg in all(&page, "svg") {
            let children: Vec<_> = svg.child_elements().map(|child| child.value().name()).take(2).collect();
            assert_eq!(children, ["title", "desc"], "{name}");
        }
    }
}

#[test]
fn a_ready_run_tells_the_marketer_how_good_it_is_and_where() {
    let page = parse(&page_of(event(), Some(request())));
    assert_eq!(text(&page, "head > title"), "spring-runners-00f1e2d3c4b5a697: Ready");
    assert_eq!(
        text(&page, ".summary"),
        "Your audience is ready in 3 sizes, from 1% (relevance 0.86) to 5% (relevance 0.71)."
    );
    let rows = all(&page, ".sizes tbody tr");
    assert_eq!(rows.len(), 5);
    let place = "s3://lookalike-audiences/exports/spring-runners-00f1e2d3c4b5a697-5pct/";
    let row: String = rows[2].text().collect();
    assert!(row.contains("5%") && row.contains("0.71") && row.contains(place), "{row}");
    let link = all(&page, ".sizes a")[2].attr("href").unwrap();
    assert!(
        link.ends_with(
            "/s3/buckets/lookalike-audiences?region=us-east-1&prefix=exports/spring-runners-00f1e2d3c4b5a697-5pct/"
        ),
        "{link}"
    );
    assert!(text(&page, "#relevance ~ p").contains("Recall 0.62 says how well the model did"));
    assert!(text(&page, "#relevance ~ p").contains("About 0.20, the share of the largest size"));
    assert_eq!(all(&page, ".trouble").len(), 0);
    assert!(text(&page, ".counts").contains("People, each counted once700"));
    assert!(text(&page, ".counts").contains("Repeated people24"));
    assert!(text(&page, "#time ~ p").contains("waited its turn (2 tries were refused)"));
    let stages = text(&page, ".stages tbody");
    for stage in ["Check and queue", "7 min 40 s", "Generation", "2 h 44 min", "Export", "21 min 32 s"] {
        assert!(stages.contains(stage), "{stage} in {stages}");
    }
}

#[test]
fn what_relevance_says_about_zero_is_told_of_this_audience() {
    let told = |scores: &[f64]| {
        let sizes = (1..).zip(scores).map(|(size, score)| (percent(size), *score));
        let page = page_of(with_scores(sizes), None);
        ["no size is below 0", "below 0 from 2% on", "below 0 from 1% on"].map(|words| page.contains(words))
    };
    assert_eq!(told(&[0.5, 0.0]), [true, false, false]);
    assert_eq!(told(&[0.5, -0.1, -0.2]), [false, true, false]);
    assert_eq!(told(&[-0.1]), [false, false, true]);
    assert_eq!(told(&[0.5, -0.1, 0.2]), [false, false, false]);
}

#[test]
fn the_seeds_people_in_the_output_are_pointed_out() {
    let mut private = request();
    private["includeSeedInOutput"] = json!(true);
    assert!(text(&parse(&page_of(event(), Some(private))), ".privacy").contains("people of your seed are part"));
    assert_eq!(all(&parse(&page_of(event(), Some(request()))), ".privacy").len(), 0);
}

#[test]
fn a_failed_run_tells_what_happened_before_anything_else() {
    let page = page_of(failed_event(), Some(request()));
    let at = |words: &str| page.find(words).unwrap();
    assert!(at("What happened") < at("SEED_TOO_SMALL") && at("SEED_TOO_SMALL") < at("Your seed"));
    let page = parse(&page);
    assert_eq!(text(&page, ".outcome"), "Failed");
    assert_eq!(all(&page, "#relevance, #sizes, .figures").len(), 0);
}

#[test]
fn missing_exports_are_told_one_by_one_with_the_input_that_makes_up_for_them() {
    let page = parse(&page_of(partial_event(), Some(request())));
    assert_eq!(text(&page, ".outcome"), "Ready in part");
    let missing = all(&page, ".missing li");
    assert_eq!(missing.len(), 2);
    assert!(missing[0].text().collect::<String>().starts_with("2% – The service refused the export job"));
    let remedy: Value = serde_json::from_str(&text(&page, ".trouble pre")).unwrap();
    assert_eq!(remedy["export"], "2pct,5pct");
    assert_eq!(all(&page, ".curve.wide line[stroke='#B0241C']").len(), 4);
}

#[test]
fn what_another_account_hides_is_said_in_words() {
    let page = parse(&page_of(hidden_event(), Some(sql_request())));
    assert!(text(&page, "#relevance ~ p").starts_with("Not shared."));
    assert!(text(&page, ".where").contains("Not shown to this account"));
    assert!(text(&page, "#seed ~ p").contains("result of a query"));
    assert!(text(&page, "#seed ~ p").contains("could not be read by this stack, as is usual"));
    assert!(text(&page, ".facts").contains("a query with 1 parameter, not shown here"));
    assert_eq!(all(&page, "svg, .sizes .relevance").len(), 0);
}

#[test]
fn the_curve_has_a_mark_for_each_measured_size_whatever_the_scores() {
    for (name, scores) in [
        ("one", vec![0.7]),
        ("two, one below zero", vec![-0.2, 0.3]),
        ("all equal", vec![0.5; 5]),
        ("all zero", vec![0.0; 5]),
        ("all below zero", vec![-5.0, -6.0]),
        ("tiny", vec![1e-11, 2e-11]),
        ("huge", vec![9e11, -9e11]),
        ("many", (0..25).map(f64::from).collect()),
    ] {
        let sizes = (1..).zip(&scores).map(|(size, score)| (percent(size), *score));
        let page = parse(&page_of(with_scores(sizes), None));
        for (class, width, height) in [("wide", 720, 300), ("narrow", 320, 250)] {
            let marks = all(&page, &format!(".curve.{class} circle[fill=none]"));
            assert_eq!(marks.len(), scores.len(), "{name}");
            let coordinates = all(&page, &format!(".curve.{class} circle, .curve.{class} text"));
            for element in coordinates {
                let number = |one: &str, other: &str| {
                    let value = element.attr(one).or(element.attr(other)).unwrap();
                    value.parse::<i32>().unwrap()
                };
                assert!((0..=width).contains(&number("cx", "x")), "{name}");
                assert!((0..=height).contains(&number("cy", "y")), "{name}");
            }
        }
    }
}

#[test]
fn scores_beyond_all_drawing_are_told_in_the_table_alone() {
    let page = parse(&page_of(with_scores([(percent(1), 1e308), (percent(2), -1e308)]), None));
    assert_eq!(all(&page, "svg").len(), 0);
    assert!(text(&page, ".sizes").contains("1.0e308"));
}

#[test]
fn a_page_is_small() {
    for (name, page) in all_pages() {
        assert!(page.len() < 64 * 1024, "{name} has {} bytes", page.len());
    }
}
