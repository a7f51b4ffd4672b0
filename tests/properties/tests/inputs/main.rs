//! The properties, for a while, over mutations of samples and over noise.
//!
//! `FUZZ_SECONDS` is the time of all of them together. The inputs are the same in each run, as far as the time reaches, so
//! that a change fails by what it changes; new ground is libFuzzer's. A failure prints its seed; `ARBTEST_SEED` plays it
//! again.

#![allow(clippy::unwrap_used)]

mod mutation;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use arbtest::arbitrary::Unstructured;
use arbtest::arbtest;

/// How long `cargo test` tries, unless it is told.
const SECONDS: u64 = 4;
/// How many properties share the time.
const PROPERTIES: u32 = 4;

/// Asks the property first of the samples as they are, then of what becomes of them.
fn holds(property: fn(&[u8]), samples: &[Vec<u8>]) {
    assert!(samples.len() > 5, "the samples are gone");
    for sample in samples {
        property(sample);
    }
    let seconds = std::env::var("FUZZ_SECONDS").map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let budget = Duration::from_secs(seconds) / PROPERTIES;
    let mut asked = |u: &mut Unstructured<'_>| {
        if let Ok(input) = mutation::mutated(u, samples) {
            property(&input);
        }
        Ok(())
    };
    if std::env::var_os("ARBTEST_SEED").is_some() {
        return arbtest(asked).run();
    }
    let (began, mut tried) = (Instant::now(), 0_u32);
    while began.elapsed() < budget {
        tried += 1;
        // As arbtest has it: what to draw from, and how many bytes.
        let seed = u64::from(tried.wrapping_mul(0x9e37_79b9)) << 32 | 32 << (tried % 8);
        arbtest(&mut asked).seed(seed).run();
    }
    println!("{tried} inputs in {budget:?}");
}

/// The files whose path, from the manifest, starts so; in the order of their names, so that a seed is the same input.
fn files(start: &str) -> Vec<Vec<u8>> {
    let start = format!("{}/{start}", env!("CARGO_MANIFEST_DIR"));
    let (directory, _) = start.rsplit_once('/').unwrap();
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.to_str().unwrap().starts_with(&start)).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn any_event_is_read_or_refused() {
    holds(properties::event, &[files("samples/event/"), files("../events/")].concat());
}

#[test]
fn any_request_is_read_or_refused() {
    holds(properties::request, &[files("samples/request/"), files("../events/")].concat());
}

#[test]
fn any_metadata_is_read_or_refused() {
    holds(properties::metadata, &files("samples/metadata/"));
}

#[test]
fn any_seed_is_read_or_refused() {
    holds(properties::seed, &[files("samples/seed/"), files("../data/seed-broken")].concat());
}
