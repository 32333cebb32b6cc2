//! What happens to a probe between the router and the internet.

use super::dice::Dice;
use crate::engine::Time;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One uplink's line, as the world would have it.
#[expect(clippy::struct_excessive_bools, reason = "each is something that breaks by itself")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The cable is in.
    pub carrier: bool,
    /// The interface exists.
    pub present: bool,
    /// It has its address.
    pub addressed: bool,
    /// The provider's gateway works.
    pub gateway: bool,
    /// The way from the router to the internet.
    pub there: Way,
    /// The way back.
    pub back: Way,
    /// A portal answers instead of the internet: "administratively prohibited" (RFC 1812, section 5.2.7.1), and nothing else.
    pub captive: bool,
    /// There and back without a queue.
    pub delay: Duration,
    /// At most so much more, evenly.
    pub jitter: Duration,
    /// A loss takes so many packets in a row.
    pub burst: u16,
    /// Packets that the present burst will take.
    losing: u16,
}

/// One direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Way {
    /// Nothing comes through.
    pub cut: bool,
    /// So many of a hundred packets are lost.
    pub loss_percent: u8,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            carrier: true,
            present: true,
            addressed: true,
            gateway: true,
            there: Way::default(),
            back: Way::default(),
            captive: false,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            burst: 1,
            losing: 0,
        }
    }
}

/// What becomes of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing comes back.
    Lost,
    /// It is answered after this time.
    Answered(Duration),
    /// After this time a router on the way says that it cannot go on.
    Refused(Duration),
}

/// How well a line carries traffic, as a person would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// All of it.
    Full,
    /// Some of it: whether that is worth leaving is a matter of settings.
    Partial,
    /// None.
    None,
}

impl Line {
    const fn reaches_gateway(&self) -> bool {
        self.carrier && self.present && self.addressed && self.gateway
    }

    /// How well it carries traffic.
    #[must_use]
    pub const fn service(&self) -> Service {
        if !self.reaches_gateway() || self.captive || self.there.cut || self.back.cut {
            Service::None
        } else if self.there.loss_percent > 0 || self.back.loss_percent > 0 {
            Service::Partial
        } else {
            Service::Full
        }
    }

    /// What becomes of a probe that leaves now.
    pub fn carry(&mut self, dice: &mut Dice) -> Fate {
        let through = match self.service() {
            Service::None => false,
            Service::Full => true,
            Service::Partial if self.losing > 0 => {
                self.losing -= 1;
                false
            }
            Service::Partial => {
                let lost = dice.percent(self.there.loss_percent) || dice.percent(self.back.loss_percent);
                if lost {
                    self.losing = self.burst.saturating_sub(1);
                }
                !lost
            }
        };
        let jitter_us = u64::try_from(self.jitter.as_micros()).unwrap_or(0);
        let more = Duration::from_micros(dice.below(jitter_us.saturating_add(1)));
        let rtt = self.delay.saturating_add(more);
        match through {
            true => Fate::Answered(rtt),
            false if self.captive && self.reaches_gateway() => Fate::Refused(rtt),
            false => Fate::Lost,
        }
    }
}

/// The far ends: which targets answer whom, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// These answer nobody.
    pub silent: BTreeSet<IpAddr>,
    /// These answer nobody who asks by this uplink.
    pub silent_to: BTreeSet<(u8, IpAddr)>,
    /// These answer so many questions a second, whoever asks.
    pub limits: BTreeMap<IpAddr, u16>,
    /// When those were answered lately.
    answered: BTreeMap<IpAddr, VecDeque<Time>>,
}

impl Targets {
    /// Does this target answer a question by this uplink now?
    pub fn answer(&mut self, uplink: u8, target: IpAddr, now: Time) -> bool {
        if self.silent.contains(&target) || self.silent_to.contains(&(uplink, target)) {
            return false;
        }
        let Some(limit) = self.limits.get(&target) else { return true };
        let lately = self.answered.entry(target).or_default();
        while lately.front().is_some_and(|at| now.since(*at) >= Duration::from_secs(1)) {
            lately.pop_front();
        }
        let free = lately.len() < usize::from(*limit);
        if free {
            lately.push_back(now);
        }
        free
    }
}
