//! Long runs of random operations.

use super::both::{Both, Disagreement, Glasses, Patience};
use super::domain::{self, Domain};
use super::random::Random;
use super::{linux, shrink};
use std::collections::BTreeMap;
use std::io;
use uplinkd::lab::clock::now;
use uplinkd::sim::kernel::Request;

/// A sequence begins with an empty namespace: short ones shrink well, long ones reach far.
const SEQUENCE: usize = 250;
/// After so many sequences a namespace has served.
const SEQUENCES: usize = 40;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) ops: usize,
    /// What the model is told instead of the truth.
    pub(super) glasses: Glasses,
    pub(super) patience: Patience,
    /// So many disagreements are sought before the run ends: they often have one cause, and often not.
    pub(super) reports: usize,
}

/// How a run went.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: usize,
    sequences: usize,
    /// How often, by errno.
    refused: BTreeMap<i32, usize>,
    /// The shortest sequences that show a disagreement, and a text about each.
    pub(super) apart: Vec<(Vec<Request>, String)>,
}

/// Compares as planned, and says what was compared.
pub(super) fn run(plan: Plan) -> io::Result<Tally> {
    let release = nix::sys::utsname::uname()?.release().to_string_lossy().into_owned();
    let begin = now();
    let mut random = Random::new(plan.seed);
    let mut tally = Tally::default();
    let mut both = Both::new(plan.glasses, plan.patience)?;
    while tally.done < plan.ops && tally.apart.len() < plan.reports {
        if tally.sequences % SEQUENCES == SEQUENCES - 1 {
            both = Both::new(plan.glasses, plan.patience)?;
        }
        tally.sequences += 1;
        let (requests, disagreement) = sequence(&mut random, &mut both, &mut tally.refused)?;
        tally.done += requests.len();
        if let Some(disagreement) = disagreement {
            let (requests, words) = shrink::report(plan.glasses, requests, &disagreement);
            let text = format!(
                "the model and Linux {release} disagree after {} operations of seed {}; {words}",
                tally.done, plan.seed
            );
            tally.apart.push((requests, text));
            both = Both::new(plan.glasses, plan.patience)?;
        } else if !both.is_as_new() {
            both = Both::new(plan.glasses, plan.patience)?;
        }
    }
    let refused: Vec<String> =
        tally.refused.iter().map(|(errno, count)| format!("{count} × {errno}")).collect();
    eprintln!(
        "parity with Linux {release}: seed {}, {} operations in {} sequences, {:.1} s; refused: {}",
        plan.seed,
        tally.done,
        tally.sequences,
        begin.elapsed().as_secs_f64(),
        refused.join(", ")
    );
    Ok(tally)
}

/// One sequence, and back to the beginning. Returns what was done, and why it went no further.
fn sequence(
    random: &mut Random,
    both: &mut Both,
    refused: &mut BTreeMap<i32, usize>,
) -> io::Result<(Vec<Request>, Option<Disagreement>)> {
    let mut requests = domain::beginning();
    let domain = Domain::choose(random);
    let (mut place, mut ending) = (0, false);
    loop {
        if place == requests.len() {
            if ending {
                return Ok((requests, None));
            }
            if place < SEQUENCE {
                requests.push(next(random, &domain, both));
            } else {
                ending = true;
                requests.extend(domain::end(&both.model, &missing(both)));
            }
            continue;
        }
        let request = &requests[place];
        place += 1;
        let wholly = place == SEQUENCE || place == requests.len() && ending;
        match both.step(request, wholly)? {
            Ok(Ok(())) => {}
            Ok(Err(errno)) => *refused.entry(errno).or_default() += 1,
            Err(disagreement) => {
                requests.truncate(place);
                return Ok((requests, Some(disagreement)));
            }
        }
    }
}

fn next(random: &mut Random, domain: &Domain, both: &Both) -> Request {
    match missing(both).first() {
        Some(link) if random.percent(10) => link.clone(),
        _ => domain::next(random, domain, &both.model),
    }
}

/// Links that were deleted, to be added.
fn missing(both: &Both) -> Vec<Request> {
    let gone = |index: u32| both.model.links().all(|link| link.index != index);
    linux::links().into_iter().filter(|link| gone(link.index)).map(Request::AddLink).collect()
}
