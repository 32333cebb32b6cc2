//! The flags of `uplinkd run` that replace a file: two uplinks and the most wanted settings.

use core::time::Duration;
use std::path::PathBuf;

use super::draft::{Draft, Failover, Journal, Probe, Routing, Timeout, Uplink};
use super::file::{FOREIGN_DEFAULTS, ON_EXIT, PROFILES};
use super::finding::Complaint;
use super::slot::{Given, Notes, Origin, Slot};
use super::suggest::choice;
use super::{address, duration, text};
use crate::engine::Family;
use crate::engine::settings::Gateway;

/// Two uplinks without a file.
///
/// All values are text here, and checked by [`super::from_flags`], so that everything that is wrong is reported at
/// once and in the words of the file's messages.
#[derive(Debug, Clone, PartialEq, Eq, Default, clap::Args)]
#[command(next_help_heading = "Two uplinks without a file")]
pub struct Flags {
    /// Interface of the uplink to prefer
    #[arg(long, value_name = "INTERFACE")]
    pub primary_interface: Option<String>,
    /// Interface of the other uplink
    #[arg(long, value_name = "INTERFACE")]
    pub secondary_interface: Option<String>,
    /// Its gateway, or `auto` to learn it from the interface's routes; once for IPv4 and once for IPv6
    #[arg(long, value_name = "ADDRESS")]
    pub primary_gateway: Vec<String>,
    /// The same for the other uplink
    #[arg(long, value_name = "ADDRESS")]
    pub secondary_gateway: Vec<String>,
    /// What to ping through both, such as 8.8.8.8; may be repeated [default: public resolvers]
    #[arg(long, value_name = "TARGET")]
    pub ping_target: Vec<String>,
    /// Preset of the timings: steady, fast or gentle [default: steady]
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Time between probes [default: 1s]
    #[arg(long, value_name = "DURATION")]
    pub interval: Option<String>,
    /// Time between probes while the verdict is in doubt [default: 250ms]
    #[arg(long, value_name = "DURATION")]
    pub confirm_interval: Option<String>,
    /// How long an answer may take, or `adaptive` [default: adaptive]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Failed rounds in a row until an uplink is down [default: 3]
    #[arg(long, value_name = "ROUNDS")]
    pub fall: Option<String>,
    /// Good rounds in a row until an uplink is healthy [default: 3]
    #[arg(long, value_name = "ROUNDS")]
    pub rise: Option<String>,
    /// How long the primary must stay healthy before traffic goes home [default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub stable_window: Option<String>,
    /// Somebody else's default routes that outrank ours: warn or replace [default: warn]
    #[arg(long, value_name = "WHAT")]
    pub foreign_defaults: Option<String>,
    /// Our routes when the daemon stops: keep or remove [default: keep]
    #[arg(long, value_name = "WHAT")]
    pub on_exit: Option<String>,
    /// Leave `ignore_routes_with_linkdown` of the interfaces alone
    #[arg(long)]
    pub no_kernel_carrier: bool,
    /// Path of the control socket [default: /run/uplinkd/control.sock]
    #[arg(long, value_name = "PATH")]
    pub control_socket: Option<PathBuf>,
    /// Write a journal there, for `uplinkd replay`
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

impl Flags {
    /// The flags that were given, in the order of the help: whether there are any decides between them and a file.
    pub fn given(&self) -> Vec<&'static str> {
        self.all().into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    }

    /// Where a flag stands in the help.
    pub(super) fn position(&self, flag: &str) -> Option<usize> {
        self.all().iter().position(|(name, _)| *name == flag)
    }

    /// Each flag in the order of the help, and whether it was given.
    fn all(&self) -> [(&'static str, bool); 17] {
        [
            ("--primary-interface", self.primary_interface.is_some()),
            ("--secondary-interface", self.secondary_interface.is_some()),
            ("--primary-gateway", !self.primary_gateway.is_empty()),
            ("--secondary-gateway", !self.secondary_gateway.is_empty()),
            ("--ping-target", !self.ping_target.is_empty()),
            ("--profile", self.profile.is_some()),
            ("--interval", self.interval.is_some()),
            ("--confirm-interval", self.confirm_interval.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--fall", self.fall.is_some()),
            ("--rise", self.rise.is_some()),
            ("--stable-window", self.stable_window.is_some()),
            ("--foreign-defaults", self.foreign_defaults.is_some()),
            ("--on-exit", self.on_exit.is_some()),
            ("--no-kernel-carrier", self.no_kernel_carrier),
            ("--control-socket", self.control_socket.is_some()),
            ("--journal", self.journal.is_some()),
        ]
    }
}

/// Reads the flags.
pub(super) fn read(flags: &Flags, notes: &Notes) -> Draft {
    let reader = Reader { notes };
    let primary = reader.uplink(
        "--primary-interface",
        flags.primary_interface.as_ref(),
        "--primary-gateway",
        &flags.primary_gateway,
    );
    let secondary = reader.uplink(
        "--secondary-interface",
        flags.secondary_interface.as_ref(),
        "--secondary-gateway",
        &flags.secondary_gateway,
    );
    let kernel_carrier = Slot::Given(Given { value: false, origin: Origin::flag("--no-kernel-carrier") });
    Draft {
        uplinks: Slot::Given(Given {
            value: vec![primary, secondary],
            origin: Origin::flag("--primary-interface"),
        }),
        probe: Probe {
            targets: reader.targets("--ping-target", &flags.ping_target),
            profile: reader.text("--profile", flags.profile.as_ref(), |text| choice(text, &PROFILES)),
            interval: reader.duration("--interval", flags.interval.as_ref()),
            confirm_interval: reader.duration("--confirm-interval", flags.confirm_interval.as_ref()),
            timeout: reader.text("--timeout", flags.timeout.as_ref(), Timeout::parse),
            fall: reader.text("--fall", flags.fall.as_ref(), text::integer),
            rise: reader.text("--rise", flags.rise.as_ref(), text::integer),
            ..Probe::default()
        },
        failover: Failover {
            stable_window: reader.duration("--stable-window", flags.stable_window.as_ref()),
            ..Failover::default()
        },
        routing: Routing {
            foreign_defaults: reader.text("--foreign-defaults", flags.foreign_defaults.as_ref(), |text| {
                choice(text, &FOREIGN_DEFAULTS)
            }),
            on_exit: reader.text("--on-exit", flags.on_exit.as_ref(), |text| choice(text, &ON_EXIT)),
            kernel_carrier: if flags.no_kernel_carrier { kernel_carrier } else { Slot::Absent },
            ..Routing::default()
        },
        socket: match &flags.control_socket {
            Some(path) => Slot::noted(text::socket(path), Origin::flag("--control-socket"), notes),
            None => Slot::Absent,
        },
        journal: Journal {
            path: match &flags.journal {
                Some(path) => Slot::noted(text::file(path), Origin::flag("--journal"), notes),
                None => Slot::Absent,
            },
            ..Journal::default()
        },
    }
}

struct Reader<'n> {
    notes: &'n Notes,
}

impl Reader<'_> {
    fn text<T>(
        &self,
        flag: &str,
        text: Option<&String>,
        convert: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Slot<T> {
        match text {
            Some(text) => Slot::noted(convert(text), Origin::flag(flag), self.notes),
            None => Slot::Absent,
        }
    }

    fn duration(&self, flag: &str, text: Option<&String>) -> Slot<Duration> {
        self.text(flag, text, duration::parse)
    }

    /// One of the two uplinks. The interface's absence is noted here, where it is a flag that is missing.
    fn uplink(
        &self,
        flag: &str,
        interface: Option<&String>,
        gateway_flag: &str,
        gateways: &[String],
    ) -> Uplink {
        let mut uplink = Uplink::new(Origin::flag(flag));
        uplink.interface = self.text(flag, interface, text::interface);
        if interface.is_none() {
            self.notes.add(&uplink.origin, "is missing", "without a file, both interfaces must be named");
            uplink.interface = Slot::Broken;
        }
        for text in gateways {
            let origin = Origin::flag(gateway_flag);
            match Slot::noted(address::gateway(text), origin, self.notes) {
                // What is learnt anyway.
                Slot::Absent | Slot::Broken | Slot::Given(Given { value: Gateway::Auto, .. }) => {}
                Slot::Given(given) => self.gateway(&mut uplink, given),
            }
        }
        uplink
    }

    fn gateway(&self, uplink: &mut Uplink, given: Given<Gateway>) {
        let Gateway::Given(address) = given.value else { return };
        let family = Family::of(address);
        let slot = match family {
            Family::V4 => &mut uplink.gateway,
            Family::V6 => &mut uplink.gateway6,
        };
        if slot.given().is_some() {
            let problem = format!("{address} is a second {} gateway", family.name());
            self.notes.add(&given.origin, problem, "give it once for IPv4 and once for IPv6");
        } else {
            *slot = Slot::Given(given);
        }
    }

    fn targets(&self, flag: &str, texts: &[String]) -> Slot<Vec<core::net::IpAddr>> {
        if texts.is_empty() {
            return Slot::Absent;
        }
        let items: Vec<_> = texts.iter().map(|text| self.text(flag, Some(text), address::target)).collect();
        address::target_list(&items, Origin::flag(flag), self.notes)
    }
}
