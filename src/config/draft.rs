//! What either front end hands to `settle`: values with their origins, nothing compared or defaulted yet.

use core::net::IpAddr;
use core::time::Duration;
use std::path::PathBuf;

use super::duration;
use super::finding::{Complaint, quote};
use super::slot::{Origin, Slot};
use crate::engine::settings::{CarrierPoll, Flows, ForeignDefaults, Gateway, OnExit, Profile};

/// Everything that was written.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) uplinks: Slot<Vec<Uplink>>,
    pub(super) probe: Probe,
    pub(super) failover: Failover,
    pub(super) routing: Routing,
    pub(super) socket: Slot<PathBuf>,
    pub(super) journal: Journal,
}

/// `[journal]` as written.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The `[journal]` line.
    pub(super) origin: Option<Origin>,
    pub(super) path: Slot<PathBuf>,
    pub(super) max_size: Slot<u64>,
    pub(super) keep: Slot<i128>,
}

/// One uplink as written.
#[derive(Debug, Clone)]
pub(super) struct Uplink {
    /// The `[[uplink]]` line, or the flag that names the interface.
    pub(super) origin: Origin,
    pub(super) name: Slot<String>,
    pub(super) interface: Slot<String>,
    pub(super) gateway: Slot<Gateway>,
    pub(super) gateway6: Slot<Gateway>,
    pub(super) tier: Slot<i128>,
    pub(super) metric: Slot<i128>,
    pub(super) mark: Slot<(u32, u32)>,
    pub(super) targets: Slot<Vec<IpAddr>>,
}

impl Uplink {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            name: Slot::Absent,
            interface: Slot::Absent,
            gateway: Slot::Absent,
            gateway6: Slot::Absent,
            tier: Slot::Absent,
            metric: Slot::Absent,
            mark: Slot::Absent,
            targets: Slot::Absent,
        }
    }

    /// What a message calls it.
    pub(super) fn label(&self) -> String {
        match self.name.given().or(self.interface.given()) {
            Some(name) => quote(&name.value),
            None => self.origin.key.clone(),
        }
    }

    /// Where the interface is, or should be, written.
    pub(super) fn interface_origin(&self) -> &Origin {
        self.interface.given().map_or(&self.origin, |given| &given.origin)
    }
}

/// The word `adaptive` or a fixed duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timeout {
    Adaptive,
    Fixed(Duration),
}

/// `[probe]` as written.
#[derive(Debug, Default)]
pub(super) struct Probe {
    pub(super) profile: Slot<Profile>,
    pub(super) interval: Slot<Duration>,
    pub(super) standby_interval: Slot<Duration>,
    pub(super) confirm_interval: Slot<Duration>,
    pub(super) timeout: Slot<Timeout>,
    pub(super) timeout_floor: Slot<Duration>,
    pub(super) timeout_ceiling: Slot<Duration>,
    pub(super) silence: Slot<Duration>,
    pub(super) fall: Slot<i128>,
    pub(super) rise: Slot<i128>,
    pub(super) quorum: Slot<i128>,
    pub(super) targets: Slot<Vec<IpAddr>>,
    pub(super) degraded: Degraded,
}

/// The thresholds in `[probe]` as written.
#[derive(Debug, Default)]
pub(super) struct Degraded {
    pub(super) window: Slot<Duration>,
    pub(super) loss_percent: Slot<i128>,
    pub(super) clear_loss_percent: Slot<i128>,
    pub(super) rtt: Slot<Duration>,
    pub(super) clear_rtt: Slot<Duration>,
}

/// `[failover]` as written.
#[derive(Debug, Default)]
pub(super) struct Failover {
    pub(super) stable_window: Slot<Duration>,
    pub(super) max_stable_window: Slot<Duration>,
    pub(super) flap_memory: Slot<Duration>,
    pub(super) boot_deadline: Slot<Duration>,
    pub(super) leave_degraded: Slot<bool>,
}

/// `[routing]` as written.
#[derive(Debug, Default)]
pub(super) struct Routing {
    pub(super) promoted_metric: Slot<i128>,
    pub(super) first_table: Slot<i128>,
    pub(super) first_priority: Slot<i128>,
    pub(super) protocol: Slot<i128>,
    pub(super) foreign_defaults: Slot<ForeignDefaults>,
    pub(super) on_exit: Slot<OnExit>,
    pub(super) flow_flush: Slot<Option<Flows>>,
    pub(super) kernel_carrier: Slot<bool>,
    pub(super) carrier_poll: Slot<CarrierPoll>,
}

impl Timeout {
    /// Reads the word or the duration.
    pub(super) fn parse(text: &str) -> Result<Self, Complaint> {
        if text == "adaptive" {
            return Ok(Self::Adaptive);
        }
        if text.starts_with(|c: char| c.is_alphabetic()) {
            let problem = format!("{} is neither `adaptive` nor a duration", quote(text));
            return Err(Complaint::new(problem, "write \"adaptive\" or a duration, such as \"500ms\""));
        }
        duration::parse(text).map(Self::Fixed)
    }
}
