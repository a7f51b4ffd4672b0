//! Runs the workflows of this project in virtual time, without AWS.
//!
//! [`asl`] interprets their definitions. It calls the functions through the [`asl::World`] of a test, and it keeps the
//! time: an execution of two days takes milliseconds. One random seed decides everything that is random.

pub mod asl;
