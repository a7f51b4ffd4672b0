//! Plain HTTP to a server on this machine, for what no AWS SDK is needed for.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1, header::HeaderMap};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Error, Result};

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Sends one request to `http://…/path`, over a connection of its own.
pub(crate) async fn send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    bound: Duration,
) -> Result<Answer> {
    let failed = |e: &dyn std::fmt::Display| Error::new(format!("{method} {url}: {e}"));
    let exchange = async {
        let (address, path) = url
            .strip_prefix("http://")
            .map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())))
            .ok_or_else(|| failed(&"not an http:// address"))?;
        let stream = TcpStream::connect(address).await.map_err(|e| failed(&e))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
        let connection = tokio::spawn(connection);
        let mut request =
            Request::builder().method(&method).uri(if path.is_empty() { "/" } else { path }).header("host", address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| failed(&e))?;
        let (parts, body) = sender.send_request(request).await.map_err(|e| failed(&e))?.into_parts();
        let body = body.collect().await.map_err(|e| failed(&e))?.to_bytes();
        connection.abort();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    };
    tokio::time::timeout(bound, exchange)
        .await
        .unwrap_or_else(|_| Err(failed(&format!("no answer within {} s", bound.as_secs()))))
}

/// `GET`s a page: `Some` only where the server is there and all is well.
pub(crate) async fn get(url: &str) -> Option<Bytes> {
    let answer = send(Method::GET, url, &[], Vec::new(), Duration::from_secs(5)).await.ok()?;
    (answer.status == 200).then_some(answer.body)
}
