//! How long it takes to walk every reachable state of the machine: what each run of the formal tests waits for.

use std::process::Command;

use uplinkd::lab::clock;
use uplinkd::machine::graph::explore;

use crate::table::{Goal, Row};
use crate::{Bench, Failure, Outcome};

/// Uplinks of the walk that has a goal.
const UPLINKS: u8 = 3;
/// Where `scripts/bench` says which build of this program is not optimised.
const DEBUG_BUILD: &str = "UPLINKD_BENCH_DEBUG";

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    bench.add(Row::new(format!("explore {UPLINKS} uplinks, release build"), "s").ours(seconds()));
    let row = Row::new(format!("explore {UPLINKS} uplinks, debug build"), "s").goal(Goal::AtMost(2.0));
    bench.add(row.ours(in_debug_build()?));
    Ok(())
}

/// For the debug build of this program: the seconds, on stdout.
pub(crate) fn print_time() -> Outcome {
    use std::io::Write as _;
    Ok(writeln!(std::io::stdout(), "{}", seconds())?)
}

fn seconds() -> f64 {
    let begin = clock::now();
    let graph = explore(UPLINKS);
    let seconds = begin.elapsed().as_secs_f64();
    assert!(!graph.views.is_empty(), "a machine has a state");
    seconds
}

fn in_debug_build() -> Result<f64, Failure> {
    let program = std::env::var_os(DEBUG_BUILD)
        .filter(|program| !program.is_empty())
        .ok_or("needs a debug build, which scripts/bench makes")?;
    let output = Command::new(program).arg("--explore").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
