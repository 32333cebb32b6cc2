//! The transition tables and the sizes of the walks, pinned: a change of behaviour shows as a difference here.

use super::support::{World, ranked};
use super::{claims, figures};
use uplinkd::machine::{Rules, graph, table};

#[test]
fn the_health_table_is_as_reviewed() {
    insta::assert_snapshot!(table::health());
}

#[test]
fn the_conversation_table_is_as_reviewed() {
    insta::assert_snapshot!(table::sync());
}

#[test]
fn the_selector_table_of_one_uplink_is_as_reviewed() {
    insta::assert_snapshot!(table::selector(1));
}

#[test]
fn the_selector_table_of_two_uplinks_is_as_reviewed() {
    insta::assert_snapshot!(table::selector(2));
}

#[test]
fn the_selector_table_of_three_uplinks_is_as_reviewed() {
    insta::assert_snapshot!(table::selector(3));
}

#[test]
fn the_diagrams_are_as_reviewed() {
    insta::assert_snapshot!(table::mermaid());
}

#[test]
fn the_graph_of_two_uplinks_is_as_reviewed() {
    insta::assert_snapshot!(table::dot(2));
}

#[test]
fn the_sizes_of_the_walks_are_pinned() {
    let sizes: Vec<String> = ranked()
        .iter()
        .map(|world| {
            let graph = &world.graph;
            let run = graph.rests("it comes to rest").expect("no cycle");
            let (states, edges, depth) = (graph.views.len(), graph.edges.len(), graph.depth());
            figures::keep(world.name, format!("{states} {edges} {depth}"));
            format!(
                "{}: {states} states, {edges} edges, depth {depth}, longest run of timers {run}",
                world.name
            )
        })
        .collect();
    insta::assert_snapshot!(sizes.join("\n"));
}

#[test]
#[ignore = "millions of edges, gigabytes of memory: run by hand: cargo test --release --test formal -- --ignored"]
fn every_claim_holds_for_four_uplinks() {
    let world = World { name: "4 uplinks", rules: Rules::ranked(4), graph: graph::explore(4) };
    for claim in claims::all() {
        if let Err(violation) = claim.ask(&world) {
            panic!("{violation}");
        }
    }
}
