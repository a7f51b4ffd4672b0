//! The page of an audience run: how alike the sizes are, where they lie, of which seed, and what was asked for.

use lookalike::audience_report::{Asked, AskedSeed, Audience, AudienceReport, Export, Size};
use lookalike::execution::Skipped;
use lookalike::seed::SeedCount;
use lookalike::words::{self, Scores};
use lookalike::{AudienceSize, ExportPolicy};
use maud::{Markup, html};

use crate::curve::curve;
use crate::page::{Shows, figure, link, page, place, request_is_gone, tags, time_limit, trouble};

/// The page of an audience run.
pub(crate) fn audience_page(report: &AudienceReport) -> String {
    let scores = report.audience.scores();
    let result = html! {
        (trouble(&report.run, &missing(&report.audience)))
        (figures(report, scores))
        (relevance(&report.audience, scores))
        (sizes(report, scores))
        (seed(report))
    };
    let arn = report.audience.audience_generation_job_arn.as_ref();
    let shows = Shows {
        kind: "Lookalike audience",
        result,
        asked: request(report),
        job: ("Audience generation job", arn.map(|arn| arn.as_str())),
        checked_request: report.checked_request.as_ref(),
    };
    page(&report.run, &shows)
}

/// Each size that is not there, and why.
fn missing(audience: &Audience) -> Markup {
    let missing: Vec<_> = audience.missing().collect();
    html! {
        @if !missing.is_empty() {
            ul.missing {
                @for Size { audience_size, export, .. } in missing {
                    li {
                        strong { (words::size(*audience_size)) }
                        @if let Some(Export { error, cause, status, .. }) = export {
                            " – " (cause.as_deref().unwrap_or("no cause was given"))
                            " (" code { (error.as_deref().or(status.as_deref()).unwrap_or("no status")) } ")"
                        }
                    }
                }
            }
        }
    }
}

/// The run in four numbers.
fn figures(report: &AudienceReport, scores: Scores) -> Markup {
    let audience = &report.audience;
    let exported: Vec<_> = audience.exported().collect();
    let asked = exported.len() + audience.missing().count();
    let relevant: Vec<f64> = exported.iter().filter_map(|size| size.relevance).collect();
    let relevance = match &relevant[..] {
        [] => None,
        [only] => Some(scores.write(*only)),
        [first, .., last] => Some(format!("{} to {}", scores.write(*first), scores.write(*last))),
    };
    html! {
        @if audience.is_ready {
            dl.figures {
                @match asked {
                    0 => (figure("Sizes exported", "None", "as was asked for")),
                    asked if asked == exported.len() => (figure("Sizes exported", &asked.to_string(), "all that was asked for")),
                    asked => (figure("Sizes exported", &format!("{} of {asked}", exported.len()), "the others failed")),
                }
                @match &relevance {
                    Some(relevance) if relevant.len() > 1 => (figure("Relevance", relevance, "smallest to largest")),
                    Some(relevance) => (figure("Relevance", relevance, "higher is more alike")),
                    None if is_measured(audience) => {},
                    None => (figure("Relevance", "Not shared", "by the model’s owner")),
                }
                @match audience.recall {
                    Some(recall) => (figure("Recall", &recall_words(recall), "nearer to 1 is better")),
                    None => (figure("Recall", "Not shared", "by the model’s owner")),
                }
                @match (&report.seed, report.request.as_ref().map(|request| &request.seed_source)) {
                    (Some(seed), _) => (figure("Seed", &words::count(seed.unique_users), "known people")),
                    (None, Some(AskedSeed::Query { .. } | AskedSeed::Template { .. })) => {
                        (figure("Seed", "A query", "run by the service"))
                    }
                    (None, _) => {},
                }
            }
        }
    }
}

/// Whether the relevance of any size is known.
fn is_measured(audience: &Audience) -> bool {
    audience.sizes.iter().any(|size| size.relevance.is_some())
}

fn recall_words(recall: f64) -> String {
    Scores::of(&[recall]).write(recall)
}

/// How alike the people are, drawn and explained.
fn relevance(audience: &Audience, scores: Scores) -> Markup {
    let is_measured = is_measured(audience);
    let any = |wanted: fn(&Size) -> bool| audience.sizes.iter().any(|size| size.relevance.is_some() && wanted(size));
    html! {
        @if audience.is_ready {
            section aria-labelledby="relevance" {
                h2 id="relevance" { "How alike are they to your seed?" }
                @if is_measured {
                    @if let Some(curve) = curve(&audience.sizes, scores) {
                        figure {
                            p.note.scale { "Relevance by size" (across(&audience.sizes)) }
                            (curve)
                            figcaption {
                                @if any(|size| size.export.as_ref().is_some_and(|export| export.is_ready)) {
                                    span.key { span.mark.full aria-hidden="true" {} "exported" }
                                }
                                @if any(|size| size.export.is_none()) {
                                    span.key { span.mark.hollow aria-hidden="true" {} "not exported" }
                                }
                                @if any(|size| size.export.as_ref().is_some_and(|export| !export.is_ready)) {
                                    span.key { span.mark.crossed aria-hidden="true" { "×" } "export failed" }
                                }
                                @if audience.sizes.len() > 1 { span { "The sizes stand evenly apart." } }
                            }
                        }
                    }
                    p {
                        strong { "Relevance" } " helps you to choose a size: the higher it is, the more the people of \
                        that size resemble your seed. A larger size reaches more people, who usually resemble it less. \
                        Above 0 the model expects more such people than the size takes in, so a larger one can still \
                        be good; below 0 the size takes in people who are not like your seed."
                        @if let Some(reading) = reading(&audience.sizes) { " " (reading) }
                    }
                    p.note {
                        "It compares the sizes of this one audience and is no mark for the seed or the model. AWS \
                        documents its range in two ways, so read it neither as a percentage nor against the relevance \
                        of another audience."
                    }
                } @else {
                    p {
                        strong { "Not shared. " } "The owner of the configured audience model does not share its \
                        metrics with this account, so this page cannot say how alike each size is. The audience is \
                        none the worse for it. Ask the owner to share the model’s audience metrics."
                    }
                }
                @match audience.recall {
                    Some(recall) => (recall_paragraph(recall, &audience.sizes)),
                    None if is_measured => p.note { "The recall of this audience is not shared with this account." },
                    None => {},
                }
            }
        }
    }
}

/// What the labels across count, where they do not say so themselves.
fn across(sizes: &[Size]) -> &'static str {
    use lookalike::audience_size::AudienceSizeType::{Absolute, Percentage};
    let all = |kind| sizes.iter().all(|size| size.audience_size.kind() == kind);
    if all(Absolute) {
        ", in people"
    } else if all(Percentage) {
        ", in percent of the people in the training data"
    } else {
        ""
    }
}

/// Where this audience's relevance stands to zero, if that is the same from some size on.
fn reading(sizes: &[Size]) -> Option<String> {
    let measured: Vec<_> = sizes.iter().filter_map(|size| Some((size.audience_size, size.relevance?))).collect();
    let above = measured.iter().take_while(|(_, score)| *score >= 0.0).count();
    let (_, below) = measured.split_at(above);
    match below {
        [] => Some("Here no size is below 0.".to_owned()),
        [(first, _), ..] if below.iter().all(|(_, score)| *score < 0.0) => {
            Some(format!("Here it is below 0 from {} on.", words::size(*first)))
        }
        _ => None,
    }
}

fn recall_paragraph(recall: f64, sizes: &[Size]) -> Markup {
    use lookalike::audience_size::AudienceSizeType::Percentage;
    let percent = sizes.iter().map(|size| size.audience_size).filter(|size| size.kind() == Percentage);
    let largest = percent.max_by_key(|size| size.value());
    html! {
        p {
            strong { "Recall " (recall_words(recall)) } " says how well the model did: of those people in a sample of \
            the training data who resemble your seed most, this share was found; 1 would be all of them."
            @if let Some(largest) = largest {
                " About " (recall_words(f64::from(largest.value()) / 100.0)) ", the share of the largest size, would \
                be no better than chance."
            }
        }
    }
}

/// Every size: relevance, export, place. The roles stay where a narrow page turns rows into blocks.
fn sizes(report: &AudienceReport, scores: Scores) -> Markup {
    let Audience { sizes, is_ready, .. } = &report.audience;
    let is_measured = is_measured(&report.audience);
    let has_links = sizes.iter().any(|size| size.export.as_ref().is_some_and(|export| export.output_url.is_some()));
    html! {
        @if *is_ready && !sizes.is_empty() {
            section aria-labelledby="sizes" {
                h2 id="sizes" { "The sizes, and where they are" }
                table.sizes role="table" aria-labelledby="sizes" {
                    thead role="rowgroup" {
                        tr role="row" {
                            th scope="col" role="columnheader" { "Size" }
                            @if is_measured { th.number scope="col" role="columnheader" { "Relevance" } }
                            th scope="col" role="columnheader" { "Export" }
                            th scope="col" role="columnheader" { "Place" }
                        }
                    }
                    tbody role="rowgroup" {
                        @for size in sizes {
                            tr role="row" {
                                th.size scope="row" role="rowheader" { (words::size(size.audience_size)) }
                                @if is_measured {
                                    td.number.relevance role="cell" {
                                        @match size.relevance {
                                            Some(score) => (scores.write(score)),
                                            None => span.note { "not known" },
                                        }
                                    }
                                }
                                @match &size.export {
                                    Some(export) => {
                                        td.state role="cell" { (state(export)) }
                                        td.where role="cell" { (where_it_is(export)) }
                                    }
                                    None => {
                                        td.state role="cell" { span.note { "not asked for" } }
                                        td.where.empty role="cell" {}
                                    }
                                }
                            }
                        }
                    }
                }
                @if has_links {
                    p.note {
                        "A click into a place marks all of it, ready to copy. The links open the AWS console and need \
                        access to the account that holds the bucket."
                    }
                }
                @if report.request.as_ref().is_some_and(|request| request.include_seed_in_output) {
                    p.privacy {
                        strong { "Mind the privacy of your customers: " } "the people of your seed are part of these \
                        files, as the request asked. Handle them as you handle the seed."
                    }
                }
            }
        }
    }
}

fn state(export: &Export) -> Markup {
    html! {
        @if export.is_ready { span.good { "exported" } } @else { span.bad { "failed" } }
    }
}

fn where_it_is(export: &Export) -> Markup {
    html! {
        @match &export.output_location {
            Some(location) => {
                (place(location))
                @if let Some(url) = &export.output_url { " " (link(url, "Open in S3")) }
            }
            None if export.is_ready => span.note {
                "Not shown to this account: the model’s owner chose the place, and knows it."
            },
            None => span.note { "not there" },
        }
        @if let Some(name) = &export.name { span.note.below { "export job " (name) } }
    }
}

/// What was in the file that was uploaded.
fn seed(report: &AudienceReport) -> Markup {
    let source = report.request.as_ref().map(|request| &request.seed_source);
    html! {
        section aria-labelledby="seed" {
            h2 id="seed" { "Your seed" }
            @match (&report.seed, source) {
                (Some(seed), _) => (counted(seed)),
                (None, Some(AskedSeed::Query { .. } | AskedSeed::Template { .. })) => p {
                    "The seed is the result of a query, which AWS Clean Rooms ran itself, so there was no file to count."
                },
                (None, _) if report.checked_request.is_none() => p {
                    "This run exported more of an audience that was there already. Its seed belongs to the run that made it."
                },
                (None, _) => p { "The seed’s file could not be read by this stack, so its people were not counted." },
            }
            @if report.audience.generated_by_this_run && report.skipped.contains(&Skipped::Model) {
                p.note {
                    "The configured audience model could not be read by this stack, as is usual where it belongs to \
                    another account, so its smallest seed and its sizes were not checked beforehand."
                }
            }
        }
    }
}

fn counted(seed: &SeedCount) -> Markup {
    let repeated = seed.users.saturating_sub(seed.unique_users);
    html! {
        table.counts {
            tbody {
                tr { th scope="row" { "People, each counted once" } td.number { strong { (words::count(seed.unique_users)) } } }
                tr { th scope="row" { "Lines that name a person" } td.number { (words::count(seed.users)) } }
                tr { th scope="row" { "Repeated people" } td.number { (words::count(repeated)) } }
                tr { th scope="row" { "Refused lines" } td.number { (words::count(seed.bad_lines)) } }
                tr { th scope="row" { "Blank lines" } td.number { (words::count(seed.blank_lines)) } }
            }
        }
        p.note {
            "The model can use only those people whom its training data knows. The service does not tell how many of \
            your seed these are."
        }
    }
}

/// The request, but for SQL and the parameters of a query.
fn request(report: &AudienceReport) -> Markup {
    html! {
        @match &report.request {
            Some(request) => (asked(request)),
            None if report.checked_request.is_some() => (request_is_gone()),
            None => p { "More exports of an audience that was there already." },
        }
    }
}

fn asked(request: &Asked) -> Markup {
    let parameters = |count: usize| match count {
        0 => "without parameters".to_owned(),
        count => format!("with {}", words::counted(count as u64, "parameter", "parameters")),
    };
    html! {
        dl.facts {
            dt { "Seed" }
            dd {
                @match &request.seed_source {
                    AskedSeed::File { s3_uri } => {
                        (place(s3_uri.as_str()))
                        @if s3_uri.key().starts_with("checked/") { span.note.below { "a clean copy of your upload" } }
                    }
                    AskedSeed::Query { parameters: count } => { "a query " (parameters(*count)) ", not shown here" }
                    AskedSeed::Template { analysis_template_arn, parameters: count } => {
                        "an analysis template " (parameters(*count)) ": " (place(analysis_template_arn.as_str()))
                    }
                }
            }
            dt { "Export" }
            dd { (policy(&request.export)) }
            dt { "Seed in the output" }
            dd { @if request.include_seed_in_output { "yes: the people of the seed are part of the audience" } @else { "no" } }
            @if let Some(description) = &request.description { dt { "Description" } dd.text { (description) } }
            (tags(request.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
            dt { "Model" }
            dd { (place(request.configured_audience_model_arn.as_str())) }
            @if let Some(id) = &request.collaboration_id { dt { "Collaboration" } dd { (place(id.as_str())) } }
            dt { "Role that read the seed" }
            dd { (place(request.role_arn.as_str())) }
            (time_limit(request.deadline_seconds))
        }
    }
}

fn policy(policy: &ExportPolicy) -> String {
    match policy {
        ExportPolicy::All => "every size that the model offers".to_owned(),
        ExportPolicy::None => "nothing: generate only".to_owned(),
        ExportPolicy::MinRelevance(least) => format!("the largest size whose relevance is at least {least}"),
        ExportPolicy::Sizes(sizes) => {
            sizes.iter().copied().map(words::size as fn(AudienceSize) -> String).collect::<Vec<_>>().join(", ")
        }
    }
}
