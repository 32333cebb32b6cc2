//! The real kernel, asked for the same things.

use super::nexthops::{self, Nexthops};
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::route::{RouteAttribute, RouteScope, RouteType};
use netlink_packet_route::{AddressFamily, address};
use std::io;
use std::os::fd::AsFd;
use uplinkd::engine::Family;
use uplinkd::engine::input::{Address, Input, Link};
use uplinkd::engine::route::{How, Kind, Op, Route};
use uplinkd::kernel::socket::{Drained, Monitor, Requests};
use uplinkd::kernel::{decode, encode};
use uplinkd::lab::wire::{self, End};
use uplinkd::lab::{LabError, Namespace};
use uplinkd::sim::kernel::{Nexthop, Parts, Put, Request, Told};

/// The links, by index.
pub(super) const LINKS: [(u32, &str); 3] = [(11, "wan0"), (12, "wan1"), (13, "wan2")];
/// What is added to an index for the far end's.
const FAR: u32 = 100;

/// A namespace of its own, and one for the far ends of its links.
pub(super) struct Linux {
    near: Namespace,
    far: Namespace,
    requests: Requests,
    beyond: Requests,
    monitor: Monitor,
    nexthops: Nexthops,
}

impl Linux {
    /// Fresh, with the links, which are down.
    pub(super) fn new() -> Result<Self, LabError> {
        let (near, far) = (Namespace::new()?, Namespace::new()?);
        let doing = |source| LabError::Io { doing: "open a monitor".to_owned(), source };
        let mut linux = Self {
            requests: near.requests()?,
            beyond: far.requests()?,
            monitor: near.run(|| Monitor::open(None))?.map_err(doing)?,
            nexthops: near.run(Nexthops::open)?.map_err(doing)?,
            near,
            far,
        };
        // Some systems hand such settings down to new namespaces.
        for setting in ["promote_secondaries", "ignore_routes_with_linkdown"] {
            for of in ["all", "default"] {
                linux.near.set(&format!("ipv4/conf/{of}/{setting}"), "0")?;
            }
        }
        for link in links() {
            linux.add_link(&link)?;
        }
        linux.news().map_err(doing)?;
        Ok(linux)
    }

    /// Does one thing; the kernel's refusal is the inner error.
    pub(super) fn request(&mut self, request: &Request) -> io::Result<Result<(), i32>> {
        let lab = |outcome: Result<(), LabError>| match outcome {
            Ok(()) => Ok(Ok(())),
            Err(LabError::Refused { refused, .. }) => Ok(Err(refused.errno)),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        let (message, flags) = match request {
            Request::Op(op) => encode::request(op),
            Request::AppendRoute(route) => {
                let (message, flags) = encode::request(&Op::PutRoute(route.clone(), How::Prepend));
                (message, flags | NLM_F_APPEND)
            }
            Request::DeleteRoute(parts) => (delete(parts), 0),
            Request::PutRouteBy(route, id, scope, put) => put_by(route, *id, *scope, *put),
            Request::PutNexthop(nexthop, put) => return self.nexthops.put(nexthop, *put),
            Request::DeleteNexthop(id) => return self.nexthops.delete(*id),
            Request::LinkUp(index, up) => return lab(wire::set_up(&mut self.requests, *index, *up)),
            Request::Carrier(index, on) => {
                let outcome = wire::set_up(&mut self.beyond, index + FAR, *on);
                // Asking makes the kernel look at what it has put off.
                let _state = self.requests.get(encode::one_link(*index))?;
                return lab(outcome);
            }
            Request::AddLink(link) => {
                let outcome = self.add_link(link);
                return lab(outcome);
            }
            Request::DeleteLink(index) => return lab(wire::delete_link(&mut self.requests, *index)),
            Request::AddAddress(address) => {
                (Message::NewAddress(address_message(address)), NLM_F_CREATE | NLM_F_EXCL)
            }
            Request::DeleteAddress(address) => (Message::DelAddress(address_message(address)), 0),
        };
        let outcomes = self.requests.transact(vec![(message, flags)])?;
        Ok(outcomes.into_iter().collect::<Result<(), _>>().map_err(|refused| refused.errno))
    }

    /// A veth whose far end is up, without link-local address.
    fn add_link(&mut self, link: &Link) -> Result<(), LabError> {
        let [_, _, _, low] = link.index.to_be_bytes();
        let end =
            |name: &str, index, side| End { name: name.to_owned(), index, mac: [2, 0, 0, 0, side, low] };
        let near = end(&link.name, link.index, 0);
        let far = end(&link.name, link.index + FAR, 1);
        wire::add_veth(&mut self.requests, &near, &far, self.far.as_fd())?;
        wire::without_link_local(&mut self.requests, link.index)?;
        wire::without_link_local(&mut self.beyond, link.index + FAR)?;
        wire::set_up(&mut self.beyond, link.index + FAR, true)
    }

    /// What it has said since the last call.
    pub(super) fn news(&mut self) -> io::Result<Vec<Input>> {
        let mut messages = vec![];
        loop {
            match self.monitor.receive(&mut messages)? {
                Drained::Empty => break,
                Drained::More => {}
                Drained::Overrun => return Err(io::Error::other("this test does not listen fast enough")),
            }
        }
        Ok(messages.iter().flat_map(decode::news).collect())
    }

    /// What it has said of nexthop objects, and of routes that name one.
    pub(super) fn told(&mut self) -> io::Result<Vec<Told>> {
        self.nexthops.news()
    }

    /// Each route with the object that it names, if it does.
    pub(super) fn table(&mut self, family: Family, table: u32) -> io::Result<Vec<(Input, Option<u32>)>> {
        let found = self.requests.dump(encode::table_routes(family, table))?;
        let named = |message: &Message| {
            let id = nexthops::named(message);
            decode::inputs(message).into_iter().map(move |input| (input, id))
        };
        Ok(found.iter().flat_map(named).collect())
    }

    pub(super) fn nexthops(&mut self) -> io::Result<Vec<(Nexthop, u8)>> {
        self.nexthops.dump()
    }

    pub(super) fn rules(&mut self, family: Family) -> io::Result<Vec<Input>> {
        self.dump(encode::all_rules(family))
    }

    pub(super) fn links(&mut self) -> io::Result<Vec<Input>> {
        self.dump(encode::all_links())
    }

    pub(super) fn addresses(&mut self, family: Family) -> io::Result<Vec<Input>> {
        self.dump(encode::all_addresses(family))
    }

    fn dump(&mut self, request: Message) -> io::Result<Vec<Input>> {
        Ok(self.requests.dump(request)?.iter().flat_map(decode::inputs).collect())
    }
}

/// The links of a fresh namespace.
pub(super) fn links() -> Vec<Link> {
    let link = |(index, name): &(u32, &str)| Link {
        index: *index,
        name: (*name).to_owned(),
        up: false,
        // Of the cable.
        carrier: true,
        point_to_point: false,
        ignore_linkdown: Some(false),
    };
    LINKS.iter().map(link).collect()
}

fn put_by(route: &Route, id: u32, scope: u8, put: Put) -> (Message, u16) {
    let (mut message, flags) = encode::request(&Op::PutRoute(route.clone(), How::Prepend));
    if let Message::NewRoute(route) = &mut message {
        route.header.scope = RouteScope::from(scope);
        route.attributes.push(RouteAttribute::NhId(id));
    }
    let more = match put {
        Put::Exclusive => NLM_F_EXCL,
        Put::Prepend => 0,
        Put::Append => NLM_F_APPEND,
        Put::Replace => NLM_F_REPLACE,
    };
    (message, flags | more)
}

fn delete(parts: &Parts) -> Message {
    let route = Route {
        table: parts.table,
        metric: parts.metric,
        destination: parts.destination,
        kind: parts.kind.unwrap_or(Kind::Other(0)),
        hops: parts.hops.clone(),
        protocol: parts.protocol,
        source: parts.source,
        onlink: false,
    };
    let (mut message, _) = encode::request(&Op::DeleteRoute(route));
    if let Message::DelRoute(route) = &mut message {
        route.header.scope = parts.scope.map_or(RouteScope::NoWhere, RouteScope::from);
        route.attributes.extend(parts.nexthop.map(RouteAttribute::NhId));
        if parts.kind.is_none() {
            route.header.kind = RouteType::Unspec;
        }
    }
    message
}

fn address_message(address: &Address) -> AddressMessage {
    let prefix = address.prefix;
    let mut message = AddressMessage::default();
    message.header.index = address.index;
    message.header.prefix_len = prefix.length;
    message.header.scope = address::AddressScope::Universe;
    message.header.family = match prefix.family() {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    if prefix.family() == Family::V6 {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    let far = address.peer.unwrap_or(prefix.address);
    message.attributes = vec![AddressAttribute::Local(prefix.address), AddressAttribute::Address(far)];
    message
}
