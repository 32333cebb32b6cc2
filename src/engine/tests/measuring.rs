//! Time in ticks, and loss and delay over a window of it.

use super::world::{MS, SECOND};
use crate::engine::Time;
use crate::engine::window::Window;
use std::time::Duration;

fn at(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn percent(window: &Window) -> u32 {
    format!("{:.0}", window.loss_percent()).parse().unwrap()
}

#[test]
fn the_next_tick_is_a_later_multiple_of_the_step() {
    assert_eq!(at(0).next_tick(250 * MS), at(250));
    assert_eq!(at(249).next_tick(250 * MS), at(250));
    assert_eq!(at(250).next_tick(250 * MS), at(500), "a tick is never its own next");
    assert_eq!(at(1234).next_tick(SECOND), at(2000));
    assert!(at(7).next_tick(Duration::ZERO) > at(7), "nor without a step");
}

#[test]
fn time_before_the_beginning_is_the_beginning() {
    assert_eq!(at(500) - SECOND, Time::ZERO);
    assert_eq!(at(1500) - SECOND, at(500));
    assert_eq!(at(500) + SECOND, at(1500));
    assert_eq!(at(500).since(at(1500)), Duration::ZERO);
    assert_eq!(at(1500).since(at(500)), SECOND);
}

#[test]
fn a_window_tells_the_share_of_the_lost_and_the_mean_of_the_answered() {
    let mut window = Window::new(30 * SECOND);
    assert_eq!((window.samples(), percent(&window), window.rtt()), (0, 0, None));
    window.count(at(100), None);
    assert_eq!((window.samples(), percent(&window), window.rtt()), (1, 100, None));
    for rtt in [10, 20, 60] {
        window.count(at(200), Some(rtt * MS));
    }
    assert_eq!((window.samples(), percent(&window), window.rtt()), (4, 25, Some(30 * MS)));
}

#[test]
fn a_window_forgets_what_is_older_than_it_step_by_step() {
    // Thirty steps of a second each.
    let mut window = Window::new(30 * SECOND);
    for second in 0..30 {
        let rtt = if second < 10 { None } else { Some((10 + second) * MS) };
        window.count(at(u64::from(second) * 1000 + 500), rtt);
    }
    assert_eq!((window.samples(), percent(&window)), (30, 33));
    window.slide(at(29_999));
    assert_eq!(window.samples(), 30, "all of it is within the window");
    window.slide(at(30_000));
    assert_eq!((window.samples(), percent(&window)), (29, 31), "the first second goes");
    window.slide(at(39_999));
    assert_eq!((window.samples(), percent(&window)), (20, 0), "all that was lost is forgotten");
    assert_eq!(window.rtt(), Some(Duration::from_micros(29_500)));
    window.slide(at(49_000));
    assert_eq!((window.samples(), window.rtt()), (10, Some(Duration::from_micros(34_500))));
    window.slide(at(20_000));
    assert_eq!(window.samples(), 10, "time does not run backwards");
    window.slide(at(1_000_000));
    assert_eq!((window.samples(), window.rtt()), (0, None), "after a long pause nothing is left");
    window.count(at(1_000_500), Some(MS));
    assert_eq!((window.samples(), window.rtt()), (1, Some(MS)));
}

#[test]
fn a_window_is_as_old_as_the_first_probe_that_it_counted() {
    let mut window = Window::new(30 * SECOND);
    assert_eq!(window.age(at(9000)), Duration::ZERO);
    window.count(at(1000), None);
    window.count(at(5000), None);
    assert_eq!(window.age(at(9000)), 8 * SECOND);
}

#[test]
fn a_delay_beyond_all_bounds_does_a_window_no_harm() {
    let mut window = Window::new(30 * SECOND);
    window.count(at(1000), Some(Duration::MAX));
    window.count(at(1000), Some(Duration::MAX));
    assert!(window.rtt() > Some(Duration::from_secs(1_000_000)));
    window.slide(at(100_000));
    window.count(at(100_000), Some(MS));
    assert_eq!(window.rtt(), Some(MS));
}
