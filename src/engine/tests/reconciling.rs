//! The difference of desired and observed state, against a kernel of a few lines.

use super::world::{ip, rule};
use crate::engine::Family;
use crate::engine::reconcile::{Desired, MainTable, Observed, Ours, reconcile};
use crate::engine::route::{Hop, How, Kind, MAIN_TABLE, Op, Prefix, Route, Rule};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::collections::BTreeSet;

const OURS: u8 = 117;
const DHCP: u8 = 16;

fn ours() -> Ours {
    Ours { protocol: OURS, tables: 7700..7800, priorities: 7700..8000 }
}

/// Small on purpose: collisions have to happen.
fn route(family: Family) -> impl Strategy<Value = Route> {
    let table = prop_oneof![4 => Just(MAIN_TABLE), 1 => Just(7700_u32)];
    let metric = prop_oneof![Just(5_u32), Just(10), Just(20)];
    let protocol = prop_oneof![2 => Just(OURS), 1 => Just(DHCP)];
    (table, metric, protocol, 1_u32..=2, any::<bool>()).prop_map(
        move |(table, metric, protocol, index, direct)| {
            let gateway = match family {
                Family::V4 => ip(&format!("192.0.2.{index}")),
                Family::V6 => ip(&format!("2001:db8::{index}")),
            };
            Route {
                table,
                metric,
                destination: Prefix::default_route(family),
                kind: Kind::Unicast,
                hops: vec![Hop { via: (!direct).then_some(gateway), index }],
                protocol,
                source: None,
                onlink: false,
            }
        },
    )
}

fn some_rule(family: Family) -> impl Strategy<Value = Rule> {
    (7690_u32..7704, prop_oneof![Just(OURS), Just(0_u8)])
        .prop_map(move |(priority, protocol)| rule(family, priority, protocol))
}

/// At most one of our routes in each place, as `plan` makes them; of the observed ones, some strangers' are taken.
fn case(family: Family) -> impl Strategy<Value = (Desired, Observed)> {
    let wanted = btree_set(route(family), 0..4).prop_map(|routes| {
        let mut places = BTreeSet::new();
        routes
            .into_iter()
            .map(|route| Route { protocol: OURS, ..route })
            .filter(|route| places.insert(route.slot()))
            .collect::<BTreeSet<Route>>()
    });
    let observed = (btree_set(route(family), 0..6), btree_set(some_rule(family), 0..4));
    (wanted, any::<bool>(), btree_set(some_rule(family), 0..4), observed, any::<u8>()).prop_map(
        |(wanted, keep, rules, (routes, observed_rules), take)| {
            let (main, tables) = wanted.into_iter().partition(|route| route.table == MAIN_TABLE);
            let stranger = |route: &&Route| route.table == MAIN_TABLE && route.protocol != OURS;
            let taken = routes.iter().filter(stranger).enumerate().filter(|(n, _)| take & (1 << n) != 0);
            let desired = Desired {
                take: if keep { BTreeSet::new() } else { taken.map(|(_, route)| route.clone()).collect() },
                main: if keep { MainTable::Keep } else { MainTable::Own(main) },
                tables,
                rules: rules
                    .into_iter()
                    .map(|rule| Rule { protocol: OURS, priority: rule.priority.max(7700), ..rule })
                    .collect(),
                ..Desired::default()
            };
            (desired, Observed { routes, rules: observed_rules, ..Observed::default() })
        },
    )
}

/// What Linux does; a removal of what is not there is refused and harmless.
fn apply(state: &mut Observed, op: &Op) {
    let gateway = |route: &Route| route.hops.iter().any(|hop| hop.via.is_some());
    match op {
        Op::PutRoute(route, how) => {
            let holders: Vec<Route> =
                state.routes.iter().filter(|old| old.slot() == route.slot()).cloned().collect();
            match how {
                How::Add => assert!(holders.is_empty(), "EEXIST: {route:?}"),
                How::Prepend => {
                    let joins = route.family() == Family::V6
                        && holders.iter().any(|old| gateway(old) && gateway(route));
                    assert!(!joins, "it would become a multipath route with {holders:?}");
                }
                How::Replace if route.family() == Family::V6 => {
                    state.routes.retain(|old| old.slot() != route.slot() || gateway(old) != gateway(route));
                }
                How::Replace => {
                    state.routes.remove(holders.first().expect("nothing to replace"));
                }
            }
            state.routes.insert(route.clone());
        }
        Op::DeleteRoute(route) => {
            state.routes.remove(route);
        }
        Op::AddRule(rule) => assert!(state.rules.insert(rule.clone()), "EEXIST: {rule:?}"),
        Op::DeleteRule(rule) => assert!(state.rules.remove(rule), "ENOENT: {rule:?}"),
        Op::IgnoreLinkdown { .. } => {}
    }
}

/// Does the main table have a default route that sends packets anywhere?
fn is_routed(routes: &BTreeSet<Route>, family: Family) -> bool {
    let default = Prefix::default_route(family);
    routes.iter().any(|route| route.table == MAIN_TABLE && route.destination == default && route.is_unicast())
}

fn check(family: Family, desired: &Desired, before: &Observed) -> Result<(), TestCaseError> {
    let difference = reconcile(desired, before, &ours());
    let mut after = before.clone();
    let mut prefixes = vec![before.clone()];
    for op in &difference.ops {
        apply(&mut after, op);
        prefixes.push(after.clone());
    }
    if is_routed(&before.routes, family) && is_routed(&after.routes, family) {
        for prefix in &prefixes {
            prop_assert!(is_routed(&prefix.routes, family), "unrouted on the way: {:?}", difference.ops);
        }
    }
    let strange = |route: &&Route| !ours().owns_route(route) && !desired.take.contains(*route);
    let routes = |state: &Observed| state.routes.iter().filter(strange).cloned().collect::<Vec<_>>();
    let strange = |rule: &&Rule| !ours().owns_rule(rule);
    let rules = |state: &Observed| state.rules.iter().filter(strange).cloned().collect::<Vec<_>>();
    // Not even on the way: for a moment without it a stranger's route is gone.
    for prefix in &prefixes {
        prop_assert_eq!(routes(before), routes(prefix), "a stranger's route was touched");
        prop_assert_eq!(rules(before), rules(prefix), "a stranger's rule was touched");
    }
    // Nothing of ours is left that is not wanted.
    let own: BTreeSet<Rule> = after.rules.iter().filter(|rule| ours().owns_rule(rule)).cloned().collect();
    prop_assert_eq!(&own, &desired.rules);
    for route in after.routes.iter().filter(|route| ours().owns_route(route)) {
        let wanted = match &desired.main {
            _ if route.table != MAIN_TABLE => desired.tables.contains(route),
            MainTable::Keep => true,
            MainTable::Own(main) => main.contains(route),
        };
        prop_assert!(wanted, "left behind: {route:?}");
    }
    prop_assert!(desired.take.is_disjoint(&after.routes), "not taken");
    let again = reconcile(desired, &after, &ours());
    prop_assert!(again.ops.is_empty(), "not in one pass: {:?}, then {:?}", difference.ops, again.ops);
    for route in desired.tables.iter().chain(
        match &desired.main {
            MainTable::Keep => None,
            MainTable::Own(main) => Some(main),
        }
        .into_iter()
        .flatten(),
    ) {
        let there = after.routes.contains(route) || difference.blocked.contains(route);
        prop_assert!(there, "neither there nor blocked: {route:?}");
    }
    if desired.main == MainTable::Keep {
        let main = |state: &Observed| {
            state.routes.iter().filter(|route| route.table == MAIN_TABLE).cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(main(before), main(&after), "the main table was to be kept");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4096,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/proptest-regressions/reconciling.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn ipv4_is_reached_in_one_pass_always_routed_and_strangers_are_left_alone(
        (desired, observed) in case(Family::V4)
    ) {
        check(Family::V4, &desired, &observed)?;
    }

    #[test]
    fn ipv6_is_reached_in_one_pass_always_routed_and_strangers_are_left_alone(
        (desired, observed) in case(Family::V6)
    ) {
        check(Family::V6, &desired, &observed)?;
    }
}
