//! The metadata of an uploaded seed.

use std::collections::BTreeMap;

use lookalike::request::request_of_metadata;
use serde_json::json;

use crate::refusal::tells_no_value;
use crate::request::{audience, stack};

/// What holds for any metadata, written as S3 sends it: a line for each, `key: value`.
pub fn metadata(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('\n').filter_map(|line| line.split_once(':'));
    let metadata: BTreeMap<String, String> =
        pairs.map(|(key, value)| (key.to_owned(), value.trim_start().to_owned())).collect();
    let seed = "s3://my-seeds/seeds/spring-runners.jsonl".parse().expect("a location");
    match request_of_metadata(&seed, &metadata) {
        Ok(request) => audience(&request, &stack()),
        Err(violations) => tells_no_value(violations, &json!(metadata)),
    }
}
