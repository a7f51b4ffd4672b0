//! The emulator as its clients see it: over HTTP, by the AWS SDK for Rust and by hand, with an S3 of a few lines.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where its premise fails")]

mod audiences;
mod binary;
mod connections;
mod export_layouts;
mod fake_s3;
mod faults;
mod life;
mod lists;
mod other_accounts;
mod personalize;
mod quotas;
mod refusals;
mod running;
mod sample_data;
mod segment_faults;
mod segment_refusals;
mod segments;
mod solution_versions;
mod truth;
