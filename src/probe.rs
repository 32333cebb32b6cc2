//! The probe drivers: they send what they are asked to send and tell what came back.
//!
//! A driver holds no policy. It keeps no list of outstanding probes, no timer and no opinion about an uplink: the
//! engine says whom to ask and when, counts what is missing, and recognises duplicates and late answers. What a driver
//! owes the engine is truth: a [`Report::Answer`] is told only for a packet that carries this prober's own keyed cookie,
//! from the address that was asked, on the device of the uplink.
//!
//! ```text
//!  Ask ─► icmp::Prober ─► packet (echo request) ─► burst (one sendmmsg) ─► wire
//!  Report ◄─ verify (cookie, source, device) ◄─ packet ◄─ recvmmsg ◄─ filter (in the kernel) ◄─ wire
//! ```
//!
//! [`Prober`] probes by ICMP echo: one socket per uplink and family, for all its targets. What is decided about bytes
//! (`packet`, `cookie`, `filter`, `verify`) is pure; what touches the kernel is in `socket`, `burst`, `facts`, `clock` and
//! `icmp`.

use core::net::IpAddr;
use core::time::Duration;

mod burst;
mod clock;
mod cookie;
mod facts;
mod filter;
mod icmp;
mod packet;
mod socket;
mod verify;

pub use icmp::{BURST, Prober};

/// One probe to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Which target this is: its index in the uplink's list for this family. It comes back in the [`Report`].
    pub target: u16,
    /// Its address.
    pub address: IpAddr,
}

/// What a driver tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// A genuine answer. Duplicates and late answers are told too.
    Answer {
        /// The round it was asked in.
        round: u64,
        /// The target that answered.
        target: u16,
        /// From the moment of sending to the kernel's receive time stamp. None if the wall clock was set in between,
        /// or if there is no time stamp: then the answer counts and its time does not.
        rtt: Option<Duration>,
    },
    /// Somebody on the way says that a genuine probe of ours will not be answered: a failure with an explanation.
    Unreachable {
        /// The round it was asked in.
        round: u64,
        /// The target that was asked.
        target: u16,
        /// The explanation.
        why: Why,
        /// Who gave it; an address of our own if the next hop does not answer to ARP or neighbour discovery.
        from: IpAddr,
    },
    /// The kernel refused to send the probe.
    NotSent {
        /// The round it belongs to.
        round: u64,
        /// The target it was for.
        target: u16,
        /// Why: ENETUNREACH, ENODEV, EPERM, EACCES, ENOBUFS, ENETDOWN …; EAFNOSUPPORT for an address of the other
        /// family.
        errno: i32,
    },
    /// The kernel threw away packets because our receive buffer was full: missing answers may be ours.
    Overflow {
        /// How many since the last report; never 0. A full raw socket drops before it filters, so not all of them need
        /// have been answers to us.
        dropped: u32,
    },
}

/// What an ICMP error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// No way to the network, host or address.
    Unreachable,
    /// A filter or policy forbids it.
    Prohibited,
    /// The hop limit ran out: most often a routing loop.
    TimeExceeded,
    /// Any other reason for "destination unreachable".
    Other,
}

/// Counts of what came in and changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// It bears our ICMP id, and its cookie, sequence, source or device is wrong: somebody else's by chance, or a
    /// forgery.
    pub forged: u64,
    /// It bears our ICMP id and ends before the cookie does. Routers that quote only eight bytes of the offending
    /// packet send such errors.
    pub truncated: u64,
    /// Not about a probe of ours.
    pub foreign: u64,
}

/// How a prober reaches the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Raw ICMP socket (CAP_NET_RAW).
    Raw,
    /// ICMP datagram socket, open to the groups in `net.ipv4.ping_group_range`.
    Datagram,
}
