//! What lists of targets refuse, word for word.

use super::{LEAST, accepted, refused};
use crate::engine::settings::MAX_TARGETS;

/// Asserts the exact finding about one line below the least uplink.
#[track_caller]
fn refuses(line: &str, expected: &str) {
    let rendered = refused(&format!("{LEAST}{line}\n"));
    assert_eq!(rendered, format!("t.toml:3:{expected}"), "{line}");
}

#[test]
fn a_target_is_an_address_to_ping() {
    let item = "12: uplink[0].targets[0]: ";
    for (text, problem) in [
        ("dns://9.9.9.9", "`dns://9.9.9.9`: a target of kind `dns://` is not supported yet"),
        ("tcp://192.0.2.1:443", "`tcp://192.0.2.1:443`: a target of kind `tcp://` is not supported yet"),
        ("HTTP://a.example/", "`HTTP://a.example/`: a target of kind `http://` is not supported yet"),
        ("https://a.example/", "`https://a.example/`: a target of kind `https://` is not supported yet"),
        ("ping://192.0.2.1", "`ping://192.0.2.1`: there is no kind of target called `ping`"),
        ("192.0.2.1:53", "`192.0.2.1:53` is not an address"),
        ("icmp://", "`icmp://` is not an address"),
    ] {
        let expected = format!("{item}{problem}\n  help: write an address or icmp://ADDRESS");
        refuses(&format!("targets = [\"{text}\"]"), &expected);
    }
    refuses(
        "targets = [\"one.example\"]",
        &format!(
            "{item}`one.example`: a target by name is not supported yet\n  \
             help: write its address: a name also fails when only DNS does"
        ),
    );
    for (text, kind) in [
        ("0.0.0.0", "the unspecified address"),
        ("ff02::1", "a multicast address"),
        ("::1", "a loopback address"),
    ] {
        let expected =
            format!("{item}{text} is {kind}\n  help: a target must be the address of one other host");
        refuses(&format!("targets = [\"{text}\"]"), &expected);
    }
}

#[test]
fn a_list_of_targets_has_a_few_different_ones() {
    refuses(
        "targets = []",
        "11: uplink[0].targets: is empty\n  \
         help: name at least one target, or leave the key out for the default ones",
    );
    refuses(
        "targets = \"192.0.2.1\"",
        "11: uplink[0].targets: must be a list, is the text \"192.0.2.1\"\n  \
         help: write a list in brackets, such as [\"192.0.2.1\"]",
    );
    refuses(
        "targets = [\"192.0.2.1\", 7, \"icmp://192.0.2.1\"]",
        "25: uplink[0].targets[1]: must be text, is the number 7\n  help: put it in quotes\n\
         t.toml:3:28: uplink[0].targets[2]: 192.0.2.1 is there twice (line 3)\n  \
         help: leave one out: the same answer must not count twice",
    );
    let list = |count: usize| -> String {
        let items: Vec<String> =
            (0..count).map(|n| format!("\"10.9.{}.{}\"", n / 250, n % 250 + 1)).collect();
        format!("targets = [{}]", items.join(", "))
    };
    accepted(&format!("{LEAST}{}\n", list(MAX_TARGETS)));
    let rule = "help: name at most 1000 of each family: all of them are asked in each round";
    let expected = format!("11: uplink[0].targets: has 1001 ipv4 targets\n  {rule}");
    refuses(&list(MAX_TARGETS + 1), &expected);
    let expected = format!("11: uplink[0].targets: has 2001 targets\n  {rule}");
    refuses(&list(2 * MAX_TARGETS + 1), &expected);
}
