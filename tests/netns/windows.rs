//! The way home: not before its time, later after each flap, at once when it is the only way.

use super::Case;
use super::expect::within;
use super::site::{DETECTION, LONG_WINDOW, PATIENT, Site, path};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use serde_json::Value;
use std::time::Duration;

pub(super) const CASES: &[Case] = &[
    ("failback_comes_when_the_stable_window_is_over_and_not_before", not_before),
    ("a_failed_round_in_the_stable_window_starts_it_anew", restarted),
    ("a_flapping_primary_doubles_the_window_each_time", flapping),
    ("the_backup_dies_while_the_primary_is_proving_so_traffic_goes_home_at_once", backup_dies),
    ("traffic_is_not_brought_home_to_a_primary_that_stays_dead", stays_away),
];

/// What it takes to be proven healthy and to be noticed, on a busy machine.
const SLACK: Duration = Duration::from_millis(2400);

fn not_before() -> Result<(), Failed> {
    let site = Site::fallen(&["--stable-window=2s", PATIENT])?;
    let traffic = Traffic::start(&site)?;
    site.world.reset_tallies();
    let mended = traffic.mark();
    site.blackhole(0, false)?;
    let took = site.arrives_by(0, mended)?;
    let window = Duration::from_secs(2);
    within(&took, window..=window + SLACK, "from the mending to the first datagram at home")
}

fn restarted() -> Result<(), Failed> {
    // So many rounds may fail that none of this is a verdict.
    let site = Site::settled(&["--stable-window=3s", "--fall=50", PATIENT])?;
    let traffic = Traffic::start(&site)?;
    site.world.cut(0)?;
    site.wait_for("fallback", "wan1")?;
    site.world.mend(0)?;
    site.world.reset_tallies();
    let left = |status: &Value| status["families"]["ipv4"]["stable_window_left_s"]["wan0"].as_f64();
    site.wait("half of the window", |status| left(status).is_some_and(|left| left < 1.5))?;
    site.blackhole(0, true)?;
    site.wait("a failed round", |status| path(status, 0)["consecutive_failures"].as_u64() > Some(0))?;
    let mended = traffic.mark();
    site.blackhole(0, false)?;
    let status = site.wait_for("primary", "wan0")?;
    let took = site.arrives_by(0, mended)?;
    // The failed round was judged a moment before the test saw it.
    let window = Duration::from_millis(2800)..=Duration::from_secs(3) + SLACK;
    within(&took, window, "from the last failed round")?;
    let steps = status["transitions"].as_array().into_iter().flatten();
    match steps.into_iter().find(|step| step["to"] == "down") {
        None => Ok(()),
        Some(step) => Err(format!("single rounds made a verdict: {step}").into()),
    }
}

fn flapping() -> Result<(), Failed> {
    let site = Site::settled(&["--stable-window=1500ms", PATIENT])?;
    let traffic = Traffic::start(&site)?;
    for window in [1500, 3000, 6000].map(Duration::from_millis) {
        site.blackhole(0, true)?;
        let dead = traffic.mark();
        site.wait_for("fallback", "wan1")?;
        // However often it has flapped, a dead line is left as fast as ever.
        traffic.gap_at_most(dead, DETECTION, "leaving")?;
        site.world.reset_tallies();
        let mended = traffic.mark();
        site.blackhole(0, false)?;
        let took = site.arrives_by(0, mended)?;
        within(&took, window..=window + SLACK, "the way home")?;
        site.wait_for("primary", "wan0")?;
    }
    Ok(())
}

fn backup_dies() -> Result<(), Failed> {
    let site = Site::fallen(&[LONG_WINDOW])?;
    let traffic = Traffic::start(&site)?;
    site.blackhole(0, false)?;
    site.wait_for_proof()?;
    site.stays("wan1", Duration::from_millis(500))?;
    let dead = traffic.mark();
    site.blackhole(1, true)?;
    site.wait_for("primary", "wan0")?;
    traffic.gap_at_most(dead, DETECTION, "home from a dead backup").map(drop)
}

fn stays_away() -> Result<(), Failed> {
    let site = Site::fallen(&["--stable-window=1500ms"])?;
    let traffic = Traffic::start(&site)?;
    let begin = traffic.mark();
    site.stays("wan1", Duration::from_secs(4))?;
    traffic.lost_nothing(begin, "the primary stays dead")
}
