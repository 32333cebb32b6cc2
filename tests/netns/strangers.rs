//! Strangers who change what is ours, and what is theirs.

use super::Case;
use super::expect::{becomes, remains, same, within};
use super::hands::{DHCP, STATIC, add, network, rule};
use super::site::{LONG_WINDOW, Site};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::{How, MAIN_TABLE, Op, Route, Rule};
use uplinkd::lab::clock::now;

pub(super) const CASES: &[Case] = &[
    ("a_stranger_deletes_each_of_our_routes_and_each_comes_back", routes_deleted),
    ("a_stranger_deletes_each_of_our_rules_and_each_comes_back", rules_deleted),
    ("a_stranger_deletes_everything_of_ours_at_once_and_all_comes_back", everything_deleted),
    ("a_stranger_deletes_the_promoted_route_and_traffic_hardly_notices", promoted_deleted),
    ("a_stranger_replaces_our_default_route_and_ours_comes_back_in_front", replaced),
    ("a_stranger_replaces_our_rules_by_his_own_and_ours_come_back", rules_replaced),
    ("a_stranger_duplicates_our_routes_and_rules_and_nothing_is_fought_over", duplicated),
    ("what_a_stranger_puts_into_our_tables_goes", junk),
    ("a_war_over_a_route_is_slowed_down_and_won", war),
    ("what_is_not_ours_is_left_alone_through_a_failover_and_an_end", left_alone),
];

/// Undoing a stranger's edit may be put off for a moment, so that two daemons do not fight at full speed.
const AT_ONCE: Duration = Duration::from_millis(300);

fn routes_deleted() -> Result<(), Failed> {
    let site = Site::fallen(&[LONG_WINDOW])?;
    let before = site.ours(Family::V4)?;
    let routes = site.our_routes()?;
    // Three default routes in main; a default, a last resort and a note in each table.
    same(&routes.len(), &9, "routes of ours")?;
    for route in routes {
        // The one who keeps deleting is answered ever more slowly; this one pauses.
        site.stranger(&[Op::DeleteRoute(route.clone())])?;
        becomes("what is ours", &before, || site.ours(Family::V4))?;
    }
    site.wait_for("fallback", "wan1").map(drop)
}

fn rules_deleted() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let before = site.ours(Family::V4)?;
    let rules = site.our_rules()?;
    // Specific routes of main first, then by device and by address of each uplink.
    same(&rules.len(), &5, "rules of ours")?;
    for rule in rules {
        site.stranger(&[Op::DeleteRule(rule.clone())])?;
        becomes("what is ours", &before, || site.ours(Family::V4))?;
    }
    site.wait_for("primary", "wan0").map(drop)
}

fn everything_deleted() -> Result<(), Failed> {
    let site = Site::fallen(&[LONG_WINDOW])?;
    let before = site.ours(Family::V4)?;
    let begin = now();
    let mut ops: Vec<Op> = site.our_routes()?.into_iter().map(Op::DeleteRoute).collect();
    ops.extend(site.our_rules()?.into_iter().map(Op::DeleteRule));
    site.stranger(&ops)?;
    becomes("what is ours", &before, || site.ours(Family::V4))?;
    within(&begin.elapsed(), Duration::ZERO..=Duration::from_secs(1), "time to put everything back")?;
    site.stays("wan1", Duration::from_millis(500))
}

fn promoted_deleted() -> Result<(), Failed> {
    let site = Site::fallen(&[LONG_WINDOW])?;
    let traffic = Traffic::start(&site)?;
    let promoted = site.our_routes()?.into_iter().find(|route| route.metric == 5);
    let begin = traffic.mark();
    site.stranger(&[Op::DeleteRoute(promoted.ok_or("no promoted route")?)])?;
    becomes("main table", &3, || Ok(site.defaults(Family::V4)?.len()))?;
    traffic.gap_at_most(begin, AT_ONCE, "the promoted route was deleted").map(drop)
}

fn replaced() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let traffic = Traffic::start(&site)?;
    let (begin, theirs) = (traffic.mark(), site.default_by(1, 10, STATIC)?);
    site.stranger(&[Op::PutRoute(theirs.clone(), How::Replace)])?;
    let mut main = vec![
        "default via 192.0.2.1 dev wan0 proto 117 metric 10".to_owned(),
        "default via 198.51.100.1 dev wan1 proto static metric 10".to_owned(),
        "default via 198.51.100.1 dev wan1 proto 117 metric 20".to_owned(),
    ];
    becomes("ours before his", &main, || site.defaults(Family::V4))?;
    remains("main table", Duration::from_secs(1), || site.defaults(Family::V4))?;
    site.stranger(&[Op::DeleteRoute(theirs)])?;
    main.remove(1);
    becomes("without his", &main, || site.defaults(Family::V4))?;
    // Both lines work: whichever way traffic went, nothing was lost.
    traffic.lost_nothing(begin, "a replaced default route")
}

fn rules_replaced() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let before = site.our_rules()?;
    for ours in &before {
        let theirs = Rule { protocol: STATIC, ..ours.clone() };
        site.stranger(&[Op::DeleteRule(ours.clone()), Op::AddRule(theirs)])?;
        becomes("our rules", &before, || site.our_rules())?;
    }
    site.wait_for("primary", "wan0")?;
    site.stays("wan0", Duration::from_millis(500))
}

fn duplicated() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let before = site.ours(Family::V4)?;
    let traffic = Traffic::start(&site)?;
    let begin = traffic.mark();
    let main = site.our_routes()?.into_iter().filter(|route| route.table == MAIN_TABLE);
    let twin = |route| Op::PutRoute(Route { protocol: DHCP, ..route }, How::Prepend);
    site.stranger(&main.map(twin).collect::<Vec<_>>())?;
    same(&site.defaults(Family::V4)?.len(), &4, "each default route twice")?;
    remains("what is ours", Duration::from_secs(1), || site.ours(Family::V4))?;
    let status = site.status()?;
    same(&status["families"]["ipv4"]["reasserted"].as_u64(), &Some(0), "nothing had to be put back")?;
    // The same in our own tables: there it goes, for nobody else has business there.
    let tables = site.our_routes()?.into_iter().filter(|route| route.table == 7700 && route.is_unicast());
    site.stranger(&tables.map(twin).collect::<Vec<_>>())?;
    becomes("what is ours", &before, || site.ours(Family::V4))?;
    remains("what is ours", Duration::from_millis(500), || site.ours(Family::V4))?;
    traffic.lost_nothing(begin, "duplicates")
}

fn junk() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let before = site.ours(Family::V4)?;
    // Ways around the uplinks that these tables are about.
    let around = Route { table: 7700, ..site.route(network(113), 1, 0, STATIC)? };
    let better = Route { table: 7701, ..site.default_by(0, 0, STATIC)? };
    site.stranger(&[add(&around), add(&better)])?;
    becomes("what is ours", &before, || site.ours(Family::V4))?;
    let evicted = site.log().matches("removed somebody's route").count();
    same(&evicted, &2, "routes of his that were named")?;
    let mine = rule(7850, 7701, 117);
    site.stranger(&[Op::AddRule(mine)])?;
    becomes("what is ours", &before, || site.ours(Family::V4))?;
    remains("what is ours", Duration::from_millis(500), || site.ours(Family::V4)).map(drop)
}

fn war() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let ours = site.our_routes()?.into_iter().find(|route| (route.table, route.metric) == (MAIN_TABLE, 10));
    let ours = ours.ok_or("no default route of ours")?;
    let before = site.ours(Family::V4)?;
    let (begin, mut deleted) = (now(), 0);
    while begin.elapsed() < Duration::from_secs(3) {
        // Refused while it is not there.
        deleted += u64::from(site.stranger(&[Op::DeleteRoute(ours.clone())]).is_ok());
        std::thread::sleep(Duration::from_millis(10));
    }
    // Two at once, then after 50, 100, 200, 400, 800 and 1600 ms.
    within(&deleted, 3..=8, "how often it was there to be deleted in three seconds")?;
    becomes("what is ours", &before, || site.ours(Family::V4))
}

fn left_alone() -> Result<(), Failed> {
    let mut site = Site::settled(&["--stable-window=0s", "--on-exit=remove"])?;
    let theirs = [
        site.route(network(114), 0, 0, STATIC)?,
        site.route(network(115), 1, 117, DHCP)?,
        site.default_by(1, 500, STATIC)?,
        Route { table: 7000, ..site.default_by(1, 0, STATIC)? },
        Route { table: 7800, ..site.default_by(0, 0, 117)? },
    ];
    // Before, between and after ours; one with our protocol outside our priorities.
    let rules =
        [rule(100, 7000, STATIC), rule(7750, 7000, STATIC), rule(8000, 7000, STATIC), rule(8001, 7000, 117)];
    let mut ops: Vec<Op> = theirs.iter().map(add).collect();
    ops.extend(rules.iter().cloned().map(Op::AddRule));
    site.stranger(&ops)?;
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    site.blackhole(0, false)?;
    site.wait_for("primary", "wan0")?;
    site.terminate()?;
    same(
        &site.defaults(Family::V4)?,
        &vec!["default via 198.51.100.1 dev wan1 proto static metric 500".to_owned()],
        "main",
    )?;
    let kept: Vec<String> =
        site.rules(Family::V4)?.into_iter().filter(|rule| rule.contains("7000")).collect();
    same(&kept, &rules.iter().map(Rule::words).collect::<Vec<_>>(), "his rules")?;
    // All of his routes are still there to be deleted.
    site.stranger(&theirs.map(Op::DeleteRoute))
}
