//! What a configured audience model asks of a request and its seed: known in seconds, else told after hours.

use crate::audience_size::AudienceSize;
use crate::error::{Error, ErrorName};
use crate::export_policy::ExportPolicy;
use crate::seed::SeedCount;

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
