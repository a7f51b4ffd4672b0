//! The function as Lambda runs it: a process between a Runtime API and the service, both on loopback.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

/// The longest wait for anything here.
const BOUND: Duration = Duration::from_secs(20);

/// Longer than the function keeps a connection that nothing uses.
const FREEZE: Duration = Duration::from_millis(2_500);

struct Request {
    /// Counts connections from 0.
    connection: usize,
    /// Method and path.
    line: String,
    /// In lower case.
    headers: String,
    body: Vec<u8>,
}

impl Request {
    fn is_start(&self) -> bool {
        self.line == "POST /audience-export-job"
    }
}

/// Reads a request. `None` if the other side has closed the connection.
fn read(stream: &mut BufReader<TcpStream>, connection: usize) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") && stream.read_line(&mut headers)? > 0 && headers != "\r\n" {}
    let headers = headers.to_lowercase();
    let length = headers.lines().find_map(|header| header.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let line = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(Some(Request { connection, line, headers, body }))
}

/// Serves each connection in its own thread. A handler that returns `None` closes the connection without an answer.
fn serve(handler: impl Fn(Request, &TcpStream) -> Option<String> + Send + Sync + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let handler = Arc::new(handler);
    thread::spawn(move || {
        for (connection, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let handler = handler.clone();
            thread::spawn(move || -> io::Result<()> {
                let mut writer = stream.try_clone()?;
                let mut reader = BufReader::new(stream);
                while let Some(request) = read(&mut reader, connection)? {
                    let Some(answer) = handler(request, &writer) else { break };
                    writer.write_all(answer.as_bytes())?;
                }
                writer.shutdown(Shutdown::Both)
            });
        }
    });
    Ok(address)
}

fn answer(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// The service. It keeps what it was sent.
#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    connections: Vec<TcpStream>,
    /// Connections with a smaller number are forgotten: a request on one of them gets no answer.
    forgotten: usize,
    /// Whether a start gets no answer: its connection is closed.
    closes_at_start: bool,
}

#[derive(Clone, Default)]
struct Service(Arc<Mutex<Seen>>);

impl Service {
    fn start(&self) -> io::Result<SocketAddr> {
        let service = self.clone();
        serve(move |request, stream| {
            let mut seen = service.0.lock().ok()?;
            if seen.connections.len() <= request.connection {
                seen.connections.push(stream.try_clone().ok()?);
            }
            let is_answered = request.connection >= seen.forgotten && !(seen.closes_at_start && request.is_start());
            seen.requests.push(request);
            is_answered.then(|| answer("", ""))
        })
    }

    fn take(&self) -> Vec<Request> {
        self.0.lock().map(|mut seen| std::mem::take(&mut seen.requests)).unwrap_or_default()
    }

    /// Drops all open connections as a network does: with no word to the function.
    fn forget(&self) {
        if let Ok(mut seen) = self.0.lock() {
            seen.forgotten = seen.connections.len();
        }
    }

    fn close_at_start(&self) {
        if let Ok(mut seen) = self.0.lock() {
            seen.closes_at_start = true;
        }
    }

    /// Closes all open connections.
    fn close(&self) {
        if let Ok(seen) = self.0.lock() {
            seen.connections.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

/// The process of a function with its Runtime API. Dropping it ends the process.
struct Function {
    process: Child,
    events: Sender<String>,
    answers: Receiver<Request>,
}

impl Function {
    fn start(variables: &[(&str, &str)]) -> io::Result<Self> {
        let (events, queue) = mpsc::channel::<String>();
        let (answered, answers) = mpsc::channel();
        let queue = Mutex::new(queue);
        let runtime_api = serve(move |request, _| {
            if !request.line.ends_with("/invocation/next") {
                answered.send(request).ok()?;
                return Some(answer("", ""));
            }
            let event = queue.lock().ok()?.recv_timeout(BOUND).ok()?;
            let headers = "lambda-runtime-aws-request-id: 1\r\nlambda-runtime-deadline-ms: 4070908800000\r\n\
                           lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-west-1:000000000000:function:f\r\n";
            Some(answer(headers, &event))
        })?;
        let process = Command::new(env!("CARGO_BIN_EXE_start-export"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "start-export")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "g")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "s")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { process, events, answers })
    }

    /// Sends the event of a first attempt and returns how far the start of the export is then.
    fn attempt(&self) -> Result<String, Failure> {
        self.events.send(include_str!("../../../tests/events/start-export.json").to_owned())?;
        let answer = self.answers.recv_timeout(BOUND)?;
        if !answer.line.ends_with("/response") {
            return Err(String::from_utf8(answer.body)?.into());
        }
        let answer: Value = serde_json::from_slice(&answer.body)?;
        Ok(answer["exports"][0]["start"]["state"].as_str().unwrap_or_default().to_owned())
    }

    /// Sends a signal to the process and waits until the process has the state, as `/proc` shows it.
    fn signal(&self, signal: &str, has_state: fn(&str) -> bool) -> Result<(), Failure> {
        let id = self.process.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &id]).status()?;
        if !sent.success() {
            return Err(format!("kill -s {signal} failed").into());
        }
        let began = Instant::now();
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
            if stat.rsplit(") ").next().is_some_and(has_state) {
                return Ok(());
            }
            if began.elapsed() > BOUND {
                return Err(format!("the process has not followed {signal}: {stat}").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Freezes the process as Lambda freezes a sandbox. Meanwhile something else happens.
    fn freeze(&self, meanwhile: impl FnOnce()) -> Result<(), Failure> {
        self.signal("STOP", |stat| stat.starts_with('T'))?;
        meanwhile();
        thread::sleep(FREEZE);
        self.signal("CONT", |stat| !stat.starts_with('T'))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Variables as Lambda sets them.
fn variables(endpoint: &str) -> [(&'static str, &str); 5] {
    [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "KEY"),
        ("AWS_SECRET_ACCESS_KEY", "SECRET"),
        ("AWS_SESSION_TOKEN", "TOKEN"),
        ("AWS_ENDPOINT_URL_CLEANROOMSML", endpoint),
    ]
}

/// Starts an export, freezes the process, and starts another one.
fn start_before_and_after_a_freeze(meanwhile: fn(&Service)) -> Result<(), Failure> {
    let service = Service::default();
    let endpoint = format!("http://{}", service.start()?);
    let function = Function::start(&variables(&endpoint))?;
    assert_eq!(function.attempt()?, "STARTED");
    let before = service.take();
    function.freeze(|| meanwhile(&service))?;
    assert_eq!(function.attempt()?, "STARTED");
    let after = service.take();
    // One attempt, on a connection that was not open before.
    assert_eq!(after.iter().map(Request::is_start).collect::<Vec<_>>(), [true]);
    assert!(before.iter().all(|request| request.connection < after[0].connection));
    Ok(())
}

#[test]
fn a_start_after_a_freeze_succeeds_if_the_service_closed_connections() -> Result<(), Failure> {
    start_before_and_after_a_freeze(Service::close)
}

#[test]
fn a_start_after_a_freeze_succeeds_if_the_network_dropped_connections() -> Result<(), Failure> {
    start_before_and_after_a_freeze(Service::forget)
}

#[test]
fn a_start_whose_connection_is_closed_is_unknown_and_sent_once() -> Result<(), Failure> {
    let service = Service::default();
    service.close_at_start();
    let endpoint = format!("http://{}", service.start()?);
    let function = Function::start(&variables(&endpoint))?;
    assert_eq!(function.attempt()?, "UNKNOWN");
    assert_eq!(service.take().iter().filter(|request| request.is_start()).count(), 1);
    Ok(())
}

#[test]
fn region_and_credentials_come_from_the_variables_of_lambda() -> Result<(), Failure> {
    let service = Service::default();
    let endpoint = format!("http://{}", service.start()?);
    let function = Function::start(&variables(&endpoint))?;
    assert_eq!(function.attempt()?, "STARTED");
    let requests = service.take();
    let start = requests.iter().find(|request| request.is_start()).ok_or("no start")?;
    assert!(start.headers.contains("credential=key/"), "{}", start.headers);
    assert!(start.headers.contains("/eu-west-1/cleanrooms-ml/aws4_request"), "{}", start.headers);
    assert!(start.headers.contains("x-amz-security-token: token\r\n"), "{}", start.headers);
    Ok(())
}

/// Neither a file nor an address on the network is asked for a Region or for credentials, even if both are missing.
#[test]
fn nothing_else_is_asked_for_region_or_credentials() -> Result<(), Failure> {
    let elsewhere = Service::default();
    let endpoint = format!("http://{}", elsewhere.start()?);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile");
    std::fs::write(
        &file,
        format!(
            "[default]\nregion = eu-west-1\naws_access_key_id = KEY\naws_secret_access_key = SECRET\n\
             endpoint_url = {endpoint}\n"
        ),
    )?;
    let file = file.to_str().ok_or("the path is not valid UTF-8")?;
    let function = Function::start(&[
        ("AWS_CONFIG_FILE", file),
        ("AWS_SHARED_CREDENTIALS_FILE", file),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint),
    ])?;
    assert_ne!(function.attempt()?, "STARTED");
    assert_eq!(elsewhere.take().len(), 0);
    Ok(())
}
