//! What is wrong, where, and what to do about it.

use core::fmt;

/// A position in a text, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where in the file; `None` for a flag, and for what is missing altogether.
    pub place: Option<Place>,
    /// The key with dots, such as `uplink[1].gateway` (counted from 0), or the flag, such as `--fall`. Empty if it is
    /// the file as a whole.
    pub key: String,
    /// What is wrong; goes on where the key ends.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}\n  help: {}", self.problem, self.remedy)
    }
}

/// Everything that is wrong with one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The file, or `command line`.
    pub source: String,
    /// At least one, in the order of the text.
    pub findings: Vec<Finding>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.source)?;
            if let Some(Place { line, column }) = finding.place {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": {finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

/// A finding before it is known where: what a conversion from text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Complaint {
    pub(super) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }

    /// Something that a later release will understand.
    pub(super) fn not_yet(what: impl fmt::Display, remedy: impl Into<String>) -> Self {
        Self::new(format!("{what} is not supported yet"), remedy)
    }
}

/// Longest piece of the operator's text that a message repeats, in characters: enough to recognise it by.
const MAX_QUOTE: usize = 60;

/// The operator's text inside a message: short, on one line, and unable to steer the terminal.
pub(super) fn quote(text: &str) -> String {
    format!("`{}`", excerpt(text))
}

/// As [`quote`], without the marks around it.
pub(super) fn excerpt(text: &str) -> String {
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == MAX_QUOTE {
            out.push('…');
            break;
        }
        // Direction marks and the like are not control characters, but turn the line around as well.
        if character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Turns byte offsets into places.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// Offset of the first byte of each line.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let starts = core::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The place of the byte at `offset`; an offset past the end is the end.
    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.as_bytes().get(start..offset.min(self.text.len())).unwrap_or(&[]);
        // A character is counted at its first byte, which is not 10xxxxxx.
        let column = before.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() + 1;
        Place { line, column }
    }
}
