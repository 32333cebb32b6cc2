//! Linux's routing state as far as uplinkd cares, as a value: links, addresses, routes and rules, what a request does to
//! them, and what listeners are told of it.
//!
//! ```text
//!   Request ─► Kernel::request ─► Ok or an errno        Kernel::news ─► what a monitor hears
//!                                                       Kernel::dump ─► what a dump finds
//! ```
//!
//! That Linux does the same is not claimed but compared, by `tests/parity`, operation by operation. Not modelled: what
//! is behind local and broadcast routes (the local table follows from the addresses), nexthop objects with resilient
//! groups, tunnels or numbers of the kernel's choice, types of service, metrics beside the priority, router
//! advertisements, link-local addresses that the kernel makes, expiry, and anything that takes time.

pub mod errno;

mod address;
mod check;
mod entry6;
mod fib4;
mod fib6;
mod link;
mod multipath;
mod news;
mod nexthop;
mod nexthops;
mod objects;
mod request;
mod rules;
#[cfg(test)]
mod tests;

pub use fib4::Put;
pub use news::Told;
pub use nexthop::{Member, Nexthop, NexthopKind, PutNexthop};
pub use request::{Parts, Request};

use crate::engine::Family;
use crate::engine::input::{Address, Dump, Input, Link};
use crate::engine::route::{How, MAIN_TABLE, Op, Route, Rule};
use address::Own4;
use errno::EINVAL;
use fib4::{Alias, Done, Fib4};
use fib6::Fib6;
use link::Port;
use news::{News, Verb};
use nexthops::{Nexthops, Way};
use std::collections::BTreeMap;

/// The loopback interface's index, by which IPv6 lets routes lead that refuse.
const LOOPBACK: u32 = 1;
/// As many notifications as fit the daemon's receive buffer, roughly.
const NEWS_CAPACITY: usize = 5000;

/// A kernel with one listener.
#[derive(Debug, Clone)]
pub struct Kernel {
    links: BTreeMap<u32, Port>,
    /// In the kernel's order, by interface.
    addresses4: BTreeMap<u32, Vec<Own4>>,
    /// In the kernel's order, by interface.
    addresses6: BTreeMap<u32, Vec<Address>>,
    fib4: Fib4,
    fib6: Fib6,
    nexthops: Nexthops,
    /// In the kernel's order: by priority, of those with the same the oldest first.
    rules: Vec<Rule>,
    /// `ignore_routes_with_linkdown` of IPv6, where it is not 0.
    linkdown6: BTreeMap<u32, bool>,
    news: News,
}

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}

impl Kernel {
    /// A fresh network namespace: the rules that every one has, and nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self {
            links: BTreeMap::new(),
            addresses4: BTreeMap::new(),
            addresses6: BTreeMap::new(),
            fib4: Fib4::default(),
            fib6: Fib6::new(),
            nexthops: Nexthops::default(),
            rules: rules::initial(),
            linkdown6: BTreeMap::new(),
            news: News::new(NEWS_CAPACITY),
        }
    }

    /// Does one thing.
    ///
    /// # Errors
    /// The positive error number with which Linux refuses it (see [`errno`]). Nothing has changed then, unless the request
    /// is for a multipath route of IPv6, which goes hop by hop.
    pub fn request(&mut self, request: &Request) -> Result<(), i32> {
        match request {
            Request::Op(Op::PutRoute(route, how)) => {
                let put = match how {
                    How::Add => Put::Exclusive,
                    How::Prepend => Put::Prepend,
                    How::Replace => Put::Replace,
                };
                self.put_route(route, put)
            }
            Request::AppendRoute(route) => self.put_route(route, Put::Append),
            Request::Op(Op::DeleteRoute(route)) => self.delete_route(&Parts::of(route)),
            Request::DeleteRoute(parts) => self.delete_route(parts),
            Request::PutRouteBy(route, id, scope, put) => self.put_route_by(route, *id, *scope, *put),
            Request::PutNexthop(nexthop, put) => self.put_nexthop(nexthop, *put),
            Request::DeleteNexthop(id) => self.delete_nexthop(*id),
            Request::Op(Op::AddRule(rule)) => self.add_rule(rule),
            Request::Op(Op::DeleteRule(rule)) => self.delete_rule(rule),
            Request::Op(Op::IgnoreLinkdown { family: Family::V4, index, on }) => {
                self.ignore_linkdown(*index, *on)
            }
            Request::Op(Op::IgnoreLinkdown { family: Family::V6, index, on }) => {
                // A file, which is announced to nobody.
                let port = self.links.contains_key(index);
                if port {
                    self.linkdown6.insert(*index, *on);
                }
                if port { Ok(()) } else { Err(errno::ENOENT) }
            }
            Request::LinkUp(index, up) => self.set_up(*index, *up),
            Request::Carrier(index, on) => self.set_cable(*index, *on),
            Request::AddLink(link) => self.add_link(link.clone()),
            Request::DeleteLink(index) => self.delete_link(*index),
            Request::AddAddress(address) => self.add_address(*address),
            Request::DeleteAddress(address) => self.delete_address(*address),
        }
    }

    /// Carries out operations in order, as [`Request::Op`] each; returns those that were refused, by their place.
    pub fn apply(&mut self, ops: &[Op]) -> Vec<(usize, i32)> {
        let mut refused = vec![];
        for (place, op) in ops.iter().enumerate() {
            if let Err(errno) = self.request(&Request::Op(op.clone())) {
                refused.push((place, errno));
            }
        }
        refused
    }

    /// What the listener has not read yet, in order. [`Input::Overrun`] comes first if anything was lost.
    pub fn news(&mut self) -> Vec<Input> {
        self.told().into_iter().filter_map(Told::fact).collect()
    }

    /// The same as one hears it who listens to nexthop objects too.
    pub fn told(&mut self) -> Vec<Told> {
        self.news.take()
    }

    /// How many notifications may wait from now on; 5000 without this.
    pub fn set_capacity(&mut self, notifications: usize) {
        self.news.set_capacity(notifications);
    }

    /// Everything of one family: links and addresses by index, routes of the main table and then of the others by
    /// number, rules in their order.
    #[must_use]
    pub fn dump(&self, family: Family) -> Dump {
        let addresses = match family {
            Family::V4 => self.addresses4.values().flatten().map(|own| own.address).collect(),
            Family::V6 => self.addresses6.values().flatten().copied().collect(),
        };
        let tables: Vec<u32> = match family {
            Family::V4 => self.fib4.tables().collect(),
            Family::V6 => self.fib6.tables(),
        };
        let mut others: Vec<u32> = tables.into_iter().filter(|table| *table != MAIN_TABLE).collect();
        others.sort_unstable();
        let rules = self.rules.iter().filter(|rule| rule.family == family);
        Dump {
            family,
            links: self.links().cloned().collect(),
            addresses,
            routes: core::iter::once(MAIN_TABLE)
                .chain(others)
                .flat_map(|table| self.table(family, table))
                .collect(),
            rules: rules.map(|rule| self.shown(rule)).collect(),
            linkdown: match family {
                Family::V4 => BTreeMap::new(),
                Family::V6 => {
                    let is = |index: &u32| self.linkdown6.get(index).copied().unwrap_or(false);
                    self.links.keys().map(|index| (*index, is(index))).collect()
                }
            },
        }
    }

    /// The routes of one table, in the order of a dump.
    #[must_use]
    pub fn table(&self, family: Family, table: u32) -> Vec<Route> {
        self.ways(family, table).into_iter().map(|(route, _)| route).collect()
    }

    /// The same, each with the nexthop object that it names, if it does.
    #[must_use]
    pub fn ways(&self, family: Family, table: u32) -> Vec<(Route, Option<u32>)> {
        let ways: Vec<Way> = match family {
            Family::V4 => self.fib4.table(table).map(Alias::way).collect(),
            Family::V6 => self.fib6.dump(table),
        };
        let shown = |way: &Way| {
            let nexthop = way.nexthop;
            self.nexthops.shown(way).into_iter().map(move |route| (route, nexthop))
        };
        ways.iter().flat_map(shown).collect()
    }

    /// All nexthop objects by number, each with how far its gateway is (`RT_SCOPE_*`).
    pub fn nexthops(&self) -> impl Iterator<Item = (&Nexthop, u8)> {
        self.nexthops.all().map(|object| (&object.nexthop, object.scope))
    }

    /// All links, by index.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values().map(|port| &port.link)
    }

    /// `inet_rtm_newroute`, `inet6_rtm_newroute`.
    fn put_route(&mut self, route: &Route, put: Put) -> Result<(), i32> {
        let (done, told) = match route.family() {
            Family::V4 => {
                let nears = self.check4(route)?;
                let alias = Alias::new(route.clone(), request::scope(route), nears);
                (self.fib4.insert(alias, put)?, vec![route.clone().into()])
            }
            Family::V6 if route.hops.len() > 1 => return self.put_multipath(route, put),
            Family::V6 => {
                let route = multipath::completed(route);
                // Even a route that is refused makes its table.
                self.fib6.make_table(route.table);
                self.check6(&route)?;
                self.fib6.insert(route.into(), put)?
            }
        };
        match done {
            Done::Nothing => {}
            Done::Added => self.tell_routes(told, Verb::Here),
            Done::Replaced => self.tell_routes(told, Verb::Instead),
        }
        Ok(())
    }

    /// `inet_rtm_delroute`, `inet6_rtm_delroute`.
    fn delete_route(&mut self, parts: &Parts) -> Result<(), i32> {
        let missing = parts.nexthop.is_some_and(|id| self.nexthops.get(id).is_none());
        // Who names an object names no hops.
        let gone = match parts.destination.family() {
            _ if missing || parts.nexthop.is_some() && !parts.hops.is_empty() => return Err(EINVAL),
            Family::V4 if check::masked(parts.destination) != parts.destination => return Err(EINVAL),
            Family::V4 => vec![self.fib4.delete(parts)?],
            Family::V6 if parts.hops.len() > 1 => return self.delete_multipath(parts),
            Family::V6 => self.fib6.delete(parts)?,
        };
        self.tell_routes(gone, Verb::Gone);
        Ok(())
    }

    /// One message about routes.
    fn tell_routes(&mut self, ways: Vec<Way>, verb: Verb) {
        let mut told = vec![];
        for way in ways {
            for route in self.nexthops.shown(&way) {
                let input = verb.say(route, told.is_empty());
                told.push(match way.nexthop {
                    Some(id) => Told::RouteBy(input, id),
                    None => Told::Fact(input),
                });
            }
        }
        self.news.extend(told.into_iter());
    }
}
