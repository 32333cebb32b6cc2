//! Forgets flows beside the loop: the kernel's table of connections may be large, and the loop waits for nobody.

use crate::engine::Family;
use crate::engine::settings::Flows;
use crate::kernel::conntrack;
use log::{debug, warn};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

/// At once. Each takes milliseconds to seconds, and there is one a switch and family: more of them are no help.
const MAX_FLUSHES: usize = 4;

/// Those under way.
#[derive(Debug, Default)]
pub(super) struct Flusher {
    running: Vec<JoinHandle<()>>,
    /// It has been said that this does not work here.
    complained: Arc<AtomicBool>,
}

impl Flusher {
    /// Begins to forget, and does not wait for the end.
    pub(super) fn flush(&mut self, family: Family, addresses: Vec<IpAddr>, flows: Flows) {
        self.running.retain(|flush| !flush.is_finished());
        if self.running.len() == MAX_FLUSHES {
            warn!(family = family.name(); "connections of a line that traffic has left are not forgotten: still busy with those before");
            return;
        }
        let complained = Arc::clone(&self.complained);
        let work = move || match conntrack::flush(family, &addresses, flows) {
            Ok(forgotten) => debug!(family = family.name(), addresses:?, forgotten; "connections forgotten"),
            // Nobody is the worse for it.
            Err(error) if !conntrack::is_tracking() => debug!(error:%; "no connections to forget"),
            Err(error) => {
                if !complained.swap(true, Ordering::Relaxed) {
                    warn!(error:%; "connections of a line that traffic has left cannot be forgotten, so masqueraded ones lose a packet");
                }
            }
        };
        match Builder::new().name("flow-flush".to_owned()).spawn(work) {
            Ok(flush) => self.running.push(flush),
            Err(error) => warn!(error:%; "cannot start a thread to forget connections"),
        }
    }
}
