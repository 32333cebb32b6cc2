//! The bytes: echo requests out, echo replies and ICMP errors in. Pure, and total over any input.
//!
//! Echo messages look alike in both families but for the number of their type, so one layout serves both.

use core::mem::size_of;
use core::net::IpAddr;

use pnet::packet::Packet as _;
use pnet::packet::icmp::echo_reply::EchoReplyPacket;
use pnet::packet::icmp::echo_request::{EchoRequestPacket, MutableEchoRequestPacket};
use pnet::packet::icmp::{IcmpPacket, IcmpType, IcmpTypes, checksum};
use pnet::packet::icmpv6::Icmpv6Types;
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;

use super::Why;
use super::clock::Moment;
use crate::engine::Family;

/// Length of the header of an echo message.
const HEADER: usize = 8;
/// Length of our payload: round, two clocks, cookie and target.
const PAYLOAD: usize = 4 * size_of::<u64>() + size_of::<u16>();
/// Length of a probe from its ICMP header on. With an IPv4 header it is 62 bytes: more than the least Ethernet frame,
/// so no padding comes back with it.
pub(super) const LENGTH: usize = HEADER + PAYLOAD;
/// An ICMP error has as long a header, and then quotes what it is about.
const QUOTE: usize = 8;

/// What a probe says in plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    /// The round it belongs to.
    pub(super) round: u64,
    /// The target it asks.
    pub(super) target: u16,
    /// When it was sent.
    pub(super) sent: Moment,
}

/// What a probe carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payload {
    /// In plain.
    pub(super) label: Label,
    /// And the proof that it is ours.
    pub(super) cookie: u64,
}

/// With which header received bytes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// IPv4: raw sockets of that family.
    Ip,
    /// ICMP: all others.
    Icmp,
}

/// What received bytes are, before anything of it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// An answer to a probe.
    Reply(Payload),
    /// An error about a probe, to the address that was asked.
    Error(Why, IpAddr, Payload),
    /// It bears our id, and is not what we send.
    Odd,
    /// It bears our id, and ends too early to be judged.
    Short,
    /// Something else.
    Foreign,
}

/// Number of an echo request.
pub(super) const fn request_type(family: Family) -> u8 {
    match family {
        Family::V4 => IcmpTypes::EchoRequest.0,
        Family::V6 => Icmpv6Types::EchoRequest.0,
    }
}

/// Number of an echo reply.
pub(super) const fn reply_type(family: Family) -> u8 {
    match family {
        Family::V4 => IcmpTypes::EchoReply.0,
        Family::V6 => Icmpv6Types::EchoReply.0,
    }
}

/// Numbers of "destination unreachable" and "time exceeded".
pub(super) const fn error_types(family: Family) -> [u8; 2] {
    match family {
        Family::V4 => [IcmpTypes::DestinationUnreachable.0, IcmpTypes::TimeExceeded.0],
        Family::V6 => [Icmpv6Types::DestinationUnreachable.0, Icmpv6Types::TimeExceeded.0],
    }
}

/// What an error's type and code say; none if it is no error that ends a probe.
pub(super) fn why(family: Family, kind: u8, code: u8) -> Option<Why> {
    let [unreachable, exceeded] = error_types(family);
    if kind == exceeded {
        return Some(Why::TimeExceeded);
    }
    if kind != unreachable {
        return None;
    }
    Some(match family {
        Family::V4 => match code {
            // Network or host: unreachable, unknown, isolated, unreachable for this type of service.
            0 | 1 | 6 | 7 | 8 | 11 | 12 => Why::Unreachable,
            // Network, host, communication: administratively prohibited.
            9 | 10 | 13 => Why::Prohibited,
            _ => Why::Other,
        },
        Family::V6 => match code {
            // No route; address unreachable.
            0 | 3 => Why::Unreachable,
            // Administratively prohibited; source address failed policy; reject route.
            1 | 5 | 6 => Why::Prohibited,
            _ => Why::Other,
        },
    })
}

/// Writes a whole echo request. The kernel adds the checksum of ICMPv6, because it covers addresses that only the
/// kernel knows; on datagram sockets also id and checksum of IPv4 are the kernel's, to the same values.
pub(super) fn write(buffer: &mut [u8; LENGTH], family: Family, id: u16, payload: &Payload) {
    if let Some(mut echo) = MutableEchoRequestPacket::new(buffer) {
        echo.set_icmp_type(IcmpType(request_type(family)));
        echo.set_identifier(id);
        echo.set_sequence_number(sequence(payload.label.round));
        echo.set_payload(&payload.to_bytes());
        echo.set_checksum(0);
    }
    if family == Family::V4 {
        let sum = IcmpPacket::new(buffer).map_or(0, |packet| checksum(&packet));
        if let Some(mut echo) = MutableEchoRequestPacket::new(buffer) {
            echo.set_checksum(sum);
        }
    }
}

/// Reads what a socket received: an answer, or an error with its quote.
pub(super) fn read(family: Family, start: Start, id: u16, bytes: &[u8]) -> Seen {
    let bytes = match start {
        Start::Icmp => bytes,
        Start::Ip => {
            match Ipv4Packet::new(bytes).and_then(|ip| bytes.get(4 * usize::from(ip.get_header_length())..)) {
                Some(bytes) => bytes,
                None => return Seen::Foreign,
            }
        }
    };
    let Some(icmp) = IcmpPacket::new(bytes) else { return Seen::Foreign };
    let (kind, code) = (icmp.get_icmp_type().0, icmp.get_icmp_code().0);
    if kind == reply_type(family) {
        return match EchoReplyPacket::new(bytes) {
            Some(echo) if echo.get_identifier() == id => {
                seen(echo.get_sequence_number(), echo.payload(), Seen::Reply)
            }
            Some(_) | None => Seen::Foreign,
        };
    }
    match (why(family, kind, code), bytes.get(QUOTE..)) {
        (Some(why), Some(quoted)) => read_datagram(family, id, why, quoted),
        (None, _) | (_, None) => Seen::Foreign,
    }
}

/// Reads the IP datagram that an error quotes.
fn read_datagram(family: Family, id: u16, why: Why, quoted: &[u8]) -> Seen {
    let (asked, protocol, icmp) = match family {
        Family::V4 => {
            let Some(ip) = Ipv4Packet::new(quoted) else { return Seen::Foreign };
            let icmp = quoted.get(4 * usize::from(ip.get_header_length())..);
            (ip.get_destination().into(), ip.get_next_level_protocol() == IpNextHeaderProtocols::Icmp, icmp)
        }
        Family::V6 => {
            let Some(ip) = Ipv6Packet::new(quoted) else { return Seen::Foreign };
            let icmp = quoted.get(Ipv6Packet::minimum_packet_size()..);
            (ip.get_destination().into(), ip.get_next_header() == IpNextHeaderProtocols::Icmpv6, icmp)
        }
    };
    match icmp {
        Some(icmp) if protocol => read_quote(family, id, why, asked, icmp),
        Some(_) | None => Seen::Foreign,
    }
}

/// Reads the echo request that an error quotes; `asked` is the address it went to.
pub(super) fn read_quote(family: Family, id: u16, why: Why, asked: IpAddr, icmp: &[u8]) -> Seen {
    match EchoRequestPacket::new(icmp) {
        Some(echo) if echo.get_icmp_type().0 == request_type(family) && echo.get_identifier() == id => {
            // A quote may be followed by extensions of the error (RFC 4884), so only the beginning is looked at.
            let payload = echo.payload();
            seen(echo.get_sequence_number(), payload.get(..PAYLOAD).unwrap_or(payload), |payload| {
                Seen::Error(why, asked, payload)
            })
        }
        Some(_) | None => Seen::Foreign,
    }
}

/// Makes something of a payload that came under our id.
fn seen(number: u16, bytes: &[u8], make: impl FnOnce(Payload) -> Seen) -> Seen {
    match <&[u8; PAYLOAD]>::try_from(bytes).map(Payload::from_bytes) {
        Ok(payload) if sequence(payload.label.round) == number => make(payload),
        Err(_) if bytes.len() < PAYLOAD => Seen::Short,
        Ok(_) | Err(_) => Seen::Odd,
    }
}

/// The sequence number that a round's probes bear.
const fn sequence(round: u64) -> u16 {
    let [.., high, low] = round.to_be_bytes();
    u16::from_be_bytes([high, low])
}

impl Payload {
    fn to_bytes(self) -> [u8; PAYLOAD] {
        let mut bytes = [0; PAYLOAD];
        let Label { round, target, sent } = self.label;
        let words = [round, sent.wall_ns, sent.boot_ns, self.cookie];
        let (long, short) = bytes.split_at_mut(PAYLOAD - size_of::<u16>());
        for (place, word) in long.chunks_exact_mut(size_of::<u64>()).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        short.copy_from_slice(&target.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; PAYLOAD]) -> Self {
        let mut words = bytes
            .chunks_exact(size_of::<u64>())
            .map(|word| word.iter().fold(0, |number: u64, byte| (number << 8) | u64::from(*byte)));
        let mut word = || words.next().unwrap_or(0);
        let (round, wall_ns, boot_ns, cookie) = (word(), word(), word(), word());
        let [.., high, low] = *bytes;
        let target = u16::from_be_bytes([high, low]);
        Self { label: Label { round, target, sent: Moment { wall_ns, boot_ns } }, cookie }
    }
}

#[cfg(test)]
mod tests;
