//! The two providers and the internet behind them, as a state machine over frames: no socket and no clock.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use super::frame::{self, Question, Reading};
use super::weather::{Dice, Fate, Lane, Line};
use super::{Received, Tally};
use crate::engine::Family;

/// The service that sends a datagram back.
pub(super) const ECHO_PORT: u16 = 7;
/// The service that takes note of a datagram and says nothing.
pub(super) const COUNT_PORT: u16 = 9;
/// No more frames than this are on their way at any time: at 50 000 a second, more than a second's worth.
const MAX_PENDING: usize = 65_536;

/// Hosts of the internet are all of 203.0.113.0/24 and 2001:db8:113::/48.
pub(super) fn is_internet(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets().starts_with(&Ipv4Addr::new(203, 0, 113, 0).octets()[..3]),
        IpAddr::V6(address) => address
            .segments()
            .starts_with(&Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 0).segments()[..3]),
    }
}

/// A frame to be sent by the interface of this index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) index: u32,
    pub(super) frame: Vec<u8>,
}

/// Where a frame is that is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Before the host of the internet.
    Internet,
    /// Before the router.
    Router,
}

/// A frame on its way. Ordered by time, then by age.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    due: Instant,
    order: u64,
    stage: Stage,
    wire: usize,
    index: u32,
    frame: Vec<u8>,
}

/// One provider: the far end of a wire, its gateway, and the line behind it.
#[derive(Debug)]
pub(super) struct Wire {
    /// Index of the far end's interface; `None` while there is none.
    pub(super) index: Option<u32>,
    pub(super) mac: [u8; 6],
    pub(super) gateways: BTreeSet<IpAddr>,
    /// Answers for every address that is sought, as the other end of a point-to-point link would need no asking.
    pub(super) answers_for_all: bool,
    pub(super) line: Line,
    pub(super) tally: Tally,
    pub(super) received: Received,
    lanes: [[Lane; 2]; 2],
    dice: Dice,
}

impl Wire {
    pub(super) fn new(mac: [u8; 6], answers_for_all: bool, seed: u64) -> Self {
        Self {
            index: None,
            mac,
            gateways: BTreeSet::new(),
            answers_for_all,
            line: Line::default(),
            tally: Tally::default(),
            received: Received::default(),
            lanes: Default::default(),
            dice: Dice::new(seed),
        }
    }

    /// Draws the fate of a packet in one direction.
    fn draw(&mut self, family: Family, stage: Stage, now: Instant) -> Fate {
        let path = self.line.path(family);
        let (weather, direction) = match stage {
            Stage::Internet => (path.to_internet, 0),
            Stage::Router => (path.from_internet, 1),
        };
        let [v4, v6] = &mut self.lanes;
        let lanes = match family {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        let fate =
            lanes.get_mut(direction).map(|lane| lane.draw(&weather, now, &mut self.dice)).unwrap_or_default();
        self.tally.lost += u64::from(fate.first.is_none());
        fate
    }

    /// Who has this address? The gateway, if it is alive and the address its own.
    fn neighbour(&mut self, frame: &[u8], reading: &Reading) -> Option<Vec<u8>> {
        self.tally.neighbour_requests += 1;
        // Who asks for its own address wants to hear nothing.
        let sought = self.gateways.contains(&reading.destination)
            || self.answers_for_all && reading.source != reading.destination;
        if !(self.line.gateway_alive && sought) {
            return None;
        }
        match reading.question {
            Question::Arp => frame::arp_reply(frame, self.mac),
            Question::Neighbour => frame::advertisement(frame, reading, self.mac),
            Question::Echo | Question::Udp(_) | Question::Other => None,
        }
    }

    fn note(&mut self, reading: &Reading, now: Instant) {
        match reading.question {
            Question::Echo => self.tally.echo(reading.source, reading.destination, now),
            Question::Udp(_) => self.tally.datagram(reading.source, reading.destination, now),
            Question::Arp | Question::Neighbour | Question::Other => {}
        }
    }

    /// What a host of the internet answers.
    fn host(&mut self, frame: &[u8], reading: &Reading) -> Option<Vec<u8>> {
        if self.line.dead.contains(&reading.destination) {
            return None;
        }
        match reading.question {
            Question::Echo if self.line.genuine => frame::mirror(frame, reading, self.mac),
            Question::Udp(ECHO_PORT) => frame::mirror(frame, reading, self.mac),
            Question::Udp(COUNT_PORT) => {
                self.received.insert(reading.payload(frame));
                None
            }
            Question::Echo | Question::Udp(_) | Question::Arp | Question::Neighbour | Question::Other => None,
        }
    }
}

/// All wires, and what is on its way between them and the internet.
#[derive(Debug)]
pub(super) struct State {
    pub(super) wires: Vec<Wire>,
    pending: BinaryHeap<Reverse<Pending>>,
    order: u64,
    outgoing: Vec<Outgoing>,
}

impl State {
    pub(super) fn new(wires: Vec<Wire>) -> Self {
        Self { wires, pending: BinaryHeap::new(), order: 0, outgoing: Vec::new() }
    }

    /// A frame has come in at the far end of a wire.
    pub(super) fn arrive(&mut self, index: u32, frame: &[u8], now: Instant) {
        let Some(at) = self.wires.iter().position(|wire| wire.index == Some(index)) else { return };
        let Some(wire) = self.wires.get_mut(at) else { return };
        let Some(reading) = frame::read(frame) else {
            wire.tally.unreadable += 1;
            return;
        };
        match reading.question {
            Question::Arp | Question::Neighbour => {
                let answer = wire.neighbour(frame, &reading);
                self.send(at, index, answer);
            }
            Question::Echo | Question::Udp(_) if wire.gateways.contains(&reading.destination) => {
                wire.note(&reading, now);
                // The gateway's own services are echo requests only.
                let answers = wire.line.gateway_alive && reading.question == Question::Echo;
                let answer = answers.then(|| frame::mirror(frame, &reading, wire.mac)).flatten();
                self.send(at, index, answer);
            }
            Question::Echo | Question::Udp(_) if is_internet(reading.destination) => {
                wire.note(&reading, now);
                if wire.line.gateway_alive {
                    self.pass_on(at, index, frame, &reading, now);
                }
            }
            Question::Echo | Question::Udp(_) | Question::Other => wire.tally.unknown += 1,
        }
    }

    /// Brings on what is due.
    pub(super) fn mature(&mut self, now: Instant) {
        while self.pending.peek().is_some_and(|Reverse(next)| next.due <= now) {
            let Some(Reverse(pending)) = self.pending.pop() else { return };
            let Pending { stage, wire, index, frame, .. } = pending;
            self.reach(stage, wire, index, frame, now);
        }
    }

    /// When [`State::mature`] has something to do.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.pending.peek().map(|Reverse(next)| next.due)
    }

    /// Takes the frames that are to be sent now.
    pub(super) fn take_outgoing(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outgoing)
    }

    /// A frame could not be sent.
    pub(super) fn unsent(&mut self, index: u32) {
        if let Some(wire) = self.wires.iter_mut().find(|wire| wire.index == Some(index)) {
            wire.tally.unsent += 1;
        }
    }

    /// The gateway has a packet for the internet.
    fn pass_on(&mut self, at: usize, index: u32, frame: &[u8], reading: &Reading, now: Instant) {
        let Some(wire) = self.wires.get_mut(at) else { return };
        if reading.question == Question::Echo {
            for forgery in wire.line.forgeries.clone() {
                let Some(wire) = self.wires.get_mut(at) else { return };
                if let Some(forged) = forgery.answer(frame, reading, wire.mac, &mut wire.dice) {
                    self.schedule(Stage::Router, at, index, forged, now + forgery.delay(), now);
                }
            }
        }
        let Some(wire) = self.wires.get_mut(at) else { return };
        if let Some(complaint) = wire.line.complaint {
            let router = wire.gateways.iter().find(|gateway| gateway.is_ipv4() == reading.source.is_ipv4());
            let complains = router.and_then(|router| {
                frame::complaint(frame, reading, wire.mac, *router, complaint.numbers(*router))
            });
            self.send(at, index, complains);
            return;
        }
        self.travel(Stage::Internet, at, index, frame.to_vec(), reading, now);
    }

    /// A packet enters the line in one direction.
    fn travel(
        &mut self,
        stage: Stage,
        at: usize,
        index: u32,
        frame: Vec<u8>,
        reading: &Reading,
        now: Instant,
    ) {
        let Some(wire) = self.wires.get_mut(at) else { return };
        let fate = wire.draw(Family::of(reading.source), stage, now);
        if let Some(due) = fate.second {
            self.schedule(stage, at, index, frame.clone(), due, now);
        }
        if let Some(due) = fate.first {
            self.schedule(stage, at, index, frame, due, now);
        }
    }

    fn schedule(&mut self, stage: Stage, at: usize, index: u32, frame: Vec<u8>, due: Instant, now: Instant) {
        if due <= now {
            self.reach(stage, at, index, frame, now);
        } else if self.pending.len() < MAX_PENDING {
            self.order += 1;
            self.pending.push(Reverse(Pending { due, order: self.order, stage, wire: at, index, frame }));
        } else if let Some(wire) = self.wires.get_mut(at) {
            wire.tally.overflowed += 1;
        }
    }

    /// A packet leaves the line in one direction.
    fn reach(&mut self, stage: Stage, at: usize, index: u32, frame: Vec<u8>, now: Instant) {
        match stage {
            Stage::Router => self.send(at, index, Some(frame)),
            Stage::Internet => {
                let Some(wire) = self.wires.get_mut(at) else { return };
                let Some(reading) = frame::read(&frame) else { return };
                if let Some(answer) = wire.host(&frame, &reading) {
                    self.travel(Stage::Router, at, index, answer, &reading, now);
                }
            }
        }
    }

    fn send(&mut self, at: usize, index: u32, frame: Option<Vec<u8>>) {
        let (Some(frame), Some(wire)) = (frame, self.wires.get_mut(at)) else { return };
        wire.tally.answered += 1;
        self.outgoing.push(Outgoing { index, frame });
    }
}
