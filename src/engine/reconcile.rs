//! From desired and observed state to operations: a pure difference, make before break.
//!
//! Every prefix of the list leaves a default route in the main table if both ends have one: what is new goes in before
//! what is old goes out, and a route that changes in its place is replaced by one message. Nothing that is not ours is
//! changed or removed, but for the strangers' routes that `take` names.

use super::route::{How, Kind, MAIN_TABLE, Op, Route, Rule};
use super::settings::Family;
use core::ops::Range;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How to tell what is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// Routes in the main table and rules carry this protocol.
    pub protocol: u8,
    /// Everything in these tables is ours, whoever wrote it: nobody else has business there.
    pub tables: Range<u32>,
    /// Our rules have these priorities (and the protocol).
    pub priorities: Range<u32>,
}

impl Ours {
    /// Is this route ours?
    #[must_use]
    pub fn owns_route(&self, route: &Route) -> bool {
        self.tables.contains(&route.table) || (route.table == MAIN_TABLE && route.protocol == self.protocol)
    }

    /// Is this rule ours?
    #[must_use]
    pub fn owns_rule(&self, rule: &Rule) -> bool {
        self.priorities.contains(&rule.priority) && rule.protocol == self.protocol
    }

    /// Does this route matter to us at all?
    #[must_use]
    pub fn cares_for(&self, route: &Route) -> bool {
        self.owns_route(route) || (route.table == MAIN_TABLE && route.is_default())
    }
}

/// What the kernel has, as far as we care.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Default routes of the main table, and all routes of our tables.
    pub routes: BTreeSet<Route>,
    /// All rules.
    pub rules: BTreeSet<Rule>,
    /// `ignore_routes_with_linkdown` by family and interface index, where known.
    #[serde(with = "super::pairs")]
    pub ignore_linkdown: BTreeMap<(Family, u32), bool>,
}

/// What the kernel should have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Desired {
    /// Our default routes in the main table.
    pub main: MainTable,
    /// Routes of our own tables.
    pub tables: BTreeSet<Route>,
    /// Our rules.
    pub rules: BTreeSet<Rule>,
    /// Strangers' routes in the main table that are taken over.
    pub take: BTreeSet<Route>,
    /// `ignore_routes_with_linkdown` by family and interface index.
    #[serde(with = "super::pairs")]
    pub ignore_linkdown: BTreeMap<(Family, u32), bool>,
}

/// The part of the main table that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MainTable {
    /// Change nothing.
    #[default]
    Keep,
    /// Exactly these.
    Own(BTreeSet<Route>),
}

/// What has to be done, and what cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Operations, in order.
    pub ops: Vec<Op>,
    /// Routes of ours whose place a stranger holds, in a family where we cannot go in front of him.
    pub blocked: Vec<Route>,
}

/// The operations that lead from `observed` to `desired`.
#[must_use]
pub fn reconcile(desired: &Desired, observed: &Observed, ours: &Ours) -> Difference {
    let mut difference = Difference::default();
    let empty = BTreeSet::new();
    let (main, keep_main) = match &desired.main {
        MainTable::Keep => (&empty, true),
        MainTable::Own(routes) => (routes, false),
    };
    // Tables before the rules that lead there; the main table last, its best routes first.
    for route in &desired.tables {
        put(route, observed, desired, ours, &mut difference);
    }
    for rule in desired.rules.difference(&observed.rules) {
        difference.ops.push(Op::AddRule(rule.clone()));
    }
    for (&(family, index), &on) in &desired.ignore_linkdown {
        if observed.ignore_linkdown.get(&(family, index)).is_some_and(|is| *is != on) {
            difference.ops.push(Op::IgnoreLinkdown { family, index, on });
        }
    }
    for route in main {
        put(route, observed, desired, ours, &mut difference);
    }
    // From here on things go: first from the main table, then rules, then tables.
    let unwanted = |route: &&Route| {
        let wanted = main.contains(*route) || desired.tables.contains(*route);
        let kept = keep_main && route.table == MAIN_TABLE;
        !wanted && ((ours.owns_route(route) && !kept) || desired.take.contains(*route))
    };
    let replaced = |route: &&Route| {
        let by = |op: &Op| matches!(op, Op::PutRoute(new, How::Replace) if new.slot() == route.slot());
        difference.ops.iter().any(by) && alone(route, observed)
    };
    let (from_main, from_tables): (Vec<&Route>, Vec<&Route>) = observed
        .routes
        .iter()
        .filter(unwanted)
        .filter(|route| !replaced(route))
        .partition(|route| route.table == MAIN_TABLE);
    let mut going: Vec<Op> = from_main.into_iter().map(|route| Op::DeleteRoute(route.clone())).collect();
    let stale = observed.rules.difference(&desired.rules).filter(|rule| ours.owns_rule(rule));
    going.extend(stale.map(|rule| Op::DeleteRule(rule.clone())));
    going.extend(from_tables.into_iter().map(|route| Op::DeleteRoute(route.clone())));
    difference.ops.extend(going);
    difference
}

/// Is it the only route in its place?
fn alone(route: &Route, observed: &Observed) -> bool {
    observed.routes.iter().filter(|other| other.slot() == route.slot()).count() == 1
}

fn put(route: &Route, observed: &Observed, desired: &Desired, ours: &Ours, difference: &mut Difference) {
    if observed.routes.contains(route) {
        return;
    }
    let holders: Vec<&Route> = observed.routes.iter().filter(|other| other.slot() == route.slot()).collect();
    let yields = |holder: &Route| ours.owns_route(holder) || desired.take.contains(holder);
    let all_yield = holders.iter().all(|holder| yields(holder));
    // IPv6 replaces a route with a gateway only by one with a gateway; of another sort, both are there for a moment.
    let same_sort =
        |holder: &&Route| route.family() == Family::V4 || has_gateway(holder) == has_gateway(route);
    let how = if holders.is_empty() {
        How::Add
    } else if all_yield && holders.iter().any(same_sort) {
        // The kernel replaces the first of several; the others are removed later.
        How::Replace
    } else if all_yield || route.family() == Family::V4 {
        How::Prepend
    } else {
        // Beside a stranger's route of the same metric, IPv6 would make one multipath route of both.
        difference.blocked.push(route.clone());
        return;
    };
    difference.ops.push(Op::PutRoute(route.clone(), how));
}

fn has_gateway(route: &Route) -> bool {
    route.kind == Kind::Unicast && route.hops.iter().any(|hop| hop.via.is_some())
}
