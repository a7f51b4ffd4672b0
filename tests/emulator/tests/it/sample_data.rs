//! The files of `tests/data` are what the generator makes, and small enough for the repository.

use std::io::Read;
use std::path::{Path, PathBuf};

use emulator::{sample, seed, training::Training};
use flate2::read::GzDecoder;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name)
}

/// What is in the file: two versions of a compressor need not agree on a byte.
fn content(name: &str, bytes: &[u8]) -> Vec<u8> {
    if Path::new(name).extension().is_some_and(|extension| extension == "gz") {
        let mut content = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut content).unwrap();
        content
    } else {
        bytes.to_vec()
    }
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    for (name, made) in sample::files() {
        let committed = std::fs::read(path(name)).unwrap();
        assert!(
            content(name, &committed) == content(name, &made),
            "{name} differs: run `cargo run -p emulator --bin make-data`"
        );
    }
}

#[test]
fn no_file_is_too_large_for_the_repository() {
    for file in std::fs::read_dir(path("")).unwrap() {
        let file = file.unwrap();
        assert!(file.metadata().unwrap().len() <= 512 * 1024, "{:?}", file.file_name());
    }
}

#[test]
fn the_good_seeds_are_good_and_the_bad_ones_bad() {
    let read = |name: &str| seed::read(&std::fs::read(path(name)).unwrap()).map(|users| users.len());
    assert_eq!(read("seed-runners.jsonl"), Ok(700));
    assert_eq!(read("seed-cooks.jsonl"), Ok(700));
    assert!(read("seed-too-small.jsonl").unwrap_err().contains("24 unique"));
    assert!(read("seed-broken.jsonl").unwrap_err().contains("Line 7"));
}

#[test]
fn every_user_of_the_sample_did_something() {
    let training = Training::read(&std::fs::read(path("interactions.csv.gz")).unwrap()).unwrap();
    assert_eq!(training.user_count(), sample::USERS as usize);
}
