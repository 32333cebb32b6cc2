//! Which uplink carries traffic, and what may change that.

use crate::claims::claims;
use uplinkd::machine::{Command, Effect, Event, Health, Id, Selection, Sync, Timer, View, health};

fn of(view: &View, id: Id) -> Health {
    view.health[usize::from(id)]
}

/// What carried traffic and what does, where that is not the same.
fn switch(before: &View, after: &View) -> Option<(Option<Id>, Option<Id>)> {
    (before.active != after.active).then_some((before.active, after.active))
}

/// Does the operator order this? Draining an uplink is an order about that uplink.
fn is_ordered(event: Event, from: Option<Id>) -> bool {
    match event {
        Event::Operator(_) => true,
        Event::Uplink(id, health::Event::Drain) => Some(id) == from,
        Event::Uplink(..) | Event::Adopt(_) | Event::Expired(_) | Event::Kernel(_) | Event::Stop => false,
    }
}

/// Has the selector chosen by itself? (In Boot it has not chosen yet.)
fn has_chosen(selection: Selection) -> bool {
    match selection {
        Selection::Primary { .. } | Selection::Waiting { .. } | Selection::Proving { .. } => true,
        Selection::Boot { .. } | Selection::Pinned { .. } | Selection::Frozen { .. } => false,
    }
}

fn is_boot(selection: Selection) -> bool {
    matches!(selection, Selection::Boot { .. })
}

claims! {
    fn a_usable_uplink_exists_exactly_when_not_stranded(world) {
        world.always(|view| {
            let usable = |health: &Health| [Health::Healthy, Health::Degraded].contains(health);
            view.stranded != view.health.iter().any(usable)
        })
    }

    fn a_chosen_uplink_is_usable_unless_stranded(world) {
        world.always(|view| {
            !has_chosen(view.selection)
                || view.stranded
                || view.active.is_some_and(|active| of(view, active).is_usable())
        })
    }

    /// "Both down: no switching." To adopt what an earlier run left is to learn, not to switch.
    fn while_stranded_traffic_moves_only_by_order(world) {
        world.step(|before, event, _, after| match switch(before, after) {
            Some((None, Some(id))) if event == Event::Adopt(id) => true,
            Some((from, _)) => !after.stranded || is_ordered(event, from),
            None => true,
        })
    }

    fn a_healthy_uplink_is_left_only_by_a_timer_or_by_order(world) {
        world.step(|before, event, _, after| match switch(before, after) {
            Some((Some(from), _)) if of(before, from) == Health::Healthy && of(after, from) == Health::Healthy => {
                event.is_internal() || is_ordered(event, Some(from))
            }
            Some(_) | None => true,
        })
    }

    fn a_degraded_uplink_is_left_only_for_a_healthy_one_or_by_order(world) {
        world.step(|before, event, _, after| match switch(before, after) {
            Some((Some(from), to)) if of(after, from) == Health::Degraded => {
                is_ordered(event, Some(from)) || to.is_some_and(|to| of(after, to) == Health::Healthy)
            }
            Some(_) | None => true,
        })
    }

    fn with_leave_degraded_off_a_degraded_uplink_is_left_only_by_a_timer_or_by_order(world) {
        world.step(|before, event, _, after| match switch(before, after) {
            Some((Some(from), _)) if of(after, from) == Health::Degraded => {
                world.rules.leave_degraded || event.is_internal() || is_ordered(event, Some(from))
            }
            Some(_) | None => true,
        })
    }

    fn the_way_home_from_a_healthy_uplink_is_the_expired_window_of_the_better_one_or_an_order(world) {
        world.step(|before, event, _, after| match switch(before, after) {
            Some((Some(from), Some(to)))
                if of(before, from) == Health::Healthy
                    && of(after, from) == Health::Healthy
                    && world.rules.tier(to) < world.rules.tier(from) =>
            {
                event == Event::Expired(Timer::Stable(to)) || is_ordered(event, Some(from))
            }
            Some(_) | None => true,
        })
    }

    fn traffic_goes_to_an_unproven_uplink_only_by_order_or_adoption(world) {
        world.step(|before, event, _, after| match switch(before, after) {
            Some((_, Some(to))) if !of(after, to).is_usable() => {
                event == Event::Operator(Command::Use(to)) || event == Event::Adopt(to)
            }
            Some(_) | None => true,
        })
    }

    fn one_step_moves_traffic_at_most_once_and_every_move_is_announced_once(world) {
        world.step(|before, _, effects, after| {
            let told = effects.iter().filter_map(|effect| match effect {
                Effect::Announce { from, to } => Some((*from, *to)),
                Effect::Arm(_)
                | Effect::Disarm(_)
                | Effect::Watch(_)
                | Effect::Unwatch(_)
                | Effect::Plan
                | Effect::Dump
                | Effect::Finish => None,
            });
            told.eq(switch(before, after))
        })
    }

    /// Pending: a plan follows the dump or the answer that is awaited.
    fn every_move_is_planned_at_once_or_pending(world) {
        world.step(|before, _, effects, after| {
            let cared_for = match after.sync {
                Sync::Unsynced { .. } | Sync::Applying { stale: true } => true,
                Sync::Applying { stale: false } => effects.contains(&Effect::Plan),
                Sync::Clean | Sync::Backoff => false,
            };
            cared_for || switch(before, after).is_none()
        })
    }

    fn primary_is_the_best_tier_and_proving_a_fallback_with_a_window(world) {
        world.always(|view| {
            let best = |active| world.rules.tier(active) == world.rules.best_tier();
            let window = view.timers.iter().any(|timer| matches!(timer, Timer::Stable(_)));
            match view.selection {
                Selection::Primary { active } => best(active) && !window,
                Selection::Proving { active } => !best(active) && window,
                Selection::Waiting { active } => !best(active) && !window,
                Selection::Boot { .. } | Selection::Pinned { .. } | Selection::Frozen { .. } => !window,
            }
        })
    }

    fn boot_ends_as_soon_as_an_uplink_of_the_best_tier_is_healthy(world) {
        world.always(|view| {
            let best = |id: Id| world.rules.tier(id) == world.rules.best_tier();
            let proven = (0..).zip(&view.health).any(|(id, health)| best(id) && *health == Health::Healthy);
            !proven || !is_boot(view.selection) || view.active.is_some()
        })
    }

    fn past_its_deadline_boot_takes_whatever_is_usable(world) {
        world.always(|view| match view.selection {
            Selection::Boot { overdue, .. } => !overdue || view.stranded,
            Selection::Primary { .. }
            | Selection::Waiting { .. }
            | Selection::Proving { .. }
            | Selection::Pinned { .. }
            | Selection::Frozen { .. } => true,
        })
    }

    /// Being stranded is no reason to forget where traffic was.
    fn boot_comes_back_only_when_the_operator_leaves_nothing_to_choose(world) {
        world.step(|before, event, _, after| {
            let back = is_boot(after.selection) && !is_boot(before.selection);
            let ordered = event == Event::Operator(Command::Auto) || is_ordered(event, before.active);
            !back || (ordered && after.stranded)
        })
    }

    fn the_wheel_changes_hands_only_by_order(world) {
        world.step(|before, event, _, after| {
            before.selection.is_automatic() == after.selection.is_automatic() || is_ordered(event, before.active)
        })
    }

    /// An uplink that is drained cannot be used, and a release in an automatic state means nothing.
    fn every_order_is_obeyed(world) {
        world.step(|before, event, _, after| match event {
            Event::Operator(Command::Use(id)) if of(before, id).is_drained() => before == after,
            Event::Operator(Command::Use(uplink)) => after.selection == Selection::Pinned { uplink },
            Event::Operator(Command::Freeze) => after.selection == Selection::Frozen { active: before.active },
            Event::Operator(Command::Auto) if before.selection.is_automatic() => before == after,
            Event::Operator(Command::Auto) => after.selection.is_automatic(),
            Event::Uplink(..) | Event::Adopt(_) | Event::Expired(_) | Event::Kernel(_) | Event::Stop => true,
        })
    }

    fn a_pin_holds_until_it_is_released(world) {
        world.step(|before, event, _, after| {
            let pinned = matches!(before.selection, Selection::Pinned { .. });
            !pinned || after.selection == before.selection || is_ordered(event, before.active)
        })
    }

    fn frozen_traffic_moves_only_by_order(world) {
        world.step(|before, event, _, after| {
            let frozen = matches!(before.selection, Selection::Frozen { .. });
            !frozen || after.selection == before.selection || is_ordered(event, before.active)
        })
    }
}
