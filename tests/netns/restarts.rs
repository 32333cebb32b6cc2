//! Crashes, restarts and ends: what the kernel has is the memory.

use super::Case;
use super::expect::{becomes, same, within};
use super::site::{LONG_WINDOW, PATIENT, Site};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use std::time::Duration;
use uplinkd::engine::Family;

pub(super) const CASES: &[Case] = &[
    ("a_crash_in_primary_and_a_restart_change_no_route", crash_in_primary),
    ("a_crash_in_fallback_and_a_restart_change_no_route", crash_in_fallback),
    ("after_a_crash_in_fallback_traffic_goes_home_through_the_window", crash_and_home),
    ("the_backup_dies_between_a_crash_in_fallback_and_the_restart", crash_and_dead_backup),
    ("killed_again_and_again_at_any_moment_nothing_is_doubled", killed_again_and_again),
    ("sigterm_with_keep_leaves_everything_in_under_a_second", keep),
    ("sigterm_with_remove_removes_everything_in_under_a_second", remove),
    ("sigterm_before_anything_is_proven_is_obeyed_too", early_end),
];

fn crash_in_primary() -> Result<(), Failed> {
    let mut site = Site::settled(&[])?;
    let before = site.ours(Family::V4)?;
    let (traffic, mut ears) = (Traffic::start(&site)?, site.listen()?);
    let begin = traffic.mark();
    site.kill();
    site.start()?;
    let site = site.rested()?;
    site.stays("wan0", Duration::from_millis(500))?;
    same(&ears.heard()?, &vec![], "changes of routes and rules")?;
    same(&site.ours(Family::V4)?, &before, "what is ours")?;
    traffic.lost_nothing(begin, "the crash")
}

fn crash_in_fallback() -> Result<(), Failed> {
    let mut site = Site::fallen(&[LONG_WINDOW])?;
    let before = site.ours(Family::V4)?;
    let (traffic, mut ears) = (Traffic::start(&site)?, site.listen()?);
    let begin = traffic.mark();
    site.kill();
    // Alive again, but not yet proven: that is no reason to go back to it.
    site.blackhole(0, false)?;
    site.start()?;
    site.wait_for("fallback", "wan1")?;
    site.wait_for_proof()?;
    site.stays("wan1", Duration::from_millis(500))?;
    same(&ears.heard()?, &vec![], "changes of routes and rules")?;
    same(&site.ours(Family::V4)?, &before, "what is ours")?;
    traffic.lost_nothing(begin, "the crash")
}

fn crash_and_home() -> Result<(), Failed> {
    let mut site = Site::fallen(&["--stable-window=2s", PATIENT])?;
    let (traffic, mut ears) = (Traffic::start(&site)?, site.listen()?);
    let begin = traffic.mark();
    site.kill();
    site.blackhole(0, false)?;
    site.world.reset_tallies();
    let started = traffic.mark();
    site.start()?;
    let took = site.arrives_by(0, started)?;
    within(&took, Duration::from_secs(2)..=Duration::from_millis(4500), "the way home")?;
    site.wait_for("primary", "wan0")?;
    let gone = "gone route default via 198.51.100.1 dev wan1 proto 117 metric 5".to_owned();
    same(&ears.heard()?, &vec![gone], "changes of routes and rules")?;
    traffic.lost_nothing(begin, "the crash and the way home")
}

fn crash_and_dead_backup() -> Result<(), Failed> {
    let mut site = Site::fallen(&[LONG_WINDOW])?;
    site.kill();
    site.blackhole(0, false)?;
    site.blackhole(1, true)?;
    site.start()?;
    site.wait_for("primary", "wan0")?;
    Traffic::start(&site).map(drop)
}

fn killed_again_and_again() -> Result<(), Failed> {
    let mut site = Site::settled(&[LONG_WINDOW])?;
    let at_home = site.ours(Family::V4)?;
    for delay in [0, 3, 8, 20, 60, 110, 150, 250] {
        site.kill();
        site.start()?;
        std::thread::sleep(Duration::from_millis(delay));
    }
    site.wait_for("primary", "wan0")?;
    becomes("what is ours", &at_home, || site.ours(Family::V4))?;
    // The same on the way to Fallback, and there.
    for delay in [400, 600, 800, 20, 100] {
        site.blackhole(0, true)?;
        std::thread::sleep(Duration::from_millis(delay));
        site.kill();
        site.start()?;
    }
    site.wait_for("fallback", "wan1")?;
    let mut promoted = vec!["default via 198.51.100.1 dev wan1 proto 117 metric 5".to_owned()];
    promoted.extend(at_home);
    promoted.sort();
    becomes("what is ours", &promoted, || {
        let mut ours = site.ours(Family::V4)?;
        ours.sort();
        Ok(ours)
    })
}

fn keep() -> Result<(), Failed> {
    let mut site = Site::fallen(&["--on-exit=keep", LONG_WINDOW])?;
    let before = site.ours(Family::V4)?;
    let (traffic, mut ears) = (Traffic::start(&site)?, site.listen()?);
    let begin = traffic.mark();
    let (code, took) = site.terminate()?;
    same(&code, &Some(0), "exit code")?;
    within(&took, Duration::ZERO..=Duration::from_secs(1), "the end")?;
    same(&ears.heard()?, &vec![], "changes of routes and rules")?;
    same(&site.ours(Family::V4)?, &before, "what is ours")?;
    same(&site.socket().exists(), &false, "the control socket is there")?;
    traffic.lost_nothing(begin, "the end")
}

fn remove() -> Result<(), Failed> {
    let mut site = Site::fallen(&["--on-exit=remove"])?;
    let (code, took) = site.terminate()?;
    same(&code, &Some(0), "exit code")?;
    within(&took, Duration::ZERO..=Duration::from_secs(1), "the end")?;
    same(&site.ours(Family::V4)?, &vec![], "what is ours")?;
    same(&site.socket().exists(), &false, "the control socket is there")
}

fn early_end() -> Result<(), Failed> {
    let mut site = Site::quick(&["--on-exit=remove"])?;
    site.world.change_all(|line| line.blackhole(true));
    site.wait("an answer", |_| true)?;
    let (code, took) = site.terminate()?;
    same(&code, &Some(0), "exit code")?;
    within(&took, Duration::ZERO..=Duration::from_secs(1), "the end")?;
    same(&site.ours(Family::V4)?, &vec![], "what is ours")
}
