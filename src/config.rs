//! What the operator wrote, as checked values, or everything that is wrong with it.
//!
//! There are two ways in, a TOML file and the flags of `uplinkd run`, and one way through:
//!
//! ```text
//! file  ─┐                 (draft.rs)              (settle/)
//!        ├─ text → value ─► Draft, with origins ─► bounds, defaults, relations ─► Config
//! flags ─┘                   │                      │
//!                            └──────► Findings ◄────┘
//! ```
//!
//! A front end only turns words into values and remembers where each stood; every rule lives in `settle`, once, so
//! that the file and the flags cannot disagree. Nothing stops at the first mistake: a value that is wrong becomes a
//! finding and a `slot::Slot::Broken`, which silences the rules that would compare something with it, so that one
//! mistake is one finding.
//!
//! Defaults that depend on a value which was written give way to it (a slower `interval` slows the standby rounds,
//! too); two values that were both written and contradict each other are refused.

mod address;
mod draft;
mod duration;
mod file;
mod finding;
mod flags;
mod settle;
mod size;
mod slot;
mod suggest;
#[cfg(test)]
mod tests;
mod text;

use core::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

pub use finding::{Finding, Findings, Place};
pub use flags::Flags;

use crate::engine;
use crate::journal::Disk;
use finding::Complaint;
use slot::Notes;

/// Where the control socket is unless configured otherwise.
pub const DEFAULT_SOCKET: &str = "/run/uplinkd/control.sock";
/// The largest configuration file that is read, in bytes: hundreds of times what [`engine::settings::MAX_UPLINKS`]
/// uplinks need, and small enough that naming a device or a log by mistake fails at once.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// A whole configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What the engine needs.
    pub settings: engine::Settings,
    /// The control socket.
    pub control: Control,
    /// Where the journal goes, if there is to be one.
    pub journal: Option<Disk>,
    /// Where it was written, for messages.
    pub source: Source,
}

/// How the operator reaches the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Path of the Unix socket.
    pub socket: PathBuf,
}

/// Where a configuration was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In this file.
    File(PathBuf),
    /// In the flags of `uplinkd run`.
    Flags,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Flags => f.write_str("command line"),
        }
    }
}

/// Reads a configuration from TOML text; `name` is what messages call it.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the text.
pub fn from_toml(name: &str, text: &str) -> Result<Config, Findings> {
    let notes = Notes::default();
    let draft = file::read(text, &notes);
    // The reader and the rules follow the order of the schema; a person follows the order of the file.
    finish(Source::File(name.into()), draft.as_ref(), notes, |finding| finding.place)
}

/// Reads a configuration from the TOML file at `path`.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the text; a file that cannot be read is one finding.
pub fn from_file(path: &Path) -> Result<Config, Findings> {
    let name = path.display().to_string();
    match read_text(path) {
        Ok(text) => {
            let mut config = from_toml(&name, &text)?;
            config.source = Source::File(path.to_owned());
            Ok(config)
        }
        Err((complaint, place)) => Err(Findings {
            source: name,
            findings: vec![Finding {
                place,
                key: String::new(),
                problem: complaint.problem,
                remedy: complaint.remedy,
            }],
        }),
    }
}

/// Makes a configuration of two uplinks from the flags of `uplinkd run`.
///
/// # Errors
///
/// Everything that is wrong with the flags, in the order of the help.
pub fn from_flags(flags: &Flags) -> Result<Config, Findings> {
    let notes = Notes::default();
    let draft = flags::read(flags, &notes);
    finish(Source::Flags, Some(&draft), notes, |finding| flags.position(&finding.key))
}

/// A journal at this place, of the usual size.
#[must_use]
pub fn journal_at(path: PathBuf) -> Disk {
    settle::journal::at(path)
}

/// Applies the rules to what was read, and sorts what is wrong.
fn finish<K: Ord>(
    source: Source,
    draft: Option<&draft::Draft>,
    notes: Notes,
    order: impl FnMut(&Finding) -> K,
) -> Result<Config, Findings> {
    let settled = draft.and_then(|draft| settle::settle(draft, &notes));
    let mut findings = notes.into_findings();
    match settled {
        Some((settings, control, journal)) if findings.is_empty() => {
            Ok(Config { settings, control, journal, source })
        }
        Some(_) | None => {
            findings.sort_by_key(order);
            Err(Findings { source: source.to_string(), findings })
        }
    }
}

/// The text of the file, or what keeps us from it.
fn read_text(path: &Path) -> Result<String, (Complaint, Option<Place>)> {
    let unreadable = |error: std::io::Error| {
        let remedy = if error.kind() == std::io::ErrorKind::NotFound {
            "create it, or name the file to read with -c"
        } else {
            "make it a file that the user of the daemon may read"
        };
        (Complaint::new(format!("cannot be read: {error}"), remedy), None)
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let problem = format!("is larger than {MAX_FILE_BYTES} bytes");
        return Err((Complaint::new(problem, "name the configuration file, not another one, with -c"), None));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let place = finding::Lines::new(&text).place(valid);
        (Complaint::new("is not UTF-8 text from here on", "save the file as UTF-8"), Some(place))
    })
}
