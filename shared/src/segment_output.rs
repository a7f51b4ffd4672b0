//! What came of a segment job: the lines of its output, their users, and the lines that hold an error instead.
//!
//! A line is `{"input": {…}, "output": {"usersList": ["…"]}, "error": null}`, as recorded, or has `recommendedUsers` in
//! place of `usersList`, as documented. It may name five million users, so it is read event by event, in the memory of one
//! value. A job is ACTIVE even if each of its lines is an error.

use actson::feeder::PushJsonFeeder;
use actson::options::JsonParserOptionsBuilder;
use actson::parser::ParserError;
use actson::{JsonEvent, JsonParser};
use serde::Serialize;

use crate::error::{Error, ErrorName};

/// The most characters of an error that are told.
const TOLD_CHARACTERS: usize = 200;

/// What was found in the output of a segment job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputCount {
    /// Lines, one for each line of the input.
    pub lines: u64,
    /// Users of all segments together; one who is in two counts twice.
    pub users: u64,
    /// Lines that hold an error instead of a segment.
    pub error_lines: u64,
    /// What the first of them says, cut short.
    pub first_error: Option<String>,
}

impl OutputCount {
    /// Adds what was found in another file of the output.
    pub fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.users += other.users;
        self.error_lines += other.error_lines;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    /// Errors as `SegmentFailed` where there is no segment at all.
    pub fn verdict(&self, place: &str) -> Result<(), Error> {
        if self.error_lines < self.lines {
            return Ok(());
        }
        let what = match &self.first_error {
            Some(first) => format!("each of its {} lines is an error, the first: {first}", self.lines),
            None => "it has no line".to_owned(),
        };
        let message = format!(
            "The batch segment job ended, but there is no segment under {place}: {what}. Check that the solution version \
             fits the input (itemId or itemAttributes) and knows what it names."
        );
        Err(Error::new(ErrorName::SegmentFailed, message))
    }
}

/// Reads one file of the output as it comes: [`push`](Self::push) for each piece, then [`finish`](Self::finish).
pub struct OutputReader {
    parser: JsonParser<PushJsonFeeder>,
    count: OutputCount,
    /// Objects and lists that are open.
    depth: usize,
    /// The last name of a field, by its depth; no more than three are looked at.
    fields: [Field; 3],
    /// The name of the list of users in this line.
    users_name: Option<&'static str>,
    error: Option<String>,
    /// Whether there was anything but blanks yet: the parser takes nothing at all for an error.
    has_begun: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Output,
    Users,
    Error,
    Other,
}

impl Default for OutputReader {
    fn default() -> Self {
        let options = JsonParserOptionsBuilder::default().with_streaming(true).build();
        Self {
            parser: JsonParser::new_with_options(PushJsonFeeder::new(), options),
            count: OutputCount::default(),
            depth: 0,
            fields: [Field::Other; 3],
            users_name: None,
            error: None,
            has_begun: false,
        }
    }
}

impl OutputReader {
    /// Reads the next bytes. Errors with why this is no output of a segment job.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        self.has_begun |= !bytes.trim_ascii().is_empty();
        while !bytes.is_empty() {
            let taken = self.parser.feeder.push_bytes(bytes);
            bytes = &bytes[taken..];
            self.read()?;
        }
        Ok(())
    }

    /// Ends the reading. Errors with why this is no output of a segment job.
    pub fn finish(mut self) -> Result<OutputCount, String> {
        self.parser.feeder.done();
        if self.has_begun {
            self.read()?;
        }
        Ok(self.count)
    }

    fn read(&mut self) -> Result<(), String> {
        loop {
            // The parser's error may quote what it read.
            let event = self.parser.next_event().map_err(|error| match error {
                ParserError::NoMoreInput => "is cut short",
                _ => "is no JSON",
            })?;
            match event {
                None | Some(JsonEvent::NeedMoreInput) => return Ok(()),
                Some(event) => self.take(event)?,
            }
        }
    }

    fn take(&mut self, event: JsonEvent) -> Result<(), String> {
        let is_error = self.depth == 1 && self.fields[0] == Field::Error;
        match event {
            JsonEvent::StartObject | JsonEvent::StartArray => {
                if is_error {
                    self.error = Some("an error without a text".to_owned());
                }
                self.depth += 1;
            }
            JsonEvent::EndObject | JsonEvent::EndArray => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.end_line();
                }
            }
            JsonEvent::FieldName => {
                let field = match self.parser.current_str() {
                    Ok("output") => Field::Output,
                    // Documented and recorded name: the first of a line counts, so that no user counts twice.
                    Ok(name @ ("usersList" | "recommendedUsers")) => {
                        let name = if name == "usersList" { "usersList" } else { "recommendedUsers" };
                        if *self.users_name.get_or_insert(name) == name { Field::Users } else { Field::Other }
                    }
                    Ok("error") => Field::Error,
                    _ => Field::Other,
                };
                if let Some(last) = self.depth.checked_sub(1).and_then(|depth| self.fields.get_mut(depth)) {
                    *last = field;
                }
            }
            JsonEvent::ValueNull => {}
            _ if is_error => {
                let text = self.parser.current_str().unwrap_or("an error without a text");
                self.error = Some(text.chars().take(TOLD_CHARACTERS).collect());
            }
            JsonEvent::ValueString if self.depth == 3 && self.fields[..2] == [Field::Output, Field::Users] => {
                self.count.users += 1;
            }
            _ if self.depth == 0 => return Err("has a line that is no JSON object".to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn end_line(&mut self) {
        self.count.lines += 1;
        self.fields = [Field::Other; 3];
        self.users_name = None;
        if let Some(error) = self.error.take() {
            self.count.error_lines += 1;
            self.count.first_error.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, piece: usize) -> Result<OutputCount, String> {
        let mut reader = OutputReader::default();
        for piece in text.as_bytes().chunks(piece) {
            reader.push(piece)?;
        }
        reader.finish()
    }

    const OUTPUT: &str = "{\"input\":{\"itemId\":\"1\"},\"output\":{\"usersList\":[\"a\",\"b\\\"\"]},\"error\":null}\n\
        {\"input\":{\"usersList\":[\"x\"]},\"output\":null,\"error\":\"Item 2 is not known.\"}\n\
        {\"error\":{\"usersList\":[\"y\"]},\"output\":{\"recommended\":{\"usersList\":[\"z\"]}}}\n\
        {\"output\":{\"usersList\":[]}}";

    #[test]
    fn a_line_with_both_lists_of_users_counts_one() {
        let both = r#"{"output":{"usersList":["a","b"],"recommendedUsers":["a","b"]}}"#;
        assert_eq!(read(&format!("{both}\n{both}"), 7).unwrap().users, 4);
    }

    #[test]
    fn lines_users_and_errors_are_counted_however_the_file_comes() {
        let wanted =
            OutputCount { lines: 4, users: 2, error_lines: 2, first_error: Some("Item 2 is not known.".into()) };
        for piece in [1, 2, 7, 1000] {
            assert_eq!(read(OUTPUT, piece).unwrap(), wanted, "{piece}");
        }
        assert_eq!(read("", 1).unwrap(), OutputCount::default());
        assert_eq!(read("\n \n", 1).unwrap(), OutputCount::default());
    }

    #[test]
    fn the_documented_and_the_recorded_user_lists_count_alike() {
        for field in ["recommendedUsers", "usersList"] {
            let text = format!(
                "{{\"input\": {{\"itemId\": \"105\"}}, \"output\": {{\"{field}\": [\"4\", \"37\", \"112\"]}}}}\n\
                 {{\"input\": {{\"itemId\": \"106\"}}, \"output\": {{\"{field}\": [\"4\", \"37\"]}}, \"error\": null}}\n"
            );
            assert_eq!(
                read(&text, 7).unwrap(),
                OutputCount { lines: 2, users: 5, ..OutputCount::default() },
                "{field}"
            );
        }
    }

    #[test]
    fn a_line_of_a_million_users_is_read_in_little_memory() {
        let users = "\"user-0000001\",".repeat(1_000_000);
        let text = format!("{{\"output\":{{\"usersList\":[{}]}}}}\n", users.trim_end_matches(','));
        assert_eq!(read(&text, 4096).unwrap().users, 1_000_000);
    }

    #[test]
    fn what_is_no_output_says_so_without_quoting_it() {
        for (text, why) in [
            ("{\"output\":", "is cut short"),
            ("SECRET", "is no JSON"),
            ("{SECRET}", "is no JSON"),
            ("\"SECRET\"\n", "has a line that is no JSON object"),
        ] {
            assert_eq!(read(text, 3).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn an_error_is_told_cut_short() {
        let text = format!("{{\"error\":\"{}\"}}", "é".repeat(1000));
        assert_eq!(read(&text, 5).unwrap().first_error.unwrap().chars().count(), 200);
        assert_eq!(read("{\"error\":[1]}", 5).unwrap().first_error.unwrap(), "an error without a text");
    }

    #[test]
    fn an_output_of_errors_alone_is_no_success() {
        let mut count = read(OUTPUT, 9).unwrap();
        assert!(count.verdict("s3://b/out/").is_ok());
        count.add(OutputCount { lines: 1, users: 5, error_lines: 1, first_error: Some("later".into()) });
        assert_eq!((count.lines, count.users, count.error_lines), (5, 7, 3));
        assert_eq!(count.first_error.as_deref(), Some("Item 2 is not known."));
        count.error_lines = 5;
        let error = count.verdict("s3://b/out/").unwrap_err();
        assert_eq!(error.name, ErrorName::SegmentFailed);
        assert!(error.message.contains("each of its 5 lines is an error, the first: Item 2"), "{error}");
        assert!(OutputCount::default().verdict("s3://b/out/").unwrap_err().message.contains("it has no line"));
    }
}
