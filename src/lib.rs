//! skeleton
#[cfg(feature = "daemon")]
pub mod config;
pub mod engine;
#[cfg(feature = "daemon")]
pub mod kernel;
#[cfg(feature = "daemon")]
pub mod lab;
pub mod machine;
#[cfg(feature = "daemon")]
pub mod probe;
