//! When traffic moves and when it does not, as a client measures it.

use super::Case;
use super::site::{Site, same};
use libtest_mimic::Failed;
use uplinkd::engine::Family;

pub(super) const CASES: &[Case] =
    &[("silent_loss_behind_a_live_gateway_moves_traffic_and_the_window_brings_it_home", silent_loss)];

fn silent_loss() -> Result<(), Failed> {
    let site = Site::settled()?;
    site.world.change(0, |line| line.both(|path| path.to_internet.blackhole = true))?;
    site.wait_for("fallback", "wan1")?;
    same(
        &site.defaults(Family::V4)?,
        &vec![
            "default via 198.51.100.1 dev wan1 proto 117 metric 5".to_owned(),
            "default via 192.0.2.1 dev wan0 proto 117 metric 10".to_owned(),
            "default via 198.51.100.1 dev wan1 proto 117 metric 20".to_owned(),
        ],
        "main table in Fallback",
    )?;
    site.world.change(0, |line| line.both(|path| path.to_internet.blackhole = false))?;
    site.wait_for("primary", "wan0")?;
    Ok(())
}
