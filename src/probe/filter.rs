//! The filter that the kernel runs before it wakes us: only what bears our ICMP id passes.
//!
//! A raw ICMP socket receives a copy of every ICMP packet of its device. Waking up costs ten times what a packet
//! costs, so with several probers, and with whatever else pings on this machine, this is where the time is saved. It
//! is no defence: what passes is verified all the same.

use libc::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD,
    BPF_LDX, BPF_LSH, BPF_MISC, BPF_MSH, BPF_RET, BPF_TAX, BPF_X, sock_filter,
};

use super::packet::{error_types, reply_type, request_type};
use crate::engine::Family;

/// Offset of the id in an echo message.
const ID: u32 = 4;
/// Offset in an ICMP error of the datagram it quotes.
const QUOTE: u32 = 8;
/// Length of an IPv6 header.
const IPV6: u32 = 40;

/// The program for a raw socket: accept echo replies with this id and errors that quote an echo request with this id.
/// A packet that is too short for a load is dropped by the kernel's rules.
pub(super) fn program(family: Family, id: u16) -> Vec<sock_filter> {
    match family {
        Family::V4 => version4(id),
        Family::V6 => version6(id),
    }
}

/// Here the packet begins with its IP header, whose length varies, as does that of the quoted one.
fn version4(id: u16) -> Vec<sock_filter> {
    let [unreachable, exceeded] = error_types(Family::V4);
    vec![
        // X = length of the IP header.
        statement(BPF_LDX | BPF_B | BPF_MSH, 0),
        statement(BPF_LD | BPF_B | BPF_IND, 0),
        jump_if(reply_type(Family::V4).into(), 13, 0),
        jump_if(unreachable.into(), 1, 0),
        jump_if(exceeded.into(), 0, 14),
        // An error: the protocol of the quoted datagram is ICMP …
        statement(BPF_LD | BPF_B | BPF_IND, QUOTE + 9),
        jump_if(libc::IPPROTO_ICMP.unsigned_abs(), 0, 12),
        // … X += length of its header …
        statement(BPF_LD | BPF_B | BPF_IND, QUOTE),
        statement(BPF_ALU | BPF_AND | BPF_K, 0x0f),
        statement(BPF_ALU | BPF_LSH | BPF_K, 2),
        statement(BPF_ALU | BPF_ADD | BPF_X, 0),
        statement(BPF_MISC | BPF_TAX, 0),
        // … and it is an echo request.
        statement(BPF_LD | BPF_B | BPF_IND, QUOTE),
        jump_if(request_type(Family::V4).into(), 0, 5),
        statement(BPF_LD | BPF_H | BPF_IND, QUOTE + ID),
        statement(BPF_JMP | BPF_JA, 1),
        // An answer.
        statement(BPF_LD | BPF_H | BPF_IND, ID),
        // Either way: our id?
        jump_if(id.into(), 0, 1),
        statement(BPF_RET | BPF_K, u32::MAX),
        statement(BPF_RET | BPF_K, 0),
    ]
}

/// Here the packet begins with its ICMPv6 header, and our probes have no extension headers that could be quoted.
fn version6(id: u16) -> Vec<sock_filter> {
    let [unreachable, exceeded] = error_types(Family::V6);
    vec![
        statement(BPF_LD | BPF_B | BPF_ABS, 0),
        jump_if(reply_type(Family::V6).into(), 8, 0),
        jump_if(unreachable.into(), 1, 0),
        jump_if(exceeded.into(), 0, 9),
        // An error: the next header of the quoted datagram is ICMPv6, and it is an echo request.
        statement(BPF_LD | BPF_B | BPF_ABS, QUOTE + 6),
        jump_if(libc::IPPROTO_ICMPV6.unsigned_abs(), 0, 7),
        statement(BPF_LD | BPF_B | BPF_ABS, QUOTE + IPV6),
        jump_if(request_type(Family::V6).into(), 0, 5),
        statement(BPF_LD | BPF_H | BPF_ABS, QUOTE + IPV6 + ID),
        statement(BPF_JMP | BPF_JA, 1),
        // An answer.
        statement(BPF_LD | BPF_H | BPF_ABS, ID),
        // Either way: our id?
        jump_if(id.into(), 0, 1),
        statement(BPF_RET | BPF_K, u32::MAX),
        statement(BPF_RET | BPF_K, 0),
    ]
}

fn statement(code: u32, k: u32) -> sock_filter {
    instruction(code, 0, 0, k)
}

/// Skips `yes` instructions if the accumulator equals `k`, else `no`.
fn jump_if(k: u32, yes: u8, no: u8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, yes, no, k)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    // All codes fit in 16 bits; an impossible one would be refused by the kernel.
    sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt, jf, k }
}

#[cfg(test)]
mod tests;
