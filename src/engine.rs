//! The numeric, timed half of the daemon, without IO: facts and answers in, operations and probes out.
//!
//! ```text
//!   Input, now ─► inventory (facts) ─┐
//!                 monitor (verdicts) ┼─ Event ─► Core ─ Effect ─► timers, plan ─► reconcile ─► Action
//!                 timers (deadlines) ┘
//! ```
//!
//! [`Engine::handle`] is the only place where a number becomes an event. It does everything that is due, so a driver
//! needs three methods: `handle(input, now)`, `poll_action()`, `poll_timeout()`.

pub mod action;
mod drive;
mod family;
pub mod input;
pub mod inventory;
pub mod monitor;
mod pairs;
pub mod plan;
pub mod reconcile;
pub mod report;
pub mod route;
mod schedule;
pub mod settings;
mod take;
pub mod time;
pub mod window;

#[cfg(test)]
mod tests;

pub use action::Action;
pub use input::Input;
use serde::{Deserialize, Serialize};
pub use settings::{Family, Settings};
pub use time::Time;

use crate::machine::{Event, Health, Id, Sync, health, sync};
use drive::Ending;
pub use drive::FAREWELL;
use family::FamilyState;
use inventory::Inventory;
use report::{Notice, Report, Transition, UplinkReport};
use route::Op;
use schedule::SMELL;
use std::collections::{BTreeSet, VecDeque};

/// Why the engine wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A timer of the machine.
    Timer,
    /// A round is due.
    Probe,
    /// A round is to be judged.
    Judge,
    /// The next burst of a large round.
    Burst,
    /// Carriers are to be asked for.
    Carrier,
    /// A stranger's edit is to be undone.
    Drift,
}

/// The engine.
#[derive(Debug, Serialize, Deserialize)]
pub struct Engine {
    settings: Settings,
    inventory: Inventory,
    families: Vec<FamilyState>,
    actions: VecDeque<Action>,
    bursts: VecDeque<(Time, Action)>,
    follow_ups: VecDeque<(Family, Event)>,
    transitions: VecDeque<Transition>,
    next_round: u64,
    next_transition: u64,
    next_generation: u64,
    /// Interfaces whose `ignore_routes_with_linkdown` the kernel refused to change.
    linkdown_refused: BTreeSet<(Family, u32)>,
    carrier_asked: Time,
    smells_until: Time,
    /// When the first of the answers came that are not judged yet.
    unjudged: Option<Time>,
    /// Everything that had arrived by then has been taken: what is missing from before is missing.
    heard_until: Time,
    ending: Ending,
    /// The last operations, for what the kernel refuses of them; and how many of them it refused.
    farewell: Vec<(Family, Vec<Op>)>,
    left_behind: usize,
    /// Something was taken that facts, desired or observed state depend on.
    dirty: bool,
    /// Numbers behind the event that is being handled, for the cause of a transition.
    because: String,
}

impl Engine {
    /// An engine that knows nothing yet; its first action is to read the kernel.
    #[must_use]
    pub fn new(settings: Settings, now: Time) -> Self {
        let mut engine = Self {
            inventory: Inventory::new(&settings.uplinks),
            settings,
            families: vec![],
            actions: VecDeque::new(),
            bursts: VecDeque::new(),
            follow_ups: VecDeque::new(),
            transitions: VecDeque::new(),
            next_round: 1,
            next_transition: 1,
            next_generation: 1,
            linkdown_refused: BTreeSet::new(),
            carrier_asked: Time::ZERO,
            smells_until: now + SMELL,
            unjudged: None,
            heard_until: Time::ZERO,
            ending: Ending::No,
            farewell: vec![],
            left_behind: 0,
            dirty: true,
            because: String::new(),
        };
        for family in Family::ALL {
            let in_use =
                |uplink: &settings::Uplink| uplink.targets.iter().any(|target| Family::of(*target) == family);
            if engine.settings.uplinks.iter().any(in_use) {
                let (state, effects) = FamilyState::new(family, &engine.settings, now);
                engine.families.push(state);
                for effect in effects {
                    engine.carry_out(family, effect, Event::Stop, now);
                }
            }
        }
        engine
    }

    /// Does it fit together? What was read from a file may have been written by anybody.
    ///
    /// # Errors
    /// What does not.
    pub fn is_sound(&self) -> Result<(), &'static str> {
        let uplinks = self.settings.uplinks.len();
        if uplinks == 0 || uplinks > settings::MAX_UPLINKS {
            return Err("its engine has no uplinks, or too many");
        }
        if !self.families.iter().all(|family| family.is_sound(&self.settings)) {
            return Err("its engine's parts do not fit together");
        }
        Ok(())
    }

    /// What it was made with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes one piece of news and does everything that is due.
    ///
    /// Answers to probes come in crowds, and judging looks at everything: they are taken one by one, and judged together
    /// with the next input of another kind, for which [`Engine::poll_timeout`] asks at once.
    pub fn handle(&mut self, input: Input, now: Time) {
        self.unjudged = if matches!(input, Input::Probe { .. }) { self.unjudged.or(Some(now)) } else { None };
        if self.ending != Ending::No {
            if let Input::Applied { family, generation: FAREWELL, refused } = input {
                self.farewell_answered(family, &refused);
            }
            return;
        }
        if input == Input::Tick {
            self.heard_until = now;
        }
        self.because.clear();
        self.dirty |= !matches!(
            input,
            Input::Tick
                | Input::Probe { .. }
                | Input::Route(_)
                | Input::RouteReplaced(_)
                | Input::RouteGone(_)
        );
        self.take(input, now);
        if self.unjudged.is_none() {
            self.settle(now);
        }
    }

    /// Would it change anything to be told this? Of others' routes only those matter that compete with ours; there may be
    /// a million more.
    #[must_use]
    pub fn matters(&self, input: &Input) -> bool {
        if let Input::Route(route) | Input::RouteReplaced(route) | Input::RouteGone(route) = input {
            plan::ours(&self.settings).cares_for(route)
        } else {
            true
        }
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `handle(Input::Tick, …)` must be called at the latest, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        if self.ending != Ending::No {
            return None;
        }
        let timers =
            self.families.iter().flat_map(|state| state.deadlines.values().map(|at| (*at, Reason::Timer)));
        let bursts = self.bursts.front().map(|(at, _)| (*at, Reason::Burst));
        let carrier = self.next_carrier_poll().map(|at| (at, Reason::Carrier));
        let drift = self.families.iter().filter_map(|state| Some((state.drift_due?, Reason::Drift)));
        let probes = self.families.iter().flat_map(|state| {
            state.ids().filter_map(|id| {
                let monitor = state.path(id).monitor.as_ref()?;
                let round = (monitor.next_round(state.interval(id, &self.settings)), Reason::Probe);
                Some(monitor.deadline().map_or(round, |at| round.min((at, Reason::Judge))))
            })
        });
        let unjudged = self.unjudged.map(|at| (at, Reason::Judge));
        timers.chain(bursts).chain(carrier).chain(drift).chain(probes).chain(unjudged).min()
    }

    /// The whole state, ready to be shown.
    #[must_use]
    pub fn report(&self, now: Time) -> Report {
        let uplink = |id: Id| UplinkReport {
            id,
            families: self
                .families
                .iter()
                .map(|state| (state.family, state.path_report(id, &self.settings, now)))
                .collect(),
        };
        Report {
            families: self.families.iter().map(|state| state.report(now)).collect(),
            uplinks: self.ids().map(uplink).collect(),
            transitions: self.transitions.iter().cloned().collect(),
        }
    }

    /// Interface names by index, for messages.
    #[must_use]
    pub fn names(&self) -> route::Names {
        self.inventory.names()
    }

    /// Did the kernel tell `ignore_routes_with_linkdown` of this interface? True where there is no such interface.
    #[must_use]
    pub fn linkdown_is_known(&self, interface: &str) -> bool {
        self.inventory.by_name(interface).is_none_or(|link| link.ignore_linkdown.is_some())
    }

    fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        let count = u8::try_from(self.settings.uplinks.len()).unwrap_or(u8::MAX);
        0..count
    }

    fn state(&mut self, family: Family) -> Option<&mut FamilyState> {
        state_of(&mut self.families, family)
    }

    /// Brings facts, verdicts, desired state and probes up to date with everything that was taken.
    fn settle(&mut self, now: Time) {
        if self.dirty {
            self.refresh_facts(now);
        }
        self.judge(now);
        // After the evidence: what has happened meanwhile may have stopped a timer that is over by now.
        self.fire_timers(now);
        let due = |state: &FamilyState| state.drift_due.is_some_and(|at| at <= now);
        if core::mem::take(&mut self.dirty) || self.families.iter().any(due) {
            self.replan(now);
        }
        self.probe(now);
        self.poll_carriers(now);
    }

    fn refresh_facts(&mut self, now: Time) {
        for index in 0..self.families.len() {
            let family = self.families[index].family;
            for (id, event) in self.families[index].refresh_facts(&self.settings, &self.inventory) {
                self.families[index].path(id).facts.readiness.words().clone_into(&mut self.because);
                self.feed(family, Event::Uplink(id, event), now);
            }
        }
    }

    fn judge(&mut self, now: Time) {
        for index in 0..self.families.len() {
            let family = self.families[index].family;
            for (id, event) in self.families[index].judge(&self.settings, self.heard_until) {
                if event == health::Event::Missed {
                    self.smells_until = now + SMELL;
                }
                let report = self.families[index].path_report(id, &self.settings, now);
                self.because = match event {
                    health::Event::Good if self.families[index].core.health(id) == Health::Degraded => {
                        format!("loss {:.0} % and delay are within bounds again", report.loss_percent)
                    }
                    health::Event::Good => format!("{} good rounds in a row", self.settings.probe.rise),
                    health::Event::Dead => format!("{} failed rounds in a row", report.fails),
                    health::Event::Lossy => format!(
                        "loss {:.0} %, delay {} ms",
                        report.loss_percent,
                        report.rtt.unwrap_or_default().as_millis()
                    ),
                    health::Event::Missed
                    | health::Event::Ready
                    | health::Event::Unready
                    | health::Event::Drain
                    | health::Event::Undrain => "a round failed".to_owned(),
                };
                self.feed(family, Event::Uplink(id, event), now);
            }
        }
    }

    /// Does the kernel have what we want, and is that still what we want?
    fn replan(&mut self, now: Time) {
        let (names, own) = (self.inventory.names(), self.inventory.own_addresses());
        for index in 0..self.families.len() {
            let state = &self.families[index];
            let family = state.family;
            let desired = state.plan(&self.settings);
            let difference = state.difference(&desired, &self.settings);
            let conditions = state.conditions(&difference, &self.settings, &names, &own);
            let fresh = conditions.difference(&state.notices).cloned().map(Action::Notice);
            self.actions.extend(fresh);
            let state = &mut self.families[index];
            state.notices = conditions;
            state.drift_due = None;
            if state.desired.as_ref().is_some_and(|before| *before != desired) {
                self.feed(family, Event::Kernel(sync::Event::Replan), now);
            } else if state.core.sync() == Sync::Clean && !difference.ops.is_empty() {
                let due = state.drift(now);
                if due <= now {
                    state.reassert(now);
                    let count = state.reasserted;
                    self.actions.push_back(Action::Notice(Notice::Reasserted(family, count)));
                    self.feed(family, Event::Kernel(sync::Event::Drift), now);
                } else {
                    state.drift_due = Some(due);
                }
            } else if state.core.sync() == Sync::Clean {
                self.actions.extend(state.flush(&self.settings));
            }
        }
    }
}

fn state_of(families: &mut [FamilyState], family: Family) -> Option<&mut FamilyState> {
    families.iter_mut().find(|state| state.family == family)
}
