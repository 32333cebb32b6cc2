//! Faults of the conversation with the kernel, of recovery, and of the end.

use super::{Fault, alone, kernel, shown};
use uplinkd::machine::sync::Event::{Acked, Drift, Overrun, Refused, Replan, Synced};
use uplinkd::machine::{Command, Effect, Event, Health, Selection, Step, Sync, health};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        claim: "never_are_two_plans_in_flight",
        what: "A change is planned while a plan is out.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Replan) if twin.core.sync().is_in_flight() => twin.add(event, Effect::Plan),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "never_are_two_plans_in_flight",
        what: "With the notifications the plan that is out is forgotten.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Overrun) if twin.core.sync().is_in_flight() => twin.tell(&[event, kernel(Acked)]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "nothing_is_planned_before_the_kernel_has_been_read",
        what: "After lost notifications it plans at once, without a dump.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Overrun) if twin.core.sync() == Sync::Clean => twin.tell(&[event, kernel(Synced)]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "the_kernel_is_being_read_whenever_it_is_unknown",
        what: "After lost notifications nobody asks for a dump.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Overrun) => twin.forget(event, |effect| *effect == Effect::Dump),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "clean_means_that_the_kernel_accepted_a_plan_and_nothing_has_changed_since",
        what: "A stranger's edit is overlooked while a plan is out.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Drift) if twin.core.sync().is_in_flight() => Step::default(),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "a_refused_plan_is_retried_or_superseded",
        what: "A refusal is taken for an acknowledgement.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Refused) => twin.core.handle(kernel(Acked)),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "clean_is_within_reach_from_everywhere",
        what: "After a failure the answer to the next dump is not waited for.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Synced) if twin.spoilt => Step::default(),
            _ => {
                twin.spoilt |= twin.core.sync() == Sync::Backoff;
                twin.core.handle(event)
            }
        },
        view: shown,
    },
    Fault {
        claim: "primary_is_within_reach_from_everywhere",
        what: "A freeze that carries nothing cannot be released.",
        rules: alone,
        handle: |twin, event| match (event, twin.core.selection()) {
            (Event::Operator(Command::Auto), Selection::Frozen { active: None }) => Step::default(),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "an_automatic_selection_finds_home_without_the_operator",
        what: "An uplink that has died is written off.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, health::Event::Good) if twin.is(id, Health::Down) => Step::default(),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "stop_is_accepted_everywhere_and_finishes_without_a_change",
        what: "It does not stop while a plan is out.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Stop if twin.core.sync().is_in_flight() => Step::default(),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "an_ignored_event_changes_nothing_and_asks_for_nothing",
        what: "An acknowledgement that nobody waits for makes it plan.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Kernel(Acked) if twin.core.sync() == Sync::Clean => twin.add(event, Effect::Plan),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
];
