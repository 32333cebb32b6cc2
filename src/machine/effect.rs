//! What the core asks for: a finite alphabet, in the order in which it is to be done.

use super::{Id, Timer};
use ::core::fmt;

/// One wish of a [`Core`](super::Core).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Start this timer; if it runs already, start it anew.
    Arm(Timer),
    /// Stop this timer.
    Disarm(Timer),
    /// Begin to probe this uplink, with nothing known about it.
    Watch(Id),
    /// Stop probing it.
    Unwatch(Id),
    /// Traffic moves.
    Announce {
        /// The uplink that carried it, as far as the core knew.
        from: Option<Id>,
        /// The uplink that is to carry it; `None` when the operator drained the last one.
        to: Option<Id>,
    },
    /// Work out the desired state and send the kernel what is missing.
    Plan,
    /// Read the kernel's state afresh.
    Dump,
    /// Bring the kernel into the state that `on_exit` asks for, then end.
    Finish,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: &Option<Id>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
        match self {
            Self::Arm(timer) => write!(f, "Arm {timer}"),
            Self::Disarm(timer) => write!(f, "Disarm {timer}"),
            Self::Watch(id) => write!(f, "Watch({id})"),
            Self::Unwatch(id) => write!(f, "Unwatch({id})"),
            Self::Announce { from, to } => write!(f, "Announce({}→{})", name(from), name(to)),
            Self::Plan | Self::Dump | Self::Finish => write!(f, "{self:?}"),
        }
    }
}
