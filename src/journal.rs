//! The journal: everything that the engine is told and everything that it decides, one JSON object a line.
//!
//! ```text
//! {"journal":1,"build":"0.1.0","wall":"2026-01-31T12:00:00.000Z","at":…,"engine":{…}}   the engine as it was then
//! {"at":81233000000000,"in":{…}}                                                        what it was told, and when
//! {"at":81233000000000,"do":{"announce":{…}}}                                           what it decided
//! {"at":81240000000000,"end":"full"}                                                    the next file goes on from here
//! ```
//!
//! Times are nanoseconds of the engine's clock. Each file begins with the whole engine, so each can be replayed without
//! those before it: the oldest may be thrown away.

mod read;
mod replay;
#[cfg(test)]
mod tests;
pub mod whatif;
mod write;

pub use read::{Error, Journal, Line};
pub use replay::{Divergence, Ended, Replayed, replay};
pub use write::{Disk, Writer};

use crate::engine::{Action, Engine, Input, Time};
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub journal: u32,
    /// The version of the program that wrote it.
    pub build: String,
    /// The wall clock at `at`, RFC 3339.
    pub wall: String,
    /// The engine's clock.
    pub at: Time,
    /// The engine as it was.
    pub engine: Engine,
}

/// Borrowed parts of a [`Header`].
#[derive(Serialize)]
struct Beginning<'a> {
    journal: u32,
    build: &'a str,
    wall: &'a str,
    at: Time,
    engine: &'a Engine,
}

/// The first line, without its end.
///
/// # Errors
/// The engine holds something that JSON cannot express; it does not.
pub fn beginning(engine: &Engine, at: Time, wall: &str) -> serde_json::Result<String> {
    let build = env!("CARGO_PKG_VERSION");
    serde_json::to_string(&Beginning { journal: VERSION, build, wall, at, engine })
}

/// What the engine was told.
///
/// # Errors
/// As [`beginning`].
pub fn told(at: Time, input: &Input) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Told<'a> {
        at: Time,
        r#in: &'a Input,
    }
    serde_json::to_string(&Told { at, r#in: input })
}

/// What the engine decided; none if this action is no decision: which probes leave follows from the decisions.
///
/// # Errors
/// As [`beginning`].
pub fn decided(at: Time, action: &Action) -> serde_json::Result<Option<String>> {
    #[derive(Serialize)]
    struct Decided<'a> {
        at: Time,
        r#do: &'a Action,
    }
    match action {
        Action::Announce(_)
        | Action::Apply { .. }
        | Action::Flush { .. }
        | Action::Notice(_)
        | Action::Done { .. } => serde_json::to_string(&Decided { at, r#do: action }).map(Some),
        Action::Dump(_)
        | Action::AskLink(_)
        | Action::Watch { .. }
        | Action::Unwatch { .. }
        | Action::Probe { .. } => Ok(None),
    }
}
