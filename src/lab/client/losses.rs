//! What a client lost, added up.

use std::time::{Duration, Instant};

/// Losses are also told by intervals of this length.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// One datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) sent: Instant,
    pub(super) answered: Option<Instant>,
    /// The kernel did not take it, as without a route.
    pub(super) refused: bool,
}

/// Losses within one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// When it begins.
    pub start: Instant,
    /// Datagrams sent in it.
    pub sent: u64,
    /// How many of them were not answered.
    pub lost: u64,
}

/// What was lost of the datagrams sent in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    /// Datagrams sent, refused ones included.
    pub sent: u64,
    /// Not answered up to now.
    pub lost: u64,
    /// Of those lost, the ones that the kernel did not even take.
    pub refused: u64,
    /// Answers to datagrams that had been answered, since the client started.
    pub repeated: u64,
    /// The longest time, by sending, without an answer.
    pub longest_gap: Duration,
    /// When the first lost one was sent.
    pub first_loss: Option<Instant>,
    /// When the last lost one was sent.
    pub last_loss: Option<Instant>,
    /// The longest round trip of those answered.
    pub slowest: Duration,
    /// The same by intervals of [`INTERVAL`].
    pub intervals: Vec<Interval>,
}

/// Adds up datagrams in the order in which they were sent.
pub(super) fn sum(samples: impl Iterator<Item = Sample>) -> Losses {
    let mut losses = Losses::default();
    let (mut before, mut last) = (None, None);
    for Sample { sent, answered, refused } in samples {
        losses.sent += 1;
        let lost = answered.is_none();
        match losses.intervals.last_mut().filter(|interval| sent < interval.start + INTERVAL) {
            Some(interval) => {
                interval.sent += 1;
                interval.lost += u64::from(lost);
            }
            None => losses.intervals.push(Interval { start: sent, sent: 1, lost: u64::from(lost) }),
        }
        // A span that begins or ends in silence has a gap there too.
        let silent_since = *before.get_or_insert(sent);
        last = Some(sent);
        if let Some(answered) = answered {
            losses.longest_gap = losses.longest_gap.max(sent - silent_since);
            losses.slowest = losses.slowest.max(answered.saturating_duration_since(sent));
            before = Some(sent);
        } else {
            losses.lost += 1;
            losses.refused += u64::from(refused);
            losses.first_loss.get_or_insert(sent);
            losses.last_loss = Some(sent);
        }
    }
    if let (Some(before), Some(last)) = (before, last) {
        losses.longest_gap = losses.longest_gap.max(last - before);
    }
    losses
}
