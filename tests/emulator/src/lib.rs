//! An emulator of AWS Clean Rooms ML's audience operations and Amazon Personalize's batch segment jobs, for a laptop.
//!
//! It speaks the real wires on one address, so any AWS client works with it; jobs take their time, read a real seed or
//! input from S3, rank the users of real training data by how alike they are to it or how much they are drawn to it, and
//! write real exports and segments. Signatures are not verified. What the services do not document is answered in the
//! way that finds most mistakes: one name is taken for one generation job only, but for any number of exports. There are
//! no filters of Personalize.
//!
//! A segment job fails where no object lies under its input's path, where no object has a line, and where S3 refuses. A
//! line that can't be answered says so in the output, and the job is `ACTIVE` all the same.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the configuration file |
//! | `http` | from an HTTP request to its operation, and back |
//! | [`operation`] | the operations of both APIs |
//! | `reader`, `request`, `segment_request` | what requests may say: how it is read, in Clean Rooms ML, in Personalize |
//! | `page` | lists in pages |
//! | [`wire`] | errors, timestamps, percent-encoding |
//! | `service`, `service::segments`, `jobs` | the operations of the one API and of the other, the jobs and their work |
//! | [`seed`], [`training`], [`audience`] | who is known, who did what, and who is alike |
//! | `segment`, `items`, `attributes` | who is drawn to an item, which items there are, how they are asked for |
//! | [`personalize_values`] | strings of Personalize's API that are wider than Lookalike's |
//! | `storage` | S3 |
//! | [`faults`], `strikes` | what goes wrong on purpose, and when |
//! | [`calls`] | what the service was asked, for tests |
//! | [`sample`], `dice` | the generator of `tests/data`, and what it draws from |

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

mod attributes;
pub mod audience;
pub mod calls;
pub mod config;
mod dice;
pub mod faults;
mod http;
mod items;
mod jobs;
pub mod operation;
mod page;
pub mod personalize_values;
mod reader;
mod request;
pub mod sample;
pub mod seed;
mod segment;
mod segment_request;
mod service;
mod storage;
mod strikes;
pub mod training;
pub mod wire;

pub use config::Config;

/// The emulator, ready to serve.
pub struct Emulator(Arc<service::Service>);

impl Emulator {
    /// Reads the training data of every model and every solution version.
    ///
    /// # Errors
    /// Where the configuration is wrong or the data can't be read.
    pub async fn new(config: Config) -> Result<Self, String> {
        service::Service::new(config).await.map(|service| Self(Arc::new(service)))
    }

    /// Serves until `stop` comes.
    ///
    /// # Errors
    /// Where the listener fails.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let service = Arc::clone(&self.0);
        let stop = async move {
            stop.await;
            service.stop();
        };
        axum::serve(listener, http::router(self.0)).with_graceful_shutdown(stop).await
    }
}
