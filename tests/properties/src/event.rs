//! S3's events, and what executions are started with.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use lookalike::execution::{Execution, Input, Moment, read_event};
use lookalike::job;
use lookalike::once::{Attempt, JobStart};
use lookalike::upload::{ObjectCreated, Upload};
use serde_json::{Value, json};

use crate::refusal::tells_no_value;

/// What holds for whatever is delivered as an event, or given to an execution.
pub fn event(bytes: &[u8]) {
    // Whatever is no JSON does not reach a function.
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    // A message of the upload queue.
    if let Some(body) = document["Records"][0]["body"].as_str() {
        event(body.as_bytes());
    }
    match read_event::<EventBridgeEvent<ObjectCreated>>(document.clone()) {
        Ok(event) => starts_a_run(&Upload::from(event.detail)),
        Err(error) => tells_no_value(error, &document),
    }
    match Input::read(document.clone()) {
        Ok(Input::Upload(upload)) => starts_a_run(&upload),
        Ok(Input::Audience(_) | Input::Export(_)) => {}
        Err(error) => tells_no_value(error, &document),
    }
    match read_event::<Execution>(document["execution"].clone()) {
        Ok(execution) => names_jobs(&execution),
        Err(error) => tells_no_value(error, &document),
    }
    if let Err(error) = read_event::<Attempt>(document["attempt"].clone()) {
        tells_no_value(error, &document);
    }
    if let Err(error) = read_event::<JobStart>(document["start"].clone()) {
        tells_no_value(error, &document);
    }
}

fn starts_a_run(upload: &Upload) {
    let name = upload.execution_name();
    assert!((1..=80).contains(&name.len()), "{name}");
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
    assert_eq!(job::name_of_execution(&name).as_str(), name, "the job bears the execution's name");
    let _ = upload.kind();
    match Input::read(json!({ "upload": upload })) {
        Ok(Input::Upload(again)) => assert_eq!(&again, upload, "the run is given what was uploaded"),
        _ => panic!("an upload is no input"),
    }
}

fn names_jobs(execution: &Execution) {
    let name = job::name_of_execution(&execution.name);
    let takes = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    assert!(name.as_str().chars().all(takes) && name.as_str().len() <= 63, "{name}");
    let names = job::names_to_try(&name, execution);
    assert!(names.len() == 2 && names[0] != names[1], "{names:?}");
    let written = execution.start_time.to_string();
    assert_eq!(written.parse::<Moment>().map(String::from), Ok(written), "a moment is read as it is written");
}
