//! An emulator of AWS Clean Rooms ML's audience operations, for a laptop.
//!
//! It speaks the real rest-json wire, so any AWS client works with it; jobs take their time, read a real seed from
//! S3, rank the users of real training data by how alike they are to it, and write real exports. Signatures are not
//! verified. What the service does not document is answered in the way that finds most mistakes: one name is taken
//! for one generation job only, but for any number of exports.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the configuration file |
//! | `http` | from an HTTP request to its operation, and back |
//! | [`operation`] | the operations |
//! | `request`, `page` | what requests may say; lists in pages |
//! | [`wire`] | errors, timestamps, percent-encoding |
//! | `service`, `jobs` | the operations, the jobs and their work |
//! | [`seed`], [`training`], [`audience`] | who is known, who did what, and who is alike |
//! | `storage` | S3 |
//! | [`faults`], `strikes` | what goes wrong on purpose, and when |
//! | [`calls`] | what the service was asked, for tests |
//! | [`sample`], `dice` | the generator of `tests/data`, and what it draws from |

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

pub mod audience;
pub mod calls;
pub mod config;
mod dice;
pub mod faults;
mod http;
mod jobs;
pub mod operation;
mod page;
mod request;
pub mod sample;
pub mod seed;
mod service;
mod storage;
mod strikes;
pub mod training;
pub mod wire;

pub use config::Config;

/// The emulator, ready to serve.
pub struct Emulator(Arc<service::Service>);

impl Emulator {
    /// Reads the training data of every model.
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
