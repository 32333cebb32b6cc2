//! A program without any capability, made without privileges: in a user namespace where nobody is root, what is
//! executed has none.

use nix::sched::{CloneFlags, unshare};
use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// This binary, told by this variable, gives up everything and becomes that program, with the same arguments.
pub(super) const PROGRAM: &str = "UPLINKD_TEST_POWERLESS";

/// The way there; returns only if it fails.
pub(super) fn become_powerless(program: &OsStr) -> ExitCode {
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWUSER) {
        eprintln!("no user namespace: {errno}");
        return ExitCode::FAILURE;
    }
    let error = Command::new(program).args(std::env::args_os().skip(1)).env_remove(PROGRAM).exec();
    eprintln!("cannot execute {}: {error}", program.display());
    ExitCode::FAILURE
}

/// This binary, as a command that becomes the daemon without capabilities.
pub(super) fn command(arguments: &[&str]) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(PROGRAM, env!("CARGO_BIN_EXE_uplinkd")).args(arguments);
    Ok(command)
}
