//! The TOML file: which keys there are, and what each is read as.

mod section;
mod value;

use toml::de::DeTable;

use self::section::{Document, Section};
use self::value::{boolean, duration, integer, text};
use super::draft::{Degraded, Draft, Failover, Journal, Probe, Routing, Uplink};
use super::finding::Complaint;
use super::slot::{Notes, Slot};
use super::suggest::choice;
use super::{address, size, text as words};
use crate::engine::Family;
use crate::engine::settings::{CarrierPoll, Flows, ForeignDefaults, MAX_UPLINKS, OnExit, Profile};

/// Values of `--profile` and `profile`.
pub(super) const PROFILES: [(&str, Profile); 3] =
    [("steady", Profile::Steady), ("fast", Profile::Fast), ("gentle", Profile::Gentle)];
/// Values of `--foreign-defaults` and `foreign_defaults`.
pub(super) const FOREIGN_DEFAULTS: [(&str, ForeignDefaults); 2] =
    [("warn", ForeignDefaults::Warn), ("replace", ForeignDefaults::Replace)];
/// Values of `--on-exit` and `on_exit`.
pub(super) const ON_EXIT: [(&str, OnExit); 2] = [("keep", OnExit::Keep), ("remove", OnExit::Remove)];

/// Reads a whole file; `None` if it is not TOML at all.
pub(super) fn read(source: &str, notes: &Notes) -> Option<Draft> {
    let document = Document::new(source, notes);
    let root = match DeTable::parse(source) {
        Ok(root) => root,
        Err(error) => {
            document.not_toml(&error);
            return None;
        }
    };
    let mut root = Section::root(&document, root.get_ref());
    let draft = Draft {
        uplinks: uplinks(&mut root),
        probe: probe(root.section("probe")),
        failover: failover(root.section("failover")),
        routing: routing(root.section("routing")),
        socket: control(root.section("control")),
        journal: journal(root.section("journal")),
    };
    root.later("destination", "leave it out: all traffic follows [failover]");
    root.close();
    document.report_unknown();
    Some(draft)
}

fn uplinks(root: &mut Section<'_>) -> Slot<Vec<Uplink>> {
    root.tables("uplink", MAX_UPLINKS).convert_tables(|section, origin| {
        let mut uplink = Uplink::new(origin);
        match section {
            Some(section) => uplink_keys(section, &mut uplink),
            None => uplink.interface = Slot::Broken,
        }
        uplink
    })
}

fn uplink_keys(mut s: Section<'_>, uplink: &mut Uplink) {
    uplink.name = s.read("name", |v| words::uplink_name(text(v)?));
    uplink.interface = s.read("interface", |v| words::interface(text(v)?));
    uplink.gateway = s.read("gateway", |v| address::gateway_of(Family::V4, text(v)?));
    uplink.gateway6 = s.read("gateway6", |v| address::gateway_of(Family::V6, text(v)?));
    uplink.tier = s.read("tier", integer);
    uplink.metric = s.read("metric", integer);
    uplink.mark = s.read("mark", value::mark);
    uplink.targets = s.targets("targets");
    s.later("weight", "leave it out: with policy \"failover\" one uplink carries all traffic");
    let _: Slot<()> = s.read("metered", |v| {
        let later = Complaint::not_yet("true", "leave it out, and choose profile \"gentle\" to probe less");
        if boolean(v)? { Err(later) } else { Ok(()) }
    });
    s.close();
}

fn probe(mut s: Section<'_>) -> Probe {
    let probe = Probe {
        profile: s.read("profile", |v| choice(text(v)?, &PROFILES)),
        interval: s.read("interval", duration),
        standby_interval: s.read("standby_interval", duration),
        confirm_interval: s.read("confirm_interval", duration),
        timeout: s.read("timeout", value::timeout),
        timeout_floor: s.read("timeout_floor", duration),
        timeout_ceiling: s.read("timeout_ceiling", duration),
        silence: s.read("silence", duration),
        fall: s.read("fall", integer),
        rise: s.read("rise", integer),
        quorum: s.read("quorum", integer),
        targets: s.targets("targets"),
        degraded: Degraded {
            window: s.read("degraded_window", duration),
            loss_percent: s.read("degraded_loss_percent", integer),
            clear_loss_percent: s.read("clear_loss_percent", integer),
            rtt: s.read("degraded_rtt", duration),
            clear_rtt: s.read("clear_rtt", duration),
        },
    };
    s.close();
    probe
}

fn failover(mut s: Section<'_>) -> Failover {
    let failover = Failover {
        stable_window: s.read("stable_window", duration),
        max_stable_window: s.read("max_stable_window", duration),
        flap_memory: s.read("flap_memory", duration),
        boot_deadline: s.read("boot_deadline", duration),
        leave_degraded: s.read("leave_degraded", boolean),
    };
    s.close();
    failover
}

fn routing(mut s: Section<'_>) -> Routing {
    let routing = Routing {
        promoted_metric: s.read("promoted_metric", integer),
        first_table: s.read("first_table", integer),
        first_priority: s.read("first_priority", integer),
        protocol: s.read("protocol", integer),
        foreign_defaults: s.read("foreign_defaults", |v| choice(text(v)?, &FOREIGN_DEFAULTS)),
        on_exit: s.read("on_exit", |v| choice(text(v)?, &ON_EXIT)),
        flow_flush: s.read("flow_flush", |v| {
            choice(text(v)?, &[("none", None), ("udp", Some(Flows::Udp)), ("all", Some(Flows::All))])
        }),
        kernel_carrier: s.read("kernel_carrier", boolean),
        carrier_poll: s.read("carrier_poll", |v| {
            choice(text(v)?, &[("auto", CarrierPoll::Auto), ("off", CarrierPoll::Off)])
        }),
    };
    // Documented keys of which one value is built: that one is what happens anyway.
    for (key, built, later) in [
        ("policy", "failover", &["balance", "latency"][..]),
        ("ownership", "metric", &["table"]),
        ("backend", "kernel", &["frr"]),
    ] {
        let _: Slot<()> = s.read(key, |v| value::only(text(v)?, built, later));
    }
    s.close();
    routing
}

fn journal(mut s: Section<'_>) -> Journal {
    let journal = Journal {
        origin: s.origin(),
        path: s.read("path", |v| words::absolute_file(text(v)?)),
        max_size: s.read("max_size", |v| size::parse(text(v)?)),
        keep: s.read("keep", integer),
    };
    s.close();
    journal
}

fn control(mut s: Section<'_>) -> Slot<std::path::PathBuf> {
    let socket = s.read("socket", |v| words::absolute_socket(text(v)?));
    s.later("group", "leave it out: root and the daemon's own user may connect");
    s.close();
    socket
}
