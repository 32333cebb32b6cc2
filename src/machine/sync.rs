//! The conversation with the kernel: when to read it, when to write, and what to do when it refuses.

use super::{Effect, Move};
use serde::{Deserialize, Serialize};
use statig::prelude::*;

/// Where the conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// What the kernel has is not known (any more); a fresh dump is on its way.
    Unsynced {
        /// A plan sent before is still unanswered.
        in_flight: bool,
    },
    /// The kernel has what we want.
    Clean,
    /// A plan is with the kernel.
    Applying {
        /// Something has changed since it was made.
        stale: bool,
    },
    /// The kernel refused, or could not be read; the retry timer runs.
    Backoff,
}

impl Sync {
    /// Its name in the documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsynced { .. } => "Unsynced",
            Self::Clean => "Clean",
            Self::Applying { .. } => "Applying",
            Self::Backoff => "Backoff",
        }
    }

    /// What the name leaves out.
    #[must_use]
    pub const fn detail(self) -> Option<&'static str> {
        match self {
            Self::Unsynced { in_flight: true } => Some("in flight"),
            Self::Applying { stale: true } => Some("stale"),
            Self::Unsynced { in_flight: false }
            | Self::Clean
            | Self::Applying { stale: false }
            | Self::Backoff => None,
        }
    }

    /// Is a plan on its way, waiting for its answer?
    #[must_use]
    pub const fn is_in_flight(self) -> bool {
        match self {
            Self::Unsynced { in_flight } => in_flight,
            Self::Applying { .. } => true,
            Self::Clean | Self::Backoff => false,
        }
    }
}

/// What the conversation is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The dump is complete: what the kernel has is known.
    Synced,
    /// The dump failed.
    Unreadable,
    /// Every operation of the plan was accepted, and the kernel shows the result.
    Acked,
    /// An operation was refused, or did not have its effect.
    Refused,
    /// Notifications were lost, or the kernel is known to change routes without telling.
    Overrun,
    /// What we want has changed.
    Replan,
    /// What the kernel has has changed: a stranger.
    Drift,
    /// The retry timer ran out.
    RetryExpired,
}

impl Event {
    /// Every event that comes from outside, in the order of the tables.
    pub const ALL: [Self; 7] = [
        Self::Synced,
        Self::Unreadable,
        Self::Acked,
        Self::Refused,
        Self::Overrun,
        Self::Replan,
        Self::Drift,
    ];
}

/// The conversation of one family.
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
    pub fn state(&self) -> Sync {
        *self.0.state()
    }

    /// Feeds one event; what it asks for is added to `effects`.
    pub fn handle(&mut self, event: Event, effects: &mut Vec<Effect>) -> Move<Sync> {
        let from = self.state();
        let mut context = Context::default();
        self.0.handle_with_context(&event, &mut context);
        effects.extend(context.effect);
        Move { from, to: self.state(), handler: context.handler }
    }
}

/// One event asks for one thing at most.
#[derive(Debug, Default)]
struct Context {
    effect: Option<Effect>,
    handler: Option<&'static str>,
}

impl Context {
    fn plan(&mut self) -> Outcome<Sync> {
        self.effect = Some(Effect::Plan);
        Transition(Sync::Applying { stale: false })
    }

    fn dump(&mut self, in_flight: bool) -> Outcome<Sync> {
        self.effect = Some(Effect::Dump);
        Transition(Sync::Unsynced { in_flight })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Inner;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "statig's calling convention")]
#[state_machine(
    initial = "Sync::Unsynced { in_flight: false }",
    state(custom, name = "Sync"),
    superstate(derive(Debug)),
    visibility = "pub(self)",
    before_dispatch = "Self::note_handler"
)]
impl Inner {
    #[state(superstate = "any")]
    fn unsynced(in_flight: &mut bool, context: &mut Context, event: &Event) -> Outcome<Sync> {
        match event {
            // Never two plans in flight: the answer comes first.
            Event::Synced if *in_flight => Transition(Sync::Applying { stale: true }),
            Event::Synced => context.plan(),
            Event::Unreadable if !*in_flight => Transition(Sync::Backoff),
            // The dump failed while a plan is out: ask again, the answer to the plan is still to come.
            Event::Unreadable => context.dump(true),
            Event::Acked | Event::Refused if *in_flight => Transition(Sync::Unsynced { in_flight: false }),
            // The plan that follows the dump covers it.
            Event::Replan | Event::Drift => Handled,
            Event::Acked | Event::Refused | Event::RetryExpired => Super,
            Event::Overrun => context.dump(*in_flight),
        }
    }

    #[state(superstate = "any")]
    fn clean(context: &mut Context, event: &Event) -> Outcome<Sync> {
        match event {
            Event::Replan | Event::Drift => context.plan(),
            Event::Overrun => context.dump(false),
            Event::Synced | Event::Unreadable | Event::Acked | Event::Refused | Event::RetryExpired => Super,
        }
    }

    #[state(superstate = "any")]
    fn applying(stale: &mut bool, context: &mut Context, event: &Event) -> Outcome<Sync> {
        match event {
            Event::Acked if *stale => context.plan(),
            Event::Acked => Transition(Sync::Clean),
            Event::Refused => Transition(Sync::Backoff),
            Event::Replan | Event::Drift if *stale => Handled,
            Event::Replan | Event::Drift => Transition(Sync::Applying { stale: true }),
            Event::Overrun => context.dump(true),
            Event::Synced | Event::Unreadable | Event::RetryExpired => Super,
        }
    }

    #[state(superstate = "any")]
    fn backoff(context: &mut Context, event: &Event) -> Outcome<Sync> {
        match event {
            // What we want now is not what was refused: no reason to wait. What the kernel has may be unknown.
            Event::RetryExpired | Event::Replan | Event::Overrun => context.dump(false),
            // The retry begins with a dump, which sees it.
            Event::Drift => Handled,
            Event::Synced | Event::Unreadable | Event::Acked | Event::Refused => Super,
        }
    }

    /// The root: what arrives here was wanted by nobody.
    #[superstate]
    fn any(context: &mut Context) -> Outcome<Sync> {
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
        at: StateOrSuperstate<'_, Sync, Superstate>,
        _: &Event,
        context: &mut Context,
    ) {
        context.handler = Some(match at {
            StateOrSuperstate::State(state) => match state {
                Sync::Unsynced { .. } => "unsynced",
                Sync::Clean => "clean",
                Sync::Applying { .. } => "applying",
                Sync::Backoff => "backoff",
            },
            StateOrSuperstate::Superstate(Superstate::Any {}) => "any",
        });
    }
}
