//! The journal beside a daemon that works. That every trial's journal replays identically is seen to by [`Site`] itself.

use super::Case;
use super::expect::{remains, same};
use super::site::{LONG_WINDOW, Site};
use libtest_mimic::Failed;
use nix::mount::{MsFlags, mount};
use std::fs;
use std::process::Output;
use std::time::Duration;
use uplinkd::lab::World;

pub(super) const CASES: &[Case] = &[
    ("a_journal_is_replayed_identically_and_what_was_changed_is_found", replayed),
    ("a_full_disk_stops_the_journal_and_nothing_else", full),
    ("a_journal_that_cannot_be_made_is_refused_before_anything_is_touched", impossible),
];

fn ended(output: &Output, code: i32, words: &str) -> Result<(), Failed> {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    same(&output.status.code(), &Some(code), &format!("exit code\n{text}"))?;
    if text.contains(words) { Ok(()) } else { Err(format!("`{words}` is missing in:\n{text}").into()) }
}

fn replayed() -> Result<(), Failed> {
    let mut site = Site::fallen(&[LONG_WINDOW, "--on-exit=remove"])?;
    let path = site.journal().display().to_string();
    // While it is written.
    ended(&site.command(&["replay", &path])?, 0, "identical (the journal has no end")?;
    site.terminate()?;
    let output = site.command(&["replay", &path])?;
    ended(&output, 0, "decisions, identical\n")?;
    let text = fs::read_to_string(&path)?;
    let other = format!("{path}.other");
    fs::write(&other, text.replace("\"to\":\"down\"", "\"to\":\"degraded\""))?;
    ended(&site.command(&["replay", &other])?, 1, "not the same")?;
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = "{";
    fs::write(&other, lines.join("\n"))?;
    ended(&site.command(&["replay", &other])?, 2, "line 3 is not one of a journal")?;
    ended(&site.command(&["replay", "/nowhere"])?, 1, "No such file")?;
    // With other settings: interfaces that were there, and one that was not.
    let config = format!("{path}.toml");
    let uplinks = |second: &str| {
        format!(
            "probe.targets = [\"203.0.113.1\"]\nprobe.fall = 9\n[[uplink]]\ninterface = \"wan0\"\n[[uplink]]\ninterface = \"{second}\"\n"
        )
    };
    fs::write(&config, uplinks("wan1"))?;
    ended(&site.command(&["replay", &path, "-c", &config])?, 0, "+ it would have been: ")?;
    fs::write(&config, uplinks("wan9"))?;
    ended(&site.command(&["replay", &path, "-c", &config])?, 2, "the journal knows nothing of wan9")
}

fn full() -> Result<(), Failed> {
    let mut site = Site::idle(World::builder().build()?, &[LONG_WINDOW])?;
    let folder = site.journal().with_file_name("");
    fs::create_dir_all(&folder)?;
    // Room for the first few hundred lines.
    mount(Some("tmpfs"), &folder, Some("tmpfs"), MsFlags::empty(), Some("size=64k"))?;
    site.start()?;
    let site = site.rested()?;
    let told = || site.log().matches("the journal cannot be written").count();
    site.wait("the full disk", |_| told() == 1)?;
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    remains("how often that was said", Duration::from_secs(1), || Ok(told())).map(drop)
}

fn impossible() -> Result<(), Failed> {
    let site = Site::idle(World::builder().build()?, &[])?;
    let before = site.everything()?;
    for journal in ["/nowhere/journal", "/dev/null", "/proc/journal"] {
        let mut arguments = vec!["run", "--control-socket", "/nowhere/socket", "--journal", journal];
        arguments.extend(site.arguments());
        ended(&site.command(&arguments)?, 1, &format!("cannot write the journal {journal}"))?;
    }
    same(&site.everything()?, &before, "what the kernel has")
}
