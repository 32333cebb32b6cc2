//! What the kernel says without being asked.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use netlink_packet_core::NLM_F_REPLACE;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use nix::errno::Errno;
use nix::libc;

use super::{DATAGRAM_BYTES, enlarge_receive_buffer, raw, receive};

/// Links, addresses, routes and rules of both families.
const GROUPS: [u32; 7] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];
/// Room for some five thousand notifications: a neighbour's routing daemon may bring its whole table at once.
const RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// After so many datagrams the caller gets a turn, however many more are waiting.
const DATAGRAMS_PER_TURN: usize = 256;

/// Why [`Monitor::receive`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Nothing more is waiting.
    Empty,
    /// The caller's turn; more is waiting.
    More,
    /// The kernel had to drop notifications. Read on until [`Drained::Empty`], then ask for everything anew.
    Overrun,
}

/// One thing that the kernel says without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What is there, or gone.
    pub message: RouteNetlinkMessage,
    /// It took the place of something that is gone, of which nothing is said.
    pub replaces: bool,
}

/// Notifications about links, addresses, routes and rules. Never blocks.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    datagram: Vec<u8>,
    skipped: u64,
    strangers: u64,
}

impl Monitor {
    /// Subscribes in the network namespace of the calling thread, with a receive buffer of so many bytes.
    ///
    /// # Errors
    /// The socket cannot be made or may not subscribe.
    pub fn open(receive_buffer: Option<usize>) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        enlarge_receive_buffer(&socket, receive_buffer.unwrap_or(RECEIVE_BUFFER_BYTES))?;
        socket.set_non_blocking(true)?;
        // The socket must be told when notifications were lost; this is the kernel's default, and we depend on it.
        socket.set_no_enobufs(false)?;
        socket.bind_auto()?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        Ok(Self { socket, datagram: Vec::with_capacity(DATAGRAM_BYTES), skipped: 0, strangers: 0 })
    }

    /// Appends what is waiting, up to a bounded number of datagrams.
    ///
    /// # Errors
    /// The socket is unusable. That no message is waiting, or that some were lost, is not an error.
    pub fn receive(&mut self, into: &mut Vec<Notification>) -> io::Result<Drained> {
        for _ in 0..DATAGRAMS_PER_TURN {
            match receive(&self.socket, &mut self.datagram) {
                Ok(0) => self.parse(into),
                Ok(_stranger) => self.strangers += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Drained::Empty),
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    return Ok(Drained::Overrun);
                }
                // Too long to be read is as good as lost.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(Drained::Overrun),
                Err(error) => return Err(error),
            }
        }
        Ok(Drained::More)
    }

    /// How many notifications could not be understood.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many datagrams came from another process and were ignored.
    #[must_use]
    pub fn strangers(&self) -> u64 {
        self.strangers
    }

    fn parse(&mut self, into: &mut Vec<Notification>) {
        for raw in raw::messages(&self.datagram).filter(|raw| raw.control().is_none()) {
            match raw.parse() {
                Ok(message) => into.push(Notification { message, replaces: raw.flags & NLM_F_REPLACE != 0 }),
                Err(_) => self.skipped += 1,
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
