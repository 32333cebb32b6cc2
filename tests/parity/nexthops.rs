//! Nexthop objects of the real kernel: asked for, dumped and listened to. The packet library does not know their
//! messages, so bytes are written and read here.

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteAttribute;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use std::io;
use std::net::IpAddr;
use uplinkd::engine::Family;
use uplinkd::engine::route::Hop;
use uplinkd::kernel::decode;
use uplinkd::kernel::socket::Notification;
use uplinkd::sim::kernel::{Member, Nexthop, NexthopKind, PutNexthop, Told};

/// linux/rtnetlink.h.
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;
const RTM_GETNEXTHOP: u16 = 106;
/// linux/nexthop.h.
const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const RTNH_F_ONLINK: u32 = 4;
/// struct nlmsghdr and struct nhmsg.
const HEADERS: usize = 16 + 8;
/// No part of a dump is longer.
const DATAGRAM: usize = 64 * 1024;
const GROUPS: [u32; 3] = [libc::RTNLGRP_NEXTHOP, libc::RTNLGRP_IPV4_ROUTE, libc::RTNLGRP_IPV6_ROUTE];

/// A socket for requests about objects, and one that hears of them and of the routes that name them.
pub(super) struct Nexthops {
    requests: Socket,
    listener: Socket,
    sequence: u32,
}

/// One message.
struct Raw<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    whole: &'a [u8],
}

impl Nexthops {
    /// In the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let mut requests = Socket::new(NETLINK_ROUTE)?;
        requests.bind_auto()?;
        requests.set_netlink_get_strict_chk(true)?;
        let mut listener = Socket::new(NETLINK_ROUTE)?;
        listener.set_non_blocking(true)?;
        listener.bind_auto()?;
        for group in GROUPS {
            listener.add_membership(group)?;
        }
        Ok(Self { requests, listener, sequence: 0 })
    }

    pub(super) fn put(&mut self, nexthop: &Nexthop, put: PutNexthop) -> io::Result<Result<(), i32>> {
        let flags = match put {
            PutNexthop::Exclusive => NLM_F_CREATE | NLM_F_EXCL,
            PutNexthop::Append => NLM_F_CREATE | NLM_F_APPEND,
            PutNexthop::Plain => 0,
            PutNexthop::Replace => NLM_F_CREATE | NLM_F_REPLACE,
            PutNexthop::Change => NLM_F_REPLACE,
        };
        let mut attributes = attribute(NHA_ID, &nexthop.id.to_ne_bytes());
        let (family, onlink) = match &nexthop.kind {
            NexthopKind::Blackhole(family) => {
                attributes.extend(attribute(NHA_BLACKHOLE, &[]));
                (number(*family), false)
            }
            NexthopKind::Single { family, hop, onlink } => {
                attributes.extend(attribute(NHA_OIF, &hop.index.to_ne_bytes()));
                match hop.via {
                    Some(IpAddr::V4(via)) => attributes.extend(attribute(NHA_GATEWAY, &via.octets())),
                    Some(IpAddr::V6(via)) => attributes.extend(attribute(NHA_GATEWAY, &via.octets())),
                    None => {}
                }
                (number(*family), *onlink)
            }
            NexthopKind::Group(members) => {
                let members: Vec<u8> = members.iter().copied().flat_map(member_bytes).collect();
                attributes.extend(attribute(NHA_GROUP, &members));
                (libc::AF_UNSPEC, false)
            }
        };
        let family = u8::try_from(family).map_err(io::Error::other)?;
        let [a, b, c, d] = if onlink { RTNH_F_ONLINK } else { 0 }.to_ne_bytes();
        let head = [family, 0, nexthop.protocol, 0, a, b, c, d];
        self.transact(RTM_NEWNEXTHOP, flags, &[head.as_slice(), &attributes].concat())
    }

    pub(super) fn delete(&mut self, id: u32) -> io::Result<Result<(), i32>> {
        self.transact(RTM_DELNEXTHOP, 0, &[[0; 8].as_slice(), &attribute(NHA_ID, &id.to_ne_bytes())].concat())
    }

    /// All of them, each with how far its gateway is.
    pub(super) fn dump(&mut self) -> io::Result<Vec<(Nexthop, u8)>> {
        let flags = u16::try_from(libc::NLM_F_DUMP).map_err(io::Error::other)?;
        self.send(RTM_GETNEXTHOP, flags, &[0; 8])?;
        let mut found = vec![];
        loop {
            let datagram = receive(&self.requests)?;
            for raw in messages(&datagram).filter(|raw| raw.sequence == self.sequence) {
                match i32::from(raw.kind) {
                    libc::NLMSG_DONE => return Ok(found),
                    libc::NLMSG_ERROR => {
                        return Err(io::Error::other("a dump of nexthop objects is refused"));
                    }
                    _ => found.push(nexthop(&raw)?),
                }
            }
        }
    }

    /// What it has heard since the last call of objects, and of routes that name one.
    pub(super) fn news(&mut self) -> io::Result<Vec<Told>> {
        let mut told = vec![];
        loop {
            match receive(&self.listener) {
                Ok(datagram) => {
                    for raw in messages(&datagram) {
                        told.extend(self::told(&raw)?);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(told),
                Err(error) => return Err(error),
            }
        }
    }

    fn transact(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<Result<(), i32>> {
        let ack = u16::try_from(libc::NLM_F_ACK).map_err(io::Error::other)?;
        self.send(kind, flags | ack, body)?;
        loop {
            let datagram = receive(&self.requests)?;
            let found = messages(&datagram).find(|raw| raw.sequence == self.sequence);
            if let Some(raw) = found {
                let code = u32_at(raw.whole, 16)?.cast_signed();
                return Ok(if code == 0 { Ok(()) } else { Err(-code) });
            }
        }
    }

    fn send(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let request = u16::try_from(libc::NLM_F_REQUEST).map_err(io::Error::other)?;
        let mut bytes = u32::try_from(16 + body.len()).map_err(io::Error::other)?.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((request | flags).to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        self.requests.send_to(&bytes, &SocketAddr::new(0, 0), 0).map(|_| ())
    }
}

/// The object that a route names.
pub(super) fn named(message: &RouteNetlinkMessage) -> Option<u32> {
    let (RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route)) = message else {
        return None;
    };
    let id =
        |attribute: &RouteAttribute| if let RouteAttribute::NhId(id) = attribute { Some(*id) } else { None };
    route.attributes.iter().find_map(id)
}

fn told(raw: &Raw<'_>) -> io::Result<Vec<Told>> {
    let replaces = raw.flags & NLM_F_REPLACE != 0;
    match raw.kind {
        RTM_NEWNEXTHOP => {
            nexthop(raw).map(|(nexthop, scope)| vec![Told::Nexthop { nexthop, scope, replaces }])
        }
        RTM_DELNEXTHOP => nexthop(raw).map(|(nexthop, scope)| vec![Told::NexthopGone { nexthop, scope }]),
        _ => {
            let message = NetlinkMessage::deserialize(raw.whole).map_err(io::Error::other)?;
            let NetlinkPayload::InnerMessage(message) = message.payload else { return Ok(vec![]) };
            let Some(id) = named(&message) else { return Ok(vec![]) };
            let inputs = decode::news(&Notification { message, replaces });
            Ok(inputs.into_iter().map(|input| Told::RouteBy(input, id)).collect())
        }
    }
}

fn number(family: Family) -> i32 {
    match family {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    }
}

/// struct nexthop_grp: the weight, less one, in two pieces.
fn member_bytes(member: Member) -> [u8; 8] {
    let [a, b, c, d] = member.id.to_ne_bytes();
    let [.., high, low] = member.weight.wrapping_sub(1).to_be_bytes();
    [a, b, c, d, low, high, 0, 0]
}

fn nexthop(raw: &Raw<'_>) -> io::Result<(Nexthop, u8)> {
    let broken = || io::Error::other("a message about a nexthop object that makes no sense");
    let head: [u8; 8] = *raw.whole.get(16..).and_then(|head| head.first_chunk()).ok_or_else(broken)?;
    let [family, scope, protocol, _, flags @ ..] = head;
    let flags = u32::from_ne_bytes(flags);
    if flags & !RTNH_F_ONLINK != 0 {
        return Err(io::Error::other(format!("a nexthop object with flags {flags:#x}")));
    }
    let family = if i32::from(family) == libc::AF_INET6 { Family::V6 } else { Family::V4 };
    let (mut id, mut hop, mut members, mut blackhole) = (0, Hop { via: None, index: 0 }, None, false);
    let mut rest = raw.whole.get(HEADERS..).unwrap_or_default();
    while let Ok(length) = u16_at(rest, 0) {
        let value = rest.get(4..usize::from(length)).ok_or_else(broken)?;
        match u16_at(rest, 2)? {
            NHA_ID => id = u32_at(value, 0)?,
            NHA_OIF => hop.index = u32_at(value, 0)?,
            NHA_BLACKHOLE => blackhole = true,
            NHA_GATEWAY => {
                let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
                let via = four.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from));
                hop.via = Some(via.map_err(|_| broken())?);
            }
            NHA_GROUP => {
                let member = |bytes: &[u8]| {
                    let weight = u32::from(bytes[5]) << 8 | u32::from(bytes[4]);
                    Ok(Member { id: u32_at(bytes, 0)?, weight: weight + 1 })
                };
                members = Some(value.chunks_exact(8).map(member).collect::<io::Result<Vec<Member>>>()?);
            }
            _ => {}
        }
        rest = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
    }
    let onlink = flags & RTNH_F_ONLINK != 0;
    let kind = match members {
        Some(members) => NexthopKind::Group(members),
        None if blackhole => NexthopKind::Blackhole(family),
        None => NexthopKind::Single { family, hop, onlink },
    };
    Ok((Nexthop { id, protocol, kind }, scope))
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn receive(socket: &Socket) -> io::Result<Vec<u8>> {
    let mut datagram = Vec::with_capacity(DATAGRAM);
    socket.recv_from(&mut datagram, 0)?;
    Ok(datagram)
}

fn messages(datagram: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0).ok()?).ok()?;
        let whole = rest.get(..length).filter(|whole| whole.len() >= 16)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        let (kind, flags) = (u16_at(whole, 4).ok()?, u16_at(whole, 6).ok()?);
        Some(Raw { kind, flags, sequence: u32_at(whole, 8).ok()?, whole })
    })
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    found.map(|bytes| u16::from_ne_bytes(*bytes)).ok_or_else(|| io::Error::other("a short message"))
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    let found = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    found.map(|bytes| u32::from_ne_bytes(*bytes)).ok_or_else(|| io::Error::other("a short message"))
}
