//! The daemon's ear: one request, one answer, over a Unix socket.

pub mod client;
pub mod server;
pub mod status;

/// The version of the protocol and of the status schema.
pub const VERSION: u32 = 1;
/// The longest request, bytes, with its newline.
pub const MAX_REQUEST: usize = 4096;
