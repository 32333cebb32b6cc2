//! What is known of one target by one line: how long its answers take, and how many are missing.

use super::{Probe, Window};
use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One target's history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Its address.
    pub address: IpAddr,
    /// Loss and delay.
    pub window: Window,
    /// Unanswered probes in a row.
    pub silent: u32,
    /// Why the last probe failed, if somebody said.
    pub complaint: Option<Complaint>,
    pub(super) srtt: Option<Duration>,
    pub(super) rttvar: Duration,
}

/// Why a probe failed, when that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Complaint {
    /// It could not be sent: errno.
    NotSent(i32),
    /// This router said that the target cannot be reached.
    Unreachable(IpAddr),
}

impl Target {
    /// Nothing known yet.
    pub(super) fn new(address: IpAddr, settings: &Probe) -> Self {
        Self {
            address,
            window: Window::new(settings.degraded.window),
            silent: 0,
            complaint: None,
            srtt: None,
            rttvar: Duration::ZERO,
        }
    }

    /// RFC 6298, section 2, with its alpha of 1/8 and beta of 1/4.
    pub(super) fn learn(&mut self, rtt: Duration) {
        match self.srtt {
            None => {
                self.srtt = Some(rtt);
                self.rttvar = rtt / 2;
            }
            Some(srtt) => {
                self.rttvar = (self.rttvar * 3 + srtt.abs_diff(rtt)) / 4;
                self.srtt = Some((srtt * 7 + rtt) / 8);
            }
        }
    }

    /// How long its answer may take.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.srtt.map(|srtt| srtt + self.rttvar * 4)
    }

    /// The smoothed round-trip time.
    #[must_use]
    pub const fn srtt(&self) -> Option<Duration> {
        self.srtt
    }
}
