//! Stories in a small language of their own: what happens to the lines, and what is expected of the daemon.
//!
//! ```text
//! set failover.stable_window = "10s"
//! uplink fiber
//! uplink lte
//!
//! at 10s cut fiber upstream
//! expect active lte by 12s
//! at 30s mend fiber upstream
//! expect no switch until 40s
//! expect active fiber by 45s
//! ```

pub mod parse;
mod run;
pub mod step;

pub use parse::Mistake;
pub use run::{Outcome, apply, run};
pub use step::{Deed, Expect, Part, Step};

use crate::engine::Time;
use core::time::Duration;

/// A story.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// Lines of TOML for the configuration, each on the line on which it stood.
    pub settings: String,
    /// Names of the uplinks, best first; none if the configuration is to name them.
    pub uplinks: Vec<String>,
    /// For each uplink that the story names, what it says of it: lines of TOML.
    pub details: Vec<String>,
    /// What the dice start from.
    pub seed: u64,
    /// What happens, in order of time.
    pub steps: Vec<Timed<Step>>,
    /// What is expected, in order of time.
    pub expectations: Vec<Timed<Expect>>,
    /// How long it takes.
    pub end: Time,
}

/// Something at a moment, and the line where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed<T> {
    /// When; for an expectation about a span, its end.
    pub at: Time,
    /// For an expectation about a span, its beginning: the moment of the statement before unless it says so.
    pub since: Time,
    /// Counted from 1; 0 if it was not written.
    pub line: usize,
    /// What.
    pub what: T,
}

/// Time after the last statement, so that it is seen what it leads to.
const AFTERMATH: Duration = Duration::from_secs(10);

impl Scenario {
    /// How long it takes unless it says so.
    #[must_use]
    pub fn usual_end(&self) -> Time {
        let steps = self.steps.iter().map(|step| step.at + AFTERMATH);
        steps.max().unwrap_or(Time::ZERO + AFTERMATH).max(self.last())
    }

    /// The last moment of which something is told.
    fn last(&self) -> Time {
        let steps = self.steps.iter().map(|step| step.at);
        let expectations = self.expectations.iter().map(|expected| expected.at);
        steps.chain(expectations).max().unwrap_or(Time::ZERO)
    }
}
