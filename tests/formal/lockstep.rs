//! The engine and the specification take the same steps: random worlds in virtual time, compared after every one.

mod rounds;

use crate::figures;
use crate::history::{Fact, History};
use crate::spec::{Standing, standing};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestRunner, contextualize_config};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use uplinkd::engine::input::{Address, Dump, Input, Link, ProbeNews};
use uplinkd::engine::route::{Hop, How, Kind, MAIN_TABLE, Op, Prefix, Route};
use uplinkd::engine::settings::{
    CarrierPoll, Degraded, Failover, Gateway, Profile, Routing, Timeout, Uplink,
};
use uplinkd::engine::{Action, Engine, Family, Reason, Settings, Time};
use uplinkd::machine::{Command, Id};

const MS: Duration = Duration::from_millis(1);
/// For each property; PROPTEST_CASES asks for more.
const CASES: u32 = 2048;

/// What a path does to probes.
#[derive(Debug, Clone, Copy)]
enum Path {
    /// Answers after this many milliseconds, be it too late.
    Answers(u32),
    Silent,
    /// A router says at once that it cannot.
    Refuses,
    /// Every so manieth round is lost.
    Loses(u64),
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Carrier(Id, bool),
    Path(Id, Path),
    /// This target answers nobody from now on.
    DeadTarget(Option<u16>),
    Order(Command),
    Drain(Id),
    Undrain(Id),
}

#[derive(Clone)]
struct Case {
    settings: Settings,
    /// Somebody else's default route is there at the start.
    stranger: bool,
    /// An earlier run left this one's promoted route.
    adopted: Option<Id>,
    carriers: Vec<bool>,
    /// After so many milliseconds, this.
    acts: Vec<(u32, Act)>,
}

/// Only what varies: the rest of the settings would fill a screen.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { uplinks, probe, failover, .. } = &self.settings;
        let tiers: Vec<u8> = uplinks.iter().map(|uplink| uplink.tier).collect();
        writeln!(f, "tiers {tiers:?}, {probe:?}, {failover:?}")?;
        writeln!(f, "stranger {}, adopted {:?}, carriers {:?}", self.stranger, self.adopted, self.carriers)?;
        self.acts.iter().try_for_each(|(gap, act)| writeln!(f, "after {gap} ms {act:?}"))
    }
}

fn settings(tiers: &[u8]) -> Settings {
    let uplink = |(id, tier): (u8, &u8)| Uplink {
        name: format!("wan{id}"),
        interface: format!("eth{id}"),
        gateway: Gateway::Given(IpAddr::from([192, 0, 2 + id, 1])),
        gateway6: Gateway::Auto,
        tier: *tier,
        metric: 10 * (u32::from(id) + 1),
        mark: None,
        targets: [1, 2].map(|host| IpAddr::from([203, 0, 113, host])).to_vec(),
    };
    Settings {
        uplinks: (0..).zip(tiers).map(uplink).collect(),
        probe: Profile::Steady.probe(),
        failover: Failover::default(),
        routing: Routing { carrier_poll: CarrierPoll::Off, kernel_carrier: false, ..Routing::default() },
    }
}

/// The real engine in a world that is just big enough, and the history of both.
struct Lockstep {
    engine: Engine,
    history: History,
    now: Time,
    links: Vec<Link>,
    paths: Vec<Path>,
    dead_target: Option<u16>,
    stranger: bool,
    adopted: Option<Id>,
    /// Answers under way, by arrival; without a time, that there will be none.
    answers: BTreeMap<(Time, usize), Reply>,
    probes: usize,
}

/// By which uplink, to which round, of which target, after how long.
type Reply = (Id, u64, u16, Option<Duration>);
type Outcome = Result<(), TestCaseError>;

impl Lockstep {
    fn new(case: &Case) -> Self {
        let link = |(id, (uplink, carrier)): (u32, (&Uplink, &bool))| Link {
            index: 10 + id,
            name: uplink.interface.clone(),
            up: true,
            carrier: *carrier,
            point_to_point: false,
            ignore_linkdown: None,
        };
        let settings = &case.settings;
        Self {
            engine: Engine::new(settings.clone(), Time::ZERO),
            history: History { settings: settings.clone(), facts: vec![] },
            now: Time::ZERO,
            links: (0..).zip(settings.uplinks.iter().zip(&case.carriers)).map(link).collect(),
            paths: vec![Path::Answers(20); settings.uplinks.len()],
            dead_target: None,
            stranger: case.stranger,
            adopted: case.adopted,
            answers: BTreeMap::new(),
            probes: 0,
        }
    }

    fn fact(&mut self, fact: Fact) {
        self.history.facts.push((self.now, fact));
    }

    fn take(&mut self, fact: Fact, input: Input) -> Outcome {
        self.fact(fact);
        self.engine.handle(input, self.now);
        self.act();
        self.compare()
    }

    /// The kernel does what it is told and says so.
    fn act(&mut self) {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Dump(family) => {
                    let ready = (0..).zip(&self.links).filter(|(_, link)| link.carrier);
                    let facts: Vec<_> = ready.map(|(id, _)| (self.now, Fact::Ready(id))).collect();
                    self.history.facts.extend(facts);
                    if let Some(id) = self.adopted {
                        self.fact(Fact::Adopt(id));
                    }
                    let dump = self.dump(family);
                    self.engine.handle(Input::Dumped(dump), self.now);
                }
                Action::Apply { family, generation, ops } => {
                    for op in ops {
                        let news = match op {
                            Op::PutRoute(route, How::Replace) => Input::RouteReplaced(route),
                            Op::PutRoute(route, How::Add | How::Prepend) => Input::Route(route),
                            Op::DeleteRoute(route) => Input::RouteGone(route),
                            Op::AddRule(rule) => Input::Rule(rule),
                            Op::DeleteRule(rule) => Input::RuleGone(rule),
                            Op::IgnoreLinkdown { .. } => continue,
                        };
                        self.engine.handle(news, self.now);
                    }
                    self.engine.handle(Input::Applied { family, generation, refused: vec![] }, self.now);
                    self.fact(Fact::Look);
                }
                Action::Probe { uplink, round, targets, .. } => {
                    self.fact(Fact::Sent(uplink, round));
                    for (target, _) in targets {
                        self.probes += 1;
                        let path = self.paths[usize::from(uplink)];
                        let delay = match path {
                            Path::Refuses => 5,
                            Path::Loses(nth) if round % nth > 0 => 20,
                            Path::Answers(ms) => ms,
                            Path::Silent | Path::Loses(_) => continue,
                        } * MS;
                        if self.dead_target != Some(target) {
                            let rtt = (!matches!(path, Path::Refuses)).then_some(delay);
                            self.answers
                                .insert((self.now + delay, self.probes), (uplink, round, target, rtt));
                        }
                    }
                }
                Action::AskLink(_)
                | Action::Flush { .. }
                | Action::Watch { .. }
                | Action::Unwatch { .. }
                | Action::Announce(_)
                | Action::Notice(_)
                | Action::Done { .. } => {}
            }
        }
    }

    fn dump(&self, family: Family) -> Dump {
        let address = |(id, link): (u8, &Link)| Address {
            index: link.index,
            prefix: Prefix { address: IpAddr::from([192, 0, 2 + id, 10]), length: 24 },
            peer: None,
            global: true,
        };
        let route = |id: u8, metric: u32, protocol: u8| Route {
            table: MAIN_TABLE,
            metric,
            destination: Prefix::default_route(family),
            kind: Kind::Unicast,
            hops: vec![Hop { via: Some(IpAddr::from([192, 0, 2 + id, 1])), index: 10 + u32::from(id) }],
            protocol,
            source: None,
            onlink: false,
        };
        let Routing { promoted_metric, protocol, .. } = self.history.settings.routing;
        let stranger = self.stranger.then(|| route(0, 100, 16));
        let ours = self.adopted.map(|id| route(id, promoted_metric, protocol));
        Dump {
            linkdown: std::collections::BTreeMap::new(),
            family,
            links: self.links.clone(),
            addresses: (0..).zip(&self.links).map(address).collect(),
            routes: stranger.into_iter().chain(ours).collect(),
            rules: vec![],
        }
    }

    /// Lets time pass: answers first, then what is due.
    fn run(&mut self, duration: Duration) -> Outcome {
        let until = self.now + duration;
        loop {
            let due = self.engine.poll_timeout().map(|(at, _)| at.max(self.now));
            let arrives = self.answers.keys().next().map(|(at, _)| *at);
            let Some(next) = due.into_iter().chain(arrives).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = next;
            while let Some(entry) = self.answers.first_entry().filter(|entry| entry.key().0 <= next) {
                let (uplink, round, target, rtt) = entry.remove();
                let (fact, news) = match rtt {
                    Some(took) => {
                        (Fact::Answer(uplink, round, target, took), ProbeNews::Answer { round, target, rtt })
                    }
                    None => (
                        Fact::Unreachable(uplink, round, target),
                        ProbeNews::Unreachable { round, target, from: IpAddr::from([192, 0, 2, 1]) },
                    ),
                };
                self.fact(fact);
                self.engine.handle(Input::Probe { uplink, family: Family::V4, news }, next);
            }
            self.take(Fact::Tick, Input::Tick)?;
        }
        self.now = until;
        Ok(())
    }

    fn perform(&mut self, act: Act) -> Outcome {
        let count = self.history.settings.uplinks.len();
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        match act {
            Act::Carrier(id, carrier) => {
                let link = &mut self.links[usize::from(id % count)];
                if link.carrier != carrier {
                    link.carrier = carrier;
                    let input = Input::Link(link.clone());
                    let fact = if carrier { Fact::Ready } else { Fact::Unready };
                    self.take(fact(id % count), input)?;
                }
            }
            Act::Path(id, path) => self.paths[usize::from(id % count)] = path,
            Act::DeadTarget(target) => self.dead_target = target,
            Act::Order(order) => {
                let order = match order {
                    Command::Use(id) => Command::Use(id % count),
                    Command::Auto | Command::Freeze => order,
                };
                self.take(Fact::Order(order), Input::Operator(order))?;
            }
            Act::Drain(id) => self.take(Fact::Drain(id % count), Input::Drain(id % count))?,
            Act::Undrain(id) => self.take(Fact::Undrain(id % count), Input::Undrain(id % count))?,
        }
        Ok(())
    }

    fn compare(&self) -> Outcome {
        let says = standing(&self.history);
        let report = self.engine.report(self.now);
        let family = &report.families[0];
        let does = Standing {
            health: report.uplinks.iter().map(|uplink| uplink.families[0].1.health).collect(),
            selection: family.selection,
            stranded: family.stranded,
            since: family.since,
            windows: family.windows.iter().map(|(id, left)| (*id, self.now + *left)).collect(),
            boot_ends: family.boot_remaining.map(|left| self.now + left),
            next: says.next,
        };
        let wakes = self.engine.poll_timeout();
        // To send it may wake earlier, to judge or to end a wait only then: neither too late nor in vain.
        let as_told = match (says.next, wakes) {
            (Some(next), Some((at, Reason::Timer | Reason::Judge))) => at == next,
            (Some(next), Some((at, _))) => at <= next,
            (Some(_), None) | (None, Some((_, Reason::Timer | Reason::Judge))) => false,
            (None, _) => true,
        };
        if says == does && family.active == says.selection.active() && as_told {
            return Ok(());
        }
        Err(TestCaseError::fail(format!(
            "after\n{}the specification says\n  {says:?}\nthe engine does\n  {does:?}\nand wakes at {wakes:?}",
            self.history
        )))
    }
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![
        3 => Just(Path::Answers(20)),
        3 => Just(Path::Silent),
        1 => Just(Path::Refuses),
        1 => Just(Path::Answers(200)),
        1 => Just(Path::Answers(290)),
        1 => Just(Path::Answers(310)),
        1 => (2_u64..5).prop_map(Path::Loses),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_u8..3, any::<bool>()).prop_map(|(id, carrier)| Act::Carrier(id, carrier)),
        6 => (0_u8..3, path()).prop_map(|(id, path)| Act::Path(id, path)),
        1 => proptest::option::of(0_u16..2).prop_map(Act::DeadTarget),
        1 => (0_u8..3).prop_map(|id| Act::Order(Command::Use(id))),
        2 => Just(Act::Order(Command::Auto)),
        1 => Just(Act::Order(Command::Freeze)),
        1 => (0_u8..3).prop_map(Act::Drain),
        2 => (0_u8..3).prop_map(Act::Undrain),
    ]
}

fn some_act() -> impl Strategy<Value = (u32, Act)> {
    (prop_oneof![2 => Just(0_u32), 3 => 1_u32..800, 3 => 800_u32..2600], act())
}

/// The cable of one uplink goes and comes, mostly slowly enough to have gone home meanwhile; or the operator does the
/// same, after longer; or something else happens.
fn flapping() -> impl Strategy<Value = Vec<(u32, Act)>> {
    let flap = (0_u8..4, 500_u32..4500, 1_u32..300).prop_map(|(id, gap, out)| {
        let id = id / 3;
        vec![(gap, Act::Carrier(id, false)), (out, Act::Carrier(id, true))]
    });
    let order = (3000_u32..6000, 1_u32..300)
        .prop_map(|(gap, out)| vec![(gap, Act::Drain(0)), (out, Act::Undrain(0))]);
    vec(prop_oneof![4 => flap, 1 => order, 1 => some_act().prop_map(|one| vec![one])], 2..6)
        .prop_map(|some| some.concat())
}

fn case(tiers: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Case> {
    let acts = prop_oneof![3 => vec(some_act(), 4..14), 1 => flapping()];
    let carriers = vec(proptest::bool::weighted(0.9), 3);
    let timeout = prop_oneof![
        3 => Just(Timeout::Fixed(300 * MS)),
        1 => Just(Timeout::Adaptive { floor: 50 * MS, ceiling: 300 * MS, silence: 400 * MS }),
        1 => Just(Timeout::Adaptive { floor: 200 * MS, ceiling: 350 * MS, silence: Duration::ZERO }),
    ];
    let numbers = (1_u16..4, 1_u16..4, any::<bool>(), any::<bool>(), timeout);
    let found = (any::<bool>(), prop_oneof![4 => Just(None), 1 => (0_u8..2).prop_map(Some)]);
    (tiers, numbers, found, carriers, acts).prop_map(
        |(
            tiers,
            (fall, rise, quick_standby, leave_degraded, timeout),
            (stranger, adopted),
            carriers,
            acts,
        )| {
            let mut settings = settings(&tiers);
            settings.probe.timeout = timeout;
            settings.probe.fall = fall;
            settings.probe.rise = rise;
            settings.probe.interval = 500 * MS;
            settings.probe.standby_interval = if quick_standby { 500 * MS } else { 1250 * MS };
            settings.probe.degraded = Degraded {
                window: 6000 * MS,
                loss_percent: 40,
                clear_loss_percent: 30,
                rtt: 120 * MS,
                clear_rtt: 100 * MS,
            };
            settings.failover = Failover {
                stable_window: 1500 * MS,
                max_stable_window: 5000 * MS,
                flap_memory: 4000 * MS,
                boot_deadline: 2000 * MS,
                leave_degraded,
            };
            Case { settings, stranger, adopted, carriers, acts }
        },
    )
}

fn check(case: &Case) -> Outcome {
    let mut world = Lockstep::new(case);
    world.act();
    world.compare()?;
    for (gap, act) in &case.acts {
        world.run(*gap * MS)?;
        world.perform(*act)?;
    }
    world.run(1600 * MS)
}

/// Asks this of so many random cases; a failure that was found once is asked again first (tests/proptest-regressions).
fn agree<S: Strategy>(
    name: &str,
    file: &'static str,
    cases: u32,
    strategy: &S,
    check: impl Fn(S::Value) -> Outcome,
) {
    let config = ProptestConfig { source_file: Some(file), ..ProptestConfig::with_cases(cases) };
    let config = contextualize_config(config);
    let cases = config.cases;
    if let Err(apart) = TestRunner::new(config).run(strategy, check) {
        panic!("{apart}");
    }
    figures::keep(&format!("lockstep {name}"), cases);
}

#[test]
fn the_selection_of_two_uplinks_is_what_the_whole_history_says() {
    let tiers = prop_oneof![3 => Just(vec![1, 2]), 1 => Just(vec![1, 1]), 1 => Just(vec![2, 1]), 1 => Just(vec![2, 3])];
    agree("the selection of two uplinks", file!(), CASES, &case(tiers), |case| check(&case));
}

#[test]
fn the_selection_of_three_uplinks_is_what_the_whole_history_says() {
    let tiers = prop_oneof![3 => Just(vec![1, 2, 3]), 1 => Just(vec![1, 1, 2]), 1 => Just(vec![1, 2, 2])];
    agree("the selection of three uplinks", file!(), CASES, &case(tiers), |case| check(&case));
}
