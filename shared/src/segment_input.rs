//! The check of a segment's input: JSON Lines of `{"itemId": "…"}` or of `{"itemAttributes": "…"}`, never both in one
//! file, each optionally with `filterValues`. Each line becomes a segment.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorName};
use crate::lines::{Line, LineReader, OddFormats, Records, invalid};
use crate::values::S3Uri;

/// The most warnings about the files of an input: warnings are part of the run's state, whose size is limited.
pub const MAX_FILE_WARNINGS: usize = 10;

/// How many items the pages of Item-Affinity allow; accounts differ, so more is a warning.
const DOCUMENTED_ITEMS: u64 = 500;
/// How many queries the pages of Item-Attribute-Affinity allow; accounts differ, so more is a warning.
const DOCUMENTED_QUERIES: u64 = 10;

/// Personalize reads the input as it is.
const MEND: OddFormats = OddFormats::Refused { way_out: "write it as plain JSON Lines" };

/// What a line of the input names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputKind {
    /// An item: for a solution of Item-Affinity.
    #[serde(rename = "itemId")]
    Item,
    /// Attributes of items: for a solution of Item-Attribute-Affinity.
    #[serde(rename = "itemAttributes")]
    Attributes,
}

impl InputKind {
    fn field(self) -> &'static str {
        match self {
            Self::Item => "itemId",
            Self::Attributes => "itemAttributes",
        }
    }

    /// The kind of input that a recipe reads; `None` if the recipe is not one of the two that make segments.
    fn of_recipe(recipe_arn: &str) -> Option<Self> {
        match recipe_arn.rsplit('/').next() {
            Some("aws-item-affinity") => Some(Self::Item),
            Some("aws-item-attribute-affinity") => Some(Self::Attributes),
            _ => None,
        }
    }

    /// Errors as `InvalidRequest` if the recipe of the solution version reads the other kind of input. A recipe that is
    /// not known is left to the service, which rejects it without cost.
    pub fn check_recipe(self, recipe_arn: &str) -> Result<(), Error> {
        match Self::of_recipe(recipe_arn) {
            Some(kind) if kind != self => {
                let message = format!(
                    "solutionVersionArn: its recipe reads lines of {}, but the input has lines of {}. Name a solution \
                     version with the other recipe, or write the other kind of input.",
                    kind.field(),
                    self.field()
                );
                Err(Error::new(ErrorName::InvalidRequest, message))
            }
            _ => Ok(()),
        }
    }
}

/// Errors as `InvalidSeed` if an object is empty (`_SUCCESS`, `<folder>_$folder$`): Personalize reads every object
/// under the path, and the job fails at one without a line. A size that is not known is accepted.
pub fn check_not_empty(objects: &[(S3Uri, Option<i64>)]) -> Result<(), Error> {
    let mut empty = objects.iter().filter(|(_, size)| *size == Some(0)).map(|(place, _)| place);
    let Some(first) = empty.next() else { return Ok(()) };
    let problem = match (empty.next(), empty.count()) {
        (None, _) => "is empty: remove it".to_owned(),
        (Some(second), 0) => format!("is empty: remove it (and 1 more empty object, {second})"),
        (Some(second), more) => {
            format!("is empty: remove it (and {} more empty objects, the first of them {second})", more + 1)
        }
    };
    Err(invalid(first.as_str(), &problem))
}

/// What was found in a segment's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputCount {
    /// Lines, each of which becomes a segment.
    pub lines: u64,
    /// What they name.
    pub kind: InputKind,
}

impl InputCount {
    /// What the documentation does not allow and an account may.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let documented = match self.kind {
            InputKind::Item => DOCUMENTED_ITEMS,
            InputKind::Attributes => DOCUMENTED_QUERIES,
        };
        (self.lines > documented).then(|| {
            format!(
                "The input has {} lines of {}; Personalize documents at most {documented}, unless your account has more.",
                self.lines,
                self.kind.field()
            )
        })
    }

    /// Both together, as one job reads them. Errors as `InvalidSeed` where they name different things.
    pub fn and(self, other: Self, place: &str) -> Result<Self, Error> {
        if self.kind == other.kind {
            return Ok(Self { lines: self.lines + other.lines, kind: self.kind });
        }
        let problem = format!(
            "has lines of {}, others of the job's input have {}: one job takes one kind",
            other.kind.field(),
            self.kind.field()
        );
        Err(invalid(place, &problem))
    }
}

/// Reads a segment's input as it comes: [`push`](Self::push) for each piece, then [`finish`](Self::finish).
pub struct InputReader {
    place: String,
    lines: LineReader<Queries>,
}

impl InputReader {
    /// A reader of the file that lies at `place`, which messages name.
    #[must_use]
    pub fn new(place: impl Into<String>) -> Self {
        let place = place.into();
        Self { lines: LineReader::new(place.clone(), MEND, Queries::default()), place }
    }

    /// Reads the next bytes. Errors as `InvalidSeed`; then nothing more is to be pushed.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.lines.push(piece)
    }

    /// Ends the reading: returns the count, and a warning about filter values if there is one. Errors as `InvalidSeed`
    /// with what is wrong with the complete file.
    pub fn finish(self) -> Result<(InputCount, Option<String>), Error> {
        let (queries, _) = self.lines.finish()?;
        let Some(kind) = queries.kind else {
            return Err(invalid(&self.place, "has no line: write one {\"itemId\": \"…\"} a line"));
        };
        let warning = queries.first_unquoted.map(|line| {
            format!(
                "{} has words without quotes in filterValues ({} lines, the first is line {line}). Personalize reads words \
                 in quotes only: \"\\\"Comedy\\\",\\\"Drama\\\"\".",
                self.place, queries.unquoted
            )
        });
        Ok((InputCount { lines: queries.count, kind }, warning))
    }
}

#[derive(Default)]
struct Queries {
    kind: Option<InputKind>,
    count: u64,
    /// Lines whose filter values have words without quotes.
    unquoted: u64,
    /// The number of the first of them.
    first_unquoted: Option<u64>,
}

impl Queries {
    fn read_filter_values(&mut self, values: &Value) -> Result<(), &'static str> {
        let Some(values) = values.as_object() else {
            return Err("has filterValues that are not a JSON object");
        };
        let mut is_unquoted = false;
        for value in values.values() {
            let Some(text) = value.as_str() else {
                return Err("has a filter value that is not a string (put it in quotes)");
            };
            is_unquoted |= has_unquoted_word(text)?;
        }
        if is_unquoted {
            self.unquoted += 1;
            // Every good line before this one is counted, and a bad one rejects the file.
            self.first_unquoted.get_or_insert(self.count + 1);
        }
        Ok(())
    }
}

/// Whether a filter value, a list with commas, has a word outside of quotes; numbers need none. A backslash takes the
/// character after it out of the rules. Errors if a quote is not closed.
fn has_unquoted_word(text: &str) -> Result<bool, &'static str> {
    let (mut is_quoted, mut outside) = (false, String::new());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => is_quoted = !is_quoted,
            '\\' => {
                characters.next();
            }
            _ if is_quoted => {}
            _ => outside.push(character),
        }
    }
    if is_quoted {
        return Err("has a filter value with a quote that is not closed");
    }
    let is_number = |item: &str| item.contains(|c: char| c.is_ascii_digit()) && item.parse::<f64>().is_ok();
    Ok(outside.split(',').map(str::trim).any(|item| !item.is_empty() && !is_number(item)))
}

impl Records for Queries {
    const FORM: &'static str = "{\"itemId\": \"…\"} or {\"itemAttributes\": \"…\"}";

    fn read(&mut self, line: &[u8], _: OddFormats) -> Line {
        let fields = match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => fields,
            _ if std::str::from_utf8(line).is_err() => return Line::Bad("is not UTF-8"),
            _ if line.ends_with(b",") => return Line::Bad("ends in a comma"),
            _ => return Line::Bad("is broken JSON"),
        };
        if fields.keys().any(|key| !["itemId", "itemAttributes", "filterValues"].contains(&key.as_str())) {
            return Line::Bad("has other fields than itemId, itemAttributes and filterValues");
        }
        let (kind, text) = match (fields.get("itemId"), fields.get("itemAttributes")) {
            (Some(text), None) => (InputKind::Item, text),
            (None, Some(text)) => (InputKind::Attributes, text),
            (None, None) => return Line::Bad("has neither itemId nor itemAttributes"),
            (Some(_), Some(_)) => return Line::Bad("has both itemId and itemAttributes"),
        };
        match text.as_str() {
            None => return Line::Bad("has a value that is no string (put it in quotes)"),
            Some(text) if text.trim().is_empty() => return Line::Bad("has an empty value"),
            Some(_) => {}
        }
        if let Some(values) = fields.get("filterValues").filter(|values| !values.is_null())
            && let Err(problem) = self.read_filter_values(values)
        {
            return Line::Bad(problem);
        }
        if self.kind.is_some_and(|first| first != kind) {
            return Line::Bad("is of another kind than the first line (one file takes itemId or itemAttributes)");
        }
        self.kind = Some(kind);
        self.count += 1;
        Line::Good
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<InputCount, String> {
        let mut reader = InputReader::new("s3://b/in.jsonl");
        for piece in text.as_bytes().chunks(7) {
            reader.push(piece).map_err(|error| error.message)?;
        }
        reader.finish().map(|(count, _)| count).map_err(|error| error.message)
    }

    fn warning(text: &str) -> Option<String> {
        let mut reader = InputReader::new("s3://b/in.jsonl");
        reader.push(text.as_bytes()).unwrap();
        reader.finish().unwrap().1
    }

    #[test]
    fn items_or_attributes_are_counted() {
        let items = "{\"itemId\":\"105\"}\n{\"itemId\":\"106\",\"filterValues\":{\"GENRE\":\"\\\"a\\\"\"}}";
        assert_eq!(read(items).unwrap(), InputCount { lines: 2, kind: InputKind::Item });
        let attributes = "{\"itemAttributes\":\"ITEMS.genres = \\\"Comedy\\\"\"}\n";
        assert_eq!(read(attributes).unwrap(), InputCount { lines: 1, kind: InputKind::Attributes });
        assert_eq!(
            serde_json::to_string(&read(attributes).unwrap()).unwrap(),
            r#"{"lines":1,"kind":"itemAttributes"}"#
        );
    }

    #[test]
    fn a_bad_line_is_told_by_number_and_reason() {
        let bad = [
            "{\"itemId\":\"1\",\"itemAttributes\":\"x\"}",
            "{\"itemAttributes\":\"x\"}",
            "{\"itemId\":7}",
            "{\"itemId\":\" \"}",
            "{\"item\":\"1\"}",
            "{}",
            "{\"itemId\":\"1\"},",
            "{\"itemId\"",
            "105",
        ];
        assert_eq!(
            read(&format!("{{\"itemId\":\"1\"}}\n{}", bad.join("\n"))).unwrap_err(),
            "s3://b/in.jsonl has 9 bad of 10 lines: line 2 has both itemId and itemAttributes, line 3 is of another kind \
             than the first line (one file takes itemId or itemAttributes), line 4 has a value that is no string (put it \
             in quotes), line 5 has an empty value, line 6 has other fields than itemId, itemAttributes and filterValues, \
             line 7 has neither itemId nor itemAttributes, line 8 ends in a comma, line 9 is broken JSON, line 10 is no \
             JSON object. Write one {\"itemId\": \"…\"} or {\"itemAttributes\": \"…\"} a line and upload it again."
        );
        assert!(read("").unwrap_err().contains("has no line"));
        let mut reader = InputReader::new("s3://b/in.jsonl");
        reader.push(b"{\"itemId\":\"\xff\"}\n").unwrap();
        assert!(reader.finish().unwrap_err().message.contains("line 1 is not UTF-8"));
        assert!(read("{\"itemId\":\"1\"}\r\n").unwrap_err().ends_with("known to read: write it as plain JSON Lines."));
    }

    #[test]
    fn filter_values_that_are_not_quoted_text_are_bad_lines() {
        let text = r#"{"itemId": "105", "filterValues": {"GENRE": "\"Comedy\",\"Drama\""}}
{"itemId": "106", "filterValues": {"GENRE": "Comedy"}}
{"itemId": "107", "filterValues": {"YEAR": 2020}}
{"itemId": "108", "filterValues": ["Comedy"]}
{"itemId": "109", "filterValues": {"COUNTRY": "\"Germany\"\""}}
"#;
        let error = read(text).unwrap_err();
        assert!(
            error.starts_with(
                "s3://b/in.jsonl has 3 bad of 5 lines: line 3 has a filter value that is not a string (put it in quotes), \
                 line 4 has filterValues that are not a JSON object, line 5 has a filter value with a quote that is not \
                 closed. "
            ),
            "{error}"
        );
    }

    #[test]
    fn filter_words_without_quotes_are_a_warning() {
        let quoted = r#"{"itemId": "105", "filterValues": {"GENRE": "\"Comedy\",\"Drama\"", "YEAR": "2020, -1.5"}}"#;
        assert_eq!(warning(quoted), None);
        let word = r#"{"itemId": "106", "filterValues": {"GENRE": "Comedy"}}"#;
        assert_eq!(
            warning(&format!("{quoted}\n{word}\n{quoted}\n{word}")).unwrap(),
            "s3://b/in.jsonl has words without quotes in filterValues (2 lines, the first is line 2). Personalize reads \
             words in quotes only: \"\\\"Comedy\\\",\\\"Drama\\\"\"."
        );
    }

    #[test]
    fn a_word_that_rust_reads_as_a_number_needs_quotes() {
        assert_eq!(has_unquoted_word("Infinity, 3"), Ok(true));
        assert_eq!(has_unquoted_word("2020, -1.5e3"), Ok(false));
    }

    #[test]
    fn an_escaped_quote_does_not_close_a_filter_value() {
        assert_eq!(has_unquoted_word(r#""the \"best\" of""#), Ok(false));
        assert!(has_unquoted_word(r#""the best\""#).is_err());
    }

    #[test]
    fn an_empty_object_is_named() {
        let objects = |keys: &[(&str, i64)]| -> Vec<_> {
            keys.iter().map(|(key, size)| (S3Uri::new("b", key).unwrap(), Some(*size))).collect()
        };
        assert!(check_not_empty(&objects(&[("in/part-0", 36)])).is_ok());
        assert!(check_not_empty(&[(S3Uri::new("b", "in/part-0").unwrap(), None)]).is_ok());
        let message = |keys: &[(&str, i64)]| check_not_empty(&objects(keys)).unwrap_err().message;
        assert_eq!(message(&[("in/_SUCCESS", 0), ("in/part-0", 36)]), "s3://b/in/_SUCCESS is empty: remove it.");
        assert!(message(&[("a", 0), ("b", 0), ("c", 0)]).contains("2 more empty objects, the first of them s3://b/b"));
    }

    #[test]
    fn a_recipe_must_read_the_kind_of_the_input() {
        let item = "arn:aws:personalize:::recipe/aws-item-affinity";
        let attributes = "arn:aws:personalize:::recipe/aws-item-attribute-affinity";
        assert!(InputKind::Item.check_recipe(item).is_ok());
        assert!(InputKind::Attributes.check_recipe(attributes).is_ok());
        assert!(InputKind::Item.check_recipe("arn:aws:personalize:::recipe/aws-something-new").is_ok());
        let error = InputKind::Item.check_recipe(attributes).unwrap_err();
        assert_eq!(error.name, ErrorName::InvalidRequest);
        assert!(error.message.contains("reads lines of itemAttributes, but the input has lines of itemId"), "{error}");
        assert!(InputKind::Attributes.check_recipe(item).is_err());
    }

    #[test]
    fn more_lines_than_documented_are_a_warning() {
        let count = |lines, kind| InputCount { lines, kind }.warning();
        assert_eq!(count(500, InputKind::Item), None);
        assert_eq!(count(10, InputKind::Attributes), None);
        assert_eq!(
            count(501, InputKind::Item).unwrap(),
            "The input has 501 lines of itemId; Personalize documents at most 500, unless your account has more."
        );
        assert!(count(11, InputKind::Attributes).unwrap().contains("at most 10"));
    }

    #[test]
    fn files_of_one_job_are_counted_together_and_must_agree() {
        let items = InputCount { lines: 2, kind: InputKind::Item };
        assert_eq!(items.and(InputCount { lines: 3, ..items }, "s3://b/2").unwrap().lines, 5);
        let error = items.and(InputCount { lines: 1, kind: InputKind::Attributes }, "s3://b/2").unwrap_err();
        assert_eq!(error.name, crate::ErrorName::InvalidSeed);
        assert!(error.message.starts_with("s3://b/2 has lines of itemAttributes"), "{error}");
    }
}
