//! Decisions and conditions as log records: constant messages, values as fields.

use crate::engine::Time;
use crate::engine::report::{Change, Notice, Transition};
use crate::engine::settings::Settings;
use crate::machine::{Id, Selection};
use log::{info, warn};
use std::time::Duration;

/// What happens over and over is said at once, then once in this time, with how often it happened.
const RARELY: Duration = Duration::from_secs(60);

/// Paces one message.
#[derive(Debug, Default)]
pub(super) struct Rarely {
    last: Option<Time>,
    unsaid: u64,
}

impl Rarely {
    /// It happened again. Returns how often it did since the last time that it was said, if now is the time to.
    pub(super) fn say(&mut self, now: Time) -> Option<u64> {
        self.unsaid += 1;
        if self.last.is_some_and(|last| now.since(last) < RARELY) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// A change of state.
pub(super) fn transition(transition: &Transition, settings: &Settings) {
    let name = |id: Id| settings.uplinks[usize::from(id)].name.as_str();
    let selection = |selection: Selection| {
        let on = selection.active().map_or(String::new(), |id| format!(" on {}", name(id)));
        let detail = selection.detail().map_or(String::new(), |detail| format!(" ({detail})"));
        format!("{}{detail}{on}", selection.name())
    };
    let (id, family, cause) = (transition.id, transition.family.name(), transition.cause.as_str());
    match transition.change {
        Change::Health { uplink, from, to } => {
            info!(id, family, uplink = name(uplink), from = from.name(), to = to.name(), cause; "uplink changed");
        }
        Change::Selection { from, to } => {
            info!(id, family, from = selection(from), to = selection(to), cause; "selection changed");
        }
    }
}

/// Something that a person should look at.
pub(super) fn notice(notice: &Notice) {
    match notice {
        Notice::Outranked(family, route) => {
            warn!(family = family.name(), route; "somebody's default route outranks ours (foreign_defaults = \"replace\" takes it over)");
        }
        Notice::Bypassed(family, route) => {
            warn!(family = family.name(), route; "somebody's default route outranks ours by a way that is no uplink, and traffic takes it: remove it, or give it a metric above ours");
        }
        Notice::Untakeable(family, route) => {
            warn!(family = family.name(), route; "somebody's default route outranks ours and has several ways, so it is not taken over: give it a metric above ours");
        }
        Notice::Evicted(family, route) => {
            warn!(family = family.name(), route; "removed somebody's route from a table that is ours: put it elsewhere, or give us other tables (first_table)");
        }
        Notice::OwnTarget(family, uplink, target) => {
            warn!(family = family.name(), uplink, target:%; "a target is an address of this machine, which answers whatever the line does: name one beyond the line");
        }
        Notice::Blocked(family, route) => {
            warn!(family = family.name(), route; "somebody's route holds the place of ours: give the uplink another metric");
        }
        Notice::Refused(family, op, errno) => {
            let reason = std::io::Error::from_raw_os_error(*errno);
            warn!(family = family.name(), op, reason:%; "the kernel refused an operation: it will be tried again");
        }
        Notice::NoEffect(family) => {
            warn!(family = family.name(); "operations had no effect: reading the kernel's state afresh");
        }
        Notice::Reasserted(family, count) => {
            warn!(family = family.name(), count; "something of ours was changed or gone: putting it back");
        }
        Notice::Unreadable(family) => {
            warn!(family = family.name(); "the kernel's state cannot be read: it will be tried again");
        }
        Notice::Impossible(text) => warn!(order = text; "cannot do that"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_over_and_over_is_said_at_once_and_then_once_a_minute_with_its_count() {
        let mut rarely = Rarely::default();
        let said = [0, 1, 59_999, 60_000, 60_001, 200_000].map(|ms| rarely.say(Time::from_millis(ms)));
        assert_eq!(said, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
