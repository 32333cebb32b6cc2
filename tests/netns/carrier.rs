//! Pulled cables.

use super::Case;
use super::expect::{becomes, remains, same, within};
use super::site::{LONG_WINDOW, Site};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use nix::sys::signal::Signal;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::Op;
use uplinkd::kernel::socket::Requests;
use uplinkd::lab::{Uplink, World, wire};

pub(super) const CASES: &[Case] = &[
    ("kernel_carrier_of_ipv6_is_noted_and_put_back_apart", ipv6_apart),
    ("kernel_carrier_leaves_ipv6_alone_where_it_is_not_used", ipv6_unused),
    ("kernel_carrier_is_put_back_although_the_uplinks_have_changed_places", other_order),
    ("kernel_carrier_is_put_back_for_what_is_no_uplink_any_more", renamed),
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

/// IPv6's switches of both uplinks, where the file can be written at all.
fn ignores_linkdown_v6(site: &Site) -> Result<Vec<Option<bool>>, Failed> {
    ["wan0", "wan1"].into_iter().map(|name| site.linkdown_v6(name)).collect()
}

/// The two families have switches of their own, and what somebody has set of one is not lost by putting back the other.
fn ipv6_apart() -> Result<(), Failed> {
    let world = World::builder().build()?;
    let both = ["--ping-target=203.0.113.1", "--ping-target=2001:db8:113::1", "--on-exit=remove"];
    let mut site = Site::idle(world, &both)?;
    if ignores_linkdown_v6(&site)? == [None, None] {
        // A container with /proc/sys read-only: nothing to be changed, and nothing complained about.
        site.start()?;
        let site = site.rested()?;
        return same(&site.log().contains("refused"), &false, "refusals");
    }
    site.stranger(&[Op::IgnoreLinkdown { family: Family::V6, index: site.world.index(1)?, on: true }])?;
    site.start()?;
    let mut site = site.rested()?;
    site.wait_for_family("ipv6", "primary", "wan0")?;
    same(&ignores_linkdown_v6(&site)?, &ON.to_vec(), "while it runs")?;
    site.kill();
    site.start()?;
    let mut site = site.rested()?;
    site.wait_for_family("ipv6", "primary", "wan0")?;
    site.terminate()?;
    same(&ignores_linkdown_v6(&site)?, &vec![Some(false), Some(true)], "after the end")?;
    same(&site.ignores_linkdown()?, &OFF.to_vec(), "the other family's")
}

/// IPv6 is not in use: none of its switches are ours.
fn ipv6_unused() -> Result<(), Failed> {
    let site = Site::idle(World::builder().build()?, &[])?;
    let before = ignores_linkdown_v6(&site)?;
    let mut site = site;
    site.start()?;
    let site = site.rested()?;
    same(&site.ignores_linkdown()?, &ON.to_vec(), "IPv4's")?;
    same(&ignores_linkdown_v6(&site)?, &before, "IPv6's")
}

/// The note about what was there before is found wherever an earlier configuration has put it.
fn other_order() -> Result<(), Failed> {
    let mut site = Site::settled(&[])?;
    site.terminate()?;
    site.swap();
    site.start()?;
    site.wait_for("primary", "wan1")?;
    site.wait_for_health(1, "healthy")?;
    same(&site.ignores_linkdown()?, &ON.to_vec(), "while it runs")?;
    site.kill();
    site.command(&["cleanup"])?;
    same(&site.ignores_linkdown()?, &OFF.to_vec(), "after cleanup")
}

/// What is no uplink any more gets back what it had.
fn renamed() -> Result<(), Failed> {
    let mut site = Site::settled(&[])?;
    let index = site.world.index(0)?;
    let mut renaming = LinkMessage::default();
    renaming.header.index = index;
    renaming.attributes.push(LinkAttribute::IfName("other0".to_owned()));
    site.world.router().run(|| -> Result<(), Failed> {
        let mut requests = Requests::open()?;
        wire::set_up(&mut requests, index, false)?;
        let outcome = requests.transact(vec![(RouteNetlinkMessage::SetLink(renaming), 0)])?;
        same(&outcome, &vec![Ok(())], "renaming")?;
        Ok(wire::set_up(&mut requests, index, true)?)
    })??;
    becomes("its switch", &Some(false), || site.ignores_linkdown_of("other0"))?;
    site.kill();
    site.command(&["cleanup"])?;
    same(&site.ignores_linkdown_of("wan1")?, &Some(false), "the other's after cleanup")
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
    site.stranger(&[Op::IgnoreLinkdown { family: Family::V4, index, on: true }])?;
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
