//! What the core can be told: a finite alphabet.

use super::{Id, health, sync};
use ::core::fmt;
use serde::{Deserialize, Serialize};

/// Everything that can happen to a [`Core`](super::Core).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Something about one uplink.
    Uplink(Id, health::Event),
    /// The operator's hand.
    Operator(Command),
    /// The kernel still has the promoted route of this uplink from an earlier run.
    Adopt(Id),
    /// A timer ran out.
    Expired(Timer),
    /// The conversation with the kernel.
    Kernel(sync::Event),
    /// The daemon is to end.
    Stop,
}

/// What the operator can order (draining is an event of the uplink).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Pin traffic to this uplink until released.
    Use(Id),
    /// Release a pin or a freeze: automatic again.
    Auto,
    /// No automatic switching from here on.
    Freeze,
}

/// The names of the timers; their lengths are the engine's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// How long Boot waits for better uplinks to prove themselves.
    BootDeadline,
    /// How long a refused plan or an unreadable kernel is left alone.
    Retry,
    /// The stable window of one better uplink.
    Stable(Id),
}

/// A set of timers; arming and disarming is the difference of two of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Timers(u128);

impl Timers {
    /// No timer.
    pub const NONE: Self = Self(0);

    const fn bit(timer: Timer) -> u128 {
        match timer {
            Timer::BootDeadline => 1,
            Timer::Retry => 2,
            Timer::Stable(id) => match 4_u128.checked_shl(id as u32) {
                Some(bit) => bit,
                None => 0,
            },
        }
    }

    /// Adds one.
    pub fn insert(&mut self, timer: Timer) {
        self.0 |= Self::bit(timer);
    }

    /// Removes one.
    pub fn remove(&mut self, timer: Timer) {
        self.0 &= !Self::bit(timer);
    }

    /// Is it in here?
    #[must_use]
    pub const fn contains(self, timer: Timer) -> bool {
        self.0 & Self::bit(timer) != 0
    }

    /// Those of `self` that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// In a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Timer> {
        let stable = (0..125).map(Timer::Stable);
        [Timer::BootDeadline, Timer::Retry]
            .into_iter()
            .chain(stable)
            .take_while(move |timer| Self::bit(*timer) <= self.0)
            .filter(move |timer| self.contains(*timer))
    }
}

impl FromIterator<Timer> for Timers {
    fn from_iter<I: IntoIterator<Item = Timer>>(timers: I) -> Self {
        let mut set = Self::NONE;
        timers.into_iter().for_each(|timer| set.insert(timer));
        set
    }
}

impl Event {
    /// Every event that a core of `uplinks` uplinks understands, in the order of the tables. Timers are left out: which
    /// of them can fire depends on the state.
    #[must_use]
    pub fn all(uplinks: u8) -> Vec<Self> {
        let mut events = Vec::new();
        for id in 0..uplinks {
            events.extend(health::Event::ALL.map(|event| Self::Uplink(id, event)));
        }
        events.extend((0..uplinks).map(|id| Self::Operator(Command::Use(id))));
        events.extend([Self::Operator(Command::Auto), Self::Operator(Command::Freeze)]);
        events.extend((0..uplinks).map(Self::Adopt));
        events.extend(sync::Event::ALL.map(Self::Kernel));
        events.push(Self::Stop);
        events
    }

    /// Does the core bring this about by itself, without the world?
    #[must_use]
    pub const fn is_internal(self) -> bool {
        match self {
            Self::Expired(_) => true,
            Self::Uplink(..) | Self::Operator(_) | Self::Adopt(_) | Self::Kernel(_) | Self::Stop => false,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uplink(id, event) => write!(f, "{event:?}({id})"),
            Self::Operator(Command::Use(id)) => write!(f, "Use({id})"),
            Self::Operator(command) => write!(f, "{command:?}"),
            Self::Adopt(id) => write!(f, "Adopt({id})"),
            Self::Expired(timer) => write!(f, "{timer} expired"),
            Self::Kernel(event) => write!(f, "{event:?}"),
            Self::Stop => f.write_str("Stop"),
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BootDeadline => f.write_str("BootDeadline"),
            Self::Retry => f.write_str("Retry"),
            Self::Stable(id) => write!(f, "Stable({id})"),
        }
    }
}
