//! An emulator that runs in the test's own process, with a client of it and an S3.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use aws_sdk_cleanroomsml::Client;
use aws_sdk_cleanroomsml::config::retry::RetryConfig;
use aws_sdk_cleanroomsml::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_cleanroomsml::error::ProvideErrorMetadata;
use aws_sdk_cleanroomsml::operation::get_audience_generation_job::GetAudienceGenerationJobOutput;
use aws_sdk_cleanroomsml::operation::start_audience_generation_job::builders::StartAudienceGenerationJobFluentBuilder;
use aws_sdk_cleanroomsml::types::{
    AudienceExportJobStatus, AudienceExportJobSummary, AudienceGenerationJobDataSource, AudienceGenerationJobStatus,
    AudienceSize, AudienceSizeType, S3ConfigMap,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use emulator::{Config, Emulator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fake_s3::FakeS3;

pub(crate) const MODEL: &str = "arn:aws:cleanrooms-ml:eu-west-1:123456789012:configured-audience-model/6ab1a2f4-5d51";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/path/seed";
pub(crate) const ITEM_AFFINITY: &str = "arn:aws:personalize:eu-west-1:123456789012:solution/item-affinity/1a2b3c4d";
pub(crate) const ATTRIBUTE_AFFINITY: &str =
    "arn:aws:personalize:eu-west-1:123456789012:solution/item-attribute-affinity/5e6f7a8b";
pub(crate) const COLLABORATION: &str = "01234567-89ab-cdef-0123-456789abcdef";

/// Longer than anything takes here; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Running {
    pub(crate) client: Client,
    pub(crate) s3: FakeS3,
    pub(crate) address: String,
    /// A role of the emulator's account.
    pub(crate) role: String,
    _folder: TempDir,
}

/// A small town: of users u000 to u199 the first hundred run, the others cook.
fn training() -> String {
    let mut csv = String::from("user_id,item_id,timestamp\n");
    for user in 0..200 {
        let item = if user < 100 { "shoes" } else { "pot" };
        let _ = writeln!(csv, "u{user:03},{item},1767225600\nu{user:03},bread{},1767225600", user % 7);
    }
    csv
}

/// What the small town touches, and a book that nobody does.
const ITEMS: &str = "item_id,CATEGORY\nshoes,Running\npot,Cooking\nbread0,Food\nbook,Reading\n";

/// A seed of the users of these numbers.
pub(crate) fn seed(users: impl IntoIterator<Item = u32>) -> String {
    users.into_iter().fold(String::new(), |mut lines, user| {
        let _ = writeln!(lines, r#"{{"user_id":"u{user:03}"}}"#);
        lines
    })
}

impl Running {
    /// The small town; jobs take no time.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// The small town with another configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Value)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("training.csv"), training()).unwrap();
        std::fs::write(folder.path().join("items.csv"), ITEMS).unwrap();
        let mut json = json!({
            "generationSeconds": 0,
            "exportSeconds": 0,
            "segmentSeconds": 0,
            "deletionSeconds": 0,
            "solutionVersions": [
                {"solutionVersionArn": ITEM_AFFINITY, "recipe": "aws-item-affinity", "trainingData": "training.csv"},
                {
                    "solutionVersionArn": ATTRIBUTE_AFFINITY,
                    "recipe": "aws-item-attribute-affinity",
                    "trainingData": "training.csv",
                    "items": "items.csv",
                },
            ],
            "models": [{
                "configuredAudienceModelArn": MODEL,
                "name": "small town",
                "trainingData": "training.csv",
                "outputS3Uri": "s3://audiences/exports/",
                "minMatchingSeedSize": 30,
                "audienceSizeConfig": {"audienceSizeType": "PERCENTAGE", "audienceSizeBins": [5, 20, 50]},
            }],
        });
        change(&mut json);
        let file = folder.path().join("emulator.json");
        std::fs::write(&file, json.to_string()).unwrap();
        Self::of(Config::read(&file).unwrap(), folder).await
    }

    /// The sample of `tests/data`.
    pub(crate) async fn start_sample() -> Self {
        let mut config = Config::read(&Config::sample_path()).unwrap();
        config.generation_seconds = 0.0;
        config.export_seconds = 0.0;
        config.segment_seconds = 0.0;
        Self::of(config, tempfile::tempdir().unwrap()).await
    }

    async fn of(mut config: Config, folder: TempDir) -> Self {
        let s3 = FakeS3::start().await;
        config.s3_endpoint = Some(s3.endpoint.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let role = ROLE.replace("123456789012", config.account());
        let emulator = Emulator::new(config).await.unwrap();
        tokio::spawn(emulator.serve(listener, std::future::pending()));
        let client = aws_sdk_cleanroomsml::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(format!("http://{address}"))
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self { client: Client::from_conf(client), s3, address, role, _folder: folder }
    }

    /// A good start of a generation job, to be sent or spoilt.
    pub(crate) fn generation(&self, name: &str, seed: &str) -> StartAudienceGenerationJobFluentBuilder {
        let file = S3ConfigMap::builder().s3_uri(seed).build().unwrap();
        let source = AudienceGenerationJobDataSource::builder().data_source(file).role_arn(&self.role).build().unwrap();
        self.client
            .start_audience_generation_job()
            .name(name)
            .configured_audience_model_arn(MODEL)
            .seed_audience(source)
    }

    /// The ARN of a job of that name, whose seed are the first forty runners.
    pub(crate) async fn start_runners(&self, name: &str) -> String {
        let seed = self.s3.put("seeds", "runners.jsonl", seed(0..40));
        self.generation(name, &seed).send().await.unwrap().audience_generation_job_arn
    }

    pub(crate) async fn job(&self, arn: &str) -> GetAudienceGenerationJobOutput {
        self.client.get_audience_generation_job().audience_generation_job_arn(arn).send().await.unwrap()
    }

    /// The job as soon as it is no longer in progress.
    pub(crate) async fn ended(&self, arn: &str) -> GetAudienceGenerationJobOutput {
        let start = Instant::now();
        loop {
            let job = self.job(arn).await;
            if !matches!(
                job.status,
                AudienceGenerationJobStatus::CreatePending | AudienceGenerationJobStatus::CreateInProgress
            ) {
                return job;
            }
            pause(start).await;
        }
    }

    /// The ARN of an active audience of the runners.
    pub(crate) async fn active(&self, name: &str) -> String {
        let arn = self.start_runners(name).await;
        let job = self.ended(&arn).await;
        assert_eq!(job.status, AudienceGenerationJobStatus::Active, "{:?}", job.status_details);
        arn
    }

    pub(crate) async fn export(&self, job: &str, name: &str, percent: i32) -> Result<(), Refusal> {
        let export = self.client.start_audience_export_job().audience_generation_job_arn(job).name(name);
        export.audience_size(percentage(percent)).send().await.map(|_| ()).map_err(refusal)
    }

    pub(crate) async fn exports(&self, job: &str) -> Vec<AudienceExportJobSummary> {
        let list = self.client.list_audience_export_jobs().audience_generation_job_arn(job).send().await.unwrap();
        list.audience_export_jobs
    }

    /// All exports of the job as soon as none is in progress.
    pub(crate) async fn ended_exports(&self, job: &str) -> Vec<AudienceExportJobSummary> {
        let start = Instant::now();
        loop {
            let exports = self.exports(job).await;
            let busy = [AudienceExportJobStatus::CreatePending, AudienceExportJobStatus::CreateInProgress];
            if !exports.iter().any(|export| busy.contains(&export.status)) {
                return exports;
            }
            pause(start).await;
        }
    }

    /// The user ids that a new export of that size holds.
    pub(crate) async fn exported(&self, job: &str, name: &str, percent: i32) -> Vec<String> {
        self.export(job, name, percent).await.unwrap();
        let exports = self.ended_exports(job).await;
        let export = exports.iter().find(|export| export.name == name).unwrap();
        let place = export.output_location.as_deref().unwrap_or_else(|| panic!("{:?}", export.status_details));
        let lines: Vec<Value> = self.s3.text(place).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().map(|line| line["user_id"].as_str().unwrap().to_owned()).collect()
    }

    /// What a request by hand is answered.
    pub(crate) async fn by_hand(&self, method: &str, path: &str, body: &str) -> Answer {
        self.with_headers(method, path, "", body).await
    }

    /// What a request by hand is answered, with more headers, of which each ends in a line end.
    pub(crate) async fn with_headers(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.answer_if_any(method, path, headers, body).await.unwrap()
    }

    /// The same where the connection may end without a byte of an answer.
    pub(crate) async fn answer_if_any(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good an end as none.
        let _ = stream.read_to_end(&mut answer).await;
        if answer.is_empty() {
            return None;
        }
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let (status, headers) = head.split_once("\r\n").unwrap();
        Some(Answer {
            status: status.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.to_lowercase(),
            body: body.to_owned(),
        })
    }

    /// Puts these faults in the place of all others.
    pub(crate) async fn arm(&self, faults: Value) {
        let answer = self.by_hand("PUT", "/_emulator/faults", &json!({ "faults": faults }).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// How often each fault struck.
    pub(crate) async fn struck(&self) -> Vec<u64> {
        let standing: Value = serde_json::from_str(&self.by_hand("GET", "/_emulator/faults", "").await.body).unwrap();
        standing["faults"].as_array().unwrap().iter().map(|fault| fault["struck"].as_u64().unwrap()).collect()
    }

    /// Every job that was ever started.
    pub(crate) async fn started(&self) -> Value {
        serde_json::from_str(&self.by_hand("GET", "/_emulator/jobs", "").await.body).unwrap()
    }

    /// The calls so far.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        serde_json::from_str(&self.by_hand("GET", "/_emulator/calls", "").await.body).unwrap()
    }
}

/// Waits a little, unless it has been too long.
pub(crate) async fn pause(since: Instant) {
    assert!(since.elapsed() < PATIENCE, "it does not end");
    tokio::time::sleep(Duration::from_millis(5)).await;
}

pub(crate) fn percentage(value: i32) -> AudienceSize {
    AudienceSize::builder().r#type(AudienceSizeType::Percentage).value(value).build().unwrap()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// An error as a client sees it.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Refusal {
    #[track_caller]
    pub(crate) fn assert(&self, code: &str, status: u16, part_of_message: &str) {
        assert_eq!((self.code.as_str(), self.status), (code, status), "{self:?}");
        assert!(self.message.contains(part_of_message), "{self:?}");
    }
}

#[allow(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
pub(crate) fn refusal<E: ProvideErrorMetadata>(error: SdkError<E, HttpResponse>) -> Refusal {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Refusal { code: text(error.code()), status, message: text(error.message()) }
}
