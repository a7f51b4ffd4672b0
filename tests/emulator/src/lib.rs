//! An emulator of AWS Clean Rooms ML's audience operations and Amazon Personalize's batch segment jobs, for a laptop.
//!
//! Both services are served on one address with their real protocols, so every AWS client works with it. A job takes its
//! time, reads a real seed or input from S3, ranks the users of real training data and writes real exports or segments.
//!
//! # What it enforces
//! The emulator rejects what the real services reject, so that a client that works here works there. If AWS does not
//! document a behaviour, the emulator takes the answer that finds the most mistakes, or the configuration chooses it.
//!
//! | rule | answer | configuration |
//! |---|---|---|
//! | every length, pattern, range and enumeration of the service models for the operations below; a union has exactly one member | 400 | |
//! | `s3Uri` and `roleArn`, and every ARN and path of Personalize: no line break, also not at the end | 400 | |
//! | names and descriptions of Clean Rooms ML: no character beyond U+FFFF | 400 | |
//! | tags: at most 50, no key that begins with `aws:` in upper or lower case | 400 | |
//! | a size of an export is one of the model's | 400 | |
//! | generation jobs of the account, pending or in progress: 10 | 402 | `maxGenerationJobsInFlight` |
//! | exports of the account, pending or in progress: 20 | 402 | `maxExportJobsInFlight` |
//! | exports of one generation job that have not failed: 25. This quota never frees itself | 402 | `maxExportsPerGenerationJob` |
//! | segment jobs, pending or in progress: no quota | 400 | `maxSegmentJobsInFlight` |
//! | an ARN of another account is accepted only as the model of `StartAudienceGenerationJob` | 403, 404 or 400 | `otherAccountError` |
//! | a model of another account needs a `collaborationId` | 403 | |
//! | a role belongs to the account | 403 | |
//! | a name is given to one generation job or segment job at a time; exports may share a name | 409 | |
//! | only an `ACTIVE` generation job is exported; a job in progress is not deleted | 409 | |
//! | a token continues its own list only; a page has at most 100 entries | 400 | |
//! | a seed has 25 to 500,000 unique user ids, and `minMatchingSeedSize` of them are in the training data | the job fails | `models` |
//! | a segment job has an input object with a line, and S3 allows to read and to write | the job fails | |
//!
//! On the protocol of Personalize every error of a client is 400. A quota error of Clean Rooms ML has `quotaName` and
//! `quotaValue`.
//!
//! It shows what the real services show:
//!
//! | answer | configuration |
//! |---|---|
//! | `GetAudienceGenerationJob` has no `seedAudience`: the account that started a job does not see it | |
//! | tags of a job of another account's model are shown, or not | `dropTagsForOtherAccountsModels` |
//! | metrics are shown only if the model shares them | `sharedAudienceMetrics` |
//! | an export is one file, or a folder of parts, plain or compressed | `exportLayout` |
//! | a connection without a request is closed after 5 seconds | `idleConnectionSeconds` |
//!
//! [`faults`] injects errors, lost answers, late lists and more.
//!
//! It does not verify signatures and knows no IAM policies. It has no filters of Personalize and no SQL engine. A line of
//! a segment job that cannot be answered has an error in the output, and the job is `ACTIVE` nevertheless. It accepts
//! combining marks in tags of Personalize, which the service model does not.
//!
//! # Modules
//! | module | contents |
//! |---|---|
//! | [`config`] | the configuration file |
//! | `server`, `http` | connections; from an HTTP request to its operation, and back |
//! | [`operation`] | the operations of both APIs |
//! | `reader`, `request`, `segment_request` | reading and checking requests: in general, of Clean Rooms ML, of Personalize |
//! | `page` | lists in pages |
//! | [`wire`] | errors, timestamps, percent-encoding |
//! | `service`, `service::segments`, `jobs` | the operations of both APIs; jobs and their work |
//! | [`seed`], [`training`], [`audience`] | the seed, the training data, the ranking of users |
//! | `segment`, `items`, `attributes` | the ranking of users for items, the items, the expressions that select them |
//! | `export_layout` | the objects of an export |
//! | [`personalize_values`] | strings that Personalize takes more widely than Lookalike |
//! | `storage` | S3 |
//! | [`faults`], `fault_injection` | fault injection: the faults, and when each one happens |
//! | [`calls`] | the list of received calls, for tests |
//! | [`sample`], `rng` | the generator of `tests/data` and its random numbers |

use std::sync::Arc;

use tokio::net::TcpListener;

mod attributes;
pub mod audience;
pub mod calls;
pub mod clock;
pub mod config;
mod export_layout;
mod fault_injection;
pub mod faults;
mod http;
mod items;
mod jobs;
pub mod operation;
mod page;
pub mod personalize_values;
mod reader;
mod request;
mod rng;
pub mod sample;
pub mod seed;
mod segment;
mod segment_request;
mod server;
mod service;
mod storage;
pub mod training;
pub mod wire;

pub use config::Config;

/// The emulator, ready to serve.
#[derive(Clone)]
pub struct Emulator(Arc<service::Service>);

impl Emulator {
    /// Reads the training data of every model and every solution version.
    ///
    /// # Errors
    /// If the configuration is wrong or the data cannot be read.
    pub async fn new(config: Config) -> Result<Self, String> {
        service::Service::new(config).await.map(|service| Self(Arc::new(service)))
    }

    /// Answers one request in process, without a connection and without the faults of calls.
    ///
    /// # Panics
    /// Outside a tokio runtime: jobs are tasks.
    #[must_use]
    pub fn answer(&self, request: axum::http::Request<Vec<u8>>) -> axum::http::Response<Vec<u8>> {
        http::answer_now(&self.0, request)
    }

    /// Returns every job that was ever started, as `GET /_emulator/jobs` does, and what it was started with.
    #[must_use]
    pub fn started_jobs(&self) -> serde_json::Value {
        self.0.jobs_started_with()
    }

    /// Serves until `stop` is ready.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) {
        let (service, idle) = (Arc::clone(&self.0), self.0.idle_time());
        let stop = async move {
            stop.await;
            service.stop();
        };
        server::serve(listener, http::router(self.0), idle, stop).await;
    }
}
