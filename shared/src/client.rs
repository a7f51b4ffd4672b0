//! How a function's AWS clients are set up: one TLS stack, bounded calls, retries that fit what is called.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// The configuration of every client, to load once at the start.
///
/// Calls that only read are retried by the SDK, three times at most: a workflow's retry costs a transition.
#[must_use]
pub fn config() -> ConfigLoader {
    // ring instead of aws-lc: less to build, less to load, and no entropy to gather at a cold start (2026-11-22).
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        // Ends before the function does (30 s), so that the error has a name and says which call it was.
        .operation_timeout(Duration::from_secs(25))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
}

/// For calls that start a paid job: never repeated by the SDK, which does not know whether the first one went through.
#[must_use]
pub fn never_repeat() -> RetryConfig {
    RetryConfig::disabled()
}
