//! Nothing panics, and nothing is refused without a reason, whatever is written.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::super::{Findings, Flags, from_flags, from_toml};

/// A valid file with every key.
const FULL: &str = r#"[[uplink]]
name = "fiber"
interface = "eth0"
gateway = "192.0.2.1"
gateway6 = "fe80::1"
tier = 1
metric = 10
metered = false
mark = "0x10/0xff"
targets = ["icmp://1.1.1.1", "8.8.8.8", "2620:fe::9"]

[[uplink]]
interface = "wwan0"
mark = 17

[probe]
profile = "steady"
interval = "1s"
standby_interval = "5s"
confirm_interval = "250ms"
timeout = "adaptive"
timeout_floor = "100ms"
timeout_ceiling = "1s"
silence = "850ms"
fall = 3
rise = 3
quorum = 1
targets = ["192.0.2.99", "192.0.2.98"]
degraded_window = "60s"
degraded_loss_percent = 20
clear_loss_percent = 5
degraded_rtt = "500ms"
clear_rtt = "250ms"

[failover]
stable_window = "60s"
max_stable_window = "1h"
flap_memory = "10m"
boot_deadline = "10s"
leave_degraded = true

[routing]
policy = "failover"
ownership = "metric"
flow_flush = "none"
backend = "kernel"
promoted_metric = 5
first_table = 7700
first_priority = 7700
protocol = 117
foreign_defaults = "warn"
on_exit = "keep"
kernel_carrier = true
carrier_poll = "auto"

[control]
socket = "/run/uplinkd/control.sock"
"#;

/// Values of every type and of most kinds of wrongness.
const VALUES: [&str; 24] = [
    "0",
    "-1",
    "1",
    "3",
    "70000",
    "0xffffffff",
    "99999999999999999999999999999999999999999999999999",
    "1.5",
    "nan",
    "-inf",
    "true",
    "1979-05-27T07:32:00Z",
    "[]",
    "[[1], {}]",
    "{}",
    "{ a = 1 }",
    "\"\"",
    "\"5\"",
    "\"1s\"",
    "\"100h\"",
    "\"0.001ms\"",
    "\"auto\"",
    "\"::1\"",
    "[\"192.0.2.1\", \"192.0.2.1\", 3]",
];

/// A refusal says why, in the order of the file.
fn check(findings: &Findings) -> Result<(), TestCaseError> {
    prop_assert!(!findings.findings.is_empty());
    prop_assert!(findings.findings.is_sorted_by_key(|finding| finding.place));
    for finding in &findings.findings {
        prop_assert!(!finding.problem.is_empty() && !finding.remedy.is_empty());
        let control = |text: &str| text.contains(char::is_control);
        prop_assert!(!control(&finding.key) && !control(&finding.problem) && !control(&finding.remedy));
    }
    Ok(())
}

fn survives(text: &str) -> Result<(), TestCaseError> {
    match from_toml("t.toml", text) {
        Ok(config) => {
            prop_assert!(!config.settings.uplinks.is_empty());
            Ok(())
        }
        Err(findings) => check(&findings),
    }
}

#[test]
fn the_full_file_is_valid() {
    let config = super::accepted(FULL);
    assert_eq!(config.settings.uplinks.len(), 2);
}

#[test]
fn depth_is_bounded() {
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(from_toml("t.toml", &deep).is_err());
    let dotted = format!("{} = 1", vec!["a"; 10_000].join("."));
    assert!(from_toml("t.toml", &dotted).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/proptest-regressions/robust.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text)?;
    }

    #[test]
    fn text_made_of_toml_is_survived(text in "([\\[\\]{}=\"'.,# \n_a-d0-9-]|uplink|probe|\\[\\[uplink\\]\\]\n){0,40}") {
        survives(&text)?;
    }

    #[test]
    fn a_valid_file_with_bytes_changed_is_survived(
        edits in prop::collection::vec((0..FULL.len(), any::<prop::sample::Index>()), 1..6),
    ) {
        let alphabet: Vec<char> = "\"[]={}.\n #0x9aZ-é\0".chars().collect();
        let mut text: Vec<char> = FULL.chars().collect();
        for (at, replacement) in edits {
            text[at] = *replacement.get(&alphabet);
        }
        survives(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn a_valid_file_with_values_changed_is_survived(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..VALUES.len()), 1..6),
    ) {
        let mut lines: Vec<String> = FULL.lines().map(str::to_owned).collect();
        for (index, value) in edits {
            let line = index.get(&lines).clone();
            if let Some((key, _)) = line.split_once(" = ") {
                let at = index.index(lines.len());
                lines[at] = format!("{key} = {}", VALUES[value]);
            }
        }
        survives(&lines.join("\n"))?;
    }

    #[test]
    fn a_valid_file_with_lines_moved_or_lost_is_survived(
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<Option<prop::sample::Index>>()), 1..8),
    ) {
        let mut lines: Vec<&str> = FULL.lines().collect();
        for (from, to) in moves {
            let line = lines.remove(from.index(lines.len()));
            if let Some(to) = to {
                lines.insert(to.index(lines.len()), line);
            }
        }
        survives(&lines.join("\n"))?;
    }

    #[test]
    fn any_flags_are_survived(texts in prop::collection::vec(any::<Option<String>>(), 12), list in any::<Vec<String>>()) {
        let text = |at: usize| texts[at].clone();
        let flags = Flags {
            primary_interface: text(0),
            secondary_interface: text(1),
            primary_gateway: list.clone(),
            secondary_gateway: list.clone(),
            ping_target: list,
            profile: text(2),
            interval: text(3),
            confirm_interval: text(4),
            timeout: text(5),
            fall: text(6),
            rise: text(7),
            stable_window: text(8),
            foreign_defaults: text(9),
            on_exit: None,
            no_kernel_carrier: false,
            control_socket: text(10).map(Into::into),
            journal: text(11).map(Into::into),
        };
        if let Err(findings) = from_flags(&flags) {
            check(&findings)?;
        }
    }
}
