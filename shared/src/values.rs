//! The strings of the API as types. Each is checked once, where it enters; its error says what is allowed.
//!
//! Lengths and patterns are those of the service models `cleanroomsml` 2023-09-06 and, for segments, `personalize`
//! 2018-05-22; lengths count characters.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

/// Declares a string type with the check that makes it.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// The name of a job: 1 to 63 characters, not all blank, no control characters but tab, no emoji.
    JobName, job_name
}
text! {
    /// A description: at most 255 characters, no control characters but tab and line ends, no emoji.
    Description, description
}
text! {
    /// `arn:aws:cleanrooms-ml:<region>:<account>:configured-audience-model/<id>`
    ConfiguredAudienceModelArn, configured_audience_model_arn
}
text! {
    /// `arn:aws:cleanrooms-ml:<region>:<account>:audience-generation-job/<id>`
    AudienceGenerationJobArn, audience_generation_job_arn
}
text! {
    /// `arn:aws:cleanrooms:<region>:<account>:membership/<id>/analysistemplate/<id>`
    AnalysisTemplateArn, analysis_template_arn
}
text! {
    /// `arn:aws:iam::<account>:role/<name>`
    RoleArn, role_arn
}
text! {
    /// A collaboration's id: a UUID in lower case.
    CollaborationId, collaboration_id
}
text! {
    /// `s3://<bucket>/<key>`, at most 1,285 characters.
    S3Uri, s3_uri
}

text! {
    /// The name of a batch segment job: 1 to 63 of `[a-zA-Z0-9-_]`, a letter or a digit first.
    SegmentJobName, segment_job_name
}
text! {
    /// `arn:aws:personalize:<region>:<account>:batch-segment-job/<name>`
    BatchSegmentJobArn, batch_segment_job_arn
}
text! {
    /// `arn:aws:personalize:<region>:<account>:solution/<name>/<version>`
    SolutionVersionArn, solution_version_arn
}
text! {
    /// `arn:aws:personalize:<region>:<account>:filter/<name>`
    FilterArn, filter_arn
}
text! {
    /// A role as Personalize takes it: `arn:aws:iam::<account>:role/<name>`, at most 256 characters.
    SegmentRoleArn, segment_role_arn
}
text! {
    /// `arn:aws:kms:<region>:<account>:key/<id>`
    KmsKeyArn, kms_key_arn
}
text! {
    /// `s3://<bucket>/<start of keys>`, at most 256 characters: everything in the bucket whose key begins so.
    S3Prefix, s3_prefix
}

/// The partition, Region and account that an ARN names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArnOwner<'a> {
    /// The partition, such as `aws`.
    pub partition: &'a str,
    /// The Region.
    pub region: &'a str,
    /// The account.
    pub account: &'a str,
}

impl<'a> ArnOwner<'a> {
    /// Reads `arn:<partition>:<service>:<region>:<account>:<resource>`; `None` if a part is missing or empty.
    #[must_use]
    pub fn parse(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (prefix, partition, _, region, account) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_complete = prefix == "arn" && parts.next().is_some();
        let owner = Self { partition, region, account };
        (is_complete && [partition, region, account].iter().all(|part| !part.is_empty())).then_some(owner)
    }

    /// Whether both are in the same Region of the same partition.
    #[must_use]
    pub fn is_same_region(self, other: ArnOwner<'_>) -> bool {
        (self.partition, self.region) == (other.partition, other.region)
    }
}

impl SegmentJobName {
    /// The name among those of all jobs.
    #[must_use]
    pub fn to_job_name(&self) -> JobName {
        JobName(self.0.clone())
    }
}

impl S3Prefix {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        bucket_and_key(&self.0).0
    }

    /// What keys begin with; empty for the whole bucket.
    #[must_use]
    pub fn prefix(&self) -> &str {
        bucket_and_key(&self.0).1
    }

    /// The prefix with a closing `/`, so that it takes only what is in the folder; empty for the complete bucket.
    #[must_use]
    pub fn folder(&self) -> String {
        let prefix = self.prefix();
        if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
    }

    /// The path with a closing `/`, so that it takes only what is in the folder. Errors if it gets too long.
    pub fn closed(&self) -> Result<Self, String> {
        if self.0.ends_with('/') {
            return Ok(self.clone());
        }
        format!("{}/", self.0).parse().map_err(|_| {
            let count = self.0.chars().count() + 1;
            format!("needs a closing / and then has {count} characters (at most 256 are allowed)")
        })
    }

    /// A warning where objects are taken that somebody who names a file or a folder does not mean: all whose keys only
    /// begin so.
    #[must_use]
    pub fn takes_more_than_meant(&self, objects: &[S3Uri]) -> Option<String> {
        let prefix = self.prefix();
        if prefix.is_empty() || prefix.ends_with('/') {
            return None;
        }
        let folder = format!("{prefix}/");
        let is_folder = objects.iter().any(|object| object.key().starts_with(&folder));
        let is_meant = |key: &str| key == prefix || (is_folder && key.starts_with(&folder));
        let more: Vec<_> = objects.iter().filter(|object| !is_meant(object.key())).collect();
        let first = more.first()?;
        Some(format!(
            "The path {self} is the start of keys, so the job takes {} more, the first of them {first}. End a folder with \
             /, or name a file that no other name begins with.",
            more.len()
        ))
    }
}

impl S3Uri {
    /// The place of an object. Errors where bucket or key is empty, or both together are too long.
    pub fn new(bucket: &str, key: &str) -> Result<Self, String> {
        format!("s3://{bucket}/{key}").parse()
    }

    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        bucket_and_key(&self.0).0
    }

    /// The object's key, raw.
    #[must_use]
    pub fn key(&self) -> &str {
        bucket_and_key(&self.0).1
    }
}

fn bucket_and_key(uri: &str) -> (&str, &str) {
    let place = uri.strip_prefix("s3://").unwrap_or(uri);
    place.split_once('/').unwrap_or((place, ""))
}

/// Checks a length in characters, and says what is allowed.
pub(crate) fn length(text: &str, least: usize, most: usize) -> Result<(), String> {
    let count = text.chars().count();
    if (least..=most).contains(&count) {
        return Ok(());
    }
    Err(format!("has {count} characters ({least} to {most} are allowed)"))
}

/// Returns whether the API's patterns of names and descriptions accept a character, tab and line ends aside. They list
/// surrogates one by one, so whether characters beyond U+FFFF are accepted is not documented: they are rejected.
fn printable(c: char) -> bool {
    (' '..='\u{fffd}').contains(&c)
}

/// Errors if the text has a line end, which no `.` of the services' patterns matches.
fn one_line(text: &str) -> Result<(), String> {
    if text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        return Err("has a line end (not allowed)".into());
    }
    Ok(())
}

fn job_name(text: &str) -> Result<(), String> {
    length(text, 1, 63)?;
    if text.chars().all(char::is_whitespace) {
        return Err("is blank (1 to 63 characters, not all of them blank)".into());
    }
    if !text.chars().all(|c| c == '\t' || printable(c)) {
        return Err(
            "has a control character other than tab, or a character beyond U+FFFF such as an emoji (not allowed)"
                .into(),
        );
    }
    Ok(())
}

fn description(text: &str) -> Result<(), String> {
    length(text, 0, 255)?;
    if !text.chars().all(|c| matches!(c, '\t' | '\r' | '\n') || printable(c)) {
        return Err("has a control character other than tab and line ends, or a character beyond U+FFFF such as an emoji (not allowed)".into());
    }
    Ok(())
}

/// Holds the text to a pattern of the service model, which is anchored at both ends.
fn pattern(text: &str, regex: &LazyLock<Regex>, allowed: &str) -> Result<(), String> {
    if regex.is_match(text) { Ok(()) } else { Err(format!("is not of the form {allowed}")) }
}

/// Declares an anchored pattern.
macro_rules! regex {
    ($pattern:literal) => {
        // The patterns are literals; the tests below compile each of them.
        LazyLock::new(|| {
            #[allow(clippy::expect_used)]
            Regex::new(concat!("^(?:", $pattern, ")$")).expect("a pattern of this file")
        })
    };
}

fn configured_audience_model_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> =
        regex!(r"arn:aws[-a-z]*:cleanrooms-ml:[-a-z0-9]+:[0-9]{12}:configured-audience-model/[-a-zA-Z0-9_/.]+");
    length(text, 20, 2048)?;
    pattern(text, &REGEX, "arn:aws:cleanrooms-ml:<region>:<account>:configured-audience-model/<id>")
}

fn audience_generation_job_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> =
        regex!(r"arn:aws[-a-z]*:cleanrooms-ml:[-a-z0-9]+:[0-9]{12}:audience-generation-job/[-a-zA-Z0-9_/.]+");
    length(text, 20, 2048)?;
    pattern(text, &REGEX, "arn:aws:cleanrooms-ml:<region>:<account>:audience-generation-job/<id>")
}

fn analysis_template_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(
        r"arn:aws[-a-z]*:cleanrooms:[\w]{2}-[\w]{4,9}-[\d]:[\d]{12}:membership/[\d\w-]+/analysistemplate/[\d\w-]+"
    );
    length(text, 0, 200)?;
    pattern(text, &REGEX, "arn:aws:cleanrooms:<region>:<account>:membership/<id>/analysistemplate/<id>")
}

fn role_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"arn:aws[-a-z]*:iam::[0-9]{12}:role/.+");
    length(text, 20, 2048)?;
    one_line(text)?;
    pattern(text, &REGEX, "arn:aws:iam::<account>:role/<name>")
}

fn collaboration_id(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
    pattern(text, &REGEX, "01234567-89ab-cdef-0123-456789abcdef")
}

fn s3_uri(text: &str) -> Result<(), String> {
    length(text, 1, 1285)?;
    one_line(text)?;
    match text.strip_prefix("s3://").and_then(|place| place.split_once('/')) {
        Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => Ok(()),
        _ => Err("is not of the form s3://<bucket>/<key>".into()),
    }
}

fn segment_job_name(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"[a-zA-Z0-9][a-zA-Z0-9\-_]*");
    length(text, 1, 63)?;
    pattern(text, &REGEX, "letters, digits, - and _, a letter or a digit first")
}

fn batch_segment_job_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"arn:([a-z\d-]+):personalize:[^:]*:[^:]*:batch-segment-job/.+");
    length(text, 1, 256)?;
    one_line(text)?;
    pattern(text, &REGEX, "arn:aws:personalize:<region>:<account>:batch-segment-job/<name>")
}

fn solution_version_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"arn:([a-z\d-]+):personalize:[^:]*:[^:]*:solution/[^/]+/.+");
    length(text, 1, 256)?;
    one_line(text)?;
    pattern(text, &REGEX, "arn:aws:personalize:<region>:<account>:solution/<name>/<version>")
}

fn filter_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"arn:([a-z\d-]+):personalize:[^:]*:[^:]*:filter/.+");
    length(text, 1, 256)?;
    one_line(text)?;
    pattern(text, &REGEX, "arn:aws:personalize:<region>:<account>:filter/<name>")
}

fn segment_role_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"arn:([a-z\d-]+):iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+");
    length(text, 1, 256)?;
    pattern(text, &REGEX, "arn:aws:iam::<account>:role/<name>")
}

fn kms_key_arn(text: &str) -> Result<(), String> {
    static REGEX: LazyLock<Regex> = regex!(r"arn:aws.*:kms:.*:[0-9]{12}:key/.*");
    length(text, 1, 2048)?;
    one_line(text)?;
    pattern(text, &REGEX, "arn:aws:kms:<region>:<account>:key/<id>")
}

/// The API takes http addresses too; what they would mean is not documented.
fn s3_prefix(text: &str) -> Result<(), String> {
    length(text, 1, 256)?;
    one_line(text)?;
    match text.strip_prefix("s3://").and_then(|place| place.split_once('/')) {
        Some((bucket, _)) if !bucket.is_empty() => Ok(()),
        _ => Err("is not of the form s3://<bucket>/<folder>/".into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MODEL: &str = "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/3f2a";

    #[test]
    fn a_name_has_1_to_63_characters_and_is_not_blank() {
        assert!(JobName::from_str("a").is_ok());
        assert!(JobName::from_str(&"é".repeat(63)).is_ok());
        assert_eq!(JobName::from_str(&"a".repeat(64)).unwrap_err(), "has 64 characters (1 to 63 are allowed)");
        assert!(JobName::from_str("").is_err());
        assert!(JobName::from_str(" \t ").unwrap_err().starts_with("is blank"));
        assert!(JobName::from_str("a\nb").is_err());
        assert!(JobName::from_str("a\tb").is_ok());
    }

    #[test]
    fn a_description_may_be_empty_and_have_line_ends() {
        assert!(Description::from_str("").is_ok());
        assert!(Description::from_str("two\r\nlines").is_ok());
        assert!(Description::from_str("bell\u{7}").is_err());
        assert!(Description::from_str("\u{fffe}").is_err());
        assert!(Description::from_str(&"x".repeat(255)).is_ok());
        assert!(Description::from_str(&"x".repeat(256)).is_err());
    }

    #[test]
    fn an_arn_names_the_right_kind_of_thing_in_any_partition() {
        assert!(ConfiguredAudienceModelArn::from_str(MODEL).is_ok());
        assert!(ConfiguredAudienceModelArn::from_str(&MODEL.replace("arn:aws:", "arn:aws-us-gov:")).is_ok());
        assert!(ConfiguredAudienceModelArn::from_str(&format!("{MODEL} ")).is_err());
        assert!(ConfiguredAudienceModelArn::from_str(&format!("x{MODEL}")).is_err());
        assert!(ConfiguredAudienceModelArn::from_str(&format!("{MODEL}{}", "a".repeat(2048))).is_err());
        let job = MODEL.replace("configured-audience-model", "audience-generation-job");
        assert!(ConfiguredAudienceModelArn::from_str(&job).is_err());
        assert!(AudienceGenerationJobArn::from_str(&job).is_ok());
        assert!(AudienceGenerationJobArn::from_str(&format!("{job}{}", "a".repeat(2048))).is_err());
        assert!(AudienceGenerationJobArn::from_str(MODEL).is_err());
        assert!(RoleArn::from_str("arn:aws:iam::123456789012:role/seed").is_ok());
        assert!(RoleArn::from_str("arn:aws:iam::123456789012:user/seed").is_err());
        assert!(RoleArn::from_str(&format!("arn:aws:iam::123456789012:role/{}", "a".repeat(2048))).is_err());
        let template = "arn:aws:cleanrooms:us-east-1:123456789012:membership/a-1/analysistemplate/b-2";
        assert!(AnalysisTemplateArn::from_str(template).is_ok());
        assert!(AnalysisTemplateArn::from_str(&format!("{template}{}", "a".repeat(200))).is_err());
        assert!(AnalysisTemplateArn::from_str(MODEL).is_err());
    }

    #[test]
    fn an_arn_names_its_partition_region_and_account() {
        let owner = ArnOwner::parse(MODEL).unwrap();
        assert_eq!(owner, ArnOwner { partition: "aws", region: "us-east-1", account: "123456789012" });
        assert!(!owner.is_same_region(ArnOwner { region: "eu-west-1", ..owner }));
        assert!(!owner.is_same_region(ArnOwner { partition: "aws-cn", ..owner }));
        assert!(owner.is_same_region(ArnOwner { account: "444455556666", ..owner }));
        for wrong in ["arn", "arn:aws:iam::123456789012:role/a", "urn:aws:s:r:1:x", "arn:aws:s:r:1"] {
            assert_eq!(ArnOwner::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_collaboration_id_is_a_lower_case_uuid() {
        assert!(CollaborationId::from_str("01234567-89ab-cdef-0123-456789abcdef").is_ok());
        assert!(CollaborationId::from_str("01234567-89AB-cdef-0123-456789abcdef").is_err());
    }

    #[test]
    fn a_location_has_a_bucket_and_a_key() {
        let uri = S3Uri::new("seeds", "a b/c+%20.jsonl").unwrap();
        assert_eq!((uri.bucket(), uri.key()), ("seeds", "a b/c+%20.jsonl"));
        for wrong in ["", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", "https://bucket/key"] {
            assert!(S3Uri::from_str(wrong).is_err(), "{wrong}");
        }
        assert!(S3Uri::new("b", &"k".repeat(1278)).is_ok());
        assert!(S3Uri::new("b", &"k".repeat(1279)).is_err());
    }

    #[test]
    fn a_segments_values_are_those_of_personalize() {
        for good in ["a", "A-_9", &"x".repeat(63)] {
            assert_eq!(SegmentJobName::from_str(good).unwrap().to_job_name().as_str(), good);
        }
        for wrong in ["", "-a", "_a", "a b", "é", &"x".repeat(64)] {
            assert!(SegmentJobName::from_str(wrong).is_err(), "{wrong}");
        }
        let arn = |rest: &str| format!("arn:aws-cn:personalize:cn-north-1:123456789012:{rest}");
        assert!(SolutionVersionArn::from_str(&arn("solution/a/1b2c")).is_ok());
        assert!(SolutionVersionArn::from_str(&arn("solution/a")).unwrap_err().contains("solution/<name>/<version>"));
        assert!(SolutionVersionArn::from_str(&arn(&format!("solution/a/{}", "x".repeat(256)))).is_err());
        assert!(FilterArn::from_str(&arn("filter/a")).is_ok());
        assert!(FilterArn::from_str(&arn("solution/a/1")).is_err());
        assert!(FilterArn::from_str(&arn(&format!("filter/{}", "x".repeat(256)))).is_err());
        assert!(BatchSegmentJobArn::from_str(&arn("batch-segment-job/a")).is_ok());
        assert!(BatchSegmentJobArn::from_str(&arn("filter/a")).is_err());
        assert!(BatchSegmentJobArn::from_str(&arn(&format!("batch-segment-job/{}", "x".repeat(256)))).is_err());
        assert!(SegmentRoleArn::from_str("arn:aws:iam::123456789012:role/path/a+b").is_ok());
        assert!(SegmentRoleArn::from_str("arn:aws:iam::123456789012:role/a b").is_err());
        assert!(SegmentRoleArn::from_str(&format!("arn:aws:iam::123456789012:role/{}", "x".repeat(256))).is_err());
        assert!(KmsKeyArn::from_str("arn:aws:kms:us-east-1:123456789012:key/1").is_ok());
        assert!(KmsKeyArn::from_str("arn:aws:kms:us-east-1:123456789012:alias/1").is_err());
        assert!(KmsKeyArn::from_str(&format!("arn:aws:kms:us-east-1:123456789012:key/{}", "x".repeat(2048))).is_err());
    }

    #[test]
    fn a_prefix_that_takes_more_than_a_person_means_is_told() {
        let objects = |keys: &[&str]| keys.iter().map(|key| S3Uri::new("b", key).unwrap()).collect::<Vec<_>>();
        for (text, keys, more) in [
            ("s3://b/in/", &["in/1", "in/2"][..], None),
            ("s3://b/", &["in/1", "x"], None),
            ("s3://b/in/a.jsonl", &["in/a.jsonl"], None),
            ("s3://b/in", &["in/1", "in/2"], None),
            (
                "s3://b/in",
                &["in/1", "in_test/2", "in_test/3"],
                Some("takes 2 more, the first of them s3://b/in_test/2"),
            ),
            ("s3://b/in/a.jsonl", &["in/a.jsonl", "in/a.jsonl.bak"], Some("takes 1 more")),
        ] {
            let place = S3Prefix::from_str(text).unwrap();
            assert_eq!((place.bucket(), place.prefix()), ("b", &text[7..]));
            let warning = place.takes_more_than_meant(&objects(keys));
            assert_eq!(warning.is_some(), more.is_some(), "{text}");
            assert!(warning.unwrap_or_default().contains(more.unwrap_or_default()), "{text}");
        }
        for wrong in ["", "s3://b", "s3:///x", "https://b/x", &format!("s3://b/{}", "x".repeat(250))] {
            assert!(S3Prefix::from_str(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_ends_with_a_slash() {
        for (text, folder) in [("s3://b/out", "out/"), ("s3://b/out/", "out/"), ("s3://b/", "")] {
            assert_eq!(S3Prefix::from_str(text).unwrap().folder(), folder, "{text}");
        }
    }

    #[test]
    fn a_value_that_breaks_its_rule_is_not_deserialised() {
        assert!(serde_json::from_str::<JobName>("\"ok\"").is_ok());
        assert!(serde_json::from_str::<JobName>("\"\"").is_err());
        assert_eq!(serde_json::to_string(&JobName::from_str("ok").unwrap()).unwrap(), "\"ok\"");
    }
}
