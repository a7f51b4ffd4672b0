//! The API calls about batch segment jobs.

use std::cell::Cell;

use aws_sdk_personalize::Client;
use aws_sdk_personalize::types::{BatchSegmentJobInput, BatchSegmentJobOutput, S3DataConfig, Tag};
use lookalike::execution::{Execution, Moment};
use lookalike::job::{self, Evidence, RUN_TAG};
use lookalike::once::JobService;
use lookalike::segment_input::InputKind;
use lookalike::segment_request::{S3Data, SegmentRequest};
use lookalike::values::{JobName, SolutionVersionArn};
use lookalike::{Error, ErrorName, client};

/// The most entries of a page.
const MAX_RESULTS: i32 = 100;

/// The segment jobs that a run may start.
pub(crate) struct Jobs<'a> {
    pub(crate) personalize: &'a Client,
    pub(crate) request: &'a SegmentRequest,
    pub(crate) execution: &'a Execution,
    pub(crate) stack: &'a str,
    /// The kind of lines in the input. `None` if it was not read.
    pub(crate) input_kind: Option<InputKind>,
    /// Whether the recipe was not compared with the input.
    pub(crate) is_recipe_skipped: Cell<bool>,
}

/// A segment job: its ARN, and when it was created.
#[derive(Clone)]
pub(crate) struct SegmentJob {
    pub(crate) arn: String,
    create_time: Moment,
}

impl JobService for Jobs<'_> {
    type Job = SegmentJob;

    /// Compares the recipe with the input. Only before a start: a job that exists is followed even if its solution was
    /// deleted.
    async fn prepare(&self) -> Result<(), Error> {
        let recipe = read_recipe(&self.request.solution_version_arn, self.personalize).await?;
        if let (Some(recipe), Some(kind)) = (recipe, self.input_kind) {
            return kind.check_recipe(&recipe);
        }
        self.is_recipe_skipped.set(true);
        Ok(())
    }

    async fn start(&self, name: &JobName) -> Result<SegmentJob, Error> {
        let never_repeat = aws_sdk_personalize::config::Config::builder().retry_config(client::never_repeat());
        let request = self.request;
        let theirs = request.tags.iter().map(|tag| (tag.tag_key.clone(), tag.tag_value.clone()));
        let tags = theirs.chain(job::own_tags(self.stack, self.execution)).map(|(key, value)| tag(key, value));
        let input = BatchSegmentJobInput::builder().s3_data_source(data(&request.job_input.s3_data_source)?).build();
        let output = BatchSegmentJobOutput::builder()
            .s3_data_destination(data(&request.job_output.s3_data_destination)?)
            .build();
        let started = self
            .personalize
            .create_batch_segment_job()
            .job_name(name.as_str())
            .solution_version_arn(request.solution_version_arn.as_str())
            .set_filter_arn(request.filter_arn.clone().map(String::from))
            .set_num_results(request.num_results.and_then(|number| i32::try_from(number).ok()))
            .job_input(input)
            .job_output(output)
            .role_arn(request.role_arn.as_str())
            .set_tags(Some(tags.collect::<Result<_, Error>>()?))
            .customize()
            .config_override(never_repeat)
            .send()
            .await;
        let doing = format!("starting batch segment job {name}");
        let started = started.map_err(|error| Error::from(error).doing(&doing))?;
        let arn = started.batch_segment_job_arn.ok_or_else(|| {
            // Whether it was started is not known.
            Error::new(ErrorName::ServiceUnavailable, "the service answered no batchSegmentJobArn.").doing(&doing)
        })?;
        // Personalize rejects a name that is in use, so the job is new.
        Ok(SegmentJob { arn, create_time: self.execution.start_time })
    }

    async fn list(&self, names: &[JobName]) -> Result<Vec<(JobName, SegmentJob)>, Error> {
        let list = self.personalize.list_batch_segment_jobs().max_results(MAX_RESULTS);
        let list = list.solution_version_arn(self.request.solution_version_arn.as_str());
        let mut pages = list.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::from(error).doing("listing batch segment jobs"))?;
            for job in page.batch_segment_jobs() {
                let name = names.iter().find(|name| job.job_name() == Some(name.as_str()));
                let job = job.batch_segment_job_arn().zip(job.creation_date_time());
                if let (Some(name), Some((arn, time))) = (name, job) {
                    let create_time = Moment::from(*time);
                    found.push((name.clone(), SegmentJob { arn: arn.to_owned(), create_time }));
                }
            }
        }
        Ok(found)
    }

    async fn is_ours(&self, job: &SegmentJob) -> Result<bool, Error> {
        let tags = self.personalize.list_tags_for_resource().resource_arn(&job.arn).send().await;
        let tags =
            tags.map_err(|error| Error::from(error).doing(format_args!("proving batch segment job {}", job.arn)))?;
        let run_tag = tags.tags().iter().find(|tag| tag.tag_key() == RUN_TAG).map(Tag::tag_value);
        Ok(Evidence { create_time: job.create_time, run_tag, description: None }.is_of(self.execution))
    }
}

/// Returns the recipe of a solution version of this account. `None` if the function may not read it.
async fn read_recipe(arn: &SolutionVersionArn, personalize: &Client) -> Result<Option<String>, Error> {
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

fn data(place: &S3Data) -> Result<S3DataConfig, Error> {
    let data = S3DataConfig::builder().path(place.path.as_str());
    let data = data.set_kms_key_arn(place.kms_key_arn.clone().map(String::from)).build();
    data.map_err(|error| Error::new(ErrorName::InvalidRequest, error.to_string()))
}

fn tag(key: String, value: String) -> Result<Tag, Error> {
    let tag = Tag::builder().tag_key(key).tag_value(value).build();
    tag.map_err(|error| Error::new(ErrorName::InvalidRequest, error.to_string()))
}
