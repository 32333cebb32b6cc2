//! The journal beside a daemon that works. That every trial's journal replays identically is seen to by [`Site`] itself.

use super::Case;
use super::expect::{remains, same};
use super::site::{LONG_WINDOW, Site};
use libtest_mimic::Failed;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;
use tempfile::TempDir;
use uplinkd::cli::simulate::load;
use uplinkd::engine::{Engine, Input, Time};
use uplinkd::journal::{Disk, Journal, Writer};
use uplinkd::lab::World;

pub(super) const CASES: &[Case] = &[
    ("a_journal_is_replayed_identically_and_what_was_changed_is_found", replayed),
    ("a_full_disk_stops_the_journal_and_nothing_else", full),
    ("a_disk_that_stays_full_costs_no_older_journal", spared),
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

fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 { path.to_owned() } else { path.with_extension(number.to_string()) }
}

/// An hour of attempts, in the engine's time; with no room at all, and with room for the first line and little more.
fn spared() -> Result<(), Failed> {
    for room in [0, 10 << 10] {
        let folder = TempDir::new()?;
        mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::empty(), Some("size=128k"))?;
        let (path, filler) = (folder.path().join("journal"), folder.path().join("filler"));
        let older: Vec<PathBuf> =
            ["", ".1", ".2"].map(|end| folder.path().join(format!("journal{end}"))).to_vec();
        for (age, file) in older.iter().enumerate() {
            fs::write(file, format!("older {age}"))?;
        }
        while fs::OpenOptions::new().append(true).create(true).open(&filler)?.write_all(&[0; 512]).is_ok() {}
        let size = fs::metadata(&filler)?.len();
        fs::File::options().write(true).open(&filler)?.set_len(size - room)?;
        let (_, settings) = load("uplinks", "uplink fiber\nuplink lte\n", None)?;
        let engine = Engine::new(settings, Time::ZERO);
        let mut writer = Writer::open(Disk { path: path.clone(), max_size: 1 << 20, keep: 4 })?;
        let mut failures = 0;
        let mut second = |seconds: u64, writer: &mut Writer| {
            let at = Time::from_millis(1000 * seconds);
            for _ in 0..100 {
                failures += usize::from(writer.told(&engine, &Input::Tick, at, String::new).is_err());
            }
            failures += usize::from(writer.flush(at).is_err());
            failures
        };
        let said = (0..3600).map(|seconds| second(seconds, &mut writer)).last();
        same(&said, &Some(1), "how often it was said in an hour")?;
        let moved = usize::from(room > 0);
        for (age, _) in older.iter().enumerate() {
            let file = numbered(&path, age + moved);
            same(&fs::read_to_string(file)?, &format!("older {age}"), "an older journal")?;
        }
        fs::remove_file(filler)?;
        second(3700, &mut writer);
        same(&Journal::open(&path)?.header.at, &Time::from_millis(3_700_000), "when the new one begins")?;
        umount2(folder.path(), MntFlags::MNT_DETACH)?;
    }
    Ok(())
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
