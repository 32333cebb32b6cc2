//! What comes in: facts of the kernel go into the mirror, answers into the monitors, orders into the machine.

use super::action::Action;
use super::input::{Dump, Input, Link, ProbeNews};
use super::monitor::Complaint;
use super::report::Notice;
use super::route::{Op, Route};
use super::schedule::SMELL;
use super::{Engine, Family, Time, plan, state_of};
use crate::machine::{Command, Event, Id, health, sync};

impl Engine {
    pub(super) fn take(&mut self, input: Input, now: Time) {
        match input {
            Input::Tick => {}
            Input::Link(link) => self.take_link(link, now),
            Input::LinkGone(index) => {
                self.linkdown_refused.retain(|(_, other)| *other != index);
                if self.inventory.link_gone(index) {
                    self.smells_until = now + SMELL;
                    self.routes_vanished(index, now);
                }
            }
            Input::Address(address) => self.inventory.address(address),
            Input::AddressGone(address) => {
                let managed = self.inventory.is_managed(address.index);
                if self.inventory.address_gone(address) || managed {
                    // The kernel drops IPv4 routes that depended on it without a word.
                    self.resync(Some(address.prefix.family()), now);
                }
            }
            Input::Route(route) => {
                let ours = plan::ours(&self.settings);
                if let Some(state) =
                    state_of(&mut self.families, route.family()).filter(|_| ours.cares_for(&route))
                {
                    self.dirty |= state.observed.routes.insert(route);
                }
            }
            Input::RouteReplaced(route) => self.take_replacement(route, now),
            Input::RouteGone(route) => {
                if let Some(state) = state_of(&mut self.families, route.family()) {
                    self.dirty |= state.observed.routes.remove(&route);
                }
            }
            Input::Rule(rule) => {
                if let Some(state) = self.state(rule.family) {
                    state.observed.rules.insert(rule);
                }
            }
            Input::RuleGone(rule) => {
                if let Some(state) = self.state(rule.family) {
                    state.observed.rules.remove(&rule);
                }
            }
            Input::Dumped(dump) => self.take_dump(dump, now),
            Input::DumpFailed(family) => {
                self.trouble(family, vec![Notice::Unreadable(family)]);
                self.feed(family, Event::Kernel(sync::Event::Unreadable), now);
            }
            Input::Applied { family, generation, refused } => {
                self.take_answer(family, generation, &refused, now);
            }
            Input::Overrun => self.resync(None, now),
            Input::Probe { uplink, family, news } => self.take_probe_news(uplink, family, news, now),
            Input::Operator(command) => self.take_order(command, now),
            Input::Drain(id) => self.order(Event::Uplink(id, health::Event::Drain), now),
            Input::Undrain(id) => self.order(Event::Uplink(id, health::Event::Undrain), now),
            Input::Stop => self.feed_all(Event::Stop, now),
        }
    }

    /// A route took the place of another. Which one is clear if there was only one; otherwise we have to look.
    fn take_replacement(&mut self, route: Route, now: Time) {
        let (family, ours) = (route.family(), plan::ours(&self.settings));
        let Some(state) = state_of(&mut self.families, family).filter(|_| ours.cares_for(&route)) else {
            return;
        };
        let routes = &mut state.observed.routes;
        let mut others =
            routes.iter().filter(|other| other.slot() == route.slot() && **other != route).cloned();
        let (gone, unclear) = (others.next(), others.next().is_some());
        if unclear {
            self.resync(Some(family), now);
            return;
        }
        self.dirty |= gone.is_some_and(|gone| routes.remove(&gone));
        self.dirty |= routes.insert(route);
    }

    fn take_order(&mut self, command: Command, now: Time) {
        if let Command::Use(id) = command
            && let Some(uplink) = self.settings.uplinks.get(usize::from(id))
            && self.families.iter().any(|state| state.core.health(id).is_drained())
        {
            let text = format!("`{}` is drained: give it back first", uplink.name);
            self.actions.push_back(Action::Notice(Notice::Impossible(text)));
        }
        self.order(Event::Operator(command), now);
    }

    fn order(&mut self, event: Event, now: Time) {
        "the operator's order".clone_into(&mut self.because);
        self.feed_all(event, now);
    }

    fn take_link(&mut self, link: Link, now: Time) {
        let (index, up, carrier) = (link.index, link.up, link.carrier);
        let before = self.inventory.link(link);
        if before.as_ref().is_none_or(|before| (before.up, before.carrier) != (up, carrier)) {
            self.smells_until = now + SMELL;
        }
        let is_new = before.is_none();
        if before.is_some_and(|before| before.up && !up) {
            self.routes_vanished(index, now);
        } else if is_new && self.inventory.is_managed(index) {
            // What it does not tell by itself is read.
            self.resync(Some(Family::V6), now);
        }
        self.mirror_linkdown();
    }

    /// An interface went down or away: the kernel has dropped its routes, those of IPv4 without a word.
    fn routes_vanished(&mut self, index: u32, now: Time) {
        for state in &mut self.families {
            state.observed.routes.retain(|route| !route.uses(index) || route.hops.len() > 1);
        }
        // What depends on the facts goes first: leaving a dead uplink waits for no dump.
        self.refresh_facts(now);
        self.resync(None, now);
    }

    fn mirror_linkdown(&mut self) {
        for state in &mut self.families {
            let family = state.family;
            let known = self.inventory.linkdown(family).map(|(index, on)| ((family, index), on));
            let refused = |switch: &(Family, u32)| self.linkdown_refused.contains(switch);
            state.observed.ignore_linkdown = known.filter(|(switch, _)| !refused(switch)).collect();
        }
    }

    fn resync(&mut self, only: Option<Family>, now: Time) {
        for index in 0..self.families.len() {
            let family = self.families[index].family;
            if only.is_none_or(|only| only == family) {
                self.feed(family, Event::Kernel(sync::Event::Overrun), now);
            }
        }
    }

    fn take_dump(&mut self, dump: Dump, now: Time) {
        let ours = plan::ours(&self.settings);
        self.inventory.replace(dump.links, dump.family, dump.addresses);
        if dump.family == Family::V6 {
            self.inventory.linkdown_read(dump.linkdown);
        }
        if let Some(state) = self.state(dump.family) {
            state.observed.routes = dump.routes.into_iter().filter(|route| ours.cares_for(route)).collect();
            state.observed.rules = dump.rules.into_iter().collect();
        }
        self.mirror_linkdown();
        self.refresh_facts(now);
        let settings = self.settings.clone();
        if let Some(id) = self.state(dump.family).and_then(|state| state.left_promoted(&settings)) {
            "an earlier run has left its promoted route".clone_into(&mut self.because);
            self.feed(dump.family, Event::Adopt(id), now);
        }
        self.feed(dump.family, Event::Kernel(sync::Event::Synced), now);
    }

    fn take_answer(&mut self, family: Family, generation: u64, refused: &[(usize, i32)], now: Time) {
        let settings = self.settings.clone();
        let names = self.inventory.names();
        let Some(state) = self.state(family) else { return };
        let Some(flight) = state.in_flight.take_if(|flight| flight.generation == generation) else { return };
        let mut notices = vec![];
        let mut failed = false;
        let mut unswitched = vec![];
        for (index, errno) in refused {
            let Some(op) = flight.ops.get(*index) else { continue };
            if let Op::IgnoreLinkdown { family: of, index, .. } = op
                && is_refused_for_good(*errno)
            {
                // A help, not a need: the routes go on without it.
                unswitched.push((*of, *index));
                notices.push(Notice::Refused(family, op.words(&names), *errno));
            } else if is_gone_already(op, *errno) {
                // What was to go has gone by itself: the mirror did not know.
                if let Op::DeleteRoute(route) = op {
                    state.observed.routes.remove(route);
                }
                if let Op::DeleteRule(rule) = op {
                    state.observed.rules.remove(rule);
                }
            } else {
                failed = true;
                notices.push(Notice::Refused(family, op.words(&names), *errno));
            }
        }
        for (place, op) in flight.ops.iter().enumerate() {
            if let Op::IgnoreLinkdown { family: of, index, on } = op
                && refused.iter().all(|(other, _)| *other != place)
            {
                self.inventory.linkdown_set(*of, *index, *on);
            }
        }
        self.linkdown_refused.extend(unswitched);
        self.mirror_linkdown();
        let Some(state) = self.state(family) else { return };
        if !failed && !state.difference(&flight.desired, &settings).ops.is_empty() {
            failed = true;
            notices.push(Notice::NoEffect(family));
        }
        if !failed {
            state.converged();
        }
        self.trouble(family, notices);
        let event = if failed { sync::Event::Refused } else { sync::Event::Acked };
        self.feed(family, Event::Kernel(event), now);
    }

    /// Says what went wrong, once as long as it goes on.
    fn trouble(&mut self, family: Family, notices: Vec<Notice>) {
        let Some(state) = self.state(family) else { return };
        let fresh: Vec<Notice> =
            notices.into_iter().filter(|notice| state.troubles.insert(notice.clone())).collect();
        self.actions.extend(fresh.into_iter().map(Action::Notice));
    }

    fn take_probe_news(&mut self, uplink: Id, family: Family, news: ProbeNews, now: Time) {
        let Some(monitor) = self.state(family).and_then(|state| state.monitor(uplink)) else { return };
        match news {
            ProbeNews::Answer { round, target, rtt } => monitor.answer(round, target, rtt, now),
            ProbeNews::Unreachable { round, target, from } => {
                monitor.complain(round, target, Complaint::Unreachable(from), now);
            }
            ProbeNews::NotSent { round, target, errno } => {
                monitor.complain(round, target, Complaint::NotSent(errno), now);
                self.smells_until = now + SMELL;
            }
            ProbeNews::Overflow => monitor.void(),
        }
    }
}

/// Will it never be allowed? (EPERM, EACCES, EINVAL, EROFS, EOPNOTSUPP)
fn is_refused_for_good(errno: i32) -> bool {
    matches!(errno, 1 | 13 | 22 | 30 | 95)
}

/// Did a removal fail because there was nothing left to remove? (ENOENT, ESRCH, ENODEV)
pub(super) fn is_gone_already(op: &Op, errno: i32) -> bool {
    match op {
        Op::DeleteRoute(_) | Op::DeleteRule(_) => matches!(errno, 2 | 3 | 19),
        Op::PutRoute(..) | Op::AddRule(_) | Op::IgnoreLinkdown { .. } => false,
    }
}
