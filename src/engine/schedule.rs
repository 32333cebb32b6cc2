//! Which probe leaves when, and when the kernel is asked for carriers.

use super::action::Action;
use super::settings::CarrierPoll;
use super::{Engine, Time};
use core::time::Duration;

/// How often the kernel is asked for carriers while something smells: linkwatch may sit on the loss for a second.
const CARRIER_POLL: Duration = Duration::from_millis(50);
/// How long something smells after the start, a link event, a first missed answer or a probe that could not be sent. Any
/// interface's event counts: linkwatch has one pace for all of them, and another's event is what delays ours.
pub(super) const SMELL: Duration = Duration::from_secs(5);
/// Probes that leave in one burst, and the pause between bursts of the same round: a burst of a thousand would delay
/// its own answers and overflow buffers on the way.
const BURST: usize = 50;
const BURST_GAP: Duration = Duration::from_millis(2);

impl Engine {
    /// Sends the rounds that are due.
    pub(super) fn probe(&mut self, now: Time) {
        while self.bursts.front().is_some_and(|(at, _)| *at <= now) {
            self.actions.extend(self.bursts.pop_front().map(|(_, action)| action));
        }
        let mut ticked = false;
        for index in 0..self.families.len() {
            for id in self.ids() {
                let state = &mut self.families[index];
                let interval = state.interval(id, &self.settings);
                let family = state.family;
                let Some(monitor) = state.monitor(id).filter(|monitor| monitor.next_round(interval) <= now)
                else {
                    continue;
                };
                let round = self.next_round;
                self.next_round += 1;
                ticked = true;
                let targets = monitor.send(round, now);
                for (burst, targets) in (0_u32..).zip(targets.chunks(BURST)) {
                    let action = Action::Probe { uplink: id, family, round, targets: targets.to_vec() };
                    if burst == 0 {
                        self.actions.push_back(action);
                    } else {
                        self.bursts.push_back((now + BURST_GAP * burst, action));
                    }
                }
                // Those of several uplinks leave side by side.
                self.bursts.make_contiguous().sort_by_key(|(at, _)| *at);
            }
        }
        if ticked
            && now.since(self.carrier_asked) >= CARRIER_POLL
            && self.settings.routing.carrier_poll == CarrierPoll::Auto
        {
            self.ask_carriers(now);
        }
    }

    pub(super) fn poll_carriers(&mut self, now: Time) {
        if self.next_carrier_poll().is_some_and(|at| at <= now) {
            self.ask_carriers(now);
        }
    }

    pub(super) fn next_carrier_poll(&self) -> Option<Time> {
        let next = self.carrier_asked + CARRIER_POLL;
        (self.settings.routing.carrier_poll == CarrierPoll::Auto && next <= self.smells_until).then_some(next)
    }

    /// Asks for the uplinks that have carrier: its return is announced without delay, its loss is not.
    fn ask_carriers(&mut self, now: Time) {
        self.carrier_asked = now;
        for uplink in &self.settings.uplinks {
            let link = self.inventory.by_name(&uplink.interface).filter(|link| link.up && link.carrier);
            self.actions.extend(link.map(|link| Action::AskLink(link.index)));
        }
    }
}
