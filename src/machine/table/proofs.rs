//! What is proven, by which test and on which level: tests/formal checks that the claims of the walk are its tests, and
//! tests/states.rs that there is a test for each of the others.

use ::core::fmt::Write;

/// How a claim is shown to be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Asked of every reachable state and every step of the core.
    Walk,
    /// Random cases of one part of the engine.
    Property,
    /// The engine beside a specification, in random histories.
    Lockstep,
    /// The whole engine in a simulated world.
    Simulation,
    /// The simulated kernel beside Linux.
    Parity,
    /// The daemon itself on interfaces of a real kernel.
    Kernel,
}

impl Level {
    /// As it is called in STATES.md.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Walk => "walk",
            Self::Property => "property",
            Self::Lockstep => "lockstep",
            Self::Simulation => "simulation",
            Self::Parity => "parity",
            Self::Kernel => "kernel",
        }
    }
}

/// Claims about one matter.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// How they are shown to be true.
    pub level: Level,
    /// The claims.
    pub claims: &'static [Claim],
}

/// Something that holds in every reachable state, or of every step.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The test that proves it.
    pub test: &'static str,
    /// The claim in words.
    pub text: &'static str,
}

/// All of them.
pub const GROUPS: &[Group] = &[
    Group {
        title: "Health",
        level: Level::Walk,
        claims: &[
            Claim {
                test: "news_of_one_uplink_leaves_the_health_of_the_others_alone",
                text: "What is heard of one uplink never changes the health of another, and nothing but news about an uplink changes its health.",
            },
            Claim {
                test: "bad_news_makes_an_uplink_unusable_at_once",
                text: "After `Dead`, `Unready` or `Drain` the uplink is not usable.",
            },
            Claim {
                test: "only_a_good_verdict_makes_an_uplink_usable",
                text: "Carrier alone does not: only `Good` makes an unusable uplink usable.",
            },
            Claim {
                test: "a_drained_uplink_comes_back_only_by_the_operator",
                text: "Drained stays drained, whatever carrier and probes say, until `Undrain`.",
            },
            Claim {
                test: "an_uplink_that_is_given_back_proves_itself_anew",
                text: "`Undrain` leads to Probation with a fresh series of probes, or to Unready.",
            },
            Claim {
                test: "probing_starts_and_stops_exactly_with_the_need",
                text: "`Watch` and `Unwatch` alternate, and an uplink is probed exactly while it has carrier, address and gateway.",
            },
            Claim {
                test: "a_drained_uplink_carries_nothing",
                text: "The active uplink is never a drained one, in any mode.",
            },
        ],
    },
    Group {
        title: "Selection",
        level: Level::Walk,
        claims: &[
            Claim {
                test: "a_usable_uplink_exists_exactly_when_not_stranded",
                text: "*Stranded* means that no uplink is healthy or degraded.",
            },
            Claim {
                test: "a_chosen_uplink_is_usable_unless_stranded",
                text: "Primary and Fallback are on a usable uplink as long as there is one.",
            },
            Claim {
                test: "while_stranded_traffic_moves_only_by_order",
                text: "All down: no switching, but by the operator. (To adopt what an earlier run left is to learn, not to switch.)",
            },
            Claim {
                test: "a_healthy_uplink_is_left_only_by_a_timer_or_by_order",
                text: "Without an order only a timer, the stable window of a better one, moves traffic away from a healthy uplink.",
            },
            Claim {
                test: "a_degraded_uplink_is_left_only_for_a_healthy_one_or_by_order",
                text: "A degraded uplink is not left for a degraded one.",
            },
            Claim {
                test: "with_leave_degraded_off_a_degraded_uplink_is_left_only_by_a_timer_or_by_order",
                text: "With `leave_degraded = false` degraded is as good a reason to stay as healthy.",
            },
            Claim {
                test: "the_way_home_from_a_healthy_uplink_is_the_expired_window_of_the_better_one_or_an_order",
                text: "Failback takes the stable window of the very uplink that traffic returns to.",
            },
            Claim {
                test: "traffic_goes_to_an_unproven_uplink_only_by_order_or_adoption",
                text: "By itself the selector chooses on evidence only.",
            },
            Claim {
                test: "one_step_moves_traffic_at_most_once_and_every_move_is_announced_once",
                text: "Each move has exactly one `Announce`, with the right ends, and nothing else has one.",
            },
            Claim {
                test: "every_move_is_planned_at_once_or_pending",
                text: "After a move there is a `Plan` in the same step, or the conversation is in a state whose next answer, or next complete dump, brings one.",
            },
            Claim {
                test: "primary_is_the_best_tier_and_proving_a_fallback_with_a_window",
                text: "The names tell the truth: Primary is on the best tier; Fallback is not; proving means that a window runs.",
            },
            Claim {
                test: "boot_ends_as_soon_as_an_uplink_of_the_best_tier_is_healthy",
                text: "A healthy uplink of the best tier ends Boot (unless another one is adopted, and still proving itself).",
            },
            Claim {
                test: "past_its_deadline_boot_takes_whatever_is_usable",
                text: "Boot past its deadline and a usable uplink do not go together.",
            },
            Claim {
                test: "boot_comes_back_only_when_the_operator_leaves_nothing_to_choose",
                text: "Being stranded is no reason to forget where traffic was.",
            },
            Claim {
                test: "the_wheel_changes_hands_only_by_order",
                text: "Between automatic and manual only the operator decides; to drain a pinned uplink counts as his decision.",
            },
            Claim {
                test: "every_order_is_obeyed",
                text: "`use` pins (unless the uplink is drained), `freeze` freezes where traffic is, `auto` releases; in every state.",
            },
            Claim {
                test: "a_pin_holds_until_it_is_released",
                text: "Healthy or not: until `auto`, another `use`, `freeze`, or the draining of that uplink.",
            },
            Claim {
                test: "frozen_traffic_moves_only_by_order",
                text: "Frozen traffic stays where it is, even on a dead uplink, until the operator says otherwise or drains that uplink.",
            },
        ],
    },
    Group {
        title: "Timers",
        level: Level::Walk,
        claims: &[
            Claim {
                test: "a_timer_runs_exactly_in_the_state_that_owns_it",
                text: "`BootDeadline` in Boot, `Retry` in Backoff, `Stable` for each healthy uplink that is better than the active one, in Fallback. None elsewhere, none missing.",
            },
            Claim {
                test: "arming_and_disarming_account_for_every_timer",
                text: "Whoever carries out `Arm` and `Disarm` has exactly the timers that the core thinks it has.",
            },
            Claim {
                test: "a_running_timer_is_restarted_by_a_missed_round_of_its_uplink_and_by_nothing_else",
                text: "One failed round restarts the stable window; nothing else prolongs any timer.",
            },
            Claim {
                test: "a_window_ends_only_after_uninterrupted_health",
                text: "Along every run: when a window ends, its uplink was healthy without a failed round since it was started.",
            },
            Claim {
                test: "an_expired_timer_is_gone_and_was_waited_for",
                text: "No timer expires in vain, and none fires twice.",
            },
            Claim {
                test: "runs_of_timers_come_to_an_end",
                text: "The core never goes on for ever by itself.",
            },
        ],
    },
    Group {
        title: "The conversation with the kernel",
        level: Level::Walk,
        claims: &[
            Claim {
                test: "never_are_two_plans_in_flight",
                text: "Along every run: `Plan` only when the last one has been answered, and the state knows whether one is out.",
            },
            Claim {
                test: "nothing_is_planned_before_the_kernel_has_been_read",
                text: "Along every run: no `Plan` between lost notifications, a failed dump or a refusal, and the next complete dump.",
            },
            Claim {
                test: "the_kernel_is_being_read_whenever_it_is_unknown",
                text: "Along every run: in Unsynced a dump is on its way.",
            },
            Claim {
                test: "clean_means_that_the_kernel_accepted_a_plan_and_nothing_has_changed_since",
                text: "Along every run: Clean only with the last plan accepted and not outdated.",
            },
            Claim {
                test: "a_refused_plan_is_retried_or_superseded",
                text: "A refusal leads to Backoff with its timer, or to a plan that supersedes it after the dump; the retry begins with a dump.",
            },
            Claim {
                test: "clean_is_within_reach_from_everywhere",
                text: "A kernel that answers, and the retry timer, are enough.",
            },
        ],
    },
    Group {
        title: "Recovery and the end",
        level: Level::Walk,
        claims: &[
            Claim {
                test: "primary_is_within_reach_from_everywhere",
                text: "The best uplink's own good news, `undrain`, `auto` and timers are enough.",
            },
            Claim {
                test: "an_automatic_selection_finds_home_without_the_operator",
                text: "Unless the operator holds the wheel or has drained the best uplink, good news and timers are enough.",
            },
            Claim {
                test: "stop_is_accepted_everywhere_and_finishes_without_a_change",
                text: "`Stop` asks for `Finish`, changes nothing, and nothing else asks for it.",
            },
            Claim {
                test: "an_ignored_event_changes_nothing_and_asks_for_nothing",
                text: "What nobody wants has no effect whatsoever.",
            },
        ],
    },
    Group {
        title: "Agreement with the rules as written",
        level: Level::Walk,
        claims: &[
            Claim {
                test: "health_agrees_with_the_naive_rules",
                text: "A second writing of the health rules agrees on every step.",
            },
            Claim {
                test: "the_choice_of_the_uplink_agrees_with_the_naive_rules",
                text: "A second writing of the selection rules, from the document, names the same active uplink after every step.",
            },
        ],
    },
    Group {
        title: "The whole engine and what the documents say",
        level: Level::Lockstep,
        claims: &[
            Claim {
                test: "the_selection_of_two_uplinks_is_what_the_whole_history_says",
                text: "After every step the healths, the selection, since when, the stable windows, and when something may change next are what a specification works out anew from all that ever happened: rounds, carriers, orders.",
            },
            Claim {
                test: "the_selection_of_three_uplinks_is_what_the_whole_history_says",
                text: "The same of three uplinks, also of equal tiers.",
            },
            Claim {
                test: "verdicts_are_what_a_recount_of_every_round_says",
                text: "Of one uplink's monitor: its verdict, timeout, loss, delay and next round, are what a recount of all its rounds says: early, late, doubled and missing answers, complaints, overflows.",
            },
        ],
    },
    Group {
        title: "The difference between what is there and what should be",
        level: Level::Property,
        claims: &[
            Claim {
                test: "ipv4_is_reached_in_one_pass_always_routed_and_strangers_are_left_alone",
                text: "From whatever the kernel has to whatever is wanted in one pass; where both have a default route, there is one after every single operation; nothing of a stranger's is touched but what is taken over on purpose; a second pass has nothing to do.",
            },
            Claim {
                test: "ipv6_is_reached_in_one_pass_always_routed_and_strangers_are_left_alone",
                text: "The same for IPv6, whose rules for replacing differ: what a stranger's route blocks is not reached, and reported.",
            },
        ],
    },
    Group {
        title: "The whole engine in the weather",
        level: Level::Simulation,
        claims: &[
            Claim {
                test: "no_history_breaks_what_must_hold",
                text: "In random hours of failing lines, edits, refusals, lost notifications and crashes: no plan leaves the box without a default route; at rest the best of ours leads by the active uplink; traffic moves only to a usable uplink; no route and no rule of a stranger's is changed by a plan, but what is taken over; an outage that another line could have ended is over after detection, proof and boot deadline (asked where nothing excuses it: no order, no lossy or slow line, no silent target, no better route of a stranger's, no refusal); two switches at most for each thing that happens, unless lines lose or delay; and a replay of the inputs decides the same.",
            },
            Claim {
                test: "a_line_that_dies_alone_is_left_within_the_detection_bound_and_gone_back_to_after_the_window",
                text: "Where nothing else happens, with settings, delays and the moment at random: a line that dies is left within the detection bound and one round, at once if the kernel tells; and gone back to after the stable window, neither sooner nor much later, without an outage.",
            },
            Claim {
                test: "another_line_that_dies_moves_nothing",
                text: "The death of another line moves nothing.",
            },
            Claim {
                test: "a_line_that_flaps_is_gone_back_to_no_more_often_than_the_rule_says",
                text: "A line that flaps for an hour is gone back to no more often than the doubling windows allow.",
            },
            Claim {
                test: "every_story_ends_as_it_says",
                text: "Ways to fail that are known from the field have a story each, with what is expected, and its timeline is a snapshot; those that need a kernel or another address are trials of tests/netns.",
            },
        ],
    },
    Group {
        title: "The simulated kernel and Linux",
        level: Level::Parity,
        claims: &[
            Claim {
                test: "the_seed_of_every_day",
                text: "The same operations have the same errno, notifications and dumps in the simulated kernel and in the kernel that the tests run on: of what an operation touches after each one, of everything at the end of each sequence.",
            },
            Claim { test: "the_seed_of_today", text: "The same with other operations every day." },
            Claim {
                test: "a_model_that_is_wrong_is_found_out",
                text: "The comparison can fail: lies about the kernel are found out.",
            },
        ],
    },
    Group {
        title: "The daemon on real interfaces",
        level: Level::Kernel,
        claims: &[
            Claim {
                test: "silent_loss_at_the_default_timings_costs_two_seconds_at_most",
                text: "A line with a short round trip that dies behind a live gateway costs a client two seconds at most.",
            },
            Claim {
                test: "a_pulled_cable_costs_a_tenth_of_a_second_and_a_half_at_most",
                text: "A pulled cable costs 150 ms at most.",
            },
            Claim {
                test: "a_planned_move_loses_nothing_in_either_direction",
                text: "A failback loses no packet of a flow that is not masqueraded.",
            },
            Claim {
                test: "both_down_primary_first_and_the_primary_returns_first",
                text: "Nothing moves while both are down; the first to return carries traffic, here the primary, which was left.",
            },
            Claim {
                test: "both_down_backup_first_and_the_backup_returns_first",
                text: "The same where the backup went first and returns first.",
            },
            Claim {
                test: "a_crash_in_fallback_and_a_restart_change_no_route",
                text: "`kill -9` and a restart change no route.",
            },
            Claim {
                test: "killed_again_and_again_at_any_moment_nothing_is_doubled",
                text: "However often and whenever it is killed, nothing is there twice.",
            },
            Claim {
                test: "what_is_not_ours_is_left_alone_through_a_failover_and_an_end",
                text: "What is not ours is left alone.",
            },
            Claim {
                test: "cleanup_after_a_crash_removes_what_is_ours_and_only_that",
                text: "`cleanup` removes what is ours and only that.",
            },
            Claim {
                test: "notifications_that_were_lost_are_made_up_for_by_a_fresh_look",
                text: "Lost notifications are made up for.",
            },
            Claim {
                test: "forged_and_truncated_answers_do_not_keep_a_dead_line_alive",
                text: "Nobody who does not see the probes can answer for a dead line.",
            },
        ],
    },
];

/// One table for each group.
pub(super) fn markdown() -> String {
    let mut text = String::new();
    for group in GROUPS {
        let _ = writeln!(text, "{}:\n\n| claim | test | level |\n|---|---|---|", group.title);
        for claim in group.claims {
            let _ = writeln!(text, "| {} | `{}` | {} |", claim.text, claim.test, group.level.name());
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
