//! What the kernel tells beside the bytes of a packet, in ancillary data.

use core::net::IpAddr;

use nix::sys::socket::{ControlMessageOwned, RecvMsg, SockaddrStorage};

use super::clock::nanoseconds;
use super::verify::{Arrival, Notice};

/// What the kernel tells beside a packet.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Its sender; of a queued error, the address that was asked.
    peer: Option<IpAddr>,
    /// Index of the device it came in by.
    device: Option<u32>,
    /// When.
    at_ns: Option<u64>,
    /// Of an ICMP error: type, code and sender.
    error: Option<(u8, u8, Option<IpAddr>)>,
}

impl Facts {
    /// Reads them off a message.
    #[expect(clippy::wildcard_enum_match_arm, reason = "not our enum: what was not asked for is passed over")]
    pub(super) fn of(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Self {
        let mut facts = Self { peer: message.address.as_ref().and_then(ip), ..Self::default() };
        // An error says that the room was too small; then what is missing is missing below.
        for fact in message.cmsgs().into_iter().flatten() {
            match fact {
                ControlMessageOwned::ScmTimestampns(time) => facts.at_ns = Some(nanoseconds(time)),
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    facts.device = u32::try_from(info.ipi_ifindex).ok();
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => facts.device = Some(info.ipi6_ifindex),
                ControlMessageOwned::Ipv4RecvErr(error, from)
                    if error.ee_origin == libc::SO_EE_ORIGIN_ICMP =>
                {
                    facts.error =
                        Some((error.ee_type, error.ee_code, from.map(|from| ip4(from.sin_addr.s_addr))));
                }
                ControlMessageOwned::Ipv6RecvErr(error, from)
                    if error.ee_origin == libc::SO_EE_ORIGIN_ICMP6 =>
                {
                    facts.error =
                        Some((error.ee_type, error.ee_code, from.map(|from| from.sin6_addr.s6_addr.into())));
                }
                _ => {}
            }
        }
        facts
    }

    /// Together with its bytes: a packet to judge.
    pub(super) fn arrival<'a>(&self, bytes: &'a [u8]) -> Arrival<'a> {
        Arrival { bytes, source: self.peer, device: self.device, at_ns: self.at_ns }
    }

    /// Together with its bytes: an error to judge. One of local origin has no ICMP type; 255 is one that nobody uses.
    pub(super) fn notice<'a>(&self, bytes: &'a [u8]) -> Notice<'a> {
        let (kind, code, from) = self.error.unwrap_or((u8::MAX, 0, None));
        Notice { bytes, asked: self.peer, from, kind, code }
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(four), _) => Some(four.ip().into()),
        (None, Some(six)) => Some(six.ip().into()),
        (None, None) => None,
    }
}

/// From the byte order of the network.
fn ip4(address: u32) -> IpAddr {
    address.to_ne_bytes().into()
}
