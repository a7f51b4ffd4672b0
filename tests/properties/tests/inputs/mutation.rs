//! Inputs that are nearly right: samples, changed where formats break.

use std::ops::Range;

use arbtest::arbitrary::{Result, Unstructured};

/// What stands badly where something else should.
const TOKENS: [&[u8]; 36] = [
    b"null",
    b"true",
    b"-1",
    b"0",
    b"101",
    b"0.30000000000000004",
    b"1e400",
    b"-0.0",
    b"9223372036854775807",
    b"18446744073709551616",
    b"\"\"",
    b"\"SECRET\"",
    b"\"\\ud800\"",
    b"\"\\u0000\"",
    b"\"\\u0075\"",
    "\"\u{feff}\u{202e}é\u{1f600}\"".as_bytes(),
    b"[]",
    b"{}",
    b"{\"a\":1,\"a\":2}",
    b"\"user_id\"",
    b"\"upload\"",
    b"\"export\":\"none\"",
    b"\"relevance>=nan\"",
    b"\"{\\\"sizes\\\":[]}\"",
    b"tag-",
    b"aws:",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\x1f\x8b\x08",
];

/// No mutation grows beyond this, so that many are tried.
const MOST_BYTES: usize = 128 * 1024;

/// A sample after a few changes, or noise.
pub(crate) fn mutated(u: &mut Unstructured<'_>, samples: &[Vec<u8>]) -> Result<Vec<u8>> {
    if u.ratio(1, 32)? {
        let length = u.int_in_range(0..=u.len() / 2)?;
        return Ok(u.bytes(length)?.to_vec());
    }
    let mut bytes = u.choose(samples)?.clone();
    for _ in 0..u.int_in_range(1..=6)? {
        change(u, &mut bytes, samples)?;
        bytes.truncate(MOST_BYTES);
    }
    Ok(bytes)
}

fn change(u: &mut Unstructured<'_>, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) -> Result<()> {
    match u.int_in_range(0..=8)? {
        0 => {
            let at = u.int_in_range(0..=bytes.len())?;
            let bit = u.int_in_range(0..=7)?;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        1 => bytes.truncate(u.int_in_range(0..=bytes.len())?),
        2 => {
            let chunk = chunk(u, bytes)?;
            let copies = bytes[chunk.clone()].repeat(u.int_in_range(1..=64)?);
            bytes.splice(chunk, copies);
        }
        3 => drop(bytes.drain(chunk(u, bytes)?)),
        4 => {
            let chunk = chunk(u, bytes)?;
            let foreign = u.choose(samples)?;
            let foreign = foreign[self::chunk(u, foreign)?].to_vec();
            bytes.splice(chunk, foreign);
        }
        5 => {
            let word = word(u, bytes)?;
            let depth = u.int_in_range(1..=200)?;
            let (open, close): (&[u8], &[u8]) =
                *u.choose(&[(&b"["[..], &b"]"[..]), (b"{\"a\":", b"}"), (b"[[],", b"]")])?;
            let nested = [open.repeat(depth), bytes[word.clone()].to_vec(), close.repeat(depth)].concat();
            bytes.splice(word, nested);
        }
        6 => {
            let at = u.int_in_range(0..=bytes.len())?;
            bytes.splice(at..at, u.choose(&TOKENS)?.iter().copied());
        }
        _ => drop(bytes.splice(word(u, bytes)?, u.choose(&TOKENS)?.iter().copied())),
    }
    Ok(())
}

fn chunk(u: &mut Unstructured<'_>, bytes: &[u8]) -> Result<Range<usize>> {
    let start = u.int_in_range(0..=bytes.len())?;
    let longest = if u.ratio(1, 4)? { bytes.len() } else { (start + 64).min(bytes.len()) };
    Ok(start..u.int_in_range(start..=longest)?)
}

/// What stands between two marks of a format: a name, a value, a line.
fn word(u: &mut Unstructured<'_>, bytes: &[u8]) -> Result<Range<usize>> {
    let at = u.int_in_range(0..=bytes.len())?;
    let is_mark = |byte: &u8| b",:{}[]\n".contains(byte);
    let start = bytes[..at].iter().rposition(is_mark).map_or(0, |mark| mark + 1);
    let end = bytes[at..].iter().position(is_mark).map_or(bytes.len(), |mark| at + mark);
    Ok(start..end)
}
