//! The page of a segment run: how many users there are, where they lie, of which input, and what was asked for.

use lookalike::segment_input::{InputCount, InputKind};
use lookalike::segment_report::{Segment, SegmentCount, SegmentReport};
use lookalike::segment_request::{RESULTS_UNLESS_SAID, S3Data, SegmentRequest};
use lookalike::words;
use maud::{Markup, html};

use crate::page::{Shows, figure, link, page, place, request_is_gone, tags, time_limit, trouble};

/// The page of a segment run.
pub(crate) fn segment_page(report: &SegmentReport) -> String {
    let mishap = report.segment.mishap();
    let result = html! {
        (trouble(&report.run, &html! { @if let Some(mishap) = &mishap { p { (mishap) } } }))
        (figures(report))
        (output(report))
        (input(report))
    };
    let arn = report.segment.batch_segment_job_arn.as_ref();
    let shows = Shows {
        kind: "User segment",
        result,
        asked: report.request.as_ref().map_or_else(request_is_gone, asked),
        job: ("Batch segment job", arn.map(|arn| arn.as_str())),
        checked_request: report.checked_request.as_ref(),
    };
    page(&report.run, &shows)
}

/// The run in a few numbers.
fn figures(report: &SegmentReport) -> Markup {
    let Segment { is_ready, input, output, .. } = &report.segment;
    html! {
        @if *is_ready {
            dl.figures {
                @match output {
                    Some(output) => {
                        (figure("Users", &words::count(output.users), "in all segments"))
                        @if output.error_lines == 0 {
                            (figure("Lines with users", &words::count(output.lines), "none is an error"))
                        } @else {
                            (figure("Lines with users", &part(output), "the others are errors"))
                        }
                    }
                    None => (figure("Users", "Not counted", "the output cannot be read")),
                }
                @if let Some(request) = &report.request {
                    (figure("Asked for", &users_asked_for(request), "users for each line"))
                }
                @match input {
                    Some(input) => (figure("Input", &lines_named(*input), "a segment for each")),
                    None => (figure("Input", "Not counted", "it cannot be read")),
                }
            }
        }
    }
}

/// `3 of 4`.
fn part(output: &SegmentCount) -> String {
    format!("{} of {}", words::count(output.good_lines()), words::count(output.lines))
}

fn lines_named(input: InputCount) -> String {
    match input.kind {
        InputKind::Item => words::counted(input.lines, "item", "items"),
        InputKind::Attributes => words::counted(input.lines, "query", "queries"),
    }
}

fn users_asked_for(request: &SegmentRequest) -> String {
    words::count(request.num_results.unwrap_or(RESULTS_UNLESS_SAID))
}

/// What came of the job, and where it lies.
fn output(report: &SegmentReport) -> Markup {
    let Segment { is_ready, output, output_location, output_url, .. } = &report.segment;
    html! {
        @if let Some(location) = output_location {
            section aria-labelledby="output" {
                h2 id="output" { @if *is_ready { "The users, and where they are" } @else { "What the job wrote" } }
                p.where {
                    (place(location))
                    @if let Some(url) = output_url { " " (link(url, "Open in S3")) }
                }
                @match output {
                    Some(output) => (counted(output)),
                    None => p {
                        "The output could not be read by this stack, so it was not counted. Each line of it holds \
                        either users or an error; look before you use it."
                    },
                }
                p.note {
                    @if output.is_some_and(|output| output.good_lines() > 1) { "A user who is in two segments counts twice. " }
                    "The files there whose names end in " code { ".out" } " have a line for each line of the input, \
                    with its users or its error. Files of earlier jobs may lie beside them."
                    @if output_url.is_some() {
                        " The link opens the AWS console and needs access to the account that holds the bucket."
                    }
                }
            }
        }
    }
}

fn counted(output: &SegmentCount) -> Markup {
    html! {
        table.counts {
            tbody {
                tr { th scope="row" { "Users of all segments" } td.number { strong { (words::count(output.users)) } } }
                tr { th scope="row" { "Lines with users" } td.number { (words::count(output.good_lines())) } }
                tr { th scope="row" { "Lines with an error" } td.number { (words::count(output.error_lines)) } }
            }
        }
    }
}

/// What was in the files of lines, and what to mind about them.
fn input(report: &SegmentReport) -> Markup {
    html! {
        section aria-labelledby="input" {
            h2 id="input" { "Your input" }
            @match report.segment.input {
                Some(input) => p {
                    strong { (lines_named(input)) }
                    ", one a line, each for a segment of its own. All lines were checked before the job was started."
                },
                None => p { "The input could not be read by this stack, so its lines were neither checked nor counted." },
            }
            @for warning in &report.warnings {
                p.warning { strong { "Mind: " } (warning) }
            }
        }
    }
}

fn asked(request: &SegmentRequest) -> Markup {
    let data = |data: &S3Data| {
        html! {
            dd {
                (place(data.path.as_str()))
                @if let Some(key) = &data.kms_key_arn { span.note.below { "encrypted with " (key) } }
            }
        }
    };
    html! {
        dl.facts {
            dt { "Input" }
            (data(&request.job_input.s3_data_source))
            dt { "Output" }
            (data(&request.job_output.s3_data_destination))
            dt { "Users for each line" }
            dd {
                (users_asked_for(request))
                @if request.num_results.is_none() { span.note.below { "what the service takes unless said" } }
            }
            dt { "Solution version" }
            dd { (place(request.solution_version_arn.as_str())) }
            dt { "Filter" }
            dd { @match &request.filter_arn { Some(filter) => (place(filter.as_str())), None => "none" } }
            (tags(request.tags.iter().map(|tag| (tag.tag_key.as_str(), tag.tag_value.as_str()))))
            dt { "Role that reads and writes" }
            dd { (place(request.role_arn.as_str())) }
            (time_limit(request.deadline_seconds))
        }
    }
}
