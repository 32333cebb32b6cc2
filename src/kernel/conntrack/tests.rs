//! The kernel's bytes of a connection; tests/netns/flows has the kernel.

use super::*;
use proptest::prelude::*;

fn nla(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len()).expect("short").to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(raw::align(bytes.len()), 0);
    bytes
}

fn tuple(kind: u16, source: [u8; 4], destination: [u8; 4], protocol: u8) -> Vec<u8> {
    const NESTED: u16 = 0x8000;
    let addresses = [nla(1, &source), nla(2, &destination)].concat();
    nla(NESTED | kind, &[nla(NESTED | 1, &addresses), nla(NESTED | 2, &nla(1, &[protocol]))].concat())
}

const INSIDE: [u8; 4] = [192, 168, 7, 2];
const FAR: [u8; 4] = [203, 0, 113, 1];
const LINE: [u8; 4] = [192, 0, 2, 10];

/// With a counter in between, which says nothing about who it is.
fn connection(answers_to: [u8; 4], protocol: u8) -> Vec<u8> {
    let parts = [
        tuple(1, INSIDE, FAR, protocol),
        tuple(2, FAR, answers_to, protocol),
        nla(9, &[7; 12]),
        nla(12, &[1, 2, 3, 4]),
    ];
    parts.concat()
}

#[test]
fn a_translated_connection_is_told_from_others_and_named_by_its_tuple_and_its_number() {
    let udp = Flow::parse(&connection(LINE, 17)).expect("a connection");
    assert!(udp.is_translated_to(&[LINE.into()]) && udp.is_one_of(Flows::Udp) && udp.is_one_of(Flows::All));
    assert_eq!(udp.name, [tuple(1, INSIDE, FAR, 17), nla(12, &[1, 2, 3, 4])].concat());
    assert!(!udp.is_translated_to(&[FAR.into()]) && !udp.is_translated_to(&[]));
    let tcp = Flow::parse(&connection(LINE, 6)).expect("a connection");
    assert!(!tcp.is_one_of(Flows::Udp) && tcp.is_one_of(Flows::All));
    let plain = Flow::parse(&connection(INSIDE, 17)).expect("a connection");
    assert!(!plain.is_translated_to(&[INSIDE.into()]), "its address is its own");
}

#[test]
fn what_lacks_a_part_is_no_connection() {
    for missing in 0..2 {
        let mut parts = vec![tuple(1, INSIDE, FAR, 17), tuple(2, FAR, LINE, 17)];
        parts.remove(missing);
        assert_eq!(Flow::parse(&parts.concat()), None);
    }
    assert_eq!(Flow::parse(&[]), None);
}

proptest! {
    #[test]
    fn no_bytes_are_trusted(mut bytes in Just(connection(LINE, 17)), at in 0_usize..100, byte: u8, length in 0_usize..200) {
        bytes.truncate(length);
        let end = bytes.len().max(1);
        if let Some(place) = bytes.get_mut(at % end) {
            *place = byte;
        }
        Flow::parse(&bytes);
    }
}
