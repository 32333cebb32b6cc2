//! What is tried with nexthop objects.
//!
//! An object that can be in a group never changes its family. As its sources read, Linux would not notice that a group of
//! IPv6 has got a member of IPv4 that way, and routes of IPv6 would read it as one of theirs: the kernel that runs this is
//! not the one to try it with. Left out are also resilient groups, bridges' objects and tunnels, numbers of the kernel's
//! choice, and routes with an on-link flag of their own beside the object's.

use super::domain::{self, Domain, PROTOCOLS};
use super::linux::LINKS;
use super::places::{ip, places};
use super::random::Random;
use std::net::IpAddr;
use uplinkd::engine::Family;
use uplinkd::engine::input::Address;
use uplinkd::engine::route::{Hop, Kind, Route};
use uplinkd::sim::kernel::{Kernel, Member, Nexthop, NexthopKind, Parts, Put, PutNexthop, Request};

/// Those that can be in groups, each of one family for good.
const MEMBERS: [(u32, Family); 7] = [
    (1, Family::V4),
    (2, Family::V4),
    (3, Family::V4),
    (4, Family::V6),
    (5, Family::V6),
    (6, Family::V6),
    (7, Family::V6),
];
/// Those that cannot, of any family, or groups themselves.
const OTHERS: [u32; 4] = [8, 9, 10, 11];
/// One that nobody makes.
const NO_NEXTHOP: u32 = 99;
/// The message has 16 bits for it, less one.
const WEIGHTS: [u32; 6] = [1, 1, 2, 255, 256, 1000];
/// `RT_SCOPE_UNIVERSE`, `_LINK` and `_HOST`.
const SCOPES: [u8; 8] = [0, 0, 0, 0, 0, 253, 253, 254];

/// The next thing to do with objects.
pub(super) fn next(random: &mut Random, domain: &Domain, kernel: &Kernel) -> Request {
    match random.below(100) {
        0..38 => {
            let put = random.pick(&[
                PutNexthop::Exclusive,
                PutNexthop::Exclusive,
                PutNexthop::Append,
                PutNexthop::Plain,
                PutNexthop::Replace,
                PutNexthop::Replace,
                PutNexthop::Replace,
                PutNexthop::Change,
            ]);
            Request::PutNexthop(nexthop(random, domain, kernel), put)
        }
        38..41 => Request::DeleteNexthop(id(random, &there(kernel))),
        41..84 => put_route(random, domain, kernel),
        84..95 => delete_route(random, domain, kernel),
        95..98 => Request::LinkUp(random.pick(&LINKS).0, random.percent(85)),
        _ => Request::Carrier(random.pick(&LINKS).0, random.percent(85)),
    }
}

fn there(kernel: &Kernel) -> Vec<Nexthop> {
    kernel.nexthops().map(|(nexthop, _)| nexthop.clone()).collect()
}

/// Mostly one of these.
fn id(random: &mut Random, these: &[Nexthop]) -> u32 {
    let there = random.of(these).filter(|_| random.percent(92)).map(|nexthop| nexthop.id);
    let any = random.pick(&[1, 2, 4, 5, 8, 9, NO_NEXTHOP]);
    there.unwrap_or(any)
}

fn nexthop(random: &mut Random, domain: &Domain, kernel: &Kernel) -> Nexthop {
    let protocol = random.pick(&PROTOCOLS);
    let member = random.percent(60);
    let (id, family) =
        if member { random.pick(&MEMBERS) } else { (random.pick(&OTHERS), random.pick(&Family::ALL)) };
    let kind = match random.below(100) {
        0..70 if !member => NexthopKind::Group(members(random, kernel)),
        // Never made, since nothing is replaced by something of another sort, unless the place is free.
        0..2 => NexthopKind::Group(vec![Member { id: NO_NEXTHOP, weight: 1 }]),
        2..8 => NexthopKind::Blackhole(family),
        _ => {
            let hop = if random.percent(75) { near(random, kernel, family) } else { None };
            let hop = hop.unwrap_or_else(|| domain::hop(random, domain, family));
            let onlink = random.percent(15);
            NexthopKind::Single { family, hop, onlink }
        }
    };
    Nexthop { id, protocol, kind }
}

/// One that will do, mostly: by a link with carrier, in the network of an address of its, or without a gateway.
fn near(random: &mut Random, kernel: &Kernel, family: Family) -> Option<Hop> {
    let links: Vec<u32> = kernel.links().filter(|link| link.carrier).map(|link| link.index).collect();
    let index = random.of(&links)?;
    let own = kernel.dump(family).addresses.into_iter().filter(|own| own.index == index);
    let own: Vec<Address> = own.collect();
    let far = |gateway: &IpAddr| {
        let link_local = matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local());
        link_local || own.iter().any(|own| own.prefix.contains(*gateway))
    };
    let gateways: Vec<IpAddr> = places(family).gateways.iter().map(|text| ip(text)).filter(far).collect();
    Some(Hop { via: random.of(&gateways).filter(|_| random.percent(85)), index })
}

fn members(random: &mut Random, kernel: &Kernel) -> Vec<Member> {
    let blackholes = random.percent(15);
    let wanted = |nexthop: &&Nexthop| blackholes || !matches!(nexthop.kind, NexthopKind::Blackhole(_));
    let there: Vec<u32> = there(kernel).iter().filter(wanted).map(|nexthop| nexthop.id).collect();
    let can = |(id, family): &(u32, Family)| there.contains(id).then_some((*id, *family));
    let mut choice: Vec<(u32, Family)> = MEMBERS.iter().filter_map(can).collect();
    // Such a group is of use to more routes.
    if random.percent(70) {
        let wanted = random.pick(&Family::ALL);
        choice.retain(|(_, family)| *family == wanted);
    }
    let mut members: Vec<Member> = vec![];
    let count = if random.percent(20) { 1 } else { 2 + random.below(2) };
    for _ in 0..count {
        let any = if random.percent(97) { random.of(&choice).map(|(id, _)| id) } else { None };
        let id = any.unwrap_or_else(|| random.pick(&[MEMBERS[0].0, MEMBERS[4].0, OTHERS[0], NO_NEXTHOP]));
        let again = members.iter().any(|member| member.id == id);
        if !again || random.percent(3) {
            members.push(Member { id, weight: random.pick(&WEIGHTS) });
        }
    }
    members
}

fn put_route(random: &mut Random, domain: &Domain, kernel: &Kernel) -> Request {
    let family = random.pick(&Family::ALL);
    let mut these = there(kernel);
    if family == Family::V6 && random.percent(85) {
        these.retain(|nexthop| is_v6(kernel, nexthop));
    }
    if random.percent(35) {
        these.retain(|nexthop| matches!(nexthop.kind, NexthopKind::Group(_)));
    }
    let id = id(random, &these);
    let mut route = domain::route(random, domain, kernel, family);
    if let Some(there) = random.of(&domain::there(kernel, family)).filter(|_| random.percent(50)) {
        // In the place of one that is there, or all that is the same but the place.
        if random.percent(70) {
            (route.destination, route.metric) = (there.destination, there.metric);
        } else {
            (route.metric, route.protocol, route.source) = (there.metric, there.protocol, there.source);
        }
        route.table = there.table;
    }
    if random.percent(80) {
        route.kind = Kind::Unicast;
    }
    let unicast = route.kind == Kind::Unicast;
    let route = Route {
        // Who names an object names no hops.
        hops: if random.percent(2) && unicast { route.hops } else { vec![] },
        source: route.source.filter(|_| unicast),
        // The flag is the object's; routes that have it too are shown as if they had not, but are others.
        onlink: false,
        ..route
    };
    let scope = if unicast && family == Family::V4 { random.pick(&SCOPES) } else { 0 };
    let put = random.pick(&[Put::Exclusive, Put::Prepend, Put::Append, Put::Replace]);
    Request::PutRouteBy(route, id, scope, put)
}

fn delete_route(random: &mut Random, domain: &Domain, kernel: &Kernel) -> Request {
    let family = random.pick(&Family::ALL);
    let ways = domain::TABLES.iter().flat_map(|table| kernel.ways(family, *table));
    let mut ways: Vec<(Route, Option<u32>)> = ways.collect();
    let foreign = |hop: &Hop| hop.via.is_some_and(|via| Family::of(via) != family);
    if random.percent(85) {
        ways.retain(|(_, nexthop)| nexthop.is_some());
    }
    let (victim, nexthop) = match random.of(&ways) {
        Some(way) => way,
        None => (domain::route(random, domain, kernel, family), None),
    };
    let mut parts = Parts::of(&victim);
    parts.metric *= u32::from(random.percent(60));
    parts.protocol *= u8::from(random.percent(60));
    // A route that names a blackhole is shown as one, but is not found as one.
    parts.kind = parts.kind.filter(|_| random.percent(30));
    parts.scope = random.percent(15).then(|| random.pick(&SCOPES));
    parts.source = parts.source.filter(|_| random.percent(50));
    if parts.hops.iter().any(foreign) || random.percent(90) {
        parts.hops.clear();
    } else if random.percent(50) {
        parts.hops.iter_mut().for_each(|hop| hop.index = LINKS[0].0);
    }
    parts.nexthop = match random.below(10) {
        0..5 => nexthop,
        5 => Some(id(random, &there(kernel))),
        _ => None,
    };
    // Named, but by no more than nothing, hops are a mistake to IPv6 alone.
    parts.hops.retain(|hop| parts.nexthop.is_none() || hop.index != 0);
    Request::DeleteRoute(parts)
}

fn is_v6(kernel: &Kernel, nexthop: &Nexthop) -> bool {
    match &nexthop.kind {
        NexthopKind::Blackhole(family) | NexthopKind::Single { family, .. } => *family == Family::V6,
        NexthopKind::Group(members) => members.iter().all(|member| {
            kernel.nexthops().any(|(nexthop, _)| nexthop.id == member.id && is_v6(kernel, nexthop))
        }),
    }
}

/// All objects go, groups first: what is deleted is there.
pub(super) fn end(kernel: &Kernel) -> Vec<Request> {
    let mut all = there(kernel);
    all.sort_by_key(|nexthop| !matches!(nexthop.kind, NexthopKind::Group(_)));
    all.into_iter().map(|nexthop| Request::DeleteNexthop(nexthop.id)).collect()
}
