//! `uplinkd demo`: the real daemon before a small internet, its cables pulled and put back while a client counts.

mod stage;
mod table;

use super::print::{Style, print_line};
use super::{Failure, Outcome};
use crate::lab::{self, LabError};
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use stage::Stage;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Profile `fast` and short windows: done in under 15 seconds
    #[arg(long)]
    fast: bool,
    /// Print JSON: the same figures
    #[arg(long)]
    json: bool,
}

/// How patient the demo is, and what it promises.
#[derive(Debug, Clone, Copy)]
struct Pace {
    profile: &'static str,
    stable_window: Duration,
    /// Longest gap that a silent outage may cause.
    silence: Duration,
    /// How long nothing must happen while both are dead.
    watch: Duration,
    /// A look at the traffic before and after each move.
    pause: Duration,
}

const STEADY: Pace = Pace {
    profile: "steady",
    stable_window: Duration::from_secs(3),
    silence: Duration::from_secs(2),
    watch: Duration::from_secs(4),
    pause: Duration::from_secs(1),
};

const FAST: Pace = Pace {
    profile: "fast",
    stable_window: Duration::from_secs(1),
    silence: Duration::from_millis(200),
    watch: Duration::from_secs(1),
    pause: Duration::from_millis(400),
};

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    // Before anything starts a thread.
    lab::enter().map_err(|error| {
        let forbidden = matches!(error, LabError::Forbidden { .. });
        if forbidden { Failure::Permission(error.to_string()) } else { Failure::Failed(error.into()) }
    })?;
    let pace = if arguments.fast { FAST } else { STEADY };
    let directory = Directory::new()?;
    let mut stage = Stage::set(pace, &directory.0.join("control.sock"), arguments.json)?;
    let rows = stage.play()?;
    let kept = rows.iter().all(|row| row.kept);
    if arguments.json {
        let rows: Vec<_> = rows.iter().map(table::Row::json).collect();
        print_line(&json!({"version": 1, "profile": pace.profile, "events": rows, "ok": kept}).to_string());
    } else {
        print_line("");
        print_line(&table::render(&rows, Style::stdout()));
        print_line(if kept {
            "Every promise was kept."
        } else {
            "A promise was broken: see the last column."
        });
    }
    Ok(if kept { Outcome::Done } else { Outcome::Bad })
}

/// A folder of our own for the control socket, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!(
            "uplinkd-demo-{}-{}",
            std::process::id(),
            crate::daemon::clock::wall()
        ));
        std::fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| {
            format!("cannot make the folder {}; TMPDIR names another place", path.display())
        })?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}
