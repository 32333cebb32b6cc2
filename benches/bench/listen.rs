//! When the kernel got which default route: the clock of every switch, the same for us and for the references.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use uplinkd::engine::input::Input;
use uplinkd::engine::route::{MAIN_TABLE, Route};
use uplinkd::kernel::decode;
use uplinkd::kernel::socket::Monitor;
use uplinkd::lab::{Namespace, clock};

use crate::Failure;

/// How often the thread looks whether it is still wanted.
const LOOK_MS: u16 = 200;

/// Something that happened to a default route of the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    pub(crate) change: Change,
    pub(crate) metric: u32,
}

/// What happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Deleted,
}

/// Listens to one namespace until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    heard: Receiver<Heard>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) fn start(namespace: &Namespace) -> Result<Self, Failure> {
        let monitor = namespace.run(|| Monitor::open(None))??;
        let (sender, heard) = channel();
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        let thread = std::thread::spawn(move || listen(monitor, &sender, &flag));
        Ok(Self { heard, ended, thread: Some(thread) })
    }

    /// Forgets what was heard up to now.
    pub(crate) fn forget(&self) {
        while self.heard.try_recv().is_ok() {}
    }

    /// Waits for a change of the default route with this metric, and tells when it came.
    pub(crate) fn wait(&self, change: Change, metric: u32, patience: Duration) -> Result<Instant, Failure> {
        let end = clock::now() + patience;
        loop {
            let left = end.saturating_duration_since(clock::now());
            match self.heard.recv_timeout(left) {
                Ok(heard) if heard.change == change && heard.metric == metric => return Ok(heard.at),
                Ok(_) => {}
                Err(_) => {
                    return Err(format!("{change:?}, metric {metric}: not within {patience:?}").into());
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

fn listen(mut monitor: Monitor, heard: &Sender<Heard>, ended: &AtomicBool) {
    let mut messages = vec![];
    while !ended.load(Ordering::Relaxed) {
        let mut waiting = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
        // Whatever it says, the socket is read: it does not block.
        let _ = poll(&mut waiting, PollTimeout::from(LOOK_MS));
        let at = clock::now();
        messages.clear();
        if monitor.receive(&mut messages).is_err() {
            return;
        }
        for input in messages.iter().flat_map(decode::news) {
            let (change, route) = if let Input::Route(route) | Input::RouteReplaced(route) = &input {
                (Change::Added, route)
            } else if let Input::RouteGone(route) = &input {
                (Change::Deleted, route)
            } else {
                continue;
            };
            if is_ours_to_hear(route) && heard.send(Heard { at, change, metric: route.metric }).is_err() {
                return;
            }
        }
    }
}

fn is_ours_to_hear(route: &Route) -> bool {
    route.table == MAIN_TABLE && route.is_default() && route.destination.address.is_ipv4()
}
