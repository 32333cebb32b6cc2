//! What is known of interfaces, addresses and gateways, and what is believed of it.

use super::world::{Path, SECOND, World, address, dual, ip, settings};
use crate::engine::Family;
use crate::engine::input::{Address, Dump, Input, Link};
use crate::engine::inventory::{Facts, Inventory, Learnt, Readiness, learn_gateway};
use crate::engine::route::{Hop, Kind, Prefix, Route};
use crate::engine::settings::{Gateway, Uplink};
use crate::machine::Selection;
use std::collections::BTreeMap;

fn link(index: u32, name: &str) -> Link {
    Link {
        index,
        name: name.to_owned(),
        up: true,
        carrier: true,
        point_to_point: false,
        ignore_linkdown: Some(false),
    }
}

/// The only uplink of these tests: eth0, by 192.0.2.1.
fn uplink() -> Uplink {
    settings(1).uplinks.remove(0)
}

/// An inventory in which that uplink is ready.
fn inventory() -> Inventory {
    let mut inventory = Inventory::new(&[uplink()]);
    inventory.link(link(10, "eth0"));
    inventory.address(address(10, "192.0.2.10", 24));
    inventory
}

fn facts(inventory: &Inventory, uplink: &Uplink) -> Facts {
    inventory.facts(uplink, Family::V4, Learnt::Nothing)
}

fn own(inventory: &Inventory) -> Vec<String> {
    inventory.own_addresses().iter().map(ToString::to_string).collect()
}

#[test]
fn an_interface_beyond_the_limit_is_forgotten_unless_it_is_an_uplinks_or_known() {
    let mut inventory = Inventory::new(&[uplink()]);
    for index in 100..100 + 4096 {
        inventory.link(link(index, &format!("tap{index}")));
    }
    inventory.link(link(9000, "one-more"));
    assert_eq!(inventory.by_name("one-more"), None);
    inventory.link(link(9001, "eth0"));
    assert!(inventory.by_name("eth0").is_some(), "what we live on has room");
    let before = inventory.link(Link { up: false, ..link(100, "tap100") });
    assert!(before.is_some_and(|before| before.up));
    assert!(!inventory.by_name("tap100").unwrap().up, "and what is known is kept up to date");
}

#[test]
fn an_interface_that_does_not_tell_its_carrier_switch_keeps_what_is_known_of_it() {
    let mut inventory = inventory();
    let silent = Link { ignore_linkdown: None, ..link(10, "eth0") };
    let switch = |inventory: &Inventory| inventory.by_name("eth0").unwrap().ignore_linkdown;
    inventory.link(silent.clone());
    assert_eq!(switch(&inventory), Some(false));
    inventory.replace(vec![silent], Family::V4, vec![]);
    assert_eq!(switch(&inventory), Some(false), "nor does a dump forget it");
}

#[test]
fn the_carrier_switch_of_ipv6_is_what_was_read_and_then_what_we_have_set() {
    let mut inventory = inventory();
    let switch = |inventory: &Inventory, family| inventory.linkdown(family).collect::<Vec<_>>();
    assert_eq!(switch(&inventory, Family::V6), [], "a link does not tell it");
    inventory.linkdown_read(BTreeMap::from([(10, false), (99, true)]));
    assert_eq!(switch(&inventory, Family::V6), [(10, false)]);
    inventory.linkdown_set(Family::V6, 10, true);
    assert_eq!(switch(&inventory, Family::V6), [(10, true)]);
    assert_eq!(switch(&inventory, Family::V4), [(10, false)], "each family has its own");
    inventory.linkdown_set(Family::V4, 10, true);
    assert_eq!(switch(&inventory, Family::V4), [(10, true)]);
}

#[test]
fn an_address_that_is_told_again_has_its_new_properties_and_stays_one() {
    let mut inventory = inventory();
    inventory.address(address(10, "192.0.2.11", 24));
    inventory.address(Address { global: false, ..address(10, "192.0.2.10", 24) });
    assert_eq!(facts(&inventory, &uplink()).addresses, [ip("192.0.2.11")], "no longer usable");
    assert_eq!(own(&inventory), ["192.0.2.10", "192.0.2.11"], "but both are ours");
    assert!(inventory.address_gone(address(10, "192.0.2.10", 24)));
    assert_eq!(own(&inventory), ["192.0.2.11"]);
}

#[test]
fn an_address_that_goes_is_news_if_it_was_known() {
    let mut inventory = inventory();
    inventory.address(address(10, "192.0.2.11", 24));
    assert!(!inventory.address_gone(address(10, "192.0.2.12", 24)), "never heard of");
    assert!(!inventory.address_gone(address(11, "192.0.2.10", 24)), "not there");
    assert_eq!(own(&inventory), ["192.0.2.10", "192.0.2.11"]);
    assert!(inventory.address_gone(address(10, "192.0.2.10", 24)));
    assert_eq!(own(&inventory), ["192.0.2.11"]);
    assert!(!inventory.address_gone(address(10, "192.0.2.10", 24)), "gone before");
}

#[test]
fn of_one_interfaces_addresses_a_thousand_and_twenty_four_are_remembered() {
    let mut inventory = inventory();
    for n in 0..1100 {
        inventory.address(address(10, &format!("198.18.{}.{}", n / 250, n % 250), 32));
    }
    assert_eq!(own(&inventory).len(), 1024);
}

#[test]
fn a_dump_of_one_family_leaves_the_addresses_of_the_other_alone() {
    let mut inventory = inventory();
    inventory.address(address(10, "2001:db8::10", 64));
    inventory.replace(vec![link(10, "eth0")], Family::V4, vec![address(10, "192.0.2.99", 24)]);
    assert_eq!(own(&inventory), ["192.0.2.99", "2001:db8::10"]);
}

#[test]
fn a_dump_holds_what_the_kernel_has_and_nothing_else() {
    let mut dump = Dump {
        family: Family::V4,
        links: vec![],
        addresses: vec![],
        routes: vec![],
        rules: vec![],
        linkdown: BTreeMap::new(),
    };
    let empty = dump.clone();
    for other in [Input::Tick, Input::LinkGone(10), Input::RouteGone(World::stranger(0, 1)), Input::Overrun] {
        dump.add(other);
    }
    assert_eq!(dump, empty);
    dump.add(Input::Link(link(10, "eth0")));
    dump.add(Input::Address(address(10, "192.0.2.10", 24)));
    dump.add(Input::Route(World::stranger(0, 100)));
    let found = (dump.links.len(), dump.addresses.len(), dump.routes.len(), dump.rules.len());
    assert_eq!(found, (1, 1, 1, 0));
}

#[test]
fn what_an_uplink_lacks_is_named_from_the_ground_up() {
    let readiness = |inventory: &Inventory, uplink: &Uplink| facts(inventory, uplink).readiness;
    let auto = Uplink { gateway: Gateway::Auto, ..uplink() };
    let mut inventory = Inventory::new(&[uplink()]);
    assert_eq!(
        readiness(&inventory, &Uplink { targets: vec![ip("2001:db8::1")], ..uplink() }),
        Readiness::NoTarget
    );
    assert_eq!(readiness(&inventory, &uplink()), Readiness::NoInterface);
    inventory.link(Link { up: false, carrier: false, ..link(10, "eth0") });
    assert_eq!(readiness(&inventory, &uplink()), Readiness::LinkDown);
    inventory.link(Link { carrier: false, ..link(10, "eth0") });
    assert_eq!(readiness(&inventory, &uplink()), Readiness::NoAddress);
    inventory.address(Address { global: false, ..address(10, "192.0.2.10", 24) });
    inventory.address(address(10, "2001:db8::10", 64));
    assert_eq!(
        readiness(&inventory, &uplink()),
        Readiness::NoAddress,
        "neither tentative nor of the other family"
    );
    inventory.address(address(10, "198.51.100.10", 24));
    assert_eq!(readiness(&inventory, &auto), Readiness::NoGateway);
    assert_eq!(readiness(&inventory, &uplink()), Readiness::GatewayOffLink);
    inventory.address(address(10, "192.0.2.1", 24));
    assert_eq!(readiness(&inventory, &uplink()), Readiness::GatewayIsOwn);
    inventory.address_gone(address(10, "192.0.2.1", 24));
    inventory.address(address(10, "192.0.2.10", 24));
    assert_eq!(readiness(&inventory, &uplink()), Readiness::NoCarrier);
    inventory.link(link(10, "eth0"));
    assert_eq!(readiness(&inventory, &uplink()), Readiness::Ready);
}

#[test]
fn the_way_out_is_known_as_soon_as_the_kernel_can_hold_a_route_for_it() {
    let mut inventory = inventory();
    let hop = Some(Hop { via: Some(ip("192.0.2.1")), index: 10 });
    assert_eq!(facts(&inventory, &uplink()).hop, hop);
    inventory.link(Link { carrier: false, ..link(10, "eth0") });
    assert_eq!(facts(&inventory, &uplink()).hop, hop, "routes are not rewritten for a cable");
    inventory.link(Link { up: false, ..link(10, "eth0") });
    assert_eq!(facts(&inventory, &uplink()).hop, None);
}

#[test]
fn a_gateway_is_a_neighbour_in_a_network_at_the_far_end_or_link_local() {
    let mut inventory = Inventory::new(&[uplink()]);
    inventory.link(link(10, "eth0"));
    inventory.address(Address { peer: Some(ip("192.0.2.1")), ..address(10, "198.51.100.7", 32) });
    assert_eq!(facts(&inventory, &uplink()).readiness, Readiness::Ready, "the far end of a wire");
    inventory.address(address(10, "2001:db8::10", 64));
    let six = |gateway: &str, learnt| {
        let uplink =
            Uplink { gateway6: Gateway::Given(ip(gateway)), targets: vec![ip("2001:db8:f::1")], ..uplink() };
        let facts = inventory.facts(&uplink, Family::V6, learnt);
        (facts.readiness, facts.onlink)
    };
    assert_eq!(six("2001:db8::1", Learnt::Nothing), (Readiness::Ready, false));
    assert_eq!(six("fe80::1", Learnt::Nothing), (Readiness::Ready, false));
    assert_eq!(six("2001:db8:1::1", Learnt::Nothing), (Readiness::GatewayOffLink, true));
}

#[test]
fn a_gateway_that_was_shown_is_believed_only_as_long_as_it_is_a_neighbour() {
    let inventory = inventory();
    let auto = Uplink { gateway: Gateway::Auto, ..uplink() };
    let learnt = |gateway: &str, shown| {
        let facts = inventory.facts(&auto, Family::V4, Learnt::Via { gateway: ip(gateway), shown });
        (facts.readiness, facts.onlink)
    };
    assert_eq!(learnt("192.0.2.1", true), (Readiness::Ready, false));
    assert_eq!(learnt("192.0.2.1", false), (Readiness::Ready, false));
    assert_eq!(learnt("203.0.113.77", true), (Readiness::Ready, true), "the kernel has accepted it");
    assert_eq!(learnt("203.0.113.77", false), (Readiness::GatewayOffLink, true));
    let given =
        inventory.facts(&uplink(), Family::V4, Learnt::Via { gateway: ip("203.0.113.77"), shown: true });
    assert_eq!(given.hop.unwrap().via, Some(ip("192.0.2.1")), "what is given needs no lesson");
}

#[test]
fn no_gateway_is_needed_on_a_wire_or_where_a_route_needs_none() {
    let auto = Uplink { gateway: Gateway::Auto, ..uplink() };
    let mut inventory = inventory();
    let direct = Some(Hop { via: None, index: 10 });
    assert_eq!(facts(&inventory, &auto).hop, None);
    assert_eq!(inventory.facts(&auto, Family::V4, Learnt::Direct).hop, direct);
    inventory.link(Link { point_to_point: true, ..link(10, "eth0") });
    assert_eq!(facts(&inventory, &auto).hop, direct);
}

#[test]
fn a_gateway_is_learnt_from_the_best_default_route_of_the_interface_strangers_before_ours() {
    let via = |gateway: &str| vec![Hop { via: Some(ip(gateway)), index: 10 }];
    let learnt = |routes: &[&Route]| {
        let routes = routes.iter().map(|route| (*route).clone()).collect();
        match learn_gateway(10, &routes, 117) {
            Learnt::Via { gateway, shown: true } => gateway.to_string(),
            other @ (Learnt::Via { shown: false, .. } | Learnt::Direct | Learnt::Nothing) => {
                format!("{other:?}")
            }
        }
    };
    let theirs = Route { hops: via("192.0.2.2"), ..World::stranger(0, 200) };
    let worse = Route { hops: via("192.0.2.3"), ..World::stranger(0, 300) };
    let ours = Route { hops: via("192.0.2.4"), protocol: 117, ..World::stranger(0, 10) };
    let elsewhere = World::stranger(1, 0);
    let network = Prefix { address: ip("198.51.100.0"), length: 24 };
    let specific = Route { destination: network, hops: via("192.0.2.5"), ..World::stranger(0, 0) };
    let refusing = Route { kind: Kind::Prohibit, hops: via("192.0.2.6"), ..World::stranger(0, 0) };
    assert_eq!(learnt(&[&ours, &theirs, &worse, &elsewhere, &specific, &refusing]), "192.0.2.2");
    assert_eq!(
        learnt(&[&ours, &elsewhere, &specific, &refusing]),
        "192.0.2.4",
        "ours is better than nothing"
    );
    assert_eq!(learnt(&[&elsewhere, &specific, &refusing]), "Nothing");
    let direct = Route { hops: vec![Hop { via: None, index: 10 }], ..theirs };
    assert_eq!(learnt(&[&direct, &worse]), "Direct");
}

#[test]
fn a_gateway_that_a_route_shows_is_believed_even_if_no_network_has_it() {
    let mut wants = settings(2);
    wants.uplinks[0].gateway = crate::engine::settings::Gateway::Auto;
    let mut world = World::new(wants);
    let mut shown = World::stranger(0, 100);
    shown.hops[0].via = Some(super::world::ip("198.51.100.77"));
    shown.onlink = true;
    world.routes.insert(shown);
    world.run(5 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    assert_eq!(world.main_table()[0], "default via 198.51.100.77 dev eth0 proto 117 metric 10 onlink");
}

#[test]
fn a_learnt_gateway_outlives_its_route_but_not_its_interface() {
    let mut wants = settings(2);
    wants.uplinks[0].gateway = Gateway::Auto;
    let mut world = World::new(wants);
    world.routes.insert(World::stranger(0, 100));
    world.run(5 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 }, "{:#?}", world.timeline);
    // Set down and up again: the kernel has dropped the routes, and nobody puts the stranger's back.
    let readiness = |world: &World| world.engine.report(world.now).uplinks[0].families[0].1.readiness;
    let down_and_up = |world: &mut World, index| {
        world.links[0].up = false;
        world.routes.retain(|route| !route.uses(10));
        world.tell(Input::Link(world.links[0].clone()));
        assert_eq!(readiness(world), Readiness::LinkDown);
        world.links[0].up = true;
        world.links[0].index = index;
    };
    down_and_up(&mut world, 10);
    world.tell(Input::Link(world.links[0].clone()));
    world.run(SECOND);
    assert_eq!(readiness(&world), Readiness::Ready, "the gateway is remembered");
    down_and_up(&mut world, 30);
    world.tell(Input::LinkGone(10));
    world.tell(Input::Link(world.links[0].clone()));
    world.run(SECOND);
    assert_eq!(readiness(&world), Readiness::NoGateway, "another interface has other neighbours");
}

#[test]
fn an_interface_that_was_replaced_by_another_of_its_name_has_to_prove_itself() {
    let mut world = World::settled(settings(2));
    world.links[0].index = 30;
    world.routes.retain(|route| !route.uses(10));
    world.tell(Input::Overrun);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 }, "{:#?}", world.timeline);
    world.run(5 * SECOND);
    assert_eq!(world.selection(), Selection::Proving { active: 1 }, "{:#?}", world.timeline);
}

#[test]
fn the_kernel_is_read_again_when_an_interface_or_an_address_of_an_uplink_goes_and_not_for_strangers() {
    let mut world = World::settled(settings(2));
    let mut reads = |input: Input| {
        let before = world.dumps;
        world.tell(input);
        world.dumps - before
    };
    assert_eq!(reads(Input::LinkGone(99)), 0, "never heard of");
    assert_eq!(reads(Input::Link(link(99, "tap0"))), 0);
    assert_eq!(reads(Input::AddressGone(address(99, "198.51.100.1", 24))), 0);
    assert_eq!(reads(Input::LinkGone(99)), 1, "the kernel may have dropped routes");
    let kept = address(10, "192.0.2.10", 24);
    assert_eq!(reads(Input::AddressGone(kept)), 1);
    assert_eq!(reads(Input::AddressGone(address(10, "192.0.2.77", 24))), 1, "even one that we have missed");
}

#[test]
fn of_a_new_interface_of_an_uplink_is_read_what_it_does_not_tell() {
    let mut world = World::settled(dual(2));
    let before = world.dumps;
    world.tell(Input::Link(link(99, "tap0")));
    assert_eq!(world.dumps, before, "a stranger's");
    let eth1 = world.links.pop().unwrap();
    world.tell(Input::LinkGone(11));
    let before = world.dumps;
    world.tell(Input::Link(eth1));
    assert_eq!(world.dumps, before + 1);
}

#[test]
fn interfaces_are_called_by_their_names() {
    let mut world = World::new(settings(2));
    world.paths = vec![Path::Silent; 2];
    world.run(SECOND);
    let names: Vec<(u32, String)> = world.engine.names().into_iter().collect();
    assert_eq!(names, [(10, "eth0".to_owned()), (11, "eth1".to_owned())]);
}

#[test]
fn whether_the_kernel_told_its_carrier_switch_is_known_by_interface() {
    let mut world = World::new(settings(2));
    world.links[1].ignore_linkdown = None;
    world.run(SECOND);
    let known = ["eth0", "eth1", "eth2"].map(|name| world.engine.linkdown_is_known(name));
    assert_eq!(known, [true, false, true], "of what is not there nothing is missing");
}

#[test]
fn a_target_that_is_an_address_of_this_machine_is_named() {
    let mut wants = settings(2);
    wants.uplinks[1].targets.push(ip("192.0.2.10"));
    let mut world = World::new(wants);
    world.run(SECOND);
    let named: Vec<&String> = world.timeline.iter().filter(|line| line.contains("OwnTarget")).collect();
    assert_eq!(named, [r#"0.000 OwnTarget(V4, "wan1", 192.0.2.10)"#]);
}
