//! `[routing]`.

use super::super::draft;
use super::super::finding::Complaint;
use super::super::slot::{Notes, Settled};
use crate::engine::settings::{CarrierPoll, Flows, ForeignDefaults, MAX_UPLINKS, OnExit, Routing};

/// Tables that are ours, from the first on: one per uplink and a reserve, so that the range may stand in documents.
const TABLES: u32 = 100;
const _: () = assert!(TABLES as usize >= MAX_UPLINKS);
/// Tables that are the kernel's own: unspec, default, main, local.
const KERNEL_TABLES: [u32; 4] = [0, 253, 254, 255];

/// Rule priorities that are ours, from the first on: a few per uplink.
const PRIORITIES: u32 = 300;
const _: () = assert!(PRIORITIES as usize > 4 * MAX_UPLINKS);
/// The rule that looks up main; ours must all come before it.
const MAIN_PRIORITY: u32 = 32766;
/// Leaves room above ours for rules that someone wants between ours and main.
const MAX_FIRST_PRIORITY: u32 = 32000;
const _: () = assert!(MAX_FIRST_PRIORITY + PRIORITIES < MAIN_PRIORITY);

/// Values of `rtm_protocol` that are somebody's (linux/rtnetlink.h): taking one means sharing the routes with them.
const FOREIGN_PROTOCOLS: [(u8, &str); 22] = [
    (2, "the kernel"),
    (3, "the boot scripts"),
    (4, "the administrator (static)"),
    (8, "gated"),
    (9, "router advertisements"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "netsukuku"),
    (16, "DHCP clients"),
    (17, "mrouted"),
    (18, "keepalived"),
    (42, "babel"),
    (84, "ovn"),
    (99, "openr"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// The values, each on its own: the promoted metric is compared with the uplinks' even if another is broken.
pub(super) struct Settling {
    pub(super) promoted_metric: Option<Settled<u32>>,
    first_table: Option<Settled<u32>>,
    first_priority: Option<Settled<u32>>,
    protocol: Option<Settled<u8>>,
    foreign_defaults: Option<Settled<ForeignDefaults>>,
    on_exit: Option<Settled<OnExit>>,
    flow_flush: Option<Settled<Option<Flows>>>,
    kernel_carrier: Option<Settled<bool>>,
    carrier_poll: Option<Settled<CarrierPoll>>,
}

pub(super) fn settle(draft: &draft::Routing, notes: &Notes) -> Settling {
    let default = Routing::default();
    // The kernel replaces the metric 0 of an IPv6 route by 1024; and something must remain above the highest.
    let promoted_metric = draft.promoted_metric.number(
        notes,
        &(1..=u32::MAX - 1),
        "it must be below the metric of every uplink",
    );
    let why = format!("{TABLES} tables from there on are ours");
    let first_table = draft
        .first_table
        .number(notes, &(1..=u32::MAX - (TABLES - 1)), &why)
        .convert(notes, |first| free_tables(*first));
    let why = format!("{PRIORITIES} rules from there on are ours, all of them before the rule for main");
    let first_priority = draft.first_priority.number(notes, &(1..=MAX_FIRST_PRIORITY), &why);
    let protocol = draft
        .protocol
        .number(notes, &(5..=u8::MAX), "it is how our routes are told from those of others")
        .convert(notes, |protocol| free_protocol(*protocol));
    Settling {
        promoted_metric: promoted_metric.or(default.promoted_metric),
        first_table: first_table.or(default.first_table),
        first_priority: first_priority.or(default.first_priority),
        protocol: protocol.or(default.protocol),
        foreign_defaults: draft.foreign_defaults.or(default.foreign_defaults),
        on_exit: draft.on_exit.or(default.on_exit),
        flow_flush: draft.flow_flush.or(default.flow_flush),
        kernel_carrier: draft.kernel_carrier.or(default.kernel_carrier),
        carrier_poll: draft.carrier_poll.or(default.carrier_poll),
    }
}

impl Settling {
    pub(super) fn build(self) -> Option<Routing> {
        Some(Routing {
            promoted_metric: self.promoted_metric?.value,
            first_table: self.first_table?.value,
            first_priority: self.first_priority?.value,
            protocol: self.protocol?.value,
            foreign_defaults: self.foreign_defaults?.value,
            on_exit: self.on_exit?.value,
            flow_flush: self.flow_flush?.value,
            kernel_carrier: self.kernel_carrier?.value,
            carrier_poll: self.carrier_poll?.value,
        })
    }
}

fn free_tables(first: u32) -> Result<u32, Complaint> {
    let last = first.saturating_add(TABLES - 1);
    match KERNEL_TABLES.iter().find(|table| (first..=last).contains(table)) {
        None => Ok(first),
        Some(table) => Err(Complaint::new(
            format!("gives us the tables {first} to {last}, but {table} is the kernel's own"),
            "choose 1 to 153, or 256 and above",
        )),
    }
}

fn free_protocol(protocol: u8) -> Result<u8, Complaint> {
    match FOREIGN_PROTOCOLS.iter().find(|(number, _)| *number == protocol) {
        None => Ok(protocol),
        Some((_, owner)) => Err(Complaint::new(
            format!("{protocol} is the number of {owner}"),
            "choose one that nobody has, such as 117: whatever carries it is removed at will",
        )),
    }
}
