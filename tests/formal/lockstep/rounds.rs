//! The monitor against a recount of every round.

use super::{CASES, MS, Outcome, agree};
use crate::spec::rounds::Rounds;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;
use uplinkd::engine::Time;
use uplinkd::engine::monitor::{Complaint, Monitor, News};
use uplinkd::engine::settings::{Degraded, Probe, Profile, Timeout};

#[derive(Debug, Clone, Copy)]
enum Act {
    /// A round leaves.
    Send,
    /// An answer to the round so many before the last, by this target; its time is known or not.
    Answer(u64, u16, bool),
    /// Somebody says that this probe of the round so many before the last cannot arrive.
    Complain(u64, u16),
    /// Our receive buffer has overflowed.
    Overflow,
    Judge {
        hold: bool,
    },
}

const INTERVAL: Duration = Duration::from_secs(1);

fn check(probe: &Probe, acts: &[(u64, Act)]) -> Outcome {
    let targets = [1, 2, 3].map(|host| IpAddr::from([203, 0, 113, host]));
    let mut monitor = Monitor::new(probe, &targets);
    let mut spec = Rounds::new(probe, 3);
    let (mut now, mut sent) = (Time::from_millis(1000), vec![]);
    let mut story = String::new();
    for (number, (wait, act)) in acts.iter().enumerate() {
        now = now + Duration::from_millis(*wait);
        let _ = writeln!(story, "{number:4}  {:8.3} s  {act:?}", now.0.as_secs_f64());
        let mut missed = (false, false);
        match *act {
            Act::Send => {
                sent.push(now);
                let id = sent.len() as u64;
                monitor.send(id, now);
                spec.sent(id, now);
            }
            Act::Answer(back, target, known) => {
                let id = (sent.len() as u64).saturating_sub(back);
                let at = sent.get(usize::try_from(id).unwrap_or(0).wrapping_sub(1));
                let rtt = at.filter(|_| known).map(|at| now.since(*at));
                monitor.answer(id, target, rtt, now);
                spec.answer(id, target, rtt, now);
            }
            Act::Complain(back, target) => {
                let id = (sent.len() as u64).saturating_sub(back);
                monitor.complain(id, target, Complaint::NotSent(101), now);
                spec.complain(id, target, now);
            }
            Act::Overflow => {
                monitor.void();
                spec.overflow();
            }
            Act::Judge { hold } => {
                let news = monitor.judge(probe.quorum, hold, now);
                missed.0 = news.contains(&News::Missed);
                missed.1 = spec.judge(now);
                spec.conclude(hold, now);
            }
        }
        let odd = monitor.oddities();
        let (loss, rtt, _) = spec.quality(now);
        let due = spec.next_verdict_at();
        let engine = (
            (missed.0, monitor.verdict(), monitor.fails() as usize),
            (monitor.failing_since(), monitor.stable_since(), monitor.deadline()),
            (monitor.timeout(), monitor.next_round(INTERVAL).max(now), odd.duplicates + odd.late),
        );
        let naive = (
            (missed.1, spec.verdict, spec.fails()),
            (spec.failing_since(), spec.stable_since(), due),
            (spec.timeout(), spec.next_round(INTERVAL).max(now), spec.odd),
        );
        let weighed = matches!(act, Act::Judge { .. }).then(|| {
            let of = (monitor.loss_percent(probe.quorum), monitor.rtt(probe.quorum).unwrap_or_default());
            (of.0 - loss).abs() < 1e-6 && of.1.abs_diff(rtt) < MS
        });
        if engine != naive || weighed == Some(false) {
            let message = format!(
                "{story}the recount says\n  {naive:?} {loss} {rtt:?}\nthe monitor does\n  {engine:?} {} {:?}",
                monitor.loss_percent(probe.quorum),
                monitor.rtt(probe.quorum)
            );
            return Err(TestCaseError::fail(message));
        }
    }
    Ok(())
}

/// Many whole rounds, so that verdicts are reached, and among them whatever comes.
fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let wait = prop_oneof![1 => Just(0_u64), 2 => 1_u64..60, 2 => 60_u64..300];
    let answer = (0_u64..3, 0_u16..4, any::<bool>());
    let act = prop_oneof![
        3 => Just(Act::Send),
        4 => answer.prop_map(|(back, target, known)| Act::Answer(back, target, known)),
        4 => proptest::bool::weighted(0.1).prop_map(|hold| Act::Judge { hold }),
        1 => (0_u64..3, 0_u16..4).prop_map(|(back, target)| Act::Complain(back, target)),
        1 => Just(Act::Overflow),
    ];
    let told = prop_oneof![3 => Just(0_u16), 1 => 0_u16..8];
    let whole = (0_u16..8, told, 1_u64..150, 0_u64..600).prop_map(|(answers, told, rtt, rest)| {
        let told = (0..3).filter(|target| told & !answers & (1 << target) != 0);
        let told: Vec<_> = told.map(|target| (0, Act::Complain(0, target))).collect();
        let answers = (0..3).filter(move |target| answers & (1 << target) != 0);
        let waits = [rtt].into_iter().chain([0; 2]);
        let answers = waits.zip(answers.map(|target| Act::Answer(0, target, true)));
        let mut round = vec![(0, Act::Send)];
        round.extend(told);
        round.extend(answers);
        round.push((rest, Act::Judge { hold: false }));
        round
    });
    let some = prop_oneof![1 => (wait, act).prop_map(|one| vec![one]), 1 => whole];
    vec(some, 1..60).prop_map(|some| some.concat())
}

prop_compose! {
    fn probe()(
        (fall, rise, quorum) in (1_u16..4, 1_u16..4, 1_u16..4),
        timeout in prop_oneof![
            1 => Just(Timeout::Fixed(Duration::from_micros(200_500))),
            3 => Just(Timeout::Adaptive { floor: 100 * MS, ceiling: 500 * MS, silence: 450 * MS }),
        ],
    ) -> Probe {
        let degraded = Degraded { window: 6000 * MS, loss_percent: 40, clear_loss_percent: 30, rtt: 120 * MS, clear_rtt: 100 * MS };
        Probe { fall, rise, quorum, timeout, degraded, ..Profile::Steady.probe() }
    }
}

#[test]
fn verdicts_are_what_a_recount_of_every_round_says() {
    agree("the verdicts of a monitor", file!(), 4 * CASES, &(probe(), acts()), |(probe, acts)| {
        check(&probe, &acts)
    });
}
