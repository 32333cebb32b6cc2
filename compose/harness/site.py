"""What a drill works with: the world, the daemon, the traffic, and promises that are checked by measuring."""

import os
import shutil
import time
from dataclasses import dataclass, field

from .daemon import STABLE_WINDOW_S, Daemon
from .drill import CABLE_S, Drill, Row, ms
from .traffic import NAMES, NATED, PLAIN, Traffic

# What the kernel drops of a masqueraded flow that changes its line.
MASQUERADE_DROPS = 1
# Answers that were under way to its old address then: so many at a thousand a second, on lines of a millisecond or two.
UNDER_WAY = 3
# A download that says nothing for longer has been disturbed: it speaks each tenth of a second.
DOWNLOAD_S = 1.0
# A client that sent nothing for longer is mentioned: its measure is as coarse as that.
PAUSE_S = 0.05
# What an uplink needs to be proven healthy before its window begins, and a busy machine to show it.
SLACK_S = 2.5


@dataclass
class Site:
    """What a drill works with."""

    world: object
    drill: Drill
    number: int
    say: object
    rows: list = field(default_factory=list)
    traffic: Traffic = None
    daemon: Daemon = None
    expected: list = field(default_factory=lambda: ["wan1"])
    papers: list = field(default_factory=list)
    detours: int = 0
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        self.name = f"{self.drill.name}-{self.number}"
        self.lines = self.world.lines
        self.daemon = Daemon(self.world, self.name)

    # Before and after.

    def begin(self, window_s=STABLE_WINDOW_S, keepalive=False, traffic=True, **more):
        """The daemon at rest on the first uplink, both healthy, and traffic that flows."""
        self.daemon.configure(window_s, **more)
        self.daemon.start()
        self.daemon.rest()
        if traffic:
            self.traffic = Traffic(self.world, self.number, self.name, keepalive)
            self.traffic.flows()
        self.step("at rest on wan1, traffic flows")

    def step(self, what):
        self.say(f"  {what}")

    def strangers(self, times):
        """Somebody else writes routes in this drill, so often: for a moment each may carry traffic, until it is taken over."""
        self.detours = times

    def moves(self, *uplinks):
        """By which uplinks traffic goes in this drill, one after the other, and no others."""
        self.expected = ["wan1", *uplinks]

    # Promises.

    def promise(self, promise, measured, ok, timed=False):
        """One row; `timed` where a machine that stands still for a moment could break it."""
        self.rows.append(Row(self.drill.name, promise, measured, ok, self.drill.number, timed))
        self.say(f"  {self.rows[-1].verdict:<7} {promise}: {measured}")

    def gap_at_most(self, what, begin, limit_s, end=None):
        """The longest time without an answered datagram, of the worse flow."""
        losses = self.traffic.losses(begin, end)
        worst = max(one.gap_s for one in losses.values())
        ok = worst <= limit_s
        self.promise(f"{what}: gap ≤ {ms(limit_s)}", f"{ms(worst)}; {counts(losses)}{excuse(ok, losses)}", ok, True)
        return worst

    def lost_nothing(self, what, begin, end=None, moves=1):
        """Nothing of the plain flow. Of the masqueraded one, at each move, the packet that the kernel drops, and the answers
        that were under way to the address that is gone."""
        losses = self.traffic.losses(begin, end)
        plain, nated = losses[PLAIN], losses[NATED]
        ok = plain.sent > 0 and plain.lost == 0 and nated.up <= MASQUERADE_DROPS * moves and nated.down <= UNDER_WAY * moves
        allowed = f" (masqueraded ≤ {MASQUERADE_DROPS * moves} up, {UNDER_WAY * moves} down)" if moves else ""
        self.promise(f"{what}: nothing lost{allowed}", counts(losses) + excuse(ok, losses), ok, True)

    def download_goes_on(self, what, begin):
        """The download has neither ended since then nor paused for long."""
        end = time.monotonic()
        events = self.traffic.downloads(begin - DOWNLOAD_S)
        ends = [event["event"] for event in events if event["event"] not in ("connected", "going") and event["t"] >= begin]
        times = [event["t"] for event in events if event["event"] == "going"]
        longest = max((later - earlier for earlier, later in zip(times, [*times[1:], end])), default=end - begin)
        measured = f"{', '.join(ends) or 'went on'}, longest pause {ms(longest)}"
        self.promise(f"{what}: the download goes on, no pause > {ms(DOWNLOAD_S)}", measured, not ends and longest <= DOWNLOAD_S, True)

    def comes_home(self, since, what="failback", low_s=None, slack_s=SLACK_S, deadline_s=20, moves=1):
        """Back on the first provider after the stable window and not before, as the far end sees it, and nothing is lost."""
        self.daemon.wait_for("primary", "wan1", deadline_s)
        time.sleep(0.5)
        low_s = self.daemon.window_s if low_s is None else low_s
        at = self.traffic.came(1, since)
        took, high_s = None if at is None else at - since, self.daemon.window_s + slack_s
        ok = took is not None and low_s <= took <= high_s
        promise = f"{what}: home not before the window of {self.daemon.window_s} s, ≤ {high_s} s"
        self.promise(promise, "never" if took is None else ms(took), ok, True)
        self.lost_nothing(what, since, moves=moves)

    def watch_routes(self):
        """From now on the kernel's announcements of routes are written down."""
        self.world.router.start("monitor", "ip", "-4", "monitor", "route", log=f"{self.daemon.there}/routes.log")
        time.sleep(0.1)

    def stop_watching(self):
        if os.path.exists(os.path.join(self.daemon.here, "routes.log")):
            self.world.router.signal("monitor", 9)

    def routes_seen(self, default=False):
        """What the kernel has announced since, of default routes only if so wished."""
        with open(os.path.join(self.daemon.here, "routes.log")) as file:
            lines = [line.strip() for line in file]
        return [line for line in lines if not default or "default" in line]

    def no_change(self, promise, default=False):
        """The kernel has announced no change of routes since they are watched."""
        changes = self.routes_seen(default)
        self.promise(promise, "; ".join([f"{len(changes)} changes", *changes[:2]]), not changes)

    def standing_promises(self):
        """What every drill promises, checked when it is over."""
        if not self.daemon.started:
            return
        switches = self.daemon.switches()
        told = ways(new for _, _, new in switches)
        path = self.traffic.path() if self.traffic else []
        detours, path = without_detours(path, switches) if self.detours else ([], path)
        seen = ways(f"wan{word}" for _, word in path) if self.traffic else told
        moments = [f"{at - self.begun:.3f} s wan{word}" for at, word in self.traffic.path()] if self.traffic else []
        self.papers.append(
            f"told {[f'{at - self.begun:.3f} s {new}' for at, _, new in switches]}, seen at the far end {moments}"
        )
        if self.expected is not None:
            words = " → ".join(told) + ("" if seen == told else f"; seen at the far end: {' → '.join(seen)}")
            self.promise(f"moves: {' → '.join(self.expected)}", words, told == seen == self.expected)
        if self.detours:
            longest = max(detours, default=0.0)
            self.promise(
                f"strangers' routes carry traffic {self.detours} times at most, each ≤ {ms(CABLE_S)}",
                f"{len(detours)} times, {ms(longest)} at most",
                len(detours) <= self.detours and longest <= CABLE_S,
                True,
            )
        words, good = self.daemon.replay()
        errors, left = self.daemon.errors(), self.daemon.cleanup()
        words += f"; {len(errors)} errors" + "".join(f": {one}" for one in errors[:1])
        words += f"; {len(left)} left" + "".join(f": {one}" for one in left[:1])
        self.promise("replays identically, no ERROR, cleanup leaves nothing", words, good and not errors and not left)

    def save(self, folder):
        """Log, journal and configuration of the daemon, what the client has written, and the containers' own logs."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.daemon.here, folder)
        if self.traffic:
            shutil.copytree(self.traffic.folder, os.path.join(folder, "client"))
        with open(os.path.join(folder, "promises.txt"), "w") as file:
            file.writelines(f"{row.verdict}\t{row.promise}\t{row.measured}\n" for row in self.rows)
            file.writelines(f"{line}\n" for line in self.papers)
        self.world.save_logs(folder)
        with open(os.path.join(folder, "router.txt"), "w") as file:
            for words in ("address", "rule", "route show table all"):
                file.write(f"# ip {words}\n{self.world.router.run('ip', *words.split()).out}\n")


def without_detours(path, switches):
    """How long traffic took, each time, another line than the daemon's between two stays on that, and the path without them."""
    detours, kept = [], []
    for index, (at, word) in enumerate(path):
        # Only between two stays on the same line.
        between = 0 < index < len(path) - 1 and path[index - 1][1] == path[index + 1][1]
        end = path[index + 1][0] if between else at
        active = [new for told, _, new in switches if told <= (at + end) / 2][-1:]
        if between and active == [f"wan{path[index - 1][1]}"]:
            detours.append(end - at)
        else:
            kept.append((at, word))
    return detours, kept


def ways(uplinks):
    """Each uplink once for each time that traffic came to it."""
    found = []
    for uplink in uplinks:
        if uplink and found[-1:] != [uplink]:
            found.append(uplink)
    return found


def counts(losses):
    """How many were lost on the way up and down, of how many, of each flow."""
    words = []
    for flow, one in losses.items():
        lost = " + ".join(f"{count} {way}" for count, way in ((one.up, "up"), (one.down, "down")) if count) or "0"
        words.append(f"{NAMES[flow]} {lost} of {one.sent}")
    return "lost " + ", ".join(words)


def excuse(ok, losses):
    """A machine that has no time for the client has none for the router either: broken all the same, but worth a word."""
    pause_s = max(one.pause_s for one in losses.values())
    if pause_s <= PAUSE_S:
        return ""
    advice = "" if ok else ", so the machine is too busy to tell: try again when it is calm"
    return f"; the client slept {ms(pause_s)}{advice}"
