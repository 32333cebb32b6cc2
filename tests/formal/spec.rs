//! What the documents say, as naively as it can be said: after every step everything is worked out from the beginning of
//! the history. There is no machine and no timer in here, only what happened and when.

mod line;
pub(crate) mod rounds;

use crate::history::{Fact, History};
use Health::{Degraded, Down, Drained, Healthy, Probation, Unready};
use Selection::{Boot, Frozen, Pinned, Primary, Proving, Waiting};
use line::{Line, Move, Why};
use uplinkd::engine::Time;
use uplinkd::engine::settings::Failover;
use uplinkd::machine::{Command, Health, Id, Selection};

/// What must be so after all that happened.
#[derive(Debug, PartialEq)]
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

pub(crate) fn standing(history: &History) -> Standing {
    let uplinks = history.settings.uplinks.iter();
    let mut story = Story {
        limits: &history.settings.failover,
        lines: uplinks.map(|uplink| Line::new(uplink, &history.settings.probe)).collect(),
        selection: Boot { adopted: None, overdue: false },
        since: Time::ZERO,
        looked: Time::ZERO,
        why: Why::Evidence,
    };
    for (at, fact) in &history.facts {
        story.tell(*at, *fact);
    }
    story.standing()
}

struct Story<'a> {
    limits: &'a Failover,
    lines: Vec<Line<'a>>,
    selection: Selection,
    since: Time,
    /// What had not come by then is missing.
    looked: Time,
    why: Why,
}

impl<'a> Story<'a> {
    fn line(&mut self, id: Id) -> &mut Line<'a> {
        &mut self.lines[usize::from(id)]
    }

    fn tier(&self, id: Id) -> u8 {
        self.lines[usize::from(id)].tier
    }

    fn health(&self, id: Id) -> Health {
        self.lines[usize::from(id)].health()
    }

    fn those(&self, which: impl Fn(Id) -> bool) -> impl Iterator<Item = Id> {
        (0..).take(self.lines.len()).filter(move |id| which(*id))
    }

    fn tell(&mut self, at: Time, fact: Fact) {
        self.why = if matches!(fact, Fact::Order(_) | Fact::Drain(_)) { Why::Order } else { Why::Evidence };
        match fact {
            Fact::Sent(id, round) => return self.line(id).rounds.sent(round, at),
            Fact::Answer(id, round, target, rtt) => {
                return self.line(id).rounds.answer(round, target, Some(rtt), at);
            }
            Fact::Unreachable(id, round, target) => {
                return self.line(id).rounds.complain(round, target, at);
            }
            Fact::Ready(id) => {
                self.line(id).ready = true;
                self.line(id).rounds.begin_anew();
            }
            Fact::Unready(id) => self.line(id).ready = false,
            Fact::Drain(id) => self.line(id).drained = true,
            Fact::Undrain(id) => {
                if std::mem::take(&mut self.line(id).drained) {
                    self.line(id).rounds.begin_anew();
                }
            }
            Fact::Order(order) => self.obey(order, at),
            Fact::Adopt(id) => self.enter(Boot { adopted: Some(id), overdue: false }, at),
            Fact::Look => {}
            Fact::Tick => self.looked = at,
        }
        self.weigh_evidence(at);
        self.choose(at);
        self.let_time_pass(at);
    }

    fn obey(&mut self, order: Command, at: Time) {
        let active = self.selection.active();
        match order {
            Command::Use(id) if self.health(id).is_drained() => {}
            Command::Use(uplink) => self.enter(Pinned { uplink }, at),
            Command::Freeze => self.enter(Frozen { active }, at),
            Command::Auto if self.selection.is_automatic() => {}
            Command::Auto => self.settle_on(self.best().or(active), at),
        }
    }

    /// A failed round starts the window anew. What speaks against the active uplink waits until one of the others
    /// is clear, or none is left.
    fn weigh_evidence(&mut self, at: Time) {
        let (active, looked) = (self.selection.active(), self.looked);
        let others: Vec<Id> = self.those(|id| Some(id) != active).collect();
        for id in others.iter().copied().chain(active) {
            let limits = self.limits;
            let line = self.line(id);
            if line.rounds.judge(looked) && line.window.is_some() {
                line.window = Some((at, line.window_length(limits)));
            }
            let since = line.rounds.failing_since();
            let usable = others.iter().filter(|id| self.health(**id).is_usable());
            let clear: Vec<bool> =
                usable.map(|id| self.lines[usize::from(*id)].rounds.is_clear(since)).collect();
            let waits = Some(id) == active && !clear.is_empty() && !clear.contains(&true);
            self.line(id).rounds.conclude(waits, looked);
        }
    }

    /// The best usable one: healthy before degraded, then by tier, then by position.
    fn best(&self) -> Option<Id> {
        let rank = |id: &Id| (self.health(*id) != Healthy, self.tier(*id), *id);
        self.those(|id| self.health(id).is_usable()).min_by_key(rank)
    }

    /// Where traffic belongs that is on `active`.
    fn stay_or_go(&self, active: Id) -> Option<Id> {
        let best = self.best();
        match self.health(active) {
            Healthy => Some(active),
            Degraded if !self.limits.leave_degraded => Some(active),
            Degraded => best.filter(|id| self.health(*id) == Healthy).or(Some(active)),
            Unready | Probation | Down => best.or(Some(active)),
            Drained { .. } => best,
        }
    }

    fn choose(&mut self, at: Time) {
        let drained = |id: Id| self.health(id).is_drained();
        match self.selection {
            Boot { adopted, overdue } => {
                let adopted = adopted.filter(|id| !drained(*id));
                let to = match adopted {
                    Some(id) if self.health(id).is_usable() => self.stay_or_go(id),
                    Some(id) if self.health(id) == Probation && !overdue => None,
                    Some(_) | None => self.best().filter(|best| overdue || !self.may_be_bettered(*best)),
                };
                match to {
                    Some(_) => self.settle_on(to, at),
                    None => self.enter(Boot { adopted, overdue }, at),
                }
            }
            Pinned { uplink } if drained(uplink) => self.settle_on(self.best(), at),
            Frozen { active: Some(id) } if drained(id) => self.enter(Frozen { active: self.best() }, at),
            Pinned { .. } | Frozen { .. } => {}
            Primary { active } | Waiting { active } | Proving { active } => {
                self.settle_on(self.stay_or_go(active), at);
            }
        }
    }

    /// Has one of a better tier still to prove itself?
    fn may_be_bettered(&self, best: Id) -> bool {
        self.those(|id| self.tier(id) < self.tier(best))
            .any(|id| matches!(self.health(id), Unready | Probation))
    }

    /// Traffic is on `to`; with nothing to choose, the first to prove itself will have it.
    fn settle_on(&mut self, to: Option<Id>, at: Time) {
        let Some(active) = to else { return self.enter(Boot { adopted: None, overdue: true }, at) };
        let better = self.those(|id| self.tier(id) < self.tier(active));
        let better: Vec<Health> = better.map(|id| self.health(id)).collect();
        let proving = if better.contains(&Healthy) { Proving { active } } else { Waiting { active } };
        self.enter(if better.is_empty() { Primary { active } } else { proving }, at);
    }

    /// Windows run exactly while better ones are healthy.
    fn enter(&mut self, selection: Selection, at: Time) {
        self.note_move(self.selection.active(), selection.active(), at);
        if self.selection != selection {
            (self.selection, self.since) = (selection, at);
        }
        let active = selection.active().filter(|_| matches!(selection, Proving { .. }));
        for id in self.those(|_| true).collect::<Vec<Id>>() {
            let better = active.is_some_and(|active| self.tier(id) < self.tier(active));
            let begins = (better && self.health(id) == Healthy)
                .then(|| (at, self.lines[usize::from(id)].window_length(self.limits)));
            let window = &mut self.line(id).window;
            *window = begins.map(|begins| window.unwrap_or(begins));
        }
    }

    fn note_move(&mut self, from: Option<Id>, to: Option<Id>, at: Time) {
        let (Some(from), why) = (from.filter(|_| from != to), self.why) else { return };
        self.line(from).moves.push((at, Move::Away, why));
        if let Some(to) = to.filter(|to| self.tier(*to) < self.tier(from)) {
            self.line(to).moves.push((at, Move::Home, why));
        }
    }

    fn let_time_pass(&mut self, at: Time) {
        if let Boot { adopted, overdue: false } = self.selection
            && at >= Time::ZERO + self.limits.boot_deadline
        {
            self.enter(Boot { adopted, overdue: true }, at);
            self.choose(at);
        }
        while let Some((_, id)) =
            self.window_ends().map(|(id, end)| (end, id)).min().filter(|(end, _)| *end <= at)
        {
            self.why = Why::Window;
            self.settle_on(Some(id), at);
        }
    }

    fn window_ends(&self) -> impl Iterator<Item = (Id, Time)> {
        let ends = |(id, line): (Id, &Line<'_>)| line.window.map(|(since, length)| (id, since + length));
        (0..).zip(&self.lines).filter_map(ends)
    }

    fn standing(&self) -> Standing {
        let watched = self.those(|id| self.health(id).is_watched());
        let rounds = watched.filter_map(|id| self.lines[usize::from(id)].rounds.next_verdict_at());
        let waits = matches!(self.selection, Boot { overdue: false, .. });
        let boot_ends = waits.then_some(Time::ZERO + self.limits.boot_deadline);
        Standing {
            health: self.those(|_| true).map(|id| self.health(id)).collect(),
            selection: self.selection,
            stranded: self.best().is_none(),
            since: self.since,
            windows: self.window_ends().collect(),
            boot_ends,
            next: rounds.chain(self.window_ends().map(|(_, end)| end)).chain(boot_ends).min(),
        }
    }
}
