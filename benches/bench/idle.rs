//! What the daemon costs while nothing happens, which is nearly always.

use std::time::Duration;

use uplinkd::engine::Family;
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{Process, World};

use crate::site::{ROUND_TRIP, SETTLING, Site};
use crate::table::{Goal, Row};
use crate::usage::{Spent, Usage, resident_mb};
use crate::{Bench, Failure, Outcome, reference, wait};

const MEGABYTES: f64 = 8.0;

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    let time = bench.pick(Duration::from_secs(10), Duration::from_secs(60));
    let site = |profile: &str| {
        Site::settled(World::builder().build()?, &format!("[probe]\nprofile = \"{profile}\"\n"))
    };
    // Worlds of their own, at the same time: a raw ICMP socket hears the answers of everybody in its namespace.
    let (steady, fast) = (site("steady")?, site("fast")?);
    let fping = two_fpings(bench);
    wait("idle", SETTLING);
    let daemons = [steady.daemon.pid(), fast.daemon.pid()].map(|pid| vec![pid]);
    let pids = fping.as_ref().map(|(_, running)| running.iter().map(|process| process.id()).collect());
    let all: Vec<Vec<u32>> = daemons.into_iter().chain(pids).collect();
    let before = all.iter().map(|pids| usages(pids)).collect::<Result<Vec<_>, _>>()?;
    wait("idle", time);
    let spent = all
        .iter()
        .zip(&before)
        .map(|(pids, before)| {
            Ok(usages(pids)?.iter().zip(before).map(|(now, then)| now.since(*then)).collect())
        })
        .collect::<Result<Vec<Vec<Spent>>, Failure>>()?;
    let percent = |at: usize| spent.get(at).map(|all| all.iter().map(|spent| spent.percent()).sum());
    let wakeups =
        |at: usize| spent.get(at).map(|all| all.iter().map(|spent| spent.wakeups_per_second()).sum());
    let memory = |at: usize| {
        all.get(at).map(|pids| pids.iter().map(|pid| resident_mb(*pid)).sum::<Result<f64, _>>()).transpose()
    };
    let note = match &fping {
        Ok(_) => "reference: two fping processes, three targets each, every second".to_owned(),
        Err(error) => format!("no reference: {error}"),
    };
    let idle = |what: &str, unit| {
        Row::new(format!("idle, 2 uplinks × 3 targets, steady: {what}"), unit).note(note.clone())
    };
    bench.add(idle("CPU of a core", "%").ours(percent(0)).against(percent(2)).goal(Goal::Times(1.0)));
    bench.add(idle("wakeups per second", "").ours(wakeups(0)).against(wakeups(2)).goal(Goal::AtMost(6.0)));
    bench.add(
        idle("resident memory", "MB").ours(memory(0)?).against(memory(2)?).goal(Goal::AtMost(MEGABYTES)),
    );
    let fast = |what: &str, unit| Row::new(format!("profile fast, 2 uplinks × 3 targets: {what}"), unit);
    bench.add(fast("CPU of a core", "%").ours(percent(1)).goal(Goal::AtMost(2.0)));
    bench.add(fast("wakeups per second", "").ours(wakeups(1)));
    bench.add(fast("resident memory", "MB").ours(memory(1)?).goal(Goal::AtMost(MEGABYTES)));
    Ok(())
}

fn usages(pids: &[u32]) -> Result<Vec<Usage>, Failure> {
    pids.iter().map(|pid| Usage::of(*pid)).collect()
}

/// What the two uplinks would be watched by without us.
fn two_fpings(bench: &Bench) -> Result<(World, Vec<Process>), Failure> {
    let program = bench.tools.fping.as_ref().map_err(String::clone)?;
    let world = World::builder().build()?;
    world.change_all(|line| line.round_trip(ROUND_TRIP));
    let mut running = vec![];
    for at in 0..world.count() {
        world.default_route(at, Family::V4, if at == 0 { 10 } else { 20 }, Presence::Present)?;
        let mut arguments: Vec<String> =
            ["-l", "-q", "-p", "1000", "-t", "500", "-I"].map(ToOwned::to_owned).to_vec();
        arguments.push(world.uplink(at)?.name);
        arguments.extend((1..=3).map(|number| World::target(number).to_string()));
        running.push(reference::start(world.router(), program, arguments)?);
    }
    Ok((world, running))
}
