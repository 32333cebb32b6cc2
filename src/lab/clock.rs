//! The lab's only clock.

use std::time::Instant;

/// Now, on the monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the lab is a piece of the world: it measures real time in real threads"
)]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}
