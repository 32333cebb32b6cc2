//! What makes a trial good beside its own assertions: it ends in time, and no daemon of it broke a promise.

use libtest_mimic::Failed;
use std::cell::RefCell;
use std::time::Duration;
use uplinkd::lab::clock::now;

/// No trial may take longer, even where four worlds share a core.
const LIMIT: Duration = Duration::from_secs(60);

thread_local! {
    /// The logs of the daemons of the trial that runs in this thread.
    static LOGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A daemon's world is at its end; this is what the daemon logged.
pub(super) fn note_log(log: String) {
    LOGS.with_borrow_mut(|logs| logs.push(log));
}

/// Runs a trial.
pub(super) fn of(test: fn() -> Result<(), Failed>) -> Result<(), Failed> {
    LOGS.take();
    let begin = now();
    let outcome = test();
    let took = begin.elapsed();
    let logs = LOGS.take();
    let broken: Vec<&str> = logs.iter().flat_map(|log| log.lines()).filter(|line| is_error(line)).collect();
    let failure = match outcome {
        Err(failed) => failed.message().unwrap_or("failed").to_owned(),
        Ok(()) if !broken.is_empty() => format!("the daemon logged errors:\n{}", broken.join("\n")),
        Ok(()) if took > LIMIT => format!("took {took:?}, more than {LIMIT:?}"),
        Ok(()) => return Ok(()),
    };
    Err(format!("{failure}\n\nthe daemon's log:\n{}", logs.join("\n")).into())
}

/// `ERROR a promise was broken`, mostly behind a time stamp; and panics, which say it in other words.
fn is_error(line: &str) -> bool {
    line.split_whitespace().take(2).any(|word| word == "ERROR") || line.contains("panicked at")
}
