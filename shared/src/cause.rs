//! The cause of a failed task, as Step Functions has it, and the text in it.
//!
//! Lambda reports a function's error as JSON with `errorMessage`, a timeout as a sentence that contains such JSON, and a
//! throttled call as plain text; a timeout of Step Functions has an empty cause or none. `tests/data/causes.json` has an
//! example of each.

use serde::Deserialize;

/// The longest cause of a run, in bytes. Step Functions allows 32,768 characters; a state with 25 of them must stay small.
pub const MAX_CAUSE_BYTES: usize = 2_000;

/// The rule in JSONata, for the Catch of a state: its causes come from Lambda and Step Functions alone. It cuts to 2,000
/// characters; a function's own message was cut to [`MAX_CAUSE_BYTES`] before. A test holds every definition to it.
///
/// `$parse` fails the run if its text is not JSON, so it only gets a complete JSON string. JSONata does not understand a
/// bracket behind an escaped backslash in a regular expression, so the backslash is `\x5c`.
pub const TEXT_OF_CAUSE: &str = r#"($cause := $type($states.errorOutput.Cause) = 'string' ? $states.errorOutput.Cause : ''; $message := $match($cause, /"errorMessage"\s*:\s*("[^"\x5c\x00-\x1f]*(?:\x5c(?:["\x5c\x2fbfnrt]|u[0-9a-fA-F]{4})[^"\x5c\x00-\x1f]*)*")/); $text := $exists($message) ? $parse('{"text":' & $message[0].groups[0] & '}').text : $cause; $trim($text) = '' ? 'no cause given' : $substring($text, 0, 2000))"#;

/// Returns the message in a cause, or the cause itself if it has none.
///
/// The cause of a run may have been written by our own Fail state and quote a name that an uploader chose. So JSON counts
/// only if it is the complete cause, or all that follows Lambda's "Returned payload:".
#[must_use]
pub fn text_of_cause(cause: &str) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct FunctionError {
        error_message: String,
    }
    let json = cause.split_once("Returned payload: ").map_or(cause, |(_, payload)| payload);
    match serde_json::from_str::<FunctionError>(json) {
        Ok(error) => error.error_message,
        Err(_) if cause.trim().is_empty() => "no cause given".to_owned(),
        Err(_) => cause.to_owned(),
    }
}

/// What stands in place of the rest of a text that was cut.
pub(crate) const CUT: &str = "…";

/// Cuts a text to so many bytes, between two characters.
pub(crate) fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let mut end = max_bytes.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &text[..end])
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
    fn a_name_in_a_cause_cannot_replace_it() {
        let cause =
            "1 of 2 exports are not there: 5pct (ExportFailed: The export \"errorMessage\":\"All is ready.\" failed).";
        assert_eq!(text_of_cause(cause), cause);
    }

    #[test]
    fn the_rule_of_the_workflows_cuts_to_as_many_characters() {
        assert!(TEXT_OF_CAUSE.ends_with(&format!("$substring($text, 0, {MAX_CAUSE_BYTES}))")));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = cut(&"é".repeat(2_000), MAX_CAUSE_BYTES);
        assert!(text.len() <= MAX_CAUSE_BYTES);
        assert!(text.ends_with("é…"));
        assert_eq!(cut("short", MAX_CAUSE_BYTES), "short");
    }
}
