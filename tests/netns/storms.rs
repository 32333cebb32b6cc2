//! More notifications than the daemon can take.

use super::Case;
use super::expect::{becomes, same, within};
use super::hands::{STATIC, add};
use super::site::{LONG_WINDOW, Site};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::{Op, Prefix, Route};
use uplinkd::lab::clock::now;

pub(super) const CASES: &[Case] = &[
    ("notifications_that_were_lost_are_made_up_for_by_a_fresh_look", lost),
    ("a_storm_of_routes_moves_nothing_and_starves_nothing", storm),
    ("status_is_answered_in_the_midst_of_a_storm", status),
    ("the_end_is_prompt_in_the_midst_of_a_storm", end),
    ("a_pause_of_the_daemon_is_no_outage_of_the_lines", pause),
];

const TINY: &str = "--monitor-buffer=4096";

/// So many host routes of somebody else.
fn routes(site: &Site, count: u32) -> Result<Vec<Route>, Failed> {
    let first = u32::from(Ipv4Addr::new(10, 0, 0, 0));
    let to = |number| Prefix::host(IpAddr::V4(Ipv4Addr::from(first + number)));
    (0..count).map(|number| site.route(to(number), 1, 0, STATIC)).collect()
}

fn overruns(site: &Site) -> usize {
    site.log().matches("notifications were lost").count()
}

fn lost() -> Result<(), Failed> {
    let site = Site::fallen(&[LONG_WINDOW, TINY])?;
    let before = site.ours(Family::V4)?;
    // While the daemon does not listen, others say much, and then somebody takes out what is ours.
    site.signal(Signal::SIGSTOP)?;
    let mut ops: Vec<Op> = routes(&site, 2000)?.iter().map(add).collect();
    let ours = site.our_routes()?.into_iter().filter(|route| matches!(route.metric, 1 | 5 | 20));
    ops.extend(ours.map(Op::DeleteRoute));
    ops.extend(site.our_rules()?.into_iter().take(2).map(Op::DeleteRule));
    site.stranger(&ops)?;
    let overruns_before = overruns(&site);
    site.signal(Signal::SIGCONT)?;
    becomes("what is ours", &before, || site.ours(Family::V4))?;
    same(&(overruns(&site) > overruns_before), &true, "notifications were lost at all")?;
    site.wait_for("fallback", "wan1").map(drop)
}

fn storm() -> Result<(), Failed> {
    let site = Site::settled(&[TINY])?;
    let before = site.ours(Family::V4)?;
    let routes = routes(&site, 2000)?;
    let mut ops: Vec<Op> = routes.iter().map(add).collect();
    ops.extend(routes.into_iter().map(Op::DeleteRoute));
    let traffic = Traffic::start(&site)?;
    let begin = traffic.mark();
    for _ in 0..10 {
        site.stranger(&ops)?;
        site.status()?;
    }
    site.stays("wan0", Duration::from_millis(500))?;
    same(&(overruns(&site) > 0), &true, "notifications were lost at all")?;
    site.wait_for("primary", "wan0")?;
    same(&site.ours(Family::V4)?, &before, "what is ours")?;
    traffic.lost_nothing(begin, "the storm")?;
    // It still hears what matters.
    let ours = site.our_routes()?.into_iter().find(|route| route.metric == 20).ok_or("no route of ours")?;
    site.stranger(&[Op::DeleteRoute(ours)])?;
    becomes("what is ours", &before, || site.ours(Family::V4))
}

/// Adds and deletes without a break, while something else is done.
fn amid_a_storm<T>(site: &Site, act: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
    let routes = routes(site, 500)?;
    let mut ops: Vec<Op> = routes.iter().map(add).collect();
    ops.extend(routes.into_iter().map(Op::DeleteRoute));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stranger = scope.spawn(|| {
            let mut outcome = Ok(());
            while outcome.is_ok() && !over.load(Ordering::Relaxed) {
                outcome = site.stranger(&ops);
            }
            outcome
        });
        let acted = act();
        over.store(true, Ordering::Relaxed);
        stranger.join().map_err(|_| "the stranger panicked")??;
        acted
    })
}

/// There is always something to be read, and always somebody who asks.
fn status() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    amid_a_storm(&site, || {
        let begin = now();
        let mut slowest = Duration::ZERO;
        while begin.elapsed() < Duration::from_secs(2) {
            let before = now();
            site.status()?;
            slowest = slowest.max(before.elapsed());
        }
        within(&slowest, Duration::ZERO..=Duration::from_secs(1), "the slowest answer")
    })?;
    site.wait_for("primary", "wan0").map(drop)
}

fn end() -> Result<(), Failed> {
    let mut site = Site::settled(&["--on-exit=remove"])?;
    amid_a_storm(&site, || {
        site.signal(Signal::SIGTERM)?;
        let begin = now();
        while site.status().is_ok() {
            within(&begin.elapsed(), Duration::ZERO..=Duration::from_secs(2), "time to end")?;
        }
        Ok(())
    })?;
    let (code, _) = site.terminate()?;
    same(&code, &Some(0), "exit code")?;
    same(&site.ours(Family::V4)?, &vec![], "what is left of ours")
}

/// Four rounds are under way when it stops, and their answers are there when it goes on, long after their time.
fn pause() -> Result<(), Failed> {
    let flags = ["--interval=100ms", "--timeout=800ms", LONG_WINDOW];
    let site = Site::settled(&flags)?;
    site.world.change_all(|line| line.round_trip(Duration::from_millis(400)));
    site.stays("wan0", Duration::from_millis(500))?;
    for _ in 0..3 {
        site.signal(Signal::SIGSTOP)?;
        std::thread::sleep(Duration::from_millis(1200));
        site.signal(Signal::SIGCONT)?;
        site.stays("wan0", Duration::from_millis(500))?;
    }
    let status = site.wait_for("primary", "wan0")?;
    let down = |step: &&Value| step["to"] == "down";
    match status["transitions"].as_array().into_iter().flatten().find(down) {
        None => Ok(()),
        Some(step) => Err(format!("a pause made a verdict: {step}").into()),
    }
}
