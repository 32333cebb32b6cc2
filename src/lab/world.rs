//! A whole small world: a client, the router under test, its uplinks, and the internet behind them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::internet::Internet;
use super::state::{State, Wire};
use super::wire::{self, End, Presence, Route, Setting};
use super::{AddressPlan, LabError, Line, Namespace, Received, Tally, Uplink};
use crate::engine::Family;
use crate::kernel::socket::Requests;

/// The router's interface to its LAN.
const LAN: &str = "lan0";
/// Indices of the first wire. Well above those that the kernel gives out, and different at both ends unless the wire
/// is to look like a physical NIC.
const FIRST_INDEX: u32 = 1000;
const FAR_OFFSET: u32 = 100_000;
/// Every provider's gateway has this link-local address too.
const LINK_LOCAL_GATEWAY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// The client's default routes.
const CLIENT_METRIC: u32 = 1024;

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Builder {
    uplinks: Vec<Uplink>,
    seed: u64,
}

impl Builder {
    /// Adds an uplink. Without any, there are two usual ones.
    #[must_use]
    pub fn uplink(mut self, uplink: Uplink) -> Self {
        self.uplinks.push(uplink);
        self
    }

    /// The same seed draws the same weather for the same packets.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Builds it.
    ///
    /// # Errors
    /// Needs the privilege that [`super::enter`] gives, and veth.
    pub fn build(mut self) -> Result<World, LabError> {
        if self.uplinks.is_empty() {
            self.uplinks = [0, 1].map(Uplink::numbered).to_vec();
        }
        let (router, client, far) = (Namespace::new()?, Namespace::new()?, Namespace::new()?);
        // It would greet the router with neighbour discovery of its own. No harm if it does.
        let _ = far.set("ipv6/conf/default/disable_ipv6", "1");
        let notes = prepare(&router);
        let mut state = State::default();
        let numbered = self.uplinks.iter().enumerate();
        state.wires = numbered
            .map(|(at, uplink)| {
                Wire::new(mac(2, at), uplink.answers_for_all, self.seed.wrapping_add(at as u64))
            })
            .collect();
        let internet = Internet::start(state, &far)?;
        let plumbing = Plumbing {
            router: router.requests()?,
            far: far.requests()?,
            uplinks: self.uplinks.into_iter().map(|plan| Built { plan, index: None, far: None }).collect(),
            next: FIRST_INDEX,
        };
        let world = World { router, client, far, internet, plumbing: Mutex::new(plumbing), notes };
        world.lay_lan()?;
        for at in 0..world.count() {
            world.restore(at)?;
        }
        Ok(world)
    }
}

/// Settings of a whole namespace, which only `/proc` has. Returns what could not be set.
fn prepare(router: &Namespace) -> Vec<String> {
    let settings = [
        ("ipv4/conf/all/rp_filter", "0", "packets may be dropped by the reverse path filter"),
        ("ipv6/conf/all/forwarding", "1", "the router does not forward IPv6"),
    ];
    let failed = settings.into_iter().filter_map(|(setting, value, consequence)| {
        router.set(setting, value).err().map(|error| format!("{consequence}: {error}"))
    });
    failed.collect()
}

/// One uplink as it stands.
#[derive(Debug)]
struct Built {
    plan: Uplink,
    index: Option<u32>,
    far: Option<u32>,
}

#[derive(Debug)]
struct Plumbing {
    router: Requests,
    far: Requests,
    uplinks: Vec<Built>,
    next: u32,
}

impl Plumbing {
    fn uplink(&mut self, at: usize) -> Result<&mut Built, LabError> {
        self.uplinks.get_mut(at).ok_or(LabError::NoUplink(at))
    }

    /// The router's end, if there is one.
    fn near(&mut self, at: usize) -> Result<u32, LabError> {
        self.uplink(at)?.index.ok_or(LabError::NoUplink(at))
    }
}

/// A running world. Everything in it is gone when it is dropped.
#[derive(Debug)]
pub struct World {
    router: Namespace,
    client: Namespace,
    far: Namespace,
    internet: Internet,
    plumbing: Mutex<Plumbing>,
    notes: Vec<String>,
}

impl World {
    /// A world to be described first.
    #[must_use]
    pub fn builder() -> Builder {
        Builder { uplinks: Vec::new(), seed: 1 }
    }

    /// Host `number` of the internet. All of 203.0.113.0/24 answer echo requests, echo datagrams for port 7 and count
    /// those for port 9.
    #[must_use]
    pub fn target(number: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, number))
    }

    /// Host `number` of the internet, by IPv6.
    #[must_use]
    pub fn target_v6(number: u16) -> IpAddr {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, number))
    }

    /// Where the daemon under test runs.
    #[must_use]
    pub fn router(&self) -> &Namespace {
        &self.router
    }

    /// The LAN behind the router.
    #[must_use]
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// What this machine did not let us set, and what follows from that.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many uplinks there are.
    pub fn count(&self) -> usize {
        self.plumbing().uplinks.len()
    }

    /// An uplink as it is planned now.
    ///
    /// # Errors
    /// There is no such uplink.
    pub fn uplink(&self, at: usize) -> Result<Uplink, LabError> {
        Ok(self.plumbing().uplink(at)?.plan.clone())
    }

    /// The index of an uplink's interface in the router.
    ///
    /// # Errors
    /// There is no such uplink, or its interface is removed.
    pub fn index(&self, at: usize) -> Result<u32, LabError> {
        self.plumbing().near(at)
    }

    /// Whether the router's end of an uplink has carrier.
    ///
    /// # Errors
    /// There is no such uplink, or netlink failed.
    pub fn has_carrier(&self, at: usize) -> Result<bool, LabError> {
        let mut plumbing = self.plumbing();
        let index = plumbing.near(at)?;
        wire::has_carrier(&mut plumbing.router, index)
    }

    /// The weather of an uplink.
    ///
    /// # Errors
    /// There is no such uplink.
    pub fn line(&self, at: usize) -> Result<Line, LabError> {
        self.internet.state().wires.get(at).map(|wire| wire.line.clone()).ok_or(LabError::NoUplink(at))
    }

    /// Changes the weather of an uplink. Packets on their way keep their delay.
    ///
    /// # Errors
    /// There is no such uplink.
    pub fn change(&self, at: usize, change: impl FnOnce(&mut Line)) -> Result<(), LabError> {
        let mut state = self.internet.state();
        change(&mut state.wires.get_mut(at).ok_or(LabError::NoUplink(at))?.line);
        Ok(())
    }

    /// Changes the weather of all uplinks.
    pub fn change_all(&self, mut change: impl FnMut(&mut Line)) {
        self.internet.state().wires.iter_mut().for_each(|wire| change(&mut wire.line));
    }

    /// What has arrived by an uplink.
    ///
    /// # Errors
    /// There is no such uplink.
    pub fn seen(&self, at: usize) -> Result<Tally, LabError> {
        self.internet.state().wires.get(at).map(|wire| wire.tally.clone()).ok_or(LabError::NoUplink(at))
    }

    /// What has arrived at the counting service by an uplink.
    ///
    /// # Errors
    /// There is no such uplink.
    pub fn received(&self, at: usize) -> Result<Received, LabError> {
        self.internet.state().wires.get(at).map(|wire| wire.received.clone()).ok_or(LabError::NoUplink(at))
    }

    /// Forgets what has arrived.
    pub fn reset_tallies(&self) {
        for wire in &mut self.internet.state().wires {
            wire.tally = Tally::default();
            wire.received = Received::default();
        }
    }

    /// Pulls the cable: the router's end loses its carrier.
    ///
    /// # Errors
    /// There is no such uplink, or netlink failed.
    pub fn cut(&self, at: usize) -> Result<(), LabError> {
        self.far_end(at, false)
    }

    /// Puts the cable back.
    ///
    /// # Errors
    /// There is no such uplink, or netlink failed.
    pub fn mend(&self, at: usize) -> Result<(), LabError> {
        self.far_end(at, true)
    }

    /// Takes the interface out of the router.
    ///
    /// # Errors
    /// There is no such uplink, or netlink failed.
    pub fn remove(&self, at: usize) -> Result<(), LabError> {
        let mut plumbing = self.plumbing();
        let index = plumbing.near(at)?;
        wire::delete_link(&mut plumbing.router, index)?;
        let built = plumbing.uplink(at)?;
        (built.index, built.far) = (None, None);
        Ok(())
    }

    /// Puts an interface back that was removed, with another index than before.
    ///
    /// # Errors
    /// There is no such uplink, it is there, or netlink failed.
    pub fn restore(&self, at: usize) -> Result<(), LabError> {
        let mut plumbing = self.plumbing();
        let index = plumbing.next;
        let plan = plumbing.uplink(at)?.plan.clone();
        let far_index = if plan.nic_like { index } else { index + FAR_OFFSET };
        let near = End { name: plan.name.clone(), index, mac: mac(1, at) };
        let far = End { name: plan.name.clone(), index: far_index, mac: mac(2, at) };
        wire::add_veth(&mut plumbing.router, &near, &far, self.far.as_fd())?;
        plumbing.next += 1;
        let built = plumbing.uplink(at)?;
        (built.index, built.far) = (Some(index), Some(far_index));
        if let Some(wire) = self.internet.state().wires.get_mut(at) {
            wire.index = Some(far_index);
            wire.gateways = gateways(&plan);
        }
        let settings = [(Setting::Forwarding, 1), (Setting::RpFilter, 0)];
        wire::configure(&mut plumbing.router, index, &settings)?;
        wire::set_up(&mut plumbing.far, far_index, true)?;
        wire::set_up(&mut plumbing.router, index, true)?;
        for plan in plan.plans() {
            wire::address(&mut plumbing.router, index, plan.address, plan.prefix, Presence::Present)?;
        }
        Ok(())
    }

    /// Gives the router another address on an uplink, and the uplink another gateway, as a new lease would.
    ///
    /// # Errors
    /// There is no such uplink, its interface is removed, or netlink failed.
    pub fn readdress(&self, at: usize, family: Family, plan: Option<AddressPlan>) -> Result<(), LabError> {
        let mut plumbing = self.plumbing();
        let index = plumbing.near(at)?;
        let old = std::mem::replace(plumbing.uplink(at)?.plan.plan_mut(family), plan);
        let gateways = gateways(&plumbing.uplink(at)?.plan);
        if let Some(wire) = self.internet.state().wires.get_mut(at) {
            wire.gateways = gateways;
        }
        if let Some(old) = old {
            wire::address(&mut plumbing.router, index, old.address, old.prefix, Presence::Absent)?;
        }
        plan.map_or(Ok(()), |new| {
            wire::address(&mut plumbing.router, index, new.address, new.prefix, Presence::Present)
        })
    }

    /// Adds or deletes a default route by an uplink, as a DHCP client would.
    ///
    /// # Errors
    /// There is no such uplink, it does not have this family, or netlink failed.
    pub fn default_route(
        &self,
        at: usize,
        family: Family,
        metric: u32,
        presence: Presence,
    ) -> Result<(), LabError> {
        let mut plumbing = self.plumbing();
        let index = plumbing.near(at)?;
        let plan = plumbing.uplink(at)?.plan.plan(family).ok_or(LabError::NoUplink(at))?;
        wire::route(&mut plumbing.router, Route::default_of(family, plan.gateway, index, metric), presence)
    }

    fn plumbing(&self) -> MutexGuard<'_, Plumbing> {
        self.plumbing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn far_end(&self, at: usize, up: bool) -> Result<(), LabError> {
        let mut plumbing = self.plumbing();
        let index = plumbing.uplink(at)?.far.ok_or(LabError::NoUplink(at))?;
        wire::set_up(&mut plumbing.far, index, up)
    }

    /// The wire between router and client, with both addresses and the client's default routes.
    fn lay_lan(&self) -> Result<(), LabError> {
        let mut client = self.client.requests()?;
        let mut plumbing = self.plumbing();
        let router = &mut plumbing.router;
        let (near, far) = (FIRST_INDEX - 1, FIRST_INDEX - 1 + FAR_OFFSET);
        let end = |index, side| End { name: LAN.to_owned(), index, mac: mac(side, 0xff) };
        let there = self.client.as_fd();
        wire::add_veth(router, &end(near, 1), &end(far, 2), there)?;
        wire::configure(router, near, &[(Setting::Forwarding, 1), (Setting::RpFilter, 0)])?;
        wire::configure(&mut client, far, &[(Setting::RpFilter, 0)])?;
        wire::set_up(&mut client, far, true)?;
        wire::set_up(router, near, true)?;
        for family in Family::ALL {
            let ours = lan(family);
            wire::address(router, near, ours.gateway, ours.prefix, Presence::Present)?;
            wire::address(&mut client, far, ours.client, ours.prefix, Presence::Present)?;
            let route = Route::default_of(family, Some(ours.gateway), far, CLIENT_METRIC);
            wire::route(&mut client, route, Presence::Present)?;
        }
        Ok(())
    }
}

struct Lan {
    client: IpAddr,
    gateway: IpAddr,
    prefix: u8,
}

/// The addresses of the LAN.
fn lan(family: Family) -> Lan {
    match family {
        Family::V4 => {
            let host = |number| IpAddr::V4(Ipv4Addr::new(100, 64, 0, number));
            Lan { client: host(2), gateway: host(1), prefix: 24 }
        }
        Family::V6 => {
            let host = |number| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x64, 0, 0, 0, 0, number));
            Lan { client: host(2), gateway: host(1), prefix: 64 }
        }
    }
}

/// The addresses for which a provider answers.
fn gateways(uplink: &Uplink) -> BTreeSet<IpAddr> {
    let own = uplink.plans().filter_map(|plan| plan.gateway);
    own.chain([IpAddr::V6(LINK_LOCAL_GATEWAY)]).collect()
}

/// Locally administered; told apart by side and number.
fn mac(side: u8, number: usize) -> [u8; 6] {
    let [low, high, ..] = number.to_le_bytes();
    [0x02, 0, 0, side, high, low]
}
