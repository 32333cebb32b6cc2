//! What the daemon may do, and that it is alone.

use crate::engine::settings::Settings;
use anyhow::Context as _;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
use std::os::fd::{AsRawFd as _, OwnedFd};

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
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
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
/// one, and leaves no file behind.
///
/// # Errors
/// There is another.
pub fn lock(settings: &Settings) -> anyhow::Result<Lock> {
    let name = format!("uplinkd/{}/{}", settings.routing.protocol, settings.routing.first_table);
    let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .context("cannot make a socket")?;
    let address = UnixAddr::new_abstract(name.as_bytes()).context("cannot name a socket")?;
    bind(socket.as_raw_fd(), &address).map_err(|error| {
        if error == nix::Error::EADDRINUSE {
            anyhow::anyhow!(
                "another uplinkd already manages table {} here; stop it first, or give this one tables and a protocol of its own",
                settings.routing.first_table
            )
        } else {
            anyhow::Error::from(error).context("cannot take the lock")
        }
    })?;
    Ok(Lock { _socket: socket })
}
