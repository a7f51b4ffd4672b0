//! The emulated services: their state, the operations of Clean Rooms ML, and the work of its jobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use lookalike::audience_size::AudienceSize;
use lookalike::request::SeedSource;
use lookalike::values::{AudienceGenerationJobArn, CollaborationId, ConfiguredAudienceModelArn, S3Uri};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::audience::{Audience, users_of};
use crate::calls::Calls;
use crate::clock::now;
use crate::config::{Config, ModelConfig, OtherAccountError, SharedMetrics, account_of};
use crate::export_layout::export_output;
use crate::fault_injection::FaultInjection;
use crate::faults::{Fault, Kind};
use crate::jobs::{ExportJob, GenerationJob, Jobs, Status, StatusDetails, Visible, unique_id};
use crate::operation::Operation;
use crate::page::{Asked, ForeignToken, page};
use crate::request::{StartExport, StartGeneration, max_results, parameter, violation};
use crate::seed;
use crate::storage::Storage;
use crate::training::Training;
use crate::wire::{ErrorKind, ServiceError, timestamp};

mod segments;

use segments::SolutionVersion;

/// The quotas by the names that Service Quotas gives them. What the real service writes into `quotaName` is not
/// documented.
const GENERATIONS_IN_FLIGHT: &str = "Pending/in-progress audience generation jobs per customer";
const EXPORTS_IN_FLIGHT: &str = "Pending/in-progress audience export jobs per customer";
const EXPORTS_OF_A_GENERATION: &str = "Active audience export jobs per audience generation job";

/// A request's parameters in the query string.
pub(crate) type Query = HashMap<String, String>;

/// The answer of an operation: a document, or nothing.
pub(crate) type Outcome = Result<Option<Value>, ServiceError>;

/// The state of the emulator.
pub(crate) struct Service {
    config: Config,
    models: Vec<Model>,
    solution_versions: Vec<SolutionVersion>,
    storage: Storage,
    jobs: Mutex<Jobs>,
    pub(crate) calls: Calls,
    pub(crate) fault_injection: FaultInjection,
    /// Whether the emulator is ending.
    stopping: watch::Sender<bool>,
    started: SystemTime,
}

/// An entry of a list, or the one job that is asked for.
struct Entry {
    number: u64,
    name: String,
    created: SystemTime,
    document: Value,
}

impl Entry {
    /// Whether a fault would change the entry.
    fn is_changed_by(&self, fault: &Fault) -> bool {
        let changed = match &fault.fault {
            Kind::HiddenOutputLocation {} => self.document.get("outputLocation").is_some(),
            Kind::HiddenMetrics {} => self.document.get("metrics").is_some(),
            Kind::ListDelay { seconds: delay } => {
                now().duration_since(self.created).unwrap_or_default() < seconds(*delay)
            }
            _ => false,
        };
        changed && fault.names(Some(&self.name))
    }
}

struct Model {
    config: ModelConfig,
    sizes: Vec<AudienceSize>,
    training: Arc<Training>,
}

impl Service {
    /// Reads the training data of every model and every solution version.
    pub(crate) async fn new(config: Config) -> Result<Self, String> {
        config.check()?;
        let region = config.models.first().map_or("us-east-1", ModelConfig::region);
        let storage = Storage::new(config.s3_endpoint.as_deref(), region);
        let mut read = TrainingData::default();
        let mut models = Vec::new();
        for model in &config.models {
            let training = read.training(&model.training_data, &config, &storage).await?;
            models.push(Model { config: model.clone(), sizes: model.sizes()?, training });
        }
        let mut solution_versions = Vec::new();
        for version in &config.solution_versions {
            let training = read.training(&version.training_data, &config, &storage).await?;
            solution_versions.push(SolutionVersion::new(version, training, &config, &storage).await?);
        }
        Ok(Self {
            models,
            solution_versions,
            storage,
            jobs: Mutex::default(),
            calls: Calls::default(),
            fault_injection: FaultInjection::new(config.fault_plan()),
            stopping: watch::Sender::new(false),
            started: now(),
            config,
        })
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every delay, so that slow answers do not delay the end of the emulator.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits, unless the emulator ends.
    pub(crate) async fn delay(&self, time: f64) {
        let mut stopping = self.stopping.subscribe();
        tokio::select! {
            () = sleep(seconds(time)) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    /// Returns every job that was ever started.
    pub(crate) fn started_jobs(&self) -> Value {
        self.jobs().started()
    }

    /// Returns the same with what each was started with.
    pub(crate) fn jobs_started_with(&self) -> Value {
        self.jobs().started_with()
    }

    /// Makes jobs and exports older, and returns their number.
    pub(crate) fn age(&self, name_prefix: &str, by: Duration) -> usize {
        self.jobs().age(name_prefix, by)
    }

    /// Applies the faults of an answer to its entries. Returns the maximum number of entries of a page, and the entries.
    fn seen(&self, operation: Operation, mut entries: Vec<Entry>) -> (usize, impl Iterator<Item = (u64, Value)>) {
        let mut at_most = 100;
        let changes = |fault: &Fault| match fault.fault {
            Kind::PageSize { entries: most } => entries.len() > most,
            _ => entries.iter().any(|entry| entry.is_changed_by(fault)),
        };
        for fault in self.fault_injection.of_view(operation, changes) {
            match fault.fault {
                Kind::PageSize { entries } => at_most = at_most.min(entries),
                Kind::ListDelay { .. } => entries.retain(|entry| !entry.is_changed_by(&fault)),
                _ => {
                    for entry in entries.iter_mut().filter(|entry| entry.is_changed_by(&fault)) {
                        let hidden = if fault.fault == (Kind::HiddenMetrics {}) { "metrics" } else { "outputLocation" };
                        if let Some(members) = entry.document.as_object_mut() {
                            members.remove(hidden);
                        }
                    }
                }
            }
        }
        (at_most, entries.into_iter().map(|entry| (entry.number, entry.document)))
    }

    /// Returns the time after which a connection without a request is closed.
    pub(crate) fn idle_time(&self) -> Duration {
        seconds(self.config.idle_connection_seconds)
    }

    /// Rejects the ARN of another account, as every call but the start of a generation job does.
    ///
    /// `ListAudienceGenerationJobs` is one of these calls. Its `configuredAudienceModelArn` is documented as the model of
    /// the jobs, which may belong to another account, but nothing says that the call works across accounts. A client that
    /// relies on it may fail, so it is rejected here; `collaborationId` finds these jobs.
    fn check_account(&self, operation: Operation, arn: &str) -> Result<(), ServiceError> {
        let account = account_of(arn);
        // Resources of AWS itself, such as recipes, have no account.
        if account.is_empty() || account == self.config.account() {
            return Ok(());
        }
        let kind = match self.config.other_account_error {
            OtherAccountError::ResourceNotFound if operation.has_not_found() => ErrorKind::ResourceNotFound,
            OtherAccountError::AccessDenied | OtherAccountError::ResourceNotFound => ErrorKind::AccessDenied,
            OtherAccountError::Validation => ErrorKind::of_limit(operation.api()),
        };
        Err(ServiceError::new(kind, format!("{arn} belongs to another account.")))
    }

    /// Rejects a role of another account: IAM allows no role to be passed across accounts.
    fn check_role(&self, role: &str) -> Result<(), ServiceError> {
        if account_of(role) == self.config.account() {
            return Ok(());
        }
        let message = "Cross-account pass role is not allowed: the role belongs to another account.";
        Err(ServiceError::new(ErrorKind::AccessDenied, message))
    }

    /// Returns the name of the job of that ARN, for the list of calls.
    pub(crate) fn job_name(&self, arn: &str) -> Option<String> {
        let jobs = self.jobs();
        jobs.generation(&arn.parse().ok()?).map(|(_, job)| job.request.name.to_string())
    }

    pub(crate) fn start_generation(self: &Arc<Self>, body: &[u8]) -> Outcome {
        let request = StartGeneration::read(body)?;
        self.check_role(request.seed.role_arn.as_str())?;
        let model = self.model(&request.model)?;
        let config = &self.models[model].config;
        if self.is_foreign(config) && request.collaboration.is_none() {
            let message = "The model belongs to another account: a collaborationId is needed.";
            return Err(ServiceError::new(ErrorKind::AccessDenied, message));
        }
        let (partition, region) = (config.partition(), config.region());
        let account = self.config.account();
        let arn = format!("arn:{partition}:cleanrooms-ml:{region}:{account}:audience-generation-job/{}", unique_id());
        let arn: AudienceGenerationJobArn = parameter("audienceGenerationJobArn", &arn)?;

        let mut jobs = self.jobs();
        if jobs.generations.values().any(|job| job.request.name == request.name) {
            let message = format!("An audience generation job of the name '{}' already exists.", request.name);
            return Err(ServiceError::new(ErrorKind::Conflict, message));
        }
        let in_flight = jobs.generations.values().filter(|job| job.progress.status.in_flight()).count();
        check_quota(GENERATIONS_IN_FLIGHT, self.config.max_generation_jobs_in_flight, in_flight)?;
        let from_query = matches!(request.seed.source, SeedSource::SqlParameters(_));
        let fault = self.fault_injection.of_job(Operation::StartAudienceGenerationJob, &request.name.to_string());
        let number = jobs.add_generation(request, model, arn.clone(), account, from_query, fault);
        drop(jobs);
        tokio::spawn(Arc::clone(self).generate(number));
        Ok(Some(json!({ "audienceGenerationJobArn": arn })))
    }

    pub(crate) fn get_generation(&self, arn: &str) -> Outcome {
        let arn: AudienceGenerationJobArn = parameter("audienceGenerationJobArn", arn)?;
        self.check_account(Operation::GetAudienceGenerationJob, arn.as_str())?;
        let jobs = self.jobs();
        let (number, job) = found(&jobs, &arn)?;
        let model = &self.models[job.model].config;
        let visible = Visible {
            metrics: model.shared_audience_metrics == [SharedMetrics::All],
            tags: !(self.config.drop_tags_for_other_accounts_models && self.is_foreign(model)),
        };
        let (name, created) = (job.request.name.to_string(), job.progress.created);
        let entry = Entry { number, name, created, document: job.document(visible) };
        let (_, mut seen) = self.seen(Operation::GetAudienceGenerationJob, vec![entry]);
        Ok(seen.next().map(|(_, document)| document))
    }

    pub(crate) fn list_generations(&self, query: &Query) -> Outcome {
        let model: Option<ConfiguredAudienceModelArn> = optional(query, "configuredAudienceModelArn")?;
        let collaboration: Option<CollaborationId> = optional(query, "collaborationId")?;
        if let Some(model) = &model {
            self.check_account(Operation::ListAudienceGenerationJobs, model.as_str())?;
        }
        let jobs = self.jobs();
        let matching = jobs.generations.iter().filter(|(_, job)| {
            model.as_ref().is_none_or(|model| *model == job.request.model)
                && (collaboration.is_none() || collaboration == job.request.collaboration)
        });
        let entries = matching.map(|(number, job)| {
            let (name, created) = (job.request.name.to_string(), job.progress.created);
            Entry { number: *number, name, created, document: job.summary() }
        });
        let (at_most, seen) = self.seen(Operation::ListAudienceGenerationJobs, entries.collect());
        listed("audienceGenerationJobs", query, at_most, seen)
    }

    pub(crate) fn delete_generation(self: &Arc<Self>, arn: &str) -> Outcome {
        let arn: AudienceGenerationJobArn = parameter("audienceGenerationJobArn", arn)?;
        self.check_account(Operation::DeleteAudienceGenerationJob, arn.as_str())?;
        let mut jobs = self.jobs();
        let (number, job) = found(&jobs, &arn)?;
        if !matches!(job.progress.status, Status::Active | Status::CreateFailed) {
            return Err(ServiceError::new(ErrorKind::Conflict, "The audience generation job is in progress."));
        }
        if jobs.exports.values().any(|export| export.request.job == arn && export.progress.status.in_flight()) {
            return Err(ServiceError::new(ErrorKind::Conflict, "An audience export job of it is in progress."));
        }
        if let Some(job) = jobs.generations.get_mut(&number) {
            job.mark_deleted();
        }
        drop(jobs);
        tokio::spawn(Arc::clone(self).delete(number));
        Ok(None)
    }

    pub(crate) fn start_export(self: &Arc<Self>, body: &[u8]) -> Outcome {
        let request = StartExport::read(body)?;
        self.check_account(Operation::StartAudienceExportJob, request.job.as_str())?;
        let mut jobs = self.jobs();
        let (generation, job) = found(&jobs, &request.job)?;
        if job.progress.status != Status::Active {
            let message = "The audience generation job is not ACTIVE.";
            return Err(ServiceError::new(ErrorKind::Conflict, message));
        }
        if !self.models[job.model].sizes.contains(&request.size) {
            return Err(violation("audienceSize", "must be one of the configured audience model's sizes"));
        }
        // An export that is in progress counts too: else two that end together would exceed the quota.
        let counts =
            |export: &&ExportJob| export.request.job == request.job && export.progress.status != Status::CreateFailed;
        let exports = jobs.exports.values().filter(counts).count();
        check_quota(EXPORTS_OF_A_GENERATION, self.config.max_exports_per_generation_job, exports)?;
        let in_flight = jobs.exports.values().filter(|job| job.progress.status.in_flight()).count();
        check_quota(EXPORTS_IN_FLIGHT, self.config.max_export_jobs_in_flight, in_flight)?;
        let fault = self.fault_injection.of_job(Operation::StartAudienceExportJob, &request.name.to_string());
        let number = jobs.add_export(request, fault);
        drop(jobs);
        tokio::spawn(Arc::clone(self).export(number, generation));
        Ok(None)
    }

    pub(crate) fn list_exports(&self, query: &Query) -> Outcome {
        let generation: Option<AudienceGenerationJobArn> = optional(query, "audienceGenerationJobArn")?;
        if let Some(arn) = &generation {
            self.check_account(Operation::ListAudienceExportJobs, arn.as_str())?;
        }
        let jobs = self.jobs();
        let matching =
            jobs.exports.iter().filter(|(_, job)| generation.as_ref().is_none_or(|arn| *arn == job.request.job));
        let entries = matching.map(|(number, job)| {
            let (name, created) = (job.request.name.to_string(), job.progress.created);
            Entry { number: *number, name, created, document: job.summary() }
        });
        let (at_most, seen) = self.seen(Operation::ListAudienceExportJobs, entries.collect());
        listed("audienceExportJobs", query, at_most, seen)
    }

    pub(crate) fn get_model(&self, arn: &str) -> Outcome {
        let arn: ConfiguredAudienceModelArn = parameter("configuredAudienceModelArn", arn)?;
        self.check_account(Operation::GetConfiguredAudienceModel, arn.as_str())?;
        let model = &self.models[self.model(&arn)?].config;
        let mut document = self.model_summary(model);
        document["sharedAudienceMetrics"] = json!(model.shared_audience_metrics);
        document["minMatchingSeedSize"] = json!(model.min_matching_seed_size);
        document["audienceSizeConfig"] = json!(model.audience_size_config);
        Ok(Some(document))
    }

    pub(crate) fn list_models(&self, query: &Query) -> Outcome {
        let own = self.models.iter().zip(1..).filter(|(model, _)| !self.is_foreign(&model.config));
        let entries = own.map(|(Model { config, .. }, number)| {
            let document = self.model_summary(config);
            Entry { number, name: config.name.clone(), created: self.started, document }
        });
        let (at_most, seen) = self.seen(Operation::ListConfiguredAudienceModels, entries.collect());
        listed("configuredAudienceModels", query, at_most, seen)
    }

    fn model_summary(&self, model: &ModelConfig) -> Value {
        let arn = &model.configured_audience_model_arn;
        let made_up_model = || arn.as_str().replacen(":configured-audience-model/", ":audience-model/", 1);
        let made_up_role = || format!("arn:{}:iam::{}:role/audience-output", model.partition(), model.account());
        let time = timestamp(self.started);
        let mut document = json!({
            "configuredAudienceModelArn": arn,
            "name": model.name,
            "audienceModelArn": model.audience_model_arn.clone().unwrap_or_else(made_up_model),
            "outputConfig": {
                "destination": { "s3Destination": { "s3Uri": model.output_s3_uri } },
                "roleArn": model.output_role_arn.as_ref().map_or_else(made_up_role, ToString::to_string),
            },
            "status": "ACTIVE",
            "createTime": time,
            "updateTime": time,
        });
        if let Some(description) = &model.description {
            document["description"] = description.as_str().into();
        }
        document
    }

    fn model(&self, arn: &ConfiguredAudienceModelArn) -> Result<usize, ServiceError> {
        let place = self.models.iter().position(|model| model.config.configured_audience_model_arn == *arn);
        place.ok_or_else(|| ServiceError::new(ErrorKind::ResourceNotFound, format!("There is no {arn}.")))
    }

    fn is_foreign(&self, model: &ModelConfig) -> bool {
        model.account() != self.config.account()
    }

    /// Begins the life of a job: it is pending for a fifth of its time, then in progress. Returns when it ends, and the
    /// details of its failure if a fault makes it fail. Returns `None` if a fault keeps it from ending.
    async fn begin(&self, number: u64, time: Duration) -> Option<(Instant, Result<(), StatusDetails>)> {
        let fault = self.jobs().progress(number)?.fault.clone();
        let time = if self.config.without_data { varied(time, number) } else { time };
        if let Some(Kind::UnknownStatus { seconds: unknown, .. }) = fault {
            sleep(seconds(unknown?)).await;
            self.jobs().progress(number)?.become_known();
        }
        let end = Instant::now() + time;
        sleep(time / 5).await;
        self.jobs().progress(number)?.set(Status::CreateInProgress);
        match fault {
            Some(Kind::Stuck {}) => None,
            Some(Kind::DeletedMidway {}) => {
                sleep_until(end - time / 2).await;
                self.jobs().remove_generation(number);
                None
            }
            Some(Kind::Fails { status_code, message }) => {
                Some((end, Err(StatusDetails { status_code: status_code.map(Into::into), message })))
            }
            _ => Some((end, Ok(()))),
        }
    }

    /// Runs a generation job: it begins, works, and ends at its time.
    async fn generate(self: Arc<Self>, number: u64) {
        let Some((end, begun)) = self.begin(number, seconds(self.config.generation_seconds)).await else { return };
        let job = self.jobs().generations.get(&number).map(|job| (job.request.seed.source.clone(), job.model));
        let Some((source, model)) = job else { return };
        let audience = match begun {
            Ok(()) => self.audience(&source, &self.models[model]).await,
            Err(details) => Err(details),
        };
        sleep_until(end).await;
        if let Some(job) = self.jobs().generations.get_mut(&number) {
            match audience {
                Ok(audience) => {
                    job.audience = Some(Arc::new(audience));
                    job.progress.set(Status::Active);
                }
                Err(details) => job.progress.fail(details),
            }
        }
    }

    async fn audience(&self, source: &SeedSource, model: &Model) -> Result<Audience, StatusDetails> {
        let place = match source {
            SeedSource::DataSource(file) => &file.s3_uri,
            SeedSource::SqlParameters(_) => model.config.sql_seed_s3_uri.as_ref().ok_or_else(|| {
                let message = "The emulator has no SQL engine: name the query's result as sqlSeedS3Uri of the model.";
                StatusDetails::new("SQL_NOT_SUPPORTED", message)
            })?,
        };
        if self.config.without_data {
            return Ok(Audience::without_users(&model.sizes));
        }
        let bytes = self.storage.read(place).await.map_err(|reason| {
            StatusDetails::new("SEED_NOT_READABLE", format!("The seed {place} can't be read: {reason}."))
        })?;
        let (training, sizes) = (Arc::clone(&model.training), model.sizes.clone());
        let least = model.config.min_matching_seed_size as usize;
        // Ranking takes a while and never waits: not for a thread that serves.
        let ranking = tokio::task::spawn_blocking(move || {
            let ids = seed::read(&bytes).map_err(|message| StatusDetails::new("SEED_INVALID", message))?;
            let users: Vec<u32> = ids.iter().filter_map(|id| training.user(id)).collect();
            if users.len() < least {
                let matched = users.len();
                let message = format!(
                    "{matched} of the seed's users are in the training data, fewer than the model's \
                     minMatchingSeedSize of {least}."
                );
                return Err(StatusDetails::new("MATCHING_SEED_TOO_SMALL", message));
            }
            Ok(Audience::of(&training, users, &sizes))
        });
        ranking.await.unwrap_or_else(|_| Err(StatusDetails::new("INTERNAL", "The ranking broke off.")))
    }

    async fn delete(self: Arc<Self>, number: u64) {
        let half = seconds(self.config.deletion_seconds) / 2;
        sleep(half).await;
        if let Some(job) = self.jobs().generations.get_mut(&number) {
            job.progress.set(Status::DeleteInProgress);
        }
        sleep(half).await;
        self.jobs().remove_generation(number);
    }

    /// Runs an export job, as a generation job.
    async fn export(self: Arc<Self>, number: u64, generation: u64) {
        let Some((end, begun)) = self.begin(number, seconds(self.config.export_seconds)).await else { return };
        let Some(request) = self.jobs().exports.get(&number).map(|job| job.request.clone()) else { return };
        let written = match begun {
            Ok(()) => self.write_export(&request, generation).await,
            Err(details) => Err(details),
        };
        sleep_until(end).await;
        if let Some(job) = self.jobs().exports.get_mut(&number) {
            match written {
                Ok(output) => {
                    job.output = Some(output);
                    job.progress.set(Status::Active);
                }
                Err(details) => job.progress.fail(details),
            }
        }
    }

    /// Writes the objects of an export and returns their location.
    async fn write_export(&self, request: &StartExport, generation: u64) -> Result<String, StatusDetails> {
        let gone = || StatusDetails::new("AUDIENCE_NOT_FOUND", "The audience is gone.");
        let (audience, include_seed, model) = {
            let jobs = self.jobs();
            let job = jobs.generations.get(&generation).ok_or_else(gone)?;
            let audience = job.audience.clone().ok_or_else(gone)?;
            (audience, job.request.include_seed.unwrap_or(false), &self.models[job.model])
        };
        let bucket = model.config.output_s3_uri.bucket();
        let base = format!("{}/{}", model.config.output_s3_uri.key().trim_end_matches('/'), request.name);
        if self.config.without_data {
            return Ok(format!("s3://{bucket}/{base}/"));
        }
        let layout = self.config.export_layout;
        let training = Arc::clone(&model.training);
        let size = users_of(request.size, training.user_count());
        let output = tokio::task::spawn_blocking(move || {
            // An id of its own for each export: two exports of one name do not overwrite each other.
            export_output(layout, &base, &unique_id(), lines(&training, &audience, size, include_seed))
        });
        let output = output.await.map_err(|_| StatusDetails::new("INTERNAL", "The writing broke off."))?;
        for (key, bytes) in output.objects {
            let place = S3Uri::new(bucket, &key).map_err(|problem| {
                StatusDetails::new("OUTPUT_NOT_WRITABLE", format!("The output's place {problem}."))
            })?;
            self.storage.write(&place, bytes).await.map_err(|reason| {
                StatusDetails::new("OUTPUT_NOT_WRITABLE", format!("The output {place} can't be written: {reason}."))
            })?;
        }
        Ok(format!("s3://{bucket}/{}", output.location))
    }
}

/// Half to twice the time of a job, by its number: in a simulation each job takes its own.
fn varied(time: Duration, number: u64) -> Duration {
    let factor = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    time * (512 + u32::try_from(factor + factor / 2).unwrap_or(0)) / 1_024
}

fn lines(training: &Training, audience: &Audience, size: usize, include_seed: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    for user in audience.members(size, include_seed) {
        lines.extend_from_slice(json!({ "user_id": training.user_id(user) }).to_string().as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// The training data that has been read, by its path: several models may use one file.
#[derive(Default)]
struct TrainingData(HashMap<String, Arc<Training>>);

impl TrainingData {
    async fn training(&mut self, place: &str, config: &Config, storage: &Storage) -> Result<Arc<Training>, String> {
        if let Some(training) = self.0.get(place) {
            return Ok(Arc::clone(training));
        }
        let training = read_training(place, config, storage).await;
        let training = Arc::new(training.map_err(|error| format!("trainingData {place}: {error}"))?);
        self.0.insert(place.to_owned(), Arc::clone(&training));
        Ok(training)
    }
}

async fn read_training(place: &str, config: &Config, storage: &Storage) -> Result<Training, String> {
    if config.without_data {
        return Training::read(b"user_id,item_id,timestamp\nuser,item,1\n");
    }
    let bytes = read_file(place, config, storage).await?;
    let reading = tokio::task::spawn_blocking(move || Training::read(&bytes));
    reading.await.map_err(|error| error.to_string())?
}

/// Reads a file that the configuration names: an S3 URI, or a path.
async fn read_file(place: &str, config: &Config, storage: &Storage) -> Result<Vec<u8>, String> {
    if place.starts_with("s3://") {
        storage.read(&place.parse()?).await
    } else {
        std::fs::read(config.folder.join(place)).map_err(|error| error.to_string())
    }
}

/// Returns the page of a list that the query string asks for.
fn listed(list: &str, query: &Query, at_most: usize, entries: impl Iterator<Item = (u64, Value)>) -> Outcome {
    let most = query.get("maxResults").map(|text| max_results(text)).transpose()?;
    let asked = Asked { most, token: query.get("nextToken").cloned() };
    let foreign = |ForeignToken| violation("nextToken", "is not a token of this list");
    page(list, &asked, at_most, entries).map(Some).map_err(foreign)
}

fn found<'j>(jobs: &'j Jobs, arn: &AudienceGenerationJobArn) -> Result<(u64, &'j GenerationJob), ServiceError> {
    jobs.generation(arn).ok_or_else(|| ServiceError::new(ErrorKind::ResourceNotFound, format!("There is no {arn}.")))
}

/// Rejects a start if as many jobs count against the quota as it allows.
fn check_quota(name: &'static str, value: u32, count: usize) -> Result<(), ServiceError> {
    if count < value as usize {
        return Ok(());
    }
    let message = format!("{name}: the quota of {value} is used up.");
    Err(ServiceError::new(ErrorKind::ServiceQuotaExceeded { name, value }, message))
}

fn optional<T: std::str::FromStr<Err = String>>(query: &Query, name: &str) -> Result<Option<T>, ServiceError> {
    query.get(name).map(|text| parameter(name, text)).transpose()
}

fn seconds(seconds: f64) -> Duration {
    // The configuration has been checked: neither negative nor endless.
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
