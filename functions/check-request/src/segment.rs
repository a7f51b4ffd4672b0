//! The check of a segment request and of its input.

use lambda_runtime::tracing;
use lookalike::execution::{CheckedSegment, Deadline, Execution, Input, Skipped, checked_request_key};
use lookalike::segment_input::{InputCount, check_not_empty};
use lookalike::segment_request::{SegmentDefaults, SegmentRequest};
use lookalike::upload::Kind;
use lookalike::values::{ArnOwner, S3Prefix, S3Uri, SolutionVersionArn};
use lookalike::{Error, ErrorName, job};
use serde_json::Value;

use super::{Aws, Stack, own_place};
use crate::objects::{Objects, Version};

/// The most warnings about the files of an input: warnings are part of the run's state, whose size is limited.
const MAX_FILE_WARNINGS: usize = 10;

pub(crate) async fn check(
    input: Value,
    execution: &Execution,
    aws: &Aws,
    stack: &Stack<'_>,
) -> Result<CheckedSegment, Error> {
    let objects = &aws.objects;
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
    request.check_output_key(stack.seed_bucket, stack.settings.kms_key_arn.as_ref())?;
    let mut warnings = Vec::new();
    let mut skipped = Vec::new();
    let input = check_input(&request.job_input.s3_data_source.path, objects, &mut warnings).await?;
    match &input {
        Some(input) => {
            warnings.extend(input.warning());
            match read_recipe(&request.solution_version_arn, execution.owner()?, &aws.personalize).await? {
                Some(recipe) => input.kind.check_recipe(&recipe)?,
                None => skipped.push(Skipped::Recipe),
            }
        }
        None => skipped.push(Skipped::Input),
    }
    let checked_request = own_place(stack, &checked_request_key(&execution.name))?;
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

/// Reads the recipe of a solution version of this account; `None` if the function may not, or if the solution version is
/// of another account or Region: no such ARN is sent.
async fn read_recipe(
    arn: &SolutionVersionArn,
    run: ArnOwner<'_>,
    personalize: &aws_sdk_personalize::Client,
) -> Result<Option<String>, Error> {
    if ArnOwner::parse(arn.as_str()) != Some(run) {
        return Ok(None);
    }
    let version = personalize.describe_solution_version().solution_version_arn(arn.as_str()).send().await;
    match version.map_err(Error::from) {
        Ok(version) => Ok(version.solution_version.and_then(|version| version.recipe_arn)),
        Err(error) if error.name == ErrorName::AccessDenied => Ok(None),
        Err(error) => {
            let error = error.doing(format_args!("reading the solution version {arn}"));
            let is_wrong = matches!(error.name, ErrorName::NotFound | ErrorName::InvalidRequest);
            Err(if is_wrong { error.advising("Check solutionVersionArn.") } else { error })
        }
    }
}
