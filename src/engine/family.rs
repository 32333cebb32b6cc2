//! One family's half of the engine: its core, its monitors, and what it knows of the kernel.

use super::action::Action;
use super::inventory::{Facts, Inventory, Learnt, Readiness, learn_gateway};
use super::monitor::{Monitor, News, Verdict};
use super::plan::{self, Situation, ours, outranking};
use super::reconcile::{Desired, Difference, Observed, reconcile};
use super::report::{FamilyReport, Notice, PathReport, TargetReport};
use super::route::{MAIN_TABLE, Names};
use super::settings::{Family, Settings};
use super::time::Time;
use crate::machine::{Core, Health, Id, Rules, Selection, Timer, health};
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The first wait after a refusal, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// A stranger's edit is undone at once; one who keeps editing is answered more and more slowly, up to the second value.
const DRIFT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// A stranger who was quiet for so long starts anew.
const DRIFT_MEMORY: Duration = Duration::from_secs(10);

/// The most addresses whose flows wait to be forgotten.
pub(super) const MAX_LEFT: usize = 1024;

/// Everything of one family.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FamilyState {
    pub(super) family: Family,
    pub(super) core: Core,
    pub(super) paths: Vec<Path>,
    pub(super) observed: Observed,
    /// What the last plan wanted.
    pub(super) desired: Option<Desired>,
    /// The plan that is with the kernel.
    pub(super) in_flight: Option<Flight>,
    #[serde(with = "super::pairs")]
    pub(super) deadlines: BTreeMap<Timer, Time>,
    /// When the selection changed last.
    pub(super) since: Time,
    pub(super) reasserted: u64,
    /// Conditions that hold now and were announced.
    pub(super) notices: BTreeSet<Notice>,
    /// Refusals that were announced since the kernel last had what we want.
    pub(super) troubles: BTreeSet<Notice>,
    /// Addresses that traffic has left, because it left the uplink or the address went, and whose flows are not forgotten yet.
    left: BTreeSet<IpAddr>,
    /// When a stranger's edit may be undone.
    pub(super) drift_due: Option<Time>,
    retry: Duration,
    drift_gap: Duration,
    drift_last: Option<Time>,
}

/// A plan on its way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Flight {
    pub(super) generation: u64,
    pub(super) ops: Vec<super::route::Op>,
    pub(super) desired: Desired,
}

/// One uplink as this family sees it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Path {
    pub(super) facts: Facts,
    pub(super) monitor: Option<Monitor>,
    pub(super) targets: Vec<IpAddr>,
    learnt: Learnt,
    /// When traffic came home to it by itself.
    returned: Option<Time>,
    /// How often in a row that was undone soon.
    flaps: u32,
}

impl FamilyState {
    pub(super) fn new(family: Family, settings: &Settings, now: Time) -> (Self, Vec<crate::machine::Effect>) {
        let rules = Rules {
            tiers: settings.uplinks.iter().map(|uplink| uplink.tier).collect(),
            leave_degraded: settings.failover.leave_degraded,
        };
        let (core, effects) = Core::new(rules);
        let path = |uplink: &super::settings::Uplink| Path {
            facts: Facts::UNKNOWN,
            monitor: None,
            targets: uplink.targets.iter().copied().filter(|target| Family::of(*target) == family).collect(),
            learnt: Learnt::Nothing,
            returned: None,
            flaps: 0,
        };
        let state = Self {
            family,
            core,
            paths: settings.uplinks.iter().map(path).collect(),
            observed: Observed::default(),
            desired: None,
            in_flight: None,
            deadlines: BTreeMap::new(),
            since: now,
            reasserted: 0,
            notices: BTreeSet::new(),
            troubles: BTreeSet::new(),
            left: BTreeSet::new(),
            drift_due: None,
            retry: RETRY.0,
            drift_gap: Duration::ZERO,
            drift_last: None,
        };
        (state, effects)
    }

    /// As many of everything as there are uplinks, and nobody else is named.
    pub(super) fn is_sound(&self, settings: &Settings) -> bool {
        let count = settings.uplinks.len();
        let known = |id: Id| usize::from(id) < count;
        let known_timer = |timer: &Timer| match timer {
            Timer::Stable(id) => known(*id),
            Timer::BootDeadline | Timer::Retry => true,
        };
        let whole = |path: &Path| {
            path.monitor
                .as_ref()
                .is_none_or(|monitor| monitor.targets().len() == path.targets.len() && monitor.is_sound())
        };
        self.core.is_sound(count)
            && self.paths.len() == count
            && self.paths.iter().all(whole)
            && self.deadlines.keys().all(known_timer)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        let count = u8::try_from(self.paths.len()).unwrap_or(u8::MAX);
        0..count
    }

    pub(super) fn path(&self, id: Id) -> &Path {
        &self.paths[usize::from(id)]
    }

    pub(super) fn monitor(&mut self, id: Id) -> Option<&mut Monitor> {
        self.paths.get_mut(usize::from(id)).and_then(|path| path.monitor.as_mut())
    }

    /// Brings the facts up to date; returns what the machine must hear of it.
    pub(super) fn refresh_facts(
        &mut self,
        settings: &Settings,
        inventory: &Inventory,
    ) -> Vec<(Id, health::Event)> {
        let mut events = vec![];
        for (id, uplink) in (0..).zip(&settings.uplinks) {
            let path = &mut self.paths[usize::from(id)];
            match inventory.by_name(&uplink.interface) {
                Some(link) => {
                    if path.facts.index != Some(link.index) {
                        path.learnt = Learnt::Nothing;
                    }
                    let seen = learn_gateway(link.index, &self.observed.routes, settings.routing.protocol);
                    path.learnt = match (seen, path.learnt) {
                        (Learnt::Nothing, Learnt::Via { gateway, .. }) => {
                            Learnt::Via { gateway, shown: false }
                        }
                        (Learnt::Nothing, known) => known,
                        (seen, _) => seen,
                    };
                }
                None => path.learnt = Learnt::Nothing,
            }
            let facts = inventory.facts(uplink, self.family, path.learnt);
            let health = self.core.health(id);
            let was_ready = health.is_watched();
            let replaced = facts.index != path.facts.index;
            if self.core.active() == Some(id) {
                let gone = path.facts.addresses.iter().filter(|address| !facts.addresses.contains(address));
                remember(&mut self.left, gone);
            }
            path.facts = facts;
            match (was_ready, path.facts.readiness == Readiness::Ready) {
                (true, true) if replaced => {
                    events.extend([(id, health::Event::Unready), (id, health::Event::Ready)]);
                }
                (true, false) => events.push((id, health::Event::Unready)),
                (false, true) => events.push((id, health::Event::Ready)),
                (true, true) | (false, false) => {}
            }
        }
        events
    }

    /// Judges every monitor, the active uplink's last; returns what the machine must hear.
    ///
    /// The death of the active uplink is not believed while every other usable one has just missed answers as well:
    /// their verdicts are waited for (at most as long as such a verdict takes), so that two lines, or a lone far end,
    /// that fall silent together move nothing.
    pub(super) fn judge(&mut self, settings: &Settings, now: Time) -> Vec<(Id, health::Event)> {
        let active = self.core.active();
        let mut events = vec![];
        for id in self.ids().filter(|id| Some(*id) != active) {
            events.extend(self.judge_one(id, false, settings, now));
        }
        if let Some(active) = active {
            // Its failures first: since when it fails is what the others are asked about.
            events.extend(self.judge_one(active, true, settings, now));
            if !self.holds_death_of(active) {
                events.extend(self.judge_one(active, false, settings, now));
            }
        }
        // What was proven and is dead by the end of the same look, because a slow answer came after a quick refusal, has
        // proven nothing.
        let dead: Vec<Id> =
            events.iter().filter(|(_, event)| *event == health::Event::Dead).map(|(id, _)| *id).collect();
        events.retain(|(id, event)| *event != health::Event::Good || !dead.contains(id));
        // Heard in one go: what speaks for the active uplink before what speaks for others, the best of these first; then
        // what speaks against others, and against the active one at the very end. So nothing moves where the end of the
        // story is that it need not.
        events.sort_by_key(|(id, event)| {
            let against = matches!(event, health::Event::Lossy | health::Event::Dead);
            (against, (Some(*id) == active) == against, self.core.rules().tier(*id))
        });
        events
    }

    /// Is there another usable uplink at all, and does none of those prove that it still works, now that the active one
    /// does not? Each is suspect itself, or has a round under way that left since, and none that was answered.
    fn holds_death_of(&self, active: Id) -> bool {
        let since = self.path(active).monitor.as_ref().and_then(Monitor::failing_since);
        let unclear = |monitor: &Monitor| {
            monitor.is_suspect() || since.is_some_and(|since| monitor.is_undecided_since(since))
        };
        let mut others = self
            .ids()
            .filter(|id| *id != active && !self.core.health(*id).is_drained())
            .filter_map(|id| self.path(id).monitor.as_ref())
            // Not their health: the core has not been told yet what this look has shown.
            .filter(|monitor| matches!(monitor.verdict(), Some(Verdict::Good | Verdict::Lossy)))
            .peekable();
        others.peek().is_some() && others.all(unclear)
    }

    fn judge_one(&mut self, id: Id, hold: bool, settings: &Settings, now: Time) -> Vec<(Id, health::Event)> {
        let quorum = self.quorum(id, settings);
        let Some(monitor) = self.monitor(id) else { return vec![] };
        let event = |news: News| match news {
            News::Missed => health::Event::Missed,
            News::Verdict(Verdict::Good) => health::Event::Good,
            News::Verdict(Verdict::Lossy) => health::Event::Lossy,
            News::Verdict(Verdict::Dead) => health::Event::Dead,
        };
        monitor.judge(quorum, hold, now).into_iter().map(|news| (id, event(news))).collect()
    }

    /// How many targets must answer for a round of this uplink to be good. A target that is silent on every uplink at
    /// once, while another answers somewhere, is at fault itself and is not counted (common-mode guard).
    fn quorum(&self, id: Id, settings: &Settings) -> u16 {
        let path = self.path(id);
        let fall = u32::from(settings.probe.fall);
        let asked = || self.paths.iter().filter_map(|path| path.monitor.as_ref()).flat_map(Monitor::targets);
        let mut left = path.targets.len();
        // Seldom is anybody silent for long; looking at everybody is for then.
        if asked().any(|target| target.silent >= fall)
            && asked().any(|target| target.silent == 0 && target.srtt().is_some())
        {
            // By address: how many uplinks ask it, and whether all of them in vain.
            let mut fates: BTreeMap<IpAddr, (usize, bool)> = BTreeMap::new();
            for target in asked() {
                let (count, in_vain) = fates.entry(target.address).or_insert((0, true));
                *count += 1;
                *in_vain &= target.silent >= fall;
            }
            let blamed =
                |address: &&IpAddr| fates.get(address).is_some_and(|(count, in_vain)| *count > 1 && *in_vain);
            left -= path.targets.iter().filter(blamed).count();
        }
        settings.probe.quorum.min(u16::try_from(left).unwrap_or(u16::MAX)).max(1)
    }

    /// How often rounds leave by this uplink while nothing is in doubt.
    pub(super) fn interval(&self, id: Id, settings: &Settings) -> Duration {
        let rules = self.core.rules();
        let active = self.core.active();
        let standby = match self.core.health(id) {
            Health::Healthy => {
                active.is_some_and(|active| active != id && rules.tier(active) <= rules.tier(id))
            }
            Health::Drained { .. } => true,
            Health::Unready | Health::Probation | Health::Degraded | Health::Down => false,
        };
        let suspect = |id: Id| self.path(id).monitor.as_ref().is_some_and(Monitor::is_suspect);
        match active {
            // Soon it may have to carry the traffic: is it what we think it is?
            Some(active) if standby && suspect(active) => settings.probe.confirm_interval,
            Some(_) | None if standby => settings.probe.standby_interval,
            Some(_) | None => settings.probe.interval,
        }
    }

    /// How long a timer runs.
    pub(super) fn length(&mut self, timer: Timer, settings: &Settings) -> Duration {
        match timer {
            Timer::BootDeadline => settings.failover.boot_deadline,
            Timer::Retry => {
                let wait = self.retry;
                self.retry = (wait * 2).min(RETRY.1);
                wait
            }
            Timer::Stable(id) => {
                let doublings = self.path(id).flaps.min(16);
                let window = settings.failover.stable_window.saturating_mul(1 << doublings);
                window.min(settings.failover.max_stable_window.max(settings.failover.stable_window))
            }
        }
    }

    /// The kernel has what we want: the next refusal is a new story.
    pub(super) fn converged(&mut self) {
        self.retry = RETRY.0;
        self.troubles.clear();
    }

    /// Traffic moved. A way home that is undone soon doubles the next stable window, whether the window led there or the
    /// death of the backup; `by_window` tells that a stable window led here, `by_operator` that the operator did.
    pub(super) fn moved(
        &mut self,
        (from, to): (Option<Id>, Option<Id>),
        (by_window, by_operator): (bool, bool),
        settings: &Settings,
        now: Time,
    ) {
        if let Some(left) = from {
            remember(&mut self.left, self.paths[usize::from(left)].facts.addresses.iter());
        }
        if let Some(left) = from.filter(|_| !by_window) {
            let path = &mut self.paths[usize::from(left)];
            match path.returned.map(|at| now.since(at) < settings.failover.flap_memory) {
                Some(true) if !by_operator => {
                    (path.flaps, path.returned) = (path.flaps.saturating_add(1), None);
                }
                // It held, whoever ends it.
                Some(false) => (path.flaps, path.returned) = (0, None),
                Some(true) | None => {}
            }
        }
        let tier = |id: Id| self.core.rules().tier(id);
        let home = to.filter(|to| !by_operator && from.is_some_and(|from| tier(*to) < tier(from)));
        if let Some(home) = home {
            self.paths[usize::from(home)].returned = Some(now);
        }
    }

    fn situation<T>(&self, then: impl FnOnce(&Situation<'_>) -> T) -> T {
        let view = self.core.view();
        let facts: Vec<Facts> = self.paths.iter().map(|path| path.facts.clone()).collect();
        then(&Situation {
            family: self.family,
            view: &view,
            facts: &facts,
            observed: &self.observed,
            wanted: self.desired.as_ref(),
        })
    }

    /// What the kernel should have now.
    pub(super) fn plan(&self, settings: &Settings) -> Desired {
        self.situation(|situation| plan::plan(settings, situation))
    }

    /// What it takes to get there.
    pub(super) fn difference(&self, desired: &Desired, settings: &Settings) -> Difference {
        reconcile(desired, &self.observed, &ours(settings))
    }

    /// Conditions that a person should know about, as they are now.
    pub(super) fn conditions(
        &self,
        difference: &Difference,
        settings: &Settings,
        names: &Names,
        own: &BTreeSet<IpAddr>,
    ) -> BTreeSet<Notice> {
        let blocked = difference.blocked.iter().map(|route| Notice::Blocked(self.family, route.words(names)));
        let taken = settings.routing.foreign_defaults == super::settings::ForeignDefaults::Replace;
        let outranked: Vec<Notice> = self.situation(|situation| {
            outranking(settings, situation)
                .filter(|route| !taken || !plan::is_takeable(route))
                .map(|route| {
                    let notice =
                        if plan::is_takeable(route) { Notice::Outranked } else { Notice::Untakeable };
                    notice(self.family, route.words(names))
                })
                .collect()
        });
        let bypassed: Vec<Notice> = self.situation(|situation| {
            let routes = plan::bypassing(settings, situation);
            routes.map(|route| Notice::Bypassed(self.family, route.words(names))).collect()
        });
        let own = plan::own_targets(settings, self.family, own)
            .map(|(uplink, target)| Notice::OwnTarget(self.family, uplink.to_owned(), target));
        blocked.chain(outranked).chain(bypassed).chain(own).collect()
    }

    /// Traffic takes the way we want: those who have left an uplink are to be forgotten there. As long as there is no way
    /// that carries traffic they are best off where they are.
    pub(super) fn flush(&mut self, settings: &Settings) -> Option<Action> {
        let active = self.core.active()?;
        // Two sticks of one provider may even have the same address.
        let facts = &self.path(active).facts;
        if facts.readiness != Readiness::Ready {
            return None;
        }
        let carries = |address: &IpAddr| facts.addresses.contains(address);
        let addresses: Vec<IpAddr> = self.left.iter().filter(|address| !carries(address)).copied().collect();
        self.left.clear();
        let flows = settings.routing.flow_flush.filter(|_| !addresses.is_empty())?;
        Some(Action::Flush { family: self.family, addresses, flows })
    }

    /// A stranger has changed what is ours: when may it be put back?
    pub(super) fn drift(&mut self, now: Time) -> Time {
        let quiet = self.drift_last.is_none_or(|last| now.since(last) > DRIFT_MEMORY);
        if quiet {
            self.drift_gap = Duration::ZERO;
        }
        self.drift_last.map_or(now, |last| now.max(last + self.drift_gap))
    }

    /// It is put back now.
    pub(super) fn reassert(&mut self, now: Time) {
        self.drift_last = Some(now);
        self.drift_gap = (self.drift_gap * 2).clamp(DRIFT.0, DRIFT.1);
        self.reasserted += 1;
    }

    /// The uplink whose promoted route an earlier run has left.
    pub(super) fn left_promoted(&self, settings: &Settings) -> Option<Id> {
        let promoted = self.observed.routes.iter().find(|route| {
            route.table == MAIN_TABLE
                && route.is_default()
                && route.protocol == settings.routing.protocol
                && route.metric == settings.routing.promoted_metric
        })?;
        self.ids().find(|id| self.path(*id).facts.index.is_some_and(|index| promoted.uses(index)))
    }

    pub(super) fn report(&self, now: Time) -> FamilyReport {
        let selection = self.core.selection();
        let left = |timer: Timer| self.deadlines.get(&timer).map(|at| at.since(now));
        FamilyReport {
            family: self.family,
            selection,
            active: selection.active(),
            stranded: self.core.is_stranded(),
            since: self.since,
            sync: self.core.sync(),
            windows: self.ids().filter_map(|id| Some((id, left(Timer::Stable(id))?))).collect(),
            boot_remaining: match selection {
                Selection::Boot { .. } => left(Timer::BootDeadline),
                Selection::Primary { .. }
                | Selection::Waiting { .. }
                | Selection::Proving { .. }
                | Selection::Pinned { .. }
                | Selection::Frozen { .. } => None,
            },
            reasserted: self.reasserted,
            notices: self.notices.union(&self.troubles).cloned().collect(),
        }
    }

    pub(super) fn path_report(&self, id: Id, settings: &Settings, now: Time) -> PathReport {
        let path = self.path(id);
        let quorum = self.quorum(id, settings);
        let monitor = path.monitor.as_ref();
        let target = |target: &super::monitor::Target| TargetReport {
            address: target.address,
            loss_percent: target.window.loss_percent(),
            rtt: target.srtt(),
            silent: target.silent,
            complaint: target.complaint,
        };
        PathReport {
            health: self.core.health(id),
            readiness: path.facts.readiness,
            gateway: path.facts.hop.and_then(|hop| hop.via),
            loss_percent: monitor.map_or(0.0, |monitor| monitor.loss_percent(quorum)),
            rtt: monitor.and_then(|monitor| monitor.rtt(quorum)),
            jitter: monitor.and_then(Monitor::jitter),
            fails: monitor.map_or(0, Monitor::fails),
            stable_for: monitor.and_then(Monitor::stable_since).map(|since| now.since(since)),
            timeout: monitor.map(Monitor::timeout),
            targets: monitor
                .map(|monitor| monitor.targets().iter().map(target).collect())
                .unwrap_or_default(),
            oddities: monitor.map(Monitor::oddities).unwrap_or_default(),
        }
    }
}

/// Adds addresses to those whose flows are to be forgotten; without end it would grow where nothing ever carries traffic.
pub(super) fn remember<'a>(left: &mut BTreeSet<IpAddr>, gone: impl Iterator<Item = &'a IpAddr>) {
    left.extend(gone.take(MAX_LEFT.saturating_sub(left.len())));
}
