//! Which sizes of an audience are exported.

use std::str::FromStr;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use crate::audience_size::AudienceSize;
use crate::error::{Error, ErrorName};
use crate::job::Metrics;
use crate::violations::Violations;

/// A person's choice of sizes.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportPolicy {
    /// Every size that the model offers.
    All,
    /// Generate only.
    None,
    /// These sizes, each once.
    Sizes(Vec<AudienceSize>),
    /// The largest size whose relevance is at least this.
    MinRelevance(f64),
}

/// The most bins that a configured audience model has, so the most sizes that a request can name.
const MOST_SIZES: usize = 25;

const FORMS: &str =
    r#""all", "none", "5pct,10000", "relevance>=0.7", {"sizes": [{"type", "value"}]} or {"minRelevance": 0.7}"#;

impl ExportPolicy {
    /// Reads the policy at `path` of a request: a word, a list as a person types it, or the JSON forms.
    pub(crate) fn read(value: &Value, path: &str, violations: &mut Violations) -> Option<Self> {
        if let Some(text) = value.as_str() {
            return text.parse().map_err(|problem: String| violations.add(path, problem)).ok();
        }
        let fields = violations.object(value, path, &["sizes", "minRelevance"])?;
        match (fields.get("sizes"), fields.get("minRelevance")) {
            (Some(sizes), None) => Self::read_sizes(sizes, &fields.path("sizes"), violations),
            (None, Some(least)) => {
                let least = least.as_f64();
                if least.is_none() {
                    violations.add(&fields.path("minRelevance"), "must be a number");
                }
                least.map(Self::MinRelevance)
            }
            _ => {
                violations.add(path, format_args!("needs either sizes or minRelevance ({FORMS})"));
                None
            }
        }
    }

    fn read_sizes(value: &Value, path: &str, violations: &mut Violations) -> Option<Self> {
        let Some(list) = value.as_array().filter(|list| (1..=MOST_SIZES).contains(&list.len())) else {
            violations.add(path, format_args!("must be a list of 1 to {MOST_SIZES} sizes"));
            return None;
        };
        let mut sizes = Vec::with_capacity(list.len());
        for (index, entry) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Some(fields) = violations.object(entry, &path, &["type", "value"]) else { continue };
            let kind = fields.get("type").cloned().map(serde_json::from_value);
            let value = fields.get("value").and_then(Value::as_i64);
            match (kind, value) {
                (Some(Ok(kind)), Some(value)) => match AudienceSize::new(kind, value) {
                    Ok(size) => sizes.push(size),
                    Err(problem) => violations.add(&path, problem),
                },
                _ => violations.add(&path, "needs type (ABSOLUTE or PERCENTAGE) and value (a whole number)"),
            }
        }
        Some(Self::Sizes(each_once(sizes)))
    }

    /// The sizes to export of an audience that is ready: this policy applied to what is known of it.
    ///
    /// `model_sizes` are the model's bins, where they could be read; else the sizes of the metrics stand for them.
    /// Fails as `NoSizeQualifies` where no size is known or none is relevant enough.
    pub fn choose(
        &self,
        metrics: Option<&Metrics>,
        model_sizes: Option<&[AudienceSize]>,
    ) -> Result<Vec<AudienceSize>, Error> {
        let measured = metrics.map_or(&[][..], |metrics| &metrics.relevance_metrics);
        match self {
            Self::None => Ok(Vec::new()),
            Self::Sizes(sizes) => Ok(sizes.clone()),
            Self::All => {
                let sizes = match model_sizes {
                    Some(sizes) if !sizes.is_empty() => sizes.to_vec(),
                    _ => measured.iter().map(|metric| metric.audience_size).collect(),
                };
                if sizes.is_empty() {
                    return Err(no_size(
                        "the export policy is \"all\", but neither the model's sizes nor the audience's metrics are \
                         shared with this account",
                    ));
                }
                Ok(each_once(sizes))
            }
            Self::MinRelevance(least) => {
                let qualified = measured
                    .iter()
                    .filter(|metric| metric.score.is_some_and(|score| score >= *least))
                    .map(|metric| metric.audience_size)
                    .max_by_key(|size| size.value());
                let best = measured.iter().filter_map(|metric| metric.score).max_by(f64::total_cmp);
                match (qualified, best) {
                    (Some(size), _) => Ok(vec![size]),
                    (None, Some(best)) => {
                        Err(no_size(&format!("no size has a relevance of at least {least}; the best has {best}")))
                    }
                    (None, None) => Err(no_size("the relevance of the sizes is not shared with this account")),
                }
            }
        }
    }
}

fn no_size(reason: &str) -> Error {
    Error::new(
        ErrorName::NoSizeQualifies,
        format!(
            "Nothing was exported: {reason}. The audience stays: start an execution with its audienceGenerationJobArn \
             and an export policy that names sizes."
        ),
    )
}

fn each_once(mut sizes: Vec<AudienceSize>) -> Vec<AudienceSize> {
    let mut seen = std::collections::HashSet::new();
    sizes.retain(|size| seen.insert(*size));
    sizes
}

/// As a person types it, or JSON: what object metadata and the template parameter hold.
impl FromStr for ExportPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with(['{', '"']) {
            let value: Value = serde_json::from_str(text).map_err(|_| format!("is not JSON ({FORMS})"))?;
            // Quotes within quotes within quotes would be held in memory all at once.
            if value.as_str().is_some_and(|within| within.trim_start().starts_with('"')) {
                return Err(format!("is in quotes twice ({FORMS})"));
            }
            let mut violations = Violations::default();
            let policy = Self::read(&value, "export", &mut violations);
            return violations.into_result(policy).map_err(|violations| violations.to_string());
        }
        match text {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::None),
            _ => {}
        }
        if let Some(least) = text.strip_prefix("relevance").and_then(|rest| rest.trim_start().strip_prefix(">=")) {
            return match least.trim().parse::<f64>() {
                Ok(least) if least.is_finite() => Ok(Self::MinRelevance(least)),
                _ => Err(format!("names no relevance ({FORMS})")),
            };
        }
        let sizes: Result<Vec<_>, String> = text.split(',').map(str::parse).collect();
        match sizes {
            Ok(sizes) if sizes.len() <= MOST_SIZES => Ok(Self::Sizes(each_once(sizes))),
            Ok(sizes) => Err(format!("names {} sizes (1 to {MOST_SIZES})", sizes.len())),
            Err(problem) => Err(format!("{problem}; {FORMS} are understood")),
        }
    }
}

impl Serialize for ExportPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::None => serializer.serialize_str("none"),
            Self::Sizes(sizes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("sizes", sizes)?;
                map.end()
            }
            Self::MinRelevance(least) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("minRelevance", least)?;
                map.end()
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for ExportPolicy {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let mut violations = Violations::default();
        let policy = Self::read(&value, "export", &mut violations);
        violations.into_result(policy).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn metrics(scores: &[(i64, Option<f64>)]) -> Metrics {
        let relevance: Vec<_> = scores
            .iter()
            .map(|(value, score)| json!({"audienceSize": {"type": "PERCENTAGE", "value": value}, "score": score}))
            .collect();
        serde_json::from_value(json!({"relevanceMetrics": relevance, "recallMetric": 0.5})).unwrap()
    }

    fn chosen(policy: &str, scores: &[(i64, Option<f64>)]) -> Result<Vec<String>, String> {
        let policy: ExportPolicy = policy.parse().unwrap();
        let sizes = policy.choose(Some(&metrics(scores)), None);
        sizes.map(|sizes| sizes.iter().map(ToString::to_string).collect()).map_err(|error| error.message)
    }

    #[test]
    fn where_the_model_tells_no_sizes_those_of_the_metrics_stand_for_them() {
        for model_sizes in [None, Some(&[][..])] {
            let sizes = ExportPolicy::All.choose(Some(&metrics(&[(5, None), (10, None)])), model_sizes).unwrap();
            assert_eq!(sizes, ["5pct".parse().unwrap(), "10pct".parse().unwrap()]);
        }
    }

    #[test]
    fn a_policy_may_be_in_quotes_once() {
        assert_eq!("\"all\"".parse(), Ok(ExportPolicy::All));
        let twice = json!(json!("all").to_string()).to_string();
        assert!(twice.parse::<ExportPolicy>().unwrap_err().starts_with("is in quotes twice"));
    }

    #[test]
    fn a_policy_reads_the_same_typed_as_json_and_written_again() {
        for (typed, json) in [
            ("all", json!("all")),
            (" none ", json!("none")),
            (
                "5pct, 10000,5pct",
                json!({"sizes": [
                {"type": "PERCENTAGE", "value": 5}, {"type": "ABSOLUTE", "value": 10000}]}),
            ),
            ("relevance >= 0.7", json!({"minRelevance": 0.7})),
            ("relevance>=9.223372036854776e71", json!({"minRelevance": 9.223_372_036_854_776e71})),
        ] {
            let policy: ExportPolicy = typed.parse().unwrap();
            assert_eq!(serde_json::to_value(&policy).unwrap(), json);
            assert_eq!(serde_json::from_value::<ExportPolicy>(json.clone()).unwrap(), policy);
            assert_eq!(json.to_string().parse::<ExportPolicy>().unwrap(), policy, "{json}");
        }
    }

    #[test]
    fn a_policy_that_is_none_says_what_is_understood() {
        for wrong in [
            "",
            "everything",
            "5pct;10pct",
            "0pct",
            "relevance>=high",
            "relevance>=NaN",
            "{",
            "{}",
            r#"{"sizes": []}"#,
            r#"{"sizes": [{"type": "PERCENTAGE"}]}"#,
            r#"{"sizes": [5]}"#,
            r#"{"minRelevance": "x"}"#,
            r#"{"minRelevance": 1, "sizes": [{"type": "ABSOLUTE", "value": 1}]}"#,
            r#"{"size": []}"#,
        ] {
            assert!(wrong.parse::<ExportPolicy>().is_err(), "{wrong}");
        }
        let many = (1..=26).map(|size| size.to_string()).collect::<Vec<_>>();
        assert!(many.join(",").parse::<ExportPolicy>().is_err());
        assert!(many[..25].join(",").parse::<ExportPolicy>().is_ok());
    }

    #[test]
    fn the_largest_size_that_is_relevant_enough_is_chosen() {
        let scores = [(1, Some(0.9)), (5, Some(0.7)), (10, Some(0.4)), (20, None)];
        assert_eq!(chosen("relevance>=0.7", &scores).unwrap(), ["5pct"]);
        assert_eq!(chosen("relevance>=-1", &scores).unwrap(), ["10pct"]);
        let message = chosen("relevance>=0.95", &scores).unwrap_err();
        assert!(message.contains("the best has 0.9"), "{message}");
        assert!(chosen("relevance>=0.1", &[(5, None)]).unwrap_err().contains("not shared"));
    }

    #[test]
    fn all_means_the_models_sizes_or_else_the_measured_ones() {
        let bins: Vec<AudienceSize> = vec!["2pct".parse().unwrap(), "3pct".parse().unwrap()];
        let measured = metrics(&[(5, None)]);
        assert_eq!(ExportPolicy::All.choose(Some(&measured), Some(&bins)).unwrap(), bins);
        assert_eq!(chosen("all", &[(5, None), (10, Some(0.2))]).unwrap(), ["5pct", "10pct"]);
        let error = ExportPolicy::All.choose(None, None).unwrap_err();
        assert_eq!(error.name, ErrorName::NoSizeQualifies);
    }

    #[test]
    fn none_exports_nothing_and_named_sizes_need_no_metrics() {
        assert_eq!(ExportPolicy::None.choose(None, None).unwrap(), []);
        let sizes: ExportPolicy = "5pct".parse().unwrap();
        assert_eq!(sizes.choose(None, None).unwrap().len(), 1);
    }
}
