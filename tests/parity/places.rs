//! Addresses, few of each kind, so that they meet.

use std::net::IpAddr;
use uplinkd::engine::Family;
use uplinkd::engine::route::Prefix;

/// Addresses, destinations, gateways of one family.
pub(super) struct Places {
    pub(super) addresses: &'static [&'static str],
    pub(super) destinations: &'static [&'static str],
    pub(super) gateways: &'static [&'static str],
}

pub(super) const V4: Places = Places {
    addresses: &["192.0.2.10/24", "192.0.2.11/24", "192.0.2.10/25", "198.51.100.10/24", "10.0.0.1/32"],
    // A connected network, a route to one, one that lies in another, a host, one with stray bits.
    destinations: &[
        "0.0.0.0/0",
        "0.0.0.0/0",
        "192.0.2.0/24",
        "203.0.113.0/24",
        "203.0.113.0/25",
        "192.0.0.8/32",
        "203.0.113.5/24",
        "198.51.100.1/32",
    ],
    // Neighbours, one that is nowhere, an address of our own, a broadcast address.
    gateways: &[
        "192.0.2.1",
        "192.0.2.2",
        "198.51.100.1",
        "198.51.100.2",
        "203.0.113.1",
        "192.0.2.10",
        "192.0.2.255",
    ],
};

pub(super) const V6: Places = Places {
    addresses: &["2001:db8:1::10/64", "2001:db8:1::11/64", "2001:db8:1::10/56", "2001:db8:2::10/64"],
    destinations: &[
        "::/0",
        "::/0",
        "2001:db8:1::/64",
        "2001:db8:9::/48",
        "2001:db8:9::/64",
        "2001:db8:9::8/128",
        "2001:db8:9::5/48",
    ],
    gateways: &[
        "2001:db8:1::1",
        "2001:db8:1::2",
        "2001:db8:2::1",
        "fe80::1",
        "2001:db8:ffff::1",
        "2001:db8:1::10",
        "ff02::1",
    ],
};

/// The textual constants above.
pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The same with a length.
pub(super) fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("a prefix");
    Prefix { address: ip(address), length: length.parse().expect("a length") }
}

/// Those of a family.
pub(super) fn places(family: Family) -> &'static Places {
    match family {
        Family::V4 => &V4,
        Family::V6 => &V6,
    }
}
