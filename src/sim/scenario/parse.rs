//! From text to a story, or everything that is wrong with it.

use super::{Deed, Expect, Part, Scenario, Step, Timed};
use crate::engine::Time;
use crate::machine::Id;
use core::fmt::{self, Write as _};
use core::time::Duration;

/// The most statements: more is no story.
const MAX_STATEMENTS: usize = 10_000;
/// The longest story.
const MAX_END: Duration = Duration::from_secs(31 * 24 * 3600);
/// The uplinks of a story that names none.
const USUAL: [&str; 2] = ["fiber", "lte"];

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write.
    pub hint: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n  help: {}", self.line, self.column, self.problem, self.hint)
    }
}

type Parsed<T> = Result<T, Mistake>;

/// The words of one line, with their places.
struct Words<'a> {
    line: usize,
    text: &'a str,
    rest: &'a str,
    uplinks: &'a [String],
}

/// Reads a story, and finds what is wrong with it, in order. `given` are the uplinks of a configuration that is there
/// already; without one, a story may name its own.
pub fn parse(text: &str, given: Option<&[String]>) -> (Scenario, Vec<Mistake>) {
    let mut scenario = Scenario { uplinks: given.unwrap_or_default().to_vec(), ..Scenario::default() };
    let (mut mistakes, mut end, mut last) = (vec![], None, Time::ZERO);
    for (index, raw) in text.lines().enumerate() {
        let statement = raw.split_once(" #").map_or(raw, |(statement, _)| statement).trim_end();
        let statement = if statement.trim_start().starts_with('#') { "" } else { statement };
        let mut setting = "";
        if index >= MAX_STATEMENTS {
            let problem = format!("more than {MAX_STATEMENTS} lines");
            mistakes.push(Mistake { line: index + 1, column: 1, problem, hint: "tell less".to_owned() });
            break;
        }
        if scenario.uplinks.is_empty()
            && ["at ", "expect ", "end "].iter().any(|word| statement.starts_with(word))
        {
            scenario.uplinks = USUAL.map(str::to_owned).to_vec();
        }
        let uplinks = scenario.uplinks.clone();
        let mut words = Words { line: index + 1, text: statement, rest: statement, uplinks: &uplinks };
        let outcome = match words.next() {
            None => Ok(()),
            Some("set") => {
                setting = words.rest.trim();
                Ok(())
            }
            Some("uplink") if given.is_some() => {
                Err(words.wrong("the configuration names the uplinks", "leave it out"))
            }
            Some("uplink") if scenario.uplinks.len() > scenario.details.len() => Err(words.wrong(
                "the uplinks are named before anything happens",
                "tell it before the first at, expect or end",
            )),
            Some("uplink") => words.uplink().and_then(|name| {
                // Whatever else is wrong with it: it has a name.
                scenario.uplinks.push(name);
                let (details, wrong) = match words.details() {
                    Ok(details) => (details, Ok(())),
                    Err(mistake) => (String::new(), Err(mistake)),
                };
                scenario.details.push(details);
                wrong
            }),
            Some("seed") => words.number("seed").map(|seed| scenario.seed = seed),
            Some("end") => words.time().map(|at| {
                end = Some((at, words.wrong("more is told of later", "a later moment, or no `end` at all")));
            }),
            Some("at") => words.time().and_then(|at| {
                if at < last {
                    return Err(words.wrong("earlier than the statement before", "tell it in order"));
                }
                last = at;
                let what = words.step()?;
                scenario.steps.push(Timed { at, since: at, line: words.line, what });
                Ok(())
            }),
            Some("expect") => words.expect().and_then(|(what, since, at)| {
                let since = since.unwrap_or(last);
                if at < last {
                    return Err(words.wrong(
                        "it ends before the statement before it happens",
                        "tell it before that statement",
                    ));
                }
                scenario.expectations.push(Timed { at, since, line: words.line, what });
                Ok(())
            }),
            Some(_) => Err(words.wrong(
                "no statement begins with this",
                "begin with at, expect, set, uplink, seed or end; # begins a remark",
            )),
        };
        let outcome = outcome.and_then(|()| if setting.is_empty() { words.over() } else { Ok(()) });
        mistakes.extend(outcome.err());
        if !setting.is_empty() {
            // Where it stood, so that whoever reads it can say where that was.
            let before = statement.len() - setting.len();
            scenario.settings.extend(core::iter::repeat_n(' ', before));
        }
        scenario.settings.push_str(setting);
        scenario.settings.push('\n');
    }
    if scenario.uplinks.is_empty() {
        scenario.uplinks = USUAL.map(str::to_owned).to_vec();
    }
    scenario.expectations.sort_by_key(|expected| (expected.at, expected.line));
    scenario.end = scenario.usual_end();
    if let Some((end, too_early)) = end {
        mistakes.extend((end < scenario.last()).then_some(too_early));
        mistakes.sort_by_key(|mistake| mistake.line);
        scenario.end = end;
    }
    (scenario, mistakes)
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        if rest.is_empty() {
            self.rest = rest;
            return None;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.rest = &rest[end..];
        Some(&rest[..end])
    }

    /// The place of the word that was taken last.
    fn wrong(&self, problem: &str, hint: &str) -> Mistake {
        let before = self.text.len() - self.rest.len();
        let begin = self.text[..before].trim_end().rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let column = self.text.get(..begin).map_or(0, |text| text.chars().count()) + 1;
        Mistake { line: self.line, column, problem: problem.to_owned(), hint: hint.to_owned() }
    }

    fn missing(&self, what: &str) -> Mistake {
        let column = self.text.chars().count() + 1;
        let problem = format!("{what} is missing");
        Mistake { line: self.line, column, problem, hint: format!("write {what} here") }
    }

    fn over(&mut self) -> Parsed<()> {
        match self.next() {
            None => Ok(()),
            Some(_) => Err(self.wrong("nothing is expected here", "leave the rest of the line out")),
        }
    }

    fn word(&mut self, what: &str) -> Parsed<&'a str> {
        self.next().ok_or_else(|| self.missing(what))
    }

    /// Exactly this word.
    fn keyword(&mut self, word: &str) -> Parsed<()> {
        if self.word(&format!("`{word}`"))? == word {
            Ok(())
        } else {
            Err(self.wrong("another word is expected here", &format!("write `{word}`")))
        }
    }

    fn choice<T: Copy>(&mut self, what: &str, of: &[(&str, T)]) -> Parsed<T> {
        let word = self.word(what)?;
        of.iter().find(|(name, _)| *name == word).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = of.iter().map(|(name, _)| *name).collect();
            self.wrong(&format!("`{word}` is not {what}"), &format!("one of {}", names.join(", ")))
        })
    }

    fn number<T: core::str::FromStr>(&mut self, what: &str) -> Parsed<T> {
        let word = self.word(&format!("a number ({what})"))?;
        word.parse().map_err(|_| {
            self.wrong(&format!("`{word}` is not a number for {what}"), "digits only, and not too many")
        })
    }

    fn percent(&mut self) -> Parsed<u8> {
        let word = self.word("a share such as 30%")?;
        let number = word.strip_suffix('%').and_then(|digits| digits.parse().ok());
        number
            .filter(|percent| *percent <= 100)
            .ok_or_else(|| self.wrong(&format!("`{word}` is not a share"), "write 0% to 100%"))
    }

    fn duration(&mut self) -> Parsed<Duration> {
        let word = self.word("a duration such as 10s")?;
        duration(word).filter(|duration| *duration <= MAX_END).ok_or_else(|| {
            self.wrong(
                &format!("`{word}` is not a duration"),
                "such as 250ms, 1.5s, 2m or 1h; a month at most",
            )
        })
    }

    fn time(&mut self) -> Parsed<Time> {
        self.duration().map(|duration| Time::ZERO + duration)
    }

    fn address(&mut self) -> Parsed<core::net::IpAddr> {
        let word = self.word("an address")?;
        word.parse().map_err(|_| self.wrong(&format!("`{word}` is not an address"), "such as 203.0.113.1"))
    }

    fn id(&mut self) -> Parsed<Id> {
        let word = self.word("an uplink")?;
        let place = self.uplinks.iter().position(|name| name == word);
        place.and_then(|place| Id::try_from(place).ok()).ok_or_else(|| {
            self.wrong(
                &format!("there is no uplink `{word}`"),
                &format!("one of {}", self.uplinks.join(", ")),
            )
        })
    }

    fn uplink(&mut self) -> Parsed<String> {
        let name = self.word("a name")?;
        let bad = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.';
        if self.uplinks.iter().any(|other| other == name) {
            return Err(self.wrong("this uplink is there already", "another name"));
        }
        if name.len() > 10 || name.contains(bad) {
            return Err(self.wrong(
                "this is no name for an uplink here",
                "ten letters or digits at most, such as fiber",
            ));
        }
        if self.uplinks.len() >= crate::engine::settings::MAX_UPLINKS {
            return Err(self.wrong("too many uplinks", "fewer"));
        }
        Ok(name.to_owned())
    }

    /// What is said of an uplink, as lines of TOML.
    fn details(&mut self) -> Parsed<String> {
        let mut details = String::new();
        while let Some(word) = self.next() {
            let (key, value) = match word {
                "tier" => {
                    let tier = self.number::<u8>("a tier")?;
                    if tier == 0 {
                        return Err(self.wrong("`0` is no tier", "1 is the best"));
                    }
                    ("tier", tier.to_string())
                }
                "gateway" => {
                    let gateway = self.address()?;
                    (if gateway.is_ipv4() { "gateway" } else { "gateway6" }, format!("\"{gateway}\""))
                }
                _ => {
                    return Err(
                        self.wrong("this cannot be said of an uplink", "tier NUMBER or gateway ADDRESS")
                    );
                }
            };
            if details.lines().any(|line| line.starts_with(&format!("{key} = "))) {
                return Err(self.wrong("this is said twice", "leave one of them out"));
            }
            _ = writeln!(details, "{key} = {value}");
        }
        Ok(details)
    }

    fn on(&mut self) -> Parsed<Id> {
        self.keyword("on")?;
        self.id()
    }

    fn maybe_on(&mut self) -> Parsed<Option<Id>> {
        if self.rest.trim().is_empty() { Ok(None) } else { self.on().map(Some) }
    }

    fn step(&mut self) -> Parsed<Step> {
        const STEPS: &str = "cut, mend, lose, burst, delay, jitter, silence, answer, limit, operator, stranger, refuse, \
                             flood, pause, kill, start or stop";
        Ok(match self.word("what happens")? {
            "cut" => Step::Cut(self.id()?, self.choice("a part of an uplink", &Part::ALL)?),
            "mend" => Step::Mend(self.id()?, self.choice("a part of an uplink", &Part::ALL)?),
            "lose" => {
                let percent = self.percent()?;
                Step::Lose(self.on()?, percent)
            }
            "burst" => {
                let count = self.number("packets in a row")?;
                Step::Burst(self.on()?, count)
            }
            "delay" => {
                let delay = self.duration()?;
                Step::Delay(self.on()?, delay)
            }
            "jitter" => {
                let jitter = self.duration()?;
                Step::Jitter(self.on()?, jitter)
            }
            "silence" => Step::Silence(self.address()?, self.maybe_on()?),
            "answer" => Step::Answer(self.address()?, self.maybe_on()?),
            "limit" => {
                let target = self.address()?;
                self.keyword("to")?;
                Step::Limit(target, self.number("answers a second")?)
            }
            "operator" => match self.word("an order")? {
                "use" => Step::Use(self.id()?),
                "auto" => Step::Auto,
                "freeze" => Step::Freeze,
                "drain" => Step::Drain(self.id()?),
                "undrain" => Step::Undrain(self.id()?),
                _ => return Err(self.wrong("no such order", "use, auto, freeze, drain or undrain")),
            },
            "stranger" => Step::Stranger(self.deed()?),
            "refuse" => Step::Refuse(self.number("plans")?),
            "flood" => Step::Flood(self.number("routes")?),
            "pause" => Step::Pause(self.duration()?),
            "kill" => Step::Kill,
            "start" => Step::Start,
            "stop" => Step::Stop,
            _ => return Err(self.wrong("this cannot happen", STEPS)),
        })
    }

    fn deed(&mut self) -> Parsed<Deed> {
        let adds = self.choice("what a stranger does", &[("add", true), ("delete", false)])?;
        Ok(match (adds, self.word("what he does it to")?) {
            (true, "default") => {
                let id = self.id()?;
                self.keyword("metric")?;
                Deed::AddDefault(id, self.number("a metric")?)
            }
            (false, "default") => Deed::DeleteDefaults(self.id()?),
            (false, "everything") => Deed::DeleteOurs,
            (false, "rules") => Deed::DeleteRules,
            (adds, "blackhole") => {
                self.keyword("metric")?;
                let metric = self.number("a metric")?;
                if adds { Deed::Blackhole(metric) } else { Deed::DeleteBlackhole(metric) }
            }
            (true, _) => return Err(self.wrong("he cannot add that", "default or blackhole")),
            (false, _) => {
                return Err(self.wrong("he cannot delete that", "default, blackhole, rules or everything"));
            }
        })
    }

    /// What, since when if that is told, and until when or by when.
    fn expect(&mut self) -> Parsed<(Expect, Option<Time>, Time)> {
        const STATES: [(&str, &str); 5] = [
            ("boot", "boot"),
            ("primary", "primary"),
            ("fallback", "fallback"),
            ("pinned", "pinned"),
            ("frozen", "frozen"),
        ];
        const HEALTHS: [(&str, &str); 6] = [
            ("unready", "unready"),
            ("drained", "drained"),
            ("probation", "probation"),
            ("healthy", "healthy"),
            ("degraded", "degraded"),
            ("down", "down"),
        ];
        let what = match self.word("what is expected")? {
            "active" if self.rest.trim_start().starts_with("nothing") => {
                self.keyword("nothing")?;
                Expect::Active(None)
            }
            "active" => Expect::Active(Some(self.id()?)),
            "state" => Expect::State(self.choice("a state", &STATES)?.to_owned()),
            "health" => Expect::Health(self.id()?, self.choice("a health", &HEALTHS)?.to_owned()),
            "stranded" => Expect::Stranded,
            "traffic" => Expect::Leaves(self.on()?),
            "nothing" => {
                self.keyword("of")?;
                self.keyword("ours")?;
                Expect::NothingOfOurs
            }
            "route" => Expect::Route(self.quoted()?, true),
            "no" => match self.word("what is not expected")? {
                "switch" => Expect::Switches(0),
                "outage" => Expect::Avoidable(Duration::ZERO),
                "route" => Expect::Route(self.quoted()?, false),
                _ => return Err(self.wrong("this cannot be expected", "no switch, no outage or no route")),
            },
            "switches" => Expect::Switches(self.number("switches")?),
            "outage" => Expect::Avoidable(self.duration()?),
            _ => {
                let hint = "active, state, health, stranded, traffic, route, nothing of ours, switches, outage, no switch, no \
                            outage or no route";
                return Err(self.wrong("this cannot be expected", hint));
            }
        };
        let span = matches!(what, Expect::Switches(_) | Expect::Avoidable(_));
        let mut since = None;
        if span && self.rest.trim_start().starts_with("since ") {
            self.keyword("since")?;
            since = Some(self.time()?);
        }
        self.keyword(if span { "until" } else { "by" })?;
        let at = self.time()?;
        if since.is_some_and(|since| since > at) {
            return Err(
                self.wrong("it ends before it begins", "since the earlier moment, until the later one")
            );
        }
        Ok((what, since, at))
    }

    /// Text between quotation marks.
    fn quoted(&mut self) -> Parsed<String> {
        let rest = self.rest.trim_start();
        let inner = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let Some((text, rest)) = inner else {
            self.next();
            return Err(
                self.wrong("text in quotation marks is expected here", "such as \"dev eth0 metric 5\"")
            );
        };
        self.rest = rest;
        Ok(text.to_owned())
    }
}

/// `250ms`, `1.5s`, `2m`, `1h`.
fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let scale_us: u64 = match unit {
        "us" | "µs" => 1,
        "ms" => 1000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let fraction = fraction.get(..fraction.len().min(6))?;
    let parts: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let tenth = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let us = whole.checked_mul(scale_us)?.checked_add(parts.checked_mul(scale_us)? / tenth)?;
    Some(Duration::from_micros(us))
}
