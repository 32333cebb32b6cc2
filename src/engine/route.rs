//! Routes, rules and links as values, and the words that `ip` has for them.

use super::Family;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The main routing table (RT_TABLE_MAIN).
pub const MAIN_TABLE: u32 = 254;

/// Interface names by index, for messages.
pub type Names = BTreeMap<u32, String>;

/// An address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Prefix {
    /// The address; bits beyond `length` are zero in routes, not in interface addresses.
    pub address: IpAddr,
    /// 0 to 32 or 128.
    pub length: u8,
}

impl Prefix {
    /// Everything.
    #[must_use]
    pub const fn default_route(family: Family) -> Self {
        let address = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self { address, length: 0 }
    }

    /// One address alone.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        let length = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        Self { address, length }
    }

    /// Its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Is `address` in it?
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.length);
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                (net.to_bits() ^ address.to_bits()).checked_shr(32 - bits.min(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                (net.to_bits() ^ address.to_bits()).checked_shr(128 - bits.min(128)).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl core::fmt::Display for Prefix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match (self.length, self.address) {
            (0, _) => f.write_str("default"),
            (32, IpAddr::V4(address)) => write!(f, "{address}"),
            (128, IpAddr::V6(address)) => write!(f, "{address}"),
            (length, address) => write!(f, "{address}/{length}"),
        }
    }
}

/// What a route does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sends it on.
    Unicast,
    /// Refuses it: nothing leaks to another table.
    Prohibit,
    /// Lets the next rule decide.
    Throw,
    /// Something that we never write (RTN_* number).
    Other(u8),
}

/// Where a packet goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hop {
    /// The gateway; none on a point-to-point link.
    pub via: Option<IpAddr>,
    /// The interface's index.
    pub index: u32,
}

/// One route, as far as we care. Two that are equal are the same route to us.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Routing table.
    pub table: u32,
    /// Priority; the kernel prefers the lowest.
    pub metric: u32,
    /// Where to.
    pub destination: Prefix,
    /// What happens.
    pub kind: Kind,
    /// Where next: one for most, none for [`Kind::Prohibit`], several for a stranger's multipath route.
    pub hops: Vec<Hop>,
    /// Who made it (`rtm_protocol`).
    pub protocol: u8,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// The gateway counts as on-link, whatever the addresses say.
    pub onlink: bool,
}

impl Route {
    /// Its family.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.destination.family()
    }

    /// Does it stand for everything?
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.destination.length == 0
    }

    /// Does it send packets anywhere?
    #[must_use]
    pub fn is_unicast(&self) -> bool {
        self.kind == Kind::Unicast
    }

    /// Does it use this interface?
    #[must_use]
    pub fn uses(&self, index: u32) -> bool {
        self.hops.iter().any(|hop| hop.index == index)
    }

    /// The place it occupies: of the routes in one place the kernel uses the first.
    #[must_use]
    pub const fn slot(&self) -> (u32, Prefix, u32) {
        (self.table, self.destination, self.metric)
    }

    /// In the words of `ip route`.
    #[must_use]
    pub fn words(&self, names: &Names) -> String {
        let mut words = String::new();
        match self.kind {
            Kind::Unicast => {}
            Kind::Prohibit => words.push_str("prohibit "),
            Kind::Throw => words.push_str("throw "),
            Kind::Other(kind) => _ = write!(words, "type {kind} "),
        }
        _ = write!(words, "{}", self.destination);
        let several = self.hops.len() > 1;
        for hop in &self.hops {
            if several {
                words.push_str(" nexthop");
            }
            if let Some(via) = hop.via {
                _ = write!(words, " via {via}");
            }
            match names.get(&hop.index) {
                Some(name) => _ = write!(words, " dev {name}"),
                None => _ = write!(words, " dev if{}", hop.index),
            }
        }
        if self.table != MAIN_TABLE {
            _ = write!(words, " table {}", self.table);
        }
        _ = write!(words, " proto {}", protocol_name(self.protocol));
        if let Some(source) = self.source {
            _ = write!(words, " src {source}");
        }
        if self.metric != 0 {
            _ = write!(words, " metric {}", self.metric);
        }
        if self.onlink {
            words.push_str(" onlink");
        }
        words
    }
}

/// The names that iproute2 prints for the protocols that one meets on a router.
fn protocol_name(protocol: u8) -> String {
    match protocol {
        2 => "kernel".to_owned(),
        3 => "boot".to_owned(),
        4 => "static".to_owned(),
        9 => "ra".to_owned(),
        16 => "dhcp".to_owned(),
        other => other.to_string(),
    }
}

/// One policy rule, as far as we care.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// Its family.
    pub family: Family,
    /// The kernel asks the lowest first.
    pub priority: u32,
    /// Only packets from here.
    pub from: Option<Prefix>,
    /// Only packets of sockets that are bound to this interface.
    pub oif: Option<String>,
    /// Only packets with this mark: (mark, mask).
    pub mark: Option<(u32, u32)>,
    /// Which table it asks.
    pub table: u32,
    /// Ignore routes of this prefix length or shorter.
    pub suppress_prefixlength: Option<u32>,
    /// Who made it (`FRA_PROTOCOL`).
    pub protocol: u8,
    /// It has a selector or an action that we never write: a stranger's.
    pub strange: bool,
}

impl Rule {
    /// In the words of `ip rule`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = format!("priority {} from ", self.priority);
        match self.from {
            Some(from) => _ = write!(words, "{from}"),
            None => words.push_str("all"),
        }
        if let Some((mark, mask)) = self.mark {
            _ = write!(words, " fwmark {mark:#x}");
            if mask != u32::MAX {
                _ = write!(words, "/{mask:#x}");
            }
        }
        if let Some(oif) = &self.oif {
            _ = write!(words, " oif {oif}");
        }
        match self.table {
            MAIN_TABLE => words.push_str(" lookup main"),
            table => _ = write!(words, " lookup {table}"),
        }
        if let Some(length) = self.suppress_prefixlength {
            _ = write!(words, " suppress_prefixlength {length}");
        }
        _ = write!(words, " proto {}", protocol_name(self.protocol));
        words
    }
}

/// How a route is put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The place is free (NLM_F_CREATE | NLM_F_EXCL).
    Add,
    /// In front of a stranger's route in the same place (NLM_F_CREATE alone, IPv4).
    Prepend,
    /// Instead of what is in the place, which is ours (NLM_F_CREATE | NLM_F_REPLACE).
    Replace,
}

/// One change of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Put a route in place.
    PutRoute(Route, How),
    /// Remove exactly this route.
    DeleteRoute(Route),
    /// Add a rule.
    AddRule(Rule),
    /// Remove exactly this rule.
    DeleteRule(Rule),
    /// Whether the kernel passes over routes of this interface while it has no carrier.
    IgnoreLinkdown {
        /// For this family's routes.
        family: Family,
        /// The interface.
        index: u32,
        /// Pass over them?
        on: bool,
    },
}

impl Op {
    /// In the words of `ip`.
    #[must_use]
    pub fn words(&self, names: &Names) -> String {
        let six = |family| if family == Family::V6 { " -6" } else { "" };
        match self {
            Self::PutRoute(route, how) => {
                let verb = match how {
                    How::Add => "add",
                    How::Prepend => "prepend",
                    How::Replace => "replace",
                };
                format!("ip{} route {verb} {}", six(route.family()), route.words(names))
            }
            Self::DeleteRoute(route) => format!("ip{} route del {}", six(route.family()), route.words(names)),
            Self::AddRule(rule) => format!("ip{} rule add {}", six(rule.family), rule.words()),
            Self::DeleteRule(rule) => format!("ip{} rule del {}", six(rule.family), rule.words()),
            Self::IgnoreLinkdown { family, index, on } => {
                let name = names.get(index).cloned().unwrap_or_else(|| format!("if{index}"));
                format!(
                    "sysctl net.{}.conf.{name}.ignore_routes_with_linkdown={}",
                    family.name(),
                    u8::from(*on)
                )
            }
        }
    }
}
