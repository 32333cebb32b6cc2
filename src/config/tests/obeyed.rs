//! Every key reaches the settings.

use crate::journal::Disk;
use core::net::IpAddr;
use core::time::Duration;
use std::path::Path;

use super::super::{DEFAULT_SOCKET, Source};
use super::flags::accepted_flags;
use super::{LEAST, accepted, accepted_with};
use crate::engine::Settings;
use crate::engine::settings::{
    CarrierPoll, Degraded, Failover, Flows, ForeignDefaults, Gateway, OnExit, Probe, Profile, Routing,
    Timeout, Uplink,
};

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Asserts that one line changes the default settings as `change` does, and in nothing else.
#[track_caller]
fn obeys(table: &str, line: &str, change: impl FnOnce(&mut Settings)) {
    let mut expected = accepted(LEAST).settings;
    let before = expected.clone();
    change(&mut expected);
    assert_ne!(expected, before, "the test must change something: {line}");
    assert_eq!(accepted_with(&format!("[{table}]\n{line}\n")).settings, expected, "{line}");
}

/// As [`obeys`], for a key of the one uplink.
#[track_caller]
fn uplink_obeys(line: &str, change: impl FnOnce(&mut Uplink)) {
    let mut expected = accepted(LEAST).settings;
    let before = expected.clone();
    change(&mut expected.uplinks[0]);
    assert_ne!(expected, before, "the test must change something: {line}");
    assert_eq!(accepted_with(line).settings, expected, "{line}");
}

#[test]
fn the_least_file_has_every_default() {
    let config = accepted(LEAST);
    let targets =
        ["1.1.1.1", "8.8.8.8", "9.9.9.9", "2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::9"];
    let uplink = Uplink {
        name: "eth0".to_owned(),
        interface: "eth0".to_owned(),
        gateway: Gateway::Auto,
        gateway6: Gateway::Auto,
        tier: 1,
        metric: 10,
        mark: None,
        targets: targets.map(ip).to_vec(),
    };
    let expected = Settings {
        uplinks: vec![uplink],
        probe: Profile::Steady.probe(),
        failover: Failover::default(),
        routing: Routing::default(),
    };
    assert_eq!(config.settings, expected);
    assert_eq!(config.control.socket, Path::new(DEFAULT_SOCKET));
    assert_eq!(config.source, Source::File("t.toml".into()));
}

#[test]
fn every_key_of_an_uplink_is_obeyed() {
    uplink_obeys("name = \"fiber\"", |u| u.name = "fiber".to_owned());
    uplink_obeys("gateway = \"192.0.2.1\"", |u| u.gateway = Gateway::Given(ip("192.0.2.1")));
    uplink_obeys("gateway6 = \"fe80::1\"", |u| u.gateway6 = Gateway::Given(ip("fe80::1")));
    uplink_obeys("tier = 7", |u| u.tier = 7);
    uplink_obeys("metric = 4_000", |u| u.metric = 4000);
    uplink_obeys("mark = 0x10", |u| u.mark = Some((0x10, u32::MAX)));
    uplink_obeys("mark = \"0x10/0xff\"", |u| u.mark = Some((0x10, 0xff)));
    uplink_obeys("mark = \"16\"", |u| u.mark = Some((16, u32::MAX)));
    uplink_obeys("targets = [\"icmp://192.0.2.9\", \"2001:db8::9\", \"ICMP://[2001:db8::8]\"]", |u| {
        u.targets = vec![ip("192.0.2.9"), ip("2001:db8::9"), ip("2001:db8::8")];
    });
    let config = accepted("[[uplink]]\ninterface = \"wwan0\"\ngateway = \"auto\"\ngateway6 = \"auto\"\n");
    let uplink = &config.settings.uplinks[0];
    assert_eq!(
        (uplink.interface.as_str(), uplink.gateway, uplink.gateway6),
        ("wwan0", Gateway::Auto, Gateway::Auto)
    );
}

#[test]
fn uplinks_are_numbered_by_their_order_in_the_file() {
    let uplinks = accepted(
        "[[uplink]]\ninterface = \"a\"\n[[uplink]]\ninterface = \"b\"\n[[uplink]]\ninterface = \"c\"\n",
    )
    .settings
    .uplinks;
    let numbers: Vec<_> = uplinks.iter().map(|u| (u.name.as_str(), u.tier, u.metric)).collect();
    assert_eq!(numbers, [("a", 1, 10), ("b", 2, 20), ("c", 3, 30)]);
}

#[test]
fn every_key_of_the_probe_is_obeyed() {
    let adaptive = |floor, ceiling, silence| Timeout::Adaptive {
        floor: ms(floor),
        ceiling: ms(ceiling),
        silence: ms(silence),
    };
    obeys("probe", "profile = \"fast\"", |s| s.probe = Profile::Fast.probe());
    obeys("probe", "profile = \"gentle\"", |s| s.probe = Profile::Gentle.probe());
    obeys("probe", "interval = \"2s\"", |s| s.probe.interval = ms(2000));
    obeys("probe", "standby_interval = \"1.5s\"", |s| s.probe.standby_interval = ms(1500));
    obeys("probe", "confirm_interval = \"10ms\"", |s| s.probe.confirm_interval = ms(10));
    obeys("probe", "timeout = \"700ms\"", |s| s.probe.timeout = Timeout::Fixed(ms(700)));
    obeys("probe", "timeout_floor = \"40ms\"", |s| s.probe.timeout = adaptive(40, 1000, 850));
    obeys("probe", "timeout_ceiling = \"2s\"", |s| s.probe.timeout = adaptive(100, 2000, 850));
    obeys("probe", "silence = \"100ms\"", |s| s.probe.timeout = adaptive(100, 1000, 100));
    obeys("probe", "fall = 5", |s| s.probe.fall = 5);
    obeys("probe", "rise = 1000", |s| s.probe.rise = 1000);
    obeys("probe", "quorum = 2", |s| s.probe.quorum = 2);
    obeys("probe", "targets = [\"192.0.2.9\"]", |s| s.uplinks[0].targets = vec![ip("192.0.2.9")]);
    obeys("probe", "degraded_window = \"2m\"", |s| s.probe.degraded.window = ms(120_000));
    obeys("probe", "degraded_loss_percent = 30", |s| s.probe.degraded.loss_percent = 30);
    obeys("probe", "clear_loss_percent = 0", |s| s.probe.degraded.clear_loss_percent = 0);
    obeys("probe", "degraded_rtt = \"800ms\"", |s| s.probe.degraded.rtt = ms(800));
    obeys("probe", "clear_rtt = \"300ms\"", |s| s.probe.degraded.clear_rtt = ms(300));
}

#[test]
fn an_explicit_key_overrides_its_profile() {
    let expected = Probe { fall: 9, standby_interval: ms(500), ..Profile::Fast.probe() };
    let text =
        "[probe]\nfall = 9\nprofile = \"fast\"\nstandby_interval = \"500ms\"\ntimeout = \"adaptive\"\n";
    assert_eq!(accepted_with(text).settings.probe, expected);
}

#[test]
fn an_uplinks_own_targets_replace_those_of_the_probe() {
    let text =
        "targets = [\"192.0.2.1\"]\n[[uplink]]\ninterface = \"b\"\n[probe]\ntargets = [\"192.0.2.2\"]\n";
    let uplinks = accepted_with(text).settings.uplinks;
    assert_eq!(uplinks[0].targets, [ip("192.0.2.1")]);
    assert_eq!(uplinks[1].targets, [ip("192.0.2.2")]);
}

#[test]
fn a_default_gives_way_to_what_was_written() {
    obeys("probe", "interval = \"30s\"", |s| {
        (s.probe.interval, s.probe.standby_interval) = (ms(30_000), ms(30_000));
        // Four rounds.
        s.probe.degraded.window = ms(120_000);
    });
    obeys("probe", "interval = \"100ms\"", |s| {
        (s.probe.interval, s.probe.confirm_interval) = (ms(100), ms(100));
    });
    obeys("probe", "timeout_ceiling = \"50ms\"\ndegraded_rtt = \"50ms\"", |s| {
        s.probe.timeout = Timeout::Adaptive { floor: ms(50), ceiling: ms(50), silence: ms(850) };
        s.probe.degraded = Degraded { rtt: ms(50), clear_rtt: ms(25), ..Degraded::default() };
    });
    obeys("probe", "degraded_loss_percent = 1", |s| {
        (s.probe.degraded.loss_percent, s.probe.degraded.clear_loss_percent) = (1, 0);
    });
    obeys("failover", "stable_window = \"2h\"", |s| {
        (s.failover.stable_window, s.failover.max_stable_window) = (ms(7_200_000), ms(7_200_000));
    });
}

#[test]
fn every_key_of_failover_is_obeyed() {
    obeys("failover", "stable_window = \"0s\"", |s| s.failover.stable_window = Duration::ZERO);
    obeys("failover", "max_stable_window = \"90s\"", |s| s.failover.max_stable_window = ms(90_000));
    obeys("failover", "flap_memory = \"0.5h\"", |s| s.failover.flap_memory = ms(1_800_000));
    obeys("failover", "boot_deadline = \"10m\"", |s| s.failover.boot_deadline = ms(600_000));
    obeys("failover", "leave_degraded = false", |s| s.failover.leave_degraded = false);
}

#[test]
fn every_key_of_routing_is_obeyed() {
    obeys("routing", "promoted_metric = 9", |s| s.routing.promoted_metric = 9);
    obeys("routing", "first_table = 153", |s| s.routing.first_table = 153);
    obeys("routing", "first_table = 256", |s| s.routing.first_table = 256);
    obeys("routing", "first_table = 4294967196", |s| s.routing.first_table = u32::MAX - 99);
    obeys("routing", "first_priority = 32000", |s| s.routing.first_priority = 32000);
    obeys("routing", "protocol = 200", |s| s.routing.protocol = 200);
    obeys("routing", "foreign_defaults = \"replace\"", |s| {
        s.routing.foreign_defaults = ForeignDefaults::Replace;
    });
    obeys("routing", "on_exit = \"remove\"", |s| s.routing.on_exit = OnExit::Remove);
    obeys("routing", "flow_flush = \"none\"", |s| s.routing.flow_flush = None);
    obeys("routing", "flow_flush = \"all\"", |s| s.routing.flow_flush = Some(Flows::All));
    obeys("routing", "kernel_carrier = false", |s| s.routing.kernel_carrier = false);
    obeys("routing", "carrier_poll = \"off\"", |s| s.routing.carrier_poll = CarrierPoll::Off);
}

#[test]
fn the_socket_is_obeyed() {
    let config = accepted_with("[control]\nsocket = \"/tmp/x.sock\"\n");
    assert_eq!(config.control.socket, Path::new("/tmp/x.sock"));
}

#[test]
fn the_journal_is_obeyed() {
    assert_eq!(accepted(LEAST).journal, None);
    let disk = |path: &str, max_size, keep| Some(Disk { path: path.into(), max_size, keep });
    let journal = |keys: &str| accepted_with(&format!("[journal]\n{keys}\n")).journal;
    assert_eq!(journal("path = \"/tmp/j\""), disk("/tmp/j", 16 << 20, 4));
    let keys = "path = \"/tmp/j\"\nmax_size = \"512KiB\"\nkeep = 9";
    assert_eq!(journal(keys), disk("/tmp/j", 512 << 10, 9));
    assert_eq!(accepted_flags("--journal ./j").journal, disk("./j", 16 << 20, 4));
}

#[test]
fn what_happens_anyway_may_be_written() {
    let text = "metered = false\n[routing]\npolicy = \"failover\"\nownership = \"metric\"\nflow_flush = \"udp\"\n\
                backend = \"kernel\"\nforeign_defaults = \"warn\"\non_exit = \"keep\"\ncarrier_poll = \"auto\"\n\
                [probe]\nprofile = \"steady\"\ntimeout = \"adaptive\"\n";
    assert_eq!(accepted_with(text), accepted(LEAST));
}
