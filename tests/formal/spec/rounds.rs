//! The rounds of one uplink, recounted: every one is kept, with what became of it, and all numbers are worked out anew
//! from that whenever they are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uplinkd::engine::monitor::Verdict;
use uplinkd::engine::settings::{Probe, Timeout};
use uplinkd::engine::time::Time;

/// Fewer probes than this are no evidence of loss or delay.
const ENOUGH: u32 = 10;
/// The window forgets in steps of so many to its length.
const STEPS: u32 = 30;

struct Round {
    id: u64,
    sent: Time,
    /// By target: when it answered.
    heard: BTreeMap<u16, Time>,
    /// Those of which somebody said that they cannot be reached, before they answered.
    told: BTreeSet<u16>,
    good: Option<bool>,
    /// It failed, and of every silent target somebody had said why.
    explained: bool,
    /// Answers were lost on our side while it was open: it says nothing.
    void: bool,
    /// So long after it left that nobody waits for answers any more.
    closed: bool,
}

impl Round {
    fn knows(&self, target: u16) -> bool {
        self.heard.contains_key(&target) || self.told.contains(&target)
    }

    fn is_open(&self) -> bool {
        self.good.is_none() && !self.void
    }
}

/// What became of one probe.
struct Fate {
    target: u16,
    known: Time,
    rtt: Option<Duration>,
}

/// All of them since the uplink was last watched afresh.
pub(crate) struct Rounds<'a> {
    probe: &'a Probe,
    targets: u16,
    sent: Vec<Round>,
    fates: Vec<Fate>,
    pub(crate) verdict: Option<Verdict>,
    /// So many probes had met their fate when it last proved that it works: what was lost before is not held against it.
    proven: usize,
    /// So many rounds had left when a good line was first found to fail.
    alarm: Option<usize>,
    /// Answers that were late, or not the first.
    pub(crate) odd: u64,
    /// Times that answers were lost on our side since a round was good.
    overflows: u16,
    /// The others are heard before anything is said against it.
    waits: bool,
}

impl<'a> Rounds<'a> {
    pub(crate) fn new(probe: &'a Probe, targets: usize) -> Self {
        let targets = u16::try_from(targets).unwrap_or(u16::MAX);
        let (sent, fates) = (vec![], vec![]);
        Self {
            probe,
            targets,
            sent,
            fates,
            verdict: None,
            proven: 0,
            alarm: None,
            odd: 0,
            overflows: 0,
            waits: false,
        }
    }

    pub(crate) fn begin_anew(&mut self) {
        *self = Self::new(self.probe, self.targets.into());
    }

    pub(crate) fn sent(&mut self, id: u64, sent: Time) {
        let (heard, told) = (BTreeMap::new(), BTreeSet::new());
        self.sent.push(Round {
            id,
            sent,
            heard,
            told,
            good: None,
            explained: false,
            void: false,
            closed: false,
        });
    }

    pub(crate) fn answer(&mut self, id: u64, target: u16, rtt: Option<Duration>, at: Time) {
        let timeout = self.timeout();
        let round = self.sent.iter_mut().find(|round| round.id == id && !round.closed);
        let fresh = |round: &&mut Round| target < self.targets && !round.knows(target);
        let Some(round) = round.filter(fresh) else {
            self.odd += 1;
            return;
        };
        round.heard.insert(target, at);
        self.odd += u64::from(at >= round.sent + timeout);
        let rtt = rtt.unwrap_or_else(|| at.since(round.sent));
        self.fates.push(Fate { target, known: at, rtt: Some(rtt) });
    }

    /// Somebody says that the probe cannot arrive.
    pub(crate) fn complain(&mut self, id: u64, target: u16, at: Time) {
        let round = self.sent.iter_mut().find(|round| round.id == id && !round.closed);
        if let Some(round) = round.filter(|round| target < self.targets && !round.knows(target)) {
            round.told.insert(target);
            self.fates.push(Fate { target, known: at, rtt: None });
        }
    }

    /// Answers were lost on our side: what is open says nothing, but not so often that a dead line would never die.
    pub(crate) fn overflow(&mut self) {
        if self.overflows < self.probe.fall {
            self.overflows += 1;
            for round in self.sent.iter_mut().filter(|round| round.good.is_none()) {
                (round.void, round.closed) = (true, true);
            }
        }
    }

    /// RFC 6298 for each target; the slowest counts.
    pub(crate) fn timeout(&self) -> Duration {
        let (floor, ceiling) = match self.probe.timeout {
            Timeout::Fixed(timeout) => return timeout,
            Timeout::Adaptive { floor, ceiling, .. } => (floor, ceiling),
        };
        let slowest = (0..self.targets).filter_map(|target| {
            let times = self.fates.iter().filter(|fate| fate.target == target).filter_map(|fate| fate.rtt);
            let estimate = times.fold(None, |known, rtt| match known {
                None => Some((rtt, rtt / 2)),
                Some((srtt, var)) => Some(((srtt * 7 + rtt) / 8, (var * 3 + srtt.abs_diff(rtt)) / 4)),
            });
            estimate.map(|(srtt, var)| srtt + var * 4)
        });
        slowest.max().unwrap_or(ceiling).clamp(floor, ceiling)
    }

    /// The rounds at the end that were all good, or have all failed, latest first.
    fn run(&self, good: bool) -> impl Iterator<Item = &Round> {
        let judged = self.sent.iter().rev().filter(|round| round.good.is_some());
        judged.take_while(move |round| round.good == Some(good))
    }

    pub(crate) fn fails(&self) -> usize {
        self.run(false).count()
    }

    pub(crate) fn failing_since(&self) -> Option<Time> {
        self.run(false).last().map(|round| round.sent)
    }

    pub(crate) fn stable_since(&self) -> Option<Time> {
        self.run(true).last().map(|round| round.sent)
    }

    pub(crate) fn is_good(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Good | Verdict::Lossy))
    }

    /// Judges, in the order in which they left, what has its quorum or is over. Did a round of a good line fail?
    pub(crate) fn judge(&mut self, at: Time) -> bool {
        let timeout = self.timeout();
        let mut missed = false;
        while let Some(round) = self.sent.iter_mut().find(|round| round.is_open()) {
            let quorum = usize::from(self.probe.quorum);
            let good = round.heard.len() >= quorum;
            let hopeless = usize::from(self.targets) - round.told.len() < quorum;
            if !good && !hopeless && at < round.sent + timeout {
                break;
            }
            round.good = Some(good);
            round.explained = round.heard.len() + round.told.len() == usize::from(self.targets);
            self.overflows = if good { 0 } else { self.overflows };
            if self.is_good() && !good {
                missed = true;
                self.alarm = self.alarm.filter(|_| self.fails() > 1).or(Some(self.sent.len()));
            }
            if !self.is_good() && self.run(true).count() >= usize::from(self.probe.rise) {
                (self.verdict, self.proven) = (Some(Verdict::Good), self.fates.len());
            }
        }
        missed
    }

    /// After all that was judged: is it dead by now, or does it lose too much?
    pub(crate) fn conclude(&mut self, waits: bool, at: Time) {
        self.waits = waits;
        if !waits && self.dies_at().is_some_and(|dies| dies <= at) {
            (self.verdict, self.alarm) = (Some(Verdict::Dead), None);
        }
        self.close(at);
        let limits = &self.probe.degraded;
        if waits || !self.is_good() || self.fates.len() - self.proven < ENOUGH as usize {
            return;
        }
        let (loss, rtt, covered) = self.quality(at);
        let too_bad = loss >= f64::from(limits.loss_percent) || rtt >= limits.rtt;
        let clear = loss <= f64::from(limits.clear_loss_percent) && rtt <= limits.clear_rtt;
        match self.verdict {
            Some(Verdict::Good) if covered && too_bad => self.verdict = Some(Verdict::Lossy),
            Some(Verdict::Lossy) if clear => self.verdict = Some(Verdict::Good),
            None | Some(Verdict::Good | Verdict::Lossy | Verdict::Dead) => {}
        }
    }

    /// With enough failed rounds in a row; an adaptive timeout is a guess, so silence must have lasted as well.
    pub(crate) fn dies_at(&self) -> Option<Time> {
        let enough = self.fails() >= usize::from(self.probe.fall) && self.verdict != Some(Verdict::Dead);
        let since = self.failing_since().filter(|_| enough)?;
        let explained = self.run(false).take_while(|round| round.explained).count();
        Some(match self.probe.timeout {
            Timeout::Fixed(_) => since,
            // Nobody has to guess.
            Timeout::Adaptive { .. } if explained >= usize::from(self.probe.fall) => since,
            Timeout::Adaptive { silence, .. } => {
                let heard =
                    self.sent.iter().filter(|round| round.heard.len() >= usize::from(self.probe.quorum));
                heard.flat_map(|round| round.heard.values().copied()).fold(since, Time::max) + silence
            }
        })
    }

    /// Old rounds, oldest first: what has not been answered by now is lost.
    fn close(&mut self, at: Time) {
        let patience = match self.probe.timeout {
            Timeout::Fixed(patience) | Timeout::Adaptive { ceiling: patience, .. } => patience,
        };
        for round in self.sent.iter_mut().filter(|round| !round.closed) {
            let silent: Vec<u16> = (0..self.targets).filter(|target| !round.knows(*target)).collect();
            round.closed = round.good.is_some() && (silent.is_empty() || at >= round.sent + patience);
            if !round.closed {
                break;
            }
            self.fates.extend(silent.into_iter().map(|target| Fate { target, known: at, rtt: None }));
        }
    }

    /// Loss, delay, and whether they mean something: those of the target that completes the quorum, over the window.
    pub(crate) fn quality(&self, at: Time) -> (f64, Duration, bool) {
        let window = self.probe.degraded.window;
        // The window forgets whole steps of time.
        let begin = (at.next_tick(window / STEPS) - window).0;
        let mut sums = vec![(0, 0, Duration::ZERO); usize::from(self.targets)];
        let fates = self.fates.get(self.proven..).unwrap_or_default();
        for fate in fates.iter().rev().take_while(|fate| fate.known.0 >= begin) {
            let (answered, lost, sum) = &mut sums[usize::from(fate.target)];
            *answered += u32::from(fate.rtt.is_some());
            *lost += u32::from(fate.rtt.is_none());
            *sum += fate.rtt.unwrap_or_default();
        }
        let loss = |(answered, lost, _): &(u32, u32, _)| {
            100.0 * f64::from(*lost) / f64::from(answered + lost).max(1.0)
        };
        let mut losses: Vec<f64> = sums.iter().map(loss).collect();
        let mut delays: Vec<Duration> =
            sums.iter().filter_map(|(answered, _, sum)| sum.checked_div(*answered)).collect();
        let covered = (0..).zip(&sums).filter(|(target, (answered, lost, _))| {
            let first = fates.iter().find(|fate| fate.target == *target);
            answered + lost >= ENOUGH && first.is_some_and(|first| at.since(first.known) >= window / 2)
        });
        let covered = covered.count() >= usize::from(self.probe.quorum);
        losses.sort_by(f64::total_cmp);
        delays.sort();
        let nth = usize::from(self.probe.quorum) - 1;
        let loss = losses.get(nth).copied().unwrap_or_default();
        (loss, delays.get(nth).copied().unwrap_or_default(), covered)
    }

    /// At once after a first miss, at the confirm interval while in doubt, otherwise at the ticks that all share.
    pub(crate) fn next_round(&self, interval: Duration) -> Time {
        let Some(last) = self.sent.last() else { return Time::ZERO };
        let doubt = match self.verdict {
            None => true,
            Some(Verdict::Good | Verdict::Lossy) => self.fails() > 0,
            Some(Verdict::Dead) => self.run(true).count() > 0,
        };
        if self.alarm == Some(self.sent.len()) {
            Time::ZERO
        } else if doubt {
            last.sent + self.probe.confirm_interval
        } else {
            last.sent.next_tick(interval)
        }
    }

    /// When there is something to judge: a round is over, or silence has lasted, unless that speaks against a line that waits.
    pub(crate) fn next_verdict_at(&self) -> Option<Time> {
        let over = self.sent.iter().find(|round| round.is_open()).map(|round| round.sent + self.timeout());
        over.into_iter().chain(self.dies_at().filter(|_| !self.waits)).min()
    }

    /// Does it prove that it works, or was it not even asked, since the other began to fail?
    pub(crate) fn is_clear(&self, since: Option<Time>) -> bool {
        let later = || self.sent.iter().filter(|round| since.is_some_and(|since| round.sent >= since));
        let asked = later().any(Round::is_open);
        self.fails() == 0 && (!asked || later().any(|round| round.good == Some(true)))
    }
}
