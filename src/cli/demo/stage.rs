//! The stage: a world, the daemon, a client, and the acts that are played.

use super::super::print::{Style, print_line};
use super::Pace;
use super::table::Row;
use crate::control::client::ask;
use crate::daemon::clock::wall;
use crate::lab::clock::now;
use crate::lab::{Client, ClientPlan, LabError, Process, World};
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often the daemon is asked what it thinks.
const LOOK: Duration = Duration::from_millis(5);
/// How long one act may take at most.
const PATIENCE: Duration = Duration::from_secs(20);
/// Gap that pulling a cable may cause.
const CARRIER: Duration = Duration::from_millis(150);
/// A datagram whose answer is so late counts as lost.
const GRACE: Duration = Duration::from_millis(300);

/// Everything that takes part.
pub(super) struct Stage {
    pace: Pace,
    socket: PathBuf,
    quiet: bool,
    style: Style,
    begun: Instant,
    /// Transitions up to this one have been shown.
    seen: u64,
    client: Client,
    // Dropped in this order: the daemon before its world.
    _daemon: Process,
    world: World,
}

/// What is expected of an act.
enum Expectation {
    /// Traffic moves to this state and uplink; the client's gap is at most this.
    Moves { state: &'static str, active: &'static str, gap: Duration },
    /// Traffic goes home after the stable window, and nothing is lost.
    ComesHome,
    /// Nothing moves.
    Stays,
    /// Nothing moves, and the client is served again within this.
    ServedAgain(Duration),
}

/// What the daemon did about an act.
#[derive(Default)]
struct Reaction {
    detected: Option<Duration>,
    switched: Option<Duration>,
    switches: usize,
}

impl Stage {
    pub(super) fn set(pace: Pace, socket: &Path, quiet: bool) -> anyhow::Result<Self> {
        let begun = now();
        let style = Style::stdout();
        let world = World::builder().build().context("cannot build the lab")?;
        let client = Client::start(&world, ClientPlan::default()).context("cannot start the client")?;
        let daemon = daemon(&world, pace, socket)?;
        let stage = Self {
            pace,
            socket: socket.to_owned(),
            quiet,
            style,
            begun,
            seen: 0,
            client,
            _daemon: daemon,
            world,
        };
        stage.say(
            "lab",
            "two providers and an internet in namespaces of their own; a client sends 1000 packets a second",
        );
        Ok(stage)
    }

    /// All acts.
    pub(super) fn play(&mut self) -> anyhow::Result<Vec<Row>> {
        let silence = self.pace.silence;
        let window = self.pace.stable_window;
        let moves = |gap| Expectation::Moves { state: "fallback", active: "wan1", gap };
        let upstream = |world: &World, on: bool, at: usize| world.change(at, |line| line.blackhole(on));
        let mut rows = vec![self.start()?];
        rows.push(self.act("cable of wan0 pulled", &moves(CARRIER), |world| world.cut(0))?);
        rows.push(self.act(
            &format!("cable back, stable for {window:?}"),
            &Expectation::ComesHome,
            |world| world.mend(0),
        )?);
        rows.push(
            self.act("wan0 dead behind its live gateway", &moves(silence), |world| upstream(world, true, 0))?,
        );
        rows.push(self.act(
            &format!("wan0 works again, stable for {window:?}"),
            &Expectation::ComesHome,
            |world| upstream(world, false, 0),
        )?);
        rows.push(self.act("both dead", &Expectation::Stays, |world| {
            upstream(world, true, 0).and(upstream(world, true, 1))
        })?);
        rows.push(self.act("both work again", &Expectation::ServedAgain(silence), |world| {
            upstream(world, false, 0).and(upstream(world, false, 1))
        })?);
        Ok(rows)
    }

    /// From nothing to Primary.
    fn start(&mut self) -> anyhow::Result<Row> {
        let begun = now();
        let since = wall();
        let reaction = self.watch(since, PATIENCE, |reaction| reaction.switched.is_some())?;
        std::thread::sleep(self.pace.pause);
        Ok(Row {
            event: "the daemon starts".to_owned(),
            detected: reaction.detected.map(|_| begun.elapsed().saturating_sub(self.pace.pause)),
            switched: reaction.switched.map(|_| begun.elapsed().saturating_sub(self.pace.pause)),
            sent: 0,
            lost: 0,
            longest_gap: None,
            promise: "primary on wan0".to_owned(),
            kept: reaction.switched.is_some() && self.is("primary", "wan0"),
        })
    }

    fn act(
        &mut self,
        event: &str,
        expectation: &Expectation,
        change: impl FnOnce(&World) -> Result<(), LabError>,
    ) -> anyhow::Result<Row> {
        self.say("lab", &self.style.bold(event));
        let (from, since) = (self.client.mark(), wall());
        change(&self.world)?;
        let reaction = match expectation {
            Expectation::Moves { .. } | Expectation::ComesHome => {
                self.watch(since, PATIENCE, |reaction| reaction.switched.is_some())?
            }
            Expectation::Stays => self.watch(since, self.pace.watch, |_| false)?,
            Expectation::ServedAgain(_) => self.watch(since, self.pace.pause * 2, |_| false)?,
        };
        let rest = self.watch(since, self.pace.pause, |_| false)?;
        let to = self.client.mark();
        std::thread::sleep(GRACE);
        let losses = self.client.report(from, to);
        let gap = losses.longest_gap;
        let still = reaction.switches + rest.switches == 0;
        let (promise, kept) = match expectation {
            Expectation::Moves { state, active, gap: limit } => {
                (format!("gap at most {limit:?}"), self.is(state, active) && gap <= *limit)
            }
            Expectation::ComesHome => {
                let waited = reaction.switched.is_some_and(|after| after >= self.pace.stable_window);
                (
                    "home after the window, nothing lost".to_owned(),
                    self.is("primary", "wan0") && waited && losses.lost == 0,
                )
            }
            Expectation::Stays => ("nothing moves".to_owned(), still),
            Expectation::ServedAgain(limit) => {
                let served = losses.last_loss.is_none_or(|at| at.saturating_duration_since(from) <= *limit);
                (format!("served within {limit:?}, nothing moves"), still && served)
            }
        };
        self.say(
            "client",
            &format!("{} of {} packets lost, longest gap {gap:.0?}", losses.lost, losses.sent),
        );
        Ok(Row {
            event: event.to_owned(),
            detected: reaction.detected,
            switched: reaction.switched,
            sent: losses.sent,
            lost: losses.lost,
            longest_gap: Some(gap),
            promise,
            kept,
        })
    }

    /// Shows what the daemon does until `enough`, or for so long.
    fn watch(
        &mut self,
        since: u64,
        patience: Duration,
        enough: impl Fn(&Reaction) -> bool,
    ) -> anyhow::Result<Reaction> {
        let begun = now();
        let mut reaction = Reaction::default();
        while begun.elapsed() < patience && !enough(&reaction) {
            if let Ok(status) = ask(&self.socket, "status") {
                for transition in status["transitions"].as_array().into_iter().flatten() {
                    self.notice(transition, since, &mut reaction);
                }
            } else if begun.elapsed() > Duration::from_secs(5) {
                bail!(
                    "the daemon does not answer; run `uplinkd run` with RUST_LOG=debug in such a namespace to see why"
                );
            }
            std::thread::sleep(LOOK);
        }
        Ok(reaction)
    }

    fn notice(&mut self, transition: &Value, since: u64, reaction: &mut Reaction) {
        let id = transition["id"].as_u64().unwrap_or(0);
        if id <= self.seen {
            return;
        }
        self.seen = id;
        if transition["family"] != "ipv4" {
            return;
        }
        let text = |key: &str| transition[key].as_str().unwrap_or("");
        let after =
            Duration::from_millis(transition["at_ms"].as_u64().unwrap_or(since).saturating_sub(since));
        self.say("daemon", &format!("{} {} → {}: {}", text("of"), text("from"), text("to"), text("cause")));
        reaction.detected.get_or_insert(after);
        let uplink = |state: &str| state.split_once(" on ").map(|(_, uplink)| uplink.to_owned());
        if text("of") == "selection" && uplink(text("from")) != uplink(text("to")) {
            reaction.switched.get_or_insert(after);
            reaction.switches += 1;
        }
    }

    fn is(&self, state: &str, active: &str) -> bool {
        ask(&self.socket, "status").is_ok_and(|status| {
            let family = &status["families"]["ipv4"];
            family["state"] == state && family["active"] == active
        })
    }

    fn say(&self, who: &str, what: &str) {
        if !self.quiet {
            let clock = self.style.dim(&format!("{:7.3} s", self.begun.elapsed().as_secs_f64()));
            print_line(&format!("{clock}  {who:<6}  {what}"));
        }
    }
}

/// The daemon of this very program in the world's router.
fn daemon(world: &World, pace: Pace, socket: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["run", "--end-with-stdin", "--profile", pace.profile]);
    command.arg(format!("--stable-window={}ms", pace.stable_window.as_millis()));
    for (role, uplink) in [("primary", world.uplink(0)?), ("secondary", world.uplink(1)?)] {
        command.arg(format!("--{role}-interface={}", uplink.name));
        for plan in [uplink.v4, uplink.v6].into_iter().flatten() {
            command.args(plan.gateway.map(|gateway| format!("--{role}-gateway={gateway}")));
        }
    }
    for target in 1..=3 {
        command.arg(format!("--ping-target={}", World::target(target)));
    }
    command.arg("--control-socket").arg(socket);
    // Its log is for those who ask for it; its end is tied to ours by the pipe.
    let log = std::env::var_os("RUST_LOG").is_some();
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(if log { Stdio::inherit() } else { Stdio::null() });
    command.env_remove("UPLINKD_CONFIG");
    world.router().spawn(command).context("cannot start the daemon")
}
