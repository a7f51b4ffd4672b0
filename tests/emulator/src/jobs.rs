//! The jobs that there are, and what the services tell of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lookalike::request::SeedSource;
use lookalike::values::AudienceGenerationJobArn;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::audience::Audience;
use crate::clock::now;
use crate::faults::Kind;
use crate::operation::Api;
use crate::personalize_values::PersonalizeArn;
use crate::request::{StartExport, StartGeneration};
use crate::segment_request::CreateSegmentJob;
use crate::wire::{epoch_seconds, timestamp};

/// The status of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    CreatePending,
    CreateInProgress,
    CreateFailed,
    Active,
    DeletePending,
    DeleteInProgress,
}

impl Status {
    /// Whether the job counts against the quota of jobs in flight.
    pub(crate) fn in_flight(self) -> bool {
        matches!(self, Self::CreatePending | Self::CreateInProgress)
    }

    /// Returns its name in the API. Those of Personalize were observed: they mix spaces and underscores.
    fn name(self, api: Api) -> &'static str {
        match (self, api) {
            (Self::CreatePending, Api::CleanRoomsMl) => "CREATE_PENDING",
            (Self::CreateInProgress, Api::CleanRoomsMl) => "CREATE_IN_PROGRESS",
            (Self::CreateFailed, Api::CleanRoomsMl) => "CREATE_FAILED",
            (Self::DeletePending, Api::CleanRoomsMl) => "DELETE_PENDING",
            (Self::DeleteInProgress, Api::CleanRoomsMl) => "DELETE_IN_PROGRESS",
            (Self::CreatePending, Api::Personalize) => "CREATE PENDING",
            (Self::CreateInProgress, Api::Personalize) => "CREATE IN_PROGRESS",
            (Self::CreateFailed, Api::Personalize) => "CREATE FAILED",
            (Self::DeletePending, Api::Personalize) => "DELETE PENDING",
            (Self::DeleteInProgress, Api::Personalize) => "DELETE IN_PROGRESS",
            (Self::Active, Api::CleanRoomsMl | Api::Personalize) => "ACTIVE",
        }
    }
}

/// Why a job failed. The codes are the emulator's own: the service has published none.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status_code: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl StatusDetails {
    pub(crate) fn new(status_code: &'static str, message: impl Into<String>) -> Self {
        Self { status_code: Some(status_code.into()), message: Some(message.into()) }
    }

    /// Returns details without a code: Personalize has none.
    pub(crate) fn of_message(message: String) -> Self {
        Self { status_code: None, message: Some(message) }
    }
}

/// The status of a job and its times.
pub(crate) struct Progress {
    pub(crate) status: Status,
    /// The fault of the job.
    pub(crate) fault: Option<Kind>,
    pub(crate) created: SystemTime,
    /// Shown instead of the status.
    unknown: Option<String>,
    details: Option<StatusDetails>,
    updated: SystemTime,
}

impl Progress {
    fn new(fault: Option<Kind>) -> Self {
        let now = now();
        let unknown = match &fault {
            Some(Kind::UnknownStatus { status, .. }) => Some(status.clone()),
            _ => None,
        };
        Self { status: Status::CreatePending, fault, unknown, details: None, created: now, updated: now }
    }

    /// Shows the real status from now on.
    pub(crate) fn become_known(&mut self) {
        self.unknown = None;
        self.updated = now();
    }

    pub(crate) fn set(&mut self, status: Status) {
        self.status = status;
        self.updated = now();
    }

    /// Moves all times back by this time.
    fn age(&mut self, by: Duration) {
        for time in [&mut self.created, &mut self.updated] {
            *time = time.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH);
        }
    }

    pub(crate) fn fail(&mut self, details: StatusDetails) {
        self.details = Some(details).filter(|details| details.status_code.is_some() || details.message.is_some());
        self.set(Status::CreateFailed);
    }

    fn status_name(&self, api: Api) -> &str {
        self.unknown.as_deref().unwrap_or_else(|| self.status.name(api))
    }

    /// Writes the status and the times as Clean Rooms ML shows them.
    fn write_to(&self, document: &mut Value) {
        document["status"] = self.status_name(Api::CleanRoomsMl).into();
        document["createTime"] = timestamp(self.created).into();
        document["updateTime"] = timestamp(self.updated).into();
    }
}

/// A generation job. It may hold SQL text: no `Debug`.
pub(crate) struct GenerationJob {
    pub(crate) arn: AudienceGenerationJobArn,
    pub(crate) request: StartGeneration,
    /// Its model's place in the configuration.
    pub(crate) model: usize,
    pub(crate) progress: Progress,
    /// `None` if the job is not active.
    pub(crate) audience: Option<Arc<Audience>>,
    /// The time at which its deletion was requested.
    deleted: Option<SystemTime>,
    account: String,
    query: Option<String>,
}

impl GenerationJob {
    /// Marks it as being deleted.
    pub(crate) fn mark_deleted(&mut self) {
        self.progress.set(Status::DeletePending);
        self.deleted = Some(now());
    }

    /// Returns its entry in a list.
    pub(crate) fn summary(&self) -> Value {
        let mut document = json!({
            "audienceGenerationJobArn": self.arn,
            "name": self.request.name,
            "description": self.request.description,
            "configuredAudienceModelArn": self.request.model,
            "collaborationId": self.request.collaboration,
            "startedBy": self.account,
        });
        self.progress.write_to(&mut document);
        without_nulls(document)
    }

    /// Returns its entry in the list of started jobs.
    fn record(&self, is_gone: bool) -> Value {
        without_nulls(json!({
            "name": self.request.name,
            "arn": self.arn,
            "status": if is_gone { "DELETED" } else { self.progress.status_name(Api::CleanRoomsMl) },
            "createTime": timestamp(self.progress.created),
            "deletedTime": self.deleted.map(timestamp),
            "tags": self.request.tags,
            "fault": self.progress.fault.as_ref().map(Kind::name),
        }))
    }

    /// Returns the answer of `GetAudienceGenerationJob`. It has no `seedAudience`: the service model says that the
    /// account that started the job does not see it, and here every caller is that account.
    pub(crate) fn document(&self, visible: Visible) -> Value {
        let mut document = self.summary();
        document["statusDetails"] = json!(self.progress.details);
        document["includeSeedInOutput"] = json!(self.request.include_seed.unwrap_or(false));
        document["protectedQueryIdentifier"] = json!(self.query);
        if visible.tags {
            document["tags"] = json!(self.request.tags);
        }
        if visible.metrics && self.progress.status == Status::Active {
            document["metrics"] = json!(self.audience.as_ref().map(|audience| &audience.metrics));
        }
        without_nulls(document)
    }
}

/// The parts of a generation job that its model lets the account see.
#[derive(Clone, Copy)]
pub(crate) struct Visible {
    pub(crate) metrics: bool,
    pub(crate) tags: bool,
}

/// An export job.
pub(crate) struct ExportJob {
    pub(crate) request: StartExport,
    pub(crate) progress: Progress,
    /// The URI of the file or the folder, if the job is active.
    pub(crate) output: Option<String>,
}

impl ExportJob {
    /// Returns its entry in the list of started jobs.
    fn record(&self) -> Value {
        without_nulls(json!({
            "name": self.request.name,
            "audienceGenerationJobArn": self.request.job,
            "audienceSize": self.request.size,
            "status": self.progress.status_name(Api::CleanRoomsMl),
            "createTime": timestamp(self.progress.created),
            "fault": self.progress.fault.as_ref().map(Kind::name),
        }))
    }

    /// Returns its entry in a list. No call returns a single export.
    pub(crate) fn summary(&self) -> Value {
        let mut document = json!({
            "name": self.request.name,
            "audienceGenerationJobArn": self.request.job,
            "audienceSize": self.request.size,
            "description": self.request.description,
            "statusDetails": self.progress.details,
            "outputLocation": self.output,
        });
        self.progress.write_to(&mut document);
        without_nulls(document)
    }
}

/// A segment job.
pub(crate) struct SegmentJob {
    pub(crate) arn: PersonalizeArn,
    pub(crate) request: CreateSegmentJob,
    pub(crate) progress: Progress,
}

impl SegmentJob {
    /// Returns its entry in the list of started jobs.
    fn record(&self) -> Value {
        without_nulls(json!({
            "name": self.request.job_name,
            "arn": self.arn,
            "solutionVersionArn": self.request.solution_version,
            "status": self.progress.status_name(Api::Personalize),
            "createTime": timestamp(self.progress.created),
            "tags": Some(&self.request.tags).filter(|tags| !tags.is_empty()),
            "fault": self.progress.fault.as_ref().map(Kind::name),
        }))
    }

    /// Returns its entry in a list.
    pub(crate) fn summary(&self) -> Value {
        let failure = self.progress.details.as_ref();
        without_nulls(json!({
            "batchSegmentJobArn": self.arn,
            "jobName": self.request.job_name,
            "status": self.progress.status_name(Api::Personalize),
            "creationDateTime": epoch_seconds(self.progress.created),
            "lastUpdatedDateTime": epoch_seconds(self.progress.updated),
            "failureReason": failure.and_then(|details| details.message.as_ref()),
            "solutionVersionArn": self.request.solution_version,
        }))
    }

    /// Returns the answer of `DescribeBatchSegmentJob`.
    pub(crate) fn document(&self) -> Value {
        let mut document = self.summary();
        document["filterArn"] = json!(self.request.filter);
        document["numResults"] = self.request.num_results.into();
        document["jobInput"] = json!({ "s3DataSource": self.request.input });
        document["jobOutput"] = json!({ "s3DataDestination": self.request.output });
        document["roleArn"] = json!(self.request.role);
        without_nulls(document)
    }

    /// Returns the answer of `ListTagsForResource`.
    pub(crate) fn tags(&self) -> Value {
        let tag = |(key, value)| json!({ "tagKey": key, "tagValue": value });
        self.request.tags.iter().map(tag).collect()
    }
}

/// All jobs, by a number that grows.
#[derive(Default)]
pub(crate) struct Jobs {
    pub(crate) generations: BTreeMap<u64, GenerationJob>,
    pub(crate) exports: BTreeMap<u64, ExportJob>,
    pub(crate) segments: BTreeMap<u64, SegmentJob>,
    /// Deleted generation jobs, for the list of started jobs.
    gone: BTreeMap<u64, GenerationJob>,
    last: u64,
}

impl Jobs {
    pub(crate) fn add_generation(
        &mut self,
        request: StartGeneration,
        model: usize,
        arn: AudienceGenerationJobArn,
        account: &str,
        from_query: bool,
        fault: Option<Kind>,
    ) -> u64 {
        self.last += 1;
        let query = from_query.then(unique_id);
        let progress = Progress::new(fault);
        let account = account.to_owned();
        let job = GenerationJob { arn, request, model, progress, audience: None, deleted: None, account, query };
        self.generations.insert(self.last, job);
        self.last
    }

    pub(crate) fn add_export(&mut self, request: StartExport, fault: Option<Kind>) -> u64 {
        self.last += 1;
        self.exports.insert(self.last, ExportJob { request, progress: Progress::new(fault), output: None });
        self.last
    }

    pub(crate) fn add_segment(&mut self, request: CreateSegmentJob, arn: PersonalizeArn, fault: Option<Kind>) -> u64 {
        self.last += 1;
        self.segments.insert(self.last, SegmentJob { arn, request, progress: Progress::new(fault) });
        self.last
    }

    /// Returns the progress of the job of that number, of every kind.
    pub(crate) fn progress(&mut self, number: u64) -> Option<&mut Progress> {
        let Self { generations, exports, segments, .. } = self;
        let generation = generations.get_mut(&number).map(|job| &mut job.progress);
        let of_audiences = generation.or_else(|| exports.get_mut(&number).map(|job| &mut job.progress));
        of_audiences.or_else(|| segments.get_mut(&number).map(|job| &mut job.progress))
    }

    /// Makes generation jobs and exports older whose names begin with this, and returns their number.
    pub(crate) fn age(&mut self, name_prefix: &str, by: Duration) -> usize {
        let jobs = self.generations.values_mut().map(|job| (job.request.name.to_string(), &mut job.progress));
        let exports = self.exports.values_mut().map(|job| (job.request.name.to_string(), &mut job.progress));
        let named = jobs.chain(exports).filter(|(name, _)| name.starts_with(name_prefix));
        named.map(|(_, progress)| progress.age(by)).count()
    }

    /// Removes the generation job.
    pub(crate) fn remove_generation(&mut self, number: u64) {
        if let Some(mut job) = self.generations.remove(&number) {
            job.deleted.get_or_insert_with(now);
            self.gone.insert(number, GenerationJob { audience: None, ..job });
        }
    }

    /// Returns every job that was ever started, in that order.
    pub(crate) fn started(&self) -> Value {
        let there = self.generations.iter().map(|(number, job)| (number, job.record(false)));
        let gone = self.gone.iter().map(|(number, job)| (number, job.record(true)));
        let generations: BTreeMap<_, _> = there.chain(gone).collect();
        json!({
            "generationJobs": generations.into_values().collect::<Vec<_>>(),
            "exportJobs": self.exports.values().map(ExportJob::record).collect::<Vec<_>>(),
            "segmentJobs": self.segments.values().map(SegmentJob::record).collect::<Vec<_>>(),
        })
    }

    /// Returns the same with what a simulation compares: when each job changed, and what it was started with.
    pub(crate) fn started_with(&self) -> Value {
        let mut started = self.started();
        let there = self.generations.iter().chain(&self.gone);
        let generations: BTreeMap<_, _> = there.collect();
        let mut add = |list: &str, place: usize, updated: SystemTime, name: &str, value: Value| {
            let record = &mut started[list][place];
            record["updateTime"] = timestamp(updated).into();
            record[name] = value;
        };
        for (place, job) in generations.into_values().enumerate() {
            let seed = match &job.request.seed.source {
                SeedSource::DataSource(file) => json!(file.s3_uri),
                SeedSource::SqlParameters(_) => Value::Null,
            };
            add("generationJobs", place, job.progress.updated, "seedS3Uri", seed);
        }
        for (place, job) in self.exports.values().enumerate() {
            add("exportJobs", place, job.progress.updated, "description", json!(job.request.description));
        }
        for (place, job) in self.segments.values().enumerate() {
            add("segmentJobs", place, job.progress.updated, "inputPath", json!(job.request.input.path));
        }
        started
    }

    /// Returns the segment job of that ARN and its number.
    pub(crate) fn segment(&self, arn: &PersonalizeArn) -> Option<(u64, &SegmentJob)> {
        self.segments.iter().find(|(_, job)| job.arn == *arn).map(|(number, job)| (*number, job))
    }

    /// Returns the generation job of that ARN and its number.
    pub(crate) fn generation(&self, arn: &AudienceGenerationJobArn) -> Option<(u64, &GenerationJob)> {
        self.generations.iter().find(|(_, job)| job.arn == *arn).map(|(number, job)| (*number, job))
    }
}

/// Removes members that are null: the services leave them out.
fn without_nulls(document: Value) -> Value {
    match document {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// Returns a random UUID.
pub(crate) fn unique_id() -> String {
    // Two hashers of the standard library never start alike, which is random enough for a laptop.
    let [high, low] = [(); 2].map(|()| RandomState::new().build_hasher().finish());
    let digits = format!("{high:016x}{low:016x}");
    format!("{}-{}-4{}-8{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_look_like_uuids() {
        let (one, other) = (unique_id(), unique_id());
        assert_ne!(one, other);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
