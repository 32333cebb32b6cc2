//! Sets of situations in few words: `0 usable, 1 down or unready`.

use crate::machine::Health;
use std::collections::BTreeSet;

type Set = BTreeSet<Health>;

/// One set of healths for each uplink; means every combination of them.
type Sides = Vec<Set>;

/// Those `healths` (one for each uplink) among `all` that can occur; empty when it is all of them.
pub(super) fn words(healths: &BTreeSet<Vec<Health>>, all: &BTreeSet<Vec<Health>>) -> String {
    let uplinks = all.first().map_or(0, Vec::len);
    let possible: Sides = (0..uplinks).map(|at| all.iter().map(|healths| healths[at]).collect()).collect();
    let others: Vec<&Vec<Health>> = all.difference(healths).collect();
    let mut left: BTreeSet<&Vec<Health>> = healths.iter().collect();
    let mut phrases = vec![];
    while let Some(seed) = left.first() {
        let grown = grow(seed, &possible, all, &others);
        left.retain(|healths| !contains(&grown, healths));
        phrases.push(phrase(&grown, &possible));
    }
    phrases.join("; ")
}

/// The largest box around `seed` that contains none of `others`, widening whole sides first. A side gets no value with
/// which nothing in the box can occur: it would be no lie, but it would puzzle.
fn grow(seed: &[Health], possible: &Sides, all: &BTreeSet<Vec<Health>>, others: &[&Vec<Health>]) -> Sides {
    let mut grown: Sides = seed.iter().map(|health| Set::from([*health])).collect();
    let whole = possible.iter().enumerate().map(|(at, side)| (at, side.clone()));
    let single =
        possible.iter().enumerate().flat_map(|(at, side)| side.iter().map(move |h| (at, Set::from([*h]))));
    for (at, more) in whole.chain(single) {
        let mut wider = grown.clone();
        wider[at].extend(&more);
        let occurs =
            |health: &Health| all.iter().any(|vector| vector[at] == *health && contains(&wider, vector));
        if more.iter().all(occurs) && !others.iter().any(|vector| contains(&wider, vector)) {
            grown = wider;
        }
    }
    grown
}

fn contains(sides: &Sides, healths: &[Health]) -> bool {
    sides.iter().zip(healths).all(|(side, health)| side.contains(health))
}

/// Leaves out the uplinks that may be anything.
fn phrase(sides: &Sides, possible: &Sides) -> String {
    let parts = (0..).zip(sides.iter().zip(possible)).filter(|(_, (side, possible))| side != possible);
    let words = parts.map(|(at, (side, possible)): (usize, _)| format!("{at} {}", set(side, possible)));
    words.collect::<Vec<_>>().join(", ")
}

/// A set of healths, or what it leaves out, whichever is shorter.
fn set(side: &Set, possible: &Set) -> String {
    let usable = |health: &&Health| health.is_usable();
    let can: Set = possible.iter().filter(usable).copied().collect();
    let cannot: Set = possible.difference(&can).copied().collect();
    if can.len() > 1 && *side == can {
        return "usable".to_owned();
    }
    if can.len() > 1 && cannot.len() > 1 && *side == cannot {
        return "not usable".to_owned();
    }
    let left_out: Set = possible.difference(side).copied().collect();
    match left_out.len() {
        1 if side.len() > 1 => format!("not {}", names(&left_out, "")),
        count if count < side.len() => format!("neither {}", names(&left_out, " nor ")),
        _ => names(side, " or "),
    }
}

fn names(set: &Set, between: &str) -> String {
    set.iter().map(|health| health.name()).collect::<Vec<_>>().join(between)
}
