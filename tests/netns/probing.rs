//! What counts as an answer, and which way questions leave.

use super::Case;
use super::expect::{remains, same, within};
use super::hands::{STATIC, add, network};
use super::site::{DETECTION, LONG_WINDOW, PATIENT, Site, path};
use super::traffic::Traffic;
use libtest_mimic::Failed;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use uplinkd::lab::{Complaint, Forgery, World};

pub(super) const CASES: &[Case] = &[
    ("forged_and_truncated_answers_do_not_keep_a_dead_line_alive", forged),
    ("forged_answers_beside_the_true_ones_do_no_harm", forged_beside),
    ("answers_that_come_too_late_do_not_keep_a_dead_line_alive", late),
    ("duplicated_answers_move_nothing", duplicated),
    ("a_delay_that_varies_and_packets_out_of_order_move_nothing", unsteady),
    ("probes_leave_by_their_own_uplink_even_when_the_main_table_points_elsewhere", own_uplink),
    ("a_thousand_targets_are_asked_in_bursts_and_none_is_lost_on_the_way", thousand),
    ("a_router_that_complains_makes_failure_faster_than_silence", complaints),
];

/// Everything but a true answer in time.
const FORGERIES: [Forgery; 5] =
    [Forgery::Payload, Forgery::Source, Forgery::Sequence, Forgery::Identifier, Forgery::Truncated];

fn forged() -> Result<(), Failed> {
    let site = Site::settled(&[LONG_WINDOW])?;
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.world.change(0, |line| {
        line.forgeries = FORGERIES.to_vec();
        line.genuine = false;
    })?;
    site.wait_for("fallback", "wan1")?;
    site.wait_for_health(0, "down")?;
    // They do not bring it back to life either. Datagrams were answered by that line all the time.
    remains("health", Duration::from_secs(1), || Ok(path(&site.status()?, 0)["health"].clone()))?;
    traffic.lost_nothing(dead, "a move between lines that work")
}

fn forged_beside() -> Result<(), Failed> {
    let site = Site::settled(&[PATIENT])?;
    site.world.change(0, |line| line.forgeries = FORGERIES.to_vec())?;
    site.world.reset_tallies();
    site.stays("wan0", Duration::from_secs(2))?;
    // The forger had his chances.
    within(&site.world.seen(0)?.echoes_to(World::target(1)), 10..=u64::MAX, "questions")?;
    let status = site.status()?;
    let odd = ["duplicate_answers", "late_answers", "consecutive_failures"];
    same(&odd.map(|key| path(&status, 0)[key].as_u64()), &[Some(0); 3], "counts")?;
    same(&path(&status, 0)["loss_percent"].as_f64(), &Some(0.0), "loss")
}

fn late() -> Result<(), Failed> {
    let site = Site::settled(&[LONG_WINDOW])?;
    site.world.change(0, |line| {
        line.forgeries = vec![Forgery::Late(Duration::from_millis(900))];
        line.genuine = false;
    })?;
    site.wait_for("fallback", "wan1")?;
    site.wait_for_health(0, "down")?;
    site.wait("late answers", |status| path(status, 0)["late_answers"].as_u64() > Some(5))?;
    remains("health", Duration::from_secs(1), || Ok(path(&site.status()?, 0)["health"].clone())).map(drop)
}

fn duplicated() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    site.world.change_all(|line| {
        line.both(|path| (path.to_internet.duplicate, path.from_internet.duplicate) = (1.0, 1.0));
    });
    site.wait("duplicates", |status| path(status, 0)["duplicate_answers"].as_u64() > Some(30))?;
    site.stays("wan0", Duration::from_secs(1))?;
    let status = site.status()?;
    same(&path(&status, 0)["health"], &"healthy".into(), "health")?;
    same(&path(&status, 0)["loss_percent"].as_f64(), &Some(0.0), "loss")
}

fn unsteady() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    site.world.change_all(|line| {
        line.both(|path| {
            for weather in [&mut path.to_internet, &mut path.from_internet] {
                (weather.delay, weather.jitter) = (Duration::from_millis(10), Duration::from_millis(60));
                weather.reorder = 0.3;
            }
        });
    });
    site.stays("wan0", Duration::from_secs(3))?;
    let status = site.status()?;
    same(
        &[0, 1].map(|uplink| path(&status, uplink)["health"].clone()),
        &["healthy".into(), "healthy".into()],
        "health",
    )?;
    within(&path(&status, 0)["rtt_ms"].as_f64().unwrap_or_default(), 20.0..=150.0, "delay")
}

fn own_uplink() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    // A default route before ours, and the targets' own network, both by the backup.
    site.stranger(&[add(&site.default_by(1, 1, STATIC)?), add(&site.route(network(113), 1, 0, STATIC)?)])?;
    site.world.reset_tallies();
    let traffic = Traffic::start(&site)?;
    site.stays("wan0", Duration::from_secs(2))?;
    site.wait_for_health(0, "healthy")?;
    let client = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 2));
    let own = [Ipv4Addr::new(192, 0, 2, 10), Ipv4Addr::new(198, 51, 100, 10)].map(IpAddr::V4);
    let seen = [site.world.seen(0)?, site.world.seen(1)?];
    let sources = seen.clone().map(|tally| tally.sources.into_keys().collect::<Vec<_>>());
    // The client goes where the main table points; the primary's line is asked all the same.
    same(&sources, &[vec![own[0]], vec![client, own[1]]], "who was seen on each line")?;
    for tally in &seen {
        for target in 1..=3 {
            within(&tally.echoes_to(World::target(target)), 10..=u64::MAX, "questions")?;
        }
    }
    drop(traffic);
    // And when that line dies, this is seen, although nothing but probes uses it.
    site.blackhole(0, true)?;
    site.wait_for_health(0, "down").map(drop)
}

fn complaints() -> Result<(), Failed> {
    let flags = &["--interval=300ms", "--confirm-interval=100ms", "--timeout=3s", LONG_WINDOW];
    let site = Site::settled(flags)?;
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.world.change(0, |line| line.complaint = Some(Complaint::HostUnreachable))?;
    let status = site.wait_for("fallback", "wan1")?;
    // Silence alone would have taken more than three seconds.
    traffic.gap_at_most(dead, DETECTION, "a complaint")?;
    same(
        &path(&status, 0)["targets"][0]["complaint"],
        &"192.0.2.1 says it cannot be reached".into(),
        "the complaint in the status",
    )?;
    for complaint in [Complaint::NoRoute, Complaint::Prohibited, Complaint::TimeExceeded] {
        site.world.change(0, |line| line.complaint = None)?;
        let status = site.wait_for_health(0, "healthy")?;
        same(&path(&status, 0)["targets"][0]["complaint"], &serde_json::Value::Null, "no complaint")?;
        let begin = traffic.mark();
        site.world.change(0, |line| line.complaint = Some(complaint))?;
        site.wait_for_health(0, "down")?;
        let took = begin.elapsed();
        within(&took, Duration::ZERO..=Duration::from_millis(1500), &format!("{complaint:?}"))?;
    }
    Ok(())
}

const THOUSAND: &str = r#"
[[uplink]]
interface = "wan0"
gateway6 = "2001:db8:1::1"
[[uplink]]
interface = "wan1"
gateway6 = "2001:db8:2::1"
[probe]
interval = "500ms"
standby_interval = "500ms"
confirm_interval = "500ms"
timeout = "2s"
quorum = 990
"#;

/// With a quorum of nearly all, what our own bursts push out of a queue would be an outage.
fn thousand() -> Result<(), Failed> {
    let targets: Vec<String> =
        (1..=1000).map(|number| format!("{:?}", World::target_v6(number).to_string())).collect();
    let site = Site::configured(&format!("{THOUSAND}targets = [{}]", targets.join(", ")))?;
    let both = |status: &Value, health: &str| {
        [0, 1].iter().all(|uplink| status["uplinks"][uplink]["families"]["ipv6"]["health"] == health)
    };
    site.wait("both healthy", |status| both(status, "healthy"))?;
    site.world.reset_tallies();
    std::thread::sleep(Duration::from_secs(3));
    let status = site.status()?;
    same(&both(&status, "healthy"), &true, "still healthy")?;
    let path = &status["uplinks"][0]["families"]["ipv6"];
    same(&path["loss_percent"].as_f64(), &Some(0.0), "loss")?;
    let asked =
        [1, 500, 1000].map(|number| site.world.seen(0).map(|seen| seen.echoes_to(World::target_v6(number))));
    for count in asked {
        within(&count?, 3..=u64::MAX, "questions to one of them")?;
    }
    site.blackhole(0, true)?;
    site.wait("down", |status| status["uplinks"][0]["families"]["ipv6"]["health"] == "down").map(drop)
}
