//! The audience request: the API's own fields with all its limits, and Lookalike's two.
//!
//! Limits are those of `StartAudienceGenerationJob` in the service model `cleanroomsml` 2023-09-06; the 50 tags are
//! those of its page. Every broken rule is reported, not only the first.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, ErrorName};
use crate::export_policy::ExportPolicy;
use crate::job::{MOST_TAGS, tag_key};
use crate::values::{
    AnalysisTemplateArn, AudienceGenerationJobArn, CollaborationId, ConfiguredAudienceModelArn, Description, JobName,
    RoleArn, S3Uri, length,
};
use crate::violations::{Fields, Violations, excerpt};

/// The longest deadline, in seconds: what a run keeps under `checked/` expires after 30 days.
pub const MOST_DEADLINE_SECONDS: u64 = 30 * 24 * 60 * 60;

/// What a request asks for, complete and within the limits. It may hold SQL text, so it is never printed.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudienceRequest {
    /// The job's name, and the run's.
    pub name: JobName,
    /// The model that ranks the users.
    pub configured_audience_model_arn: ConfiguredAudienceModelArn,
    /// The known users.
    pub seed_audience: SeedAudience,
    /// Whether the known users are part of the audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_seed_in_output: Option<bool>,
    /// The collaboration that the job belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collaboration_id: Option<CollaborationId>,
    /// The job's description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// The job's tags, without Lookalike's own.
    pub tags: BTreeMap<String, String>,
    /// Which sizes to export.
    pub export: ExportPolicy,
    /// How long the run may take, from the execution's start.
    pub deadline_seconds: u64,
}

/// Where the seed comes from, and the role that reads it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedAudience {
    /// The role that the service takes on.
    pub role_arn: RoleArn,
    /// A file or a query.
    #[serde(flatten)]
    pub source: SeedSource,
    /// The size of the Spark cluster for a query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_compute_configuration: Option<SqlComputeConfiguration>,
}

/// Exactly one source of the seed.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SeedSource {
    /// A JSON Lines file in S3.
    DataSource(DataSource),
    /// A query in the collaboration.
    SqlParameters(SqlParameters),
}

/// A file in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSource {
    /// Where the file lies.
    pub s3_uri: S3Uri,
}

/// A query or an analysis template, and the parameters of either. A secret: no `Debug`.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlParameters {
    /// The query or the template.
    #[serde(flatten)]
    pub text: SqlText,
    /// What the text's placeholders stand for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// SQL text, or the template that holds it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SqlText {
    /// The SQL itself, at most 500,000 characters.
    QueryString(String),
    /// An analysis template of the collaboration.
    AnalysisTemplateArn(AnalysisTemplateArn),
}

impl SqlParameters {
    /// Everything in it that must not leave: the SQL text and the parameters' values.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let query = match &self.text {
            SqlText::QueryString(query) => Some(query.as_str()),
            SqlText::AnalysisTemplateArn(_) => None,
        };
        query.into_iter().chain(self.parameters.values().map(String::as_str))
    }
}

/// The workers that run a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlComputeConfiguration {
    /// The API has no other kind.
    pub worker: Worker,
}

/// Type, number and Spark properties of the workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// The size of one worker.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<WorkerType>,
    /// How many: 2 to 1,024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// What Spark is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<WorkerProperties>,
}

/// What Spark is told: at most 50 properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerProperties {
    /// By property.
    pub spark: BTreeMap<String, String>,
}

/// The sizes of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WorkerType {
    /// `CR.1X`
    #[serde(rename = "CR.1X")]
    Cr1x,
    /// `CR.4X`
    #[serde(rename = "CR.4X")]
    Cr4x,
    /// `CR.8X`
    #[serde(rename = "CR.8X")]
    Cr8x,
}

impl WorkerType {
    /// The service's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cr1x => "CR.1X",
            Self::Cr4x => "CR.4X",
            Self::Cr8x => "CR.8X",
        }
    }
}

impl FromStr for WorkerType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Cr1x, Self::Cr4x, Self::Cr8x]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| "is no worker type (CR.1X, CR.4X or CR.8X)".to_owned())
    }
}

/// What a request need not say, because the stack or the upload says it.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The run's name.
    pub name: Option<JobName>,
    /// The stack's model.
    pub configured_audience_model_arn: Option<ConfiguredAudienceModelArn>,
    /// The role that reads the stack's bucket.
    pub role_arn: Option<RoleArn>,
    /// The stack's collaboration.
    pub collaboration_id: Option<CollaborationId>,
    /// The stack's export policy.
    pub export: Option<ExportPolicy>,
    /// The stack's deadline.
    pub deadline_seconds: Option<u64>,
}

const REQUEST: [&str; 9] = [
    "name",
    "configuredAudienceModelArn",
    "seedAudience",
    "includeSeedInOutput",
    "collaborationId",
    "description",
    "tags",
    "export",
    "deadlineSeconds",
];

impl AudienceRequest {
    /// Reads a request and fills in what it does not say. Errors with every rule that it breaks.
    pub fn read(value: &Value, defaults: &Defaults) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let request = Self::read_fields(value, defaults, &mut violations);
        violations.into_result(request)
    }

    /// Errors as `InvalidRequest` if the seed is a query and the stack's seed role may not run one.
    pub fn check_sql_seed(&self, is_allowed: bool) -> Result<(), Error> {
        if is_allowed || matches!(self.seed_audience.source, SeedSource::DataSource(_)) {
            return Ok(());
        }
        let message = "seedAudience.sqlParameters: the stack's seed role may not run a query. Set the stack's parameter \
                       MembershipId, or set SeedRoleArn to a role that may query, and deploy the stack again.";
        Err(Error::new(ErrorName::InvalidRequest, message))
    }

    fn read_fields(value: &Value, defaults: &Defaults, violations: &mut Violations) -> Option<Self> {
        let fields = violations.object(value, "", &REQUEST)?;
        let name = violations.text(&fields, "name").or_else(|| defaults.name.clone());
        let model = violations
            .text(&fields, "configuredAudienceModelArn")
            .or_else(|| defaults.configured_audience_model_arn.clone());
        let seed = fields.get("seedAudience").and_then(|seed| SeedAudience::read(seed, defaults, violations));
        let include_seed_in_output = violations.truth(&fields, "includeSeedInOutput");
        let collaboration_id =
            violations.text(&fields, "collaborationId").or_else(|| defaults.collaboration_id.clone());
        let description = violations.text(&fields, "description");
        let tags = violations.strings(&fields, "tags", MOST_TAGS, tag_key, |value| length(value, 0, 256));
        let (export, deadline_seconds) = read_own(&fields, defaults, violations);
        // Every rule is looked at before the first missing field ends the reading.
        let name = violations.required(&fields, "name", name);
        let model = violations.required(&fields, "configuredAudienceModelArn", model);
        let seed = violations.required(&fields, "seedAudience", seed);
        let deadline_seconds = violations.required(&fields, "deadlineSeconds", deadline_seconds);
        Some(Self {
            name: name?,
            configured_audience_model_arn: model?,
            seed_audience: seed?,
            include_seed_in_output,
            collaboration_id,
            description,
            tags: tags.unwrap_or_default(),
            export,
            deadline_seconds: deadline_seconds?,
        })
    }
}

/// The two fields that are Lookalike's own.
fn read_own(fields: &Fields<'_>, defaults: &Defaults, violations: &mut Violations) -> (ExportPolicy, Option<u64>) {
    let export = fields
        .get("export")
        .and_then(|export| ExportPolicy::read(export, "export", violations))
        .or_else(|| defaults.export.clone())
        .unwrap_or(ExportPolicy::All);
    (export, read_deadline(fields, defaults.deadline_seconds, violations))
}

pub(crate) fn read_deadline(fields: &Fields<'_>, default: Option<u64>, violations: &mut Violations) -> Option<u64> {
    violations.number(fields, "deadlineSeconds", 1, MOST_DEADLINE_SECONDS).or(default)
}

impl SeedAudience {
    fn read(value: &Value, defaults: &Defaults, violations: &mut Violations) -> Option<Self> {
        let known = ["dataSource", "roleArn", "sqlParameters", "sqlComputeConfiguration"];
        let fields = violations.object(value, "seedAudience", &known)?;
        let role_arn = violations.text(&fields, "roleArn").or_else(|| defaults.role_arn.clone());
        let role_arn = violations.required(&fields, "roleArn", role_arn);
        let compute =
            fields.get("sqlComputeConfiguration").and_then(|value| SqlComputeConfiguration::read(value, violations));
        let source = match (fields.get("dataSource"), fields.get("sqlParameters")) {
            (Some(file), None) => {
                if fields.get("sqlComputeConfiguration").is_some() {
                    violations.add("seedAudience.sqlComputeConfiguration", "is only for a seed by sqlParameters");
                }
                let path = "seedAudience.dataSource";
                let file = violations.object(file, path, &["s3Uri"])?;
                let s3_uri = violations.text(&file, "s3Uri");
                let s3_uri = violations.required(&file, "s3Uri", s3_uri);
                s3_uri.map(|s3_uri| SeedSource::DataSource(DataSource { s3_uri }))
            }
            (None, Some(sql)) => SqlParameters::read(sql, violations).map(SeedSource::SqlParameters),
            _ => {
                violations.add("seedAudience", "needs exactly one source of the seed (dataSource or sqlParameters)");
                None
            }
        };
        Some(Self { role_arn: role_arn?, source: source?, sql_compute_configuration: compute })
    }
}

impl SqlParameters {
    fn read(value: &Value, violations: &mut Violations) -> Option<Self> {
        let path = "seedAudience.sqlParameters";
        let fields = violations.object(value, path, &["queryString", "analysisTemplateArn", "parameters"])?;
        let parameters =
            violations.strings(&fields, "parameters", usize::MAX, parameter_name, |value| length(value, 0, 1000));
        let text = match (fields.get("queryString"), fields.get("analysisTemplateArn")) {
            (Some(_), None) => {
                violations.text::<QueryString>(&fields, "queryString").map(|q| SqlText::QueryString(q.0))
            }
            (None, Some(_)) => violations.text(&fields, "analysisTemplateArn").map(SqlText::AnalysisTemplateArn),
            _ => {
                violations.add(path, "needs exactly one of queryString and analysisTemplateArn");
                None
            }
        };
        Some(Self { text: text?, parameters: parameters.unwrap_or_default() })
    }
}

/// SQL text on its way into a request. A secret: no `Debug`.
struct QueryString(String);

impl FromStr for QueryString {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The API takes an empty query; nobody means one.
        length(text, 1, 500_000)?;
        Ok(Self(text.to_owned()))
    }
}

impl SqlComputeConfiguration {
    fn read(value: &Value, violations: &mut Violations) -> Option<Self> {
        let fields = violations.object(value, "seedAudience.sqlComputeConfiguration", &["worker"])?;
        let worker = violations.required(&fields, "worker", fields.get("worker"))?;
        let path = "seedAudience.sqlComputeConfiguration.worker";
        let fields = violations.object(worker, path, &["type", "number", "properties"])?;
        let kind = violations.text(&fields, "type");
        let number = violations.number(&fields, "number", 2, 1024);
        let properties = fields.get("properties").and_then(|properties| {
            let path = "seedAudience.sqlComputeConfiguration.worker.properties";
            let fields = violations.object(properties, path, &["spark"])?;
            // A union of one member so far: the service rejects one without any.
            violations.required(&fields, "spark", fields.get("spark"))?;
            violations
                .strings(&fields, "spark", 50, |key| length(key, 1, 200), |value| length(value, 0, 500))
                .map(|spark| WorkerProperties { spark })
        });
        Some(Self { worker: Worker { kind, number, properties } })
    }
}

/// A query parameter's name: 1 to 100 of `[0-9a-zA-Z_]`.
fn parameter_name(name: &str) -> Result<(), String> {
    length(name, 1, 100)?;
    if !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
        return Err("has other characters than letters, digits and _".into());
    }
    Ok(())
}

/// Errors as `InvalidRequest` if a request that was given as an execution's input has SQL text or query parameters: the
/// history of an execution keeps its input for months, and everybody who may read histories could read them.
pub fn check_no_sql(request: &Value) -> Result<(), Error> {
    let sql = request.pointer("/seedAudience/sqlParameters");
    let Some(field) =
        ["queryString", "parameters"].into_iter().find(|field| sql.is_some_and(|sql| sql.get(field).is_some()))
    else {
        return Ok(());
    };
    let message = format!(
        "seedAudience.sqlParameters.{field}: is not accepted in the input of an execution, because its history keeps the \
         input. Upload the request as requests/<name>.json."
    );
    Err(Error::new(ErrorName::InvalidRequest, message))
}

/// Asks for more sizes of an audience that exists: nothing is generated.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// The name of the run, which its exports bear.
    pub name: JobName,
    /// The audience.
    pub audience_generation_job_arn: AudienceGenerationJobArn,
    /// Which sizes to export.
    pub export: ExportPolicy,
    /// How long the run may take, from the execution's start.
    pub deadline_seconds: u64,
}

impl ExportRequest {
    /// Reads a request and fills in what it does not say. Errors with every rule that it breaks.
    pub fn read(value: &Value, defaults: &Defaults) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let request = Self::read_fields(value, defaults, &mut violations);
        violations.into_result(request)
    }

    fn read_fields(value: &Value, defaults: &Defaults, violations: &mut Violations) -> Option<Self> {
        let known = ["name", "audienceGenerationJobArn", "export", "deadlineSeconds"];
        let fields = violations.object(value, "", &known)?;
        let name = violations.text(&fields, "name").or_else(|| defaults.name.clone());
        let name = violations.required(&fields, "name", name);
        let job = violations.text(&fields, "audienceGenerationJobArn");
        // Without a policy of its own the run would repeat the exports that the audience's own run made.
        violations.required(&fields, "export", fields.get("export"));
        let (export, deadline_seconds) = read_own(&fields, defaults, violations);
        if export == ExportPolicy::None {
            violations.add("export", "is \"none\", so that this run would do nothing (name the sizes to export)");
        }
        let deadline_seconds = violations.required(&fields, "deadlineSeconds", deadline_seconds);
        Some(Self { name: name?, audience_generation_job_arn: job?, export, deadline_seconds: deadline_seconds? })
    }
}

/// The most values that a request file may have: no request comes near, and a value takes a hundred times the memory of
/// the few bytes that write it.
const MOST_VALUES: usize = 10_000;

/// A request file as JSON. Errors as `InvalidRequest`, and never quotes the text.
pub fn parse(file: &[u8]) -> Result<Value, Error> {
    let refuse = |message: String| Error::new(ErrorName::InvalidRequest, message);
    if values(file) > MOST_VALUES {
        return Err(refuse(format!("The request has more values than any request ({MOST_VALUES}).")));
    }
    serde_json::from_slice(file).map_err(|error| {
        // The error of the parser may quote what it read, so only the place is told.
        let (line, column) = (error.line(), error.column());
        refuse(format!("The request is no JSON (line {line}, column {column}). Mend it and upload it again."))
    })
}

/// How many values a JSON text has at most: each but the first follows one of three marks, outside of strings.
fn values(json: &[u8]) -> usize {
    let mut values = 1;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while bytes.next().is_some_and(|byte| *byte != b'"' && (*byte != b'\\' || bytes.next().is_some())) {}
            }
            b'{' | b'[' | b',' => values += 1,
            _ => {}
        }
    }
    values
}

/// What object metadata of a seed may say, in S3's own spelling.
const METADATA: [&str; 5] = ["name", "collaboration-id", "include-seed-in-output", "description", "export"];

/// The request that an uploaded seed stands for: the object's metadata over the stack's defaults.
///
/// Foreign metadata (upload tools add their own) is passed over, but for what looks like a typing error of ours.
pub fn request_of_metadata(seed: &S3Uri, metadata: &BTreeMap<String, String>) -> Result<Value, Violations> {
    let mut violations = Violations::default();
    let mut request = serde_json::json!({"seedAudience": {"dataSource": {"s3Uri": seed}}});
    let mut tags = serde_json::Map::new();
    for (key, value) in metadata {
        let key = key.to_ascii_lowercase();
        let is_ours = METADATA.contains(&key.as_str()) || key.starts_with("tag-");
        // RFC 2047: so S3 hands on what is not ASCII. The job must not bear it undecoded.
        if is_ours && value.contains("=?") && value.contains("?=") {
            let way_out = "has characters beyond ASCII, which S3 encodes (upload a request file instead)";
            violations.add(&format!("metadata {}", excerpt(&key)), way_out);
            continue;
        }
        if let Some(tag) = key.strip_prefix("tag-") {
            tags.insert(tag.to_owned(), Value::from(value.as_str()));
            continue;
        }
        match key.as_str() {
            "name" | "description" | "export" => request[key] = Value::from(value.as_str()),
            "collaboration-id" => request["collaborationId"] = Value::from(value.as_str()),
            "include-seed-in-output" => match value.parse::<bool>() {
                Ok(truth) => request["includeSeedInOutput"] = Value::from(truth),
                Err(_) => violations.add("metadata include-seed-in-output", "must be true or false"),
            },
            _ => {
                if let Some(near) = crate::violations::nearest(&key, &METADATA) {
                    violations.add(&format!("metadata {key}"), format_args!("is not known (did you mean {near}?)"));
                }
            }
        }
    }
    request["tags"] = Value::Object(tags);
    violations.into_result(Some(request))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn whole() -> Value {
        json!({
            "name": "spring runners",
            "configuredAudienceModelArn": "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/3f2a",
            "seedAudience": {
                "roleArn": "arn:aws:iam::123456789012:role/seed",
                "sqlParameters": {"queryString": "SELECT user_id FROM t WHERE c = :c", "parameters": {"c": "x"}},
                "sqlComputeConfiguration": {"worker": {
                    "type": "CR.4X", "number": 16, "properties": {"spark": {"spark.sql.shuffle.partitions": "64"}}}}
            },
            "includeSeedInOutput": true,
            "collaborationId": "01234567-89ab-cdef-0123-456789abcdef",
            "description": "line\nline",
            "tags": {"team": "growth"},
            "export": {"sizes": [{"type": "PERCENTAGE", "value": 5}]},
            "deadlineSeconds": 3600
        })
    }

    fn entries(value: &Value) -> Vec<String> {
        match AudienceRequest::read(value, &Defaults::default()) {
            Ok(_) => Vec::new(),
            Err(violations) => violations.entries().to_vec(),
        }
    }

    /// The one violation of the whole request with one value changed.
    fn with(pointer: &str, value: Value) -> String {
        let mut request = whole();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[key] = value;
        let entries = entries(&request);
        assert!(entries.len() <= 1, "{entries:?}");
        entries.into_iter().next().unwrap_or_default()
    }

    #[test]
    fn every_field_goes_through_whole() {
        let request = AudienceRequest::read(&whole(), &Defaults::default()).ok().unwrap();
        assert_eq!(serde_json::to_value(request).unwrap(), whole());
    }

    #[test]
    fn what_is_written_is_read_again_as_the_same() {
        let mut file = whole();
        file["seedAudience"] = json!({"roleArn": "arn:aws:iam::123456789012:role/seed",
            "dataSource": {"s3Uri": "s3://b/k"}});
        file.as_object_mut().unwrap().remove("includeSeedInOutput");
        let read = AudienceRequest::read(&file, &Defaults::default()).ok().unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), file);
    }

    #[test]
    fn all_broken_rules_are_reported_at_once() {
        let request = json!({"name": "", "seed": 1, "seedAudience": {"roleArn": 7, "dataSource": {"s3Uri": "x"}},
            "includeSeedInOutput": "yes", "tags": {"aws:x": "y"}, "deadlineSeconds": 0});
        assert_eq!(
            entries(&request),
            [
                "seed: unknown field (known are name, configuredAudienceModelArn, seedAudience, includeSeedInOutput, \
             collaborationId, description, tags, export, deadlineSeconds)",
                "name: has 0 characters (1 to 63 are allowed)",
                "seedAudience.roleArn: must be a string",
                "seedAudience.dataSource.s3Uri: is not of the form s3://<bucket>/<key>",
                "includeSeedInOutput: must be true or false",
                "tags.aws:x: the key begins with aws: (reserved)",
                "deadlineSeconds: must be a whole number (1 to 2592000)",
                "configuredAudienceModelArn: is required",
            ]
        );
    }

    #[test]
    fn an_unknown_field_names_the_nearest_known_one() {
        assert_eq!(with("/descripton", json!("x")), "descripton: unknown field (did you mean description?)");
        assert_eq!(
            with("/seedAudience/sqlParameters/querystring", json!("x")),
            "seedAudience.sqlParameters.querystring: unknown field (did you mean queryString?)"
        );
    }

    #[test]
    fn each_limit_holds_at_its_edge() {
        let long = |count| Value::from("x".repeat(count));
        let sql = "/seedAudience/sqlParameters";
        let worker = "/seedAudience/sqlComputeConfiguration/worker";
        for (pointer, good, bad) in [
            ("/name".to_owned(), long(63), long(64)),
            ("/description".to_owned(), long(255), long(256)),
            ("/tags/k".to_owned(), long(256), long(257)),
            (format!("/tags/{}", "k".repeat(128)), json!(""), json!(5)),
            ("/deadlineSeconds".to_owned(), json!(2_592_000), json!(2_592_001)),
            (format!("{sql}/queryString"), long(500_000), long(500_001)),
            (format!("{sql}/queryString"), json!("é"), json!("")),
            (format!("{sql}/parameters/{}", "p".repeat(100)), long(1000), long(1001)),
            (format!("{worker}/type"), json!("CR.8X"), json!("CR.2X")),
            (format!("{worker}/number"), json!(2), json!(1)),
            (format!("{worker}/number"), json!(1024), json!(1025)),
            (format!("{worker}/properties/spark/k"), long(500), long(501)),
            (format!("{worker}/properties/spark/{}", "k".repeat(200)), json!("v"), json!(null)),
        ] {
            assert_eq!(with(&pointer, good), "", "{pointer}");
            assert_ne!(with(&pointer, bad), "", "{pointer}");
        }
        assert_ne!(with(&format!("/tags/{}", "k".repeat(129)), json!("")), "");
        assert_ne!(with("/tags/AwS:k", json!("")), "");
        assert_ne!(with("/tags/lookalike:run", json!("")), "");
        assert_eq!(with("/tags/é:k", json!("")), "");
        assert_ne!(with("/tags/", json!("")), "");
        assert_ne!(with(&format!("{sql}/parameters/{}", "p".repeat(101)), json!("")), "");
        assert_ne!(with(&format!("{sql}/parameters/a-b"), json!("")), "");
        assert_ne!(with(&format!("{worker}/properties/spark/{}", "k".repeat(201)), json!("")), "");
    }

    #[test]
    fn tags_leave_room_for_our_own_two() {
        let tags = |count: usize| (0..count).map(|n| (n.to_string(), json!(""))).collect::<serde_json::Map<_, _>>();
        assert_eq!(with("/tags", Value::Object(tags(48))), "");
        assert_eq!(with("/tags", Value::Object(tags(49))), "tags: has 49 entries (at most 48)");
        let spark = "/seedAudience/sqlComputeConfiguration/worker/properties/spark";
        assert_eq!(with(spark, Value::Object((0..50).map(|n| (n.to_string(), json!(""))).collect())), "");
        assert_ne!(with(spark, Value::Object((0..51).map(|n| (n.to_string(), json!(""))).collect())), "");
    }

    #[test]
    fn a_seed_has_exactly_one_source() {
        assert!(with("/seedAudience/dataSource", json!({"s3Uri": "s3://b/k"})).contains("exactly one source"));
        assert!(with("/seedAudience/sqlParameters", json!(null)).contains("exactly one source"));
        let template = json!("arn:aws:cleanrooms:us-east-1:123456789012:membership/a/analysistemplate/b");
        assert!(with("/seedAudience/sqlParameters/analysisTemplateArn", template.clone()).contains("exactly one of"));
        assert_eq!(with("/seedAudience/sqlParameters", json!({"analysisTemplateArn": template})), "");
        let mut file = whole();
        file["seedAudience"]["sqlParameters"] = json!(null);
        file["seedAudience"]["dataSource"] = json!({"s3Uri": "s3://b/k"});
        assert!(entries(&file)[0].contains("only for a seed by sqlParameters"));
    }

    #[test]
    fn the_stack_fills_in_what_a_request_does_not_say() {
        let whole = AudienceRequest::read(&whole(), &Defaults::default()).ok().unwrap();
        let defaults = Defaults {
            name: Some(whole.name.clone()),
            configured_audience_model_arn: Some(whole.configured_audience_model_arn.clone()),
            role_arn: Some(whole.seed_audience.role_arn.clone()),
            collaboration_id: whole.collaboration_id.clone(),
            export: Some(ExportPolicy::None),
            deadline_seconds: Some(60),
        };
        let short = json!({"seedAudience": {"dataSource": {"s3Uri": "s3://b/k"}}});
        let read = AudienceRequest::read(&short, &defaults).ok().unwrap();
        assert_eq!((read.name, read.export, read.deadline_seconds), (whole.name, ExportPolicy::None, 60));
        assert_eq!(read.collaboration_id, whole.collaboration_id);
    }

    #[test]
    fn a_broken_value_is_not_hidden_by_a_default() {
        let defaults = Defaults { name: Some("stack".parse().unwrap()), ..Defaults::default() };
        let mut request = whole();
        request["name"] = json!("");
        assert!(AudienceRequest::read(&request, &defaults).is_err());
    }

    #[test]
    fn no_violation_quotes_sql_text_or_a_parameter() {
        let mut request = whole();
        request["seedAudience"]["sqlParameters"]["queryString"] = json!("SECRET".repeat(100_000));
        request["seedAudience"]["sqlParameters"]["parameters"]["c"] = json!("SECRET".repeat(1000));
        let entries = entries(&request);
        assert_eq!(entries.len(), 2);
        assert!(!entries.concat().contains("SECRET"));
    }

    #[test]
    fn a_request_file_has_as_many_values_as_a_request_can_need_and_text_without_end() {
        let file = |numbers: usize| format!("[{}0]", "0,".repeat(numbers - 1)).into_bytes();
        assert!(parse(&file(MOST_VALUES - 1)).is_ok());
        assert!(parse(&file(MOST_VALUES)).unwrap_err().message.contains("more values than any request (10000)"));
        let text = json!({"name": ",[{\"\\".repeat(MOST_VALUES)});
        assert_eq!(parse(text.to_string().as_bytes()).unwrap(), text);
        for broken in ["", "{\"SECRET", "{\"SECRET\\", "{} SECRET"] {
            let error = parse(broken.as_bytes()).unwrap_err();
            assert!(error.message.starts_with("The request is no JSON (line 1, column"), "{error}");
            assert_eq!(error.name, ErrorName::InvalidRequest);
        }
    }

    #[test]
    fn an_export_request_names_an_audience_and_its_sizes() {
        let arn = "arn:aws:cleanrooms-ml:us-east-1:123456789012:audience-generation-job/1";
        let defaults =
            Defaults { name: Some("run".parse().unwrap()), deadline_seconds: Some(60), ..Defaults::default() };
        let read = |value: Value| ExportRequest::read(&value, &defaults).map_err(|broken| broken.to_string());
        let request = read(json!({"audienceGenerationJobArn": arn, "export": "5pct"})).unwrap();
        assert_eq!((request.name.as_str(), request.deadline_seconds), ("run", 60));
        assert_eq!(read(json!({"audienceGenerationJobArn": arn})).unwrap_err(), "export: is required");
        assert!(read(json!({"audienceGenerationJobArn": arn, "export": "none"})).is_err());
        assert!(read(json!({"audienceGenerationJobArn": "x", "export": "all"})).is_err());
        assert!(read(json!({"audienceGenerationJobArn": arn, "export": "all", "seedAudience": {}})).is_err());
    }

    #[test]
    fn the_secrets_of_a_query_are_its_text_and_the_values_of_its_parameters() {
        let secrets = |value: Value| {
            let sql = SqlParameters::read(&value, &mut Violations::default()).unwrap();
            sql.secrets().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(secrets(json!({"queryString": "SELECT 1", "parameters": {"p": "v"}})), ["SELECT 1", "v"]);
        let template = "arn:aws:cleanrooms:us-east-1:123456789012:membership/a-1/analysistemplate/b-2";
        assert_eq!(secrets(json!({"analysisTemplateArn": template})), Vec::<String>::new());
    }

    #[test]
    fn metadata_overrides_the_stack_and_foreign_metadata_is_passed_over() {
        let seed: S3Uri = "s3://b/seeds/a.jsonl".parse().unwrap();
        let metadata = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let request = request_of_metadata(
            &seed,
            &metadata(&[
                ("Name", "n"),
                ("collaboration-id", "c"),
                ("include-seed-in-output", "true"),
                ("description", "d"),
                ("export", "5pct"),
                ("tag-team", "growth"),
                ("s3cmd-attrs", "uid:0"),
                ("mtime", "1"),
            ]),
        )
        .unwrap();
        assert_eq!(
            request,
            json!({"name": "n", "collaborationId": "c", "includeSeedInOutput": true,
            "description": "d", "export": "5pct", "tags": {"team": "growth"},
            "seedAudience": {"dataSource": {"s3Uri": "s3://b/seeds/a.jsonl"}}})
        );
        let broken = request_of_metadata(
            &seed,
            &metadata(&[
                ("description", "=?UTF-8?Q?caf=C3=A9?="),
                ("exprot", "5pct"),
                ("include-seed-in-output", "1"),
                ("s3cmd-attrs", "=?UTF-8?Q?=C3=A9?="),
                (&format!("tag-{}", "x".repeat(100)), "=?UTF-8?Q?=C3=A9?="),
            ]),
        );
        assert_eq!(
            broken.unwrap_err().entries(),
            [
                "metadata description: has characters beyond ASCII, which S3 encodes (upload a request file instead)",
                "metadata exprot: is not known (did you mean export?)",
                "metadata include-seed-in-output: must be true or false",
                &format!(
                    "metadata tag-{}…: has characters beyond ASCII, which S3 encodes (upload a request file instead)",
                    "x".repeat(56)
                ),
            ]
        );
    }
}
