//! The way home: the stable window, what interrupts it, and what doubles it.

use super::world::{MS, Path, SECOND, World, lines, settings};
use crate::engine::Time;
use crate::engine::input::Input;
use crate::machine::{Command, Selection};
use insta::assert_snapshot;

/// How long it takes from the return of the carrier to the return of the traffic, in seconds.
fn way_home(world: &mut World) -> u64 {
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    let begin = world.now;
    while world.selection() != (Selection::Primary { active: 0 }) {
        world.run(SECOND);
        assert!(world.now.since(begin) < 4000 * SECOND);
    }
    world.now.since(begin).as_secs()
}

#[test]
fn going_home_takes_the_whole_stable_window_and_one_delete() {
    let mut world = World::settled(settings(2));
    world.carrier(0, false);
    world.run(10 * SECOND);
    world.timeline.clear();
    world.ops.clear();
    world.carrier(0, true);
    world.run(70 * SECOND);
    assert_snapshot!(lines(&world.timeline));
    assert_snapshot!(lines(&world.ops), @"75.520 ip route del default via 192.0.3.1 dev eth1 proto 117 metric 5");
}

#[test]
fn a_failed_round_in_the_window_starts_it_anew() {
    let mut world = World::settled(settings(2));
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    world.run(50 * SECOND);
    assert_eq!(world.selection(), Selection::Proving { active: 1 });
    world.paths[0] = Path::Silent;
    world.run(1200 * MS);
    world.paths[0] = Path::Answers(20 * MS);
    world.run(55 * SECOND);
    assert_eq!(world.selection(), Selection::Proving { active: 1 }, "still on its way");
    world.run(8 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
}

#[test]
fn a_pause_is_no_uninterrupted_health() {
    let mut world = World::settled(settings(2));
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    world.run(5 * SECOND);
    assert_eq!(world.selection(), Selection::Proving { active: 1 });
    world.ops.clear();
    // A suspend, and the primary died meanwhile.
    world.paths[0] = Path::Silent;
    world.now = world.now + 120 * SECOND;
    world.tell(Input::Tick);
    world.run(20 * SECOND);
    assert_eq!(world.ops, Vec::<String>::new(), "{:#?}", world.timeline);
}

#[test]
fn the_backup_dies_while_the_primary_is_proving_so_it_goes_home_at_once() {
    let mut world = World::settled(settings(2));
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    world.run(10 * SECOND);
    assert_eq!(world.selection(), Selection::Proving { active: 1 });
    world.carrier(1, false);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
}

#[test]
fn each_failback_that_is_undone_doubles_the_window() {
    let mut world = World::settled(settings(2));
    let windows = [(); 8].map(|()| way_home(&mut world));
    // 60 s doubled up to an hour; each with the proof before it and the look of once a second.
    assert_eq!(windows, [61, 121, 241, 481, 961, 1921, 3601, 3601]);
    // A failback that holds is forgotten.
    world.run(700 * SECOND);
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    world.run(62 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
}

#[test]
fn a_forced_way_home_that_is_undone_doubles_the_window_too() {
    let mut world = World::settled(settings(2));
    assert_eq!([way_home(&mut world), way_home(&mut world)], [61, 121]);
    // The backup dies while the primary is proving: home at once, and away again.
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    world.run(5 * SECOND);
    world.carrier(1, false);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
    world.carrier(1, true);
    world.run(5 * SECOND);
    assert_eq!(way_home(&mut world), 481, "four in a row");
}

#[test]
fn a_failback_that_held_until_an_order_ended_it_is_forgotten() {
    let mut world = World::settled(settings(2));
    for _ in 0..2 {
        world.carrier(0, false);
        world.run(SECOND);
        world.carrier(0, true);
        world.run(122 * SECOND);
        assert_eq!(world.selection(), Selection::Primary { active: 0 });
    }
    world.run(700 * SECOND);
    world.tell(Input::Drain(0));
    world.tell(Input::Undrain(0));
    world.run(62 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
}

#[test]
fn flapping_never_delays_leaving_a_dead_uplink() {
    let mut world = World::settled(settings(2));
    for _ in 0..5 {
        world.carrier(0, false);
        assert_eq!(world.selection(), Selection::Waiting { active: 1 });
        world.carrier(0, true);
        world.run(2 * SECOND);
        world.carrier(1, false);
        assert_eq!(world.selection(), Selection::Primary { active: 0 }, "the backup is dead: no window");
        world.carrier(1, true);
        world.run(2 * SECOND);
    }
}

#[test]
fn where_nobody_looked_while_the_window_ran_out_it_starts_anew() {
    let mut world = World::settled(settings(2));
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    // No round is under way then: nothing is missed, but nothing was seen either.
    world.run(5500 * MS);
    world.now = world.now + 120 * SECOND;
    world.tell(Input::Tick);
    world.run(59 * SECOND);
    assert_eq!(world.selection(), Selection::Proving { active: 1 });
    world.run(2 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
}

#[test]
fn two_rounds_and_their_time_may_pass_unseen_in_the_window() {
    for (ms, home) in [(2050, true), (2150, false)] {
        let mut world = World::settled(settings(2));
        world.carrier(0, false);
        world.run(10 * SECOND);
        world.carrier(0, true);
        // The window is over at 75.520; the last round before that leaves at 75.000.
        world.run(60_100 * MS);
        world.now = Time::from_millis(75_000 + ms);
        world.tell(Input::Tick);
        assert_eq!(world.selection() == Selection::Primary { active: 0 }, home, "{ms}");
    }
}

#[test]
fn a_failback_counts_as_undone_before_its_memory_is_over_and_as_held_from_then_on() {
    for (held, expected) in [(599_999 * MS, 121), (600 * SECOND, 61)] {
        let mut world = World::settled(settings(2));
        assert_eq!(way_home(&mut world), 61);
        let end = world.engine.report(world.now).families[0].since + held;
        world.run(end.since(world.now));
        assert_eq!(way_home(&mut world), expected, "{held:?}");
    }
}

#[test]
fn an_order_that_ends_a_failback_soon_doubles_nothing() {
    let mut world = World::settled(settings(2));
    assert_eq!(way_home(&mut world), 61);
    world.tell(Input::Operator(Command::Use(1)));
    world.tell(Input::Operator(Command::Auto));
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
    world.run(600 * SECOND);
    assert_eq!(way_home(&mut world), 61, "{:#?}", world.timeline);
}

#[test]
fn a_move_within_a_tier_is_no_way_home() {
    let mut wants = settings(3);
    for (uplink, tier) in wants.uplinks.iter_mut().zip([1, 1, 2]) {
        uplink.tier = tier;
    }
    let mut world = World::settled(wants);
    world.carrier(0, false);
    assert_eq!(world.selection(), Selection::Primary { active: 1 });
    world.run(SECOND);
    world.carrier(1, false);
    assert_eq!(world.selection(), Selection::Waiting { active: 2 });
    world.carrier(1, true);
    world.run(62 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 1 }, "{:#?}", world.timeline);
}
