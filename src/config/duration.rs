//! Durations as people write them: `250ms`, `1.5s`, `2m`, `1h`.

use core::time::Duration;

use super::finding::{Complaint, quote};
use super::slot::Show;

/// The units, with their length in nanoseconds.
const UNITS: [(&str, u64); 4] =
    [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];
/// Most digits before the decimal point: no bound of any key needs more, and nothing overflows.
const MAX_WHOLE_DIGITS: usize = 12;
/// Most digits after it: a nanosecond is the ninth of a second.
const MAX_FRACTION_DIGITS: usize = 9;

const HELP: &str = "write a number and a unit, such as \"250ms\", \"1.5s\", \"2m\" or \"1h\"";

/// Reads a duration.
pub(super) fn parse(text: &str) -> Result<Duration, Complaint> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if text.starts_with('-') {
        return Err(Complaint::new(format!("{} is negative", quote(text)), HELP));
    }
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(Complaint::new(format!("{} is not a duration", quote(text)), HELP));
    }
    if unit.is_empty() {
        return Err(no_unit(number));
    }
    let Some(&(_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let problem = format!("{} has the unknown unit {}", quote(text), quote(unit));
        return Err(Complaint::new(problem, "the units are ms, s, m and h, right behind the number"));
    };
    if whole.len() > MAX_WHOLE_DIGITS || fraction.len() > MAX_FRACTION_DIGITS {
        let problem = format!("{} has more digits than can be told apart", quote(text));
        return Err(Complaint::new(problem, HELP));
    }
    exact(whole, fraction, unit_ns)
        .ok_or_else(|| Complaint::new(format!("{} is too long", quote(text)), HELP))
}

/// A number that stands where a duration should.
pub(super) fn no_unit(number: &str) -> Complaint {
    let number = super::finding::excerpt(number);
    Complaint::new(
        format!("`{number}` has no unit"),
        format!("write \"{number}s\" for seconds or \"{number}ms\" for milliseconds"),
    )
}

/// Integers throughout, so that 0.1 means 0.1.
fn exact(whole: &str, fraction: &str, unit_ns: u64) -> Option<Duration> {
    let whole: u128 = whole.parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction: u128 = fraction.parse().ok()?;
    let unit_ns = u128::from(unit_ns);
    let total = whole.checked_mul(unit_ns)?.checked_add(fraction.checked_mul(unit_ns)? / scale)?;
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    let rest = u32::try_from(total % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

impl Show for Duration {
    /// In the largest unit that needs no decimals; below a second in milliseconds.
    fn show(&self) -> String {
        let (seconds, rest) = (self.as_secs(), self.subsec_nanos());
        if rest == 0 {
            return match seconds {
                0 => "0s".to_owned(),
                _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
                _ if seconds > 60 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
                _ => format!("{seconds}s"),
            };
        }
        let (whole, rest, digits, unit) = if seconds == 0 {
            (u64::from(rest / 1_000_000), rest % 1_000_000, 6, "ms")
        } else {
            (seconds, rest, 9, "s")
        };
        let fraction = format!("{rest:0digits$}");
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{whole}{point}{fraction}{unit}")
    }
}
