//! A route of IPv6 in its place, and its siblings.

use super::LOOPBACK;
use super::request::Parts;
use crate::engine::route::{Hop, Prefix, Route};
use core::cmp::Ordering;

/// A route in its place, with what requests and notifications do not show. It has at most one hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) route: Route,
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
    /// `rt6_qualify_for_ecmp`.
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
            && hop.is_none_or(|wanted| {
                let own = self.hop().unwrap_or(Hop { via: None, index: LOOPBACK });
                (wanted.index == 0 || wanted.index == own.index)
                    && (wanted.via.is_none() || wanted.via == own.via)
            })
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
pub(super) fn ring(there: &[Entry], at: usize) -> Vec<Route> {
    let one = &there[at].route;
    let mut places = siblings(there, at);
    let Some(first) = places.iter().position(|place| *place == at) else { return vec![one.clone()] };
    places.rotate_left(first);
    let onlink = places.iter().any(|at| there[*at].route.onlink);
    places.into_iter().map(|at| Route { hops: there[at].route.hops.clone(), onlink, ..one.clone() }).collect()
}
