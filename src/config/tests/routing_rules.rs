//! What `[failover]`, `[routing]` and `[control]` refuse, word for word.

use super::{refused, refused_key};

/// Asserts the exact finding about one line of one table.
#[track_caller]
fn refuses(table: &str, line: &str, expected: &str) {
    assert_eq!(refused_key(table, line), expected, "{line}");
}

#[test]
fn failover_times_have_bounds() {
    refuses(
        "failover",
        "stable_window = \"25h\"",
        "failover.stable_window: must be at most 24h, is 25h\n  \
         help: choose from 0s to 24h: a whole day of good behaviour is enough",
    );
    refuses(
        "failover",
        "max_stable_window = \"59s\"",
        "failover.max_stable_window: 59s is below the stable window, 60s (the default)\n  \
         help: raise it to the stable window at least, or lower that",
    );
    refuses(
        "failover",
        "max_stable_window = \"169h\"",
        "failover.max_stable_window: must be at most 168h, is 169h\n  \
         help: choose from 0s to 168h: a week of good behaviour is enough",
    );
    refuses(
        "failover",
        "flap_memory = \"169h\"",
        "failover.flap_memory: must be at most 168h, is 169h\n  \
         help: choose from 0s to 168h: a failback that held for a week was no flap",
    );
    refuses(
        "failover",
        "boot_deadline = \"11m\"",
        "failover.boot_deadline: must be at most 10m, is 11m\n  \
         help: choose from 0s to 10m: meanwhile a working backup stays unused",
    );
}

#[test]
fn tables_of_the_kernel_are_not_ours() {
    refuses(
        "routing",
        "first_table = 0",
        "routing.first_table: must be at least 1, is 0\n  \
         help: choose from 1 to 4294967196: 100 tables from there on are ours",
    );
    for (first, table) in [(154, 253), (200, 253), (254, 254), (255, 255)] {
        let expected = format!(
            "routing.first_table: gives us the tables {first} to {}, but {table} is the kernel's own\n  \
             help: choose 1 to 153, or 256 and above",
            first + 99
        );
        refuses("routing", &format!("first_table = {first}"), &expected);
    }
}

#[test]
fn rules_come_before_the_one_for_main() {
    let rule = "help: choose from 1 to 32000: 300 rules from there on are ours, all of them before the rule for main";
    let found = "routing.first_priority: must be at most 32000, is 32001";
    refuses("routing", "first_priority = 32001", &format!("{found}\n  {rule}"));
    let found = "routing.first_priority: must be at least 1, is 0";
    refuses("routing", "first_priority = 0", &format!("{found}\n  {rule}"));
}

#[test]
fn the_protocol_is_nobody_elses() {
    refuses(
        "routing",
        "protocol = 4",
        "routing.protocol: must be at least 5, is 4\n  \
         help: choose from 5 to 255: it is how our routes are told from those of others",
    );
    for taken in [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 42, 84, 99, 186, 187, 188, 189, 192] {
        let rendered = refused_key("routing", &format!("protocol = {taken}"));
        let found = format!("routing.protocol: {taken} is the number of ");
        assert!(rendered.starts_with(&found), "{rendered}");
        assert!(rendered.ends_with(
            "\n  help: choose one that nobody has, such as 117: whatever carries it is removed at will"
        ));
    }
}

#[test]
fn the_promoted_metric_is_below_every_uplinks() {
    refuses(
        "routing",
        "promoted_metric = 10",
        "routing.promoted_metric: 10 is not below the metric of an uplink, 10 (the default)\n  \
         help: lower it: the promoted route must outrank every uplink's own",
    );
    refuses(
        "routing",
        "promoted_metric = 0",
        "routing.promoted_metric: must be at least 1, is 0\n  \
         help: choose from 1 to 4294967294: it must be below the metric of every uplink",
    );
}

#[test]
fn choices_are_suggested() {
    refuses(
        "routing",
        "foreign_defaults = \"relpace\"",
        "routing.foreign_defaults: `relpace` is not one of the choices\n  help: did you mean \"replace\"?",
    );
    refuses(
        "routing",
        "on_exit = \"stop\"",
        "routing.on_exit: `stop` is not one of the choices\n  help: choose \"keep\" or \"remove\"",
    );
    refuses(
        "routing",
        "carrier_poll = \"on\"",
        "routing.carrier_poll: `on` is not one of the choices\n  help: choose \"auto\" or \"off\"",
    );
    refuses(
        "routing",
        "flow_flush = \"tcp\"",
        "routing.flow_flush: `tcp` is not one of the choices\n  help: choose \"none\", \"udp\" or \"all\"",
    );
    refuses(
        "routing",
        "backend = \"bird\"",
        "routing.backend: `bird` is not one of the choices\n  help: choose \"kernel\"",
    );
}

#[test]
fn what_is_documented_but_not_built_says_so() {
    for (key, value, built) in [
        ("policy", "balance", "failover"),
        ("policy", "latency", "failover"),
        ("ownership", "table", "metric"),
        ("backend", "frr", "kernel"),
    ] {
        let expected = format!(
            "routing.{key}: `{value}` is not supported yet\n  help: write \"{built}\", or leave the key out"
        );
        refuses("routing", &format!("{key} = \"{value}\""), &expected);
    }
    refuses(
        "control",
        "group = \"adm\"",
        "control.group: is not supported yet\n  help: leave it out: root and the daemon's own user may connect",
    );
    assert_eq!(
        refused("[[uplink]]\ninterface = \"a\"\n[[destination]]\nmatch = []\n"),
        "t.toml:3:1: destination: is not supported yet\n  help: leave it out: all traffic follows [failover]"
    );
}

#[test]
fn the_journal_is_a_file_of_bounded_size() {
    let file = "help: write the path of a file, such as /var/lib/uplinkd/journal.jsonl";
    let size = "help: write a whole number and one of KiB, MiB, GiB, such as \"16MiB\"";
    for (keys, problem) in [
        ("path = \"\"", format!("path: is empty\n  {file}")),
        ("path = \"/tmp/\"", format!("path: `/tmp/` names a directory\n  {file}")),
        ("max_size = \"16\"\npath = \"/j\"", format!("max_size: `16` is not a size\n  {size}")),
        ("max_size = \"1.5GiB\"\npath = \"/j\"", format!("max_size: `1.5GiB` is not a size\n  {size}")),
        (
            "max_size = \"1KiB\"\npath = \"/j\"",
            "max_size: must be at least 64KiB, is 1KiB\n  help: choose from 64KiB to 1024GiB: what is larger is cut into files"
                .to_owned(),
        ),
        (
            "keep = 0\npath = \"/j\"",
            "keep: must be at least 1, is 0\n  help: choose from 1 to 1000: the oldest is thrown away".to_owned(),
        ),
    ] {
        refuses("journal", keys, &format!("journal.{problem}"));
    }
    assert_eq!(
        refused("[[uplink]]\ninterface = \"a\"\n[journal]\nkeep = 2\n"),
        "t.toml:3:1: journal: has no path\n  help: add the key `path`, such as \"/var/lib/uplinkd/journal.jsonl\""
    );
}

#[test]
fn the_socket_is_a_path_that_the_kernel_takes() {
    let rule = "help: write the path of the socket, such as /run/uplinkd/control.sock";
    for (socket, problem) in [
        ("", "is empty"),
        ("/run/", "`/run/` names a directory"),
        ("/a\\u0000b", "has a NUL byte in it"),
        (&format!("/{}", "x".repeat(107)), "is 108 bytes long, the kernel allows 107"),
    ] {
        let line = format!("socket = \"{socket}\"");
        refuses("control", &line, &format!("control.socket: {problem}\n  {rule}"));
    }
    refuses(
        "control",
        "socket = \"x.sock\"",
        "control.socket: `x.sock` depends on the directory that the daemon is started in\n  \
         help: write the whole path, from / on",
    );
}
