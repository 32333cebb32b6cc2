//! A client on the LAN, and what it notices.

use super::site::{PATIENCE, Site};
use libtest_mimic::Failed;
use std::time::{Duration, Instant};
use uplinkd::lab::clock::now;
use uplinkd::lab::{Client, ClientPlan, Losses, World};

/// Answers are there after a millisecond; on a machine that is busy with other things, later.
const GRACE: Duration = Duration::from_millis(400);
/// So long everything must have been answered for traffic to flow.
const FLOWING: Duration = Duration::from_millis(200);

/// A thousand datagrams a second to a host of the internet, through the router.
pub(super) struct Traffic {
    client: Client,
}

impl Traffic {
    /// Starts it, and waits until it flows.
    pub(super) fn start(site: &Site) -> Result<Self, Failed> {
        Self::planned(site, ClientPlan::default())
    }

    /// The same with other datagrams.
    pub(super) fn planned(site: &Site, plan: ClientPlan) -> Result<Self, Failed> {
        let traffic = Self { client: Client::start(&site.world, plan)? };
        traffic.flows()?;
        Ok(traffic)
    }

    pub(super) fn mark(&self) -> Instant {
        self.client.mark()
    }

    /// What was lost from that moment on, once the last answers are in.
    pub(super) fn losses(&self, from: Instant) -> Losses {
        let to = self.mark();
        std::thread::sleep(GRACE);
        self.client.report(from, to)
    }

    /// Waits until nothing is lost.
    pub(super) fn flows(&self) -> Result<(), Failed> {
        let begin = now();
        loop {
            let from = self.mark();
            std::thread::sleep(FLOWING);
            let losses = self.losses(from);
            if losses.lost == 0 && losses.sent > 50 {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("traffic does not flow: {losses:?}").into());
            }
        }
    }

    /// Nothing at all was lost from that moment on.
    pub(super) fn lost_nothing(&self, from: Instant, what: &str) -> Result<(), Failed> {
        let losses = self.losses(from);
        if losses.lost == 0 && losses.sent > 0 {
            Ok(())
        } else {
            Err(format!("{what}: lost {} of {}, {losses:?}", losses.lost, losses.sent).into())
        }
    }

    /// The longest silence from that moment on is explained.
    pub(super) fn gap_at_most(&self, from: Instant, limit: Duration, what: &str) -> Result<Duration, Failed> {
        let gap = self.losses(from).longest_gap;
        if gap <= limit {
            Ok(gap)
        } else {
            Err(format!("{what}: a gap of {gap:?}, more than {limit:?}").into())
        }
    }
}

impl Site {
    /// When the client's traffic arrived by an uplink for the first time since the tallies were reset.
    pub(super) fn first_arrival(&self, uplink: usize) -> Result<Option<Instant>, Failed> {
        Ok(self.world.seen(uplink)?.udp.get(&World::target(1)).map(|seen| seen.first))
    }

    /// Waits until the client's traffic arrives by an uplink, and says how long after that moment.
    pub(super) fn arrives_by(&self, uplink: usize, after: Instant) -> Result<Duration, Failed> {
        let begin = now();
        while begin.elapsed() < PATIENCE {
            if let Some(at) = self.first_arrival(uplink)? {
                return Ok(at.saturating_duration_since(after));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!("no traffic by uplink {uplink} within {PATIENCE:?}").into())
    }
}
