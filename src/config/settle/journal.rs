//! `[journal]`.

use super::super::draft;
use super::super::slot::Notes;
use crate::journal::Disk;

/// One file, bytes: below, there would be little between one beginning and the next.
const SIZES: core::ops::RangeInclusive<u64> = (64 << 10)..=(1 << 40);
/// So many files.
const FILES: core::ops::RangeInclusive<u16> = 1..=1000;
/// Half a day of two uplinks with three targets, in all.
const DEFAULT_SIZE: u64 = 16 << 20;
const DEFAULT_FILES: u16 = 4;

/// A journal at this place, as large as it is unless somebody says otherwise.
pub(in crate::config) fn at(path: std::path::PathBuf) -> Disk {
    Disk { path, max_size: DEFAULT_SIZE, keep: DEFAULT_FILES }
}

/// None if something is wrong; no journal unless a path is given.
#[expect(clippy::option_option, reason = "wrong, absent, there")]
pub(super) fn settle(draft: &draft::Journal, notes: &Notes) -> Option<Option<Disk>> {
    let max_size = draft.max_size.within(notes, &SIZES, "what is larger is cut into files").or(DEFAULT_SIZE);
    let keep = draft.keep.number(notes, &FILES, "the oldest is thrown away").or(DEFAULT_FILES);
    if let (Some(origin), super::Slot::Absent) = (&draft.origin, &draft.path) {
        notes.add(origin, "has no path", "add the key `path`, such as \"/var/lib/uplinkd/journal.jsonl\"");
        return None;
    }
    match &draft.path {
        super::Slot::Absent => Some(None),
        super::Slot::Broken => None,
        super::Slot::Given(given) => {
            Some(Some(Disk { path: given.value.clone(), max_size: max_size?.value, keep: keep?.value }))
        }
    }
}
