//! Interfaces that come and go, and their addresses.

use super::Case;
use super::expect::{becomes, same};
use super::site::{DETECTION, LONG_WINDOW, Site, path};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::lab::{AddressPlan, Uplink, World, wire};

pub(super) const CASES: &[Case] = &[
    ("the_primary_interface_is_deleted_and_created_again_with_another_index", primary_recreated),
    ("the_backup_interface_is_deleted_and_created_again_and_nothing_moves", backup_recreated),
    ("a_backup_that_is_missing_at_the_start_is_unready_and_taken_up_when_it_appears", backup_missing),
    ("a_primary_that_is_missing_at_the_start_gets_the_traffic_when_it_appears", primary_missing),
    ("an_interface_that_is_set_down_and_up_gets_its_routes_back", down_and_up),
    ("the_address_changes_and_the_rules_and_probes_follow", other_address),
    ("the_address_goes_and_comes_back", address_gone),
    ("the_same_gateway_and_network_on_both_lines", same_network),
];

fn primary_recreated() -> Result<(), Failed> {
    let site = Site::settled(&["--stable-window=1500ms"])?;
    let before = site.ours(Family::V4)?;
    let traffic = Traffic::start(&site)?;
    let gone = traffic.mark();
    let index = site.world.index(0)?;
    site.world.remove(0)?;
    site.wait_for("fallback", "wan1")?;
    site.wait_for_health(0, "unready")?;
    traffic.gap_at_most(gone, Duration::from_millis(150), "the interface is gone")?;
    becomes(
        "main table without it",
        &["metric 5", "metric 20"]
            .map(|rest| format!("default via 198.51.100.1 dev wan1 proto 117 {rest}"))
            .to_vec(),
        || site.defaults(Family::V4),
    )?;
    site.world.restore(0)?;
    let back = traffic.mark();
    site.wait_for("primary", "wan0")?;
    let now = site.world.index(0)?;
    if now == index {
        return Err("the index is the same".into());
    }
    // All but the note, which names the index.
    let renamed: Vec<String> = before
        .iter()
        .map(|words| words.replace(&format!("metric {index}"), &format!("metric {now}")))
        .collect();
    becomes("what is ours", &renamed, || site.ours(Family::V4))?;
    same(&site.ignores_linkdown()?, &vec![Some(true), Some(true)], "kernel_carrier")?;
    traffic.lost_nothing(back, "the interface is back")
}

fn backup_recreated() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let traffic = Traffic::start(&site)?;
    let gone = traffic.mark();
    site.world.remove(1)?;
    let status = site.wait_for_health(1, "unready")?;
    same(&path(&status, 1)["readiness"], &"no such interface".into(), "readiness")?;
    site.stays("wan0", Duration::from_millis(500))?;
    site.world.restore(1)?;
    site.wait_for_health(1, "healthy")?;
    traffic.lost_nothing(gone, "the backup's interface")?;
    // And it is as good as before.
    let dead = traffic.mark();
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    traffic.gap_at_most(dead, DETECTION, "failover").map(drop)
}

fn backup_missing() -> Result<(), Failed> {
    let world = World::builder().build()?;
    world.remove(1)?;
    let site = Site::with(world, &[])?;
    let status = site.wait_for_health(1, "unready")?;
    same(&path(&status, 1)["readiness"], &"no such interface".into(), "readiness")?;
    site.wait_for("primary", "wan0")?;
    site.world.restore(1)?;
    site.wait_for_health(1, "healthy")?;
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    traffic.gap_at_most(dead, DETECTION, "failover").map(drop)
}

fn primary_missing() -> Result<(), Failed> {
    let world = World::builder().build()?;
    world.remove(0)?;
    let site = Site::with(world, &["--stable-window=1500ms"])?;
    site.wait_for_health(0, "unready")?;
    site.wait_for_health(1, "healthy")?;
    // Ours are in, for there is no other default route: traffic need not wait for the boot deadline.
    let traffic = Traffic::start(&site)?;
    let begin = traffic.mark();
    site.wait_for("fallback", "wan1")?;
    site.world.restore(0)?;
    site.wait_for("primary", "wan0")?;
    traffic.lost_nothing(begin, "the primary appears")
}

fn down_and_up() -> Result<(), Failed> {
    let site = Site::settled(&["--stable-window=1500ms"])?;
    let before = site.ours(Family::V4)?;
    let traffic = Traffic::start(&site)?;
    let mut requests = site.world.router().requests()?;
    let index = site.world.index(0)?;
    let down = traffic.mark();
    wire::set_up(&mut requests, index, false)?;
    let status = site.wait_for("fallback", "wan1")?;
    same(&path(&status, 0)["readiness"], &"interface is set down".into(), "readiness")?;
    traffic.gap_at_most(down, Duration::from_millis(150), "set down")?;
    let up = traffic.mark();
    wire::set_up(&mut requests, index, true)?;
    site.wait_for("primary", "wan0")?;
    becomes("what is ours", &before, || site.ours(Family::V4))?;
    traffic.lost_nothing(up, "set up")
}

fn plan(host: u8, gateway: u8) -> AddressPlan {
    AddressPlan::new(Ipv4Addr::new(192, 0, 2, host), 24, Ipv4Addr::new(192, 0, 2, gateway))
}

/// A new lease, whose address comes when the old one is gone.
fn other_address() -> Result<(), Failed> {
    let site = Site::settled(&["--stable-window=1500ms"])?;
    let before = site.ours(Family::V4)?;
    site.world.readdress(0, Family::V4, Some(plan(77, 1)))?;
    let after: Vec<String> = before.iter().map(|words| words.replace("192.0.2.10", "192.0.2.77")).collect();
    becomes("what is ours", &after, || site.ours(Family::V4))?;
    site.wait_for("primary", "wan0")?;
    site.world.reset_tallies();
    Traffic::start(&site)?;
    let asks: Vec<IpAddr> = site.world.seen(0)?.sources.into_keys().collect();
    let client = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 2));
    same(&asks, &vec![client, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77))], "sources")
}

fn address_gone() -> Result<(), Failed> {
    let site = Site::settled(&["--stable-window=1500ms"])?;
    let before = site.ours(Family::V4)?;
    let traffic = Traffic::start(&site)?;
    let gone = traffic.mark();
    site.world.readdress(0, Family::V4, None)?;
    let status = site.wait_for("fallback", "wan1")?;
    same(&path(&status, 0)["readiness"], &"no usable address".into(), "readiness")?;
    traffic.gap_at_most(gone, Duration::from_millis(150), "no address")?;
    let back = traffic.mark();
    site.world.readdress(0, Family::V4, Some(plan(10, 1)))?;
    site.wait_for("primary", "wan0")?;
    becomes("what is ours", &before, || site.ours(Family::V4))?;
    traffic.lost_nothing(back, "the address is back")
}

/// As with two modems of the same make.
fn same_network() -> Result<(), Failed> {
    let world = World::builder()
        .uplink(Uplink::numbered(0).with_v4(plan(10, 1)))
        .uplink(Uplink::numbered(1).with_v4(plan(11, 1)))
        .build()?;
    let site = Site::with(world, &[LONG_WINDOW])?.rested()?;
    site.world.reset_tallies();
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    traffic.gap_at_most(dead, DETECTION, "failover")?;
    same(
        &site.defaults(Family::V4)?,
        &["wan1 proto 117 metric 5", "wan0 proto 117 metric 10", "wan1 proto 117 metric 20"]
            .map(|rest| format!("default via 192.0.2.1 dev {rest}"))
            .to_vec(),
        "main table",
    )?;
    site.blackhole(0, false)?;
    site.wait_for_health(0, "healthy")?;
    site.blackhole(1, true)?;
    site.wait_for("primary", "wan0")?;
    traffic.flows()?;
    // Each line was asked with its own address only.
    for (uplink, host, other) in [(0, 10, 11), (1, 11, 10)] {
        let sources = site.world.seen(uplink)?.sources;
        let [own, other] = [host, other].map(|host| IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)));
        same(&(sources.contains_key(&own), sources.contains_key(&other)), &(true, false), "sources")?;
    }
    Ok(())
}
