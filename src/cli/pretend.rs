//! An engine that is fed by the real kernel's state and whose operations are only pretended.

use crate::daemon::clock::now;
use crate::engine::input::{Dump, Input, ProbeNews};
use crate::engine::route::{How, Names, Op};
use crate::engine::settings::CarrierPoll;
use crate::engine::{Action, Engine, Family, Settings, Time};
use crate::kernel::Kernel;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// The engine and a copy of what the kernel has.
pub(super) struct Pretence {
    pub(super) engine: Engine,
    dumps: Vec<Dump>,
    now: Time,
    /// What would have been done since the last call of [`Pretence::taken`], per family.
    done: Vec<Op>,
}

impl Pretence {
    /// Reads the kernel once and lets the engine make its first plan.
    pub(super) fn start(mut settings: Settings) -> io::Result<Self> {
        settings.routing.carrier_poll = CarrierPoll::Off;
        let mut kernel = Kernel::open(&settings)?;
        let dumps = vec![kernel.dump(Family::V4)?, kernel.dump(Family::V6)?];
        let now = now();
        let mut pretence = Self { engine: Engine::new(settings, now), dumps, now, done: vec![] };
        pretence.act(false);
        Ok(pretence)
    }

    /// What would have been done since the last call.
    pub(super) fn taken(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.done)
    }

    pub(super) fn names(&self) -> Names {
        self.engine.names()
    }

    /// Lets all probes be answered for a while.
    pub(super) fn prove(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.engine.handle(Input::Tick, self.now);
            self.act(true);
        }
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    fn act(&mut self, answer: bool) {
        let mut inputs = VecDeque::new();
        loop {
            while let Some(action) = self.engine.poll_action() {
                match action {
                    Action::Dump(family) => {
                        let dump = self.dumps.iter().find(|dump| dump.family == family).cloned();
                        inputs.push_back(dump.map_or(Input::DumpFailed(family), Input::Dumped));
                    }
                    Action::Apply { family, generation, ops } => {
                        inputs.extend(ops.iter().flat_map(|op| self.effect(family, op)));
                        self.done.extend(ops);
                        inputs.push_back(Input::Applied { family, generation, refused: vec![] });
                    }
                    Action::Probe { uplink, family, round, targets } if answer => {
                        let rtt = Some(Duration::from_millis(1));
                        inputs.extend(targets.into_iter().map(|(target, _)| Input::Probe {
                            uplink,
                            family,
                            news: ProbeNews::Answer { round, target, rtt },
                        }));
                    }
                    Action::Probe { .. }
                    | Action::AskLink(_)
                    | Action::Flush { .. }
                    | Action::Watch { .. }
                    | Action::Unwatch { .. }
                    | Action::Announce(_)
                    | Action::Notice(_)
                    | Action::Done { .. } => {}
                }
            }
            let Some(input) = inputs.pop_front() else { return };
            self.engine.handle(input, self.now);
        }
    }

    /// What the kernel would say, had it been asked.
    fn effect(&mut self, family: Family, op: &Op) -> Vec<Input> {
        let Some(dump) = self.dumps.iter_mut().find(|dump| dump.family == family) else { return vec![] };
        match op {
            Op::PutRoute(route, how) => {
                let mut inputs = vec![];
                if *how == How::Replace
                    && let Some(place) = dump.routes.iter().position(|old| old.slot() == route.slot())
                {
                    inputs.push(Input::RouteGone(dump.routes.remove(place)));
                }
                dump.routes.push(route.clone());
                inputs.push(Input::Route(route.clone()));
                inputs
            }
            Op::DeleteRoute(route) => vec![Input::RouteGone(route.clone())],
            Op::AddRule(rule) => vec![Input::Rule(rule.clone())],
            Op::DeleteRule(rule) => vec![Input::RuleGone(rule.clone())],
            Op::IgnoreLinkdown { family: Family::V6, index, on } => {
                dump.linkdown.insert(*index, *on);
                vec![]
            }
            Op::IgnoreLinkdown { family: Family::V4, index, on } => {
                let Some(link) = dump.links.iter_mut().find(|link| link.index == *index) else {
                    return vec![];
                };
                link.ignore_linkdown = Some(*on);
                vec![Input::Link(link.clone())]
            }
        }
    }
}
