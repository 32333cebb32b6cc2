//! Flow flush: connections that were translated to the address of a line that traffic has left are forgotten, so that
//! their next packet is translated anew, by the line that it takes. (linux/netfilter/nfnetlink_conntrack.h)
//!
//! Left alone, a masqueraded flow loses the first packet that leaves by another interface: the kernel drops it, and only
//! then forgets the flow. A telephone that says something once in a while is deaf until it has said it twice. A flow with
//! `snat` to a fixed address never moves at all.

#[cfg(test)]
mod tests;

use super::socket::raw::{self, Control, Raw};
use super::socket::{Refused, Requests};
use crate::engine::Family;
use crate::engine::settings::Flows;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NlasIterator};
use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::errno::Errno;
use nix::libc::{AF_INET, AF_INET6, IPPROTO_UDP};
use std::io;
use std::net::IpAddr;

/// `NFNL_SUBSYS_CTNETLINK`, in the upper byte of the message's type.
const CONNTRACK: u16 = 1 << 8;
const GET: u16 = CONNTRACK | 1;
const DELETE: u16 = CONNTRACK | 2;
/// Family, version, resource: struct nfgenmsg.
const HEAD_BYTES: usize = 4;
/// Attributes of a connection, …
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
/// … of one direction of it, …
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
/// … of its addresses, and of its protocol.
const IP_SOURCE: [u16; 2] = [1, 3];
const IP_DESTINATION: [u16; 2] = [2, 4];
const PROTOCOL_NUMBER: u16 = 1;

/// Forgets the connections of this network namespace whose source was translated to one of `addresses`, and returns how
/// many they were; those that were gone already do not count. Takes as long as the table is large: some 3 s for a million connections.
///
/// # Errors
/// There is no `nf_conntrack_netlink`, CAP_NET_ADMIN is missing, netlink did not answer, or the kernel refused to forget some
/// of them.
pub fn flush(family: Family, addresses: &[IpAddr], flows: Flows) -> io::Result<usize> {
    let mut table = Requests::open_for(NETLINK_NETFILTER)?;
    // A socket has one dump at a time, and answers to nothing else meanwhile.
    let mut eraser = Requests::open_for(NETLINK_NETFILTER)?;
    let (mut forgotten, mut kept) = (0, None);
    let head = head(family);
    let sequence = table.next_sequence();
    table.send(&message(GET, NLM_F_REQUEST | NLM_F_DUMP, sequence, &head))?;
    loop {
        table.receive()?;
        let (mut batch, mut count, mut end) = (vec![], 0, None);
        for found in raw::messages(table.datagram()).filter(|found| found.sequence == sequence) {
            match found.control() {
                Some(Control::Ended(outcome)) => end = Some(outcome),
                Some(Control::Nothing) => {}
                None => {
                    let wanted = Flow::read(&found)
                        .filter(|flow| flow.is_translated_to(addresses) && flow.is_one_of(flows));
                    if let Some(flow) = wanted {
                        let sequence = eraser.next_sequence();
                        batch.extend(message(
                            DELETE,
                            NLM_F_REQUEST | NLM_F_ACK,
                            sequence,
                            &[&head, flow.name.as_slice()].concat(),
                        ));
                        count += 1;
                    }
                }
            }
        }
        let mut outcomes = vec![];
        if count > 0 {
            eraser.exchange(&batch, count, &mut outcomes)?;
        }
        for outcome in outcomes {
            match outcome {
                Ok(()) => forgotten += 1,
                Err(refused) if refused.is(Errno::ENOENT) => {}
                // Older kernels refuse what is offloaded to hardware: the others are forgotten nevertheless.
                Err(refused) => kept = Some(refused),
            }
        }
        match (end, kept.clone()) {
            (Some(Ok(())), Some(refused)) => {
                return Err(io::Error::other(format!("the kernel keeps some of them: {refused}")));
            }
            (Some(Ok(())), None) => return Ok(forgotten),
            (Some(Err(refused)), _) => return Err(explained(refused)),
            (None, _) => {}
        }
    }
}

/// Whether this network namespace keeps track of connections at all: without that there is nothing to forget.
#[must_use]
pub fn is_tracking() -> bool {
    let count = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count");
    count.is_ok_and(|count| count.trim() != "0")
}

fn explained(refused: Refused) -> io::Error {
    if refused.is(Errno::EINVAL) || refused.is(Errno::EOPNOTSUPP) {
        return io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel has no nf_conntrack_netlink: load it, or set flow_flush = \"none\"",
        );
    }
    refused.into()
}

/// One connection.
#[derive(Debug, PartialEq, Eq)]
struct Flow {
    source: IpAddr,
    /// Where its answers go: the source, unless that was translated.
    answers_to: IpAddr,
    protocol: u8,
    /// The attributes that tell it from all others, as the kernel wrote them.
    name: Vec<u8>,
}

impl Flow {
    fn read(found: &Raw<'_>) -> Option<Self> {
        Self::parse(found.payload().get(HEAD_BYTES..)?)
    }

    fn parse(attributes: &[u8]) -> Option<Self> {
        let original = attribute(attributes, TUPLE_ORIGINAL)?;
        let reply = attribute(attributes, TUPLE_REPLY)?;
        let protocol = attribute(attribute(original, TUPLE_PROTOCOL)?, PROTOCOL_NUMBER)?;
        let mut name = vec![];
        for (_, whole) in each(attributes).filter(|(kind, _)| matches!(*kind, TUPLE_ORIGINAL | ID | ZONE)) {
            name.extend(whole);
            name.resize(raw::align(name.len()), 0);
        }
        Some(Self {
            source: address(attribute(original, TUPLE_IP)?, IP_SOURCE)?,
            answers_to: address(attribute(reply, TUPLE_IP)?, IP_DESTINATION)?,
            protocol: *protocol.first()?,
            name,
        })
    }

    fn is_translated_to(&self, addresses: &[IpAddr]) -> bool {
        self.answers_to != self.source && addresses.contains(&self.answers_to)
    }

    fn is_one_of(&self, flows: Flows) -> bool {
        match flows {
            Flows::Udp => i32::from(self.protocol) == IPPROTO_UDP,
            Flows::All => true,
        }
    }
}

/// The attributes with their kinds: length, type and value, without padding. A broken length ends them.
fn each(attributes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let all = NlasIterator::new(attributes).map_while(Result::ok);
    all.map(|found| (found.kind(), usize::from(found.length()), found.into_inner()))
        .map(|(kind, length, rest)| (kind, rest.get(..length).unwrap_or_default()))
}

/// The value of an attribute, if it is among these.
fn attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    each(attributes).find(|(kind, _)| *kind == wanted)?.1.get(4..)
}

fn address(attributes: &[u8], kinds: [u16; 2]) -> Option<IpAddr> {
    let v4 = attribute(attributes, kinds[0]).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    let v6 = || attribute(attributes, kinds[1]).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    v4.map(IpAddr::from).or_else(|| v6().map(IpAddr::from))
}

fn head(family: Family) -> [u8; HEAD_BYTES] {
    let family = match family {
        Family::V4 => AF_INET,
        Family::V6 => AF_INET6,
    };
    [u8::try_from(family).unwrap_or_default(), 0, 0, 0]
}

/// Length, type, flags, sequence number and port, then the rest.
fn message(kind: u16, flags: u16, sequence: u32, rest: &[u8]) -> Vec<u8> {
    let length = raw::HEADER_BYTES + rest.len();
    let mut bytes = u32::try_from(length).unwrap_or_default().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(rest);
    bytes.resize(raw::align(length), 0);
    bytes
}
