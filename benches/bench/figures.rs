//! Numbers: order statistics, conversions, and chance that is the same in every run.

use std::time::Duration;

/// Measured values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    /// In milliseconds.
    pub(crate) fn millis(times: impl IntoIterator<Item = Duration>) -> Self {
        times.into_iter().map(|time| time.as_secs_f64() * 1000.0).collect()
    }

    /// The value that this share of all does not exceed (nearest rank); none if there are no values.
    pub(crate) fn percentile(&self, percent: usize) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }

    /// The middle one.
    pub(crate) fn median(&self) -> Option<f64> {
        self.percentile(50)
    }

    /// All together, divided by how many there are.
    pub(crate) fn mean(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().sum::<f64>() / float(self.count() as u64))
    }

    /// The values themselves.
    pub(crate) fn into_values(self) -> Vec<f64> {
        self.0
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Extend<f64> for Figures {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, values: I) {
        self.0.extend(values);
    }
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of packets and microseconds are far below 2^53")]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// A sequence of pauses (splitmix64): cuts must not keep step with the daemon's ticks, and each contestant gets the
/// same ones.
#[derive(Debug, Clone)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// From the first up to the second.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        least + most.saturating_sub(least).mul_f64(float(mixed >> 32) / float(1 << 32))
    }
}
