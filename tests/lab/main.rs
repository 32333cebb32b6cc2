//! The lab keeps its word: what is ordered of the small internet is what a kernel sees of it.
//!
//! A main of its own moves into namespaces before the first thread starts. Where that is forbidden this fails and says
//! why, unless `UPLINKD_SKIP_NETNS=1` is set.

#![allow(clippy::print_stderr, reason = "a test says what it measured and what it could not test")]

mod answers;
mod support;
mod weather;
mod wires;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::Outcome;

type Test = fn() -> Outcome;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Err(error) = uplinkd::lab::enter() {
        if std::env::var_os("UPLINKD_SKIP_NETNS").is_some_and(|value| value == "1") {
            eprintln!("skipped: {error}");
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error}\nhint: UPLINKD_SKIP_NETNS=1 skips these tests");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let trial = |(name, test): &(&str, Test)| {
        let test = *test;
        Trial::test(*name, move || test().map_err(|error| Failed::from(error.to_string())))
    };
    [answers::TESTS, weather::TESTS, wires::TESTS].concat().iter().map(trial).collect()
}
