//! What happened: the one thing that the engine and the specification have in common.

use std::fmt;
use std::time::Duration;
use uplinkd::engine::{Settings, Time};
use uplinkd::machine::{Command, Id};

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fact {
    Ready(Id),
    Unready(Id),
    Drain(Id),
    Undrain(Id),
    Order(Command),
    /// The kernel still has the promoted route of an earlier run.
    Adopt(Id),
    /// This round left.
    Sent(Id, u64),
    /// To this round, by this target, after so long.
    Answer(Id, u64, u16, Duration),
    /// This round will have no answer from this target.
    Unreachable(Id, u64, u16),
    /// The kernel has answered: a reason to look again, at what was there already.
    Look,
    /// Nothing but time.
    Tick,
}

/// Everything that has happened, in order.
pub(crate) struct History {
    pub(crate) settings: Settings,
    pub(crate) facts: Vec<(Time, Fact)>,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (1..).zip(&self.facts).try_for_each(|(number, (at, fact))| {
            let number: u32 = number;
            writeln!(f, "{number:4}  {:8.3} s  {fact:?}", at.0.as_secs_f64())
        })
    }
}
