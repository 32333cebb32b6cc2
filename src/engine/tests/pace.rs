//! How often the engine wants to be woken and asks: what it costs while nothing happens.

use super::world::{MS, Path, SECOND, World, ip, settings};
use crate::engine::input::{Input, ProbeNews};
use crate::engine::route::{Prefix, Route};
use crate::engine::settings::{CarrierPoll, Profile};
use crate::engine::{Action, Engine, Family, Reason, Time};
use std::collections::BTreeSet;

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
