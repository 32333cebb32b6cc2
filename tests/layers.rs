//! The pure rings import nothing impure: `machine`, `engine` and `sim` know no clock, socket, file, thread, environment or
//! random order, and no other part of the crate. That `cargo check --lib --no-default-features` compiles them proves that
//! they need none of our dependencies; this proves the same of the standard library, by reading the sources.

#[path = "layers/source.rs"]
mod source;

use source::{paths, tokens};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a file stands, and what it may see of the crate.
struct Ring {
    /// How many `super` lead from its module to the root of the crate.
    depth: usize,
    /// The parts of the crate that it may import.
    sees: &'static [&'static str],
}

/// Names that mean a clock, a random order or a runtime, however they were imported.
const NEVER: [&str; 14] = [
    "Instant",
    "SystemTime",
    "UNIX_EPOCH",
    "HashMap",
    "HashSet",
    "hash_map",
    "hash_set",
    "RandomState",
    "DefaultHasher",
    "thread_local",
    "async",
    "await",
    "unsafe",
    "extern",
];

/// What may be used of those modules of `std` that are neither wholly pure nor wholly impure.
const PARTLY: [(&str, &[&str]); 3] = [
    ("time", &["Duration"]),
    ("net", &["IpAddr", "Ipv4Addr", "Ipv6Addr", "AddrParseError"]),
    ("sync", &["Arc", "Weak"]),
];

/// Modules of `std` that are pure.
const WHOLLY: [&str; 26] = [
    "any",
    "array",
    "ascii",
    "borrow",
    "boxed",
    "cell",
    "char",
    "clone",
    "cmp",
    "collections",
    "convert",
    "default",
    "error",
    "fmt",
    "hash",
    "iter",
    "marker",
    "mem",
    "num",
    "ops",
    "option",
    "rc",
    "result",
    "slice",
    "str",
    "string",
];

/// What is wrong with this source, if it is to be in that ring.
fn violations(source: &str, ring: &Ring, foreign: &BTreeSet<String>) -> Vec<String> {
    let tokens = tokens(source);
    let mut wrong: Vec<String> = vec![];
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map_or("", String::as_str);
        let gate = next == "(" && (token == "cfg" || token == "cfg_attr");
        let gated =
            gate && tokens[at..].iter().take_while(|token| *token != "]").any(|token| token == "feature");
        let macros =
            next == "!" && ["env", "option_env", "include", "println", "eprintln"].contains(&token.as_str());
        if gated || macros || NEVER.contains(&token.as_str()) {
            wrong.push(token.clone());
        }
    }
    for named in paths(&tokens) {
        let names: Vec<&str> = named.path.iter().map(String::as_str).collect();
        let supers = names.iter().take_while(|name| **name == "super").count();
        let fine = match names.as_slice() {
            ["std" | "core" | "alloc", module, rest @ ..] => {
                WHOLLY.contains(module)
                    || PARTLY.iter().any(|(partly, pure)| {
                        partly == module && rest.first().is_some_and(|name| pure.contains(name))
                    })
            }
            ["crate", part, ..] => ring.sees.contains(part),
            _ if supers >= ring.depth => names.get(supers).is_none_or(|part| ring.sees.contains(part)),
            [first, rest @ ..] => !foreign.contains(*first) || (rest.is_empty() && !named.imported),
            [] => true,
        };
        if !fine {
            wrong.push(named.path.join("::"));
        }
    }
    wrong
}

/// All dependencies but the one that the machines are written with, and the one that says how values are written down.
fn foreign_crates() -> BTreeSet<String> {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("it is there");
    let (_, rest) = manifest.split_once("\n[dependencies]\n").expect("it has dependencies");
    let table = rest.split("\n[").next().unwrap_or(rest);
    let names =
        table.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().replace('-', "_"));
    names.filter(|name| !name.starts_with('#') && !["statig", "serde"].contains(&name.as_str())).collect()
}

/// The sources of a part of the crate, without its tests, each with its depth.
fn sources(part: &str) -> Vec<(PathBuf, usize)> {
    fn visit(folder: &Path, depth: usize, found: &mut Vec<(PathBuf, usize)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if path.is_dir() {
                visit(&path, depth + 1, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path, depth));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![(root.join(format!("{part}.rs")), 1)];
    visit(&root.join(part), 2, &mut found);
    found
}

#[track_caller]
fn assert_pure(part: &str, sees: &'static [&'static str], at_least: usize) {
    let foreign = foreign_crates();
    let sources = sources(part);
    assert!(sources.len() >= at_least, "only {} sources of {part}", sources.len());
    for (path, depth) in sources {
        let source = fs::read_to_string(&path).expect("a text");
        let wrong = violations(&source, &Ring { depth, sees }, &foreign);
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
    }
}

#[test]
fn the_machine_sees_nothing_but_itself_and_pure_things() {
    assert_pure("machine", &["machine"], 8);
}

#[test]
fn the_engine_sees_nothing_but_the_machine_itself_and_pure_things() {
    assert_pure("engine", &["engine", "machine"], 10);
}

#[test]
fn the_simulation_sees_nothing_but_the_engine_the_machine_itself_and_pure_things() {
    assert_pure("sim", &["sim", "engine", "machine"], 8);
}

#[test]
fn a_planted_violation_is_found() {
    let ring = Ring { depth: 2, sees: &["machine"] };
    let foreign = foreign_crates();
    assert!(foreign.contains("tokio") && foreign.contains("netlink_sys") && !foreign.contains("statig"));
    for planted in [
        "use std::time::Instant;",
        "use std::time;",
        "use std::time::*;",
        "use std::{fmt, time::{Duration, SystemTime}};",
        "fn f() { let _ = std::time::Instant::now(); }",
        "use std::net::{IpAddr, TcpStream};",
        "use ::std::os::fd::AsFd;",
        "use std::fs as collections;",
        "use std::io::Write;",
        "fn f() { std::thread::yield_now() }",
        "fn f() { ::std::process::exit(1) }",
        "const HOME: &str = env!(\"HOME\");",
        "use std::env;",
        "use std::{cmp, collections::{BTreeMap, HashMap}};",
        "use std::hash::RandomState;",
        "use std::sync::Mutex;",
        "use tokio::net;",
        "use nix::{self, sys};",
        "fn f() { libc::getpid(); }",
        "fn f(socket: &socket2::Socket) {}",
        "use pnet as collections;",
        "use netlink_packet_route as route;",
        "async fn f() {}",
        "#[cfg(feature = \"daemon\")] mod x;",
        "#[cfg_attr(feature = \"daemon\", derive(Debug))] struct X;",
        "#[cfg(all(unix, feature = \"daemon\"))] mod x;",
        "use crate::engine::Time;",
        "use crate::{machine, daemon};",
        "use super::super::engine;",
        "fn f() -> super::super::engine::Time { todo!() }",
        "/* /* nested */ */ use std::fs;",
        "const A: char = '\"'; use std::fs; const B: char = '\"';",
        "const A: &str = \"\\\\\"; use std::fs; const B: &str = \"\";",
        "const A: &str = r#\"\"#; use std::fs; const B: &str = r#\"\"#;",
        "fn f<'a>(a: &'a str) { std::fs::read(a); }",
        "extern crate libc;",
        "fn f() -> impl Sized + use<> { std::fs::read(a); }",
    ] {
        assert!(!violations(planted, &ring, &foreign).is_empty(), "not found: {planted}");
    }
}

#[test]
fn what_is_pure_is_not_accused() {
    let ring = Ring { depth: 2, sees: &["machine"] };
    for pure in [
        "//! use std::fs; Instant, HashMap, async",
        "/* use std::time::Instant; /* tokio::spawn */ still */ use std::fmt;",
        "const A: &str = \"use std::fs; \\\" Instant\";",
        "const A: &str = r##\"Instant \"# HashMap\"##;",
        "const A: &[u8] = b\"std::fs\"; const B: char = '\\''; const C: char = '\\u{2192}';",
        "use core::time::Duration; use std::net::{IpAddr, Ipv4Addr};",
        "use std::collections::{BTreeMap, VecDeque}; use std::sync::Arc;",
        "use super::{Core, Effect}; use crate::machine::graph; use statig::prelude::*;",
        "#[cfg(test)] mod tests; use self::core::Core;",
        "fn f<'a, T: 'a>(a: &'a T) -> &'a T { a }",
        "use super::super::machine::Id;",
    ] {
        assert_eq!(violations(pure, &ring, &foreign_crates()), Vec::<String>::new(), "{pure}");
    }
}
