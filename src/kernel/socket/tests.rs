use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_CREATE, NLM_F_EXCL, NLMSG_DONE, NLMSG_ERROR};
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

use super::raw::Control;
use super::*;
use crate::lab::alone;

/// One control message, as the kernel builds it.
fn bytes(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(16 + payload.len()).unwrap().to_ne_bytes().to_vec();
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(sequence.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    out.extend(payload);
    out.resize(raw::align(out.len()), 0);
    out
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(raw::align(out.len()), 0);
    out
}

fn only(datagram: &[u8]) -> Option<Control> {
    raw::messages(datagram).next().and_then(|message| message.control())
}

fn refused(errno: Errno, text: Option<&str>) -> Control {
    Control::Ended(Err(Refused { errno: errno as i32, text: text.map(str::to_owned) }))
}

#[test]
fn an_acknowledgement_without_a_code_is_success() {
    let payload = [&0i32.to_ne_bytes()[..], &[0; 16]].concat();
    assert_eq!(only(&bytes(NLMSG_ERROR, NLM_F_CAPPED, 7, &payload)), Some(Control::Ended(Ok(()))));
}

#[test]
fn the_explanation_is_found_behind_a_capped_quotation() {
    let payload = [
        &(-(Errno::EEXIST as i32)).to_ne_bytes()[..],
        &[0; 16],
        &attribute(2, &[0; 4]),
        &attribute(1, b"Such a thing exists\0"),
    ]
    .concat();
    let datagram = bytes(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, 7, &payload);
    assert_eq!(only(&datagram), Some(refused(Errno::EEXIST, Some("Such a thing exists"))));
}

#[test]
fn the_explanation_is_found_behind_the_whole_request() {
    let request = bytes(24, 0, 7, &[1, 2, 3, 4, 5]);
    let payload =
        [&(-(Errno::EINVAL as i32)).to_ne_bytes()[..], &request, &attribute(1, b"Invalid scope\0")].concat();
    let datagram = bytes(NLMSG_ERROR, NLM_F_ACK_TLVS, 7, &payload);
    assert_eq!(only(&datagram), Some(refused(Errno::EINVAL, Some("Invalid scope"))));
}

#[test]
fn a_dump_may_end_with_a_refusal_or_with_nothing() {
    assert_eq!(only(&bytes(NLMSG_DONE, 0, 7, &[])), Some(Control::Ended(Ok(()))));
    let payload = [&(-(Errno::ENOENT as i32)).to_ne_bytes()[..], &attribute(1, b"No table\0")].concat();
    assert_eq!(
        only(&bytes(NLMSG_DONE, NLM_F_ACK_TLVS, 7, &payload)),
        Some(refused(Errno::ENOENT, Some("No table")))
    );
}

#[test]
fn broken_lengths_end_a_datagram_and_never_panic() {
    let datagram = bytes(
        NLMSG_ERROR,
        NLM_F_ACK_TLVS,
        7,
        &[&(-1i32).to_ne_bytes()[..], &[0xff; 16], &attribute(1, b"x")].concat(),
    );
    for cut in 0..datagram.len() {
        for value in [0, 1, 3, 0x7f, 0xff] {
            for at in 0..cut {
                let mut damaged = datagram[..cut].to_vec();
                damaged[at] = value;
                for message in raw::messages(&damaged) {
                    let _ = message.control();
                    let _ = message.parse();
                }
            }
        }
    }
    assert_eq!(raw::messages(&[0; 64]).count(), 0, "a length of zero must not loop");
}

#[test]
fn a_refusal_names_the_error_and_the_kernels_words() {
    let mut refused = Refused { errno: 17, text: Some("in the way".to_owned()) };
    assert_eq!(refused.to_string(), "File exists (17): in the way");
    refused.text = None;
    assert_eq!(refused.to_string(), "File exists (17)");
}

fn loopback_up() -> Message {
    let mut link = LinkMessage::default();
    link.header.index = 1;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    Message::SetLink(link)
}

/// To one host of 198.18.0.0/15, by the loopback interface.
fn route(host: u32, table: u8) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header.address_family = AddressFamily::Inet;
    route.header.destination_prefix_length = 32;
    route.header.table = table;
    route.header.protocol = RouteProtocol::Static;
    route.header.scope = RouteScope::Link;
    route.header.kind = RouteType::Unicast;
    let host = Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + host);
    route.attributes = vec![RouteAttribute::Destination(RouteAddress::Inet(host)), RouteAttribute::Oif(1)];
    route
}

fn dump_of(table: u8) -> Message {
    let mut request = RouteMessage::default();
    request.header.address_family = AddressFamily::Inet;
    request.header.table = table;
    Message::GetRoute(request)
}

#[test]
fn every_request_of_several_batches_gets_its_own_answer() {
    alone(|| {
        let mut requests = Requests::open().unwrap();
        assert_eq!(requests.transact(Vec::new()).unwrap(), []);
        assert_eq!(requests.transact(vec![(loopback_up(), 0)]).unwrap(), [Ok(())]);
        // Every tenth is there already, and the kernel goes on behind it.
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        let early = (0..1000).step_by(10).map(|host| (Message::NewRoute(route(host, 200)), flags)).collect();
        assert!(requests.transact(early).unwrap().iter().all(Result::is_ok));
        let all = (0..1000).map(|host| (Message::NewRoute(route(host, 200)), flags)).collect();
        let outcomes = requests.transact(all).unwrap();
        assert_eq!(outcomes.len(), 1000);
        for (host, outcome) in outcomes.iter().enumerate() {
            let expected = host % 10 != 0;
            assert_eq!(outcome.is_ok(), expected, "host {host}: {outcome:?}");
            assert!(outcome.as_ref().err().is_none_or(|refused| refused.is(Errno::EEXIST)));
        }
        assert_eq!(requests.dump(dump_of(200)).unwrap().len(), 1000);
        assert_eq!(requests.skipped(), 0);
    });
}

#[test]
fn routes_that_do_not_matter_are_read_over() {
    alone(|| {
        let mut requests = Requests::open().unwrap();
        requests.transact(vec![(loopback_up(), 0)]).unwrap();
        let mut all: Vec<RouteMessage> = (0..100).map(|host| route(host, 200)).collect();
        all[7].header.protocol = RouteProtocol::Other(117);
        all[8].header.destination_prefix_length = 0;
        all[8].attributes.remove(0);
        let all = all.into_iter().map(|route| (Message::NewRoute(route), NLM_F_CREATE)).collect();
        assert!(requests.transact(all).unwrap().iter().all(Result::is_ok));
        let matters = |head: RouteHead| head.length == 0 || head.protocol == 117;
        assert_eq!(requests.dump_where(dump_of(200), matters).unwrap().len(), 2);
        // The filter is for routes: of links it lets all pass.
        assert_eq!(
            requests.dump_where(Message::GetLink(LinkMessage::default()), |_| false).unwrap().len(),
            1
        );
    });
}

#[test]
fn a_table_that_does_not_exist_is_empty() {
    alone(|| assert_eq!(Requests::open().unwrap().dump(dump_of(201)).unwrap(), []));
}

#[test]
fn a_refusal_carries_the_kernels_words() {
    alone(|| {
        let mut bad = route(1, 200);
        bad.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::new(203, 0, 113, 1))));
        bad.header.scope = RouteScope::Universe;
        let mut requests = Requests::open().unwrap();
        requests.transact(vec![(loopback_up(), 0)]).unwrap();
        let outcomes = requests.transact(vec![(Message::NewRoute(bad), NLM_F_CREATE)]).unwrap();
        let refused = outcomes[0].as_ref().unwrap_err();
        assert!(refused.text.as_ref().is_some_and(|text| text.contains("gateway")), "{refused}");
    });
}

#[test]
fn one_link_can_be_asked_for() {
    alone(|| {
        let mut requests = Requests::open().unwrap();
        let mut link = LinkMessage::default();
        link.header.index = 1;
        let answer = requests.get(Message::GetLink(link.clone())).unwrap().unwrap();
        let Message::NewLink(found) = answer else { panic!("{answer:?}") };
        assert!(found.attributes.contains(&LinkAttribute::IfName("lo".to_owned())));
        link.header.index = 4711;
        let refused = requests.get(Message::GetLink(link)).unwrap().unwrap_err();
        assert!(refused.is(Errno::ENODEV), "{refused}");
    });
}

#[test]
fn a_monitor_hears_of_changes_and_of_its_own_deafness() {
    alone(|| {
        let mut monitor = Monitor::open(Some(64 * 1024)).unwrap();
        let mut heard = Vec::new();
        assert_eq!(monitor.receive(&mut heard).unwrap(), Drained::Empty);
        let mut requests = Requests::open().unwrap();
        requests.transact(vec![(loopback_up(), 0)]).unwrap();
        assert_eq!(monitor.receive(&mut heard).unwrap(), Drained::Empty);
        assert!(heard.iter().any(|message| matches!(message.message, Message::NewLink(_))));
        let localhost = AddressAttribute::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(heard.iter().any(
            |message| matches!(&message.message, Message::NewAddress(found) if found.attributes.contains(&localhost))
        ));
        let many = (0..2000).map(|host| (Message::NewRoute(route(host, 200)), NLM_F_CREATE)).collect();
        assert!(requests.transact(many).unwrap().iter().all(Result::is_ok));
        let mut turns = Vec::new();
        while turns.last() != Some(&Drained::Empty) {
            turns.push(monitor.receive(&mut heard).unwrap());
        }
        assert!(turns.contains(&Drained::Overrun), "{turns:?}");
        assert_eq!((monitor.skipped(), monitor.strangers()), (0, 0));
    });
}

#[test]
fn a_link_of_an_unknown_kind_is_refused_alone() {
    alone(|| {
        let mut link = LinkMessage::default();
        link.attributes =
            vec![LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Other("nosuchkind".to_owned()))])];
        let outcomes = Requests::open()
            .unwrap()
            .transact(vec![(Message::NewLink(link), NLM_F_CREATE | NLM_F_EXCL), (loopback_up(), 0)])
            .unwrap();
        assert!(outcomes[0].as_ref().is_err_and(|refused| refused.is(Errno::EOPNOTSUPP)), "{outcomes:?}");
        assert_eq!(outcomes[1], Ok(()));
    });
}

#[test]
fn a_dump_is_whole_or_an_error_while_others_change_the_table() {
    alone(|| {
        let mut requests = Requests::open().unwrap();
        requests.transact(vec![(loopback_up(), 0)]).unwrap();
        let stable = (0..2000).map(|host| (Message::NewRoute(route(host, 200)), NLM_F_CREATE)).collect();
        assert!(requests.transact(stable).unwrap().iter().all(Result::is_ok));
        let done = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            // A thread inherits the namespace.
            scope.spawn(|| {
                let mut stranger = Requests::open().unwrap();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let (add, delete) =
                        (Message::NewRoute(route(9999, 200)), Message::DelRoute(route(9999, 200)));
                    assert!(stranger.transact(vec![(add, NLM_F_CREATE), (delete, 0)]).is_ok());
                }
            });
            for _ in 0..50 {
                match requests.dump(dump_of(200)) {
                    Ok(found) => assert!((2000..=2001).contains(&found.len()), "{}", found.len()),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}"),
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(requests.dump(dump_of(200)).unwrap().len(), 2000);
    });
}
