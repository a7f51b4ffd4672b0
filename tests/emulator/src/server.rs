//! The server: HTTP/1.1 connections, each of which is closed when no request arrives for a while.
//!
//! The endpoints of AWS close idle connections too. A client that was frozen does not notice it in time and uses the
//! dead connection. `axum::serve` has no such limit, so this module serves with hyper.

use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

/// Serves until `stop` is ready, then answers the requests that have arrived.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, idle: Duration, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    // hyper measures from the end of the last answer to the end of the next request's head, so a slow answer is not cut.
    http.timer(TokioTimer::new()).header_read_timeout(idle);
    tokio::pin!(stop);
    loop {
        let (stream, _) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = &mut stop => break,
        };
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = connections.watch(connection);
        // The client sees how its connection ends; there is nobody else to report it to.
        tokio::spawn(async { drop(connection.await) });
    }
    drop(listener);
    connections.shutdown().await;
}
