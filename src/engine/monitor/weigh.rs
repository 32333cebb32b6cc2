//! Loss and delay: is a line that answers good enough?

use super::{Monitor, News, Target, Time, Verdict};
use core::cmp::Ordering;
use core::time::Duration;

/// The fewest probes that the degraded verdict is based on.
const MIN_SAMPLES: u32 = 10;

impl Monitor {
    /// The loss that counts, in percent: that of the target that completes the quorum, best first. A target that is
    /// dead by itself makes no line lossy.
    #[must_use]
    pub fn loss_percent(&self, quorum: u16) -> f64 {
        let losses = self.targets.iter().map(|target| target.window.loss_percent());
        completing(quorum, losses, f64::total_cmp).unwrap_or(0.0)
    }

    /// The delay that counts: of the target that completes the quorum, fastest first.
    #[must_use]
    pub fn rtt(&self, quorum: u16) -> Option<Duration> {
        let means = self.targets.iter().filter_map(|target| target.window.rtt());
        completing(quorum, means, Duration::cmp)
    }

    /// The variation of the delay, of the steadiest target.
    #[must_use]
    pub fn jitter(&self) -> Option<Duration> {
        self.targets.iter().filter(|target| target.srtt.is_some()).map(|target| target.rttvar).min()
    }

    /// Judges that, once enough is known.
    pub(super) fn weigh(&mut self, quorum: u16, now: Time, news: &mut Vec<News>) {
        let limits = &self.settings.degraded;
        let enough = |target: &Target| {
            target.window.samples() >= MIN_SAMPLES && target.window.age(now) >= limits.window / 2
        };
        let covered = self.targets.iter().filter(|target| enough(target)).count() >= usize::from(quorum);
        let (loss, rtt) = (self.loss_percent(quorum), self.rtt(quorum).unwrap_or_default());
        let verdict = match self.verdict {
            Some(Verdict::Good)
                if covered && (loss >= f64::from(limits.loss_percent) || rtt >= limits.rtt) =>
            {
                Verdict::Lossy
            }
            Some(Verdict::Lossy)
                if loss <= f64::from(limits.clear_loss_percent) && rtt <= limits.clear_rtt =>
            {
                Verdict::Good
            }
            None | Some(Verdict::Good | Verdict::Lossy | Verdict::Dead) => return,
        };
        self.verdict = Some(verdict);
        news.push(News::Verdict(verdict));
    }
}

/// The value that completes a quorum, least first; none if there are too few. Without sorting, and for a quorum of one
/// without a copy: this is looked at in each round, for up to a thousand targets.
fn completing<T: Copy>(
    quorum: u16,
    values: impl Iterator<Item = T>,
    order: impl Fn(&T, &T) -> Ordering,
) -> Option<T> {
    let place = usize::from(quorum.max(1)) - 1;
    if place == 0 {
        return values.min_by(order);
    }
    let mut values: Vec<T> = values.collect();
    (place < values.len()).then(|| *values.select_nth_unstable_by(place, order).1)
}
