//! How long an outage is for a client, with the timings that users have.

use super::Case;
use super::site::Site;
use super::traffic::Traffic;
use libtest_mimic::Failed;
use std::time::Duration;
use uplinkd::lab::World;

pub(super) const CASES: &[Case] = &[
    ("silent_loss_at_the_default_timings_costs_two_seconds_at_most", || silent("--profile=steady", 2000)),
    ("silent_loss_with_the_fast_profile_costs_a_quarter_of_a_second_at_most", || {
        silent("--profile=fast", 250)
    }),
    ("a_planned_move_loses_nothing_in_either_direction", planned),
];

/// The other flags at their defaults; the targets are the only ones that there are.
fn silent(profile: &str, limit_ms: u64) -> Result<(), Failed> {
    let world = World::builder().build()?;
    let mut arguments = vec![profile.to_owned()];
    arguments.extend((1..=3).map(|number| format!("--ping-target={}", World::target(number))));
    arguments.extend(["--primary-gateway=192.0.2.1", "--secondary-gateway=198.51.100.1"].map(str::to_owned));
    let site = Site::bare(world, arguments)?.rested()?;
    let traffic = Traffic::start(&site)?;
    let dead = traffic.mark();
    site.blackhole(0, true)?;
    site.wait_for("fallback", "wan1")?;
    traffic.gap_at_most(dead, Duration::from_millis(limit_ms), "silent loss").map(drop)
}

/// A line that is too slow is left while it still answers.
const SLOW: &str = r#"
[[uplink]]
interface = "wan0"
gateway = "192.0.2.1"
[[uplink]]
interface = "wan1"
gateway = "198.51.100.1"
[probe]
interval = "50ms"
confirm_interval = "50ms"
standby_interval = "50ms"
timeout = "500ms"
targets = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
degraded_window = "2s"
degraded_rtt = "120ms"
clear_rtt = "60ms"
[failover]
stable_window = "2s"
"#;

fn planned() -> Result<(), Failed> {
    let site = Site::configured(SLOW)?.rested()?;
    let traffic = Traffic::start(&site)?;
    let slow = traffic.mark();
    site.world.change(0, |line| line.round_trip(Duration::from_millis(200)))?;
    site.wait_for("fallback", "wan1")?;
    traffic.lost_nothing(slow, "leaving a slow line")?;
    let quick = traffic.mark();
    site.world.change(0, |line| line.round_trip(Duration::ZERO))?;
    site.wait_for("primary", "wan0")?;
    traffic.lost_nothing(quick, "going home")
}
