use core::time::Duration;

use proptest::prelude::*;

use super::super::Why;
use super::*;

const DEVICE: u32 = 4;
const NOW: Moment = Moment { wall_ns: 10_000, boot_ns: 0 };
const LABEL: Label = Label { round: 70_000, target: 9, sent: Moment { wall_ns: 1_000, boot_ns: 0 } };

fn verifier(family: Family) -> Verifier {
    let counters = Counters::default();
    Verifier { key: Key::new(), family, start: Start::Icmp, id: 77, device: DEVICE, counters }
}

fn target(family: Family) -> IpAddr {
    match family {
        Family::V4 => "192.0.2.9".parse().unwrap(),
        Family::V6 => "2001:db8::9".parse().unwrap(),
    }
}

fn reply(verifier: &Verifier) -> [u8; packet::LENGTH] {
    let mut bytes = [0; packet::LENGTH];
    verifier.write(&mut bytes, target(verifier.family), LABEL);
    bytes[0] = packet::reply_type(verifier.family);
    bytes
}

fn arrival(family: Family, bytes: &[u8]) -> Arrival<'_> {
    Arrival { bytes, source: Some(target(family)), device: Some(DEVICE), at_ns: Some(4_000) }
}

#[test]
fn a_genuine_answer_is_told_with_its_time_as_often_as_it_comes() {
    for family in Family::ALL {
        let mut verifier = verifier(family);
        let bytes = reply(&verifier);
        let answer = Report::Answer { round: 70_000, target: 9, rtt: Some(Duration::from_micros(3)) };
        for _ in 0..2 {
            assert_eq!(verifier.judge(&arrival(family, &bytes), NOW), Some(answer));
        }
        let timeless = Arrival { at_ns: None, ..arrival(family, &bytes) };
        let answer = Report::Answer { round: 70_000, target: 9, rtt: None };
        assert_eq!(verifier.judge(&timeless, NOW), Some(answer));
        assert_eq!(verifier.counters, Counters::default());
    }
}

#[test]
fn an_answer_from_another_address_or_device_is_counted_as_forged() {
    let mut verifier = verifier(Family::V4);
    let bytes = reply(&verifier);
    let genuine = arrival(Family::V4, &bytes);
    let wrong = [
        Arrival { source: Some("192.0.2.10".parse().unwrap()), ..genuine },
        Arrival { source: None, ..genuine },
        Arrival { device: Some(DEVICE + 1), ..genuine },
        Arrival { device: None, ..genuine },
    ];
    for (count, arrival) in (1..).zip(wrong) {
        assert_eq!(verifier.judge(&arrival, NOW), None);
        assert_eq!(verifier.counters, Counters { forged: count, ..Counters::default() });
    }
}

#[test]
fn another_probers_answer_is_forged_even_with_the_same_id() {
    let (mut one, other) = (verifier(Family::V6), verifier(Family::V6));
    assert_eq!(one.judge(&arrival(Family::V6, &reply(&other)), NOW), None);
    assert_eq!(one.counters.forged, 1);
}

#[test]
fn an_answer_with_any_bit_changed_is_not_believed() {
    let mut verifier = verifier(Family::V4);
    let genuine = reply(&verifier);
    for bit in 0..genuine.len() * 8 {
        let mut bytes = genuine;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let report = verifier.judge(&arrival(Family::V4, &bytes), NOW);
        // The kernel looks at code and checksum; they say nothing about whose answer it is.
        assert_eq!(report.is_some(), (8..32).contains(&bit), "bit {bit}");
    }
}

#[test]
fn what_is_cut_short_is_counted_as_such() {
    let mut verifier = verifier(Family::V4);
    let bytes = reply(&verifier);
    for length in 0..bytes.len() {
        assert_eq!(verifier.judge(&arrival(Family::V4, &bytes[..length]), NOW), None);
    }
    assert_eq!(verifier.counters, Counters { forged: 0, truncated: 34, foreign: 8 });
}

#[test]
fn a_queued_error_is_told_if_it_quotes_our_cookie() {
    let mut verifier = verifier(Family::V4);
    let mut bytes = reply(&verifier);
    bytes[0] = packet::request_type(Family::V4);
    let from = "192.0.2.1".parse().unwrap();
    let notice =
        Notice { bytes: &bytes, asked: Some(target(Family::V4)), from: Some(from), kind: 3, code: 10 };
    let report = Report::Unreachable { round: 70_000, target: 9, why: Why::Prohibited, from };
    assert_eq!(verifier.judge_notice(&notice), Some(report));
    let elsewhere = Notice { asked: Some("192.0.2.8".parse().unwrap()), ..notice };
    assert_eq!(verifier.judge_notice(&elsewhere), None);
    assert_eq!(verifier.judge_notice(&Notice { kind: 255, ..notice }), None);
    assert_eq!(verifier.judge_notice(&Notice { bytes: &bytes[..8], ..notice }), None);
    assert_eq!(verifier.counters, Counters { forged: 1, truncated: 1, foreign: 1 });
}

proptest! {
    #[test]
    fn random_bytes_are_never_believed(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for family in Family::ALL {
            for start in [Start::Ip, Start::Icmp] {
                let mut verifier = Verifier { start, ..verifier(family) };
                prop_assert_eq!(verifier.judge(&arrival(family, &bytes), NOW), None);
                let Counters { forged, truncated, foreign } = verifier.counters;
                prop_assert_eq!(forged + truncated + foreign, 1);
            }
        }
    }
}
