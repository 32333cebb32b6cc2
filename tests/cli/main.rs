//! The program from outside: exit codes, messages, streams. Nothing here needs a network or privileges.

use std::io::Read as _;
use std::process::{Command, Output, Stdio};

fn uplinkd(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_uplinkd"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_and_version_are_results_and_succeed() {
    for arguments in [&["--help"][..], &["--version"], &["help", "run"], &["run", "--help"]] {
        let output = uplinkd(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_wrong_command_line_is_two_and_goes_to_stderr() {
    for arguments in [&[][..], &["frobnicate"], &["run", "--frobnicate"], &["status", "--json=maybe"]] {
        let output = uplinkd(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn everything_that_is_wrong_with_the_flags_is_said_at_once() {
    let output = uplinkd(&[
        "run",
        "--primary-interface=eth0",
        "--secondary-interface=eth0",
        "--fall=0",
        "--interval=1",
        "--timeout=1m",
        "--primary-gateway=nonsense",
        "--ping-target=300.1.1.1",
        "--on-exit=explode",
    ]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output));
}

#[test]
fn a_wrong_file_is_two_with_line_and_column() {
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("uplinkd.toml");
    std::fs::write(&path, "[[uplink]]\ninterface = \"eth0\"\ngatway = \"192.0.2.1\"\n[probe]\nfall = 0\n")
        .expect("written");
    let output = uplinkd(&["run", "-c", path.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("uplinkd.toml:3:1: uplink[0].gatway"), "{text}");
    assert!(text.contains("uplinkd.toml:5:8: probe.fall"), "{text}");
}

#[test]
fn neither_file_nor_flags_says_what_to_write() {
    let output = uplinkd(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("--primary-interface eth0 --secondary-interface eth1"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn file_and_flags_together_are_refused() {
    let output = uplinkd(&["check", "-c", "some.toml", "--fall=3"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("both a configuration file"), "{}", stderr(&output));
}

#[test]
fn an_unreachable_daemon_is_four_and_says_how_to_reach_it() {
    let directory = tempfile::tempdir().expect("a folder");
    let socket = directory.path().join("nobody.sock");
    let output = uplinkd(&["status", "--control-socket", socket.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("is it running"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_uplinkd"))
        .args(["states", "--format", "json", "--uplinks", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 16];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("some output");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
fn output_that_is_no_terminal_has_no_colour() {
    let output = uplinkd(&["states", "--format", "markdown"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!stdout(&output).contains('\u{1b}'));
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    for arguments in [&["plan", "--primary-interface=lo0", "--secondary-interface=lo1"][..], &["states"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a device of every Linux");
        let output = Command::new(env!("CARGO_BIN_EXE_uplinkd"))
            .args(arguments)
            .env_clear()
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains("No space left"), "{}", stderr(&output));
    }
}

/// A story in a file of its own, and what the program says of it.
fn simulated(story: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("story.txt");
    std::fs::write(&path, story).expect("a file");
    uplinkd(&[&["simulate", path.to_str().expect("a path")], arguments].concat())
}

const CUT: &str = "at 10s cut fiber upstream\nexpect active lte by 12s\n";

#[test]
fn a_story_that_comes_true_is_zero_and_its_timeline_a_result() {
    let output = simulated(CUT, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("» cut fiber upstream") && text.contains("dev lte0 proto 117 metric 5"), "{text}");
    assert!(
        text.contains("1 switches; traffic went nowhere for 1.850 s") && output.stderr.is_empty(),
        "{text}"
    );
}

#[test]
fn a_story_that_does_not_come_true_is_one_and_says_where() {
    let story = format!("{CUT}expect no outage until 20s\nexpect active fiber by 30s\n");
    let output = simulated(&story, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("BROKEN line 3: traffic went nowhere for 1.85s"), "{}", stdout(&output));
    let output = simulated(&story, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&value["version"], &value["ok"], &value["switches"]), (&1.into(), &false.into(), &1.into()));
    assert_eq!(value["avoidable_outage_s"], 1.85);
    assert_eq!(value["unmet"][1]["line"], 4, "{value}");
    let kinds: std::collections::BTreeSet<&str> = value["timeline"]
        .as_array()
        .expect("moments")
        .iter()
        .filter_map(|moment| moment["kind"].as_str())
        .collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["broken", "decision", "flush", "route", "step"]);
}

#[test]
fn a_story_may_be_told_to_a_configuration() {
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("uplinkd.toml");
    let text = "[[uplink]]\nname = \"fiber\"\ninterface = \"eth0\"\n[[uplink]]\nname = \"lte\"\ninterface = \"wwan0\"\n";
    std::fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("a path");
    let output = simulated(CUT, &["-c", path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("dev wwan0 proto 117"), "{}", stdout(&output));
    let output = simulated(&format!("set probe.fall = 2\n{CUT}"), &["-c", path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("story.txt:1:1: the configuration has the settings"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_wrong_story_is_two_with_line_column_and_a_hint() {
    let output = simulated("at 10s cut fibre upstream\nexpect active lte until 12s\n", &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(
        text.contains("story.txt:1:") && text.contains("story.txt:2:") && output.stdout.is_empty(),
        "{text}"
    );
    assert!(text.contains("help: "), "{text}");
    let output = uplinkd(&["simulate", "/nowhere/story.txt"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot read /nowhere/story.txt"), "{}", stderr(&output));
}

#[test]
fn routes_and_traffic_are_those_of_the_family_in_use_and_words_are_compared_as_words() {
    let v6 = "set probe.targets = [\"2001:db8:f::1\"]\nexpect traffic on fiber by 5s\n\
              expect route \"dev fiber0 metric 10\" by 5s\nexpect no route \"dev fiber0 metric 1\" by 5s\n";
    let output = simulated(v6, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let output = simulated("expect no route \"dev fiber0 metric 10\" by 5s\n", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let output = simulated("at 60s mend fiber upstream\nexpect no switch until 30s\n", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
