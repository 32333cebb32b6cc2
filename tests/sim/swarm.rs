//! Random histories of one virtual hour each, under what must hold at every step and in the end.
//!
//! `UPLINKD_SWARM_HISTORIES` (10 000 unless it says otherwise) and `UPLINKD_SWARM_SEED` change what is run. A history that
//! breaks a claim is cut down to the fewest steps that still break it, and printed as a story that can be kept.

use super::figures;
use std::env;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;
use uplinkd::cli::simulate::load;
use uplinkd::engine::settings::{Settings, Timeout};
use uplinkd::engine::{Action, Engine, Time};
use uplinkd::lab::clock::now;
use uplinkd::sim::dice::Dice;
use uplinkd::sim::scenario::step::Words;
use uplinkd::sim::scenario::{Deed, Part, Scenario, Step, Timed, apply};
use uplinkd::sim::world::{Event, Record, World};

const HISTORIES: u64 = 10_000;
/// Kinds of things that can happen: all, and those that excuse nothing.
const KINDS: u64 = 36;
const WEATHER: u64 = 25;
const HOUR: Duration = Duration::from_secs(3600);
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

fn ms(ms: u64) -> Duration {
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
        let steps = at.into_iter().map(|at| (Time::from_millis(at), step(&mut dice, uplinks, kinds)));
        Self { seed, settings, uplinks, steps: steps.collect() }
    }

    fn names(&self) -> Vec<String> {
        ["fiber", "cable", "lte"].map(str::to_owned)[..self.uplinks].to_vec()
    }

    /// As a story that does the same.
    fn story(&self, broken: &str) -> String {
        let mut text = format!("# {broken}\nseed {}\n", self.seed);
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
        text + "expect no outage until 1h\nend 1h\n"
    }

    fn settings(&self) -> Settings {
        let toml: Vec<String> = self.settings.iter().map(|setting| format!("set {setting}")).collect();
        let uplinks: Vec<String> = self.names().iter().map(|name| format!("uplink {name}")).collect();
        let text = [toml, uplinks].concat().join("\n");
        load("swarm", &text, None).unwrap_or_else(|wrong| panic!("{wrong}\n{text}")).1
    }

    /// What it breaks, if anything.
    fn broken(&self) -> Option<String> {
        let settings = self.settings();
        let bound = bound(&settings);
        let mut world = World::new(settings, self.seed);
        world.strict = true;
        let replayed = self.seed.is_multiple_of(REPLAYED);
        let mut first = None;
        if replayed {
            first = Some(Engine::new(world.settings().clone(), Time::ZERO));
            world.record = Some(Record::default());
        }
        world.start();
        let mut steps = self.steps.iter().peekable();
        let (mut excused, mut changes, mut daemons) = (false, 0_u32, 1_u32);
        let mut next = Time::ZERO;
        while next < Time::ZERO + HOUR {
            next = steps.peek().map_or(Time::ZERO + HOUR, |(at, _)| *at);
            // Until the bound after the last change there may be an outage, behind it none.
            let settled = world.unchanged_since() + bound;
            if settled < next {
                world.run_until(settled);
                let before = world.totals.avoidable;
                world.run_until(next);
                let outage = world.totals.avoidable.saturating_sub(before);
                if !excused
                    && !outage.is_zero()
                    && world.lines.iter().all(|line| line.there.loss_percent == 0)
                {
                    return Some(format!(
                        "{outage:?} of outage more than {bound:?} after the last change, before {:?}",
                        next.0
                    ));
                }
            } else {
                world.run_until(next);
            }
            if let Some((_, step)) = steps.next() {
                changes += 1;
                daemons += u32::from(*step == Step::Kill || *step == Step::Stop);
                excused |= excuses(step);
                apply(&mut world, step);
                // Somebody starts it again, as systemd would.
                if matches!(step, Step::Kill | Step::Stop) {
                    let back = world.now() + ms(3000);
                    world.run_until(back);
                    world.record = None;
                    world.start();
                    world.changed();
                }
            }
        }
        let lossy = self
            .steps
            .iter()
            .any(|(_, step)| matches!(step, Step::Lose(..) | Step::Delay(..) | Step::Limit(..)));
        if let Some(moment) = world.timeline.iter().find(|moment| matches!(moment.what, Event::Broken(_))) {
            return Some(format!("at {:?}: {:?}", moment.at.0, moment.what));
        }
        // There and back for each thing that happens, and for each start of a daemon.
        let most = 2 * (changes + daemons) + 2;
        if !lossy && world.totals.switches > most {
            return Some(format!("{} switches for {changes} changes", world.totals.switches));
        }
        match (first, world.record.take()) {
            (Some(engine), Some(record)) => replay(engine, record),
            _ => None,
        }
    }
}

/// An order of the operator, a stranger's better route, targets that do not answer or a kernel that refuses may keep
/// traffic where it goes nowhere; and what is too slow for a fixed timeout is as good as dead.
const fn excuses(step: &Step) -> bool {
    match step {
        Step::Use(_)
        | Step::Freeze
        | Step::Drain(_)
        | Step::Stranger(Deed::AddDefault(..) | Deed::Blackhole(_))
        | Step::Silence(..)
        | Step::Limit(..)
        | Step::Refuse(_)
        | Step::Delay(..)
        | Step::Jitter(..) => true,
        Step::Cut(..)
        | Step::Mend(..)
        | Step::Lose(..)
        | Step::Burst(..)
        | Step::Answer(..)
        | Step::Auto
        | Step::Undrain(_)
        | Step::Stranger(_)
        | Step::Flood(_)
        | Step::Pause(_)
        | Step::Kill
        | Step::Start
        | Step::Stop => false,
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
        if fewer.broken().is_some() {
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
    figures::keep("simulated hours", count);
    figures::keep("simulated hours a second", speed);
    if let Some(seed) = failed {
        let history = shrunk(History::random(seed));
        let broken = history.broken().unwrap_or_default();
        panic!("seed {seed}: {broken}\n\ntests/sim/scenarios/NAME.txt:\n{}", history.story(&broken));
    }
}

#[test]
fn a_history_that_is_told_as_a_story_is_the_same() {
    for seed in 1..50 {
        let history = History::random(seed);
        let (scenario, settings) =
            load("story", &history.story("why"), None).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(settings, history.settings());
        let told: Vec<(Time, Step)> =
            scenario.steps.iter().map(|Timed { at, what, .. }| (*at, what.clone())).collect();
        assert_eq!(told, history.steps, "seed {seed}");
        assert_eq!(Scenario { seed, ..scenario.clone() }, scenario);
    }
}
