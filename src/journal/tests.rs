//! What is written is what is read, and what is read decides the same.

use super::*;
use crate::engine::input::{Address, Dump, Link, ProbeNews};
use crate::engine::report::{Change, Transition};
use crate::engine::route::Prefix;
use crate::engine::settings::{
    CarrierPoll, Failover, Family, Gateway, Probe, Profile, Routing, Settings, Uplink,
};
use crate::machine::Selection;
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn settings() -> Settings {
    let uplink = |id: u8| Uplink {
        name: format!("wan{id}"),
        interface: format!("eth{id}"),
        gateway: Gateway::Given(ip(&format!("192.0.{}.1", 2 + id))),
        gateway6: Gateway::Auto,
        tier: id + 1,
        metric: 10 * (u32::from(id) + 1),
        mark: None,
        targets: vec![ip("203.0.113.1")],
    };
    Settings {
        uplinks: vec![uplink(0), uplink(1)],
        probe: Profile::Steady.probe(),
        failover: Failover { stable_window: Duration::from_secs(5), ..Failover::default() },
        routing: Routing { carrier_poll: CarrierPoll::Off, ..Routing::default() },
    }
}

/// A driver that writes the journal as the daemon does. The first uplink is silent from second 20 to 40 of each minute.
struct Driver {
    engine: Engine,
    writer: Writer,
    now: Time,
    waiting: Vec<(Time, Input)>,
}

impl Driver {
    fn new(disk: Disk) -> Self {
        let now = Time::from_millis(7);
        Self {
            engine: Engine::new(settings(), now),
            writer: Writer::open(disk).unwrap(),
            now,
            waiting: vec![],
        }
    }

    fn tell(&mut self, input: Input) {
        self.act();
        self.writer.told(&self.engine, &input, self.now, || "2026-01-31T12:00:00.000Z".to_owned()).unwrap();
        self.engine.handle(input, self.now);
        self.act();
        self.writer.flush(self.now).unwrap();
    }

    fn act(&mut self) {
        let mut inputs = vec![];
        while let Some(action) = self.engine.poll_action() {
            self.writer.wants(&action, self.now).unwrap();
            match action {
                Action::Dump(family) => inputs.push(Input::Dumped(dump(family))),
                Action::Apply { family, generation, ops } => {
                    inputs.extend(ops.into_iter().filter_map(news));
                    inputs.push(Input::Applied { family, generation, refused: vec![] });
                }
                Action::Probe { uplink, family, round, targets } => {
                    let silent = uplink == 0 && (20..40).contains(&(self.now.0.as_secs() % 60));
                    for (target, _) in targets.into_iter().filter(|_| !silent) {
                        let rtt = Some(Duration::from_micros(20_123));
                        let news = ProbeNews::Answer { round, target, rtt };
                        let at = self.now + Duration::from_millis(21);
                        self.waiting.push((at, Input::Probe { uplink, family, news }));
                    }
                }
                Action::AskLink(_)
                | Action::Flush { .. }
                | Action::Watch { .. }
                | Action::Unwatch { .. }
                | Action::Announce(_)
                | Action::Notice(_)
                | Action::Done { .. } => {}
            }
        }
        for input in inputs {
            self.tell(input);
        }
    }

    fn run(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        self.act();
        loop {
            let tick = self.engine.poll_timeout().map(|(at, _)| at.max(self.now));
            let answer = self.waiting.first().map(|(at, _)| *at);
            let Some(next) = tick.into_iter().chain(answer).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = next;
            let input = if answer == Some(next) { self.waiting.remove(0).1 } else { Input::Tick };
            self.tell(input);
        }
    }
}

fn news(op: crate::engine::route::Op) -> Option<Input> {
    use crate::engine::route::Op;
    match op {
        Op::PutRoute(route, _) => Some(Input::Route(route)),
        Op::DeleteRoute(route) => Some(Input::RouteGone(route)),
        Op::AddRule(rule) => Some(Input::Rule(rule)),
        Op::DeleteRule(rule) => Some(Input::RuleGone(rule)),
        Op::IgnoreLinkdown { .. } => None,
    }
}

fn dump(family: Family) -> Dump {
    let link = |index: u32| Link {
        index,
        name: format!("eth{}", index - 10),
        up: true,
        carrier: true,
        point_to_point: false,
        ignore_linkdown: None,
    };
    let address = |index: u32| Address {
        index,
        prefix: Prefix { address: ip(&format!("192.0.{}.10", index - 8)), length: 24 },
        peer: None,
        global: true,
    };
    Dump {
        family,
        links: vec![link(10), link(11)],
        addresses: vec![address(10), address(11)],
        routes: vec![],
        rules: vec![],
        linkdown: BTreeMap::new(),
    }
}

fn disk(folder: &Path, max_size: u64) -> Disk {
    Disk { path: folder.join("journal"), max_size, keep: 3 }
}

/// Ten minutes of it, in one file.
fn recorded(folder: &Path) -> PathBuf {
    let disk = disk(folder, 1 << 30);
    let path = disk.path.clone();
    let mut driver = Driver::new(disk);
    driver.run(600);
    driver.tell(Input::Stop);
    driver.writer.end(driver.now).unwrap();
    path
}

fn replayed(path: &Path) -> Replayed {
    replay(Journal::open(path).unwrap()).unwrap()
}

#[test]
fn a_replay_decides_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let replayed = replayed(&recorded(folder.path()));
    assert_eq!((replayed.divergence, replayed.ended), (None, Ended::Whole));
    // Ten failovers and failbacks, with the changes of health before them and the plans behind them.
    assert!(replayed.inputs > 2000 && replayed.decisions > 50, "{} {}", replayed.inputs, replayed.decisions);
}

#[test]
fn each_file_can_be_replayed_without_those_before_it_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = Driver::new(disk(folder.path(), 64 << 10));
    driver.run(900);
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["journal", "journal.1", "journal.2"]);
    let mut at = vec![];
    for (name, ended) in [("journal.2", Ended::Whole), ("journal.1", Ended::Whole), ("journal", Ended::Cut)] {
        let path = folder.path().join(name);
        let size = fs::metadata(&path).unwrap().len();
        assert!(size < 2 * (64 << 10), "{name} is {size} bytes long");
        at.push(Journal::open(&path).unwrap().header.at);
        let replayed = replayed(&path);
        assert_eq!((replayed.divergence, replayed.ended), (None, ended), "{name}");
    }
    assert!(at.is_sorted() && at[0] > Time::from_millis(7), "{at:?}");
}

#[test]
fn what_an_earlier_run_has_left_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        Driver::new(disk(folder.path(), 1 << 20)).run(5);
    }
    assert!(replayed(&folder.path().join("journal")).inputs > 10);
    assert!(replayed(&folder.path().join("journal.1")).inputs > 10);
}

#[test]
fn a_torn_last_line_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let whole = replayed(&path);
    for cut in [1, 20, text.len() / 3] {
        // In the middle of a line, not between two.
        fs::write(&path, text[..text.len() - cut].trim_end()).unwrap();
        let replayed = replayed(&path);
        assert_eq!((replayed.divergence, replayed.ended), (None, Ended::Torn), "{cut} bytes are missing");
        assert!(replayed.inputs <= whole.inputs && replayed.inputs > 1000);
    }
}

#[test]
fn a_decision_that_is_not_the_same_is_found_at_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let decision =
        lines.iter().rposition(|line| line.contains("\"announce\"") && line.contains("proving")).unwrap();
    // Another decision, none, and one more.
    let mut other = lines.clone();
    let changed = lines[decision].replace("proving", "waiting");
    other[decision] = &changed;
    let mut none = lines.clone();
    none.remove(decision);
    let mut twice = lines.clone();
    twice.insert(decision, lines[decision]);
    // The second of the two is the one too many, unless a decision follows that is the same again.
    for (what, lines, line) in
        [("changed", other, decision + 1), ("gone", none, decision + 1), ("twice", twice, decision + 2)]
    {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let found = replayed(&path).divergence.unwrap_or_else(|| panic!("{what}: not found"));
        assert_eq!(found.line, line as u64, "{what}: {found:?}");
    }
    // An answer that was not there.
    let answers = lines.iter().enumerate().filter(|(_, line)| line.contains("\"answer\""));
    let kept: Vec<usize> = answers.map(|(at, _)| at).skip(60).step_by(2).take(20).collect();
    let fewer: Vec<&str> =
        lines.iter().enumerate().filter(|(at, _)| !kept.contains(at)).map(|(_, line)| *line).collect();
    fs::write(&path, fewer.join("\n") + "\n").unwrap();
    assert!(replayed(&path).divergence.is_some());
}

#[test]
fn what_is_no_journal_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (junk, at) in [
        ("", 5),
        ("junk", 10),
        ("{}", 100),
        ("{\"at\":1}", 101),
        ("{\"at\":1,\"in\":\"tick\",\"do\":1}", 102),
        ("{\"at\":1,\"in\":\"tock\"}", 103),
        ("{\"at\":-1,\"in\":\"tick\"}", 104),
        ("{\"at\":1,\"in\":\"tick\",\"more\":1}", 105),
    ] {
        let mut lines = lines.clone();
        lines[at] = junk;
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        match replay(Journal::open(&path).unwrap()) {
            Err(Error::Unreadable { line, .. }) => assert_eq!(line, at as u64 + 1, "{junk}"),
            other => panic!("{junk}: {other:?}"),
        }
    }
    for (first, words) in [
        ("", "ends before its first line does"),
        ("{\"journal\":1,\"bui", "ends before its first line does"),
        ("\n", "line 1 is not one of a journal"),
        ("{\"journal\":2,\"build\":\"9.9\"}\n", "replay it with uplinkd 9.9"),
        ("{\"journal\":1,\"build\":\"0\"}\n", "missing field"),
    ] {
        fs::write(&path, first).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{first:?}: {error}");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("none/journal"), "/dev/null".into()] {
        assert!(
            Writer::open(Disk { path: path.clone(), max_size: 1 << 20, keep: 2 }).is_err(),
            "{}",
            path.display()
        );
    }
    assert!(Path::new("/dev/null").exists());
    // One that can be made is not there before there is something to write.
    Writer::open(disk(folder.path(), 1 << 20)).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_same_settings_would_have_done_the_same_and_others_would_not() {
    let folder = tempfile::tempdir().unwrap();
    let day = whatif::day(Journal::open(&recorded(folder.path())).unwrap()).unwrap();
    let was = day.balance(&day.settings, &day.transitions);
    // Four times out and three times home, for the window doubles, and each time out a second or two on a dead line.
    assert_eq!(was.switches, 7);
    assert!((2..=8).contains(&was.outage.as_secs()), "{was:?}");
    let moves = |transitions: &[Transition]| -> Vec<(u64, Selection)> {
        let to = |transition: &Transition| match transition.change {
            Change::Selection { to, .. } => Some((transition.at.0.as_secs(), to)),
            Change::Health { .. } => None,
        };
        transitions.iter().filter_map(to).collect()
    };
    let again = day.with(&day.settings);
    assert_eq!(moves(&again), moves(&day.transitions));
    // Slower to leave, and away for good.
    let slow = Settings { probe: Probe { fall: 40, ..day.settings.probe.clone() }, ..day.settings.clone() };
    let would = day.balance(&slow, &day.with(&slow));
    assert!(would.outage > was.outage + Duration::from_secs(5), "{would:?}");
    let mut away = day.settings.clone();
    away.failover.stable_window = Duration::from_secs(3600);
    assert_eq!(day.balance(&away, &day.with(&away)).switches, 1);
    // An interface that was not there then.
    let mut other = day.settings.clone();
    other.uplinks[1].interface = "eth9".to_owned();
    assert_eq!((day.unknown(&day.settings).len(), day.unknown(&other)), (0, vec!["eth9"]));
}

#[test]
fn what_cannot_be_written_is_told_once_and_a_minute_later_the_next_file_begins() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let mut writer = Writer::open(disk(&folder, 1 << 20)).unwrap();
    let engine = Engine::new(settings(), Time::ZERO);
    let mut told = |ms| writer.told(&engine, &Input::Tick, Time::from_millis(ms), String::new);
    fs::remove_dir(&folder).unwrap();
    assert!(told(1000).is_err());
    fs::create_dir(&folder).unwrap();
    // It rests, and says nothing more.
    assert!(told(2000).is_ok() && told(60_999).is_ok());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert!(told(61_000).is_ok());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn nothing_may_follow_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(recorded(folder.path())).unwrap();
    let lines = text.lines().count() as u64;
    for more in ["garbage\n", "{\"at\":1,\"do\":{}}\n", &text] {
        let journal = Journal::from_reader(std::io::Cursor::new(format!("{text}{more}"))).unwrap();
        let error = replay(journal).unwrap_err();
        assert!(matches!(error, Error::Unreadable { line, .. } if line == lines + 1), "{error}");
        assert!(error.to_string().contains("the journal has ended before it"), "{error}");
    }
}

#[test]
fn a_first_line_whose_parts_do_not_fit_is_no_journals() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(recorded(folder.path())).unwrap();
    let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut header = header.clone();
        change(&mut header["engine"]);
        let text = text.replacen(text.lines().next().unwrap(), &header.to_string(), 1);
        match Journal::from_reader(std::io::Cursor::new(text)) {
            Err(error) => error.to_string(),
            Ok(_) => "accepted".to_owned(),
        }
    };
    let active = |engine: &mut serde_json::Value, id: u8| {
        engine["families"][0]["core"]["selector"]["state"] = serde_json::json!({"primary": {"active": id}});
    };
    assert_eq!(refused(&|_| {}), "accepted");
    assert_eq!(refused(&|engine| active(engine, 1)), "accepted");
    for change in [
        &(|engine: &mut serde_json::Value| engine["settings"]["uplinks"] = serde_json::json!([]))
            as &dyn Fn(&mut serde_json::Value),
        &|engine| engine["families"][0]["core"]["rules"]["tiers"] = serde_json::json!([]),
        &|engine| engine["families"][0]["core"]["health"] = serde_json::json!([]),
        &|engine| active(engine, 2),
        &|engine| engine["families"][0]["paths"] = serde_json::json!([]),
        &|engine| drop(engine["settings"]["uplinks"].as_array_mut().unwrap().pop()),
    ] {
        let error = refused(change);
        assert!(error.starts_with("line 1 is not one of a journal: its engine"), "{error}");
    }
}

#[test]
fn a_line_without_carrier_is_a_dead_line_and_a_family_that_nobody_asked_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = Driver::new(disk(folder.path(), 1 << 30));
    driver.run(30);
    let link = |carrier| Link { carrier, ..dump(Family::V4).links[0].clone() };
    driver.tell(Input::Link(link(false)));
    driver.run(15);
    driver.tell(Input::Link(link(true)));
    driver.run(3);
    let path = folder.path().join("journal");
    driver.writer.flush(driver.now).unwrap();
    let day = whatif::day(Journal::open(&path).unwrap()).unwrap();
    let mut alone = day.settings.clone();
    alone.uplinks.truncate(1);
    alone.uplinks[0].targets.push("2001:db8:f::1".parse().unwrap());
    let would = day.with(&alone);
    assert!(would.iter().all(|transition| transition.family == Family::V4), "{would:?}");
    let balance = day.balance(&alone, &would);
    // And what was silent before: the driver's lines are, for twenty seconds of each minute.
    assert!((15..=28).contains(&balance.outage.as_secs()), "{balance:?}");
}
