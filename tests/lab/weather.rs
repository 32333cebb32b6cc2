//! What goes wrong is what was ordered.

use std::thread;
use std::time::Duration;

use uplinkd::lab::{Client, ClientPlan, Complaint, Forgery, Place, World, clock};

use crate::Test;
use crate::support::{Outcome, PATIENCE, SILENCE, answers, ensure, ping, routed, silent};

/// Names are sentences.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_one_way_blackhole_swallows_answers_only", one_way),
    ("silent_loss_leaves_the_gateway_answering", silent_loss),
    ("a_dead_gateway_answers_nothing", dead_gateway),
    ("thirty_percent_loss_is_thirty_percent", loss),
    ("delay_is_what_was_ordered", delay),
    ("duplicates_and_reordering_appear", disorder),
    ("forged_answers_appear_even_on_a_dead_line", forgeries),
    ("a_dead_target_is_silent_on_its_wire_only", dead_target),
    ("a_gateway_complains_to_order", complaints),
];

fn one_way() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    world.change(0, |line| line.both(|path| path.from_internet.blackhole = true))?;
    ensure!(silent(&world, "wan0", World::target(1))?, "answers must not return");
    ensure!(world.seen(0)?.echoes_to(World::target(1)) == 2, "the question has to arrive");
    ensure!(world.seen(0)?.lost == 1, "{:?}", world.seen(0)?);
    world.change(0, |line| line.blackhole(false))?;
    ensure!(answers(&world, "wan0", World::target(1))?, "after");
    Ok(())
}

fn silent_loss() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.blackhole(true))?;
    let gateway = world.uplink(0)?.v4.and_then(|plan| plan.gateway).ok_or("a gateway")?;
    ensure!(answers(&world, "wan0", gateway)?, "the gateway");
    ensure!(silent(&world, "wan0", World::target(1))?, "the internet");
    ensure!(answers(&world, "wan1", World::target(1))?, "the other uplink");
    Ok(())
}

fn dead_gateway() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.gateway_alive = false)?;
    let gateway = world.uplink(0)?.v4.and_then(|plan| plan.gateway).ok_or("a gateway")?;
    ensure!(silent(&world, "wan0", gateway)?, "the gateway");
    ensure!(world.has_carrier(0)?, "the cable is in");
    ensure!(world.seen(0)?.neighbour_requests > 0, "the router has to look for it");
    ensure!(world.seen(0)?.answered == 0, "{:?}", world.seen(0)?);
    Ok(())
}

fn loss() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    world.change(0, |line| line.v4.to_internet.loss = 0.3)?;
    let plan = ClientPlan { place: Place::Router, rate: 4000, ..ClientPlan::default() };
    let client = Client::start(&world, plan)?;
    thread::sleep(PATIENCE);
    let losses = client.stop(SILENCE);
    ensure!(losses.sent >= 1800, "{losses:?}");
    let percent = losses.lost * 100 / losses.sent;
    ensure!((25..=35).contains(&percent), "{percent} %");
    ensure!(world.seen(0)?.lost == losses.lost, "{:?}", world.seen(0)?);
    ensure!(losses.intervals.iter().map(|interval| interval.sent).sum::<u64>() == losses.sent, "{losses:?}");
    Ok(())
}

fn delay() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    world.change(0, |line| line.round_trip(Duration::from_millis(40)))?;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let before = clock::now();
        ensure!(answers(&world, "wan0", World::target(1))?, "with delay");
        fastest = fastest.min(before.elapsed());
    }
    ensure!((40..60).contains(&fastest.as_millis()), "{fastest:?}");
    Ok(())
}

fn disorder() -> Outcome {
    let world = routed()?;
    world.change(0, |line| {
        line.v4.from_internet.duplicate = 0.5;
        line.v4.to_internet.reorder = 0.2;
        line.v4.to_internet.jitter = Duration::from_millis(2);
    })?;
    let client = Client::start(&world, ClientPlan { place: Place::Router, ..ClientPlan::default() })?;
    thread::sleep(PATIENCE);
    let losses = client.stop(SILENCE);
    ensure!(losses.lost == 0, "{losses:?}");
    ensure!((100..=400).contains(&losses.repeated), "{losses:?}");
    ensure!(losses.slowest >= Duration::from_millis(5), "{losses:?}");
    Ok(())
}

fn forgeries() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    let all = [
        Forgery::Payload,
        Forgery::Source,
        Forgery::Sequence,
        Forgery::Identifier,
        Forgery::Truncated,
        Forgery::Late(Duration::from_millis(30)),
    ];
    world.change(0, |line| {
        line.blackhole(true);
        line.forgeries = all.to_vec();
    })?;
    for (to, kind) in [(World::target(1), 0), (World::target_v6(1), 129)] {
        let forged = ping(&world, "wan0", to, PATIENCE, all.len())?;
        ensure!(forged.len() == all.len(), "{to}: {forged:?}");
        let payload = b"sixteen bytes ok";
        let like = |at: usize| (&forged[at][4..6], &forged[at][6..8], &forged[at][8..]);
        ensure!(forged.iter().all(|reply| reply[0] == kind), "{to}: {forged:?}");
        let (id, sequence) = (&[0x12, 0x34][..], &[0, 1][..]);
        ensure!(like(0).2 != payload && like(0).2.len() == payload.len(), "payload {forged:?}");
        ensure!(like(1) == (id, sequence, payload), "source {forged:?}");
        ensure!(like(2).1 != sequence && like(2).0 == id, "sequence {forged:?}");
        ensure!(like(3).0 != id && like(3).1 == sequence, "identifier {forged:?}");
        ensure!(like(4).2 == &payload[..8], "truncated {forged:?}");
        ensure!(like(5) == (id, sequence, payload), "late {forged:?}");
    }
    Ok(())
}

fn dead_target() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.dead = [World::target(1)].into())?;
    ensure!(silent(&world, "wan0", World::target(1))?, "dead");
    ensure!(answers(&world, "wan0", World::target(2))?, "another");
    ensure!(answers(&world, "wan1", World::target(1))?, "by the other wire");
    world.change_all(|line| line.dead.clear());
    ensure!(answers(&world, "wan0", World::target(1))?, "revived");
    Ok(())
}

fn complaints() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.complaint = Some(Complaint::HostUnreachable))?;
    for (to, expected) in [(World::target(1), [3, 1]), (World::target_v6(1), [1, 3])] {
        let found = ping(&world, "wan0", to, PATIENCE, 1)?;
        ensure!(found.len() == 1 && found[0][..2] == expected, "{to}: {found:?}");
    }
    Ok(())
}
