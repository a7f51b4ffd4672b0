//! What a configured audience model asks of a request and its seed: known in seconds, else told after hours.

use crate::audience_size::AudienceSize;
use crate::error::{Error, ErrorName};
use crate::export_policy::ExportPolicy;
use crate::seed::SeedCount;
use crate::values::{ArnOwner, ConfiguredAudienceModelArn};

/// What could be read of a configured audience model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The fewest users of a seed that the training data must know.
    pub min_matching_seed_size: u64,
    /// The sizes that can be exported; empty where the model does not say.
    pub sizes: Vec<AudienceSize>,
}

/// `minMatchingSeedSize` of a model that does not say it.
pub const DEFAULT_MIN_MATCHING_SEED_SIZE: u64 = 500;

/// Whether the model of a request can be read by this run: only if it belongs to the run's own account, because no call
/// but the start works across accounts. Errors as `InvalidRequest` if the model is in another Region or partition.
pub fn can_be_read(arn: &ConfiguredAudienceModelArn, run: ArnOwner<'_>) -> Result<bool, Error> {
    match ArnOwner::parse(arn.as_str()) {
        Some(model) if model.is_same_region(run) => Ok(model.account == run.account),
        _ => {
            let message = format!(
                "configuredAudienceModelArn: {arn} is not in {} ({}), where the stack is. Name a model of this Region.",
                run.region, run.partition
            );
            Err(Error::new(ErrorName::InvalidRequest, message))
        }
    }
}

impl Model {
    /// Errors as `InvalidRequest` where the request names sizes that the model does not offer.
    pub fn check_sizes(&self, export: &ExportPolicy) -> Result<(), Error> {
        let ExportPolicy::Sizes(sizes) = export else { return Ok(()) };
        let strange: Vec<_> = sizes.iter().filter(|size| !self.sizes.contains(size)).map(ToString::to_string).collect();
        if self.sizes.is_empty() || strange.is_empty() {
            return Ok(());
        }
        let offered: Vec<_> = self.sizes.iter().map(ToString::to_string).collect();
        let message = format!(
            "export: {} is not offered by the configured audience model (it offers {}). Choose among these.",
            strange.join(", "),
            offered.join(", ")
        );
        Err(Error::new(ErrorName::InvalidRequest, message))
    }

    /// Errors as `InvalidSeed` where the seed has fewer users than the model must find again.
    pub fn check_seed(&self, seed: &SeedCount, place: &str) -> Result<(), Error> {
        if seed.unique_users >= self.min_matching_seed_size {
            return Ok(());
        }
        let message = format!(
            "{place} has {} unique users, but the configured audience model needs at least {} that its training data \
             knows (minMatchingSeedSize). Upload a larger seed.",
            seed.unique_users, self.min_matching_seed_size
        );
        Err(Error::new(ErrorName::InvalidSeed, message))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn model() -> Model {
        Model { min_matching_seed_size: 500, sizes: vec!["5pct".parse().unwrap(), "10pct".parse().unwrap()] }
    }

    #[test]
    fn only_a_model_of_the_runs_account_can_be_read() {
        let run = ArnOwner { partition: "aws", region: "eu-west-1", account: "123456789012" };
        let can_be_read = |partition: &str, region: &str, account: &str| {
            let arn = format!("arn:{partition}:cleanrooms-ml:{region}:{account}:configured-audience-model/1");
            super::can_be_read(&arn.parse().unwrap(), run)
        };
        assert_eq!(can_be_read("aws", "eu-west-1", "123456789012"), Ok(true));
        assert_eq!(can_be_read("aws", "eu-west-1", "444455556666"), Ok(false));
        for (partition, region) in [("aws", "us-east-1"), ("aws-cn", "eu-west-1")] {
            let error = can_be_read(partition, region, "123456789012").unwrap_err();
            assert_eq!(error.name, ErrorName::InvalidRequest);
            assert!(error.message.contains("is not in eu-west-1 (aws)"), "{error}");
        }
    }

    #[test]
    fn a_size_outside_the_bins_is_named_with_the_bins() {
        let error = model().check_sizes(&"5pct,7pct,10".parse().unwrap()).unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains("7pct, 10 is not offered") && error.message.contains("5pct, 10pct"));
        assert!(model().check_sizes(&"10pct".parse().unwrap()).is_ok());
        assert!(model().check_sizes(&ExportPolicy::All).is_ok());
        let silent = Model { sizes: vec![], ..model() };
        assert!(silent.check_sizes(&"7pct".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_seed_smaller_than_the_model_needs_is_refused() {
        let seed = |unique_users| SeedCount { users: 999, unique_users, ..SeedCount::default() };
        assert!(model().check_seed(&seed(500), "s3://b/k").is_ok());
        let error = model().check_seed(&seed(499), "s3://b/k").unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidSeed);
        assert!(error.message.starts_with("s3://b/k has 499 unique users") && error.message.contains("500"));
    }
}
