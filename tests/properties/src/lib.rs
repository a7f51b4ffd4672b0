//! What holds for every event, request, metadata and seed, however it is made.
//!
//! Each function takes the bytes of one input and panics where something does not hold: nothing panics, no message
//! quotes a value or grows with its input, and whatever is accepted keeps its rules and is read again as the same.
//! `tests/inputs` asks this of mutated samples on stable, the targets in `tests/fuzz` ask it under libFuzzer.

// A panic is how a property fails.
#![allow(clippy::expect_used, clippy::missing_panics_doc)]

mod event;
mod metadata;
mod refusal;
mod request;
mod seed;

pub use event::event;
pub use metadata::metadata;
pub use request::request;
pub use seed::seed;
