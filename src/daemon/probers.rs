//! The probers that are open, and how their words become the engine's.

use super::poller::{Poller, Token};
use crate::engine::Family;
use crate::engine::input::{Input, ProbeNews};
use crate::machine::Id;
use crate::probe::{Ask, Prober, Report};
use log::{debug, warn};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;

/// Reads of one prober in one go.
const MAX_READS: usize = 16;

/// One per uplink and family that is watched.
#[derive(Debug, Default)]
pub(super) struct Probers {
    open: BTreeMap<(Id, Family), Slot>,
}

/// A prober, or what it takes to try again to open one.
#[derive(Debug)]
struct Slot {
    interface: String,
    index: u32,
    prober: io::Result<Prober>,
}

impl Probers {
    pub(super) fn watch(
        &mut self,
        uplink: Id,
        family: Family,
        interface: &str,
        index: u32,
        poller: &mut Poller,
    ) {
        self.unwatch(uplink, family, poller);
        let prober = open(uplink, family, interface, index, poller);
        if let Err(error) = &prober {
            warn!(uplink, family = family.name(), interface, error:%; "cannot open a probe socket");
        }
        self.open.insert((uplink, family), Slot { interface: interface.to_owned(), index, prober });
    }

    pub(super) fn unwatch(&mut self, uplink: Id, family: Family, poller: &mut Poller) {
        if let Some(Slot { prober: Ok(prober), .. }) = self.open.remove(&(uplink, family)) {
            let counters = prober.counters();
            debug!(uplink, family = family.name(), counters:?; "prober closed");
            poller.remove(&prober);
        }
    }

    /// Sends one round. Without a socket every probe of it has failed with the reason; each round tries anew.
    pub(super) fn send(
        &mut self,
        uplink: Id,
        family: Family,
        round: u64,
        targets: &[(u16, IpAddr)],
        poller: &mut Poller,
        inputs: &mut VecDeque<Input>,
    ) {
        let Some(slot) = self.open.get_mut(&(uplink, family)) else { return };
        if slot.prober.is_err() {
            slot.prober = open(uplink, family, &slot.interface, slot.index, poller);
        }
        let asks: Vec<Ask> =
            targets.iter().map(|(target, address)| Ask { target: *target, address: *address }).collect();
        let mut reports = vec![];
        match &mut slot.prober {
            Ok(prober) => prober.send(round, &asks, &mut reports),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
                reports.extend(asks.iter().map(|ask| Report::NotSent { round, target: ask.target, errno }));
            }
        }
        inputs.extend(reports.into_iter().map(|report| input(uplink, family, report)));
    }

    pub(super) fn receive(&mut self, uplink: Id, family: Family, inputs: &mut VecDeque<Input>) {
        let Some(Slot { prober: Ok(prober), .. }) = self.open.get_mut(&(uplink, family)) else { return };
        let mut reports = vec![];
        for _ in 0..MAX_READS {
            if !prober.receive(&mut reports) {
                break;
            }
        }
        inputs.extend(reports.into_iter().map(|report| input(uplink, family, report)));
    }
}

fn open(uplink: Id, family: Family, interface: &str, index: u32, poller: &mut Poller) -> io::Result<Prober> {
    let prober = Prober::open(interface, index, family)?;
    poller.add(&prober, Token::Prober(uplink, family))?;
    debug!(uplink, family = family.name(), interface, kind:? = prober.kind(); "prober open");
    Ok(prober)
}

fn input(uplink: Id, family: Family, report: Report) -> Input {
    let news = match report {
        Report::Answer { round, target, rtt } => ProbeNews::Answer { round, target, rtt },
        Report::Unreachable { round, target, from, .. } => ProbeNews::Unreachable { round, target, from },
        Report::NotSent { round, target, errno } => ProbeNews::NotSent { round, target, errno },
        Report::Overflow { .. } => ProbeNews::Overflow,
    };
    Input::Probe { uplink, family, news }
}
