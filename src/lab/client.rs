//! A user of the network: sends datagrams at a steady rate and notices which are answered.

mod losses;
#[cfg(test)]
mod tests;

use std::io::{self, PipeReader, PipeWriter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl;
use nix::sys::time::TimeSpec;

pub use losses::{INTERVAL, Interval, Losses};
use losses::{Sample, sum};

use super::state::{COUNT_PORT, ECHO_PORT};
use super::{LabError, World, clock};

/// A client falls silent after so many datagrams: a quarter of an hour at a thousand a second.
const MAX_SAMPLES: usize = 1 << 20;
/// Who has fallen behind by more does not try to catch up, which would be a burst and no steady rate.
const MAX_BEHIND: Duration = Duration::from_millis(50);
/// A sequence number.
const HEADER_BYTES: usize = 8;
const MAX_DATAGRAM_BYTES: usize = 1400;

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the LAN: the router forwards for it.
    Lan,
    /// On the router itself.
    Router,
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientPlan {
    /// Where it is.
    pub place: Place,
    /// Whom it talks to.
    pub target: IpAddr,
    /// Datagrams per second.
    pub rate: u32,
    /// Length of their payload.
    pub bytes: usize,
    /// Whether it expects answers. Without, the internet counts what arrives: see [`World::received`].
    pub answered: bool,
}

impl Default for ClientPlan {
    fn default() -> Self {
        Self { place: Place::Lan, target: World::target(1), rate: 1000, bytes: 64, answered: true }
    }
}

#[derive(Debug, Default)]
struct Log {
    samples: Vec<Sample>,
    repeated: u64,
    /// No more datagrams are sent.
    closed: bool,
}

impl Log {
    fn is_full(&self) -> bool {
        self.closed || self.samples.len() >= MAX_SAMPLES
    }
}

/// A running client. It ends when this is dropped.
#[derive(Debug)]
pub struct Client {
    log: Arc<Mutex<Log>>,
    wake: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts sending.
    ///
    /// # Errors
    /// The socket or the thread cannot be made.
    pub fn start(world: &World, plan: ClientPlan) -> Result<Self, LabError> {
        let namespace = match plan.place {
            Place::Lan => world.client(),
            Place::Router => world.router(),
        };
        let socket =
            namespace.run(|| open(plan.target))?.map_err(LabError::io("open a socket for datagrams"))?;
        let (asleep, wake) = io::pipe().map_err(LabError::io("make a pipe"))?;
        let log = Arc::new(Mutex::new(Log::default()));
        let port = if plan.answered { ECHO_PORT } else { COUNT_PORT };
        let worker = Worker {
            socket,
            asleep,
            log: Arc::clone(&log),
            target: SocketAddr::new(plan.target, port),
            pause: Duration::from_secs(1) / plan.rate.max(1),
            datagram: vec![0; plan.bytes.clamp(HEADER_BYTES, MAX_DATAGRAM_BYTES)],
        };
        let thread = std::thread::Builder::new()
            .name("client".to_owned())
            .spawn(move || worker.run())
            .map_err(LabError::io("start a thread"))?;
        Ok(Self { log, wake: Some(wake), thread: Some(thread) })
    }

    /// Now, as a boundary for [`Client::report`].
    #[must_use]
    pub fn mark(&self) -> Instant {
        clock::now()
    }

    /// What was lost of the datagrams sent from one moment up to another. Answers that are still on their way count as
    /// lost: ask a little later.
    #[must_use]
    pub fn report(&self, from: Instant, to: Instant) -> Losses {
        let log = lock(&self.log);
        let span = log.samples.iter().filter(|sample| from <= sample.sent && sample.sent < to);
        Losses { repeated: log.repeated, ..sum(span.copied()) }
    }

    /// Stops sending, waits so long for the last answers, and reports everything.
    #[must_use]
    pub fn stop(mut self, grace: Duration) -> Losses {
        lock(&self.log).closed = true;
        std::thread::sleep(grace);
        self.end();
        let log = lock(&self.log);
        Losses { repeated: log.repeated, ..sum(log.samples.iter().copied()) }
    }

    fn end(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Not connected, so that each datagram asks the routes anew.
fn open(target: IpAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match target {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

struct Worker {
    socket: UdpSocket,
    asleep: PipeReader,
    log: Arc<Mutex<Log>>,
    target: SocketAddr,
    pause: Duration,
    datagram: Vec<u8>,
}

impl Worker {
    fn run(mut self) {
        // Without it datagrams leave some 50 µs late.
        let _ = prctl::set_timerslack(1);
        let mut next = clock::now();
        loop {
            let mut now = clock::now();
            if now.saturating_duration_since(next) > MAX_BEHIND {
                next = now;
            }
            while next <= now && self.send(now) {
                next += self.pause;
                now = clock::now();
            }
            self.receive();
            if !self.sleep(next) {
                return;
            }
        }
    }

    /// Sends one datagram; `false` if no more are to be sent.
    fn send(&mut self, now: Instant) -> bool {
        let mut log = lock(&self.log);
        if log.is_full() {
            return false;
        }
        let sequence = log.samples.len() as u64;
        if let Some(header) = self.datagram.first_chunk_mut::<HEADER_BYTES>() {
            *header = sequence.to_be_bytes();
        }
        log.samples.push(Sample { sent: now, answered: None, refused: false });
        drop(log);
        // An answer cannot be received before this returns: one thread does both.
        if self.socket.send_to(&self.datagram, self.target).is_err()
            && let Some(sample) = lock(&self.log).samples.last_mut()
        {
            sample.refused = true;
        }
        true
    }

    fn receive(&self) {
        let mut buffer = [0; MAX_DATAGRAM_BYTES];
        let mut budget = MAX_SAMPLES;
        // Errors are of two kinds: nothing more is there, and an ICMP error that came back; neither is an answer.
        while budget > 0 {
            budget -= 1;
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) if from == self.target => {
                    self.answer(buffer.get(..length).unwrap_or_default());
                }
                Ok(_stranger) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    fn answer(&self, datagram: &[u8]) {
        let sequence = datagram.first_chunk().copied().map(u64::from_be_bytes);
        let Some(place) = sequence.and_then(|sequence| usize::try_from(sequence).ok()) else { return };
        let mut log = lock(&self.log);
        match log.samples.get_mut(place) {
            Some(sample) if sample.answered.is_none() => sample.answered = Some(clock::now()),
            Some(_) => log.repeated += 1,
            None => {}
        }
    }

    /// Until the next datagram is due or an answer is there; `false` at the end.
    fn sleep(&self, next: Instant) -> bool {
        let mut pause = next.saturating_duration_since(clock::now());
        if lock(&self.log).is_full() {
            pause = Duration::from_secs(1);
        }
        let mut waiting = [
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.asleep.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut waiting, Some(TimeSpec::from(pause)), None) {
            Ok(_) => waiting.last().and_then(PollFd::any) == Some(false),
            Err(errno) => errno == Errno::EINTR,
        }
    }
}
