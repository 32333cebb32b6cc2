//! What is believed: the judgement over each packet that comes in. Pure, but for the counters it keeps.

use core::net::IpAddr;

use super::clock::Moment;
use super::cookie::Key;
use super::packet::{self, Label, Payload, Seen, Start};
use super::{Counters, Report};
use crate::engine::Family;

/// A packet as the kernel handed it over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival<'a> {
    /// Its bytes.
    pub(super) bytes: &'a [u8],
    /// Where it says it comes from.
    pub(super) source: Option<IpAddr>,
    /// Index of the device it came in by.
    pub(super) device: Option<u32>,
    /// The kernel's time stamp, in nanoseconds of the wall clock.
    pub(super) at_ns: Option<u64>,
}

/// An error as the kernel keeps it in the queue of a datagram socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notice<'a> {
    /// The quoted packet, from its ICMP header on.
    pub(super) bytes: &'a [u8],
    /// The address that was asked.
    pub(super) asked: Option<IpAddr>,
    /// Who sent the error.
    pub(super) from: Option<IpAddr>,
    /// Its ICMP type.
    pub(super) kind: u8,
    /// Its ICMP code.
    pub(super) code: u8,
}

/// Knows what is ours.
#[derive(Debug)]
pub(super) struct Verifier {
    /// The secret of the cookies.
    pub(super) key: Key,
    /// The family of all probes.
    pub(super) family: Family,
    /// With which header packets begin.
    pub(super) start: Start,
    /// The ICMP id of all probes.
    pub(super) id: u16,
    /// Index of the device that answers must come in by.
    pub(super) device: u32,
    /// What was not believed.
    pub(super) counters: Counters,
}

impl Verifier {
    /// Writes the probe with this label to this address.
    pub(super) fn write(&self, buffer: &mut [u8; packet::LENGTH], to: IpAddr, label: Label) {
        let payload = Payload { label, cookie: self.key.seal(to, &label) };
        packet::write(buffer, self.family, self.id, &payload);
    }

    /// Judges a packet. `now` is read after it came in.
    pub(super) fn judge(&mut self, arrival: &Arrival<'_>, now: Moment) -> Option<Report> {
        let seen = packet::read(self.family, self.start, self.id, arrival.bytes);
        let here = arrival.device == Some(self.device);
        match (seen, arrival.source) {
            (Seen::Reply(payload), Some(source)) if here && self.is_ours(source, &payload) => {
                let Label { round, target, sent } = payload.label;
                let rtt = arrival.at_ns.and_then(|at_ns| sent.until(at_ns, now));
                Some(Report::Answer { round, target, rtt })
            }
            // Any router may send an error, so its source proves nothing; that it quotes our cookie does.
            (Seen::Error(..), Some(from)) if here => self.explain(seen, from),
            (Seen::Reply(_) | Seen::Error(..), _) => self.count(Seen::Odd),
            (Seen::Odd | Seen::Short | Seen::Foreign, _) => self.count(seen),
        }
    }

    /// Judges an error from the queue. The kernel found the socket by its device and id before it put it there.
    pub(super) fn judge_notice(&mut self, notice: &Notice<'_>) -> Option<Report> {
        let why = packet::why(self.family, notice.kind, notice.code);
        match (why, notice.asked, notice.from) {
            (Some(why), Some(asked), Some(from)) => {
                self.explain(packet::read_quote(self.family, self.id, why, asked, notice.bytes), from)
            }
            (None, _, _) | (_, None, _) | (_, _, None) => self.count(Seen::Foreign),
        }
    }

    fn explain(&mut self, seen: Seen, from: IpAddr) -> Option<Report> {
        match seen {
            Seen::Error(why, asked, payload) if self.is_ours(asked, &payload) => {
                let Label { round, target, .. } = payload.label;
                Some(Report::Unreachable { round, target, why, from })
            }
            Seen::Error(..) | Seen::Reply(_) => self.count(Seen::Odd),
            Seen::Odd | Seen::Short | Seen::Foreign => self.count(seen),
        }
    }

    fn is_ours(&self, asked: IpAddr, payload: &Payload) -> bool {
        self.key.seal(asked, &payload.label) == payload.cookie
    }

    fn count(&mut self, seen: Seen) -> Option<Report> {
        let counter = match seen {
            Seen::Reply(_) | Seen::Error(..) | Seen::Odd => &mut self.counters.forged,
            Seen::Short => &mut self.counters.truncated,
            Seen::Foreign => &mut self.counters.foreign,
        };
        *counter = counter.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests;
