//! What the engine can tell about itself: transitions as they happen, and the whole state on request.

use super::inventory::Readiness;
use super::monitor::{Complaint, Oddities};
use super::settings::Family;
use super::time::Time;
use crate::machine::{Event, Health, Id, Selection, Sync};
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One change of state, with its cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Counts from 1 in each run; the same number stands in log, journal and status.
    pub id: u64,
    /// When.
    pub at: Time,
    /// Whose core.
    pub family: Family,
    /// What changed.
    pub change: Change,
    /// The event that did it.
    pub event: Event,
    /// The numbers behind the event, in words.
    pub cause: String,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The health of an uplink.
    Health {
        /// Which one.
        uplink: Id,
        /// Before.
        from: Health,
        /// After.
        to: Health,
    },
    /// The selection.
    Selection {
        /// Before.
        from: Selection,
        /// After.
        to: Selection,
    },
}

/// Something a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A stranger's default route on an uplink's interface outranks ours; in the words of `ip route`.
    Outranked(Family, String),
    /// The same on an interface that is none of ours, or that drops what it gets: traffic goes there.
    Bypassed(Family, String),
    /// A stranger's default route outranks ours, and cannot be taken over: it has several ways.
    Untakeable(Family, String),
    /// We removed a stranger's route from a table that is ours.
    Evicted(Family, String),
    /// This uplink has an address of this machine for a target.
    OwnTarget(Family, String, IpAddr),
    /// A stranger holds the place of one of our routes.
    Blocked(Family, String),
    /// The kernel refused this operation: words and errno.
    Refused(Family, String, i32),
    /// Operations were accepted without effect.
    NoEffect(Family),
    /// Somebody changed what is ours; it is put back.
    Reasserted(Family, u64),
    /// The kernel's state could not be read.
    Unreadable(Family),
    /// The operator's order cannot be carried out.
    Impossible(String),
}

impl Notice {
    /// Whose it is, unless it is nobody's in particular.
    #[must_use]
    pub const fn family(&self) -> Option<Family> {
        match self {
            Self::Outranked(family, _)
            | Self::Bypassed(family, _)
            | Self::Untakeable(family, _)
            | Self::Evicted(family, _)
            | Self::OwnTarget(family, ..)
            | Self::Blocked(family, _)
            | Self::Refused(family, ..)
            | Self::NoEffect(family)
            | Self::Reasserted(family, _)
            | Self::Unreadable(family) => Some(*family),
            Self::Impossible(_) => None,
        }
    }
}

/// The whole state, ready to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One per family that is in use.
    pub families: Vec<FamilyReport>,
    /// One per uplink, in the order of the configuration.
    pub uplinks: Vec<UplinkReport>,
    /// The latest transitions, oldest first.
    pub transitions: Vec<Transition>,
}

/// One family's decisions.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyReport {
    /// Which.
    pub family: Family,
    /// The selector's state.
    pub selection: Selection,
    /// The uplink that carries traffic.
    pub active: Option<Id>,
    /// No uplink is usable.
    pub stranded: bool,
    /// Since when the selector has been in this state.
    pub since: Time,
    /// The conversation with the kernel.
    pub sync: Sync,
    /// Time left of stable windows: uplink, remaining.
    pub windows: Vec<(Id, Duration)>,
    /// Time left of the boot deadline.
    pub boot_remaining: Option<Duration>,
    /// How often a stranger's edits were undone.
    pub reasserted: u64,
    /// Conditions that a person should know about.
    pub notices: Vec<Notice>,
}

/// One uplink.
#[derive(Debug, Clone, PartialEq)]
pub struct UplinkReport {
    /// Which.
    pub id: Id,
    /// What is known in each family that is in use.
    pub families: Vec<(Family, PathReport)>,
}

/// One uplink in one family.
#[derive(Debug, Clone, PartialEq)]
pub struct PathReport {
    /// Its health.
    pub health: Health,
    /// What it lacks.
    pub readiness: Readiness,
    /// The gateway in use.
    pub gateway: Option<IpAddr>,
    /// Loss of the target that completes the quorum, percent.
    pub loss_percent: f64,
    /// Mean round-trip time of that target.
    pub rtt: Option<Duration>,
    /// Variation of the round-trip time.
    pub jitter: Option<Duration>,
    /// Failed rounds in a row.
    pub fails: u32,
    /// How long every round has been good.
    pub stable_for: Option<Duration>,
    /// The present timeout.
    pub timeout: Option<Duration>,
    /// Each target.
    pub targets: Vec<TargetReport>,
    /// Answers that changed nothing.
    pub oddities: Oddities,
}

/// One target, seen through one uplink.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetReport {
    /// Its address.
    pub address: IpAddr,
    /// Its loss, percent.
    pub loss_percent: f64,
    /// Smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// Unanswered probes in a row.
    pub silent: u32,
    /// Why the last probe failed, if somebody said.
    pub complaint: Option<Complaint>,
}
