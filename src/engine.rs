//! The numeric, timed half of the daemon, without IO.
pub mod settings;

pub use settings::{Family, Settings};
