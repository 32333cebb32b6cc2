//! Long runs of random operations, and what to say when they go apart.

use super::both::{Both, Disagreement};
use super::domain::{self, Domain};
use super::random::Random;
use super::{linux, shown};
use std::io;
use uplinkd::lab::clock::now;
use uplinkd::sim::kernel::Request;

/// A sequence begins with an empty namespace: short ones shrink well, long ones reach far.
const SEQUENCE: usize = 250;
/// After so many sequences a namespace has served.
const SEQUENCES: usize = 40;

/// So many disagreements are reported at once: they often have one cause, and often not.
const REPORTS: usize = 8;

/// Compares so many operations.
pub(super) fn agree(seed: u64, ops: usize) -> Result<(), String> {
    let system = nix::sys::utsname::uname().map_err(|error| error.to_string())?;
    let release = system.release().to_string_lossy().into_owned();
    let begin = now();
    let mut random = Random::new(seed);
    let mut reports = vec![];
    let (mut done, mut refused, mut sequences) = (0, 0, 0);
    let mut both = Both::new().map_err(|error| error.to_string())?;
    while done < ops {
        if sequences % SEQUENCES == SEQUENCES - 1 {
            both = Both::new().map_err(|error| error.to_string())?;
        }
        sequences += 1;
        let outcome = sequence(&mut random, &mut both).map_err(|error| error.to_string())?;
        match outcome {
            Outcome::Agreed { requests, refusals } => {
                done += requests;
                refused += refusals;
            }
            Outcome::Apart(requests, disagreement) => {
                done += requests.len();
                reports.push(report(seed, &release, done, requests, &disagreement));
                if reports.len() == REPORTS {
                    break;
                }
                both = Both::new().map_err(|error| error.to_string())?;
            }
        }
    }
    eprintln!(
        "parity with Linux {release}: seed {seed}, {done} operations ({refused} refused) in {sequences} sequences, \
         {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    if reports.is_empty() { Ok(()) } else { Err(reports.join("\n")) }
}

enum Outcome {
    Agreed { requests: usize, refusals: usize },
    Apart(Vec<Request>, Disagreement),
}

/// One sequence, and back to the beginning.
fn sequence(random: &mut Random, both: &mut Both) -> io::Result<Outcome> {
    let mut requests = domain::beginning();
    let domain = Domain::choose(random);
    let mut refusals = 0;
    let mut place = 0;
    let mut ending = false;
    loop {
        let request = match requests.get(place) {
            Some(request) => request.clone(),
            None if ending => break,
            None if place < SEQUENCE => {
                let missing = missing(both);
                let request = match missing.first() {
                    Some(link) if random.percent(10) => link.clone(),
                    _ => domain::next(random, &domain, &both.model),
                };
                requests.push(request.clone());
                request
            }
            None => {
                ending = true;
                requests.extend(domain::end(&both.model, &missing(both)));
                continue;
            }
        };
        place += 1;
        let outcome = if place == SEQUENCE || (ending && place == requests.len()) {
            both.step_wholly(&request)?
        } else {
            both.step(&request)?
        };
        match outcome {
            Ok(done) => refusals += usize::from(!done),
            Err(disagreement) => {
                requests.truncate(place);
                return Ok(Outcome::Apart(requests, disagreement));
            }
        }
    }
    if !both.begin_anew() {
        *both = Both::new()?;
    }
    Ok(Outcome::Agreed { requests: requests.len(), refusals })
}

/// Links that were deleted, to be added.
fn missing(both: &Both) -> Vec<Request> {
    let gone = |index: u32| both.model.links().all(|link| link.index != index);
    linux::links().into_iter().filter(|link| gone(link.index)).map(Request::AddLink).collect()
}

/// The disagreement that these requests lead to in a fresh namespace, and after how many of them.
fn replay(requests: &[Request]) -> io::Result<Option<(usize, Disagreement)>> {
    let mut both = Both::new()?;
    for (place, request) in requests.iter().enumerate() {
        if let Err(disagreement) = both.step(request)? {
            return Ok(Some((place + 1, disagreement)));
        }
    }
    Ok(None)
}

/// As few of them as lead to any disagreement: big pieces are left out first, then one request at a time.
fn shrink(mut requests: Vec<Request>) -> io::Result<Option<(Vec<Request>, Disagreement)>> {
    let Some((length, mut found)) = replay(&requests)? else { return Ok(None) };
    requests.truncate(length);
    let mut piece = (requests.len() / 2).max(1);
    loop {
        let mut at = 0;
        let before = requests.len();
        while at < requests.len() {
            let mut fewer = requests.clone();
            fewer.drain(at..(at + piece).min(requests.len()));
            match replay(&fewer)? {
                Some((length, disagreement)) => {
                    fewer.truncate(length);
                    requests = fewer;
                    found = disagreement;
                }
                None => at += piece,
            }
        }
        if piece == 1 && requests.len() == before {
            return Ok(Some((requests, found)));
        }
        piece = (piece / 2).max(1);
    }
}

fn report(seed: u64, release: &str, done: usize, requests: Vec<Request>, found: &Disagreement) -> String {
    let names = shown::names();
    let (requests, found, shrunk) = match shrink(requests.clone()) {
        Ok(Some((requests, found))) => (requests, found, "the shortest sequence found"),
        Ok(None) => (requests, found.clone(), "not to be repeated in a fresh namespace; the whole sequence"),
        Err(_) => (requests, found.clone(), "the whole sequence, since repeating it failed"),
    };
    let lines: Vec<String> = requests.iter().map(|request| format!("  {}", request.words(&names))).collect();
    format!(
        "the model and Linux {release} disagree after {done} operations of seed {seed}; {shrunk}:\n{}\n{}",
        lines.join("\n"),
        found.words()
    )
}
