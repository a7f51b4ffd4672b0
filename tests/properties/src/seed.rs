//! Seeds, in whatever pieces they come.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use lookalike::lines::{MOST_LINE_BYTES, OddFormats, PIECE_BYTES};
use lookalike::seed::{SeedCount, SeedReader, UPLOAD_INSTEAD};
use lookalike::{Error, ErrorName};

use crate::refusal::tells_nothing_of_it;

/// What holds for whatever is uploaded as a seed.
pub fn seed(bytes: &[u8]) {
    let whole = read(bytes.chunks(PIECE_BYTES), OddFormats::Taken);
    // The pieces are as long as the seed's own last bytes say, so that the fuzzer has a hand in them.
    let mut lengths = bytes.iter().rev().map(|byte| usize::from(*byte) + 1);
    let mut rest = bytes;
    let pieces = std::iter::from_fn(|| {
        let (piece, after) = rest.split_at(lengths.next()?.min(rest.len()));
        rest = after;
        Some(piece)
    });
    assert_eq!(read(pieces, OddFormats::Taken), whole, "other pieces");

    let elsewhere = read(bytes.chunks(PIECE_BYTES), UPLOAD_INSTEAD);
    if let Ok((count, clean)) = &elsewhere {
        assert!(clean.is_empty(), "a copy of a seed that is only read");
        assert_eq!(whole.as_ref().map(|(count, _)| count), Ok(count), "a seed elsewhere is a seed here");
    }
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = gzip(bytes);
        let unpacked = read(packed.chunks(PIECE_BYTES), OddFormats::Taken);
        // A format is told by its first bytes, which lie within the packed file: the words may be others.
        assert_eq!(unpacked.as_ref().ok(), whole.as_ref().ok(), "packed");
        assert!(read(packed.chunks(PIECE_BYTES), UPLOAD_INSTEAD).is_err());
    }
    if let Ok((count, clean)) = whole {
        assert!(clean.split(|byte| *byte == b'\n').all(|line| line.len() <= MOST_LINE_BYTES));
        let unique = SeedCount { users: count.unique_users, blank_lines: 0, ..count };
        assert_eq!(count.bad_lines, 0);
        let again = read(clean.chunks(PIECE_BYTES), UPLOAD_INSTEAD);
        assert_eq!(again, Ok((unique, Vec::new())), "the service reads the copy");
        assert_eq!(read(clean.chunks(PIECE_BYTES), OddFormats::Taken), Ok((unique, clean)), "clean is clean");
    }
}

fn read<'p>(pieces: impl Iterator<Item = &'p [u8]>, odd: OddFormats) -> Result<(SeedCount, Vec<u8>), Error> {
    let mut reader = SeedReader::new("s3://my-seeds/seeds/spring-runners.jsonl", odd);
    let mut clean = Vec::new();
    let read = || {
        for piece in pieces {
            reader.push(piece, &mut clean)?;
        }
        reader.finish(&mut clean)
    };
    let count = read().inspect_err(|error| {
        assert_eq!(error.name, ErrorName::InvalidSeed);
        tells_nothing_of_it(error);
    })?;
    Ok((count, clean))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
