//! IPv4 and IPv6 fail separately.

use super::Case;
use super::expect::{becomes, remains, same, within};
use super::hands::{DHCP, STATIC, add};
use super::site::{DETECTION, LONG_WINDOW, Site};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::{How, Op, Prefix, Route};
use uplinkd::lab::{ClientPlan, Path, Place, World};

pub(super) const CASES: &[Case] = &[
    ("ipv4_dies_while_ipv6_lives", || one_dies(Family::V4)),
    ("ipv6_dies_while_ipv4_lives", || one_dies(Family::V6)),
    ("what_a_stranger_deletes_of_ours_in_ipv6_comes_back", deleted),
    ("a_default_of_ipv6_that_outranks_ours_is_taken_over_and_put_back_after_a_crash", taken_over),
    ("a_crash_and_an_end_leave_both_families_as_they_should", ends),
];

const BOTH: &[&str] = &[
    "--ping-target=203.0.113.1",
    "--ping-target=203.0.113.2",
    "--ping-target=2001:db8:113::1",
    "--ping-target=2001:db8:113::2",
    LONG_WINDOW,
];

fn settled(flags: &[&str]) -> Result<Site, Failed> {
    let site = Site::quick(&[BOTH, flags].concat())?.rested()?;
    site.wait_for_family("ipv6", "primary", "wan0")?;
    site.wait("IPv6 healthy", |status| status["uplinks"][1]["families"]["ipv6"]["health"] == "healthy")?;
    Ok(site)
}

/// The path of one family, as a thing to change.
fn path_of(family: Family, line: &mut uplinkd::lab::Line) -> &mut Path {
    match family {
        Family::V4 => &mut line.v4,
        Family::V6 => &mut line.v6,
    }
}

fn defaults(family: Family, fallen: bool) -> Vec<String> {
    let [first, second] = match family {
        Family::V4 => ["192.0.2.1", "198.51.100.1"],
        Family::V6 => ["2001:db8:1::1", "2001:db8:2::1"],
    };
    let promoted = fallen.then(|| format!("default via {second} dev wan1 proto 117 metric 5"));
    let own = [
        format!("default via {first} dev wan0 proto 117 metric 10"),
        format!("default via {second} dev wan1 proto 117 metric 20"),
    ];
    promoted.into_iter().chain(own).collect()
}

fn one_dies(dies: Family) -> Result<(), Failed> {
    let lives = if dies == Family::V4 { Family::V6 } else { Family::V4 };
    let site = settled(&[])?;
    // From the router itself: containers may not let it forward IPv6.
    let client = |target| {
        Traffic::planned(&site, ClientPlan { place: Place::Router, target, ..ClientPlan::default() })
    };
    let (v4, v6) = (client(World::target(9))?, client(World::target_v6(9))?);
    let (dead, alive) = if dies == Family::V4 { (v4, v6) } else { (v6, v4) };
    let begin = dead.mark();
    site.world.change(0, |line| path_of(dies, line).to_internet.blackhole = true)?;
    site.wait_for_family(dies.name(), "fallback", "wan1")?;
    dead.gap_at_most(begin, DETECTION, "the family that died")?;
    site.wait_for_family(lives.name(), "primary", "wan0")?;
    same(&site.defaults(dies)?, &defaults(dies, true), "main table of the family that died")?;
    same(&site.defaults(lives)?, &defaults(lives, false), "main table of the other")?;
    alive.lost_nothing(begin, "the family that lives")
}

fn ends() -> Result<(), Failed> {
    let mut site = settled(&["--on-exit=remove"])?;
    site.world.change(0, |line| line.v6.from_internet.blackhole = true)?;
    site.wait_for_family("ipv6", "fallback", "wan1")?;
    let before = [site.ours(Family::V4)?, site.ours(Family::V6)?];
    let mut ears = site.listen()?;
    site.kill();
    site.start()?;
    site.wait_for_family("ipv6", "fallback", "wan1")?;
    site.wait_for("primary", "wan0")?;
    same(&ears.heard()?, &vec![], "changes of routes and rules")?;
    same(&[site.ours(Family::V4)?, site.ours(Family::V6)?], &before, "what is ours")?;
    let (code, took) = site.terminate()?;
    same(&(code, took < Duration::from_secs(1)), &(Some(0), true), "the end")?;
    becomes("what is left of ours", &vec![], || Ok([site.ours(Family::V4)?, site.ours(Family::V6)?].concat()))
}

/// As in IPv4, though the kernel has other rules here: replacing, duplicates and the order of routes are its own.
fn deleted() -> Result<(), Failed> {
    let site = settled(&[])?;
    site.world.change(0, |line| line.v6.from_internet.blackhole = true)?;
    site.wait_for_family("ipv6", "fallback", "wan1")?;
    let before = site.ours(Family::V6)?;
    // Each alone would be answered ever more slowly: all routes at once, then all rules.
    let routes = site.our_routes_of(Family::V6)?;
    // In each table a note as well, where the switch that it is about can be written.
    within(&routes.len(), 7..=9, "three default routes in main, a default and a last resort in each table")?;
    site.stranger(&routes.into_iter().map(Op::DeleteRoute).collect::<Vec<_>>())?;
    becomes("what is ours", &before, || site.ours(Family::V6))?;
    let rules = site.our_rules_of(Family::V6)?;
    same(&rules.is_empty(), &false, "no rules")?;
    site.stranger(&rules.into_iter().map(Op::DeleteRule).collect::<Vec<_>>())?;
    becomes("what is ours", &before, || site.ours(Family::V6))?;
    // His in the place of ours.
    let his = site.route(Prefix::default_route(Family::V6), 0, 1, STATIC)?;
    site.stranger(&[Op::PutRoute(Route { table: 7701, ..his }, How::Replace)])?;
    becomes("what is ours", &before, || site.ours(Family::V6))?;
    remains("what is ours", Duration::from_millis(500), || site.ours(Family::V6))?;
    site.wait_for_family("ipv6", "fallback", "wan1").map(drop)
}

fn taken_over() -> Result<(), Failed> {
    let mut site = settled(&["--foreign-defaults=replace"])?;
    let his = "default via 2001:db8:2::1 dev wan1 proto dhcp metric 7".to_owned();
    let main = defaults(Family::V6, false);
    for _ in 0..2 {
        site.stranger(&[add(&site.route(Prefix::default_route(Family::V6), 1, 7, DHCP)?)])?;
        becomes("main table", &main, || site.defaults(Family::V6))?;
        becomes(
            "shelf",
            &vec!["default via 2001:db8:2::1 dev wan1 table 7701 proto dhcp metric 1000007".to_owned()],
            || site.shelf(Family::V6, 7701),
        )?;
    }
    remains("main table", Duration::from_millis(500), || site.defaults(Family::V6))?;
    site.kill();
    let output = site.command(&["cleanup"])?;
    same(&output.status.code(), &Some(0), "exit code of cleanup")?;
    same(&site.defaults(Family::V6)?, &vec![his], "main table")?;
    same(&site.ours(Family::V6)?, &vec![], "what is ours")
}
