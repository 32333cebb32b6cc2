//! Faults of timers.

use super::{Fault, alone, kernel, shown, two};
use uplinkd::machine::health::Event::{Good, Missed};
use uplinkd::machine::{Effect, Event, Step, Timer, sync};

/// The window of the better uplink.
const WINDOW: Timer = Timer::Stable(0);

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        claim: "a_timer_runs_exactly_in_the_state_that_owns_it",
        what: "The stable window runs on after its uplink has fallen ill.",
        rules: two,
        handle: |twin, event| {
            let ill = matches!(event, Event::Uplink(0, _)) && twin.core.timers().contains(WINDOW);
            let mut step = twin.core.handle(event);
            if ill && !twin.core.timers().contains(WINDOW) {
                step.effects.retain(|effect| *effect != Effect::Disarm(WINDOW));
                twin.stray.insert(WINDOW);
            }
            step
        },
        view: shown,
    },
    Fault {
        claim: "arming_and_disarming_account_for_every_timer",
        what: "The boot deadline is not disarmed when Boot ends.",
        rules: alone,
        handle: |twin, event| twin.forget(event, |effect| *effect == Effect::Disarm(Timer::BootDeadline)),
        view: shown,
    },
    Fault {
        claim: "a_running_timer_is_restarted_by_a_missed_round_of_its_uplink_and_by_nothing_else",
        what: "A missed round does not restart the window.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(0, Missed) => twin.forget(event, |effect| *effect == Effect::Arm(WINDOW)),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "a_running_timer_is_restarted_by_a_missed_round_of_its_uplink_and_by_nothing_else",
        what: "Every good verdict restarts the window, so that it never ends.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(0, Good) if twin.core.timers().contains(WINDOW) => {
                twin.add(event, Effect::Arm(WINDOW))
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "a_window_ends_only_after_uninterrupted_health",
        what: "A window that was interrupted goes on where it was.",
        rules: two,
        handle: |twin, event| {
            let ran = twin.core.timers().contains(WINDOW);
            let step = match (event, twin.spoilt) {
                (Event::Uplink(0, Good), true) => twin.forget(event, |effect| *effect == Effect::Arm(WINDOW)),
                _ => twin.core.handle(event),
            };
            twin.spoilt |= ran && step.effects.contains(&Effect::Disarm(WINDOW));
            step
        },
        view: shown,
    },
    Fault {
        claim: "an_expired_timer_is_gone_and_was_waited_for",
        what: "The end of the window is not noticed.",
        rules: two,
        handle: |twin, event| match event {
            Event::Expired(WINDOW) => Step::default(),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "runs_of_timers_come_to_an_end",
        what: "The retry timer arms itself again, without asking the kernel.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Expired(Timer::Retry) => twin.tell(&[event, kernel(sync::Event::Unreadable)]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
];
