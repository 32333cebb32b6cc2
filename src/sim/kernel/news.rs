//! The queue between the kernel and one listener.

use super::nexthop::Nexthop;
use crate::engine::input::Input;
use crate::engine::route::Route;
use std::collections::VecDeque;

/// One notification, as those hear it who listen to nexthop objects as well, which the daemon does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What the daemon hears too.
    Fact(Input),
    /// The same of a route that names this object.
    RouteBy(Input, u32),
    /// An object is there.
    Nexthop {
        /// What it is now.
        nexthop: Nexthop,
        /// How far its gateway is (`RT_SCOPE_*`).
        scope: u8,
        /// NLM_F_REPLACE, which the notification has of the request, whatever that has done.
        replaces: bool,
    },
    /// An object is there no more.
    NexthopGone {
        /// What it was.
        nexthop: Nexthop,
        /// How far its gateway was.
        scope: u8,
    },
}

/// What has become of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Here,
    /// Of several in one message, the first took somebody's place, the others are beside it.
    Instead,
    Gone,
}

/// Notifications that wait to be read. Linux drops what does not fit, tells once that it did, and drops everything
/// from then on until the listener has read all that was there (`netlink_overrun`, `NETLINK_S_CONGESTED`).
#[derive(Debug, Clone)]
pub(super) struct News {
    waiting: VecDeque<Told>,
    /// Of those, how many the daemon hears.
    facts: usize,
    capacity: usize,
    congested: bool,
}

impl Told {
    /// What the daemon hears of it.
    #[must_use]
    pub fn fact(self) -> Option<Input> {
        match self {
            Self::Fact(input) | Self::RouteBy(input, _) => Some(input),
            Self::Nexthop { .. } | Self::NexthopGone { .. } => None,
        }
    }
}

impl Verb {
    pub(super) fn say(self, route: Route, first: bool) -> Input {
        match self {
            Self::Instead if first => Input::RouteReplaced(route),
            Self::Here | Self::Instead => Input::Route(route),
            Self::Gone => Input::RouteGone(route),
        }
    }
}

impl News {
    pub(super) fn new(capacity: usize) -> Self {
        Self { waiting: VecDeque::new(), facts: 0, capacity, congested: false }
    }

    /// How many may wait from now on; what waits already stays.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.extend(core::iter::once(Told::Fact(input)));
    }

    /// One message with several routes, which is lost as a whole or not at all.
    pub(super) fn extend(&mut self, told: impl Iterator<Item = Told>) {
        self.congested |= self.facts >= self.capacity;
        if !self.congested {
            let before = self.waiting.len();
            self.waiting.extend(told);
            self.facts += self.waiting.len() - before;
        }
    }

    /// What takes no room, since the daemon does not listen to it.
    pub(super) fn tell_object(&mut self, told: Told) {
        self.waiting.push_back(told);
    }

    /// All that waits; that something was lost comes first, as an error of the socket does.
    pub(super) fn take(&mut self) -> Vec<Told> {
        self.facts = 0;
        let lost = core::mem::take(&mut self.congested).then_some(Told::Fact(Input::Overrun));
        lost.into_iter().chain(self.waiting.drain(..)).collect()
    }
}
