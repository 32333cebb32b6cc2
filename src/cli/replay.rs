//! `uplinkd replay`

use super::print::print_line;
use super::{Failure, Outcome, simulate};
use crate::config;
use crate::engine::Time;
use crate::engine::report::Transition;
use crate::engine::settings::Settings;
use crate::journal::whatif::{self, Balance, Day};
use crate::journal::{Ended, Error, Journal, Replayed, replay};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// Decisions of two days that are no farther apart are the same.
const SAME: Duration = Duration::from_millis(1500);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A journal that `uplinkd run --journal FILE` has written
    #[arg(value_name = "JOURNAL")]
    journal: PathBuf,
    /// Another configuration: what would it have done on the same day?
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
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
        Error::Unbegun | Error::Unreadable { .. } | Error::Version { .. } => {
            Failure::Usage(format!("{}: {error}", arguments.journal.display()))
        }
    };
    let journal = Journal::open(&arguments.journal).map_err(named)?;
    if let Some(path) = &arguments.config {
        let config = config::from_file(path).map_err(|findings| Failure::Usage(findings.to_string()))?;
        return what_if(&whatif::day(journal).map_err(named)?, &config.settings, arguments.json);
    }
    let replayed = replay(journal).map_err(named)?;
    if arguments.json {
        print_line(&value(&replayed).to_string());
    } else {
        print_line(&words(&replayed));
    }
    Ok(if replayed.divergence.is_some() { Outcome::Bad } else { Outcome::Done })
}

/// The day as it was and as it would have been: a line for each decision, `-` for those of one, `+` for those of the other.
fn what_if(day: &Day, settings: &Settings, json: bool) -> Result<Outcome, Failure> {
    let unknown = day.unknown(settings);
    if !unknown.is_empty() {
        return Err(Failure::Usage(format!(
            "the journal knows nothing of {}\n  help: give the uplinks the interfaces that they had then: {}",
            unknown.join(", "),
            day.settings
                .uplinks
                .iter()
                .map(|uplink| uplink.interface.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    let (was, would) = (&day.transitions, day.with(settings));
    let balances = [day.balance(&day.settings, was), day.balance(settings, &would)];
    let lines = |transitions: &[Transition], settings: &Settings| -> Vec<(Time, String)> {
        transitions.iter().map(|transition| (transition.at, simulate::change(transition, settings))).collect()
    };
    let (was, would) = (lines(was, &day.settings), lines(&would, settings));
    if json {
        let list = |lines: &[(Time, String)], balance: &Balance| {
            let timeline: Vec<_> =
                lines.iter().map(|(at, text)| json!({"at_s": at.0.as_secs_f64(), "text": text})).collect();
            json!({"timeline": timeline, "switches": balance.switches, "outage_s": balance.outage.as_secs_f64()})
        };
        let value =
            json!({"version": 1, "was": list(&was, &balances[0]), "would": list(&would, &balances[1])});
        print_line(&value.to_string());
        return Ok(Outcome::Done);
    }
    let mut all: Vec<(Time, char, &str)> = was.iter().map(|(at, text)| (*at, '-', text.as_str())).collect();
    for (at, text) in &would {
        // The same decision at about the same time is one line.
        let same = |(other, mark, words): &&mut (Time, char, &str)| {
            *mark == '-' && *words == text.as_str() && other.since(*at).max(at.since(*other)) <= SAME
        };
        match all.iter_mut().find(same) {
            Some(both) => both.1 = ' ',
            None => all.push((*at, '+', text)),
        }
    }
    all.sort_by_key(|(at, ..)| *at);
    for (at, mark, text) in all {
        print_line(&format!("{mark} {:>10.3}  {text}", at.0.as_secs_f64()));
    }
    for (mark, what, balance) in [('-', "was", balances[0]), ('+', "would have been", balances[1])] {
        let outage = balance.outage.as_secs_f64();
        print_line(&format!("{mark} it {what}: {} switches, {outage:.1} s on a dead line", balance.switches));
    }
    Ok(Outcome::Done)
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
