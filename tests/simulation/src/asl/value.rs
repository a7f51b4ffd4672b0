//! Values of states: from JSON to JSONata and back, their size, and what JSON cannot hold.

use jsonata_core::value::JValue;
use serde_json::Value;

/// Returns the JSONata value as JSON. Whole numbers are written without a fraction, as JavaScript and AWS write them.
pub(crate) fn to_json(value: &JValue) -> Value {
    match value {
        JValue::Bool(flag) => Value::Bool(*flag),
        JValue::Number(number) => match exact_integer(value) {
            Some(integer) => Value::from(integer),
            None => Value::from(*number),
        },
        JValue::String(text) => Value::from(&**text),
        JValue::Array(items) => Value::Array(items.iter().map(to_json).collect()),
        JValue::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), to_json(value))).collect())
        }
        _ => Value::Null,
    }
}

/// Returns the number if it is a whole number that a double holds exactly.
fn exact_integer(value: &JValue) -> Option<i64> {
    value.as_i64().filter(|integer| integer.unsigned_abs() <= 1 << 53)
}

/// Returns the object with these members.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, JValue)>) -> JValue {
    JValue::object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Returns the result of an expression as a plain value, or `None` if JSON cannot hold it: a function, a regular
/// expression, a number that is not finite, or no value.
///
/// JSONata marks arrays that it has built, and treats them differently from arrays that it has read. Between two states
/// a value is JSON, so the marks are removed.
pub(crate) fn plain(value: JValue) -> Option<JValue> {
    match state_of(&value) {
        State::Plain => Some(value),
        State::Marked => Some(without_marks(&value)),
        State::NotJson => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Plain,
    Marked,
    NotJson,
}

fn state_of(value: &JValue) -> State {
    match value {
        JValue::Null | JValue::Bool(_) | JValue::String(_) => State::Plain,
        JValue::Number(number) if number.is_finite() => State::Plain,
        JValue::Array(items) => {
            let is_marked =
                items.sequence || items.cons || items.keep_singleton || items.outer_wrapper || items.sorted_tuples;
            let own = if is_marked { State::Marked } else { State::Plain };
            items.iter().map(state_of).max().unwrap_or(State::Plain).max(own)
        }
        JValue::Object(members) => members.values().map(state_of).max().unwrap_or(State::Plain),
        _ => State::NotJson,
    }
}

fn without_marks(value: &JValue) -> JValue {
    match value {
        JValue::Array(items) => JValue::array(items.iter().map(without_marks).collect()),
        JValue::Object(members) => {
            JValue::object(members.iter().map(|(name, value)| (name.clone(), without_marks(value))).collect())
        }
        other => other.clone(),
    }
}

/// Returns the bytes of the value as UTF-8 JSON without spaces.
pub(crate) fn json_bytes(value: &JValue) -> usize {
    match value {
        JValue::Bool(false) => 5,
        JValue::Number(number) => match exact_integer(value) {
            Some(integer) => integer_bytes(integer),
            None => number.to_string().len(),
        },
        JValue::String(text) => string_bytes(text),
        JValue::Array(items) => 1 + items.len().max(1) + items.iter().map(json_bytes).sum::<usize>(),
        JValue::Object(members) => {
            let members_bytes: usize =
                members.iter().map(|(name, value)| string_bytes(name) + 1 + json_bytes(value)).sum();
            1 + members.len().max(1) + members_bytes
        }
        // true and null.
        _ => 4,
    }
}

fn integer_bytes(integer: i64) -> usize {
    let digits = integer.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    usize::try_from(digits).unwrap_or(0) + usize::from(integer < 0)
}

fn string_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    };
    2 + text.len() + text.bytes().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_survives_the_way_to_jsonata_and_back() {
        let value = json!({"a": [1, -2, 0.5, 1e300, null, true, "x"], "b": {}, "c": [[], ["語"]]});
        assert_eq!(to_json(&JValue::from(value.clone())), value);
    }

    #[test]
    fn whole_numbers_have_no_fraction() {
        assert_eq!(to_json(&JValue::Number(3.0)).to_string(), "3");
    }

    #[test]
    fn the_size_is_the_length_of_the_json_text() {
        for value in [
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(-7),
            json!(1_234_567),
            json!(0.25),
            json!(""),
            json!([]),
            json!({}),
            json!("a\"b\\c\n\u{1}\u{8}語"),
            json!({"a": [1, 2, {"b": "c"}], "d\"": [[]]}),
        ] {
            let text = value.to_string();
            assert_eq!(json_bytes(&JValue::from(value)), text.len(), "{text}");
        }
    }

    #[test]
    fn a_value_that_json_cannot_hold_is_not_plain() {
        assert!(plain(JValue::Undefined).is_none());
        assert!(plain(JValue::Number(f64::NAN)).is_none());
        assert!(plain(JValue::array(vec![JValue::Undefined])).is_none());
    }

    #[test]
    fn a_sequence_becomes_an_ordinary_array() {
        let value = object([("a", JValue::sequence(vec![JValue::from(1_i64)]))]);
        let value = plain(value).unwrap();
        assert!(!value.get("a").and_then(JValue::as_jarray).unwrap().sequence);
    }
}
