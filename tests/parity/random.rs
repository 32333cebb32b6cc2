//! Repeatable chance.

use nix::time::{ClockId, clock_gettime};
use uplinkd::sim::dice::Dice;

/// The dice of the simulated world, with the words that are wanted here.
#[derive(Debug, Clone)]
pub(super) struct Random(Dice);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Dice::new(seed))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// Below the bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// So many times of a hundred.
    pub(super) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    pub(super) fn of<T: Clone>(&mut self, values: &[T]) -> Option<T> {
        values.get(self.below(values.len())).cloned()
    }

    /// One of them, of which there is at least one.
    pub(super) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// Another number every day, so that the world is explored further; it is printed.
pub(super) fn today() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME)
        .ok()
        .and_then(|now| u64::try_from(now.tv_sec()).ok())
        .map_or(0, |seconds| seconds / 86_400)
}
