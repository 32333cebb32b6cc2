//! The internet without a kernel: frames in, frames out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::frame::{ETHERNET, Question, TRANSPORT, read, seal};
use super::state::{State, Wire};
use super::weather::{Dice, Lane};
use super::*;

const ROUTER: [u8; 6] = [2, 0, 0, 1, 0, 0];
const GATEWAY: [u8; 6] = [2, 0, 0, 2, 0, 0];
const INDEX: u32 = 7;

/// A packet of a protocol from the router, with true checksums.
fn packet(to: IpAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = [GATEWAY, ROUTER].concat();
    let length = u8::try_from(body.len()).unwrap();
    match to {
        IpAddr::V4(to) => {
            frame.extend([8, 0, 0x45, 0, 0, 20 + length, 0, 0, 0, 0, 7, protocol, 0, 0, 192, 0, 2, 10]);
            frame.extend(to.octets());
        }
        IpAddr::V6(to) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, length, protocol, 7]);
            frame.extend("2001:db8:1::10".parse::<Ipv6Addr>().unwrap().octets());
            frame.extend(to.octets());
        }
    }
    let transport = frame.len();
    frame.extend(body);
    let end = frame.len();
    seal(&mut frame, transport, end).unwrap();
    frame
}

fn echo(to: IpAddr) -> Vec<u8> {
    match to {
        IpAddr::V4(_) => packet(to, 1, b"\x08\0\0\0\x12\x34\0\x01some payload"),
        IpAddr::V6(_) => packet(to, 58, b"\x80\0\0\0\x12\x34\0\x01some payload"),
    }
}

fn udp(to: IpAddr, port: u8, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![0x80, 0, 0, port, 0, u8::try_from(TRANSPORT + payload.len()).unwrap(), 0, 0];
    body.extend(payload);
    packet(to, 17, &body)
}

fn arp(target: Ipv4Addr) -> Vec<u8> {
    let mut frame = [[0xff; 6], ROUTER].concat();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(ROUTER);
    frame.extend([192, 0, 2, 10, 0, 0, 0, 0, 0, 0]);
    frame.extend(target.octets());
    frame
}

/// One wire whose gateway is 192.0.2.1.
fn state() -> State {
    let mut wire = Wire::new(GATEWAY, false, 1);
    wire.index = Some(INDEX);
    wire.gateways = [IpAddr::from([192, 0, 2, 1]), "2001:db8:1::1".parse().unwrap()].into();
    State::new(vec![wire])
}

/// What comes back at once.
fn at_once(state: &mut State, frame: &[u8], now: Instant) -> Vec<Vec<u8>> {
    state.arrive(INDEX, frame, now);
    state.take_outgoing().into_iter().map(|out| out.frame).collect()
}

/// Whoever receives it would find its checksums right.
fn is_sound(frame: &[u8]) -> bool {
    let reading = read(frame).unwrap();
    let mut sealed = frame.to_vec();
    seal(&mut sealed, reading.transport, reading.end).unwrap();
    sealed == frame
}

#[test]
fn an_echo_comes_back_mirrored_and_sound() {
    let mut state = state();
    for to in [World::target(1), World::target_v6(1), [192, 0, 2, 1].into()] {
        let question = echo(to);
        let answers = at_once(&mut state, &question, clock::now());
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert!(is_sound(answer));
        let reading = read(answer).unwrap();
        assert_eq!((reading.source, reading.question), (to, Question::Other), "a reply is no question");
        assert_eq!(reading.payload(answer), b"some payload");
        assert_eq!(answer[..12], [ROUTER, GATEWAY].concat());
    }
    assert_eq!(state.wires[0].tally.answered, 3);
    assert_eq!(state.wires[0].tally.echoes_to(World::target(1)), 1);
}

#[test]
fn datagrams_are_echoed_or_counted_by_port() {
    let mut state = state();
    for to in [World::target(1), World::target_v6(1)] {
        let answers = at_once(&mut state, &udp(to, 7, b"hello"), clock::now());
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert!(is_sound(answer));
        let reading = read(answer).unwrap();
        assert_eq!((reading.source, reading.payload(answer)), (to, &b"hello"[..]));
        assert_eq!(reading.question, Question::Udp(0x8000), "the ports change places");
    }
    for sequence in [5u64, 5, 6, u64::MAX] {
        assert!(
            at_once(&mut state, &udp(World::target(2), 9, &sequence.to_be_bytes()), clock::now()).is_empty()
        );
    }
    let received = &state.wires[0].received;
    assert_eq!((received.distinct, received.repeated, received.unnumbered), (2, 1, 1));
    assert!(received.contains(5) && received.contains(6) && !received.contains(7));
}

#[test]
fn only_the_gateway_answers_for_itself() {
    let mut state = state();
    assert_eq!(at_once(&mut state, &arp([192, 0, 2, 1].into()), clock::now()).len(), 1);
    assert!(at_once(&mut state, &arp([192, 0, 2, 2].into()), clock::now()).is_empty());
    state.wires[0].answers_for_all = true;
    assert_eq!(at_once(&mut state, &arp([192, 0, 2, 2].into()), clock::now()).len(), 1);
    assert!(at_once(&mut state, &arp([192, 0, 2, 10].into()), clock::now()).is_empty(), "its own address");
    state.wires[0].line.gateway_alive = false;
    assert!(at_once(&mut state, &arp([192, 0, 2, 1].into()), clock::now()).is_empty());
}

#[test]
fn a_packet_meets_the_weather_of_the_moment_at_each_end() {
    let (mut state, start) = (state(), clock::now());
    state.wires[0].line.round_trip(Duration::from_millis(100));
    assert!(at_once(&mut state, &echo(World::target(1)), start).is_empty());
    let half = start + Duration::from_millis(50);
    assert_eq!(state.next_due(), Some(half));
    state.mature(half);
    assert_eq!(state.next_due(), Some(start + Duration::from_millis(100)));
    state.mature(start + Duration::from_millis(100));
    assert_eq!((state.take_outgoing().len(), state.next_due()), (1, None));
    // The line goes dead while the question is under way: it arrives, its answer does not return.
    assert!(at_once(&mut state, &udp(World::target(1), 7, b""), start).is_empty());
    state.wires[0].line.blackhole(true);
    state.mature(start + Duration::from_secs(1));
    assert_eq!((state.take_outgoing().len(), state.wires[0].tally.lost), (0, 1));
}

#[test]
fn the_families_fail_separately() {
    let mut state = state();
    state.wires[0].line.v6.to_internet.blackhole = true;
    assert_eq!(at_once(&mut state, &echo(World::target(1)), clock::now()).len(), 1);
    assert!(at_once(&mut state, &echo(World::target_v6(1)), clock::now()).is_empty());
}

#[test]
fn a_flood_on_a_slow_line_is_bounded() {
    let (mut state, now) = (state(), clock::now());
    state.wires[0].line.round_trip(Duration::from_mins(1));
    let frame = echo(World::target(1));
    for _ in 0..70_000 {
        state.arrive(INDEX, &frame, now);
    }
    assert_eq!(state.wires[0].tally.overflowed, 70_000 - 65_536);
}

#[test]
fn jitter_does_not_reorder_and_chance_repeats_itself() {
    let draw = |seed| {
        let weather =
            Weather { jitter: Duration::from_millis(9), loss: 0.2, duplicate: 0.1, ..Weather::default() };
        let (mut lane, mut dice, start) = (Lane::default(), Dice::new(seed), clock::now());
        let step = Duration::from_millis(1);
        (0..1000)
            .map(|at| lane.draw(&weather, start + step * at, &mut dice).first.map(|due| due - start))
            .collect()
    };
    let fates: Vec<Option<Duration>> = draw(3);
    assert!(fates.iter().flatten().is_sorted());
    assert!((150..250).contains(&fates.iter().filter(|fate| fate.is_none()).count()));
    assert_eq!(fates, draw(3));
    assert_ne!(fates, draw(4));
}

#[test]
fn damaged_frames_are_counted_and_never_panic() {
    let frames = [
        echo(World::target(1)),
        echo(World::target_v6(1)),
        udp(World::target(1), 9, b"12345678"),
        arp([192, 0, 2, 1].into()),
        packet("2001:db8:1::1".parse().unwrap(), 58, &[135; 32]),
    ];
    let mut state = state();
    state.wires[0].line.forgeries = vec![Forgery::Truncated, Forgery::Payload, Forgery::Source];
    for frame in &frames {
        for cut in 0..=frame.len() {
            for at in ETHERNET.min(cut)..cut {
                for value in [0, 1, 0x40, 0x4f, 0xff] {
                    let mut damaged = frame[..cut].to_vec();
                    damaged[at] = value;
                    state.arrive(INDEX, &damaged, clock::now());
                }
            }
        }
    }
    assert!(state.wires[0].tally.unreadable > 0);
}
