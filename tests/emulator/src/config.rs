//! The configuration file: the models and solution versions, the duration of jobs, the quotas, and the address of S3.

use std::path::{Path, PathBuf};

use lookalike::audience_size::{AudienceSize, AudienceSizeType};
use lookalike::values::{ConfiguredAudienceModelArn, RoleArn, S3Uri};
use serde::Deserialize;

use crate::faults::{Fault, FaultPlan};
use crate::personalize_values::PersonalizeArn;

/// The configuration, as JSON. Only the models are required.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Config {
    /// The address of S3. The default is `AWS_ENDPOINT_URL_S3`, then `AWS_ENDPOINT_URL`, then AWS.
    #[serde(default)]
    pub s3_endpoint: Option<String>,
    /// The account of every caller. The default is the account of the first model. A model of another account accepts
    /// jobs of a collaboration; every other call rejects its ARN.
    #[serde(default)]
    pub account_id: Option<String>,
    /// The minimum time of a generation job.
    #[serde(default = "one_second")]
    pub generation_seconds: f64,
    /// The minimum time of an export job.
    #[serde(default = "one_second")]
    pub export_seconds: f64,
    /// The minimum time of a segment job.
    #[serde(default = "three_seconds")]
    pub segment_seconds: f64,
    /// The time of the deletion of a generation job.
    #[serde(default = "one_second")]
    pub deletion_seconds: f64,
    /// The quota of generation jobs of the account that are pending or in progress. The default is 10, as on AWS.
    #[serde(default = "default_max_generation_jobs_in_flight")]
    pub max_generation_jobs_in_flight: u32,
    /// The quota of export jobs of the account that are pending or in progress. The default is 20, as on AWS.
    #[serde(default = "default_max_export_jobs_in_flight")]
    pub max_export_jobs_in_flight: u32,
    /// The quota of exports of one generation job that have not failed. No call deletes an export, so a quota that is
    /// used up stays used up. The default is 25, as on AWS.
    #[serde(default = "default_max_exports_per_generation_job")]
    pub max_exports_per_generation_job: u32,
    /// The quota of segment jobs that are pending or in progress. The default is no quota.
    #[serde(default)]
    pub max_segment_jobs_in_flight: Option<u32>,
    /// The error that answers an ARN of another account. AWS does not document which one it is.
    #[serde(default)]
    pub other_account_error: OtherAccountError,
    /// Whether `GetAudienceGenerationJob` shows no tags of a job that uses a model of another account. AWS does not
    /// document whether it does. The list of started jobs shows the tags of the request in both cases.
    #[serde(default)]
    pub drop_tags_for_other_accounts_models: bool,
    /// The objects that an export writes. AWS does not document them.
    #[serde(default)]
    pub export_layout: ExportLayout,
    /// The time after which a connection without a request is closed. The default is 5.
    #[serde(default = "default_idle_connection_seconds")]
    pub idle_connection_seconds: f64,
    /// The solution versions of Personalize.
    #[serde(default)]
    pub solution_versions: Vec<SolutionVersionConfig>,
    /// The configured audience models.
    pub models: Vec<ModelConfig>,
    /// The faults to inject.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// The seed of the random numbers of faults.
    #[serde(default)]
    pub fault_seed: u64,
    /// Whether no data is read or written: for a simulation, in which jobs only take their time.
    #[serde(skip)]
    pub without_data: bool,
    /// The folder of the file: relative paths start here.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A configured audience model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ModelConfig {
    /// Its ARN, with its region and its account.
    pub configured_audience_model_arn: ConfiguredAudienceModelArn,
    /// Its name.
    pub name: String,
    /// Its description.
    #[serde(default)]
    pub description: Option<String>,
    /// Interactions as CSV (`user_id`, `item_id`, `timestamp`), plain or gzip-compressed: a path or an S3 URI.
    pub training_data: String,
    /// The prefix of the exports.
    pub output_s3_uri: S3Uri,
    /// The role that writes the exports. By default a name is made up.
    #[serde(default)]
    pub output_role_arn: Option<RoleArn>,
    /// How many users of a seed must be in the training data, at least.
    #[serde(default = "default_min_matching_seed_size")]
    pub min_matching_seed_size: u32,
    /// The sizes that it offers.
    pub audience_size_config: AudienceSizeConfig,
    /// Whether metrics are shown.
    #[serde(default = "all_metrics")]
    pub shared_audience_metrics: [SharedMetrics; 1],
    /// The ARN of the audience model behind it. By default it is derived from its own ARN.
    #[serde(default)]
    pub audience_model_arn: Option<String>,
    /// The seed that is used as the result of every SQL query, because there is no SQL engine here.
    #[serde(default)]
    pub sql_seed_s3_uri: Option<S3Uri>,
}

/// A solution version.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SolutionVersionConfig {
    /// Its ARN, with the region and the account of its jobs.
    pub solution_version_arn: PersonalizeArn,
    /// Its recipe: the kind of its lines of input.
    pub recipe: Recipe,
    /// Interactions, as those of a model.
    pub training_data: String,
    /// The items as CSV (`item_id`, and a column for each attribute): a path or an S3 URI. Required for
    /// `aws-item-attribute-affinity`, not allowed for `aws-item-affinity`.
    #[serde(default)]
    pub items: Option<String>,
}

/// The error that answers an ARN of another account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum OtherAccountError {
    /// 403 in Clean Rooms ML, 400 in Personalize.
    #[default]
    #[serde(rename = "AccessDeniedException")]
    AccessDenied,
    /// 404 in Clean Rooms ML, 400 in Personalize. Operations whose service model does not have this error answer
    /// `AccessDeniedException`.
    #[serde(rename = "ResourceNotFoundException")]
    ResourceNotFound,
    /// 400. Personalize names it `InvalidInputException`.
    #[serde(rename = "ValidationException")]
    Validation,
}

/// The objects that an export writes, and the location that it reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExportLayout {
    /// One file of JSON Lines. The location is its URI.
    #[default]
    File,
    /// One file of JSON Lines, gzip-compressed. The location is its URI.
    GzipFile,
    /// Files of JSON Lines in one folder. The location is the folder, with `/` at its end.
    Parts,
    /// Files of JSON Lines in one folder, each gzip-compressed. The location is the folder, with `/` at its end.
    GzipParts,
    /// The files of a folder as Spark writes them, with an empty `_SUCCESS`. The location is the folder, without `/` at
    /// its end.
    SparkFolder,
}

/// A recipe for user segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Recipe {
    /// Lines are `{"itemId": "…"}`.
    #[serde(rename = "aws-item-affinity")]
    ItemAffinity,
    /// Lines are `{"itemAttributes": "…"}`.
    #[serde(rename = "aws-item-attribute-affinity")]
    ItemAttributeAffinity,
}

/// The sizes that a model offers.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AudienceSizeConfig {
    /// Their unit.
    pub audience_size_type: AudienceSizeType,
    /// The sizes.
    pub audience_size_bins: Vec<u32>,
}

/// The metrics that a model shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SharedMetrics {
    /// Relevance and recall.
    All,
    /// Neither.
    None,
}

impl Config {
    /// Returns the path of the configuration of `tests/data`, the default of the program.
    #[must_use]
    pub fn sample_path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/emulator.json")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If the file cannot be read or is wrong. The error names the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let mut config: Self = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        config.folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        config.check().map_err(|error| wrong(&error))?;
        Ok(config)
    }

    /// Checks the rules that the types do not check.
    ///
    /// # Errors
    /// If a member is wrong. The error names it and says what is allowed.
    pub fn check(&self) -> Result<(), String> {
        if self.models.is_empty() {
            return Err("models: one model is needed".to_owned());
        }
        let times = [
            ("generationSeconds", self.generation_seconds),
            ("exportSeconds", self.export_seconds),
            ("segmentSeconds", self.segment_seconds),
            ("deletionSeconds", self.deletion_seconds),
            ("idleConnectionSeconds", self.idle_connection_seconds),
        ];
        for (name, seconds) in times {
            if !(0.0..=1e6).contains(&seconds) {
                return Err(format!("{name}: must be 0 to 1000000"));
            }
        }
        if self.idle_connection_seconds <= 0.0 {
            return Err("idleConnectionSeconds: must be more than 0".to_owned());
        }
        self.fault_plan().check()?;
        for model in &self.models {
            let arn = &model.configured_audience_model_arn;
            if !(25..=500_000).contains(&model.min_matching_seed_size) {
                return Err(format!("{arn}: minMatchingSeedSize: must be 25 to 500000"));
            }
            let sizes = &model.audience_size_config;
            if !(1..=25).contains(&sizes.audience_size_bins.len()) {
                return Err(format!("{arn}: audienceSizeBins: must be 1 to 25 sizes"));
            }
            model.sizes().map_err(|error| format!("{arn}: audienceSizeBins: {error}"))?;
            if self.models.iter().filter(|other| other.configured_audience_model_arn == *arn).count() > 1 {
                return Err(format!("{arn}: is there twice"));
            }
        }
        for version in &self.solution_versions {
            let arn = &version.solution_version_arn;
            match (version.recipe, &version.items) {
                (Recipe::ItemAttributeAffinity, None) => return Err(format!("{arn}: items: are needed")),
                (Recipe::ItemAffinity, Some(_)) => return Err(format!("{arn}: items: have no effect on its recipe")),
                (Recipe::ItemAttributeAffinity, Some(_)) | (Recipe::ItemAffinity, None) => {}
            }
            if self.solution_versions.iter().filter(|other| other.solution_version_arn == *arn).count() > 1 {
                return Err(format!("{arn}: is there twice"));
            }
        }
        Ok(())
    }

    /// Returns the faults to inject.
    #[must_use]
    pub fn fault_plan(&self) -> FaultPlan {
        FaultPlan { faults: self.faults.clone(), fault_seed: self.fault_seed }
    }

    /// Returns the account of every caller.
    #[must_use]
    pub fn account(&self) -> &str {
        let of_model =
            || self.models.first().map(|model| arn_part(model.configured_audience_model_arn.as_str(), ACCOUNT));
        self.account_id.as_deref().or_else(of_model).unwrap_or("123456789012")
    }
}

impl Recipe {
    /// Returns its name: the last part of its ARN.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ItemAffinity => "aws-item-affinity",
            Self::ItemAttributeAffinity => "aws-item-attribute-affinity",
        }
    }
}

impl ModelConfig {
    /// Returns the model's sizes.
    ///
    /// # Errors
    /// If a bin is out of the API's range.
    pub fn sizes(&self) -> Result<Vec<AudienceSize>, String> {
        let AudienceSizeConfig { audience_size_type, audience_size_bins } = &self.audience_size_config;
        audience_size_bins.iter().map(|bin| AudienceSize::new(*audience_size_type, (*bin).into())).collect()
    }

    /// Returns the account that owns it.
    #[must_use]
    pub fn account(&self) -> &str {
        arn_part(self.configured_audience_model_arn.as_str(), ACCOUNT)
    }

    /// Returns its region.
    #[must_use]
    pub fn region(&self) -> &str {
        arn_part(self.configured_audience_model_arn.as_str(), REGION)
    }

    /// Returns its partition: `aws`, or another one.
    #[must_use]
    pub fn partition(&self) -> &str {
        arn_part(self.configured_audience_model_arn.as_str(), PARTITION)
    }
}

/// The parts of an ARN by their place.
const PARTITION: usize = 1;
const REGION: usize = 3;
const ACCOUNT: usize = 4;

/// Returns the account of an ARN. The text is empty if the ARN has none.
pub(crate) fn account_of(arn: &str) -> &str {
    arn_part(arn, ACCOUNT)
}

/// Returns the partition of an ARN: `aws`, or another one.
pub(crate) fn partition_of(arn: &str) -> &str {
    arn_part(arn, PARTITION)
}

fn arn_part(arn: &str, part: usize) -> &str {
    arn.split(':').nth(part).unwrap_or_default()
}

fn one_second() -> f64 {
    1.0
}

fn three_seconds() -> f64 {
    3.0
}

fn default_idle_connection_seconds() -> f64 {
    5.0
}

fn default_max_generation_jobs_in_flight() -> u32 {
    10
}

fn default_max_export_jobs_in_flight() -> u32 {
    20
}

fn default_max_exports_per_generation_job() -> u32 {
    25
}

fn default_min_matching_seed_size() -> u32 {
    500
}

fn all_metrics() -> [SharedMetrics; 1] {
    [SharedMetrics::All]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    fn sample(change: impl FnOnce(&mut serde_json::Value)) -> Result<Config, String> {
        let mut json = serde_json::from_str(&std::fs::read_to_string(Config::sample_path()).unwrap()).unwrap();
        change(&mut json);
        let config: Config = serde_json::from_value(json).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn the_account_is_that_of_the_first_model_unless_said() {
        assert_eq!(sample(|_| ()).unwrap().account(), "000000000000");
        assert_eq!(sample(|json| json["accountId"] = "111122223333".into()).unwrap().account(), "111122223333");
    }

    #[test]
    fn a_wrong_configuration_names_the_member() {
        let error = |change: fn(&mut serde_json::Value)| sample(change).unwrap_err();
        assert!(error(|json| json["colour"] = 1.into()).contains("colour"));
        assert!(error(|json| json["exportSeconds"] = (-1).into()).contains("exportSeconds"));
        assert!(error(|json| json["models"] = serde_json::json!([])).contains("models"));
        assert!(error(|json| json["models"][0]["minMatchingSeedSize"] = 24.into()).contains("minMatchingSeedSize"));
        let faults = |json: &mut serde_json::Value| {
            json["faults"] = serde_json::json!([{"times": 0, "fault": {"kind": "stuck"}}]);
        };
        assert!(error(faults).contains("faults[0].times"));
        let bins = |json: &mut serde_json::Value| {
            json["models"][0]["audienceSizeConfig"]["audienceSizeBins"] = serde_json::json!([101]);
        };
        assert!(error(bins).contains("audienceSizeBins"));
        let twice = |json: &mut serde_json::Value| {
            json["models"] = serde_json::json!([json["models"][0], json["models"][0]]);
        };
        assert!(error(twice).contains("twice"));
    }

    #[test]
    fn the_default_quotas_are_those_of_aws() {
        let config = sample(|_| ()).unwrap();
        let quotas = [
            config.max_generation_jobs_in_flight,
            config.max_export_jobs_in_flight,
            config.max_exports_per_generation_job,
        ];
        assert_eq!(quotas, [10, 20, 25]);
    }

    #[test]
    fn a_wrong_choice_names_the_value() {
        let error = |member: &str, value: &str| sample(|json| json[member] = value.into()).unwrap_err();
        assert!(error("otherAccountError", "TeapotException").contains("TeapotException"));
        assert!(error("exportLayout", "parquet").contains("parquet"));
    }

    #[test]
    fn an_idle_time_of_zero_is_rejected() {
        let error = sample(|json| json["idleConnectionSeconds"] = 0.into()).unwrap_err();
        assert!(error.contains("idleConnectionSeconds"), "{error}");
    }

    #[test]
    fn a_wrong_solution_version_names_the_member() {
        let error =
            |change: fn(&mut serde_json::Value)| sample(|json| change(&mut json["solutionVersions"])).unwrap_err();
        assert!(error(|versions| versions[0]["solutionVersionArn"] = "arn".into()).contains("personalize"));
        assert!(error(|versions| versions[0]["recipe"] = "aws-hrnn".into()).contains("aws-hrnn"));
        assert!(error(|versions| versions[0]["items"] = "items.csv".into()).contains("items"));
        assert!(error(|versions| versions[1]["items"] = serde_json::Value::Null).contains("items"));
        assert!(error(|versions| versions[1] = versions[0].clone()).contains("twice"));
    }
}
