//! From decisions to the desired state of the kernel: the only place where an id becomes an address.

use super::inventory::Facts;
use super::reconcile::{Desired, MainTable, Observed, Ours};
use super::route::{Kind, MAIN_TABLE, Prefix, Route, Rule};
use super::settings::{Family, ForeignDefaults, MAX_UPLINKS, Settings};
use crate::machine::{Id, Selection, View};
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeSet;

/// Metric of an uplink's default route in its own table.
const TABLE_METRIC: u32 = 1;
/// Metric of the last resort in an uplink's table, behind everything: nothing leaks to another uplink.
const LAST_RESORT_METRIC: u32 = 9999;
/// In an uplink's table, from this metric on, a stranger's default routes wait to be put back: behind the last resort
/// they carry nothing. What they had in the main table is added to it. One shelf per uplink, because two DHCP clients
/// like to use the same metric.
pub const SHELF: u32 = 1_000_000;
/// Offsets of our rules from the first priority: all uplinks' `oif` rules come before all `from`, and these before the
/// marks. Each block has room for [`super::settings::MAX_UPLINKS`].
const OIF: u32 = 1;
const FROM: u32 = 100;
const MARK: u32 = 200;
/// A note to ourselves in an uplink's table, for the time after a crash: `ignore_routes_with_linkdown` was off before
/// we came. The address is IPv4's dummy (RFC 7600), which no packet carries; the metric is the interface's index.
const NOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8));

/// What one family's core decided, and what is known of each uplink.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// Which family.
    pub family: Family,
    /// The decisions.
    pub view: &'a View,
    /// Facts per uplink, by id.
    pub facts: &'a [Facts],
    /// What the kernel has.
    pub observed: &'a Observed,
    /// What the last plan wanted.
    pub wanted: Option<&'a Desired>,
}

/// The numbers that mark what is ours: as many tables as there are uplinks, and all that there could be when none is
/// named.
#[must_use]
pub fn ours(settings: &Settings) -> Ours {
    let routing = &settings.routing;
    let uplinks = if settings.uplinks.is_empty() { MAX_UPLINKS } else { settings.uplinks.len() };
    let uplinks = u32::try_from(uplinks).unwrap_or(u32::MAX);
    Ours {
        protocol: routing.protocol,
        tables: routing.first_table..routing.first_table.saturating_add(uplinks),
        priorities: routing.first_priority..routing.first_priority + 300,
    }
}

/// The desired state.
#[must_use]
pub fn plan(settings: &Settings, situation: &Situation<'_>) -> Desired {
    let mut desired = Desired { main: main_table(settings, situation), ..Desired::default() };
    for (id, facts) in (0..).zip(situation.facts) {
        uplink_table(settings, situation, id, facts, &mut desired);
        uplink_rules(settings, situation.family, id, facts, &mut desired);
    }
    if !desired.rules.is_empty() {
        desired.rules.insert(Rule {
            suppress_prefixlength: Some(0),
            table: MAIN_TABLE,
            ..rule(settings, situation.family, 0)
        });
    }
    shelve(settings, situation, &mut desired);
    desired
}

/// The state without us: what we took over is put back, what is ours goes.
#[must_use]
pub fn leave(settings: &Settings, observed: &Observed) -> Desired {
    let ours = ours(settings);
    let back = |route: &Route| Route { table: MAIN_TABLE, metric: route.metric - SHELF, ..route.clone() };
    let shelved = observed.routes.iter().filter(|route| is_shelved(route, &ours));
    let mut desired = Desired { main: MainTable::Own(shelved.map(back).collect()), ..Desired::default() };
    for note in observed.routes.iter().filter(|route| is_note(route)) {
        desired.ignore_linkdown.insert(note.metric, false);
    }
    desired
}

/// The default routes of the main table: each uplink's own at its own metric, and a promoted copy of the active one's
/// above all while that is not the best of them.
fn main_table(settings: &Settings, situation: &Situation<'_>) -> MainTable {
    let ours = ours(settings);
    let stranger = |route: &Route| route.table == MAIN_TABLE && route.is_default() && !ours.owns_route(route);
    if matches!(situation.view.selection, Selection::Boot { .. })
        && situation.observed.routes.iter().any(stranger)
    {
        return MainTable::Keep;
    }
    let drained = |id: Id| situation.view.health[usize::from(id)].is_drained();
    let metric = |id: Id| settings.uplinks[usize::from(id)].metric;
    let mut routes = BTreeSet::new();
    for (id, facts) in (0..).zip(situation.facts).filter(|(id, _)| !drained(*id)) {
        routes.extend(default_route(settings, situation.family, facts, MAIN_TABLE, metric(id)));
    }
    let better =
        |active: Id| (0..).zip(situation.facts).any(|(id, _)| !drained(id) && metric(id) < metric(active));
    if let Some(active) = situation.view.active.filter(|active| !drained(*active) && better(*active)) {
        let facts = &situation.facts[usize::from(active)];
        let promoted = settings.routing.promoted_metric;
        routes.extend(default_route(settings, situation.family, facts, MAIN_TABLE, promoted));
    }
    MainTable::Own(routes)
}

/// An uplink's own table exists as soon as it has an address: packets that must use this uplink find their way, or
/// none.
fn uplink_table(
    settings: &Settings,
    situation: &Situation<'_>,
    id: Id,
    facts: &Facts,
    desired: &mut Desired,
) {
    let table = settings.routing.first_table + u32::from(id);
    let family = situation.family;
    if !facts.addresses.is_empty() {
        desired.tables.extend(default_route(settings, family, facts, table, TABLE_METRIC));
        desired.tables.insert(Route {
            table,
            metric: LAST_RESORT_METRIC,
            destination: Prefix::default_route(family),
            kind: Kind::Prohibit,
            hops: vec![],
            protocol: settings.routing.protocol,
            source: None,
            onlink: false,
        });
    }
    let (Family::V4, Some(index), true) = (family, facts.index, settings.routing.kernel_carrier) else {
        return;
    };
    let note = Route {
        table,
        metric: index,
        destination: Prefix::host(NOTE),
        kind: Kind::Throw,
        hops: vec![],
        protocol: settings.routing.protocol,
        source: None,
        onlink: false,
    };
    // Unknown (an old kernel does not tell): leave it alone. Once taken, a note is wanted even if a stranger deletes it.
    if situation.observed.routes.contains(&note)
        || situation.wanted.is_some_and(|wanted| wanted.tables.contains(&note))
        || situation.observed.ignore_linkdown.get(&index) == Some(&false)
    {
        desired.tables.insert(note);
    }
    desired.ignore_linkdown.insert(index, true);
}

fn uplink_rules(settings: &Settings, family: Family, id: Id, facts: &Facts, desired: &mut Desired) {
    let uplink = &settings.uplinks[usize::from(id)];
    if facts.addresses.is_empty() {
        return;
    }
    let table = settings.routing.first_table + u32::from(id);
    let rule = |offset: u32| Rule { table, ..rule(settings, family, offset + u32::from(id)) };
    desired.rules.insert(Rule { oif: Some(uplink.interface.clone()), ..rule(OIF) });
    for address in &facts.addresses {
        desired.rules.insert(Rule { from: Some(Prefix::host(*address)), ..rule(FROM) });
    }
    if let Some(mark) = uplink.mark {
        desired.rules.insert(Rule { mark: Some(mark), ..rule(MARK) });
    }
}

/// A stranger's default routes that outrank ours on an uplink's interface go to the shelf, if that is wanted; what lies
/// there stays until we leave.
fn shelve(settings: &Settings, situation: &Situation<'_>, desired: &mut Desired) {
    let ours = ours(settings);
    let shelved = situation.observed.routes.iter().filter(|route| is_shelved(route, &ours));
    desired.tables.extend(shelved.cloned());
    if settings.routing.foreign_defaults == ForeignDefaults::Warn || desired.main == MainTable::Keep {
        return;
    }
    for route in outranking(settings, situation) {
        let uses = |facts: &Facts| facts.index.is_some_and(|index| route.uses(index));
        let Some(id) = (0..).zip(situation.facts).find(|(_, facts)| uses(facts)).map(|(id, _)| id) else {
            continue;
        };
        if !is_takeable(route) {
            continue;
        }
        let place = Route { table: ours.tables.start + id, metric: SHELF + route.metric, ..route.clone() };
        desired.tables.retain(|kept| kept.slot() != place.slot());
        desired.tables.insert(place);
        desired.take.insert(route.clone());
    }
}

/// Strangers' default routes on uplinks' interfaces that the kernel prefers to one of ours.
pub fn outranking<'a>(settings: &'a Settings, situation: &Situation<'a>) -> impl Iterator<Item = &'a Route> {
    let ours = ours(settings);
    let worst = settings.uplinks.iter().map(|uplink| uplink.metric).max().unwrap_or(0);
    let facts = situation.facts;
    situation.observed.routes.iter().filter(move |route| {
        let managed = |facts: &Facts| facts.index.is_some_and(|index| route.uses(index));
        route.table == MAIN_TABLE
            && route.is_default()
            && route.metric <= worst
            && !ours.owns_route(route)
            && facts.iter().any(managed)
    })
}

/// Can it be put back as it was? Of a multipath route, which may lead over interfaces that are none of our business, we
/// do not know enough.
#[must_use]
pub fn is_takeable(route: &Route) -> bool {
    route.hops.len() == 1
}

/// Does it wait to be put back?
#[must_use]
pub fn is_shelved(route: &Route, ours: &Ours) -> bool {
    ours.tables.contains(&route.table) && route.is_default() && route.is_unicast() && route.metric >= SHELF
}

/// Is this the note that `ignore_routes_with_linkdown` was off?
fn is_note(route: &Route) -> bool {
    route.kind == Kind::Throw && route.destination == Prefix::host(NOTE)
}

fn default_route(
    settings: &Settings,
    family: Family,
    facts: &Facts,
    table: u32,
    metric: u32,
) -> Option<Route> {
    let hop = facts.hop?;
    Some(Route {
        table,
        metric,
        destination: Prefix::default_route(family),
        kind: Kind::Unicast,
        hops: vec![hop],
        protocol: settings.routing.protocol,
        source: None,
        onlink: facts.onlink,
    })
}

fn rule(settings: &Settings, family: Family, offset: u32) -> Rule {
    Rule {
        family,
        priority: settings.routing.first_priority + offset,
        from: None,
        oif: None,
        mark: None,
        table: 0,
        suppress_prefixlength: None,
        protocol: settings.routing.protocol,
        strange: false,
    }
}
