//! The status as JSON: a documented schema, to which keys may be added.

use super::VERSION;
use crate::daemon::clock::rfc3339;
use crate::engine::monitor::Complaint;
use crate::engine::report::{Change, FamilyReport, Notice, PathReport, Report, TargetReport, Transition};
use crate::engine::settings::Settings;
use crate::engine::{Family, Time};
use crate::machine::{Id, Selection};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How many of the latest transitions are shown.
const SHOWN_TRANSITIONS: usize = 32;

/// A report as JSON; `epoch_ms` is what the wall clock would have shown at the engine's time zero, `started_ms` what it
/// showed when the daemon started.
#[must_use]
pub fn render(report: &Report, settings: &Settings, epoch_ms: u64, started_ms: u64) -> Value {
    let renderer = Renderer { settings, epoch_ms };
    let families: Map<String, Value> = report
        .families
        .iter()
        .map(|family| (family.family.name().to_owned(), renderer.family(family)))
        .collect();
    let uplinks: Vec<Value> =
        report.uplinks.iter().map(|uplink| renderer.uplink(uplink.id, &uplink.families)).collect();
    let skipped = report.transitions.len().saturating_sub(SHOWN_TRANSITIONS);
    let transitions: Vec<Value> =
        report.transitions[skipped..].iter().map(|transition| renderer.transition(transition)).collect();
    json!({
        "version": VERSION,
        "pid": std::process::id(),
        "started": rfc3339(started_ms),
        "families": families,
        "uplinks": uplinks,
        "transitions": transitions,
    })
}

struct Renderer<'a> {
    settings: &'a Settings,
    epoch_ms: u64,
}

impl Renderer<'_> {
    fn name(&self, id: Id) -> &str {
        &self.settings.uplinks[usize::from(id)].name
    }

    fn moment(&self, at: Time) -> String {
        rfc3339(self.moment_ms(at))
    }

    /// Milliseconds since 1970.
    fn moment_ms(&self, at: Time) -> u64 {
        self.epoch_ms.saturating_add(u64::try_from(at.0.as_millis()).unwrap_or(u64::MAX))
    }

    fn family(&self, family: &FamilyReport) -> Value {
        let windows: Map<String, Value> =
            family.windows.iter().map(|(id, left)| (self.name(*id).to_owned(), seconds(*left))).collect();
        json!({
            "state": family.selection.name().to_lowercase(),
            "detail": family.selection.detail(),
            "active": family.active.map(|id| self.name(id)),
            "stranded": family.stranded,
            "since": self.moment(family.since),
            "sync": family.sync.name().to_lowercase(),
            "stable_window_left_s": windows,
            "boot_deadline_left_s": family.boot_remaining.map(seconds),
            "reasserted": family.reasserted,
            "notices": family.notices.iter().map(notice).collect::<Vec<_>>(),
        })
    }

    /// The uplink's own keys show its first family that is in use: IPv4 where there is one.
    fn uplink(&self, id: Id, families: &[(Family, PathReport)]) -> Value {
        let uplink = &self.settings.uplinks[usize::from(id)];
        let shown = families.iter().find(|(_, path)| path.monitor_known()).or(families.first());
        let mut value = shown.map(|(_, path)| path_value(path)).unwrap_or_default();
        let each: Map<String, Value> = families
            .iter()
            .map(|(family, path)| (family.name().to_owned(), path_value(path).into()))
            .collect();
        value.insert("name".to_owned(), json!(uplink.name));
        value.insert("interface".to_owned(), json!(uplink.interface));
        value.insert("tier".to_owned(), json!(uplink.tier));
        value.insert("families".to_owned(), each.into());
        value.into()
    }

    fn transition(&self, transition: &Transition) -> Value {
        let (what, from, to) = match transition.change {
            Change::Health { uplink, from, to } => {
                (self.name(uplink).to_owned(), from.name().into(), to.name().into())
            }
            Change::Selection { from, to } => {
                ("selection".to_owned(), self.selection(from), self.selection(to))
            }
        };
        json!({
            "id": transition.id,
            "at": self.moment(transition.at),
            "at_ms": self.moment_ms(transition.at),
            "family": transition.family.name(),
            "of": what,
            "from": from,
            "to": to,
            "event": transition.event.to_string(),
            "cause": transition.cause,
        })
    }

    fn selection(&self, selection: Selection) -> String {
        let on = selection.active().map_or(String::new(), |id| format!(" on {}", self.name(id)));
        let detail = selection.detail().map_or(String::new(), |detail| format!(" ({detail})"));
        format!("{}{detail}{on}", selection.name().to_lowercase())
    }
}

impl PathReport {
    /// Is there anything but names to show?
    fn monitor_known(&self) -> bool {
        !self.targets.is_empty()
    }
}

fn path_value(path: &PathReport) -> Map<String, Value> {
    let value = json!({
        "health": path.health.name(),
        "readiness": path.readiness.words(),
        "gateway": path.gateway,
        "loss_percent": round(path.loss_percent, 1),
        "rtt_ms": path.rtt.map(ms),
        "jitter_ms": path.jitter.map(ms),
        "consecutive_failures": path.fails,
        "stable_for_s": path.stable_for.map(seconds),
        "timeout_ms": path.timeout.map(ms),
        "targets": path.targets.iter().map(target).collect::<Vec<_>>(),
        "duplicate_answers": path.oddities.duplicates,
        "late_answers": path.oddities.late,
        "voided_rounds": path.oddities.voided,
    });
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn target(target: &TargetReport) -> Value {
    let complaint = target.complaint.map(|complaint| match complaint {
        Complaint::NotSent(errno) => format!("not sent: {}", std::io::Error::from_raw_os_error(errno)),
        Complaint::Unreachable(from) => format!("{from} says it cannot be reached"),
    });
    json!({
        "target": target.address,
        "loss_percent": round(target.loss_percent, 1),
        "rtt_ms": target.rtt.map(ms),
        "unanswered": target.silent,
        "complaint": complaint,
    })
}

/// Something that a person should look at, in words.
pub(crate) fn notice(notice: &Notice) -> String {
    match notice {
        Notice::Outranked(_, route) => format!("somebody's default route outranks ours: {route}"),
        Notice::Bypassed(_, route) => {
            format!("somebody's default route outranks ours by another way, and traffic takes it: {route}")
        }
        Notice::Untakeable(_, route) => {
            format!("somebody's default route outranks ours, and has several ways: {route}")
        }
        Notice::Evicted(_, route) => format!("removed somebody's route from a table of ours: {route}"),
        Notice::OwnTarget(_, uplink, target) => {
            format!(
                "target {target} of {uplink} is an address of this machine: it answers whatever the line does"
            )
        }
        Notice::Blocked(_, route) => format!("somebody's route holds the place of ours: {route}"),
        Notice::Refused(_, op, errno) => {
            format!("refused ({}): {op}", std::io::Error::from_raw_os_error(*errno))
        }
        Notice::NoEffect(_) => "operations had no effect, so everything is read afresh".to_owned(),
        Notice::Reasserted(_, count) => {
            format!("something of ours was changed or gone: put back, {count} so far since the start")
        }
        Notice::Unreadable(_) => "the kernel's state cannot be read".to_owned(),
        Notice::Impossible(text) => text.clone(),
    }
}

fn ms(duration: Duration) -> Value {
    round(duration.as_secs_f64() * 1000.0, 3)
}

fn seconds(duration: Duration) -> Value {
    round(duration.as_secs_f64(), 3)
}

fn round(value: f64, digits: i32) -> Value {
    let factor = 10_f64.powi(digits);
    json!((value * factor).round() / factor)
}
