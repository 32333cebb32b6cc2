//! `uplinkd cleanup`

use super::print::print_line;
use super::{Failure, Outcome, need_privileges};
use crate::daemon::privileges;
use crate::engine::input::Dump;
use crate::engine::reconcile::{Observed, reconcile};
use crate::engine::route::Names;
use crate::engine::settings::{Routing, Settings};
use crate::engine::{Family, plan};
use crate::kernel::Kernel;
use anyhow::Context as _;
use clap::Args;

/// How often a family is looked at until nothing of ours is found.
const LOOKS: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Configuration file whose tables, priorities and protocol count [default: the usual ones]
    #[arg(short, long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Print what would be removed, remove nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let settings = settings(arguments)?;
    if !arguments.dry_run {
        need_privileges()?;
    }
    // A running daemon would put everything back.
    let _lock = if arguments.dry_run { None } else { Some(privileges::lock(&settings)?) };
    let mut kernel = Kernel::open_all(&settings).context("cannot open a netlink socket")?;
    let mut clean = true;
    let mut nothing = true;
    for family in Family::ALL {
        // Of twins, which the kernel allows among rules, each look removes one.
        for _ in 0..LOOKS {
            let dump =
                kernel.dump(family).with_context(|| format!("cannot read the {} state", family.name()))?;
            let names: Names = dump.links.iter().map(|link| (link.index, link.name.clone())).collect();
            let observed = observed(dump);
            let ops = reconcile(&plan::leave(&settings, &observed), &observed, &plan::ours(&settings)).ops;
            nothing &= ops.is_empty();
            let refused = if arguments.dry_run {
                vec![]
            } else {
                kernel.apply(&ops).context("netlink did not answer")?
            };
            for (place, op) in ops.iter().enumerate() {
                let refusal = refused.iter().find(|(refused, _)| *refused == place);
                let note = refusal.map_or(String::new(), |(_, refusal)| format!("   # refused: {refusal}"));
                print_line(&format!("{}{note}", op.words(&names)));
            }
            clean &= refused.is_empty();
            if arguments.dry_run || ops.is_empty() || !refused.is_empty() {
                break;
            }
        }
    }
    if nothing {
        print_line("nothing of ours is here");
    }
    Ok(if clean { Outcome::Done } else { Outcome::Bad })
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    if let Some(path) = &arguments.config {
        let config =
            crate::config::from_file(path).map_err(|findings| Failure::Usage(findings.to_string()))?;
        return Ok(config.settings);
    }
    Ok(Settings {
        uplinks: vec![],
        probe: crate::engine::settings::Profile::Steady.probe(),
        failover: crate::engine::settings::Failover::default(),
        routing: Routing::default(),
    })
}

fn observed(dump: Dump) -> Observed {
    let ignore_linkdown = match dump.family {
        Family::V4 => {
            let known = dump.links.iter().filter_map(|link| Some((link.index, link.ignore_linkdown?)));
            known.map(|(index, on)| ((dump.family, index), on)).collect()
        }
        Family::V6 => dump.linkdown.iter().map(|(index, on)| ((dump.family, *index), *on)).collect(),
    };
    Observed {
        ignore_linkdown,
        routes: dump.routes.into_iter().collect(),
        rules: dump.rules.into_iter().collect(),
    }
}
