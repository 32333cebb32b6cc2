//! Time as the pure rings know it: how long since the daemon's clock began. Only the daemon reads a clock.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment. The daemon counts from the machine's start (CLOCK_BOOTTIME, so that a suspend counts), a simulation from
/// zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Time(pub Duration);

impl Time {
    /// The beginning.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Milliseconds since the beginning.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// How long since `earlier`; zero if that lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The first multiple of `step` after this moment: probes of all uplinks share these ticks, because a wakeup costs
    /// ten times what a packet costs.
    #[must_use]
    pub fn next_tick(self, step: Duration) -> Self {
        let step = step.as_nanos().max(1);
        let ticks = self.0.as_nanos() / step + 1;
        Self(Duration::from_nanos(u64::try_from(ticks * step).unwrap_or(u64::MAX)))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}
