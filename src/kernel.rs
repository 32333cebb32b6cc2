//! Everything that speaks netlink.
pub mod socket;
