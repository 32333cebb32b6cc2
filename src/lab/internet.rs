//! The one thread that lives at the far ends.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl;
use nix::sys::socket::{LinkAddr, MsgFlags, recvfrom, sendto, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use super::state::{Outgoing, State};
use super::{LabError, Namespace, clock};

/// Longer than any frame, large segments included.
const FRAME_BYTES: usize = 68 * 1024;
/// So many frames of one socket are taken before the others get their turn and answers go out.
const FRAMES_PER_TURN: usize = 64;
/// Room for the frames that arrive while the thread is not running.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Frames are read by protocol: a socket for all protocols would also hear what it sends itself.
const PROTOCOLS: [i32; 3] = [nix::libc::ETH_P_ARP, nix::libc::ETH_P_IP, nix::libc::ETH_P_IPV6];
/// The kernel may let a timer go off so much late; the default would be 50 000.
const TIMER_SLACK_NS: u64 = 1;

/// The running thread. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Internet {
    state: Arc<Mutex<State>>,
    /// Closed to end the thread.
    wake: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Internet {
    /// Starts it in the namespace of the far ends.
    pub(super) fn start(state: State, far: &Namespace) -> Result<Self, LabError> {
        let sockets = far.run(open_all)?.map_err(LabError::io("open packet sockets"))?;
        let (asleep, wake) = io::pipe().map_err(LabError::io("make a pipe"))?;
        let state = Arc::new(Mutex::new(state));
        let mut worker = Worker { sockets, asleep, state: Arc::clone(&state), addresses: BTreeMap::new() };
        let thread = std::thread::Builder::new()
            .name("internet".to_owned())
            .spawn(move || worker.run())
            .map_err(LabError::io("start a thread"))?;
        Ok(Self { state, wake: Some(wake), thread: Some(thread) })
    }

    /// What the thread shares. Held for a moment only, or packets wait.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been printed already.
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One socket per protocol, for all interfaces of the namespace.
fn open_all() -> io::Result<Vec<Socket>> {
    PROTOCOLS.into_iter().map(open).collect()
}

fn open(protocol: i32) -> io::Result<Socket> {
    let number = u16::try_from(protocol).unwrap_or_default().to_be();
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(number))))?;
    socket.set_nonblocking(true)?;
    // Beyond the administrator's limit where we may; what we get without asking has to do otherwise.
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_BYTES).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &BUFFER_BYTES)?;
    }
    Ok(socket)
}

struct Worker {
    sockets: Vec<Socket>,
    asleep: PipeReader,
    state: Arc<Mutex<State>>,
    /// By interface and protocol, how to address an answer: as the question was.
    addresses: BTreeMap<(u32, [u8; 2]), LinkAddr>,
}

impl Worker {
    fn run(&mut self) {
        // Without it delays are some 50 µs longer than ordered, which no test depends on.
        let _ = prctl::set_timerslack(TIMER_SLACK_NS);
        let mut buffer = vec![0; FRAME_BYTES];
        while self.sleep() {
            let outgoing = {
                let state = Arc::clone(&self.state);
                let mut state = lock(&state);
                for at in 0..self.sockets.len() {
                    self.read(at, &mut state, &mut buffer);
                }
                state.mature(clock::now());
                state.take_outgoing()
            };
            for out in outgoing {
                self.send(&out);
            }
        }
    }

    /// Until there is something to do; `false` at the end.
    fn sleep(&self) -> bool {
        let due = lock(&self.state).next_due();
        let timeout = due.map(|due| TimeSpec::from(due.saturating_duration_since(clock::now())));
        let mut waiting: Vec<PollFd<'_>> =
            self.sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        waiting.push(PollFd::new(self.asleep.as_fd(), PollFlags::POLLIN));
        match ppoll(&mut waiting, timeout, None) {
            Ok(_) => waiting.last().and_then(PollFd::any) == Some(false),
            Err(errno) => errno == Errno::EINTR,
        }
    }

    fn read(&mut self, at: usize, state: &mut State, buffer: &mut [u8]) {
        let Some(socket) = self.sockets.get(at) else { return };
        for _ in 0..FRAMES_PER_TURN {
            let Ok((length, Some(from))) = recvfrom::<LinkAddr>(socket.as_raw_fd(), buffer) else { return };
            let now: Instant = clock::now();
            let (Some(frame), Ok(index)) = (buffer.get(..length), u32::try_from(from.ifindex())) else {
                continue;
            };
            if let Some(protocol) = protocol_of(frame) {
                self.addresses.insert((index, protocol), from);
            }
            state.arrive(index, frame, now);
        }
    }

    fn send(&self, out: &Outgoing) {
        let address = protocol_of(&out.frame).and_then(|protocol| self.addresses.get(&(out.index, protocol)));
        let sent = match (address, self.sockets.first()) {
            (Some(address), Some(socket)) => {
                sendto(socket.as_raw_fd(), &out.frame, address, MsgFlags::MSG_DONTWAIT).is_ok()
            }
            _ => false,
        };
        if !sent {
            lock(&self.state).unsent(out.index);
        }
    }
}

fn protocol_of(frame: &[u8]) -> Option<[u8; 2]> {
    frame.get(12..)?.first_chunk().copied()
}
