//! `uplinkd replay`

use super::print::print_line;
use super::{Failure, Outcome};
use crate::journal::{Ended, Error, Journal, Replayed, replay};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A journal that `uplinkd run --journal FILE` has written
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let named = |error: Error| match error {
        Error::Io(error) => Failure::Failed(
            anyhow::Error::from(error)
                .context(format!("cannot read the journal {}", arguments.journal.display())),
        ),
        Error::Unreadable { .. } | Error::Version { .. } => {
            Failure::Usage(format!("{}: {error}", arguments.journal.display()))
        }
    };
    let journal = Journal::open(&arguments.journal).map_err(named)?;
    let replayed = replay(journal).map_err(named)?;
    if arguments.json {
        print_line(&value(&replayed).to_string());
    } else {
        print_line(&words(&replayed));
    }
    Ok(if replayed.divergence.is_some() { Outcome::Bad } else { Outcome::Done })
}

fn words(replayed: &Replayed) -> String {
    let Replayed { inputs, decisions, ended, divergence } = replayed;
    if let Some(found) = divergence {
        let nothing = || "nothing".to_owned();
        return format!(
            "line {}: not the same, after {inputs} inputs and {decisions} decisions\n  journal: {}\n  replay:  {}",
            found.line,
            found.recorded.clone().unwrap_or_else(nothing),
            found.replayed.clone().unwrap_or_else(nothing),
        );
    }
    let note = match ended {
        Ended::Whole => "",
        Ended::Cut => " (the journal has no end: it is still written, or its daemon was killed)",
        Ended::Torn => " (the last line is torn and was left out)",
    };
    format!("{inputs} inputs, {decisions} decisions, identical{note}")
}

fn value(replayed: &Replayed) -> serde_json::Value {
    let divergence = replayed
        .divergence
        .as_ref()
        .map(|found| json!({"line": found.line, "recorded": found.recorded, "replayed": found.replayed}));
    json!({
        "version": 1,
        "inputs": replayed.inputs,
        "decisions": replayed.decisions,
        "ended": match replayed.ended {
            Ended::Whole => "whole",
            Ended::Cut => "cut",
            Ended::Torn => "torn",
        },
        "divergence": divergence,
    })
}
