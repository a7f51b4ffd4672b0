//! The AWS clients of a function: configuration from the environment, one TLS set-up, bounded calls, no connection that
//! may be dead, and connections that are open before the first event arrives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::{ConfigLoader, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_cleanroomsml::config::http::HttpRequest;
use aws_sdk_cleanroomsml::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
    FinalizerInterceptorContextRef,
};
use aws_sdk_cleanroomsml::config::retry::RetryConfig;
use aws_sdk_cleanroomsml::config::timeout::TimeoutConfig;
use aws_sdk_cleanroomsml::config::{
    BehaviorVersion, ConfigBag, Intercept, RuntimeComponents, SharedAsyncSleep, SharedHttpClient,
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
use lambda_runtime::tracing::info;

/// Returns the configuration of every client. It is read from the environment alone.
///
/// Every variable that AWS documents for functions has its effect. The SDK repeats reads as `AWS_MAX_ATTEMPTS` and
/// `AWS_RETRY_MODE` say: three attempts by default.
///
/// # Panics
/// If one of these two variables is not valid. The message names it.
pub async fn config() -> SdkConfig {
    loader().load().await
}

/// Returns the loader of [`config`]. It opens no file and sends no request: Lambda sets the Region and the credentials
/// of a function as variables.
fn loader() -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        // Ends before the function does (30 s), so that the error has a name and says which call it was.
        .operation_timeout(Duration::from_secs(25))
        .build();
    // The loader needs a profile file. This one is empty and in memory.
    let no_files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "").build();
    aws_config::defaults(BehaviorVersion::latest())
        .profile_files(no_files)
        .region(EnvironmentVariableRegionProvider::new())
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .http_client(http_client())
        .timeout_config(timeouts)
}

/// Returns the retry settings of calls that start a paid job: one attempt, whatever `AWS_MAX_ATTEMPTS` says. The SDK
/// does not know whether a failed attempt has started the job.
#[must_use]
pub fn never_repeat() -> RetryConfig {
    RetryConfig::disabled()
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

/// The longest time for which a connection may be unused and is still used again.
///
/// Lambda freezes the sandbox between invocations. The service or the network may then drop an idle connection, and the
/// function does not notice before its next request fails. The result of a paid start is then unknown. A new
/// connection over TLS costs some 5 ms of work (loopback, 2026-11-28).
const MAX_IDLE: Duration = Duration::from_secs(2);

/// Returns whether a connection that was last used at `last_used` may be dead.
///
/// Both times are of the wall clock: the monotonic clock, by which the pool itself counts, may stand still in a freeze.
fn may_be_dead(last_used: SystemTime, now: SystemTime) -> bool {
    // A clock that went back proves nothing.
    now.duration_since(last_used).map_or(true, |idle| idle >= MAX_IDLE)
}

/// Makes HTTP connections, with and without TLS, and never uses one again that [`may_be_dead`].
#[derive(Debug, Default)]
struct Connectors {
    settings: HttpConnectorSettings,
    sleep: Option<SharedAsyncSleep>,
    pools: Arc<Mutex<Pools>>,
}

/// The open connections.
#[derive(Debug, Default)]
struct Pools {
    plain: Option<Connector>,
    tls: Option<Connector>,
    /// When each host was last called or answered, by its scheme and authority.
    last_used: HashMap<String, SystemTime>,
}

impl Connectors {
    fn pools(pools: &Mutex<Pools>) -> MutexGuard<'_, Pools> {
        pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plain(&self) -> Connector {
        let mut builder = Connector::builder().connector_settings(self.settings.clone());
        builder.set_sleep_impl(self.sleep.clone());
        builder.build_http()
    }

    fn tls(&self) -> Connector {
        let mut builder = Connector::builder().connector_settings(self.settings.clone());
        builder.set_sleep_impl(self.sleep.clone());
        // ring instead of aws-lc: less to build, less to load, and no entropy to gather at a cold start (2026-11-22).
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
    }
}

impl HttpConnector for Connectors {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (host, now) = (root(request.uri()), SystemTime::now());
        let mut pools = Self::pools(&self.pools);
        if pools.last_used.get(&host).is_some_and(|last_used| may_be_dead(*last_used, now)) {
            // Calls that are in flight keep their connections.
            *pools = Pools::default();
        }
        // A call that is given up may leave a connection too.
        pools.last_used.insert(host.clone(), now);
        let connector = if host.starts_with("https:") {
            pools.tls.get_or_insert_with(|| self.tls())
        } else {
            pools.plain.get_or_insert_with(|| self.plain())
        };
        let answer = connector.call(request);
        drop(pools);
        let pools = self.pools.clone();
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            Self::pools(&pools).last_used.insert(host, SystemTime::now());
            answer
        })
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
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_sdk_cleanroomsml::Client;
    use aws_sdk_cleanroomsml::config::{Credentials, Region};
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_types::os_shim_internal::{Env, Fs};

    use super::*;

    /// Returns the configuration that the loader makes of these variables, with a connector of the test. The Region and
    /// the credentials are set here: their providers read the variables of the process.
    pub(crate) async fn config_of(variables: &[(&str, &str)], connector: impl HttpConnector + 'static) -> SdkConfig {
        let connector = SharedHttpConnector::new(connector);
        loader()
            .env(Env::from_slice(variables))
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::for_tests())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .load()
            .await
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

    /// Returns the requests of a call that starts a paid job.
    async fn sent_by_start(variables: &[(&str, &str)], retry: RetryConfig, is_warm_up: bool) -> Vec<HttpRequest> {
        let kept = Kept::default();
        let config = config_of(variables, kept.clone()).await;
        let call = Client::new(&config).start_audience_export_job().name("SECRET").audience_generation_job_arn("arn");
        let retry = aws_sdk_cleanroomsml::config::Config::builder().retry_config(retry);
        let call = call.customize().config_override(retry);
        let call = if is_warm_up { call.interceptor(Knock) } else { call };
        assert!(call.send().await.is_err());
        std::mem::take(&mut *kept.0.lock().unwrap())
    }

    /// Returns the requests of a call that only reads.
    async fn sent_by_read(variables: &[(&str, &str)]) -> Vec<HttpRequest> {
        let kept = Kept::default();
        let config = config_of(variables, kept.clone()).await;
        assert!(Client::new(&config).list_audience_export_jobs().send().await.is_err());
        std::mem::take(&mut *kept.0.lock().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_knock_starts_nothing_says_nothing_and_is_made_once() {
        let own = [("AWS_ENDPOINT_URL_CLEANROOMSML", "http://ml/path?query")];
        let attempts = RetryConfig::standard().with_max_attempts(2);
        for (variables, door) in [(&own[..], "http://ml/"), (&[], "https://cleanrooms-ml.eu-west-1.amazonaws.com/")] {
            let knocks = sent_by_start(variables, attempts.clone(), true).await;
            assert_eq!(knocks.len(), 1);
            assert_eq!((knocks[0].method(), knocks[0].uri()), ("HEAD", door));
            assert_eq!(knocks[0].headers().len(), 0);
            assert_eq!(knocks[0].body().bytes(), Some(&[][..]));
        }
        let calls = sent_by_start(&own, attempts, false).await;
        assert_eq!((calls.len(), calls[0].method()), (2, "POST"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_called_at_the_endpoint_that_the_environment_names() {
        const ALL: (&str, &str) = ("AWS_ENDPOINT_URL", "http://all");
        const ML: (&str, &str) = ("AWS_ENDPOINT_URL_CLEANROOMSML", "http://ml");
        const IGNORE: (&str, &str) = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        let cases: [(&[_], _); 7] = [
            (&[], "https://cleanrooms-ml.eu-west-1.amazonaws.com/"),
            (&[("AWS_USE_FIPS_ENDPOINT", "true")], "https://cleanrooms-ml-fips.eu-west-1.amazonaws.com/"),
            (&[("AWS_USE_DUALSTACK_ENDPOINT", "true")], "https://cleanrooms-ml.eu-west-1.api.aws/"),
            (&[ALL], "http://all/"),
            (&[ALL, ML], "http://ml/"),
            (&[ALL, ("AWS_ENDPOINT_URL_PERSONALIZE", "http://other")], "http://all/"),
            (&[ALL, ML, IGNORE], "https://cleanrooms-ml.eu-west-1.amazonaws.com/"),
        ];
        for (variables, expected) in cases {
            assert_eq!(root(sent_by_read(variables).await[0].uri()), expected, "{variables:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_environment_limits_the_attempts_of_a_read() {
        assert_eq!(sent_by_read(&[]).await.len(), 3);
        for mode in ["standard", "adaptive"] {
            let sent = sent_by_read(&[("AWS_MAX_ATTEMPTS", "5"), ("AWS_RETRY_MODE", mode)]).await;
            assert_eq!(sent.len(), 5, "{mode}");
        }
    }

    #[tokio::test]
    #[should_panic(expected = "AWS_MAX_ATTEMPTS")]
    async fn a_limit_of_attempts_that_is_not_valid_is_named() {
        config_of(&[("AWS_MAX_ATTEMPTS", "0")], Kept::default()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn no_variable_makes_the_sdk_repeat_a_paid_start() {
        for mode in ["standard", "adaptive"] {
            let variables = [("AWS_MAX_ATTEMPTS", "5"), ("AWS_RETRY_MODE", mode)];
            assert_eq!(sent_by_start(&variables, never_repeat(), false).await.len(), 1, "{mode}");
        }
    }

    #[tokio::test]
    async fn no_profile_file_is_read() {
        let files = Fs::from_slice(&[("config", "[default]\nuse_fips_endpoint = true\nmax_attempts = 7\n")]);
        let loader = loader().env(Env::from_slice(&[("AWS_CONFIG_FILE", "config")])).fs(files);
        let config = loader.load().await;
        assert_eq!(config.use_fips(), None);
        assert_eq!(config.retry_config().map(RetryConfig::max_attempts), Some(3));
    }

    #[test]
    fn a_connection_may_be_dead_when_the_wall_clock_has_jumped() {
        let now = SystemTime::now();
        assert!(!may_be_dead(now, now + MAX_IDLE / 2));
        assert!(may_be_dead(now, now + MAX_IDLE));
        assert!(may_be_dead(now + Duration::from_secs(1), now));
    }
}
