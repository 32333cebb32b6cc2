//! With real sockets, each test in a network namespace of its own.

use core::net::IpAddr;
use core::time::Duration;
use std::fs;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Type};

use super::super::Why;
use super::*;
use crate::lab::alone;

/// Index of the loopback device of every namespace.
const LO: u32 = 1;
const HERE4: &str = "127.0.0.1";
const HERE6: &str = "::1";

fn loopback_up() {
    let mut link = LinkMessage::default();
    link.header.index = LO;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::SetLink(link));
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_ROUTE).unwrap();
    socket.send_to(&bytes, &netlink_sys::SocketAddr::new(0, 0), 0).unwrap();
    let (answer, _) = socket.recv_from_full().unwrap();
    let payload = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).unwrap().payload;
    let NetlinkPayload::Error(ack) = payload else { panic!("no acknowledgement: {payload:?}") };
    assert_eq!(ack.code, None, "setting lo up");
}

fn here(family: Family) -> IpAddr {
    match family {
        Family::V4 => HERE4.parse().unwrap(),
        Family::V6 => HERE6.parse().unwrap(),
    }
}

/// A datagram prober, whatever more would be permitted.
fn datagram(family: Family) -> Prober {
    let (domain, protocol) = match family {
        Family::V4 => (Domain::IPV4, Protocol::ICMPV4),
        Family::V6 => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol)).expect("ping_group_range holds our group");
    let opened = socket::datagram(socket, "lo", family).unwrap();
    Prober::with(opened, Key::new(), LO, family)
}

/// A prober of each family and kind.
fn probers() -> Vec<Prober> {
    fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0")
        .expect("/proc/sys is writable, and our group is 0");
    let raw = Family::ALL.map(|family| Prober::open("lo", LO, family).unwrap());
    raw.into_iter().chain(Family::ALL.map(datagram)).collect()
}

fn asks(count: u16, address: IpAddr) -> Vec<Ask> {
    (0..count).map(|target| Ask { target, address }).collect()
}

/// What a prober has to say now. On loopback the answer is there when sending returns.
fn told(prober: &mut Prober) -> Vec<Report> {
    let mut out = Vec::new();
    while prober.receive(&mut out) {}
    out
}

/// Whether it would be woken.
fn is_ready(prober: &Prober) -> bool {
    let mut fds = [PollFd::new(prober.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
}

fn answered(reports: &[Report]) -> Vec<(u64, u16)> {
    let answer = |report: &Report| match *report {
        Report::Answer { round, target, rtt } => {
            let rtt = rtt.expect("nobody sets the clock during a test");
            assert!(rtt > Duration::ZERO && rtt < Duration::from_secs(5), "{rtt:?}");
            Some((round, target))
        }
        Report::Unreachable { .. } | Report::NotSent { .. } | Report::Overflow { .. } => None,
    };
    reports.iter().filter_map(answer).collect()
}

#[test]
fn every_family_and_kind_gets_its_answers_with_their_times() {
    alone(|| {
        loopback_up();
        for mut prober in probers() {
            let family = prober.verifier.family;
            prober.send(u64::MAX - 1, &asks(1000, here(family)), &mut Vec::new());
            assert!(is_ready(&prober));
            let reports = told(&mut prober);
            let expected: Vec<_> = (0..1000).map(|target| (u64::MAX - 1, target)).collect();
            assert_eq!(answered(&reports), expected, "{family:?} {:?}", prober.kind());
            assert_eq!(reports.len(), 1000);
            assert_eq!(prober.counters(), Counters::default());
            assert!(!is_ready(&prober));
        }
    });
}

#[test]
fn raw_is_preferred_and_the_filter_keeps_others_answers_away() {
    alone(|| {
        loopback_up();
        for family in Family::ALL {
            let mut one = Prober::open("lo", LO, family).unwrap();
            let mut other = Prober::open("lo", LO, family).unwrap();
            assert_eq!((one.kind(), other.kind()), (Kind::Raw, Kind::Raw));
            one.send(1, &asks(3, here(family)), &mut Vec::new());
            assert!(!is_ready(&other), "woken for nothing");
            assert_eq!(told(&mut other), []);
            assert_eq!(other.counters(), Counters::default());
            assert_eq!(answered(&told(&mut one)), [(1, 0), (1, 1), (1, 2)]);
        }
    });
}

#[test]
fn a_prober_with_the_same_id_still_believes_only_its_own_answers() {
    alone(|| {
        loopback_up();
        let [mut one, mut other] = [Key::new(), Key::new()]
            .map(|key| Prober::with(socket::open("lo", LO, Family::V4, 99).unwrap(), key, LO, Family::V4));
        one.send(1, &asks(3, here(Family::V4)), &mut Vec::new());
        assert_eq!(told(&mut other), []);
        assert_eq!(other.counters(), Counters { forged: 3, ..Counters::default() });
        assert_eq!(answered(&told(&mut one)).len(), 3);
    });
}

#[test]
fn an_overflow_of_our_own_buffer_is_told_with_the_answers_that_found_room() {
    alone(|| {
        loopback_up();
        for mut prober in probers() {
            setsockopt(&prober, sockopt::RcvBuf, &2048).unwrap();
            prober.send(5, &asks(100, here(prober.verifier.family)), &mut Vec::new());
            let reports = told(&mut prober);
            let dropped = match reports.last() {
                Some(Report::Overflow { dropped }) => usize::try_from(*dropped).unwrap(),
                other => panic!("{other:?} is no overflow"),
            };
            // More may be counted than the answers: a full raw socket drops before it filters.
            let missing = 100 - answered(&reports).len();
            assert!(missing > 0 && dropped >= missing, "{missing} missing, {dropped} dropped");
            assert_eq!(told(&mut prober), [], "told once");
        }
    });
}

#[test]
fn what_cannot_be_sent_is_told_and_the_rest_goes() {
    alone(|| {
        loopback_up();
        for mut prober in probers() {
            let family = prober.verifier.family;
            let (bad, errno) = match family {
                // Broadcasting is refused.
                Family::V4 => ("255.255.255.255", libc::EACCES),
                // There is no route.
                Family::V6 => ("2001:db8::1", libc::ENETUNREACH),
            };
            let wrong = here(if family == Family::V4 { Family::V6 } else { Family::V4 });
            let bad = bad.parse().unwrap();
            let places = [bad, here(family), bad, bad, wrong, here(family), bad];
            let asks: Vec<_> = (0..).zip(places).map(|(target, address)| Ask { target, address }).collect();
            let mut out = Vec::new();
            prober.send(3, &asks, &mut out);
            let failed = |target, errno| Report::NotSent { round: 3, target, errno };
            let expected = [
                failed(4, libc::EAFNOSUPPORT),
                failed(0, errno),
                failed(2, errno),
                failed(3, errno),
                failed(6, errno),
            ];
            assert_eq!(out, expected, "{:?}", prober.kind());
            assert_eq!(answered(&told(&mut prober)), [(3, 1), (3, 5)]);
        }
    });
}

#[test]
fn on_a_device_that_is_down_nothing_can_be_sent() {
    alone(|| {
        for family in Family::ALL {
            let mut prober = Prober::open("lo", LO, family).unwrap();
            let mut out = Vec::new();
            prober.send(8, &asks(1, here(family)), &mut out);
            let Some(Report::NotSent { round: 8, target: 0, errno }) = out.first() else { panic!("{out:?}") };
            assert!([libc::ENETUNREACH, libc::EADDRNOTAVAIL, libc::ENETDOWN].contains(errno), "{errno}");
        }
    });
}

#[test]
fn a_name_that_does_not_fit_the_index_is_refused() {
    alone(|| {
        loopback_up();
        let long = "l".repeat(40);
        for (name, index) in
            [("lo", 2), ("nothing", 1), ("", 1), ("", 0), ("lo\0", 1), (&long, 1), ("lo/../lo", 1)]
        {
            assert!(Prober::open(name, index, Family::V4).is_err(), "{name:?} {index}");
        }
    });
}

/// Sends to ourselves the error that a router would send about the last probe of a prober.
fn refuse(prober: &Prober, kind: u8, code: u8, spoil: bool) {
    let (domain, protocol, ip) = match prober.verifier.family {
        Family::V4 => {
            let ip = vec![0x45, 0, 0, 62, 0, 0, 0, 0, 64, 1, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
            (Domain::IPV4, Protocol::ICMPV4, ip)
        }
        Family::V6 => {
            let here = "::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
            let ip = [vec![0x60, 0, 0, 0, 0, 42, 58, 64], here.to_vec(), here.to_vec()].concat();
            (Domain::IPV6, Protocol::ICMPV6, ip)
        }
    };
    let mut bytes = [vec![kind, code, 0, 0, 0, 0, 0, 0], ip, prober.packets[0].to_vec()].concat();
    if spoil {
        *bytes.last_mut().unwrap() ^= 1;
    }
    if domain == Domain::IPV4 {
        let sum = pnet::packet::util::checksum(&bytes, 1);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let socket = Socket::new(domain, Type::RAW, Some(protocol)).unwrap();
    let to = SocketAddr::new(here(prober.verifier.family), 0);
    assert_eq!(socket.send_to(&bytes, &to.into()).unwrap(), bytes.len());
}

#[test]
fn an_icmp_error_about_a_probe_is_told_and_does_not_hinder_the_next() {
    alone(|| {
        loopback_up();
        for mut prober in probers() {
            let family = prober.verifier.family;
            let errors = match family {
                Family::V4 => {
                    [(3, 13, Why::Prohibited), (3, 1, Why::Unreachable), (11, 0, Why::TimeExceeded)]
                }
                Family::V6 => [(1, 1, Why::Prohibited), (1, 0, Why::Unreachable), (3, 0, Why::TimeExceeded)],
            };
            for (kind, code, why) in errors {
                prober.send(4, &asks(1, here(family)), &mut Vec::new());
                assert_eq!(answered(&told(&mut prober)), [(4, 0)]);
                refuse(&prober, kind, code, false);
                let mut out = Vec::new();
                prober.send(5, &asks(1, here(family)), &mut out);
                assert_eq!(out, [], "an error of the past is not this probe's");
                out.extend(told(&mut prober));
                let error = Report::Unreachable { round: 4, target: 0, why, from: here(family) };
                assert!(out.contains(&error), "{family:?} {:?}: {out:?}", prober.kind());
                assert_eq!((answered(&out), out.len()), (vec![(5, 0)], 2));
            }
            assert_eq!(prober.counters(), Counters::default());
        }
    });
}

#[test]
fn an_icmp_error_that_does_not_quote_our_cookie_is_not_believed() {
    alone(|| {
        loopback_up();
        for mut prober in probers() {
            let family = prober.verifier.family;
            let [_, exceeded] = super::super::packet::error_types(family);
            prober.send(4, &asks(1, here(family)), &mut Vec::new());
            assert_eq!(answered(&told(&mut prober)), [(4, 0)]);
            refuse(&prober, exceeded, 0, true);
            assert_eq!(told(&mut prober), []);
            assert_eq!(prober.counters(), Counters { forged: 1, ..Counters::default() });
        }
    });
}
