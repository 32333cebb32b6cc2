use proptest::prelude::*;

use super::super::clock::Moment;
use super::super::packet::{LENGTH, Label, Payload, write};
use super::*;

const ID: u16 = 0x1234;

/// Runs a program as the kernel would, for the instructions that ours consist of. A load beyond the end drops.
fn accepts(program: &[sock_filter], packet: &[u8]) -> bool {
    let (mut at, mut a, mut x) = (0usize, 0u32, 0u32);
    let load = |offset: u32, length: usize| {
        let start = usize::try_from(offset).unwrap();
        Some(
            packet
                .get(start..start + length)?
                .iter()
                .fold(0, |value: u32, byte| (value << 8) | u32::from(*byte)),
        )
    };
    loop {
        let step = program[at];
        at += 1;
        let code = u32::from(step.code);
        let loaded = if code == BPF_LDX | BPF_B | BPF_MSH {
            load(step.k, 1).map(|byte| x = 4 * (byte & 0xf))
        } else if code == BPF_LD | BPF_B | BPF_IND {
            load(x + step.k, 1).map(|value| a = value)
        } else if code == BPF_LD | BPF_H | BPF_IND {
            load(x + step.k, 2).map(|value| a = value)
        } else if code == BPF_LD | BPF_B | BPF_ABS {
            load(step.k, 1).map(|value| a = value)
        } else if code == BPF_LD | BPF_H | BPF_ABS {
            load(step.k, 2).map(|value| a = value)
        } else {
            match code {
                c if c == BPF_JMP | BPF_JEQ | BPF_K => {
                    at += usize::from(if a == step.k { step.jt } else { step.jf });
                }
                c if c == BPF_JMP | BPF_JA => at += usize::try_from(step.k).unwrap(),
                c if c == BPF_ALU | BPF_AND | BPF_K => a &= step.k,
                c if c == BPF_ALU | BPF_LSH | BPF_K => a <<= step.k,
                c if c == BPF_ALU | BPF_ADD | BPF_X => a += x,
                c if c == BPF_MISC | BPF_TAX => x = a,
                c if c == BPF_RET | BPF_K => return step.k != 0,
                other => panic!("instruction {other:#x} is not one of ours"),
            }
            Some(())
        };
        if loaded.is_none() {
            return false;
        }
    }
}

fn echo(family: Family, kind: u8, id: u16) -> Vec<u8> {
    let label = Label { round: 1, target: 2, sent: Moment { wall_ns: 3, boot_ns: 4 } };
    let mut bytes = [0; LENGTH];
    write(&mut bytes, family, id, &Payload { label, cookie: 5 });
    bytes[0] = kind;
    bytes.to_vec()
}

/// An IP header with this many words of options (IPv4 only) around a message.
fn ip(family: Family, options: u8, icmp: &[u8]) -> Vec<u8> {
    let mut bytes = match family {
        Family::V4 => {
            let mut ip = vec![0u8; 20 + 4 * usize::from(options)];
            ip[0] = 0x45 + options;
            ip[9] = 1;
            ip
        }
        Family::V6 => {
            let mut ip = vec![0u8; 40];
            ip[0] = 0x60;
            ip[6] = 58;
            ip
        }
    };
    bytes.extend(icmp);
    bytes
}

/// As a raw socket of the family sees it.
fn received(family: Family, icmp: Vec<u8>) -> Vec<u8> {
    match family {
        Family::V4 => ip(family, 0, &icmp),
        Family::V6 => icmp,
    }
}

fn error(kind: u8, quoted: &[u8]) -> Vec<u8> {
    [vec![kind, 0, 0, 0, 0, 0, 0, 0], quoted.to_vec()].concat()
}

#[test]
fn answers_with_our_id_pass_and_others_do_not() {
    for family in Family::ALL {
        let program = program(family, ID);
        let reply = |id| received(family, echo(family, reply_type(family), id));
        assert!(accepts(&program, &reply(ID)));
        assert!(!accepts(&program, &reply(ID ^ 0x100)));
        assert!(!accepts(&program, &received(family, echo(family, request_type(family), ID))), "a request");
    }
}

#[test]
fn errors_about_our_requests_pass_and_others_do_not() {
    for family in Family::ALL {
        let program = program(family, ID);
        for kind in error_types(family) {
            let about = |quoted: &[u8]| received(family, error(kind, quoted));
            let ours = ip(family, 0, &echo(family, request_type(family), ID));
            assert!(accepts(&program, &about(&ours)));
            assert!(!accepts(&program, &about(&ip(family, 0, &echo(family, request_type(family), ID ^ 1)))));
            assert!(!accepts(&program, &about(&ip(family, 0, &echo(family, reply_type(family), ID)))));
            let mut udp = ours.clone();
            udp[if family == Family::V4 { 9 } else { 6 }] = 17;
            assert!(!accepts(&program, &about(&udp)));
        }
        let redirect = if family == Family::V4 { 5 } else { 137 };
        let ours = ip(family, 0, &echo(family, request_type(family), ID));
        assert!(!accepts(&program, &received(family, error(redirect, &ours))));
    }
}

#[test]
fn options_in_either_header_do_not_mislead_it() {
    let program = program(Family::V4, ID);
    for outer in 0..=10 {
        assert!(accepts(&program, &ip(Family::V4, outer, &echo(Family::V4, 0, ID))));
        for inner in 0..=10 {
            let quoted = ip(Family::V4, inner, &echo(Family::V4, 8, ID));
            assert!(accepts(&program, &ip(Family::V4, outer, &error(11, &quoted))), "{outer} {inner}");
        }
    }
}

#[test]
fn every_jump_ends_inside_the_program() {
    for family in Family::ALL {
        let program = program(family, ID);
        for (at, step) in program.iter().enumerate() {
            let furthest = at + 1 + usize::from(step.jt.max(step.jf));
            assert!(furthest <= program.len(), "{family:?}, instruction {at}");
        }
        assert_eq!(u32::from(program.last().unwrap().code), BPF_RET | BPF_K);
    }
}

proptest! {
    #[test]
    fn any_packet_gets_a_decision(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
        for family in Family::ALL {
            accepts(&program(family, ID), &bytes);
        }
    }
}
