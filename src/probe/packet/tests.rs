use proptest::prelude::*;

use super::*;

const ID: u16 = 0xbeef;
const PROBE: Payload = Payload {
    label: Label {
        round: 0x0102_0304_0506_0708,
        target: 0x090a,
        sent: Moment { wall_ns: 0x1112_1314_1516_1718, boot_ns: 0x2122_2324_2526_2728 },
    },
    cookie: 0x3132_3334_3536_3738,
};

/// The probe as it leaves.
fn request(family: Family) -> Vec<u8> {
    let mut buffer = [0; LENGTH];
    write(&mut buffer, family, ID, &PROBE);
    buffer.to_vec()
}

/// The answer to it.
fn reply(family: Family) -> Vec<u8> {
    let mut bytes = request(family);
    bytes[0] = reply_type(family);
    bytes
}

/// The header of an IP datagram that holds an ICMP message; in IPv4 with an option, so that its length is not the usual.
fn header(family: Family) -> Vec<u8> {
    match family {
        Family::V4 => {
            let mut ip = vec![0x46, 0, 0, 66, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7];
            ip.extend([1, 1, 1, 0]);
            ip
        }
        Family::V6 => {
            let mut ip = vec![0x60, 0, 0, 0, 0, 42, 58, 64];
            ip.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
            ip.extend("2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
            ip
        }
    }
}

fn asked(family: Family) -> IpAddr {
    match family {
        Family::V4 => "198.51.100.7".parse().unwrap(),
        Family::V6 => "2001:db8::7".parse().unwrap(),
    }
}

/// An error about it.
fn error(family: Family, kind: u8, code: u8) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0, 0, 0, 0, 0];
    bytes.extend(header(family));
    bytes.extend(request(family));
    bytes
}

#[test]
fn a_request_has_the_form_of_an_echo_request_and_a_right_checksum() {
    let bytes = request(Family::V4);
    assert_eq!(bytes.len(), 42);
    assert_eq!(bytes[..2], [8, 0]);
    assert_eq!(bytes[4..8], [0xbe, 0xef, 0x07, 0x08], "id, and the low half of the round");
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    assert_eq!(request(Family::V6)[..4], [128, 0, 0, 0], "the kernel adds the checksum of ICMPv6");
}

#[test]
fn an_answer_brings_back_what_was_sent() {
    for family in Family::ALL {
        assert_eq!(read(family, Start::Icmp, ID, &reply(family)), Seen::Reply(PROBE));
    }
    let whole = [header(Family::V4), reply(Family::V4)].concat();
    assert_eq!(read(Family::V4, Start::Ip, ID, &whole), Seen::Reply(PROBE));
}

#[test]
fn an_error_tells_which_probe_it_is_about_and_why() {
    for (family, kind, code, why) in [
        (Family::V4, 3, 1, Why::Unreachable),
        (Family::V4, 3, 13, Why::Prohibited),
        (Family::V4, 3, 4, Why::Other),
        (Family::V4, 11, 0, Why::TimeExceeded),
        (Family::V6, 1, 0, Why::Unreachable),
        (Family::V6, 1, 3, Why::Unreachable),
        (Family::V6, 1, 1, Why::Prohibited),
        (Family::V6, 1, 4, Why::Other),
        (Family::V6, 3, 0, Why::TimeExceeded),
    ] {
        let seen = Seen::Error(why, asked(family), PROBE);
        let mut bytes = error(family, kind, code);
        assert_eq!(read(family, Start::Icmp, ID, &bytes), seen, "{family:?} {kind} {code}");
        bytes.extend([0; 40]);
        assert_eq!(read(family, Start::Icmp, ID, &bytes), seen, "with extensions behind the quote");
    }
}

#[test]
fn other_messages_are_foreign() {
    for (family, kind) in
        [(Family::V4, 5), (Family::V4, 4), (Family::V6, 2), (Family::V6, 4), (Family::V6, 135)]
    {
        assert_eq!(
            read(family, Start::Icmp, ID, &error(family, kind, 0)),
            Seen::Foreign,
            "{family:?} {kind}"
        );
    }
    for family in Family::ALL {
        assert_eq!(
            read(family, Start::Icmp, ID, &request(family)),
            Seen::Foreign,
            "our own request on loopback"
        );
        assert_eq!(read(family, Start::Icmp, ID ^ 1, &reply(family)), Seen::Foreign, "another's id");
        let mut udp = error(family, error_types(family)[0], 0);
        udp[if family == Family::V4 { 8 + 9 } else { 8 + 6 }] = 17;
        assert_eq!(read(family, Start::Icmp, ID, &udp), Seen::Foreign, "an error about UDP");
    }
}

#[test]
fn a_wrong_sequence_or_length_is_odd() {
    let mut bytes = reply(Family::V4);
    bytes.push(0);
    assert_eq!(read(Family::V4, Start::Icmp, ID, &bytes), Seen::Odd);
    bytes.pop();
    bytes[7] ^= 1;
    assert_eq!(read(Family::V4, Start::Icmp, ID, &bytes), Seen::Odd);
}

#[test]
fn what_is_cut_off_anywhere_is_short_or_foreign() {
    for family in Family::ALL {
        let [kind, _] = error_types(family);
        for (whole, name) in [(reply(family), "reply"), (error(family, kind, 0), "error")] {
            let header = whole.len() - PAYLOAD;
            for length in 0..whole.len() {
                let expected = if length < header { Seen::Foreign } else { Seen::Short };
                let seen = read(family, Start::Icmp, ID, &whole[..length]);
                assert_eq!(seen, expected, "{family:?} {name} cut to {length}");
            }
        }
    }
    let whole = [header(Family::V4), error(Family::V4, 3, 0)].concat();
    for length in 0..whole.len() {
        assert!(matches!(read(Family::V4, Start::Ip, ID, &whole[..length]), Seen::Foreign | Seen::Short));
    }
}

proptest! {
    #[test]
    fn any_payload_survives_the_journey(
        (round, target, wall_ns, boot_ns, cookie) in any::<(u64, u16, u64, u64, u64)>(),
        id in any::<u16>(),
    ) {
        let payload = Payload { label: Label { round, target, sent: Moment { wall_ns, boot_ns } }, cookie };
        for family in Family::ALL {
            let mut buffer = [0; LENGTH];
            write(&mut buffer, family, id, &payload);
            buffer[0] = reply_type(family);
            prop_assert_eq!(read(family, Start::Icmp, id, &buffer), Seen::Reply(payload));
        }
    }

    #[test]
    fn no_bytes_whatever_upset_the_reader(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop::sample::select(vec![0u8, 1, 3, 11, 129]),
        id in any::<u16>(),
    ) {
        for family in Family::ALL {
            read(family, Start::Icmp, id, &bytes);
            read(family, Start::Ip, id, &bytes);
            read_quote(family, id, Why::Other, asked(family), &bytes);
        }
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        for family in Family::ALL {
            read(family, Start::Icmp, id, &bytes);
        }
    }
}
