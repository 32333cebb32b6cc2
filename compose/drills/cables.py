"""Cables and interfaces: what the kernel notices at once."""

import time

from harness.drill import CABLE_S, drill

FLAPS = 20
# A cable with a loose contact.
FLAP_S = 0.25


@drill("cable", 1, "the cable of the primary pulled and put back")
def cable(site):
    site.begin()
    site.moves("wan2", "wan1")
    pulled = site.lines.pull("wan1")
    site.daemon.wait_for("fallback", "wan2")
    time.sleep(1)
    site.gap_at_most("cable pulled", pulled, CABLE_S)
    back = site.lines.plug("wan1")
    site.comes_home(back)


@drill("flaps", 8, f"the cable of the primary pulled and put back {FLAPS} times in {2 * FLAPS * FLAP_S:.0f} s")
def flaps(site):
    site.begin()
    # One way there and one way back, however often it flaps.
    site.moves("wan2", "wan1")
    begun = time.monotonic()
    for _ in range(FLAPS):
        site.lines.pull("wan1")
        time.sleep(FLAP_S)
        back = site.lines.plug("wan1")
        time.sleep(FLAP_S)
    site.gap_at_most(f"{FLAPS} flaps", begun, CABLE_S, end=back)
    site.comes_home(back)


@drill("interface", 12, "the primary's interface removed and added again, with another index")
def interface(site):
    site.begin()
    # The DHCP client puts its default route on the new interface.
    site.strangers(2)
    site.moves("wan2", "wan1")
    gone = site.lines.unplug_card("wan1")
    site.daemon.wait_for("fallback", "wan2")
    site.daemon.wait_for_health("wan1", "unready")
    site.gap_at_most("interface removed", gone, CABLE_S)
    back = site.lines.plug_card("wan1")
    site.world.wait_for_lease()
    # The window cannot begin before there is an address.
    # The DHCP client's own route is one move there and one back.
    site.comes_home(back, slack_s=5, moves=3)
