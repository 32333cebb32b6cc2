//! Nothing is dead and nothing is vacuous: every state is reached, every event matters, every effect is asked for, and
//! the situations that the claims speak of do occur. And what is nobody's business moves nothing.

use super::support::{World, ranked};
use std::collections::BTreeSet;
use uplinkd::machine::graph::{self, Edge};
use uplinkd::machine::{
    Command, Core, Effect, Event, Health, Id, Rules, Selection, Sync, Timer, View, health,
};

fn ids(world: &World) -> impl Iterator<Item = Id> + Clone {
    (0..).take(world.rules.tiers.len())
}

/// Some step is like this.
#[track_caller]
fn happens(world: &World, what: &str, is: impl Fn(&View, &Edge, &View) -> bool) {
    let views = &world.graph.views;
    let found = world.graph.edges.iter().any(|edge| is(&views[edge.from], edge, &views[edge.to]));
    assert!(found, "{}: never {what}", world.name);
}

/// Some state is like this.
#[track_caller]
fn occurs(world: &World, what: &'static str, is: impl Fn(&View) -> bool) {
    if let Err(violation) = world.graph.sometimes(what, is) {
        panic!("{}: {violation}", world.name);
    }
}

#[test]
fn every_health_is_reached_by_every_uplink() {
    for world in ranked() {
        for id in ids(world) {
            for health in Health::ALL {
                occurs(world, "in this health", |view| view.health[usize::from(id)] == health);
            }
        }
    }
}

#[test]
fn every_state_of_the_selector_is_reached_on_every_uplink_that_fits() {
    for world in ranked() {
        let mut wanted =
            BTreeSet::from([Selection::Frozen { active: None }, Selection::Primary { active: 0 }]);
        wanted.extend([false, true].map(|overdue| Selection::Boot { adopted: None, overdue }));
        for id in ids(world) {
            wanted.extend([false, true].map(|overdue| Selection::Boot { adopted: Some(id), overdue }));
            wanted.extend([Selection::Pinned { uplink: id }, Selection::Frozen { active: Some(id) }]);
        }
        for active in ids(world).skip(1) {
            wanted.extend([Selection::Waiting { active }, Selection::Proving { active }]);
        }
        let reached: BTreeSet<Selection> = world.graph.views.iter().map(|view| view.selection).collect();
        assert_eq!(reached, wanted, "{}", world.name);
    }
}

#[test]
fn every_state_of_the_conversation_is_reached() {
    for world in ranked() {
        let reached: BTreeSet<Sync> = world.graph.views.iter().map(|view| view.sync).collect();
        let wanted = [
            Sync::Unsynced { in_flight: false },
            Sync::Unsynced { in_flight: true },
            Sync::Clean,
            Sync::Applying { stale: false },
            Sync::Applying { stale: true },
            Sync::Backoff,
        ];
        assert_eq!(reached, BTreeSet::from(wanted), "{}", world.name);
    }
}

#[test]
fn every_event_matters_somewhere() {
    for world in ranked() {
        let uplinks = u8::try_from(world.rules.tiers.len()).expect("few");
        let windows = ids(world).take(world.rules.tiers.len() - 1).map(Timer::Stable);
        let timers = [Timer::BootDeadline, Timer::Retry].into_iter().chain(windows);
        for event in Event::all(uplinks).into_iter().chain(timers.map(Event::Expired)) {
            happens(world, &event.to_string(), |_, edge, _| edge.event == event && !edge.step.is_ignored());
        }
    }
}

#[test]
fn every_effect_is_asked_for_and_no_other() {
    for world in ranked() {
        let ends: Vec<Option<Id>> = [None].into_iter().chain(ids(world).map(Some)).collect();
        let mut wanted = BTreeSet::from([Effect::Plan, Effect::Dump, Effect::Finish]);
        for from in &ends {
            let others = ends.iter().filter(|to| *to != from);
            wanted.extend(others.map(|to| Effect::Announce { from: *from, to: *to }));
        }
        let windows = ids(world).take(world.rules.tiers.len() - 1).map(Timer::Stable);
        for timer in [Timer::BootDeadline, Timer::Retry].into_iter().chain(windows) {
            // The boot deadline is armed once, before the first step.
            wanted.extend((timer != Timer::BootDeadline).then_some(Effect::Arm(timer)));
            wanted.insert(Effect::Disarm(timer));
        }
        wanted.extend(ids(world).flat_map(|id| [Effect::Watch(id), Effect::Unwatch(id)]));
        let asked: BTreeSet<Effect> =
            world.graph.edges.iter().flat_map(|edge| edge.step.effects.iter().copied()).collect();
        assert_eq!(asked, wanted, "{}", world.name);
    }
}

#[test]
fn every_state_and_superstate_that_handles_anything_is_on_this_list() {
    let handlers: BTreeSet<(&str, &str)> =
        ranked()[2].graph.edges.iter().flat_map(|edge| edge.step.handlers.iter().copied()).collect();
    let names: Vec<String> = handlers.iter().map(|(machine, state)| format!("{machine}:{state}")).collect();
    insta::assert_snapshot!(names.join(" "));
}

#[test]
fn the_situations_that_the_claims_speak_of_occur() {
    let [_, two, three] = ranked();
    let dies = |edge: &Edge, id| edge.event == Event::Uplink(id, health::Event::Dead);
    happens(two, "failover in one event", |before, edge, after| {
        dies(edge, 0) && (before.active, after.active) == (Some(0), Some(1))
    });
    happens(two, "failback by the window", |_, edge, after| {
        edge.event == Event::Expired(Timer::Stable(0)) && after.active == Some(0)
    });
    happens(two, "home at once, because the backup died", |before, edge, after| {
        dies(edge, 1) && before.timers.contains(Timer::Stable(0)) && after.active == Some(0)
    });
    happens(two, "a restarted window", |_, edge, _| {
        edge.event == Event::Uplink(0, health::Event::Missed)
            && edge.step.effects == [Effect::Arm(Timer::Stable(0))]
    });
    occurs(two, "stranded on the backup", |view| view.stranded && view.selection.name() == "Fallback");
    occurs(two, "a pin on a dead uplink while the other is healthy", |view| {
        view.selection == Selection::Pinned { uplink: 0 } && view.health == [Health::Down, Health::Healthy]
    });
    happens(two, "a drained pin that is released", |before, edge, after| {
        edge.event == Event::Uplink(0, health::Event::Drain)
            && before.selection == Selection::Pinned { uplink: 0 }
            && after.selection == Selection::Waiting { active: 1 }
    });
    happens(two, "a plan that is superseded before the retry", |before, edge, after| {
        before.sync == Sync::Backoff
            && before.active != after.active
            && edge.step.effects.contains(&Effect::Dump)
    });
    happens(two, "a release that moves traffic", |before, edge, after| {
        edge.event == Event::Operator(Command::Auto) && before.active != after.active
    });
    occurs(three, "two windows at once", |view| {
        view.timers.contains(Timer::Stable(0)) && view.timers.contains(Timer::Stable(1))
    });
    happens(three, "a window that outlives a failback to a third uplink", |before, edge, after| {
        edge.event == Event::Expired(Timer::Stable(1))
            && before.timers.contains(Timer::Stable(0))
            && after.timers.contains(Timer::Stable(0))
            && !edge.step.effects.contains(&Effect::Arm(Timer::Stable(0)))
    });
}

#[test]
fn unknown_uplinks_and_timers_that_do_not_run_are_nobodys() {
    let mut seen = BTreeSet::new();
    let mut left = vec![Core::new(Rules::ranked(2)).0];
    while let Some(core) = left.pop() {
        if !seen.insert(core.clone()) {
            continue;
        }
        let unknown = [2, 125, 126, 128, u8::MAX].into_iter().flat_map(|id| {
            let news = health::Event::ALL.map(|event| Event::Uplink(id, event));
            let rest =
                [Event::Operator(Command::Use(id)), Event::Adopt(id), Event::Expired(Timer::Stable(id))];
            news.into_iter().chain(rest)
        });
        let timers = [Timer::BootDeadline, Timer::Retry, Timer::Stable(0), Timer::Stable(1)];
        let idle = timers.into_iter().filter(|timer| !core.timers().contains(*timer)).map(Event::Expired);
        for event in unknown.chain(idle) {
            let mut next = core.clone();
            let step = next.handle(event);
            assert!(
                step.is_ignored() && step.effects.is_empty() && next == core,
                "{event} in {}",
                core.view()
            );
        }
        for event in graph::Model::events(&core) {
            let mut next = core.clone();
            next.handle(event);
            assert_eq!(
                next == core,
                next.view() == core.view(),
                "nothing is hidden, and nothing is overlooked"
            );
            left.push(next);
        }
    }
    assert_eq!(seen.len(), ranked()[1].graph.views.len());
}

#[test]
fn without_uplinks_there_is_nothing_to_choose_and_nothing_breaks() {
    let graph = graph::explore(0);
    assert!(graph.views.iter().all(|view| view.active.is_none() && view.stranded));
    graph.rests("it comes to rest").expect("no cycle");
}
