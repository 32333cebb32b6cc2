//! Everything the engine can ask for.

use super::report::{Notice, Transition};
use super::route::Op;
use super::settings::{Family, Flows};
use crate::machine::Id;
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// One wish; the driver that carries it out decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Read the kernel's state of one family; answered by `Input::Dumped` or `Input::DumpFailed`.
    Dump(Family),
    /// Carry these out in order; answered by `Input::Applied`.
    Apply {
        /// Whose plan.
        family: Family,
        /// Which plan.
        generation: u64,
        /// What to do.
        ops: Vec<Op>,
    },
    /// Forget the connections that were translated to one of these addresses: their uplink no longer carries them.
    Flush {
        /// Family of the addresses.
        family: Family,
        /// Of the uplinks that traffic has left.
        addresses: Vec<IpAddr>,
        /// Which of them.
        flows: Flows,
    },
    /// Ask the kernel for the state of one link; answered by `Input::Link`, or `Input::LinkGone`.
    AskLink(u32),
    /// Open a prober.
    Watch {
        /// For this uplink.
        uplink: Id,
        /// And this family.
        family: Family,
        /// Bound to this interface.
        interface: String,
        /// Which has this index.
        index: u32,
    },
    /// Close it.
    Unwatch {
        /// Of this uplink.
        uplink: Id,
        /// And this family.
        family: Family,
    },
    /// Send one probe to each of these; answered by `Input::Probe`.
    Probe {
        /// By this uplink.
        uplink: Id,
        /// Family of the targets.
        family: Family,
        /// The round that the answers will name.
        round: u64,
        /// Index and address of each target.
        targets: Vec<(u16, IpAddr)>,
    },
    /// Tell the world what was decided.
    Announce(Transition),
    /// Tell a person what he should look at.
    Notice(Notice),
    /// All is done: the daemon may end.
    Done {
        /// So many of the last operations were refused: something of ours is left in the kernel.
        refused: usize,
    },
}
