//! What the service was asked: the introspection that tests read at `GET /_emulator/calls`.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::wire::timestamp;

/// One request and how it was answered. Holds no user id, no SQL text and no parameter.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// As the service model names it.
    pub operation: &'static str,
    /// When it arrived.
    pub time: String,
    /// The name of the job that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The HTTP status code of the answer.
    pub status: u16,
}

/// All calls so far, in the order of their answers.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Vec<Call>>);

impl Calls {
    pub(crate) fn record(&self, operation: &'static str, arrival: SystemTime, name: Option<String>, status: u16) {
        let call = Call { operation, time: timestamp(arrival), name, status };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub(crate) fn list(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
