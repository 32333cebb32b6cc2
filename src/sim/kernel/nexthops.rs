//! Which nexthop objects there are, and what becomes of routes that name them.

use super::nexthop::{Member, Nexthop, NexthopKind};
use super::request::{HOST, LINK};
use crate::engine::Family;
use crate::engine::route::{Hop, Kind, Route};
use std::collections::BTreeMap;

/// RTN_BLACKHOLE.
const BLACKHOLE: Kind = Kind::Other(6);

/// A route, and the object that it names instead of having hops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) route: Route,
    pub(super) nexthop: Option<u32>,
}

/// An object in its place, with what requests do not show.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) nexthop: Nexthop,
    /// How far the neighbour is (`RT_SCOPE_*`).
    pub(super) scope: u8,
    /// In which groups it is, the one first that was made or shrank last.
    pub(super) groups: Vec<u32>,
    /// When it was made or replaced.
    born: u64,
}

/// One way of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) family: Family,
    /// None drops the packet.
    pub(super) hop: Option<Hop>,
    pub(super) onlink: bool,
}

/// All objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Nexthops {
    all: BTreeMap<u32, Object>,
    born: u64,
}

impl From<Route> for Way {
    fn from(route: Route) -> Self {
        Self { route, nexthop: None }
    }
}

impl Nexthops {
    pub(super) fn get(&self, id: u32) -> Option<&Object> {
        self.all.get(&id)
    }

    /// By number, as in a dump.
    pub(super) fn all(&self) -> impl Iterator<Item = &Object> {
        self.all.values()
    }

    /// The single ones that lead by this interface, the newest first.
    pub(super) fn by(&self, index: u32) -> Vec<u32> {
        let by = |object: &&Object| matches!(object.nexthop.kind, NexthopKind::Single { hop, .. } if hop.index == index);
        let mut found: Vec<&Object> = self.all.values().filter(by).collect();
        found.sort_by_key(|object| core::cmp::Reverse(object.born));
        found.into_iter().map(|object| object.nexthop.id).collect()
    }

    /// Puts an object in its place, which may be taken by one of the same sort: then its groups keep it.
    pub(super) fn put(&mut self, nexthop: Nexthop, scope: u8) {
        let id = nexthop.id;
        let groups = self.all.get(&id).map(|old| old.groups.clone()).unwrap_or_default();
        self.leave(id);
        self.join(&nexthop);
        self.born += 1;
        self.all.insert(id, Object { nexthop, scope, groups, born: self.born });
    }

    pub(super) fn remove(&mut self, id: u32) {
        self.leave(id);
        self.all.remove(&id);
    }

    /// `remove_nh_grp_entry`: the group has this member no more, but others.
    pub(super) fn shrink(&mut self, group: u32, gone: u32) {
        self.leave(group);
        let Some(object) = self.all.get_mut(&group) else { return };
        if let NexthopKind::Group(members) = &mut object.nexthop.kind {
            members.retain(|member| member.id != gone);
        }
        let nexthop = object.nexthop.clone();
        self.join(&nexthop);
    }

    /// As the newest of its members' groups.
    fn join(&mut self, group: &Nexthop) {
        for member in members(&group.kind) {
            if let Some(object) = self.all.get_mut(&member.id) {
                object.groups.insert(0, group.id);
            }
        }
    }

    fn leave(&mut self, group: u32) {
        for object in self.all.values_mut() {
            object.groups.retain(|id| *id != group);
        }
    }

    /// The ways of an object, or of one that is to be made.
    pub(super) fn legs(&self, kind: &NexthopKind) -> Vec<Leg> {
        match kind {
            NexthopKind::Blackhole(family) => vec![Leg { family: *family, hop: None, onlink: false }],
            NexthopKind::Single { family, hop, onlink } => {
                vec![Leg { family: *family, hop: Some(*hop), onlink: *onlink }]
            }
            NexthopKind::Group(members) => {
                let objects = members.iter().filter_map(|member| self.get(member.id));
                objects.flat_map(|object| self.legs(&object.nexthop.kind)).collect()
            }
        }
    }

    /// The ways of a route that names an object. None where that is a blackhole, of which a group has no more than one.
    pub(super) fn hops(&self, id: u32) -> Option<Vec<Hop>> {
        let legs = self.get(id).map(|object| self.legs(&object.nexthop.kind)).unwrap_or_default();
        legs.into_iter().map(|leg| leg.hop).collect()
    }

    /// `fib_check_nexthop`: may routes of IPv4 that lead so far name it?
    pub(super) fn suits4(&self, kind: &NexthopKind, scope: u8) -> bool {
        // All of a group are said to have the scope of the first.
        let first = self.legs(kind).first().copied();
        let gateway = first.and_then(|leg| leg.hop).is_some_and(|hop| hop.via.is_some());
        let onlink = first.is_some_and(|leg| leg.onlink);
        let group = matches!(kind, NexthopKind::Group(_));
        !(scope == HOST && (group || gateway) || onlink && scope >= LINK)
    }

    /// `fib6_check_nexthop`: may routes of IPv6 name it?
    pub(super) fn suits6(&self, kind: &NexthopKind) -> bool {
        self.legs(kind).iter().all(|leg| leg.family == Family::V6)
    }

    /// A route as it is told: with the hops of the object that it names, for which IPv6 tells as many routes.
    pub(super) fn shown(&self, way: &Way) -> Vec<Route> {
        let Some(object) = way.nexthop.and_then(|id| self.get(id)) else { return vec![way.route.clone()] };
        let legs = self.legs(&object.nexthop.kind);
        let mut route = way.route.clone();
        route.onlink = legs.iter().any(|leg| leg.onlink);
        if legs.iter().any(|leg| leg.hop.is_none()) {
            route.kind = BLACKHOLE;
        }
        if route.kind == Kind::Unicast {
            route.hops = legs.iter().filter_map(|leg| leg.hop).collect();
        }
        match route.family() {
            Family::V6 if route.hops.len() > 1 => {
                route.hops.iter().map(|hop| Route { hops: vec![*hop], ..route.clone() }).collect()
            }
            Family::V4 | Family::V6 => vec![route],
        }
    }
}

/// Those of a group.
pub(super) fn members(kind: &NexthopKind) -> &[Member] {
    match kind {
        NexthopKind::Group(members) => members,
        NexthopKind::Blackhole(_) | NexthopKind::Single { .. } => &[],
    }
}
