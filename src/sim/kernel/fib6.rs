//! IPv6's routing tables: what is where, in which order. Linux's net/ipv6/ip6_fib.c does the same with a tree.
//!
//! Routes of one place with one metric and a gateway are *siblings*: requests and notifications treat them as one
//! multipath route in some respects, as several in others.

use super::LOOPBACK;
use super::check::masked;
use super::entry6::{Choice, Entry, Place, choose, ring, siblings};
use super::errno::{EEXIST, ENOENT, ESRCH};
use super::fib4::{Done, Put};
use super::nexthops::{Nexthops, Way};
use super::request::Parts;
use super::rules::PROTOCOL_KERNEL;
use crate::engine::route::{Hop, MAIN_TABLE, Prefix, Route};
use core::cmp::Reverse;
use core::net::IpAddr;
use std::collections::BTreeMap;

/// All tables but the local one.
#[derive(Debug, Clone)]
pub(super) struct Fib6 {
    tables: BTreeMap<u32, BTreeMap<Place, Vec<Entry>>>,
    born: u64,
}

impl Fib6 {
    /// The main table is always there.
    pub(super) fn new() -> Self {
        Self { tables: BTreeMap::from([(MAIN_TABLE, BTreeMap::new())]), born: 0 }
    }

    /// `fib6_add_rt2node`. Returns what was done and the routes that the notification names, the new one first.
    pub(super) fn insert(&mut self, way: Way, put: Put) -> Result<(Done, Vec<Way>), i32> {
        let metric = way.route.metric;
        self.born += 1;
        let new = Entry { route: way.route, nexthop: way.nexthop, born: self.born, dead: false };
        let table = self.tables.entry(new.route.table).or_default();
        let there = table.entry(Place(new.route.destination)).or_default();
        let begin = there.partition_point(|entry| entry.route.metric < metric);
        let end = there.partition_point(|entry| entry.route.metric <= metric);
        if begin < end {
            match put {
                Put::Exclusive => return Err(EEXIST),
                Put::Replace => {
                    let same_sort = (begin..end).find(|at| there[*at].has_gateway() == new.has_gateway());
                    let at = same_sort.unwrap_or(begin);
                    let old = core::mem::replace(&mut there[at], new.clone());
                    if old.has_gateway() {
                        // Its siblings, which are all behind it, go with it.
                        let mut place = 0..;
                        there.retain(|entry| {
                            let here = place.next().unwrap_or(usize::MAX);
                            here <= at || entry.route.metric != metric || !entry.has_gateway()
                        });
                    }
                    return Ok((Done::Replaced, vec![new.way()]));
                }
                Put::Prepend | Put::Append => {
                    // `rt6_duplicate_nexthop`.
                    let same = |entry: &Entry| entry.hop() == new.hop() && entry.nexthop == new.nexthop;
                    if there[begin..end].iter().any(same) {
                        return Err(EEXIST);
                    }
                }
            }
        }
        there.insert(end, new);
        Ok((Done::Added, ring(there, end)))
    }

    pub(super) fn make_table(&mut self, table: u32) {
        self.tables.entry(table).or_default();
    }

    /// `ip6_route_del`. Returns the routes that the notification names.
    pub(super) fn delete(&mut self, parts: &Parts) -> Result<Vec<Way>, i32> {
        let (there, at) = self.find(parts)?;
        let found = there[at].clone();
        // Named without its gateway, a route goes with all its siblings.
        if parts.hops.first().is_some_and(|hop| hop.via.is_some()) || !found.has_gateway() {
            return Ok(vec![there.remove(at).way()]);
        }
        let is_sibling = |entry: &Entry| entry.has_gateway() && entry.route.metric == found.route.metric;
        let gone = ring(there, at);
        there.retain(|entry| !is_sibling(entry));
        Ok(gone)
    }

    /// The same for one of several hops: siblings stay.
    pub(super) fn delete_one(&mut self, parts: &Parts) -> Result<Way, i32> {
        let (there, at) = self.find(parts)?;
        Ok(there.remove(at).way())
    }

    fn find(&mut self, parts: &Parts) -> Result<(&mut Vec<Entry>, usize), i32> {
        let table = self.tables.get_mut(&parts.table).ok_or(ESRCH)?;
        let default = parts.destination.length == 0;
        let there = table.entry(Place(masked(parts.destination))).or_default();
        // Where no default route is, the root of the tree holds an entry of the kernel's by the loopback interface, which
        // cannot be deleted (Linux 6.18).
        let no_hop = |hop: &Hop| hop.via.is_none() && [0, LOOPBACK].contains(&hop.index);
        let anyones = parts.metric == 0 && parts.nexthop.is_none() && parts.hops.iter().all(no_hop);
        if there.is_empty() && default && anyones {
            return Err(if [0, PROTOCOL_KERNEL].contains(&parts.protocol) { ENOENT } else { ESRCH });
        }
        let at = there.iter().position(|entry| entry.has(parts)).ok_or(ESRCH)?;
        Ok((there, at))
    }

    /// A route and its siblings as a notification tells them: from this one on, or from the one behind it.
    pub(super) fn told(&self, route: &Route, behind: bool) -> Vec<Way> {
        let place = Place(route.destination);
        let there = self.tables.get(&route.table).and_then(|table| table.get(&place));
        let Some(there) = there else { return vec![] };
        let Some(at) = there.iter().position(|entry| entry.route == *route && entry.nexthop.is_none()) else {
            return vec![];
        };
        let places = siblings(there, at);
        let next = places.iter().find(|place| **place > at).or(places.first()).filter(|_| behind);
        ring(there, next.copied().unwrap_or(at))
    }

    /// The routes of one table as a dump tells them: siblings at once.
    pub(super) fn dump(&self, table: u32) -> Vec<Way> {
        let mut told = vec![];
        for there in self.tables.get(&table).into_iter().flat_map(BTreeMap::values) {
            let mut at = 0;
            while at < there.len() {
                told.extend(ring(there, at));
                // Linux goes on behind the last sibling, and so forgets what is between them (6.18).
                at = siblings(there, at).last().copied().unwrap_or(at).max(at) + 1;
            }
        }
        told
    }

    /// The routes that name an object, the newest first.
    pub(super) fn naming(&self, nexthop: u32) -> Vec<Way> {
        let all = self.tables.values().flat_map(BTreeMap::values).flatten();
        let mut found: Vec<&Entry> = all.filter(|entry| entry.nexthop == Some(nexthop)).collect();
        found.sort_by_key(|entry| Reverse(entry.born));
        found.into_iter().map(Entry::way).collect()
    }

    /// The routes that name an object go.
    pub(super) fn forget(&mut self, nexthop: u32) {
        for there in self.tables.values_mut().flat_map(BTreeMap::values_mut) {
            there.retain(|entry| entry.nexthop != Some(nexthop));
        }
    }

    /// The tables in the order in which Linux visits all of them (it keeps them in 256 buckets).
    pub(super) fn tables(&self) -> Vec<u32> {
        let mut tables: Vec<u32> = self.tables.keys().copied().collect();
        tables.sort_by_key(|table| (table % 256, *table));
        tables
    }

    /// `fib6_table_lookup` as a check of a gateway asks it: is the first route that leads there by this interface one
    /// without a gateway?
    pub(super) fn leads(&self, table: u32, address: IpAddr, oif: u32, nexthops: &Nexthops) -> Option<bool> {
        let (_, choice) = self.look_up(table, address, oif, nexthops, false)?;
        Some(choice.hop.is_some_and(|hop| hop.via.is_none()))
    }

    /// The same for a gateway that is said to be on-link: does a route to less than everything lead there, and by another
    /// interface only?
    pub(super) fn leads_elsewhere(&self, table: u32, address: IpAddr, oif: u32, nexthops: &Nexthops) -> bool {
        let found = self.look_up(table, address, oif, nexthops, true);
        found.is_some_and(|(to, choice)| to.length > 0 && choice.hop.is_some_and(|hop| hop.index != oif))
    }

    fn look_up(
        &self,
        table: u32,
        address: IpAddr,
        oif: u32,
        nexthops: &Nexthops,
        others: bool,
    ) -> Option<(Prefix, Choice)> {
        let places = self.tables.get(&table)?.iter().filter(|(place, _)| place.0.contains(address));
        let mut places: Vec<_> = places.collect();
        places.sort_by_key(|(place, _)| Reverse(place.0.length));
        places.into_iter().find_map(|(place, there)| Some((place.0, choose(there, nexthops, oif, others)?)))
    }

    /// `rt6_sync_down_dev`: routes by this interface go, in the order of a walk, but while a sibling of another
    /// interface lives, they stay as dead. The walk goes on behind the last sibling then, so that what is between them
    /// stays as if nothing had happened (Linux 6.18).
    pub(super) fn down(&mut self, index: u32) -> Vec<Route> {
        let uses = |entry: &Entry| entry.hop().is_some_and(|hop| hop.index == index);
        self.sweep(|there| {
            let mut goes = vec![false; there.len()];
            let mut at = 0;
            while at < there.len() {
                let siblings = siblings(there, at);
                let lives = |at: &usize| !there[*at].dead && !uses(&there[*at]);
                let used = siblings.iter().any(|at| uses(&there[*at]));
                if siblings.len() < 2 {
                    goes[at] = uses(&there[at]);
                } else if used && !siblings.iter().any(lives) {
                    for at in siblings {
                        goes[at] = true;
                    }
                } else {
                    for at in &siblings {
                        there[*at].dead |= uses(&there[*at]);
                    }
                    at = siblings.last().copied().unwrap_or(at).max(at);
                }
                at += 1;
            }
            goes
        })
    }

    /// An interface disappears.
    pub(super) fn unregister(&mut self, index: u32) -> Vec<Route> {
        self.sweep(|there| {
            there.iter().map(|entry| entry.hop().is_some_and(|hop| hop.index == index)).collect()
        })
    }

    /// `rt6_sync_up`.
    pub(super) fn up(&mut self, index: u32) {
        let mine = |entry: &&mut Entry| entry.hop().is_some_and(|hop| hop.index == index);
        self.tables
            .values_mut()
            .flat_map(BTreeMap::values_mut)
            .flatten()
            .filter(mine)
            .for_each(|entry| entry.dead = false);
    }

    /// `rt6_remove_prefsrc`: routes lose a preferred source that no interface has any more. Nobody is told.
    pub(super) fn forget_source(&mut self, source: IpAddr) {
        let all = self.tables.values_mut().flat_map(BTreeMap::values_mut).flatten();
        // Those that name an object keep it (Linux 6.18).
        for entry in all.filter(|entry| entry.route.source == Some(source) && entry.nexthop.is_none()) {
            entry.route.source = None;
        }
    }

    /// `addrconf_get_prefix_route` and its removal: the first route of the main table to this prefix that is by this
    /// interface and has no gateway, whoever made it.
    pub(super) fn remove_connected(&mut self, table: u32, prefix: Prefix, index: u32) -> Option<Route> {
        let there = self.tables.get_mut(&table)?.get_mut(&Place(prefix))?;
        let mine = |entry: &Entry| entry.hop() == Some(Hop { via: None, index });
        let at = there.iter().position(mine)?;
        Some(there.remove(at).route)
    }

    fn sweep(&mut self, mut goes: impl FnMut(&mut Vec<Entry>) -> Vec<bool>) -> Vec<Route> {
        let mut gone = vec![];
        for table in self.tables() {
            let Some(places) = self.tables.get_mut(&table) else { continue };
            for there in places.values_mut() {
                let mut verdicts = goes(there).into_iter();
                there.retain(|entry| {
                    let goes = verdicts.next().unwrap_or(false);
                    if goes {
                        gone.push(entry.route.clone());
                    }
                    !goes
                });
            }
        }
        gone
    }
}
