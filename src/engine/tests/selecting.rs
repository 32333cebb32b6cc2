//! The rules of the selection, one test each, through the whole engine.

use super::world::{MS, Path, SECOND, World, lines, settings};
use crate::engine::input::Input;
use crate::engine::settings::{Profile, Timeout};
use crate::machine::{Command, Health, Selection};
use insta::assert_snapshot;

#[test]
fn a_start_proves_both_and_goes_to_the_best() {
    let mut world = World::new(settings(2));
    world.run(5 * SECOND);
    assert_snapshot!(lines(&world.timeline));
    assert_snapshot!(lines(&world.main_table()), @r"
    default via 192.0.2.1 dev eth0 proto 117 metric 10
    default via 192.0.3.1 dev eth1 proto 117 metric 20
    ");
}

#[test]
fn an_unproven_route_beats_none_but_a_strangers_route_is_left_alone_until_there_is_evidence() {
    let mut world = World::new(settings(2));
    world.paths = vec![Path::Silent, Path::Silent];
    world.run(SECOND);
    assert_eq!(world.main_table().len(), 2, "no default route at all: ours go in at once");

    let mut world = World::new(settings(2));
    world.paths = vec![Path::Silent, Path::Silent];
    world.routes.insert(World::stranger(1, 100));
    world.run(60 * SECOND);
    assert_eq!(world.main_table(), ["default via 192.0.3.1 dev eth1 proto dhcp metric 100"]);
    assert_eq!(world.selection(), Selection::Boot { adopted: None, overdue: true });
    world.paths = vec![Path::Silent, Path::Answers(20 * MS)];
    world.run(5 * SECOND);
    assert_eq!(
        world.selection(),
        Selection::Waiting { active: 1 },
        "after the deadline the first to prove itself"
    );
    assert_eq!(world.main_table()[0], "default via 192.0.3.1 dev eth1 proto 117 metric 5");
}

#[test]
fn a_pause_of_the_daemon_is_no_outage() {
    let mut wants = settings(2);
    wants.probe = Profile::Fast.probe();
    wants.probe.timeout = Timeout::Fixed(200 * MS);
    let mut world = World::settled(wants);
    world.paths = vec![Path::Answers(120 * MS); 2];
    world.run(SECOND);
    world.timeline.clear();
    // Six rounds are under way; all are answered, and all are over their time when we go on.
    world.pause(500 * MS);
    world.run(SECOND);
    assert_eq!(world.timeline, Vec::<String>::new());
    // What is missing then is missing.
    world.paths[0] = Path::Silent;
    world.run(100 * MS);
    world.pause(500 * MS);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 }, "{:#?}", world.timeline);
}

#[test]
fn answers_beyond_the_quorum_are_not_late() {
    let mut world = World::settled(settings(2));
    world.run(60 * SECOND);
    for uplink in world.engine.report(world.now).uplinks {
        assert_eq!(uplink.families[0].1.oddities.late, 0);
    }
    world.paths[0] = Path::Answers(1200 * MS);
    world.run(10 * SECOND);
    assert!(world.engine.report(world.now).uplinks[0].families[0].1.oddities.late > 0);
}

#[test]
fn a_worse_uplink_waits_for_the_best_until_it_is_proven_dead() {
    let mut world = World::new(settings(2));
    world.paths[0] = Path::Silent;
    world.run(3 * SECOND);
    assert_snapshot!(lines(&world.timeline));
}

#[test]
fn a_worse_uplink_waits_for_a_missing_interface_until_the_boot_deadline() {
    let mut world = World::new(settings(2));
    world.links.remove(0);
    world.run(9 * SECOND);
    assert_eq!(world.selection(), Selection::Boot { adopted: None, overdue: false });
    world.run(2 * SECOND);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 });
}

#[test]
fn silence_moves_traffic_within_two_seconds_and_one_add() {
    let mut world = World::settled(settings(2));
    // The worst moment: right after a probe was answered.
    world.run(30 * MS);
    world.paths[0] = Path::Silent;
    world.run(5 * SECOND);
    assert_snapshot!(lines(&world.timeline));
    assert_snapshot!(lines(&world.ops), @"6.850 ip route add default via 192.0.3.1 dev eth1 proto 117 metric 5");
}

#[test]
fn a_sudden_queue_of_eight_hundred_milliseconds_is_no_outage() {
    let mut world = World::settled(settings(2));
    world.paths[0] = Path::Answers(800 * MS);
    world.run(20 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    assert!(!world.timeline.iter().any(|line| line.contains("down")), "{:#?}", world.timeline);
}

#[test]
fn lost_carrier_moves_traffic_at_once() {
    let mut world = World::settled(settings(2));
    world.carrier(0, false);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 });
    assert_snapshot!(lines(&world.main_table()), @r"
    default via 192.0.3.1 dev eth1 proto 117 metric 5
    default via 192.0.2.1 dev eth0 proto 117 metric 10
    default via 192.0.3.1 dev eth1 proto 117 metric 20
    ");
}

#[test]
fn both_down_moves_nothing_and_the_first_to_return_carries_traffic() {
    for (returns, expected) in [(0, Selection::Primary { active: 0 }), (1, Selection::Waiting { active: 1 })]
    {
        let mut world = World::settled(settings(2));
        world.paths[usize::from(returns == 1)] = Path::Silent;
        world.run(20 * SECOND);
        world.paths = vec![Path::Silent, Path::Silent];
        world.run(20 * SECOND);
        let before = world.selection();
        assert!(world.engine.report(world.now).families[0].stranded);
        world.ops.clear();
        world.run(60 * SECOND);
        assert_eq!(world.selection(), before);
        assert_eq!(world.ops, Vec::<String>::new(), "both down: nothing moves");
        world.paths[returns] = Path::Answers(20 * MS);
        world.run(5 * SECOND);
        assert_eq!(world.selection(), expected);
    }
}

#[test]
fn a_lossy_line_is_left_for_a_healthy_one_and_regained_through_the_window() {
    let mut world = World::settled(settings(2));
    world.paths[0] = Path::Loses(30, 20 * MS);
    world.run(120 * SECOND);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 }, "{:#?}", world.timeline);
    world.paths[0] = Path::Answers(20 * MS);
    world.run(200 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    let moves = world.timeline.iter().filter(|line| line.contains("wan0 healthy → degraded")).count();
    assert_eq!(moves, 1);
}

#[test]
fn a_lossy_line_is_not_left_for_a_lossy_one() {
    let mut world = World::settled(settings(2));
    // The backup first: it is asked less often, and which of the two is found out sooner would be a matter of luck.
    world.paths[1] = Path::Loses(30, 20 * MS);
    world.run(120 * SECOND);
    world.paths[0] = Path::Loses(30, 20 * MS);
    world.run(600 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
}

#[test]
fn a_pin_holds_on_a_dead_uplink_until_released() {
    let mut world = World::settled(settings(2));
    world.tell(Input::Operator(Command::Use(1)));
    assert_eq!(world.main_table()[0], "default via 192.0.3.1 dev eth1 proto 117 metric 5");
    world.paths[1] = Path::Silent;
    world.run(60 * SECOND);
    assert_eq!(world.selection(), Selection::Pinned { uplink: 1 });
    world.tell(Input::Operator(Command::Auto));
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
}

#[test]
fn frozen_nothing_moves_by_itself() {
    let mut world = World::settled(settings(2));
    world.tell(Input::Operator(Command::Freeze));
    world.carrier(0, false);
    world.run(60 * SECOND);
    assert_eq!(world.selection(), Selection::Frozen { active: Some(0) });
    world.tell(Input::Operator(Command::Auto));
    assert_eq!(world.selection(), Selection::Waiting { active: 1 });
}

#[test]
fn a_drained_uplink_carries_nothing_even_when_it_is_the_last() {
    let mut world = World::settled(settings(2));
    world.paths[1] = Path::Silent;
    world.run(20 * SECOND);
    world.tell(Input::Drain(0));
    assert_eq!(world.main_table(), ["default via 192.0.3.1 dev eth1 proto 117 metric 20"]);
    world.tell(Input::Operator(Command::Use(0)));
    assert_eq!(
        world.selection(),
        Selection::Boot { adopted: None, overdue: true },
        "a drained uplink cannot be pinned"
    );
    world.tell(Input::Undrain(0));
    world.run(3 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
}

#[test]
fn a_third_uplink_is_reached_and_left_in_order_of_tiers() {
    let mut world = World::settled(settings(3));
    world.carrier(0, false);
    world.carrier(1, false);
    assert_eq!(world.selection(), Selection::Waiting { active: 2 });
    world.carrier(1, true);
    world.run(65 * SECOND);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 });
    world.carrier(0, true);
    world.run(65 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
    let report = world.engine.report(world.now);
    assert!(report.uplinks.iter().all(|uplink| uplink.families[0].1.health == Health::Healthy));
}
