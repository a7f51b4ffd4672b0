//! Where the AWS console shows what a report speaks of, in the partition and Region of the run.

use std::fmt::Write as _;

use crate::values::S3Uri;

/// The AWS console of one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    domain: &'static str,
    region: String,
}

impl Console {
    /// The console that shows what an ARN names; none where the ARN or its partition is not known.
    #[must_use]
    pub fn of_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':');
        let (Some("arn"), Some(partition), Some(_), Some(region)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let domain = match partition {
            "aws" => "console.aws.amazon.com",
            "aws-cn" => "console.amazonaws.cn",
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            "aws-eusc" => "console.amazonaws-eusc.eu",
            _ => return None,
        };
        // It becomes part of a host.
        let is_region =
            !region.is_empty() && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        is_region.then(|| Self { domain, region: region.to_owned() })
    }

    /// The page of an execution.
    #[must_use]
    pub fn execution(&self, arn: &str) -> String {
        self.page("states/home", &format!("#/v2/executions/details/{}", encode(arn)))
    }

    /// The page of a folder in S3: of all that lies under a place.
    #[must_use]
    pub fn folder(&self, place: &S3Uri) -> String {
        let slash = if place.key().ends_with('/') { "" } else { "/" };
        let path = format!("s3/buckets/{}", encode(place.bucket()));
        self.page(&path, &format!("&prefix={}{slash}", encode(place.key())))
    }

    /// The page of an object in S3.
    #[must_use]
    pub fn object(&self, place: &S3Uri) -> String {
        let path = format!("s3/object/{}", encode(place.bucket()));
        self.page(&path, &format!("&prefix={}", encode(place.key())))
    }

    fn page(&self, path: &str, rest: &str) -> String {
        format!("https://{region}.{}/{path}?region={region}{rest}", self.domain, region = self.region)
    }
}

/// Percent-encodes all that could end a part of a URL.
fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn arn(partition: &str, region: &str) -> String {
        format!("arn:{partition}:states:{region}:123456789012:execution:audience:run")
    }

    #[test]
    fn each_partition_has_its_own_console() {
        for (partition, region, start) in [
            ("aws", "us-east-1", "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/"),
            ("aws-cn", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/states/home?region=cn-north-1#/v2/"),
            (
                "aws-us-gov",
                "us-gov-west-1",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/states/home?region=us-gov-west-1#/v2/",
            ),
        ] {
            let arn = arn(partition, region);
            let url = Console::of_arn(&arn).unwrap().execution(&arn);
            assert_eq!(url, format!("{start}executions/details/{arn}"));
        }
    }

    #[test]
    fn what_is_no_arn_of_a_known_partition_has_no_console() {
        for wrong in ["", "run", "arn:aws", &arn("aws-moon", "us-east-1"), &arn("aws", ""), &arn("aws", "evil.com/")] {
            assert_eq!(Console::of_arn(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_folder_is_shown_whether_or_not_its_place_ends_in_a_slash_and_its_name_stays_in_its_part() {
        let console = Console::of_arn(&arn("aws", "eu-west-1")).unwrap();
        let folder = |place: &str| console.folder(&place.parse().unwrap());
        let url = "https://eu-west-1.console.aws.amazon.com/s3/buckets/b?region=eu-west-1&prefix=exports/run-5pct/";
        assert_eq!(folder("s3://b/exports/run-5pct"), url);
        assert_eq!(folder("s3://b/exports/run-5pct/"), url);
        let odd = folder("s3://b?x/a b&region=\"><é#");
        assert!(
            odd.contains("buckets/b%3Fx?") && odd.ends_with("prefix=a%20b%26region%3D%22%3E%3C%C3%A9%23/"),
            "{odd}"
        );
    }

    #[test]
    fn an_object_is_shown_by_its_key() {
        let console = Console::of_arn(&arn("aws", "eu-west-1")).unwrap();
        assert_eq!(
            console.object(&"s3://b/seeds/a b.jsonl".parse().unwrap()),
            "https://eu-west-1.console.aws.amazon.com/s3/object/b?region=eu-west-1&prefix=seeds/a%20b.jsonl"
        );
    }
}
