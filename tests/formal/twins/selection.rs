//! Faults of the selection.

use super::{Fault, alone, shown, three, two, uplink};
use uplinkd::machine::health::Event::{Dead, Drain, Good, Lossy, Missed, Ready, Undrain, Unready};
use uplinkd::machine::{Command, Effect, Event, Health, Rules, Selection, Step, Timer};

const AUTO: Event = Event::Operator(Command::Auto);
const FREEZE: Event = Event::Operator(Command::Freeze);

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        claim: "a_usable_uplink_exists_exactly_when_not_stranded",
        what: "A degraded uplink is not counted as usable.",
        rules: alone,
        handle: |twin, event| twin.core.handle(event),
        view: |twin| {
            let mut view = shown(twin);
            view.stranded = !view.health.contains(&Health::Healthy);
            view
        },
    },
    Fault {
        claim: "a_chosen_uplink_is_usable_unless_stranded",
        what: "A dead uplink is left with the next event only.",
        rules: two,
        handle: |twin, event| {
            let dies = matches!(event, Event::Uplink(_, Dead));
            twin.lag(event, dies, twin.core.selection())
        },
        view: shown,
    },
    Fault {
        claim: "while_stranded_traffic_moves_only_by_order",
        what: "When the last uplink dies, the other is tried, dead as it is.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(0, Dead) if twin.core.active() == Some(0) && twin.is(1, Health::Down) => {
                twin.tell(&[uplink(1, Good), event, uplink(1, Dead)])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "a_healthy_uplink_is_left_only_by_a_timer_or_by_order",
        what: "One missed round is taken for an outage.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(id, Missed) if twin.is(id, Health::Healthy) => {
                twin.tell(&[uplink(id, Dead), uplink(id, Good)])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "a_degraded_uplink_is_left_only_for_a_healthy_one_or_by_order",
        what: "A degraded uplink is left for a degraded one.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(0, Lossy) if twin.is(0, Health::Healthy) && twin.is(1, Health::Degraded) => {
                twin.tell(&[uplink(0, Dead), uplink(1, Good), uplink(0, Good), event, uplink(1, Lossy)])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "with_leave_degraded_off_a_degraded_uplink_is_left_only_by_a_timer_or_by_order",
        what: "A degraded uplink is left for a healthy one although `leave_degraded` is off.",
        rules: || Rules { tiers: vec![1, 2], leave_degraded: false },
        handle: |twin, event| match event {
            Event::Uplink(0, Lossy) if twin.is(0, Health::Healthy) && twin.is(1, Health::Healthy) => {
                twin.tell(&[uplink(0, Dead), uplink(0, Good), event])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "the_way_home_from_a_healthy_uplink_is_the_expired_window_of_the_better_one_or_an_order",
        what: "Home as soon as the better uplink is healthy, without the window.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(0, Good) => twin.tell(&[event, Event::Expired(Timer::Stable(0))]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "the_way_home_from_a_healthy_uplink_is_the_expired_window_of_the_better_one_or_an_order",
        what: "Whosever window ends, traffic goes to the best.",
        rules: three,
        handle: |twin, event| match event {
            Event::Expired(Timer::Stable(1)) => twin.tell(&[event, Event::Expired(Timer::Stable(0))]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "traffic_goes_to_an_unproven_uplink_only_by_order_or_adoption",
        what: "Past the boot deadline an uplink that has proven nothing is taken.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Expired(Timer::BootDeadline) if twin.is(0, Health::Probation) => {
                twin.tell(&[event, uplink(0, Good), uplink(0, Unready), uplink(0, Ready)])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "one_step_moves_traffic_at_most_once_and_every_move_is_announced_once",
        what: "A failover is announced twice.",
        rules: two,
        handle: |twin, event| {
            let mut step = twin.core.handle(event);
            if let (Event::Uplink(_, Dead), Some(at)) = (event, step.effects.iter().position(is_announcement))
            {
                step.effects.insert(at, step.effects[at]);
            }
            step
        },
        view: shown,
    },
    Fault {
        claim: "one_step_moves_traffic_at_most_once_and_every_move_is_announced_once",
        what: "Nobody is told when the operator moves traffic.",
        rules: two,
        handle: |twin, event| match event {
            Event::Operator(_) => twin.forget(event, is_announcement),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "every_move_is_planned_at_once_or_pending",
        what: "The kernel is not told of a failover.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(_, Dead) => twin.forget(event, |effect| *effect == Effect::Plan),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "primary_is_the_best_tier_and_proving_a_fallback_with_a_window",
        what: "Fallback calls itself waiting while the window runs.",
        rules: two,
        handle: |twin, event| twin.core.handle(event),
        view: |twin| {
            let mut view = shown(twin);
            if let Selection::Proving { active } = view.selection {
                view.selection = Selection::Waiting { active };
            }
            view
        },
    },
    Fault {
        claim: "boot_ends_as_soon_as_an_uplink_of_the_best_tier_is_healthy",
        what: "Boot waits for one more event after the best uplink has proven itself.",
        rules: alone,
        handle: |twin, event| {
            let boot = Selection::Boot { adopted: None, overdue: false };
            twin.lag(event, twin.core.selection() == boot && event == uplink(0, Good), boot)
        },
        view: shown,
    },
    Fault {
        claim: "past_its_deadline_boot_takes_whatever_is_usable",
        what: "Past its deadline Boot still waits for the better uplink.",
        rules: two,
        handle: |twin, event| {
            let late = event == Event::Expired(Timer::BootDeadline);
            twin.lag(event, late, Selection::Boot { adopted: None, overdue: true })
        },
        view: shown,
    },
    Fault {
        claim: "boot_comes_back_only_when_the_operator_leaves_nothing_to_choose",
        what: "When everything is down, it starts over.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, Dead) if twin.is_last_usable(id) => {
                twin.tell(&[uplink(id, Drain), uplink(id, Undrain), event])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "the_wheel_changes_hands_only_by_order",
        what: "When everything is down, it freezes itself.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, Dead) if twin.is_last_usable(id) => twin.tell(&[event, FREEZE]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "every_order_is_obeyed",
        what: "The operator may not use a dead uplink.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Operator(Command::Use(id)) if twin.is(id, Health::Down) => Step::default(),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "a_pin_holds_until_it_is_released",
        what: "A pin is let go when its uplink dies.",
        rules: two,
        handle: |twin, event| match (event, twin.core.selection()) {
            (Event::Uplink(id, Dead), Selection::Pinned { uplink })
                if id == uplink && twin.is(id, Health::Healthy) =>
            {
                twin.tell(&[event, AUTO])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "frozen_traffic_moves_only_by_order",
        what: "A freeze does not hold when its uplink dies.",
        rules: two,
        handle: |twin, event| match (event, twin.core.selection()) {
            (Event::Uplink(id, Dead), Selection::Frozen { active: Some(active) })
                if id == active && twin.is(id, Health::Healthy) =>
            {
                twin.tell(&[event, AUTO, FREEZE])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "the_choice_of_the_uplink_agrees_with_the_naive_rules",
        what: "Failover goes to the last uplink instead of the best that is left.",
        rules: three,
        handle: |twin, event| match event {
            Event::Uplink(0, Dead) if twin.is(1, Health::Healthy) && twin.is(2, Health::Healthy) => {
                twin.tell(&[uplink(1, Dead), event, uplink(1, Good)])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as `Vec::retain` calls it")]
fn is_announcement(effect: &Effect) -> bool {
    matches!(effect, Effect::Announce { .. })
}
