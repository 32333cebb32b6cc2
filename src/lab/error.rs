//! Why there is no lab.

use std::io;

use crate::kernel::socket::Refused;

/// The lab cannot be built or changed.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The process has threads already, which cannot follow it into a user namespace.
    #[error("the lab must be entered before the first thread starts")]
    Threads,
    /// This machine forbids namespaces.
    #[error("namespaces are forbidden here ({source}): {advice}")]
    Forbidden {
        /// What the kernel said.
        source: io::Error,
        /// Which setting is in the way, and what to do about it.
        advice: String,
    },
    /// A system call failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was attempted.
        doing: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a change of links, addresses or routes.
    #[error("cannot {doing}: {refused}")]
    Refused {
        /// What was attempted.
        doing: String,
        /// What the kernel said.
        refused: Refused,
    },
    /// There is no uplink of this number, or it has no interface at present.
    #[error("there is no uplink number {0}")]
    NoUplink(usize),
}

impl LabError {
    /// To be used with `map_err`.
    pub(super) fn io<E: Into<io::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { doing: doing.into(), source: source.into() }
    }
}
