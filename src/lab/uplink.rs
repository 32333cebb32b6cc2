//! What an uplink of the lab looks like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::engine::Family;

/// The router's address on an uplink, and who passes its packets on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPlan {
    /// The router's own address.
    pub address: IpAddr,
    /// Length of its prefix.
    pub prefix: u8,
    /// The provider's gateway; none on a point-to-point link.
    pub gateway: Option<IpAddr>,
}

impl AddressPlan {
    /// A plan with a gateway.
    #[must_use]
    pub fn new(address: impl Into<IpAddr>, prefix: u8, gateway: impl Into<IpAddr>) -> Self {
        Self { address: address.into(), prefix, gateway: Some(gateway.into()) }
    }
}

/// One uplink to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// Interface name in the router.
    pub name: String,
    /// IPv4, if it has any.
    pub v4: Option<AddressPlan>,
    /// IPv6, if it has any.
    pub v6: Option<AddressPlan>,
    /// Both ends get the same interface index. The kernel then takes the device for a physical one and announces the
    /// loss of its carrier up to a second late.
    pub nic_like: bool,
    /// The far end answers for every address, as if it were point-to-point.
    pub answers_for_all: bool,
}

impl Uplink {
    /// The usual uplink of this number, counted from zero: `wan0` is 192.0.2.10/24, `wan1` 198.51.100.10/24, the
    /// others are of 198.18.0.0/15; IPv6 is 2001:db8:1::10/64 and so on. Gateways end in 1.
    #[must_use]
    pub fn numbered(number: u8) -> Self {
        let v4 = |host| match number {
            0 => Ipv4Addr::new(192, 0, 2, host),
            1 => Ipv4Addr::new(198, 51, 100, host),
            _ => Ipv4Addr::new(198, 18, number, host),
        };
        let v6 = |host| Ipv6Addr::new(0x2001, 0xdb8, u16::from(number) + 1, 0, 0, 0, 0, host);
        Self {
            name: format!("wan{number}"),
            v4: Some(AddressPlan::new(v4(10), 24, v4(1))),
            v6: Some(AddressPlan::new(v6(0x10), 64, v6(1))),
            nic_like: false,
            answers_for_all: false,
        }
    }

    /// With another IPv4 plan.
    #[must_use]
    pub fn with_v4(self, plan: AddressPlan) -> Self {
        Self { v4: Some(plan), ..self }
    }

    /// With another IPv6 plan.
    #[must_use]
    pub fn with_v6(self, plan: AddressPlan) -> Self {
        Self { v6: Some(plan), ..self }
    }

    /// Without IPv6.
    #[must_use]
    pub fn without_v6(self) -> Self {
        Self { v6: None, ..self }
    }

    /// Like a physical NIC in what its carrier does.
    #[must_use]
    pub fn like_a_nic(self) -> Self {
        Self { nic_like: true, ..self }
    }

    /// Like a point-to-point link: host addresses, no gateway, and everything can be reached by it.
    #[must_use]
    pub fn point_to_point(self) -> Self {
        let alone = |plan: AddressPlan, prefix| AddressPlan { prefix, gateway: None, ..plan };
        Self {
            v4: self.v4.map(|plan| alone(plan, 32)),
            v6: self.v6.map(|plan| alone(plan, 128)),
            answers_for_all: true,
            ..self
        }
    }

    /// The plan of one family.
    #[must_use]
    pub fn plan(&self, family: Family) -> Option<AddressPlan> {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    pub(super) fn plan_mut(&mut self, family: Family) -> &mut Option<AddressPlan> {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// Both plans that there are.
    pub(super) fn plans(&self) -> impl Iterator<Item = AddressPlan> {
        [self.v4, self.v6].into_iter().flatten()
    }
}
