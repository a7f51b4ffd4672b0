//! The record of an outcome: one object in the stack's bucket for each end of a run.

use serde::Serialize;
use serde_json::Value;

use super::{Detail, Outcome, RunResult, field};
use crate::audience_report::AskedSeed;
use crate::execution::{Engine, Moment};
use crate::export_policy::ExportPolicy;
use crate::files::day_folder;
use crate::values::{
    AudienceGenerationJobArn, CollaborationId, ConfiguredAudienceModelArn, S3Prefix, S3Uri, SolutionVersionArn,
};
use crate::violations::Violations;

/// Returns the key of a record. Every end of an execution has another key: a redriven execution has the next redrive
/// count.
#[must_use]
pub fn record_key(workflow: Engine, start_time: Moment, execution_name: &str, redrive_count: u32) -> String {
    format!("{}{execution_name}-{redrive_count}.json", records_prefix(workflow, start_time))
}

/// Returns the prefix of the records of all executions of a workflow that started on the same day, in UTC.
#[must_use]
pub fn records_prefix(workflow: Engine, start_time: Moment) -> String {
    format!("outcomes/{}/", day_folder(workflow, start_time))
}

/// A record: the fields of the event, and more. A field that is not known is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    #[serde(flatten)]
    detail: Detail<'a>,
    workflow: &'static str,
    execution_name: &'a str,
    status: &'static str,
    redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configured_audience_model_arn: Option<&'a ConfiguredAudienceModelArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    solution_version_arn: Option<&'a SolutionVersionArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a RequestSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_waits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_checks: Option<u32>,
}

impl Outcome {
    /// Returns the outcome's record, in the form of `docs/outcome.schema.json`.
    #[must_use]
    pub fn record(&self) -> Record<'_> {
        let (product, request) = (self.product(), self.request.as_ref());
        let model = product.and_then(|product| product.model.as_ref());
        let solution_version = product.and_then(|product| product.solution_version.as_ref());
        Record {
            detail: self.detail(),
            workflow: self.workflow.as_str(),
            execution_name: self.execution_name(),
            status: match self.result {
                RunResult::Ready(_) => "SUCCEEDED",
                RunResult::Failed(_) => "FAILED",
                RunResult::TimedOut(_) => "TIMED_OUT",
                RunResult::Stopped(_) => "ABORTED",
            },
            redrive_count: self.redrive_count,
            deadline: product.map_or_else(|| self.failure()?.deadline, |product| product.deadline),
            configured_audience_model_arn: model.or_else(|| request?.configured_audience_model_arn.as_ref()),
            solution_version_arn: solution_version.or_else(|| request?.solution_version_arn.as_ref()),
            request,
            quota_waits: product.and_then(|product| product.quota_waits),
            status_checks: product.and_then(|product| product.status_checks),
        }
    }
}

/// The part of a request that may leave: typed values only, so no text that a user wrote freely, no SQL text and no value
/// of a parameter.
#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestSummary {
    #[serde(skip_serializing_if = "Option::is_none")]
    configured_audience_model_arn: Option<ConfiguredAudienceModelArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience_generation_job_arn: Option<AudienceGenerationJobArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed_source: Option<AskedSeed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_seed_in_output: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collaboration_id: Option<CollaborationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<ExportPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    solution_version_arn: Option<SolutionVersionArn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_results: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_path: Option<S3Prefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_path: Option<S3Prefix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_seconds: Option<u64>,
}

impl RequestSummary {
    /// Reads a request that may break rules: the values that are valid are kept.
    pub(super) fn read(request: &Value) -> Self {
        let path = |parent: &str| request.pointer(parent).and_then(|parent| field(parent, "path"));
        Self {
            configured_audience_model_arn: field(request, "configuredAudienceModelArn"),
            audience_generation_job_arn: field(request, "audienceGenerationJobArn"),
            seed_source: request.get("seedAudience").and_then(seed_source),
            include_seed_in_output: field(request, "includeSeedInOutput"),
            collaboration_id: field(request, "collaborationId"),
            export: request.get("export").and_then(export_policy),
            solution_version_arn: field(request, "solutionVersionArn"),
            num_results: field(request, "numResults"),
            input_path: path("/jobInput/s3DataSource"),
            output_path: path("/jobOutput/s3DataDestination"),
            deadline_seconds: field(request, "deadlineSeconds"),
        }
    }
}

fn export_policy(export: &Value) -> Option<ExportPolicy> {
    let mut violations = Violations::default();
    let policy = ExportPolicy::read(export, "export", &mut violations);
    violations.into_result(policy).ok()
}

fn seed_source(seed: &Value) -> Option<AskedSeed> {
    let Some(sql) = seed.get("sqlParameters") else {
        let s3_uri: S3Uri = field(seed.get("dataSource")?, "s3Uri")?;
        return Some(AskedSeed::File { s3_uri });
    };
    let parameters = sql.get("parameters").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    match field(sql, "analysisTemplateArn") {
        Some(analysis_template_arn) => Some(AskedSeed::Template { analysis_template_arn, parameters }),
        None => Some(AskedSeed::Query { parameters }),
    }
}
