//! What is wrong with a story is told with its place and what to write instead.

use uplinkd::cli::simulate::load;

fn refused(text: &str) -> String {
    load("story.txt", text, None).expect_err("wrong")
}

#[test]
fn everything_that_is_wrong_with_a_story_is_told_at_once() {
    insta::assert_snapshot!(refused(
        "at 10s explode fiber upstream\n\
         at 10s cut copper upstream\n\
         at 9 cut fiber upstream\n\
         at 12s cut fiber roof\n\
         at 11s cut fiber upstream\n\
         at 12s lose 30 on fiber\n\
         at 12s lose 300% on fiber\n\
         at 13s limit 203.0.113.1 to many\n\
         at 13s silence nobody\n\
         at 14s operator dance\n\
         at 14s stranger add rules\n\
         at 14s cut fiber upstream now\n\
         expect active copper by 20s\n\
         expect active fiber until 20s\n\
         expect peace by 20s\n\
         expect route dev eth0 by 20s\n\
         expect no rain until 20s\n\
         frobnicate\n\
         at\n\
         end never\n\
         end 5s\n\
         set probe.fall = 0\n\
         uplink cable\n"
    ));
}

#[test]
fn what_is_wrong_with_an_uplink_is_told_at_its_line_and_its_name_is_known() {
    insta::assert_snapshot!(refused(
        "uplink fiber tier 0\n\
         uplink cable tier 1 tier 2\n\
         uplink lte gateway here\n\
         uplink stick beside lte\n\
         uplink dsl tier low\n\
         at 10s cut stick upstream\n\
         at 10s cut dsl upstream\n\
         uplink late tier 9\n"
    ));
}

#[test]
fn what_is_wrong_with_the_settings_is_told_at_their_line() {
    let text =
        "# a story\n\nset failover.stable_window = \"soon\"\nset probe.fall = 0\nuplink fiber\nuplink lte\n";
    insta::assert_snapshot!(refused(text));
}

#[test]
fn no_text_whatever_upsets_the_reader() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(2048), |(
        words in proptest::collection::vec(
            prop_oneof![
                Just("at"), Just("10s"), Just("expect"), Just("cut"), Just("fiber"), Just("upstream"), Just("\n"), Just("é"),
                Just("set"), Just("by"), Just("\""), Just("no"), Just("route"), Just("lose"), Just("99999999999999999999h"),
                Just("1.99999999999999s"), Just("."), Just("uplink"), Just("stranger"), Just("#"), Just("active"), Just("nothing"),
            ],
            0..40,
        )
    )| {
        _ = load("story.txt", &words.join(" "), None);
    });
}
