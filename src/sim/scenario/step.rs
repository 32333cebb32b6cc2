//! What can happen, and what can be expected, with the words for both.

use crate::machine::Id;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A part of an uplink stops working.
    Cut(Id, Part),
    /// It works again.
    Mend(Id, Part),
    /// So many of a hundred packets are lost each way.
    Lose(Id, u8),
    /// A loss takes so many packets in a row.
    Burst(Id, u16),
    /// There and back takes this long.
    Delay(Id, Duration),
    /// And at most so much longer.
    Jitter(Id, Duration),
    /// A target answers nobody, or nobody by this uplink.
    Silence(IpAddr, Option<Id>),
    /// It answers again.
    Answer(IpAddr, Option<Id>),
    /// It answers so many questions a second.
    Limit(IpAddr, u16),
    /// The operator pins traffic to an uplink.
    Use(Id),
    /// The operator lets go.
    Auto,
    /// The operator forbids switching.
    Freeze,
    /// The operator takes an uplink out of use.
    Drain(Id),
    /// The operator gives it back.
    Undrain(Id),
    /// Somebody else changes routes or rules.
    Stranger(Deed),
    /// The kernel refuses so many plans.
    Refuse(u16),
    /// So many of others' routes come and go before the daemon can read of it.
    Flood(u32),
    /// The daemon does not run for so long.
    Pause(Duration),
    /// `kill -9`.
    Kill,
    /// The daemon is started.
    Start,
    /// SIGTERM.
    Stop,
}

/// A part of an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The cable.
    Carrier,
    /// Everything behind the gateway.
    Upstream,
    /// The way to the internet.
    Uploads,
    /// The way back.
    Downloads,
    /// The provider's gateway.
    Gateway,
    /// The interface itself.
    Interface,
    /// Its address.
    Address,
    /// A portal answers instead of the internet while this is cut.
    Portal,
}

/// What somebody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Adds a default route by an uplink, as a DHCP client would.
    AddDefault(Id, u32),
    /// Deletes every default route by an uplink.
    DeleteDefaults(Id),
    /// Deletes everything of ours.
    DeleteOurs,
    /// Deletes our rules.
    DeleteRules,
    /// Adds a default route into nowhere.
    Blackhole(u32),
    /// Deletes it.
    DeleteBlackhole(u32),
}

/// Something that is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// This uplink is active, or none.
    Active(Option<Id>),
    /// The selector is in this state: boot, primary, fallback, pinned or frozen.
    State(String),
    /// An uplink has this health.
    Health(Id, String),
    /// No uplink is usable.
    Stranded,
    /// The main table has a default route that has these words in it, or has none.
    Route(String, bool),
    /// Traffic leaves by this uplink, whoever has seen to that.
    Leaves(Id),
    /// At most so many switches in the span.
    Switches(u32),
    /// In the span, traffic went nowhere at most so long while another line would have carried it.
    Avoidable(Duration),
    /// Nothing of ours is left.
    NothingOfOurs,
}

impl Part {
    /// Every part and its name.
    pub const ALL: [(&str, Self); 8] = [
        ("carrier", Self::Carrier),
        ("upstream", Self::Upstream),
        ("uploads", Self::Uploads),
        ("downloads", Self::Downloads),
        ("gateway", Self::Gateway),
        ("interface", Self::Interface),
        ("address", Self::Address),
        ("portal", Self::Portal),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, part)| *part == self).map_or("", |(name, _)| name)
    }
}

/// A step with the names of the uplinks, as it is written.
#[derive(Debug)]
pub struct Words<'a>(pub &'a Step, pub &'a [String]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: &Id| self.1.get(usize::from(*id)).map_or("?", String::as_str);
        match self.0 {
            Step::Cut(id, part) => write!(f, "cut {} {}", name(id), part.name()),
            Step::Mend(id, part) => write!(f, "mend {} {}", name(id), part.name()),
            Step::Lose(id, percent) => write!(f, "lose {percent}% on {}", name(id)),
            Step::Burst(id, count) => write!(f, "burst {count} on {}", name(id)),
            Step::Delay(id, delay) => write!(f, "delay {delay:?} on {}", name(id)),
            Step::Jitter(id, jitter) => write!(f, "jitter {jitter:?} on {}", name(id)),
            Step::Silence(target, None) => write!(f, "silence {target}"),
            Step::Silence(target, Some(id)) => write!(f, "silence {target} on {}", name(id)),
            Step::Answer(target, None) => write!(f, "answer {target}"),
            Step::Answer(target, Some(id)) => write!(f, "answer {target} on {}", name(id)),
            Step::Limit(target, rate) => write!(f, "limit {target} to {rate}"),
            Step::Use(id) => write!(f, "operator use {}", name(id)),
            Step::Auto => f.write_str("operator auto"),
            Step::Freeze => f.write_str("operator freeze"),
            Step::Drain(id) => write!(f, "operator drain {}", name(id)),
            Step::Undrain(id) => write!(f, "operator undrain {}", name(id)),
            Step::Stranger(Deed::AddDefault(id, metric)) => {
                write!(f, "stranger add default {} metric {metric}", name(id))
            }
            Step::Stranger(Deed::DeleteDefaults(id)) => write!(f, "stranger delete default {}", name(id)),
            Step::Stranger(Deed::DeleteOurs) => f.write_str("stranger delete everything"),
            Step::Stranger(Deed::DeleteRules) => f.write_str("stranger delete rules"),
            Step::Stranger(Deed::Blackhole(metric)) => write!(f, "stranger add blackhole metric {metric}"),
            Step::Stranger(Deed::DeleteBlackhole(metric)) => {
                write!(f, "stranger delete blackhole metric {metric}")
            }
            Step::Refuse(count) => write!(f, "refuse {count}"),
            Step::Flood(count) => write!(f, "flood {count}"),
            Step::Pause(span) => write!(f, "pause {span:?}"),
            Step::Kill => f.write_str("kill"),
            Step::Start => f.write_str("start"),
            Step::Stop => f.write_str("stop"),
        }
    }
}
