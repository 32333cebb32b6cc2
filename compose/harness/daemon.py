"""uplinkd in the router: started, stopped, asked, and its papers checked."""

import json
import os
import re
import time
from datetime import datetime

from .errors import Broken, Trouble

# Defaults, except: the world's own targets; a DHCP client writes its default route at metric 0, which is what
# `foreign_defaults = "replace"` is for; and a minute of stable window, which nobody has here.
CONFIG = """[[uplink]]
name = "wan1"
interface = "wan1"

[[uplink]]
name = "wan2"
interface = "wan2"
gateway = "198.51.100.1"

[probe]
targets = ["203.0.113.11", "203.0.113.12", "203.0.113.13"]

[failover]
stable_window = "{window}s"

[routing]
foreign_defaults = "replace"

[journal]
path = "{folder}/journal.jsonl"
"""
UPLINKD = "/usr/sbin/uplinkd"
RUN = [UPLINKD, "run", "-c", "/state/uplinkd.toml"]
STABLE_WINDOW_S = 4
STOP_S = 5
PAUSE_S = 0.05
SELECTION = re.compile(r"^(\S+) +INFO +selection changed .*family=ipv4 from=(\".*?\"|\S+) to=(\".*?\"|\S+)")


class Daemon:
    def __init__(self, world, name):
        self.router = world.router
        self.name = name
        # The same folder seen from the host and from the router.
        self.here = os.path.join(world.router.folder, name)
        self.there = f"/state/{name}"
        os.makedirs(self.here)
        self.window_s = STABLE_WINDOW_S
        self.running = self.started = False
        self.before = None

    def configure(self, window_s=STABLE_WINDOW_S, change=lambda text: text):
        self.window_s = window_s
        text = change(CONFIG.format(window=window_s, folder=self.there))
        for path in (os.path.join(self.router.folder, "uplinkd.toml"), os.path.join(self.here, "uplinkd.toml")):
            with open(path, "w") as file:
                file.write(text)

    def enable(self, on):
        """Whether it starts with the router."""
        path = os.path.join(self.router.folder, "enabled")
        if on:
            with open(path, "w") as file:
                file.write(f"{self.there}/uplinkd.log")
        elif os.path.exists(path):
            os.unlink(path)

    def start(self, binary=UPLINKD):
        if self.before is None:
            self.before = self.routing()
        self.router.start("daemon", binary, *RUN[1:], log=f"{self.there}/uplinkd.log")
        self.running = self.started = True

    def copy(self):
        """Another file with the same program, as an upgrade brings it."""
        path = f"{self.there}/uplinkd"
        self.router.do("busybox", "cp", UPLINKD, path)
        return path

    def kill(self):
        """kill -9. Returns when that was."""
        at = time.monotonic()
        self.router.signal("daemon", 9)
        self.router.wait("daemon", STOP_S)
        self.running = False
        return at

    def stop(self):
        """SIGTERM, as a service manager does. Returns how long it took."""
        at = time.monotonic()
        self.router.signal("daemon", 15)
        code = self.router.wait("daemon", STOP_S)
        self.running = False
        if code != 0:
            raise Broken(
                f"uplinkd ended with {code} after SIGTERM"
                if code is not None
                else f"uplinkd has not ended {STOP_S} s after SIGTERM"
            )
        return time.monotonic() - at

    def status(self):
        """What it says of itself, or None."""
        done = self.router.run(UPLINKD, "status", "--json")
        try:
            return json.loads(done.out) if done.code == 0 else None
        except json.JSONDecodeError:
            raise Broken(f"`uplinkd status --json` prints no JSON: {done.out[:80]!r}") from None

    def wait(self, what, condition, deadline_s=15):
        """Waits until its status fulfils a condition."""
        end = time.monotonic() + deadline_s
        status = None
        while time.monotonic() < end:
            status = self.status()
            if status is not None and condition(status):
                return status
            if status is None:
                self.alive()
            time.sleep(PAUSE_S)
        raise Broken(f"{what}: not within {deadline_s} s; {describe(status)}")

    def alive(self):
        """Who has ended needs no waiting for."""
        code = self.router.wait("daemon", 0) if self.running else None
        if code is not None:
            self.running = False
            last = self.log().strip().splitlines()[-1:]
            raise Broken(f"uplinkd has ended with {code}: {' '.join(last) or 'its log is empty'}")

    def wait_for(self, state, active, deadline_s=15):
        """Waits for a state of IPv4 and its active uplink."""

        def there(status):
            family = status["families"]["ipv4"]
            return family["state"] == state and family["active"] == active

        return self.wait(f"{state} on {active}", there, deadline_s)

    def wait_for_health(self, uplink, health, deadline_s=15):
        return self.wait(f"{uplink} {health}", lambda status: of(status, uplink)["health"] == health, deadline_s)

    def rest(self):
        """Primary, both uplinks healthy."""
        self.wait_for("primary", "wan1")
        for uplink in ("wan1", "wan2"):
            self.wait_for_health(uplink, "healthy")

    # Its papers.

    def log(self):
        try:
            with open(os.path.join(self.here, "uplinkd.log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def errors(self):
        return [line for line in self.log().splitlines() if re.match(r"^\S+ +ERROR ", line) or "panicked" in line]

    def switches(self):
        """Each change of the active uplink: (monotonic time, from, to); None for no uplink yet."""
        offset = time.time() - time.monotonic()
        found = []
        for line in self.log().splitlines():
            match = SELECTION.match(line)
            if match:
                at = datetime.fromisoformat(match[1].replace("Z", "+00:00")).timestamp() - offset
                old, new = (uplink_in(match[2]), uplink_in(match[3]))
                if old != new:
                    found.append((at, old, new))
        return found

    def replay(self):
        """What `uplinkd replay` says of each journal, and whether all are identical."""
        names = sorted(name for name in os.listdir(self.here) if name.startswith("journal.jsonl"))
        if not names:
            return "there is no journal", False
        words, good = [], True
        for name in names:
            done = self.router.run(UPLINKD, "replay", f"{self.there}/{name}", timeout=60)
            words.append(done.text.splitlines()[-1] if done.text else "no word")
            good &= done.code == 0 and "identical" in done.text
        return "; ".join(words), good

    def routing(self):
        """The default routes, rules and switches of the router, whoever made them."""
        found = set()
        for family in ("-4", "-6"):
            lines = self.router.do("ip", family, "route", "show", "table", "all").splitlines()
            # While a cable is out they say so.
            words = [line.replace(" linkdown", "").replace(" dead", "").strip() for line in lines]
            found |= {f"ip {family} {line}" for line in words if line.startswith("default")}
            found |= {f"ip {family} rule {line}" for line in self.router.do("ip", family, "rule", "show").splitlines()}
        for wan in ("wan1", "wan2"):
            path = f"/proc/sys/net/ipv4/conf/{wan}/ignore_routes_with_linkdown"
            found.add(f"{wan}: ignore_routes_with_linkdown is {self.router.run('cat', path).out.strip() or 'unreadable'}")
        return found

    def cleanup(self):
        """`uplinkd cleanup`, and what is not as it was before."""
        self.router.do(UPLINKD, "cleanup", timeout=20)
        after = self.routing()
        return sorted({f"new: {one}" for one in after - self.before} | {f"gone: {one}" for one in self.before - after}) + self.ours()

    def ours(self):
        """Whatever carries our marks."""
        left = self.router.do("ip", "route", "show", "table", "all", "proto", "117").splitlines()
        left += self.router.do("ip", "-6", "route", "show", "table", "all", "proto", "117").splitlines()
        for family in ("-4", "-6"):
            rules = self.router.do("ip", family, "rule", "show").splitlines()
            left += [rule for rule in rules if 7700 <= int(rule.split(":")[0]) <= 7999]
            for table in ("7700", "7701"):
                # A table without a route does not exist.
                left += self.router.run("ip", family, "route", "show", "table", table).out.splitlines()
        return left


def uplink_in(text):
    """The uplink in `fallback (waiting) on wan2`."""
    words = text.strip('"')
    return words.rsplit(" on ", 1)[1] if " on " in words else None


def of(status, uplink):
    for one in status["uplinks"]:
        if one["name"] == uplink:
            return one
    raise Trouble(f"uplinkd's status knows nothing of {uplink}")


def describe(status):
    if status is None:
        return "uplinkd does not answer"
    family = status["families"]["ipv4"]
    healths = ", ".join(f"{one['name']} {one['health']}" for one in status["uplinks"])
    return f"it is {family['state']} on {family['active']}; {healths}"
