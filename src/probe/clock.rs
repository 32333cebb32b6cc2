//! The two clocks of a probe.
//!
//! The kernel stamps what it receives with the wall clock, so the moment of sending must be taken from the wall clock
//! too, and that clock can be set at any time: most routers boot with a wrong one. Each moment therefore also holds
//! *when the system booted, by the wall clock*. That value moves when the clock is set and at no other time (slewing
//! moves both clocks alike), so two moments with different ones must not be subtracted.

use core::time::Duration;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// A step of the wall clock is one that moves the time of boot by more than this. The two clocks are read one after
/// the other, so small differences are only the time between the readings.
const STEP_NS: u64 = 1_000_000;

/// A moment of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Nanoseconds since 1970.
    pub(super) wall_ns: u64,
    /// When the system booted, in nanoseconds since 1970 (and with a wrong clock, perhaps before it: it wraps).
    pub(super) boot_ns: u64,
}

impl Moment {
    /// The present one.
    pub(super) fn now() -> Self {
        let read = |clock| clock_gettime(clock).map_or(0, nanoseconds);
        let wall_ns = read(ClockId::CLOCK_REALTIME);
        Self { wall_ns, boot_ns: wall_ns.wrapping_sub(read(ClockId::CLOCK_BOOTTIME)) }
    }

    /// The time from this moment to `arrived_ns`, a kernel time stamp; `now` is a later moment, and if the clock was
    /// set between the two there is no telling.
    pub(super) fn until(self, arrived_ns: u64, now: Self) -> Option<Duration> {
        let forth = now.boot_ns.wrapping_sub(self.boot_ns);
        let step_ns = forth.min(forth.wrapping_neg());
        if step_ns > STEP_NS {
            return None;
        }
        arrived_ns.checked_sub(self.wall_ns).map(Duration::from_nanos)
    }
}

/// A time stamp as a count; what lies before 1970 is 0.
pub(super) fn nanoseconds(time: TimeSpec) -> u64 {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: u64 = 1_700_000_000_000_000_000;

    #[test]
    fn the_time_between_two_moments_is_what_the_stamp_says() {
        let sent = Moment { wall_ns: BOOT + 5_000, boot_ns: BOOT };
        let now = Moment { wall_ns: BOOT + 9_000, boot_ns: BOOT + 300 };
        assert_eq!(sent.until(BOOT + 8_000, now), Some(Duration::from_micros(3)));
    }

    #[test]
    fn a_clock_that_was_set_gives_no_time_in_either_direction() {
        let sent = Moment { wall_ns: BOOT + 5_000, boot_ns: BOOT };
        for boot_ns in [BOOT + 2 * STEP_NS, BOOT - 2 * STEP_NS, 0, u64::MAX] {
            let now = Moment { wall_ns: BOOT + 9_000, boot_ns };
            assert_eq!(sent.until(BOOT + 8_000, now), None, "booted at {boot_ns}");
        }
    }

    #[test]
    fn a_stamp_before_the_sending_gives_no_time() {
        let sent = Moment { wall_ns: BOOT + 5_000, boot_ns: BOOT };
        assert_eq!(sent.until(BOOT + 4_999, sent), None);
    }

    #[test]
    fn a_wall_clock_near_1970_is_no_obstacle() {
        let sent = Moment { wall_ns: 10, boot_ns: 10u64.wrapping_sub(50) };
        let now = Moment { wall_ns: 30, boot_ns: 30u64.wrapping_sub(70) };
        assert_eq!(sent.until(25, now), Some(Duration::from_nanos(15)));
    }

    #[test]
    fn the_boot_does_not_move_while_nobody_sets_the_clock() {
        let first = Moment::now();
        let second = Moment::now();
        assert!(first.until(second.wall_ns, second).is_some());
    }
}
