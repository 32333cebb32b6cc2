//! What a process has used, as the kernel counts it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use uplinkd::lab::clock;

use crate::Failure;
use crate::figures::float;

/// Processor time and wakeups of one process up to a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    cpu: Duration,
    /// Voluntary context switches: each ends a sleep.
    wakeups: u64,
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) cpu: Duration,
    pub(crate) wakeups: u64,
    time: Duration,
}

impl Usage {
    /// Up to now, all threads together. Those that have ended are forgotten; neither we nor the references end any.
    pub(crate) fn of(pid: u32) -> Result<Self, Failure> {
        let (mut cpu, mut wakeups) = (Duration::ZERO, 0);
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            cpu += cpu_of(&task)?;
            wakeups += field(&fs::read_to_string(task.join("status"))?, "voluntary_ctxt_switches:")?;
        }
        Ok(Self { at: clock::now(), cpu, wakeups })
    }

    /// From an earlier moment to this one.
    pub(crate) fn since(self, earlier: Self) -> Spent {
        Spent {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            wakeups: self.wakeups.saturating_sub(earlier.wakeups),
            time: self.at - earlier.at,
        }
    }
}

impl Spent {
    /// Percent of one core.
    pub(crate) fn percent(self) -> f64 {
        self.cpu.as_secs_f64() * 100.0 / self.time.as_secs_f64()
    }

    /// Wakeups per second.
    pub(crate) fn wakeups_per_second(self) -> f64 {
        float(self.wakeups) / self.time.as_secs_f64()
    }
}

/// Resident memory in megabytes.
pub(crate) fn resident_mb(pid: u32) -> Result<f64, Failure> {
    let kilobytes = field(&fs::read_to_string(format!("/proc/{pid}/status"))?, "VmRSS:")?;
    Ok(float(kilobytes) * 1024.0 / 1e6)
}

/// In nanoseconds where the kernel counts them, else in ticks of ten milliseconds.
fn cpu_of(task: &std::path::Path) -> Result<Duration, Failure> {
    let read = |name: &str| fs::read_to_string(PathBuf::from(task).join(name));
    if let Ok(text) = read("schedstat")
        && let Some(ns) = text.split_whitespace().next().and_then(|ns| ns.parse().ok())
    {
        return Ok(Duration::from_nanos(ns));
    }
    // utime and stime are the 12th and 13th behind the name, which may hold spaces.
    let text = read("stat")?;
    let (_, fields) = text.rsplit_once(')').ok_or("no name in stat")?;
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// A number behind a title at the beginning of a line.
pub(crate) fn field(text: &str, title: &str) -> Result<u64, Failure> {
    let line = text.lines().find_map(|line| line.strip_prefix(title));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("no {title} in /proc").into())
}
