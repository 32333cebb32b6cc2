//! The formal harness: claims about every reachable state of the production core, for 1, 2 and 3 uplinks.
//!
//! * `claims`: what holds always, in order of preference, with equal tiers and with `leave_degraded` off.
//! * `naive`: the rules of health and selection, written a second time from the document, agree on every step.
//! * `lockstep`: the engine in random worlds against `spec`, which works everything out from the whole history.
//! * `twins`: for each claim a small deliberate fault that it catches, with the shortest story as a snapshot.
//! * `questions`: what is asked of a graph can be answered with no.
//! * `reach`: nothing is dead or vacuous.
//! * `tables`: the transition tables and the sizes of the walks.

mod claims;
#[path = "../figures/mod.rs"]
mod figures;
mod history;
mod lockstep;
mod naive;
mod questions;
mod reach;
mod spec;
mod support;
mod tables;
mod twins;
