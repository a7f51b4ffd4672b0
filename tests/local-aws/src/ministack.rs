//! `MiniStack`, the local AWS: started on a free port of this machine, with nothing of our environment.

use std::{fs, net::TcpListener, path::Path, process::Command, time::Duration};

use hyper::Method;
use serde_json::{Value, json};

use crate::{
    Error, Result, http,
    process::{Process, guarded},
    run::Run,
    tools::Environment,
    workspace::root,
};

/// The Region that everything is in.
pub const REGION: &str = "us-east-1";

/// The keys of `MiniStack`'s own account: they open nothing else.
pub const ACCESS_KEY: (&str, &str) = ("test", "test");

/// How long it may take to come up; 2 s is usual.
const READY_BOUND: Duration = Duration::from_mins(1);

/// How long a function may take to answer.
const INVOKE_BOUND: Duration = Duration::from_mins(5);

/// What a function answered that was invoked directly.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Whether the function failed: then `payload` has `errorType` and `errorMessage`.
    pub failed: bool,
    /// What it answered.
    pub payload: Value,
}

/// A deployed function.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Where it logs.
    pub(crate) log_group: String,
}

/// How Step Functions throttles starts: a bucket of starts that is filled at a constant rate.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    /// How many starts the bucket holds.
    pub burst: u32,
    /// How many starts are added to the bucket each second.
    pub per_second: u32,
}

/// A running `MiniStack`.
#[derive(Debug)]
pub(crate) struct MiniStack {
    endpoint: String,
    _process: Process,
}

impl MiniStack {
    /// Starts it; Step Functions' waits and retry intervals take `wait_scale` of their time.
    pub(crate) async fn start(
        tools: &Environment,
        run: &Run,
        wait_scale: f64,
        throttle: Option<Throttle>,
    ) -> Result<Self> {
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let scratch = run.scratch();
        let mut command = guarded(tools.program("python"));
        clean(&mut command, &scratch, &endpoint)?;
        command
            .arg(root().join("tests/local-aws/tools/ministack-behind-tls.py"))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            // These two would listen on every interface, on ports of their own.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("MINISTACK_REGION", REGION)
            .env("STATE_DIR", scratch.join("state"))
            // The roles of the functions are held to their policies.
            .env("AUTH", "true")
            .env("SFN_WAIT_SCALE", wait_scale.to_string());
        if let Some(Throttle { burst, per_second }) = throttle {
            let throttle = json!({"burst": burst, "perSecond": per_second});
            command.env("START_EXECUTION_THROTTLE", throttle.to_string());
        }
        let mut process = Process::spawn("MiniStack", command, &run.log("ministack"))?;
        let ready = format!("{endpoint}/_ministack/ready");
        process.until(READY_BOUND, async |_| http::get(&ready).await).await?;
        Ok(Self { endpoint, _process: process })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// All functions.
    pub(crate) async fn functions(&self) -> Result<Vec<Function>> {
        let answer = self.call(Method::GET, "/2015-03-31/functions/", "lambda", &[], Vec::new()).await?;
        let functions = answer["Functions"].as_array().into_iter().flatten();
        Ok(functions
            .filter_map(|function| {
                let name = function["FunctionName"].as_str()?.to_owned();
                let own = || format!("/aws/lambda/{name}");
                let log_group = function["LoggingConfig"]["LogGroup"].as_str().map_or_else(own, str::to_owned);
                Some(Function { name, log_group })
            })
            .collect())
    }

    /// Invokes a function and waits for its answer.
    pub(crate) async fn invoke(&self, function: &str, payload: &Value) -> Result<Invocation> {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let answer = self.send(Method::POST, &path, "lambda", &[], payload.to_string().into_bytes()).await?;
        let failed = answer.headers.contains_key("x-amz-function-error");
        if answer.status != 200 {
            let text = String::from_utf8_lossy(&answer.body);
            return Err(Error::new(format!("invoking {function}: {} {text}", answer.status)));
        }
        let payload = serde_json::from_slice(&answer.body)
            .map_err(|e| Error::new(format!("{function} answered something that is no JSON: {e}")))?;
        Ok(Invocation { failed, payload })
    }

    /// Returns the URL of a queue by the beginning of its name.
    pub(crate) async fn queue(&self, prefix: &str) -> Result<String> {
        let answer = self.sqs("ListQueues", &json!({ "QueueNamePrefix": prefix })).await?;
        let url = answer["QueueUrls"][0].as_str();
        url.map(str::to_owned).ok_or_else(|| Error::new(format!("there is no queue {prefix}…")))
    }

    /// Sends a message to a queue.
    pub(crate) async fn send_message(&self, queue: &str, body: &str) -> Result<()> {
        self.sqs("SendMessage", &json!({ "QueueUrl": queue, "MessageBody": body })).await.map(|_| ())
    }

    /// Returns how many messages a queue has, visible or not.
    pub(crate) async fn messages(&self, queue: &str) -> Result<usize> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let answer = self.sqs("GetQueueAttributes", &json!({ "QueueUrl": queue, "AttributeNames": names })).await?;
        let count = |name: &str| answer["Attributes"][name].as_str()?.parse::<usize>().ok();
        let counts: Option<Vec<usize>> = names.into_iter().map(count).collect();
        let counts = counts.ok_or_else(|| Error::new(format!("{queue} does not count its messages: {answer}")))?;
        Ok(counts.iter().sum())
    }

    async fn sqs(&self, action: &str, input: &Value) -> Result<Value> {
        let target = format!("AmazonSQS.{action}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.0")];
        self.call(Method::POST, "/", "sqs", &headers, input.to_string().into_bytes()).await
    }

    /// What lies in a log group, in order.
    pub(crate) async fn log(&self, group: &str) -> Result<Vec<String>> {
        let body = json!({ "logGroupName": group, "limit": 10_000 });
        let headers =
            [("x-amz-target", "Logs_20140328.FilterLogEvents"), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.call(Method::POST, "/", "logs", &headers, body.to_string().into_bytes()).await?;
        let events = answer["events"].as_array().into_iter().flatten();
        Ok(events.filter_map(|event| event["message"].as_str().map(|m| m.trim_end().to_owned())).collect())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Value> {
        let answer = self.send(method, path, service, headers, body).await?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != 200 {
            return Err(Error::new(format!("{service} {path}: {} {text}", answer.status)));
        }
        serde_json::from_str(&text).map_err(|e| Error::new(format!("{service} {path}: {e} in {text}")))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<http::Answer> {
        // It looks at whose key this is, and checks no signature: an SDK for two calls is not worth its compilation.
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=none",
            ACCESS_KEY.0
        );
        let mut all = vec![("authorization", credential.as_str())];
        all.extend_from_slice(headers);
        http::send(method, &format!("{}{path}", self.endpoint), &all, body, INVOKE_BOUND).await
    }
}

/// Gives a server nothing of our environment but a path: functions inherit all that `MiniStack` has.
pub(crate) fn clean(command: &mut Command, scratch: &Path, endpoint: &str) -> Result<()> {
    let (home, temporary) = (scratch.join("home"), scratch.join("tmp"));
    for folder in [&home, &temporary] {
        fs::create_dir_all(folder).map_err(|e| Error::file("make", folder, &e))?;
    }
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home)
        .env("TMPDIR", temporary)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY.0)
        .env("AWS_SECRET_ACCESS_KEY", ACCESS_KEY.1);
    Ok(())
}

/// A port that was free a moment ago. `MiniStack` cannot choose one itself; where another program is quicker, it says so
/// and ends, and so does the start.
fn free_port() -> Result<u16> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|e| Error::new(format!("cannot find a free port on 127.0.0.1: {e}")))
}
