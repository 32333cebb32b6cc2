//! Which routes, rules and switches the kernel should have, and whose routes stand in their way.

use super::world::{MS, Path, SECOND, World, address, dual, ip, rule, settings};
use crate::engine::input::{Input, Link};
use crate::engine::plan::{SHELF, ours, own_targets};
use crate::engine::route::{Hop, Kind, MAIN_TABLE, Prefix, Route};
use crate::engine::settings::{ForeignDefaults, MAX_UPLINKS, OnExit};
use crate::engine::{Family, Settings};
use crate::machine::Selection;

/// All but the main table: routes by table and metric, and rules by priority.
fn beside_main(world: &World) -> Vec<String> {
    let names = world.names();
    let mut routes: Vec<&Route> = world.routes.iter().filter(|route| route.table != MAIN_TABLE).collect();
    routes.sort_by_key(|route| (route.table, route.metric));
    let rules = world.rules.iter().map(|rule| (rule.priority, rule.words()));
    let mut rules: Vec<_> = rules.collect();
    rules.sort();
    routes.iter().map(|route| route.words(&names)).chain(rules.into_iter().map(|(_, words)| words)).collect()
}

fn told(world: &World, word: &str) -> usize {
    world.timeline.iter().filter(|line| line.contains(word)).count()
}

fn switched(world: &World) -> Vec<&str> {
    let ops = world.ops.iter().filter_map(|op| op.split_once(" sysctl net.ipv4.conf."));
    ops.map(|(_, what)| what).collect()
}

fn add(world: &mut World, route: &Route) {
    world.routes.insert(route.clone());
    world.tell(Input::Route(route.clone()));
    world.run(SECOND);
}

#[test]
fn each_uplink_has_a_table_of_its_own_and_rules_that_lead_there() {
    let mut wants = settings(2);
    wants.uplinks[1].mark = Some((0x10, 0xff));
    let world = World::settled(wants);
    assert_eq!(
        beside_main(&world),
        [
            "default via 192.0.2.1 dev eth0 table 7700 proto 117 metric 1",
            "throw 192.0.0.8 table 7700 proto 117 metric 10",
            "prohibit default table 7700 proto 117 metric 9999",
            "default via 192.0.3.1 dev eth1 table 7701 proto 117 metric 1",
            "throw 192.0.0.8 table 7701 proto 117 metric 11",
            "prohibit default table 7701 proto 117 metric 9999",
            "priority 7700 from all lookup main suppress_prefixlength 0 proto 117",
            "priority 7701 from all oif eth0 lookup 7700 proto 117",
            "priority 7702 from all oif eth1 lookup 7701 proto 117",
            "priority 7800 from 192.0.2.10 lookup 7700 proto 117",
            "priority 7801 from 192.0.3.10 lookup 7701 proto 117",
            "priority 7901 from all fwmark 0x10/0xff lookup 7701 proto 117",
        ]
    );
}

#[test]
fn an_uplink_without_an_address_has_neither_table_nor_rules() {
    let mut wants = settings(1);
    wants.routing.kernel_carrier = false;
    let mut world = World::settled(wants);
    assert_eq!(beside_main(&world).len(), 5, "{:#?}", beside_main(&world));
    world.links[0].name = "renamed".to_owned();
    world.tell(Input::Overrun);
    world.run(SECOND);
    assert_eq!(beside_main(&world), Vec::<String>::new());
}

#[test]
fn tables_and_priorities_are_ours_for_as_many_uplinks_as_there_are_and_for_all_if_none_is_named() {
    let two = ours(&settings(2));
    assert_eq!((two.tables, two.priorities), (7700..7702, 7700..8000));
    let none = ours(&Settings { uplinks: vec![], ..settings(1) });
    assert_eq!(none.tables, 7700..7700 + u32::try_from(MAX_UPLINKS).unwrap());
}

#[test]
fn the_carrier_switch_is_set_with_a_note_that_it_was_off_and_put_back_at_the_end() {
    let mut wants = settings(1);
    wants.routing.on_exit = OnExit::Remove;
    let mut world = World::new(wants.clone());
    world.run(5 * SECOND);
    assert_eq!(switched(&world), ["eth0.ignore_routes_with_linkdown=1"]);
    // A crash, and another run.
    let mut after = World::new(wants);
    (after.routes, after.rules, after.links) = (world.routes, world.rules, world.links);
    after.run(5 * SECOND);
    assert_eq!(after.ops, Vec::<String>::new());
    after.tell(Input::Stop);
    assert_eq!(switched(&after), ["eth0.ignore_routes_with_linkdown=0"]);
    assert!(after.routes.is_empty(), "{:?}", after.routes);
}

#[test]
fn the_carrier_switch_is_left_alone_where_it_was_on_or_is_unknown_or_is_not_to_be_set() {
    let cases = [(Some(true), true), (None, true), (Some(false), false)];
    for (was, wanted) in cases {
        let mut wants = settings(1);
        wants.routing.kernel_carrier = wanted;
        wants.routing.on_exit = OnExit::Remove;
        let mut world = World::new(wants);
        world.links[0].ignore_linkdown = was;
        world.run(5 * SECOND);
        assert_eq!(world.selection(), Selection::Primary { active: 0 });
        assert!(!beside_main(&world).iter().any(|line| line.contains("throw")), "no note: {was:?} {wanted}");
        world.tell(Input::Stop);
        assert_eq!(switched(&world), Vec::<&str>::new(), "{was:?} {wanted}");
    }
}

#[test]
fn the_carrier_switch_of_ipv6_is_read_and_set_like_that_of_ipv4() {
    let mut world = World::new(dual(2));
    world.linkdown6 = [(10, false), (11, true)].into();
    world.run(5 * SECOND);
    assert_eq!(world.linkdown6, [(10, true), (11, true)].into());
    let set: Vec<_> = world.ops.iter().filter_map(|op| op.split_once(" sysctl net.ipv6.conf.")).collect();
    assert_eq!(set, [("0.000", "eth0.ignore_routes_with_linkdown=1")]);
    let notes = beside_main(&world).into_iter().filter(|line| line.starts_with("throw 100::8"));
    assert_eq!(notes.collect::<Vec<_>>(), ["throw 100::8 table 7700 proto 117 metric 10"]);
}

#[test]
fn an_interface_that_is_no_uplink_any_more_gets_its_carrier_switch_back() {
    let mut wants = settings(2);
    wants.uplinks.remove(0);
    let mut world = World::new(wants);
    let eth0 = World::new(settings(1)).links.remove(0);
    world.links = vec![eth0, Link { index: 11, ..world.links[0].clone() }];
    world.links[0].ignore_linkdown = Some(true);
    world.links[1].ignore_linkdown = Some(true);
    let note = Route {
        table: 7700,
        metric: 10,
        destination: Prefix::host(ip("192.0.0.8")),
        kind: Kind::Throw,
        hops: vec![],
        protocol: 117,
        ..World::stranger(0, 0)
    };
    world.routes.insert(note.clone());
    world.run(5 * SECOND);
    assert_eq!(switched(&world), ["eth0.ignore_routes_with_linkdown=0"]);
    assert!(!world.routes.contains(&note));
}

#[test]
fn only_a_note_speaks_of_an_interfaces_carrier_switch() {
    let mut world = World::settled(settings(2));
    world.links.push(Link { index: 12, name: "tap0".to_owned(), ..world.links[0].clone() });
    world.tell(Input::Link(world.links[2].clone()));
    let throws = Route { table: 7700, metric: 12, kind: Kind::Throw, hops: vec![], ..World::stranger(0, 0) };
    let leads = Route { destination: Prefix::host(ip("192.0.0.8")), table: 7700, ..World::stranger(0, 12) };
    for route in [throws, leads] {
        add(&mut world, &route);
        assert!(!world.routes.contains(&route), "nobody else has business in that table");
    }
    assert_eq!(switched(&world), Vec::<&str>::new());
}

#[test]
fn the_active_uplinks_route_is_promoted_while_another_has_a_better_metric() {
    let mut wants = settings(2);
    (wants.uplinks[0].metric, wants.uplinks[1].metric) = (20, 10);
    let mut world = World::settled(wants);
    let promoted = "default via 192.0.2.1 dev eth0 proto 117 metric 5";
    assert_eq!(world.main_table().len(), 3);
    assert_eq!(world.main_table()[0], promoted);
    world.tell(Input::Drain(1));
    assert_eq!(
        world.main_table(),
        ["default via 192.0.2.1 dev eth0 proto 117 metric 20"],
        "nobody is better"
    );
    world.tell(Input::Undrain(1));
    assert_eq!(world.main_table()[0], promoted);
}

#[test]
fn a_strangers_default_on_an_uplinks_interface_is_named_if_it_outranks_one_of_ours() {
    let outranked = |route: Route| {
        let mut world = World::settled(settings(2));
        add(&mut world, &route);
        told(&world, "Outranked")
    };
    assert_eq!(outranked(World::stranger(0, 20)), 1, "of one metric the last one put is first");
    assert_eq!(outranked(World::stranger(0, 21)), 0, "worse than all of ours");
    let network = Prefix { address: ip("198.51.100.0"), length: 24 };
    assert_eq!(outranked(Route { destination: network, ..World::stranger(0, 0) }), 0, "a specific route");
    assert_eq!(outranked(Route { table: 100, ..World::stranger(0, 0) }), 0, "in a table of his own");
    assert_eq!(outranked(Route { hops: vec![Hop { via: None, index: 99 }], ..World::stranger(0, 0) }), 0);
}

#[test]
fn a_strangers_default_elsewhere_is_named_if_it_beats_all_of_ours() {
    let bypassed = |world: &mut World, metric: u32, hops: Vec<Hop>| {
        let before = told(world, "Bypassed");
        let route = Route { hops, ..World::stranger(0, metric) };
        add(world, &route);
        world.routes.remove(&route);
        world.tell(Input::RouteGone(route));
        told(world, "Bypassed") - before
    };
    let elsewhere = vec![Hop { via: None, index: 99 }];
    let mut world = World::settled(settings(2));
    assert_eq!(bypassed(&mut world, 10, elsewhere.clone()), 1);
    assert_eq!(bypassed(&mut world, 11, elsewhere.clone()), 0, "ours is better");
    assert_eq!(bypassed(&mut world, 0, vec![]), 1, "one that leads nowhere");
    let ours = World::stranger(0, 0).hops;
    assert_eq!(bypassed(&mut world, 0, ours), 0, "on an uplink's interface it is another story");
    // The best of ours is the promoted route now.
    world.carrier(0, false);
    assert_eq!(bypassed(&mut world, 6, elsewhere.clone()), 0);
    assert_eq!(bypassed(&mut world, 5, elsewhere.clone()), 1);
    // Before there are any of ours, it is measured against those that will be.
    let mut world = World::new(settings(2));
    world.paths = vec![Path::Silent; 2];
    world.routes.insert(World::stranger(1, 100));
    world.run(SECOND);
    assert_eq!(bypassed(&mut world, 10, elsewhere.clone()), 1);
    assert_eq!(bypassed(&mut world, 11, elsewhere), 0);
}

#[test]
fn a_strangers_route_is_taken_to_the_shelf_of_its_uplink_and_no_further_than_that() {
    let mut wants = settings(2);
    wants.routing.foreign_defaults = ForeignDefaults::Replace;
    let mut world = World::settled(wants);
    let his = World::stranger(1, 7);
    add(&mut world, &his);
    let shelved = Route { table: 7701, metric: SHELF + 7, ..his.clone() };
    assert!(world.routes.contains(&shelved) && !world.routes.contains(&his), "{:#?}", world.ops);
    // His client makes it anew, by another gateway: the old one is forgotten.
    let anew = Route { hops: vec![Hop { via: Some(ip("192.0.3.77")), index: 11 }], ..his };
    add(&mut world, &anew);
    let on_the_shelf: Vec<&Route> = world.routes.iter().filter(|route| route.metric >= SHELF).collect();
    assert_eq!(on_the_shelf, [&Route { table: 7701, metric: SHELF + 7, ..anew }]);
    assert_eq!(told(&world, "Evicted"), 0, "{:#?}", world.timeline);
    let worse = World::stranger(1, 21);
    add(&mut world, &worse);
    assert!(world.routes.contains(&worse), "it stands in nobody's way");
}

#[test]
fn in_boot_nothing_of_a_strangers_is_taken() {
    let mut wants = settings(2);
    wants.routing.foreign_defaults = ForeignDefaults::Replace;
    let mut world = World::new(wants);
    world.paths = vec![Path::Silent; 2];
    let his = World::stranger(1, 0);
    world.routes.insert(his.clone());
    world.run(5 * SECOND);
    assert!(world.routes.contains(&his), "there is no evidence yet");
    world.paths = vec![Path::Answers(20 * MS); 2];
    world.run(20 * SECOND);
    assert!(!world.routes.contains(&his), "{:#?}", world.timeline);
}

#[test]
fn to_drain_in_boot_takes_our_routes_by_that_uplink_and_brings_none_instead() {
    for foreign in [ForeignDefaults::Warn, ForeignDefaults::Replace] {
        let mut wants = settings(2);
        wants.routing.foreign_defaults = foreign;
        let mut world = World::new(wants.clone());
        world.paths = vec![Path::Silent; 2];
        world.routes.insert(World::stranger(1, 15));
        world.run(SECOND);
        world.tell(Input::Drain(1));
        world.run(SECOND);
        let main = |world: &World| {
            let main = world.routes.iter().filter(|route| route.table == MAIN_TABLE);
            main.map(|route| (route.metric, route.hops[0].index)).collect::<Vec<_>>()
        };
        assert_eq!(main(&world), [(15, 11)], "nothing of ours, and his");
        // With nothing left to choose Boot begins anew.
        let mut world = World::settled(wants);
        add(&mut world, &World::stranger(1, 300));
        world.paths[1] = Path::Silent;
        world.run(20 * SECOND);
        world.tell(Input::Drain(0));
        assert_eq!(world.selection(), Selection::Boot { adopted: None, overdue: true });
        assert_eq!(main(&world), [(20, 11), (300, 11)]);
        world.tell(Input::Undrain(0));
        world.run(3 * SECOND);
        assert_eq!(main(&world), [(10, 10), (20, 11), (300, 11)]);
    }
}

#[test]
fn a_target_of_ones_own_is_found_in_its_family() {
    let wants = dual(1);
    let own =
        [address(10, "203.0.113.2", 24), address(10, "2001:db8:f::3", 64), address(10, "192.0.2.10", 24)];
    let own = own.iter().map(|address| address.prefix.address).collect();
    let found = |family| own_targets(&wants, family, &own).collect::<Vec<_>>();
    assert_eq!(found(Family::V4), [("wan0", ip("203.0.113.2"))]);
    assert_eq!(found(Family::V6), [("wan0", ip("2001:db8:f::3"))]);
}

#[test]
fn a_strangers_rule_is_left_alone_and_one_that_an_earlier_run_left_is_removed() {
    let mut world = World::new(settings(1));
    let rule = |priority, protocol| rule(Family::V4, priority, protocol);
    let his = [rule(0, 2), rule(7750, 0), rule(7699, 117), rule(8000, 117)];
    let ours = [rule(7750, 117), rule(7999, 117)];
    world.rules = his.iter().chain(&ours).cloned().collect();
    world.run(5 * SECOND);
    assert!(his.iter().all(|rule| world.rules.contains(rule)), "{:#?}", world.ops);
    assert!(!ours.iter().any(|rule| world.rules.contains(rule)), "{:#?}", world.ops);
}

#[test]
fn what_comes_comes_from_the_end_of_the_way_and_what_goes_goes_from_its_beginning() {
    let mut wants = settings(1);
    wants.routing.kernel_carrier = false;
    wants.routing.on_exit = OnExit::Remove;
    let mut world = World::settled(wants.clone());
    let place = |op: &String| match op.as_str() {
        op if op.contains(" rule ") => "rule",
        op if op.contains(" table ") => "table",
        _ => "main",
    };
    world.tell(Input::Stop);
    let mut going: Vec<&str> = world.ops.iter().map(place).collect();
    going.dedup();
    assert_eq!(going, ["main", "rule", "table"], "{:#?}", world.ops);
    let mut world = World::new(wants);
    world.run(SECOND);
    let mut coming: Vec<&str> = world.ops.iter().map(place).collect();
    coming.dedup();
    assert_eq!(coming, ["table", "rule", "main"], "{:#?}", world.ops);
}

#[test]
fn a_move_between_two_backups_is_one_message() {
    let mut world = World::settled(settings(3));
    world.carrier(0, false);
    world.ops.clear();
    world.carrier(1, false);
    assert_eq!(world.ops, ["5.000 ip route replace default via 192.0.4.1 dev eth2 proto 117 metric 5"]);
}
