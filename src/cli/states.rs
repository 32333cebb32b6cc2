//! `uplinkd states`: the machines, printed from the walked graph.

use super::{Failure, Outcome};
use crate::machine::graph::{self, Graph};
use crate::machine::{Effect, Event, Health, Id, Rules, Timer, table};
use clap::{Args, ValueEnum};
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::io::{self, Write};

/// How many uplinks can be walked; four take gigabytes.
pub const UPLINKS: std::ops::RangeInclusive<u8> = 1..=4;

/// What the machines are printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The tables, diagrams, claims and counts of STATES.md; the same for any number of uplinks.
    Markdown,
    /// The three machines as state diagrams; the same for any number of uplinks.
    Mermaid,
    /// The selector's states and the ways between them, for Graphviz.
    Dot,
    /// Every state and every step of the whole core, for other programs.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to print them as
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// How many uplinks are walked; matters to `dot` and `json` only
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=4))]
    uplinks: u8,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(arguments.format, arguments.uplinks, &mut out).and_then(|()| out.flush()) {
        // A reader that has seen enough is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Failed(anyhow::Error::from(error).context("cannot write")))
        }
        Ok(()) | Err(_) => Ok(Outcome::Done),
    }
}

/// The machines in one text. The JSON of three uplinks is a hundred megabytes: [`write()`] does without the text.
#[must_use]
pub fn render(format: Format, uplinks: u8) -> String {
    let mut text = vec![];
    // A vector takes all that is written to it.
    let _ = write(format, uplinks, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The machines, written out as they are rendered.
///
/// # Errors
/// Those of `out`.
pub fn write(format: Format, uplinks: u8, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Markdown => out.write_all(table::markdown().as_bytes()),
        Format::Mermaid => out.write_all(table::mermaid().as_bytes()),
        Format::Dot => out.write_all(table::dot(uplinks).as_bytes()),
        Format::Json => json(uplinks, out),
    }
}

#[derive(Serialize)]
struct State<'a> {
    id: usize,
    selector: &'static str,
    active: Option<Id>,
    uplinks: Vec<&'static str>,
    sync: &'static str,
    timers: Vec<Shown<Timer>>,
    stranded: bool,
    initial: bool,
    detail: Detail<'a>,
}

/// What the names leave out.
#[derive(Serialize)]
struct Detail<'a> {
    selector: Option<&'a str>,
    uplinks: Vec<Option<&'static str>>,
    sync: Option<&'a str>,
}

#[derive(Serialize)]
struct Edge {
    from: usize,
    event: Shown<Event>,
    to: usize,
    effects: Vec<Shown<Effect>>,
    /// Who took the event, in order; nobody when it was ignored.
    handled: Vec<Shown<Handler>>,
}

/// In the words of the tables.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Handler(&'static str, &'static str);

impl Display for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.0, self.1)
    }
}

/// One line for each state and each edge, so that the text can be searched and compared.
fn json(uplinks: u8, out: &mut impl Write) -> io::Result<()> {
    let graph = graph::explore(uplinks);
    let rules = Rules::ranked(uplinks);
    let tiers = serde_json::to_string(&rules.tiers)?;
    let leave = rules.leave_degraded;
    write!(out, "{{\"uplinks\": {uplinks}, \"tiers\": {tiers}, \"leave_degraded\": {leave}, \"states\": [")?;
    lines(out, states(&graph))?;
    write!(out, "], \"edges\": [")?;
    lines(out, edges(&graph))?;
    writeln!(out, "]}}")
}

fn lines(out: &mut impl Write, items: impl Iterator<Item = impl Serialize>) -> io::Result<()> {
    for (number, item) in items.enumerate() {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &item)?;
    }
    out.write_all(b"\n")
}

fn states(graph: &Graph) -> impl Iterator<Item = State<'_>> {
    graph.views.iter().enumerate().map(|(id, view)| State {
        id,
        selector: view.selection.name(),
        active: view.active,
        uplinks: view.health.iter().map(|health| health.name()).collect(),
        sync: view.sync.name(),
        timers: view.timers.iter().map(Shown).collect(),
        stranded: view.stranded,
        initial: id == 0,
        detail: Detail {
            selector: view.selection.detail(),
            uplinks: view
                .health
                .iter()
                .map(|health| (*health == Health::Drained { ready: true }).then_some("ready"))
                .collect(),
            sync: view.sync.detail(),
        },
    })
}

fn edges(graph: &Graph) -> impl Iterator<Item = Edge> {
    graph.edges.iter().map(|edge| Edge {
        from: edge.from,
        event: Shown(edge.event),
        to: edge.to,
        effects: edge.step.effects.iter().copied().map(Shown).collect(),
        handled: edge.step.handlers.iter().map(|(machine, state)| Shown(Handler(machine, state))).collect(),
    })
}
