//! Writing it: bounded on the disk, and never in the daemon's way.

use super::{beginning, decided, told};
use crate::engine::{Action, Engine, Input, Time};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After a failure, so long until it is tried again.
const REST: Duration = Duration::from_secs(60);
/// A file holds at least this many times its first line, which is the whole engine and may be large.
const TIMES_THE_BEGINNING: u64 = 4;

/// Where it goes and how much of it there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The file that is written; older ones have `.1`, `.2` … behind the name.
    pub path: PathBuf,
    /// A file that is larger than this is followed by the next, bytes.
    pub max_size: u64,
    /// So many files, with the one that is written.
    pub keep: u16,
}

/// Writes the journal. What goes wrong is told once and then again only after it has worked in between.
#[derive(Debug)]
pub struct Writer {
    disk: Disk,
    state: State,
    buffer: Vec<u8>,
    told: bool,
}

#[derive(Debug)]
enum State {
    /// No file yet: the next input begins one.
    Fresh,
    Open {
        file: File,
        size: u64,
        beginning: u64,
    },
    /// It failed; not before this moment is it tried again. What is in the file is worth keeping, or hardly begun.
    Resting {
        until: Time,
        begun: bool,
    },
}

impl Writer {
    /// A journal there; what an earlier run has left is kept as an older file.
    ///
    /// # Errors
    /// The path cannot be used: a folder that does not exist, or that may not be written. A full disk is no error.
    pub fn open(disk: Disk) -> io::Result<Self> {
        let mut writer = Self { disk, state: State::Fresh, buffer: vec![], told: false };
        writer.check()?;
        Ok(writer)
    }

    /// What would be wrong for good is said before anything is touched.
    fn check(&mut self) -> io::Result<()> {
        // Older files are renamed: of a device that would be the end.
        let known = match fs::metadata(&self.disk.path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is there, and no file"));
            }
            found => found.is_ok(),
        };
        match OpenOptions::new().append(true).create(true).mode(0o640).open(&self.disk.path) {
            Ok(_) if known => Ok(()),
            // It is made again with its first line.
            Ok(_) => fs::remove_file(&self.disk.path),
            Err(error) if is_full(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The engine is about to be told something, and has nothing left to say.
    ///
    /// # Errors
    /// It could not be written, for the first time.
    pub fn told(
        &mut self,
        engine: &Engine,
        input: &Input,
        at: Time,
        wall: impl FnOnce() -> String,
    ) -> io::Result<()> {
        self.attempt(at, |writer| {
            writer.ready(engine, at, wall)?;
            writer.line(told(at, input))
        })
    }

    /// The engine wants something. What it wants before it is first told anything is behind it when the file begins.
    ///
    /// # Errors
    /// It could not be written, for the first time.
    pub fn wants(&mut self, action: &Action, at: Time) -> io::Result<()> {
        self.attempt(at, |writer| match decided(at, action) {
            Ok(None) => Ok(()),
            Ok(Some(line)) => writer.line(Ok(line)),
            Err(error) => Err(error.into()),
        })
    }

    /// Everything so far reaches the file.
    ///
    /// # Errors
    /// It could not be written, for the first time.
    pub fn flush(&mut self, at: Time) -> io::Result<()> {
        self.attempt(at, Self::write_out)
    }

    /// The engine has ended.
    ///
    /// # Errors
    /// It could not be written.
    pub fn end(&mut self, at: Time) -> io::Result<()> {
        self.attempt(at, |writer| {
            writer.closing("done", at)?;
            writer.write_out()
        })
    }

    /// Does something unless it rests, and rests after a failure.
    fn attempt(&mut self, at: Time, act: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        if matches!(self.state, State::Resting { until, .. } if at < until) {
            return Ok(());
        }
        match act(self) {
            Ok(()) => Ok(()),
            Err(error) => {
                // A file with a hole in it cannot be replayed: the next one begins anew.
                self.buffer.clear();
                // On a disk that stays full each attempt would otherwise cost an older file.
                let begun = match self.state {
                    State::Fresh => false,
                    State::Open { size, beginning, .. } => size < beginning * TIMES_THE_BEGINNING,
                    State::Resting { begun, .. } => begun,
                };
                self.state = State::Resting { until: at + REST, begun };
                if std::mem::replace(&mut self.told, true) { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Sees to it that there is a file with room.
    fn ready(&mut self, engine: &Engine, at: Time, wall: impl FnOnce() -> String) -> io::Result<()> {
        if let State::Open { size, beginning, .. } = self.state {
            if size < self.disk.max_size.max(beginning.saturating_mul(TIMES_THE_BEGINNING)) {
                return Ok(());
            }
            self.closing("full", at)?;
            self.write_out()?;
        }
        // Nothing older moves before there is something new.
        let fresh = beside(&self.disk.path, "new");
        let first = beginning(engine, at, &wall())? + "\n";
        let file = begin(&fresh, &first).inspect_err(|_| drop(fs::remove_file(&fresh)))?;
        if !matches!(self.state, State::Resting { begun: true, .. }) {
            self.rotate()?;
        }
        fs::rename(fresh, &self.disk.path)?;
        let size = first.len() as u64;
        self.state = State::Open { file, size, beginning: size };
        Ok(())
    }

    /// `journal` becomes `journal.1`, that one `journal.2`, and the last one goes.
    fn rotate(&self) -> io::Result<()> {
        let last = self.disk.keep.saturating_sub(1);
        let missing_is_fine = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        };
        for number in (0..=last).rev() {
            let from = numbered(&self.disk.path, number);
            missing_is_fine(if number == last {
                fs::remove_file(from)
            } else {
                fs::rename(from, numbered(&self.disk.path, number + 1))
            })?;
        }
        Ok(())
    }

    fn closing(&mut self, why: &str, at: Time) -> io::Result<()> {
        self.line(serde_json::to_string(&serde_json::json!({"at": at, "end": why})))
    }

    fn line(&mut self, line: serde_json::Result<String>) -> io::Result<()> {
        let line = line?;
        if let State::Open { size, .. } = &mut self.state {
            *size += line.len() as u64 + 1;
            self.buffer.extend_from_slice(line.as_bytes());
            self.buffer.push(b'\n');
        }
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        if let State::Open { file, .. } = &mut self.state
            && !self.buffer.is_empty()
        {
            file.write_all(&self.buffer)?;
            self.buffer.clear();
            self.told = false;
        }
        Ok(())
    }
}

fn begin(path: &Path, first: &str) -> io::Result<File> {
    // One that a crash has left is of no use.
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().create_new(true).append(true).mode(0o640).open(path)?;
    file.write_all(first.as_bytes())?;
    Ok(file)
}

fn numbered(path: &Path, number: u16) -> PathBuf {
    if number == 0 { path.to_owned() } else { beside(path, &number.to_string()) }
}

/// `journal` and `new` make `journal.new`.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{what}"));
    name.into()
}

/// That may pass.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
