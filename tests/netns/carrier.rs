//! Pulled cables.

use super::Case;
use super::expect::{becomes, remains, same, within};
use super::site::{LONG_WINDOW, Site};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use nix::sys::signal::Signal;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::Op;
use uplinkd::lab::{Uplink, World};

pub(super) const CASES: &[Case] = &[
    ("a_pulled_cable_costs_a_tenth_of_a_second_and_a_half_at_most", pulled),
    ("a_pulled_cable_of_the_backup_moves_nothing", backup_pulled),
    ("carrier_loss_that_a_nic_announces_late_is_noticed_within_a_tenth_of_a_second", nic),
    ("the_kernel_passes_over_a_dead_cable_while_the_daemon_is_stopped", stopped),
    ("kernel_carrier_is_on_while_running_and_put_back_at_the_end", put_back_at_the_end),
    ("kernel_carrier_is_put_back_by_cleanup_after_a_crash", put_back_by_cleanup),
    ("kernel_carrier_that_was_on_before_stays_on", was_on),
    ("kernel_carrier_is_left_alone_where_it_is_not_wanted", unwanted),
];

/// Without a stable window: it would double with each cut.
fn pulled() -> Result<(), Failed> {
    let site = Site::settled(&["--stable-window=0s"])?;
    let traffic = Traffic::start(&site)?;
    for _ in 0..3 {
        let cut = traffic.mark();
        site.world.cut(0)?;
        site.wait_for("fallback", "wan1")?;
        site.wait_for_health(0, "unready")?;
        traffic.gap_at_most(cut, Duration::from_millis(150), "a pulled cable")?;
        let mended = traffic.mark();
        site.world.mend(0)?;
        site.wait_for("primary", "wan0")?;
        traffic.lost_nothing(mended, "the cable is back")?;
    }
    Ok(())
}

fn backup_pulled() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let traffic = Traffic::start(&site)?;
    let cut = traffic.mark();
    site.world.cut(1)?;
    site.wait_for_health(1, "unready")?;
    site.stays("wan0", Duration::from_millis(1500))?;
    site.world.mend(1)?;
    site.wait_for_health(1, "healthy")?;
    traffic.lost_nothing(cut, "the backup's cable")
}

/// Cuts at different times after a round. Probes explain none of this: they have two seconds for an answer.
fn nic() -> Result<(), Failed> {
    let [wan0, wan1] = [0, 1].map(|number| Uplink::numbered(number).like_a_nic());
    let world = World::builder().uplink(wan0).uplink(wan1).build()?;
    let flags =
        &["--interval=50ms", "--confirm-interval=50ms", "--timeout=500ms", "--fall=9", "--stable-window=0s"];
    let site = Site::with(world, flags)?.rested()?;
    let traffic = Traffic::start(&site)?;
    let mut gaps = vec![];
    for offset in [0, 13, 29, 37, 45] {
        std::thread::sleep(Duration::from_millis(offset));
        let cut = traffic.mark();
        site.world.cut(0)?;
        site.wait_for("fallback", "wan1")?;
        gaps.push(traffic.losses(cut).longest_gap);
        site.world.mend(0)?;
        site.wait_for("primary", "wan0")?;
    }
    gaps.sort();
    // The kernel itself would take up to a second. A busy machine may cost one cut more, not most of them.
    let limits = [100, 100, 100, 150, 300].map(Duration::from_millis);
    if gaps.iter().zip(limits).all(|(gap, limit)| *gap <= limit) {
        Ok(())
    } else {
        Err(format!("gaps of {gaps:?}, more than {limits:?}").into())
    }
}

fn stopped() -> Result<(), Failed> {
    let site = Site::settled(&[LONG_WINDOW])?;
    let traffic = Traffic::start(&site)?;
    site.signal(Signal::SIGSTOP)?;
    let cut = traffic.mark();
    site.world.cut(0)?;
    traffic.flows()?;
    // Without the kernel's help there would be no end to it; a worker of the kernel that has to wait is no defect.
    let gap = traffic.gap_at_most(cut, Duration::from_secs(1), "without the daemon")?;
    site.signal(Signal::SIGCONT)?;
    site.wait_for("fallback", "wan1")?;
    // When the cable returns the kernel would be back at once: the promoted route is in place before that.
    let mended = traffic.mark();
    site.blackhole(0, true)?;
    site.world.mend(0)?;
    site.wait_for_health(0, "down")?;
    traffic.lost_nothing(mended, &format!("a cable without a line behind it (after a gap of {gap:?})"))
}

const ON: [Option<bool>; 2] = [Some(true), Some(true)];
const OFF: [Option<bool>; 2] = [Some(false), Some(false)];

fn put_back_at_the_end() -> Result<(), Failed> {
    let world = World::builder().build()?;
    let mut site = Site::with(world, &["--on-exit=remove"])?.rested()?;
    same(&site.ignores_linkdown()?, &ON.to_vec(), "while it runs")?;
    site.terminate()?;
    same(&site.ignores_linkdown()?, &OFF.to_vec(), "after the end")
}

fn put_back_by_cleanup() -> Result<(), Failed> {
    let mut site = Site::settled(&[])?;
    site.kill();
    same(&site.ignores_linkdown()?, &ON.to_vec(), "after the crash")?;
    // A second life must not take the first one's setting for what was there before.
    site.start()?;
    let mut site = site.rested()?;
    site.kill();
    site.command(&["cleanup"])?;
    same(&site.ignores_linkdown()?, &OFF.to_vec(), "after cleanup")
}

fn was_on() -> Result<(), Failed> {
    let world = World::builder().build()?;
    let mut site = Site::with(world, &["--on-exit=remove"])?.rested()?;
    // One of the two, set by somebody before a second daemon comes.
    site.terminate()?;
    let index = site.world.index(0)?;
    site.stranger(&[Op::IgnoreLinkdown { index, on: true }])?;
    site.start()?;
    let mut site = site.rested()?;
    same(&site.ignores_linkdown()?, &ON.to_vec(), "while it runs")?;
    site.terminate()?;
    same(&site.ignores_linkdown()?, &vec![Some(true), Some(false)], "after the end")?;
    site.start()?;
    let mut site = site.rested()?;
    site.kill();
    site.command(&["cleanup"])?;
    same(&site.ignores_linkdown()?, &vec![Some(true), Some(false)], "after cleanup")
}

fn unwanted() -> Result<(), Failed> {
    let site = Site::settled(&["--no-kernel-carrier"])?;
    same(&site.ignores_linkdown()?, &OFF.to_vec(), "while it runs")?;
    // Carrier loss moves traffic nevertheless.
    let traffic = Traffic::start(&site)?;
    let cut = traffic.mark();
    site.world.cut(0)?;
    site.wait_for("fallback", "wan1")?;
    // Without the kernel's help there would be no end to it; a worker of the kernel that has to wait is no defect.
    let gap = traffic.gap_at_most(cut, Duration::from_millis(300), "a pulled cable")?;
    within(&gap, Duration::ZERO..=Duration::from_millis(300), "gap")?;
    becomes("defaults", &3, || Ok(site.defaults(Family::V4)?.len()))?;
    remains("what is ours", Duration::from_secs(1), || site.ours(Family::V4)).map(drop)
}
