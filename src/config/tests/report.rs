//! How findings look.

use insta::assert_snapshot;

use super::super::{Source, from_file, from_toml};
use super::{LEAST, refused};

const MISTAKES: &str = r#"# A file with about everything wrong.
inteval = "1s"

[[uplink]]
name = "fiber"
interface = "eth0"
gateway = "fe80::1"
metrik = 10
weight = 2
targets = ["1.1.1.1", "dns://9.9.9.9?name=example.com", "icmp://1.1.1.1"]

[[uplink]]
name = "lte"
interface = "eth0"
metric = 5
mark = "0x100/0xff"

[[uplink]]
name = "fiber"
gateway = "0.0.0.0"

[probe]
interval = 5
confirm_interval = "2 s"
fall = 0
rise = "3"
quorum = 4
stable_window = "60s"

[failover]
max_stable_window = "30s"
leave_degraded = "yes"

[routing]
policy = "balance"
protocol = 12
first_table = 200
on_exit = "keeep"

[journal]
path = "/var/lib/uplinkd/journal.jsonl"

[contrl]
socket = "/run/x.sock"
"#;

#[test]
fn a_file_with_many_mistakes_names_them_all_at_once() {
    assert_snapshot!(refused(MISTAKES));
}

#[test]
fn a_file_that_is_not_toml_is_one_finding_with_its_place() {
    let remedy =
        "TOML has `key = value` lines below [table] lines, text in quotes, numbers and true or false without";
    assert_eq!(
        refused("[probe]\ninterval = 1s\n"),
        format!(
            "t.toml:2:12: not TOML: string values must be quoted, expected literal string\n  help: {remedy}"
        )
    );
    assert_eq!(
        refused("[probe]\nfall = 1\nfall = 2\n"),
        "t.toml:3:1: not TOML: duplicate key\n  \
         help: each key may stand once in its table, and each [table] once; only [[uplink]] may be repeated"
    );
}

#[test]
fn an_unknown_key_is_told_where_it_belongs() {
    let found = |text: &str| refused(&format!("{LEAST}{text}"));
    assert_eq!(
        found("[failover]\nfall = 3\n"),
        "t.toml:4:1: failover.fall: unknown key\n  help: it belongs in [probe]"
    );
    assert_eq!(
        found("[control]\nintervall = \"1s\"\n"),
        "t.toml:4:1: control.intervall: unknown key\n  help: did you mean `interval`? It belongs in [probe]"
    );
    assert_eq!(
        found("[control]\n\"a\\u001bb\" = 1\n"),
        "t.toml:4:1: control.a\\u{1b}b: unknown key\n  help: the keys of [control] are socket"
    );
    assert_eq!(
        found("[hooks.up]\nrun = \"x\"\n"),
        "t.toml:3:2: hooks: unknown table\n  \
         help: the tables are [[uplink]], [probe], [failover], [routing], [control], [journal]"
    );
    assert_eq!(
        refused(&format!("interface = \"eth1\"\n{LEAST}")),
        "t.toml:1:1: interface: unknown key\n  help: it belongs in [[uplink]]"
    );
    assert_eq!(
        found("[[uplinks]]\ninterface = \"eth1\"\n"),
        "t.toml:3:3: uplinks: unknown table\n  help: did you mean [[uplink]]?"
    );
}

#[test]
fn a_wrong_type_says_what_was_expected_and_what_was_found() {
    let found = |line: &str| super::refused_key("probe", line);
    assert_eq!(
        found("fall = 3.5"),
        "probe.fall: must be a whole number, is the number 3.5\n  help: write digits only, such as 3"
    );
    assert_eq!(
        found("profile = [1]"),
        "probe.profile: must be text, is a list\n  help: write one text in quotes"
    );
    assert_eq!(
        found("interval = 1979-05-27"),
        "probe.interval: must be a duration, is a date\n  help: write text such as \"250ms\" or \"1s\""
    );
    assert_eq!(
        found("timeout = 1.5"),
        "probe.timeout: `1.5` has no unit\n  help: write \"1.5s\" for seconds or \"1.5ms\" for milliseconds"
    );
    assert_eq!(
        refused(&format!("probe = 3\n{LEAST}")),
        "t.toml:1:9: probe: must be a table, is the number 3\n  \
         help: write the line [probe], in single brackets, and its keys below"
    );
}

#[test]
fn a_file_is_read_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("u.toml");
    std::fs::write(&path, LEAST).expect("written");
    let config = from_file(&path).expect("accepted");
    assert_eq!(config.source, Source::File(path.clone()));
    assert_eq!(config.source.to_string(), path.display().to_string());
    assert_eq!(config.settings, from_toml("x", LEAST).expect("accepted").settings);
    std::fs::write(&path, b"# caf\xe9\n").expect("written");
    let name = path.display();
    let refused = || from_file(&path).expect_err("refused").to_string();
    assert_eq!(
        refused(),
        format!("{name}:1:6: is not UTF-8 text from here on\n  help: save the file as UTF-8")
    );
    std::fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).expect("written");
    let help = "help: name the configuration file, not another one, with -c";
    assert_eq!(refused(), format!("{name}: is larger than 1048576 bytes\n  {help}"));
}

#[test]
fn a_file_that_cannot_be_read_is_a_finding() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("none.toml");
    assert_eq!(
        from_file(&path).expect_err("refused").to_string(),
        format!(
            "{}: cannot be read: No such file or directory (os error 2)\n  \
             help: create it, or name the file to read with -c",
            path.display()
        )
    );
    assert_eq!(
        from_file(dir.path()).expect_err("refused").to_string(),
        format!(
            "{}: cannot be read: Is a directory (os error 21)\n  \
             help: make it a file that the user of the daemon may read",
            dir.path().display()
        )
    );
}

#[test]
fn a_file_of_another_program_does_not_flood_the_terminal() {
    let keys: Vec<String> = (0..1000).map(|index| format!("setting_{index} = 1")).collect();
    let findings = from_toml("t.toml", &keys.join("\n")).expect_err("refused").findings;
    // The unknown keys that are noted, and that there is no uplink.
    assert_eq!(findings.len(), 101);
}
