//! Files of one JSON object a line, as people really upload them: streamed, in memory of one line and what its reader
//! keeps, whatever the file's size.
//!
//! A byte-order mark, CRLF, blank lines and gzip are taken where the file is written back clean, and refused where a
//! service reads it as it is. Bad lines are counted and the first of them told by number and reason, never by content.

use std::fmt::Write as _;
use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use crate::error::{Error, ErrorName};

/// The longest line, in bytes: no user id comes near, and one line must not fill the memory.
pub const MOST_LINE_BYTES: usize = 65_536;
/// How many bad lines are told one by one.
const TOLD_BAD_LINES: usize = 10;
/// How many bytes to hand over at once, so that what they unpack to stays small (gzip packs a thousandfold).
pub const PIECE_BYTES: usize = 4_096;

/// What a reader does about formats that the services are not known to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddFormats {
    /// The file is written back clean, so they are taken.
    Taken,
    /// A service reads the file as it is, so they are refused; and where that would not be so.
    Refused {
        /// What to do instead.
        way_out: &'static str,
    },
}

/// What a line turned out to be.
pub(crate) enum Line {
    /// One of the kind that is looked for.
    Good,
    /// None, and why: never with its content.
    Bad(&'static str),
    /// One that makes the whole file useless, and why.
    Stop(String),
}

/// What reads the lines of one kind of file.
pub(crate) trait Records {
    /// A line of it, to show how it is written.
    const FORM: &'static str;

    /// Reads a line that is not blank, without its end. `odd_formats` says whether more fields are taken.
    fn read(&mut self, line: &[u8], odd_formats: OddFormats) -> Line;
}

/// How many lines there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineCount {
    /// Lines without anything.
    pub(crate) blank: u64,
}

/// Reads a file as it comes: [`push`](Self::push) for each piece, then [`finish`](Self::finish).
pub(crate) struct LineReader<R: Records> {
    place: String,
    odd_formats: OddFormats,
    /// The first bytes, until there are enough to tell the format.
    head: Vec<u8>,
    /// What takes the lines, until the format is known.
    records: Option<R>,
    body: Option<Body<R>>,
}

enum Body<R: Records> {
    Plain(Lines<R>),
    Gzip(Box<MultiGzDecoder<Lines<R>>>),
}

impl<R: Records> LineReader<R> {
    /// A reader of the file that lies at `place`, which messages name.
    pub(crate) fn new(place: impl Into<String>, odd_formats: OddFormats, records: R) -> Self {
        Self { place: place.into(), odd_formats, head: Vec::new(), records: Some(records), body: None }
    }

    /// Reads the next bytes, at most [`PIECE_BYTES`]. Errors as `InvalidSeed`; then nothing more is to be pushed.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        if let Some(body) = &mut self.body {
            return body.read(piece).map_err(|problem| invalid(&self.place, &problem));
        }
        self.head.extend_from_slice(piece);
        if self.head.len() >= 4 { self.begin() } else { Ok(()) }
    }

    /// What has taken the lines so far.
    pub(crate) fn records(&mut self) -> Option<&mut R> {
        match &mut self.body {
            Some(Body::Plain(lines)) => Some(&mut lines.records),
            Some(Body::Gzip(decoder)) => Some(&mut decoder.get_mut().records),
            None => self.records.as_mut(),
        }
    }

    /// Ends the reading. Errors as `InvalidSeed` where a line was bad or the file is cut short.
    pub(crate) fn finish(mut self) -> Result<(R, LineCount), Error> {
        if self.body.is_none() {
            self.begin()?;
        }
        let place = self.place;
        let lines = match self.body {
            Some(Body::Plain(lines)) => Ok(lines),
            Some(Body::Gzip(mut decoder)) => {
                let unpacked = decoder.try_finish();
                match decoder.get_mut().stopped.take() {
                    Some(problem) => Err(problem),
                    None => unpacked.and_then(|()| decoder.finish()).map_err(|_| {
                        "is a gzip file that is cut short or damaged: pack and upload it again".to_owned()
                    }),
                }
            }
            None => Err("could not be read: upload it again".to_owned()),
        };
        lines.and_then(Lines::end).map_err(|problem| invalid(&place, &problem))
    }

    /// Tells the format by the first bytes.
    fn begin(&mut self) -> Result<(), Error> {
        let head = std::mem::take(&mut self.head);
        let Some(records) = self.records.take() else { return Ok(()) };
        let lines = Lines::new(self.odd_formats, records);
        let body = match (head.as_slice(), self.odd_formats) {
            ([0x1f, 0x8b, ..], OddFormats::Refused { way_out }) => Err(refused("gzip", way_out)),
            ([0x1f, 0x8b, ..], OddFormats::Taken) => Ok(Body::Gzip(Box::new(MultiGzDecoder::new(lines)))),
            ([0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..], _) => {
                Err("is in UTF-16 or binary: save it as UTF-8".to_owned())
            }
            ([b'[', ..], _) => Err("is a JSON array: write each of its objects on a line of its own".to_owned()),
            ([b'P', b'K', 3, 4, ..], _) => Err("is a zip file: unpack it, or pack it with gzip".to_owned()),
            _ => Ok(Body::Plain(lines)),
        };
        let read = body.and_then(|mut body| {
            body.read(&head)?;
            self.body = Some(body);
            Ok(())
        });
        read.map_err(|problem| invalid(&self.place, &problem))
    }
}

pub(crate) fn invalid(place: &str, problem: &str) -> Error {
    Error::new(ErrorName::InvalidSeed, format!("{place} {problem}."))
}

pub(crate) fn refused(what: &str, way_out: &str) -> String {
    format!("has {what}, which the service is not known to read: {way_out}")
}

impl<R: Records> Body<R> {
    fn read(&mut self, piece: &[u8]) -> Result<(), String> {
        match self {
            Self::Plain(lines) => lines.read(piece),
            Self::Gzip(decoder) => {
                let unpacked = decoder.write_all(piece);
                if let Some(problem) = decoder.get_mut().stopped.take() {
                    return Err(problem);
                }
                unpacked.map_err(|_| "is a damaged gzip file: pack and upload it again".to_owned())
            }
        }
    }
}

/// The lines of a file, counted.
struct Lines<R> {
    odd_formats: OddFormats,
    records: R,
    /// The line that has begun.
    line: Vec<u8>,
    /// Whether the line that has begun is longer than any line may be.
    too_long: bool,
    number: u64,
    count: LineCount,
    bad_count: u64,
    bad: Vec<(u64, &'static str)>,
    /// Why reading stopped, on the far side of the gzip decoder.
    stopped: Option<String>,
}

impl<R: Records> Lines<R> {
    fn new(odd_formats: OddFormats, records: R) -> Self {
        Self {
            odd_formats,
            records,
            line: Vec::new(),
            too_long: false,
            number: 0,
            count: LineCount::default(),
            bad_count: 0,
            bad: Vec::new(),
            stopped: None,
        }
    }

    fn read(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.line.is_empty() && !self.too_long && end <= MOST_LINE_BYTES {
                self.take_line(&bytes[..end])?;
            } else {
                self.begin_line(&bytes[..end]);
                self.end_line()?;
            }
            bytes = &bytes[end + 1..];
        }
        self.begin_line(bytes);
        Ok(())
    }

    /// The end of the file: the last line may have no end of its own.
    fn end(mut self) -> Result<(R, LineCount), String> {
        if !self.line.is_empty() || self.too_long {
            self.end_line()?;
        }
        if self.bad_count == 0 {
            return Ok((self.records, self.count));
        }
        let mut problem = format!("has {} bad of {} lines: ", self.bad_count, self.number);
        for (index, (number, reason)) in self.bad.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(problem, "{comma}line {number} {reason}");
        }
        if self.bad_count > self.bad.len() as u64 {
            problem.push_str(", and more");
        }
        let _ = write!(problem, ". Write one {} a line and upload it again", R::FORM);
        Err(problem)
    }

    fn begin_line(&mut self, bytes: &[u8]) {
        if self.line.len() + bytes.len() > MOST_LINE_BYTES {
            self.too_long = true;
            self.line = Vec::new();
        }
        if !self.too_long {
            self.line.extend_from_slice(bytes);
        }
    }

    /// Ends the line that has begun in an earlier piece.
    fn end_line(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.too_long) {
            self.number += 1;
            return self.note(Line::Bad("is longer than 65536 bytes"));
        }
        let mut line = std::mem::take(&mut self.line);
        let taken = self.take_line(&line);
        line.clear();
        self.line = line;
        taken
    }

    /// Reads a whole line.
    fn take_line(&mut self, line: &[u8]) -> Result<(), String> {
        self.number += 1;
        let read = self.read_line(line)?;
        self.note(read)
    }

    fn note(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Good => Ok(()),
            Line::Stop(problem) => Err(problem),
            Line::Bad(reason) => {
                self.bad_count += 1;
                if self.bad.len() < TOLD_BAD_LINES {
                    self.bad.push((self.number, reason));
                }
                Ok(())
            }
        }
    }

    fn read_line(&mut self, mut line: &[u8]) -> Result<Line, String> {
        // Looked for here and not in the file's first bytes: these may be gzip's.
        if self.number == 1
            && let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf")
        {
            if let OddFormats::Refused { way_out } = self.odd_formats {
                return Err(refused("a byte-order mark", way_out));
            }
            line = rest;
        }
        let trimmed = line.strip_suffix(b"\r").unwrap_or(line);
        let is_blank = trimmed.iter().all(u8::is_ascii_whitespace);
        if let OddFormats::Refused { way_out } = self.odd_formats {
            if trimmed.len() < line.len() {
                return Err(refused(&format!("Windows line ends (line {})", self.number), way_out));
            }
            if is_blank {
                return Err(refused(&format!("a blank line (line {})", self.number), way_out));
            }
        }
        if is_blank {
            self.count.blank += 1;
            return Ok(Line::Good);
        }
        // serde would take an array for a struct, field by field.
        if !trimmed.trim_ascii_start().starts_with(b"{") {
            return Ok(Line::Bad(not_an_object(trimmed)));
        }
        Ok(self.records.read(trimmed, self.odd_formats))
    }
}

/// Why a line that does not begin as an object is none.
fn not_an_object(line: &[u8]) -> &'static str {
    if std::str::from_utf8(line).is_err() {
        "is not UTF-8"
    } else if serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok() {
        "is no JSON object"
    } else if line.trim_ascii_end().ends_with(b",") {
        "ends in a comma"
    } else {
        "is no JSON (CSV and plain lists are not understood)"
    }
}

impl<R: Records> Write for Lines<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.read(bytes).map_err(|problem| {
            self.stopped = Some(problem);
            io::Error::other("stopped")
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
