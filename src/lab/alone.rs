//! A unit test in a network namespace of its own, as root and as anybody else.

use super::enter;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{env, io, thread};

/// Set where a test runs once more, with the privilege that it lacked.
const AGAIN: &str = "UPLINKD_TEST_ALONE";

/// Runs a test in a fresh namespace, on a thread of its own because the namespace is the thread's. Its loopback
/// interface is down.
///
/// Who may not make one gets the same test run again by a process that has moved into a user namespace first, as a
/// process with threads cannot. Where even that is forbidden the test fails, unless `UPLINKD_SKIP_NETNS=1` is set.
pub(crate) fn alone(test: impl FnOnce() + Send) {
    let permitted = thread::scope(|scope| {
        let inside = || unshare(CloneFlags::CLONE_NEWNET).map(|()| test());
        scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    match permitted {
        Ok(()) => {}
        Err(Errno::EPERM) if env::var_os(AGAIN).is_none() => again(),
        Err(errno) => panic!("cannot make a network namespace: {errno}"),
    }
}

fn again() {
    if env::var_os("UPLINKD_SKIP_NETNS").is_some_and(|skip| skip == "1") {
        return;
    }
    // The harness names its threads after the tests.
    let thread = thread::current();
    let name = thread.name().expect("the harness names its threads").to_owned();
    let mut command = Command::new(env::current_exe().expect("we have an executable file"));
    command.args([name.as_str(), "--exact", "--test-threads=2"]).env(AGAIN, "1");
    #[expect(unsafe_code, reason = "only a process with one thread can enter a user namespace")]
    // SAFETY: the child of a fork has one thread; glibc lets it allocate, and all that it does is system calls.
    unsafe {
        command.pre_exec(|| enter().map_err(|error| io::Error::other(error.to_string())));
    }
    let output = command.output().unwrap_or_else(|error| {
        panic!(
            "no namespaces here ({error}): `uplinkd demo` says what forbids them; UPLINKD_SKIP_NETNS=1 skips"
        )
    });
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "in namespaces of its own:\n{told}");
}
