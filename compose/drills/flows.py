"""What happens to connections when their line changes."""

import time

from harness import traffic as t
from harness.drill import drill, ms
from harness.errors import Broken

# A connection whose masqueraded address is gone learns of it when it next says something. Its keepalive speaks after a
# second of silence and each second from then on; the kernel drops the first packet by the new line, the far end resets
# the connection at the next. Who sends no keepalives hangs until its own timeout: uplinkd tells nobody.
RESET_S = 3.0
# One is sent each second, and the first by the new line counts: nobody remembers the old one (flow flush).
KEEPALIVE_LIMIT_S = 1.0


@drill("download", 14, "TCP downloads across failover and failback")
def download(site):
    site.begin()
    site.moves("wan2", "wan1")
    # One that is bound to the backup's address, and so stays on it whatever happens.
    folder = site.daemon.there
    site.world.router.start("bound", "/usr/bin/python3", "/drill/client.py", "download", folder, "198.51.100.10")
    time.sleep(1)
    pulled = site.lines.pull("wan1")
    site.daemon.wait_for("fallback", "wan2")
    reset_within(site, "failover", pulled)
    back = site.lines.plug("wan1")
    site.daemon.wait_for("primary", "wan1")
    home = site.traffic.came(1, back) or time.monotonic()
    reset_within(site, "failback", home)
    site.world.router.signal("bound", 9)
    events = site.traffic.downloads(folder=site.daemon.here)
    ends = [event["event"] for event in events if event["event"] not in ("connected", "going")]
    longest = max((b["t"] - a["t"] for a, b in zip(events, events[1:])), default=99.0)
    kib = events[-1].get("bytes", 0) >> 10 if events else 0
    site.promise(
        "on the line that stayed: survives, never two seconds without progress",
        f"{', '.join(ends) or 'survived'}, longest pause {ms(longest)}, {kib} KiB",
        not ends and longest < 2,
        timed=True,
    )
    site.gap_at_most("cable pulled", pulled, 0.150, end=back)


def reset_within(site, what, since):
    """The masqueraded one ends soon, and the next one works."""
    deadline = time.monotonic() + 20
    ended = fresh = None
    while time.monotonic() < deadline and not (ended and fresh):
        events = site.traffic.downloads(since)
        ended = next((one for one in events if one["event"] not in ("connected", "going")), None)
        fresh = ended and next((one for one in events if one["event"] == "going" and one["t"] > ended["t"]), None)
        time.sleep(0.1)
    took = ended["t"] - since if ended else 99.0
    measured = (
        f"{ended['event']} after {ms(took)}, the next one runs {ms(fresh['t'] - ended['t'])} later" if fresh else "hangs"
    )
    ok = bool(fresh) and ended["event"] == "reset" and took <= RESET_S
    site.promise(f"{what}: with its address gone it is reset ≤ {ms(RESET_S)}", measured, ok, timed=True)


@drill("keepalive", 15, "a masqueraded UDP keepalive each second, as of SIP, across failover and failback")
def keepalive(site):
    site.begin(keepalive=True)
    site.moves("wan2", "wan1")
    # Both switches half a second away from a keepalive, so that both wait equally long.
    between_keepalives(site, 0.0)
    site.lines.pull("wan1")
    site.daemon.wait_for("fallback", "wan2")
    reaches(site, "failover", "wan2", 2)
    # Home goes half a second to prove itself, and then the window.
    between_keepalives(site, 0.5 + site.daemon.window_s)
    site.lines.plug("wan1")
    site.daemon.wait_for("primary", "wan1")
    reaches(site, "failback", "wan1", 1)


def between_keepalives(site, ahead_s):
    """Waits until it is so long before the middle between two keepalives, one of which is sent each second."""
    sent = max(at for at, _ in site.traffic.book("sent", t.KEEPALIVE).values())
    time.sleep((sent + 0.5 - ahead_s - time.monotonic()) % 1.0)


def reaches(site, what, uplink, provider):
    switches = [at for at, _, new in site.daemon.switches() if new == uplink]
    if not switches:
        raise Broken(f"the log tells of no switch to {uplink}")
    switched = switches[-1]
    end = time.monotonic() + 5
    while (at := site.traffic.arrived(provider, switched, t.KEEPALIVE)) is None and time.monotonic() < end:
        time.sleep(0.05)
    took = None if at is None else at - switched
    measured = "not within 5 s" if took is None else ms(took)
    promise = f"{what}: a keepalive at the far end by {uplink} ≤ {ms(KEEPALIVE_LIMIT_S)} after the switch"
    site.promise(promise, measured, took is not None and took <= KEEPALIVE_LIMIT_S, timed=True)
