//! Simulated parts of the world, as pure as the engine that is run against them: no clock, no IO, the same every time.
//! What stands for Linux here is compared with Linux by `tests/parity`.

pub mod kernel;
