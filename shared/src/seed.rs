//! The check of a seed: JSON Lines of `{"user_id": "…"}`, from 25 to 500,000 unique users.
//!
//! The reader takes bytes as they come ([`crate::lines`]) and holds one line and a hash of each user. It takes repeated
//! users and more fields too, and hands back the clean lines that the service is known to read; or, where nothing may be
//! written, it refuses what the service is not known to read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::lines::{Line, LineReader, OddFormats, Records, invalid, refused};

/// The fewest unique users of a seed.
pub const LEAST_USERS: u64 = 25;
/// The most unique users of a seed.
pub const MOST_USERS: u64 = 500_000;

/// What to do with a seed whose format only our clean copy would mend.
pub const UPLOAD_INSTEAD: OddFormats =
    OddFormats::Refused { way_out: "upload it under seeds/ instead, where it is cleaned" };

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

/// Reads a seed as it comes: [`push`](Self::push) for each piece, then [`finish`](Self::finish).
pub struct SeedReader {
    place: String,
    lines: LineReader<Users>,
}

impl SeedReader {
    /// A reader of the seed that lies at `place`, which messages name.
    #[must_use]
    pub fn new(place: impl Into<String>, odd_formats: OddFormats) -> Self {
        let place = place.into();
        Self { lines: LineReader::new(place.clone(), odd_formats, Users::default()), place }
    }

    /// Reads the next bytes, at most [`crate::lines::PIECE_BYTES`], and appends the lines of users not seen before to
    /// `clean`.
    ///
    /// Errors as `InvalidSeed` as soon as it is certain that this is no seed; then nothing more is to be pushed.
    pub fn push(&mut self, piece: &[u8], clean: &mut Vec<u8>) -> Result<(), Error> {
        self.lines.push(piece)?;
        if let Some(users) = self.lines.records() {
            users.settle().map_err(|problem| invalid(&self.place, &problem))?;
            users.hand_over(clean);
        }
        Ok(())
    }

    /// Ends the reading. Errors as `InvalidSeed` with what is wrong with the whole.
    pub fn finish(self, clean: &mut Vec<u8>) -> Result<SeedCount, Error> {
        let (mut users, lines) = self.lines.finish()?;
        users.settle().map_err(|problem| invalid(&self.place, &problem))?;
        users.hand_over(clean);
        let unique_users = users.seen.count;
        if unique_users < LEAST_USERS {
            let problem = format!(
                "has {unique_users} unique users, but a seed needs {LEAST_USERS} to {MOST_USERS}: upload a larger seed"
            );
            return Err(invalid(&self.place, &problem));
        }
        Ok(SeedCount { users: users.count, unique_users, blank_lines: lines.blank, bad_lines: 0 })
    }
}

/// The users of a seed.
#[derive(Default)]
struct Users {
    count: u64,
    seen: Seen,
    /// The lines of users not seen before, and of those that wait.
    clean: Vec<u8>,
    /// How much of it is for good.
    settled: usize,
    /// The hashes of users that are still to be looked up, and where their clean lines end.
    waiting: Vec<(u128, usize)>,
}

/// How many users are looked up together: they lie all over a table that no cache holds, and the processor can wait
/// for many of them at a time.
const TOGETHER: usize = 64;

/// A line as people write it: other fields are passed over.
#[derive(Deserialize)]
struct User<'l> {
    #[serde(borrow)]
    user_id: Cow<'l, str>,
}

/// A line as the service is known to read it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainUser<'l> {
    #[serde(borrow)]
    user_id: Cow<'l, str>,
}

impl Records for Users {
    const FORM: &'static str = "{\"user_id\": \"…\"}";

    fn read(&mut self, line: &[u8], odd_formats: OddFormats) -> Line {
        if let Some(user_id) = plain(line) {
            return self.user(user_id, odd_formats, |clean| {
                clean.push(b'"');
                clean.extend_from_slice(user_id);
                clean.push(b'"');
            });
        }
        let user_id = match odd_formats {
            OddFormats::Taken => serde_json::from_slice::<User<'_>>(line).map(|line| line.user_id),
            OddFormats::Refused { .. } => serde_json::from_slice::<PlainUser<'_>>(line).map(|line| line.user_id),
        };
        match (user_id, odd_formats) {
            (Ok(user_id), _) if !user_id.is_empty() => {
                // Writing a string to memory cannot fail.
                self.user(user_id.as_bytes(), odd_formats, |clean| drop(serde_json::to_writer(clean, &user_id)))
            }
            (Ok(_), _) => Line::Bad("has an empty user_id"),
            (Err(_), OddFormats::Refused { way_out }) if reason(line) == MORE_FIELDS => {
                Line::Stop(refused("fields besides user_id", way_out))
            }
            (Err(_), _) => Line::Bad(reason(line)),
        }
    }
}

impl Users {
    /// Takes a user, whom `spell` writes as JSON.
    fn user(&mut self, user_id: &[u8], odd_formats: OddFormats, spell: impl FnOnce(&mut Vec<u8>)) -> Line {
        self.count += 1;
        if odd_formats == OddFormats::Taken {
            self.clean.extend_from_slice(b"{\"user_id\":");
            spell(&mut self.clean);
            self.clean.extend_from_slice(b"}\n");
        }
        self.waiting.push((xxhash_rust::xxh3::xxh3_128(user_id), self.clean.len()));
        if self.waiting.len() < TOGETHER {
            return Line::Good;
        }
        self.settle().map_or_else(Line::Stop, |()| Line::Good)
    }

    /// Looks up the users that wait, and takes back the clean lines of those seen before.
    fn settle(&mut self) -> Result<(), String> {
        self.seen.approach(&self.waiting);
        let mut begin = self.settled;
        for (user, end) in self.waiting.drain(..) {
            if self.seen.insert(user) {
                if self.settled < begin {
                    self.clean.copy_within(begin..end, self.settled);
                }
                self.settled += end - begin;
            }
            begin = end;
        }
        self.clean.truncate(self.settled);
        if self.seen.count > MOST_USERS {
            return Err(format!("has more than {MOST_USERS} unique users: upload a smaller seed"));
        }
        Ok(())
    }

    /// Hands over the clean lines that are settled, which must be all.
    fn hand_over(&mut self, clean: &mut Vec<u8>) {
        clean.append(&mut self.clean);
        self.settled = 0;
    }
}

/// The user of a line as nearly all lines are: `{"user_id":"…"}`, with or without a space after the colon, the text not
/// empty and without anything that JSON escapes. The parser answers the same, slower, and reads all others.
fn plain(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"{\"user_id\":")?;
    let user_id = value.strip_prefix(b" ").unwrap_or(value).strip_prefix(b"\"")?.strip_suffix(b"\"}")?;
    let (words, rest) = user_id.as_chunks();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let (escapes, bits) = words.iter().chain([&last]).fold((0, 0), |(escapes, bits), word| {
        let word = u64::from_ne_bytes(*word);
        (escapes | escaped(word), bits | word)
    });
    let is_text = bits & HIGH == 0 || std::str::from_utf8(user_id).is_ok();
    (escapes == 0 && is_text && !user_id.is_empty()).then_some(user_id)
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The bits that no byte of ASCII has.
const HIGH: u64 = ONES << 7;

/// Not 0 where any of eight bytes is one that JSON escapes: each comparison is one subtraction for all eight.
///
/// The compiler would do a loop over bytes so by itself, but not where all is linked for size (2026-11-23).
fn escaped(word: u64) -> u64 {
    let below = |word: u64, least: u8| word.wrapping_sub(ONES * u64::from(least)) & !word & HIGH;
    let has = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    below(word, b' ') | has(b'"') | has(b'\\')
}

const MORE_FIELDS: &str = "has more fields than user_id";

/// Why a line that begins as an object is no user, never quoting it.
fn reason(line: &[u8]) -> &'static str {
    if std::str::from_utf8(line).is_err() {
        return "is not UTF-8";
    }
    match serde_json::from_slice(line) {
        Ok(Value::Object(fields)) => match fields.get("user_id") {
            None => "has no user_id",
            Some(Value::Number(_)) => "has a number as user_id (put it in quotes)",
            Some(Value::String(_)) if fields.len() > 1 => MORE_FIELDS,
            Some(Value::String(_)) => "names user_id twice",
            Some(_) => "has a user_id that is no string",
        },
        _ if line.ends_with(b",") => "ends in a comma",
        _ => "is broken JSON",
    }
}

/// Users by their hashes, of 128 bits: one half says from where a user is looked for, the other is kept in the first free
/// place. So two users pass for one where a half is the same and their places are near: in one seed of 10¹³.
///
/// A table of fixed size, half full at most, is never copied to grow, and what is not touched of it takes no memory. The
/// whole process takes 12 MB; with whole hashes kept it took 20, and with a `HashSet`, which grows by doubling, 30
/// (2026-11-23).
#[derive(Default)]
struct Seen {
    /// 0 is a free place.
    places: Vec<u64>,
    count: u64,
}

/// The power of two that is at least twice the most users.
const PLACES: usize = 1 << 20;

impl Seen {
    /// Has the places of users brought near, so that what follows does not wait for them one by one.
    fn approach(&self, users: &[(u128, usize)]) {
        if !self.places.is_empty() {
            let touched = users.iter().fold(0, |touched, (user, _)| touched ^ self.places[Self::split(*user).0]);
            std::hint::black_box(touched);
        }
    }

    /// The place from which a user is looked for, and what is kept of it.
    #[allow(clippy::cast_possible_truncation)]
    fn split(user: u128) -> (usize, u64) {
        (user as usize % PLACES, ((user >> 64) as u64).max(1))
    }

    /// Whether the user was not seen before. Fewer than there are places may be inserted.
    fn insert(&mut self, user: u128) -> bool {
        if self.places.is_empty() {
            self.places = vec![0; PLACES];
        }
        let (mut place, user) = Self::split(user);
        loop {
            match self.places[place] {
                0 => break,
                seen if seen == user => return false,
                _ => place = (place + 1) % PLACES,
            }
        }
        self.places[place] = user;
        self.count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::ErrorName;
    use crate::lines::{MOST_LINE_BYTES, PIECE_BYTES};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write as _;

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
        read_in(bytes.as_ref(), PIECE_BYTES, UPLOAD_INSTEAD).0.unwrap_err()
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
    fn users_whose_hashes_begin_at_the_same_place_are_told_apart() {
        let mut seen = Seen::default();
        let users = (1..=200).map(|user| (user << 64) + PLACES as u128 - 2);
        assert!(users.clone().all(|user| seen.insert(user)));
        assert!(!users.clone().any(|user| seen.insert(user)));
        assert!(seen.insert(0) && !seen.insert(0));
        assert_eq!(seen.count, 201);
    }

    #[test]
    fn what_json_escapes_is_seen_wherever_it_stands_in_a_user_id() {
        for (byte, place) in (0..=u8::MAX).flat_map(|byte| (0..20).map(move |place| (byte, place))) {
            let mut line = b"{\"user_id\":\"01234567890123456789\"}".to_vec();
            line[12 + place] = byte;
            let is_plain = byte.is_ascii() && !matches!(byte, 0..0x20 | b'"' | b'\\');
            assert_eq!(plain(&line).is_some(), is_plain, "{byte} at {place}");
        }
        for byte in *b"\"\\\n\xff" {
            let mut line = b"{\"user_id\":\"01234567890123456789\"}".to_vec();
            (line[15], line[23]) = (byte, byte);
            assert_eq!(plain(&line), None, "{byte} twice, a word apart");
        }
    }

    #[test]
    fn a_plain_seed_is_its_own_clean_copy() {
        assert_eq!(read(seed(25)), (Ok(count(25)), seed(25)));
        assert_eq!(read_in(seed(25).as_bytes(), 1, UPLOAD_INSTEAD), (Ok(count(25)), String::new()));
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
        assert_eq!(read_in(&gzip(&plain), 1, OddFormats::Taken), (Ok(count(30)), plain.clone()));
        let parts = [gzip(&plain[..100]), gzip(&plain[100..])].concat();
        assert_eq!(read(parts), (Ok(count(30)), plain.clone()));
        let repeated = format!("{plain}{plain}");
        assert_eq!(read(repeated), (Ok(SeedCount { users: 60, ..count(30) }), plain));
    }

    #[test]
    fn clean_lines_are_handed_back_as_they_come() {
        let mut reader = SeedReader::new("s3://b/k", OddFormats::Taken);
        let mut clean = Vec::new();
        reader.push(seed(3).as_bytes(), &mut clean).unwrap();
        assert_eq!(clean, seed(3).as_bytes());
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
        assert!(refused_elsewhere(plain.replacen("u1", "u1\"", 1)).contains("line 2 is broken JSON"));
        assert!(refused_elsewhere(plain.replace("\"}", "\",\"a\":1}")).contains("has fields besides user_id, which"));
        let repeated = format!("{plain}{}", plain.trim_end());
        assert!(read_in(repeated.as_bytes(), 7, UPLOAD_INSTEAD).0.is_ok());
    }

    /// Lines that are plain, nearly plain and not plain at all.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let id = prop_oneof![
            "[a-z0-9é\u{7f}€😀-]{0,40}".prop_map(String::into_bytes),
            "[a\"\\\\{}:, u0041\n\t\u{1f}]{0,8}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..6),
        ];
        let before = prop_oneof![
            4 => Just("{\"user_id\":\""),
            4 => Just("{\"user_id\": \""),
            1 => Just("{\"user_id\":  \""),
            1 => Just("{ \"user_id\":\""),
            1 => Just("{\"user_id\":"),
            1 => Just("{\"user\":\"a\",\"user_id\":\""),
        ];
        let after = prop_oneof![
            8 => Just("\"}"),
            1 => Just("\" }"),
            1 => Just("}"),
            1 => Just("\",\"a\":\"b\"}"),
            1 => Just("\"},"),
        ];
        (before, id, after).prop_map(|(before, id, after)| [before.as_bytes(), &id, after.as_bytes()].concat())
    }

    proptest! {
        #[test]
        fn a_plain_line_is_what_the_parser_takes_it_for(line in lines()) {
            if let Some(user_id) = plain(&line) {
                let parsed: PlainUser<'_> = serde_json::from_slice(&line).unwrap();
                let user_id = std::str::from_utf8(user_id).unwrap();
                prop_assert_eq!(user_id, parsed.user_id);
                prop_assert_eq!(format!("\"{user_id}\""), serde_json::to_string(user_id).unwrap());
                prop_assert!(!user_id.is_empty());
            }
        }

        #[test]
        fn the_parser_is_not_asked_about_a_line_of_ours(user_id in "[ !#-\\[\\]-~é€😀]{1,40}") {
            let compact = format!("{{\"user_id\":\"{user_id}\"}}");
            let spaced = compact.replacen(':', ": ", 1);
            prop_assert_eq!(plain(compact.as_bytes()), Some(user_id.as_bytes()));
            prop_assert_eq!(plain(spaced.as_bytes()), Some(user_id.as_bytes()));
        }

        #[test]
        fn nothing_that_is_uploaded_makes_it_panic(bytes: Vec<u8>, piece in 1_usize..50, elsewhere: bool) {
            let odd = if elsewhere { UPLOAD_INSTEAD } else { OddFormats::Taken };
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
