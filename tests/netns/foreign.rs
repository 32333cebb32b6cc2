//! A DHCP client and the like, whose default routes outrank ours.

use super::Case;
use super::expect::{becomes, remains, same};
use super::hands::{DHCP, STATIC, add};
use super::site::{DETECTION, LONG_WINDOW, Site};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use serde_json::Value;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::{Hop, Kind, Op, Route};
use uplinkd::lab::World;

pub(super) const CASES: &[Case] = &[
    ("a_dhcp_like_default_that_outranks_ours_is_left_and_named_with_warn", warn),
    ("a_dhcp_like_default_that_outranks_ours_is_taken_over_with_replace", replace),
    ("what_was_taken_over_is_put_back_at_the_end", put_back_at_the_end),
    ("what_was_taken_over_is_put_back_by_cleanup_after_a_crash", put_back_by_cleanup),
    ("a_dhcp_like_default_from_before_is_left_alone_until_there_is_evidence", from_before),
    ("a_default_by_a_way_that_is_no_uplink_is_named", bypass),
    ("a_target_that_is_the_routers_own_address_is_named", own_target),
    ("failover_moves_traffic_away_from_a_default_that_was_taken_over", failover),
];

const HIS: &str = "default via 198.51.100.1 dev wan1 proto dhcp";

fn ours() -> Vec<String> {
    [
        "default via 192.0.2.1 dev wan0 proto 117 metric 10",
        "default via 198.51.100.1 dev wan1 proto 117 metric 20",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn notices(status: &Value) -> Vec<&str> {
    status["families"]["ipv4"]["notices"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn warn() -> Result<(), Failed> {
    let site = Site::settled(&["--foreign-defaults=warn"])?;
    let his = site.default_by(1, 0, DHCP)?;
    site.stranger(&[add(&his)])?;
    let outranked = format!("somebody's default route outranks ours: {HIS}");
    site.wait("the notice", |status| notices(status) == [outranked.as_str()])?;
    let mut main = ours();
    main.insert(0, HIS.to_owned());
    same(&site.defaults(Family::V4)?, &main, "main table")?;
    remains("main table", Duration::from_secs(1), || site.defaults(Family::V4))?;
    site.stranger(&[Op::DeleteRoute(his)])?;
    site.wait("the end of the notice", |status| notices(status).is_empty())?;
    same(&site.defaults(Family::V4)?, &ours(), "main table")
}

fn replace() -> Result<(), Failed> {
    let site = Site::settled(&["--foreign-defaults=replace"])?;
    let traffic = Traffic::start(&site)?;
    let begin = traffic.mark();
    // The lease is renewed: he does it again.
    for _ in 0..3 {
        site.stranger(&[add(&site.default_by(1, 0, DHCP)?)])?;
        becomes("main table", &ours(), || site.defaults(Family::V4))?;
        becomes(
            "shelf",
            &vec![format!("default via 198.51.100.1 dev wan1 table 7701 proto dhcp metric 1000000")],
            || site.shelf(Family::V4, 7701),
        )?;
    }
    remains("main table", Duration::from_secs(1), || site.defaults(Family::V4))?;
    site.wait("no notices", |status| notices(status).is_empty())?;
    traffic.lost_nothing(begin, "taking over")
}

fn put_back_at_the_end() -> Result<(), Failed> {
    let mut site = Site::settled(&["--foreign-defaults=replace", "--on-exit=remove"])?;
    site.stranger(&[add(&site.default_by(1, 0, DHCP)?)])?;
    becomes("main table", &ours(), || site.defaults(Family::V4))?;
    site.terminate()?;
    same(&site.defaults(Family::V4)?, &vec![HIS.to_owned()], "main table")?;
    same(&site.ours(Family::V4)?, &vec![], "what is ours")
}

fn put_back_by_cleanup() -> Result<(), Failed> {
    let mut site = Site::settled(&["--foreign-defaults=replace"])?;
    site.stranger(&[add(&site.default_by(1, 0, DHCP)?)])?;
    becomes("main table", &ours(), || site.defaults(Family::V4))?;
    site.kill();
    // The next life knows what the first took.
    site.start()?;
    let mut site = site.rested()?;
    same(&site.shelf(Family::V4, 7701)?.len(), &1, "routes on the shelf")?;
    site.kill();
    let output = site.command(&["cleanup"])?;
    same(&output.status.code(), &Some(0), "exit code of cleanup")?;
    same(&site.defaults(Family::V4)?, &vec![HIS.to_owned()], "main table")?;
    same(&site.ours(Family::V4)?, &vec![], "what is ours")
}

fn from_before() -> Result<(), Failed> {
    let world = World::builder().build()?;
    world.change_all(|line| line.blackhole(true));
    let mut site = Site::with(world, &[LONG_WINDOW])?;
    site.wait_for_health(0, "down")?;
    site.terminate()?;
    site.command(&["cleanup"])?;
    // Now there is somebody else's default route when the daemon starts.
    site.stranger(&[add(&site.default_by(1, 100, DHCP)?)])?;
    let his = vec![format!("{HIS} metric 100")];
    site.start()?;
    site.wait_for_health(0, "down")?;
    site.wait_for_health(1, "down")?;
    same(&site.defaults(Family::V4)?, &his, "main table without evidence")?;
    remains("main table", Duration::from_millis(500), || site.defaults(Family::V4))?;
    site.blackhole(0, false)?;
    site.wait_for("primary", "wan0")?;
    same(&site.defaults(Family::V4)?, &[ours(), his].concat(), "main table with evidence")
}

fn failover() -> Result<(), Failed> {
    let site = Site::settled(&["--foreign-defaults=replace", LONG_WINDOW])?;
    site.stranger(&[add(&site.default_by(0, 0, DHCP)?)])?;
    becomes("main table", &ours(), || site.defaults(Family::V4))?;
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    site.stranger(&[add(&site.default_by(0, 0, DHCP)?)])?;
    becomes("main table", &3, || Ok(site.defaults(Family::V4)?.len()))?;
    traffic.gap_at_most(dead, DETECTION, "failover").map(drop)
}

/// By an interface that is none of ours, or into nowhere: whatever we decide, traffic takes it.
fn bypass() -> Result<(), Failed> {
    let site = Site::settled(&["--foreign-defaults=replace"])?;
    let lan = site.dump(Family::V4)?.links.iter().find(|link| link.name == "lan0").map(|link| link.index);
    let by =
        |hops, kind| -> Result<Route, Failed> { Ok(Route { hops, kind, ..site.default_by(0, 2, STATIC)? }) };
    let elsewhere = by(vec![Hop { via: None, index: lan.ok_or("no lan0")? }], Kind::Unicast)?;
    // RTN_BLACKHOLE.
    let nowhere = by(vec![], Kind::Other(6))?;
    let text = "somebody's default route outranks ours by another way, and traffic takes it: ";
    for (his, words) in [
        (elsewhere, "default dev lan0 proto static metric 2"),
        (nowhere, "type 6 default proto static metric 2"),
    ] {
        site.stranger(&[add(&his)])?;
        site.wait("the notice", |status| notices(status) == [format!("{text}{words}").as_str()])?;
        let check = site.command(&[&["check"][..], &site.arguments()].concat())?;
        same(&String::from_utf8_lossy(&check.stdout).contains(words), &true, "check names it")?;
        site.stranger(&[Op::DeleteRoute(his)])?;
        site.wait("the end of the notice", |status| notices(status).is_empty())?;
    }
    // One that ranks behind ours is nobody's business.
    site.stranger(&[add(&Route { metric: 11, ..by(vec![], Kind::Other(6))? })])?;
    remains("notices", Duration::from_millis(300), || Ok(notices(&site.status()?).len()))?;
    same(&site.log().matches("by a way that is no uplink").count(), &2, "warnings")
}

fn own_target() -> Result<(), Failed> {
    let own = World::builder().build()?.uplink(0)?.v4.ok_or("no IPv4")?.address;
    let site = Site::settled(&[&format!("--ping-target={own}"), "--ping-target=203.0.113.1"])?;
    let text =
        format!("target {own} of wan0 is an address of this machine: it answers whatever the line does");
    site.wait("the notice", |status| notices(status).contains(&text.as_str()))?;
    let check = site.command(&[&["check"][..], &site.arguments()].concat())?;
    same(&check.status.code(), &Some(1), "exit code of check")
}
