//! The command line: one file per command, each a thin layer over the library.

mod check;
mod cleanup;
mod demo;
mod plan;
mod pretend;
mod print;
mod replay;
mod run;
pub mod simulate;
pub mod states;
mod status;

use crate::config::{self, Config, Flags};
use crate::control::client;
use crate::daemon::privileges;
use crate::journal::Disk;
use clap::{Args, Parser, Subcommand};
use print::{Style, eprint_line};
use std::path::PathBuf;
use std::process::ExitCode;

/// Where the configuration is looked for when neither flags nor a file are given.
const DEFAULT_FILE: &str = "/etc/uplinkd/uplinkd.toml";

/// Keeps a Linux router on a working uplink, and can prove why it chose it
#[derive(Debug, Parser)]
#[command(name = "uplinkd", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon, in the foreground
    Run(run::Arguments),
    /// Show a failover on real interfaces in namespaces of its own: no root, nothing outside is touched
    Demo(demo::Arguments),
    /// Look at the configuration, the kernel and the interfaces: all findings at once, with remedies
    Check(check::Arguments),
    /// Print what would be changed, in the words of `ip`; changes nothing
    Plan(plan::Arguments),
    /// Ask the running daemon for state, health, loss and delay
    Status(status::Arguments),
    /// Print the state machines
    States(states::Arguments),
    /// Tell a story of failing lines in virtual time: what would your settings do?
    Simulate(simulate::Arguments),
    /// Run the engine again over a journal: does it decide the same?
    Replay(replay::Arguments),
    /// Remove what is ours from the kernel, also after a crash
    Cleanup(cleanup::Arguments),
}

/// Which configuration: a file, or flags for two uplinks.
#[derive(Debug, Args)]
struct Which {
    /// Configuration file [default: /etc/uplinkd/uplinkd.toml]
    #[arg(short, long, value_name = "FILE", env = "UPLINKD_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// How a command ended.
#[derive(Debug)]
enum Outcome {
    /// 0
    Done,
    /// 1: it was done, and the result is bad.
    Bad,
}

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// 1
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
    /// 2: usage or configuration; nothing was touched.
    #[error("{0}")]
    Usage(String),
    /// 3: no permission.
    #[error("{0}")]
    Permission(String),
    /// 4: the daemon cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

/// The program: parses, dispatches, and turns the outcome into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; a reader that closed the pipe is none either.
            _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let result = match cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::States(arguments) => states::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Cleanup(arguments) => cleanup::run(&arguments),
    };
    // What was done is done; but whoever reads the result must know that it is not all there.
    let result = match (result, print::trouble()) {
        (Ok(_), Some(error)) => Err(Failure::Failed(anyhow::anyhow!("cannot write the result: {error}"))),
        (result, _) => result,
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::from(1),
        Err(failure) => {
            eprint_line(&format!("{} {failure}", Style::stderr().red("error:")));
            ExitCode::from(match failure {
                Failure::Failed(_) => 1,
                Failure::Usage(_) => 2,
                Failure::Permission(_) => 3,
                Failure::Unreachable(_) => 4,
            })
        }
    }
}

impl Which {
    /// The configuration that is meant.
    fn load(self) -> Result<Config, Failure> {
        let given = self.flags.given();
        let findings = |findings: config::Findings| Failure::Usage(findings.to_string());
        match (&self.config, given.as_slice()) {
            (None, []) => config::from_file(&PathBuf::from(DEFAULT_FILE)).map_err(|mut wrong| {
                if let [finding] = wrong.findings.as_mut_slice()
                    && !PathBuf::from(DEFAULT_FILE).exists()
                {
                    finding.remedy = String::from(
                        "write that file, name another with -c FILE, or give two uplinks as flags: \
                         --primary-interface eth0 --secondary-interface eth1",
                    );
                }
                findings(wrong)
            }),
            // Only where the daemon listens and writes may be said beside a file: it is no part of what it does.
            (Some(path), given)
                if given.iter().all(|flag| ["--control-socket", "--journal"].contains(flag)) =>
            {
                let mut config = config::from_file(path).map_err(findings)?;
                if let Some(path) = self.flags.journal {
                    let usual = config::journal_at(path);
                    // The sizes of the file hold for another place, too.
                    config.journal = Some(match config.journal {
                        Some(disk) => Disk { path: usual.path, ..disk },
                        None => usual,
                    });
                }
                if let Some(socket) = self.flags.control_socket {
                    config.control.socket = socket;
                }
                Ok(config)
            }
            (None, _) => config::from_flags(&self.flags).map_err(findings),
            (Some(path), given) => Err(Failure::Usage(format!(
                "both a configuration file ({}) and {}\n  help: give the uplinks either in a file or as flags; \
                 UPLINKD_CONFIG counts as a file",
                path.display(),
                given.join(", ")
            ))),
        }
    }
}

/// Refuses to go on without what changing the network takes.
fn need_privileges() -> Result<(), Failure> {
    let missing = privileges::missing().map_err(|error| Failure::Failed(error.into()))?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Permission(missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let text = error.to_string();
        match error {
            client::Error::Unreachable { .. } | client::Error::Silent { .. } => Self::Unreachable(text),
            client::Error::Forbidden { .. } => Self::Permission(text),
            client::Error::Refused(_) | client::Error::Broken(_) => Self::Failed(anyhow::anyhow!(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_a_screen() {
        let help = Cli::command().term_width(100).render_help().to_string();
        assert!(help.lines().count() <= 24, "{help}");
        insta::assert_snapshot!(help);
    }
}
