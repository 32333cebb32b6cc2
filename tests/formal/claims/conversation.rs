//! The conversation with the kernel, and the end.

use crate::claims::claims;
use crate::support::World;
use uplinkd::machine::{Command, Effect, Event, Id, Sync, Timer, health, sync};

const SYNCED: Event = Event::Kernel(sync::Event::Synced);
const UNREADABLE: Event = Event::Kernel(sync::Event::Unreadable);
const ACKED: Event = Event::Kernel(sync::Event::Acked);
const REFUSED: Event = Event::Kernel(sync::Event::Refused);
const OVERRUN: Event = Event::Kernel(sync::Event::Overrun);
const REPLAN: Event = Event::Kernel(sync::Event::Replan);
const DRIFT: Event = Event::Kernel(sync::Event::Drift);
const RETRY: Event = Event::Expired(Timer::Retry);

fn is_unsynced(sync: Sync) -> bool {
    matches!(sync, Sync::Unsynced { .. })
}

/// The first uplink of the best tier.
fn best(world: &World) -> Id {
    let tiers = (0..).zip(&world.rules.tiers);
    tiers.min_by_key(|(_, tier)| **tier).map_or(0, |(id, _)| id)
}

claims! {
    /// The memory is whether a plan is unanswered; the state must remember the same.
    fn never_are_two_plans_in_flight(world) {
        world.history(false, |unanswered, _, edge, after| {
            let unanswered = unanswered && edge.event != ACKED && edge.event != REFUSED;
            let plans = edge.step.effects.iter().filter(|effect| **effect == Effect::Plan).count();
            let allowed = plans == 0 || (plans == 1 && !unanswered);
            let unanswered = unanswered || plans > 0;
            (allowed && after.sync.is_in_flight() == unanswered).then_some(unanswered)
        })
    }

    /// The memory is whether what the kernel has is unknown: at the start, and after notifications were lost, the dump
    /// failed or a plan was refused half-way.
    fn nothing_is_planned_before_the_kernel_has_been_read(world) {
        world.history(true, |unknown, before, edge, _| {
            let unknown = match edge.event {
                SYNCED => false,
                OVERRUN => true,
                UNREADABLE => unknown || is_unsynced(before.sync),
                REFUSED => unknown || before.sync.is_in_flight(),
                Event::Kernel(_)
                | Event::Uplink(..)
                | Event::Operator(_)
                | Event::Adopt(_)
                | Event::Expired(_)
                | Event::Stop => unknown,
            };
            (!unknown || !edge.step.effects.contains(&Effect::Plan)).then_some(unknown)
        })
    }

    /// The memory is whether a dump is on its way.
    fn the_kernel_is_being_read_whenever_it_is_unknown(world) {
        world.history(true, |asked, _, edge, after| {
            let answered = edge.event == SYNCED || edge.event == UNREADABLE;
            let asked = edge.step.effects.contains(&Effect::Dump) || (asked && !answered);
            (asked || !is_unsynced(after.sync)).then_some(asked)
        })
    }

    /// The memory is whether something has changed since the last plan was made, or that plan was refused.
    fn clean_means_that_the_kernel_accepted_a_plan_and_nothing_has_changed_since(world) {
        world.history(true, |changed, before, edge, after| {
            let refused = edge.event == REFUSED && before.sync.is_in_flight();
            let news = [REPLAN, DRIFT, OVERRUN].contains(&edge.event) || before.active != after.active;
            let changed = (changed || news || refused) && !edge.step.effects.contains(&Effect::Plan);
            (!changed || after.sync != Sync::Clean).then_some(changed)
        })
    }

    fn a_refused_plan_is_retried_or_superseded(world) {
        world.step(|before, event, effects, after| {
            let refused = event == REFUSED && before.sync.is_in_flight();
            let comes_back = match after.sync {
                Sync::Backoff => after.timers.contains(Timer::Retry),
                Sync::Unsynced { in_flight } => !in_flight,
                Sync::Clean | Sync::Applying { .. } => false,
            };
            (!refused || comes_back) && (event != RETRY || effects.contains(&Effect::Dump))
        })
    }

    /// With nothing but a kernel that answers, and the retry timer.
    fn clean_is_within_reach_from_everywhere(world) {
        world.recoverable(
            |_| true,
            |event| [SYNCED, ACKED, RETRY].contains(&event),
            |view| view.sync == Sync::Clean,
        )
    }

    /// With nothing but the uplink itself, the operator's `auto` and `undrain`, and timers.
    fn primary_is_within_reach_from_everywhere(world) {
        let best = best(world);
        let up = [health::Event::Ready, health::Event::Good, health::Event::Undrain];
        world.recoverable(
            |_| true,
            |event| match event {
                Event::Uplink(id, event) => id == best && up.contains(&event),
                Event::Operator(command) => command == Command::Auto,
                Event::Expired(_) => true,
                Event::Adopt(_) | Event::Kernel(_) | Event::Stop => false,
            },
            |view| view.selection.name() == "Primary",
        )
    }

    /// The same without the operator, where he has neither taken the wheel nor drained the best uplink.
    fn an_automatic_selection_finds_home_without_the_operator(world) {
        let best = best(world);
        let up = [health::Event::Ready, health::Event::Good];
        world.recoverable(
            |view| view.selection.is_automatic() && !view.health[usize::from(best)].is_drained(),
            |event| match event {
                Event::Uplink(id, event) => id == best && up.contains(&event),
                Event::Expired(_) => true,
                Event::Operator(_) | Event::Adopt(_) | Event::Kernel(_) | Event::Stop => false,
            },
            |view| view.selection.name() == "Primary",
        )
    }

    fn stop_is_accepted_everywhere_and_finishes_without_a_change(world) {
        world.history((), |(), before, edge, after| {
            let finishes = edge.step.effects.contains(&Effect::Finish);
            let stops = edge.step.effects == [Effect::Finish] && before == after && !edge.step.is_ignored();
            (if edge.event == Event::Stop { stops } else { !finishes }).then_some(())
        })
    }

    fn an_ignored_event_changes_nothing_and_asks_for_nothing(world) {
        world.history((), |(), before, edge, after| {
            let nothing = before == after && edge.step.effects.is_empty();
            (nothing || !edge.step.is_ignored()).then_some(())
        })
    }
}
