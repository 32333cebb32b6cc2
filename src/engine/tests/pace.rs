//! How often the engine wants to be woken and asks: what it costs while nothing happens.

use super::world::{MS, Path, SECOND, World, ip, settings};
use crate::engine::input::{Input, Link, ProbeNews};
use crate::engine::route::{Prefix, Route};
use crate::engine::settings::{CarrierPoll, Profile};
use crate::engine::{Action, Engine, Family, Reason, Time};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn answers_are_judged_together_at_a_tick_that_is_due_at_once() {
    let mut world = World::settled(settings(2));
    let before = world.engine.poll_timeout().unwrap();
    assert!(before.0 > world.now);
    let news = ProbeNews::Answer { round: u64::MAX, target: 0, rtt: None };
    world.engine.handle(Input::Probe { uplink: 0, family: Family::V4, news }, world.now);
    assert_eq!(world.engine.poll_timeout(), Some((world.now, Reason::Judge)));
    world.engine.handle(Input::Tick, world.now);
    assert_eq!(world.engine.poll_timeout(), Some(before));
}

#[test]
fn carriers_are_asked_for_often_after_the_start() {
    let mut settings = settings(1);
    settings.routing.carrier_poll = CarrierPoll::Auto;
    let engine = Engine::new(settings, Time::ZERO + 10 * SECOND);
    assert_eq!(engine.poll_timeout(), Some((Time::ZERO + 50 * MS, Reason::Carrier)));
}

#[test]
fn quick_rounds_ask_for_carriers_no_more_often_than_a_smell_does() {
    let mut settings = settings(1);
    settings.probe = Profile::Fast.probe();
    settings.routing.carrier_poll = CarrierPoll::Auto;
    let mut world = World::settled(settings);
    let mut asked = vec![];
    for _ in 0..20 {
        world.now = world.now + 20 * MS;
        world.engine.handle(Input::Tick, world.now);
        let actions: Vec<Action> = std::iter::from_fn(|| world.engine.poll_action()).collect();
        if actions.iter().any(|action| matches!(action, Action::AskLink(_))) {
            asked.push(world.now);
        }
    }
    assert!(asked.len() >= 4, "{asked:?}");
    assert!(asked.windows(2).all(|pair| pair[1].since(pair[0]) >= 50 * MS), "{asked:?}");
}

#[test]
fn rounds_are_never_further_apart_than_the_interval_not_even_after_a_doubt() {
    let mut world = World::settled(settings(1));
    let mut rounds = BTreeSet::new();
    for ms in 0..80_000 {
        // Now and then nothing answers, for longer each time: rounds leave out of step, and have to get back into it.
        let silent = 700..1500 + ms / 8000 * 100;
        world.paths[0] = if silent.contains(&(ms % 8000)) { Path::Silent } else { Path::Answers(20 * MS) };
        world.run(MS);
        let due = world.engine.poll_timeout().filter(|(_, reason)| *reason == Reason::Probe);
        rounds.extend(due.map(|(at, _)| at).filter(|at| *at > world.now));
    }
    let rounds: Vec<Time> = rounds.into_iter().collect();
    assert!(rounds.len() > 8, "{rounds:?}");
    assert!(rounds.windows(2).all(|pair| pair[1].since(pair[0]) <= SECOND), "{rounds:?}");
}

#[test]
fn a_healthy_line_in_standby_is_asked_seldom() {
    let mut world = World::settled(settings(2));
    world.sent.clear();
    world.run(60 * SECOND);
    let rounds = [0, 1].map(|line| world.sent.iter().filter(|(_, id, _)| *id == line).count());
    assert_eq!(rounds, [60, 12]);
}

#[test]
fn a_first_miss_has_carriers_asked_for_often() {
    let mut settings = settings(2);
    settings.routing.carrier_poll = CarrierPoll::Auto;
    let mut world = World::settled(settings);
    world.run(20 * SECOND);
    world.asked.clear();
    world.run(10 * SECOND);
    let times = |world: &World| world.asked.iter().map(|(at, _)| *at).collect::<BTreeSet<Time>>().len();
    assert_eq!(times(&world), 10, "with each round, as long as all is well");
    world.paths[0] = Path::Silent;
    while world.engine.report(world.now).uplinks[0].families[0].1.fails == 0 {
        world.run(MS);
    }
    world.asked.clear();
    world.run(250 * MS);
    assert_eq!(times(&world), 5, "{:?}", world.asked);
}

#[test]
fn others_routes_to_somewhere_are_none_of_our_business() {
    let engine = Engine::new(settings(1), Time::ZERO);
    let default = World::stranger(0, 100);
    let network = Prefix { address: ip("198.51.100.0"), length: 24 };
    let somewhere = Route { destination: network, ..default.clone() };
    let ours = Route { protocol: 117, ..somewhere.clone() };
    for news in [Input::Route, Input::RouteReplaced, Input::RouteGone] {
        assert!(engine.matters(&news(default.clone())), "it competes with ours");
        assert!(engine.matters(&news(ours.clone())));
        assert!(!engine.matters(&news(somewhere.clone())));
    }
    assert!(engine.matters(&Input::LinkGone(99)));
}

/// A world that asks for carriers and in which nothing smells.
fn quiet(count: u8) -> World {
    let mut settings = settings(count);
    settings.routing.carrier_poll = CarrierPoll::Auto;
    let mut world = World::settled(settings);
    world.run(20_500 * MS);
    world
}

/// When carriers were asked for in the next so many milliseconds, counted from now on.
fn asks(world: &mut World, ms: u64) -> Vec<u64> {
    let begin = world.now;
    world.asked.clear();
    world.run(Duration::from_millis(ms));
    let since = |(at, _): &(Time, u32)| u64::try_from(at.since(begin).as_millis()).unwrap();
    world.asked.iter().map(since).collect::<BTreeSet<u64>>().into_iter().collect()
}

#[test]
fn whatever_happens_to_an_interface_has_carriers_asked_for_often() {
    let mut world = quiet(2);
    let eth0 = world.links[0].clone();
    let tap = |index, up| Input::Link(Link { index, name: format!("tap{index}"), up, ..eth0.clone() });
    let mut smells = |input: Input| {
        world.tell(input);
        let often = asks(&mut world, 300).len() > 3;
        world.run(10_200 * MS);
        often
    };
    assert!(!smells(Input::Link(eth0.clone())), "nothing has happened to it");
    assert!(smells(tap(50, true)), "a new one");
    assert!(!smells(tap(50, true)));
    assert!(smells(tap(50, false)));
    assert!(smells(Input::Link(Link { carrier: false, ..eth0.clone() })));
    assert!(smells(tap(51, true)));
    assert!(smells(Input::LinkGone(51)));
    assert!(!smells(Input::LinkGone(51)), "it was gone");
    let not_sent = ProbeNews::NotSent { round: 0, target: 0, errno: 101 };
    assert!(smells(Input::Probe { uplink: 1, family: Family::V4, news: not_sent }));
}

#[test]
fn a_smell_is_gone_after_five_seconds() {
    let mut world = quiet(2);
    world.tell(Input::Link(Link { index: 50, name: "tap0".to_owned(), ..world.links[0].clone() }));
    let asked = asks(&mut world, 10_000);
    let last = asked.iter().rposition(|at| at % 1000 != 500).map(|place| asked[place]);
    assert_eq!(last, Some(5000), "{asked:?}");
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] == 50 || pair[0] >= 4950), "{asked:?}");
}

#[test]
fn carriers_are_asked_for_where_there_is_one() {
    let mut world = quiet(3);
    world.links[0].up = false;
    world.links[1].carrier = false;
    for link in world.links.clone() {
        world.tell(Input::Link(link));
    }
    world.asked.clear();
    world.run(SECOND);
    let asked: BTreeSet<u32> = world.asked.iter().map(|(_, index)| *index).collect();
    assert_eq!(asked, [12].into(), "the return of a carrier is announced without delay");
}

#[test]
fn carriers_are_not_asked_for_if_they_are_not_to_be() {
    let mut world = World::settled(settings(2));
    world.carrier(0, false);
    world.run(20 * SECOND);
    assert_eq!(world.asked, []);
}

#[test]
fn a_round_of_many_targets_leaves_in_bursts_side_by_side_with_those_of_other_uplinks() {
    let mut wants = settings(2);
    for (uplink, count) in wants.uplinks.iter_mut().zip([120, 100]) {
        uplink.targets = (0..count).map(|n| ip(&format!("198.51.100.{n}"))).collect();
    }
    let mut world = World::new(wants);
    world.run(200 * MS);
    let first: Vec<(u128, u8, usize)> =
        world.sent.iter().map(|(at, id, count)| (at.0.as_millis(), *id, *count)).collect();
    assert_eq!(first, [(0, 0, 50), (0, 1, 50), (2, 0, 50), (2, 1, 50), (4, 0, 20)]);
}
