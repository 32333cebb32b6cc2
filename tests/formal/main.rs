//! The formal harness: claims about every reachable state of the production core, for 1, 2 and 3 uplinks.
//!
//! * `invariants`: what holds always, in order of preference, with equal tiers and with `leave_degraded = false`.
//! * `reach`: nothing is dead or vacuous, and from everywhere there is a way home.
//! * `twins`: for each claim a small deliberate fault that it catches, with the shortest story as a snapshot.
//! * `naive`: the rules of the selection, written a second time from the document, agree on every step.
//! * `tables`: the transition tables and the pinned counts.

mod claims;
mod naive;
mod support;
mod twins;
