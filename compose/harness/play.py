"""Drills, one after the other: each begins and ends with a world in health."""

import os
import time
import traceback

from .daemon import UPLINKD
from .drill import Row, ms
from .errors import Broken, Trouble
from .site import Site

# A client that could not send for so long was not given the processor, and the router beside it neither: what takes milliseconds
# cannot be measured then. A drill of which nothing else is broken is played once more, so often in a run, and never where it is to be
# shown that nothing is flaky.
STALL_S, MOST_VOID = 0.25, 2
# What a drill may have started.
CHILDREN = {"router": ["daemon", "monitor", "bound"], "client": ["udp", "download"]}


def play_all(world, drills, rounds, failures, keep, say, rows):
    """All of these so many times; what they promised and measured is added to the rows."""
    number, void = 0, 0
    for turn in range(rounds):
        if rounds > 1:
            say(f"round {turn + 1} of {rounds}")
        for one in drills:
            if not one.act:
                if turn == 0:
                    rows.append(still_not_yet(world, one))
                continue
            number += 1
            played, still_s = play(world, one, number, say, failures, keep)
            if rounds == 1 and void < MOST_VOID and is_void(played, still_s):
                void, number = void + 1, number + 1
                say(f"  void: the client itself stood still for {ms(still_s)}, which tells nothing of the router: once more")
                measured = f"stood still for {ms(still_s)}"
                rows.append(Row(one.name, "the machine has time to measure", measured, None, one.number, void=True))
                played, _ = play(world, one, number, say, failures, keep)
            rows += played
            # With whatever is left of it the next one would only fail too.
            world.lines.mend()


def is_void(rows, still_s):
    """Is all that was broken a matter of milliseconds, and has the machine stood still?"""
    broken = [row for row in rows if row.ok is False]
    return bool(broken) and still_s > STALL_S and all(row.timed for row in broken)


def play(world, one, number, say, failures, keep):
    """One drill from health to health. Returns its rows, and for how long the client stood still."""
    begun = time.monotonic()
    say(f"{one.number:>2} {one.name}: {one.does}")
    site = Site(world, one, number, say)
    still_s = 0.0
    attempt(site, "comes to its end", one.act, site)
    attempt(site, "ends in order", end, site)
    if any(row.ok is False for row in site.rows):
        folder = os.path.join(failures, site.name)
        say(f"  log, journal and records are in {folder}")
        attempt(site, "its papers are kept", site.save, folder)
        attempt(site, "it can be cleaned up", sweep, world)
    if site.traffic:
        still_s = site.traffic.stood_still()
        if not keep:
            site.traffic.forget()
    say(f"  done in {time.monotonic() - begun:.1f} s")
    return site.rows, still_s


def end(site):
    if site.traffic:
        site.traffic.stop()
    site.stop_watching()
    if site.daemon.running:
        site.daemon.stop()
    site.daemon.enable(False)
    site.standing_promises()


def attempt(site, promise, act, *arguments):
    """What goes wrong in one drill is a row of it, whatever it is: the others are played, and the table is printed."""
    try:
        act(*arguments)
    except (Broken, Trouble) as broken:
        site.promise(promise, str(broken), False)
    except Exception as surprise:
        site.papers.append(traceback.format_exc())
        where = traceback.extract_tb(surprise.__traceback__)[-1]
        words = f"{type(surprise).__name__}: {surprise} ({os.path.basename(where.filename)}:{where.lineno})"
        site.promise(promise, words, False)


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
    words = one.until
    if isinstance(words, str):
        with open(os.path.join(world.router.folder, "until.txt"), "w") as file:
            file.write(words)
        words = ("simulate", "/state/until.txt")
    if world.router.run(UPLINKD, *words).code == 0:
        return Row(one.name, one.does, "uplinkd has it now: this drill waits to be written", False, one.number)
    return Row(one.name, one.does, f"not yet: {one.not_yet}", None, one.number)
