//! From operations to the kernel's messages: pure functions.

use crate::engine::Family;
use crate::engine::route::{How, Kind, Op, Prefix, Route, Rule};
use netlink_packet_core::DefaultNla;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{AfSpecInet, AfSpecUnspec, LinkAttribute, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop, RouteProtocol,
    RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;

/// `IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN` (linux/ip.h).
const IGNORE_ROUTES_WITH_LINKDOWN: u16 = 29;
/// `IFLA_INET_CONF` (linux/if_link.h).
const IFLA_INET_CONF: u16 = 1;

/// One operation as a request, with the flags beside the obvious ones.
#[must_use]
pub fn request(op: &Op) -> (RouteNetlinkMessage, u16) {
    match op {
        Op::PutRoute(route, how) => {
            let flags = match how {
                How::Add => NLM_F_CREATE | NLM_F_EXCL,
                How::Prepend => NLM_F_CREATE,
                How::Replace => NLM_F_CREATE | NLM_F_REPLACE,
            };
            (RouteNetlinkMessage::NewRoute(route_message(route)), flags)
        }
        Op::DeleteRoute(route) => (RouteNetlinkMessage::DelRoute(route_message(route)), 0),
        Op::AddRule(rule) => (RouteNetlinkMessage::NewRule(rule_message(rule)), NLM_F_CREATE | NLM_F_EXCL),
        Op::DeleteRule(rule) => (RouteNetlinkMessage::DelRule(rule_message(rule)), 0),
        // Only IPv4 has an attribute for it; IPv6's file is the driver's business.
        Op::IgnoreLinkdown { family: _, index, on } => {
            (RouteNetlinkMessage::SetLink(linkdown_message(*index, *on)), 0)
        }
    }
}

/// Asks for all links.
#[must_use]
pub fn all_links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

/// Asks for one link.
#[must_use]
pub fn one_link(index: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    RouteNetlinkMessage::GetLink(message)
}

/// Asks for all addresses of a family.
#[must_use]
pub fn all_addresses(family: Family) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = address_family(family);
    RouteNetlinkMessage::GetAddress(message)
}

/// Asks for the routes of one table: the kernel filters, so that others' hundred thousand routes cost nothing.
#[must_use]
pub fn table_routes(family: Family, table: u32) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    message.attributes.push(RouteAttribute::Table(table));
    RouteNetlinkMessage::GetRoute(message)
}

/// Asks which way a packet of a socket that is bound to an interface would go.
#[must_use]
pub fn lookup(address: IpAddr, index: u32) -> RouteNetlinkMessage {
    let destination = Prefix::host(address);
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(destination.family());
    message.header.destination_prefix_length = destination.length;
    message.attributes.push(RouteAttribute::Destination(route_address(address)));
    message.attributes.push(RouteAttribute::Oif(index));
    RouteNetlinkMessage::GetRoute(message)
}

/// Asks for all rules of a family.
#[must_use]
pub fn all_rules(family: Family) -> RouteNetlinkMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(family);
    RouteNetlinkMessage::GetRule(message)
}

fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

fn route_message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let direct = route.kind == Kind::Unicast && route.hops.iter().all(|hop| hop.via.is_none());
    let mut flags = RouteFlags::empty();
    flags.set(RouteFlags::Onlink, route.onlink);
    message.header = RouteHeader {
        address_family: address_family(route.family()),
        destination_prefix_length: route.destination.length,
        source_prefix_length: 0,
        tos: 0,
        table: RouteHeader::RT_TABLE_UNSPEC,
        protocol: RouteProtocol::from(route.protocol),
        // IPv4 wants a narrower scope for what is reached without gateway; IPv6 knows no scopes.
        scope: if direct && route.family() == Family::V4 { RouteScope::Link } else { RouteScope::Universe },
        kind: match route.kind {
            Kind::Unicast => RouteType::Unicast,
            Kind::Prohibit => RouteType::Prohibit,
            Kind::Throw => RouteType::Throw,
            Kind::Other(kind) => RouteType::from(kind),
        },
        flags,
    };
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    attributes.push(RouteAttribute::Priority(route.metric));
    if route.destination.length > 0 {
        attributes.push(RouteAttribute::Destination(route_address(route.destination.address)));
    }
    attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(route_address(source))));
    match route.hops.as_slice() {
        [] => {}
        [hop] => {
            attributes.extend(hop.via.map(|via| RouteAttribute::Gateway(route_address(via))));
            attributes.push(RouteAttribute::Oif(hop.index));
        }
        several => {
            let hop = |hop: &crate::engine::route::Hop| {
                let mut next = RouteNextHop::default();
                next.interface_index = hop.index;
                next.attributes.extend(hop.via.map(|via| RouteAttribute::Gateway(route_address(via))));
                next
            };
            attributes.push(RouteAttribute::MultiPath(several.iter().map(hop).collect()));
        }
    }
    message
}

fn rule_message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(rule.family);
    message.header.action = RuleAction::ToTable;
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Table(rule.table));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(rule.protocol)));
    if let Some(Prefix { address, length }) = rule.from {
        message.header.src_len = length;
        attributes.push(RuleAttribute::Source(address));
    }
    attributes.extend(rule.oif.clone().map(RuleAttribute::Oifname));
    if let Some((mark, mask)) = rule.mark {
        attributes.push(RuleAttribute::FwMark(mark));
        attributes.push(RuleAttribute::FwMask(mask));
    }
    attributes.extend(rule.suppress_prefixlength.map(RuleAttribute::SuppressPrefixLen));
    message
}

/// IFLA_AF_SPEC → AF_INET → IFLA_INET_CONF → 29: works where /proc/sys is read-only.
fn linkdown_message(index: u32, on: bool) -> LinkMessage {
    let mut value = Vec::with_capacity(8);
    value.extend_from_slice(&8_u16.to_ne_bytes());
    value.extend_from_slice(&IGNORE_ROUTES_WITH_LINKDOWN.to_ne_bytes());
    value.extend_from_slice(&u32::from(on).to_ne_bytes());
    let conf = AfSpecInet::Other(DefaultNla::new(IFLA_INET_CONF, value));
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet(vec![conf])]));
    message
}
