//! Routes, rules and operations in the words of `ip`, which a person can check against what the kernel shows.

use super::world::{World, ip};
use crate::engine::Family;
use crate::engine::route::{Hop, How, Kind, MAIN_TABLE, Names, Op, Prefix, Route, Rule};

fn names() -> Names {
    [(10, "eth0".to_owned()), (11, "eth1".to_owned())].into()
}

fn rule() -> Rule {
    Rule {
        family: Family::V4,
        priority: 7700,
        from: None,
        oif: None,
        mark: None,
        table: 7700,
        suppress_prefixlength: None,
        protocol: 117,
        strange: false,
    }
}

#[test]
fn a_prefix_holds_the_addresses_of_its_network_and_of_its_family() {
    let holds =
        |network: &str, length, address: &str| Prefix { address: ip(network), length }.contains(ip(address));
    assert!(holds("192.0.2.0", 24, "192.0.2.255"));
    assert!(!holds("192.0.2.0", 24, "192.0.3.0"));
    assert!(
        holds("192.0.2.10", 25, "192.0.2.127"),
        "the address of an interface has more bits than its network"
    );
    assert!(!holds("192.0.2.10", 25, "192.0.2.128"));
    assert!(holds("192.0.2.10", 32, "192.0.2.10") && !holds("192.0.2.10", 32, "192.0.2.11"));
    assert!(holds("0.0.0.0", 0, "255.255.255.255"));
    assert!(holds("2001:db8::", 32, "2001:db8:ffff::1"));
    assert!(!holds("2001:db8::", 32, "2001:db9::1"));
    assert!(holds("2001:db8::1", 128, "2001:db8::1") && !holds("2001:db8::1", 128, "2001:db8::2"));
    assert!(holds("::", 0, "ffff::1"));
    assert!(
        !holds("::", 0, "192.0.2.1") && !holds("0.0.0.0", 0, "::1"),
        "a family holds nothing of the other"
    );
}

#[test]
fn a_prefix_is_written_like_ip_does() {
    let written = |address: &str, length| Prefix { address: ip(address), length }.to_string();
    assert_eq!(written("0.0.0.0", 0), "default");
    assert_eq!(written("::", 0), "default");
    assert_eq!(written("192.0.2.1", 32), "192.0.2.1");
    assert_eq!(written("2001:db8::1", 128), "2001:db8::1");
    assert_eq!(written("2001:db8::", 32), "2001:db8::/32");
    assert_eq!(written("192.0.2.0", 24), "192.0.2.0/24");
}

#[test]
fn a_route_is_written_like_ip_does() {
    let plain = World::stranger(0, 0);
    let words = |route: &Route| route.words(&names());
    assert_eq!(
        words(&plain),
        "default via 192.0.2.1 dev eth0 proto dhcp",
        "no word for the main table and metric 0"
    );
    let much = Route {
        table: 7700,
        metric: 5,
        protocol: 117,
        source: Some(ip("192.0.2.10")),
        onlink: true,
        ..plain.clone()
    };
    assert_eq!(
        words(&much),
        "default via 192.0.2.1 dev eth0 table 7700 proto 117 src 192.0.2.10 metric 5 onlink"
    );
    let direct = Route { hops: vec![Hop { via: None, index: 99 }], protocol: 4, ..plain };
    assert_eq!(words(&direct), "default dev if99 proto static", "an interface without a name is its number");
    let several =
        Route { hops: [0, 1].map(|id| World::stranger(id, 0).hops[0]).to_vec(), protocol: 3, ..plain };
    assert_eq!(
        words(&several),
        "default nexthop via 192.0.2.1 dev eth0 nexthop via 192.0.3.1 dev eth1 proto boot"
    );
    let nowhere = |kind, protocol| words(&Route { hops: vec![], kind, protocol, ..plain.clone() });
    assert_eq!(nowhere(Kind::Prohibit, 2), "prohibit default proto kernel");
    assert_eq!(nowhere(Kind::Throw, 9), "throw default proto ra");
    assert_eq!(nowhere(Kind::Other(6), 200), "type 6 default proto 200");
}

#[test]
fn a_rule_is_written_like_ip_does() {
    assert_eq!(rule().words(), "priority 7700 from all lookup 7700 proto 117");
    let bound = Rule { oif: Some("eth0".to_owned()), ..rule() };
    assert_eq!(bound.words(), "priority 7700 from all oif eth0 lookup 7700 proto 117");
    let from = Rule { from: Some(Prefix::host(ip("192.0.2.10"))), ..rule() };
    assert_eq!(from.words(), "priority 7700 from 192.0.2.10 lookup 7700 proto 117");
    let marked = |mask| Rule { mark: Some((16, mask)), ..rule() }.words();
    assert_eq!(marked(u32::MAX), "priority 7700 from all fwmark 0x10 lookup 7700 proto 117");
    assert_eq!(marked(0xff), "priority 7700 from all fwmark 0x10/0xff lookup 7700 proto 117");
    let specific = Rule { table: MAIN_TABLE, suppress_prefixlength: Some(0), ..rule() };
    assert_eq!(specific.words(), "priority 7700 from all lookup main suppress_prefixlength 0 proto 117");
}

#[test]
fn an_operation_is_the_command_that_would_do_it() {
    let words = |op: Op| op.words(&names());
    let route = World::stranger(0, 0);
    let six = Route { destination: Prefix::default_route(Family::V6), hops: vec![], ..route };
    let put = |how| words(Op::PutRoute(route.clone(), how));
    assert_eq!(put(How::Add), "ip route add default via 192.0.2.1 dev eth0 proto dhcp");
    assert_eq!(put(How::Prepend), "ip route prepend default via 192.0.2.1 dev eth0 proto dhcp");
    assert_eq!(put(How::Replace), "ip route replace default via 192.0.2.1 dev eth0 proto dhcp");
    assert_eq!(words(Op::DeleteRoute(six)), "ip -6 route del default proto dhcp");
    assert_eq!(words(Op::AddRule(rule())), "ip rule add priority 7700 from all lookup 7700 proto 117");
    let six = Rule { family: Family::V6, ..rule() };
    assert_eq!(words(Op::DeleteRule(six)), "ip -6 rule del priority 7700 from all lookup 7700 proto 117");
    let switch = |family, index, on| words(Op::IgnoreLinkdown { family, index, on });
    assert_eq!(switch(Family::V4, 10, true), "sysctl net.ipv4.conf.eth0.ignore_routes_with_linkdown=1");
    assert_eq!(switch(Family::V6, 99, false), "sysctl net.ipv6.conf.if99.ignore_routes_with_linkdown=0");
}
