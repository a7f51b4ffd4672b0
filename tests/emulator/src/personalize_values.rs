//! The strings of Personalize's API that the service takes more widely than Lookalike: any resource's ARN, and a place
//! that is a whole bucket. The others are `lookalike`'s own.
//!
//! Lengths and patterns are those of the service model `personalize` 2018-05-22; lengths count characters.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use lookalike::values::SegmentJobName;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};

/// Declares a string type of at most so many characters and of a pattern, which is anchored at both ends.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $most:literal, $pattern:literal, $form:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
                // The patterns are literals; the tests below compile each of them.
                #[allow(clippy::expect_used)]
                static REGEX: LazyLock<Regex> =
                    LazyLock::new(|| Regex::new(concat!("^(?:", $pattern, ")$")).expect("a pattern of this file"));
                let count = text.chars().count();
                if count > $most {
                    return Err(format!("has {count} characters (at most {} are allowed)", $most));
                }
                if REGEX.is_match(text) { Ok(Self(text.to_owned())) } else { Err(concat!("is not of the form ", $form).into()) }
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
    /// The ARN of a resource of Personalize.
    PersonalizeArn, 256, r"arn:([a-z\d-]+):personalize:[^:]*:[^:]*:.+", "arn:aws:personalize:<region>:<account>:<resource>"
}
text! {
    /// Where the input or the output of a job lies. The service model also takes `http` and `https`, where there is no S3.
    S3Location, 256, r"s3://[^/]+(/.*)?", "s3://<bucket>/<path>"
}

impl PersonalizeArn {
    /// The ARN of a batch segment job of the same region and account.
    pub(crate) fn of_segment_job(&self, name: &SegmentJobName) -> Result<Self, String> {
        let place: Vec<&str> = self.0.splitn(6, ':').take(5).collect();
        format!("{}:batch-segment-job/{name}", place.join(":")).parse()
    }
}

impl S3Location {
    /// The bucket's name.
    #[must_use]
    pub fn bucket(&self) -> &str {
        self.parts().0
    }

    /// What the keys begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        let place = self.0.strip_prefix("s3://").unwrap_or(&self.0);
        place.split_once('/').unwrap_or((place, ""))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    const VERSION: &str = "arn:aws:personalize:us-east-1:123456789012:solution/s/1a2b";

    #[test]
    fn an_arn_is_of_personalize_and_not_too_long() {
        assert!(PersonalizeArn::from_str(VERSION).is_ok());
        assert!(PersonalizeArn::from_str(&format!("{VERSION}{}", "x".repeat(256))).is_err());
        assert!(PersonalizeArn::from_str("arn:aws:personalize:us-east-1:123456789012:").is_err());
        assert!(PersonalizeArn::from_str("arn:aws:cleanrooms-ml:us-east-1:123456789012:model/m").is_err());
        let job = PersonalizeArn::from_str(VERSION).unwrap().of_segment_job(&"run-1".parse().unwrap()).unwrap();
        assert_eq!(job.as_str(), "arn:aws:personalize:us-east-1:123456789012:batch-segment-job/run-1");
    }

    #[test]
    fn a_location_has_a_bucket_and_whatever_prefix() {
        let location: S3Location = "s3://bucket/a b/c".parse().unwrap();
        assert_eq!((location.bucket(), location.prefix()), ("bucket", "a b/c"));
        for whole_bucket in ["s3://bucket", "s3://bucket/"] {
            assert_eq!(S3Location::from_str(whole_bucket).unwrap().prefix(), "");
        }
        for wrong in
            ["", "s3://", "s3:///key", "bucket/key", "https://bucket/key", &format!("s3://b/{}", "k".repeat(256))]
        {
            assert!(S3Location::from_str(wrong).is_err(), "{wrong}");
        }
    }
}
