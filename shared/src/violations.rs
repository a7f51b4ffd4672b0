//! All broken rules of a document at once, each as `path: what is wrong (what is allowed)`, and the reader that finds them.
//!
//! A document is read by hand instead of derived: serde stops at the first fault, and a person wants them all.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorName};

/// How many broken rules are told one by one: more make a message that no service hands on whole.
const TOLD: usize = 50;

/// The rules that a document breaks. No value stands in it, only paths and rules: a value may be a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    told: Vec<String>,
    untold: usize,
}

impl Violations {
    /// Notes that the field at `path` breaks a rule.
    pub fn add(&mut self, path: &str, problem: impl fmt::Display) {
        if self.told.len() < TOLD {
            self.told.push(format!("{path}: {problem}"));
        } else {
            self.untold += 1;
        }
    }

    /// One entry for each broken rule, up to the fiftieth.
    #[must_use]
    pub fn entries(&self) -> &[String] {
        &self.told
    }

    /// `Ok` with what was read where no rule was broken.
    pub fn into_result<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.told.is_empty() => Ok(value),
            _ => Err(self),
        }
    }

    /// The object at `path`. Notes any other type, and every field that is not among the known ones with the nearest.
    pub(crate) fn object<'v>(&mut self, value: &'v Value, path: &'v str, known: &[&str]) -> Option<Fields<'v>> {
        let Some(object) = value.as_object() else {
            self.add(if path.is_empty() { "request" } else { path }, "must be a JSON object");
            return None;
        };
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let hint = match nearest(key, known) {
                Some(near) => format!("unknown field (did you mean {near}?)"),
                None => format!("unknown field (known are {})", known.join(", ")),
            };
            self.add(&join(path, &excerpt(key)), hint);
        }
        Some(Fields { path, object })
    }

    /// A required value: notes its absence.
    pub(crate) fn required<T>(&mut self, fields: &Fields<'_>, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && fields.get(key).is_none() {
            self.add(&fields.path(key), "is required");
        }
        value
    }

    /// A string that becomes a `T`.
    pub(crate) fn text<T: FromStr<Err = String>>(&mut self, fields: &Fields<'_>, key: &str) -> Option<T> {
        let Some(text) = fields.get(key)?.as_str() else {
            self.add(&fields.path(key), "must be a string");
            return None;
        };
        text.parse().map_err(|problem| self.add(&fields.path(key), problem)).ok()
    }

    /// A truth value.
    pub(crate) fn truth(&mut self, fields: &Fields<'_>, key: &str) -> Option<bool> {
        let truth = fields.get(key)?.as_bool();
        if truth.is_none() {
            self.add(&fields.path(key), "must be true or false");
        }
        truth
    }

    /// A whole number within a range.
    pub(crate) fn number(&mut self, fields: &Fields<'_>, key: &str, least: u64, most: u64) -> Option<u64> {
        let number = fields.get(key)?.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.add(&fields.path(key), format_args!("must be a whole number ({least} to {most})"));
        }
        number
    }

    /// An object of strings, of at most `most` entries, whose keys and values keep the given rules.
    ///
    /// A key is named in an error, a value never is.
    pub(crate) fn strings(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        most: usize,
        key_rule: fn(&str) -> Result<(), String>,
        value_rule: fn(&str) -> Result<(), String>,
    ) -> Option<std::collections::BTreeMap<String, String>> {
        let path = fields.path(key);
        let Some(object) = fields.get(key)?.as_object() else {
            self.add(&path, "must be a JSON object of strings");
            return None;
        };
        if object.len() > most {
            self.add(&path, format_args!("has {} entries (at most {most})", object.len()));
        }
        let mut strings = std::collections::BTreeMap::new();
        for (name, value) in object {
            let entry = join(&path, &excerpt(name));
            if let Err(problem) = key_rule(name) {
                self.add(&entry, format_args!("the key {problem}"));
            }
            let Some(text) = value.as_str() else {
                self.add(&entry, "must be a string");
                continue;
            };
            if let Err(problem) = value_rule(text) {
                self.add(&entry, problem);
            }
            strings.insert(name.clone(), text.to_owned());
        }
        Some(strings)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.join("; "))?;
        if self.untold > 0 { write!(f, "; and {} more", self.untold) } else { Ok(()) }
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Error::new(ErrorName::InvalidRequest, format!("{violations}. Correct the request and send it again."))
    }
}

/// An object of a document, and where in it the object stands.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'v> {
    path: &'v str,
    object: &'v Map<String, Value>,
}

impl<'v> Fields<'v> {
    /// A field that is there; `null` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'v Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// The path of a field.
    pub(crate) fn path(&self, key: &str) -> String {
        join(self.path, key)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A foreign key, short enough for a message and without control characters.
pub(crate) fn excerpt(key: &str) -> String {
    let short: String = key.chars().filter(|c| !c.is_control()).take(60).collect();
    if short.len() == key.len() { short } else { format!("{short}…") }
}

/// The known word that a person most likely meant, where one is near.
#[must_use]
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    known
        .iter()
        // Two words are no nearer than their lengths, and a comparison holds the product of these in memory.
        .filter(|candidate| length.abs_diff(candidate.len()) <= farthest(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= farthest(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many typing errors a word may have to be still taken for the known one.
fn farthest(known: &str) -> usize {
    1 + known.len() / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_strange_one_is_not() {
        let known = ["name", "export", "tags", "includeSeedInOutput"];
        assert_eq!(nearest("exprot", &known), Some("export"));
        assert_eq!(nearest("IncludeSeedinOutputs", &known), Some("includeSeedInOutput"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("tag", &known), Some("tags"));
    }

    #[test]
    fn a_word_that_is_much_longer_is_not_even_compared() {
        // Compared, it would take gigabytes.
        assert_eq!(nearest(&"name".repeat(10_000_000), &["name"]), None);
    }

    #[test]
    fn broken_rules_without_end_are_told_up_to_the_fiftieth_and_counted() {
        let mut violations = Violations::default();
        for index in 0..52 {
            violations.add(&format!("f{index}"), "is wrong");
        }
        assert_eq!(violations.entries().len(), 50);
        assert!(violations.to_string().ends_with("f49: is wrong; and 2 more"), "{violations}");
        assert!(violations.into_result(Some(())).is_err());
    }

    #[test]
    fn a_long_or_hostile_key_is_shortened_in_the_message() {
        assert_eq!(excerpt("a\nb"), "ab…");
        assert_eq!(excerpt(&"k".repeat(100)), format!("{}…", "k".repeat(60)));
        assert_eq!(excerpt("plain"), "plain");
    }
}
