//! Flow flush: when connections are to be forgotten, and which.

use super::world::{MS, Path, SECOND, World, address, dual, settings};
use crate::engine::family::{MAX_LEFT, remember};
use crate::engine::input::Input;
use crate::engine::settings::Flows;
use crate::machine::{Command, Selection};
use std::collections::BTreeSet;
use std::mem::take;
use std::net::IpAddr;

/// Without the place among the operations.
fn forgotten(world: &World) -> Vec<&str> {
    world.flushes.iter().filter_map(|flush| Some(flush.split_once(" after ")?.0)).collect()
}

#[test]
fn those_of_the_line_that_was_left_are_forgotten_once_when_the_new_route_is_in() {
    let mut world = World::settled(settings(2));
    assert_eq!(world.flushes, Vec::<String>::new(), "the first choice leaves no line");
    world.carrier(0, false);
    world.run(10 * SECOND);
    assert_eq!(take(&mut world.flushes), ["Udp of 192.0.2.10 after 1 operations"]);
    world.carrier(0, true);
    world.run(80 * SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
    assert_eq!(world.flushes, ["Udp of 192.0.3.10 after 2 operations"], "{:#?}", world.ops);
}

#[test]
fn as_long_as_the_kernel_refuses_the_new_route_nothing_is_forgotten() {
    let mut world = World::settled(settings(2));
    world.refuse = (2, 12);
    world.tell(Input::Operator(Command::Use(1)));
    world.run(MS);
    assert_eq!(world.flushes, Vec::<String>::new());
    world.run(SECOND);
    assert_eq!(world.flushes.len(), 1, "{:?}", world.flushes);
}

#[test]
fn what_the_active_line_carries_stays_although_it_was_left_for_a_moment() {
    let mut world = World::settled(settings(2));
    world.refuse = (1, 12);
    world.tell(Input::Operator(Command::Use(1)));
    world.tell(Input::Operator(Command::Use(0)));
    world.run(10 * SECOND);
    assert_eq!(world.selection(), Selection::Pinned { uplink: 0 });
    assert_eq!(world.flushes, ["Udp of 192.0.3.10 after 0 operations"]);
}

#[test]
fn while_nothing_carries_traffic_nothing_is_forgotten() {
    let mut world = World::settled(settings(2));
    world.paths[1] = Path::Silent;
    world.run(10 * SECOND);
    world.tell(Input::Drain(1));
    world.tell(Input::Drain(0));
    world.run(10 * SECOND);
    assert_eq!(world.flushes, Vec::<String>::new());
    world.paths[1] = Path::Answers(20 * MS);
    world.tell(Input::Undrain(1));
    world.run(10 * SECOND);
    assert_eq!(world.engine.report(world.now).families[0].active, Some(1));
    assert_eq!(forgotten(&world), ["Udp of 192.0.2.10"]);
}

#[test]
fn it_is_done_as_is_wanted_and_for_each_family() {
    for (wanted, expected) in [
        (None, vec![]),
        (Some(Flows::Udp), vec!["Udp of 192.0.2.10", "Udp of 2001:db8::10"]),
        (Some(Flows::All), vec!["All of 192.0.2.10", "All of 2001:db8::10"]),
    ] {
        let mut settings = dual(2);
        settings.routing.flow_flush = wanted;
        let mut world = World::settled(settings);
        world.carrier(0, false);
        world.run(SECOND);
        assert_eq!(forgotten(&world), expected);
    }
}

#[test]
fn an_address_that_goes_after_its_line_was_left_is_remembered_and_one_that_the_active_line_has_too_is_spared()
{
    let mut world = World::settled(settings(2));
    world.refuse = (1, 12);
    world.tell(Input::Operator(Command::Use(1)));
    world.tell(Input::AddressGone(address(10, "192.0.2.10", 24)));
    world.run(SECOND);
    assert_eq!(forgotten(&world), ["Udp of 192.0.2.10"]);
    world.flushes.clear();
    world.tell(Input::Operator(Command::Use(0)));
    world.run(10 * SECOND);
    assert_eq!(forgotten(&world), ["Udp of 192.0.3.10"], "{:#?}", world.timeline);
    // Twin sticks: both lines have one address.
    world.flushes.clear();
    for index in [10, 11] {
        world.tell(Input::Address(address(index, "192.0.9.10", 24)));
    }
    world.tell(Input::Operator(Command::Use(1)));
    world.run(SECOND);
    assert_eq!(forgotten(&world), ["Udp of 192.0.2.10"], "{:#?}", world.timeline);
}

#[test]
fn those_of_an_address_that_the_active_line_loses_are_forgotten_once_traffic_has_another() {
    let mut world = World::settled(settings(2));
    world.number(10, &[]);
    world.run(SECOND);
    assert_eq!(world.selection(), Selection::Waiting { active: 1 });
    assert_eq!(forgotten(&world), ["Udp of 192.0.2.10"], "by the other line");

    let mut world = World::settled(settings(2));
    world.number(10, &["192.0.2.10", "192.0.2.77"]);
    world.run(SECOND);
    assert_eq!(forgotten(&world), Vec::<&str>::new());
    world.number(10, &["192.0.2.77"]);
    world.run(SECOND);
    assert_eq!(world.selection(), Selection::Primary { active: 0 });
    assert_eq!(forgotten(&world), ["Udp of 192.0.2.10"], "by the line's other address");

    let mut world = World::settled(settings(2));
    world.paths[1] = Path::Silent;
    world.run(20 * SECOND);
    world.number(10, &[]);
    world.run(10 * SECOND);
    assert_eq!(forgotten(&world), Vec::<&str>::new(), "there is no better place");
    world.number(10, &["192.0.2.77"]);
    world.run(10 * SECOND);
    assert_eq!(forgotten(&world), ["Udp of 192.0.2.10"], "it came back as another");
    // And where it comes back as the same one, they are best off as they are.
    world.flushes.clear();
    world.number(10, &[]);
    world.run(10 * SECOND);
    world.number(10, &["192.0.2.77"]);
    world.run(10 * SECOND);
    assert_eq!(forgotten(&world), Vec::<&str>::new());
}

#[test]
fn while_a_pinned_line_has_no_carrier_traffic_stays_where_it_is_and_nothing_is_forgotten() {
    let mut world = World::settled(settings(2));
    world.carrier(1, false);
    world.tell(Input::Operator(Command::Use(1)));
    world.run(SECOND);
    assert_eq!(world.selection(), Selection::Pinned { uplink: 1 });
    assert_eq!(forgotten(&world), Vec::<&str>::new());
}

#[test]
fn so_many_addresses_and_no_more_wait_to_be_forgotten() {
    let addresses: Vec<IpAddr> = (0..4000_u32).map(|number| IpAddr::from(number.to_be_bytes())).collect();
    let mut left = BTreeSet::new();
    for some in addresses.chunks(300) {
        remember(&mut left, some.iter());
    }
    assert_eq!(left, addresses[..MAX_LEFT].iter().copied().collect());
}
