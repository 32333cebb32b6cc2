//! Broken twins: the production core with one small fault around it, and the claim that catches it.
//!
//! The product has no switch for faults. A twin wraps a [`Core`], alters what it hears, says or shows, or feeds it more
//! or less than happened, and is walked like the core itself. Each snapshot tells the shortest stories.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a fault concerns a few events, the rest goes to the core"
)]

mod conversation;
mod selection;
mod timers;
mod uplinks;

use super::support::World;
use super::{claims, figures};
use std::collections::BTreeSet;
use std::fmt::Write;
use uplinkd::machine::graph::{self, Model};
use uplinkd::machine::{Core, Effect, Event, Health, Id, Rules, Selection, Step, Timers, View, health, sync};

/// One deliberate fault.
pub(crate) struct Fault {
    /// The claim that catches it.
    claim: &'static str,
    /// What goes wrong, in words.
    what: &'static str,
    /// The smallest configuration in which it shows.
    rules: fn() -> Rules,
    /// What the twin does with an event.
    handle: fn(&mut Twin, Event) -> Step,
    /// What it shows.
    view: fn(&Twin) -> View,
}

/// A core with a fault, and the little that the fault has to remember.
#[derive(Clone)]
pub(crate) struct Twin {
    core: Core,
    /// What the selection still seems to be, and what is said when it is no longer hidden.
    hidden: Option<(Selection, Vec<Effect>)>,
    /// Timers that run without the core's knowledge.
    stray: Timers,
    /// Something has happened that the fault waits for.
    spoilt: bool,
    fault: &'static Fault,
}

impl Twin {
    fn key(&self) -> impl Ord + '_ {
        (&self.core, &self.hidden, self.stray, self.spoilt)
    }

    /// Tells the core several things as if they were one.
    fn tell(&mut self, events: &[Event]) -> Step {
        let mut all = Step::default();
        for event in events {
            let step = self.core.handle(*event);
            all.effects.extend(step.effects);
            all.handlers.extend(step.handlers);
        }
        all
    }

    /// Lets the event happen, but drops some of what is asked for.
    fn forget(&mut self, event: Event, forgotten: impl Fn(&Effect) -> bool) -> Step {
        let mut step = self.core.handle(event);
        step.effects.retain(|effect| !forgotten(effect));
        step
    }

    /// Lets the event happen, and asks for one thing more.
    fn add(&mut self, event: Event, more: Effect) -> Step {
        let mut step = self.core.handle(event);
        step.effects.push(more);
        step
    }

    /// What the selector makes of the event is seen and carried out with the next event only, where `late` says so.
    fn lag(&mut self, event: Event, late: bool, seems: Selection) -> Step {
        let before = self.core.selection();
        let mut step = self.core.handle(event);
        let overdue = self.hidden.take();
        if late && self.core.selection() != before {
            let moves = |effect: &Effect| matches!(effect, Effect::Announce { .. } | Effect::Plan);
            let (held, now) = step.effects.into_iter().partition(moves);
            step.effects = now;
            self.hidden = Some((seems, held));
        }
        if let Some((_, effects)) = overdue {
            step.effects.splice(0..0, effects);
        }
        step
    }

    fn is_last_usable(&self, id: Id) -> bool {
        let health = self.core.view().health;
        (0..).zip(health).all(|(other, health)| health.is_usable() == (other == id))
    }

    fn is(&self, id: Id, health: Health) -> bool {
        self.core.health(id) == health
    }
}

impl Model for Twin {
    fn events(&self) -> Vec<Event> {
        let mut events = Model::events(&self.core);
        events.extend(self.stray.iter().map(Event::Expired));
        events
    }

    fn handle(&mut self, event: Event) -> Step {
        (self.fault.handle)(self, event)
    }

    fn view(&self) -> View {
        (self.fault.view)(self)
    }
}

impl PartialEq for Twin {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Twin {}

impl PartialOrd for Twin {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Twin {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// What the core shows, with what the fault hides or adds.
fn shown(twin: &Twin) -> View {
    let mut view = twin.core.view();
    if let Some((selection, _)) = twin.hidden {
        view.selection = selection;
        view.active = selection.active();
    }
    view.timers = view.timers.iter().chain(twin.stray.iter()).collect();
    view
}

const fn uplink(id: Id, event: health::Event) -> Event {
    Event::Uplink(id, event)
}

const fn kernel(event: sync::Event) -> Event {
    Event::Kernel(event)
}

fn alone() -> Rules {
    Rules::ranked(1)
}

fn two() -> Rules {
    Rules::ranked(2)
}

fn three() -> Rules {
    Rules::ranked(3)
}

/// Every fault is caught by its claim; the stories, one after the other.
fn stories(faults: &'static [Fault]) -> String {
    let mut text = String::new();
    for fault in faults {
        let claim = claims::all().find(|claim| claim.name == fault.claim).expect("a claim of that name");
        let rules = (fault.rules)();
        let core = Core::new(rules.clone()).0;
        let twin = Twin { core, hidden: None, stray: Timers::NONE, spoilt: false, fault };
        let world = World { name: fault.what, rules, graph: graph::explore_model(twin) };
        let Err(violation) = claim.ask(&world) else {
            panic!("not caught: {}, by {}", fault.what, fault.claim);
        };
        writeln!(text, "{}\n{violation}\n", fault.what).expect("a string grows");
    }
    text
}

#[test]
fn every_claim_catches_a_fault() {
    let faults = [uplinks::FAULTS, selection::FAULTS, timers::FAULTS, conversation::FAULTS];
    figures::keep("twins", faults.iter().map(|faults| faults.len()).sum::<usize>());
    let caught: BTreeSet<&str> = faults.into_iter().flatten().map(|fault| fault.claim).collect();
    let untested: Vec<&str> =
        claims::all().map(|claim| claim.name).filter(|name| !caught.contains(name)).collect();
    assert!(untested.is_empty(), "no fault for {untested:?}");
}

#[test]
fn faults_of_uplinks_are_caught() {
    insta::assert_snapshot!(stories(uplinks::FAULTS));
}

#[test]
fn faults_of_the_selection_are_caught() {
    insta::assert_snapshot!(stories(selection::FAULTS));
}

#[test]
fn faults_of_timers_are_caught() {
    insta::assert_snapshot!(stories(timers::FAULTS));
}

#[test]
fn faults_of_the_conversation_are_caught() {
    insta::assert_snapshot!(stories(conversation::FAULTS));
}
