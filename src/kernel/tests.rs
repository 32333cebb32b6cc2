//! What is encoded is what is decoded.

use super::{decode, encode};
use crate::engine::Family;
use crate::engine::input::Input;
use crate::engine::route::{Hop, How, Kind, Op, Prefix, Route, Rule};
use netlink_packet_core::{
    NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use proptest::prelude::*;
use std::net::IpAddr;

/// Through the very bytes that go over the socket.
fn over_the_wire(message: RouteNetlinkMessage) -> RouteNetlinkMessage {
    let mut message = NetlinkMessage::from(message);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let NetlinkPayload::InnerMessage(message) =
        NetlinkMessage::deserialize(&bytes).expect("our own bytes").payload
    else {
        panic!("not what was sent");
    };
    message
}

fn address(family: Family) -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(move |bits| match family {
        Family::V4 => {
            let [a, b, c, d, ..] = bits.to_be_bytes();
            IpAddr::from([a, b, c, d])
        }
        Family::V6 => IpAddr::from(bits.to_be_bytes()),
    })
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::V4), Just(Family::V6)]
}

fn route() -> impl Strategy<Value = Route> {
    let kind = prop_oneof![Just(Kind::Unicast), Just(Kind::Prohibit), Just(Kind::Throw)];
    (family(), kind, 1_u32..10_000, 0_u32..10_000).prop_flat_map(|(family, kind, table, metric)| {
        let hop =
            (proptest::option::of(address(family)), 1_u32..100).prop_map(|(via, index)| Hop { via, index });
        let source = proptest::option::of(address(family));
        (hop, source, address(family), any::<bool>(), any::<u8>(), any::<bool>()).prop_map(
            move |(hop, source, destination, host, protocol, onlink)| Route {
                table,
                metric,
                destination: if host { Prefix::host(destination) } else { Prefix::default_route(family) },
                kind,
                hops: if kind == Kind::Unicast { vec![hop] } else { vec![] },
                protocol,
                source,
                onlink,
            },
        )
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    (family(), 0_u32..32_000, 1_u32..10_000, any::<u8>()).prop_flat_map(
        |(family, priority, table, protocol)| {
            let from = proptest::option::of(address(family).prop_map(Prefix::host));
            let oif = proptest::option::of("[a-z]{1,15}");
            let mark = proptest::option::of((1_u32.., any::<u32>()));
            (from, oif, mark, proptest::option::of(0_u32..128)).prop_map(
                move |(from, oif, mark, suppress_prefixlength)| Rule {
                    family,
                    priority,
                    from,
                    oif,
                    mark,
                    table,
                    suppress_prefixlength,
                    protocol,
                    strange: false,
                },
            )
        },
    )
}

proptest! {
    #[test]
    fn a_route_survives_the_wire(route in route()) {
        let (message, _) = encode::request(&Op::PutRoute(route.clone(), How::Add));
        prop_assert_eq!(decode::inputs(&over_the_wire(message)), vec![Input::Route(route.clone())]);
        let (message, _) = encode::request(&Op::DeleteRoute(route.clone()));
        prop_assert_eq!(decode::inputs(&over_the_wire(message)), vec![Input::RouteGone(route)]);
    }

    #[test]
    fn a_rule_survives_the_wire(rule in rule()) {
        let (message, _) = encode::request(&Op::AddRule(rule.clone()));
        prop_assert_eq!(decode::inputs(&over_the_wire(message)), vec![Input::Rule(rule.clone())]);
        let (message, _) = encode::request(&Op::DeleteRule(rule.clone()));
        prop_assert_eq!(decode::inputs(&over_the_wire(message)), vec![Input::RuleGone(rule)]);
    }
}

#[test]
fn each_way_of_putting_a_route_has_its_flags() {
    let route = Route {
        table: 254,
        metric: 5,
        destination: Prefix::default_route(Family::V4),
        kind: Kind::Unicast,
        hops: vec![Hop { via: Some(IpAddr::from([192, 0, 2, 1])), index: 3 }],
        protocol: 117,
        source: None,
        onlink: false,
    };
    let flags = |how| encode::request(&Op::PutRoute(route.clone(), how)).1;
    assert_eq!(flags(How::Add), NLM_F_CREATE | NLM_F_EXCL);
    assert_eq!(flags(How::Replace), NLM_F_CREATE | NLM_F_REPLACE);
    assert_eq!(flags(How::Prepend), NLM_F_CREATE);
    assert_eq!(flags(How::Prepend) & NLM_F_APPEND, 0, "ours goes in front");
}

/// `ip link set eth0 …` has no words for it; these are the bytes of IFLA_AF_SPEC → AF_INET → IFLA_INET_CONF → 29 = 0.
#[test]
fn the_carrier_switch_can_be_switched_off() {
    let (message, _) = encode::request(&Op::IgnoreLinkdown { family: Family::V4, index: 7, on: false });
    let mut message = NetlinkMessage::from(message);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let attributes = &bytes[16 + 16..];
    let nested = u16::from_ne_bytes([attributes[2], attributes[3]]) & 0x3fff;
    assert_eq!(nested, 26, "IFLA_AF_SPEC");
    let tail: Vec<u16> =
        attributes[4..].chunks(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]) & 0x3fff).collect();
    assert_eq!(tail, [16, 2, 12, 1, 8, 29, 0, 0], "AF_INET, IFLA_INET_CONF, 29, value 0");
}
