//! `[failover]`.

use core::time::Duration;

use super::super::draft;
use super::super::slot::{Notes, Show as _};
use super::contradiction;
use crate::engine::settings::Failover;

/// A day: whoever waits longer before going home wants a pin.
const MAX_STABLE_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// A week: what doubling may lead to, and how long a flap is remembered.
const MAX_DOUBLED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Ten minutes: until then a box whose best uplink is dead has no way out through us.
const MAX_BOOT_DEADLINE: Duration = Duration::from_secs(600);

pub(super) fn settle(draft: &draft::Failover, notes: &Notes) -> Option<Failover> {
    let default = Failover::default();
    let stable = draft
        .stable_window
        .within(notes, &(Duration::ZERO..=MAX_STABLE_WINDOW), "a whole day of good behaviour is enough")
        .or(default.stable_window);
    // Doubling starts at the window, so a default maximum below it would make no sense.
    let max = draft
        .max_stable_window
        .within(notes, &(Duration::ZERO..=MAX_DOUBLED), "a week of good behaviour is enough")
        .or(stable.as_ref().map(|stable| stable.value.max(default.max_stable_window)));
    if let (Some(max), Some(stable)) = (&max, &stable)
        && max.value < stable.value
    {
        let problem = format!("{} is below the stable window, {}", max.value.show(), stable.cite());
        contradiction(max, stable, notes, problem, "raise it to the stable window at least, or lower that");
    }
    let flap_memory = draft
        .flap_memory
        .within(notes, &(Duration::ZERO..=MAX_DOUBLED), "a failback that held for a week was no flap")
        .or(default.flap_memory);
    let boot_deadline = draft
        .boot_deadline
        .within(notes, &(Duration::ZERO..=MAX_BOOT_DEADLINE), "meanwhile a working backup stays unused")
        .or(default.boot_deadline);
    let leave_degraded = draft.leave_degraded.or(default.leave_degraded);
    Some(Failover {
        stable_window: stable?.value,
        max_stable_window: max?.value,
        flap_memory: flap_memory?.value,
        boot_deadline: boot_deadline?.value,
        leave_degraded: leave_degraded?.value,
    })
}
