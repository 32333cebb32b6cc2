//! One uplink: may it carry traffic, and how well?

use super::Move;
use serde::{Deserialize, Serialize};
use statig::prelude::*;

/// What is known about an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No carrier, address or gateway: nothing could leave by it.
    Unready,
    /// Out of use by the operator's order, but watched while it is ready.
    Drained {
        /// Has it carrier, address and gateway?
        ready: bool,
    },
    /// Ready, and still to prove that it works.
    Probation,
    /// Proven.
    Healthy,
    /// It answers, but with more loss or delay than it should.
    Degraded,
    /// Proven dead.
    Down,
}

impl Health {
    /// Every state, in the order of the tables.
    pub const ALL: [Self; 7] = [
        Self::Unready,
        Self::Drained { ready: false },
        Self::Drained { ready: true },
        Self::Probation,
        Self::Healthy,
        Self::Degraded,
        Self::Down,
    ];

    /// May it carry traffic?
    #[must_use]
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Healthy | Self::Degraded => true,
            Self::Unready | Self::Drained { .. } | Self::Probation | Self::Down => false,
        }
    }

    /// Is it probed?
    #[must_use]
    pub const fn is_watched(self) -> bool {
        match self {
            Self::Drained { ready } => ready,
            Self::Probation | Self::Healthy | Self::Degraded | Self::Down => true,
            Self::Unready => false,
        }
    }

    /// Has the operator taken it out of use?
    #[must_use]
    pub const fn is_drained(self) -> bool {
        match self {
            Self::Drained { .. } => true,
            Self::Unready | Self::Probation | Self::Healthy | Self::Degraded | Self::Down => false,
        }
    }

    /// Its name in status and journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unready => "unready",
            Self::Drained { .. } => "drained",
            Self::Probation => "probation",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// What an uplink's machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Carrier, address and gateway are all there.
    Ready,
    /// One of them went away.
    Unready,
    /// Verdict: `rise` good rounds in a row, or loss and delay are back within bounds.
    Good,
    /// Verdict: it answers, but loss or delay is beyond bounds.
    Lossy,
    /// Verdict: `fall` failed rounds in a row.
    Dead,
    /// One round failed; no verdict yet.
    Missed,
    /// The operator takes it out of use.
    Drain,
    /// The operator gives it back.
    Undrain,
}

impl Event {
    /// Every event, in the order of the tables.
    pub const ALL: [Self; 8] = [
        Self::Ready,
        Self::Unready,
        Self::Good,
        Self::Lossy,
        Self::Dead,
        Self::Missed,
        Self::Drain,
        Self::Undrain,
    ];
}

/// The health machine of one uplink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Asleep")]
pub struct Machine(statig::blocking::InitializedStateMachine<Inner>);

/// As it comes out of a journal: statig's own type of a machine that is still to be started.
type Asleep = statig::blocking::UninitializedStateMachine<Inner>;

impl From<Asleep> for Machine {
    fn from(asleep: Asleep) -> Self {
        let mut context = Context::default();
        Self(asleep.init_with_context(&mut context))
    }
}

impl Default for Machine {
    fn default() -> Self {
        Inner.uninitialized_state_machine().into()
    }
}

impl Machine {
    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> Health {
        *self.0.state()
    }

    /// Feeds one event.
    pub fn handle(&mut self, event: Event) -> Move<Health> {
        let from = self.state();
        let mut context = Context::default();
        self.0.handle_with_context(&event, &mut context);
        Move { from, to: self.state(), handler: context.handler }
    }
}

/// Carries out which (super)state took the event.
#[derive(Debug, Default)]
struct Context {
    handler: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Inner;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "statig's calling convention")]
#[state_machine(
    initial = "Health::Unready",
    state(custom, name = "Health"),
    superstate(derive(Debug)),
    visibility = "pub(self)",
    before_dispatch = "Self::note_handler"
)]
impl Inner {
    #[state(superstate = "any")]
    fn unready(event: &Event) -> Outcome<Health> {
        match event {
            Event::Ready => Transition(Health::Probation),
            Event::Drain => Transition(Health::Drained { ready: false }),
            Event::Unready | Event::Good | Event::Lossy | Event::Dead | Event::Missed | Event::Undrain => {
                Super
            }
        }
    }

    /// What the probes say while drained does not matter: it has to prove itself anew when it is given back.
    #[state(superstate = "any")]
    fn drained(ready: &mut bool, event: &Event) -> Outcome<Health> {
        match event {
            Event::Ready if !*ready => Transition(Health::Drained { ready: true }),
            Event::Unready if *ready => Transition(Health::Drained { ready: false }),
            Event::Undrain if *ready => Transition(Health::Probation),
            Event::Undrain => Transition(Health::Unready),
            Event::Ready
            | Event::Unready
            | Event::Good
            | Event::Lossy
            | Event::Dead
            | Event::Missed
            | Event::Drain => Super,
        }
    }

    #[state(superstate = "probed")]
    fn probation(event: &Event) -> Outcome<Health> {
        match event {
            Event::Good => Transition(Health::Healthy),
            Event::Dead => Transition(Health::Down),
            Event::Ready | Event::Unready | Event::Lossy | Event::Missed | Event::Drain | Event::Undrain => {
                Super
            }
        }
    }

    #[state(superstate = "usable")]
    fn healthy(event: &Event) -> Outcome<Health> {
        match event {
            Event::Lossy => Transition(Health::Degraded),
            Event::Ready
            | Event::Unready
            | Event::Good
            | Event::Dead
            | Event::Missed
            | Event::Drain
            | Event::Undrain => Super,
        }
    }

    #[state(superstate = "usable")]
    fn degraded(event: &Event) -> Outcome<Health> {
        match event {
            Event::Good => Transition(Health::Healthy),
            Event::Ready
            | Event::Unready
            | Event::Lossy
            | Event::Dead
            | Event::Missed
            | Event::Drain
            | Event::Undrain => Super,
        }
    }

    #[state(superstate = "probed")]
    fn down(event: &Event) -> Outcome<Health> {
        match event {
            Event::Good => Transition(Health::Healthy),
            Event::Ready
            | Event::Unready
            | Event::Lossy
            | Event::Dead
            | Event::Missed
            | Event::Drain
            | Event::Undrain => Super,
        }
    }

    /// It may carry traffic; a missed round is news for whoever counts on uninterrupted health.
    #[superstate(superstate = "probed")]
    fn usable(event: &Event) -> Outcome<Health> {
        match event {
            Event::Missed => Handled,
            Event::Dead => Transition(Health::Down),
            Event::Ready | Event::Unready | Event::Good | Event::Lossy | Event::Drain | Event::Undrain => {
                Super
            }
        }
    }

    #[superstate(superstate = "any")]
    fn probed(event: &Event) -> Outcome<Health> {
        match event {
            Event::Unready => Transition(Health::Unready),
            Event::Drain => Transition(Health::Drained { ready: true }),
            Event::Ready | Event::Good | Event::Lossy | Event::Dead | Event::Missed | Event::Undrain => Super,
        }
    }

    /// The root: what arrives here was wanted by nobody.
    #[superstate]
    fn any(context: &mut Context) -> Outcome<Health> {
        context.handler = None;
        Handled
    }
}

impl Inner {
    #[expect(
        clippy::unused_self,
        clippy::needless_pass_by_value,
        clippy::trivially_copy_pass_by_ref,
        reason = "statig's calling convention"
    )]
    fn note_handler(
        &mut self,
        at: StateOrSuperstate<'_, Health, Superstate>,
        _: &Event,
        context: &mut Context,
    ) {
        context.handler = Some(match at {
            StateOrSuperstate::State(state) => state.name(),
            StateOrSuperstate::Superstate(Superstate::Usable {}) => "usable",
            StateOrSuperstate::Superstate(Superstate::Probed {}) => "probed",
            StateOrSuperstate::Superstate(Superstate::Any {}) => "any",
        });
    }
}
