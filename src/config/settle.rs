//! The rules: bounds, defaults, and what does not go together.

mod failover;
pub(super) mod journal;
mod probe;
mod routing;
mod timeout;
mod uplinks;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::draft::Draft;
use super::slot::{Notes, Origin, Settled, Slot};
use super::{Control, DEFAULT_SOCKET};
use crate::engine::Settings;
use crate::journal::Disk;

/// What is asked unless the operator names targets: three operators that share nothing, in both families.
const DEFAULT_TARGETS: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)),
    IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)),
    IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888)),
    IpAddr::V6(Ipv6Addr::new(0x2620, 0xfe, 0, 0, 0, 0, 0, 9)),
];

/// Applies every rule; `None` if there is at least one finding that leaves a value open.
pub(super) fn settle(draft: &Draft, notes: &Notes) -> Option<(Settings, Control, Option<Disk>)> {
    let written = match &draft.uplinks {
        Slot::Given(given) => given.value.as_slice(),
        Slot::Absent | Slot::Broken => &[],
    };
    if matches!(draft.uplinks, Slot::Absent)
        || draft.uplinks.given().is_some_and(|given| given.value.is_empty())
    {
        let origin = Origin { key: "uplink".to_owned(), place: None };
        notes.add(
            &origin,
            "is missing: there is no way out",
            "add a table [[uplink]] with the key `interface`",
        );
    }
    let targets = draft.probe.targets.or(DEFAULT_TARGETS.to_vec()).map(|settled| settled.value);
    let routing = routing::settle(&draft.routing, notes);
    let uplinks = uplinks::settle(written, targets.as_deref(), routing.promoted_metric.as_ref(), notes);
    let probe = probe::settle(&draft.probe, written, targets.as_deref(), notes);
    let failover = failover::settle(&draft.failover, notes);
    let socket = draft.socket.or(std::path::PathBuf::from(DEFAULT_SOCKET));
    let journal = journal::settle(&draft.journal, notes);
    // Only now may one that failed hide the others: all of them have spoken.
    let settings =
        Settings { uplinks: uplinks?, probe: probe?, failover: failover?, routing: routing.build()? };
    Some((settings, Control { socket: socket?.value }, journal?))
}

/// Notes that two values contradict each other: at the one that was written, or else at the one that it is compared
/// with. Two defaults never contradict each other.
fn contradiction<A, B>(
    first: &Settled<A>,
    second: &Settled<B>,
    notes: &Notes,
    problem: impl Into<String>,
    remedy: &str,
) {
    if let Some(origin) = first.origin.as_ref().or(second.origin.as_ref()) {
        notes.add(origin, problem, remedy);
    }
}
