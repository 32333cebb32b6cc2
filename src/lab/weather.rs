//! What happens to packets on their way.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Complaint, Forgery};
use crate::engine::Family;

/// How long a packet is held back so that later ones overtake it.
const REORDER_HOLD: Duration = Duration::from_millis(5);

/// What happens to the packets of one direction. The default is a clear sky.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weather {
    /// Every packet takes so long.
    pub delay: Duration,
    /// And up to so much longer. Packets do not overtake each other for this.
    pub jitter: Duration,
    /// Share that is lost, 0 to 1.
    pub loss: f64,
    /// Share that arrives twice, 0 to 1.
    pub duplicate: f64,
    /// Share that later packets overtake, 0 to 1.
    pub reorder: f64,
    /// Nothing arrives.
    pub blackhole: bool,
}

/// The two directions between an uplink's gateway and the internet.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Path {
    /// Questions.
    pub to_internet: Weather,
    /// Answers.
    pub from_internet: Weather,
}

/// Everything about one uplink that can be ordered to go wrong while its cable is in.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The IPv4 path to the internet.
    pub v4: Path,
    /// The IPv6 path to the internet. The two often fail separately.
    pub v6: Path,
    /// Without it the gateway answers nothing at all, and passes nothing on.
    pub gateway_alive: bool,
    /// Hosts of the internet that are silent on this line.
    pub dead: BTreeSet<IpAddr>,
    /// The gateway passes nothing on and complains.
    pub complaint: Option<Complaint>,
    /// Each of these is sent for each echo request to the internet.
    pub forgeries: Vec<Forgery>,
    /// Without it the true answers to echo requests are swallowed.
    pub genuine: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            v4: Path::default(),
            v6: Path::default(),
            gateway_alive: true,
            dead: BTreeSet::new(),
            complaint: None,
            forgeries: Vec::new(),
            genuine: true,
        }
    }
}

impl Line {
    /// The path of one family.
    #[must_use]
    pub fn path(&self, family: Family) -> &Path {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// Changes both families alike.
    pub fn both(&mut self, mut change: impl FnMut(&mut Path)) {
        change(&mut self.v4);
        change(&mut self.v6);
    }

    /// Silent upstream loss: the gateway answers, the internet does not.
    pub fn blackhole(&mut self, on: bool) {
        self.both(|path| {
            path.to_internet.blackhole = on;
            path.from_internet.blackhole = on;
        });
    }

    /// The same loss, 0 to 1, in each direction.
    pub fn lose(&mut self, share: f64) {
        self.both(|path| {
            path.to_internet.loss = share;
            path.from_internet.loss = share;
        });
    }

    /// Half of a round trip in each direction.
    pub fn round_trip(&mut self, time: Duration) {
        self.both(|path| {
            path.to_internet.delay = time / 2;
            path.from_internet.delay = time / 2;
        });
    }
}

/// When the copies of one packet come out at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fate {
    pub(super) first: Option<Instant>,
    pub(super) second: Option<Instant>,
}

/// One direction of one line: what came out last, so that jitter does not reorder.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lane {
    last: Option<Instant>,
}

impl Lane {
    /// Draws what becomes of a packet that enters now.
    pub(super) fn draw(&mut self, weather: &Weather, now: Instant, dice: &mut Dice) -> Fate {
        if weather.blackhole || dice.happens(weather.loss) {
            return Fate::default();
        }
        let mut due = now + weather.delay + weather.jitter.mul_f64(dice.share());
        if dice.happens(weather.reorder) {
            due += REORDER_HOLD;
        } else {
            // When the weather clears, packets need not wait for those that were delayed before.
            let waits = weather.jitter > Duration::ZERO;
            due = self
                .last
                .filter(|last| waits && *last <= now + weather.delay + weather.jitter)
                .map_or(due, |last| due.max(last));
            self.last = Some(due);
        }
        Fate { first: Some(due), second: dice.happens(weather.duplicate).then_some(due) }
    }
}

/// Chance: the same seed draws the same weather.
#[derive(Debug, Clone)]
pub(super) struct Dice(crate::sim::dice::Dice);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(crate::sim::dice::Dice::new(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// From 0 up to 1.
    pub(super) fn share(&mut self) -> f64 {
        // 32 bits are exact in a float and fine enough for weather.
        f64::from(u32::try_from(self.next() >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        // Nothing is drawn for what never happens, so that a clear sky costs nothing.
        probability > 0.0 && self.share() < probability
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}
