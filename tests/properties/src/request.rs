//! Requests for audiences and for exports.

use lookalike::ExportPolicy;
use lookalike::job::MOST_TAGS;
use lookalike::request::{AudienceRequest, Defaults, ExportRequest, MOST_DEADLINE_SECONDS, parse};
use serde_json::Value;

use crate::refusal::tells_no_value;

/// What holds for whatever is uploaded as a request.
pub fn request(bytes: &[u8]) {
    let document = match parse(bytes) {
        Ok(document) => document,
        Err(error) => return tells_no_value(error, &Value::Null),
    };
    for defaults in [Defaults::default(), stack()] {
        audience(&document, &defaults);
        match ExportRequest::read(&document, &defaults) {
            Ok(request) => {
                assert_ne!(request.export, ExportPolicy::None, "a run that does nothing");
                keeps_limits(&request.export, request.deadline_seconds);
            }
            Err(violations) => tells_no_value(violations, &document),
        }
    }
}

/// What holds for a request, whoever wrote it.
pub(crate) fn audience(document: &Value, defaults: &Defaults) {
    let request = match AudienceRequest::read(document, defaults) {
        Ok(request) => request,
        Err(violations) => return tells_no_value(violations, document),
    };
    assert!((1..=63).contains(&request.name.as_str().chars().count()));
    assert!(request.tags.len() <= MOST_TAGS);
    keeps_limits(&request.export, request.deadline_seconds);
    let written = serde_json::to_string(&request).expect("a request is JSON");
    let again = parse(written.as_bytes()).expect("what was written is JSON");
    match AudienceRequest::read(&again, &Defaults::default()) {
        Ok(again) => assert_eq!(serde_json::to_string(&again).expect("a request is JSON"), written),
        Err(violations) => panic!("what was checked is refused: {violations}"),
    }
}

fn keeps_limits(export: &ExportPolicy, deadline_seconds: u64) {
    assert!((1..=MOST_DEADLINE_SECONDS).contains(&deadline_seconds));
    if let ExportPolicy::Sizes(sizes) = export {
        assert!((1..=25).contains(&sizes.len()));
    }
    let written = serde_json::to_string(export).expect("a policy is JSON");
    assert_eq!(serde_json::from_str::<ExportPolicy>(&written).ok().as_ref(), Some(export), "{written}");
}

/// A stack that says all that it can.
pub(crate) fn stack() -> Defaults {
    Defaults {
        name: "spring-runners".parse().ok(),
        configured_audience_model_arn: "arn:aws:cleanrooms-ml:us-east-1:000000000000:configured-audience-model/6ab1"
            .parse()
            .ok(),
        role_arn: "arn:aws:iam::000000000000:role/seed".parse().ok(),
        collaboration_id: "01234567-89ab-cdef-0123-456789abcdef".parse().ok(),
        export: Some(ExportPolicy::All),
        deadline_seconds: Some(3600),
    }
}
