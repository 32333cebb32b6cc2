//! The whole engine in a simulated world: stories with what is expected of them, and swarms of random ones.

#[path = "../figures/mod.rs"]
mod figures;
mod mistakes;
mod promises;
mod scenarios;
mod swarm;
