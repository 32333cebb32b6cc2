//! What a run of the tests has shown, in numbers, for `scripts/proof`.

use std::fs;
use std::path::Path;

/// Keeps one figure of this run; the one of an earlier run goes.
///
/// # Panics
/// If it cannot be written.
pub(crate) fn keep(name: &str, value: impl std::fmt::Display) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proof");
    fs::create_dir_all(&folder).expect("a folder for the figures");
    fs::write(folder.join(name), format!("{value}\n")).expect("a file for the figure");
}
