//! The line goes silent behind a gateway that lives: how long until the kernel has the route by the other uplink.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use uplinkd::engine::Family;
use uplinkd::lab::wire::Presence;
use uplinkd::lab::{World, clock};

use crate::figures::{Chance, Figures};
use crate::listen::{Change, Listener};
use crate::site::{PATIENCE, PROMOTED, REPEATABLE, ROUND_TRIP, Site};
use crate::table::{Goal, Row};
use crate::{Bench, Failure, Outcome};

/// Worlds side by side: they sleep most of the time.
const WORLDS: u64 = 4;

pub(crate) fn run(bench: &mut Bench) -> Outcome {
    let steady = side_by_side(bench.pick(5, 25), |seed, count| daemon("steady", [300, 1300], seed, count))?;
    let (fping, note) = match bench.tools.fping.clone() {
        Ok(program) => {
            let count = bench.pick(2, 10);
            let times = side_by_side(count, |seed, count| fping(&program, seed, count))?;
            (
                times,
                "reference: fping -l -p 1000 -t 500, the third miss in a row (it moves nothing)".to_owned(),
            )
        }
        Err(why) => (Figures::default(), format!("no reference: {why}")),
    };
    // One after the other: twenty milliseconds are easily missed on a busy machine.
    let fast: Figures = daemon("fast", [50, 150], 1, bench.pick(40, 200))?;
    for (profile, times, theirs, note, most) in
        [("steady", &steady, Some(&fping), note, 2000.0), ("fast", &fast, None, String::new(), 100.0)]
    {
        let row = |what: &str, percent| {
            let row =
                Row::new(format!("silent cut → switched, {profile}, {what} of {}", times.count()), "ms")
                    .ours(times.percentile(percent))
                    .against(theirs.and_then(|theirs| theirs.percentile(percent)));
            if note.is_empty() { row } else { row.note(note.clone()) }
        };
        bench.add(row("p50", 50));
        bench.add(row("p99", 99).goal(Goal::AtMost(most)));
        bench.add(row("max", 100));
    }
    Ok(())
}

/// Measures in several worlds at once.
fn side_by_side(
    count: usize,
    measure: impl Fn(u64, usize) -> Result<Figures, Failure> + Sync,
) -> Result<Figures, Failure> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..WORLDS)
            .map(|seed| {
                scope.spawn({
                    let measure = &measure;
                    move || measure(seed, count)
                })
            })
            .collect();
        let mut all = Figures::default();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a measurement panicked")??.into_values());
        }
        Ok(all)
    })
}

/// The daemon under a profile.
fn daemon(profile: &str, pause: [u64; 2], seed: u64, count: usize) -> Result<Figures, Failure> {
    let world = World::builder().seed(seed).build()?;
    let site = Site::settled(world, &format!("[probe]\nprofile = \"{profile}\"\n{REPEATABLE}"))?;
    let listener = Listener::start(site.world.router())?;
    let mut chance = Chance(seed);
    let mut times = vec![];
    for _ in 0..count {
        // Anywhere between two rounds.
        let [least, most] = pause.map(Duration::from_millis);
        std::thread::sleep(chance.between(least, most));
        listener.forget();
        let cut = clock::now();
        site.world.change(0, |line| line.blackhole(true))?;
        times.push(listener.wait(Change::Added, PROMOTED, PATIENCE)?.saturating_duration_since(cut));
        site.world.change(0, |line| line.blackhole(false))?;
        listener.wait(Change::Deleted, PROMOTED, PATIENCE)?;
    }
    Ok(Figures::millis(times))
}

/// What a script around fping sees: its third miss in a row.
fn fping(program: &std::path::Path, seed: u64, count: usize) -> Result<Figures, Failure> {
    let world = World::builder().seed(seed).build()?;
    world.change_all(|line| line.round_trip(ROUND_TRIP));
    world.default_route(0, Family::V4, 10, Presence::Present)?;
    let mut command = Command::new(program);
    command.args(["-l", "-p", "1000", "-t", "500"]).arg(World::target(1).to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = world.router().spawn(command)?;
    let output = running.stdout.take().ok_or("fping has no output")?;
    let (sender, lines) = channel();
    // It ends with fping.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send((clock::now(), line.contains("timed out"))).is_err() {
                return;
            }
        }
    });
    let mut chance = Chance(seed);
    let mut times = vec![];
    for _ in 0..count {
        while lines.recv_timeout(PATIENCE)?.1 {}
        std::thread::sleep(chance.between(Duration::ZERO, Duration::from_secs(1)));
        let cut = clock::now();
        world.change(0, |line| line.blackhole(true))?;
        let mut misses = 0;
        let mut third = cut;
        while misses < 3 {
            let (at, missed) = lines.recv_timeout(PATIENCE)?;
            (misses, third) = if missed { (misses + 1, at) } else { (0, at) };
        }
        times.push(third.saturating_duration_since(cut));
        world.change(0, |line| line.blackhole(false))?;
    }
    Ok(Figures::millis(times))
}
