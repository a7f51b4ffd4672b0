//! How a function's AWS clients are set up: what Lambda's environment says, one TLS stack, bounded calls, retries that
//! fit what is called, and connections that are open before the first event comes.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_sdk_cleanroomsml::config::http::HttpRequest;
use aws_sdk_cleanroomsml::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_cleanroomsml::config::retry::RetryConfig;
use aws_sdk_cleanroomsml::config::timeout::TimeoutConfig;
use aws_sdk_cleanroomsml::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents, SharedAsyncSleep,
    SharedCredentialsProvider, SharedHttpClient,
};
use aws_sdk_cleanroomsml::error::BoxError;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use lambda_runtime::tracing::info;

use crate::environment::{Environment, EnvironmentError};

/// The configuration of every client.
///
/// It is made of the variables that Lambda sets for a function of this kind, and of the endpoints'. The SDK's own loader
/// would also look for files, containers and instances that a function never has: half a megabyte of code to load (2026-11-22).
///
/// Calls that only read are retried by the SDK, three times at most: a workflow's retry costs a transition.
pub fn config<L>(environment: &Environment<L>) -> Result<SdkConfig, EnvironmentError>
where
    L: Fn(&str) -> Option<String> + Clone + Send + Sync + 'static,
{
    let credentials = Credentials::new(
        environment.required::<String>("AWS_ACCESS_KEY_ID")?,
        environment.required::<String>("AWS_SECRET_ACCESS_KEY")?,
        environment.optional("AWS_SESSION_TOKEN")?,
        // Lambda ends an environment before its credentials do.
        None,
        "Environment",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        // Ends before the function does (30 s), so that the error has a name and says which call it was.
        .operation_timeout(Duration::from_secs(25))
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(environment.required::<String>("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .service_config(Endpoints(environment.0.clone()))
        .http_client(http_client())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3));
    config.set_endpoint_url(environment.optional("AWS_ENDPOINT_URL")?);
    Ok(config.build())
}

/// For calls that start a paid job: never repeated by the SDK, which does not know whether the first one went through.
#[must_use]
pub fn never_repeat() -> RetryConfig {
    RetryConfig::disabled()
}

/// The endpoints of single services: `AWS_ENDPOINT_URL_<service>`.
struct Endpoints<L>(L);

impl<L> std::fmt::Debug for Endpoints<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoints")
    }
}

impl<L: Fn(&str) -> Option<String> + Send + Sync> LoadServiceConfig for Endpoints<L> {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        (self.0)(&format!("{}_{service}", key.env())).filter(|value| !value.is_empty())
    }
}

/// One HTTP client for all services. The SDK's own reads the CA certificates anew for each service's client.
fn http_client() -> SharedHttpClient {
    let connectors = OnceLock::new();
    http_client_fn(move |settings, components| {
        let new = || {
            let sleep = components.sleep_impl();
            SharedHttpConnector::new(Connectors { settings: settings.clone(), sleep, ..Connectors::default() })
        };
        connectors.get_or_init(new).clone()
    })
}

/// Connections with and without TLS, each kind set up when it is first called for.
#[derive(Debug, Default)]
struct Connectors {
    settings: HttpConnectorSettings,
    sleep: Option<SharedAsyncSleep>,
    plain: OnceLock<Connector>,
    tls: OnceLock<Connector>,
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut builder = Connector::builder().connector_settings(self.settings.clone());
        builder.set_sleep_impl(self.sleep.clone());
        let connector = if request.uri().starts_with("https:") {
            // ring instead of aws-lc: less to build, less to load, and no entropy to gather at a cold start (2026-11-22).
            self.tls.get_or_init(|| builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build())
        } else {
            self.plain.get_or_init(|| builder.build_http())
        };
        connector.call(request)
    }
}

/// A client of a service, by its crate's name, whose calls are [`Logged`].
#[macro_export]
macro_rules! client {
    ($sdk:ident, $config:expr) => {
        $sdk::Client::from_conf($sdk::config::Builder::from($config).interceptor($crate::client::Logged).build())
    };
}

/// Writes a line to the log for each call to AWS, and for each time that the SDK repeats it: which, how long until its
/// answer began, and the answer's HTTP status. Nothing of what was said.
#[derive(Debug)]
pub struct Logged;

/// When a call began.
#[derive(Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Logged {
    fn name(&self) -> &'static str {
        "Logged"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Began(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(call), Some(Began(began)), None) =
            (config.load::<Metadata>(), config.load::<Began>(), config.load::<Knocking>())
        else {
            return Ok(());
        };
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        let status = context.response().map(|response| response.status().as_u16());
        info!(service = call.service(), operation = call.name(), milliseconds, status, "called AWS");
        Ok(())
    }
}

/// That a call is only a [`Knock`].
#[derive(Debug)]
struct Knocking;

impl Storable for Knocking {
    type Storer = StoreReplace<Self>;
}

/// Turns any call of a client into a knock at the service's door: `HEAD /` without credentials, whose answer is of no
/// interest.
///
/// What it leaves behind is an open connection, TLS and all, and whatever else the SDK prepares once. Made during init,
/// where the processor is not throttled, it takes all this out of the first answer. A bare knock needs no permission,
/// counts towards no quota, costs nothing and cannot start anything. It is made once, and given up on soon.
#[derive(Debug)]
pub struct Knock;

impl Intercept for Knock {
    fn name(&self) -> &'static str {
        "Knock"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = config.interceptor_state();
        state.store_put(Knocking);
        state.store_put(RetryConfig::disabled());
        // Lambda allows ten seconds for all of init.
        state.store_put(TimeoutConfig::builder().operation_timeout(Duration::from_secs(2)).build());
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let mut knock = HttpRequest::empty();
        knock.set_method("HEAD")?;
        knock.set_uri(root(request.uri()))?;
        *request = knock;
        Ok(())
    }
}

/// The address without its path and query.
fn root(uri: &str) -> String {
    let host = uri.find("://").map_or(0, |scheme| scheme + 3);
    let end = uri[host..].find(['/', '?']).map_or(uri.len(), |path| host + path);
    format!("{}/", &uri[..end])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc, Mutex};

    use aws_sdk_cleanroomsml::Client;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    fn variable(name: &str) -> Option<String> {
        let value = match name {
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "test",
            "AWS_REGION" => "eu-west-1",
            "AWS_ENDPOINT_URL" => "http://all",
            "AWS_ENDPOINT_URL_CLEANROOMSML" => "http://ml/path?query",
            "AWS_ENDPOINT_URL_PERSONALIZE" => "",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn a_variable_that_lambda_has_not_set_is_named() {
        for missing in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
            let environment = Environment(move |name: &str| variable(name).filter(|_| name != missing));
            assert!(config(&environment).unwrap_err().to_string().contains(missing));
        }
    }

    /// Keeps the requests that it is given, and answers none.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<HttpRequest>>>);

    impl HttpConnector for Kept {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.0.lock().unwrap().push(request);
            HttpConnectorFuture::ready(Err(ConnectorError::io("no answer".into())))
        }
    }

    /// What a paid call sends where it is only a knock, and what it sends else.
    async fn sent(knocks: bool, lookup: fn(&str) -> Option<String>) -> Vec<HttpRequest> {
        let kept = Kept::default();
        let connector = SharedHttpConnector::new(kept.clone());
        let config = config(&Environment(lookup)).unwrap().into_builder();
        let config = config.http_client(http_client_fn(move |_, _| connector.clone())).build();
        let call = Client::new(&config).start_audience_export_job().name("SECRET").audience_generation_job_arn("arn");
        let call = call.customize().config_override(
            aws_sdk_cleanroomsml::config::Config::builder().retry_config(RetryConfig::standard().with_max_attempts(2)),
        );
        let call = if knocks { call.interceptor(Knock) } else { call };
        assert!(call.send().await.is_err());
        std::mem::take(&mut *kept.0.lock().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_knock_starts_nothing_says_nothing_and_is_made_once() {
        let aws = |name: &str| variable(name).filter(|_| !name.starts_with("AWS_ENDPOINT_URL"));
        for (lookup, door) in
            [(variable as fn(&str) -> _, "http://ml/"), (aws, "https://cleanrooms-ml.eu-west-1.amazonaws.com/")]
        {
            let knocks = sent(true, lookup).await;
            assert_eq!(knocks.len(), 1);
            assert_eq!((knocks[0].method(), knocks[0].uri()), ("HEAD", door));
            assert_eq!(knocks[0].headers().len(), 0);
            assert_eq!(knocks[0].body().bytes(), Some(&[][..]));
        }
        let calls = sent(false, variable).await;
        assert_eq!((calls.len(), calls[0].method()), (2, "POST"));
    }

    #[test]
    fn a_service_without_an_endpoint_of_its_own_has_the_common_one() {
        let endpoint = |service| {
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            Endpoints(variable).load_config(key.build().unwrap())
        };
        assert_eq!(endpoint("CleanRoomsML").as_deref(), Some("http://ml/path?query"));
        assert_eq!((endpoint("Personalize"), endpoint("S3")), (None, None));
        assert_eq!(config(&Environment(variable)).unwrap().endpoint_url(), Some("http://all"));
    }
}
