//! The engine, a kernel and the lines, and the time that passes for them.

mod hands;
mod provider;

use super::dice::Dice;
use super::fates::Fates;
use super::kernel::{Kernel, Request};
use super::line::{Line, Service, Targets};
use crate::engine::input::{Input, ProbeNews};
use crate::engine::report::{Notice, Report, Transition};
use crate::engine::route::{Hop, MAIN_TABLE, Names, Route};
use crate::engine::settings::Family;
use crate::engine::{Action, Engine, Settings, Time, plan};
use crate::machine::{Id, Selection, Sync};
use core::time::Duration;
use std::collections::BTreeMap;

/// Inputs and ticks at one and the same moment: beyond, the engine and the world talk in circles.
const MAX_AT_ONCE: u32 = 100_000;
/// The index of the first uplink's interface.
const FIRST_INDEX: u32 = 10;

/// Something worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// What.
    pub what: Event,
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The world was changed.
    Step(String),
    /// A decision.
    Decision(Transition),
    /// A change of the main table, in the words of `ip`.
    Route(String),
    /// Connections that are to be forgotten.
    Flush(String),
    /// An operation that the kernel refused: words and errno.
    Refused(String, i32),
    /// What a person should look at.
    Notice(Notice),
    /// A claim did not hold.
    Broken(String),
}

/// What traffic had of it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Moves of traffic from one uplink to another.
    pub switches: u32,
    /// How long traffic went nowhere.
    pub outage: Duration,
    /// How long of that another line would have carried it.
    pub avoidable: Duration,
    /// The longest of these in one piece.
    pub longest: Duration,
}

/// Inputs and decisions, for a replay.
#[derive(Debug, Default)]
pub struct Record {
    /// What the engine was told, and when.
    pub inputs: Vec<(Time, Input)>,
    /// What it did.
    pub actions: Vec<Action>,
}

/// The engine in its world.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    /// None while no daemon runs.
    engine: Option<Engine>,
    /// What the kernel has.
    pub kernel: Kernel,
    /// One line per uplink; [`World::changed`] after each change.
    pub lines: Vec<Line>,
    /// If there, what became of probes on some day, line by line: then that is what becomes of them again.
    pub fates: Option<Vec<Fates>>,
    /// The far ends.
    pub targets: Targets,
    /// What happened.
    pub timeline: Vec<Moment>,
    /// What traffic had of it.
    pub totals: Totals,
    /// Refuse so many plans, with this errno.
    pub refuse: (u16, i32),
    /// If there, everything that the engine is told and does.
    pub record: Option<Record>,
    /// What must hold is looked at in each step.
    pub strict: bool,
    now: Time,
    dice: Dice,
    pending: BTreeMap<(Time, u64), Answer>,
    sequence: u64,
    /// Which life of the daemon: answers to the one before are nobody's.
    life: u32,
    /// The daemon does not run until then.
    asleep: Time,
    /// Meanwhile there has been news.
    unheard: bool,
    /// Since when the world has been as it is.
    changed: Time,
    /// How traffic fares: cached between changes.
    fare: Option<Fare>,
    episode: Duration,
    /// The index of each uplink's interface; one that comes back has another.
    indexes: Vec<u32>,
    last_active: BTreeMap<Family, Option<Id>>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    life: u32,
    uplink: Id,
    family: Family,
    news: ProbeNews,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fare {
    served: bool,
    possible: bool,
}

impl World {
    /// A world with lines that work and a daemon that starts at time zero.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut world = Self {
            lines: vec![Line::default(); settings.uplinks.len()],
            settings,
            engine: None,
            kernel: Kernel::new(),
            fates: None,
            targets: Targets::default(),
            timeline: vec![],
            totals: Totals::default(),
            refuse: (0, 0),
            record: None,
            strict: false,
            now: Time::ZERO,
            dice: Dice::new(seed),
            pending: BTreeMap::new(),
            sequence: 0,
            life: 0,
            asleep: Time::ZERO,
            unheard: false,
            changed: Time::ZERO,
            fare: None,
            episode: Duration::ZERO,
            indexes: vec![],
            last_active: BTreeMap::new(),
        };
        world.indexes = world.ids().map(|id| FIRST_INDEX + u32::from(id)).collect();
        for id in world.ids() {
            world.plug(id);
        }
        world.kernel.news();
        world
    }

    /// The clock.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// What the daemon was made with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The uplinks.
    pub fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        0..u8::try_from(self.settings.uplinks.len()).unwrap_or(u8::MAX)
    }

    /// The daemon's state, while there is one.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        Some(self.engine.as_ref()?.report(self.now))
    }

    /// The daemon starts; what an earlier one has left is there.
    pub fn start(&mut self) {
        if self.engine.is_none() {
            self.life += 1;
            self.kernel.news();
            self.engine = Some(Engine::new(self.settings.clone(), self.now));
            self.act();
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.engine = None;
    }

    /// The daemon does not run for a while: stopped by a debugger, or the machine sleeps.
    pub fn pause(&mut self, duration: Duration) {
        self.asleep = self.now + duration;
    }

    /// Tells the engine something.
    pub fn tell(&mut self, input: Input) {
        let Some(engine) = &mut self.engine else { return };
        if let Some(record) = &mut self.record {
            record.inputs.push((self.now, input.clone()));
        }
        engine.handle(input, self.now);
        self.act();
    }

    /// Does something to the kernel, as a stranger or as the world.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn request(&mut self, request: &Request) -> Result<(), i32> {
        let done = self.kernel.request(request);
        self.changed();
        done
    }

    /// The world is not what it was: what is known of it is found out anew, and announced.
    pub fn changed(&mut self) {
        self.changed = self.now;
        self.fare = None;
        if self.now >= self.asleep {
            self.hear();
            self.tell(Input::Tick);
        } else {
            self.unheard = true;
        }
    }

    /// Since when the world has been as it is, and the daemon has run.
    #[must_use]
    pub fn unchanged_since(&self) -> Time {
        self.changed.max(self.asleep)
    }

    /// Writes something down.
    pub fn note(&mut self, what: Event) {
        self.timeline.push(Moment { at: self.now, what });
    }

    /// The index of an uplink's interface.
    #[must_use]
    pub fn index(&self, id: Id) -> u32 {
        self.indexes[usize::from(id)]
    }

    /// An interface that comes back is another one: Linux counts on.
    pub fn replug(&mut self, id: Id) {
        let highest = self.indexes.iter().max().copied().unwrap_or(FIRST_INDEX);
        self.indexes[usize::from(id)] = highest + 1;
        self.plug(id);
    }

    /// Interface names.
    #[must_use]
    pub fn names(&self) -> Names {
        let name = |id: Id| (self.index(id), self.settings.uplinks[usize::from(id)].interface.clone());
        self.ids().map(name).collect()
    }

    /// Lets time pass up to this moment.
    pub fn run_until(&mut self, until: Time) {
        let mut at_once = 0;
        loop {
            let engine =
                self.engine.as_ref().and_then(Engine::poll_timeout).map(|(at, _)| at.max(self.asleep));
            let answer = self.pending.keys().next().map(|(at, _)| (*at).max(self.asleep));
            let news = self.unheard.then_some(self.asleep);
            let next = engine.into_iter().chain(answer).chain(news).min().map(|at| at.max(self.now));
            let Some(next) = next.filter(|next| *next <= until) else { break };
            at_once = if next == self.now { at_once + 1 } else { 0 };
            if at_once > MAX_AT_ONCE {
                self.note(Event::Broken("the engine wants to be woken without end".to_owned()));
                break;
            }
            self.pass(next);
            self.wake();
        }
        self.pass(until);
    }

    /// All that has arrived, then the time.
    fn wake(&mut self) {
        self.unheard = false;
        self.hear();
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let Answer { life, uplink, family, news } = entry.remove();
            if life == self.life {
                self.tell(Input::Probe { uplink, family, news });
            }
        }
        self.tell(Input::Tick);
    }

    /// What the kernel has announced.
    fn hear(&mut self) {
        for input in self.kernel.news() {
            self.fare = None;
            if self.engine.as_ref().is_some_and(|engine| engine.matters(&input)) {
                self.tell(input);
            }
        }
    }

    fn pass(&mut self, to: Time) {
        let fare = match self.fare {
            Some(fare) => fare,
            None => *self.fare.insert(self.look()),
        };
        let span = to.since(self.now);
        if !fare.served {
            self.totals.outage += span;
        }
        if fare.possible && !fare.served {
            self.totals.avoidable += span;
            self.episode += span;
            self.totals.longest = self.totals.longest.max(self.episode);
        } else if !span.is_zero() {
            self.episode = Duration::ZERO;
        }
        self.now = to;
    }

    /// Whose traffic is looked at: IPv4's, unless only IPv6 is in use.
    #[must_use]
    pub fn traffic_family(&self) -> Family {
        if self.uses(Family::V4) { Family::V4 } else { Family::V6 }
    }

    /// Does the traffic leave by a line that carries it, and is there one that would?
    fn look(&self) -> Fare {
        let family = self.traffic_family();
        let usable = |id: Id| self.lines[usize::from(id)].service() != Service::None;
        Fare {
            served: self.leaves_by(family).is_some_and(usable),
            possible: self.ids().any(|id| self.lines[usize::from(id)].service() == Service::Full),
        }
    }

    /// The uplink by which the main table sends what has no better route.
    #[must_use]
    pub fn leaves_by(&self, family: Family) -> Option<Id> {
        let table = self.kernel.table(family, MAIN_TABLE);
        let passes = |route: &&Route| {
            let dead = |hop: &Hop| {
                self.kernel.links().any(|link| {
                    link.index == hop.index && !link.carrier && link.ignore_linkdown == Some(true)
                })
            };
            route.is_default() && !(route.is_unicast() && route.hops.iter().all(dead))
        };
        // Of those with one metric the first; `min_by_key` keeps the first.
        let best = table.iter().filter(passes).min_by_key(|route| route.metric)?;
        let hop = best.hops.first().filter(|_| best.is_unicast())?;
        self.ids().find(|id| self.index(*id) == hop.index)
    }

    /// What is wrong although the daemon is content: where an uplink is usable and the kernel has what is wanted, there is a
    /// default route of ours by the active one.
    #[must_use]
    pub fn unrouted(&self) -> Option<String> {
        let ours = plan::ours(&self.settings);
        let report = self.report()?;
        let usable = |active: Id, of: Family| {
            let mut paths = report.uplinks[usize::from(active)].families.iter();
            paths.any(|(family, path)| *family == of && path.health.is_usable())
        };
        for family in &report.families {
            let begun = !matches!(family.selection, Selection::Boot { .. });
            let content = begun && family.sync == Sync::Clean;
            let carries = |active: &Id| content && usable(*active, family.family);
            let Some(active) = family.active.filter(carries) else { continue };
            let table = self.kernel.table(family.family, MAIN_TABLE);
            let defaults = table.iter().filter(|route| route.is_default() && ours.owns_route(route));
            let best = defaults.min_by_key(|route| route.metric);
            if !best.is_some_and(|route| route.uses(self.index(active))) {
                return Some(format!("our best default route is not by uplink {active}: {best:?}"));
            }
        }
        None
    }

    fn families(&self) -> Vec<Family> {
        Family::ALL.into_iter().filter(|family| self.uses(*family)).collect()
    }

    fn uses(&self, family: Family) -> bool {
        self.settings.uplinks.iter().flat_map(|uplink| &uplink.targets).any(|t| Family::of(*t) == family)
    }
}
