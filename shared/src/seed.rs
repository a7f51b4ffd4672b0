//! The check of a seed: JSON Lines of `{"user_id": "…"}`, from 25 to 500,000 unique users.
//!
//! The reader takes bytes as they come and holds one line and a hash of each user, whatever the file's size. It takes
//! what people really upload (a byte-order mark, CRLF, blank lines, gzip, repeated users, more fields) and hands back
//! the clean lines that the service is known to read; or, where nothing may be written, it refuses these.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorName};

/// The fewest unique users of a seed.
pub const LEAST_USERS: u64 = 25;
/// The most unique users of a seed.
pub const MOST_USERS: u64 = 500_000;
/// The longest line, in bytes: no user id comes near, and one line must not fill the memory.
pub const MOST_LINE_BYTES: usize = 64 * 1024;
/// How many bad lines are told one by one.
const TOLD_BAD_LINES: usize = 10;
/// How many bytes to hand over at once, so that what they unpack to stays small (gzip packs a thousandfold).
pub const PIECE_BYTES: usize = 4 * 1024;

/// What was found in a seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeedCount {
    /// Lines that are a user.
    pub users: u64,
    /// Users, each counted once.
    pub unique_users: u64,
    /// Lines without anything.
    pub blank_lines: u64,
    /// Lines that are no user.
    pub bad_lines: u64,
}

/// What the reader does about formats that the service is not known to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddFormats {
    /// The seed is written back clean, so they are taken.
    Taken,
    /// The service reads the file as it is, so they are refused.
    Refused,
}

/// Reads a seed as it comes: [`push`](Self::push) for each piece, then [`finish`](Self::finish).
pub struct SeedReader {
    place: String,
    odd_formats: OddFormats,
    /// The first bytes, until there are enough to tell the format.
    head: Vec<u8>,
    body: Option<Body>,
}

enum Body {
    Plain(Lines),
    Gzip(Box<MultiGzDecoder<Lines>>),
}

impl SeedReader {
    /// A reader of the seed that lies at `place`, which messages name.
    #[must_use]
    pub fn new(place: impl Into<String>, odd_formats: OddFormats) -> Self {
        Self { place: place.into(), odd_formats, head: Vec::new(), body: None }
    }

    /// Reads the next bytes, at most [`PIECE_BYTES`], and appends the lines of users not seen before to `clean`.
    ///
    /// Errors as `InvalidSeed` as soon as it is certain that this is no seed; then nothing more is to be pushed.
    pub fn push(&mut self, piece: &[u8], clean: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(body) = &mut self.body {
            return body.read(piece, clean).map_err(|problem| self.invalid(&problem));
        }
        self.head.extend_from_slice(piece);
        if self.head.len() >= 4 { self.begin(clean) } else { Ok(()) }
    }

    /// Ends the reading. Errors as `InvalidSeed` with what is wrong with the whole.
    pub fn finish(mut self, clean: &mut Vec<u8>) -> Result<SeedCount, Error> {
        if self.body.is_none() {
            self.begin(clean)?;
        }
        let lines = match self.body.take() {
            Some(Body::Plain(lines)) => Ok(lines),
            Some(Body::Gzip(mut decoder)) => {
                let unpacked = decoder.try_finish();
                match decoder.get_mut().stopped.take() {
                    Some(problem) => Err(problem),
                    None => unpacked.and_then(|()| decoder.finish()).map_err(|_| {
                        "is a gzip file that is cut short or damaged: pack and upload it again".to_owned()
                    }),
                }
            }
            None => Ok(Lines::new(self.odd_formats)),
        };
        let lines = lines.and_then(|mut lines| {
            lines.end()?;
            clean.append(&mut lines.clean);
            Ok(lines)
        });
        let lines = lines.map_err(|problem| self.invalid(&problem))?;
        lines.verdict().map_err(|problem| self.invalid(&problem))
    }

    /// Tells the format by the first bytes.
    fn begin(&mut self, clean: &mut Vec<u8>) -> Result<(), Error> {
        let head = std::mem::take(&mut self.head);
        let lines = Lines::new(self.odd_formats);
        let body = match head.as_slice() {
            [0x1f, 0x8b, ..] if self.odd_formats == OddFormats::Refused => Err(refused("gzip")),
            [0x1f, 0x8b, ..] => Ok(Body::Gzip(Box::new(MultiGzDecoder::new(lines)))),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..] => {
                Err("is in UTF-16 or binary: save it as UTF-8".to_owned())
            }
            [b'[', ..] => Err("is a JSON array: write each of its objects on a line of its own".to_owned()),
            [b'P', b'K', 3, 4, ..] => Err("is a zip file: unpack it, or pack it with gzip".to_owned()),
            _ => Ok(Body::Plain(lines)),
        };
        let read = body.and_then(|mut body| {
            body.read(&head, clean)?;
            self.body = Some(body);
            Ok(())
        });
        read.map_err(|problem| self.invalid(&problem))
    }

    fn invalid(&self, problem: &str) -> Error {
        Error::new(ErrorName::InvalidSeed, format!("{} {problem}.", self.place))
    }
}

fn refused(what: &str) -> String {
    format!("has {what}, which the service is not known to read: upload it under seeds/ instead, where it is cleaned")
}

impl Body {
    fn read(&mut self, piece: &[u8], clean: &mut Vec<u8>) -> Result<(), String> {
        let lines = match self {
            Self::Plain(lines) => {
                lines.read(piece)?;
                lines
            }
            Self::Gzip(decoder) => {
                let unpacked = decoder.write_all(piece);
                if let Some(problem) = decoder.get_mut().stopped.take() {
                    return Err(problem);
                }
                unpacked.map_err(|_| "is a damaged gzip file: pack and upload it again".to_owned())?;
                decoder.get_mut()
            }
        };
        clean.append(&mut lines.clean);
        Ok(())
    }
}

/// The lines of a seed, counted.
struct Lines {
    odd_formats: OddFormats,
    /// The line that has begun.
    line: Vec<u8>,
    /// Whether the line that has begun is longer than any line may be.
    too_long: bool,
    number: u64,
    count: SeedCount,
    bad: Vec<(u64, &'static str)>,
    users: HashSet<u128, BuildHasherDefault<HashOfHash>>,
    clean: Vec<u8>,
    /// Why reading stopped, on the far side of the gzip decoder.
    stopped: Option<String>,
}

/// A line as people write it: other fields are passed over.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    user_id: Cow<'l, str>,
}

/// A line as the service is known to read it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainLine<'l> {
    #[serde(borrow)]
    user_id: Cow<'l, str>,
}

impl Lines {
    fn new(odd_formats: OddFormats) -> Self {
        Self {
            odd_formats,
            line: Vec::new(),
            too_long: false,
            number: 0,
            count: SeedCount::default(),
            bad: Vec::new(),
            users: HashSet::default(),
            clean: Vec::new(),
            stopped: None,
        }
    }

    fn read(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.begin_line(&bytes[..end]);
            self.end_line()?;
            bytes = &bytes[end + 1..];
        }
        self.begin_line(bytes);
        Ok(())
    }

    /// The end of the file: the last line may have no end of its own.
    fn end(&mut self) -> Result<(), String> {
        if self.line.is_empty() && !self.too_long { Ok(()) } else { self.end_line() }
    }

    fn begin_line(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > MOST_LINE_BYTES {
            self.too_long = true;
            self.line = Vec::new();
        }
        if !self.too_long {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) -> Result<(), String> {
        self.number += 1;
        let mut line = std::mem::take(&mut self.line);
        let read = if std::mem::take(&mut self.too_long) {
            self.bad_line("is longer than 65536 bytes");
            Ok(())
        } else {
            self.read_line(&line)
        };
        line.clear();
        self.line = line;
        read
    }

    fn read_line(&mut self, mut line: &[u8]) -> Result<(), String> {
        // Looked for here and not in the file's first bytes: these may be gzip's.
        if self.number == 1
            && let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf")
        {
            if self.odd_formats == OddFormats::Refused {
                return Err(refused("a byte-order mark"));
            }
            line = rest;
        }
        let trimmed = line.strip_suffix(b"\r").unwrap_or(line);
        let is_blank = trimmed.iter().all(u8::is_ascii_whitespace);
        if self.odd_formats == OddFormats::Refused {
            if trimmed.len() < line.len() {
                return Err(refused(&format!("Windows line ends (line {})", self.number)));
            }
            if is_blank {
                return Err(refused(&format!("a blank line (line {})", self.number)));
            }
        }
        if is_blank {
            self.count.blank_lines += 1;
            return Ok(());
        }
        // serde would take an array for a struct, field by field.
        if !trimmed.trim_ascii_start().starts_with(b"{") {
            self.bad_line(reason(trimmed));
            return Ok(());
        }
        let user_id = match self.odd_formats {
            OddFormats::Taken => serde_json::from_slice::<Line<'_>>(trimmed).map(|line| line.user_id),
            OddFormats::Refused => serde_json::from_slice::<PlainLine<'_>>(trimmed).map(|line| line.user_id),
        };
        match user_id {
            Ok(user_id) if !user_id.is_empty() => self.user(&user_id),
            Ok(_) => {
                self.bad_line("has an empty user_id");
                Ok(())
            }
            Err(_) => {
                self.bad_line(reason(trimmed));
                Ok(())
            }
        }
    }

    fn user(&mut self, user_id: &str) -> Result<(), String> {
        self.count.users += 1;
        if !self.users.insert(xxhash_rust::xxh3::xxh3_128(user_id.as_bytes())) {
            return Ok(());
        }
        self.count.unique_users += 1;
        if self.count.unique_users > MOST_USERS {
            return Err(format!("has more than {MOST_USERS} unique users: upload a smaller seed"));
        }
        if self.odd_formats == OddFormats::Taken {
            self.clean.extend_from_slice(b"{\"user_id\":");
            // Writing a string to memory cannot fail.
            let _ = serde_json::to_writer(&mut self.clean, user_id);
            self.clean.extend_from_slice(b"}\n");
        }
        Ok(())
    }

    fn bad_line(&mut self, reason: &'static str) {
        self.count.bad_lines += 1;
        if self.bad.len() < TOLD_BAD_LINES {
            self.bad.push((self.number, reason));
        }
    }

    /// What is wrong with the whole, where something is.
    fn verdict(self) -> Result<SeedCount, String> {
        if self.count.bad_lines > 0 {
            let mut problem = format!("has {} bad of {} lines: ", self.count.bad_lines, self.number);
            for (index, (number, reason)) in self.bad.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                let _ = write!(problem, "{comma}line {number} {reason}");
            }
            if self.count.bad_lines > self.bad.len() as u64 {
                problem.push_str(", and more");
            }
            problem.push_str(". Write one {\"user_id\": \"…\"} a line and upload it again");
            return Err(problem);
        }
        if self.count.unique_users < LEAST_USERS {
            return Err(format!(
                "has {} unique users, but a seed needs {LEAST_USERS} to {MOST_USERS}: upload a larger seed",
                self.count.unique_users
            ));
        }
        Ok(self.count)
    }
}

/// Lets the gzip decoder write into the lines.
impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.read(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(problem) => {
                self.stopped = Some(problem);
                Err(io::Error::other("no seed"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a line is no user, never quoting it.
fn reason(line: &[u8]) -> &'static str {
    if std::str::from_utf8(line).is_err() {
        return "is not UTF-8";
    }
    match serde_json::from_slice(line) {
        Ok(Value::Object(fields)) => match fields.get("user_id") {
            None => "has no user_id",
            Some(Value::Number(_)) => "has a number as user_id (put it in quotes)",
            Some(Value::String(_)) if fields.len() > 1 => "has more fields than user_id",
            Some(Value::String(_)) => "names user_id twice",
            Some(_) => "has a user_id that is no string",
        },
        Ok(_) => "is no JSON object",
        Err(_) if line.starts_with(b"{") && line.ends_with(b",") => "ends in a comma",
        Err(_) if line.starts_with(b"{") => "is broken JSON",
        Err(_) => "is no JSON (CSV and plain lists are not understood)",
    }
}

/// The users' hashes are hashes already: their first half serves.
#[derive(Default)]
struct HashOfHash(u64);

impl Hasher for HashOfHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[allow(clippy::cast_possible_truncation)]
    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    fn read_in(bytes: &[u8], piece: usize, odd: OddFormats) -> (Result<SeedCount, String>, String) {
        let mut reader = SeedReader::new("s3://b/k", odd);
        let mut clean = Vec::new();
        for piece in bytes.chunks(piece) {
            if let Err(error) = reader.push(piece, &mut clean) {
                assert_eq!(error.name, ErrorName::InvalidSeed);
                return (Err(error.message), String::new());
            }
        }
        let count = reader.finish(&mut clean).map_err(|error| error.message);
        (count, String::from_utf8(clean).unwrap())
    }

    fn read(bytes: impl AsRef<[u8]>) -> (Result<SeedCount, String>, String) {
        read_in(bytes.as_ref(), PIECE_BYTES, OddFormats::Taken)
    }

    fn refusal(bytes: impl AsRef<[u8]>) -> String {
        read(bytes).0.unwrap_err()
    }

    fn refused_elsewhere(bytes: impl AsRef<[u8]>) -> String {
        read_in(bytes.as_ref(), PIECE_BYTES, OddFormats::Refused).0.unwrap_err()
    }

    fn seed(users: u64) -> String {
        (0..users).map(|user| format!("{{\"user_id\":\"u{user}\"}}\n")).collect()
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn count(users: u64) -> SeedCount {
        SeedCount { users, unique_users: users, ..SeedCount::default() }
    }

    #[test]
    fn a_plain_seed_is_its_own_clean_copy() {
        assert_eq!(read(seed(25)), (Ok(count(25)), seed(25)));
        assert_eq!(read_in(seed(25).as_bytes(), 1, OddFormats::Refused), (Ok(count(25)), String::new()));
    }

    #[test]
    fn what_people_really_upload_is_taken_and_cleaned() {
        let plain = seed(30);
        let marked = format!("\u{feff}{plain}");
        let crlf = plain.replace('\n', "\r\n");
        let blank = plain.replacen('\n', "\n\n  \t\r\n", 1);
        let more = plain.replace("\"}", "\",\"age\":7,\"tags\":[{}]}");
        let spaced = plain.replace("{\"user_id\":", " { \"user_id\" : ");
        for odd in [&marked, &crlf, &more, &spaced, &plain.trim_end().to_owned()] {
            assert_eq!(read(odd), (Ok(count(30)), plain.clone()));
        }
        assert_eq!(read(blank), (Ok(SeedCount { blank_lines: 2, ..count(30) }), plain.clone()));
        for packed in [&plain, &marked, &crlf] {
            assert_eq!(read(gzip(packed)), (Ok(count(30)), plain.clone()));
        }
        let parts = [gzip(&plain[..100]), gzip(&plain[100..])].concat();
        assert_eq!(read(parts), (Ok(count(30)), plain.clone()));
        let repeated = format!("{plain}{plain}");
        assert_eq!(read(repeated), (Ok(SeedCount { users: 60, ..count(30) }), plain));
    }

    #[test]
    fn a_user_is_the_text_and_not_its_spelling() {
        let spelt = seed(25) + "{\"user_id\":\"\\u0075\\u0030\"}\n{\"user_id\":\"é\\\"\\n\"}\n";
        let (found, clean) = read(spelt);
        assert_eq!(found, Ok(SeedCount { users: 27, unique_users: 26, ..SeedCount::default() }));
        assert!(clean.ends_with("{\"user_id\":\"é\\\"\\n\"}\n"), "{clean}");
    }

    #[test]
    fn bad_lines_are_told_by_number_and_reason_and_never_quoted() {
        let bad = [
            "{\"user_id\":\"SECRET\"",
            "[\"SECRET\"]",
            "{\"user\":\"SECRET\"}",
            "{\"user_id\":77}",
            "{\"user_id\":null}",
            "{\"user_id\":\"\"}",
            "{\"user_id\":\"SECRET\"},",
            "SECRET,1",
            "{\"user_id\":\"a\",\"user_id\":\"b\"}",
            "{\"user_id\":{}}",
            "SECRET",
            "SECRET",
        ];
        let message = refusal(format!("{}\n{}", seed(30), bad.join("\n")));
        assert_eq!(
            message,
            "s3://b/k has 12 bad of 43 lines: line 32 is broken JSON, line 33 is no JSON object, line \
            34 has no user_id, line 35 has a number as user_id (put it in quotes), line 36 has a user_id that is no \
            string, line 37 has an empty user_id, line 38 ends in a comma, line 39 is no JSON (CSV and plain lists are \
            not understood), line 40 names user_id twice, line 41 has a user_id that is no string, and more. Write one \
            {\"user_id\": \"…\"} a line and upload it again."
        );
        assert!(refusal([seed(25).as_bytes(), b"{\"user_id\":\"\xff\"}"].concat()).contains("line 26 is not UTF-8"));
    }

    #[test]
    fn a_seed_has_25_to_500000_unique_users() {
        assert!(refusal(seed(24)).contains("has 24 unique users, but a seed needs 25 to 500000"));
        assert!(refusal("").contains("has 0 unique users"));
        assert!(refusal("{\"user_id\":\"a\"}\n".repeat(1000)).contains("has 1 unique users"));
        assert_eq!(read(seed(500_000)).0, Ok(count(500_000)));
        assert!(refusal(seed(500_001)).contains("has more than 500000 unique users"));
        assert!(refusal(gzip(&seed(500_001))).contains("has more than 500000 unique users"));
    }

    #[test]
    fn a_file_of_another_format_is_told_what_it_is() {
        let utf16: Vec<u8> = seed(25).encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(refusal([&[0xff, 0xfe], utf16.as_slice()].concat()).contains("UTF-16"));
        assert!(refusal(utf16).contains("UTF-16"));
        assert!(refusal("[{\"user_id\":\"a\"}]").contains("JSON array"));
        assert!(refusal(b"PK\x03\x04zip").contains("zip"));
        assert!(refusal("user_id\nu1\nu2\n").contains("line 1 is no JSON (CSV"));
    }

    #[test]
    fn a_gzip_file_that_is_cut_short_or_damaged_is_no_seed() {
        let whole = gzip(&seed(1000));
        assert!(refusal(&whole[..whole.len() / 2]).contains("cut short"));
        assert!(refusal(&whole[..whole.len() - 1]).contains("cut short"));
        let mut damaged = whole;
        let middle = damaged.len() / 2;
        damaged[middle..middle + 8].fill(0xff);
        assert!(refusal(damaged).contains("gzip"));
    }

    #[test]
    fn a_line_that_is_too_long_is_bad_and_the_next_one_is_read() {
        let long = format!("{{\"user_id\":\"{}\"}}\n{}", "x".repeat(MOST_LINE_BYTES), seed(25));
        assert!(refusal(&long).contains("1 bad of 26 lines: line 1 is longer than 65536 bytes"));
        let edge = format!("{{\"user_id\":\"{}\"}}\n{}", "x".repeat(MOST_LINE_BYTES - 14), seed(25));
        assert_eq!(read(&edge).0, Ok(count(26)));
        let last = format!("{}{}", seed(25), "x".repeat(MOST_LINE_BYTES + 1));
        assert!(refusal(&last).contains("line 26 is longer"));
    }

    #[test]
    fn odd_formats_elsewhere_are_refused_with_a_way_out() {
        let plain = seed(25);
        for (odd, what) in [
            (format!("\u{feff}{plain}").into_bytes(), "a byte-order mark"),
            (gzip(&plain), "gzip"),
            (plain.replace('\n', "\r\n").into_bytes(), "Windows line ends (line 1)"),
            (format!("{plain}\n").into_bytes(), "a blank line (line 26)"),
        ] {
            let message = refused_elsewhere(odd);
            assert!(message.contains(what) && message.contains("upload it under seeds/"), "{message}");
        }
        assert!(refused_elsewhere(plain.replace("\"}", "\",\"a\":1}")).contains("more fields than user_id"));
        let repeated = format!("{plain}{}", plain.trim_end());
        assert!(read_in(repeated.as_bytes(), 7, OddFormats::Refused).0.is_ok());
    }

    proptest! {
        #[test]
        fn nothing_that_is_uploaded_makes_it_panic(bytes: Vec<u8>, piece in 1_usize..50, elsewhere: bool) {
            let odd = if elsewhere { OddFormats::Refused } else { OddFormats::Taken };
            let mut reader = SeedReader::new("s3://b/k", odd);
            let mut clean = Vec::new();
            for piece in bytes.chunks(piece) {
                if reader.push(piece, &mut clean).is_err() { return Ok(()); }
            }
            let _ = reader.finish(&mut clean);
        }

        #[test]
        fn the_pieces_in_which_a_seed_comes_do_not_matter(
            ids in proptest::collection::vec("\\PC{1,8}", 1..60), piece in 1_usize..40, packed: bool
        ) {
            let text: String = ids.iter().map(|id| serde_json::json!({"user_id": id}).to_string() + "\n").collect();
            let bytes = if packed { gzip(&text) } else { text.into_bytes() };
            prop_assert_eq!(read_in(&bytes, piece, OddFormats::Taken), read(&bytes));
        }

        #[test]
        fn the_clean_copy_has_each_user_once_in_the_order_of_the_file(
            ids in proptest::collection::vec("[a-z\"\\\\é\n]{1,2}", 25..400)
        ) {
            let text: String = ids.iter().map(|id| serde_json::json!({"user_id": id}).to_string() + "\r\n").collect();
            let mut unique: Vec<&String> = Vec::new();
            for id in &ids { if !unique.contains(&id) { unique.push(id); } }
            prop_assume!(unique.len() >= 25);
            let (found, clean) = read(text);
            prop_assert_eq!(found.unwrap().unique_users, unique.len() as u64);
            let again: Vec<String> = clean.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["user_id"].as_str().unwrap().to_owned())
                .collect();
            prop_assert_eq!(again.iter().collect::<Vec<_>>(), unique);
        }
    }
}
