//! Every reachable state of a core, and questions about all of them.
//!
//! A breadth-first walk, so that the first trace found to a state is a shortest one. Timers are over-approximated: any
//! armed timer may fire at any moment, which covers every real timing.

use super::{Core, Effect, Event, Rules, Step, View};
use ::core::fmt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What can be walked: the production [`Core`], or a deliberately broken twin of it in a test.
pub trait Model: Clone + Ord {
    /// The events that may happen in this state.
    fn events(&self) -> Vec<Event>;
    /// Lets one happen.
    fn handle(&mut self, event: Event) -> Step;
    /// What can be seen of the state.
    fn view(&self) -> View;
}

impl Model for Core {
    fn events(&self) -> Vec<Event> {
        let uplinks = u8::try_from(self.rules().tiers.len()).unwrap_or(u8::MAX);
        let mut events = Event::all(uplinks);
        events.extend(self.timers().iter().map(Event::Expired));
        events
    }

    fn handle(&mut self, event: Event) -> Step {
        Core::handle(self, event)
    }

    fn view(&self) -> View {
        Core::view(self)
    }
}

/// One thing that can happen in one state.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The state before, as an index into [`Graph::views`].
    pub from: usize,
    /// What happens.
    pub event: Event,
    /// What it does.
    pub step: Step,
    /// The state after.
    pub to: usize,
}

/// The whole reachable state space.
#[derive(Debug)]
pub struct Graph {
    /// What can be seen of each state; the first is the initial one.
    pub views: Vec<View>,
    /// Everything that can happen, grouped by `from`.
    pub edges: Vec<Edge>,
    /// For each state but the first, an edge of a shortest trace to it.
    parents: Vec<Option<usize>>,
    /// The length of that trace.
    depths: Vec<u32>,
}

/// A claim that does not hold, with the shortest story that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The claim.
    pub claim: &'static str,
    /// The events that lead there, with the state after each.
    pub trace: Vec<String>,
}

/// Walks a core of `uplinks` uplinks in order of preference.
#[must_use]
pub fn explore(uplinks: u8) -> Graph {
    explore_model(Core::new(Rules::ranked(uplinks)).0)
}

/// Walks any model from `initial`.
#[must_use]
pub fn explore_model<M: Model>(initial: M) -> Graph {
    let mut graph =
        Graph { views: vec![initial.view()], edges: vec![], parents: vec![None], depths: vec![0] };
    let mut index = BTreeMap::from([(initial.clone(), 0)]);
    let mut queue = VecDeque::from([(initial, 0)]);
    while let Some((model, from)) = queue.pop_front() {
        for event in model.events() {
            let mut next = model.clone();
            let step = next.handle(event);
            let to = index.get(&next).copied().unwrap_or_else(|| {
                let to = graph.views.len();
                graph.views.push(next.view());
                graph.parents.push(Some(graph.edges.len()));
                graph.depths.push(graph.depths[from] + 1);
                index.insert(next.clone(), to);
                queue.push_back((next, to));
                to
            });
            graph.edges.push(Edge { from, event, step, to });
        }
    }
    graph
}

impl Graph {
    /// The longest of the shortest traces: how many events the most remote state is away.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.depths.iter().copied().max().unwrap_or(0)
    }

    /// `holds` is true in every reachable state.
    ///
    /// # Errors
    /// The nearest state in which it is not.
    pub fn always(&self, claim: &'static str, holds: impl Fn(&View) -> bool) -> Result<(), Violation> {
        match self.views.iter().position(|view| !holds(view)) {
            Some(at) => Err(Violation { claim, trace: self.trace(at) }),
            None => Ok(()),
        }
    }

    /// `holds` is true of every single step.
    ///
    /// # Errors
    /// The nearest step of which it is not.
    pub fn step(
        &self,
        claim: &'static str,
        holds: impl Fn(&View, Event, &[Effect], &View) -> bool,
    ) -> Result<(), Violation> {
        let wrong = |edge: &&Edge| {
            !holds(&self.views[edge.from], edge.event, &edge.step.effects, &self.views[edge.to])
        };
        match self.edges.iter().find(wrong) {
            Some(edge) => Err(Violation { claim, trace: self.trace_through(edge) }),
            None => Ok(()),
        }
    }

    /// `holds` is true in at least one reachable state: a guard against claims that hold because nothing happens.
    ///
    /// # Errors
    /// There is no such state.
    pub fn sometimes(&self, claim: &'static str, holds: impl Fn(&View) -> bool) -> Result<(), Violation> {
        if self.views.iter().any(holds) { Ok(()) } else { Err(Violation { claim, trace: vec![] }) }
    }

    /// Runs of internal events come to an end; returns the length of the longest.
    ///
    /// # Errors
    /// A state from which the core can go on for ever by itself.
    pub fn rests(&self, claim: &'static str) -> Result<u32, Violation> {
        // Kahn's algorithm on the internal edges: what cannot be sorted lies on a cycle, or behind one.
        let mut out = vec![vec![]; self.views.len()];
        let mut incoming = vec![0_u32; self.views.len()];
        for edge in self.edges.iter().filter(|edge| edge.event.is_internal()) {
            out[edge.from].push(edge.to);
            incoming[edge.to] += 1;
        }
        let mut longest = vec![0_u32; self.views.len()];
        let mut queue: Vec<usize> = (0..incoming.len()).filter(|at| incoming[*at] == 0).collect();
        let mut sorted = 0;
        while let Some(at) = queue.pop() {
            sorted += 1;
            for to in &out[at] {
                longest[*to] = longest[*to].max(longest[at] + 1);
                incoming[*to] -= 1;
                if incoming[*to] == 0 {
                    queue.push(*to);
                }
            }
        }
        if sorted == self.views.len() {
            return Ok(longest.into_iter().max().unwrap_or(0));
        }
        Err(Violation { claim, trace: self.internal_cycle(&incoming) })
    }

    /// The story of a cycle among the internal edges: the way to it, and once round. What is left after sorting has a
    /// predecessor that is left too, so to go backwards is to come to a cycle.
    fn internal_cycle(&self, incoming: &[u32]) -> Vec<String> {
        let left = |edge: &&Edge| edge.event.is_internal() && incoming[edge.from] > 0;
        let before: BTreeMap<usize, &Edge> =
            self.edges.iter().filter(left).map(|edge| (edge.to, edge)).collect();
        let Some(mut at) = incoming.iter().position(|count| *count > 0) else { return vec![] };
        let mut seen = BTreeSet::new();
        while seen.insert(at) {
            at = before[&at].from;
        }
        let mut round = vec![before[&at]];
        while round[round.len() - 1].from != at {
            round.push(before[&round[round.len() - 1].from]);
        }
        round.reverse();
        let lines = round.into_iter().map(|edge| self.line(edge));
        self.trace(at).into_iter().chain(lines).collect()
    }

    /// A shortest story that ends in the state at this index.
    #[must_use]
    pub fn trace(&self, mut at: usize) -> Vec<String> {
        let mut lines = vec![];
        while let Some(edge) = self.parents[at] {
            let edge = &self.edges[edge];
            lines.push(self.line(edge));
            at = edge.from;
        }
        lines.reverse();
        lines
    }

    fn trace_through(&self, edge: &Edge) -> Vec<String> {
        let mut lines = self.trace(edge.from);
        lines.push(self.line(edge));
        lines
    }

    fn line(&self, edge: &Edge) -> String {
        let effects: Vec<String> = edge.step.effects.iter().map(ToString::to_string).collect();
        let effects = if effects.is_empty() { String::new() } else { format!(" [{}]", effects.join(", ")) };
        format!("{}{effects} → {}", edge.event, self.views[edge.to])
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {}", self.claim)?;
        for (number, line) in self.trace.iter().enumerate() {
            write!(f, "\n  {}. {line}", number + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let health: Vec<&str> = self.health.iter().map(|health| health.name()).collect();
        write!(f, "{}", self.selection.name())?;
        if let Some(detail) = self.selection.detail() {
            write!(f, " ({detail})")?;
        }
        match self.active {
            Some(active) => write!(f, " on {active}")?,
            None => f.write_str(" on none")?,
        }
        write!(f, "; {}; {}", health.join(" "), self.sync.name())?;
        if let Some(detail) = self.sync.detail() {
            write!(f, " ({detail})")?;
        }
        let timers: Vec<String> = self.timers.iter().map(|timer| timer.to_string()).collect();
        if !timers.is_empty() {
            write!(f, "; {}", timers.join(" "))?;
        }
        Ok(())
    }
}
