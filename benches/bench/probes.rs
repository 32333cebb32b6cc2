//! Processor time of a probe, as charged to the prober.
//!
//! The far end is a kernel that answers by itself: thousands of answers a second are too many for the lab's internet.
//! On a veth the far end works within the sender's system call, so its part is in every figure alike.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::time::Duration;

use uplinkd::engine::Family;
use uplinkd::lab::Namespace;
use uplinkd::lab::wire::{self, End, LOOPBACK, Presence, Route};

use crate::figures::float;
use crate::site::{Daemon, SETTLING};
use crate::table::{Goal, Row};
use crate::usage::{Usage, field};
use crate::{Bench, Failure, Outcome, reference};

/// Targets and the time between two rounds. What fping cannot do (1000 in 20 ms) is not asked.
const CASES: [(u16, u64); 3] = [(1, 20), (100, 20), (1000, 1000)];
const NEAR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// All of 198.18.0.0/15 answers.
const FIRST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const DEVICE: &str = "wan0";

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    let time = bench.pick(Duration::from_secs(2), Duration::from_secs(12));
    for (count, interval_ms) in CASES {
        let targets = if count == 1 { "target" } else { "targets" };
        let what = format!("CPU per probe, {count} {targets} every {interval_ms} ms");
        let ours = cost(SETTLING, time, |range| {
            let daemon = Daemon::start(&range.near, &config(count, interval_ms)?)?;
            daemon
                .wait("healthy", |status| status["uplinks"][0]["families"]["ipv4"]["health"] == "healthy")?;
            Ok((daemon.pid(), Box::new(daemon)))
        })?;
        let fping = theirs(&bench.tools.fping, time, || fping(count, interval_ms));
        let echo = theirs(&bench.tools.echo, time, || {
            [DEVICE.to_owned(), FIRST.to_string(), count.to_string(), (interval_ms * 1000).to_string()]
                .to_vec()
        });
        for (name, theirs, goal) in [("fping", fping, 1.0), ("a loop in C", echo, 1.2)] {
            let row = Row::new(format!("{what}, beside {name}"), "µs").ours(ours).goal(Goal::Times(goal));
            bench.add(match theirs {
                Ok(theirs) => row.against(theirs),
                Err(error) => row.note(format!("no reference: {error}")),
            });
        }
    }
    Ok(())
}

/// Two kernels and a wire.
struct Range {
    near: Namespace,
    far: Namespace,
}

impl Range {
    fn new() -> Result<Self, Failure> {
        let (near, far) = (Namespace::new()?, Namespace::new()?);
        let (mut here, mut there) = (near.requests()?, far.requests()?);
        let end = |index, last| End { name: DEVICE.to_owned(), index, mac: [2, 0, 0, 0, 0, last] };
        wire::add_veth(&mut here, &end(1000, 1), &end(2000, 2), far.as_fd())?;
        for (requests, index, address) in [(&mut here, 1000, NEAR), (&mut there, 2000, GATEWAY)] {
            wire::without_link_local(requests, index)?;
            wire::set_up(requests, index, true)?;
            wire::address(requests, index, address, 24, Presence::Present)?;
        }
        wire::wait_ready(&mut here, 1000)?;
        // An address of the loopback interface makes its whole prefix one's own.
        wire::address(&mut there, LOOPBACK, IpAddr::V4(FIRST), 15, Presence::Present)?;
        let route = Route::default_of(Family::V4, Some(GATEWAY), 1000, 100);
        wire::route(&mut here, route, Presence::Present)?;
        Ok(Self { near, far })
    }

    /// Echo requests that have come through.
    fn arrived(&self) -> Result<u64, Failure> {
        let text = self.far.run(|| std::fs::read_to_string("/proc/thread-self/net/snmp"))??;
        // Two lines: names, then values.
        let mut lines = text.lines().filter(|line| line.starts_with("Icmp:"));
        let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let at = names.split_whitespace().position(|name| name == "InEchos").ok_or("no InEchos in snmp")?;
        field(values.split_whitespace().nth(at).unwrap_or_default(), "")
    }
}

/// Microseconds per probe of whoever `start` starts; what it returns beside the process id keeps that running.
fn cost(
    warm_up: Duration,
    time: Duration,
    start: impl FnOnce(&Range) -> Result<(u32, Box<dyn std::any::Any>), Failure>,
) -> Result<f64, Failure> {
    let range = Range::new()?;
    let (pid, _running) = start(&range)?;
    std::thread::sleep(warm_up);
    let (before, arrived) = (Usage::of(pid)?, range.arrived()?);
    std::thread::sleep(time);
    let (spent, probes) = (Usage::of(pid)?.since(before), range.arrived()? - arrived);
    if probes == 0 {
        return Err("no probe has arrived".into());
    }
    Ok(spent.cpu.as_secs_f64() * 1e6 / float(probes))
}

fn theirs(
    tool: &reference::Tool,
    time: Duration,
    arguments: impl FnOnce() -> Vec<String>,
) -> Result<f64, Failure> {
    let program = tool.as_ref().map_err(String::clone)?;
    cost(Duration::from_secs(1), time, |range| {
        let running = reference::start(&range.near, program, arguments())?;
        Ok((running.id(), Box::new(running)))
    })
}

/// Quiet, and as fast between two targets as it can.
fn fping(count: u16, interval_ms: u64) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["-l", "-q", "-i", "0", "-t", "500", "-I", DEVICE, "-p"].map(ToOwned::to_owned).to_vec();
    arguments.push(interval_ms.to_string());
    arguments.extend(targets(count).map(|target| target.to_string()));
    arguments
}

fn config(count: u16, interval_ms: u64) -> Result<String, Failure> {
    let targets: Vec<String> = targets(count).map(|target| format!("\"{target}\"")).collect();
    let mut text =
        format!("[probe]\ninterval = \"{interval_ms}ms\"\nstandby_interval = \"{interval_ms}ms\"\n");
    writeln!(text, "confirm_interval = \"{}ms\"", interval_ms.min(250))?;
    writeln!(
        text,
        "[[uplink]]\ninterface = \"{DEVICE}\"\ngateway = \"{GATEWAY}\"\ntargets = [{}]",
        targets.join(", ")
    )?;
    Ok(text)
}

fn targets(count: u16) -> impl Iterator<Item = Ipv4Addr> {
    (0..u32::from(count)).map(|number| Ipv4Addr::from_bits(FIRST.to_bits() + number))
}
