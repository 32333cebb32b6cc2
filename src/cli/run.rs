//! `uplinkd run`

use super::{Failure, Outcome, Which, need_privileges};
use crate::daemon::{self, Tuning};
use clap::Args;
use std::io::Write as _;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Receive buffer of the notification socket, bytes
    #[arg(long, hide = true, value_name = "BYTES")]
    monitor_buffer: Option<usize>,
    /// End when standard input does: who started us is gone
    #[arg(long, hide = true)]
    end_with_stdin: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let config = arguments.which.load()?;
    need_privileges()?;
    start_log();
    if arguments.end_with_stdin {
        std::thread::spawn(end_with_stdin);
    }
    daemon::run(config, &Tuning { monitor_buffer: arguments.monitor_buffer })?;
    Ok(Outcome::Done)
}

/// Waits for the end of standard input, then asks ourselves to end.
fn end_with_stdin() {
    // What is written there does not matter, only that nobody can write any more.
    _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    if let Err(error) = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGTERM) {
        log::error!(error:%; "cannot end with standard input");
    }
}

/// RUST_LOG, `info` by default. Under systemd the journal has its own time stamps.
fn start_log() {
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let mut builder = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    builder.format(move |out, record| {
        if !journal {
            write!(out, "{} ", out.timestamp_millis())?;
        }
        let style = out.default_level_style(record.level());
        write!(out, "{style}{:<5}{style:#} {}", record.level(), record.args())?;
        let mut fields = Fields(out);
        // Writing fails only with the stream; then the next line fails as well.
        _ = record.key_values().visit(&mut fields);
        writeln!(out)
    });
    // A second logger can only be a test's.
    _ = builder.try_init();
}

/// `key=value` behind the message, quoted where there are spaces.
struct Fields<'a>(&'a mut env_logger::fmt::Formatter);

impl<'kvs> log::kv::VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(
        &mut self,
        key: log::kv::Key<'kvs>,
        value: log::kv::Value<'kvs>,
    ) -> Result<(), log::kv::Error> {
        let text = value.to_string();
        let quoted = text.is_empty() || text.contains(|c: char| c.is_whitespace() || c == '"' || c == '=');
        let written =
            if quoted { write!(self.0, " {key}={text:?}") } else { write!(self.0, " {key}={text}") };
        written.map_err(log::kv::Error::from)
    }
}
