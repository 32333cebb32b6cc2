//! A site: a world and the daemon in its router.

use super::verdict;
use libtest_mimic::Failed;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use uplinkd::control::client;
use uplinkd::journal::{Error, Journal, replay};
use uplinkd::lab::clock::now;
use uplinkd::lab::{Process, World};

/// Flags under which a test takes seconds: quick rounds, a short stable window, the world's own targets. The profile
/// is for what has no flag: a standby is asked as often as the active uplink. Three rounds in a row without an answer
/// for four tenths of a second are no accident of a busy machine.
pub(super) const QUICK: &[&str] = &[
    "--profile=fast",
    "--interval=100ms",
    "--confirm-interval=50ms",
    "--timeout=400ms",
    "--stable-window=2s",
    "--ping-target=203.0.113.1",
    "--ping-target=203.0.113.2",
    "--ping-target=203.0.113.3",
];

/// A window that no trial sees the end of: what moves nevertheless did not wait for it.
pub(super) const LONG_WINDOW: &str = "--stable-window=10m";

/// A single round that fails starts a window anew: no accident of a busy machine may do that.
pub(super) const PATIENT: &str = "--timeout=1s";

/// How long a client may wait for a failover from silent loss. A tenth until the next round, four tenths for its answer,
/// and a tenth for the two rounds behind it make six; the rest is for a busy machine.
pub(super) const DETECTION: Duration = Duration::from_millis(2500);

/// How long anything may take before a test gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

pub(super) struct Site {
    pub(super) world: World,
    daemon: Option<Process>,
    directory: TempDir,
    arguments: Vec<String>,
}

impl Site {
    /// A daemon with [`QUICK`] flags, of which these take the place of their likes, in a usual world.
    pub(super) fn quick(flags: &[&str]) -> Result<Self, Failed> {
        Self::with(World::builder().build()?, flags)
    }

    /// The same in this world, with the gateways that its uplinks have.
    pub(super) fn with(world: World, flags: &[&str]) -> Result<Self, Failed> {
        let mut site = Self::idle(world, flags)?;
        site.start()?;
        Ok(site)
    }

    /// The same without a daemon yet.
    pub(super) fn idle(world: World, flags: &[&str]) -> Result<Self, Failed> {
        let mut arguments = quick(flags);
        for (index, role) in ["primary", "secondary"].into_iter().enumerate() {
            for plan in [world.uplink(index)?.v4, world.uplink(index)?.v6].into_iter().flatten() {
                arguments.extend(plan.gateway.map(|gateway| format!("--{role}-gateway={gateway}")));
            }
        }
        Self::without_daemon(world, arguments)
    }

    /// The same, with gateways that the daemon has to learn.
    pub(super) fn learning(world: World, flags: &[&str]) -> Result<Self, Failed> {
        let mut arguments = quick(flags);
        arguments.extend(["primary", "secondary"].map(|role| format!("--{role}-gateway=auto")));
        Self::bare(world, arguments)
    }

    /// A daemon for `wan0` and `wan1` of this world with these arguments and no others.
    pub(super) fn bare(world: World, arguments: Vec<String>) -> Result<Self, Failed> {
        let mut site = Self::without_daemon(world, arguments)?;
        site.start()?;
        Ok(site)
    }

    fn without_daemon(world: World, mut arguments: Vec<String>) -> Result<Self, Failed> {
        arguments.extend(["--primary-interface=wan0".to_owned(), "--secondary-interface=wan1".to_owned()]);
        Ok(Self { world, daemon: None, directory: TempDir::new()?, arguments })
    }

    /// A daemon in a usual world with this configuration file.
    pub(super) fn configured(text: &str) -> Result<Self, Failed> {
        let directory = TempDir::new()?;
        let file = directory.path().join("uplinkd.toml");
        std::fs::write(&file, text)?;
        let arguments = vec!["--config".to_owned(), file.display().to_string()];
        let mut site = Self { world: World::builder().build()?, daemon: None, directory, arguments };
        site.start()?;
        Ok(site)
    }

    /// A quick site that has come to rest in Primary, both uplinks healthy.
    pub(super) fn settled(flags: &[&str]) -> Result<Self, Failed> {
        Self::quick(flags)?.rested()
    }

    /// Waits for Primary, both uplinks healthy.
    pub(super) fn rested(self) -> Result<Self, Failed> {
        self.wait_for("primary", "wan0")?;
        self.wait_for_health(0, "healthy")?;
        self.wait_for_health(1, "healthy")?;
        Ok(self)
    }

    /// A quick site in Fallback, because the primary's line is dead.
    pub(super) fn fallen(flags: &[&str]) -> Result<Self, Failed> {
        let site = Self::settled(flags)?;
        site.blackhole(0, true)?;
        site.wait_for("fallback", "wan1")?;
        Ok(site)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("control.sock")
    }

    /// Written by each daemon of each trial, and replayed at its end.
    pub(super) fn journal(&self) -> PathBuf {
        self.directory.path().join("journals/journal")
    }

    /// What a replay of the journals, the newest first, finds to be different; and that they hold decisions where the
    /// log tells of some.
    fn replay(&self) -> Vec<String> {
        let older = (1..).map(|number| self.journal().with_extension(number.to_string()));
        let files = std::iter::once(self.journal()).chain(older).take_while(|path| path.exists());
        let mut decisions = 0;
        let different = |path: PathBuf| {
            let replayed = Journal::open(&path).and_then(replay);
            match replayed {
                Ok(replayed) if replayed.divergence.is_none() => {
                    decisions += replayed.decisions;
                    None
                }
                // A trial that kills at any moment also kills before the first line is written.
                Err(Error::Unbegun) => None,
                Ok(replayed) => Some(format!("ERROR {}: {replayed:#?}", path.display())),
                Err(error) => Some(format!("ERROR {}: {error}", path.display())),
            }
        };
        let mut wrong: Vec<String> = files.filter_map(different).collect();
        if decisions == 0 && self.log().contains("selection changed") {
            wrong.push("ERROR there were decisions, and the journals have none".to_owned());
        }
        wrong
    }

    pub(super) fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Silent loss upstream, or its end.
    pub(super) fn blackhole(&self, uplink: usize, on: bool) -> Result<(), Failed> {
        Ok(self.world.change(uplink, |line| line.blackhole(on))?)
    }

    /// Starts the daemon (again).
    pub(super) fn start(&mut self) -> Result<(), Failed> {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.directory.path().join("log"))?;
        std::fs::create_dir_all(self.directory.path().join("journals"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_uplinkd"));
        // What the developer or the machine has set is nothing to these daemons.
        command.arg("run").args(&self.arguments).arg("--control-socket").arg(self.socket());
        command.arg("--journal").arg(self.journal());
        command
            .env("RUST_LOG", "debug")
            .env_remove("UPLINKD_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.daemon = Some(self.world.router().spawn(command)?);
        Ok(())
    }

    /// From the next start on the uplinks have changed places.
    pub(super) fn swap(&mut self) {
        for argument in &mut self.arguments {
            *argument = if let Some(rest) = argument.strip_prefix("--primary-") {
                format!("--secondary-{rest}")
            } else if let Some(rest) = argument.strip_prefix("--secondary-") {
                format!("--primary-{rest}")
            } else {
                continue;
            };
        }
    }

    /// Another of our commands in the router.
    pub(super) fn command(&self, arguments: &[&str]) -> Result<Output, Failed> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uplinkd"));
        command.args(arguments).env_remove("RUST_LOG").env_remove("UPLINKD_CONFIG").stdin(Stdio::null());
        self.output(command)
    }

    /// What a program in the router says, and how it ends.
    pub(super) fn output(&self, mut command: Command) -> Result<Output, Failed> {
        Ok(self.world.router().run(move || command.output())??)
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        self.daemon = None;
    }

    /// Stops the daemon as a debugger would, or lets it go on.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Failed> {
        let daemon = self.daemon.as_ref().ok_or("the daemon does not run")?;
        Ok(kill(Pid::from_raw(i32::try_from(daemon.id())?), signal)?)
    }

    /// SIGTERM, and how it ended: exit code and how long that took.
    pub(super) fn terminate(&mut self) -> Result<(Option<i32>, Duration), Failed> {
        let begin = now();
        self.signal(Signal::SIGTERM)?;
        let mut daemon = self.daemon.take().ok_or("the daemon does not run")?;
        while begin.elapsed() < PATIENCE {
            if let Some(status) = daemon.try_wait()? {
                return Ok((status.code(), begin.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(1));
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
            std::thread::sleep(PAUSE);
        }
        Err(format!("{what}: not within {PATIENCE:?}; status: {last:#}").into())
    }

    /// Waits until IPv4 is in this state with this active uplink.
    pub(super) fn wait_for(&self, state: &str, active: &str) -> Result<Value, Failed> {
        self.wait_for_family("ipv4", state, active)
    }

    /// Waits until a family is in this state with this active uplink, and the kernel has what that takes.
    pub(super) fn wait_for_family(&self, family: &str, state: &str, active: &str) -> Result<Value, Failed> {
        self.wait(&format!("{family}: {state} on {active}"), |status| {
            let family = &status["families"][family];
            family["state"] == state && family["active"] == active && family["sync"] == "clean"
        })
    }

    /// Waits until an uplink has this health in IPv4.
    pub(super) fn wait_for_health(&self, uplink: usize, health: &str) -> Result<Value, Failed> {
        self.wait(&format!("uplink {uplink} {health}"), |status| path(status, uplink)["health"] == health)
    }

    /// Waits until the stable window runs.
    pub(super) fn wait_for_proof(&self) -> Result<Value, Failed> {
        self.wait("proving", |status| status["families"]["ipv4"]["detail"] == "proving")
    }

    /// Watches for a while that the active uplink of IPv4 does not change.
    pub(super) fn stays(&self, active: &str, duration: Duration) -> Result<(), Failed> {
        let begin = now();
        while begin.elapsed() < duration {
            let is = &self.status()?["families"]["ipv4"]["active"];
            if is != active {
                return Err(format!("moved from {active} to {is} after {:?}", begin.elapsed()).into());
            }
            std::thread::sleep(PAUSE * 2);
        }
        Ok(())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.daemon = None;
        verdict::note_log([self.log(), self.replay().join("\n")].join("\n"));
    }
}

/// The part of a status about one uplink in IPv4.
pub(super) fn path(status: &Value, uplink: usize) -> &Value {
    &status["uplinks"][uplink]["families"]["ipv4"]
}

/// [`QUICK`], but for what these flags say.
fn quick(flags: &[&str]) -> Vec<String> {
    let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
    let given = |flag: &&&str| flags.iter().any(|own| name(own) == name(flag));
    let usual = QUICK.iter().filter(|flag| !given(flag));
    usual.chain(flags).map(ToString::to_string).collect()
}
