//! Everything the engine can be told.

use super::route::{Prefix, Route, Rule};
use super::settings::Family;
use crate::machine::{Command, Id};
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One piece of news; what is in it is a fact, never a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Nothing but the time: due timers fire, and what has not been answered in time has failed. It comes after all that
    /// has arrived: whoever was kept from running finds answers and their deadlines at once, and the answers come first.
    Tick,
    /// An interface exists, in this state.
    Link(Link),
    /// The interface with this index is gone.
    LinkGone(u32),
    /// An interface has this address.
    Address(Address),
    /// An interface no longer has it.
    AddressGone(Address),
    /// The kernel has this route.
    Route(Route),
    /// The kernel has this route instead of the first one in its place, which it does not name.
    RouteReplaced(Route),
    /// The kernel no longer has it.
    RouteGone(Route),
    /// The kernel has this rule.
    Rule(Rule),
    /// The kernel no longer has it.
    RuleGone(Rule),
    /// The whole state of one family was read.
    Dumped(Dump),
    /// It could not be read.
    DumpFailed(Family),
    /// The operations of a plan were carried out, in order; those in `refused` were not.
    Applied {
        /// Whose plan.
        family: Family,
        /// Which plan.
        generation: u64,
        /// What the kernel refused: index of the operation, errno.
        refused: Vec<(usize, i32)>,
    },
    /// Notifications were lost.
    Overrun,
    /// What a prober says.
    Probe {
        /// Whose prober: uplink.
        uplink: Id,
        /// Whose prober: family.
        family: Family,
        /// What it says.
        news: ProbeNews,
    },
    /// The operator's hand, for both families.
    Operator(Command),
    /// Take an uplink out of use.
    Drain(Id),
    /// Give it back.
    Undrain(Id),
    /// End.
    Stop,
}

/// What a prober says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeNews {
    /// A genuine answer.
    Answer {
        /// Which round.
        round: u64,
        /// Which target.
        target: u16,
        /// How long it took by the kernel's time stamps; none if they made no sense.
        #[serde(with = "super::time::maybe_nanos")]
        rtt: Option<Duration>,
    },
    /// A router on the way says that it cannot go on: an explained failure.
    Unreachable {
        /// Which round.
        round: u64,
        /// Which target.
        target: u16,
        /// Who said it.
        from: IpAddr,
    },
    /// The probe did not leave.
    NotSent {
        /// Which round.
        round: u64,
        /// Which target.
        target: u16,
        /// Why.
        errno: i32,
    },
    /// Our own receive buffer overflowed: the rounds under way say nothing.
    Overflow,
}

impl Dump {
    /// Adds one thing that the kernel has; anything else is no part of a dump.
    pub fn add(&mut self, input: Input) {
        match input {
            Input::Link(link) => self.links.push(link),
            Input::Address(address) => self.addresses.push(address),
            Input::Route(route) => self.routes.push(route),
            Input::Rule(rule) => self.rules.push(rule),
            Input::Tick
            | Input::LinkGone(_)
            | Input::AddressGone(_)
            | Input::RouteReplaced(_)
            | Input::RouteGone(_)
            | Input::RuleGone(_)
            | Input::Dumped(_)
            | Input::DumpFailed(_)
            | Input::Applied { .. }
            | Input::Overrun
            | Input::Probe { .. }
            | Input::Operator(_)
            | Input::Drain(_)
            | Input::Undrain(_)
            | Input::Stop => {}
        }
    }
}

/// The state of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its index, unique while it lives.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Set up by the administrator.
    pub up: bool,
    /// It has carrier.
    pub carrier: bool,
    /// A point-to-point link, which needs no gateway.
    pub point_to_point: bool,
    /// `ignore_routes_with_linkdown`, if the kernel told.
    pub ignore_linkdown: Option<bool>,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The interface's index.
    pub index: u32,
    /// Address and length of its network.
    pub prefix: Prefix,
    /// The far end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// Good for the Internet: global scope, not tentative, not failed.
    pub global: bool,
}

/// What the kernel has, one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// Which family.
    pub family: Family,
    /// All interfaces.
    pub links: Vec<Link>,
    /// The addresses of this family.
    pub addresses: Vec<Address>,
    /// The default routes of the main table, and all routes of our tables.
    pub routes: Vec<Route>,
    /// All rules.
    pub rules: Vec<Rule>,
    /// `ignore_routes_with_linkdown` of IPv6 by interface index, where it can be read and written; links tell that of
    /// IPv4 themselves.
    pub linkdown: BTreeMap<u32, bool>,
}
