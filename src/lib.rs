//! uplinkd keeps a Linux router on a working uplink, and can prove why it chose it.
//!
//! ```text
//!     sources (tokio)              pure: no clock, no socket, no async                executors
//!  netlink ─► kernel::decode ─┐                                                ┌─► kernel::apply ─► netlink
//!  probes  ─► probe           ├─ Input, now ─►  engine ────────────── Action ──┼─► probe::send   ─► sockets
//!  clients ─► control::server ┤                 │ Event (finite)               ├─► control
//!  timer   ─► poll_timeout    ┘                 ▼        ▲ Effect (finite)     └─► log
//!                                            machine ────┘
//! ```
//!
//! * [`machine`]: which uplink carries traffic. Finite: no number, no address, no clock. STATES.md is printed from it.
//! * [`engine`]: facts, verdicts, timers, the desired state of the kernel. Has `now` and numbers, does no IO.
//! * [`sim`]: simulated parts of the world for the engine to be run against, as pure as it is.
//! * everything else touches the world and decides nothing; it needs the feature `daemon` (on by default), so that
//!   `cargo check --lib --no-default-features` proves the first three pure.
//!
//! Where to look: *when does it fail back* → `machine/selector.rs`; *what counts as loss* → `engine/monitor.rs`; *which
//! routes exist* → `engine/plan.rs`; *what is sent to the kernel* → `engine/reconcile.rs`, `kernel/encode.rs`; *a flag* →
//! `config/flags.rs`; *the internet of the tests and the demo* → `lab`.

pub mod engine;
pub mod machine;
pub mod sim;

#[cfg(feature = "daemon")]
pub mod cli;
#[cfg(feature = "daemon")]
pub mod config;
#[cfg(feature = "daemon")]
pub mod control;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "daemon")]
pub mod journal;
#[cfg(feature = "daemon")]
pub mod kernel;
#[cfg(feature = "daemon")]
pub mod lab;
#[cfg(feature = "daemon")]
pub mod probe;
