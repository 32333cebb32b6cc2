//! The explored graphs, shared by all tests, and two questions that `graph` does not ask.

use std::collections::VecDeque;
use std::sync::LazyLock;
use uplinkd::machine::graph::{self, Edge, Graph, Violation};
use uplinkd::machine::{Core, Effect, Event, Rules, View};

/// A graph and the rules it was walked with.
pub(crate) struct World {
    /// What tells it from the others, in messages.
    pub(crate) name: &'static str,
    pub(crate) rules: Rules,
    pub(crate) graph: Graph,
}

/// A memory with which a state was reached, and by which edge from which memory.
type Reached<M> = (M, Option<(usize, M)>);

/// What a claim finds; the claim's name is added by the one who asks.
pub(crate) type Verdict = Result<(), Violation>;

static RANKED: LazyLock<[World; 3]> = LazyLock::new(|| {
    [("1 uplink", 1), ("2 uplinks", 2), ("3 uplinks", 3)].map(|(name, uplinks)| World {
        name,
        rules: Rules::ranked(uplinks),
        graph: graph::explore(uplinks),
    })
});

static VARIANTS: LazyLock<[World; 8]> = LazyLock::new(|| {
    [
        ("2 uplinks of one tier", &[1, 1][..], true),
        ("2 uplinks, staying on a degraded one", &[1, 2], false),
        ("2 uplinks of one tier, staying on a degraded one", &[1, 1], false),
        ("2 uplinks, the better one last", &[2, 1], true),
        ("3 uplinks of one tier", &[1, 1, 1], true),
        ("3 uplinks, two of them best", &[1, 1, 2], true),
        ("3 uplinks, two of them worst", &[1, 2, 2], true),
        ("3 uplinks, staying on a degraded one", &[1, 2, 3], false),
    ]
    .map(|(name, tiers, leave_degraded)| {
        let rules = Rules { tiers: tiers.to_vec(), leave_degraded };
        World { name, graph: graph::explore_model(Core::new(rules.clone()).0), rules }
    })
});

/// 1, 2 and 3 uplinks in order of preference.
pub(crate) fn ranked() -> &'static [World; 3] {
    &RANKED
}

/// Those, and other rules.
pub(crate) fn worlds() -> impl Iterator<Item = &'static World> {
    RANKED.iter().chain(VARIANTS.iter())
}

impl World {
    /// [`Graph::always`].
    pub(crate) fn always(&self, holds: impl Fn(&View) -> bool) -> Verdict {
        self.graph.always("", holds)
    }

    /// [`Graph::step`].
    pub(crate) fn step(&self, holds: impl Fn(&View, Event, &[Effect], &View) -> bool) -> Verdict {
        self.graph.step("", holds)
    }

    /// Follows every run with a little memory of one's own, for claims about the past. `next` has the memory after a step,
    /// or `None` where the step breaks the claim.
    pub(crate) fn history<M: Copy + Eq>(
        &self,
        initial: M,
        next: impl Fn(M, &View, &Edge, &View) -> Option<M>,
    ) -> Verdict {
        let graph = &self.graph;
        // Where the edges of each state begin: they are grouped by `from`, in the order of the states.
        let first: Vec<usize> =
            (0..=graph.views.len()).map(|at| graph.edges.partition_point(|edge| edge.from < at)).collect();
        // For each state, the memories with which it can be reached, and how.
        let mut reached: Vec<Vec<Reached<M>>> = vec![vec![]; graph.views.len()];
        reached[0].push((initial, None));
        let mut queue = VecDeque::from([(0, initial)]);
        while let Some((from, memory)) = queue.pop_front() {
            for at in first[from]..first[from + 1] {
                let edge = &graph.edges[at];
                let Some(after) = next(memory, &graph.views[from], edge, &graph.views[edge.to]) else {
                    let mut trace = vec![line(graph, edge)];
                    let (mut state, mut memory) = (from, memory);
                    while let Some((_, Some((at, before)))) =
                        reached[state].iter().find(|(reached, _)| *reached == memory)
                    {
                        trace.push(line(graph, &graph.edges[*at]));
                        (state, memory) = (graph.edges[*at].from, *before);
                    }
                    trace.reverse();
                    return Err(Violation { claim: "", trace });
                };
                if reached[edge.to].iter().all(|(memory, _)| *memory != after) {
                    reached[edge.to].push((after, Some((at, memory))));
                    queue.push_back((edge.to, after));
                }
            }
        }
        Ok(())
    }

    /// From every state in `region`, some state in which `goal` is true can be reached by events that `help` accepts alone.
    pub(crate) fn recoverable(
        &self,
        region: impl Fn(&View) -> bool,
        help: impl Fn(Event) -> bool,
        goal: impl Fn(&View) -> bool,
    ) -> Verdict {
        let graph = &self.graph;
        let mut into = vec![vec![]; graph.views.len()];
        for edge in graph.edges.iter().filter(|edge| help(edge.event)) {
            into[edge.to].push(edge.from);
        }
        let mut good: Vec<bool> = graph.views.iter().map(goal).collect();
        let mut queue: VecDeque<usize> = (0..good.len()).filter(|at| good[*at]).collect();
        while let Some(at) = queue.pop_front() {
            for from in &into[at] {
                if !std::mem::replace(&mut good[*from], true) {
                    queue.push_back(*from);
                }
            }
        }
        match (0..good.len()).find(|at| region(&graph.views[*at]) && !good[*at]) {
            Some(at) => Err(Violation { claim: "", trace: graph.trace(at) }),
            None => Ok(()),
        }
    }
}

fn line(graph: &Graph, edge: &Edge) -> String {
    let effects: Vec<String> = edge.step.effects.iter().map(ToString::to_string).collect();
    let effects = if effects.is_empty() { String::new() } else { format!(" [{}]", effects.join(", ")) };
    format!("{}{effects} → {}", edge.event, graph.views[edge.to])
}
