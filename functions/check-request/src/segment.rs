//! The check of a segment request and of its input.

use lambda_runtime::tracing;
use lookalike::execution::{CheckedSegment, Deadline, Execution, Input, Skipped};
use lookalike::segment_input::{InputCount, MAX_FILE_WARNINGS, check_not_empty};
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
    stack: &Stack<'_>,
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
    let defaults = SegmentDefaults { job_name, ..stack.settings.segment_defaults.clone() };
    let request = SegmentRequest::read(&request, &defaults)?;
    execution.must_own("solutionVersionArn", request.solution_version_arn.as_str())?;
    let request = request.with_the_buckets_key(stack.seed_bucket, stack.settings.kms_key_arn.as_ref())?;
    let mut warnings = Vec::new();
    let mut skipped = Vec::new();
    let input = check_input(&request.job_input.s3_data_source.path, objects, &mut warnings).await?;
    match &input {
        Some(input) => warnings.extend(input.warning()),
        None => skipped.push(Skipped::Input),
    }
    let checked_request = own_place(stack, &stack.files.checked_request(stack.request_id))?;
    objects.write_request(&checked_request, &request).await?;
    tracing::info!(skipped = skipped.len(), warnings = warnings.len(), "checked a request");
    Ok(CheckedSegment {
        name: request.job_name,
        checked_request,
        deadline: Deadline::new(execution.start_time, request.deadline_seconds),
        poll: stack.settings.poll,
        input,
        warnings,
        skipped,
    })
}

/// Counts everything that the job will read; `None` if it may not be read.
async fn check_input(
    path: &S3Prefix,
    objects: &Objects,
    warnings: &mut Vec<String>,
) -> Result<Option<InputCount>, Error> {
    let Some(found) = objects.list(path).await? else { return Ok(None) };
    check_not_empty(&found)?;
    let found: Vec<S3Uri> = found.into_iter().map(|(place, _)| place).collect();
    if found.is_empty() {
        let message = format!("jobInput.s3DataSource.path: there is nothing at {path}. Upload the input first.");
        return Err(Error::new(ErrorName::NotFound, message));
    }
    warnings.extend(path.takes_more_than_meant(&found));
    let (mut count, mut file_warnings): (Option<InputCount>, usize) = (None, 0);
    for place in &found {
        let Some((more, warning)) = objects.check_input(place).await? else { return Ok(None) };
        count = Some(count.map_or(Ok(more), |count| count.and(more, place.as_str()))?);
        if file_warnings < MAX_FILE_WARNINGS {
            file_warnings += usize::from(warning.is_some());
            warnings.extend(warning);
        }
    }
    Ok(count)
}
