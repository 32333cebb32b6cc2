//! What is known of the world: interfaces, addresses, gateways. Facts, no opinions.

use super::input::{Address, Link};
use super::route::{Hop, Names, Route};
use super::settings::{Family, Gateway, Uplink};
use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most interfaces, and the most addresses of one, that are remembered; a router with more of them has other
/// problems, and nothing here may grow without end.
const MAX_LINKS: usize = 4096;
const MAX_ADDRESSES: usize = 1024;

/// Interfaces and their addresses, both families.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Inventory {
    /// Names of the uplinks' interfaces: these are remembered however many others there are.
    managed: BTreeSet<String>,
    links: BTreeMap<u32, Link>,
    /// `ignore_routes_with_linkdown` of IPv6, which links do not tell.
    linkdown: BTreeMap<u32, bool>,
    addresses: BTreeMap<u32, BTreeSet<Address>>,
}

/// Why an uplink cannot be used in one family, or that nothing stands in its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Everything is there.
    Ready,
    /// No target of this family: nothing could prove that it works.
    NoTarget,
    /// No interface of that name.
    NoInterface,
    /// The interface is set down.
    LinkDown,
    /// The cable, or what stands for it.
    NoCarrier,
    /// No usable address of this family.
    NoAddress,
    /// No gateway is given or known.
    NoGateway,
    /// The gateway is in none of the interface's networks.
    GatewayOffLink,
    /// The gateway is an address of the interface itself.
    GatewayIsOwn,
}

/// The way out that the routes of an interface have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learnt {
    /// None yet.
    #[default]
    Nothing,
    /// A default route without gateway.
    Direct,
    /// A default route by a gateway.
    Via {
        /// This one.
        gateway: IpAddr,
        /// The route is there now; otherwise it was.
        shown: bool,
    },
}

/// The facts about one uplink in one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The interface's index, if it exists.
    pub index: Option<u32>,
    /// May it be used, or why not.
    pub readiness: Readiness,
    /// Addresses of this family, usable as a source, in order.
    pub addresses: Vec<IpAddr>,
    /// The way out; known even without carrier, because routes are not rewritten for that.
    pub hop: Option<Hop>,
    /// The gateway is in none of the interface's networks, but a route that the kernel has leads there.
    pub onlink: bool,
}

impl Facts {
    /// Nothing known.
    pub const UNKNOWN: Self = Self {
        index: None,
        readiness: Readiness::NoInterface,
        addresses: Vec::new(),
        hop: None,
        onlink: false,
    };
}

impl Readiness {
    /// In words, for status and messages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NoTarget => "no target of this family to probe",
            Self::NoInterface => "no such interface",
            Self::LinkDown => "interface is set down",
            Self::NoCarrier => "no carrier",
            Self::NoAddress => "no usable address",
            Self::NoGateway => "no gateway known",
            Self::GatewayOffLink => "gateway is in none of the interface's networks",
            Self::GatewayIsOwn => "gateway is the interface's own address",
        }
    }
}

impl Inventory {
    /// Nothing is known yet; these interfaces matter.
    #[must_use]
    pub fn new(uplinks: &[Uplink]) -> Self {
        let managed = uplinks.iter().map(|uplink| uplink.interface.clone()).collect();
        Self { managed, ..Self::default() }
    }

    /// An interface is, or has become, like this. Returns what was known of it.
    pub fn link(&mut self, mut link: Link) -> Option<Link> {
        let known = self.links.contains_key(&link.index) || self.managed.contains(&link.name);
        if !known && self.links.len() >= MAX_LINKS {
            return None;
        }
        if link.ignore_linkdown.is_none() {
            link.ignore_linkdown = self.links.get(&link.index).and_then(|known| known.ignore_linkdown);
        }
        self.links.insert(link.index, link)
    }

    /// An interface is gone, and its addresses with it. Returns whether it was known.
    pub fn link_gone(&mut self, index: u32) -> bool {
        self.addresses.remove(&index);
        self.linkdown.remove(&index);
        self.links.remove(&index).is_some()
    }

    /// An interface has an address.
    pub fn address(&mut self, address: Address) {
        let known = self.addresses.entry(address.index).or_default();
        // The same address with other properties replaces what was known.
        known.retain(|other| other.prefix != address.prefix);
        if known.len() < MAX_ADDRESSES {
            known.insert(address);
        }
    }

    /// An interface no longer has an address. Returns whether that is news.
    pub fn address_gone(&mut self, address: Address) -> bool {
        let Some(known) = self.addresses.get_mut(&address.index) else { return false };
        let before = known.len();
        known.retain(|other| other.prefix != address.prefix);
        known.len() < before
    }

    /// Everything of one family anew: what is not in the dump is gone.
    pub fn replace(&mut self, links: Vec<Link>, family: Family, addresses: Vec<Address>) {
        let old = core::mem::take(&mut self.links);
        for mut link in links {
            if link.ignore_linkdown.is_none() {
                link.ignore_linkdown = old.get(&link.index).and_then(|known| known.ignore_linkdown);
            }
            self.link(link);
        }
        for known in self.addresses.values_mut() {
            known.retain(|address| address.prefix.family() != family);
        }
        for address in addresses {
            self.address(address);
        }
        self.addresses.retain(|_, known| !known.is_empty());
    }

    /// Is it an uplink's interface?
    #[must_use]
    pub fn is_managed(&self, index: u32) -> bool {
        self.links.get(&index).is_some_and(|link| self.managed.contains(&link.name))
    }

    /// The interface of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|link| link.name == name)
    }

    /// `ignore_routes_with_linkdown` of one family by index, where known.
    pub fn linkdown(&self, family: Family) -> impl Iterator<Item = (u32, bool)> {
        self.links.values().filter_map(move |link| {
            let is = match family {
                Family::V4 => link.ignore_linkdown,
                Family::V6 => self.linkdown.get(&link.index).copied(),
            };
            Some((link.index, is?))
        })
    }

    /// What a dump has told of that switch of IPv6.
    pub fn linkdown_read(&mut self, linkdown: BTreeMap<u32, bool>) {
        self.linkdown = linkdown;
    }

    /// We have set that switch, and nobody announces it: IPv6 has a file for it, and IPv4 tells it with a link only when
    /// something else of the link changes.
    pub fn linkdown_set(&mut self, family: Family, index: u32, on: bool) {
        match (family, self.links.get_mut(&index)) {
            (Family::V4, Some(link)) => link.ignore_linkdown = Some(on),
            (Family::V4, None) => {}
            (Family::V6, _) => _ = self.linkdown.insert(index, on),
        }
    }

    /// Every address of this machine.
    #[must_use]
    pub fn own_addresses(&self) -> BTreeSet<IpAddr> {
        self.addresses.values().flatten().map(|address| address.prefix.address).collect()
    }

    /// Names by index.
    #[must_use]
    pub fn names(&self) -> Names {
        self.links.iter().map(|(index, link)| (*index, link.name.clone())).collect()
    }

    /// The facts about an uplink; `learnt` is the way out that routes have shown.
    #[must_use]
    pub fn facts(&self, uplink: &Uplink, family: Family, learnt: Learnt) -> Facts {
        if !uplink.targets.iter().any(|target| Family::of(*target) == family) {
            return Facts { readiness: Readiness::NoTarget, ..Facts::UNKNOWN };
        }
        let Some(link) = self.by_name(&uplink.interface) else { return Facts::UNKNOWN };
        let known = self.addresses.get(&link.index);
        let own: Vec<&Address> = known
            .into_iter()
            .flatten()
            .filter(|address| address.prefix.family() == family && address.global)
            .collect();
        let addresses: Vec<IpAddr> = own.iter().map(|address| address.prefix.address).collect();
        let given = match family {
            Family::V4 => uplink.gateway,
            Family::V6 => uplink.gateway6,
        };
        // Some(None): the way out needs no gateway.
        let via = match (given, learnt) {
            (Gateway::Given(gateway), _) | (Gateway::Auto, Learnt::Via { gateway, .. }) => {
                Some(Some(gateway))
            }
            (Gateway::Auto, Learnt::Direct) => Some(None),
            (Gateway::Auto, Learnt::Nothing) => link.point_to_point.then_some(None),
        };
        // Where a route shows the gateway now, the kernel has accepted it, for whatever reason.
        let shown = matches!((given, learnt), (Gateway::Auto, Learnt::Via { shown: true, .. }));
        let onlink = via.flatten().is_some_and(|gateway| !is_on_link(gateway, &own));
        let readiness = match via {
            _ if !link.up => Readiness::LinkDown,
            _ if addresses.is_empty() => Readiness::NoAddress,
            None => Readiness::NoGateway,
            Some(Some(gateway)) if addresses.contains(&gateway) => Readiness::GatewayIsOwn,
            Some(Some(gateway)) if !shown && !is_on_link(gateway, &own) => Readiness::GatewayOffLink,
            Some(_) if !link.carrier => Readiness::NoCarrier,
            Some(_) => Readiness::Ready,
        };
        let hop = match (readiness, via) {
            (Readiness::Ready | Readiness::NoCarrier, Some(via)) => Some(Hop { via, index: link.index }),
            (_, _) => None,
        };
        Facts { index: Some(link.index), readiness, addresses, hop, onlink }
    }
}

/// Can `gateway` be asked for by ARP or neighbour discovery from these addresses?
fn is_on_link(gateway: IpAddr, own: &[&Address]) -> bool {
    let link_local = match gateway {
        IpAddr::V4(_) => false,
        IpAddr::V6(gateway) => gateway.is_unicast_link_local(),
    };
    link_local || own.iter().any(|address| address.prefix.contains(gateway) || address.peer == Some(gateway))
}

/// The gateway that the routes of an interface show: the best default route that somebody else made, else one of ours
/// from an earlier run.
#[must_use]
pub fn learn_gateway(index: u32, routes: &BTreeSet<Route>, protocol: u8) -> Learnt {
    let usable = |route: &&Route| route.is_default() && route.is_unicast() && route.uses(index);
    let best = routes.iter().filter(usable).min_by_key(|route| (route.protocol == protocol, route.metric));
    let hop = best.and_then(|best| best.hops.iter().find(|hop| hop.index == index));
    match hop.map(|hop| hop.via) {
        None => Learnt::Nothing,
        Some(None) => Learnt::Direct,
        Some(Some(gateway)) => Learnt::Via { gateway, shown: true },
    }
}
