//! A world with the daemon in its router.

use std::fmt::Write as _;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use uplinkd::control::client;
use uplinkd::lab::{Namespace, Process, World, clock};

use crate::Failure;

/// The metric of the promoted route: that it comes is a failover, that it goes a failback.
pub(crate) const PROMOTED: u32 = 5;
/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// After a link event, as at the start, the daemon asks for carriers often, for five seconds.
pub(crate) const SETTLING: Duration = Duration::from_secs(6);
/// A round trip to a target that is near, but not in the next room.
pub(crate) const ROUND_TRIP: Duration = Duration::from_millis(10);

/// So that a measurement can be repeated at once: home as soon as the line is proven, and no memory of flaps.
pub(crate) const REPEATABLE: &str = "[failover]\nstable_window = \"20ms\"\nflap_memory = \"0s\"\n";

/// The daemon, running.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Process,
    directory: TempDir,
    started: Instant,
}

impl Daemon {
    /// Starts it in a namespace with this configuration, and waits for nothing.
    pub(crate) fn start(namespace: &Namespace, config: &str) -> Result<Self, Failure> {
        let directory = TempDir::new()?;
        let file = directory.path().join("uplinkd.toml");
        let socket = directory.path().join("control.sock");
        std::fs::write(&file, format!("{config}\n[control]\nsocket = \"{}\"\n", socket.display()))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_uplinkd"));
        command.arg("run").arg("-c").arg(&file).env("RUST_LOG", "info");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.path().join("log"))?);
        let started = clock::now();
        Ok(Self { process: namespace.spawn(command)?, directory, started })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// When it was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    pub(crate) fn status(&self) -> Result<Value, Failure> {
        Ok(client::ask(&self.socket(), "status")?)
    }

    /// Waits until the status says something.
    pub(crate) fn wait(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value, Failure> {
        while self.started.elapsed() < PATIENCE {
            if let Ok(status) = self.status()
                && holds(&status)
            {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        Err(format!("the daemon was not {what} within {PATIENCE:?}; it said last: {}", last.join(" | "))
            .into())
    }

    /// Waits until the best uplink carries the traffic and every uplink is proven.
    pub(crate) fn settled(&self) -> Result<(), Failure> {
        let healthy = |uplink: &Value| uplink["families"]["ipv4"]["health"] == "healthy";
        self.wait("settled", |status| {
            status["families"]["ipv4"]["state"] == "primary"
                && status["families"]["ipv4"]["sync"] == "clean"
                && status["uplinks"].as_array().is_some_and(|uplinks| uplinks.iter().all(healthy))
        })?;
        Ok(())
    }
}

/// A world of two uplinks, and the daemon settled in it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) daemon: Daemon,
    pub(crate) world: World,
}

impl Site {
    /// A daemon in this world with three targets per uplink, [`ROUND_TRIP`] away, and these further settings.
    pub(crate) fn start(world: World, more: &str) -> Result<Self, Failure> {
        world.change_all(|line| line.round_trip(ROUND_TRIP));
        let daemon = Daemon::start(world.router(), &config(&world, more)?)?;
        Ok(Self { daemon, world })
    }

    /// The same, waiting until it has come to rest.
    pub(crate) fn settled(world: World, more: &str) -> Result<Self, Failure> {
        let site = Self::start(world, more)?;
        site.daemon.settled()?;
        Ok(site)
    }
}

/// The uplinks of a world as the daemon's configuration, IPv4 only: every figure is one family's.
fn config(world: &World, more: &str) -> Result<String, Failure> {
    let targets: Vec<String> = (1..=3).map(|number| format!("\"{}\"", World::target(number))).collect();
    let mut text = String::new();
    for at in 0..world.count() {
        let uplink = world.uplink(at)?;
        let gateway = uplink.v4.and_then(|plan| plan.gateway).ok_or("an uplink without a gateway")?;
        write!(
            text,
            "[[uplink]]\ninterface = \"{}\"\ngateway = \"{gateway}\"\ntargets = [{}]\n\n",
            uplink.name,
            targets.join(", ")
        )?;
    }
    Ok(text + more)
}
