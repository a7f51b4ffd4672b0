//! Personalize: its operations, and the work of its jobs.
//!
//! There are no filters here, so every `filterArn` is answered with `ResourceNotFoundException`.

use std::sync::Arc;

use lookalike::values::S3Uri;
use serde_json::json;
use tokio::time::sleep_until;

use super::{Entry, Outcome, Service, read_file, seconds};
use crate::config::{Config, Recipe, SolutionVersionConfig, partition_of};
use crate::items::Items;
use crate::jobs::{SegmentJob, Status, StatusDetails};
use crate::operation::Operation;
use crate::page::{ForeignToken, page};
use crate::personalize_values::PersonalizeArn;
use crate::segment::{Affinity, AffinityTo, lines};
use crate::segment_request::{CreateSegmentJob, ListSegmentJobs, read_arn};
use crate::storage::Storage;
use crate::training::Training;
use crate::wire::{ErrorKind, ServiceError, epoch_seconds};

/// A solution version, trained.
pub(super) struct SolutionVersion {
    arn: PersonalizeArn,
    recipe: Recipe,
    affinity: Arc<Affinity>,
}

impl SolutionVersion {
    /// Reads the items of the version, if its recipe needs them.
    pub(super) async fn new(
        version: &SolutionVersionConfig,
        training: Arc<Training>,
        config: &Config,
        storage: &Storage,
    ) -> Result<Self, String> {
        let to = match (version.recipe, &version.items) {
            (Recipe::ItemAttributeAffinity, Some(place)) => {
                let items = read_file(place, config, storage).await.and_then(|bytes| Items::read(&bytes));
                AffinityTo::Attributes(items.map_err(|error| format!("items {place}: {error}"))?)
            }
            // The configuration has been checked: the other recipe has its items.
            _ => AffinityTo::Item,
        };
        let affinity = Arc::new(Affinity { training, to });
        Ok(Self { arn: version.solution_version_arn.clone(), recipe: version.recipe, affinity })
    }
}

impl Service {
    /// Returns the name of the segment job of that ARN, for the list of calls.
    pub(crate) fn segment_job_name(&self, arn: &str) -> Option<String> {
        let arn: PersonalizeArn = arn.parse().ok()?;
        self.jobs().segment(&arn).map(|(_, job)| job.request.job_name.to_string())
    }

    pub(crate) fn create_segment_job(self: &Arc<Self>, body: &[u8]) -> Outcome {
        let request = CreateSegmentJob::read(body)?;
        for arn in [Some(&request.solution_version), request.filter.as_ref()].into_iter().flatten() {
            self.check_account(Operation::CreateBatchSegmentJob, arn.as_str())?;
        }
        self.check_role(request.role.as_str())?;
        let version = self.solution_version(&request.solution_version)?;
        if let Some(filter) = &request.filter {
            return Err(not_found(filter));
        }
        let arn = version.arn.of_segment_job(&request.job_name);
        let arn =
            arn.map_err(|problem| ServiceError::new(ErrorKind::InvalidInput, format!("The job's ARN {problem}.")))?;
        let affinity = Arc::clone(&version.affinity);

        let mut jobs = self.jobs();
        if jobs.segment(&arn).is_some() {
            let message = format!("Another resource with Arn {arn} already exists.");
            return Err(ServiceError::new(ErrorKind::ResourceAlreadyExists, message));
        }
        let in_flight = jobs.segments.values().filter(|job| job.progress.status.in_flight()).count();
        if let Some(quota) = self.config.max_segment_jobs_in_flight.filter(|quota| in_flight >= *quota as usize) {
            let message = format!("Pending and in-progress batch segment jobs: the quota of {quota} is used up.");
            return Err(ServiceError::new(ErrorKind::LimitExceeded, message));
        }
        let fault = self.fault_injection.of_job(Operation::CreateBatchSegmentJob, request.job_name.as_str());
        let number = jobs.add_segment(request, arn.clone(), fault);
        drop(jobs);
        tokio::spawn(Arc::clone(self).segment(number, affinity));
        Ok(Some(json!({ "batchSegmentJobArn": arn })))
    }

    pub(crate) fn describe_segment_job(&self, body: &[u8]) -> Outcome {
        let arn = read_arn(body, "batchSegmentJobArn")?;
        self.check_account(Operation::DescribeBatchSegmentJob, arn.as_str())?;
        let jobs = self.jobs();
        let (_, job) = jobs.segment(&arn).ok_or_else(|| not_found(&arn))?;
        Ok(Some(json!({ "batchSegmentJob": job.document() })))
    }

    pub(crate) fn list_segment_jobs(&self, body: &[u8]) -> Outcome {
        let request = ListSegmentJobs::read(body)?;
        let version = request.solution_version.as_ref();
        if let Some(arn) = version {
            self.check_account(Operation::ListBatchSegmentJobs, arn.as_str())?;
        }
        let jobs = self.jobs();
        let matching =
            jobs.segments.iter().filter(|(_, job)| version.is_none_or(|arn| *arn == job.request.solution_version));
        let entry = |(number, job): (&u64, &SegmentJob)| {
            let (name, created) = (job.request.job_name.to_string(), job.progress.created);
            Entry { number: *number, name, created, document: job.summary() }
        };
        let (at_most, seen) = self.seen(Operation::ListBatchSegmentJobs, matching.map(entry).collect());
        let page = page("batchSegmentJobs", &request.asked, at_most, seen);
        let foreign = |ForeignToken| ServiceError::new(ErrorKind::InvalidNextToken, "The token is not of this list.");
        page.map(Some).map_err(foreign)
    }

    pub(crate) fn describe_solution_version(&self, body: &[u8]) -> Outcome {
        let arn = read_arn(body, "solutionVersionArn")?;
        self.check_account(Operation::DescribeSolutionVersion, arn.as_str())?;
        let version = self.solution_version(&arn)?;
        // A version is the last part of its solution's ARN.
        let solution = arn.as_str().rsplit_once('/').map_or(arn.as_str(), |(solution, _)| solution);
        let recipe = format!("arn:{}:personalize:::recipe/{}", partition_of(arn.as_str()), version.recipe.name());
        let time = epoch_seconds(self.started);
        Ok(Some(json!({
            "solutionVersion": {
                "solutionVersionArn": arn,
                "solutionArn": solution,
                "recipeArn": recipe,
                "performHPO": false,
                "performAutoML": false,
                "solutionConfig": {},
                "trainingMode": "FULL",
                "status": "ACTIVE",
                "creationDateTime": time,
                "lastUpdatedDateTime": time,
            },
        })))
    }

    pub(crate) fn list_tags(&self, body: &[u8]) -> Outcome {
        let arn = read_arn(body, "resourceArn")?;
        self.check_account(Operation::ListTagsForResource, arn.as_str())?;
        let job_tags = self.jobs().segment(&arn).map(|(_, job)| job.tags());
        // A solution version of the configuration has no tags.
        let tags = job_tags.map_or_else(|| self.solution_version(&arn).map(|_| json!([])), Ok)?;
        Ok(Some(json!({ "tags": tags })))
    }

    fn solution_version(&self, arn: &PersonalizeArn) -> Result<&SolutionVersion, ServiceError> {
        self.solution_versions.iter().find(|version| version.arn == *arn).ok_or_else(|| not_found(arn))
    }

    /// Runs a segment job, as a generation job.
    async fn segment(self: Arc<Self>, number: u64, affinity: Arc<Affinity>) {
        let Some((end, begun)) = self.begin(number, seconds(self.config.segment_seconds)).await else { return };
        let Some(request) = self.jobs().segments.get(&number).map(|job| job.request.clone()) else { return };
        let written = match begun {
            Ok(()) => self.write_segments(&request, &affinity).await.map_err(StatusDetails::of_message),
            Err(details) => Err(details),
        };
        sleep_until(end).await;
        if let Some(job) = self.jobs().segments.get_mut(&number) {
            match written {
                Ok(()) => job.progress.set(Status::Active),
                Err(details) => job.progress.fail(details),
            }
        }
    }

    /// Answers every object whose key begins with the input's path. Without `/` at its end, the path also matches
    /// neighbours of the folder of that name.
    async fn write_segments(&self, request: &CreateSegmentJob, affinity: &Arc<Affinity>) -> Result<(), String> {
        let input = &request.input.path;
        if self.config.without_data {
            return Ok(());
        }
        let unreadable = |reason| format!("The input {input} can't be read: {reason}.");
        let mut keys = self.storage.list(input.bucket(), input.prefix()).await.map_err(unreadable)?;
        // The marker of a folder is not an input.
        keys.retain(|key| !key.ends_with('/'));
        if keys.is_empty() {
            return Err(format!("There is no object under the input path {input}."));
        }
        let mut line_count = 0;
        for key in keys {
            let bytes = self.storage.read(&place(input.bucket(), &key)?).await.map_err(unreadable)?;
            line_count += lines(&bytes).count();
            let output = output_place(request, &key)?;
            let (affinity, num_results) = (Arc::clone(affinity), request.num_results as usize);
            // Ranking takes a while and never waits: not for a thread that serves.
            let answering = tokio::task::spawn_blocking(move || affinity.answer(&bytes, num_results));
            let bytes = answering.await.map_err(|_| "The ranking broke off.")?;
            let unwritable = |reason| format!("The output {output} can't be written: {reason}.");
            self.storage.write(&output, bytes).await.map_err(unwritable)?;
        }
        if line_count == 0 { Err(format!("The input {input} has no line.")) } else { Ok(()) }
    }
}

/// `<output>/<input name>.out`. The name of an input in a deeper folder has that folder, so that no two are one.
fn output_place(request: &CreateSegmentJob, key: &str) -> Result<S3Uri, String> {
    let prefix = request.input.path.prefix();
    let folder = prefix.rfind('/').map_or(0, |slash| slash + 1);
    let output = &request.output.path;
    let name = &key[folder..];
    let key = match output.prefix().trim_end_matches('/') {
        "" => format!("{name}.out"),
        folder => format!("{folder}/{name}.out"),
    };
    place(output.bucket(), &key)
}

fn place(bucket: &str, key: &str) -> Result<S3Uri, String> {
    S3Uri::new(bucket, key).map_err(|problem| format!("The place of an object {problem}."))
}

fn not_found(arn: &PersonalizeArn) -> ServiceError {
    ServiceError::new(ErrorKind::ResourceNotFound, format!("There is no {arn}."))
}
