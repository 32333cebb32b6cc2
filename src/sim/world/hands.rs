//! What the engine asks for is done, and looked at: is it ours, does it leave the box routed, is where it goes usable?

use super::super::line::Fate;
use super::{Answer, Event, World};
use crate::engine::input::{Input, ProbeNews};
use crate::engine::plan::SHELF;
use crate::engine::report::{Change, Transition};
use crate::engine::route::{MAIN_TABLE, Op, Route, Rule};
use crate::engine::settings::{Family, Flows, ForeignDefaults};
use crate::engine::{Action, Engine, FAREWELL, plan};
use crate::machine::{Id, Selection};
use core::net::IpAddr;
use std::collections::BTreeSet;

/// Routes and rules of others.
struct Strangers {
    routes: BTreeSet<Route>,
    rules: Vec<Rule>,
}

impl World {
    /// Carries out what the engine wants.
    pub(super) fn act(&mut self) {
        while let Some(action) = self.engine.as_mut().and_then(Engine::poll_action) {
            if let Some(record) = &mut self.record {
                record.actions.push(action.clone());
            }
            match action {
                Action::Dump(family) => {
                    let dump = self.kernel.dump(family);
                    self.tell(Input::Dumped(dump));
                }
                Action::Apply { family, generation, ops } => self.apply(family, generation, &ops),
                Action::Probe { uplink, family, round, targets } => {
                    self.probe(uplink, family, round, &targets);
                }
                Action::AskLink(index) => self.ask_link(index),
                Action::Announce(transition) => self.announce(transition),
                Action::Notice(notice) => self.note(Event::Notice(notice)),
                Action::Done { .. } => self.engine = None,
                Action::Flush { addresses, flows, .. } => {
                    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                    let which = match flows {
                        Flows::Udp => "UDP ",
                        Flows::All => "",
                    };
                    self.note(Event::Flush(format!(
                        "forget {which}flows that were translated to {}",
                        addresses.join(", ")
                    )));
                }
                Action::Watch { .. } | Action::Unwatch { .. } => {}
            }
        }
    }

    fn apply(&mut self, family: Family, generation: u64, ops: &[Op]) {
        let names = self.names();
        // The last plan of all may do that, if it is told to.
        let routed = self.strict && generation != FAREWELL && self.is_routed(family);
        let strangers = self.strict.then(|| self.strangers(family));
        let refused = if self.refuse.0 > 0 {
            self.refuse.0 -= 1;
            ops.iter().enumerate().map(|(place, _)| (place, self.refuse.1)).collect()
        } else {
            self.kernel.apply(ops)
        };
        for (place, op) in ops.iter().enumerate() {
            let errno = refused.iter().find(|(other, _)| *other == place).map(|(_, errno)| *errno);
            match (op, errno) {
                (_, Some(errno)) => self.note(Event::Refused(op.words(&names), errno)),
                (Op::PutRoute(route, _) | Op::DeleteRoute(route), None) if route.table == MAIN_TABLE => {
                    self.note(Event::Route(op.words(&names)));
                }
                (
                    Op::PutRoute(..)
                    | Op::DeleteRoute(_)
                    | Op::AddRule(_)
                    | Op::DeleteRule(_)
                    | Op::IgnoreLinkdown { .. },
                    None,
                ) => {}
            }
        }
        if let Some(before) = strangers {
            self.are_left_alone(family, &before, generation);
        }
        if routed && !self.is_routed(family) && self.has_undrained(family) {
            self.note(Event::Broken("a plan left the box without a default route".to_owned()));
        }
        self.fare = None;
        self.hear();
        self.tell(Input::Applied { family, generation, refused });
    }

    /// What is there, and not ours.
    fn strangers(&self, family: Family) -> Strangers {
        let (ours, dump) = (plan::ours(&self.settings), self.kernel.dump(family));
        Strangers {
            routes: dump.routes.into_iter().filter(|route| !ours.owns_route(route)).collect(),
            rules: dump.rules.into_iter().filter(|rule| !ours.owns_rule(rule)).collect(),
        }
    }

    /// Nothing of a stranger's is changed but what the settings say: a better default route of his is taken over, which
    /// means that it waits in a table of ours, and at the end, and only then, it is put back.
    fn are_left_alone(&mut self, family: Family, before: &Strangers, generation: u64) {
        let (now, ours) = (self.strangers(family), plan::ours(&self.settings));
        let replaces = self.settings.routing.foreign_defaults == ForeignDefaults::Replace;
        let shelves = ours.tables.clone().flat_map(|table| self.kernel.table(family, table));
        let shelved: Vec<Route> = shelves.filter(|route| plan::is_shelved(route, &ours)).collect();
        let waits = |route: &&Route| {
            let place = |shelf: &Route| shelf.metric - SHELF == route.metric && shelf.hops == route.hops;
            replaces && route.is_default() && shelved.iter().any(place)
        };
        let lost = before.routes.difference(&now.routes).find(|route| !waits(route));
        let made = now.routes.difference(&before.routes).next().filter(|_| generation != FAREWELL);
        let names = self.names();
        let words =
            |what: &str, route: &Route| format!("a stranger's route was {what}: {}", route.words(&names));
        let mut broken: Vec<String> = lost.map(|route| words("lost", route)).into_iter().collect();
        broken.extend(made.map(|route| words("made", route)));
        if before.rules != now.rules {
            broken.push("a stranger's rules were changed".to_owned());
        }
        for what in broken {
            self.note(Event::Broken(what));
        }
    }

    /// Is there an uplink that may carry something, whether it works or not? What the operator has drained may not, even if
    /// there is nothing else.
    fn has_undrained(&self, family: Family) -> bool {
        let report = self.report();
        report.is_some_and(|report| {
            report.uplinks.iter().any(|uplink| {
                let mut paths = uplink.families.iter().filter(|(of, _)| *of == family);
                let line = &self.lines[usize::from(uplink.id)];
                line.present && line.addressed && paths.any(|(_, path)| !path.health.is_drained())
            })
        })
    }

    fn is_routed(&self, family: Family) -> bool {
        let table = self.kernel.table(family, MAIN_TABLE);
        table.iter().any(|route| route.is_default() && route.is_unicast())
    }

    fn probe(&mut self, uplink: Id, family: Family, round: u64, targets: &[(u16, IpAddr)]) {
        for (target, address) in targets {
            let line = &mut self.lines[usize::from(uplink)];
            if !line.present || !line.addressed {
                // ENODEV, or ENETUNREACH.
                let errno = if line.present { 101 } else { 19 };
                let news = ProbeNews::NotSent { round, target: *target, errno };
                self.tell(Input::Probe { uplink, family, news });
                continue;
            }
            let fate = match self.fates.as_ref().and_then(|fates| fates.get(usize::from(uplink))) {
                Some(fates) => {
                    let rtt = fates.of(*address, self.now).filter(|_| line.carrier);
                    rtt.map_or(Fate::Lost, Fate::Answered)
                }
                None => line.carry(&mut self.dice),
            };
            let (target, now) = (*target, self.now);
            let (rtt, news) = match fate {
                Fate::Answered(rtt) if self.targets.answer(uplink, *address, now) => {
                    (rtt, ProbeNews::Answer { round, target, rtt: Some(rtt) })
                }
                Fate::Refused(rtt) => {
                    (rtt, ProbeNews::Unreachable { round, target, from: self.gateway(uplink, family) })
                }
                Fate::Answered(_) | Fate::Lost => continue,
            };
            self.sequence += 1;
            let answer = Answer { life: self.life, uplink, family, news };
            self.pending.insert((now + rtt, self.sequence), answer);
        }
    }

    fn ask_link(&mut self, index: u32) {
        let found = self.kernel.links().find(|link| link.index == index).cloned();
        match found {
            Some(link) if link.up && link.carrier => {}
            Some(link) => self.tell(Input::Link(link)),
            None => self.tell(Input::LinkGone(index)),
        }
    }

    fn announce(&mut self, transition: Transition) {
        if let Change::Selection { from, to } = transition.change {
            self.moved(transition.family, from, to);
        }
        self.note(Event::Decision(transition));
    }

    fn moved(&mut self, family: Family, from: Selection, to: Selection) {
        let last = self.last_active.entry(family).or_default();
        let (before, after) = (from.active(), to.active());
        if before != after {
            // From nothing to something is a start, not a move.
            if last.is_some() && after.is_some() && *last != after {
                self.totals.switches += 1;
            }
            if after.is_some() {
                *last = after;
            }
        }
        if self.strict && before != after && before.is_some() && to.is_automatic() && from.is_automatic() {
            let usable = |id: Id| {
                let report = self.engine.as_ref().map(|engine| engine.report(self.now));
                report.is_some_and(|report| {
                    report.uplinks.iter().filter(|uplink| uplink.id == id).any(|uplink| {
                        uplink.families.iter().any(|(of, path)| *of == family && path.health.is_usable())
                    })
                })
            };
            if after.is_some_and(|after| !usable(after)) {
                self.note(Event::Broken("moved to an uplink that is not usable".to_owned()));
            }
        }
    }
}
