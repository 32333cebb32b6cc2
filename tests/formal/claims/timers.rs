//! Timers: when they run, what restarts them, and that they stop.

use crate::claims::claims;
use uplinkd::machine::{Effect, Event, Health, Selection, Sync, Timer, Timers, health};

claims! {
    /// `BootDeadline` in Boot, `Retry` in Backoff, `Stable` of each healthy uplink that is better than the active one,
    /// in Fallback.
    fn a_timer_runs_exactly_in_the_state_that_owns_it(world) {
        world.always(|view| {
            let mut wanted = Timers::NONE;
            match view.selection {
                Selection::Boot { overdue: false, .. } => wanted.insert(Timer::BootDeadline),
                Selection::Waiting { active } | Selection::Proving { active } => {
                    for (id, health) in (0..).zip(&view.health) {
                        if *health == Health::Healthy && world.rules.tier(id) < world.rules.tier(active) {
                            wanted.insert(Timer::Stable(id));
                        }
                    }
                }
                Selection::Boot { overdue: true, .. }
                | Selection::Primary { .. }
                | Selection::Pinned { .. }
                | Selection::Frozen { .. } => {}
            }
            if view.sync == Sync::Backoff {
                wanted.insert(Timer::Retry);
            }
            view.timers == wanted
        })
    }

    /// Whoever carries out the effects, and nothing else, has the timers that the core thinks it has.
    fn arming_and_disarming_account_for_every_timer(world) {
        world.step(|before, event, effects, after| {
            let mut running = before.timers;
            if let Event::Expired(timer) = event {
                running.remove(timer);
            }
            for effect in effects {
                match effect {
                    Effect::Arm(timer) => running.insert(*timer),
                    Effect::Disarm(timer) if running.contains(*timer) => running.remove(*timer),
                    Effect::Disarm(_) => return false,
                    Effect::Watch(_)
                    | Effect::Unwatch(_)
                    | Effect::Announce { .. }
                    | Effect::Plan
                    | Effect::Dump
                    | Effect::Finish => {}
                }
            }
            running == after.timers
        })
    }

    fn a_running_timer_is_restarted_by_a_missed_round_of_its_uplink_and_by_nothing_else(world) {
        world.step(|before, event, effects, _| {
            before.timers.iter().all(|timer| {
                let restarted = effects.contains(&Effect::Arm(timer)) && event != Event::Expired(timer);
                let missed = match timer {
                    Timer::Stable(id) => event == Event::Uplink(id, health::Event::Missed),
                    Timer::BootDeadline | Timer::Retry => false,
                };
                restarted == missed
            })
        })
    }

    /// The memory is the set of uplinks that missed a round, or were not healthy, since their window was started last.
    fn a_window_ends_only_after_uninterrupted_health(world) {
        world.history(0_u8, |mut interrupted, _, edge, after| {
            let bit = |id: u8| 1 << id;
            if let Event::Expired(Timer::Stable(id)) = edge.event
                && interrupted & bit(id) != 0
            {
                return None;
            }
            for effect in &edge.step.effects {
                if let Effect::Arm(Timer::Stable(id)) = effect {
                    interrupted &= !bit(*id);
                }
            }
            if let Event::Uplink(id, health::Event::Missed) = edge.event
                && !edge.step.effects.contains(&Effect::Arm(Timer::Stable(id)))
            {
                interrupted |= bit(id);
            }
            for (id, health) in (0..).zip(&after.health) {
                if *health != Health::Healthy {
                    interrupted |= bit(id);
                }
            }
            Some(interrupted)
        })
    }

    fn an_expired_timer_is_gone_and_was_waited_for(world) {
        world.history((), |(), _, edge, after| match edge.event {
            Event::Expired(timer) => (!after.timers.contains(timer) && !edge.step.is_ignored()).then_some(()),
            Event::Uplink(..) | Event::Operator(_) | Event::Adopt(_) | Event::Kernel(_) | Event::Stop => Some(()),
        })
    }

    fn runs_of_timers_come_to_an_end(world) {
        world.graph.rests("").map(|_| ())
    }
}
