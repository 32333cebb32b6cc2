//! One epoll set for all sockets: however many uplinks there are, the runtime waits for one descriptor.

use crate::engine::Family;
use crate::machine::Id;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use tokio::io::unix::AsyncFd;

/// Whose socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// Netlink notifications.
    Monitor,
    /// A prober.
    Prober(Id, Family),
}

/// The set.
#[derive(Debug)]
pub struct Poller {
    set: AsyncFd<Set>,
}

#[derive(Debug)]
struct Set(Epoll);

impl AsRawFd for Set {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl AsFd for Set {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// Events taken at once; the rest is still there at the next call.
const EVENTS: usize = 64;

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// The kernel is out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let set = Set(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        #[expect(unsafe_code, reason = "tokio asks for the promise below")]
        // SAFETY: `Set` owns its descriptor, never replaces it, and closes it only when it is dropped.
        let set = unsafe { AsyncFd::register(set) }?;
        Ok(Self { set })
    }

    /// Adds a socket, to be told as long as it is readable.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn add(&mut self, socket: impl AsFd, token: Token) -> io::Result<()> {
        Ok(self.set.get_ref().0.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token.into()))?)
    }

    /// Removes a socket; one that is not in the set is no error.
    pub fn remove(&mut self, socket: impl AsFd) {
        _ = self.set.get_ref().0.delete(socket);
    }

    /// Waits until at least one socket is readable, and says which. Nothing is lost if it is cancelled.
    ///
    /// # Errors
    /// The set itself failed.
    pub async fn ready(&self) -> io::Result<Vec<Token>> {
        loop {
            let mut guard = self.set.readable().await?;
            let mut events = [EpollEvent::empty(); EVENTS];
            let count = self.set.get_ref().0.wait(&mut events, EpollTimeout::ZERO)?;
            if count > 0 {
                // The set stays readable while a socket is: the guard is kept, the next call looks again.
                guard.retain_ready();
                return Ok(events[..count].iter().map(|event| Token::from(event.data())).collect());
            }
            guard.clear_ready();
        }
    }
}

impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        match token {
            Token::Monitor => 0,
            Token::Prober(id, Family::V4) => 2 + 2 * Self::from(id),
            Token::Prober(id, Family::V6) => 3 + 2 * Self::from(id),
        }
    }
}

impl From<u64> for Token {
    fn from(number: u64) -> Self {
        let id = Id::try_from(number.saturating_sub(2) / 2).unwrap_or(Id::MAX);
        match number {
            0 | 1 => Self::Monitor,
            even if even.is_multiple_of(2) => Self::Prober(id, Family::V4),
            _ => Self::Prober(id, Family::V6),
        }
    }
}
