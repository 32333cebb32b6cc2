//! What became of probes in the past, for those who ask again.

use crate::engine::Time;
use core::net::IpAddr;
use core::time::Duration;

/// The probes of one line, in the order in which they left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fates(Vec<Fate>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Fate {
    sent: Time,
    target: IpAddr,
    rtt: Option<Duration>,
}

impl Fates {
    /// A probe has left; its place, for [`Fates::answered`].
    pub fn sent(&mut self, sent: Time, target: IpAddr) -> usize {
        self.0.push(Fate { sent, target, rtt: None });
        self.0.len() - 1
    }

    /// It was answered.
    pub fn answered(&mut self, place: usize, rtt: Duration) {
        if let Some(fate) = self.0.get_mut(place) {
            fate.rtt = Some(rtt);
        }
    }

    /// What becomes of a probe that leaves now: the same as of the last one to that target, or to any if that was never
    /// asked; before the first, the same as of the first.
    #[must_use]
    pub fn of(&self, target: IpAddr, now: Time) -> Option<Duration> {
        let before = self.0.partition_point(|fate| fate.sent <= now);
        let (past, future) = self.0.split_at(before);
        let to_it = |fate: &&Fate| fate.target == target;
        let fate = past
            .iter()
            .rfind(to_it)
            .or_else(|| past.last())
            .or_else(|| future.iter().find(to_it))
            .or_else(|| future.first());
        fate.and_then(|fate| fate.rtt)
    }

    /// When the line was dead: from the first of at least so many rounds in a row without any answer to the first with
    /// one, or to the end.
    #[must_use]
    pub fn dead(&self, to: Time, rounds: usize) -> Vec<(Time, Time)> {
        let mut spans = vec![];
        let mut silent: Vec<Time> = vec![];
        let mut end = |silent: &mut Vec<Time>, mended: Time| {
            if silent.len() >= rounds {
                spans.extend(silent.first().map(|begin| (*begin, mended)));
            }
            silent.clear();
        };
        for round in self.0.chunk_by(|one, other| one.sent == other.sent) {
            let Some(sent) = round.first().map(|fate| fate.sent) else { continue };
            if round.iter().all(|fate| fate.rtt.is_none()) {
                silent.push(sent);
            } else {
                end(&mut silent, sent);
            }
        }
        end(&mut silent, to);
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn target(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, last))
    }

    /// Ten rounds of two targets, a second apart; from 3 to 6 nothing answers, at 8 only the second.
    fn fates() -> Fates {
        let mut fates = Fates::default();
        for second in 0..10_u64 {
            for last in [1, 2] {
                let place = fates.sent(Time::from_millis(second * 1000), target(last));
                if !(3..6).contains(&second) && (second, last) != (8, 1) {
                    fates.answered(place, Duration::from_millis(second + 10));
                }
            }
        }
        fates
    }

    #[test]
    fn a_probe_fares_as_the_last_one_to_its_target() {
        let of = |last, ms| fates().of(target(last), Time::from_millis(ms)).map(|rtt| rtt.as_millis());
        assert_eq!(
            (of(1, 0), of(1, 2999), of(1, 3000), of(1, 5999), of(1, 6000)),
            (Some(10), Some(12), None, None, Some(16))
        );
        assert_eq!((of(1, 8500), of(2, 8500)), (None, Some(18)));
        // One that was never asked fares as the last that was.
        assert_eq!(of(9, 8500), Some(18));
        assert_eq!(Fates::default().of(target(1), Time::ZERO), None);
    }

    #[test]
    fn a_line_is_dead_from_its_first_silent_round_to_the_next_answer() {
        let dead = |rounds| fates().dead(Time::from_millis(10_000), rounds);
        assert_eq!(dead(2), [(Time::from_millis(3000), Time::from_millis(6000))]);
        // Three rounds are not four.
        assert_eq!((dead(3).len(), dead(4)), (1, vec![]));
    }
}
