//! Answers that are not what was asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::frame::{self, Reading, TRANSPORT};
use super::weather::Dice;

/// Somebody next to the gateway who answers echo requests, even when the line behind is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// Right in everything but the payload, which is noise of the same length.
    Payload,
    /// A true answer, from an address that was not asked.
    Source,
    /// A true answer, to a request with another sequence number.
    Sequence,
    /// A true answer, to another process.
    Identifier,
    /// A true answer, without the second half of its payload.
    Truncated,
    /// A true answer, so much too late.
    Late(Duration),
}

/// What a gateway sends back instead of passing a packet on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// The network cannot be reached.
    NoRoute,
    /// The host cannot be reached.
    HostUnreachable,
    /// Filtered by an administrator.
    Prohibited,
    /// It has travelled too far.
    TimeExceeded,
}

impl Complaint {
    /// ICMP type and code.
    pub(super) fn numbers(self, router: IpAddr) -> (u8, u8) {
        match router {
            IpAddr::V4(_) => match self {
                Self::NoRoute => (3, 0),
                Self::HostUnreachable => (3, 1),
                Self::Prohibited => (3, 13),
                Self::TimeExceeded => (11, 0),
            },
            IpAddr::V6(_) => match self {
                Self::NoRoute => (1, 0),
                Self::Prohibited => (1, 1),
                Self::HostUnreachable => (1, 3),
                Self::TimeExceeded => (3, 0),
            },
        }
    }
}

impl Forgery {
    /// How long the forger waits.
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::Late(delay) => delay,
            Self::Payload | Self::Source | Self::Sequence | Self::Identifier | Self::Truncated => {
                Duration::ZERO
            }
        }
    }

    /// The forged answer to an echo request.
    pub(super) fn answer(
        self,
        request: &[u8],
        reading: &Reading,
        mac: [u8; 6],
        dice: &mut Dice,
    ) -> Option<Vec<u8>> {
        let mut reply = frame::mirror(request, reading, mac)?;
        let mut end = reading.end;
        match self {
            Self::Payload => {
                reply.get_mut(reading.transport + TRANSPORT..)?.fill_with(|| dice.byte());
            }
            Self::Source => frame::set_source(&mut reply, stranger(reading.destination))?,
            Self::Sequence => flip(&mut reply, reading.transport + 6)?,
            Self::Identifier => flip(&mut reply, reading.transport + 4)?,
            Self::Truncated => {
                let body = reading.transport + TRANSPORT;
                end = body + reading.end.checked_sub(body)? / 2;
                frame::shorten(&mut reply, reading, end)?;
            }
            Self::Late(_) => {}
        }
        frame::seal(&mut reply, reading.transport, end)?;
        Some(reply)
    }
}

/// Another host than that one.
fn stranger(asked: IpAddr) -> IpAddr {
    match asked {
        IpAddr::V4(asked) => Ipv4Addr::from_bits(asked.to_bits() ^ 0x80).into(),
        IpAddr::V6(asked) => Ipv6Addr::from_bits(asked.to_bits() ^ 0x8000).into(),
    }
}

/// Changes 16 bits for sure.
fn flip(frame: &mut [u8], at: usize) -> Option<()> {
    frame.get_mut(at..at + 2)?.iter_mut().for_each(|byte| *byte ^= 0x55);
    Some(())
}
