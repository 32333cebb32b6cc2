//! What the documents say, as naively as it can be said: the whole history is kept, and after every step everything is
//! recomputed from it. There is no machine in here and no timer, only what happened and when.

use std::cmp::Reverse;
use std::time::Duration;
use uplinkd::engine::settings::{Probe, Settings, Timeout};
use uplinkd::engine::time::Time;
use uplinkd::machine::{Command, Health, Id, Selection};

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fact {
    Ready(Id),
    Unready(Id),
    Drain(Id),
    Undrain(Id),
    Order(Command),
    Sent {
        uplink: Id,
        round: u64,
    },
    Answer {
        uplink: Id,
        round: u64,
        target: u16,
    },
    /// Nothing but time.
    Tick,
}

/// Everything that has happened, in order.
pub(crate) struct History {
    pub(crate) settings: Settings,
    pub(crate) facts: Vec<(Time, Fact)>,
}

/// What must be so after all that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) health: Vec<Health>,
    pub(crate) selection: Selection,
    pub(crate) stranded: bool,
    pub(crate) since: Time,
    /// When stable windows end.
    pub(crate) windows: Vec<(Id, Time)>,
    pub(crate) boot_ends: Option<Time>,
    /// Before this nothing changes by time alone.
    pub(crate) next: Option<Time>,
}

impl History {
    pub(crate) fn standing(&self) -> Standing {
        let mut story = Story::new(&self.settings);
        for (at, fact) in &self.facts {
            story.tell(*at, *fact);
        }
        story.standing()
    }
}

struct Round {
    id: u64,
    sent: Time,
    heard: Vec<u16>,
    good: Option<bool>,
}

/// The rounds of one uplink since it was last watched afresh.
struct Series<'a> {
    probe: &'a Probe,
    rounds: Vec<Round>,
    health: Health,
}

impl<'a> Series<'a> {
    fn new(probe: &'a Probe) -> Self {
        Self { probe, rounds: vec![], health: Health::Probation }
    }

    fn over(&self, round: &Round) -> Time {
        match self.probe.timeout {
            Timeout::Fixed(timeout) => round.sent + timeout,
            Timeout::Adaptive { .. } => round.sent,
        }
    }

    fn answer(&mut self, id: u64, target: u16, at: Time) {
        let over = |round: &Round| self.over(round);
        let in_time = self.rounds.iter().position(|round| round.id == id && at < over(round));
        if let Some(round) = in_time.and_then(|index| self.rounds.get_mut(index)) {
            round.heard.push(target);
            round.heard.sort_unstable();
            round.heard.dedup();
        }
    }

    /// How many rounds have ended like the last one, and how it ended.
    fn run(&self) -> (bool, usize) {
        let ended: Vec<bool> = self.rounds.iter().map_while(|round| round.good).collect();
        let last = ended.last().copied().unwrap_or(true);
        (last, ended.iter().rev().take_while(|good| **good == last).count())
    }

    /// When the first of the present run of failed rounds left.
    fn failing_since(&self) -> Option<Time> {
        let (good, count) = self.run();
        let ended = self.rounds.iter().filter(|round| round.good.is_some()).count();
        self.rounds.get(ended - count).filter(|_| !good && count > 0).map(|round| round.sent)
    }

    /// Judges, in the order in which they left, what has its quorum or is over. Did a round fail?
    fn judge(&mut self, at: Time) -> bool {
        let mut missed = false;
        while let Some(index) = self.rounds.iter().position(|round| round.good.is_none()) {
            let good = self.rounds[index].heard.len() >= usize::from(self.probe.quorum);
            if !good && at < self.over(&self.rounds[index]) {
                break;
            }
            self.rounds[index].good = Some(good);
            missed |= !good;
        }
        missed
    }

    /// Does it prove that it works, or might it still, since others began to fail?
    fn is_clear(&self, since: Time) -> bool {
        let later = || self.rounds.iter().filter(|round| round.sent >= since);
        let asked = later().any(|round| round.good.is_none());
        let answered = later().any(|round| round.good == Some(true));
        self.failing_since().is_none() && (answered || !asked)
    }

    fn conclude(&mut self, death_waits: bool) {
        match self.run() {
            (true, count) if count >= usize::from(self.probe.rise) => self.health = Health::Healthy,
            (false, count) if count >= usize::from(self.probe.fall) && !death_waits => {
                self.health = Health::Down;
            }
            (true | false, _) => {}
        }
    }
}

/// Traffic went to a better uplink by itself.
struct Failback {
    at: Time,
    to: Id,
    undone: Option<Time>,
}

struct Story<'a> {
    settings: &'a Settings,
    ready: Vec<bool>,
    drained: Vec<bool>,
    series: Vec<Series<'a>>,
    selection: Selection,
    since: Time,
    /// Since when a window runs, and how long it is.
    windows: Vec<Option<(Time, Duration)>>,
    failbacks: Vec<Failback>,
}

impl<'a> Story<'a> {
    fn new(settings: &'a Settings) -> Self {
        let count = settings.uplinks.len();
        Self {
            settings,
            ready: vec![false; count],
            drained: vec![false; count],
            series: (0..count).map(|_| Series::new(&settings.probe)).collect(),
            selection: Selection::Boot { adopted: None, overdue: false },
            since: Time::ZERO,
            windows: vec![None; count],
            failbacks: vec![],
        }
    }

    fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..).take(self.settings.uplinks.len())
    }

    fn tier(&self, id: Id) -> u8 {
        self.settings.uplinks[usize::from(id)].tier
    }

    fn health(&self, id: Id) -> Health {
        let at = usize::from(id);
        match (self.drained[at], self.ready[at]) {
            (true, ready) => Health::Drained { ready },
            (false, false) => Health::Unready,
            (false, true) => self.series[at].health,
        }
    }

    fn tell(&mut self, at: Time, fact: Fact) {
        let fresh = || Series::new(&self.settings.probe);
        match fact {
            Fact::Ready(id) => (self.ready[usize::from(id)], self.series[usize::from(id)]) = (true, fresh()),
            Fact::Unready(id) => self.ready[usize::from(id)] = false,
            Fact::Drain(id) => self.drained[usize::from(id)] = true,
            Fact::Undrain(id) if self.drained[usize::from(id)] => {
                (self.drained[usize::from(id)], self.series[usize::from(id)]) = (false, fresh());
            }
            Fact::Order(order) => self.obey(order, at),
            Fact::Sent { uplink, round } => {
                let round = Round { id: round, sent: at, heard: vec![], good: None };
                return self.series[usize::from(uplink)].rounds.push(round);
            }
            Fact::Answer { uplink, round, target } => {
                return self.series[usize::from(uplink)].answer(round, target, at);
            }
            Fact::Undrain(_) | Fact::Tick => {}
        }
        self.look_at_evidence(at);
        self.choose(at);
        self.let_time_pass(at);
    }

    fn obey(&mut self, order: Command, at: Time) {
        let active = self.selection.active();
        match order {
            Command::Use(id) if !self.health(id).is_drained() => {
                self.become_(Selection::Pinned { uplink: id }, at);
            }
            Command::Use(_) => {}
            Command::Freeze => self.become_(Selection::Frozen { active }, at),
            Command::Auto if self.selection.is_automatic() => {}
            Command::Auto => self.settle_on(self.best().or(active), at),
        }
    }

    /// The others first: the death of the active one waits until they are clear.
    fn look_at_evidence(&mut self, at: Time) {
        let active = self.selection.active();
        for id in self.ids().filter(|id| Some(*id) != active).chain(active) {
            if self.series[usize::from(id)].judge(at)
                && let Some((since, length)) = &mut self.windows[usize::from(id)]
            {
                (*since, *length) = (at, window_length(self.settings, &self.failbacks, id));
            }
            let failing = self.series[usize::from(id)].failing_since();
            let waits = Some(id) == active && failing.is_some_and(|since| self.none_is_clear(id, since));
            self.series[usize::from(id)].conclude(waits);
        }
    }

    fn none_is_clear(&self, active: Id, since: Time) -> bool {
        let mut others = self.ids().filter(|id| *id != active && self.health(*id).is_usable()).peekable();
        others.peek().is_some() && !others.any(|id| self.series[usize::from(id)].is_clear(since))
    }

    /// The best usable one: healthy before degraded, then by tier, then by position.
    fn best(&self) -> Option<Id> {
        let rank = |id: &Id| (Reverse(self.health(*id) == Health::Healthy), self.tier(*id), *id);
        self.ids().filter(|id| self.health(*id).is_usable()).min_by_key(rank)
    }

    fn choose(&mut self, at: Time) {
        let drained = |id: Id| self.health(id).is_drained();
        match self.selection {
            Selection::Boot { adopted: _, overdue } => {
                let Some(best) = self.best() else { return };
                let might_be_better = |id: Id| {
                    self.tier(id) < self.tier(best)
                        && [Health::Unready, Health::Probation].contains(&self.health(id))
                };
                if overdue || !self.ids().any(might_be_better) {
                    self.settle_on(Some(best), at);
                }
            }
            Selection::Pinned { uplink } if drained(uplink) => self.settle_on(self.best(), at),
            Selection::Frozen { active: Some(id) } if drained(id) => {
                self.become_(Selection::Frozen { active: self.best() }, at);
            }
            Selection::Pinned { .. } | Selection::Frozen { .. } => {}
            Selection::Primary { active } | Selection::Waiting { active } | Selection::Proving { active } => {
                let best = self.best();
                let to = match self.health(active) {
                    Health::Healthy => Some(active),
                    Health::Degraded if !self.settings.failover.leave_degraded => Some(active),
                    Health::Degraded => {
                        best.filter(|id| self.health(*id) == Health::Healthy).or(Some(active))
                    }
                    Health::Unready | Health::Probation | Health::Down => best.or(Some(active)),
                    Health::Drained { .. } => best,
                };
                self.settle_on(to, at);
            }
        }
    }

    /// Traffic is on `to`; with nothing to choose, nothing is chosen until something proves itself.
    fn settle_on(&mut self, to: Option<Id>, at: Time) {
        let Some(to) = to else {
            return self.become_(Selection::Boot { adopted: None, overdue: true }, at);
        };
        let settled = matches!(
            self.selection,
            Selection::Primary { .. } | Selection::Waiting { .. } | Selection::Proving { .. }
        );
        if let Some(from) = self.selection.active().filter(|_| settled) {
            if self.tier(to) < self.tier(from) {
                self.failbacks.push(Failback { at, to, undone: None });
            } else if self.tier(to) > self.tier(from)
                && !self.health(from).is_drained()
                && let Some(failback) = self.failbacks.iter_mut().rfind(|failback| failback.to == from)
            {
                failback.undone.get_or_insert(at);
            }
        }
        let better = |id: &Id| self.tier(*id) < self.tier(to);
        let selection = if !self.ids().any(|id| better(&id)) {
            Selection::Primary { active: to }
        } else if self.ids().filter(better).any(|id| self.health(id) == Health::Healthy) {
            Selection::Proving { active: to }
        } else {
            Selection::Waiting { active: to }
        };
        self.become_(selection, at);
    }

    fn become_(&mut self, selection: Selection, at: Time) {
        if self.selection != selection {
            (self.selection, self.since) = (selection, at);
        }
        for id in self.ids() {
            let length = window_length(self.settings, &self.failbacks, id);
            let proving = matches!(selection, Selection::Proving { .. });
            let better = selection.active().is_some_and(|active| self.tier(id) < self.tier(active));
            let runs = proving && better && self.health(id) == Health::Healthy;
            let window = &mut self.windows[usize::from(id)];
            *window = runs.then(|| window.unwrap_or((at, length)));
        }
    }

    fn let_time_pass(&mut self, at: Time) {
        if self.boot_ends().is_some_and(|end| end <= at) {
            self.become_(Selection::Boot { adopted: None, overdue: true }, at);
            self.choose(at);
        }
        while let Some((_, id)) =
            self.window_ends().map(|(id, end)| (end, id)).min().filter(|(end, _)| *end <= at)
        {
            self.settle_on(Some(id), at);
        }
    }

    fn boot_ends(&self) -> Option<Time> {
        let booting = matches!(self.selection, Selection::Boot { overdue: false, .. });
        booting.then_some(Time::ZERO + self.settings.failover.boot_deadline)
    }

    fn window_ends(&self) -> impl Iterator<Item = (Id, Time)> {
        (0..).zip(&self.windows).filter_map(|(id, window)| window.map(|(since, length)| (id, since + length)))
    }

    fn standing(&self) -> Standing {
        let health: Vec<Health> = self.ids().map(|id| self.health(id)).collect();
        let windows: Vec<(Id, Time)> = self.window_ends().collect();
        let watched = self.ids().filter(|id| self.health(*id).is_watched());
        let rounds = watched.flat_map(|id| {
            let series = &self.series[usize::from(id)];
            series.rounds.iter().filter(|round| round.good.is_none()).map(|round| series.over(round))
        });
        Standing {
            stranded: !health.iter().any(|health| health.is_usable()),
            next: rounds.chain(windows.iter().map(|(_, end)| *end)).chain(self.boot_ends()).min(),
            boot_ends: self.boot_ends(),
            selection: self.selection,
            since: self.since,
            health,
            windows,
        }
    }
}

/// Each failback that was undone within the memory doubles the next window.
fn window_length(settings: &Settings, failbacks: &[Failback], id: Id) -> Duration {
    let wants = &settings.failover;
    let undone = |back: &&Failback| back.undone.is_some_and(|at| at.since(back.at) < wants.flap_memory);
    let flaps = failbacks.iter().rev().filter(|failback| failback.to == id).take_while(undone).count();
    (0..flaps).fold(wants.stable_window, |window, _| wants.max_stable_window.min(window * 2))
}
