//! The finite heart: which uplink carries traffic, and why.
//!
//! Three small machines, written in statig's notation and sealed here, are wired together by [`Core`], one core per
//! address family:
//!
//! ```text
//!   Event ──► health (one per uplink) ──changed / missed──► selector ──switch──► sync ──► Effect
//!                                                              ▲                   ▲
//!                     operator, timers, adoption ──────────────┘     kernel answers┘
//! ```
//!
//! There is no number, address or clock in here: verdicts come in, ids and the names of timers go out. So the alphabet
//! is finite, [`graph::explore`] walks every reachable state of the very code that runs in production, and STATES.md
//! is printed from that walk ([`table`]).

pub mod core;
pub mod effect;
pub mod event;
pub mod graph;
pub mod health;
pub mod selector;
pub mod sync;
pub mod table;

pub use self::core::{Core, Rules, Step, View};
pub use self::effect::Effect;
pub use self::event::{Command, Event, Timer, Timers};
pub use self::health::Health;
pub use self::selector::Selection;
pub use self::sync::Sync;

/// An uplink, by its position in the configuration.
pub type Id = u8;

/// What one event did to one of the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move<S> {
    /// State before.
    pub from: S,
    /// State after.
    pub to: S,
    /// The state or superstate that took the event; `None` when nobody wanted it.
    pub handler: Option<&'static str>,
}
