//! What `[probe]` refuses, word for word.

use super::{accepted_with, refused_key};

/// Asserts the exact finding about one line of one table.
#[track_caller]
fn refuses(table: &str, line: &str, expected: &str) {
    assert_eq!(refused_key(table, line), expected, "{line}");
}

#[test]
fn intervals_have_bounds() {
    let rule = "choose from 10ms to 1h: faster is a flood, slower watches nothing";
    let below = "probe.interval: must be at least 10ms, is 9.9ms\n  help: ";
    refuses("probe", "interval = \"9.9ms\"", &format!("{below}{rule}"));
    let above = "probe.interval: must be at most 1h, is 61m\n  help: ";
    refuses("probe", "interval = \"61m\"", &format!("{above}{rule}"));
    refuses(
        "probe",
        "confirm_interval = \"1ms\"",
        "probe.confirm_interval: must be at least 10ms, is 1ms\n  \
         help: choose from 10ms to 1h: it is the faster of the two intervals",
    );
    refuses(
        "probe",
        "standby_interval = \"2h\"",
        "probe.standby_interval: must be at most 1h, is 2h\n  \
         help: choose from 10ms to 1h: a standby that nobody watches is none",
    );
}

#[test]
fn the_other_intervals_stand_on_their_side_of_the_interval() {
    refuses(
        "probe",
        "confirm_interval = \"2s\"",
        "probe.confirm_interval: 2s is above the interval, 1s (the default)\n  \
         help: lower it, or raise the interval: a doubt is settled faster than the usual rounds, not slower",
    );
    refuses(
        "probe",
        "standby_interval = \"2s\"\ninterval = \"3s\"",
        "probe.standby_interval: 2s is below the interval, 3s (line 5)\n  help: raise it, or lower the interval",
    );
    // With the default unknown, nothing can be said about it.
    refuses(
        "probe",
        "profile = \"slow\"\nconfirm_interval = \"2s\"",
        "probe.profile: `slow` is not one of the choices\n  help: choose \"steady\", \"fast\" or \"gentle\"",
    );
}

#[test]
fn a_fixed_timeout_has_bounds() {
    let rule = "help: choose from 1ms to 10s: a line that answers later carries no traffic";
    let found = "probe.timeout: must be at least 1ms, is 0.5ms";
    refuses("probe", "timeout = \"0.5ms\"", &format!("{found}\n  {rule}"));
    let found = "probe.timeout: must be at most 10s, is 11s";
    refuses("probe", "timeout = \"11s\"\ninterval = \"5s\"", &format!("{found}\n  {rule}"));
    refuses(
        "probe",
        "timeout = \"1s\"\ninterval = \"99ms\"",
        "probe.timeout: 1s is more than 10 times the interval, 99ms (line 5)\n  \
         help: lower it to 990ms at most, or raise the interval",
    );
    refuses(
        "probe",
        "timeout = \"adaptiv\"",
        "probe.timeout: `adaptiv` is neither `adaptive` nor a duration\n  \
         help: write \"adaptive\" or a duration, such as \"500ms\"",
    );
}

#[test]
fn an_adaptive_timeout_has_bounds() {
    refuses(
        "probe",
        "timeout_floor = \"1.5s\"",
        "probe.timeout_floor: 1.5s is above the timeout ceiling, 1s (the default)\n  \
         help: lower it, or raise the ceiling",
    );
    refuses(
        "probe",
        "timeout_floor = \"0s\"",
        "probe.timeout_floor: must be at least 1ms, is 0s\n  \
         help: choose from 1ms to 10s: the measured time of the path is used from there on",
    );
    refuses(
        "probe",
        "timeout_ceiling = \"11s\"",
        "probe.timeout_ceiling: must be at most 10s, is 11s\n  \
         help: choose from 1ms to 10s: a line that answers later carries no traffic",
    );
    refuses(
        "probe",
        "timeout_ceiling = \"3s\"\ninterval = \"250ms\"",
        "probe.timeout_ceiling: 3s is more than 10 times the interval, 250ms (line 5)\n  \
         help: lower it to 2.5s at most, or raise the interval",
    );
    refuses(
        "probe",
        "silence = \"61s\"",
        "probe.silence: must be at most 60s, is 61s\n  \
         help: choose from 0s to 60s: a minute without an answer is an outage on any line",
    );
}

#[test]
fn a_fixed_timeout_leaves_no_use_for_the_adaptive_keys() {
    for key in ["timeout_floor", "timeout_ceiling", "silence"] {
        refuses(
            "probe",
            &format!("{key} = \"500ms\"\ntimeout = \"1s\""),
            &format!(
                "probe.{key}: belongs to an adaptive timeout, but the timeout is fixed\n  \
                 help: leave it out, or write timeout = \"adaptive\""
            ),
        );
    }
}

#[test]
fn rounds_have_bounds() {
    let rule = "help: choose from 1 to 1000: that many rounds in a row make the verdict";
    for key in ["fall", "rise"] {
        refuses("probe", &format!("{key} = 0"), &format!("probe.{key}: must be at least 1, is 0\n  {rule}"));
        let found = format!("probe.{key}: must be at most 1000, is 1001\n  {rule}");
        refuses("probe", &format!("{key} = 1001"), &found);
    }
    refuses(
        "probe",
        "fall = 99999999999999999999999999999999999999999999",
        "probe.fall: is too large a number\n  help: write a smaller one",
    );
}

#[test]
fn a_quorum_is_within_reach_of_every_uplink_and_family() {
    refuses(
        "probe",
        "quorum = 0",
        "probe.quorum: must be at least 1, is 0\n  \
         help: choose from 1 to 1000: that many targets must answer for a round to be good",
    );
    refuses(
        "probe",
        "quorum = 2\ntargets = [\"192.0.2.1\", \"192.0.2.2\", \"2001:db8::1\"]",
        "probe.quorum: is 2, but uplink `eth0` has 1 ipv6 target\n  \
         help: choose 1 at most, or name more targets: no round could be good",
    );
    // A family that has no targets at all has no rounds either.
    accepted_with("[probe]\nquorum = 2\ntargets = [\"192.0.2.1\", \"192.0.2.2\"]\n");
}

#[test]
fn thresholds_have_bounds() {
    refuses(
        "probe",
        "degraded_loss_percent = 0",
        "probe.degraded_loss_percent: must be at least 1, is 0\n  \
         help: choose from 1 to 100: it is a share of the probes in percent",
    );
    refuses(
        "probe",
        "clear_loss_percent = 101",
        "probe.clear_loss_percent: must be at most 100, is 101\n  \
         help: choose from 0 to 100: it is a share of the probes in percent",
    );
    refuses(
        "probe",
        "degraded_rtt = \"0s\"",
        "probe.degraded_rtt: must be at least 1ms, is 0s\n  \
         help: choose from 1ms to 10s: later answers count as lost",
    );
    refuses(
        "probe",
        "degraded_rtt = \"2s\"",
        "probe.degraded_rtt: 2s is above the longest timeout, 1s\n  \
         help: lower it, or raise the timeout: later answers count as lost",
    );
}

#[test]
fn a_recovery_threshold_is_not_above_the_failure_threshold() {
    refuses(
        "probe",
        "clear_loss_percent = 21",
        "probe.clear_loss_percent: 21 is above the loss that degrades, 20 (the default)\n  \
         help: lower it: an uplink would be degraded and clear at once",
    );
    refuses(
        "probe",
        "clear_rtt = \"301ms\"\ndegraded_rtt = \"300ms\"",
        "probe.clear_rtt: 301ms is above the time that degrades, 300ms (line 5)\n  \
         help: lower it: an uplink would be degraded and clear at once",
    );
}

#[test]
fn the_window_holds_some_rounds_and_not_too_many() {
    refuses(
        "probe",
        "degraded_window = \"0.5s\"",
        "probe.degraded_window: must be at least 1s, is 500ms\n  \
         help: choose from 1s to 24h: loss is counted over it",
    );
    refuses(
        "probe",
        "degraded_window = \"4s\"\ninterval = \"5s\"",
        "probe.degraded_window: 4s is below the interval, 5s (line 5)\n  \
         help: raise it: it would hold no round at all",
    );
    refuses(
        "probe",
        "degraded_window = \"10m\"\ninterval = \"50ms\"",
        "probe.degraded_window: 10m holds more than 10000 rounds of the interval, 50ms (line 5)\n  \
         help: lower it to 500s at most, or raise the interval",
    );
}
