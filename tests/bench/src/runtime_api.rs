//! The Lambda Runtime API: hands out events, takes answers, and notes when.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::server::{BOUND, Request, Response, Server};

/// What a function did, and when.
enum Happening {
    /// Asked for its first or next event.
    Asked(Instant),
    /// Was handed an event.
    Handed(Instant),
    Answered(Instant, Vec<u8>),
    Failed(String),
}

/// One function's view of Lambda.
pub(crate) struct RuntimeApi {
    server: Server,
    events: Sender<String>,
    happenings: Receiver<Happening>,
}

/// How long an answer took, and what it was.
pub(crate) struct Answer {
    /// From the event's handing over.
    pub(crate) took: Duration,
    pub(crate) at: Instant,
    pub(crate) body: Vec<u8>,
}

impl RuntimeApi {
    pub(crate) fn start() -> io::Result<Self> {
        let (events, queue) = mpsc::channel::<String>();
        let (happen, happenings) = mpsc::channel();
        let queue = Mutex::new(queue);
        let handler = move |request: Request| answer(&request, &queue, &happen);
        Ok(Self { server: Server::start(None, Arc::new(handler))?, events, happenings })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Queues an event.
    pub(crate) fn send(&self, event: &str) -> Result<(), Failure> {
        self.events.send(event.to_owned()).map_err(|_| "the Runtime API is gone".into())
    }

    /// When the function was through with its init.
    pub(crate) fn ready(&self) -> Result<Instant, Failure> {
        match self.next()? {
            Happening::Asked(at) => Ok(at),
            _ => Err("it answered before it asked".into()),
        }
    }

    /// The answer to the event that was sent.
    pub(crate) fn answer(&self) -> Result<Answer, Failure> {
        let mut handed = None;
        loop {
            match self.next()? {
                Happening::Asked(_) => {}
                Happening::Handed(at) => handed = Some(at),
                Happening::Answered(at, body) => {
                    let handed = handed.ok_or("it answered what it was not asked")?;
                    return Ok(Answer { took: at - handed, at, body });
                }
                Happening::Failed(_) => return Err("it failed".into()),
            }
        }
    }

    fn next(&self) -> Result<Happening, Failure> {
        match self.happenings.recv_timeout(BOUND) {
            Ok(Happening::Failed(error)) => Err(format!("the function failed: {error}").into()),
            Ok(happening) => Ok(happening),
            Err(_) => Err("the function was not heard of for a minute".into()),
        }
    }
}

fn answer(request: &Request, queue: &Mutex<Receiver<String>>, happen: &Sender<Happening>) -> Option<Response> {
    let now = Instant::now();
    let path = request.path.strip_prefix("/2018-06-01/runtime/")?;
    if path == "invocation/next" {
        happen.send(Happening::Asked(now)).ok()?;
        let event = queue.lock().ok()?.recv_timeout(BOUND).ok()?;
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
            ("lambda-runtime-deadline-ms", "4070908800000".to_owned()),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned()),
            ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700".to_owned()),
        ];
        happen.send(Happening::Handed(Instant::now())).ok()?;
        return Some(Response { status: 200, headers, body: event.into_bytes() });
    }
    let happening = if path.ends_with("/response") {
        Happening::Answered(now, request.body.clone())
    } else {
        Happening::Failed(String::from_utf8_lossy(&request.body).into_owned())
    };
    happen.send(happening).ok()?;
    Some(Response { status: 202, ..Response::default() })
}
