//! From the kernel's messages to facts: pure functions.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kernel's enums grow; what we do not know is not for us"
)]

use crate::engine::Family;
use crate::engine::input::{Address, Input, Link};
use crate::engine::route::{Hop, Kind, Prefix, Route, Rule};
use crate::kernel::socket::Notification;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{AfSpecInet, AfSpecUnspec, LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHopFlags, RouteType, RouteVia,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use std::net::IpAddr;

/// The news in one notification.
#[must_use]
pub fn news(notification: &Notification) -> Vec<Input> {
    match &notification.message {
        RouteNetlinkMessage::NewRoute(route) if notification.replaces => {
            // The first took somebody's place, the other hops of IPv6 are beside it.
            let mut say: fn(Route) -> Input = Input::RouteReplaced;
            route_facts(route)
                .into_iter()
                .map(|route| std::mem::replace(&mut say, Input::Route)(route))
                .collect()
        }
        message => inputs(message),
    }
}

/// The news in one message; none if it is not about what we watch. IPv6 tells several next hops in one route where the
/// kernel has several routes: each is news of its own.
#[must_use]
pub fn inputs(message: &RouteNetlinkMessage) -> Vec<Input> {
    use RouteNetlinkMessage as M;
    match message {
        M::NewLink(link) => link_fact(link).map(Input::Link).into_iter().collect(),
        // A port leaving its bridge is told as the end of a link of the bridge family: it is none.
        M::DelLink(link) if link.header.interface_family != AddressFamily::Unspec => vec![],
        M::DelLink(link) => vec![Input::LinkGone(link.header.index)],
        M::NewAddress(address) => address_fact(address).map(Input::Address).into_iter().collect(),
        M::DelAddress(address) => address_fact(address).map(Input::AddressGone).into_iter().collect(),
        M::NewRoute(route) => route_facts(route).into_iter().map(Input::Route).collect(),
        M::DelRoute(route) => route_facts(route).into_iter().map(Input::RouteGone).collect(),
        M::NewRule(rule) => rule_fact(rule).map(Input::Rule).into_iter().collect(),
        M::DelRule(rule) => rule_fact(rule).map(Input::RuleGone).into_iter().collect(),
        _ => vec![],
    }
}

/// The interface that the answer to a route lookup names.
#[must_use]
pub fn leaves_by(message: &RouteNetlinkMessage) -> Option<u32> {
    let RouteNetlinkMessage::NewRoute(route) = message else { return None };
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}

fn link_fact(message: &LinkMessage) -> Option<Link> {
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let flags = message.header.flags;
    let mut name = None;
    let mut ignore_linkdown = None;
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(found) => name = Some(found.clone()),
            LinkAttribute::AfSpecUnspec(families) => ignore_linkdown = linkdown(families),
            _ => {}
        }
    }
    Some(Link {
        index: message.header.index,
        name: name?,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        point_to_point: flags.contains(LinkFlags::Pointopoint),
        ignore_linkdown,
    })
}

fn linkdown(families: &[AfSpecUnspec]) -> Option<bool> {
    families.iter().find_map(|family| match family {
        AfSpecUnspec::Inet(inet) => inet.iter().find_map(|attribute| match attribute {
            AfSpecInet::DevConf(conf) => Some(conf.ignore_routes_with_linkdown != 0),
            _ => None,
        }),
        _ => None,
    })
}

fn address_fact(message: &AddressMessage) -> Option<Address> {
    let family = family(message.header.family)?;
    let (mut local, mut remote) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => remote = Some(*address),
            _ => {}
        }
    }
    // On a point-to-point link `Address` is the far end; elsewhere it repeats the local one, and IPv6 sends it alone.
    let address = local.or(remote).filter(|address| Family::of(*address) == family)?;
    let unfinished = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    Some(Address {
        index: message.header.index,
        prefix: Prefix { address, length: message.header.prefix_len },
        peer: remote.filter(|remote| *remote != address),
        global: message.header.scope == AddressScope::Universe
            && !message.header.flags.intersects(unfinished),
    })
}

fn route_facts(message: &RouteMessage) -> Vec<Route> {
    let Some(family) = family(message.header.address_family) else { return vec![] };
    if message.header.flags.contains(RouteFlags::Cloned) {
        return vec![];
    }
    let mut route = Route {
        table: u32::from(message.header.table),
        metric: 0,
        destination: Prefix {
            length: message.header.destination_prefix_length,
            ..Prefix::default_route(family)
        },
        kind: kind(message.header.kind),
        hops: vec![],
        protocol: message.header.protocol.into(),
        source: None,
        onlink: message.header.flags.contains(RouteFlags::Onlink),
    };
    let (mut via, mut index) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Destination(address) => {
                route.destination.address = ip(address).unwrap_or(route.destination.address);
            }
            RouteAttribute::PrefSource(address) => route.source = ip(address),
            RouteAttribute::Gateway(address) => via = ip(address),
            RouteAttribute::Via(address) => via = via_ip(address),
            RouteAttribute::Oif(found) => index = Some(*found),
            RouteAttribute::MultiPath(hops) => {
                route.hops = hops.iter().map(|hop| next_hop(hop.interface_index, &hop.attributes)).collect();
                route.onlink |= hops.iter().any(|hop| hop.flags.contains(RouteNextHopFlags::Onlink));
            }
            _ => {}
        }
    }
    // A prohibit of IPv6 names the loopback interface; it leads nowhere all the same.
    if route.kind != Kind::Unicast {
        route.hops.clear();
        return vec![route];
    }
    if let Some(index) = index {
        route.hops.insert(0, Hop { via, index });
    }
    match family {
        Family::V6 if route.hops.len() > 1 => {
            route.hops.iter().map(|hop| Route { hops: vec![*hop], ..route.clone() }).collect()
        }
        Family::V4 | Family::V6 => vec![route],
    }
}

fn next_hop(index: u32, attributes: &[RouteAttribute]) -> Hop {
    let via = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(address) => via_ip(address),
        _ => None,
    });
    Hop { via, index }
}

fn rule_fact(message: &RuleMessage) -> Option<Rule> {
    let family = family(message.header.family)?;
    let mut rule = Rule {
        family,
        priority: 0,
        from: None,
        oif: None,
        mark: None,
        table: u32::from(message.header.table),
        suppress_prefixlength: None,
        protocol: 0,
        strange: message.header.action != RuleAction::ToTable
            || !message.header.flags.is_empty()
            || message.header.tos != 0,
    };
    let (mut mark, mut mask) = (None, u32::MAX);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Table(table) => rule.table = *table,
            RuleAttribute::Source(address) => {
                rule.from = Some(Prefix { address: *address, length: message.header.src_len });
            }
            RuleAttribute::Oifname(name) => rule.oif = Some(name.clone()),
            RuleAttribute::FwMark(found) => mark = Some(*found),
            RuleAttribute::FwMask(found) => mask = *found,
            RuleAttribute::Protocol(protocol) => rule.protocol = (*protocol).into(),
            // All ones: nothing is suppressed.
            RuleAttribute::SuppressPrefixLen(length) => {
                rule.suppress_prefixlength = Some(*length).filter(|length| *length != u32::MAX);
            }
            RuleAttribute::Other(_) => {}
            _ => rule.strange = true,
        }
    }
    rule.mark = mark
        .filter(|mark| (*mark, mask) != (0, 0) && (*mark, mask) != (0, u32::MAX))
        .map(|mark| (mark, mask));
    Some(rule)
}

fn family(family: AddressFamily) -> Option<Family> {
    match family {
        AddressFamily::Inet => Some(Family::V4),
        AddressFamily::Inet6 => Some(Family::V6),
        _ => None,
    }
}

fn kind(kind: RouteType) -> Kind {
    match kind {
        RouteType::Unicast => Kind::Unicast,
        RouteType::Prohibit => Kind::Prohibit,
        RouteType::Throw => Kind::Throw,
        other => Kind::Other(other.into()),
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn via_ip(via: &RouteVia) -> Option<IpAddr> {
    match via {
        RouteVia::Inet(address) => Some(IpAddr::V4(*address)),
        RouteVia::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}
