//! Lines that lose some packets and work: how often does the daemon leave one?

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use uplinkd::lab::{World, clock};

use crate::figures::float;
use crate::site::Site;
use crate::table::{Goal, Row};
use crate::{Bench, Failure, Outcome, say};

/// Profile, and the share that is lost in each direction.
const CASES: [(&str, f64); 4] = [("steady", 0.01), ("steady", 0.05), ("fast", 0.01), ("fast", 0.05)];
/// Status shows the last 32 transitions: more cannot pass between two looks unless everything is broken anyway.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    let time = bench.pick(Duration::from_secs(20), Duration::from_secs(600));
    say(&format!("    four worlds side by side for {} s", time.as_secs()));
    let counted = std::thread::scope(|scope| {
        let threads: Vec<_> =
            CASES.iter().map(|(profile, loss)| scope.spawn(move || count(profile, *loss, time))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a measurement panicked")?)
            .collect::<Result<Vec<Counted>, Failure>>()
    })?;
    for ((profile, loss), counted) in CASES.iter().zip(counted) {
        let what = format!(
            "false switches in {} s at {:.0} % loss each way, {profile}",
            time.as_secs(),
            loss * 100.0
        );
        let row = Row::new(what, "").ours(float(counted.switches)).goal(Goal::AtMost(0.0));
        let verdicts = format!("uplinks were called down or degraded {} times", counted.verdicts);
        bench.add(if counted.verdicts > 0 { row.note(verdicts) } else { row });
    }
    Ok(())
}

/// What the daemon did without need.
struct Counted {
    switches: u64,
    verdicts: u64,
}

fn count(profile: &str, loss: f64, time: Duration) -> Result<Counted, Failure> {
    let site = Site::settled(World::builder().build()?, &format!("[probe]\nprofile = \"{profile}\"\n"))?;
    site.world.change_all(|line| line.lose(loss));
    let before = transitions(&site.daemon.status()?, |_| true);
    let (mut switches, mut verdicts) = (BTreeSet::new(), BTreeSet::new());
    let begin = clock::now();
    while begin.elapsed() < time {
        std::thread::sleep(LOOK.min(time));
        let status = site.daemon.status()?;
        switches.extend(transitions(&status, |transition| transition["of"] == "selection"));
        verdicts.extend(transitions(&status, |transition| {
            transition["of"] != "selection" && (transition["to"] == "down" || transition["to"] == "degraded")
        }));
    }
    let fresh = |ids: BTreeSet<u64>| ids.difference(&before).count() as u64;
    Ok(Counted { switches: fresh(switches), verdicts: fresh(verdicts) })
}

/// The ids of some of the transitions that a status shows.
fn transitions(status: &Value, which: impl Fn(&Value) -> bool) -> BTreeSet<u64> {
    let all = status["transitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter(|transition| which(transition))
        .filter_map(|transition| transition["id"].as_u64())
        .collect()
}
