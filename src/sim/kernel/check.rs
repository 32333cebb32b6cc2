//! What Linux demands of a route before it goes in: net/ipv4/fib_semantics.c and net/ipv6/route.c.

use super::Kernel;
use super::errno::{EHOSTUNREACH, EINVAL, ENETDOWN, ENETUNREACH, ENODEV};
use super::fib4::Lead;
use super::request::{HOST, LINK, scope};
use super::rules::LOCAL_TABLE;
use crate::engine::Family;
use crate::engine::route::{Hop, Kind, MAIN_TABLE, Prefix, Route};
use core::net::{IpAddr, Ipv4Addr};

/// What lies at the end of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The route to it leads so far (`RT_SCOPE_*`).
    Neighbour(u8),
    /// A blackhole.
    Nothing,
    Own,
    Broadcast,
}

impl From<Lead> for Found {
    fn from(lead: Lead) -> Self {
        match lead {
            Lead::To { scope, .. } => Self::Neighbour(scope),
            Lead::Nowhere => Self::Nothing,
        }
    }
}

impl Kernel {
    /// `fib_create_info`. Returns how near each hop is.
    pub(super) fn check4(&self, route: &Route) -> Result<Vec<u8>, i32> {
        if masked(route.destination) != route.destination {
            return Err(EINVAL);
        }
        let mut nears = vec![];
        match route.kind {
            Kind::Unicast => {
                if route.hops.is_empty() {
                    return Err(ENODEV);
                }
                for hop in &route.hops {
                    nears.push(self.check_hop4(route, *hop)?);
                }
            }
            // Blackhole and unreachable refuse as well.
            Kind::Prohibit | Kind::Throw | Kind::Other(6 | 7) if route.hops.is_empty() => {}
            Kind::Prohibit | Kind::Throw | Kind::Other(_) => return Err(EINVAL),
        }
        match route.source {
            Some(IpAddr::V4(source)) if !self.is_own4(source, None) => Err(EINVAL),
            Some(IpAddr::V6(_)) => Err(EINVAL),
            Some(IpAddr::V4(_)) | None => Ok(nears),
        }
    }

    /// `fib_check_nh`.
    pub(super) fn check_hop4(&self, route: &Route, hop: Hop) -> Result<u8, i32> {
        // The flag is that of the one hop; those of a multipath route have their own, which we never set.
        let onlink = route.onlink && route.hops.len() == 1;
        let link = || self.link(hop.index).ok_or(ENODEV);
        let up = |near: u8| if link()?.up { Ok(near) } else { Err(ENETDOWN) };
        let gateway = match hop.via {
            None if onlink => return Err(EINVAL),
            None => return up(HOST),
            Some(IpAddr::V6(_)) => return Err(EINVAL),
            Some(IpAddr::V4(gateway)) => gateway,
        };
        if onlink {
            if scope(route) >= LINK {
                return Err(EINVAL);
            }
            let near = up(LINK)?;
            let mut links = self.links();
            let own = links.any(|link| match self.local4(gateway, link.index) {
                Some(Found::Broadcast) => link.carrier || link.ignore_linkdown != Some(true),
                found => found.is_some(),
            });
            return if own { Err(EINVAL) } else { Ok(near) };
        }
        let own_table = (route.table != MAIN_TABLE).then(|| self.leads4(route.table, gateway, hop.index));
        let own_table = own_table.flatten().filter(|found| *found != Found::Nothing);
        match own_table.or_else(|| self.lookup4(gateway, hop.index)) {
            None => Err(ENETUNREACH),
            Some(Found::Broadcast | Found::Nothing) => Err(EINVAL),
            Some(Found::Neighbour(scope)) => up(scope),
            Some(Found::Own) => up(HOST),
        }
    }

    /// `fib_lookup` by way of the rules.
    fn lookup4(&self, address: Ipv4Addr, oif: u32) -> Option<Found> {
        let rules =
            self.rules.iter().filter(|rule| rule.family == Family::V4 && self.rule_matches(rule, oif));
        for rule in rules {
            let suppressed = |lead: Lead| match lead {
                Lead::To { length, .. } => {
                    rule.suppress_prefixlength.is_some_and(|limit| u32::from(length) <= limit)
                }
                Lead::Nowhere => false,
            };
            let found = if rule.table == LOCAL_TABLE {
                self.local4(address, oif)
            } else {
                let found = self.fib4.leads(rule.table, IpAddr::V4(address), oif, &self.nexthops);
                found.filter(|lead| !suppressed(*lead)).map(Found::from)
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn leads4(&self, table: u32, address: Ipv4Addr, oif: u32) -> Option<Found> {
        self.fib4.leads(table, IpAddr::V4(address), oif, &self.nexthops).map(Found::from)
    }

    /// The local table, which follows from the addresses: they themselves, whatever the state of the link, and the
    /// broadcast addresses of links that are up.
    fn local4(&self, address: Ipv4Addr, oif: u32) -> Option<Found> {
        if self.is_own4(address, Some(oif)) {
            return Some(Found::Own);
        }
        let up = self.link(oif).is_some_and(|link| link.up);
        let broadcasts = |own: &super::address::Own4| {
            let network = own.network();
            let hosts = u32::MAX.checked_shr(u32::from(network.length)).unwrap_or(0);
            let IpAddr::V4(base) = network.address else { return false };
            network.length < 31 && address.to_bits() == base.to_bits() | hosts
        };
        let own = self.addresses4.get(&oif).into_iter().flatten();
        own.filter(|own| !own.secondary).any(|own| up && broadcasts(own)).then_some(Found::Broadcast)
    }

    /// Is it an address of this interface, or of any?
    pub(super) fn is_own4(&self, address: Ipv4Addr, index: Option<u32>) -> bool {
        self.addresses4
            .iter()
            .filter(|(owner, _)| index.is_none_or(|index| index == **owner))
            .flat_map(|(_, own)| own)
            .any(|own| own.address.prefix.address == IpAddr::V4(address))
    }

    /// `ip6_route_info_create` and `fib6_nh_init`.
    pub(super) fn check6(&self, route: &Route) -> Result<(), i32> {
        match route.kind {
            Kind::Unicast => self.check_hop6(route)?,
            // On which link, if there is none?
            Kind::Prohibit | Kind::Throw | Kind::Other(6 | 7) if route.onlink => return Err(ENODEV),
            Kind::Prohibit | Kind::Throw | Kind::Other(6 | 7) => {}
            Kind::Other(_) => return Err(EINVAL),
        }
        match (route.source, route.hops.first()) {
            (Some(source), Some(hop)) if !self.is_own6(source, link_local(source).then_some(hop.index)) => {
                Err(EINVAL)
            }
            (Some(_), None) => Err(EINVAL),
            (_, _) => Ok(()),
        }
    }

    pub(super) fn check_hop6(&self, route: &Route) -> Result<(), i32> {
        let hop = match route.hops.as_slice() {
            [] => return Err(ENODEV),
            [hop] => hop,
            // Not modelled.
            _ => return Err(EINVAL),
        };
        let link = self.link(hop.index).ok_or(ENODEV)?;
        if route.onlink && !link.up {
            return Err(ENETDOWN);
        }
        if let Some(gateway) = hop.via {
            self.check_gateway6(route, *hop, gateway)?;
        }
        if link.up { Ok(()) } else { Err(ENETDOWN) }
    }

    /// `ip6_validate_gw`.
    fn check_gateway6(&self, route: &Route, hop: Hop, gateway: IpAddr) -> Result<(), i32> {
        let IpAddr::V6(address) = gateway else { return Err(EINVAL) };
        if self.is_own6(gateway, link_local(gateway).then_some(hop.index)) {
            return Err(EINVAL);
        }
        if link_local(gateway) {
            return Ok(());
        }
        if address.is_multicast() || address.is_unspecified() || address.is_loopback() {
            return Err(EINVAL);
        }
        if route.onlink {
            // `ip6_route_check_nh_onlink`.
            let elsewhere = self.fib6.leads_elsewhere(MAIN_TABLE, gateway, hop.index, &self.nexthops);
            return if elsewhere { Err(EINVAL) } else { Ok(()) };
        }
        let direct = |table: u32| self.fib6.leads(table, gateway, hop.index, &self.nexthops);
        let rules = self.rules.iter().filter(|rule| rule.family == Family::V6);
        let by_rules = || {
            let tables = rules.filter(|rule| self.rule_matches(rule, hop.index)).map(|rule| rule.table);
            tables.filter(|table| *table != LOCAL_TABLE).find_map(direct)
        };
        let found = direct(route.table).filter(|direct| *direct).or_else(by_rules);
        if found == Some(true) { Ok(()) } else { Err(EHOSTUNREACH) }
    }

    /// Is it an address of this interface, or of any?
    pub(super) fn is_own6(&self, address: IpAddr, index: Option<u32>) -> bool {
        self.addresses6
            .iter()
            .filter(|(owner, _)| index.is_none_or(|index| index == **owner))
            .flat_map(|(_, own)| own)
            .any(|own| own.prefix.address == address)
    }
}

fn link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Without bits beyond its length.
pub(super) fn masked(prefix: Prefix) -> Prefix {
    let address = match prefix.address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(u32::from(prefix.length)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !host))
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(u32::from(prefix.length)).unwrap_or(0);
            IpAddr::V6(core::net::Ipv6Addr::from_bits(address.to_bits() & !host))
        }
    };
    Prefix { address, ..prefix }
}
