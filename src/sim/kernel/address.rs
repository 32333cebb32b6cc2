//! Addresses and the routes that come and go with them: net/ipv4/devinet.c, net/ipv4/fib_frontend.c and
//! net/ipv6/addrconf.c.

use super::Kernel;
use super::check::masked;
use super::errno::{EADDRNOTAVAIL, EEXIST, EINVAL, ENODEV};
use super::fib4::{Alias, Done, Put};
use super::news::Verb;
use super::request::{HOST, LINK, Parts};
use super::rules::PROTOCOL_KERNEL;
use crate::engine::input::{Address, Input};
use crate::engine::route::{Hop, Kind, MAIN_TABLE, Prefix, Route};
use core::net::IpAddr;

/// IP6_RT_PRIO_ADDRCONF: the metric of connected routes in IPv6.
const CONNECTED_METRIC: u32 = 256;

/// An IPv4 address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Own4 {
    pub(super) address: Address,
    /// Another address of the same network was there before; it goes with that one.
    pub(super) secondary: bool,
}

impl Own4 {
    /// The network that it connects to, by the far end where there is one.
    pub(super) fn network(&self) -> Prefix {
        let prefix = self.address.prefix;
        masked(Prefix { address: self.address.peer.unwrap_or(prefix.address), ..prefix })
    }

    /// The route to that network; none to the address itself.
    fn connected(&self) -> Option<Route> {
        let network = self.network();
        let own = self.address.prefix.address;
        let zero = matches!(network.address, IpAddr::V4(address) if address.octets()[0] == 0);
        (!zero && (network.address != own || network.length < 32)).then(|| Route {
            table: MAIN_TABLE,
            metric: 0,
            destination: network,
            kind: Kind::Unicast,
            hops: vec![Hop { via: None, index: self.address.index }],
            protocol: PROTOCOL_KERNEL,
            source: Some(own),
            onlink: false,
        })
    }
}

impl Kernel {
    /// `inet_rtm_newaddr`, `inet6_rtm_newaddr`.
    pub(super) fn add_address(&mut self, address: Address) -> Result<(), i32> {
        if self.link(address.index).is_none() {
            return Err(ENODEV);
        }
        match address.prefix.address {
            IpAddr::V4(_) => self.add4(address),
            IpAddr::V6(_) => self.add6(address),
        }
    }

    /// `inet_rtm_deladdr`, `inet6_rtm_deladdr`.
    pub(super) fn delete_address(&mut self, address: Address) -> Result<(), i32> {
        if self.link(address.index).is_none() {
            return Err(ENODEV);
        }
        match address.prefix.address {
            IpAddr::V4(_) => self.delete4(address),
            IpAddr::V6(_) => self.delete6(address),
        }
    }

    /// `inet_insert_ifa`.
    fn add4(&mut self, address: Address) -> Result<(), i32> {
        if address.prefix.length > 32 {
            return Err(EINVAL);
        }
        let mut new = Own4 { address, secondary: false };
        let own = self.addresses4.entry(address.index).or_default();
        let mut same_network = own.iter().filter(|other| other.network() == new.network());
        if same_network.clone().any(|other| other.address.prefix.address == address.prefix.address) {
            return Err(EEXIST);
        }
        new.secondary = same_network.next().is_some();
        // A primary one goes behind the last primary one, a secondary one to the end.
        let primaries = own.iter().rposition(|other| !other.secondary).map_or(0, |last| last + 1);
        own.insert(if new.secondary { own.len() } else { primaries }, new);
        self.news.tell(Input::Address(address));
        self.connect4(new);
        if self.is_up(address.index) {
            self.fib4.up(address.index);
        }
        Ok(())
    }

    /// `fib_add_ifaddr`.
    pub(super) fn connect4(&mut self, own: Own4) {
        if !self.is_up(own.address.index) || own.secondary {
            return;
        }
        let Some(route) = own.connected() else { return };
        if self.fib4.insert(Alias::new(route.clone(), LINK, vec![HOST]), Put::Append) == Ok(Done::Added) {
            self.news.tell(Input::Route(route));
        }
    }

    /// `__inet_del_ifa`, without promotion of secondary addresses.
    fn delete4(&mut self, address: Address) -> Result<(), i32> {
        let wanted = Own4 { address, secondary: false };
        let own = self.addresses4.entry(address.index).or_default();
        let same = |other: &&Own4| {
            other.address.prefix.address == address.prefix.address && other.network() == wanted.network()
        };
        let gone = *own.iter().find(same).ok_or(EADDRNOTAVAIL)?;
        let network = gone.network();
        // Its secondary addresses go first, one by one.
        let follows = |other: &&Own4| !gone.secondary && other.secondary && other.network() == network;
        let mut going: Vec<Own4> = own.iter().filter(follows).copied().collect();
        going.push(gone);
        for gone in going {
            self.addresses4.entry(address.index).or_default().retain(|other| *other != gone);
            self.gone4(gone);
        }
        Ok(())
    }

    /// Tells that an address is gone, and removes what hung on it (`fib_del_ifaddr`).
    pub(super) fn gone4(&mut self, own: Own4) {
        let index = own.address.index;
        self.news.tell(Input::AddressGone(own.address));
        if !own.secondary
            && let Some(connected) = own.connected()
            && let Ok(way) = self.fib4.delete(&Parts::of(&connected))
        {
            self.tell_routes(vec![way], Verb::Gone);
        }
        if let IpAddr::V4(address) = own.address.prefix.address
            && !self.is_own4(address, None)
        {
            for way in self.fib4.without_source(address) {
                self.tell_routes(vec![way], Verb::Gone);
            }
        }
        // An interface without any address has no IPv4, and nobody is told.
        if self.addresses4.get(&index).is_none_or(Vec::is_empty) {
            self.fib4.down(index);
        }
    }

    /// `inet6_addr_add`.
    fn add6(&mut self, address: Address) -> Result<(), i32> {
        if address.prefix.length > 128 || address.peer.is_some() {
            return Err(EINVAL);
        }
        let own = self.addresses6.entry(address.index).or_default();
        if own.iter().any(|other| other.prefix.address == address.prefix.address) {
            return Err(EEXIST);
        }
        own.insert(0, address);
        self.connect6(address);
        self.news.tell(Input::Address(address));
        Ok(())
    }

    /// `addrconf_prefix_route`.
    pub(super) fn connect6(&mut self, address: Address) {
        if self.is_up(address.index)
            && let Ok((Done::Added, told)) = self.fib6.insert(connected6(address).into(), Put::Append)
        {
            self.tell_routes(told, Verb::Here);
        }
    }

    /// `inet6_addr_del`.
    fn delete6(&mut self, address: Address) -> Result<(), i32> {
        let own = self.addresses6.entry(address.index).or_default();
        let at = own.iter().position(|other| other.prefix == address.prefix).ok_or(EADDRNOTAVAIL)?;
        let gone = own.remove(at);
        let network = masked(gone.prefix);
        let shared = own.iter().any(|other| masked(other.prefix) == network);
        self.news.tell(Input::AddressGone(gone));
        if !shared && let Some(route) = self.fib6.remove_connected(MAIN_TABLE, network, gone.index) {
            self.news.tell(Input::RouteGone(route));
        }
        self.forget_source6(gone.prefix.address);
        Ok(())
    }

    fn forget_source6(&mut self, source: IpAddr) {
        if !self.is_own6(source, None) {
            self.fib6.forget_source(source);
        }
    }
}

fn connected6(address: Address) -> Route {
    Route {
        table: MAIN_TABLE,
        metric: CONNECTED_METRIC,
        destination: masked(address.prefix),
        kind: Kind::Unicast,
        hops: vec![Hop { via: None, index: address.index }],
        protocol: PROTOCOL_KERNEL,
        source: None,
        onlink: false,
    }
}
