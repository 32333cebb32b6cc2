//! What `check` finds, and that it is not always content.

use super::Case;
use super::expect::same;
use super::hands::{DHCP, STATIC, add, rule};
use super::site::{LONG_WINDOW, Site};
use libtest_mimic::Failed;
use serde_json::Value;
use uplinkd::engine::route::Op;
use uplinkd::lab::World;

pub(super) const CASES: &[Case] = &[
    ("check_finds_nothing_wrong_with_a_daemon_that_works", content),
    ("check_names_what_is_in_the_way_all_at_once_with_remedies", findings),
    ("check_finds_an_uplink_whose_targets_are_silent", silent),
    ("check_without_capabilities_ends_with_one", powerless),
];

/// The exit code, and the findings that are not `ok`, as `level: found`.
fn check(site: &Site) -> Result<(Option<i32>, Vec<String>), Failed> {
    let output = site.command(&[&["check", "--json"][..], &site.arguments()].concat())?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    let findings = answer["findings"].as_array().ok_or("no findings at all")?;
    let mut bad = vec![];
    for finding in findings.iter().filter(|finding| finding["level"] != "ok") {
        let remedy = finding["remedy"].as_str().unwrap_or("");
        if remedy.is_empty() {
            return Err(format!("no remedy: {finding}").into());
        }
        bad.push(format!(
            "{}: {}",
            finding["level"].as_str().unwrap_or(""),
            finding["found"].as_str().unwrap_or("")
        ));
    }
    Ok((output.status.code(), bad))
}

/// Findings about the machine that the tests run on, not about the site.
fn of_the_site(findings: Vec<String>) -> Vec<String> {
    let host = ["systemd-networkd", "NetworkManager", "kernel: Linux"];
    findings.into_iter().filter(|finding| !host.iter().any(|words| finding.contains(words))).collect()
}

fn content() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let (code, bad) = check(&site)?;
    same(&code, &Some(0), "exit code")?;
    same(&of_the_site(bad), &vec![], "findings")
}

fn findings() -> Result<(), Failed> {
    let world = World::builder().build()?;
    world.remove(1)?;
    let site = Site::with(world, &[LONG_WINDOW])?;
    site.wait_for_health(0, "healthy")?;
    site.world.router().set("ipv4/conf/wan0/rp_filter", "1")?;
    site.stranger(&[add(&site.default_by(0, 0, DHCP)?), Op::AddRule(rule(7750, 7000, STATIC))])?;
    let (code, bad) = check(&site)?;
    same(&code, &Some(0), "warnings only")?;
    let expected = [
        "warning: wan1 (wan1): no such interface",
        "warning: somebody's default route outranks ours: default via 192.0.2.1 dev wan0 proto dhcp",
        "warning: wan0: rp_filter is strict on wan0",
        "warning: somebody's rule is among ours: priority 7750 from all lookup 7000 proto static",
    ];
    let bad = of_the_site(bad);
    let missing: Vec<&str> =
        expected.into_iter().filter(|line| !bad.iter().any(|found| found == line)).collect();
    same(&missing, &vec![], &format!("missing among {bad:#?}"))
}

fn silent() -> Result<(), Failed> {
    let site = Site::settled(&[LONG_WINDOW])?;
    site.blackhole(1, true)?;
    let (code, bad) = check(&site)?;
    same(&code, &Some(0), "exit code")?;
    same(
        &of_the_site(bad),
        &vec![
            "warning: wan1: 3 of 3 targets do not answer: 203.0.113.1, 203.0.113.2, 203.0.113.3".to_owned(),
        ],
        "findings",
    )
}

fn powerless() -> Result<(), Failed> {
    let site = Site::settled(&[])?;
    let arguments = [&["check", "--json"][..], &site.arguments()].concat();
    let output = site.output(super::powerless::command(&arguments)?)?;
    same(&output.status.code(), &Some(1), "exit code")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for capability in ["CAP_NET_ADMIN", "CAP_NET_RAW"] {
        if !text.contains(capability) {
            return Err(format!("{capability} is not named: {text}").into());
        }
    }
    Ok(())
}
