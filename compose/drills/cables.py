"""Cables and interfaces: what the kernel notices at once."""

import time

from harness.drill import CABLE_S, drill


@drill("cable", 1, "the cable of the primary pulled and put back")
def cable(site):
    site.begin()
    site.moves("wan2", "wan1")
    pulled = site.lines.pull("wan1")
    site.daemon.wait_for("fallback", "wan2")
    time.sleep(1)
    site.gap_at_most("cable pulled", pulled, CABLE_S)
    back = site.lines.plug("wan1")
    site.daemon.wait_for("primary", "wan1")
    time.sleep(0.5)
    site.lost_nothing("failback", back)
    site.home_after_the_window(back)
