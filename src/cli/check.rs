//! `uplinkd check`

use super::pretend::Pretence;
use super::print::{Style, print_line};
use super::{Failure, Outcome, Which};
use crate::config::Config;
use crate::daemon::privileges;
use crate::engine::inventory::Readiness;
use crate::engine::report::Notice;
use crate::engine::settings::Settings;
use crate::engine::{Family, plan};
use crate::kernel::Kernel;
use clap::Args;
use serde::Serialize;
use std::net::IpAddr;
use std::path::Path;

mod probing;

/// Public resolvers that ask not to be pinged fifty times a second.
const PUBLIC: [&str; 6] =
    ["1.1.1.1", "8.8.8.8", "9.9.9.9", "2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::9"];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// A person should look; the daemon would work.
    Warning,
    /// The daemon would not do its work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    /// What was found.
    found: String,
    /// What to do about it.
    remedy: Option<String>,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, found: impl Into<String>) {
        self.0.push(Finding { level: Level::Ok, found: found.into(), remedy: None });
    }

    fn warn(&mut self, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { level: Level::Warning, found: found.into(), remedy: Some(remedy.into()) });
    }

    fn error(&mut self, found: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { level: Level::Error, found: found.into(), remedy: Some(remedy.into()) });
    }
}

pub(super) fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let Config { settings, source, .. } = arguments.which.load()?;
    let mut findings = Findings::default();
    findings.ok(format!("configuration ({source}): {} uplinks, nothing wrong", settings.uplinks.len()));
    capabilities(&mut findings);
    targets(&settings, &mut findings);
    kernel(&settings, &mut findings);
    reverse_path_filter(&settings, &mut findings);
    other_writers(&settings, &mut findings);
    let bad = findings.0.iter().any(|finding| finding.level == Level::Error);
    if arguments.json {
        print_line(&serde_json::json!({"version": 1, "ok": !bad, "findings": findings.0}).to_string());
    } else {
        print(&findings);
    }
    Ok(if bad { Outcome::Bad } else { Outcome::Done })
}

fn print(findings: &Findings) {
    let style = Style::stdout();
    for finding in &findings.0 {
        let level = match finding.level {
            Level::Ok => style.green("ok     "),
            Level::Warning => style.yellow("warning"),
            Level::Error => style.red("error  "),
        };
        print_line(&format!("{level} {}", finding.found));
        if let Some(remedy) = &finding.remedy {
            print_line(&format!("        help: {remedy}"));
        }
    }
    let count = |level: Level| findings.0.iter().filter(|finding| finding.level == level).count();
    print_line(&format!("{} errors, {} warnings", count(Level::Error), count(Level::Warning)));
}

fn capabilities(findings: &mut Findings) {
    match privileges::missing() {
        Ok(missing) if missing.is_empty() => {
            findings.ok("privileges: CAP_NET_ADMIN and CAP_NET_RAW are there");
        }
        Ok(missing) => {
            for missing in missing {
                let text = missing.to_string();
                let (found, remedy) = text.split_once("\n  help: ").unwrap_or((&text, ""));
                findings.error(found, remedy);
            }
        }
        Err(error) => findings.warn(format!("privileges: cannot tell ({error})"), "mount /proc"),
    }
}

fn targets(settings: &Settings, findings: &mut Findings) {
    let public: Vec<IpAddr> = PUBLIC.iter().filter_map(|address| address.parse().ok()).collect();
    let quick = settings.probe.interval < std::time::Duration::from_millis(200);
    for uplink in &settings.uplinks {
        if uplink.targets.len() == 1 {
            findings.warn(
                format!("{}: a single target, whose silence would look like an outage", uplink.name),
                "name two or three targets of different operators",
            );
        }
        if quick && uplink.targets.iter().any(|target| public.contains(target)) {
            findings.warn(
                format!(
                    "{}: a public resolver would be probed every {:?}",
                    uplink.name, settings.probe.interval
                ),
                "probe something of your provider's or your own that often, or use profile = \"steady\"",
            );
        }
    }
}

/// Everything that a look at the kernel tells: features, interfaces, gateways, strangers, leaks.
fn kernel(settings: &Settings, findings: &mut Findings) {
    let pretence = match Pretence::start(settings.clone()) {
        Ok(pretence) => pretence,
        Err(error) => {
            findings.error(
                format!("kernel: netlink cannot be used ({error})"),
                "Linux 4.20 or newer with policy routing (CONFIG_IP_MULTIPLE_TABLES) is needed",
            );
            return;
        }
    };
    findings.ok("kernel: strict dumps, policy rules and extended errors work");
    features(settings, &pretence, findings);
    let report = pretence.engine.report(pretence.now());
    for uplink in &report.uplinks {
        let configured = &settings.uplinks[usize::from(uplink.id)];
        let ready: Vec<&str> = uplink
            .families
            .iter()
            .filter(|(_, path)| path.readiness == Readiness::Ready)
            .map(|(family, _)| family.name())
            .collect();
        if !ready.is_empty() {
            findings.ok(format!(
                "{} ({}): ready for {}",
                configured.name,
                configured.interface,
                ready.join(" and ")
            ));
            continue;
        }
        let lacking = uplink.families.first().map_or(Readiness::NoInterface, |(_, path)| path.readiness);
        findings.warn(
            format!("{} ({}): {}", configured.name, configured.interface, lacking.words()),
            remedy(lacking, &configured.interface),
        );
    }
    for family in &report.families {
        for notice in &family.notices {
            strangers_route(notice, findings);
        }
    }
    probing::check(settings, &report, findings);
}

fn remedy(lacking: Readiness, interface: &str) -> String {
    match lacking {
        Readiness::Ready => String::new(),
        Readiness::NoTarget => "name a target of this family".to_owned(),
        Readiness::NoInterface => {
            format!("is `{interface}` spelt right? It may also appear later: it is waited for")
        }
        Readiness::LinkDown => format!("ip link set {interface} up"),
        Readiness::NoCarrier => "is the cable in, the modem on?".to_owned(),
        Readiness::NoAddress => format!("give {interface} an address, or look at its DHCP client"),
        Readiness::NoGateway => {
            "give a gateway; `auto` learns it from a default route that the interface has".to_owned()
        }
        Readiness::GatewayIsOwn => "name the provider's router, not this machine".to_owned(),
        Readiness::GatewayOffLink => {
            format!("compare the gateway with the addresses of {interface} (`ip address`)")
        }
    }
}

fn strangers_route(notice: &Notice, findings: &mut Findings) {
    match notice {
        Notice::Outranked(_, route) => findings.warn(
            format!("somebody's default route outranks ours: {route}"),
            "give its owner (DHCP client, NetworkManager, networkd) a metric above ours, or set \
             foreign_defaults = \"replace\"",
        ),
        Notice::Bypassed(_, route) => findings.warn(
            format!("somebody's default route outranks ours by a way that is no uplink, and takes the traffic: {route}"),
            "remove it, or give it a metric above ours; no setting takes it over",
        ),
        Notice::Untakeable(_, route) => findings.warn(
            format!("somebody's default route outranks ours, and has several ways: {route}"),
            "give it a metric above ours; what has several ways is not taken over",
        ),
        Notice::OwnTarget(_, uplink, target) => findings.error(
            format!("{uplink}: target {target} is an address of this machine: it answers whatever the line does"),
            "name something beyond the line",
        ),
        Notice::Blocked(_, route) => findings.warn(
            format!("somebody's route is where ours should be: {route}"),
            "give the uplink another metric, or remove that route",
        ),
        Notice::Evicted(_, route) => findings.warn(
            format!("somebody's route in a table of ours would be removed: {route}"),
            "put it elsewhere, or give us other tables (first_table)",
        ),
        Notice::Refused(..)
        | Notice::NoEffect(_)
        | Notice::Reasserted(..)
        | Notice::Unreadable(_)
        | Notice::Impossible(_) => {}
    }
}

fn features(settings: &Settings, pretence: &Pretence, findings: &mut Findings) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers =
        release.trim().split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < (6, 9) {
        findings.warn(
            format!(
                "kernel: Linux {} announces a lost carrier of a physical port up to a second late",
                release.trim()
            ),
            "Linux 6.9 or newer looks when it is asked, and is asked",
        );
    }
    let known = settings.uplinks.iter().all(|uplink| pretence.engine.linkdown_is_known(&uplink.interface));
    if settings.routing.kernel_carrier && !known {
        findings.warn(
            "kernel: it does not tell whether it passes over routes without carrier",
            "nothing is lost but the time until the daemon moves the traffic itself",
        );
    }
}

/// A strict reverse path filter drops answers that come in by an uplink which is not the best route.
fn reverse_path_filter(settings: &Settings, findings: &mut Findings) {
    let read = |name: &str| {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u8>().ok()).unwrap_or(0)
    };
    let all = read("all");
    for uplink in &settings.uplinks {
        // The kernel uses the greater of the two.
        if all.max(read(&uplink.interface)) == 1 {
            findings.warn(
                format!("{}: rp_filter is strict on {}", uplink.name, uplink.interface),
                format!(
                    "sysctl -w net.ipv4.conf.{}.rp_filter=2 (loose), and in /etc/sysctl.d",
                    uplink.interface
                ),
            );
        }
    }
}

/// Others who write routes and rules, and things of theirs where ours should be.
fn other_writers(settings: &Settings, findings: &mut Findings) {
    if let Err(error) = privileges::lock(settings) {
        let text = format!("{error:#}");
        let (found, _) = text.split_once(';').unwrap_or((&text, ""));
        findings.ok(format!("{found}: the one that is checked, it seems"));
    }
    if Path::new("/run/systemd/netif/links").is_dir() {
        findings.warn(
            "systemd-networkd runs: it removes rules and routes that it does not know",
            "set ManageForeignRoutingPolicyRules=no and ManageForeignRoutes=no in networkd.conf",
        );
    }
    if Path::new("/run/NetworkManager").is_dir() {
        findings.warn(
            "NetworkManager runs: it may give its default routes metrics below ours",
            "set ipv4.route-metric and ipv6.route-metric above ours on the uplinks' connections",
        );
    }
    let ours = plan::ours(settings);
    let Ok(mut kernel) = Kernel::open_all(settings) else { return };
    for family in Family::ALL {
        let Ok(dump) = kernel.dump(family) else { continue };
        for rule in
            dump.rules.iter().filter(|rule| ours.priorities.contains(&rule.priority) && !ours.owns_rule(rule))
        {
            findings.warn(
                format!("somebody's rule is among ours: {}", rule.words()),
                "set first_priority to a range that is free",
            );
        }
        let names = dump.links.iter().map(|link| (link.index, link.name.clone())).collect();
        for route in dump.routes.iter().filter(|route| {
            ours.tables.contains(&route.table)
                && !plan::is_shelved(route, &ours)
                && route.protocol != ours.protocol
        }) {
            findings.warn(
                format!(
                    "somebody's route is in one of our tables and would be removed: {}",
                    route.words(&names)
                ),
                "set first_table to a range that is free",
            );
        }
    }
}
