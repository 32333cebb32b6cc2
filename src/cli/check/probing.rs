//! The probe-leak self-test: by which interface would, and did, a probe leave?

use super::Findings;
use crate::engine::Family;
use crate::engine::inventory::Readiness;
use crate::engine::report::Report;
use crate::engine::settings::{Settings, Uplink};
use crate::kernel::Kernel;
use crate::probe::{Ask, Prober, Report as Word};
use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::AsFd as _;

/// How long an answer may take here.
const PATIENCE_MS: u16 = 1000;

/// Asks the kernel where a probe would leave, then sends one to each target and waits for the answers.
pub(super) fn check(settings: &Settings, report: &Report, findings: &mut Findings) {
    let Ok(mut kernel) = Kernel::open(settings) else { return };
    for uplink in &report.uplinks {
        let configured = &settings.uplinks[usize::from(uplink.id)];
        for (family, _) in uplink.families.iter().filter(|(_, path)| path.readiness == Readiness::Ready) {
            let asks: Vec<Ask> = configured
                .targets
                .iter()
                .filter(|target| Family::of(**target) == *family)
                .zip(0..)
                .map(|(address, target)| Ask { target, address: *address })
                .collect();
            let leaks = leaks(&mut kernel, configured, &asks);
            for (address, other) in &leaks {
                findings.error(
                    format!("{}: a probe of {address} would leave by {other}, not by {}", configured.name, configured.interface),
                    "remove the route or rule that leads it there (`ip rule`, `ip route get ADDRESS oif INTERFACE`)",
                );
            }
            if leaks.is_empty() {
                answers(configured, *family, &asks, findings);
            }
        }
    }
}

/// Targets whose probes would leave by another interface, although the socket is bound to the right one.
fn leaks(kernel: &mut Kernel, uplink: &Uplink, asks: &[Ask]) -> Vec<(IpAddr, String)> {
    let Ok(index) = if_nametoindex(uplink.interface.as_str()) else { return vec![] };
    let leaves = |ask: &Ask| Some((ask.address, kernel.leaves_by(ask.address, index).ok()??));
    asks.iter()
        .filter_map(leaves)
        .filter(|(_, by)| *by != index)
        .map(|(address, by)| (address, crate::kernel::interface_name(by)))
        .collect()
}

fn answers(uplink: &Uplink, family: Family, asks: &[Ask], findings: &mut Findings) {
    let name = &uplink.name;
    let (answered, refused) = match ask(uplink, family, asks) {
        Ok(words) => words,
        Err(error) => {
            findings.warn(
                format!("{name}: no {} probe can be sent ({error})", family.name()),
                "probes need CAP_NET_RAW, and `lo` is no uplink",
            );
            return;
        }
    };
    let silent: Vec<String> = asks
        .iter()
        .filter(|ask| !answered.contains(&ask.target))
        .map(|ask| ask.address.to_string())
        .collect();
    if silent.is_empty() {
        findings.ok(format!(
            "{name}: {} probes leave by {} and are answered",
            family.name(),
            uplink.interface
        ));
    } else if let Some(errno) = refused {
        findings.warn(
            format!(
                "{name}: {} probes cannot leave yet ({})",
                family.name(),
                std::io::Error::from_raw_os_error(errno)
            ),
            "that is normal before the daemon has made the uplink's table; `uplinkd plan` shows it",
        );
    } else {
        findings.warn(
            format!("{name}: {} of {} targets do not answer: {}", silent.len(), asks.len(), silent.join(", ")),
            "is the line up, do the targets answer pings? Without a default route by this interface (`uplinkd plan`) \
             silence is normal",
        );
    }
}

/// The targets that answered, and why a probe was not sent.
fn ask(uplink: &Uplink, family: Family, asks: &[Ask]) -> std::io::Result<(BTreeSet<u16>, Option<i32>)> {
    let index = if_nametoindex(uplink.interface.as_str())?;
    let mut prober = Prober::open(&uplink.interface, index, family)?;
    let mut words = vec![];
    prober.send(1, asks, &mut words);
    // A few turns: each answer wakes us, silence ends the wait.
    for _ in 0..asks.len() {
        let waiting =
            words.iter().filter(|word| matches!(word, Word::Answer { .. } | Word::NotSent { .. })).count();
        let mut descriptors = [PollFd::new(prober.as_fd(), PollFlags::POLLIN)];
        if waiting >= asks.len() || poll(&mut descriptors, PollTimeout::from(PATIENCE_MS))? == 0 {
            break;
        }
        prober.receive(&mut words);
    }
    let answered = words.iter().filter_map(|word| match word {
        Word::Answer { target, .. } => Some(*target),
        Word::Unreachable { .. } | Word::NotSent { .. } | Word::Overflow { .. } => None,
    });
    let refused = words.iter().find_map(|word| match word {
        Word::NotSent { errno, .. } => Some(*errno),
        Word::Answer { .. } | Word::Unreachable { .. } | Word::Overflow { .. } => None,
    });
    Ok((answered.collect(), refused))
}
