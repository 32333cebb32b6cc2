//! The engine in a simulated world, as pure as the engine itself: no clock, no IO, the same every time.
//!
//! ```text
//!   Scenario ─► World ─┬─ Kernel   Linux's routing state, compared with Linux by tests/parity
//!    (text)            ├─ Line     what happens to a probe on its way, by a seeded dice
//!                      └─ Engine   the real one
//! ```

pub mod dice;
pub mod fates;
pub mod kernel;
pub mod line;
pub mod scenario;
pub mod world;

pub use scenario::{Outcome, Scenario};
pub use world::World;
