//! What the providers have set up: interfaces, addresses, and what comes with a lease.

use super::super::kernel::Request;
use super::World;
use crate::engine::Family;
use crate::engine::input::{Address, Link};
use crate::engine::route::{Hop, How, Kind, MAIN_TABLE, Op, Prefix, Route};
use crate::engine::settings::Gateway;
use crate::machine::Id;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `rtm_protocol` of a DHCP client and of router advertisements.
const DHCP: u8 = 16;
const RA: u8 = 9;

impl World {
    /// The interface of an uplink as its provider has set it up: address, and where the gateway is to be learnt the
    /// default route of a DHCP client or of router advertisements.
    pub fn plug(&mut self, id: Id) {
        let uplink = &self.settings.uplinks[usize::from(id)];
        let link = Link {
            index: self.index(id),
            name: uplink.interface.clone(),
            up: false,
            carrier: true,
            point_to_point: false,
            ignore_linkdown: Some(false),
        };
        _ = self.kernel.request(&Request::AddLink(link));
        _ = self.kernel.request(&Request::LinkUp(self.index(id), true));
        self.address(id);
    }

    /// Gives an uplink's interface its addresses, with what comes with a lease.
    pub fn address(&mut self, id: Id) {
        for family in self.families() {
            let (address, learnt) = self.provided(id, family);
            _ = self.kernel.request(&Request::AddAddress(address));
            if let Some(route) = learnt {
                _ = self.kernel.request(&Request::Op(Op::PutRoute(route, How::Add)));
            }
        }
    }

    /// Takes them away.
    pub fn unaddress(&mut self, id: Id) {
        for family in self.families() {
            let (address, _) = self.provided(id, family);
            _ = self.kernel.request(&Request::DeleteAddress(address));
        }
    }

    /// An uplink's address, and the default route that shows its gateway, if that is not given.
    fn provided(&self, id: Id, family: Family) -> (Address, Option<Route>) {
        let uplink = &self.settings.uplinks[usize::from(id)];
        let (given, length) = match family {
            Family::V4 => (uplink.gateway, 24),
            Family::V6 => (uplink.gateway6, 64),
        };
        let address = Address {
            index: self.index(id),
            prefix: Prefix { address: neighbour(self.gateway(id, family)), length },
            peer: None,
            global: true,
        };
        let learnt = (given == Gateway::Auto).then(|| {
            let (metric, protocol) = if family == Family::V4 { (100, DHCP) } else { (1024, RA) };
            self.default_by(id, family, metric + u32::from(id), protocol)
        });
        (address, learnt)
    }

    /// The provider's router.
    pub(super) fn gateway(&self, id: Id, family: Family) -> IpAddr {
        let uplink = &self.settings.uplinks[usize::from(id)];
        match (family, uplink.gateway, uplink.gateway6) {
            (Family::V4, Gateway::Given(gateway), _) | (Family::V6, _, Gateway::Given(gateway)) => gateway,
            (Family::V4, Gateway::Auto, _) => IpAddr::V4(Ipv4Addr::new(100, 64, id, 1)),
            (Family::V6, _, Gateway::Auto) => {
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, u16::from(id) + 1, 0, 0, 0, 0, 1))
            }
        }
    }

    /// A default route by an uplink's gateway, as anybody could write it.
    #[must_use]
    pub fn default_by(&self, id: Id, family: Family, metric: u32, protocol: u8) -> Route {
        Route {
            table: MAIN_TABLE,
            metric,
            destination: Prefix::default_route(family),
            kind: Kind::Unicast,
            hops: vec![Hop { via: Some(self.gateway(id, family)), index: self.index(id) }],
            protocol,
            source: None,
            onlink: false,
        }
    }
}

/// An address beside this gateway's, in its network of 24 or 64 bits.
fn neighbour(gateway: IpAddr) -> IpAddr {
    match gateway {
        IpAddr::V4(gateway) => {
            let [a, b, c, d] = gateway.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, if d == 10 { 11 } else { 10 }))
        }
        IpAddr::V6(gateway) => {
            let mut segments = gateway.segments();
            segments[7] = if segments[7] == 10 { 11 } else { 10 };
            IpAddr::V6(Ipv6Addr::from(segments))
        }
    }
}
