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
fn each_failback_that_is_undone_doubles_the_window() {
    let mut world = World::settled(settings(2));
    let mut windows = vec![];
    for _ in 0..8 {
        world.carrier(0, false);
        world.run(SECOND);
        world.carrier(0, true);
        let healthy = world.now;
        while world.selection() != (Selection::Primary { active: 0 }) {
            world.run(SECOND);
            assert!(world.now.since(healthy) < 4000 * SECOND);
        }
        windows.push(world.now.since(healthy).as_secs());
    }
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
fn a_target_that_is_dead_on_both_lines_counts_for_nothing_with_a_quorum_of_two() {
    let mut wants = settings(2);
    wants.probe.quorum = 2;
    for uplink in &mut wants.uplinks {
        uplink.targets.truncate(2);
    }
    let mut world = World::settled(wants);
    world.dead_target = Some(1);
    world.run(120 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    assert!(!world.timeline.iter().any(|line| line.contains("down")), "{:#?}", world.timeline);
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
fn a_forced_way_home_that_is_undone_doubles_the_window_too() {
    let mut world = World::settled(settings(2));
    let window = |world: &mut World| {
        world.carrier(0, false);
        world.run(SECOND);
        world.carrier(0, true);
        let begin = world.now;
        while world.selection() != (Selection::Primary { active: 0 }) {
            world.run(SECOND);
            assert!(world.now.since(begin) < 4000 * SECOND);
        }
        world.now.since(begin).as_secs()
    };
    assert_eq!([window(&mut world), window(&mut world)], [61, 121]);
    // The backup dies while the primary is proving: home at once, and away again.
    world.carrier(0, false);
    world.run(SECOND);
    world.carrier(0, true);
    world.run(5 * SECOND);
    world.carrier(1, false);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
    world.carrier(1, true);
    world.run(5 * SECOND);
    assert_eq!(window(&mut world), 481, "four in a row");
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
fn a_gateway_that_a_route_shows_is_believed_even_if_no_network_has_it() {
    let mut wants = settings(2);
    wants.uplinks[0].gateway = crate::engine::settings::Gateway::Auto;
    let mut world = World::new(wants);
    let mut shown = World::stranger(0, 100);
    shown.hops[0].via = Some(super::world::ip("198.51.100.77"));
    shown.onlink = true;
    world.routes.insert(shown);
    world.run(5 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    assert_eq!(world.main_table()[0], "default via 198.51.100.77 dev eth0 proto 117 metric 10 onlink");
}
