//! Network namespaces that live as long as a file descriptor.

use std::fs::{self, File};
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use super::{LabError, wire};
use crate::kernel::socket::Requests;

/// The calling thread's own, not the process's.
const OWN: &str = "/proc/thread-self/ns/net";

/// A network namespace. It is gone when this, its processes and its sockets are.
#[derive(Debug)]
pub struct Namespace {
    file: File,
}

impl Namespace {
    /// A fresh one, with its loopback interface up. The calling thread stays where it is.
    ///
    /// # Errors
    /// Needs the privilege that [`super::enter()`] gives.
    pub fn new() -> Result<Self, LabError> {
        in_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(LabError::io("make a network namespace"))?;
            let file = File::open(OWN).map_err(LabError::io(format!("open {OWN}")))?;
            let mut requests = Requests::open().map_err(LabError::io("open a netlink socket"))?;
            wire::set_up(&mut requests, wire::LOOPBACK, true)?;
            Ok(Self { file })
        })
    }

    /// Moves the calling thread into it, for good. Threads and sockets that it makes from now on are there too.
    ///
    /// # Errors
    /// Needs the privilege that [`super::enter()`] gives.
    pub fn enter(&self) -> Result<(), LabError> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(LabError::io("enter a network namespace"))
    }

    /// Does something inside and comes back with the result.
    ///
    /// # Errors
    /// Needs the privilege that [`super::enter()`] gives.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        in_thread(|| self.enter().map(|()| inside()))
    }

    /// Starts a program inside.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn spawn(&self, mut command: Command) -> Result<Process, LabError> {
        let doing = format!("start {}", command.get_program().to_string_lossy());
        self.run(|| command.spawn())?.map(|child| Process { child }).map_err(LabError::io(doing))
    }

    /// A socket for requests about it.
    ///
    /// # Errors
    /// See [`Requests::open`].
    pub fn requests(&self) -> Result<Requests, LabError> {
        self.run(Requests::open)?.map_err(LabError::io("open a netlink socket"))
    }

    /// Writes a setting below `/proc/sys/net`, whose files show the namespace of the thread that opens them, unless it
    /// has that value already.
    ///
    /// # Errors
    /// Containers often mount `/proc/sys` read-only.
    pub fn set(&self, setting: &str, value: &str) -> Result<(), LabError> {
        let path = format!("/proc/sys/net/{setting}");
        let write = || match fs::read_to_string(&path) {
            Ok(text) if text.trim() == value => Ok(()),
            _ => fs::write(&path, value),
        };
        self.run(write)?.map_err(LabError::io(format!("write {path}")))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A program in a namespace, killed when it is dropped.
///
/// There is no death signal that would also follow the lab's own violent end: it is tied to the *thread* that starts a
/// program, and that one is gone at once.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended and been waited for.
        let _: io::Result<()> = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs in a thread of its own, so that the caller keeps its namespace. A panic goes on in the caller.
fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
