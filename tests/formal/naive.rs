//! The rules written a second time, from the document and without a machine: what an event makes of the health of its
//! uplink, and which uplink carries traffic afterwards. The core must agree on every step.

use crate::claims::claims;
use std::cmp::Reverse;
use uplinkd::machine::{Command, Event, Health, Id, Rules, Selection, Timer, View, health};

fn health_after(health: Health, event: health::Event) -> Health {
    let ready = health.is_watched();
    let judged = ready && !health.is_drained();
    match event {
        health::Event::Ready if health.is_drained() => Health::Drained { ready: true },
        health::Event::Ready if !ready => Health::Probation,
        health::Event::Unready if health.is_drained() => Health::Drained { ready: false },
        health::Event::Unready => Health::Unready,
        health::Event::Good if judged => Health::Healthy,
        health::Event::Dead if judged => Health::Down,
        health::Event::Lossy if health == Health::Healthy => Health::Degraded,
        health::Event::Drain => Health::Drained { ready },
        health::Event::Undrain if health.is_drained() && ready => Health::Probation,
        health::Event::Undrain if health.is_drained() => Health::Unready,
        health::Event::Ready
        | health::Event::Good
        | health::Event::Dead
        | health::Event::Lossy
        | health::Event::Missed
        | health::Event::Undrain => health,
    }
}

/// The uplinks as they are after the event, in the order in which they are preferred.
struct Situation<'a> {
    rules: &'a Rules,
    health: &'a [Health],
}

impl Situation<'_> {
    fn of(&self, id: Id) -> Health {
        self.health[usize::from(id)]
    }

    /// Healthy before degraded, then by tier, then by position; nothing else is usable.
    fn best(&self) -> Option<Id> {
        let mut usable: Vec<Id> =
            (0..).zip(self.health).filter(|(_, health)| health.is_usable()).map(|(id, _)| id).collect();
        usable.sort_by_key(|id| (Reverse(self.of(*id) == Health::Healthy), self.rules.tier(*id), *id));
        usable.first().copied()
    }

    /// Both down: no switching. Only a drained uplink must let go.
    fn best_or(&self, active: Option<Id>) -> Option<Id> {
        self.best().or(active.filter(|active| !self.of(*active).is_drained()))
    }

    /// An uplink was chosen, or was adopted and has proven itself: is there a reason to leave it at once?
    fn stay_or_go(&self, active: Id) -> Option<Id> {
        match self.of(active) {
            Health::Healthy => Some(active),
            Health::Degraded => match self.best() {
                Some(best) if self.rules.leave_degraded && self.of(best) == Health::Healthy => Some(best),
                Some(_) | None => Some(active),
            },
            Health::Unready | Health::Drained { .. } | Health::Probation | Health::Down => {
                self.best_or(Some(active))
            }
        }
    }

    fn boot(&self, adopted: Option<Id>, overdue: bool) -> Option<Id> {
        match adopted {
            Some(adopted) if self.of(adopted).is_usable() => return self.stay_or_go(adopted),
            Some(adopted) if self.of(adopted) == Health::Probation && !overdue => return Some(adopted),
            Some(_) | None => {}
        }
        let may_prove_better = |best: Id, id: Id, health: Health| {
            self.rules.tier(id) < self.rules.tier(best)
                && [Health::Unready, Health::Probation].contains(&health)
        };
        let best = self.best();
        let wait =
            best.is_some_and(|best| (0..).zip(self.health).any(|(id, h)| may_prove_better(best, id, *h)));
        if wait && !overdue { adopted.filter(|id| !self.of(*id).is_drained()) } else { self.best_or(adopted) }
    }
}

fn active_after(rules: &Rules, before: &View, event: Event, health: &[Health]) -> Option<Id> {
    let now = Situation { rules, health };
    let active = before.active;
    match (event, before.selection) {
        (Event::Operator(Command::Use(id)), _) if !now.of(id).is_drained() => Some(id),
        (Event::Operator(Command::Auto), Selection::Pinned { .. } | Selection::Frozen { .. }) => {
            now.best_or(active)
        }
        (Event::Operator(_), _) => active,
        (_, Selection::Pinned { .. } | Selection::Frozen { .. }) => match active {
            Some(id) if now.of(id).is_drained() => now.best(),
            Some(_) | None => active,
        },
        (Event::Adopt(id), Selection::Boot { adopted: None, overdue: false }) if !now.of(id).is_drained() => {
            now.boot(Some(id), false)
        }
        (_, Selection::Boot { adopted, overdue }) => {
            now.boot(adopted, overdue || event == Event::Expired(Timer::BootDeadline))
        }
        (Event::Expired(Timer::Stable(better)), _) => Some(better),
        (
            _,
            Selection::Primary { active } | Selection::Waiting { active } | Selection::Proving { active },
        ) => now.stay_or_go(active),
    }
}

claims! {
    fn health_agrees_with_the_naive_rules(world) {
        world.step(|before, event, _, after| match event {
            Event::Uplink(id, event) => {
                let id = usize::from(id);
                after.health[id] == health_after(before.health[id], event)
            }
            Event::Operator(_) | Event::Adopt(_) | Event::Expired(_) | Event::Kernel(_) | Event::Stop => {
                after.health == before.health
            }
        })
    }

    fn the_choice_of_the_uplink_agrees_with_the_naive_rules(world) {
        world.step(|before, event, _, after| {
            after.active == active_after(&world.rules, before, event, &after.health)
        })
    }
}
