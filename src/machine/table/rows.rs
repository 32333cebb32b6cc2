//! The rows: what each machine does with each event.

use super::when;
use crate::machine::graph::{Edge, Graph};
use crate::machine::{Command, Effect, Event, Health, Selection, Sync, Timer};
use std::collections::{BTreeMap, BTreeSet};

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) state: String,
    pub(super) event: String,
    /// For which healths, after the event; empty when for all.
    pub(super) when: String,
    pub(super) next: String,
    pub(super) effects: String,
    /// Who took the event; `None` when nobody wanted it.
    pub(super) handler: Option<&'static str>,
}

/// The health machine, seen through a core with one uplink, which says when probing starts and stops.
pub(super) fn health(graph: &Graph) -> Vec<Row> {
    let mut rows: BTreeMap<(Health, Event), Row> = BTreeMap::new();
    for edge in &graph.edges {
        let Event::Uplink(id, event) = edge.event else { continue };
        let at = |view: usize| graph.views[view].health[usize::from(id)];
        let row = || Row {
            state: health_name(at(edge.from)).to_owned(),
            event: format!("{event:?}"),
            when: String::new(),
            next: health_name(at(edge.to)).to_owned(),
            effects: words(edge, |effect| match effect {
                Effect::Watch(_) => Some("Watch".to_owned()),
                Effect::Unwatch(_) => Some("Unwatch".to_owned()),
                Effect::Arm(_)
                | Effect::Disarm(_)
                | Effect::Announce { .. }
                | Effect::Plan
                | Effect::Dump
                | Effect::Finish => None,
            }),
            handler: handler(edge, "health"),
        };
        rows.entry((at(edge.from), edge.event)).or_insert_with(row);
    }
    rows.into_values().collect()
}

/// The conversation, seen through the same core, which says when the retry timer runs.
pub(super) fn sync(graph: &Graph) -> Vec<Row> {
    let mut rows: BTreeMap<(Sync, Event), Row> = BTreeMap::new();
    for edge in &graph.edges {
        match edge.event {
            Event::Kernel(_) | Event::Expired(Timer::Retry) => {}
            Event::Uplink(..) | Event::Operator(_) | Event::Adopt(_) | Event::Expired(_) | Event::Stop => {
                continue;
            }
        }
        let (from, to) = (graph.views[edge.from].sync, graph.views[edge.to].sync);
        let row = || Row {
            state: sync_name(from),
            event: edge.event.to_string(),
            when: String::new(),
            next: sync_name(to),
            effects: words(edge, |effect| Some(effect.to_string())),
            handler: handler(edge, "sync"),
        };
        rows.entry((from, edge.event)).or_insert_with(row);
    }
    rows.into_values().collect()
}

/// Of an edge, what the selector hears of it, with its place in the table.
fn selector_event(graph: &Graph, edge: &Edge) -> Option<(u8, String)> {
    let place = match edge.event {
        Event::Uplink(..) if graph.views[edge.from].health != graph.views[edge.to].health => {
            return Some((0, "health changed".to_owned()));
        }
        Event::Uplink(..) if edge.step.effects.is_empty() => return None,
        Event::Kernel(_) | Event::Stop | Event::Expired(Timer::Retry) => return None,
        Event::Uplink(..) => 1,
        Event::Expired(_) => 2,
        Event::Adopt(_) => 3,
        Event::Operator(Command::Use(_)) => 4,
        Event::Operator(Command::Auto | Command::Freeze) => 5,
    };
    Some((place, edge.event.to_string()))
}

/// The selector does not care whether a drained uplink is ready.
fn as_seen_by_selector(health: &[Health]) -> Vec<Health> {
    let seen = |health: &Health| if health.is_drained() { Health::Drained { ready: true } } else { *health };
    health.iter().map(seen).collect()
}

/// The selector, projected from the walk of the whole core.
pub(super) fn selector(graph: &Graph) -> Vec<Row> {
    type Outcome = (Selection, String, Option<&'static str>);
    type Outcomes = BTreeMap<Outcome, BTreeSet<Vec<Health>>>;
    let mut table: BTreeMap<(Selection, (u8, String)), Outcomes> = BTreeMap::new();
    for edge in &graph.edges {
        let Some(event) = selector_event(graph, edge) else { continue };
        let (before, after) = (&graph.views[edge.from], &graph.views[edge.to]);
        let effects = words(edge, |effect| match effect {
            Effect::Announce { .. } => Some(effect.to_string()),
            Effect::Arm(timer) | Effect::Disarm(timer) if *timer != Timer::Retry => Some(effect.to_string()),
            Effect::Arm(_)
            | Effect::Disarm(_)
            | Effect::Watch(_)
            | Effect::Unwatch(_)
            | Effect::Plan
            | Effect::Dump
            | Effect::Finish => None,
        });
        // A missed round of a proving uplink is between health and the timers; the selector is not asked.
        let restarts = matches!(edge.event, Event::Uplink(..)) && before.health == after.health;
        let handler = if restarts { Some("core") } else { handler(edge, "selector") };
        let outcomes = table.entry((before.selection, event)).or_default();
        outcomes
            .entry((after.selection, effects, handler))
            .or_default()
            .insert(as_seen_by_selector(&after.health));
    }
    let mut rows = vec![];
    for ((state, (_, event)), outcomes) in table {
        let all: BTreeSet<Vec<Health>> = outcomes.values().flatten().cloned().collect();
        let several = outcomes.len() > 1;
        let nothing = |(next, effects, _): &Outcome| *next == state && effects.is_empty();
        let mut outcomes: Vec<_> = outcomes.into_iter().collect();
        outcomes.sort_by_key(|(outcome, _)| nothing(outcome));
        for (outcome, healths) in outcomes {
            let nothing = nothing(&outcome);
            let (next, effects, handler) = outcome;
            let row = Row {
                state: selection_name(state),
                event: event.clone(),
                when: if several && nothing { "otherwise".to_owned() } else { when::words(&healths, &all) },
                next: selection_name(next),
                effects,
                handler,
            };
            rows.push(row);
        }
    }
    rows
}

/// What nobody wants: for each state, the events, with those last for which it depends.
pub(super) fn ignored(rows: &[Row]) -> Vec<(String, String)> {
    let mut states: Vec<(String, Vec<String>)> = vec![];
    for row in rows {
        if states.last().is_none_or(|(state, _)| *state != row.state) {
            states.push((row.state.clone(), vec![]));
        }
        if let Some((_, events)) = states.last_mut().filter(|_| row.handler.is_none()) {
            let when = if row.when.is_empty() { String::new() } else { format!(" ({})", row.when) };
            events.push(format!("{}{when}", row.event));
        }
    }
    states.retain(|(_, events)| !events.is_empty());
    states.into_iter().map(|(state, events)| (state, events.join(", "))).collect()
}

fn words(edge: &Edge, word: impl Fn(&Effect) -> Option<String>) -> String {
    edge.step.effects.iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

fn handler(edge: &Edge, machine: &str) -> Option<&'static str> {
    edge.step.handlers.iter().find(|(asked, _)| *asked == machine).map(|(_, handler)| *handler)
}

/// The state of the selector in one phrase.
pub(super) fn selection_name(selection: Selection) -> String {
    let detail = selection.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let on = match (selection, selection.active()) {
        (_, Some(active)) => format!(" on {active}"),
        (Selection::Frozen { .. }, None) => " on none".to_owned(),
        (_, None) => String::new(),
    };
    format!("{}{detail}{on}", selection.name())
}

pub(super) fn sync_name(sync: Sync) -> String {
    sync.detail().map_or_else(|| sync.name().to_owned(), |detail| format!("{} ({detail})", sync.name()))
}

pub(super) const fn health_name(health: Health) -> &'static str {
    match health {
        Health::Unready => "Unready",
        Health::Drained { ready: false } => "Drained",
        Health::Drained { ready: true } => "Drained (ready)",
        Health::Probation => "Probation",
        Health::Healthy => "Healthy",
        Health::Degraded => "Degraded",
        Health::Down => "Down",
    }
}
