//! What comes in one by one: links, routes, answers of the kernel, what routers say, orders.

use super::world::{MS, Path, SECOND, World, address, dual, settings};
use crate::engine::input::{Address, Input, ProbeNews};
use crate::engine::monitor::Complaint;
use crate::engine::report::{Notice, PathReport};
use crate::engine::route::Route;
use crate::engine::{Action, Family};
use crate::machine::{Command, Selection, Sync};

fn told<'a>(world: &'a World, word: &str) -> Vec<&'a String> {
    world.timeline.iter().filter(|line| line.contains(word)).collect()
}

fn sync(world: &World) -> Sync {
    world.engine.report(world.now).families[0].sync
}

fn path(world: &World, id: usize) -> PathReport {
    world.engine.report(world.now).uplinks[id].families[0].1.clone()
}

#[test]
fn an_order_to_use_a_drained_uplink_is_said_to_be_impossible() {
    let mut world = World::settled(settings(2));
    world.tell(Input::Drain(1));
    world.tell(Input::Operator(Command::Use(0)));
    assert_eq!(told(&world, "Impossible").len(), 0);
    world.tell(Input::Operator(Command::Use(1)));
    let [told] = &told(&world, "Impossible")[..] else { panic!("{:#?}", world.timeline) };
    assert!(told.contains("`wan1` is drained"), "{told}");
    assert_eq!(world.selection(), Selection::Pinned { uplink: 0 });
}

#[test]
fn a_carrier_switch_that_was_refused_is_tried_again_on_a_new_interface_only() {
    let mut world = World::new(settings(2));
    world.no_linkdown = vec![10, 11];
    world.run(5 * SECOND);
    world.no_linkdown = vec![];
    world.ops.clear();
    world.carrier(1, false);
    world.carrier(1, true);
    world.run(60 * SECOND);
    assert_eq!(world.ops, Vec::<String>::new());
    world.links[0].index = 30;
    world.routes.retain(|route| !route.uses(10));
    world.tell(Input::LinkGone(10));
    world.tell(Input::Link(world.links[0].clone()));
    world.run(SECOND);
    let tried: Vec<_> = world.ops.iter().filter_map(|op| op.split_once(" sysctl ")).collect();
    assert_eq!(tried.len(), 1, "{:#?}", world.ops);
    assert_eq!(tried[0].1, "net.ipv4.conf.eth0.ignore_routes_with_linkdown=1");
}

#[test]
fn a_carrier_switch_that_nobody_announces_is_known_to_be_set_where_it_was_not_refused() {
    let mut world = World::new(dual(2));
    world.no_linkdown = vec![10];
    world.linkdown6 = [(10, false), (11, false)].into();
    world.run(60 * SECOND);
    assert_eq!(world.linkdown6, [(10, false), (11, true)].into());
    assert_eq!(told(&world, "NoEffect").len(), 0, "{:#?}", world.timeline);
    let tried = world.ops.iter().filter(|op| op.contains(" sysctl net.ipv6.")).count();
    assert_eq!(tried, 2, "once each: {:#?}", world.ops);
}

#[test]
fn a_carrier_switch_is_given_up_only_where_the_refusal_is_for_good() {
    // EPERM, EACCES, EINVAL, EROFS, EOPNOTSUPP; EINTR, ENOMEM, EBUSY.
    for (errno, again) in [(1, 0), (13, 0), (22, 0), (30, 0), (95, 0), (4, 2), (12, 2), (16, 2)] {
        let mut world = World::new(settings(2));
        world.refuse = (1, errno);
        world.run(5 * SECOND);
        let tried = world.ops.iter().filter(|op| op.contains("sysctl")).count();
        assert_eq!(tried, again, "{errno}: {:#?}", world.ops);
        assert_eq!(world.main_table().len(), 2, "the routes go on without it");
    }
}

#[test]
fn a_removal_of_what_has_gone_by_itself_has_succeeded() {
    // ENOENT, ESRCH, ENODEV; EPERM, ENOMEM.
    for (errno, refused) in [(2, 0), (3, 0), (19, 0), (1, 1), (12, 1)] {
        let mut world = World::settled(settings(2));
        world.tell(Input::Operator(Command::Use(1)));
        world.refuse = (1, errno);
        world.tell(Input::Operator(Command::Use(0)));
        assert_eq!(told(&world, "Refused").len(), refused, "{errno}: {:#?}", world.timeline);
        assert_eq!(sync(&world) == Sync::Clean, refused == 0, "{errno}");
    }
    let mut world = World::settled(settings(2));
    world.refuse = (1, 3);
    world.tell(Input::Operator(Command::Use(1)));
    assert_eq!(told(&world, "Refused").len(), 1, "what was to be put is not there");
}

#[test]
fn rules_and_routes_that_have_gone_unnoticed_are_no_trouble() {
    let mut world = World::settled(settings(2));
    world.rules.clear();
    world.routes.clear();
    world.tell(Input::Address(Address { global: false, ..address(11, "192.0.3.10", 24) }));
    assert_eq!(path(&world, 1).readiness.words(), "no usable address");
    assert_eq!(sync(&world), Sync::Clean);
    let troubles = ["Refused", "NoEffect"].map(|word| told(&world, word).len());
    assert_eq!(troubles, [0, 0], "{:#?}", world.timeline);
}

#[test]
fn operations_without_effect_are_named_and_tried_again() {
    let mut world = World::settled(settings(2));
    let plan = |world: &mut World| {
        let mut actions = std::iter::from_fn(|| world.engine.poll_action());
        actions.find_map(
            |action| if let Action::Apply { generation, .. } = action { Some(generation) } else { None },
        )
    };
    world.engine.handle(Input::Operator(Command::Use(1)), world.now);
    let generation = plan(&mut world).unwrap();
    let accepted = Input::Applied { family: Family::V4, generation, refused: vec![] };
    world.engine.handle(accepted, world.now);
    assert_eq!(world.engine.poll_action(), Some(Action::Notice(Notice::NoEffect(Family::V4))));
    assert_eq!(sync(&world), Sync::Backoff);
    world.run(SECOND);
    assert_eq!(world.main_table()[0], "default via 192.0.3.1 dev eth1 proto 117 metric 5");
}

#[test]
fn an_interface_that_goes_down_takes_its_routes_along_but_none_that_has_other_ways() {
    let mut world = World::settled(settings(2));
    let several =
        Route { hops: [0, 1].map(|id| World::stranger(id, 5).hops[0]).to_vec(), ..World::stranger(0, 5) };
    world.routes.insert(several.clone());
    world.tell(Input::Route(several.clone()));
    world.routes.retain(|route| !route.uses(10) || *route == several);
    world.links[0].up = false;
    world.tell(Input::Link(world.links[0].clone()));
    // In front of his, which is known to be there still; and nothing is removed that has gone by itself.
    let moved = "5.000 ip route prepend default via 192.0.3.1 dev eth1 proto 117 metric 5";
    assert_eq!(world.ops, [moved], "{:#?}", world.timeline);
}

#[test]
fn an_interface_that_is_set_up_or_has_its_cable_again_drops_no_routes() {
    let mut world = World::settled(settings(2));
    let dumps = world.dumps;
    world.carrier(1, false);
    world.carrier(1, true);
    assert_eq!(world.dumps, dumps, "routes stay without carrier: there is nothing to read");
    world.links[1].up = false;
    world.tell(Input::Link(world.links[1].clone()));
    assert_eq!(world.dumps, dumps + 1);
    world.links[1].up = true;
    world.tell(Input::Link(world.links[1].clone()));
    assert_eq!(world.dumps, dumps + 1);
}

#[test]
fn what_a_router_or_our_own_kernel_says_of_a_probe_is_told() {
    let mut world = World::settled(settings(2));
    world.paths[0] = Path::Silent;
    // The next round is the first that is not answered; which number it has, its complaint tells.
    let from = super::world::ip("192.0.2.1");
    world.run(1010 * MS);
    for round in 0..100 {
        let unreachable = ProbeNews::Unreachable { round, target: 0, from };
        let not_sent = ProbeNews::NotSent { round, target: 1, errno: 101 };
        for news in [unreachable, not_sent] {
            world.tell(Input::Probe { uplink: 0, family: Family::V4, news });
        }
    }
    let complaints: Vec<_> = path(&world, 0).targets.iter().map(|target| target.complaint).collect();
    assert_eq!(complaints, [Some(Complaint::Unreachable(from)), Some(Complaint::NotSent(101)), None]);
    assert_eq!(path(&world, 0).oddities.voided, 0);
    world.tell(Input::Probe { uplink: 0, family: Family::V4, news: ProbeNews::Overflow });
    assert_eq!(path(&world, 0).oddities.voided, 1, "the round says nothing any more");
}

#[test]
fn a_route_that_takes_the_place_of_one_that_we_never_saw_is_heard_of_and_costs_none_of_ours() {
    let mut world = World::settled(settings(2));
    let (before, dumps) = (world.routes.clone(), world.dumps);
    let his = World::stranger(0, 15);
    world.routes.insert(his.clone());
    world.tell(Input::RouteReplaced(his));
    assert_eq!(told(&world, "Outranked").len(), 1);
    world.run(SECOND);
    assert_eq!((world.ops.len(), world.dumps), (0, dumps), "{:#?}", world.timeline);
    assert!(before.is_subset(&world.routes));
}

#[test]
fn a_route_that_is_known_takes_the_place_of_another_all_the_same() {
    let mut world = World::settled(settings(2));
    let ours = world.routes.iter().find(|route| route.metric == 10 && route.is_default()).cloned().unwrap();
    let his = World::stranger(0, 10);
    world.routes.insert(his.clone());
    world.tell(Input::Route(his.clone()));
    world.routes.remove(&ours);
    world.tell(Input::RouteReplaced(his));
    assert!(world.routes.contains(&ours), "{:#?}", world.ops);
}

#[test]
fn a_kernel_that_cannot_be_read_is_named_once_and_read_again() {
    let mut world = World::settled(settings(2));
    for _ in 0..3 {
        world.engine.handle(Input::Overrun, world.now);
        while world.engine.poll_action().is_some() {}
        world.tell(Input::DumpFailed(Family::V4));
    }
    assert_eq!(told(&world, "Unreadable").len(), 1, "{:#?}", world.timeline);
    let dumps = world.dumps;
    world.run(SECOND);
    assert_eq!(world.dumps, dumps + 1);
    assert_eq!(sync(&world), Sync::Clean);
}
