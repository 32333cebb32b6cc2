//! The machines as Mermaid state diagrams, and the selector's walk as a Graphviz graph.

use super::rows::selection_name;
use crate::machine::graph::{self, Edge, Graph};
use crate::machine::{Command, Event, Health, Selection, Sync, Timer, View};
use ::core::fmt::Write;
use std::collections::{BTreeMap, BTreeSet};

/// A state, or a superstate with what is in it.
enum Shape {
    Leaf(&'static str),
    Composite(&'static str, &'static [Shape]),
}

use Shape::{Composite, Leaf};

const HEALTH: &[Shape] = &[
    Leaf("Unready"),
    Leaf("Drained"),
    Composite(
        "Probed",
        &[Leaf("Probation"), Leaf("Down"), Composite("Usable", &[Leaf("Healthy"), Leaf("Degraded")])],
    ),
];

const SELECTOR: &[Shape] = &[
    Composite(
        "Automatic",
        &[
            Leaf("Boot"),
            Composite(
                "Settled",
                &[Leaf("Primary"), Composite("Fallback", &[Leaf("Waiting"), Leaf("Proving")])],
            ),
        ],
    ),
    Composite("Manual", &[Leaf("Pinned"), Leaf("Frozen")]),
];

const SYNC: &[Shape] = &[
    Composite("Unsynced", &[Leaf("Idle"), Leaf("InFlight")]),
    Leaf("Clean"),
    Composite("Applying", &[Leaf("Current"), Leaf("Stale")]),
    Leaf("Backoff"),
];

/// From one state or superstate to another, by these events.
type Arrows = BTreeSet<(&'static str, &'static str, String)>;

/// The three machines as Mermaid diagrams, one after the other.
#[must_use]
pub fn mermaid() -> String {
    let titled = |(title, text): (&str, String)| format!("%% {title}\n{text}");
    [("health", health()), ("selector", selector()), ("sync", sync())].map(titled).join("\n")
}

pub(super) fn health() -> String {
    let name = |view: &View| match view.health[0] {
        Health::Unready => "Unready",
        Health::Drained { .. } => "Drained",
        Health::Probation => "Probation",
        Health::Healthy => "Healthy",
        Health::Degraded => "Degraded",
        Health::Down => "Down",
    };
    let graph = graph::explore(1);
    // Two states in one box: from which of them it goes where.
    let label = |edge: &Edge| match graph.views[edge.from].health[0] {
        Health::Drained { ready: true } => format!("{} (ready)", event_kind(edge.event)),
        Health::Drained { ready: false } => format!("{} (not ready)", event_kind(edge.event)),
        Health::Unready | Health::Probation | Health::Healthy | Health::Degraded | Health::Down => {
            event_kind(edge.event)
        }
    };
    diagram(HEALTH, "Unready", arrows(&graph, name, label))
}

pub(super) fn selector() -> String {
    let name = |view: &View| match view.selection {
        Selection::Boot { .. } => "Boot",
        Selection::Primary { .. } => "Primary",
        Selection::Waiting { .. } => "Waiting",
        Selection::Proving { .. } => "Proving",
        Selection::Pinned { .. } => "Pinned",
        Selection::Frozen { .. } => "Frozen",
    };
    diagram(SELECTOR, "Boot", arrows(&graph::explore(2), name, |edge| event_kind(edge.event)))
}

pub(super) fn sync() -> String {
    let name = |view: &View| match view.sync {
        Sync::Unsynced { in_flight: false } => "Idle",
        Sync::Unsynced { in_flight: true } => "InFlight",
        Sync::Clean => "Clean",
        Sync::Applying { stale: false } => "Current",
        Sync::Applying { stale: true } => "Stale",
        Sync::Backoff => "Backoff",
    };
    // With one uplink in mind: what the selector decides arrives here as Replan.
    let label = |edge: &Edge| match edge.event {
        Event::Kernel(_) | Event::Expired(Timer::Retry) => event_kind(edge.event),
        Event::Uplink(..) | Event::Operator(_) | Event::Adopt(_) | Event::Expired(_) | Event::Stop => {
            "Replan".to_owned()
        }
    };
    diagram(SYNC, "Idle", arrows(&graph::explore(1), name, label))
}

/// The event without the uplink it is about.
fn event_kind(event: Event) -> String {
    match event {
        Event::Uplink(_, event) => format!("{event:?}"),
        Event::Operator(Command::Use(_)) => "Use".to_owned(),
        Event::Adopt(_) => "Adopt".to_owned(),
        Event::Expired(Timer::Stable(_)) => "Stable expired".to_owned(),
        Event::Operator(Command::Auto | Command::Freeze)
        | Event::Expired(Timer::BootDeadline | Timer::Retry)
        | Event::Kernel(_)
        | Event::Stop => event.to_string(),
    }
}

fn arrows(graph: &Graph, name: impl Fn(&View) -> &'static str, label: impl Fn(&Edge) -> String) -> Arrows {
    let ends = |edge: &Edge| (name(&graph.views[edge.from]), name(&graph.views[edge.to]));
    let moving = graph.edges.iter().filter(|edge| ends(edge).0 != ends(edge).1);
    moving.map(|edge| (ends(edge).0, ends(edge).1, label(edge))).collect()
}

fn diagram(shapes: &[Shape], initial: &'static str, mut arrows: Arrows) -> String {
    let mut text = String::from("stateDiagram-v2\n");
    lift(shapes, &mut arrows);
    draw(shapes, 1, &mut text);
    let _ = writeln!(text, "    [*] --> {initial}");
    let mut labels: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (from, to, label) in arrows {
        labels.entry((from, to)).or_default().push(label);
    }
    for ((from, to), labels) in labels {
        let _ = writeln!(text, "    {from} --> {to} : {}", labels.join(", "));
    }
    text
}

/// What all states of a superstate do alike is one arrow of the superstate; outermost first.
fn lift(shapes: &[Shape], arrows: &mut Arrows) {
    for shape in shapes {
        let Composite(name, inner) = shape else { continue };
        let leaves = leaves(inner);
        let common: BTreeSet<(&str, String)> = arrows
            .iter()
            .filter(|(_, to, label)| leaves.iter().all(|leaf| arrows.contains(&(leaf, to, label.clone()))))
            .map(|(_, to, label)| (*to, label.clone()))
            .collect();
        for (to, label) in common {
            arrows.retain(|(from, other, same)| !(leaves.contains(from) && *other == to && *same == label));
            arrows.insert((name, to, label));
        }
        lift(inner, arrows);
    }
}

fn leaves(shapes: &'static [Shape]) -> Vec<&'static str> {
    let inner = |shape: &'static Shape| match shape {
        Leaf(name) => vec![*name],
        Composite(_, inner) => leaves(inner),
    };
    shapes.iter().flat_map(inner).collect()
}

fn draw(shapes: &[Shape], depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    for shape in shapes {
        match shape {
            Leaf(name) => {
                let _ = match title(name) {
                    Some(title) => writeln!(text, "{indent}state \"{title}\" as {name}"),
                    None => writeln!(text, "{indent}{name}"),
                };
            }
            Composite(name, inner) => {
                let _ = writeln!(text, "{indent}state {name} {{");
                draw(inner, depth + 1, text);
                let _ = writeln!(text, "{indent}}}");
            }
        }
    }
}

/// What the box says, where that is not the name.
fn title(name: &str) -> Option<&'static str> {
    match name {
        "Idle" => Some("nothing in flight"),
        "InFlight" => Some("a plan in flight"),
        "Current" => Some("as wanted"),
        "Stale" => Some("stale"),
        _ => None,
    }
}

/// Every state of the selector and every way from one to another, for Graphviz.
#[must_use]
pub fn dot(uplinks: u8) -> String {
    let graph = graph::explore(uplinks);
    let mut states = BTreeSet::new();
    let mut ways: BTreeMap<(Selection, Selection), BTreeSet<String>> = BTreeMap::new();
    for edge in &graph.edges {
        let (from, to) = (graph.views[edge.from].selection, graph.views[edge.to].selection);
        states.extend([from, to]);
        if from != to {
            ways.entry((from, to)).or_default().insert(edge.event.to_string());
        }
    }
    let mut text =
        String::from("digraph selector {\n    rankdir = LR;\n    node [shape = box, style = rounded];\n");
    for (automatic, name) in [(true, "automatic"), (false, "manual")] {
        let _ = writeln!(text, "    subgraph cluster_{name} {{\n        label = \"{name}\";");
        for state in states.iter().filter(|state| state.is_automatic() == automatic) {
            let _ = writeln!(text, "        \"{}\";", selection_name(*state));
        }
        text.push_str("    }\n");
    }
    let initial = graph.views.first().map(|view| selection_name(view.selection)).unwrap_or_default();
    let _ = writeln!(text, "    start [shape = point];\n    start -> \"{initial}\";");
    for ((from, to), events) in ways {
        let events: Vec<String> = events.into_iter().collect();
        let label = events.join("\\n");
        let _ = writeln!(
            text,
            "    \"{}\" -> \"{}\" [label = \"{label}\"];",
            selection_name(from),
            selection_name(to)
        );
    }
    text.push_str("}\n");
    text
}
