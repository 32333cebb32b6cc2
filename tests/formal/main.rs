//! x
#[test]
fn count() {
    for n in 1..=3 {
        let t = std::time::Instant::now();
        let g = uplinkd::machine::graph::explore(n);
        println!(
            "{n}: {} states {} edges depth {} in {:?}",
            g.views.len(),
            g.edges.len(),
            g.depth(),
            t.elapsed()
        );
        println!("{:?}", g.rests("x"));
    }
}
