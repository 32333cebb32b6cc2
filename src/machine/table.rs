//! The machines as tables and diagrams, printed from the walked graph: what STATES.md contains and `uplinkd states` says.

mod diagram;
pub mod proofs;
mod rows;
mod when;

pub use diagram::{dot, mermaid};

use super::graph::{self, Graph};
use ::core::fmt::Write;
use rows::Row;

/// A generated part of STATES.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the marker.
    pub name: &'static str,
    /// Its text, without the markers.
    pub text: String,
}

/// How many uplinks are walked for the pinned counts.
const COUNTED: std::ops::RangeInclusive<u8> = 1..=3;
/// The selector's table needs one that carries traffic and one other.
const SHOWN: u8 = 2;

/// Every generated part, in the order of the document.
#[must_use]
pub fn parts() -> Vec<Part> {
    let diagram = |text: String| format!("```mermaid\n{text}```\n");
    vec![
        Part { name: "health diagram", text: diagram(diagram::health()) },
        Part { name: "health table", text: health() },
        Part { name: "selector diagram", text: diagram(diagram::selector()) },
        Part { name: "selector table", text: selector(SHOWN) },
        Part { name: "sync diagram", text: diagram(diagram::sync()) },
        Part { name: "sync table", text: sync() },
        Part { name: "claims", text: proofs::markdown() },
        Part { name: "counts", text: counts() },
    ]
}

/// All parts, each under a heading.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    for part in parts() {
        let (first, rest) = part.name.split_at(1);
        let _ = write!(text, "## {}{rest}\n\n{}\n", first.to_uppercase(), part.text);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The health machine: state by state, event by event.
#[must_use]
pub fn health() -> String {
    render(&rows::health(&graph::explore(1)), false)
}

/// The selector of `uplinks` uplinks, projected from the walk of the whole core.
#[must_use]
pub fn selector(uplinks: u8) -> String {
    render(&rows::selector(&graph::explore(uplinks)), true)
}

/// The conversation with the kernel.
#[must_use]
pub fn sync() -> String {
    render(&rows::sync(&graph::explore(1)), false)
}

/// How large the walks are.
fn counts() -> String {
    let mut text =
        String::from("| uplinks | states | edges | depth | longest run of timers |\n|--:|--:|--:|--:|--:|\n");
    for uplinks in COUNTED {
        let graph = graph::explore(uplinks);
        let _ = writeln!(text, "| {uplinks} | {} |", sizes(&graph).join(" | "));
    }
    text
}

fn sizes(graph: &Graph) -> [String; 4] {
    let run = graph.rests("").map_or_else(|_| "endless".to_owned(), |run| run.to_string());
    [graph.views.len().to_string(), graph.edges.len().to_string(), graph.depth().to_string(), run]
}

/// One line for each row; what nobody wants comes compactly below.
fn render(rows: &[Row], conditional: bool) -> String {
    let mut text = String::from(if conditional {
        "| state | event | when | next | effects | handled in |\n|---|---|---|---|---|---|\n"
    } else {
        "| state | event | next | effects | handled in |\n|---|---|---|---|---|\n"
    });
    for row in rows {
        let Some(handler) = row.handler else { continue };
        let when = if conditional { format!(" {} |", row.when) } else { String::new() };
        let next = if row.next == row.state { "(stays)" } else { &row.next };
        let effects = if row.effects.is_empty() { "–" } else { &row.effects };
        let _ = writeln!(text, "| {} | {} |{when} {next} | {effects} | {handler} |", row.state, row.event);
    }
    text.push_str("\nIgnored:\n\n");
    for (state, events) in rows::ignored(rows) {
        let _ = writeln!(text, "- {state}: {events}");
    }
    text
}
