//! The segment request: the fields of Personalize's `CreateBatchSegmentJob` with all its limits, and `deadlineSeconds`.
//!
//! Limits are those of the service model `personalize` 2018-05-22; the 50 tags and the 5 million users are those of its
//! pages. Every broken rule is reported, not only the first.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorName};
use crate::job::{MOST_TAGS, tag_key};
use crate::request::read_deadline;
use crate::values::{FilterArn, KmsKeyArn, S3Prefix, SegmentJobName, SegmentRoleArn, SolutionVersionArn, length};
use crate::violations::{Fields, Violations};

/// The most users of a segment.
pub const MOST_RESULTS: u64 = 5_000_000;

/// The users of a segment where a request does not say: the service's own number.
pub const RESULTS_UNLESS_SAID: u64 = 25;

/// What a request asks for, complete and within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentRequest {
    /// The job's name, and the run's.
    pub job_name: SegmentJobName,
    /// The trained model that ranks the users.
    pub solution_version_arn: SolutionVersionArn,
    /// Who may be in a segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_arn: Option<FilterArn>,
    /// Users for each line of the input; unless said, [`RESULTS_UNLESS_SAID`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_results: Option<u64>,
    /// The lines, each of which becomes a segment.
    pub job_input: JobInput,
    /// Where the segments are written: a folder, so its path ends with `/` and takes no neighbour's objects.
    pub job_output: JobOutput,
    /// The role that the service takes on, to read and to write.
    pub role_arn: SegmentRoleArn,
    /// The job's tags, without Lookalike's own.
    pub tags: Vec<Tag>,
    /// How long the run may take, from the execution's start.
    pub deadline_seconds: u64,
}

/// The lines, each of which becomes a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobInput {
    /// The API has no other kind.
    pub s3_data_source: S3Data,
}

/// Where the segments are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobOutput {
    /// The API has no other kind.
    pub s3_data_destination: S3Data,
}

/// Objects in S3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct S3Data {
    /// What their keys begin with.
    pub path: S3Prefix,
    /// The key that they are encrypted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<KmsKeyArn>,
}

/// A tag, as Personalize writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// 1 to 128 characters.
    pub tag_key: String,
    /// At most 256 characters.
    pub tag_value: String,
}

/// What a request need not say.
#[derive(Clone, Debug, Default)]
pub struct SegmentDefaults {
    /// The run's name.
    pub job_name: Option<SegmentJobName>,
    /// The role that reads and writes the stack's bucket.
    pub role_arn: Option<SegmentRoleArn>,
    /// The stack's deadline.
    pub deadline_seconds: Option<u64>,
}

const REQUEST: [&str; 9] = [
    "jobName",
    "solutionVersionArn",
    "filterArn",
    "numResults",
    "jobInput",
    "jobOutput",
    "roleArn",
    "tags",
    "deadlineSeconds",
];

impl SegmentRequest {
    /// Reads a request and fills in what it does not say. Errors with every rule that it breaks.
    pub fn read(value: &Value, defaults: &SegmentDefaults) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let request = Self::read_fields(value, defaults, &mut violations);
        violations.into_result(request)
    }

    fn read_fields(value: &Value, defaults: &SegmentDefaults, violations: &mut Violations) -> Option<Self> {
        let fields = violations.object(value, "", &REQUEST)?;
        let job_name = violations.text(&fields, "jobName").or_else(|| defaults.job_name.clone());
        let job_name = violations.required(&fields, "jobName", job_name);
        let version = violations.text(&fields, "solutionVersionArn");
        let version = violations.required(&fields, "solutionVersionArn", version);
        let filter_arn = violations.text(&fields, "filterArn");
        let num_results = violations.number(&fields, "numResults", 1, MOST_RESULTS);
        let input = S3Data::read(&fields, "jobInput", "s3DataSource", violations);
        let output = S3Data::read(&fields, "jobOutput", "s3DataDestination", violations);
        let output = output.and_then(|output| {
            let closed = output.path.closed();
            let path = closed.map_err(|problem| violations.add("jobOutput.s3DataDestination.path", problem)).ok()?;
            Some(S3Data { path, ..output })
        });
        let role_arn = violations.text(&fields, "roleArn").or_else(|| defaults.role_arn.clone());
        let role_arn = violations.required(&fields, "roleArn", role_arn);
        let tags = fields.get("tags").map_or_else(Vec::new, |tags| read_tags(tags, violations));
        let deadline_seconds = read_deadline(&fields, defaults.deadline_seconds, violations);
        let deadline_seconds = violations.required(&fields, "deadlineSeconds", deadline_seconds);
        if let (Some(input), Some(output)) = (&input, &output)
            && input.path.as_str().trim_end_matches('/') == output.path.as_str().trim_end_matches('/')
        {
            violations.add("jobOutput.s3DataDestination.path", "is the path of the input (name another folder)");
        }
        Some(Self {
            job_name: job_name?,
            solution_version_arn: version?,
            filter_arn,
            num_results,
            job_input: JobInput { s3_data_source: input? },
            job_output: JobOutput { s3_data_destination: output? },
            role_arn: role_arn?,
            tags,
            deadline_seconds: deadline_seconds?,
        })
    }

    /// Returns the request for a stack whose bucket is encrypted with `stack_key`. An output in that bucket needs no
    /// `kmsKeyArn`: without it the bucket's key applies, also after the stack gets another one.
    ///
    /// Errors as `InvalidRequest` if the output goes to the stack's bucket with a key that the bucket's policy rejects.
    pub fn with_the_buckets_key(mut self, stack_bucket: &str, stack_key: Option<&KmsKeyArn>) -> Result<Self, Error> {
        let output = &mut self.job_output.s3_data_destination;
        if output.path.bucket() != stack_bucket || output.kms_key_arn.is_none() {
            return Ok(self);
        }
        if output.kms_key_arn.as_ref() == stack_key {
            output.kms_key_arn = None;
            return Ok(self);
        }
        let accepted = stack_key.map_or_else(
            || "the stack has no KmsKeyArn, so its bucket accepts no KMS key".to_owned(),
            |key| format!("the stack's bucket accepts only {key} (KmsKeyArn)"),
        );
        let message =
            format!("jobOutput.s3DataDestination.kmsKeyArn: {accepted}. Remove kmsKeyArn, or write to another bucket.");
        Err(Error::new(ErrorName::InvalidRequest, message))
    }
}

impl S3Data {
    fn read(fields: &Fields<'_>, outer: &str, inner: &str, violations: &mut Violations) -> Option<Self> {
        let value = violations.required(fields, outer, fields.get(outer))?;
        let fields = violations.object(value, outer, &[inner])?;
        let value = violations.required(&fields, inner, fields.get(inner))?;
        let path = format!("{outer}.{inner}");
        let fields = violations.object(value, &path, &["path", "kmsKeyArn"])?;
        let kms_key_arn = violations.text(&fields, "kmsKeyArn");
        let place = violations.text(&fields, "path");
        let place = violations.required(&fields, "path", place);
        Some(Self { path: place?, kms_key_arn })
    }
}

fn read_tags(value: &Value, violations: &mut Violations) -> Vec<Tag> {
    let Some(list) = value.as_array() else {
        violations.add("tags", "must be a list of tagKey and tagValue");
        return Vec::new();
    };
    if list.len() > MOST_TAGS {
        violations.add("tags", format_args!("has {} entries (at most {MOST_TAGS})", list.len()));
    }
    let mut tags: Vec<Tag> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let path = format!("tags[{index}]");
        let Some(fields) = violations.object(entry, &path, &["tagKey", "tagValue"]) else { continue };
        let key: Option<TagText> = violations.text(&fields, "tagKey");
        let value: Option<TagText> = violations.text(&fields, "tagValue");
        let key = violations.required(&fields, "tagKey", key);
        let value = violations.required(&fields, "tagValue", value);
        let (Some(TagText(tag_key_text)), Some(TagText(tag_value))) = (key, value) else { continue };
        if let Err(problem) = tag_key(&tag_key_text) {
            violations.add(&format!("{path}.tagKey"), problem);
        }
        if tags.iter().any(|tag| tag.tag_key == tag_key_text) {
            violations.add(&format!("{path}.tagKey"), "is there twice");
        }
        tags.push(Tag { tag_key: tag_key_text, tag_value });
    }
    tags
}

/// A tag's key or value: letters, digits, blanks and `_.:/=+-@`.
struct TagText(String);

impl std::str::FromStr for TagText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        length(text, 0, 256)?;
        let takes = |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
        if !text.chars().all(takes) {
            return Err("has other characters than letters, digits, blanks and _.:/=+-@".into());
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn whole() -> Value {
        json!({
            "jobName": "spring-runners",
            "solutionVersionArn": "arn:aws:personalize:us-east-1:123456789012:solution/runners/1b2c3d4e",
            "filterArn": "arn:aws:personalize:us-east-1:123456789012:filter/adults",
            "numResults": 1000,
            "jobInput": {"s3DataSource": {
                "path": "s3://b/in/items.jsonl", "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"}},
            "jobOutput": {"s3DataDestination": {
                "path": "s3://b/out/", "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/2"}},
            "roleArn": "arn:aws:iam::123456789012:role/segments",
            "tags": [{"tagKey": "team", "tagValue": "growth"}],
            "deadlineSeconds": 3600
        })
    }

    fn entries(value: &Value) -> Vec<String> {
        match SegmentRequest::read(value, &SegmentDefaults::default()) {
            Ok(_) => Vec::new(),
            Err(violations) => violations.entries().to_vec(),
        }
    }

    fn with(pointer: &str, value: Value) -> String {
        let mut request = whole();
        *request.pointer_mut(pointer).unwrap() = value;
        let entries = entries(&request);
        assert!(entries.len() <= 1, "{entries:?}");
        entries.into_iter().next().unwrap_or_default()
    }

    #[test]
    fn a_whole_request_goes_through_as_it_is() {
        let request = SegmentRequest::read(&whole(), &SegmentDefaults::default()).unwrap();
        assert_eq!(serde_json::to_value(request).unwrap(), whole());
    }

    #[test]
    fn what_a_request_does_not_say_the_stack_and_the_run_say() {
        let mut short = whole();
        for field in ["jobName", "roleArn", "deadlineSeconds", "filterArn", "numResults", "tags"] {
            short.as_object_mut().unwrap().remove(field);
        }
        let defaults = SegmentDefaults {
            job_name: Some("run".parse().unwrap()),
            role_arn: Some("arn:aws:iam::123456789012:role/stack".parse().unwrap()),
            deadline_seconds: Some(60),
        };
        let request = SegmentRequest::read(&short, &defaults).unwrap();
        assert_eq!((request.job_name.as_str(), request.deadline_seconds), ("run", 60));
        assert_eq!(request.role_arn.as_str(), "arn:aws:iam::123456789012:role/stack");
        assert_eq!((request.filter_arn, request.num_results, request.tags), (None, None, Vec::new()));
    }

    #[test]
    fn everything_that_is_missing_or_unknown_is_told_at_once() {
        assert_eq!(
            entries(&json!({"numResult": 5, "jobInput": {}, "jobOutput": {"s3DataDestination": {"pth": "x"}}})),
            [
                "numResult: unknown field (did you mean numResults?)",
                "jobName: is required",
                "solutionVersionArn: is required",
                "jobInput.s3DataSource: is required",
                "jobOutput.s3DataDestination.pth: unknown field (did you mean path?)",
                "jobOutput.s3DataDestination.path: is required",
                "roleArn: is required",
                "deadlineSeconds: is required",
            ]
        );
        assert_eq!(entries(&json!([])), ["request: must be a JSON object"]);
    }

    #[test]
    fn each_limit_holds_at_its_edge() {
        assert_eq!(with("/numResults", json!(5_000_000)), "");
        assert_eq!(with("/numResults", json!(5_000_001)), "numResults: must be a whole number (1 to 5000000)");
        assert_eq!(with("/numResults", json!(0)), "numResults: must be a whole number (1 to 5000000)");
        assert!(with("/jobName", json!("a b")).starts_with("jobName: is not of the form"));
        assert!(with("/roleArn", json!("role")).starts_with("roleArn: is not of the form"));
        let path = "/jobInput/s3DataSource/path";
        assert_eq!(with(path, json!(format!("s3://b/{}", "x".repeat(249)))), "");
        assert_eq!(
            with(path, json!(format!("s3://b/{}", "x".repeat(250)))),
            "jobInput.s3DataSource.path: has 257 characters (1 to 256 are allowed)"
        );
        assert_eq!(
            with(path, json!("s3://b/out/")),
            "jobOutput.s3DataDestination.path: is the path of the input (name another folder)"
        );
    }

    fn output_path(path: &str) -> Result<String, Vec<String>> {
        let mut request = whole();
        request["jobOutput"]["s3DataDestination"]["path"] = json!(path);
        SegmentRequest::read(&request, &SegmentDefaults::default())
            .map(|request| request.job_output.s3_data_destination.path.to_string())
            .map_err(|violations| violations.entries().to_vec())
    }

    #[test]
    fn an_output_path_gets_a_closing_slash() {
        assert_eq!(output_path("s3://b/segment-output/spring").unwrap(), "s3://b/segment-output/spring/");
        assert_eq!(output_path("s3://b/segment-output/spring/").unwrap(), "s3://b/segment-output/spring/");
        assert_eq!(output_path("s3://b/").unwrap(), "s3://b/");
        assert_eq!(
            output_path(&format!("s3://b/{}", "x".repeat(249))).unwrap_err(),
            [
                "jobOutput.s3DataDestination.path: needs a closing / and then has 257 characters (at most 256 are allowed)"
            ]
        );
    }

    #[test]
    fn an_output_key_that_the_stacks_bucket_rejects_is_rejected() {
        let request = || SegmentRequest::read(&whole(), &SegmentDefaults::default()).unwrap();
        let key = |id: &str| -> KmsKeyArn { format!("arn:aws:kms:us-east-1:123456789012:key/{id}").parse().unwrap() };
        let error = request().with_the_buckets_key("b", Some(&key("1"))).err().unwrap();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains("accepts only arn:aws:kms:us-east-1:123456789012:key/1"), "{error}");
        let error = request().with_the_buckets_key("b", None).err().unwrap();
        assert!(
            error.message.starts_with("jobOutput.s3DataDestination.kmsKeyArn: the stack has no KmsKeyArn"),
            "{error}"
        );
    }

    #[test]
    fn an_output_in_the_stacks_bucket_needs_no_key() {
        let request = || SegmentRequest::read(&whole(), &SegmentDefaults::default()).unwrap();
        let key: KmsKeyArn = "arn:aws:kms:us-east-1:123456789012:key/2".parse().unwrap();
        let key_of = |request: SegmentRequest| request.job_output.s3_data_destination.kms_key_arn;
        assert_eq!(key_of(request().with_the_buckets_key("b", Some(&key)).unwrap()), None);
        assert_eq!(key_of(request().with_the_buckets_key("another-bucket", None).unwrap()), Some(key));
    }

    #[test]
    fn an_output_path_that_equals_the_input_is_rejected_without_slash() {
        assert_eq!(
            output_path("s3://b/in/items.jsonl").unwrap_err(),
            ["jobOutput.s3DataDestination.path: is the path of the input (name another folder)"]
        );
    }

    #[test]
    fn tags_keep_the_services_rules_and_leave_room_for_our_own_two() {
        let tag = |key: &str, value: &str| json!({"tagKey": key, "tagValue": value});
        let many = |count: usize| json!((0..count).map(|n| tag(&format!("k{n}"), "")).collect::<Vec<_>>());
        assert_eq!(with("/tags", many(48)), "");
        assert_eq!(with("/tags", many(49)), "tags: has 49 entries (at most 48)");
        assert_eq!(with("/tags", json!({"team": "growth"})), "tags: must be a list of tagKey and tagValue");
        assert_eq!(with("/tags", json!([tag("aws:x", "")])), "tags[0].tagKey: begins with aws: (reserved)");
        assert_eq!(with("/tags", json!([tag("a", "1"), tag("a", "2")])), "tags[1].tagKey: is there twice");
        assert_eq!(with("/tags", json!([{"tagKey": "a"}])), "tags[0].tagValue: is required");
        assert!(with("/tags", json!([tag("a", "b!")])).starts_with("tags[0].tagValue: has other characters"));
        assert_eq!(with("/tags", json!([tag("é a", "b@c/d=+-_.: ")])), "");
        assert!(with("/tags", json!([tag("a", &"x".repeat(257))])).contains("0 to 256"));
        assert!(with("/tags", json!([tag(&"x".repeat(129), "")])).contains("1 to 128"));
    }
}
