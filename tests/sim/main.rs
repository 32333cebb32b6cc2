//! The whole engine in a simulated world: stories with what is expected of them, and swarms of random ones.

mod mistakes;
mod scenarios;
mod swarm;
