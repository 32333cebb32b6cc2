"""The daemon's and the router's ends and beginnings: traffic does not notice the one and survives the other."""

import time

from harness.drill import CABLE_S, drill, ms

# How long there is no daemon.
GONE_S = 1.5
# A download whose line is gone is reset within two seconds, and the next one runs.
NEXT_DOWNLOAD_S = 3.5
# From the moment at which the router has its interfaces until the client is served.
BOOT_S = 5.0


@drill("killed", 9, "kill -9 of the daemon in Fallback, and a restart that adopts")
def killed(site):
    site.begin()
    site.moves("wan2", "wan1")
    site.lines.silence(0)
    site.daemon.wait_for("fallback", "wan2")
    time.sleep(NEXT_DOWNLOAD_S)
    site.watch_routes()
    died = site.daemon.kill()
    time.sleep(GONE_S)
    site.lost_nothing("daemon dead", died, moves=0)
    # Alive again, but proven to nobody: no reason to go back to it.
    cleared = site.lines.clear(0)
    site.daemon.start()
    site.daemon.wait_for("fallback", "wan2")
    time.sleep(1)
    site.no_change("the restart adopts: no route changed")
    site.download_goes_on("daemon dead, and back", died)
    site.comes_home(cleared, what="restart and failback")


@drill("killed-cable", 9, "kill -9 of the daemon, and then the cable of the primary is pulled")
def killed_cable(site):
    site.begin()
    site.moves("wan2", "wan1")
    site.daemon.kill()
    # The kernel passes over it by itself: it has been told to.
    pulled = site.lines.pull("wan1")
    time.sleep(GONE_S)
    site.gap_at_most("cable pulled with no daemon", pulled, CABLE_S)
    begun = time.monotonic()
    site.daemon.start()
    site.daemon.wait_for("fallback", "wan2")
    site.lost_nothing("the daemon starts", begun, moves=0)
    site.comes_home(site.lines.plug("wan1"))


@drill("upgrade", 17, "SIGTERM, and a start from another file, as a package's upgrade does it")
def upgrade(site):
    site.begin()
    site.watch_routes()
    begun = time.monotonic()
    took = site.daemon.stop()
    site.promise("ends ≤ 1 s after SIGTERM", ms(took), took <= 1, timed=True)
    time.sleep(GONE_S)
    site.daemon.start(site.daemon.copy())
    site.daemon.rest()
    time.sleep(0.5)
    site.lost_nothing("upgrade", begun, moves=0)
    site.download_goes_on("upgrade", begun)
    site.no_change("no default route changed", default=True)


@drill("router", 10, "the router container restarted, the daemon starts with it")
def router(site):
    site.begin()
    # Where nothing is proven yet the line that is ready first may carry traffic.
    site.expected = None
    site.daemon.enable(True)
    pressed = time.monotonic()
    site.world.restart_router()
    site.world.router.ready(30)
    up = time.monotonic()
    site.step(f"restarted in {up - pressed:.1f} s")
    site.daemon.running = True
    site.traffic.flows()
    last = site.traffic.last_loss(pressed)
    took = 0.0 if last is None else max(0.0, last - up)
    whole = 0.0 if last is None else last - pressed
    measured = f"{ms(took)}, and {ms(whole)} after the button was pressed"
    site.promise(f"served again ≤ {ms(BOOT_S)} after its interfaces are there", measured, took <= BOOT_S, timed=True)
    site.daemon.rest()
    told = [new for at, _, new in site.daemon.switches() if at > pressed and new]
    site.promise("ends on wan1, at most by way of wan2", " → ".join(told), told in (["wan1"], ["wan2", "wan1"]))
    time.sleep(0.5)
    came = site.traffic.came(1, 0.0)
    site.promise("the far end sees it by the first provider", "yes" if came else "no", came is not None)
