//! The requests of Personalize, read and checked as its service model defines them.

use std::collections::BTreeMap;

use lookalike::values::{KmsKeyArn, SegmentJobName, SegmentRoleArn};
use serde::Serialize;
use serde_json::Value;

use crate::operation::Api;
use crate::page::Asked;
use crate::personalize_values::{PersonalizeArn, S3Location};
use crate::reader::{Members, Reader, Required, is_reserved, parse};
use crate::wire::{ErrorKind, ServiceError};

/// The default number of users of a segment.
const DEFAULT_NUM_RESULTS: u32 = 25;

/// The maximum number of users of a segment. The service model has no limit, its documentation has this one.
const MAX_RESULTS: u32 = 5_000_000;

/// The maximum number of tags in the service model, and of a resource.
const TAGS_OF_THE_MODEL: usize = 200;
const TAGS_OF_A_RESOURCE: usize = 50;

/// The maximum length of a token of a list.
const MAX_TOKEN_CHARACTERS: usize = 1500;

/// The body of `CreateBatchSegmentJob`.
#[derive(Clone)]
pub(crate) struct CreateSegmentJob {
    pub(crate) job_name: SegmentJobName,
    pub(crate) solution_version: PersonalizeArn,
    pub(crate) filter: Option<PersonalizeArn>,
    pub(crate) num_results: u32,
    pub(crate) input: S3DataConfig,
    pub(crate) output: S3DataConfig,
    pub(crate) role: SegmentRoleArn,
    pub(crate) tags: BTreeMap<String, String>,
}

/// The place where a job reads or writes.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct S3DataConfig {
    pub(crate) path: S3Location,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<KmsKeyArn>,
}

/// The body of `ListBatchSegmentJobs`.
pub(crate) struct ListSegmentJobs {
    pub(crate) solution_version: Option<PersonalizeArn>,
    pub(crate) asked: Asked,
}

/// Reads a body with what reads its members.
fn read<T>(body: &[u8], members: impl FnOnce(&Members<'_>, &mut Reader) -> Option<T>) -> Result<T, ServiceError> {
    let document = parse(Api::Personalize, body)?;
    let mut reader = Reader::of(Api::Personalize);
    let request = reader.members(&document, "").and_then(|body| members(&body, &mut reader));
    reader.end(request)
}

impl CreateSegmentJob {
    pub(crate) fn read(body: &[u8]) -> Result<Self, ServiceError> {
        let request = read(body, Self::members)?;
        if request.tags.len() > TAGS_OF_A_RESOURCE {
            let message = format!("A resource has at most {TAGS_OF_A_RESOURCE} tags.");
            return Err(ServiceError::new(ErrorKind::TooManyTags, message));
        }
        Ok(request)
    }

    fn members(body: &Members<'_>, reader: &mut Reader) -> Option<Self> {
        let job_name = reader.text(body, "jobName").required(reader, body, "jobName");
        let solution_version = reader.line(body, "solutionVersionArn").required(reader, body, "solutionVersionArn");
        let filter = reader.line(body, "filterArn");
        let num_results = reader.number(body, "numResults", 0..=MAX_RESULTS).unwrap_or(DEFAULT_NUM_RESULTS);
        let input = data_config(body, "jobInput", "s3DataSource", reader);
        let output = data_config(body, "jobOutput", "s3DataDestination", reader);
        let role = reader.line(body, "roleArn").required(reader, body, "roleArn");
        let tags = tags(body, reader);
        Some(Self {
            job_name: job_name?,
            solution_version: solution_version?,
            filter,
            num_results,
            input: input?,
            output: output?,
            role: role?,
            tags,
        })
    }
}

impl ListSegmentJobs {
    pub(crate) fn read(body: &[u8]) -> Result<Self, ServiceError> {
        read(body, |body, reader| {
            let solution_version = reader.line(body, "solutionVersionArn");
            let most = reader.number(body, "maxResults", 1..=100).map(|most| most as usize);
            let token = body.get("nextToken").and_then(|token| {
                let is_token = |text: &&str| text.is_ascii() && text.len() <= MAX_TOKEN_CHARACTERS;
                let text = token.as_str().filter(is_token);
                if text.is_none() {
                    let form = format_args!("must be a string of at most {MAX_TOKEN_CHARACTERS} ASCII characters");
                    reader.wrong("nextToken", form);
                }
                text.map(str::to_owned)
            });
            Some(Self { solution_version, asked: Asked { most, token } })
        })
    }
}

/// Reads a body whose only member is an ARN.
pub(crate) fn read_arn(body: &[u8], member: &str) -> Result<PersonalizeArn, ServiceError> {
    read(body, |body, reader| reader.line(body, member).required(reader, body, member))
}

fn data_config(body: &Members<'_>, outer: &str, inner: &str, reader: &mut Reader) -> Option<S3DataConfig> {
    let path = format!("{outer}.{inner}");
    let outer = body.get(outer).required(reader, body, outer).and_then(|value| reader.members(value, outer))?;
    let inner = outer.get(inner).required(reader, &outer, inner).and_then(|value| reader.members(value, &path))?;
    let path = reader.line(&inner, "path").required(reader, &inner, "path");
    let kms_key_arn = reader.line(&inner, "kmsKeyArn");
    Some(S3DataConfig { path: path?, kms_key_arn })
}

fn tags(body: &Members<'_>, reader: &mut Reader) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    let list = match body.get("tags") {
        None => return tags,
        Some(Value::Array(list)) if list.len() <= TAGS_OF_THE_MODEL => list,
        Some(_) => {
            reader.wrong("tags", format_args!("must be a list of at most {TAGS_OF_THE_MODEL} tags"));
            return tags;
        }
    };
    for tag in list {
        let text = |member, least: usize, most: usize| {
            let text = tag.get(member).and_then(Value::as_str)?;
            ((least..=most).contains(&text.chars().count()) && text.chars().all(is_of_tags)).then_some(text)
        };
        let (Some(key), Some(value)) = (text("tagKey", 1, 128), text("tagValue", 0, 256)) else {
            let form = "must have a tagKey of 1 to 128 and a tagValue of 0 to 256 letters, digits, spaces and _.:/=+-@";
            reader.wrong("tags", form);
            break;
        };
        if is_reserved(key) {
            reader.wrong("tags", "must not have a tagKey that begins with aws:");
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            reader.wrong("tags", "must not have a tagKey twice");
        }
    }
    tags
}

fn is_of_tags(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use serde_json::json;

    use super::*;

    fn create(change: impl FnOnce(&mut Value)) -> Result<CreateSegmentJob, ServiceError> {
        let mut body = json!({
            "jobName": "run",
            "solutionVersionArn": "arn:aws:personalize:us-east-1:123456789012:solution/s/1a2b",
            "jobInput": {"s3DataSource": {"path": "s3://bucket/in.jsonl"}},
            "jobOutput": {"s3DataDestination": {"path": "s3://bucket/out/"}},
            "roleArn": "arn:aws:iam::123456789012:role/segments",
        });
        change(&mut body);
        CreateSegmentJob::read(body.to_string().as_bytes())
    }

    fn tags(count: usize) -> Value {
        (0..count).map(|number| json!({"tagKey": format!("k{number}"), "tagValue": "v"})).collect()
    }

    #[test]
    fn a_segment_has_25_users_unless_said() {
        assert_eq!(create(|_| ()).ok().unwrap().num_results, 25);
        for said in [0, 1, 5_000_000] {
            assert_eq!(create(|body| body["numResults"] = said.into()).ok().unwrap().num_results, said);
        }
    }

    #[test]
    fn each_broken_limit_of_a_segment_job_names_its_member() {
        let cases = [
            ("/jobName", json!("_run"), "'jobName'"),
            ("/jobName", json!(null), "'jobName'"),
            ("/solutionVersionArn", json!("s"), "'solutionVersionArn'"),
            ("/filterArn", json!("f"), "'filterArn'"),
            ("/numResults", json!(-1), "'numResults'"),
            ("/numResults", json!(5_000_001), "'numResults'"),
            ("/numResults", json!("25"), "'numResults'"),
            ("/jobInput", json!(null), "'jobInput'"),
            ("/jobInput", json!({}), "'jobInput.s3DataSource'"),
            ("/jobInput/s3DataSource", json!({}), "'jobInput.s3DataSource.path'"),
            (
                "/jobInput/s3DataSource/path",
                json!(format!("s3://b/{}", "k".repeat(250))),
                "'jobInput.s3DataSource.path'",
            ),
            ("/jobInput/s3DataSource/kmsKeyArn", json!("k"), "'jobInput.s3DataSource.kmsKeyArn'"),
            ("/jobOutput/s3DataDestination", json!("s3://b/k"), "'jobOutput.s3DataDestination'"),
            ("/jobOutput/s3DataDestination/path", json!("out"), "'jobOutput.s3DataDestination.path'"),
            ("/roleArn", json!("arn:aws:iam::1:role/x"), "'roleArn'"),
            ("/tags", json!({"team": "growth"}), "'tags'"),
            ("/tags", json!([{"tagKey": "team"}]), "'tags'"),
            ("/tags", json!([{"tagKey": "", "tagValue": "v"}]), "'tags'"),
            ("/tags", json!([{"tagKey": "team", "tagValue": "a\tb"}]), "'tags'"),
            ("/tags", json!([{"tagKey": "k", "tagValue": ""}, {"tagKey": "k", "tagValue": ""}]), "'tags'"),
            ("/tags", tags(201), "'tags'"),
        ];
        for (pointer, value, member) in cases {
            let error = create(|body| {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                body.pointer_mut(parent).unwrap()[key] = value.clone();
            });
            let error = error.err().unwrap_or_else(|| panic!("{pointer} {value} was taken"));
            assert_eq!(error.kind, ErrorKind::InvalidInput);
            assert!(error.message.starts_with("1 validation error detected: "), "{error:?}");
            assert!(error.message.contains(member), "{error:?}");
        }
    }

    #[test]
    fn a_value_with_a_line_break_is_rejected() {
        for pointer in [
            "/jobName",
            "/solutionVersionArn",
            "/filterArn",
            "/jobInput/s3DataSource/path",
            "/jobOutput/s3DataDestination/path",
            "/jobInput/s3DataSource/kmsKeyArn",
            "/roleArn",
            "/tags/0/tagKey",
            "/tags/0/tagValue",
        ] {
            for line_break in ["\n", "\r"] {
                let error = create(|body| {
                    body["filterArn"] = "arn:aws:personalize:us-east-1:123456789012:filter/f".into();
                    body["jobInput"]["s3DataSource"]["kmsKeyArn"] = "arn:aws:kms:us-east-1:123456789012:key/k".into();
                    body["tags"] = json!([{"tagKey": "k", "tagValue": "v"}]);
                    let value = body.pointer_mut(pointer).unwrap();
                    *value = format!("{}{line_break}", value.as_str().unwrap()).into();
                });
                assert_eq!(error.err().unwrap_or_else(|| panic!("{pointer}")).kind, ErrorKind::InvalidInput);
            }
        }
    }

    #[test]
    fn a_bucket_with_a_line_break_is_rejected() {
        let error = create(|body| body["jobInput"]["s3DataSource"]["path"] = "s3://bucket\n/in.jsonl".into());
        assert!(error.err().unwrap().message.contains("'jobInput.s3DataSource.path'"));
    }

    #[test]
    fn a_reserved_tag_key_is_rejected_in_any_case() {
        let tagged = |key: &str| create(|body| body["tags"] = json!([{"tagKey": key, "tagValue": "aws:v"}]));
        for key in ["aws:", "aws:team", "AWS:team", "aWs:team"] {
            let error = tagged(key).err().unwrap();
            assert!(error.kind == ErrorKind::InvalidInput && error.message.contains("'tags'"), "{error:?}");
        }
        assert!(tagged("awsteam").is_ok());
    }

    #[test]
    fn a_tag_has_only_characters_of_the_service_model() {
        let tagged = |text: &str| create(|body| body["tags"] = json!([{"tagKey": text, "tagValue": text}]));
        for good in ["é_.:/=+-@ 9", "\u{a0}\u{2028}", "\u{661}\u{2160}\u{bd}"] {
            assert!(tagged(good).is_ok(), "{good:?}");
        }
        for wrong in ["a!", "(a)", "a*", "tab\t", "\u{85}"] {
            assert!(tagged(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn fifty_tags_are_enough_and_more_are_an_error_of_their_own() {
        assert_eq!(create(|body| body["tags"] = tags(50)).ok().unwrap().tags.len(), 50);
        assert_eq!(create(|body| body["tags"] = tags(51)).err().unwrap().kind, ErrorKind::TooManyTags);
    }

    #[test]
    fn all_broken_limits_are_told_at_once_and_an_empty_body_misses_all() {
        let error = CreateSegmentJob::read(b"").err().unwrap().message;
        assert!(error.starts_with("5 validation errors detected: "), "{error}");
        assert!(read_arn(b"", "batchSegmentJobArn").err().unwrap().message.contains("'batchSegmentJobArn'"));
    }

    #[test]
    fn a_list_is_asked_for_with_or_without_limits() {
        assert!(ListSegmentJobs::read(b"").is_ok());
        let asked = ListSegmentJobs::read(br#"{"maxResults": 100, "nextToken": "t"}"#).ok().unwrap().asked;
        assert_eq!((asked.most, asked.token.as_deref()), (Some(100), Some("t")));
        let long_token = json!({ "nextToken": "t".repeat(1501) }).to_string();
        for wrong in [
            &long_token,
            r#"{"nextToken": "é"}"#,
            r#"{"maxResults": 0}"#,
            r#"{"maxResults": 101}"#,
            r#"{"nextToken": 1}"#,
            "[]",
            "{",
        ] {
            assert_eq!(ListSegmentJobs::read(wrong.as_bytes()).err().unwrap().kind, ErrorKind::InvalidInput, "{wrong}");
        }
    }
}
