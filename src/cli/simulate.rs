//! `uplinkd simulate`

use super::print::{Style, print_line};
use super::{Failure, Outcome};
use crate::config::{self, Config};
use crate::control::status;
use crate::engine::report::{Change, Transition};
use crate::engine::settings::Settings;
use crate::engine::{Family, Time};
use crate::machine::{Id, Selection};
use crate::sim::scenario::{self, Scenario, parse};
use crate::sim::world::{Event, Moment};
use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest story that is read, bytes.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The story; README.md tells how to write one
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// Your configuration: what would it have done?
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let text = read(&arguments.scenario)?;
    let given = match &arguments.config {
        Some(path) => Some(config::from_file(path).map_err(|findings| Failure::Usage(findings.to_string()))?),
        None => None,
    };
    let (scenario, settings) =
        load(&arguments.scenario.display().to_string(), &text, given).map_err(Failure::Usage)?;
    let outcome = scenario::run(&scenario, settings);
    let sound = outcome.unmet.is_empty() && !outcome.has_broken();
    if arguments.json {
        print_line(&value(&outcome).to_string());
    } else {
        print_line(render(&outcome, Style::stdout()).trim_end());
    }
    Ok(if sound { Outcome::Done } else { Outcome::Bad })
}

fn read(path: &Path) -> Result<String, Failure> {
    let named = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(named)?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).with_context(named)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::Usage(format!("{} is larger than {MAX_BYTES} bytes", path.display())));
    }
    Ok(text)
}

/// A story and the settings that it is about: those of a configuration, or its own.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub fn load(name: &str, text: &str, given: Option<Config>) -> Result<(Scenario, Settings), String> {
    let names: Option<Vec<String>> = given
        .as_ref()
        .map(|config| config.settings.uplinks.iter().map(|uplink| uplink.name.clone()).collect());
    let (scenario, mistakes) = parse::parse(text, names.as_deref());
    let mut wrong: Vec<String> = mistakes.iter().map(|mistake| format!("{name}:{mistake}")).collect();
    if let Some(config) = given {
        if let Some((line, _)) = (1..).zip(scenario.settings.lines()).find(|(_, text)| !text.is_empty()) {
            wrong.push(format!(
                "{name}:{line}:1: the configuration has the settings\n  help: leave `set` out, or run without -c"
            ));
        }
        return if wrong.is_empty() { Ok((scenario, config.settings)) } else { Err(wrong.join("\n")) };
    }
    // On the lines on which they stood, so that findings name those; the uplinks come behind.
    let mut toml = scenario.settings.clone();
    let has_targets = scenario.settings.contains("probe.targets");
    if !has_targets {
        toml.push_str("probe.targets = [\"203.0.113.1\", \"203.0.113.2\", \"203.0.113.3\"]\n");
    }
    for (place, uplink) in scenario.uplinks.iter().enumerate() {
        let details = scenario.details.get(place).map_or("", String::as_str);
        _ = write!(toml, "[[uplink]]\nname = \"{uplink}\"\ninterface = \"{uplink}0\"\n{details}");
        if !details.contains("gateway = ") {
            _ = writeln!(toml, "gateway = \"192.0.{}.1\"", place + 2);
        }
    }
    match config::from_toml(name, &toml) {
        Ok(config) if wrong.is_empty() => return Ok((scenario, config.settings)),
        Ok(_) => {}
        Err(findings) => wrong.push(findings.to_string()),
    }
    Err(wrong.join("\n"))
}

/// The timeline for people.
#[must_use]
pub fn render_plain(outcome: &scenario::Outcome) -> String {
    render(outcome, Style::NONE)
}

fn render(outcome: &scenario::Outcome, style: Style) -> String {
    let mut text = String::new();
    for moment in &outcome.timeline {
        let line = words(moment, outcome.world.settings());
        let line = match moment.what {
            Event::Step(_) => style.bold(&line),
            Event::Broken(_) => style.red(&line),
            Event::Notice(_) | Event::Refused(..) => style.yellow(&line),
            Event::Route(_) | Event::Flush(_) => style.dim(&line),
            Event::Decision(_) => line,
        };
        _ = writeln!(text, "{:>10}  {line}", seconds(moment.at));
    }
    let totals = outcome.totals;
    _ = writeln!(
        text,
        "\n{} switches; traffic went nowhere for {:.3} s, {:.3} s of it while another line would have carried it (at most \
         {:.3} s in one piece)",
        totals.switches,
        totals.outage.as_secs_f64(),
        totals.avoidable.as_secs_f64(),
        totals.longest.as_secs_f64()
    );
    text
}

fn seconds(at: Time) -> String {
    format!("{:.3}", at.0.as_secs_f64())
}

fn words(moment: &Moment, settings: &Settings) -> String {
    match &moment.what {
        Event::Step(step) => format!("» {step}"),
        Event::Decision(transition) => decision(transition, settings),
        Event::Route(words) | Event::Flush(words) => words.clone(),
        Event::Refused(words, errno) => {
            format!("refused ({}): {words}", std::io::Error::from_raw_os_error(*errno))
        }
        Event::Notice(notice) => format!("notice: {}{}", of(notice.family()), status::notice(notice)),
        Event::Broken(text) => format!("BROKEN {text}"),
    }
}

/// A decision in one line, with its cause.
fn decision(transition: &Transition, settings: &Settings) -> String {
    format!("{}: {}", change(transition, settings), transition.cause)
}

/// What changed, in one line.
pub(super) fn change(transition: &Transition, settings: &Settings) -> String {
    let name = |id: Id| settings.uplinks.get(usize::from(id)).map_or("?", |uplink| uplink.name.as_str());
    let selection = |selection: Selection| {
        let on = selection.active().map_or(String::new(), |id| format!(" on {}", name(id)));
        let detail = selection.detail().map_or(String::new(), |detail| format!(" ({detail})"));
        format!("{}{detail}{on}", selection.name())
    };
    let family = of(Some(transition.family));
    let change = match transition.change {
        Change::Health { uplink, from, to } => {
            format!("{} {} → {}", name(uplink), from.name(), to.name())
        }
        Change::Selection { from, to } => format!("{} → {}", selection(from), selection(to)),
    };
    format!("{family}{change}")
}

/// What stands before what is not IPv4's.
const fn of(family: Option<Family>) -> &'static str {
    match family {
        Some(Family::V6) => "ipv6: ",
        Some(Family::V4) | None => "",
    }
}

fn value(outcome: &scenario::Outcome) -> Value {
    let settings = outcome.world.settings();
    let timeline: Vec<Value> = outcome
        .timeline
        .iter()
        .map(|moment| {
            let kind = match moment.what {
                Event::Step(_) => "step",
                Event::Decision(_) => "decision",
                Event::Route(_) => "route",
                Event::Flush(_) => "flush",
                Event::Refused(..) => "refused",
                Event::Notice(_) => "notice",
                Event::Broken(_) => "broken",
            };
            json!({"at_s": moment.at.0.as_secs_f64(), "kind": kind, "text": words(moment, settings)})
        })
        .collect();
    let unmet: Vec<Value> =
        outcome.unmet.iter().map(|(line, instead)| json!({"line": line, "instead": instead})).collect();
    json!({
        "version": 1,
        "ok": outcome.unmet.is_empty() && !outcome.has_broken(),
        "timeline": timeline,
        "unmet": unmet,
        "switches": outcome.totals.switches,
        "outage_s": outcome.totals.outage.as_secs_f64(),
        "avoidable_outage_s": outcome.totals.avoidable.as_secs_f64(),
        "longest_avoidable_outage_s": outcome.totals.longest.as_secs_f64(),
    })
}
