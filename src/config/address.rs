//! Gateways and targets.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

use super::finding::{Complaint, quote};
use super::slot::{Given, Notes, Origin, Slot};
use crate::engine::Family;
use crate::engine::settings::{Gateway, MAX_TARGETS};

/// Kinds of target that are documented but not built.
const LATER_KINDS: [&str; 4] = ["dns", "tcp", "http", "https"];

/// Reads the address of a gateway, or `auto`.
pub(super) fn gateway(text: &str) -> Result<Gateway, Complaint> {
    if text == "auto" {
        return Ok(Gateway::Auto);
    }
    let address = text.parse().map_err(|_| {
        let problem = format!("{} is not an address", quote(text));
        let remedy = if text.contains('%') {
            "leave out the zone after `%`: the uplink's interface is meant anyway"
        } else if text.contains('/') {
            "leave out the prefix length: the gateway is one address"
        } else {
            "write the address of the router there, or \"auto\" to learn it from the interface's routes"
        };
        Complaint::new(problem, remedy)
    })?;
    unicast(address, "a gateway").map(Gateway::Given)
}

/// Reads a gateway of one family, as the keys of the file have it.
pub(super) fn gateway_of(family: Family, text: &str) -> Result<Gateway, Complaint> {
    let gateway = gateway(text)?;
    match gateway {
        Gateway::Given(address) if Family::of(address) != family => {
            let (is, belongs) = match family {
                Family::V4 => ("an IPv6", "gateway6"),
                Family::V6 => ("an IPv4", "gateway"),
            };
            Err(Complaint::new(
                format!("{address} is {is} address"),
                format!("move it to the key `{belongs}` of the same uplink"),
            ))
        }
        Gateway::Given(_) | Gateway::Auto => Ok(gateway),
    }
}

/// Reads a target: an address, alone or as `icmp://address`.
pub(super) fn target(text: &str) -> Result<IpAddr, Complaint> {
    let address = match text.split_once("://") {
        None => text,
        Some((kind, address)) if kind.eq_ignore_ascii_case("icmp") => address,
        Some((kind, _)) if LATER_KINDS.iter().any(|later| kind.eq_ignore_ascii_case(later)) => {
            return Err(Complaint::not_yet(
                format!("{}: a target of kind `{}://`", quote(text), kind.to_ascii_lowercase()),
                "write an address or icmp://ADDRESS",
            ));
        }
        Some((kind, _)) => {
            return Err(Complaint::new(
                format!("{}: there is no kind of target called {}", quote(text), quote(kind)),
                "write an address or icmp://ADDRESS",
            ));
        }
    };
    // Brackets are what a URL has around an IPv6 address.
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let address = bare.parse().map_err(|_| not_an_address(text, bare))?;
    unicast(address, "a target")
}

fn not_an_address(text: &str, bare: &str) -> Complaint {
    let looks_like_a_name = bare.contains(|c: char| c.is_ascii_alphabetic())
        && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if looks_like_a_name {
        let what = format!("{}: a target by name", quote(text));
        return Complaint::not_yet(what, "write its address: a name also fails when only DNS does");
    }
    Complaint::new(format!("{} is not an address", quote(text)), "write an address or icmp://ADDRESS")
}

/// Refuses what is not the address of one other host.
fn unicast(address: IpAddr, what: &str) -> Result<IpAddr, Complaint> {
    let kind = if address.is_unspecified() {
        "the unspecified address"
    } else if address.is_multicast() {
        "a multicast address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        "the broadcast address"
    } else if address.to_canonical() != address {
        let (problem, remedy) = (
            format!("{address} is an IPv4 address in IPv6 clothes"),
            format!("write {}", address.to_canonical()),
        );
        return Err(Complaint::new(problem, remedy));
    } else {
        return Ok(address);
    };
    Err(Complaint::new(
        format!("{address} is {kind}"),
        format!("{what} must be the address of one other host"),
    ))
}

/// Checks a list of targets as a whole. `list` is where the list itself stands.
pub(super) fn target_list(items: &[Slot<IpAddr>], list: Origin, notes: &Notes) -> Slot<Vec<IpAddr>> {
    if items.is_empty() {
        notes.add(&list, "is empty", "name at least one target, or leave the key out for the default ones");
        return Slot::Broken;
    }
    let mut sound = true;
    let mut seen: BTreeMap<IpAddr, Origin> = BTreeMap::new();
    for item in items {
        let Slot::Given(Given { value, origin }) = item else {
            sound = false;
            continue;
        };
        if let Some(first) = seen.get(value) {
            let problem = format!("{value} is there twice ({})", first.cite());
            notes.add(origin, problem, "leave one out: the same answer must not count twice");
            sound = false;
        } else {
            seen.insert(*value, origin.clone());
        }
    }
    for family in Family::ALL {
        let count = seen.keys().filter(|address| Family::of(**address) == family).count();
        if count > MAX_TARGETS {
            notes.add(
                &list,
                format!("has {count} {} targets", family.name()),
                format!("name at most {MAX_TARGETS} of each family: all of them are asked in each round"),
            );
            sound = false;
        }
    }
    // The order of the operator, which the set has lost.
    let addresses = items.iter().filter_map(Slot::given).map(|given| given.value).collect();
    if sound { Slot::Given(Given { value: addresses, origin: list }) } else { Slot::Broken }
}
