//! From answers to verdicts, without an engine around.

use super::world::{MS, SECOND, ip};
use crate::engine::Time;
use crate::engine::monitor::{Complaint, Monitor, News, Verdict};
use crate::engine::settings::{Probe, Profile, Timeout};
use std::time::Duration;

fn monitor(change: impl FnOnce(&mut Probe)) -> Monitor {
    let mut settings = Profile::Steady.probe();
    change(&mut settings);
    Monitor::new(&settings, &["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(ip))
}

fn at(ms: u64) -> Time {
    Time::from_millis(ms)
}

/// A good round: one answer of three.
fn good(monitor: &mut Monitor, id: u64, now: Time) -> Vec<News> {
    monitor.send(id, now);
    monitor.answer(id, 0, Some(20 * MS), now + 20 * MS);
    monitor.judge(1, false, now + 20 * MS)
}

fn proven() -> Monitor {
    let mut monitor = monitor(|_| {});
    assert_eq!(good(&mut monitor, 1, at(0)), []);
    assert_eq!(good(&mut monitor, 2, at(250)), []);
    assert_eq!(good(&mut monitor, 3, at(500)), [News::Verdict(Verdict::Good)]);
    monitor
}

#[test]
fn the_timeout_follows_the_path_between_its_bounds() {
    let mut monitor = monitor(|_| {});
    assert_eq!(monitor.timeout(), SECOND, "nothing known: patience");
    good(&mut monitor, 1, at(0));
    assert_eq!(monitor.timeout(), 100 * MS, "20 ms + 4 · 10 ms is below the floor");
    for id in 2..200 {
        monitor.send(id, at(id * 1000));
        monitor.answer(id, 0, Some(300 * MS), at(id * 1000 + 300));
        monitor.judge(1, false, at(id * 1000 + 300));
    }
    let timeout = monitor.timeout();
    assert!(timeout >= 300 * MS && timeout < 310 * MS, "a steady 300 ms: {timeout:?}");
    monitor.send(500, at(500_000));
    monitor.answer(500, 0, Some(5 * SECOND), at(505_000));
    assert_eq!(monitor.timeout(), SECOND, "never above the ceiling");
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
fn loss_is_held_back_like_death() {
    let mut monitor = monitor(|settings| {
        settings.timeout = Timeout::Fixed(100 * MS);
        settings.fall = 100;
    });
    for id in 1..=60 {
        good(&mut monitor, id, at(id * 1000));
    }
    for id in 61..=90 {
        monitor.send(id, at(id * 1000));
        assert_eq!(
            monitor.judge(1, true, at(id * 1000 + 100)),
            [News::Missed],
            "half of it is lost, but held back"
        );
    }
    assert_eq!(monitor.judge(1, false, at(91_000)), [News::Verdict(Verdict::Lossy)]);
}

#[test]
fn loss_is_that_of_the_best_target_and_forgotten_after_the_window() {
    let mut monitor = proven();
    let mut now = at(1000);
    let mut lossy_after = None;
    for id in 10..200_u64 {
        monitor.send(id, now);
        for target in 0..3 {
            // The first target is dead by itself; of the others every third probe is lost from the 60th round on.
            let lost = id >= 70 && (id + u64::from(target)) % 3 == 0;
            if target > 0 && !lost {
                monitor.answer(id, target, Some(20 * MS), now + 20 * MS);
            }
        }
        let news = monitor.judge(1, false, now + 20 * MS);
        if news.contains(&News::Verdict(Verdict::Lossy)) {
            lossy_after.get_or_insert(id - 70);
        }
        now = now + SECOND;
    }
    let after = lossy_after.expect("a third of the probes lost is too much");
    assert!((30..60).contains(&after), "twenty percent of a minute at one in three: {after}");
    for id in 200..300 {
        good(&mut monitor, id, now);
        now = now + SECOND;
    }
    assert_eq!(monitor.verdict(), Some(Verdict::Good));
    assert_eq!(Duration::from_secs(60), Profile::Steady.probe().degraded.window);
}
