//! Reads the members of a JSON body and collects the violations of the service model. Messages name members, never values.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::operation::Api;
use crate::wire::{ErrorKind, ServiceError};

/// Returns the body as JSON. An empty body is an empty object.
pub(crate) fn parse(api: Api, body: &[u8]) -> Result<Value, ServiceError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    // serde's message may repeat the text, so only the place of the error is given.
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        ServiceError::new(ErrorKind::of_limit(api), format!("The request's body is not JSON: {place}"))
    })
}

/// The violations of a request of the API so far.
pub(crate) struct Reader {
    api: Api,
    wrong: Vec<String>,
}

impl Reader {
    pub(crate) fn of(api: Api) -> Self {
        Self { api, wrong: Vec::new() }
    }

    pub(crate) fn wrong(&mut self, member: &str, problem: impl Display) {
        self.wrong.push(format!("Value at '{member}' failed to satisfy constraint: Member {problem}"));
    }

    pub(crate) fn end<T>(self, value: Option<T>) -> Result<T, ServiceError> {
        match value {
            Some(value) if self.wrong.is_empty() => Ok(value),
            _ => Err(self.error()),
        }
    }

    pub(crate) fn error(self) -> ServiceError {
        let errors = if self.wrong.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {errors} detected: {}", self.wrong.len(), self.wrong.join("; "));
        ServiceError::new(ErrorKind::of_limit(self.api), message)
    }

    pub(crate) fn members<'v>(&mut self, value: &'v Value, path: &'v str) -> Option<Members<'v>> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong(if path.is_empty() { "body" } else { path }, "must be a JSON object");
        }
        object.map(|object| Members { path, object })
    }

    pub(crate) fn text<T: FromStr<Err = String>>(&mut self, members: &Members<'_>, key: &str) -> Option<T> {
        let Some(text) = members.get(key)?.as_str() else {
            self.wrong(&members.path(key), "must be a string");
            return None;
        };
        text.parse().map_err(|problem| self.wrong(&members.path(key), problem)).ok()
    }

    /// Reads a text whose pattern in the service model uses `.`, which matches no line break. Checked here too, so that a
    /// mistake in Lookalike's types is seen.
    pub(crate) fn line<T: FromStr<Err = String>>(&mut self, members: &Members<'_>, key: &str) -> Option<T> {
        let has_line_break = |text: &str| text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
        if members.get(key)?.as_str().is_some_and(has_line_break) {
            self.wrong(&members.path(key), "must not have a line break");
            return None;
        }
        self.text(members, key)
    }

    /// Reads a name or a description of Clean Rooms ML. The pattern in the service model lists single surrogates instead of
    /// their range, so it matches no character beyond U+FFFF, for example no emoji.
    pub(crate) fn plain<T: FromStr<Err = String>>(&mut self, members: &Members<'_>, key: &str) -> Option<T> {
        if members.get(key)?.as_str().is_some_and(|text| text.contains(|c| c > '\u{ffff}')) {
            self.wrong(&members.path(key), "must not have characters beyond U+FFFF, for example emoji");
            return None;
        }
        self.text(members, key)
    }

    /// Reads a union: an object with exactly one member, which must be the only one of the service model.
    pub(crate) fn union<'v>(&mut self, value: &'v Value, path: &'v str, key: &str) -> Option<Members<'v>> {
        let members = self.members(value, path)?;
        if members.get(key).is_none() || members.object.values().filter(|value| !value.is_null()).count() > 1 {
            self.wrong(path, format_args!("must have exactly one member: {key}"));
            return None;
        }
        Some(members)
    }

    pub(crate) fn chosen<T: Copy>(
        &mut self,
        members: &Members<'_>,
        key: &str,
        choices: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        let text = members.get(key)?.as_str();
        let choice = choices.iter().copied().find(|choice| Some(name(*choice)) == text);
        if choice.is_none() {
            let names: Vec<_> = choices.iter().map(|choice| name(*choice)).collect();
            self.wrong(&members.path(key), format_args!("must satisfy enum value set: [{}]", names.join(", ")));
        }
        choice
    }

    pub(crate) fn truth(&mut self, members: &Members<'_>, key: &str) -> Option<bool> {
        let truth = members.get(key)?.as_bool();
        if truth.is_none() {
            self.wrong(&members.path(key), "must be true or false");
        }
        truth
    }

    pub(crate) fn number(&mut self, members: &Members<'_>, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let number = members.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = range.into_inner();
            self.wrong(&members.path(key), format_args!("must be a whole number from {least} to {most}"));
        }
        number
    }

    pub(crate) fn texts(
        &mut self,
        members: &Members<'_>,
        key: &str,
        most: usize,
        key_length: RangeInclusive<usize>,
        value_length: RangeInclusive<usize>,
    ) -> Option<BTreeMap<String, String>> {
        let path = members.path(key);
        let Some(object) = members.get(key)?.as_object() else {
            self.wrong(&path, "must be a JSON object");
            return None;
        };
        if object.len() > most {
            self.wrong(&path, format_args!("must have at most {most} entries"));
        }
        let within = |text: &str, length: &RangeInclusive<usize>| length.contains(&text.chars().count());
        let mut texts = BTreeMap::new();
        for (key, value) in object {
            match value.as_str() {
                Some(value) if within(key, &key_length) && within(value, &value_length) => {
                    texts.insert(key.clone(), value.to_owned());
                }
                _ => {
                    let [keys, values] = [&key_length, &value_length].map(|length| (length.start(), length.end()));
                    self.wrong(
                        &path,
                        format_args!(
                            "must have keys of {} to {} and string values of {} to {} characters",
                            keys.0, keys.1, values.0, values.1
                        ),
                    );
                    break;
                }
            }
        }
        Some(texts)
    }
}

/// Whether a tag key begins with the prefix that AWS reserves for itself, in upper or lower case.
pub(crate) fn is_reserved(tag_key: &str) -> bool {
    tag_key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

/// A JSON object and its path in the body.
pub(crate) struct Members<'v> {
    path: &'v str,
    object: &'v Map<String, Value>,
}

impl<'v> Members<'v> {
    /// Returns a member. Null counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'v Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// Adds a violation if a required member is absent.
pub(crate) trait Required {
    fn required(self, reader: &mut Reader, members: &Members<'_>, key: &str) -> Self;
}

impl<T> Required for Option<T> {
    fn required(self, reader: &mut Reader, members: &Members<'_>, key: &str) -> Self {
        if members.get(key).is_none() {
            reader.wrong(&members.path(key), "must not be null");
        }
        self
    }
}
