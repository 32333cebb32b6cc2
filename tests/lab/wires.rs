//! Cables, interfaces and addresses.

use std::error::Error;
use std::io;
use std::time::Duration;

use uplinkd::engine::Family;
use uplinkd::kernel::socket::{Drained, Monitor};
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{AddressPlan, LabError, Uplink, World, clock};

use crate::Test;
use crate::support::{Outcome, answers, ensure, routed, until, with_routes};

/// Names are sentences.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("a_cut_is_seen_as_lost_carrier", cut),
    ("a_wire_like_a_nic_has_the_same_index_at_both_ends", nic_like),
    ("carrier_loss_of_a_nic_is_announced_late", nic_is_late),
    ("an_interface_returns_with_another_index", restored),
    ("a_new_lease_brings_a_new_gateway", readdressed),
    ("a_point_to_point_link_needs_no_gateway", point_to_point),
    ("two_uplinks_may_share_subnet_and_gateway", twins),
];

fn cut() -> Outcome {
    let world = routed()?;
    ensure!(world.has_carrier(0)?, "before");
    world.cut(0)?;
    ensure!(until(|| Ok(!world.has_carrier(0)?))?, "cut");
    ensure!(world.has_carrier(1)?, "the other one");
    world.mend(0)?;
    ensure!(until(|| world.has_carrier(0))?, "mended");
    ensure!(until(|| answers(&world, "wan0", World::target(1)))?, "mended");
    Ok(())
}

fn nic_like() -> Outcome {
    let world =
        World::builder().uplink(Uplink::numbered(0).like_a_nic()).uplink(Uplink::numbered(1)).build()?;
    for (at, device, expected) in [(0, "wan0", true), (1, "wan1", false)] {
        let iflink = world.router().run(|| sysless_iflink(device))?.map_err(|error| error.to_string())?;
        ensure!((iflink == Some(world.index(at)?)) == expected, "{device}: {iflink:?}");
    }
    world.default_route(0, Family::V4, 1, Presence::Present)?;
    ensure!(answers(&world, "wan0", World::target(1))?, "a NIC carries packets too");
    Ok(())
}

/// The index of the other end, by netlink: `/sys` shows the namespace in which it was mounted.
fn sysless_iflink(device: &str) -> io::Result<Option<u32>> {
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::link::{LinkAttribute, LinkMessage};
    let mut request = LinkMessage::default();
    request.attributes = vec![LinkAttribute::IfName(device.to_owned())];
    let mut requests = uplinkd::kernel::socket::Requests::open()?;
    let Ok(RouteNetlinkMessage::NewLink(link)) = requests.get(RouteNetlinkMessage::GetLink(request))? else {
        return Ok(None);
    };
    // The kernel leaves it out where it equals the link's own and there is no other namespace.
    let other = link
        .attributes
        .iter()
        .find_map(|attribute| if let LinkAttribute::Link(index) = attribute { Some(*index) } else { None });
    Ok(Some(other.unwrap_or(link.header.index)))
}

/// How long the kernel takes to announce that a cable was cut, at worst of several.
fn announcement(world: &World, times: usize) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::link::LinkFlags;
    let index = world.index(0)?;
    let mut monitor = world.router().run(|| Monitor::open(None))??;
    let mut heard = Vec::new();
    let mut worst = Duration::ZERO;
    for _ in 0..times {
        for up in [false, true] {
            while monitor.receive(&mut heard)? != Drained::Empty {}
            heard.clear();
            let before = clock::now();
            if up {
                world.mend(0)?;
            } else {
                world.cut(0)?;
            }
            let told = until(|| {
                monitor
                    .receive(&mut heard)
                    .map_err(|source| LabError::Io { doing: "listen".into(), source })?;
                Ok(heard.iter().any(|message| {
                    matches!(&message.message, RouteNetlinkMessage::NewLink(link) if link.header.index == index
                        && link.header.flags.contains(LinkFlags::LowerUp) == up)
                }))
            })?;
            ensure!(told, "announced at all");
            if !up {
                worst = worst.max(before.elapsed());
            }
        }
    }
    Ok(worst)
}

fn nic_is_late() -> Outcome {
    let nic = World::builder().uplink(Uplink::numbered(0).like_a_nic()).build()?;
    let late = announcement(&nic, 4)?;
    ensure!(late > Duration::from_millis(100), "a NIC's loss of carrier waits its turn: {late:?}");
    let veth = World::builder().uplink(Uplink::numbered(0)).build()?;
    let prompt = announcement(&veth, 4)?;
    ensure!(prompt < Duration::from_millis(100), "a veth's is urgent: {prompt:?}");
    Ok(())
}

fn restored() -> Outcome {
    let world = routed()?;
    let before = world.index(0)?;
    world.remove(0)?;
    ensure!(matches!(world.index(0), Err(LabError::NoUplink(0))), "removed");
    ensure!(world.cut(0).is_err() && world.remove(0).is_err(), "there is nothing to cut");
    world.restore(0)?;
    ensure!(world.index(0)? != before, "another index");
    world.default_route(0, Family::V4, 100, Presence::Present)?;
    ensure!(answers(&world, "wan0", World::target(1))?, "restored");
    Ok(())
}

fn readdressed() -> Outcome {
    let world = routed()?;
    let plan = AddressPlan::new([198, 18, 7, 10], 24, [198, 18, 7, 254]);
    world.readdress(0, Family::V4, Some(plan))?;
    ensure!(answers(&world, "wan0", [198, 18, 7, 254].into())?, "the new gateway");
    world.default_route(0, Family::V4, 100, Presence::Present)?;
    ensure!(answers(&world, "wan0", World::target(1))?, "by the new gateway");
    world.readdress(0, Family::V4, None)?;
    ensure!(world.uplink(0)?.v4.is_none(), "without an address");
    Ok(())
}

fn point_to_point() -> Outcome {
    let world = with_routes(World::builder().uplink(Uplink::numbered(0).point_to_point()).build()?)?;
    ensure!(answers(&world, "wan0", World::target(1))?, "by IPv4");
    ensure!(answers(&world, "wan0", World::target_v6(1))?, "by IPv6");
    Ok(())
}

fn twins() -> Outcome {
    let plan = |host| AddressPlan::new([192, 0, 2, host], 24, [192, 0, 2, 1]);
    let world = World::builder()
        .uplink(Uplink::numbered(0).with_v4(plan(10)).without_v6())
        .uplink(Uplink::numbered(1).with_v4(plan(11)).without_v6())
        .build()?;
    let world = with_routes(world)?;
    for (at, device) in [(0, "wan0"), (1, "wan1")] {
        ensure!(answers(&world, device, World::target(1))?, "{device}");
        ensure!(world.seen(at)?.echoes_to(World::target(1)) == 1, "{device}: {:?}", world.seen(at)?);
    }
    Ok(())
}
