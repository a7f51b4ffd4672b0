//! What the service was asked: the introspection that tests read at `GET /_emulator/calls`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

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
    /// The HTTP status code of the answer; 0 where there was none, or none yet.
    pub status: u16,
    /// Whether the operation was carried out: neither refused nor kept from it by a fault.
    pub performed: bool,
    /// The kind of the fault that struck the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
}

/// All calls so far, in the order in which they reached their operations or were kept from them.
#[derive(Default)]
pub(crate) struct Calls(Mutex<Vec<Call>>);

impl Calls {
    /// Adds a call, and says where it is in the list.
    pub(crate) fn record(&self, call: Call) -> usize {
        let mut calls = self.calls();
        calls.push(call);
        calls.len() - 1
    }

    /// The call at that place is answered.
    pub(crate) fn answered(&self, place: usize, status: u16) {
        if let Some(call) = self.calls().get_mut(place) {
            call.status = status;
        }
    }

    pub(crate) fn list(&self) -> Vec<Call> {
        self.calls().clone()
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
