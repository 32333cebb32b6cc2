//! From answers to a verdict: rounds, adaptive timeouts, suspicion, and the window of loss and delay.
//!
//! One monitor per uplink and family. A *round* asks every target at once; it is good as soon as the quorum has
//! answered and failed when its time is over without that. Rounds are judged in the order in which they left, so that
//! "in a row" means what it says. A first failed round makes the uplink *suspect*: the next leaves at once and the
//! following at the confirm interval until the verdict is clear.

mod target;
mod weigh;

use super::settings::{Probe, Timeout};
use super::time::Time;
use super::window::Window;
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
pub use target::{Complaint, Target};

/// The most rounds that are remembered; with the shortest interval (10 ms) and the longest ceiling that is more than
/// can be under way.
const MAX_ROUNDS: usize = 256;

/// What a series of rounds says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It works.
    Good,
    /// It answers, but with too much loss or delay.
    Lossy,
    /// It does not answer.
    Dead,
}

/// Something that the machine must hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// One round failed.
    Missed,
    /// The verdict changed.
    Verdict(Verdict),
}

/// Answers out of the ordinary: duplicates changed nothing, late ones spoke of their path's delay at most, or came in time to
/// be judged although not in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Oddities {
    /// Answered twice.
    pub duplicates: u64,
    /// Answered after their time was over.
    pub late: u64,
    /// Rounds that our own overflowing receive buffer made worthless.
    pub voided: u64,
}

/// The judge of one uplink, one family.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Monitor {
    settings: Probe,
    targets: Vec<Target>,
    rounds: VecDeque<Round>,
    verdict: Option<Verdict>,
    fails: u32,
    goods: u32,
    /// When the first round of the present run of failures left.
    failing_since: Option<Time>,
    /// When the first round of the present run of good ones left.
    stable_since: Option<Time>,
    last_sent: Option<Time>,
    /// When the latest good round left.
    last_good: Option<Time>,
    /// The next round is due at once.
    urgent: bool,
    /// Failed rounds in a row of which every failure was explained.
    explained: u32,
    /// When a round last had its quorum, be it too late.
    heard: Option<Time>,
    /// How many answers make a round good: so many as when it was judged last.
    quorum: u16,
    /// A verdict of death is held back, see [`Monitor::judge`].
    held: bool,
    /// Overflows since a round was last judged good.
    voids: u32,
    oddities: Oddities,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Round {
    id: u64,
    sent: Time,
    fates: Vec<Fate>,
    judged: bool,
    /// Judged, and its silent targets are counted.
    failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    Waiting,
    Answered,
    Failed,
}

impl Round {
    fn count(&self, fate: Fate) -> usize {
        self.fates.iter().filter(|candidate| **candidate == fate).count()
    }
}

impl Monitor {
    /// Nothing known yet; the first round is due at once.
    #[must_use]
    pub fn new(settings: &Probe, targets: &[IpAddr]) -> Self {
        Self {
            settings: settings.clone(),
            targets: targets.iter().map(|address| Target::new(*address, settings)).collect(),
            rounds: VecDeque::new(),
            verdict: None,
            fails: 0,
            goods: 0,
            failing_since: None,
            stable_since: None,
            last_sent: None,
            last_good: None,
            urgent: true,
            explained: 0,
            heard: None,
            quorum: settings.quorum,
            held: false,
            voids: 0,
            oddities: Oddities::default(),
        }
    }

    /// A fate for each target in each round.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.rounds.iter().all(|round| round.fates.len() == self.targets.len())
    }

    /// The targets, with their histories.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// The verdict, once there is one.
    #[must_use]
    pub const fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Failed rounds in a row.
    #[must_use]
    pub const fn fails(&self) -> u32 {
        self.fails
    }

    /// When the first round of the present run of failures left.
    #[must_use]
    pub const fn failing_since(&self) -> Option<Time> {
        self.failing_since
    }

    /// Is there a round that left since then and is open, and none that was answered?
    #[must_use]
    pub fn is_undecided_since(&self, since: Time) -> bool {
        let open = self.rounds.iter().any(|round| !round.judged && round.sent >= since);
        open && self.last_good.is_none_or(|good| good < since)
    }

    /// When the latest good round left.
    #[must_use]
    pub const fn last_good(&self) -> Option<Time> {
        self.last_good
    }

    /// Since when every round has been good.
    #[must_use]
    pub const fn stable_since(&self) -> Option<Time> {
        self.stable_since
    }

    /// Answers that changed nothing.
    #[must_use]
    pub const fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// Does the newest evidence contradict the verdict, or is there none yet?
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        match self.verdict {
            None => true,
            Some(Verdict::Good | Verdict::Lossy) => self.fails > 0,
            Some(Verdict::Dead) => self.goods > 0,
        }
    }

    /// Was it good, and is now missing answers?
    #[must_use]
    pub const fn is_suspect(&self) -> bool {
        match self.verdict {
            Some(Verdict::Good | Verdict::Lossy) => self.fails > 0,
            None | Some(Verdict::Dead) => false,
        }
    }

    /// When the next round is due, if rounds leave every `interval` while nothing is in doubt.
    #[must_use]
    pub fn next_round(&self, interval: Duration) -> Time {
        match self.last_sent {
            None => Time::ZERO,
            Some(_) if self.urgent => Time::ZERO,
            Some(sent) if self.is_in_doubt() => sent + self.settings.confirm_interval.min(interval),
            Some(sent) => sent.next_tick(interval),
        }
    }

    /// A round leaves.
    pub fn send(&mut self, id: u64, now: Time) -> Vec<(u16, IpAddr)> {
        self.last_sent = Some(now);
        self.urgent = false;
        if self.rounds.len() >= MAX_ROUNDS {
            self.rounds.pop_front();
        }
        let fates = vec![Fate::Waiting; self.targets.len()];
        self.rounds.push_back(Round { id, sent: now, fates, judged: false, failed: false });
        (0..).zip(self.targets.iter().map(|target| target.address)).collect()
    }

    /// A genuine answer came.
    pub fn answer(&mut self, round: u64, target: u16, rtt: Option<Duration>, now: Time) {
        let (index, timeout) = (usize::from(target), self.timeout());
        let (Some(target), Some(round)) =
            (self.targets.get_mut(index), self.rounds.iter_mut().find(|candidate| candidate.id == round))
        else {
            self.oddities.late += 1;
            return;
        };
        match round.fates[index] {
            Fate::Waiting => {}
            Fate::Answered => {
                self.oddities.duplicates += 1;
                return;
            }
            // It was reported as lost and came nevertheless.
            Fate::Failed => {
                self.oddities.late += 1;
                return;
            }
        }
        let rtt = rtt.unwrap_or_else(|| now.since(round.sent));
        target.learn(rtt);
        target.silent = 0;
        target.complaint = None;
        target.window.count(now, Some(rtt));
        round.fates[index] = Fate::Answered;
        // With the quorum a round is judged, and the rest may still be in time.
        if now >= round.sent + timeout {
            self.oddities.late += 1;
        }
        if round.count(Fate::Answered) >= usize::from(self.quorum) {
            self.heard = Some(now);
        }
    }

    /// A probe failed, and somebody said why.
    pub fn complain(&mut self, round: u64, target: u16, complaint: Complaint, now: Time) {
        let index = usize::from(target);
        let (Some(target), Some(round)) =
            (self.targets.get_mut(index), self.rounds.iter_mut().find(|candidate| candidate.id == round))
        else {
            return;
        };
        if round.fates[index] == Fate::Waiting {
            round.fates[index] = Fate::Failed;
            target.complaint = Some(complaint);
            target.silent += 1;
            target.window.count(now, None);
        }
    }

    /// Answers were lost on our side: rounds that are not decided say nothing. But not for ever: where nothing but
    /// overflows is seen, silence counts again, or a flood could keep a dead line alive.
    pub fn void(&mut self) {
        if self.voids >= u32::from(self.settings.fall) {
            return;
        }
        self.voids += 1;
        let before = self.rounds.len();
        self.rounds.retain(|round| round.judged);
        self.oddities.voided += (before - self.rounds.len()) as u64;
    }

    /// When there is something to judge.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let round = self.rounds.iter().find(|round| !round.judged).map(|round| round.sent + self.timeout());
        round.into_iter().chain(self.death().filter(|_| !self.held)).min()
    }

    /// Judges what can be judged; `quorum` answers make a round good. With `hold` nothing is said against the line, neither
    /// that it is dead nor that it loses too much: when everything falls silent at once, the others are heard first.
    pub fn judge(&mut self, quorum: u16, hold: bool, now: Time) -> Vec<News> {
        let mut news = vec![];
        self.held = hold;
        self.quorum = quorum;
        while let Some(index) = self.rounds.iter().position(|round| !round.judged) {
            let round = &self.rounds[index];
            let (answered, waiting) = (round.count(Fate::Answered), round.count(Fate::Waiting));
            let sent = round.sent;
            // Read anew each time: a late answer to an earlier round gives this one the time that it needs.
            let limit = sent + self.timeout();
            if answered >= usize::from(quorum) {
                self.rounds[index].judged = true;
                self.good_round(sent, &mut news);
            } else if answered + waiting < usize::from(quorum) || now >= limit {
                self.rounds[index].judged = true;
                self.rounds[index].failed = true;
                for (target, fate) in self.targets.iter_mut().zip(&self.rounds[index].fates) {
                    if *fate == Fate::Waiting {
                        target.silent = target.silent.saturating_add(1);
                    }
                }
                self.failed_round(sent, waiting == 0, &mut news);
            } else {
                break;
            }
        }
        if !hold && self.death().is_some_and(|at| now >= at) {
            self.verdict = Some(Verdict::Dead);
            self.urgent = false;
            news.push(News::Verdict(Verdict::Dead));
        }
        self.settle(now);
        for target in &mut self.targets {
            target.window.slide(now);
        }
        if !hold {
            self.weigh(quorum, now, &mut news);
        }
        news
    }

    /// When `fall` failed rounds in a row mean death. An adaptive timeout is a guess: unless the failures are
    /// explained, nothing may have been heard for a while either, not even a late answer.
    fn death(&self) -> Option<Time> {
        let fall = u32::from(self.settings.fall);
        let since =
            self.failing_since.filter(|_| self.verdict != Some(Verdict::Dead) && self.fails >= fall)?;
        match self.settings.timeout {
            Timeout::Adaptive { silence, .. } if self.explained < fall => {
                Some(self.heard.map_or(since, |heard| heard.max(since)) + silence)
            }
            Timeout::Adaptive { .. } | Timeout::Fixed(_) => Some(since),
        }
    }

    /// How long the path may take: the slowest target's estimate; the greatest timeout before the first answer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self.settings.timeout {
            Timeout::Fixed(timeout) => timeout,
            Timeout::Adaptive { floor, ceiling, .. } => {
                let slowest = self.targets.iter().filter_map(Target::patience).max();
                slowest.unwrap_or(ceiling).clamp(floor, ceiling)
            }
        }
    }

    fn good_round(&mut self, sent: Time, news: &mut Vec<News>) {
        self.fails = 0;
        self.voids = 0;
        self.explained = 0;
        self.failing_since = None;
        self.goods = self.goods.saturating_add(1);
        self.stable_since.get_or_insert(sent);
        self.last_good = Some(sent);
        let unproven = match self.verdict {
            None | Some(Verdict::Dead) => true,
            Some(Verdict::Good | Verdict::Lossy) => false,
        };
        if unproven && self.goods >= u32::from(self.settings.rise) {
            self.verdict = Some(Verdict::Good);
            // What was lost while it was dead is not held against the line that works again.
            for target in &mut self.targets {
                target.window = Window::new(self.settings.degraded.window);
            }
            news.push(News::Verdict(Verdict::Good));
        }
    }

    fn failed_round(&mut self, sent: Time, explained: bool, news: &mut Vec<News>) {
        let was_suspect = self.is_suspect();
        self.goods = 0;
        self.stable_since = None;
        self.fails = self.fails.saturating_add(1);
        self.failing_since.get_or_insert(sent);
        self.explained = if explained { self.explained + 1 } else { 0 };
        match self.verdict {
            Some(Verdict::Good | Verdict::Lossy) => {
                news.push(News::Missed);
                self.urgent |= !was_suspect;
            }
            None | Some(Verdict::Dead) => {}
        }
    }

    /// Counts what has become of the probes of old rounds, and forgets those rounds.
    fn settle(&mut self, now: Time) {
        let patience = match self.settings.timeout {
            Timeout::Fixed(timeout) => timeout,
            Timeout::Adaptive { ceiling, .. } => ceiling,
        };
        while let Some(round) = self.rounds.front() {
            let over = now >= round.sent + patience || !round.fates.contains(&Fate::Waiting);
            if !round.judged || !over {
                return;
            }
            let Some(round) = self.rounds.pop_front() else { return };
            for (target, fate) in self.targets.iter_mut().zip(round.fates) {
                if fate == Fate::Waiting {
                    if !round.failed {
                        target.silent = target.silent.saturating_add(1);
                    }
                    target.window.count(now, None);
                }
            }
        }
    }
}
