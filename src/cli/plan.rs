//! `uplinkd plan`

use super::pretend::Pretence;
use super::print::{Style, print_line};
use super::{Failure, Outcome, Which};
use crate::engine::inventory::Readiness;
use crate::engine::route::{Names, Op};
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// Long enough for every uplink to prove itself and for the boot deadline to pass, with the gentlest settings.
const PROOF: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let config = arguments.which.load()?;
    let settings = config.settings.clone();
    let mut pretence = Pretence::start(config.settings).context("cannot read the kernel's state")?;
    let names = pretence.names();
    let start = pretence.taken();
    pretence.prove(PROOF);
    let proven = pretence.taken();
    if arguments.json {
        let words = |ops: &[Op]| ops.iter().map(|op| op.words(&names)).collect::<Vec<_>>();
        print_line(
            &json!({"version": 1, "at_start": words(&start), "when_proven": words(&proven)}).to_string(),
        );
        return Ok(Outcome::Done);
    }
    let style = Style::stdout();
    print_line(&style.bold("At the start:"));
    print_ops(&start, &names);
    print_line("");
    print_line(&style.bold("When the uplinks that are ready have proven themselves:"));
    print_ops(&proven, &names);
    let report = pretence.engine.report(pretence.now());
    for uplink in &report.uplinks {
        let name = &settings.uplinks[usize::from(uplink.id)].name;
        for (family, path) in &uplink.families {
            if path.readiness != Readiness::Ready && path.readiness != Readiness::NoTarget {
                print_line(&style.yellow(&format!(
                    "{name} is not ready for {}: {}",
                    family.name(),
                    path.readiness.words()
                )));
            }
        }
    }
    print_line("");
    let routing = &settings.routing;
    print_line(&format!(
        "Ours are routes in main with protocol {}, all routes in tables {}–{}, and rules with protocol {0} and priorities \
         {}–{}.",
        routing.protocol,
        routing.first_table,
        routing.first_table + 99,
        routing.first_priority,
        routing.first_priority + 299,
    ));
    print_line("Nothing was changed, and nothing else would be.");
    Ok(Outcome::Done)
}

fn print_ops(ops: &[Op], names: &Names) {
    if ops.is_empty() {
        print_line("  nothing to do");
    }
    for op in ops {
        print_line(&format!("  {}", op.words(names)));
    }
}
