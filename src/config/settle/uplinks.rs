//! `[[uplink]]`, each for itself and against the others.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::super::draft;
use super::super::finding::quote;
use super::super::slot::{Notes, Origin, Settled, Show as _, Slot};
use crate::engine::settings::{Gateway, Uplink};

/// Distance of the default metrics, so that there is room for routes between them.
const METRIC_STEP: u32 = 10;

pub(super) fn settle(
    drafts: &[draft::Uplink],
    default_targets: Option<&[IpAddr]>,
    promoted: Option<&Settled<u32>>,
    notes: &Notes,
) -> Option<Vec<Uplink>> {
    unique_interfaces(drafts, notes);
    unique_names(drafts, notes);
    unique_marks(drafts, notes);
    let metrics: Vec<Option<Settled<u32>>> =
        drafts.iter().zip(1..).map(|(d, position)| metric(d, position, notes)).collect();
    unique_metrics(drafts, &metrics, notes);
    if let Some(promoted) = promoted {
        above_promoted(&metrics, promoted, notes);
    }
    let built: Vec<Option<Uplink>> = drafts
        .iter()
        .zip(metrics)
        .zip(1..)
        .map(|((draft, metric), position)| build(draft, metric, position, default_targets, notes))
        .collect();
    built.into_iter().collect()
}

fn metric(draft: &draft::Uplink, position: u32, notes: &Notes) -> Option<Settled<u32>> {
    draft
        .metric
        .number(notes, &(1..=u32::MAX), "the kernel prefers the route with the lowest")
        .or(position.saturating_mul(METRIC_STEP))
}

fn build(
    draft: &draft::Uplink,
    metric: Option<Settled<u32>>,
    position: u8,
    default_targets: Option<&[IpAddr]>,
    notes: &Notes,
) -> Option<Uplink> {
    if matches!(draft.interface, Slot::Absent) {
        let origin = Origin { key: format!("{}.interface", draft.origin.key), ..draft.origin.clone() };
        notes.add(&origin, "is missing", "name the uplink's interface, such as interface = \"eth0\"");
    }
    let tier = draft.tier.number(notes, &(1..=u8::MAX), "1 is the best").or(position);
    let interface = draft.interface.or(None);
    let name = draft.name.or(interface.as_ref().map(|interface| interface.value.clone()));
    let mark = match &draft.mark {
        Slot::Absent => None,
        Slot::Broken => return None,
        Slot::Given(given) => Some(given.value),
    };
    Some(Uplink {
        name: name?.value,
        interface: interface?.value,
        gateway: draft.gateway.or(Gateway::Auto)?.value,
        gateway6: draft.gateway6.or(Gateway::Auto)?.value,
        tier: tier?.value,
        metric: metric?.value,
        mark,
        targets: draft.targets.or(default_targets.map(<[IpAddr]>::to_vec))?.value,
    })
}

fn unique_interfaces(drafts: &[draft::Uplink], notes: &Notes) {
    let mut seen: BTreeMap<&str, &draft::Uplink> = BTreeMap::new();
    for draft in drafts {
        let Some(interface) = draft.interface.given() else { continue };
        if let Some(first) = seen.get(interface.value.as_str()) {
            let problem = format!(
                "{} is already an uplink ({})",
                quote(&interface.value),
                first.interface_origin().cite()
            );
            notes.add(&interface.origin, problem, "give each uplink an interface of its own");
        } else {
            seen.insert(&interface.value, draft);
        }
    }
}

fn unique_names(drafts: &[draft::Uplink], notes: &Notes) {
    let mut seen: BTreeMap<&str, &draft::Uplink> = BTreeMap::new();
    for draft in drafts {
        // Without a name, the interface is it.
        let Some(name) = (match &draft.name {
            Slot::Given(name) => Some(name),
            Slot::Absent => draft.interface.given(),
            Slot::Broken => None,
        }) else {
            continue;
        };
        let Some(first) = seen.get(name.value.as_str()) else {
            seen.insert(&name.value, draft);
            continue;
        };
        // Two names that both come from the interface are the same mistake once more.
        if draft.name.given().is_none() && first.name.given().is_none() {
            continue;
        }
        let named = first.name.given().map_or(first.interface_origin(), |given| &given.origin);
        let problem = format!("{} is already the name of an uplink ({})", quote(&name.value), named.cite());
        notes.add(&name.origin, problem, "give each uplink a name of its own");
    }
}

fn unique_marks(drafts: &[draft::Uplink], notes: &Notes) {
    let mut seen: BTreeMap<(u32, u32), &Origin> = BTreeMap::new();
    for mark in drafts.iter().filter_map(|draft| draft.mark.given()) {
        if let Some(first) = seen.get(&mark.value) {
            let problem = format!("{:#x} is already the mark of an uplink ({})", mark.value.0, first.cite());
            notes.add(&mark.origin, problem, "give each uplink a mark of its own");
        } else {
            seen.insert(mark.value, &mark.origin);
        }
    }
}

fn unique_metrics(drafts: &[draft::Uplink], metrics: &[Option<Settled<u32>>], notes: &Notes) {
    let mut seen: BTreeMap<u32, String> = BTreeMap::new();
    for (draft, metric) in drafts.iter().zip(metrics) {
        let Some(metric) = metric else { continue };
        // A default has no place of its own: the uplink's will do.
        let origin = metric.origin.clone().unwrap_or_else(|| Origin {
            key: format!("{}.metric", draft.origin.key),
            ..draft.origin.clone()
        });
        if let Some(first) = seen.get(&metric.value) {
            let default = if metric.origin.is_none() { ", the default here," } else { "" };
            let problem = format!("{}{default} is already the metric of an uplink ({first})", metric.value);
            notes.add(&origin, problem, "give each uplink a metric of its own: the lowest one wins");
        } else {
            seen.insert(metric.value, origin.cite());
        }
    }
}

/// The promoted route must outrank every uplink's own.
fn above_promoted(metrics: &[Option<Settled<u32>>], promoted: &Settled<u32>, notes: &Notes) {
    if let Some(origin) = &promoted.origin {
        // The lowest one says it all.
        let lowest = metrics.iter().flatten().min_by_key(|metric| metric.value);
        if let Some(lowest) = lowest.filter(|lowest| lowest.value <= promoted.value) {
            let problem =
                format!("{} is not below the metric of an uplink, {}", promoted.value, lowest.cite());
            notes.add(origin, problem, "lower it: the promoted route must outrank every uplink's own");
        }
        return;
    }
    for metric in metrics.iter().flatten().filter(|metric| metric.value <= promoted.value) {
        if let Some(origin) = &metric.origin {
            let problem =
                format!("{} is not above the promoted metric, {}", metric.value.show(), promoted.cite());
            notes.add(origin, problem, "raise it: the promoted route must outrank every uplink's own");
        }
    }
}
