//! The simulated kernel does what Linux does: random operations are applied to both, and after each one the errno, the
//! notifications and what is there are compared.
//!
//! `UPLINKD_PARITY_SEED` repeats a run, `UPLINKD_PARITY_OPS` makes it longer or shorter. A disagreement is reported with
//! the shortest sequence that could be found, in the words of `ip`. A main of its own moves into namespaces before the
//! first thread starts; where that is forbidden this fails and says why, unless `UPLINKD_SKIP_NETNS=1` is set.

#![allow(clippy::print_stderr, reason = "a test says what it did and what it could not test")]

mod both;
mod domain;
#[path = "../figures/mod.rs"]
mod figures;
mod lies;
mod linux;
mod nexthops;
mod objects;
mod places;
mod random;
mod runs;
mod shown;
mod shrink;

use both::Patience;
use libtest_mimic::{Arguments, Failed, Trial};
use runs::Plan;
use std::process::ExitCode;
use uplinkd::sim::kernel::Request;

/// The seed of every day.
const SEED: u64 = 4;
/// With the seed of every day, and with the seed of today.
const OPS: (usize, usize) = (75_000, 25_000);
/// So many disagreements are looked for before a run ends.
const REPORTS: usize = 5;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Namespaces share locks, and what the kernel puts off is waited for.
    arguments.test_threads.get_or_insert(1);
    if std::env::var_os("UPLINKD_SKIP_NETNS").is_some_and(|skip| skip == "1") {
        eprintln!("warning: UPLINKD_SKIP_NETNS=1: the comparison with Linux is skipped");
        return ExitCode::SUCCESS;
    }
    if !arguments.list
        && let Err(error) = uplinkd::lab::enter()
    {
        eprintln!("the comparison with Linux cannot run here: {error}\n  UPLINKD_SKIP_NETNS=1 skips it");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let ops = number("UPLINKD_PARITY_OPS").and_then(|ops| usize::try_from(ops).ok());
    let trial = |name: &'static str, seed, ops| Trial::test(name, move || agree(name, seed, ops));
    match number("UPLINKD_PARITY_SEED") {
        Some(seed) => vec![trial("the_given_seed", seed, ops.unwrap_or(OPS.0 + OPS.1))],
        None => vec![
            trial("the_seed_of_every_day", SEED, ops.unwrap_or(OPS.0)),
            trial("the_seed_of_today", random::today(), ops.unwrap_or(OPS.1)),
            Trial::test("a_model_that_is_wrong_is_found_out", || lies::are_found_out().map_err(Failed::from)),
        ],
    }
}

fn agree(name: &str, seed: u64, ops: usize) -> Result<(), Failed> {
    let tally =
        runs::run(Plan { seed, ops, glasses: Request::clone, patience: Patience::LONG, reports: REPORTS })?;
    figures::keep(&format!("parity {name}"), tally.done);
    let texts: Vec<&str> = tally.apart.iter().map(|(_, text)| text.as_str()).collect();
    if texts.is_empty() { Ok(()) } else { Err(texts.join("\n").into()) }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
