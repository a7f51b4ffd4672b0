//! S3: where seeds and inputs are read, and exports and segments written.

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_smithy_http_client::tls;
use lookalike::values::S3Uri;

/// Reads and writes whole objects.
pub(crate) struct Storage(Client);

impl Storage {
    /// With the endpoint of the configuration, else that of the environment, else AWS's own.
    pub(crate) fn new(endpoint: Option<&str>, region: &str) -> Self {
        let of_environment = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
        let endpoint = endpoint
            .map(str::to_owned)
            .or_else(|| of_environment("AWS_ENDPOINT_URL_S3"))
            .or_else(|| of_environment("AWS_ENDPOINT_URL"));
        let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
            .region(Region::new(region.to_owned()))
            .force_path_style(true)
            // Doubles of S3 need not know the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        let config = match endpoint {
            // A local S3 takes any credentials, so that none need be set for it.
            Some(endpoint) if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() => config
                .endpoint_url(endpoint)
                .credentials_provider(Credentials::new("emulator", "emulator", None, None, "emulator")),
            Some(endpoint) => {
                config.endpoint_url(endpoint).credentials_provider(EnvironmentVariableCredentialsProvider::new())
            }
            None => config.credentials_provider(EnvironmentVariableCredentialsProvider::new()),
        };
        Self(Client::from_conf(config.build()))
    }

    /// The bytes of an object.
    pub(crate) async fn read(&self, place: &S3Uri) -> Result<Vec<u8>, String> {
        let object = self.0.get_object().bucket(place.bucket()).key(place.key()).send().await;
        let object = object.map_err(|error| reason(error.code(), &error))?;
        let bytes = object.body.collect().await.map_err(|error| reason(None, &error))?;
        Ok(bytes.to_vec())
    }

    /// The keys that begin so.
    pub(crate) async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, String> {
        let mut pages = self.0.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| reason(error.code(), &error))?;
            keys.extend(page.contents.into_iter().flatten().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// Writes an object.
    pub(crate) async fn write(&self, place: &S3Uri, bytes: Vec<u8>) -> Result<(), String> {
        let put = self.0.put_object().bucket(place.bucket()).key(place.key()).body(bytes.into());
        put.send().await.map(|_| ()).map_err(|error| reason(error.code(), &error))
    }
}

/// The error's code where the service gave one, else all that is known.
fn reason(code: Option<&str>, error: &dyn std::error::Error) -> String {
    code.map_or_else(|| DisplayErrorContext(error).to_string(), str::to_owned)
}
