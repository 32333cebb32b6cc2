//! What is claimed of every reachable state and of every step, each claim a test and a value.
//!
//! As a test it must hold in every world of `support`; as a value it is asked of the broken twins.

mod conversation;
mod selection;
mod timers;
mod uplinks;

use super::support::{Verdict, World};
use uplinkd::machine::table::proofs::{self, Level};

/// One claim.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    /// The name of its test.
    pub(crate) name: &'static str,
    pub(crate) check: fn(&World) -> Verdict,
}

impl Claim {
    /// Asks it of a world; a violation carries the claim's name.
    pub(crate) fn ask(&self, world: &World) -> Verdict {
        (self.check)(world).map_err(|mut violation| {
            violation.claim = self.name;
            violation
        })
    }

    /// It must hold under all rules.
    #[track_caller]
    pub(crate) fn must_hold(&self) {
        for world in super::support::worlds() {
            if let Err(violation) = self.ask(world) {
                panic!("{}: {violation}", world.name);
            }
        }
    }
}

/// Makes a test and a [`Claim`] of each function.
macro_rules! claims {
    ($($(#[doc = $doc:literal])* fn $name:ident($world:ident) $body:block)*) => {
        pub(crate) const ALL: &[$crate::claims::Claim] =
            &[$($crate::claims::Claim { name: stringify!($name), check: $name }),*];

        $($(#[doc = $doc])* fn $name($world: &$crate::support::World) -> $crate::support::Verdict $body)*

        mod holds {
            $(#[test]
            fn $name() {
                $crate::claims::Claim { name: stringify!($name), check: super::$name }.must_hold();
            })*
        }
    };
}
pub(crate) use claims;

/// All of them, in the order of STATES.md.
pub(crate) fn all() -> impl Iterator<Item = &'static Claim> {
    [uplinks::ALL, selection::ALL, timers::ALL, conversation::ALL, super::naive::ALL].into_iter().flatten()
}

#[test]
fn the_claims_in_states_md_are_the_claims_that_are_tested() {
    let tested: Vec<&str> = all().map(|claim| claim.name).collect();
    let walked = proofs::GROUPS.iter().filter(|group| group.level == Level::Walk);
    let printed: Vec<&str> = walked.flat_map(|group| group.claims).map(|claim| claim.test).collect();
    assert_eq!(printed, tested);
    super::figures::keep("claims", format!("{} {}", tested.len(), super::support::worlds().count()));
}
