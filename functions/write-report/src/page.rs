//! What the page of any run has: its frame, how the run ended, how its time was spent, and where it is in AWS.
//!
//! One file that needs no other: no scripts, no fonts, no images. All text is escaped by the templates, and the only
//! links are those that Lookalike makes itself.

use lookalike::execution::Moment;
use lookalike::report::{ReportStatus, Run};
use lookalike::timeline::{Stage, StageKind, Timeline};
use lookalike::values::S3Uri;
use lookalike::words;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::palette;

/// What a kind of run has to show.
pub(crate) struct Shows<'r> {
    /// What was made, in the words of the field.
    pub(crate) kind: &'static str,
    /// What there is to know of the result, for those who use it.
    pub(crate) result: Markup,
    /// What was asked for, for those who look after it.
    pub(crate) asked: Markup,
    /// What its first job is called, and the job's ARN.
    pub(crate) job: (&'static str, Option<&'r str>),
    /// Where the checked request lies.
    pub(crate) checked_request: Option<&'r S3Uri>,
}

/// A page: the run's end on top, then the result, then what an engineer looks for.
pub(crate) fn page(run: &Run, shows: &Shows<'_>) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="robots" content="noindex";
                meta name="referrer" content="no-referrer";
                meta name="color-scheme" content="light dark";
                title { (run.name) ": " (outcome_words(run.outcome)) }
                style { (PreEscaped(palette::css())) (PreEscaped(include_str!("page.css"))) }
            }
            body {
                main {
                    header {
                        p.kind { (shows.kind) }
                        h1 { (run.name) }
                        p.outcome.(outcome_class(run.outcome)) { (outcome_words(run.outcome)) }
                        p.summary { (run.summary) }
                    }
                    (shows.result)
                    (timeline(run))
                    section aria-labelledby="request" {
                        h2 id="request" { "What was asked for" }
                        (shows.asked)
                    }
                    section aria-labelledby="aws" {
                        h2 id="aws" { "The run in AWS" }
                        dl.facts {
                            dt { "Execution" }
                            dd {
                                (place(&run.execution_arn))
                                @if let Some(url) = &run.execution_url { " " (link(url, "Open in Step Functions")) }
                            }
                            @if let (what, Some(arn)) = shows.job {
                                dt { (what) }
                                dd { (place(arn)) }
                            }
                            @if let Some(at) = shows.checked_request {
                                dt { "Checked request" }
                                dd { (place(at.as_str())) }
                            }
                            @if let Some(deadline) = run.deadline {
                                dt { "Deadline" }
                                dd { (deadline_words(deadline)) }
                            }
                        }
                    }
                }
                footer {
                    p {
                        "Written by Lookalike on " (time(run.written_at)) ". All times are UTC. The same facts for \
                         machines lie beside this page, in " code { "report.json" } "."
                    }
                }
            }
        }
    };
    page.into_string()
}

fn outcome_words(outcome: ReportStatus) -> &'static str {
    match outcome {
        ReportStatus::Ready => "Ready",
        ReportStatus::Partial => "Ready in part",
        ReportStatus::Failed => "Failed",
    }
}

fn outcome_class(outcome: ReportStatus) -> &'static str {
    match outcome {
        ReportStatus::Ready => "good",
        ReportStatus::Partial => "warn",
        ReportStatus::Failed => "bad",
    }
}

fn deadline_words(deadline: lookalike::execution::Deadline) -> Markup {
    let words = deadline.to_string();
    html! { @match words.parse::<Moment>() { Ok(moment) => (time(moment)), Err(_) => (words) } }
}

/// What happened and what to do, where a run did not end well. `parts` tells of each job that failed, if several may.
pub(crate) fn trouble(run: &Run, parts: &Markup) -> Markup {
    let told_in_parts = !parts.0.is_empty();
    html! {
        @if run.outcome != ReportStatus::Ready {
            section.trouble.(outcome_class(run.outcome)) aria-labelledby="trouble" {
                h2 id="trouble" { "What happened" }
                (parts)
                @match &run.cause {
                    Some(cause) if told_in_parts => details {
                        summary { "In the run’s own words" }
                        p.cause { (cause) }
                    },
                    Some(cause) => p.cause { (cause) },
                    None if told_in_parts => {},
                    None => p {
                        "No cause was given. The execution’s history in Step Functions shows the step that failed."
                    },
                }
                @if let Some(error) = &run.error {
                    p.note { "The run ended as " code { (error) } "." }
                }
                @if let Some(remedy) = &run.remedy {
                    h3 { "What to do" }
                    p {
                        "Start an execution of the same state machine with this input. It exports these sizes of the \
                         audience that is there; nothing is generated again. Leave out the sizes that you do not want."
                    }
                    pre { code { (pretty(remedy)) } }
                }
                @if let Some(url) = &run.execution_url {
                    p { (link(url, "Look at the execution in Step Functions")) }
                }
            }
        }
    }
}

fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

/// One of a run's few large numbers.
pub(crate) fn figure(name: &str, value: &str, note: &str) -> Markup {
    html! { div { dt { (name) } dd { span.value { (value) } span.note { (note) } } } }
}

/// Instead of what was asked for, where nobody knows it any more.
pub(crate) fn request_is_gone() -> Markup {
    html! { p { "The checked request can no longer be read. It is kept for 30 days." } }
}

/// The tags of a job, if it has any, as a term and its places.
pub(crate) fn tags<'t>(tags: impl Iterator<Item = (&'t str, &'t str)>) -> Markup {
    let mut tags = tags.peekable();
    html! {
        @if tags.peek().is_some() {
            dt { "Tags" }
            dd { ul.tags { @for (key, value) in tags { li { (key) " = " (value) } } } }
        }
    }
}

/// How long a run might take, as a term and its value.
pub(crate) fn time_limit(seconds: u64) -> Markup {
    html! {
        dt { "Time limit" }
        dd { (words::duration(i64::try_from(seconds).unwrap_or(i64::MAX))) }
    }
}

/// How the run's time was spent: a bar for the eye, a table that says the same.
fn timeline(run: &Run) -> Markup {
    let Timeline { start, end, seconds, stages } = &run.timeline;
    html! {
        section aria-labelledby="time" {
            h2 id="time" { "How long it took" }
            p {
                strong { (words::duration(*seconds)) } " in all, from " (time(*start)) " to "
                @if words::date(*start) == words::date(*end) { (moment(*end, &words::time_of_day(*end))) } @else { (time(*end)) }
                "."
                @if run.quota_waits > 0 {
                    " The service was at its quota, so the run waited its turn ("
                    (words::counted(run.quota_waits.into(), "try was", "tries were")) " refused)."
                }
            }
            @if *seconds > 0 && !stages.is_empty() {
                div.bar aria-hidden="true" {
                    @for stage in stages { div.(stage_class(stage.kind)) style=(span(stage, &run.timeline)) {} }
                }
            }
            @if !stages.is_empty() {
                table.stages {
                    thead { tr { th scope="col" { "Stage" } th scope="col" { "Began (UTC)" } th.number scope="col" { "Took" } } }
                    tbody {
                        @for stage in stages {
                            tr {
                                th scope="row" {
                                    span.swatch.(stage_class(stage.kind)) aria-hidden="true" {} (stage_words(stage.kind))
                                }
                                td { (moment(stage.from, &began(stage.from, *start))) }
                                td.number { (words::duration(stage.seconds)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The time of day; with its date, where that is not the day of the start.
fn began(at: Moment, start: Moment) -> String {
    let (date, time) = (words::date(at), words::time_of_day(at));
    if date == words::date(start) { time } else { format!("{date}, {time}") }
}

fn stage_words(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Check => "Check",
        StageKind::Queue => "Check and queue",
        StageKind::Generation => "Generation",
        StageKind::Export => "Export",
        StageKind::Segment => "Segment job",
    }
}

fn stage_class(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Check | StageKind::Queue => "before",
        StageKind::Generation | StageKind::Segment => "generation",
        StageKind::Export => "export",
    }
}

/// A stage's part of the bar.
#[allow(clippy::cast_precision_loss)] // Percent of a bar.
fn span(stage: &Stage, timeline: &Timeline) -> String {
    let share = |seconds: i64| (seconds as f64 / timeline.seconds as f64 * 100.0).clamp(0.0, 100.0);
    let left = share(stage.from.seconds_since(timeline.start));
    format!("left:{left:.2}%;width:{:.2}%", share(stage.seconds).min(100.0 - left))
}

/// A time for people, and for machines.
fn time(at: Moment) -> Markup {
    moment(at, &words::time(at))
}

fn moment(at: Moment, words: &str) -> Markup {
    html! { time datetime=(at) { (words) } }
}

/// What is copied as a whole: an ARN, a place.
pub(crate) fn place(text: &str) -> Markup {
    html! { code.place { (text) } }
}

/// A link to a page of the AWS console.
pub(crate) fn link(console_url: &str, words: &str) -> Markup {
    html! { a href=(console_url) rel="noopener noreferrer" { (words) } }
}
