//! A cable is cut: how long until the kernel has the route by the other uplink.

use std::time::Duration;

use uplinkd::engine::Family;
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{Process, Uplink, World, clock};

use crate::figures::{Chance, Figures};
use crate::listen::{Change, Listener};
use crate::site::{PATIENCE, PROMOTED, REPEATABLE, Site};
use crate::table::{Goal, Row};
use crate::{Bench, Failure, Outcome, reference};

/// Profile steady; only the proof that the cable is back is quick, so that the next cut need not wait.
const QUICK_PROOF: &str = "[probe]\nconfirm_interval = \"20ms\"\n";

/// A veth announces the loss at once: what is left is the work of the loop.
pub(crate) fn veth(bench: &mut Bench) -> Outcome {
    let cuts = Cuts { count: bench.pick(30, 200), least_ms: 20, most_ms: 120 };
    let plan = || World::builder().build();
    let ours = ours(plan()?, cuts)?;
    let (theirs, note) = theirs(bench, &plan()?, cuts);
    let micros = |value: Option<f64>| value.map(|ms| ms * 1000.0);
    let row = |what: &str, percent| {
        Row::new(format!("carrier cut → kernel has the route, veth, {what}"), "µs")
            .ours(micros(ours.percentile(percent)))
            .against(micros(theirs.percentile(percent)))
            .note(note.clone())
    };
    bench.add(row("p50", 50).goal(Goal::Times(3.0)));
    bench.add(row("p99", 99).goal(Goal::Times(3.0)));
    bench.add(row("max", 100));
    Ok(())
}

/// A device whose two ends have the same index is announced like a physical one: up to a second late.
pub(crate) fn nic(bench: &mut Bench) -> Outcome {
    let cuts = Cuts { count: bench.pick(10, 40), least_ms: 100, most_ms: 1500 };
    let plan =
        || World::builder().uplink(Uplink::numbered(0).like_a_nic()).uplink(Uplink::numbered(1)).build();
    let ours = ours(plan()?, cuts)?;
    let (theirs, note) = theirs(bench, &plan()?, cuts);
    for (what, percent, most) in [("p50", 50, 50.0), ("max", 100, 100.0)] {
        bench.add(
            Row::new(format!("carrier cut → kernel has the route, NIC-like, {what}"), "ms")
                .ours(ours.percentile(percent))
                .against(theirs.percentile(percent))
                .goal(Goal::AtMost(most))
                .note(note.clone()),
        );
    }
    Ok(())
}

/// How many cuts, and how long after the cable is back the next one comes.
#[derive(Debug, Clone, Copy)]
struct Cuts {
    count: usize,
    least_ms: u64,
    most_ms: u64,
}

impl Cuts {
    /// Cuts and mends; whoever is in the router adds and deletes the promoted route.
    fn measure(self, world: &World) -> Result<Figures, Failure> {
        let listener = Listener::start(world.router())?;
        let mut chance = Chance(7);
        let mut times = vec![];
        let mut mended = clock::now();
        for _ in 0..self.count {
            let pause =
                chance.between(Duration::from_millis(self.least_ms), Duration::from_millis(self.most_ms));
            std::thread::sleep((mended + pause).saturating_duration_since(clock::now()));
            listener.forget();
            let cut = clock::now();
            world.cut(0)?;
            times.push(listener.wait(Change::Added, PROMOTED, PATIENCE)?.saturating_duration_since(cut));
            // A cable that was pulled stays out for a moment.
            std::thread::sleep(Duration::from_millis(20));
            mended = clock::now();
            world.mend(0)?;
            listener.wait(Change::Deleted, PROMOTED, PATIENCE)?;
        }
        Ok(Figures::millis(times))
    }
}

fn ours(world: World, cuts: Cuts) -> Result<Figures, Failure> {
    let site = Site::settled(world, &format!("{QUICK_PROOF}{REPEATABLE}"))?;
    cuts.measure(&site.world)
}

/// The bare loop's figures, and what there is to say about them.
fn theirs(bench: &Bench, world: &World, cuts: Cuts) -> (Figures, String) {
    let measured = bare_loop(bench, world).and_then(|_running| cuts.measure(world));
    match measured {
        Ok(figures) => (figures, "reference: a bare netlink loop in C".to_owned()),
        Err(error) => (Figures::default(), format!("no reference: {error}")),
    }
}

/// The bare loop in a router whose default routes are there already.
pub(crate) fn bare_loop(bench: &Bench, world: &World) -> Result<Process, Failure> {
    let program = bench.tools.carrier.as_ref().map_err(String::clone)?;
    world.default_route(0, Family::V4, 10, Presence::Present)?;
    world.default_route(1, Family::V4, 20, Presence::Present)?;
    let gateway = world.uplink(1)?.v4.and_then(|plan| plan.gateway).ok_or("an uplink without a gateway")?;
    let arguments =
        [world.index(0)?.to_string(), world.index(1)?.to_string(), gateway.to_string(), PROMOTED.to_string()];
    let running = reference::start(world.router(), program, arguments)?;
    // It is ready when it sleeps; there is nothing to ask it.
    std::thread::sleep(Duration::from_millis(100));
    Ok(running)
}
