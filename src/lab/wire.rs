//! The few things about links, addresses and routes that a lab does, each by one netlink request.
//!
//! Every function takes the [`Requests`] of the namespace it is about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use netlink_packet_core::{DefaultNla, NLA_F_NESTED, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::LabError;
use crate::engine::Family;
use crate::kernel::encode;
use crate::kernel::socket::Requests;

/// The loopback interface has this index in every namespace.
pub const LOOPBACK: u32 = 1;
/// IFLA_INET_CONF.
const INET_CONF: u16 = 1;
/// Together five seconds; it takes a millisecond on an idle machine.
const READY_ATTEMPTS: usize = 5000;
const READY_PAUSE: Duration = Duration::from_millis(1);

/// RT_TABLE_LOCAL.
const LOCAL_TABLE: u32 = 255;

/// Settings of one interface that the kernel takes by netlink, with their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Setting {
    /// Pass IPv4 packets on that arrive here.
    Forwarding = 1,
    /// Drop packets whose source would be answered by another interface.
    RpFilter = 8,
}

/// One end of a veth pair.
#[derive(Debug, Clone)]
pub struct End {
    /// Interface name.
    pub name: String,
    /// Interface index. If both ends have the same, the kernel takes the device for a physical one, whose carrier
    /// loss is not urgent.
    pub index: u32,
    /// Hardware address.
    pub mac: [u8; 6],
}

impl End {
    fn message(&self) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = self.index;
        link.attributes =
            vec![LinkAttribute::IfName(self.name.clone()), LinkAttribute::Address(self.mac.to_vec())];
        link
    }
}

/// Whether something is to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Add it.
    Present,
    /// Delete it.
    Absent,
}

/// Makes a veth pair between this namespace and another.
///
/// # Errors
/// The kernel refused.
pub fn add_veth(
    requests: &mut Requests,
    near: &End,
    far: &End,
    there: BorrowedFd<'_>,
) -> Result<(), LabError> {
    let mut peer = far.message();
    peer.attributes.push(LinkAttribute::NetNsFd(there.as_raw_fd()));
    let mut link = near.message();
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    let doing = format!("make the wire {}", near.name);
    one(requests, doing, RouteNetlinkMessage::NewLink(link), NLM_F_CREATE | NLM_F_EXCL)
}

/// Deletes a link, and with a veth its other end.
///
/// # Errors
/// The kernel refused.
pub fn delete_link(requests: &mut Requests, index: u32) -> Result<(), LabError> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    one(requests, format!("delete link {index}"), RouteNetlinkMessage::DelLink(link), 0)
}

/// Sets a link up or down.
///
/// # Errors
/// The kernel refused.
pub fn set_up(requests: &mut Requests, index: u32, up: bool) -> Result<(), LabError> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.header.change_mask = LinkFlags::Up;
    link.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    one(requests, format!("set link {index} up or down"), RouteNetlinkMessage::SetLink(link), 0)
}

/// Changes settings of one link, IPv4 only.
///
/// # Errors
/// The kernel refused.
pub fn configure(requests: &mut Requests, index: u32, settings: &[(Setting, u32)]) -> Result<(), LabError> {
    let mut nested = Vec::new();
    for (setting, value) in settings {
        // The packet library leaves zeros out, and zero is what we set most.
        nested.extend_from_slice(&8u16.to_ne_bytes());
        nested.extend_from_slice(&(*setting as u16).to_ne_bytes());
        nested.extend_from_slice(&value.to_ne_bytes());
    }
    let inet = AfSpecInet::Other(DefaultNla::new(INET_CONF | NLA_F_NESTED, nested));
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet(vec![inet])])];
    one(requests, format!("configure link {index}"), RouteNetlinkMessage::SetLink(link), 0)
}

/// Keeps the kernel from choosing a link-local address, which it would not use for a second or two, and forwarded
/// packets of IPv6 not before.
///
/// # Errors
/// The kernel refused.
pub fn without_link_local(requests: &mut Requests, index: u32) -> Result<(), LabError> {
    let inet6 = vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)];
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(inet6)])];
    one(requests, format!("configure link {index}"), RouteNetlinkMessage::SetLink(link), 0)
}

/// Whether the link is there, up, and hears its other end.
///
/// # Errors
/// Netlink failed. A link that does not exist is no error.
pub fn has_carrier(requests: &mut Requests, index: u32) -> Result<bool, LabError> {
    has_flag(requests, index, LinkFlags::LowerUp)
}

/// Waits until the link carries packets. That is a little later than it has carrier: the kernel drops what is sent in
/// between, and a lost ARP request is repeated only after a second.
///
/// # Errors
/// Netlink failed, or the link is still not ready after a generous time.
pub fn wait_ready(requests: &mut Requests, index: u32) -> Result<(), LabError> {
    for _ in 0..READY_ATTEMPTS {
        if has_flag(requests, index, LinkFlags::Running)? {
            return Ok(());
        }
        std::thread::sleep(READY_PAUSE);
    }
    let source = std::io::ErrorKind::TimedOut.into();
    Err(LabError::Io { doing: format!("wait for link {index}"), source })
}

fn has_flag(requests: &mut Requests, index: u32, flag: LinkFlags) -> Result<bool, LabError> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    let answer = requests.get(RouteNetlinkMessage::GetLink(link)).map_err(LabError::io("ask for a link"))?;
    Ok(matches!(answer, Ok(RouteNetlinkMessage::NewLink(link)) if link.header.flags.contains(flag)))
}

/// Adds or deletes an address, which works when this returns. IPv6 addresses are used without looking for duplicates.
///
/// # Errors
/// The kernel refused.
pub fn address(
    requests: &mut Requests,
    index: u32,
    address: IpAddr,
    prefix: u8,
    presence: Presence,
) -> Result<(), LabError> {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = prefix;
    message.header.family = family_of(address);
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    let doing = format!("change address {address}/{prefix} of link {index}");
    match presence {
        Presence::Present => {
            one(requests, doing, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)?;
            wait_local(requests, address)
        }
        Presence::Absent => one(requests, doing, RouteNetlinkMessage::DelAddress(message), 0),
    }
}

/// Waits until packets for an address of this namespace are taken in. With IPv6 a worker of the kernel sees to that, a
/// little after the address is there and used: a neighbour's answer in between is dropped, and the question repeated
/// only after a second.
fn wait_local(requests: &mut Requests, address: IpAddr) -> Result<(), LabError> {
    let IpAddr::V6(own) = address else { return Ok(()) };
    let is_own = |message: &RouteNetlinkMessage| {
        let own = RouteAttribute::Destination(RouteAddress::Inet6(own));
        matches!(message, RouteNetlinkMessage::NewRoute(route) if route.attributes.contains(&own))
    };
    for _ in 0..READY_ATTEMPTS {
        let request = encode::table_routes(Family::V6, LOCAL_TABLE);
        if requests.dump(request).map_err(LabError::io("ask for routes"))?.iter().any(is_own) {
            return Ok(());
        }
        std::thread::sleep(READY_PAUSE);
    }
    let source = std::io::ErrorKind::TimedOut.into();
    Err(LabError::Io { doing: format!("wait for address {address}"), source })
}

/// A route of the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where to; a prefix of length zero is the default route.
    pub destination: (IpAddr, u8),
    /// By whom; none on a point-to-point link.
    pub gateway: Option<IpAddr>,
    /// By which link.
    pub link: u32,
    /// Priority: lower wins.
    pub metric: u32,
}

impl Route {
    /// The default route of a family.
    #[must_use]
    pub fn default_of(family: Family, gateway: Option<IpAddr>, link: u32, metric: u32) -> Self {
        let any = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self { destination: (any, 0), gateway, link, metric }
    }
}

/// Adds or deletes a route, as an administrator would (`proto static`).
///
/// # Errors
/// The kernel refused.
pub fn route(requests: &mut Requests, route: Route, presence: Presence) -> Result<(), LabError> {
    let (destination, prefix) = route.destination;
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(destination);
    message.header.destination_prefix_length = prefix;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    message.header.scope = match route.gateway {
        None if destination.is_ipv4() => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    message.attributes = vec![RouteAttribute::Oif(route.link), RouteAttribute::Priority(route.metric)];
    if prefix > 0 {
        message.attributes.push(RouteAttribute::Destination(route_address(destination)));
    }
    message.attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(route_address(gateway))));
    let doing = format!("change the route to {destination}/{prefix} by link {}", route.link);
    match presence {
        Presence::Present => {
            one(requests, doing, RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
        }
        Presence::Absent => one(requests, doing, RouteNetlinkMessage::DelRoute(message), 0),
    }
}

/// One request that has to succeed.
fn one(
    requests: &mut Requests,
    doing: String,
    message: RouteNetlinkMessage,
    flags: u16,
) -> Result<(), LabError> {
    match requests.transact(vec![(message, flags)]) {
        Ok(outcomes) => outcomes
            .into_iter()
            .collect::<Result<(), _>>()
            .map_err(|refused| LabError::Refused { doing, refused }),
        Err(source) => Err(LabError::Io { doing, source }),
    }
}

fn family_of(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}
