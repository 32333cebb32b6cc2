//! Reading it, from a disk that may have been full and a machine that may have lost its power.

use super::{Header, VERSION};
use crate::engine::{Input, Time};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

/// The longest line that is read: the engine of the most uplinks and targets there can be.
const MAX_LINE_BYTES: u64 = 256 << 20;

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("cannot read the journal: {0}")]
    Io(#[from] io::Error),
    /// It ends before its first line does.
    #[error(
        "the journal ends before its first line does: its daemon was killed before it wrote any\n  help: the older files have the numbers .1, .2 …"
    )]
    Unbegun,
    /// One line.
    #[error("line {line} is not one of a journal: {why}")]
    Unreadable {
        /// Which, counted from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// It is from another version.
    #[error(
        "this journal has version {found}, and this program reads version {VERSION}\n  help: replay it with uplinkd {build}"
    )]
    Version {
        /// Of the journal.
        found: u32,
        /// Of the program that wrote it.
        build: String,
    },
}

/// One line after the first.
#[derive(Debug)]
pub enum Line {
    /// The engine was told this.
    Told(Time, Box<Input>),
    /// It decided this: the line as it stands.
    Decided(String),
    /// The file ends here on purpose.
    End,
    /// The file ends in the middle of a line: power or disk were gone.
    Torn,
}

/// A journal that is being read.
#[derive(Debug)]
pub struct Journal<R = BufReader<File>> {
    reader: R,
    line: u64,
    /// The line that ends it has been read.
    ended: bool,
    /// The first line.
    pub header: Header,
}

/// Any line but the first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: Time,
    r#in: Option<Input>,
    r#do: Option<serde::de::IgnoredAny>,
    end: Option<String>,
}

impl Journal {
    /// Reads the first line of the file.
    ///
    /// # Errors
    /// There is no such file, or it is no journal of this version, or ends before its first line does.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::from_reader(BufReader::new(File::open(path)?))
    }
}

impl<R: BufRead> Journal<R> {
    /// The same from anything.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn from_reader(mut reader: R) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Which {
            journal: u32,
            build: String,
        }
        let Some((text, true)) = line(&mut reader, 1)? else { return Err(Error::Unbegun) };
        let which: Which = serde_json::from_str(&text).map_err(|error| unreadable(1, error))?;
        if which.journal != VERSION {
            return Err(Error::Version { found: which.journal, build: which.build });
        }
        let header: Header = serde_json::from_str(&text).map_err(|error| unreadable(1, error))?;
        header.engine.is_sound().map_err(|why| unreadable(1, why))?;
        Ok(Self { reader, line: 1, ended: false, header })
    }

    /// The number of the line that was read last, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// The next line; none at the end of the file.
    ///
    /// # Errors
    /// It is not one of a journal, or cannot be read.
    pub fn next_line(&mut self) -> Result<Option<Line>, Error> {
        self.line += 1;
        let Some((text, whole)) = line(&mut self.reader, self.line)? else { return Ok(None) };
        if self.ended {
            let why = "the journal has ended before it\n  help: older files have the numbers .1, .2 …, and each is replayed by itself";
            return Err(unreadable(self.line, why));
        }
        if !whole {
            return Ok(Some(Line::Torn));
        }
        let entry: Entry = serde_json::from_str(&text).map_err(|error| unreadable(self.line, error))?;
        match entry {
            Entry { at, r#in: Some(input), r#do: None, end: None } => {
                Ok(Some(Line::Told(at, Box::new(input))))
            }
            Entry { r#in: None, r#do: Some(_), end: None, .. } => Ok(Some(Line::Decided(text))),
            Entry { r#in: None, r#do: None, end: Some(_), .. } => {
                self.ended = true;
                Ok(Some(Line::End))
            }
            Entry { .. } => Err(unreadable(self.line, "it has neither `in` nor `do` nor `end`, or several")),
        }
    }
}

fn unreadable(line: u64, why: impl std::fmt::Display) -> Error {
    Error::Unreadable { line, why: why.to_string() }
}

/// One line without its end, and whether it had one.
fn line(reader: &mut impl BufRead, number: u64) -> Result<Option<(String, bool)>, Error> {
    let mut bytes = vec![];
    let read = reader.take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)?;
    if read == 0 {
        return Ok(None);
    }
    if read as u64 == MAX_LINE_BYTES {
        return Err(unreadable(number, format!("it is longer than {MAX_LINE_BYTES} bytes")));
    }
    let whole = bytes.pop_if(|byte| *byte == b'\n').is_some();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some((text, whole))),
        Err(_) if !whole => Ok(Some((String::new(), false))),
        Err(error) => Err(unreadable(number, error)),
    }
}
