//! The queue between the kernel and one listener.

use crate::engine::input::Input;
use std::collections::VecDeque;

/// Notifications that wait to be read. Linux drops what does not fit, tells once that it did, and drops everything
/// from then on until the listener has read all that was there (`netlink_overrun`, `NETLINK_S_CONGESTED`).
#[derive(Debug, Clone)]
pub(super) struct News {
    waiting: VecDeque<Input>,
    capacity: usize,
    congested: bool,
}

impl News {
    pub(super) fn new(capacity: usize) -> Self {
        Self { waiting: VecDeque::new(), capacity, congested: false }
    }

    /// How many may wait from now on; what waits already stays.
    pub(super) fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.congested |= self.waiting.len() >= self.capacity;
        if !self.congested {
            self.waiting.push_back(input);
        }
    }

    /// One message with several routes, which is lost as a whole or not at all.
    pub(super) fn extend(&mut self, inputs: impl Iterator<Item = Input>) {
        self.congested |= self.waiting.len() >= self.capacity;
        if !self.congested {
            self.waiting.extend(inputs);
        }
    }

    /// All that waits; that something was lost comes first, as an error of the socket does.
    pub(super) fn take(&mut self) -> Vec<Input> {
        let lost = core::mem::take(&mut self.congested).then_some(Input::Overrun);
        lost.into_iter().chain(self.waiting.drain(..)).collect()
    }
}
