//! The same day with other settings: what would they have done?
//!
//! A journal knows when each probe left and whether an answer came, so it knows the lines. They are told to the simulated
//! world, in which an engine with the other settings asks its own questions: each is answered as the recorded one before it
//! was. Operators and strangers are left out; what traffic lost is worked out in the same way for both days.

use super::{Error, Journal, Line};
use crate::engine::input::{Input, ProbeNews};
use crate::engine::inventory::Readiness;
use crate::engine::report::{Change, Transition};
use crate::engine::settings::{Family, Settings};
use crate::engine::{Action, Engine, Time};
use crate::machine::Id;
use crate::sim::fates::Fates;
use crate::sim::scenario::{Part, Step, apply};
use crate::sim::world::{Event, World};
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::time::Duration;

/// A line is taken for dead when so many rounds in a row had no answer at all.
const DEAD_ROUNDS: usize = 2;

/// What a journal tells of the lines and of what was decided.
#[derive(Debug)]
pub struct Day {
    /// The settings of the daemon that wrote it.
    pub settings: Settings,
    /// The engine's clock at the beginning and at the end.
    pub span: (Time, Time),
    /// What was decided, with times from the beginning on.
    pub transitions: Vec<Transition>,
    /// What became of each probe, by interface, with times from the beginning on.
    fates: BTreeMap<String, Fates>,
    /// Readiness by interface, with times from the beginning on.
    facts: Vec<(Time, String, Readiness)>,
    /// In which probes have left.
    asked: BTreeSet<Family>,
}

/// How a day went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// Moves of traffic from one uplink to another.
    pub switches: u32,
    /// How long traffic was on a line that was dead.
    pub outage: Duration,
}

/// A round that may still be answered: when it left, and where in the fates each target's probe stands.
type Asked = (Time, Vec<(u16, usize)>);

/// Reads a whole journal.
///
/// # Errors
/// A line cannot be read.
pub fn day<R: BufRead>(mut journal: Journal<R>) -> Result<Day, Error> {
    let begin = journal.header.at;
    let engine = &mut journal.header.engine;
    let settings = engine.settings().clone();
    let interface = |id: Id| settings.uplinks.get(usize::from(id)).map(|uplink| uplink.interface.clone());
    let mut day = Day {
        settings: settings.clone(),
        span: (begin, begin),
        transitions: vec![],
        fates: BTreeMap::new(),
        facts: vec![],
        asked: BTreeSet::new(),
    };
    let mut known: BTreeMap<String, Readiness> = BTreeMap::new();
    look(engine, begin, begin, &mut known, &mut day);
    let mut open: BTreeMap<(Id, Family, u64), Asked> = BTreeMap::new();
    while let Some(line) = journal.next_line()? {
        let Line::Told(at, input) = line else { continue };
        day.span.1 = at;
        if let Input::Probe { uplink, family, news: ProbeNews::Answer { round, target, rtt } } = &*input
            && let Some((sent, places)) = open.get(&(*uplink, *family, *round))
            && let Some((_, place)) = places.iter().find(|(other, _)| other == target)
            && let Some(fates) = interface(*uplink).and_then(|interface| day.fates.get_mut(&interface))
        {
            fates.answered(*place, rtt.unwrap_or_else(|| at.since(*sent)));
        }
        let facts = matches!(
            &*input,
            Input::Link(_)
                | Input::LinkGone(_)
                | Input::Address(_)
                | Input::AddressGone(_)
                | Input::Dumped(_)
        );
        let engine = &mut journal.header.engine;
        engine.handle(*input, at);
        while let Some(action) = engine.poll_action() {
            match action {
                Action::Announce(transition) => {
                    day.transitions.push(Transition { at: since(transition.at, begin), ..transition });
                }
                Action::Probe { uplink, family, round, targets } => {
                    let Some(interface) = interface(uplink) else { continue };
                    day.asked.insert(family);
                    let fates = day.fates.entry(interface).or_default();
                    let sent = since(at, begin);
                    let places =
                        targets.iter().map(|(target, address)| (*target, fates.sent(sent, *address)));
                    open.insert((uplink, family, round), (at, places.collect()));
                    // No answer is waited for longer than that.
                    open.retain(|_, (sent, _)| at.since(*sent) < Duration::from_secs(60));
                }
                Action::Dump(_)
                | Action::Apply { .. }
                | Action::AskLink(_)
                | Action::Flush { .. }
                | Action::Watch { .. }
                | Action::Unwatch { .. }
                | Action::Notice(_)
                | Action::Done { .. } => {}
            }
        }
        if facts {
            look(engine, at, begin, &mut known, &mut day);
        }
    }
    Ok(day)
}

/// Notes what has changed about the interfaces.
fn look(engine: &Engine, at: Time, begin: Time, known: &mut BTreeMap<String, Readiness>, day: &mut Day) {
    for uplink in &engine.report(at).uplinks {
        let Some(interface) =
            day.settings.uplinks.get(usize::from(uplink.id)).map(|uplink| &uplink.interface)
        else {
            continue;
        };
        let Some((_, path)) = uplink.families.iter().find(|(_, path)| path.readiness != Readiness::NoTarget)
        else {
            continue;
        };
        if known.insert(interface.clone(), path.readiness) != Some(path.readiness) {
            day.facts.push((since(at, begin), interface.clone(), path.readiness));
        }
    }
}

fn since(at: Time, begin: Time) -> Time {
    Time::ZERO + at.since(begin)
}

impl Day {
    /// Interfaces that the journal knows nothing of.
    #[must_use]
    pub fn unknown<'a>(&self, settings: &'a Settings) -> Vec<&'a str> {
        let names = settings.uplinks.iter().map(|uplink| uplink.interface.as_str());
        names.filter(|name| !self.settings.uplinks.iter().any(|uplink| uplink.interface == *name)).collect()
    }

    /// What an engine with these settings would have decided.
    #[must_use]
    pub fn with(&self, settings: &Settings) -> Vec<Transition> {
        // Of a family in which nobody ever asked the journal knows nothing.
        let mut settings = settings.clone();
        for uplink in &mut settings.uplinks {
            uplink.targets.retain(|target| self.asked.contains(&Family::of(*target)));
        }
        let settings = &settings;
        let mut world = World::new(settings.clone(), 0);
        let fates = settings.uplinks.iter().map(|uplink| self.fates.get(&uplink.interface).cloned());
        world.fates = Some(fates.map(Option::unwrap_or_default).collect());
        let id = |interface: &str| settings.uplinks.iter().position(|uplink| uplink.interface == interface);
        let id = |interface: &str| id(interface).and_then(|place| Id::try_from(place).ok());
        let mut facts =
            self.facts.iter().filter_map(|(at, interface, is)| Some((*at, id(interface)?, *is))).peekable();
        // What was so from the beginning on is so before the daemon starts.
        let mut last: BTreeMap<Id, Readiness> = BTreeMap::new();
        while let Some((_, id, is)) = facts.next_if(|(at, ..)| *at == Time::ZERO) {
            turn(&mut world, id, last.insert(id, is), is);
        }
        world.start();
        for (at, id, is) in facts {
            world.run_until(at);
            turn(&mut world, id, last.insert(id, is), is);
        }
        world.run_until(since(self.span.1, self.span.0));
        let decision = |event| if let Event::Decision(transition) = event { Some(transition) } else { None };
        world.timeline.into_iter().filter_map(|moment| decision(moment.what)).collect()
    }

    /// When an interface carried nothing: without carrier, address or gateway, or without any answer to probes.
    fn dead(&self, interface: &str) -> Vec<(Time, Time)> {
        let end = since(self.span.1, self.span.0);
        let mut spans =
            self.fates.get(interface).map(|fates| fates.dead(end, DEAD_ROUNDS)).unwrap_or_default();
        let mut unready = None;
        for (at, _, is) in self.facts.iter().filter(|(_, name, _)| name == interface) {
            match is {
                Readiness::Ready | Readiness::NoTarget => {
                    spans.extend(unready.take().map(|begin| (begin, *at)));
                }
                Readiness::NoInterface
                | Readiness::LinkDown
                | Readiness::NoCarrier
                | Readiness::NoAddress
                | Readiness::NoGateway
                | Readiness::GatewayOffLink
                | Readiness::GatewayIsOwn => _ = unready.get_or_insert(*at),
            }
        }
        spans.extend(unready.map(|begin| (begin, end)));
        spans.sort_unstable();
        spans
    }

    /// How it went with these decisions of a daemon with these settings.
    #[must_use]
    pub fn balance(&self, settings: &Settings, transitions: &[Transition]) -> Balance {
        let mut balance = Balance::default();
        let end = since(self.span.1, self.span.0);
        // The first family that decides anything stands for both.
        let Some(family) = transitions.first().map(|transition| transition.family) else { return balance };
        let mut active: Option<Id> = None;
        let mut from = Time::ZERO;
        let dead = |id: Option<Id>, from: Time, to: Time| {
            let uplink = settings.uplinks.get(usize::from(id?))?;
            Some(covered(&self.dead(&uplink.interface), from, to))
        };
        for transition in transitions.iter().filter(|transition| transition.family == family) {
            let Change::Selection { to, .. } = transition.change else { continue };
            if to.active() == active || to.active().is_none() {
                continue;
            }
            balance.outage += dead(active, from, transition.at).unwrap_or_default();
            balance.switches += u32::from(active.is_some());
            (active, from) = (to.active(), transition.at);
        }
        balance.outage += dead(active, from, end).unwrap_or_default();
        balance
    }
}

/// How much of the time from one moment to another these spans cover, which are in order of their beginnings.
fn covered(spans: &[(Time, Time)], from: Time, to: Time) -> Duration {
    let (mut total, mut reached) = (Duration::ZERO, from);
    for (begin, end) in spans {
        let (begin, end) = ((*begin).max(reached), (*end).min(to));
        total += end.since(begin);
        reached = reached.max(end);
    }
    total
}

/// What an interface lacks, as things that break.
fn turn(world: &mut World, id: Id, before: Option<Readiness>, now: Readiness) {
    let part = |readiness: Readiness| match readiness {
        Readiness::Ready | Readiness::NoTarget => None,
        Readiness::NoInterface => Some(Part::Interface),
        Readiness::LinkDown | Readiness::NoCarrier => Some(Part::Carrier),
        Readiness::NoAddress | Readiness::NoGateway | Readiness::GatewayOffLink | Readiness::GatewayIsOwn => {
            Some(Part::Address)
        }
    };
    if let Some(part) = before.and_then(part) {
        apply(world, &Step::Mend(id, part));
    }
    if let Some(part) = part(now) {
        apply(world, &Step::Cut(id, part));
    }
}
