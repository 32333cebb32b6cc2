//! A story told to the end.

use super::super::kernel::Request;
use super::super::line::Line;
use super::super::world::{Event, Moment, Totals, World};
use super::step::Words;
use super::{Deed, Expect, Part, Scenario, Step, Timed};
use crate::engine::input::Input;
use crate::engine::route::{How, Kind, MAIN_TABLE, Op, Prefix, Route};
use crate::engine::{Family, Settings, Time, plan};
use crate::machine::{Command, Id};
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

/// EINVAL, as good a reason to refuse as any.
const REFUSAL: i32 = 22;
/// `rtm_protocol` of an administrator.
const STATIC: u8 = 4;
/// RTN_BLACKHOLE.
const BLACKHOLE: Kind = Kind::Other(6);

/// How it went.
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub timeline: Vec<Moment>,
    /// What traffic had of it.
    pub totals: Totals,
    /// Expectations that were not met: line, and what was there instead.
    pub unmet: Vec<(usize, String)>,
    /// The world at the end.
    pub world: World,
}

impl Outcome {
    /// Has something happened that never may, whatever the story expects?
    #[must_use]
    pub fn has_broken(&self) -> bool {
        self.timeline.iter().any(|moment| matches!(moment.what, Event::Broken(_)))
    }
}

/// Runs a story with these settings.
#[must_use]
pub fn run(scenario: &Scenario, settings: Settings) -> Outcome {
    let mut world = World::new(settings, scenario.seed);
    world.strict = true;
    world.start();
    let mut unmet = vec![];
    let mut marks = Marks::of(scenario);
    let mut steps = scenario.steps.iter().peekable();
    let mut expectations = scenario.expectations.iter().peekable();
    loop {
        // Of what is told of the same moment, the order is that in which it is told.
        let step = steps.peek().map(|step| (step.at, step.line));
        let expected = expectations.peek().map(|expected| (expected.at, expected.line));
        let look = match (step, expected) {
            (Some(step), Some(expected)) => expected <= step,
            (None, Some(_)) => true,
            (Some(_) | None, None) => false,
        };
        if look {
            let Some(expectation) = expectations.next() else { break };
            marks.run_until(&mut world, expectation.at);
            if let Some(instead) = check(&world, expectation, &marks) {
                world.note(Event::Broken(format!("line {}: {instead}", expectation.line)));
                unmet.push((expectation.line, instead));
            }
        } else {
            let Some(step) = steps.next() else { break };
            marks.run_until(&mut world, step.at);
            world.note(Event::Step(Words(&step.what, &scenario.uplinks).to_string()));
            apply(&mut world, &step.what);
        }
    }
    world.run_until(scenario.end.max(world.now()));
    let timeline = core::mem::take(&mut world.timeline);
    Outcome { timeline, totals: world.totals, unmet, world }
}

/// What traffic had had of it at the moments that expectations count from.
struct Marks {
    /// Not reached yet, the next one last.
    ahead: Vec<Time>,
    reached: BTreeMap<Time, Totals>,
}

impl Marks {
    fn of(scenario: &Scenario) -> Self {
        let mut ahead: Vec<Time> = scenario.expectations.iter().map(|expected| expected.since).collect();
        ahead.sort_unstable_by(|one, other| other.cmp(one));
        Self { ahead, reached: BTreeMap::new() }
    }

    fn run_until(&mut self, world: &mut World, until: Time) {
        while let Some(at) = self.ahead.pop_if(|at| *at <= until) {
            world.run_until(at);
            self.reached.entry(at).or_insert(world.totals);
        }
        world.run_until(until);
    }
}

/// Lets one thing happen.
pub fn apply(world: &mut World, step: &Step) {
    match step {
        Step::Cut(id, part) => turn(world, *id, *part, false),
        Step::Mend(id, part) => turn(world, *id, *part, true),
        Step::Lose(id, percent) => change(world, *id, |line| {
            (line.there.loss_percent, line.back.loss_percent) = (*percent, *percent);
        }),
        Step::Burst(id, count) => change(world, *id, |line| line.burst = *count),
        Step::Delay(id, delay) => change(world, *id, |line| line.delay = *delay),
        Step::Jitter(id, jitter) => change(world, *id, |line| line.jitter = *jitter),
        Step::Silence(target, None) => _ = world.targets.silent.insert(*target),
        Step::Silence(target, Some(id)) => _ = world.targets.silent_to.insert((*id, *target)),
        Step::Answer(target, None) => {
            world.targets.silent.remove(target);
            world.targets.limits.remove(target);
        }
        Step::Answer(target, Some(id)) => _ = world.targets.silent_to.remove(&(*id, *target)),
        Step::Limit(target, rate) => _ = world.targets.limits.insert(*target, *rate),
        Step::Use(id) => order(world, Input::Operator(Command::Use(*id))),
        Step::Auto => order(world, Input::Operator(Command::Auto)),
        Step::Freeze => order(world, Input::Operator(Command::Freeze)),
        Step::Drain(id) => order(world, Input::Drain(*id)),
        Step::Undrain(id) => order(world, Input::Undrain(*id)),
        Step::Stranger(deed) => stranger(world, *deed),
        Step::Refuse(count) => world.refuse = (*count, REFUSAL),
        Step::Flood(count) => flood(world, *count),
        Step::Pause(span) => world.pause(*span),
        Step::Kill => world.kill(),
        Step::Start => world.start(),
        Step::Stop => order(world, Input::Stop),
    }
}

fn order(world: &mut World, input: Input) {
    world.tell(input);
    world.changed();
}

fn change(world: &mut World, id: Id, change: impl FnOnce(&mut Line)) {
    if let Some(line) = world.lines.get_mut(usize::from(id)) {
        change(line);
    }
    world.changed();
}

fn turn(world: &mut World, id: Id, part: Part, works: bool) {
    let index = world.index(id);
    let Some(line) = world.lines.get_mut(usize::from(id)) else { return };
    match part {
        Part::Carrier => {
            line.carrier = works;
            _ = world.kernel.request(&Request::Carrier(index, works));
        }
        Part::Upstream => (line.there.cut, line.back.cut) = (!works, !works),
        Part::Uploads => line.there.cut = !works,
        Part::Downloads => line.back.cut = !works,
        Part::Gateway => line.gateway = works,
        Part::Portal => line.captive = !works,
        Part::Interface if works && !line.present => {
            (line.present, line.addressed, line.carrier) = (true, true, true);
            world.replug(id);
        }
        Part::Interface if !works && line.present => {
            line.present = false;
            _ = world.kernel.request(&Request::DeleteLink(index));
        }
        Part::Address if works && line.present && !line.addressed => {
            line.addressed = true;
            world.address(id);
        }
        Part::Address if !works && line.addressed => {
            line.addressed = false;
            world.unaddress(id);
        }
        Part::Interface | Part::Address => {}
    }
    world.changed();
}

fn stranger(world: &mut World, deed: Deed) {
    let ours = plan::ours(world.settings());
    let mut requests = vec![];
    for family in Family::ALL {
        let dump = world.kernel.dump(family);
        let routes = dump.routes.iter();
        match deed {
            Deed::AddDefault(id, metric) if family == Family::V4 => {
                requests.push(Op::PutRoute(world.default_by(id, family, metric, 16), How::Add));
            }
            Deed::DeleteDefaults(id) => {
                let his = routes.filter(|route| {
                    route.table == MAIN_TABLE && route.is_default() && route.uses(world.index(id))
                });
                requests.extend(his.cloned().map(Op::DeleteRoute));
            }
            Deed::DeleteOurs => {
                requests.extend(routes.filter(|route| ours.owns_route(route)).cloned().map(Op::DeleteRoute));
                let rules = dump.rules.iter().filter(|rule| ours.owns_rule(rule));
                requests.extend(rules.cloned().map(Op::DeleteRule));
            }
            Deed::DeleteRules => {
                let rules = dump.rules.iter().filter(|rule| ours.owns_rule(rule));
                requests.extend(rules.cloned().map(Op::DeleteRule));
            }
            Deed::Blackhole(metric) if family == Family::V4 => {
                requests.push(Op::PutRoute(nowhere(metric), How::Add));
            }
            Deed::DeleteBlackhole(metric) if family == Family::V4 => {
                requests.push(Op::DeleteRoute(nowhere(metric)));
            }
            Deed::AddDefault(..) | Deed::Blackhole(_) | Deed::DeleteBlackhole(_) => {}
        }
    }
    for op in requests {
        // What is not there any more needs no deleting.
        _ = world.kernel.request(&Request::Op(op));
    }
    world.changed();
}

fn nowhere(metric: u32) -> Route {
    Route {
        table: MAIN_TABLE,
        metric,
        destination: Prefix::default_route(Family::V4),
        kind: BLACKHOLE,
        hops: vec![],
        protocol: STATIC,
        source: None,
        onlink: false,
    }
}

/// Host routes of somebody's routing daemon, which come and go faster than ours can read.
fn flood(world: &mut World, count: u32) {
    for number in 0..count.min(1_000_000) {
        let [_, b, c, d] = number.to_be_bytes();
        let route = Route {
            destination: Prefix::host(IpAddr::V4(Ipv4Addr::new(10, b, c, d))),
            kind: BLACKHOLE,
            ..nowhere(0)
        };
        _ = world.kernel.request(&Request::Op(Op::PutRoute(route.clone(), How::Add)));
        _ = world.kernel.request(&Request::Op(Op::DeleteRoute(route)));
    }
    world.changed();
}

/// Are these words in it, in this order, others between them or not?
fn says(route: &str, words: &str) -> bool {
    let mut has = route.split_whitespace();
    words.split_whitespace().all(|word| has.any(|other| other == word))
}

/// What is there instead of what is expected.
fn check(world: &World, expected: &Timed<Expect>, marks: &Marks) -> Option<String> {
    let settings = world.settings();
    let name = |id: Id| settings.uplinks.get(usize::from(id)).map_or("?", |uplink| uplink.name.as_str());
    let or_nothing = |id: Option<Id>| id.map_or("nothing", name);
    let report = world.report();
    let family = report.as_ref().and_then(|report| report.families.first());
    let since = marks.reached.get(&expected.since).copied().unwrap_or_default();
    let differs = |what: &str, is: String, should: String| {
        (is != should).then(|| format!("{what} is {is}, expected {should}"))
    };
    match &expected.what {
        Expect::Active(id) => {
            let active = family.and_then(|family| family.active);
            differs("active", or_nothing(active).to_owned(), or_nothing(*id).to_owned())
        }
        Expect::State(state) => {
            let is = family.map_or("no daemon".to_owned(), |family| family.selection.name().to_lowercase());
            differs("state", is, state.clone())
        }
        Expect::Health(id, health) => {
            let uplink = report.as_ref().and_then(|report| report.uplinks.get(usize::from(*id)));
            let is = uplink
                .and_then(|uplink| uplink.families.first())
                .map_or("unknown", |(_, path)| path.health.name());
            differs(&format!("health of {}", name(*id)), is.to_owned(), health.clone())
        }
        Expect::Stranded => {
            let is = family.is_some_and(|family| family.stranded);
            differs("stranded", is.to_string(), true.to_string())
        }
        Expect::Leaves(id) => {
            let is = world.leaves_by(world.traffic_family());
            differs("traffic leaves by", or_nothing(is).to_owned(), name(*id).to_owned())
        }
        Expect::Route(words, wanted) => {
            let names = world.names();
            let tables = Family::ALL.into_iter().flat_map(|family| world.kernel.table(family, MAIN_TABLE));
            let shown: Vec<String> =
                tables.filter(Route::is_default).map(|route| route.words(&names)).collect();
            let has = shown.iter().any(|route| says(route, words));
            (has != *wanted).then(|| format!("main has {shown:?}"))
        }
        Expect::Switches(most) => {
            let count = world.totals.switches - since.switches;
            (count > *most).then(|| format!("{count} switches, expected at most {most}"))
        }
        Expect::Avoidable(most) => {
            let span = world.totals.avoidable.saturating_sub(since.avoidable);
            (span > *most).then(|| format!("traffic went nowhere for {span:?}, expected at most {most:?}"))
        }
        Expect::NothingOfOurs => {
            let ours = plan::ours(settings);
            let left = Family::ALL.into_iter().any(|family| {
                let dump = world.kernel.dump(family);
                dump.routes.iter().any(|route| ours.owns_route(route))
                    || dump.rules.iter().any(|rule| ours.owns_rule(rule))
            });
            left.then(|| "something of ours is left".to_owned())
        }
    }
}
