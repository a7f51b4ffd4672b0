//! What a function writes to its log: one JSON object a line.

use lambda_runtime::tracing::{Level, subscriber};

/// Sets up logging. Not finer than `INFO`, whatever the environment says: the runtime and the SDK would print payloads
/// and requests, and these bear user ids and SQL text.
pub fn init() {
    subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(Level::INFO)
        .with_target(false)
        .with_current_span(false)
        .with_ansi(false)
        .init();
}
