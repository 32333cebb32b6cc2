//! What the daemon may do, and that it is alone.

use crate::engine::settings::Settings;
use anyhow::Context as _;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, getsockopt, listen, socket,
};
use nix::unistd::geteuid;
use std::os::fd::{AsRawFd as _, OwnedFd};

#[cfg(test)]
mod tests;

/// A capability that the daemon cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the capability {name} is missing: it is needed to {purpose}\n  help: run as root, or give the program what it needs: \
     `setcap cap_net_admin,cap_net_raw+ep /path/to/uplinkd`, or AmbientCapabilities= in a systemd unit"
)]
pub struct Missing {
    /// Its name.
    pub name: &'static str,
    /// What for.
    pub purpose: &'static str,
}

/// Capabilities by their number in linux/capability.h.
const NEEDED: [(u32, Missing); 2] = [
    (12, Missing { name: "CAP_NET_ADMIN", purpose: "change routes and rules" }),
    (13, Missing { name: "CAP_NET_RAW", purpose: "send probes that are bound to an interface" }),
];

/// The capabilities that this process lacks.
///
/// # Errors
/// /proc is not there.
pub fn missing() -> std::io::Result<Vec<Missing>> {
    let path = "/proc/thread-self/status";
    let status = std::fs::read_to_string(path).map_err(|error| {
        std::io::Error::new(error.kind(), format!("cannot read {path}: {error} (is /proc mounted?)"))
    })?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or(0);
    Ok(NEEDED
        .into_iter()
        .filter(|(bit, _)| effective & (1 << bit) == 0)
        .map(|(_, missing)| missing)
        .collect())
}

/// Held as long as the daemon runs; the kernel lets go of it however the daemon ends.
#[derive(Debug)]
pub struct Lock {
    _socket: OwnedFd,
}

/// Makes sure that no other daemon manages the same tables in this network namespace: an abstract socket belongs to
/// one, and leaves no file behind. Anybody may take such a name, so who holds it is looked at: a stranger, who could not
/// change routes anyway, keeps nobody from running.
///
/// # Errors
/// There is another.
pub fn lock(settings: &Settings) -> anyhow::Result<Lock> {
    let name = format!("uplinkd/{}/{}", settings.routing.protocol, settings.routing.first_table);
    let address = UnixAddr::new_abstract(name.as_bytes()).context("cannot name a socket")?;
    let lock = stream()?;
    match bind(lock.as_raw_fd(), &address) {
        Ok(()) => listen(&lock, Backlog::MAXALLOWABLE).context("cannot listen on the lock")?,
        Err(nix::Error::EADDRINUSE) => match holder(&address)? {
            Holder::Daemon(pid) => anyhow::bail!(
                "another uplinkd already manages table {} here (process {pid}); stop it first, or give this one tables and a protocol of its own",
                settings.routing.first_table
            ),
            Holder::Stranger(who) => {
                log::warn!(who; "a stranger holds the name that keeps two daemons apart: going on without");
            }
        },
        Err(error) => return Err(anyhow::Error::from(error).context("cannot take the lock")),
    }
    Ok(Lock { _socket: lock })
}

enum Holder {
    /// One who may be a daemon: root, or whoever we are ourselves.
    Daemon(i32),
    /// Somebody else.
    Stranger(String),
}

fn holder(address: &UnixAddr) -> anyhow::Result<Holder> {
    let peer = stream()?;
    match connect(peer.as_raw_fd(), address) {
        Ok(()) => {
            let found = getsockopt(&peer, PeerCredentials).context("cannot see who holds the lock")?;
            if found.uid() == 0 || found.uid() == geteuid().as_raw() {
                Ok(Holder::Daemon(found.pid()))
            } else {
                Ok(Holder::Stranger(format!("user {}, process {}", found.uid(), found.pid())))
            }
        }
        // A daemon listens, with room for more than ever ask.
        Err(error) => Ok(Holder::Stranger(format!("somebody who does not answer ({})", error.desc()))),
    }
}

fn stream() -> anyhow::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(AddressFamily::Unix, SockType::Stream, flags, None).context("cannot make a socket")
}
