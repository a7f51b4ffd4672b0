//! The workflows of this project as tables of cases, run by the interpreter. `tests/local-aws` runs the same cases with
//! another interpreter, so the two check each other.

#![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

mod audience;
mod budget;
mod redeliver;
mod scripted;
mod segment;
mod usage;
