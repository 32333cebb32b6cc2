//! `[probe]`.

use core::net::IpAddr;
use core::time::Duration;

use super::super::draft;
use super::super::slot::{Notes, Settled, Show as _};
use super::{contradiction, timeout};
use crate::engine::Family;
use crate::engine::settings::{Degraded, Probe, Timeout};

/// A hundred rounds a second: beyond that it is a flood, and the kernel's own timers blur.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// An hour: slower than that nothing is watched.
const MAX_INTERVAL: Duration = Duration::from_secs(3600);
/// A verdict that needs more rounds than this is no verdict.
const MAX_ROUNDS: u16 = 1000;
/// A second: a shorter window holds no statistics.
const MIN_WINDOW: Duration = Duration::from_secs(1);
/// A day.
const MAX_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// Rounds that a window may hold: each is remembered, per uplink and family.
const MAX_WINDOW_ROUNDS: u32 = 10_000;
/// Rounds that the window holds at least, unless it was written: with fewer, one loss is a disaster.
const DEFAULT_WINDOW_ROUNDS: u32 = 4;
/// As for a timeout: a millisecond to ten seconds.
const RTT_BOUNDS: core::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);

pub(super) fn settle(
    draft: &draft::Probe,
    uplinks: &[draft::Uplink],
    default_targets: Option<&[IpAddr]>,
    notes: &Notes,
) -> Option<Probe> {
    let preset =
        draft.profile.or(crate::engine::settings::Profile::default()).map(|profile| profile.value.probe());
    let bounds = MIN_INTERVAL..=MAX_INTERVAL;
    let interval = draft
        .interval
        .within(notes, &bounds, "faster is a flood, slower watches nothing")
        .or(preset.as_ref().map(|preset| preset.interval));
    let confirm = confirm_interval(draft, preset.as_ref(), interval.as_ref(), notes);
    let standby = standby_interval(draft, preset.as_ref(), interval.as_ref(), notes);
    let timeout =
        timeout::settle(draft, preset.as_ref().map(|preset| preset.timeout), interval.as_ref(), notes);
    let rounds = 1..=MAX_ROUNDS;
    let why = "that many rounds in a row make the verdict";
    let fall = draft.fall.number(notes, &rounds, why).or(preset.as_ref().map(|preset| preset.fall));
    let rise = draft.rise.number(notes, &rounds, why).or(preset.as_ref().map(|preset| preset.rise));
    let quorum = quorum(draft, preset.as_ref(), uplinks, default_targets, notes);
    let default = preset.as_ref().map(|preset| preset.degraded.clone()).unwrap_or_default();
    let degraded = degraded(&draft.degraded, &default, interval.as_ref(), timeout, notes);
    Some(Probe {
        interval: interval?.value,
        standby_interval: standby?.value,
        confirm_interval: confirm?.value,
        timeout: timeout?,
        fall: fall?.value,
        rise: rise?.value,
        quorum: quorum?.value,
        degraded: degraded?,
    })
}

fn confirm_interval(
    draft: &draft::Probe,
    preset: Option<&Probe>,
    interval: Option<&Settled<Duration>>,
    notes: &Notes,
) -> Option<Settled<Duration>> {
    let default = preset.zip(interval).map(|(preset, interval)| preset.confirm_interval.min(interval.value));
    let bounds = MIN_INTERVAL..=MAX_INTERVAL;
    let confirm =
        draft.confirm_interval.within(notes, &bounds, "it is the faster of the two intervals").or(default)?;
    if let Some(interval) = interval
        && confirm.value > interval.value
    {
        let problem = format!("{} is above the interval, {}", confirm.value.show(), interval.cite());
        let remedy =
            "lower it, or raise the interval: a doubt is settled faster than the usual rounds, not slower";
        contradiction(&confirm, interval, notes, problem, remedy);
    }
    Some(confirm)
}

fn standby_interval(
    draft: &draft::Probe,
    preset: Option<&Probe>,
    interval: Option<&Settled<Duration>>,
    notes: &Notes,
) -> Option<Settled<Duration>> {
    let default = preset.zip(interval).map(|(preset, interval)| preset.standby_interval.max(interval.value));
    let bounds = MIN_INTERVAL..=MAX_INTERVAL;
    let standby =
        draft.standby_interval.within(notes, &bounds, "a standby that nobody watches is none").or(default)?;
    if let Some(interval) = interval
        && standby.value < interval.value
    {
        let problem = format!("{} is below the interval, {}", standby.value.show(), interval.cite());
        contradiction(&standby, interval, notes, problem, "raise it, or lower the interval");
    }
    Some(standby)
}

/// The quorum must be within reach of every uplink, in each family that it has targets for.
fn quorum(
    draft: &draft::Probe,
    preset: Option<&Probe>,
    uplinks: &[draft::Uplink],
    default_targets: Option<&[IpAddr]>,
    notes: &Notes,
) -> Option<Settled<u16>> {
    let why = "that many targets must answer for a round to be good";
    let quorum = draft.quorum.number(notes, &(1..=MAX_ROUNDS), why).or(preset.map(|preset| preset.quorum))?;
    let mut fewest: Option<(usize, String, Family)> = None;
    for uplink in uplinks {
        let own = uplink.targets.or(default_targets.map(<[IpAddr]>::to_vec));
        let targets = own.map(|own| own.value).unwrap_or_default();
        for family in Family::ALL {
            let count = targets.iter().filter(|target| Family::of(**target) == family).count();
            if count > 0 && fewest.as_ref().is_none_or(|(least, ..)| count < *least) {
                fewest = Some((count, uplink.label(), family));
            }
        }
    }
    if let (Some(origin), Some((count, uplink, family))) = (&quorum.origin, fewest)
        && usize::from(quorum.value) > count
    {
        let (plural, family) = (if count == 1 { "" } else { "s" }, family.name());
        let problem = format!("is {}, but uplink {uplink} has {count} {family} target{plural}", quorum.value);
        notes.add(
            origin,
            problem,
            format!("choose {count} at most, or name more targets: no round could be good"),
        );
    }
    Some(quorum)
}

fn degraded(
    draft: &draft::Degraded,
    default: &Degraded,
    interval: Option<&Settled<Duration>>,
    timeout: Option<Timeout>,
    notes: &Notes,
) -> Option<Degraded> {
    let window = window(draft, default, interval, notes);
    let loss = draft
        .loss_percent
        .number(notes, &(1..=100), "it is a share of the probes in percent")
        .or(default.loss_percent);
    // A threshold that moved takes the one behind it along, at the default distance.
    let clear_loss = loss.as_ref().map(|loss| default.clear_loss_percent.min(loss.value / 4));
    let clear_loss = draft
        .clear_loss_percent
        .number(notes, &(0..=100), "it is a share of the probes in percent")
        .or(clear_loss);
    if let (Some(clear), Some(loss)) = (&clear_loss, &loss)
        && clear.value > loss.value
    {
        let problem = format!("{} is above the loss that degrades, {}", clear.value, loss.cite());
        contradiction(clear, loss, notes, problem, "lower it: an uplink would be degraded and clear at once");
    }
    let rtt = draft.rtt.within(notes, &RTT_BOUNDS, "later answers count as lost").or(default.rtt);
    if let (Some(rtt), Some(timeout)) = (&rtt, timeout) {
        reachable(rtt, timeout, notes);
    }
    let clear_rtt = rtt.as_ref().map(|rtt| default.clear_rtt.min(rtt.value / 2));
    let clear_rtt = draft.clear_rtt.within(notes, &RTT_BOUNDS, "later answers count as lost").or(clear_rtt);
    if let (Some(clear), Some(rtt)) = (&clear_rtt, &rtt)
        && clear.value > rtt.value
    {
        let problem = format!("{} is above the time that degrades, {}", clear.value.show(), rtt.cite());
        contradiction(clear, rtt, notes, problem, "lower it: an uplink would be degraded and clear at once");
    }
    Some(Degraded {
        window: window?.value,
        loss_percent: loss?.value,
        clear_loss_percent: clear_loss?.value,
        rtt: rtt?.value,
        clear_rtt: clear_rtt?.value,
    })
}

fn window(
    draft: &draft::Degraded,
    default: &Degraded,
    interval: Option<&Settled<Duration>>,
    notes: &Notes,
) -> Option<Settled<Duration>> {
    let enough = interval.map(|interval| default.window.max(interval.value * DEFAULT_WINDOW_ROUNDS));
    let window =
        draft.window.within(notes, &(MIN_WINDOW..=MAX_WINDOW), "loss is counted over it").or(enough)?;
    if let Some(interval) = interval {
        let most = interval.value * MAX_WINDOW_ROUNDS;
        if window.value < interval.value {
            let problem = format!("{} is below the interval, {}", window.value.show(), interval.cite());
            contradiction(&window, interval, notes, problem, "raise it: it would hold no round at all");
        } else if window.value > most {
            let problem = format!(
                "{} holds more than {MAX_WINDOW_ROUNDS} rounds of the interval, {}",
                window.value.show(),
                interval.cite()
            );
            let remedy = format!("lower it to {} at most, or raise the interval", most.show());
            contradiction(&window, interval, notes, problem, &remedy);
        }
    }
    Some(window)
}

/// A mean that was written and that no answer can reach is a mistake; the default one just never speaks.
fn reachable(rtt: &Settled<Duration>, timeout: Timeout, notes: &Notes) {
    let longest = match timeout {
        Timeout::Adaptive { ceiling, .. } => ceiling,
        Timeout::Fixed(fixed) => fixed,
    };
    if let Some(origin) = &rtt.origin
        && rtt.value > longest
    {
        let problem = format!("{} is above the longest timeout, {}", rtt.value.show(), longest.show());
        notes.add(origin, problem, "lower it, or raise the timeout: later answers count as lost");
    }
}
