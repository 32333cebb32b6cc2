//! What `[[uplink]]` refuses, word for word.

use super::{LEAST, accepted, refused};
use crate::engine::settings::MAX_UPLINKS;

/// Asserts the exact finding about one line below the least uplink.
#[track_caller]
fn refuses(line: &str, expected: &str) {
    let rendered = refused(&format!("{LEAST}{line}\n"));
    assert_eq!(rendered, format!("t.toml:3:{expected}"), "{line}");
}

#[test]
fn there_is_at_least_one_uplink() {
    let expected = "t.toml: uplink: is missing: there is no way out\n  \
                    help: add a table [[uplink]] with the key `interface`";
    assert_eq!(refused(""), expected);
    assert_eq!(refused("[probe]\nfall = 3\n"), expected);
    assert_eq!(refused("uplink = []\n"), expected);
}

#[test]
fn there_are_at_most_as_many_uplinks_as_one_daemon_manages() {
    use core::fmt::Write as _;
    let text = (0..=MAX_UPLINKS).fold(String::new(), |mut text, index| {
        writeln!(text, "[[uplink]]\ninterface = \"eth{index}\"").expect("a string takes it");
        text
    });
    assert_eq!(
        refused(&text),
        "t.toml:129:1: uplink[64]: is one more than the 64 that one daemon manages\n  help: leave some out"
    );
    let last = text.rfind("[[").expect("the last table");
    assert_eq!(accepted(&text[..last]).settings.uplinks.len(), MAX_UPLINKS);
}

#[test]
fn an_uplink_is_a_table_of_a_list() {
    assert_eq!(
        refused("[uplink]\ninterface = \"eth0\"\n"),
        "t.toml:1:1: uplink: must be a list of tables, is a table\n  \
         help: write the line [[uplink]], in double brackets, and its keys below"
    );
    assert_eq!(
        refused("uplink = [1, { interface = \"eth0\" }]\n"),
        "t.toml:1:11: uplink[0]: must be a table, is the number 1\n  \
         help: write the line [[uplink]] and its keys below"
    );
    assert_eq!(accepted("uplink = [{ interface = \"eth0\" }]\n"), accepted(LEAST));
    assert_eq!(
        refused("[[uplink]]\nname = \"a\"\n"),
        "t.toml:1:1: uplink[0].interface: is missing\n  \
         help: name the uplink's interface, such as interface = \"eth0\""
    );
    assert_eq!(
        refused(&format!("{LEAST}[[probe]]\nfall = 3\n")),
        "t.toml:3:1: probe: must be a table, is a list\n  \
         help: write the line [probe], in single brackets, and its keys below"
    );
}

#[test]
fn interfaces_are_named_as_the_kernel_allows() {
    let rule = "help: write the name as `ip link` shows it, such as eth0";
    for (name, problem) in [
        ("", "is empty"),
        ("abcdefghijklmnop", "`abcdefghijklmnop` is 16 bytes long, at most 15 are allowed"),
        ("a/b", "`a/b` cannot be the name of an interface"),
        ("a:b", "`a:b` cannot be the name of an interface"),
        ("..", "`..` cannot be the name of an interface"),
        ("a b", "`a b` has whitespace or control characters in it"),
        ("a\\u001bb", "`a\\u{1b}b` has whitespace or control characters in it"),
    ] {
        let rendered = refused(&format!("[[uplink]]\ninterface = \"{name}\"\n"));
        assert_eq!(rendered, format!("t.toml:2:13: uplink[0].interface: {problem}\n  {rule}"));
    }
    accepted("[[uplink]]\ninterface = \"abcdefghijklmno\"\n");
}

#[test]
fn names_can_be_typed() {
    let rule = "help: choose one word that can be typed on a command line, such as fiber";
    for (name, problem) in [
        ("", "is empty"),
        ("-x", "`-x` begins like a flag"),
        ("my fiber", "`my fiber` has whitespace or control characters in it"),
    ] {
        refuses(&format!("name = \"{name}\""), &format!("8: uplink[0].name: {problem}\n  {rule}"));
    }
    let long = "x".repeat(65);
    let shown = format!("`{}…`", "x".repeat(60));
    let problem = format!("{shown} is 65 bytes long, at most 64 are allowed");
    refuses(&format!("name = \"{long}\""), &format!("8: uplink[0].name: {problem}\n  {rule}"));
}

#[test]
fn no_two_uplinks_share_what_tells_them_apart() {
    let second = "[[uplink]]\ninterface = \"eth1\"\n";
    assert_eq!(
        refused(&format!("{LEAST}{LEAST}")),
        "t.toml:4:13: uplink[1].interface: `eth0` is already an uplink (line 2)\n  \
         help: give each uplink an interface of its own"
    );
    let rule = "help: give each uplink a name of its own";
    let problem = "`a` is already the name of an uplink (line 3)";
    assert_eq!(
        refused(&format!("{LEAST}name = \"a\"\n{second}name = \"a\"\n")),
        format!("t.toml:6:8: uplink[1].name: {problem}\n  {rule}")
    );
    // A name that comes from the interface counts as well, on either side.
    let problem = "`eth1` is already the name of an uplink (line 3)";
    assert_eq!(
        refused(&format!("{LEAST}name = \"eth1\"\n{second}")),
        format!("t.toml:5:13: uplink[1].interface: {problem}\n  {rule}")
    );
    let problem = "`eth0` is already the name of an uplink (line 2)";
    assert_eq!(
        refused(&format!("{LEAST}{second}name = \"eth0\"\n")),
        format!("t.toml:5:8: uplink[1].name: {problem}\n  {rule}")
    );
    assert_eq!(
        refused(&format!("{LEAST}mark = 7\n{second}mark = \"0x7\"\n")),
        "t.toml:6:8: uplink[1].mark: 0x7 is already the mark of an uplink (line 3)\n  \
         help: give each uplink a mark of its own"
    );
}

#[test]
fn no_two_uplinks_share_a_metric() {
    let second = "[[uplink]]\ninterface = \"eth1\"\n";
    let rule = "help: give each uplink a metric of its own: the lowest one wins";
    let problem = "20, the default here, is already the metric of an uplink (line 3)";
    assert_eq!(
        refused(&format!("{LEAST}metric = 20\n{second}")),
        format!("t.toml:4:1: uplink[1].metric: {problem}\n  {rule}")
    );
    let problem = "10 is already the metric of an uplink (line 1)";
    assert_eq!(
        refused(&format!("{LEAST}{second}metric = 10\n")),
        format!("t.toml:5:10: uplink[1].metric: {problem}\n  {rule}")
    );
}

#[test]
fn tier_and_metric_have_bounds() {
    refuses(
        "tier = 0",
        "8: uplink[0].tier: must be at least 1, is 0\n  help: choose from 1 to 255: 1 is the best",
    );
    refuses(
        "tier = 256",
        "8: uplink[0].tier: must be at most 255, is 256\n  help: choose from 1 to 255: 1 is the best",
    );
    refuses(
        "metric = -1",
        "10: uplink[0].metric: must be at least 1, is -1\n  \
         help: choose from 1 to 4294967295: the kernel prefers the route with the lowest",
    );
    refuses(
        "metric = 5",
        "10: uplink[0].metric: 5 is not above the promoted metric, 5 (the default)\n  \
         help: raise it: the promoted route must outrank every uplink's own",
    );
    assert_eq!(
        refused(&format!("{LEAST}metric = 3\n[routing]\npromoted_metric = 3\n")),
        "t.toml:5:19: routing.promoted_metric: 3 is not below the metric of an uplink, 3 (line 3)\n  \
         help: lower it: the promoted route must outrank every uplink's own"
    );
}

#[test]
fn a_gateway_is_one_host_of_its_keys_family() {
    for (key, address, kind) in [
        ("gateway", "0.0.0.0", "the unspecified address"),
        ("gateway", "224.0.0.1", "a multicast address"),
        ("gateway", "127.0.0.53", "a loopback address"),
        ("gateway", "255.255.255.255", "the broadcast address"),
        ("gateway6", "::", "the unspecified address"),
        ("gateway6", "ff02::1", "a multicast address"),
        ("gateway6", "::1", "a loopback address"),
    ] {
        let column = key.len() + 4;
        refuses(
            &format!("{key} = \"{address}\""),
            &format!(
                "{column}: uplink[0].{key}: {address} is {kind}\n  \
                 help: a gateway must be the address of one other host"
            ),
        );
    }
    refuses(
        "gateway = \"fe80::1\"",
        "11: uplink[0].gateway: fe80::1 is an IPv6 address\n  \
         help: move it to the key `gateway6` of the same uplink",
    );
    refuses(
        "gateway6 = \"192.0.2.1\"",
        "12: uplink[0].gateway6: 192.0.2.1 is an IPv4 address\n  \
         help: move it to the key `gateway` of the same uplink",
    );
    refuses(
        "gateway6 = \"::ffff:192.0.2.1\"",
        "12: uplink[0].gateway6: ::ffff:192.0.2.1 is an IPv4 address in IPv6 clothes\n  help: write 192.0.2.1",
    );
}

#[test]
fn a_gateway_is_nothing_but_an_address() {
    for (text, remedy) in [
        ("fe80::1%eth0", "leave out the zone after `%`: the uplink's interface is meant anyway"),
        ("192.0.2.1/24", "leave out the prefix length: the gateway is one address"),
        (
            "router",
            "write the address of the router there, or \"auto\" to learn it from the interface's routes",
        ),
    ] {
        let expected = format!("11: uplink[0].gateway: `{text}` is not an address\n  help: {remedy}");
        refuses(&format!("gateway = \"{text}\""), &expected);
    }
}

#[test]
fn a_mark_distinguishes_packets() {
    let column = "8: uplink[0].mark: ";
    for (value, problem, remedy) in [
        ("0", "is 0, which is the mark of every packet without one", "choose a mark above 0"),
        (
            "\"0x0/0x0\"",
            "has the mask 0, which every packet matches",
            "set the bits of the mask that the mark uses, such as \"0x10/0xff\"",
        ),
        (
            "\"0x110/0xff\"",
            "has bits in the mark (0x110) that the mask (0xff) leaves out",
            "widen the mask, for instance \"0x110/0x1ff\"",
        ),
        ("0x1_0000_0000", "must be a number of 32 bits", "choose a mark from 1 to 0xffffffff"),
        ("\"red\"", "`red` is not a mark", "write MARK or MARK/MASK, both of 32 bits, such as \"0x10/0xff\""),
        ("true", "must be a mark, is true", "write a number, or text with a mask such as \"0x10/0xff\""),
    ] {
        refuses(&format!("mark = {value}"), &format!("{column}{problem}\n  help: {remedy}"));
    }
}

#[test]
fn what_an_uplink_cannot_do_yet_says_so() {
    refuses(
        "weight = 1",
        "10: uplink[0].weight: is not supported yet\n  \
         help: leave it out: with policy \"failover\" one uplink carries all traffic",
    );
    refuses(
        "metered = true",
        "11: uplink[0].metered: true is not supported yet\n  \
         help: leave it out, and choose profile \"gentle\" to probe less",
    );
}
