//! From answers to verdicts, without an engine around.

use super::world::{MS, SECOND, ip};
use crate::engine::Time;
use crate::engine::monitor::{Complaint, Monitor, News, Verdict};
use crate::engine::settings::{Probe, Profile, Timeout};

pub(super) fn monitor(change: impl FnOnce(&mut Probe)) -> Monitor {
    let mut settings = Profile::Steady.probe();
    change(&mut settings);
    Monitor::new(&settings, &["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(ip))
}

pub(super) fn at(ms: u64) -> Time {
    Time::from_millis(ms)
}

/// A good round: one answer of three.
pub(super) fn good(monitor: &mut Monitor, id: u64, now: Time) -> Vec<News> {
    monitor.send(id, now);
    monitor.answer(id, 0, Some(20 * MS), now + 20 * MS);
    monitor.judge(1, false, now + 20 * MS)
}

pub(super) fn proven() -> Monitor {
    let mut monitor = monitor(|_| {});
    assert_eq!(good(&mut monitor, 1, at(0)), []);
    assert_eq!(good(&mut monitor, 2, at(250)), []);
    assert_eq!(good(&mut monitor, 3, at(500)), [News::Verdict(Verdict::Good)]);
    monitor
}

#[test]
fn a_first_miss_asks_again_at_once_and_then_at_the_confirm_interval() {
    let mut monitor = proven();
    monitor.send(4, at(2000));
    assert_eq!(monitor.next_round(SECOND), at(3000));
    assert_eq!(monitor.judge(1, false, at(2100)), [News::Missed]);
    assert_eq!(monitor.next_round(SECOND), Time::ZERO, "at once");
    monitor.send(5, at(2100));
    assert_eq!(monitor.next_round(SECOND), at(2350), "then at the confirm interval");
    good(&mut monitor, 6, at(2350));
    assert!(!monitor.is_in_doubt());
    assert_eq!(monitor.next_round(SECOND), at(3000), "and back to the shared tick");
}

#[test]
fn death_needs_failed_rounds_in_a_row_and_silence() {
    let mut monitor = proven();
    monitor.send(4, at(2000));
    monitor.judge(1, false, at(2100));
    monitor.send(5, at(2100));
    monitor.judge(1, false, at(2200));
    monitor.send(6, at(2350));
    assert_eq!(monitor.judge(1, false, at(2450)), [News::Missed]);
    assert_eq!(monitor.fails(), 3);
    assert_eq!(monitor.deadline(), Some(at(2850)), "850 ms after the first of them left");
    assert_eq!(monitor.judge(1, false, at(2849)), []);
    assert_eq!(monitor.judge(1, false, at(2850)), [News::Verdict(Verdict::Dead)]);
}

#[test]
fn where_a_target_is_not_counted_a_late_answer_breaks_the_silence_without_it() {
    let late = |quorum: u16| {
        let mut monitor = monitor(|probe| probe.quorum = 2);
        for (id, ms) in [(1, 0), (2, 250), (3, 500)] {
            monitor.send(id, at(ms));
            monitor.answer(id, 0, Some(20 * MS), at(ms + 20));
            monitor.judge(1, false, at(ms + 20));
        }
        let mut news = vec![];
        for (id, ms) in (4..12).map(|id| (id, 1000 + id * 250)) {
            monitor.send(id, at(ms));
            news.extend(monitor.judge(quorum, false, at(ms + 190)));
            // Later than the timeout of 100 ms, and from the only target that is left.
            monitor.answer(id, 0, Some(200 * MS), at(ms + 200));
            news.extend(monitor.judge(quorum, false, at(ms + 240)));
        }
        news.contains(&News::Verdict(Verdict::Dead))
    };
    assert_eq!((late(1), late(2)), (false, true));
}

#[test]
fn a_late_answer_breaks_the_silence_and_widens_the_timeout_but_saves_no_round() {
    let mut monitor = proven();
    monitor.send(4, at(2000));
    monitor.judge(1, false, at(2100));
    monitor.answer(4, 0, Some(800 * MS), at(2800));
    assert_eq!(monitor.oddities().late, 1);
    assert_eq!(monitor.fails(), 1, "the round is lost all the same");
    assert!(monitor.timeout() > 800 * MS, "the next will wait: {:?}", monitor.timeout());
}

#[test]
fn failures_that_are_explained_need_no_silence() {
    let mut monitor = proven();
    for (id, now) in [(4, 2000), (5, 2001), (6, 2250)] {
        for (target, _) in monitor.send(id, at(now)) {
            monitor.complain(id, target, Complaint::NotSent(101), at(now));
        }
        let news = monitor.judge(1, false, at(now));
        assert_eq!(news.contains(&News::Verdict(Verdict::Dead)), id == 6, "{news:?}");
    }
}

#[test]
fn a_fixed_timeout_is_taken_at_its_word() {
    let mut monitor = monitor(|settings| settings.timeout = Timeout::Fixed(200 * MS));
    for (id, now) in [(1, 0), (2, 100), (3, 200)] {
        monitor.send(id, at(now));
    }
    assert_eq!(monitor.deadline(), Some(at(200)));
    assert_eq!(monitor.judge(1, false, at(399)), []);
    assert_eq!(monitor.judge(1, false, at(400)), [News::Verdict(Verdict::Dead)]);
}

#[test]
fn rounds_are_judged_in_the_order_in_which_they_left() {
    let mut monitor = proven();
    monitor.send(4, at(2000));
    monitor.send(5, at(2050));
    monitor.answer(5, 0, Some(20 * MS), at(2070));
    assert_eq!(monitor.judge(1, false, at(2070)), [], "the older one has time left");
    assert_eq!(monitor.judge(1, false, at(2100)), [News::Missed]);
    assert_eq!(monitor.fails(), 0, "and the newer one was good");
}

#[test]
fn the_quorum_must_answer() {
    let mut monitor = monitor(|settings| settings.quorum = 2);
    for id in 1..=3 {
        monitor.send(id, at(id * 1000));
        monitor.answer(id, 0, Some(20 * MS), at(id * 1000 + 20));
        assert_eq!(monitor.judge(2, false, at(id * 1000 + 20)), [], "one is not enough");
        monitor.judge(2, false, at(id * 1000 + 999));
    }
    assert_eq!(monitor.verdict(), Some(Verdict::Dead), "however often one target answers");
}

#[test]
fn doubles_and_strays_are_counted_and_change_nothing() {
    let mut monitor = proven();
    monitor.send(4, at(2000));
    monitor.answer(4, 0, Some(20 * MS), at(2020));
    monitor.answer(4, 0, Some(20 * MS), at(2021));
    monitor.answer(4, 7, Some(20 * MS), at(2022));
    monitor.answer(9999, 0, Some(20 * MS), at(2023));
    assert_eq!(monitor.judge(1, false, at(2023)), []);
    let oddities = monitor.oddities();
    assert_eq!((oddities.duplicates, oddities.late), (1, 2));
}

#[test]
fn our_own_overflow_voids_rounds_but_not_for_ever() {
    let mut monitor = proven();
    let mut now = 2000;
    for id in 4..7 {
        monitor.send(id, at(now));
        monitor.void();
        now += 1000;
        assert_eq!(monitor.judge(1, false, at(now)), [], "a voided round says nothing");
    }
    monitor.send(7, at(now));
    monitor.void();
    assert_eq!(monitor.judge(1, false, at(now + 100)), [News::Missed], "a flood keeps no dead line alive");
    assert_eq!(monitor.oddities().voided, 3);
}

#[test]
fn the_verdict_of_death_is_held_back_and_then_passed() {
    let mut monitor = monitor(|settings| settings.timeout = Timeout::Fixed(100 * MS));
    for id in 1..=3 {
        monitor.send(id, at(id * 100));
        assert_eq!(monitor.judge(1, true, at(id * 100 + 100)), []);
    }
    assert_eq!(monitor.deadline(), None, "nobody wakes up for what is held back");
    assert_eq!(monitor.judge(1, false, at(500)), [News::Verdict(Verdict::Dead)]);
}

#[test]
fn a_line_is_undecided_while_a_round_is_open_that_left_since_and_none_since_was_good() {
    // The last good round left at 500 ms.
    let mut monitor = proven();
    assert!(!monitor.is_undecided_since(at(1000)), "nothing is open");
    monitor.send(4, at(2000));
    assert!(monitor.is_undecided_since(at(2000)) && monitor.is_undecided_since(at(501)));
    assert!(!monitor.is_undecided_since(at(2001)), "it left before");
    assert!(!monitor.is_undecided_since(at(500)), "and since then one was good");
    monitor.judge(1, false, at(2100));
    assert!(!monitor.is_undecided_since(at(1000)), "it is decided");
}

#[test]
fn a_run_of_good_rounds_begins_with_its_first_and_ends_with_a_failed_one() {
    let mut monitor = proven();
    assert_eq!((monitor.stable_since(), monitor.last_good()), (Some(at(0)), Some(at(500))));
    monitor.send(4, at(2000));
    monitor.judge(1, false, at(2100));
    assert_eq!((monitor.stable_since(), monitor.failing_since()), (None, Some(at(2000))));
    good(&mut monitor, 5, at(3000));
    good(&mut monitor, 6, at(4000));
    assert_eq!((monitor.stable_since(), monitor.failing_since()), (Some(at(3000)), None));
    assert_eq!(monitor.last_good(), Some(at(4000)));
}

#[test]
fn a_dead_line_is_asked_at_its_pace_until_it_answers() {
    let mut monitor = monitor(|settings| settings.timeout = Timeout::Fixed(100 * MS));
    for id in 1..=4 {
        monitor.send(id, at(id * 1000));
        monitor.judge(1, false, at(id * 1000 + 100));
    }
    assert_eq!(monitor.verdict(), Some(Verdict::Dead));
    assert!(!monitor.is_in_doubt() && !monitor.is_suspect());
    assert_eq!(monitor.next_round(SECOND), at(5000));
    good(&mut monitor, 5, at(5000));
    assert!(monitor.is_in_doubt() && !monitor.is_suspect(), "is it back?");
    assert_eq!(monitor.next_round(SECOND), at(5250));
}

#[test]
fn what_somebody_explains_is_lost_and_stays_lost() {
    let mut monitor = proven();
    let complaint = Complaint::Unreachable(ip("192.0.2.1"));
    for (id, ms) in [(4, 2000), (5, 2100)] {
        monitor.send(id, at(ms));
        monitor.complain(id, 0, complaint, at(ms + 10));
        // Once is enough, and an answer comes too late.
        monitor.complain(id, 0, Complaint::NotSent(101), at(ms + 11));
        monitor.answer(id, 0, Some(20 * MS), at(ms + 20));
    }
    let target = &monitor.targets()[0];
    assert_eq!((target.silent, target.complaint, target.window.samples()), (2, Some(complaint), 2));
    assert_eq!((monitor.oddities().late, monitor.oddities().duplicates), (2, 0));
    monitor.send(6, at(3000));
    monitor.answer(6, 0, Some(20 * MS), at(3020));
    let target = &monitor.targets()[0];
    assert_eq!((target.silent, target.complaint), (0, None), "until it answers");
    monitor.complain(6, 0, complaint, at(3021));
    monitor.complain(99, 0, complaint, at(3021));
    assert_eq!(
        monitor.targets()[0].complaint,
        None,
        "what was answered cannot fail, what was not asked neither"
    );
}

#[test]
fn an_overflow_voids_what_is_open_and_nothing_else() {
    let mut monitor = proven();
    good(&mut monitor, 4, at(2000));
    monitor.send(5, at(2100));
    monitor.send(6, at(2200));
    monitor.void();
    assert_eq!(monitor.oddities().voided, 2);
    assert_eq!(monitor.deadline(), None);
    good(&mut monitor, 7, at(2300));
    for id in 8..11 {
        monitor.send(id, at(id * 1000));
        monitor.void();
    }
    assert_eq!(monitor.oddities().voided, 5, "after a good round it may happen as often again");
}

#[test]
fn a_target_is_silent_once_for_each_probe_that_it_leaves_unanswered() {
    let silent = |monitor: &Monitor| monitor.targets().iter().map(|target| target.silent).collect::<Vec<_>>();
    let mut monitor = proven();
    assert_eq!(silent(&monitor), [0, 0, 0], "they may still answer");
    monitor.judge(1, false, at(2000));
    monitor.send(4, at(2000));
    assert_eq!(silent(&monitor), [0, 3, 3], "three good rounds without them");
    monitor.judge(1, false, at(2100));
    assert_eq!(silent(&monitor), [1, 4, 4], "a failed one counts at once");
    monitor.judge(1, false, at(4000));
    assert_eq!(silent(&monitor), [1, 4, 4], "and only once");
    monitor.send(5, at(4000));
    monitor.answer(5, 1, Some(20 * MS), at(4020));
    assert_eq!(silent(&monitor), [1, 0, 4]);
}

#[test]
fn a_round_fails_as_soon_as_the_quorum_is_out_of_reach_and_no_sooner() {
    let mut monitor = proven();
    monitor.send(4, at(2000));
    monitor.complain(4, 0, Complaint::NotSent(101), at(2001));
    assert_eq!(monitor.judge(2, false, at(2001)), [], "the other two may still answer");
    assert_eq!(monitor.fails(), 0);
    monitor.complain(4, 1, Complaint::NotSent(101), at(2002));
    assert_eq!(monitor.judge(2, false, at(2002)), [News::Missed]);
    assert_eq!(monitor.fails(), 1);
}
