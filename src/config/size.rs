//! Sizes as people write them: `512KiB`, `16MiB`, `1GiB`.

use super::finding::{Complaint, quote};
use super::slot::Show;

/// The units, in bytes.
const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads a size.
pub(super) fn parse(text: &str) -> Result<u64, Complaint> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let bytes = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .and_then(|(_, bytes)| number.parse::<u64>().ok()?.checked_mul(*bytes));
    bytes.ok_or_else(|| {
        let remedy = "write a whole number and one of KiB, MiB, GiB, such as \"16MiB\"";
        Complaint::new(format!("{} is not a size", quote(text)), remedy)
    })
}

impl Show for u64 {
    /// In the largest unit that needs no decimals.
    fn show(&self) -> String {
        let fits = |(_, bytes): &&(&str, Self)| *self >= *bytes && self.is_multiple_of(*bytes);
        match UNITS.iter().rfind(fits) {
            Some((name, bytes)) => format!("{}{name}", self / bytes),
            None => format!("{self} bytes"),
        }
    }
}
