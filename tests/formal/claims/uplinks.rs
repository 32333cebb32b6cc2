//! Health, probing and draining.

use crate::claims::claims;
use uplinkd::machine::{Effect, Event, Health, Id, View, health};

/// The uplink that the event is about, if it is about one.
fn subject(event: Event) -> Option<(Id, health::Event)> {
    match event {
        Event::Uplink(id, event) => Some((id, event)),
        Event::Operator(_) | Event::Adopt(_) | Event::Expired(_) | Event::Kernel(_) | Event::Stop => None,
    }
}

fn of(view: &View, id: Id) -> Health {
    view.health[usize::from(id)]
}

/// Uplinks with their health before and after.
fn pairs<'a>(before: &'a View, after: &'a View) -> impl Iterator<Item = (Id, Health, Health)> + 'a {
    (0..).zip(before.health.iter().zip(&after.health)).map(|(id, (before, after))| (id, *before, *after))
}

claims! {
    fn news_of_one_uplink_leaves_the_health_of_the_others_alone(world) {
        world.step(|before, event, _, after| {
            let subject = subject(event).map(|(id, _)| id);
            pairs(before, after).all(|(id, before, after)| before == after || Some(id) == subject)
        })
    }

    fn bad_news_makes_an_uplink_unusable_at_once(world) {
        world.step(|_, event, _, after| match subject(event) {
            Some((id, health::Event::Dead | health::Event::Unready | health::Event::Drain)) => {
                !of(after, id).is_usable()
            }
            Some(_) | None => true,
        })
    }

    fn only_a_good_verdict_makes_an_uplink_usable(world) {
        world.step(|before, event, _, after| {
            pairs(before, after).all(|(id, before, after)| {
                before.is_usable() || !after.is_usable() || event == Event::Uplink(id, health::Event::Good)
            })
        })
    }

    fn a_drained_uplink_comes_back_only_by_the_operator(world) {
        world.step(|before, event, _, after| {
            pairs(before, after).all(|(id, before, after)| {
                !before.is_drained() || after.is_drained() || event == Event::Uplink(id, health::Event::Undrain)
            })
        })
    }

    /// What the probes saw while it was drained is forgotten: probing stops and starts.
    fn an_uplink_that_is_given_back_proves_itself_anew(world) {
        world.step(|before, event, effects, after| match subject(event) {
            Some((id, health::Event::Undrain)) => match of(before, id) {
                Health::Drained { ready: true } => {
                    of(after, id) == Health::Probation
                        && effects.starts_with(&[Effect::Unwatch(id), Effect::Watch(id)])
                }
                Health::Drained { ready: false } => of(after, id) == Health::Unready,
                Health::Unready | Health::Probation | Health::Healthy | Health::Degraded | Health::Down => true,
            },
            Some(_) | None => true,
        })
    }

    fn probing_starts_and_stops_exactly_with_the_need(world) {
        world.step(|before, _, effects, after| {
            let mut watched: Vec<bool> = before.health.iter().map(|health| health.is_watched()).collect();
            for effect in effects {
                let (id, starts) = match effect {
                    Effect::Watch(id) => (*id, true),
                    Effect::Unwatch(id) => (*id, false),
                    Effect::Arm(_)
                    | Effect::Disarm(_)
                    | Effect::Announce { .. }
                    | Effect::Plan
                    | Effect::Dump
                    | Effect::Finish => continue,
                };
                if std::mem::replace(&mut watched[usize::from(id)], starts) == starts {
                    return false;
                }
            }
            watched.iter().eq(after.health.iter().map(|health| health.is_watched()).collect::<Vec<_>>().iter())
        })
    }

    fn a_drained_uplink_carries_nothing(world) {
        world.always(|view| view.active.is_none_or(|active| !of(view, active).is_drained()))
    }
}
