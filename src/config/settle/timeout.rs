//! How long an answer may take.

use core::time::Duration;

use super::super::draft;
use super::super::slot::{Given, Notes, Settled, Show as _, Slot};
use super::contradiction;
use crate::engine::settings::Timeout;

/// A millisecond: less than the way through the next router.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);
/// Ten seconds: a line that slow carries no traffic worth the name.
const MAX_TIMEOUT: Duration = Duration::from_secs(10);
/// A minute of silence is an outage on any line.
const MAX_SILENCE: Duration = Duration::from_secs(60);
/// Rounds that may be under way at once: each open probe is remembered until its timeout.
const MAX_ROUNDS_UNDER_WAY: u32 = 10;

/// The three values of an adaptive timeout, as a profile presets them.
#[derive(Debug, Clone, Copy)]
struct Adaptive {
    floor: Duration,
    ceiling: Duration,
    silence: Duration,
}

impl Adaptive {
    fn of(preset: Timeout) -> Option<Self> {
        match preset {
            Timeout::Adaptive { floor, ceiling, silence } => Some(Self { floor, ceiling, silence }),
            Timeout::Fixed(_) => None,
        }
    }
}

/// Settles the timeout; `preset` is the profile's, if that is known.
pub(super) fn settle(
    draft: &draft::Probe,
    preset: Option<Timeout>,
    interval: Option<&Settled<Duration>>,
    notes: &Notes,
) -> Option<Timeout> {
    let preset = preset.and_then(Adaptive::of);
    match &draft.timeout {
        Slot::Absent | Slot::Given(Given { value: draft::Timeout::Adaptive, .. }) => {
            adaptive(draft, preset, interval, notes)
        }
        Slot::Given(Given { value: draft::Timeout::Fixed(value), origin }) => {
            let needless = "belongs to an adaptive timeout, but the timeout is fixed";
            for slot in [&draft.timeout_floor, &draft.timeout_ceiling, &draft.silence] {
                if let Some(given) = slot.given() {
                    notes.add(&given.origin, needless, "leave it out, or write timeout = \"adaptive\"");
                }
            }
            let fixed = Slot::Given(Given { value: *value, origin: origin.clone() })
                .within(notes, &(MIN_TIMEOUT..=MAX_TIMEOUT), "a line that answers later carries no traffic")
                .or(None)?;
            under_way(&fixed, interval, notes);
            Some(Timeout::Fixed(fixed.value))
        }
        Slot::Broken => {
            // Only for its findings.
            adaptive(draft, preset, interval, notes);
            None
        }
    }
}

fn adaptive(
    draft: &draft::Probe,
    preset: Option<Adaptive>,
    interval: Option<&Settled<Duration>>,
    notes: &Notes,
) -> Option<Timeout> {
    let bounds = MIN_TIMEOUT..=MAX_TIMEOUT;
    let ceiling = draft
        .timeout_ceiling
        .within(notes, &bounds, "a line that answers later carries no traffic")
        .or(preset.map(|preset| preset.ceiling));
    let floor_default = match (preset, &ceiling) {
        (Some(preset), Some(ceiling)) => Some(preset.floor.min(ceiling.value)),
        (None, _) | (_, None) => None,
    };
    let floor = draft
        .timeout_floor
        .within(notes, &bounds, "the measured time of the path is used from there on")
        .or(floor_default);
    if let (Some(floor), Some(ceiling)) = (&floor, &ceiling)
        && floor.value > ceiling.value
    {
        let problem = format!("{} is above the timeout ceiling, {}", floor.value.show(), ceiling.cite());
        contradiction(floor, ceiling, notes, problem, "lower it, or raise the ceiling");
    }
    // The preset ceiling is for paths that are really that slow, and stands at any interval.
    if let (Some(ceiling), Some(preset)) = (&ceiling, preset)
        && ceiling.value > preset.ceiling
    {
        under_way(ceiling, interval, notes);
    }
    let silence = draft
        .silence
        .within(notes, &(Duration::ZERO..=MAX_SILENCE), "a minute without an answer is an outage on any line")
        .or(preset.map(|preset| preset.silence));
    Some(Timeout::Adaptive { floor: floor?.value, ceiling: ceiling?.value, silence: silence?.value })
}

/// Refuses a timeout so long that too many rounds wait for it.
fn under_way(timeout: &Settled<Duration>, interval: Option<&Settled<Duration>>, notes: &Notes) {
    let Some(interval) = interval else { return };
    let most = interval.value.saturating_mul(MAX_ROUNDS_UNDER_WAY);
    if timeout.value > most {
        let problem = format!(
            "{} is more than {MAX_ROUNDS_UNDER_WAY} times the interval, {}",
            timeout.value.show(),
            interval.cite()
        );
        let remedy = format!("lower it to {} at most, or raise the interval", most.show());
        contradiction(timeout, interval, notes, problem, &remedy);
    }
}
