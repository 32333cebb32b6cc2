//! The cookie that makes an answer ours.
//!
//! It is a keyed hash over everything the probe says and whom it asks. So the prober remembers nothing about what it
//! sent, a table cannot fill up, and one who does not see our probes cannot make an answer.

use core::hash::{BuildHasher, Hasher};
use core::net::IpAddr;
use std::hash::RandomState;

use super::packet::Label;

/// One prober's secret. SipHash with a random key: std's `RandomState` is just that, and a hash of 64 bits over 34 known
/// bytes gives an off-path guesser one chance in 2⁶⁴ per packet.
#[derive(Debug)]
pub(super) struct Key(RandomState);

impl Key {
    /// A new one, unlike any other in this process.
    pub(super) fn new() -> Self {
        Self(RandomState::new())
    }

    /// The cookie of the probe with this label to this address.
    pub(super) fn seal(&self, to: IpAddr, label: &Label) -> u64 {
        let mut hash = self.0.build_hasher();
        hash.write_u64(label.round);
        hash.write_u16(label.target);
        hash.write_u64(label.sent.wall_ns);
        hash.write_u64(label.sent.boot_ns);
        match to {
            IpAddr::V4(address) => hash.write(&address.octets()),
            IpAddr::V6(address) => hash.write(&address.octets()),
        }
        hash.finish()
    }

    /// Sixteen random bits that tell nothing about the cookies: part of a hash over what no probe consists of.
    pub(super) fn id(&self) -> u16 {
        let [.., high, low] = self.0.hash_one(()).to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock::Moment;
    use super::*;

    const LABEL: Label = Label { round: 7, target: 3, sent: Moment { wall_ns: 11, boot_ns: 13 } };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_probe_has_the_same_cookie() {
        let key = Key::new();
        assert_eq!(key.seal(ip("192.0.2.1"), &LABEL), key.seal(ip("192.0.2.1"), &LABEL));
    }

    #[test]
    fn everything_that_a_probe_says_is_in_its_cookie() {
        let key = Key::new();
        let sent = LABEL.sent;
        let others = [
            (ip("192.0.2.1"), Label { round: 8, ..LABEL }),
            (ip("192.0.2.1"), Label { target: 4, ..LABEL }),
            (ip("192.0.2.1"), Label { sent: Moment { wall_ns: 12, ..sent }, ..LABEL }),
            (ip("192.0.2.1"), Label { sent: Moment { boot_ns: 14, ..sent }, ..LABEL }),
            (ip("192.0.2.2"), LABEL),
            (ip("2001:db8::1"), LABEL),
        ];
        for (address, label) in others {
            assert_ne!(key.seal(address, &label), key.seal(ip("192.0.2.1"), &LABEL), "{address} {label:?}");
        }
    }

    #[test]
    fn two_probers_do_not_share_a_key() {
        assert_ne!(Key::new().seal(ip("192.0.2.1"), &LABEL), Key::new().seal(ip("192.0.2.1"), &LABEL));
    }
}
