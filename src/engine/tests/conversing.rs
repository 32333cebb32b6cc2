//! The conversation with the kernel: strangers' routes, refusals, what an earlier run left, and the end.

use super::world::{MS, Path, SECOND, World, dual, lines, settings};
use crate::engine::input::{Input, Link};
use crate::engine::report::Notice;
use crate::engine::route::{Op, Route};
use crate::engine::settings::{ForeignDefaults, OnExit};
use crate::engine::{Action, FAREWELL, Family};
use crate::machine::{Command, Selection, Sync};
use insta::assert_snapshot;

#[test]
fn a_restart_in_fallback_adopts_and_moves_nothing() {
    let mut before = World::settled(settings(2));
    before.carrier(0, false);
    let mut after = World::new(settings(2));
    after.routes = before.routes.clone();
    after.rules = before.rules.clone();
    after.links = before.links.clone();
    after.links[0].carrier = true;
    after.run(5 * SECOND);
    assert_eq!(after.ops, Vec::<String>::new(), "what an earlier run left is what we want");
    assert_eq!(after.selection(), Selection::Proving { active: 1 }, "{:#?}", after.timeline);
}

#[test]
fn a_strangers_better_default_is_named_or_taken_and_put_back() {
    let mut world = World::settled(settings(2));
    let dhcp = World::stranger(0, 0);
    world.routes.insert(dhcp.clone());
    world.tell(Input::Route(dhcp.clone()));
    assert!(world.timeline.last().unwrap().contains("Outranked"), "{:#?}", world.timeline);
    assert!(world.routes.contains(&dhcp), "warn changes nothing");

    let mut wants = settings(2);
    wants.routing.foreign_defaults = ForeignDefaults::Replace;
    wants.routing.on_exit = OnExit::Remove;
    let mut world = World::settled(wants);
    world.routes.insert(dhcp.clone());
    world.tell(Input::Route(dhcp.clone()));
    assert_snapshot!(lines(&world.ops), @r"
    5.000 ip route add default via 192.0.2.1 dev eth0 table 7700 proto dhcp metric 1000000
    5.000 ip route del default via 192.0.2.1 dev eth0 proto dhcp
    ");
    world.tell(Input::Stop);
    assert_eq!(world.done, Some(0));
    assert_eq!(world.routes.iter().collect::<Vec<_>>(), [&dhcp], "ours are gone, his is back");
    assert!(world.rules.is_empty());
}

#[test]
fn two_strangers_with_the_same_metric_are_both_taken_and_both_put_back() {
    let mut wants = settings(2);
    wants.routing.foreign_defaults = ForeignDefaults::Replace;
    wants.routing.on_exit = OnExit::Remove;
    let mut world = World::settled(wants);
    let his = [World::stranger(0, 0), World::stranger(1, 0)];
    for route in &his {
        world.routes.insert(route.clone());
        world.tell(Input::Route(route.clone()));
    }
    assert!(!his.iter().any(|route| world.routes.contains(route)), "{:#?}", world.ops);
    world.tell(Input::Stop);
    assert_eq!(world.routes.iter().collect::<Vec<_>>(), his.iter().collect::<Vec<_>>());
}

#[test]
fn a_route_that_a_stranger_replaced_is_put_back_in_front_of_his() {
    let mut world = World::settled(settings(2));
    let ours = world.routes.iter().find(|route| route.metric == 10).cloned().unwrap();
    let his = World::stranger(1, 10);
    world.routes.remove(&ours);
    world.routes.insert(his.clone());
    // Of ours the kernel says nothing: that it is gone follows from his being in its place.
    world.tell(Input::RouteReplaced(his.clone()));
    world.run(SECOND);
    assert!(world.routes.contains(&ours) && world.routes.contains(&his), "{:#?}", world.timeline);
    // Now two are in the place, and the kernel does not say which of them went: only a look can tell.
    let dumps = world.dumps;
    let another = Route { protocol: 4, ..his };
    world.routes.remove(&ours);
    world.routes.insert(another.clone());
    world.tell(Input::RouteReplaced(another));
    world.run(SECOND);
    assert_eq!(world.dumps, dumps + 1);
    assert!(world.routes.contains(&ours), "{:#?}", world.timeline);
}

#[test]
fn everything_of_ours_that_is_deleted_is_put_back_also_what_only_we_remember() {
    let mut world = World::settled(settings(2));
    let before = (world.routes.clone(), world.rules.clone());
    for route in core::mem::take(&mut world.routes) {
        world.tell(Input::RouteGone(route));
    }
    for rule in core::mem::take(&mut world.rules) {
        world.tell(Input::RuleGone(rule));
    }
    world.run(10 * SECOND);
    // With the notes that `ignore_routes_with_linkdown` was off, which the kernel no longer shows.
    assert_eq!((world.routes, world.rules), before);
}

#[test]
fn a_deleted_route_is_put_back_at_once_and_a_war_is_slowed_down() {
    let mut world = World::settled(settings(2));
    for _ in 0..100 {
        let ours = world.routes.iter().find(|route| route.metric == 10 && route.is_default()).cloned();
        if let Some(ours) = ours {
            world.routes.remove(&ours);
            world.tell(Input::RouteGone(ours));
        }
        world.run(10 * MS);
    }
    let count = world.ops.len();
    assert!((2..=8).contains(&count), "one second of war, {count} answers");
    world.run(10 * SECOND);
    assert_eq!(world.main_table().len(), 2, "in the end it is there");
}

#[test]
fn a_refused_plan_is_tried_again_until_it_is_accepted() {
    let mut world = World::settled(settings(2));
    world.refuse = (3, 12);
    world.carrier(0, false);
    world.run(SECOND);
    assert_eq!(
        world.main_table()[0],
        "default via 192.0.3.1 dev eth1 proto 117 metric 5",
        "{:#?}",
        world.timeline
    );
}

#[test]
fn a_refusal_that_goes_on_is_named_once() {
    let mut world = World::settled(settings(2));
    world.refuse = (u32::MAX, 12);
    world.carrier(0, false);
    world.run(60 * SECOND);
    let named = world.timeline.iter().filter(|line| line.contains("Refused")).count();
    assert_eq!(named, 1, "{:#?}", world.timeline);
}

#[test]
fn a_kernel_without_the_carrier_switch_gets_everything_else_and_is_named_once() {
    let mut world = World::new(settings(2));
    world.no_linkdown = vec![10, 11];
    world.run(60 * SECOND);
    let named = world.timeline.iter().filter(|line| line.contains("ignore_routes_with_linkdown")).count();
    assert_eq!(named, 2, "once per interface: {:#?}", world.timeline);
    world.carrier(0, false);
    assert_eq!(world.main_table()[0], "default via 192.0.3.1 dev eth1 proto 117 metric 5");
}

#[test]
fn stopping_keeps_everything_or_removes_everything() {
    let mut world = World::settled(settings(2));
    let before = (world.routes.clone(), world.rules.clone());
    world.tell(Input::Stop);
    assert_eq!(world.done, Some(0));
    assert_eq!((world.routes.clone(), world.rules.clone()), before);
}

#[test]
fn a_refusal_after_success_is_named_again_and_tried_again_soon() {
    let mut world = World::settled(settings(2));
    for refusals in 1..=3 {
        world.refuse = (1, 12);
        world.tell(Input::Operator(Command::Use(1)));
        world.run(60 * MS);
        assert_eq!(world.main_table()[0], "default via 192.0.3.1 dev eth1 proto 117 metric 5");
        world.tell(Input::Operator(Command::Use(0)));
        assert_eq!(world.main_table().len(), 2, "home again: {:#?}", world.timeline);
        let named = world.timeline.iter().filter(|line| line.contains("Refused")).count();
        assert_eq!(named, refusals, "{:#?}", world.timeline);
    }
}

#[test]
fn an_answer_to_an_earlier_plan_says_nothing_about_the_present_one() {
    let mut world = World::settled(settings(2));
    let plan = |world: &mut World| {
        let mut actions = std::iter::from_fn(|| world.engine.poll_action());
        actions.find_map(|action| {
            if let Action::Apply { generation, ops, .. } = action { Some((generation, ops)) } else { None }
        })
    };
    let answer = |generation, refused| Input::Applied { family: Family::V4, generation, refused };
    let sync = |world: &World| world.engine.report(world.now).families[0].sync;
    let lost = Link { carrier: false, ..world.links[0].clone() };
    world.engine.handle(Input::Link(lost), world.now);
    let (first, ops) = plan(&mut world).unwrap();
    let [Op::PutRoute(promoted, _)] = &ops[..] else { panic!("{ops:?}") };
    world.engine.handle(Input::Route(promoted.clone()), world.now);
    world.engine.handle(answer(first, vec![]), world.now);
    assert_eq!(sync(&world), Sync::Clean);
    world.engine.handle(Input::Operator(Command::Use(0)), world.now);
    let (second, ops) = plan(&mut world).unwrap();
    assert_eq!(ops, [Op::DeleteRoute(promoted.clone())]);
    world.engine.handle(answer(first, vec![(0, 12)]), world.now);
    assert_eq!(sync(&world), Sync::Applying { stale: false });
    assert_eq!(world.engine.poll_action(), None);
    world.engine.handle(Input::RouteGone(promoted.clone()), world.now);
    world.engine.handle(answer(second, vec![]), world.now);
    assert_eq!(sync(&world), Sync::Clean);
}

#[test]
fn a_war_that_has_rested_for_a_while_begins_anew() {
    let mut world = World::settled(settings(2));
    let ours = world.routes.iter().find(|route| route.metric == 10 && route.is_default()).cloned().unwrap();
    let delete = |world: &mut World| {
        if world.routes.remove(&ours) {
            world.tell(Input::RouteGone(ours.clone()));
        }
    };
    let reasserted = |world: &World| world.engine.report(world.now).families[0].reasserted;
    delete(&mut world);
    assert!(world.routes.contains(&ours), "at once");
    assert_eq!(reasserted(&world), 1);
    for _ in 0..100 {
        delete(&mut world);
        world.run(100 * MS);
    }
    let before = reasserted(&world);
    assert!((5..12).contains(&before), "ten seconds of war, {before} answers");
    world.run(20 * SECOND);
    let before = reasserted(&world);
    delete(&mut world);
    world.run(60 * MS);
    delete(&mut world);
    assert!(world.routes.contains(&ours), "{:#?}", world.timeline);
    assert_eq!(reasserted(&world), before + 2);
}

#[test]
fn nothing_is_adopted_but_the_promoted_route_of_an_earlier_run() {
    let strange = World::stranger(1, 5);
    let worse = Route { protocol: 117, metric: 20, ..strange.clone() };
    let elsewhere = Route { protocol: 117, table: 7701, ..strange.clone() };
    let mut world = World::new(settings(2));
    world.paths = vec![Path::Silent; 2];
    world.routes = [strange.clone(), worse, elsewhere].into();
    world.run(SECOND);
    assert_eq!(world.selection(), Selection::Boot { adopted: None, overdue: false });

    let mut world = World::new(settings(2));
    world.paths = vec![Path::Silent; 2];
    world.routes = [Route { protocol: 117, ..strange }].into();
    world.run(SECOND);
    assert_eq!(world.selection(), Selection::Boot { adopted: Some(1), overdue: false });
}

#[test]
fn the_end_waits_for_both_families_and_tells_what_could_not_be_removed() {
    let mut wants = dual(2);
    wants.routing.on_exit = OnExit::Remove;
    let mut world = World::settled(wants);
    let actions =
        |world: &mut World| -> Vec<Action> { std::iter::from_fn(|| world.engine.poll_action()).collect() };
    world.engine.handle(Input::Stop, world.now);
    let plans: Vec<(Family, u64, Vec<Op>)> = actions(&mut world)
        .into_iter()
        .map(|action| {
            let Action::Apply { family, generation, ops } = action else { panic!("not yet: {action:?}") };
            (family, generation, ops)
        })
        .collect();
    let [(Family::V4, FAREWELL, four), (Family::V6, FAREWELL, _)] = &plans[..] else { panic!("{plans:?}") };
    let removals: Vec<usize> =
        (0..four.len()).filter(|place| matches!(four[*place], Op::DeleteRoute(_))).collect();
    // Forbidden (EPERM), and gone by itself (ESRCH).
    let refused = vec![(removals[0], 1), (removals[1], 3)];
    let applied = |family, refused| Input::Applied { family, generation: FAREWELL, refused };
    world.engine.handle(applied(Family::V4, refused), world.now);
    let words = four[removals[0]].words(&world.names());
    assert_eq!(actions(&mut world), [Action::Notice(Notice::Refused(Family::V4, words, 1))]);
    world.engine.handle(applied(Family::V6, vec![]), world.now);
    assert_eq!(actions(&mut world), [Action::Done { refused: 1 }]);
}
