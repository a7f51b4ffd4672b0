//! The stack's settings as a run receives them: the template's parameters, as strings in the definition of the workflow.
//!
//! All are strings, because CloudFormation inserts text, and an empty string means not set. They are parsed once, at the
//! edge. So a changed parameter reaches the next run, and a run under way keeps what it began with.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::error::{Error, ErrorName};
use crate::export_policy::ExportPolicy;
use crate::request::{Defaults, MOST_DEADLINE_SECONDS};
use crate::schedule::PollBounds;
use crate::segment_request::SegmentDefaults;
use crate::values::{CollaborationId, ConfiguredAudienceModelArn, KmsKeyArn, RoleArn, SegmentRoleArn};

/// The settings as the workflow writes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawStackSettings {
    configured_audience_model_arn: String,
    collaboration_id: String,
    export: String,
    deadline_seconds: String,
    seed_role_arn: String,
    sql_seeds: String,
    segment_role_arn: String,
    kms_key_arn: String,
    poll_min_seconds: String,
    poll_max_seconds: String,
}

/// The settings of the stack that concern the check of a request.
#[derive(Clone, Debug)]
pub struct StackSettings {
    /// What an audience request need not say, without the run's name.
    pub defaults: Defaults,
    /// What a segment request need not say, without the job's name.
    pub segment_defaults: SegmentDefaults,
    /// Whether the seed role may run a query.
    pub allows_sql_seeds: bool,
    /// The key that encrypts the stack's bucket; `None` if S3's own does.
    pub kms_key_arn: Option<KmsKeyArn>,
    /// The bounds of the wait between two status checks.
    pub poll: PollBounds,
}

impl RawStackSettings {
    /// Parses every setting. Errors as `InvalidRequest` with the name of the template's parameter, never with its value.
    pub fn parse(&self) -> Result<StackSettings, Error> {
        let deadline_seconds = required("DeadlineSeconds", &self.deadline_seconds)?;
        if !(1..=MOST_DEADLINE_SECONDS).contains(&deadline_seconds) {
            return Err(wrong("DeadlineSeconds", format_args!("must be 1 to {MOST_DEADLINE_SECONDS}")));
        }
        let poll = PollBounds::new(
            required("PollMinSeconds", &self.poll_min_seconds)?,
            required("PollMaxSeconds", &self.poll_max_seconds)?,
        );
        Ok(StackSettings {
            defaults: Defaults {
                name: None,
                configured_audience_model_arn: Some(required::<ConfiguredAudienceModelArn>(
                    "ConfiguredAudienceModelArn",
                    &self.configured_audience_model_arn,
                )?),
                role_arn: Some(required::<RoleArn>("SeedRoleArn", &self.seed_role_arn)?),
                collaboration_id: optional::<CollaborationId>("CollaborationId", &self.collaboration_id)?,
                export: Some(export_policy(&self.export)?),
                deadline_seconds: Some(deadline_seconds),
            },
            segment_defaults: SegmentDefaults {
                job_name: None,
                role_arn: optional::<SegmentRoleArn>("SegmentRoleArn", &self.segment_role_arn)?,
                deadline_seconds: Some(deadline_seconds),
            },
            // The template computes it of the two parameters.
            allows_sql_seeds: required("MembershipId or SeedRoleArn", &self.sql_seeds)?,
            kms_key_arn: optional("KmsKeyArn", &self.kms_key_arn)?,
            poll: poll.map_err(|problem| wrong("PollMinSeconds and PollMaxSeconds", problem))?,
        })
    }
}

/// The compact forms only: the braces and quotes of JSON cannot be inserted into a definition.
fn export_policy(text: &str) -> Result<ExportPolicy, Error> {
    if text.starts_with(['{', '"']) {
        let problem = "must be all, none, a list such as 5pct,10000, or relevance>=0.7; only requests take JSON";
        return Err(wrong("ExportPolicy", problem));
    }
    required("ExportPolicy", text)
}

fn required<T: FromStr<Err: fmt::Display>>(parameter: &str, text: &str) -> Result<T, Error> {
    optional(parameter, text)?.ok_or_else(|| wrong(parameter, "is not set"))
}

fn optional<T: FromStr<Err: fmt::Display>>(parameter: &str, text: &str) -> Result<Option<T>, Error> {
    let value = Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose();
    value.map_err(|problem: T::Err| wrong(parameter, problem))
}

fn wrong(parameter: &str, problem: impl fmt::Display) -> Error {
    let message = format!("The stack's parameter {parameter}: {problem}. Correct it and deploy the stack again.");
    Error::new(ErrorName::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::execution::read_event;
    use serde_json::{Value, json};

    fn raw() -> Value {
        json!({
            "configuredAudienceModelArn": "arn:aws:cleanrooms-ml:us-east-1:123456789012:configured-audience-model/1",
            "collaborationId": "01234567-89ab-cdef-0123-456789abcdef", "export": "5pct,10000", "deadlineSeconds": "3600",
            "seedRoleArn": "arn:aws:iam::123456789012:role/seed", "sqlSeeds": "true",
            "segmentRoleArn": "arn:aws:iam::123456789012:role/segments",
            "kmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1", "pollMinSeconds": "13", "pollMaxSeconds": "900",
        })
    }

    fn parse(changes: &[(&str, &str)]) -> Result<StackSettings, Error> {
        let mut settings = raw();
        for (field, value) in changes {
            settings[field] = json!(value);
        }
        read_event::<RawStackSettings>(settings)?.parse()
    }

    #[test]
    fn every_setting_is_parsed() {
        let StackSettings { defaults, segment_defaults, allows_sql_seeds, kms_key_arn, poll } = parse(&[]).unwrap();
        assert!(defaults.configured_audience_model_arn.unwrap().as_str().ends_with("configured-audience-model/1"));
        assert_eq!(defaults.role_arn.unwrap().as_str(), "arn:aws:iam::123456789012:role/seed");
        assert_eq!(defaults.collaboration_id.unwrap().as_str(), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(defaults.export, Some("5pct,10000".parse().unwrap()));
        assert_eq!((defaults.deadline_seconds, segment_defaults.deadline_seconds), (Some(3600), Some(3600)));
        assert_eq!(segment_defaults.role_arn.unwrap().as_str(), "arn:aws:iam::123456789012:role/segments");
        assert_eq!(kms_key_arn.unwrap().as_str(), "arn:aws:kms:us-east-1:123456789012:key/1");
        assert!(allows_sql_seeds);
        assert_eq!(poll, PollBounds::new(13, 900).unwrap());
    }

    #[test]
    fn an_empty_setting_is_not_set() {
        let changes = [("collaborationId", ""), ("segmentRoleArn", ""), ("kmsKeyArn", ""), ("sqlSeeds", "false")];
        let settings = parse(&changes).unwrap();
        assert_eq!((settings.defaults.collaboration_id, settings.segment_defaults.role_arn), (None, None));
        assert_eq!((settings.kms_key_arn, settings.allows_sql_seeds), (None, false));
    }

    #[test]
    fn a_wrong_setting_is_named_by_its_parameter() {
        for (field, value, parameter) in [
            ("configuredAudienceModelArn", "", "ConfiguredAudienceModelArn: is not set"),
            ("configuredAudienceModelArn", "SECRET", "ConfiguredAudienceModelArn: has 6 characters"),
            ("collaborationId", "SECRET", "CollaborationId: is not of the form"),
            ("export", "", "ExportPolicy: is not set"),
            ("export", "{\"minRelevance\": 0.7}", "ExportPolicy: must be all, none"),
            ("deadlineSeconds", "soon", "DeadlineSeconds"),
            ("deadlineSeconds", "0", "DeadlineSeconds: must be 1 to 2592000"),
            ("deadlineSeconds", "2592001", "DeadlineSeconds: must be 1 to 2592000"),
            ("seedRoleArn", "", "SeedRoleArn: is not set"),
            ("sqlSeeds", "yes", "MembershipId or SeedRoleArn"),
            ("segmentRoleArn", "SECRET", "SegmentRoleArn"),
            ("kmsKeyArn", "SECRET", "KmsKeyArn"),
            ("pollMinSeconds", "", "PollMinSeconds: is not set"),
            ("pollMaxSeconds", "12", "PollMinSeconds and PollMaxSeconds"),
        ] {
            let error = parse(&[(field, value)]).unwrap_err();
            assert_eq!(error.name, ErrorName::InvalidRequest);
            assert!(error.message.starts_with(&format!("The stack's parameter {parameter}")), "{error}");
            assert!(error.message.ends_with("Correct it and deploy the stack again."), "{error}");
            assert!(!error.message.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn settings_that_are_missing_from_the_event_are_named() {
        let mut settings = raw();
        settings.as_object_mut().unwrap().remove("sqlSeeds");
        let error = read_event::<RawStackSettings>(settings).unwrap_err();
        assert!(error.message.contains("missing field `sqlSeeds`"), "{error}");
    }
}
