//! What the engine tells of itself: transitions, their causes, and what a person should look at.

use super::world::{MS, Path, SECOND, World, settings};
use crate::engine::input::Input;
use crate::engine::route::{Hop, Route};
use crate::engine::settings::ForeignDefaults;

fn with<'a>(timeline: &'a [String], word: &str) -> Vec<&'a String> {
    timeline.iter().filter(|line| line.contains(word)).collect()
}

#[test]
fn transitions_are_numbered_in_a_row_and_the_latest_are_remembered() {
    let mut world = World::new(settings(2));
    world.run(5 * SECOND);
    let ids = |world: &World| -> Vec<u64> {
        world.engine.report(world.now).transitions.iter().map(|transition| transition.id).collect()
    };
    let announced = with(&world.timeline, "→").len() as u64;
    assert_eq!(ids(&world), (1..=announced).collect::<Vec<_>>());
    for _ in 0..100 {
        world.carrier(0, false);
        world.carrier(0, true);
        world.run(SECOND);
    }
    let announced = with(&world.timeline, "→").len() as u64;
    assert_eq!(ids(&world), (announced - 255..=announced).collect::<Vec<_>>());
}

#[test]
fn a_cause_says_what_the_line_did() {
    let mut world = World::settled(settings(2));
    world.paths[0] = Path::Loses(30, 20 * MS);
    world.run(120 * SECOND);
    world.paths[0] = Path::Answers(20 * MS);
    world.run(120 * SECOND);
    world.paths[0] = Path::Silent;
    world.run(10 * SECOND);
    world.paths[0] = Path::Answers(20 * MS);
    world.run(10 * SECOND);
    let health = world.timeline.iter().filter_map(|line| line.split_once(" wan0 "));
    let causes: Vec<&str> = health.map(|(_, what)| what).filter(|what| !what.contains("on wan")).collect();
    assert_eq!(
        causes,
        [
            "healthy → degraded: loss 25 %, delay 20 ms",
            "degraded → healthy: loss 5 % and delay are within bounds again",
            "healthy → down: 4 failed rounds in a row",
            "down → healthy: 3 good rounds in a row",
        ]
    );
}

#[test]
fn a_strangers_route_in_a_table_of_ours_is_removed_and_named_one_of_ours_only_removed() {
    let mut world = World::settled(settings(2));
    let his = Route { table: 7700, ..World::stranger(0, 50) };
    let stale = Route { table: 7700, protocol: 117, ..World::stranger(0, 60) };
    for route in [&his, &stale] {
        world.routes.insert(route.clone());
        world.tell(Input::Route(route.clone()));
    }
    world.run(SECOND);
    assert!(!world.routes.contains(&his) && !world.routes.contains(&stale), "{:#?}", world.ops);
    let named = with(&world.timeline, "Evicted");
    let words = "default via 192.0.2.1 dev eth0 table 7700 proto dhcp metric 50";
    assert_eq!(named, [&format!("5.000 Evicted(V4, {words:?})")]);
}

#[test]
fn a_strangers_default_that_is_taken_is_not_worth_a_word_but_one_that_cannot_be_taken_is() {
    let mut wants = settings(2);
    wants.routing.foreign_defaults = ForeignDefaults::Replace;
    let mut world = World::settled(wants);
    let taken = World::stranger(0, 0);
    world.routes.insert(taken.clone());
    world.tell(Input::Route(taken));
    world.run(SECOND);
    let silent = ["Outranked", "Untakeable", "Evicted"].map(|word| with(&world.timeline, word).len());
    assert_eq!(silent, [0; 3], "{:#?}", world.timeline);
    let several =
        Route { hops: [0, 1].map(|id| World::stranger(id, 1).hops[0]).to_vec(), ..World::stranger(0, 1) };
    assert_ne!(several.hops[0], Hop { via: None, index: 10 });
    world.routes.insert(several.clone());
    world.tell(Input::Route(several));
    world.run(SECOND);
    assert_eq!(with(&world.timeline, "Untakeable").len(), 1, "{:#?}", world.timeline);
}
