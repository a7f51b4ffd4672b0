//! What an audience run that has ended tells: how good the audience is, and where its sizes lie.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::audience_size::{AudienceSize, AudienceSizeType};
use crate::console::Console;
use crate::error::{ErrorName, withhold};
use crate::execution::{Moment, Skipped};
use crate::export_policy::ExportPolicy;
use crate::exports::RunExport;
use crate::job::RelevanceMetric;
use crate::once::StartState;
use crate::report::{EndedRun, ReportStatus, Run, Verdict, null_is_none};
use crate::request::{AudienceRequest, SeedSource, SqlText};
use crate::seed::SeedCount;
use crate::status::{JobStatus, Phase};
use crate::timeline::{Stage, StageKind, Timeline, earliest, latest};
use crate::values::{
    AnalysisTemplateArn, AudienceGenerationJobArn, CollaborationId, ConfiguredAudienceModelArn, Description, RoleArn,
    S3Uri,
};
use crate::words::{self, Scores};

/// What the workflow hands over at the end of an audience run. Whatever is not there is `null`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinishedAudience {
    /// What every run has.
    #[serde(flatten)]
    pub run: EndedRun,
    /// The audience.
    pub audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    /// What was found in the seed.
    pub seed: Option<SeedCount>,
    /// The last look at the generation job.
    pub generation: Option<JobStatus>,
    /// When the run started the generation job; none where the audience was there before.
    pub generation_start_time: Option<Moment>,
    /// What became of each export.
    #[serde(default, deserialize_with = "null_is_none")]
    pub exports: Vec<RunExport>,
}

/// An audience and its sizes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    /// The generation job that made it.
    pub audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    /// Whether this run made it, or only exports more of it.
    pub generated_by_this_run: bool,
    /// Whether it is there.
    pub is_ready: bool,
    /// The share of the people most like the seed that was found, where shared.
    pub recall: Option<f64>,
    /// Its sizes, the smallest first.
    pub sizes: Vec<Size>,
}

/// One size of an audience.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// How large it is.
    pub audience_size: AudienceSize,
    /// How alike its people are to the seed, where shared.
    pub relevance: Option<f64>,
    /// Its export, where it was asked for.
    pub export: Option<Export>,
}

/// What became of an export.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    /// The export job's name.
    pub name: Option<String>,
    /// Whether it is there.
    pub is_ready: bool,
    /// The service's own word.
    pub status: Option<String>,
    /// Where it lies, where visible.
    pub output_location: Option<String>,
    /// The same place in the AWS console.
    pub output_url: Option<String>,
    /// When it was created.
    pub create_time: Option<Moment>,
    /// When it last changed.
    pub update_time: Option<Moment>,
    /// Why it is not there.
    pub error: Option<String>,
    /// What happened, and what to do.
    pub cause: Option<String>,
}

/// What may be told of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The model that ranks the users.
    pub configured_audience_model_arn: ConfiguredAudienceModelArn,
    /// Where the seed came from.
    pub seed_source: AskedSeed,
    /// The role that the service took on to read it.
    pub role_arn: RoleArn,
    /// Whether the known users are part of the audience.
    pub include_seed_in_output: bool,
    /// The collaboration that the job belongs to.
    pub collaboration_id: Option<CollaborationId>,
    /// The job's description.
    pub description: Option<Description>,
    /// The job's tags.
    pub tags: BTreeMap<String, String>,
    /// Which sizes were to be exported.
    pub export: ExportPolicy,
    /// How long the run might take.
    pub deadline_seconds: u64,
}

/// What may be told of the source of a seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "UPPERCASE", rename_all_fields = "camelCase")]
pub enum AskedSeed {
    /// A file.
    File {
        /// Where the service read it.
        s3_uri: S3Uri,
    },
    /// A query, of which nothing more is told.
    Query {
        /// How many parameters it has.
        parameters: usize,
    },
    /// An analysis template.
    Template {
        /// Which one.
        analysis_template_arn: AnalysisTemplateArn,
        /// How many parameters it was given.
        parameters: usize,
    },
}

impl From<&AudienceRequest> for Asked {
    fn from(request: &AudienceRequest) -> Self {
        let seed_source = match &request.seed_audience.source {
            SeedSource::DataSource(file) => AskedSeed::File { s3_uri: file.s3_uri.clone() },
            SeedSource::SqlParameters(sql) => match &sql.text {
                SqlText::QueryString(_) => AskedSeed::Query { parameters: sql.parameters.len() },
                SqlText::AnalysisTemplateArn(arn) => {
                    AskedSeed::Template { analysis_template_arn: arn.clone(), parameters: sql.parameters.len() }
                }
            },
        };
        Self {
            configured_audience_model_arn: request.configured_audience_model_arn.clone(),
            seed_source,
            role_arn: request.seed_audience.role_arn.clone(),
            include_seed_in_output: request.include_seed_in_output.unwrap_or_default(),
            collaboration_id: request.collaboration_id.clone(),
            description: request.description.clone(),
            tags: request.tags.clone(),
            export: request.export.clone(),
            deadline_seconds: request.deadline_seconds,
        }
    }
}

/// The report of an audience run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudienceReport {
    /// What every report tells.
    pub run: Run,
    /// The audience and its sizes.
    pub audience: Audience,
    /// What was found in the seed, where it has a file that could be read.
    pub seed: Option<SeedCount>,
    /// What could not be checked.
    pub skipped: Vec<Skipped>,
    /// Where the checked request lies.
    pub checked_request: Option<S3Uri>,
    /// The request; none where there was none, or where it can no longer be read.
    pub request: Option<Asked>,
}

impl AudienceReport {
    /// The report of a run that has ended, written at `now`.
    #[must_use]
    pub fn of(finished: FinishedAudience, request: Option<&AudienceRequest>, now: Moment) -> Self {
        let timeline = timeline(&finished, now);
        let FinishedAudience { mut run, audience_generation_job_arn, seed, generation, generation_start_time, exports } =
            finished;
        let console = Console::of_arn(&run.execution.id);
        let secrets: Vec<&str> = match request.map(|request| &request.seed_audience.source) {
            Some(SeedSource::SqlParameters(sql)) => sql.secrets().collect(),
            _ => Vec::new(),
        };
        let told = |text: Option<String>| text.map(|text| withhold(text, secrets.iter().copied()));
        let metrics = generation.as_ref().and_then(|generation| generation.metrics.as_ref());
        let exports = exports.into_iter().map(|export| RunExport { cause: told(export.cause), ..export });
        let audience = Audience {
            audience_generation_job_arn,
            generated_by_this_run: generation_start_time.is_some(),
            is_ready: generation.as_ref().is_some_and(is_there),
            recall: metrics.and_then(|metrics| metrics.recall_metric),
            sizes: sizes(metrics.map_or(&[], |metrics| &metrics.relevance_metrics), exports, console.as_ref()),
        };
        run.cause = told(run.cause);
        let (skipped, checked_request) = (run.skipped.clone(), run.checked_request.clone());
        let outcome = audience.outcome(run.error.as_deref());
        let summary = audience.summary(outcome, run.error.as_deref());
        let verdict = Verdict { outcome, summary, remedy: audience.remedy(outcome) };
        Self {
            run: Run::of(run, verdict, timeline, now),
            audience,
            seed,
            skipped,
            checked_request,
            request: request.map(Asked::from),
        }
    }
}

impl Audience {
    /// The sizes that were exported.
    pub fn exported(&self) -> impl Iterator<Item = &Size> {
        self.sizes.iter().filter(|size| size.export.as_ref().is_some_and(|export| export.is_ready))
    }

    /// The sizes whose export was asked for and is not there.
    pub fn missing(&self) -> impl Iterator<Item = &Size> {
        self.sizes.iter().filter(|size| size.export.as_ref().is_some_and(|export| !export.is_ready))
    }

    /// How the relevance of its sizes is written.
    #[must_use]
    pub fn scores(&self) -> Scores {
        Scores::of(&self.sizes.iter().filter_map(|size| size.relevance).collect::<Vec<_>>())
    }

    fn outcome(&self, error: Option<&str>) -> ReportStatus {
        if error.is_none() && self.missing().next().is_none() {
            ReportStatus::Ready
        } else if self.exported().next().is_some() {
            ReportStatus::Partial
        } else {
            ReportStatus::Failed
        }
    }

    pub(crate) fn summary(&self, outcome: ReportStatus, error: Option<&str>) -> String {
        match outcome {
            ReportStatus::Ready => self.summary_of_ready(),
            ReportStatus::Partial => {
                let there: Vec<String> = self.exported().map(|size| words::size(size.audience_size)).collect();
                let all = there.len() + self.missing().count();
                let are = if there.len() == 1 { "is" } else { "are" };
                let rest =
                    if all > there.len() { " The others are not there; they can be exported again." } else { "" };
                format!("{} of {all} sizes {are} ready to use: {}.{rest}", there.len(), listed(&there))
            }
            ReportStatus::Failed if self.is_ready => match self.missing().count() {
                _ if error == Some(ErrorName::NoSizeQualifies.as_str()) => {
                    "The audience is there, but nothing was exported: no size qualified.".to_owned()
                }
                0 => "The audience is there, but nothing was exported.".to_owned(),
                1 => "The audience is there, but its export did not succeed.".to_owned(),
                missing => format!("The audience is there, but none of its {missing} exports succeeded."),
            },
            ReportStatus::Failed if error == Some(ErrorName::DeadlineExceeded.as_str()) => {
                "The audience was not ready when the run reached its deadline.".to_owned()
            }
            ReportStatus::Failed if error == Some(ErrorName::JobDeleted.as_str()) => {
                "The audience was deleted while the run waited for it.".to_owned()
            }
            ReportStatus::Failed => "The audience could not be generated.".to_owned(),
        }
    }

    fn summary_of_ready(&self) -> String {
        let scores = self.scores();
        let relevance = |size: &Size, before: &str, after: &str| {
            size.relevance.map_or_else(String::new, |score| format!("{before}relevance {}{after}", scores.write(score)))
        };
        let exported: Vec<&Size> = self.exported().collect();
        match exported[..] {
            [] => "Your audience is ready. Nothing was exported, as was asked for.".to_owned(),
            [size] => {
                let people = match size.audience_size.kind() {
                    AudienceSizeType::Percentage => {
                        format!("the {} of people in the training data who are", words::size(size.audience_size))
                    }
                    AudienceSizeType::Absolute => format!("the {}", words::size(size.audience_size)),
                };
                let relevance = relevance(size, ", with ", "");
                format!("Your audience is ready: {people} most like your seed{relevance}.")
            }
            [smallest, .., largest] => {
                let told = |size: &Size| format!("{}{}", words::size(size.audience_size), relevance(size, " (", ")"));
                format!(
                    "Your audience is ready in {} sizes, from {} to {}.",
                    exported.len(),
                    told(smallest),
                    told(largest)
                )
            }
        }
    }

    /// The input of an execution that exports what is missing, or where no size qualified, what a person may choose of.
    fn remedy(&self, outcome: ReportStatus) -> Option<Value> {
        let arn =
            self.audience_generation_job_arn.as_ref().filter(|_| self.is_ready && outcome != ReportStatus::Ready)?;
        let missing: Vec<AudienceSize> = self.missing().map(|size| size.audience_size).collect();
        let known = || self.sizes.iter().map(|size| size.audience_size).collect();
        let sizes = if missing.is_empty() { known() } else { missing };
        let typed = sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let input = json!({"audienceGenerationJobArn": arn, "export": typed});
        (!sizes.is_empty()).then_some(input)
    }
}

/// Every size that was measured or exported, once, the smallest first.
pub(crate) fn sizes(
    measured: &[RelevanceMetric],
    exports: impl Iterator<Item = RunExport>,
    console: Option<&Console>,
) -> Vec<Size> {
    let mut sizes = BTreeMap::new();
    let key = |size: AudienceSize| (size.kind().as_str(), size.value());
    let unknown = |audience_size| Size { audience_size, relevance: None, export: None };
    for metric in measured {
        let size = sizes.entry(key(metric.audience_size)).or_insert_with(|| unknown(metric.audience_size));
        size.relevance = size.relevance.or(metric.score);
    }
    for export in exports {
        let size = sizes.entry(key(export.audience_size)).or_insert_with(|| unknown(export.audience_size));
        size.export = Some(Export::of(export, console));
    }
    sizes.into_values().collect()
}

impl Export {
    fn of(export: RunExport, console: Option<&Console>) -> Self {
        let place = export.output_location.as_ref().and_then(|location| location.parse::<S3Uri>().ok());
        Self {
            is_ready: export.error.is_none() && export.status.as_deref() == Some("ACTIVE"),
            output_url: console.zip(place).map(|(console, place)| console.folder(&place)),
            name: (export.start.state != StartState::Rejected).then(|| export.name.to_string()),
            status: export.status,
            output_location: export.output_location,
            create_time: export.create_time,
            update_time: export.update_time,
            error: export.error,
            cause: export.cause,
        }
    }
}

/// Whether the audience is there, even if no size of it qualifies.
fn is_there(generation: &JobStatus) -> bool {
    generation.phase == Phase::Ready || generation.error == Some(ErrorName::NoSizeQualifies)
}

/// Where a service hides when a job ended, the run's next step, or else its report, tells when the run knew.
fn timeline(finished: &FinishedAudience, now: Moment) -> Timeline {
    let start = finished.run.execution.start_time;
    let created = finished.exports.iter().filter_map(|export| export.create_time).reduce(earliest);
    let mut stages = Vec::new();
    let mut begun = start;
    if let Some(generation_start) = finished.generation_start_time {
        stages.push(Stage::new(StageKind::before_job(finished.run.quota_waits), start, generation_start));
        let generation = finished.generation.as_ref().filter(|generation| generation.phase != Phase::Expired);
        let end = generation.and_then(|generation| generation.update_time).or(created).unwrap_or(now);
        stages.push(Stage::new(StageKind::Generation, generation_start, end));
        begun = latest(generation_start, end);
    }
    if !finished.exports.is_empty() {
        let begun = created.unwrap_or(begun);
        let ends: Option<Vec<Moment>> = finished.exports.iter().map(|export| export.update_time).collect();
        let end = ends.and_then(|ends| ends.into_iter().reduce(latest)).unwrap_or(now);
        stages.push(Stage::new(StageKind::Export, begun, end));
    }
    Timeline::new(start, stages)
}

/// `1%`, `1% and 2%`, `1%, 2% and 5%`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::request::Defaults;

    const JOB: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";

    fn event() -> Value {
        json!({
            "execution": {
                "id": "arn:aws:states:us-east-1:123456789012:execution:audience:spring-00ff", "name": "spring-00ff",
                "startTime": "2026-11-22T16:00:00Z"
            },
            "name": "spring", "checkedRequest": "s3://seeds/checked/spring-00ff.json",
            "deadline": "2026-11-24T16:00:00Z", "audienceGenerationJobArn": JOB,
            "seed": {"users": 1200, "uniqueUsers": 1180, "blankLines": 1, "badLines": 0}, "skipped": ["model"],
            "generation": {
                "phase": "READY", "status": "ACTIVE", "statusCode": null, "message": null,
                "createTime": "2026-11-22T16:00:10Z", "updateTime": "2026-11-22T18:00:00Z",
                "metrics": {"relevanceMetrics": [
                    {"audienceSize": {"type": "PERCENTAGE", "value": 10}, "score": 0.52},
                    {"audienceSize": {"type": "PERCENTAGE", "value": 1}, "score": 0.86},
                    {"audienceSize": {"type": "PERCENTAGE", "value": 5}, "score": 0.71}
                ], "recallMetric": 0.6},
                "exportSizes": [], "error": null, "cause": null
            },
            "generationStartTime": "2026-11-22T16:00:09Z", "quotaWaits": 0,
            "exports": [export(1), export(5)], "error": null, "cause": null, "somethingNew": 1
        })
    }

    fn export(percent: u32) -> Value {
        json!({
            "name": format!("spring-{percent}pct"), "audienceSize": {"type": "PERCENTAGE", "value": percent},
            "status": "ACTIVE", "outputLocation": format!("s3://audiences/exports/spring-{percent}pct/"),
            "createTime": "2026-11-22T18:01:00Z", "updateTime": "2026-11-22T18:11:00Z"
        })
    }

    fn failed_export(percent: u32) -> Value {
        json!({
            "name": format!("spring-{percent}pct"), "audienceSize": {"type": "PERCENTAGE", "value": percent},
            "start": {"state": "REJECTED"}, "status": "NOT_STARTED",
            "error": "AccessDenied", "cause": "not allowed"
        })
    }

    fn report(event: Value) -> AudienceReport {
        let now = "2026-11-22T19:00:00Z".parse().unwrap();
        AudienceReport::of(serde_json::from_value(event).unwrap(), None, now)
    }

    fn with(field: &str, value: Value) -> Value {
        let mut event = event();
        event[field] = value;
        event
    }

    #[test]
    fn sizes_are_told_once_each_the_smallest_first_with_relevance_and_export() {
        let report = report(with("exports", json!([export(20), export(5)])));
        let told: Vec<_> = report
            .audience
            .sizes
            .iter()
            .map(|size| (size.audience_size.value(), size.relevance, size.export.is_some()))
            .collect();
        assert_eq!(told, [(1, Some(0.86), false), (5, Some(0.71), true), (10, Some(0.52), false), (20, None, true)]);
    }

    #[test]
    fn a_run_that_did_all_it_was_asked_for_is_ready_and_says_how_good_it_is() {
        let two = report(event()).run;
        assert_eq!((two.outcome, two.remedy), (ReportStatus::Ready, None));
        assert_eq!(two.summary, "Your audience is ready in 2 sizes, from 1% (relevance 0.86) to 5% (relevance 0.71).");
        let one = report(with("exports", json!([export(5)]))).run.summary;
        let wanted = "Your audience is ready: the 5% of people in the training data who are most like your seed, with \
                      relevance 0.71.";
        assert_eq!(one, wanted);
        let mut people = export(5);
        people["audienceSize"] = json!({"type": "ABSOLUTE", "value": 10_000});
        let people = report(with("exports", json!([people]))).run.summary;
        assert_eq!(people, "Your audience is ready: the 10,000 people most like your seed.");
        assert!(report(with("exports", json!([]))).run.summary.contains("Nothing was exported, as was asked for"));
        assert!(
            report(with("generation", json!({"phase": "READY", "status": "ACTIVE"})))
                .run
                .summary
                .ends_with("from 1% to 5%.")
        );
    }

    #[test]
    fn a_run_some_of_whose_exports_are_missing_says_which_are_there_and_how_to_get_the_others() {
        let mut event = with("exports", json!([export(1), failed_export(5), failed_export(10)]));
        event["error"] = json!("ExportFailed");
        let run = report(event).run;
        assert_eq!(run.outcome, ReportStatus::Partial);
        assert!(run.summary.starts_with("1 of 3 sizes is ready to use: 1%."), "{}", run.summary);
        let input = run.remedy.unwrap();
        assert_eq!(input, json!({"audienceGenerationJobArn": JOB, "export": "5pct,10pct"}));
        assert!(
            crate::request::ExportRequest::read(
                &input,
                &Defaults { name: "more".parse().ok(), deadline_seconds: Some(60), ..Defaults::default() }
            )
            .is_ok()
        );
    }

    #[test]
    fn a_run_that_failed_says_in_a_sentence_what_is_there() {
        let ended = |phase: &str, error: &str, exports: Value| {
            let mut event = with("exports", exports);
            event["generation"]["phase"] = json!(phase);
            event["error"] = json!(error);
            let run = report(event).run;
            assert_eq!(run.outcome, ReportStatus::Failed);
            (run.summary, run.remedy.is_some())
        };
        for (phase, error, exports, words, remedy) in [
            ("FAILED", "GenerationFailed", json!([]), "could not be generated", false),
            ("FAILED", "JobDeleted", json!([]), "was deleted", false),
            ("EXPIRED", "DeadlineExceeded", json!([]), "was not ready", false),
            ("READY", "NoSizeQualifies", json!([]), "no size qualified", true),
            ("READY", "SomethingNew", json!([]), "nothing was exported", true),
            ("READY", "ExportFailed", json!([failed_export(1)]), "its export did not succeed", true),
            ("READY", "ExportFailed", json!([failed_export(1), failed_export(5)]), "none of its 2 exports", true),
        ] {
            let (summary, has_remedy) = ended(phase, error, exports);
            assert!(summary.contains(words), "{summary}");
            assert_eq!(has_remedy, remedy, "{error}");
        }
    }

    #[test]
    fn an_export_that_is_not_active_is_not_there_whatever_else_is_said() {
        let mut odd = export(1);
        odd["status"] = json!("CREATE_PENDING");
        assert_eq!(report(with("exports", json!([odd]))).run.outcome, ReportStatus::Failed);
    }

    #[test]
    fn the_timeline_has_the_stages_that_were_and_how_long_they_took() {
        let took = |event| {
            let stages = report(event).run.timeline.stages;
            stages.iter().map(|stage| (stage.kind, stage.seconds)).collect::<Vec<_>>()
        };
        let usual = [(StageKind::Check, 9), (StageKind::Generation, 7_191), (StageKind::Export, 600)];
        assert_eq!(took(event()), usual);
        assert_eq!(took(with("quotaWaits", json!(2)))[0].0, StageKind::Queue);
        assert_eq!(took(with("generationStartTime", Value::Null)), usual[2..]);
        assert_eq!(took(with("exports", json!([]))), usual[..2]);
        // Times that are hidden: the first export shows that the audience was there, the report that the exports were.
        let mut hidden = event();
        hidden["generation"]["updateTime"] = Value::Null;
        hidden["exports"][1]["updateTime"] = Value::Null;
        let until_known = [(StageKind::Check, 9), (StageKind::Generation, 7_251), (StageKind::Export, 3_540)];
        assert_eq!(took(hidden), until_known);
    }

    #[test]
    fn a_run_that_is_all_nulls_still_has_a_report() {
        let execution = event()["execution"].clone();
        let mut event = json!({"execution": execution, "name": "spring", "error": "GenerationFailed"});
        for field in [
            "checkedRequest",
            "deadline",
            "audienceGenerationJobArn",
            "seed",
            "skipped",
            "generation",
            "generationStartTime",
            "quotaWaits",
            "exports",
            "cause",
        ] {
            assert!(serde_json::from_value::<FinishedAudience>(event.clone()).is_ok(), "without {field}");
            event[field] = Value::Null;
        }
        assert_eq!(report(event).run.outcome, ReportStatus::Failed);
    }

    #[test]
    fn places_lead_to_the_console_only_where_they_are_places() {
        let mut event = with("exports", json!([export(1), export(5)]));
        event["exports"][1]["outputLocation"] = json!("javascript:alert(1)");
        let told = report(event);
        let urls: Vec<_> = told.audience.exported().map(|size| size.export.clone().unwrap().output_url).collect();
        assert!(
            urls[0].as_ref().unwrap().starts_with("https://us-east-1.console.aws.amazon.com/s3/buckets/audiences?")
        );
        assert_eq!(urls[1], None);
        assert!(told.run.execution_url.unwrap().ends_with("execution:audience:spring-00ff"));
        let local = report(with("execution", json!({"id": "x", "name": "x", "startTime": "2026-11-22T16:00:00Z"})));
        assert_eq!(local.run.execution_url, None);
    }

    #[test]
    fn of_a_query_only_that_there_is_one_is_told_and_what_a_cause_quotes_of_it_is_withheld() {
        let request = AudienceRequest::read(&json!({
            "name": "spring", "deadlineSeconds": 60, "tags": {"team": "growth"},
            "configuredAudienceModelArn": "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/1",
            "seedAudience": {"roleArn": "arn:aws:iam::123456789012:role/seed", "sqlParameters": {
                "queryString": "SELECT marked", "parameters": {"nameless": "hidden-value"}}},
        }), &Defaults::default()).ok().unwrap();
        let mut event = with("cause", json!("'SELECT marked' is bad near hidden-value"));
        event["exports"] = json!([failed_export(1)]);
        event["exports"][0]["cause"] = json!("SELECT marked");
        let now = "2026-11-22T19:00:00Z".parse().unwrap();
        let report = AudienceReport::of(serde_json::from_value(event).unwrap(), Some(&request), now);
        let twin = serde_json::to_string(&report).unwrap();
        for secret in ["SELECT", "marked", "nameless", "hidden"] {
            assert!(!twin.contains(secret), "{secret}");
        }
        let twin: Value = serde_json::from_str(&twin).unwrap();
        assert_eq!(twin["request"]["seedSource"], json!({"type": "QUERY", "parameters": 1}));
        assert_eq!(twin["run"]["cause"], "'[withheld]' is bad near [withheld]");
        assert_eq!(twin["request"]["tags"]["team"], "growth");
    }

    #[test]
    fn the_twin_is_in_the_apis_own_words() {
        let twin = serde_json::to_value(report(event())).unwrap();
        assert_eq!(twin["run"]["outcome"], "READY");
        assert_eq!(twin["run"]["timeline"]["stages"][1]["kind"], "GENERATION");
        assert_eq!(twin["audience"]["sizes"][0]["audienceSize"], json!({"type": "PERCENTAGE", "value": 1}));
        assert_eq!(twin["audience"]["sizes"][0]["export"]["outputLocation"], "s3://audiences/exports/spring-1pct/");
        assert_eq!(twin["audience"]["sizes"][2]["export"], Value::Null);
        assert_eq!(twin["skipped"], json!(["model"]));
    }
}
