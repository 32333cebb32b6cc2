//! Durations, places, suggestions and quotes on their own.

use core::time::Duration;

use proptest::prelude::*;

use super::super::finding::{Lines, Place, excerpt, quote};
use super::super::slot::Show as _;
use super::super::{duration, suggest};

#[test]
fn durations_are_read_exactly() {
    for (text, expected) in [
        ("0s", Duration::ZERO),
        ("0.1s", Duration::from_millis(100)),
        ("1.5ms", Duration::from_micros(1500)),
        ("0.000000001s", Duration::from_nanos(1)),
        ("2m", Duration::from_secs(120)),
        ("1.25h", Duration::from_secs(4500)),
        ("999999999999h", Duration::from_secs(999_999_999_999 * 3600)),
    ] {
        assert_eq!(duration::parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_duration_is_refused_with_its_reason() {
    let help = "write a number and a unit, such as \"250ms\", \"1.5s\", \"2m\" or \"1h\"";
    let units = "the units are ms, s, m and h, right behind the number";
    for (text, problem, remedy) in [
        ("5", "`5` has no unit", "write \"5s\" for seconds or \"5ms\" for milliseconds"),
        ("1.5", "`1.5` has no unit", "write \"1.5s\" for seconds or \"1.5ms\" for milliseconds"),
        ("", "`` is not a duration", help),
        ("s", "`s` is not a duration", help),
        (".5s", "`.5s` is not a duration", help),
        ("1.s", "`1.s` is not a duration", help),
        ("1.2.3s", "`1.2.3s` is not a duration", help),
        ("-1s", "`-1s` is negative", help),
        ("1d", "`1d` has the unknown unit `d`", units),
        ("1 s", "`1 s` has the unknown unit ` s`", units),
        ("1S", "`1S` has the unknown unit `S`", units),
        ("1m30s", "`1m30s` has the unknown unit `m30s`", units),
        ("1234567890123s", "`1234567890123s` has more digits than can be told apart", help),
        ("0.1234567890s", "`0.1234567890s` has more digits than can be told apart", help),
    ] {
        let complaint = duration::parse(text).expect_err(text);
        assert_eq!((complaint.problem.as_str(), complaint.remedy.as_str()), (problem, remedy));
    }
}

#[test]
fn durations_are_shown_as_they_would_be_written() {
    for text in
        ["0s", "1s", "60s", "90s", "2m", "1h", "24h", "250ms", "1.5s", "0.5ms", "9.9ms", "1.000000001s"]
    {
        assert_eq!(duration::parse(text).expect("a duration").show(), text);
    }
}

#[test]
fn places_count_lines_and_characters_from_one() {
    let lines = Lines::new("aä\n\nx");
    let place = |offset| {
        let Place { line, column } = lines.place(offset);
        (line, column)
    };
    assert_eq!([0, 1, 3, 4, 5, 6, 99].map(place), [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (3, 2)]);
}

#[test]
fn a_suggestion_is_near() {
    let keys = ["interval", "fall", "rise", "timeout", "confirm_interval"];
    let nearest = |word| suggest::nearest(word, keys);
    assert_eq!(nearest("intervall"), Some("interval"));
    assert_eq!(nearest("INTERVAL"), Some("interval"));
    assert_eq!(nearest("confirm-interval"), Some("confirm_interval"));
    assert_eq!(nearest("flal"), Some("fall"));
    assert_eq!(nearest("timout"), Some("timeout"));
    assert_eq!(nearest("rose"), Some("rise"));
    assert_eq!(nearest("quorum"), None);
    assert_eq!(nearest(""), None);
    assert_eq!(nearest(&"x".repeat(10_000)), None);
}

#[test]
fn quotes_are_short_and_cannot_steer_a_terminal() {
    assert_eq!(quote("a\u{1b}[2Jb\n"), "`a\\u{1b}[2Jb\\u{a}`");
    assert_eq!(quote("\u{202e}x"), "`\\u{202e}x`");
    assert_eq!(excerpt(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(ns in 0..10_u64.pow(16)) {
        let value = Duration::from_nanos(ns);
        let shown = value.show();
        // Below a second there are at most six decimals, above nine: nothing is lost.
        prop_assert_eq!(duration::parse(&shown), Ok(value), "{}", shown);
    }
}
