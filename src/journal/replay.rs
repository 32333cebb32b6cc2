//! The same engine over the same inputs: does it decide the same?

use super::{Error, Journal, Line, decided};
use crate::engine::{Engine, Time};
use std::collections::VecDeque;
use std::io::BufRead;

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs that the engine was told.
    pub inputs: u64,
    /// Decisions that were compared.
    pub decisions: u64,
    /// How the journal ends.
    pub ended: Ended,
    /// The first decision that is not the same.
    pub divergence: Option<Divergence>,
}

/// How a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// On purpose.
    Whole,
    /// Between two lines: it is still written, or its daemon was killed.
    Cut,
    /// In the middle of a line.
    Torn,
}

/// A decision that is not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The line of the journal, counted from 1.
    pub line: u64,
    /// What stands there; none if the journal has no decision where the replay has one.
    pub recorded: Option<String>,
    /// What the replay decided; none if nothing.
    pub replayed: Option<String>,
}

/// Replays a journal to its end or to the first difference.
///
/// # Errors
/// A line cannot be read.
pub fn replay<R: BufRead>(mut journal: Journal<R>) -> Result<Replayed, Error> {
    let mut replayed = Replayed { inputs: 0, decisions: 0, ended: Ended::Cut, divergence: None };
    // What the engine has decided and the journal has still to say.
    let mut ahead: VecDeque<String> = VecDeque::new();
    let diverged = |line: u64, recorded: Option<String>, mine: Option<String>| {
        Some(Divergence { line, recorded, replayed: mine })
    };
    while let Some(line) = journal.next_line()? {
        match line {
            Line::Told(at, input) => {
                if let Some(mine) = ahead.pop_front() {
                    replayed.divergence = diverged(journal.line(), None, Some(mine));
                    return Ok(replayed);
                }
                replayed.inputs += 1;
                journal.header.engine.handle(*input, at);
                let line = journal.line();
                ahead = decisions(&mut journal.header.engine, at, line)?;
            }
            Line::Decided(recorded) => {
                let mine = ahead.pop_front();
                if mine.as_ref() != Some(&recorded) {
                    replayed.divergence = diverged(journal.line(), Some(recorded), mine);
                    return Ok(replayed);
                }
                replayed.decisions += 1;
            }
            Line::End => {
                // There is nothing behind it, or that is an error.
                let line = journal.line();
                journal.next_line()?;
                replayed.ended = Ended::Whole;
                replayed.divergence = ahead.pop_front().and_then(|mine| diverged(line, None, Some(mine)));
                return Ok(replayed);
            }
            Line::Torn => {
                replayed.ended = Ended::Torn;
                return Ok(replayed);
            }
        }
    }
    Ok(replayed)
}

fn decisions(engine: &mut Engine, at: Time, line: u64) -> Result<VecDeque<String>, Error> {
    let mut found = VecDeque::new();
    while let Some(action) = engine.poll_action() {
        let text =
            decided(at, &action).map_err(|error| Error::Unreadable { line, why: error.to_string() })?;
        found.extend(text);
    }
    Ok(found)
}
