//! What anyone can ask of the simulated kernel, or do to its wires.

use super::fib4::Put;
use super::nexthop::{Nexthop, PutNexthop};
use crate::engine::Family;
use crate::engine::input::{Address, Link};
use crate::engine::route::{Hop, Kind, MAIN_TABLE, Names, Op, Prefix, Route};
use core::fmt::Write as _;
use core::net::IpAddr;

/// One thing done to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// What the daemon does too. Strangers' routes go in by [`Op::PutRoute`] as well.
    Op(Op),
    /// Behind what is in the place (NLM_F_CREATE | NLM_F_APPEND).
    AppendRoute(Route),
    /// A route without hops that names a nexthop object, and how far it leads (`RT_SCOPE_*`), at which IPv6 does not look.
    PutRouteBy(Route, u32, u8, Put),
    /// A nexthop object.
    PutNexthop(Nexthop, PutNexthop),
    /// Removes a nexthop object, and what cannot be without it.
    DeleteNexthop(u32),
    /// Removes the first route that has these parts (`ip route del` with a few words).
    DeleteRoute(Parts),
    /// Sets a link up or down.
    LinkUp(u32, bool),
    /// Plugs the cable in or pulls it out. A link that is down has no carrier either way.
    Carrier(u32, bool),
    /// A link appears; it is down, whatever [`Link::up`] says, and its carrier is that of its cable.
    AddLink(Link),
    /// A link disappears.
    DeleteLink(u32),
    /// An address, permanent and without looking for duplicates.
    AddAddress(Address),
    /// Removes an address.
    DeleteAddress(Address),
}

/// What a request to delete a route names; what it does not name may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The table.
    pub table: u32,
    /// Exactly this destination.
    pub destination: Prefix,
    /// Priority; 0 is any.
    pub metric: u32,
    /// What happens there. IPv6 does not look.
    pub kind: Option<Kind>,
    /// The gateway and the interface, or some of both; index 0 is any. Several are the hops of a multipath route.
    pub hops: Vec<Hop>,
    /// Who made it; 0 is anyone.
    pub protocol: u8,
    /// Preferred source address. IPv6 does not look.
    pub source: Option<IpAddr>,
    /// How far it leads (`RT_SCOPE_*`). IPv6 does not look.
    pub scope: Option<u8>,
    /// The nexthop object that it names; none is any, or none.
    pub nexthop: Option<u32>,
}

/// `RT_SCOPE_UNIVERSE`: leads anywhere.
pub(super) const UNIVERSE: u8 = 0;
/// `RT_SCOPE_LINK`: leads to the neighbours on a link.
pub(super) const LINK: u8 = 253;

/// `RT_SCOPE_HOST`: leads nowhere but here.
pub(super) const HOST: u8 = 254;

/// The scope that requests give a route: only in IPv4 it is not the universe, for routes without gateway.
pub(super) fn scope(route: &Route) -> u8 {
    let direct = route.is_unicast() && route.hops.iter().all(|hop| hop.via.is_none());
    if direct && route.family() == Family::V4 { LINK } else { UNIVERSE }
}

impl Parts {
    /// All that a request to delete this route names.
    #[must_use]
    pub fn of(route: &Route) -> Self {
        Self {
            table: route.table,
            destination: route.destination,
            metric: route.metric,
            kind: Some(route.kind),
            hops: route.hops.clone(),
            protocol: route.protocol,
            source: route.source,
            scope: Some(scope(route)),
            nexthop: None,
        }
    }

    /// In the words of `ip route`.
    #[must_use]
    pub fn words(&self, names: &Names) -> String {
        let mut words = match self.kind {
            Some(Kind::Prohibit) => "prohibit ".to_owned(),
            Some(Kind::Throw) => "throw ".to_owned(),
            Some(Kind::Other(kind)) => format!("type {kind} "),
            Some(Kind::Unicast) | None => String::new(),
        };
        _ = write!(words, "{}", self.destination);
        for hop in &self.hops {
            if self.hops.len() > 1 {
                words.push_str(" nexthop");
            }
            if let Some(via) = hop.via {
                _ = write!(words, " via {via}");
            }
            if hop.index != 0 {
                _ = write!(words, " dev {}", name(names, hop.index));
            }
        }
        if self.table != MAIN_TABLE {
            _ = write!(words, " table {}", self.table);
        }
        if self.protocol != 0 {
            _ = write!(words, " proto {}", self.protocol);
        }
        if let Some(source) = self.source {
            _ = write!(words, " src {source}");
        }
        if self.metric != 0 {
            _ = write!(words, " metric {}", self.metric);
        }
        if let Some(scope) = self.scope {
            _ = write!(words, " scope {scope}");
        }
        if let Some(id) = self.nexthop {
            _ = write!(words, " nhid {id}");
        }
        words
    }
}

impl Request {
    /// In the words of `ip`.
    #[must_use]
    pub fn words(&self, names: &Names) -> String {
        let six = |family| if family == Family::V6 { " -6" } else { "" };
        let address = |verb: &str, address: &Address| {
            let prefix = address.prefix;
            let near = prefix.address;
            let far = address.peer.map_or(String::new(), |peer| format!(" peer {peer}"));
            let length = prefix.length;
            let nodad = if near.is_ipv6() && verb == "add" { " nodad" } else { "" };
            let dev = name(names, address.index);
            if far.is_empty() {
                format!("ip address {verb} {near}/{length} dev {dev}{nodad}")
            } else {
                format!("ip address {verb} {near}{far}/{length} dev {dev}{nodad}")
            }
        };
        match self {
            Self::Op(op) => op.words(names),
            Self::AppendRoute(route) => {
                format!("ip{} route append {}", six(route.family()), route.words(names))
            }
            Self::PutRouteBy(route, id, scope, put) => {
                let verb = match put {
                    Put::Exclusive => "add",
                    Put::Prepend => "prepend",
                    Put::Append => "append",
                    Put::Replace => "replace",
                };
                let (six, words) = (six(route.family()), route.words(names));
                format!("ip{six} route {verb} {words} scope {scope} nhid {id}")
            }
            Self::PutNexthop(nexthop, put) => nexthop.request_words(*put, names),
            Self::DeleteNexthop(id) => format!("ip nexthop del id {id}"),
            Self::DeleteRoute(parts) => {
                format!("ip{} route del {}", six(parts.destination.family()), parts.words(names))
            }
            Self::LinkUp(index, up) => {
                format!("ip link set {} {}", name(names, *index), if *up { "up" } else { "down" })
            }
            Self::Carrier(index, on) => {
                format!("ip link set {}'s far end {}", name(names, *index), if *on { "up" } else { "down" })
            }
            Self::AddLink(link) => format!("ip link add {} index {} type veth", link.name, link.index),
            Self::DeleteLink(index) => format!("ip link del {}", name(names, *index)),
            Self::AddAddress(wanted) => address("add", wanted),
            Self::DeleteAddress(wanted) => address("del", wanted),
        }
    }
}

fn name(names: &Names, index: u32) -> String {
    names.get(&index).cloned().unwrap_or_else(|| format!("if{index}"))
}
