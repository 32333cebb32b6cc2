//! Gateways that are learnt, and lines that need none.

use super::Case;
use super::expect::{becomes, remains, same};
use super::hands::{DHCP, add};
use super::site::{DETECTION, LONG_WINDOW, Site, path};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::{Hop, How, Op, Route};
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{AddressPlan, Uplink, World};

pub(super) const CASES: &[Case] = &[
    ("without_a_gateway_an_uplink_is_unready_until_a_default_route_shows_one", learnt_late),
    ("a_gateway_is_learnt_from_a_dhcp_like_default_and_again_after_it_changes", learnt_again),
    ("a_gateway_that_changes_while_the_address_stays_costs_nothing", moved),
    ("a_gateway_that_was_learnt_is_known_after_a_crash", learnt_before),
    ("a_gateway_outside_the_networks_of_its_interface_makes_it_unready", off_link),
    ("point_to_point_uplinks_need_no_gateway", point_to_point),
];

/// Both default routes as a DHCP client makes them.
fn leased() -> Result<World, Failed> {
    let world = World::builder().build()?;
    for (uplink, metric) in [(0, 100), (1, 101)] {
        world.default_route(uplink, Family::V4, metric, Presence::Present)?;
    }
    Ok(world)
}

fn learnt_late() -> Result<(), Failed> {
    let site = Site::learning(World::builder().build()?, &[])?;
    let status = site.wait_for_health(0, "unready")?;
    same(&path(&status, 0)["readiness"], &"no gateway known".into(), "readiness")?;
    remains("nothing is routed", Duration::from_millis(500), || site.defaults(Family::V4))?;
    for (uplink, metric) in [(0, 100), (1, 101)] {
        site.stranger(&[add(&site.default_by(uplink, metric, DHCP)?)])?;
    }
    let site = site.rested()?;
    let status = site.status()?;
    let gateways = [0, 1].map(|uplink| path(&status, uplink)["gateway"].clone());
    same(&gateways, &["192.0.2.1".into(), "198.51.100.1".into()], "gateways")?;
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    traffic.gap_at_most(dead, DETECTION, "failover").map(drop)
}

fn learnt_again() -> Result<(), Failed> {
    let site = Site::learning(leased()?, &[])?.rested()?;
    let traffic = Traffic::start(&site)?;
    // A new lease: the old route goes, then the address is set anew, then the new route comes.
    let plan = AddressPlan::new(Ipv4Addr::new(192, 0, 2, 10), 24, Ipv4Addr::new(192, 0, 2, 254));
    let begin = traffic.mark();
    site.world.default_route(0, Family::V4, 100, Presence::Absent)?;
    // What was learnt is known while the lease is renewed.
    remains("the gateway", Duration::from_millis(300), || Ok(path(&site.status()?, 0)["gateway"].clone()))?;
    traffic.lost_nothing(begin, "the lease's route is gone")?;
    let begin = traffic.mark();
    site.world.readdress(0, Family::V4, Some(plan))?;
    site.world.default_route(0, Family::V4, 100, Presence::Present)?;
    site.wait("the gateway", |status| path(status, 0)["gateway"] == "192.0.2.254")?;
    let main = vec![
        "default via 192.0.2.254 dev wan0 proto 117 metric 10".to_owned(),
        "default via 198.51.100.1 dev wan1 proto 117 metric 20".to_owned(),
        "default via 192.0.2.254 dev wan0 proto static metric 100".to_owned(),
        "default via 198.51.100.1 dev wan1 proto static metric 101".to_owned(),
    ];
    let seen =
        || Ok(site.defaults(Family::V4)?.into_iter().filter(|words| !words.ends_with("metric 5")).collect());
    becomes("main table", &main, seen)?;
    becomes(
        "table of the uplink",
        &vec!["default via 192.0.2.254 dev wan0 table 7700 proto 117 metric 1".to_owned()],
        || {
            let table = site.table(Family::V4, 7700)?;
            Ok(table.into_iter().filter(|words| words.starts_with("default")).collect())
        },
    )?;
    site.wait_for("primary", "wan0")?;
    // The address was away for a moment.
    traffic.gap_at_most(begin, Duration::from_millis(300), "the new lease").map(drop)
}

/// By a second route that is better, then in its place.
fn moved() -> Result<(), Failed> {
    // Whoever is asked for answers.
    let wan0 = Uplink { answers_for_all: true, ..Uplink::numbered(0) };
    let world = World::builder().uplink(wan0).uplink(Uplink::numbered(1)).build()?;
    let site = Site::learning(world, &[LONG_WINDOW])?;
    for (uplink, metric) in [(0, 100), (1, 101)] {
        site.stranger(&[add(&site.default_by(uplink, metric, DHCP)?)])?;
    }
    let site = site.rested()?;
    let traffic = Traffic::start(&site)?;
    let begin = traffic.mark();
    let old = site.default_by(0, 100, DHCP)?;
    let by = |host: u8, metric: u32| {
        let hop = Hop { via: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host))), index: old.hops[0].index };
        Route { hops: vec![hop], metric, ..old.clone() }
    };
    let steps = [
        (253, vec![add(&by(253, 99)), Op::DeleteRoute(old.clone())]),
        (254, vec![Op::PutRoute(by(254, 99), How::Replace)]),
    ];
    for (host, ops) in steps {
        site.stranger(&ops)?;
        let words = format!("default via 192.0.2.{host} dev wan0");
        let wanted =
            [" proto 117 metric 10", " table 7700 proto 117 metric 1"].map(|rest| format!("{words}{rest}"));
        becomes("routes by the gateway", &wanted.to_vec(), || {
            let ours = site.ours(Family::V4)?.into_iter();
            Ok(ours.filter(|words| words.starts_with("default") && words.contains("wan0")).collect())
        })?;
    }
    site.stays("wan0", Duration::from_millis(500))?;
    traffic.lost_nothing(begin, "the gateway changes")
}

fn learnt_before() -> Result<(), Failed> {
    let mut site = Site::learning(leased()?, &[])?.rested()?;
    for (uplink, metric) in [(0, 100), (1, 101)] {
        site.world.default_route(uplink, Family::V4, metric, Presence::Absent)?;
    }
    let traffic = Traffic::start(&site)?;
    let begin = traffic.mark();
    let before = site.ours(Family::V4)?;
    site.kill();
    site.start()?;
    let site = site.rested()?;
    same(&site.ours(Family::V4)?, &before, "what is ours")?;
    traffic.lost_nothing(begin, "the crash")
}

fn off_link() -> Result<(), Failed> {
    let world = World::builder().build()?;
    let flags = ["--primary-gateway=10.9.9.9", "--secondary-gateway=198.51.100.1"];
    let mut arguments: Vec<String> = super::site::QUICK.iter().map(ToString::to_string).collect();
    arguments.extend(flags.map(str::to_owned));
    let site = Site::bare(world, arguments)?;
    let status = site.wait_for_health(0, "unready")?;
    same(
        &path(&status, 0)["readiness"],
        &"gateway is in none of the interface's networks".into(),
        "readiness",
    )?;
    site.wait_for_health(1, "healthy")?;
    same(
        &site.defaults(Family::V4)?,
        &vec!["default via 198.51.100.1 dev wan1 proto 117 metric 20".to_owned()],
        "main table",
    )
}

fn point_to_point() -> Result<(), Failed> {
    let [wan0, wan1] = [0, 1].map(|number| Uplink::numbered(number).point_to_point());
    let world = World::builder().uplink(wan0).uplink(wan1).build()?;
    for (uplink, metric) in [(0, 100), (1, 101)] {
        world.default_route(uplink, Family::V4, metric, Presence::Present)?;
    }
    let site = Site::learning(world, &[LONG_WINDOW])?.rested()?;
    let mut main = vec![
        "default dev wan0 proto 117 metric 10".to_owned(),
        "default dev wan1 proto 117 metric 20".to_owned(),
        "default dev wan0 proto static metric 100".to_owned(),
        "default dev wan1 proto static metric 101".to_owned(),
    ];
    becomes("main table", &main, || site.defaults(Family::V4))?;
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    traffic.gap_at_most(dead, DETECTION, "failover")?;
    main.insert(0, "default dev wan1 proto 117 metric 5".to_owned());
    becomes("main table", &main, || site.defaults(Family::V4))?;
    site.blackhole(0, false)?;
    site.wait_for_health(0, "healthy")?;
    let cut = traffic.mark();
    site.world.cut(1)?;
    site.wait_for("primary", "wan0")?;
    traffic.gap_at_most(cut, Duration::from_millis(150), "carrier").map(drop)
}
