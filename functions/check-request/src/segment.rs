//! The check of a segment request and of its input.

use lambda_runtime::tracing;
use lookalike::execution::{CheckedSegment, Deadline, Execution, Input, Skipped, checked_request_key};
use lookalike::segment_input::InputCount;
use lookalike::segment_request::{SegmentDefaults, SegmentRequest};
use lookalike::upload::Kind;
use lookalike::values::{S3Prefix, S3Uri};
use lookalike::{Error, ErrorName, job};
use serde_json::Value;

use super::{Stack, own_place};
use crate::objects::{Objects, Version};

pub(crate) async fn check(
    input: Value,
    execution: &Execution,
    objects: &Objects,
    stack: &Stack,
) -> Result<CheckedSegment, Error> {
    let request = match Input::read(input)? {
        Input::Upload(upload) => {
            let invalid =
                |problem: &str| Error::new(ErrorName::InvalidRequest, format!("{}: {problem}.", upload.location()));
            let place = S3Uri::new(&upload.bucket, &upload.key).map_err(|problem| invalid(&problem))?;
            if upload.kind() != Some(Kind::Segment) {
                return Err(invalid("asks for no segment: upload segment requests under segments/ as .json"));
            }
            objects.read_request(&place, &Version::of(&upload)).await?
        }
        Input::Audience(request) | Input::Export(request) => request,
    };
    let job_name = Some(job::segment_name_of_execution(&execution.name));
    let request = SegmentRequest::read(&request, &SegmentDefaults { job_name, ..stack.segment_defaults.clone() })?;
    let mut warnings = Vec::new();
    let mut skipped = Vec::new();
    let input = check_input(&request.job_input.s3_data_source.path, objects, &mut warnings).await?;
    match &input {
        Some(input) => warnings.extend(input.warning()),
        None => skipped.push(Skipped::Input),
    }
    let checked_request = own_place(stack, &checked_request_key(&execution.name))?;
    objects.write_request(&checked_request, &request).await?;
    tracing::info!(skipped = skipped.len(), warnings = warnings.len(), "checked a request");
    Ok(CheckedSegment {
        name: request.job_name,
        checked_request,
        deadline: Deadline::new(execution.start_time, request.deadline_seconds),
        input,
        warnings,
        skipped,
    })
}

/// Counts everything that the job will take; none where it may not be read.
async fn check_input(
    path: &S3Prefix,
    objects: &Objects,
    warnings: &mut Vec<String>,
) -> Result<Option<InputCount>, Error> {
    let Some(found) = objects.list(path).await? else { return Ok(None) };
    let Some(first) = found.first() else {
        let message = format!("jobInput.s3DataSource.path: there is nothing at {path}. Upload the input first.");
        return Err(Error::new(ErrorName::NotFound, message));
    };
    if let Some(warning) = path.takes_more_than_meant(&found) {
        warnings.push(warning);
    }
    let mut count = objects.check_input(first).await?;
    for place in &found[1..] {
        count = match (count, objects.check_input(place).await?) {
            (Some(count), Some(more)) => Some(count.and(more, place.as_str())?),
            _ => return Ok(None),
        };
    }
    Ok(count)
}
