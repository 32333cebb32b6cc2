//! Who answers, by which wire, how fast.

use std::io::Read;
use std::thread;

use uplinkd::engine::Family;
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{Client, ClientPlan, Place, World};

use crate::Test;
use crate::support::{Outcome, PATIENCE, SILENCE, answers, ensure, routed};

/// Names are sentences.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("both_gateways_and_the_internet_answer_by_their_own_wire", pings),
    ("a_client_on_the_lan_is_echoed_through_the_router", echoes),
    ("a_client_is_echoed_by_ipv6", echoes_v6),
    ("the_counting_service_proves_by_which_wire", counted),
    ("fifty_thousand_frames_a_second_are_answered", fast),
    ("a_program_runs_in_the_router_and_ends_with_its_handle", program),
    ("twenty_worlds_run_side_by_side", crowd),
];

fn pings() -> Outcome {
    let world = routed()?;
    for at in 0..2 {
        let uplink = world.uplink(at)?;
        for plan in [uplink.v4, uplink.v6].into_iter().flatten() {
            let gateway = plan.gateway.ok_or("a gateway")?;
            let target = if gateway.is_ipv4() { World::target(1) } else { World::target_v6(1) };
            for to in [gateway, target] {
                let before = world.seen(at)?.echoes_to(to);
                ensure!(answers(&world, &uplink.name, to)?, "{to} by {}", uplink.name);
                ensure!(world.seen(at)?.echoes_to(to) == before + 1, "{to} by {}", uplink.name);
                ensure!(world.seen(at)?.sources.contains_key(&plan.address), "source of {to}");
            }
        }
        let other = world.seen(1 - at)?;
        ensure!(at == 1 || other.echo_requests.is_empty(), "{other:?}");
    }
    world.reset_tallies();
    ensure!(world.seen(0)?.echo_requests.is_empty(), "after a reset");
    Ok(())
}

fn echoed(plan: ClientPlan) -> Outcome {
    let world = routed()?;
    let client = Client::start(&world, plan)?;
    thread::sleep(PATIENCE);
    let losses = client.stop(SILENCE);
    ensure!((400..=520).contains(&losses.sent), "{losses:?}");
    // The first may wait for neighbours.
    ensure!(losses.lost <= 1, "{losses:?}");
    ensure!(losses.repeated == 0, "{losses:?}");
    ensure!(world.seen(0)?.udp_to(plan.target) >= losses.sent - losses.lost, "{:?}", world.seen(0)?);
    ensure!(world.seen(1)?.udp_to(plan.target) == 0, "{:?}", world.seen(1)?);
    Ok(())
}

fn echoes() -> Outcome {
    echoed(ClientPlan::default())?;
    echoed(ClientPlan { place: Place::Router, ..ClientPlan::default() })
}

fn echoes_v6() -> Outcome {
    echoed(ClientPlan { place: Place::Router, target: World::target_v6(1), ..ClientPlan::default() })?;
    let world = routed()?;
    if world.notes().iter().any(|note| note.contains("IPv6")) {
        eprintln!("not tested: {:?}", world.notes());
        return Ok(());
    }
    echoed(ClientPlan { target: World::target_v6(1), ..ClientPlan::default() })
}

fn counted() -> Outcome {
    let world = routed()?;
    let client = Client::start(&world, ClientPlan { answered: false, ..ClientPlan::default() })?;
    thread::sleep(PATIENCE / 2);
    world.default_route(0, Family::V4, 100, Presence::Absent)?;
    thread::sleep(PATIENCE / 2);
    let sent = client.stop(SILENCE).sent;
    let (first, second) = (world.received(0)?, world.received(1)?);
    ensure!(first.distinct > 50 && second.distinct > 50, "{first:?} {second:?}");
    let lost = (0..sent).filter(|sequence| !first.contains(*sequence) && !second.contains(*sequence)).count();
    ensure!(lost <= 2, "{lost} of {sent} lost, though the other route was there");
    Ok(())
}

/// Another attempt is fair: a loaded machine may not run the lab for longer than its buffers last.
fn fast() -> Outcome {
    let world = routed()?;
    let mut attempts = Vec::new();
    for _ in 0..5 {
        let plan = ClientPlan { place: Place::Router, rate: 50_000, ..ClientPlan::default() };
        let client = Client::start(&world, plan)?;
        thread::sleep(PATIENCE);
        let losses = client.stop(SILENCE);
        ensure!(world.seen(0)?.overflowed == 0, "{:?}", world.seen(0)?);
        attempts.push((losses.sent, losses.lost, losses.slowest));
        if losses.sent >= 20_000 && losses.lost * 100 <= losses.sent {
            return Ok(());
        }
    }
    Err(format!("sent, lost and slowest of each attempt: {attempts:?}").into())
}

fn program() -> Outcome {
    let world = World::builder().build()?;
    let mut command = std::process::Command::new("/bin/cat");
    command.arg("/proc/self/net/dev").stdout(std::process::Stdio::piped());
    let mut process = world.router().spawn(command)?;
    let mut text = String::new();
    process.stdout.take().ok_or("its output")?.read_to_string(&mut text)?;
    ensure!(text.contains("wan1"), "{text}");
    let mut command = std::process::Command::new("/bin/sleep");
    command.arg("1000");
    let sleeping = world.router().spawn(command)?;
    let id = sleeping.id();
    drop(sleeping);
    ensure!(!std::path::Path::new(&format!("/proc/{id}")).exists(), "process {id} has to be gone");
    Ok(())
}

fn crowd() -> Outcome {
    let workers: Vec<_> = (0..20)
        .map(|_| {
            thread::spawn(|| -> Outcome {
                let world = routed()?;
                for device in ["wan0", "wan1"] {
                    ensure!(answers(&world, device, World::target(1))?, "{device}");
                }
                Ok(())
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a world panicked")??;
    }
    Ok(())
}
