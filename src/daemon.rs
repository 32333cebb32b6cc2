//! The loop: inputs from sockets, timers, signals and clients go into the engine; its actions go out again.
//!
//! One thread. Netlink requests are answered inside the call that sends them, so they need no task of their own; every
//! other socket sits in one epoll set ([`poller`]) with the engine's timeout. Its readiness, signals and clients are the
//! three things the loop waits for.

pub mod clock;
mod flusher;
pub mod poller;
pub mod privileges;
mod probers;
mod telling;

use crate::config::Config;
use crate::control::server::{Answer, Server};
use crate::control::status;
use crate::engine::input::Input;
use crate::engine::{Action, Engine, Family, Time};
use crate::journal::{Disk, Writer};
use crate::kernel::socket::{Drained, Monitor};
use crate::kernel::{Kernel, decode};
use anyhow::Context as _;
use clock::{now, rfc3339, wall};
use flusher::Flusher;
use futures_util::StreamExt as _;
use log::{debug, error, info, warn};
use poller::{Poller, Token};
use probers::Probers;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// How long the last operations may take before we end without them.
const FAREWELL: Duration = Duration::from_millis(800);
/// Notifications taken in one go, so that a storm of routes starves neither probes nor timers.
const MAX_DRAINS: usize = 16;

/// By how much the two clocks may drift apart before that is news: slewing takes minutes for this.
const CLOCK_SET_MS: u64 = 100;

/// The daemon's parts, wired.
struct Daemon {
    engine: Engine,
    kernel: Kernel,
    monitor: Monitor,
    probers: Probers,
    flusher: Flusher,
    poller: Poller,
    /// What drivers had to say while the engine's actions were carried out.
    inputs: VecDeque<Input>,
    started: u64,
    /// See [`Daemon::epoch`].
    epoch_ms: u64,
    done: bool,
    /// Operations of the farewell that the kernel refused.
    left_behind: usize,
    /// Notifications were lost, and what is left of them is not read to the end yet.
    overrun: bool,
    overruns: telling::Rarely,
    journal: Option<Writer>,
}

/// Options that only tests and drills need.
#[derive(Debug, Clone, Default)]
pub struct Tuning {
    /// Receive buffer of the notification socket, bytes.
    pub monitor_buffer: Option<usize>,
}

/// Runs until told to end.
///
/// # Errors
/// A socket cannot be opened, or another daemon runs here already.
pub fn run(config: Config, tuning: &Tuning) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(config, tuning))
}

async fn serve(config: Config, tuning: &Tuning) -> anyhow::Result<()> {
    let _lock = privileges::lock(&config.settings)?;
    // Subscribe before the first dump: what changes in between is told twice rather than never.
    let monitor =
        Monitor::open(tuning.monitor_buffer).context("cannot subscribe to netlink notifications")?;
    let kernel = Kernel::open(&config.settings).context("cannot open a netlink socket")?;
    let journal = config.journal.map(open_journal).transpose()?;
    let mut poller = Poller::new().context("cannot make an epoll set")?;
    poller.add(&monitor, Token::Monitor)?;
    let mut server = Server::bind(&config.control.socket)?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen to signals")?;
    info!(uplinks = config.settings.uplinks.len(), socket:% = config.control.socket.display(); "started");
    let mut daemon = Daemon {
        engine: Engine::new(config.settings, now()),
        kernel,
        monitor,
        probers: Probers::default(),
        flusher: Flusher::default(),
        poller,
        inputs: VecDeque::new(),
        started: wall(),
        epoch_ms: 0,
        done: false,
        left_behind: 0,
        overrun: false,
        overruns: telling::Rarely::default(),
        journal,
    };
    daemon.act(now());
    let mut farewell = None;
    while !daemon.done {
        let wake = daemon.engine.poll_timeout().map(|(at, _)| at);
        daemon.poller.wake_at(farewell.or(wake))?;
        tokio::select! {
            biased;
            signal = signals.next() => if signal == Some(SIGHUP) {
                warn!("reloading is not supported yet: restart to change the configuration");
            } else {
                info!("asked to end");
                farewell.get_or_insert(now() + FAREWELL);
                daemon.tell(Input::Stop);
            },
            // Before the sockets, which in a storm are always ready; there are never more than a few that wait.
            request = server.next() => {
                let answer = daemon.answer(&request.request);
                request.reply(answer);
            }
            ready = daemon.poller.ready() => {
                let (at, ready) = ready?;
                daemon.serve(at, ready);
                // The runtime's turn: signals are heard, and clients served by tasks of their own.
                tokio::task::yield_now().await;
                if !daemon.done && farewell.is_some_and(|end| now() >= end) {
                    anyhow::bail!(
                        "the last operations were not answered in time: `uplinkd cleanup` removes what is left"
                    );
                }
            }
        }
    }
    signals.handle().close();
    let at = now();
    daemon.note(|journal, _| journal.end(at));
    anyhow::ensure!(
        daemon.left_behind == 0,
        "the kernel refused {} of the last operations: `uplinkd cleanup` removes what is left",
        daemon.left_behind
    );
    info!("ended");
    Ok(())
}

fn open_journal(disk: Disk) -> anyhow::Result<Writer> {
    let path = disk.path.display().to_string();
    Writer::open(disk).with_context(|| {
        format!("cannot write the journal {path}: make its folder, writable for the user of the daemon")
    })
}

impl Daemon {
    fn tell(&mut self, input: Input) {
        self.inputs.push_back(input);
        self.act(now());
    }

    /// Feeds what is waiting and carries out what follows, until there is nothing of either.
    fn act(&mut self, at: Time) {
        loop {
            if let Some(action) = self.engine.poll_action() {
                self.note(|journal, _| journal.wants(&action, at));
                self.carry_out(action);
            } else if let Some(input) = self.inputs.pop_front() {
                self.note(|journal, engine| journal.told(engine, &input, at, || rfc3339(wall())));
                self.engine.handle(input, at);
            } else {
                self.note(|journal, _| journal.flush(at));
                return;
            }
        }
    }

    /// Writes something to the journal, if there is one.
    fn note(&mut self, write: impl FnOnce(&mut Writer, &Engine) -> io::Result<()>) {
        if let Some(journal) = &mut self.journal
            && let Err(error) = write(journal, &self.engine)
        {
            warn!(error:%; "the journal cannot be written: going on without, and trying again each minute");
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Dump(family) => self.dump(family),
            Action::Apply { family, generation, ops } => {
                let refused = match self.kernel.apply(&ops) {
                    Ok(refused) => refused,
                    // It is not known what was done: as good as refused, and followed by a dump.
                    Err(error) => {
                        warn!(family = family.name(), error:%; "netlink did not answer");
                        let failed = error.raw_os_error().unwrap_or(nix::libc::EIO);
                        vec![(
                            0,
                            crate::kernel::socket::Refused { errno: failed, text: Some(error.to_string()) },
                        )]
                    }
                };
                for (place, refusal) in &refused {
                    debug!(family = family.name(), generation, op = ops[*place].words(&self.engine.names()), refusal:%; "refused");
                }
                // What our own operations changed is announced before the answer is judged.
                self.drain_monitor();
                let refused = refused.into_iter().map(|(place, refusal)| (place, refusal.errno)).collect();
                self.inputs.push_back(Input::Applied { family, generation, refused });
            }
            Action::Flush { family, addresses, flows } => self.flusher.flush(family, addresses, flows),
            Action::AskLink(index) => match self.kernel.link(index) {
                Ok(inputs) => self.inputs.extend(inputs),
                Err(error) => debug!(index, error:%; "cannot ask for a link"),
            },
            Action::Watch { uplink, family, interface, index } => {
                self.probers.watch(uplink, family, &interface, index, &mut self.poller);
            }
            Action::Unwatch { uplink, family } => self.probers.unwatch(uplink, family, &mut self.poller),
            Action::Probe { uplink, family, round, targets } => {
                self.probers.send(uplink, family, round, &targets, &mut self.poller, &mut self.inputs);
            }
            Action::Announce(transition) => telling::transition(&transition, self.engine.settings()),
            Action::Notice(notice) => telling::notice(&notice),
            Action::Done { refused } => {
                self.done = true;
                self.left_behind = refused;
            }
        }
    }

    fn dump(&mut self, family: Family) {
        match self.kernel.dump(family) {
            Ok(dump) => self.inputs.push_back(Input::Dumped(dump)),
            Err(error) => {
                warn!(family = family.name(), error:%; "cannot read the kernel's state");
                self.inputs.push_back(Input::DumpFailed(family));
            }
        }
    }

    /// Takes what has arrived by then, then lets the time pass up to there.
    fn serve(&mut self, at: Time, ready: Vec<Token>) {
        for token in ready {
            match token {
                Token::Alarm => {}
                Token::Monitor => self.drain_monitor(),
                Token::Prober(uplink, family) => self.probers.receive(uplink, family, &mut self.inputs),
            }
        }
        // What has come is judged and what is due is done, whoever woke us.
        self.inputs.push_back(Input::Tick);
        self.act(at);
    }

    fn drain_monitor(&mut self) {
        let mut messages = vec![];
        for _ in 0..MAX_DRAINS {
            messages.clear();
            let drained = self.monitor.receive(&mut messages);
            let news = messages.iter().flat_map(decode::news);
            self.inputs.extend(news.filter(|input| self.engine.matters(input)));
            match drained {
                Ok(Drained::Empty) => {
                    if std::mem::take(&mut self.overrun) {
                        match self.overruns.say(now()) {
                            Some(count) => {
                                warn!(count; "notifications were lost: reading the kernel's state afresh");
                            }
                            None => debug!("notifications were lost again"),
                        }
                        self.inputs.push_back(Input::Overrun);
                    }
                    return;
                }
                Ok(Drained::More) => {}
                // The kernel says so once, and drops in silence until all that is left has been read.
                Ok(Drained::Overrun) => self.overrun = true,
                Err(error) => {
                    error!(error:%; "netlink notifications cannot be read");
                    self.inputs.push_back(Input::Overrun);
                    return;
                }
            }
        }
    }

    /// What the wall clock would have shown at the engine's time zero: the same number in each answer, unless somebody
    /// has set the clock.
    fn epoch(&mut self) -> u64 {
        let epoch = wall().saturating_sub(u64::try_from(now().0.as_millis()).unwrap_or(0));
        if epoch.abs_diff(self.epoch_ms) > CLOCK_SET_MS {
            self.epoch_ms = epoch;
        }
        self.epoch_ms
    }

    fn answer(&mut self, request: &str) -> Answer {
        match request {
            "status" => {
                let epoch = self.epoch();
                let report = self.engine.report(now());
                Ok(status::render(&report, self.engine.settings(), epoch, self.started))
            }
            other => Err(format!("unknown request `{other}`: this daemon knows `status`")),
        }
    }
}
