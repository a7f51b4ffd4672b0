//! The requests of Clean Rooms ML, read and checked as its service model defines them. Unknown members are ignored.
//!
//! Most limits of names, ARNs and places are those of `lookalike`'s types, so that they are written once. `tests/template`
//! holds these types to the service models.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use lookalike::audience_size::{AudienceSize, AudienceSizeType};
use lookalike::request::{
    DataSource, SeedAudience, SeedSource, SqlComputeConfiguration, SqlParameters, SqlText, Worker, WorkerProperties,
};
use lookalike::values::{
    AnalysisTemplateArn, AudienceGenerationJobArn, CollaborationId, ConfiguredAudienceModelArn, Description, JobName,
    RoleArn, S3Uri,
};
use serde_json::Value;

use crate::operation::Api;
use crate::reader::{Members, Reader, Required, is_reserved, parse};
use crate::wire::ServiceError;

/// The longest query string.
const QUERY_CHARACTERS: RangeInclusive<usize> = 0..=500_000;

/// The maximum number of tags of a resource. The service model allows 200, its documentation 50.
const TAGS_OF_A_RESOURCE: usize = 50;

/// The body of `StartAudienceGenerationJob`. It may hold SQL text: no `Debug`.
#[derive(Clone)]
pub(crate) struct StartGeneration {
    pub(crate) name: JobName,
    pub(crate) model: ConfiguredAudienceModelArn,
    pub(crate) seed: SeedAudience,
    pub(crate) include_seed: Option<bool>,
    pub(crate) collaboration: Option<CollaborationId>,
    pub(crate) description: Option<Description>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
}

/// The body of `StartAudienceExportJob`.
#[derive(Clone)]
pub(crate) struct StartExport {
    pub(crate) name: JobName,
    pub(crate) job: AudienceGenerationJobArn,
    pub(crate) size: AudienceSize,
    pub(crate) description: Option<Description>,
}

impl StartGeneration {
    pub(crate) fn read(body: &[u8]) -> Result<Self, ServiceError> {
        let document = parse(Api::CleanRoomsMl, body)?;
        let mut reader = Reader::of(Api::CleanRoomsMl);
        let request = Self::members(&document, &mut reader);
        reader.end(request)
    }

    fn members(document: &Value, reader: &mut Reader) -> Option<Self> {
        let body = reader.members(document, "")?;
        let name = reader.plain(&body, "name").required(reader, &body, "name");
        let model =
            reader.text(&body, "configuredAudienceModelArn").required(reader, &body, "configuredAudienceModelArn");
        let seed = body.get("seedAudience").and_then(|seed| seed_audience(seed, reader));
        let seed = seed.required(reader, &body, "seedAudience");
        let include_seed = reader.truth(&body, "includeSeedInOutput");
        let collaboration = reader.text(&body, "collaborationId");
        let description = reader.plain(&body, "description");
        let tags = tags(&body, reader);
        Some(Self { name: name?, model: model?, seed: seed?, include_seed, collaboration, description, tags })
    }
}

impl StartExport {
    pub(crate) fn read(body: &[u8]) -> Result<Self, ServiceError> {
        let document = parse(Api::CleanRoomsMl, body)?;
        let mut reader = Reader::of(Api::CleanRoomsMl);
        let request = Self::members(&document, &mut reader);
        reader.end(request)
    }

    fn members(document: &Value, reader: &mut Reader) -> Option<Self> {
        let body = reader.members(document, "")?;
        let name = reader.plain(&body, "name").required(reader, &body, "name");
        let job = reader.text(&body, "audienceGenerationJobArn").required(reader, &body, "audienceGenerationJobArn");
        let size = body.get("audienceSize").and_then(|size| audience_size(size, reader));
        let size = size.required(reader, &body, "audienceSize");
        let description = reader.plain(&body, "description");
        Some(Self { name: name?, job: job?, size: size?, description })
    }
}

fn tags(body: &Members<'_>, reader: &mut Reader) -> Option<BTreeMap<String, String>> {
    let tags = reader.texts(body, "tags", TAGS_OF_A_RESOURCE, 1..=128, 0..=256)?;
    if tags.keys().any(|key| is_reserved(key)) {
        reader.wrong("tags", "must not have a key that begins with aws:");
    }
    Some(tags)
}

fn audience_size(size: &Value, reader: &mut Reader) -> Option<AudienceSize> {
    let size = reader.members(size, "audienceSize")?;
    let kind =
        reader.chosen(&size, "type", &[AudienceSizeType::Absolute, AudienceSizeType::Percentage], |kind| kind.as_str());
    let kind = kind.required(reader, &size, "type");
    let value = reader.number(&size, "value", 1..=20_000_000).required(reader, &size, "value");
    AudienceSize::new(kind?, value?.into()).map_err(|problem| reader.wrong("audienceSize.value", problem)).ok()
}

fn seed_audience(seed: &Value, reader: &mut Reader) -> Option<SeedAudience> {
    let seed = reader.members(seed, "seedAudience")?;
    let role_arn = reader.line::<RoleArn>(&seed, "roleArn").required(reader, &seed, "roleArn");
    let sql_compute_configuration =
        seed.get("sqlComputeConfiguration").and_then(|compute| compute_configuration(compute, reader));
    let source = match (seed.get("dataSource"), seed.get("sqlParameters")) {
        (Some(file), None) => {
            let file = reader.members(file, "seedAudience.dataSource")?;
            let s3_uri = reader.line::<S3Uri>(&file, "s3Uri").required(reader, &file, "s3Uri");
            s3_uri.map(|s3_uri| SeedSource::DataSource(DataSource { s3_uri }))
        }
        (None, Some(sql)) => sql_parameters(sql, reader).map(SeedSource::SqlParameters),
        _ => {
            reader.wrong("seedAudience", "needs exactly one of dataSource and sqlParameters");
            None
        }
    };
    Some(SeedAudience { role_arn: role_arn?, source: source?, sql_compute_configuration })
}

fn sql_parameters(sql: &Value, reader: &mut Reader) -> Option<SqlParameters> {
    let path = "seedAudience.sqlParameters";
    let sql = reader.members(sql, path)?;
    let parameters = reader.texts(&sql, "parameters", usize::MAX, 1..=100, 0..=1000).unwrap_or_default();
    if !parameters.keys().all(|name| name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())) {
        reader.wrong(&sql.path("parameters"), "must have keys of letters, digits and _");
    }
    let text = match (sql.get("queryString"), sql.get("analysisTemplateArn")) {
        (Some(query), None) => {
            let query = query.as_str().filter(|query| QUERY_CHARACTERS.contains(&query.chars().count()));
            if query.is_none() {
                reader.wrong(&sql.path("queryString"), "must be a string of 0 to 500000 characters");
            }
            query.map(|query| SqlText::QueryString(query.to_owned()))
        }
        (None, Some(_)) => {
            reader.text::<AnalysisTemplateArn>(&sql, "analysisTemplateArn").map(SqlText::AnalysisTemplateArn)
        }
        _ => {
            reader.wrong(path, "needs exactly one of queryString and analysisTemplateArn");
            None
        }
    };
    Some(SqlParameters { text: text?, parameters })
}

fn compute_configuration(compute: &Value, reader: &mut Reader) -> Option<SqlComputeConfiguration> {
    let path = "seedAudience.sqlComputeConfiguration";
    let compute = reader.union(compute, path, "worker")?;
    let worker = reader.members(compute.get("worker")?, "seedAudience.sqlComputeConfiguration.worker")?;
    let kind = reader.text(&worker, "type");
    let number = reader.number(&worker, "number", 2..=1024).map(u64::from);
    let properties = worker.get("properties").and_then(|properties| {
        let path = "seedAudience.sqlComputeConfiguration.worker.properties";
        let properties = reader.union(properties, path, "spark")?;
        reader.texts(&properties, "spark", 50, 1..=200, 0..=500).map(|spark| WorkerProperties { spark })
    });
    Some(SqlComputeConfiguration { worker: Worker { kind, number, properties } })
}

/// A parameter of the path or the query string, as its type has it.
pub(crate) fn parameter<T: FromStr<Err = String>>(name: &str, text: &str) -> Result<T, ServiceError> {
    let mut reader = Reader::of(Api::CleanRoomsMl);
    let value = text.parse().map_err(|problem| reader.wrong(name, problem)).ok();
    reader.end(value)
}

/// Reads `maxResults`: the number of entries of a page.
pub(crate) fn max_results(text: &str) -> Result<usize, ServiceError> {
    // Rust's parser accepts a plus sign, the service does not.
    let has_digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(count) if has_digits_only && (1..=100).contains(&count) => Ok(count),
        _ => {
            let mut reader = Reader::of(Api::CleanRoomsMl);
            reader.wrong("maxResults", "must be a whole number from 1 to 100");
            reader.end(None)
        }
    }
}

/// A message of the service's own form about one member.
pub(crate) fn violation(member: &str, problem: impl Display) -> ServiceError {
    let mut reader = Reader::of(Api::CleanRoomsMl);
    reader.wrong(member, problem);
    reader.error()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use serde_json::json;

    use crate::wire::ErrorKind;

    use super::*;

    const ROLE: &str = "arn:aws:iam::000000000000:role/seed";
    const MODEL: &str = "arn:aws:cleanrooms-ml:us-east-1:000000000000:configured-audience-model/m";
    const JOB: &str = "arn:aws:cleanrooms-ml:us-east-1:000000000000:audience-generation-job/j";

    fn generation(change: impl FnOnce(&mut Value)) -> Result<StartGeneration, String> {
        let seed = json!({"roleArn": ROLE, "dataSource": {"s3Uri": "s3://bucket/seed.jsonl"}});
        let mut body = json!({"name": "n", "configuredAudienceModelArn": MODEL, "seedAudience": seed});
        change(&mut body);
        StartGeneration::read(body.to_string().as_bytes()).map_err(|error| error.message)
    }

    fn export(change: impl FnOnce(&mut Value)) -> Result<StartExport, String> {
        let size = json!({"type": "PERCENTAGE", "value": 5});
        let mut body = json!({"name": "n", "audienceGenerationJobArn": JOB, "audienceSize": size});
        change(&mut body);
        StartExport::read(body.to_string().as_bytes()).map_err(|error| error.message)
    }

    #[test]
    fn a_complete_request_is_read_and_unknown_members_are_passed_over() {
        assert!(generation(|body| body["colour"] = "red".into()).is_ok());
        assert!(export(|body| body["colour"] = "red".into()).is_ok());
    }

    #[test]
    fn each_broken_limit_of_a_generation_names_its_member() {
        let long = "x".repeat(501);
        let cases = [
            ("/name", json!(""), "'name'"),
            ("/name", json!("   "), "'name'"),
            ("/name", json!("n".repeat(64)), "'name'"),
            ("/name", json!(7), "'name'"),
            ("/name", json!(null), "'name'"),
            ("/configuredAudienceModelArn", json!(JOB), "'configuredAudienceModelArn'"),
            ("/seedAudience", json!("s3://bucket/key"), "'seedAudience'"),
            ("/seedAudience", json!({"roleArn": ROLE}), "'seedAudience'"),
            ("/seedAudience/roleArn", json!("arn:aws:iam::1:role/x"), "'seedAudience.roleArn'"),
            ("/seedAudience/roleArn", json!(null), "'seedAudience.roleArn'"),
            ("/seedAudience/dataSource", json!({}), "'seedAudience.dataSource.s3Uri'"),
            ("/seedAudience/dataSource/s3Uri", json!("https://b/k"), "'seedAudience.dataSource.s3Uri'"),
            ("/seedAudience/sqlParameters", json!({"queryString": "x"}), "'seedAudience'"),
            ("/includeSeedInOutput", json!("yes"), "'includeSeedInOutput'"),
            ("/collaborationId", json!("not-a-uuid"), "'collaborationId'"),
            ("/description", json!("d".repeat(256)), "'description'"),
            ("/tags", json!({"": "value"}), "'tags'"),
            ("/tags", json!({"key": 1}), "'tags'"),
            ("/tags", json!({"key": "v".repeat(257)}), "'tags'"),
            ("/seedAudience/sqlComputeConfiguration", json!({}), "'seedAudience.sqlComputeConfiguration'"),
            (
                "/seedAudience/sqlComputeConfiguration",
                json!({"worker": {"type": "CR.2X"}}),
                "'seedAudience.sqlComputeConfiguration.worker.type'",
            ),
            (
                "/seedAudience/sqlComputeConfiguration",
                json!({"worker": {"number": 1}}),
                "'seedAudience.sqlComputeConfiguration.worker.number'",
            ),
            (
                "/seedAudience/sqlComputeConfiguration",
                json!({"worker": {"properties": {"spark": {"key": long}}}}),
                "'seedAudience.sqlComputeConfiguration.worker.properties.spark'",
            ),
        ];
        for (pointer, value, member) in cases {
            let error = generation(|body| {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                body.pointer_mut(parent).unwrap()[key] = value.clone();
            });
            let error = error.err().unwrap_or_else(|| panic!("{pointer} {value} was taken"));
            assert!(error.starts_with("1 validation error detected: "), "{error}");
            assert!(error.contains(member), "{error}");
        }
    }

    #[test]
    fn each_broken_limit_of_a_query_names_its_member_and_not_its_text() {
        let template = "arn:aws:cleanrooms:us-east-1:000000000000:membership/m/analysistemplate/t";
        let sql = |sql: Value| generation(|body| body["seedAudience"] = json!({"roleArn": ROLE, "sqlParameters": sql}));
        assert!(sql(json!({"queryString": "SELECT 1", "parameters": {"a_1": "secret"}})).is_ok());
        assert!(sql(json!({"analysisTemplateArn": template})).is_ok());
        let cases = [
            (json!({}), "'seedAudience.sqlParameters'"),
            (json!({"queryString": "secret", "analysisTemplateArn": template}), "'seedAudience.sqlParameters'"),
            (json!({"queryString": "secret".repeat(100_000)}), "'seedAudience.sqlParameters.queryString'"),
            (json!({"analysisTemplateArn": "secret"}), "'seedAudience.sqlParameters.analysisTemplateArn'"),
            (json!({"queryString": "", "parameters": {"a b": "secret"}}), "'seedAudience.sqlParameters.parameters'"),
        ];
        for (parameters, member) in cases {
            let error = sql(parameters).err().unwrap();
            assert!(error.contains(member), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn each_broken_limit_of_an_export_names_its_member() {
        let cases = [
            ("name", json!(null), "'name'"),
            ("audienceGenerationJobArn", json!(MODEL), "'audienceGenerationJobArn'"),
            ("audienceSize", json!(5), "'audienceSize'"),
            ("audienceSize", json!({"type": "PERCENTAGE"}), "'audienceSize.value'"),
            ("audienceSize", json!({"value": 5}), "'audienceSize.type'"),
            ("audienceSize", json!({"type": "percentage", "value": 5}), "'audienceSize.type'"),
            ("audienceSize", json!({"type": "PERCENTAGE", "value": 5.5}), "'audienceSize.value'"),
            ("audienceSize", json!({"type": "PERCENTAGE", "value": 101}), "'audienceSize.value'"),
            ("audienceSize", json!({"type": "ABSOLUTE", "value": 0}), "'audienceSize.value'"),
            ("audienceSize", json!({"type": "ABSOLUTE", "value": 20_000_001}), "'audienceSize.value'"),
        ];
        for (key, value, member) in cases {
            let error = export(|body| body[key] = value.clone()).err().unwrap_or_else(|| panic!("{value} was taken"));
            assert!(error.starts_with("1 validation error detected: "), "{error}");
            assert!(error.contains(member), "{error}");
        }
    }

    /// Asserts that a generation with this value is rejected, and that the error names the member.
    #[track_caller]
    fn assert_rejected(pointer: &str, value: Value, member: &str) {
        let error = generation(|body| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[key] = value;
        });
        let error = error.err().unwrap();
        assert!(error.contains(&format!("'{member}'")), "{error}");
    }

    #[test]
    fn a_name_or_description_with_an_emoji_is_rejected() {
        for member in ["name", "description"] {
            assert_rejected(&format!("/{member}"), "runners \u{1f3c3}".into(), member);
        }
        assert!(export(|body| body["name"] = "\u{1f3c3}".into()).is_err());
        assert!(generation(|body| body["name"] = "läufer 日本語".into()).is_ok());
    }

    #[test]
    fn an_s3_uri_with_a_line_break_is_rejected() {
        for uri in ["s3://b/k\n", "s3://b/k\r\n", "s3://b/a\nb", "s3://b/k\u{85}", "s3://b/k\u{2028}"] {
            assert_rejected("/seedAudience/dataSource/s3Uri", uri.into(), "seedAudience.dataSource.s3Uri");
        }
    }

    #[test]
    fn a_role_with_a_line_break_is_rejected() {
        for end in ["\n", "\r"] {
            assert_rejected("/seedAudience/roleArn", format!("{ROLE}{end}").into(), "seedAudience.roleArn");
        }
    }

    #[test]
    fn an_empty_properties_union_is_rejected() {
        for properties in [json!({}), json!({"spark": null})] {
            let compute = json!({"worker": {"properties": properties}});
            let member = "seedAudience.sqlComputeConfiguration.worker.properties";
            assert_rejected("/seedAudience/sqlComputeConfiguration", compute, member);
        }
    }

    #[test]
    fn a_union_with_two_members_is_rejected() {
        let compute = json!({"worker": {"properties": {"spark": {}, "flink": {}}}});
        let member = "seedAudience.sqlComputeConfiguration.worker.properties";
        assert_rejected("/seedAudience/sqlComputeConfiguration", compute, member);
        let compute = json!({"worker": {}, "cluster": {}});
        assert_rejected("/seedAudience/sqlComputeConfiguration", compute, "seedAudience.sqlComputeConfiguration");
    }

    #[test]
    fn a_properties_union_with_an_empty_map_is_accepted() {
        let compute = json!({"worker": {"type": "CR.8X", "number": 1024, "properties": {"spark": {}}}});
        assert!(generation(|body| body["seedAudience"]["sqlComputeConfiguration"] = compute).is_ok());
    }

    #[test]
    fn a_reserved_tag_key_is_rejected_in_any_case() {
        for key in ["aws:", "aws:team", "AWS:team", "aWs:team"] {
            assert_rejected("/tags", json!({ key: "value" }), "tags");
        }
        assert!(generation(|body| body["tags"] = json!({"awsteam": "aws:", "team": "AWS:growth"})).is_ok());
    }

    #[test]
    fn a_job_has_at_most_fifty_tags() {
        let tags = |count: usize| (0..count).map(|number| (format!("k{number}"), Value::from("v"))).collect::<Value>();
        assert!(generation(|body| body["tags"] = tags(50)).is_ok());
        assert_rejected("/tags", tags(51), "tags");
    }

    #[test]
    fn all_broken_limits_are_told_at_once_and_an_empty_body_misses_all() {
        let error = StartExport::read(b"").err().unwrap().message;
        assert!(error.starts_with("3 validation errors detected: "), "{error}");
    }

    #[test]
    fn what_is_not_json_is_refused_without_being_repeated() {
        let error = StartExport::read(b"{\"name\": secret").err().unwrap();
        assert_eq!(error.kind, ErrorKind::Validation);
        assert!(!error.message.contains("secret"), "{}", error.message);
        assert_eq!(StartExport::read(b"[1]").err().unwrap().kind, ErrorKind::Validation);
    }
}
