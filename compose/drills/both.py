"""Both lines dead: nothing moves, and whoever returns first is used."""

import time

from harness.drill import SILENCE_S, drill, ms

# How long both are dead.
DEAD_S = 4


@drill("both-primary-first", 6, "both lines dead, the primary returns first")
def primary_first(site):
    site.begin()
    site.moves()
    both_dead(site)
    site.lines.clear(0)
    served(site, "primary returns")
    site.lines.clear(1)
    site.daemon.wait_for_health("wan2", "healthy")
    site.daemon.wait_for("primary", "wan1")


@drill("both-backup-first", 6, "both lines dead, the backup returns first")
def backup_first(site):
    site.begin()
    site.moves("wan2", "wan1")
    both_dead(site)
    site.lines.clear(1)
    served(site, "backup returns")
    site.comes_home(site.lines.clear(0))


def both_dead(site):
    # Together, as far as a busy machine can; the backup is not to be there any more when the primary goes.
    site.lines.silence(1, 0)
    dead = time.monotonic()
    site.daemon.wait("stranded", lambda status: status["families"]["ipv4"]["stranded"])
    time.sleep(DEAD_S)
    moved = [f"{old} → {new}" for at, old, new in site.daemon.switches() if at > dead]
    site.promise("both dead: no switch", ", ".join(moved) or "none", not moved)


def served(site, what):
    """The client is served again soon after one has come back, which it has now."""
    since = time.monotonic()
    site.traffic.flows()
    last = site.traffic.last_loss(since)
    took = 0.0 if last is None else last - since
    site.promise(f"{what}: served again ≤ {ms(SILENCE_S)}", ms(took), took <= SILENCE_S, timed=True)
