//! Ethernet frames as the lab's internet reads and writes them. Pure functions over bytes.
//!
//! Answers are made from the question: mirrored, changed where the answer differs, and sealed with fresh checksums
//! (a veth delivers what a local socket sends with its checksum still unfinished).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::arp::{ArpOperations, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::icmp::IcmpTypes;
use pnet::packet::icmpv6::Icmpv6Types;
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;
use pnet::packet::util;

/// Length of an Ethernet header.
pub(super) const ETHERNET: usize = 14;
/// Length of the headers of ICMP echo and of UDP.
pub(super) const TRANSPORT: usize = 8;
const IPV4: usize = 20;
const IPV6: usize = 40;
/// Length of a neighbour advertisement with one option.
const ADVERTISEMENT: usize = 32;
/// What a host puts into the packets it sends.
const HOP_LIMIT: u8 = 64;

/// What a frame asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Who has this IPv4 address?
    Arp,
    /// Who has this IPv6 address?
    Neighbour,
    /// Are you there?
    Echo,
    /// A datagram for this port.
    Udp(u16),
    /// Any other packet of IP.
    Other,
}

/// A frame that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) question: Question,
    pub(super) source: IpAddr,
    /// Whom the packet is for; for ARP and neighbour solicitations, who is sought.
    pub(super) destination: IpAddr,
    /// Where the transport header begins, and the packet ends.
    pub(super) transport: usize,
    pub(super) end: usize,
}

impl Reading {
    /// What a question carries behind its transport header.
    pub(super) fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(self.transport + TRANSPORT..self.end).unwrap_or_default()
    }
}

/// Reads a frame; `None` for whatever is broken or no business of the lab.
pub(super) fn read(frame: &[u8]) -> Option<Reading> {
    match EthernetPacket::new(frame)?.get_ethertype() {
        EtherTypes::Arp => read_arp(frame),
        EtherTypes::Ipv4 => read_v4(frame),
        EtherTypes::Ipv6 => read_v6(frame),
        _ => None,
    }
}

fn read_arp(frame: &[u8]) -> Option<Reading> {
    let arp = ArpPacket::new(frame.get(ETHERNET..)?)?;
    (arp.get_operation() == ArpOperations::Request).then(|| Reading {
        question: Question::Arp,
        source: arp.get_sender_proto_addr().into(),
        destination: arp.get_target_proto_addr().into(),
        transport: ETHERNET,
        end: ETHERNET + MutableArpPacket::minimum_packet_size(),
    })
}

fn read_v4(frame: &[u8]) -> Option<Reading> {
    let ip = Ipv4Packet::new(frame.get(ETHERNET..)?)?;
    let header = usize::from(ip.get_header_length()) * 4;
    let transport = ETHERNET + header;
    let end = ETHERNET + usize::from(ip.get_total_length());
    if header < IPV4 || end < transport || end > frame.len() {
        return None;
    }
    // A fragment other than the first has no transport header, and the lab keeps no fragments.
    let fragment = ip.get_fragment_offset() != 0 || ip.get_flags() & 1 != 0;
    let body = frame.get(transport..end)?;
    let question = match ip.get_next_level_protocol() {
        _ if fragment || body.len() < TRANSPORT => Question::Other,
        IpNextHeaderProtocols::Icmp if body.first() == Some(&IcmpTypes::EchoRequest.0) => Question::Echo,
        IpNextHeaderProtocols::Udp => Question::Udp(u16_at(body, 2)?),
        _ => Question::Other,
    };
    let (source, destination) = (ip.get_source().into(), ip.get_destination().into());
    Some(Reading { question, source, destination, transport, end })
}

fn read_v6(frame: &[u8]) -> Option<Reading> {
    let ip = Ipv6Packet::new(frame.get(ETHERNET..)?)?;
    let transport = ETHERNET + IPV6;
    let end = transport + usize::from(ip.get_payload_length());
    let body = frame.get(transport..end)?;
    let (source, mut destination) = (IpAddr::V6(ip.get_source()), IpAddr::V6(ip.get_destination()));
    let kind = body.first().copied();
    let question = match ip.get_next_header() {
        _ if body.len() < TRANSPORT => Question::Other,
        IpNextHeaderProtocols::Icmpv6 if kind == Some(Icmpv6Types::EchoRequest.0) => Question::Echo,
        IpNextHeaderProtocols::Icmpv6 if kind == Some(Icmpv6Types::NeighborSolicit.0) => {
            destination = IpAddr::V6(Ipv6Addr::from(*body.get(8..)?.first_chunk::<16>()?));
            Question::Neighbour
        }
        IpNextHeaderProtocols::Udp => Question::Udp(u16_at(body, 2)?),
        _ => Question::Other,
    };
    Some(Reading { question, source, destination, transport, end })
}

/// "It is me", to an ARP request.
pub(super) fn arp_reply(frame: &[u8], mac: [u8; 6]) -> Option<Vec<u8>> {
    let mut reply = frame.get(..ETHERNET + MutableArpPacket::minimum_packet_size())?.to_vec();
    let (asker, sought) = {
        let question = ArpPacket::new(frame.get(ETHERNET..)?)?;
        ((question.get_sender_hw_addr(), question.get_sender_proto_addr()), question.get_target_proto_addr())
    };
    return_to_sender(&mut reply, mac);
    let mut arp = MutableArpPacket::new(reply.get_mut(ETHERNET..)?)?;
    arp.set_operation(ArpOperations::Reply);
    arp.set_sender_hw_addr(mac.into());
    arp.set_sender_proto_addr(sought);
    arp.set_target_hw_addr(asker.0);
    arp.set_target_proto_addr(asker.1);
    Some(reply)
}

/// "It is me", to a neighbour solicitation. Nobody is told who only checks that an address is free.
pub(super) fn advertisement(frame: &[u8], reading: &Reading, mac: [u8; 6]) -> Option<Vec<u8>> {
    let (IpAddr::V6(asker), IpAddr::V6(sought)) = (reading.source, reading.destination) else { return None };
    if asker.is_unspecified() {
        return None;
    }
    let mut reply = frame.get(..reading.transport)?.to_vec();
    reply.resize(reading.transport + ADVERTISEMENT, 0);
    return_to_sender(&mut reply, mac);
    address_v6(&mut reply, sought, asker)?;
    write(&mut reply, ETHERNET + 4, &[0, u8::try_from(ADVERTISEMENT).ok()?])?;
    let body = reply.get_mut(reading.transport..)?;
    write(body, 0, &[Icmpv6Types::NeighborAdvert.0, 0])?;
    // Router, solicited, override.
    write(body, 4, &[0xe0])?;
    write(body, 8, &sought.octets())?;
    // Option: target link-layer address, of one unit of eight bytes.
    write(body, 24, &[2, 1])?;
    write(body, 26, &mac)?;
    let end = reply.len();
    seal(&mut reply, reading.transport, end)?;
    Some(reply)
}

/// The answer to an echo request or to a datagram: the same, the other way round.
pub(super) fn mirror(frame: &[u8], reading: &Reading, mac: [u8; 6]) -> Option<Vec<u8>> {
    let mut reply = frame.get(..reading.end)?.to_vec();
    return_to_sender(&mut reply, mac);
    match (reading.source, reading.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            address_v4(&mut reply, destination, source)?;
            *reply.get_mut(ETHERNET + 8)? = HOP_LIMIT;
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            address_v6(&mut reply, destination, source)?;
            *reply.get_mut(ETHERNET + 7)? = HOP_LIMIT;
        }
        _ => return None,
    }
    let body = reply.get_mut(reading.transport..)?;
    match reading.question {
        Question::Echo if reading.source.is_ipv4() => *body.first_mut()? = IcmpTypes::EchoReply.0,
        Question::Echo => *body.first_mut()? = Icmpv6Types::EchoReply.0,
        Question::Udp(_) => body.get_mut(..4)?.rotate_left(2),
        Question::Arp | Question::Neighbour | Question::Other => return None,
    }
    seal(&mut reply, reading.transport, reading.end)?;
    Some(reply)
}

/// An ICMP error of some type and code about a frame, which it quotes as today's routers do, from a router of this address.
pub(super) fn complaint(
    frame: &[u8],
    reading: &Reading,
    mac: [u8; 6],
    router: IpAddr,
    (kind, code): (u8, u8),
) -> Option<Vec<u8>> {
    // As much as fits: RFC 1812, 4.3.2.3, and RFC 4443, 2.4.
    let quote = match router {
        IpAddr::V4(_) => 576 - IPV4 - TRANSPORT,
        IpAddr::V6(_) => 1280 - IPV6 - TRANSPORT,
    };
    let quoted = frame.get(ETHERNET..reading.end.min(ETHERNET + quote))?;
    let length = TRANSPORT + quoted.len();
    let mut out = frame.get(..ETHERNET)?.to_vec();
    return_to_sender(&mut out, mac);
    let transport = match (reading.source, router) {
        (IpAddr::V4(asker), IpAddr::V4(router)) => {
            let total = u16::try_from(IPV4 + length).ok()?.to_be_bytes();
            out.extend([
                0x45,
                0,
                total[0],
                total[1],
                0,
                0,
                0,
                0,
                HOP_LIMIT,
                IpNextHeaderProtocols::Icmp.0,
                0,
                0,
            ]);
            out.resize(ETHERNET + IPV4, 0);
            address_v4(&mut out, router, asker)?;
            ETHERNET + IPV4
        }
        (IpAddr::V6(asker), IpAddr::V6(router)) => {
            let payload = u16::try_from(length).ok()?.to_be_bytes();
            out.extend([0x60, 0, 0, 0, payload[0], payload[1], IpNextHeaderProtocols::Icmpv6.0, HOP_LIMIT]);
            out.resize(ETHERNET + IPV6, 0);
            address_v6(&mut out, router, asker)?;
            ETHERNET + IPV6
        }
        _ => return None,
    };
    out.extend([kind, code, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(quoted);
    let end = out.len();
    seal(&mut out, transport, end)?;
    Some(out)
}

/// Cuts a packet off and says so in its headers. Needs [`seal`] afterwards.
pub(super) fn shorten(frame: &mut Vec<u8>, reading: &Reading, end: usize) -> Option<()> {
    frame.truncate(end);
    let (from, at) =
        if reading.source.is_ipv4() { (ETHERNET, ETHERNET + 2) } else { (ETHERNET + IPV6, ETHERNET + 4) };
    write(frame, at, &u16::try_from(end.checked_sub(from)?).ok()?.to_be_bytes())
}

/// Changes the source of a packet. Needs [`seal`] afterwards.
pub(super) fn set_source(frame: &mut [u8], source: IpAddr) -> Option<()> {
    match source {
        IpAddr::V4(source) => write(frame, ETHERNET + 12, &source.octets()),
        IpAddr::V6(source) => write(frame, ETHERNET + 8, &source.octets()),
    }
}

/// Writes all checksums of a finished packet.
pub(super) fn seal(frame: &mut [u8], transport: usize, end: usize) -> Option<()> {
    let v4 = frame.get(ETHERNET)? >> 4 == 4;
    let protocol = *frame.get(ETHERNET + if v4 { 9 } else { 6 })?;
    let udp = protocol == IpNextHeaderProtocols::Udp.0;
    // In words of 16 bits.
    let place = if udp { 3 } else { 1 };
    let body = frame.get(transport..end)?;
    if body.len() < TRANSPORT {
        return None;
    }
    let sum = if v4 {
        let ip = Ipv4Packet::new(frame.get(ETHERNET..)?)?;
        if udp {
            let (source, destination) = (ip.get_source(), ip.get_destination());
            util::ipv4_checksum(body, place, &[], &source, &destination, IpNextHeaderProtocols::Udp)
        } else {
            util::checksum(body, place)
        }
    } else {
        let ip = Ipv6Packet::new(frame.get(ETHERNET..)?)?;
        let (source, destination) = (ip.get_source(), ip.get_destination());
        util::ipv6_checksum(body, place, &[], &source, &destination, ip.get_next_header())
    };
    // Zero means "no checksum" in UDP; its complement has the same value.
    let sum = if udp && sum == 0 { u16::MAX } else { sum };
    write(frame, transport + place * 2, &sum.to_be_bytes())?;
    if v4 {
        let sum = util::checksum(frame.get(ETHERNET..transport)?, 5);
        write(frame, ETHERNET + 10, &sum.to_be_bytes())?;
    }
    Some(())
}

/// To the station the frame came from.
fn return_to_sender(frame: &mut [u8], mac: [u8; 6]) {
    if let Some((destination, rest)) = frame.split_first_chunk_mut::<6>()
        && let Some(source) = rest.first_chunk_mut::<6>()
    {
        *destination = *source;
        *source = mac;
    }
}

fn address_v4(frame: &mut [u8], source: Ipv4Addr, destination: Ipv4Addr) -> Option<()> {
    write(frame, ETHERNET + 12, &source.octets())?;
    write(frame, ETHERNET + 16, &destination.octets())
}

fn address_v6(frame: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr) -> Option<()> {
    write(frame, ETHERNET + 8, &source.octets())?;
    write(frame, ETHERNET + 24, &destination.octets())
}

fn write(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..)?.get_mut(..value.len())?.copy_from_slice(value);
    Some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
