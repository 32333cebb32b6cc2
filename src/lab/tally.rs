//! What arrived at the far end of an uplink: the proof of which wire was used.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// No more different addresses than this are told apart in one tally; the rest is counted as `unlisted`.
const MAX_ADDRESSES: usize = 4096;
/// Sequence numbers from here on are not remembered: half a megabyte per uplink.
const MAX_SEQUENCE: u64 = 1 << 22;

/// How often something was seen, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Instant,
    /// The last time.
    pub last: Instant,
}

/// What arrived by one wire, before any weather.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Echo requests, by whom they asked: gateways and hosts of the internet.
    pub echo_requests: BTreeMap<IpAddr, Seen>,
    /// Datagrams, by destination.
    pub udp: BTreeMap<IpAddr, Seen>,
    /// Echo requests and datagrams, by source.
    pub sources: BTreeMap<IpAddr, Seen>,
    /// ARP requests and neighbour solicitations.
    pub neighbour_requests: u64,
    /// Other packets of IP: other protocols, other destinations, multicast.
    pub unknown: u64,
    /// Frames that could not be read.
    pub unreadable: u64,
    /// Addresses beyond the limit of a tally.
    pub unlisted: u64,
    /// Frames sent back.
    pub answered: u64,
    /// Packets that the weather took.
    pub lost: u64,
    /// Packets dropped because too many were on their way.
    pub overflowed: u64,
    /// Frames that the wire did not take back, as when it is cut.
    pub unsent: u64,
}

impl Tally {
    /// Echo requests for one address.
    #[must_use]
    pub fn echoes_to(&self, address: IpAddr) -> u64 {
        self.echo_requests.get(&address).map_or(0, |seen| seen.count)
    }

    /// Datagrams for one address.
    #[must_use]
    pub fn udp_to(&self, address: IpAddr) -> u64 {
        self.udp.get(&address).map_or(0, |seen| seen.count)
    }

    pub(super) fn echo(&mut self, source: IpAddr, destination: IpAddr, now: Instant) {
        self.unlisted +=
            note(&mut self.echo_requests, destination, now) + note(&mut self.sources, source, now);
    }

    pub(super) fn datagram(&mut self, source: IpAddr, destination: IpAddr, now: Instant) {
        self.unlisted += note(&mut self.udp, destination, now) + note(&mut self.sources, source, now);
    }
}

/// Returns 1 if there was no room.
fn note(list: &mut BTreeMap<IpAddr, Seen>, address: IpAddr, now: Instant) -> u64 {
    if let Some(seen) = list.get_mut(&address) {
        seen.count += 1;
        seen.last = now;
        0
    } else if list.len() < MAX_ADDRESSES {
        list.insert(address, Seen { count: 1, first: now, last: now });
        0
    } else {
        1
    }
}

/// The sequence numbers that reached the counting service by one uplink.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    words: Vec<u64>,
    /// Different sequence numbers.
    pub distinct: u64,
    /// Datagrams whose sequence number had been seen.
    pub repeated: u64,
    /// Datagrams without a sequence number, or with one beyond what is remembered.
    pub unnumbered: u64,
}

impl Received {
    /// Whether this sequence number was received.
    #[must_use]
    pub fn contains(&self, sequence: u64) -> bool {
        Self::place(sequence)
            .is_some_and(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }

    /// Reads the sequence number from the beginning of a payload.
    pub(super) fn insert(&mut self, payload: &[u8]) {
        let sequence = payload.first_chunk().copied().map(u64::from_be_bytes);
        let Some((place, bit)) = sequence.and_then(Self::place) else {
            self.unnumbered += 1;
            return;
        };
        if self.words.len() <= place {
            self.words.resize(place + 1, 0);
        }
        let Some(word) = self.words.get_mut(place) else { return };
        if *word & bit == 0 {
            *word |= bit;
            self.distinct += 1;
        } else {
            self.repeated += 1;
        }
    }

    fn place(sequence: u64) -> Option<(usize, u64)> {
        let word = usize::try_from(sequence / 64).ok().filter(|_| sequence < MAX_SEQUENCE)?;
        Some((word, 1 << (sequence % 64)))
    }
}
