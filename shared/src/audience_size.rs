//! The size of an audience, as the API has it.

use std::fmt;
use std::str::FromStr;

use aws_sdk_cleanroomsml::types::{AudienceSize as SdkSize, AudienceSizeType as SdkSizeType};
use serde::{Deserialize, Serialize};

/// What the value of a size counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AudienceSizeType {
    /// Users.
    Absolute,
    /// Percent of the users in the training data.
    Percentage,
}

impl AudienceSizeType {
    /// The service's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absolute => "ABSOLUTE",
            Self::Percentage => "PERCENTAGE",
        }
    }
}

/// How large an audience is: 1 to 20,000,000 users, or 1 to 100 percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "WireSize")]
pub struct AudienceSize {
    #[serde(rename = "type")]
    kind: AudienceSizeType,
    value: u32,
}

#[derive(Deserialize)]
struct WireSize {
    #[serde(rename = "type")]
    kind: AudienceSizeType,
    value: i64,
}

impl TryFrom<WireSize> for AudienceSize {
    type Error = String;

    fn try_from(wire: WireSize) -> Result<Self, String> {
        Self::new(wire.kind, wire.value)
    }
}

impl AudienceSize {
    /// A size within the API's limits.
    pub fn new(kind: AudienceSizeType, value: i64) -> Result<Self, String> {
        let most = match kind {
            AudienceSizeType::Absolute => 20_000_000,
            AudienceSizeType::Percentage => 100,
        };
        match u32::try_from(value) {
            Ok(value) if (1..=most).contains(&value) => Ok(Self { kind, value }),
            _ => Err(format!("{} {value} is out of range (1 to {most})", kind.as_str())),
        }
    }

    /// What the value counts.
    #[must_use]
    pub fn kind(self) -> AudienceSizeType {
        self.kind
    }

    /// Users, or percent.
    #[must_use]
    pub fn value(self) -> u32 {
        self.value
    }
}

impl From<AudienceSizeType> for SdkSizeType {
    fn from(kind: AudienceSizeType) -> Self {
        kind.as_str().into()
    }
}

impl TryFrom<&SdkSizeType> for AudienceSizeType {
    type Error = String;

    fn try_from(kind: &SdkSizeType) -> Result<Self, String> {
        match kind {
            SdkSizeType::Absolute => Ok(Self::Absolute),
            SdkSizeType::Percentage => Ok(Self::Percentage),
            other => Err(format!("{} is no type of a size (ABSOLUTE or PERCENTAGE)", other.as_str())),
        }
    }
}

impl TryFrom<&SdkSize> for AudienceSize {
    type Error = String;

    fn try_from(size: &SdkSize) -> Result<Self, String> {
        Self::new(size.r#type().try_into()?, size.value().into())
    }
}

/// As a person types it and as it stands in names: `5pct`, `10000`.
impl fmt::Display for AudienceSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            AudienceSizeType::Absolute => write!(f, "{}", self.value),
            AudienceSizeType::Percentage => write!(f, "{}pct", self.value),
        }
    }
}

impl FromStr for AudienceSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (kind, digits) = match text.strip_suffix("pct").or_else(|| text.strip_suffix('%')) {
            Some(digits) => (AudienceSizeType::Percentage, digits),
            None => (AudienceSizeType::Absolute, text),
        };
        let value = digits.trim_end().parse().map_err(|_| "is no size (write 5pct or 10000)".to_owned())?;
        Self::new(kind, value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_size_is_read_as_it_is_written() {
        for text in ["5pct", "100pct", "1", "20000000"] {
            assert_eq!(text.parse::<AudienceSize>().unwrap().to_string(), text);
        }
        assert_eq!("5 %".parse::<AudienceSize>().unwrap().to_string(), "5pct");
        assert_eq!("5 %".parse::<AudienceSize>().unwrap().value(), 5);
    }

    #[test]
    fn a_size_out_of_range_says_what_is_allowed() {
        assert_eq!("0pct".parse::<AudienceSize>().unwrap_err(), "PERCENTAGE 0 is out of range (1 to 100)");
        assert!("101pct".parse::<AudienceSize>().is_err());
        assert!("20000001".parse::<AudienceSize>().is_err());
        assert!("-1".parse::<AudienceSize>().is_err());
        assert!("big".parse::<AudienceSize>().is_err());
    }

    #[test]
    fn a_size_of_the_sdk_becomes_ours_where_it_is_known() {
        let size = |kind: &str, value| SdkSize::builder().r#type(kind.into()).value(value).build().unwrap();
        let ours = AudienceSize::try_from(&size("PERCENTAGE", 5)).unwrap();
        assert_eq!(ours.to_string(), "5pct");
        assert_eq!(SdkSizeType::from(ours.kind()), SdkSizeType::Percentage);
        assert!(AudienceSize::try_from(&size("HALVES", 1)).is_err());
        assert!(AudienceSize::try_from(&size("ABSOLUTE", 0)).is_err());
    }

    #[test]
    fn a_size_on_the_wire_is_the_apis_own() {
        let size: AudienceSize = serde_json::from_str(r#"{"type":"PERCENTAGE","value":5}"#).unwrap();
        assert_eq!(serde_json::to_string(&size).unwrap(), r#"{"type":"PERCENTAGE","value":5}"#);
        assert!(serde_json::from_str::<AudienceSize>(r#"{"type":"PERCENTAGE","value":101}"#).is_err());
    }
}
