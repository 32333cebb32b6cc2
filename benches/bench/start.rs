//! From the start of the program to its own routes, and to the first verdict.

use uplinkd::lab::World;

use crate::figures::Figures;
use crate::listen::{Change, Listener};
use crate::site::{PATIENCE, Site};
use crate::table::Row;
use crate::{Bench, Outcome};

/// The metric of the first uplink's own route.
const OWN_METRIC: u32 = 10;

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    for profile in ["steady", "fast"] {
        let (mut routes, mut verdicts) = (vec![], vec![]);
        for _ in 0..bench.pick(3, 10) {
            let world = World::builder().build()?;
            let listener = Listener::start(world.router())?;
            let site = Site::start(world, &format!("[probe]\nprofile = \"{profile}\"\n"))?;
            let started = site.daemon.started();
            routes
                .push(listener.wait(Change::Added, OWN_METRIC, PATIENCE)?.saturating_duration_since(started));
            site.daemon.wait("sure of anything", |status| {
                status["uplinks"][0]["families"]["ipv4"]["health"] == "healthy"
            })?;
            verdicts.push(started.elapsed());
        }
        let row = |what: &str, times| {
            Row::new(format!("start → {what}, {profile}, p50"), "ms").ours(Figures::millis(times).median())
        };
        bench.add(row("routes of our own", routes));
        bench.add(row("first verdict", verdicts));
    }
    Ok(())
}
