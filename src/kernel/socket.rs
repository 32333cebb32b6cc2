//! Our own thin netlink: requests that are answered before the call returns, and a stream of notifications.
//!
//! rtnetlink handles a request inside the send call, so its acknowledgement is already in the receive queue when the
//! call returns. [`Requests`] is therefore synchronous: there is nothing to wait for and no task to schedule. What the
//! kernel says by itself arrives on a [`Monitor`], which never blocks and never shares a socket with requests, so a
//! flood of notifications cannot push an acknowledgement out.

mod monitor;
pub(super) mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

pub use monitor::{Drained, Monitor, Notification};
use raw::Control;
pub use raw::RouteHead;

/// One datagram carries at most this many requests: their acknowledgements must fit the receive queue together, and
/// the routing lock is not held for longer than about a millisecond at a stretch.
const BATCH_MESSAGES: usize = 128;
/// One datagram of requests is closed once it is this long; the default send buffer holds six of them.
const BATCH_BYTES: usize = 32 * 1024;
/// Both directions. An acknowledgement costs the queue under 1 KiB, a part of a dump 32 KiB.
const BUFFER_BYTES: usize = 1024 * 1024;
/// Larger than any datagram the kernel builds: parts of a dump end at 32 KiB.
const DATAGRAM_BYTES: usize = 64 * 1024;
/// Acknowledgements are there when the send returns. One that is not has been lost, and nobody may wait for it forever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often one dump is begun, before we say that the table changes faster than it can be read.
const DUMP_ATTEMPTS: usize = 5;

/// The kernel refused one request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} ({errno}){}", Errno::from_raw(*errno).desc(), text.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct Refused {
    /// Why, as a positive error number.
    pub errno: i32,
    /// Why, in the kernel's words, where it has any.
    pub text: Option<String>,
}

impl Refused {
    /// Whether the reason is this one.
    #[must_use]
    pub fn is(&self, errno: Errno) -> bool {
        self.errno == errno as i32
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::from_raw_os_error(refused.errno)
    }
}

/// A socket for requests, each answered before the call returns.
#[derive(Debug)]
pub struct Requests {
    socket: Socket,
    /// The last sequence number used. Answers to older requests, left behind by a call that failed, are told by it.
    sequence: u32,
    datagram: Vec<u8>,
    skipped: u64,
}

impl Requests {
    /// Opens the socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// The socket cannot be made, or the kernel knows neither extended acknowledgements nor strict checking of dumps
    /// (Linux before 4.20).
    pub fn open() -> io::Result<Self> {
        Self::open_for(NETLINK_ROUTE)
    }

    /// The same for another part of the kernel.
    pub(super) fn open_for(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_ext_ack(true)?;
        // Without this a refusal quotes the whole request, which we still have.
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        enlarge_receive_buffer(&socket, BUFFER_BYTES)?;
        if setsockopt(&socket, sockopt::SndBufForce, &BUFFER_BYTES).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &BUFFER_BYTES)?;
        }
        let timeout = TimeVal::milliseconds(i64::try_from(ANSWER_TIMEOUT.as_millis()).unwrap_or(i64::MAX));
        setsockopt(&socket, sockopt::ReceiveTimeout, &timeout)?;
        Ok(Self { socket, sequence: 0, datagram: Vec::with_capacity(DATAGRAM_BYTES), skipped: 0 })
    }

    /// Sends all requests, in order and in as few datagrams as is sensible, and returns what became of each.
    ///
    /// The second half of each pair are the flags beside the obvious ones: `NLM_F_CREATE`, `NLM_F_EXCL`,
    /// `NLM_F_REPLACE`, `NLM_F_APPEND`. The kernel goes on after a refused request of a batch.
    ///
    /// # Errors
    /// Sending failed or an acknowledgement was lost. Some of the requests may have taken effect then: look before
    /// trying again.
    pub fn transact(
        &mut self,
        messages: Vec<(RouteNetlinkMessage, u16)>,
    ) -> io::Result<Vec<Result<(), Refused>>> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut batch = Vec::new();
        let mut queued = 0;
        for (message, flags) in messages {
            let bytes = self.serialize(&mut envelope(message, NLM_F_ACK | flags))?;
            if queued > 0 && (queued == BATCH_MESSAGES || batch.len() + bytes.len() > BATCH_BYTES) {
                self.exchange(&batch, queued, &mut outcomes)?;
                batch.clear();
                queued = 0;
            }
            batch.extend_from_slice(&bytes);
            queued += 1;
        }
        if queued > 0 {
            self.exchange(&batch, queued, &mut outcomes)?;
        }
        Ok(outcomes)
    }

    /// Everything that matches the request. A dump that the kernel calls inconsistent is read again.
    ///
    /// The table of a route dump need not exist: then there is nothing in it.
    ///
    /// # Errors
    /// The kernel refused, or the table changed during each of several attempts ([`io::ErrorKind::Interrupted`]).
    pub fn dump(&mut self, request: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.dump_where(request, |_| true)
    }

    /// As [`Requests::dump`], but of routes only those that pass: a table of the whole Internet is read, not kept.
    ///
    /// # Errors
    /// As [`Requests::dump`].
    pub fn dump_where(
        &mut self,
        request: RouteNetlinkMessage,
        keep: impl Fn(RouteHead) -> bool,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let may_be_missing = matches!(request, RouteNetlinkMessage::GetRoute(_));
        let mut request = envelope(request, NLM_F_DUMP);
        for _ in 0..DUMP_ATTEMPTS {
            match self.dump_once(&mut request, &keep)? {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(refused) if may_be_missing && refused.is(Errno::ENOENT) => return Ok(Vec::new()),
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the table changed during each attempt to dump it"))
    }

    /// One object, for example a link by its index.
    ///
    /// # Errors
    /// Sending failed or the answer was lost. A refusal is the inner result.
    pub fn get(&mut self, request: RouteNetlinkMessage) -> io::Result<Result<RouteNetlinkMessage, Refused>> {
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is not general enough in its lifetime"
        )]
        self.answer(request, |object| object.parse())
    }

    /// The flags of one link (`IFF_UP` and so on), without reading the rest of what the kernel tells of it.
    ///
    /// # Errors
    /// As [`Requests::get`].
    pub fn link_flags(&mut self, request: RouteNetlinkMessage) -> io::Result<Result<u32, Refused>> {
        self.answer(request, |object| {
            object
                .link_flags()
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no link in the answer"))
        })
    }

    /// One object, read as is wanted.
    fn answer<T>(
        &mut self,
        request: RouteNetlinkMessage,
        read: impl Fn(&raw::Raw<'_>) -> io::Result<T>,
    ) -> io::Result<Result<T, Refused>> {
        let bytes = self.serialize(&mut envelope(request, 0))?;
        self.send(&bytes)?;
        loop {
            self.receive()?;
            for message in raw::messages(&self.datagram).filter(|found| found.sequence == self.sequence) {
                match message.control() {
                    Some(Control::Ended(Err(refused))) => return Ok(Err(refused)),
                    Some(Control::Ended(Ok(())) | Control::Nothing) => {}
                    None => return read(&message).map(Ok),
                }
            }
        }
    }

    /// How many messages of dumps could not be understood and were left out.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// `Ok(None)` is a dump that was interrupted by a change.
    fn dump_once(
        &mut self,
        request: &mut NetlinkMessage<RouteNetlinkMessage>,
        keep: &impl Fn(RouteHead) -> bool,
    ) -> io::Result<Result<Option<Vec<RouteNetlinkMessage>>, Refused>> {
        let bytes = self.serialize(request)?;
        self.send(&bytes)?;
        let (mut found, mut interrupted) = (Vec::new(), false);
        loop {
            self.receive()?;
            // Read to the end whatever happens: a socket has one dump at a time, an abandoned one blocks the next.
            for message in raw::messages(&self.datagram).filter(|found| found.sequence == self.sequence) {
                interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                match message.control() {
                    Some(Control::Ended(Err(refused))) => return Ok(Err(refused)),
                    Some(Control::Ended(Ok(()))) => return Ok(Ok((!interrupted).then_some(found))),
                    Some(Control::Nothing) => {}
                    None if message.route().is_some_and(|head| !keep(head)) => {}
                    None => match message.parse() {
                        Ok(object) => found.push(object),
                        Err(_) => self.skipped += 1,
                    },
                }
            }
        }
    }

    /// One request as bytes, padded, under the next sequence number.
    fn serialize(&mut self, message: &mut NetlinkMessage<RouteNetlinkMessage>) -> io::Result<Vec<u8>> {
        message.header.sequence_number = self.next_sequence();
        let length = message.buffer_len();
        if length > BUFFER_BYTES / 2 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "one netlink request of this size"));
        }
        let mut bytes = vec![0; raw::align(length)];
        message.serialize(&mut bytes);
        Ok(bytes)
    }

    pub(super) fn next_sequence(&mut self) -> u32 {
        // Zero is what the kernel puts into notifications.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.sequence
    }

    /// What was received last.
    pub(super) fn datagram(&self) -> &[u8] {
        &self.datagram
    }

    /// Sends one batch, whose last request has the present sequence number, and collects its acknowledgements.
    pub(super) fn exchange(
        &mut self,
        batch: &[u8],
        count: usize,
        outcomes: &mut Vec<Result<(), Refused>>,
    ) -> io::Result<()> {
        let mut missing: BTreeMap<u32, usize> = raw::messages(batch)
            .zip(outcomes.len()..)
            .map(|(request, place)| (request.sequence, place))
            .collect();
        debug_assert_eq!(missing.len(), count);
        // Every place is overwritten before this returns without an error.
        outcomes.resize(outcomes.len() + count, Ok(()));
        self.send(batch)?;
        while !missing.is_empty() {
            self.receive()?;
            for message in raw::messages(&self.datagram) {
                let Some(Control::Ended(outcome)) = message.control() else { continue };
                let Some(place) = missing.remove(&message.sequence) else { continue };
                if let Some(slot) = outcomes.get_mut(place) {
                    *slot = outcome;
                }
            }
        }
        Ok(())
    }

    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let sent = retry(|| self.socket.send_to(bytes, &SocketAddr::new(0, 0), 0))?;
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::WriteZero, "netlink took a part of a datagram"))
        }
    }

    /// The next datagram from the kernel, into `self.datagram`.
    pub(super) fn receive(&mut self) -> io::Result<()> {
        loop {
            match receive(&self.socket, &mut self.datagram) {
                Ok(0) => return Ok(()),
                Ok(_stranger) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer from netlink"));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn envelope(message: RouteNetlinkMessage, flags: u16) -> NetlinkMessage<RouteNetlinkMessage> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    message
}

/// Reads one datagram and returns the port of its sender, which is 0 for the kernel.
fn receive(socket: &Socket, datagram: &mut Vec<u8>) -> io::Result<u32> {
    let (length, sender) = retry(|| {
        datagram.clear();
        // The length of the whole datagram, even if it does not fit.
        socket.recv_from(datagram, nix::libc::MSG_TRUNC)
    })?;
    if length > datagram.len() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a netlink datagram longer than any should be",
        ));
    }
    Ok(sender.port_number())
}

/// Beyond the administrator's limit where we may, up to it otherwise.
fn enlarge_receive_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &bytes)?;
    }
    Ok(())
}

/// Again after a signal.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
