//! From decisions to the desired state of the kernel: the only place where an id becomes an address.

use super::inventory::Facts;
use super::reconcile::{Desired, MainTable, Observed, Ours};
use super::route::{Kind, MAIN_TABLE, Prefix, Route, Rule};
use super::settings::{Family, ForeignDefaults, MAX_UPLINKS, Settings};
use crate::machine::{Id, Selection, View};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
/// we came. The addresses are IPv4's dummy (RFC 7600) and one of IPv6's discard prefix (RFC 6666), which no packet
/// carries; the metric is the interface's index.
const NOTE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8));
const NOTE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8));

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
    // Interfaces that are no uplinks any more get back what they had.
    for note in situation.observed.routes.iter().filter(|route| is_note(route)) {
        desired.ignore_linkdown.entry((situation.family, note.metric)).or_insert(false);
    }
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
        desired.ignore_linkdown.insert((note.family(), note.metric), false);
    }
    desired
}

/// The default routes of the main table: each uplink's own at its own metric, and a promoted copy of the active one's
/// above all while that is not the best of them.
fn main_table(settings: &Settings, situation: &Situation<'_>) -> MainTable {
    let ours = ours(settings);
    let drained = |id: Id| situation.view.health[usize::from(id)].is_drained();
    if waits_for_evidence(settings, situation) {
        // But who drains an uplink wants no traffic on it: ours by that one go, and nothing comes instead.
        let by_drained = |route: &Route| {
            let mut facts = (0..).zip(situation.facts).filter(|(id, _)| drained(*id));
            facts.any(|(_, facts)| facts.index.is_some_and(|index| route.uses(index)))
        };
        let main = situation.observed.routes.iter().filter(|route| route.table == MAIN_TABLE);
        let (gone, kept): (Vec<&Route>, Vec<&Route>) =
            main.filter(|route| ours.owns_route(route)).partition(|route| by_drained(route));
        return if gone.is_empty() {
            MainTable::Keep
        } else {
            MainTable::Own(kept.into_iter().cloned().collect())
        };
    }
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

/// In Boot a stranger's default routes are left as they are, and ours do not compete with them.
fn waits_for_evidence(settings: &Settings, situation: &Situation<'_>) -> bool {
    let ours = ours(settings);
    let stranger = |route: &Route| route.table == MAIN_TABLE && route.is_default() && !ours.owns_route(route);
    matches!(situation.view.selection, Selection::Boot { .. })
        && situation.observed.routes.iter().any(stranger)
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
    if let (Some(index), true) = (facts.index, settings.routing.kernel_carrier) {
        keep_passing_over(settings, situation, table, index, desired);
    }
}

/// The kernel passes over the routes of this interface while it has no carrier, and a note says if it did not before.
fn keep_passing_over(
    settings: &Settings,
    situation: &Situation<'_>,
    table: u32,
    index: u32,
    desired: &mut Desired,
) {
    let family = situation.family;
    let note = Route {
        table,
        metric: index,
        destination: Prefix::host(note_of(family)),
        kind: Kind::Throw,
        hops: vec![],
        protocol: settings.routing.protocol,
        source: None,
        onlink: false,
    };
    // Wherever it stands: with other settings the interface had another table. Once taken, a note is wanted even if a
    // stranger deletes it.
    let noted = situation.observed.routes.iter().any(|route| is_note(route) && route.metric == index);
    // Unknown (an old kernel does not tell, a container cannot write): leave it alone.
    if noted
        || situation.wanted.is_some_and(|wanted| wanted.tables.contains(&note))
        || situation.observed.ignore_linkdown.get(&(family, index)) == Some(&false)
    {
        desired.tables.insert(note);
    }
    desired.ignore_linkdown.insert((family, index), true);
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
    if settings.routing.foreign_defaults == ForeignDefaults::Warn || waits_for_evidence(settings, situation) {
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

/// Strangers' default routes on interfaces that are none of ours, or on none, which the kernel prefers to all of ours:
/// whatever we decide, traffic takes those.
pub fn bypassing<'a>(settings: &'a Settings, situation: &Situation<'a>) -> impl Iterator<Item = &'a Route> {
    let ours = ours(settings);
    let main = |route: &&Route| route.table == MAIN_TABLE && route.is_default();
    let best = situation.observed.routes.iter().filter(main).filter(|route| ours.owns_route(route));
    // Before there are any of ours: those that will be.
    let first = settings.uplinks.iter().map(|uplink| uplink.metric).min();
    let best = best.map(|route| route.metric).min().or(first);
    let facts = situation.facts;
    situation.observed.routes.iter().filter(main).filter(move |route| {
        let managed = |facts: &Facts| facts.index.is_some_and(|index| route.uses(index));
        best.is_some_and(|best| route.metric <= best) && !ours.owns_route(route) && !facts.iter().any(managed)
    })
}

/// Targets that are addresses of this machine: they answer whatever the line does.
pub fn own_targets<'a>(
    settings: &'a Settings,
    family: Family,
    own: &'a BTreeSet<IpAddr>,
) -> impl Iterator<Item = (&'a str, IpAddr)> {
    settings.uplinks.iter().flat_map(move |uplink| {
        let targets = uplink.targets.iter().filter(move |target| Family::of(**target) == family);
        targets.filter(|target| own.contains(*target)).map(|target| (uplink.name.as_str(), *target))
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
    route.kind == Kind::Throw && route.destination == Prefix::host(note_of(route.family()))
}

const fn note_of(family: Family) -> IpAddr {
    match family {
        Family::V4 => NOTE_V4,
        Family::V6 => NOTE_V6,
    }
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
