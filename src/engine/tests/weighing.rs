//! Loss and delay: what they are, and when a line that answers is nevertheless not good enough.

use super::monitoring::{at, good, monitor, proven};
use super::world::{MS, SECOND, ip};
use crate::engine::monitor::{Monitor, News, Verdict};
use crate::engine::settings::{Probe, Profile, Timeout};
use std::time::Duration;

/// Asks one target `count` times, once a second from `from` seconds on; `rtt` in milliseconds, 0 for a lost one.
fn series(monitor: &mut Monitor, from: u64, count: u64, rtt: impl Fn(u64) -> u64) -> Vec<News> {
    let mut news = vec![];
    for id in from..from + count {
        monitor.send(id, at(id * 1000));
        if rtt(id) > 0 {
            monitor.answer(id, 0, Some(Duration::from_millis(rtt(id))), at(id * 1000 + 500));
        }
        news.extend(monitor.judge(1, false, at(id * 1000 + 600)));
    }
    news.into_iter().filter(|news| *news != News::Missed).collect()
}

fn lone(change: impl FnOnce(&mut Probe)) -> Monitor {
    let mut settings = Profile::Steady.probe();
    settings.timeout = Timeout::Fixed(600 * MS);
    settings.fall = 100;
    change(&mut settings);
    Monitor::new(&settings, &[ip("203.0.113.1")])
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

#[test]
fn a_line_is_slow_from_one_delay_on_and_clear_again_only_at_a_lower_one() {
    let good = News::Verdict(Verdict::Good);
    let lossy = News::Verdict(Verdict::Lossy);
    let mut monitor = lone(|_| {});
    assert_eq!(series(&mut monitor, 1, 100, |_| 499), [good]);
    assert_eq!(monitor.rtt(1), Some(499 * MS));
    assert_eq!(series(&mut monitor, 101, 61, |_| 500), [lossy]);
    assert_eq!(series(&mut monitor, 162, 100, |_| 251), []);
    assert_eq!(series(&mut monitor, 262, 61, |_| 250), [good]);
}

#[test]
fn a_line_is_lossy_from_one_loss_on_and_clear_again_only_at_a_lower_one() {
    let good = News::Verdict(Verdict::Good);
    let lossy = News::Verdict(Verdict::Lossy);
    let mut monitor = lone(|_| {});
    assert_eq!(series(&mut monitor, 1, 120, |id| if id % 6 == 0 { 0 } else { 20 }), [good], "one in six");
    assert_eq!(series(&mut monitor, 121, 120, |id| if id % 5 == 0 { 0 } else { 20 }), [lossy], "one in five");
    assert_eq!(series(&mut monitor, 241, 120, |id| if id % 15 == 0 { 0 } else { 20 }), [], "one in fifteen");
    assert_eq!(
        series(&mut monitor, 361, 120, |id| if id % 20 == 0 { 0 } else { 20 }),
        [good],
        "one in twenty"
    );
}

#[test]
fn loss_and_delay_are_judged_after_half_a_window_and_ten_probes() {
    let lossy = News::Verdict(Verdict::Lossy);
    let first = |monitor: &mut Monitor, step: u64| {
        (0..200).find(|n| {
            let now = 10_000 + n * step;
            monitor.send(100 + n, at(now));
            monitor.answer(100 + n, 0, Some(550 * MS), at(now));
            monitor.judge(1, false, at(now)).contains(&lossy)
        })
    };
    let mut often = lone(|_| {});
    series(&mut often, 1, 3, |_| 20);
    assert_eq!(first(&mut often, 500), Some(60), "thirty seconds");
    let mut seldom = lone(|_| {});
    series(&mut seldom, 1, 3, |_| 20);
    assert_eq!(first(&mut seldom, 5000), Some(9), "ten probes");
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
fn the_timeout_is_the_smoothed_delay_and_four_times_its_variation() {
    let wide = Timeout::Adaptive { floor: MS, ceiling: 10 * SECOND, silence: SECOND };
    let mut monitor = lone(|settings| settings.timeout = wide);
    let mut timeouts = vec![];
    for (id, rtt) in [(1, 100), (2, 100), (3, 180), (4, 60)] {
        monitor.send(id, at(id * 1000));
        monitor.answer(id, 0, Some(Duration::from_millis(rtt)), at(id * 1000 + 500));
        timeouts.push(monitor.timeout().as_micros());
    }
    // RFC 6298: srtt 100, 100, 110, 103.75; rttvar 50, 37.5, 48.125, 48.593 75.
    assert_eq!(timeouts, [300_000, 250_000, 302_500, 298_125]);
    assert_eq!(monitor.jitter(), Some(Duration::from_nanos(48_593_750)));
}

#[test]
fn delay_and_loss_that_count_are_those_of_the_target_that_completes_the_quorum() {
    let mut monitor = monitor(|settings| settings.timeout = Timeout::Fixed(600 * MS));
    for id in 1..=11 {
        monitor.send(id, at(id * 1000));
        for (target, rtt, lost) in [(0, 300, 100), (1, 100, 4), (2, 200, 2)] {
            // All answer until the line has proven itself, then some of them not always.
            if id <= 3 || id % lost != 0 {
                monitor.answer(id, target, Some(Duration::from_millis(rtt)), at(id * 1000 + 400));
            }
        }
        monitor.judge(1, false, at(id * 1000 + 600));
    }
    let delays = [1, 2, 3, 4].map(|quorum| monitor.rtt(quorum).map(|rtt| rtt.as_millis()));
    assert_eq!(delays, [Some(100), Some(200), Some(300), None]);
    let losses = [1, 2, 3].map(|quorum| format!("{:.0}", monitor.loss_percent(quorum)));
    assert_eq!(losses, ["0", "25", "50"]);
}

#[test]
fn seldom_as_it_asks_the_gentle_profile_looks_at_as_many_probes_as_the_steady_one() {
    let probes = |profile: Profile| {
        let probe = profile.probe();
        probe.degraded.window.as_millis() / probe.interval.as_millis()
    };
    assert_eq!([Profile::Steady, Profile::Gentle].map(probes), [60, 60]);
}
