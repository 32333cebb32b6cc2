//! What a move costs the traffic: packets of a steady stream that do not arrive.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use uplinkd::engine::Family;
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{Client, ClientPlan, World};

use crate::carrier::bare_loop;
use crate::figures::{Figures, float};
use crate::listen::{Change, Listener};
use crate::site::{PATIENCE, PROMOTED, REPEATABLE, Site};
use crate::table::{Goal, Row};
use crate::{Bench, Failure, Outcome};

/// Profile fast, so that the return is proven soon.
const FAST: &str = "[probe]\nprofile = \"fast\"\n";
/// Before and after the move the stream flows undisturbed for so long.
const MARGIN: Duration = Duration::from_millis(150);
/// Who goes home at once may have to ask for the gateway's address twice, a second apart.
const NEIGHBOUR: Duration = Duration::from_millis(1200);
/// For packets on their way.
const GRACE: Duration = Duration::from_millis(100);

/// Rows of one kind: packets lost per move, at both rates.
pub(crate) fn routed(bench: &mut Bench) -> Outcome {
    let moves = bench.pick(3, 20);
    for rate in [1_000, 50_000] {
        let undisturbed = control(rate, moves)?;
        let ours = daemon(rate, moves, |_| Ok(()))?;
        let (bare, note) = match bare_loop_moves(bench, rate, moves) {
            Ok((failover, failback)) => {
                (failover.mean().zip(failback.mean()), "reference: a bare netlink loop in C".to_owned())
            }
            Err(error) => (None, format!("no reference: {error}")),
        };
        bench.add(row("no move at all (the lab's own loss)", rate, &undisturbed).note(
            "both ends of the stream are threads of this process; what a busy machine loses here it loses below too",
        ));
        bench.add(
            row("failover, cable cut", rate, &ours.failover)
                .against(bare.map(|(failover, _)| failover))
                .note(note.clone()),
        );
        bench.add(
            row("failback", rate, &ours.failback)
                .against(bare.map(|(_, failback)| failback))
                .goal(Goal::AtMost(0.0))
                .note(note),
        );
        let scripts = delete_then_add(rate, moves)?;
        let (planned, note) = match ours.planned {
            Ok(planned) => {
                (planned, "reference: the old route is deleted before the new one is added".to_owned())
            }
            Err(error) => (Figures::default(), format!("not measured: {error}")),
        };
        bench.add(
            row("planned move", rate, &planned).against(scripts.mean()).goal(Goal::AtMost(0.0)).note(note),
        );
    }
    Ok(())
}

/// The same through a masquerading router: the kernel drops one packet of a flow whose device changes.
pub(crate) fn masqueraded(bench: &mut Bench) -> Outcome {
    let nft = bench.tools.nft.clone()?;
    let ours = daemon(1_000, bench.pick(5, 20), |world| masquerade(world, &nft))?;
    bench.add(row("masqueraded failover, cable cut", 1_000, &ours.failover));
    bench.add(row("masqueraded failback", 1_000, &ours.failback).goal(Goal::AtMost(1.0)));
    Ok(())
}

fn row(what: &str, rate: u32, lost: &Figures) -> Row {
    let rate = rate / 1000;
    Row::new(format!("lost per move at {rate} 000/s: {what}"), "packets").ours(lost.mean())
}

/// Packets lost by each move of a kind.
struct Lost {
    failover: Figures,
    failback: Figures,
    planned: Result<Figures, Failure>,
}

/// A stream flows from the LAN, something happens, the stream ends: how many packets did not arrive?
fn lost_during(world: &World, rate: u32, happens: impl FnOnce() -> Outcome) -> Result<f64, Failure> {
    world.reset_tallies();
    let client = Client::start(world, ClientPlan { rate, answered: false, ..ClientPlan::default() })?;
    std::thread::sleep(MARGIN);
    let happened = happens();
    std::thread::sleep(MARGIN);
    let sent = client.stop(GRACE).sent;
    happened?;
    let mut arrived = 0;
    for at in 0..world.count() {
        arrived += world.received(at)?.distinct;
    }
    Ok(float(sent.saturating_sub(arrived)))
}

fn control(rate: u32, moves: usize) -> Result<Figures, Failure> {
    let world = World::builder().build()?;
    world.default_route(0, Family::V4, 10, Presence::Present)?;
    let nothing = || {
        std::thread::sleep(MARGIN);
        Ok(())
    };
    (0..moves).map(|_| lost_during(&world, rate, nothing)).collect()
}

/// Moves by the daemon. The cable is cut and comes back; then, if it can be asked to, it moves without need.
fn daemon(rate: u32, moves: usize, prepare: impl FnOnce(&World) -> Outcome) -> Result<Lost, Failure> {
    let world = World::builder().build()?;
    prepare(&world)?;
    let site = Site::settled(world, &format!("{FAST}{REPEATABLE}"))?;
    let world = &site.world;
    let listener = Listener::start(world.router())?;
    let moved = |change| listener.wait(change, PROMOTED, PATIENCE).map(|_| ());
    let (mut failover, mut failback) = (vec![], vec![]);
    for _ in 0..moves {
        listener.forget();
        failover.push(lost_during(world, rate, || {
            world.cut(0)?;
            moved(Change::Added)
        })?);
        failback.push(lost_during(world, rate, || {
            world.mend(0)?;
            moved(Change::Deleted)
        })?);
    }
    let planned = (0..moves).map(|_| {
        let away = lost_during(world, rate, || {
            ask(&site, &["use", "wan1"])?;
            moved(Change::Added)
        })?;
        let home = lost_during(world, rate, || {
            ask(&site, &["auto"])?;
            moved(Change::Deleted)
        })?;
        Ok(f64::midpoint(away, home))
    });
    let planned = planned.collect();
    Ok(Lost { failover: failover.into_iter().collect(), failback: failback.into_iter().collect(), planned })
}

/// The operator's hand.
fn ask(site: &Site, words: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uplinkd"));
    command.args(words).arg("--control-socket").arg(site.daemon.socket()).stdin(Stdio::null());
    let output = command.output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("this uplinkd has no `uplinkd {}`", words.join(" ")).into())
    }
}

/// Failover and failback by the bare loop.
fn bare_loop_moves(bench: &Bench, rate: u32, moves: usize) -> Result<(Figures, Figures), Failure> {
    let world = World::builder().build()?;
    let _running = bare_loop(bench, &world)?;
    let listener = Listener::start(world.router())?;
    let moved = |change| listener.wait(change, PROMOTED, PATIENCE).map(|_| ());
    let (mut failover, mut failback) = (vec![], vec![]);
    for _ in 0..moves {
        listener.forget();
        failover.push(lost_during(&world, rate, || {
            world.cut(0)?;
            moved(Change::Added)
        })?);
        failback.push(lost_during(&world, rate, || {
            world.mend(0)?;
            moved(Change::Deleted)?;
            std::thread::sleep(NEIGHBOUR);
            Ok(())
        })?);
    }
    Ok((failover.into_iter().collect(), failback.into_iter().collect()))
}

/// A move as scripts do it: the old default route goes, then the new one comes.
fn delete_then_add(rate: u32, moves: usize) -> Result<Figures, Failure> {
    let world = World::builder().build()?;
    world.default_route(0, Family::V4, 10, Presence::Present)?;
    let once = |number: usize| {
        let (from, to) = if number.is_multiple_of(2) { (0, 1) } else { (1, 0) };
        lost_during(&world, rate, || {
            world.default_route(from, Family::V4, 10, Presence::Absent)?;
            Ok(world.default_route(to, Family::V4, 10, Presence::Present)?)
        })
    };
    (0..moves).map(once).collect()
}

fn masquerade(world: &World, nft: &std::path::Path) -> Outcome {
    const RULES: &str = "table ip bench {\n  chain out {\n    type nat hook postrouting priority 100;\n    \
                         oifname \"wan*\" masquerade\n  }\n}\n";
    let mut command = Command::new(nft);
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = world.router().spawn(command)?;
    running.stdin.take().ok_or("nft has no input")?.write_all(RULES.as_bytes())?;
    if running.wait()?.success() {
        Ok(())
    } else {
        let mut said = String::new();
        if let Some(mut errors) = running.stderr.take() {
            std::io::Read::read_to_string(&mut errors, &mut said)?;
        }
        Err(format!("nft cannot masquerade here: {}", said.lines().next().unwrap_or("no reason given"))
            .into())
    }
}
