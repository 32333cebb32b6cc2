//! Flags give what the file gives, and are refused by their own names.

use core::time::Duration;
use std::path::Path;

use clap::Parser as _;

use super::super::{Config, Flags, Source, from_flags};
use super::accepted;
use crate::engine::settings::{ForeignDefaults, Gateway, OnExit, Profile, Timeout};

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    flags: Flags,
}

fn flags(line: &str) -> Flags {
    let words = core::iter::once("uplinkd").chain(line.split_whitespace());
    Command::try_parse_from(words).expect("clap accepts every text").flags
}

/// The configuration of two uplinks with more flags.
#[track_caller]
pub(super) fn accepted_flags(more: &str) -> Config {
    let line = format!("--primary-interface eth0 --secondary-interface eth1 {more}");
    match from_flags(&flags(&line)) {
        Ok(config) => config,
        Err(findings) => panic!("refused:\n{findings}"),
    }
}

/// The findings about two uplinks with more flags.
#[track_caller]
fn refused_flags(more: &str) -> String {
    let line = format!("--primary-interface eth0 --secondary-interface eth1 {more}");
    from_flags(&flags(&line)).expect_err("accepted").to_string()
}

#[test]
fn two_interfaces_are_a_configuration() {
    let config = accepted_flags("");
    let file = accepted("[[uplink]]\ninterface = \"eth0\"\n[[uplink]]\ninterface = \"eth1\"\n");
    assert_eq!(config.settings, file.settings);
    assert_eq!(config.control, file.control);
    assert_eq!(config.source, Source::Flags);
    let numbers: Vec<_> =
        config.settings.uplinks.iter().map(|u| (u.name.as_str(), u.tier, u.metric)).collect();
    assert_eq!(numbers, [("eth0", 1, 10), ("eth1", 2, 20)]);
}

#[test]
fn every_flag_is_obeyed() {
    let ms = Duration::from_millis;
    let probe = |more: &str| accepted_flags(more).settings.probe;
    assert_eq!(probe("--profile gentle"), Profile::Gentle.probe());
    assert_eq!(probe("--interval 2s").interval, ms(2000));
    assert_eq!(probe("--confirm-interval 100ms").confirm_interval, ms(100));
    assert_eq!(probe("--timeout 300ms").timeout, Timeout::Fixed(ms(300)));
    assert_eq!(probe("--timeout adaptive").timeout, Profile::Steady.probe().timeout);
    assert_eq!(probe("--fall 7").fall, 7);
    assert_eq!(probe("--rise 8").rise, 8);
    assert_eq!(accepted_flags("--stable-window 5m").settings.failover.stable_window, ms(300_000));
    let routing = |more: &str| accepted_flags(more).settings.routing;
    assert_eq!(routing("--foreign-defaults replace").foreign_defaults, ForeignDefaults::Replace);
    assert_eq!(routing("--on-exit remove").on_exit, OnExit::Remove);
    assert!(!routing("--no-kernel-carrier").kernel_carrier);
    assert_eq!(accepted_flags("--control-socket ./x.sock").control.socket, Path::new("./x.sock"));
    let targets = accepted_flags("--ping-target 192.0.2.7 --ping-target icmp://2001:db8::7").settings.uplinks;
    for uplink in targets {
        let shown: Vec<String> = uplink.targets.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.7", "2001:db8::7"]);
    }
}

#[test]
fn a_gateway_is_given_once_per_family() {
    let given = |text: &str| Gateway::Given(text.parse().expect("an address"));
    let config = accepted_flags(
        "--primary-gateway auto --primary-gateway fe80::1 --secondary-gateway 192.0.2.2 --secondary-gateway fe80::2",
    );
    let gateways: Vec<_> = config.settings.uplinks.iter().map(|u| (u.gateway, u.gateway6)).collect();
    assert_eq!(gateways, [(Gateway::Auto, given("fe80::1")), (given("192.0.2.2"), given("fe80::2"))]);
    assert_eq!(
        refused_flags("--primary-gateway 192.0.2.1 --primary-gateway 192.0.2.2"),
        "command line: --primary-gateway: 192.0.2.2 is a second ipv4 gateway\n  \
         help: give it once for IPv4 and once for IPv6"
    );
}

#[test]
fn everything_that_is_wrong_with_the_flags_is_named_at_once() {
    let line = "--primary-interface eth0/1 --primary-gateway 127.0.0.1 --secondary-gateway nowhere \
                --ping-target dns://192.0.2.1 --ping-target 192.0.2.1 --ping-target 192.0.2.1 --profile fsat \
                --interval 1 --confirm-interval 5ms --timeout 20s --fall 0 --rise three --stable-window 2d \
                --foreign-defaults yes --on-exit kep --control-socket /run/";
    insta::assert_snapshot!(from_flags(&flags(line)).expect_err("refused").to_string());
}

#[test]
fn flags_contradict_each_other_by_name() {
    assert_eq!(
        refused_flags("--interval 1s --confirm-interval 2s"),
        "command line: --confirm-interval: 2s is above the interval, 1s (--interval)\n  \
         help: lower it, or raise the interval: a doubt is settled faster than the usual rounds, not slower"
    );
    let same = "--primary-interface eth0 --secondary-interface eth0";
    assert_eq!(
        from_flags(&flags(same)).expect_err("refused").to_string(),
        "command line: --secondary-interface: `eth0` is already an uplink (--primary-interface)\n  \
         help: give each uplink an interface of its own"
    );
}

#[test]
fn both_interfaces_are_needed() {
    let rule = "is missing\n  help: without a file, both interfaces must be named";
    let expected =
        format!("command line: --primary-interface: {rule}\ncommand line: --secondary-interface: {rule}");
    assert_eq!(from_flags(&Flags::default()).expect_err("refused").to_string(), expected);
}

#[test]
fn the_flags_that_were_given_are_known() {
    assert!(flags("").given().is_empty());
    let all = "--primary-interface a --secondary-interface b --primary-gateway c --secondary-gateway d \
               --ping-target e --profile f --interval g --confirm-interval h --timeout i --fall j --rise k \
               --stable-window l --foreign-defaults m --on-exit n --no-kernel-carrier --control-socket o \
               --journal p";
    let expected: Vec<&str> = all.split_whitespace().filter(|word| word.starts_with("--")).collect();
    assert_eq!(flags(all).given(), expected);
}
