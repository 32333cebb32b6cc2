//! Abstract sockets belong to a network namespace, so each test has one of its own.

use super::*;
use crate::engine::settings::{Failover, Profile, Routing};
use crate::lab::alone;

fn settings(first_table: u32) -> Settings {
    Settings {
        uplinks: vec![],
        probe: Profile::Steady.probe(),
        failover: Failover::default(),
        routing: Routing { first_table, ..Routing::default() },
    }
}

#[test]
fn two_daemons_of_the_same_tables_keep_apart() {
    alone(|| {
        let first = lock(&settings(7700)).unwrap();
        let refusal = lock(&settings(7700)).unwrap_err().to_string();
        let words = format!("already manages table 7700 here (process {})", std::process::id());
        assert!(refusal.contains(&words), "{refusal}");
        drop(lock(&settings(8800)).unwrap());
        drop(first);
        drop(lock(&settings(7700)).unwrap());
    });
}

#[test]
fn who_takes_the_name_and_does_not_listen_keeps_nobody_away() {
    alone(|| {
        let squatter = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(squatter.as_raw_fd(), &UnixAddr::new_abstract(b"uplinkd/117/7700").unwrap()).unwrap();
        drop(lock(&settings(7700)).unwrap());
    });
}
