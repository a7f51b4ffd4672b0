//! The limits of our types are those of the services' models (`data/service-models.json`).
//!
//! The emulator uses our types, so a wrong limit would pass every other test.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::LazyLock;

use lookalike::request::{AudienceRequest, Defaults};
use lookalike::segment_request::{SegmentDefaults, SegmentRequest};
use lookalike::values::{AudienceGenerationJobArn, BatchSegmentJobArn, JobName};
use serde_json::{Value, json};

use crate::expansion::python;
use crate::models::limits;
use crate::resolve::text_of;

const GENERATION: &str = "cleanroomsml StartAudienceGenerationJob";
const EXPORT: &str = "cleanroomsml StartAudienceExportJob";
const SEGMENT: &str = "personalize CreateBatchSegmentJob";

/// A member of a request, the values that we reject although the model accepts them, and the reason.
type Stricter = (&'static str, fn(&str) -> bool, &'static str);

/// What we reject although the model accepts it.
const STRICTER: [Stricter; 9] = [
    ("name", |text| text.trim().is_empty(), "a name of white space alone is not readable"),
    ("seedAudience.dataSource.s3Uri", |text| !has_bucket_and_key(text), "a seed is an object"),
    ("seedAudience.sqlParameters.queryString", str::is_empty, "an empty query is a mistake"),
    (
        "solutionVersionArn",
        |text| resource(text, "solution/").is_none_or(|rest| !rest.contains('/')),
        "another resource",
    ),
    ("filterArn", |text| resource(text, "filter/").is_none(), "another resource"),
    ("batchSegmentJobArn", |text| resource(text, "batch-segment-job/").is_none(), "another resource"),
    ("numResults", |text| !["1", "2"].contains(&text), "the API reference has 1 to 5,000,000"),
    ("jobInput.s3DataSource.path", |text| !has_bucket(text), "only S3 is supported"),
    ("jobOutput.s3DataDestination.path", |text| !has_room_for_a_slash(text), "only S3, and a closing / is added"),
];

/// Members whose values we accept though the model rejects them, with the reason.
const WIDER: [Stricter; 2] =
    [("tags.tagKey", has_alphabetic_mark, MARKS), ("tags.tagValue", has_alphabetic_mark, MARKS)];

const MARKS: &str = "Rust knows no general categories; the service rejects the request without cost";

/// Whether a text has a character that Rust calls alphabetic and Unicode a mark or a symbol.
fn has_alphabetic_mark(text: &str) -> bool {
    text.contains(['\u{93e}', '\u{24d0}'])
}

fn has_bucket(uri: &str) -> bool {
    uri.strip_prefix("s3://").and_then(|place| place.split_once('/')).is_some_and(|(bucket, _)| !bucket.is_empty())
}

fn has_room_for_a_slash(uri: &str) -> bool {
    has_bucket(uri) && (uri.ends_with('/') || uri.chars().count() < 256)
}

fn has_bucket_and_key(uri: &str) -> bool {
    has_bucket(uri)
        && uri.strip_prefix("s3://").and_then(|place| place.split_once('/')).is_some_and(|(_, key)| !key.is_empty())
}

/// Returns what follows the type of the resource in an ARN.
fn resource<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    let rest = arn.splitn(6, ':').nth(5)?.strip_prefix(kind)?;
    Some(rest).filter(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

fn audience_request() -> Value {
    json!({
        "name": "spring",
        "configuredAudienceModelArn": "arn:aws:cleanrooms-ml:eu-west-1:123456789012:configured-audience-model/a1",
        "seedAudience": {
            "roleArn": "arn:aws:iam::123456789012:role/seed",
            "dataSource": {"s3Uri": "s3://bucket/seeds/a.jsonl"},
        },
        "collaborationId": "01234567-89ab-cdef-0123-456789abcdef",
        "description": "a description",
        "tags": {"key": "value"},
        "deadlineSeconds": 60,
    })
}

fn sql_request() -> Value {
    let mut request = audience_request();
    request["seedAudience"] = json!({
        "roleArn": "arn:aws:iam::123456789012:role/seed",
        "sqlParameters": {"queryString": "select 1", "parameters": {"key": "value"}},
        "sqlComputeConfiguration": {
            "worker": {"type": "CR.1X", "number": 2, "properties": {"spark": {"key": "value"}}},
        },
    });
    request
}

fn segment_request() -> Value {
    json!({
        "jobName": "spring",
        "solutionVersionArn": "arn:aws:personalize:eu-west-1:123456789012:solution/runners/1a",
        "filterArn": "arn:aws:personalize:eu-west-1:123456789012:filter/adults",
        "numResults": 100,
        "jobInput": {"s3DataSource": {
            "path": "s3://bucket/in/a.jsonl",
            "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/a1",
        }},
        "jobOutput": {"s3DataDestination": {
            "path": "s3://bucket/out/",
            "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/a1",
        }},
        "roleArn": "arn:aws:iam::123456789012:role/segments",
        "tags": [{"tagKey": "key", "tagValue": "value"}],
        "deadlineSeconds": 60,
    })
}

fn is_audience_request(request: &Value) -> bool {
    AudienceRequest::read(request, &Defaults::default()).is_ok()
}

fn is_segment_request(request: &Value) -> bool {
    SegmentRequest::read(request, &SegmentDefaults::default()).is_ok()
}

/// Puts a value into a request at a path such as `tags.key`, where `key` is the key of a map's entry.
fn with(mut request: Value, path: &str, value: &Value) -> Value {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = &mut request;
    for name in parents.split('.').filter(|name| !name.is_empty()) {
        place = &mut place[name];
    }
    match (place, last) {
        (Value::Object(map), "key") => {
            map.clear();
            map.insert(value.as_str().unwrap().to_owned(), json!("value"));
        }
        (Value::Object(map), "value") if map.contains_key("key") => drop(map.insert("key".to_owned(), value.clone())),
        (Value::Array(entries), member) => entries[0][member] = value.clone(),
        (place, member) => place[member] = value.clone(),
    }
    request
}

/// A member of the model, a value that both accept, and our check.
struct Member {
    operation: &'static str,
    path: &'static str,
    sample: Value,
    accepts: Box<dyn Fn(&Value) -> bool>,
}

impl Member {
    fn name(&self) -> String {
        format!("{} {}", self.operation, self.path)
    }

    fn of_request(
        operation: &'static str,
        request: fn() -> Value,
        check: fn(&Value) -> bool,
        path: &'static str,
        sample: Value,
    ) -> Self {
        Self { operation, path, sample, accepts: Box::new(move |value| check(&with(request(), path, value))) }
    }

    /// Values at and beyond each limit, and with odd characters at each place.
    fn values(&self) -> Vec<Value> {
        let limits = limits(&self.name());
        let limit = |name: &str| limits.get(name).and_then(Value::as_i64);
        let Some(sample) = self.sample.as_str() else {
            let bounds = [limit("min"), limit("max")].into_iter().flatten();
            return bounds.chain([1]).flat_map(|bound| [bound - 1, bound, bound + 1]).map(Value::from).collect();
        };
        let mut texts =
            vec![String::new(), " ".to_owned(), " \t ".to_owned(), sample.to_owned(), sample.to_uppercase()];
        let bounds = [limit("min"), limit("max")].into_iter().flatten().chain([63, 256, 500]);
        for bound in bounds {
            for length in [bound - 1, bound, bound + 1].into_iter().filter_map(|length| usize::try_from(length).ok()) {
                texts.push(sample.chars().chain(iter::repeat('a')).take(length).collect());
                texts.push("é".repeat(length.min(3000)));
            }
        }
        let odd = [
            '\n', '\r', '\t', '\0', '\u{1}', ' ', '\u{7f}', '\u{85}', '\u{a0}', 'é', 'ß', '漢', '\u{301}', '\u{93e}',
            'ⓐ', '²', '\u{2028}', '\u{200b}', '\u{d7ff}', '\u{e000}', '\u{fffd}', '\u{fffe}', '\u{ffff}', '/', ':',
            '.', '-', '_', '+', '=', '@', ',', '"', '\\', '$', '{', '*', '?', '<', '(', '!', '#', '%', '&', '\'', 'A',
            '0',
        ];
        for c in odd {
            texts.push(c.to_string());
            for (index, _) in sample.char_indices().chain([(sample.len(), ' ')]) {
                texts.push(format!("{}{c}{}", &sample[..index], &sample[index..]));
            }
        }
        for (from, to) in [
            ("arn:aws:", "arn:aws-us-gov:"),
            ("arn:aws:", "arn:aws-eusc:"),
            ("arn:aws:", "arn:AWS:"),
            ("arn:aws:", "arn:awsx:"),
            ("123456789012", "12345678901"),
            ("eu-west-1", ""),
            ("s3://", "https://"),
            ("s3://", "S3://"),
            ("role/", "role/service-role/"),
            ("role/", "user/"),
            ("eu-west-1", "us-gov-west-1"),
        ] {
            texts.push(sample.replace(from, to));
        }
        texts.into_iter().map(Value::String).collect()
    }
}

fn members() -> Vec<Member> {
    let audience =
        |path, sample: &str| Member::of_request(GENERATION, audience_request, is_audience_request, path, json!(sample));
    let sql = |path, sample: Value| Member::of_request(GENERATION, sql_request, is_audience_request, path, sample);
    let segment = |path, sample: Value| Member::of_request(SEGMENT, segment_request, is_segment_request, path, sample);
    let direct = |operation, path, sample: &str, accepts: fn(&str) -> bool| Member {
        operation,
        path,
        sample: json!(sample),
        accepts: Box::new(move |value| accepts(value.as_str().unwrap())),
    };
    let model = "arn:aws:cleanrooms-ml:eu-west-1:123456789012:configured-audience-model/a1";
    let key = "arn:aws:kms:eu-west-1:123456789012:key/a1";
    vec![
        audience("name", "spring"),
        audience("configuredAudienceModelArn", model),
        audience("seedAudience.roleArn", "arn:aws:iam::123456789012:role/seed"),
        audience("seedAudience.dataSource.s3Uri", "s3://bucket/seeds/a.jsonl"),
        audience("collaborationId", "01234567-89ab-cdef-0123-456789abcdef"),
        audience("description", "a description"),
        audience("tags.key", "key"),
        audience("tags.value", "value"),
        sql("seedAudience.sqlParameters.queryString", json!("select 1")),
        sql("seedAudience.sqlParameters.parameters.key", json!("key")),
        sql("seedAudience.sqlParameters.parameters.value", json!("value")),
        sql("seedAudience.sqlComputeConfiguration.worker.type", json!("CR.1X")),
        sql("seedAudience.sqlComputeConfiguration.worker.number", json!(2)),
        sql("seedAudience.sqlComputeConfiguration.worker.properties.spark.key", json!("key")),
        sql("seedAudience.sqlComputeConfiguration.worker.properties.spark.value", json!("value")),
        segment("jobName", json!("spring")),
        segment("solutionVersionArn", json!("arn:aws:personalize:eu-west-1:123456789012:solution/runners/1a")),
        segment("filterArn", json!("arn:aws:personalize:eu-west-1:123456789012:filter/adults")),
        segment("numResults", json!(100)),
        segment("jobInput.s3DataSource.path", json!("s3://bucket/in/a.jsonl")),
        segment("jobInput.s3DataSource.kmsKeyArn", json!(key)),
        segment("jobOutput.s3DataDestination.path", json!("s3://bucket/out/")),
        segment("jobOutput.s3DataDestination.kmsKeyArn", json!(key)),
        segment("roleArn", json!("arn:aws:iam::123456789012:role/segments")),
        segment("tags.tagKey", json!("key")),
        segment("tags.tagValue", json!("value")),
        direct(EXPORT, "name", "spring", |text| text.parse::<JobName>().is_ok()),
        direct(
            EXPORT,
            "audienceGenerationJobArn",
            &model.replace("configured-audience-model", "audience-generation-job"),
            |text| text.parse::<AudienceGenerationJobArn>().is_ok(),
        ),
        direct(
            "personalize DescribeBatchSegmentJob",
            "batchSegmentJobArn",
            "arn:aws:personalize:eu-west-1:123456789012:batch-segment-job/spring",
            |text| text.parse::<BatchSegmentJobArn>().is_ok(),
        ),
        Member::of_request(
            GENERATION,
            template_request,
            is_audience_request,
            "seedAudience.sqlParameters.analysisTemplateArn",
            json!("arn:aws:cleanrooms:eu-west-1:123456789012:membership/m-1/analysistemplate/t-1"),
        ),
    ]
}

fn template_request() -> Value {
    let mut request = sql_request();
    request["seedAudience"]["sqlParameters"].take();
    request["seedAudience"]["sqlParameters"] = json!({"analysisTemplateArn": ""});
    request
}

/// Values by the member that they are for.
type Differences = BTreeMap<String, BTreeSet<String>>;

/// The values that we accept and the model rejects, without [`WIDER`], and the reverse, without [`STRICTER`]. At most five for each member.
static DIFFERENCES: LazyLock<[Differences; 2]> = LazyLock::new(|| {
    let members = members();
    let cases: Vec<_> =
        members.iter().flat_map(|member| member.values().into_iter().map(move |value| (member, value))).collect();
    let pairs: Vec<_> = cases.iter().map(|(member, value)| json!([member.name(), value])).collect();
    let answers = python("check_values.py", &Value::Array(pairs));
    let mut found = [Differences::new(), Differences::new()];
    for ((member, value), model) in cases.iter().zip(answers.as_array().unwrap()) {
        let (ours, model) = ((member.accepts)(value), model.as_bool().unwrap());
        let text = text_of(value);
        let exceptions = if ours { &WIDER[..] } else { &STRICTER[..] };
        let is_on_purpose = exceptions.iter().any(|(path, is_meant, _)| *path == member.path && is_meant(&text));
        if ours != model && !is_on_purpose {
            let text: String = value.to_string().chars().take(120).collect();
            let values: &mut BTreeSet<String> = found[usize::from(model)].entry(member.path.to_owned()).or_default();
            if values.len() < 5 {
                values.insert(text);
            }
        }
    }
    found
});

#[test]
fn the_sample_of_each_member_is_accepted() {
    for member in members() {
        assert!((member.accepts)(&member.sample), "{}", member.name());
    }
}

/// A value that the service rejects must not reach it: the run would fail late.
#[test]
fn we_accept_no_value_that_the_model_rejects() {
    let [too_wide, _] = &*DIFFERENCES;
    assert!(too_wide.is_empty(), "{too_wide:#?}");
}

#[test]
fn we_reject_no_value_that_the_model_accepts_without_a_reason() {
    let [_, too_narrow] = &*DIFFERENCES;
    assert!(too_narrow.is_empty(), "{too_narrow:#?}");
}

/// The model's class of characters names surrogates one by one (`\uD800\uDBFF-\uDC00\uDFFF`), so it
/// allows no character beyond U+FFFF. No page says whether the service means a range. A rejection is safe either way.
#[test]
fn a_name_and_a_description_have_no_supplementary_characters() {
    for path in ["name", "description"] {
        assert!(!is_audience_request(&with(audience_request(), path, &json!("spring \u{1f338}"))), "{path}");
    }
}

/// API references of both services: 50 tags. The models allow 200. Two tags are Lookalike's.
#[test]
fn a_request_has_at_most_48_tags() {
    let tags = |count: usize| (0..count).map(|index| (format!("key{index}"), json!("value"))).collect::<Value>();
    assert!(is_audience_request(&with(audience_request(), "tags", &tags(48))));
    assert!(!is_audience_request(&with(audience_request(), "tags", &tags(49))));
    let list = |count: usize| {
        (0..count).map(|index| json!({"tagKey": format!("key{index}"), "tagValue": "value"})).collect::<Value>()
    };
    assert!(is_segment_request(&with(segment_request(), "tags", &list(48))));
    assert!(!is_segment_request(&with(segment_request(), "tags", &list(49))));
}

#[test]
fn spark_gets_as_many_properties_as_the_model_allows() {
    let path = "seedAudience.sqlComputeConfiguration.worker.properties.spark";
    let max = limits(&format!("{GENERATION} {path}"))["max"].as_u64().unwrap();
    let properties = |count: u64| (0..count).map(|index| (format!("key{index}"), json!("value"))).collect::<Value>();
    assert!(is_audience_request(&with(sql_request(), path, &properties(max))));
    assert!(!is_audience_request(&with(sql_request(), path, &properties(max + 1))));
}

/// `properties` is a union in the model, so exactly one member is set.
#[test]
fn a_union_without_a_member_is_rejected() {
    let path = "seedAudience.sqlComputeConfiguration.worker.properties";
    assert!(!is_audience_request(&with(sql_request(), path, &json!({}))));
}

#[test]
fn an_audience_size_has_the_models_limits() {
    use lookalike::audience_size::{AudienceSize, AudienceSizeType};
    let value = limits(&format!("{EXPORT} audienceSize.value"));
    let [min, max] = ["min", "max"].map(|name| value[name].as_i64().unwrap());
    let is_valid = |value| AudienceSize::new(AudienceSizeType::Absolute, value).is_ok();
    assert!(is_valid(min) && is_valid(max));
    assert!(!is_valid(min - 1) && !is_valid(max + 1));
    let kinds = limits(&format!("{EXPORT} audienceSize.type"))["enum"].clone();
    let ours = [AudienceSizeType::Absolute, AudienceSizeType::Percentage].map(AudienceSizeType::as_str);
    assert_eq!(kinds, json!(ours));
}

#[test]
fn a_seed_has_the_models_limits() {
    let limits = limits("cleanroomsml GetConfiguredAudienceModel minMatchingSeedSize");
    assert_eq!(limits["min"], json!(lookalike::seed::LEAST_USERS));
    assert_eq!(limits["max"], json!(lookalike::seed::MOST_USERS));
}
