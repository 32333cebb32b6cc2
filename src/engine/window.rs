//! Loss and delay of one target over the last minute, in bounded memory.

use super::time::{Time, in_nanos};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How finely the window slides: it forgets in steps of one thirtieth.
const BUCKETS: usize = 30;

/// Probes and their fate over a sliding window of time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Window {
    step: Duration,
    buckets: [Bucket; BUCKETS],
    /// Which step of time the newest bucket stands for.
    newest: u64,
    /// When the first probe was counted.
    since: Option<Time>,
    total: Bucket,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Bucket {
    answered: u32,
    lost: u32,
    rtt_us: u64,
}

impl Window {
    /// An empty window of this length.
    #[must_use]
    pub fn new(length: Duration) -> Self {
        let step = (length / 30).max(Duration::from_millis(1));
        Self { step, buckets: [Bucket::default(); BUCKETS], newest: 0, since: None, total: Bucket::default() }
    }

    /// Counts one probe; `rtt` is none if it was lost.
    pub fn count(&mut self, now: Time, rtt: Option<Duration>) {
        self.slide(now);
        self.since.get_or_insert(now);
        let index = usize::try_from(self.newest % BUCKETS as u64).unwrap_or(0);
        for bucket in [&mut self.buckets[index], &mut self.total] {
            match rtt {
                Some(rtt) => {
                    bucket.answered += 1;
                    bucket.rtt_us += u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX >> 16);
                }
                None => bucket.lost += 1,
            }
        }
    }

    /// Forgets what is older than the window.
    pub fn slide(&mut self, now: Time) {
        let (now, length) = (in_nanos(now.0), in_nanos(self.step).max(1));
        // This is asked of each target in each round, and seldom is a step over: dividing each time would cost as much as
        // all the rest of a verdict.
        if now < self.newest.saturating_add(1).saturating_mul(length) {
            return;
        }
        let step = now / length;
        let stale = usize::try_from(step - self.newest).unwrap_or(BUCKETS).min(BUCKETS);
        for offset in 0..stale {
            let index = usize::try_from((step - offset as u64) % BUCKETS as u64).unwrap_or(0);
            let bucket = core::mem::take(&mut self.buckets[index]);
            self.total.answered -= bucket.answered;
            self.total.lost -= bucket.lost;
            self.total.rtt_us -= bucket.rtt_us;
        }
        self.newest = step;
    }

    /// How many probes it holds.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.total.answered + self.total.lost
    }

    /// How long ago the first probe was counted.
    #[must_use]
    pub fn age(&self, now: Time) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Lost probes in percent, 0 to 100; zero when nothing was counted.
    #[must_use]
    pub fn loss_percent(&self) -> f64 {
        match self.samples() {
            0 => 0.0,
            samples => f64::from(self.total.lost) * 100.0 / f64::from(samples),
        }
    }

    /// Mean round-trip time of the answered ones.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        let mean = self.total.rtt_us.checked_div(u64::from(self.total.answered))?;
        Some(Duration::from_micros(mean))
    }
}
