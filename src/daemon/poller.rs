//! One epoll set for all sockets and the engine's alarm: however many uplinks there are, the runtime waits for one
//! descriptor.
//!
//! The alarm is a timer of the kernel on the engine's own clock. The runtime's timers count milliseconds on a clock that
//! stops in a suspend, wake up once more on the way to a distant deadline, and each new one wakes the loop that sets it.

use super::clock::now;
use crate::engine::settings::MAX_UPLINKS;
use crate::engine::{Family, Time};
use crate::machine::Id;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// What is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// The alarm: it is time.
    Alarm,
    /// Netlink notifications.
    Monitor,
    /// A prober.
    Prober(Id, Family),
}

/// The set.
#[derive(Debug)]
pub struct Poller {
    set: AsyncFd<Set>,
    timer: TimerFd,
    alarm: Alarm,
}

/// What the timer was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alarm {
    /// To be silent.
    Off,
    /// To go off then.
    At(Time),
    /// It has gone off, and stays readable until it is told something new.
    Ringing,
}

#[derive(Debug)]
struct Set(Epoll);

impl AsRawFd for Set {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl AsFd for Set {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// Events taken at once: one for each socket that there can be, and the alarm. What has arrived counts before the time
/// does, so all of them are heard before a round is judged.
const EVENTS: usize = 2 * MAX_UPLINKS + 2;

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// The kernel is out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        let set = Set(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        #[expect(unsafe_code, reason = "tokio asks for the promise below")]
        // SAFETY: `Set` owns its descriptor, never replaces it, and closes it only when it is dropped.
        let set = unsafe { AsyncFd::register(set) }?;
        let timer =
            TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        let poller = Self { set, timer, alarm: Alarm::Off };
        poller
            .set
            .get_ref()
            .0
            .add(&poller.timer, EpollEvent::new(EpollFlags::EPOLLIN, Token::Alarm.into()))?;
        Ok(poller)
    }

    /// Sets the alarm, or turns it off. A moment that is over rings at once.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn wake_at(&mut self, at: Option<Time>) -> io::Result<()> {
        let wanted = at.map_or(Alarm::Off, Alarm::At);
        if wanted == self.alarm {
            return Ok(());
        }
        match at {
            Some(at) => {
                // Zero would turn it off.
                let moment = TimeSpec::from_duration(at.0.max(Duration::from_nanos(1)));
                self.timer.set(Expiration::OneShot(moment), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
            None => self.timer.unset()?,
        }
        self.alarm = wanted;
        Ok(())
    }

    /// Adds a socket, to be told as long as it is readable.
    ///
    /// # Errors
    /// The kernel refused.
    pub fn add(&mut self, socket: impl AsFd, token: Token) -> io::Result<()> {
        Ok(self.set.get_ref().0.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token.into()))?)
    }

    /// Removes a socket; one that is not in the set is no error.
    pub fn remove(&mut self, socket: impl AsFd) {
        _ = self.set.get_ref().0.delete(socket);
    }

    /// Waits until at least one of them is ready, and says which, with a time by which nothing else was: the clock is
    /// read first, because we may be kept from running at any moment. Nothing is lost if it is cancelled.
    ///
    /// # Errors
    /// The set itself failed.
    pub async fn ready(&mut self) -> io::Result<(Time, Vec<Token>)> {
        loop {
            let mut guard = self.set.readable().await?;
            let at = now();
            let mut events = [EpollEvent::empty(); EVENTS];
            let count = self.set.get_ref().0.wait(&mut events, EpollTimeout::ZERO)?;
            if count > 0 {
                // The set stays readable while a socket is: the guard is kept, the next call looks again.
                guard.retain_ready();
                let tokens: Vec<Token> =
                    events[..count].iter().map(|event| Token::from(event.data())).collect();
                if tokens.contains(&Token::Alarm) {
                    self.alarm = Alarm::Ringing;
                }
                return Ok((at, tokens));
            }
            guard.clear_ready();
        }
    }
}

impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        match token {
            Token::Alarm => 0,
            Token::Monitor => 1,
            Token::Prober(id, Family::V4) => 2 + 2 * Self::from(id),
            Token::Prober(id, Family::V6) => 3 + 2 * Self::from(id),
        }
    }
}

impl From<u64> for Token {
    fn from(number: u64) -> Self {
        let id = Id::try_from(number.saturating_sub(2) / 2).unwrap_or(Id::MAX);
        match number {
            0 => Self::Alarm,
            1 => Self::Monitor,
            even if even.is_multiple_of(2) => Self::Prober(id, Family::V4),
            _ => Self::Prober(id, Family::V6),
        }
    }
}
