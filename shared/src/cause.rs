//! The cause of a failed task, as Step Functions has it, and the text in it.
//!
//! Lambda reports a function's error as JSON with `errorMessage`, a timeout as a sentence that contains such JSON, and a
//! throttled call as plain text; a timeout of Step Functions has an empty cause or none. `tests/data/causes.json` has an
//! example of each.

use serde_json::Deserializer;

/// The longest cause of a run, in bytes. Step Functions allows 32,768 characters; a state with 25 of them must stay small.
pub const MAX_CAUSE_BYTES: usize = 2_000;

/// The same rule as [`text_of_cause`] in JSONata, for a state's Catch: a test holds every definition to it.
///
/// `$parse` fails the run if its text is not JSON, so it only gets a complete JSON string. JSONata does not understand a
/// bracket behind an escaped backslash in a regular expression, so the backslash is `\x5c`.
pub const TEXT_OF_CAUSE: &str = r#"($cause := $type($states.errorOutput.Cause) = 'string' ? $states.errorOutput.Cause : ''; $message := $match($cause, /"errorMessage"\s*:\s*("[^"\x5c\x00-\x1f]*(?:\x5c(?:["\x5c\x2fbfnrt]|u[0-9a-fA-F]{4})[^"\x5c\x00-\x1f]*)*")/); $text := $exists($message) ? $parse('{"text":' & $message[0].groups[0] & '}').text : $cause; $trim($text) = '' ? 'no cause given' : $substring($text, 0, 2000))"#;

/// Returns the message in a cause, or the cause itself if it has none, cut to [`MAX_CAUSE_BYTES`].
#[must_use]
pub fn text_of_cause(cause: &str) -> String {
    let text = message(cause).unwrap_or_else(|| cause.to_owned());
    if text.trim().is_empty() { "no cause given".to_owned() } else { cut(&text, MAX_CAUSE_BYTES) }
}

/// Returns the first `errorMessage` that is a complete JSON string.
pub(crate) fn message(cause: &str) -> Option<String> {
    cause.split("\"errorMessage\"").skip(1).find_map(|rest| {
        let value = rest.trim_start().strip_prefix(':')?;
        Deserializer::from_str(value).into_iter::<String>().next()?.ok()
    })
}

/// Cuts a text to so many bytes, between two characters.
pub(crate) fn cut(text: &str, max_bytes: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let mut end = max_bytes.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_text_of_each_real_cause_is_found() {
        let causes: Vec<Value> = serde_json::from_str(include_str!("../../tests/data/causes.json")).unwrap();
        for example in causes {
            let text = text_of_cause(example["cause"].as_str().unwrap_or_default());
            assert_eq!(text, example["text"], "{}", example["what"]);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = text_of_cause(&"é".repeat(2_000));
        assert!(text.len() <= MAX_CAUSE_BYTES);
        assert!(text.ends_with("é…"));
        assert_eq!(cut("short", MAX_CAUSE_BYTES), "short");
    }
}
