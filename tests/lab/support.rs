//! What the tests of the lab have in common.

use std::error::Error;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use uplinkd::engine::Family;
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{LabError, World, clock};

/// Enough for an answer that comes at all: the lab answers in microseconds, the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// Long enough to be sure that none comes.
pub(crate) const SILENCE: Duration = Duration::from_millis(100);

pub(crate) type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A promise that has to hold.
macro_rules! ensure {
    ($holds:expr, $($context:tt)+) => {
        if !$holds {
            return Err(format!("{} does not hold: {}", stringify!($holds), format!($($context)+)).into());
        }
    };
}
pub(crate) use ensure;

/// An echo request from the router by one device. The answers that come within the time, without their IP header.
pub(crate) fn ping(
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

pub(crate) fn answers(world: &World, device: &str, to: IpAddr) -> Result<bool, LabError> {
    Ok(!ping(world, device, to, PATIENCE, 1)?.is_empty())
}

pub(crate) fn silent(world: &World, device: &str, to: IpAddr) -> Result<bool, LabError> {
    Ok(ping(world, device, to, SILENCE, 1)?.is_empty())
}

/// Two usual uplinks, each with a default route in both families.
pub(crate) fn routed() -> Result<World, LabError> {
    with_routes(World::builder().build()?)
}

pub(crate) fn with_routes(world: World) -> Result<World, LabError> {
    for at in 0..world.count() {
        for family in Family::ALL {
            if world.uplink(at)?.plan(family).is_some() {
                world.default_route(at, family, u32::try_from(at).unwrap_or(0) + 100, Presence::Present)?;
            }
        }
    }
    Ok(world)
}

pub(crate) fn until(mut condition: impl FnMut() -> Result<bool, LabError>) -> Result<bool, LabError> {
    let deadline = clock::now() + PATIENCE * 4;
    while clock::now() < deadline {
        if condition()? {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(false)
}
