//! The numeric, timed half of the daemon, without IO: facts and answers in, operations and probes out.
//!
//! ```text
//!   Input, now ─► inventory (facts) ─┐
//!                 monitor (verdicts) ┼─ Event ─► Core ─ Effect ─► timers, plan ─► reconcile ─► Action
//!                 timers (deadlines) ┘
//! ```
//!
//! [`Engine::handle`] is the only place where a number becomes an event. It does everything that is due, so a driver
//! needs three methods: `handle(input, now)`, `poll_action()`, `poll_timeout()`.

pub mod action;
mod family;
pub mod input;
pub mod inventory;
pub mod monitor;
pub mod plan;
pub mod reconcile;
pub mod report;
pub mod route;
pub mod settings;
pub mod time;
pub mod window;

#[cfg(test)]
mod tests;

pub use action::Action;
pub use input::Input;
pub use settings::{Family, Settings};
pub use time::Time;

use crate::machine::{Command, Effect, Event, Health, Id, Sync, Timer, health, sync};
use core::time::Duration;
use family::{FamilyState, Flight};
use input::{Link, ProbeNews};
use inventory::Inventory;
use monitor::Complaint;
use report::{Change, Notice, Report, Transition, UplinkReport};
use route::{Op, Route};
use settings::{CarrierPoll, OnExit};
use std::collections::{BTreeSet, VecDeque};

/// How often the kernel is asked for carriers while something smells: linkwatch may sit on the loss for a second.
const CARRIER_POLL: Duration = Duration::from_millis(50);
/// How long something smells after the start, a link event, a first missed answer or a probe that could not be sent. Any
/// interface's event counts: linkwatch has one pace for all of them, and another's event is what delays ours.
const SMELL: Duration = Duration::from_secs(5);
/// Probes that leave in one burst, and the pause between bursts of the same round: a burst of a thousand would delay
/// its own answers and overflow buffers on the way.
const BURST: usize = 50;
const BURST_GAP: Duration = Duration::from_millis(2);
/// Transitions that are remembered for status.
const MAX_TRANSITIONS: usize = 256;
/// Follow-up events of one input; the machines come to rest long before (proved in tests/formal).
const MAX_FOLLOW_UPS: usize = 1024;
/// The generation that brings the kernel into its last state.
const FAREWELL: u64 = u64::MAX;

/// Why the engine wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A timer of the machine.
    Timer,
    /// A round is due.
    Probe,
    /// A round is to be judged.
    Judge,
    /// The next burst of a large round.
    Burst,
    /// Carriers are to be asked for.
    Carrier,
    /// A stranger's edit is to be undone.
    Drift,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    inventory: Inventory,
    families: Vec<FamilyState>,
    actions: VecDeque<Action>,
    bursts: VecDeque<(Time, Action)>,
    follow_ups: VecDeque<(Family, Event)>,
    transitions: VecDeque<Transition>,
    next_round: u64,
    next_transition: u64,
    next_generation: u64,
    /// Interfaces whose `ignore_routes_with_linkdown` the kernel refused to change.
    linkdown_refused: BTreeSet<u32>,
    carrier_asked: Time,
    smells_until: Time,
    /// When the first of the answers came that are not judged yet.
    unjudged: Option<Time>,
    /// Everything that had arrived by then has been taken: what is missing from before is missing.
    heard_until: Time,
    ending: Ending,
    /// The last operations, for what the kernel refuses of them.
    farewell: Vec<(Family, Vec<Op>)>,
    /// Something was taken that facts, desired or observed state depend on.
    dirty: bool,
    /// Numbers behind the event that is being handled, for the cause of a transition.
    because: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// Waiting for this many families' last operations.
    Waiting(usize),
    Done,
}

impl Engine {
    /// An engine that knows nothing yet; its first action is to read the kernel.
    #[must_use]
    pub fn new(settings: Settings, now: Time) -> Self {
        let mut engine = Self {
            settings,
            inventory: Inventory::default(),
            families: vec![],
            actions: VecDeque::new(),
            bursts: VecDeque::new(),
            follow_ups: VecDeque::new(),
            transitions: VecDeque::new(),
            next_round: 1,
            next_transition: 1,
            next_generation: 1,
            linkdown_refused: BTreeSet::new(),
            carrier_asked: Time::ZERO,
            smells_until: now + SMELL,
            unjudged: None,
            heard_until: Time::ZERO,
            ending: Ending::No,
            farewell: vec![],
            dirty: true,
            because: String::new(),
        };
        for family in Family::ALL {
            let in_use =
                |uplink: &settings::Uplink| uplink.targets.iter().any(|target| Family::of(*target) == family);
            if engine.settings.uplinks.iter().any(in_use) {
                let (state, effects) = FamilyState::new(family, &engine.settings, now);
                engine.families.push(state);
                for effect in effects {
                    engine.carry_out(family, effect, Event::Stop, now);
                }
            }
        }
        engine
    }

    /// What it was made with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes one piece of news and does everything that is due.
    ///
    /// Answers to probes come in crowds, and judging looks at everything: they are taken one by one, and judged together
    /// with the next input of another kind, for which [`Engine::poll_timeout`] asks at once.
    pub fn handle(&mut self, input: Input, now: Time) {
        self.unjudged = if matches!(input, Input::Probe { .. }) { self.unjudged.or(Some(now)) } else { None };
        if self.ending != Ending::No {
            if let Input::Applied { family, generation: FAREWELL, refused } = input {
                let names = self.inventory.names();
                let ops = self.farewell.iter().find(|(of, _)| *of == family).map(|(_, ops)| ops.as_slice());
                for (index, errno) in refused {
                    let op = ops.and_then(|ops| ops.get(index)).filter(|op| !is_gone_already(op, errno));
                    let notice = op.map(|op| Notice::Refused(family, op.words(&names), errno));
                    self.actions.extend(notice.map(Action::Notice));
                }
                self.farewell_applied();
            }
            return;
        }
        if input == Input::Tick {
            self.heard_until = now;
        }
        self.because.clear();
        self.dirty |= !matches!(
            input,
            Input::Tick
                | Input::Probe { .. }
                | Input::Route(_)
                | Input::RouteReplaced(_)
                | Input::RouteGone(_)
        );
        self.take(input, now);
        if self.unjudged.is_none() {
            self.settle(now);
        }
    }

    /// The next thing to be done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When `handle(Input::Tick, …)` must be called at the latest, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Time, Reason)> {
        if self.ending != Ending::No {
            return None;
        }
        let timers =
            self.families.iter().flat_map(|state| state.deadlines.values().map(|at| (*at, Reason::Timer)));
        let bursts = self.bursts.front().map(|(at, _)| (*at, Reason::Burst));
        let carrier = self.next_carrier_poll().map(|at| (at, Reason::Carrier));
        let drift = self.families.iter().filter_map(|state| Some((state.drift_due?, Reason::Drift)));
        let probes = self.families.iter().flat_map(|state| {
            state.ids().filter_map(|id| {
                let monitor = state.path(id).monitor.as_ref()?;
                let round = (monitor.next_round(state.interval(id, &self.settings)), Reason::Probe);
                Some(monitor.deadline().map_or(round, |at| round.min((at, Reason::Judge))))
            })
        });
        let unjudged = self.unjudged.map(|at| (at, Reason::Judge));
        timers.chain(bursts).chain(carrier).chain(drift).chain(probes).chain(unjudged).min()
    }

    /// The whole state, ready to be shown.
    #[must_use]
    pub fn report(&self, now: Time) -> Report {
        let uplink = |id: Id| UplinkReport {
            id,
            families: self
                .families
                .iter()
                .map(|state| (state.family, state.path_report(id, &self.settings, now)))
                .collect(),
        };
        Report {
            families: self.families.iter().map(|state| state.report(now)).collect(),
            uplinks: self.ids().map(uplink).collect(),
            transitions: self.transitions.iter().cloned().collect(),
        }
    }

    /// Interface names by index, for messages.
    #[must_use]
    pub fn names(&self) -> route::Names {
        self.inventory.names()
    }

    /// Did the kernel tell `ignore_routes_with_linkdown` of this interface? True where there is no such interface.
    #[must_use]
    pub fn linkdown_is_known(&self, interface: &str) -> bool {
        self.inventory.by_name(interface).is_none_or(|link| link.ignore_linkdown.is_some())
    }

    fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        let count = u8::try_from(self.settings.uplinks.len()).unwrap_or(u8::MAX);
        0..count
    }

    fn state(&mut self, family: Family) -> Option<&mut FamilyState> {
        state_of(&mut self.families, family)
    }

    fn fire_timers(&mut self, now: Time) {
        for index in 0..self.families.len() {
            let family = self.families[index].family;
            let due = |state: &FamilyState| {
                state.deadlines.iter().filter(|(_, at)| **at <= now).map(|(timer, at)| (*at, *timer)).min()
            };
            // Each expiry may re-arm others, never itself at once: a timer of zero length waits for the next call.
            let mut fired = BTreeSet::new();
            while let Some((_, timer)) = due(&self.families[index]).filter(|(_, timer)| fired.insert(*timer))
            {
                self.families[index].deadlines.remove(&timer);
                self.because = match timer {
                    Timer::BootDeadline => {
                        format!("boot deadline of {:?} is over", self.settings.failover.boot_deadline)
                    }
                    Timer::Stable(_) => "healthy without interruption for the stable window".to_owned(),
                    Timer::Retry => "time to try again".to_owned(),
                };
                let event = match timer {
                    Timer::Stable(id) if !self.is_watched_closely(index, id, now) => {
                        // We did not look (a suspend, a stopped process): that was no uninterrupted health.
                        "nobody looked for a while".clone_into(&mut self.because);
                        self.families[index].deadlines.insert(timer, now);
                        Event::Uplink(id, health::Event::Missed)
                    }
                    Timer::Stable(_) | Timer::BootDeadline | Timer::Retry => Event::Expired(timer),
                };
                self.feed(family, event, now);
            }
        }
    }

    /// Has a good round left lately, as often as rounds leave?
    fn is_watched_closely(&self, index: usize, id: Id, now: Time) -> bool {
        let state = &self.families[index];
        let Some(monitor) = state.path(id).monitor.as_ref() else { return false };
        let lately = state.interval(id, &self.settings) * 2 + monitor.timeout();
        monitor.last_good().is_some_and(|good| now.since(good) <= lately)
    }

    fn take(&mut self, input: Input, now: Time) {
        match input {
            Input::Tick => {}
            Input::Link(link) => self.take_link(link, now),
            Input::LinkGone(index) => {
                self.linkdown_refused.remove(&index);
                if self.inventory.link_gone(index) {
                    self.smells_until = now + SMELL;
                    self.routes_vanished(index, now);
                }
            }
            Input::Address(address) => self.inventory.address(address),
            Input::AddressGone(address) => {
                let managed = |uplink: &settings::Uplink| {
                    self.inventory.by_name(&uplink.interface).is_some_and(|link| link.index == address.index)
                };
                let ours = self.settings.uplinks.iter().any(managed);
                if self.inventory.address_gone(address) || ours {
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
            Input::Drain(id) => self.feed_all(Event::Uplink(id, health::Event::Drain), now),
            Input::Undrain(id) => self.feed_all(Event::Uplink(id, health::Event::Undrain), now),
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
        "the operator's order".clone_into(&mut self.because);
        if let Command::Use(id) = command
            && let Some(uplink) = self.settings.uplinks.get(usize::from(id))
            && self.families.iter().any(|state| state.core.health(id).is_drained())
        {
            let text = format!("`{}` is drained: give it back first (`uplinkd undrain {0}`)", uplink.name);
            self.actions.push_back(Action::Notice(Notice::Impossible(text)));
        }
        self.feed_all(Event::Operator(command), now);
    }

    fn take_link(&mut self, link: Link, now: Time) {
        let (index, up, carrier) = (link.index, link.up, link.carrier);
        let before = self.inventory.link(link);
        if before.as_ref().is_none_or(|before| (before.up, before.carrier) != (up, carrier)) {
            self.smells_until = now + SMELL;
        }
        if before.is_some_and(|before| before.up && !up) {
            self.routes_vanished(index, now);
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
        let mut known = self.inventory.linkdown();
        known.retain(|index, _| !self.linkdown_refused.contains(index));
        for state in &mut self.families {
            state.observed.ignore_linkdown = match state.family {
                Family::V4 => known.clone(),
                // One switch for both families (the driver's business); IPv4's plan has it.
                Family::V6 => std::collections::BTreeMap::new(),
            };
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

    fn take_dump(&mut self, dump: input::Dump, now: Time) {
        let ours = plan::ours(&self.settings);
        self.inventory.replace(dump.links, dump.family, dump.addresses);
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
            if let Op::IgnoreLinkdown { index, .. } = op
                && is_refused_for_good(*errno)
            {
                // A help, not a need: the routes go on without it.
                unswitched.push(*index);
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
        if !unswitched.is_empty() {
            self.linkdown_refused.extend(unswitched);
            self.mirror_linkdown();
        }
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

    /// Brings facts, verdicts, desired state and probes up to date with everything that was taken.
    fn settle(&mut self, now: Time) {
        if self.dirty {
            self.refresh_facts(now);
        }
        self.judge(now);
        // After the evidence: what has happened meanwhile may have stopped a timer that is over by now.
        self.fire_timers(now);
        let due = |state: &FamilyState| state.drift_due.is_some_and(|at| at <= now);
        if core::mem::take(&mut self.dirty) || self.families.iter().any(due) {
            self.replan(now);
        }
        self.probe(now);
        self.poll_carriers(now);
    }

    fn refresh_facts(&mut self, now: Time) {
        for index in 0..self.families.len() {
            let family = self.families[index].family;
            for (id, event) in self.families[index].refresh_facts(&self.settings, &self.inventory) {
                self.families[index].path(id).facts.readiness.words().clone_into(&mut self.because);
                self.feed(family, Event::Uplink(id, event), now);
            }
        }
    }

    fn judge(&mut self, now: Time) {
        for index in 0..self.families.len() {
            let family = self.families[index].family;
            for (id, event) in self.families[index].judge(&self.settings, self.heard_until) {
                if event == health::Event::Missed {
                    self.smells_until = now + SMELL;
                }
                let report = self.families[index].path_report(id, &self.settings, now);
                self.because = match event {
                    health::Event::Good if self.families[index].core.health(id) == Health::Degraded => {
                        format!("loss {:.0} % and delay are within bounds again", report.loss_percent)
                    }
                    health::Event::Good => format!("{} good rounds in a row", self.settings.probe.rise),
                    health::Event::Dead => format!("{} failed rounds in a row", report.fails),
                    health::Event::Lossy => format!(
                        "loss {:.0} %, delay {} ms",
                        report.loss_percent,
                        report.rtt.unwrap_or_default().as_millis()
                    ),
                    health::Event::Missed
                    | health::Event::Ready
                    | health::Event::Unready
                    | health::Event::Drain
                    | health::Event::Undrain => "a round failed".to_owned(),
                };
                self.feed(family, Event::Uplink(id, event), now);
            }
        }
    }

    /// Does the kernel have what we want, and is that still what we want?
    fn replan(&mut self, now: Time) {
        let names = self.inventory.names();
        for index in 0..self.families.len() {
            let state = &self.families[index];
            let family = state.family;
            let desired = state.plan(&self.settings);
            let difference = state.difference(&desired, &self.settings);
            let conditions = state.conditions(&difference, &self.settings, &names);
            let fresh = conditions.difference(&state.notices).cloned().map(Action::Notice);
            self.actions.extend(fresh);
            let state = &mut self.families[index];
            state.notices = conditions;
            state.drift_due = None;
            if state.desired.as_ref().is_some_and(|before| *before != desired) {
                self.feed(family, Event::Kernel(sync::Event::Replan), now);
            } else if state.core.sync() == Sync::Clean && !difference.ops.is_empty() {
                let due = state.drift(now);
                if due <= now {
                    state.reassert(now);
                    let count = state.reasserted;
                    self.actions.push_back(Action::Notice(Notice::Reasserted(family, count)));
                    self.feed(family, Event::Kernel(sync::Event::Drift), now);
                } else {
                    state.drift_due = Some(due);
                }
            }
        }
    }

    /// Sends the rounds that are due.
    fn probe(&mut self, now: Time) {
        while self.bursts.front().is_some_and(|(at, _)| *at <= now) {
            self.actions.extend(self.bursts.pop_front().map(|(_, action)| action));
        }
        let mut ticked = false;
        for index in 0..self.families.len() {
            for id in self.ids() {
                let state = &mut self.families[index];
                let interval = state.interval(id, &self.settings);
                let family = state.family;
                let Some(monitor) = state.monitor(id).filter(|monitor| monitor.next_round(interval) <= now)
                else {
                    continue;
                };
                let round = self.next_round;
                self.next_round += 1;
                ticked = true;
                let targets = monitor.send(round, now);
                for (burst, targets) in (0_u32..).zip(targets.chunks(BURST)) {
                    let action = Action::Probe { uplink: id, family, round, targets: targets.to_vec() };
                    if burst == 0 {
                        self.actions.push_back(action);
                    } else {
                        self.bursts.push_back((now + BURST_GAP * burst, action));
                    }
                }
                // Those of several uplinks leave side by side.
                self.bursts.make_contiguous().sort_by_key(|(at, _)| *at);
            }
        }
        if ticked
            && now.since(self.carrier_asked) >= CARRIER_POLL
            && self.settings.routing.carrier_poll == CarrierPoll::Auto
        {
            self.ask_carriers(now);
        }
    }

    fn poll_carriers(&mut self, now: Time) {
        if self.next_carrier_poll().is_some_and(|at| at <= now) {
            self.ask_carriers(now);
        }
    }

    fn next_carrier_poll(&self) -> Option<Time> {
        let next = self.carrier_asked + CARRIER_POLL;
        (self.settings.routing.carrier_poll == CarrierPoll::Auto && next <= self.smells_until).then_some(next)
    }

    /// Asks for the uplinks that have carrier: its return is announced without delay, its loss is not.
    fn ask_carriers(&mut self, now: Time) {
        self.carrier_asked = now;
        for uplink in &self.settings.uplinks {
            let link = self.inventory.by_name(&uplink.interface).filter(|link| link.up && link.carrier);
            self.actions.extend(link.map(|link| Action::AskLink(link.index)));
        }
    }

    fn feed_all(&mut self, event: Event, now: Time) {
        for index in 0..self.families.len() {
            self.feed(self.families[index].family, event, now);
        }
    }

    /// One event, and all that follows from it by itself.
    fn feed(&mut self, family: Family, event: Event, now: Time) {
        self.dirty = true;
        self.follow_ups.push_back((family, event));
        for _ in 0..MAX_FOLLOW_UPS {
            let Some((family, event)) = self.follow_ups.pop_front() else { return };
            let Some(state) = self.state(family) else { continue };
            let before = state.core.view();
            let step = state.core.handle(event);
            let after = state.core.view();
            self.note_changes(family, event, &before, &after, now);
            for effect in step.effects {
                self.carry_out(family, effect, event, now);
            }
        }
    }

    fn note_changes(
        &mut self,
        family: Family,
        event: Event,
        before: &crate::machine::View,
        after: &crate::machine::View,
        now: Time,
    ) {
        let health = (0..).zip(before.health.iter().zip(&after.health)).filter(|(_, (from, to))| from != to);
        let mut changes: Vec<Change> =
            health.map(|(uplink, (from, to))| Change::Health { uplink, from: *from, to: *to }).collect();
        if before.selection != after.selection {
            changes.push(Change::Selection { from: before.selection, to: after.selection });
            if let Some(state) = self.state(family) {
                state.since = now;
            }
        }
        for change in changes {
            let transition = Transition {
                id: self.next_transition,
                at: now,
                family,
                change,
                event,
                cause: self.because.clone(),
            };
            self.next_transition += 1;
            if self.transitions.len() >= MAX_TRANSITIONS {
                self.transitions.pop_front();
            }
            self.transitions.push_back(transition.clone());
            self.actions.push_back(Action::Announce(transition));
        }
    }

    fn carry_out(&mut self, family: Family, effect: Effect, event: Event, now: Time) {
        let settings = &self.settings;
        let Some(state) = state_of(&mut self.families, family) else { return };
        match effect {
            Effect::Arm(timer) => {
                let length = state.length(timer, settings);
                state.deadlines.insert(timer, now + length);
            }
            Effect::Disarm(timer) => {
                state.deadlines.remove(&timer);
            }
            Effect::Watch(id) => {
                let uplink = &settings.uplinks[usize::from(id)];
                let path = &mut state.paths[usize::from(id)];
                let Some(index) = path.facts.index else { return };
                path.monitor = Some(monitor::Monitor::new(&settings.probe, &path.targets));
                let interface = uplink.interface.clone();
                self.actions.push_back(Action::Watch { uplink: id, family, interface, index });
            }
            Effect::Unwatch(id) => {
                state.paths[usize::from(id)].monitor = None;
                self.actions.push_back(Action::Unwatch { uplink: id, family });
            }
            Effect::Announce { from, to } => {
                let by_window = matches!(event, Event::Expired(Timer::Stable(_)));
                let by_operator =
                    matches!(event, Event::Operator(_) | Event::Uplink(_, health::Event::Drain));
                state.moved((from, to), (by_window, by_operator), settings, now);
            }
            Effect::Plan => self.send_plan(family),
            Effect::Dump => self.actions.push_back(Action::Dump(family)),
            Effect::Finish => self.finish(),
        }
    }

    fn send_plan(&mut self, family: Family) {
        let generation = self.next_generation;
        self.next_generation += 1;
        let settings = &self.settings;
        let Some(state) = state_of(&mut self.families, family) else { return };
        let desired = state.plan(settings);
        let ops = state.difference(&desired, settings).ops;
        state.desired = Some(desired.clone());
        if ops.is_empty() {
            state.converged();
            self.follow_ups.push_back((family, Event::Kernel(sync::Event::Acked)));
            return;
        }
        state.in_flight = Some(Flight { generation, ops: ops.clone(), desired });
        self.actions.push_back(Action::Apply { family, generation, ops });
    }

    /// The last state, once for all families.
    fn finish(&mut self) {
        if self.ending != Ending::No {
            return;
        }
        let mut waiting = 0;
        if self.settings.routing.on_exit == OnExit::Remove {
            for state in &self.families {
                let ops = state.difference(&plan::leave(&self.settings, &state.observed), &self.settings).ops;
                if !ops.is_empty() {
                    waiting += 1;
                    self.farewell.push((state.family, ops.clone()));
                    self.actions.push_back(Action::Apply { family: state.family, generation: FAREWELL, ops });
                }
            }
        }
        self.ending = Ending::Waiting(waiting + 1);
        self.farewell_applied();
    }

    fn farewell_applied(&mut self) {
        self.ending = match self.ending {
            Ending::Waiting(left) if left > 1 => Ending::Waiting(left - 1),
            Ending::Waiting(_) => {
                self.actions.push_back(Action::Done);
                Ending::Done
            }
            Ending::No | Ending::Done => self.ending,
        };
    }
}

fn state_of(families: &mut [FamilyState], family: Family) -> Option<&mut FamilyState> {
    families.iter_mut().find(|state| state.family == family)
}

/// Will it never be allowed? (EPERM, EACCES, EINVAL, EOPNOTSUPP)
fn is_refused_for_good(errno: i32) -> bool {
    matches!(errno, 1 | 13 | 22 | 95)
}

/// Did a removal fail because there was nothing left to remove? (ENOENT, ESRCH, ENODEV)
fn is_gone_already(op: &Op, errno: i32) -> bool {
    match op {
        Op::DeleteRoute(_) | Op::DeleteRule(_) => matches!(errno, 2 | 3 | 19),
        Op::PutRoute(..) | Op::AddRule(_) | Op::IgnoreLinkdown { .. } => false,
    }
}
