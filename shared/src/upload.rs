//! The upload that starts a run, and the name of that run.
//!
//! S3 and EventBridge deliver at least once and in no order. The name is made of what identifies one upload, and Step
//! Functions refuses a name twice: so a repeated delivery starts nothing.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One object that was put into the stack's bucket: what identifies it, and what later states need of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// The bucket's name.
    pub bucket: String,
    /// The key, raw: EventBridge does not encode it.
    pub key: String,
    /// The version, where the bucket keeps versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The entity tag, without quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// What orders the events of one key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// The object's size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// The detail of S3's `Object Created` event. Fields that are not named here are ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObjectCreated {
    bucket: Bucket,
    object: Object,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    version_id: Option<String>,
    etag: Option<String>,
    sequencer: Option<String>,
    size: Option<u64>,
}

impl From<ObjectCreated> for Upload {
    fn from(ObjectCreated { bucket, object }: ObjectCreated) -> Self {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            bucket: bucket.name,
            key: object.key,
            version_id: given(object.version_id),
            etag: given(object.etag).map(|etag| etag.trim_matches('"').to_owned()),
            sequencer: given(object.sequencer),
            size: object.size,
        }
    }
}

/// What an upload asks for, by where it was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A seed under `seeds/`: an audience run with the stack's defaults.
    Seed,
    /// A request under `requests/`: an audience run with exactly that request.
    Request,
    /// A request under `segments/`: a segment run with exactly that request.
    Segment,
}

impl Upload {
    /// What the upload asks for; nothing for folder markers, hidden files and other places.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let name = self.file_name();
        if name.is_empty() || name.starts_with(['_', '.']) {
            return None;
        }
        let is_json = name.to_ascii_lowercase().ends_with(".json");
        match self.key.split_once('/')?.0 {
            "seeds" => Some(Kind::Seed),
            "requests" if is_json => Some(Kind::Request),
            "segments" if is_json => Some(Kind::Segment),
            _ => None,
        }
    }

    /// The name of the execution that this upload starts: the same for each delivery of the same upload, another for
    /// another upload, to the same key too. At most 57 characters of `[a-z0-9-]`.
    #[must_use]
    pub fn execution_name(&self) -> String {
        let version = self.version_id.as_deref().or(self.etag.as_deref()).unwrap_or_default();
        let sequencer = self.sequencer.as_deref().unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [&self.bucket, &self.key, version, sequencer] {
            // Lengths keep apart what would run together.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        format!("{}-{}", slug(self.file_name()), hex(&hash.finalize()[..8]))
    }

    /// How to speak of the upload to a person.
    #[must_use]
    pub fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }
}

/// The readable part of a name: at most 40 of `[a-z0-9-]`, from the file's name without its endings.
fn slug(file_name: &str) -> String {
    let stem = file_name.split('.').next().unwrap_or_default();
    let mut slug = String::with_capacity(40);
    for c in stem.chars() {
        if slug.len() == 40 {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    match slug.trim_end_matches('-') {
        "" => "upload".to_owned(),
        slug => slug.to_owned(),
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn upload(key: &str) -> Upload {
        Upload {
            bucket: "seeds".into(),
            key: key.into(),
            version_id: Some("v1".into()),
            etag: Some("e1".into()),
            sequencer: Some("001".into()),
            size: Some(10),
        }
    }

    #[test]
    fn the_event_is_read_with_raw_keys_and_fields_missing_or_new() {
        let event = json!({"version": "0", "bucket": {"name": "b"}, "request-id": "r", "reason": "PutObject",
            "object": {"key": "seeds/a b+c%20é.jsonl", "size": 7, "etag": "\"e\"", "version-id": "v",
                       "sequencer": "s", "new-field": {}}});
        let upload: Upload = serde_json::from_value::<ObjectCreated>(event).unwrap().into();
        assert_eq!(upload.key, "seeds/a b+c%20é.jsonl");
        assert_eq!(
            (upload.etag.as_deref(), upload.version_id.as_deref(), upload.size),
            (Some("e"), Some("v"), Some(7))
        );
        let bare = json!({"bucket": {"name": "b"}, "object": {"key": "k", "version-id": ""}});
        let upload: Upload = serde_json::from_value::<ObjectCreated>(bare).unwrap().into();
        assert_eq!((upload.version_id, upload.etag, upload.sequencer, upload.size), (None, None, None, None));
    }

    #[test]
    fn the_place_says_what_an_upload_asks_for() {
        for (key, kind) in [
            ("seeds/a.jsonl", Some(Kind::Seed)),
            ("seeds/deep/er/a", Some(Kind::Seed)),
            ("requests/2026/q.json", Some(Kind::Request)),
            ("requests/q.JSON", Some(Kind::Request)),
            ("requests/q.txt", None),
            ("requests/.json", None),
            ("segments/2026/q.json", Some(Kind::Segment)),
            ("segments/items.jsonl", None),
            ("seeds/", None),
            ("seeds/folder/", None),
            ("seeds/_SUCCESS", None),
            ("seeds/x/.hidden", None),
            ("seeds", None),
            ("checked/run.jsonl", None),
            ("reports/a.json", None),
        ] {
            assert_eq!(upload(key).kind(), kind, "{key}");
        }
    }

    #[test]
    fn an_upload_is_spoken_of_by_its_place() {
        assert_eq!(upload("seeds/a b").location(), format!("s3://{}/seeds/a b", upload("x").bucket));
    }

    #[test]
    fn the_name_can_be_read_and_is_the_same_for_each_delivery() {
        let first = upload("seeds/Spring Runners (final).jsonl.gz");
        assert!(first.execution_name().starts_with("spring-runners-final-"));
        assert_eq!(first.execution_name(), first.clone().execution_name());
        let resized = Upload { size: None, ..first.clone() };
        assert_eq!(first.execution_name(), resized.execution_name());
        assert!(upload("seeds/日本語").execution_name().starts_with("upload-"));
    }

    #[test]
    fn another_upload_has_another_name() {
        let first = upload("seeds/a.jsonl");
        let others = [
            Upload { bucket: "other".into(), ..first.clone() },
            Upload { key: "seeds/b/a.jsonl".into(), ..first.clone() },
            Upload { version_id: Some("v2".into()), ..first.clone() },
            Upload { version_id: None, ..first.clone() },
            Upload { sequencer: Some("002".into()), ..first.clone() },
            Upload { sequencer: None, ..first.clone() },
        ];
        for other in others {
            assert_ne!(first.execution_name(), other.execution_name(), "{other:?}");
        }
        let unversioned = |etag: &str| Upload { version_id: None, etag: Some(etag.into()), ..upload("seeds/a") };
        assert_ne!(unversioned("1").execution_name(), unversioned("2").execution_name());
    }

    #[test]
    fn the_parts_of_a_name_do_not_run_together() {
        let one = Upload { bucket: "ab".into(), key: "c".into(), ..upload("") };
        let two = Upload { bucket: "a".into(), key: "bc".into(), ..upload("") };
        assert_ne!(one.execution_name().rsplit('-').next(), two.execution_name().rsplit('-').next());
    }

    proptest! {
        #[test]
        fn any_key_gives_a_name_that_step_functions_takes(key in "\\PC{0,300}") {
            let name = upload(&key).execution_name();
            prop_assert!(name.len() <= 57);
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!name.starts_with('-') && !name.contains("--"));
        }
    }
}
