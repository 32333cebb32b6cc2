//! Into namespaces of our own, and what to say where that is forbidden.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, getegid, geteuid};

use super::{LabError, wire};
use crate::kernel::socket::Requests;

/// Moves the process into a user, mount and network namespace of its own, where it is root.
///
/// Call it at the start of `main`: a process with several threads cannot enter a user namespace. Where user namespaces
/// are refused to a process that is root anyway, it does without one.
///
/// # Errors
/// [`LabError::Forbidden`] names the setting that forbids it and the remedy.
pub fn enter() -> Result<(), LabError> {
    let (uid, gid) = (geteuid(), getegid());
    let private = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    match unshare(CloneFlags::CLONE_NEWUSER | private) {
        Ok(()) => become_root(uid, gid)?,
        Err(Errno::EINVAL) if threads() > 1 => return Err(LabError::Threads),
        Err(errno) if uid.is_root() => unshare(private).map_err(|_| forbidden(errno))?,
        Err(errno) => return Err(forbidden(errno)),
    }
    let mut requests = Requests::open().map_err(LabError::io("open a netlink socket"))?;
    // Some systems let anyone make a user namespace and then give it no power: this is where that shows.
    wire::set_up(&mut requests, wire::LOOPBACK, true).map_err(|error| {
        let powerless = matches!(&error, LabError::Refused { refused, .. } if refused.is(Errno::EPERM));
        if powerless { forbidden(Errno::EPERM) } else { error }
    })
}

/// Maps our user and group to root of the new user namespace.
fn become_root(uid: Uid, gid: Gid) -> Result<(), LabError> {
    let write = |path: &str, text: String| fs::write(path, text).map_err(|source| refusal(path, source));
    // A process without privileges may map its group only once it has given up setgroups. The file is absent on old
    // kernels, which do not ask for it.
    if let Err(source) = fs::write("/proc/self/setgroups", "deny")
        && source.kind() != io::ErrorKind::NotFound
    {
        return Err(refusal("/proc/self/setgroups", source));
    }
    write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format!("0 {gid} 1"))
}

fn refusal(path: &str, source: io::Error) -> LabError {
    if source.kind() == io::ErrorKind::PermissionDenied {
        LabError::Forbidden { source, advice: advice() }
    } else {
        LabError::Io { doing: format!("write {path}"), source }
    }
}

fn forbidden(errno: Errno) -> LabError {
    LabError::Forbidden { source: errno.into(), advice: advice() }
}

/// The first setting that is known to forbid user namespaces, with its remedy.
fn advice() -> String {
    const SWITCHES: [(&str, &str, &str); 3] = [
        (
            "/proc/sys/user/max_user_namespaces",
            "0",
            "user.max_user_namespaces is 0; `sysctl user.max_user_namespaces=1000` allows them",
        ),
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "0",
            "kernel.unprivileged_userns_clone is 0; set it to 1 or run as root",
        ),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns is 1; set it to 0, give this program an AppArmor profile \
             that allows userns, or run as root",
        ),
    ];
    let holds = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    SWITCHES
        .iter()
        .find(|(path, value, _)| holds(path, value))
        .map_or_else(unnamed, |(.., text)| (*text).to_owned())
}

/// No setting says so; a filter of system calls is left.
fn unnamed() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filtered = status.lines().any(|line| line.starts_with("Seccomp:") && line.trim_end().ends_with('2'));
    if filtered {
        "a seccomp filter is in force, as in most containers; start the container with `--security-opt \
         seccomp=unconfined`, or privileged"
            .to_owned()
    } else {
        "no setting explains it; run as root, or on a machine where `unshare -Urn true` works".to_owned()
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}
