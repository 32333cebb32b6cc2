//! How fast time passes in the simulated world, on one core: what `uplinkd simulate`, `replay --config` and the swarm wait for.

use std::time::Duration;

use uplinkd::cli::simulate;
use uplinkd::engine::Time;
use uplinkd::lab::clock;
use uplinkd::sim::scenario::{Part, Step, apply};
use uplinkd::sim::world::World;

use crate::table::{Goal, Row};
use crate::{Bench, Failure, Outcome};

const HOUR: Duration = Duration::from_secs(3600);
/// A line dies for ten minutes, every so often.
const EVERY: Duration = Duration::from_secs(6 * 3600);
const DEAD: Duration = Duration::from_secs(600);

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    let hours = bench.pick(240, 2400);
    let settings = [
        ("default settings: two uplinks, three targets", ""),
        (
            "a round a minute, as the swarm mostly asks",
            "set probe.interval = \"60s\"\nset probe.standby_interval = \"60s\"\n",
        ),
    ];
    for (what, story) in settings {
        let seconds = seconds(story, hours)?;
        let row = Row::new(format!("1000 simulated hours, {what}"), "s").goal(Goal::AtMost(1.0));
        bench.add(row.ours(seconds * 1000.0 / f64::from(hours)));
    }
    Ok(())
}

/// So many hours of two lines, one of which dies now and then, with all that the world looks at in each step.
fn seconds(story: &str, hours: u32) -> Result<f64, Failure> {
    let (_, settings) = simulate::load("bench", story, None)?;
    let mut world = World::new(settings, 1);
    world.strict = true;
    world.start();
    let begin = clock::now();
    let mut at = Time::ZERO;
    while at < Time::ZERO + HOUR * hours {
        at = at + EVERY;
        world.run_until(at);
        apply(&mut world, &Step::Cut(0, Part::Upstream));
        at = at + DEAD;
        world.run_until(at);
        apply(&mut world, &Step::Mend(0, Part::Upstream));
    }
    let took = begin.elapsed().as_secs_f64();
    if world.totals.switches == 0 {
        return Err("nothing has happened in the simulated world".into());
    }
    Ok(took * f64::from(hours) / (world.now().0.as_secs_f64() / HOUR.as_secs_f64()))
}
