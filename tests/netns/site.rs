//! A site: a world, the daemon in its router, and eyes for both.

use libtest_mimic::Failed;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use uplinkd::control::client;
use uplinkd::engine::Family;
use uplinkd::engine::input::Dump;
use uplinkd::engine::route::{MAIN_TABLE, Names, Route};
use uplinkd::engine::settings::{Profile, Routing, Settings};
use uplinkd::kernel::Kernel;
use uplinkd::lab::clock::now;
use uplinkd::lab::{Process, World};

/// Flags under which a test takes seconds: quick rounds, a short stable window, the world's own targets.
pub(super) const QUICK: &[&str] = &[
    "--interval=100ms",
    "--confirm-interval=50ms",
    "--timeout=100ms",
    "--stable-window=2s",
    "--ping-target=203.0.113.1",
    "--ping-target=203.0.113.2",
    "--ping-target=203.0.113.3",
];

/// How long anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

pub(super) struct Site {
    pub(super) world: World,
    daemon: Option<Process>,
    directory: TempDir,
    arguments: Vec<String>,
}

impl Site {
    /// A world of two uplinks and a daemon with both gateways given and [`QUICK`] flags.
    pub(super) fn quick() -> Result<Self, Failed> {
        Self::with(World::builder().build()?, QUICK)
    }

    /// A daemon in this world with the gateways of its uplinks and more flags, waiting for nothing.
    pub(super) fn with(world: World, flags: &[&str]) -> Result<Self, Failed> {
        let mut arguments = vec![];
        for (index, role) in ["primary", "secondary"].into_iter().enumerate() {
            let uplink = world.uplink(index)?;
            arguments.push(format!("--{role}-interface={}", uplink.name));
            for plan in [uplink.v4, uplink.v6].into_iter().flatten() {
                arguments.extend(plan.gateway.map(|gateway| format!("--{role}-gateway={gateway}")));
            }
        }
        arguments.extend(flags.iter().map(ToString::to_string));
        Self::bare(world, arguments)
    }

    /// A daemon in this world with exactly these arguments behind `run`.
    pub(super) fn bare(world: World, arguments: Vec<String>) -> Result<Self, Failed> {
        let directory = TempDir::new()?;
        let mut site = Self { world, daemon: None, directory, arguments };
        site.start()?;
        Ok(site)
    }

    /// A quick site that has come to rest in Primary.
    pub(super) fn settled() -> Result<Self, Failed> {
        let site = Self::quick()?;
        site.wait_for("primary", "wan0")?;
        Ok(site)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Starts the daemon (again).
    pub(super) fn start(&mut self) -> Result<(), Failed> {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_uplinkd"));
        command.arg("run").args(&self.arguments).arg("--control-socket").arg(self.socket());
        command.env("RUST_LOG", "debug").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(self.world.router().spawn(command)?);
        Ok(())
    }

    /// Another of our commands in the router.
    pub(super) fn command(&self, arguments: &[&str]) -> Result<std::process::Output, Failed> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uplinkd"));
        command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
        Ok(self.world.router().run(move || command.output())??)
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        self.daemon = None;
    }

    /// SIGTERM, and how it ended: exit code and how long that took.
    pub(super) fn terminate(&mut self) -> Result<(Option<i32>, Duration), Failed> {
        let mut daemon = self.daemon.take().ok_or("the daemon does not run")?;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(daemon.id())?);
        let begin = now();
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        while begin.elapsed() < PATIENCE {
            if let Some(status) = daemon.try_wait()? {
                return Ok((status.code(), begin.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err("the daemon did not end".into())
    }

    pub(super) fn status(&self) -> Result<Value, Failed> {
        Ok(client::ask(&self.socket(), "status")?)
    }

    /// Waits until the status says something.
    pub(super) fn wait(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value, Failed> {
        let begin = now();
        let mut last = Value::Null;
        while begin.elapsed() < PATIENCE {
            if let Ok(status) = client::ask(&self.socket(), "status") {
                if holds(&status) {
                    return Ok(status);
                }
                last = status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("{what}: not within {PATIENCE:?}; status: {last:#}\nlog:\n{}", self.log()).into())
    }

    /// Waits until IPv4 is in this state with this active uplink.
    pub(super) fn wait_for(&self, state: &str, active: &str) -> Result<Value, Failed> {
        self.wait(&format!("{state} on {active}"), |status| {
            let family = &status["families"]["ipv4"];
            family["state"] == state && family["active"] == active && family["sync"] == "clean"
        })
    }

    /// Waits until an uplink has this health in IPv4.
    pub(super) fn wait_for_health(&self, uplink: usize, health: &str) -> Result<Value, Failed> {
        self.wait(&format!("uplink {uplink} {health}"), |status| {
            status["uplinks"][uplink]["families"]["ipv4"]["health"] == health
        })
    }

    /// Watches for a while that the active uplink of IPv4 does not change.
    pub(super) fn stays(&self, active: &str, duration: Duration) -> Result<(), Failed> {
        let begin = now();
        while begin.elapsed() < duration {
            let status = self.status()?;
            let is = &status["families"]["ipv4"]["active"];
            if is != active {
                return Err(format!("moved to {is} after {:?}\n{}", begin.elapsed(), self.log()).into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What the router's kernel has.
    pub(super) fn dump(&self, family: Family) -> Result<Dump, Failed> {
        let settings = Settings {
            uplinks: vec![],
            probe: Profile::Steady.probe(),
            failover: uplinkd::engine::settings::Failover::default(),
            routing: Routing::default(),
        };
        Ok(self
            .world
            .router()
            .run(|| Kernel::open_all(&settings).and_then(|mut kernel| kernel.dump(family)))??)
    }

    /// Default routes of the main table, best first, in the words of `ip route`.
    pub(super) fn defaults(&self, family: Family) -> Result<Vec<String>, Failed> {
        let dump = self.dump(family)?;
        let names: Names = dump.links.iter().map(|link| (link.index, link.name.clone())).collect();
        let mut routes: Vec<&Route> =
            dump.routes.iter().filter(|route| route.table == MAIN_TABLE && route.is_default()).collect();
        routes.sort_by_key(|route| route.metric);
        Ok(routes.into_iter().map(|route| route.words(&names)).collect())
    }

    /// Everything of ours, routes and rules, in words.
    pub(super) fn ours(&self, family: Family) -> Result<Vec<String>, Failed> {
        let dump = self.dump(family)?;
        let names: Names = dump.links.iter().map(|link| (link.index, link.name.clone())).collect();
        let routes = dump.routes.iter().filter(|route| route.protocol == 117 || route.table >= 7700);
        let rules = dump.rules.iter().filter(|rule| rule.protocol == 117);
        let mut words: Vec<String> = routes.map(|route| route.words(&names)).collect();
        words.sort();
        let mut rules: Vec<String> = rules.map(uplinkd::engine::route::Rule::words).collect();
        rules.sort();
        words.extend(rules);
        Ok(words)
    }
}

/// An error with both sides, unless they are equal.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(is: &T, should: &T, what: &str) -> Result<(), Failed> {
    if is == should {
        Ok(())
    } else {
        Err(format!("{what}\n      is: {is:#?}\n  should: {should:#?}").into())
    }
}
