//! The wires of a world, and the router's part in them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use super::wire::{self, End, Presence, Route, Setting};
use super::{LabError, Namespace, Uplink};
use crate::engine::Family;
use crate::kernel::socket::Requests;

/// The router's interface to its LAN, and the client's to the router.
const LAN: &str = "lan0";
/// Beside the numbers of the uplinks.
const LAN_NUMBER: usize = 0xff;
/// Indices of wires: well above those that the kernel gives out, and different at both ends unless the wire is to look
/// like a physical NIC.
const LAN_INDEX: u32 = 999;
const FIRST_INDEX: u32 = 1000;
const FAR_OFFSET: u32 = 100_000;
/// Every provider's gateway has this link-local address too.
const LINK_LOCAL_GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// The router's link-local addresses end in the index of the interface.
const LINK_LOCAL_ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 1, 0, 0);
/// The client's default routes.
const CLIENT_METRIC: u32 = 1024;

/// The end of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The router's.
    Near,
    /// The provider's or the client's.
    Far,
}

/// One uplink as it stands. Without an index its interface is removed.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) plan: Uplink,
    pub(super) index: Option<u32>,
    pub(super) far: Option<u32>,
}

/// All wires, and the sockets to change them.
#[derive(Debug)]
pub(super) struct Plumbing {
    pub(super) router: Requests,
    pub(super) far: Requests,
    pub(super) uplinks: Vec<Built>,
    /// Never used again, so that an interface that returns has another index.
    next: u32,
}

impl Plumbing {
    pub(super) fn new(uplinks: Vec<Uplink>, router: &Namespace, far: &Namespace) -> Result<Self, LabError> {
        let uplinks = uplinks.into_iter().map(|plan| Built { plan, index: None, far: None }).collect();
        Ok(Self { router: router.requests()?, far: far.requests()?, uplinks, next: FIRST_INDEX })
    }

    pub(super) fn uplink(&mut self, at: usize) -> Result<&mut Built, LabError> {
        self.uplinks.get_mut(at).ok_or(LabError::NoUplink(at))
    }

    /// The router's end, if there is one.
    pub(super) fn near(&mut self, at: usize) -> Result<u32, LabError> {
        self.uplink(at)?.index.ok_or(LabError::NoUplink(at))
    }

    /// The addresses for which a provider answers.
    pub(super) fn gateways(&mut self, at: usize) -> Result<BTreeSet<IpAddr>, LabError> {
        let own = self.uplink(at)?.plan.plans().filter_map(|plan| plan.gateway);
        Ok(own.chain([IpAddr::V6(LINK_LOCAL_GATEWAY)]).collect())
    }

    /// Lays the wire of an uplink, without addresses. Returns the index of its far end.
    pub(super) fn lay(&mut self, at: usize, far: &Namespace) -> Result<u32, LabError> {
        let (index, built) = (self.next, self.uplink(at)?);
        let far_index = if built.plan.nic_like { index } else { index + FAR_OFFSET };
        let end = |index, side| End { name: built.plan.name.clone(), index, mac: mac(side, at) };
        let ends = (end(index, Side::Near), end(far_index, Side::Far));
        wire::add_veth(&mut self.router, &ends.0, &ends.1, far.as_fd())?;
        self.next += 1;
        let built = self.uplink(at)?;
        (built.index, built.far) = (Some(index), Some(far_index));
        connect(&mut self.router, index, &mut self.far, far_index)?;
        Ok(far_index)
    }

    /// Gives the router its addresses on an uplink.
    pub(super) fn address(&mut self, at: usize) -> Result<(), LabError> {
        let index = self.near(at)?;
        let plans: Vec<_> = self.uplink(at)?.plan.plans().collect();
        plans.into_iter().try_for_each(|plan| {
            wire::address(&mut self.router, index, plan.address, plan.prefix, Presence::Present)
        })
    }

    /// The wire between router and client, with both addresses and the client's default routes.
    pub(super) fn lay_lan(&mut self, client: &Namespace) -> Result<(), LabError> {
        let mut there = client.requests()?;
        let (near, far) = (LAN_INDEX, LAN_INDEX + FAR_OFFSET);
        let end = |index, side| End { name: LAN.to_owned(), index, mac: mac(side, LAN_NUMBER) };
        wire::add_veth(&mut self.router, &end(near, Side::Near), &end(far, Side::Far), client.as_fd())?;
        connect(&mut self.router, near, &mut there, far)?;
        for (router, client, prefix) in lan() {
            wire::address(&mut self.router, near, router, prefix, Presence::Present)?;
            wire::address(&mut there, far, client, prefix, Presence::Present)?;
            let route = Route::default_of(Family::of(router), Some(router), far, CLIENT_METRIC);
            wire::route(&mut there, route, Presence::Present)?;
        }
        Ok(())
    }
}

/// Settings of a whole namespace, which only `/proc` has. Returns what could not be set, and what follows.
pub(super) fn prepare(router: &Namespace) -> Vec<String> {
    let settings = [
        ("ipv4/conf/all/rp_filter", "0", "packets may be dropped by the reverse path filter"),
        ("ipv6/conf/all/forwarding", "1", "the router does not forward IPv6"),
    ];
    let failed = settings.into_iter().filter_map(|(setting, value, consequence)| {
        router.set(setting, value).err().map(|error| format!("{consequence}: {error}"))
    });
    failed.collect()
}

/// Locally administered; told apart by side and number.
pub(super) fn mac(side: Side, number: usize) -> [u8; 6] {
    let [low, high, ..] = number.to_le_bytes();
    [0x02, 0, 0, side as u8 + 1, high, low]
}

/// Sets both ends of a wire up, the router's as one that forwards, and waits until packets pass.
fn connect(router: &mut Requests, near: u32, there: &mut Requests, far: u32) -> Result<(), LabError> {
    wire::configure(router, near, &[(Setting::Forwarding, 1), (Setting::RpFilter, 0)])?;
    wire::without_link_local(router, near)?;
    wire::without_link_local(there, far)?;
    wire::set_up(there, far, true)?;
    wire::set_up(router, near, true)?;
    wire::wait_ready(there, far)?;
    wire::wait_ready(router, near)?;
    // A router looks for the neighbours of others from its link-local address.
    let local = Ipv6Addr::from_bits(LINK_LOCAL_ROUTER.to_bits() | u128::from(near));
    wire::address(router, near, local.into(), 64, Presence::Present)
}

/// The router's and the client's addresses on the LAN, and the length of their prefix.
fn lan() -> [(IpAddr, IpAddr, u8); 2] {
    let v4 = |host| IpAddr::V4(Ipv4Addr::new(100, 64, 0, host));
    let v6 = |host| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, host));
    [(v4(1), v4(2), 24), (v6(1), v6(2), 64)]
}
