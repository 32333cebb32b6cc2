//! The lab keeps its word: what is ordered of the small internet is what a kernel sees of it.
//!
//! A main of its own moves into namespaces before the first thread starts. Where that is forbidden this fails and says
//! why, unless `UPLINKD_SKIP_NETNS=1` is set.

#![allow(clippy::print_stderr, reason = "a test says what it measured and what it could not test")]

use std::error::Error;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use socket2::{Domain, Protocol, Socket, Type};
use uplinkd::engine::Family;
use uplinkd::kernel::socket::{Drained, Monitor};
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{
    AddressPlan, Client, ClientPlan, Complaint, Forgery, LabError, Place, Uplink, World, clock,
};

/// Enough for an answer that comes at all: the lab answers in microseconds, the machine may be busy.
const PATIENCE: Duration = Duration::from_millis(500);
/// Long enough to be sure that none comes.
const SILENCE: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Err(error) = uplinkd::lab::enter() {
        if std::env::var_os("UPLINKD_SKIP_NETNS").is_some_and(|value| value == "1") {
            eprintln!("skipped: {error}");
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error}\nhint: UPLINKD_SKIP_NETNS=1 skips these tests");
        return ExitCode::FAILURE;
    }
    libtest_mimic::run(&arguments, trials()).exit_code()
}

fn trials() -> Vec<Trial> {
    let tests: [(&str, Test); 23] = [
        ("both_gateways_and_the_internet_answer_by_their_own_wire", pings),
        ("a_client_on_the_lan_is_echoed_through_the_router", echoes),
        ("a_client_is_echoed_by_ipv6", echoes_v6),
        ("a_one_way_blackhole_swallows_answers_only", one_way),
        ("silent_loss_leaves_the_gateway_answering", silent_loss),
        ("a_dead_gateway_answers_nothing", dead_gateway),
        ("thirty_percent_loss_is_thirty_percent", loss),
        ("delay_is_what_was_ordered", delay),
        ("duplicates_and_reordering_appear", disorder),
        ("a_cut_is_seen_as_lost_carrier", cut),
        ("a_wire_like_a_nic_has_the_same_index_at_both_ends", nic_like),
        ("carrier_loss_of_a_nic_is_announced_late", nic_is_late),
        ("forged_answers_appear_even_on_a_dead_line", forgeries),
        ("a_dead_target_is_silent_on_its_wire_only", dead_target),
        ("a_gateway_complains_to_order", complaints),
        ("an_interface_returns_with_another_index", restored),
        ("a_new_lease_brings_a_new_gateway", readdressed),
        ("a_point_to_point_link_needs_no_gateway", point_to_point),
        ("two_uplinks_may_share_subnet_and_gateway", twins),
        ("the_counting_service_proves_by_which_wire", counted),
        ("fifty_thousand_frames_a_second_are_answered", fast),
        ("a_program_runs_in_the_router_and_ends_with_its_handle", program),
        ("twenty_worlds_run_side_by_side", crowd),
    ];
    let trial = |(name, test): (&str, Test)| {
        Trial::test(name, move || test().map_err(|error| Failed::from(error.to_string())))
    };
    tests.into_iter().map(trial).collect()
}

type Test = fn() -> Outcome;
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A promise that has to hold.
macro_rules! ensure {
    ($holds:expr, $($context:tt)+) => {
        if !$holds {
            return Err(format!("{} does not hold: {}", stringify!($holds), format!($($context)+)).into());
        }
    };
}

/// An echo request from the router by one device. The answers that come within the time, without their IP header.
fn ping(
    world: &World,
    device: &str,
    to: IpAddr,
    patience: Duration,
    enough: usize,
) -> Result<Vec<Vec<u8>>, LabError> {
    let asked = world.router().run(|| ask(device, to, patience, enough))?;
    asked.map_err(|source| LabError::Io { doing: format!("ping {to} by {device}"), source })
}

fn ask(device: &str, to: IpAddr, patience: Duration, enough: usize) -> io::Result<Vec<Vec<u8>>> {
    let (domain, protocol, kind) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128),
    };
    let mut socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.bind_device(Some(device.as_bytes()))?;
    let mut request = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1];
    request.extend(b"sixteen bytes ok");
    let sum = pnet::packet::util::checksum(&request, 1).to_be_bytes();
    request[2..4].copy_from_slice(&sum);
    socket.send_to(&request, &SocketAddr::new(to, 0).into())?;
    let deadline = clock::now() + patience;
    let mut answers = Vec::new();
    while answers.len() < enough {
        let left = deadline.saturating_duration_since(clock::now());
        if left.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(left))?;
        let mut buffer = [0; 2048];
        match socket.read(&mut buffer) {
            // Echo replies and errors, no neighbour discovery.
            Ok(length) => {
                let skip = if to.is_ipv4() { 20 } else { 0 };
                let answer = &buffer[skip..length];
                if matches!((to, answer[0]), (IpAddr::V4(_), 0 | 3 | 11) | (IpAddr::V6(_), 1 | 3 | 129)) {
                    answers.push(answer.to_vec());
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(answers)
}

fn answers(world: &World, device: &str, to: IpAddr) -> Result<bool, LabError> {
    Ok(!ping(world, device, to, PATIENCE, 1)?.is_empty())
}

fn silent(world: &World, device: &str, to: IpAddr) -> Result<bool, LabError> {
    Ok(ping(world, device, to, SILENCE, 1)?.is_empty())
}

/// Two usual uplinks, each with a default route in both families.
fn routed() -> Result<World, LabError> {
    with_routes(World::builder().build()?)
}

fn with_routes(world: World) -> Result<World, LabError> {
    for at in 0..world.count() {
        for family in Family::ALL {
            if world.uplink(at)?.plan(family).is_some() {
                world.default_route(at, family, u32::try_from(at).unwrap_or(0) + 100, Presence::Present)?;
            }
        }
    }
    Ok(world)
}

fn until(mut condition: impl FnMut() -> Result<bool, LabError>) -> Result<bool, LabError> {
    let deadline = clock::now() + PATIENCE * 4;
    while clock::now() < deadline {
        if condition()? {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(false)
}

fn pings() -> Outcome {
    let world = routed()?;
    for at in 0..2 {
        let uplink = world.uplink(at)?;
        for plan in [uplink.v4, uplink.v6].into_iter().flatten() {
            let gateway = plan.gateway.ok_or("a gateway")?;
            let target = if gateway.is_ipv4() { World::target(1) } else { World::target_v6(1) };
            for to in [gateway, target] {
                let before = world.seen(at)?.echoes_to(to);
                ensure!(answers(&world, &uplink.name, to)?, "{to} by {}", uplink.name);
                ensure!(world.seen(at)?.echoes_to(to) == before + 1, "{to} by {}", uplink.name);
                ensure!(world.seen(at)?.sources.contains_key(&plan.address), "source of {to}");
            }
        }
        let other = world.seen(1 - at)?;
        ensure!(at == 1 || other.echo_requests.is_empty(), "{other:?}");
    }
    world.reset_tallies();
    ensure!(world.seen(0)?.echo_requests.is_empty(), "after a reset");
    Ok(())
}

fn echoed(plan: ClientPlan) -> Outcome {
    let world = routed()?;
    let client = Client::start(&world, plan)?;
    thread::sleep(PATIENCE);
    let losses = client.stop(SILENCE);
    ensure!((400..=520).contains(&losses.sent), "{losses:?}");
    // The first may wait for neighbours.
    ensure!(losses.lost <= 1, "{losses:?}");
    ensure!(losses.repeated == 0, "{losses:?}");
    ensure!(world.seen(0)?.udp_to(plan.target) >= losses.sent - losses.lost, "{:?}", world.seen(0)?);
    ensure!(world.seen(1)?.udp_to(plan.target) == 0, "{:?}", world.seen(1)?);
    Ok(())
}

fn echoes() -> Outcome {
    echoed(ClientPlan::default())?;
    echoed(ClientPlan { place: Place::Router, ..ClientPlan::default() })
}

fn echoes_v6() -> Outcome {
    echoed(ClientPlan { place: Place::Router, target: World::target_v6(1), ..ClientPlan::default() })?;
    let world = routed()?;
    if world.notes().iter().any(|note| note.contains("IPv6")) {
        eprintln!("not tested: {:?}", world.notes());
        return Ok(());
    }
    echoed(ClientPlan { target: World::target_v6(1), ..ClientPlan::default() })
}

fn one_way() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    world.change(0, |line| line.both(|path| path.from_internet.blackhole = true))?;
    ensure!(silent(&world, "wan0", World::target(1))?, "answers must not return");
    ensure!(world.seen(0)?.echoes_to(World::target(1)) == 2, "the question has to arrive");
    ensure!(world.seen(0)?.lost == 1, "{:?}", world.seen(0)?);
    world.change(0, |line| line.blackhole(false))?;
    ensure!(answers(&world, "wan0", World::target(1))?, "after");
    Ok(())
}

fn silent_loss() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.blackhole(true))?;
    let gateway = world.uplink(0)?.v4.and_then(|plan| plan.gateway).ok_or("a gateway")?;
    ensure!(answers(&world, "wan0", gateway)?, "the gateway");
    ensure!(silent(&world, "wan0", World::target(1))?, "the internet");
    ensure!(answers(&world, "wan1", World::target(1))?, "the other uplink");
    Ok(())
}

fn dead_gateway() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.gateway_alive = false)?;
    let gateway = world.uplink(0)?.v4.and_then(|plan| plan.gateway).ok_or("a gateway")?;
    ensure!(silent(&world, "wan0", gateway)?, "the gateway");
    ensure!(world.has_carrier(0)?, "the cable is in");
    ensure!(world.seen(0)?.neighbour_requests > 0, "the router has to look for it");
    ensure!(world.seen(0)?.answered == 0, "{:?}", world.seen(0)?);
    Ok(())
}

fn loss() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    world.change(0, |line| line.v4.to_internet.loss = 0.3)?;
    let plan = ClientPlan { place: Place::Router, rate: 4000, ..ClientPlan::default() };
    let client = Client::start(&world, plan)?;
    thread::sleep(PATIENCE);
    let losses = client.stop(SILENCE);
    ensure!(losses.sent >= 1800, "{losses:?}");
    let percent = losses.lost * 100 / losses.sent;
    ensure!((25..=35).contains(&percent), "{percent} %");
    ensure!(world.seen(0)?.lost == losses.lost, "{:?}", world.seen(0)?);
    ensure!(losses.intervals.iter().map(|interval| interval.sent).sum::<u64>() == losses.sent, "{losses:?}");
    Ok(())
}

fn delay() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    world.change(0, |line| line.round_trip(Duration::from_millis(40)))?;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let before = clock::now();
        ensure!(answers(&world, "wan0", World::target(1))?, "with delay");
        fastest = fastest.min(before.elapsed());
    }
    ensure!((40..60).contains(&fastest.as_millis()), "{fastest:?}");
    Ok(())
}

fn disorder() -> Outcome {
    let world = routed()?;
    world.change(0, |line| {
        line.v4.from_internet.duplicate = 0.5;
        line.v4.to_internet.reorder = 0.2;
        line.v4.to_internet.jitter = Duration::from_millis(2);
    })?;
    let client = Client::start(&world, ClientPlan { place: Place::Router, ..ClientPlan::default() })?;
    thread::sleep(PATIENCE);
    let losses = client.stop(SILENCE);
    ensure!(losses.lost == 0, "{losses:?}");
    ensure!((100..=400).contains(&losses.repeated), "{losses:?}");
    ensure!(losses.slowest >= Duration::from_millis(5), "{losses:?}");
    Ok(())
}

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
                    matches!(message, RouteNetlinkMessage::NewLink(link) if link.header.index == index
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

fn forgeries() -> Outcome {
    let world = routed()?;
    ensure!(answers(&world, "wan0", World::target(1))?, "before");
    let all = [
        Forgery::Payload,
        Forgery::Source,
        Forgery::Sequence,
        Forgery::Identifier,
        Forgery::Truncated,
        Forgery::Late(Duration::from_millis(30)),
    ];
    world.change(0, |line| {
        line.blackhole(true);
        line.forgeries = all.to_vec();
    })?;
    for (to, kind) in [(World::target(1), 0), (World::target_v6(1), 129)] {
        let forged = ping(&world, "wan0", to, PATIENCE, all.len())?;
        ensure!(forged.len() == all.len(), "{to}: {forged:?}");
        let payload = b"sixteen bytes ok";
        let like = |at: usize| (&forged[at][4..6], &forged[at][6..8], &forged[at][8..]);
        ensure!(forged.iter().all(|reply| reply[0] == kind), "{to}: {forged:?}");
        let (id, sequence) = (&[0x12, 0x34][..], &[0, 1][..]);
        ensure!(like(0).2 != payload && like(0).2.len() == payload.len(), "payload {forged:?}");
        ensure!(like(1) == (id, sequence, payload), "source {forged:?}");
        ensure!(like(2).1 != sequence && like(2).0 == id, "sequence {forged:?}");
        ensure!(like(3).0 != id && like(3).1 == sequence, "identifier {forged:?}");
        ensure!(like(4).2 == &payload[..8], "truncated {forged:?}");
        ensure!(like(5) == (id, sequence, payload), "late {forged:?}");
    }
    Ok(())
}

fn dead_target() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.dead = [World::target(1)].into())?;
    ensure!(silent(&world, "wan0", World::target(1))?, "dead");
    ensure!(answers(&world, "wan0", World::target(2))?, "another");
    ensure!(answers(&world, "wan1", World::target(1))?, "by the other wire");
    world.change_all(|line| line.dead.clear());
    ensure!(answers(&world, "wan0", World::target(1))?, "revived");
    Ok(())
}

fn complaints() -> Outcome {
    let world = routed()?;
    world.change(0, |line| line.complaint = Some(Complaint::HostUnreachable))?;
    for (to, expected) in [(World::target(1), [3, 1]), (World::target_v6(1), [1, 3])] {
        let found = ping(&world, "wan0", to, PATIENCE, 1)?;
        ensure!(found.len() == 1 && found[0][..2] == expected, "{to}: {found:?}");
    }
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

fn counted() -> Outcome {
    let world = routed()?;
    let client = Client::start(&world, ClientPlan { answered: false, ..ClientPlan::default() })?;
    thread::sleep(PATIENCE / 2);
    world.default_route(0, Family::V4, 100, Presence::Absent)?;
    thread::sleep(PATIENCE / 2);
    let sent = client.stop(SILENCE).sent;
    let (first, second) = (world.received(0)?, world.received(1)?);
    ensure!(first.distinct > 50 && second.distinct > 50, "{first:?} {second:?}");
    let lost = (0..sent).filter(|sequence| !first.contains(*sequence) && !second.contains(*sequence)).count();
    ensure!(lost <= 2, "{lost} of {sent} lost, though the other route was there");
    Ok(())
}

fn fast() -> Outcome {
    let world = routed()?;
    let plan = ClientPlan { place: Place::Router, rate: 50_000, ..ClientPlan::default() };
    let client = Client::start(&world, plan)?;
    let begin: Instant = client.mark();
    thread::sleep(PATIENCE * 2);
    let losses = client.stop(SILENCE);
    eprintln!(
        "{} datagrams in {:?}, {} lost, slowest {:?}",
        losses.sent,
        begin.elapsed(),
        losses.lost,
        losses.slowest
    );
    let seen = world.seen(0)?;
    ensure!(seen.overflowed == 0, "{seen:?}");
    // A loaded machine may not even send so fast; what was sent has to be answered.
    ensure!(losses.lost * 50 <= losses.sent, "{} of {} lost", losses.lost, losses.sent);
    Ok(())
}

fn program() -> Outcome {
    let world = World::builder().build()?;
    let mut command = std::process::Command::new("/bin/cat");
    command.arg("/proc/self/net/dev").stdout(std::process::Stdio::piped());
    let mut process = world.router().spawn(command)?;
    let mut text = String::new();
    process.stdout.take().ok_or("its output")?.read_to_string(&mut text)?;
    ensure!(text.contains("wan1"), "{text}");
    let mut command = std::process::Command::new("/bin/sleep");
    command.arg("1000");
    let sleeping = world.router().spawn(command)?;
    let id = sleeping.id();
    drop(sleeping);
    ensure!(!std::path::Path::new(&format!("/proc/{id}")).exists(), "process {id} has to be gone");
    Ok(())
}

fn crowd() -> Outcome {
    let workers: Vec<_> = (0..20)
        .map(|_| {
            thread::spawn(|| -> Outcome {
                let world = routed()?;
                for device in ["wan0", "wan1"] {
                    ensure!(answers(&world, device, World::target(1))?, "{device}");
                }
                Ok(())
            })
        })
        .collect();
    for worker in workers {
        worker.join().map_err(|_| "a world panicked")??;
    }
    Ok(())
}
