//! A whole small world: a client, the router under test, its uplinks, and the internet behind them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::internet::Internet;
use super::plumbing::{self, Plumbing, Side};
use super::state::{State, Wire};
use super::wire::{self, Presence, Route};
use super::{AddressPlan, LabError, Line, Namespace, Received, Tally, Uplink};
use crate::engine::Family;

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
    /// Needs the privilege that [`super::enter()`] gives, and veth.
    pub fn build(mut self) -> Result<World, LabError> {
        if self.uplinks.is_empty() {
            self.uplinks = [0, 1].map(Uplink::numbered).to_vec();
        }
        let (router, client, far) = (Namespace::new()?, Namespace::new()?, Namespace::new()?);
        // It would greet the router with neighbour discovery of its own. No harm if it does.
        let _ = far.set("ipv6/conf/default/disable_ipv6", "1");
        let notes = plumbing::prepare(&router);
        let wire = |(at, uplink): (usize, &Uplink)| {
            let seed = self.seed.wrapping_add(at as u64);
            Wire::new(plumbing::mac(Side::Far, at), uplink.answers_for_all, seed)
        };
        let state = State::new(self.uplinks.iter().enumerate().map(wire).collect());
        let internet = Internet::start(state, &far)?;
        let plumbing = Plumbing::new(self.uplinks, &router, &far)?;
        let world = World { router, client, far, internet, plumbing: Mutex::new(plumbing), notes };
        world.plumbing().lay_lan(&world.client)?;
        for at in 0..world.count() {
            world.restore(at)?;
        }
        Ok(world)
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
    /// Asking makes the kernel announce a pending change at once. To measure how late it would be by itself, listen.
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
        let far = plumbing.lay(at, &self.far)?;
        let gateways = plumbing.gateways(at)?;
        // The router has no address yet, so that nobody has asked for the gateway.
        if let Some(wire) = self.internet.state().wires.get_mut(at) {
            wire.index = Some(far);
            wire.gateways = gateways;
        }
        plumbing.address(at)
    }

    /// Gives the router another address on an uplink, and the uplink another gateway, as a new lease would.
    ///
    /// # Errors
    /// There is no such uplink, its interface is removed, or netlink failed.
    pub fn readdress(&self, at: usize, family: Family, plan: Option<AddressPlan>) -> Result<(), LabError> {
        let mut plumbing = self.plumbing();
        let index = plumbing.near(at)?;
        let old = std::mem::replace(plumbing.uplink(at)?.plan.plan_mut(family), plan);
        let gateways = plumbing.gateways(at)?;
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
}
