//! One uplink: what is known of it, when traffic came home to it and left it, and what follows for its stable window.

use super::rounds::Rounds;
use Health::{Degraded, Down, Drained, Healthy, Probation, Unready};
use std::time::Duration;
use uplinkd::engine::Time;
use uplinkd::engine::monitor::Verdict;
use uplinkd::engine::settings::{Failover, Probe, Uplink};
use uplinkd::machine::Health;

/// What moved traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Why {
    Evidence,
    Order,
    Window,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Move {
    Home,
    Away,
}

pub(super) struct Line<'a> {
    pub(super) tier: u8,
    pub(super) ready: bool,
    pub(super) drained: bool,
    pub(super) rounds: Rounds<'a>,
    /// Since when its stable window runs, and how long that is.
    pub(super) window: Option<(Time, Duration)>,
    pub(super) moves: Vec<(Time, Move, Why)>,
}

impl<'a> Line<'a> {
    pub(super) fn new(uplink: &Uplink, probe: &'a Probe) -> Self {
        let rounds = Rounds::new(probe, uplink.targets.len());
        Self { tier: uplink.tier, ready: false, drained: false, rounds, window: None, moves: vec![] }
    }

    pub(super) fn health(&self) -> Health {
        match self.rounds.verdict {
            _ if self.drained => Drained { ready: self.ready },
            _ if !self.ready => Unready,
            None => Probation,
            Some(Verdict::Good) => Healthy,
            Some(Verdict::Lossy) => Degraded,
            Some(Verdict::Dead) => Down,
        }
    }

    /// A homecoming that the evidence soon undoes doubles the next window; one that held ends the count.
    pub(super) fn window_length(&self, limits: &Failover) -> Duration {
        let (mut length, mut home) = (limits.stable_window, None);
        for (at, what, why) in &self.moves {
            let held = home.is_some_and(|home| at.since(home) >= limits.flap_memory);
            match (what, why) {
                (Move::Home, Why::Order) | (Move::Away, Why::Window) => {}
                (Move::Home, Why::Evidence | Why::Window) => home = Some(*at),
                (Move::Away, _) if held => (length, home) = (limits.stable_window, None),
                (Move::Away, Why::Evidence) if home.is_some() => {
                    (length, home) = (limits.max_stable_window.min(length * 2), None);
                }
                (Move::Away, Why::Evidence | Why::Order) => {}
            }
        }
        length
    }
}
