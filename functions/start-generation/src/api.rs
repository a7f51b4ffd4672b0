//! The API calls about generation jobs.

use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::operation::start_audience_generation_job::StartAudienceGenerationJobError::ServiceQuotaExceededException;
use aws_sdk_cleanroomsml::types::{
    AudienceGenerationJobDataSource, ComputeConfiguration, ProtectedQuerySqlParameters, S3ConfigMap,
    WorkerComputeConfiguration, WorkerComputeConfigurationProperties, WorkerComputeType,
};
use lookalike::execution::Execution;
use lookalike::job::{self, Evidence, RUN_TAG};
use lookalike::once::JobService;
use lookalike::request::{AudienceRequest, SeedAudience, SeedSource, SqlComputeConfiguration, SqlText};
use lookalike::values::JobName;
use lookalike::{Error, ErrorName, client};

/// The most entries of a page.
const MAX_RESULTS: i32 = 100;

/// The generation jobs that a run may start.
pub(crate) struct Jobs<'a> {
    pub(crate) ml: &'a Client,
    pub(crate) request: &'a AudienceRequest,
    pub(crate) execution: &'a Execution,
    pub(crate) stack: &'a str,
    /// Whether the model belongs to the run's account.
    pub(crate) is_own_model: bool,
}

impl Jobs<'_> {
    /// The description that the job gets.
    fn description(&self) -> Option<String> {
        let description = self.request.description.clone().map(String::from);
        if self.is_own_model {
            description
        } else {
            Some(job::marked_description(description.as_deref(), self.execution))
        }
    }

    /// Takes secrets out of what the service answered.
    fn redact(&self, error: Error) -> Error {
        match &self.request.seed_audience.source {
            SeedSource::SqlParameters(sql) => error.without(sql.secrets()),
            SeedSource::DataSource(_) => error,
        }
    }
}

impl JobService for Jobs<'_> {
    /// Its ARN.
    type Job = String;

    async fn prepare(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn start(&self, name: &JobName) -> Result<String, Error> {
        let never_repeat = aws_sdk_cleanroomsml::config::Config::builder().retry_config(client::never_repeat());
        let request = self.request;
        let started = self
            .ml
            .start_audience_generation_job()
            .name(name.as_str())
            .configured_audience_model_arn(request.configured_audience_model_arn.as_str())
            .seed_audience(seed_audience(&request.seed_audience)?)
            .set_include_seed_in_output(request.include_seed_in_output)
            .set_collaboration_id(request.collaboration_id.clone().map(String::from))
            .set_description(self.description())
            .set_tags(Some(request.tags.clone().into_iter().chain(job::own_tags(self.stack, self.execution)).collect()))
            .customize()
            .config_override(never_repeat)
            .send()
            .await;
        let started = started.map_err(|error| {
            let (quota, value) = match error.as_service_error() {
                Some(ServiceQuotaExceededException(quota)) => (quota.quota_name.clone(), quota.quota_value),
                _ => (None, None),
            };
            let error = self.redact(Error::from(error)).doing(format_args!("starting audience generation job {name}"));
            error.of_quota(quota.as_deref(), value)
        })?;
        Ok(started.audience_generation_job_arn)
    }

    /// Filtered by the model if it is the account's, else by the collaboration: only the start of a job works across
    /// accounts.
    async fn list(&self, names: &[JobName]) -> Result<Vec<(JobName, String)>, Error> {
        let list = self.ml.list_audience_generation_jobs().max_results(MAX_RESULTS);
        let list = if self.is_own_model {
            list.configured_audience_model_arn(self.request.configured_audience_model_arn.as_str())
        } else {
            list.set_collaboration_id(self.request.collaboration_id.clone().map(String::from))
        };
        let mut pages = list.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::from(error).doing("listing audience generation jobs"))?;
            for job in page.audience_generation_jobs {
                if let Some(name) = names.iter().find(|name| name.as_str() == job.name) {
                    found.push((name.clone(), job.audience_generation_job_arn));
                }
            }
        }
        Ok(found)
    }

    async fn is_ours(&self, arn: &String) -> Result<bool, Error> {
        let job = self.ml.get_audience_generation_job().audience_generation_job_arn(arn).send().await;
        let job = match job {
            Ok(job) => job,
            // Deleted after it was listed or started, or not shown yet: the next look-up decides.
            Err(error) => {
                return Err(Error::from(error).doing(format_args!("proving audience generation job {arn}")));
            }
        };
        let evidence = Evidence {
            create_time: job.create_time.into(),
            run_tag: job.tags().and_then(|tags| tags.get(RUN_TAG)).map(String::as_str),
            description: job.description(),
        };
        Ok(if self.is_own_model {
            evidence.is_of(self.execution)
        } else {
            evidence.is_of_foreign(self.execution, self.description().as_deref())
        })
    }
}

fn seed_audience(seed: &SeedAudience) -> Result<AudienceGenerationJobDataSource, Error> {
    let builder = AudienceGenerationJobDataSource::builder().role_arn(seed.role_arn.as_str());
    let incomplete = |error| Error::new(ErrorName::InvalidRequest, format!("seedAudience: {error}"));
    let builder = match &seed.source {
        SeedSource::DataSource(file) => {
            let file = S3ConfigMap::builder().s3_uri(file.s3_uri.as_str()).build().map_err(incomplete)?;
            builder.data_source(file)
        }
        SeedSource::SqlParameters(sql) => {
            let text = ProtectedQuerySqlParameters::builder();
            let text = match &sql.text {
                SqlText::QueryString(query) => text.query_string(query),
                SqlText::AnalysisTemplateArn(arn) => text.analysis_template_arn(arn.as_str()),
            };
            let parameters = (!sql.parameters.is_empty()).then(|| sql.parameters.clone().into_iter().collect());
            builder.sql_parameters(text.set_parameters(parameters).build())
        }
    };
    let compute = seed.sql_compute_configuration.as_ref().map(compute);
    builder.set_sql_compute_configuration(compute).build().map_err(incomplete)
}

fn compute(SqlComputeConfiguration { worker }: &SqlComputeConfiguration) -> ComputeConfiguration {
    let properties = worker
        .properties
        .as_ref()
        .map(|properties| WorkerComputeConfigurationProperties::Spark(properties.spark.clone().into_iter().collect()));
    ComputeConfiguration::Worker(
        WorkerComputeConfiguration::builder()
            .set_type(worker.kind.map(|kind| WorkerComputeType::from(kind.as_str())))
            .set_number(worker.number.and_then(|number| i32::try_from(number).ok()))
            .set_properties(properties)
            .build(),
    )
}
