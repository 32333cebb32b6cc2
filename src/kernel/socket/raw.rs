//! Netlink datagrams as bytes: where one message ends, and what an acknowledgement says.
//!
//! The packet library drops the attributes of an acknowledgement, and with them the kernel's explanation, so control
//! messages are read here. Nothing in this file trusts a length.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;

use super::Refused;

/// A link, in linux/rtnetlink.h.
const RTM_NEWLINK: u16 = 16;
/// A route, in linux/rtnetlink.h.
const RTM_NEWROUTE: u16 = 24;
/// Length, type, flags, sequence number, port.
pub(in crate::kernel) const HEADER_BYTES: usize = 16;
/// The attribute of an acknowledgement that holds an explanation in words.
const EXPLANATION: u16 = 1;
/// The upper two bits of an attribute's type are flags.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// One message of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kernel) struct Raw<'a> {
    kind: u16,
    pub(in crate::kernel) flags: u16,
    pub(in crate::kernel) sequence: u32,
    /// With the header, without padding.
    whole: &'a [u8],
}

/// What tells the routes that matter from those that don't, without reading them whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteHead {
    /// Of the destination's prefix, bits.
    pub length: u8,
    /// Who made it.
    pub protocol: u8,
}

/// What netlink itself, rather than routing, has to say.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kernel) enum Control {
    /// A request or a dump is over.
    Ended(Result<(), Refused>),
    /// Padding.
    Nothing,
}

/// The messages of a datagram. A broken length ends it.
pub(in crate::kernel) fn messages(datagram: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(rest, 0)?).ok()?;
        let whole = rest.get(..length).filter(|whole| whole.len() >= HEADER_BYTES)?;
        rest = rest.get(align(length)..).unwrap_or_default();
        Some(Raw { kind: u16_at(whole, 4)?, flags: u16_at(whole, 6)?, sequence: u32_at(whole, 8)?, whole })
    })
}

/// Messages and attributes begin at multiples of four.
pub(in crate::kernel) const fn align(length: usize) -> usize {
    (length + 3) & !3
}

impl Raw<'_> {
    /// What it says about a request, if it is not an object of routing.
    pub(in crate::kernel) fn control(&self) -> Option<Control> {
        match self.kind {
            NLMSG_ERROR => Some(Control::Ended(self.outcome(self.quoted_bytes()))),
            NLMSG_DONE => Some(Control::Ended(self.outcome(0))),
            NLMSG_NOOP | NLMSG_OVERRUN => Some(Control::Nothing),
            _ => None,
        }
    }

    /// The object of routing in it.
    pub(in crate::kernel) fn parse(&self) -> io::Result<RouteNetlinkMessage> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let message = NetlinkMessage::deserialize(self.whole).map_err(|error| invalid(error.to_string()))?;
        if let NetlinkPayload::InnerMessage(object) = message.payload {
            Ok(object)
        } else {
            Err(invalid(format!("netlink message of type {}", self.kind)))
        }
    }

    /// The flags in the header of a link.
    pub(in crate::kernel) fn link_flags(&self) -> Option<u32> {
        // Family, padding, type and index come before them.
        u32_at(self.payload(), 8).filter(|_| self.kind == RTM_NEWLINK)
    }

    /// The first bytes of a route (struct rtmsg): what the destination's prefix and the protocol are.
    pub(in crate::kernel) fn route(&self) -> Option<RouteHead> {
        let head: &[u8; 6] = self.payload().first_chunk()?;
        Some(RouteHead { length: head[1], protocol: head[5] }).filter(|_| self.kind == RTM_NEWROUTE)
    }

    /// How much of the refused request an acknowledgement quotes.
    fn quoted_bytes(&self) -> usize {
        if self.flags & NLM_F_CAPPED != 0 {
            HEADER_BYTES
        } else {
            u32_at(self.payload(), 4).and_then(|length| usize::try_from(length).ok()).unwrap_or(HEADER_BYTES)
        }
    }

    /// Error number, then a quotation of some length, then attributes. A dump may end with nothing at all.
    fn outcome(&self, quoted: usize) -> Result<(), Refused> {
        let code = u32_at(self.payload(), 0).unwrap_or(0).cast_signed();
        if code >= 0 {
            return Ok(());
        }
        let attributes = quoted.checked_add(4 + 3).and_then(|end| self.payload().get(end & !3..));
        let text = attributes.filter(|_| self.flags & NLM_F_ACK_TLVS != 0).and_then(explanation);
        Err(Refused { errno: code.saturating_neg(), text })
    }

    pub(in crate::kernel) fn payload(&self) -> &[u8] {
        self.whole.get(HEADER_BYTES..).unwrap_or_default()
    }
}

/// The explanation among the attributes of an acknowledgement.
fn explanation(mut attributes: &[u8]) -> Option<String> {
    loop {
        let length = usize::from(u16_at(attributes, 0)?);
        let kind = u16_at(attributes, 2)? & ATTRIBUTE_TYPE;
        let value = attributes.get(4..length)?;
        if kind == EXPLANATION {
            let words = value.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(String::from_utf8_lossy(words).trim().to_owned()).filter(|text| !text.is_empty());
        }
        attributes = attributes.get(align(length)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
