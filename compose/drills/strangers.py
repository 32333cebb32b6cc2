"""Others who write routes: a real DHCP client with its own ideas about the default route."""

import signal
import time

from harness.drill import CABLE_S, drill

RENEWALS = 3
# How long one may take, and the pause between two.
RENEWAL_S, PAUSE_S = 5, 0.5


@drill(
    "dhcp",
    11,
    f"the primary's DHCP client renews {RENEWALS} times, at home and in Fallback, and writes its own default route",
)
def dhcp(site):
    site.begin()
    site.strangers(RENEWALS)
    site.moves("wan2", "wan1")
    site.watch_routes()
    begun = time.monotonic()
    renew(site)
    site.lost_nothing("renewed at home", begun, moves=0)
    home = writes(site)
    site.lines.silence(0)
    site.daemon.wait_for("fallback", "wan2")
    time.sleep(0.5)
    begun = time.monotonic()
    # Each renewal sends traffic into a dead line until its route is taken over.
    renew(site)
    site.gap_at_most("renewed in Fallback", begun, CABLE_S)
    away = writes(site) - home
    site.promise("it really wrote its route each time", f"{home} and {away} times", home >= RENEWALS and away >= RENEWALS)
    status = site.daemon.wait("an answer", lambda status: True)
    notices = status["families"]["ipv4"].get("notices")
    site.promise("nothing outranks ours", "; ".join(map(str, notices or [])) or "nothing", notices == [])
    site.comes_home(site.lines.clear(0))


def renew(site):
    for _ in range(RENEWALS):
        before, end = writes(site), time.monotonic() + RENEWAL_S
        site.world.router.signal("dhcp", signal.SIGUSR1)
        while writes(site) == before and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(PAUSE_S)


def writes(site):
    """How often a default route of metric 0 by the primary appeared."""
    return sum(
        line.startswith("default via 192.0.2.1 dev wan1") and "metric" not in line and "table" not in line
        for line in site.routes_seen()
    )


@drill("lease", 11, "the lease given back, with address and all routes of the interface, and obtained anew")
def lease(site):
    site.begin()
    site.strangers(2)
    site.moves("wan2", "wan1")
    gone = time.monotonic()
    site.world.router.signal("dhcp", signal.SIGUSR2)
    site.daemon.wait_for("fallback", "wan2")
    site.daemon.wait_for_health("wan1", "unready")
    site.gap_at_most("lease given back", gone, CABLE_S)
    back = time.monotonic()
    site.world.router.signal("dhcp", signal.SIGUSR1)
    site.world.wait_for_lease()
    # The DHCP client's own route is one move there and one back.
    site.comes_home(back, slack_s=5, moves=3)
