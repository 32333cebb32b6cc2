"""Drills, one after the other: each begins and ends with a world in health."""

import os
import time

from .daemon import UPLINKD
from .drill import Row, ms
from .errors import Broken, Trouble
from .site import Site

# A client that could not send for so long was not given the processor, and the router beside it neither: what is measured then
# is the machine, and no promise is kept or broken by it. Such a drill is played once more, and so often in a whole run.
STALL_S, MOST_VOID = 0.25, 2
# What a drill may have started.
CHILDREN = {"router": ["daemon", "monitor", "bound"], "client": ["udp", "download"]}


def play_all(world, drills, rounds, failures, say):
    """All of these so many times, and what they promised and measured."""
    rows, number, void = [], 0, 0
    for turn in range(rounds):
        if rounds > 1:
            say(f"round {turn + 1} of {rounds}")
        for one in drills:
            if one.act:
                number += 1
                played, still_s = play(world, one, number, say, failures)
                if any(row.ok is False for row in played) and still_s > STALL_S and void < MOST_VOID:
                    void += 1
                    say(f"  void: the client itself stood still for {ms(still_s)}, which tells nothing of the router: once more")
                    why = Row(one.name, "the machine has time to measure", f"stood still for {ms(still_s)}", True, void=True)
                    number += 1
                    played, _ = play(world, one, number, say, failures)
                    played = [why, *played]
                rows += played
            elif turn == 0:
                rows.append(still_not_yet(world, one))
    return rows


def play(world, one, number, say, failures):
    """One drill from health to health. Returns its rows, and for how long the client stood still."""
    begun = time.monotonic()
    say(f"{one.number:>2} {one.name}: {one.does}")
    site = Site(world, one, number, say)
    try:
        one.act(site)
    except (Broken, Trouble) as broken:
        site.promise("comes to its end", str(broken), False)
    try:
        if site.traffic:
            site.traffic.stop()
        site.stop_watching()
        if site.daemon.running:
            site.daemon.stop()
        site.daemon.enable(False)
        site.standing_promises()
    except (Broken, Trouble) as broken:
        site.promise("ends in order", str(broken), False)
    if any(row.ok is False for row in site.rows):
        folder = os.path.join(failures, site.name)
        say(f"  log, journal and records are in {folder}")
        site.save(folder)
        sweep(world)
    world.lines.mend()
    say(f"  done in {time.monotonic() - begun:.1f} s")
    return site.rows, site.traffic.stood_still() if site.traffic else 0.0


def sweep(world):
    """Whatever a drill that has gone wrong has left running and in the router's tables."""
    for role, names in CHILDREN.items():
        for name in names:
            try:
                world.agents[role].signal(name, 9)
                world.agents[role].wait(name, 5)
            except Trouble:
                # Never started.
                pass
    world.router.run(UPLINKD, "cleanup", timeout=20)


def still_not_yet(world, one):
    """The row of such a drill."""
    if one.until and world.router.run(UPLINKD, *one.until).code == 0:
        return Row(one.name, one.does, "uplinkd has it now: this drill waits to be written", False)
    return Row(one.name, one.does, f"not yet: {one.not_yet}", None)
