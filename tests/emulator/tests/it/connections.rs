//! Connections: an idle one is closed, one in use is not.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::running::Running;

/// Longer than anything takes here; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request on a connection that stays open and reads its answer.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok\n") {
        let mut bytes = [0; 1024];
        let count = timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert!(count > 0, "the connection ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&bytes[..count]);
    }
}

/// Waits until the other side closes the connection and returns how long that takes.
async fn time_until_closed(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection stays open");
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    start.elapsed()
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_five_seconds() {
    let running = Running::start().await;
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    ask(&mut stream).await;
    let time = time_until_closed(&mut stream).await;
    assert!((4.5..15.0).contains(&time.as_secs_f64()), "{time:?}");
}

#[tokio::test]
async fn the_idle_time_of_a_connection_can_be_configured() {
    let running = Running::start_with(|config| config["idleConnectionSeconds"] = 0.2.into()).await;
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    ask(&mut stream).await;
    let time = time_until_closed(&mut stream).await;
    assert!(time < Duration::from_secs(4), "{time:?}");
}

#[tokio::test]
async fn a_connection_in_use_stays_open_beyond_the_idle_time() {
    let running = Running::start_with(|config| config["idleConnectionSeconds"] = 1.into()).await;
    let mut stream = TcpStream::connect(&running.address).await.unwrap();
    for _ in 0..8 {
        ask(&mut stream).await;
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_cut_off_at_the_idle_time() {
    let running = Running::start_with(|config| config["idleConnectionSeconds"] = 0.2.into()).await;
    running.arm(json!([{"fault": {"kind": "slow", "seconds": 1}}])).await;
    let answer = running.by_hand("GET", "/configured-audience-model", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
