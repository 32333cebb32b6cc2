//! The three machines wired together: one core per address family.

use super::{Command, Effect, Event, Health, Id, Selection, Sync, Timer, Timers, health, selector, sync};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// What the configuration decides about the machine: no numbers but ranks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Rules {
    /// The tier of each uplink, by id; 1 is best.
    pub tiers: Vec<u8>,
    /// Leave a degraded uplink for a healthy one.
    pub leave_degraded: bool,
}

impl Rules {
    /// `uplinks` uplinks in order of preference, leaving degraded ones.
    #[must_use]
    pub fn ranked(uplinks: u8) -> Self {
        Self { tiers: (1..=uplinks).collect(), leave_degraded: true }
    }

    /// The tier of one uplink.
    #[must_use]
    pub fn tier(&self, id: Id) -> u8 {
        self.tiers[usize::from(id)]
    }

    /// The best tier there is.
    #[must_use]
    pub fn best_tier(&self) -> u8 {
        self.tiers.iter().copied().min().unwrap_or(1)
    }
}

/// What one event did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
    /// Who took the event, `machine:state`, in the order in which the machines were asked; empty when nobody wanted it.
    pub handlers: Vec<(&'static str, &'static str)>,
}

impl Step {
    /// Did nobody want the event?
    #[must_use]
    pub fn is_ignored(&self) -> bool {
        self.handlers.is_empty()
    }
}

/// Everything that can be seen of a core, as plain values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// Which uplink carries traffic, and in which state the selector is.
    pub selection: Selection,
    /// The uplink that carries traffic.
    pub active: Option<Id>,
    /// The health of each uplink, by id.
    pub health: Vec<Health>,
    /// The conversation with the kernel.
    pub sync: Sync,
    /// The timers that run.
    pub timers: Timers,
    /// No uplink is usable.
    pub stranded: bool,
}

/// The decisions of one family: cloneable, comparable, hashable and finite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Core {
    rules: Arc<Rules>,
    health: Vec<health::Machine>,
    selector: selector::Machine,
    sync: sync::Machine,
    armed: Timers,
}

impl Core {
    /// A core before anything is known, and what it wants first.
    #[must_use]
    pub fn new(rules: Rules) -> (Self, Vec<Effect>) {
        let core = Self {
            health: vec![health::Machine::default(); rules.tiers.len()],
            rules: Arc::new(rules),
            selector: selector::Machine::default(),
            sync: sync::Machine::default(),
            armed: [Timer::BootDeadline].into_iter().collect(),
        };
        (core, vec![Effect::Arm(Timer::BootDeadline), Effect::Dump])
    }

    /// Is it a core of so many uplinks, and names no other? One that was read may have been written by anybody.
    #[must_use]
    pub fn is_sound(&self, uplinks: usize) -> bool {
        let known = self.active().is_none_or(|active| usize::from(active) < uplinks);
        self.rules.tiers.len() == uplinks && self.health.len() == uplinks && known
    }

    /// The rules it was made with.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The health of one uplink.
    #[must_use]
    pub fn health(&self, id: Id) -> Health {
        self.health[usize::from(id)].state()
    }

    /// The state of the selector.
    #[must_use]
    pub fn selection(&self) -> Selection {
        self.selector.state()
    }

    /// The uplink that carries traffic.
    #[must_use]
    pub fn active(&self) -> Option<Id> {
        self.selection().active()
    }

    /// The state of the conversation with the kernel.
    #[must_use]
    pub fn sync(&self) -> Sync {
        self.sync.state()
    }

    /// The timers that run.
    #[must_use]
    pub const fn timers(&self) -> Timers {
        self.armed
    }

    /// No uplink is usable.
    #[must_use]
    pub fn is_stranded(&self) -> bool {
        !self.health.iter().any(|machine| machine.state().is_usable())
    }

    /// Everything that can be seen of it.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            selection: self.selection(),
            active: self.active(),
            health: self.healths(),
            sync: self.sync(),
            timers: self.armed,
            stranded: self.is_stranded(),
        }
    }

    /// Feeds one event. An id beyond the configuration is nobody's and changes nothing.
    pub fn handle(&mut self, event: Event) -> Step {
        let mut step = Step::default();
        let active = self.active();
        match event {
            Event::Uplink(id, event) => self.tell_health(id, event, &mut step),
            Event::Operator(Command::Use(id)) | Event::Adopt(id) if !self.knows(id) => {}
            Event::Operator(command) => self.tell_selector(selector::Event::Operator(command), &mut step),
            Event::Adopt(id) => self.tell_selector(selector::Event::Adopt(id), &mut step),
            Event::Expired(timer) if self.armed.contains(timer) => self.expire(timer, &mut step),
            Event::Expired(_) => {}
            Event::Kernel(event) => self.tell_sync(event, &mut step),
            Event::Stop => {
                step.effects.push(Effect::Finish);
                step.handlers.push(("core", "any"));
            }
        }
        self.follow_up(active, &mut step);
        step
    }

    fn knows(&self, id: Id) -> bool {
        usize::from(id) < self.health.len()
    }

    fn healths(&self) -> Vec<Health> {
        self.health.iter().map(health::Machine::state).collect()
    }

    fn tell_health(&mut self, id: Id, event: health::Event, step: &mut Step) {
        let Some(machine) = self.health.get_mut(usize::from(id)) else { return };
        let moved = machine.handle(event);
        let Some(handler) = moved.handler else { return };
        step.handlers.push(("health", handler));
        match (moved.from.is_watched(), moved.to.is_watched()) {
            (false, true) => step.effects.push(Effect::Watch(id)),
            (true, false) => step.effects.push(Effect::Unwatch(id)),
            // Given back by the operator: it has to prove itself, whatever was seen while it was drained.
            (true, true) if moved.from.is_drained() && moved.to == Health::Probation => {
                step.effects.extend([Effect::Unwatch(id), Effect::Watch(id)]);
            }
            (true, true) | (false, false) => {}
        }
        if moved.from != moved.to {
            self.tell_selector(selector::Event::Assess, step);
        } else if event == health::Event::Missed && self.armed.contains(Timer::Stable(id)) {
            // Uninterrupted health begins anew.
            step.effects.push(Effect::Arm(Timer::Stable(id)));
        }
    }

    fn tell_selector(&mut self, event: selector::Event, step: &mut Step) {
        let moved = self.selector.handle(event, &self.rules, &self.healths());
        step.handlers.extend(moved.handler.map(|handler| ("selector", handler)));
    }

    fn tell_sync(&mut self, event: sync::Event, step: &mut Step) {
        let moved = self.sync.handle(event, &mut step.effects);
        step.handlers.extend(moved.handler.map(|handler| ("sync", handler)));
    }

    fn expire(&mut self, timer: Timer, step: &mut Step) {
        self.armed.remove(timer);
        match timer {
            Timer::BootDeadline => self.tell_selector(selector::Event::BootExpired, step),
            Timer::Stable(id) => self.tell_selector(selector::Event::StableExpired(id), step),
            Timer::Retry => self.tell_sync(sync::Event::RetryExpired, step),
        }
    }

    /// What every step ends with: a switch is announced and planned, and the timers are those of the new state.
    fn follow_up(&mut self, before: Option<Id>, step: &mut Step) {
        let active = self.active();
        if active != before {
            step.effects.push(Effect::Announce { from: before, to: active });
            self.tell_sync(sync::Event::Replan, step);
        }
        let wanted = self.wanted_timers();
        step.effects.extend(self.armed.without(wanted).iter().map(Effect::Disarm));
        step.effects.extend(wanted.without(self.armed).iter().map(Effect::Arm));
        self.armed = wanted;
    }

    /// Each timer belongs to a state: this is that table.
    fn wanted_timers(&self) -> Timers {
        let mut timers = Timers::NONE;
        match self.selection() {
            Selection::Boot { overdue: false, .. } => timers.insert(Timer::BootDeadline),
            Selection::Proving { active } => {
                let health = self.healths();
                let proving = |id: &Id| selector::is_proving(*id, active, &self.rules, &health);
                (0..).take(health.len()).filter(proving).for_each(|id| timers.insert(Timer::Stable(id)));
            }
            Selection::Boot { overdue: true, .. }
            | Selection::Primary { .. }
            | Selection::Waiting { .. }
            | Selection::Pinned { .. }
            | Selection::Frozen { .. } => {}
        }
        if self.sync() == Sync::Backoff {
            timers.insert(Timer::Retry);
        }
        timers
    }

    /// What distinguishes one core from another of the same configuration.
    fn key(&self) -> (Selection, Sync, Timers, impl Iterator<Item = Health>) {
        (self.selection(), self.sync(), self.armed, self.health.iter().map(health::Machine::state))
    }
}

impl PartialEq for Core {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Core {}

impl PartialOrd for Core {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Core {
    fn cmp(&self, other: &Self) -> Ordering {
        let (selection, sync, armed, health) = self.key();
        let (other_selection, other_sync, other_armed, other_health) = other.key();
        health
            .cmp(other_health)
            .then_with(|| selection.cmp(&other_selection))
            .then_with(|| sync.cmp(&other_sync))
            .then_with(|| armed.cmp(&other_armed))
            .then_with(|| {
                if Arc::ptr_eq(&self.rules, &other.rules) {
                    Ordering::Equal
                } else {
                    self.rules.cmp(&other.rules)
                }
            })
    }
}

impl Hash for Core {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (selection, sync, armed, health) = self.key();
        (selection, sync, armed).hash(state);
        health.for_each(|health| health.hash(state));
    }
}
