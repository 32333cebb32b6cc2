//! STATES.md says what the code does, and `uplinkd states` says it completely.

#![cfg(feature = "daemon")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use uplinkd::cli::states::{Format, render};
use uplinkd::machine::table::proofs;
use uplinkd::machine::{graph, table};

const DOCUMENT: &str = "STATES.md";

/// The text with every generated part replaced by what the code says now.
fn regenerated(text: &str) -> String {
    let mut text = text.to_owned();
    for part in table::parts() {
        let begin = format!("<!-- generated: {} -->\n", part.name);
        let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{DOCUMENT} has no `{begin}`"));
        let (_, after) = rest.split_once("<!-- end -->").expect("each part has an end");
        text = format!("{before}{begin}\n{}\n<!-- end -->{after}", part.text);
    }
    text
}

#[test]
fn states_md_is_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = std::fs::read_to_string(&path).expect("it is there");
    let current = regenerated(&text);
    if text != current {
        // As for snapshots: who only asks, as scripts/mutants does of one change after the other, wants nothing written.
        assert!(std::env::var("INSTA_UPDATE").as_deref() != Ok("no"), "{DOCUMENT} is out of date");
        std::fs::write(&path, current).expect("it can be written");
        panic!("{DOCUMENT} was out of date and has been rewritten: look at the difference and commit it");
    }
}

/// All sources of tests, as one text.
fn sources() -> String {
    fn read(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).expect("it is there") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                read(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                all.push_str(&std::fs::read_to_string(path).expect("readable"));
            }
        }
    }
    let mut all = String::new();
    for folder in ["tests", "src/engine/tests"] {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut all);
    }
    all
}

#[test]
fn there_is_a_test_for_every_claim() {
    let sources = sources();
    let is_there =
        |test: &str| sources.contains(&format!("fn {test}(")) || sources.contains(&format!("\"{test}\""));
    let claims = proofs::GROUPS.iter().flat_map(|group| group.claims);
    let missing: Vec<&str> = claims.map(|claim| claim.test).filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "STATES.md names tests that are not there: {missing:?}");
}

#[test]
fn every_generated_part_is_known() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = std::fs::read_to_string(path).expect("it is there");
    let known = table::parts().len();
    assert_eq!(text.matches("<!-- generated: ").count(), known);
    assert_eq!(text.matches("<!-- end -->").count(), known);
}

#[test]
fn the_markdown_has_every_generated_part() {
    let markdown = render(Format::Markdown, 2);
    assert!(table::parts().iter().all(|part| markdown.contains(part.text.trim_end())));
}

#[test]
fn the_json_tells_the_whole_graph() {
    for uplinks in 1..=2 {
        let json: Value = serde_json::from_str(&render(Format::Json, uplinks)).expect("valid");
        let graph = graph::explore(uplinks);
        let list = |key: &str| json[key].as_array().expect("a list").clone();
        let (states, edges) = (list("states"), list("edges"));
        assert_eq!(json["uplinks"], uplinks);
        assert_eq!((states.len(), edges.len()), (graph.views.len(), graph.edges.len()));
        // No two states look alike: nothing that matters is left out.
        let looks: BTreeSet<String> = states
            .iter()
            .map(|state| {
                let mut state = state.clone();
                state.as_object_mut().expect("an object").remove("id");
                state.to_string()
            })
            .collect();
        assert_eq!(looks.len(), states.len());
        assert_eq!(states.iter().filter(|state| state["initial"] == true).count(), 1);
    }
}

#[test]
fn the_json_spells_out_every_field() {
    let json: Value = serde_json::from_str(&render(Format::Json, 1)).expect("valid");
    let keys =
        |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&json), "edges leave_degraded states tiers uplinks");
    let (state, edge) = (&json["states"][0], &json["edges"][0]);
    assert_eq!(keys(state), "active detail id initial selector stranded sync timers uplinks");
    assert_eq!(keys(edge), "effects event from handled to");
    insta::assert_snapshot!(format!("{state}\n{edge}"));
}

#[test]
fn the_json_of_three_uplinks_is_ready_in_seconds() {
    let json = render(Format::Json, 3);
    assert_eq!(
        json.lines().filter(|line| line.starts_with("{\"from\"")).count(),
        graph::explore(3).edges.len()
    );
}

#[test]
fn the_dot_output_has_every_selector_state_once() {
    for uplinks in 1..=3 {
        let dot = render(Format::Dot, uplinks);
        let states: BTreeSet<_> = graph::explore(uplinks).views.iter().map(|view| view.selection).collect();
        let nodes =
            dot.lines().filter(|line| line.ends_with("\";") && !line.contains("->") && !line.contains('='));
        assert_eq!(nodes.count(), states.len());
        assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    }
}
