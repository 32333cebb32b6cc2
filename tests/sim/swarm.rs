//! Random histories of one virtual hour each, under what must hold at every step and in the end. How soon a line that dies is
//! left, and how often a flapping one is gone back to, is asked where nothing else happens: tests/sim/promises.rs.
//!
//! `UPLINKD_SWARM_HISTORIES` (10 000 unless it says otherwise) and `UPLINKD_SWARM_SEED` change what is run. A history that
//! breaks a claim is cut down to the fewest steps that still break it, and printed as a story that can be kept.

use super::figures;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;
use uplinkd::cli::simulate::load;
use uplinkd::engine::settings::{Settings, Timeout};
use uplinkd::engine::{Action, Engine, Time};
use uplinkd::lab::clock::now;
use uplinkd::machine::Id;
use uplinkd::sim::dice::Dice;
use uplinkd::sim::line::Line;
use uplinkd::sim::scenario::step::Words;
use uplinkd::sim::scenario::{Deed, Part, Scenario, Step, Timed, apply};
use uplinkd::sim::world::{Event, Record, World};

const HISTORIES: u64 = 10_000;
/// Kinds of things that can happen: all, and those that excuse nothing.
const KINDS: u64 = 36;
const WEATHER: u64 = 25;
const HOUR: Duration = Duration::from_secs(3600);
/// After so long a daemon that ended is started again.
const BACK: Duration = ms(3000);
/// One history in so many is replayed from its record.
const REPLAYED: u64 = 40;

/// A history: settings in the words of a story, and what happens.
#[derive(Clone)]
struct History {
    seed: u64,
    settings: Vec<String>,
    uplinks: usize,
    steps: Vec<(Time, Step)>,
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl History {
    fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let uplinks = if dice.percent(70) { 2 } else { 3 };
        let mut settings = vec![];
        // Quiet settings make an hour short; the busy ones are there, too.
        let interval = if dice.percent(3) { Some("1s") } else { None }
            .or(dice.pick(&["10s", "20s", "30s", "60s", "60s", "60s"]))
            .unwrap_or("60s");
        settings.push(format!("probe.interval = \"{interval}\""));
        settings.push(format!("probe.standby_interval = \"{interval}\""));
        for (key, values) in [
            ("probe.fall", ["1", "2", "3", "5"]),
            ("probe.rise", ["1", "2", "3", "5"]),
            ("failover.stable_window", ["\"0s\"", "\"10s\"", "\"60s\"", "\"300s\""]),
            ("failover.boot_deadline", ["\"0s\"", "\"5s\"", "\"10s\"", "\"60s\""]),
            ("routing.on_exit", ["\"keep\"", "\"keep\"", "\"keep\"", "\"remove\""]),
            ("routing.foreign_defaults", ["\"warn\"", "\"warn\"", "\"replace\"", "\"replace\""]),
            ("probe.timeout", ["\"adaptive\"", "\"adaptive\"", "\"500ms\"", "\"1s\""]),
        ] {
            let value = dice.pick(&values).unwrap_or_default();
            settings.push(format!("{key} = {value}"));
        }
        let targets = dice.pick(&[1, 1, 2, 3]).unwrap_or(1);
        let named: Vec<String> = (1..=targets).map(|number| format!("\"203.0.113.{number}\"")).collect();
        settings.push(format!("probe.targets = [{}]", named.join(", ")));
        let count = dice.below(24);
        let mut at: Vec<u64> = (0..count).map(|_| 1000 + dice.below(3_500_000)).collect();
        // Some things happen at once, or nearly.
        for index in 1..at.len() {
            if dice.percent(30) {
                at[index] = at[index - 1] + dice.below(15_000);
            }
        }
        at.sort_unstable();
        // In most histories nobody but the weather has a hand.
        let kinds = if dice.percent(40) { KINDS } else { WEATHER };
        let mut steps = vec![];
        for at in at.into_iter().map(Time::from_millis) {
            let step = step(&mut dice, uplinks, kinds);
            // Somebody starts it again, as systemd would.
            let ends = matches!(step, Step::Kill | Step::Stop);
            steps.push((at, step));
            steps.extend(ends.then_some((at + BACK, Step::Start)));
        }
        steps.sort_by_key(|(at, _)| *at);
        Self { seed, settings, uplinks, steps }
    }

    /// Nobody is left without a daemon.
    fn is_sound(&self) -> bool {
        let mut runs = true;
        for (_, step) in &self.steps {
            runs = matches!(step, Step::Start) || runs && !matches!(step, Step::Kill | Step::Stop);
        }
        runs
    }

    fn names(&self) -> Vec<String> {
        ["fiber", "cable", "lte"].map(str::to_owned)[..self.uplinks].to_vec()
    }

    /// As a story that does the same, and expects what was not so.
    fn story(&self, broken: &Broken) -> String {
        let mut text = format!("# {}\nseed {}\n", broken.what, self.seed);
        for setting in &self.settings {
            _ = writeln!(text, "set {setting}");
        }
        let names = self.names();
        for name in &names {
            _ = writeln!(text, "uplink {name}");
        }
        for (at, step) in &self.steps {
            _ = writeln!(text, "at {:?} {}", at.0, Words(step, &names));
        }
        text + &broken.expected + "end 1h\n"
    }

    fn settings(&self) -> Settings {
        let toml: Vec<String> = self.settings.iter().map(|setting| format!("set {setting}")).collect();
        let uplinks: Vec<String> = self.names().iter().map(|name| format!("uplink {name}")).collect();
        let text = [toml, uplinks].concat().join("\n");
        load("swarm", &text, None).unwrap_or_else(|wrong| panic!("{wrong}\n{text}")).1
    }

    /// What it breaks, if anything.
    fn broken(&self) -> Option<Broken> {
        let settings = self.settings();
        let bound = bound(&settings);
        let mut world = World::new(settings, self.seed);
        world.strict = true;
        let mut first = None;
        if self.seed.is_multiple_of(REPLAYED) {
            first = Some(Engine::new(world.settings().clone(), Time::ZERO));
            world.record = Some(Record::default());
        }
        world.start();
        let mut steps = self.steps.iter().peekable();
        let (mut excuses, mut daemons) = (Excuses::default(), 1_u32);
        let mut next = Time::ZERO;
        while next < Time::ZERO + HOUR {
            next = steps.peek().map_or(Time::ZERO + HOUR, |(at, _)| *at);
            // Until the bound after the last change there may be an outage, behind it none.
            let settled = world.now().max(world.unchanged_since() + bound);
            if settled < next {
                world.run_until(settled);
                let before = world.totals.avoidable;
                if let Some(wrong) = world.unrouted() {
                    return Some(Broken::unexpected(format!("at rest at {:?}: {wrong}", settled.0)));
                }
                world.run_until(next);
                let outage = world.totals.avoidable.saturating_sub(before);
                if !outage.is_zero() && excuses.is_empty(&world) {
                    let what = format!("{outage:?} of outage more than {bound:?} after the last change");
                    return Some(Broken {
                        what,
                        expected: format!("expect no outage since {:?} until {:?}\n", settled.0, next.0),
                    });
                }
            } else {
                world.run_until(next);
            }
            if let Some((_, step)) = steps.next() {
                daemons += u32::from(*step == Step::Start);
                excuses.note(step);
                if matches!(step, Step::Kill | Step::Stop) {
                    // The engine of the record is no more.
                    (world.record, first) = (None, None);
                }
                apply(&mut world, step);
                if *step == Step::Start {
                    world.changed();
                }
            }
        }
        let weather = |step: &Step| matches!(step, Step::Lose(..) | Step::Delay(..) | Step::Limit(..));
        if let Some(moment) = world.timeline.iter().find(|moment| matches!(moment.what, Event::Broken(_))) {
            return Some(Broken::unexpected(format!("at {:?}: {:?}", moment.at.0, moment.what)));
        }
        // There and back for each thing that happens, and for each start of a daemon: nothing moves by itself.
        let most = 2 * (u32::try_from(self.steps.len()).unwrap_or(u32::MAX) + daemons) + 2;
        if !self.steps.iter().any(|(_, step)| weather(step)) && world.totals.switches > most {
            return Some(Broken {
                what: format!("{} switches for {} changes", world.totals.switches, self.steps.len()),
                expected: format!("expect switches {most} since 0s until 1h\n"),
            });
        }
        match (first, world.record.take()) {
            (Some(engine), Some(record)) => replay(engine, record).map(Broken::unexpected),
            _ => None,
        }
    }
}

/// What a history has broken.
#[derive(Debug)]
struct Broken {
    what: String,
    /// The expectation of a story that it does not meet; none for what every story is looked at for.
    expected: String,
}

impl Broken {
    const fn unexpected(what: String) -> Self {
        Self { what, expected: String::new() }
    }
}

/// What may keep traffic where it goes nowhere, as long as it lasts: an order of the operator, a stranger's better route,
/// targets that do not answer or a kernel that refuses; and what is too slow for a fixed timeout is as good as dead.
#[expect(clippy::struct_excessive_bools, reason = "each comes and goes by itself")]
#[derive(Debug, Default)]
struct Excuses {
    ended: bool,
    ordered: bool,
    drained: BTreeSet<Id>,
    unanswered: bool,
    for_good: bool,
}

impl Excuses {
    fn note(&mut self, step: &Step) {
        match step {
            Step::Use(_) | Step::Freeze => self.ordered = true,
            Step::Auto => self.ordered = false,
            // Orders are given to a daemon, and forgotten with it.
            Step::Kill | Step::Stop => {
                (self.ended, self.ordered) = (true, false);
                self.drained.clear();
            }
            Step::Drain(id) => _ = self.drained.insert(*id),
            Step::Undrain(id) => _ = self.drained.remove(id),
            Step::Silence(..) | Step::Limit(..) => self.unanswered = true,
            Step::Stranger(Deed::AddDefault(..) | Deed::Blackhole(_)) | Step::Refuse(_) => {
                self.for_good = true;
            }
            Step::Cut(..)
            | Step::Mend(..)
            | Step::Lose(..)
            | Step::Burst(..)
            | Step::Delay(..)
            | Step::Jitter(..)
            | Step::Answer(..)
            | Step::Stranger(_)
            | Step::Flood(_)
            | Step::Pause(_) => {}
            Step::Start => self.ended = false,
        }
    }

    fn is_empty(&self, world: &World) -> bool {
        let steady = |line: &Line| {
            line.there.loss_percent == 0 && line.delay <= ms(20) && line.jitter.is_zero() && line.burst <= 1
        };
        !self.ended
            && !self.ordered
            && self.drained.is_empty()
            && !self.unanswered
            && !self.for_good
            && world.lines.iter().all(steady)
    }
}

fn step(dice: &mut Dice, uplinks: usize, kinds: u64) -> Step {
    let id = u8::try_from(dice.below(uplinks as u64)).unwrap_or(0);
    let target: IpAddr = IpAddr::from([203, 0, 113, 1 + u8::try_from(dice.below(3)).unwrap_or(0)]);
    let (_, part) = dice.pick(&Part::ALL).unwrap_or(("", Part::Upstream));
    match dice.below(kinds) {
        0..10 => Step::Cut(id, part),
        10..20 => Step::Mend(id, part),
        20 => Step::Stranger(Deed::DeleteDefaults(id)),
        21 => Step::Stranger(dice.pick(&[Deed::DeleteOurs, Deed::DeleteRules]).unwrap_or(Deed::DeleteRules)),
        22 => Step::Flood(u32::try_from(dice.below(4000)).unwrap_or(0)),
        23 => Step::Pause(ms(dice.below(60_000))),
        24 => dice.pick(&[Step::Kill, Step::Stop]).unwrap_or(Step::Kill),
        25 => Step::Lose(id, dice.pick(&[0, 1, 5, 30]).unwrap_or(0)),
        26 => Step::Delay(id, ms(dice.pick(&[5, 20, 200, 700]).unwrap_or(20))),
        27 => Step::Jitter(id, ms(dice.below(100))),
        28 => Step::Silence(target, Some(id)),
        29 => Step::Answer(target, None),
        30 => Step::Limit(target, 1 + u16::try_from(dice.below(5)).unwrap_or(0)),
        31 => Step::Use(id),
        32 => Step::Auto,
        33 => dice.pick(&[Step::Freeze, Step::Drain(id), Step::Undrain(id)]).unwrap_or(Step::Auto),
        34 => Step::Stranger(Deed::AddDefault(id, u32::try_from(dice.below(30)).unwrap_or(0))),
        _ => Step::Refuse(u16::try_from(dice.below(5)).unwrap_or(0)),
    }
}

/// How long after a change of the world traffic may go nowhere although a line would carry it: until the next round of the
/// line that died, until its death is sure, the same again for others that are asked first; then until the line that
/// works has proven itself, for which it may have to be asked `rise` times; and until boot's deadline and refusals are over.
fn bound(settings: &Settings) -> Duration {
    let probe = &settings.probe;
    let (timeout, silence) = match probe.timeout {
        Timeout::Fixed(timeout) => (timeout, Duration::ZERO),
        Timeout::Adaptive { ceiling, silence, .. } => (ceiling, silence),
    };
    let round = probe.interval.max(probe.standby_interval);
    let death = round + timeout + (probe.confirm_interval + timeout) * u32::from(probe.fall) + silence;
    let proof = round + (probe.confirm_interval + timeout) * u32::from(probe.rise);
    death * 2 + proof + settings.failover.boot_deadline + ms(15_000)
}

/// The same inputs, the same actions.
fn replay(mut engine: Engine, record: Record) -> Option<String> {
    let mut actions = vec![];
    let drain = |engine: &mut Engine, actions: &mut Vec<Action>| {
        while let Some(action) = engine.poll_action() {
            actions.push(action);
        }
    };
    drain(&mut engine, &mut actions);
    for (at, input) in record.inputs {
        engine.handle(input, at);
        drain(&mut engine, &mut actions);
    }
    (actions != record.actions).then(|| "a replay does other things".to_owned())
}

/// The fewest steps that break something.
fn shrunk(mut history: History) -> History {
    let mut at = 0;
    while at < history.steps.len() {
        let mut fewer = history.clone();
        fewer.steps.remove(at);
        if fewer.is_sound() && fewer.broken().is_some() {
            history = fewer;
        } else {
            at += 1;
        }
    }
    let mut at = 0;
    while at < history.settings.len() {
        let mut fewer = history.clone();
        fewer.settings.remove(at);
        if fewer.settings.iter().any(|setting| setting.starts_with("probe.targets"))
            && fewer.broken().is_some()
        {
            history = fewer;
        } else {
            at += 1;
        }
    }
    history
}

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_history_breaks_what_must_hold() {
    let (count, seed) = (number("UPLINKD_SWARM_HISTORIES", HISTORIES), number("UPLINKD_SWARM_SEED", 1));
    let begin = now();
    let half = |first: u64| {
        move || (seed + first..seed + count).step_by(2).find(|seed| History::random(*seed).broken().is_some())
    };
    let other = thread::spawn(half(1));
    let failed = half(0)().into_iter().chain(other.join().expect("no panic")).min();
    let took = begin.elapsed();
    let speed = u128::from(count) * 1000 / took.as_millis().max(1);
    println!("{count} histories of one hour from seed {seed} in {took:?}: {speed} hours a second");
    if let Some(seed) = failed {
        let history = shrunk(History::random(seed));
        let Some(broken) = history.broken() else { panic!("seed {seed} breaks something no more") };
        panic!("seed {seed}: {}\n\ntests/sim/scenarios/NAME.txt:\n{}", broken.what, history.story(&broken));
    }
    figures::keep("simulated hours", count);
    figures::keep("simulated hours a second", speed);
}

#[test]
fn a_history_that_is_told_as_a_story_is_the_same() {
    for seed in 1..50 {
        let history = History::random(seed);
        let text = history.story(&Broken::unexpected("why".to_owned()));
        let (scenario, settings) = load("story", &text, None).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(settings, history.settings());
        let told: Vec<(Time, Step)> =
            scenario.steps.iter().map(|Timed { at, what, .. }| (*at, what.clone())).collect();
        assert_eq!(told, history.steps, "seed {seed}");
        assert_eq!(Scenario { seed, ..scenario.clone() }, scenario);
    }
}

/// The engine itself breaks nothing that is known: so one is made to look broken, by a bound of nothing.
#[test]
fn a_history_that_breaks_something_is_told_as_a_story_that_does_not_come_true() {
    let steps = vec![
        (Time::from_millis(600_000), Step::Kill),
        (Time::from_millis(603_000), Step::Start),
        (Time::from_millis(1_200_000), Step::Cut(0, Part::Upstream)),
    ];
    let settings = vec!["probe.interval = \"30s\"".to_owned()];
    let history = History { seed: 7, settings, uplinks: 2, steps };
    assert!(history.is_sound() && history.broken().is_none());
    let unmet = |expected: &str| {
        let broken = Broken { what: String::new(), expected: expected.to_owned() };
        let (scenario, settings) = load("story", &history.story(&broken), None).expect("a story");
        uplinkd::sim::scenario::run(&scenario, settings).unmet
    };
    assert_eq!(unmet("expect no outage since 1000s until 1200s\n"), []);
    assert_eq!(unmet("expect no outage since 1260s until 1h\n"), []);
    assert_eq!(unmet("expect no outage since 1200s until 1h\n").len(), 1);
    assert_eq!(unmet("expect switches 0 since 0s until 1h\n").len(), 1);
    assert_eq!(unmet("expect switches 1 since 0s until 1h\n"), []);
    let mut dead = history.clone();
    dead.steps.remove(1);
    assert!(!dead.is_sound(), "a story without a daemon shows nothing");
}
