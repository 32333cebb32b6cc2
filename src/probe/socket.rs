//! Opening the socket of a prober, and asking it what the kernel threw away.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use nix::{getsockopt_impl, sockopt_impl};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

use super::{Kind, filter};
use crate::engine::Family;

/// What may lie unread, and unsent, at one time, as we ask the kernel for it (it doubles this): the answers to a round
/// of a thousand targets, the most an uplink has, when drivers charge a page and a half for each. The default
/// of 212 kB has room for less than a third of them; the rest would be lost by us, and look like loss of the line.
const BUFFER: usize = 3 << 20;
/// SO_MEMINFO, which libc does not name; the same on every architecture that shares the generic numbers.
const SO_MEMINFO: libc::c_int = 55;
/// How many numbers SO_MEMINFO tells (up to the count of drops).
const MEMINFO: usize = 9;

sockopt_impl!(
    /// What the socket's memory is used for, and what was dropped.
    MemInfo,
    GetOnly,
    libc::SOL_SOCKET,
    SO_MEMINFO,
    [u32; MEMINFO]
);

/// A socket ready to probe.
#[derive(Debug)]
pub(super) struct Opened {
    /// The socket: non-blocking, bound to its device.
    pub(super) socket: Socket,
    /// Its kind.
    pub(super) kind: Kind,
    /// The ICMP id that its packets bear.
    pub(super) id: u16,
}

/// Opens a raw socket, or where that is not permitted a datagram socket. `id` is the ICMP id to use if it is ours to
/// choose.
pub(super) fn open(interface: &str, index: u32, family: Family, id: u16) -> io::Result<Opened> {
    let (domain, protocol) = match family {
        Family::V4 => (Domain::IPV4, Protocol::ICMPV4),
        Family::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let (socket, kind) = match Socket::new(domain, Type::RAW, Some(protocol)) {
        Ok(socket) => (socket, Kind::Raw),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            (Socket::new(domain, Type::DGRAM, Some(protocol))?, Kind::Datagram)
        }
        Err(error) => return Err(error),
    };
    // The kernel would cut a name that is too long, take an empty one for "any device", and look up whichever device
    // bears the name by now. Behind the socket: without descriptors this, too, fails, and for no reason that it can tell.
    if if_nametoindex(interface)? != index {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    match kind {
        Kind::Raw => raw(socket, interface, family, id),
        Kind::Datagram => datagram(socket, interface, family),
    }
}

/// Makes a raw socket ready.
fn raw(socket: Socket, interface: &str, family: Family, id: u16) -> io::Result<Opened> {
    let program: Vec<SockFilter> = filter::program(family, id)
        .iter()
        .map(|step| SockFilter::new(step.code, step.jt, step.jf, step.k))
        .collect();
    socket.attach_filter(&program)?;
    prepare(&socket, interface, family)?;
    Ok(Opened { socket, kind: Kind::Raw, id })
}

/// Makes a datagram socket ready. The kernel gives it its id when it is bound, hands it only the replies with that id,
/// and queues errors about what it sent.
pub(super) fn datagram(socket: Socket, interface: &str, family: Family) -> io::Result<Opened> {
    prepare(&socket, interface, family)?;
    let any: SocketAddr = match family {
        Family::V4 => {
            setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
            (Ipv4Addr::UNSPECIFIED, 0).into()
        }
        Family::V6 => {
            setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
            (Ipv6Addr::UNSPECIFIED, 0).into()
        }
    };
    socket.bind(&SockAddr::from(any))?;
    let id = socket.local_addr()?.as_socket().map_or(0, |local| local.port());
    Ok(Opened { socket, kind: Kind::Datagram, id })
}

fn prepare(socket: &Socket, interface: &str, family: Family) -> io::Result<()> {
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_nonblocking(true)?;
    setsockopt(socket, sockopt::ReceiveTimestampns, &true)?;
    match family {
        Family::V4 => setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?,
        Family::V6 => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?,
    }
    // By right of CAP_NET_ADMIN, else as much as the system allows to everybody.
    if setsockopt(socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &BUFFER)?;
    }
    if setsockopt(socket, sockopt::SndBufForce, &BUFFER).is_err() {
        setsockopt(socket, sockopt::SndBuf, &BUFFER)?;
    }
    Ok(())
}

/// How many packets the kernel has thrown away for want of room since the socket was made; it wraps.
///
/// This is the number that SO_RXQ_OVFL attaches to packets, asked for instead: attached, it is told only by the *next*
/// packet that finds room, which after an overflowing round is one of the next round, when the verdict has been given.
pub(super) fn drops(socket: &Socket) -> u32 {
    getsockopt(socket, MemInfo).map_or(0, |[.., drops]| drops)
}
