//! No input takes more memory than is stated here. The functions have 128 MiB.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use lookalike::lines::{OddFormats, PIECE_BYTES};
use lookalike::request::{AudienceRequest, Defaults, parse};
use lookalike::seed::SeedReader;
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

fn refuses_seed(name: &str, most: usize, pieces: impl Iterator<Item = Vec<u8>>) {
    let (read, peak) = peak(|| read(pieces));
    println!("{name}: {} KiB", peak / KIB);
    assert!(peak < most, "{name}: {peak} bytes");
    assert_eq!(read.unwrap_err().name, ErrorName::InvalidSeed, "{name}");
}

fn refuses_request(name: &str, most: usize, file: &[u8]) {
    let read = || AudienceRequest::read(&parse(file)?, &Defaults::default()).map_err(Error::from);
    let (read, peak) = peak(read);
    println!("{name}: {} KiB", peak / KIB);
    assert!(peak < most, "{name}: {peak} bytes");
    assert_eq!(read.err().unwrap().name, ErrorName::InvalidRequest, "{name}");
}

/// One test, for the peak is the process's.
#[test]
fn no_input_takes_more_memory_than_is_stated() {
    refuses_seed("one line of 8 MiB", MIB, std::iter::repeat_n(vec![b'0'; 4 * KIB], 2 * KIB));
    refuses_seed("a packed line of 32 MiB", MIB, std::iter::repeat_n(gzip(&vec![b'0'; 8 * MIB]), 4));
    refuses_seed("a Mi of packed blank lines", MIB, std::iter::once(gzip(&vec![b'\n'; MIB])));
    refuses_seed("a line full of objects", 8 * MIB, std::iter::once(line_of("{\"\":0},")));
    refuses_seed("a line full of lists", 8 * MIB, std::iter::once(line_of("[0],")));
    refuses_seed("more users than a seed may have", 32 * MIB, users(2_000_000));

    refuses_request("a text", 16 * MIB, &request_of("{\"name\":\"", "SELECT ", "\"}"));
    refuses_request("an escaped text", 16 * MIB, &request_of("{\"name\":\"", "\\u0041", "\"}"));
    refuses_request("objects", 16 * MIB, &request_of("{\"name\":[", "{\"\":0},", "0]}"));
    refuses_request("lists", 16 * MIB, &request_of("{\"name\":[", "[0],", "0]}"));
    refuses_request("numbers", 16 * MIB, &request_of("{\"name\":[", "0,", "0]}"));
    refuses_request("a long name of a field", 16 * MIB, &request_of("{\"", "name", "\":0}"));
    refuses_request("fields without end", 16 * MIB, &request_of("{\"name\":0", ",\"nome\":0", "}"));
}
