//! What the commands say, what they leave alone, and how they end.

use super::Case;
use super::expect::{remains, same, within};
use super::hands::{DHCP, STATIC, add, network, rule};
use super::site::{LONG_WINDOW, Site};
use super::traffic::Traffic;
use super::{powerless, site};
use libtest_mimic::Failed;
use netlink_packet_core::NLM_F_CREATE;
use nix::sys::signal::Signal;
use std::os::unix::net::UnixStream;
use std::process::Output;
use std::time::Duration;
use uplinkd::engine::Family;
use uplinkd::engine::route::Op;
use uplinkd::kernel::encode;
use uplinkd::kernel::socket::Requests;
use uplinkd::lab::World;
use uplinkd::lab::clock::now;

pub(super) const CASES: &[Case] = &[
    ("plan_prints_what_would_be_done_and_changes_nothing", plan),
    ("cleanup_after_a_crash_removes_what_is_ours_and_only_that", cleanup),
    ("cleanup_finds_the_twin_of_a_rule_too", twins),
    ("cleanup_is_refused_while_the_daemon_runs", cleanup_refused),
    ("a_second_daemon_in_the_same_namespace_is_refused", second_daemon),
    ("a_second_daemon_in_another_namespace_is_welcome", other_namespace),
    ("without_capabilities_nothing_is_done_and_the_code_is_three", powerless),
    ("nonsense_in_the_flags_is_reported_all_at_once_and_nothing_is_touched", nonsense),
    ("status_names_an_uplink_that_is_not_ready_in_any_family", unready),
    ("a_daemon_that_does_not_answer_is_not_reachable", stopped),
    ("silent_clients_keep_nobody_waiting", silent_clients),
    ("status_tells_and_without_a_daemon_its_code_is_four", status),
];

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The command ended with this code.
fn ended(output: &Output, code: i32) -> Result<(), Failed> {
    same(&output.status.code(), &Some(code), &format!("exit code\n{}\n{}", stdout(output), stderr(output)))
}

/// All of these are in the text.
fn says(text: &str, all: &[&str]) -> Result<(), Failed> {
    match all.iter().find(|words| !text.contains(**words)) {
        None => Ok(()),
        Some(missing) => Err(format!("`{missing}` is missing in:\n{text}").into()),
    }
}

fn plan() -> Result<(), Failed> {
    let mut site = Site::idle(World::builder().build()?, &[])?;
    site.stranger(&[add(&site.default_by(1, 100, DHCP)?)])?;
    let before = site.everything()?;
    let plan = |site: &Site| site.command(&[&["plan"][..], &site.arguments()].concat());
    let output = plan(&site)?;
    ended(&output, 0)?;
    let text = stdout(&output);
    let (start, proven) = text.split_once("When the uplinks").ok_or("the plan has one part")?;
    says(
        start,
        &[
            "ip route add default via 192.0.2.1 dev wan0 table 7700 proto 117 metric 1",
            "ip route add prohibit default table 7701 proto 117 metric 9999",
            "ip rule add priority 7701 from all oif wan0 lookup 7700 proto 117",
        ],
    )?;
    // Somebody's default route is there: ours wait for evidence.
    same(&start.contains("dev wan0 proto 117 metric 10"), &false, "an unproven route beside somebody's")?;
    says(proven, &["ip route add default via 192.0.2.1 dev wan0 proto 117 metric 10"])?;
    same(&site.everything()?, &before, "what the kernel has")?;
    // The daemon does just that: then there is nothing left to do.
    site.start()?;
    let site = site.rested()?;
    let output = plan(&site)?;
    ended(&output, 0)?;
    same(&stdout(&output).matches("nothing to do").count(), &2, "parts with nothing to do")?;
    same(&stdout(&output).contains("ip route "), &false, "operations")
}

fn cleanup() -> Result<(), Failed> {
    let mut site = Site::idle(World::builder().build()?, &["--foreign-defaults=replace"])?;
    let theirs = [
        site.route(network(114), 0, 0, STATIC)?,
        site.default_by(0, 1, DHCP)?,
        site.default_by(1, 500, STATIC)?,
        uplinkd::engine::route::Route { table: 7000, ..site.default_by(1, 0, STATIC)? },
    ];
    let mut ops: Vec<Op> = theirs.iter().map(add).collect();
    ops.extend([rule(100, 7000, STATIC), rule(7750, 7000, STATIC), rule(8001, 7000, 117)].map(Op::AddRule));
    site.stranger(&ops)?;
    let before = site.everything()?;
    site.start()?;
    let mut site = site.rested()?;
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    site.kill();
    let ours = site.everything()?;
    // To look first costs nothing.
    let output = site.command(&["cleanup", "--dry-run"])?;
    ended(&output, 0)?;
    says(&stdout(&output), &["ip route del default via 198.51.100.1 dev wan1 proto 117 metric 5"])?;
    same(&site.everything()?, &ours, "after --dry-run")?;
    let printed = stdout(&output);
    let output = site.command(&["cleanup"])?;
    ended(&output, 0)?;
    same(&stdout(&output), &printed, "what was done, and what was to be done")?;
    same(&site.everything()?, &before, "after cleanup")?;
    let output = site.command(&["cleanup"])?;
    ended(&output, 0)?;
    says(&stdout(&output), &["nothing of ours is here"])
}

/// Who leaves out NLM_F_EXCL gets the same rule twice.
fn twins() -> Result<(), Failed> {
    let mut site = Site::settled(&[])?;
    let rules = site.our_rules()?;
    site.kill();
    let again: Vec<_> =
        rules.iter().map(|rule| (encode::request(&Op::AddRule(rule.clone())).0, NLM_F_CREATE)).collect();
    let outcomes = site.world.router().run(|| Requests::open()?.transact(again))??;
    same(&outcomes.iter().all(Result::is_ok), &true, "the kernel takes twins")?;
    same(&site.our_rules()?.len(), &(2 * rules.len()), "rules of ours")?;
    ended(&site.command(&["cleanup"])?, 0)?;
    same(&site.ours(Family::V4)?, &vec![], "what is left of ours")
}

fn cleanup_refused() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let before = site.everything()?;
    let output = site.command(&["cleanup"])?;
    ended(&output, 1)?;
    says(&stderr(&output), &["another uplinkd already manages table 7700"])?;
    same(&site.everything()?, &before, "what the kernel has")
}

fn second_daemon() -> Result<(), Failed> {
    let site = Site::fallen(&[LONG_WINDOW])?;
    let mut ears = site.listen()?;
    let socket = site.socket().with_file_name("other.sock").display().to_string();
    let begin = now();
    let arguments = [&["run"][..], &site.arguments(), &["--control-socket", &socket]].concat();
    let output = site.command(&arguments)?;
    ended(&output, 1)?;
    within(&begin.elapsed(), Duration::ZERO..=Duration::from_secs(2), "time to refuse")?;
    says(&stderr(&output), &["another uplinkd already manages table 7700"])?;
    site.stays("wan1", Duration::from_millis(300))?;
    same(&ears.heard()?, &vec![], "changes of routes and rules")
}

fn other_namespace() -> Result<(), Failed> {
    let (first, second) = (Site::settled(&[LONG_WINDOW])?, Site::settled(&[LONG_WINDOW])?);
    let traffic = Traffic::start(&second)?;
    let begin = traffic.mark();
    first.blackhole(0, true)?;
    first.wait_for("fallback", "wan1")?;
    second.stays("wan0", Duration::from_millis(300))?;
    traffic.lost_nothing(begin, "beside another daemon")
}

fn powerless() -> Result<(), Failed> {
    let site = Site::idle(World::builder().build()?, &[])?;
    let before = site.everything()?;
    for arguments in [[&["run"][..], &site.arguments()].concat(), vec!["cleanup"]] {
        let output = site.output(powerless::command(&arguments)?)?;
        ended(&output, 3)?;
        says(&stderr(&output), &["CAP_NET_ADMIN", "CAP_NET_RAW", "help:"])?;
    }
    same(&site.everything()?, &before, "what the kernel has")
}

fn nonsense() -> Result<(), Failed> {
    let site = Site::idle(World::builder().build()?, &[])?;
    let before = site.everything()?;
    let socket = site.socket().display().to_string();
    let wrong = [
        "run",
        "--primary-interface=wan0",
        "--secondary-interface=wan0",
        "--primary-gateway=192.0.2.999",
        "--ping-target=nowhere",
        "--interval=banana",
        "--fall=0",
        "--stable-window=-3",
        "--profile=hasty",
        "--on-exit=explode",
        "--control-socket",
        &socket,
    ];
    let output = site.command(&wrong)?;
    ended(&output, 2)?;
    let named = [
        "--secondary-interface",
        "--primary-gateway",
        "--ping-target",
        "--interval",
        "--fall",
        "--stable-window",
        "--profile",
        "--on-exit",
    ];
    says(&stderr(&output), &named)?;
    for arguments in
        [&["run", "--no-such-flag"][..], &["run", "--primary-interface=wan0"], &["run", "-c", "/nowhere"]]
    {
        let output = site.command(arguments)?;
        ended(&output, 2)?;
        same(&stderr(&output).is_empty(), &false, "silence")?;
    }
    same(&site.socket().exists(), &false, "a socket was made")?;
    same(&site.everything()?, &before, "what the kernel has")
}

fn status() -> Result<(), Failed> {
    let mut site = Site::fallen(&[LONG_WINDOW])?;
    let socket = site.socket().display().to_string();
    let output = site.command(&["status", "--control-socket", &socket])?;
    ended(&output, 0)?;
    says(
        &stdout(&output),
        &["ipv4: fallback on wan1 (waiting)", "wan0 (wan0, ipv4): down", "wan1 (wan1, ipv4): healthy"],
    )?;
    let output = site.command(&["status", "--json", "--control-socket", &socket])?;
    ended(&output, 0)?;
    let json: serde_json::Value = serde_json::from_str(&stdout(&output))?;
    same(
        &(json["version"].as_u64(), json["families"]["ipv4"]["active"].as_str()),
        &(Some(1), Some("wan1")),
        "JSON",
    )?;
    // One who was killed leaves his socket behind; one who ended does not.
    for end in [Site::kill, |site: &mut Site| drop(site.terminate())] {
        end(&mut site);
        let output = site.command(&["status", "--control-socket", &socket])?;
        ended(&output, 4)?;
        says(&stderr(&output), &[&socket])?;
        site.start()?;
        site.wait_for("fallback", "wan1")?;
    }
    remains("still there", site::PATIENCE / 30, || Ok(site.status()?["families"]["ipv4"]["active"].clone()))
        .map(drop)
}

fn unready() -> Result<(), Failed> {
    let both = ["--ping-target=203.0.113.1", "--ping-target=2001:db8:113::1", LONG_WINDOW];
    let site = Site::settled(&both)?;
    site.wait_for_family("ipv6", "primary", "wan0")?;
    site.world.cut(0)?;
    site.wait_for_family("ipv6", "fallback", "wan1")?;
    let socket = site.socket().display().to_string();
    let output = site.command(&["status", "--control-socket", &socket])?;
    ended(&output, 0)?;
    says(&stdout(&output), &["wan0 (wan0, ipv6): unready, no carrier", "wan1 (wan1, ipv6): healthy"])
}

fn stopped() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    site.signal(Signal::SIGSTOP)?;
    let socket = site.socket().display().to_string();
    let output = site.command(&["status", "--control-socket", &socket])?;
    site.signal(Signal::SIGCONT)?;
    ended(&output, 4)?;
    says(&stderr(&output), &["did not answer within 5 s", "help:"])?;
    site.wait_for("primary", "wan0").map(drop)
}

fn silent_clients() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let crowd: Vec<UnixStream> =
        (0..64).map(|_| UnixStream::connect(site.socket())).collect::<Result<_, _>>()?;
    let begin = now();
    site.status()?;
    within(&begin.elapsed(), Duration::ZERO..=Duration::from_secs(4), "time to an answer")?;
    drop(crowd);
    Ok(())
}
