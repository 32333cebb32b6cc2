//! What the daemon costs and how fast it is, beside references that are built and measured in the same run.
//!
//! `scripts/bench` runs this. It moves into a user and network namespace before any thread starts, as the tests of the
//! lab do, measures one topic after the other and prints one table. A goal that is missed is printed like any other
//! figure: this tells how things are, and fails only where nothing could be measured at all.
//!
//! Change what is measured in the topic's file; how it is shown in `table.rs`; what it is compared with in
//! `reference.rs` and `benches/reference/*.c`.

mod carrier;
mod explore;
mod false_switches;
mod figures;
mod idle;
mod listen;
mod moves;
mod probes;
mod reference;
mod silent;
mod simulate;
mod site;
mod start;
mod table;
mod usage;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use uplinkd::lab::clock;

use reference::Tools;
use table::{Row, Table};

/// Why something could not be measured.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
/// What a topic comes to, beside the rows that it has added.
pub(crate) type Outcome = Result<(), Failure>;

/// A topic's name, what it measures, and how.
type Topic = (&'static str, &'static str, fn(&mut Bench) -> Outcome);

const TOPICS: &[Topic] = &[
    ("carrier", "a cable is cut, and the kernel has our route", carrier::veth),
    ("nic", "the same on a device that announces it late, as hardware does", carrier::nic),
    ("silent", "the line goes silent behind a live gateway, and the kernel has our route", silent::run),
    ("moves", "packets lost by failover and failback", moves::routed),
    ("masquerade", "the same for a masqueraded flow", moves::masqueraded),
    ("false-switches", "moves that a lossy line causes", false_switches::run),
    ("probes", "processor time of a probe", probes::run),
    ("idle", "processor time, wakeups and memory while nothing happens", idle::run),
    ("start", "from the start to the first verdict", start::run),
    ("explore", "all reachable states of the machine", explore::run),
    ("simulate", "hours in the simulated world", simulate::run),
];

/// Measures uplinkd beside references built in the same run.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
struct Arguments {
    /// Fewer repetitions: about three minutes instead of about twenty
    #[arg(long)]
    quick: bool,
    /// Only these topics: carrier, nic, silent, moves, masquerade, false-switches, probes, idle, start, explore, simulate
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = TOPICS.iter().map(|(name, ..)| *name).collect::<Vec<_>>())]
    only: Vec<String>,
    /// Write the figures here as JSON as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Walk the machine of three uplinks, print the milliseconds, and do nothing else
    #[arg(long, hide = true)]
    explore: bool,
    /// `cargo bench` says so
    #[arg(long, hide = true)]
    bench: bool,
}

/// What the topics share.
pub(crate) struct Bench {
    quick: bool,
    pub(crate) tools: Tools,
    pub(crate) table: Table,
}

impl Bench {
    /// The first value in a quick run, the second in a full one.
    pub(crate) fn pick<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Adds a row, and shows it to who waits.
    pub(crate) fn add(&mut self, row: Row) {
        say(&format!("    {}", row.sentence()));
        self.table.rows.push(row);
    }
}

/// Progress, on stderr. Nobody may be listening.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.explore {
        return finish(explore::print_time());
    }
    // Programs are looked for and compiled in here as well: whatever works outside works inside.
    if let Err(error) = uplinkd::lab::enter() {
        say(&format!("the lab cannot be entered: {error}"));
        return ExitCode::FAILURE;
    }
    finish(measure(&arguments))
}

fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Outcome {
    let mut bench = Bench { quick: arguments.quick, tools: Tools::find()?, table: Table::default() };
    for missing in bench.tools.missing() {
        say(&format!("note: {missing}"));
    }
    let begin = clock::now();
    for (name, what, run) in TOPICS {
        if arguments.only.is_empty() || arguments.only.iter().any(|only| only == name) {
            say(&format!("{name}: {what}"));
            if let Err(error) = run(&mut bench) {
                bench.add(Row::new(*what, "").note(format!("not measured: {error}")));
            }
        }
    }
    say(&format!("measured in {} s", begin.elapsed().as_secs()));
    if let Some(path) = &arguments.json {
        std::fs::write(path, bench.table.json(arguments.quick).to_string())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    // A reader that has gone away is no failure.
    let _ = writeln!(std::io::stdout(), "\n{}", bench.table);
    Ok(())
}

/// Sleeps, and says now and then how long it still takes.
pub(crate) fn wait(what: &str, time: Duration) {
    const PERIOD: Duration = Duration::from_secs(30);
    let mut left = time;
    while !left.is_zero() {
        if left < time || time > PERIOD {
            say(&format!("    {what}: {} s left", left.as_secs()));
        }
        let nap = left.min(PERIOD);
        std::thread::sleep(nap);
        left -= nap;
    }
}
