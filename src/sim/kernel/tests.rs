//! What Linux does that one might not expect, as `tests/parity` has found it, and what parity cannot order: a full queue.

use super::errno::{EEXIST, ENETUNREACH, ENOENT, ESRCH};
use super::{Kernel, Member, Nexthop, NexthopKind, Parts, Put, PutNexthop, Request, Told};
use crate::engine::Family;
use crate::engine::input::{Address, Input, Link};
use crate::engine::route::{Hop, How, Kind, MAIN_TABLE, Names, Op, Prefix, Route};
use std::net::IpAddr;

const WAN0: u32 = 11;
const WAN1: u32 = 12;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(index: u32, text: &str, length: u8) -> Address {
    Address { index, prefix: Prefix { address: ip(text), length }, peer: None, global: true }
}

/// Two links that are up, with an address of each family.
fn kernel() -> Kernel {
    let mut kernel = Kernel::new();
    for (index, name) in [(WAN0, "wan0"), (WAN1, "wan1")] {
        let link = Link {
            index,
            name: name.to_owned(),
            up: false,
            carrier: true,
            point_to_point: false,
            ignore_linkdown: Some(false),
        };
        kernel.request(&Request::AddLink(link)).unwrap();
        kernel.request(&Request::LinkUp(index, true)).unwrap();
        let own = [
            address(index, &format!("192.0.{index}.10"), 24),
            address(index, &format!("2001:db8:{index}::10"), 64),
        ];
        for own in own {
            kernel.request(&Request::AddAddress(own)).unwrap();
        }
    }
    kernel.news();
    kernel
}

fn default(via: &str, index: u32, metric: u32, protocol: u8) -> Route {
    Route {
        table: MAIN_TABLE,
        metric,
        destination: Prefix::default_route(Family::of(ip(via))),
        kind: Kind::Unicast,
        hops: vec![Hop { via: Some(ip(via)), index }],
        protocol,
        source: None,
        onlink: false,
    }
}

fn put(kernel: &mut Kernel, route: &Route, how: How) -> Result<(), i32> {
    kernel.request(&Request::Op(Op::PutRoute(route.clone(), how)))
}

fn defaults(kernel: &Kernel, family: Family) -> Vec<String> {
    let names: Names = kernel.links().map(|link| (link.index, link.name.clone())).collect();
    let routes = kernel.dump(family).routes.into_iter().filter(Route::is_default);
    routes.map(|route| route.words(&names)).collect()
}

#[test]
fn of_one_metric_the_last_one_put_is_first_in_ipv4() {
    let mut kernel = kernel();
    put(&mut kernel, &default("192.0.11.1", WAN0, 5, 16), How::Add).unwrap();
    assert_eq!(put(&mut kernel, &default("192.0.12.1", WAN1, 5, 117), How::Add), Err(EEXIST));
    put(&mut kernel, &default("192.0.12.1", WAN1, 5, 117), How::Prepend).unwrap();
    assert_eq!(
        defaults(&kernel, Family::V4),
        [
            "default via 192.0.12.1 dev wan1 proto 117 metric 5",
            "default via 192.0.11.1 dev wan0 proto dhcp metric 5"
        ]
    );
    // What is replaced is the first, whosever it is; a second time nothing happens, and nothing is told.
    kernel.news();
    put(&mut kernel, &default("192.0.12.2", WAN1, 5, 4), How::Replace).unwrap();
    put(&mut kernel, &default("192.0.12.2", WAN1, 5, 4), How::Replace).unwrap();
    assert_eq!(kernel.news(), [Input::RouteReplaced(default("192.0.12.2", WAN1, 5, 4))]);
}

#[test]
fn a_link_that_goes_down_takes_routes_of_ipv4_along_silently() {
    let mut kernel = kernel();
    put(&mut kernel, &default("192.0.11.1", WAN0, 5, 16), How::Add).unwrap();
    put(&mut kernel, &default("2001:db8:11::1", WAN0, 5, 16), How::Add).unwrap();
    kernel.news();
    kernel.request(&Request::LinkUp(WAN0, false)).unwrap();
    let told = kernel.news();
    let gone = |route: &Route| told.contains(&Input::RouteGone(route.clone()));
    assert!(!gone(&default("192.0.11.1", WAN0, 5, 16)) && gone(&default("2001:db8:11::1", WAN0, 5, 16)));
    assert_eq!(defaults(&kernel, Family::V4), Vec::<String>::new());
    // Addresses of IPv4 stay, those of IPv6 go.
    assert_eq!(kernel.dump(Family::V4).addresses.len(), 2);
    assert_eq!(kernel.dump(Family::V6).addresses.len(), 1);
}

#[test]
fn the_last_address_takes_all_routes_of_ipv4_along_silently() {
    let mut kernel = kernel();
    put(&mut kernel, &Route { onlink: true, ..default("203.0.113.1", WAN0, 5, 16) }, How::Add).unwrap();
    kernel.news();
    kernel.request(&Request::DeleteAddress(address(WAN0, "192.0.11.10", 24))).unwrap();
    assert_eq!(defaults(&kernel, Family::V4), Vec::<String>::new());
    // Only of the connected route one hears.
    let told = kernel.news();
    assert!(
        matches!(told.as_slice(), [Input::AddressGone(_), Input::RouteGone(connected)] if !connected.is_default())
    );
}

#[test]
fn routes_of_ipv6_with_one_metric_become_one() {
    let mut kernel = kernel();
    put(&mut kernel, &default("2001:db8:11::1", WAN0, 0, 16), How::Add).unwrap();
    kernel.news();
    put(&mut kernel, &default("2001:db8:12::1", WAN1, 1024, 117), How::Prepend).unwrap();
    // The notification names both, the new one first and with its protocol; a dump names both with that of the first.
    let told = [
        Input::Route(default("2001:db8:12::1", WAN1, 1024, 117)),
        Input::Route(default("2001:db8:11::1", WAN0, 1024, 117)),
    ];
    assert_eq!(kernel.news(), told);
    assert_eq!(
        defaults(&kernel, Family::V6),
        [
            "default via 2001:db8:11::1 dev wan0 proto dhcp metric 1024",
            "default via 2001:db8:12::1 dev wan1 proto dhcp metric 1024"
        ]
    );
    // To delete it without saying by which gateway deletes both.
    let parts = Parts { hops: vec![], ..Parts::of(&default("2001:db8:11::1", WAN0, 1024, 16)) };
    kernel.request(&Request::DeleteRoute(parts.clone())).unwrap();
    assert_eq!(defaults(&kernel, Family::V6), Vec::<String>::new());
    let anyones = Parts { metric: 0, protocol: 0, ..parts };
    assert_eq!(kernel.request(&Request::DeleteRoute(anyones)), Err(ENOENT));
}

#[test]
fn a_gateway_must_be_a_neighbour() {
    let mut kernel = kernel();
    let beyond = default("203.0.113.1", WAN0, 5, 117);
    assert_eq!(put(&mut kernel, &beyond, How::Add), Err(ENETUNREACH));
    put(&mut kernel, &Route { onlink: true, ..beyond }, How::Add).unwrap();
}

#[test]
fn what_does_not_fit_the_queue_is_lost_until_it_was_read() {
    let mut kernel = kernel();
    kernel.set_capacity(2);
    let route = |metric| default("192.0.11.1", WAN0, metric, 117);
    for metric in 1..=4 {
        put(&mut kernel, &route(metric), How::Add).unwrap();
    }
    assert_eq!(kernel.news(), [Input::Overrun, Input::Route(route(1)), Input::Route(route(2))]);
    put(&mut kernel, &route(5), How::Add).unwrap();
    assert_eq!(kernel.news(), [Input::Route(route(5))]);
    assert_eq!(kernel.news(), []);
}

/// An object by a gateway, and in both families a default route that names it or, in IPv4, a group of its own.
fn objects(kernel: &mut Kernel) {
    let single = |id, via: &str| {
        let hop = Hop { via: Some(ip(via)), index: WAN0 };
        let kind = NexthopKind::Single { family: Family::of(ip(via)), hop, onlink: false };
        Nexthop { id, protocol: 4, kind }
    };
    let group = NexthopKind::Group(vec![Member { id: 1, weight: 1 }]);
    for nexthop in
        [single(1, "192.0.11.1"), single(2, "2001:db8:11::1"), Nexthop { id: 3, protocol: 4, kind: group }]
    {
        kernel.request(&Request::PutNexthop(nexthop, PutNexthop::Exclusive)).unwrap();
    }
    for (route, id) in [(default("192.0.11.1", WAN0, 5, 16), 3), (default("2001:db8:11::1", WAN0, 5, 16), 2)]
    {
        let route = Route { hops: vec![], ..route };
        kernel.request(&Request::PutRouteBy(route, id, 0, Put::Exclusive)).unwrap();
    }
}

#[test]
fn routes_that_name_an_object_are_told_with_its_hops() {
    let mut kernel = kernel();
    objects(&mut kernel);
    let told = [default("192.0.11.1", WAN0, 5, 16), default("2001:db8:11::1", WAN0, 5, 16)];
    assert_eq!(kernel.news(), told.map(Input::Route));
    assert_eq!(defaults(&kernel, Family::V4), ["default via 192.0.11.1 dev wan0 proto dhcp metric 5"]);
}

#[test]
fn an_object_does_not_outlive_the_carrier_nor_do_its_routes() {
    let mut kernel = kernel();
    objects(&mut kernel);
    kernel.told();
    kernel.request(&Request::Carrier(WAN0, false)).unwrap();
    // Of the route of IPv4 and of the objects nothing is said; where there are no objects, routes stay.
    let told = kernel.told();
    let gone = Told::RouteBy(Input::RouteGone(default("2001:db8:11::1", WAN0, 5, 16)), 2);
    assert!(matches!(told.as_slice(), [first, Told::Fact(Input::Link(_))] if *first == gone), "{told:?}");
    assert_eq!(kernel.nexthops().count(), 0);
    assert_eq!(defaults(&kernel, Family::V4), Vec::<String>::new());
}

#[test]
fn a_group_goes_with_its_last_member() {
    let mut kernel = kernel();
    objects(&mut kernel);
    kernel.told();
    kernel.request(&Request::DeleteNexthop(1)).unwrap();
    let told = kernel.told();
    let gone = |told: &Told| match told {
        Told::NexthopGone { nexthop, .. } => Some(nexthop.id),
        Told::Nexthop { .. } | Told::Fact(_) | Told::RouteBy(..) => None,
    };
    assert_eq!(told.iter().map(gone).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert_eq!(kernel.request(&Request::DeleteNexthop(3)), Err(ENOENT));
    assert_eq!(defaults(&kernel, Family::V4), Vec::<String>::new());
}

#[test]
fn a_route_of_ipv6_that_names_an_object_is_deleted_by_any_gateway() {
    let mut kernel = kernel();
    objects(&mut kernel);
    let other = |via, index| Request::Op(Op::DeleteRoute(default(via, index, 5, 16)));
    assert_eq!(kernel.request(&other("192.0.11.1", WAN0)), Err(ESRCH));
    kernel.request(&other("2001:db8:12::9", WAN1)).unwrap();
    assert_eq!(defaults(&kernel, Family::V6), Vec::<String>::new());
}
