//! What the operator decided: everything the engine needs to know before it sees the world.
//!
//! These are plain values, already checked (`config` parses and refuses; nothing here is validated twice). They hold
//! no clock and no socket, so a simulation builds them as easily as the daemon does.

use core::net::IpAddr;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// The most uplinks one daemon manages: the desired state is recomputed as a whole, and tables are numbered from one
/// base.
pub const MAX_UPLINKS: usize = 64;
/// The most targets one uplink may have per family: a round carries their index in 16 bits and is sent in bursts.
pub const MAX_TARGETS: usize = 1000;

/// Address family. Each has a core of its own, because they fail separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, in the order of every table.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Its name in status, journal and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// Where an uplink's gateway comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gateway {
    /// Learnt from the default routes that the interface has; none at all on a point-to-point link.
    #[default]
    Auto,
    /// Given by the operator.
    Given(IpAddr),
}

/// One way out, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uplink {
    /// Name, unique, as shown everywhere.
    pub name: String,
    /// Interface name; the index may change while the daemon runs.
    pub interface: String,
    /// IPv4 gateway.
    pub gateway: Gateway,
    /// IPv6 gateway.
    pub gateway6: Gateway,
    /// Preference, 1 is best; uplinks may share a tier.
    pub tier: u8,
    /// Metric of its own default route in the main table, unique among the uplinks.
    pub metric: u32,
    /// Packets with this mark use this uplink: (mark, mask).
    pub mark: Option<(u32, u32)>,
    /// What ICMP probes ask, both families in one list.
    pub targets: Vec<IpAddr>,
}

/// How the timeout of a probe is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timeout {
    /// srtt + 4·rttvar of the path (RFC 6298), between the floor and the ceiling.
    Adaptive {
        /// Least timeout.
        floor: Duration,
        /// Greatest timeout, also used before the first answer.
        ceiling: Duration,
        /// A verdict of death needs at least this much silence since the first missed probe was sent: an adaptive
        /// timeout is a guess, and a queue that fills suddenly must not look like a dead line.
        silence: Duration,
    },
    /// Always this.
    Fixed(Duration),
}

/// How uplinks are probed and judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Time between rounds on an uplink that matters: active, better than the active one, or not yet proven.
    pub interval: Duration,
    /// Time between rounds on a healthy uplink in standby.
    pub standby_interval: Duration,
    /// Time between rounds while the verdict is in doubt.
    pub confirm_interval: Duration,
    /// How long an answer may take.
    pub timeout: Timeout,
    /// Failed rounds in a row until an uplink is dead, at least 1.
    pub fall: u16,
    /// Good rounds in a row until an uplink is good, at least 1.
    pub rise: u16,
    /// Targets that must answer for a round to be good, at least 1.
    pub quorum: u16,
    /// Thresholds of the degraded verdict.
    pub degraded: Degraded,
}

/// When an uplink that answers is nevertheless not good enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    /// Length of the window that is looked at.
    pub window: Duration,
    /// Loss from which it is degraded, percent, 1 to 100.
    pub loss_percent: u8,
    /// Loss at or below which it is clear again, percent; at most `loss_percent`.
    pub clear_loss_percent: u8,
    /// Mean round-trip time from which it is degraded.
    pub rtt: Duration,
    /// Mean round-trip time at or below which it is clear again; at most `rtt`.
    pub clear_rtt: Duration,
}

/// How the selector behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// How long a better uplink must stay healthy before traffic goes home.
    pub stable_window: Duration,
    /// The longest stable window that flapping can lead to.
    pub max_stable_window: Duration,
    /// A failback undone within this time doubles the next window.
    pub flap_memory: Duration,
    /// After this a worse uplink is taken if it is all there is.
    pub boot_deadline: Duration,
    /// Leave a degraded uplink for a healthy one.
    pub leave_degraded: bool,
}

/// What to do with somebody else's default route that outranks ours on a managed interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignDefaults {
    /// Leave it and say so.
    Warn,
    /// Take it over, put it back when we leave.
    Replace,
}

/// What happens to what is ours in the kernel when the daemon stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExit {
    /// It stays: the box remains routed.
    Keep,
    /// It goes, and what was taken over is put back.
    Remove,
}

/// Whether to ask the kernel for the carrier instead of waiting for its announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierPoll {
    /// With each probe tick, and often while something smells.
    Auto,
    /// Never.
    Off,
}

/// Which flows of an uplink are forgotten when traffic leaves it (flow flush), so that they are translated anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flows {
    /// Those of UDP, which go on by the new line with the next packet.
    Udp,
    /// Those of every protocol: TCP connections are reset by the far end at once instead of at the second packet.
    All,
}

/// Numbers that mark what is ours in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// Metric of the promoted route, below every uplink's own.
    pub promoted_metric: u32,
    /// First routing table; uplink `i` has table `first_table + i`.
    pub first_table: u32,
    /// First rule priority.
    pub first_priority: u32,
    /// `rtm_protocol` of our routes and rules.
    pub protocol: u8,
    /// See [`ForeignDefaults`].
    pub foreign_defaults: ForeignDefaults,
    /// See [`OnExit`].
    pub on_exit: OnExit,
    /// See [`Flows`]; none are forgotten without it.
    pub flow_flush: Option<Flows>,
    /// Set `ignore_routes_with_linkdown` on the uplinks' interfaces.
    pub kernel_carrier: bool,
    /// See [`CarrierPoll`].
    pub carrier_poll: CarrierPoll,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The uplinks; their position is their id.
    pub uplinks: Vec<Uplink>,
    /// Probing.
    pub probe: Probe,
    /// Selecting.
    pub failover: Failover,
    /// Routing.
    pub routing: Routing,
}

/// A set of probe timings that fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Detection in about a second and a half at a quiet rate.
    #[default]
    Steady,
    /// Detection below a tenth of a second, for targets that may be asked fifty times a second.
    Fast,
    /// For metered or shared lines.
    Gentle,
}

impl Profile {
    /// The probe settings that this profile presets.
    #[must_use]
    pub fn probe(self) -> Probe {
        let ms = Duration::from_millis;
        let adaptive =
            |floor, silence| Timeout::Adaptive { floor: ms(floor), ceiling: ms(1000), silence: ms(silence) };
        let (interval, confirm, standby, timeout, rise) = match self {
            // 850 ms of silence: a queue of 800 ms that fills at once is no outage, and the verdict still falls
            // within two seconds of the cut (1 s until the next probe leaves, then this).
            Self::Steady => (ms(1000), ms(250), ms(5000), adaptive(100, 850), 3),
            // Three rounds; the user chose speed and targets near by.
            Self::Fast => (ms(20), ms(20), ms(100), adaptive(20, 50), 3),
            Self::Gentle => (ms(5000), ms(1000), ms(15_000), adaptive(100, 1000), 5),
        };
        Probe {
            interval,
            standby_interval: standby,
            confirm_interval: confirm,
            timeout,
            fall: 3,
            rise,
            quorum: 1,
            degraded: match self {
                Self::Steady | Self::Fast => Degraded::default(),
                // As many probes as the others see in a minute.
                Self::Gentle => Degraded { window: Duration::from_secs(300), ..Degraded::default() },
            },
        }
    }
}

impl Default for Degraded {
    /// The thresholds of the dpinger family.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            loss_percent: 20,
            clear_loss_percent: 5,
            rtt: Duration::from_millis(500),
            clear_rtt: Duration::from_millis(250),
        }
    }
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            stable_window: Duration::from_secs(60),
            max_stable_window: Duration::from_secs(3600),
            flap_memory: Duration::from_secs(600),
            boot_deadline: Duration::from_secs(10),
            leave_degraded: true,
        }
    }
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            promoted_metric: 5,
            first_table: 7700,
            first_priority: 7700,
            protocol: 117,
            foreign_defaults: ForeignDefaults::Warn,
            on_exit: OnExit::Keep,
            flow_flush: Some(Flows::Udp),
            kernel_carrier: true,
            carrier_poll: CarrierPoll::Auto,
        }
    }
}
