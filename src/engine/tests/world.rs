//! A world just big enough: two uplinks whose targets answer or not, and a kernel that does what it is told.

use crate::engine::input::{Address, Dump, Input, Link, ProbeNews};
use crate::engine::report::Change;
use crate::engine::route::{Hop, How, Kind, MAIN_TABLE, Names, Op, Prefix, Route, Rule};
use crate::engine::settings::{CarrierPoll, Failover, Gateway, Profile, Routing, Uplink};
use crate::engine::{Action, Engine, Family, Settings, Time};
use crate::machine::{Id, Selection};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// What a path does to probes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Path {
    Answers(Duration),
    Silent,
    /// This many percent of the probes are lost, at random but always the same ones.
    Loses(u64, Duration),
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) now: Time,
    pub(super) paths: Vec<Path>,
    pub(super) routes: BTreeSet<Route>,
    pub(super) rules: BTreeSet<Rule>,
    pub(super) links: Vec<Link>,
    /// IPv4 addresses of interfaces that have others than usual.
    numbers: BTreeMap<u32, Vec<&'static str>>,
    /// `seconds: what happened`, without the zeros of a log.
    pub(super) timeline: Vec<String>,
    pub(super) ops: Vec<String>,
    /// Which flows were forgotten, and after how many operations.
    pub(super) flushes: Vec<String>,
    /// Is it over, and how much of ours was left behind?
    pub(super) done: Option<usize>,
    /// These targets do not answer by these uplinks.
    pub(super) dead: BTreeSet<(Id, u16)>,
    /// Which uplink sent probes when, and how many.
    pub(super) sent: Vec<(Time, Id, usize)>,
    /// Which interfaces were asked for their carrier when.
    pub(super) asked: Vec<(Time, u32)>,
    /// How often the kernel was read.
    pub(super) dumps: u32,
    /// Refuse this many plans with this errno.
    pub(super) refuse: (u32, i32),
    /// On these interfaces the kernel cannot pass over routes without carrier.
    pub(super) no_linkdown: Vec<u32>,
    /// The same switch of IPv6 by index, where there is one.
    pub(super) linkdown6: BTreeMap<u32, bool>,
    pending: BTreeMap<(Time, u64), Input>,
    sequence: u64,
    probes: u64,
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn lines(lines: &[String]) -> String {
    lines.join("\n")
}

/// A rule to the first uplink's table, whoever made it.
pub(super) fn rule(family: Family, priority: u32, protocol: u8) -> Rule {
    Rule {
        family,
        priority,
        from: None,
        oif: None,
        mark: None,
        table: 7700,
        suppress_prefixlength: None,
        protocol,
        strange: false,
    }
}

/// A number without pattern from a number in sequence (the finalizer of splitmix64).
fn scatter(mut x: u64) -> u64 {
    x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// `count` uplinks eth0, eth1 … with gateways 192.0.2.1, 192.0.3.1 …, and three targets.
pub(super) fn settings(count: u8) -> Settings {
    let uplink = |id: u8| Uplink {
        name: format!("wan{id}"),
        interface: format!("eth{id}"),
        gateway: Gateway::Given(ip(&format!("192.0.{}.1", 2 + id))),
        gateway6: Gateway::Auto,
        tier: id + 1,
        metric: 10 * (u32::from(id) + 1),
        mark: None,
        targets: ["203.0.113.1", "203.0.113.2", "203.0.113.3"].map(ip).to_vec(),
    };
    Settings {
        uplinks: (0..count).map(uplink).collect(),
        probe: Profile::Steady.probe(),
        failover: Failover::default(),
        routing: Routing { carrier_poll: CarrierPoll::Off, ..Routing::default() },
    }
}

/// The same with IPv6 beside IPv4: gateways 2001:db8:0::1, 2001:db8:1::1 …
pub(super) fn dual(count: u8) -> Settings {
    let mut settings = settings(count);
    for (id, uplink) in (0_u8..).zip(&mut settings.uplinks) {
        uplink.gateway6 = Gateway::Given(ip(&format!("2001:db8:{id}::1")));
        uplink.targets.extend(["2001:db8:f::1", "2001:db8:f::2", "2001:db8:f::3"].map(ip));
    }
    settings
}

/// An address of an interface.
pub(super) fn address(index: u32, text: &str, length: u8) -> Address {
    Address { index, prefix: Prefix { address: ip(text), length }, peer: None, global: true }
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        let links = (0..).zip(&settings.uplinks).map(|(id, uplink)| Link {
            index: 10 + id,
            name: uplink.interface.clone(),
            up: true,
            carrier: true,
            point_to_point: false,
            ignore_linkdown: Some(false),
        });
        Self {
            paths: vec![Path::Answers(20 * MS); settings.uplinks.len()],
            links: links.collect(),
            engine: Engine::new(settings, Time::ZERO),
            now: Time::ZERO,
            numbers: BTreeMap::new(),
            routes: BTreeSet::new(),
            rules: BTreeSet::new(),
            timeline: vec![],
            ops: vec![],
            flushes: vec![],
            done: None,
            dead: BTreeSet::new(),
            sent: vec![],
            asked: vec![],
            dumps: 0,
            refuse: (0, 0),
            no_linkdown: vec![],
            linkdown6: BTreeMap::new(),
            pending: BTreeMap::new(),
            sequence: 0,
            probes: 0,
        }
    }

    /// A world in which everything has proven itself and traffic is at home.
    pub(super) fn settled(settings: Settings) -> Self {
        let mut world = Self::new(settings);
        world.run(5 * SECOND);
        assert_eq!(world.selection(), Selection::Primary { active: 0 });
        world.timeline.clear();
        world.ops.clear();
        world
    }

    pub(super) fn selection(&self) -> Selection {
        self.engine.report(self.now).families[0].selection
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.engine.handle(input, self.now);
        self.act();
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        self.act();
        for _ in 0..1_000_000 {
            let timeout = self.engine.poll_timeout().map(|(at, _)| at.max(self.now));
            let answer = self.pending.keys().next().map(|(at, _)| *at);
            let Some(next) = timeout.into_iter().chain(answer).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = next;
            let input = match self.pending.first_entry().filter(|entry| entry.key().0 <= next) {
                Some(entry) => entry.remove(),
                None => Input::Tick,
            };
            self.engine.handle(input, self.now);
            self.act();
        }
        self.now = until;
    }

    /// Lets time pass while nothing is handled: what arrives is there afterwards, before the time.
    pub(super) fn pause(&mut self, duration: Duration) {
        self.now = self.now + duration;
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let input = entry.remove();
            self.tell(input);
        }
        self.tell(Input::Tick);
    }

    /// Carrier of one uplink's interface.
    pub(super) fn carrier(&mut self, id: Id, carrier: bool) {
        let link = &mut self.links[usize::from(id)];
        link.carrier = carrier;
        let link = link.clone();
        self.tell(Input::Link(link));
    }

    /// The main table in the words of `ip route`, best first.
    pub(super) fn main_table(&self) -> Vec<String> {
        let names = self.names();
        let mut routes: Vec<&Route> = self.routes.iter().filter(|route| route.table == MAIN_TABLE).collect();
        routes.sort_by_key(|route| route.metric);
        routes.into_iter().map(|route| route.words(&names)).collect()
    }

    pub(super) fn names(&self) -> Names {
        self.links.iter().map(|link| (link.index, link.name.clone())).collect()
    }

    /// A stranger's default route.
    pub(super) fn stranger(id: Id, metric: u32) -> Route {
        Route {
            table: MAIN_TABLE,
            metric,
            destination: Prefix::default_route(Family::V4),
            kind: Kind::Unicast,
            hops: vec![Hop { via: Some(ip(&format!("192.0.{}.1", 2 + id))), index: 10 + u32::from(id) }],
            protocol: 16,
            source: None,
            onlink: false,
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Dump(family) => {
                    let dump = self.dump(family);
                    self.dumps += 1;
                    self.engine.handle(Input::Dumped(dump), self.now);
                }
                Action::Apply { family, generation, ops } => {
                    let refused = self.apply(ops);
                    self.engine.handle(Input::Applied { family, generation, refused }, self.now);
                }
                Action::Probe { uplink, family, round, targets } => {
                    self.sent.push((self.now, uplink, targets.len()));
                    for (target, _) in targets {
                        self.probes += 1;
                        if self.dead.contains(&(uplink, target)) {
                            continue;
                        }
                        let rtt = match self.paths[usize::from(uplink)] {
                            Path::Answers(rtt) => rtt,
                            Path::Loses(percent, rtt) if scatter(self.probes) % 100 >= percent => rtt,
                            Path::Loses(..) | Path::Silent => continue,
                        };
                        let news = ProbeNews::Answer { round, target, rtt: Some(rtt) };
                        self.sequence += 1;
                        let input = Input::Probe { uplink, family, news };
                        self.pending.insert((self.now + rtt, self.sequence), input);
                    }
                }
                Action::Announce(transition) => {
                    let seconds = self.now.0.as_secs_f64();
                    let what = match transition.change {
                        Change::Health { uplink, from, to } => {
                            format!("wan{uplink} {} → {}", from.name(), to.name())
                        }
                        Change::Selection { from, to } => {
                            let name = |selection: Selection| match (selection.active(), selection.detail()) {
                                (Some(on), Some(detail)) => {
                                    format!("{}({detail}) on wan{on}", selection.name())
                                }
                                (Some(on), None) => format!("{} on wan{on}", selection.name()),
                                (None, _) => selection.name().to_owned(),
                            };
                            format!("{} → {}", name(from), name(to))
                        }
                    };
                    self.timeline.push(format!("{seconds:.3} {what}: {}", transition.cause));
                }
                Action::Notice(notice) => {
                    self.timeline.push(format!("{:.3} {notice:?}", self.now.0.as_secs_f64()));
                }
                Action::Done { refused } => self.done = Some(refused),
                Action::AskLink(index) => self.asked.push((self.now, index)),
                Action::Flush { addresses, flows, .. } => {
                    let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    self.flushes
                        .push(format!("{flows:?} of {addresses} after {} operations", self.ops.len()));
                }
                Action::Watch { .. } | Action::Unwatch { .. } => {}
            }
        }
    }

    fn dump(&self, family: Family) -> Dump {
        let addresses = |link: &Link| {
            let id: u8 = link.name.strip_prefix("eth").and_then(|id| id.parse().ok())?;
            Some(match (family, self.numbers.get(&link.index)) {
                (Family::V4, Some(texts)) => texts.iter().map(|text| address(link.index, text, 24)).collect(),
                (Family::V4, None) => vec![address(link.index, &format!("192.0.{}.10", 2 + id), 24)],
                (Family::V6, _) => vec![address(link.index, &format!("2001:db8:{id}::10"), 64)],
            })
        };
        Dump {
            family,
            links: self.links.clone(),
            addresses: self.links.iter().filter_map(addresses).flatten().collect(),
            routes: self.routes.iter().filter(|route| route.family() == family).cloned().collect(),
            rules: self.rules.iter().filter(|rule| rule.family == family).cloned().collect(),
            linkdown: if family == Family::V6 { self.linkdown6.clone() } else { BTreeMap::new() },
        }
    }

    /// An interface has these IPv4 addresses from now on.
    pub(super) fn number(&mut self, index: u32, texts: &[&'static str]) {
        let of = |dump: Dump| -> BTreeSet<Address> {
            dump.addresses.into_iter().filter(|address| address.index == index).collect()
        };
        let before = of(self.dump(Family::V4));
        self.numbers.insert(index, texts.to_vec());
        let after = of(self.dump(Family::V4));
        for new in after.difference(&before) {
            self.tell(Input::Address(*new));
        }
        for gone in before.difference(&after) {
            self.tell(Input::AddressGone(*gone));
        }
    }

    /// Does what the kernel would, and tells what it would tell.
    fn apply(&mut self, ops: Vec<Op>) -> Vec<(usize, i32)> {
        let names = self.names();
        let mut refused = vec![];
        for (index, op) in ops.into_iter().enumerate() {
            if self.refuse.0 > 0 {
                refused.push((index, self.refuse.1));
                continue;
            }
            self.ops.push(format!("{:.3} {}", self.now.0.as_secs_f64(), op.words(&names)));
            let mut news = vec![];
            match op {
                Op::PutRoute(route, how) => {
                    let old = self.routes.iter().find(|old| old.slot() == route.slot()).cloned();
                    // Of what was replaced the kernel says nothing.
                    if let Some(old) = old.filter(|_| how == How::Replace) {
                        self.routes.remove(&old);
                        news.push(Input::RouteReplaced(route.clone()));
                    } else {
                        news.push(Input::Route(route.clone()));
                    }
                    self.routes.insert(route);
                }
                Op::DeleteRoute(route) if self.routes.remove(&route) => news.push(Input::RouteGone(route)),
                Op::AddRule(rule) => {
                    self.rules.insert(rule.clone());
                    news.push(Input::Rule(rule));
                }
                Op::DeleteRule(rule) if self.rules.remove(&rule) => news.push(Input::RuleGone(rule)),
                Op::DeleteRoute(_) | Op::DeleteRule(_) => refused.push((index, 3)),
                Op::IgnoreLinkdown { index: link, .. } if self.no_linkdown.contains(&link) => {
                    refused.push((index, 95));
                }
                // It is a file, and tells nobody.
                Op::IgnoreLinkdown { family: Family::V6, index, on } => _ = self.linkdown6.insert(index, on),
                Op::IgnoreLinkdown { family: Family::V4, index, on } => {
                    let link = self.links.iter_mut().find(|link| link.index == index).unwrap();
                    link.ignore_linkdown = Some(on);
                    news.push(Input::Link(link.clone()));
                }
            }
            for input in news {
                self.engine.handle(input, self.now);
            }
        }
        self.refuse.0 = self.refuse.0.saturating_sub(1);
        refused
    }
}
