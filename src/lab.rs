//! A small internet in this process, without privileges and without any program but ours.
//!
//! ```text
//!   client ──lan0── router ──wan0── far ─┐
//!                          ──wan1── far ─┴─ one thread: two providers and an internet
//! ```
//!
//! `client`, `router` and `far` are network namespaces; the wires between them are veth pairs. Nobody but one thread
//! of ours lives in `far`: it reads the frames of the uplinks' far ends and answers as gateways and as hosts of the
//! internet would, with [`Weather`] to order. The kernel under test is the real one, the network beyond it is a
//! function. Kernels may lack netem, dummy and vrf; nothing here relies on them.
//!
//! [`enter()`] first, while the process has one thread; then make a [`World`], start the daemon in its router, and watch
//! what a [`Client`] loses.

#[cfg(test)]
mod alone;
mod client;
pub mod clock;
mod enter;
mod error;
mod forge;
mod frame;
mod internet;
mod namespace;
mod plumbing;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod uplink;
mod weather;
pub mod wire;
mod world;

#[cfg(test)]
pub(crate) use alone::alone;
pub use client::{Client, ClientPlan, INTERVAL, Interval, Losses, Place};
pub use enter::enter;
pub use error::LabError;
pub use forge::{Complaint, Forgery};
pub use namespace::{Namespace, Process};
pub use tally::{Received, Seen, Tally};
pub use uplink::{AddressPlan, Uplink};
pub use weather::{Line, Path, Weather};
pub use world::{Builder, World};
