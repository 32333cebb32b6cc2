//! The machine's hands: events go in with all that follows from them, effects become deadlines and actions.

use super::action::Action;
use super::family::{FamilyState, Flight};
use super::report::{Change, Notice, Transition};
use super::route::Op;
use super::settings::OnExit;
use super::take::is_gone_already;
use super::{Engine, Family, Time, monitor, plan, state_of};
use crate::machine::{Effect, Event, Id, Timer, View, health, sync};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Transitions that are remembered for status.
const MAX_TRANSITIONS: usize = 256;
/// Follow-up events of one input; the machines come to rest long before (proved in tests/formal).
const MAX_FOLLOW_UPS: usize = 1024;
/// The generation that brings the kernel into its last state.
pub const FAREWELL: u64 = u64::MAX;

/// Is it over?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    No,
    /// Waiting for this many families' last operations.
    Waiting(usize),
    Done,
}

impl Engine {
    pub(super) fn fire_timers(&mut self, now: Time) {
        for index in 0..self.families.len() {
            let family = self.families[index].family;
            let due = |state: &FamilyState| {
                state.deadlines.iter().filter(|(_, at)| **at <= now).map(|(timer, at)| (*at, *timer)).min()
            };
            // Each expiry may re-arm others, never itself at once: a timer of zero length waits for the next call.
            let mut fired = BTreeSet::new();
            while let Some((_, timer)) = due(&self.families[index]).filter(|(_, timer)| fired.insert(*timer))
            {
                self.families[index].deadlines.remove(&timer);
                self.because = match timer {
                    Timer::BootDeadline => {
                        format!("boot deadline of {:?} is over", self.settings.failover.boot_deadline)
                    }
                    Timer::Stable(_) => "healthy without interruption for the stable window".to_owned(),
                    Timer::Retry => "time to try again".to_owned(),
                };
                let event = match timer {
                    Timer::Stable(id) if !self.is_watched_closely(index, id, now) => {
                        // We did not look (a suspend, a stopped process): that was no uninterrupted health.
                        "nobody looked for a while".clone_into(&mut self.because);
                        self.families[index].deadlines.insert(timer, now);
                        Event::Uplink(id, health::Event::Missed)
                    }
                    Timer::Stable(_) | Timer::BootDeadline | Timer::Retry => Event::Expired(timer),
                };
                self.feed(family, event, now);
            }
        }
    }

    /// Has a good round left lately, as often as rounds leave?
    fn is_watched_closely(&self, index: usize, id: Id, now: Time) -> bool {
        let state = &self.families[index];
        let Some(monitor) = state.path(id).monitor.as_ref() else { return false };
        let lately = state.interval(id, &self.settings) * 2 + monitor.timeout();
        monitor.last_good().is_some_and(|good| now.since(good) <= lately)
    }

    pub(super) fn feed_all(&mut self, event: Event, now: Time) {
        for index in 0..self.families.len() {
            self.feed(self.families[index].family, event, now);
        }
    }

    /// One event, and all that follows from it by itself.
    pub(super) fn feed(&mut self, family: Family, event: Event, now: Time) {
        self.dirty = true;
        self.follow_ups.push_back((family, event));
        for _ in 0..MAX_FOLLOW_UPS {
            let Some((family, event)) = self.follow_ups.pop_front() else { return };
            let Some(state) = self.state(family) else { continue };
            let before = state.core.view();
            let step = state.core.handle(event);
            let after = state.core.view();
            self.note_changes(family, event, &before, &after, now);
            for effect in step.effects {
                self.carry_out(family, effect, event, now);
            }
        }
    }

    fn note_changes(&mut self, family: Family, event: Event, before: &View, after: &View, now: Time) {
        let health = (0..).zip(before.health.iter().zip(&after.health)).filter(|(_, (from, to))| from != to);
        let mut changes: Vec<Change> =
            health.map(|(uplink, (from, to))| Change::Health { uplink, from: *from, to: *to }).collect();
        if before.selection != after.selection {
            changes.push(Change::Selection { from: before.selection, to: after.selection });
            if let Some(state) = self.state(family) {
                state.since = now;
            }
        }
        for change in changes {
            let transition = Transition {
                id: self.next_transition,
                at: now,
                family,
                change,
                event,
                cause: self.because.clone(),
            };
            self.next_transition += 1;
            if self.transitions.len() >= MAX_TRANSITIONS {
                self.transitions.pop_front();
            }
            self.transitions.push_back(transition.clone());
            self.actions.push_back(Action::Announce(transition));
        }
    }

    pub(super) fn carry_out(&mut self, family: Family, effect: Effect, event: Event, now: Time) {
        let settings = &self.settings;
        let Some(state) = state_of(&mut self.families, family) else { return };
        match effect {
            Effect::Arm(timer) => {
                let length = state.length(timer, settings);
                state.deadlines.insert(timer, now + length);
            }
            Effect::Disarm(timer) => {
                state.deadlines.remove(&timer);
            }
            Effect::Watch(id) => {
                let uplink = &settings.uplinks[usize::from(id)];
                let path = &mut state.paths[usize::from(id)];
                let Some(index) = path.facts.index else { return };
                path.monitor = Some(monitor::Monitor::new(&settings.probe, &path.targets));
                let interface = uplink.interface.clone();
                self.actions.push_back(Action::Watch { uplink: id, family, interface, index });
            }
            Effect::Unwatch(id) => {
                state.paths[usize::from(id)].monitor = None;
                self.actions.push_back(Action::Unwatch { uplink: id, family });
            }
            Effect::Announce { from, to } => {
                let by_window = matches!(event, Event::Expired(Timer::Stable(_)));
                let by_operator =
                    matches!(event, Event::Operator(_) | Event::Uplink(_, health::Event::Drain));
                state.moved((from, to), (by_window, by_operator), settings, now);
            }
            Effect::Plan => self.send_plan(family),
            Effect::Dump => self.actions.push_back(Action::Dump(family)),
            Effect::Finish => self.finish(),
        }
    }

    fn send_plan(&mut self, family: Family) {
        let generation = self.next_generation;
        self.next_generation += 1;
        let settings = &self.settings;
        let Some(state) = state_of(&mut self.families, family) else { return };
        let desired = state.plan(settings);
        let ops = state.difference(&desired, settings).ops;
        state.desired = Some(desired.clone());
        if ops.is_empty() {
            state.converged();
            self.follow_ups.push_back((family, Event::Kernel(sync::Event::Acked)));
            return;
        }
        let ours = plan::ours(settings);
        let names = self.inventory.names();
        let strangers = ops.iter().filter_map(|op| match op {
            Op::DeleteRoute(route)
                if ours.tables.contains(&route.table) && route.protocol != ours.protocol =>
            {
                Some(route).filter(|route| !plan::is_shelved(route, &ours))
            }
            Op::DeleteRoute(_)
            | Op::PutRoute(..)
            | Op::AddRule(_)
            | Op::DeleteRule(_)
            | Op::IgnoreLinkdown { .. } => None,
        });
        self.actions
            .extend(strangers.map(|route| Action::Notice(Notice::Evicted(family, route.words(&names)))));
        state.in_flight = Some(Flight { generation, ops: ops.clone(), desired });
        self.actions.push_back(Action::Apply { family, generation, ops });
    }

    /// The last state, once for all families.
    fn finish(&mut self) {
        if self.ending != Ending::No {
            return;
        }
        let mut waiting = 0;
        if self.settings.routing.on_exit == OnExit::Remove {
            for state in &self.families {
                let ops = state.difference(&plan::leave(&self.settings, &state.observed), &self.settings).ops;
                if !ops.is_empty() {
                    waiting += 1;
                    self.farewell.push((state.family, ops.clone()));
                    self.actions.push_back(Action::Apply { family: state.family, generation: FAREWELL, ops });
                }
            }
        }
        self.ending = Ending::Waiting(waiting + 1);
        self.farewell_applied();
    }

    /// What became of one family's last operations.
    pub(super) fn farewell_answered(&mut self, family: Family, refused: &[(usize, i32)]) {
        let names = self.inventory.names();
        let ops = self.farewell.iter().find(|(of, _)| *of == family).map(|(_, ops)| ops.as_slice());
        for (index, errno) in refused {
            let op = ops.and_then(|ops| ops.get(*index)).filter(|op| !is_gone_already(op, *errno));
            let Some(op) = op else { continue };
            self.left_behind += 1;
            self.actions.push_back(Action::Notice(Notice::Refused(family, op.words(&names), *errno)));
        }
        self.farewell_applied();
    }

    fn farewell_applied(&mut self) {
        self.ending = match self.ending {
            Ending::Waiting(left) if left > 1 => Ending::Waiting(left - 1),
            Ending::Waiting(_) => {
                self.actions.push_back(Action::Done { refused: self.left_behind });
                Ending::Done
            }
            Ending::No | Ending::Done => self.ending,
        };
    }
}
