//! What the configuration obeys and what it refuses.

mod flags;
mod obeyed;
mod parts;
mod probe_rules;
mod report;
mod robust;
mod routing_rules;
mod target_rules;
mod uplink_rules;

use super::{Config, from_toml};

/// The least that is a configuration.
const LEAST: &str = "[[uplink]]\ninterface = \"eth0\"\n";

/// The configuration that `text` is.
#[track_caller]
fn accepted(text: &str) -> Config {
    match from_toml("t.toml", text) {
        Ok(config) => config,
        Err(findings) => panic!("refused:\n{findings}"),
    }
}

/// As [`accepted`], below the least.
#[track_caller]
fn accepted_with(text: &str) -> Config {
    accepted(&format!("{LEAST}{text}"))
}

/// Everything that is wrong with `text`, rendered.
#[track_caller]
fn refused(text: &str) -> String {
    match from_toml("t.toml", text) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(findings) => findings.to_string(),
    }
}

/// As [`refused`], for one key of one table (which stands on line 3) and exactly one finding, without its position.
#[track_caller]
fn refused_key(table: &str, line: &str) -> String {
    let rendered = refused(&format!("{LEAST}[{table}]\n{line}\n"));
    assert_eq!(rendered.matches("help: ").count(), 1, "one finding:\n{rendered}");
    let (place, rest) = rendered.split_once(": ").expect("a place");
    assert!(place.starts_with("t.toml:4:"), "the line of the key: {place}");
    rest.to_owned()
}
