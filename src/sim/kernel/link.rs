//! Links: what their state does to addresses and routes.

use super::Kernel;
use super::errno::{EEXIST, ENODEV};
use crate::engine::input::{Input, Link};

/// A link and the cable in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) link: Link,
    /// The far end would give it carrier.
    pub(super) cable: bool,
}

impl Kernel {
    pub(super) fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(&index).map(|port| &port.link)
    }

    pub(super) fn is_up(&self, index: u32) -> bool {
        self.link(index).is_some_and(|link| link.up)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<u32> {
        self.links.values().find(|port| port.link.name == name).map(|port| port.link.index)
    }

    pub(super) fn add_link(&mut self, link: Link) -> Result<(), i32> {
        if self.links.contains_key(&link.index) || self.by_name(&link.name).is_some() {
            return Err(EEXIST);
        }
        let cable = link.carrier;
        let link = Link { up: false, carrier: false, ..link };
        self.news.tell(Input::Link(link.clone()));
        self.links.insert(link.index, Port { link, cable });
        Ok(())
    }

    pub(super) fn delete_link(&mut self, index: u32) -> Result<(), i32> {
        if self.link(index).is_none() {
            return Err(ENODEV);
        }
        if self.is_up(index) {
            self.set_up(index, false)?;
        }
        self.forget_addresses4(index);
        self.fib4.unregister(index);
        for route in self.fib6.unregister(index) {
            self.news.tell(Input::RouteGone(route));
        }
        for own in self.addresses6.remove(&index).unwrap_or_default() {
            self.news.tell(Input::AddressGone(own));
        }
        self.links.remove(&index);
        self.news.tell(Input::LinkGone(index));
        Ok(())
    }

    /// `inetdev_destroy`: one after the other, secondary addresses not before their primary one. The last of a network that is
    /// left without it goes without what hung on it: routes by other links keep it as their source (Linux 6.18).
    fn forget_addresses4(&mut self, index: u32) {
        let mut left = self.addresses4.get(&index).cloned().unwrap_or_default();
        while !left.is_empty() {
            let own = left.remove(0);
            self.addresses4.insert(index, left.clone());
            if own.secondary && left.iter().all(|other| other.network() != own.network()) {
                self.news.tell(Input::AddressGone(own.address));
            } else {
                self.gone4(own);
            }
        }
        self.addresses4.remove(&index);
    }

    /// `ip link set up` and `down`.
    pub(super) fn set_up(&mut self, index: u32, up: bool) -> Result<(), i32> {
        let port = self.links.get_mut(&index).ok_or(ENODEV)?;
        if port.link.up == up {
            return Ok(());
        }
        port.link.up = up;
        port.link.carrier = up && port.cable;
        let link = port.link.clone();
        let ready = link.carrier;
        self.news.tell(Input::Link(link));
        if up {
            for own in self.addresses4.get(&index).cloned().unwrap_or_default() {
                self.connect4(own);
            }
            self.fib4.up(index);
            // Those that it was given while it was down.
            for own in self.addresses6.get(&index).cloned().unwrap_or_default() {
                self.connect6(own);
            }
            // IPv6 waits for the carrier (Linux 6.18, `addrconf_link_ready`).
            if ready {
                self.fib6.up(index);
            }
            return Ok(());
        }
        self.flush_nexthops(index);
        // IPv4's routes go without a word and its addresses stay; IPv6's routes and addresses go, one word each. Routes
        // by other links keep such an address as their preferred source (Linux 6.18).
        self.fib4.down(index);
        for route in self.fib6.down(index) {
            self.news.tell(Input::RouteGone(route));
        }
        for own in self.addresses6.remove(&index).unwrap_or_default() {
            self.news.tell(Input::AddressGone(own));
        }
        Ok(())
    }

    /// Routes stay where they are, but for those of objects, which go before the link is told.
    pub(super) fn set_cable(&mut self, index: u32, on: bool) -> Result<(), i32> {
        let port = self.links.get_mut(&index).ok_or(ENODEV)?;
        port.cable = on;
        let carrier = port.link.up && on;
        if port.link.carrier == carrier {
            return Ok(());
        }
        port.link.carrier = carrier;
        let link = port.link.clone();
        if carrier {
            self.fib6.up(index);
        } else {
            self.flush_nexthops(index);
        }
        self.news.tell(Input::Link(link));
        Ok(())
    }

    /// Whoever listens to links is not told (Linux 6.18; it tells `RTNLGRP_IPV4_NETCONF`).
    pub(super) fn ignore_linkdown(&mut self, index: u32, on: bool) -> Result<(), i32> {
        let port = self.links.get_mut(&index).ok_or(ENODEV)?;
        port.link.ignore_linkdown = Some(on);
        Ok(())
    }
}
