//! What happens to several lines at once moves nothing, or moves traffic to the right one.

use super::world::{MS, Path, SECOND, World, ip, settings};
use crate::engine::Family;
use crate::engine::input::{Input, ProbeNews};
use crate::engine::settings::{Settings, Timeout};
use crate::machine::{Command, Health, Selection};

#[test]
fn two_lines_that_fall_silent_together_move_nothing() {
    for delay in [0, 1, 100, 400, 900] {
        let mut world = World::settled(settings(2));
        world.run(delay * MS);
        world.paths = vec![Path::Silent, Path::Silent];
        world.run(60 * SECOND);
        assert_eq!(world.ops, Vec::<String>::new(), "{delay}: {:#?}", world.timeline);
        assert_eq!(world.selection(), Selection::Primary { active: 0 });
        assert!(world.engine.report(world.now).families[0].stranded);
    }
}

#[test]
fn a_slow_backup_that_falls_silent_with_the_primary_is_not_taken() {
    for rtt in [100, 310, 400, 490] {
        for phase in [0, 300, 700] {
            let mut world = World::new(settings(2));
            world.paths[1] = Path::Answers(rtt * MS);
            world.run(60 * SECOND + phase * MS);
            assert_eq!(world.selection(), Selection::Primary { active: 0 });
            world.ops.clear();
            world.paths = vec![Path::Silent, Path::Silent];
            world.run(30 * SECOND);
            assert_eq!(world.ops, Vec::<String>::new(), "{rtt} ms, {phase}: {:#?}", world.timeline);
        }
    }
}

#[test]
fn the_death_of_the_active_line_is_told_with_that_of_the_last_other() {
    let mut wants = settings(2);
    wants.probe.timeout = Timeout::Fixed(300 * MS);
    wants.probe.fall = 2;
    let mut world = World::settled(wants);
    world.paths = vec![Path::Silent, Path::Silent];
    let health = |world: &World, id: usize| world.engine.report(world.now).uplinks[id].families[0].1.health;
    while health(&world, 1).is_usable() {
        world.run(MS);
        assert!(world.now.0 < 20 * SECOND);
    }
    assert_eq!(health(&world, 0), Health::Down, "{:#?}", world.timeline);
    assert_eq!(world.ops, Vec::<String>::new());
}

#[test]
fn one_failed_round_is_no_death_while_the_other_line_is_being_asked() {
    let mut wants = settings(2);
    wants.probe.timeout = Timeout::Fixed(300 * MS);
    wants.probe.fall = 1;
    wants.probe.standby_interval = 2500 * MS;
    let mut world = World::settled(wants);
    world.run(4701 * MS);
    // A round of the new active one leaves at once, and both are asked at 10 s, just before it has failed.
    world.paths = vec![Path::Silent, Path::Silent];
    world.tell(Input::Operator(Command::Use(1)));
    let health = |world: &World, id: usize| world.engine.report(world.now).uplinks[id].families[0].1.health;
    world.run(400 * MS);
    assert!(world.now.0 == 10_101 * MS && health(&world, 1) == Health::Healthy, "{:#?}", world.timeline);
    world.run(300 * MS);
    assert_eq!([0, 1].map(|id| health(&world, id)), [Health::Down; 2], "{:#?}", world.timeline);
}

#[test]
fn a_line_whose_slow_answer_came_after_a_quick_refusal_has_proven_nothing() {
    let mut wants = settings(1);
    wants.probe.timeout = Timeout::Fixed(300 * MS);
    (wants.probe.fall, wants.probe.rise) = (1, 2);
    let mut world = World::new(wants);
    world.run(249 * MS);
    world.paths[0] = Path::Answers(290 * MS);
    world.run(250 * MS);
    world.paths[0] = Path::Silent;
    world.run(2 * MS);
    // The second round is still on its way when a router explains that the third has failed.
    for target in 0..3 {
        let news = ProbeNews::Unreachable { round: 3, target, from: ip("192.0.2.1") };
        world.tell(Input::Probe { uplink: 0, family: Family::V4, news });
    }
    world.run(100 * MS);
    assert_eq!(world.timeline[1..], ["0.540 wan0 probation → down: 1 failed rounds in a row"]);
    assert_eq!(world.selection(), Selection::Boot { adopted: None, overdue: false });
}

#[test]
fn a_backup_that_missed_one_round_is_waited_for_and_then_taken() {
    let mut world = World::settled(settings(2));
    world.paths = vec![Path::Silent, Path::Silent];
    world.run(1500 * MS);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    world.paths[1] = Path::Answers(20 * MS);
    world.run(500 * MS);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 }, "{:#?}", world.timeline);
}

#[test]
fn two_lines_that_return_together_move_nothing() {
    for phase in [0, 130, 500, 777] {
        let mut world = World::settled(settings(2));
        world.paths = vec![Path::Silent, Path::Silent];
        world.run(20 * SECOND + phase * MS);
        world.ops.clear();
        world.paths = vec![Path::Answers(20 * MS); 2];
        world.run(20 * SECOND);
        assert_eq!(world.ops, Vec::<String>::new(), "{:#?}", world.timeline);
    }
}

#[test]
fn of_two_lines_that_prove_themselves_at_once_the_better_is_taken() {
    let mut wants = settings(2);
    for (uplink, tier) in wants.uplinks.iter_mut().zip([2, 1]) {
        uplink.tier = tier;
    }
    let mut world = World::new(wants);
    // Boot is overdue, so that the first to prove itself carries traffic.
    world.tell(Input::Operator(Command::Freeze));
    world.tell(Input::Operator(Command::Auto));
    world.run(SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 1 }, "{:#?}", world.timeline);
}

#[test]
fn two_lines_that_become_slow_at_once_move_nothing() {
    let mut wants = settings(2);
    wants.probe.standby_interval = wants.probe.interval;
    let mut world = World::settled(wants);
    world.paths = vec![Path::Answers(900 * MS); 2];
    world.run(120 * SECOND);
    assert_eq!(world.ops, Vec::<String>::new(), "{:#?}", world.timeline);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
}

#[test]
fn a_target_that_is_dead_on_both_lines_counts_for_nothing_with_a_quorum_of_two() {
    let mut wants = settings(2);
    wants.probe.quorum = 2;
    for uplink in &mut wants.uplinks {
        uplink.targets.truncate(2);
    }
    let mut world = World::settled(wants);
    world.dead = [(0, 1), (1, 1)].into();
    world.run(120 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    assert!(!world.timeline.iter().any(|line| line.contains("down")), "{:#?}", world.timeline);
}

/// Two lines with two targets each, of which both must answer.
fn both_of_two() -> Settings {
    let mut wants = settings(2);
    wants.probe.quorum = 2;
    for uplink in &mut wants.uplinks {
        uplink.targets.truncate(2);
    }
    wants
}

#[test]
fn a_target_that_is_dead_on_one_line_only_is_that_lines_fault() {
    let mut world = World::settled(both_of_two());
    world.dead = [(0, 1)].into();
    world.run(10 * SECOND);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 }, "{:#?}", world.timeline);
}

#[test]
fn a_target_that_only_one_line_asks_is_not_excused() {
    let mut wants = both_of_two();
    wants.uplinks[0].targets[1] = ip("203.0.113.99");
    let mut world = World::settled(wants);
    world.dead = [(0, 1)].into();
    world.run(10 * SECOND);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 }, "{:#?}", world.timeline);
}

#[test]
fn a_target_that_is_dead_everywhere_is_excused_only_while_another_answers() {
    let mut world = World::settled(both_of_two());
    let losses = |world: &World| {
        let path = world.engine.report(world.now).uplinks[0].families[0].1.clone();
        (path.loss_percent, path.targets[0].loss_percent, path.targets[1].loss_percent)
    };
    world.dead = [(0, 1), (1, 1)].into();
    world.run(40 * SECOND);
    let (counts, alive, dead) = losses(&world);
    assert!(alive < dead);
    assert_eq!(counts.to_bits(), alive.to_bits(), "the loss that counts is that of the other");
    world.paths = vec![Path::Silent; 2];
    world.run(10 * SECOND);
    let (counts, alive, dead) = losses(&world);
    assert!(alive < dead);
    assert_eq!(counts.to_bits(), dead.to_bits(), "where nobody answers nobody is at fault himself");
}
