//! A route of IPv6 in its place, and its siblings.

use super::LOOPBACK;
use super::nexthops::{Nexthops, Way};
use super::request::Parts;
use crate::engine::route::{Hop, Prefix, Route};
use core::cmp::Ordering;

/// A route in its place, with what requests and notifications do not show. It has at most one hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) route: Route,
    /// The object that it names; it has no hop then.
    pub(super) nexthop: Option<u32>,
    /// When it was put there.
    pub(super) born: u64,
    /// Its interface is down, but a sibling lives.
    pub(super) dead: bool,
}

/// In the order of a walk: what lies in a prefix before the prefix itself, else by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) Prefix);

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let (Self(one), Self(two)) = (self, other);
        if one.length > two.length && two.contains(one.address) {
            Ordering::Less
        } else if two.length > one.length && one.contains(two.address) {
            Ordering::Greater
        } else {
            (one.address, two.length).cmp(&(two.address, one.length))
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Entry {
    pub(super) fn way(&self) -> Way {
        Way { route: self.route.clone(), nexthop: self.nexthop }
    }

    /// `rt6_qualify_for_ecmp`. What names an object has no siblings.
    pub(super) fn has_gateway(&self) -> bool {
        self.route.is_unicast() && self.hop().is_some_and(|hop| hop.via.is_some())
    }

    pub(super) fn hop(&self) -> Option<Hop> {
        self.route.hops.first().copied()
    }

    /// `ip6_route_del`: neither type nor source are looked at.
    pub(super) fn has(&self, parts: &Parts) -> bool {
        let hop = parts.hops.first();
        (parts.metric == 0 || parts.metric == self.route.metric)
            && (parts.protocol == 0 || parts.protocol == self.route.protocol)
            && (parts.nexthop.is_none() || parts.nexthop == self.nexthop)
            // Whatever the hops are of a route that names an object (Linux 6.18).
            && (self.nexthop.is_some() || hop.is_none_or(|wanted| {
                let own = self.hop().unwrap_or(Hop { via: None, index: LOOPBACK });
                (wanted.index == 0 || wanted.index == own.index)
                    && (wanted.via.is_none() || wanted.via == own.via)
            }))
    }
}

/// The places of a route and its siblings, in order; none if it has no gateway.
pub(super) fn siblings(there: &[Entry], at: usize) -> Vec<usize> {
    let metric = there[at].route.metric;
    let sibling = |at: &usize| there[*at].route.metric == metric && there[*at].has_gateway();
    if there[at].has_gateway() { (0..there.len()).filter(sibling).collect() } else { vec![] }
}

/// A route and its siblings as a message names them: from this one on, around. It has room for one protocol and one
/// source, which are those of this one; that one of them is on-link is read of all.
pub(super) fn ring(there: &[Entry], at: usize) -> Vec<Way> {
    let one = &there[at].route;
    let mut places = siblings(there, at);
    let Some(first) = places.iter().position(|place| *place == at) else { return vec![there[at].way()] };
    places.rotate_left(first);
    let onlink = places.iter().any(|at| there[*at].route.onlink);
    let told = |at: usize| Route { hops: there[at].route.hops.clone(), onlink, ..one.clone() };
    places.into_iter().map(|at| told(at).into()).collect()
}

/// What a lookup finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// None refuses.
    pub(super) hop: Option<Hop>,
}

/// `find_rr_leaf`: which of the entries in one place, and which of its hops, is taken for packets by this interface? If
/// others count as well, those by this interface are better. All of the first metric are looked at, and if none of them
/// will do, all others, whatever their metrics are.
pub(super) fn choose(there: &[Entry], nexthops: &Nexthops, oif: u32, others: bool) -> Option<Choice> {
    let first = there.first()?.route.metric;
    let (best, rest) = there.split_at(there.partition_point(|entry| entry.route.metric == first));
    choose_among(best, nexthops, oif, others).or_else(|| choose_among(rest, nexthops, oif, others))
}

fn choose_among(there: &[Entry], nexthops: &Nexthops, oif: u32, others: bool) -> Option<Choice> {
    let mut chosen: Option<(bool, Choice)> = None;
    for entry in there.iter().filter(|entry| !entry.dead) {
        let hops = match entry.nexthop {
            None => vec![entry.hop().unwrap_or(Hop { via: None, index: LOOPBACK })],
            Some(id) => match nexthops.hops(id) {
                Some(hops) => hops,
                // By whatever interface, and in whatever company.
                None => return Some(Choice { hop: None }),
            },
        };
        let better = |hop: &&Hop| {
            let fits = hop.index == oif;
            (fits || others) && chosen.is_none_or(|(fitted, _)| fits && !fitted)
        };
        if let Some(hop) = hops.iter().find(better).copied() {
            let choice = Choice { hop: Some(hop).filter(|_| entry.route.is_unicast()) };
            chosen = Some((hop.index == oif, choice));
        }
    }
    chosen.map(|(_, choice)| choice)
}
