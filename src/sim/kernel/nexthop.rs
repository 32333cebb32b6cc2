//! Nexthop objects as values: `ip nexthop`. Routes may name one instead of hops of their own.

use crate::engine::Family;
use crate::engine::route::{Hop, Names};
use core::fmt::Write as _;

/// One nexthop object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nexthop {
    /// Its number, by which routes and groups name it. Linux chooses one for those who ask for 0; here nobody does.
    pub id: u32,
    /// Who made it (`nh_protocol`).
    pub protocol: u8,
    /// What it does with a packet.
    pub kind: NexthopKind,
}

/// What a nexthop object does with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NexthopKind {
    /// Drops it silently. It belongs to a family all the same.
    Blackhole(Family),
    /// Sends it on.
    Single {
        /// That of the gateway, or if there is none, of those who ask.
        family: Family,
        /// Where to.
        hop: Hop,
        /// The gateway counts as on-link, whatever the addresses say.
        onlink: bool,
    },
    /// Leaves it to one of several.
    Group(Vec<Member>),
}

/// A nexthop object in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: u32,
    /// Its share, from 1 on.
    pub weight: u32,
}

/// The flags of `RTM_NEWNEXTHOP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutNexthop {
    /// NLM_F_CREATE | NLM_F_EXCL.
    Exclusive,
    /// NLM_F_CREATE | NLM_F_APPEND, which means nothing more than exclusive.
    Append,
    /// None at all, which means the same too.
    Plain,
    /// NLM_F_CREATE | NLM_F_REPLACE.
    Replace,
    /// NLM_F_REPLACE: it must be there.
    Change,
}

impl PutNexthop {
    /// NLM_F_REPLACE, which the notification repeats.
    #[must_use]
    pub const fn replaces(self) -> bool {
        match self {
            Self::Exclusive | Self::Append | Self::Plain => false,
            Self::Replace | Self::Change => true,
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Exclusive => "add",
            Self::Append => "append",
            Self::Plain => "put",
            Self::Replace => "replace",
            Self::Change => "change",
        }
    }
}

impl Nexthop {
    /// In the words of `ip nexthop`.
    #[must_use]
    pub fn words(&self, names: &Names) -> String {
        let mut words = format!("id {}", self.id);
        match &self.kind {
            NexthopKind::Blackhole(Family::V4) => words.push_str(" blackhole"),
            NexthopKind::Blackhole(Family::V6) => words.push_str(" blackhole family inet6"),
            NexthopKind::Single { family, hop, onlink } => {
                match (hop.via, family) {
                    (Some(via), _) => _ = write!(words, " via {via}"),
                    (None, Family::V4) => {}
                    (None, Family::V6) => words.push_str(" family inet6"),
                }
                match names.get(&hop.index) {
                    Some(name) => _ = write!(words, " dev {name}"),
                    None => _ = write!(words, " dev if{}", hop.index),
                }
                if *onlink {
                    words.push_str(" onlink");
                }
            }
            NexthopKind::Group(members) => {
                let member = |Member { id, weight }: &Member| format!("{id},{weight}");
                let members: Vec<String> = members.iter().map(member).collect();
                _ = write!(words, " group {}", members.join("/"));
            }
        }
        _ = write!(words, " proto {}", self.protocol);
        words
    }

    /// A request to put it in place, in the words of `ip`.
    pub(super) fn request_words(&self, put: PutNexthop, names: &Names) -> String {
        format!("ip nexthop {} {}", put.verb(), self.words(names))
    }
}
