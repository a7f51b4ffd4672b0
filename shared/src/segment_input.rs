//! The check of a segment's input: JSON Lines of `{"itemId": "…"}` or of `{"itemAttributes": "…"}`, never both in one
//! file, each perhaps with `filterValues`. Each line becomes a segment.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::lines::{Line, LineReader, OddFormats, Records, invalid};

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

    /// Ends the reading. Errors as `InvalidSeed` with what is wrong with the whole.
    pub fn finish(self) -> Result<InputCount, Error> {
        let (queries, _) = self.lines.finish()?;
        match queries.kind {
            Some(kind) => Ok(InputCount { lines: queries.count, kind }),
            None => Err(invalid(&self.place, "has no line: write one {\"itemId\": \"…\"} a line")),
        }
    }
}

#[derive(Default)]
struct Queries {
    kind: Option<InputKind>,
    count: u64,
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
        reader.finish().map_err(|error| error.message)
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
