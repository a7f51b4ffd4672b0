//! No input takes more memory than is stated here. The functions have 128 MiB.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use lookalike::request::{AudienceRequest, Defaults, parse};
use lookalike::seed::{OddFormats, PIECE_BYTES, SeedReader};
use lookalike::{Error, ErrorName};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The most bytes that a request file may have.
const REQUEST: usize = 4 * MIB;

/// Does it, and tells how many bytes were held at most beyond those held before.
fn peak<T>(what: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = what();
    (done, MEMORY.peak_usage() - before)
}

/// Reads a seed as a function does that hands on what is clean.
fn read(pieces: impl Iterator<Item = Vec<u8>>) -> Result<u64, Error> {
    let mut reader = SeedReader::new("s3://b/k", OddFormats::Taken);
    let mut clean = Vec::new();
    for bytes in pieces {
        for piece in bytes.chunks(PIECE_BYTES) {
            reader.push(piece, &mut clean)?;
            clean.clear();
        }
    }
    reader.finish(&mut clean).map(|count| count.unique_users)
}

fn users(number: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..number).map(|user| format!("{{\"user_id\":\"u{user}\"}}\n").into_bytes())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A line of the most bytes that is filled with `filling`.
fn line_of(filling: &str) -> Vec<u8> {
    let filling = filling.repeat((64 * KIB - 100) / filling.len());
    format!("{{\"user_id\":1,\"a\":[{filling}0]}}\n").into_bytes()
}

/// A request of the most bytes that is filled with `filling`.
fn request_of(start: &str, filling: &str, end: &str) -> Vec<u8> {
    let room = REQUEST - start.len() - end.len();
    [start, &filling.repeat(room / filling.len()), end].concat().into_bytes()
}

/// One test, for the peak is the process's.
#[test]
fn no_input_takes_more_memory_than_is_stated() {
    let zeros = gzip(&vec![b'0'; 8 * MIB]);
    let lines = gzip(&vec![b'\n'; MIB]);
    let objects = line_of("{\"\":0},");
    let lists = line_of("[0],");
    let seeds: [(&str, Box<dyn Iterator<Item = Vec<u8>>>, usize); 7] = [
        ("one line of 8 MiB", Box::new((0..2 * KIB).map(|_| vec![b'0'; 4 * KIB])), MIB),
        ("a packed line of 32 MiB", Box::new((0..4).map(|_| zeros.clone())), MIB),
        ("a Mi of packed blank lines", Box::new((0..1).map(|_| lines.clone())), MIB),
        ("lines full of objects", Box::new((0..3).map(|_| objects.clone())), 8 * MIB),
        ("lines full of lists", Box::new((0..3).map(|_| lists.clone())), 8 * MIB),
        ("the most users", Box::new(users(500_000)), 32 * MIB),
        ("more users than a seed may have", Box::new(users(2_000_000)), 32 * MIB),
    ];
    for (name, pieces, most) in seeds {
        let (read, peak) = peak(|| read(pieces));
        println!("{name}: {} KiB", peak / KIB);
        assert!(peak < most, "{name}: {peak} bytes");
        assert_eq!(read.ok(), (name == "the most users").then_some(500_000), "{name}");
    }

    let long = "x".repeat(REQUEST - 9);
    let requests = [
        ("text alone", request_of("{\"name\":\"", "SELECT ", "\"}"), 32 * MIB),
        ("escaped text", request_of("{\"name\":\"", "\\u0041", "\"}"), 32 * MIB),
        ("objects", request_of("{\"name\":[", "{\"\":0},", "0]}"), 32 * MIB),
        ("lists", request_of("{\"name\":[", "[0],", "0]}"), 32 * MIB),
        ("numbers", request_of("{\"name\":[", "0,", "0]}"), 32 * MIB),
        ("a long name of a field", format!("{{\"{long}\":0}}").into_bytes(), 64 * MIB),
        ("quotes", request_of("{\"name\":\"", "\\\"", ",,,\"}"), 32 * MIB),
    ];
    for (name, bytes, most) in requests {
        let refuse = || {
            let read = AudienceRequest::read(&parse(&bytes)?, &Defaults::default());
            read.map(|_| ()).map_err(Error::from)
        };
        let (read, peak) = peak(refuse);
        println!("a request of {name}: {} KiB", peak / KIB);
        assert!(peak < most, "a request of {name}: {peak} bytes");
        assert_eq!(read.unwrap_err().name, ErrorName::InvalidRequest, "{name}");
    }
}
