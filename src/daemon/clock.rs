//! The only clocks that are read.

use crate::engine::Time;
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Time since the machine started. A suspend counts: a line that was good before it is not good after it.
#[must_use]
pub fn now() -> Time {
    Time(read(ClockId::CLOCK_BOOTTIME))
}

/// Milliseconds since 1970, for people.
#[must_use]
pub fn wall() -> u64 {
    u64::try_from(read(ClockId::CLOCK_REALTIME).as_millis()).unwrap_or(u64::MAX)
}

fn read(clock: ClockId) -> Duration {
    // These clocks exist in every Linux; a failure would be the kernel's, and zero is as good as any answer.
    clock_gettime(clock).map(Duration::from).unwrap_or_default()
}

/// A moment as RFC 3339 in UTC, with milliseconds.
#[must_use]
pub fn rfc3339(ms_since_1970: u64) -> String {
    let (days, ms) = (ms_since_1970 / 86_400_000, ms_since_1970 % 86_400_000);
    // Civil date from days: eras of 400 years, years that begin in March.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn known_moments_are_written_as_everybody_writes_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_735_689_599_999), "2024-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }
}
