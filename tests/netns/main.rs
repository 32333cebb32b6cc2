//! The daemon on a real kernel, in namespaces of its own, before a small internet in userspace.
//!
//! This binary has a main of its own: it moves into a user and network namespace before any thread starts, then reports
//! like any other test binary. Each trial has a world to itself, so they run side by side.

#![allow(clippy::print_stderr, reason = "a test says what it could not test")]

mod carrier;
mod checking;
mod commands;
mod expect;
mod eyes;
mod families;
mod flows;
mod foreign;
mod gateways;
mod hands;
mod interfaces;
mod journals;
mod outages;
mod powerless;
mod probing;
mod restarts;
mod selecting;
mod site;
mod storms;
mod strangers;
mod traffic;
mod verdict;
mod windows;

use libtest_mimic::{Arguments, Failed, Trial};

/// A test's name and what it does.
type Case = (&'static str, fn() -> Result<(), Failed>);

fn main() -> std::process::ExitCode {
    if let Some(program) = std::env::var_os(powerless::PROGRAM) {
        return powerless::become_powerless(&program);
    }
    let mut arguments = Arguments::from_args();
    // Each world has threads that sleep most of the time; two cores carry a few worlds at once.
    arguments.test_threads.get_or_insert(6);
    if std::env::var_os("UPLINKD_SKIP_NETNS").is_some_and(|skip| skip == "1") {
        eprintln!("warning: UPLINKD_SKIP_NETNS=1: the namespace tests are skipped");
        return std::process::ExitCode::SUCCESS;
    }
    if !arguments.list
        && let Err(error) = uplinkd::lab::enter()
    {
        eprintln!("the namespace tests cannot run here: {error}\n  UPLINKD_SKIP_NETNS=1 skips them");
        return std::process::ExitCode::FAILURE;
    }
    let cases: Vec<Case> = [
        selecting::CASES,
        windows::CASES,
        outages::CASES,
        carrier::CASES,
        strangers::CASES,
        foreign::CASES,
        interfaces::CASES,
        gateways::CASES,
        probing::CASES,
        families::CASES,
        flows::CASES,
        restarts::CASES,
        storms::CASES,
        checking::CASES,
        commands::CASES,
        journals::CASES,
    ]
    .concat();
    let trials = cases.into_iter().map(|(name, test)| Trial::test(name, move || verdict::of(test))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
