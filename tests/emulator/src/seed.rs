//! The seed: JSON Lines of `{"user_id": "..."}`, from 25 to 500,000 unique ids.
//!
//! What else the real service takes is not documented, so nothing else is taken here: what passes the emulator
//! should pass anywhere.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use serde::Deserialize;

/// How many unique ids a seed has.
pub const UNIQUE_USERS: RangeInclusive<usize> = 25..=500_000;

/// A line. No `Debug`: it holds a user id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    user_id: String,
}

/// Reads the unique user ids.
///
/// # Errors
/// Says which line is wrong and why, or how many ids there are; never what a line says.
pub fn read(bytes: &[u8]) -> Result<HashSet<String>, String> {
    let mut users = HashSet::new();
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        if line.is_empty() && text.is_empty() {
            break;
        }
        let user = user(line).map_err(|reason| format!("Line {number} of the seed {reason}."))?;
        users.insert(user);
    }
    if UNIQUE_USERS.contains(&users.len()) {
        return Ok(users);
    }
    Err(format!(
        "The seed has {} unique user ids ({} to {} are allowed).",
        users.len(),
        UNIQUE_USERS.start(),
        UNIQUE_USERS.end()
    ))
}

fn user(line: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8")?;
    if text.starts_with('\u{feff}') {
        return Err("begins with a byte-order mark");
    }
    if text.ends_with('\r') {
        return Err("ends in a carriage return");
    }
    if text.trim().is_empty() {
        return Err("is blank");
    }
    let line: Line = serde_json::from_str(text).map_err(|_| r#"is not {"user_id": "..."}"#)?;
    if line.user_id.is_empty() { Err("has an empty user_id") } else { Ok(line.user_id) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where its premise fails")]

    use super::*;

    fn lines(count: usize) -> String {
        (0..count).fold(String::new(), |lines, number| lines + &format!("{{\"user_id\":\"u{number}\"}}\n"))
    }

    #[test]
    fn unique_users_are_counted_once_and_the_last_newline_may_be_missing() {
        let seed = lines(25) + &lines(30) + r#"{"user_id":"last"}"#;
        assert_eq!(read(seed.as_bytes()).unwrap().len(), 31);
    }

    #[test]
    fn a_seed_has_25_to_500_000_unique_users() {
        assert_eq!(
            read(lines(24).as_bytes()).unwrap_err(),
            "The seed has 24 unique user ids (25 to 500000 are allowed)."
        );
        assert!(read(b"").unwrap_err().contains(" 0 unique"));
        assert!(read(lines(25).as_bytes()).is_ok());
        assert!(read(lines(500_001).as_bytes()).unwrap_err().contains(" 500001 unique"));
    }

    #[test]
    fn only_plain_lines_are_taken() {
        let cases: [(&[u8], &str); 10] = [
            (b"u1,2", "is not {\"user_id\": \"...\"}"),
            (br#"{"user_id":1}"#, "is not {\"user_id\": \"...\"}"),
            (br#"{"USER_ID":"u"}"#, "is not {\"user_id\": \"...\"}"),
            (br#"{"user_id":"u","age":"3"}"#, "is not {\"user_id\": \"...\"}"),
            (br#"[{"user_id":"u"}]"#, "is not {\"user_id\": \"...\"}"),
            (br#"{"user_id":""}"#, "has an empty user_id"),
            (b"{\"user_id\":\"u\"}\r", "ends in a carriage return"),
            (b"", "is blank"),
            (b"\xff", "is not UTF-8"),
            (b"\x1f\x8b\x08", "is not UTF-8"),
        ];
        for (line, reason) in cases {
            let mut seed = lines(6).into_bytes();
            seed.extend_from_slice(line);
            seed.push(b'\n');
            seed.extend_from_slice(lines(30).as_bytes());
            assert_eq!(read(&seed).unwrap_err(), format!("Line 7 of the seed {reason}."));
        }
        let marked = format!("\u{feff}{}", lines(30));
        assert_eq!(read(marked.as_bytes()).unwrap_err(), "Line 1 of the seed begins with a byte-order mark.");
    }
}
