//! IPv4's routing tables: what is where, in which order. Linux's net/ipv4/fib_trie.c does the same with a trie.

use super::errno::{EEXIST, ESRCH};
use super::nexthops::{Nexthops, Way};
use super::request::{LINK, Parts};
use crate::engine::route::{Hop, MAIN_TABLE, Prefix, Route};
use core::cmp::Reverse;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

/// A route in its place, with what requests and notifications do not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alias {
    pub(super) route: Route,
    /// The object that it names; it has no hops then.
    pub(super) nexthop: Option<u32>,
    /// `RT_SCOPE_*`.
    pub(super) scope: u8,
    /// Per hop: how far the neighbour is (`RT_SCOPE_*`). Two routes by an address that has become our own meanwhile differ.
    nears: Vec<u8>,
    /// Per hop: its interface is gone or down.
    pub(super) dead: Vec<bool>,
}

/// Which of the flags of `RTM_NEWROUTE` are set beside NLM_F_CREATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// NLM_F_EXCL: the place is free.
    Exclusive,
    /// None: in front of what is in the place (IPv4).
    Prepend,
    /// NLM_F_APPEND: behind it.
    Append,
    /// NLM_F_REPLACE: instead of it.
    Replace,
}

/// What a route has done to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Added,
    Replaced,
    /// It was there already.
    Nothing,
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// So long is its prefix, and so far it leads (`RT_SCOPE_*`).
    To { length: u8, scope: u8 },
    /// Into a blackhole.
    Nowhere,
}

/// In the order of a dump: by address, the longest prefix first.
type Place = (u32, Reverse<u8>);

/// All tables but the local one.
#[derive(Debug, Clone, Default)]
pub(super) struct Fib4 {
    tables: BTreeMap<u32, BTreeMap<Place, Vec<Alias>>>,
}

fn place(prefix: Prefix) -> Place {
    let bits = match prefix.address {
        IpAddr::V4(address) => address.to_bits(),
        IpAddr::V6(_) => 0,
    };
    (bits, Reverse(prefix.length))
}

/// The order in which a table is flushed and updated: by address the last first, of one the longest prefix first.
fn walk(table: &BTreeMap<Place, Vec<Alias>>) -> Vec<Place> {
    let mut places: Vec<Place> = table.keys().copied().collect();
    places.sort_by_key(|(address, length)| (Reverse(*address), *length));
    places
}

impl Alias {
    pub(super) fn new(route: Route, scope: u8, nears: Vec<u8>) -> Self {
        let dead = vec![false; route.hops.len()];
        Self { route, nexthop: None, scope, nears, dead }
    }

    /// One that names an object.
    pub(super) fn by(route: Route, scope: u8, nexthop: u32) -> Self {
        Self { nexthop: Some(nexthop), ..Self::new(route, scope, vec![]) }
    }

    pub(super) fn way(&self) -> Way {
        Way { route: self.route.clone(), nexthop: self.nexthop }
    }

    /// The same to `fib_find_info`, which shares what several routes have in common.
    fn is(&self, other: &Self) -> bool {
        self.route == other.route
            && self.nexthop == other.nexthop
            && self.scope == other.scope
            && self.nears == other.nears
    }

    /// `fib_table_delete` and `fib_nh_match`.
    fn has(&self, parts: &Parts) -> bool {
        let route = &self.route;
        // A route that refuses has a hop to nowhere.
        let nowhere = [Hop { via: None, index: 0 }];
        let own = if route.hops.is_empty() { nowhere.as_slice() } else { route.hops.as_slice() };
        let fits = |(hop, wanted): (&Hop, &Hop)| {
            (wanted.index == 0 || wanted.index == hop.index)
                && (wanted.via.is_none() || wanted.via == hop.via)
        };
        let named = |hop: &Hop| hop.index != 0 || hop.via.is_some();
        let hops = match parts.hops.len() {
            // Hops are not sought in the object that it names.
            _ if parts.nexthop.is_some() => parts.nexthop == self.nexthop,
            0 | 1 if self.nexthop.is_some() => !parts.hops.iter().any(named),
            _ if self.nexthop.is_some() => false,
            // Of a multipath route, only the first is looked at.
            0 | 1 => own.iter().zip(&parts.hops).all(fits),
            several => own.len() <= several && own.iter().zip(&parts.hops).all(fits),
        };
        hops && (parts.metric == 0 || parts.metric == route.metric)
            && parts.kind.is_none_or(|kind| kind == route.kind)
            && parts.scope.is_none_or(|scope| scope == self.scope)
            && parts.source.is_none_or(|source| Some(source) == route.source)
            && (parts.protocol == 0 || parts.protocol == route.protocol)
    }
}

impl Fib4 {
    /// `fib_table_insert`.
    pub(super) fn insert(&mut self, new: Alias, put: Put) -> Result<Done, i32> {
        let metric = new.route.metric;
        let table = self.tables.entry(new.route.table).or_default();
        let there = table.entry(place(new.route.destination)).or_default();
        let begin = there.partition_point(|alias| alias.route.metric < metric);
        let end = there.partition_point(|alias| alias.route.metric <= metric);
        let same = (begin..end).find(|at| there[*at].is(&new));
        match (put, same) {
            _ if begin == end => there.insert(begin, new),
            // Silently: it is there, and first.
            (Put::Replace, Some(at)) if at == begin => return Ok(Done::Nothing),
            (Put::Exclusive, _) | (_, Some(_)) => return Err(EEXIST),
            (Put::Replace, None) => {
                there[begin] = new;
                return Ok(Done::Replaced);
            }
            (Put::Prepend, None) => there.insert(begin, new),
            (Put::Append, None) => there.insert(end, new),
        }
        Ok(Done::Added)
    }

    /// `fib_table_delete`: the first that has these parts.
    pub(super) fn delete(&mut self, parts: &Parts) -> Result<Way, i32> {
        let table = self.tables.get_mut(&parts.table).ok_or(ESRCH)?;
        let there = table.get_mut(&place(parts.destination)).ok_or(ESRCH)?;
        let at = there.iter().position(|alias| alias.has(parts)).ok_or(ESRCH)?;
        Ok(there.remove(at).way())
    }

    /// Is a route there that has all in common with it but the destination?
    pub(super) fn knows(&self, new: &Alias) -> bool {
        self.table(new.route.table).any(|alias| {
            let route = Route { destination: new.route.destination, ..alias.route.clone() };
            new.is(&Alias { route, ..alias.clone() })
        })
    }

    /// The routes that name an object, in the order in which Linux walks through its 256 buckets of tables.
    pub(super) fn naming(&self, nexthop: u32) -> Vec<&Alias> {
        let mut tables: Vec<_> = self.tables.iter().collect();
        tables.sort_by_key(|(table, _)| (*table % 256, **table));
        let places = |(_, table)| walk(table).into_iter().filter_map(|place| table.get(&place));
        let all = tables.into_iter().flat_map(places).flatten();
        all.filter(|alias| alias.nexthop == Some(nexthop)).collect()
    }

    /// The routes that name an object go.
    pub(super) fn forget(&mut self, nexthop: u32) {
        self.each(|alias| alias.nexthop != Some(nexthop));
    }

    /// Routes of one table, in the order of a dump.
    pub(super) fn table(&self, table: u32) -> impl Iterator<Item = &Alias> {
        self.tables.get(&table).into_iter().flat_map(BTreeMap::values).flatten()
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = u32> {
        self.tables.keys().copied()
    }

    /// `fib_table_lookup` as a check of a gateway asks it: where does the first living hop of a route without gateway lead
    /// that leads there by this interface? Routes of a wider scope do not count; those that refuse are of the widest, but
    /// for those that name a blackhole.
    pub(super) fn leads(&self, table: u32, address: IpAddr, oif: u32, nexthops: &Nexthops) -> Option<Lead> {
        let matching = |alias: &&Alias| alias.scope >= LINK && alias.route.destination.contains(address);
        let mut all: Vec<&Alias> = self.table(table).filter(matching).collect();
        // Of those with the same length, the first.
        all.sort_by_key(|alias| Reverse(alias.route.destination.length));
        let mut missed = None;
        for alias in all {
            let destination = alias.route.destination;
            // Routes that begin at one address are kept together. If the first that counts names an object that does not
            // lead by this interface, the others are passed over (Linux 6.18).
            if missed == Some(destination.address) {
                continue;
            }
            let found = Lead::To { length: destination.length, scope: alias.scope };
            match alias.nexthop.map(|id| nexthops.hops(id)) {
                None => {
                    let mut hops = alias.route.hops.iter().zip(&alias.dead);
                    if hops.any(|(hop, dead)| !dead && hop.index == oif) {
                        return Some(found);
                    }
                }
                Some(None) => return Some(Lead::Nowhere),
                Some(Some(hops)) if hops.iter().any(|hop| hop.index == oif) => return Some(found),
                Some(Some(_)) => missed = Some(destination.address),
            }
        }
        None
    }

    /// `fib_sync_down_dev` and `fib_flush`: hops by this interface are dead, routes with no living hop go. Nobody is
    /// told.
    pub(super) fn down(&mut self, index: u32) {
        self.each(|alias| {
            for (hop, dead) in alias.route.hops.iter().zip(&mut alias.dead) {
                *dead |= hop.index == index;
            }
            alias.dead.is_empty() || alias.dead.contains(&false)
        });
    }

    /// An interface disappears: every route that uses it goes, even if it has other hops.
    pub(super) fn unregister(&mut self, index: u32) {
        self.each(|alias| !alias.route.uses(index));
    }

    /// `fib_sync_up`.
    pub(super) fn up(&mut self, index: u32) {
        self.each(|alias| {
            for (hop, dead) in alias.route.hops.iter().zip(&mut alias.dead) {
                *dead &= hop.index != index;
            }
            true
        });
    }

    /// `fib_sync_down_addr` and `fib_flush`: routes of the main table with this preferred source go; those of other
    /// tables stay.
    pub(super) fn without_source(&mut self, source: Ipv4Addr) -> Vec<Way> {
        let mut gone = vec![];
        let Some(table) = self.tables.get_mut(&MAIN_TABLE) else { return gone };
        for place in walk(table) {
            let Some(there) = table.get_mut(&place) else { continue };
            there.retain(|alias| {
                let goes = alias.route.source == Some(IpAddr::V4(source)) && alias.route.is_unicast();
                if goes {
                    gone.push(alias.way());
                }
                !goes
            });
        }
        gone
    }

    /// Visits every route, and keeps those for which the visitor says so.
    fn each(&mut self, mut keep: impl FnMut(&mut Alias) -> bool) {
        for table in self.tables.values_mut() {
            for there in table.values_mut() {
                there.retain_mut(&mut keep);
            }
            table.retain(|_, there| !there.is_empty());
        }
    }
}
