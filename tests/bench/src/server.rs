//! A small HTTP server on loopback, a thread for each connection: no scheduler of its own stands between a function and
//! the clock.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Longer than anything here takes; nobody waits for a peer that is gone.
pub(crate) const BOUND: Duration = Duration::from_mins(1);

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// Answers a request; none ends the connection.
pub(crate) type Handler = Arc<dyn Fn(Request) -> Option<Response> + Send + Sync>;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>, handler: Handler) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = stopping.clone();
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (tls, handler) = (tls.clone(), handler.clone());
                // A connection ends with the process at its other side.
                thread::spawn(move || serve(stream, tls, &handler));
            }
        });
        Ok(Self { address, stopping, accepting: Some(accepting) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes what waits for connections.
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(accepting)) = (woken, self.accepting.take()) {
            let _ = accepting.join();
        }
    }
}

fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, handler: &Handler) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(BOUND))?;
    match tls {
        None => converse(stream, handler),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            converse(StreamOwned::new(connection, stream), handler)
        }
    }
}

fn converse(mut stream: impl Read + Write, handler: &Handler) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(request) = read(&mut stream, &mut bytes)? {
        let is_head = request.method == "HEAD";
        let Some(response) = handler(request) else { return Ok(()) };
        let mut text = format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", response.status, response.body.len());
        for (name, value) in &response.headers {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text += "\r\n";
        let mut all = text.into_bytes();
        if !is_head {
            all.extend_from_slice(&response.body);
        }
        stream.write_all(&all)?;
        stream.flush()?;
    }
    Ok(())
}

/// The next request; none where the other side has hung up. `bytes` is what came beyond the last one.
fn read(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some((request, length)) = parse(bytes)? {
            bytes.drain(..length);
            return Ok(Some(request));
        }
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// A whole request and its length, where all of it is there.
fn parse(bytes: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(bytes).map_err(io::Error::other)? else { return Ok(None) };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    if header("transfer-encoding").is_some() {
        return Err(io::Error::other("a body in chunks is not understood here"));
    }
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0_usize);
    let Some(body) = bytes.get(start..start + length) else { return Ok(None) };
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let request = Request { method: text(head.method), path: text(head.path), body: body.to_vec() };
    Ok(Some((request, start + length)))
}
