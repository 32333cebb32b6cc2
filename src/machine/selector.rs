//! Which uplink carries traffic.

use super::{Command, Health, Id, Move, Rules};
use ::core::cmp::Reverse;
use serde::{Deserialize, Serialize};
use statig::prelude::*;

/// Where the selection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// No uplink has been chosen: at the start, and after the operator has drained the last one.
    Boot {
        /// The uplink that an earlier run had promoted; it carries traffic until there is evidence.
        adopted: Option<Id>,
        /// The boot deadline is over: the first to prove itself carries traffic at once.
        overdue: bool,
    },
    /// An uplink of the best tier carries traffic.
    Primary {
        /// That one.
        active: Id,
    },
    /// Fallback; no better uplink is healthy.
    Waiting {
        /// The uplink that carries traffic.
        active: Id,
    },
    /// Fallback; the stable window of at least one better uplink runs.
    Proving {
        /// The uplink that carries traffic.
        active: Id,
    },
    /// The operator chose; healthy or not.
    Pinned {
        /// What he chose.
        uplink: Id,
    },
    /// No automatic switching.
    Frozen {
        /// The uplink that carried traffic, or was chosen when that one was drained.
        active: Option<Id>,
    },
}

impl Selection {
    /// The uplink that carries traffic, as far as we decided.
    #[must_use]
    pub const fn active(self) -> Option<Id> {
        match self {
            Self::Boot { adopted, .. } => adopted,
            Self::Primary { active } | Self::Waiting { active } | Self::Proving { active } => Some(active),
            Self::Pinned { uplink } => Some(uplink),
            Self::Frozen { active } => active,
        }
    }

    /// Do we switch by ourselves?
    #[must_use]
    pub const fn is_automatic(self) -> bool {
        match self {
            Self::Boot { .. } | Self::Primary { .. } | Self::Waiting { .. } | Self::Proving { .. } => true,
            Self::Pinned { .. } | Self::Frozen { .. } => false,
        }
    }

    /// The state's name in the documents: Waiting and Proving are the two sides of Fallback.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boot { .. } => "Boot",
            Self::Primary { .. } => "Primary",
            Self::Waiting { .. } | Self::Proving { .. } => "Fallback",
            Self::Pinned { .. } => "Pinned",
            Self::Frozen { .. } => "Frozen",
        }
    }

    /// What the name leaves out.
    #[must_use]
    pub const fn detail(self) -> Option<&'static str> {
        match self {
            Self::Boot { adopted: Some(_), overdue: false } => Some("adopted"),
            Self::Boot { adopted: Some(_), overdue: true } => Some("adopted, overdue"),
            Self::Boot { adopted: None, overdue: true } => Some("overdue"),
            Self::Waiting { .. } => Some("waiting"),
            Self::Proving { .. } => Some("proving"),
            Self::Boot { adopted: None, overdue: false }
            | Self::Primary { .. }
            | Self::Pinned { .. }
            | Self::Frozen { .. } => None,
        }
    }
}

/// What the selector is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// The health of some uplink has changed.
    Assess,
    /// The boot deadline is over.
    BootExpired,
    /// The stable window of this uplink has passed without a failed round.
    StableExpired(Id),
    /// The kernel has a promoted route of this uplink from an earlier run.
    Adopt(Id),
    /// The operator.
    Operator(Command),
}

/// The selector of one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Asleep")]
pub struct Machine(statig::blocking::InitializedStateMachine<Inner>);

/// As it comes out of a journal: statig's own type of a machine that is still to be started.
type Asleep = statig::blocking::UninitializedStateMachine<Inner>;

impl From<Asleep> for Machine {
    fn from(asleep: Asleep) -> Self {
        let mut context = Context { rules: &Rules::default(), health: &[], handler: None };
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
    pub fn state(&self) -> Selection {
        *self.0.state()
    }

    /// Feeds one event; `health` is that of every uplink, by id.
    pub fn handle(&mut self, event: Event, rules: &Rules, health: &[Health]) -> Move<Selection> {
        let from = self.state();
        let mut context = Context { rules, health, handler: None };
        self.0.handle_with_context(&event, &mut context);
        Move { from, to: self.state(), handler: context.handler }
    }
}

/// Is `id` healthy and of a better tier than the active uplink, so that its stable window runs in Fallback?
#[must_use]
pub fn is_proving(id: Id, active: Id, rules: &Rules, health: &[Health]) -> bool {
    health[usize::from(id)] == Health::Healthy && rules.tier(id) < rules.tier(active)
}

/// What the handlers see: the rules and every uplink's health.
#[derive(Debug)]
struct Context<'a> {
    rules: &'a Rules,
    health: &'a [Health],
    handler: Option<&'static str>,
}

impl Context<'_> {
    fn health(&self, id: Id) -> Health {
        self.health[usize::from(id)]
    }

    fn ids(&self) -> impl Iterator<Item = Id> {
        (0..).take(self.health.len())
    }

    /// The best usable uplink: healthy before degraded, then by tier, then by position.
    fn best(&self) -> Option<Id> {
        self.ids().filter(|id| self.health(*id).is_usable()).max_by_key(|id| {
            (self.health(*id) == Health::Healthy, Reverse(self.rules.tier(*id)), Reverse(*id))
        })
    }

    /// Where traffic must go at once from `active`; `active` itself when it may stay.
    fn settle(&self, active: Id) -> Selection {
        let stay = match self.health(active) {
            Health::Healthy => true,
            Health::Degraded => !self.rules.leave_degraded,
            Health::Unready | Health::Drained { .. } | Health::Probation | Health::Down => false,
        };
        match self.best() {
            _ if stay => self.home(active),
            // A degraded uplink is not left for a degraded one.
            Some(best) if self.health(active).is_usable() && self.health(best) != Health::Healthy => {
                self.home(active)
            }
            Some(best) => self.home(best),
            // Nothing is usable: no switching; only a drained uplink must not carry traffic.
            None if self.health(active).is_drained() => Selection::Boot { adopted: None, overdue: true },
            None => self.home(active),
        }
    }

    /// The state in which `active` carries traffic.
    fn home(&self, active: Id) -> Selection {
        if self.rules.tier(active) == self.rules.best_tier() {
            Selection::Primary { active }
        } else if self.ids().any(|id| is_proving(id, active, self.rules, self.health)) {
            Selection::Proving { active }
        } else {
            Selection::Waiting { active }
        }
    }

    /// Boot's choice: the best usable uplink, once those that would be better are known not to be, or time is up.
    fn first_choice(&self, adopted: Option<Id>, overdue: bool) -> Option<Selection> {
        if let Some(adopted) = adopted {
            match self.health(adopted) {
                Health::Healthy | Health::Degraded => return Some(self.settle(adopted)),
                // An earlier run had its reasons: give it the time to prove them.
                Health::Probation if !overdue => return None,
                Health::Probation | Health::Unready | Health::Drained { .. } | Health::Down => {}
            }
        }
        let best = self.best()?;
        let undecided = |id: Id| match self.health(id) {
            Health::Unready | Health::Probation => self.rules.tier(id) < self.rules.tier(best),
            Health::Drained { .. } | Health::Healthy | Health::Degraded | Health::Down => false,
        };
        (overdue || !self.ids().any(undecided)).then(|| self.home(best))
    }

    /// Automatic again: the operator asked for the best there is, now.
    fn release(&self, active: Option<Id>) -> Selection {
        match (self.best(), active) {
            (Some(best), _) => self.home(best),
            (None, Some(active)) if !self.health(active).is_drained() => self.home(active),
            (None, _) => Selection::Boot { adopted: None, overdue: true },
        }
    }
}

/// A transition, unless there is nowhere to go.
fn go(from: Selection, to: Selection) -> Outcome<Selection> {
    if from == to { Handled } else { Transition(to) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Inner;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "statig's calling convention")]
#[state_machine(
    initial = "Selection::Boot { adopted: None, overdue: false }",
    state(custom, name = "Selection"),
    superstate(derive(Debug)),
    visibility = "pub(self)",
    before_dispatch = "Self::note_handler"
)]
impl Inner {
    #[state(superstate = "automatic")]
    fn boot(
        adopted: &mut Option<Id>,
        overdue: &mut bool,
        context: &mut Context<'_>,
        event: &Event,
    ) -> Outcome<Selection> {
        // What the operator has drained carries nothing, whatever an earlier run thought of it.
        let kept = adopted.filter(|id| !context.health(*id).is_drained());
        let here = Selection::Boot { adopted: *adopted, overdue: *overdue };
        match event {
            Event::Assess => {
                let unproven = Selection::Boot { adopted: kept, overdue: *overdue };
                go(here, context.first_choice(kept, *overdue).unwrap_or(unproven))
            }
            Event::BootExpired => {
                let late = Selection::Boot { adopted: kept, overdue: true };
                go(here, context.first_choice(kept, true).unwrap_or(late))
            }
            Event::Adopt(id) if adopted.is_none() && !*overdue && !context.health(*id).is_drained() => {
                let here = Selection::Boot { adopted: Some(*id), overdue: false };
                Transition(context.first_choice(Some(*id), false).unwrap_or(here))
            }
            Event::Operator(Command::Freeze) => Transition(Selection::Frozen { active: *adopted }),
            Event::Adopt(_) | Event::StableExpired(_) | Event::Operator(Command::Use(_) | Command::Auto) => {
                Super
            }
        }
    }

    #[state(superstate = "settled")]
    fn primary(active: &mut Id) -> Outcome<Selection> {
        let _ = active;
        Super
    }

    #[state(superstate = "fallback")]
    fn waiting(active: &mut Id) -> Outcome<Selection> {
        let _ = active;
        Super
    }

    #[state(superstate = "fallback")]
    fn proving(active: &mut Id, context: &mut Context<'_>, event: &Event) -> Outcome<Selection> {
        match event {
            Event::StableExpired(better) if is_proving(*better, *active, context.rules, context.health) => {
                Transition(context.home(*better))
            }
            Event::StableExpired(_)
            | Event::Assess
            | Event::BootExpired
            | Event::Adopt(_)
            | Event::Operator(_) => Super,
        }
    }

    /// A worse uplink carries traffic.
    #[superstate(superstate = "settled")]
    fn fallback(active: &mut Id) -> Outcome<Selection> {
        let _ = active;
        Super
    }

    /// An uplink has been chosen.
    #[superstate(superstate = "automatic")]
    fn settled(active: &mut Id, context: &mut Context<'_>, event: &Event) -> Outcome<Selection> {
        match event {
            Event::Assess => Transition(context.settle(*active)),
            Event::Operator(Command::Freeze) => Transition(Selection::Frozen { active: Some(*active) }),
            Event::BootExpired
            | Event::StableExpired(_)
            | Event::Adopt(_)
            | Event::Operator(Command::Use(_) | Command::Auto) => Super,
        }
    }

    /// We switch by ourselves.
    #[superstate(superstate = "any")]
    fn automatic() -> Outcome<Selection> {
        Super
    }

    #[state(superstate = "manual")]
    fn pinned(uplink: &mut Id, context: &mut Context<'_>, event: &Event) -> Outcome<Selection> {
        match event {
            // Draining the pinned uplink is the operator's newer word.
            Event::Assess if context.health(*uplink).is_drained() => Transition(context.release(None)),
            Event::Operator(Command::Auto) => Transition(context.release(Some(*uplink))),
            Event::Operator(Command::Use(id)) if id == uplink => Handled,
            Event::Operator(Command::Freeze) => Transition(Selection::Frozen { active: Some(*uplink) }),
            Event::Assess
            | Event::BootExpired
            | Event::StableExpired(_)
            | Event::Adopt(_)
            | Event::Operator(Command::Use(_)) => Super,
        }
    }

    #[state(superstate = "manual")]
    fn frozen(active: &mut Option<Id>, context: &mut Context<'_>, event: &Event) -> Outcome<Selection> {
        match event {
            Event::Assess if active.is_some_and(|active| context.health(active).is_drained()) => {
                Transition(Selection::Frozen { active: context.best() })
            }
            Event::Operator(Command::Auto) => Transition(context.release(*active)),
            Event::Operator(Command::Freeze) => Handled,
            Event::Assess
            | Event::BootExpired
            | Event::StableExpired(_)
            | Event::Adopt(_)
            | Event::Operator(Command::Use(_)) => Super,
        }
    }

    /// The operator holds the wheel: news about uplinks moves nothing.
    #[superstate(superstate = "any")]
    fn manual(event: &Event) -> Outcome<Selection> {
        match event {
            Event::Assess => Handled,
            Event::BootExpired | Event::StableExpired(_) | Event::Adopt(_) | Event::Operator(_) => Super,
        }
    }

    /// The root. The operator is heard in every state; the rest was wanted by nobody.
    #[superstate]
    fn any(context: &mut Context<'_>, event: &Event) -> Outcome<Selection> {
        match event {
            Event::Operator(Command::Use(id)) if !context.health(*id).is_drained() => {
                Transition(Selection::Pinned { uplink: *id })
            }
            Event::Operator(_)
            | Event::Assess
            | Event::BootExpired
            | Event::StableExpired(_)
            | Event::Adopt(_) => {
                context.handler = None;
                Handled
            }
        }
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
        at: StateOrSuperstate<'_, Selection, Superstate<'_>>,
        _: &Event,
        context: &mut Context<'_>,
    ) {
        context.handler = Some(match at {
            StateOrSuperstate::State(state) => match state {
                Selection::Boot { .. } => "boot",
                Selection::Primary { .. } => "primary",
                Selection::Waiting { .. } => "waiting",
                Selection::Proving { .. } => "proving",
                Selection::Pinned { .. } => "pinned",
                Selection::Frozen { .. } => "frozen",
            },
            StateOrSuperstate::Superstate(superstate) => match superstate {
                Superstate::Fallback { .. } => "fallback",
                Superstate::Settled { .. } => "settled",
                Superstate::Automatic { .. } => "automatic",
                Superstate::Manual { .. } => "manual",
                Superstate::Any { .. } => "any",
            },
        });
    }
}
