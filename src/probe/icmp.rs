//! Probing by ICMP echo: one socket for all targets of an uplink and family.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use socket2::{SockAddr, Socket};

use super::clock::Moment;
use super::cookie::Key;
use super::facts::Facts;
use super::packet::{LENGTH, Label, Start};
use super::socket::{self, Opened};
use super::verify::Verifier;
use super::{Ask, Counters, Kind, Report, burst};
use crate::engine::Family;

/// The most probes that leave in one system call. They share one reading of the clock, so the last one's time includes
/// the sending of the others: some tenths of a millisecond.
pub const BURST: usize = 64;
/// The most packets that one system call takes in.
const BATCH: usize = 64;
/// The most such calls in one [`Prober::receive`]: enough for the answers of a thousand targets, and an end to it if
/// somebody sends faster than we read.
const BATCHES: usize = 16;
/// Room for one packet. The longest that says anything to us is an error with options in both IPv4 headers: 60 + 8 + 60
/// + 42. What is longer is cut, which loses only padding and extensions.
const SLOT: usize = 256;

/// Asks, and tells what comes back.
///
/// The device is held by its index: when an interface comes back with another one, open a new prober.
#[derive(Debug)]
pub struct Prober {
    socket: Socket,
    kind: Kind,
    verifier: Verifier,
    /// The count of drops that has been reported.
    drops: u32,
    /// The burst that is being sent: targets, their addresses, what is sent to them. Kept for its memory.
    targets: Vec<u16>,
    addresses: Vec<SockAddr>,
    packets: Vec<[u8; LENGTH]>,
    /// [`BATCH`] slots to receive into.
    slots: Box<[u8]>,
}

/// How a batch ended.
enum Batch {
    /// All slots were filled: there may be more.
    Full,
    /// Nothing is left.
    Drained,
    /// The socket told an error of the past, which is thereby gone.
    Cleared,
}

impl Prober {
    /// Opens the socket for an interface that now has this index: a raw one, or where that is not permitted an ICMP
    /// datagram socket. It is bound to its device and does not block.
    ///
    /// # Errors
    ///
    /// If the interface does not have the index (ENODEV), neither kind of socket is permitted, or an option without
    /// which probes would not be trustworthy cannot be set.
    pub fn open(interface: &str, index: u32, family: Family) -> io::Result<Self> {
        let key = Key::new();
        let opened = socket::open(interface, index, family, key.id())?;
        Ok(Self::with(opened, key, index, family))
    }

    fn with(opened: Opened, key: Key, device: u32, family: Family) -> Self {
        let Opened { socket, kind, id } = opened;
        let start = match (kind, family) {
            (Kind::Raw, Family::V4) => Start::Ip,
            (Kind::Raw, Family::V6) | (Kind::Datagram, Family::V4 | Family::V6) => Start::Icmp,
        };
        Self {
            drops: socket::drops(&socket),
            socket,
            kind,
            verifier: Verifier { key, family, start, id, device, counters: Counters::default() },
            targets: Vec::new(),
            addresses: Vec::new(),
            packets: Vec::new(),
            slots: vec![0; BATCH * SLOT].into_boxed_slice(),
        }
    }

    /// Sends one probe to each, in bursts of [`BURST`]. What cannot be sent is reported at once, and does not keep the
    /// rest from being sent.
    pub fn send(&mut self, round: u64, asks: &[Ask], out: &mut Vec<Report>) {
        for asks in asks.chunks(BURST) {
            self.prepare(round, asks, out);
            self.transmit(round, out);
        }
    }

    /// Writes the packets of a burst.
    fn prepare(&mut self, round: u64, asks: &[Ask], out: &mut Vec<Report>) {
        self.targets.clear();
        self.addresses.clear();
        self.packets.clear();
        let sent = Moment::now();
        for &Ask { target, address } in asks {
            if Family::of(address) != self.verifier.family {
                out.push(Report::NotSent { round, target, errno: libc::EAFNOSUPPORT });
                continue;
            }
            let mut packet = [0; LENGTH];
            self.verifier.write(&mut packet, address, Label { round, target, sent });
            self.targets.push(target);
            self.addresses.push(SocketAddr::new(address, 0).into());
            self.packets.push(packet);
        }
    }

    /// Sends the packets of a burst.
    fn transmit(&mut self, round: u64, out: &mut Vec<Report>) {
        let mut next = 0;
        // An error about an earlier probe waits on a datagram socket until some call tells it, and this is such a
        // call: there, only an error that comes twice is about the packet at hand.
        let mut doubt = self.kind == Kind::Datagram;
        while let Some(&target) = self.targets.get(next) {
            match burst::send(self.socket.as_fd(), &self.packets[next..], &self.addresses[next..]) {
                Ok(sent) => next += sent.max(1),
                Err(_) if doubt => {
                    doubt = false;
                    continue;
                }
                Err(error) => {
                    out.push(Report::NotSent {
                        round,
                        target,
                        errno: error.raw_os_error().unwrap_or(libc::EIO),
                    });
                    next += 1;
                }
            }
            doubt = self.kind == Kind::Datagram;
        }
    }

    /// Takes in what has come, up to a thousand packets, and says whether more may be there. If not, the socket was
    /// found empty, and its readiness may be cleared.
    ///
    /// On a [`Kind::Datagram`] socket ICMP errors do not make it readable but put it in error: wait for both.
    pub fn receive(&mut self, out: &mut Vec<Report>) -> bool {
        let mut more = self.take(MsgFlags::empty(), out);
        if self.kind == Kind::Datagram {
            more |= self.take(MsgFlags::MSG_ERRQUEUE, out);
        }
        let drops = socket::drops(&self.socket);
        let dropped = drops.wrapping_sub(self.drops);
        if dropped != 0 {
            self.drops = drops;
            out.push(Report::Overflow { dropped });
        }
        more
    }

    /// Counts of what came in and was not believed.
    pub fn counters(&self) -> Counters {
        self.verifier.counters
    }

    /// How it reaches the wire.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Empties the queue that `flags` name, within limits.
    fn take(&mut self, flags: MsgFlags, out: &mut Vec<Report>) -> bool {
        let mut more = false;
        for _ in 0..BATCHES {
            more = match self.batch(flags, out) {
                Batch::Full => true,
                Batch::Drained => return false,
                // Try again, but do not promise more: an error that stays must not keep anybody busy.
                Batch::Cleared => false,
            };
        }
        more
    }

    fn batch(&mut self, flags: MsgFlags, out: &mut Vec<Report>) -> Batch {
        // Made anew each time: the kernel shortens the room for ancillary data to what one packet used, and headers of
        // nix would keep it so for the next.
        let room =
            cmsg_space!(libc::timespec, libc::in6_pktinfo, libc::sock_extended_err, libc::sockaddr_in6);
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(room));
        let mut slots = self.slots.chunks_exact_mut(SLOT);
        let mut vectors: [[IoSliceMut<'_>; 1]; BATCH] =
            core::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let fd = self.socket.as_raw_fd();
        let messages =
            match recvmmsg(fd, &mut headers, vectors.iter_mut(), flags | MsgFlags::MSG_DONTWAIT, None) {
                Ok(messages) => messages,
                Err(Errno::EAGAIN) => return Batch::Drained,
                Err(_) => return Batch::Cleared,
            };
        let now = Moment::now();
        let mut count = 0;
        for message in messages {
            count += 1;
            let bytes = message.iovs().next().unwrap_or_default();
            let facts = Facts::of(&message);
            out.extend(if flags.contains(MsgFlags::MSG_ERRQUEUE) {
                self.verifier.judge_notice(&facts.notice(bytes))
            } else {
                self.verifier.judge(&facts.arrival(bytes), now)
            });
        }
        if count == BATCH { Batch::Full } else { Batch::Drained }
    }
}

impl AsFd for Prober {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Prober {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests;
