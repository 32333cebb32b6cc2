//! The shortest way to a disagreement.

use super::both::{Both, Disagreement, Glasses, Patience};
use super::shown;
use std::io;
use uplinkd::sim::kernel::Request;

/// The disagreement that these requests lead to in a fresh namespace, and after how many of them.
fn replay(glasses: Glasses, requests: &[Request]) -> io::Result<Option<(usize, Disagreement)>> {
    let mut both = Both::new(glasses, Patience::SHORT)?;
    for (place, request) in requests.iter().enumerate() {
        if let Err(disagreement) = both.step(request, false)? {
            return Ok(Some((place + 1, disagreement)));
        }
    }
    Ok(None)
}

/// As few of them as lead to any disagreement: big pieces are left out first, then one request at a time.
fn shrink(glasses: Glasses, mut requests: Vec<Request>) -> io::Result<Option<(Vec<Request>, Disagreement)>> {
    let Some((length, mut found)) = replay(glasses, &requests)? else { return Ok(None) };
    requests.truncate(length);
    let mut piece = (requests.len() / 2).max(1);
    loop {
        let mut at = 0;
        let before = requests.len();
        while at < requests.len() {
            let mut fewer = requests.clone();
            fewer.drain(at..(at + piece).min(requests.len()));
            match replay(glasses, &fewer)? {
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

/// The shortest sequence that was found, in the words of `ip`, and what both make of it.
pub(super) fn report(
    glasses: Glasses,
    requests: Vec<Request>,
    found: &Disagreement,
) -> (Vec<Request>, String) {
    let names = shown::names();
    let (requests, found, what) = match shrink(glasses, requests.clone()) {
        Ok(Some((requests, found))) => (requests, found, "the shortest sequence found"),
        Ok(None) => (requests, found.clone(), "not to be repeated in a fresh namespace; the whole sequence"),
        Err(_) => (requests, found.clone(), "the whole sequence, since repeating it failed"),
    };
    let lines: Vec<String> = requests.iter().map(|request| format!("  {}", request.words(&names))).collect();
    let words = format!("{what}:\n{}\n{}", lines.join("\n"), found.words());
    (requests, words)
}
