//! Faults of health, probing and draining.

use super::{Fault, alone, shown, two, uplink};
use uplinkd::machine::health::Event::{Dead, Drain, Good, Lossy, Ready, Undrain, Unready};
use uplinkd::machine::{Effect, Event, Health, Step};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        claim: "news_of_one_uplink_leaves_the_health_of_the_others_alone",
        what: "A dead uplink takes its neighbour with it.",
        rules: two,
        handle: |twin, event| match event {
            Event::Uplink(0, Dead) if twin.is(0, Health::Probation) => twin.tell(&[event, uplink(1, Dead)]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "bad_news_makes_an_uplink_unusable_at_once",
        what: "The death of the last usable uplink is not believed.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, Dead) if twin.is_last_usable(id) => Step::default(),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "only_a_good_verdict_makes_an_uplink_usable",
        what: "Carrier is proof enough.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, Ready) => twin.tell(&[event, uplink(id, Good)]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "a_drained_uplink_comes_back_only_by_the_operator",
        what: "A cable that is pulled and put back undoes the draining.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, Unready) if twin.is(id, Health::Drained { ready: true }) => {
                twin.tell(&[event, uplink(id, Undrain)])
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "an_uplink_that_is_given_back_proves_itself_anew",
        what: "What the probes saw while it was drained counts when it is given back.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, Undrain) if twin.is(id, Health::Drained { ready: true }) => {
                twin.forget(event, |effect| [Effect::Watch(id), Effect::Unwatch(id)].contains(effect))
            }
            _ => twin.core.handle(event),
        },
        view: shown,
    },
    Fault {
        claim: "probing_starts_and_stops_exactly_with_the_need",
        what: "Probing goes on without carrier.",
        rules: alone,
        handle: |twin, event| twin.forget(event, |effect| matches!(effect, Effect::Unwatch(_))),
        view: shown,
    },
    Fault {
        claim: "a_drained_uplink_carries_nothing",
        what: "Draining the active uplink moves its traffic with the next event only.",
        rules: two,
        handle: |twin, event| {
            let drains = matches!(event, Event::Uplink(_, Drain));
            twin.lag(event, drains, twin.core.selection())
        },
        view: shown,
    },
    Fault {
        claim: "health_agrees_with_the_naive_rules",
        what: "A dead uplink that answers a little is degraded, hence usable.",
        rules: alone,
        handle: |twin, event| match event {
            Event::Uplink(id, Lossy) if twin.is(id, Health::Down) => twin.tell(&[uplink(id, Good), event]),
            _ => twin.core.handle(event),
        },
        view: shown,
    },
];
