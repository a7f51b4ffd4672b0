//! Runs the workflows and functions of this project in virtual time, without AWS.
//!
//! - [`asl`] interprets the definitions of the workflows. An execution of two days takes milliseconds.
//! - [`plan`] draws a world from one random seed: uploads, quotas, outages, and how often each fault happens.
//! - [`world`] runs it: the real functions, in process, against the emulator's core and S3 in memory.
//! - [`invariants`] checks what must be true when every run has ended.

pub mod asl;
mod clock;
mod functions;
pub mod invariants;
pub mod plan;
mod services;
pub mod shrink;
mod storage;
pub mod world;
