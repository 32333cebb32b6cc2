//! Each story in `scenarios/` ends as it says, and its timeline is a snapshot.

use super::figures;
use std::fs;
use std::path::Path;
use uplinkd::cli::simulate::{load, render_plain};
use uplinkd::sim::scenario;

#[test]
fn every_story_ends_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/scenarios");
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 40, "only {} stories", paths.len());
    figures::keep("stories", paths.len());
    let mut unmet = vec![];
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let (scenario, settings) =
            load(&format!("{name}.txt"), &text, None).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(!scenario.expectations.is_empty(), "{name} expects nothing");
        let outcome = scenario::run(&scenario, settings);
        let timeline = render_plain(&outcome);
        unmet.extend(outcome.unmet.iter().map(|(line, instead)| format!("{name}.txt:{line}: {instead}")));
        if timeline.contains("BROKEN") {
            unmet.push(format!("{name}.txt:\n{timeline}"));
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, timeline);
        });
    }
    assert!(unmet.is_empty(), "{}", unmet.join("\n"));
}
