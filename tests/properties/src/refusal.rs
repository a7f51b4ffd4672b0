//! What holds for every refusal.

use lookalike::Error;
use serde_json::Value;

/// What the samples put where users, queries and parameters stand.
const SECRET: &str = "SECRET";

/// The longest message that reaches a person whole: Step Functions takes no longer cause.
const MOST_MESSAGE_BYTES: usize = 32_768;

/// A message of `document` names its fields, but quotes no value.
pub(crate) fn tells_no_value(error: impl Into<Error>, document: &Value) {
    let Error { message, .. } = error.into();
    is_short(&message);
    assert!(!message.contains(SECRET) || names_hold_secret(document), "a value is told: {message}");
}

/// A message of a seed names not even fields.
pub(crate) fn tells_nothing_of_it(error: &Error) {
    is_short(&error.message);
    assert!(!error.message.contains(SECRET), "a line is told: {error}");
}

fn is_short(message: &str) {
    assert!(message.len() <= MOST_MESSAGE_BYTES, "a message of {} bytes: {}…", message.len(), &message[..99]);
}

/// Mutations may carry the secret into a field's name, which may be told, less its control characters.
fn names_hold_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let told: String = name.chars().filter(|c| !c.is_control()).collect();
            told.contains(SECRET) || names_hold_secret(value)
        }),
        Value::Array(values) => values.iter().any(names_hold_secret),
        // An export policy may be JSON in a text.
        Value::String(text) => serde_json::from_str(text).is_ok_and(|value| names_hold_secret(&value)),
        _ => false,
    }
}
