//! `uplinkd demo` as a new user runs it, with an empty environment.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn skipped() -> bool {
    std::env::var_os("UPLINKD_SKIP_NETNS").is_some_and(|skip| skip == "1")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a limit on a whole program is real time")]
fn the_fast_demo_keeps_its_promises_and_leaves_nothing_behind() {
    if skipped() {
        eprintln!("warning: UPLINKD_SKIP_NETNS=1: the demo is skipped");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_uplinkd"))
        .args(["demo", "--fast", "--json"])
        .env_clear()
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // Ten seconds of it are waiting; a busy machine takes longer, but it must come to an end.
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(answer["ok"], true);
    let events = answer["events"].as_array().expect("events");
    assert_eq!(events.len(), 7);
    assert!(events.iter().all(|event| event["kept"] == true && event["promise"].is_string()), "{events:#?}");
    let sent: u64 = events.iter().filter_map(|event| event["packets_sent"].as_u64()).sum();
    assert!(sent > 4000, "a thousand a second: {sent}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
}
